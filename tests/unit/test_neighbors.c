#include "base/base.h"
#include "base/random.h"
#include "neighbors/neighbors_bytes.h"
#include "neighbors/neighbors_clusters.h"
#include "neighbors/neighbors_ties.h"
#include "kernels/embed/distance.h"
#include "kernels/embed/knn.h"
#include "support/points.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Compares with a search in double: the same neighbors, by distance and then by index. */
static void check_query(const float *points, int64_t n, const float *query, int64_t d, int k,
                        int64_t self, const int32_t *indices, const float *distances) {
    double *truth = malloc((size_t)n * sizeof *truth);
    int32_t *nearest = malloc((size_t)k * sizeof *nearest);
    plain_distances(query, points, n, d, truth);
    plain_nearest(truth, n, self, k, nearest);
    for (int i = 0; i < k; i++) {
        double expected = truth[nearest[i]];
        ck_assert_int_eq(indices[i], nearest[i]);
        ck_assert_double_eq_tol(distances[i], expected * expected,
                                1e-7 * expected * expected + 1e-300);
    }
    free(truth);
    free(nearest);
}

/* For every point, or of many points for a few hundred. */
static void check_all(const float *points, int64_t n, int64_t d, int k) {
    int64_t step = n > 2400 ? n / 100 : 1;
    int32_t *indices = malloc((size_t)(n * k) * sizeof *indices);
    float *distances = malloc((size_t)(n * k) * sizeof *distances);
    ck_ok(dlz_knn_exact(NULL, points, n, d, k, indices, distances));
    for (int64_t i = 0; i < n; i += step)
        check_query(points, n, points + i * d, d, k, i, indices + i * k, distances + i * k);
    free(indices);
    free(distances);
}

START_TEST(neighbors_are_those_of_a_search_in_double) {
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

START_TEST(coincident_points_are_neighbors_and_self_is_not) {
    enum { n = 1500, d = 3, k = 40 };
    static float points[n * d];
    for (int i = 0; i < n; i++)
        for (int c = 0; c < d; c++)
            points[i * d + c] = i < 500 ? 0.25f : i < 1000 ? -3.5f : (float)i;
    check_all(points, n, d, k);
}
END_TEST

/* Products of points that are far from the mean cannot tell neighbors apart. */
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
        ck_fails(dlz_knn_exact(NULL, points, sizes[size], d, k, indices, distances),
                 DLVIZ_ERROR_NUMERIC, "range of float32");
}
END_TEST

START_TEST(near_clusters_hold_most_neighbors) {
    enum { n = 12000, d = 6, k = 15 };
    static float points[n * d], truth[n * k], first[n * k], found_distances[n * k];
    static int32_t true_indices[n * k], first_indices[n * k], indices[n * k];
    fill_uniform(points, n * d, 8);
    for (int i = 0; i < 100 * d; i++)
        points[i] = 0.5f; /* some coincide */
    dlz_equal_rows rows;
    ck_ok(dlz_equal_rows_find(NULL, points, n, d, &rows));
    dlz_knn_job job = {.points = points, .d = d, .k = k, .rows = &rows};
    ck_ok(dlz_knn_in_clusters(&job, true_indices, truth));
    dlz_equal_rows_free(&rows);
    /* All clusters: the exact result. */
    ck_ok(dlz_knn_approximate(NULL, points, n, d, k, 1, indices, found_distances));
    ck_assert_mem_eq(truth, found_distances, sizeof truth);
    ck_assert_mem_eq(true_indices, indices, sizeof indices);
    int64_t right = 0;
    for (int threads = 1; threads <= 3; threads++) {
        ck_ok(dlviz_set_num_threads(threads));
        ck_ok(dlz_knn_approximate(NULL, points, n, d, k, 0.95,
                                  threads == 1 ? first_indices : indices,
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
    ck_ok(dlz_knn_query(NULL, points, n, queries, m, d, k, indices, distances));
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
            ck_ok(dlz_knn_exact(NULL, points, n, d, k, threads == 1 ? first_indices : again_indices,
                                threads == 1 ? first : again));
            if (threads > 1) {
                ck_assert_mem_eq(first, again, (size_t)(n * k) * sizeof *first);
                ck_assert_mem_eq(first_indices, again_indices, (size_t)(n * k) * 4);
            }
        }
}
END_TEST

static void never_settle(dlz_knn_buffer *buffer, void *context) {
    (void)context;
    ck_abort_msg("%d entries are told apart by their values", buffer->count);
}

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
                                          .limit = INFINITY,
                                          .settle = never_settle,
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
            double values[DLZ_KNN_PANEL];
            int32_t expected[keep + keep / 8 + 1];
            for (int c = 0; c < DLZ_KNN_PANEL; c++) {
                values[c] = norms[c];
                for (int i = 0; i < d; i++)
                    values[c] -=
                        (double)queries[i * DLZ_KNN_GROUP + q] * panel[i * DLZ_KNN_PANEL + c];
            }
            plain_nearest(values, DLZ_KNN_PANEL, q, keep + keep / 8 + 1, expected);
            for (int i = 0; i < keep; i++) {
                bool present = false;
                for (int e = 0; e < buffers[q].count; e++)
                    present |= (int32_t)(uint32_t)buffers[q].entries[e] == 100 + expected[i];
                ck_assert_msg(present, "%s misses rank %d of query %d", dlz_isa_name((dlz_isa)isa),
                              i, q);
            }
            ck_assert_double_ge(buffers[q].threshold, values[expected[keep - 1]] - 1e-5);
            ck_assert_double_lt(buffers[q].threshold, values[expected[keep + keep / 8]] + 1e-5);
        }
    }
}
END_TEST

/* Bytes at both ends of their range, and what is drawn. */
static int draw_byte(int i) {
    return i % 5 == 0 ? 127 : i % 7 == 0 ? -127 : i * 37 % 255 - 127;
}

START_TEST(every_variant_multiplies_bytes_like_plain_c) {
    enum { words = 11, d = 4 * words, capacity = 2 * DLZ_KNN_PANEL };
    static uint8_t panel[words * DLZ_KNN_PANEL * 4];
    static int32_t queries[words * DLZ_KNN_GROUP], norms[DLZ_KNN_PANEL];
    static uint64_t entries[DLZ_KNN_GROUP][capacity];
    int8_t rounded[d];
    dlz_knn_frame frame = {.d = d, .words = words, .step = 1};
    for (int c = 0; c < DLZ_KNN_PANEL; c++) {
        for (int i = 0; i < d; i++)
            rounded[i] = (int8_t)draw_byte(c * d + i);
        norms[c] = dlz_knn_frame_pack(&frame, c == 9 ? NULL : rounded, c, panel);
    }
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa) || !dlz_knn_bytes_of((dlz_isa)isa)->available())
            continue;
        dlz_knn_buffer buffers[DLZ_KNN_GROUP];
        for (int q = 0; q < DLZ_KNN_GROUP; q++) {
            for (int i = 0; i < d; i++)
                rounded[i] = (int8_t)draw_byte(7919 + q * d + i * 3);
            double base = dlz_knn_frame_query(&frame, rounded, q, queries);
            buffers[q] = (dlz_knn_buffer){.entries = entries[q],
                                          .capacity = capacity,
                                          .keep = 5,
                                          .self = 100 + q,
                                          .settle = never_settle,
                                          .limit = q == 3   ? -INFINITY
                                                   : q == 5 ? INFINITY /* and yet not c == 9 */
                                                            : 300000.0 + 5000 * q,
                                          .unit = 1,
                                          .base = base,
                                          .error = 2};
            dlz_knn_bytes_aim(&buffers[q]);
        }
        dlz_knn_bytes_of((dlz_isa)isa)->scan(queries, panel, norms, words, 100, buffers);
        for (int q = 0; q < DLZ_KNN_GROUP; q++) {
            int expected = 0;
            for (int c = 0; c < DLZ_KNN_PANEL; c++) {
                double square = 0;
                for (int i = 0; i < d; i++) {
                    double difference = draw_byte(c * d + i) - draw_byte(7919 + q * d + i * 3);
                    square += difference * difference;
                }
                /* Half norms are rounded down, thresholds up. */
                bool near = sqrt(square) <= sqrt(2 * buffers[q].limit) + 2, found = false;
                for (int e = 0; e < buffers[q].count; e++)
                    if ((uint32_t)entries[q][e] == 100u + (uint32_t)c) {
                        int32_t product = (int32_t)((uint32_t)(entries[q][e] >> 32) ^ 0x80000000u);
                        ck_assert_double_le(fabs(product + buffers[q].base - square / 2), 0.5);
                        ck_assert_double_le(sqrt(square), sqrt(2 * buffers[q].limit) + 2.01);
                        found = true;
                    }
                if (q == 3 || c == q || c == 9)
                    ck_assert(!found);
                else
                    ck_assert(found || !near);
                expected += found;
            }
            ck_assert_int_eq(buffers[q].count, expected);
            ck_assert(q == 3 || q == 5 || (expected > 0 && expected < DLZ_KNN_PANEL - 2));
            ck_assert(q != 5 || expected == DLZ_KNN_PANEL - 2);
        }
    }
}
END_TEST

/* Rounding says little here, or nothing, and decides nowhere. */
START_TEST(rounded_points_are_searched_exactly) {
    enum { n = 4000, most = 60, k = 30 };
    static float points[n * most];
    for (int d = 5; d <= most; d += 11)
        for (int kind = 0; kind < 6; kind++) {
            fill_uniform(points, n * d, 100 + kind);
            for (int64_t i = 0; i < n * d; i++) {
                float *value = &points[i];
                int64_t column = i % d, row = i / d;
                if (kind == 1) /* whole numbers: many are equally far */
                    *value = floorf(*value * 2);
                else if (kind == 2) /* a few wide columns, which are turned away */
                    *value *= column < 3 ? 40 : 1;
                else if (kind == 3) /* far from zero */
                    *value = *value * 4 + 5000;
                else if (kind == 4) /* as small, and as large, as squares allow */
                    *value *= row % 2 ? 1e-15f : 2e-15f;
                else if (kind == 5) /* points far away */
                    *value += row % 400 == 7 ? 60 : 0;
            }
            check_all(points, n, d, k);
        }
}
END_TEST

/* Clusters of single points, as the first centers become that lie far out, have panels with little
 * else than places without a point. */
START_TEST(clusters_of_single_points_are_searched_exactly) {
    enum { n = 9600, d = 16, k = 20, far = 12 };
    static float points[(n + 1) * d], distances[n * k];
    static int32_t indices[n * k];
    int64_t chosen[far];
    fill_uniform(points, n * d, 17);
    dlz_random random = dlz_random_start(0, DLZ_STREAM_EMBED);
    for (int i = 0; i < far; i++) {
        chosen[i] = (int64_t)dlz_random_below(&random, n);
        for (int c = 0; c < d; c++)
            points[chosen[i] * d + c] = c == i ? 2.7f : 2;
    }
    /* What lies behind the points is near, and none of them. */
    for (int c = 0; c < d; c++)
        points[n * d + c] = 2;
    for (int sign = 0; sign < 2; sign++) {
        ck_ok(dlz_knn_exact(NULL, points, n, d, k, indices, distances));
        for (int i = 0; i < far; i++)
            check_query(points, n, points + chosen[i] * d, d, k, chosen[i], indices + chosen[i] * k,
                        distances + chosen[i] * k);
        for (int64_t i = 0; i < (n + 1) * d; i++)
            points[i] = -points[i];
    }
}
END_TEST

START_TEST(every_variant_moves_queries) {
    enum { d = 13, count = d * DLZ_KNN_GROUP };
    float group[count], origin[d], moved[count], half_norms[DLZ_KNN_GROUP];
    fill_uniform(group, count, 21);
    fill_uniform(origin, d, 22);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        dlz_knn_of((dlz_isa)isa)->move(group, origin, 0.25f, d, moved, half_norms);
        for (int q = 0; q < DLZ_KNN_GROUP; q++) {
            double norm = 0;
            for (int i = 0; i < d; i++) {
                float expected = (group[i * DLZ_KNN_GROUP + q] - origin[i]) * 0.25f;
                ck_assert_float_eq(moved[i * DLZ_KNN_GROUP + q], expected);
                norm += (double)expected * expected;
            }
            ck_assert_double_eq_tol(half_norms[q], norm / 2, 1e-6 * norm);
        }
    }
}
END_TEST

/* Bit for bit: one column after the other, and nothing fused. */
START_TEST(every_variant_has_the_same_distances) {
    enum { d = 37, list = DLZ_DISTANCE_LIST, panel = DLZ_DISTANCE_PANEL };
    static float rows[list * d], query[d], packed[panel * d];
    static double group[DLZ_DISTANCE_GROUP * d], squares[DLZ_DISTANCE_GROUP][panel + 3];
    const float *each[list];
    fill_uniform(rows, list * d, 31);
    fill_uniform(query, d, 32);
    for (int i = 0; i < list * d; i++) /* differences so long that their squares are rounded */
        rows[i] *= i % 3 == 0 ? 1 : 1e-4f;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int64_t length = 0; length <= d && dlz_isa_available((dlz_isa)isa); length++) {
            const dlz_distance_kernel *kernel = dlz_distance_of((dlz_isa)isa);
            double expected[list], found[list];
            for (int r = 0; r < list; r++) {
                each[r] = rows + r * d;
                expected[r] = 0;
                for (int i = 0; i < length; i++) {
                    double difference = (double)query[i] - (double)rows[r * d + i];
                    double square = difference * difference;
                    expected[r] += square;
                    packed[i * panel + r] = rows[r * d + i];
                }
                ck_assert_double_eq(kernel->one(query, each[r], length), expected[r]);
            }
            kernel->list(query, each, length, found);
            ck_assert_mem_eq(found, expected, sizeof found);
            for (int q = 0; q < DLZ_DISTANCE_GROUP; q++)
                for (int i = 0; i < length; i++)
                    group[i * DLZ_DISTANCE_GROUP + q] = (double)query[i];
            kernel->panel(group, packed, length, squares[0], panel + 3);
            for (int q = 0; q < DLZ_DISTANCE_GROUP; q++)
                ck_assert_mem_eq(squares[q], expected, sizeof expected);
        }
}
END_TEST

/* Squared distances of 5 x 10^-17 between points that lie 0.5 from the others' middle. */
START_TEST(products_that_say_nothing_do_not_decide) {
    enum { n = 900, d = 4, k = 12 };
    static float points[n * d];
    for (int i = 0; i < n * d; i++)
        points[i] = i / d % 2 ? 1.5f + (float)(i * 7 % 11) * 0x1p-23f : (float)(i * 5 % 13) * 1e-8f;
    check_all(points, n, d, k);
}
END_TEST

static int64_t count_exact_distances(const float *points, int64_t n, int64_t d, int k) {
    int32_t *indices = malloc((size_t)(n * k) * sizeof *indices);
    float *distances = malloc((size_t)(n * k) * sizeof *distances);
    int64_t measured;
    dlz_equal_rows rows;
    ck_ok(dlz_equal_rows_find(NULL, points, n, d, &rows));
    dlz_knn_job job = {.points = points, .d = d, .k = k, .rows = &rows, .measured = &measured};
    ck_ok(dlz_knn_in_clusters(&job, indices, distances));
    dlz_equal_rows_free(&rows);
    free(indices);
    free(distances);
    return measured;
}

/* What a search costs shows in how many exact distances it needs: hardly more than it returns. */
START_TEST(few_points_do_not_make_the_search_of_all_inexact) {
    enum { n = 2000, d = 50, k = 30 };
    static float plain[n * d], points[n * d];
    fill_uniform(plain, n * d, 61);
    int64_t usual = count_exact_distances(plain, n, d, k);
    ck_assert_int_lt(usual, 6 * n * k / 5);
    const float far[] = {-99999, 1e9f, 1e17f};
    for (int f = 0; f < 3; f++)
        for (int count = 1; count <= 20; count += 19) {
            memcpy(points, plain, sizeof points);
            for (int i = 0; i < count; i++)
                points[i * 97 * d + i] = far[f];
            ck_assert_int_lt(count_exact_distances(points, n, d, k), usual + count * n + n);
        }
    for (int i = 0; i < n * d; i++)
        points[i] = plain[i] + 1000;
    ck_assert_int_lt(count_exact_distances(points, n, d, k), 6 * n * k / 5);
    memcpy(points, plain, sizeof points);
    for (int i = 0; i < n / 2; i++)
        memcpy(points + i * d, plain, d * sizeof(float));
    ck_assert_int_lt(count_exact_distances(points, n, d, k), 6 * n * k / 5);
}
END_TEST

START_TEST(equal_rows_are_found) {
    float rows[] = {1, 2, -0.0f, 3, 1, 2, 0, 3, 5, 5, 1, 2, 2, 1};
    dlz_equal_rows found;
    ck_ok(dlz_equal_rows_find(NULL, rows, 7, 2, &found));
    ck_assert_int_eq(found.count, 4);
    const int64_t starts[] = {0, 3, 5, 6, 7};
    const int32_t members[] = {0, 2, 5, 1, 3, 4, 6};
    const float distinct[] = {1, 2, 0, 3, 5, 5, 2, 1};
    ck_assert_mem_eq(found.starts, starts, sizeof starts);
    ck_assert_mem_eq(found.members, members, sizeof members);
    for (int i = 0; i < 8; i++)
        ck_assert_float_eq(found.distinct[i], distinct[i]);
    dlz_equal_rows_free(&found);
    ck_ok(dlz_equal_rows_find(NULL, rows + 8, 3, 2, &found));
    ck_assert_int_eq(found.count, 3);
    ck_assert_ptr_null(found.starts);
    dlz_equal_rows_free(&found);
}
END_TEST

/* A thousand equal points and twenty others: with ties to the lowest index a few are everybody's
 * neighbors; drawn, nobody is the neighbor of many. */
START_TEST(drawn_ties_make_no_hubs) {
    enum { equal = 1000, n = 1020, d = 3, k = 10 };
    static float points[n * d], distances[n * k];
    static int32_t indices[n * k], again[n * k];
    fill_uniform(points, n * d, 40);
    for (int i = 0; i < equal * d; i++)
        points[i] = 0.25f;
    int64_t most[2] = {0};
    for (int drawn = 0; drawn < 2; drawn++) {
        int64_t degree[n] = {0};
        if (drawn)
            ck_ok(dlz_knn_search_drawn(NULL, points, n, d, k, 5, indices, distances));
        else
            ck_ok(dlz_knn_search(NULL, points, n, d, k, indices, distances));
        for (int i = 0; i < n * k; i++) {
            ck_assert_int_ne(indices[i], i / k);
            ck_assert(i / k >= equal || (indices[i] < equal && distances[i] == 0));
            degree[indices[i]]++;
        }
        for (int i = 0; i < n; i++)
            most[drawn] = degree[i] > most[drawn] ? degree[i] : most[drawn];
    }
    ck_assert_int_ge(most[0], equal - 1);
    ck_assert_int_lt(most[1], 4 * k);
    ck_ok(dlz_knn_search_drawn(NULL, points, n, d, k, 5, again, distances));
    ck_assert_mem_eq(indices, again, sizeof again);
    ck_ok(dlz_knn_search_drawn(NULL, points, n, d, k, 6, again, distances));
    ck_assert_mem_ne(indices, again, sizeof again);
}
END_TEST

static int64_t allocations_left;

static void *failing_alloc(size_t size, void *user) {
    (void)user;
    return __atomic_fetch_sub(&allocations_left, 1, __ATOMIC_RELAXED) > 0 ? malloc(size) : NULL;
}

static void plain_free(void *block, void *user) {
    (void)user;
    free(block);
}

START_TEST(every_allocation_may_fail) {
    enum { n = 2500, d = 2, k = 3 };
    static float points[n * d], distances[n * k];
    static int32_t indices[n * k];
    fill_uniform(points, n * d, 41);
    memcpy(points + d, points, d * sizeof(float));
    ck_ok(dlviz_set_num_threads(2));
    ck_ok(dlviz_set_allocator(failing_alloc, plain_free, NULL));
    for (int64_t allowed = 0;; allowed = allowed < 40 ? allowed + 1 : allowed + 29) {
        allocations_left = allowed;
        dlviz_status status = dlz_knn_search(NULL, points, n, d, k, indices, distances);
        if (status == DLVIZ_OK)
            break;
        ck_assert_int_eq(status, DLVIZ_ERROR_OUT_OF_MEMORY);
        ck_assert_int_lt(allowed, 10000);
    }
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}
END_TEST

START_TEST(numbers_of_neighbors_are_checked) {
    float points[6] = {0}, distances[6];
    int32_t indices[6];
    ck_fails(dlz_knn_exact(NULL, points, 3, 2, 3, indices, distances), DLVIZ_ERROR_INVALID_ARGUMENT,
             "3 neighbors of 3 points");
    ck_fails(dlz_knn_exact(NULL, points, 3, 2, 0, indices, distances), DLVIZ_ERROR_INVALID_ARGUMENT,
             "0 neighbors");
    ck_fails(dlz_knn_query(NULL, points, 3, points, 1, 2, 4, indices, distances),
             DLVIZ_ERROR_INVALID_ARGUMENT, "4 neighbors among 3");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {neighbors_are_those_of_a_search_in_double,
                                  a_large_offset_costs_no_precision,
                                  coincident_points_are_neighbors_and_self_is_not,
                                  far_groups_are_searched_exactly,
                                  distances_beyond_float_are_an_error,
                                  near_clusters_hold_most_neighbors,
                                  queries_find_points,
                                  bits_do_not_depend_on_threads,
                                  every_variant_scans_like_plain_c,
                                  every_variant_multiplies_bytes_like_plain_c,
                                  rounded_points_are_searched_exactly,
                                  clusters_of_single_points_are_searched_exactly,
                                  every_variant_moves_queries,
                                  every_variant_has_the_same_distances,
                                  products_that_say_nothing_do_not_decide,
                                  few_points_do_not_make_the_search_of_all_inexact,
                                  equal_rows_are_found,
                                  drawn_ties_make_no_hubs,
                                  every_allocation_may_fail,
                                  numbers_of_neighbors_are_checked,
                                  NULL};
    return run_tests("neighbors", tests);
}
