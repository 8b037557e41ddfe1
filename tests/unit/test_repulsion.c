/* The repulsion by each method, against all pairs in double. */
#include "base/base.h"
#include "base/random.h"
#include "tsne/repulsion_grid.h"
#include "support/memory.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void true_repulsion(const float *map, int64_t n, int dimensions, double a, double *forces,
                           double *z) {
    *z = 0;
    memset(forces, 0, (size_t)(n * dimensions) * sizeof *forces);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            double square = 0;
            for (int c = 0; c < dimensions; c++)
                square += pow((double)map[i * dimensions + c] - map[j * dimensions + c], 2);
            double s = a == 1 ? 1 / (1 + square) : pow(1 + square / a, -a);
            *z += i == j ? 0 : s;
            for (int c = 0; c < dimensions; c++)
                forces[i * dimensions + c] +=
                    s / (1 + square / a) *
                    ((double)map[i * dimensions + c] - map[j * dimensions + c]);
        }
}

/* Clusters of different sizes inside a box of the given width, as maps have them. */
static float *clustered_map(int64_t n, int dimensions, double width, uint64_t seed) {
    float *map = malloc((size_t)(n * dimensions) * sizeof *map);
    dlz_random random = dlz_random_start(seed, 1);
    double centers[8][3];
    for (int k = 0; k < 8; k++)
        for (int c = 0; c < 3; c++)
            centers[k][c] = (dlz_random_double(&random) - 0.5) * 0.8 * width;
    for (int64_t i = 0; i < n; i++)
        for (int c = 0; c < dimensions; c++)
            map[i * dimensions + c] =
                (float)(centers[i % 8][c] +
                        0.03 * width * (double)(1 + i % 3) * dlz_random_normal(&random));
    return map;
}

static void check_with(dlz_repulsion *repulsion, const dlz_repulsion_settings *settings,
                       const float *map, double force_error, double z_error) {
    int64_t n = settings->n;
    int dimensions = settings->dimensions;
    double a = settings->a;
    float *forces = malloc((size_t)(n * dimensions) * sizeof *forces);
    double *truth = malloc((size_t)(n * dimensions) * sizeof *truth), z, true_z;
    true_repulsion(map, n, dimensions, a, truth, &true_z);
    for (int repeat = 0; repeat < 2; repeat++) {
        ck_ok(dlz_repulsion_compute(repulsion, map, forces, &z));
        double difference = 0, norm = 0;
        for (int64_t i = 0; i < n * dimensions; i++) {
            difference += pow(forces[i] - truth[i], 2);
            norm += truth[i] * truth[i];
        }
        double error = sqrt(difference / fmax(norm, 1e-300));
        ck_assert_msg(
            error <= force_error,
            "method %d, %lld points, %d dimensions, a = %g, cells of %g: forces off by %g",
            (int)settings->method, (long long)n, dimensions, a, settings->cell, error);
        ck_assert_msg(
            fabs(z - true_z) <= z_error * true_z,
            "method %d, %lld points, %d dimensions, a = %g, cells of %g: Z is %.9g, should be %.9g",
            (int)settings->method, (long long)n, dimensions, a, settings->cell, z, true_z);
    }
    free(truth);
    free(forces);
}

static void check_settings(const dlz_repulsion_settings *settings, const float *map,
                           double force_error, double z_error) {
    dlz_repulsion *repulsion;
    ck_ok(dlz_repulsion_create(&repulsion, settings));
    check_with(repulsion, settings, map, force_error, z_error);
    dlz_repulsion_destroy(repulsion);
}

static void check_repulsion(dlviz_tsne_method_kind method, const float *map, int64_t n,
                            int dimensions, double a, double angle, double force_error,
                            double z_error) {
    dlz_repulsion_settings settings = {
        .method = method, .n = n, .dimensions = dimensions, .a = a, .angle = angle};
    check_settings(&settings, map, force_error, z_error);
}

/* Start, growth, middle and end of a descent. */
static const double widths[] = {1e-3, 0.1, 1.5, 7, 40, 150};

static void check_method(dlviz_tsne_method_kind method, int least, int most, double angle,
                         double force_error, double z_error) {
    for (int dimensions = least; dimensions <= most; dimensions++)
        for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) {
            float *map = clustered_map(1500, dimensions, widths[w], w);
            check_repulsion(method, map, 1500, dimensions, 1, angle, force_error, z_error);
            free(map);
        }
    for (int dimensions = least; dimensions <= most; dimensions++) {
        float *map = clustered_map(700, dimensions, 30, 77);
        check_repulsion(method, map, 700, dimensions, 0.5, angle, force_error, z_error);
        check_repulsion(method, map, 700, dimensions, 2.5, angle, force_error, z_error);
        free(map);
    }
}

START_TEST(a_few_points_far_apart_have_a_sum) {
    float map[] = {0, 0, 3e5f, 0, 0, -4e5f};
    check_repulsion(DLVIZ_TSNE_METHOD_EXACT, map, 3, 2, 1, 0, 1e-6, 1e-12);
}
END_TEST

/* What far points add must not drown in the 1 that each point is to itself. */
START_TEST(far_points_count_beside_the_points_themselves) {
    const double far[] = {1e3, 1e4, 1e5, 1e6};
    for (int dimensions = 1; dimensions <= 3; dimensions++)
        for (size_t w = 0; w < sizeof far / sizeof *far; w++) {
            float *map = clustered_map(300, dimensions, far[w], w);
            check_repulsion(DLVIZ_TSNE_METHOD_EXACT, map, 300, dimensions, 1, 0, 1e-5, 1e-6);
            check_repulsion(DLVIZ_TSNE_METHOD_BARNES_HUT, map, 300, dimensions, 1, 0.5, 1e-3, 1e-4);
            if (dimensions < 3)
                check_repulsion(DLVIZ_TSNE_METHOD_GRID, map, 300, dimensions, 1, 0.5, 1e-3, 1e-4);
            /* Equal places, more than a leaf of the tree and more than a group of it. */
            for (int i = 0; i < 100 * dimensions; i++)
                map[50 * dimensions + i] = map[i % dimensions];
            check_repulsion(DLVIZ_TSNE_METHOD_EXACT, map, 300, dimensions, 1, 0, 1e-5, 3e-6);
            check_repulsion(DLVIZ_TSNE_METHOD_BARNES_HUT, map, 300, dimensions, 1, 0.5, 1e-3, 1e-4);
            free(map);
        }
}
END_TEST

START_TEST(a_map_that_has_flown_apart_is_an_error) {
    const float bad[] = {NAN, INFINITY, -1e25f, 2e7f};
    for (int method = DLVIZ_TSNE_METHOD_AUTO; method <= DLVIZ_TSNE_METHOD_GRID; method++)
        for (int kind = 0; kind < 4; kind++) {
            float *map = clustered_map(200, 2, 10, 1), forces[400];
            map[77] = bad[kind];
            dlz_repulsion *repulsion;
            dlz_repulsion_settings settings = {
                .method = (dlviz_tsne_method_kind)method, .n = 200, .dimensions = 2, .a = 1};
            double z;
            ck_ok(dlz_repulsion_create(&repulsion, &settings));
            ck_fails(dlz_repulsion_compute(repulsion, map, forces, &z), DLVIZ_ERROR_NUMERIC,
                     "beyond 1e+07");
            dlz_repulsion_destroy(repulsion);
            free(map);
        }
}
END_TEST

/* No map takes memory that its points would not. */
START_TEST(wide_maps_take_no_more_memory) {
    const double spans[] = {300, 1900, 9e6}, cells[] = {0, 0.05};
    for (size_t s = 0; s < sizeof spans / sizeof *spans; s++)
        for (size_t k = 0; k < sizeof cells / sizeof *cells; k++) {
            float *map = clustered_map(2000, 2, 20, 1), forces[4000];
            map[0] = map[1] = (float)spans[s];
            dlz_repulsion *repulsion;
            dlz_repulsion_settings settings = {.method = DLVIZ_TSNE_METHOD_GRID,
                                               .n = 2000,
                                               .dimensions = 2,
                                               .a = 1,
                                               .angle = 0.5,
                                               .cell = cells[k]};
            double z;
            watch_memory();
            ck_ok(dlz_repulsion_create(&repulsion, &settings));
            ck_ok(dlz_repulsion_compute(repulsion, map, forces, &z));
            dlz_repulsion_destroy(repulsion);
            ck_assert_int_lt(memory_watched(), 300 << 20);
            free(map);
        }
}
END_TEST

START_TEST(exact_repulsion_is_exact) {
    check_method(DLVIZ_TSNE_METHOD_EXACT, 1, 3, 0, 1e-5, 1e-6);
}
END_TEST

START_TEST(grid_repulsion_is_accurate) {
    check_method(DLVIZ_TSNE_METHOD_GRID, 1, 2, 0, 1e-3, 1e-4);
}
END_TEST

/* However narrow the similarity is, and however few points a cell has. */
START_TEST(the_width_of_cells_does_not_matter) {
    const double degrees[] = {0.05, 0.2, 0.5, 1, 3, 100}, cells[] = {0, 0.05, 0.1, 0.25, 1, 10};
    const double extents[] = {1.5, 8, 60, 250};
    const int64_t numbers[] = {60, 1200};
    for (int dimensions = 1; dimensions <= 2; dimensions++)
        for (size_t w = 0; w < sizeof extents / sizeof *extents; w++)
            for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
                float *map = clustered_map(numbers[k], dimensions, extents[w], w);
                for (size_t a = 0; a < sizeof degrees / sizeof *degrees; a++)
                    for (size_t c = 0; c < sizeof cells / sizeof *cells; c++) {
                        dlz_repulsion_settings settings = {.method = DLVIZ_TSNE_METHOD_GRID,
                                                           .n = numbers[k],
                                                           .dimensions = dimensions,
                                                           .a = degrees[a],
                                                           .cell = cells[c]};
                        check_settings(&settings, map, numbers[k] < 1000 ? 2e-3 : 1e-3,
                                       numbers[k] < 1000 ? 2e-4 : 1e-4);
                    }
                free(map);
            }
}
END_TEST

START_TEST(the_grid_follows_a_map_that_jumps) {
    const double extents[] = {0.8, 34, 1e-3, 72, 8, 250, 30, 2}, degrees[] = {0.05, 1, 3};
    const double cells[] = {0, 0.1, 0.25};
    for (int dimensions = 1; dimensions <= 2; dimensions++)
        for (int k = 0; k < 9; k++) {
            dlz_repulsion *repulsion;
            dlz_repulsion_settings settings = {.method = DLVIZ_TSNE_METHOD_GRID,
                                               .n = 20,
                                               .dimensions = dimensions,
                                               .a = degrees[k / 3],
                                               .cell = cells[k % 3]};
            ck_ok(dlz_repulsion_create(&repulsion, &settings));
            for (size_t w = 0; w < sizeof extents / sizeof *extents; w++) {
                float *map = clustered_map(settings.n, dimensions, extents[w], w);
                check_with(repulsion, &settings, map, 2e-3, 2e-4);
                free(map);
            }
            dlz_repulsion_destroy(repulsion);
        }
}
END_TEST

START_TEST(the_grid_can_be_read_anywhere) {
    enum { n = 1200 };
    for (size_t w = 2; w < sizeof widths / sizeof *widths; w++)
        for (int dimensions = 1; dimensions <= 2; dimensions++) {
            float *map = clustered_map(n, dimensions, widths[w], w), forces[2 * n];
            dlz_repulsion_settings settings = {.n = n, .dimensions = dimensions, .a = 1};
            dlz_grid_repulsion grid = {.margin = 3};
            double z, error = 0, norm = 0;
            ck_ok(dlz_grid_compute(&grid, &settings, map, forces, &z));
            dlz_random random = dlz_random_start(w, 4);
            for (int i = 0; i < 200; i++) {
                float place[2] = {0};
                double read[2], potential, truth[2] = {0}, sum = 0;
                for (int c = 0; c < dimensions; c++)
                    place[c] =
                        map[(i * 5 % n) * dimensions + c] + 2 * dlz_random_float(&random) - 1;
                ck_assert(dlz_grid_read(&grid, place, &potential, read));
                for (int j = 0; j < n; j++) {
                    double d[2] = {0};
                    for (int c = 0; c < dimensions; c++)
                        d[c] = (double)place[c] - map[j * dimensions + c];
                    double s = 1 / (1 + d[0] * d[0] + d[1] * d[1]);
                    sum += s;
                    for (int c = 0; c < dimensions; c++)
                        truth[c] += s * s * d[c];
                }
                ck_assert_double_eq_tol(potential, sum, 1e-3 * sum);
                for (int c = 0; c < dimensions; c++) {
                    error += pow(read[c] - truth[c], 2);
                    norm += truth[c] * truth[c];
                }
            }
            ck_assert_double_lt(sqrt(error / norm), 2e-3);
            double potential, read[2];
            ck_assert(!dlz_grid_read(&grid, (float[]){1e6f, 0}, &potential, read));
            ck_assert(!dlz_grid_read(&grid, (float[]){-1e6f, 0}, &potential, read));
            dlz_grid_free(&grid);
            free(map);
        }
}
END_TEST

/* What the next choice of a cell goes by: pairs of points in blocks of four cells each way that
 * meet, and for each row of such blocks a few more, for vectors that are not full. */
START_TEST(the_grid_knows_how_many_points_are_near) {
    enum { n = 1500 };
    for (int dimensions = 1; dimensions <= 2; dimensions++)
        for (int k = 0; k < 3; k++) {
            const double cells[] = {0.5, 1, 2}, widths_here[] = {40, 150, 400};
            float *map = clustered_map(n, dimensions, widths_here[k], (uint64_t)k), forces[2 * n];
            dlz_repulsion_settings settings = {
                .n = n, .dimensions = dimensions, .a = 1, .cell = cells[k]};
            dlz_grid_repulsion grid = {0};
            double z, near = 0, nearly = 0;
            ck_ok(dlz_grid_compute(&grid, &settings, map, forces, &z));
            ck_assert(grid.has_near);
            for (int i = 0; i < n; i++)
                for (int j = 0; j < n; j++) {
                    double far = 0;
                    for (int c = 0; c < dimensions; c++)
                        far = fmax(far, fabs((double)map[i * dimensions + c] -
                                             (double)map[j * dimensions + c]));
                    near += far < 3.99 * grid.cell;
                    nearly += far < 8.01 * grid.cell;
                }
            double pairs = grid.pair_density * grid.cell * grid.cell;
            ck_assert_msg(pairs >= near && pairs <= nearly + 3 * 24.0 * n,
                          "%d dimensions, cells of %g: %g pairs, not %g to %g", dimensions,
                          grid.cell, pairs, near, nearly + 3 * 24.0 * n);
            dlz_grid_free(&grid);
            free(map);
        }
}
END_TEST

START_TEST(tree_repulsion_is_accurate) {
    check_method(DLVIZ_TSNE_METHOD_BARNES_HUT, 1, 3, 0.5, 1e-3, 1e-4);
    check_method(DLVIZ_TSNE_METHOD_BARNES_HUT, 1, 3, 0, 1e-5, 1e-6);
}
END_TEST

/* Maps of digits at the start, before and after the end of the early exaggeration, halfway and at
 * the end. */
START_TEST(repulsion_is_accurate_on_maps_of_digits) {
    enum { n = 2500, d = 784 };
    static uint8_t pixels[n * d];
    if (!read_mnist("t10k-images-idx3-ubyte", 16, sizeof pixels, pixels)) {
        puts("skipped: there is no MNIST in $DLVIZ_DATA_DIR or the cache folder");
        return;
    }
    dlviz_tensor *points, *map;
    ck_ok(dlviz_tensor_create(&points, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    for (int64_t i = 0; i < n * d; i++)
        dlviz_tensor_float(points)[i] = (float)pixels[i] / 255;
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    const int iterations[] = {20, 250, 300, 500, 1000};
    for (int dimensions = 1; dimensions <= 3; dimensions++)
        for (size_t k = 0; k < sizeof iterations / sizeof *iterations; k++) {
            ck_ok(dlviz_tsne_set_num_dimensions(tsne, dimensions));
            ck_ok(dlviz_tsne_set_num_iterations(tsne, iterations[k]));
            ck_ok(dlviz_tsne_fit(tsne, points, &map));
            const float *y = dlviz_tensor_const_float(map);
            check_repulsion(DLVIZ_TSNE_METHOD_EXACT, y, n, dimensions, 1, 0, 1e-5, 1e-5);
            check_repulsion(DLVIZ_TSNE_METHOD_BARNES_HUT, y, n, dimensions, 1, 0.5, 1e-3, 1e-4);
            if (dimensions < 3)
                check_repulsion(DLVIZ_TSNE_METHOD_GRID, y, n, dimensions, 1, 0, 1e-3, 1e-4);
            dlviz_tensor_destroy(map);
        }
    dlviz_tsne_destroy(tsne);
    dlviz_tensor_destroy(points);
}
END_TEST

static dlviz_tsne_method_kind chosen(const float *map, int64_t n, int dimensions,
                                     int computations) {
    dlz_repulsion *repulsion;
    dlz_repulsion_settings settings = {.n = n, .dimensions = dimensions, .a = 1, .angle = 0.5};
    float *forces = malloc((size_t)(n * dimensions) * sizeof *forces);
    double z;
    ck_ok(dlz_repulsion_create(&repulsion, &settings));
    for (int i = 0; i < computations; i++)
        ck_ok(dlz_repulsion_compute(repulsion, map, forces, &z));
    dlviz_tsne_method_kind method = dlz_repulsion_method(repulsion);
    dlz_repulsion_destroy(repulsion);
    free(forces);
    return method;
}

START_TEST(the_method_follows_the_map) {
    enum { n = 9000 };
    float *map = clustered_map(n, 3, 50, 3);
    ck_assert_int_eq(chosen(map, 200, 3, 1), DLVIZ_TSNE_METHOD_EXACT);
    ck_assert_int_eq(chosen(map, n, 3, 1), DLVIZ_TSNE_METHOD_BARNES_HUT);
    free(map);
    map = clustered_map(n, 2, 50, 3);
    ck_assert_int_eq(chosen(map, 200, 2, 1), DLVIZ_TSNE_METHOD_EXACT);
    ck_assert_int_eq(chosen(map, n, 2, 1), DLVIZ_TSNE_METHOD_GRID);
    /* One point far away makes cells wide, so that most points share a few of them. */
    map[0] = map[1] = 1e5f;
    ck_assert_int_eq(chosen(map, n, 2, 41), DLVIZ_TSNE_METHOD_BARNES_HUT);
    map[0] = map[1] = 5e6f; /* wider than a grid can be */
    ck_assert_int_eq(chosen(map, n, 2, 1), DLVIZ_TSNE_METHOD_BARNES_HUT);
    free(map);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_few_points_far_apart_have_a_sum,
                                  far_points_count_beside_the_points_themselves,
                                  a_map_that_has_flown_apart_is_an_error,
                                  wide_maps_take_no_more_memory,
                                  exact_repulsion_is_exact,
                                  grid_repulsion_is_accurate,
                                  the_width_of_cells_does_not_matter,
                                  the_grid_follows_a_map_that_jumps,
                                  the_grid_can_be_read_anywhere,
                                  the_grid_knows_how_many_points_are_near,
                                  tree_repulsion_is_accurate,
                                  repulsion_is_accurate_on_maps_of_digits,
                                  the_method_follows_the_map,
                                  NULL};
    return run_tests("repulsion", tests);
}
