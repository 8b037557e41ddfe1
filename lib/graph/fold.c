/* A batch norm's factors, and folding them into what comes before it. */
#include "graph/fold.h"
#include "base/base.h"

#include <math.h>

void dlz_batchnorm_running_factors(const dlz_batchnorm_state *state, int64_t channels, float *scale,
                                   float *shift) {
    for (int64_t c = 0; c < channels; c++) {
        double factor =
            dlz_batchnorm_weight(state, c) / sqrt((double)state->running_var[c] + state->eps);
        scale[c] = (float)factor;
        shift[c] = dlz_batchnorm_shift(dlz_batchnorm_bias(state, c), (double)state->running_mean[c],
                                       scale[c]);
    }
}

dlviz_status dlz_fold_ask(dlz_fold *fold, int64_t channels, const dlz_setup *setup) {
    float **factors[] = {&fold->scale, &fold->shift};
    for (size_t i = 0; fold->has_batchnorm && i < 2; i++)
        DLZ_TRY(
            dlz_op_ask_prepared(setup, factors[i], channels, sizeof(float), setup->forward_time));
    return DLVIZ_OK;
}

void dlz_fold_bias(const dlz_fold *fold, const float *bias, int64_t channels, float *folded) {
    const dlz_batchnorm_state *norm = &fold->batchnorm;
    if (fold->has_batchnorm)
        dlz_batchnorm_running_factors(norm, channels, fold->scale, fold->shift);
    for (int64_t c = 0; c < channels; c++) {
        folded[c] = bias ? bias[c] : 0;
        if (fold->has_batchnorm) {
            /* The mean is often nearly the bias. */
            double centered = (double)folded[c] - (double)norm->running_mean[c];
            double shift = norm->bias.value ? (double)norm->bias.value[c] : 0;
            folded[c] = (float)(centered * (double)fold->scale[c] + shift);
        }
    }
}
