/* kernels/vmath.h - exp, log and 1/x of whole vectors, for kernel sources. */
#ifndef DLZ_KERNELS_VMATH_H
#define DLZ_KERNELS_VMATH_H

#include "kernels/isa.h"

#if defined(__AVX__)
#include <immintrin.h>
#endif

/* 1 / x for normal x well inside the range, to about one unit in the last place. */
DLZ_INLINE dlz_v dlz_v_reciprocal(dlz_v x) {
#if defined(__AVX512F__)
    dlz_v guess = (dlz_v)_mm512_rcp14_ps((__m512)x);
    return guess + guess * (1.0f - x * guess);
#elif defined(__AVX2__)
    dlz_v guess = (dlz_v)_mm256_rcp_ps((__m256)x);
    return guess + guess * (1.0f - x * guess);
#else
    return 1.0f / x;
#endif
}

DLZ_INLINE dlz_v dlz_v_select(dlz_vi mask, dlz_v yes, dlz_v no) {
    return (dlz_v)((mask & (dlz_vi)yes) | (~mask & (dlz_vi)no));
}

/* e^x for x <= 88, to two units in the last place; 0 below about -87. Cody-Waite reduction by ln 2,
 * then the Taylor polynomial on [-ln 2 / 2, ln 2 / 2]. */
DLZ_INLINE dlz_v dlz_v_exp(dlz_v x) {
    dlz_vi tiny = x < -87.0f;
    x = dlz_v_select(tiny, dlz_splat(-87.0f), x);
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
    return dlz_v_select(tiny, dlz_splat(0), (dlz_v)((dlz_vi)p + (exponent << 23)));
}

/* ln x for positive normal x: x = 2^e m with m in [sqrt(1/2), sqrt(2)), ln m = 2
 * artanh((m-1)/(m+1)). */
DLZ_INLINE dlz_v dlz_v_log(dlz_v x) {
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

/* The sum of the lanes, by halves. */
DLZ_INLINE float dlz_v_sum(dlz_v v) {
#if defined(__AVX__)
#if defined(__AVX512F__)
    __m256 eight =
        _mm256_add_ps(_mm512_castps512_ps256((__m512)v),
                      _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd((__m512)v), 1)));
#else
    __m256 eight = (__m256)v;
#endif
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
#else
    float sum = 0;
    for (int lane = 0; lane < DLZ_LANES; lane++)
        sum += v[lane];
    return sum;
#endif
}

#endif
