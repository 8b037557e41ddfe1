/* Samples and targets as those who train see them: augmented. */
#include "base/failures.h"
#include "base/parallel.h"
#include "data/dataset.h"
#include "data/warp.h"
#include "tensor/rows.h"
#include "tensor/tensor.h"

#include <string.h>

/* The numbers that one augmentation draws for one sample. */
static dlz_random draws(const dlz_variant *variant, int64_t index, int64_t position) {
    dlz_random random =
        dlz_random_start(variant->seed, DLZ_STREAM_AUGMENT + ((uint64_t)index << 8) +
                                            ((uint64_t)variant->epoch << 32));
    random.counter = (uint64_t)position << 32;
    return random;
}

/* -- One sample ----------------------------------------------------------------------------------
 */

/* The way from pixels to where they come from leads from the last augmentation to the first. */
static dlz_warp geometry(const dlviz_dataset *dataset, const dlz_variant *variant,
                         int64_t position) {
    const dlz_augmentations *augmentations = &dataset->augmentations;
    int64_t height = dataset->transform.rows.to, width = dataset->transform.columns.to;
    dlz_map all = dlz_map_none;
    for (int64_t i = 0; i < augmentations->count; i++) {
        const dlviz_augmentation *augmentation = augmentations->list[i];
        if (!augmentation->type->map)
            continue;
        dlz_random random = draws(variant, i, position);
        dlz_map map = dlz_map_none;
        augmentation->type->map(augmentation, &random, height, width, &map);
        all = dlz_map_compose(&all, &map);
    }
    return dlz_warp_of(&all, height, width);
}

static void change_values(const dlviz_dataset *dataset, const dlz_variant *variant,
                          int64_t position, bool is_target, float *values) {
    const dlz_augmentations *augmentations = &dataset->augmentations;
    const dlz_transform *t = &dataset->transform;
    dlz_picture picture = {.values = values,
                           .channels = t->channels,
                           .height = t->rows.to,
                           .width = t->columns.to,
                           .limited = t->dtype == DLVIZ_UINT8};
    for (int64_t i = 0; i < augmentations->count; i++) {
        const dlviz_augmentation *augmentation = augmentations->list[i];
        if (!augmentation->type->change || (is_target && augmentation->type->input_only))
            continue;
        dlz_random random = draws(variant, i, position);
        augmentation->type->change(augmentation, &random, &picture);
    }
}

/* Augmented, not mixed and not normalized yet. `room`: for one sample. */
static dlviz_status load_own(const dlviz_dataset *dataset, const dlz_variant *variant,
                             int64_t position, bool is_target, float *room, float *to) {
    const dlz_transform *t = &dataset->transform;
    bool moves = dataset->augmentations.moves_pixels;
    const void *sample;
    void *block;
    DLZ_TRY(dlz_dataset_fetch(dataset, position, &sample, &block));
    dlz_transform_load(t, sample, moves ? room : to);
    dlz_dataset_done(dataset, block);
    if (moves) {
        dlz_warp warp = geometry(dataset, variant, position);
        dlz_warp_floats(&warp, t->channels, room, (float)dataset->augmentations.fill, to);
    }
    change_values(dataset, variant, position, is_target, to);
    return DLVIZ_OK;
}

/* The sample's own share is the larger one, so that the partner's is what is added: where that is
 * nothing the sample remains, however large its partner. Halves, for a difference may be beyond
 * float32 where both numbers are not. */
static void mix(double share, int64_t count, const float *partner, float *own) {
    float twice = (float)(2 * (1 - share));
    for (int64_t i = 0; i < count; i++)
        own[i] += twice * (0.5f * partner[i] - 0.5f * own[i]);
}

/* The same of what comes from bytes, whose differences are within float32 whatever augmentations
 * do. */
static void mix_bytes(double share, int64_t count, const float *partner, float *own) {
    float part = (float)(1 - share);
    for (int64_t i = 0; i < count; i++)
        own[i] += part * (partner[i] - own[i]);
}

double dlz_dataset_partner(const dlviz_dataset *dataset, const dlz_variant *variant,
                           int64_t position, int64_t *partner) {
    const dlz_augmentations *augmentations = &dataset->augmentations;
    *partner = position;
    if (!augmentations->mix || dataset->num_samples == 1)
        return 1;
    dlz_random random = draws(variant, augmentations->mix_index, position);
    int64_t other = (int64_t)dlz_random_below(&random, (uint64_t)dataset->num_samples - 1);
    *partner = other + (other >= position);
    return augmentations->mix->type->share(augmentations->mix, &random);
}

static dlviz_status load_sample(const dlviz_dataset *dataset, const dlz_variant *variant,
                                int64_t position, bool is_target, float *room, float *to) {
    int64_t size = dlz_dataset_sample_size(dataset), partner;
    DLZ_TRY(load_own(dataset, variant, position, is_target, room, to));
    double share = dlz_dataset_partner(dataset, variant, position, &partner);
    if (partner != position) {
        DLZ_TRY(load_own(dataset, variant, partner, is_target, room, room + size));
        (dataset->transform.dtype == DLVIZ_UINT8 ? mix_bytes : mix)(share, size, room + size, to);
    }
    dlz_transform_normalize(&dataset->transform, to);
    return DLVIZ_OK;
}

dlviz_status dlz_dataset_load_variant(const dlviz_dataset *dataset, const dlz_variant *variant,
                                      int64_t position, float *room, float *sample) {
    return load_sample(dataset, variant, position, false, room, sample);
}

/* -- Its targets ---------------------------------------------------------------------------------
 */

static dlviz_status load_map(const dlviz_dataset *dataset, const dlz_variant *variant,
                             int64_t position, int64_t *to) {
    const void *map;
    void *block;
    DLZ_TRY(dlz_dataset_fetch_targets(dataset, position, &map, &block));
    dlz_warp warp = geometry(dataset, variant, position);
    dlz_warp_labels(&warp, dataset->targets->dtype, map, dataset->augmentations.label_fill, to);
    dlz_row_done(block);
    return DLVIZ_OK;
}

/* Not mixed yet. */
static dlviz_status load_floats(const dlviz_dataset *dataset, const dlz_variant *variant,
                                int64_t position, float *to) {
    if (!dataset->augmentations.moves_pixels || dataset->target_ndim != 3)
        return dlz_dataset_load_targets(dataset, &position, 1, to);
    const void *from;
    void *block;
    DLZ_TRY(dlz_dataset_fetch_targets(dataset, position, &from, &block));
    dlz_warp warp = geometry(dataset, variant, position);
    dlz_warp_floats(&warp, dataset->target_dims[0], from, (float)dataset->augmentations.fill, to);
    dlz_row_done(block);
    return DLVIZ_OK;
}

static dlviz_status load_mixed_floats(const dlviz_dataset *dataset, const dlz_variant *variant,
                                      int64_t position, float *room, float *to) {
    int64_t partner;
    DLZ_TRY(load_floats(dataset, variant, position, to));
    double share = dlz_dataset_partner(dataset, variant, position, &partner);
    if (partner == position)
        return DLVIZ_OK;
    DLZ_TRY(load_floats(dataset, variant, partner, room));
    mix(share, dlz_dataset_target_size(dataset), room, to);
    return DLVIZ_OK;
}

dlviz_status dlz_dataset_load_target_variant(const dlviz_dataset *dataset,
                                             const dlz_variant *variant, int64_t position,
                                             float *room, void *target) {
    if (dataset->target_kind == DLZ_TARGETS_SAMPLES)
        return load_sample(dataset, variant, position, true, room, target);
    if (dataset->target_kind == DLZ_TARGETS_FLOATS)
        return load_mixed_floats(dataset, variant, position, room, target);
    return dlz_dataset_fills_labels(dataset)
               ? load_map(dataset, variant, position, target)
               : dlz_dataset_load_targets(dataset, &position, 1, target);
}

void dlz_dataset_load_mixed_weights(const dlviz_dataset *dataset, const dlz_variant *variant,
                                    const int64_t *indices, int64_t count, float *weights) {
    dlz_dataset_load_weights(dataset, indices, count, weights);
    for (int64_t i = 0; dataset->weights && i < count; i++) {
        int64_t partner;
        double share = dlz_dataset_partner(dataset, variant, indices[i], &partner);
        mix(share, 1, (const float *)dataset->weights->data + partner, &weights[i]);
    }
}

int64_t dlz_dataset_variant_room(const dlviz_dataset *dataset) {
    int64_t floats =
        dataset->target_kind == DLZ_TARGETS_FLOATS ? dlz_dataset_target_size(dataset) : 0;
    return dlz_max_i64(2 * dlz_dataset_sample_size(dataset), floats);
}

/* -- With all threads ----------------------------------------------------------------------------
 */

typedef struct variant_pass {
    const dlviz_dataset *dataset;
    const dlz_variant *variant;
    const int64_t *indices;
    float *rooms; /* one a worker */
    float *samples;
    char *targets, *partner_targets;
    dlz_failures failures;
} variant_pass;

static dlviz_status load_one(const variant_pass *pass, int64_t i, int worker) {
    const dlviz_dataset *dataset = pass->dataset;
    size_t target_bytes = (size_t)dlz_dataset_target_size(dataset) *
                          dlviz_dtype_size(dlz_dataset_target_dtype(dataset));
    float *room = pass->rooms + worker * dlz_dataset_variant_room(dataset);
    int64_t position = pass->indices[i], partner;
    if (pass->samples)
        DLZ_TRY(dlz_dataset_load_variant(dataset, pass->variant, position, room,
                                         pass->samples + i * dlz_dataset_sample_size(dataset)));
    if (pass->targets)
        DLZ_TRY(dlz_dataset_load_target_variant(dataset, pass->variant, position, room,
                                                pass->targets + (size_t)i * target_bytes));
    if (!pass->partner_targets)
        return DLVIZ_OK;
    dlz_dataset_partner(dataset, pass->variant, position, &partner);
    return dlz_dataset_load_target_variant(dataset, pass->variant, partner, room,
                                           pass->partner_targets + (size_t)i * target_bytes);
}

static void variant_tile(void *context, int64_t i, int worker) {
    variant_pass *pass = context;
    if (dlz_failures_before(&pass->failures, i))
        return;
    dlz_failures_note(&pass->failures, i, load_one(pass, i, worker));
}

dlviz_status dlz_dataset_load_variants(const dlviz_dataset *dataset, const dlz_variant *variant,
                                       const int64_t *indices, int64_t count, float *samples,
                                       void *targets, void *partner_targets) {
    int threads = dlz_threads();
    uint64_t room = (uint64_t)dlz_dataset_variant_room(dataset) * sizeof(float);
    variant_pass pass = {.dataset = dataset,
                         .variant = variant,
                         .indices = indices,
                         .rooms = dlz_alloc_array((uint64_t)threads, room),
                         .samples = samples,
                         .targets = targets,
                         .partner_targets = partner_targets};
    if (!pass.rooms)
        return dlz_fail_memory("samples that are augmented", (uint64_t)threads * room);
    dlz_failures_init(&pass.failures);
    dlz_parallel_for(count, threads, variant_tile, &pass);
    dlz_free(pass.rooms);
    return dlz_failures_tell(&pass.failures);
}
