/* attribution/way.h - integrated gradients of anything: what is shared out among the numbers of inputs
 * is a function of some node's output, whose gradient its owner gives. */
#ifndef DLZ_ATTRIBUTION_WAY_H
#define DLZ_ATTRIBUTION_WAY_H

#include "network/network.h"

typedef struct dlz_way {
    dlviz_network *network;
    int node;
    const dlviz_tensor *inputs;    /* checked */
    const dlviz_tensor *baselines; /* of dlz_take_baselines */
    int64_t steps;
    /* After a forward pass: writes into the output's dy the gradient with respect to the output. Each
     * row of the batch is a point on the way of the sample that is named. */
    void (*aim)(void *context, dlz_plan *plan, const int64_t *samples);
    void *context;
} dlz_way;

/* Makes the maps, n x the inputs' shape, and the sum of each. */
dlviz_status dlz_share_out(const dlz_way *way, float *maps, double *totals);

dlviz_status dlz_check_steps(const char *who, int64_t num_steps);
/* Checked baselines with their number in front, 1 or n: a view, or zeros where there are none. */
dlviz_status dlz_take_baselines(const char *who, const dlviz_tensor *inputs,
                                const dlviz_tensor *baselines, dlviz_tensor **out);

#endif
