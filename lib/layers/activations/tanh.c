/* The hyperbolic tangent: −m / (2 + m) of |x| with m = e^−2|x| − 1. */
#include "kernels/activations/exponentials.h"
#include "layers/activations/loops.h"

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    (void)settings;
    dlz_v m = dlz_expm1_negative(-2.0f * dlz_magnitude(x));
    return dlz_signed_as(x, dlz_magnitude(m) / (m + 2.0f));
}

/* 1 − tanh², without the difference. */
DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    (void)settings;
    dlz_v e = dlz_exp_negative(-2.0f * dlz_magnitude(x));
    return 4.0f * e / ((e + 1.0f) * (e + 1.0f));
}

DLZ_ACTIVATION(tanh)

#ifdef DLZ_BASELINE
#include "layers/activations/layer.h"
#include "onnx/onnx.h"

DLZ_ACTIVATION_TABLE(tanh)

const dlz_layer_type dlz_tanh_type;

dlviz_layer *dlviz_tanh(void) {
    return dlz_layer_create(&dlz_tanh_type);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    return dlz_activation_infer(layer, dlz_tanh_kernels(), in, out);
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    dlz_onnx_plain(to, "Tanh");
}

const dlz_layer_type dlz_tanh_type = {
    .name = "tanh",
    .size = sizeof(dlz_activation_layer),
    .infer = infer,
    .stage = dlz_activation_stage,
    .join = dlz_activation_join,
    .onnx = onnx,
};
#endif
