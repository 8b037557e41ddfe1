/* graph/fold.h - a batch norm's factors, and folding them into what comes before it. */
#ifndef DLZ_GRAPH_FOLD_H
#define DLZ_GRAPH_FOLD_H

#include "graph/op.h"

static inline double dlz_batchnorm_weight(const dlz_batchnorm_state *state, int64_t c) {
    return state->weight.value ? (double)state->weight.value[c] : 1;
}

static inline double dlz_batchnorm_bias(const dlz_batchnorm_state *state, int64_t c) {
    return state->bias.value ? (double)state->bias.value[c] : 0;
}

/* With the scale as it was rounded, so that the rounding acts on z - mean and not on z. */
static inline float dlz_batchnorm_shift(double bias, double mean, float scale) {
    return (float)(bias - mean * (double)scale);
}

/* scale and shift of a batch norm in evaluation mode. */
void dlz_batchnorm_running_factors(const dlz_batchnorm_state *state, int64_t channels, float *scale,
                                   float *shift);

/* The fold's factors, and a bias that includes them: bias * scale + shift. */
void dlz_fold_bias(const dlz_fold *fold, const float *bias, int64_t channels, float *folded);
/* Asks for the fold's factors, if it has any. */
dlviz_status dlz_fold_ask(dlz_fold *fold, int64_t channels, const dlz_setup *setup);

#endif
