/* support/pca.h - what the tests of PCA share. */
#ifndef DLZ_TESTS_PCA_H
#define DLZ_TESTS_PCA_H

#include "base/base.h"
#include "support/support.h"
#include "tensor/tensor.h"

#include <math.h>
#include <string.h>

static const dlviz_pca_solver_kind solvers[] = {DLVIZ_PCA_SOLVER_AUTO, DLVIZ_PCA_SOLVER_COVARIANCE,
                                                DLVIZ_PCA_SOLVER_SVD, DLVIZ_PCA_SOLVER_RANDOMIZED};

/* Points whose features mix `rank` directions of falling variance, plus an offset. */
static inline dlviz_tensor *make_points(int64_t n, int64_t d, int64_t rank, double decay,
                                        float offset, uint64_t seed) {
    dlviz_tensor *x, *mix, *raw;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    ck_ok(dlviz_tensor_create(&mix, DLVIZ_FLOAT32, 2, (int64_t[]){rank, d}));
    ck_ok(dlviz_tensor_create(&raw, DLVIZ_FLOAT32, 2, (int64_t[]){n, rank}));
    float *to = x->data, *m = mix->data, *r = raw->data;
    fill_uniform(m, mix->size, seed);
    fill_uniform(r, raw->size, seed + 1);
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < rank; k++) {
            float scale = r[i * rank + k] * (float)pow(decay, (double)k);
            for (int64_t j = 0; j < d; j++)
                to[i * d + j] += scale * m[k * d + j];
        }
    for (int64_t i = 0; i < n * d; i++)
        to[i] += offset;
    dlviz_tensor_destroy(mix);
    dlviz_tensor_destroy(raw);
    return x;
}

static inline dlviz_pca *fitted(const dlviz_tensor *x, int64_t components,
                                dlviz_pca_solver_kind solver) {
    dlviz_pca *pca;
    ck_ok(dlviz_pca_create(&pca, components));
    ck_ok(dlviz_pca_set_solver(pca, solver));
    ck_ok(dlviz_pca_fit(pca, x));
    return pca;
}

static inline const float *values_of(const dlviz_tensor *tensor) {
    return tensor->data;
}

static inline void ck_same_bits(const dlviz_tensor *a, const dlviz_tensor *b) {
    ck_assert_int_eq(a->size, b->size);
    ck_assert_int_eq(memcmp(a->data, b->data, (size_t)a->size * sizeof(float)), 0);
}

#endif
