/* Why a loss is not finite: which sample brought NaN or an infinity. */
#include "base/base.h"
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

dlviz_status dlz_dataset_check_finite(const dlviz_dataset *dataset, const char *who,
                                      const int64_t *indices, int64_t count) {
    int64_t targets =
        dataset->target_kind == DLZ_TARGETS_FLOATS ? dlz_dataset_target_size(dataset) : 0;
    uint64_t size = (uint64_t)dlz_max_i64(dlz_dataset_sample_size(dataset), targets);
    float *room = dlz_alloc_array(size, sizeof *room);
    if (!room)
        return dlz_fail_memory("a sample", size * sizeof *room);
    dlviz_status status = DLVIZ_OK;
    for (int64_t i = 0; status == DLVIZ_OK && i < count; i++)
        status = check_sample(dataset, who, indices ? indices[i] : i, room);
    dlz_free(room);
    return status;
}
