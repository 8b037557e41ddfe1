/* Mean absolute error and R². */
#include "losses/loss.h"
#include "scores/errors.h"

static int64_t num_sums(const dlviz_loss *loss, const dlz_shape *shape) {
    (void)loss;
    return dlz_errors_num_sums(dlz_shape_size(shape));
}

static dlviz_status add(const dlviz_loss *loss, const dlz_loss_batch *batch, double *sums) {
    (void)loss;
    dlz_errors_add(sums, batch->n, batch->size, batch->size, batch->outputs, batch->targets);
    return DLVIZ_OK;
}

static void finish(const dlviz_loss *loss, const dlz_shape *shape, const double *sums,
                   double *values) {
    (void)loss;
    int64_t size = dlz_shape_size(shape);
    const double *deviations = dlz_errors_deviations(sums, size);
    double spread = 0;
    for (int64_t j = 0; j < size; j++)
        spread += deviations[j];
    values[0] = sums[DLZ_ERRORS_ABSOLUTE] / (sums[DLZ_ERRORS_SAMPLES] * (double)size);
    values[1] = dlz_r2(sums[DLZ_ERRORS_SQUARED], spread);
}

static const char *const names[] = {"mae", "r2"};

const dlz_metrics dlz_regression_metrics = {
    .count = 2,
    .names = names,
    .num_sums = num_sums,
    .add = add,
    .finish = finish,
};
