#include "data/dataset.h"
#include "base/base.h"
#include "tensor/tensor.h"
#include <dlviz/loader.h>

#include <string.h>

/* The parts of a batch. */
enum { SAMPLES, TARGETS, WEIGHTS, PARTNER_TARGETS, SHARES, NUM_PARTS };

struct dlviz_loader {
    dlviz_dataset *dataset; /* its own handle on the samples */
    int64_t batch_size, epoch, next;
    bool shuffled, drop_last, augments;
    uint64_t seed;
    int64_t *order;                 /* positions in this epoch's order */
    dlviz_tensor *room[NUM_PARTS];  /* for a whole batch; NULL: not a part of this dataset's */
    dlviz_tensor *batch[NUM_PARTS]; /* views of it: what `next` gave last */
};

static int64_t largest_batch(const dlviz_loader *loader) {
    return dlz_min_i64(loader->batch_size, loader->dataset->num_samples);
}

static dlviz_status make_targets_room(const dlviz_loader *loader, dlviz_tensor **room) {
    const dlviz_dataset *dataset = loader->dataset;
    int ndim = dlz_dataset_target_ndim(dataset);
    int64_t dims[4] = {largest_batch(loader)};
    if (ndim > 0)
        memcpy(dims + 1, dlz_dataset_target_dims(dataset), (size_t)ndim * sizeof *dims);
    return dlz_tensor_create_raw(room, dlz_dataset_target_dtype(dataset), 1 + ndim, dims);
}

static dlviz_status make_room(dlviz_loader *loader) {
    const dlviz_dataset *dataset = loader->dataset;
    int64_t dims[4] = {largest_batch(loader)};
    memcpy(dims + 1, dataset->dims, sizeof dataset->dims);
    DLZ_TRY(dlz_tensor_create_raw(&loader->room[SAMPLES], DLVIZ_FLOAT32, 1 + dataset->ndim, dims));
    if (dataset->weights)
        DLZ_TRY(dlz_tensor_create_raw(&loader->room[WEIGHTS], DLVIZ_FLOAT32, 1, dims));
    return dataset->labels || dataset->targets ? make_targets_room(loader, &loader->room[TARGETS])
                                               : DLVIZ_OK;
}

/* What there is besides where samples are augmented: targets that differ from the samples, and
 * partners. */
static dlviz_status make_room_to_augment(dlviz_loader *loader) {
    const dlviz_dataset *dataset = loader->dataset;
    int64_t n = largest_batch(loader);
    dlviz_tensor **room = loader->room;
    if (!room[TARGETS] && dataset->augmentations.input_only &&
        dlviz_dataset_targets_are_samples(dataset))
        DLZ_TRY(make_targets_room(loader, &room[TARGETS]));
    if (!dataset->augmentations.mix)
        return DLVIZ_OK;
    if (!room[PARTNER_TARGETS] && dlz_dataset_target_dtype(dataset) == DLVIZ_INT64)
        DLZ_TRY(make_targets_room(loader, &room[PARTNER_TARGETS]));
    return room[SHARES] ? DLVIZ_OK : dlz_tensor_create_raw(&room[SHARES], DLVIZ_FLOAT32, 1, &n);
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

dlviz_status dlviz_loader_set_augment(dlviz_loader *loader, bool augment) {
    DLZ_REQUIRE(loader);
    if (augment) {
        DLZ_TRY(dlz_dataset_check_augmentations(loader->dataset, __func__));
        DLZ_TRY(make_room_to_augment(loader));
    }
    loader->augments = augment && dlz_dataset_is_augmented(loader->dataset);
    start_epoch(loader);
    return DLVIZ_OK;
}

bool dlviz_loader_augments(const dlviz_loader *loader) {
    return loader && loader->augments;
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

static void *data_of(const dlviz_tensor *room) {
    return room ? room->data : NULL;
}

static dlviz_status load_augmented(dlviz_loader *loader, const int64_t *indices, int64_t count) {
    const dlviz_dataset *dataset = loader->dataset;
    dlviz_tensor **room = loader->room;
    dlz_variant variant = {.seed = loader->seed, .epoch = loader->epoch};
    DLZ_TRY(dlz_dataset_load_variants(dataset, &variant, indices, count, room[SAMPLES]->data,
                                      data_of(room[TARGETS]), data_of(room[PARTNER_TARGETS])));
    float *shares = data_of(room[SHARES]);
    for (int64_t i = 0, partner; shares && i < count; i++)
        shares[i] = (float)dlz_dataset_partner(dataset, &variant, indices[i], &partner);
    if (dataset->weights && dlz_dataset_target_dtype(dataset) == DLVIZ_FLOAT32)
        dlz_dataset_load_mixed_weights(dataset, &variant, indices, count, room[WEIGHTS]->data);
    else if (dataset->weights)
        dlz_dataset_load_weights(dataset, indices, count, room[WEIGHTS]->data);
    return DLVIZ_OK;
}

static dlviz_status load_plain(dlviz_loader *loader, const int64_t *indices, int64_t count) {
    const dlviz_dataset *dataset = loader->dataset;
    dlviz_tensor **room = loader->room;
    DLZ_TRY(dlz_dataset_load_parallel(dataset, indices, count, room[SAMPLES]->data));
    if (room[TARGETS] && !dlviz_dataset_targets_are_samples(dataset))
        DLZ_TRY(dlz_dataset_load_targets_parallel(dataset, indices, count, room[TARGETS]->data));
    if (dataset->weights)
        dlz_dataset_load_weights(dataset, indices, count, room[WEIGHTS]->data);
    return DLVIZ_OK;
}

/* What only augmented batches have is kept for the next of them. */
static bool is_given(const dlviz_loader *loader, int part) {
    bool always = part == SAMPLES || part == WEIGHTS ||
                  (part == TARGETS && !dlviz_dataset_targets_are_samples(loader->dataset));
    return loader->room[part] && (always || loader->augments);
}

static dlviz_status load_batch(dlviz_loader *loader, int64_t count) {
    for (int part = 0; part < NUM_PARTS; part++)
        if (is_given(loader, part))
            DLZ_TRY(dlviz_tensor_slice(loader->room[part], 0, count, &loader->batch[part]));
    const int64_t *indices = loader->order + loader->next;
    return loader->augments ? load_augmented(loader, indices, count)
                            : load_plain(loader, indices, count);
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
    dlviz_status status = load_batch(loader, count);
    if (status != DLVIZ_OK) { /* a later call tries again */
        drop_batch(loader);
        return status;
    }
    loader->next += count;
    *samples = loader->batch[SAMPLES];
    if (targets)
        *targets = dlviz_dataset_targets_are_samples(loader->dataset) && !loader->batch[TARGETS]
                       ? *samples
                       : loader->batch[TARGETS];
    return DLVIZ_OK;
}

const dlviz_tensor *dlviz_loader_weights(const dlviz_loader *loader) {
    return loader ? loader->batch[WEIGHTS] : NULL;
}

const dlviz_tensor *dlviz_loader_partner_targets(const dlviz_loader *loader) {
    return loader ? loader->batch[PARTNER_TARGETS] : NULL;
}

const dlviz_tensor *dlviz_loader_shares(const dlviz_loader *loader) {
    return loader ? loader->batch[SHARES] : NULL;
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
