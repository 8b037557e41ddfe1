/* Transposed 2-D convolution: settings, shape, state. How it is computed: conv_transpose2d_op.c. */
#include "layers/conv_transpose2d.h"
#include "base/base.h"
#include "onnx/onnx.h"

/* Larger values mean a mistake, and their sums and products would not be safe. */
#define LARGEST (1 << 20)

static dlviz_status check(const dlviz_layer *layer) {
    const dlz_conv_transpose2d_layer *set = (const dlz_conv_transpose2d_layer *)layer;
    DLZ_TRY(dlz_check_integer("out_channels", set->out_channels, 1, LARGEST));
    DLZ_TRY(dlz_check_pair("the kernel", set->kernel, 1, LARGEST));
    DLZ_TRY(dlz_check_pair("the stride", set->stride, 1, LARGEST));
    DLZ_TRY(dlz_check_pair("the padding", set->padding, 0, LARGEST));
    DLZ_TRY(dlz_check_pair("the output padding", set->output_padding, 0, LARGEST));
    DLZ_TRY(dlz_check_pair("the dilation", set->dilation, 1, LARGEST));
    DLZ_TRY(dlz_check_integer("groups", set->groups, 1, set->out_channels));
    if (set->out_channels % set->groups != 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "out_channels is %lld and groups is %lld; a divisor of out_channels is "
                        "accepted",
                        (long long)set->out_channels, (long long)set->groups);
    return DLVIZ_OK;
}

const dlz_layer_type dlz_conv_transpose2d_type;

dlviz_layer *dlviz_conv_transpose2d(int64_t out_channels, int64_t kernel, int64_t stride) {
    dlviz_layer *layer = dlz_layer_create(&dlz_conv_transpose2d_type);
    dlz_conv_transpose2d_layer *set = (dlz_conv_transpose2d_layer *)layer;
    if (!layer)
        return NULL;
    set->out_channels = out_channels;
    set->groups = 1;
    set->bias = true;
    for (int axis = 0; axis < 2; axis++) {
        set->kernel[axis] = kernel;
        set->stride[axis] = stride;
        set->dilation[axis] = 1;
    }
    return dlz_layer_checked(layer);
}

#define SET(layer, field, value)                                                                   \
    dlz_layer_set(__func__, layer, &dlz_conv_transpose2d_type,                                     \
                  offsetof(dlz_conv_transpose2d_layer, field), &(value), sizeof(value))
#define SET_PAIR(layer, field, first, second)                                                      \
    dlz_layer_set_pair(__func__, layer, &dlz_conv_transpose2d_type,                                \
                       offsetof(dlz_conv_transpose2d_layer, field), first, second)
#define GET(layer, field, none)                                                                    \
    (dlz_layer_as(layer, &dlz_conv_transpose2d_type)                                               \
         ? ((const dlz_conv_transpose2d_layer *)dlz_layer_as(layer, &dlz_conv_transpose2d_type))   \
               ->field                                                                             \
         : (none))
#define GET_PAIR(layer, field, vertical, horizontal)                                               \
    dlz_layer_pair(layer, &dlz_conv_transpose2d_type, offsetof(dlz_conv_transpose2d_layer, field), \
                   vertical, horizontal)

dlviz_status dlviz_conv_transpose2d_set_kernel(dlviz_layer *layer, int64_t height, int64_t width) {
    return SET_PAIR(layer, kernel, height, width);
}

dlviz_status dlviz_conv_transpose2d_set_stride(dlviz_layer *layer, int64_t vertical,
                                               int64_t horizontal) {
    return SET_PAIR(layer, stride, vertical, horizontal);
}

dlviz_status dlviz_conv_transpose2d_set_padding(dlviz_layer *layer, int64_t vertical,
                                                int64_t horizontal) {
    return SET_PAIR(layer, padding, vertical, horizontal);
}

dlviz_status dlviz_conv_transpose2d_set_output_padding(dlviz_layer *layer, int64_t vertical,
                                                       int64_t horizontal) {
    return SET_PAIR(layer, output_padding, vertical, horizontal);
}

dlviz_status dlviz_conv_transpose2d_set_dilation(dlviz_layer *layer, int64_t vertical,
                                                 int64_t horizontal) {
    return SET_PAIR(layer, dilation, vertical, horizontal);
}

dlviz_status dlviz_conv_transpose2d_set_groups(dlviz_layer *layer, int64_t groups) {
    return SET(layer, groups, groups);
}

dlviz_status dlviz_conv_transpose2d_set_bias(dlviz_layer *layer, bool bias) {
    return SET(layer, bias, bias);
}

int64_t dlviz_conv_transpose2d_out_channels(const dlviz_layer *layer) {
    return GET(layer, out_channels, 0);
}

int64_t dlviz_conv_transpose2d_groups(const dlviz_layer *layer) {
    return GET(layer, groups, 0);
}

bool dlviz_conv_transpose2d_bias(const dlviz_layer *layer) {
    return GET(layer, bias, false);
}

void dlviz_conv_transpose2d_kernel(const dlviz_layer *layer, int64_t *height, int64_t *width) {
    GET_PAIR(layer, kernel, height, width);
}

void dlviz_conv_transpose2d_stride(const dlviz_layer *layer, int64_t *vertical,
                                   int64_t *horizontal) {
    GET_PAIR(layer, stride, vertical, horizontal);
}

void dlviz_conv_transpose2d_padding(const dlviz_layer *layer, int64_t *vertical,
                                    int64_t *horizontal) {
    GET_PAIR(layer, padding, vertical, horizontal);
}

void dlviz_conv_transpose2d_output_padding(const dlviz_layer *layer, int64_t *vertical,
                                           int64_t *horizontal) {
    GET_PAIR(layer, output_padding, vertical, horizontal);
}

void dlviz_conv_transpose2d_dilation(const dlviz_layer *layer, int64_t *vertical,
                                     int64_t *horizontal) {
    GET_PAIR(layer, dilation, vertical, horizontal);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    const dlz_conv_transpose2d_layer *set = (const dlz_conv_transpose2d_layer *)layer;
    (void)num_inputs;
    DLZ_TRY(dlz_require_image(in));
    if (in->dims[0] % set->groups != 0)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%lld channels do not part into %lld groups",
                        (long long)in->dims[0], (long long)set->groups);
    *out = (dlz_shape){.ndim = 3, .dims = {set->out_channels}};
    for (int axis = 0; axis < 2; axis++) {
        const char *name = axis ? "width" : "height";
        int64_t stride = set->stride[axis], dilation = set->dilation[axis], size;
        int64_t most = dlz_max_i64(stride, dilation) - 1;
        if (set->output_padding[axis] > most)
            return dlz_fail(DLVIZ_ERROR_SHAPE,
                            "the output padding of the %s is %lld; with stride %lld and dilation "
                            "%lld 0 to %lld are accepted",
                            name, (long long)set->output_padding[axis], (long long)stride,
                            (long long)dilation, (long long)most);
        int64_t extent = dilation * (set->kernel[axis] - 1) + 1 + set->output_padding[axis];
        if (__builtin_mul_overflow(in->dims[1 + axis] - 1, stride, &size) ||
            __builtin_add_overflow(size, extent - 2 * set->padding[axis], &size))
            return dlz_fail(DLVIZ_ERROR_SHAPE, "the output's %s is too large", name);
        if (size < 1)
            return dlz_fail(DLVIZ_ERROR_SHAPE, "padding of %lld leaves nothing of the output's %s",
                            (long long)set->padding[axis], name);
        out->dims[1 + axis] = size;
    }
    return DLVIZ_OK;
}

/* PyTorch takes the second dimension of the weight for the number of inputs. */
static int states(const dlviz_layer *layer, const dlz_shape *in,
                  dlz_state_spec specs[DLZ_MAX_STATES]) {
    const dlz_conv_transpose2d_layer *set = (const dlz_conv_transpose2d_layer *)layer;
    int64_t outputs = set->out_channels / set->groups;
    double fan_in = (double)outputs * (double)set->kernel[0] * (double)set->kernel[1];
    const int64_t dims[] = {in->dims[0], outputs, set->kernel[0], set->kernel[1]};
    dlz_weight_and_bias(specs, 4, dims, set->out_channels, fan_in);
    return set->bias ? 2 : 1;
}

static double multiply_adds(const dlviz_layer *layer, const dlz_shape *in, const dlz_shape *out) {
    const dlz_conv_transpose2d_layer *set = (const dlz_conv_transpose2d_layer *)layer;
    (void)out;
    int64_t outputs = set->out_channels / set->groups;
    return (double)dlz_shape_size(in) * (double)(outputs * set->kernel[0] * set->kernel[1]);
}

/* How many products a place has depends on where it lies. */
static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    (void)layer;
    (void)constant;
    return DLZ_CONSTANT_BY_PLACE;
}

/* How the ends of an axis are made. */
typedef struct ends {
    int64_t padding[2][2], output_padding[2]; /* padding: before, after; of each axis */
    int64_t added[2][2];                      /* to the whole of all products, or taken away */
    int64_t whole[2];                         /* the size of that */
    bool changes;
} ends;

/* Runtimes want an output padding below the stride. One that is not is taken from the padding at the
 * end in its place; where it is larger than that, the output is cut out of all products, with zeros
 * beyond them. */
static ends ends_of(const dlz_conv_transpose2d_layer *set, const dlz_shape *in) {
    ends e = {.changes = false};
    for (int axis = 0; axis < 2; axis++) {
        int64_t padding = set->padding[axis], more = set->output_padding[axis];
        bool is_usual = more < set->stride[axis], is_cut = !is_usual && more > padding;
        e.padding[0][axis] = is_cut ? 0 : padding;
        e.padding[1][axis] = is_cut ? 0 : is_usual ? padding : padding - more;
        e.output_padding[axis] = is_usual ? more : 0;
        e.added[axis][0] = is_cut ? -padding : 0;
        e.added[axis][1] = is_cut ? more - padding : 0;
        e.whole[axis] = (in->dims[1 + axis] - 1) * set->stride[axis] +
                        (set->kernel[axis] - 1) * set->dilation[axis] + 1 - e.padding[0][axis] -
                        e.padding[1][axis] + e.output_padding[axis];
        e.changes |= is_cut;
    }
    return e;
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const dlz_conv_transpose2d_layer *set = (const dlz_conv_transpose2d_layer *)layer;
    ends e = ends_of(set, dlz_onnx_in(to));
    bool bias = set->bias && !e.changes;
    dlz_onnx_set_integers(to, "kernel_shape", 2, set->kernel);
    dlz_onnx_set_integers(to, "strides", 2, set->stride);
    dlz_onnx_set_pads(to, e.padding[0], e.padding[1]);
    dlz_onnx_set_integers(to, "output_padding", 2, e.output_padding);
    dlz_onnx_set_integers(to, "dilations", 2, set->dilation);
    dlz_onnx_set_integer(to, "group", set->groups);
    const char *inputs[] = {dlz_onnx_input(to), dlz_onnx_state(to, 0),
                            bias ? dlz_onnx_state(to, 1) : NULL};
    const char *y =
        dlz_onnx_node(to, "ConvTranspose", e.changes ? "products" : NULL, bias ? 3 : 2, inputs);
    if (!e.changes)
        return;
    y = dlz_onnx_pad(to, set->bias ? "cut" : NULL, y, e.whole, e.added[0], e.added[1], NULL);
    if (set->bias)
        DLZ_ONNX_NODE(to, "Add", NULL, y,
                      dlz_onnx_state_as(to, 1, 3, (int64_t[]){set->out_channels, 1, 1}));
}

#define SETTING(name, kind)                                                                        \
    { #name, DLZ_SETTING_##kind, offsetof(dlz_conv_transpose2d_layer, name), false }
static const dlz_setting settings[] = {
    SETTING(out_channels, INTEGER), SETTING(kernel, PAIR),         SETTING(stride, PAIR),
    SETTING(padding, PAIR),         SETTING(output_padding, PAIR), SETTING(dilation, PAIR),
    SETTING(groups, INTEGER),       SETTING(bias, BOOL),           {0},
};

const dlz_layer_type dlz_conv_transpose2d_type = {
    .name = "conv_transpose2d",
    .size = sizeof(dlz_conv_transpose2d_layer),
    .settings = settings,
    .check = check,
    .infer = infer,
    .states = states,
    .multiply_adds = multiply_adds,
    .hand_on = hand_on,
    .op = &dlz_conv_transpose2d_op_type,
    .onnx = onnx,
};
