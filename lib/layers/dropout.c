#include "base/base.h"
#include "graph/post.h"
#include "onnx/onnx.h"

#include <math.h>

typedef struct dropout {
    dlviz_layer base;
    double p;
} dropout;

static dlviz_status check(const dlviz_layer *layer) {
    double p = ((const dropout *)layer)->p;
    if (!(p >= 0 && p < 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "p is %g; 0 to below 1 is accepted", p);
    return DLVIZ_OK;
}

const dlz_layer_type dlz_dropout_type;

dlviz_layer *dlviz_dropout(double p) {
    dlviz_layer *layer = dlz_layer_create(&dlz_dropout_type);
    if (layer)
        ((dropout *)layer)->p = p;
    return dlz_layer_checked(layer);
}

double dlviz_dropout_p(const dlviz_layer *layer) {
    const dropout *set = dlz_layer_as(layer, &dlz_dropout_type);
    return set ? set->p : (double)NAN;
}

static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    return ((const dropout *)layer)->p > 0 ? DLZ_CONSTANT_LOST : constant;
}

static dlz_stage stage(const dlviz_layer *layer) {
    (void)layer;
    return DLZ_STAGE_DROP;
}

static void join(const dlviz_layer *layer, const dlz_parameter *states, dlz_post_op *post) {
    (void)states;
    post->dropout = true;
    post->p = ((const dropout *)layer)->p;
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    dlz_onnx_pass_on(to);
}

static const dlz_setting settings[] = {
    {"p", DLZ_SETTING_REAL, offsetof(dropout, p), true},
    {0},
};

const dlz_layer_type dlz_dropout_type = {
    .name = "dropout",
    .size = sizeof(dropout),
    .settings = settings,
    .check = check,
    .infer = dlz_infer_same,
    .hand_on = hand_on,
    .stage = stage,
    .join = join,
    .onnx = onnx,
};
