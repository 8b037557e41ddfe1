/* x for x > 0, else slope * x. Settings: the slope. Its derivative at 0 is the slope. */
#include "kernels/activations/loops.h"

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    return dlz_select(x > 0.0f, x, x * settings[0]);
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    return dlz_select(x > 0.0f, dlz_splat(1), dlz_splat(settings[0]));
}

DLZ_ACTIVATION(leaky_relu)
