/* isa/avx2.h - AVX2 and FMA. */
#ifndef DLZ_ISA_AVX2_H
#define DLZ_ISA_AVX2_H

#define DLZ_LANES 8
#define DLZ_REGISTERS 16
#include "isa/avx.h"

DLZ_INLINE __m256i dlz_first_lanes(int count) {
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

DLZ_INLINE dlz_v dlz_load_first(const float *from, int count) {
    return (dlz_v)_mm256_maskload_ps(from, dlz_first_lanes(count));
}

DLZ_INLINE void dlz_store_first(float *to, dlz_v value, int count) {
    _mm256_maskstore_ps(to, dlz_first_lanes(count), (__m256)value);
}

DLZ_INLINE void dlz_store_first_integers(int32_t *to, dlz_vi value, int count) {
    _mm256_maskstore_epi32(to, dlz_first_lanes(count), (__m256i)value);
}

DLZ_INLINE void dlz_load_pairs(dlz_place *place, const void *context, dlz_v *firsts,
                               dlz_v *seconds) {
    __m256 a = _mm256_castpd_ps(dlz_four_pairs(place, context, 0)),
           b = _mm256_castpd_ps(dlz_four_pairs(place, context, 4));
    /* In the order 0 1 4 5 2 3 6 7, which costs no step across the halves. */
    *firsts = (dlz_v)_mm256_shuffle_ps(a, b, 0x88);
    *seconds = (dlz_v)_mm256_shuffle_ps(a, b, 0xDD);
}

DLZ_INLINE dlz_v dlz_in_order_of_pairs(dlz_v value) {
    return (dlz_v)_mm256_castpd_ps(_mm256_permute4x64_pd(_mm256_castps_pd((__m256)value), 0xD8));
}

DLZ_INLINE dlz_v dlz_pick(dlz_v a, dlz_v b, dlz_vi places) {
    __m256 low = _mm256_permutevar8x32_ps((__m256)a, (__m256i)places);
    __m256 high = _mm256_permutevar8x32_ps((__m256)b, (__m256i)places);
    return dlz_select(places > 7, (dlz_v)high, (dlz_v)low);
}

DLZ_INLINE dlz_v dlz_rectify(dlz_v value) {
    /* The instruction gives its second operand when one of them is NaN. */
    return (dlz_v)_mm256_max_ps(_mm256_setzero_ps(), (__m256)value);
}

DLZ_INLINE dlz_v dlz_larger(dlz_v a, dlz_v b) {
    return (dlz_v)_mm256_max_ps((__m256)a, (__m256)b);
}

DLZ_INLINE uint32_t dlz_below(dlz_v value, float limit) {
    return (uint32_t)_mm256_movemask_ps(
        _mm256_cmp_ps((__m256)value, _mm256_set1_ps(limit), _CMP_LT_OQ));
}

DLZ_INLINE dlz_v dlz_sqrt(dlz_v x) {
    return (dlz_v)_mm256_sqrt_ps((__m256)x);
}

DLZ_INLINE dlz_v dlz_fma(dlz_v a, dlz_v b, dlz_v c) {
    return (dlz_v)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
}

DLZ_INLINE dlz_v dlz_reciprocal(dlz_v x) {
    dlz_v guess = (dlz_v)_mm256_rcp_ps((__m256)x);
    return guess + guess * (1.0f - x * guess);
}

DLZ_INLINE float dlz_sum(dlz_v v) {
    return dlz_sum8((dlz_v8)v);
}

DLZ_INLINE dlz_vq dlz_multiply_low(dlz_vq a, uint32_t factor) {
    return (dlz_vq)_mm256_mul_epu32((__m256i)a, _mm256_set1_epi64x(factor));
}

DLZ_INLINE dlz_vd dlz_widen(dlz_vh from) {
    /* GCC converts by halves when left to itself. */
    return (dlz_vd)_mm256_cvtps_pd((__m128)from);
}

/* Clang has this word since version 12, its name as a processor's feature later. */
#if !defined(__clang__) && __GNUC__ >= 12
#define DLZ_HAS_BYTES DLZ_CPU_HAS("avxvnni")
#define DLZ_WITH_BYTES __attribute__((target("avxvnni")))

static inline DLZ_WITH_BYTES __attribute__((always_inline)) dlz_vi
dlz_add_bytes(dlz_vi sums, dlz_vi bytes, int32_t four) {
    return (dlz_vi)_mm256_dpbusd_avx_epi32((__m256i)sums, (__m256i)bytes, _mm256_set1_epi32(four));
}

DLZ_INLINE uint32_t dlz_negative(dlz_vi value) {
    return (uint32_t)_mm256_movemask_ps((__m256)value);
}
#endif

#endif
