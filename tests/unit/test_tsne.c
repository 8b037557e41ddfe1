#include "base/base.h"
#include "base/random.h"
#include "embed/affinities.h"
#include "support/support.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The handle ----------------------------------------------------------------------------- */

static dlviz_tensor *matrix(int64_t n, int64_t d, const float *values) {
    dlviz_tensor *tensor;
    ck_ok(values ? dlviz_tensor_from_data(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}, values)
                 : dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    return tensor;
}

/* Four well separated Gaussian clusters; point i belongs to cluster i % 4. */
static dlviz_tensor *blobs(int64_t n, int64_t d, uint64_t seed) {
    dlviz_tensor *points = matrix(n, d, NULL);
    float *values = dlviz_tensor_float(points);
    dlz_random random = dlz_random_start(seed, 5);
    for (int64_t i = 0; i < n; i++)
        for (int64_t c = 0; c < d; c++)
            values[i * d + c] = (float)(dlz_random_normal(&random) + (c == i % 4 ? 12 : 0));
    return points;
}

/* The share of points whose nearest other point in the map is of their own cluster. */
static double purity(const dlviz_tensor *map, int clusters) {
    int64_t n = dlviz_tensor_dim(map, 0), d = dlviz_tensor_dim(map, 1), pure = 0;
    const float *y = dlviz_tensor_const_float(map);
    for (int64_t i = 0; i < n; i++) {
        int64_t best = -1;
        double least = INFINITY;
        for (int64_t j = 0; j < n; j++) {
            double square = 0;
            for (int64_t c = 0; c < d; c++)
                square += pow((double)y[i * d + c] - y[j * d + c], 2);
            if (j != i && square < least) {
                least = square;
                best = j;
            }
        }
        pure += best % clusters == i % clusters;
    }
    return (double)pure / (double)n;
}

static void check_map(const dlviz_tensor *map, int64_t n, int64_t dimensions) {
    ck_assert_int_eq(dlviz_tensor_dim(map, 0), n);
    ck_assert_int_eq(dlviz_tensor_dim(map, 1), dimensions);
    for (int64_t i = 0; i < n * dimensions; i++)
        ck_assert(isfinite(dlviz_tensor_const_float(map)[i]));
}

START_TEST(clusters_stay_together_and_the_divergence_falls) {
    const dlviz_tsne_method methods[] = {DLVIZ_TSNE_GRID, DLVIZ_TSNE_BARNES_HUT, DLVIZ_TSNE_EXACT};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++)
        for (int dimensions = 1; dimensions <= 3; dimensions++) {
            dlviz_tensor *points = blobs(600, 10, 1), *map, *history;
            dlviz_tsne *tsne;
            ck_ok(dlviz_tsne_create(&tsne));
            ck_ok(dlviz_tsne_set_method(tsne,
                                        dimensions == 3 && m == 0 ? DLVIZ_TSNE_AUTO : methods[m]));
            ck_ok(dlviz_tsne_set_dimensions(tsne, dimensions));
            ck_ok(dlviz_tsne_set_iterations(tsne, 500));
            ck_ok(dlviz_tsne_fit(tsne, points, &map));
            check_map(map, 600, dimensions);
            ck_assert_double_ge(purity(map, 4), 0.99);
            ck_assert_int_eq(dlviz_tsne_iterations(tsne), 500);
            ck_assert_int_eq(dlviz_tsne_neighbours(tsne), 90);
            ck_ok(dlviz_tsne_history(tsne, &history));
            const float *rows = dlviz_tensor_const_float(history);
            int64_t count = dlviz_tensor_dim(history, 0);
            ck_assert_int_eq(count, 10);
            for (int64_t i = 0; i < count; i++)
                ck_assert_float_eq(rows[3 * i], (float)(50 * (i + 1)));
            for (int64_t i = 6; i < count; i++)
                ck_assert_float_lt(rows[3 * i + 1], rows[3 * i - 2] + 1e-4f);
            ck_assert_float_eq(rows[3 * count - 2], (float)dlviz_tsne_kl_divergence(tsne));
            dlviz_tensor_destroy(history);
            dlviz_tensor_destroy(map);
            dlviz_tensor_destroy(points);
            dlviz_tsne_destroy(tsne);
        }
}
END_TEST

/* KL(P || Q) of a map in double, P from affinities() itself checked above. */
START_TEST(the_reported_divergence_is_that_of_the_map) {
    enum { n = 300, k = 30 };
    dlviz_tensor *indices, *distances, *map;
    ck_ok(dlviz_tensor_create(&indices, DLVIZ_INT64, 2, (int64_t[]){n, k}));
    distances = matrix(n, k, NULL);
    static double p[n][n];
    float squares[n * k], conditional[n * k];
    dlz_random random = dlz_random_start(8, 8);
    for (int i = 0; i < n * k; i++) {
        ((int64_t *)dlviz_tensor_data(indices))[i] = (i / k + 1 + i % k) % n;
        float distance = 1 + dlz_random_float(&random) * (float)(i % k);
        dlviz_tensor_float(distances)[i] = distance;
        squares[i] = distance * distance;
    }
    ck_ok(dlz_conditional_affinities(squares, n, k, (double[]){10}, 1, conditional));
    for (int i = 0; i < n * k; i++) {
        int j = (i / k + 1 + i % k) % n;
        p[i / k][j] += conditional[i] / (2.0 * n);
        p[j][i / k] += conditional[i] / (2.0 * n);
    }
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_perplexity(tsne, 10));
    const dlviz_tsne_method methods[] = {DLVIZ_TSNE_EXACT, DLVIZ_TSNE_GRID};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        ck_ok(dlviz_tsne_set_method(tsne, methods[m]));
        ck_ok(dlviz_tsne_set_late_exaggeration(tsne, 2, m ? 50 : 0));
        ck_ok(dlviz_tsne_set_degrees_of_freedom(tsne, m ? 0.7 : 1));
        ck_ok(dlviz_tsne_fit_neighbours(tsne, indices, distances, &map));
        const float *y = dlviz_tensor_const_float(map);
        double z = 0, divergence = 0, a = m ? 0.7 : 1;
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n; j++) {
                double square = pow((double)y[2 * i] - y[2 * j], 2) +
                                pow((double)y[2 * i + 1] - y[2 * j + 1], 2);
                z += i == j ? 0 : pow(1 + square / a, -a);
                if (p[i][j] > 0)
                    divergence += p[i][j] * log(p[i][j] * pow(1 + square / a, a));
            }
        divergence += log(z); /* P sums to 1 */
        ck_assert_double_eq_tol(dlviz_tsne_kl_divergence(tsne), divergence, 2e-4 * divergence);
        dlviz_tensor_destroy(map);
    }
    dlviz_tsne_destroy(tsne);
    dlviz_tensor_destroy(indices);
    dlviz_tensor_destroy(distances);
}
END_TEST

START_TEST(bits_do_not_depend_on_threads) {
    const dlviz_tsne_method methods[] = {DLVIZ_TSNE_GRID, DLVIZ_TSNE_BARNES_HUT, DLVIZ_TSNE_EXACT};
    dlviz_tensor *points = blobs(2500, 12, 2), *first, *again;
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        dlviz_tsne *tsne;
        ck_ok(dlviz_tsne_create(&tsne));
        ck_ok(dlviz_tsne_set_method(tsne, methods[m]));
        ck_ok(dlviz_tsne_set_iterations(tsne, 50));
        ck_ok(dlviz_tsne_set_early_exaggeration(tsne, 12, 25));
        ck_ok(dlviz_set_num_threads(1));
        ck_ok(dlviz_tsne_fit(tsne, points, &first));
        const int threads[] = {1, 2, 3, 8};
        for (int t = 0; t < 4; t++) {
            ck_ok(dlviz_set_num_threads(threads[t]));
            ck_ok(dlviz_tsne_fit(tsne, points, &again));
            ck_assert_mem_eq(dlviz_tensor_data(first), dlviz_tensor_data(again),
                             (size_t)dlviz_tensor_size(first) * sizeof(float));
            dlviz_tensor_destroy(again);
        }
        dlviz_tensor_destroy(first);
        dlviz_tsne_destroy(tsne);
    }
    dlviz_tensor_destroy(points);
}
END_TEST

static bool count_finite(int iteration, int iterations, double divergence, double norm,
                         const dlviz_tensor *map, void *user) {
    (void)iteration, (void)iterations, (void)map;
    ck_assert(isfinite(divergence) && isfinite(norm));
    ++*(int *)user;
    return true;
}

START_TEST(small_and_degenerate_inputs_have_maps) {
    for (int64_t n = 1; n <= 12; n++)
        for (int kind = 0; kind < 3; kind++) {
            dlviz_tensor *points = blobs(n, 3, 1), *map, *history;
            float *values = dlviz_tensor_float(points);
            int calls = 0;
            for (int64_t i = 0; i < 3 * n && kind > 0; i++)
                values[i] = kind == 1 ? 4.5f : i % 3 == 1 ? values[i] : -1e5f;
            dlviz_tsne *tsne;
            ck_ok(dlviz_tsne_create(&tsne));
            ck_ok(dlviz_tsne_set_iterations(tsne, 300));
            ck_ok(dlviz_tsne_set_progress(tsne, 70, count_finite, &calls));
            ck_ok(dlviz_tsne_fit(tsne, points, &map));
            check_map(map, n, 2);
            ck_assert(isfinite(dlviz_tsne_kl_divergence(tsne)));
            ck_ok(dlviz_tsne_history(tsne, &history));
            ck_assert_int_eq(calls, 5);
            check_map(history, 5, 3);
            if (n == 1) {
                ck_assert_float_eq(dlviz_tensor_float(map)[0], 0);
                for (int row = 0; row < 5; row++) /* nothing pulls at a single point */
                    ck_assert_float_eq(dlviz_tensor_float(history)[3 * row + 2], 0);
            }
            dlviz_tensor_destroy(history);
            dlviz_tensor_destroy(map);
            dlviz_tensor_destroy(points);
            dlviz_tsne_destroy(tsne);
        }
}
END_TEST

START_TEST(duplicates_survive) {
    dlviz_tensor *points = blobs(1000, 4, 3), *map;
    float *values = dlviz_tensor_float(points);
    for (int i = 0; i < 4 * 500; i++)
        values[i] = values[i % (4 * 4)]; /* 125 copies of each of four points */
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_init(tsne, DLVIZ_TSNE_INIT_RANDOM));
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    check_map(map, 1000, 2);
    ck_assert_double_ge(purity(map, 4), 0.99);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(points);
    dlviz_tsne_destroy(tsne);
}
END_TEST

START_TEST(settings_are_checked) {
    const dlviz_status bad = DLVIZ_ERROR_INVALID_ARGUMENT;
    dlviz_tsne *t;
    ck_fails(dlviz_tsne_create(NULL), bad, "'out' is NULL");
    ck_ok(dlviz_tsne_create(&t));
    ck_fails(dlviz_tsne_set_dimensions(NULL, 2), bad, "'tsne' is NULL");
    ck_fails(dlviz_tsne_set_dimensions(t, 0), bad, "0 dimensions");
    ck_fails(dlviz_tsne_set_dimensions(t, 4), bad, "4 dimensions");
    ck_fails(dlviz_tsne_set_perplexity(t, 0.5), bad, "perplexity 0.5");
    ck_fails(dlviz_tsne_set_perplexity(t, NAN), bad, "perplexity");
    ck_fails(dlviz_tsne_set_perplexity(t, INFINITY), bad, "perplexity inf");
    ck_fails(dlviz_tsne_set_perplexities(t, 0, (double[]){3}), bad, "0 perplexities");
    ck_fails(dlviz_tsne_set_perplexities(t, 17, (double[17]){3}), bad, "17 perplexities");
    ck_fails(dlviz_tsne_set_perplexities(t, 1, NULL), bad, "'perplexities' is NULL");
    ck_fails(dlviz_tsne_set_perplexities(t, 2, (double[]){3, -1}), bad, "perplexity 1 is -1");
    ck_fails(dlviz_tsne_set_metric(t, (dlviz_tsne_metric)7), bad, "metric 7");
    ck_fails(dlviz_tsne_set_iterations(t, -1), bad, "-1 iterations");
    ck_fails(dlviz_tsne_set_early_exaggeration(t, 0, 10), bad, "factor 0");
    ck_fails(dlviz_tsne_set_early_exaggeration(t, 4, -10), bad, "-10 iterations");
    ck_fails(dlviz_tsne_set_late_exaggeration(t, NAN, 10), bad, "factor");
    ck_fails(dlviz_tsne_set_late_exaggeration(t, 4, -3), bad, "-3 iterations");
    ck_fails(dlviz_tsne_set_learning_rate(t, -1), bad, "learning rate -1");
    ck_fails(dlviz_tsne_set_learning_rate(t, NAN), bad, "learning rate");
    ck_fails(dlviz_tsne_set_momentum(t, 1, 0.5), bad, "momentum 1");
    ck_fails(dlviz_tsne_set_momentum(t, 0.5, -0.1), bad, "then -0.1");
    ck_fails(dlviz_tsne_set_degrees_of_freedom(t, 0), bad, "0 degrees");
    ck_fails(dlviz_tsne_set_init(t, (dlviz_tsne_init)2), bad, "init 2");
    ck_fails(dlviz_tsne_set_method(t, (dlviz_tsne_method)4), bad, "method 4");
    ck_fails(dlviz_tsne_set_angle(t, 1.5), bad, "angle 1.5");
    ck_fails(dlviz_tsne_set_cell_size(t, 0.01), bad, "width 0.01");
    ck_fails(dlviz_tsne_set_stopping(t, -1, 0), bad, "gradient norm -1");
    ck_fails(dlviz_tsne_set_stopping(t, 0, -1), bad, "-1 iterations");
    ck_fails(dlviz_tsne_set_transform(t, 0, 1, 1, 1), bad, "perplexity 0");
    ck_fails(dlviz_tsne_set_transform(t, 5, -1, 1, 1), bad, "-1 iterations");
    ck_fails(dlviz_tsne_set_transform(t, 5, 1, 0, 1), bad, "learning rate 0");
    ck_fails(dlviz_tsne_set_transform(t, 5, 1, 1, 0), bad, "exaggeration 0");
    ck_assert(isnan(dlviz_tsne_kl_divergence(t)));
    ck_assert(isnan(dlviz_tsne_kl_divergence(NULL)));
    dlviz_tensor *out, *points = blobs(20, 3, 1), *start = matrix(5, 2, NULL);
    ck_fails(dlviz_tsne_history(t, &out), DLVIZ_ERROR_STATE, "no fit");
    ck_fails(dlviz_tsne_transform(t, points, &out), DLVIZ_ERROR_STATE, "needs a fit");
    ck_fails(dlviz_tsne_fit(t, NULL, &out), bad, "'points' is NULL");
    ck_fails(dlviz_tsne_fit(t, points, NULL), bad, "'map' is NULL");
    ck_ok(dlviz_tsne_set_initial_map(t, start));
    ck_fails(dlviz_tsne_fit(t, points, &out), DLVIZ_ERROR_SHAPE, "initial map is 5 x 2");
    ck_assert_ptr_null(out);
    ck_ok(dlviz_tsne_set_initial_map(t, NULL));
    dlviz_tensor_float(points)[7] = NAN;
    ck_fails(dlviz_tsne_fit(t, points, &out), DLVIZ_ERROR_NUMERIC, "row 2, column 1");
    ck_assert_ptr_null(out);
    dlviz_tensor_float(points)[7] = 1e30f;
    ck_fails(dlviz_tsne_fit(t, points, &out), DLVIZ_ERROR_NUMERIC, "row 2, column 1");
    dlviz_tensor_float(start)[3] = INFINITY;
    ck_fails(dlviz_tsne_set_initial_map(t, start), DLVIZ_ERROR_NUMERIC, "row 1");
    ck_ok(dlviz_tsne_set_metric(t, DLVIZ_TSNE_COSINE));
    memset(dlviz_tensor_data(points), 0, 60 * sizeof(float));
    ck_fails(dlviz_tsne_fit(t, points, &out), DLVIZ_ERROR_NUMERIC, "row 0");
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(start);
    dlviz_tsne_destroy(t);
    dlviz_tsne_destroy(NULL);
}
END_TEST

typedef struct watch {
    int calls, cancel_at;
    float last[2];
} watch;

static bool watch_progress(int iteration, int iterations, double divergence, double norm,
                           const dlviz_tensor *map, void *user) {
    watch *w = user;
    w->calls++;
    ck_assert_int_eq(iterations, 200);
    ck_assert_int_eq(iteration, 40 * w->calls);
    ck_assert(isfinite(divergence) && norm > 0);
    memcpy(w->last, dlviz_tensor_const_data(map), sizeof w->last);
    return iteration != w->cancel_at;
}

START_TEST(progress_can_cancel_and_leaves_the_map) {
    for (int cancel = 0; cancel <= 120; cancel += 120) {
        watch w = {.cancel_at = cancel};
        dlviz_tensor *points = blobs(300, 5, 4), *map, *history;
        dlviz_tsne *tsne;
        ck_ok(dlviz_tsne_create(&tsne));
        ck_ok(dlviz_tsne_set_iterations(tsne, 200));
        /* In a map that has unfolded, Barnes-Hut's sum Z is not quite that of all pairs, which the
         * last divergence takes. */
        ck_ok(dlviz_tsne_set_method(tsne, DLVIZ_TSNE_BARNES_HUT));
        ck_ok(dlviz_tsne_set_early_exaggeration(tsne, 4, 20));
        ck_fails(dlviz_tsne_set_progress(tsne, 0, watch_progress, &w), DLVIZ_ERROR_INVALID_ARGUMENT,
                 "every 0");
        ck_ok(dlviz_tsne_set_progress(tsne, 40, watch_progress, &w));
        dlviz_status status = dlviz_tsne_fit(tsne, points, &map);
        ck_assert_int_eq(status, cancel ? DLVIZ_CANCELLED : DLVIZ_OK);
        check_map(map, 300, 2);
        ck_assert_int_eq(w.calls, cancel ? 3 : 5);
        ck_assert_mem_eq(w.last, dlviz_tensor_data(map), sizeof w.last);
        ck_assert_int_eq(dlviz_tsne_iterations(tsne), cancel ? 120 : 200);
        ck_assert(isfinite(dlviz_tsne_kl_divergence(tsne)));
        ck_ok(dlviz_tsne_history(tsne, &history));
        ck_assert_int_eq(dlviz_tensor_dim(history, 0), cancel ? 3 : 5);
        ck_assert_float_eq(dlviz_tensor_float(history)[3 * (cancel ? 3 : 5) - 2],
                           (float)dlviz_tsne_kl_divergence(tsne));
        dlviz_tensor_destroy(history);
        dlviz_tensor_destroy(map);
        dlviz_tensor_destroy(points);
        dlviz_tsne_destroy(tsne);
    }
}
END_TEST

START_TEST(stopping_rules_end_the_descent) {
    for (int rule = 0; rule < 2; rule++) {
        dlviz_tensor *points = blobs(300, 5, 4), *map;
        dlviz_tsne *tsne;
        ck_ok(dlviz_tsne_create(&tsne));
        ck_ok(dlviz_tsne_set_iterations(tsne, 20000));
        ck_ok(dlviz_tsne_set_stopping(tsne, rule ? 1e-4 : 0, rule ? 0 : 300));
        /* Under exaggeration the plain divergence falls at first, and then rises. */
        ck_ok(dlviz_tsne_set_early_exaggeration(tsne, 1, 250));
        ck_ok(dlviz_tsne_set_late_exaggeration(tsne, rule ? 1 : 8, 20000));
        ck_ok(dlviz_tsne_fit(tsne, points, &map));
        ck_assert_int_ge(dlviz_tsne_iterations(tsne), 250);
        ck_assert_int_lt(dlviz_tsne_iterations(tsne), 20000);
        dlviz_tensor_destroy(map);
        dlviz_tensor_destroy(points);
        dlviz_tsne_destroy(tsne);
    }
}
END_TEST

/* Whoever watches a fit does not change it. */
START_TEST(progress_does_not_move_the_stop) {
    const int every[] = {0, 7, 100000};
    for (int rule = 0; rule < 2; rule++) {
        dlviz_tensor *points = blobs(300, 5, 4), *maps[3], *history;
        int iterations[3];
        for (int e = 0; e < 3; e++) {
            int calls = 0;
            dlviz_tsne *tsne;
            ck_ok(dlviz_tsne_create(&tsne));
            ck_ok(dlviz_tsne_set_iterations(tsne, 20000));
            ck_ok(dlviz_tsne_set_stopping(tsne, rule ? 1e-4 : 0, rule ? 0 : 300));
            ck_ok(dlviz_tsne_set_early_exaggeration(tsne, 1, 250));
            ck_ok(dlviz_tsne_set_late_exaggeration(tsne, rule ? 1 : 8, 20000));
            if (every[e])
                ck_ok(dlviz_tsne_set_progress(tsne, every[e], count_finite, &calls));
            ck_ok(dlviz_tsne_fit(tsne, points, &maps[e]));
            iterations[e] = dlviz_tsne_iterations(tsne);
            ck_assert_int_eq(iterations[e] % 50, 0);
            ck_assert_int_lt(iterations[e], 20000);
            ck_assert_int_eq(iterations[e], iterations[0]);
            ck_assert_mem_eq(dlviz_tensor_data(maps[e]), dlviz_tensor_data(maps[0]),
                             (size_t)dlviz_tensor_size(maps[0]) * sizeof(float));
            ck_ok(dlviz_tsne_history(tsne, &history));
            int64_t rows = dlviz_tensor_dim(history, 0);
            int step = every[e] ? every[e] : 50;
            ck_assert_int_eq(rows, (iterations[e] + step - 1) / step);
            if (every[e])
                ck_assert_int_eq(calls, rows);
            ck_assert_float_eq(dlviz_tensor_float(history)[3 * rows - 3], (float)iterations[e]);
            ck_assert_float_eq(dlviz_tensor_float(history)[3 * rows - 2],
                               (float)dlviz_tsne_kl_divergence(tsne));
            dlviz_tensor_destroy(history);
            dlviz_tsne_destroy(tsne);
        }
        for (int e = 0; e < 3; e++)
            dlviz_tensor_destroy(maps[e]);
        dlviz_tensor_destroy(points);
    }
}
END_TEST

START_TEST(arguments_at_fault_leave_the_earlier_fit) {
    enum { n = 60, k = 4 };
    dlviz_tensor *points = blobs(n, 3, 1), *fresh = blobs(5, 3, 2), *start = matrix(7, 2, NULL);
    dlviz_tensor *distances = matrix(n, k, NULL), *indices, *offsets, *columns, *values;
    dlviz_tensor *map, *placed, *again, *none;
    ck_ok(dlviz_tensor_create(&indices, DLVIZ_INT64, 2, (int64_t[]){n, k}));
    ck_ok(dlviz_tensor_create(&offsets, DLVIZ_INT64, 1, (int64_t[]){n + 1}));
    ck_ok(dlviz_tensor_create(&columns, DLVIZ_INT64, 1, (int64_t[]){n * k}));
    ck_ok(dlviz_tensor_create(&values, DLVIZ_FLOAT32, 1, (int64_t[]){n * k}));
    int64_t *index = dlviz_tensor_data(indices), *offset = dlviz_tensor_data(offsets);
    for (int i = 0; i < n * k; i++) {
        index[i] = (i / k + 1 + i % k) % n;
        dlviz_tensor_float(distances)[i] = (float)(1 + i % k);
        dlviz_tensor_float(values)[i] = 1;
        offset[i / k + 1] = i + 1;
    }
    memcpy(dlviz_tensor_data(columns), index, n * k * sizeof *index);
    dlviz_tsne *t;
    ck_ok(dlviz_tsne_create(&t));
    ck_ok(dlviz_tsne_set_perplexity(t, 5));
    ck_ok(dlviz_tsne_set_iterations(t, 100));
    ck_ok(dlviz_tsne_fit(t, points, &map));
    ck_ok(dlviz_tsne_transform(t, fresh, &placed));
    const double divergence = dlviz_tsne_kl_divergence(t);

    ck_ok(dlviz_tsne_set_initial_map(t, start));
    ck_fails(dlviz_tsne_fit(t, points, &none), DLVIZ_ERROR_SHAPE, "initial map is 7 x 2");
    ck_fails(dlviz_tsne_fit_neighbours(t, indices, distances, &none), DLVIZ_ERROR_SHAPE,
             "initial map is 7 x 2");
    ck_fails(dlviz_tsne_fit_affinities(t, offsets, columns, values, &none), DLVIZ_ERROR_SHAPE,
             "initial map is 7 x 2");
    ck_ok(dlviz_tsne_set_initial_map(t, NULL));
    ck_ok(dlviz_tsne_set_method(t, DLVIZ_TSNE_GRID));
    ck_ok(dlviz_tsne_set_dimensions(t, 3));
    const dlviz_status bad = DLVIZ_ERROR_INVALID_ARGUMENT;
    ck_fails(dlviz_tsne_fit(t, points, &none), bad, "1 or 2 dimensions");
    ck_fails(dlviz_tsne_fit_neighbours(t, indices, distances, &none), bad, "1 or 2 dimensions");
    ck_fails(dlviz_tsne_fit_affinities(t, offsets, columns, values, &none), bad,
             "1 or 2 dimensions");
    ck_ok(dlviz_tsne_set_method(t, DLVIZ_TSNE_AUTO));
    ck_ok(dlviz_tsne_set_dimensions(t, 2));
    dlviz_tensor_float(points)[4] = NAN;
    ck_fails(dlviz_tsne_fit(t, points, &none), DLVIZ_ERROR_NUMERIC, "row 1");
    index[1] = 0;
    ck_fails(dlviz_tsne_fit_neighbours(t, indices, distances, &none), bad, "the point itself");
    index[1] = index[0];
    ck_fails(dlviz_tsne_fit_neighbours(t, indices, distances, &none), bad, "twice");
    memset(dlviz_tensor_data(values), 0, n * k * sizeof(float));
    ck_fails(dlviz_tsne_fit_affinities(t, offsets, columns, values, &none), DLVIZ_ERROR_NUMERIC,
             "sum");
    ck_assert_ptr_null(none);

    ck_assert_double_eq(dlviz_tsne_kl_divergence(t), divergence);
    ck_assert_int_eq(dlviz_tsne_iterations(t), 100);
    ck_ok(dlviz_tsne_transform(t, fresh, &again));
    ck_assert_mem_eq(dlviz_tensor_data(again), dlviz_tensor_data(placed), 10 * sizeof(float));
    dlviz_tensor *all[] = {points,  fresh,  start, distances, indices, offsets,
                           columns, values, map,   placed,    again};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_tsne_destroy(t);
}
END_TEST

/* Sums whose inverse a float cannot hold, or only roughly. */
START_TEST(affinities_of_any_magnitude_sum_to_one) {
    enum { n = 50, k = 3 };
    int32_t columns[n * k];
    float values[n * k];
    const float magnitudes[] = {1e-42f, 1e-38f, 1, 1e36f, 1e38f};
    for (size_t m = 0; m < sizeof magnitudes / sizeof *magnitudes; m++) {
        for (int i = 0; i < n * k; i++) {
            columns[i] = (i / k + 1 + i % k) % n;
            values[i] = magnitudes[m];
        }
        dlz_affinities affinities;
        ck_ok(dlz_affinities_symmetric(&affinities, n, NULL, k, columns, values));
        ck_assert_int_eq(affinities.offsets[n], 2 * n * k);
        for (int i = 0; i < 2 * n * k; i++)
            ck_assert_float_eq_tol(affinities.values[i], 1.0f / (2 * n * k), 1e-9f);
        dlz_affinities_free(&affinities);
    }
}
END_TEST

START_TEST(given_neighbours_and_affinities_give_maps) {
    enum { n = 90, k = 20 };
    dlviz_tensor *indices, *distances = matrix(n, k, NULL), *offsets, *columns, *values, *map;
    ck_ok(dlviz_tensor_create(&indices, DLVIZ_INT64, 2, (int64_t[]){n, k}));
    ck_ok(dlviz_tensor_create(&offsets, DLVIZ_INT64, 1, (int64_t[]){n + 1}));
    ck_ok(dlviz_tensor_create(&columns, DLVIZ_INT64, 1, (int64_t[]){n * k}));
    ck_ok(dlviz_tensor_create(&values, DLVIZ_FLOAT32, 1, (int64_t[]){n * k}));
    int64_t *index = dlviz_tensor_data(indices), *offset = dlviz_tensor_data(offsets);
    for (int i = 0; i < n * k; i++) {
        /* Three rings: i and its neighbours are equal modulo 3. */
        index[i] = (i / k + 3 * (1 + i % k)) % n;
        dlviz_tensor_float(distances)[i] = (float)(1 + i % k);
        dlviz_tensor_float(values)[i] = 1;
        offset[i / k + 1] = i + 1;
    }
    memcpy(dlviz_tensor_data(columns), index, n * k * sizeof *index);
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_iterations(tsne, 400));
    ck_ok(dlviz_tsne_fit_neighbours(tsne, indices, distances, &map));
    check_map(map, n, 2);
    ck_assert_double_ge(purity(map, 3), 0.99);
    ck_assert_int_eq(dlviz_tsne_neighbours(tsne), k);
    dlviz_tensor *points = blobs(3, 3, 3), *none;
    ck_fails(dlviz_tsne_transform(tsne, points, &none), DLVIZ_ERROR_STATE, "fit of points");
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    ck_ok(dlviz_tsne_fit_affinities(tsne, offsets, columns, values, &map));
    check_map(map, n, 2);
    ck_assert_double_ge(purity(map, 3), 0.99);
    dlviz_tensor_destroy(map);

    ck_fails(dlviz_tsne_fit_neighbours(tsne, distances, distances, &map), DLVIZ_ERROR_SHAPE,
             "'indices'");
    ck_fails(dlviz_tsne_fit_neighbours(tsne, NULL, distances, &map), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'indices' is NULL");
    dlviz_tensor_float(distances)[5] = -1;
    ck_fails(dlviz_tsne_fit_neighbours(tsne, indices, distances, &map), DLVIZ_ERROR_NUMERIC,
             "entry 5");
    dlviz_tensor_float(distances)[5] = 1;
    int64_t kept = index[4];
    index[4] = n;
    ck_fails(dlviz_tsne_fit_neighbours(tsne, indices, distances, &map),
             DLVIZ_ERROR_INVALID_ARGUMENT, "is 90");
    index[4] = 0;
    ck_fails(dlviz_tsne_fit_neighbours(tsne, indices, distances, &map),
             DLVIZ_ERROR_INVALID_ARGUMENT, "the point itself");
    index[4] = index[3];
    ck_fails(dlviz_tsne_fit_neighbours(tsne, indices, distances, &map),
             DLVIZ_ERROR_INVALID_ARGUMENT, "twice");
    index[4] = kept;
    offset[2] = -5;
    ck_fails(dlviz_tsne_fit_affinities(tsne, offsets, columns, values, &map),
             DLVIZ_ERROR_INVALID_ARGUMENT, "'offsets'");
    offset[2] = 2 * k;
    offset[n] = 7 + n * k;
    ck_fails(dlviz_tsne_fit_affinities(tsne, offsets, columns, values, &map), DLVIZ_ERROR_SHAPE,
             "ends with");
    offset[n] = n * k;
    memset(dlviz_tensor_data(values), 0, n * k * sizeof(float));
    ck_fails(dlviz_tsne_fit_affinities(tsne, offsets, columns, values, &map), DLVIZ_ERROR_NUMERIC,
             "sum");
    dlviz_tsne_destroy(tsne);
    dlviz_tensor_destroy(indices);
    dlviz_tensor_destroy(distances);
    dlviz_tensor_destroy(offsets);
    dlviz_tensor_destroy(columns);
    dlviz_tensor_destroy(values);
}
END_TEST

START_TEST(new_points_land_in_their_clusters) {
    const dlviz_tsne_metric metrics[] = {DLVIZ_TSNE_EUCLIDEAN, DLVIZ_TSNE_COSINE};
    for (int dimensions = 1; dimensions <= 3; dimensions++)
        for (int m = 0; m < 2; m++) {
            dlviz_tensor *points = blobs(800, 6, 5), *fresh = blobs(101, 6, 6), *map, *placed, *one;
            dlviz_tsne *tsne;
            ck_ok(dlviz_tsne_create(&tsne));
            ck_ok(dlviz_tsne_set_dimensions(tsne, dimensions));
            ck_ok(dlviz_tsne_set_iterations(tsne, 400));
            ck_ok(dlviz_tsne_set_metric(tsne, metrics[m]));
            ck_ok(dlviz_tsne_fit(tsne, points, &map));
            ck_ok(dlviz_tsne_transform(tsne, fresh, &placed));
            check_map(placed, 101, dimensions);
            const float *y = dlviz_tensor_const_float(map), *x = dlviz_tensor_const_float(placed);
            int right = 0;
            for (int i = 0; i < 101; i++) {
                int best = 0;
                double least = INFINITY;
                for (int j = 0; j < 800; j++) {
                    double square = 0;
                    for (int c = 0; c < dimensions; c++)
                        square += pow((double)x[i * dimensions + c] - y[j * dimensions + c], 2);
                    if (square < least) {
                        least = square;
                        best = j;
                    }
                }
                right += best % 4 == i % 4;
            }
            ck_assert_int_ge(right, 97);
            /* A point's place does not depend on its company. */
            dlviz_tensor *slice;
            ck_ok(dlviz_tensor_slice(fresh, 70, 1, &slice));
            ck_ok(dlviz_tsne_transform(tsne, slice, &one));
            for (int c = 0; c < dimensions; c++)
                ck_assert_float_eq_tol(dlviz_tensor_float(one)[c], x[70 * dimensions + c], 1e-3f);
            dlviz_tensor *narrow = blobs(5, 4, 1), *none;
            ck_fails(dlviz_tsne_transform(tsne, narrow, &none), DLVIZ_ERROR_SHAPE, "4 columns");
            ck_assert_ptr_null(none);
            dlviz_tensor_destroy(narrow);
            dlviz_tensor_destroy(one);
            dlviz_tensor_destroy(slice);
            dlviz_tensor_destroy(placed);
            dlviz_tensor_destroy(map);
            dlviz_tensor_destroy(fresh);
            dlviz_tensor_destroy(points);
            dlviz_tsne_destroy(tsne);
        }
}
END_TEST

START_TEST(digits_form_clusters_and_new_ones_join_them) {
    enum { fitted = 2000, fresh = 500, d = 784 };
    static uint8_t pixels[(fitted + fresh) * d], labels[fitted + fresh];
    if (!read_mnist("t10k-images-idx3-ubyte", 16, sizeof pixels, pixels) ||
        !read_mnist("t10k-labels-idx1-ubyte", 8, sizeof labels, labels)) {
        puts("skipped: there is no MNIST in $DLVIZ_DATA_DIR or the cache folder");
        return;
    }
    dlviz_tensor *all = matrix(fitted + fresh, d, NULL), *points, *later, *map, *placed;
    for (int64_t i = 0; i < (fitted + fresh) * d; i++)
        dlviz_tensor_float(all)[i] = (float)pixels[i] / 255;
    ck_ok(dlviz_tensor_slice(all, 0, fitted, &points));
    ck_ok(dlviz_tensor_slice(all, fitted, fresh, &later));
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    ck_assert_int_eq(dlviz_tsne_method_used(tsne), DLVIZ_TSNE_GRID);
    ck_ok(dlviz_tsne_transform(tsne, later, &placed));
    const float *y = dlviz_tensor_const_float(map), *x = dlviz_tensor_const_float(placed);
    int right = 0, own = 0;
    for (int i = 0; i < fitted + fresh; i++) {
        const float *place = i < fitted ? y + 2 * i : x + 2 * (i - fitted);
        int best = 0;
        double least = INFINITY;
        for (int j = 0; j < fitted; j++) {
            double square =
                pow((double)place[0] - y[2 * j], 2) + pow((double)place[1] - y[2 * j + 1], 2);
            if (j != i && square < least) {
                least = square;
                best = j;
            }
        }
        *(i < fitted ? &own : &right) += labels[best] == labels[i];
    }
    ck_assert_int_ge(own, fitted * 86 / 100);
    ck_assert_int_ge(right, fresh * 80 / 100);
    dlviz_tensor_destroy(placed);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(later);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(all);
    dlviz_tsne_destroy(tsne);
}
END_TEST

/* ---- Memory that runs out ------------------------------------------------------------------- */

static long blocks_left, blocks_alive;
static pthread_mutex_t blocks_lock = PTHREAD_MUTEX_INITIALIZER;

static void *scarce(size_t size, void *user) {
    (void)user;
    pthread_mutex_lock(&blocks_lock);
    bool given = blocks_left-- > 0;
    blocks_alive += given;
    pthread_mutex_unlock(&blocks_lock);
    return given ? malloc(size) : NULL;
}

static void give_back(void *block, void *user) {
    (void)user;
    pthread_mutex_lock(&blocks_lock);
    blocks_alive--;
    pthread_mutex_unlock(&blocks_lock);
    free(block);
}

START_TEST(every_failing_allocation_is_reported_and_leaks_nothing) {
    ck_ok(dlviz_set_allocator(scarce, give_back, NULL));
    const dlviz_tsne_method methods[] = {DLVIZ_TSNE_GRID, DLVIZ_TSNE_BARNES_HUT, DLVIZ_TSNE_EXACT};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        dlviz_status status = DLVIZ_ERROR_OUT_OF_MEMORY;
        long allowed = 0;
        for (; status != DLVIZ_OK; allowed++) {
            ck_assert_int_lt(allowed, 5000);
            blocks_left = 1000000;
            dlviz_tensor *points = blobs(300, 3, 1), *map = NULL, *placed = NULL;
            blocks_left = allowed;
            dlviz_tsne *tsne = NULL;
            status = dlviz_tsne_create(&tsne);
            if (status == DLVIZ_OK)
                status = dlviz_tsne_set_method(tsne, methods[m]);
            if (status == DLVIZ_OK)
                status = dlviz_tsne_set_iterations(tsne, 60);
            if (status == DLVIZ_OK)
                status = dlviz_tsne_fit(tsne, points, &map);
            if (status == DLVIZ_OK)
                status = dlviz_tsne_transform(tsne, points, &placed);
            ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_OUT_OF_MEMORY);
            ck_assert(status != DLVIZ_OK ? placed == NULL : placed != NULL);
            dlviz_tensor_destroy(placed);
            dlviz_tensor_destroy(map);
            dlviz_tensor_destroy(points);
            dlviz_tsne_destroy(tsne);
            ck_assert_int_eq(blocks_alive, 0);
        }
        ck_assert_int_gt(allowed, 10);
    }
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {clusters_stay_together_and_the_divergence_falls,
                                  the_reported_divergence_is_that_of_the_map,
                                  bits_do_not_depend_on_threads,
                                  small_and_degenerate_inputs_have_maps,
                                  duplicates_survive,
                                  settings_are_checked,
                                  progress_can_cancel_and_leaves_the_map,
                                  stopping_rules_end_the_descent,
                                  progress_does_not_move_the_stop,
                                  arguments_at_fault_leave_the_earlier_fit,
                                  affinities_of_any_magnitude_sum_to_one,
                                  given_neighbours_and_affinities_give_maps,
                                  new_points_land_in_their_clusters,
                                  digits_form_clusters_and_new_ones_join_them,
                                  every_failing_allocation_is_reported_and_leaks_nothing,
                                  NULL};
    return run_tests("tsne", tests);
}
