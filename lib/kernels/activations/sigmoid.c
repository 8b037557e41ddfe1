/* 1 / (1 + e^−x). */
#include "kernels/activations/logistic.h"
#include "kernels/activations/loops.h"

DLZ_INLINE dlz_v value(dlz_v x, const float *settings) {
    (void)settings;
    return dlz_logistic(x);
}

DLZ_INLINE dlz_v slope(dlz_v x, const float *settings) {
    (void)settings;
    return dlz_logistic_slope(x);
}

DLZ_ACTIVATION(sigmoid)
