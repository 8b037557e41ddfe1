#include "losses/losses_list.h"

#include <math.h>

typedef struct kl_divergence {
    dlviz_loss base;
    bool log_targets;
} kl_divergence;

static void terms(const dlviz_loss *loss, const dlz_loss_block *block) {
    bool log_targets = ((const kl_divergence *)loss)->log_targets;
    for (int64_t i = 0; i < block->count; i++) {
        double x = (double)block->outputs[i], t = (double)block->targets[i];
        double p = log_targets ? exp(t) : t, log_p = log_targets ? t : log(t);
        /* 0 · log 0 is 0, but what an output of −infinity makes of it is NaN, as in PyTorch. */
        block->terms[i] = (p == 0 ? 0 : p * log_p) - p * x;
        if (block->gradient)
            block->gradient[i] = (float)(-p * block->scale);
    }
}

static void target_range(const dlviz_loss *loss, double *least, double *most) {
    *least = ((const kl_divergence *)loss)->log_targets ? -INFINITY : 0;
    *most = INFINITY;
}

static const dlz_setting settings[] = {
    {"log_targets", DLZ_SETTING_BOOL, offsetof(kl_divergence, log_targets), false},
    {0},
};

const dlz_loss_type dlz_kl_divergence_type = {
    .name = "kl_divergence",
    .size = sizeof(kl_divergence),
    .settings = settings,
    .target_range = target_range,
    .terms = terms,
    .adds_numbers = true,
};

dlviz_loss *dlviz_kl_divergence(void) {
    return dlz_loss_create(&dlz_kl_divergence_type);
}

dlviz_status dlviz_kl_divergence_set_log_targets(dlviz_loss *loss, bool log_targets) {
    return dlz_loss_set(__func__, loss, &dlz_kl_divergence_type,
                        offsetof(kl_divergence, log_targets), &log_targets, sizeof log_targets);
}

bool dlviz_kl_divergence_log_targets(const dlviz_loss *loss) {
    const kl_divergence *as = dlz_loss_as(loss, &dlz_kl_divergence_type);
    return as && as->log_targets;
}
