#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "kernels/embed/distance.h"
#include "neighbors/distances.h"
#include "neighbors/neighbors.h"
#include "tensor/tensor.h"

#include <dlviz/neighbors.h>
#include <math.h>

#define ROWS 64 /* a tile */

/* What was found, made public. */
typedef struct results {
    const float *points;
    int64_t n, d, k;
    int32_t *found;   /* n x k */
    float *squared;   /* n x k */
    int64_t *indices; /* n x k */
    float *distances; /* n x k, or NULL */
} results;

/* Distances are taken once more: the search's are squares in float32, which reaches less far. */
static void widen_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const results *r = context;
    int64_t last = dlz_min_i64((tile + 1) * ROWS, r->n), d = r->d;
    for (int64_t i = tile * ROWS * r->k; i < last * r->k; i++) {
        r->indices[i] = r->found[i];
        if (r->distances)
            r->distances[i] = (float)sqrt(
                dlz_distance()->one(r->points + i / r->k * d, r->points + r->indices[i] * d, d));
    }
}

static dlviz_status search(results *r, double recall) {
    uint64_t count = (uint64_t)r->n * (uint64_t)r->k;
    r->found = dlz_alloc_array(count, sizeof *r->found);
    r->squared = dlz_alloc_array(count, sizeof *r->squared);
    if (!r->found || !r->squared)
        return dlz_fail_memory("neighbors", count * (sizeof *r->found + sizeof *r->squared));
    dlz_task_part(0, 0.9);
    if (recall < 1)
        DLZ_TRY(dlz_knn_approximate(NULL, r->points, r->n, r->d, (int)r->k, recall, r->found,
                                    r->squared));
    else
        DLZ_TRY(dlz_knn_exact(NULL, r->points, r->n, r->d, (int)r->k, r->found, r->squared));
    dlz_task_part(0.9, 1);
    return dlz_parallel_for_task(dlz_ceil_div(r->n, ROWS), dlz_threads(), widen_tile, r);
}

static dlviz_status find(const dlviz_tensor *points, int64_t k, double recall,
                         dlviz_tensor *indices, dlviz_tensor *distances) {
    results r = {.points = points->data,
                 .n = points->dims[0],
                 .d = points->dims[1],
                 .k = k,
                 .indices = indices->data,
                 .distances = distances ? distances->data : NULL};
    dlviz_status status = search(&r, recall);
    dlz_free(r.found);
    dlz_free(r.squared);
    return status;
}

static dlviz_status check(const char *who, const dlviz_tensor *points, int64_t k, double recall) {
    char text[DLZ_NUMBER_SIZE];
    DLZ_TRY(dlz_require_matrix(who, "points", points));
    int64_t n = points->dims[0];
    if (n < 2)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'points' has 1 row; 2 or more are accepted", who);
    if (k < 1 || k >= n)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'num_neighbors' is %lld; 1 to %lld are accepted for %lld points", who,
                        (long long)k, (long long)(n - 1), (long long)n);
    if (!(recall > 0 && recall <= 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'recall' is %s; above 0 and up to 1, which is exact, is accepted", who,
                        dlz_number(text, recall, 6));
    return dlz_require_distances(who, "points", points);
}

static dlviz_status neighbors(const dlviz_tensor *points, int64_t k, double recall,
                              bool with_distances, dlviz_tensor *made[2]) {
    int64_t dims[2] = {points->dims[0], k};
    DLZ_TRY(dlz_tensor_create_raw(&made[0], DLVIZ_INT64, 2, dims));
    if (with_distances)
        DLZ_TRY(dlz_tensor_create_raw(&made[1], DLVIZ_FLOAT32, 2, dims));
    return find(points, k, recall, made[0], made[1]);
}

dlviz_status dlviz_neighbors(const dlviz_tensor *points, int64_t num_neighbors, double recall,
                             dlviz_tensor **indices, dlviz_tensor **distances) {
    if (distances)
        *distances = NULL;
    DLZ_REQUIRE_OUT(indices);
    DLZ_TRY(check(__func__, points, num_neighbors, recall));
    DLZ_TASK("neighbors");
    dlviz_tensor *made[2] = {NULL};
    dlviz_status status = neighbors(points, num_neighbors, recall, distances != NULL, made);
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
