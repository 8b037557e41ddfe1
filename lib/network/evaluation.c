/* Losses and metrics over datasets, batch by batch. */
#include "base/base.h"
#include "base/failures.h"
#include "base/progress.h"
#include "data/dataset.h"
#include "data/supply.h"
#include "network/network.h"
#include "network/run.h"
#include "network/targets.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

/* A batch that is evaluated, and room for it. */
typedef struct evaluation {
    dlviz_network *network;
    const char *who;
    const dlviz_dataset *dataset;
    const dlz_look *look;
    dlviz_comm *comm; /* of processes that take batches by turns; NULL: none */
    /* Where the samples are spread over them: `dataset` is a view of it. */
    const dlviz_dataset *joined;
    dlviz_dataset view;
    dlz_supply supply;
    int64_t first; /* of the dataset */
    int64_t n;     /* samples of this process's batch */
    int64_t most;  /* of any batch */
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

/* -- Samples that are spread over the processes --------------------------------------------------
 */

/* Of `total` samples from `first` on, each process takes a batch. */
static dlz_demand demand_of(const evaluation *e, int64_t first, int64_t total, int64_t *positions,
                            dlz_share *shares) {
    for (int64_t i = 0; i < total; i++)
        positions[i] = first + i;
    for (int rank = 0; rank < dlz_comm_size(e->comm); rank++) {
        int64_t at = dlz_min_i64(rank * e->most, total);
        shares[rank] = (dlz_share){at, dlz_min_i64(e->most, total - at)};
    }
    return (dlz_demand){
        .dataset = e->joined, .positions = positions, .count = total, .shares = shares};
}

/* Brings them where they are taken, and lets those come that are next. */
static dlviz_status bring(evaluation *e, int64_t first, int64_t total) {
    int64_t positions[DLZ_LEAVES * DLZ_EVALUATION_BATCH], next = first + total;
    dlz_share shares[DLZ_LEAVES];
    if (!e->joined)
        return DLVIZ_OK;
    dlz_demand demand = demand_of(e, first, total, positions, shares);
    DLZ_TRY(dlz_supply_take(&e->supply, &demand, &e->view));
    total =
        dlz_min_i64(e->most * dlz_comm_size(e->comm), dlviz_dataset_num_samples(e->joined) - next);
    if (total == 0)
        return DLVIZ_OK;
    demand = demand_of(e, next, total, positions, shares);
    return dlz_supply_begin(&e->supply, &demand);
}

/* Why the loss of a batch of any process is not finite: all look. */
static dlviz_status check_finite(evaluation *e, int64_t n) {
    const dlz_demand demand = {
        .dataset = e->joined, .positions = e->indices, .count = n, .all_targets = true};
    if (e->joined)
        DLZ_TRY(dlz_supply_take(&e->supply, &demand, &e->view));
    return dlz_dataset_check_finite(e->dataset, e->who, e->indices, n);
}

/* -- Batches -------------------------------------------------------------------------------------
 */

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
    dlviz_status status = dlz_load_targets(plan, e->dataset, input.indices, &room);
    note_failure(e, 0, first, status);
    if (status == DLVIZ_OK)
        note_failure(e, 1, first,
                     dlz_check_targets(e->network, e->who, n, e->dataset, input.indices, &room));
    return DLVIZ_OK;
}

/* The loss of a batch whose pieces have run, and whose outputs and targets lie at `at`. */
static dlviz_status add_evaluated(evaluation *e, int64_t at, int64_t n, dlz_tally *tally) {
    dlviz_network *network = e->network;
    const dlz_shape *out = dlz_network_output(network);
    dlz_extras room = {
        .targets = targets_at(e, at), .weights = e->weights + at, .losses = e->losses};
    const float *outputs = e->in_plan ? e->in_plan : e->outputs + at * dlz_shape_size(out);
    dlz_loss_batch batch = dlz_loss_batch_of(network, n, out->dims[0], outputs,
                                             dlz_label_layout_of(e->dataset), &room);
    batch.names = e->indices;
    double mean;
    network->plans.running = true;
    dlviz_status status = dlz_loss_add(network->loss, e->who, &batch, NULL, &mean, tally);
    network->plans.running = false;
    DLZ_TRY(status);
    /* Outputs may be anything; what went in may not. */
    return isfinite(mean) ? DLVIZ_OK : check_finite(e, n);
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
    DLZ_TRY(bring(e, first, total));
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
    if (comm && dataset->joined) {
        e.joined = dataset;
        dlz_joined_view(dataset, NULL, &e.view);
        e.dataset = &e.view;
    }
    int64_t n = dlviz_dataset_num_samples(dataset);
    e.most = dlz_evaluation_batch(&network->graph, network->parameter_floats, n);
    dlviz_status status = ask_targets(&e, dlz_min_i64(n, e.most * dlz_comm_size(comm)));
    if (status == DLVIZ_OK)
        status = tally_batches(&e, tally);
    status = dlz_supply_end(&e.supply, status);
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
                               const dlviz_comm *comm, const dlz_tally *tally,
                               const dlviz_tensor *outputs, double *values) {
    const dlz_metrics *metrics = network->loss->type->metrics;
    dlz_loss_metrics(network->loss, dlz_network_output(network), tally, values);
    if (!dlz_network_needs_outputs(network))
        return DLVIZ_OK;
    dlviz_tensor *targets;
    DLZ_TRY(dlz_dataset_gather_targets(dataset, comm, &targets));
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
        status = dlz_network_judge(network, dataset, NULL, tally, outputs, metrics);
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
    DLZ_USE_STATES(__func__, network);
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
    DLZ_USE_STATES(__func__, network);
    DLZ_TRY(dlz_network_check_samples(network, __func__, dataset));
    DLZ_REQUIRE(metric);
    DLZ_REQUIRE(value);
    DLZ_TASK("evaluation");
    DLZ_TRY(dlz_network_check_targets(network, __func__, dataset));
    DLZ_TRY(find_metric(network->loss, __func__, metric, &index));
    dlz_network_warn_of_data(network, __func__, dataset);
    return dlz_network_measure(network, __func__, dataset, index, &(dlz_look){.outputs = NULL},
                               NULL, value);
}
