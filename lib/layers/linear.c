/* Fully connected layer: y = x weightᵀ + bias. */
#include "base/base.h"
#include "layers/linear.h"
#include "onnx/onnx.h"

#define LARGEST (1 << 28)

typedef struct linear {
    dlviz_layer base;
    int64_t out_features;
    bool bias;
} linear;

static dlviz_status check(const dlviz_layer *layer) {
    return dlz_check_integer("out_features", ((const linear *)layer)->out_features, 1, LARGEST);
}

const dlz_layer_type dlz_linear_type;

dlviz_layer *dlviz_linear(int64_t out_features) {
    dlviz_layer *layer = dlz_layer_create(&dlz_linear_type);
    if (!layer)
        return NULL;
    ((linear *)layer)->out_features = out_features;
    ((linear *)layer)->bias = true;
    return dlz_layer_checked(layer);
}

dlviz_status dlviz_linear_set_bias(dlviz_layer *layer, bool bias) {
    return dlz_layer_set(__func__, layer, &dlz_linear_type, offsetof(linear, bias), &bias,
                         sizeof bias);
}

int64_t dlviz_linear_out_features(const dlviz_layer *layer) {
    const linear *set = dlz_layer_as(layer, &dlz_linear_type);
    return set ? set->out_features : 0;
}

bool dlviz_linear_bias(const dlviz_layer *layer) {
    const linear *set = dlz_layer_as(layer, &dlz_linear_type);
    return set && set->bias;
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    if (in->ndim != 1)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "input has %d dimensions, needs 1: put a flatten layer in front", in->ndim);
    *out = (dlz_shape){.ndim = 1, .dims = {((const linear *)layer)->out_features}};
    return DLVIZ_OK;
}

static int states(const dlviz_layer *layer, const dlz_shape *in,
                  dlz_state_spec specs[DLZ_MAX_STATES]) {
    int64_t outputs = ((const linear *)layer)->out_features, inputs = in->dims[0];
    const int64_t dims[] = {outputs, inputs};
    dlz_weight_and_bias(specs, 2, dims, outputs, (double)inputs);
    return ((const linear *)layer)->bias ? 2 : 1;
}

static double multiply_adds(const dlviz_layer *layer, const dlz_shape *in, const dlz_shape *out) {
    (void)layer;
    return (double)in->dims[0] * (double)out->dims[0];
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    bool bias = ((const linear *)layer)->bias;
    dlz_onnx_set_integer(to, "transB", 1);
    const char *inputs[] = {dlz_onnx_input(to), dlz_onnx_state(to, 0),
                            bias ? dlz_onnx_state(to, 1) : NULL};
    dlz_onnx_node(to, "Gemm", NULL, bias ? 3 : 2, inputs);
}

static const dlz_setting settings[] = {
    {"out_features", DLZ_SETTING_INTEGER, offsetof(linear, out_features), false},
    {"bias", DLZ_SETTING_BOOL, offsetof(linear, bias), false},
    {0},
};

const dlz_layer_type dlz_linear_type = {
    .name = "linear",
    .size = sizeof(linear),
    .settings = settings,
    .check = check,
    .infer = infer,
    .states = states,
    .multiply_adds = multiply_adds,
    .hand_on = dlz_hand_on_as_is,
    .op = &dlz_linear_op_type,
    .onnx = onnx,
};
