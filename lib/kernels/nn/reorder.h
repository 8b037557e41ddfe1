/* kernels/nn/reorder.h - channels of some pixels from PyTorch's order, where each channel's numbers lie
 * together and `stride` apart from the next channel's, to channels-last, where each pixel's do, and
 * back. */
#ifndef DLZ_KERNELS_NN_REORDER_H
#define DLZ_KERNELS_NN_REORDER_H

#include "kernels/select.h"

#include <stdint.h>

/* Numbers beyond the last pixel's that may be written, and read, where the pixels lie. */
#define DLZ_REORDER_SLACK 3

typedef struct dlz_reorder_table {
    void (*to_pixels)(int64_t num_pixels, int64_t channels, int64_t stride, const float *from,
                      float *pixels);
    void (*from_pixels)(int64_t num_pixels, int64_t channels, int64_t stride, const float *pixels,
                        float *to);
    /* A whole matrix, rows x columns, becomes columns x rows. */
    void (*transpose)(int64_t rows, int64_t columns, const float *from, float *to);
} dlz_reorder_table;

DLZ_KERNEL_TABLE(dlz_reorder_table, dlz_reorder_kernels)

#endif
