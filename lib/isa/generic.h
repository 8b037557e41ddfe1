/* isa/generic.h - what every compiler has: plain C, and on x86 the SSE2 that no compiler for 64
 * bits lacks. */
#ifndef DLZ_ISA_GENERIC_H
#define DLZ_ISA_GENERIC_H

#define DLZ_LANES 4
#define DLZ_REGISTERS 16
#include "isa/plain.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

DLZ_INLINE dlz_v dlz_load_first(const float *from, int count) {
    return dlz_plain_load_first(from, count);
}

DLZ_INLINE void dlz_store_first(float *to, dlz_v value, int count) {
    dlz_plain_store_first(to, value, count);
}

DLZ_INLINE void dlz_store_first_integers(int32_t *to, dlz_vi value, int count) {
    dlz_plain_store_first_integers(to, value, count);
}

DLZ_INLINE void dlz_load_pairs(dlz_place *place, const void *context, dlz_v *firsts,
                               dlz_v *seconds) {
    dlz_plain_load_pairs(place, context, firsts, seconds);
}

DLZ_INLINE dlz_v dlz_in_order_of_pairs(dlz_v value) {
    return value;
}

DLZ_INLINE dlz_v dlz_pick(dlz_v a, dlz_v b, dlz_vi places) {
    return dlz_plain_pick(a, b, places);
}

DLZ_INLINE dlz_v dlz_rectify(dlz_v value) {
#if defined(__SSE2__)
    return (dlz_v)_mm_max_ps(_mm_setzero_ps(), (__m128)value);
#else
    return dlz_plain_rectify(value);
#endif
}

DLZ_INLINE dlz_v dlz_larger(dlz_v a, dlz_v b) {
#if defined(__SSE2__)
    return (dlz_v)_mm_max_ps((__m128)a, (__m128)b);
#else
    return dlz_plain_larger(a, b);
#endif
}

DLZ_INLINE uint32_t dlz_below(dlz_v value, float limit) {
    return dlz_plain_below(value, limit);
}

DLZ_INLINE dlz_v dlz_sqrt(dlz_v x) {
#if defined(__SSE2__)
    return (dlz_v)_mm_sqrt_ps((__m128)x);
#else
    return dlz_plain_sqrt(x);
#endif
}

DLZ_INLINE dlz_v dlz_fma(dlz_v a, dlz_v b, dlz_v c) {
    return dlz_plain_fma(a, b, c);
}

DLZ_INLINE dlz_v dlz_reciprocal(dlz_v x) {
    return dlz_plain_reciprocal(x);
}

DLZ_INLINE float dlz_sum(dlz_v v) {
    return dlz_plain_sum(v);
}

DLZ_INLINE float dlz_sum8(dlz_v8 v) {
    return dlz_plain_sum8(v);
}

DLZ_INLINE dlz_vq dlz_multiply_low(dlz_vq a, uint32_t factor) {
#if defined(__SSE2__)
    return (dlz_vq)_mm_mul_epu32((__m128i)a, _mm_set1_epi64x(factor));
#else
    return dlz_plain_multiply_low(a, factor);
#endif
}

DLZ_INLINE dlz_vd dlz_widen(dlz_vh from) {
    return dlz_plain_widen(from);
}

#endif
