#include "layers/activations/layer.h"

#include <float.h>
#include <math.h>

dlviz_status dlz_activation_infer(dlviz_layer *layer, dlz_activation activation,
                                  const dlz_shape *in, dlz_shape *out) {
    ((dlz_activation_layer *)layer)->activation = activation;
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

dlviz_status dlz_activation_check(const char *what, double value) {
    if (!(fabs(value) <= (double)FLT_MAX))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s is %g; a finite number of at most %g in magnitude is accepted", what,
                        value, (double)FLT_MAX);
    return DLVIZ_OK;
}
