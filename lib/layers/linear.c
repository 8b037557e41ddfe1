/* Fully connected layer: settings, shape, state. */
#include "base/base.h"
#include "layers/layer.h"

#include <math.h>

#define LARGEST (1 << 28)

dlviz_layer *dlviz_linear(int64_t out_features) {
    dlviz_layer *layer = dlz_layer_create(DLZ_LINEAR);
    if (!layer)
        return NULL;
    layer->set.linear.out_features = out_features;
    layer->set.linear.bias = true;
    if (out_features < 1 || out_features > LARGEST)
        dlz_layer_remember(layer, dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                           "dlviz_linear: %lld outputs; 1 to %d are accepted",
                                           (long long)out_features, LARGEST));
    return layer;
}

dlviz_status dlviz_linear_set_bias(dlviz_layer *layer, bool bias) {
    DLZ_TRY(dlz_layer_require(__func__, layer, DLZ_LINEAR));
    layer->set.linear.bias = bias;
    return DLVIZ_OK;
}

static dlviz_status infer(const dlviz_layer *layer, const dlz_shape *in, dlz_shape *out) {
    if (in->ndim != 1)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "input has %d dimensions, needs 1: put a flatten layer in front", in->ndim);
    *out = (dlz_shape){.ndim = 1, .dims = {layer->set.linear.out_features}};
    return DLVIZ_OK;
}

static int states(const dlviz_layer *layer, const dlz_shape *in,
                  dlz_state_spec specs[DLZ_MAX_STATES]) {
    int64_t outputs = layer->set.linear.out_features, inputs = in->dims[0];
    double bound = 1 / sqrt((double)inputs);
    specs[0] = (dlz_state_spec){"weight", DLVIZ_FLOAT32,       2,    {outputs, inputs},
                                true,     DLZ_INITIAL_UNIFORM, bound};
    specs[1] =
        (dlz_state_spec){"bias", DLVIZ_FLOAT32, 1, {outputs}, true, DLZ_INITIAL_UNIFORM, bound};
    return layer->set.linear.bias ? 2 : 1;
}

static json_t *settings(const dlviz_layer *layer) {
    return json_pack("{s:I,s:b}", "out_features", (json_int_t)layer->set.linear.out_features,
                     "bias", layer->set.linear.bias);
}

static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    (void)layer;
    return constant;
}

const dlz_layer_type dlz_linear_type = {"linear", infer, states, settings, NULL, hand_on};
