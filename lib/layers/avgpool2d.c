/* Average pooling over windows of a given size. */
#include "base/base.h"
#include "layers/pool_window.h"
#include "layers/resample_op.h"

typedef struct avgpool2d {
    dlviz_layer base;
    dlz_pool_window window;
    bool count_include_pad;
} avgpool2d;

static dlviz_status check(const dlviz_layer *layer) {
    return dlz_pool_window_check(&((const avgpool2d *)layer)->window);
}

const dlz_layer_type dlz_avgpool2d_type;

dlviz_layer *dlviz_avgpool2d(int64_t kernel) {
    dlviz_layer *layer = dlz_layer_create(&dlz_avgpool2d_type);
    avgpool2d *set = (avgpool2d *)layer;
    if (layer) {
        set->window.kernel[0] = set->window.kernel[1] = kernel;
        set->count_include_pad = true;
    }
    return dlz_layer_checked(layer);
}

#define SET(layer, field, value)                                                                   \
    dlz_layer_set(__func__, layer, &dlz_avgpool2d_type, offsetof(avgpool2d, field), &(value),      \
                  sizeof(value))

dlviz_status dlviz_avgpool2d_set_kernel(dlviz_layer *layer, int64_t height, int64_t width) {
    const int64_t pair[2] = {height, width};
    return SET(layer, window.kernel, pair);
}

dlviz_status dlviz_avgpool2d_set_stride(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    return dlz_pool_window_set_stride(__func__, layer, &dlz_avgpool2d_type,
                                      offsetof(avgpool2d, window.stride), vertical, horizontal);
}

dlviz_status dlviz_avgpool2d_set_padding(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    const int64_t pair[2] = {vertical, horizontal};
    return SET(layer, window.padding, pair);
}

dlviz_status dlviz_avgpool2d_set_ceil_mode(dlviz_layer *layer, bool ceil_mode) {
    return SET(layer, window.ceil_mode, ceil_mode);
}

dlviz_status dlviz_avgpool2d_set_count_include_pad(dlviz_layer *layer, bool count_include_pad) {
    return SET(layer, count_include_pad, count_include_pad);
}

static const avgpool2d *as_avgpool2d(const dlviz_layer *layer) {
    return dlz_layer_as(layer, &dlz_avgpool2d_type);
}

static const dlz_pool_window *window_of(const dlviz_layer *layer) {
    const avgpool2d *set = as_avgpool2d(layer);
    return set ? &set->window : NULL;
}

void dlviz_avgpool2d_kernel(const dlviz_layer *layer, int64_t *height, int64_t *width) {
    const dlz_pool_window *window = window_of(layer);
    dlz_layer_give_pair(window ? window->kernel : NULL, height, width);
}

void dlviz_avgpool2d_stride(const dlviz_layer *layer, int64_t *vertical, int64_t *horizontal) {
    dlz_pool_window_get_stride(window_of(layer), vertical, horizontal);
}

void dlviz_avgpool2d_padding(const dlviz_layer *layer, int64_t *vertical, int64_t *horizontal) {
    const dlz_pool_window *window = window_of(layer);
    dlz_layer_give_pair(window ? window->padding : NULL, vertical, horizontal);
}

bool dlviz_avgpool2d_ceil_mode(const dlviz_layer *layer) {
    const dlz_pool_window *window = window_of(layer);
    return window && window->ceil_mode;
}

bool dlviz_avgpool2d_count_include_pad(const dlviz_layer *layer) {
    const avgpool2d *set = as_avgpool2d(layer);
    return set && set->count_include_pad;
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    return dlz_pool_window_infer(&((avgpool2d *)layer)->window, in, out);
}

/* Padding that counts makes less of it at the borders. */
static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    const avgpool2d *set = (const avgpool2d *)layer;
    bool padded = set->window.padding[0] > 0 || set->window.padding[1] > 0;
    return padded && set->count_include_pad ? DLZ_CONSTANT_BY_PLACE : constant;
}

/* What reaches over the end of the padding, in ceil mode, never counts. */
static void describe(const dlviz_layer *layer, int axis, int64_t in, int64_t out,
                     dlz_axis_writer *to) {
    const avgpool2d *set = (const avgpool2d *)layer;
    int64_t kernel = set->window.kernel[axis], padding = set->window.padding[axis];
    for (int64_t place = 0; place < out; place++) {
        int64_t start = place * set->window.stride[axis] - padding;
        int64_t end = dlz_min_i64(start + kernel, in + padding), padded = end - start;
        start = dlz_max_i64(start, 0);
        end = dlz_min_i64(end, in);
        for (int64_t i = start; i < end; i++)
            dlz_axis_tap(to, i, 1);
        dlz_axis_end(to, set->count_include_pad ? padded : end - start);
    }
}

static const dlz_resample_type avgpool2d_op = {
    .base = DLZ_RESAMPLE_BASE("avgpool2d"),
    .describe = describe,
};

static const dlz_setting settings[] = {
    DLZ_POOL_WINDOW_SETTINGS(avgpool2d),
    {"count_include_pad", DLZ_SETTING_BOOL, offsetof(avgpool2d, count_include_pad), false},
    {0},
};

const dlz_layer_type dlz_avgpool2d_type = {
    .name = "avgpool2d",
    .size = sizeof(avgpool2d),
    .settings = settings,
    .check = check,
    .infer = infer,
    .hand_on = hand_on,
    .op = &avgpool2d_op.base,
};
