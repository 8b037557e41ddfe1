#include "base/base.h"
#include "pca/pca.h"
#include "support/pca.h"
#include "support/support.h"
#include "tensor/tensor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dlviz_tensor *fixture(const char *name, const char *part) {
    char file[100];
    snprintf(file, sizeof file, "pca_%s_%s.npy", name, part);
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_read_npy(&tensor, fixture_path(file)));
    return tensor;
}

static void ck_matches(const dlviz_tensor *got, const char *name, const char *part,
                       double tolerance) {
    dlviz_tensor *expected = fixture(name, part);
    ck_assert_int_eq(got->size, expected->size);
    ck_assert_int_eq(got->ndim, expected->ndim);
    double error = relative_error(got->data, expected->data, got->size);
    ck_assert_msg(error <= tolerance, "%s %s: relative error %g", name, part, error);
    dlviz_tensor_destroy(expected);
}

static void ck_all_match(dlviz_pca *pca, const char *name, double tolerance) {
    ck_matches(dlviz_pca_mean(pca), name, "mean", 1e-7);
    ck_matches(dlviz_pca_components(pca), name, "components", tolerance);
    ck_matches(dlviz_pca_explained_variance(pca), name, "variance", 2e-7);
    ck_matches(dlviz_pca_explained_variance_ratio(pca), name, "ratio", 2e-7);
    ck_matches(dlviz_pca_singular_values(pca), name, "singular", 2e-7);
    dlviz_tensor *x = fixture(name, "x"), *projected;
    ck_ok(dlviz_pca_transform(pca, x, &projected));
    ck_matches(projected, name, "projected", tolerance);
    dlviz_tensor_destroy(projected);
    dlviz_tensor_destroy(x);
}

START_TEST(results_are_scikit_learns) {
    static const struct {
        const char *name;
        int64_t count;
        bool whiten;
    } cases[] = {
        {"tall", 6, false}, {"whitened", 4, true}, {"wide", 9, false}, {"deficient", 5, false}};
    for (size_t c = 0; c < 4; c++)
        for (size_t s = 0; s < 4; s++) {
            dlviz_tensor *x = fixture(cases[c].name, "x");
            dlviz_pca *pca;
            ck_ok(dlviz_pca_create(&pca, cases[c].count));
            ck_ok(dlviz_pca_set_solver(pca, solvers[s]));
            ck_ok(dlviz_pca_set_whiten(pca, cases[c].whiten));
            ck_ok(dlviz_pca_fit(pca, x));
            ck_assert_int_eq(dlviz_pca_num_components(pca), cases[c].count);
            ck_assert_int_eq(dlviz_pca_num_samples(pca), x->dims[0]);
            ck_assert_int_eq(dlviz_pca_num_features(pca), x->dims[1]);
            ck_all_match(pca, cases[c].name, 1e-6);
            if (c == 0) {
                dlviz_tensor *noise = fixture("tall", "noise");
                ck_assert_double_eq_tol(dlviz_pca_noise_variance(pca),
                                        (double)((const float *)noise->data)[0], 1e-7);
                dlviz_tensor_destroy(noise);
            }
            dlviz_pca_destroy(pca);
            dlviz_tensor_destroy(x);
        }
}
END_TEST

START_TEST(batches_give_scikit_learns_incremental_pca) {
    dlviz_tensor *x = fixture("incremental", "x");
    dlviz_pca *pca;
    ck_ok(dlviz_pca_create(&pca, 5));
    int64_t cuts[] = {0, 40, 70, 120};
    for (int i = 0; i < 3; i++) {
        dlviz_tensor *batch;
        ck_ok(dlviz_tensor_slice(x, cuts[i], cuts[i + 1] - cuts[i], &batch));
        ck_ok(dlviz_pca_partial_fit(pca, batch));
        ck_assert_int_eq(dlviz_pca_num_samples(pca), cuts[i + 1]);
        dlviz_tensor_destroy(batch);
    }
    ck_all_match(pca, "incremental", 1e-6);
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(x);
}
END_TEST

/* Singular values by one-sided Jacobi rotations of the centered data's rows or columns, whichever
 * are fewer, in float64: independent of LAPACK. values[min(n, d)] falling, as variances; with n >=
 * d, vectors[d x d] rows are the components. */
static void jacobi(const dlviz_tensor *x, double *values, double *vectors) {
    int64_t n = x->dims[0], d = x->dims[1], small = n < d ? n : d, large = n < d ? d : n;
    const float *data = x->data;
    double *a = dlz_alloc_array((size_t)(small * large), sizeof *a); /* small rows */
    for (int64_t j = 0; j < d; j++) {
        double mean = 0;
        for (int64_t i = 0; i < n; i++)
            mean += (double)data[i * d + j];
        mean /= (double)n;
        for (int64_t i = 0; i < n; i++)
            a[n < d ? i * large + j : j * large + i] = (double)data[i * d + j] - mean;
    }
    double *v = dlz_alloc_array_zero((size_t)(small * small), sizeof *v);
    for (int64_t i = 0; i < small; i++)
        v[i * small + i] = 1;
    for (int sweep = 0; sweep < 30; sweep++)
        for (int64_t p = 0; p < small; p++)
            for (int64_t q = p + 1; q < small; q++) {
                double pp = 0, qq = 0, pq = 0;
                for (int64_t i = 0; i < large; i++) {
                    pp += a[p * large + i] * a[p * large + i];
                    qq += a[q * large + i] * a[q * large + i];
                    pq += a[p * large + i] * a[q * large + i];
                }
                if (fabs(pq) <= 1e-16 * sqrt(pp * qq) || pq == 0)
                    continue;
                double zeta = (qq - pp) / (2 * pq);
                double t = (zeta >= 0 ? 1 : -1) / (fabs(zeta) + sqrt(1 + zeta * zeta));
                double c = 1 / sqrt(1 + t * t), s = c * t;
                for (int64_t i = 0; i < large + small; i++) {
                    double *row = i < large ? a + i : v + (i - large);
                    int64_t stride = i < large ? large : small;
                    double left = row[p * stride], right = row[q * stride];
                    row[p * stride] = c * left - s * right;
                    row[q * stride] = s * left + c * right;
                }
            }
    for (int64_t k = 0; k < small; k++) {
        int64_t best = -1;
        double most = -1;
        for (int64_t p = 0; p < small; p++) {
            double sum = 0;
            for (int64_t i = 0; i < large; i++)
                sum += a[p * large + i] * a[p * large + i];
            if (sum > most && v[p * small] < 1e300) {
                most = sum;
                best = p;
            }
        }
        values[k] = most / (double)(n - 1);
        if (vectors && n >= d)
            memcpy(vectors + k * d, v + best * small, (size_t)d * sizeof *v);
        v[best * small] = 1e308; /* taken */
        if (vectors && n >= d && vectors[k * d] > 1e300)
            ck_abort_msg("a component was taken twice");
    }
    dlz_free(a);
    dlz_free(v);
}

static void ck_orthonormal(const dlviz_pca *pca) {
    int64_t k = dlviz_pca_num_components(pca), d = dlviz_pca_num_features(pca);
    const float *w = values_of(dlviz_pca_components(pca));
    for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j <= i; j++) {
            double dot = 0;
            for (int64_t c = 0; c < d; c++)
                dot += (double)w[i * d + c] * (double)w[j * d + c];
            ck_assert_double_eq_tol(dot, i == j, 1e-6);
        }
}

START_TEST(variances_and_components_are_those_of_a_jacobi_svd) {
    static const struct {
        int64_t n, d, rank;
        double decay;
        float offset;
    } cases[] = {{150, 23, 23, 0.9, 0},  {150, 23, 23, 0.9, 1000}, {23, 110, 40, 0.9, 5},
                 {60, 60, 60, 0.95, -2}, {1500, 7, 7, 0.8, 0},     {400, 120, 120, 0.97, 1},
                 {2, 5, 5, 0.9, 0},      {5, 2, 2, 0.9, 0}};
    for (size_t c = 0; c < 8; c++) {
        dlviz_tensor *x =
            make_points(cases[c].n, cases[c].d, cases[c].rank, cases[c].decay, cases[c].offset, c);
        int64_t d = cases[c].d, n = cases[c].n, most = n < d ? n : d;
        double truth[120], *vectors = dlz_alloc_array((size_t)(d * d), sizeof *vectors);
        jacobi(x, truth, vectors);
        for (size_t s = 0; s < 4; s++) {
            dlviz_pca *pca = fitted(x, 0, solvers[s]);
            ck_assert_int_eq(dlviz_pca_num_components(pca), most);
            ck_orthonormal(pca);
            const float *variance = values_of(dlviz_pca_explained_variance(pca));
            const float *w = values_of(dlviz_pca_components(pca));
            for (int64_t i = 0; i < most; i++) {
                ck_assert_msg(fabs((double)variance[i] - truth[i]) <=
                                  2e-7 * truth[i] + 1e-14 * truth[0],
                              "case %zu solver %zu: variance %lld is %.9g, not %.9g", c, s,
                              (long long)i, (double)variance[i], truth[i]);
                double gap = i > 0 ? truth[i - 1] - truth[i] : 1;
                gap = i < most - 1 ? fmin(gap, truth[i] - truth[i + 1]) : gap;
                if (n < d || gap < 1e-3 * truth[i] || truth[i] < 1e-9 * truth[0])
                    continue;
                double dot = 0;
                for (int64_t j = 0; j < d; j++)
                    dot += vectors[i * d + j] * (double)w[i * d + j];
                ck_assert_double_eq_tol(fabs(dot), 1, 1e-6);
            }
            dlviz_pca_destroy(pca);
        }
        dlz_free(vectors);
        dlviz_tensor_destroy(x);
    }
}
END_TEST

START_TEST(equal_variances_span_the_right_subspace) {
    /* Features 3, 4 and 5 are equally strong, the others weak: any basis of them will do. */
    enum { n = 64, d = 9 };
    dlviz_tensor *x;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    float *to = x->data;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < d; j++) {
            /* Walsh functions are orthogonal and have mean 0. */
            float walsh = __builtin_parity((unsigned)(i & (j + 1))) ? -1.0f : 1.0f;
            to[i * d + j] = walsh * (j >= 3 && j <= 5 ? 4.0f : 0.1f * (float)(j + 1));
        }
    for (size_t s = 0; s < 4; s++) {
        dlviz_pca *pca = fitted(x, 3, solvers[s]);
        const float *w = values_of(dlviz_pca_components(pca));
        for (int a = 0; a < d; a++)
            for (int b = 0; b < d; b++) {
                double sum = 0;
                for (int k = 0; k < 3; k++)
                    sum += (double)w[k * d + a] * (double)w[k * d + b];
                ck_assert_double_eq_tol(sum, a == b && a >= 3 && a <= 5, 1e-6);
            }
        dlviz_pca_destroy(pca);
    }
    dlviz_tensor_destroy(x);
}
END_TEST

START_TEST(components_point_along_their_largest_loading) {
    dlviz_tensor *x = make_points(80, 30, 30, 0.9, 0, 3);
    for (size_t s = 0; s < 4; s++) {
        dlviz_pca *pca = fitted(x, 0, solvers[s]);
        const float *w = values_of(dlviz_pca_components(pca));
        for (int64_t i = 0; i < 30; i++) {
            float largest = 0;
            for (int64_t j = 0; j < 30; j++)
                if (fabsf(w[i * 30 + j]) > fabsf(largest))
                    largest = w[i * 30 + j];
            ck_assert_float_gt(largest, 0);
        }
        dlviz_pca_destroy(pca);
    }
    dlviz_tensor_destroy(x);
}
END_TEST

static double worst_variance_error(const dlviz_pca *a, const dlviz_pca *b) {
    const float *x = values_of(dlviz_pca_explained_variance(a));
    const float *y = values_of(dlviz_pca_explained_variance(b));
    double worst = 0;
    for (int64_t i = 0; i < dlviz_pca_num_components(a); i++)
        worst = fmax(worst, fabs((double)x[i] / (double)y[i] - 1));
    return worst;
}

START_TEST(the_randomized_solver_agrees_with_the_exact_one) {
    static const struct {
        int64_t n, d, rank, k;
        double decay;
    } cases[] = {{900, 500, 100, 10, 0.9},
                 {900, 500, 500, 20, 0.995}, /* a slow decay */
                 {300, 700, 300, 8, 0.98},
                 {500, 400, 6, 4, 0.5},
                 {800, 600, 600, 30, 1.0}}; /* hardly any decay */
    for (size_t c = 0; c < 5; c++) {
        dlviz_tensor *x =
            make_points(cases[c].n, cases[c].d, cases[c].rank, cases[c].decay, 3, 10 + c);
        dlviz_pca *exact = fitted(x, cases[c].k, DLVIZ_PCA_SOLVER_COVARIANCE);
        dlviz_pca *random = fitted(x, cases[c].k, DLVIZ_PCA_SOLVER_RANDOMIZED);
        ck_assert_int_eq(dlviz_pca_solver_used(random), DLVIZ_PCA_SOLVER_RANDOMIZED);
        ck_orthonormal(random);
        ck_assert_double_le(worst_variance_error(random, exact), 2e-7);
        ck_assert_double_eq_tol(dlviz_pca_noise_variance(random) / dlviz_pca_noise_variance(exact),
                                1, 1e-6);
        /* A fixed number of products approximates from below. */
        ck_ok(dlviz_pca_set_randomized(random, 5, 3));
        ck_ok(dlviz_pca_set_seed(random, 7));
        ck_ok(dlviz_pca_fit(random, x));
        const float *few = values_of(dlviz_pca_explained_variance(random));
        const float *all = values_of(dlviz_pca_explained_variance(exact));
        for (int64_t i = 0; i < cases[c].k; i++) {
            ck_assert_double_le((double)few[i], (double)all[i] * (1 + 1e-6));
            ck_assert_double_ge((double)few[i], (double)all[i] * 0.7);
        }
        dlviz_pca_destroy(exact);
        dlviz_pca_destroy(random);
        dlviz_tensor_destroy(x);
    }
}
END_TEST

START_TEST(iteration_does_not_leave_the_range_of_float) {
    const double variances[] = {2e-38, 1e-20, 1e20, 3e38}; /* of results, which are float32 too */
    for (int c = 0; c < 4; c++) {
        dlviz_tensor *x = make_points(900, 400, 100, 0.9, 0, 20);
        dlviz_pca *plain = fitted(x, 3, DLVIZ_PCA_SOLVER_COVARIANCE);
        double scale = sqrt(variances[c] / dlviz_pca_total_variance(plain));
        dlviz_pca_destroy(plain);
        for (int64_t i = 0; i < x->size; i++)
            ((float *)x->data)[i] *= (float)scale;
        dlviz_pca *exact = fitted(x, 3, DLVIZ_PCA_SOLVER_COVARIANCE);
        dlviz_pca *random = fitted(x, 3, DLVIZ_PCA_SOLVER_RANDOMIZED);
        ck_assert_int_eq(dlviz_pca_solver_used(random), DLVIZ_PCA_SOLVER_RANDOMIZED);
        ck_orthonormal(random);
        ck_assert_double_le(worst_variance_error(random, exact), 2e-7);
        dlviz_pca_destroy(exact);
        dlviz_pca_destroy(random);
        dlviz_tensor_destroy(x);
    }
}
END_TEST

START_TEST(many_rows_cost_no_digits) {
    enum { n = 100000, d = 100 };
    float *values = malloc(sizeof(float) * n * d);
    static double mean[d];
    double *matrix, trace;
    fill_uniform(values, n * d, 77);
    dlviz_pca *pca;
    ck_ok(dlviz_pca_create(&pca, 0));
    dlz_pca_input input = {
        .pca = pca, .data = values, .own = n, .samples = n, .features = d, .mean = mean};
    ck_ok(dlz_pca_scatter_matrix(&input, false, &matrix, &trace));
    for (int c = 0; c < d; c++) {
        long double square = 0;
        for (int64_t i = 0; i < n; i++)
            square += (long double)values[i * d + c] * values[i * d + c];
        ck_assert_double_lt(fabs((double)(matrix[c * d + c] / square - 1)), 5e-15);
    }
    dlz_free(matrix);
    dlviz_pca_destroy(pca);
    free(values);
}
END_TEST

START_TEST(auto_follows_its_rule) {
    static const struct {
        int64_t n, d, k;
        dlviz_pca_solver_kind expected;
    } cases[] = {{60, 30, 2, DLVIZ_PCA_SOLVER_COVARIANCE},
                 {1200, 30, 3, DLVIZ_PCA_SOLVER_COVARIANCE},
                 {1200, 1100, 5, DLVIZ_PCA_SOLVER_RANDOMIZED},
                 {1200, 1100, 200, DLVIZ_PCA_SOLVER_COVARIANCE},
                 {400, 360, 2, DLVIZ_PCA_SOLVER_RANDOMIZED},
                 {400, 359, 2, DLVIZ_PCA_SOLVER_COVARIANCE}};
    for (size_t c = 0; c < 6; c++) {
        dlviz_tensor *x = make_points(cases[c].n, cases[c].d, 12, 0.7, 0, c);
        dlviz_pca *pca = fitted(x, cases[c].k, DLVIZ_PCA_SOLVER_AUTO);
        ck_assert_int_eq(dlviz_pca_solver_used(pca), cases[c].expected);
        dlviz_pca_destroy(pca);
        dlviz_tensor_destroy(x);
    }
    /* Noise has no leading components: iteration is given up. */
    dlviz_tensor *noise;
    ck_ok(dlviz_tensor_create(&noise, DLVIZ_FLOAT32, 2, (int64_t[]){1200, 1000}));
    fill_uniform(noise->data, noise->size, 12);
    dlviz_pca *pca = fitted(noise, 20, DLVIZ_PCA_SOLVER_AUTO),
              *exact = fitted(noise, 20, DLVIZ_PCA_SOLVER_SVD);
    ck_assert_double_le(worst_variance_error(pca, exact), 2e-7);
    dlviz_pca_destroy(pca);
    dlviz_pca_destroy(exact);
    dlviz_tensor_destroy(noise);
}
END_TEST

START_TEST(threads_do_not_change_the_bits) {
    static const int64_t shapes[][3] = {{700, 300, 7}, {90, 400, 7}, {3000, 20, 5}, {1300, 600, 9}};
    for (size_t c = 0; c < 4; c++)
        for (size_t s = 0; s < 4; s++) {
            dlviz_tensor *x = make_points(shapes[c][0], shapes[c][1], 40, 0.9, 1, c);
            dlviz_pca *first = NULL;
            dlviz_tensor *first_map = NULL, *first_back = NULL;
            int threads[] = {1, 2, 3, 8};
            for (int t = 0; t < 4; t++) {
                ck_ok(dlviz_set_num_threads(threads[t]));
                dlviz_pca *pca;
                dlviz_tensor *map, *back;
                ck_ok(dlviz_pca_create(&pca, shapes[c][2]));
                ck_ok(dlviz_pca_set_solver(pca, solvers[s]));
                ck_ok(dlviz_pca_fit_transform(pca, x, &map));
                ck_ok(dlviz_pca_inverse_transform(pca, map, &back));
                if (first) {
                    ck_same_bits(dlviz_pca_components(pca), dlviz_pca_components(first));
                    ck_same_bits(dlviz_pca_explained_variance(pca),
                                 dlviz_pca_explained_variance(first));
                    ck_same_bits(dlviz_pca_mean(pca), dlviz_pca_mean(first));
                    ck_same_bits(map, first_map);
                    ck_same_bits(back, first_back);
                    dlviz_pca_destroy(pca);
                    dlviz_tensor_destroy(map);
                    dlviz_tensor_destroy(back);
                } else {
                    first = pca;
                    first_map = map;
                    first_back = back;
                }
            }
            dlviz_pca_destroy(first);
            dlviz_tensor_destroy(first_map);
            dlviz_tensor_destroy(first_back);
            dlviz_tensor_destroy(x);
        }
}
END_TEST

START_TEST(a_fraction_keeps_the_fewest_components) {
    dlviz_tensor *x = make_points(200, 40, 40, 0.9, 0, 4);
    dlviz_pca *all = fitted(x, 0, DLVIZ_PCA_SOLVER_COVARIANCE);
    const float *ratio = values_of(dlviz_pca_explained_variance_ratio(all));
    for (size_t s = 0; s < 4; s++) {
        dlviz_pca *pca;
        ck_ok(dlviz_pca_create(&pca, 3));
        ck_ok(dlviz_pca_set_solver(pca, solvers[s]));
        for (int percent = 10; percent < 100; percent += 22) {
            ck_ok(dlviz_pca_set_variance_fraction(pca, percent / 100.0));
            ck_ok(dlviz_pca_fit(pca, x));
            double sum = 0;
            int64_t k = 0;
            while (sum < percent / 100.0)
                sum += (double)ratio[k++];
            ck_assert_int_eq(dlviz_pca_num_components(pca), k);
        }
        ck_ok(dlviz_pca_set_num_wanted(pca, 2));
        ck_ok(dlviz_pca_fit(pca, x));
        ck_assert_int_eq(dlviz_pca_num_components(pca), 2);
        dlviz_pca_destroy(pca);
    }
    dlviz_pca_destroy(all);
    dlviz_tensor_destroy(x);
}
END_TEST

START_TEST(all_components_give_the_points_back) {
    static const int64_t shapes[][2] = {{90, 35}, {35, 90}};
    for (size_t c = 0; c < 2; c++)
        for (int whiten = 0; whiten <= 1; whiten++) {
            dlviz_tensor *x = make_points(shapes[c][0], shapes[c][1], 50, 0.95, 2, c), *y, *back;
            dlviz_pca *pca;
            ck_ok(dlviz_pca_create(&pca, 0));
            ck_ok(dlviz_pca_set_whiten(pca, whiten));
            ck_ok(dlviz_pca_fit_transform(pca, x, &y));
            ck_ok(dlviz_pca_inverse_transform(pca, y, &back));
            ck_assert_double_le(relative_error(back->data, x->data, x->size), 1e-6);
            dlviz_tensor_destroy(y);
            dlviz_tensor_destroy(back);
            dlviz_tensor_destroy(x);
            dlviz_pca_destroy(pca);
        }
}
END_TEST

START_TEST(what_is_left_out_is_the_noise) {
    dlviz_tensor *x = make_points(300, 40, 40, 0.9, 2, 6), *y, *back;
    dlviz_pca *pca = fitted(x, 10, DLVIZ_PCA_SOLVER_AUTO);
    ck_ok(dlviz_pca_transform(pca, x, &y));
    ck_ok(dlviz_pca_inverse_transform(pca, y, &back));
    double squares = 0;
    for (int64_t i = 0; i < x->size; i++) {
        double error = (double)values_of(x)[i] - (double)values_of(back)[i];
        squares += error * error;
    }
    ck_assert_double_eq_tol(squares / 299 / (dlviz_pca_noise_variance(pca) * 30), 1, 1e-5);
    const float *variance = values_of(dlviz_pca_explained_variance(pca));
    for (int k = 0; k < 10; k++) {
        double sum = 0;
        for (int64_t i = 0; i < 300; i++)
            sum += (double)values_of(y)[i * 10 + k] * (double)values_of(y)[i * 10 + k];
        ck_assert_double_eq_tol(sum / 299 / (double)variance[k], 1, 1e-5);
    }
    dlviz_tensor_destroy(y);
    dlviz_tensor_destroy(back);
    dlviz_tensor_destroy(x);
    dlviz_pca_destroy(pca);
}
END_TEST

START_TEST(data_without_variance_are_no_trouble) {
    for (size_t s = 0; s < 4; s++) {
        dlviz_tensor *x, *y;
        ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){12, 6}));
        for (int64_t i = 0; i < x->size; i++)
            ((float *)x->data)[i] = 7;
        dlviz_pca *pca;
        ck_ok(dlviz_pca_create(&pca, 4));
        ck_ok(dlviz_pca_set_solver(pca, solvers[s]));
        ck_ok(dlviz_pca_set_whiten(pca, true));
        ck_ok(dlviz_pca_fit_transform(pca, x, &y));
        ck_orthonormal(pca);
        for (int i = 0; i < 4; i++) {
            ck_assert_float_eq(values_of(dlviz_pca_explained_variance(pca))[i], 0);
            ck_assert_float_eq(values_of(dlviz_pca_explained_variance_ratio(pca))[i], 0);
        }
        for (int64_t i = 0; i < y->size; i++)
            ck_assert_float_eq(values_of(y)[i], 0);
        ck_assert_double_eq(dlviz_pca_noise_variance(pca), 0);
        ck_assert_double_eq(dlviz_pca_total_variance(pca), 0);
        dlviz_tensor_destroy(y);
        /* One feature that varies. */
        for (int64_t i = 0; i < 12; i++)
            ((float *)x->data)[i * 6 + 2] = (float)i;
        ck_ok(dlviz_pca_fit_transform(pca, x, &y));
        ck_orthonormal(pca);
        ck_assert_float_eq_tol(values_of(dlviz_pca_components(pca))[2], 1, 1e-6f);
        ck_assert_float_eq_tol(values_of(dlviz_pca_explained_variance(pca))[0], 13, 1e-5f);
        ck_assert_float_eq_tol(values_of(dlviz_pca_explained_variance_ratio(pca))[0], 1, 1e-6f);
        for (int64_t i = 0; i < 12; i++)
            for (int k = 1; k < 4; k++)
                ck_assert_float_eq(values_of(y)[i * 4 + k], 0);
        dlviz_tensor_destroy(y);
        dlviz_tensor_destroy(x);
        dlviz_pca_destroy(pca);
    }
}
END_TEST

START_TEST(tiny_variances_survive_the_svd) {
    /* Standard deviations 1, 1e-5 and 1e-10: their squares span 1e20. */
    enum { n = 64 };
    dlviz_tensor *x;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){n, 3}));
    for (int i = 0; i < n; i++)
        for (int j = 0; j < 3; j++)
            ((float *)x->data)[i * 3 + j] =
                (__builtin_parity((unsigned)(i & (j + 1))) ? -1.0f : 1.0f) * (float)pow(1e-5, j);
    dlviz_pca *pca = fitted(x, 3, DLVIZ_PCA_SOLVER_SVD);
    for (int j = 0; j < 3; j++)
        ck_assert_double_eq_tol((double)values_of(dlviz_pca_explained_variance(pca))[j] /
                                    (pow(1e-10, j) * n / (n - 1)),
                                1, 1e-6);
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(x);
}
END_TEST

START_TEST(batches_with_all_components_equal_one_fit) {
    dlviz_tensor *x = make_points(500, 30, 30, 0.9, 4, 8), *batch;
    int64_t cuts[] = {0, 35, 36, 400, 500};
    dlviz_pca *pca, *whole = fitted(x, 0, DLVIZ_PCA_SOLVER_SVD);
    ck_ok(dlviz_pca_create(&pca, 0));
    for (int start = 0; start <= 1; start++) {
        for (int i = start; i < 4; i++) {
            ck_ok(dlviz_tensor_slice(x, cuts[i], cuts[i + 1] - cuts[i], &batch));
            ck_ok(dlviz_pca_partial_fit(pca, batch));
            dlviz_tensor_destroy(batch);
        }
        ck_assert_double_le(worst_variance_error(pca, whole), 2e-7);
        ck_assert_double_le(
            relative_error(dlviz_pca_components(pca)->data, dlviz_pca_components(whole)->data, 900),
            1e-5);
        ck_assert_double_eq_tol(dlviz_pca_total_variance(pca) / dlviz_pca_total_variance(whole), 1,
                                1e-12);
        /* Next: go on from a fit of the first batch. */
        ck_ok(dlviz_tensor_slice(x, 0, 35, &batch));
        ck_ok(dlviz_pca_fit(pca, batch));
        dlviz_tensor_destroy(batch);
    }
    dlviz_pca_destroy(pca);
    dlviz_pca_destroy(whole);
    dlviz_tensor_destroy(x);
}
END_TEST

/* Wide points, of which most columns are the same in all rows: 0, a number that has no exact mean,
 * one that a single row, the last, differs from. */
static dlviz_tensor *mostly_constant(int64_t n, int64_t d, int64_t varying, uint64_t seed) {
    dlviz_tensor *x = make_points(n, d, 20, 0.9, 0, seed);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++)
            if (j * varying / d == (j + 1) * varying / d)
                ((float *)x->data)[i * d + j] = j % 2 ? 0 : 0.1f * (float)(j + 1);
    ((float *)x->data)[(n - 1) * d + 1] = 7; /* constant in all rows but the last */
    return x;
}

START_TEST(columns_that_do_not_vary_have_no_part) {
    const int64_t shapes[][3] = {{300, 120, 40}, {700, 200, 199}, {150, 140, 3}, {130, 97, 0}};
    for (size_t c = 0; c < 4; c++) {
        int64_t n = shapes[c][0], d = shapes[c][1];
        dlviz_tensor *x = mostly_constant(n, d, shapes[c][2], c);
        bool *varies = calloc((size_t)d, sizeof *varies);
        int64_t varying = 0;
        for (int64_t j = 0; j < d; varying += varies[j++])
            for (int64_t i = 1; i < n; i++)
                varies[j] |= values_of(x)[i * d + j] != values_of(x)[j];
        const int64_t counts[] = {1, dlz_min_i64(varying, 5), varying, dlz_min_i64(varying + 1, d),
                                  d};
        for (int k = 0; k < 5; k++) {
            dlviz_pca *pca = fitted(x, counts[k], DLVIZ_PCA_SOLVER_COVARIANCE);
            dlviz_pca *svd = fitted(x, counts[k], DLVIZ_PCA_SOLVER_SVD);
            ck_orthonormal(pca);
            ck_assert_int_eq(dlviz_pca_solver_used(pca), DLVIZ_PCA_SOLVER_COVARIANCE);
            const float *v = values_of(dlviz_pca_components(pca));
            const float *variance = values_of(dlviz_pca_explained_variance(pca));
            const float *exact = values_of(dlviz_pca_explained_variance(svd));
            for (int64_t i = 0; i < counts[k]; i++) {
                ck_assert_float_eq_tol(variance[i], exact[i], 1e-6f * exact[0]);
                for (int64_t j = 0; j < d; j++)
                    ck_assert(varies[j] ||
                              v[i * d + j] == (float)(i >= varying && v[i * d + j] != 0));
            }
            dlviz_tensor *y, *back;
            ck_ok(dlviz_pca_transform(pca, x, &y));
            ck_ok(dlviz_pca_inverse_transform(pca, y, &back));
            for (int64_t i = 0; i < x->size && counts[k] >= varying; i++)
                ck_assert_float_eq_tol(values_of(back)[i], values_of(x)[i], 2e-5f);
            dlviz_tensor_destroy(y);
            dlviz_tensor_destroy(back);
            dlviz_pca_destroy(pca);
            dlviz_pca_destroy(svd);
        }
        dlviz_pca *pca; /* a fraction that all that varies makes up together */
        ck_ok(dlviz_pca_create(&pca, 0));
        ck_ok(dlviz_pca_set_solver(pca, DLVIZ_PCA_SOLVER_COVARIANCE));
        ck_ok(dlviz_pca_set_variance_fraction(pca, 0.999999));
        ck_ok(dlviz_pca_fit(pca, x));
        ck_assert_int_le(dlviz_pca_num_components(pca), varying);
        dlviz_pca_destroy(pca);
        free(varies);
        dlviz_tensor_destroy(x);
    }
}
END_TEST

START_TEST(mnist_has_the_known_variance) {
    if (!mnist_folder()) {
        printf("skipped: no MNIST here (set DLVIZ_DATA_DIR)\n");
        return;
    }
    char path[600];
    snprintf(path, sizeof path, "%s/t10k-images-idx3-ubyte", mnist_folder());
    FILE *file = fopen(path, "rb");
    if (!file) {
        printf("skipped: MNIST is here in another form\n");
        return;
    }
    enum { n = 10000, d = 784 };
    unsigned char *bytes = dlz_alloc(n * d);
    ck_assert_int_eq(fseek(file, 16, SEEK_SET), 0);
    ck_assert_uint_eq(fread(bytes, 1, n * d, file), n * d);
    fclose(file);
    dlviz_tensor *x, *projected[3];
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    for (int64_t i = 0; i < n * d; i++)
        ((float *)x->data)[i] = (float)bytes[i] / 255;
    dlz_free(bytes);
    /* From numpy.linalg.svd of the centered images in float64. */
    double known[] = {5.31054521, 3.98752784, 3.24547985, 2.86773099, 2.65919287};
    dlviz_pca_solver_kind each[] = {DLVIZ_PCA_SOLVER_COVARIANCE, DLVIZ_PCA_SOLVER_RANDOMIZED};
    for (int i = 0; i < 3; i++) {
        ck_ok(dlviz_set_num_threads(i == 2 ? 1 : 2));
        dlviz_pca *pca;
        ck_ok(dlviz_pca_create(&pca, 50));
        ck_ok(dlviz_pca_set_solver(pca, each[i % 2]));
        ck_ok(dlviz_pca_fit_transform(pca, x, &projected[i]));
        for (int k = 0; k < 5; k++)
            ck_assert_double_eq_tol(
                (double)values_of(dlviz_pca_explained_variance(pca))[k] / known[k], 1, 1e-6);
        dlviz_pca_destroy(pca);
    }
    ck_same_bits(projected[0], projected[2]);
    ck_assert_double_le(relative_error(projected[1]->data, projected[0]->data, projected[0]->size),
                        1e-4);
    for (int i = 0; i < 3; i++)
        dlviz_tensor_destroy(projected[i]);
    dlviz_tensor_destroy(x);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {results_are_scikit_learns,
                                  batches_give_scikit_learns_incremental_pca,
                                  variances_and_components_are_those_of_a_jacobi_svd,
                                  equal_variances_span_the_right_subspace,
                                  components_point_along_their_largest_loading,
                                  the_randomized_solver_agrees_with_the_exact_one,
                                  iteration_does_not_leave_the_range_of_float,
                                  many_rows_cost_no_digits,
                                  auto_follows_its_rule,
                                  threads_do_not_change_the_bits,
                                  a_fraction_keeps_the_fewest_components,
                                  all_components_give_the_points_back,
                                  what_is_left_out_is_the_noise,
                                  data_without_variance_are_no_trouble,
                                  columns_that_do_not_vary_have_no_part,
                                  tiny_variances_survive_the_svd,
                                  batches_with_all_components_equal_one_fit,
                                  mnist_has_the_known_variance,
                                  NULL};
    return run_tests("pca", tests);
}
