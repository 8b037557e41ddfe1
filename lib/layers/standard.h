/* layers/standard.h - mean and deviation as layer, group and instance norm need them. */
#ifndef DLZ_LAYERS_STANDARD_H
#define DLZ_LAYERS_STANDARD_H

#include "graph/layer.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/normalize.h"

typedef struct dlz_scale {
    double mean, inverse; /* 1 / √(variance + eps) */
} dlz_scale;

/* What the kernels made of `count` numbers that lie `stride` apart; taken again in double where
 * their float32 squares are too large or, seen beside eps, too small. */
dlz_moments dlz_moments_checked(dlz_moments moments, double eps, const float *x, int64_t count,
                                int64_t stride);
dlz_scale dlz_scale_of(dlz_moments moments, double eps);

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
