#include "support/readers.h"
#include "support/process.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { IMAGES = 8 /* so that several threads have some */ };

static process run;
static dlviz_network *network;

void prepare_readers(void) {
    if (network)
        return;
    network = small_network(5);
    begin_process(&run, "c:conv,out=2,k=3 b:bn r:relu f:flatten fc:linear,out=4", ADAM, true);
    ck_ok(dlviz_trainer_set_epoch_callback(run.trainer, NULL, NULL));
    ck_ok(dlviz_trainer_fit(run.trainer, run.train, 2));
}

/* -- Files whose readers make a handle -----------------------------------------------------------
 */

#define OPENS(name, type, open_call, destroy_call)                                                 \
    static dlviz_status name(const char *path, const void *bytes, size_t size) {                   \
        type *made;                                                                                \
        (void)path, (void)bytes, (void)size;                                                       \
        TRY(open_call);                                                                            \
        destroy_call(made);                                                                        \
        return DLVIZ_OK;                                                                           \
    }

OPENS(open_network, dlviz_network, dlviz_network_open(&made, path), dlviz_network_destroy)
OPENS(open_network_memory, dlviz_network, dlviz_network_open_memory(&made, bytes, size),
      dlviz_network_destroy)
OPENS(open_architecture, dlviz_network, dlviz_network_open_architecture(&made, path),
      dlviz_network_destroy)
OPENS(open_architecture_memory, dlviz_network,
      dlviz_network_open_architecture_memory(&made, bytes, size), dlviz_network_destroy)
OPENS(open_pca, dlviz_pca, dlviz_pca_open(&made, path), dlviz_pca_destroy)
OPENS(open_pca_memory, dlviz_pca, dlviz_pca_open_memory(&made, bytes, size), dlviz_pca_destroy)
OPENS(open_tsne, dlviz_tsne, dlviz_tsne_open(&made, path), dlviz_tsne_destroy)
OPENS(open_tsne_memory, dlviz_tsne, dlviz_tsne_open_memory(&made, bytes, size), dlviz_tsne_destroy)
OPENS(open_film, dlviz_film, dlviz_film_open(&made, path), dlviz_film_destroy)
OPENS(open_film_memory, dlviz_film, dlviz_film_open_memory(&made, bytes, size), dlviz_film_destroy)
OPENS(read_npy, dlviz_tensor, dlviz_tensor_read_npy(&made, path), dlviz_tensor_destroy)
OPENS(read_npy_memory, dlviz_tensor, dlviz_tensor_read_npy_memory(&made, bytes, size),
      dlviz_tensor_destroy)
OPENS(read_npy_shifted, dlviz_tensor, dlviz_tensor_read_npy_shifted(&made, path, NULL),
      dlviz_tensor_destroy)
OPENS(map_npy, dlviz_tensor, dlviz_tensor_map_npy(&made, path), dlviz_tensor_destroy)
OPENS(read_idx, dlviz_dataset, dlviz_dataset_read_idx(&made, path, NULL), dlviz_dataset_destroy)
OPENS(read_idx_memory, dlviz_dataset, dlviz_dataset_read_idx_memory(&made, bytes, size, NULL, 0),
      dlviz_dataset_destroy)
OPENS(read_csv, dlviz_tensor, dlviz_tensor_read_csv(&made, path, NULL), dlviz_tensor_destroy)
OPENS(read_csv_memory, dlviz_tensor, dlviz_tensor_read_csv_memory(&made, bytes, size, NULL),
      dlviz_tensor_destroy)
OPENS(read_csv_shifted, dlviz_tensor,
      dlviz_tensor_read_csv_shifted_memory(&made, bytes, size, NULL, NULL), dlviz_tensor_destroy)
OPENS(read_csv_dataset, dlviz_dataset, dlviz_dataset_read_csv_memory(&made, bytes, size, NULL),
      dlviz_dataset_destroy)
OPENS(read_cifar10, dlviz_dataset,
      dlviz_dataset_read_cifar10(&made, scratch_folder(), DLVIZ_DATASET_PART_TEST),
      dlviz_dataset_destroy)

/* -- Others --------------------------------------------------------------------------------------
 */

static dlviz_status take_tensors(dlviz_safetensors *contents) {
    for (int64_t i = 0; i < dlviz_safetensors_num_tensors(contents); i++) {
        dlviz_tensor *tensor;
        TRY(dlviz_safetensors_get(contents, dlviz_safetensors_tensor_name(contents, i), &tensor));
        dlviz_tensor_destroy(tensor);
    }
    return DLVIZ_OK;
}

static dlviz_status read_safetensors(const char *path, const void *bytes, size_t size) {
    dlviz_safetensors *contents;
    (void)bytes, (void)size;
    TRY(dlviz_safetensors_open(&contents, path));
    dlviz_status status = take_tensors(contents);
    dlviz_safetensors_destroy(contents);
    return status;
}

static dlviz_status read_safetensors_memory(const char *path, const void *bytes, size_t size) {
    dlviz_safetensors *contents;
    (void)path;
    TRY(dlviz_safetensors_open_memory(&contents, bytes, size));
    dlviz_status status = take_tensors(contents);
    dlviz_safetensors_destroy(contents);
    return status;
}

static dlviz_status take_arrays(const dlviz_npz *npz) {
    for (int64_t i = 0; i < dlviz_npz_num_arrays(npz); i++) {
        dlviz_tensor *tensor;
        TRY(dlviz_npz_read(npz, dlviz_npz_array_name(npz, i), &tensor));
        dlviz_tensor_destroy(tensor);
        TRY(dlviz_npz_read_shifted(npz, dlviz_npz_array_name(npz, i), &tensor, NULL));
        dlviz_tensor_destroy(tensor);
    }
    return DLVIZ_OK;
}

static dlviz_status read_npz(const char *path, const void *bytes, size_t size) {
    dlviz_npz *npz;
    (void)bytes, (void)size;
    TRY(dlviz_npz_open(&npz, path));
    dlviz_status status = take_arrays(npz);
    dlviz_npz_destroy(npz);
    return status;
}

static dlviz_status read_npz_memory(const char *path, const void *bytes, size_t size) {
    dlviz_npz *npz;
    (void)path;
    TRY(dlviz_npz_open_memory(&npz, bytes, size));
    dlviz_status status = take_arrays(npz);
    dlviz_npz_destroy(npz);
    return status;
}

static dlviz_status load_network(const char *path, const void *bytes, size_t size) {
    (void)bytes, (void)size;
    return dlviz_network_load(network, path);
}

static dlviz_status load_network_memory(const char *path, const void *bytes, size_t size) {
    (void)path;
    return dlviz_network_load_memory(network, bytes, size);
}

static dlviz_status load_checkpoint(const char *path, const void *bytes, size_t size) {
    (void)bytes, (void)size;
    return dlviz_trainer_load_checkpoint(run.trainer, path);
}

static dlviz_status load_checkpoint_memory(const char *path, const void *bytes, size_t size) {
    (void)path;
    return dlviz_trainer_load_checkpoint_memory(run.trainer, bytes, size);
}

static dlviz_status merge_into(const char *path, const void *bytes, size_t size) {
    dlviz_report *report;
    TRY(dlviz_report_create(&report, NULL, 0));
    dlviz_status status =
        path ? dlviz_report_merge(report, path) : dlviz_report_merge_memory(report, bytes, size);
    dlviz_report_destroy(report);
    return status;
}

static dlviz_status merge_page(const char *path, const void *bytes, size_t size) {
    (void)bytes, (void)size;
    return merge_into(path, NULL, 0);
}

static dlviz_status merge_page_memory(const char *path, const void *bytes, size_t size) {
    (void)path;
    return merge_into(NULL, bytes, size);
}

/* -- Images --------------------------------------------------------------------------------------
 */

/* What goes on after the folder has been read reads the images again, one by one. */
static dlviz_status read_folder(const char *folder, bool kept) {
    dlviz_image_reader *settings;
    dlviz_dataset *dataset = NULL;
    dlviz_tensor *loaded = NULL;
    TRY(dlviz_image_reader_create(&settings));
    dlviz_status status = dlviz_image_reader_set_size(settings, 8, 8);
    if (status == DLVIZ_OK && !kept)
        status = dlviz_image_reader_set_memory_limit(settings, 1);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_read_folder(&dataset, folder, settings);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_samples(dataset, 0, 1, &loaded);
    dlviz_tensor_destroy(loaded);
    dlviz_dataset_destroy(dataset);
    dlviz_image_reader_destroy(settings);
    return status;
}

static dlviz_status read_kept_images(const char *path, const void *bytes, size_t size) {
    (void)path, (void)bytes, (void)size;
    return read_folder(scratch_path("images"), true);
}

static dlviz_status read_images(const char *path, const void *bytes, size_t size) {
    (void)path, (void)bytes, (void)size;
    return read_folder(scratch_path("images"), false);
}

/* -- All of them ---------------------------------------------------------------------------------
 */

static void make_checkpoints(samples *to) {
    void *bytes;
    size_t size;
    prepare_readers();
    ck_ok(dlviz_trainer_save_checkpoint_memory(run.trainer, &bytes, &size));
    void *copy = malloc(size);
    memcpy(copy, bytes, size);
    dlviz_free(bytes);
    keep_sample(to, copy, size);
}

static void make_loadable(samples *to) {
    void *bytes;
    size_t size;
    prepare_readers();
    ck_ok(dlviz_network_save_memory(network, &bytes, &size));
    void *copy = malloc(size);
    memcpy(copy, bytes, size);
    dlviz_free(bytes);
    keep_sample(to, copy, size);
}

const reader all_readers[] = {
    {"network", make_networks, NULL, true, open_network},
    {"network in memory", make_networks, NULL, true, open_network_memory},
    {"network loaded", make_loadable, NULL, true, load_network},
    {"network loaded from memory", make_loadable, NULL, true, load_network_memory},
    {"architecture", make_architectures, NULL, true, open_architecture},
    {"architecture in memory", make_architectures, NULL, true, open_architecture_memory},
    {"checkpoint", make_checkpoints, NULL, true, load_checkpoint},
    {"checkpoint in memory", make_checkpoints, NULL, true, load_checkpoint_memory},
    {"safetensors", make_safetensors, NULL, true, read_safetensors},
    {"safetensors in memory", make_safetensors, NULL, true, read_safetensors_memory},
    {"PCA", make_pcas, NULL, true, open_pca},
    {"PCA in memory", make_pcas, NULL, true, open_pca_memory},
    {"t-SNE", make_tsnes, NULL, true, open_tsne},
    {"t-SNE in memory", make_tsnes, NULL, true, open_tsne_memory},
    {"film", make_films, NULL, true, open_film},
    {"film in memory", make_films, NULL, true, open_film_memory},
    {"page", make_pages, NULL, true, merge_page},
    {"page in memory", make_pages, NULL, true, merge_page_memory},
    {"npy", make_npys, NULL, false, read_npy},
    {"npy in memory", make_npys, NULL, false, read_npy_memory},
    {"npy shifted", make_npys, NULL, false, read_npy_shifted},
    {"npy mapped", make_npys, NULL, false, map_npy},
    {"npz", make_npzs, NULL, false, read_npz},
    {"npz in memory", make_npzs, NULL, false, read_npz_memory},
    {"IDX", make_idxs, NULL, false, read_idx},
    {"IDX in memory", make_idxs, NULL, false, read_idx_memory},
    {"CSV", make_csvs, NULL, false, read_csv},
    {"CSV in memory", make_csvs, NULL, false, read_csv_memory},
    {"CSV shifted", make_csvs, NULL, false, read_csv_shifted},
    {"CSV as a dataset", make_csvs, NULL, false, read_csv_dataset},
    {"CIFAR-10", make_cifars, "test_batch.bin", false, read_cifar10},
#ifdef DLVIZ_TEST_IMAGES
    {"PNG", make_pngs, "images/png", false, read_kept_images},
    {"PNG read again", make_pngs, "images/png", false, read_images},
    {"JPEG", make_jpegs, "images/jpg", false, read_kept_images},
    {"JPEG read again", make_jpegs, "images/jpg", false, read_images},
#endif
    {NULL, NULL, NULL, false, NULL},
};

/* -- Their files ---------------------------------------------------------------------------------
 */

const char *place_file(const reader *of, const void *bytes, size_t size) {
    static char path[1000];
    const char *name = of->file ? of->file : "file";
    bool several = strncmp(name, "images/", 7) == 0;
    for (int i = 0; several && i < IMAGES; i++) {
        mkdir(scratch_path("images"), 0777);
        mkdir(scratch_path("images/a"), 0777);
        snprintf(path, sizeof path, "%s/images/a/%d.%s", scratch_folder(), i, name + 7);
        write_file(path, bytes, size);
        snprintf(path, sizeof path, "%s/images/a/%d.%s", scratch_folder(), i,
                 strcmp(name + 7, "png") == 0 ? "jpg" : "png");
        remove(path);
    }
    if (several)
        return scratch_folder();
    snprintf(path, sizeof path, "%s/%s", scratch_folder(), name);
    write_file(path, bytes, size);
    return path;
}
