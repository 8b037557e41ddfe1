/* Inputs laid one behind the other along the channels. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/op.h"
#include "onnx/onnx.h"

#include <string.h>

const dlz_layer_type dlz_concat_type;

dlviz_layer *dlviz_concat(void) {
    return dlz_layer_create(&dlz_concat_type);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)layer;
    *out = in[0];
    for (int i = 1; i < num_inputs; i++) {
        dlz_shape same = in[i];
        same.dims[0] = in[0].dims[0];
        if (!dlz_shapes_equal(&in[0], &same))
            return dlz_fail_shapes("all must have one height and width", &in[0], i, &in[i]);
        if (__builtin_add_overflow(out->dims[0], in[i].dims[0], &out->dims[0]))
            return dlz_fail(DLVIZ_ERROR_SHAPE, "the channels are too many");
    }
    return DLVIZ_OK;
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

typedef struct concat_pass {
    const dlz_op *op;
    const float *dy;
} concat_pass;

static void forward_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const concat_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t pixels = op->out->height * op->out->width, all = op->out->channels, first = 0;
    for (int k = 0; k < op->num_inputs; k++) {
        int64_t channels = op->inputs[k]->channels;
        const float *from = op->inputs[k]->data + sample * pixels * channels;
        float *to = op->out->data + sample * pixels * all + first;
        for (int64_t pixel = 0; pixel < pixels; pixel++)
            memcpy(to + pixel * all, from + pixel * channels, (size_t)channels * sizeof *to);
        first += channels;
    }
}

static void forward(dlz_op *op, const dlz_run *run) {
    concat_pass pass = {.op = op};
    dlz_parallel_for(run->n, run->workers, forward_tile, &pass);
}

static void backward_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const concat_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t pixels = op->out->height * op->out->width, all = op->out->channels, first = 0;
    for (int k = 0; k < op->num_inputs; k++) {
        dlz_value *in = op->inputs[k];
        const float *from = pass->dy + sample * pixels * all + first;
        for (int64_t pixel = 0; in->needs_gradient && pixel < pixels; pixel++)
            memcpy(in->dy + (sample * pixels + pixel) * in->channels, from + pixel * all,
                   (size_t)in->channels * sizeof *from);
        first += in->channels;
    }
}

static void backward(dlz_op *op, const dlz_run *run) {
    concat_pass pass = {op, op->out->gradient.dy};
    dlz_parallel_for(run->n, run->workers, backward_tile, &pass);
    dlz_op_give_gradients(op);
}

static const dlz_op_type concat_op = {
    .name = "concat",
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    dlz_onnx_set_integer(to, "axis", 1);
    dlz_onnx_plain(to, "Concat");
}

const dlz_layer_type dlz_concat_type = {
    .name = "concat",
    .size = sizeof(dlviz_layer),
    .min_inputs = 2,
    .max_inputs = INT32_MAX,
    .infer = infer,
    .hand_on = dlz_hand_on_as_is,
    .op = &concat_op,
    .onnx = onnx,
};
