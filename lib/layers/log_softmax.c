/* The logarithm of a softmax over the channels of each pixel, or over a vector. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/op.h"
#include "kernels/nn/softmax.h"

#include <math.h>

/* Numbers that a tile handles, at least. */
#define TILE_SIZE 16384

const dlz_layer_type dlz_log_softmax_type;

dlviz_layer *dlviz_log_softmax(void) {
    return dlz_layer_create(&dlz_log_softmax_type);
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

static int64_t place_of_largest(int64_t n, const float *x) {
    int64_t place = 0;
    for (int64_t i = 1; i < n; i++)
        if (x[i] > x[place])
            place = i;
    return place;
}

/* The largest number's exponential is 1, which would swallow small ones; so the others' are summed
 * by themselves. */
static void forward_row(int64_t classes, const float *x, float *y) {
    int64_t place = place_of_largest(classes, x);
    dlz_softmax_row row;
    dlz_softmax_kernels()->cross_entropy(1, classes, x, &place, 1, NULL, &row);
    float most = x[place], rest = isnan(row.sum) ? NAN : (float)log1p(row.others);
    for (int64_t c = 0; c < classes; c++)
        y[c] = (x[c] - most) - rest;
}

static void forward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const softmax_pass *pass = context;
    int64_t first = tile * pass->together, end = dlz_min_i64(first + pass->together, pass->rows);
    for (int64_t row = first; row < end; row++)
        forward_row(pass->classes, pass->op->in->data + row * pass->classes,
                    pass->op->out->data + row * pass->classes);
}

static void forward(dlz_op *op, const dlz_run *run) {
    softmax_pass pass = make_pass(op, run);
    dlz_parallel_for(dlz_ceil_div(pass.rows, pass.together), run->workers, forward_tile, &pass);
}

/* dx = dy − exp(y) * sum of dy. Where exp(y) is nearly 1, what is left is made of exp(y) − 1. */
static void backward_row(int64_t classes, const float *y, const float *dy, float *dx) {
    double sum = 0;
    for (int64_t c = 0; c < classes; c++)
        sum += (double)dy[c];
    dlz_softmax_kernels()->exp_negative(classes, y, dx);
    float total = (float)sum;
    for (int64_t c = 0; c < classes; c++)
        dx[c] = dy[c] - dx[c] * total;
    for (int64_t c = 0; c < classes; c++)
        if (y[c] > -0.5f)
            dx[c] = (float)(((double)dy[c] - sum) - expm1((double)y[c]) * sum);
}

static void backward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const softmax_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t first = tile * pass->together, end = dlz_min_i64(first + pass->together, pass->rows);
    for (int64_t at = first * pass->classes; at < end * pass->classes; at += pass->classes)
        backward_row(pass->classes, op->out->data + at, op->out->gradient.dy + at, op->in->dy + at);
}

static void backward(dlz_op *op, const dlz_run *run) {
    if (!op->in->needs_gradient)
        return;
    softmax_pass pass = make_pass(op, run);
    dlz_parallel_for(dlz_ceil_div(pass.rows, pass.together), run->workers, backward_tile, &pass);
    dlz_op_give_gradients(op);
}

static const dlz_op_type log_softmax_op = {
    .name = "log_softmax",
    .abilities = DLZ_OP_NEEDS_OUTPUT,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

const dlz_layer_type dlz_log_softmax_type = {
    .name = "log_softmax",
    .size = sizeof(dlviz_layer),
    .infer = dlz_infer_same,
    .op = &log_softmax_op,
};
