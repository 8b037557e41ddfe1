/* Batch normalisation: settings, shape, state. */
#include "base/base.h"
#include "layers/layer.h"

dlviz_layer *dlviz_batchnorm(void) {
    dlviz_layer *layer = dlz_layer_create(DLZ_BATCHNORM);
    if (layer) {
        layer->set.batchnorm.eps = 1e-5;
        layer->set.batchnorm.momentum = 0.1;
    }
    return layer;
}

dlviz_status dlviz_batchnorm_set_eps(dlviz_layer *layer, double eps) {
    DLZ_TRY(dlz_layer_require(__func__, layer, DLZ_BATCHNORM));
    if (!(eps > 0 && eps < 1e30))
        return dlz_layer_remember(layer,
                                  dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                           "%s: eps is %g; above 0 is accepted", __func__, eps));
    layer->set.batchnorm.eps = eps;
    return DLVIZ_OK;
}

dlviz_status dlviz_batchnorm_set_momentum(dlviz_layer *layer, double momentum) {
    DLZ_TRY(dlz_layer_require(__func__, layer, DLZ_BATCHNORM));
    if (!(momentum >= 0 && momentum <= 1))
        return dlz_layer_remember(layer, dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                                  "%s: momentum is %g; 0 to 1 are accepted",
                                                  __func__, momentum));
    layer->set.batchnorm.momentum = momentum;
    return DLVIZ_OK;
}

static dlviz_status infer(const dlviz_layer *layer, const dlz_shape *in, dlz_shape *out) {
    (void)layer;
    *out = *in;
    return DLVIZ_OK;
}

static int states(const dlviz_layer *layer, const dlz_shape *in,
                  dlz_state_spec specs[DLZ_MAX_STATES]) {
    (void)layer;
    int64_t channels = in->dims[0];
    specs[0] = (dlz_state_spec){"weight", DLVIZ_FLOAT32, 1, {channels}, true, DLZ_INITIAL_ONE, 0};
    specs[1] = (dlz_state_spec){"bias", DLVIZ_FLOAT32, 1, {channels}, true, DLZ_INITIAL_ZERO, 0};
    specs[2] =
        (dlz_state_spec){"running_mean", DLVIZ_FLOAT32, 1, {channels}, false, DLZ_INITIAL_ZERO, 0};
    specs[3] =
        (dlz_state_spec){"running_var", DLVIZ_FLOAT32, 1, {channels}, false, DLZ_INITIAL_ONE, 0};
    specs[4] =
        (dlz_state_spec){"num_batches_tracked", DLVIZ_INT64, 0, {0}, false, DLZ_INITIAL_ZERO, 0};
    return 5;
}

static json_t *settings(const dlviz_layer *layer) {
    return json_pack("{s:f,s:f}", "eps", layer->set.batchnorm.eps, "momentum",
                     layer->set.batchnorm.momentum);
}

static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    (void)layer;
    return constant == DLZ_CONSTANT_EVERYWHERE ? DLZ_CONSTANT_TAKEN_OUT : DLZ_CONSTANT_LOST;
}

const dlz_layer_type dlz_batchnorm_type = {"batchnorm", infer,      states,
                                           settings,    "momentum", hand_on};
