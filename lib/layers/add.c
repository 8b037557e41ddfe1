/* The sum of several inputs of one shape, with the relu that follows: in one pass over memory each
 * way, with the batch norms that are pending on the inputs. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/split.h"
#include "kernels/nn/sum.h"
#include "onnx/onnx.h"

/* Numbers a tile adds up, about. */
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

typedef struct add_op {
    dlz_addend *addends;
    dlz_gathering gathering;
} add_op;

/* Whether there is a relu, or gradients to add up; else the gradient is handed on as it comes. */
static bool makes_gradient(const dlz_op *op) {
    return (op->abilities & DLZ_OP_REPLACES_OUTPUT) != 0;
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    add_op *own = op->own;
    int first = setup->forward_time;
    DLZ_TRY(dlz_memory_ask_array(setup->memory, &own->addends, op->num_inputs, sizeof *own->addends,
                                 first, first));
    if (setup->mode.gradients && makes_gradient(op))
        DLZ_TRY(dlz_gather_plan(&own->gathering, op, setup));
    return dlz_op_ask_output(op, setup);
}

typedef struct sum_pass {
    const dlz_op *op;
    int64_t pixels, together; /* of all samples, of a tile */
} sum_pass;

static void sum_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const sum_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t first = tile * pass->together;
    dlz_sum_kernels()->values(((const add_op *)op->own)->addends, op->num_inputs, op->out->channels,
                              op->fold.relu, first,
                              dlz_min_i64(pass->together, pass->pixels - first), op->out->data);
}

static void forward(dlz_op *op, const dlz_run *run) {
    const dlz_value *out = op->out;
    for (int k = 0; k < op->num_inputs; k++) {
        const dlz_value *in = op->inputs[k];
        ((add_op *)op->own)->addends[k] = (dlz_addend){in->data, in->scale, in->shift, in->relu};
    }
    sum_pass pass = {op, run->n * out->height * out->width, dlz_max_i64(1, TILE / out->channels)};
    dlz_parallel_for(dlz_ceil_div(pass.pixels, pass.together), run->workers, sum_tile, &pass);
    dlz_hand_on(op, out);
}

/* Each input has the output's gradient, one and the same array. What a relu lets pass of it, and
 * what its readers' gradients add up to, takes the place of the output, which nobody reads any
 * more. */
static void backward(dlz_op *op, const dlz_run *run) {
    dlz_gradient_view gradient = op->out->gradient;
    if (makes_gradient(op)) {
        float *to = op->out->data;
        dlz_gather(&((const add_op *)op->own)->gathering, op, run, op->fold.relu ? to : NULL, to);
        gradient = (dlz_gradient_view){.dy = to};
    }
    for (int k = 0; k < op->num_inputs; k++)
        if (op->inputs[k]->needs_gradient)
            op->inputs[k]->gradient = gradient;
}

static const dlz_op_type add_op_type = {
    .name = "add",
    .own = sizeof(add_op),
    .abilities = DLZ_OP_HANDS_GRADIENT_ON | DLZ_OP_READS_PENDING | DLZ_OP_GATES | DLZ_OP_SPLITS,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    dlz_onnx_plain(to, dlz_onnx_num_inputs(to) == 2 ? "Add" : "Sum");
}

const dlz_layer_type dlz_add_type = {
    .name = "add",
    .size = sizeof(dlviz_layer),
    .min_inputs = 2,
    .max_inputs = INT32_MAX,
    .infer = infer,
    .multiply_adds = multiply_adds,
    .hand_on = dlz_hand_on_as_is,
    .op = &add_op_type,
    .onnx = onnx,
};
