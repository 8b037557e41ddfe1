/* kernels/nn/resample.h - images made of weighted sums of another's pixels, in rows and columns apart.
 *
 * Pixel (y, x) of the result is the sum over the taps i of row y and j of column x of
 * weight_i * weight_j * pixel (i, j), divided by the divisors of row and column. Average pooling of
 * any kind, interpolation and padding are such sums, and so are their gradients, with the taps
 * turned round. */
#ifndef DLZ_KERNELS_NN_RESAMPLE_H
#define DLZ_KERNELS_NN_RESAMPLE_H

#include "kernels/select.h"

#include <stdint.h>

typedef struct dlz_tap {
    int32_t at;
    float weight;
} dlz_tap;

/* What the rows, or the columns, of the result are made of. */
typedef struct dlz_axis {
    int32_t *first; /* the taps of the result's row y: first[y] … first[y + 1] − 1 */
    dlz_tap *taps;
    float *divisors; /* of each row; NULL: 1 */
} dlz_axis;

typedef struct dlz_resample {
    int64_t in_width, out_width, channels;
    dlz_axis rows, columns;
    float empty; /* what is made of no tap at all */
} dlz_resample;

/* An image that lies as it is inside another, or a part of it: rows top … bottom − 1 of the result,
 * and of each the floats left … right − 1, are copied; all else is `empty`. */
typedef struct dlz_frame {
    int64_t in_row, out_row; /* floats of a row */
    int64_t top, bottom, left, right;
    int64_t start; /* where in the source the copy of row `top` begins */
    float empty;
} dlz_frame;

typedef struct dlz_resample_kernel {
    /* Rows first … end − 1 of the result `out`, which begins with row 0. Sums are made in parts:
     * each row's of the window on its own, or each column's. */
    void (*rows)(const dlz_resample *resample, const float *in, int64_t first, int64_t end,
                 float *out);
    /* Likewise for a frame. */
    void (*frame)(const dlz_frame *frame, const float *in, int64_t first, int64_t end, float *out);
} dlz_resample_table;

DLZ_KERNEL_TABLE(dlz_resample_table, dlz_resample_kernel)

#endif
