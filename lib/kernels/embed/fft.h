/* kernels/embed/fft.h - convolution of a real grid with an even kernel, by Fourier transforms.
 *
 * Transforms run on batches: `lanes` sequences side by side, element k of all of them at
 * data[k][0][lane] (real) and data[k][1][lane] (imaginary). Forward transforms leave frequencies in
 * the order of their digits reversed, inverse ones start from it, so that nothing is ever put in
 * order: decimation in frequency and in time (W. Gentleman, G. Sande, 1966; J. Cooley, J. Tukey,
 * 1965).
 *
 * A grid of up to 2 y.n rows and x.n columns is filled up with zeros to 4 y.n x 2 x.n. Columns are
 * real: each is transformed as a complex sequence of half its length, whose frequencies 0 ... 2 y.n
 * then become batches of lines along x. */
#ifndef DLZ_KERNELS_EMBED_FFT_H
#define DLZ_KERNELS_EMBED_FFT_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stdint.h>

#define DLZ_FFT_MAX_STAGES 32

typedef struct dlz_fft_plan {
    int64_t n;
    int stages, radices[DLZ_FFT_MAX_STAGES]; /* 2, 3, 4 or 5 */
    /* For each stage, that splits length m by r: for j < m / r, for s = 1 ... r - 1, the cosine and
     * the sine of -2 pi j s / m. */
    float *twiddles;
    float *halving;    /* cosine and sine of -2 pi j / (2 n), j < n */
    int32_t *position; /* where a frequency ends up */
} dlz_fft_plan;

typedef struct dlz_fft_grid {
    const dlz_fft_plan *x, *y;
    const float *turns;            /* cosine and sine of -2 pi k / (4 y->n), k <= y->n */
    int64_t rows, columns, stride; /* of the grid in use; stride: floats a row, whole batches */
    int64_t line_groups;           /* batches of lines: enough for 2 y->n + 1 */
} dlz_fft_grid;

/* A part of a batch of lines: the columns first ... first + count - 1, [x][2][lanes]. */
typedef struct dlz_fft_run {
    float *at;
    int64_t first, count;
} dlz_fft_run;

typedef struct dlz_fft_kernel {
    int lanes;
    /* Transforms `lanes` columns of the grid, from values on, into lines[group][x][2][lanes] for as
     * many x; the groups lie `step` floats apart. With `full` all 4 y->n rows count, else those
     * beyond grid->rows are zero. scratch: 4 * lanes * (4 y->n + 2 lanes) floats. */
    void (*columns_forward)(const dlz_fft_grid *grid, bool full, const float *values, float *lines,
                            int64_t step, float *scratch);
    /* The inverse, for the first grid->rows rows, scaled by nothing. */
    void (*columns_inverse)(const dlz_fft_grid *grid, const float *lines, int64_t step,
                            float *values, float *scratch);
    /* Convolves one batch of lines with its spectrum [2 x->n][lanes]. It comes in runs, which have
     * all columns between them, and goes out in others, which may be these and may overlap; those
     * beyond grid->columns count for nothing. scratch: 4 * lanes * x->n floats. */
    void (*convolve)(const dlz_fft_grid *grid, const dlz_fft_run *in, int in_count,
                     const dlz_fft_run *out, int out_count, const float *spectrum, float *scratch);
    /* The spectrum of one batch of lines of which all 2 x->n elements count, times x_factors (one a
     * place) times y_factors (one a lane). */
    void (*spectrum)(const dlz_fft_grid *grid, const float *line, const float *x_factors,
                     const float *y_factors, float *spectrum, float *scratch);
} dlz_fft_kernel;

DLZ_KERNEL_TABLE(dlz_fft_kernel, dlz_fft)

#endif
