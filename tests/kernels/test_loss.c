/* Cross-entropy of every instruction set this machine has, against double. */
#include "kernels/nn/loss.h"
#include "kernels/nn/softmax.h"
#include "support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MOST = 1000, ROWS = 5 };
static const float GUARD = -12345.0f;
static const int64_t class_counts[] = {1, 2, 3, 10, 16, 17, 37, 128, 1000};

/* The difference of two logits, down to −87, is rounded to float: that is a relative error of up to
 * 87 · 2^-24 in its exponential. */
static const double TOLERANCE = 6e-6;

/* Logits of various sizes, some equal, some huge, and labels. */
static void fill(float *logits, int64_t *labels, int64_t classes) {
    static const float sizes[ROWS] = {1, 10, 1000, 1e30f, 0};
    fill_uniform(logits, ROWS * classes, (uint64_t)classes);
    for (int64_t i = 0; i < ROWS; i++) {
        for (int64_t j = 0; j < classes; j++)
            logits[i * classes + j] *= sizes[i];
        labels[i] = (i * 7 + 3) % classes;
    }
}

START_TEST(rows_agree_with_double) {
    static float logits[ROWS * MOST], gradient[ROWS * MOST + 1], in_place[ROWS * MOST];
    int64_t labels[ROWS];
    for (size_t c = 0; c < sizeof class_counts / sizeof *class_counts; c++)
        for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
            if (!dlz_isa_available((dlz_isa)isa))
                continue;
            const dlz_softmax_table *kernels = dlz_softmax_kernels_of((dlz_isa)isa);
            int64_t classes = class_counts[c];
            size_t bytes = (size_t)(ROWS * classes) * sizeof(float);
            fill(logits, labels, classes);
            dlz_softmax_row rows[ROWS], again[ROWS];
            gradient[ROWS * classes] = GUARD;
            kernels->cross_entropy(ROWS, classes, logits, labels, 0.25, gradient, rows);
            ck_assert(gradient[ROWS * classes] == GUARD);
            kernels->cross_entropy(ROWS, classes, logits, labels, 0.25, NULL, again);
            memcpy(in_place, logits, bytes);
            kernels->cross_entropy(ROWS, classes, in_place, labels, 0.25, in_place, again);
            ck_assert_mem_eq(in_place, gradient, bytes);
            kernels->softmax.forward(ROWS, classes, logits, in_place);
            for (int64_t i = 0; i < ROWS; i++) {
                const float *x = logits + i * classes;
                int64_t first = 0;
                for (int64_t j = 1; j < classes; j++)
                    first = x[j] > x[first] ? j : first;
                double sum = 0, rest = 0;
                for (int64_t j = 0; j < classes; j++) {
                    double e = exp((double)x[j] - (double)x[first]);
                    sum += e;
                    rest += j == labels[i] ? 0 : e;
                }
                ck_assert_double_eq_tol(rows[i].sum, sum, TOLERANCE * sum);
                ck_assert(rows[i].sum == again[i].sum && rows[i].below == again[i].below);
                ck_assert(rows[i].below == (double)x[first] - (double)x[labels[i]]);
                ck_assert_int_eq(rows[i].correct, first == labels[i]);
                for (int64_t j = 0; j < classes; j++) {
                    double p = exp((double)x[j] - (double)x[first]) / sum;
                    double g = 0.25 * (j == labels[i] ? -rest / sum : p);
                    ck_assert_double_eq_tol(in_place[i * classes + j], p, TOLERANCE * p + 2e-38);
                    ck_assert_double_eq_tol(gradient[i * classes + j], g,
                                            TOLERANCE * fabs(g) + 2e-38);
                }
            }
        }
}
END_TEST

/* The label leads by so much that the others' sum is lost beside its 1. */
START_TEST(a_confident_row_keeps_its_digits) {
    static float logits[MOST], gradient[MOST];
    for (size_t c = 0; c < sizeof class_counts / sizeof *class_counts; c++)
        for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
            for (int lead = 4; lead < 84 && dlz_isa_available((dlz_isa)isa); lead += 8) {
                int64_t classes = class_counts[c], label = classes / 2;
                dlz_softmax_row row;
                double rest = 0;
                fill_uniform(logits, classes, (uint64_t)classes);
                logits[label] = (float)lead;
                for (int64_t j = 0; j < classes; j++)
                    rest += j == label ? 0 : exp((double)logits[j] - lead);
                dlz_softmax_kernels_of((dlz_isa)isa)
                    ->cross_entropy(1, classes, logits, &label, 1, gradient, &row);
                ck_assert_double_eq_tol(row.others, rest, TOLERANCE * rest + 1e-300);
                ck_assert_double_eq_tol(gradient[label], -rest / (1 + rest),
                                        TOLERANCE * rest + 1e-300);
                double loss = dlz_cross_entropy(1, classes, logits, &label, 1, NULL, NULL, NULL);
                ck_assert_double_eq_tol(loss, log1p(rest), TOLERANCE * rest + 1e-300);
            }
}
END_TEST

START_TEST(many_classes_are_summed_in_double) {
    enum { CLASSES = 20000 };
    static float logits[CLASSES];
    fill_uniform(logits, CLASSES, 4);
    logits[0] = 1;
    double sum = 0;
    for (int j = 0; j < CLASSES; j++)
        sum += exp((double)logits[j] - 1);
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        dlz_softmax_row row;
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        dlz_softmax_kernels_of((dlz_isa)isa)
            ->cross_entropy(1, CLASSES, logits, &(int64_t){7}, 1, NULL, &row);
        ck_assert_double_eq_tol(row.sum, sum, 4e-7 * sum);
    }
}
END_TEST

START_TEST(losses_are_summed_in_double) {
    enum { MANY = 200, CLASSES = 10 };
    static float logits[MANY * CLASSES];
    static int64_t labels[MANY];
    static double losses[MANY];
    fill_uniform(logits, MANY * CLASSES, 9);
    double expected = 0;
    int64_t right = 0, correct;
    for (int i = 0; i < MANY; i++) {
        labels[i] = i * 3 % CLASSES;
        double sum = 0;
        int first = 0;
        for (int j = 0; j < CLASSES; j++) {
            logits[i * CLASSES + j] *= 5;
            sum += exp((double)logits[i * CLASSES + j]);
            first = logits[i * CLASSES + j] > logits[i * CLASSES + first] ? j : first;
        }
        expected += log(sum) - (double)logits[i * CLASSES + labels[i]];
        right += first == labels[i];
    }
    double total = dlz_cross_entropy(MANY, CLASSES, logits, labels, 1, losses, NULL, &correct);
    ck_assert_double_eq_tol(total, expected, 1e-7 * expected);
    ck_assert_int_eq(correct, right);
    double again = 0;
    for (int i = 0; i < MANY; i++)
        again += losses[i];
    ck_assert(again == total);
    ck_assert(dlz_cross_entropy(0, CLASSES, logits, labels, 1, NULL, NULL, NULL) == 0);
}
END_TEST

START_TEST(the_first_of_equal_logits_is_the_prediction) {
    float logits[3] = {1, 2, 2};
    int64_t correct;
    dlz_cross_entropy(1, 3, logits, &(int64_t){1}, 1, NULL, NULL, &correct);
    ck_assert_int_eq(correct, 1);
    dlz_cross_entropy(1, 3, logits, &(int64_t){2}, 1, NULL, NULL, &correct);
    ck_assert_int_eq(correct, 0);
}
END_TEST

START_TEST(nan_and_infinity_are_not_hidden) {
    float logits[4] = {1, NAN, 2, 0}, gradient[4];
    int64_t correct;
    double loss = dlz_cross_entropy(1, 4, logits, &(int64_t){2}, 1, NULL, gradient, &correct);
    ck_assert(isnan(loss) && correct == 0 && isnan(gradient[0]) && isnan(gradient[2]));
    logits[1] = -INFINITY;
    loss = dlz_cross_entropy(1, 4, logits, &(int64_t){2}, 1, NULL, gradient, &correct);
    ck_assert(isfinite(loss) && correct == 1 && gradient[1] == 0);
    loss = dlz_cross_entropy(1, 4, logits, &(int64_t){1}, 1, NULL, gradient, &correct);
    ck_assert(isinf(loss) && correct == 0 && gradient[1] == -1);
    logits[1] = INFINITY;
    loss = dlz_cross_entropy(1, 4, logits, &(int64_t){1}, 1, NULL, gradient, &correct);
    ck_assert(isnan(loss) && correct == 0);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {rows_agree_with_double,
                                  a_confident_row_keeps_its_digits,
                                  many_classes_are_summed_in_double,
                                  losses_are_summed_in_double,
                                  the_first_of_equal_logits_is_the_prediction,
                                  nan_and_infinity_are_not_hidden,
                                  NULL};
    return run_tests("loss", tests);
}
