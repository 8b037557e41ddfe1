/* x min(max(x + 3, 0), 6) / 6. Its derivative is (x + 3/2) / 3 from −3 to 3, ends included. */
#include "kernels/activations/exponentials.h"
#include "layers/activations/loops.h"

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    (void)settings;
    dlz_v gate = dlz_least(x + 3.0f, dlz_splat(6)) * (1.0f / 6);
    return dlz_select(x > -3.0f, x * gate, (dlz_v){0});
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    (void)settings;
    dlz_v between = (x + 1.5f) * (1.0f / 3);
    dlz_v upto_3 = dlz_select(x < -3.0f, (dlz_v){0}, between);
    return dlz_select(x > 3.0f, dlz_splat(1), upto_3);
}

DLZ_ACTIVATION(hardswish)

#ifdef DLZ_BASELINE
#include "layers/activations/layer.h"
#include "onnx/onnx.h"

DLZ_ACTIVATION_TABLE(hardswish)

const dlz_layer_type dlz_hardswish_type;

dlviz_layer *dlviz_hardswish(void) {
    return dlz_layer_create(&dlz_hardswish_type);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    return dlz_activation_infer(layer, dlz_hardswish_kernels(), in, out);
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    dlz_onnx_plain(to, "HardSwish");
}

const dlz_layer_type dlz_hardswish_type = {
    .name = "hardswish",
    .size = sizeof(dlz_activation_layer),
    .infer = infer,
    .stage = dlz_activation_stage,
    .join = dlz_activation_join,
    .onnx = onnx,
};
#endif
