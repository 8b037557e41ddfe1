#include "data/dataset.h"
#include "base/base.h"
#include "tensor/tensor.h"
#include <dlviz/loader.h>

#include <string.h>

/* The parts of a batch. */
enum { SAMPLES, TARGETS, WEIGHTS, NUM_PARTS };

struct dlviz_loader {
    dlviz_dataset *dataset; /* its own handle on the samples */
    int64_t batch_size, epoch, next;
    bool shuffled, drop_last;
    uint64_t seed;
    int64_t *order;                 /* positions in this epoch's order */
    dlviz_tensor *room[NUM_PARTS];  /* for a whole batch; NULL: not a part of this dataset's */
    dlviz_tensor *batch[NUM_PARTS]; /* views of it: what `next` gave last */
};

static dlviz_status make_room(dlviz_loader *loader) {
    const dlviz_dataset *dataset = loader->dataset;
    int64_t dims[4] = {dlz_min_i64(loader->batch_size, dataset->num_samples)};
    memcpy(dims + 1, dataset->dims, sizeof dataset->dims);
    DLZ_TRY(dlz_tensor_create_raw(&loader->room[SAMPLES], DLVIZ_FLOAT32, 1 + dataset->ndim, dims));
    if (dataset->weights)
        DLZ_TRY(dlz_tensor_create_raw(&loader->room[WEIGHTS], DLVIZ_FLOAT32, 1, dims));
    if (!dataset->labels && !dataset->targets)
        return DLVIZ_OK;
    memcpy(dims + 1, dataset->target_dims, sizeof dataset->target_dims);
    return dlz_tensor_create_raw(&loader->room[TARGETS], dlz_dataset_target_dtype(dataset),
                                 1 + dataset->target_ndim, dims);
}

static void start_epoch(dlviz_loader *loader) {
    loader->next = 0;
    if (loader->shuffled)
        dlz_epoch_order(loader->seed, loader->epoch, loader->dataset->num_samples, loader->order);
    else
        for (int64_t i = 0; i < loader->dataset->num_samples; i++)
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
    int64_t size = dataset->num_samples;
    dlviz_status status = dlviz_dataset_take(dataset, 0, size, &loader->dataset);
    if (status == DLVIZ_OK)
        status = make_room(loader);
    if (status == DLVIZ_OK) {
        loader->order = dlz_alloc_array((uint64_t)size, sizeof *loader->order);
        if (!loader->order)
            status = dlz_fail_memory("an epoch's order", (uint64_t)size * sizeof(int64_t));
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
    for (int part = 0; part < NUM_PARTS; part++) {
        dlviz_tensor_destroy(loader->batch[part]);
        loader->batch[part] = NULL;
    }
}

void dlviz_loader_destroy(dlviz_loader *loader) {
    if (!loader)
        return;
    drop_batch(loader);
    for (int part = 0; part < NUM_PARTS; part++)
        dlviz_tensor_destroy(loader->room[part]);
    dlviz_dataset_destroy(loader->dataset);
    dlz_free(loader->order);
    dlz_free(loader);
}

dlviz_status dlviz_loader_set_shuffle(dlviz_loader *loader, bool shuffle) {
    DLZ_REQUIRE(loader);
    loader->shuffled = shuffle;
    start_epoch(loader);
    return DLVIZ_OK;
}

bool dlviz_loader_is_shuffled(const dlviz_loader *loader) {
    return loader && loader->shuffled;
}

dlviz_status dlviz_loader_set_seed(dlviz_loader *loader, uint64_t seed) {
    DLZ_REQUIRE(loader);
    loader->seed = seed;
    start_epoch(loader);
    return DLVIZ_OK;
}

uint64_t dlviz_loader_seed(const dlviz_loader *loader) {
    return loader ? loader->seed : 0;
}

dlviz_status dlviz_loader_set_drop_last(dlviz_loader *loader, bool drop_last) {
    DLZ_REQUIRE(loader);
    int64_t size = loader->dataset->num_samples;
    if (drop_last && loader->batch_size > size)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: with a batch size of %lld and %lld samples there would be no batch",
                        __func__, (long long)loader->batch_size, (long long)size);
    loader->drop_last = drop_last;
    return DLVIZ_OK;
}

bool dlviz_loader_drops_last(const dlviz_loader *loader) {
    return loader && loader->drop_last;
}

int64_t dlviz_loader_batch_size(const dlviz_loader *loader) {
    return loader ? loader->batch_size : 0;
}

int64_t dlviz_loader_num_batches(const dlviz_loader *loader) {
    if (!loader)
        return 0;
    int64_t size = loader->dataset->num_samples, whole = size / loader->batch_size;
    return whole + (size % loader->batch_size != 0 && !loader->drop_last);
}

int64_t dlviz_loader_epoch(const dlviz_loader *loader) {
    return loader ? loader->epoch : 0;
}

static void load_batch(dlviz_loader *loader, const int64_t *indices, int64_t count) {
    const dlviz_dataset *dataset = loader->dataset;
    dlviz_tensor **room = loader->room;
    dlz_dataset_load_parallel(dataset, indices, count, room[SAMPLES]->data);
    if (room[TARGETS])
        dlz_dataset_load_targets_parallel(dataset, indices, count, room[TARGETS]->data);
    if (dataset->weights)
        dlz_dataset_load_weights(dataset, indices, count, room[WEIGHTS]->data);
}

dlviz_status dlviz_loader_next(dlviz_loader *loader, const dlviz_tensor **samples,
                               const dlviz_tensor **targets) {
    if (targets)
        *targets = NULL;
    DLZ_REQUIRE_OUT(samples);
    DLZ_REQUIRE(loader);
    drop_batch(loader);
    int64_t count = dlz_min_i64(loader->batch_size, loader->dataset->num_samples - loader->next);
    if (count == 0 || (count < loader->batch_size && loader->drop_last))
        return DLVIZ_OK;
    for (int part = 0; part < NUM_PARTS; part++)
        if (loader->room[part])
            DLZ_TRY(dlviz_tensor_slice(loader->room[part], 0, count, &loader->batch[part]));
    load_batch(loader, loader->order + loader->next, count);
    loader->next += count;
    *samples = loader->batch[SAMPLES];
    if (targets)
        *targets =
            dlviz_dataset_targets_are_samples(loader->dataset) ? *samples : loader->batch[TARGETS];
    return DLVIZ_OK;
}

const dlviz_tensor *dlviz_loader_weights(const dlviz_loader *loader) {
    return loader ? loader->batch[WEIGHTS] : NULL;
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
