#include "data/dataset.h"
#include "tensor/tensor.h"
#include <dlviz/loader.h>

#include <string.h>

struct dlviz_loader {
    dlviz_dataset *dataset; /* its own handle on the samples */
    int64_t batch_size, epoch, next;
    bool shuffled, drop_last;
    uint64_t seed;
    int64_t *order;                             /* positions in this epoch's order */
    dlviz_tensor *samples, *labels;             /* room for a whole batch */
    dlviz_tensor *batch_samples, *batch_labels; /* views of it: what `next` gave last */
};

static dlviz_status make_room(dlviz_loader *loader) {
    const dlviz_dataset *dataset = loader->dataset;
    int64_t dims[4] = {dlz_min_i64(loader->batch_size, dataset->size)};
    memcpy(dims + 1, dataset->dims, sizeof dataset->dims);
    DLZ_TRY(dlz_tensor_create_raw(&loader->samples, DLVIZ_FLOAT32, 1 + dataset->ndim, dims));
    return dataset->labels ? dlz_tensor_create_raw(&loader->labels, DLVIZ_INT64, 1, dims)
                           : DLVIZ_OK;
}

static void start_epoch(dlviz_loader *loader) {
    loader->next = 0;
    if (loader->shuffled)
        dlz_epoch_order(loader->seed, loader->epoch, loader->dataset->size, loader->order);
    else
        for (int64_t i = 0; i < loader->dataset->size; i++)
            loader->order[i] = i;
}

dlviz_status dlviz_loader_create(dlviz_loader **out, const dlviz_dataset *dataset,
                                 int64_t batch_size) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(dataset);
    if (batch_size < 1)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: batch size %lld; 1 or more are accepted",
                        __func__, (long long)batch_size);
    dlviz_loader *loader = dlz_alloc_zero(sizeof *loader);
    if (!loader)
        return dlz_fail_memory("a loader", sizeof *loader);
    loader->batch_size = batch_size;
    dlviz_status status = dlviz_dataset_take(dataset, 0, dataset->size, &loader->dataset);
    if (status == DLVIZ_OK)
        status = make_room(loader);
    if (status == DLVIZ_OK) {
        loader->order = dlz_alloc_array((uint64_t)dataset->size, sizeof *loader->order);
        if (!loader->order)
            status = dlz_fail_memory("an epoch's order", (uint64_t)dataset->size * sizeof(int64_t));
    }
    if (status != DLVIZ_OK) {
        dlviz_loader_destroy(loader);
        return status;
    }
    start_epoch(loader);
    *out = loader;
    return DLVIZ_OK;
}

static void drop_batch(dlviz_loader *loader) {
    dlviz_tensor_destroy(loader->batch_samples);
    dlviz_tensor_destroy(loader->batch_labels);
    loader->batch_samples = loader->batch_labels = NULL;
}

void dlviz_loader_destroy(dlviz_loader *loader) {
    if (!loader)
        return;
    drop_batch(loader);
    dlviz_tensor_destroy(loader->samples);
    dlviz_tensor_destroy(loader->labels);
    dlviz_dataset_destroy(loader->dataset);
    dlz_free(loader->order);
    dlz_free(loader);
}

dlviz_status dlviz_loader_set_shuffle(dlviz_loader *loader, uint64_t seed) {
    DLZ_REQUIRE(loader);
    loader->shuffled = true;
    loader->seed = seed;
    start_epoch(loader);
    return DLVIZ_OK;
}

dlviz_status dlviz_loader_set_drop_last(dlviz_loader *loader, bool drop_last) {
    DLZ_REQUIRE(loader);
    if (drop_last && loader->batch_size > loader->dataset->size)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: with a batch size of %lld and %lld samples there would be no batch",
                        __func__, (long long)loader->batch_size, (long long)loader->dataset->size);
    loader->drop_last = drop_last;
    return DLVIZ_OK;
}

int64_t dlviz_loader_batches(const dlviz_loader *loader) {
    int64_t size = loader->dataset->size, whole = size / loader->batch_size;
    return whole + (size % loader->batch_size != 0 && !loader->drop_last);
}

dlviz_status dlviz_loader_next(dlviz_loader *loader, const dlviz_tensor **samples,
                               const dlviz_tensor **labels) {
    if (labels)
        *labels = NULL;
    DLZ_REQUIRE_OUT(samples);
    DLZ_REQUIRE(loader);
    drop_batch(loader);
    int64_t count = dlz_min_i64(loader->batch_size, loader->dataset->size - loader->next);
    if (count == 0 || (count < loader->batch_size && loader->drop_last))
        return DLVIZ_OK;
    DLZ_TRY(dlviz_tensor_slice(loader->samples, 0, count, &loader->batch_samples));
    if (loader->labels)
        DLZ_TRY(dlviz_tensor_slice(loader->labels, 0, count, &loader->batch_labels));
    dlz_dataset_load_parallel(loader->dataset, loader->order + loader->next, count,
                              loader->samples->data, loader->labels ? loader->labels->data : NULL);
    loader->next += count;
    *samples = loader->batch_samples;
    if (labels)
        *labels = loader->batch_labels;
    return DLVIZ_OK;
}

dlviz_status dlviz_loader_rewind(dlviz_loader *loader, int64_t epoch) {
    DLZ_REQUIRE(loader);
    if (epoch < 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: epoch %lld; 0 or more are accepted",
                        __func__, (long long)epoch);
    loader->epoch = epoch;
    start_epoch(loader);
    return DLVIZ_OK;
}
