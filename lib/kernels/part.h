/* kernels/part.h - vectors of which only the first lanes have memory, in one masked access where
 * there is one, for rows so short that their edges count; and what the compilers' vector extensions
 * lack: square roots, fused products where it matters which of two products is fused, and relu's
 * gate. */
#ifndef DLZ_KERNELS_PART_H
#define DLZ_KERNELS_PART_H

#include "kernels/isa.h"

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

/* The first `count` of a vector, 1 <= count <= DLZ_LANES; the rest is 0 and its memory is not
 * touched.
 */
DLZ_INLINE dlz_v dlz_load_first(const float *from, int count) {
#if defined(__AVX512F__)
    return (dlz_v)_mm512_maskz_loadu_ps((__mmask16)(0xffffu >> (16 - count)), from);
#elif defined(__AVX2__)
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return (dlz_v)_mm256_maskload_ps(from, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane));
#else
    dlz_v value = {0};
    for (int i = 0; i < count; i++)
        value[i] = from[i];
    return value;
#endif
}

DLZ_INLINE void dlz_store_first(float *to, dlz_v value, int count) {
#if defined(__AVX512F__)
    _mm512_mask_storeu_ps(to, (__mmask16)(0xffffu >> (16 - count)), (__m512)value);
#elif defined(__AVX2__)
    __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    _mm256_maskstore_ps(to, _mm256_cmpgt_epi32(_mm256_set1_epi32(count), lane), (__m256)value);
#else
    for (int i = 0; i < count; i++)
        to[i] = value[i];
#endif
}

DLZ_INLINE dlz_v dlz_sqrt(dlz_v x) {
#if defined(__AVX512F__)
    return (dlz_v)_mm512_sqrt_ps((__m512)x);
#elif defined(__AVX2__)
    return (dlz_v)_mm256_sqrt_ps((__m256)x);
#elif defined(__SSE2__)
    return (dlz_v)_mm_sqrt_ps((__m128)x);
#elif defined(__aarch64__)
    return (dlz_v)vsqrtq_f32((float32x4_t)x);
#else
    for (int i = 0; i < DLZ_LANES; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
#endif
}

/* a * b + c, fused where the instruction set can. Written a * b + c * d, the compiler may fuse
 * either product, and choose differently in two copies of a loop. */
DLZ_INLINE dlz_v dlz_fma(dlz_v a, dlz_v b, dlz_v c) {
#if defined(__AVX512F__)
    return (dlz_v)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__) && DLZ_LANES == 8
    return (dlz_v)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined(__aarch64__)
    return (dlz_v)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#elif defined(__FP_FAST_FMAF)
    for (int i = 0; i < DLZ_LANES; i++)
        c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#else
    return a * b + c;
#endif
}

/* What relu lets pass, of the value itself or of its gradient: 0 where `gate` is 0 or less. NaN in
 * the gate passes, so that it is not hidden. */
DLZ_INLINE dlz_v dlz_gated(dlz_v value, dlz_v gate) {
    return (dlz_v)((dlz_vi)value & ~(dlz_vi)(gate <= (dlz_v){0}));
}

#endif
