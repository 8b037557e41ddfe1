/* What comes before the descent: the points as the search wants them, and where they start. */
#include "base/base.h"
#include "base/random.h"
#include "embed/tsne_internal.h"
#include "tensor/tensor.h"

#include <float.h>
#include <math.h>
#include <string.h>
#include <time.h>

#define START_DEVIATION 1e-4

double dlz_tsne_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

dlviz_status dlz_tsne_copy_points(const char *who, const dlviz_tensor *points,
                                  dlviz_tsne_metric metric, float **copy) {
    *copy = NULL;
    DLZ_TRY(dlz_require_matrix(who, "points", points));
    int64_t n = points->dims[0], d = points->dims[1];
    const float *from = points->data;
    /* Squared distances, sums of d squares of differences, stay finite below this. */
    float limit = (float)(sqrt(FLT_MAX / (double)d) / 4);
    for (int64_t i = 0; i < n * d; i++)
        if (!(fabsf(from[i]) <= limit))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: 'points' has %g in row %lld, column %lld; finite values up to %g "
                            "are accepted",
                            who, (double)from[i], (long long)(i / d), (long long)(i % d),
                            (double)limit);
    float *to = dlz_alloc_array((size_t)(n * d), sizeof *to);
    if (!to)
        return dlz_fail_memory("a copy of the points", (size_t)(n * d) * sizeof *to);
    memcpy(to, from, (size_t)(n * d) * sizeof *to);
    for (int64_t row = 0; metric == DLVIZ_TSNE_COSINE && row < n; row++) {
        double norm = 0;
        for (int64_t i = row * d; i < (row + 1) * d; i++)
            norm += (double)to[i] * to[i];
        if (!(norm > 0)) {
            dlz_free(to);
            return dlz_fail(
                DLVIZ_ERROR_NUMERIC,
                "%s: row %lld of 'points' is all zeros and has no direction; the cosine "
                "metric needs one",
                who, (long long)row);
        }
        norm = sqrt(norm);
        for (int64_t i = row * d; i < (row + 1) * d; i++)
            to[i] = (float)(to[i] / norm);
    }
    *copy = to;
    return DLVIZ_OK;
}

void dlz_tsne_metric_distances(dlviz_tsne_metric metric, float *squared_distances, int64_t count) {
    /* Unit vectors: |a - b|^2 = 2 (1 - cos). */
    for (int64_t i = 0; metric == DLVIZ_TSNE_COSINE && i < count; i++) {
        float distance = squared_distances[i] / 2;
        squared_distances[i] = distance * distance;
    }
}

void dlz_tsne_start_random(int64_t n, int dimensions, uint64_t seed, float *map) {
    dlz_random random = dlz_random_start(seed, DLZ_STREAM_EMBED);
    for (int64_t i = 0; i < n * dimensions; i++)
        map[i] = (float)(START_DEVIATION * dlz_random_normal(&random));
}

/* One principal direction by power iteration, orthogonal to the earlier ones. */
static void direction(const float *points, const double *mean, int64_t n, int64_t d, int earlier,
                      double *directions, double *scratch, dlz_random *random) {
    double *v = directions + earlier * d;
    for (int64_t i = 0; i < d; i++)
        v[i] = dlz_random_normal(random);
    for (int step = 0; step < 60; step++) {
        for (int e = 0; e < earlier; e++) {
            double dot = 0;
            for (int64_t i = 0; i < d; i++)
                dot += v[i] * directions[e * d + i];
            for (int64_t i = 0; i < d; i++)
                v[i] -= dot * directions[e * d + i];
        }
        double norm = 0;
        for (int64_t i = 0; i < d; i++)
            norm += v[i] * v[i];
        norm = sqrt(norm);
        for (int64_t i = 0; i < d; i++)
            v[i] = norm > 0 ? v[i] / norm : 0;
        if (step == 59)
            return;
        memset(scratch, 0, (size_t)d * sizeof *scratch);
        for (int64_t p = 0; p < n; p++) {
            double dot = 0;
            for (int64_t i = 0; i < d; i++)
                dot += (points[p * d + i] - mean[i]) * v[i];
            for (int64_t i = 0; i < d; i++)
                scratch[i] += dot * (points[p * d + i] - mean[i]);
        }
        memcpy(v, scratch, (size_t)d * sizeof *v);
    }
}

dlviz_status dlz_tsne_start_pca(const float *points, int64_t n, int64_t d, int dimensions,
                                uint64_t seed, float *map) {
    double *memory = dlz_alloc_array_zero((size_t)d, 5 * sizeof(double));
    if (!memory)
        return dlz_fail_memory("the start", (size_t)d * 5 * sizeof(double));
    double *mean = memory, *scratch = memory + d, *directions = memory + 2 * d, variance = 0;
    for (int64_t p = 0; p < n; p++)
        for (int64_t i = 0; i < d; i++)
            mean[i] += points[p * d + i] / (double)n;
    dlz_random random = dlz_random_start(seed, DLZ_STREAM_EMBED);
    for (int c = 0; c < dimensions && c < d; c++)
        direction(points, mean, n, d, c, directions, scratch, &random);
    for (int64_t p = 0; p < n; p++)
        for (int c = 0; c < dimensions; c++) {
            double dot = 0;
            for (int64_t i = 0; i < d; i++)
                dot += (points[p * d + i] - mean[i]) * directions[c * d + i];
            map[p * dimensions + c] = (float)dot;
            if (c == 0)
                variance += dot * dot / (double)n;
        }
    double scale = variance > 0 ? START_DEVIATION / sqrt(variance) : 0;
    for (int64_t i = 0; i < n * dimensions; i++)
        map[i] = (float)(map[i] * scale);
    dlz_free(memory);
    return DLVIZ_OK;
}
