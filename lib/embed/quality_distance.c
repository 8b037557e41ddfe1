#include "embed/quality.h"
#include "base/base.h"
#include "kernels/center.h"
#include "linalg/linalg.h"

#include <float.h>
#include <math.h>
#include <string.h>

#define COLUMNS 256

dlviz_status dlz_require_distances(const char *who, const char *name, const dlviz_tensor *points) {
    int64_t d = points->dims[1];
    const float *values = points->data;
    float limit = (float)(sqrt(FLT_MAX / (double)d) / 4);
    for (int64_t i = 0; i < points->size; i++)
        if (!(fabsf(values[i]) <= limit))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: '%s' has %g in row %lld, column %lld; finite values up to %g are "
                            "accepted",
                            who, name, (double)values[i], (long long)(i / d), (long long)(i % d),
                            (double)limit);
    return DLVIZ_OK;
}

dlviz_status dlz_require_points(const char *who, const char *name, const dlviz_tensor *points,
                                int64_t least) {
    DLZ_TRY(dlz_require_matrix(who, name, points));
    int64_t n = points->dims[0];
    if (n < least || n > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: '%s' has %lld rows; %lld to %d are accepted", who,
                        name, (long long)n, (long long)least, INT32_MAX);
    return dlz_require_distances(who, name, points);
}

dlviz_status dlz_require_map(const char *who, const dlviz_tensor *points, const dlviz_tensor *map,
                             int64_t least) {
    DLZ_TRY(dlz_require_points(who, "points", points, least));
    DLZ_TRY(dlz_require_points(who, "map", map, least));
    if (map->dims[0] != points->dims[0])
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'map' has %lld rows, 'points' has %lld", who,
                        (long long)map->dims[0], (long long)points->dims[0]);
    return DLVIZ_OK;
}

dlviz_status dlz_require_labels(const char *who, const char *name, const dlviz_tensor *labels,
                                int64_t n) {
    if (!labels)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", who, name);
    char text[DLZ_SHAPE_TEXT_SIZE];
    if (labels->dtype == DLVIZ_FLOAT32)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: '%s' holds float32; uint8 or int64 are accepted",
                        who, name);
    if (labels->ndim != 1 || labels->dims[0] != n)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: '%s' is %s, needs %lld", who, name,
                        dlz_shape_text(text, labels->ndim, labels->dims), (long long)n);
    return DLVIZ_OK;
}

static void center(const dlz_distances *distances, int64_t first, int64_t rows, double *to) {
    int64_t d = distances->d;
    const float *from = distances->points + first * d;
    for (int64_t i = 0; i < rows; i++)
        dlz_center()->to_double(from + i * d, distances->mean, to + i * d, d);
}

/* Centred, the points' norms are of the size of their distances: less is lost when they cancel. */
dlviz_status dlz_distances_start(dlz_distances *distances, const dlviz_tensor *points) {
    int64_t n = points->dims[0], d = points->dims[1];
    const float *values = points->data;
    double *block = dlz_alloc_array((uint64_t)(n + d), sizeof *block);
    if (!block)
        return dlz_fail_memory("norms", (uint64_t)(n + d) * sizeof *block);
    *distances = (dlz_distances){values, n, d, block, block + d, 0};
    distances->scratch = (uint64_t)((DLZ_DISTANCE_ROWS + COLUMNS) * d);
    memset(distances->mean, 0, (size_t)d * sizeof *block);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++)
            distances->mean[j] += (double)values[i * d + j];
    for (int64_t j = 0; j < d; j++)
        distances->mean[j] /= (double)n;
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < d; j++) {
            double x = (double)values[i * d + j] - distances->mean[j];
            sum += x * x;
        }
        distances->norms[i] = sum;
    }
    return DLVIZ_OK;
}

void dlz_distances_end(dlz_distances *distances) {
    dlz_free(distances->mean);
}

int64_t dlz_distance_rows(const dlz_distances *distances, int64_t first, double *scratch,
                          double *rows) {
    int64_t n = distances->n, d = distances->d;
    int64_t count = dlz_min_i64(DLZ_DISTANCE_ROWS, n - first);
    double *columns = scratch + DLZ_DISTANCE_ROWS * d;
    center(distances, first, count, scratch);
    for (int64_t c = 0; c < n; c += COLUMNS) {
        int64_t width = dlz_min_i64(COLUMNS, n - c);
        center(distances, c, width, columns);
        dlz_dgemm(false, true, count, width, d, -2, scratch, d, columns, d, 0, rows + c, n);
        for (int64_t i = 0; i < count; i++)
            for (int64_t j = 0; j < width; j++) {
                double square =
                    rows[i * n + c + j] + (distances->norms[first + i] + distances->norms[c + j]);
                rows[i * n + c + j] = square > 0 ? square : 0;
            }
    }
    for (int64_t i = 0; i < count; i++)
        rows[i * n + first + i] = INFINITY;
    return count;
}
