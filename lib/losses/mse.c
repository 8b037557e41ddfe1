#include "losses/losses_list.h"

static void terms(const dlviz_loss *loss, const dlz_loss_block *block) {
    (void)loss;
    for (int64_t i = 0; i < block->count; i++) {
        double error = (double)block->outputs[i] - (double)block->targets[i];
        block->terms[i] = error * error;
    }
    for (int64_t i = 0; block->gradient && i < block->count; i++) {
        double error = (double)block->outputs[i] - (double)block->targets[i];
        block->gradient[i] = (float)(2 * error * block->scale);
    }
}

const dlz_loss_type dlz_mse_type = {
    .name = "mse",
    .size = sizeof(dlviz_loss),
    .terms = terms,
    .metrics = &dlz_regression_metrics,
};

dlviz_loss *dlviz_mse(void) {
    return dlz_loss_create(&dlz_mse_type);
}
