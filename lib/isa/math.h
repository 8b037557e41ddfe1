/* isa/math.h - exp and log of whole vectors, for kernel sources. */
#ifndef DLZ_ISA_MATH_H
#define DLZ_ISA_MATH_H

#include "isa/isa.h"

/* e^x for x <= 88, to two units in the last place; 0 below about -87. Cody-Waite reduction by ln 2,
 * then the Taylor polynomial on [-ln 2 / 2, ln 2 / 2]. */
DLZ_INLINE dlz_v dlz_exp(dlz_v x) {
    dlz_vi tiny = x < -87.0f;
    x = dlz_select(tiny, dlz_splat(-87.0f), x);
    const float magic = 12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer */
    dlz_v shifted = x * 1.44269504f + magic;
    dlz_v whole = shifted - magic;
    dlz_v r = x - whole * 0.693359375f;
    r -= whole * -2.12194440e-4f;
    dlz_v p = dlz_splat(1.0f / 5040);
    p = p * r + 1.0f / 720;
    p = p * r + 1.0f / 120;
    p = p * r + 1.0f / 24;
    p = p * r + 1.0f / 6;
    p = p * r + 0.5f;
    p = p * r + 1.0f;
    p = p * r + 1.0f;
    dlz_vi exponent = (dlz_vi)shifted - 0x4B400000; /* the bits of magic */
    return dlz_select(tiny, dlz_splat(0), (dlz_v)((dlz_vi)p + (exponent << 23)));
}

/* ln x for positive normal x: x = 2^e m with m in [sqrt(1/2), sqrt(2)), ln m = 2
 * artanh((m-1)/(m+1)). */
DLZ_INLINE dlz_v dlz_log(dlz_v x) {
    dlz_vi bits = (dlz_vi)x;
    dlz_vi exponent = (bits - 0x3F3504F3) >> 23;
    dlz_v m = (dlz_v)(bits - (exponent << 23));
    dlz_v s = (m - 1.0f) / (m + 1.0f), s2 = s * s;
    dlz_v p = dlz_splat(2.0f / 9);
    p = p * s2 + 2.0f / 7;
    p = p * s2 + 2.0f / 5;
    p = p * s2 + 2.0f / 3;
    dlz_v e = __builtin_convertvector(exponent, dlz_v);
    return e * 0.693359375f + (2.0f * s + (s * s2 * p + e * -2.12194440e-4f));
}

#endif
