/* Mean absolute error and R². */
#include "losses/loss.h"

#include <math.h>

/* Then, for each number of a sample, the targets' mean and the sum of their squared deviations from
 * it, kept as B. P. Welford (1962) does: a sum of squares would cancel. */
enum { SAMPLES, ABSOLUTE, SQUARED, NUM_FIXED };

static int64_t num_sums(const dlviz_loss *loss, const dlz_shape *shape) {
    (void)loss;
    return NUM_FIXED + 2 * dlz_shape_size(shape);
}

static dlviz_status add(const dlviz_loss *loss, const dlz_loss_batch *batch, double *sums) {
    (void)loss;
    int64_t size = batch->size;
    double *mean = sums + NUM_FIXED, *deviations = mean + size;
    for (int64_t i = 0; i < batch->n; i++) {
        const float *outputs = batch->outputs + i * size, *targets = batch->targets + i * size;
        double absolute = 0, squared = 0, share = 1 / (sums[SAMPLES] += 1);
        for (int64_t j = 0; j < size; j++) {
            double target = (double)targets[j], error = (double)outputs[j] - target;
            absolute += fabs(error);
            squared += error * error;
            double distance = target - mean[j];
            mean[j] += distance * share;
            deviations[j] += distance * (target - mean[j]);
        }
        sums[ABSOLUTE] += absolute;
        sums[SQUARED] += squared;
    }
    return DLVIZ_OK;
}

static void finish(const dlviz_loss *loss, const dlz_shape *shape, const double *sums,
                   double *values) {
    (void)loss;
    int64_t size = dlz_shape_size(shape);
    const double *deviations = sums + NUM_FIXED + size;
    double spread = 0;
    for (int64_t j = 0; j < size; j++)
        spread += deviations[j];
    values[0] = sums[ABSOLUTE] / (sums[SAMPLES] * (double)size);
    if (spread > 0)
        values[1] = 1 - sums[SQUARED] / spread;
    else
        values[1] = sums[SQUARED] == 0 ? 1 : sums[SQUARED] > 0 ? 0 : NAN;
}

static const char *const names[] = {"mae", "r2"};

const dlz_metrics dlz_regression_metrics = {
    .count = 2,
    .names = names,
    .num_sums = num_sums,
    .add = add,
    .finish = finish,
};
