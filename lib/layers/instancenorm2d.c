/* Instance normalization: group normalization with a group for each channel. */
#include "base/base.h"
#include "layers/groupnorm.h"
#include "layers/standard.h"
#include "onnx/onnx.h"

static dlviz_status check(const dlviz_layer *layer) {
    return dlz_check_eps(((const dlz_groupnorm *)layer)->eps);
}

const dlz_layer_type dlz_instancenorm2d_type;

dlviz_layer *dlviz_instancenorm2d(void) {
    dlviz_layer *layer = dlz_layer_create(&dlz_instancenorm2d_type);
    if (layer)
        ((dlz_groupnorm *)layer)->eps = 1e-5;
    return layer;
}

#define SET(layer, field, value)                                                                   \
    dlz_layer_set(__func__, layer, &dlz_instancenorm2d_type, offsetof(dlz_groupnorm, field),       \
                  &(value), sizeof(value))

dlviz_status dlviz_instancenorm2d_set_eps(dlviz_layer *layer, double eps) {
    return SET(layer, eps, eps);
}

dlviz_status dlviz_instancenorm2d_set_affine(dlviz_layer *layer, bool affine) {
    return SET(layer, affine, affine);
}

double dlviz_instancenorm2d_eps(const dlviz_layer *layer) {
    return dlz_layer_real(layer, &dlz_instancenorm2d_type, offsetof(dlz_groupnorm, eps));
}

bool dlviz_instancenorm2d_affine(const dlviz_layer *layer) {
    const dlz_groupnorm *set = dlz_layer_as(layer, &dlz_instancenorm2d_type);
    return set && set->affine;
}

/* What is normalized among less than two numbers is always 0. */
static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    DLZ_TRY(dlz_require_image(in));
    if (in->dims[1] * in->dims[2] < 2)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "input has one number a channel; normalization needs more");
    ((dlz_groupnorm *)layer)->by_channel = true;
    *out = *in;
    return DLVIZ_OK;
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const dlz_groupnorm *set = (const dlz_groupnorm *)layer;
    const int64_t *channels = dlz_onnx_in(to)->dims;
    dlz_onnx_set_epsilon(to, set->eps);
    DLZ_ONNX_NODE(to, "InstanceNormalization", NULL, dlz_onnx_input(to),
                  set->affine ? dlz_onnx_state(to, DLZ_GROUPNORM_WEIGHT)
                              : dlz_onnx_filled(to, "ones", 1, channels, 1),
                  set->affine ? dlz_onnx_state(to, DLZ_GROUPNORM_BIAS)
                              : dlz_onnx_filled(to, "zeros", 1, channels, 0));
}

static const dlz_setting settings[] = {
    {"eps", DLZ_SETTING_REAL, offsetof(dlz_groupnorm, eps), false},
    {"affine", DLZ_SETTING_BOOL, offsetof(dlz_groupnorm, affine), false},
    {0},
};

const dlz_layer_type dlz_instancenorm2d_type = {
    .name = "instancenorm2d",
    .size = sizeof(dlz_groupnorm),
    .settings = settings,
    .check = check,
    .infer = infer,
    .states = dlz_groupnorm_states,
    .hand_on = dlz_groupnorm_hand_on,
    .op = &dlz_groupnorm_op,
    .onnx = onnx,
};
