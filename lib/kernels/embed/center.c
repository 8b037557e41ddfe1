#include "kernels/embed/center.h"
#include "isa/isa.h"

static void to_float(const float *from, const double *mean, float *to, int64_t count) {
    for (int64_t j = 0; j < count; j++)
        to[j] = (float)((double)from[j] - mean[j]);
}

static void to_double(const float *from, const double *mean, double *to, int64_t count) {
    for (int64_t j = 0; j < count; j++)
        to[j] = (double)from[j] - mean[j];
}

static void restore(float *values, const double *mean, int64_t count) {
    for (int64_t j = 0; j < count; j++)
        values[j] = (float)((double)values[j] + mean[j]);
}

static void add(const float *values, double *sum, int64_t count) {
    for (int64_t j = 0; j < count; j++)
        sum[j] += (double)values[j];
}

static double squares(const float *from, const double *mean, int64_t count) {
    double lanes[DLZ_LANES] = {0}, sum = 0;
    int64_t j = 0;
    for (; j + DLZ_LANES <= count; j += DLZ_LANES)
        for (int l = 0; l < DLZ_LANES; l++) {
            double x = (double)from[j + l] - mean[j + l];
            lanes[l] += x * x;
        }
    for (; j < count; j++) {
        double x = (double)from[j] - mean[j];
        sum += x * x;
    }
    for (int l = 0; l < DLZ_LANES; l++)
        sum += lanes[l];
    return sum;
}

const dlz_center_kernel DLZ_VARIANT(dlz_center) = {to_float, to_double, restore, add, squares};
