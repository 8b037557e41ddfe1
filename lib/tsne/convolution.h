/* tsne/convolution.h - convolves a plane of numbers with a kernel that is even in both directions.
 */
#ifndef DLZ_CONVOLUTION_H
#define DLZ_CONVOLUTION_H

#include "kernels/embed/fft.h"

#include <dlviz/comm.h>

/* Memory that grows. */
typedef struct dlz_lines {
    float *at;
    int64_t capacity;
} dlz_lines;

/* Where the ranks of a communicator share the work, each transforms some columns, then convolves some
 * of the lines of all columns, then transforms back some columns; between these steps ranks exchange
 * what the others need. */
typedef struct dlz_convolution {
    const dlz_fft_kernel *kernel; /* NULL before the first preparation: it takes the best */
    dlviz_comm *comm;             /* NULL unless set before the first preparation */
    dlz_fft_plan x, y;
    dlz_fft_grid grid;
    int workers;
    float *turns, *spectrum, *scratch;
    int64_t scratch_size; /* floats a worker */
    dlz_lines own, other; /* lines of this rank's columns, and of other ranks' columns */
    dlz_lines own_back, other_back;
    dlz_fft_run *runs; /* a worker: 2 a rank */
    int64_t *offsets;  /* 4 a rank and one more: of pieces, in bytes */
} dlz_convolution;

/* Which columns are a rank's, in groups of the kernel's lanes: those it has the numbers of, which all
 * ranks have between them, and those it wants the result of. */
typedef struct dlz_column_share {
    int64_t first, last, wanted_first, wanted_last;
} dlz_column_share;

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
 * the next multiple of 16 hold zeros before, and anything after. shares: one a rank, the same on all
 * of them; NULL, for one process alone, is all columns. Needs memory when the number of threads or
 * the shares have changed. */
dlviz_status dlz_convolution_run(dlz_convolution *convolution, int64_t rows, int64_t columns,
                                 const dlz_column_share *shares, float *values);
void dlz_convolution_free(dlz_convolution *convolution);

/* A B-spline of this order (2 to 6; support of width `order` around 0) at x. */
double dlz_bspline(int order, double x);

#endif
