/* x σ(x), also called swish. */
#include "kernels/activations/logistic.h"
#include "kernels/activations/loops.h"

/* Below −110 it is 0 for floats, and so is its derivative; above 110 that is 1. */
#define FAR 110.0f

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    (void)settings;
    x = dlz_greatest(x, dlz_splat(-FAR));
    return dlz_times_logistic(x, x);
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    (void)settings;
    x = dlz_least(dlz_greatest(x, dlz_splat(-FAR)), dlz_splat(FAR));
    return dlz_times_logistic_slope(x, x);
}

DLZ_ACTIVATION(silu)
