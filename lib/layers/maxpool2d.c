/* Max pooling: settings and shape. */
#include "base/base.h"
#include "layers/layer.h"

#define LARGEST (1 << 15)

static dlviz_status check(dlviz_layer *layer, const char *who, const char *what, int64_t value,
                          int64_t least, int64_t most) {
    if (value >= least && value <= most)
        return DLVIZ_OK;
    return dlz_layer_remember(
        layer, dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %s is %lld; %lld to %lld are accepted",
                        who, what, (long long)value, (long long)least, (long long)most));
}

dlviz_layer *dlviz_maxpool2d(int64_t kernel) {
    dlviz_layer *layer = dlz_layer_create(DLZ_MAXPOOL2D);
    if (!layer)
        return NULL;
    layer->set.maxpool2d = (dlz_maxpool2d_settings){kernel, kernel, 0};
    check(layer, __func__, "the kernel", kernel, 1, LARGEST);
    return layer;
}

dlviz_status dlviz_maxpool2d_set_stride(dlviz_layer *layer, int64_t stride) {
    DLZ_TRY(dlz_layer_require(__func__, layer, DLZ_MAXPOOL2D));
    DLZ_TRY(check(layer, __func__, "the stride", stride, 1, LARGEST));
    layer->set.maxpool2d.stride = stride;
    return DLVIZ_OK;
}

dlviz_status dlviz_maxpool2d_set_padding(dlviz_layer *layer, int64_t padding) {
    DLZ_TRY(dlz_layer_require(__func__, layer, DLZ_MAXPOOL2D));
    DLZ_TRY(check(layer, __func__, "the padding", padding, 0, layer->set.maxpool2d.kernel / 2));
    layer->set.maxpool2d.padding = padding;
    return DLVIZ_OK;
}

static dlviz_status infer(const dlviz_layer *layer, const dlz_shape *in, dlz_shape *out) {
    const dlz_maxpool2d_settings *set = &layer->set.maxpool2d;
    DLZ_TRY(dlz_require_image(in));
    *out = *in;
    for (int axis = 1; axis < 3; axis++) {
        out->dims[axis] =
            dlz_window_count(in->dims[axis], set->kernel, set->stride, set->padding, 1);
        if (out->dims[axis] < 1)
            return dlz_fail(DLVIZ_ERROR_SHAPE,
                            "a window of %lld with padding %lld is larger than the input's %s of "
                            "%lld",
                            (long long)set->kernel, (long long)set->padding,
                            axis == 1 ? "height" : "width", (long long)in->dims[axis]);
    }
    return DLVIZ_OK;
}

static json_t *settings(const dlviz_layer *layer) {
    const dlz_maxpool2d_settings *set = &layer->set.maxpool2d;
    return json_pack("{s:I,s:I,s:I}", "kernel", (json_int_t)set->kernel, "stride",
                     (json_int_t)set->stride, "padding", (json_int_t)set->padding);
}

/* The largest is another one where places differ. */
static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    (void)layer;
    return constant == DLZ_CONSTANT_EVERYWHERE ? constant : DLZ_CONSTANT_LOST;
}

const dlz_layer_type dlz_maxpool2d_type = {"maxpool2d", infer, NULL, settings, NULL, hand_on};
