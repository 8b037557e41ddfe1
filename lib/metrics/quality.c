#include "metrics/quality.h"
#include "base/base.h"
#include "base/parallel.h"
#include "neighbors/neighbors.h"
#include "kernels/embed/rank.h"

#include <dlviz/metrics.h>
#include <math.h>

static dlviz_status check_neighbors(const char *who, int64_t k, int64_t most) {
    if (k < 1 || k > most)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'num_neighbors' is %lld; 1 to %lld are accepted for this many points",
                        who, (long long)k, (long long)most);
    return DLVIZ_OK;
}

/* The k nearest others of each point: n x k, the caller's to free. */
static dlviz_status find_neighbors(const dlviz_tensor *points, int64_t k, int32_t **indices) {
    uint64_t count = (uint64_t)points->dims[0] * (uint64_t)k;
    *indices = dlz_alloc_array(count, sizeof **indices);
    float *distances = dlz_alloc_array(count, sizeof *distances);
    dlviz_status status;
    if (*indices && distances)
        status = dlz_knn_exact(points->data, points->dims[0], points->dims[1], (int)k, *indices,
                               distances);
    else
        status = dlz_fail_memory("neighbors", count * (sizeof **indices + sizeof *distances));
    dlz_free(distances);
    if (status != DLVIZ_OK) {
        dlz_free(*indices);
        *indices = NULL;
    }
    return status;
}

typedef struct rank_pass {
    const dlz_distances *distances;
    const int32_t *neighbors;
    int64_t k;
    double *scratch; /* one `stride` a worker: dlz_distance_rows' own, rows, limits, counts */
    uint64_t stride;
    int64_t *excess; /* a sum a tile */
} rank_pass;

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

static void rank_tile(void *context, int64_t tile, int worker) {
    const rank_pass *pass = context;
    const dlz_distances *distances = pass->distances;
    int64_t n = distances->n, k = pass->k, first = tile * DLZ_DISTANCE_ROWS, excess = 0;
    double *scratch = pass->scratch + (size_t)worker * pass->stride;
    double *rows = scratch + distances->scratch;
    double *limits = rows + DLZ_DISTANCE_ROWS * distances->stride;
    int64_t *counts = (int64_t *)(limits + k);
    int64_t count = dlz_distance_rows(distances, first, scratch, rows);
    for (int64_t i = 0; i < count; i++) {
        const double *row = rows + i * distances->stride;
        for (int64_t j = 0; j < k; j++)
            limits[j] = least_at_distance(row[pass->neighbors[(first + i) * k + j]]);
        dlz_rank()->count_below(row, n, limits, k, counts);
        for (int64_t j = 0; j < k; j++)
            excess += dlz_max_i64(0, counts[j] + 1 - k);
    }
    pass->excess[tile] = excess;
}

/* Σ max(0, rank - k), over the pairs of a point and one of its neighbors. */
static dlviz_status sum_excess(const dlviz_tensor *points, const int32_t *neighbors, int64_t k,
                               double *sum) {
    dlz_distances distances;
    DLZ_TRY(dlz_distances_start(&distances, points));
    int64_t n = distances.n, tiles = dlz_ceil_div(n, DLZ_DISTANCE_ROWS);
    int workers = dlz_threads();
    rank_pass pass = {.distances = &distances, .neighbors = neighbors, .k = k};
    pass.stride = distances.scratch + (size_t)(DLZ_DISTANCE_ROWS * distances.stride + 2 * k);
    pass.scratch = dlz_alloc_array((uint64_t)workers, pass.stride * sizeof(double));
    pass.excess = dlz_alloc_array((uint64_t)tiles, sizeof *pass.excess);
    dlviz_status status = DLVIZ_OK;
    if (pass.scratch && pass.excess) {
        dlz_parallel_for(tiles, workers, rank_tile, &pass);
        *sum = 0;
        for (int64_t tile = 0; tile < tiles; tile++)
            *sum += (double)pass.excess[tile];
    } else {
        status = dlz_fail_memory("ranks", (uint64_t)workers * pass.stride * sizeof(double));
    }
    dlz_free(pass.scratch);
    dlz_free(pass.excess);
    dlz_distances_end(&distances);
    return status;
}

static dlviz_status trust(const char *who, const dlviz_tensor *points, const dlviz_tensor *map,
                          const dlviz_tensor *near, const dlviz_tensor *ranked, int64_t k,
                          double *result) {
    if (!result)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'result' is NULL", who);
    *result = 0;
    DLZ_TRY(dlz_require_map(who, points, map, 3));
    int64_t n = points->dims[0];
    DLZ_TRY(check_neighbors(who, k, (n - 1) / 2));
    int32_t *neighbors;
    DLZ_TRY(find_neighbors(near, k, &neighbors));
    double sum = 0;
    dlviz_status status = sum_excess(ranked, neighbors, k, &sum);
    dlz_free(neighbors);
    DLZ_TRY(status);
    *result = 1 - sum * 2 / ((double)n * (double)k * (double)(2 * n - 3 * k - 1));
    return DLVIZ_OK;
}

dlviz_status dlviz_metrics_trustworthiness(const dlviz_tensor *points, const dlviz_tensor *map,
                                           int64_t num_neighbors, double *result) {
    return trust(__func__, points, map, map, points, num_neighbors, result);
}

dlviz_status dlviz_metrics_continuity(const dlviz_tensor *points, const dlviz_tensor *map,
                                      int64_t num_neighbors, double *result) {
    return trust(__func__, points, map, points, map, num_neighbors, result);
}

static int64_t count_common(const int32_t *a, const int32_t *b, int64_t k) {
    int64_t common = 0;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++)
            common += a[i] == b[j];
    return common;
}

dlviz_status dlviz_metrics_neighbor_preservation(const dlviz_tensor *points,
                                                 const dlviz_tensor *map, int64_t num_neighbors,
                                                 double *result) {
    DLZ_REQUIRE(result);
    *result = 0;
    DLZ_TRY(dlz_require_map(__func__, points, map, 2));
    int64_t n = points->dims[0], common = 0;
    DLZ_TRY(check_neighbors(__func__, num_neighbors, n - 1));
    int32_t *in_points, *in_map;
    DLZ_TRY(find_neighbors(points, num_neighbors, &in_points));
    dlviz_status status = find_neighbors(map, num_neighbors, &in_map);
    for (int64_t i = 0; status == DLVIZ_OK && i < n; i++)
        common +=
            count_common(in_points + i * num_neighbors, in_map + i * num_neighbors, num_neighbors);
    dlz_free(in_points);
    dlz_free(in_map);
    if (status == DLVIZ_OK)
        *result = (double)common / ((double)n * (double)num_neighbors);
    return status;
}

/* The most frequent label among k points, the smallest of equally frequent ones. */
static int64_t vote(const dlviz_tensor *labels, const int32_t *points, int64_t k) {
    int64_t best = 0, most = 0;
    for (int64_t i = 0; i < k; i++) {
        int64_t label = dlz_label(labels, points[i]), votes = 0;
        for (int64_t j = 0; j < k; j++)
            votes += dlz_label(labels, points[j]) == label;
        if (votes > most || (votes == most && label < best)) {
            best = label;
            most = votes;
        }
    }
    return best;
}

dlviz_status dlviz_metrics_neighbor_accuracy(const dlviz_tensor *points, const dlviz_tensor *labels,
                                             int64_t num_neighbors, double *result) {
    DLZ_REQUIRE(result);
    *result = 0;
    DLZ_TRY(dlz_require_points(__func__, "points", points, 2));
    int64_t n = points->dims[0], right = 0;
    DLZ_TRY(dlz_require_labels(__func__, "labels", labels, n));
    DLZ_TRY(check_neighbors(__func__, num_neighbors, n - 1));
    int32_t *indices;
    DLZ_TRY(find_neighbors(points, num_neighbors, &indices));
    for (int64_t i = 0; i < n; i++)
        right += vote(labels, indices + i * num_neighbors, num_neighbors) == dlz_label(labels, i);
    dlz_free(indices);
    *result = (double)right / (double)n;
    return DLVIZ_OK;
}
