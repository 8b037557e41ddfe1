/* layers/standard.h - mean and deviation as layer, group and instance norm need them. */
#ifndef DLZ_LAYERS_STANDARD_H
#define DLZ_LAYERS_STANDARD_H

#include "graph/layer.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/normalize.h"

#include <math.h>

typedef struct dlz_scale {
    double mean, inverse; /* 1 / √(variance + eps) */
} dlz_scale;

/* Below it squares of float32 deviations begin to lose digits. */
#define DLZ_TINY_VARIANCE 1e-31

dlz_moments dlz_moments_again(dlz_moments moments, double eps, const float *x, int64_t count,
                              int64_t stride);

/* What the kernels made of `count` numbers that lie `stride` apart; taken again in double where
 * their float32 squares are too large or, seen beside eps, too small. */
static inline dlz_moments dlz_moments_checked(dlz_moments moments, double eps, const float *x,
                                              int64_t count, int64_t stride) {
    if (eps >= DLZ_TINY_VARIANCE && isfinite(moments.deviations))
        return moments;
    return dlz_moments_again(moments, eps, x, count, stride);
}

static inline dlz_scale dlz_scale_of(dlz_moments moments, double eps) {
    return (dlz_scale){moments.mean, 1 / sqrt(moments.deviations / moments.count + eps)};
}

/* What is left of the mean when the float next to it is subtracted. */
static inline double dlz_rest_of_mean(dlz_scale scale) {
    return scale.mean - (double)(float)scale.mean;
}

static inline dlz_standard dlz_standard_of(dlz_scale scale) {
    return (dlz_standard){.center = (float)scale.mean,
                          .scale = (float)scale.inverse,
                          .shift = (float)(-dlz_rest_of_mean(scale) * scale.inverse)};
}

/* For `check`. */
dlviz_status dlz_check_eps(double eps);

#endif
