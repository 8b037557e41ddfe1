#include "metrics/quality.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/random.h"
#include "comm/comm.h"
#include "comm/enter.h"
#include "comm/digest.h"
#include "comm/tiles.h"

#include <dlviz/metrics.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_PAIRS 2000000
#define MOST_PAIRS 100000000
#define TILE 4096

/* Distances of pairs: all of them in order, or pair i drawn from (seed, i). */
typedef struct pair_pass {
    dlviz_comm *comm;
    const dlviz_tensor *points;
    int64_t pairs;
    bool all;
    uint64_t seed;
    double *distances;
} pair_pass;

/* (high 2^32 + low) bound / 2^64, in 64-bit arithmetic: 32-bit machines have no wider one. */
static uint64_t below(uint32_t low, uint32_t high, uint64_t bound) {
    uint64_t bound_low = (uint32_t)bound, bound_high = bound >> 32;
    uint64_t cross = high * bound_low, other = low * bound_high;
    uint64_t carried = (low * bound_low >> 32) + (uint32_t)cross + (uint32_t)other;
    return high * bound_high + (cross >> 32) + (other >> 32) + (carried >> 32);
}

static void draw_pair(uint64_t seed, int64_t i, int64_t n, int64_t *a, int64_t *b) {
    uint32_t random[4];
    dlz_philox(seed, DLZ_STREAM_EMBED + (2 << 8), (uint64_t)i, random);
    *a = (int64_t)below(random[0], random[1], (uint64_t)n);
    *b = (int64_t)below(random[2], random[3], (uint64_t)n - 1);
    *b += *b >= *a;
}

/* Pair i of (0,1), (0,2) … (0,n-1), (1,2) …: row a starts at a(2n - a - 1) / 2. */
static void list_pair(int64_t i, int64_t n, int64_t *a, int64_t *b) {
    double half = (double)n - 0.5;
    int64_t row = (int64_t)(half - sqrt(fmax(half * half - 2 * (double)i, 0)));
    row = dlz_max_i64(0, dlz_min_i64(row, n - 2));
    while (row > 0 && row * (2 * n - row - 1) / 2 > i)
        row--;
    while ((row + 1) * (2 * n - row - 2) / 2 <= i)
        row++;
    *a = row;
    *b = row + 1 + (i - row * (2 * n - row - 1) / 2);
}

static void pair_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const pair_pass *pass = context;
    int64_t n = pass->points->dims[0], d = pass->points->dims[1];
    const float *points = pass->points->data;
    int64_t last = dlz_min_i64((tile + 1) * TILE, pass->pairs);
    for (int64_t i = tile * TILE; i < last; i++) {
        int64_t a, b;
        if (pass->all)
            list_pair(i, n, &a, &b);
        else
            draw_pair(pass->seed, i, n, &a, &b);
        pass->distances[i] = sqrt(dlz_distance()->one(points + a * d, points + b * d, d));
    }
}

#define DIGITS 2048 /* 11 bits a pass */

/* Sorts by the values, which are >= 0 and so order as their bits do; `order` ends up as the
 * permutation. Six passes of counting, back and forth between the two arrays. */
static dlviz_status sort_order(const double *values, int64_t count, uint32_t *order,
                               uint32_t *spare) {
    for (int64_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    for (int shift = 0; shift < 66; shift += 11) {
        int64_t starts[DIGITS] = {0}, total = 0;
        DLZ_TRY(dlz_task_report(shift / 66.0));
        for (int64_t i = 0; i < count; i++) {
            uint64_t bits;
            memcpy(&bits, values + i, sizeof bits);
            starts[bits >> shift & (DIGITS - 1)]++;
        }
        for (int digit = 0; digit < DIGITS; digit++) {
            int64_t here = starts[digit];
            starts[digit] = total;
            total += here;
        }
        for (int64_t i = 0; i < count; i++) {
            uint64_t bits;
            memcpy(&bits, values + order[i], sizeof bits);
            spare[starts[bits >> shift & (DIGITS - 1)]++] = order[i];
        }
        uint32_t *swap = order;
        order = spare;
        spare = swap;
    }
    return DLVIZ_OK;
}

/* Replaces values by their ranks, those of equal values by their mean. */
static dlviz_status rank_values(double *values, int64_t count, uint32_t *order, uint32_t *spare) {
    DLZ_TRY(sort_order(values, count, order, spare));
    for (int64_t i = 0; i < count;) {
        int64_t end = i + 1;
        while (end < count && values[order[end]] == values[order[i]])
            end++;
        double rank = (double)(i + end - 1) / 2;
        for (; i < end; i++)
            values[order[i]] = rank;
    }
    return DLVIZ_OK;
}

/* The ranks of all pairs' distances. */
static dlviz_status measure_and_rank(pair_pass *pass, uint32_t *order) {
    dlz_comm_tiles tiles = {.count = dlz_ceil_div(pass->pairs, TILE),
                            .workers = dlz_threads(),
                            .cost = (double)pass->pairs * (double)pass->points->dims[1],
                            .run = pair_tile,
                            .context = pass,
                            .told = true,
                            .data = pass->distances,
                            .things = pass->pairs,
                            .a_tile = TILE,
                            .thing_size = sizeof *pass->distances};
    DLZ_TRY(dlz_comm_run_tiles(pass->comm, DLVIZ_OK, &tiles));
    return dlz_comm_agree(pass->comm,
                          rank_values(pass->distances, pass->pairs, order, order + pass->pairs));
}

static double correlate(const double *a, const double *b, int64_t count) {
    double mean = (double)(count - 1) / 2, ab = 0, aa = 0, bb = 0;
    for (int64_t i = 0; i < count; i++) {
        double x = a[i] - mean, y = b[i] - mean;
        ab += x * y;
        aa += x * x;
        bb += y * y;
    }
    return aa > 0 && bb > 0 ? fmax(-1, fmin(ab / (sqrt(aa) * sqrt(bb)), 1)) : 0;
}

/* What is asked for. */
typedef struct question {
    const char *who;
    dlviz_comm *comm;
    const dlviz_tensor *points, *map;
    int64_t num_pairs;
    uint64_t seed;
} question;

static dlviz_status check(const question *q, const double *result) {
    if (!result)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'result' is NULL", q->who);
    if (q->num_pairs != 0 && (q->num_pairs < 2 || q->num_pairs > MOST_PAIRS))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'num_pairs' is %lld; 2 to %d are accepted, or 0 for %d", q->who,
                        (long long)q->num_pairs, MOST_PAIRS, DEFAULT_PAIRS);
    return dlz_require_map(q->who, q->points, q->map, 3);
}

static dlviz_status require_same(const question *q) {
    char text[64];
    snprintf(text, sizeof text, "%lld pairs, seed %llu", (long long)q->num_pairs,
             (unsigned long long)q->seed);
    DLZ_TRY(dlz_comm_require_same(q->comm, q->who, "what is asked for", text));
    DLZ_TRY(dlz_comm_require_same_tensor(q->comm, q->who, "points", q->points));
    return dlz_comm_require_same_tensor(q->comm, q->who, "map", q->map);
}

/* distances: of count pairs, twice; so is order. */
static dlviz_status correlate_pairs(const question *q, int64_t count, bool all, double *distances,
                                    uint32_t *order, double *result) {
    pair_pass pass = {.comm = q->comm,
                      .points = q->points,
                      .pairs = count,
                      .all = all,
                      .seed = q->seed,
                      .distances = distances};
    dlz_task_part(0, 0.5);
    DLZ_TRY(measure_and_rank(&pass, order));
    pass.points = q->map;
    pass.distances = distances + count;
    dlz_task_part(0.5, 1);
    DLZ_TRY(measure_and_rank(&pass, order));
    *result = correlate(distances, distances + count, count);
    return DLVIZ_OK;
}

static dlviz_status distance_correlation(question q, double *result) {
    dlz_clear_results(result, NULL);
    DLZ_HOLD_COMM(q.who, q.comm);
    DLZ_TRY(dlz_comm_enter(q.comm, q.who, check(&q, result)));
    DLZ_TRY(require_same(&q));
    DLZ_SHARED_TASK(q.comm, "distance correlation");
    int64_t n = q.points->dims[0], every = n * (n - 1) / 2;
    int64_t count = dlz_min_i64(every, q.num_pairs ? q.num_pairs : DEFAULT_PAIRS);
    double *distances = dlz_alloc_array((uint64_t)count * 2, sizeof *distances);
    uint32_t *order = dlz_alloc_array((uint64_t)count * 2, sizeof *order);
    dlviz_status status =
        distances && order ? DLVIZ_OK : dlz_fail_memory("pairs of points", (uint64_t)count * 24);
    status = dlz_comm_agree(q.comm, status);
    if (status == DLVIZ_OK)
        status = correlate_pairs(&q, count, count == every, distances, order, result);
    dlz_free(distances);
    dlz_free(order);
    return status;
}

dlviz_status dlviz_metrics_distance_correlation(const dlviz_tensor *points, const dlviz_tensor *map,
                                                int64_t num_pairs, uint64_t seed, double *result) {
    question q = {__func__, NULL, points, map, num_pairs, seed};
    return distance_correlation(q, result);
}

dlviz_status dlviz_metrics_distance_correlation_shared(dlviz_comm *comm, const dlviz_tensor *points,
                                                       const dlviz_tensor *map, int64_t num_pairs,
                                                       uint64_t seed, double *result) {
    question q = {__func__, comm, points, map, num_pairs, seed};
    return distance_correlation(q, result);
}
