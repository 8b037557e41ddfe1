/* kernels/nn/normalize.h - numbers brought to mean 0 and deviation 1, for layer, group and instance
 * norm, whose statistics are a sample's own; channels that are dropped.
 *
 * A mean is two numbers: the float next to it, `center`, which is subtracted first and so takes the
 * offset away without an error, and what is left of it, which is part of `shift`. A row of equal
 * numbers gives 0 exactly. */
#ifndef DLZ_KERNELS_NORMALIZE_H
#define DLZ_KERNELS_NORMALIZE_H

#include "kernels/nn/moments.h"
#include "kernels/select.h"

#include <stdint.h>

/* A row's numbers x stand for (x − center) * scale + shift. */
typedef struct dlz_standard {
    float center, scale, shift;
} dlz_standard;

/* Of each channel, for the way back: a number's x stands for z = (x − center) * scale + shift, and
 * dx = (weight * dy − mean) − z * slope. */
typedef struct dlz_channel_factors {
    const float *center, *scale, *shift, *weight, *mean, *slope;
} dlz_channel_factors;

typedef struct dlz_normalize_table {
    /* Of all numbers of a row. */
    void (*moments)(int64_t count, const float *x, dlz_moments *result);
    /* y[i] = ((x[i] − center) * scale + shift) * weight[i] + bias[i]; weight and bias may both be
     * NULL. */
    void (*row)(int64_t count, const float *x, const dlz_standard *standard, const float *weight,
                const float *bias, float *y);
    /* With g = weight[i] * dy[i], or dy[i] when weight is NULL, and z what x stands for: the sums of
     * g and of g * z. */
    void (*row_sums)(int64_t count, const float *x, const float *dy, const float *weight,
                     const dlz_standard *standard, double sums[2]);
    /* dx = ((g − mean) − z * slope) * scale. */
    void (*row_gradient)(int64_t count, const float *x, const float *dy, const float *weight,
                         const dlz_standard *standard, float mean, float slope, float *dx);
    /* Over rows that begin `stride` numbers apart, each with its standard, for each of `count`
     * columns: the sums of dy times what x stands for, and of dy. Either may be NULL. */
    void (*columns)(int64_t rows, int64_t stride, int64_t count, const float *x, const float *dy,
                    const dlz_standard *standards, float *weight_gradient, float *bias_gradient);
    /* y = (x − center[c]) * scale[c] + shift[c] for each channel of so many pixels. */
    void (*pixels)(int64_t pixels, int64_t channels, const float *x, const float *center,
                   const float *scale, const float *shift, float *y);
    /* y = x * factors[c], and 0 where that factor is 0, whatever x. */
    void (*keep_channels)(int64_t pixels, int64_t channels, const float *x, const float *factors,
                          float *y);
    /* Of each channel: sums[c] = sum of dy, sums[channels + c] = sum of dy * z. */
    void (*pixels_sums)(int64_t pixels, int64_t channels, const float *x, const float *dy,
                        const dlz_channel_factors *factors, double *sums);
    void (*pixels_gradient)(int64_t pixels, int64_t channels, const float *x, const float *dy,
                            const dlz_channel_factors *factors, float *dx);
} dlz_normalize_table;

DLZ_KERNEL_TABLE(dlz_normalize_table, dlz_normalize_kernels)

#endif
