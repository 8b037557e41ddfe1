/* Images made larger, or of any size, by their nearest pixels or linear interpolation. */
#include "base/base.h"
#include "layers/resample_op.h"

#include <math.h>

#define LARGEST (1 << 15)

/* Pairs are vertical, horizontal. */
typedef struct upsample {
    dlviz_layer base;
    int64_t factor[2]; /* of the size; 0 when that is given */
    int64_t size[2];   /* of the output; 0 until the shapes are known when factors are given */
    int64_t mode;      /* dlviz_interpolation */
    bool align_corners;
} upsample;

/* A layer from a file has a size alone. */
static dlviz_status check(const dlviz_layer *layer) {
    const upsample *set = (const upsample *)layer;
    if (set->size[0] == 0 && set->size[1] == 0)
        DLZ_TRY(dlz_check_pair("the factor", set->factor, 1, LARGEST));
    else
        DLZ_TRY(dlz_check_pair("the size", set->size, 1, INT32_MAX));
    DLZ_TRY(dlz_check_integer("the mode", set->mode, DLVIZ_INTERPOLATION_NEAREST,
                              DLVIZ_INTERPOLATION_BILINEAR));
    return DLVIZ_OK;
}

const dlz_layer_type dlz_upsample_type;

dlviz_layer *dlviz_upsample(int64_t height_factor, int64_t width_factor) {
    dlviz_layer *layer = dlz_layer_create(&dlz_upsample_type);
    upsample *set = (upsample *)layer;
    if (layer) {
        set->factor[0] = height_factor;
        set->factor[1] = width_factor;
    }
    return dlz_layer_checked(layer);
}

#define SET(layer, field, value)                                                                   \
    dlz_layer_set(__func__, layer, &dlz_upsample_type, offsetof(upsample, field), &(value),        \
                  sizeof(value))

dlviz_status dlviz_upsample_set_size(dlviz_layer *layer, int64_t height, int64_t width) {
    const int64_t pair[2] = {height, width};
    /* Two zeros would stand for the factors. */
    if ((height != 0 || width != 0) ||
        dlz_layer_require(__func__, layer, &dlz_upsample_type) != DLVIZ_OK)
        return SET(layer, size, pair);
    return dlz_layer_remember(layer, dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                              "%s: the size is 0 x 0 (height x width); 1 to %d are "
                                              "accepted",
                                              __func__, INT32_MAX));
}

dlviz_status dlviz_upsample_set_mode(dlviz_layer *layer, dlviz_interpolation mode) {
    const int64_t value = (int64_t)mode;
    return SET(layer, mode, value);
}

dlviz_status dlviz_upsample_set_align_corners(dlviz_layer *layer, bool align_corners) {
    return SET(layer, align_corners, align_corners);
}

void dlviz_upsample_factors(const dlviz_layer *layer, int64_t *height_factor,
                            int64_t *width_factor) {
    dlz_layer_pair(layer, &dlz_upsample_type, offsetof(upsample, factor), height_factor,
                   width_factor);
}

void dlviz_upsample_size(const dlviz_layer *layer, int64_t *height, int64_t *width) {
    dlz_layer_pair(layer, &dlz_upsample_type, offsetof(upsample, size), height, width);
}

dlviz_interpolation dlviz_upsample_mode(const dlviz_layer *layer) {
    const upsample *set = dlz_layer_as(layer, &dlz_upsample_type);
    return set ? (dlviz_interpolation)set->mode : DLVIZ_INTERPOLATION_NEAREST;
}

bool dlviz_upsample_align_corners(const dlviz_layer *layer) {
    const upsample *set = dlz_layer_as(layer, &dlz_upsample_type);
    return set && set->align_corners;
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    upsample *set = (upsample *)layer;
    (void)num_inputs;
    DLZ_TRY(dlz_require_image(in));
    if (set->align_corners && set->mode == DLVIZ_INTERPOLATION_NEAREST)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "align_corners is set, and the mode is nearest; it belongs to bilinear");
    for (int axis = 0; axis < 2; axis++)
        if (set->size[axis] == 0)
            set->size[axis] = in->dims[1 + axis] * set->factor[axis];
    *out = (dlz_shape){.ndim = 3, .dims = {in->dims[0], set->size[0], set->size[1]}};
    return DLVIZ_OK;
}

/* PyTorch's float arithmetic, which decides differently from whole numbers for some factors. */
static int64_t nearest(int64_t in, int64_t out, int64_t place) {
    if (in == out)
        return place;
    if (2 * in == out)
        return place / 2;
    float scale = (float)in / (float)out;
    return dlz_min_i64((int64_t)floorf((float)place * scale), in - 1);
}

static double source_of(bool align_corners, int64_t in, int64_t out, int64_t place) {
    if (align_corners)
        return out > 1 ? (double)(place * (in - 1)) / (double)(out - 1) : 0;
    return fmax(0, ((double)place + 0.5) * (double)in / (double)out - 0.5);
}

static void describe(const dlviz_layer *layer, int axis, int64_t in, int64_t out,
                     dlz_axis_writer *to) {
    const upsample *set = (const upsample *)layer;
    (void)axis;
    for (int64_t place = 0; place < out; place++) {
        if (set->mode == DLVIZ_INTERPOLATION_NEAREST) {
            dlz_axis_tap(to, nearest(in, out, place), 1);
        } else {
            double source = source_of(set->align_corners, in, out, place);
            int64_t before = dlz_min_i64((int64_t)source, in - 1);
            double share = before == in - 1 ? 0 : source - (double)before;
            dlz_axis_tap(to, before, 1 - share);
            if (share > 0)
                dlz_axis_tap(to, before + 1, share);
        }
        if (!dlz_axis_end(to, 1))
            return;
    }
}

static const dlz_resample_type upsample_op = {
    .base = DLZ_RESAMPLE_BASE("upsample"),
    .describe = describe,
};

static const dlz_setting settings[] = {
    {"size", DLZ_SETTING_PAIR, offsetof(upsample, size), false},
    {"mode", DLZ_SETTING_INTEGER, offsetof(upsample, mode), false},
    {"align_corners", DLZ_SETTING_BOOL, offsetof(upsample, align_corners), false},
    {0},
};

const dlz_layer_type dlz_upsample_type = {
    .name = "upsample",
    .size = sizeof(upsample),
    .settings = settings,
    .check = check,
    .infer = infer,
    .hand_on = dlz_hand_on_as_is,
    .op = &upsample_op.base,
};
