#include "layers/activations/layer.h"

#include <float.h>
#include <math.h>

static double value_of(const dlviz_layer *layer, const dlz_setting *setting) {
    return dlz_layer_real(layer, layer->type, setting->offset);
}

dlviz_status dlz_activation_infer(dlviz_layer *layer, const dlz_activation_table *kernels,
                                  const dlz_shape *in, dlz_shape *out) {
    dlz_activation *activation = &((dlz_activation_layer *)layer)->activation;
    activation->kernels = kernels;
    const dlz_setting *settings = layer->type->settings;
    for (int i = 0; settings && settings[i].name; i++)
        activation->settings[i] = (float)value_of(layer, &settings[i]);
    *out = *in;
    return DLVIZ_OK;
}

dlz_stage dlz_activation_stage(const dlviz_layer *layer) {
    (void)layer;
    return DLZ_STAGE_ACTIVATE;
}

void dlz_activation_join(const dlviz_layer *layer, const dlz_parameter *states, dlz_post_op *post) {
    (void)states;
    post->activation = &((const dlz_activation_layer *)layer)->activation;
}

dlviz_status dlz_activation_check(const dlviz_layer *layer) {
    for (const dlz_setting *setting = layer->type->settings; setting->name; setting++)
        if (!(fabs(value_of(layer, setting)) <= (double)FLT_MAX))
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s is %g; a finite number of at most %g in magnitude is accepted",
                            setting->name, value_of(layer, setting), (double)FLT_MAX);
    return DLVIZ_OK;
}
