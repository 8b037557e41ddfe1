#include "layers/layer.h"
#include "base/base.h"

#include <stdio.h>

int64_t dlz_shape_size(const dlz_shape *shape) {
    int64_t size = 1;
    for (int i = 0; i < shape->ndim; i++)
        size *= shape->dims[i];
    return size;
}

const dlz_layer_type *dlz_layer_type_of(dlz_layer_kind kind) {
    static const dlz_layer_type *const types[] = {
        [DLZ_CONV2D] = &dlz_conv2d_type,   [DLZ_BATCHNORM] = &dlz_batchnorm_type,
        [DLZ_RELU] = &dlz_relu_type,       [DLZ_MAXPOOL2D] = &dlz_maxpool2d_type,
        [DLZ_DROPOUT] = &dlz_dropout_type, [DLZ_LINEAR] = &dlz_linear_type,
        [DLZ_FLATTEN] = &dlz_flatten_type};
    return types[kind];
}

dlviz_layer *dlz_layer_create(dlz_layer_kind kind) {
    dlviz_layer *layer = dlz_alloc_zero(sizeof *layer);
    if (!layer) {
        dlz_fail_memory(dlz_layer_type_of(kind)->name, sizeof *layer);
        return NULL;
    }
    layer->kind = kind;
    return layer;
}

void dlviz_layer_destroy(dlviz_layer *layer) {
    if (layer && !layer->owned)
        dlz_free(layer);
}

dlviz_status dlz_layer_remember(dlviz_layer *layer, dlviz_status status) {
    if (status != DLVIZ_OK && layer && layer->error == DLVIZ_OK) {
        layer->error = status;
        snprintf(layer->message, sizeof layer->message, "%s", dlviz_last_error());
    }
    return status;
}

dlviz_status dlz_layer_require(const char *who, dlviz_layer *layer, dlz_layer_kind kind) {
    if (!layer)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'layer' is NULL", who);
    if (layer->built)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the layer's network is built; settings come before",
                        who);
    if (layer->kind != kind)
        return dlz_layer_remember(
            layer, dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: the layer is a %s, needs a %s", who,
                            dlz_layer_type_of(layer->kind)->name, dlz_layer_type_of(kind)->name));
    return DLVIZ_OK;
}

dlviz_status dlz_require_image(const dlz_shape *in) {
    if (in->ndim != 3)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "input has %d dimension%s, needs 3 (channels, height, width)", in->ndim,
                        in->ndim == 1 ? "" : "s");
    return DLVIZ_OK;
}

int64_t dlz_window_count(int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                         int64_t dilation) {
    int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}
