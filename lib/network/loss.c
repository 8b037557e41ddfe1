/* What a network is trained on: its loss, and the steps that lower it. */
#include "base/base.h"
#include "data/dataset.h"
#include "network/network.h"
#include "network/run.h"
#include "network/targets.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

/* -- The loss ------------------------------------------------------------------------------------
 */

static dlviz_status set_loss(dlviz_network *network, const char *who, dlviz_loss *loss) {
    DLZ_NOT_CANCELLED;
    if (!network)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'network' is NULL", who);
    DLZ_TRY(dlz_part_check_handed(who, &dlz_loss_noun, (const dlz_part *)loss));
    if (atomic_load(&network->trainers) > 0)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: a trainer was made for the network; the loss comes before it", who);
    dlz_hold hold __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    DLZ_TRY(dlz_busy_take(who, &network->busy, "network", DLZ_ALONE, &hold));
    if (network->built)
        DLZ_TRY(dlz_loss_check_set_weights(loss, who, dlz_network_output(network)));
    network->loss->part.owned = false;
    dlviz_loss_destroy(network->loss);
    network->loss = loss;
    loss->part.owned = true;
    return DLVIZ_OK;
}

dlviz_status dlviz_network_set_loss(dlviz_network *network, dlviz_loss *loss) {
    dlviz_status status = set_loss(network, __func__, loss);
    if (status != DLVIZ_OK)
        dlviz_loss_destroy(loss);
    return status;
}

const dlviz_loss *dlviz_network_loss(const dlviz_network *network) {
    return network ? network->loss : NULL;
}

static void give(double *to, double value) {
    if (to)
        *to = value;
}

/* -- Training ------------------------------------------------------------------------------------
 */

static dlviz_status training_plan(dlviz_network *network, int64_t n, uint64_t seed, uint64_t step,
                                  dlz_plan **plan) {
    DLZ_TRY(dlz_graph_check_batch(&network->graph, network->graph.num_nodes - 1, n));
    DLZ_TRY(dlz_plan_get(&network->plans, &network->graph, network->graph.num_nodes - 1,
                         DLZ_TRAINING, n, plan));
    dlz_run *run = dlz_plan_run(*plan);
    run->seed = seed;
    run->step = step;
    return DLVIZ_OK;
}

dlviz_status dlz_network_share_batch(dlviz_network *network, int64_t n, dlz_batch *batch) {
    dlz_plan *plan;
    DLZ_TRY(training_plan(network, n, 0, 0, &plan));
    *batch = dlz_plan_run(plan)->batch;
    return DLVIZ_OK;
}

/* What a step is told of the batch that lies in the plan. */
typedef struct step_batch {
    dlz_label_layout layout;
    const int64_t *names; /* how sentences call the samples; NULL: 0 … n − 1 */
    bool mixed;           /* the network's mixture has the other halves of its labels */
} step_batch;

/* The loss and its gradient. */
static dlviz_status add_loss(dlviz_network *network, const char *who, dlz_plan *plan,
                             const step_batch *step, float *gradient, dlz_tally *tally,
                             double *mean) {
    const dlz_value *out = dlz_plan_output(plan);
    const dlz_extras *room = dlz_plan_extras(plan);
    dlz_loss_batch batch =
        dlz_loss_batch_of(network, dlz_plan_run(plan)->batch.all, out->channels,
                          room->outputs ? room->outputs : out->data, step->layout, room);
    batch.names = step->names;
    if (!step->mixed)
        return dlz_loss_add(network->loss, who, &batch, gradient, mean, tally);
    const dlz_mixture *mixture = &network->mixture;
    dlz_loss_batch partners = batch;
    partners.labels = mixture->labels;
    partners.weights = mixture->weights;
    partners.names = mixture->positions;
    return dlz_loss_add_mixed(network->loss, who, &batch, &partners, gradient, mixture->gradient,
                              mean, tally);
}

/* Where processes share the batch, each takes the loss of all of it: outputs are few. */
static dlviz_status share_loss(dlviz_network *network, const char *who, dlz_plan *plan,
                               const step_batch *step, dlz_tally *tally, double *mean) {
    const dlz_extras *room = dlz_plan_extras(plan);
    const dlz_run *run = dlz_plan_run(plan);
    const dlz_value *out = dlz_plan_output(plan);
    if (!run->batch.comm)
        return add_loss(network, who, plan, step, out->dy, tally, mean);
    int64_t size = dlz_value_size(out), first = run->batch.first * size;
    size_t bytes = (size_t)(run->n * size) * sizeof(float);
    memcpy(room->outputs + first, out->data, bytes);
    DLZ_TRY(dlz_batch_gather(&run->batch, room->outputs, run->batch.all,
                             size * (int64_t)sizeof(float)));
    DLZ_TRY(add_loss(network, who, plan, step, room->gradient, tally, mean));
    memcpy(out->dy, room->gradient + first, bytes);
    return DLVIZ_OK;
}

/* Forward, loss and backward on the batch that lies in the plan. */
static dlviz_status run_step(dlviz_network *network, const char *who, dlz_plan *plan,
                             const step_batch *step, dlz_tally *tally, double *mean) {
    DLZ_TRY(dlz_plan_forward(plan));
    network->has_gradients = network->fresh_gradients = false;
    if (network->stale_gradients)
        memset(network->gradients, 0,
               (size_t)network->parameter_floats * sizeof *network->gradients);
    network->stale_gradients = false;
    network->plans.running = true;
    dlviz_status status = share_loss(network, who, plan, step, tally, mean);
    network->plans.running = false;
    DLZ_TRY(status);
    if (!isfinite(*mean))
        return DLVIZ_OK;
    DLZ_TRY(dlz_plan_backward(plan));
    network->has_gradients = network->fresh_gradients = true;
    network->gradient_scale = 1;
    return DLVIZ_OK;
}

/* A step that fails leaves the running statistics as they were. */
static dlviz_status train_step(dlviz_network *network, const char *who, dlz_plan *plan,
                               const step_batch *step, dlz_tally *tally, double *mean) {
    dlz_network_keep_buffers(network);
    dlviz_status status = run_step(network, who, plan, step, tally, mean);
    if (status != DLVIZ_OK || !isfinite(*mean))
        dlz_network_put_buffers_back(network);
    return status;
}

dlviz_status dlz_network_train_batch(dlviz_network *network, const char *who,
                                     const dlviz_dataset *dataset, const int64_t *indices,
                                     int64_t n, uint64_t seed, int64_t epoch, uint64_t step,
                                     dlz_tally *tally, double *mean) {
    dlz_plan *plan;
    dlz_variant variant = {.seed = seed, .epoch = epoch};
    dlz_augmented input = {dataset, &variant, indices, n};
    bool augmented = dlz_dataset_is_augmented(dataset);
    if (augmented)
        DLZ_TRY(dlz_augmented_check(network, who, dataset));
    DLZ_TRY(training_plan(network, n, seed, step, &plan));
    const dlz_extras *room = dlz_plan_extras(plan);
    step_batch batch = {.layout = dlz_label_layout_of(dataset),
                        .names = indices,
                        .mixed = augmented && dlz_augmented_mixes_labels(&input)};
    DLZ_TRY(dlz_load_input(plan, &(dlz_input){.dataset = dataset,
                                              .indices = indices + dlz_plan_run(plan)->batch.first,
                                              .variant = augmented ? &variant : NULL}));
    if (augmented)
        DLZ_TRY(dlz_load_augmented_targets(network, who, plan, &input, room));
    else
        DLZ_TRY(dlz_load_checked_targets(network, who, plan, dataset, indices, room));
    if (batch.mixed)
        DLZ_TRY(dlz_load_partners(network, who, plan, &input, room));
    return train_step(network, who, plan, &batch, tally, mean);
}

/* -- One step by hand ----------------------------------------------------------------------------
 */

static dlviz_status check_tensor(const dlviz_network *network, const char *who,
                                 const dlviz_tensor *targets, int64_t n) {
    if (!targets)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'targets' is NULL", who);
    bool labels = targets->dtype != DLVIZ_FLOAT32;
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (targets->ndim < 1 || targets->ndim > 4 || targets->dims[0] != n ||
        (labels && targets->ndim != 1 && targets->ndim != 3))
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'targets' is %s of %s; needs uint8 or int64 labels, one for each "
                        "input (%lld) or each of its pixels, or float32 numbers with %lld in front",
                        who, dlz_shape_text(text, targets->ndim, targets->dims),
                        dlviz_dtype_name(targets->dtype), (long long)n, (long long)n);
    const dlz_shape *output = dlz_network_output(network);
    dlz_target_shape shape = {
        .labels = labels, .ndim = targets->ndim - 1, .dims = targets->dims + 1};
    int64_t numbers[3];
    if (!labels) {
        shape.ndim = dlz_entry_shape(targets, numbers);
        shape.dims = numbers;
    }
    DLZ_TRY(dlz_loss_check(network->loss, who, output, shape));
    for (int64_t i = 0; labels && i < targets->size; i++)
        if (!dlz_loss_takes_label(network->loss, dlz_label_at(targets, i), output->dims[0]))
            return dlz_loss_fail_label(network->loss, who, i / (targets->size / n),
                                       dlz_label_at(targets, i), output->dims[0]);
    return DLVIZ_OK;
}

/* Why the loss is not finite: fails in any case. */
static dlviz_status fail_loss(const dlviz_network *network, const char *who, double loss,
                              const dlviz_tensor *inputs, const dlviz_tensor *targets) {
    const dlz_shape *in = &network->graph.in, *out = dlz_network_output(network);
    int64_t in_size = dlz_shape_size(in), out_size = dlz_shape_size(out);
    for (int64_t i = 0; i < inputs->dims[0]; i++) {
        DLZ_TRY(dlz_check_finite(who, "sample", i, in->ndim, in->dims,
                                 (const float *)inputs->data + i * in_size));
        if (!network->loss->takes_labels)
            DLZ_TRY(dlz_check_finite(who, "the targets of sample", i, out->ndim, out->dims,
                                     (const float *)targets->data + i * out_size));
    }
    return dlz_fail(DLVIZ_ERROR_NUMERIC, "%s: the loss is %s, of finite inputs and targets", who,
                    isnan(loss) ? "NaN" : "infinite");
}

static dlviz_status check_weights(const char *who, const dlviz_tensor *weights, int64_t n) {
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (!weights)
        return DLVIZ_OK;
    if (weights->dtype != DLVIZ_FLOAT32 || weights->ndim != 1 || weights->dims[0] != n)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'weights' is %s %s, needs float32 %lld", who,
                        dlviz_dtype_name(weights->dtype),
                        dlz_shape_text(text, weights->ndim, weights->dims), (long long)n);
    const float *values = weights->data;
    for (int64_t i = 0; i < n; i++)
        if (!(values[i] >= 0 && isfinite(values[i])))
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: weight %lld is %g; finite ones, 0 or more, are accepted", who,
                            (long long)i, (double)values[i]);
    return DLVIZ_OK;
}

static dlviz_status backward(dlviz_network *network, const char *who, const dlviz_tensor *inputs,
                             const dlviz_tensor *targets, const dlviz_tensor *weights,
                             uint64_t seed, uint64_t step, double *loss) {
    int64_t n = inputs->dims[0];
    dlz_plan *plan;
    dlz_tally tally = {.sums = NULL};
    DLZ_TRY(training_plan(network, n, seed, step, &plan));
    const dlz_extras *room = dlz_plan_extras(plan);
    DLZ_TRY(dlz_load_input(plan, &(dlz_input){.samples = inputs->data}));
    if (targets->dtype == DLVIZ_FLOAT32)
        DLZ_TRY(dlz_load_target_numbers(plan, targets->data, room->targets));
    else
        for (int64_t i = 0; i < targets->size; i++)
            ((int64_t *)room->targets)[i] = dlz_label_at(targets, i);
    for (int64_t i = 0; i < n; i++)
        room->weights[i] = weights ? ((const float *)weights->data)[i] : 1;
    step_batch batch = {.layout = {targets->size / n, targets->ndim == 3}};
    double mean;
    DLZ_TRY(train_step(network, who, plan, &batch, &tally, &mean));
    give(loss, mean);
    return isfinite(mean) ? DLVIZ_OK : fail_loss(network, who, mean, inputs, targets);
}

static dlviz_status checked_backward(dlviz_network *network, const char *who,
                                     const dlviz_tensor *inputs, const dlviz_tensor *targets,
                                     const dlviz_tensor *weights, uint64_t seed, uint64_t step,
                                     double *loss) {
    give(loss, NAN);
    DLZ_USE_STATES(who, network);
    DLZ_TRY(dlz_network_check_inputs(network, who, inputs));
    DLZ_TRY(check_tensor(network, who, targets, inputs->dims[0]));
    DLZ_TRY(check_weights(who, weights, inputs->dims[0]));
    return backward(network, who, inputs, targets, weights, seed, step, loss);
}

dlviz_status dlviz_network_backward(dlviz_network *network, const dlviz_tensor *inputs,
                                    const dlviz_tensor *targets, uint64_t seed, uint64_t step,
                                    double *loss) {
    return checked_backward(network, __func__, inputs, targets, NULL, seed, step, loss);
}

dlviz_status dlviz_network_backward_weighted(dlviz_network *network, const dlviz_tensor *inputs,
                                             const dlviz_tensor *targets,
                                             const dlviz_tensor *weights, uint64_t seed,
                                             uint64_t step, double *loss) {
    return checked_backward(network, __func__, inputs, targets, weights, seed, step, loss);
}
