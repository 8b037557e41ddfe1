/* attribution/attribution.h - what all attributions begin with: which output of each sample, and its
 * gradient, batch by batch. */
#ifndef DLZ_ATTRIBUTION_H
#define DLZ_ATTRIBUTION_H

#include "network/network.h"
#include "network/run.h"
#include <dlviz/attribution.h>

typedef struct dlz_attribution {
    const char *who; /* the public function */
    dlviz_network *network;
    const dlviz_tensor *inputs;
    int64_t n, size; /* samples, and numbers of each */
    int64_t *targets;
    dlviz_tensor *outputs; /* n x the output's shape; NULL unless they were needed */
} dlz_attribution;

/* Checks the inputs and finds the targets; `with_outputs` computes the outputs in any case. What has
 * begun ends with dlz_attribution_end, also after a failure. */
dlviz_status dlz_attribution_begin(dlz_attribution *attribution, const char *who,
                                   dlviz_network *network, const dlviz_tensor *inputs,
                                   const dlviz_tensor *targets, bool with_outputs);
void dlz_attribution_end(dlz_attribution *attribution);

/* Runs n samples forward up to a node in evaluation, so that a backward pass may come; with `watched`,
 * so that another node's output and gradient can be read. The plan is good until the next call. */
dlviz_status dlz_attribution_forward(dlviz_network *network, int node, const int *watched,
                                     const float *samples, int64_t n, dlz_plan **plan);
/* Makes one output of each the one whose gradient is taken. */
void dlz_attribution_aim(dlz_plan *plan, const int64_t *targets);

/* Fails, naming the sample, where a tensor of n samples holds NaN or an infinity. */
dlviz_status dlz_attribution_check(const char *who, const char *what, const dlviz_tensor *tensor);

#endif
