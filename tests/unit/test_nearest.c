/* dlviz_neighbors: what it finds, beside a plain search in double, and what it refuses. */
#include "support/failing.h"
#include "support/netspec.h"
#include "support/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static dlviz_tensor *matrix_of(int64_t n, int64_t d, const float *values) {
    return float_tensor(2, (int64_t[]){n, d}, values);
}

static void expect_truth(const float *points, int64_t n, int64_t d, int k,
                         const dlviz_tensor *indices, const dlviz_tensor *distances,
                         const char *what) {
    double *truth = malloc((size_t)n * sizeof *truth);
    int32_t *nearest = malloc((size_t)k * sizeof *nearest);
    for (int64_t i = 0; i < n; i++) {
        plain_distances(points + i * d, points, n, d, truth);
        plain_nearest(truth, n, i, k, nearest);
        for (int j = 0; j < k; j++) {
            ck_assert_msg(((const int64_t *)dlviz_tensor_const_data(indices))[i * k + j] ==
                              nearest[j],
                          "%s: neighbor %d of %lld", what, j, (long long)i);
            ck_assert_float_eq(dlviz_tensor_const_float(distances)[i * k + j],
                               (float)truth[nearest[j]]);
        }
    }
    free(truth);
    free(nearest);
}

START_TEST(neighbors_are_those_of_a_plain_search) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        dlz_random random = random_numbers(seed);
        int64_t n = random_between(&random, 2, 300), d = random_between(&random, 1, 40);
        int k = (int)random_between(&random, 1, n - 1);
        const char *what;
        float *points = random_points(&random, n, d, &what);
        dlviz_tensor *matrix = matrix_of(n, d, points), *indices, *distances;
        ck_ok(dlviz_neighbors(matrix, k, 1, &indices, &distances));
        expect_truth(points, n, d, k, indices, distances, what);
        dlviz_tensor_destroy(matrix);
        dlviz_tensor_destroy(indices);
        dlviz_tensor_destroy(distances);
        free(points);
    }
}
END_TEST

/* Squares of these vanish in float32. */
START_TEST(tiny_distances_are_told) {
    const float points[] = {0, 1e-30f, 3e-30f, 7e-30f};
    dlviz_tensor *matrix = matrix_of(4, 1, points), *indices, *distances;
    ck_ok(dlviz_neighbors(matrix, 3, 1, &indices, &distances));
    expect_truth(points, 4, 1, 3, indices, distances, "tiny");
    ck_assert_float_gt(dlviz_tensor_const_float(distances)[0], 0);
    dlviz_tensor_destroy(matrix);
    dlviz_tensor_destroy(indices);
    dlviz_tensor_destroy(distances);
}
END_TEST

static double share_found(const dlviz_tensor *found, const dlviz_tensor *truth) {
    int64_t n = dlviz_tensor_dim(truth, 0), k = dlviz_tensor_dim(truth, 1), common = 0;
    const int64_t *a = dlviz_tensor_const_data(found), *b = dlviz_tensor_const_data(truth);
    for (int64_t i = 0; i < n; i++)
        for (int64_t p = 0; p < k; p++)
            for (int64_t q = 0; q < k; q++)
                common += a[i * k + p] == b[i * k + q];
    return (double)common / (double)(n * k);
}

START_TEST(recall_is_kept_and_distances_are_true) {
    enum { n = 6000, d = 8, k = 10 };
    float *points = malloc(n * d * sizeof *points);
    fill_uniform(points, n * d, 4);
    dlviz_tensor *matrix = matrix_of(n, d, points), *truth, *indices, *distances;
    ck_ok(dlviz_neighbors(matrix, k, 1, &truth, NULL));
    const double wanted[] = {0.5, 0.9, 0.99};
    for (int i = 0; i < 3; i++) {
        ck_ok(dlviz_neighbors(matrix, k, wanted[i], &indices, &distances));
        double found = share_found(indices, truth);
        ck_assert_msg(found > wanted[i] - 0.03, "recall %g, wanted %g", found, wanted[i]);
        if (wanted[i] == 0.5) /* or the search would not be another one */
            ck_assert_double_lt(found, 1);
        const int64_t *at = dlviz_tensor_const_data(indices);
        for (int64_t j = 0; j < n * k; j++) {
            double distance;
            plain_distances(points + j / k * d, points + at[j] * d, 1, d, &distance);
            ck_assert_float_eq(dlviz_tensor_const_float(distances)[j], (float)distance);
            ck_assert(at[j] != j / k);
        }
        dlviz_tensor_destroy(indices);
        dlviz_tensor_destroy(distances);
    }
    dlviz_tensor_destroy(truth);
    dlviz_tensor_destroy(matrix);
    free(points);
}
END_TEST

START_TEST(threads_do_not_matter) {
    enum { n = 3000, d = 5, k = 7 };
    float *points = malloc(n * d * sizeof *points);
    fill_uniform(points, n * d, 4);
    dlviz_tensor *matrix = matrix_of(n, d, points), *first, *indices;
    ck_ok(dlviz_set_num_threads(1));
    ck_ok(dlviz_neighbors(matrix, k, 0.8, &first, NULL));
    for (int threads = 2; threads <= 8; threads *= 2) {
        ck_ok(dlviz_set_num_threads(threads));
        ck_ok(dlviz_neighbors(matrix, k, 0.8, &indices, NULL));
        ck_assert_mem_eq(dlviz_tensor_const_data(indices), dlviz_tensor_const_data(first),
                         n * k * sizeof(int64_t));
        dlviz_tensor_destroy(indices);
    }
    dlviz_tensor_destroy(first);
    dlviz_tensor_destroy(matrix);
    free(points);
}
END_TEST

START_TEST(what_is_refused) {
    const dlviz_status bad = DLVIZ_ERROR_INVALID_ARGUMENT;
    float values[] = {1, 2, 3, 4, 5, 6};
    dlviz_tensor *points = matrix_of(3, 2, values), *one = matrix_of(1, 6, values);
    dlviz_tensor *indices = points, *distances = points;
    ck_fails(dlviz_neighbors(points, 1, 1, NULL, &distances), bad, "'indices' is NULL");
    ck_assert_ptr_null(distances);
    ck_fails(dlviz_neighbors(NULL, 1, 1, &indices, &distances), bad, "'points' is NULL");
    ck_assert(!indices && !distances);
    ck_fails(dlviz_neighbors(points, 0, 1, &indices, NULL), bad, "'num_neighbors' is 0; 1 to 2");
    ck_fails(dlviz_neighbors(points, 3, 1, &indices, NULL), bad, "'num_neighbors' is 3; 1 to 2");
    ck_fails(dlviz_neighbors(points, 1, 0, &indices, NULL), bad, "'recall' is 0");
    ck_fails(dlviz_neighbors(points, 1, 1.5, &indices, NULL), bad, "'recall' is 1.5");
    ck_fails(dlviz_neighbors(points, 1, NAN, &indices, NULL), bad, "'recall' is nan");
    ck_fails(dlviz_neighbors(one, 1, 1, &indices, NULL), DLVIZ_ERROR_SHAPE, "1 row");
    dlviz_tensor_float(points)[3] = INFINITY;
    ck_fails(dlviz_neighbors(points, 1, 1, &indices, NULL), DLVIZ_ERROR_NUMERIC, "row 1, column 1");
    ck_assert_ptr_null(indices);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(one);
}
END_TEST

static dlviz_status work(void *context) {
    dlviz_tensor *indices, *distances;
    TRY(dlviz_neighbors(context, 4, 0.9, &indices, &distances));
    dlviz_tensor_destroy(indices);
    dlviz_tensor_destroy(distances);
    return DLVIZ_OK;
}

START_TEST(memory_may_lack) {
    float values[1500 * 2];
    fill_uniform(values, 1500 * 2, 1);
    dlviz_tensor *points = matrix_of(1500, 2, values);
    ck_ok(dlviz_set_num_threads(2));
    ck_assert_int_gt(fail_each_allocation(work, points), 5);
    dlviz_tensor_destroy(points);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {neighbors_are_those_of_a_plain_search,
                                  tiny_distances_are_told,
                                  recall_is_kept_and_distances_are_true,
                                  threads_do_not_matter,
                                  what_is_refused,
                                  memory_may_lack,
                                  NULL};
    return run_tests("nearest", tests);
}
