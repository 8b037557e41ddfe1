/* Every variant of kernels/embed/particles.h against the definitions. */
#include "base/random.h"
#include "tsne/convolution.h"
#include "kernels/embed/particles.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

enum { POINTS = 333, ROWS = 40, STRIDE = 64 };

static float x[POINTS + 16], y[POINTS + 16];

static void scatter(double width, double height) {
    dlz_random random = dlz_random_start(5, 5);
    for (int i = 0; i < POINTS; i++) {
        x[i] = (float)(dlz_random_double(&random) * width);
        y[i] = (float)(dlz_random_double(&random) * height);
    }
    x[7] = 3;
    y[7] = 0;
}

/* The weight of node k beyond the floor of `place`, and its derivative. */
static double weight(float place, int k, bool slope) {
    double t = place - floor(place), at = t + 2 - k;
    return slope ? dlz_bspline(5, at + 0.5) - dlz_bspline(5, at - 0.5) : dlz_bspline(6, at);
}

#define FOR_EACH_VARIANT                                                                           \
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)                                                  \
        if (dlz_isa_available((dlz_isa)isa))

START_TEST(points_spread_over_their_nodes) {
    static double truth[ROWS][STRIDE];
    static float grid[ROWS * STRIDE];
    scatter(50, 30);
    for (int i = 10; i < POINTS; i++)
        for (int r = 0; r < 6; r++)
            for (int c = 0; c < 6; c++)
                truth[(int)y[i] + r][(int)x[i] + c] +=
                    weight(y[i], r, false) * weight(x[i], c, false);
    FOR_EACH_VARIANT {
        memset(grid, 0, sizeof grid);
        dlz_particles_of((dlz_isa)isa)->spread(x, y, 10, POINTS, grid, STRIDE);
        for (int i = 0; i < ROWS * STRIDE; i++)
            ck_assert_double_eq_tol(grid[i], truth[i / STRIDE][i % STRIDE], 2e-6);
    }
}
END_TEST

START_TEST(points_read_the_spline_and_its_derivatives) {
    static float grid[ROWS * STRIDE], potential[POINTS], dx[POINTS], dy[POINTS];
    scatter(50, 30);
    fill_uniform(grid, ROWS * STRIDE, 1);
    FOR_EACH_VARIANT {
        dlz_particles_of((dlz_isa)isa)->gather(x, y, 3, POINTS, grid, STRIDE, potential, dx, dy);
        for (int i = 3; i < POINTS; i++) {
            double truth[3] = {0};
            for (int r = 0; r < 6; r++)
                for (int c = 0; c < 6; c++) {
                    double node = grid[((int)y[i] + r) * STRIDE + (int)x[i] + c];
                    truth[0] += node * weight(y[i], r, false) * weight(x[i], c, false);
                    truth[1] += node * weight(y[i], r, false) * weight(x[i], c, true);
                    truth[2] += node * weight(y[i], r, true) * weight(x[i], c, false);
                }
            ck_assert_double_eq_tol(potential[i], truth[0], 3e-6);
            ck_assert_double_eq_tol(dx[i], truth[1], 3e-6);
            ck_assert_double_eq_tol(dy[i], truth[2], 3e-6);
        }
    }
}
END_TEST

START_TEST(near_points_contribute_what_the_smooth_part_lacks) {
    const double degrees[] = {1, 0.4, 2};
    const float cell = 0.7f;
    scatter(12, 12);
    for (int g = 0; g < 3; g++) {
        double a = degrees[g];
        float radius = 4 * cell;
        dlz_near near = {.a = (float)a, .reach = radius * radius};
        double term = pow(1 + near.reach / a, -a);
        for (int k = 0; k <= DLZ_NEAR_DEGREE; k++) {
            near.taylor[k] = (float)term;
            term *= (a + k) / a / (1 + near.reach / a) / (k + 1);
        }
        const dlz_range ranges[] = {{0, 50}, {61, 62}, {100, POINTS}};
        FOR_EACH_VARIANT {
            static float potential[POINTS], fx[POINTS], fy[POINTS];
            for (int i = 0; i < POINTS; i++)
                potential[i] = 1, fx[i] = 2, fy[i] = 3;
            dlz_particles_of((dlz_isa)isa)
                ->near(&near, cell, x, y, 5, 9, x, y, ranges, 3, potential, fx, fy);
            for (int i = 0; i < POINTS; i++) {
                double truth[3] = {1, 2, 3};
                for (int j = 0; j < POINTS; j++) {
                    bool in = j < 50 || j == 61 || j >= 100;
                    double across = ((double)x[i] - x[j]) * cell;
                    double down = ((double)y[i] - y[j]) * cell;
                    double u = across * across + down * down, v = near.reach - u, c, slope;
                    if (!in || u >= near.reach || i < 5 || i >= 9)
                        continue;
                    c = pow(1 + u / a, -a);
                    slope = c / (1 + u / a);
                    for (int k = 0; k <= DLZ_NEAR_DEGREE; k++) {
                        c -= near.taylor[k] * pow(v, k);
                        slope -= k > 0 ? (double)k * near.taylor[k] * pow(v, k - 1) : 0;
                    }
                    truth[0] += c;
                    truth[1] += slope * across;
                    truth[2] += slope * down;
                }
                ck_assert_double_eq_tol(potential[i], truth[0], 3e-5);
                ck_assert_double_eq_tol(fx[i], truth[1], 3e-5);
                ck_assert_double_eq_tol(fy[i], truth[2], 3e-5);
            }
        }
    }
}
END_TEST

START_TEST(extents_are_found_and_odd_values_seen) {
    static float map[301];
    for (int dimensions = 1; dimensions <= 3; dimensions++)
        for (int n = 1; n <= 100; n += 9)
            FOR_EACH_VARIANT {
                fill_uniform(map, n * dimensions, n);
                float least[3], greatest[3];
                const dlz_particles_kernel *kernel = dlz_particles_of((dlz_isa)isa);
                ck_assert(kernel->extent(map, n, dimensions, least, greatest));
                for (int c = 0; c < dimensions; c++) {
                    float low = map[c], high = map[c];
                    for (int i = 0; i < n; i++) {
                        low = fminf(low, map[i * dimensions + c]);
                        high = fmaxf(high, map[i * dimensions + c]);
                    }
                    ck_assert_float_eq(least[c], low);
                    ck_assert_float_eq(greatest[c], high);
                }
                for (int place = 0; place < n * dimensions; place += 1 + n / 3) {
                    float kept = map[place];
                    map[place] = place % 2 ? NAN : INFINITY;
                    ck_assert(!kernel->extent(map, n, dimensions, least, greatest));
                    map[place] = kept;
                }
            }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {points_spread_over_their_nodes,
                                  points_read_the_spline_and_its_derivatives,
                                  near_points_contribute_what_the_smooth_part_lacks,
                                  extents_are_found_and_odd_values_seen, NULL};
    return run_tests("particles", tests);
}
