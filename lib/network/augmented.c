#include "network/augmented.h"
#include "base/base.h"
#include "base/failures.h"
#include "base/parallel.h"

/* -- Checks --------------------------------------------------------------------------------------
 */

dlviz_status dlz_augmented_check(const dlviz_network *network, const char *who,
                                 const dlviz_dataset *dataset) {
    DLZ_TRY(dlz_dataset_check_augmentations(dataset, who));
    const dlviz_loss *loss = network->loss;
    int64_t label = dlviz_dataset_label_fill(dataset);
    int64_t outputs = dlz_network_output(network)->dims[0];
    if (!dlz_dataset_fills_labels(dataset) || dlz_loss_takes_label(loss, label, outputs))
        return DLVIZ_OK;
    const char *how = loss->type->how_to_let_pass;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                    "%s: augmentations bring in pixels of label %lld, which "
                    "dlviz_dataset_set_label_fill changes; the network's %lld outputs allow 0 to "
                    "%lld%s%s",
                    who, (long long)label, (long long)outputs, (long long)outputs - 1,
                    how ? ", and " : "", how ? how : "");
}

bool dlz_augmented_mixes_labels(const dlz_augmented *batch) {
    return batch->dataset->augmentations.mix &&
           dlz_dataset_target_dtype(batch->dataset) == DLVIZ_INT64;
}

/* -- Labels --------------------------------------------------------------------------------------
 */

typedef struct label_pass {
    const dlz_augmented *batch;
    const int64_t *positions;
    int64_t *labels;
    dlz_failures failures;
} label_pass;

/* Labels need no room. */
static void label_tile(void *context, int64_t i, int worker) {
    (void)worker;
    label_pass *pass = context;
    const dlviz_dataset *dataset = pass->batch->dataset;
    dlz_failures_note(
        &pass->failures, i,
        dlz_dataset_load_target_variant(dataset, pass->batch->variant, pass->positions[i], NULL,
                                        pass->labels + i * dlz_dataset_target_size(dataset)));
}

/* One label is not worth threads; a map is. */
static dlviz_status load_labels(const dlz_augmented *batch, const int64_t *positions,
                                int64_t *labels) {
    label_pass pass = {.batch = batch, .positions = positions, .labels = labels};
    int threads = dlz_dataset_target_size(batch->dataset) == 1 ? 1 : dlz_threads();
    dlz_failures_init(&pass.failures);
    dlz_parallel_for(batch->n, threads, label_tile, &pass);
    return dlz_failures_tell(&pass.failures);
}

dlviz_status dlz_augmented_load_labels(const dlz_augmented *batch, int64_t *labels) {
    return load_labels(batch, batch->indices, labels);
}

void dlz_augmented_load_weights(const dlz_augmented *batch, float *weights) {
    dlz_dataset_load_mixed_weights(batch->dataset, batch->variant, batch->indices, batch->n,
                                   weights);
}

/* -- Mixtures ------------------------------------------------------------------------------------
 */

dlviz_status dlz_augmented_make_room(dlviz_network *network, int64_t n, int64_t num_labels,
                                     int64_t outputs) {
    dlz_mixture *room = &network->mixture;
    if (n * num_labels <= room->most_labels && n * outputs <= room->most_outputs &&
        n <= room->most_samples)
        return DLVIZ_OK;
    dlz_mixture_release(room);
    room->positions = dlz_alloc_array((uint64_t)n, sizeof *room->positions);
    room->labels = dlz_alloc_array((uint64_t)(n * num_labels), sizeof *room->labels);
    room->weights = dlz_alloc_array((uint64_t)n, sizeof *room->weights);
    room->gradient = dlz_alloc_array((uint64_t)(n * outputs), sizeof *room->gradient);
    if (!room->positions || !room->labels || !room->weights || !room->gradient) {
        dlz_mixture_release(room);
        return dlz_fail_memory("a mixed batch", (uint64_t)(n * outputs) * sizeof(float));
    }
    room->most_samples = n;
    room->most_labels = n * num_labels;
    room->most_outputs = n * outputs;
    return DLVIZ_OK;
}

dlviz_status dlz_augmented_mix(const dlz_augmented *batch, const dlz_mixture *mixture,
                               float *weights) {
    for (int64_t i = 0; i < batch->n; i++) {
        double share = dlz_dataset_partner(batch->dataset, batch->variant, batch->indices[i],
                                           &mixture->positions[i]);
        float partner;
        dlz_dataset_load_weights(batch->dataset, &mixture->positions[i], 1, &partner);
        weights[i] = (float)(share * (double)weights[i]);
        mixture->weights[i] = (float)((1 - share) * (double)partner);
    }
    return load_labels(batch, mixture->positions, mixture->labels);
}
