#include "layers/softmax_op.h"
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/nn/softmax.h"

/* Numbers that a tile handles, at least: few microseconds' work. */
#define TILE_SIZE 8192

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return setup->mode.gradients ? dlz_op_ask_input_gradients(op, setup) : DLVIZ_OK;
}

typedef struct softmax_pass {
    const dlz_op *op;
    dlz_row_function function;
    int64_t rows, classes, together; /* together: rows of a tile */
} softmax_pass;

static int64_t count_tiles(const softmax_pass *pass) {
    return dlz_ceil_div(pass->rows, pass->together);
}

/* Kernels compute as many short rows side by side as a vector has lanes, so tiles have a multiple. */
static int64_t rows_of_tile(int64_t classes) {
    int64_t rows = dlz_max_i64(1, TILE_SIZE / classes);
    return rows < 64 ? rows : rows / 64 * 64;
}

static softmax_pass make_pass(const dlz_op *op, const dlz_run *run) {
    return (softmax_pass){
        op,
        op->type == &dlz_softmax_op ? dlz_softmax_kernels()->softmax : *dlz_log_softmax_kernels(),
        run->n * op->in->height * op->in->width, op->in->channels, rows_of_tile(op->in->channels)};
}

static void forward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const softmax_pass *pass = context;
    int64_t first = tile * pass->together, at = first * pass->classes;
    pass->function.forward(dlz_min_i64(pass->together, pass->rows - first), pass->classes,
                           pass->op->in->data + at, pass->op->out->data + at);
}

static void forward(dlz_op *op, const dlz_run *run) {
    softmax_pass pass = make_pass(op, run);
    dlz_parallel_for(count_tiles(&pass), run->workers, forward_tile, &pass);
}

static void backward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const softmax_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t first = tile * pass->together, at = first * pass->classes;
    pass->function.backward(dlz_min_i64(pass->together, pass->rows - first), pass->classes,
                            op->out->data + at, op->out->gradient.dy + at, op->in->dy + at);
}

static void backward(dlz_op *op, const dlz_run *run) {
    if (!op->in->needs_gradient)
        return;
    softmax_pass pass = make_pass(op, run);
    dlz_parallel_for(count_tiles(&pass), run->workers, backward_tile, &pass);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_softmax_op = {
    .name = "softmax",
    .abilities = DLZ_OP_NEEDS_OUTPUT,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

const dlz_op_type dlz_log_softmax_op = {
    .name = "log_softmax",
    .abilities = DLZ_OP_NEEDS_OUTPUT,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
