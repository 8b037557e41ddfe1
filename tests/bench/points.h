/* bench/points.h - points, and classes of a map, for benchmarks. */
#ifndef DLZ_TESTS_BENCH_POINTS_H
#define DLZ_TESTS_BENCH_POINTS_H

#include "program.h"

/* The first `limit` rows of a file that is mapped; 0: all. */
static inline dlviz_tensor *read_points(const char *path, int64_t limit) {
    dlviz_tensor *all, *some;
    check(dlviz_tensor_map_npy(&all, path));
    if (limit == 0 || limit >= dlviz_tensor_dim(all, 0))
        return all;
    check(dlviz_tensor_slice(all, 0, limit, &some));
    dlviz_tensor_destroy(all);
    return some;
}

/* The quarters of a map, each cut in two. */
static inline dlviz_tensor *label_quarters(const dlviz_tensor *map) {
    int64_t n = dlviz_tensor_dim(map, 0);
    dlviz_tensor *labels;
    check(dlviz_tensor_create(&labels, DLVIZ_UINT8, 1, &n));
    for (int64_t i = 0; i < n; i++) {
        float x = dlviz_tensor_const_float(map)[2 * i],
              y = dlviz_tensor_const_float(map)[2 * i + 1];
        ((uint8_t *)dlviz_tensor_data(labels))[i] = (uint8_t)((x > 0) + 2 * (y > 0) + 4 * (x > y));
    }
    return labels;
}

#endif
