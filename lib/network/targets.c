/* The targets of batches. */
#include "network/targets.h"
#include "base/base.h"
#include "base/failures.h"
#include "base/parallel.h"
#include "layers/transpose.h"
#include "network/network.h"
#include "tensor/tensor.h"

#include <assert.h>
#include <string.h>

dlviz_status dlz_network_check_target_shape(const dlviz_network *network, const char *who,
                                            const dlviz_dataset *dataset) {
    const dlviz_loss *loss = network->loss;
    const dlz_shape *output = dlz_network_output(network);
    DLZ_TRY(dlz_loss_check_output(loss, who, output));
    if (dlz_dataset_target_kind(dataset) == DLZ_TARGETS_NONE)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the dataset has no targets; the loss %s takes %s", who, loss->name,
                        loss->takes_labels ? "class labels" : "numbers of the outputs' shape");
    dlz_target_shape targets = {.labels = dlz_dataset_target_dtype(dataset) == DLVIZ_INT64,
                                .ndim = dlz_dataset_target_ndim(dataset),
                                .dims = dlz_dataset_target_dims(dataset)};
    return dlz_loss_check(loss, who, output, targets);
}

typedef struct label_check {
    const dlviz_loss *loss;
    const char *who;
    int64_t outputs;
} label_check;

static dlviz_status see_labels(void *context, int64_t position, const int64_t *labels,
                               int64_t count) {
    const label_check *check = context;
    for (int64_t i = 0; i < count; i++)
        if (!dlz_loss_takes_label(check->loss, labels[i], check->outputs))
            return dlz_loss_fail_label(check->loss, check->who, position, labels[i],
                                       check->outputs);
    return DLVIZ_OK;
}

dlviz_status dlz_network_check_targets(const dlviz_network *network, const char *who,
                                       const dlviz_dataset *dataset) {
    label_check check = {network->loss, who, dlz_network_output(network)->dims[0]};
    int64_t smallest, largest;
    DLZ_TRY(dlz_network_check_target_shape(network, who, dataset));
    if (!dlz_dataset_label_range(dataset, &smallest, &largest) ||
        (smallest >= 0 && largest < check.outputs))
        return DLVIZ_OK;
    return dlz_dataset_each_label(dataset, see_labels, &check);
}

/* Numbers come in PyTorch's order; the outputs that they are compared with are channels-last. */
typedef struct target_pass {
    const dlz_value *out;
    const dlz_run *run;
    const dlviz_dataset *dataset; /* or NULL: `numbers` */
    const int64_t *indices;
    const dlz_variant *variant; /* of the dataset's; NULL: as they are */
    const float *numbers;
    float *targets;
    dlz_failures failures;
} target_pass;

static dlviz_status load_target(const target_pass *pass, int64_t sample, int worker) {
    const dlz_value *out = pass->out;
    int64_t size = dlz_value_size(out), pixels = out->height * out->width;
    float *to = pass->targets + sample * size;
    bool reorder = out->channels > 1 && pixels > 1;
    const float *from = pass->numbers ? pass->numbers + sample * size : NULL;
    if (pass->dataset) {
        float *scratch = dlz_run_scratch(pass->run, worker), *loaded = reorder ? scratch : to;
        DLZ_TRY(pass->variant
                    ? dlz_dataset_load_target_variant(pass->dataset, pass->variant,
                                                      pass->indices[sample], scratch + size, loaded)
                    : dlz_dataset_load_targets(pass->dataset, pass->indices + sample, 1, loaded));
        from = loaded;
    }
    assert(from);
    if (reorder)
        dlz_transpose_image(from, out->channels, pixels, to);
    else if (from != to)
        memcpy(to, from, (size_t)size * sizeof *to);
    return DLVIZ_OK;
}

static void target_tile(void *context, int64_t sample, int worker) {
    target_pass *pass = context;
    dlz_failures_note(&pass->failures, sample, load_target(pass, sample, worker));
}

static dlviz_status load_numbers(dlz_plan *plan, target_pass *pass) {
    pass->out = dlz_plan_output(plan);
    pass->run = dlz_plan_run(plan);
    dlz_failures_init(&pass->failures);
    dlz_parallel_for(pass->run->batch.all, pass->run->workers, target_tile, pass);
    return dlz_failures_tell(&pass->failures);
}

/* Those of n samples, which a loss is about to count by: whoever owns maps may have changed them
 * since they were checked. `names`: how sentences call the samples; NULL: 0 … n − 1. */
static dlviz_status check_labels(const dlviz_network *network, const char *who, int64_t n,
                                 int64_t num_labels, const int64_t *labels, const int64_t *names) {
    int64_t outputs = dlz_network_output(network)->dims[0];
    for (int64_t i = 0; i < n * num_labels; i++)
        if ((uint64_t)labels[i] >= (uint64_t)outputs &&
            !dlz_loss_takes_label(network->loss, labels[i], outputs)) {
            int64_t sample = i / num_labels;
            return dlz_loss_fail_label(network->loss, who, names ? names[sample] : sample,
                                       labels[i], outputs);
        }
    return DLVIZ_OK;
}

/* Of a plan's batch, as they are: labels are yet to be checked. */
dlviz_status dlz_load_targets(dlz_plan *plan, const dlviz_dataset *dataset, const int64_t *indices,
                              const dlz_extras *room) {
    int64_t n = dlz_plan_run(plan)->batch.all;
    dlz_dataset_load_weights(dataset, indices, n, room->weights);
    if (dlz_dataset_target_dtype(dataset) != DLVIZ_INT64) {
        target_pass pass = {.dataset = dataset, .indices = indices, .targets = room->targets};
        return load_numbers(plan, &pass);
    }
    return dlz_dataset_target_kind(dataset) == DLZ_TARGETS_LABELS
               ? dlz_dataset_load_targets(dataset, indices, n, room->targets)
               : dlz_dataset_load_targets_parallel(dataset, indices, n, room->targets);
}

dlviz_status dlz_check_targets(const dlviz_network *network, const char *who, int64_t n,
                               const dlviz_dataset *dataset, const int64_t *indices,
                               const dlz_extras *room) {
    if (dlz_dataset_target_dtype(dataset) != DLVIZ_INT64)
        return DLVIZ_OK;
    return check_labels(network, who, n, dlz_dataset_target_size(dataset), room->targets, indices);
}

dlviz_status dlz_load_checked_targets(const dlviz_network *network, const char *who, dlz_plan *plan,
                                      const dlviz_dataset *dataset, const int64_t *indices,
                                      const dlz_extras *room) {
    DLZ_TRY(dlz_load_targets(plan, dataset, indices, room));
    return dlz_check_targets(network, who, dlz_plan_run(plan)->batch.all, dataset, indices, room);
}

/* The same for samples that are augmented. */
dlviz_status dlz_load_augmented_targets(const dlviz_network *network, const char *who,
                                        dlz_plan *plan, const dlz_augmented *input,
                                        const dlz_extras *room) {
    const dlviz_dataset *dataset = input->dataset;
    if (dlz_dataset_target_dtype(dataset) != DLVIZ_INT64) {
        dlz_augmented_load_weights(input, room->weights);
        target_pass pass = {.dataset = dataset,
                            .indices = input->indices,
                            .variant = input->variant,
                            .targets = room->targets};
        return load_numbers(plan, &pass);
    }
    dlz_dataset_load_weights(dataset, input->indices, input->n, room->weights);
    DLZ_TRY(dlz_augmented_load_labels(input, room->targets));
    return check_labels(network, who, input->n, dlz_dataset_target_size(dataset), room->targets,
                        input->indices);
}

/* The labels of the samples that those of a batch are mixed with. */
dlviz_status dlz_load_partners(dlviz_network *network, const char *who, dlz_plan *plan,
                               const dlz_augmented *input, const dlz_extras *room) {
    int64_t labels = dlz_dataset_target_size(input->dataset);
    DLZ_TRY(
        dlz_augmented_make_room(network, input->n, labels, dlz_value_size(dlz_plan_output(plan))));
    const dlz_mixture *mixture = &network->mixture;
    DLZ_TRY(dlz_augmented_mix(input, mixture, room->weights));
    return check_labels(network, who, input->n, labels, mixture->labels, mixture->positions);
}

dlz_label_layout dlz_label_layout_of(const dlviz_dataset *dataset) {
    return (dlz_label_layout){dlz_dataset_target_size(dataset),
                              dlz_dataset_target_kind(dataset) == DLZ_TARGETS_LABEL_MAPS};
}

/* Outputs of n samples, channels-last, and targets and weights that have been loaded. */
dlz_loss_batch dlz_loss_batch_of(const dlviz_network *network, int64_t n, int64_t channels,
                                 const float *outputs, dlz_label_layout layout,
                                 const dlz_extras *room) {
    bool labels = network->loss->takes_labels;
    const dlz_shape *shape = dlz_network_output(network);
    return (dlz_loss_batch){.n = n,
                            .num_labels = layout.num_labels,
                            .label_maps = layout.maps,
                            .shape = *shape,
                            .size = dlz_shape_size(shape),
                            .channels = channels,
                            .outputs = outputs,
                            .labels = labels ? room->targets : NULL,
                            .targets = labels ? NULL : room->targets,
                            .weights = room->weights,
                            .losses = room->losses};
}

dlviz_status dlz_load_target_numbers(dlz_plan *plan, const float *numbers, float *targets) {
    target_pass pass = {.numbers = numbers, .targets = targets};
    return load_numbers(plan, &pass);
}
