#include "layers/layer.h"

dlviz_layer *dlviz_relu(void) {
    return dlz_layer_create(DLZ_RELU);
}

static dlviz_status infer(const dlviz_layer *layer, const dlz_shape *in, dlz_shape *out) {
    (void)layer;
    *out = *in;
    return DLVIZ_OK;
}

const dlz_layer_type dlz_relu_type = {"relu", infer, NULL, NULL, NULL, NULL};
