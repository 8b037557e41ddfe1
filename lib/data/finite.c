/* Why a loss is not finite: which sample brought NaN or an infinity. */
#include "base/failures.h"
#include "base/parallel.h"
#include "data/dataset.h"

#include <math.h>

dlviz_status dlz_check_finite(const char *who, const char *what, int64_t sample, int ndim,
                              const int64_t *dims, const float *values) {
    int64_t size = 1, i = 0;
    for (int d = 0; d < ndim; d++)
        size *= dims[d];
    while (i < size && isfinite(values[i]))
        i++;
    if (i == size)
        return DLVIZ_OK;
    const char *value = isnan(values[i]) ? "NaN" : "an infinity";
    if (ndim != 3)
        return dlz_fail(DLVIZ_ERROR_NUMERIC, "%s: %s in %s %lld (number %lld of 0 to %lld)", who,
                        value, what, (long long)sample, (long long)i, (long long)size - 1);
    int64_t pixels = dims[1] * dims[2];
    return dlz_fail(DLVIZ_ERROR_NUMERIC, "%s: %s in %s %lld (channel %lld, row %lld, column %lld)",
                    who, value, what, (long long)sample, (long long)(i / pixels),
                    (long long)(i % pixels / dims[2]), (long long)(i % dims[2]));
}

static dlviz_status check_sample(const dlviz_dataset *dataset, const char *who, int64_t position,
                                 float *room) {
    DLZ_TRY(dlz_dataset_load(dataset, &position, 1, room));
    DLZ_TRY(dlz_check_finite(who, "sample", position, dataset->ndim, dataset->dims, room));
    if (dataset->target_kind != DLZ_TARGETS_FLOATS)
        return DLVIZ_OK;
    DLZ_TRY(dlz_dataset_load_targets(dataset, &position, 1, room));
    return dlz_check_finite(who, "the targets of sample", position, dataset->target_ndim,
                            dataset->target_dims, room);
}

typedef struct finite_pass {
    const dlviz_dataset *dataset;
    const char *who;
    const int64_t *indices;
    uint64_t size;
    float *rooms; /* for a sample, or its targets, of each worker */
    dlz_failures failures;
} finite_pass;

static void check_tile(void *context, int64_t i, int worker) {
    finite_pass *pass = context;
    if (dlz_failures_before(&pass->failures, i))
        return;
    int64_t position = pass->indices ? pass->indices[i] : i;
    float *room = pass->rooms + (uint64_t)worker * pass->size;
    dlz_failures_note(&pass->failures, i, check_sample(pass->dataset, pass->who, position, room));
}

dlviz_status dlz_dataset_check_finite(const dlviz_dataset *dataset, const char *who,
                                      const int64_t *indices, int64_t count) {
    int64_t targets =
        dataset->target_kind == DLZ_TARGETS_FLOATS ? dlz_dataset_target_size(dataset) : 0;
    finite_pass pass = {.dataset = dataset, .who = who, .indices = indices};
    pass.size = (uint64_t)dlz_max_i64(dlz_dataset_sample_size(dataset), targets);
    uint64_t threads = (uint64_t)dlz_threads();
    pass.rooms = dlz_alloc_array(threads, pass.size * sizeof(float));
    if (!pass.rooms)
        return dlz_fail_memory("samples", threads * pass.size * sizeof(float));
    dlz_failures_init(&pass.failures);
    dlz_parallel_for(count, (int)threads, check_tile, &pass);
    dlz_free(pass.rooms);
    return dlz_failures_tell(&pass.failures);
}
