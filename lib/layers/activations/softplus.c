/* ln(1 + e^(beta x)) / beta, and x where beta x is above the threshold. Settings: beta, threshold.
 */
#include "kernels/activations/logistic.h"
#include "layers/activations/loops.h"

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    dlz_v z = x * settings[0];
    dlz_v rest = dlz_log1p_unit(dlz_exp_negative(-dlz_magnitude(z)));
    return dlz_select(z > settings[1], x, (dlz_greatest(z, (dlz_v){0}) + rest) / settings[0]);
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    dlz_v z = x * settings[0];
    return dlz_select(z > settings[1], dlz_splat(1), dlz_logistic(z));
}

DLZ_ACTIVATION(softplus)

#ifdef DLZ_BASELINE
#include "layers/activations/layer.h"
#include "onnx/onnx.h"

DLZ_ACTIVATION_TABLE(softplus)

typedef struct softplus {
    dlz_activation_layer base;
    double beta, threshold;
} softplus;

static dlviz_status check(const dlviz_layer *layer) {
    const softplus *set = (const softplus *)layer;
    if (!(set->beta >= 1e-30 && set->beta <= 1e30))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "beta is %g; 1e-30 to 1e30 are accepted",
                        set->beta);
    return dlz_activation_check(layer);
}

const dlz_layer_type dlz_softplus_type;

dlviz_layer *dlviz_softplus(void) {
    dlviz_layer *layer = dlz_layer_create(&dlz_softplus_type);
    if (!layer)
        return NULL;
    ((softplus *)layer)->beta = 1;
    ((softplus *)layer)->threshold = 20;
    return layer;
}

dlviz_status dlviz_softplus_set_beta(dlviz_layer *layer, double beta) {
    return dlz_layer_set(__func__, layer, &dlz_softplus_type, offsetof(softplus, beta), &beta,
                         sizeof beta);
}

dlviz_status dlviz_softplus_set_threshold(dlviz_layer *layer, double threshold) {
    return dlz_layer_set(__func__, layer, &dlz_softplus_type, offsetof(softplus, threshold),
                         &threshold, sizeof threshold);
}

double dlviz_softplus_beta(const dlviz_layer *layer) {
    return dlz_layer_real(layer, &dlz_softplus_type, offsetof(softplus, beta));
}

double dlviz_softplus_threshold(const dlviz_layer *layer) {
    return dlz_layer_real(layer, &dlz_softplus_type, offsetof(softplus, threshold));
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    return dlz_activation_infer(layer, dlz_softplus_kernels(), in, out);
}

/* From there on ln(1 + e^z) is z for floats. */
#define THRESHOLD_WITHOUT_EFFECT 17.0

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const softplus *set = (const softplus *)layer;
    /* Where beta x is beyond floats, x is not. */
    bool is_scaled = set->beta != 1;
    bool is_cut = is_scaled || set->threshold < THRESHOLD_WITHOUT_EFFECT;
    const char *x = dlz_onnx_input(to), *z = x, *y;
    const char *beta = is_scaled ? dlz_onnx_number(to, "beta", set->beta) : NULL;
    if (is_scaled)
        z = DLZ_ONNX_NODE(to, "Mul", "scaled", x, beta);
    y = DLZ_ONNX_NODE(to, "Softplus", is_scaled || is_cut ? "softplus" : NULL, z);
    if (is_scaled)
        y = DLZ_ONNX_NODE(to, "Div", is_cut ? "scaled_back" : NULL, y, beta);
    if (!is_cut)
        return;
    const char *threshold = dlz_onnx_number(to, "threshold", set->threshold);
    DLZ_ONNX_NODE(to, "Where", NULL, DLZ_ONNX_NODE(to, "Greater", "is_above", z, threshold), x, y);
}

static const dlz_setting settings[] = {
    {"beta", DLZ_SETTING_REAL, offsetof(softplus, beta), false},
    {"threshold", DLZ_SETTING_REAL, offsetof(softplus, threshold), false},
    {0},
};

const dlz_layer_type dlz_softplus_type = {
    .name = "softplus",
    .size = sizeof(softplus),
    .settings = settings,
    .check = check,
    .infer = infer,
    .stage = dlz_activation_stage,
    .join = dlz_activation_join,
    .onnx = onnx,
};
#endif
