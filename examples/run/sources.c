#include "sources.h"
#include "try.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

enum { MOST_OWN_SIZE = 64 /* images up to this size keep it */ };

static bool is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static bool has_file(const char *folder, const char *name) {
    char path[4352];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return stat(path, &info) == 0 && S_ISREG(info.st_mode);
}

static bool ends_with(const char *path, const char *ending) {
    size_t length = strlen(path), own = strlen(ending);
    return length > own && strcasecmp(path + length - own, ending) == 0;
}

/* The last part of a path, without the ending of a file's name. */
static void name_after(struct data *data, const char *path) {
    char *real = realpath(path, NULL);
    char *last = basename(real ? real : (char[]){"data"});
    char *dot = strrchr(last, '.');
    if (dot && dot != last && !is_folder(path))
        *dot = '\0';
    snprintf(data->name, sizeof data->name, "%s", last);
    free(real);
    for (char *at = data->name; *at; at++) /* it goes into figures, which take text alone */
        if ((*at & 0x80) || *at < ' ')
            *at = '?';
}

/* -- Folders of images ---------------------------------------------------------------------------
 */

static void say_skipped(const dlviz_image_reader *reader, struct terminal *terminal) {
    enum { MOST = 5 };
    int64_t count = dlviz_image_reader_num_skipped(reader);
    for (int64_t i = 0; i < count && i < MOST; i++)
        say(terminal, "skipped %s: %s", dlviz_image_reader_skipped_path(reader, i),
            dlviz_image_reader_skipped_reason(reader, i));
    if (count > MOST)
        say(terminal, "skipped %lld others", (long long)(count - MOST));
}

/* With the size that was asked for; else the images' own, if they have one that is not too large. */
static dlviz_status read_with(dlviz_image_reader *reader, const char *folder,
                              struct terminal *terminal, dlviz_dataset **set) {
    int64_t height, width;
    dlviz_status status = dlviz_dataset_read_folder(set, folder, reader);
    dlviz_image_reader_size(reader, &height, &width);
    bool mixed = status == DLVIZ_ERROR_SHAPE && height == 0;
    bool large = status == DLVIZ_OK && height == 0 && dlviz_dataset_ndim(*set) == 3 &&
                 (dlviz_dataset_dims(*set)[1] > MOST_OWN_SIZE ||
                  dlviz_dataset_dims(*set)[2] > MOST_OWN_SIZE);
    if (!mixed && !large)
        return status;
    dlviz_dataset_destroy(*set);
    *set = NULL;
    say(terminal, "The images %s: cropped and scaled to %d x %d (--image-size sets another size)",
        mixed ? "have different sizes" : "are large", MOST_OWN_SIZE, MOST_OWN_SIZE);
    TRY(dlviz_image_reader_set_size(reader, MOST_OWN_SIZE, MOST_OWN_SIZE));
    return dlviz_dataset_read_folder(set, folder, reader);
}

/* The images to test on are read in the size and with the channels of those to train on. */
static dlviz_status adopt(dlviz_image_reader *reader, const dlviz_dataset *train) {
    const int64_t *dims = dlviz_dataset_dims(train);
    if (dlviz_dataset_ndim(train) != 3)
        return DLVIZ_OK;
    TRY(dlviz_image_reader_set_size(reader, dims[1], dims[2]));
    return dlviz_image_reader_set_num_channels(reader, dims[0]);
}

static int64_t class_named(const dlviz_dataset *set, const char *name) {
    for (int64_t k = 0; k < dlviz_dataset_num_classes(set); k++)
        if (name && strcmp(dlviz_dataset_class_name(set, k), name) == 0)
            return k;
    return -1;
}

static dlviz_status set_classes(dlviz_dataset *set, const dlviz_dataset *like) {
    int64_t classes = dlviz_dataset_num_classes(like);
    const char **names = calloc((size_t)classes, sizeof *names);
    if (!names)
        return dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for %lld names",
                          (long long)classes);
    for (int64_t k = 0; k < classes; k++)
        names[k] = dlviz_dataset_class_name(like, k);
    dlviz_status status = dlviz_dataset_set_num_classes(set, classes);
    if (status == DLVIZ_OK && names[0])
        status = dlviz_dataset_set_class_names(set, classes, names);
    free(names);
    return status;
}

/* A folder that lacks a class, or has one more, numbers its classes otherwise. */
static dlviz_status number_like(dlviz_dataset *test, const dlviz_dataset *train) {
    const dlviz_tensor *own = dlviz_dataset_labels(test);
    dlviz_tensor *labels;
    if (!own || !dlviz_dataset_labels(train) || !dlviz_dataset_class_name(train, 0))
        return DLVIZ_OK;
    TRY(dlviz_tensor_copy(own, &labels));
    int64_t *label = dlviz_tensor_data(labels);
    dlviz_status status = DLVIZ_OK;
    for (int64_t i = 0; status == DLVIZ_OK && i < dlviz_tensor_num_elements(labels); i++) {
        const char *name = dlviz_dataset_class_name(test, label[i]);
        label[i] = class_named(train, name);
        if (label[i] < 0)
            status = dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                "there are images of '%s' to test on, and none to train on",
                                name ? name : "no class");
    }
    if (status == DLVIZ_OK)
        status = dlviz_dataset_set_targets(test, labels);
    dlviz_tensor_destroy(labels);
    return status == DLVIZ_OK ? set_classes(test, train) : status;
}

static dlviz_status read_part(dlviz_image_reader *reader, const char *folder,
                              const dlviz_dataset *train, struct terminal *terminal,
                              dlviz_dataset **part) {
    TRY(adopt(reader, train));
    TRY(dlviz_dataset_read_folder(part, folder, reader));
    say_skipped(reader, terminal);
    return number_like(*part, train);
}

static const char *part_of(const char *folder, const char *name) {
    static char paths[4][4352];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return is_folder(path) ? path : NULL;
}

static dlviz_status read_images(struct data *data, const struct options *options,
                                dlviz_image_reader *reader, struct terminal *terminal) {
    const char *train = part_of(options->data, "train"), *test = part_of(options->data, "test");
    const char *validation = part_of(options->data, "val");
    if (!validation)
        validation = part_of(options->data, "validation");
    bool parted = train && (test || validation);
    if (options->height > 0)
        TRY(dlviz_image_reader_set_size(reader, options->height, options->width));
    TRY(dlviz_image_reader_set_num_channels(reader, options->channels));
    TRY(dlviz_image_reader_set_skip_unreadable(reader, options->skip_unreadable));
    TRY(dlviz_image_reader_set_memory_limit(reader, options->memory_limit));
    TRY(read_with(reader, parted ? train : options->data, terminal, &data->train));
    say_skipped(reader, terminal);
    if (options->test_folder)
        test = options->test_folder;
    else if (!parted)
        test = NULL;
    if (test)
        TRY(read_part(reader, test, data->train, terminal, &data->test));
    return parted && validation
               ? read_part(reader, validation, data->train, terminal, &data->validation)
               : DLVIZ_OK;
}

static dlviz_status read_folder(struct data *data, const struct options *options,
                                struct terminal *terminal) {
    dlviz_image_reader *reader;
    TRY(dlviz_image_reader_create(&reader));
    dlviz_status status = read_images(data, options, reader, terminal);
    if (status == DLVIZ_ERROR_FORMAT && !options->skip_unreadable)
        data->advice = "--skip-unreadable goes on without such files";
    dlviz_image_reader_destroy(reader);
    return status;
}

/* -- Sets of a known kind ------------------------------------------------------------------------
 */

static bool is_mnist(const char *folder) {
    static const char *const names[] = {"train-images-idx3-ubyte", "train-images-idx3-ubyte.gz",
                                        "train-images.idx3-ubyte", "train-images.idx3-ubyte.gz"};
    for (int i = 0; i < 4; i++)
        if (has_file(folder, names[i]))
            return true;
    return false;
}

static dlviz_status read_mnist(struct data *data, const char *folder) {
    TRY(dlviz_dataset_read_mnist(&data->train, folder, DLVIZ_DATASET_PART_TRAIN));
    return dlviz_dataset_read_mnist(&data->test, folder, DLVIZ_DATASET_PART_TEST);
}

static dlviz_status read_cifar10(struct data *data, const char *folder) {
    snprintf(data->name, sizeof data->name, "CIFAR-10");
    TRY(dlviz_dataset_read_cifar10(&data->train, folder, DLVIZ_DATASET_PART_TRAIN));
    return dlviz_dataset_read_cifar10(&data->test, folder, DLVIZ_DATASET_PART_TEST);
}

static dlviz_status read_cifar100(struct data *data, const char *folder) {
    snprintf(data->name, sizeof data->name, "CIFAR-100");
    TRY(dlviz_dataset_read_cifar100(&data->train, folder, DLVIZ_DATASET_PART_TRAIN,
                                    DLVIZ_CIFAR100_LABELS_FINE));
    return dlviz_dataset_read_cifar100(&data->test, folder, DLVIZ_DATASET_PART_TEST,
                                       DLVIZ_CIFAR100_LABELS_FINE);
}

/* -- Tables --------------------------------------------------------------------------------------
 */

static dlviz_status read_table(struct data *data, const struct options *options) {
    static const char *const usual[] = {"label",   "class",    "target", "labels",
                                        "species", "category", "y"};
    dlviz_csv_reader *reader;
    TRY(dlviz_csv_reader_create(&reader));
    dlviz_status status = DLVIZ_ERROR_NOT_FOUND;
    int count = options->labels ? 1 : (int)(sizeof usual / sizeof *usual);
    for (int i = 0; status == DLVIZ_ERROR_NOT_FOUND && i < count; i++) {
        const char *column = options->labels ? options->labels : usual[i];
        status = dlviz_csv_reader_set_label_column(reader, column);
        if (status == DLVIZ_OK)
            status = dlviz_dataset_read_csv(&data->train, options->data, reader);
    }
    if (status == DLVIZ_ERROR_NOT_FOUND)
        data->advice = "--labels NAME says which column has the classes";
    dlviz_csv_reader_destroy(reader);
    return status;
}

/* -- Archives ------------------------------------------------------------------------------------
 */

static bool has_array(const dlviz_npz *npz, const char *name) {
    for (int64_t i = 0; i < dlviz_npz_num_arrays(npz); i++)
        if (strcmp(dlviz_npz_array_name(npz, i), name) == 0)
            return true;
    return false;
}

/* Labels as one of each sample, n or n x 1, in whole numbers of any type. */
static dlviz_status read_labels(const dlviz_npz *npz, const char *name, dlviz_tensor **labels) {
    dlviz_tensor *read, *flat = NULL;
    TRY(dlviz_npz_read(npz, name, &read));
    int64_t n = dlviz_tensor_dim(read, 0);
    dlviz_status status = dlviz_tensor_reshape(read, 1, &n, &flat);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_convert(flat, DLVIZ_INT64, labels);
    dlviz_tensor_destroy(flat);
    dlviz_tensor_destroy(read);
    return status;
}

/* Whether channels come last, as NumPy's users mostly have them. */
static bool is_hwc(const dlviz_tensor *samples) {
    if (dlviz_tensor_ndim(samples) != 4)
        return false;
    int64_t second = dlviz_tensor_dim(samples, 1), last = dlviz_tensor_dim(samples, 3);
    return (last == 1 || last == 3) && second != 1 && second != 3;
}

static dlviz_status make_set(const dlviz_tensor *samples, const dlviz_tensor *labels,
                             dlviz_dataset **set) {
    dlviz_tensor *floats = NULL;
    dlviz_dtype type = dlviz_tensor_dtype(samples);
    if (type != DLVIZ_UINT8 && type != DLVIZ_FLOAT32) {
        TRY(dlviz_tensor_convert(samples, DLVIZ_FLOAT32, &floats));
        samples = floats;
    }
    dlviz_status status = is_hwc(samples) ? dlviz_dataset_create_from_hwc(set, samples, labels)
                                          : dlviz_dataset_create(set, samples, labels);
    dlviz_tensor_destroy(floats);
    return status;
}

static dlviz_status read_set(const dlviz_npz *npz, const char *samples_name,
                             const char *labels_name, dlviz_dataset **set) {
    dlviz_tensor *samples, *labels = NULL;
    TRY(dlviz_npz_read(npz, samples_name, &samples));
    dlviz_status status = read_labels(npz, labels_name, &labels);
    if (status == DLVIZ_OK)
        status = make_set(samples, labels, set);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(labels);
    return status;
}

/* How people call samples and labels. */
static const struct {
    const char *samples, *labels;
} usual_parts[][3] =
    {
        {{"x_train", "y_train"}, {"x_test", "y_test"}, {"x_val", "y_val"}},
        {{"X_train", "y_train"}, {"X_test", "y_test"}, {"X_val", "y_val"}},
        {{"train_images", "train_labels"},
         {"test_images", "test_labels"},
         {"val_images", "val_labels"}},
},
  usual_arrays[] = {{"x", "y"},
                    {"X", "y"},
                    {"images", "labels"},
                    {"data", "labels"},
                    {"data", "target"},
                    {"samples", "labels"},
                    {"features", "labels"},
                    {"arr_0", "arr_1"}};

static dlviz_status read_arrays(struct data *data, const struct options *options,
                                const dlviz_npz *npz) {
    for (size_t i = 0; i < sizeof usual_parts / sizeof *usual_parts; i++) {
        if (!has_array(npz, usual_parts[i][0].samples) || !has_array(npz, usual_parts[i][0].labels))
            continue;
        dlviz_dataset **const sets[] = {&data->train, &data->test, &data->validation};
        for (int j = 0; j < 3; j++)
            if (has_array(npz, usual_parts[i][j].samples) &&
                has_array(npz, usual_parts[i][j].labels))
                TRY(read_set(npz, usual_parts[i][j].samples, usual_parts[i][j].labels, sets[j]));
        return DLVIZ_OK;
    }
    for (size_t i = 0; i < sizeof usual_arrays / sizeof *usual_arrays; i++) {
        const char *labels = options->labels ? options->labels : usual_arrays[i].labels;
        if (has_array(npz, usual_arrays[i].samples) && has_array(npz, labels))
            return read_set(npz, usual_arrays[i].samples, labels, &data->train);
    }
    data->advice = "x and y, x_train and y_train, images and labels, and the like are known";
    return dlviz_fail(DLVIZ_ERROR_NOT_FOUND,
                      "'%s' has no arrays whose names say which are samples and which labels",
                      options->data);
}

/* The parts have as many classes as the one that has most. */
static dlviz_status equal_classes(struct data *data) {
    dlviz_dataset *const parts[] = {data->train, data->test, data->validation};
    int64_t most = 0;
    for (int i = 0; i < 3; i++)
        if (dlviz_dataset_num_classes(parts[i]) > most)
            most = dlviz_dataset_num_classes(parts[i]);
    for (int i = 0; i < 3; i++)
        if (parts[i] && dlviz_dataset_num_classes(parts[i]) < most)
            TRY(dlviz_dataset_set_num_classes(parts[i], most));
    return DLVIZ_OK;
}

static dlviz_status read_archive(struct data *data, const struct options *options) {
    dlviz_npz *npz;
    TRY(dlviz_npz_open(&npz, options->data));
    dlviz_status status = read_arrays(data, options, npz);
    dlviz_npz_destroy(npz);
    return status == DLVIZ_OK ? equal_classes(data) : status;
}

/* -- Whatever it is ------------------------------------------------------------------------------
 */

static bool has_either(const char *folder, const char *name, const char *below) {
    char inside[128];
    snprintf(inside, sizeof inside, "%s/%s", below, name);
    return has_file(folder, name) || has_file(folder, inside);
}

static bool is_cifar10(const char *folder) {
    return has_either(folder, "data_batch_1.bin", "cifar-10-batches-bin");
}

static bool is_cifar100(const char *folder) {
    return has_either(folder, "train.bin", "cifar-100-binary");
}

dlviz_status read_sources(struct data *data, const struct options *options,
                          struct terminal *terminal) {
    const char *path = options->data;
    bool of_images = is_folder(path) && !is_mnist(path) && !is_cifar10(path) && !is_cifar100(path);
    name_after(data, path);
    if (options->test_folder && !of_images)
        return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                          "--test-folder goes with a folder of images, and '%s' is none", path);
    if (ends_with(path, ".npz"))
        return read_archive(data, options);
    if (ends_with(path, ".csv") || ends_with(path, ".tsv") || ends_with(path, ".txt"))
        return read_table(data, options);
    if (is_mnist(path))
        return read_mnist(data, path);
    if (is_cifar10(path))
        return read_cifar10(data, path);
    if (is_cifar100(path))
        return read_cifar100(data, path);
    return read_folder(data, options, terminal);
}
