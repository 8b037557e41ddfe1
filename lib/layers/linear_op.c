/* How a fully connected layer is computed. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/fold.h"
#include "layers/linear.h"

#include <string.h>

/* Evaluation keeps a second, packed copy of weights for this many outputs or more, up to 6 MiB: of
 * fewer the product is as fast as they are, and larger ones wait for memory either way. */
#define LEAST_PACKED 128
#define MOST_PACKED (3 << 19)

enum { WEIGHT = DLZ_LINEAR_WEIGHT, BIAS = DLZ_LINEAR_BIAS };

typedef struct linear_pass {
    const dlz_op *op;
    const dlz_run *run;
    dlz_linear size;
    dlz_linear_end end;
    /* Backward: the whole batch, and the rows of this process. */
    dlz_linear whole;
    const float *x, *dy;
    dlz_linear_rows rows;
} linear_pass;

static linear_pass make_pass(const dlz_op *op, const dlz_run *run) {
    return (linear_pass){
        .op = op, .run = run, .size = {run->n, dlz_value_size(op->in), op->out->channels}};
}

/* Samples of all processes are needed on the way back; where these share the outputs, on the way
 * there already. */
static dlviz_status ask_batch(dlz_op *op, const dlz_setup *setup) {
    dlz_linear_op *own = op->own;
    int64_t n = setup->batch.all;
    int back = setup->backward_time;
    if (!setup->batch.comm)
        return DLVIZ_OK;
    int first = dlz_linear_is_large(op) ? setup->forward_time : back;
    DLZ_TRY(dlz_memory_ask_array(setup->memory, &own->x, n * dlz_value_size(op->in), sizeof(float),
                                 first, dlz_max_int(first, back)));
    if (dlz_linear_is_large(op))
        DLZ_TRY(dlz_linear_ask_shared(op, setup));
    return dlz_memory_ask_array(setup->memory, &own->dy, n * op->out->channels, sizeof(float), back,
                                back);
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    dlz_linear_op *own = op->own;
    int64_t outputs = op->out->channels;
    int first = setup->forward_time;
    dlz_memory_ask_scratch(setup->memory, setup->mode.gradients && dlz_linear_is_large(op)
                                              ? DLZ_LINEAR_TREE_SCRATCH_BYTES
                                              : DLZ_GEMM_SCRATCH_BYTES);
    dlz_linear size = {setup->n, dlz_value_size(op->in), outputs};
    bool packs = dlz_mode_keeps_prepared(setup->mode) && outputs >= LEAST_PACKED &&
                 size.inputs * outputs <= MOST_PACKED;
    own->packed = NULL;
    if (packs)
        DLZ_TRY(dlz_op_ask_prepared(setup, &own->packed, (int64_t)dlz_linear_packed_size(&size),
                                    sizeof(float), first));
    if (op->fold.has_batchnorm)
        DLZ_TRY(dlz_op_ask_prepared(setup, &own->folded_bias, outputs, sizeof(float), first));
    DLZ_TRY(dlz_fold_ask(&op->fold, outputs, setup));
    DLZ_TRY(ask_batch(op, setup));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

static void pack_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const linear_pass *pass = context;
    dlz_linear_pack_tile(&pass->size, tile, pass->op->states[WEIGHT].value,
                         ((const dlz_linear_op *)pass->op->own)->packed);
}

static void prepare(dlz_op *op, const dlz_run *run) {
    const dlz_linear_op *own = op->own;
    linear_pass pass = make_pass(op, run);
    if (op->fold.has_batchnorm)
        dlz_fold_bias(&op->fold, op->states[BIAS].value, op->out->channels, own->folded_bias);
    if (own->packed)
        dlz_parallel_for(dlz_linear_pack_tiles(&pass.size), run->workers, pack_tile, &pass);
}

static void forward_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_op *op = pass->op;
    dlz_linear_forward_tile(&pass->size, tile, op->in->data, op->states[WEIGHT].value, &pass->end,
                            op->out->data, dlz_run_scratch(pass->run, worker));
    dlz_linear_activate(op, dlz_linear_forward_block(&pass->size, tile));
}

static void packed_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_op *op = pass->op;
    dlz_linear_packed_tile(&pass->size, tile, op->in->data,
                           ((const dlz_linear_op *)op->own)->packed, &pass->end, op->out->data,
                           dlz_run_scratch(pass->run, worker));
    dlz_linear_activate(op, dlz_linear_packed_block(&pass->size, tile));
}

static void forward(dlz_op *op, const dlz_run *run) {
    if (run->batch.comm && dlz_linear_is_large(op)) {
        dlz_linear_forward_shared(op, run);
        return;
    }
    linear_pass pass = make_pass(op, run);
    pass.end = dlz_linear_end_of(op);
    if (((const dlz_linear_op *)op->own)->packed)
        dlz_parallel_for(dlz_linear_packed_tiles(&pass.size), run->workers, packed_tile, &pass);
    else
        dlz_parallel_for(dlz_linear_forward_tiles(&pass.size), run->workers, forward_tile, &pass);
}

static void weight_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_op *op = pass->op;
    dlz_linear_backward_weight_tile(&pass->whole, &pass->rows, tile, pass->dy, pass->x, false,
                                    op->states[WEIGHT].gradient, op->states[BIAS].gradient,
                                    dlz_run_scratch(pass->run, worker));
}

/* Where a step can be taken of some rows alone, those of many weights stay where they are. */
static bool spread_rows(dlz_op *op, const dlz_run *run, const int64_t *rows, int64_t size) {
    dlz_spreads *spreads = run->spreads;
    const dlz_parameter *weight = &op->states[WEIGHT];
    if (!spreads->wanted || spreads->count == DLZ_MOST_SPREAD || !weight->gradient ||
        !dlz_linear_is_large(op))
        return false;
    dlz_spread *spread = &spreads->all[spreads->count++];
    *spread = (dlz_spread){.value = weight->value, .gradient = weight->gradient};
    for (int r = 0; r <= dlz_comm_size(run->batch.comm); r++)
        spread->ends[r] = rows[r] * size;
    return true;
}

/* Rows of a gradient, or of a bias's, of which each process has its own. */
static void share_rows(dlz_op *op, const dlz_run *run, int state, const int64_t *rows,
                       int64_t size) {
    int64_t offsets[DLZ_LEAVES + 1];
    float *gradient = op->states[state].gradient;
    if (!gradient)
        return;
    for (int r = 0; r <= dlz_comm_size(run->batch.comm); r++)
        offsets[r] = rows[r] * size * (int64_t)sizeof *gradient;
    dlviz_status status = dlz_comm_gather_pieces(run->batch.comm, gradient, offsets);
    if (status != DLVIZ_OK)
        dlz_run_fail(run, status);
}

/* The gradients are sums over the whole batch, in order: where processes share it, each takes
 * some of their rows. So less is sent than if each took a sum of its own, unless the batch is
 * large. */
static void weight_gradients(dlz_op *op, linear_pass *pass) {
    const dlz_linear_op *own = op->own;
    const dlz_run *run = pass->run;
    dlviz_comm *comm = run->batch.comm;
    int64_t rows[DLZ_LEAVES + 1];
    pass->x = op->in->data;
    pass->dy = op->out->gradient.dy;
    pass->whole = pass->size;
    pass->whole.batch = run->batch.all;
    pass->rows = (dlz_linear_rows){0, pass->size.outputs};
    if (comm) {
        if (!dlz_linear_is_large(op))
            dlz_linear_gather_samples(run, pass->x, pass->size.inputs, own->x);
        dlz_linear_gather_samples(run, pass->dy, pass->size.outputs, own->dy);
        pass->x = own->x;
        pass->dy = own->dy;
        dlz_linear_share_outputs(op, &run->batch, rows);
        pass->rows = (dlz_linear_rows){rows[dlz_comm_rank(comm)], rows[dlz_comm_rank(comm) + 1]};
    }
    dlz_parallel_for(dlz_linear_backward_weight_tiles(&pass->whole, &pass->rows), run->workers,
                     weight_tile, pass);
    if (comm) {
        if (!spread_rows(op, run, rows, pass->size.inputs))
            share_rows(op, run, WEIGHT, rows, pass->size.inputs);
        share_rows(op, run, BIAS, rows, 1);
    }
}

static void input_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_op *op = pass->op;
    dlz_linear_backward_data_tile(&pass->size, tile, op->out->gradient.dy, op->states[WEIGHT].value,
                                  false, op->in->dy, dlz_run_scratch(pass->run, worker));
}

static void backward(dlz_op *op, const dlz_run *run) {
    linear_pass pass = make_pass(op, run);
    weight_gradients(op, &pass);
    if (!op->in->needs_gradient)
        return;
    if (!dlz_linear_is_large(op))
        dlz_parallel_for(dlz_linear_backward_data_tiles(&pass.size), run->workers, input_tile,
                         &pass);
    else if (run->batch.comm)
        dlz_linear_input_gradients_shared(op, run);
    else
        dlz_linear_input_gradients_tree(op, run);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_linear_op_type = {
    .name = "linear",
    .own = sizeof(dlz_linear_op),
    .abilities = DLZ_OP_FOLDS,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
