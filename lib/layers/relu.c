#include "graph/post.h"
#include "onnx/onnx.h"

const dlz_layer_type dlz_relu_type;

dlviz_layer *dlviz_relu(void) {
    return dlz_layer_create(&dlz_relu_type);
}

static dlz_stage stage(const dlviz_layer *layer) {
    (void)layer;
    return DLZ_STAGE_ACTIVATE;
}

static void join(const dlviz_layer *layer, const dlz_parameter *states, dlz_post_op *post) {
    (void)layer;
    (void)states;
    post->relu = true;
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    dlz_onnx_plain(to, "Relu");
}

const dlz_layer_type dlz_relu_type = {
    .name = "relu",
    .size = sizeof(dlviz_layer),
    .infer = dlz_infer_same,
    .stage = stage,
    .join = join,
    .onnx = onnx,
};
