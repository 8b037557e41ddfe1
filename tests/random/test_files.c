/* Files that were damaged, or made to deceive: each loader gets mutations of valid files, and takes what is
 * valid, or fails with a sentence, whatever the bytes. It reads nothing beyond them, allocates nothing out
 * of proportion, changes nothing when it fails, and gives nothing that cannot be used.
 *
 *     test_random_files                      a few thousand mutations
 *     test_random_files LOADER SECONDS       as many as there is time for, of one loader, and a count
 *     test_random_files LOADER 0 SEED        the one of this seed again */
#include "data/image.h"
#include "support/mutations.h"
#include "support/process.h"
#include "support/random_cases.h"
#include "support/valid_files.h"

#include <math.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MUTATIONS = 100 /* of one case */, LARGEST = 64 << 20, MOST_SECONDS = 20 };

/* What is being tried, for messages. */
static const char *loader_name = "";
static uint64_t current_seed;
static int64_t num_taken, num_tried;

static void require(bool holds, const char *format, ...) {
    if (holds)
        return;
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "loader %s, seed %llu: ", loader_name, (unsigned long long)current_seed);
    vfprintf(stderr, format, arguments);
    fprintf(stderr, " (last error: %s)\n", dlviz_last_error());
    va_end(arguments);
    abort();
}

static void must(dlviz_status status, const char *what) {
    require(status == DLVIZ_OK, "%s", what);
}

/* -- Memory: no request is out of proportion to the file -----------------------------------------
 */

static atomic_llong largest;
static long long allowed = LARGEST;

static void *allocate(size_t size, void *user) {
    (void)user;
    if ((long long)size > largest)
        largest = (long long)size;
    return size > 1u << 30 ? NULL : malloc(size);
}

static void release(void *block, void *user) {
    (void)user;
    free(block);
}

/* What a loader may say of a file. */
static bool judged(dlviz_status status, const void *result) {
    num_tried++;
    num_taken += status == DLVIZ_OK;
    require(status == DLVIZ_OK || status == DLVIZ_ERROR_FORMAT ||
                status == DLVIZ_ERROR_UNSUPPORTED || status == DLVIZ_ERROR_NUMERIC,
            "it gives '%s'", dlviz_status_name(status));
    require((result != NULL) == (status == DLVIZ_OK), "a result, and '%s'",
            dlviz_status_name(status));
    require(status == DLVIZ_OK || strlen(dlviz_last_error()) > 20, "no sentence");
    require(largest < allowed, "a block of %lld bytes", (long long)largest);
    return status == DLVIZ_OK;
}

/* The result is looked at once the call is over. */
static dlviz_status judged_status;
#define JUDGED(call, result) (judged_status = (call), judged(judged_status, result))

/* -- Loaders -------------------------------------------------------------------------------------
 */

static process run;

static void make_checkpoints(samples *to) {
    begin_process(&run, "c:conv,out=2,k=3 b:bn r:relu f:flatten fc:linear,out=4", ADAM, true);
    must(dlviz_trainer_set_epoch_callback(run.trainer, NULL, NULL), "no callback");
    must(dlviz_trainer_fit(run.trainer, run.train, 2), "a fit");
    const char *path = scratch_path("checkpoint");
    must(dlviz_trainer_save_checkpoint(run.trainer, path), "a checkpoint is not saved");
    size_t size;
    unsigned char *bytes = file_bytes(path, &size);
    keep_sample(to, bytes, size);
}

/* Whether a network is small enough to compute with. */
static bool is_small(const dlviz_network *network) {
    double total = 0;
    for (int64_t i = -1; i < dlviz_network_num_layers(network); i++) {
        const char *layer = i < 0 ? "input" : dlviz_network_layer_name(network, i);
        double size = 1;
        for (int d = 0; d < dlviz_network_layer_ndim(network, layer); d++)
            size *= (double)dlviz_network_layer_dims(network, layer)[d];
        total += size;
    }
    return total < 3e4;
}

static void use_network(dlviz_network *network) {
    void *bytes;
    size_t size;
    dlviz_network *again;
    require(dlviz_network_summary(network)[0] != 0, "no summary");
    for (int64_t i = 0; i < dlviz_network_num_class_names(network); i++)
        require(dlviz_network_class_name(network, i) != NULL, "no name");
    must(dlviz_network_save_memory(network, &bytes, &size), "what was opened is not saved");
    must(dlviz_network_open_memory(&again, bytes, size), "what was saved is not opened");
    dlviz_network_destroy(again);
    dlviz_free(bytes);
    if (!is_small(network))
        return;
    int ndim = dlviz_network_layer_ndim(network, "input");
    int64_t dims[4] = {1};
    memcpy(dims + 1, dlviz_network_layer_dims(network, "input"), (size_t)ndim * sizeof *dims);
    dlviz_tensor *x, *y;
    must(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 1 + ndim, dims), "inputs");
    must(dlviz_network_forward(network, x, &y), "what was opened does not compute");
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(y);
}

static void try_open(const mutant *file) {
    dlviz_network *network;
    if (JUDGED(dlviz_network_open_memory(&network, file->bytes, file->size), network))
        use_network(network);
    dlviz_network_destroy(network);
}

/* What a network has, and knows of its data. */
static void *all_there_is(const dlviz_network *network, size_t *size) {
    void *bytes;
    must(dlviz_network_save_memory(network, &bytes, size), "a network is not saved");
    return bytes;
}

static void try_load(const mutant *file) {
    static dlviz_network *network;
    size_t before_size, size;
    if (!network)
        network = small_network(5);
    void *before = all_there_is(network, &before_size);
    dlviz_status status = dlviz_network_load_memory(network, file->bytes, file->size);
    if (!judged(status, status == DLVIZ_OK ? network : NULL)) {
        void *after = all_there_is(network, &size);
        require(size == before_size && memcmp(before, after, size) == 0, "it changed the network");
        dlviz_free(after);
    } else {
        use_network(network);
    }
    dlviz_free(before);
}

static void try_partial(const mutant *file) {
    static dlviz_network *network;
    size_t before_size, size;
    if (!network)
        network = small_network(5);
    dlviz_safetensors *contents;
    if (!JUDGED(dlviz_safetensors_open_memory(&contents, file->bytes, file->size), contents))
        return;
    void *before = all_there_is(network, &before_size);
    dlviz_status status = dlviz_network_load_tensors(network, contents, false);
    int64_t states = dlviz_network_num_states(network);
    if (!judged(status, status == DLVIZ_OK ? network : NULL)) {
        void *after = all_there_is(network, &size);
        require(size == before_size && memcmp(before, after, size) == 0, "it changed the network");
        dlviz_free(after);
    } else {
        require(dlviz_network_num_unused(network) < dlviz_safetensors_num_tensors(contents) &&
                    dlviz_network_num_missing(network) < states,
                "it says that it took nothing");
        for (int64_t i = 0; i < dlviz_network_num_missing(network); i++)
            require(!dlviz_safetensors_has(contents, dlviz_network_missing_name(network, i)),
                    "it says that a tensor is missing that is there");
        for (int64_t i = 0; i < dlviz_network_num_unused(network); i++)
            require(dlviz_safetensors_has(contents, dlviz_network_unused_name(network, i)),
                    "it says that a tensor is unused that is not there");
    }
    dlviz_free(before);
    dlviz_safetensors_destroy(contents);
}

static void try_safetensors(const mutant *file) {
    dlviz_safetensors *contents, *again;
    if (!JUDGED(dlviz_safetensors_open_memory(&contents, file->bytes, file->size), contents))
        return;
    int64_t count = dlviz_safetensors_num_tensors(contents);
    for (int64_t i = 0; i < count; i++) {
        const char *name = dlviz_safetensors_tensor_name(contents, i);
        dlviz_tensor *tensor;
        require(name && dlviz_safetensors_has(contents, name), "a tensor without its name");
        JUDGED(dlviz_safetensors_get(contents, name, &tensor), tensor);
        dlviz_tensor_destroy(tensor);
    }
    dlviz_status status = dlviz_safetensors_rename(contents, "*", "module.*");
    require((status == DLVIZ_OK) == (count > 0), "it is not renamed");
    status = dlviz_safetensors_remove(contents, "*.bias");
    require(status == DLVIZ_OK || status == DLVIZ_ERROR_NOT_FOUND, "nothing is removed");
    void *bytes;
    size_t size;
    must(dlviz_safetensors_save_memory(contents, &bytes, &size), "it is not saved");
    must(dlviz_safetensors_open_memory(&again, bytes, size), "what was saved is not opened");
    require(dlviz_safetensors_num_tensors(again) == dlviz_safetensors_num_tensors(contents),
            "tensors are lost");
    dlviz_free(bytes);
    dlviz_safetensors_destroy(again);
    dlviz_safetensors_destroy(contents);
}

static void try_pca(const mutant *file) {
    dlviz_pca *pca, *again;
    if (!JUDGED(dlviz_pca_open_memory(&pca, file->bytes, file->size), pca))
        return;
    void *bytes;
    size_t size;
    must(dlviz_pca_save_memory(pca, &bytes, &size), "what was opened is not saved");
    must(dlviz_pca_open_memory(&again, bytes, size), "what was saved is not opened");
    dlviz_tensor *x, *y = NULL;
    must(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){2, dlviz_pca_num_features(pca)}),
         "points");
    dlviz_status status = dlviz_pca_transform(again, x, &y);
    require(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC, "it does not transform");
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(y);
    dlviz_free(bytes);
    dlviz_pca_destroy(pca);
    dlviz_pca_destroy(again);
}

/* What is built may be too large to compute with, and is then not built. */
static void try_architecture(const mutant *file) {
    dlviz_network *network, *again;
    if (JUDGED(dlviz_network_open_architecture_memory(&network, file->bytes, file->size),
               network) &&
        file->size < 4096 && dlviz_network_build(network, 1) == DLVIZ_OK) {
        void *bytes;
        size_t size;
        must(dlviz_network_save_architecture_memory(network, &bytes, &size),
             "what was opened is not saved");
        must(dlviz_network_open_architecture_memory(&again, bytes, size),
             "what was saved is not opened");
        dlviz_network_destroy(again);
        dlviz_free(bytes);
    }
    dlviz_network_destroy(network);
}

static void try_tsne(const mutant *file) {
    dlviz_tsne *tsne, *again;
    if (!JUDGED(dlviz_tsne_open_memory(&tsne, file->bytes, file->size), tsne))
        return;
    void *bytes;
    size_t size;
    must(dlviz_tsne_save_memory(tsne, &bytes, &size), "what was opened is not saved");
    must(dlviz_tsne_open_memory(&again, bytes, size), "what was saved is not opened");
    must(dlviz_tsne_set_num_transform_iterations(again, 3), "a few iterations");
    float values[2 * 8];
    fill_uniform(values, 2 * 8, 1);
    for (int64_t d = 1; d <= 8; d++) { /* what it was fitted to is not told */
        dlviz_tensor *x, *y;
        must(dlviz_tensor_from_data(&x, DLVIZ_FLOAT32, 2, (int64_t[]){2, d}, values), "points");
        dlviz_status status = dlviz_tsne_transform(again, x, &y);
        require(status == DLVIZ_OK || status == DLVIZ_ERROR_SHAPE || status == DLVIZ_ERROR_STATE,
                "it does not transform");
        for (int64_t i = 0; y && i < dlviz_tensor_num_elements(y); i++)
            require(isfinite(dlviz_tensor_float(y)[i]), "a place that is none");
        dlviz_tensor_destroy(x);
        dlviz_tensor_destroy(y);
    }
    dlviz_free(bytes);
    dlviz_tsne_destroy(tsne);
    dlviz_tsne_destroy(again);
}

static void try_film(const mutant *file) {
    dlviz_film *film, *again;
    dlviz_tsne *tsne;
    if (!JUDGED(dlviz_film_open_memory(&film, file->bytes, file->size), film))
        return;
    void *bytes;
    size_t size;
    must(dlviz_film_save_memory(film, &bytes, &size), "what was opened is not saved");
    must(dlviz_film_open_memory(&again, bytes, size), "what was saved is not opened");
    must(dlviz_film_set_num_later_iterations(again, 2), "a few iterations");
    must(dlviz_tsne_create(&tsne), "t-SNE");
    must(dlviz_tsne_set_num_iterations(tsne, 3), "a few iterations");
    dlviz_status status = dlviz_film_fit(again, tsne);
    require(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC ||
                (status == DLVIZ_ERROR_STATE && dlviz_film_num_frames(again) == 0),
            "it is not fitted");
    must(dlviz_film_thin(again, INT64_MAX), "it is not thinned");
    dlviz_free(bytes);
    dlviz_tsne_destroy(tsne);
    dlviz_film_destroy(film);
    dlviz_film_destroy(again);
}

static void try_npy(const mutant *file) {
    dlviz_tensor *tensor, *again, *offsets;
    if (JUDGED(dlviz_tensor_read_npy_memory(&tensor, file->bytes, file->size), tensor)) {
        void *bytes;
        size_t size, elements = (size_t)dlviz_tensor_num_elements(tensor) *
                                dlviz_dtype_size(dlviz_tensor_dtype(tensor));
        must(dlviz_tensor_write_npy_memory(tensor, &bytes, &size), "what was read is not written");
        must(dlviz_tensor_read_npy_memory(&again, bytes, size), "what was written is not read");
        require(dlviz_tensor_ndim(again) == dlviz_tensor_ndim(tensor) &&
                    memcmp(dlviz_tensor_data(again), dlviz_tensor_data(tensor), elements) == 0,
                "what was written is something else");
        dlviz_free(bytes);
        dlviz_tensor_destroy(again);
    }
    dlviz_tensor_destroy(tensor);
    JUDGED(dlviz_tensor_read_npy_shifted_memory(&tensor, file->bytes, file->size, &offsets),
           tensor);
    require((tensor != NULL) == (offsets != NULL), "offsets without numbers, or the reverse");
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(offsets);
}

static void try_idx(const mutant *file) {
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 5, 7};
    dlviz_dataset *dataset;
    JUDGED(dlviz_dataset_read_idx_memory(&dataset, file->bytes, file->size, NULL, 0), dataset);
    dlviz_dataset_destroy(dataset);
    if (JUDGED(
            dlviz_dataset_read_idx_memory(&dataset, file->bytes, file->size, labels, sizeof labels),
            dataset))
        require(dlviz_dataset_num_samples(dataset) == 2, "labels for other images");
    dlviz_dataset_destroy(dataset);
    /* What is mutated are the images, and as well read as labels. */
    JUDGED(
        dlviz_dataset_read_idx_memory(&dataset, file->bytes, file->size, file->bytes, file->size),
        dataset);
    dlviz_dataset_destroy(dataset);
}

static void try_npz(const mutant *file) {
    dlviz_npz *npz;
    if (!JUDGED(dlviz_npz_open_memory(&npz, file->bytes, file->size), npz))
        return;
    for (int64_t i = 0; i < dlviz_npz_num_arrays(npz); i++) {
        const char *name = dlviz_npz_array_name(npz, i);
        dlviz_tensor *tensor, *offsets;
        require(name != NULL, "an array without its name");
        JUDGED(dlviz_npz_read(npz, name, &tensor), tensor);
        dlviz_tensor_destroy(tensor);
        JUDGED(dlviz_npz_read_shifted(npz, name, &tensor, &offsets), tensor);
        require((tensor != NULL) == (offsets != NULL), "offsets without numbers, or the reverse");
        dlviz_tensor_destroy(tensor);
        dlviz_tensor_destroy(offsets);
    }
    dlviz_npz_destroy(npz);
}

static void try_csv(const mutant *file) {
    static dlviz_csv_reader *labels, *targets;
    if (!labels) {
        must(dlviz_csv_reader_create(&labels), "a reader");
        must(dlviz_csv_reader_set_label_column(labels, "#1"), "a column");
        must(dlviz_csv_reader_create(&targets), "a reader");
        must(dlviz_csv_reader_set_target_columns(targets, 1, (const char *[]){"#1"}), "a column");
    }
    dlviz_tensor *tensor, *offsets;
    dlviz_dataset *dataset;
    JUDGED(dlviz_tensor_read_csv_memory(&tensor, file->bytes, file->size, NULL), tensor);
    dlviz_tensor_destroy(tensor);
    JUDGED(dlviz_tensor_read_csv_shifted_memory(&tensor, file->bytes, file->size, labels, &offsets),
           tensor);
    require((tensor != NULL) == (offsets != NULL), "offsets without numbers, or the reverse");
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(offsets);
    if (JUDGED(dlviz_dataset_read_csv_memory(&dataset, file->bytes, file->size, labels), dataset))
        require(dlviz_dataset_num_classes(dataset) > 0, "labels without classes");
    dlviz_dataset_destroy(dataset);
    if (JUDGED(dlviz_dataset_read_csv_memory(&dataset, file->bytes, file->size, targets), dataset))
        require(dlviz_dataset_target_ndim(dataset) == 1, "no targets");
    dlviz_dataset_destroy(dataset);
}

static void try_cifar(const mutant *file) {
    dlviz_dataset *dataset;
    write_file(scratch_path("test_batch.bin"), file->bytes, file->size);
    if (JUDGED(dlviz_dataset_read_cifar10(&dataset, scratch_folder(), DLVIZ_DATASET_PART_TEST),
               dataset))
        require((uint64_t)dlviz_dataset_num_samples(dataset) == file->size / 3073, "other images");
    dlviz_dataset_destroy(dataset);
}

/* What is taken is written and read again as the same. */
static void use_report(const dlviz_report *report) {
    void *bytes, *again;
    size_t size, other;
    dlviz_report *second;
    must(dlviz_report_write_memory(report, &bytes, &size), "what was merged is not written");
    must(dlviz_report_create(&second, NULL, 0), "a report");
    must(dlviz_report_merge_memory(second, bytes, size), "what was written is not merged");
    must(dlviz_report_write_memory(second, &again, &other), "it is not written again");
    require(size == other && memcmp(bytes, again, size) == 0, "it is another page");
    dlviz_free(bytes);
    dlviz_free(again);
    dlviz_report_destroy(second);
}

static void try_page(const mutant *file) {
    dlviz_report *report;
    must(dlviz_report_create(&report, NULL, 0), "a report");
    dlviz_status status = dlviz_report_merge_memory(report, file->bytes, file->size);
    if (judged(status, status == DLVIZ_OK ? report : NULL))
        use_report(report);
    else
        require(dlviz_report_num_runs(report) == 0 && dlviz_report_num_points(report) == 0 &&
                    !dlviz_report_title(report),
                "it changed the report");
    dlviz_report_destroy(report);
}

static void try_checkpoint(const mutant *file) {
    size_t before_size, size;
    void *before = all_there_is(run.network, &before_size), *again;
    int64_t epochs = dlviz_trainer_num_epochs(run.trainer);
    dlviz_status status =
        dlviz_trainer_load_checkpoint_memory(run.trainer, file->bytes, file->size);
    if (!judged(status, status == DLVIZ_OK ? run.trainer : NULL)) {
        void *after = all_there_is(run.network, &size);
        require(size == before_size && memcmp(before, after, size) == 0 &&
                    epochs == dlviz_trainer_num_epochs(run.trainer),
                "it changed the run");
        dlviz_free(after);
    } else {
        must(dlviz_trainer_save_checkpoint_memory(run.trainer, &again, &size),
             "what was loaded is not saved");
        must(dlviz_trainer_load_checkpoint_memory(run.trainer, again, size),
             "what was saved is not loaded");
        dlviz_free(again);
    }
    dlviz_free(before);
}

#ifdef DLVIZ_TEST_IMAGES
/* `ratio`: the most bytes that one of the file can stand for. */
static void try_image(const mutant *file, int ratio) {
    dlz_image image;
    allowed = LARGEST + (long long)file->size * ratio;
    dlz_image_bytes bytes = {.name = "it", .bytes = file->bytes, .size = file->size};
    if (!JUDGED(dlz_image_read_memory(&bytes, 255, &image), image.pixels))
        return;
    int64_t pixels = image.height * image.width;
    require(pixels >= 1 && (image.channels == 1 || image.channels == 3), "an image of no size");
    dlz_image_form form = {.channels = 4 - image.channels, .height = 8, .width = 5};
    form.fit = (dlviz_image_fit)(pixels % 3);
    uint8_t fitted[8 * 5 * 3];
    must(dlz_image_set_channels(&image, form.channels), "it has no other channels");
    must(dlz_image_fit_to(&image, &form, fitted), "it does not fit");
    dlz_image_release(&image);
}

static void try_png(const mutant *file) {
    try_image(file, 1032 * 8 * 3);
}

static void try_jpeg(const mutant *file) {
    try_image(file, 512 * 3);
}
#endif

/* What there is to load: its name, valid files, what damages them, what loads and uses them, and how many
 * cases of it a run of the suite has. */
#ifdef DLVIZ_TEST_IMAGES
#define IMAGE_LOADERS(X)                                                                           \
    X(png, make_pngs, mutate_png, try_png, 10)                                                     \
    X(jpeg, make_jpegs, mutate_bytes, try_jpeg, 10)
#else
#define IMAGE_LOADERS(X)
#endif
#define LOADERS(X)                                                                                 \
    X(open, make_networks, mutate_safetensors, try_open, 10)                                       \
    X(load, make_networks, mutate_safetensors, try_load, 10)                                       \
    X(partial, make_networks, mutate_safetensors, try_partial, 10)                                 \
    X(checkpoint, make_checkpoints, mutate_safetensors, try_checkpoint, 4)                         \
    X(safetensors, make_safetensors, mutate_safetensors, try_safetensors, 10)                      \
    X(pca, make_pcas, mutate_safetensors, try_pca, 10)                                             \
    X(npy, make_npys, mutate_bytes, try_npy, 10)                                                   \
    X(idx, make_idxs, mutate_bytes, try_idx, 10)                                                   \
    X(tsne, make_tsnes, mutate_safetensors, try_tsne, 10)                                          \
    X(film, make_films, mutate_safetensors, try_film, 10)                                          \
    X(architecture, make_architectures, mutate_bytes, try_architecture, 10)                        \
    X(npz, make_npzs, mutate_bytes, try_npz, 10)                                                   \
    X(csv, make_csvs, mutate_bytes, try_csv, 10)                                                   \
    X(page, make_pages, mutate_page, try_page, 10)                                                 \
    X(cifar, make_cifars, mutate_bytes, try_cifar, 2)                                              \
    IMAGE_LOADERS(X)

static const struct loader {
    const char *name;
    void (*make)(samples *to);
    mutant (*mutate)(dlz_random *random, const unsigned char *bytes, size_t size);
    void (*attempt)(const mutant *file);
} loaders[] = {
#define LOADER(name, make, mutate, attempt, cases) {#name, make, mutate, attempt},
    LOADERS(LOADER)
#undef LOADER
};

enum { NUM_LOADERS = sizeof loaders / sizeof *loaders };

static samples valid;

static void begin(const struct loader *loader) {
    loader_name = loader->name;
    loader->make(&valid);
    dlz_random random = random_numbers(0);
    for (int i = 0; i < valid.count; i++) {
        mutant same = copy_bytes(&random, valid.all[i].bytes, valid.all[i].size);
        loader->attempt(&same);
        free(same.block);
    }
    require(num_taken > 0, "it takes no valid file");
}

static void attempt(const struct loader *loader, uint64_t seed) {
    current_seed = seed;
    dlz_random random = random_numbers(seed);
    const sample *from = &valid.all[random_between(&random, 0, valid.count - 1)];
    mutant file = loader->mutate(&random, from->bytes, from->size);
    clock_t start = clock();
    largest = 0;
    allowed = LARGEST;
    loader->attempt(&file);
    require(clock() - start < (clock_t)MOST_SECONDS * CLOCKS_PER_SEC, "it takes too long");
    free(file.block);
}

/* -- A case is some mutations of each loader, in a process of its own ---------------------------- */

static void limit_memory(void) {
    must(dlviz_set_num_threads(1), "one thread");
    must(dlviz_set_allocator(allocate, release, NULL), "an allocator");
}

enum {
#define NUMBER(name, make, mutate, attempt, cases) NUMBER_##name,
    LOADERS(NUMBER)
#undef NUMBER
};

#define CASE(name, make, mutate, attempt_it, cases)                                                \
    static void case_##name(uint64_t seed) {                                                       \
        limit_memory();                                                                            \
        begin(&loaders[NUMBER_##name]);                                                            \
        for (uint64_t i = 0; i < MUTATIONS; i++)                                                   \
            attempt(&loaders[NUMBER_##name], seed *MUTATIONS + i);                                 \
    }
LOADERS(CASE)
#undef CASE

static const struct loader *chosen;
static double seconds;
static uint64_t first_seed = 1;

START_TEST(as_many_as_there_is_time_for) {
    struct timespec start, now;
    uint64_t count = 0;
    limit_memory();
    begin(chosen);
    clock_gettime(CLOCK_MONOTONIC, &start);
    do {
        attempt(chosen, first_seed + count++);
        clock_gettime(CLOCK_MONOTONIC, &now);
    } while ((double)(now.tv_sec - start.tv_sec) < seconds);
    printf("%s: %llu mutations, %lld attempts, %lld of them valid files\n", chosen->name,
           (unsigned long long)count, (long long)num_tried, (long long)num_taken);
}
END_TEST

static int run_one(const char *name) {
    for (int i = 0; i < NUM_LOADERS; i++)
        if (strcmp(loaders[i].name, name) == 0)
            chosen = &loaders[i];
    if (!chosen) {
        fprintf(stderr, "there is no loader '%s'\n", name);
        return EXIT_FAILURE;
    }
    scratch_folder();
    Suite *suite = suite_create(name);
    TCase *tcase = tcase_create(name);
    tcase_set_timeout(tcase, 2 * seconds + 60);
    tcase_add_test(tcase, as_many_as_there_is_time_for);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}

int main(int argc, char **argv) {
    if (argc > 2) {
        seconds = atof(argv[2]);
        first_seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
        return run_one(argv[1]);
    }
    static const random_test tests[] = {
#define TEST(name, make, mutate, attempt, cases) {#name, case_##name, cases},
        LOADERS(TEST)
#undef TEST
            {NULL, NULL, 0},
    };
    return run_random_tests("files", tests);
}
