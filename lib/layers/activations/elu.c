/* x for x > 0, else alpha (e^x − 1). Settings: alpha. Its derivative at 0 is alpha. */
#include "kernels/activations/exponentials.h"
#include "layers/activations/loops.h"

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    dlz_v below = dlz_expm1_negative(dlz_select(x > 0.0f, (dlz_v){0}, x));
    return dlz_select(x > 0.0f, x, settings[0] * below);
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    dlz_exp_parts e = dlz_exp_times(dlz_splat(settings[0]), dlz_least(x, (dlz_v){0}), (dlz_v){0});
    return dlz_select(x > 0.0f, dlz_splat(1), e.first * e.power);
}

DLZ_ACTIVATION(elu)

#ifdef DLZ_BASELINE
#include "layers/activations/layer.h"
#include "onnx/onnx.h"

DLZ_ACTIVATION_TABLE(elu)

typedef struct elu {
    dlz_activation_layer base;
    double alpha;
} elu;

const dlz_layer_type dlz_elu_type;

dlviz_layer *dlviz_elu(double alpha) {
    dlviz_layer *layer = dlz_layer_create(&dlz_elu_type);
    if (layer)
        ((elu *)layer)->alpha = alpha;
    return dlz_layer_checked(layer);
}

double dlviz_elu_alpha(const dlviz_layer *layer) {
    return dlz_layer_real(layer, &dlz_elu_type, offsetof(elu, alpha));
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    return dlz_activation_infer(layer, dlz_elu_kernels(), in, out);
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    dlz_onnx_set_real(to, "alpha", ((const elu *)layer)->alpha);
    dlz_onnx_plain(to, "Elu");
}

static const dlz_setting settings[] = {
    {"alpha", DLZ_SETTING_REAL, offsetof(elu, alpha), false},
    {0},
};

const dlz_layer_type dlz_elu_type = {
    .name = "elu",
    .size = sizeof(elu),
    .settings = settings,
    .check = dlz_activation_check,
    .infer = infer,
    .stage = dlz_activation_stage,
    .join = dlz_activation_join,
    .onnx = onnx,
};
#endif
