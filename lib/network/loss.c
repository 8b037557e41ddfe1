/* What a network is trained on: its loss, the targets of a batch, and what both come to. */
#include "base/base.h"
#include "base/failures.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "layers/transpose.h"
#include "network/augmented.h"
#include "network/network.h"
#include "network/run.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* -- The loss ------------------------------------------------------------------------------------
 */

static dlviz_status set_loss(dlviz_network *network, const char *who, dlviz_loss *loss) {
    if (!network)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'network' is NULL", who);
    DLZ_TRY(dlz_part_check_handed(who, &dlz_loss_noun, (const dlz_part *)loss));
    if (atomic_load(&network->trainers) > 0)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: a trainer was made for the network; the loss comes before it", who);
    dlz_hold hold __attribute__((cleanup(dlz_busy_give_back))) = {NULL};
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

/* -- Targets -------------------------------------------------------------------------------------
 */

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

dlviz_status dlz_network_check_targets(const dlviz_network *network, const char *who,
                                       const dlviz_dataset *dataset) {
    const dlviz_loss *loss = network->loss;
    int64_t outputs = dlz_network_output(network)->dims[0], smallest, largest, start;
    DLZ_TRY(dlz_network_check_target_shape(network, who, dataset));
    if (!dlz_dataset_label_range(dataset, &smallest, &largest) ||
        (smallest >= 0 && largest < outputs))
        return DLVIZ_OK;
    for (int64_t i = 0; i < dlviz_dataset_num_samples(dataset); i++) {
        const dlviz_tensor *labels = dlz_dataset_labels_of(dataset, i, &start);
        for (int64_t j = 0; j < dlz_dataset_target_size(dataset); j++) {
            int64_t label = dlz_label_at(labels, start + j);
            if (!dlz_loss_takes_label(loss, label, outputs))
                return dlz_loss_fail_label(loss, who, i, label, outputs);
        }
    }
    return DLVIZ_OK;
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
static dlviz_status load_targets(dlz_plan *plan, const dlviz_dataset *dataset,
                                 const int64_t *indices, const dlz_extras *room) {
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

static dlviz_status check_targets(const dlviz_network *network, const char *who, int64_t n,
                                  const dlviz_dataset *dataset, const int64_t *indices,
                                  const dlz_extras *room) {
    if (dlz_dataset_target_dtype(dataset) != DLVIZ_INT64)
        return DLVIZ_OK;
    return check_labels(network, who, n, dlz_dataset_target_size(dataset), room->targets, indices);
}

static dlviz_status load_checked_targets(const dlviz_network *network, const char *who,
                                         dlz_plan *plan, const dlviz_dataset *dataset,
                                         const int64_t *indices, const dlz_extras *room) {
    DLZ_TRY(load_targets(plan, dataset, indices, room));
    return check_targets(network, who, dlz_plan_run(plan)->batch.all, dataset, indices, room);
}

/* The same for samples that are augmented. */
static dlviz_status load_augmented_targets(const dlviz_network *network, const char *who,
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
    dlz_augmented_load_labels(input, room->targets);
    return check_labels(network, who, input->n, dlz_dataset_target_size(dataset), room->targets,
                        input->indices);
}

/* The labels of the samples that those of a batch are mixed with. */
static dlviz_status load_partners(dlviz_network *network, const char *who, dlz_plan *plan,
                                  const dlz_augmented *input, const dlz_extras *room) {
    int64_t labels = dlz_dataset_target_size(input->dataset);
    DLZ_TRY(
        dlz_augmented_make_room(network, input->n, labels, dlz_value_size(dlz_plan_output(plan))));
    const dlz_mixture *mixture = &network->mixture;
    dlz_augmented_mix(input, mixture, room->weights);
    return check_labels(network, who, input->n, labels, mixture->labels, mixture->positions);
}

/* How many labels a sample has, where targets are labels. */
typedef struct label_layout {
    int64_t num_labels;
    bool maps;
} label_layout;

static label_layout layout_of(const dlviz_dataset *dataset) {
    return (label_layout){dlz_dataset_target_size(dataset),
                          dlz_dataset_target_kind(dataset) == DLZ_TARGETS_LABEL_MAPS};
}

/* Outputs of n samples, channels-last, and targets and weights that have been loaded. */
static dlz_loss_batch batch_of(const dlviz_network *network, int64_t n, int64_t channels,
                               const float *outputs, label_layout layout, const dlz_extras *room) {
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

/* -- Evaluation ----------------------------------------------------------------------------------
 */

/* A batch that is evaluated, and room for it. */
typedef struct evaluation {
    dlviz_network *network;
    const char *who;
    const dlviz_dataset *dataset;
    const dlz_look *look;
    dlviz_comm *comm; /* of processes that take batches by turns; NULL: none */
    int64_t first;    /* of the dataset */
    int64_t n;        /* samples of this process's batch */
    int64_t most;     /* of any batch */
    int64_t indices[DLZ_EVALUATION_BATCH], labels[DLZ_EVALUATION_BATCH];
    float own_weights[DLZ_EVALUATION_BATCH];
    double losses[DLZ_EVALUATION_BATCH];
    /* Of the batches that are evaluated at a time, one for each process; this one's begins at
     * `at`. */
    int64_t at;
    float *outputs;       /* channels-last; NULL: there was no need of room yet */
    int64_t room;         /* numbers of them */
    const float *in_plan; /* those of a lone batch that ran whole, where they were computed */
    void *targets;        /* `labels`, unless more room is needed */
    float *weights;       /* likewise */
    int64_t *offsets;     /* room for where processes' parts begin */
    atomic_bool left;     /* features of a layer that is computed within another */
    dlz_failures failures;
} evaluation;

/* Bytes of a sample's targets. */
static size_t target_width(const dlviz_dataset *dataset) {
    return (size_t)dlz_dataset_target_size(dataset) *
           dlviz_dtype_size(dlz_dataset_target_dtype(dataset));
}

static void *targets_at(const evaluation *e, int64_t place) {
    return (char *)e->targets + (size_t)place * target_width(e->dataset);
}

static void name_batch(evaluation *e, int64_t first, int64_t n) {
    e->first = first;
    for (int64_t i = 0; i < n; i++)
        e->indices[i] = first + i;
}

static bool is_alone(const evaluation *e) {
    return dlz_comm_size(e->comm) == 1;
}

/* The outputs of a piece, side by side with those of others. */
static void keep_outputs(evaluation *e, dlz_plan *plan, int64_t first) {
    const dlz_value *out = dlz_plan_output(plan);
    int64_t size = dlz_value_size(out), n = dlz_plan_run(plan)->n;
    if (n == e->n && is_alone(e))
        e->in_plan = out->data;
    else
        memcpy(e->outputs + (e->at + first) * size, out->data,
               (size_t)(n * size) * sizeof *out->data);
}

/* Of what fails, samples that cannot be loaded come first, of all pieces, then targets, then
 * labels: as where the batch runs whole. */
static void note_failure(evaluation *e, int kind, int64_t first, dlviz_status status) {
    dlz_failures_note(&e->failures, kind * DLZ_EVALUATION_BATCH + first, status);
}

/* A piece's part of the batch: outputs and targets. */
static dlviz_status tally_piece(void *context, dlz_plan *plan, int64_t first) {
    evaluation *e = context;
    int64_t n = dlz_plan_run(plan)->n, place = e->at + first;
    dlz_extras room = {.targets = targets_at(e, place), .weights = e->weights + place};
    dlz_input input = {.dataset = e->dataset, .indices = e->indices + first};
    DLZ_TRY(dlz_load_input(plan, &input));
    DLZ_TRY(dlz_plan_forward(plan));
    keep_outputs(e, plan, first);
    if (!dlz_look_read(e->look, plan, e->first + first))
        atomic_store_explicit(&e->left, true, memory_order_relaxed);
    dlviz_status status = load_targets(plan, e->dataset, input.indices, &room);
    note_failure(e, 0, first, status);
    if (status == DLVIZ_OK)
        note_failure(e, 1, first,
                     check_targets(e->network, e->who, n, e->dataset, input.indices, &room));
    return DLVIZ_OK;
}

/* The loss of a batch whose pieces have run, and whose outputs and targets lie at `at`. */
static dlviz_status add_evaluated(evaluation *e, int64_t at, int64_t n, dlz_tally *tally) {
    dlviz_network *network = e->network;
    const dlz_shape *out = dlz_network_output(network);
    dlz_extras room = {
        .targets = targets_at(e, at), .weights = e->weights + at, .losses = e->losses};
    const float *outputs = e->in_plan ? e->in_plan : e->outputs + at * dlz_shape_size(out);
    dlz_loss_batch batch =
        batch_of(network, n, out->dims[0], outputs, layout_of(e->dataset), &room);
    batch.names = e->indices;
    double mean;
    network->plans.running = true;
    dlviz_status status = dlz_loss_add(network->loss, e->who, &batch, NULL, &mean, tally);
    network->plans.running = false;
    DLZ_TRY(status);
    /* Outputs may be anything; what went in may not. */
    return isfinite(mean) ? DLVIZ_OK : dlz_dataset_check_finite(e->dataset, e->who, e->indices, n);
}

/* Room for the outputs of all batches at a time. It is the network's, which keeps it, but this
 * call's own till its end: a progress function may evaluate as well. */
static dlviz_status make_room(evaluation *e) {
    dlviz_network *network = e->network;
    int64_t rows =
        dlz_min_i64(dlviz_dataset_num_samples(e->dataset), e->most * dlz_comm_size(e->comm));
    int64_t size = rows * dlz_shape_size(dlz_network_output(network));
    if (e->outputs)
        return DLVIZ_OK;
    if (network->most_evaluated < size) {
        dlz_free(network->evaluated);
        network->most_evaluated = 0;
        network->evaluated = dlz_alloc_array((uint64_t)size, sizeof *network->evaluated);
        if (!network->evaluated)
            return dlz_fail_memory("a batch's outputs", (uint64_t)size * sizeof(float));
        network->most_evaluated = size;
    }
    e->outputs = network->evaluated;
    e->room = network->most_evaluated;
    network->evaluated = NULL;
    network->most_evaluated = 0;
    return DLVIZ_OK;
}

static void give_room_back(const evaluation *e) {
    dlviz_network *network = e->network;
    if (e->room <= network->most_evaluated) {
        dlz_free(e->outputs);
        return;
    }
    dlz_free(network->evaluated);
    network->evaluated = e->outputs;
    network->most_evaluated = e->room;
}

static dlviz_status run_batch(evaluation *e) {
    dlviz_network *network = e->network;
    dlz_lane_job job = dlz_look_job(network, e->look, e->n, e->most);
    dlz_lanes_fit(&network->plans, &job);
    e->in_plan = NULL;
    e->left = false;
    if (job.piece < job.n || !is_alone(e))
        DLZ_TRY(make_room(e));
    dlz_failures_init(&e->failures);
    dlz_failures_note(&e->failures, -1, dlz_lanes_run(&network->plans, &job, tally_piece, e));
    return dlz_failures_tell(&e->failures);
}

/* Runs what is left after the batch from sample `first` on, by another plan in the same memory. */
static dlviz_status finish_look(evaluation *e, int64_t first) {
    if (!e->left)
        return DLVIZ_OK;
    name_batch(e, first, e->n);
    dlz_input input = {.dataset = e->dataset, .indices = e->indices};
    return dlz_look_finish(e->network, e->look, &input, first, e->n, e->most);
}

/* Rows of a table, of which each process has those of its batch. */
static dlviz_status gather_rows(const evaluation *e, void *rows, int64_t most, int64_t total,
                                size_t width) {
    int64_t *offsets = e->offsets;
    for (int rank = 0; rank <= dlz_comm_size(e->comm); rank++)
        offsets[rank] = dlz_min_i64(rank * most, total) * (int64_t)width;
    return dlz_comm_gather_pieces(e->comm, rows, offsets);
}

static dlviz_status gather_batches(const evaluation *e, int64_t first, int64_t total) {
    int64_t size = dlz_shape_size(dlz_network_output(e->network)), most = e->most;
    dlviz_tensor *looked = e->look->outputs;
    if (is_alone(e))
        return DLVIZ_OK;
    DLZ_TRY(gather_rows(e, e->outputs, most, total, (size_t)size * sizeof(float)));
    DLZ_TRY(gather_rows(e, e->targets, most, total, target_width(e->dataset)));
    DLZ_TRY(gather_rows(e, e->weights, most, total, sizeof *e->weights));
    return looked ? gather_rows(e, (float *)looked->data + first * size, most, total,
                                (size_t)size * sizeof(float))
                  : DLVIZ_OK;
}

/* Evaluates a batch for each process, `total` samples from `first` on; all add all losses, in
 * order. */
static dlviz_status tally_some(evaluation *e, int64_t first, int64_t total, dlz_tally *tally) {
    e->at = dlz_min_i64(dlz_comm_rank(e->comm) * e->most, total);
    e->n = dlz_min_i64(e->most, total - e->at);
    name_batch(e, first + e->at, e->n);
    if (e->n > 0)
        DLZ_TRY(run_batch(e));
    else if (!is_alone(e))
        DLZ_TRY(make_room(e));
    DLZ_TRY(gather_batches(e, first, total));
    for (int64_t at = 0; at < total; at += e->most) {
        int64_t n = dlz_min_i64(e->most, total - at);
        name_batch(e, first + at, n);
        DLZ_TRY(add_evaluated(e, at, n, tally));
    }
    return finish_look(e, first + e->at);
}

static dlviz_status tally_batches(evaluation *e, dlz_tally *tally) {
    int64_t n = dlviz_dataset_num_samples(e->dataset), together = e->most * dlz_comm_size(e->comm);
    for (int64_t first = 0; first < n; first += together) {
        int64_t total = dlz_min_i64(together, n - first);
        DLZ_TRY(tally_some(e, first, total, tally));
        DLZ_TRY(dlz_task_report((double)(first + total) / (double)n));
    }
    return DLVIZ_OK;
}

/* Room for what n samples have beside their outputs. */
static dlviz_status ask_targets(evaluation *e, int64_t n) {
    bool alone = is_alone(e);
    bool one_label = dlz_dataset_target_kind(e->dataset) == DLZ_TARGETS_LABELS;
    uint64_t ranks = (uint64_t)dlz_comm_size(e->comm) + 1;
    e->targets = alone && one_label ? (void *)e->labels
                                    : dlz_alloc_array((uint64_t)n, target_width(e->dataset));
    e->weights = alone ? e->own_weights : dlz_alloc_array((uint64_t)n, sizeof *e->weights);
    e->offsets = alone ? NULL : dlz_alloc_array(ranks, sizeof *e->offsets);
    return e->targets && e->weights && (alone || e->offsets)
               ? DLVIZ_OK
               : dlz_fail_memory("a batch's targets", (uint64_t)n * target_width(e->dataset));
}

static void drop_targets(const evaluation *e) {
    if (e->targets != (const void *)e->labels)
        dlz_free(e->targets);
    if (e->weights != e->own_weights)
        dlz_free(e->weights);
    dlz_free(e->offsets);
}

static dlviz_status tally_all(dlviz_network *network, const char *who, const dlviz_dataset *dataset,
                              dlz_tally *tally, const dlz_look *look, dlviz_comm *comm) {
    evaluation e = {.network = network, .who = who, .dataset = dataset, .look = look, .comm = comm};
    int64_t n = dlviz_dataset_num_samples(dataset);
    e.most = dlz_evaluation_batch(&network->graph, network->parameter_floats, n);
    dlviz_status status = ask_targets(&e, dlz_min_i64(n, e.most * dlz_comm_size(comm)));
    if (status == DLVIZ_OK)
        status = tally_batches(&e, tally);
    drop_targets(&e);
    give_room_back(&e);
    return status;
}

/* How the outputs for a whole dataset lie, in their shape; returns ndim. */
static int outputs_dims(const dlviz_network *network, const dlviz_dataset *dataset,
                        int64_t dims[4]) {
    const dlz_shape *shape = dlz_network_output(network);
    dims[0] = dlviz_dataset_num_samples(dataset);
    memcpy(dims + 1, shape->dims, (size_t)shape->ndim * sizeof *dims);
    return shape->ndim + 1;
}

dlviz_status dlz_network_tally(dlviz_network *network, const char *who,
                               const dlviz_dataset *dataset, dlz_tally *tally,
                               dlviz_tensor **outputs) {
    dlz_look look = {.outputs = NULL};
    if (!outputs)
        return tally_all(network, who, dataset, tally, &look, network->plans.comm);
    int64_t dims[4];
    int ndim = outputs_dims(network, dataset, dims);
    DLZ_TRY(dlz_tensor_create_raw(&look.outputs, DLVIZ_FLOAT32, ndim, dims));
    dlviz_status status = tally_all(network, who, dataset, tally, &look, network->plans.comm);
    if (status == DLVIZ_OK)
        *outputs = look.outputs;
    else
        dlviz_tensor_destroy(look.outputs);
    return status;
}

bool dlz_network_needs_outputs(const dlviz_network *network) {
    const dlz_metrics *metrics = network->loss->type->metrics;
    return metrics && metrics->num_whole > 0;
}

dlviz_status dlz_network_judge(const dlviz_network *network, const dlviz_dataset *dataset,
                               const dlz_tally *tally, const dlviz_tensor *outputs,
                               double *values) {
    const dlz_metrics *metrics = network->loss->type->metrics;
    dlz_loss_metrics(network->loss, dlz_network_output(network), tally, values);
    if (!dlz_network_needs_outputs(network))
        return DLVIZ_OK;
    dlviz_tensor *targets;
    DLZ_TRY(dlviz_dataset_targets(dataset, 0, dlviz_dataset_num_samples(dataset), &targets));
    dlviz_status status =
        metrics->judge(outputs, targets, values + metrics->count - metrics->num_whole);
    dlviz_tensor_destroy(targets);
    return status;
}

static dlviz_status evaluate(dlviz_network *network, const char *who, const dlviz_dataset *dataset,
                             dlz_tally *tally, bool whole, const dlz_look *look, double *metrics) {
    dlz_look looked = *look;
    int64_t dims[4];
    int ndim = outputs_dims(network, dataset, dims);
    dlviz_tensor *outputs = NULL; /* in their shape, for the metrics that need all of them */
    if (whole && look->outputs)
        DLZ_TRY(dlviz_tensor_reshape(look->outputs, ndim, dims, &outputs));
    else if (whole)
        DLZ_TRY(dlz_tensor_create_raw(&outputs, DLVIZ_FLOAT32, ndim, dims));
    if (whole)
        looked.outputs = outputs;
    dlviz_status status = tally_all(network, who, dataset, tally, &looked, NULL);
    if (status == DLVIZ_OK && whole)
        status = dlz_network_judge(network, dataset, tally, outputs, metrics);
    else if (status == DLVIZ_OK)
        dlz_loss_metrics(network->loss, dlz_network_output(network), tally, metrics);
    dlviz_tensor_destroy(outputs);
    return status;
}

static void give(double *to, double value) {
    if (to)
        *to = value;
}

dlviz_status dlz_network_measure(dlviz_network *network, const char *who,
                                 const dlviz_dataset *dataset, int index, const dlz_look *look,
                                 double *loss, double *metric) {
    enum { FEW = 64 };
    double few[FEW] = {0}, *sums = few, metrics[DLZ_MAX_METRICS] = {NAN};
    uint64_t num_sums = (uint64_t)dlz_loss_num_sums(network->loss, dlz_network_output(network));
    if (num_sums > FEW && !(sums = dlz_alloc_array_zero(num_sums, sizeof *sums)))
        return dlz_fail_memory("the sums of metrics", num_sums * sizeof *sums);
    dlz_tally tally = {.sums = sums};
    const dlz_metrics *all = network->loss->type->metrics;
    bool whole = all && index >= all->count - all->num_whole;
    dlviz_status status = evaluate(network, who, dataset, &tally, whole, look, metrics);
    if (sums != few)
        dlz_free(sums);
    DLZ_TRY(status);
    give(loss, dlz_tally_mean(&tally));
    give(metric, metrics[index]);
    return DLVIZ_OK;
}

dlviz_status dlviz_network_evaluate(dlviz_network *network, const dlviz_dataset *dataset,
                                    double *loss, double *metric) {
    give(loss, NAN);
    give(metric, NAN);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_USE_NETWORK(__func__, network);
    DLZ_TASK("evaluation");
    DLZ_TRY(dlz_network_check_samples(network, __func__, dataset));
    DLZ_TRY(dlz_network_check_targets(network, __func__, dataset));
    dlz_network_warn_of_data(network, __func__, dataset);
    return dlz_network_measure(network, __func__, dataset, 0, &(dlz_look){.outputs = NULL}, loss,
                               metric);
}

static dlviz_status find_metric(const dlviz_loss *loss, const char *who, const char *name,
                                int *index) {
    char names[200] = "none";
    size_t used = 0;
    for (*index = 0; *index < dlz_loss_num_metrics(loss); ++*index) {
        const char *own = dlviz_loss_metric_name(loss, *index);
        if (strcmp(own, name) == 0)
            return DLVIZ_OK;
        if (used < sizeof names)
            used +=
                (size_t)snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", own);
    }
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s: there is no metric '%s'; the loss %s has %s", who,
                    name, loss->name, names);
}

dlviz_status dlviz_network_measure(dlviz_network *network, const dlviz_dataset *dataset,
                                   const char *metric, double *value) {
    int index;
    give(value, NAN);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_TRY(dlz_network_check_samples(network, __func__, dataset));
    DLZ_REQUIRE(metric);
    DLZ_REQUIRE(value);
    DLZ_USE_NETWORK(__func__, network);
    DLZ_TASK("evaluation");
    DLZ_TRY(dlz_network_check_targets(network, __func__, dataset));
    DLZ_TRY(find_metric(network->loss, __func__, metric, &index));
    dlz_network_warn_of_data(network, __func__, dataset);
    return dlz_network_measure(network, __func__, dataset, index, &(dlz_look){.outputs = NULL},
                               NULL, value);
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

/* What a step is told of the batch that lies in the plan. */
typedef struct step_batch {
    label_layout layout;
    const int64_t *names; /* how sentences call the samples; NULL: 0 … n − 1 */
    bool mixed;           /* the network's mixture has the other halves of its labels */
} step_batch;

/* The loss and its gradient. */
static dlviz_status add_loss(dlviz_network *network, const char *who, dlz_plan *plan,
                             const step_batch *step, float *gradient, dlz_tally *tally,
                             double *mean) {
    const dlz_value *out = dlz_plan_output(plan);
    const dlz_extras *room = dlz_plan_extras(plan);
    dlz_loss_batch batch = batch_of(network, dlz_plan_run(plan)->batch.all, out->channels,
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
    step_batch batch = {.layout = layout_of(dataset),
                        .names = indices,
                        .mixed = augmented && dlz_augmented_mixes_labels(&input)};
    DLZ_TRY(dlz_load_input(plan, &(dlz_input){.dataset = dataset,
                                              .indices = indices + dlz_plan_run(plan)->batch.first,
                                              .variant = augmented ? &variant : NULL}));
    if (augmented)
        DLZ_TRY(load_augmented_targets(network, who, plan, &input, room));
    else
        DLZ_TRY(load_checked_targets(network, who, plan, dataset, indices, room));
    if (batch.mixed)
        DLZ_TRY(load_partners(network, who, plan, &input, room));
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
    target_pass pass = {.numbers = targets->data, .targets = room->targets};
    if (targets->dtype == DLVIZ_FLOAT32)
        DLZ_TRY(load_numbers(plan, &pass));
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
    DLZ_TRY(dlz_require_built(network, who));
    DLZ_TRY(dlz_network_check_inputs(network, who, inputs));
    DLZ_USE_NETWORK(who, network);
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
