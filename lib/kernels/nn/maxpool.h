/* kernels/nn/maxpool.h - the maximum of each window of an image, for windows of any kind. */
#ifndef DLZ_KERNELS_NN_MAXPOOL_H
#define DLZ_KERNELS_NN_MAXPOOL_H

#include "kernels/select.h"

#include <stdint.h>

/* Pairs are vertical, horizontal. Every window must hold a pixel of the image. */
typedef struct dlz_maxpool {
    int64_t height, width, channels, out_height, out_width;
    int64_t kernel[2], stride[2], padding[2];
} dlz_maxpool;

typedef struct dlz_maxpool_kernels {
    /* Rows first … end − 1 of the result `out`, which begins with row 0, and for each of its
     * numbers, unless `winners` is NULL, the pixel that it is from. Of equal numbers the first of
     * the window wins, row by row, but NaN wins over all before it. */
    void (*forward)(const dlz_maxpool *pool, const float *image, int64_t first, int64_t end,
                    float *out, int32_t *winners);
    /* Adds each of the result's gradients to that of the pixel that won. */
    void (*backward)(const dlz_maxpool *pool, const float *out_gradient, const int32_t *winners,
                     float *image_gradient);
} dlz_maxpool_table;

DLZ_KERNEL_TABLE(dlz_maxpool_table, dlz_maxpool_kernels)

#endif
