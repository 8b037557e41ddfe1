/* A fully connected layer of many weights, whose outputs processes share.
 *
 * What they would have to send of its weights, or of their gradients, is far more than of its samples.
 * So each has some outputs' weights, with their moments, and computes these outputs of all samples:
 * x is gathered on the way there and the outputs traded; on the way back dy is gathered, and
 * what each process's outputs bring to dx traded and summed. Whole weights are put together where
 * something else wants them. */
#include "base/base.h"
#include "base/parallel.h"
#include "layers/linear.h"

#include <string.h>

enum { MANY_WEIGHTS = 65536, TILE = 16384 };
_Static_assert(DLZ_LINEAR_LEAVES == DLZ_LEAVES, "outputs are shared by leaves, as batches are");

typedef struct shared_pass {
    const dlz_op *op;
    const dlz_run *run;
    dlz_linear size;                /* forward: of this process's outputs; backward: of all */
    int64_t rows[DLZ_LEAVES + 1];   /* where each process's outputs begin */
    int64_t starts[DLZ_LEAVES + 1]; /* and its samples */
    int ranks, rank;
    dlz_linear_leaves leaves; /* of the outputs, which are this process's */
    const float *dy;
    float *dx;
    dlz_linear_end end;
} shared_pass;

bool dlz_linear_is_large(const dlz_op *op) {
    int64_t outputs = op->out->channels;
    return outputs >= DLZ_LEAVES && outputs * dlz_value_size(op->in) >= MANY_WEIGHTS;
}

/* By leaves, where dx is a tree's sum; else evenly. */
void dlz_linear_share_outputs(const dlz_op *op, const dlz_batch *batch,
                              int64_t rows[DLZ_LEAVES + 1]) {
    int ranks = dlz_comm_size(batch->comm);
    bool by_leaves = dlz_linear_is_large(op);
    for (int r = 0; r <= ranks; r++)
        rows[r] = by_leaves ? op->out->channels * dlz_batch_first_leaf(batch, r) / DLZ_LEAVES
                            : op->out->channels * r / ranks;
}

static shared_pass make_pass(const dlz_op *op, const dlz_run *run) {
    const dlz_batch *batch = &run->batch;
    shared_pass pass = {.op = op,
                        .run = run,
                        .size = {batch->all, dlz_value_size(op->in), op->out->channels},
                        .ranks = dlz_comm_size(batch->comm),
                        .rank = dlz_comm_rank(batch->comm)};
    dlz_linear_share_outputs(op, batch, pass.rows);
    for (int r = 0; r <= pass.ranks; r++)
        pass.starts[r] = dlz_batch_first_leaf(batch, r) * batch->all / DLZ_LEAVES;
    pass.leaves.first = (int)dlz_batch_first_leaf(batch, pass.rank);
    pass.leaves.count = (int)dlz_batch_first_leaf(batch, pass.rank + 1) - pass.leaves.first;
    return pass;
}

dlviz_status dlz_linear_ask_shared(dlz_op *op, const dlz_setup *setup) {
    dlz_linear_op *own = op->own;
    dlz_memory *memory = setup->memory;
    int64_t rows[DLZ_LEAVES + 1], outputs = op->out->channels, inputs = dlz_value_size(op->in);
    int64_t all = setup->batch.all;
    int ranks = dlz_comm_size(setup->batch.comm), rank = dlz_comm_rank(setup->batch.comm);
    int first = setup->forward_time, back = setup->backward_time;
    dlz_linear_share_outputs(op, &setup->batch, rows);
    DLZ_TRY(dlz_memory_ask_array(memory, &own->own_y, all * (rows[rank + 1] - rows[rank]),
                                 sizeof(float), first, first));
    DLZ_TRY(dlz_memory_ask_array(memory, &own->others_y, setup->n * outputs, sizeof(float), first,
                                 first));
    if (!op->in->needs_gradient)
        return DLVIZ_OK;
    DLZ_TRY(dlz_memory_ask_array(memory, &own->own_dx, all * inputs, sizeof(float), back, back));
    return dlz_memory_ask_array(memory, &own->others_dx, ranks * setup->n * inputs, sizeof(float),
                                back, back);
}

/* Gives each process what this one has of its samples, `sent` numbers each, and receives what each
 * has of the samples here: of process r from received[r] on, numbers of one sample. */
static void trade(const shared_pass *pass, const float *from, int64_t sent,
                  const int64_t received[DLZ_LEAVES + 1], float *to) {
    int64_t sent_offsets[DLZ_LEAVES + 1], received_offsets[DLZ_LEAVES + 1];
    int64_t number = (int64_t)sizeof(float);
    for (int r = 0; r <= pass->ranks; r++) {
        sent_offsets[r] = pass->starts[r] * sent * number;
        received_offsets[r] = pass->run->n * received[r] * number;
    }
    dlviz_status status =
        dlz_comm_trade_pieces(pass->run->batch.comm, from, sent_offsets, to, received_offsets);
    if (status != DLVIZ_OK)
        dlz_run_fail(pass->run, status);
}

/* -- Forward --------------------------------------------------------------------------------------
 */

static void forward_tile(void *context, int64_t tile, int worker) {
    const shared_pass *pass = context;
    const dlz_linear_op *own = pass->op->own;
    const float *weight = pass->op->states[DLZ_LINEAR_WEIGHT].value;
    dlz_linear_forward_tile(&pass->size, tile, own->x,
                            weight + pass->rows[pass->rank] * pass->size.inputs, &pass->end,
                            own->own_y, dlz_run_scratch(pass->run, worker));
}

/* Puts the outputs of all processes side by side. */
static void place_sample(void *context, int64_t sample, int worker) {
    (void)worker;
    const shared_pass *pass = context;
    const dlz_linear_op *own = pass->op->own;
    int64_t outputs = pass->op->out->channels;
    for (int r = 0; r < pass->ranks; r++) {
        int64_t first = pass->rows[r], count = pass->rows[r + 1] - first;
        const float *from = r == pass->rank ? own->own_y + pass->starts[r] * count
                                            : own->others_y + pass->run->n * first;
        memcpy(pass->op->out->data + sample * outputs + first, from + sample * count,
               (size_t)count * sizeof *from);
    }
    dlz_linear_activate(pass->op, (dlz_linear_block){sample, 1, 0, outputs});
}

void dlz_linear_forward_shared(dlz_op *op, const dlz_run *run) {
    const dlz_linear_op *own = op->own;
    shared_pass pass = make_pass(op, run);
    int64_t first = pass.rows[pass.rank];
    pass.size.outputs = pass.rows[pass.rank + 1] - first;
    pass.end = dlz_linear_end_of(op);
    if (pass.end.bias)
        pass.end.bias += first;
    if (pass.end.scale)
        pass.end.scale += first;
    dlz_linear_gather_samples(run, op->in->data, pass.size.inputs, own->x);
    dlz_parallel_for(dlz_linear_forward_tiles(&pass.size), run->workers, forward_tile, &pass);
    trade(&pass, own->own_y, pass.size.outputs, pass.rows, own->others_y);
    dlz_parallel_for(run->n, run->workers, place_sample, &pass);
}

/* -- Backward -------------------------------------------------------------------------------------
 */

static void tree_tile(void *context, int64_t tile, int worker) {
    const shared_pass *pass = context;
    dlz_linear_backward_data_tree_tile(&pass->size, pass->leaves, tile, pass->dy,
                                       pass->op->states[DLZ_LINEAR_WEIGHT].value, pass->dx,
                                       dlz_run_scratch(pass->run, worker));
}

static void run_tree(shared_pass *pass) {
    dlz_parallel_for(dlz_linear_backward_data_tree_tiles(&pass->size), pass->run->workers,
                     tree_tile, pass);
}

void dlz_linear_input_gradients_tree(dlz_op *op, const dlz_run *run) {
    shared_pass pass = {.op = op,
                        .run = run,
                        .size = {run->n, dlz_value_size(op->in), op->out->channels},
                        .leaves = {0, DLZ_LEAVES},
                        .dy = op->out->gradient.dy,
                        .dx = op->in->dy};
    run_tree(&pass);
}

/* What process r has of the samples here. */
static float *part_of(const shared_pass *pass, int r) {
    const dlz_linear_op *own = pass->op->own;
    return r == pass->rank ? own->own_dx + pass->starts[r] * pass->size.inputs
                           : own->others_dx + r * pass->run->n * pass->size.inputs;
}

/* The sum of what processes first … end − 1 have, which takes the place of what the first has, or
 * goes to `to`. Their halves are those of dlz_batch_first_leaf. */
static const float *sum_parts(const shared_pass *pass, int first, int end, int64_t start,
                              int64_t count, float *to) {
    float *own = part_of(pass, first) + start;
    if (end - first == 1)
        return own;
    int middle = first + (end - first + 1) / 2;
    const float *left = sum_parts(pass, first, middle, start, count, own);
    const float *right = sum_parts(pass, middle, end, start, count, part_of(pass, middle) + start);
    for (int64_t i = 0; i < count; i++)
        to[i] = left[i] + right[i];
    return to;
}

static void sum_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const shared_pass *pass = context;
    int64_t start = tile * TILE;
    int64_t count = dlz_min_i64(TILE, pass->run->n * pass->size.inputs - start);
    sum_parts(pass, 0, pass->ranks, start, count, pass->op->in->dy + start);
}

void dlz_linear_input_gradients_shared(dlz_op *op, const dlz_run *run) {
    const dlz_linear_op *own = op->own;
    int64_t received[DLZ_LEAVES + 1];
    shared_pass pass = make_pass(op, run);
    pass.dy = own->dy;
    pass.dx = own->own_dx;
    run_tree(&pass);
    for (int r = 0; r <= pass.ranks; r++)
        received[r] = r * pass.size.inputs;
    trade(&pass, own->own_dx, pass.size.inputs, received, own->others_dx);
    dlz_parallel_for(dlz_ceil_div(run->n * pass.size.inputs, TILE), run->workers, sum_tile, &pass);
}
