/* Softmax over the channels of each pixel, or over a vector. */
#include "kernels/nn/softmax.h"
#include "base/base.h"
#include "base/parallel.h"
#include "graph/op.h"
#include "kernels/nn/normalize.h"

/* Numbers that a tile handles, at least. */
#define TILE_SIZE 16384

const dlz_layer_type dlz_softmax_type;

dlviz_layer *dlviz_softmax(void) {
    return dlz_layer_create(&dlz_softmax_type);
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return setup->mode.gradients ? dlz_op_ask_input_gradients(op, setup) : DLVIZ_OK;
}

typedef struct softmax_pass {
    const dlz_op *op;
    int64_t rows, classes, together; /* together: rows of a tile */
} softmax_pass;

static softmax_pass make_pass(const dlz_op *op, const dlz_run *run) {
    return (softmax_pass){op, run->n * op->in->height * op->in->width, op->in->channels,
                          dlz_max_i64(1, TILE_SIZE / op->in->channels)};
}

static void forward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const softmax_pass *pass = context;
    int64_t first = tile * pass->together, rows = dlz_min_i64(pass->together, pass->rows - first);
    dlz_softmax_kernels()->softmax(rows, pass->classes, pass->op->in->data + first * pass->classes,
                                   pass->op->out->data + first * pass->classes);
}

static void forward(dlz_op *op, const dlz_run *run) {
    softmax_pass pass = make_pass(op, run);
    dlz_parallel_for(dlz_ceil_div(pass.rows, pass.together), run->workers, forward_tile, &pass);
}

static void backward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const softmax_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t first = tile * pass->together, rows = dlz_min_i64(pass->together, pass->rows - first);
    int64_t at = first * pass->classes;
    dlz_normalize_kernels()->softmax_gradient(rows, pass->classes, op->out->data + at,
                                              op->out->gradient.dy + at, op->in->dy + at);
}

static void backward(dlz_op *op, const dlz_run *run) {
    if (!op->in->needs_gradient)
        return;
    softmax_pass pass = make_pass(op, run);
    dlz_parallel_for(dlz_ceil_div(pass.rows, pass.together), run->workers, backward_tile, &pass);
    dlz_op_give_gradients(op);
}

static const dlz_op_type softmax_op = {
    .name = "softmax",
    .abilities = DLZ_OP_NEEDS_OUTPUT,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

const dlz_layer_type dlz_softmax_type = {
    .name = "softmax",
    .size = sizeof(dlviz_layer),
    .infer = dlz_infer_same,
    .op = &softmax_op,
};
