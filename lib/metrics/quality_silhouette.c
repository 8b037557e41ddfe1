#include "metrics/quality.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "comm/comm.h"
#include "comm/enter.h"
#include "comm/digest.h"
#include "comm/tiles.h"

#include <dlviz/metrics.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The points with their labels numbered 0 … classes − 1 and put in that order, so that distances to
 * one class lie side by side. */
typedef struct classes {
    dlviz_tensor *points;
    int32_t *label;  /* n, in the new order */
    int64_t *starts; /* count + 1 */
    int64_t count;
} classes;

typedef struct entry {
    int64_t label, point;
} entry;

static int compare(const void *a, const void *b) {
    const entry *x = a, *y = b;
    if (x->label != y->label)
        return x->label < y->label ? -1 : 1;
    return x->point < y->point ? -1 : x->point > y->point;
}

static void classes_clear(classes *c) {
    dlviz_tensor_destroy(c->points);
    dlz_free(c->label);
    dlz_free(c->starts);
}

static void fill(classes *c, const dlviz_tensor *points, entry *entries) {
    int64_t n = points->dims[0], d = points->dims[1];
    const float *from = points->data;
    float *to = c->points->data;
    qsort(entries, (size_t)n, sizeof *entries, compare);
    for (int64_t i = 0; i < n; i++) {
        if (i == 0 || entries[i].label != entries[i - 1].label)
            c->starts[c->count++] = i;
        c->label[i] = (int32_t)(c->count - 1);
        memcpy(to + i * d, from + entries[i].point * d, (size_t)d * sizeof *to);
    }
    c->starts[c->count] = n;
}

static dlviz_status sort_by_class(const dlviz_tensor *points, const dlviz_tensor *labels,
                                  classes *c) {
    int64_t n = points->dims[0];
    *c = (classes){0};
    c->label = dlz_alloc_array((uint64_t)n, sizeof *c->label);
    c->starts = dlz_alloc_array((uint64_t)n + 1, sizeof *c->starts);
    entry *entries = dlz_alloc_array((uint64_t)n, sizeof *entries);
    dlviz_status status;
    if (c->label && c->starts && entries)
        status = dlz_tensor_create_raw(&c->points, DLVIZ_FLOAT32, 2, points->dims);
    else
        status = dlz_fail_memory("labels", (uint64_t)n * sizeof *entries);
    if (status == DLVIZ_OK) {
        for (int64_t i = 0; i < n; i++)
            entries[i] = (entry){dlz_label(labels, i), i};
        fill(c, points, entries);
    }
    dlz_free(entries);
    return status;
}

typedef struct silhouette_pass {
    const dlz_distances *distances;
    const classes *classes;
    const dlz_sample *sample; /* of the points in their new order */
    double *scratch;
    uint64_t stride;
    double *values; /* a point of the sample */
} silhouette_pass;

static double sum_of_roots(const double *squares, int64_t count) {
    double lanes[4] = {0};
    int64_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (int l = 0; l < 4; l++)
            lanes[l] += sqrt(squares[i + l]);
    for (; i < count; i++)
        lanes[0] += sqrt(squares[i]);
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

/* The silhouette of one point, from its row of squared distances. */
static double silhouette_of(const classes *c, int64_t point, double *row) {
    int32_t own = c->label[point];
    double within = 0, nearest = INFINITY;
    if (c->starts[own + 1] - c->starts[own] == 1)
        return 0;
    row[point] = 0;
    for (int64_t k = 0; k < c->count; k++) {
        int64_t first = c->starts[k], size = c->starts[k + 1] - first;
        double sum = sum_of_roots(row + first, size);
        if (k == own)
            within = sum / (double)(size - 1);
        else
            nearest = fmin(nearest, sum / (double)size);
    }
    double larger = fmax(within, nearest);
    return larger > 0 ? (nearest - within) / larger : 0;
}

static void silhouette_tile(void *context, int64_t tile, int worker) {
    const silhouette_pass *pass = context;
    int64_t first = tile * DLZ_DISTANCE_ROWS;
    double *scratch = pass->scratch + (size_t)worker * pass->stride;
    double *rows = scratch + pass->distances->scratch;
    int64_t count = dlz_distance_rows(pass->distances, pass->sample, first, scratch, rows);
    for (int64_t i = 0; i < count; i++)
        pass->values[first + i] =
            silhouette_of(pass->classes, dlz_sample_point(pass->sample, first + i),
                          rows + i * pass->distances->stride);
}

static dlviz_status reserve(silhouette_pass *pass, dlz_distances *distances, int workers) {
    DLZ_TRY(dlz_distances_start(distances, pass->classes->points));
    pass->distances = distances;
    pass->stride = distances->scratch + (size_t)(DLZ_DISTANCE_ROWS * distances->stride);
    pass->scratch = dlz_alloc_array((uint64_t)workers, pass->stride * sizeof(double));
    pass->values = dlz_alloc_array((uint64_t)pass->sample->count, sizeof *pass->values);
    if (!pass->scratch || !pass->values)
        return dlz_fail_memory("distances", (uint64_t)workers * pass->stride * sizeof(double));
    return DLVIZ_OK;
}

static dlviz_status mean_silhouette(dlviz_comm *comm, const classes *c, const dlz_sample *sample,
                                    double *result, double *standard_error) {
    int64_t n = c->points->dims[0], d = c->points->dims[1];
    dlz_distances distances = {0};
    silhouette_pass pass = {.classes = c, .sample = sample};
    int workers = dlz_threads();
    dlviz_status status = reserve(&pass, &distances, workers);
    dlz_comm_tiles tiles = {.count = dlz_ceil_div(sample->count, DLZ_DISTANCE_ROWS),
                            .workers = workers,
                            .cost = (double)sample->count * (double)n * (double)d,
                            .run = silhouette_tile,
                            .context = &pass,
                            .told = true,
                            .data = pass.values,
                            .things = sample->count,
                            .a_tile = DLZ_DISTANCE_ROWS,
                            .thing_size = sizeof *pass.values};
    status = dlz_comm_run_tiles(comm, status, &tiles);
    if (status == DLVIZ_OK)
        *result = dlz_sample_mean(sample, n, pass.values, 1, standard_error);
    dlz_free(pass.scratch);
    dlz_free(pass.values);
    dlz_distances_end(&distances);
    return status;
}

/* What is asked for; num_samples INT64_MAX: of all. */
typedef struct question {
    const char *who;
    dlviz_comm *comm;
    const dlviz_tensor *points, *labels;
    int64_t num_samples;
    uint64_t seed;
} question;

static dlviz_status of_classes(const question *q, const classes *c, double *result,
                               double *standard_error) {
    int64_t n = q->points->dims[0];
    if (c->count < 2 || c->count > n - 1)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'labels' has %lld different values; 2 to %lld are accepted", q->who,
                        (long long)c->count, (long long)(n - 1));
    dlz_sample sample;
    dlviz_status status = dlz_sample_draw(q->who, n, q->num_samples, q->seed, &sample);
    status = dlz_comm_agree(q->comm, status);
    if (status == DLVIZ_OK)
        status = mean_silhouette(q->comm, c, &sample, result, standard_error);
    dlz_sample_free(&sample);
    return status;
}

static dlviz_status check(const question *q, const double *result) {
    if (!result)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'result' is NULL", q->who);
    DLZ_TRY(dlz_require_points(q->who, "points", q->points, 3));
    return dlz_require_labels(q->who, "labels", q->labels, q->points->dims[0]);
}

static dlviz_status silhouette(question q, double *result, double *standard_error) {
    dlz_clear_results(result, standard_error);
    DLZ_HOLD_COMM(q.who, q.comm);
    DLZ_TRY(dlz_comm_enter(q.comm, q.who, check(&q, result)));
    DLZ_TRY(dlz_require_same_samples(q.comm, q.who, 0, q.num_samples, q.seed));
    DLZ_TRY(dlz_comm_require_same_tensor(q.comm, q.who, "points", q.points));
    DLZ_TRY(dlz_comm_require_same_tensor(q.comm, q.who, "labels", q.labels));
    DLZ_SHARED_TASK(q.comm, "silhouette");
    classes c;
    dlviz_status status = dlz_comm_agree(q.comm, sort_by_class(q.points, q.labels, &c));
    if (status == DLVIZ_OK)
        status = of_classes(&q, &c, result, standard_error);
    classes_clear(&c);
    return status;
}

dlviz_status dlviz_metrics_silhouette(const dlviz_tensor *points, const dlviz_tensor *labels,
                                      double *result) {
    question q = {__func__, NULL, points, labels, INT64_MAX, 0};
    return silhouette(q, result, NULL);
}

dlviz_status dlviz_metrics_silhouette_sampled(const dlviz_tensor *points,
                                              const dlviz_tensor *labels, int64_t num_samples,
                                              uint64_t seed, double *result,
                                              double *standard_error) {
    question q = {__func__, NULL, points, labels, num_samples, seed};
    return silhouette(q, result, standard_error);
}

dlviz_status dlviz_metrics_silhouette_shared(dlviz_comm *comm, const dlviz_tensor *points,
                                             const dlviz_tensor *labels, int64_t num_samples,
                                             uint64_t seed, double *result,
                                             double *standard_error) {
    question q = {__func__, comm, points, labels, num_samples, seed};
    return silhouette(q, result, standard_error);
}
