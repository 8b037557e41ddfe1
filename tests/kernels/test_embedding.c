/* Every variant of the kernels of t-SNE, against plain C in double. */
#include "base/base.h"
#include "base/random.h"
#include "kernels/embed/attract.h"
#include "kernels/embed/perplexity.h"
#include "kernels/embed/repel.h"
#include "kernels/embed/scatter.h"
#include "support/guarded.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

START_TEST(attraction_and_divergence_are_those_of_plain_c) {
    enum { n = 50, most = 4 * n };
    static int64_t groups[n + 1];
    static int32_t bases[most], columns[most * DLZ_EDGE_GROUP];
    static uint16_t steps[most * DLZ_EDGE_GROUP], numbers[most * DLZ_EDGE_GROUP];
    static float scales[n], values[most * DLZ_EDGE_GROUP];
    static int64_t offsets[n + 1];
    dlz_random random = dlz_random_start(1, 2);
    for (int row = 0; row < n; row++) {
        int count = row % 3 == 0 ? 0 : 1 + row % 4;
        scales[row] = 1e-6f * (float)(row + 1);
        groups[row + 1] = groups[row] + count;
        offsets[row + 1] = groups[row + 1] * DLZ_EDGE_GROUP;
        for (int64_t e = offsets[row]; e < offsets[row + 1]; e++) {
            int32_t *base = &bases[e / DLZ_EDGE_GROUP];
            *base = (int32_t)(e / DLZ_EDGE_GROUP % 3) * 10;
            steps[e] = (uint16_t)dlz_random_below(&random, (uint64_t)(n - *base));
            columns[e] = *base + steps[e];
            numbers[e] = e < offsets[row + 1] - 5 ? (uint16_t)dlz_random_below(&random, 65536) : 0;
            values[e] = scales[row] * (float)numbers[e];
        }
    }
    const dlz_edges narrow = {groups, bases, NULL, steps, numbers, scales};
    const dlz_edges wide = {groups, NULL, columns, NULL, numbers, scales};
    const double degrees[] = {1, 0.5, 3};
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int dimensions = 1; dimensions <= 3; dimensions++)
            for (int g = 0; g < 3 && dlz_isa_available((dlz_isa)isa); g++) {
                float *map = guarded_floats(n * dimensions),
                      *forces = guarded_floats(n * dimensions);
                float truth[n * 3];
                double a = degrees[g], divergence = 0;
                fill_uniform(map, n * dimensions, 9);
                for (int row = 0; row < n; row++) {
                    double sums[3] = {0};
                    for (int64_t e = offsets[row]; e < offsets[row + 1]; e++) {
                        double square = 0, d[3];
                        for (int c = 0; c < dimensions; c++) {
                            d[c] = (double)map[row * dimensions + c] -
                                   map[columns[e] * dimensions + c];
                            square += d[c] * d[c];
                        }
                        divergence += values[e] * a * log1p(square / a);
                        for (int c = 0; c < dimensions; c++)
                            sums[c] += values[e] * d[c] / (1 + square / a);
                    }
                    for (int c = 0; c < dimensions; c++)
                        truth[row * dimensions + c] = (float)sums[c];
                }
                const dlz_attract_kernel *kernel = dlz_attract_of((dlz_isa)isa);
                for (int form = 0; form < 2; form++) {
                    const dlz_edges *edges = form ? &wide : &narrow;
                    kernel->forces(dimensions, (float)a, map, edges, 0, n, forces);
                    ck_assert_double_lt(relative_error(forces, truth, n * dimensions), 1e-6);
                    double found = kernel->divergence(dimensions, (float)a, map, edges, 0, n);
                    ck_assert_double_eq_tol(found, divergence, 1e-6 * divergence);
                }
                guarded_free(map);
                guarded_free(forces);
            }
}
END_TEST

static const double test_degrees[] = {1, 0.5, 3};

/* What a source at x adds to sums: the force on y, then the similarity. */
static void add_source(double sums[4], const double y[3], const double x[3], int dimensions,
                       double a) {
    double square = 0;
    for (int c = 0; c < dimensions; c++)
        square += pow(y[c] - x[c], 2);
    double s = pow(1 + square / a, -a);
    sums[3] += s;
    for (int c = 0; c < dimensions; c++)
        sums[c] += s / (1 + square / a) * (y[c] - x[c]);
}

START_TEST(every_variant_repels_like_plain_c) {
    enum { sources = 100 };
    float places[3][DLZ_REPEL_TARGETS], from[3][sources];
    for (int c = 0; c < 3; c++) {
        fill_uniform(places[c], DLZ_REPEL_TARGETS, c);
        fill_uniform(from[c], sources, 10 + c);
    }
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int test = 0; test < 9 && dlz_isa_available((dlz_isa)isa); test++) {
            int dimensions = 1 + test % 3;
            double a = test_degrees[test / 3];
            float force[3][DLZ_REPEL_TARGETS] = {{1}}, similarity[DLZ_REPEL_TARGETS] = {2};
            dlz_repel_of((dlz_isa)isa)
                ->sum(dimensions, (float)a,
                      (const float *const[3]){places[0], places[1], places[2]},
                      (const float *const[3]){from[0], from[1], from[2]}, sources,
                      (float *const[3]){force[0], force[1], force[2]}, similarity);
            for (int t = 0; t < DLZ_REPEL_TARGETS; t++) {
                double sums[4] = {t == 0, 0, 0, t == 0 ? 2 : 0};
                for (int i = 0; i < sources; i++)
                    add_source(sums, (double[]){places[0][t], places[1][t], places[2][t]},
                               (double[]){from[0][i], from[1][i], from[2][i]}, dimensions, a);
                ck_assert_double_eq_tol(similarity[t], sums[3], 1e-5 * (1 + fabs(sums[3])));
                for (int c = 0; c < dimensions; c++)
                    ck_assert_double_eq_tol(force[c][t], sums[c], 1e-5 * (1 + fabs(sums[c])));
            }
        }
}
END_TEST

/* Places far apart, beside whose similarities the 1 of a point to itself must not have been. */
START_TEST(every_variant_repels_among_the_targets) {
    float places[3][DLZ_REPEL_TARGETS];
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int test = 0; test < 54 && dlz_isa_available((dlz_isa)isa); test++) {
            int dimensions = 1 + test % 3, count = test < 27 ? DLZ_REPEL_TARGETS : 37;
            double a = test_degrees[test / 3 % 3], spread = pow(10, 2 * (test / 9 % 3));
            for (int c = 0; c < 3; c++) {
                fill_uniform(places[c], DLZ_REPEL_TARGETS, c);
                for (int t = 0; t < DLZ_REPEL_TARGETS; t++)
                    places[c][t] *= (float)spread;
            }
            float force[3][DLZ_REPEL_TARGETS] = {{0}}, similarity[DLZ_REPEL_TARGETS] = {0};
            dlz_repel_of((dlz_isa)isa)
                ->sum_among(dimensions, (float)a,
                            (const float *const[3]){places[0], places[1], places[2]}, count,
                            (float *const[3]){force[0], force[1], force[2]}, similarity);
            for (int t = 0; t < count; t++) {
                double sums[4] = {0}, sizes[4] = {0};
                for (int i = 0; i < count; i++) {
                    double one[4] = {0};
                    if (i != t)
                        add_source(one, (double[]){places[0][t], places[1][t], places[2][t]},
                                   (double[]){places[0][i], places[1][i], places[2][i]}, dimensions,
                                   a);
                    for (int c = 0; c < 4; c++) {
                        sums[c] += one[c];
                        sizes[c] += fabs(one[c]);
                    }
                }
                ck_assert_double_eq_tol(similarity[t], sums[3], 1e-5 * sizes[3]);
                for (int c = 0; c < dimensions; c++)
                    ck_assert_double_eq_tol(force[c][t], sums[c], 1e-5 * sizes[c]);
            }
        }
}
END_TEST

/* Halving the size of the cells divides an error that begins with the third power by eight. */
START_TEST(every_variant_expands_cells_to_second_order) {
    enum { CELLS = 3, POINTS = 5 };
    float places[3][DLZ_REPEL_TARGETS], centers[3][CELLS], shape[3][CELLS * POINTS];
    for (int c = 0; c < 3; c++) {
        fill_uniform(places[c], DLZ_REPEL_TARGETS, 30 + c);
        fill_uniform(centers[c], CELLS, 40 + c);
        fill_uniform(shape[c], CELLS * POINTS, 50 + c);
        for (int k = 0; k < CELLS; k++) {
            float mean = 0;
            for (int p = 0; p < POINTS; p++)
                mean += shape[c][k * POINTS + p] / POINTS;
            for (int p = 0; p < POINTS; p++)
                shape[c][k * POINTS + p] -= mean;
        }
    }
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int test = 0; test < 9 && dlz_isa_available((dlz_isa)isa); test++) {
            int dimensions = 1 + test % 3;
            double a = test_degrees[test / 3], errors[2] = {0};
            for (int halved = 0; halved < 2; halved++) {
                float size = halved ? 0.1f : 0.2f, second[6][CELLS] = {{0}}, mass[CELLS];
                for (int i = 0; i < CELLS * POINTS; i++)
                    for (int m = 0, k = i / POINTS; m < 6; m++) {
                        static const int one[] = {0, 1, 2, 0, 0, 1}, other[] = {0, 1, 2, 1, 2, 2};
                        mass[k] = POINTS;
                        second[m][k] += size * size * shape[one[m]][i] * shape[other[m]][i];
                    }
                dlz_repel_cells cells = {.center = {centers[0], centers[1], centers[2]},
                                         .mass = mass};
                for (int m = 0; m < 6; m++)
                    cells.second[m] = second[m];
                float force[3][DLZ_REPEL_TARGETS] = {{1}}, similarity[DLZ_REPEL_TARGETS] = {2};
                dlz_repel_of((dlz_isa)isa)
                    ->expand(dimensions, (float)a,
                             (const float *const[3]){places[0], places[1], places[2]}, &cells,
                             CELLS, (float *const[3]){force[0], force[1], force[2]}, similarity);
                for (int t = 0; t < DLZ_REPEL_TARGETS; t++) {
                    double sums[4] = {t == 0, 0, 0, t == 0 ? 2 : 0};
                    for (int i = 0; i < CELLS * POINTS; i++) {
                        double x[3];
                        for (int c = 0; c < 3; c++)
                            x[c] = centers[c][i / POINTS] + (double)size * shape[c][i];
                        add_source(sums, (double[]){places[0][t], places[1][t], places[2][t]}, x,
                                   dimensions, a);
                    }
                    errors[halved] += pow(similarity[t] - sums[3], 2);
                    for (int c = 0; c < dimensions; c++)
                        errors[halved] += pow(force[c][t] - sums[c], 2);
                }
            }
            double ratio = sqrt(errors[0] / errors[1]);
            ck_assert_msg(ratio > 7 && ratio < 20, "%s, %d dimensions, a = %g: ratio %g",
                          dlz_isa_name((dlz_isa)isa), dimensions, a, ratio);
        }
}
END_TEST

START_TEST(every_variant_weighs_like_plain_c) {
    enum { count = 48 };
    float d[count], weights[count];
    double sums[3];
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int b = 0; b < 8 && dlz_isa_available((dlz_isa)isa); b++) {
            fill_uniform(d, count, 5);
            for (int i = 0; i < count; i++)
                d[i] = i == 7 ? 1e30f : fabsf(d[i]);
            double width = pow(10, b - 3), truth[3] = {0};
            dlz_perplexity_of((dlz_isa)isa)->weigh(d, count, (float)width, weights, sums);
            for (int i = 0; i < count; i++) {
                double e = exp(-(float)width * (double)d[i]);
                ck_assert_double_eq_tol(weights[i], e, 1e-5 * e + 1e-37);
                truth[0] += e;
                truth[1] += e * d[i];
                truth[2] += e * d[i] * d[i];
            }
            for (int i = 0; i < 3; i++)
                ck_assert_double_eq_tol(sums[i], truth[i], 1e-5 * truth[i] + 1e-36);
        }
}
END_TEST

START_TEST(every_variant_scatters_like_plain_c) {
    enum { rows = 37, columns = 53, most = DLZ_SCATTER_MOST_WIDTH };
    static float values[rows * columns];
    static double mean[columns], chunk[rows * (columns + most)], block[most * most];
    fill_uniform(values, rows * columns, 60);
    for (int c = 0; c < columns; c++)
        mean[c] = 0.1 * c;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        const dlz_scatter_kernel *kernel = dlz_scatter_of((dlz_isa)isa);
        int width = kernel->width, panels = (columns + width - 1) / width;
        ck_assert_int_le(width, most);
        for (int r = 0; r < rows; r++)
            kernel->pack(values + r * columns, mean, columns, chunk + r * width, rows * width);
        for (int i = 0; i < panels; i++)
            for (int j = 0; j < panels; j++) {
                for (int k = 0; k < width * width; k++)
                    block[k] = k;
                kernel->add(chunk + i * rows * width, chunk + j * rows * width, rows, block, width);
                double worst = 0;
                for (int k = 0; k < width * width; k++) {
                    int a = i * width + k / width, b = j * width + k % width;
                    double sum = k;
                    for (int r = 0; r < rows && a < columns && b < columns; r++)
                        sum += ((double)values[r * columns + a] - mean[a]) *
                               ((double)values[r * columns + b] - mean[b]);
                    worst = fmax(worst, fabs(block[k] - sum));
                }
                ck_assert_double_lt(worst, 1e-11);
            }
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {attraction_and_divergence_are_those_of_plain_c,
                                  every_variant_repels_like_plain_c,
                                  every_variant_repels_among_the_targets,
                                  every_variant_expands_cells_to_second_order,
                                  every_variant_weighs_like_plain_c,
                                  every_variant_scatters_like_plain_c,
                                  NULL};
    return run_tests("kernel_embedding", tests);
}
