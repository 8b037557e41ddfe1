/* Softmax over the channels of each pixel, or over a vector. */
#include "layers/softmax_op.h"
#include "onnx/onnx.h"

const dlz_layer_type dlz_softmax_type;

dlviz_layer *dlviz_softmax(void) {
    return dlz_layer_create(&dlz_softmax_type);
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    dlz_onnx_set_integer(to, "axis", 1);
    dlz_onnx_plain(to, "Softmax");
}

const dlz_layer_type dlz_softmax_type = {
    .name = "softmax",
    .size = sizeof(dlviz_layer),
    .infer = dlz_infer_same,
    .op = &dlz_softmax_op,
    .onnx = onnx,
};
