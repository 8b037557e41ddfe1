/* isa/neon.h - 64-bit ARM, all of which have these. */
#ifndef DLZ_ISA_NEON_H
#define DLZ_ISA_NEON_H

#define DLZ_LANES 4
#define DLZ_REGISTERS 32
#include "isa/plain.h"

#include <arm_neon.h>

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
    return dlz_plain_rectify(value);
}

DLZ_INLINE dlz_v dlz_larger(dlz_v a, dlz_v b) {
    return dlz_plain_larger(a, b);
}

DLZ_INLINE uint32_t dlz_below(dlz_v value, float limit) {
    return dlz_plain_below(value, limit);
}

DLZ_INLINE dlz_v dlz_sqrt(dlz_v x) {
    return (dlz_v)vsqrtq_f32((float32x4_t)x);
}

DLZ_INLINE dlz_v dlz_fma(dlz_v a, dlz_v b, dlz_v c) {
    return (dlz_v)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
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
    return (dlz_vq)vmull_u32(vmovn_u64((uint64x2_t)a), vdup_n_u32(factor));
}

DLZ_INLINE dlz_vd dlz_widen(dlz_vh from) {
    return dlz_plain_widen(from);
}

#endif
