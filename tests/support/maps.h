/* support/maps.h - maps of points that mean nothing, and how far apart two are. */
#ifndef DLZ_TESTS_MAPS_H
#define DLZ_TESTS_MAPS_H

#include "support/tsne.h"

static inline double distance_of(const dlviz_tensor *a, const dlviz_tensor *b) {
    double sum = 0;
    const float *x = dlviz_tensor_const_float(a), *y = dlviz_tensor_const_float(b);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(a); i++)
        sum += ((double)x[i] - y[i]) * ((double)x[i] - y[i]);
    return sum;
}

static inline dlviz_tensor *random_map(int64_t n, int64_t e, uint64_t seed) {
    dlviz_tensor *map = matrix(n, e, NULL);
    dlz_random random = dlz_random_start(seed, 9);
    for (int64_t i = 0; i < n * e; i++)
        dlviz_tensor_float(map)[i] = (float)(dlz_random_normal(&random) * (double)(1 + i % e * 2));
    return map;
}

static inline void expect_same_shape_of(const dlviz_tensor *a, const dlviz_tensor *b) {
    int64_t n = dlviz_tensor_dim(a, 0), e = dlviz_tensor_dim(a, 1);
    const float *x = dlviz_tensor_const_float(a), *y = dlviz_tensor_const_float(b);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double s = 0, t = 0;
            for (int64_t c = 0; c < e; c++) {
                s += pow((double)x[i * e + c] - x[j * e + c], 2);
                t += pow((double)y[i * e + c] - y[j * e + c], 2);
            }
            ck_assert_double_eq_tol(sqrt(s), sqrt(t), 1e-5 * (1 + sqrt(t)));
        }
}

#endif
