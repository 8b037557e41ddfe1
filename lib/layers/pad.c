/* Rows and columns added around an image, or taken away. */
#include "base/base.h"
#include "layers/resample_op.h"
#include "onnx/onnx.h"

#include <float.h>
#include <math.h>

#define LARGEST (1 << 20)

typedef struct pad {
    dlviz_layer base;
    int64_t vertical[2], horizontal[2]; /* before, after */
    int64_t mode;                       /* dlviz_border */
    double value;
} pad;

static dlviz_status check(const dlviz_layer *layer) {
    const pad *set = (const pad *)layer;
    DLZ_TRY(
        dlz_check_integer("the mode", set->mode, DLVIZ_BORDER_CONSTANT, DLVIZ_BORDER_REPLICATE));
    const char *const names[] = {"top", "bottom", "left", "right"};
    const int64_t amounts[] = {set->vertical[0], set->vertical[1], set->horizontal[0],
                               set->horizontal[1]};
    int64_t least = set->mode == DLVIZ_BORDER_CONSTANT ? -LARGEST : 0;
    for (int i = 0; i < 4; i++)
        DLZ_TRY(dlz_check_integer(names[i], amounts[i], least, LARGEST));
    if (!(fabs(set->value) <= (double)FLT_MAX) && !isinf(set->value))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "the value is %g; a number that a float holds, or an infinity, is accepted",
                        set->value);
    return DLVIZ_OK;
}

const dlz_layer_type dlz_pad_type;

dlviz_layer *dlviz_pad(int64_t top, int64_t bottom, int64_t left, int64_t right) {
    dlviz_layer *layer = dlz_layer_create(&dlz_pad_type);
    pad *set = (pad *)layer;
    if (layer) {
        set->vertical[0] = top;
        set->vertical[1] = bottom;
        set->horizontal[0] = left;
        set->horizontal[1] = right;
    }
    return dlz_layer_checked(layer);
}

#define SET(layer, field, value)                                                                   \
    dlz_layer_set(__func__, layer, &dlz_pad_type, offsetof(pad, field), &(value), sizeof(value))

dlviz_status dlviz_pad_set_mode(dlviz_layer *layer, dlviz_border mode) {
    const int64_t value = (int64_t)mode;
    return SET(layer, mode, value);
}

dlviz_status dlviz_pad_set_value(dlviz_layer *layer, double value) {
    return SET(layer, value, value);
}

void dlviz_pad_amounts(const dlviz_layer *layer, int64_t *top, int64_t *bottom, int64_t *left,
                       int64_t *right) {
    dlz_layer_pair(layer, &dlz_pad_type, offsetof(pad, vertical), top, bottom);
    dlz_layer_pair(layer, &dlz_pad_type, offsetof(pad, horizontal), left, right);
}

dlviz_border dlviz_pad_mode(const dlviz_layer *layer) {
    const pad *set = dlz_layer_as(layer, &dlz_pad_type);
    return set ? (dlviz_border)set->mode : DLVIZ_BORDER_CONSTANT;
}

double dlviz_pad_value(const dlviz_layer *layer) {
    return dlz_layer_real(layer, &dlz_pad_type, offsetof(pad, value));
}

static const int64_t *amounts_of(const pad *set, int axis) {
    return axis == 0 ? set->vertical : set->horizontal;
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    const pad *set = (const pad *)layer;
    (void)num_inputs;
    DLZ_TRY(dlz_require_image(in));
    *out = *in;
    for (int axis = 0; axis < 2; axis++) {
        const int64_t *amounts = amounts_of(set, axis);
        int64_t size = in->dims[1 + axis], most = dlz_max_i64(amounts[0], amounts[1]);
        const char *name = axis == 0 ? "height" : "width";
        out->dims[1 + axis] = size + amounts[0] + amounts[1];
        if (out->dims[1 + axis] < 1)
            return dlz_fail(DLVIZ_ERROR_SHAPE, "nothing is left of the input's %s of %lld", name,
                            (long long)size);
        if (set->mode == DLVIZ_BORDER_REFLECT && most >= size)
            return dlz_fail(DLVIZ_ERROR_SHAPE,
                            "%lld cannot be reflected of the input's %s of %lld: at most %lld",
                            (long long)most, name, (long long)size, (long long)(size - 1));
    }
    return DLVIZ_OK;
}

/* A constant border has no share of it. */
static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    return ((const pad *)layer)->mode == DLVIZ_BORDER_CONSTANT ? DLZ_CONSTANT_BY_PLACE : constant;
}

static void describe(const dlviz_layer *layer, int axis, int64_t in, int64_t out,
                     dlz_axis_writer *to) {
    const pad *set = (const pad *)layer;
    for (int64_t place = 0; place < out; place++) {
        int64_t at = place - amounts_of(set, axis)[0];
        if (set->mode == DLVIZ_BORDER_REFLECT)
            at = at < 0 ? -at : at >= in ? 2 * (in - 1) - at : at;
        else if (set->mode == DLVIZ_BORDER_REPLICATE)
            at = dlz_max_i64(0, dlz_min_i64(at, in - 1));
        if (at >= 0 && at < in)
            dlz_axis_tap(to, at, 1);
        if (!dlz_axis_end(to, 1))
            return;
    }
}

static float empty(const dlviz_layer *layer) {
    return (float)((const pad *)layer)->value;
}

static const dlz_resample_type pad_op = {
    .base = DLZ_RESAMPLE_BASE("pad"),
    .describe = describe,
    .empty = empty,
};

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const pad *set = (const pad *)layer;
    bool is_constant = set->mode == DLVIZ_BORDER_CONSTANT;
    dlz_onnx_set_text(to, "mode",
                      is_constant                         ? "constant"
                      : set->mode == DLVIZ_BORDER_REFLECT ? "reflect"
                                                          : "edge");
    dlz_onnx_pad(to, NULL, dlz_onnx_input(to), dlz_onnx_in(to)->dims + 1, set->vertical,
                 set->horizontal, is_constant ? dlz_onnx_number(to, "value", set->value) : NULL);
}

static const dlz_setting settings[] = {
    {"vertical", DLZ_SETTING_PAIR, offsetof(pad, vertical), false},
    {"horizontal", DLZ_SETTING_PAIR, offsetof(pad, horizontal), false},
    {"mode", DLZ_SETTING_INTEGER, offsetof(pad, mode), false},
    {"value", DLZ_SETTING_REAL, offsetof(pad, value), false},
    {0},
};

const dlz_layer_type dlz_pad_type = {
    .name = "pad",
    .size = sizeof(pad),
    .settings = settings,
    .check = check,
    .infer = infer,
    .hand_on = hand_on,
    .op = &pad_op.base,
    .onnx = onnx,
};
