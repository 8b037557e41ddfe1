/* The hyperbolic tangent: −m / (2 + m) of |x| with m = e^−2|x| − 1. */
#include "kernels/activations/exponentials.h"
#include "kernels/activations/loops.h"

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    (void)settings;
    dlz_v m = dlz_expm1_negative(-2.0f * dlz_magnitude(x));
    return dlz_signed_as(x, dlz_magnitude(m) / (m + 2.0f));
}

/* 1 − tanh², without the difference. */
DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    (void)settings;
    dlz_v e = dlz_exp_negative(-2.0f * dlz_magnitude(x));
    return 4.0f * e / ((e + 1.0f) * (e + 1.0f));
}

DLZ_ACTIVATION(tanh)
