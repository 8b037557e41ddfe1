/* Maps laid over each other: P. Schonemann, "A generalized solution of the orthogonal Procrustes
 * problem", Psychometrika 31, 1966. */
#include "base/base.h"
#include "linalg/linalg.h"
#include "tensor/tensor.h"

#include <assert.h>
#include <dlviz/film.h>
#include <math.h>
#include <string.h>

enum { MOST = 3 }; /* dimensions */

/* Below this share of the largest, a singular value may be what rounding to floats has made of 0. */
#define NOISE 1e-6

static void find_mean(const dlviz_tensor *map, double mean[MOST]) {
    int64_t n = map->dims[0], e = map->dims[1];
    const float *values = map->data;
    assert(e >= 1 && e <= MOST);
    for (int64_t c = 0; c < e; c++)
        mean[c] = 0;
    for (int64_t i = 0; i < n * e; i++)
        mean[i % e] += values[i];
    for (int64_t c = 0; c < e; c++)
        mean[c] /= (double)n;
}

/* products[i][j]: of the map's coordinate i and the reference's j, both about their means. */
static void multiply(const dlviz_tensor *map, const double *mean, const dlviz_tensor *reference,
                     const double *other, double *products) {
    int64_t n = map->dims[0], e = map->dims[1];
    const float *a = map->data, *b = reference->data;
    memset(products, 0, (size_t)(e * e) * sizeof *products);
    for (int64_t p = 0; p < n; p++)
        for (int64_t i = 0; i < e; i++)
            for (int64_t j = 0; j < e; j++)
                products[i * e + j] += (a[p * e + i] - mean[i]) * (b[p * e + j] - other[j]);
}

/* Takes what the first `count` rows span out of another; returns the length that is left. */
static double leave_out(int64_t e, int64_t count, const double *rows, double *row) {
    double square = 0;
    for (int round = 0; round < 2; round++)
        for (int64_t r = 0; r < count; r++) {
            double along = 0;
            for (int64_t c = 0; c < e; c++)
                along += rows[r * e + c] * row[c];
            for (int64_t c = 0; c < e; c++)
                row[c] -= along * rows[r * e + c];
        }
    for (int64_t c = 0; c < e; c++)
        square += row[c] * row[c];
    return sqrt(square);
}

/* A unit row orthogonal to the first `count`, near `wish` where that is possible. */
static void complete(int64_t e, int64_t count, double *rows, const double *wish) {
    double *row = rows + count * e, length;
    int64_t axis = -1;
    assert(count >= 0 && count < e);
    do {
        for (int64_t c = 0; c < e; c++)
            row[c] = axis < 0 ? wish[c] : (double)(c == axis);
        length = leave_out(e, count, rows, row);
    } while (length < 0.5 && ++axis < e);
    for (int64_t c = 0; c < e; c++)
        row[c] /= length;
}

static dlviz_status find_rotation(int64_t e, const double *products, double *rotation);

/* Of the rows of U behind the first `known` it is only settled what they span: turns them, among themselves, as near
 * to those of V as they can come. */
static dlviz_status bring_near(int64_t e, int64_t known, double *left, const double *right) {
    double products[MOST * MOST], turn[MOST * MOST], rows[MOST * MOST] = {0};
    int64_t free = e - known;
    memset(products, 0, sizeof products);
    for (int64_t i = 0; i < free; i++)
        for (int64_t j = 0; j < free; j++)
            for (int64_t c = 0; c < e; c++)
                products[i * free + j] += right[(known + i) * e + c] * left[(known + j) * e + c];
    DLZ_TRY(find_rotation(free, products, turn));
    for (int64_t i = 0; i < free; i++)
        for (int64_t j = 0; j < free; j++)
            for (int64_t c = 0; c < e; c++)
                rows[i * e + c] += turn[i * free + j] * left[(known + j) * e + c];
    memcpy(left + known * e, rows, (size_t)(free * e) * sizeof *left);
    return DLVIZ_OK;
}

/* The orthogonal matrix nearest to U S V^T: U V^T. Where a singular value is 0, the maps do not say
 * how to turn, and the map stays as near to what it is as it can. */
static dlviz_status find_rotation(int64_t e, const double *products, double *rotation) {
    double copy[MOST * MOST], values[MOST], right[MOST * MOST], left[MOST * MOST];
    int64_t known = 0;
    assert(e >= 1 && e <= MOST);
    memcpy(copy, products, (size_t)(e * e) * sizeof *copy);
    DLZ_TRY(dlz_svd_right(e, e, copy, values, right));
    while (known < e && values[known] > NOISE * values[0])
        known++;
    for (int64_t r = 0; r < e; r++) {
        double wish[MOST] = {0};
        for (int64_t i = 0; i < e; i++)
            for (int64_t j = 0; r < known && j < e; j++)
                wish[i] += products[i * e + j] * right[r * e + j] / values[r];
        complete(e, r, left, r < known ? wish : right + r * e);
    }
    if (known > 0 && known < e)
        DLZ_TRY(bring_near(e, known, left, right));
    memset(rotation, 0, (size_t)(e * e) * sizeof *rotation);
    for (int64_t r = 0; r < e; r++)
        for (int64_t i = 0; i < e; i++)
            for (int64_t j = 0; j < e; j++)
                rotation[i * e + j] += left[r * e + i] * right[r * e + j];
    return DLVIZ_OK;
}

static dlviz_status move(const char *who, const dlviz_tensor *map, const double *mean,
                         const double *rotation, const double *to_mean, float *to) {
    int64_t n = map->dims[0], e = map->dims[1];
    const float *values = map->data;
    for (int64_t i = 0; i < n * e; i++) {
        double value = to_mean[i % e];
        for (int64_t c = 0; c < e; c++)
            value += (values[i / e * e + c] - mean[c]) * rotation[c * e + i % e];
        to[i] = (float)value;
        if (!isfinite(to[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: row %lld of the aligned map would be beyond float32", who,
                            (long long)(i / e));
    }
    return DLVIZ_OK;
}

static dlviz_status check_map(const char *who, const char *name, const dlviz_tensor *map) {
    DLZ_TRY(dlz_require_matrix(who, name, map));
    int64_t e = map->dims[1];
    const float *values = map->data;
    if (e > MOST)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: '%s' has %lld columns; 1 to %d are accepted", who,
                        name, (long long)e, MOST);
    for (int64_t i = 0; i < map->size; i++)
        if (!isfinite(values[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: '%s' has %g in row %lld; finite values are accepted", who, name,
                            (double)values[i], (long long)(i / e));
    return DLVIZ_OK;
}

static dlviz_status align(const char *who, const dlviz_tensor *map, const dlviz_tensor *reference,
                          dlviz_tensor *aligned) {
    double mean[MOST], other[MOST], products[MOST * MOST], rotation[MOST * MOST];
    find_mean(map, mean);
    find_mean(reference, other);
    multiply(map, mean, reference, other, products);
    DLZ_TRY(find_rotation(map->dims[1], products, rotation));
    return move(who, map, mean, rotation, other, aligned->data);
}

dlviz_status dlviz_align(const dlviz_tensor *map, const dlviz_tensor *reference,
                         dlviz_tensor **aligned) {
    DLZ_REQUIRE_OUT(aligned);
    DLZ_TRY(check_map(__func__, "map", map));
    DLZ_TRY(check_map(__func__, "reference", reference));
    if (memcmp(map->dims, reference->dims, 2 * sizeof *map->dims) != 0)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'map' is %lld x %lld and 'reference' %lld x %lld; equal shapes are "
                        "accepted",
                        __func__, (long long)map->dims[0], (long long)map->dims[1],
                        (long long)reference->dims[0], (long long)reference->dims[1]);
    dlviz_tensor *result;
    DLZ_TRY(dlz_tensor_create_raw(&result, DLVIZ_FLOAT32, 2, map->dims));
    dlviz_status status = align(__func__, map, reference, result);
    if (status == DLVIZ_OK)
        *aligned = result;
    else
        dlviz_tensor_destroy(result);
    return status;
}
