#include "base/base.h"
#include "layers/layer.h"

dlviz_layer *dlviz_flatten(void) {
    return dlz_layer_create(DLZ_FLATTEN);
}

static dlviz_status infer(const dlviz_layer *layer, const dlz_shape *in, dlz_shape *out) {
    (void)layer;
    int64_t size;
    if (dlz_product_overflows(in->ndim, in->dims, &size))
        return dlz_fail(DLVIZ_ERROR_SHAPE, "the flattened size does not fit 64 bits");
    *out = (dlz_shape){.ndim = 1, .dims = {size}};
    return DLVIZ_OK;
}

static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    (void)layer;
    return constant;
}

const dlz_layer_type dlz_flatten_type = {"flatten", infer, NULL, NULL, NULL, hand_on};
