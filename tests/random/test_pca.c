/* Principal components of random data against an eigensolver of our own: cyclic Jacobi rotations of
 * the covariance in double precision. */
#include "base/base.h"
#include "pca/pca.h"
#include "support/pca.h"
#include "support/random_cases.h"
#include "tensor/tensor.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* ---- Data ---------------------------------------------------------------------------------------
 */

enum { MOST = 90 };

static const char *const kinds[] = {
    "normal",     "repeated variances",  "rank deficient", "graded",
    "one-hot",    "constant columns",    "equal columns",  "whole numbers",
    "an outlier", "all equal variances", "equal rows",     "far from zero"};
enum { KINDS = sizeof kinds / sizeof *kinds };

typedef struct data {
    int kind;
    int64_t n, d;
    double scale;
    dlviz_tensor *x;
} data;

/* Orthonormal rows, as far as there are dimensions for them. */
static void make_orthonormal(dlz_random *random, int64_t count, int64_t d, double *rows) {
    for (int64_t i = 0; i < count; i++) {
        double *row = rows + i * d;
        for (int64_t j = 0; j < d; j++)
            row[j] = dlz_random_normal(random);
        for (int pass = 0; pass < 2; pass++)
            for (int64_t o = 0; o < i && o < d; o++) {
                double dot = 0;
                for (int64_t j = 0; j < d; j++)
                    dot += row[j] * rows[o * d + j];
                for (int64_t j = 0; j < d; j++)
                    row[j] -= dot * rows[o * d + j];
            }
        double square = 0;
        for (int64_t j = 0; j < d; j++)
            square += row[j] * row[j];
        for (int64_t j = 0; j < d; j++)
            row[j] /= sqrt(square);
    }
}

/* Σ deviation(k) u_k v_kᵀ with orthonormal u and v. */
static void fill_spectrum(dlz_random *random, int64_t n, int64_t d, const double *deviations,
                          double *x) {
    static double left[MOST * MOST], right[MOST * MOST];
    int64_t most = dlz_min_i64(n, d);
    make_orthonormal(random, most, n, left);
    make_orthonormal(random, most, d, right);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            double sum = 0;
            for (int64_t k = 0; k < most; k++)
                sum += deviations[k] * left[k * n + i] * right[k * d + j];
            x[i * d + j] = sum * sqrt((double)n);
        }
}

static void fill_kind(dlz_random *random, int kind, int64_t n, int64_t d, double *x) {
    double deviations[MOST];
    int64_t most = dlz_min_i64(n, d), groups = random_between(random, 1, 4);
    int64_t rank = random_between(random, 1, most);
    for (int64_t k = 0; k < most; k++)
        deviations[k] = kind == 1   ? pow(0.5, (double)(k * groups / most))
                        : kind == 2 ? (k < rank ? 1 + dlz_random_double(random) : 0)
                        : kind == 3 ? pow(10, -7 * (double)k / (double)dlz_max_i64(most - 1, 1))
                                    : 1;
    if ((kind >= 1 && kind <= 3) || kind == 9) {
        fill_spectrum(random, n, d, deviations, x);
        return;
    }
    int64_t category = 0, width = random_between(random, 1, d);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < d; j++) {
            double value = dlz_random_normal(random) * (1 + 3 * (double)(j % 3));
            if (kind == 4) {
                if (j % width == 0)
                    category = random_chance(random, 0.5) ? i % width
                                                          : random_between(random, 0, width - 1);
                value = j % width == category;
            } else if (kind == 5 && j % 3 == 1) {
                value = 7.1;
            } else if (kind == 6 && j >= (d + 1) / 2) {
                value = (j % 2 ? -1 : 1) * x[i * d + j - (d + 1) / 2];
            } else if (kind == 7) {
                value = rint(value);
            } else if (kind == 10 && i % 3 > 0) {
                value = x[(i - i % 3) * d + j];
            } else if (kind == 11) {
                value += 1000 * (double)(1 + j % 5);
            }
            x[i * d + j] = value;
        }
    if (kind == 8)
        x[random_between(random, 0, n * d - 1)] = 1e5;
}

static data make_data(dlz_random *random) {
    data made = {.kind = (int)random_between(random, 0, KINDS - 1)};
    made.n = random_between(random, 2, random_chance(random, 0.5) ? 25 : MOST);
    made.d = random_between(random, 1, random_chance(random, 0.5) ? 25 : MOST);
    made.scale = random_chance(random, 0.4) ? 1 : pow(10, (double)random_between(random, -18, 18));
    static double x[MOST * MOST];
    fill_kind(random, made.kind, made.n, made.d, x);
    ck_ok(dlviz_tensor_create(&made.x, DLVIZ_FLOAT32, 2, (int64_t[]){made.n, made.d}));
    for (int64_t i = 0; i < made.n * made.d; i++)
        ((float *)made.x->data)[i] = (float)(x[i] * made.scale);
    return made;
}

/* ---- The truth ----------------------------------------------------------------------------------
 */

typedef struct truth {
    int64_t n, d, most;
    double mean[MOST], variance[MOST]; /* d falling variances, of which `most` can be not 0 */
    double matrix[MOST * MOST], vectors[MOST * MOST];
    double total, magnitude; /* the largest deviation from the mean */
} truth;

/* Golub & Van Loan, algorithm 8.5.3: `a` becomes diagonal, `v` its eigenvectors as rows. */
static void rotate(int64_t d, double *a, double *v) {
    memset(v, 0, (size_t)(d * d) * sizeof *v);
    for (int64_t i = 0; i < d; i++)
        v[i * d + i] = 1;
    for (int sweep = 0; sweep < 40; sweep++) {
        double off = 0, all = 0;
        for (int64_t i = 0; i < d; i++)
            for (int64_t j = 0; j < d; j++) {
                all = fmax(all, fabs(a[i * d + j]));
                off = i != j ? fmax(off, fabs(a[i * d + j])) : off;
            }
        if (off <= 1e-16 * all || (sweep > 12 && off <= 1e-15 * all))
            return;
        for (int64_t p = 0; p < d; p++)
            for (int64_t q = p + 1; q < d; q++) {
                if (a[p * d + q] == 0)
                    continue;
                double zeta = (a[q * d + q] - a[p * d + p]) / (2 * a[p * d + q]);
                double t = (zeta >= 0 ? 1 : -1) / (fabs(zeta) + hypot(1, zeta));
                double c = 1 / hypot(1, t), s = c * t;
                for (int64_t i = 0; i < d; i++) {
                    double left = a[i * d + p], right = a[i * d + q];
                    a[i * d + p] = c * left - s * right;
                    a[i * d + q] = s * left + c * right;
                }
                for (int64_t i = 0; i < d; i++) {
                    double left = a[p * d + i], right = a[q * d + i];
                    a[p * d + i] = c * left - s * right;
                    a[q * d + i] = s * left + c * right;
                    left = v[p * d + i];
                    right = v[q * d + i];
                    v[p * d + i] = c * left - s * right;
                    v[q * d + i] = s * left + c * right;
                }
                a[p * d + q] = a[q * d + p] = 0;
            }
    }
    ck_abort_msg("the test's own eigensolver did not converge");
}

static void find_truth(const dlviz_tensor *x, truth *t) {
    static double centered[MOST * MOST], a[MOST * MOST], v[MOST * MOST];
    *t = (truth){.n = x->dims[0], .d = x->dims[1], .most = dlz_min_i64(x->dims[0], x->dims[1])};
    int64_t n = t->n, d = t->d;
    for (int64_t j = 0; j < d; j++) {
        long double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += values_of(x)[i * d + j];
        t->mean[j] = (double)(sum / (double)n);
        for (int64_t i = 0; i < n; i++) {
            centered[i * d + j] = (double)(values_of(x)[i * d + j] - sum / (double)n);
            t->magnitude = fmax(t->magnitude, fabs(centered[i * d + j]));
        }
    }
    for (int64_t i = 0; i < d; i++)
        for (int64_t j = 0; j < d; j++) {
            long double sum = 0;
            for (int64_t r = 0; r < n; r++)
                sum += (long double)centered[r * d + i] * centered[r * d + j];
            t->matrix[i * d + j] = a[i * d + j] = (double)(sum / (double)(n - 1));
        }
    rotate(d, a, v);
    bool taken[MOST] = {false};
    for (int64_t k = 0; k < d; k++) {
        int64_t best = -1;
        for (int64_t i = 0; i < d; i++)
            if (!taken[i] && (best < 0 || a[i * d + i] > a[best * d + best]))
                best = i;
        taken[best] = true;
        t->variance[k] = fmax(a[best * d + best], 0);
        t->total += t->matrix[k * d + k];
        memcpy(t->vectors + k * d, v + best * d, (size_t)d * sizeof *v);
    }
}

/* ---- Comparison ---------------------------------------------------------------------------------
 */

typedef struct limits {
    double variance, floor; /* of each; and of the largest */
    double residual, span;  /* of the largest; of projectors, over the gap */
} limits;

static void ck_variances(const dlviz_pca *pca, const truth *t, const limits *most) {
    int64_t k = dlviz_pca_num_components(pca);
    const float *variance = values_of(dlviz_pca_explained_variance(pca));
    const float *ratio = values_of(dlviz_pca_explained_variance_ratio(pca));
    const float *singular = values_of(dlviz_pca_singular_values(pca));
    double sum = 0, least = most->floor * t->variance[0] + (double)FLT_TRUE_MIN;
    for (int64_t i = 0; i < k; i++) {
        double expected = t->variance[i], allowed = most->variance * expected + least;
        ck_assert_msg(fabs((double)variance[i] - expected) <= allowed,
                      "variance %d is %.9g, not %.9g", (int)i, (double)variance[i], expected);
        if (t->total > 0)
            ck_assert_double_eq_tol((double)ratio[i], (double)variance[i] / t->total, 3e-7);
        double square = (double)singular[i] * (double)singular[i] / (double)(t->n - 1);
        ck_assert_double_le(fabs(square - (double)variance[i]),
                            4e-7 * square + 2 * (double)FLT_TRUE_MIN);
        ck_assert(i == 0 || variance[i] <= variance[i - 1]);
        sum += (double)ratio[i];
    }
    ck_assert_double_le(sum, 1 + 1e-6);
    if (k == t->most && t->total > 0)
        ck_assert_double_eq_tol(sum, 1, 1e-6);
    ck_assert_double_le(fabs(dlviz_pca_total_variance(pca) - t->total), 1e-12 * t->total);
    for (int64_t j = 0; j < t->d; j++)
        ck_assert_double_le(fabs((double)values_of(dlviz_pca_mean(pca))[j] - t->mean[j]),
                            1e-7 * fabs(t->mean[j]) + 1e-14 * t->magnitude);
}

/* The model in double precision: orthonormal, eigenvectors, and of the right subspace. */
static void ck_components(const dlviz_pca *pca, const truth *t, const limits *most) {
    int64_t k = pca->model.count, d = t->d;
    const double *w = pca->model.components;
    for (int64_t i = 0; i < k; i++) {
        for (int64_t o = 0; o <= i; o++) {
            double dot = 0;
            for (int64_t j = 0; j < d; j++)
                dot += w[i * d + j] * w[o * d + j];
            ck_assert_double_eq_tol(dot, i == o, 1e-12);
        }
        for (int64_t j = 0; j < d; j++) {
            double product = 0;
            for (int64_t c = 0; c < d; c++)
                product += t->matrix[j * d + c] * w[i * d + c];
            double residual = fabs(product - t->variance[i] * w[i * d + j]);
            ck_assert_msg(residual <= most->residual * t->variance[0],
                          "component %d is off by %g of the largest variance", (int)i,
                          residual / t->variance[0]);
        }
        double largest = 0;
        for (int64_t j = 0; j < d; j++) {
            ck_assert_float_eq(values_of(dlviz_pca_components(pca))[i * d + j],
                               (float)w[i * d + j]);
            largest = fmax(largest, fabs(w[i * d + j]));
        }
        int64_t first = 0;
        while (fabs(w[i * d + first]) < (1 - 1e-3) * largest)
            first++;
        ck_assert_double_gt(w[i * d + first], 0);
    }
    /* Cut where the variances part best. */
    int64_t cut = 0;
    double gap = 0;
    for (int64_t i = 0; i < k && i + 1 < d; i++)
        if (t->variance[i] - t->variance[i + 1] > gap) {
            gap = t->variance[i] - t->variance[i + 1];
            cut = i + 1;
        }
    for (int64_t a = 0; cut > 0 && a < d; a++)
        for (int64_t b = 0; b < d; b++) {
            double ours = 0, theirs = 0;
            for (int64_t i = 0; i < cut; i++) {
                ours += w[i * d + a] * w[i * d + b];
                theirs += t->vectors[i * d + a] * t->vectors[i * d + b];
            }
            ck_assert_double_le(fabs(ours - theirs), most->span * t->variance[0] / gap);
        }
}

/* What is left out is what reconstruction lacks, no more and no less. */
static void ck_reconstruction(const dlviz_pca *pca, const dlviz_tensor *x, const truth *t) {
    dlviz_tensor *projected, *back;
    ck_ok(dlviz_pca_transform(pca, x, &projected));
    ck_ok(dlviz_pca_inverse_transform(pca, projected, &back));
    double square = 0, left = 0, far = 0;
    for (int64_t i = 0; i < t->n * t->d; i++) {
        double error = (double)values_of(x)[i] - (double)values_of(back)[i];
        square += error * error / (double)(t->n - 1);
        far = fmax(far, fabs((double)values_of(x)[i]));
    }
    for (int64_t i = pca->model.count; i < t->d; i++)
        left += t->variance[i];
    double rounding = 1e-6 * sqrt(t->total) + 2e-7 * far * sqrt((double)t->d) + 1e-42;
    ck_assert_msg(fabs(sqrt(square) - sqrt(left)) <= rounding + 1e-5 * sqrt(left),
                  "reconstruction is off by %g, should be %g", sqrt(square), sqrt(left));
    dlviz_tensor_destroy(projected);
    dlviz_tensor_destroy(back);
}

static void ck_matches(const dlviz_pca *pca, const dlviz_tensor *x, const truth *t,
                       const limits *most) {
    ck_variances(pca, t, most);
    ck_components(pca, t, most);
    ck_reconstruction(pca, x, t);
}

static const limits exact = {2e-7, 1e-13, 1e-12, 1e-11}, iterated = {2e-7, 1e-13, 3e-5, 1e-4};

/* Whether the variance is one that float32 holds; if not, it is to be refused. */
static bool in_range(dlviz_pca *pca, const data *made, const truth *t) {
    if (t->total == 0 || (t->total > 1.01 * (double)FLT_MIN && t->total < 0.99 * (double)FLT_MAX))
        return true;
    if (t->total < 0.99 * (double)FLT_MIN || t->total > 1.01 * (double)FLT_MAX)
        ck_fails(dlviz_pca_fit(pca, made->x), DLVIZ_ERROR_NUMERIC, "variance");
    return false;
}

static void fits_are_right(uint64_t seed) {
    static truth t;
    dlz_random random = random_numbers(seed);
    data made = make_data(&random);
    find_truth(made.x, &t);
    int64_t k = random_chance(&random, 0.3) ? 0 : random_between(&random, 1, t.most);
    if (random_chance(&random, 0.4))
        k = dlz_min_i64(t.most, random_between(&random, 1, 3)); /* few enough to iterate */
    dlviz_pca *pca;
    ck_ok(dlviz_pca_create(&pca, k));
    ck_ok(dlviz_pca_set_seed(pca, seed));
    ck_ok(dlviz_pca_set_randomized(pca, (int)random_between(&random, 5, 8), 0));
    for (size_t s = 0; s < 4 && in_range(pca, &made, &t); s++) {
        ck_ok(dlviz_set_num_threads((int)random_between(&random, 1, 4)));
        ck_ok(dlviz_pca_set_solver(pca, solvers[s]));
        dlviz_status status = dlviz_pca_fit(pca, made.x);
        ck_assert_msg(status == DLVIZ_OK, "%s, %d x %d, scale %g, solver %d: %s", kinds[made.kind],
                      (int)made.n, (int)made.d, made.scale, (int)solvers[s], dlviz_last_error());
        ck_assert_int_eq(dlviz_pca_num_components(pca), k ? k : t.most);
        bool iteration = dlviz_pca_solver_used(pca) == DLVIZ_PCA_SOLVER_RANDOMIZED;
        ck_matches(pca, made.x, &t, iteration ? &iterated : &exact);
    }
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(made.x);
}

/* Batches of which the first has as many rows as there are columns lose nothing. */
static void batches_are_right(uint64_t seed) {
    static truth t;
    dlz_random random = random_numbers(seed);
    data made = make_data(&random);
    find_truth(made.x, &t);
    dlviz_pca *pca;
    ck_ok(dlviz_pca_create(&pca, 0));
    int64_t least = dlz_max_i64(2, made.d);
    if (in_range(pca, &made, &t) && made.n >= least) {
        dlviz_status status = DLVIZ_OK;
        for (int64_t first = 0, rows = 0; first < made.n && status == DLVIZ_OK; first += rows) {
            dlviz_tensor *batch;
            rows = random_between(&random, first ? 1 : least, made.n - first);
            rows = dlz_max_i64(rows, first ? 1 : least);
            ck_ok(dlviz_tensor_slice(made.x, first, rows, &batch));
            status = dlviz_pca_partial_fit(pca, batch);
            dlviz_tensor_destroy(batch);
        }
        /* A part may have less variance than float32 holds. */
        if (status == DLVIZ_OK) {
            ck_assert_int_eq(dlviz_pca_num_samples(pca), made.n);
            ck_matches(pca, made.x, &t, &exact);
        } else {
            ck_assert_int_eq(status, DLVIZ_ERROR_NUMERIC);
            ck_assert(made.scale < 1e-15 && strstr(dlviz_last_error(), "variance") != NULL);
        }
    }
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(made.x);
}

/* A fraction of the variance is reached, and not with one component less. */
static void fractions_are_reached(uint64_t seed) {
    static truth t;
    dlz_random random = random_numbers(seed);
    data made = make_data(&random);
    find_truth(made.x, &t);
    double fraction = 0.05 + 0.94 * dlz_random_double(&random);
    dlviz_pca *pca;
    ck_ok(dlviz_pca_create(&pca, 0));
    ck_ok(dlviz_pca_set_variance_fraction(pca, fraction));
    for (size_t s = 0; s < 4 && in_range(pca, &made, &t); s++) {
        ck_ok(dlviz_pca_set_solver(pca, solvers[s]));
        ck_ok(dlviz_pca_fit(pca, made.x));
        double sum = 0;
        int64_t k = dlviz_pca_num_components(pca);
        for (int64_t i = 0; i < k; i++) {
            ck_assert_double_le(sum, fraction * t.total * (1 + 1e-9));
            sum += t.variance[i];
        }
        ck_assert_double_ge(sum, fraction * t.total * (1 - 1e-9));
        ck_matches(pca, made.x, &t, &exact);
    }
    dlviz_pca_destroy(pca);
    dlviz_tensor_destroy(made.x);
}

int main(void) {
    static const random_test tests[] = {{"fits_are_right", fits_are_right, 300},
                                        {"batches_are_right", batches_are_right, 150},
                                        {"fractions_are_reached", fractions_are_reached, 100},
                                        {NULL, NULL, 0}};
    return run_random_tests("random_pca", tests);
}
