/* What a map of points is made of before it is drawn: its extent without outliers, the places that
 * points share, the stacks of a strip. */
#include "plot/outliers.h"
#include "plot/places.h"
#include "plot/strip.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- Outliers -------------------------------------------------------------------------------- */

enum { MOST = 20000 };
static float points[3 * MOST];
static bool outside[MOST];

static dlz_extent extent_of(int64_t n, int dims, bool clip) {
    dlz_extent extent;
    ck_ok(dlz_find_extent(points, n, dims, clip, outside, &extent));
    int64_t marked = 0;
    for (int64_t i = 0; i < n; i++) {
        marked += outside[i];
        for (int k = 0; k < dims && !outside[i]; k++)
            ck_assert(points[i * dims + k] >= extent.low[k] &&
                      points[i * dims + k] <= extent.high[k]);
    }
    ck_assert_int_eq(marked, extent.outside);
    return extent;
}

/* Sums of twelve uniform numbers: nearly normal, of deviation 1. */
static void fill_normal(float *to, int64_t count, uint64_t seed) {
    float *uniform = malloc(12 * (size_t)count * sizeof *uniform);
    fill_uniform(uniform, 12 * count, seed);
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int k = 0; k < 12; k++)
            sum += (double)uniform[12 * i + k];
        to[i] = (float)(sum / 2);
    }
    free(uniform);
}

START_TEST(a_map_without_outliers_keeps_all_points) {
    for (int dims = 1; dims <= 3; dims++)
        for (int64_t n = 1; n <= MOST; n = 3 * n + 1) {
            fill_normal(points, n * dims, (uint64_t)n);
            ck_assert_int_eq(extent_of(n, dims, true).outside, 0);
            fill_uniform(points, n * dims, (uint64_t)n);
            ck_assert_int_eq(extent_of(n, dims, true).outside, 0);
        }
}
END_TEST

START_TEST(one_point_far_away_is_outside) {
    for (int dims = 1; dims <= 3; dims++)
        for (int64_t n = 8; n <= MOST; n = 3 * n + 1) {
            fill_uniform(points, n * dims, 5);
            points[(n / 2) * dims + dims - 1] = -1e6F;
            dlz_extent extent = extent_of(n, dims, true);
            ck_assert_int_eq(extent.outside, 1);
            ck_assert(outside[n / 2]);
            ck_assert_double_ge(extent.low[dims - 1], -1);
            /* Unless it is wanted. */
            extent = extent_of(n, dims, false);
            ck_assert_int_eq(extent.outside, 0);
            ck_assert_double_eq(extent.low[dims - 1], -1e6);
        }
}
END_TEST

START_TEST(few_points_are_all_shown) {
    for (int64_t n = 1; n < 8; n++) {
        fill_uniform(points, 2 * n, 5);
        points[0] = 1e6F;
        ck_assert_int_eq(extent_of(n, 2, true).outside, 0);
    }
}
END_TEST

/* Two clusters far apart are the map, also when the second is small: a class is no outlier. */
START_TEST(clusters_far_apart_are_all_shown) {
    const int64_t sizes[] = {40, 100, 5000};
    for (int s = 0; s < 3; s++) {
        int64_t n = 10000;
        fill_normal(points, 2 * n, 3);
        for (int64_t i = 0; i < sizes[s]; i++)
            points[2 * i] += 1e5F;
        dlz_extent extent = extent_of(n, 2, true);
        ck_assert_int_eq(extent.outside, 0);
        ck_assert_double_gt(extent.high[0], 9e4);
    }
}
END_TEST

START_TEST(a_cluster_and_an_outlier_are_told_apart) {
    int64_t n = 10000;
    fill_normal(points, 2 * n, 3);
    for (int64_t i = 0; i < 60; i++)
        points[2 * i] += 1000;
    points[2 * 77] = 1e7F;
    dlz_extent extent = extent_of(n, 2, true);
    ck_assert_int_eq(extent.outside, 1);
    ck_assert(outside[77]);
    ck_assert(extent.high[0] > 990 && extent.high[0] < 1010);
}
END_TEST

/* A number that stands for "missing", thirty times: one place, and no cluster. */
START_TEST(a_number_that_stands_for_nothing_is_outside) {
    int64_t n = 10000;
    fill_normal(points, 2 * n, 3);
    for (int64_t i = 0; i < 30; i++)
        points[2 * i] = points[2 * i + 1] = -999999;
    ck_assert_int_eq(extent_of(n, 2, true).outside, 30);
    /* Of a third of all points that is not for us to say. */
    for (int64_t i = 0; i < n / 3; i++)
        points[2 * i] = points[2 * i + 1] = -999999;
    ck_assert_int_eq(extent_of(n, 2, true).outside, 0);
}
END_TEST

/* The same of 0, far from all others, with either sign: 0 and -0 are one place. */
START_TEST(zeros_with_either_sign_are_one_place) {
    int64_t n = 10000;
    for (int dims = 1; dims <= 3; dims++) {
        fill_normal(points, dims * n, 3);
        for (int64_t i = 0; i < n * dims; i++)
            points[i] += 1000;
        for (int64_t i = 0; i < 30; i++)
            for (int k = 0; k < dims; k++)
                points[i * dims + k] = i >> k & 1 ? 0.0F : -0.0F;
        ck_assert_int_eq(extent_of(n, dims, true).outside, 30);
    }
}
END_TEST

START_TEST(heavy_tails_leave_at_most_one_in_a_hundred_outside) {
    for (int64_t n = 100; n <= MOST; n *= 5) {
        float *uniform = points + n; /* the second half of the room is written last */
        fill_uniform(uniform, n, (uint64_t)n);
        for (int64_t i = 0; i < n; i++)
            points[i] = (float)tan(M_PI / 2.0001 * (double)uniform[i]); /* Cauchy */
        dlz_extent extent = extent_of(n, 1, true);
        ck_assert_int_le(extent.outside, n / 100);
        ck_assert(n < 2500 || extent.outside > 0);
    }
}
END_TEST

START_TEST(maps_of_one_place_keep_their_points) {
    const float places[] = {0, 1, 3e38F, -1e-40F};
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 200; k++)
            points[k] = places[i];
        dlz_extent extent = extent_of(100, 2, true);
        ck_assert(extent.low[0] == extent.high[0] && extent.outside == 0);
        /* A second place does not vanish. */
        points[7] = -3e38F;
        ck_assert_int_eq(extent_of(100, 2, true).outside, 0);
    }
    /* A line is no place. */
    for (int k = 0; k < 100; k++) {
        points[2 * k] = (float)k;
        points[2 * k + 1] = 5;
    }
    points[1] = 40;
    ck_assert_int_eq(extent_of(100, 2, true).outside, 0);
    points[1] = 4000;
    ck_assert_int_eq(extent_of(100, 2, true).outside, 1);
}
END_TEST

/* ---- Places ---------------------------------------------------------------------------------- */

static int64_t count_naively(int64_t n, int dims, int64_t *shared) {
    int64_t places = 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t first = -1, count = 0;
        for (int64_t j = 0; j < n; j++) {
            bool same = true;
            for (int k = 0; k < dims; k++)
                same &= points[i * dims + k] == points[j * dims + k];
            if (same && first < 0)
                first = j;
            count += same;
        }
        shared[i] = first == i && count > 1 ? count : 0;
        places += first == i;
    }
    return places;
}

START_TEST(places_are_those_of_comparing_all_pairs) {
    int64_t shared[600], expected[600], places;
    for (int dims = 1; dims <= 3; dims++)
        for (int64_t n = 1; n <= 600; n = 2 * n + 1)
            for (int grid = 1; grid <= 100; grid *= 10) {
                fill_uniform(points, n * dims, (uint64_t)(n + grid));
                for (int64_t i = 0; i < n * dims; i++)
                    points[i] = roundf(points[i] * (float)grid); /* with 0 and -0 */
                ck_ok(dlz_count_places(points, n, dims, shared, &places));
                ck_assert_int_eq(places, count_naively(n, dims, expected));
                ck_assert_mem_eq(shared, expected, (size_t)n * sizeof *shared);
            }
}
END_TEST

/* ---- Strips ---------------------------------------------------------------------------------- */

START_TEST(stacks_are_even_and_do_not_overlap) {
    const int64_t n = 500;
    double x[500], y[500];
    int32_t order[500];
    fill_uniform(points, n, 4);
    for (int64_t i = 0; i < n; i++) {
        x[i] = 100 * (double)points[i];
        order[i] = (int32_t)(i % 3);
    }
    ck_ok(dlz_stack(n, x, order, NULL, 4, 400, y));
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t j = 0; j < n; j++) {
            if (floor(x[i] / 4) != floor(x[j] / 4))
                continue;
            sum += y[j];
            ck_assert(i == j || fabs(y[i] - y[j]) > 3.999);
            ck_assert(order[i] >= order[j] || y[i] < y[j]);
        }
        ck_assert_double_eq_tol(sum, 0, 1e-9);
    }
}
END_TEST

START_TEST(stacks_stay_in_the_strip) {
    const int64_t n = 10000;
    double *x = calloc((size_t)n, sizeof *x), *y = malloc((size_t)n * sizeof *y);
    bool *skip = calloc((size_t)n, sizeof *skip);
    skip[0] = true;
    ck_ok(dlz_stack(n, x, NULL, skip, 3, 200, y));
    ck_assert_double_eq(y[0], 0);
    for (int64_t i = 1; i < n; i++) {
        ck_assert_double_le(fabs(y[i]), 98.5);
        ck_assert(i == 1 || y[i] > y[i - 1]);
    }
    ck_assert_double_gt(y[n - 1], 95);
    free(x);
    free(y);
    free(skip);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_map_without_outliers_keeps_all_points,
                                  one_point_far_away_is_outside,
                                  few_points_are_all_shown,
                                  clusters_far_apart_are_all_shown,
                                  a_cluster_and_an_outlier_are_told_apart,
                                  a_number_that_stands_for_nothing_is_outside,
                                  zeros_with_either_sign_are_one_place,
                                  heavy_tails_leave_at_most_one_in_a_hundred_outside,
                                  maps_of_one_place_keep_their_points,
                                  places_are_those_of_comparing_all_pairs,
                                  stacks_are_even_and_do_not_overlap,
                                  stacks_stay_in_the_strip,
                                  NULL};
    return run_tests("map_model", tests);
}
