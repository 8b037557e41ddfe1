/* What a network is to give for each sample, and how much the sample counts. */
#include "base/base.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

/* Labels are dealt with so many at a time. */
enum { SOME = 2048 };

/* -- Labels --------------------------------------------------------------------------------------
 */

typedef struct range {
    int64_t smallest, largest;
} range;

static void widen(range *r, const int64_t *labels, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        r->smallest = dlz_min_i64(r->smallest, labels[i]);
        r->largest = dlz_max_i64(r->largest, labels[i]);
    }
}

static dlviz_status check_shape(const char *who, const dlviz_dataset *dataset,
                                const dlviz_tensor *labels) {
    char text[DLZ_SHAPE_TEXT_SIZE];
    if ((labels->ndim != 1 && labels->ndim != 3) || labels->size == 0)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'targets' is %s of %s; class labels are n numbers, or n x height x "
                        "width where each pixel has one, and targets that are no labels are "
                        "float32",
                        who, dlz_shape_text(text, labels->ndim, labels->dims),
                        dlviz_dtype_name(labels->dtype));
    if (labels->dims[0] != dataset->num_samples)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: labels of %lld samples, for %lld samples", who,
                        (long long)labels->dims[0], (long long)dataset->num_samples);
    return DLVIZ_OK;
}

static dlviz_status check_some(const char *who, const int64_t *labels, int64_t count, int64_t first,
                               int64_t size) {
    for (int64_t i = 0; i < count; i++)
        if (labels[i] < DLZ_DATASET_MIN_LABEL || labels[i] >= DLZ_DATASET_MAX_CLASSES)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: a label of sample %lld is %lld; classes 0 to %lld are accepted, "
                            "and for what has none any from %lld to -1",
                            who, (long long)((first + i) / size), (long long)labels[i],
                            (long long)DLZ_DATASET_MAX_CLASSES - 1,
                            (long long)DLZ_DATASET_MIN_LABEL);
    return DLVIZ_OK;
}

/* Also finds which labels there are. */
static dlviz_status check_labels(const char *who, const dlviz_dataset *dataset,
                                 const dlviz_tensor *labels, range *r) {
    DLZ_TRY(check_shape(who, dataset, labels));
    int64_t some[SOME], size = labels->size / labels->dims[0];
    *r = (range){INT64_MAX, INT64_MIN};
    for (int64_t i = 0; i < labels->size; i += SOME) {
        int64_t count = dlz_min_i64(SOME, labels->size - i);
        DLZ_TRY(dlz_labels_get(labels, i, count, some));
        DLZ_TRY(check_some(who, some, count, i, size));
        widen(r, some, count);
    }
    return DLVIZ_OK;
}

static dlviz_status see_range(void *context, int64_t position, const int64_t *labels,
                              int64_t count) {
    (void)position;
    widen(context, labels, count);
    return DLVIZ_OK;
}

dlviz_status dlz_dataset_find_label_range(dlviz_dataset *dataset) {
    range r = {INT64_MAX, INT64_MIN};
    const int32_t *ranges = dataset->targets_joined ? dataset->joined->label_ranges : NULL;
    for (int64_t i = 0; i < dataset->num_samples && ranges; i++)
        widen(&r,
              (const int64_t[]){ranges[2 * (int64_t)dataset->rows[i]],
                                ranges[2 * (int64_t)dataset->rows[i] + 1]},
              2);
    if (!ranges)
        DLZ_TRY(dlz_dataset_each_label(dataset, see_range, &r));
    dataset->smallest_label = r.smallest;
    dataset->largest_label = r.largest;
    return DLVIZ_OK;
}

static void set_classes(dlviz_dataset *dataset, const range *r) {
    dataset->smallest_label = r->smallest;
    dataset->largest_label = r->largest;
    dataset->num_classes = dlz_max_i64(r->largest, -1) + 1;
}

static dlviz_status set_labels(dlviz_dataset *dataset, const dlviz_tensor *labels, const range *r) {
    dlviz_tensor *copy;
    DLZ_TRY(dlz_tensor_create_raw(&copy, DLVIZ_INT64, 1, labels->dims));
    dlviz_status status = dlz_labels_get(labels, 0, labels->size, copy->data);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(copy);
        return status;
    }
    dlz_dataset_release_targets(dataset);
    dataset->target_kind = DLZ_TARGETS_LABELS;
    dataset->labels = copy;
    set_classes(dataset, r);
    return DLVIZ_OK;
}

/* -- Targets whose storage is shared -------------------------------------------------------------
 */

int dlz_entry_shape(const dlviz_tensor *targets, int64_t dims[3]) {
    dims[0] = dims[1] = dims[2] = 0;
    if (targets->ndim < 3) {
        dims[0] = targets->ndim == 2 ? targets->dims[1] : 1;
        return 1;
    }
    dims[0] = targets->ndim == 4 ? targets->dims[1] : 1;
    dims[1] = targets->dims[targets->ndim - 2];
    dims[2] = targets->dims[targets->ndim - 1];
    return 3;
}

static dlviz_status share(dlviz_dataset *dataset, const dlviz_tensor *targets, dlz_targets kind) {
    dlviz_tensor *view;
    DLZ_TRY(dlviz_tensor_reshape(targets, targets->ndim, targets->dims, &view));
    dlz_dataset_release_targets(dataset);
    dataset->target_kind = kind;
    dataset->targets = view;
    return DLVIZ_OK;
}

static dlviz_status set_floats(dlviz_dataset *dataset, const char *who,
                               const dlviz_tensor *targets) {
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (targets->ndim < 1 || targets->ndim > 4 || targets->size == 0)
        return dlz_fail(
            DLVIZ_ERROR_SHAPE,
            "%s: 'targets' is %s; n, n x t, n x height x width and n x channels x height x "
            "width are accepted, each 1 or more",
            who, dlz_shape_text(text, targets->ndim, targets->dims));
    if (targets->dims[0] != dataset->num_samples)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'targets' is %s, for %lld samples", who,
                        dlz_shape_text(text, targets->ndim, targets->dims),
                        (long long)dataset->num_samples);
    DLZ_TRY(share(dataset, targets, DLZ_TARGETS_FLOATS));
    dataset->target_ndim = dlz_entry_shape(dataset->targets, dataset->target_dims);
    return DLVIZ_OK;
}

static dlviz_status set_label_maps(dlviz_dataset *dataset, const dlviz_tensor *maps,
                                   const range *r) {
    DLZ_TRY(share(dataset, maps, DLZ_TARGETS_LABEL_MAPS));
    dataset->target_ndim = 2;
    dataset->target_dims[0] = maps->dims[1];
    dataset->target_dims[1] = maps->dims[2];
    set_classes(dataset, r);
    return DLVIZ_OK;
}

/* -- Any kind ------------------------------------------------------------------------------------
 */

void dlz_dataset_release_targets(dlviz_dataset *dataset) {
    dlviz_tensor_destroy(dataset->labels);
    dlviz_tensor_destroy(dataset->targets);
    dlz_free(dataset->target_rows);
    dlz_free(dataset->class_names);
    dataset->target_kind = DLZ_TARGETS_NONE;
    dataset->labels = dataset->targets = NULL;
    dataset->target_rows = NULL;
    dataset->targets_joined = false;
    dataset->class_names = NULL;
    dataset->num_classes = 0;
    dataset->target_ndim = 0;
    memset(dataset->target_dims, 0, sizeof dataset->target_dims);
    dataset->changes++;
}

dlviz_status dlz_dataset_set_targets(dlviz_dataset *dataset, const char *who,
                                     const dlviz_tensor *targets) {
    if (targets->dtype == DLVIZ_FLOAT32)
        return set_floats(dataset, who, targets);
    range r;
    DLZ_TRY(check_labels(who, dataset, targets, &r));
    return targets->ndim == 1 ? set_labels(dataset, targets, &r)
                              : set_label_maps(dataset, targets, &r);
}

dlviz_status dlviz_dataset_set_targets(dlviz_dataset *dataset, const dlviz_tensor *targets) {
    DLZ_REQUIRE(dataset);
    if (targets)
        return dlz_dataset_set_targets(dataset, __func__, targets);
    dlz_dataset_release_targets(dataset);
    return DLVIZ_OK;
}

dlviz_status dlviz_dataset_set_targets_to_samples(dlviz_dataset *dataset) {
    DLZ_REQUIRE(dataset);
    dlz_dataset_release_targets(dataset);
    dataset->target_kind = DLZ_TARGETS_SAMPLES;
    return DLVIZ_OK;
}

bool dlviz_dataset_targets_are_samples(const dlviz_dataset *dataset) {
    return dataset && dataset->target_kind == DLZ_TARGETS_SAMPLES;
}

dlz_targets dlz_dataset_target_kind(const dlviz_dataset *dataset) {
    return dataset->target_kind;
}

bool dlz_dataset_fills_labels(const dlviz_dataset *dataset) {
    return dataset->augmentations.moves_pixels && dataset->target_kind == DLZ_TARGETS_LABEL_MAPS;
}

int dlz_dataset_target_ndim(const dlviz_dataset *dataset) {
    return dataset->target_kind == DLZ_TARGETS_SAMPLES ? dataset->ndim : dataset->target_ndim;
}

const int64_t *dlz_dataset_target_dims(const dlviz_dataset *dataset) {
    if (dataset->target_kind == DLZ_TARGETS_SAMPLES)
        return dataset->dims;
    return dataset->targets ? dataset->target_dims : NULL;
}

int dlviz_dataset_target_ndim(const dlviz_dataset *dataset) {
    return dataset ? dlz_dataset_target_ndim(dataset) : 0;
}
const int64_t *dlviz_dataset_target_dims(const dlviz_dataset *dataset) {
    return dataset ? dlz_dataset_target_dims(dataset) : NULL;
}

const dlviz_tensor *dlviz_dataset_labels(const dlviz_dataset *dataset) {
    return dataset ? dataset->labels : NULL;
}

bool dlz_dataset_label_range(const dlviz_dataset *dataset, int64_t *smallest, int64_t *largest) {
    if (dlz_dataset_target_dtype(dataset) != DLVIZ_INT64)
        return false;
    *smallest = dataset->smallest_label;
    *largest = dataset->largest_label;
    return true;
}

/* -- Weights -------------------------------------------------------------------------------------
 */

static dlviz_status check_weights(const char *who, const dlviz_dataset *dataset,
                                  const dlviz_tensor *weights) {
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (weights->dtype != DLVIZ_FLOAT32)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'weights' holds %s, needs float32", who,
                        dlviz_dtype_name(weights->dtype));
    if (weights->ndim != 1 || weights->dims[0] != dataset->num_samples)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'weights' is %s; %lld samples need as many weights",
                        who, dlz_shape_text(text, weights->ndim, weights->dims),
                        (long long)dataset->num_samples);
    const float *values = weights->data;
    bool any = false;
    for (int64_t i = 0; i < weights->size; i++) {
        char number[DLZ_NUMBER_SIZE];
        if (!isfinite(values[i]) || values[i] < 0)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: the weight of sample %lld is %s; finite ones, 0 or more, are "
                            "accepted",
                            who, (long long)i, dlz_number(number, (double)values[i], 6));
        any = any || values[i] > 0;
    }
    return any ? DLVIZ_OK
               : dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                          "%s: all %lld weights are 0; one at least must be above", who,
                          (long long)weights->size);
}

dlviz_status dlviz_dataset_set_weights(dlviz_dataset *dataset, const dlviz_tensor *weights) {
    DLZ_REQUIRE(dataset);
    dlviz_tensor *copy = NULL;
    if (weights) {
        DLZ_TRY(check_weights(__func__, dataset, weights));
        DLZ_TRY(dlviz_tensor_copy(weights, &copy));
    }
    dlviz_tensor_destroy(dataset->weights);
    dataset->weights = copy;
    dataset->changes++;
    return DLVIZ_OK;
}

const dlviz_tensor *dlviz_dataset_weights(const dlviz_dataset *dataset) {
    return dataset ? dataset->weights : NULL;
}

/* -- Subsets -------------------------------------------------------------------------------------
 */

static dlviz_status subset_classes(const dlviz_dataset *dataset, dlviz_dataset *subset) {
    DLZ_TRY(dlz_dataset_find_label_range(subset));
    subset->num_classes = dataset->num_classes;
    return dataset->class_names
               ? dlz_copy_names(dataset->num_classes, (const char *const *)dataset->class_names,
                                &subset->class_names)
               : DLVIZ_OK;
}

static dlviz_status subset_labels(const dlviz_dataset *dataset, int64_t count,
                                  const int64_t *positions, dlviz_dataset *subset) {
    DLZ_TRY(dlz_tensor_create_raw(&subset->labels, DLVIZ_INT64, 1, &count));
    const int64_t *from = dataset->labels->data;
    int64_t *to = subset->labels->data;
    for (int64_t i = 0; i < count; i++)
        to[i] = from[positions[i]];
    return DLVIZ_OK;
}

static dlviz_status subset_rows(const dlviz_dataset *dataset, int64_t count,
                                const int64_t *positions, dlviz_dataset *subset) {
    const dlviz_tensor *whole = dataset->targets;
    DLZ_TRY(dlviz_tensor_reshape(whole, whole->ndim, whole->dims, &subset->targets));
    subset->target_ndim = dataset->target_ndim;
    memcpy(subset->target_dims, dataset->target_dims, sizeof subset->target_dims);
    subset->targets_joined = dataset->targets_joined;
    if (subset->targets_joined)
        return DLVIZ_OK;
    subset->target_rows = dlz_alloc_array((uint64_t)count, sizeof *subset->target_rows);
    if (!subset->target_rows)
        return dlz_fail_memory("a dataset's rows", (uint64_t)count * sizeof(int32_t));
    for (int64_t i = 0; i < count; i++)
        subset->target_rows[i] = (int32_t)dlz_dataset_target_row(dataset, positions[i]);
    return DLVIZ_OK;
}

dlviz_status dlz_dataset_subset_targets(const dlviz_dataset *dataset, int64_t count,
                                        const int64_t *positions, dlviz_dataset *subset) {
    subset->target_kind = dataset->target_kind;
    if (dataset->labels)
        DLZ_TRY(subset_labels(dataset, count, positions, subset));
    if (dataset->targets)
        DLZ_TRY(subset_rows(dataset, count, positions, subset));
    if (dlz_dataset_target_dtype(subset) == DLVIZ_INT64)
        DLZ_TRY(subset_classes(dataset, subset));
    if (!dataset->weights)
        return DLVIZ_OK;
    DLZ_TRY(dlz_tensor_create_raw(&subset->weights, DLVIZ_FLOAT32, 1, &count));
    dlz_dataset_load_weights(dataset, positions, count, subset->weights->data);
    return DLVIZ_OK;
}
