/* 1 / (1 + e^−x). */
#include "kernels/activations/logistic.h"
#include "layers/activations/loops.h"

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    (void)settings;
    return dlz_logistic(x);
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    (void)settings;
    return dlz_logistic_slope(x);
}

DLZ_ACTIVATION(sigmoid)

#ifdef DLZ_BASELINE
#include "layers/activations/layer.h"
#include "onnx/onnx.h"

DLZ_ACTIVATION_TABLE(sigmoid)

const dlz_layer_type dlz_sigmoid_type;

dlviz_layer *dlviz_sigmoid(void) {
    return dlz_layer_create(&dlz_sigmoid_type);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    return dlz_activation_infer(layer, dlz_sigmoid_kernels(), in, out);
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    dlz_onnx_plain(to, "Sigmoid");
}

const dlz_layer_type dlz_sigmoid_type = {
    .name = "sigmoid",
    .size = sizeof(dlz_activation_layer),
    .infer = infer,
    .stage = dlz_activation_stage,
    .join = dlz_activation_join,
    .onnx = onnx,
};
#endif
