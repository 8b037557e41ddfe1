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
            labels[i] = ((const int64_t *)dataset->labels->data)[position];
    }
}

int64_t dlz_dataset_target_size(const dlviz_dataset *dataset) {
    if (dataset->target_kind == DLZ_TARGETS_SAMPLES)
        return dlz_dataset_sample_size(dataset);
    return dataset->targets ? dataset->targets->size / dataset->targets->dims[0] : 0;
}

void dlz_dataset_load_targets(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                              float *targets) {
    if (dataset->target_kind == DLZ_TARGETS_SAMPLES)
        dlz_dataset_load(dataset, indices, count, targets, NULL);
    if (!dataset->targets)
        return;
    int64_t size = dlz_dataset_target_size(dataset);
    const float *stored = dataset->targets->data;
    for (int64_t i = 0; i < count; i++) {
        int64_t position = indices ? indices[i] : i;
        int64_t row = dataset->target_rows ? dataset->target_rows[position] : position;
        memcpy(targets + i * size, stored + row * size, (size_t)size * sizeof *targets);
    }
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
    int64_t count, sample_size, target_size;
    float *samples, *targets; /* each unless NULL */
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
    if (work->targets)
        dlz_dataset_load_targets(work->dataset, positions, count,
                                 work->targets + first * work->target_size);
}

static void load_parallel(load_work work) {
    work.sample_size = dlz_dataset_sample_size(work.dataset);
    work.target_size = dlz_dataset_target_size(work.dataset);
    dlz_parallel_for(dlz_ceil_div(work.count, SAMPLES_PER_TILE), dlz_threads(), load_tile, &work);
}

void dlz_dataset_load_parallel(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                               float *samples, int64_t *labels) {
    load_parallel((load_work){.dataset = dataset,
                              .indices = indices,
                              .count = count,
                              .samples = samples,
                              .labels = labels});
}

void dlz_dataset_load_targets_parallel(const dlviz_dataset *dataset, const int64_t *indices,
                                       int64_t count, float *targets) {
    load_parallel(
        (load_work){.dataset = dataset, .indices = indices, .count = count, .targets = targets});
}

void dlz_epoch_order(uint64_t seed, int64_t epoch, int64_t n, int64_t *order) {
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    dlz_random random = dlz_random_start(seed, DLZ_STREAM_SHUFFLE + ((uint64_t)epoch << 8));
    dlz_random_shuffle(&random, order, n);
}
