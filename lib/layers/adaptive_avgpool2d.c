/* Average pooling to a given size, whatever the input's. */
#include "base/base.h"
#include "layers/resample_op.h"
#include "onnx/onnx.h"

#define LARGEST (1 << 15)

typedef struct adaptive_avgpool2d {
    dlviz_layer base;
    int64_t size[2]; /* height, width */
} adaptive_avgpool2d;

static dlviz_status check(const dlviz_layer *layer) {
    return dlz_check_pair("the size", ((const adaptive_avgpool2d *)layer)->size, 1, LARGEST);
}

const dlz_layer_type dlz_adaptive_avgpool2d_type;

dlviz_layer *dlviz_adaptive_avgpool2d(int64_t height, int64_t width) {
    dlviz_layer *layer = dlz_layer_create(&dlz_adaptive_avgpool2d_type);
    adaptive_avgpool2d *set = (adaptive_avgpool2d *)layer;
    if (layer) {
        set->size[0] = height;
        set->size[1] = width;
    }
    return dlz_layer_checked(layer);
}

void dlviz_adaptive_avgpool2d_size(const dlviz_layer *layer, int64_t *height, int64_t *width) {
    dlz_layer_pair(layer, &dlz_adaptive_avgpool2d_type, offsetof(adaptive_avgpool2d, size), height,
                   width);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    const adaptive_avgpool2d *set = (const adaptive_avgpool2d *)layer;
    (void)num_inputs;
    DLZ_TRY(dlz_require_image(in));
    *out = (dlz_shape){.ndim = 3, .dims = {in->dims[0], set->size[0], set->size[1]}};
    return DLVIZ_OK;
}

/* Windows from floor(place · in / out) to ceil((place + 1) · in / out). */
static void describe(const dlviz_layer *layer, int axis, int64_t in, int64_t out,
                     dlz_axis_writer *to) {
    (void)layer;
    (void)axis;
    for (int64_t place = 0; place < out; place++) {
        int64_t start = place * in / out, end = dlz_ceil_div((place + 1) * in, out);
        for (int64_t i = start; i < end; i++)
            dlz_axis_tap(to, i, 1);
        if (!dlz_axis_end(to, end - start))
            return;
    }
}

static const dlz_resample_type adaptive_avgpool2d_op = {
    .base = DLZ_RESAMPLE_BASE("adaptive_avgpool2d"),
    .describe = describe,
};

/* Windows of one size, where the input's parts evenly, are an average pool's. */
static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const adaptive_avgpool2d *set = (const adaptive_avgpool2d *)layer;
    const int64_t *in = dlz_onnx_in(to)->dims + 1;
    if (in[0] % set->size[0] != 0 || in[1] % set->size[1] != 0) {
        dlz_resample_onnx(layer, &adaptive_avgpool2d_op, to);
        return;
    }
    const int64_t window[] = {in[0] / set->size[0], in[1] / set->size[1]};
    dlz_onnx_set_integers(to, "kernel_shape", 2, window);
    dlz_onnx_set_integers(to, "strides", 2, window);
    dlz_onnx_plain(to, "AveragePool");
}

static const dlz_setting settings[] = {
    {"size", DLZ_SETTING_PAIR, offsetof(adaptive_avgpool2d, size), false},
    {0},
};

const dlz_layer_type dlz_adaptive_avgpool2d_type = {
    .name = "adaptive_avgpool2d",
    .size = sizeof(adaptive_avgpool2d),
    .settings = settings,
    .check = check,
    .infer = infer,
    .hand_on = dlz_hand_on_as_is,
    .op = &adaptive_avgpool2d_op.base,
    .onnx = onnx,
};
