/* isa/avx.h - what AVX2 and AVX-512 do in the same way. */
#ifndef DLZ_ISA_AVX_H
#define DLZ_ISA_AVX_H

#include "isa/plain.h"

#include <immintrin.h>

DLZ_INLINE float dlz_sum8(dlz_v8 v) {
    __m128 four =
        _mm_add_ps(_mm256_castps256_ps128((__m256)v), _mm256_extractf128_ps((__m256)v, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* Single loads put together beat the gather instruction, which processors break into more steps
 * than these. */
DLZ_INLINE __m128d dlz_two_pairs(dlz_place *place, const void *context, int first) {
    const void *one = place(context, first), *other = place(context, first + 1);
    return _mm_loadh_pd(_mm_load_sd((const double *)one), (const double *)other);
}

DLZ_INLINE __m256d dlz_four_pairs(dlz_place *place, const void *context, int first) {
    __m128d low = dlz_two_pairs(place, context, first);
    __m128d high = dlz_two_pairs(place, context, first + 2);
    return _mm256_insertf128_pd(_mm256_castpd128_pd256(low), high, 1);
}

#endif
