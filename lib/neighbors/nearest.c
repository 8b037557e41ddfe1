#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "comm/comm.h"
#include "comm/enter.h"
#include "comm/digest.h"
#include "comm/tiles.h"
#include "kernels/embed/distance.h"
#include "neighbors/distances.h"
#include "neighbors/neighbors.h"
#include "tensor/tensor.h"

#include <dlviz/neighbors.h>
#include <math.h>
#include <stdio.h>

#define ROWS 64 /* a tile */

/* What is asked for. */
typedef struct question {
    const char *who;
    dlviz_comm *comm;
    const dlviz_tensor *points;
    int64_t k;
    double recall;
    bool with_distances;
} question;

/* What was found, made public. */
typedef struct results {
    const question *q;
    const float *points;
    int64_t n, d;
    int32_t *found;   /* n x k */
    float *squared;   /* n x k */
    int64_t *indices; /* n x k */
    float *distances; /* n x k, or NULL */
} results;

static void widen_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const results *r = context;
    int64_t last = dlz_min_i64((tile + 1) * ROWS, r->n) * r->q->k;
    for (int64_t i = tile * ROWS * r->q->k; i < last; i++)
        r->indices[i] = r->found[i];
}

/* Distances are taken once more: the search's are squares in float32, which reaches less far. */
static void measure_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const results *r = context;
    int64_t last = dlz_min_i64((tile + 1) * ROWS, r->n), k = r->q->k, d = r->d;
    for (int64_t i = tile * ROWS * k; i < last * k; i++)
        r->distances[i] =
            (float)sqrt(dlz_distance()->one(r->points + i / k * d, r->points + r->found[i] * d, d));
}

static dlviz_status reserve(results *r) {
    uint64_t count = (uint64_t)r->n * (uint64_t)r->q->k;
    r->found = dlz_alloc_array(count, sizeof *r->found);
    r->squared = dlz_alloc_array(count, sizeof *r->squared);
    if (!r->found || !r->squared)
        return dlz_fail_memory("neighbors", count * (sizeof *r->found + sizeof *r->squared));
    return DLVIZ_OK;
}

static dlviz_status search(results *r) {
    const question *q = r->q;
    dlz_task_part(0, 0.9);
    if (q->recall < 1)
        DLZ_TRY(dlz_knn_approximate(q->comm, r->points, r->n, r->d, (int)q->k, q->recall, r->found,
                                    r->squared));
    else
        DLZ_TRY(dlz_knn_exact(q->comm, r->points, r->n, r->d, (int)q->k, r->found, r->squared));
    dlz_task_part(0.9, 1);
    int64_t tiles = dlz_ceil_div(r->n, ROWS);
    dlz_parallel_for(tiles, dlz_threads(), widen_tile, r);
    if (!r->distances)
        return DLVIZ_OK;
    dlz_comm_tiles measured = {.count = tiles,
                               .workers = dlz_threads(),
                               .cost = (double)r->n * (double)(q->k * r->d),
                               .run = measure_tile,
                               .context = r,
                               .told = true,
                               .data = r->distances,
                               .things = r->n,
                               .a_tile = ROWS,
                               .thing_size = (size_t)q->k * sizeof *r->distances};
    return dlz_comm_run_tiles(q->comm, DLVIZ_OK, &measured);
}

static dlviz_status find(const question *q, dlviz_tensor *const made[2]) {
    results r = {.q = q,
                 .points = q->points->data,
                 .n = q->points->dims[0],
                 .d = q->points->dims[1],
                 .indices = made[0]->data,
                 .distances = made[1] ? made[1]->data : NULL};
    dlviz_status status = dlz_comm_agree(q->comm, reserve(&r));
    if (status == DLVIZ_OK)
        status = search(&r);
    dlz_free(r.found);
    dlz_free(r.squared);
    return status;
}

static dlviz_status check(const question *q) {
    char text[DLZ_NUMBER_SIZE];
    DLZ_TRY(dlz_require_matrix(q->who, "points", q->points));
    int64_t n = q->points->dims[0];
    if (n < 2)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'points' has 1 row; 2 or more are accepted",
                        q->who);
    if (q->k < 1 || q->k >= n)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'num_neighbors' is %lld; 1 to %lld are accepted for %lld points",
                        q->who, (long long)q->k, (long long)(n - 1), (long long)n);
    if (!(q->recall > 0 && q->recall <= 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'recall' is %s; above 0 and up to 1, which is exact, is accepted",
                        q->who, dlz_number(text, q->recall, 6));
    return dlz_require_distances(q->who, "points", q->points);
}

static dlviz_status require_same(const question *q) {
    char number[DLZ_NUMBER_SIZE], text[DLZ_NUMBER_SIZE + 64];
    snprintf(text, sizeof text, "%lld neighbors, recall %s, distances %s", (long long)q->k,
             dlz_number(number, q->recall, 17), q->with_distances ? "wanted" : "not wanted");
    DLZ_TRY(dlz_comm_require_same(q->comm, q->who, "what is asked for", text));
    return dlz_comm_require_same_tensor(q->comm, q->who, "points", q->points);
}

static dlviz_status make(const question *q, dlviz_tensor *made[2]) {
    int64_t dims[2] = {q->points->dims[0], q->k};
    DLZ_TRY(dlz_tensor_create_raw(&made[0], DLVIZ_INT64, 2, dims));
    return q->with_distances ? dlz_tensor_create_raw(&made[1], DLVIZ_FLOAT32, 2, dims) : DLVIZ_OK;
}

static dlviz_status answer(const question *q, dlviz_tensor *made[2]) {
    DLZ_TRY(require_same(q));
    DLZ_SHARED_TASK(q->comm, "neighbors");
    DLZ_TRY(dlz_comm_agree(q->comm, make(q, made)));
    return find(q, made);
}

static dlviz_status neighbors(question q, dlviz_tensor **indices, dlviz_tensor **distances) {
    dlviz_tensor *made[2] = {NULL};
    q.with_distances = distances;
    if (indices)
        *indices = NULL;
    if (distances)
        *distances = NULL;
    DLZ_HOLD_COMM(q.who, q.comm);
    dlviz_status status =
        indices ? check(&q)
                : dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'indices' is NULL", q.who);
    status = dlz_comm_enter(q.comm, q.who, status);
    if (status == DLVIZ_OK)
        status = answer(&q, made);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(made[0]);
        dlviz_tensor_destroy(made[1]);
        return status;
    }
    *indices = made[0];
    if (distances)
        *distances = made[1];
    return DLVIZ_OK;
}

dlviz_status dlviz_neighbors(const dlviz_tensor *points, int64_t num_neighbors, double recall,
                             dlviz_tensor **indices, dlviz_tensor **distances) {
    question q = {.who = __func__, .points = points, .k = num_neighbors, .recall = recall};
    return neighbors(q, indices, distances);
}

dlviz_status dlviz_neighbors_shared(dlviz_comm *comm, const dlviz_tensor *points,
                                    int64_t num_neighbors, double recall, dlviz_tensor **indices,
                                    dlviz_tensor **distances) {
    question q = {
        .who = __func__, .comm = comm, .points = points, .k = num_neighbors, .recall = recall};
    return neighbors(q, indices, distances);
}
