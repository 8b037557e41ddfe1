/* kernels/embed/scatter.h - products of all pairs of columns, summed over rows, in float64.
 *
 * Rows lie in panels of `width` columns: a panel is [row][width], so that what one product reads is
 * contiguous. */
#ifndef DLZ_KERNELS_EMBED_SCATTER_H
#define DLZ_KERNELS_EMBED_SCATTER_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stdint.h>

#define DLZ_SCATTER_MOST_WIDTH 24

typedef struct dlz_scatter_kernel {
    int width; /* at most DLZ_SCATTER_MOST_WIDTH */
    /* A row minus the mean into its place of each panel, which are `stride` apart; the last is
     * filled up with zeros. */
    void (*pack)(const float *row, const double *mean, int64_t columns, double *to, int64_t stride);
    /* `count` columns of float64 numbers, times scale, into a panel, which is filled up with zeros;
     * `along` where neighbors of a row are neighbors in memory and rows `stride` apart, else the
     * other way round. */
    void (*lay)(const double *from, int64_t stride, bool along, int64_t count, int64_t rows,
                double scale, double *to);
    /* c[i][j] += sum over the rows of a[row][i] b[row][j], width x width. The rows are summed in
     * order, and then added: long sums keep their last digits when cut into calls of a few hundred
     * rows. */
    void (*add)(const double *a, const double *b, int64_t rows, double *c, int64_t ldc);
} dlz_scatter_kernel;

DLZ_KERNEL_TABLE(dlz_scatter_kernel, dlz_scatter)

#endif
