/* support/tsne.h - what the tests of t-SNE share. */
#ifndef DLZ_TESTS_TSNE_H
#define DLZ_TESTS_TSNE_H

#include "base/random.h"
#include "support/support.h"

#include <math.h>

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

static inline bool count_finite(int iteration, int iterations, double divergence, double norm,
                                const dlviz_tensor *map, void *user) {
    (void)iteration, (void)iterations, (void)map;
    ck_assert(isfinite(divergence) && isfinite(norm));
    ++*(int *)user;
    return true;
}

#endif
