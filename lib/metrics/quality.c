#include "metrics/quality.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
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

typedef struct rank_pass {
    const dlz_distances *distances;
    const dlz_sample *sample;
    const int32_t *neighbors; /* of the sample's points */
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
    int64_t count = dlz_distance_rows(distances, pass->sample, first, scratch, rows);
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

/* Σ max(0, rank - k), over the pairs of a point of the sample and one of its neighbors. */
static dlviz_status sum_excess(const dlviz_tensor *points, const dlz_sample *sample,
                               const int32_t *neighbors, int64_t k, double *sum) {
    dlz_distances distances;
    DLZ_TRY(dlz_distances_start(&distances, points));
    int64_t tiles = dlz_ceil_div(sample->count, DLZ_DISTANCE_ROWS);
    int workers = dlz_threads();
    rank_pass pass = {.distances = &distances, .sample = sample, .neighbors = neighbors, .k = k};
    pass.stride = distances.scratch + (size_t)(DLZ_DISTANCE_ROWS * distances.stride + 2 * k);
    pass.scratch = dlz_alloc_array((uint64_t)workers, pass.stride * sizeof(double));
    pass.excess = dlz_alloc_array((uint64_t)tiles, sizeof *pass.excess);
    dlviz_status status = DLVIZ_OK;
    if (pass.scratch && pass.excess) {
        status = dlz_parallel_for_task(tiles, workers, rank_tile, &pass);
        *sum = 0;
        for (int64_t tile = 0; status == DLVIZ_OK && tile < tiles; tile++)
            *sum += (double)pass.excess[tile];
    } else {
        status = dlz_fail_memory("ranks", (uint64_t)workers * pass.stride * sizeof(double));
    }
    dlz_free(pass.scratch);
    dlz_free(pass.excess);
    dlz_distances_end(&distances);
    return status;
}

/* What a measure of maps is asked for. */
typedef struct question {
    const char *who;
    const dlviz_tensor *points, *map; /* or `labels` */
    const dlviz_tensor *labels;
    int64_t k;
    const dlz_sample *sample;
} question;

/* Of neighbors in `near`, whose ranks in `ranked` are not to be above k. */
static dlviz_status trust(const question *q, const dlviz_tensor *near, const dlviz_tensor *ranked,
                          double *result) {
    int64_t n = near->dims[0], k = q->k;
    int32_t *neighbors;
    dlz_task_part(0, 0.5);
    DLZ_TRY(dlz_sample_neighbors(near, q->sample, k, &neighbors));
    double sum = 0;
    dlz_task_part(0.5, 1);
    dlviz_status status = sum_excess(ranked, q->sample, neighbors, k, &sum);
    dlz_free(neighbors);
    DLZ_TRY(status);
    *result = 1 - sum * 2 / ((double)q->sample->count * (double)k * (double)(2 * n - 3 * k - 1));
    return DLVIZ_OK;
}

static dlviz_status trustworthiness(const question *q, double *result) {
    return trust(q, q->map, q->points, result);
}

static dlviz_status continuity(const question *q, double *result) {
    return trust(q, q->points, q->map, result);
}

static int64_t count_common(const int32_t *a, const int32_t *b, int64_t k) {
    int64_t common = 0;
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < k; j++)
            common += a[i] == b[j];
    return common;
}

/* Comparisons between two reports: some milliseconds. */
#define REPORT_EVERY (INT64_C(1) << 22)

/* Once in a while, of work that takes k² a point. */
static dlviz_status report_point(const question *q, int64_t i) {
    int64_t points = dlz_max_i64(1, REPORT_EVERY / (q->k * q->k));
    return i % points == 0 ? dlz_task_report((double)i / (double)q->sample->count) : DLVIZ_OK;
}

static dlviz_status preservation(const question *q, double *result) {
    int64_t k = q->k, common = 0;
    int32_t *in_points, *in_map;
    dlz_task_part(0, 0.5);
    DLZ_TRY(dlz_sample_neighbors(q->points, q->sample, k, &in_points));
    dlz_task_part(0.5, 0.9);
    dlviz_status status = dlz_sample_neighbors(q->map, q->sample, k, &in_map);
    dlz_task_part(0.9, 1);
    for (int64_t i = 0; status == DLVIZ_OK && i < q->sample->count; i++) {
        common += count_common(in_points + i * k, in_map + i * k, k);
        status = report_point(q, i);
    }
    dlz_free(in_points);
    dlz_free(in_map);
    if (status == DLVIZ_OK)
        *result = (double)common / ((double)q->sample->count * (double)k);
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

static dlviz_status accuracy(const question *q, double *result) {
    int64_t k = q->k, right = 0;
    int32_t *indices;
    dlz_task_part(0, 0.9);
    DLZ_TRY(dlz_sample_neighbors(q->points, q->sample, k, &indices));
    dlz_task_part(0.9, 1);
    dlviz_status status = DLVIZ_OK;
    for (int64_t i = 0; status == DLVIZ_OK && i < q->sample->count; i++) {
        int64_t label = dlz_label(q->labels, dlz_sample_point(q->sample, i));
        right += vote(q->labels, indices + i * k, k) == label;
        status = report_point(q, i);
    }
    dlz_free(indices);
    if (status == DLVIZ_OK)
        *result = (double)right / (double)q->sample->count;
    return status;
}

/* -- Of all points, or of a sample ----------------------------------------------------------------
 */

typedef dlviz_status (*measure_fn)(const question *q, double *result);

/* How many points a measure needs, and up to which k. */
typedef struct measure {
    const char *task;
    measure_fn function;
    int64_t least;
    bool below_half, of_labels;
} measure;

static const measure trusts = {"trustworthiness", trustworthiness, 3, true, false};
static const measure continues = {"continuity", continuity, 3, true, false};
static const measure preserves = {"neighbor preservation", preservation, 2, false, false};
static const measure votes = {"neighbor accuracy", accuracy, 2, false, true};

/* num_samples INT64_MAX: all. */
static dlviz_status answer(const measure *m, question q, int64_t num_samples, uint64_t seed,
                           double *result) {
    if (!result)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'result' is NULL", q.who);
    *result = 0;
    if (m->of_labels)
        DLZ_TRY(dlz_require_points(q.who, "points", q.points, m->least));
    else
        DLZ_TRY(dlz_require_map(q.who, q.points, q.map, m->least));
    int64_t n = q.points->dims[0];
    if (m->of_labels)
        DLZ_TRY(dlz_require_labels(q.who, "labels", q.labels, n));
    DLZ_TRY(check_neighbors(q.who, q.k, m->below_half ? (n - 1) / 2 : n - 1));
    DLZ_TASK(m->task);
    dlz_sample sample;
    DLZ_TRY(dlz_sample_draw(q.who, n, num_samples, seed, &sample));
    q.sample = &sample;
    dlviz_status status = m->function(&q, result);
    dlz_sample_free(&sample);
    return status;
}

#define OF_MAP                                                                                     \
    (question) {                                                                                   \
        .who = __func__, .points = points, .map = map, .k = num_neighbors                          \
    }
#define OF_LABELS                                                                                  \
    (question) {                                                                                   \
        .who = __func__, .points = points, .labels = labels, .k = num_neighbors                    \
    }

dlviz_status dlviz_metrics_trustworthiness(const dlviz_tensor *points, const dlviz_tensor *map,
                                           int64_t num_neighbors, double *result) {
    return answer(&trusts, OF_MAP, INT64_MAX, 0, result);
}

dlviz_status dlviz_metrics_trustworthiness_sampled(const dlviz_tensor *points,
                                                   const dlviz_tensor *map, int64_t num_neighbors,
                                                   int64_t num_samples, uint64_t seed,
                                                   double *result) {
    return answer(&trusts, OF_MAP, num_samples, seed, result);
}

dlviz_status dlviz_metrics_continuity(const dlviz_tensor *points, const dlviz_tensor *map,
                                      int64_t num_neighbors, double *result) {
    return answer(&continues, OF_MAP, INT64_MAX, 0, result);
}

dlviz_status dlviz_metrics_continuity_sampled(const dlviz_tensor *points, const dlviz_tensor *map,
                                              int64_t num_neighbors, int64_t num_samples,
                                              uint64_t seed, double *result) {
    return answer(&continues, OF_MAP, num_samples, seed, result);
}

dlviz_status dlviz_metrics_neighbor_preservation(const dlviz_tensor *points,
                                                 const dlviz_tensor *map, int64_t num_neighbors,
                                                 double *result) {
    return answer(&preserves, OF_MAP, INT64_MAX, 0, result);
}

dlviz_status dlviz_metrics_neighbor_preservation_sampled(const dlviz_tensor *points,
                                                         const dlviz_tensor *map,
                                                         int64_t num_neighbors, int64_t num_samples,
                                                         uint64_t seed, double *result) {
    return answer(&preserves, OF_MAP, num_samples, seed, result);
}

dlviz_status dlviz_metrics_neighbor_accuracy(const dlviz_tensor *points, const dlviz_tensor *labels,
                                             int64_t num_neighbors, double *result) {
    return answer(&votes, OF_LABELS, INT64_MAX, 0, result);
}

dlviz_status dlviz_metrics_neighbor_accuracy_sampled(const dlviz_tensor *points,
                                                     const dlviz_tensor *labels,
                                                     int64_t num_neighbors, int64_t num_samples,
                                                     uint64_t seed, double *result) {
    return answer(&votes, OF_LABELS, num_samples, seed, result);
}
