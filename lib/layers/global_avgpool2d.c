/* The average of each channel over the whole image, as a vector. */
#include "layers/resample_op.h"
#include "onnx/onnx.h"

const dlz_layer_type dlz_global_avgpool2d_type;

dlviz_layer *dlviz_global_avgpool2d(void) {
    return dlz_layer_create(&dlz_global_avgpool2d_type);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)layer;
    (void)num_inputs;
    dlviz_status status = dlz_require_image(in);
    *out = (dlz_shape){.ndim = 1, .dims = {in->dims[0]}};
    return status;
}

static void describe(const dlviz_layer *layer, int axis, int64_t in, int64_t out,
                     dlz_axis_writer *to) {
    (void)layer;
    (void)axis;
    (void)out;
    for (int64_t i = 0; i < in; i++)
        dlz_axis_tap(to, i, 1);
    dlz_axis_end(to, in);
}

static const dlz_resample_type global_avgpool2d_op = {
    .base = DLZ_RESAMPLE_BASE("global_avgpool2d"),
    .describe = describe,
};

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    const char *images = DLZ_ONNX_NODE(to, "GlobalAveragePool", "images", dlz_onnx_input(to));
    dlz_onnx_set_integer(to, "axis", 1);
    DLZ_ONNX_NODE(to, "Flatten", NULL, images);
}

const dlz_layer_type dlz_global_avgpool2d_type = {
    .name = "global_avgpool2d",
    .size = sizeof(dlviz_layer),
    .infer = infer,
    .hand_on = dlz_hand_on_as_is,
    .op = &global_avgpool2d_op.base,
    .onnx = onnx,
};
