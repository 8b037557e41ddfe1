/* Average pooling over windows of a given size. */
#include "base/base.h"
#include "layers/pool_window.h"
#include "layers/resample_op.h"
#include "onnx/onnx.h"

typedef struct avgpool2d {
    dlz_pool_layer base;
    bool count_include_pad;
} avgpool2d;

const dlz_layer_type dlz_avgpool2d_type;

dlviz_layer *dlviz_avgpool2d(int64_t kernel) {
    dlviz_layer *layer = dlz_pool_create(&dlz_avgpool2d_type, kernel);
    if (layer)
        ((avgpool2d *)layer)->count_include_pad = true;
    return dlz_layer_checked(layer);
}

dlviz_status dlviz_avgpool2d_set_kernel(dlviz_layer *layer, int64_t height, int64_t width) {
    return dlz_pool_set_kernel(__func__, layer, &dlz_avgpool2d_type, height, width);
}

dlviz_status dlviz_avgpool2d_set_stride(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    return dlz_pool_set_stride(__func__, layer, &dlz_avgpool2d_type, vertical, horizontal);
}

dlviz_status dlviz_avgpool2d_set_padding(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    return dlz_pool_set_padding(__func__, layer, &dlz_avgpool2d_type, vertical, horizontal);
}

dlviz_status dlviz_avgpool2d_set_ceil_mode(dlviz_layer *layer, bool ceil_mode) {
    return dlz_pool_set_ceil_mode(__func__, layer, &dlz_avgpool2d_type, ceil_mode);
}

dlviz_status dlviz_avgpool2d_set_count_include_pad(dlviz_layer *layer, bool count_include_pad) {
    return dlz_layer_set(__func__, layer, &dlz_avgpool2d_type,
                         offsetof(avgpool2d, count_include_pad), &count_include_pad,
                         sizeof count_include_pad);
}

void dlviz_avgpool2d_kernel(const dlviz_layer *layer, int64_t *height, int64_t *width) {
    dlz_pool_kernel(layer, &dlz_avgpool2d_type, height, width);
}

void dlviz_avgpool2d_stride(const dlviz_layer *layer, int64_t *vertical, int64_t *horizontal) {
    dlz_pool_stride(layer, &dlz_avgpool2d_type, vertical, horizontal);
}

void dlviz_avgpool2d_padding(const dlviz_layer *layer, int64_t *vertical, int64_t *horizontal) {
    dlz_pool_padding(layer, &dlz_avgpool2d_type, vertical, horizontal);
}

bool dlviz_avgpool2d_ceil_mode(const dlviz_layer *layer) {
    return dlz_pool_ceil_mode(layer, &dlz_avgpool2d_type);
}

bool dlviz_avgpool2d_count_include_pad(const dlviz_layer *layer) {
    const avgpool2d *set = dlz_layer_as(layer, &dlz_avgpool2d_type);
    return set && set->count_include_pad;
}

/* Padding that counts makes less of it at the borders. */
static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    const avgpool2d *set = (const avgpool2d *)layer;
    const dlz_pool_window *window = &set->base.window;
    bool padded = window->padding[0] > 0 || window->padding[1] > 0;
    return padded && set->count_include_pad ? DLZ_CONSTANT_BY_PLACE : constant;
}

/* What reaches over the end of the padding, in ceil mode, never counts. */
static void describe(const dlviz_layer *layer, int axis, int64_t in, int64_t out,
                     dlz_axis_writer *to) {
    const avgpool2d *set = (const avgpool2d *)layer;
    const dlz_pool_window *window = &set->base.window;
    int64_t kernel = window->kernel[axis], padding = window->padding[axis];
    for (int64_t place = 0; place < out; place++) {
        int64_t start = place * window->stride[axis] - padding;
        int64_t end = dlz_min_i64(start + kernel, in + padding), padded = end - start;
        start = dlz_max_i64(start, 0);
        end = dlz_min_i64(end, in);
        for (int64_t i = start; i < end; i++)
            dlz_axis_tap(to, i, 1);
        if (!dlz_axis_end(to, set->count_include_pad ? padded : end - start))
            return;
    }
}

static const dlz_resample_type avgpool2d_op = {
    .base = DLZ_RESAMPLE_BASE("avgpool2d"),
    .describe = describe,
};

/* What the last windows reach over in ceil mode is padding to ONNX; it must not count where the
 * padding does, which is then made of zeros first. */
static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const avgpool2d *set = (const avgpool2d *)layer;
    const int64_t *padding = set->base.window.padding, none[2] = {0, 0};
    const char *x = dlz_onnx_input(to);
    int64_t beyond[2];
    dlz_pool_reach_beyond(layer, dlz_onnx_in(to), dlz_onnx_out(to), beyond);
    bool reaches = beyond[0] > padding[0] || beyond[1] > padding[1];
    if (set->count_include_pad && reaches && (padding[0] > 0 || padding[1] > 0)) {
        x = dlz_onnx_pad(to, "padded", x, dlz_onnx_in(to)->dims + 1,
                         (int64_t[]){padding[0], padding[0]}, (int64_t[]){padding[1], padding[1]},
                         NULL);
        beyond[0] -= padding[0];
        beyond[1] -= padding[1];
        padding = none;
    }
    dlz_pool_set_onnx(layer, to);
    dlz_onnx_set_pads(to, padding, beyond);
    dlz_onnx_set_integer(to, "count_include_pad", set->count_include_pad && !reaches);
    DLZ_ONNX_NODE(to, "AveragePool", NULL, x);
}

static const dlz_setting settings[] = {
    DLZ_POOL_SETTINGS,
    {"count_include_pad", DLZ_SETTING_BOOL, offsetof(avgpool2d, count_include_pad), false},
    {0},
};

const dlz_layer_type dlz_avgpool2d_type = {
    .name = "avgpool2d",
    .size = sizeof(avgpool2d),
    .settings = settings,
    .check = dlz_pool_check,
    .infer = dlz_pool_infer,
    .hand_on = hand_on,
    .op = &avgpool2d_op.base,
    .onnx = onnx,
};
