/* 2-D convolution: settings, shape, state. */
#include "layers/conv2d.h"
#include "base/base.h"
#include "onnx/onnx.h"

/* Larger values mean a mistake, and their sums and products would not be safe. */
#define LARGEST (1 << 20)

static dlviz_status check(const dlviz_layer *layer) {
    const dlz_conv2d_layer *set = (const dlz_conv2d_layer *)layer;
    DLZ_TRY(dlz_check_integer("out_channels", set->out_channels, 1, LARGEST));
    DLZ_TRY(dlz_check_pair("the kernel", set->kernel, 1, LARGEST));
    DLZ_TRY(dlz_check_pair("the stride", set->stride, 1, LARGEST));
    DLZ_TRY(dlz_check_pair("the dilation", set->dilation, 1, LARGEST));
    DLZ_TRY(dlz_check_integer("groups", set->groups, 1, set->out_channels));
    if (set->out_channels % set->groups != 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "out_channels is %lld and groups is %lld; a divisor of out_channels is "
                        "accepted",
                        (long long)set->out_channels, (long long)set->groups);
    if (set->padding[0] == DLVIZ_PAD_SAME && set->padding[1] == DLVIZ_PAD_SAME)
        return DLVIZ_OK;
    if (dlz_check_pair("the padding", set->padding, 0, LARGEST) == DLVIZ_OK)
        return DLVIZ_OK;
    return dlz_fail(
        DLVIZ_ERROR_INVALID_ARGUMENT,
        "the padding is %lld x %lld (height x width); 0 to %d or DLVIZ_PAD_SAME are accepted",
        (long long)set->padding[0], (long long)set->padding[1], LARGEST);
}

const dlz_layer_type dlz_conv2d_type;

dlviz_layer *dlviz_conv2d(int64_t out_channels, int64_t kernel, int64_t padding) {
    dlviz_layer *layer = dlz_layer_create(&dlz_conv2d_type);
    dlz_conv2d_layer *set = (dlz_conv2d_layer *)layer;
    if (!layer)
        return NULL;
    set->out_channels = out_channels;
    set->bias = true;
    set->groups = 1;
    for (int axis = 0; axis < 2; axis++) {
        set->kernel[axis] = kernel;
        set->padding[axis] = padding;
        set->stride[axis] = set->dilation[axis] = 1;
    }
    return dlz_layer_checked(layer);
}

#define SET(layer, field, value)                                                                   \
    dlz_layer_set(__func__, layer, &dlz_conv2d_type, offsetof(dlz_conv2d_layer, field), &(value),  \
                  sizeof(value))
#define SET_PAIR(layer, field, first, second)                                                      \
    dlz_layer_set_pair(__func__, layer, &dlz_conv2d_type, offsetof(dlz_conv2d_layer, field),       \
                       first, second)

dlviz_status dlviz_conv2d_set_kernel(dlviz_layer *layer, int64_t height, int64_t width) {
    return SET_PAIR(layer, kernel, height, width);
}

dlviz_status dlviz_conv2d_set_stride(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    return SET_PAIR(layer, stride, vertical, horizontal);
}

dlviz_status dlviz_conv2d_set_padding(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    return SET_PAIR(layer, padding, vertical, horizontal);
}

dlviz_status dlviz_conv2d_set_dilation(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    return SET_PAIR(layer, dilation, vertical, horizontal);
}

dlviz_status dlviz_conv2d_set_groups(dlviz_layer *layer, int64_t groups) {
    return SET(layer, groups, groups);
}

dlviz_status dlviz_conv2d_set_bias(dlviz_layer *layer, bool bias) {
    return SET(layer, bias, bias);
}

#define GET(layer, field, none)                                                                    \
    (dlz_layer_as(layer, &dlz_conv2d_type)                                                         \
         ? ((const dlz_conv2d_layer *)dlz_layer_as(layer, &dlz_conv2d_type))->field                \
         : (none))

int64_t dlviz_conv2d_out_channels(const dlviz_layer *layer) {
    return GET(layer, out_channels, 0);
}

int64_t dlviz_conv2d_groups(const dlviz_layer *layer) {
    return GET(layer, groups, 0);
}

bool dlviz_conv2d_bias(const dlviz_layer *layer) {
    return GET(layer, bias, false);
}

void dlviz_conv2d_kernel(const dlviz_layer *layer, int64_t *height, int64_t *width) {
    dlz_layer_pair(layer, &dlz_conv2d_type, offsetof(dlz_conv2d_layer, kernel), height, width);
}

void dlviz_conv2d_stride(const dlviz_layer *layer, int64_t *vertical, int64_t *horizontal) {
    dlz_layer_pair(layer, &dlz_conv2d_type, offsetof(dlz_conv2d_layer, stride), vertical,
                   horizontal);
}

void dlviz_conv2d_padding(const dlviz_layer *layer, int64_t *vertical, int64_t *horizontal) {
    dlz_layer_pair(layer, &dlz_conv2d_type, offsetof(dlz_conv2d_layer, padding), vertical,
                   horizontal);
}

void dlviz_conv2d_dilation(const dlviz_layer *layer, int64_t *vertical, int64_t *horizontal) {
    dlz_layer_pair(layer, &dlz_conv2d_type, offsetof(dlz_conv2d_layer, dilation), vertical,
                   horizontal);
}

/* As many zeros as keep the size at stride 1. */
static dlviz_status resolve_padding(dlz_conv2d_layer *set, int axis) {
    int64_t extent = set->dilation[axis] * (set->kernel[axis] - 1);
    if (set->padding[axis] != DLVIZ_PAD_SAME)
        return DLVIZ_OK;
    if (extent % 2 != 0)
        return dlz_fail(
            DLVIZ_ERROR_SHAPE,
            "DLVIZ_PAD_SAME needs an odd extent of the kernel; %lld with dilation %lld is even",
            (long long)set->kernel[axis], (long long)set->dilation[axis]);
    set->padding[axis] = extent / 2;
    return DLVIZ_OK;
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    dlz_conv2d_layer *set = (dlz_conv2d_layer *)layer;
    (void)num_inputs;
    DLZ_TRY(dlz_require_image(in));
    if (in->dims[0] % set->groups != 0)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%lld channels do not part into %lld groups",
                        (long long)in->dims[0], (long long)set->groups);
    *out = (dlz_shape){.ndim = 3, .dims = {set->out_channels}};
    for (int axis = 0; axis < 2; axis++) {
        DLZ_TRY(resolve_padding(set, axis));
        out->dims[1 + axis] =
            dlz_window_count(in->dims[1 + axis], set->kernel[axis], set->stride[axis],
                             set->padding[axis], set->dilation[axis]);
        if (out->dims[1 + axis] < 1)
            return dlz_fail(
                DLVIZ_ERROR_SHAPE,
                "a kernel of %lld with dilation %lld and padding %lld is larger than the input's "
                "%s of %lld",
                (long long)set->kernel[axis], (long long)set->dilation[axis],
                (long long)set->padding[axis], axis ? "width" : "height",
                (long long)in->dims[1 + axis]);
    }
    return DLVIZ_OK;
}

static int states(const dlviz_layer *layer, const dlz_shape *in,
                  dlz_state_spec specs[DLZ_MAX_STATES]) {
    const dlz_conv2d_layer *set = (const dlz_conv2d_layer *)layer;
    int64_t channels = in->dims[0] / set->groups;
    double fan_in = (double)channels * (double)set->kernel[0] * (double)set->kernel[1];
    const int64_t dims[] = {set->out_channels, channels, set->kernel[0], set->kernel[1]};
    dlz_weight_and_bias(specs, 4, dims, set->out_channels, fan_in);
    return set->bias ? 2 : 1;
}

static double multiply_adds(const dlviz_layer *layer, const dlz_shape *in, const dlz_shape *out) {
    const dlz_conv2d_layer *set = (const dlz_conv2d_layer *)layer;
    int64_t channels = in->dims[0] / set->groups;
    return (double)dlz_shape_size(out) * (double)(channels * set->kernel[0] * set->kernel[1]);
}

/* The padding has no part in it. */
static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    const dlz_conv2d_layer *set = (const dlz_conv2d_layer *)layer;
    return set->padding[0] > 0 || set->padding[1] > 0 ? DLZ_CONSTANT_BY_PLACE : constant;
}

static bool is_plain_3x3(const dlz_conv2d_layer *set) {
    for (int axis = 0; axis < 2; axis++)
        if (set->kernel[axis] != 3 || set->stride[axis] != 1 || set->dilation[axis] != 1)
            return false;
    return true;
}

static const dlz_op_type *choose_op(const dlviz_layer *layer, const dlz_shape *in) {
    const dlz_conv2d_layer *set = (const dlz_conv2d_layer *)layer;
    int64_t groups = set->groups;
    if (groups == 1)
        return is_plain_3x3(set) ? &dlz_conv3x3_op_type : &dlz_conv2d_op_type;
    if (groups == in->dims[0])
        return &dlz_depthwise_op_type;
    /* With fewer channels the kernels of 3 x 3 leave much of a vector empty. */
    bool few = dlz_min_i64(in->dims[0], set->out_channels) / groups < 16;
    return is_plain_3x3(set) && !few ? &dlz_conv3x3_grouped_op_type : &dlz_conv2d_grouped_op_type;
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const dlz_conv2d_layer *set = (const dlz_conv2d_layer *)layer;
    dlz_onnx_set_integers(to, "kernel_shape", 2, set->kernel);
    dlz_onnx_set_integers(to, "strides", 2, set->stride);
    dlz_onnx_set_pads(to, set->padding, set->padding);
    dlz_onnx_set_integers(to, "dilations", 2, set->dilation);
    dlz_onnx_set_integer(to, "group", set->groups);
    const char *inputs[] = {dlz_onnx_input(to), dlz_onnx_state(to, 0),
                            set->bias ? dlz_onnx_state(to, 1) : NULL};
    dlz_onnx_node(to, "Conv", NULL, set->bias ? 3 : 2, inputs);
}

#define SETTING(name, kind)                                                                        \
    { #name, DLZ_SETTING_##kind, offsetof(dlz_conv2d_layer, name), false }
static const dlz_setting settings[] = {
    SETTING(out_channels, INTEGER),
    SETTING(kernel, PAIR),
    SETTING(stride, PAIR),
    SETTING(padding, PAIR),
    SETTING(dilation, PAIR),
    SETTING(groups, NUMBER_OF),
    SETTING(bias, BOOL),
    {0},
};

const dlz_layer_type dlz_conv2d_type = {
    .name = "conv2d",
    .size = sizeof(dlz_conv2d_layer),
    .settings = settings,
    .check = check,
    .infer = infer,
    .states = states,
    .multiply_adds = multiply_adds,
    .hand_on = hand_on,
    .choose_op = choose_op,
    .onnx = onnx,
};
