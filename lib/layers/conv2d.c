/* 2-D convolution: settings, shape, state. */
#include "base/base.h"
#include "layers/layer.h"

#include <math.h>

/* Larger values mean a mistake, and their sums and products would not be safe. */
#define LARGEST (1 << 20)

static dlviz_status check(dlviz_layer *layer, const char *who, const char *what, int64_t vertical,
                          int64_t horizontal, int64_t least) {
    if (vertical >= least && horizontal >= least && vertical <= LARGEST && horizontal <= LARGEST)
        return DLVIZ_OK;
    return dlz_layer_remember(layer, dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                              "%s: %s is %lld x %lld; %lld to %d are accepted", who,
                                              what, (long long)vertical, (long long)horizontal,
                                              (long long)least, LARGEST));
}

static void set_pair(int64_t pair[2], int64_t vertical, int64_t horizontal) {
    pair[0] = vertical;
    pair[1] = horizontal;
}

dlviz_layer *dlviz_conv2d(int64_t out_channels, int64_t kernel, int64_t padding) {
    dlviz_layer *layer = dlz_layer_create(DLZ_CONV2D);
    if (!layer)
        return NULL;
    dlz_conv2d_settings *set = &layer->set.conv2d;
    set->out_channels = out_channels;
    set->bias = true;
    set_pair(set->kernel, kernel, kernel);
    set_pair(set->stride, 1, 1);
    set_pair(set->padding, padding, padding);
    set_pair(set->dilation, 1, 1);
    if (out_channels < 1 || out_channels > LARGEST)
        dlz_layer_remember(layer,
                           dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                    "dlviz_conv2d: %lld output channels; 1 to %d are accepted",
                                    (long long)out_channels, LARGEST));
    check(layer, __func__, "the kernel", kernel, kernel, 1);
    if (padding < DLVIZ_PAD_SAME || padding > LARGEST)
        dlz_layer_remember(layer,
                           dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                    "dlviz_conv2d: padding is %lld; 0 to %d or DLVIZ_PAD_SAME are "
                                    "accepted",
                                    (long long)padding, LARGEST));
    return layer;
}

static dlviz_status set_checked(dlviz_layer *layer, const char *who, const char *what,
                                int64_t pair[2], int64_t vertical, int64_t horizontal,
                                int64_t least) {
    DLZ_TRY(check(layer, who, what, vertical, horizontal, least));
    set_pair(pair, vertical, horizontal);
    return DLVIZ_OK;
}

dlviz_status dlviz_conv2d_set_kernel(dlviz_layer *layer, int64_t height, int64_t width) {
    DLZ_TRY(dlz_layer_require(__func__, layer, DLZ_CONV2D));
    return set_checked(layer, __func__, "the kernel", layer->set.conv2d.kernel, height, width, 1);
}

dlviz_status dlviz_conv2d_set_stride(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    DLZ_TRY(dlz_layer_require(__func__, layer, DLZ_CONV2D));
    return set_checked(layer, __func__, "the stride", layer->set.conv2d.stride, vertical,
                       horizontal, 1);
}

dlviz_status dlviz_conv2d_set_padding(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    DLZ_TRY(dlz_layer_require(__func__, layer, DLZ_CONV2D));
    return set_checked(layer, __func__, "the padding", layer->set.conv2d.padding, vertical,
                       horizontal, 0);
}

dlviz_status dlviz_conv2d_set_dilation(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    DLZ_TRY(dlz_layer_require(__func__, layer, DLZ_CONV2D));
    return set_checked(layer, __func__, "the dilation", layer->set.conv2d.dilation, vertical,
                       horizontal, 1);
}

dlviz_status dlviz_conv2d_set_bias(dlviz_layer *layer, bool bias) {
    DLZ_TRY(dlz_layer_require(__func__, layer, DLZ_CONV2D));
    layer->set.conv2d.bias = bias;
    return DLVIZ_OK;
}

int64_t dlz_conv2d_padding(const dlz_conv2d_settings *set, int axis) {
    if (set->padding[axis] != DLVIZ_PAD_SAME)
        return set->padding[axis];
    return set->dilation[axis] * (set->kernel[axis] - 1) / 2;
}

static dlviz_status infer(const dlviz_layer *layer, const dlz_shape *in, dlz_shape *out) {
    const dlz_conv2d_settings *set = &layer->set.conv2d;
    DLZ_TRY(dlz_require_image(in));
    *out = (dlz_shape){.ndim = 3, .dims = {set->out_channels}};
    for (int axis = 0; axis < 2; axis++) {
        if (set->padding[axis] == DLVIZ_PAD_SAME &&
            (set->dilation[axis] * (set->kernel[axis] - 1)) % 2 != 0)
            return dlz_fail(DLVIZ_ERROR_SHAPE,
                            "DLVIZ_PAD_SAME needs an odd extent of the kernel; %lld with dilation "
                            "%lld is even",
                            (long long)set->kernel[axis], (long long)set->dilation[axis]);
        int64_t size = dlz_window_count(in->dims[1 + axis], set->kernel[axis], set->stride[axis],
                                        dlz_conv2d_padding(set, axis), set->dilation[axis]);
        if (size < 1)
            return dlz_fail(DLVIZ_ERROR_SHAPE,
                            "a kernel of %lld with dilation %lld and padding %lld is larger than "
                            "the input's %s of %lld",
                            (long long)set->kernel[axis], (long long)set->dilation[axis],
                            (long long)dlz_conv2d_padding(set, axis), axis ? "width" : "height",
                            (long long)in->dims[1 + axis]);
        out->dims[1 + axis] = size;
    }
    return DLVIZ_OK;
}

static int states(const dlviz_layer *layer, const dlz_shape *in,
                  dlz_state_spec specs[DLZ_MAX_STATES]) {
    const dlz_conv2d_settings *set = &layer->set.conv2d;
    double fan_in = (double)in->dims[0] * (double)set->kernel[0] * (double)set->kernel[1];
    double bound = 1 / sqrt(fan_in);
    specs[0] =
        (dlz_state_spec){"weight", DLVIZ_FLOAT32,
                         4,        {set->out_channels, in->dims[0], set->kernel[0], set->kernel[1]},
                         true,     DLZ_INITIAL_UNIFORM,
                         bound};
    specs[1] = (dlz_state_spec){"bias", DLVIZ_FLOAT32,       1,    {set->out_channels},
                                true,   DLZ_INITIAL_UNIFORM, bound};
    return set->bias ? 2 : 1;
}

static json_t *pair(int64_t vertical, int64_t horizontal) {
    return json_pack("[I,I]", (json_int_t)vertical, (json_int_t)horizontal);
}

static json_t *settings(const dlviz_layer *layer) {
    const dlz_conv2d_settings *set = &layer->set.conv2d;
    return json_pack("{s:I,s:o,s:o,s:o,s:o,s:b}", "out_channels", (json_int_t)set->out_channels,
                     "kernel", pair(set->kernel[0], set->kernel[1]), "stride",
                     pair(set->stride[0], set->stride[1]), "padding",
                     pair(dlz_conv2d_padding(set, 0), dlz_conv2d_padding(set, 1)), "dilation",
                     pair(set->dilation[0], set->dilation[1]), "bias", set->bias);
}

/* The padding has no part in it. */
static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    const dlz_conv2d_settings *set = &layer->set.conv2d;
    bool padded = dlz_conv2d_padding(set, 0) > 0 || dlz_conv2d_padding(set, 1) > 0;
    return padded ? DLZ_CONSTANT_BY_PLACE : constant;
}

const dlz_layer_type dlz_conv2d_type = {"conv2d", infer, states, settings, NULL, hand_on};
