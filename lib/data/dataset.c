#include "data/dataset.h"
#include "base/parallel.h"
#include "base/random.h"
#include "data/idx.h"
#include "tensor/tensor.h"

#include <string.h>

enum { SAMPLES_PER_TILE = 16 };

static void update_dims(dlviz_dataset *dataset) {
    const dlz_transform *t = &dataset->transform;
    dataset->ndim = t->is_image ? 3 : 1;
    dataset->dims[0] = t->is_image ? t->channels : t->width;
    dataset->dims[1] = t->is_image ? t->rows.to : 0;
    dataset->dims[2] = t->is_image ? t->columns.to : 0;
}

/* A dataset of `count` samples whose rows and labels are still to be filled. */
static dlviz_status allocate(const dlviz_tensor *samples, int64_t count, bool labelled,
                             dlviz_dataset **out) {
    dlviz_dataset *dataset = dlz_alloc_zero(sizeof *dataset);
    if (!dataset)
        return dlz_fail_memory("a dataset", sizeof *dataset);
    dataset->references = 1;
    dataset->size = count;
    dataset->rows = dlz_alloc_array((uint64_t)count, sizeof *dataset->rows);
    dlviz_status status =
        dataset->rows
            ? dlviz_tensor_reshape(samples, samples->ndim, samples->dims, &dataset->samples)
            : dlz_fail_memory("a dataset's rows", (uint64_t)count * sizeof *dataset->rows);
    if (status == DLVIZ_OK && labelled)
        status = dlz_tensor_create_raw(&dataset->labels, DLVIZ_UINT8, 1, &count);
    if (status != DLVIZ_OK)
        dlviz_dataset_destroy(dataset);
    else
        *out = dataset;
    return status;
}

static dlviz_status check_samples(const char *who, const dlviz_tensor *samples) {
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (samples->dtype == DLVIZ_INT64)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'samples' holds int64; uint8 and float32 are accepted", who);
    if (samples->ndim < 2 || samples->ndim > 4 || samples->size == 0)
        return dlz_fail(
            DLVIZ_ERROR_SHAPE,
            "%s: 'samples' is %s; n x height x width, n x channels x height x width and n x d "
            "are accepted, each 1 or more",
            who, dlz_shape_text(text, samples->ndim, samples->dims));
    if (samples->dims[0] > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: %lld samples; at most %d are accepted", who,
                        (long long)samples->dims[0], INT32_MAX);
    return DLVIZ_OK;
}

static dlviz_status check_labels(const char *who, const dlviz_tensor *samples,
                                 const dlviz_tensor *labels) {
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (labels->dtype == DLVIZ_FLOAT32)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'labels' holds float32; uint8 and int64 are accepted", who);
    if (labels->ndim != 1 || labels->dims[0] != samples->dims[0])
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'labels' is %s; %lld samples need as many labels",
                        who, dlz_shape_text(text, labels->ndim, labels->dims),
                        (long long)samples->dims[0]);
    const int64_t *whole = labels->data;
    for (int64_t i = 0; labels->dtype == DLVIZ_INT64 && i < labels->size; i++)
        if (whole[i] < 0 || whole[i] >= DLVIZ_MAX_CLASSES)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: label %lld is %lld; 0 to %d are accepted", who, (long long)i,
                            (long long)whole[i], DLVIZ_MAX_CLASSES - 1);
    return DLVIZ_OK;
}

static int largest_label(const dlviz_dataset *dataset) {
    const uint8_t *labels = dataset->labels->data;
    int largest = 0;
    for (int64_t i = 0; i < dataset->size; i++)
        largest = labels[i] > largest ? labels[i] : largest;
    return largest;
}

dlviz_status dlviz_dataset_create(dlviz_dataset **out, const dlviz_tensor *samples,
                                  const dlviz_tensor *labels) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(samples);
    DLZ_TRY(check_samples(__func__, samples));
    if (labels)
        DLZ_TRY(check_labels(__func__, samples, labels));
    dlviz_dataset *dataset;
    DLZ_TRY(allocate(samples, samples->dims[0], labels != NULL, &dataset));
    for (int64_t i = 0; i < dataset->size; i++)
        dataset->rows[i] = i;
    if (labels) {
        uint8_t *to = dataset->labels->data;
        for (int64_t i = 0; i < dataset->size; i++)
            to[i] = labels->dtype == DLVIZ_UINT8 ? ((const uint8_t *)labels->data)[i]
                                                 : (uint8_t)((const int64_t *)labels->data)[i];
        dataset->num_classes = largest_label(dataset) + 1;
    }
    dlz_transform_init(&dataset->transform, samples->dtype, samples->ndim - 1, samples->dims + 1);
    update_dims(dataset);
    *out = dataset;
    return DLVIZ_OK;
}

dlviz_status dlviz_dataset_read_idx(dlviz_dataset **out, const char *images_path,
                                    const char *labels_path) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(images_path);
    dlviz_tensor *images, *labels = NULL;
    DLZ_TRY(dlz_idx_read(images_path, "images", 3, 4, &images));
    dlviz_status status =
        labels_path ? dlz_idx_read(labels_path, "labels", 1, 1, &labels) : DLVIZ_OK;
    if (status == DLVIZ_OK && labels && labels->size != images->dims[0])
        status =
            dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' has %lld images, '%s' has %lld labels", images_path,
                     (long long)images->dims[0], labels_path, (long long)labels->size);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_create(out, images, labels);
    dlviz_tensor_destroy(images);
    dlviz_tensor_destroy(labels);
    return status;
}

dlviz_dataset *dlz_dataset_hold(const dlviz_dataset *dataset) {
    dlviz_dataset *held = (dlviz_dataset *)dataset;
    atomic_fetch_add(&held->references, 1);
    return held;
}

void dlviz_dataset_destroy(dlviz_dataset *dataset) {
    if (!dataset || atomic_fetch_sub(&dataset->references, 1) != 1)
        return;
    dlviz_tensor_destroy(dataset->samples);
    dlviz_tensor_destroy(dataset->labels);
    dlz_transform_release(&dataset->transform);
    dlz_free(dataset->class_names);
    dlz_free(dataset->rows);
    dlz_free(dataset);
}

int64_t dlviz_dataset_size(const dlviz_dataset *dataset) {
    return dataset->size;
}
int dlviz_dataset_ndim(const dlviz_dataset *dataset) {
    return dataset->ndim;
}
const int64_t *dlviz_dataset_dims(const dlviz_dataset *dataset) {
    return dataset->dims;
}
int dlviz_dataset_num_classes(const dlviz_dataset *dataset) {
    return dataset->num_classes;
}
const dlviz_tensor *dlviz_dataset_labels(const dlviz_dataset *dataset) {
    return dataset->labels;
}

void dlviz_dataset_class_counts(const dlviz_dataset *dataset, int64_t *counts) {
    if (!dataset->labels)
        return;
    memset(counts, 0, (size_t)dataset->num_classes * sizeof *counts);
    const uint8_t *labels = dataset->labels->data;
    for (int64_t i = 0; i < dataset->size; i++)
        counts[labels[i]]++;
}

const char *dlviz_dataset_class_name(const dlviz_dataset *dataset, int label) {
    bool named = dataset->class_names && label >= 0 && label < dataset->num_classes;
    return named ? dataset->class_names[label] : NULL;
}

dlviz_status dlviz_dataset_set_num_classes(dlviz_dataset *dataset, int num_classes) {
    DLZ_REQUIRE(dataset);
    if (!dataset->labels)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the dataset has no labels", __func__);
    int largest = largest_label(dataset);
    if (num_classes <= largest || num_classes > DLVIZ_MAX_CLASSES)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %d classes; %d to %d are accepted, for the largest label is %d",
                        __func__, num_classes, largest + 1, DLVIZ_MAX_CLASSES, largest);
    dlz_free(dataset->class_names);
    dataset->class_names = NULL;
    dataset->num_classes = num_classes;
    return DLVIZ_OK;
}

/* Pointers and texts in one block. */
static dlviz_status copy_names(int count, const char *const *names, char ***copy) {
    size_t bytes = (size_t)count * sizeof(char *);
    for (int i = 0; i < count; i++)
        bytes += strlen(names[i]) + 1;
    char **block = dlz_alloc(bytes);
    if (!block)
        return dlz_fail_memory("class names", bytes);
    char *text = (char *)(block + count);
    for (int i = 0; i < count; i++) {
        size_t size = strlen(names[i]) + 1;
        block[i] = memcpy(text, names[i], size);
        text += size;
    }
    *copy = block;
    return DLVIZ_OK;
}

dlviz_status dlviz_dataset_set_class_names(dlviz_dataset *dataset, int count,
                                           const char *const *names) {
    DLZ_REQUIRE(dataset);
    DLZ_REQUIRE(names);
    if (count != dataset->num_classes || count == 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %d names; the dataset has %d classes",
                        __func__, count, dataset->num_classes);
    for (int i = 0; i < count; i++)
        if (!names[i])
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: name %d is NULL", __func__, i);
    char **copy;
    DLZ_TRY(copy_names(count, names, &copy));
    dlz_free(dataset->class_names);
    dataset->class_names = copy;
    return DLVIZ_OK;
}

dlviz_status dlviz_dataset_set_size(dlviz_dataset *dataset, int64_t height, int64_t width) {
    DLZ_REQUIRE(dataset);
    DLZ_TRY(dlz_transform_set_size(&dataset->transform, __func__, height, width));
    update_dims(dataset);
    return DLVIZ_OK;
}

dlviz_status dlviz_dataset_set_normalization(dlviz_dataset *dataset, float mean, float deviation) {
    DLZ_REQUIRE(dataset);
    return dlz_transform_set_normalization(&dataset->transform, __func__, 1, &mean, &deviation);
}

dlviz_status dlviz_dataset_set_channel_normalization(dlviz_dataset *dataset, int64_t count,
                                                     const float *means, const float *deviations) {
    DLZ_REQUIRE(dataset);
    DLZ_REQUIRE(means);
    DLZ_REQUIRE(deviations);
    if (count != dataset->dims[0])
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld means and deviations; the dataset has %lld %s", __func__,
                        (long long)count, (long long)dataset->dims[0],
                        dataset->transform.is_image ? "channels" : "components");
    return dlz_transform_set_normalization(&dataset->transform, __func__, count, means, deviations);
}

dlviz_status dlz_dataset_subset(const dlviz_dataset *dataset, const int64_t *positions,
                                int64_t count, dlviz_dataset **out) {
    dlviz_dataset *subset;
    DLZ_TRY(allocate(dataset->samples, count, dataset->labels != NULL, &subset));
    for (int64_t i = 0; i < count; i++)
        subset->rows[i] = dataset->rows[positions[i]];
    for (int64_t i = 0; dataset->labels && i < count; i++)
        ((uint8_t *)subset->labels->data)[i] =
            ((const uint8_t *)dataset->labels->data)[positions[i]];
    subset->num_classes = dataset->num_classes;
    dlviz_status status = dlz_transform_copy(&dataset->transform, &subset->transform);
    if (status == DLVIZ_OK && dataset->class_names)
        status = copy_names(dataset->num_classes, (const char *const *)dataset->class_names,
                            &subset->class_names);
    if (status != DLVIZ_OK) {
        dlviz_dataset_destroy(subset);
        return status;
    }
    update_dims(subset);
    *out = subset;
    return DLVIZ_OK;
}

int64_t dlz_dataset_sample_size(const dlviz_dataset *dataset) {
    const dlz_transform *t = &dataset->transform;
    return t->channels * t->rows.to * t->columns.to;
}

void dlz_dataset_load(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                      float *samples, int64_t *labels) {
    const dlviz_tensor *stored = dataset->samples;
    size_t stride = (size_t)(stored->size / stored->dims[0]) * dlviz_dtype_size(stored->dtype);
    int64_t sample_size = dlz_dataset_sample_size(dataset);
    for (int64_t i = 0; i < count; i++) {
        int64_t position = indices ? indices[i] : i;
        const char *sample = (const char *)stored->data + (size_t)dataset->rows[position] * stride;
        if (samples)
            dlz_transform_apply(&dataset->transform, sample, samples + i * sample_size);
        if (labels && dataset->labels)
            labels[i] = ((const uint8_t *)dataset->labels->data)[position];
    }
}

typedef struct load_work {
    const dlviz_dataset *dataset;
    const int64_t *indices;
    int64_t count, sample_size;
    float *samples;
    int64_t *labels;
} load_work;

static void load_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const load_work *work = context;
    int64_t first = tile * SAMPLES_PER_TILE;
    int64_t positions[SAMPLES_PER_TILE];
    int64_t count = dlz_min_i64(SAMPLES_PER_TILE, work->count - first);
    for (int64_t i = 0; i < count; i++)
        positions[i] = work->indices ? work->indices[first + i] : first + i;
    dlz_dataset_load(work->dataset, positions, count,
                     work->samples ? work->samples + first * work->sample_size : NULL,
                     work->labels ? work->labels + first : NULL);
}

void dlz_dataset_load_parallel(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                               float *samples, int64_t *labels) {
    load_work work = {dataset, indices, count, dlz_dataset_sample_size(dataset), samples, labels};
    dlz_parallel_for(dlz_ceil_div(count, SAMPLES_PER_TILE), dlz_threads(), load_tile, &work);
}

void dlz_epoch_order(uint64_t seed, int64_t epoch, int64_t n, int64_t *order) {
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    dlz_random random = dlz_random_start(seed, DLZ_STREAM_SHUFFLE + ((uint64_t)epoch << 8));
    dlz_random_shuffle(&random, order, n);
}
