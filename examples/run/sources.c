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

static dlviz_status look_for(const char *path, mode_t kind, bool *there) {
    struct stat info;
    bool seen = AGAIN(stat(path, &info)) == 0;
    if (!seen && !is_missing(errno))
        return dlviz_fail(DLVIZ_ERROR_IO, "cannot look at '%s': %s", path, strerror(errno));
    *there = seen && (info.st_mode & S_IFMT) == kind;
    return DLVIZ_OK;
}

dlviz_status find_folder(const char *path, bool *there) {
    return look_for(path, S_IFDIR, there);
}

static bool ends_with(const char *path, const char *ending) {
    size_t length = strlen(path), own = strlen(ending);
    return length > own && strcasecmp(path + length - own, ending) == 0;
}

/* The last part of a path, without the ending of a file's name. */
static dlviz_status name_after(struct data *data, const char *path, bool folder) {
    char real[PATH_MAX];
    if (!realpath_again(path, real))
        return dlviz_fail(DLVIZ_ERROR_IO, "cannot open '%s': %s", path, strerror(errno));
    char *last = basename(real), *dot = strrchr(last, '.');
    if (dot && dot != last && !folder)
        *dot = '\0';
    dlviz_printable(data->name, sizeof data->name, last);
    return DLVIZ_OK;
}

/* -- Sets of a known kind ------------------------------------------------------------------------
 */

enum layout { NO_FOLDER, MNIST, CIFAR10, CIFAR100, IMAGES };

static dlviz_status find_layout(const char *path, enum layout *layout) {
    static const struct {
        const char *file;
        enum layout layout;
    } marks[] = {{"train-images-idx3-ubyte", MNIST},
                 {"train-images-idx3-ubyte.gz", MNIST},
                 {"train-images.idx3-ubyte", MNIST},
                 {"train-images.idx3-ubyte.gz", MNIST},
                 {"data_batch_1.bin", CIFAR10},
                 {"cifar-10-batches-bin/data_batch_1.bin", CIFAR10},
                 {"train.bin", CIFAR100},
                 {"cifar-100-binary/train.bin", CIFAR100}};
    bool there;
    *layout = NO_FOLDER;
    TRY(find_folder(path, &there));
    if (!there)
        return DLVIZ_OK;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        char file[4352];
        snprintf(file, sizeof file, "%s/%s", path, marks[i].file);
        TRY(look_for(file, S_IFREG, &there));
        if (there) {
            *layout = marks[i].layout;
            return DLVIZ_OK;
        }
    }
    *layout = IMAGES;
    return DLVIZ_OK;
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

dlviz_status find_whether_read(const char *path, const struct options *options, bool *read) {
    enum layout layout;
    *read = false;
    TRY(find_layout(options->data, &layout));
    return layout == IMAGES ? find_whether_among_images(path, options, read) : DLVIZ_OK;
}

static bool is_table(const char *path) {
    return ends_with(path, ".csv") || ends_with(path, ".tsv") || ends_with(path, ".txt");
}

dlviz_status look_at_source(const char *path, enum source *source) {
    enum layout layout;
    struct stat info;
    if (AGAIN(stat(path, &info)) != 0)
        return dlviz_fail(DLVIZ_ERROR_IO, "cannot open '%s': %s", path, strerror(errno));
    TRY(find_layout(path, &layout));
    *source = layout == IMAGES          ? SOURCE_FOLDER
              : layout != NO_FOLDER     ? SOURCE_IMAGES
              : ends_with(path, ".npz") ? SOURCE_ARRAYS
              : is_table(path)          ? SOURCE_ROWS
                                        : SOURCE_UNKNOWN;
    return DLVIZ_OK;
}

const char *misplaced_option(const struct options *options, enum source source) {
    bool folder = source == SOURCE_FOLDER;
    if (options->ignored.count > 0 && source != SOURCE_ROWS)
        return "--ignore is for the columns of a .csv file";
    if (options->labels && (folder || source == SOURCE_IMAGES))
        return "--labels is for the columns of a .csv file and the arrays of a .npz file";
    if (options->height > 0 && source == SOURCE_ROWS)
        return "--image-size is for images, and the data are rows of numbers";
    if (options->channels > 0 && !folder)
        return "--channels is for folders of images";
    if (options->test_folder && !folder)
        return "--test-folder is for folders of images";
    if (options->skip_unreadable && !folder)
        return "--skip-unreadable is for folders of images";
    if (options->memory_limit > 0 && !folder)
        return "--memory-limit is for folders of images";
    return NULL;
}

dlviz_status read_sources(struct data *data, const struct options *options,
                          struct terminal *terminal) {
    const char *path = options->data;
    enum layout layout;
    TRY(find_layout(path, &layout));
    TRY(name_after(data, path, layout != NO_FOLDER));
    switch (layout) {
    case MNIST:
        return read_mnist(data, path);
    case CIFAR10:
        return read_cifar10(data, path);
    case CIFAR100:
        return read_cifar100(data, path);
    case IMAGES:
        return read_image_folder(data, options, terminal);
    default:
        break;
    }
    return ends_with(path, ".npz") ? read_archive(data, options, terminal)
                                   : read_table(data, options, terminal);
}
