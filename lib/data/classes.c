/* The classes that labels stand for: their number, how many samples each has, and their names. */
#include "base/base.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

#include <string.h>

int64_t dlviz_dataset_num_classes(const dlviz_dataset *dataset) {
    return dataset ? dataset->num_classes : 0;
}

dlviz_status dlviz_dataset_set_num_classes(dlviz_dataset *dataset, int64_t num_classes) {
    DLZ_REQUIRE(dataset);
    if (dlz_dataset_target_dtype(dataset) != DLVIZ_INT64)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the dataset has no labels", __func__);
    /* Masks of uint8 say 255 where a pixel has no class. */
    bool maps = dataset->target_kind == DLZ_TARGETS_LABEL_MAPS;
    int64_t least = maps ? 1 : dlz_max_i64(dataset->largest_label + 1, 1);
    if (num_classes < least || num_classes > DLZ_DATASET_MAX_CLASSES)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld classes; %lld to %lld are accepted, for the largest label is "
                        "%lld",
                        __func__, (long long)num_classes, (long long)least,
                        (long long)DLZ_DATASET_MAX_CLASSES, (long long)dataset->largest_label);
    dlz_free(dataset->class_names);
    dataset->class_names = NULL;
    dataset->num_classes = num_classes;
    dataset->changes++;
    return DLVIZ_OK;
}

typedef struct tally {
    int64_t num_counts, *counts;
} tally;

static dlviz_status count_labels(void *context, int64_t position, const int64_t *labels,
                                 int64_t count) {
    tally *t = context;
    (void)position;
    for (int64_t i = 0; i < count; i++)
        if (labels[i] >= 0 && labels[i] < t->num_counts)
            t->counts[labels[i]]++;
    return DLVIZ_OK;
}

int64_t dlviz_dataset_class_counts(const dlviz_dataset *dataset, int64_t capacity,
                                   int64_t *counts) {
    if (!dataset || dlz_dataset_target_dtype(dataset) != DLVIZ_INT64)
        return 0;
    tally t = {.counts = counts};
    t.num_counts = counts ? dlz_min_i64(dlz_max_i64(capacity, 0), dataset->num_classes) : 0;
    for (int64_t c = 0; c < t.num_counts; c++)
        counts[c] = 0;
    if (t.num_counts == 0)
        return dataset->num_classes;
    /* What cannot be read any more is not counted: whoever loads it will say so. */
    dlz_failure kept;
    dlz_failure_keep(&kept);
    if (dlz_dataset_each_label(dataset, count_labels, &t) != DLVIZ_OK)
        dlz_failure_put_back(&kept);
    return dataset->num_classes;
}

dlviz_status dlz_copy_names(int64_t count, const char *const *names, char ***copy) {
    size_t bytes;
    bool fits = !dlz_mul_overflows((uint64_t)count, sizeof(char *), &bytes);
    for (int64_t i = 0; fits && i < count; i++)
        fits = !dlz_add_overflows(bytes, strlen(names[i]) + 1, &bytes);
    char **block = fits ? dlz_alloc(bytes) : NULL;
    if (!block)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory for %lld class names",
                        (long long)count);
    char *text = (char *)(block + count);
    for (int64_t i = 0; i < count; i++) {
        size_t size = strlen(names[i]) + 1;
        block[i] = memcpy(text, names[i], size);
        text += size;
    }
    *copy = block;
    return DLVIZ_OK;
}

dlviz_status dlviz_dataset_set_class_names(dlviz_dataset *dataset, int64_t count,
                                           const char *const *names) {
    DLZ_REQUIRE(dataset);
    DLZ_REQUIRE(names);
    if (count != dataset->num_classes || count == 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld names; the dataset has %lld classes", __func__, (long long)count,
                        (long long)dataset->num_classes);
    for (int64_t i = 0; i < count; i++)
        if (!names[i] || !dlz_is_utf8(names[i]))
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: name %lld is %s", __func__,
                            (long long)i, names[i] ? "not UTF-8" : "NULL");
    char **copy;
    DLZ_TRY(dlz_copy_names(count, names, &copy));
    dlz_free(dataset->class_names);
    dataset->class_names = copy;
    dataset->changes++;
    return DLVIZ_OK;
}

const char *dlviz_dataset_class_name(const dlviz_dataset *dataset, int64_t label) {
    bool named = dataset && dataset->class_names && label >= 0 && label < dataset->num_classes;
    return named ? dataset->class_names[label] : NULL;
}
