/* Folders of images, a folder for each class, as one or in parts. */
#include "again.h"
#include "sources.h"
#include "try.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_OWN_SIZE = 64 /* images up to this size keep it */ };

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
static dlviz_status number_like(dlviz_dataset *test, const char *purpose,
                                const dlviz_dataset *train) {
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
                                "there are images of '%s' to %s on, and none to train on",
                                name ? name : "no class", purpose);
    }
    if (status == DLVIZ_OK)
        status = dlviz_dataset_set_targets(test, labels);
    dlviz_tensor_destroy(labels);
    return status == DLVIZ_OK ? set_classes(test, train) : status;
}

static dlviz_status read_part(dlviz_image_reader *reader, const char *folder, const char *purpose,
                              const dlviz_dataset *train, struct terminal *terminal,
                              dlviz_dataset **part) {
    TRY(adopt(reader, train));
    TRY(dlviz_dataset_read_folder(part, folder, reader));
    say_skipped(reader, terminal);
    return number_like(*part, purpose, train);
}

static const char *part_of(const char *folder, const char *name) {
    static char paths[4][4352];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return is_folder(path) ? path : NULL;
}

/* The folders that are read: of one alone the parts are split off, unless it has them itself. */
struct parts {
    const char *train, *validation, *test; /* the last two may be NULL */
};

static struct parts find_parts(const struct options *options) {
    struct parts parts = {.train = part_of(options->data, "train"),
                          .validation = part_of(options->data, "val"),
                          .test = part_of(options->data, "test")};
    if (!parts.validation)
        parts.validation = part_of(options->data, "validation");
    if (!parts.train || (!parts.test && !parts.validation))
        parts = (struct parts){.train = options->data};
    if (options->test_folder)
        parts.test = options->test_folder;
    return parts;
}

static dlviz_status read_images(struct data *data, const struct options *options,
                                dlviz_image_reader *reader, struct terminal *terminal) {
    struct parts parts = find_parts(options);
    if (options->height > 0)
        TRY(dlviz_image_reader_set_size(reader, options->height, options->width));
    TRY(dlviz_image_reader_set_num_channels(reader, options->channels));
    TRY(dlviz_image_reader_set_skip_unreadable(reader, options->skip_unreadable));
    TRY(dlviz_image_reader_set_memory_limit(reader, options->memory_limit));
    TRY(read_with(reader, parts.train, terminal, &data->train));
    say_skipped(reader, terminal);
    if (parts.test)
        TRY(read_part(reader, parts.test, "test", data->train, terminal, &data->test));
    return parts.validation ? read_part(reader, parts.validation, "validate", data->train, terminal,
                                        &data->validation)
                            : DLVIZ_OK;
}

dlviz_status read_image_folder(struct data *data, const struct options *options,
                               struct terminal *terminal) {
    dlviz_image_reader *reader;
    TRY(dlviz_image_reader_create(&reader));
    dlviz_status status = read_images(data, options, reader, terminal);
    if (status == DLVIZ_ERROR_FORMAT && !options->skip_unreadable)
        data->advice = "--skip-unreadable goes on without such files";
    dlviz_image_reader_destroy(reader);
    return status;
}

/* -- Where results must not be -------------------------------------------------------------------
 */

/* Where a path leads, or what there is of the way; NULL where that is nowhere. */
static const char *real_place(const char *path, char real[PATH_MAX]) {
    char way[PATH_MAX];
    if (strlen(path) >= sizeof way)
        return NULL;
    memcpy(way, path, strlen(path) + 1);
    for (;;) {
        if (realpath_again(*way ? way : ".", real))
            return real;
        char *slash = strrchr(way, '/'), *cut = slash ? slash + (slash == way) : way;
        if (*cut == '\0') /* nothing is left */
            return NULL;
        *cut = '\0';
    }
}

static bool lies_in(const char *place, const char *folder) {
    char real[PATH_MAX];
    if (!folder || !realpath_again(folder, real))
        return false;
    size_t length = strlen(real);
    return strncmp(place, real, length) == 0 &&
           (length == 1 || place[length] == '/' || place[length] == '\0');
}

bool tests_what_it_trains_on(const struct options *options) {
    struct parts parts = find_parts(options);
    char test[PATH_MAX], train[PATH_MAX];
    return options->test_folder && realpath_again(options->test_folder, test) &&
           realpath_again(parts.train, train) && (lies_in(test, train) || lies_in(train, test));
}

bool lies_among_images(const char *path, const struct options *options) {
    struct parts parts = find_parts(options);
    char real[PATH_MAX];
    const char *place = real_place(path, real);
    return place && (lies_in(place, parts.train) || lies_in(place, parts.validation) ||
                     lies_in(place, parts.test));
}
