/* kernels/embed/center.h - between float32 data and float64 means and sums. */
#ifndef DLZ_KERNELS_EMBED_CENTER_H
#define DLZ_KERNELS_EMBED_CENTER_H

#include "kernels/select.h"

#include <stdint.h>

typedef struct dlz_center_kernel {
    /* to = from - mean, rounded once. */
    void (*to_float)(const float *from, const double *mean, float *to, int64_t count);
    void (*to_double)(const float *from, const double *mean, double *to, int64_t count);
    /* values += mean, rounded once. */
    void (*restore)(float *values, const double *mean, int64_t count);
    /* sum += values. */
    void (*add)(const float *values, double *sum, int64_t count);
    /* The sum of (from - mean)^2. */
    double (*squares)(const float *from, const double *mean, int64_t count);
} dlz_center_kernel;

DLZ_KERNEL_TABLE(dlz_center_kernel, dlz_center)

#endif
