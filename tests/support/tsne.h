/* support/tsne.h - what the tests of t-SNE share. */
#ifndef DLZ_TESTS_TSNE_H
#define DLZ_TESTS_TSNE_H

#include "base/random.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

static inline dlviz_tensor *matrix(int64_t n, int64_t d, const float *values) {
    dlviz_tensor *tensor;
    ck_ok(values ? dlviz_tensor_from_data(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}, values)
                 : dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    return tensor;
}

/* Four well separated Gaussian clusters; point i belongs to cluster i % 4. */
static inline dlviz_tensor *blobs(int64_t n, int64_t d, uint64_t seed) {
    dlviz_tensor *points = matrix(n, d, NULL);
    float *values = dlviz_tensor_float(points);
    dlz_random random = dlz_random_start(seed, 5);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < d; c++)
            values[i * d + c] = (float)(dlz_random_normal(&random) + (c == i % 4 ? 12 : 0));
    return points;
}

static inline void check_map(const dlviz_tensor *map, int64_t n, int64_t dimensions) {
    ck_assert_int_eq(dlviz_tensor_dim(map, 0), n);
    ck_assert_int_eq(dlviz_tensor_dim(map, 1), dimensions);
    for (int64_t i = 0; i < n * dimensions; i++)
        ck_assert(isfinite(dlviz_tensor_const_float(map)[i]));
}

static inline bool count_finite(const dlviz_tsne_event *event, void *user) {
    ck_assert(isfinite(dlviz_tsne_event_kl_divergence(event)));
    ck_assert(isfinite(dlviz_tsne_event_gradient_norm(event)));
    ++*(int *)user;
    return true;
}

/* Neighbors, and as affinities of 1: those of i are the k points at step, 2 step ... behind it. */
static inline void make_rings(int n, int k, int step, dlviz_tensor **indices,
                              dlviz_tensor **distances, dlviz_tensor **offsets,
                              dlviz_tensor **columns, dlviz_tensor **values) {
    *distances = matrix(n, k, NULL);
    ck_ok(dlviz_tensor_create(indices, DLVIZ_INT64, 2, (int64_t[]){n, k}));
    ck_ok(dlviz_tensor_create(offsets, DLVIZ_INT64, 1, (int64_t[]){n + 1}));
    ck_ok(dlviz_tensor_create(columns, DLVIZ_INT64, 1, (int64_t[]){n * k}));
    ck_ok(dlviz_tensor_create(values, DLVIZ_FLOAT32, 1, (int64_t[]){n * k}));
    int64_t *index = dlviz_tensor_data(*indices), *offset = dlviz_tensor_data(*offsets);
    for (int i = 0; i < n * k; i++) {
        index[i] = (i / k + step * (1 + i % k)) % n;
        dlviz_tensor_float(*distances)[i] = (float)(1 + i % k);
        dlviz_tensor_float(*values)[i] = 1;
        offset[i / k + 1] = i + 1;
    }
    memcpy(dlviz_tensor_data(*columns), index, (size_t)(n * k) * sizeof *index);
}

#endif
