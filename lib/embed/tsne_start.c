/* What comes before the descent: the points as the search wants them, and where they start. */
#include "base/base.h"
#include "base/random.h"
#include "embed/quality.h"
#include "embed/tsne_internal.h"
#include "tensor/tensor.h"

#include <dlviz/pca.h>

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
    DLZ_TRY(dlz_require_distances(who, "points", points));
    float *to = dlz_alloc_array((uint64_t)(n * d), sizeof *to);
    if (!to)
        return dlz_fail_memory("a copy of the points", (uint64_t)(n * d) * sizeof *to);
    memcpy(to, points->data, (size_t)(n * d) * sizeof *to);
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

/* Scales the columns alike so that the first has the wanted deviation around its mean; a map
 * without any extent, which would have no gradient, becomes random. */
static void scale_start(int64_t n, int dimensions, uint64_t seed, float *map) {
    double sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += map[i * dimensions];
        squares += (double)map[i * dimensions] * map[i * dimensions];
    }
    double mean = sum / (double)n, variance = squares / (double)n - mean * mean;
    if (!(variance > 0)) {
        dlz_tsne_start_random(n, dimensions, seed, map);
        return;
    }
    double scale = START_DEVIATION / sqrt(variance);
    for (int64_t i = 0; i < n * dimensions; i++)
        map[i] = (float)(map[i] * scale);
}

/* Principal components in the map's first columns; columns the points have no components for are
 * filled with random numbers, small beside the others. */
static dlviz_status project(dlviz_pca *pca, const dlviz_tensor *points, int dimensions,
                            uint64_t seed, float *map) {
    dlviz_tensor *projected;
    DLZ_TRY(dlviz_pca_fit_transform(pca, points, &projected));
    int64_t n = points->dims[0], kept = projected->dims[1];
    const float *values = projected->data;
    float largest = 0;
    for (int64_t i = 0; i < n * kept; i++)
        largest = fmaxf(largest, fabsf(values[i]));
    dlz_random random = dlz_random_start(seed, DLZ_STREAM_EMBED);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < dimensions; c++)
            map[i * dimensions + c] = c < kept
                                          ? values[i * kept + c]
                                          : (float)(0.01 * largest * dlz_random_normal(&random));
    dlviz_tensor_destroy(projected);
    return DLVIZ_OK;
}

dlviz_status dlz_tsne_start_pca(float *points, int64_t n, int64_t d, int dimensions, uint64_t seed,
                                float *map) {
    if (n < 2) {
        dlz_tsne_start_random(n, dimensions, seed, map);
        return DLVIZ_OK;
    }
    dlviz_tensor *matrix = NULL;
    dlviz_pca *pca = NULL;
    DLZ_TRY(dlviz_tensor_wrap(&matrix, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}, points, NULL, NULL));
    dlviz_status status = dlviz_pca_create(&pca, dlz_min_i64(dimensions, dlz_min_i64(n, d)));
    if (status == DLVIZ_OK)
        status = dlviz_pca_set_seed(pca, seed);
    if (status == DLVIZ_OK)
        status = project(pca, matrix, dimensions, seed, map);
    if (status == DLVIZ_OK)
        scale_start(n, dimensions, seed, map);
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(matrix);
    return status;
}
