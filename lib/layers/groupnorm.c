/* Group normalization: settings and state. */
#include "layers/groupnorm.h"
#include "base/base.h"
#include "layers/standard.h"
#include "onnx/onnx.h"

#define LARGEST (1 << 28)

static dlviz_status check(const dlviz_layer *layer) {
    const dlz_groupnorm *set = (const dlz_groupnorm *)layer;
    DLZ_TRY(dlz_check_integer("num_groups", set->num_groups, 1, LARGEST));
    return dlz_check_eps(set->eps);
}

const dlz_layer_type dlz_groupnorm_type;

dlviz_layer *dlviz_groupnorm(int64_t num_groups) {
    dlviz_layer *layer = dlz_layer_create(&dlz_groupnorm_type);
    dlz_groupnorm *set = (dlz_groupnorm *)layer;
    if (!layer)
        return NULL;
    set->num_groups = num_groups;
    set->eps = 1e-5;
    set->affine = true;
    return dlz_layer_checked(layer);
}

#define SET(layer, field, value)                                                                   \
    dlz_layer_set(__func__, layer, &dlz_groupnorm_type, offsetof(dlz_groupnorm, field), &(value),  \
                  sizeof(value))

dlviz_status dlviz_groupnorm_set_eps(dlviz_layer *layer, double eps) {
    return SET(layer, eps, eps);
}

dlviz_status dlviz_groupnorm_set_affine(dlviz_layer *layer, bool affine) {
    return SET(layer, affine, affine);
}

int64_t dlviz_groupnorm_num_groups(const dlviz_layer *layer) {
    const dlz_groupnorm *set = dlz_layer_as(layer, &dlz_groupnorm_type);
    return set ? set->num_groups : 0;
}

double dlviz_groupnorm_eps(const dlviz_layer *layer) {
    return dlz_layer_real(layer, &dlz_groupnorm_type, offsetof(dlz_groupnorm, eps));
}

bool dlviz_groupnorm_affine(const dlviz_layer *layer) {
    const dlz_groupnorm *set = dlz_layer_as(layer, &dlz_groupnorm_type);
    return set && set->affine;
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    dlz_groupnorm *set = (dlz_groupnorm *)layer;
    if (in->dims[0] % set->num_groups != 0)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "input has %lld channels, which cannot be divided into %lld groups",
                        (long long)in->dims[0], (long long)set->num_groups);
    set->by_channel = in->dims[0] == set->num_groups;
    *out = *in;
    return DLVIZ_OK;
}

int dlz_groupnorm_states(const dlviz_layer *layer, const dlz_shape *in,
                         dlz_state_spec specs[DLZ_MAX_STATES]) {
    if (!((const dlz_groupnorm *)layer)->affine)
        return 0;
    specs[DLZ_GROUPNORM_WEIGHT] = (dlz_state_spec){.suffix = "weight",
                                                   .ndim = 1,
                                                   .dims = {in->dims[0]},
                                                   .trainable = true,
                                                   .initial = DLZ_INITIAL_ONE};
    specs[DLZ_GROUPNORM_BIAS] = (dlz_state_spec){
        .suffix = "bias", .ndim = 1, .dims = {in->dims[0]}, .trainable = true, .is_constant = true};
    return 2;
}

/* A group of several channels keeps how their constants differ. */
dlz_constant dlz_groupnorm_hand_on(const dlviz_layer *layer, dlz_constant constant) {
    return ((const dlz_groupnorm *)layer)->by_channel && constant == DLZ_CONSTANT_EVERYWHERE
               ? DLZ_CONSTANT_TAKEN_OUT
               : DLZ_CONSTANT_LOST;
}

/* ONNX's own group normalization is younger than the set of operators: an instance normalization of
 * each group laid out as one channel, then weight and bias. */
static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const dlz_groupnorm *set = (const dlz_groupnorm *)layer;
    const dlz_shape *in = dlz_onnx_in(to);
    const int64_t groups[] = {set->num_groups, dlz_shape_size(in) / set->num_groups};
    const char *y = dlz_onnx_reshape(to, "groups", dlz_onnx_input(to), 2, groups);
    dlz_onnx_set_epsilon(to, set->eps);
    y = DLZ_ONNX_NODE(to, "InstanceNormalization", "standard", y,
                      dlz_onnx_filled(to, "ones", 1, groups, 1),
                      dlz_onnx_filled(to, "zeros", 1, groups, 0));
    y = dlz_onnx_reshape(to, set->affine ? "channels" : NULL, y, in->ndim, in->dims);
    if (!set->affine)
        return;
    y = DLZ_ONNX_NODE(to, "Mul", "weighted", y, dlz_onnx_channel_state(to, DLZ_GROUPNORM_WEIGHT));
    DLZ_ONNX_NODE(to, "Add", NULL, y, dlz_onnx_channel_state(to, DLZ_GROUPNORM_BIAS));
}

static const dlz_setting settings[] = {
    {"num_groups", DLZ_SETTING_INTEGER, offsetof(dlz_groupnorm, num_groups), false},
    {"eps", DLZ_SETTING_REAL, offsetof(dlz_groupnorm, eps), false},
    {"affine", DLZ_SETTING_BOOL, offsetof(dlz_groupnorm, affine), false},
    {0},
};

const dlz_layer_type dlz_groupnorm_type = {
    .name = "groupnorm",
    .size = sizeof(dlz_groupnorm),
    .settings = settings,
    .check = check,
    .infer = infer,
    .states = dlz_groupnorm_states,
    .hand_on = dlz_groupnorm_hand_on,
    .op = &dlz_groupnorm_op,
    .onnx = onnx,
};
