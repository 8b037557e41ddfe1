/* kernels/activations/exponentials.h - e^x and what is made of it, for whole vectors, accurate
 * relative to the result as far as floats reach, subnormal ones included. NaN in, anything out.
 *
 * Everything is written with e^x for x <= 0, which never overflows and is summed and divided
 * without cancellation. The polynomials are minimax for the relative error of the function that
 * they serve, found with Lawson's algorithm, the lower coefficients rounded to floats before the
 * higher ones were fitted again; their errors, coefficients rounded, are given beside them. */
#ifndef DLZ_KERNELS_ACTIVATIONS_EXPONENTIALS_H
#define DLZ_KERNELS_ACTIVATIONS_EXPONENTIALS_H

#include "isa/isa.h"

DLZ_INLINE dlz_v dlz_least(dlz_v a, dlz_v b) {
    return dlz_select(a < b, a, b);
}

DLZ_INLINE dlz_v dlz_greatest(dlz_v a, dlz_v b) {
    return dlz_select(a > b, a, b);
}

DLZ_INLINE dlz_v dlz_magnitude(dlz_v x) {
    return (dlz_v)((dlz_vi)x & INT32_MAX);
}

/* `magnitude`, which is not negative, with the sign of x: that of −0, too. */
DLZ_INLINE dlz_v dlz_signed_as(dlz_v x, dlz_v magnitude) {
    return (dlz_v)((dlz_vi)magnitude | ((dlz_vi)x & INT32_MIN));
}

/* 2^n for whole −126 <= n <= 127. */
DLZ_INLINE dlz_v dlz_power_of_two(dlz_vi n) {
    return (dlz_v)((n + 127) << 23);
}

/* x + low = n ln 2 + r, −0.347 < r < 0.347, for −1000 < x <= 0 and a low part that is tiny beside
 * it; `minus_1` is e^r − 1 (error 4.4e-10). The upper part of ln 2 has 9 bits, so that n times it
 * is exact without fused operations. */
typedef struct dlz_reduced {
    dlz_vi n;
    dlz_v minus_1;
} dlz_reduced;

DLZ_INLINE dlz_reduced dlz_exp_reduced(dlz_v x, dlz_v low) {
    const float round = 0x1.8p23f; /* what is added to it is rounded to a whole number */
    dlz_v shifted = dlz_fma(x, dlz_splat(0x1.715476p+0f), dlz_splat(round));
    dlz_v n = shifted - round;
    dlz_v r = dlz_fma(n, dlz_splat(-0.693359375f), x);
    r = dlz_fma(n, dlz_splat(2.12194440e-4f), r) + low;
    dlz_v q = dlz_fma(r, dlz_splat(0x1.9e7380p-13f), dlz_splat(0x1.6d3a4ap-10f));
    q = dlz_fma(q, r, dlz_splat(0x1.1112d8p-7f));
    q = dlz_fma(q, r, dlz_splat(0x1.5554f8p-5f));
    q = dlz_fma(q, r, dlz_splat(0x1.555554p-3f));
    q = dlz_fma(q, r, dlz_splat(0.5f));
    return (dlz_reduced){(dlz_vi)shifted - 0x4B400000, dlz_fma(q, r * r, r)};
}

/* A number as the product of two, of which `power` is a power of two: where e^x is subnormal, they
 * are not. Factors are multiplied with `first`; only that times `power` is rounded to what is left.
 */
typedef struct dlz_exp_parts {
    dlz_v first, power;
} dlz_exp_parts;

/* factor × e^(x + low) for x <= 0; e^x below 2^-200 counts as 2^-200. */
DLZ_INLINE dlz_exp_parts dlz_exp_times(dlz_v factor, dlz_v x, dlz_v low) {
    dlz_reduced e = dlz_exp_reduced(dlz_greatest(x, dlz_splat(-0x1.15p7f)), low);
    dlz_vi half = e.n >> 1;
    return (dlz_exp_parts){dlz_fma(factor, e.minus_1, factor) * dlz_power_of_two(e.n - half),
                           dlz_power_of_two(half)};
}

DLZ_INLINE dlz_exp_parts dlz_exp_in_parts(dlz_v x) {
    return dlz_exp_times(dlz_splat(1), x, (dlz_v){0});
}

/* e^x for x <= 0. */
DLZ_INLINE dlz_v dlz_exp_negative(dlz_v x) {
    dlz_exp_parts e = dlz_exp_in_parts(x);
    return e.first * e.power;
}

/* e^x − 1 for x <= 0, as accurate near 0. */
DLZ_INLINE dlz_v dlz_expm1_negative(dlz_v x) {
    dlz_reduced e = dlz_exp_reduced(dlz_greatest(x, dlz_splat(-30)), (dlz_v){0});
    dlz_v power = dlz_power_of_two(e.n);
    return dlz_signed_as(x, dlz_magnitude(dlz_fma(power, e.minus_1, power - 1.0f)));
}

/* ln(1 + u) for 0 <= u <= 1: with s = u / (2 + u), 2 artanh(s) = u − s (u − s² (2/3 + 2/5 s² + …))
 * (error 4.5e-9). */
DLZ_INLINE dlz_v dlz_log1p_unit(dlz_v u) {
    dlz_v s = u / (u + 2.0f), w = s * s;
    dlz_v p = dlz_fma(w, dlz_splat(0x1.1f17c6p-2f), dlz_splat(0x1.1eb100p-2f));
    p = dlz_fma(p, w, dlz_splat(0x1.99d2b4p-2f));
    p = dlz_fma(p, w, dlz_splat(0x1.5555p-1f));
    return dlz_fma(-s, dlz_fma(-w, p, u), u);
}

#endif
