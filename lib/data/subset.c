/* Datasets cut from datasets, and pieces of them as tensors. */
#include "base/base.h"
#include "data/dataset.h"
#include "tensor/tensor.h"

#include <string.h>

dlviz_status dlz_dataset_positions(const dlviz_dataset *dataset, const char *who, int64_t first,
                                   int64_t count, int64_t **positions) {
    *positions = NULL;
    int64_t size = dataset->num_samples;
    if (first < 0 || count < 1 || first >= size || count > size - first)
        return dlz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "%s: %lld samples from %lld on; 1 or more are accepted, and the dataset has %lld", who,
            (long long)count, (long long)first, (long long)size);
    int64_t *list = dlz_alloc_array((uint64_t)count, sizeof *list);
    if (!list)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "%s: out of memory for %lld positions", who,
                        (long long)count);
    for (int64_t i = 0; i < count; i++)
        list[i] = first + i;
    *positions = list;
    return DLVIZ_OK;
}

dlviz_status dlviz_dataset_take(const dlviz_dataset *dataset, int64_t first, int64_t count,
                                dlviz_dataset **subset) {
    DLZ_REQUIRE_OUT(subset);
    DLZ_REQUIRE(dataset);
    int64_t *positions;
    DLZ_TRY(dlz_dataset_positions(dataset, __func__, first, count, &positions));
    dlviz_status status = dlz_dataset_subset(dataset, count, positions, subset);
    dlz_free(positions);
    return status;
}

dlviz_status dlviz_dataset_select(const dlviz_dataset *dataset, int64_t count,
                                  const int64_t *indices, dlviz_dataset **subset) {
    DLZ_REQUIRE_OUT(subset);
    DLZ_REQUIRE(dataset);
    DLZ_REQUIRE(indices);
    if (count < 1 || count > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld indices; 1 to %d are accepted",
                        __func__, (long long)count, INT32_MAX);
    for (int64_t i = 0; i < count; i++)
        if (indices[i] < 0 || indices[i] >= dataset->num_samples)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: index %lld is %lld; the dataset has %lld samples", __func__,
                            (long long)i, (long long)indices[i], (long long)dataset->num_samples);
    return dlz_dataset_subset(dataset, count, indices, subset);
}

dlviz_status dlviz_dataset_samples(const dlviz_dataset *dataset, int64_t first, int64_t count,
                                   dlviz_tensor **samples) {
    DLZ_REQUIRE_OUT(samples);
    DLZ_REQUIRE(dataset);
    int64_t *positions;
    DLZ_TRY(dlz_dataset_positions(dataset, __func__, first, count, &positions));
    int64_t dims[4] = {count};
    memcpy(dims + 1, dataset->dims, sizeof dataset->dims);
    dlviz_tensor *result;
    dlviz_status status = dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, 1 + dataset->ndim, dims);
    if (status == DLVIZ_OK) {
        status = dlz_dataset_load_parallel(dataset, positions, count, result->data);
        if (status == DLVIZ_OK)
            *samples = result;
        else
            dlviz_tensor_destroy(result);
    }
    dlz_free(positions);
    return status;
}

dlviz_status dlviz_dataset_targets(const dlviz_dataset *dataset, int64_t first, int64_t count,
                                   dlviz_tensor **targets) {
    DLZ_REQUIRE_OUT(targets);
    DLZ_REQUIRE(dataset);
    if (dataset->target_kind == DLZ_TARGETS_NONE)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the dataset has no targets", __func__);
    int64_t *positions;
    DLZ_TRY(dlz_dataset_positions(dataset, __func__, first, count, &positions));
    int ndim = dlz_dataset_target_ndim(dataset);
    int64_t dims[4] = {count};
    if (ndim > 0)
        memcpy(dims + 1, dlz_dataset_target_dims(dataset), 3 * sizeof *dims);
    dlviz_tensor *result;
    dlviz_status status =
        dlz_tensor_create_raw(&result, dlz_dataset_target_dtype(dataset), 1 + ndim, dims);
    if (status == DLVIZ_OK) {
        status = dlz_dataset_load_targets_parallel(dataset, positions, count, result->data);
        if (status == DLVIZ_OK)
            *targets = result;
        else
            dlviz_tensor_destroy(result);
    }
    dlz_free(positions);
    return status;
}
