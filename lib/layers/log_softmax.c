/* The logarithm of a softmax over the channels of each pixel, or over a vector. */
#include "layers/softmax_op.h"
#include "onnx/onnx.h"

const dlz_layer_type dlz_log_softmax_type;

dlviz_layer *dlviz_log_softmax(void) {
    return dlz_layer_create(&dlz_log_softmax_type);
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    dlz_onnx_set_integer(to, "axis", 1);
    dlz_onnx_plain(to, "LogSoftmax");
}

const dlz_layer_type dlz_log_softmax_type = {
    .name = "log_softmax",
    .size = sizeof(dlviz_layer),
    .infer = dlz_infer_same,
    .op = &dlz_log_softmax_op,
    .onnx = onnx,
};
