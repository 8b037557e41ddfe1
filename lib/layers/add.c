/* The sum of several inputs of one shape. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/op.h"

#include <string.h>

/* Numbers a tile adds up. */
#define TILE 16384

const dlz_layer_type dlz_add_type;

dlviz_layer *dlviz_add(void) {
    return dlz_layer_create(&dlz_add_type);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)layer;
    *out = in[0];
    for (int i = 1; i < num_inputs; i++)
        DLZ_TRY(dlz_require_equal_shapes(&in[0], i, &in[i]));
    return DLVIZ_OK;
}

static double multiply_adds(const dlviz_layer *layer, const dlz_shape *in, const dlz_shape *out) {
    (void)layer;
    (void)in;
    return (double)dlz_shape_size(out);
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    return dlz_op_ask_output(op, setup);
}

typedef struct sum_pass {
    const dlz_op *op;
    int64_t size;
} sum_pass;

static void sum_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const sum_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t first = tile * TILE, end = dlz_min_i64(first + TILE, pass->size);
    float *sum = op->out->data;
    memcpy(sum + first, op->in->data + first, (size_t)(end - first) * sizeof *sum);
    for (int k = 1; k < op->num_inputs; k++) {
        const float *more = op->inputs[k]->data;
        for (int64_t i = first; i < end; i++)
            sum[i] += more[i];
    }
}

static void forward(dlz_op *op, const dlz_run *run) {
    sum_pass pass = {op, run->n * dlz_value_size(op->out)};
    dlz_parallel_for(dlz_ceil_div(pass.size, TILE), run->workers, sum_tile, &pass);
}

/* Each input has the output's gradient. */
static void backward(dlz_op *op, const dlz_run *run) {
    (void)run;
    for (int k = 0; k < op->num_inputs; k++)
        if (op->inputs[k]->needs_gradient)
            op->inputs[k]->gradient = op->out->gradient;
}

static const dlz_op_type add_op = {
    .name = "add",
    .abilities = DLZ_OP_HANDS_GRADIENT_ON,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

const dlz_layer_type dlz_add_type = {
    .name = "add",
    .size = sizeof(dlviz_layer),
    .min_inputs = 2,
    .max_inputs = INT32_MAX,
    .infer = infer,
    .multiply_adds = multiply_adds,
    .hand_on = dlz_hand_on_as_is,
    .op = &add_op,
};
