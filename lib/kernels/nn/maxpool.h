/* kernels/nn/maxpool.h - the maximum of each window of an image, for windows of any kind. */
#ifndef DLZ_KERNELS_NN_MAXPOOL_H
#define DLZ_KERNELS_NN_MAXPOOL_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stdint.h>

/* Pairs are vertical, horizontal. Every window must hold a pixel of the image. */
typedef struct dlz_maxpool {
    int64_t height, width, channels, out_height, out_width;
    int64_t kernel[2], stride[2], padding[2];
    /* Pending: the image is image * scale[c] + shift[c], then relu if set. scale NULL: as it is. */
    const float *scale, *shift;
    bool relu;
} dlz_maxpool;

typedef struct dlz_maxpool_kernels {
    /* Rows first … end − 1 of the result `out`, which begins with row 0, and for each of its
     * numbers, unless `winners` is NULL, the pixel that it is from. Of equal numbers the first of
     * the window wins, row by row, but NaN wins over all before it. With something pending the
     * numbers as they are decide, by the sign of scale (kernels/nn/window.h). */
    void (*forward)(const dlz_maxpool *pool, const float *image, int64_t first, int64_t end,
                    float *out, int32_t *winners);
    /* Rows first … end − 1 of the image's gradient, which begins with row 0: of each pixel the sum
     * of the gradients of the windows that it won, in their order. Does not see what is pending. */
    void (*backward)(const dlz_maxpool *pool, const float *out_gradient, const int32_t *winners,
                     int64_t first, int64_t end, float *image_gradient);
} dlz_maxpool_table;

DLZ_KERNEL_TABLE(dlz_maxpool_table, dlz_maxpool_kernels)

#endif
