#include "base/base.h"
#include "losses/losses_list.h"

#include <math.h>

typedef struct huber {
    dlviz_loss base;
    double delta;
} huber;

static dlviz_status check(const dlviz_loss *loss) {
    double delta = ((const huber *)loss)->delta;
    if (!(delta > 0 && delta <= 1e30))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "delta is %g; above 0, up to 1e30, is accepted", delta);
    return DLVIZ_OK;
}

static void terms(const dlviz_loss *loss, const dlz_loss_block *block) {
    double delta = ((const huber *)loss)->delta;
    for (int64_t i = 0; i < block->count; i++) {
        double size = fabs((double)block->outputs[i] - (double)block->targets[i]);
        /* A NaN goes the second way and stays one. */
        block->terms[i] = size <= delta ? 0.5 * size * size : delta * (size - 0.5 * delta);
    }
    for (int64_t i = 0; block->gradient && i < block->count; i++) {
        double error = (double)block->outputs[i] - (double)block->targets[i];
        double slope = error > delta ? delta : error < -delta ? -delta : error;
        block->gradient[i] = (float)(slope * block->scale);
    }
}

static const dlz_setting settings[] = {
    {"delta", DLZ_SETTING_REAL, offsetof(huber, delta), false},
    {0},
};

const dlz_loss_type dlz_huber_type = {
    .name = "huber",
    .size = sizeof(huber),
    .settings = settings,
    .check = check,
    .terms = terms,
    .metrics = &dlz_regression_metrics,
};

dlviz_loss *dlviz_huber(double delta) {
    dlviz_loss *loss = dlz_loss_create(&dlz_huber_type);
    if (loss)
        ((huber *)loss)->delta = delta;
    return dlz_loss_checked(loss);
}

dlviz_status dlviz_huber_set_delta(dlviz_loss *loss, double delta) {
    return dlz_loss_set(__func__, loss, &dlz_huber_type, offsetof(huber, delta), &delta,
                        sizeof delta);
}

double dlviz_huber_delta(const dlviz_loss *loss) {
    const huber *as = dlz_loss_as(loss, &dlz_huber_type);
    return as ? as->delta : NAN;
}
