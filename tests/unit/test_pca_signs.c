/* Signs of components whose loadings tie: not for rounding to decide. Run under several instruction
 * sets and kernels of OpenBLAS, for which the same is expected. */
#include "base/base.h"
#include "pca/pca.h"
#include "support/pca.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

/* What ties does so to this. */
#define TIE 1e-3

/* The first of the largest loadings is positive, and there are others as large. */
static void ck_first_is_positive(const dlviz_pca *pca, int64_t tied) {
    int64_t k = dlviz_pca_num_components(pca), d = dlviz_pca_num_features(pca);
    const float *w = values_of(dlviz_pca_components(pca));
    for (int64_t i = 0; i < k; i++, w += d) {
        double largest = 0;
        for (int64_t j = 0; j < d; j++)
            largest = fabs((double)w[j]) > largest ? fabs((double)w[j]) : largest;
        int64_t count = 0, first = -1;
        for (int64_t j = 0; j < d; j++)
            if (fabs((double)w[j]) >= (1 - TIE) * largest) {
                first = first < 0 ? j : first;
                count++;
            }
        ck_assert_int_ge(count, tied);
        ck_assert_msg(w[first] > 0, "component %d: loading %d is %g", (int)i, (int)first,
                      (double)w[first]);
    }
}

/* All solvers, threads and batches agree. */
static void ck_all_agree(const dlviz_tensor *x, int64_t k, int64_t tied) {
    dlviz_pca *like = fitted(x, k, DLVIZ_PCA_SOLVER_SVD);
    ck_first_is_positive(like, tied);
    const int threads[] = {1, 2, 5};
    for (int t = 0; t < 3; t++) {
        ck_ok(dlviz_set_num_threads(threads[t]));
        for (size_t s = 0; s < 5; s++) {
            dlviz_pca *pca;
            ck_ok(dlviz_pca_create(&pca, k));
            if (s < 4) {
                ck_ok(dlviz_pca_set_solver(pca, solvers[s]));
                ck_ok(dlviz_pca_fit(pca, x));
            } else {
                ck_ok(dlviz_pca_partial_fit(pca, x));
            }
            ck_first_is_positive(pca, tied);
            ck_assert_double_le(relative_error(dlviz_pca_components(pca)->data,
                                               dlviz_pca_components(like)->data,
                                               dlviz_pca_components(like)->size),
                                1e-4);
            dlviz_pca_destroy(pca);
        }
    }
    ck_ok(dlviz_set_num_threads(1));
    dlviz_pca_destroy(like);
}

/* n x 2h numbers: h of make_points, and beside them what `pair` makes of them. */
static dlviz_tensor *make_pairs(int64_t n, int64_t h, bool reversed, float sign, uint64_t seed) {
    dlviz_tensor *half = make_points(n, h, h, 0.9, 0, seed), *x;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){n, 2 * h}));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < h; j++) {
            float value = values_of(half)[i * h + j];
            int64_t partner = reversed ? 2 * h - 1 - j : h + j;
            ((float *)x->data)[i * 2 * h + j] = value;
            ((float *)x->data)[i * 2 * h + partner] = sign * value;
        }
    dlviz_tensor_destroy(half);
    return x;
}

START_TEST(equal_and_opposite_columns_tie) {
    const int64_t sizes[][2] = {{60, 3}, {200, 30}, {20, 40}, {700, 200}};
    for (int c = 0; c < 16; c++) {
        dlviz_tensor *x =
            make_pairs(sizes[c / 4][0], sizes[c / 4][1], c & 1, c & 2 ? -1 : 1, (uint64_t)c);
        ck_all_agree(x, 3, 2);
        dlviz_tensor_destroy(x);
    }
}
END_TEST

START_TEST(symmetric_points_tie) {
    /* With (a, b) there is sign (b, a): loadings of a and b are alike. */
    for (int c = 0; c < 4; c++) {
        int64_t n = c < 2 ? 80 : 400, h = c < 2 ? 12 : 150;
        dlviz_tensor *half = make_points(n, 2 * h, 2 * h, 0.9, 0, (uint64_t)c), *x;
        ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){2 * n, 2 * h}));
        float *to = x->data;
        const float *from = half->data;
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < 2 * h; j++) {
                to[i * 2 * h + j] = from[i * 2 * h + j];
                to[(n + i) * 2 * h + j] =
                    (c % 2 ? -1.0f : 1.0f) * from[i * 2 * h + (j + h) % (2 * h)];
            }
        ck_all_agree(x, 3, 2);
        dlviz_tensor_destroy(half);
        dlviz_tensor_destroy(x);
    }
}
END_TEST

START_TEST(a_square_has_the_signs_of_a_book) {
    const float corners[] = {2, 1, 1, 2, -2, -1, -1, -2};
    dlviz_tensor *x;
    ck_ok(dlviz_tensor_from_data(&x, DLVIZ_FLOAT32, 2, (int64_t[]){4, 2}, corners));
    for (size_t s = 0; s < 4; s++) {
        dlviz_pca *pca = fitted(x, 2, solvers[s]);
        const float *w = values_of(dlviz_pca_components(pca));
        const double expected[] = {M_SQRT1_2, M_SQRT1_2, M_SQRT1_2, -M_SQRT1_2};
        for (int i = 0; i < 4; i++)
            ck_assert_double_eq_tol((double)w[i], expected[i], 1e-6);
        dlviz_pca_destroy(pca);
    }
    dlviz_tensor_destroy(x);
}
END_TEST

START_TEST(rounding_does_not_decide) {
    const double rounding[] = {0, 1e-16, -1e-16, 1e-12, -1e-12, 1e-7, -1e-7, 1e-5, -1e-5};
    for (int r = 0; r < 9; r++)
        for (int sign = -1; sign <= 1; sign += 2) {
            double row[] = {0.1, -0.5 * sign, 0.5 * sign * (1 + rounding[r]), 0.5 * sign, -0.4};
            dlz_pca_fix_signs(row, 1, 5);
            ck_assert_double_gt(row[1], 0);
            ck_assert_double_lt(row[2], 0);
        }
    double clear[] = {0.49, -0.5, 0, 0}; /* no tie: the largest decides */
    dlz_pca_fix_signs(clear, 1, 4);
    ck_assert_double_eq(clear[1], 0.5);
    double zeros[3] = {0};
    dlz_pca_fix_signs(zeros, 1, 3);
    ck_assert_double_eq(zeros[0], 0);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {equal_and_opposite_columns_tie, symmetric_points_tie,
                                  a_square_has_the_signs_of_a_book, rounding_does_not_decide, NULL};
    return run_tests("pca_signs", tests);
}
