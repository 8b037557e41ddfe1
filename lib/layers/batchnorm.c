/* Batch normalization: settings, state, and its part in the pass that follows another layer. */
#include "base/base.h"
#include "graph/post.h"
#include "onnx/onnx.h"

typedef struct batchnorm {
    dlviz_layer base;
    double eps, momentum;
    bool affine;
} batchnorm;

enum { WEIGHT, BIAS };

static dlviz_status check(const dlviz_layer *layer) {
    const batchnorm *set = (const batchnorm *)layer;
    if (!(set->eps >= 1e-60 && set->eps <= 1e30))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "eps is %g; 1e-60 to 1e30 is accepted",
                        set->eps);
    if (!(set->momentum >= 0 && set->momentum <= 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "momentum is %g; 0 to 1 are accepted",
                        set->momentum);
    return DLVIZ_OK;
}

const dlz_layer_type dlz_batchnorm_type;

dlviz_layer *dlviz_batchnorm(void) {
    dlviz_layer *layer = dlz_layer_create(&dlz_batchnorm_type);
    batchnorm *set = (batchnorm *)layer;
    if (!layer)
        return NULL;
    set->eps = 1e-5;
    set->momentum = 0.1;
    set->affine = true;
    return layer;
}

#define SET(layer, field, value)                                                                   \
    dlz_layer_set(__func__, layer, &dlz_batchnorm_type, offsetof(batchnorm, field), &(value),      \
                  sizeof(value))

dlviz_status dlviz_batchnorm_set_eps(dlviz_layer *layer, double eps) {
    return SET(layer, eps, eps);
}

dlviz_status dlviz_batchnorm_set_momentum(dlviz_layer *layer, double momentum) {
    return SET(layer, momentum, momentum);
}

dlviz_status dlviz_batchnorm_set_affine(dlviz_layer *layer, bool affine) {
    return SET(layer, affine, affine);
}

double dlviz_batchnorm_eps(const dlviz_layer *layer) {
    return dlz_layer_real(layer, &dlz_batchnorm_type, offsetof(batchnorm, eps));
}

double dlviz_batchnorm_momentum(const dlviz_layer *layer) {
    return dlz_layer_real(layer, &dlz_batchnorm_type, offsetof(batchnorm, momentum));
}

bool dlviz_batchnorm_affine(const dlviz_layer *layer) {
    const batchnorm *set = dlz_layer_as(layer, &dlz_batchnorm_type);
    return set && set->affine;
}

static int states(const dlviz_layer *layer, const dlz_shape *in,
                  dlz_state_spec specs[DLZ_MAX_STATES]) {
    int64_t channels = in->dims[0];
    int count = 0;
    if (((const batchnorm *)layer)->affine) {
        specs[count++] = (dlz_state_spec){.suffix = "weight",
                                          .ndim = 1,
                                          .dims = {channels},
                                          .trainable = true,
                                          .initial = DLZ_INITIAL_ONE};
        specs[count++] = (dlz_state_spec){.suffix = "bias",
                                          .ndim = 1,
                                          .dims = {channels},
                                          .trainable = true,
                                          .is_constant = true};
    }
    specs[count++] = (dlz_state_spec){.suffix = "running_mean", .ndim = 1, .dims = {channels}};
    specs[count++] = (dlz_state_spec){.suffix = "running_var",
                                      .ndim = 1,
                                      .dims = {channels},
                                      .not_negative = true,
                                      .initial = DLZ_INITIAL_ONE};
    specs[count++] = (dlz_state_spec){.suffix = "num_batches_tracked", .dtype = DLVIZ_INT64};
    return count;
}

/* It divides by one less than the number of values a channel has. */
static dlviz_status check_batch(const dlviz_layer *layer, const dlz_shape *in, int64_t n) {
    (void)layer;
    if (n * dlz_shape_size(in) > in->dims[0])
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_SHAPE,
                    "a batch of 1 leaves one value a channel; training needs more");
}

static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    (void)layer;
    return constant == DLZ_CONSTANT_EVERYWHERE ? DLZ_CONSTANT_TAKEN_OUT : DLZ_CONSTANT_LOST;
}

static dlz_stage stage(const dlviz_layer *layer) {
    (void)layer;
    return DLZ_STAGE_NORMALIZE;
}

static void join(const dlviz_layer *layer, const dlz_parameter *states, dlz_post_op *post) {
    const batchnorm *set = (const batchnorm *)layer;
    const dlz_parameter *running = states + (set->affine ? 2 : 0);
    post->has_batchnorm = true;
    post->batchnorm = (dlz_batchnorm_state){.eps = set->eps,
                                            .momentum = set->momentum,
                                            .running_mean = running[0].value,
                                            .running_var = running[1].value,
                                            .batches_tracked = running[2].count};
    if (set->affine) {
        post->batchnorm.weight = states[WEIGHT];
        post->batchnorm.bias = states[BIAS];
    }
}

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const batchnorm *set = (const batchnorm *)layer;
    const int64_t *channels = dlz_onnx_in(to)->dims;
    int running = set->affine ? 2 : 0;
    dlz_onnx_set_epsilon(to, set->eps);
    DLZ_ONNX_NODE(
        to, "BatchNormalization", NULL, dlz_onnx_input(to),
        set->affine ? dlz_onnx_state(to, WEIGHT) : dlz_onnx_filled(to, "ones", 1, channels, 1),
        set->affine ? dlz_onnx_state(to, BIAS) : dlz_onnx_filled(to, "zeros", 1, channels, 0),
        dlz_onnx_state(to, running), dlz_onnx_state(to, running + 1));
}

static const dlz_setting settings[] = {
    {"eps", DLZ_SETTING_REAL, offsetof(batchnorm, eps), false},
    {"momentum", DLZ_SETTING_REAL, offsetof(batchnorm, momentum), true},
    {"affine", DLZ_SETTING_BOOL, offsetof(batchnorm, affine), false},
    {0},
};

const dlz_layer_type dlz_batchnorm_type = {
    .name = "batchnorm",
    .size = sizeof(batchnorm),
    .settings = settings,
    .check = check,
    .infer = dlz_infer_same,
    .states = states,
    .check_batch = check_batch,
    .hand_on = hand_on,
    .stage = stage,
    .join = join,
    .onnx = onnx,
};
