/* From channels-last images to one dimension in PyTorch's order, channel by channel, and back. */
#include "base/base.h"
#include "graph/op.h"
#include "layers/transpose.h"
#include "onnx/onnx.h"

const dlz_layer_type dlz_flatten_type;

dlviz_layer *dlviz_flatten(void) {
    return dlz_layer_create(&dlz_flatten_type);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)layer;
    (void)num_inputs;
    int64_t size;
    if (dlz_product_overflows(in->ndim, in->dims, &size))
        return dlz_fail(DLVIZ_ERROR_SHAPE, "the flattened size does not fit 64 bits");
    *out = (dlz_shape){.ndim = 1, .dims = {size}};
    return DLVIZ_OK;
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

static void forward(dlz_op *op, const dlz_run *run) {
    dlz_transpose_samples(run, op->in->data, op->in->height * op->in->width, op->in->channels,
                          op->out->data);
}

static void backward(dlz_op *op, const dlz_run *run) {
    if (!op->in->needs_gradient)
        return;
    dlz_transpose_samples(run, op->out->gradient.dy, op->in->channels,
                          op->in->height * op->in->width, op->in->dy);
    dlz_op_give_gradients(op);
}

static const dlz_op_type flatten_op = {
    .name = "flatten",
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    dlz_onnx_set_integer(to, "axis", 1);
    dlz_onnx_plain(to, "Flatten");
}

const dlz_layer_type dlz_flatten_type = {
    .name = "flatten",
    .size = sizeof(dlviz_layer),
    .infer = infer,
    .hand_on = dlz_hand_on_as_is,
    .op = &flatten_op,
    .onnx = onnx,
};
