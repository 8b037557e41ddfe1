/* Points, starts and settings that a plain descent does badly on. */
#include "base/base.h"
#include "support/memory.h"
#include "support/tsne.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CLUSTERS = 8, MEMBERS = 200, WIDTH = 30, POINTS = CLUSTERS * MEMBERS };

/* Points on spheres, and the center of each, which all of the sphere's points are nearer to than to
 * each other. */
static dlviz_tensor *spheres(uint64_t seed) {
    dlviz_tensor *points = matrix(POINTS, WIDTH, NULL);
    float *values = dlviz_tensor_float(points);
    dlz_random random = dlz_random_start(seed, 9);
    for (int64_t k = 0; k < CLUSTERS; k++) {
        double center[WIDTH], direction[WIDTH];
        for (int c = 0; c < WIDTH; c++)
            center[c] = 0.6 * dlz_random_normal(&random);
        for (int64_t i = 0; i < MEMBERS; i++) {
            double length = 0;
            for (int c = 0; c < WIDTH; c++) {
                direction[c] = dlz_random_normal(&random);
                length += direction[c] * direction[c];
            }
            for (int c = 0; c < WIDTH; c++)
                values[(k * MEMBERS + i) * WIDTH + c] =
                    (float)(center[c] + (i == 0 ? 0 : direction[c] / sqrt(length)));
        }
    }
    return points;
}

/* How far a cluster's first point lies from the mean of the others, in their deviations; the
 * largest. */
static double farthest_center(const dlviz_tensor *map) {
    int64_t dimensions = dlviz_tensor_dim(map, 1);
    const float *y = dlviz_tensor_const_float(map);
    double worst = 0;
    for (int64_t k = 0; k < CLUSTERS; k++) {
        const float *first = y + k * MEMBERS * dimensions;
        double distance = 0, variance = 0;
        for (int64_t c = 0; c < dimensions; c++) {
            double sum = 0, squares = 0;
            for (int64_t i = 1; i < MEMBERS; i++) {
                sum += first[i * dimensions + c];
                squares += (double)first[i * dimensions + c] * first[i * dimensions + c];
            }
            double mean = sum / (MEMBERS - 1);
            variance += squares / (MEMBERS - 1) - mean * mean;
            distance += (first[c] - mean) * (first[c] - mean);
        }
        worst = fmax(worst, sqrt(distance / variance));
    }
    return worst;
}

static double fit(dlviz_tsne *tsne, const dlviz_tensor *points, dlviz_tensor **map) {
    ck_ok(dlviz_tsne_fit(tsne, points, map));
    check_map(*map, dlviz_tensor_dim(points, 0), dlviz_tensor_dim(*map, 1));
    return dlviz_tsne_kl_divergence(tsne);
}

static double divergence_of(dlviz_tsne *tsne, const dlviz_tensor *points) {
    dlviz_tensor *map;
    double divergence = fit(tsne, points, &map);
    dlviz_tensor_destroy(map);
    return divergence;
}

START_TEST(the_neighbor_of_many_stays_among_them) {
    for (uint64_t seed = 1; seed <= 4; seed++)
        for (int dimensions = 1; dimensions <= (seed == 1 ? 3 : 2); dimensions++) {
            dlviz_tensor *points = spheres(seed), *map;
            dlviz_tsne *tsne;
            ck_ok(dlviz_tsne_create(&tsne));
            ck_ok(dlviz_tsne_set_num_dimensions(tsne, dimensions));
            double divergence = fit(tsne, points, &map);
            ck_assert_double_lt(farthest_center(map), 1.5);
            dlviz_tensor_destroy(map);
            /* A rate so low that nothing can be thrown about ends no better. */
            ck_ok(dlviz_tsne_set_learning_rate(tsne, POINTS / 12.0));
            ck_assert_double_lt(divergence, 1.02 * divergence_of(tsne, points));
            dlviz_tsne_destroy(tsne);
            dlviz_tensor_destroy(points);
        }
}
END_TEST

/* All points have one neighbor in common, and it them: a star of affinities. */
START_TEST(a_star_has_its_hub_in_the_middle) {
    enum { n = 3000 };
    dlviz_tensor *offsets, *columns, *values, *map;
    ck_ok(dlviz_tensor_create(&offsets, DLVIZ_INT64, 1, (int64_t[]){n + 1}));
    ck_ok(dlviz_tensor_create(&columns, DLVIZ_INT64, 1, (int64_t[]){n - 1}));
    ck_ok(dlviz_tensor_create(&values, DLVIZ_FLOAT32, 1, (int64_t[]){n - 1}));
    for (int i = 0; i < n; i++)
        ((int64_t *)dlviz_tensor_data(offsets))[i + 1] = i < n - 1 ? i + 1 : n - 1;
    for (int i = 0; i < n - 1; i++) {
        ((int64_t *)dlviz_tensor_data(columns))[i] = n - 1;
        dlviz_tensor_float(values)[i] = 1;
    }
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_fit_affinities(tsne, offsets, columns, values, &map));
    check_map(map, n, 2);
    double squares = 0;
    const float *y = dlviz_tensor_const_float(map);
    for (int i = 0; i < 2 * (n - 1); i++)
        squares += (double)y[i] * y[i];
    ck_assert_double_lt(hypot(y[2 * n - 2], y[2 * n - 1]), 0.1 * sqrt(squares / n));
    dlviz_tensor *all[] = {offsets, columns, values, map};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_tsne_destroy(tsne);
}
END_TEST

START_TEST(no_learning_rate_is_too_large) {
    const double rates[] = {1e5, 1e7, 1e12}, momenta[] = {0, 0.5, 0.8};
    const dlviz_tsne_method_kind methods[] = {DLVIZ_TSNE_METHOD_GRID, DLVIZ_TSNE_METHOD_BARNES_HUT,
                                              DLVIZ_TSNE_METHOD_AUTO};
    dlviz_tensor *points = blobs(1000, 10, 3);
    for (int m = 0; m < 3; m++) {
        dlviz_tsne *tsne;
        watch_memory();
        ck_ok(dlviz_tsne_create(&tsne));
        ck_ok(dlviz_tsne_set_method(tsne, methods[m]));
        ck_ok(dlviz_tsne_set_num_iterations(tsne, 500));
        ck_ok(dlviz_tsne_set_momentum(tsne, momenta[m], momenta[m]));
        double divergence = divergence_of(tsne, points);
        for (int r = 0; r < 3; r++) {
            ck_ok(dlviz_tsne_set_learning_rate(tsne, rates[r]));
            ck_assert_double_lt(divergence_of(tsne, points), 1.05 * divergence);
        }
        dlviz_tsne_destroy(tsne);
        ck_assert_int_lt(memory_watched(), 100 << 20);
    }
    dlviz_tensor_destroy(points);
}
END_TEST

/* With hardly any attraction, points fly apart until repulsion is too weak to move them. */
START_TEST(no_exaggeration_is_too_small) {
    const double factors[] = {1e-300, 1e-6, 1e-2};
    dlviz_tensor *points = blobs(500, 10, 3), *map;
    for (int f = 0; f < 3; f++) {
        dlviz_tsne *tsne;
        ck_ok(dlviz_tsne_create(&tsne));
        ck_ok(dlviz_tsne_set_late_exaggeration(tsne, factors[f], 300));
        ck_assert(isfinite(fit(tsne, points, &map)));
        for (int i = 0; i < 1000; i++)
            ck_assert_double_lt(fabsf(dlviz_tensor_const_float(map)[i]), 1e5);
        dlviz_tensor_destroy(map);
        dlviz_tsne_destroy(tsne);
    }
    dlviz_tensor_destroy(points);
}
END_TEST

static int64_t distinct_places(const dlviz_tensor *map) {
    int64_t n = dlviz_tensor_dim(map, 0), distinct = 0;
    const float *y = dlviz_tensor_const_float(map);
    for (int64_t i = 0; i < n; i++) {
        bool is_new = true;
        for (int64_t j = 0; j < i && is_new; j++)
            is_new = y[2 * i] != y[2 * j] || y[2 * i + 1] != y[2 * j + 1];
        distinct += is_new;
    }
    return distinct;
}

/* Principal components' start, and the same with all points moved by 1 % of its deviation. */
static dlviz_tensor *start_of(const dlviz_tensor *points, bool moved) {
    dlviz_tensor *start;
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 0));
    ck_ok(dlviz_tsne_fit(tsne, points, &start));
    dlz_random random = dlz_random_start(1, 1);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(start) && moved; i++)
        dlviz_tensor_float(start)[i] += (float)(1e-6 * dlz_random_normal(&random));
    dlviz_tsne_destroy(tsne);
    return start;
}

/* Many equal rows among others; several such groups; half of all; nothing else. */
START_TEST(equal_rows_are_parted) {
    enum { n = 1200, d = 10 };
    const int equal[] = {240, 900, 600, n}, groups[] = {1, 6, 1, 1};
    for (int kind = 0; kind < 4; kind++) {
        dlviz_tensor *points = blobs(n, d, 3), *start, *map;
        float *values = dlviz_tensor_float(points);
        for (int i = 0; i < equal[kind]; i++)
            for (int c = 0; c < d; c++)
                values[i * d + c] = kind == 0 ? 0 : values[i % groups[kind] * d + c];
        dlviz_tsne *tsne;
        ck_ok(dlviz_tsne_create(&tsne));
        double divergence = fit(tsne, points, &map);
        ck_assert_int_ge(distinct_places(map), n * 99 / 100);
        dlviz_tensor_destroy(map);
        start = start_of(points, true);
        ck_ok(dlviz_tsne_set_initial_map(tsne, start));
        ck_assert_double_lt(divergence, 1.03 * divergence_of(tsne, points));
        dlviz_tensor_destroy(start);
        /* New points that are equal lie together, among those that they equal. */
        if (kind == 0) {
            dlviz_tensor *fresh = matrix(40, d, NULL), *placed;
            ck_ok(dlviz_tsne_fit(tsne, points, &map));
            ck_ok(dlviz_tsne_transform(tsne, fresh, &placed));
            const float *y = dlviz_tensor_const_float(map), *x = dlviz_tensor_const_float(placed);
            double mean[2] = {0}, variance = 0, distance = 0;
            for (int i = 0; i < 2 * equal[0]; i++)
                mean[i % 2] += (double)y[i] / equal[0];
            for (int i = 0; i < 2 * equal[0]; i++)
                variance += pow(y[i] - mean[i % 2], 2) / equal[0];
            for (int i = 0; i < 80; i++) {
                ck_assert_float_eq_tol(x[i], x[i % 2], 1e-3f);
                distance = fmax(distance, fabs(x[i] - mean[i % 2]));
            }
            ck_assert_double_lt(distance, 2 * sqrt(variance));
            dlviz_tensor_destroy(placed);
            dlviz_tensor_destroy(fresh);
            dlviz_tensor_destroy(map);
        }
        dlviz_tsne_destroy(tsne);
        dlviz_tensor_destroy(points);
    }
}
END_TEST

/* Starts that gradients alone would never leave, or not in time. */
START_TEST(any_start_unfolds) {
    enum { n = 400 };
    dlviz_tensor *points = blobs(n, 10, 5), *usual = start_of(points, false), *map;
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 750));
    double divergence = divergence_of(tsne, points);
    for (int kind = 0; kind < 9; kind++) {
        dlviz_tensor *start = matrix(n, 2, NULL);
        for (int i = 0; i < 2 * n; i++) {
            float value = dlviz_tensor_float(usual)[i],
                  places[] = {0,
                              -7.5f,
                              i % 2 ? 0 : value,
                              i % 2 ? 3 : 1e4f * value,
                              value > 0 ? 1 : -1,
                              roundf(2e4f * value),
                              1e-25f * value,
                              1e-33f * value,
                              i % 2 ? 9e5f : 9e5f + 1e3f * value};
            dlviz_tensor_float(start)[i] = places[kind];
        }
        ck_ok(dlviz_tsne_set_initial_map(tsne, start));
        ck_ok(dlviz_tsne_set_num_iterations(tsne, 0));
        ck_ok(dlviz_tsne_fit(tsne, points, &map));
        ck_assert_mem_eq(dlviz_tensor_data(map), dlviz_tensor_data(start), 2 * n * sizeof(float));
        dlviz_tensor_destroy(map);
        ck_ok(dlviz_tsne_set_num_iterations(tsne, 750));
        double found = fit(tsne, points, &map);
        ck_assert_msg(found < 1.1 * divergence, "start %d: KL %g instead of %g", kind, found,
                      divergence);
        ck_assert_int_eq(distinct_places(map), n);
        dlviz_tensor_destroy(map);
        dlviz_tensor_destroy(start);
    }
    dlviz_tsne_destroy(tsne);
    dlviz_tensor_destroy(usual);
    dlviz_tensor_destroy(points);
}
END_TEST

static void multiply(dlviz_tensor *tensor, double by) {
    for (int64_t i = 0; i < dlviz_tensor_num_elements(tensor); i++)
        dlviz_tensor_float(tensor)[i] = (float)(by * (double)dlviz_tensor_float(tensor)[i]);
}

/* A power of two changes no digit, so it changes nothing; another unit changes roundings alone: the
 * affinities, which a finished map is measured by, are the same but for those, while a descent,
 * which is chaotic, may end in another minimum. */
START_TEST(the_unit_of_the_points_does_not_matter) {
    enum { n = 300, d = 8, k = 20 };
    const double units[] = {0x1p-100, 0x1p-66, 0x1p50, 1e-20, 1e-30, 1e17};
    for (int u = 0; u < 6; u++) {
        dlviz_tensor *points = blobs(n, d, 3), *fresh = blobs(20, d, 4), *map, *placed, *again;
        dlviz_tensor *same, *placed_again;
        dlviz_tsne *tsne, *measure;
        ck_ok(dlviz_tsne_create(&tsne));
        ck_ok(dlviz_tsne_create(&measure));
        double divergence = fit(tsne, points, &map);
        ck_ok(dlviz_tsne_transform(tsne, fresh, &placed));
        multiply(points, units[u]);
        multiply(fresh, units[u]);
        double other = fit(tsne, points, &again);
        if (u < 3)
            ck_assert_double_eq(other, divergence);
        ck_assert_double_lt(other, 1.1 * divergence);
        ck_ok(dlviz_tsne_set_initial_map(measure, map));
        ck_ok(dlviz_tsne_set_num_iterations(measure, 0));
        ck_assert_double_eq_tol(fit(measure, points, &same), divergence, 1e-6 * divergence);
        ck_ok(dlviz_tsne_transform(tsne, fresh, &placed_again));
        if (u < 3) {
            ck_assert_mem_eq(dlviz_tensor_data(map), dlviz_tensor_data(again),
                             2 * n * sizeof(float));
            ck_assert_mem_eq(dlviz_tensor_data(placed), dlviz_tensor_data(placed_again),
                             2 * 20 * sizeof(float));
        }
        /* New points of quite another magnitude have a place too. */
        memset(dlviz_tensor_data(fresh), 0, 20 * d * sizeof(float));
        for (int i = 0; i < 20; i++)
            dlviz_tensor_float(fresh)[i * d + i % 4] = i < 10 ? 1e18f : 1e-30f;
        dlviz_tensor_destroy(placed_again);
        ck_ok(dlviz_tsne_transform(tsne, fresh, &placed_again));
        check_map(placed_again, 20, 2);
        dlviz_tensor *all[] = {points, fresh, map, placed, again, same, placed_again};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            dlviz_tensor_destroy(all[i]);
        dlviz_tsne_destroy(measure);
        dlviz_tsne_destroy(tsne);
    }
    dlviz_tensor *indices, *distances, *offsets, *columns, *values, *map, *again;
    make_rings(n, k, 3, &indices, &distances, &offsets, &columns, &values);
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_fit_neighbors(tsne, indices, distances, &map));
    for (int u = 0; u < 3; u++) {
        multiply(distances, units[u]);
        ck_ok(dlviz_tsne_fit_neighbors(tsne, indices, distances, &again));
        ck_assert_mem_eq(dlviz_tensor_data(map), dlviz_tensor_data(again), 2 * n * sizeof(float));
        multiply(distances, 1 / units[u]);
        dlviz_tensor_destroy(again);
    }
    dlviz_tensor *all[] = {indices, distances, offsets, columns, values, map};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_tsne_destroy(tsne);
}
END_TEST

START_TEST(new_points_bear_any_learning_rate) {
    enum { n = 600, m = 40 };
    dlviz_tensor *points = blobs(n, 6, 5), *fresh = blobs(m, 6, 6), *map, *placed;
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 400));
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    const float *y = dlviz_tensor_const_float(map);
    const double rates[] = {2, 100, 1e12}, exaggerations[] = {1.5, 1e-9, 1e6};
    for (int r = 0; r < 3; r++)
        for (int e = 0; e < 3; e++) {
            ck_ok(dlviz_tsne_set_transform_learning_rate(tsne, rates[r]));
            ck_ok(dlviz_tsne_set_transform_exaggeration(tsne, exaggerations[e]));
            ck_ok(dlviz_tsne_transform(tsne, fresh, &placed));
            check_map(placed, m, 2);
            const float *x = dlviz_tensor_const_float(placed);
            for (int i = 0; i < m && e != 1; i++) {
                int best = 0;
                double least = INFINITY;
                for (int j = 0; j < n; j++) {
                    double distance = hypot(x[2 * i] - y[2 * j], x[2 * i + 1] - y[2 * j + 1]);
                    best = distance < least ? j : best;
                    least = fmin(distance, least);
                }
                ck_assert_int_eq(best % 4, i % 4);
            }
            dlviz_tensor_destroy(placed);
        }
    dlviz_tsne_destroy(tsne);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(fresh);
}
END_TEST

/* Similarities that are 0 in any arithmetic. */
START_TEST(a_start_without_any_similarity_is_refused) {
    dlviz_tensor *points = blobs(100, 5, 5), *start = matrix(100, 2, NULL), *map;
    for (int i = 0; i < 200; i++)
        dlviz_tensor_float(start)[i] = 1e3f * (float)i;
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_degrees_of_freedom(tsne, 1e4));
    ck_ok(dlviz_tsne_set_initial_map(tsne, start));
    ck_fails(dlviz_tsne_fit(tsne, points, &map), DLVIZ_ERROR_NUMERIC,
             "vanish with 10000 degrees of freedom");
    dlviz_tsne_destroy(tsne);
    dlviz_tensor_destroy(start);
    dlviz_tensor_destroy(points);
}
END_TEST

static double deviation_of(const dlviz_tensor *map) {
    double sum = 0, squares = 0;
    int64_t size = dlviz_tensor_num_elements(map);
    for (int64_t i = 0; i < size; i++) {
        sum += dlviz_tensor_const_float(map)[i];
        squares += pow((double)dlviz_tensor_const_float(map)[i], 2);
    }
    return sqrt(squares / (double)size - pow(sum / (double)size, 2));
}

/* A fit of which `early` iterations are exaggerated. */
static dlviz_tensor *fit_early(const dlviz_tensor *points, int64_t iterations, int64_t early) {
    dlviz_tensor *map;
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, iterations));
    ck_ok(dlviz_tsne_set_early_exaggeration(tsne, 12, early));
    fit(tsne, points, &map);
    dlviz_tsne_destroy(tsne);
    return map;
}

/* The root of the mean square of coordinates' differences. */
static double distance_between(const dlviz_tensor *a, const dlviz_tensor *b) {
    double squares = 0;
    int64_t size = dlviz_tensor_num_elements(a);
    for (int64_t i = 0; i < size; i++)
        squares += pow((double)dlviz_tensor_const_float(a)[i] - dlviz_tensor_const_float(b)[i], 2);
    return sqrt(squares / (double)size);
}

/* However long exaggeration draws few points together, what follows is a descent from the start, and
 * none from the rounding errors that were left of it. */
START_TEST(a_collapse_is_noticed_at_any_length) {
    enum { n = 60, later = 100 };
    dlviz_tensor *points = matrix(n, 10, NULL), *equal = matrix(n, 10, NULL), *map;
    fill_uniform(dlviz_tensor_float(points), n * 10, 3);
    dlviz_tensor *wanted = fit_early(points, later, 0);
    for (int64_t early = 30; early <= 110; early += early < 60 ? 1 : 7) {
        map = fit_early(equal, early + later, early);
        ck_assert_double_eq_tol(deviation_of(map), 1e-4, 2e-5);
        dlviz_tensor_destroy(map);
        /* A fit that ends before its exaggeration would. */
        map = fit_early(equal, early, 250);
        ck_assert_double_eq_tol(deviation_of(map), 1e-4, 2e-5);
        dlviz_tensor_destroy(map);
        if (early > 50) /* it is noticed before, and more iterations follow */
            continue;
        map = fit_early(points, early + later, early);
        double distance = distance_between(map, wanted) / deviation_of(wanted);
        ck_assert_msg(distance < 0.02, "%d iterations: another map by %g", (int)early, distance);
        dlviz_tensor_destroy(map);
    }
    dlviz_tensor_destroy(wanted);
    dlviz_tensor_destroy(equal);
    dlviz_tensor_destroy(points);
}
END_TEST

/* In a column that is the same in all rows, points that differ little in the others. */
static dlviz_tensor *beside_one(dlviz_tensor *points, double unit) {
    int64_t n = dlviz_tensor_dim(points, 0), d = dlviz_tensor_dim(points, 1);
    dlviz_tensor *wider = matrix(n, d + 1, NULL);
    for (int64_t i = 0; i < n; i++) {
        float *row = dlviz_tensor_float(wider) + i * (d + 1);
        row[0] = 1;
        for (int64_t c = 0; c < d; c++)
            row[1 + c] = (float)(unit * dlviz_tensor_float(points)[i * d + c]);
    }
    return wider;
}

/* Nor does how far from 0 they are: what PCA alone would refuse has a start, and the squares of small
 * angles' cosine distances are told apart. Without iterations the map is the start, and the
 * divergence hangs on the affinities alone. */
START_TEST(what_all_points_have_in_common_does_not_matter) {
    enum { n = 120, d = 4 };
    dlviz_tensor *points = blobs(n, d, 3);
    const double units[] = {1e-7, 1e-12, 1e-15, 1e-19, 1e-24, 1e-30, 1e-44};
    for (int distance = 0; distance <= DLVIZ_TSNE_DISTANCE_COSINE; distance++) {
        double wanted = 0, least = distance == DLVIZ_TSNE_DISTANCE_COSINE ? 1e-19 : 1e-30;
        dlviz_tensor *start = NULL;
        dlviz_tsne *tsne;
        ck_ok(dlviz_tsne_create(&tsne));
        ck_ok(dlviz_tsne_set_distance(tsne, (dlviz_tsne_distance_kind)distance));
        ck_ok(dlviz_tsne_set_perplexity(tsne, 10));
        ck_ok(dlviz_tsne_set_num_iterations(tsne, 0));
        for (int u = 0; u < 7; u++) {
            dlviz_tensor *common = beside_one(points, units[u]), *map, *placed;
            double divergence = fit(tsne, common, &map);
            if (u == 0) {
                start = map;
                wanted = divergence;
            }
            ck_assert_double_eq_tol(deviation_of(map), deviation_of(start), 2e-5);
            if (units[u] >= least) {
                ck_assert_msg(fabs(divergence - wanted) < 1e-3 * wanted,
                              "distance %d, unit %g: KL %g instead of %g", distance, units[u],
                              divergence, wanted);
                ck_assert_double_lt(distance_between(map, start), 1e-8);
            }
            ck_ok(dlviz_tsne_transform(tsne, common, &placed));
            check_map(placed, n, 2);
            dlviz_tensor_destroy(placed);
            if (u > 0)
                dlviz_tensor_destroy(map);
            dlviz_tensor_destroy(common);
        }
        dlviz_tensor_destroy(start);
        dlviz_tsne_destroy(tsne);
    }
    dlviz_tensor_destroy(points);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {the_neighbor_of_many_stays_among_them,
                                  a_star_has_its_hub_in_the_middle,
                                  no_learning_rate_is_too_large,
                                  no_exaggeration_is_too_small,
                                  equal_rows_are_parted,
                                  any_start_unfolds,
                                  a_collapse_is_noticed_at_any_length,
                                  the_unit_of_the_points_does_not_matter,
                                  what_all_points_have_in_common_does_not_matter,
                                  new_points_bear_any_learning_rate,
                                  a_start_without_any_similarity_is_refused,
                                  NULL};
    return run_tests("tsne_hard", tests);
}
