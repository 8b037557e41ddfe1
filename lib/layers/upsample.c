/* Images made larger, or of any size, by their nearest pixels or linear interpolation. */
#include "base/base.h"
#include "layers/resample_op.h"
#include "onnx/onnx.h"

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

/* Whether an output's nearest pixel is the one whose copies lie there, as ONNX has it. */
static bool copies_evenly(int64_t in, int64_t out) {
    bool even = out % in == 0;
    for (int64_t place = 0; even && place < out; place++)
        even = nearest(in, out, place) == place / (out / in);
    return even;
}

/* One axis of an image whose nearest pixels PyTorch's arithmetic chooses. */
static const char *gather(dlz_onnx *to, int axis, const char *x, const char *part) {
    int64_t in = dlz_onnx_in(to)->dims[1 + axis], out = dlz_onnx_out(to)->dims[1 + axis];
    int64_t *places = dlz_alloc_array((uint64_t)out, sizeof *places);
    if (!places) {
        dlz_onnx_lack_memory(to, (uint64_t)out * sizeof *places);
        return "";
    }
    for (int64_t place = 0; place < out; place++)
        places[place] = nearest(in, out, place);
    const char *indices = dlz_onnx_integers(to, axis == 0 ? "rows" : "columns", out, places);
    dlz_free(places);
    dlz_onnx_set_integer(to, "axis", 2 + axis);
    return DLZ_ONNX_NODE(to, "Gather", part, x, indices);
}

/* By whole factors, ONNX's own; a runtime's rounding would decide over other sizes. */
static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const upsample *set = (const upsample *)layer;
    const int64_t *in = dlz_onnx_in(to)->dims, *out = dlz_onnx_out(to)->dims;
    bool is_nearest = set->mode == DLVIZ_INTERPOLATION_NEAREST;
    bool whole = out[1] % in[1] == 0 && out[2] % in[2] == 0;
    if (is_nearest && !(copies_evenly(in[1], out[1]) && copies_evenly(in[2], out[2]))) {
        gather(to, 1, gather(to, 0, dlz_onnx_input(to), "rows_taken"), NULL);
    } else if (!whole) {
        dlz_resample_onnx(layer, &upsample_op, to);
    } else {
        /* NOLINTNEXTLINE(bugprone-integer-division): they are whole here */
        const float scales[] = {1, 1, (float)(out[1] / in[1]), (float)(out[2] / in[2])};
        dlz_onnx_set_text(to, "mode", is_nearest ? "nearest" : "linear");
        dlz_onnx_set_text(to, "coordinate_transformation_mode",
                          is_nearest           ? "asymmetric"
                          : set->align_corners ? "align_corners"
                                               : "half_pixel");
        dlz_onnx_set_text(to, "nearest_mode", "floor");
        /* The second input would be a region, which there is not. */
        DLZ_ONNX_NODE(to, "Resize", NULL, dlz_onnx_input(to), "",
                      dlz_onnx_numbers(to, "scales", 1, (int64_t[]){4}, scales));
    }
}

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
    .onnx = onnx,
};
