/* faults/stages_data.c - files that are read, datasets, loaders. */
#include "faults/pipeline.h"

static const char *const no_files[] = {NULL};

/* -- Arrays and tables -- */

static struct {
    dlviz_dataset *images, *packed, *mapped, *table;
    dlviz_tensor *array, *shifted, *offsets, *map, *rows, *loaded;
    dlviz_csv_reader *reader;
    dlviz_npz *archive;
} t;

static void nothing_before(void) {}

static dlviz_status run_tables(attempt *a) {
    STEP(a, dlviz_dataset_read_idx(&t.images, input_path("images.idx"), input_path("labels.idx")));
    STEP(a, dlviz_dataset_read_idx(&t.packed, input_path("images.idx.gz"),
                                   input_path("labels.idx.gz")));
    STEP(a, dlviz_dataset_map_idx(&t.mapped, input_path("images.idx"), input_path("labels.idx")));
    STEP(a, dlviz_csv_reader_create(&t.reader));
    STEP(a, dlviz_csv_reader_set_label_column(t.reader, "kind"));
    STEP(a, dlviz_dataset_read_csv(&t.table, input_path("table.csv"), t.reader));
    STEP(a, dlviz_tensor_read_csv(&t.rows, input_path("table.csv"), t.reader));
    STEP(a, dlviz_tensor_read_npy(&t.array, input_path("array.npy")));
    STEP(a, dlviz_tensor_read_npy_shifted(&t.shifted, input_path("array.npy"), &t.offsets));
    STEP(a, dlviz_tensor_map_npy(&t.map, input_path("array.npy")));
    STEP(a, dlviz_npz_open(&t.archive, input_path("arrays.npz")));
    STEP(a, dlviz_npz_read(t.archive, "array", &t.loaded));
    STEP(a, dlviz_tensor_write_npy(t.rows, output_path("rows.npy")));
    return DLVIZ_OK;
}

static void note_samples(const dlviz_dataset *dataset) {
    dlviz_tensor *samples;
    must(dlviz_dataset_samples(dataset, 0, dlviz_dataset_num_samples(dataset), &samples));
    note_tensor(samples);
    note_tensor(dlviz_dataset_labels(dataset));
    dlviz_tensor_destroy(samples);
}

static void note_tables(void) {
    note_samples(t.images);
    note_samples(t.packed);
    note_samples(t.mapped);
    note_samples(t.table);
    for (int64_t i = 0; i < dlviz_dataset_num_classes(t.table); i++)
        note_text(dlviz_dataset_class_name(t.table, i));
    const dlviz_tensor *tensors[] = {t.array, t.shifted, t.offsets, t.map, t.rows, t.loaded};
    for (int i = 0; i < 6; i++)
        note_tensor(tensors[i]);
}

static void release_tables(void) {
    dlviz_dataset *sets[] = {t.images, t.packed, t.mapped, t.table};
    for (int i = 0; i < 4; i++)
        dlviz_dataset_destroy(sets[i]);
    dlviz_tensor *tensors[] = {t.array, t.shifted, t.offsets, t.map, t.rows, t.loaded};
    for (int i = 0; i < 6; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlviz_csv_reader_destroy(t.reader);
    dlviz_npz_destroy(t.archive);
}

static const char *const tables_files[] = {"rows.npy", NULL};
const stage tables_stage = {"tables",    nothing_before, run_tables,
                            note_tables, release_tables, tables_files};

/* -- A folder of images, kept and decoded again and again -- */

static struct {
    dlviz_image_reader *reader;
    dlviz_dataset *kept, *decoded;
    dlviz_tensor *samples;
} f;

static dlviz_status run_folder(attempt *a) {
    STEP(a, dlviz_image_reader_create(&f.reader));
    STEP(a, dlviz_image_reader_set_size(f.reader, 12, 12));
    STEP(a, dlviz_dataset_read_folder(&f.kept, input_path("pictures"), f.reader));
    STEP(a, dlviz_image_reader_set_memory_limit(f.reader, 0));
    STEP(a, dlviz_dataset_read_folder(&f.decoded, input_path("pictures"), f.reader));
    STEP(a, dlviz_dataset_samples(f.decoded, 0, dlviz_dataset_num_samples(f.decoded), &f.samples));
    return DLVIZ_OK;
}

static void note_folder(void) {
    note_samples(f.kept);
    note_tensor(f.samples);
    for (int64_t i = 0; i < dlviz_dataset_num_samples(f.kept); i++)
        note_text(dlviz_dataset_sample_path(f.kept, i));
}

static void release_folder(void) {
    dlviz_dataset_destroy(f.kept);
    dlviz_dataset_destroy(f.decoded);
    dlviz_tensor_destroy(f.samples);
    dlviz_image_reader_destroy(f.reader);
}

const stage folder_stage = {"folder",    nothing_before, run_folder,
                            note_folder, release_folder, no_files};

/* -- Datasets: their settings, parts, augmentations, batches -- */

static struct {
    dlviz_tensor *images, *labels, *weights, *means, *deviations, *augmented;
    dlviz_dataset *all, *train, *held, *part, *chosen;
    dlviz_loader *loader;
    dlviz_tensor *batches[8], *targets[8];
} d;

static void prepare_dataset(void) {
    d.images = make_images(30, 8, 5);
    d.labels = make_labels(30, 3);
    d.weights = make_points(30, 1, 6);
    dlviz_tensor *flat;
    must(dlviz_tensor_reshape(d.weights, 1, (int64_t[]){30}, &flat));
    dlviz_tensor_destroy(d.weights);
    d.weights = flat;
}

/* A batch belongs to the loader. */
static dlviz_status copy_batch(attempt *a, int i) {
    static const dlviz_tensor *samples, *targets;
    STEP(a, dlviz_loader_next(d.loader, &samples, &targets));
    STEP(a, dlviz_tensor_copy(samples, &d.batches[i]));
    STEP(a, dlviz_tensor_copy(targets, &d.targets[i]));
    return DLVIZ_OK;
}

static dlviz_status run_loader(attempt *a) {
    static const dlviz_tensor *ended;
    for (int i = 0; i < 3; i++) {
        dlviz_status status = copy_batch(a, i);
        if (status != DLVIZ_OK)
            return status;
    }
    STEP(a, dlviz_loader_next(d.loader, &ended, NULL));
    STEP(a, dlviz_loader_rewind(d.loader, 1));
    return copy_batch(a, 3);
}

static dlviz_status run_dataset(attempt *a) {
    STEP(a, dlviz_dataset_create(&d.all, d.images, d.labels));
    STEP(a, dlviz_dataset_set_weights(d.all, d.weights));
    STEP(a, dlviz_dataset_set_class_names(d.all, 3, (const char *[]){"one", "two", "three"}));
    STEP(a, dlviz_dataset_set_image_size(d.all, 10, 9));
    STEP(a, dlviz_dataset_set_channel_normalization(d.all, 1, (float[]){0.1f}, (float[]){0.3f}));
    STEP(a, dlviz_dataset_measure(d.all, &d.means, &d.deviations));
    STEP(a, dlviz_dataset_split(d.all, 8, 3, &d.train, &d.held));
    STEP(a, dlviz_dataset_take(d.all, 2, 7, &d.part));
    STEP(a, dlviz_dataset_select(d.part, 3, (int64_t[]){1, 0, 2}, &d.chosen));
    STEP(a, dlviz_dataset_add_augmentation(d.train, dlviz_random_shift(2, 1)));
    STEP(a, dlviz_dataset_add_augmentation(d.train, dlviz_random_affine(10)));
    STEP(a, dlviz_dataset_add_augmentation(d.train, dlviz_random_erase(0.5)));
    STEP(a, dlviz_dataset_augmented_samples(d.train, 7, 1, 0, 9, &d.augmented));
    STEP(a, dlviz_loader_create(&d.loader, d.train, 8));
    STEP(a, dlviz_loader_set_shuffle(d.loader, true));
    STEP(a, dlviz_loader_set_augment(d.loader, true));
    return run_loader(a);
}

static void note_dataset(void) {
    note_samples(d.all);
    note_samples(d.train);
    note_samples(d.held);
    note_samples(d.chosen);
    note_number((double)dlviz_dataset_num_augmentations(d.train));
    note_tensor(d.means);
    note_tensor(d.deviations);
    note_tensor(d.augmented);
}

static void note_batches(void) {
    note_dataset();
    for (int i = 0; i < 4; i++) {
        note_tensor(d.batches[i]);
        note_tensor(d.targets[i]);
    }
}

static void release_dataset(void) {
    dlviz_loader_destroy(d.loader);
    dlviz_dataset *sets[] = {d.all, d.train, d.held, d.part, d.chosen};
    for (int i = 0; i < 5; i++)
        dlviz_dataset_destroy(sets[i]);
    dlviz_tensor *tensors[] = {d.images, d.labels, d.weights, d.means, d.deviations, d.augmented};
    for (int i = 0; i < 6; i++)
        dlviz_tensor_destroy(tensors[i]);
    for (int i = 0; i < 8; i++) {
        dlviz_tensor_destroy(d.batches[i]);
        dlviz_tensor_destroy(d.targets[i]);
    }
}

const stage dataset_stage = {"dataset",    prepare_dataset, run_dataset,
                             note_batches, release_dataset, no_files};
