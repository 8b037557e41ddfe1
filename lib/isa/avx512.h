/* isa/avx512.h - AVX-512 F, DQ, BW and VL. */
#ifndef DLZ_ISA_AVX512_H
#define DLZ_ISA_AVX512_H

#define DLZ_LANES 16
#define DLZ_REGISTERS 32
#include "isa/avx.h"

DLZ_INLINE dlz_v dlz_load_first(const float *from, int count) {
    return (dlz_v)_mm512_maskz_loadu_ps((__mmask16)(0xffffu >> (16 - count)), from);
}

DLZ_INLINE void dlz_store_first(float *to, dlz_v value, int count) {
    _mm512_mask_storeu_ps(to, (__mmask16)(0xffffu >> (16 - count)), (__m512)value);
}

DLZ_INLINE void dlz_store_first_integers(int32_t *to, dlz_vi value, int count) {
    _mm512_mask_storeu_epi32(to, (__mmask16)(0xffffu >> (16 - count)), (__m512i)value);
}

DLZ_INLINE void dlz_load_pairs(dlz_place *place, const void *context, dlz_v *firsts,
                               dlz_v *seconds) {
    __m512 a = _mm512_castpd_ps(
        _mm512_insertf64x4(_mm512_castpd256_pd512(dlz_four_pairs(place, context, 0)),
                           dlz_four_pairs(place, context, 4), 1));
    __m512 b = _mm512_castpd_ps(
        _mm512_insertf64x4(_mm512_castpd256_pd512(dlz_four_pairs(place, context, 8)),
                           dlz_four_pairs(place, context, 12), 1));
    const __m512i even =
        _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    *firsts = (dlz_v)_mm512_permutex2var_ps(a, even, b);
    *seconds = (dlz_v)_mm512_permutex2var_ps(a, _mm512_add_epi32(even, _mm512_set1_epi32(1)), b);
}

DLZ_INLINE dlz_v dlz_in_order_of_pairs(dlz_v value) {
    return value;
}

DLZ_INLINE dlz_v dlz_pick(dlz_v a, dlz_v b, dlz_vi places) {
    return (dlz_v)_mm512_permutex2var_ps((__m512)a, (__m512i)places, (__m512)b);
}

DLZ_INLINE dlz_v dlz_rectify(dlz_v value) {
    /* The instruction gives its second operand when one of them is NaN. */
    return (dlz_v)_mm512_max_ps(_mm512_setzero_ps(), (__m512)value);
}

DLZ_INLINE dlz_v dlz_larger(dlz_v a, dlz_v b) {
    return (dlz_v)_mm512_max_ps((__m512)a, (__m512)b);
}

DLZ_INLINE uint32_t dlz_below(dlz_v value, float limit) {
    return _mm512_cmp_ps_mask((__m512)value, _mm512_set1_ps(limit), _CMP_LT_OQ);
}

DLZ_INLINE dlz_v dlz_sqrt(dlz_v x) {
    return (dlz_v)_mm512_sqrt_ps((__m512)x);
}

DLZ_INLINE dlz_v dlz_fma(dlz_v a, dlz_v b, dlz_v c) {
    return (dlz_v)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
}

DLZ_INLINE dlz_v dlz_reciprocal(dlz_v x) {
    dlz_v guess = (dlz_v)_mm512_rcp14_ps((__m512)x);
    return guess + guess * (1.0f - x * guess);
}

DLZ_INLINE float dlz_sum(dlz_v v) {
    __m256 eight =
        _mm256_add_ps(_mm512_castps512_ps256((__m512)v),
                      _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd((__m512)v), 1)));
    return dlz_sum8((dlz_v8)eight);
}

DLZ_INLINE dlz_vq dlz_multiply_low(dlz_vq a, uint32_t factor) {
    return (dlz_vq)_mm512_mul_epu32((__m512i)a, _mm512_set1_epi64(factor));
}

DLZ_INLINE dlz_vd dlz_widen(dlz_vh from) {
    /* GCC converts by halves when left to itself. */
    return (dlz_vd)_mm512_cvtps_pd((__m256)from);
}

#define DLZ_HAS_BYTES DLZ_CPU_HAS("avx512vnni")
#define DLZ_WITH_BYTES __attribute__((target("avx512vnni")))

static inline DLZ_WITH_BYTES __attribute__((always_inline)) dlz_vi
dlz_add_bytes(dlz_vi sums, dlz_vi bytes, int32_t four) {
    return (dlz_vi)_mm512_dpbusd_epi32((__m512i)sums, (__m512i)bytes, _mm512_set1_epi32(four));
}

DLZ_INLINE uint32_t dlz_negative(dlz_vi value) {
    return _mm512_movepi32_mask((__m512i)value);
}

#endif
