#include "losses/losses_list.h"

#include <math.h>

static dlviz_status check_output(const dlviz_loss *loss, const dlz_shape *output) {
    return dlz_loss_check_weights(loss, output->ndim == 1 ? "numbers" : "channels",
                                  output->dims[0]);
}

static void target_range(const dlviz_loss *loss, double *least, double *most) {
    (void)loss;
    *least = 0;
    *most = 1;
}

/* With s(x) = log(1 + exp(x)), which is max(x, 0) + log1p(exp(−|x|)): w·t·s(−x) + (1 − t)·s(x). No
 * x overflows, and small losses keep their precision. */
static void terms(const dlviz_loss *loss, const dlz_loss_block *block) {
    for (int64_t i = 0; i < block->count; i++) {
        double x = (double)block->outputs[i], t = (double)block->targets[i];
        double weight = loss->weights ? loss->weights[(block->first + i) % block->channels] : 1;
        double e = exp(-fabs(x)), rest = log1p(e);
        double positive = weight * t, negative = 1 - t;
        block->terms[i] =
            positive * ((x < 0 ? -x : 0) + rest) + negative * ((x > 0 ? x : 0) + rest);
        if (!block->gradient)
            continue;
        /* σ(x) and σ(−x), neither as 1 minus the other. */
        double below = e / (1 + e), above = 1 / (1 + e);
        double plus = x > 0 ? above : below, minus = x > 0 ? below : above;
        block->gradient[i] = (float)((negative * plus - positive * minus) * block->scale);
    }
}

const dlz_loss_type dlz_bce_with_logits_type = {
    .name = "bce_with_logits",
    .size = sizeof(dlviz_loss),
    .weights = "positive_weights",
    .target_range = target_range,
    .check_output = check_output,
    .terms = terms,
    .metrics = &dlz_multilabel_metrics,
};

dlviz_loss *dlviz_bce_with_logits(void) {
    return dlz_loss_create(&dlz_bce_with_logits_type);
}

dlviz_status dlviz_bce_with_logits_set_positive_weights(dlviz_loss *loss, int64_t num_weights,
                                                        const double *weights) {
    return dlz_loss_set_weights(__func__, loss, &dlz_bce_with_logits_type, num_weights, weights);
}

int64_t dlviz_bce_with_logits_num_positive_weights(const dlviz_loss *loss) {
    return dlz_loss_num_weights(loss, &dlz_bce_with_logits_type);
}

double dlviz_bce_with_logits_positive_weights(const dlviz_loss *loss, int64_t index) {
    return dlz_loss_weights(loss, &dlz_bce_with_logits_type, index);
}
