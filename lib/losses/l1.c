#include "losses/losses_list.h"

#include <math.h>

static void terms(const dlviz_loss *loss, const dlz_loss_block *block) {
    (void)loss;
    for (int64_t i = 0; i < block->count; i++)
        block->terms[i] = fabs((double)block->outputs[i] - (double)block->targets[i]);
    for (int64_t i = 0; block->gradient && i < block->count; i++) {
        double error = (double)block->outputs[i] - (double)block->targets[i];
        /* NaN for NaN. */
        double sign = error > 0 ? 1 : error < 0 ? -1 : error;
        block->gradient[i] = (float)(sign * block->scale);
    }
}

const dlz_loss_type dlz_l1_type = {
    .name = "l1",
    .size = sizeof(dlviz_loss),
    .terms = terms,
    .metrics = &dlz_regression_metrics,
};

dlviz_loss *dlviz_l1(void) {
    return dlz_loss_create(&dlz_l1_type);
}
