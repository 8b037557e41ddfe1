/* All targets of a dataset that ranks have joined. */
#include "base/base.h"
#include "data/dataset.h"
#include "data/supply.h"
#include "tensor/tensor.h"

#include <string.h>

enum { TOGETHER = 512 };

/* Fills the rows of all targets. Samples are wanted by nobody, unless they are the targets. */
static dlviz_status fill(dlz_supply *supply, const dlviz_dataset *dataset, const dlz_share *none,
                         dlviz_tensor *targets) {
    size_t width = (size_t)dlz_dataset_target_size(dataset) * dlviz_dtype_size(targets->dtype);
    int64_t positions[TOGETHER], n = dataset->num_samples;
    dlviz_dataset view;
    for (int64_t first = 0, count; first < n; first += count) {
        count = dlz_min_i64(TOGETHER, n - first);
        for (int64_t i = 0; i < count; i++)
            positions[i] = first + i;
        const dlz_demand demand = {.dataset = dataset,
                                   .positions = positions,
                                   .count = count,
                                   .shares = none,
                                   .all_targets = true};
        DLZ_TRY(dlz_supply_take(supply, &demand, &view));
        DLZ_TRY(dlz_dataset_load_targets_parallel(&view, positions, count,
                                                  (char *)targets->data + (size_t)first * width));
    }
    return DLVIZ_OK;
}

static dlviz_status create(const dlviz_dataset *dataset, dlviz_tensor **targets) {
    int ndim = dlz_dataset_target_ndim(dataset);
    int64_t dims[4] = {dataset->num_samples};
    if (ndim > 0)
        memcpy(dims + 1, dlz_dataset_target_dims(dataset), (size_t)ndim * sizeof *dims);
    return dlz_tensor_create_raw(targets, dlz_dataset_target_dtype(dataset), 1 + ndim, dims);
}

dlviz_status dlz_dataset_gather_targets(const dlviz_dataset *dataset, const dlviz_comm *comm,
                                        dlviz_tensor **targets) {
    bool spread = dataset->targets_joined || dataset->target_kind == DLZ_TARGETS_SAMPLES;
    if (!comm || !dataset->joined || !spread)
        return dlviz_dataset_targets(dataset, 0, dataset->num_samples, targets);
    *targets = NULL;
    dlz_supply supply = {.comm = dataset->joined->comm};
    uint64_t ranks = (uint64_t)dlz_comm_size(comm);
    dlz_share *none = dlz_alloc_array_zero(ranks, sizeof *none);
    dlviz_status status =
        none ? create(dataset, targets) : dlz_fail_memory("ranks' shares", ranks * sizeof *none);
    if (status == DLVIZ_OK)
        status = fill(&supply, dataset, none, *targets);
    status = dlz_supply_end(&supply, status);
    dlz_free(none);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    dlviz_tensor_destroy(*targets);
    *targets = NULL;
    return status;
}
