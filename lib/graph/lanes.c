#include "graph/lanes.h"
#include "base/base.h"
#include "base/failures.h"
#include "base/parallel.h"

#include <assert.h>

/* -- Pieces --------------------------------------------------------------------------------------
 */

/* A layer of the user's own is called by the thread that called us, and by no other. */
static bool is_users(const dlz_graph *graph, int last) {
    for (int node = 0; node <= last; node++)
        if (graph->nodes[node].layer->type->is_users)
            return true;
    return false;
}

/* The fewest samples of a piece. Each piece reads the parameters again, which takes as long as
 * WORK_OF_WEIGHT multiplications each where they come from beyond the core's own cache. */
static int64_t least_of_piece(const dlz_graph *graph, int node) {
    enum { LEAST = 8, LEAST_OF_HEAVY = 16, LIGHT = 64, WORK_OF_WEIGHT = 10 };
    double weights = dlz_graph_num_weights(graph, node);
    double each = dlz_graph_multiply_adds(graph, node) + 1;
    if (LIGHT * weights < each)
        return LEAST;
    double worth = 2 * WORK_OF_WEIGHT * weights / each;
    return worth > 1e6 ? (int64_t)1e6 : dlz_max_i64(LEAST_OF_HEAVY, (int64_t)worth);
}

int64_t dlz_lanes_piece(const dlz_graph *graph, int node, int64_t n) {
    enum { LEAST_TO_CUT = 16, MOST_PIECES = 4 };
    if (n < LEAST_TO_CUT || is_users(graph, node))
        return n;
    int64_t pieces = dlz_min_i64(n / least_of_piece(graph, node), MOST_PIECES);
    if (pieces < 2)
        return n;
    return dlz_ceil_div(n, pieces == 3 ? 2 : pieces);
}

/* -- Lanes ---------------------------------------------------------------------------------------
 */

static int64_t num_pieces(const dlz_lane_job *job) {
    return dlz_ceil_div(job->n, job->piece);
}

/* Whether so many threads, which take pieces by turns, are idle for less than a ninth of their
 * time. */
static bool fill(const dlz_lane_job *job, int threads) {
    if (job->piece >= job->n)
        return false;
    int64_t pieces = num_pieces(job), before = (pieces - 1) / threads; /* before the last round */
    int64_t last = pieces - before * threads > 1 ? job->piece : job->n - (pieces - 1) * job->piece;
    return 8 * threads * (before * job->piece + last) <= 9 * job->n;
}

static int threads_of(const dlz_plans *plans) {
    return plans->threads ? plans->threads : dlz_threads();
}

void dlz_lanes_fit(const dlz_plans *plans, dlz_lane_job *job) {
    if (!fill(job, threads_of(plans)))
        job->piece = job->n;
}

static dlviz_status add_lane(dlz_plans *plans) {
    plans->next_lane = dlz_alloc_zero(sizeof *plans->next_lane);
    return plans->next_lane ? DLVIZ_OK : dlz_fail_memory("a lane", sizeof *plans->next_lane);
}

/* The plans for both sizes of pieces in one lane, whose weights are then ready. */
static dlviz_status reserve_lane(dlz_plans *lane, const dlz_lane_job *job) {
    int64_t rest = job->n % job->piece;
    dlz_plan *plan;
    if (rest > 0) {
        DLZ_TRY(dlz_plan_get(lane, job->graph, job->node, job->mode, rest, &plan));
        dlz_plan_prepare(plan);
    }
    DLZ_TRY(dlz_plan_get(lane, job->graph, job->node, job->mode, job->piece, &plan));
    dlz_plan_prepare(plan);
    return DLVIZ_OK;
}

/* `workers` lanes, of which the first is `plans` itself. */
static dlviz_status reserve_lanes(dlz_plans *plans, const dlz_lane_job *job, int workers) {
    if (!plans->prepared)
        DLZ_TRY(dlz_prepared_set_create(&plans->prepared));
    DLZ_TRY(reserve_lane(plans, job));
    dlz_plans *lane = plans;
    for (int worker = 1; worker < workers; worker++) {
        if (!lane->next_lane)
            DLZ_TRY(add_lane(lane));
        lane = lane->next_lane;
        lane->prepared = plans->prepared;
        lane->shares = true;
        lane->changes = plans->changes;
        lane->threads = 1;
        DLZ_TRY(reserve_lane(lane, job));
    }
    return DLVIZ_OK;
}

/* How many threads it takes: one where waking others costs more. */
static dlviz_status find_workers(dlz_plans *plans, const dlz_lane_job *job, int threads,
                                 int *workers) {
    dlz_plan *plan;
    DLZ_TRY(dlz_plan_get(plans, job->graph, job->node, job->mode, job->piece, &plan));
    int64_t pieces = num_pieces(job);
    *workers = dlz_plan_is_small(plan, pieces) ? 1 : (int)dlz_min_i64(threads, pieces);
    return DLVIZ_OK;
}

typedef struct lane_pass {
    dlz_plans *plans;
    const dlz_lane_job *job;
    dlz_piece_fn run;
    void *context;
    dlz_failures failures;
} lane_pass;

static dlviz_status run_piece(const lane_pass *pass, int64_t index, int worker) {
    const dlz_lane_job *job = pass->job;
    dlz_plans *lane = pass->plans;
    for (int i = 0; i < worker; i++)
        lane = lane->next_lane;
    dlz_plan *plan;
    int64_t first = index * job->piece, n = dlz_min_i64(job->piece, job->n - first);
    DLZ_TRY(dlz_plan_get(lane, job->graph, job->node, job->mode, n, &plan));
    return pass->run(pass->context, plan, first);
}

static void piece_tile(void *context, int64_t index, int worker) {
    lane_pass *pass = context;
    if (!dlz_failures_before(&pass->failures, index))
        dlz_failures_note(&pass->failures, index, run_piece(pass, index, worker));
}

/* Runs all pieces, or only reserves where `run` is NULL. */
static dlviz_status use_lanes(dlz_plans *plans, const dlz_lane_job *job, int threads,
                              dlz_piece_fn run, void *context) {
    int workers;
    DLZ_TRY(find_workers(plans, job, threads, &workers));
    DLZ_TRY(reserve_lanes(plans, job, workers));
    if (!run)
        return DLVIZ_OK;
    lane_pass pass = {.plans = plans, .job = job, .run = run, .context = context};
    dlz_failures_init(&pass.failures);
    plans->in_lanes = true;
    dlz_parallel_for(num_pieces(job), workers, piece_tile, &pass);
    plans->in_lanes = false;
    return dlz_failures_tell(&pass.failures);
}

/* Each lane on one thread, the first one too. */
static dlviz_status run_lanes(dlz_plans *plans, const dlz_lane_job *job, int threads,
                              dlz_piece_fn run, void *context) {
    int set = plans->threads;
    plans->threads = 1;
    dlviz_status status = use_lanes(plans, job, threads, run, context);
    plans->threads = set;
    return status;
}

static dlviz_status run_whole(dlz_plans *plans, const dlz_lane_job *job, dlz_piece_fn run,
                              void *context) {
    dlz_plan *plan;
    DLZ_TRY(dlz_plan_get(plans, job->graph, job->node, job->mode, job->n, &plan));
    if (run)
        return run(context, plan, 0);
    dlz_plan_prepare(plan);
    return DLVIZ_OK;
}

dlviz_status dlz_lanes_run(dlz_plans *plans, const dlz_lane_job *job, dlz_piece_fn run,
                           void *context) {
    assert(!job->mode.training && !job->mode.gradients);
    int threads = threads_of(plans);
    return fill(job, threads) ? run_lanes(plans, job, threads, run, context)
                              : run_whole(plans, job, run, context);
}

dlviz_status dlz_lanes_reserve(dlz_plans *plans, const dlz_lane_job *job) {
    int threads = threads_of(plans), most = 0;
    bool whole = false;
    for (int t = 1; t <= threads; t++)
        if (fill(job, t))
            most = t;
        else
            whole = true;
    if (most > 0)
        DLZ_TRY(run_lanes(plans, job, most, NULL, NULL));
    return whole ? run_whole(plans, job, NULL, NULL) : DLVIZ_OK;
}
