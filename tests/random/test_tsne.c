/* t-SNE on random maps, affinities and points, against plain arithmetic in double. */
#include "base/base.h"
#include "tsne/edges.h"
#include "tsne/repulsion.h"
#include "support/random_cases.h"
#include "support/random_maps.h"
#include "support/tsne.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The similarity and the force's factor of two places. */
static double similarity(const float *one, const float *other, int dimensions, double a,
                         double difference[3], double *factor) {
    double square = 0;
    for (int c = 0; c < dimensions; c++) {
        difference[c] = (double)one[c] - other[c];
        square += difference[c] * difference[c];
    }
    double s = a == 1 ? 1 / (1 + square) : exp(-a * log1p(square / a));
    *factor = s / (1 + square / a);
    return s;
}

/* Sums over all pairs: forces, how large their terms are, each point's similarities, and Z. */
static void repel_plainly(const random_map *map, double a, double *forces, double *sizes,
                          double *similarities, double *z) {
    int dimensions = map->dimensions;
    *z = 0;
    for (int64_t i = 0; i < map->n; i++) {
        double *force = forces + i * dimensions;
        memset(force, 0, (size_t)dimensions * sizeof *force);
        sizes[i] = similarities[i] = 0;
        for (int64_t j = 0; j < map->n; j++) {
            double difference[3], factor, square = 0;
            if (i == j)
                continue;
            similarities[i] +=
                similarity(map->values + i * dimensions, map->values + j * dimensions, dimensions,
                           a, difference, &factor);
            for (int c = 0; c < dimensions; c++) {
                force[c] += factor * difference[c];
                square += factor * factor * difference[c] * difference[c];
            }
            sizes[i] += sqrt(square);
        }
        *z += similarities[i];
    }
}

static const double random_degrees[] = {1, 1, 1, 0.5, 2, 0.8};

static void repulsion_is_that_of_all_pairs(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    random_map map = make_random_map(&random, 1200, 5e6);
    int64_t n = map.n, size = n * map.dimensions;
    double a = random_degrees[random_between(&random, 0, 5)], z, true_z;
    float *forces = malloc((size_t)size * sizeof *forces);
    double *truth = malloc((size_t)size * sizeof *truth);
    double *sizes = malloc((size_t)n * 2 * sizeof *sizes), *similarities = sizes + n;
    repel_plainly(&map, a, truth, sizes, similarities, &true_z);
    for (int method = DLVIZ_TSNE_METHOD_EXACT; method <= DLVIZ_TSNE_METHOD_GRID; method++) {
        if (method == DLVIZ_TSNE_METHOD_GRID && map.dimensions > 2)
            continue;
        dlz_repulsion_settings settings = {.method = (dlviz_tsne_method_kind)method,
                                           .n = n,
                                           .dimensions = map.dimensions,
                                           .a = a,
                                           .angle = 0.5};
        dlz_repulsion *repulsion;
        ck_ok(dlz_repulsion_create(&repulsion, &settings));
        ck_ok(dlz_repulsion_compute(repulsion, map.values, forces, &z));
        double difference = 0, norm = 0, terms = 0, potential = 0;
        for (int64_t i = 0; i < size; i++) {
            difference += pow(forces[i] - truth[i], 2);
            norm += truth[i] * truth[i];
        }
        for (int64_t i = 0; i < n; i++)
            terms += sizes[i] * sizes[i], potential += similarities[i] * similarities[i];
        /* Where forces cancel, rounding is left; and a grid's force is the slope of a potential
         * that is right to so many digits, fewer where most points share one cell of a wide map. */
        double allowed = (method == DLVIZ_TSNE_METHOD_EXACT ? 1e-5 : 2e-3) * sqrt(norm) +
                         1e-6 * sqrt(terms) + 1e-30;
        if (method == DLVIZ_TSNE_METHOD_GRID)
            allowed += (map.outliers ? 2e-3 : 2e-4) * sqrt(potential);
        ck_assert_msg(sqrt(difference) <= allowed,
                      "%s, method %d (%d), a = %g: forces off by %g of %g (terms of %g)",
                      describe_random_map(&map), method, (int)dlz_repulsion_method(repulsion), a,
                      sqrt(difference), sqrt(norm), sqrt(terms));
        double z_allowed = method == DLVIZ_TSNE_METHOD_EXACT ? 5e-6 : 2e-4;
        ck_assert_msg(fabs(z - true_z) <= z_allowed * true_z,
                      "%s, method %d (%d), a = %g: Z is %.9g, should be %.9g",
                      describe_random_map(&map), method, (int)dlz_repulsion_method(repulsion), a, z,
                      true_z);
        dlz_repulsion_destroy(repulsion);
    }
    free(forces);
    free(truth);
    free(sizes);
    free_random_map(&map);
}

static void attraction_is_that_of_the_affinities(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    random_map map = make_random_map(&random, 3000, 5e6);
    random_graph graph = make_random_graph(&random, map.n);
    int dimensions = map.dimensions;
    int64_t n = map.n;
    double a = random_degrees[random_between(&random, 0, 5)], divergence = 0;
    dlz_affinities p;
    ck_ok(dlz_affinities_symmetric(NULL, &p, n, graph.offsets, 0, graph.columns, graph.values));
    int64_t *shuffled = malloc((size_t)n * sizeof *shuffled);
    int32_t *order = malloc((size_t)n * sizeof *order);
    for (int64_t i = 0; i < n; i++)
        shuffled[i] = i;
    dlz_random_shuffle(&random, shuffled, n);
    float *moved = malloc((size_t)(n * dimensions) * sizeof *moved);
    float *forces = malloc((size_t)(n * dimensions) * sizeof *forces);
    for (int64_t i = 0; i < n; i++) {
        order[i] = (int32_t)shuffled[i];
        memcpy(moved + i * dimensions, map.values + order[i] * dimensions,
               (size_t)dimensions * sizeof *moved);
    }
    dlz_packed_edges packed = {0};
    ck_ok(dlz_edges_pack(&packed, &p, order, NULL, 0, n));
    dlz_edges edges = dlz_edges_of(&packed);
    dlz_attract()->forces(dimensions, (float)a, moved, &edges, 0, n, forces);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = order[i];
        double force[3] = {0}, terms = 0, largest = 0, reach = 0;
        for (int64_t e = p.offsets[row]; e < p.offsets[row + 1]; e++) {
            double difference[3], square = 0;
            for (int c = 0; c < dimensions; c++) {
                difference[c] = (double)map.values[row * dimensions + c] -
                                map.values[(int64_t)p.columns[e] * dimensions + c];
                square += difference[c] * difference[c];
            }
            double w = 1 / (1 + square / a);
            for (int c = 0; c < dimensions; c++)
                force[c] += p.values[e] * w * difference[c];
            terms += p.values[e] * w * sqrt(square);
            reach += w * sqrt(square);
            largest = fmax(largest, p.values[e]);
            divergence += p.values[e] * a * log1p(square / a);
        }
        /* An edge's value is stored in 16 bits as a part of the row's largest. */
        double allowed = 1e-5 * terms + 0.51 / 65535 * largest * reach + 1e-30;
        for (int c = 0; c < dimensions; c++)
            ck_assert_msg(fabs(forces[i * dimensions + c] - force[c]) <= allowed,
                          "%s, %s: the attraction of point %lld, with %lld edges, is off by %g, "
                          "terms of %g",
                          describe_random_map(&map), describe_random_graph(&graph), (long long)row,
                          (long long)(p.offsets[row + 1] - p.offsets[row]),
                          forces[i * dimensions + c] - force[c], terms);
    }
    double found = dlz_attract()->divergence(dimensions, (float)a, moved, &edges, 0, n);
    ck_assert_msg(fabs(found - divergence) <= 1e-4 * (1 + divergence),
                  "%s, %s: the divergence's sum is %.9g, should be %.9g", describe_random_map(&map),
                  describe_random_graph(&graph), found, divergence);
    dlz_edges_free(&packed);
    dlz_affinities_free(&p);
    free(shuffled);
    free(order);
    free(moved);
    free(forces);
    free_random_graph(&graph);
    free_random_map(&map);
}

static double divergence_of(const dlz_affinities *p, const float *map, int dimensions, double a) {
    double z = 0, divergence = 0;
    for (int64_t i = 0; i < p->n; i++) {
        double difference[3], factor;
        for (int64_t j = 0; j < p->n; j++)
            z += i == j ? 0
                        : similarity(map + i * dimensions, map + j * dimensions, dimensions, a,
                                     difference, &factor);
        for (int64_t e = p->offsets[i]; e < p->offsets[i + 1]; e++) {
            double s = similarity(map + i * dimensions, map + (int64_t)p->columns[e] * dimensions,
                                  dimensions, a, difference, &factor);
            if (p->values[e] > 0)
                divergence += p->values[e] * (log(p->values[e]) - log(s));
        }
    }
    return divergence + log(z);
}

/* As dlviz_tsne_fit_neighbors takes a graph. */
static void tensors_of(const random_graph *graph, int64_t n, dlviz_tensor **offsets,
                       dlviz_tensor **columns, dlviz_tensor **values) {
    int64_t edges = graph->offsets[n];
    ck_ok(dlviz_tensor_from_data(offsets, DLVIZ_INT64, 1, (int64_t[]){n + 1}, graph->offsets));
    ck_ok(dlviz_tensor_create(columns, DLVIZ_INT64, 1, &edges));
    for (int64_t e = 0; e < edges; e++)
        ((int64_t *)dlviz_tensor_data(*columns))[e] = graph->columns[e];
    ck_ok(dlviz_tensor_from_data(values, DLVIZ_FLOAT32, 1, &edges, graph->values));
}

/* Of a map that was given, whatever it is. */
static void the_divergence_is_that_of_the_map(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    random_map start = make_random_map(&random, 500, 1e6);
    random_graph graph = make_random_graph(&random, start.n);
    int64_t n = start.n;
    double a = random_degrees[random_between(&random, 0, 5)];
    dlz_affinities p;
    ck_ok(dlz_affinities_symmetric(NULL, &p, n, graph.offsets, 0, graph.columns, graph.values));
    double truth = divergence_of(&p, start.values, start.dimensions, a);
    dlviz_tensor *offsets, *columns, *values, *initial, *map;
    tensors_of(&graph, n, &offsets, &columns, &values);
    initial = matrix(n, start.dimensions, start.values);
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_dimensions(tsne, start.dimensions));
    ck_ok(dlviz_tsne_set_degrees_of_freedom(tsne, a));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 0));
    ck_ok(dlviz_tsne_set_initial_map(tsne, initial));
    for (int method = DLVIZ_TSNE_METHOD_AUTO; method <= DLVIZ_TSNE_METHOD_GRID; method++) {
        if (method == DLVIZ_TSNE_METHOD_GRID && start.dimensions > 2)
            continue;
        ck_ok(dlviz_tsne_set_method(tsne, (dlviz_tsne_method_kind)method));
        ck_ok(dlviz_tsne_fit_affinities(tsne, offsets, columns, values, &map));
        ck_assert_mem_eq(dlviz_tensor_data(map), start.values,
                         (size_t)(n * start.dimensions) * sizeof(float));
        double found = dlviz_tsne_kl_divergence(tsne);
        ck_assert_msg(fabs(found - truth) <= 1e-5 * (1 + fabs(truth)),
                      "%s, %s, method %d, a = %g: the divergence is %.9g, should be %.9g",
                      describe_random_map(&start), describe_random_graph(&graph), method, a, found,
                      truth);
        dlviz_tensor_destroy(map);
    }
    dlviz_tsne_destroy(tsne);
    dlviz_tensor *all[] = {offsets, columns, values, initial};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dlviz_tensor_destroy(all[i]);
    dlz_affinities_free(&p);
    free_random_graph(&graph);
    free_random_map(&start);
}

enum { STEPS = 45 }; /* past the 40th, when the library numbers points anew */

typedef struct descent_course {
    double early_factor, late_factor, early_momentum, late_momentum, rate;
    int early, late; /* how many iterations */
} descent_course;

/* Gradient descent with a momentum and gains, after van der Maaten (2008), but for the gradient's
 * factor of 4, which is in the learning rate. */
static void descend_plainly(const dlz_affinities *p, const descent_course *course, double a,
                            int dimensions, double *map, double *room) {
    int64_t size = p->n * dimensions;
    double *velocity = room, *gains = room + size, *attraction = room + 2 * size;
    double *repulsion = room + 3 * size;
    for (int64_t i = 0; i < size; i++)
        velocity[i] = 0, gains[i] = 1;
    for (int step = 0; step < STEPS; step++) {
        double z = 0;
        memset(attraction, 0, (size_t)size * 2 * sizeof *attraction);
        for (int64_t i = 0; i < p->n; i++) {
            for (int64_t j = 0; j < p->n; j++) {
                double square = 0;
                for (int c = 0; c < dimensions; c++)
                    square += pow(map[i * dimensions + c] - map[j * dimensions + c], 2);
                z += i == j ? 0 : pow(1 + square / a, -a);
                for (int c = 0; c < dimensions; c++)
                    repulsion[i * dimensions + c] +=
                        pow(1 + square / a, -a - 1) *
                        (map[i * dimensions + c] - map[j * dimensions + c]);
            }
            for (int64_t e = p->offsets[i]; e < p->offsets[i + 1]; e++) {
                const double *other = map + (int64_t)p->columns[e] * dimensions;
                double square = 0;
                for (int c = 0; c < dimensions; c++)
                    square += pow(map[i * dimensions + c] - other[c], 2);
                for (int c = 0; c < dimensions; c++)
                    attraction[i * dimensions + c] +=
                        p->values[e] / (1 + square / a) * (map[i * dimensions + c] - other[c]);
            }
        }
        bool early = step < course->early;
        double factor = early                          ? course->early_factor
                        : step >= STEPS - course->late ? course->late_factor
                                                       : 1;
        double momentum = early ? course->early_momentum : course->late_momentum, means[3] = {0};
        for (int64_t i = 0; i < size; i++) {
            double gradient = factor * attraction[i] - repulsion[i] / z;
            gains[i] = fmax(velocity[i] * gradient < 0 ? gains[i] + 0.2 : gains[i] * 0.8, 0.01);
            velocity[i] = momentum * velocity[i] - course->rate * gains[i] * gradient;
            map[i] += velocity[i];
            means[i % dimensions] += map[i] / (double)p->n;
        }
        for (int64_t i = 0; i < size; i++)
            map[i] -= means[i % dimensions];
    }
}

static void a_descent_takes_the_steps_of_its_definition(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    int64_t n = random_between(&random, 20, 70);
    int dimensions = (int)random_between(&random, 1, 3);
    double a = random_degrees[random_between(&random, 0, 5)], largest = 0;
    descent_course course = {.early_factor = 2 + 10 * dlz_random_double(&random),
                             .late_factor = 1.5 + dlz_random_double(&random),
                             .early_momentum = 0.6 * dlz_random_double(&random),
                             .late_momentum = 0.8 * dlz_random_double(&random),
                             .early = (int)random_between(&random, 3, 15),
                             .late = (int)random_between(&random, 3, 15)};
    random_graph graph = make_random_graph(&random, n);
    dlz_affinities p;
    ck_ok(dlz_affinities_symmetric(NULL, &p, n, graph.offsets, 0, graph.columns, graph.values));
    for (int64_t i = 0; i < n; i++) {
        double sum = 0;
        for (int64_t e = p.offsets[i]; e < p.offsets[i + 1]; e++)
            sum += p.values[e];
        largest = fmax(largest, sum);
    }
    /* So small that no point is held back (tsne/brakes.h) and that rounding errors stay small. */
    course.rate = 0.2 / (largest * course.early_factor);
    int64_t size = n * dimensions;
    double *truth = malloc((size_t)size * 5 * sizeof *truth);
    dlviz_tensor *offsets, *columns, *values, *initial, *map;
    tensors_of(&graph, n, &offsets, &columns, &values);
    initial = matrix(n, dimensions, NULL);
    for (int64_t i = 0; i < size; i++)
        truth[i] = dlviz_tensor_float(initial)[i] = (float)dlz_random_normal(&random);
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_dimensions(tsne, dimensions));
    ck_ok(dlviz_tsne_set_degrees_of_freedom(tsne, a));
    ck_ok(dlviz_tsne_set_method(tsne, DLVIZ_TSNE_METHOD_EXACT));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, STEPS));
    ck_ok(dlviz_tsne_set_early_exaggeration(tsne, course.early_factor, course.early));
    ck_ok(dlviz_tsne_set_late_exaggeration(tsne, course.late_factor, course.late));
    ck_ok(dlviz_tsne_set_momentum(tsne, course.early_momentum, course.late_momentum));
    ck_ok(dlviz_tsne_set_learning_rate(tsne, course.rate));
    ck_ok(dlviz_tsne_set_initial_map(tsne, initial));
    ck_ok(dlviz_tsne_fit_affinities(tsne, offsets, columns, values, &map));
    descend_plainly(&p, &course, a, dimensions, truth, truth + size);
    /* Mostly 1e-4 of the way; 1e-2 where rounding decides over a sign, and with it over a gain. */
    double moved = 0, off = 0;
    for (int64_t i = 0; i < size; i++) {
        moved += pow(truth[i] - (double)dlviz_tensor_float(initial)[i], 2);
        off += pow(truth[i] - (double)dlviz_tensor_float(map)[i], 2);
    }
    ck_assert_msg(
        sqrt(off) <= 0.02 * sqrt(moved),
        "%lld points, %d dimensions, %s, a = %g, %d early and %d late steps: off by %g of "
        "a way of %g",
        (long long)n, dimensions, describe_random_graph(&graph), a, course.early, course.late,
        sqrt(off), sqrt(moved));
    dlviz_tsne_destroy(tsne);
    dlviz_tensor *all[] = {offsets, columns, values, initial, map};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        dlviz_tensor_destroy(all[i]);
    dlz_affinities_free(&p);
    free_random_graph(&graph);
    free(truth);
}

/* The farthest point from the mean, which is 0, in the distances' root mean square. */
static double farthest(const dlviz_tensor *map) {
    int64_t n = dlviz_tensor_dim(map, 0), dimensions = dlviz_tensor_dim(map, 1);
    const float *y = dlviz_tensor_const_float(map);
    double sum = 0, largest = 0;
    for (int64_t i = 0; i < n; i++) {
        double square = 0;
        for (int64_t c = 0; c < dimensions; c++)
            square += (double)y[i * dimensions + c] * y[i * dimensions + c];
        sum += square;
        largest = fmax(largest, square);
    }
    return sqrt(largest * (double)n / sum);
}

/* Points of any kind and unit give a map that is sound, whatever the learning rate; and the unit
 * does not matter. */
static void any_points_have_a_sound_map(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    dlviz_tensor *points = make_random_points(&random, 400);
    int64_t n = dlviz_tensor_dim(points, 0), size = dlviz_tensor_num_elements(points);
    int dimensions = (int)random_between(&random, 1, 3);
    dlviz_tensor *first, *map;
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_dimensions(tsne, dimensions));
    ck_ok(dlviz_tsne_set_seed(tsne, seed));
    ck_ok(dlviz_tsne_set_perplexity(tsne, (double)random_between(&random, 3, 30)));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 500));
    ck_ok(dlviz_tsne_fit(tsne, points, &first));
    double divergence = dlviz_tsne_kl_divergence(tsne), ratio = farthest(first);
    check_map(first, n, dimensions);
    ck_assert_msg(ratio < 7, "%lld x %lld: a point lies %g deviations off", (long long)n,
                  (long long)(size / n), ratio);

    const int threads[] = {1, 2, 3, 8};
    ck_ok(dlviz_set_num_threads(threads[seed % 4]));
    float largest = 0;
    for (int64_t i = 0; i < size; i++)
        largest = fmaxf(largest, fabsf(dlviz_tensor_float(points)[i]));
    int most = largest > 0 ? 55 - ilogbf(largest) : 0;
    int least = largest > 0 ? -100 - ilogbf(largest) : 0;
    float unit = ldexpf(1, (int)random_between(&random, dlz_max_i64(least, -120), most));
    for (int64_t i = 0; i < size; i++)
        dlviz_tensor_float(points)[i] *= unit;
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    ck_assert_mem_eq(dlviz_tensor_data(map), dlviz_tensor_data(first),
                     (size_t)(n * dimensions) * sizeof(float));
    dlviz_tensor_destroy(map);

    double rate = (double)n * pow(10, 1 + 8 * dlz_random_double(&random));
    ck_ok(dlviz_tsne_set_learning_rate(tsne, rate));
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    check_map(map, n, dimensions);
    /* Where several small clusters lie is chance, and worth that much. */
    ck_assert_msg(dlviz_tsne_kl_divergence(tsne) < 3 * divergence + 0.3,
                  "%lld x %lld, %d dimensions, learning rate %g: KL %g instead of %g", (long long)n,
                  (long long)(size / n), dimensions, rate, dlviz_tsne_kl_divergence(tsne),
                  divergence);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(first);
    dlviz_tensor_destroy(points);
    dlviz_tsne_destroy(tsne);
}

int main(void) {
    const random_test tests[] = {
        {"repulsion_is_that_of_all_pairs", repulsion_is_that_of_all_pairs, 60},
        {"attraction_is_that_of_the_affinities", attraction_is_that_of_the_affinities, 60},
        {"the_divergence_is_that_of_the_map", the_divergence_is_that_of_the_map, 60},
        {"a_descent_takes_the_steps_of_its_definition", a_descent_takes_the_steps_of_its_definition,
         60},
        {"any_points_have_a_sound_map", any_points_have_a_sound_map, 40},
        {0}};
    return run_random_tests("random_tsne", tests);
}
