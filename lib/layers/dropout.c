#include "base/base.h"
#include "layers/layer.h"

dlviz_layer *dlviz_dropout(double p) {
    dlviz_layer *layer = dlz_layer_create(DLZ_DROPOUT);
    if (!layer)
        return NULL;
    layer->set.dropout.p = p;
    if (!(p >= 0 && p < 1))
        dlz_layer_remember(layer, dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                           "dlviz_dropout: p is %g; 0 to below 1 is accepted", p));
    return layer;
}

static dlviz_status infer(const dlviz_layer *layer, const dlz_shape *in, dlz_shape *out) {
    (void)layer;
    *out = *in;
    return DLVIZ_OK;
}

static json_t *settings(const dlviz_layer *layer) {
    return json_pack("{s:f}", "p", layer->set.dropout.p);
}

static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    return layer->set.dropout.p > 0 ? DLZ_CONSTANT_LOST : constant;
}

const dlz_layer_type dlz_dropout_type = {"dropout", infer, NULL, settings, "p", hand_on};
