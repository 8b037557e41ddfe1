/* Batches: samples as a network sees them, their labels, targets and weights. */
#include "base/parallel.h"
#include "base/random.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

#include <string.h>

enum { SAMPLES_PER_TILE = 16 };

int64_t dlz_dataset_sample_size(const dlviz_dataset *dataset) {
    const dlz_transform *t = &dataset->transform;
    return t->channels * t->rows.to * t->columns.to;
}

const void *dlz_dataset_stored(const dlviz_dataset *dataset, int64_t position) {
    const dlviz_tensor *stored = dataset->samples;
    size_t stride = (size_t)(stored->size / stored->dims[0]) * dlviz_dtype_size(stored->dtype);
    return (const char *)stored->data + (size_t)dataset->rows[position] * stride;
}

void dlz_dataset_load(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                      float *samples) {
    int64_t sample_size = dlz_dataset_sample_size(dataset);
    for (int64_t i = 0; i < count; i++)
        dlz_transform_apply(&dataset->transform,
                            dlz_dataset_stored(dataset, indices ? indices[i] : i),
                            samples + i * sample_size);
}

int64_t dlz_dataset_target_size(const dlviz_dataset *dataset) {
    if (dataset->target_kind == DLZ_TARGETS_SAMPLES)
        return dlz_dataset_sample_size(dataset);
    if (dataset->labels)
        return 1;
    return dataset->targets ? dataset->targets->size / dataset->targets->dims[0] : 0;
}

dlviz_dtype dlz_dataset_target_dtype(const dlviz_dataset *dataset) {
    bool labels = dataset->target_kind == DLZ_TARGETS_LABELS ||
                  dataset->target_kind == DLZ_TARGETS_LABEL_MAPS;
    return labels ? DLVIZ_INT64 : DLVIZ_FLOAT32;
}

/* Those that are stored, one row a sample. */
static void load_rows(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                      char *targets) {
    const dlviz_tensor *stored = dataset->targets;
    int64_t size = dlz_dataset_target_size(dataset);
    size_t width = dlviz_dtype_size(dlz_dataset_target_dtype(dataset)),
           stride = (size_t)size * width;
    for (int64_t i = 0; i < count; i++) {
        int64_t position = indices ? indices[i] : i;
        int64_t row = dlz_dataset_target_row(dataset, position);
        char *to = targets + (size_t)i * stride;
        if (stored->dtype == DLVIZ_UINT8)
            for (int64_t j = 0; j < size; j++)
                ((int64_t *)(void *)to)[j] = ((const uint8_t *)stored->data)[row * size + j];
        else
            memcpy(to, (const char *)stored->data + (size_t)row * stride, stride);
    }
}

void dlz_dataset_load_targets(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                              void *targets) {
    switch (dataset->target_kind) {
    case DLZ_TARGETS_NONE:
        break;
    case DLZ_TARGETS_SAMPLES:
        dlz_dataset_load(dataset, indices, count, targets);
        break;
    case DLZ_TARGETS_LABELS:
        for (int64_t i = 0; i < count; i++)
            ((int64_t *)targets)[i] =
                ((const int64_t *)dataset->labels->data)[indices ? indices[i] : i];
        break;
    case DLZ_TARGETS_LABEL_MAPS:
    case DLZ_TARGETS_FLOATS:
        load_rows(dataset, indices, count, targets);
        break;
    }
}

int64_t dlz_label_at(const dlviz_tensor *labels, int64_t i) {
    return labels->dtype == DLVIZ_UINT8 ? ((const uint8_t *)labels->data)[i]
                                        : ((const int64_t *)labels->data)[i];
}

const dlviz_tensor *dlz_dataset_labels_of(const dlviz_dataset *dataset, int64_t position,
                                          int64_t *first) {
    if (dataset->labels) {
        *first = position;
        return dataset->labels;
    }
    int64_t row = dlz_dataset_target_row(dataset, position);
    *first = row * dlz_dataset_target_size(dataset);
    return dataset->targets;
}

void dlz_dataset_load_weights(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                              float *weights) {
    const float *stored = dataset->weights ? dataset->weights->data : NULL;
    for (int64_t i = 0; i < count; i++)
        weights[i] = stored ? stored[indices ? indices[i] : i] : 1;
}

/* -- With all threads ----------------------------------------------------------------------------
 */

typedef struct load_work {
    const dlviz_dataset *dataset;
    const int64_t *indices;
    int64_t count;
    float *samples; /* each unless NULL */
    char *targets;
} load_work;

static void load_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const load_work *work = context;
    int64_t first = tile * SAMPLES_PER_TILE;
    int64_t positions[SAMPLES_PER_TILE];
    int64_t count = dlz_min_i64(SAMPLES_PER_TILE, work->count - first);
    for (int64_t i = 0; i < count; i++)
        positions[i] = work->indices ? work->indices[first + i] : first + i;
    const dlviz_dataset *dataset = work->dataset;
    if (work->samples)
        dlz_dataset_load(dataset, positions, count,
                         work->samples + first * dlz_dataset_sample_size(dataset));
    if (work->targets)
        dlz_dataset_load_targets(dataset, positions, count,
                                 work->targets +
                                     (size_t)(first * dlz_dataset_target_size(dataset)) *
                                         dlviz_dtype_size(dlz_dataset_target_dtype(dataset)));
}

static void load_parallel(load_work work) {
    dlz_parallel_for(dlz_ceil_div(work.count, SAMPLES_PER_TILE), dlz_threads(), load_tile, &work);
}

void dlz_dataset_load_parallel(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                               float *samples) {
    load_parallel(
        (load_work){.dataset = dataset, .indices = indices, .count = count, .samples = samples});
}

void dlz_dataset_load_targets_parallel(const dlviz_dataset *dataset, const int64_t *indices,
                                       int64_t count, void *targets) {
    load_parallel(
        (load_work){.dataset = dataset, .indices = indices, .count = count, .targets = targets});
}

void dlz_epoch_order(uint64_t seed, int64_t epoch, int64_t n, int64_t *order) {
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    dlz_random random = dlz_random_start(seed, DLZ_STREAM_SHUFFLE + ((uint64_t)epoch << 8));
    dlz_random_shuffle(&random, order, n);
}
