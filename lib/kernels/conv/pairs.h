/* kernels/conv/pairs.h - gradients of weights from groups of samples, for kernel sources: what each
 * group comes to, rounded by itself, is added by pairs, 0 + 1, 2 + 3, then these, and brought to
 * PyTorch's order once. A block of weights at a time: [number of a row of the gradient][output]. */
#ifndef DLZ_KERNELS_CONV_PAIRS_H
#define DLZ_KERNELS_CONV_PAIRS_H

#include "isa/shuffle.h"

/* Sums of groups that wait for another, and the last one, of up to 8 groups. */
enum { PAIRS_GROUPS = 8, PAIRS_WAITING = 4 };

/* How many sums wait once group `index` of `count` has been added: it was number *waiting. */
DLZ_INLINE int pairs_add(float *blocks, int64_t size, int waiting, int64_t index, int64_t count) {
    bool last = index == count - 1;
    for (int64_t rest = index; waiting > 1 && (last || rest & 1); rest >>= 1, waiting--) {
        float *to = blocks + (waiting - 2) * size;
        const float *from = to + size;
        for (int64_t i = 0; i < size; i += DLZ_LANES)
            dlz_store(to + i, dlz_load(to + i) + dlz_load(from + i));
    }
    return waiting;
}

/* to[o * stride + i] = block[i * width + o], for so many numbers i of so many outputs o. Width is whole
 * vectors; as many whole rows of the block may be read as fill vectors. */
static inline void pairs_write(const float *block, int64_t width, int64_t numbers, int64_t outputs,
                               float *to, int64_t stride) {
    for (int64_t i = 0; i < numbers; i += DLZ_LANES)
        for (int64_t o = 0; o < outputs; o += DLZ_LANES) {
            dlz_v square[DLZ_LANES];
            DLZ_UNROLL
            for (int k = 0; k < DLZ_LANES; k++)
                square[k] = dlz_load(block + (i + k) * width + o);
            dlz_transpose(square);
            DLZ_UNROLL
            for (int k = 0; k < DLZ_LANES; k++)
                if (o + k < outputs)
                    dlz_store_up_to(to + (o + k) * stride + i, square[k], numbers - i);
        }
}

#endif
