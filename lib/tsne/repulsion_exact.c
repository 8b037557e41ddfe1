/* Every pair: 64 points at a time against all others. */
#include "base/base.h"
#include "base/parallel.h"
#include "comm/comm.h"
#include "tsne/extent.h"
#include "tsne/repulsion.h"
#include "kernels/embed/repel.h"

#include <math.h>
#include <string.h>

#define TARGETS DLZ_REPEL_TARGETS
#define PIECE 512 /* sources summed in float before the sums go to double */

typedef struct exact_job {
    const dlz_repel_kernel *kernel;
    const dlz_repulsion_settings *settings;
    float *coordinates[3];
    double *sums; /* a tile: its share of Z */
    float *forces;
    int64_t first_tile; /* of this rank */
} exact_job;

void dlz_exact_free(dlz_exact_repulsion *exact) {
    dlz_free(exact->sources);
    dlz_free(exact->sums);
    dlz_free(exact->offsets);
    *exact = (dlz_exact_repulsion){0};
}

/* Adds what the points first ... last - 1 contribute to the tile that begins at `own`. */
static void add_points(const exact_job *job, int64_t own, int64_t first, int64_t last,
                       float *const force[3], float *similarity) {
    const float *targets[3] = {0}, *sources[3] = {0};
    for (int c = 0; c < job->settings->dimensions; c++) {
        targets[c] = job->coordinates[c] + own;
        sources[c] = job->coordinates[c] + first;
    }
    if (first == own)
        job->kernel->sum_among(job->settings->dimensions, (float)job->settings->a, targets,
                               last - first, force, similarity);
    else
        job->kernel->sum(job->settings->dimensions, (float)job->settings->a, targets, sources,
                         last - first, force, similarity);
}

static void exact_tile(void *context, int64_t tile, int worker) {
    const exact_job *job = context;
    (void)worker;
    tile += job->first_tile;
    int dimensions = job->settings->dimensions;
    int64_t n = job->settings->n, first = tile * TARGETS, last = dlz_min_i64(first + TARGETS, n);
    double totals[3][TARGETS] = {{0}}, similarities = 0;
    for (int64_t piece = 0; piece < n; piece += PIECE) {
        int64_t end = dlz_min_i64(piece + PIECE, n);
        float sums[3][TARGETS], similarity[TARGETS] = {0}, *force[3] = {sums[0], sums[1], sums[2]};
        memset(sums, 0, sizeof sums);
        if (first >= piece && first < end) {
            add_points(job, first, piece, first, force, similarity);
            add_points(job, first, first, last, force, similarity);
            add_points(job, first, last, end, force, similarity);
        } else
            add_points(job, first, piece, end, force, similarity);
        for (int64_t t = 0; t < last - first; t++) {
            similarities += similarity[t];
            for (int c = 0; c < dimensions; c++)
                totals[c][t] += force[c][t];
        }
    }
    for (int64_t t = 0; t < last - first; t++)
        for (int c = 0; c < dimensions; c++)
            job->forces[(first + t) * dimensions + c] = (float)totals[c][t];
    job->sums[tile] = similarities;
}

/* A handful of points can lie so far apart that their similarities vanish beside the 1 of a point
 * to itself: summed in double, without it. */
static double compute_few(const dlz_repulsion_settings *settings, const float *map, float *forces) {
    int dimensions = settings->dimensions;
    double z = 0;
    for (int64_t i = 0; i < settings->n; i++) {
        double sums[3] = {0};
        for (int64_t j = 0; j < settings->n; j++) {
            double difference[3], square = 0;
            for (int c = 0; c < dimensions; c++) {
                difference[c] = (double)map[i * dimensions + c] - map[j * dimensions + c];
                square += difference[c] * difference[c];
            }
            double w = 1 / (1 + square / settings->a);
            double s = settings->a == 1 ? w : pow(w, settings->a);
            z += i == j ? 0 : s;
            for (int c = 0; c < dimensions; c++)
                sums[c] += s * w * difference[c];
        }
        for (int c = 0; c < dimensions; c++)
            forces[i * dimensions + c] = (float)sums[c];
    }
    return z;
}

static dlviz_status reserve(dlz_exact_repulsion *exact, const dlz_repulsion_settings *settings,
                            int64_t tiles) {
    int64_t size = tiles * TARGETS * settings->dimensions;
    if (exact->capacity >= size)
        return DLVIZ_OK;
    dlz_exact_free(exact);
    exact->sources = dlz_alloc_array((uint64_t)size, sizeof(float));
    exact->sums = dlz_alloc_array((uint64_t)tiles, sizeof(double));
    exact->offsets = dlz_alloc_array((uint64_t)dlz_comm_size(settings->comm) + 1, sizeof(int64_t));
    if (!exact->sources || !exact->sums || !exact->offsets)
        return dlz_fail_memory("the repulsion", (uint64_t)size * sizeof(float));
    exact->capacity = size;
    return DLVIZ_OK;
}

/* The forces and sums of other ranks' tiles. */
static dlviz_status gather(const dlz_exact_repulsion *exact, const exact_job *job, int64_t tiles) {
    dlviz_comm *comm = job->settings->comm;
    int64_t point = job->settings->dimensions * (int64_t)sizeof(float);
    for (int rank = 0; rank < dlz_comm_size(comm); rank++) {
        int64_t first = dlz_comm_even_share(comm, rank, tiles).first;
        exact->offsets[rank] = dlz_min_i64(first * TARGETS, job->settings->n) * point;
    }
    exact->offsets[dlz_comm_size(comm)] = job->settings->n * point;
    DLZ_TRY(dlz_comm_gather_pieces(comm, job->forces, exact->offsets));
    return dlz_comm_gather_even(comm, exact->sums, tiles, sizeof *exact->sums);
}

dlviz_status dlz_exact_compute(dlz_exact_repulsion *exact, const dlz_repulsion_settings *settings,
                               const float *map, float *forces, double *z) {
    int dimensions = settings->dimensions;
    int64_t n = settings->n, tiles = dlz_ceil_div(n, TARGETS), padded = tiles * TARGETS;
    float least[3], greatest[3];
    DLZ_TRY(dlz_require_extent(map, n, dimensions, least, greatest));
    if (n <= TARGETS) {
        *z = compute_few(settings, map, forces);
        return DLVIZ_OK;
    }
    DLZ_TRY(reserve(exact, settings, tiles));
    dlz_share own = dlz_comm_even_share(settings->comm, dlz_comm_rank(settings->comm), tiles);
    exact_job job = {.kernel = dlz_repel(),
                     .settings = settings,
                     .sums = exact->sums,
                     .forces = forces,
                     .first_tile = own.first};
    for (int c = 0; c < dimensions; c++) {
        job.coordinates[c] = exact->sources + c * padded;
        for (int64_t i = 0; i < padded; i++)
            job.coordinates[c][i] = i < n ? map[i * dimensions + c] : 0;
    }
    dlz_parallel_for(own.count, dlz_threads(), exact_tile, &job);
    DLZ_TRY(gather(exact, &job, tiles));
    *z = 0;
    for (int64_t tile = 0; tile < tiles; tile++)
        *z += exact->sums[tile];
    return DLVIZ_OK;
}
