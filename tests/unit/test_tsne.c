#include "base/base.h"
#include "tsne/affinities.h"
#include "support/tsne.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

START_TEST(clusters_stay_together_and_the_divergence_falls) {
    const dlviz_tsne_method_kind methods[] = {DLVIZ_TSNE_METHOD_GRID, DLVIZ_TSNE_METHOD_BARNES_HUT,
                                              DLVIZ_TSNE_METHOD_EXACT};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++)
        for (int dimensions = 1; dimensions <= 3; dimensions++) {
            dlviz_tensor *points = blobs(600, 10, 1), *map, *history;
            dlviz_tsne *tsne;
            ck_ok(dlviz_tsne_create(&tsne));
            ck_ok(dlviz_tsne_set_method(tsne, dimensions == 3 && m == 0 ? DLVIZ_TSNE_METHOD_AUTO
                                                                        : methods[m]));
            ck_ok(dlviz_tsne_set_num_dimensions(tsne, dimensions));
            ck_ok(dlviz_tsne_set_num_iterations(tsne, 500));
            ck_ok(dlviz_tsne_fit(tsne, points, &map));
            check_map(map, 600, dimensions);
            ck_assert_double_ge(purity(map, 4), 0.99);
            ck_assert_int_eq(dlviz_tsne_num_iterations_done(tsne), 500);
            ck_assert_int_eq(dlviz_tsne_num_neighbors(tsne), 90);
            ck_assert_double_eq(dlviz_tsne_perplexity_used(tsne), 30);
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
    ck_ok(dlz_conditional_affinities(NULL, squares, n, k, (double[]){10}, 1, conditional));
    for (int i = 0; i < n * k; i++) {
        int j = (i / k + 1 + i % k) % n;
        p[i / k][j] += conditional[i] / (2.0 * n);
        p[j][i / k] += conditional[i] / (2.0 * n);
    }
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_perplexity(tsne, 10));
    const dlviz_tsne_method_kind methods[] = {DLVIZ_TSNE_METHOD_EXACT, DLVIZ_TSNE_METHOD_GRID};
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        ck_ok(dlviz_tsne_set_method(tsne, methods[m]));
        ck_ok(dlviz_tsne_set_late_exaggeration(tsne, 2, m ? 50 : 0));
        ck_ok(dlviz_tsne_set_degrees_of_freedom(tsne, m ? 0.7 : 1));
        ck_ok(dlviz_tsne_fit_neighbors(tsne, indices, distances, &map));
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
    const dlviz_tsne_method_kind methods[] = {DLVIZ_TSNE_METHOD_GRID, DLVIZ_TSNE_METHOD_BARNES_HUT,
                                              DLVIZ_TSNE_METHOD_EXACT};
    dlviz_tensor *points = blobs(2500, 12, 2), *first, *again;
    for (size_t m = 0; m < sizeof methods / sizeof *methods; m++) {
        dlviz_tsne *tsne;
        ck_ok(dlviz_tsne_create(&tsne));
        ck_ok(dlviz_tsne_set_method(tsne, methods[m]));
        ck_ok(dlviz_tsne_set_num_iterations(tsne, 50));
        ck_ok(dlviz_tsne_set_early_exaggeration(tsne, 12, 25));
        ck_ok(dlviz_set_num_threads(1));
        ck_ok(dlviz_tsne_fit(tsne, points, &first));
        const int threads[] = {1, 2, 3, 8};
        for (int t = 0; t < 4; t++) {
            ck_ok(dlviz_set_num_threads(threads[t]));
            ck_ok(dlviz_tsne_fit(tsne, points, &again));
            ck_assert_mem_eq(dlviz_tensor_data(first), dlviz_tensor_data(again),
                             (size_t)dlviz_tensor_num_elements(first) * sizeof(float));
            dlviz_tensor_destroy(again);
        }
        dlviz_tensor_destroy(first);
        dlviz_tsne_destroy(tsne);
    }
    dlviz_tensor_destroy(points);
}
END_TEST

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
            ck_ok(dlviz_tsne_set_num_iterations(tsne, 300));
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

static double largest_coordinate(const dlviz_tensor *map) {
    double largest = 0;
    for (int64_t i = 0; i < dlviz_tensor_num_elements(map); i++)
        largest = fmax(largest, fabs((double)dlviz_tensor_const_float(map)[i]));
    return largest;
}

/* Early exaggeration draws few points together into one, because most are neighbors. */
START_TEST(small_sets_do_not_collapse) {
    const int64_t sizes[] = {50, 100, 300};
    for (int size = 0; size < 3; size++)
        for (int stops = 0; stops < 3; stops++) {
            dlviz_tensor *points = matrix(sizes[size], 10, NULL), *map;
            fill_uniform(dlviz_tensor_float(points), sizes[size] * 10, size);
            dlviz_tsne *tsne;
            ck_ok(dlviz_tsne_create(&tsne));
            ck_ok(dlviz_tsne_set_stopping(tsne, stops == 1 ? 1e-7 : 0, stops == 2 ? 50 : 0));
            if (stops == 0)
                ck_ok(dlviz_tsne_set_num_iterations(tsne, 250));
            ck_ok(dlviz_tsne_fit(tsne, points, &map));
            ck_assert_double_gt(largest_coordinate(map), 2);
            double divergence = dlviz_tsne_kl_divergence(tsne);
            ck_ok(dlviz_tsne_set_num_iterations(tsne, 0));
            dlviz_tensor_destroy(map);
            ck_ok(dlviz_tsne_fit(tsne, points, &map));
            ck_assert_double_lt(divergence, 0.7 * dlviz_tsne_kl_divergence(tsne));
            dlviz_tensor_destroy(map);
            dlviz_tsne_destroy(tsne);
            dlviz_tensor_destroy(points);
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
        ck_ok(dlz_affinities_symmetric(NULL, &affinities, n, NULL, k, columns, values));
        ck_assert_int_eq(affinities.offsets[n], 2 * n * k);
        for (int i = 0; i < 2 * n * k; i++)
            ck_assert_float_eq_tol(affinities.values[i], 1.0f / (2 * n * k), 1e-9f);
        dlz_affinities_free(&affinities);
    }
}
END_TEST

START_TEST(given_neighbors_and_affinities_give_maps) {
    enum { n = 90, k = 20 };
    dlviz_tensor *indices, *distances, *offsets, *columns, *values, *map;
    /* Three rings: i and its neighbors are equal modulo 3. */
    make_rings(n, k, 3, &indices, &distances, &offsets, &columns, &values);
    int64_t *index = dlviz_tensor_data(indices), *offset = dlviz_tensor_data(offsets);
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 400));
    ck_ok(dlviz_tsne_fit_neighbors(tsne, indices, distances, &map));
    check_map(map, n, 2);
    ck_assert_double_ge(purity(map, 3), 0.99);
    ck_assert_int_eq(dlviz_tsne_num_neighbors(tsne), k);
    ck_assert_double_eq_tol(dlviz_tsne_perplexity_used(tsne), fmin(30, k / 3.0), 1e-12);
    dlviz_tensor *points = blobs(3, 3, 3), *none;
    ck_fails(dlviz_tsne_transform(tsne, points, &none), DLVIZ_ERROR_STATE, "fit of points");
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    ck_ok(dlviz_tsne_fit_affinities(tsne, offsets, columns, values, &map));
    check_map(map, n, 2);
    ck_assert_double_ge(purity(map, 3), 0.99);
    dlviz_tensor_destroy(map);

    ck_fails(dlviz_tsne_fit_neighbors(tsne, distances, distances, &map), DLVIZ_ERROR_SHAPE,
             "'indices'");
    ck_fails(dlviz_tsne_fit_neighbors(tsne, NULL, distances, &map), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'indices' is NULL");
    dlviz_tensor_float(distances)[5] = -1;
    ck_fails(dlviz_tsne_fit_neighbors(tsne, indices, distances, &map), DLVIZ_ERROR_NUMERIC,
             "entry 5");
    dlviz_tensor_float(distances)[5] = 1;
    int64_t kept = index[4];
    index[4] = n;
    ck_fails(dlviz_tsne_fit_neighbors(tsne, indices, distances, &map), DLVIZ_ERROR_INVALID_ARGUMENT,
             "is 90");
    index[4] = 0;
    ck_fails(dlviz_tsne_fit_neighbors(tsne, indices, distances, &map), DLVIZ_ERROR_INVALID_ARGUMENT,
             "the point itself");
    index[4] = index[3];
    ck_fails(dlviz_tsne_fit_neighbors(tsne, indices, distances, &map), DLVIZ_ERROR_INVALID_ARGUMENT,
             "twice");
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
    const dlviz_tsne_distance_kind metrics[] = {DLVIZ_TSNE_DISTANCE_EUCLIDEAN,
                                                DLVIZ_TSNE_DISTANCE_COSINE};
    for (int dimensions = 1; dimensions <= 3; dimensions++)
        for (int m = 0; m < 2; m++) {
            dlviz_tensor *points = blobs(800, 6, 5), *fresh = blobs(101, 6, 6), *map, *placed, *one;
            dlviz_tsne *tsne;
            ck_ok(dlviz_tsne_create(&tsne));
            ck_ok(dlviz_tsne_set_num_dimensions(tsne, dimensions));
            ck_ok(dlviz_tsne_set_num_iterations(tsne, 400));
            ck_ok(dlviz_tsne_set_distance(tsne, metrics[m]));
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
    ck_assert_int_eq(dlviz_tsne_method_used(tsne), DLVIZ_TSNE_METHOD_GRID);
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

int main(void) {
    const TTest *const tests[] = {clusters_stay_together_and_the_divergence_falls,
                                  the_reported_divergence_is_that_of_the_map,
                                  bits_do_not_depend_on_threads,
                                  small_and_degenerate_inputs_have_maps,
                                  small_sets_do_not_collapse,
                                  duplicates_survive,
                                  affinities_of_any_magnitude_sum_to_one,
                                  given_neighbors_and_affinities_give_maps,
                                  new_points_land_in_their_clusters,
                                  digits_form_clusters_and_new_ones_join_them,
                                  NULL};
    return run_tests("tsne", tests);
}
