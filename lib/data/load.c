/* Batches: samples as a network sees them, their labels, targets and weights. */
#include "base/failures.h"
#include "base/parallel.h"
#include "base/random.h"
#include "data/dataset.h"
#include "tensor/rows.h"
#include "tensor/tensor.h"

#include <string.h>

enum { MOST_PER_TILE = 16 };

int64_t dlz_dataset_sample_size(const dlviz_dataset *dataset) {
    const dlz_transform *t = &dataset->transform;
    return t->channels * t->rows.to * t->columns.to;
}

static dlviz_status decode(const dlviz_dataset *dataset, int64_t row, void **block) {
    size_t size = dlz_image_form_size(&dataset->files->form);
    *block = dlz_alloc(size);
    if (!*block)
        return dlz_fail_memory("a sample", size);
    dlviz_status status = dlz_image_files_load(dataset->files, row, *block);
    if (status != DLVIZ_OK) {
        dlz_free(*block);
        *block = NULL;
    }
    return status;
}

dlviz_status dlz_dataset_fetch(const dlviz_dataset *dataset, int64_t position, const void **sample,
                               void **block) {
    *block = NULL;
    if (dataset->joined) {
        const char *bytes;
        DLZ_TRY(dlz_joined_find(dataset, position, DLZ_ROW_SAMPLE, &bytes, &position));
        *sample = bytes;
        if (bytes)
            return DLVIZ_OK;
        dataset = dataset->joined->own;
    }
    const dlviz_tensor *stored = dataset->samples;
    int64_t row = dataset->rows[position];
    if (stored)
        return dlz_row_fetch(stored, row, sample, block);
    DLZ_TRY(decode(dataset, row, block));
    *sample = *block;
    return DLVIZ_OK;
}

void dlz_dataset_done(const dlviz_dataset *dataset, void *block) {
    if (dataset->joined)
        dataset = dataset->joined->own;
    if (dataset->samples)
        dlz_row_done(block);
    else
        dlz_free(block);
}

dlviz_status dlz_dataset_load(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                              float *samples) {
    int64_t sample_size = dlz_dataset_sample_size(dataset);
    for (int64_t i = 0; i < count; i++) {
        const void *sample;
        void *block;
        DLZ_TRY(dlz_dataset_fetch(dataset, indices ? indices[i] : i, &sample, &block));
        dlz_transform_apply(&dataset->transform, sample, samples + i * sample_size);
        dlz_dataset_done(dataset, block);
    }
    return DLVIZ_OK;
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

dlviz_status dlz_dataset_fetch_targets(const dlviz_dataset *dataset, int64_t position,
                                       const void **targets, void **block) {
    *block = NULL;
    if (dataset->targets_joined) {
        const char *bytes;
        DLZ_TRY(dlz_joined_find(dataset, position, DLZ_ROW_TARGETS, &bytes, &position));
        *targets = bytes;
        if (bytes)
            return DLVIZ_OK;
        dataset = dataset->joined->own;
    }
    return dlz_row_fetch(dataset->targets, dlz_dataset_target_row(dataset, position), targets,
                         block);
}

static void copy_row(dlviz_dtype dtype, const void *from, int64_t size, void *to) {
    if (dtype == DLVIZ_UINT8)
        for (int64_t j = 0; j < size; j++)
            ((int64_t *)to)[j] = ((const uint8_t *)from)[j];
    else
        memcpy(to, from, (size_t)size * dlviz_dtype_size(dtype));
}

/* Of one sample, that are stored. */
static dlviz_status load_row(const dlviz_dataset *dataset, int64_t position, int64_t size,
                             void *to) {
    const dlviz_tensor *stored = dataset->targets;
    if (dataset->targets_joined) {
        const char *bytes;
        DLZ_TRY(dlz_joined_find(dataset, position, DLZ_ROW_TARGETS, &bytes, &position));
        if (bytes) {
            copy_row(stored->dtype, bytes, size, to);
            return DLVIZ_OK;
        }
        dataset = dataset->joined->own;
        stored = dataset->targets;
    }
    int64_t first = dlz_dataset_target_row(dataset, position) * size;
    return stored->dtype == DLVIZ_FLOAT32 ? dlz_tensor_get(stored, first, size, to)
                                          : dlz_labels_get(stored, first, size, to);
}

static dlviz_status load_rows(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                              char *targets) {
    int64_t size = dlz_dataset_target_size(dataset);
    size_t stride = (size_t)size * dlviz_dtype_size(dlz_dataset_target_dtype(dataset));
    for (int64_t i = 0; i < count; i++)
        DLZ_TRY(load_row(dataset, indices ? indices[i] : i, size, targets + (size_t)i * stride));
    return DLVIZ_OK;
}

dlviz_status dlz_dataset_load_targets(const dlviz_dataset *dataset, const int64_t *indices,
                                      int64_t count, void *targets) {
    switch (dataset->target_kind) {
    case DLZ_TARGETS_NONE:
        break;
    case DLZ_TARGETS_SAMPLES:
        return dlz_dataset_load(dataset, indices, count, targets);
    case DLZ_TARGETS_LABELS:
        for (int64_t i = 0; i < count; i++)
            ((int64_t *)targets)[i] =
                ((const int64_t *)dataset->labels->data)[indices ? indices[i] : i];
        break;
    case DLZ_TARGETS_LABEL_MAPS:
    case DLZ_TARGETS_FLOATS:
        return load_rows(dataset, indices, count, targets);
    }
    return DLVIZ_OK;
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
    int64_t count, tile_size;
    float *samples; /* one of these */
    char *targets;
    dlz_failures failures;
} load_work;

static dlviz_status load_some(const load_work *work, int64_t first, const int64_t *positions,
                              int64_t count) {
    const dlviz_dataset *dataset = work->dataset;
    if (work->samples)
        return dlz_dataset_load(dataset, positions, count,
                                work->samples + first * dlz_dataset_sample_size(dataset));
    return dlz_dataset_load_targets(dataset, positions, count,
                                    work->targets +
                                        (size_t)(first * dlz_dataset_target_size(dataset)) *
                                            dlviz_dtype_size(dlz_dataset_target_dtype(dataset)));
}

static void load_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    load_work *work = context;
    if (dlz_failures_before(&work->failures, tile))
        return;
    int64_t first = tile * work->tile_size;
    int64_t positions[MOST_PER_TILE];
    int64_t count = dlz_min_i64(work->tile_size, work->count - first);
    for (int64_t i = 0; i < count; i++)
        positions[i] = work->indices ? work->indices[first + i] : first + i;
    dlz_failures_note(&work->failures, tile, load_some(work, first, positions, count));
}

/* Decoding a sample takes longer than waking a thread for it. */
static dlviz_status load_parallel(load_work *work) {
    work->tile_size = work->dataset->samples ? MOST_PER_TILE : 1;
    dlz_failures_init(&work->failures);
    dlz_parallel_for(dlz_ceil_div(work->count, work->tile_size), dlz_threads(), load_tile, work);
    return dlz_failures_tell(&work->failures);
}

dlviz_status dlz_dataset_load_parallel(const dlviz_dataset *dataset, const int64_t *indices,
                                       int64_t count, float *samples) {
    load_work work = {.dataset = dataset, .indices = indices, .count = count, .samples = samples};
    return load_parallel(&work);
}

dlviz_status dlz_dataset_load_targets_parallel(const dlviz_dataset *dataset, const int64_t *indices,
                                               int64_t count, void *targets) {
    load_work work = {.dataset = dataset, .indices = indices, .count = count, .targets = targets};
    return load_parallel(&work);
}

void dlz_epoch_order(uint64_t seed, int64_t epoch, int64_t n, int64_t *order) {
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    dlz_random random = dlz_random_start(seed, DLZ_STREAM_SHUFFLE + ((uint64_t)epoch << 8));
    dlz_random_shuffle(&random, order, n);
}
