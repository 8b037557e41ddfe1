/* graph/lanes.h - a batch in evaluation as pieces, each of which one thread takes from end to
 * end.
 *
 * Threads then wait for each other once a batch, not once an operation, and what layers hand to
 * each other stays in the cache of one core. A lane is what one thread runs in: plans and memory
 * of its own, with weights that are made ready to run once for all. Where the pieces would leave
 * threads idle, the batch runs whole, split within each operation: what comes out is the same to
 * the bit. */
#ifndef DLZ_GRAPH_LANES_H
#define DLZ_GRAPH_LANES_H

#include "graph/graph.h"

/* What is computed for a batch of n samples. */
typedef struct dlz_lane_job {
    const dlz_graph *graph;
    int node;
    dlz_mode mode; /* of evaluation */
    int64_t n;
    int64_t piece; /* samples at a time: n, or less, where the last piece may be smaller */
} dlz_lane_job;

/* What becomes of a plan for one piece, from sample `first` of the batch on: loads it, runs it,
 * reads it. It may be called by several threads at once, for other pieces. */
typedef dlviz_status (*dlz_piece_fn)(void *context, dlz_plan *plan, int64_t first);

/* How many samples of n a piece has where a node is computed: n where there is nothing to cut.
 * Depends on neither threads nor what else is known of the machine. */
int64_t dlz_lanes_piece(const dlz_graph *graph, int node, int64_t n);
/* Makes one piece of a job whose pieces would leave some of the threads idle. */
void dlz_lanes_fit(const dlz_plans *plans, dlz_lane_job *job);
/* Makes the plans, of pieces and of the whole, for as many threads as `plans` has, or fewer, and
 * the weights ready: running the same then allocates nothing. */
dlviz_status dlz_lanes_reserve(dlz_plans *plans, const dlz_lane_job *job);
/* Runs all pieces, or the whole, on as many threads as `plans` has. Fails with what the first
 * piece that fails says; some of the others may have run. */
dlviz_status dlz_lanes_run(dlz_plans *plans, const dlz_lane_job *job, dlz_piece_fn run,
                           void *context);

#endif
