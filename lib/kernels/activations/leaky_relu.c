/* x for x > 0, else slope * x. Settings: the slope. Its derivative at 0 is the slope. */
#include "kernels/activations/loops.h"

/* A slope of 0 is relu, which makes 0 of −∞, too. */
DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    dlz_v factor = dlz_splat(settings[0]);
    dlz_v below = (dlz_v)((dlz_vi)(x * factor) & ~(dlz_vi)(factor == 0.0f));
    return dlz_select(x > 0.0f, x, below);
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    return dlz_select(x > 0.0f, dlz_splat(1), dlz_splat(settings[0]));
}

DLZ_ACTIVATION(leaky_relu)
