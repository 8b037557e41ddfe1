#include "base/base.h"
#include "base/random.h"
#include "embed/neighbours_clusters.h"
#include "kernels/knn.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct found {
    double distance;
    int32_t index;
} found;

static int by_distance(const void *a, const void *b) {
    const found *x = a, *y = b;
    if (x->distance != y->distance)
        return x->distance < y->distance ? -1 : 1;
    return (x->index > y->index) - (x->index < y->index);
}

/* Compares with a search in double. A neighbour may differ from the true one of its rank only when
 * their distances agree to the precision of float. */
static void check_query(const float *points, int64_t n, const float *query, int64_t d, int k,
                        int64_t self, const int32_t *indices, const float *distances) {
    found *all = malloc((size_t)n * sizeof *all);
    int64_t count = 0;
    for (int64_t j = 0; j < n; j++) {
        double sum = 0;
        for (int64_t i = 0; i < d; i++) {
            double difference = (double)query[i] - points[j * d + i];
            sum += difference * difference;
        }
        if (j != self)
            all[count++] = (found){sum, (int32_t)j};
    }
    double *truth = malloc((size_t)n * sizeof *truth);
    for (int64_t j = 0; j < count; j++)
        truth[all[j].index] = all[j].distance;
    qsort(all, (size_t)count, sizeof *all, by_distance);
    for (int i = 0; i < k; i++) {
        ck_assert_int_ne(indices[i], self);
        ck_assert_double_eq_tol(distances[i], all[i].distance, 1e-5 * all[i].distance + 1e-30);
        ck_assert_double_eq_tol(distances[i], truth[indices[i]], 1e-5 * all[i].distance + 1e-30);
        if (i > 0)
            ck_assert(distances[i] > distances[i - 1] ||
                      (distances[i] == distances[i - 1] && indices[i] > indices[i - 1]));
    }
    free(truth);
    free(all);
}

/* For every point, or of many points for a few hundred. */
static void check_all(const float *points, int64_t n, int64_t d, int k) {
    int64_t step = n > 2400 ? n / 100 : 1;
    int32_t *indices = malloc((size_t)(n * k) * sizeof *indices);
    float *distances = malloc((size_t)(n * k) * sizeof *distances);
    ck_ok(dlz_knn_exact(points, n, d, k, indices, distances));
    for (int64_t i = 0; i < n; i += step)
        check_query(points, n, points + i * d, d, k, i, indices + i * k, distances + i * k);
    free(indices);
    free(distances);
}

START_TEST(neighbours_are_those_of_a_search_in_double) {
    const int64_t sizes[][3] = {{2, 1, 1},     {5, 3, 4},     {33, 2, 7},    {100, 50, 99},
                                {257, 17, 5},  {1000, 5, 90}, {611, 64, 30}, {97, 1, 10},
                                {3000, 6, 30}, {5003, 21, 45}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        int64_t n = sizes[s][0], d = sizes[s][1];
        float *points = malloc((size_t)(n * d) * sizeof *points);
        fill_uniform(points, n * d, s);
        check_all(points, n, d, (int)sizes[s][2]);
        free(points);
    }
}
END_TEST

START_TEST(a_large_offset_costs_no_precision) {
    enum { n = 300, d = 8 };
    static float points[n * d];
    fill_uniform(points, n * d, 3);
    for (int i = 0; i < n * d; i++)
        points[i] = points[i] * 0.5f + (float)(1000 * (i % d + 1));
    check_all(points, n, d, 20);
}
END_TEST

START_TEST(coincident_points_are_neighbours_and_self_is_not) {
    enum { n = 1500, d = 3, k = 40 };
    static float points[n * d];
    for (int i = 0; i < n; i++)
        for (int c = 0; c < d; c++)
            points[i * d + c] = i < 500 ? 0.25f : i < 1000 ? -3.5f : (float)i;
    check_all(points, n, d, k);
}
END_TEST

/* Products of points that are far from the mean cannot tell neighbours apart. */
START_TEST(far_groups_are_searched_exactly) {
    enum { most = 5000, d = 10, k = 15 };
    static float points[most * d];
    const int64_t sizes[] = {700, 2000, most};
    const float distances[] = {300, 1e4f, 1e6f};
    for (int size = 0; size < 3; size++)
        for (int far = 0; far < 3; far++) {
            fill_uniform(points, most * d, size);
            for (int64_t i = 0; i < sizes[size]; i++) {
                points[i * d + far] += i % 3 == 0 ? distances[far] : -distances[far];
                if (i % 50 == 0) /* some coincide */
                    memcpy(points + i * d, points, d * sizeof(float));
            }
            check_all(points, sizes[size], d, k);
        }
}
END_TEST

START_TEST(distances_beyond_float_are_an_error) {
    enum { most = 3000, d = 3, k = 5 };
    static float points[most * d], distances[most * k];
    static int32_t indices[most * k];
    fill_uniform(points, most * d, 1);
    for (int i = 0; i < most * d; i++)
        points[i] *= 5e29f;
    const int64_t sizes[] = {100, most};
    for (int size = 0; size < 2; size++)
        ck_fails(dlz_knn_exact(points, sizes[size], d, k, indices, distances), DLVIZ_ERROR_NUMERIC,
                 "range of float32");
}
END_TEST

START_TEST(near_clusters_hold_most_neighbours) {
    enum { n = 12000, d = 6, k = 15 };
    static float points[n * d], truth[n * k], first[n * k], found_distances[n * k];
    static int32_t true_indices[n * k], first_indices[n * k], indices[n * k];
    fill_uniform(points, n * d, 8);
    for (int i = 0; i < 100 * d; i++)
        points[i] = 0.5f; /* some coincide */
    ck_ok(dlz_knn_in_clusters(points, n, d, k, NULL, true_indices, truth));
    /* All clusters: the exact result. */
    ck_ok(dlz_knn_approximate(points, n, d, k, 1, indices, found_distances));
    ck_assert_mem_eq(truth, found_distances, sizeof truth);
    int64_t right = 0;
    for (int threads = 1; threads <= 3; threads++) {
        ck_ok(dlviz_set_num_threads(threads));
        ck_ok(dlz_knn_approximate(points, n, d, k, 0.95, threads == 1 ? first_indices : indices,
                                  threads == 1 ? first : found_distances));
        if (threads > 1) {
            ck_assert_mem_eq(first, found_distances, sizeof first);
            ck_assert_mem_eq(first_indices, indices, sizeof indices);
        }
    }
    for (int i = 0; i < n * k; i++) {
        ck_assert_int_ne(first_indices[i], i / k);
        ck_assert_float_ge(first[i], truth[i]);
        right += first[i] <= truth[i / k * k + k - 1];
    }
    ck_assert_int_ge(right, (int64_t)(0.93 * n * k));
    ck_assert_int_lt(right, n * k);
}
END_TEST

START_TEST(queries_find_points) {
    enum { n = 700, m = 101, d = 9, k = 25 };
    static float points[n * d], queries[m * d], distances[m * k];
    static int32_t indices[m * k];
    fill_uniform(points, n * d, 1);
    fill_uniform(queries, m * d, 2);
    memcpy(queries, points, sizeof(float) * d);
    ck_ok(dlz_knn_query(points, n, queries, m, d, k, indices, distances));
    for (int i = 0; i < m; i++)
        check_query(points, n, queries + i * d, d, k, -1, indices + i * k, distances + i * k);
    ck_assert_int_eq(indices[0], 0);
    ck_assert_float_eq(distances[0], 0);
}
END_TEST

START_TEST(bits_do_not_depend_on_threads) {
    enum { most = 4000, d = 21, k = 33 };
    static float points[most * d], first[most * k], again[most * k];
    static int32_t first_indices[most * k], again_indices[most * k];
    fill_uniform(points, most * d, 5);
    for (int64_t n = 900; n <= most; n += most - 900)
        for (int threads = 1; threads <= 8; threads++) {
            ck_ok(dlviz_set_num_threads(threads));
            ck_ok(dlz_knn_exact(points, n, d, k, threads == 1 ? first_indices : again_indices,
                                threads == 1 ? first : again));
            if (threads > 1) {
                ck_assert_mem_eq(first, again, (size_t)(n * k) * sizeof *first);
                ck_assert_mem_eq(first_indices, again_indices, (size_t)(n * k) * 4);
            }
        }
}
END_TEST

START_TEST(every_variant_scans_like_plain_c) {
    enum { d = 37, keep = 7, capacity = 3 * keep + DLZ_KNN_PANEL };
    static float queries[d * DLZ_KNN_GROUP], panel[d * DLZ_KNN_PANEL], norms[DLZ_KNN_PANEL];
    fill_uniform(queries, d * DLZ_KNN_GROUP, 11);
    fill_uniform(panel, d * DLZ_KNN_PANEL, 12);
    fill_uniform(norms, DLZ_KNN_PANEL, 13);
    norms[5] = INFINITY;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        const dlz_knn_kernel *kernel = dlz_knn_of((dlz_isa)isa);
        static uint64_t entries[DLZ_KNN_GROUP][capacity];
        dlz_knn_buffer buffers[DLZ_KNN_GROUP];
        for (int q = 0; q < DLZ_KNN_GROUP; q++)
            buffers[q] = (dlz_knn_buffer){.entries = entries[q],
                                          .capacity = capacity,
                                          .keep = keep,
                                          .self = 100 + q,
                                          .threshold = q == 3 ? -INFINITY : INFINITY};
        kernel->scan(queries, panel, norms, d, 100, buffers);
        for (int q = 0; q < DLZ_KNN_GROUP; q++) {
            if (q == 3) {
                ck_assert_int_eq(buffers[q].count, 0);
                continue;
            }
            kernel->compact(&buffers[q]);
            ck_assert_int_ge(buffers[q].count, keep);
            ck_assert_int_le(buffers[q].count, keep + keep / 8);
            found expected[DLZ_KNN_PANEL];
            for (int c = 0; c < DLZ_KNN_PANEL; c++) {
                double value = c == q ? INFINITY : norms[c];
                for (int i = 0; i < d; i++)
                    value -= (double)queries[i * DLZ_KNN_GROUP + q] * panel[i * DLZ_KNN_PANEL + c];
                expected[c] = (found){value, 100 + c};
            }
            qsort(expected, DLZ_KNN_PANEL, sizeof *expected, by_distance);
            for (int i = 0; i < keep; i++) {
                bool present = false;
                for (int e = 0; e < buffers[q].count; e++)
                    present |= (int32_t)(uint32_t)buffers[q].entries[e] == expected[i].index;
                ck_assert_msg(present, "%s misses rank %d of query %d", dlz_isa_name((dlz_isa)isa),
                              i, q);
            }
            ck_assert_double_ge(buffers[q].threshold, expected[keep - 1].distance - 1e-5);
            ck_assert_double_lt(buffers[q].threshold, expected[keep + keep / 8].distance + 1e-5);
        }
        for (int64_t length = 0; length <= d; length++) {
            double sum = 0;
            for (int i = 0; i < length; i++)
                sum += pow((double)queries[i] - panel[i], 2);
            ck_assert_double_eq_tol(kernel->squared_distance(queries, panel, length), sum,
                                    1e-5 * sum + 1e-30);
        }
    }
}
END_TEST

START_TEST(numbers_of_neighbours_are_checked) {
    float points[6] = {0}, distances[6];
    int32_t indices[6];
    ck_fails(dlz_knn_exact(points, 3, 2, 3, indices, distances), DLVIZ_ERROR_INVALID_ARGUMENT,
             "3 neighbours of 3 points");
    ck_fails(dlz_knn_exact(points, 3, 2, 0, indices, distances), DLVIZ_ERROR_INVALID_ARGUMENT,
             "0 neighbours");
    ck_fails(dlz_knn_query(points, 3, points, 1, 2, 4, indices, distances),
             DLVIZ_ERROR_INVALID_ARGUMENT, "4 neighbours among 3");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {neighbours_are_those_of_a_search_in_double,
                                  a_large_offset_costs_no_precision,
                                  coincident_points_are_neighbours_and_self_is_not,
                                  far_groups_are_searched_exactly,
                                  distances_beyond_float_are_an_error,
                                  near_clusters_hold_most_neighbours,
                                  queries_find_points,
                                  bits_do_not_depend_on_threads,
                                  every_variant_scans_like_plain_c,
                                  numbers_of_neighbours_are_checked,
                                  NULL};
    return run_tests("neighbours", tests);
}
