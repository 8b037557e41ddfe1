/* tsne/convolution.h - convolves a plane of numbers with a kernel that is even in both directions.
 */
#ifndef DLZ_CONVOLUTION_H
#define DLZ_CONVOLUTION_H

#include "kernels/embed/fft.h"

#include <dlviz/status.h>

typedef struct dlz_convolution {
    const dlz_fft_kernel *kernel; /* NULL before the first preparation: it takes the best */
    dlz_fft_plan x, y;
    dlz_fft_grid grid;
    int workers;
    float *turns, *spectrum, *lines, *scratch;
    int64_t scratch_size; /* floats a worker */
} dlz_convolution;

/* The smallest usable size >= n for x (columns) or, doubled, for y (rows): 2^a 3^b 5^c. */
int64_t dlz_convolution_size(int64_t n);

/* value(context, i, j), the kernel at the distance of i rows and j columns. */
typedef double (*dlz_convolution_fn)(void *context, int64_t i, int64_t j);

/* Makes ready for planes of up to `rows` x `columns` numbers. `order` is that of the B-splines by
 * which the numbers were spread and the result will be read: the kernel's spectrum is divided by
 * theirs twice; 0 for none. Memory of an earlier preparation is used again or freed. */
dlviz_status dlz_convolution_prepare(dlz_convolution *convolution, int64_t rows, int64_t columns,
                                     int order, dlz_convolution_fn value, void *context);
/* Floats that a plane's row must have room for. */
int64_t dlz_convolution_stride(const dlz_convolution *convolution);

/* In place; rows and columns: how many are in use, at most those prepared for. The columns up to
 * the next multiple of 16 hold zeros before, and anything after. */
void dlz_convolution_run(dlz_convolution *convolution, int64_t rows, int64_t columns,
                         float *values);
void dlz_convolution_free(dlz_convolution *convolution);

/* A B-spline of this order (2 to 6; support of width `order` around 0) at x. */
double dlz_bspline(int order, double x);

#endif
