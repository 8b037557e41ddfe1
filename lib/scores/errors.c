#include "scores/errors.h"

#include <math.h>

/* Deviations are kept as B. P. Welford (1962) does: a sum of squares would cancel. */
void dlz_errors_add(double *sums, int64_t n, int64_t size, int64_t stride, const float *outputs,
                    const float *targets) {
    double *squares = sums + DLZ_ERRORS_FIXED, *deviations = squares + size,
           *mean = deviations + size;
    for (int64_t i = 0; i < n; i++, outputs += stride, targets += stride) {
        double absolute = 0, squared = 0, share = 1 / (sums[DLZ_ERRORS_SAMPLES] += 1);
        for (int64_t j = 0; j < size; j++) {
            double target = (double)targets[j], error = (double)outputs[j] - target;
            absolute += fabs(error);
            squared += error * error;
            squares[j] += error * error;
            double distance = target - mean[j];
            mean[j] += distance * share;
            deviations[j] += distance * (target - mean[j]);
        }
        sums[DLZ_ERRORS_ABSOLUTE] += absolute;
        sums[DLZ_ERRORS_SQUARED] += squared;
    }
}

double dlz_r2(double squares, double deviations) {
    if (deviations > 0)
        return 1 - squares / deviations;
    return squares == 0 ? 1 : squares > 0 ? 0 : NAN;
}
