/* kernels/nn/softmax_math.h - exponentials of what is not above 0 and logarithms of 1 + what is not
 * below it, and sums of many, for kernel sources. */
#ifndef DLZ_KERNELS_NN_SOFTMAX_MATH_H
#define DLZ_KERNELS_NN_SOFTMAX_MATH_H

#include "isa/isa.h"

/* e^x = (minus_1 + 1) * power, but 0 where `zero` is set. */
typedef struct dlz_exp_of_row {
    dlz_v minus_1, power;
    dlz_vi zero;
} dlz_exp_of_row;

/* For x <= 0. x = n ln 2 + r with |r| <= ln 2 / 2; e^r = 1 + r + r² q(r), where q is the minimax
 * polynomial of degree 4 for the relative error (3.1e-9, found with Remez' algorithm). The upper
 * part of ln 2 has 9 bits, so that n times it is exact with and without fused operations. */
DLZ_INLINE dlz_exp_of_row dlz_exp_start(dlz_v x) {
    const float round = 0x1.8p23f;
    dlz_v shifted = x * 0x1.715476p+0f + round; /* n in the low bits */
    dlz_v n = shifted - round;
    dlz_v r = x - n * 0.693359375f;
    r = r + n * 2.12194440e-4f;
    dlz_v q = r * 0.00138145401768f + 0.00836874510894f;
    q = q * r + 0.0416683907835f;
    q = q * r + 0.16666520399f;
    q = q * r + 0.499999934321f;
    /* Multiplied by 2^n rather than added to the exponent, so that a NaN stays one. */
    typedef uint32_t words_v
        __attribute__((vector_size(DLZ_LANES * 4))); /* may wrap, below zero's */
    return (dlz_exp_of_row){.minus_1 = q * (r * r) + r,
                            .power = (dlz_v)(((words_v)shifted - 0x4b400000u + 127u) << 23),
                            .zero = x < -87.33654f};
}

/* e^x, NaN for NaN. */
DLZ_INLINE dlz_v dlz_exp_end(dlz_exp_of_row e) {
    return (dlz_v)((dlz_vi)((e.minus_1 + 1.0f) * e.power) & ~e.zero);
}

DLZ_INLINE dlz_v dlz_exp_of(dlz_v x) {
    return dlz_exp_end(dlz_exp_start(x));
}

/* e^x − 1 as accurate near 0; wherever `zero` is not set. */
DLZ_INLINE dlz_v dlz_expm1_end(dlz_exp_of_row e) {
    return dlz_fma(e.minus_1, e.power, e.power - 1.0f);
}

/* ln(1 + u) for u >= 0, relative to the result; NaN for NaN and for infinity. 1 + u = 2^e (1 + f)
 * with 1 + f in [√½, √2): where e is 0, f is u as it is, else what rounding f loses is little beside
 * e ln 2. With s = f / (2 + f), ln(1 + f) = 2 artanh(s) = f − s (f − s² (2/3 + 2/5 s² + …)). */
DLZ_INLINE dlz_v dlz_log1p_of(dlz_v u) {
    dlz_vi bits = (dlz_vi)(u + 1.0f);
    dlz_vi exponent = (bits - 0x3F3504F3) >> 23;
    dlz_v down = (dlz_v)((127 - exponent) << 23); /* 2^−e */
    dlz_v f = dlz_fma(u, down, down - 1.0f);
    dlz_v s = f / (f + 2.0f), s2 = s * s;
    dlz_v p = dlz_splat(2.0f / 9);
    p = p * s2 + 2.0f / 7;
    p = p * s2 + 2.0f / 5;
    p = p * s2 + 2.0f / 3;
    dlz_v e = __builtin_convertvector(exponent, dlz_v);
    dlz_v small = f - s * (f - s2 * p);
    return e * 0.693359375f + (small + e * -2.12194440e-4f);
}

/* A sum and what rounding took from it (Knuth's exact addition). */
typedef struct dlz_twofold {
    dlz_v sum, lost;
} dlz_twofold;

DLZ_INLINE void dlz_twofold_add(dlz_twofold *to, dlz_v value) {
    dlz_v sum = to->sum + value, part = sum - to->sum;
    to->lost += (to->sum - (sum - part)) + (value - part);
    to->sum = sum;
}

/* An infinite sum has lost nothing. */
DLZ_INLINE dlz_v dlz_twofold_end(dlz_twofold of) {
    return of.sum + (dlz_v)((dlz_vi)of.lost & (of.lost == of.lost));
}

#endif
