/* Softmax and its logarithm against their definitions in double. */
#include "support/one_layer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 3 * 21 * 9 * 10 };

static float x[MOST], dy[MOST], y[MOST], dx[MOST];

/* Number c of a pixel of a sample lies `pixels` apart from the next. */
typedef struct row {
    int64_t classes, stride, first;
} row;

/* The probability of number c, and of all others, each to its own precision. */
static double probability(const row *r, int64_t c) {
    long double own = x[r->first + c * r->stride], others = 0;
    for (int64_t k = 0; k < r->classes; k++)
        if (k != c)
            others += expl((long double)x[r->first + k * r->stride] - own);
    return (double)(1 / (1 + others));
}

static double log_probability(const row *r, int64_t c) {
    long double own = x[r->first + c * r->stride], others = 0;
    for (int64_t k = 0; k < r->classes; k++)
        if (k != c)
            others += expl((long double)x[r->first + k * r->stride] - own);
    return (double)-log1pl(others);
}

static double probabilities[1000]; /* of the row at hand */

/* dx_c = p_c Σ p_k (dy_c − dy_k), of which no two terms cancel for want of precision in p; `terms`
 * is the sum of their magnitudes. */
static double softmax_gradient(const row *r, int64_t c, double *terms) {
    double sum = 0;
    *terms = 0;
    for (int64_t k = 0; k < r->classes; k++) {
        double term = probabilities[k] *
                      ((double)dy[r->first + c * r->stride] - (double)dy[r->first + k * r->stride]);
        sum += term;
        *terms += fabs(term);
    }
    *terms *= probabilities[c];
    return probabilities[c] * sum;
}

/* dx_c = dy_c (1 − p_c) − p_c Σ over the others of dy_k. */
static double log_softmax_gradient(const row *r, int64_t c, double *terms) {
    double others = 0, absolute = 0, own = dy[r->first + c * r->stride];
    double rest = -expm1(log_probability(r, c));
    for (int64_t k = 0; k < r->classes; k++) {
        others += k == c ? 0 : (double)dy[r->first + k * r->stride];
        absolute += k == c ? 0 : fabs((double)dy[r->first + k * r->stride]);
    }
    *terms = fabs(own) * rest + probabilities[c] * absolute;
    return own * rest - probabilities[c] * others;
}

/* Of numbers up to so far apart, whose differences are rounded before they become exponents. */
static double range;

static void check(const char *what, double got, double want, double terms) {
    /* Below 2^-126 there is 0. */
    ck_assert_msg(fabs(got - want) <= (1e-6 + 6e-8 * range) * terms + 2e-38,
                  "%s is %g, not %g (terms of %g)", what, got, want, terms);
}

static void check_row(const row *r, bool logarithm) {
    for (int64_t c = 0; c < r->classes; c++)
        probabilities[c] = probability(r, c);
    for (int64_t c = 0; c < r->classes; c++) {
        int64_t at = r->first + c * r->stride;
        double terms, want = logarithm ? log_probability(r, c) : probabilities[c];
        check(logarithm ? "a logarithm" : "a probability", (double)y[at], want, fabs(want));
        want = logarithm ? log_softmax_gradient(r, c, &terms) : softmax_gradient(r, c, &terms);
        check("a gradient", (double)dx[at], want, terms);
    }
}

static const struct {
    const char *dims;
    int64_t classes, pixels;
} shapes[] = {{"1", 1, 1},      {"2", 2, 1},       {"10", 10, 1},
              {"300", 300, 1},  {"3x5x7", 3, 35},  {"21x9x10", 21, 90},
              {"1x4x4", 1, 16}, {"17x1x3", 17, 3}, {"2x13x11", 2, 143}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static dlviz_layer *make(bool logarithm) {
    return logarithm ? dlviz_log_softmax() : dlviz_softmax();
}

static const one_layer_mode training = {.training = true, .gradients = true};

START_TEST(they_are_what_their_definitions_say) {
    /* Far apart: nearly all of a row's probability is one number's. Whole numbers: ties. */
    static const float spreads[] = {1, 4, 30, 90};
    for (int k = 0; k < 2 * SHAPES * 4; k++) {
        int shape = k / 8;
        float spread = spreads[k / 2 % 4];
        range = 2 * (double)spread;
        dlviz_network *network = one_layer(shapes[shape].dims, make(k % 2));
        int64_t classes = shapes[shape].classes, pixels = shapes[shape].pixels;
        int64_t count = 3 * classes * pixels;
        fill_uniform(x, count, 7);
        fill_uniform(dy, count, 8);
        for (int64_t i = 0; i < count; i++)
            x[i] = spread == 4 ? floorf(4 * x[i]) : spread * x[i];
        run_one_layer(network, 3, training, x, y, dy, dx);
        for (int64_t i = 0; i < 3 * pixels; i++) {
            row r = {classes, pixels, i / pixels * classes * pixels + i % pixels};
            check_row(&r, k % 2);
        }
        static float again[MOST];
        run_one_layer(network, 3, (one_layer_mode){0}, x, again, NULL, NULL);
        ck_assert_int_eq(memcmp(again, y, (size_t)count * sizeof *y), 0);
        dlviz_network_destroy(network);
    }
}
END_TEST

START_TEST(nearly_certain_rows_keep_their_digits) {
    /* Of a row that begins (40, 0, …) the first number's gradient is made of e^−40. */
    for (int logarithm = 0; logarithm < 2; logarithm++) {
        dlviz_network *network = one_layer("5", make(logarithm));
        memset(x, 0, sizeof x);
        x[0] = 40;
        range = 40;
        fill_uniform(dy, 5, 8);
        for (int i = 1; logarithm && i < 5; i++)
            dy[i] = 0;
        run_one_layer(network, 1, training, x, y, dy, dx);
        check_row(&(row){5, 1, 0}, logarithm);
        ck_assert_double_lt(fabs((double)dx[0]), 1e-16);
        ck_assert_double_gt(fabs((double)dx[0]), 1e-19);
        dlviz_network_destroy(network);
    }
}
END_TEST

START_TEST(nan_and_infinity_are_pytorchs) {
    for (int logarithm = 0; logarithm < 2; logarithm++) {
        dlviz_network *network = one_layer("3", make(logarithm));
        const float rows[5][3] = {{0, NAN, 1},
                                  {0, INFINITY, 1},
                                  {-INFINITY, -INFINITY, -INFINITY},
                                  {0, -INFINITY, 0},
                                  {3e38f, -3e38f, 3e38f}};
        run_one_layer(network, 5, (one_layer_mode){0}, &rows[0][0], y, NULL, NULL);
        for (int i = 0; i < 9; i++)
            ck_assert_msg(isnan(y[i]), "number %d is %g", i, (double)y[i]);
        ck_assert_float_eq(y[10], logarithm ? -INFINITY : 0);
        ck_assert_float_eq(y[13], logarithm ? -INFINITY : 0);
        ck_assert_float_eq_tol(y[9], logarithm ? -0.693147f : 0.5f, 1e-6f);
        ck_assert_float_eq_tol(y[12], logarithm ? -0.693147f : 0.5f, 1e-6f);
        dlviz_network_destroy(network);
    }
}
END_TEST

START_TEST(threads_do_not_change_the_bits) {
    static const int threads[] = {1, 2, 3, 8};
    static float first_y[64 * 21 * 90], first_dx[64 * 21 * 90], some[64 * 21 * 90];
    static float many_y[64 * 21 * 90], many_dx[64 * 21 * 90];
    fill_uniform(some, 64 * 21 * 90, 5);
    static const char *const dims[] = {"21x9x10", "3x21x30", "2x45x21", "10x9x21", "1890"};
    for (int k = 0; k < 2 * 5; k++)
        for (int t = 0; t < 4; t++) {
            ck_ok(dlviz_set_num_threads(threads[t]));
            dlviz_network *network = one_layer(dims[k / 2], make(k % 2));
            run_one_layer(network, 64, training, some, t ? many_y : first_y, some,
                          t ? many_dx : first_dx);
            if (t > 0) {
                ck_assert_int_eq(memcmp(first_y, many_y, sizeof first_y), 0);
                ck_assert_int_eq(memcmp(first_dx, many_dx, sizeof first_dx), 0);
            }
            dlviz_network_destroy(network);
        }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        they_are_what_their_definitions_say, nearly_certain_rows_keep_their_digits,
        nan_and_infinity_are_pytorchs, threads_do_not_change_the_bits, NULL};
    return run_tests("softmax", tests);
}
