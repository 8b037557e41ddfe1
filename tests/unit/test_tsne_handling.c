/* Settings, progress, stopping, failures. */
#include "base/base.h"
#include "support/tsne.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

START_TEST(settings_are_checked) {
    const dlviz_status bad = DLVIZ_ERROR_INVALID_ARGUMENT;
    dlviz_tsne *t;
    ck_fails(dlviz_tsne_create(NULL), bad, "'out' is NULL");
    ck_ok(dlviz_tsne_create(&t));
    ck_fails(dlviz_tsne_set_num_dimensions(NULL, 2), bad, "'tsne' is NULL");
    ck_fails(dlviz_tsne_set_num_dimensions(t, 0), bad, "0 dimensions");
    ck_fails(dlviz_tsne_set_num_dimensions(t, 4), bad, "4 dimensions");
    ck_fails(dlviz_tsne_set_perplexity(t, 0.5), bad, "perplexity 0.5");
    ck_fails(dlviz_tsne_set_perplexity(t, NAN), bad, "perplexity");
    ck_fails(dlviz_tsne_set_perplexity(t, INFINITY), bad, "perplexity inf");
    ck_fails(dlviz_tsne_set_perplexities(t, 0, (double[]){3}), bad, "0 perplexities");
    ck_fails(dlviz_tsne_set_perplexities(t, 17, (double[17]){3}), bad, "17 perplexities");
    ck_fails(dlviz_tsne_set_perplexities(t, 1, NULL), bad, "'perplexities' is NULL");
    ck_fails(dlviz_tsne_set_perplexities(t, 2, (double[]){3, -1}), bad, "perplexity 1 is -1");
    ck_fails(dlviz_tsne_set_distance(t, (dlviz_tsne_distance_kind)7), bad, "distance 7");
    ck_fails(dlviz_tsne_set_num_iterations(t, -1), bad, "-1 iterations");
    ck_fails(dlviz_tsne_set_early_exaggeration(t, 0, 10), bad, "factor 0");
    ck_fails(dlviz_tsne_set_early_exaggeration(t, 4, -10), bad, "-10 iterations");
    ck_fails(dlviz_tsne_set_late_exaggeration(t, NAN, 10), bad, "factor");
    ck_fails(dlviz_tsne_set_late_exaggeration(t, 4, -3), bad, "-3 iterations");
    ck_fails(dlviz_tsne_set_learning_rate(t, -1), bad, "learning rate -1");
    ck_fails(dlviz_tsne_set_learning_rate(t, NAN), bad, "learning rate");
    ck_fails(dlviz_tsne_set_momentum(t, 1, 0.5), bad, "momentum 1");
    ck_fails(dlviz_tsne_set_momentum(t, 0.5, -0.1), bad, "then -0.1");
    ck_fails(dlviz_tsne_set_degrees_of_freedom(t, 0), bad, "0 degrees");
    ck_fails(dlviz_tsne_set_init(t, (dlviz_tsne_init_kind)2), bad, "init 2");
    ck_fails(dlviz_tsne_set_method(t, (dlviz_tsne_method_kind)4), bad, "method 4");
    ck_fails(dlviz_tsne_set_angle(t, 1.5), bad, "angle 1.5");
    ck_fails(dlviz_tsne_set_cell_size(t, 0.01), bad, "width 0.01");
    ck_fails(dlviz_tsne_set_stopping(t, -1, 0), bad, "gradient norm -1");
    ck_fails(dlviz_tsne_set_stopping(t, 0, -1), bad, "-1 iterations");
    ck_fails(dlviz_tsne_set_stopping(t, INFINITY, 0), bad, "gradient norm inf");
    ck_fails(dlviz_tsne_set_stopping(t, NAN, 0), bad, "gradient norm");
    ck_fails(dlviz_tsne_set_transform_perplexity(t, 0), bad, "perplexity 0");
    ck_fails(dlviz_tsne_set_num_transform_iterations(t, -1), bad, "-1 iterations");
    ck_fails(dlviz_tsne_set_transform_learning_rate(t, 0), bad, "learning rate 0");
    ck_fails(dlviz_tsne_set_transform_exaggeration(t, 0), bad, "exaggeration 0");
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
    dlviz_tensor *wide = matrix(5, 4, NULL);
    ck_fails(dlviz_tsne_set_initial_map(t, wide), DLVIZ_ERROR_SHAPE, "4 columns; 1 to 3");
    dlviz_tensor_destroy(wide);
    ck_ok(dlviz_tsne_set_distance(t, DLVIZ_TSNE_DISTANCE_COSINE));
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

static bool watch_progress(const dlviz_tsne_event *event, void *user) {
    watch *w = user;
    w->calls++;
    int64_t iteration = dlviz_tsne_event_iteration(event);
    ck_assert_int_eq(dlviz_tsne_event_num_iterations(event), 200);
    ck_assert_int_eq(iteration, 40 * w->calls);
    ck_assert(isfinite(dlviz_tsne_event_kl_divergence(event)));
    ck_assert(dlviz_tsne_event_gradient_norm(event) > 0);
    memcpy(w->last, dlviz_tensor_const_data(dlviz_tsne_event_map(event)), sizeof w->last);
    return iteration != w->cancel_at;
}

/* Every setter, with values that it takes. */
static void all_setters_fail(dlviz_tsne *t, dlviz_status wanted, const char *words) {
    ck_fails(dlviz_tsne_set_num_dimensions(t, 2), wanted, words);
    ck_fails(dlviz_tsne_set_perplexity(t, 30), wanted, words);
    ck_fails(dlviz_tsne_set_perplexities(t, 1, (const double[]){5}), wanted, words);
    ck_fails(dlviz_tsne_set_distance(t, DLVIZ_TSNE_DISTANCE_COSINE), wanted, words);
    ck_fails(dlviz_tsne_set_num_iterations(t, 10), wanted, words);
    ck_fails(dlviz_tsne_set_early_exaggeration(t, 12, 250), wanted, words);
    ck_fails(dlviz_tsne_set_late_exaggeration(t, 2, 10), wanted, words);
    ck_fails(dlviz_tsne_set_learning_rate(t, 100), wanted, words);
    ck_fails(dlviz_tsne_set_momentum(t, 0.5, 0.8), wanted, words);
    ck_fails(dlviz_tsne_set_degrees_of_freedom(t, 1), wanted, words);
    ck_fails(dlviz_tsne_set_init(t, DLVIZ_TSNE_INIT_RANDOM), wanted, words);
    ck_fails(dlviz_tsne_set_initial_map(t, NULL), wanted, words);
    ck_fails(dlviz_tsne_set_seed(t, 1), wanted, words);
    ck_fails(dlviz_tsne_set_method(t, DLVIZ_TSNE_METHOD_EXACT), wanted, words);
    ck_fails(dlviz_tsne_set_angle(t, 0.5), wanted, words);
    ck_fails(dlviz_tsne_set_cell_size(t, 0.5), wanted, words);
    ck_fails(dlviz_tsne_set_stopping(t, 1e-7, 100), wanted, words);
    ck_fails(dlviz_tsne_set_transform_perplexity(t, 5), wanted, words);
    ck_fails(dlviz_tsne_set_num_transform_iterations(t, 100), wanted, words);
    ck_fails(dlviz_tsne_set_transform_learning_rate(t, 0.1), wanted, words);
    ck_fails(dlviz_tsne_set_transform_exaggeration(t, 1.5), wanted, words);
    ck_fails(dlviz_tsne_set_progress(t, 40, watch_progress, NULL), wanted, words);
    ck_fails(dlviz_tsne_set_comm(t, NULL), wanted, words);
}

static bool set_amid_the_fit(const dlviz_tsne_event *event, void *user) {
    (void)event;
    all_setters_fail(user, DLVIZ_ERROR_STATE, "called from within a callback of the same t-SNE");
    return true;
}

START_TEST(setters_want_a_handle_that_is_not_in_use) {
    all_setters_fail(NULL, DLVIZ_ERROR_INVALID_ARGUMENT, "'tsne' is NULL");
    dlviz_tensor *points = blobs(30, 3, 1), *map;
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 20));
    ck_ok(dlviz_tsne_set_progress(tsne, 10, set_amid_the_fit, tsne));
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(points);
    dlviz_tsne_destroy(tsne);
}
END_TEST

START_TEST(progress_can_cancel_and_leaves_the_map) {
    for (int cancel = 0; cancel <= 120; cancel += 120) {
        watch w = {.cancel_at = cancel};
        dlviz_tensor *points = blobs(300, 5, 4), *map, *history;
        dlviz_tsne *tsne;
        ck_ok(dlviz_tsne_create(&tsne));
        ck_ok(dlviz_tsne_set_num_iterations(tsne, 200));
        /* In a map that has unfolded, Barnes-Hut's sum Z is not quite that of all pairs, which the
         * last divergence takes. */
        ck_ok(dlviz_tsne_set_method(tsne, DLVIZ_TSNE_METHOD_BARNES_HUT));
        ck_ok(dlviz_tsne_set_early_exaggeration(tsne, 4, 20));
        ck_fails(dlviz_tsne_set_progress(tsne, 0, watch_progress, &w), DLVIZ_ERROR_INVALID_ARGUMENT,
                 "every 0");
        ck_ok(dlviz_tsne_set_progress(tsne, 40, watch_progress, &w));
        dlviz_status status = dlviz_tsne_fit(tsne, points, &map);
        ck_assert_int_eq(status, cancel ? DLVIZ_CANCELLED : DLVIZ_OK);
        check_map(map, 300, 2);
        ck_assert_int_eq(w.calls, cancel ? 3 : 5);
        ck_assert_mem_eq(w.last, dlviz_tensor_data(map), sizeof w.last);
        ck_assert_int_eq(dlviz_tsne_num_iterations_done(tsne), cancel ? 120 : 200);
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

/* Whoever watches a fit does not change where it stops. Under exaggeration the plain divergence
 * falls at first, and then rises. */
START_TEST(stopping_rules_end_the_descent) {
    const int every[] = {0, 7, 100000};
    for (int rule = 0; rule < 2; rule++) {
        dlviz_tensor *points = blobs(300, 5, 4), *maps[3], *history;
        int64_t iterations[3];
        for (int e = 0; e < 3; e++) {
            int calls = 0;
            dlviz_tsne *tsne;
            ck_ok(dlviz_tsne_create(&tsne));
            ck_ok(dlviz_tsne_set_num_iterations(tsne, 20000));
            ck_ok(dlviz_tsne_set_stopping(tsne, rule ? 1e-4 : 0, rule ? 0 : 300));
            ck_ok(dlviz_tsne_set_early_exaggeration(tsne, 1, 250));
            ck_ok(dlviz_tsne_set_late_exaggeration(tsne, rule ? 1 : 8, 20000));
            if (every[e])
                ck_ok(dlviz_tsne_set_progress(tsne, every[e], count_finite, &calls));
            ck_ok(dlviz_tsne_fit(tsne, points, &maps[e]));
            iterations[e] = dlviz_tsne_num_iterations_done(tsne);
            ck_assert_int_eq(iterations[e] % 50, 0);
            ck_assert_int_ge(iterations[e], 250);
            ck_assert_int_lt(iterations[e], 20000);
            ck_assert_int_eq(iterations[e], iterations[0]);
            ck_assert_mem_eq(dlviz_tensor_data(maps[e]), dlviz_tensor_data(maps[0]),
                             (size_t)dlviz_tensor_num_elements(maps[0]) * sizeof(float));
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
    dlviz_tensor *indices, *distances, *offsets, *columns, *values;
    dlviz_tensor *map, *placed, *again, *none;
    make_rings(n, k, 1, &indices, &distances, &offsets, &columns, &values);
    int64_t *index = dlviz_tensor_data(indices);
    dlviz_tsne *t;
    ck_ok(dlviz_tsne_create(&t));
    ck_ok(dlviz_tsne_set_perplexity(t, 5));
    ck_ok(dlviz_tsne_set_num_iterations(t, 100));
    ck_ok(dlviz_tsne_fit(t, points, &map));
    ck_ok(dlviz_tsne_transform(t, fresh, &placed));
    const double divergence = dlviz_tsne_kl_divergence(t);

    ck_ok(dlviz_tsne_set_initial_map(t, start));
    ck_fails(dlviz_tsne_fit(t, points, &none), DLVIZ_ERROR_SHAPE, "initial map is 7 x 2");
    ck_fails(dlviz_tsne_fit_neighbors(t, indices, distances, &none), DLVIZ_ERROR_SHAPE,
             "initial map is 7 x 2");
    ck_fails(dlviz_tsne_fit_affinities(t, offsets, columns, values, &none), DLVIZ_ERROR_SHAPE,
             "initial map is 7 x 2");
    ck_ok(dlviz_tsne_set_initial_map(t, NULL));
    ck_ok(dlviz_tsne_set_method(t, DLVIZ_TSNE_METHOD_GRID));
    ck_ok(dlviz_tsne_set_num_dimensions(t, 3));
    const dlviz_status bad = DLVIZ_ERROR_INVALID_ARGUMENT;
    ck_fails(dlviz_tsne_fit(t, points, &none), bad, "1 or 2 dimensions");
    ck_fails(dlviz_tsne_fit_neighbors(t, indices, distances, &none), bad, "1 or 2 dimensions");
    ck_fails(dlviz_tsne_fit_affinities(t, offsets, columns, values, &none), bad,
             "1 or 2 dimensions");
    ck_ok(dlviz_tsne_set_method(t, DLVIZ_TSNE_METHOD_AUTO));
    ck_ok(dlviz_tsne_set_num_dimensions(t, 2));
    dlviz_tensor_float(points)[4] = NAN;
    ck_fails(dlviz_tsne_fit(t, points, &none), DLVIZ_ERROR_NUMERIC, "row 1");
    index[1] = 0;
    ck_fails(dlviz_tsne_fit_neighbors(t, indices, distances, &none), bad, "the point itself");
    index[1] = index[0];
    ck_fails(dlviz_tsne_fit_neighbors(t, indices, distances, &none), bad, "twice");
    memset(dlviz_tensor_data(values), 0, n * k * sizeof(float));
    ck_fails(dlviz_tsne_fit_affinities(t, offsets, columns, values, &none), DLVIZ_ERROR_NUMERIC,
             "sum");
    ck_assert_ptr_null(none);

    ck_assert_double_eq(dlviz_tsne_kl_divergence(t), divergence);
    ck_assert_int_eq(dlviz_tsne_num_iterations_done(t), 100);
    ck_ok(dlviz_tsne_transform(t, fresh, &again));
    ck_assert_mem_eq(dlviz_tensor_data(again), dlviz_tensor_data(placed), 10 * sizeof(float));
    dlviz_tensor *all[] = {points,  fresh,  start, distances, indices, offsets,
                           columns, values, map,   placed,    again};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_tsne_destroy(t);
}
END_TEST
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
    const dlviz_tsne_method_kind methods[] = {DLVIZ_TSNE_METHOD_GRID, DLVIZ_TSNE_METHOD_BARNES_HUT,
                                              DLVIZ_TSNE_METHOD_EXACT};
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
                status = dlviz_tsne_set_num_iterations(tsne, 60);
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

/* The numbers of both starts are exact, and so is their mean. */
START_TEST(a_start_may_lie_anywhere) {
    enum { N = 256 };
    dlviz_tensor *points = blobs(N, 4, 7), *maps[2];
    for (int k = 0; k < 2; k++) {
        dlviz_tensor *start = matrix(N, 2, NULL);
        dlviz_tsne *tsne;
        for (int i = 0; i < 2 * N; i++)
            dlviz_tensor_float(start)[i] = (float)(i * 389 % 1021) / 64 + (k == 0 ? 0 : 4096);
        ck_ok(dlviz_tsne_create(&tsne));
        ck_ok(dlviz_tsne_set_num_iterations(tsne, 80));
        ck_ok(dlviz_tsne_set_initial_map(tsne, start));
        ck_ok(dlviz_tsne_fit(tsne, points, &maps[k]));
        dlviz_tensor_destroy(start);
        dlviz_tsne_destroy(tsne);
    }
    ck_assert_mem_eq(dlviz_tensor_data(maps[0]), dlviz_tensor_data(maps[1]), 2 * N * sizeof(float));
    dlviz_tensor_destroy(maps[0]), dlviz_tensor_destroy(maps[1]), dlviz_tensor_destroy(points);
}
END_TEST

/* The sum of their similarities is a number of doubles, and its reciprocal none of floats. */
START_TEST(a_start_may_lie_too_far_apart) {
    const float far[] = {0, 45, 120, 300, 700};
    dlviz_tensor *points = blobs(5, 3, 7), *start = matrix(5, 1, far), *map;
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_dimensions(tsne, 1));
    ck_ok(dlviz_tsne_set_perplexity(tsne, 1));
    ck_ok(dlviz_tsne_set_degrees_of_freedom(tsne, 20));
    ck_ok(dlviz_tsne_set_method(tsne, DLVIZ_TSNE_METHOD_EXACT));
    ck_ok(dlviz_tsne_set_learning_rate(tsne, 1e-12));
    ck_ok(dlviz_tsne_set_initial_map(tsne, start));
    ck_fails(dlviz_tsne_fit(tsne, points, &map), DLVIZ_ERROR_NUMERIC,
             "no point of the map is near");
    dlviz_tensor_destroy(points), dlviz_tensor_destroy(start), dlviz_tsne_destroy(tsne);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {settings_are_checked,
                                  setters_want_a_handle_that_is_not_in_use,
                                  progress_can_cancel_and_leaves_the_map,
                                  stopping_rules_end_the_descent,
                                  arguments_at_fault_leave_the_earlier_fit,
                                  a_start_may_lie_anywhere,
                                  a_start_may_lie_too_far_apart,
                                  every_failing_allocation_is_reported_and_leaks_nothing,
                                  NULL};
    return run_tests("tsne_handling", tests);
}
