/* CIFAR-10 and CIFAR-100 in their binary version: records of one or two labels and an image. */
#include "base/file.h"
#include "base/reading.h"
#include "data/dataset.h"
#include "data/source.h"
#include "tensor/tensor.h"
#include <dlviz/dataset_files.h>

#include <string.h>

enum { SIDE = 32, CHANNELS = 3, PIXELS = CHANNELS * SIDE * SIDE, MOST_FILES = 5 };
/* A list of 100 names takes about 1 kB. */
enum { MOST_NAMES = 100, LARGEST_LIST = 1 << 16 };

/* What of which set is read. */
typedef struct cifar {
    const char *name, *subfolder;
    const char *files[MOST_FILES + 1];
    const char *list; /* of the classes' names */
    const char *const *known_names;
    int num_classes;
    int num_labels, label; /* of a record, and which of them is taken */
} cifar;

static const char *const names10[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                      "dog",      "frog",       "horse", "ship", "truck"};
static const char *const fine_names[] = {
    "apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
    "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
    "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
    "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
    "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
    "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
    "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
    "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
    "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
    "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
    "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
    "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
    "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
    "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
    "table",       "tank",          "telephone", "television", "tiger",        "tractor",
    "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
    "willow_tree", "wolf",          "woman",     "worm"};
static const char *const coarse_names[] = {"aquatic_mammals",
                                           "fish",
                                           "flowers",
                                           "food_containers",
                                           "fruit_and_vegetables",
                                           "household_electrical_devices",
                                           "household_furniture",
                                           "insects",
                                           "large_carnivores",
                                           "large_man-made_outdoor_things",
                                           "large_natural_outdoor_scenes",
                                           "large_omnivores_and_herbivores",
                                           "medium_mammals",
                                           "non-insect_invertebrates",
                                           "people",
                                           "reptiles",
                                           "small_mammals",
                                           "trees",
                                           "vehicles_1",
                                           "vehicles_2"};
_Static_assert(sizeof names10 / sizeof *names10 == 10, "10 classes");
_Static_assert(sizeof fine_names / sizeof *fine_names == MOST_NAMES, "100 classes");
_Static_assert(sizeof coarse_names / sizeof *coarse_names == 20, "20 classes");

/* -- Folders -------------------------------------------------------------------------------------
 */

static dlviz_status make_path(char **path, const char *folder, const char *name) {
    *path = dlz_format("%s/%s", folder, name);
    return *path ? DLVIZ_OK : dlz_fail_memory("a file name", strlen(folder) + strlen(name) + 2);
}

static dlviz_status exists_in(const char *folder, const char *name, bool *exists) {
    char *path;
    DLZ_TRY(make_path(&path, folder, name));
    dlviz_status status = dlz_file_find(path, exists);
    dlz_free(path);
    return status;
}

/* The folder with the files: the one that was given, or that in it into which the archive unpacks. */
static dlviz_status find_folder(const cifar *set, const char *given, char **found) {
    bool exists = false;
    char *inner = NULL;
    DLZ_TRY(exists_in(given, set->files[0], &exists));
    if (exists) {
        *found = dlz_strdup(given);
        return *found ? DLVIZ_OK : dlz_fail_memory("a file name", strlen(given));
    }
    DLZ_TRY(make_path(&inner, given, set->subfolder));
    dlviz_status status = exists_in(inner, set->files[0], &exists);
    if (status == DLVIZ_OK && !exists && (status = dlz_folder_check(given)) != DLVIZ_OK)
        status = dlz_fail_within(status, "no %s of %s's binary version", set->files[0], set->name);
    if (status == DLVIZ_OK && !exists)
        status = dlz_fail(DLVIZ_ERROR_NOT_FOUND,
                          "no %s of %s's binary version in the folder '%s' or in '%s'",
                          set->files[0], set->name, given, inner);
    if (status != DLVIZ_OK)
        dlz_free(inner);
    else
        *found = inner;
    return status;
}

/* -- Images --------------------------------------------------------------------------------------
 */

typedef struct batch {
    char *path;
    dlz_source *source;
    int64_t count;
} batch;

static dlviz_status open_batch(const cifar *set, const char *folder, const char *name, batch *p) {
    DLZ_TRY(make_path(&p->path, folder, name));
    bool exists;
    DLZ_TRY(dlz_file_find(p->path, &exists));
    if (!exists)
        return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "no %s of %s's binary version in the folder '%s'",
                        name, set->name, folder);
    DLZ_TRY(dlz_source_open_regular(&p->source, p->path));
    if (dlz_source_is_compressed(p->source))
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "'%s' is compressed; what gunzip makes of it is accepted", p->path);
    int64_t size = dlz_source_bound(p->source), record = set->num_labels + PIXELS;
    if (size % record != 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "'%s' has %lld bytes, which are no whole number of images: with %s before "
                        "it, each takes %lld",
                        p->path, (long long)size, set->num_labels == 1 ? "a label" : "two labels",
                        (long long)record);
    p->count = size / record;
    return DLVIZ_OK;
}

static void close_batches(batch batches[MOST_FILES]) {
    for (int i = 0; i < MOST_FILES; i++) {
        dlz_source_close(batches[i].source);
        dlz_free(batches[i].path);
    }
}

static dlviz_status read_batch(const cifar *set, const batch *p, uint8_t *labels, uint8_t *images) {
    for (int64_t i = 0; i < p->count; i++) {
        uint8_t record[2];
        DLZ_TRY(dlz_source_read(p->source, record, (size_t)set->num_labels));
        labels[i] = record[set->label];
        if (labels[i] >= set->num_classes)
            return dlz_fail(DLVIZ_ERROR_FORMAT,
                            "the label of image %lld of '%s' is %d; 0 to %d are accepted",
                            (long long)i, p->path, labels[i], set->num_classes - 1);
        DLZ_TRY(dlz_source_read(p->source, images + i * PIXELS, PIXELS));
    }
    return dlz_source_finish(p->source);
}

static dlviz_status read_batches(const cifar *set, const char *folder, batch batches[MOST_FILES],
                                 dlviz_tensor **images, dlviz_tensor **labels) {
    int64_t count = 0;
    for (int i = 0; set->files[i]; i++) {
        DLZ_TRY(open_batch(set, folder, set->files[i], &batches[i]));
        if (__builtin_add_overflow(count, batches[i].count, &count))
            return dlz_fail_memory("images", UINT64_MAX);
    }
    int64_t dims[] = {count, CHANNELS, SIDE, SIDE};
    DLZ_TRY(dlz_tensor_create_raw(images, DLVIZ_UINT8, 4, dims));
    DLZ_TRY(dlz_tensor_create_raw(labels, DLVIZ_UINT8, 1, dims));
    uint8_t *image = (*images)->data, *label = (*labels)->data;
    for (int i = 0; set->files[i]; i++) {
        DLZ_TRY(read_batch(set, &batches[i], label, image));
        label += batches[i].count;
        image += batches[i].count * PIXELS;
    }
    return DLVIZ_OK;
}

/* -- Names ---------------------------------------------------------------------------------------
 */

/* Cuts the text into lines; those at its end may be blank. */
static int cut_lines(char *text, const char *lines[MOST_NAMES]) {
    int count = 0, used = 0;
    for (char *line = text; line && *line && count <= MOST_NAMES; count++) {
        char *end = strchr(line, '\n'), *next = end ? end + 1 : NULL;
        end = end ? end : line + strlen(line);
        while (end > line && (end[-1] == '\r' || end[-1] == ' '))
            end--;
        *end = '\0';
        used = *line ? count + 1 : used;
        if (count < MOST_NAMES)
            lines[count] = line;
        line = next;
    }
    return used;
}

static dlviz_status set_names_of_list(const cifar *set, const char *path, dlviz_dataset *dataset) {
    void *text;
    size_t size;
    bool whole;
    DLZ_TRY(dlz_file_read_start(path, LARGEST_LIST, LARGEST_LIST, &text, &size, &whole));
    const char *lines[MOST_NAMES];
    int count = cut_lines(text, lines);
    dlviz_status status =
        count == set->num_classes
            ? dlviz_dataset_set_class_names(dataset, count, lines)
            : dlz_fail(DLVIZ_ERROR_FORMAT, "it has %d lines, and %s has %d classes", count,
                       set->name, set->num_classes);
    if (status == DLVIZ_ERROR_INVALID_ARGUMENT) /* no UTF-8 */
        status = DLVIZ_ERROR_FORMAT;
    if (status != DLVIZ_OK)
        status = dlz_fail_within(status, "cannot read names of classes from '%s'", path);
    dlz_free(text);
    return status;
}

static dlviz_status set_names(const cifar *set, const char *folder, dlviz_dataset *dataset) {
    char *path;
    DLZ_TRY(dlviz_dataset_set_num_classes(dataset, set->num_classes));
    DLZ_TRY(make_path(&path, folder, set->list));
    bool exists;
    dlviz_status status = dlz_file_find(path, &exists);
    if (status == DLVIZ_OK)
        status = exists
                     ? set_names_of_list(set, path, dataset)
                     : dlviz_dataset_set_class_names(dataset, set->num_classes, set->known_names);
    dlz_free(path);
    return status;
}

/* -- Both sets -----------------------------------------------------------------------------------
 */

static dlviz_status read_set(dlviz_dataset **out, const char *who, const cifar *set,
                             const char *given) {
    char *folder;
    DLZ_TRY(find_folder(set, given, &folder));
    batch batches[MOST_FILES] = {{NULL, NULL, 0}};
    dlviz_tensor *images = NULL, *labels = NULL;
    dlviz_dataset *dataset = NULL;
    dlviz_status status = read_batches(set, folder, batches, &images, &labels);
    if (status == DLVIZ_OK)
        status = dlz_dataset_create(&dataset, who, images, labels);
    if (status == DLVIZ_OK)
        status = set_names(set, folder, dataset);
    close_batches(batches);
    dlz_free(folder);
    dlviz_tensor_destroy(images);
    dlviz_tensor_destroy(labels);
    if (status != DLVIZ_OK)
        dlviz_dataset_destroy(dataset);
    else
        *out = dataset;
    return status;
}

static dlviz_status check_part(const char *who, dlviz_dataset_part part) {
    if (part == DLVIZ_DATASET_PART_TRAIN || part == DLVIZ_DATASET_PART_TEST)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                    "%s: part %d is not DLVIZ_DATASET_PART_TRAIN or DLVIZ_DATASET_PART_TEST", who,
                    (int)part);
}

dlviz_status dlviz_dataset_read_cifar10(dlviz_dataset **out, const char *folder,
                                        dlviz_dataset_part part) {
    DLZ_READING(folder);
    static const char *const names[] = {"data_batch_1.bin", "data_batch_2.bin", "data_batch_3.bin",
                                        "data_batch_4.bin", "data_batch_5.bin"};
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(folder);
    DLZ_TRY(check_part(__func__, part));
    cifar set = {.name = "CIFAR-10",
                 .subfolder = "cifar-10-batches-bin",
                 .files = {"test_batch.bin"},
                 .list = "batches.meta.txt",
                 .known_names = names10,
                 .num_classes = 10,
                 .num_labels = 1};
    if (part == DLVIZ_DATASET_PART_TRAIN)
        memcpy(set.files, names, sizeof names);
    return read_set(out, __func__, &set, folder);
}

dlviz_status dlviz_dataset_read_cifar100(dlviz_dataset **out, const char *folder,
                                         dlviz_dataset_part part, dlviz_cifar100_labels labels) {
    DLZ_READING(folder);
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(folder);
    DLZ_TRY(check_part(__func__, part));
    if (labels != DLVIZ_CIFAR100_LABELS_FINE && labels != DLVIZ_CIFAR100_LABELS_COARSE)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: labels %d are not DLVIZ_CIFAR100_LABELS_FINE or "
                        "DLVIZ_CIFAR100_LABELS_COARSE",
                        __func__, (int)labels);
    bool fine = labels == DLVIZ_CIFAR100_LABELS_FINE;
    /* A record has the coarse label first. */
    cifar set = {.name = "CIFAR-100",
                 .subfolder = "cifar-100-binary",
                 .files = {part == DLVIZ_DATASET_PART_TRAIN ? "train.bin" : "test.bin"},
                 .list = fine ? "fine_label_names.txt" : "coarse_label_names.txt",
                 .known_names = fine ? fine_names : coarse_names,
                 .num_classes = fine ? 100 : 20,
                 .num_labels = 2,
                 .label = fine ? 1 : 0};
    return read_set(out, __func__, &set, folder);
}
