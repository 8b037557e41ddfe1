/* kernels/nn/sum.h - sums of images, number by number, and of gradients. */
#ifndef DLZ_KERNELS_NN_SUM_H
#define DLZ_KERNELS_NN_SUM_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stdint.h>

/* One that is added: data, or with a scale, data * scale[c] + shift[c], then relu if set. */
typedef struct dlz_addend {
    const float *data, *scale, *shift;
    bool relu;
} dlz_addend;

typedef struct dlz_sum_kernels {
    /* Pixels first … first + pixels − 1 of the sum, of `channels` numbers each: ((0 + 1) + 2) + …,
     * then max(0, sum) if relu is set; NaN stays. */
    void (*values)(const dlz_addend *addends, int count, int64_t channels, bool relu, int64_t first,
                   int64_t pixels, float *to);
    /* Numbers first … first + count − 1 of the sum of `parts` gradients, in their order. Where
     * `gate` is not NULL, 0 where that is 0 or less. `to` may be the gate. */
    void (*gradients)(const float *const *from, int parts, const float *gate, int64_t first,
                      int64_t count, float *to);
} dlz_sum_table;

DLZ_KERNEL_TABLE(dlz_sum_table, dlz_sum_kernels)

#endif
