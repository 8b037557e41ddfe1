/* The descent.
 *
 * Ranks of a communicator have the points' order cut into runs of tiles. Each has the edges of its own
 * points, pulls and moves these, and all then have the whole map. Velocities and gains are a rank's
 * own, until points are numbered anew. What is decided is decided of numbers that all have. */
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "comm/comm.h"
#include "tsne/extent.h"
#include "tsne/brakes.h"
#include "tsne/edges.h"
#include "tsne/morton.h"
#include "tsne/moves.h"
#include "tsne/repulsion.h"
#include "tsne/tsne_internal.h"
#include "tensor/tensor.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define ROWS 512             /* points a tile */
#define ROW_COST 10          /* of a point, in affinities */
#define COLLAPSED 1e-3       /* of the start's deviation */
#define LOOK_EVERY 10        /* iterations, where a fit ends before its early exaggeration */
#define UNFOLDED 1e-2        /* a deviation below which a map has not unfolded yet */
#define EXACT_Z_POINTS 20000 /* up to here the last divergence takes Z from all pairs */

typedef struct descent {
    const dlz_tsne_settings *settings;
    const dlz_attract_kernel *kernel;
    const dlz_affinities *affinities;
    dlz_tsne_result *result;
    dlz_packed_edges packed;
    dlz_edges edges;
    dlz_repulsion *repulsion;
    int64_t n, tiles;
    int dimensions;
    float *attraction, *forces, *map, *velocity, *gains;
    double *sums; /* a tile: 3 */
    dlz_descent step;
    double mean[3];
    int early_end; /* iterations with early exaggeration */
    double start_deviation;
    double best;
    int best_iteration;
    int recorded;   /* the history's last iteration, -1 for none */
    int32_t *order; /* which of the caller's points each of ours is */
    dlz_brakes brakes;
    dlviz_comm *comm;
    int64_t own, own_end; /* tiles of this rank */
    int ranks;
    int64_t *cuts;    /* ranks + 1: tiles */
    int64_t *offsets; /* ranks + 1: of pieces, in bytes */
    dlz_moves moves;
} descent;

/* How many of this rank's tiles there are, which are counted from 0 where they are run. */
static int64_t own_tiles(const descent *d) {
    return d->own_end - d->own;
}

static void attract_tile(void *context, int64_t tile, int worker) {
    descent *d = context;
    (void)worker;
    tile += d->own;
    d->kernel->forces(d->dimensions, (float)d->settings->a, d->map, &d->edges, tile * ROWS,
                      dlz_min_i64(d->n, (tile + 1) * ROWS), d->attraction);
}

static void divergence_tile(void *context, int64_t tile, int worker) {
    descent *d = context;
    (void)worker;
    tile += d->own;
    d->sums[tile] = d->kernel->divergence(d->dimensions, (float)d->settings->a, d->map, &d->edges,
                                          tile * ROWS, dlz_min_i64(d->n, (tile + 1) * ROWS));
}

/* Moves the points of a tile: in the map, or where ranks have theirs until all have them. */
static void step_tile(void *context, int64_t tile, int worker) {
    descent *d = context;
    (void)worker;
    tile += d->own;
    int64_t first = tile * ROWS, last = dlz_min_i64(d->n, first + ROWS);
    int64_t start = first * d->dimensions, size = (last - first) * d->dimensions;
    float *map = d->map + start;
    if (d->ranks > 1) {
        map = dlz_moves_tile(&d->moves, tile);
        memcpy(map, d->map + start, (size_t)size * sizeof *map);
    }
    dlz_brakes_apply(&d->brakes, first, last, d->dimensions, d->attraction, d->forces);
    dlz_descent step = d->step;
    step.attraction = d->attraction + start;
    step.repulsion = d->forces + start;
    step.map = map;
    step.velocity = d->velocity + start;
    step.gains = d->gains + start;
    d->kernel->step(&step, 0, size);
    double *sums = d->ranks > 1 ? dlz_moves_sums(&d->moves, tile) : d->sums + tile * 3;
    for (int c = 0; c < d->dimensions; c++) {
        double sum = 0;
        for (int64_t i = c; i < size; i += d->dimensions)
            sum += map[i];
        sums[c] = sum;
    }
}

static void center_tile(void *context, int64_t tile, int worker) {
    descent *d = context;
    (void)worker;
    int64_t first = tile * ROWS, last = dlz_min_i64(d->n, first + ROWS);
    float *map = d->map + first * d->dimensions;
    const float *from = d->ranks > 1 ? dlz_moves_tile(&d->moves, tile) : map;
    for (int c = 0; c < d->dimensions; c++) {
        float mean = (float)d->mean[c];
        for (int64_t i = c; i < (last - first) * d->dimensions; i += d->dimensions)
            map[i] = from[i] - mean;
    }
}

static void center(descent *d) {
    for (int c = 0; c < d->dimensions; c++) {
        double sum = 0;
        for (int64_t tile = 0; tile < d->tiles; tile++)
            sum += (d->ranks > 1 ? dlz_moves_sums(&d->moves, tile) : d->sums + tile * 3)[c];
        d->mean[c] = sum / (double)d->n;
    }
    dlz_parallel_for(d->tiles, dlz_threads(), center_tile, d);
}

/* One step of all points, if no rank is cancelled. */
static dlviz_status move(descent *d, dlviz_status status) {
    if (d->ranks == 1)
        DLZ_TRY(status);
    dlz_parallel_for(own_tiles(d), dlz_threads(), step_tile, d);
    DLZ_TRY(dlz_moves_gather(&d->moves, status, d->result->iterations));
    center(d);
    return DLVIZ_OK;
}

/* As divergence_tile, from the affinities themselves in double. */
static void exact_divergence_tile(void *context, int64_t tile, int worker) {
    descent *d = context;
    (void)worker;
    tile += d->own;
    const dlz_affinities *p = d->affinities;
    int64_t last = dlz_min_i64(d->n, (tile + 1) * ROWS);
    double sum = 0, a = d->settings->a;
    for (int64_t row = tile * ROWS; row < last; row++) {
        const float *own = d->map + row * d->dimensions;
        int32_t old = d->order[row];
        for (int64_t e = p->offsets[old]; e < p->offsets[old + 1]; e++) {
            const float *other = d->map + (int64_t)d->packed.place[p->columns[e]] * d->dimensions;
            double square = 0;
            for (int c = 0; c < d->dimensions; c++)
                square += ((double)own[c] - other[c]) * ((double)own[c] - other[c]);
            sum += p->values[e] * a * log1p(square / a);
        }
    }
    d->sums[tile] = sum;
}

/* Gives all ranks all of an array, so much for a tile. */
static dlviz_status gather(descent *d, void *values, int64_t tile_size, int64_t size) {
    if (d->ranks == 1)
        return DLVIZ_OK;
    for (int rank = 0; rank <= d->ranks; rank++)
        d->offsets[rank] = dlz_min_i64(d->cuts[rank] * tile_size, size);
    return dlz_comm_gather_pieces(d->comm, values, d->offsets);
}

/* The same of coordinates. */
static dlviz_status gather_points(descent *d, float *values) {
    int64_t point = d->dimensions * (int64_t)sizeof *values;
    return gather(d, values, ROWS * point, d->n * point);
}

/* sum of p ln(p / q), q = s / Z, with the affinities' sum of 1. */
static dlviz_status divergence(descent *d, dlz_tile_fn tile_function, double z, double *kl) {
    *kl = 0;
    if (d->n < 2)
        return DLVIZ_OK;
    dlz_parallel_for(own_tiles(d), dlz_threads(), tile_function, d);
    DLZ_TRY(gather(d, d->sums, sizeof *d->sums, d->tiles * (int64_t)sizeof *d->sums));
    double sum = 0;
    for (int64_t tile = 0; tile < d->tiles; tile++)
        sum += d->sums[tile];
    *kl = d->affinities->negentropy + sum + log(z);
    *kl = *kl < 0 ? 0 : *kl; /* by rounding, or z's error; NaN stays */
    return DLVIZ_OK;
}

static dlviz_status gradient_norm(descent *d, double exaggeration, double z, double *norm) {
    double sum = 0;
    *norm = 0;
    if (d->n < 2)
        return DLVIZ_OK; /* z is 0 as well */
    DLZ_TRY(gather_points(d, d->attraction));
    for (int64_t i = 0; i < d->n * d->dimensions; i++) {
        double gradient = exaggeration * d->attraction[i] - d->forces[i] / z;
        sum += gradient * gradient;
    }
    *norm = sqrt(sum);
    return DLVIZ_OK;
}

static dlviz_status record(descent *d, int iteration, double kl, double norm) {
    dlz_tsne_result *result = d->result;
    if (result->rows == result->capacity) {
        int64_t capacity = result->capacity ? 2 * result->capacity : 32;
        float *history = dlz_realloc_array(result->history, (uint64_t)capacity, 3 * sizeof(float));
        if (!history)
            return dlz_fail_memory("the history", (uint64_t)capacity * 3 * sizeof(float));
        result->history = history;
        result->capacity = capacity;
    }
    assert(result->history);
    d->recorded = iteration;
    float *row = result->history + 3 * result->rows++;
    row[0] = (float)iteration;
    row[1] = (float)kl;
    row[2] = (float)norm;
    return DLVIZ_OK;
}

/* The map in the caller's order. */
static void copy_map(const descent *d, float *to) {
    for (int64_t i = 0; i < d->n; i++)
        for (int c = 0; c < d->dimensions; c++)
            to[(int64_t)d->order[i] * d->dimensions + c] = d->map[i * d->dimensions + c];
}

/* DLVIZ_CANCELLED when the caller's function wants to stop, on any rank. */
static dlviz_status report_alone(descent *d, int iteration, double kl, double norm) {
    DLZ_TRY(record(d, iteration, kl, norm));
    const dlz_tsne_settings *settings = d->settings;
    if (!settings->progress)
        return DLVIZ_OK;
    dlviz_tensor *map;
    DLZ_TRY(dlz_tensor_create_raw(&map, DLVIZ_FLOAT32, 2, (int64_t[]){d->n, d->dimensions}));
    copy_map(d, map->data);
    dlviz_tsne_event event = {iteration, settings->iterations, kl, norm, map};
    bool go_on = settings->progress(&event, settings->user);
    dlviz_tensor_destroy(map);
    if (!go_on)
        return dlz_fail(DLVIZ_CANCELLED,
                        "the progress function cancelled t-SNE after %d iterations", iteration);
    return DLVIZ_OK;
}

static dlviz_status report(descent *d, int iteration, double kl, double norm) {
    return dlz_tsne_agree(d->comm, report_alone(d, iteration, kl, norm));
}

/* Before these iterations the points are numbered anew along a curve through the map, so that
 * what is near in it is near in memory. */
static bool is_time_to_reorder(int iteration) {
    return iteration == 40 || iteration == 120 || iteration == 270 || iteration == 400 ||
           (iteration > 400 && iteration % 1000 == 0);
}

static void permute(float *values, int dimensions, int64_t n, const int32_t *order,
                    float *scratch) {
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < dimensions; c++)
            scratch[i * dimensions + c] = values[(int64_t)order[i] * dimensions + c];
    memcpy(values, scratch, (size_t)(n * dimensions) * sizeof *values);
}

/* Cuts the points into runs of tiles with about as many affinities each, and packs this rank's. */
static dlviz_status take_share(descent *d) {
    const int64_t *offsets = d->affinities->offsets;
    double total = (double)offsets[d->n] + ROW_COST * (double)d->n, before = 0;
    int rank = 1;
    d->cuts[0] = 0;
    for (int64_t tile = 0; tile < d->tiles; tile++) {
        double count = 0;
        int64_t last = dlz_min_i64(d->n, (tile + 1) * ROWS);
        for (int64_t row = tile * ROWS; row < last; row++)
            count += (double)(offsets[d->order[row] + 1] - offsets[d->order[row]]) + ROW_COST;
        for (; rank < d->ranks && before + count / 2 >= total * rank / d->ranks; rank++)
            d->cuts[rank] = tile;
        before += count;
    }
    for (; rank <= d->ranks; rank++)
        d->cuts[rank] = d->tiles;
    d->own = d->cuts[dlz_comm_rank(d->comm)];
    d->own_end = d->cuts[dlz_comm_rank(d->comm) + 1];
    if (d->ranks > 1)
        DLZ_TRY(dlz_moves_begin(&d->moves, d->comm, d->n, d->dimensions, ROWS, d->cuts));
    DLZ_TRY(dlz_edges_pack(&d->packed, d->affinities, d->order, d->comm,
                           dlz_min_i64(d->n, d->own * ROWS), dlz_min_i64(d->n, d->own_end * ROWS)));
    d->edges = dlz_edges_of(&d->packed);
    return DLVIZ_OK;
}

static dlviz_status reorder(descent *d) {
    int64_t n = d->n;
    DLZ_TRY(gather_points(d, d->velocity));
    DLZ_TRY(gather_points(d, d->gains));
    float corner[3] = {0};
    double width = 0;
    for (int c = 0; c < d->dimensions; c++) {
        float least = INFINITY, greatest = -INFINITY;
        for (int64_t i = c; i < n * d->dimensions; i += d->dimensions) {
            least = fminf(least, d->map[i]);
            greatest = fmaxf(greatest, d->map[i]);
        }
        corner[c] = least;
        width = fmax(width, (double)greatest - least);
    }
    if (!(width < INFINITY))
        return DLVIZ_OK; /* the repulsion will say so */
    uint64_t *scratch = dlz_alloc_array((uint64_t)n, 4 * sizeof *scratch);
    int32_t *order = dlz_alloc_array((uint64_t)n, 2 * sizeof *order);
    dlviz_status status = DLVIZ_OK;
    if (!scratch || !order)
        status = dlz_fail_memory("the points' order", (uint64_t)n * 5 * sizeof *scratch);
    else {
        dlz_morton_order(d->map, n, d->dimensions, corner, width, order, NULL, scratch);
        permute(d->map, d->dimensions, n, order, d->attraction);
        permute(d->velocity, d->dimensions, n, order, d->attraction);
        permute(d->gains, d->dimensions, n, order, d->attraction);
        for (int64_t i = 0; i < n; i++)
            order[n + i] = d->order[order[i]];
        memcpy(d->order, order + n, (size_t)n * sizeof *order);
        status = take_share(d);
        dlz_brakes_release(&d->brakes);
    }
    dlz_free(scratch);
    dlz_free(order);
    return status;
}

/* Of the coordinates from their mean, which is 0. */
static double deviation(const descent *d) {
    double sum = 0;
    for (int64_t i = 0; i < d->n * d->dimensions; i++)
        sum += (double)d->map[i] * d->map[i];
    return sqrt(sum / (double)(d->n * d->dimensions));
}

/* Whether to look for a collapse before this iteration. The exaggeration's end is the last time: what
 * is not noticed then goes on from rounding errors. Where the fit ends before it, looks come while
 * there are iterations to begin anew with. They are no more than that, for a random start may be
 * drawn together for a while before it unfolds. */
static bool may_have_collapsed(const descent *d, int iteration) {
    int last = d->settings->iterations - 1;
    if (iteration == 0 || iteration > d->early_end)
        return false;
    if (iteration % DLZ_TSNE_REPORT_EVERY == 0 || iteration == d->early_end || iteration == last)
        return true;
    return d->early_end > last && iteration % LOOK_EVERY == 0 &&
           iteration > last / DLZ_TSNE_REPORT_EVERY * DLZ_TSNE_REPORT_EVERY;
}

/* Where all points are neighbors of most others, a single point is the map that exaggerated
 * attraction asks for. What is left of the start then are rounding errors, so the descent goes back
 * to it and on without exaggeration. */
static void leave_collapse(descent *d, int iteration) {
    if (!(deviation(d) < COLLAPSED * d->start_deviation))
        return;
    for (int64_t i = 0; i < d->n; i++)
        for (int c = 0; c < d->dimensions; c++)
            d->map[i * d->dimensions + c] =
                d->result->map[(int64_t)d->order[i] * d->dimensions + c];
    memset(d->velocity, 0, (size_t)(d->n * d->dimensions) * sizeof *d->velocity);
    for (int64_t i = 0; i < d->n * d->dimensions; i++)
        d->gains[i] = 1;
    d->early_end = iteration;
    dlz_log(DLVIZ_LOG_LEVEL_INFO,
            "early exaggeration collapses this map; it ends after %d of %d iterations", iteration,
            d->settings->early_iterations);
}

static double exaggeration_at(const descent *d, int iteration) {
    const dlz_tsne_settings *settings = d->settings;
    if (iteration < d->early_end)
        return settings->early_factor;
    if (iteration >= settings->iterations - settings->late_iterations)
        return settings->late_factor;
    return 1;
}

static dlviz_status forces(descent *d, double *z) {
    dlz_parallel_for(own_tiles(d), dlz_threads(), attract_tile, d);
    dlviz_status status = dlz_repulsion_compute(d->repulsion, d->map, d->forces, z);
    if (status == DLVIZ_ERROR_NUMERIC)
        return dlz_fail(
            DLVIZ_ERROR_NUMERIC,
            "the descent diverged: after %d iterations coordinates of the map are beyond "
            "%g, or no numbers; the learning rate is %g (0: automatic), the momentum %g, "
            "then %g; lower ones are accepted",
            d->result->iterations, (double)DLZ_WIDEST_MAP, d->settings->learning_rate,
            d->settings->early_momentum, d->settings->late_momentum);
    if (status == DLVIZ_OK && d->n > 1 && !((float)(1 / *z) < INFINITY && *z > 0))
        return dlz_fail(
            DLVIZ_ERROR_NUMERIC,
            "after %d iterations no point of the map is near another: their similarities "
            "vanish with %g degrees of freedom; fewer are accepted, and a start of less "
            "extent",
            d->result->iterations, d->settings->a);
    return status;
}

/* Whether the descent is over by its stopping rules. */
static bool stalled(descent *d, int iteration, double kl, double norm) {
    const dlz_tsne_settings *settings = d->settings;
    if (iteration < d->early_end || deviation(d) < UNFOLDED)
        return false;
    if (kl < d->best) {
        d->best = kl;
        d->best_iteration = iteration;
    }
    return norm < settings->least_gradient ||
           (settings->patience > 0 && iteration - d->best_iteration >= settings->patience);
}

static dlviz_status descend(descent *d) {
    const dlz_tsne_settings *settings = d->settings;
    int every = settings->every ? settings->every : DLZ_TSNE_REPORT_EVERY;
    bool may_stop = settings->least_gradient > 0 || settings->patience > 0;
    double z;
    for (int iteration = 0; iteration < settings->iterations; iteration++) {
        if (may_have_collapsed(d, iteration))
            leave_collapse(d, iteration);
        double exaggeration = exaggeration_at(d, iteration);
        if (is_time_to_reorder(iteration))
            DLZ_TRY(reorder(d));
        DLZ_TRY(forces(d, &z));
        d->result->iterations = iteration;
        dlviz_status asked = dlz_task_report((double)iteration / settings->iterations);
        if (d->ranks == 1)
            DLZ_TRY(asked);
        /* Two rhythms, so that watching a fit does not change where it stops. */
        bool tell = iteration > 0 && iteration % every == 0;
        bool look = may_stop && iteration > 0 && iteration % DLZ_TSNE_REPORT_EVERY == 0;
        if (tell || look) {
            double kl, norm;
            DLZ_TRY(divergence(d, divergence_tile, z, &kl));
            DLZ_TRY(gradient_norm(d, exaggeration, z, &norm));
            if (tell)
                DLZ_TRY(report(d, iteration, kl, norm));
            if (look && stalled(d, iteration, kl, norm))
                break;
        }
        double rate = settings->learning_rate;
        if (rate == 0)
            rate = (double)d->n / exaggeration;
        double momentum =
            iteration < d->early_end ? settings->early_momentum : settings->late_momentum;
        d->step.exaggeration = (float)exaggeration;
        d->step.repulsion_scale = d->n > 1 ? (float)(1 / z) : 0;
        d->step.learning_rate =
            (float)dlz_brakes_set(&d->brakes, d->order, rate, exaggeration, momentum);
        d->step.momentum = (float)momentum;
        DLZ_TRY(move(d, asked));
        d->result->iterations = iteration + 1;
    }
    return DLVIZ_OK;
}

/* Z over all pairs; uses up the velocity. */
static dlviz_status exact_z(descent *d, double *z) {
    dlz_repulsion_settings settings = {
        .n = d->n, .dimensions = d->dimensions, .a = d->settings->a, .comm = d->comm};
    dlz_exact_repulsion exact = {0};
    dlviz_status status = dlz_exact_compute(&exact, &settings, d->map, d->velocity, z);
    dlz_exact_free(&exact);
    return status;
}

static dlviz_status finish(descent *d, bool report_it) {
    double z;
    DLZ_TRY(forces(d, &z));
    if (d->n <= EXACT_Z_POINTS)
        DLZ_TRY(exact_z(d, &z));
    DLZ_TRY(divergence(d, exact_divergence_tile, z, &d->result->divergence));
    d->result->method = dlz_repulsion_method(d->repulsion);
    int last = d->result->iterations;
    if (d->recorded == last) {
        /* That row's divergence is of the packed affinities. */
        d->result->history[3 * (d->result->rows - 1) + 1] = (float)d->result->divergence;
        return DLVIZ_OK;
    }
    double norm;
    DLZ_TRY(gradient_norm(d, exaggeration_at(d, last > 0 ? last - 1 : 0), z, &norm));
    return report_it ? report(d, last, d->result->divergence, norm)
                     : record(d, last, d->result->divergence, norm);
}

static dlviz_status reserve(descent *d, float **memory) {
    int64_t size = d->n * d->dimensions;
    *memory = dlz_alloc_array_zero((uint64_t)size, 5 * sizeof(float));
    d->order = dlz_alloc_array((uint64_t)d->n, sizeof *d->order);
    d->sums = dlz_alloc_array_zero((uint64_t)d->tiles, 3 * sizeof(double));
    d->cuts = dlz_alloc_array((uint64_t)d->ranks + 1, sizeof *d->cuts);
    d->offsets = dlz_alloc_array((uint64_t)d->ranks + 1, sizeof *d->offsets);
    if (!*memory || !d->sums || !d->order || !d->cuts || !d->offsets)
        return dlz_fail_memory("the descent", (uint64_t)size * 5 * sizeof(float));
    return dlz_brakes_create(&d->brakes, d->affinities);
}

static void begin(descent *d, float *memory) {
    int64_t size = d->n * d->dimensions;
    d->attraction = memory;
    d->forces = memory + size;
    d->velocity = memory + 2 * size;
    d->gains = memory + 3 * size;
    d->map = memory + 4 * size;
    memcpy(d->map, d->result->map, (size_t)size * sizeof *d->map);
    for (int64_t i = 0; i < d->n; i++)
        d->order[i] = (int32_t)i;
    for (int64_t i = 0; i < size; i++)
        d->gains[i] = 1;
    d->start_deviation = deviation(d);
}

static dlviz_status run(descent *d) {
    DLZ_TRY(take_share(d));
    dlviz_status status = descend(d);
    if (status != DLVIZ_OK && status != DLVIZ_CANCELLED)
        return status;
    dlviz_status last = finish(d, status == DLVIZ_OK);
    copy_map(d, d->result->map);
    return last != DLVIZ_OK ? last : status;
}

dlviz_status dlz_tsne_optimize(const dlz_tsne_settings *settings, dlviz_comm *comm,
                               const dlz_affinities *affinities, dlz_tsne_result *result) {
    int64_t n = result->n;
    descent d = {.settings = settings,
                 .kernel = dlz_attract(),
                 .affinities = affinities,
                 .result = result,
                 .n = n,
                 .tiles = dlz_ceil_div(n, ROWS),
                 .dimensions = result->dimensions,
                 .early_end = settings->early_iterations,
                 .best = INFINITY,
                 .recorded = -1,
                 .comm = comm,
                 .ranks = dlz_comm_size(comm)};
    dlz_repulsion_settings wanted = {.method = settings->method,
                                     .n = n,
                                     .dimensions = result->dimensions,
                                     .a = settings->a,
                                     .angle = settings->angle,
                                     .cell = settings->cell,
                                     .comm = comm};
    float *memory = NULL;
    dlviz_status status = dlz_repulsion_create(&d.repulsion, &wanted);
    if (status == DLVIZ_OK)
        status = reserve(&d, &memory);
    if (status == DLVIZ_OK) {
        begin(&d, memory);
        status = run(&d);
    }
    /* Other ranks may be waiting for one that has run out of memory. */
    if (status == DLVIZ_ERROR_OUT_OF_MEMORY)
        dlz_comm_fail(comm, status);
    dlz_repulsion_destroy(d.repulsion);
    dlz_edges_free(&d.packed);
    dlz_free(memory);
    dlz_free(d.order);
    dlz_free(d.sums);
    dlz_free(d.cuts);
    dlz_free(d.offsets);
    dlz_moves_free(&d.moves);
    dlz_brakes_free(&d.brakes);
    return status;
}
