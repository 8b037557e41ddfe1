#include "again.h"
#include "sources.h"
#include "try.h"

#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

bool is_folder(const char *path) {
    struct stat info;
    return AGAIN(stat(path, &info)) == 0 && S_ISDIR(info.st_mode);
}

static bool has_file(const char *folder, const char *name) {
    char path[4352];
    struct stat info;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return AGAIN(stat(path, &info)) == 0 && S_ISREG(info.st_mode);
}

static bool ends_with(const char *path, const char *ending) {
    size_t length = strlen(path), own = strlen(ending);
    return length > own && strcasecmp(path + length - own, ending) == 0;
}

/* The last part of a path, without the ending of a file's name. */
static dlviz_status name_after(struct data *data, const char *path) {
    char real[PATH_MAX];
    if (!realpath_again(path, real))
        return dlviz_fail(DLVIZ_ERROR_IO, "cannot open '%s': %s", path, strerror(errno));
    char *last = basename(real), *dot = strrchr(last, '.');
    if (dot && dot != last && !is_folder(path))
        *dot = '\0';
    dlviz_printable(data->name, sizeof data->name, last);
    return DLVIZ_OK;
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

static bool is_of_images(const char *path) {
    return is_folder(path) && !is_mnist(path) && !is_cifar10(path) && !is_cifar100(path);
}

bool would_be_read(const char *path, const struct options *options) {
    return is_of_images(options->data) && lies_among_images(path, options);
}

static bool is_table(const char *path) {
    return ends_with(path, ".csv") || ends_with(path, ".tsv") || ends_with(path, ".txt");
}

enum source look_at_source(const char *path) {
    struct stat info;
    if (AGAIN(stat(path, &info)) != 0)
        return SOURCE_MISSING;
    if (S_ISDIR(info.st_mode))
        return SOURCE_IMAGES;
    return ends_with(path, ".npz") ? SOURCE_ARRAYS : is_table(path) ? SOURCE_ROWS : SOURCE_UNKNOWN;
}

const char *misplaced_option(const struct options *options, enum source source) {
    bool folder = is_of_images(options->data);
    if (options->ignored.count > 0 && source != SOURCE_ROWS)
        return "--ignore is for the columns of a .csv file";
    if (options->labels && source == SOURCE_IMAGES)
        return "--labels is for the columns of a .csv file and the arrays of a .npz file";
    if (options->height > 0 && source == SOURCE_ROWS)
        return "--image-size is for images, and the data are rows of numbers";
    if (options->channels > 0 && !folder)
        return "--channels is for folders of images";
    if (options->skip_unreadable && !folder)
        return "--skip-unreadable is for folders of images";
    if (options->memory_limit > 0 && !folder)
        return "--memory-limit is for folders of images";
    return NULL;
}

dlviz_status read_sources(struct data *data, const struct options *options,
                          struct terminal *terminal) {
    const char *path = options->data;
    TRY(name_after(data, path));
    if (options->test_folder && !is_of_images(path))
        return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                          "--test-folder goes with a folder of images, and '%s' is none", path);
    if (ends_with(path, ".npz"))
        return read_archive(data, options, terminal);
    if (is_table(path))
        return read_table(data, options, terminal);
    if (is_mnist(path))
        return read_mnist(data, path);
    if (is_cifar10(path))
        return read_cifar10(data, path);
    if (is_cifar100(path))
        return read_cifar100(data, path);
    return read_image_folder(data, options, terminal);
}
