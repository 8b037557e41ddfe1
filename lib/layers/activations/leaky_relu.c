/* x for x > 0, else slope * x. Settings: the slope. Its derivative at 0 is the slope. */
#include "layers/activations/loops.h"

/* A slope of 0 is relu, which makes 0 of −∞, too. */
DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    dlz_v factor = dlz_splat(settings[0]);
    dlz_v below = (dlz_v)((dlz_vi)(x * factor) & ~(dlz_vi)(factor == 0.0f));
    return dlz_select(x > 0.0f, x, below);
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    return dlz_select(x > 0.0f, dlz_splat(1), dlz_splat(settings[0]));
}

DLZ_ACTIVATION(leaky_relu)

#ifdef DLZ_BASELINE
#include "layers/activations/layer.h"
#include "onnx/onnx.h"

DLZ_ACTIVATION_TABLE(leaky_relu)

typedef struct leaky_relu {
    dlz_activation_layer base;
    double negative_slope;
} leaky_relu;

const dlz_layer_type dlz_leaky_relu_type;

dlviz_layer *dlviz_leaky_relu(double negative_slope) {
    dlviz_layer *layer = dlz_layer_create(&dlz_leaky_relu_type);
    if (layer)
        ((leaky_relu *)layer)->negative_slope = negative_slope;
    return dlz_layer_checked(layer);
}

double dlviz_leaky_relu_negative_slope(const dlviz_layer *layer) {
    return dlz_layer_real(layer, &dlz_leaky_relu_type, offsetof(leaky_relu, negative_slope));
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    return dlz_activation_infer(layer, dlz_leaky_relu_kernels(), in, out);
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    dlz_onnx_set_real(to, "alpha", ((const leaky_relu *)layer)->negative_slope);
    dlz_onnx_plain(to, "LeakyRelu");
}

static const dlz_setting settings[] = {
    {"negative_slope", DLZ_SETTING_REAL, offsetof(leaky_relu, negative_slope), false},
    {0},
};

const dlz_layer_type dlz_leaky_relu_type = {
    .name = "leaky_relu",
    .size = sizeof(leaky_relu),
    .settings = settings,
    .check = dlz_activation_check,
    .infer = infer,
    .stage = dlz_activation_stage,
    .join = dlz_activation_join,
    .onnx = onnx,
};
#endif
