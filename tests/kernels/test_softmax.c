/* Softmax and its logarithm, forward and backward, of every instruction set this machine has, against
 * double. */
#include "kernels/nn/softmax.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 70 * 40 + 20000, EDGE = 16 };

static float x[MOST], dy[MOST], y[MOST + EDGE], dx[MOST + EDGE];
static const float GUARD = -12345;
static dlz_isa isa;
static int64_t rows, classes;

/* The distance of two floats of one sign in units in the last place. */
static double units(float got, double expected) {
    int exponent;
    frexp(expected, &exponent);
    return fabs((double)got - expected) / ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

/* e^x is what the gradient of a logarithm takes away from 0 where the sum of dy is 1; of rows of two
 * and of long ones, so that it is computed by columns and by rows. */
START_TEST(exponentials_are_accurate_to_a_unit) {
    static const int64_t lengths[] = {2, 40};
    enum { COUNT = 20000 };
    for (int i = 0; i < DLZ_ISA_COUNT; i++)
        for (int k = 0; k < 2 && dlz_isa_available((dlz_isa)i); k++) {
            int64_t length = lengths[k];
            for (int64_t j = 0; j < COUNT; j++) {
                bool last = j % length == length - 1;
                x[j] = last ? -INFINITY : -0.5f - 86.8365f * (float)j / (float)(COUNT - 1);
                dy[j] = last ? 1 : 0;
            }
            dlz_log_softmax_kernels_of((dlz_isa)i)->backward(COUNT / length, length, x, dy, dx);
            for (int64_t j = 0; j < COUNT; j++) {
                double e = exp((double)x[j]);
                if (dy[j] == 1 ? dx[j] != 1 : !(units(-dx[j], e) < 1))
                    ck_abort_msg("%s: exp(%.9g) is %.9g", dlz_isa_name((dlz_isa)i), (double)x[j],
                                 (double)-dx[j]);
            }
        }
}
END_TEST

static void check(const char *what, int64_t row, int64_t c, float got, double want,
                  double allowed) {
    if (!(fabs((double)got - want) <= allowed + 2e-38))
        ck_abort_msg("%s of %s: number %d of row %d of %d x %d is %g, not %g", what,
                     dlz_isa_name(isa), (int)c, (int)row, (int)rows, (int)classes, (double)got,
                     want);
}

/* What surrounds the results is left as it is. */
static void start(void) {
    for (int64_t i = rows * classes; i < rows * classes + EDGE; i++)
        y[i] = dx[i] = GUARD;
}

static void check_edges(void) {
    for (int64_t i = rows * classes; i < rows * classes + EDGE; i++)
        if (y[i] != GUARD || dx[i] != GUARD)
            ck_abort_msg("%s writes beyond the end of %d x %d", dlz_isa_name(isa), (int)rows,
                         (int)classes);
}

static double p[20000], log_p[20000];

/* Each to its own precision, also where it or all others are nearly 0. */
static void take_probabilities(const float *row) {
    int64_t first = 0;
    for (int64_t c = 1; c < classes; c++)
        first = row[c] > row[first] ? c : first;
    double others = 0;
    for (int64_t c = 0; c < classes; c++)
        others += c == first ? 0 : exp((double)row[c] - (double)row[first]);
    for (int64_t c = 0; c < classes; c++) {
        log_p[c] = (double)row[c] - (double)row[first] - log1p(others);
        p[c] = exp(log_p[c]);
    }
}

/* Differences of numbers up to 40 apart are rounded before they become exponents. */
static const double TOLERANCE = 3e-6;

static void try_softmax(const dlz_row_function *function) {
    start();
    function->forward(rows, classes, x, y);
    function->backward(rows, classes, y, dy, dx);
    check_edges();
    for (int64_t i = 0; i < rows; i++) {
        take_probabilities(x + i * classes);
        double sum = 0;
        for (int64_t c = 0; c < classes; c++)
            sum += p[c] * (double)dy[i * classes + c];
        for (int64_t c = 0; c < classes; c++) {
            double own = (double)dy[i * classes + c], want = 0, terms = 0;
            for (int64_t k = 0; k < classes; k++) {
                double term = p[c] * p[k] * (own - (double)dy[i * classes + k]);
                want += term;
                terms += fabs(term);
            }
            check("softmax", i, c, y[i * classes + c], p[c], TOLERANCE * p[c]);
            check("softmax's gradient", i, c, dx[i * classes + c], want,
                  TOLERANCE * terms + 1e-14 * p[c] * fabs(sum));
        }
    }
}

static void try_log_softmax(const dlz_row_function *function) {
    start();
    function->forward(rows, classes, x, y);
    function->backward(rows, classes, y, dy, dx);
    check_edges();
    for (int64_t i = 0; i < rows; i++) {
        take_probabilities(x + i * classes);
        double sum = 0, size = 0;
        for (int64_t c = 0; c < classes; c++) {
            sum += (double)dy[i * classes + c];
            size += fabs((double)dy[i * classes + c]);
        }
        for (int64_t c = 0; c < classes; c++) {
            double own = (double)dy[i * classes + c], rest = -expm1(log_p[c]);
            check("log_softmax", i, c, y[i * classes + c], log_p[c],
                  (log_p[c] > -0.1 ? TOLERANCE : 4e-7) * fabs(log_p[c]));
            check("log_softmax's gradient", i, c, dx[i * classes + c],
                  own * rest - p[c] * (sum - own),
                  TOLERANCE * (fabs(own) * rest + p[c] * (size - fabs(own))));
        }
    }
}

/* Plain rows; rows of equal numbers; nearly certain ones; gradients that lie far from 0. */
static void fill(void) {
    int64_t n = rows * classes;
    fill_uniform(x, n, (uint64_t)classes);
    fill_uniform(dy, n, (uint64_t)rows);
    for (int64_t i = 0; i < n; i++) {
        int64_t row = i / classes;
        x[i] *= row % 4 == 1 ? 0 : row % 4 == 2 ? 20 : 1;
        if (row % 4 == 2 && i % classes == row % classes)
            x[i] = 20;
        if (row % 4 == 3)
            dy[i] = 1000 + floorf(4 * dy[i]);
    }
}

START_TEST(rows_agree_with_double) {
    static const int64_t long_rows[] = {47, 48, 63, 65, 127, 128, 129, 255, 257, 1000, 4097, 9999};
    for (int k = 0; k < DLZ_ISA_COUNT; k++) {
        isa = (dlz_isa)k;
        if (!dlz_isa_available(isa))
            continue;
        const dlz_row_function *softmax = &dlz_softmax_kernels_of(isa)->softmax;
        const dlz_row_function *log_softmax = dlz_log_softmax_kernels_of(isa);
        for (classes = 1; classes <= 40; classes++)
            for (rows = 1; rows <= 37; rows += rows < 18 ? 1 : 5) {
                fill();
                try_softmax(softmax);
                try_log_softmax(log_softmax);
            }
        for (size_t i = 0; i < sizeof long_rows / sizeof *long_rows; i++) {
            classes = long_rows[i];
            rows = classes < 300 ? 19 : 2;
            fill();
            try_softmax(softmax);
            try_log_softmax(log_softmax);
        }
    }
}
END_TEST

/* One number of each row that is not finite, in every place of short rows and of long ones. */
START_TEST(what_is_not_finite_spoils_its_row_alone) {
    static const int64_t lengths[] = {1, 2, 3, 7, 16, 33};
    for (int k = 0; k < DLZ_ISA_COUNT; k++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            if (!dlz_isa_available((dlz_isa)k))
                continue;
            const dlz_row_function *softmax = &dlz_softmax_kernels_of((dlz_isa)k)->softmax;
            const dlz_row_function *log_softmax = dlz_log_softmax_kernels_of((dlz_isa)k);
            int64_t length = lengths[l];
            rows = 3 * length;
            fill_uniform(x, rows * length, 1);
            for (int64_t i = 0; i < rows; i++)
                x[i * length + i / 3] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY;
            for (int logarithm = 0; logarithm < 2; logarithm++) {
                (logarithm ? log_softmax : softmax)->forward(rows, length, x, y);
                for (int64_t i = 0; i < rows * length; i++) {
                    int64_t row = i / length;
                    if (row % 3 != 2 || length == 1)
                        ck_assert_msg(isnan(y[i]), "%s, row %d of %d: %g", dlz_isa_name((dlz_isa)k),
                                      (int)row, (int)length, (double)y[i]);
                    else if (i % length == row / 3)
                        ck_assert_float_eq(y[i], logarithm ? -INFINITY : 0);
                    else
                        ck_assert(isfinite(y[i]));
                }
            }
        }
}
END_TEST

/* One infinite gradient: what a softmax's definition makes of it. */
START_TEST(an_infinite_gradient_is_not_hidden) {
    static const int64_t lengths[] = {2, 3, 7, 16, 33};
    for (int k = 0; k < DLZ_ISA_COUNT; k++)
        for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
            if (!dlz_isa_available((dlz_isa)k))
                continue;
            const dlz_row_function *softmax = &dlz_softmax_kernels_of((dlz_isa)k)->softmax;

            int64_t length = lengths[l];
            rows = 20;
            fill_uniform(x, rows * length, 1);
            fill_uniform(dy, rows * length, 2);
            dy[length + 1] = INFINITY;
            softmax->forward(rows, length, x, y);
            softmax->backward(rows, length, y, dy, dx);
            for (int64_t i = 0; i < rows * length; i++)
                if (i == length + 1)
                    ck_assert(isnan(dx[i]));
                else if (i / length == 1)
                    ck_assert_float_eq(dx[i], -INFINITY);
                else
                    ck_assert(isfinite(dx[i]));
        }
}
END_TEST

/* So many that sums in float32 alone would be off by far more. */
START_TEST(very_long_rows_are_summed_exactly) {
    enum { LENGTH = 400000 };
    float *numbers = malloc(4 * LENGTH * sizeof *numbers);
    ck_assert_ptr_nonnull(numbers);
    float *from = numbers, *gradient = from + LENGTH, *to = gradient + LENGTH, *back = to + LENGTH;
    fill_uniform(from, LENGTH, 1);
    fill_uniform(gradient, LENGTH, 2);
    double sum = 0, total = 0, mean = 0;
    for (int64_t i = 0; i < LENGTH; i++) {
        gradient[i] += 1;
        sum += exp((double)from[i]);
        total += (double)gradient[i];
    }
    for (int64_t i = 0; i < LENGTH; i++)
        mean += exp((double)from[i]) / sum * (double)gradient[i];
    for (int k = 0; k < DLZ_ISA_COUNT; k++) {
        if (!dlz_isa_available((dlz_isa)k))
            continue;
        const dlz_row_function *softmax = &dlz_softmax_kernels_of((dlz_isa)k)->softmax;
        const dlz_row_function *log_softmax = dlz_log_softmax_kernels_of((dlz_isa)k);
        double worst[4] = {0};
        softmax->forward(1, LENGTH, from, to);
        softmax->backward(1, LENGTH, to, gradient, back);
        for (int64_t i = 0; i < LENGTH; i++) {
            double want = exp((double)from[i]) / sum, slope = (double)gradient[i] - mean;
            worst[0] = fmax(worst[0], fabs((double)to[i] - want) / want);
            worst[1] = fmax(worst[1], fabs((double)back[i] - want * slope) / want);
        }
        log_softmax->forward(1, LENGTH, from, to);
        log_softmax->backward(1, LENGTH, to, gradient, back);
        for (int64_t i = 0; i < LENGTH; i++) {
            double want = (double)from[i] - log(sum);
            worst[2] = fmax(worst[2], fabs((double)to[i] - want));
            want = (double)gradient[i] - exp(want) * total;
            worst[3] = fmax(worst[3], fabs((double)back[i] - want));
        }
        ck_assert_msg(worst[0] < 1e-6 && worst[1] < 1e-6 && worst[2] < 2e-6 && worst[3] < 6e-6,
                      "%s: off by %g, %g, %g, %g", dlz_isa_name((dlz_isa)k), worst[0], worst[1],
                      worst[2], worst[3]);
    }
    free(numbers);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        exponentials_are_accurate_to_a_unit, rows_agree_with_double,
        very_long_rows_are_summed_exactly,   what_is_not_finite_spoils_its_row_alone,
        an_infinite_gradient_is_not_hidden,  NULL};
    return run_tests("kernels of softmax", tests);
}
