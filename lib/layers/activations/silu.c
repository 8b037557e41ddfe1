/* x σ(x), also called swish. */
#include "kernels/activations/logistic.h"
#include "layers/activations/loops.h"

/* Below −110 it is 0 for floats, and so is its derivative; above 110 that is 1. */
#define FAR 110.0f

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    (void)settings;
    x = dlz_greatest(x, dlz_splat(-FAR));
    return dlz_times_logistic(x, x);
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    (void)settings;
    x = dlz_least(dlz_greatest(x, dlz_splat(-FAR)), dlz_splat(FAR));
    return dlz_times_logistic_slope(x, x);
}

DLZ_ACTIVATION(silu)

#ifdef DLZ_BASELINE
#include "layers/activations/layer.h"
#include "onnx/onnx.h"

DLZ_ACTIVATION_TABLE(silu)

const dlz_layer_type dlz_silu_type;

dlviz_layer *dlviz_silu(void) {
    return dlz_layer_create(&dlz_silu_type);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    return dlz_activation_infer(layer, dlz_silu_kernels(), in, out);
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    const char *x = dlz_onnx_input(to), *share = DLZ_ONNX_NODE(to, "Sigmoid", "sigmoid", x);
    DLZ_ONNX_NODE(to, "Mul", NULL, x, share);
}

const dlz_layer_type dlz_silu_type = {
    .name = "silu",
    .size = sizeof(dlz_activation_layer),
    .infer = infer,
    .stage = dlz_activation_stage,
    .join = dlz_activation_join,
    .onnx = onnx,
};
#endif
