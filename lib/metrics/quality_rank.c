/* The ranks of given neighbors: how many points are nearer.
 *
 * Of all pairs of points, float32 products decide (kernels/embed/rank.h), whose errors are those of
 * kernels/embed/knn.h; the few points that they leave open are told apart by their distances. Where
 * they leave many open, as where many points are equally far, rows of distances take over. */
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "comm/comm.h"
#include "comm/tiles.h"
#include "kernels/embed/rank.h"
#include "metrics/quality.h"

#include <math.h>
#include <string.h>

#define QUERIES DLZ_DISTANCE_ROWS /* a tile */
#define GROUPS (QUERIES / DLZ_KNN_GROUP)
#define PANELS 32 /* whose values are counted while they are in the cache */
#define CHUNK (PANELS * DLZ_KNN_PANEL)
#define SAMPLE 31 /* points that the origin is the median of */
#define OPEN 8    /* a query may leave open n / OPEN points, and FEW more */
#define FEW 512

typedef struct ranking {
    dlviz_comm *comm;
    const float *points;
    int64_t n, d, k, panels;
    const dlz_sample *sample;
    const int32_t *neighbors;
    int64_t *excess; /* a point of the sample */
    float *origin;   /* points enter the products as scale (x - origin) */
    float scale;
    float *packed, *half_norms;
    float *floats; /* a worker: groups, values, low, high */
    uint64_t float_stride;
    double *doubles; /* a worker: limits, or for rows of distances these and limits */
    uint64_t double_stride;
    int64_t *counts;  /* a worker: QUERIES x k */
    int32_t *between; /* a worker: k */
    bool *left;       /* a tile: it was left to the rows of distances */
    dlz_distances distances;
} ranking;

/* The least square whose root is this square's: what is below it is nearer. Two squares that differ
 * in their last bit may have one root, which is what distances are compared by. */
static double least_at_distance(double square) {
    double root = sqrt(square);
    for (;;) {
        double smaller = nextafter(square, 0);
        if (!(sqrt(smaller) == root) || smaller == square)
            return square;
        square = smaller;
    }
}

static int64_t sum_excess(const int64_t *counts, int64_t k) {
    int64_t excess = 0;
    for (int64_t j = 0; j < k; j++)
        excess += dlz_max_i64(0, counts[j] + 1 - k);
    return excess;
}

/* -- By products */

static void find_origin(ranking *r) {
    int64_t used = dlz_min_i64(r->n, SAMPLE);
    float values[SAMPLE] = {0};
    for (int64_t i = 0; i < r->d; i++) {
        for (int64_t p = 0; p < used; p++) {
            float value = r->points[p * r->n / used * r->d + i];
            int64_t at = p;
            for (; at > 0 && values[at - 1] > value; at--)
                values[at] = values[at - 1];
            values[at] = value;
        }
        r->origin[i] = values[used / 2];
    }
}

/* A power of two that keeps squares of all differences in the middle of float's range. */
static void find_scale(ranking *r) {
    float largest = 0;
    for (int64_t i = 0; i < r->n * r->d; i++)
        largest = fmaxf(largest, fabsf(r->points[i]));
    int exponent = largest > 0 ? 58 - ilogbf(largest) - (int)ceil(log2((double)r->d) / 2) : 0;
    r->scale = ldexpf(1, exponent < 120 ? exponent : 120);
}

static void pack_panel(void *context, int64_t panel, int worker) {
    (void)worker;
    const ranking *r = context;
    float *to = r->packed + panel * r->d * DLZ_KNN_PANEL;
    for (int64_t c = 0; c < DLZ_KNN_PANEL; c++) {
        int64_t point = panel * DLZ_KNN_PANEL + c;
        double norm = 0;
        for (int64_t i = 0; i < r->d; i++) {
            float value =
                point < r->n ? (r->points[point * r->d + i] - r->origin[i]) * r->scale : 0;
            to[i * DLZ_KNN_PANEL + c] = value;
            norm += (double)value * value;
        }
        r->half_norms[point] = point < r->n ? (float)(norm / 2) : INFINITY;
    }
}

/* A query in its group, and between which values of points the distances of its neighbors lie. */
static void start_query(const ranking *r, int64_t q, int64_t at, float *groups, float *low,
                        float *high, double *limits) {
    int64_t point = dlz_sample_point(r->sample, q), d = r->d;
    const float *own = r->points + point * d;
    float *group = groups + at / DLZ_KNN_GROUP * DLZ_KNN_GROUP * d + at % DLZ_KNN_GROUP;
    double norm = 0, precision = (double)(d + 16) * 0x1p-24, scale = (double)r->scale;
    for (int64_t i = 0; i < d; i++) {
        float value = (own[i] - r->origin[i]) * r->scale;
        group[i * DLZ_KNN_GROUP] = value;
        norm += (double)value * value;
    }
    for (int64_t j = 0; j < r->k; j++) {
        const float *other = r->points + (int64_t)r->neighbors[q * r->k + j] * d;
        limits[j] = least_at_distance(dlz_distance()->one(own, other, d));
        double limit = limits[j] * scale * scale / 2;
        double slack =
            4 * precision * norm + 2 * precision * limit + 0x1p-120 + 0x1p-22 * (limit + norm);
        low[j] = (float)(limit - slack - norm / 2);
        high[j] = (float)(limit + slack - norm / 2);
    }
}

/* Counts those of a chunk that only their distances tell apart; returns how many these were. */
static int64_t count_open(const ranking *r, const float *own, const float *values, int64_t first,
                          int64_t count, float low, float high, double limit, int64_t *nearer) {
    int64_t open = 0;
    for (int64_t panel = 0; panel < count; panel += DLZ_KNN_PANEL) {
        int inside = 0;
        for (int64_t p = panel; p < panel + DLZ_KNN_PANEL; p++)
            inside += (values[p] >= low) & (values[p] < high);
        for (int64_t p = panel; inside > 0; p++)
            if (values[p] >= low && values[p] < high) {
                *nearer += dlz_distance()->one(own, r->points + (first + p) * r->d, r->d) < limit;
                open++;
                inside--;
            }
    }
    return open;
}

/* Adds what a chunk's values say of the tile's queries. False when too much is left open. */
static bool count_chunk(const ranking *r, int64_t tile, int64_t count, int64_t panel,
                        int64_t panels, float *values, const float *low, const float *high,
                        const double *limits, int64_t *counts, int32_t *between, int64_t *open) {
    int64_t first = panel * DLZ_KNN_PANEL, size = panels * DLZ_KNN_PANEL, k = r->k;
    for (int64_t q = 0; q < count; q++) {
        int64_t point = dlz_sample_point(r->sample, tile * QUERIES + q);
        float *own = values + q * CHUNK;
        if (point >= first && point < first + size)
            own[point - first] = INFINITY;
        dlz_rank()->count_around(own, size, low + q * k, high + q * k, k, counts + q * k, between);
        for (int64_t j = 0; j < k; j++)
            if (between[j] > 0)
                open[q] += count_open(r, r->points + point * r->d, own, first, size, low[q * k + j],
                                      high[q * k + j], limits[q * k + j], &counts[q * k + j]);
        if (open[q] > r->n / OPEN + FEW)
            return false;
    }
    return true;
}

static void product_tile(void *context, int64_t tile, int worker) {
    ranking *r = context;
    int64_t k = r->k, d = r->d, open[QUERIES] = {0};
    int64_t count = dlz_min_i64(QUERIES, r->sample->count - tile * QUERIES);
    float *groups = r->floats + (size_t)worker * r->float_stride, *values = groups + QUERIES * d;
    float *low = values + QUERIES * CHUNK, *high = low + QUERIES * k;
    double *limits = r->doubles + (size_t)worker * r->double_stride;
    int64_t *counts = r->counts + worker * QUERIES * k;
    memset(groups, 0, (size_t)(QUERIES * d) * sizeof *groups);
    memset(counts, 0, (size_t)(QUERIES * k) * sizeof *counts);
    for (int64_t q = 0; q < count; q++)
        start_query(r, tile * QUERIES + q, q, groups, low + q * k, high + q * k, limits + q * k);
    for (int64_t panel = 0; panel < r->panels && !r->left[tile]; panel += PANELS) {
        int64_t panels = dlz_min_i64(PANELS, r->panels - panel);
        if (!dlz_task_goes_on())
            return;
        for (int64_t p = 0; p < panels; p++)
            for (int64_t g = 0; g < GROUPS; g++)
                dlz_rank()->values(groups + g * DLZ_KNN_GROUP * d,
                                   r->packed + (panel + p) * d * DLZ_KNN_PANEL,
                                   r->half_norms + (panel + p) * DLZ_KNN_PANEL, d,
                                   values + g * DLZ_KNN_GROUP * CHUNK + p * DLZ_KNN_PANEL, CHUNK);
        r->left[tile] = !count_chunk(r, tile, count, panel, panels, values, low, high, limits,
                                     counts, r->between + worker * k, open);
    }
    for (int64_t q = 0; q < count; q++)
        r->excess[tile * QUERIES + q] = sum_excess(counts + q * k, k);
}

/* -- By rows of distances */

static void row_tile(void *context, int64_t tile, int worker) {
    ranking *r = context;
    const dlz_distances *distances = &r->distances;
    int64_t n = r->n, k = r->k, first = tile * QUERIES;
    if (!r->left[tile])
        return;
    double *scratch = r->doubles + (size_t)worker * r->double_stride;
    double *rows = scratch + distances->scratch, *limits = rows + QUERIES * distances->stride;
    int64_t *counts = r->counts + worker * QUERIES * k;
    int64_t count = dlz_distance_rows(distances, r->sample, first, scratch, rows);
    for (int64_t i = 0; i < count; i++) {
        const double *row = rows + i * distances->stride;
        for (int64_t j = 0; j < k; j++)
            limits[j] = least_at_distance(row[r->neighbors[(first + i) * k + j]]);
        dlz_rank()->count_below(row, n, limits, k, counts);
        r->excess[first + i] = sum_excess(counts, k);
    }
}

static dlviz_status reserve_rows(ranking *r, const dlviz_tensor *points, int workers) {
    DLZ_TRY(dlz_distances_start(&r->distances, points));
    dlz_free(r->doubles);
    r->double_stride = r->distances.scratch + (size_t)(QUERIES * r->distances.stride + r->k);
    r->doubles = dlz_alloc_array((uint64_t)workers, r->double_stride * sizeof(double));
    return r->doubles ? DLVIZ_OK
                      : dlz_fail_memory("ranks", (uint64_t)workers * r->double_stride * 8);
}

static dlviz_status count_rows(ranking *r, const dlviz_tensor *points, int64_t tiles, int workers) {
    dlz_comm_tiles rows = {.count = tiles,
                           .workers = workers,
                           .cost = (double)r->sample->count * (double)r->n * (double)r->d,
                           .run = row_tile,
                           .context = r,
                           .told = true,
                           .data = r->excess,
                           .things = r->sample->count,
                           .a_tile = QUERIES,
                           .thing_size = sizeof *r->excess};
    dlviz_status status = dlz_comm_run_tiles(r->comm, reserve_rows(r, points, workers), &rows);
    dlz_distances_end(&r->distances);
    return status;
}

/* -- Both */

static dlviz_status reserve(ranking *r, int64_t tiles, int workers) {
    uint64_t places = (uint64_t)(r->panels * DLZ_KNN_PANEL), k = (uint64_t)r->k;
    r->float_stride = (uint64_t)QUERIES * ((uint64_t)r->d + CHUNK + 2 * k);
    r->double_stride = QUERIES * k;
    r->origin = dlz_alloc_array((uint64_t)r->d, sizeof *r->origin);
    r->packed = dlz_alloc_array(places, (uint64_t)r->d * sizeof *r->packed);
    r->half_norms = dlz_alloc_array(places, sizeof *r->half_norms);
    r->floats = dlz_alloc_array((uint64_t)workers, r->float_stride * sizeof *r->floats);
    r->doubles = dlz_alloc_array((uint64_t)workers, r->double_stride * sizeof *r->doubles);
    r->counts = dlz_alloc_array((uint64_t)workers, QUERIES * k * sizeof *r->counts);
    r->between = dlz_alloc_array((uint64_t)workers, k * sizeof *r->between);
    r->left = dlz_alloc_array_zero((uint64_t)tiles, sizeof *r->left);
    if (!r->origin || !r->packed || !r->half_norms || !r->floats || !r->doubles || !r->counts ||
        !r->between || !r->left)
        return dlz_fail_memory("ranks", places * (uint64_t)r->d * sizeof *r->packed);
    return DLVIZ_OK;
}

static void prepare(ranking *r) {
    find_origin(r);
    find_scale(r);
    dlz_parallel_for(r->panels, dlz_threads(), pack_panel, r);
}

/* What is known of a tile's points by products: their excess, and whether it is. */
static int64_t num_queries(const ranking *r, int64_t tile) {
    return dlz_min_i64(QUERIES, r->sample->count - tile * QUERIES);
}

static int64_t known_size(const void *context, int64_t tile) {
    return num_queries(context, tile) * (int64_t)sizeof(int64_t) + 1;
}

static void copy_known(void *context, int64_t tile, unsigned char *bytes, bool in) {
    ranking *r = context;
    int64_t *excess = r->excess + tile * QUERIES;
    size_t size = (size_t)num_queries(r, tile) * sizeof *excess;
    memcpy(in ? (void *)excess : bytes + 1, in ? bytes + 1 : (void *)excess, size);
    if (in)
        r->left[tile] = bytes[0];
    else
        bytes[0] = r->left[tile];
}

static dlviz_status rank(ranking *r, const dlviz_tensor *points) {
    int64_t tiles = dlz_ceil_div(r->sample->count, QUERIES);
    int workers = (int)dlz_min_i64(dlz_threads(), tiles);
    dlz_comm_tiles products = {.count = tiles,
                               .workers = workers,
                               .cost = (double)r->sample->count * (double)r->n * (double)r->d,
                               .run = product_tile,
                               .context = r,
                               .told = true,
                               .size = known_size,
                               .copy = copy_known};
    dlviz_status status = reserve(r, tiles, workers);
    if (status == DLVIZ_OK)
        prepare(r);
    DLZ_TRY(dlz_comm_run_tiles(r->comm, status, &products));
    for (int64_t tile = 0; tile < tiles; tile++)
        if (r->left[tile])
            return count_rows(r, points, tiles, workers);
    return DLVIZ_OK;
}

dlviz_status dlz_rank_excess(dlviz_comm *comm, const dlviz_tensor *points, const dlz_sample *sample,
                             const int32_t *neighbors, int64_t k, int64_t *excess) {
    ranking r = {.comm = comm,
                 .points = points->data,
                 .n = points->dims[0],
                 .d = points->dims[1],
                 .k = k,
                 .panels = dlz_ceil_div(points->dims[0], DLZ_KNN_PANEL),
                 .sample = sample,
                 .neighbors = neighbors,
                 .excess = excess};
    dlviz_status status = rank(&r, points);
    dlz_free(r.origin);
    dlz_free(r.packed);
    dlz_free(r.half_norms);
    dlz_free(r.floats);
    dlz_free(r.doubles);
    dlz_free(r.counts);
    dlz_free(r.between);
    dlz_free(r.left);
    return status;
}
