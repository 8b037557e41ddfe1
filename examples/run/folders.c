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

/* NULL where there is none. */
static dlviz_status find_part(const char *folder, const char *name, const char **part) {
    static char paths[4][4352];
    static int next;
    char *path = paths[next++ % 4];
    bool there;
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    TRY(find_folder(path, &there));
    *part = there ? path : NULL;
    return DLVIZ_OK;
}

/* The folders that are read: of one alone the parts are split off, unless it has them itself. */
struct parts {
    const char *train, *validation, *test; /* the last two may be NULL */
};

static dlviz_status find_parts(const struct options *options, struct parts *parts) {
    TRY(find_part(options->data, "train", &parts->train));
    TRY(find_part(options->data, "val", &parts->validation));
    TRY(find_part(options->data, "test", &parts->test));
    if (!parts->validation)
        TRY(find_part(options->data, "validation", &parts->validation));
    if (!parts->train || (!parts->test && !parts->validation))
        *parts = (struct parts){.train = options->data};
    if (options->test_folder)
        parts->test = options->test_folder;
    return DLVIZ_OK;
}

static dlviz_status read_images(struct data *data, const struct options *options,
                                dlviz_image_reader *reader, struct terminal *terminal) {
    struct parts parts;
    TRY(find_parts(options, &parts));
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

static dlviz_status cannot_look(const char *path) {
    return dlviz_fail(DLVIZ_ERROR_IO, "cannot look at '%s': %s", path, strerror(errno));
}

/* Where a path leads, or what there is of the way; empty where that is nowhere. */
static dlviz_status find_place(const char *path, char real[PATH_MAX]) {
    char way[PATH_MAX];
    real[0] = '\0';
    if (strlen(path) >= sizeof way)
        return DLVIZ_OK;
    memcpy(way, path, strlen(path) + 1);
    for (;;) {
        if (realpath_again(*way ? way : ".", real))
            return DLVIZ_OK;
        if (!is_missing(errno))
            return cannot_look(path);
        char *slash = strrchr(way, '/'), *cut = slash ? slash + (slash == way) : way;
        real[0] = '\0';
        if (*cut == '\0') /* nothing is left */
            return DLVIZ_OK;
        *cut = '\0';
    }
}

static dlviz_status find_whether_in(const char *place, const char *folder, bool *in) {
    char real[PATH_MAX];
    *in = false;
    if (!folder)
        return DLVIZ_OK;
    if (!realpath_again(folder, real))
        return is_missing(errno) ? DLVIZ_OK : cannot_look(folder);
    size_t length = strlen(real);
    *in = strncmp(place, real, length) == 0 &&
          (length == 1 || place[length] == '/' || place[length] == '\0');
    return DLVIZ_OK;
}

static dlviz_status find_whether_in_other(const char *folder, const char *other, bool *in) {
    char real[PATH_MAX];
    if (realpath_again(folder, real))
        return find_whether_in(real, other, in);
    *in = false;
    return is_missing(errno) ? DLVIZ_OK : cannot_look(folder);
}

dlviz_status find_whether_trained_on(const struct options *options, bool *trained_on) {
    struct parts parts;
    *trained_on = false;
    if (!options->test_folder)
        return DLVIZ_OK;
    TRY(find_parts(options, &parts));
    TRY(find_whether_in_other(options->test_folder, parts.train, trained_on));
    return *trained_on ? DLVIZ_OK
                       : find_whether_in_other(parts.train, options->test_folder, trained_on);
}

dlviz_status find_whether_among_images(const char *path, const struct options *options,
                                       bool *among) {
    struct parts parts;
    TRY(find_parts(options, &parts));
    const char *const folders[] = {parts.train, parts.validation, parts.test};
    char place[PATH_MAX];
    TRY(find_place(path, place));
    *among = false;
    for (int i = 0; *place && !*among && i < 3; i++)
        TRY(find_whether_in(place, folders[i], among));
    return DLVIZ_OK;
}
