/* kernels/activations/logistic.h - σ(z) = 1 / (1 + e^−z), and functions x σ(z(x)).
 *
 * With e = e^−|z| and d = 1 / (1 + e), σ is d above 0 and e d below, and 1 − σ the other of the
 * two: neither is ever a difference. */
#ifndef DLZ_KERNELS_ACTIVATIONS_LOGISTIC_H
#define DLZ_KERNELS_ACTIVATIONS_LOGISTIC_H

#include "kernels/activations/exponentials.h"

DLZ_INLINE dlz_v dlz_logistic(dlz_v z) {
    dlz_v e = dlz_exp_negative(-dlz_magnitude(z));
    return dlz_select(z < 0.0f, e, dlz_splat(1)) / (e + 1.0f);
}

/* σ'(z) = σ(z) (1 − σ(z)). */
DLZ_INLINE dlz_v dlz_logistic_slope(dlz_v z) {
    dlz_v e = dlz_exp_negative(-dlz_magnitude(z));
    return e / ((e + 1.0f) * (e + 1.0f));
}

/* x σ(z), where z has the sign of x; x not below where this is 0 for floats. */
DLZ_INLINE dlz_v dlz_times_logistic(dlz_v x, dlz_v z) {
    dlz_vi negative = z < 0.0f;
    dlz_v exponent = -dlz_magnitude(z), one = dlz_splat(1);
    dlz_exp_parts e = dlz_exp_in_parts(exponent), below = dlz_exp_times(x, exponent, (dlz_v){0});
    return dlz_select(negative, below.first, x) / dlz_fma(e.first, e.power, one) *
           dlz_select(negative, e.power, one);
}

/* Its derivative σ(z) (1 + (1 − σ(z)) x z'), given x z', which is finite. */
DLZ_INLINE dlz_v dlz_times_logistic_slope(dlz_v z, dlz_v x_times_slope_of_z) {
    dlz_exp_parts e = dlz_exp_in_parts(-dlz_magnitude(z));
    dlz_vi negative = z < 0.0f;
    dlz_v whole = e.first * e.power, one = dlz_splat(1);
    dlz_v d = one / (whole + 1.0f);
    dlz_v inner = dlz_fma(dlz_select(negative, d, whole * d), x_times_slope_of_z, one);
    return dlz_select(negative, e.first, one) * (d * inner) * dlz_select(negative, e.power, one);
}

#endif
