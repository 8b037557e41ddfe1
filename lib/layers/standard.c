#include "layers/standard.h"
#include "base/base.h"

#include <math.h>

static dlz_moments plain_moments(const float *x, int64_t count, int64_t stride) {
    double sum = 0, deviations = 0;
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i * stride];
    double mean = sum / (double)count;
    for (int64_t i = 0; i < count; i++) {
        double deviation = (double)x[i * stride] - mean;
        deviations += deviation * deviation;
    }
    return (dlz_moments){(double)count, mean, deviations};
}

dlz_moments dlz_moments_again(dlz_moments moments, double eps, const float *x, int64_t count,
                              int64_t stride) {
    bool tiny = eps < DLZ_TINY_VARIANCE && moments.deviations < DLZ_TINY_VARIANCE * moments.count;
    bool constant = tiny;
    for (int64_t i = 1; constant && i < count; i++)
        constant = x[i * stride] == x[0];
    if (constant)
        return (dlz_moments){moments.count, (double)x[0], 0};
    return tiny || !isfinite(moments.deviations) ? plain_moments(x, count, stride) : moments;
}

/* One over its root is a float, so that numbers that are all the same become 0 and not NaN. */
dlviz_status dlz_check_eps(double eps) {
    if (eps >= 1e-60 && eps <= 1e30)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "eps is %g; 1e-60 to 1e30 is accepted", eps);
}
