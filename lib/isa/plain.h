/* isa/plain.h - plain C for the words of isa/vector.h, for instruction sets that have nothing
 * better. */
#ifndef DLZ_ISA_PLAIN_H
#define DLZ_ISA_PLAIN_H

#include "isa/vector.h"

DLZ_INLINE dlz_v dlz_plain_load_first(const float *from, int count) {
    dlz_v value = {0};
    for (int i = 0; i < count; i++)
        value[i] = from[i];
    return value;
}

DLZ_INLINE void dlz_plain_store_first(float *to, dlz_v value, int count) {
    for (int i = 0; i < count; i++)
        to[i] = value[i];
}

DLZ_INLINE void dlz_plain_store_first_integers(int32_t *to, dlz_vi value, int count) {
    for (int i = 0; i < count; i++)
        to[i] = value[i];
}

DLZ_INLINE void dlz_plain_load_pairs(dlz_place *place, const void *context, dlz_v *firsts,
                                     dlz_v *seconds) {
    float lanes[2][DLZ_LANES];
    DLZ_UNROLL
    for (int i = 0; i < DLZ_LANES; i++) {
        const float *pair = place(context, i);
        lanes[0][i] = pair[0];
        lanes[1][i] = pair[1];
    }
    *firsts = dlz_load(lanes[0]);
    *seconds = dlz_load(lanes[1]);
}

DLZ_INLINE dlz_v dlz_plain_pick(dlz_v a, dlz_v b, dlz_vi places) {
    float lanes[2 * DLZ_LANES];
    dlz_store(lanes, a);
    dlz_store(lanes + DLZ_LANES, b);
    for (int i = 0; i < DLZ_LANES; i++)
        a[i] = lanes[places[i]];
    return a;
}

DLZ_INLINE dlz_v dlz_plain_rectify(dlz_v value) {
    return dlz_gated(value, value);
}

DLZ_INLINE dlz_v dlz_plain_larger(dlz_v a, dlz_v b) {
    return dlz_select(a > b, a, b);
}

DLZ_INLINE uint32_t dlz_plain_below(dlz_v value, float limit) {
    uint32_t bits = 0;
    for (int i = 0; i < DLZ_LANES; i++)
        bits |= (uint32_t)(value[i] < limit) << i;
    return bits;
}

DLZ_INLINE dlz_v dlz_plain_sqrt(dlz_v x) {
    for (int i = 0; i < DLZ_LANES; i++)
        x[i] = __builtin_sqrtf(x[i]);
    return x;
}

DLZ_INLINE dlz_v dlz_plain_fma(dlz_v a, dlz_v b, dlz_v c) {
#if defined(__FP_FAST_FMAF)
    for (int i = 0; i < DLZ_LANES; i++)
        c[i] = __builtin_fmaf(a[i], b[i], c[i]);
    return c;
#else
    return a * b + c;
#endif
}

DLZ_INLINE dlz_v dlz_plain_reciprocal(dlz_v x) {
    return 1.0f / x;
}

DLZ_INLINE float dlz_plain_sum(dlz_v v) {
    float sum = 0;
    for (int lane = 0; lane < DLZ_LANES; lane++)
        sum += v[lane];
    return sum;
}

DLZ_INLINE float dlz_plain_sum8(dlz_v8 v) {
    return ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]));
}

DLZ_INLINE dlz_vq dlz_plain_multiply_low(dlz_vq a, uint32_t factor) {
    return (a & 0xFFFFFFFFu) * (uint64_t)factor;
}

DLZ_INLINE dlz_vd dlz_plain_widen(dlz_vh from) {
    return __builtin_convertvector(from, dlz_vd);
}

#endif
