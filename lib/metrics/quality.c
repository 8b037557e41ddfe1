#include "metrics/quality.h"
#include "base/base.h"
#include "base/progress.h"
#include "comm/comm.h"
#include "comm/enter.h"
#include "comm/digest.h"
#include "comm/tiles.h"

#include <dlviz/metrics.h>

static dlviz_status check_neighbors(const char *who, int64_t k, int64_t most) {
    if (k < 1 || k > most)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'num_neighbors' is %lld; 1 to %lld are accepted for this many points",
                        who, (long long)k, (long long)most);
    return DLVIZ_OK;
}

/* What a measure of maps is asked for. */
typedef struct question {
    const char *who;
    dlviz_comm *comm;                 /* of ranks that share the work, or NULL */
    const dlviz_tensor *points, *map; /* or `labels` */
    const dlviz_tensor *labels;
    int64_t k;
    const dlz_sample *sample;
    double *values; /* a point of the sample: whole numbers that the measure is the mean of */
} question;

/* Of neighbors in `near`, whose ranks in `ranked` are not to be above k. */
static dlviz_status trust(const question *q, const dlviz_tensor *near, const dlviz_tensor *ranked,
                          double *unit) {
    int64_t n = near->dims[0], k = q->k, *excess;
    int32_t *neighbors;
    dlz_task_part(0, 0.5);
    DLZ_TRY(dlz_sample_neighbors(q->comm, near, q->sample, k, &neighbors));
    dlz_task_part(0.5, 1);
    excess = dlz_alloc_array((uint64_t)q->sample->count, sizeof *excess);
    dlviz_status status =
        excess ? DLVIZ_OK : dlz_fail_memory("ranks", (uint64_t)q->sample->count * sizeof *excess);
    status = dlz_comm_agree(q->comm, status);
    if (status == DLVIZ_OK)
        status = dlz_rank_excess(q->comm, ranked, q->sample, neighbors, k, excess);
    for (int64_t i = 0; status == DLVIZ_OK && i < q->sample->count; i++)
        q->values[i] = (double)excess[i];
    *unit = (double)k * (double)(2 * n - 3 * k - 1) / 2;
    dlz_free(excess);
    dlz_free(neighbors);
    return status;
}

static dlviz_status trustworthiness(const question *q, double *unit) {
    return trust(q, q->map, q->points, unit);
}

static dlviz_status continuity(const question *q, double *unit) {
    return trust(q, q->points, q->map, unit);
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

static dlviz_status preservation(const question *q, double *unit) {
    int64_t k = q->k;
    int32_t *in_points, *in_map;
    dlz_task_part(0, 0.5);
    DLZ_TRY(dlz_sample_neighbors(q->comm, q->points, q->sample, k, &in_points));
    dlz_task_part(0.5, 0.9);
    dlviz_status status = dlz_sample_neighbors(q->comm, q->map, q->sample, k, &in_map);
    dlz_task_part(0.9, 1);
    for (int64_t i = 0; status == DLVIZ_OK && i < q->sample->count; i++) {
        q->values[i] = (double)count_common(in_points + i * k, in_map + i * k, k);
        status = report_point(q, i);
    }
    dlz_free(in_points);
    dlz_free(in_map);
    *unit = (double)k;
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

static dlviz_status accuracy(const question *q, double *unit) {
    int64_t k = q->k;
    int32_t *indices;
    dlz_task_part(0, 0.9);
    DLZ_TRY(dlz_sample_neighbors(q->comm, q->points, q->sample, k, &indices));
    dlz_task_part(0.9, 1);
    dlviz_status status = DLVIZ_OK;
    for (int64_t i = 0; status == DLVIZ_OK && i < q->sample->count; i++) {
        int64_t label = dlz_label(q->labels, dlz_sample_point(q->sample, i));
        q->values[i] = vote(q->labels, indices + i * k, k) == label;
        status = report_point(q, i);
    }
    dlz_free(indices);
    *unit = 1;
    return status;
}

/* -- Of all points, or of a sample ----------------------------------------------------------------
 */

typedef dlviz_status (*measure_fn)(const question *q, double *unit);

/* How many points a measure needs, and up to which k. */
typedef struct measure {
    const char *task;
    measure_fn function;
    int64_t least;
    bool below_half, of_labels;
    bool of_excess; /* 1 is best, and less by the mean of the values */
} measure;

static const measure trusts = {"trustworthiness", trustworthiness, 3, true, false, true};
static const measure continues = {"continuity", continuity, 3, true, false, true};
static const measure preserves = {"neighbor preservation", preservation, 2, false, false, false};
static const measure votes = {"neighbor accuracy", accuracy, 2, false, true, false};

static dlviz_status of_sample(const measure *m, question *q, double *result,
                              double *standard_error) {
    int64_t n = q->points->dims[0];
    double unit;
    q->values = dlz_alloc_array((uint64_t)q->sample->count, sizeof *q->values);
    dlviz_status status =
        q->values ? DLVIZ_OK
                  : dlz_fail_memory("a sample", (uint64_t)q->sample->count * sizeof *q->values);
    status = dlz_comm_agree(q->comm, status);
    if (status == DLVIZ_OK)
        status = dlz_comm_agree(q->comm, m->function(q, &unit));
    if (status == DLVIZ_OK) {
        double mean = dlz_sample_mean(q->sample, n, q->values, unit, standard_error);
        *result = m->of_excess ? 1 - mean : mean;
    }
    dlz_free(q->values);
    return status;
}

static dlviz_status check(const measure *m, const question *q, const double *result) {
    if (!result)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'result' is NULL", q->who);
    if (m->of_labels)
        DLZ_TRY(dlz_require_points(q->who, "points", q->points, m->least));
    else
        DLZ_TRY(dlz_require_map(q->who, q->points, q->map, m->least));
    int64_t n = q->points->dims[0];
    if (m->of_labels)
        DLZ_TRY(dlz_require_labels(q->who, "labels", q->labels, n));
    return check_neighbors(q->who, q->k, m->below_half ? (n - 1) / 2 : n - 1);
}

static dlviz_status require_same(const question *q, int64_t num_samples, uint64_t seed) {
    DLZ_TRY(dlz_require_same_samples(q->comm, q->who, q->k, num_samples, seed));
    DLZ_TRY(dlz_comm_require_same_tensor(q->comm, q->who, "points", q->points));
    return q->map ? dlz_comm_require_same_tensor(q->comm, q->who, "map", q->map)
                  : dlz_comm_require_same_tensor(q->comm, q->who, "labels", q->labels);
}

/* num_samples INT64_MAX: all. */
static dlviz_status answer(const measure *m, question q, int64_t num_samples, uint64_t seed,
                           double *result, double *standard_error) {
    dlz_clear_results(result, standard_error);
    DLZ_HOLD_COMM(q.who, q.comm);
    DLZ_TRY(dlz_comm_enter(q.comm, q.who, check(m, &q, result)));
    DLZ_TRY(require_same(&q, num_samples, seed));
    DLZ_SHARED_TASK(q.comm, m->task);
    dlz_sample sample;
    dlviz_status status = dlz_sample_draw(q.who, q.points->dims[0], num_samples, seed, &sample);
    status = dlz_comm_agree(q.comm, status);
    q.sample = &sample;
    if (status == DLVIZ_OK)
        status = of_sample(m, &q, result, standard_error);
    dlz_sample_free(&sample);
    return status;
}

#define OF_MAP(by)                                                                                 \
    (question) {                                                                                   \
        .who = __func__, .comm = by, .points = points, .map = map, .k = num_neighbors              \
    }
#define OF_LABELS(by)                                                                              \
    (question) {                                                                                   \
        .who = __func__, .comm = by, .points = points, .labels = labels, .k = num_neighbors        \
    }

dlviz_status dlviz_metrics_trustworthiness(const dlviz_tensor *points, const dlviz_tensor *map,
                                           int64_t num_neighbors, double *result) {
    return answer(&trusts, OF_MAP(NULL), INT64_MAX, 0, result, NULL);
}

dlviz_status dlviz_metrics_trustworthiness_sampled(const dlviz_tensor *points,
                                                   const dlviz_tensor *map, int64_t num_neighbors,
                                                   int64_t num_samples, uint64_t seed,
                                                   double *result, double *standard_error) {
    return answer(&trusts, OF_MAP(NULL), num_samples, seed, result, standard_error);
}

dlviz_status dlviz_metrics_continuity(const dlviz_tensor *points, const dlviz_tensor *map,
                                      int64_t num_neighbors, double *result) {
    return answer(&continues, OF_MAP(NULL), INT64_MAX, 0, result, NULL);
}

dlviz_status dlviz_metrics_continuity_sampled(const dlviz_tensor *points, const dlviz_tensor *map,
                                              int64_t num_neighbors, int64_t num_samples,
                                              uint64_t seed, double *result,
                                              double *standard_error) {
    return answer(&continues, OF_MAP(NULL), num_samples, seed, result, standard_error);
}

dlviz_status dlviz_metrics_neighbor_preservation(const dlviz_tensor *points,
                                                 const dlviz_tensor *map, int64_t num_neighbors,
                                                 double *result) {
    return answer(&preserves, OF_MAP(NULL), INT64_MAX, 0, result, NULL);
}

dlviz_status dlviz_metrics_neighbor_preservation_sampled(const dlviz_tensor *points,
                                                         const dlviz_tensor *map,
                                                         int64_t num_neighbors, int64_t num_samples,
                                                         uint64_t seed, double *result,
                                                         double *standard_error) {
    return answer(&preserves, OF_MAP(NULL), num_samples, seed, result, standard_error);
}

dlviz_status dlviz_metrics_neighbor_accuracy(const dlviz_tensor *points, const dlviz_tensor *labels,
                                             int64_t num_neighbors, double *result) {
    return answer(&votes, OF_LABELS(NULL), INT64_MAX, 0, result, NULL);
}

dlviz_status dlviz_metrics_neighbor_accuracy_sampled(const dlviz_tensor *points,
                                                     const dlviz_tensor *labels,
                                                     int64_t num_neighbors, int64_t num_samples,
                                                     uint64_t seed, double *result,
                                                     double *standard_error) {
    return answer(&votes, OF_LABELS(NULL), num_samples, seed, result, standard_error);
}

/* -- By ranks -- */

dlviz_status dlviz_metrics_trustworthiness_shared(dlviz_comm *comm, const dlviz_tensor *points,
                                                  const dlviz_tensor *map, int64_t num_neighbors,
                                                  int64_t num_samples, uint64_t seed,
                                                  double *result, double *standard_error) {
    return answer(&trusts, OF_MAP(comm), num_samples, seed, result, standard_error);
}

dlviz_status dlviz_metrics_continuity_shared(dlviz_comm *comm, const dlviz_tensor *points,
                                             const dlviz_tensor *map, int64_t num_neighbors,
                                             int64_t num_samples, uint64_t seed, double *result,
                                             double *standard_error) {
    return answer(&continues, OF_MAP(comm), num_samples, seed, result, standard_error);
}

dlviz_status dlviz_metrics_neighbor_preservation_shared(
    dlviz_comm *comm, const dlviz_tensor *points, const dlviz_tensor *map, int64_t num_neighbors,
    int64_t num_samples, uint64_t seed, double *result, double *standard_error) {
    return answer(&preserves, OF_MAP(comm), num_samples, seed, result, standard_error);
}

dlviz_status dlviz_metrics_neighbor_accuracy_shared(dlviz_comm *comm, const dlviz_tensor *points,
                                                    const dlviz_tensor *labels,
                                                    int64_t num_neighbors, int64_t num_samples,
                                                    uint64_t seed, double *result,
                                                    double *standard_error) {
    return answer(&votes, OF_LABELS(comm), num_samples, seed, result, standard_error);
}
