#include "base/base.h"
#include "base/parallel.h"
#include "linalg/krylov.h"
#include "linalg/linalg.h"
#include "support/support.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

extern void openblas_set_num_threads(int threads) __attribute__((weak));
extern int openblas_get_num_threads(void) __attribute__((weak));

static double *random_matrix(int64_t rows, int64_t columns, uint64_t seed) {
    double *a = dlz_alloc_array((size_t)(rows * columns), sizeof *a);
    float *values = dlz_alloc_array((size_t)(rows * columns), sizeof *values);
    fill_uniform(values, rows * columns, seed);
    for (int64_t i = 0; i < rows * columns; i++)
        a[i] = (double)values[i];
    dlz_free(values);
    return a;
}

/* The largest |rows rowsᵀ - 1|. */
static double orthonormality_error(const double *rows, int64_t count, int64_t n) {
    double worst = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j <= i; j++) {
            double dot = 0;
            for (int64_t c = 0; c < n; c++)
                dot += rows[i * n + c] * rows[j * n + c];
            worst = fmax(worst, fabs(dot - (i == j)));
        }
    return worst;
}

/* 2 on the diagonal, -1 beside it: eigenvalue k is 2 - 2 cos(kπ / (n + 1)). */
static double *second_difference(int64_t n) {
    double *a = dlz_alloc_array_zero((size_t)(n * n), sizeof *a);
    for (int64_t i = 0; i < n; i++) {
        a[i * n + i] = 2;
        if (i > 0)
            a[i * n + i - 1] = -1;
    }
    return a;
}

START_TEST(eigenvalues_are_those_known) {
    int64_t sizes[] = {1, 2, 3, 37, 100};
    for (size_t s = 0; s < 5; s++) {
        int64_t n = sizes[s], counts[] = {1, (n + 1) / 2, n};
        for (int c = 0; c < 3; c++) {
            double *a = second_difference(n), all[100], values[100], *vectors;
            vectors = dlz_alloc_array((size_t)(counts[c] * n), sizeof *vectors);
            dlz_eigen *eigen;
            ck_ok(dlz_eigen_create(&eigen, n, a));
            ck_ok(dlz_eigen_values(eigen, all));
            ck_ok(dlz_eigen_vectors(eigen, counts[c], values, vectors));
            dlz_eigen_destroy(eigen);
            for (int64_t i = 0; i < n; i++)
                ck_assert_double_eq_tol(
                    all[i], 2 - 2 * cos((double)(n - i) * M_PI / (double)(n + 1)), 1e-13);
            ck_assert_double_lt(orthonormality_error(vectors, counts[c], n), 1e-12);
            for (int64_t i = 0; i < counts[c]; i++) {
                ck_assert_double_eq_tol(values[i], all[i], 1e-13);
                const double *v = vectors + i * n;
                for (int64_t j = 0; j < n; j++) {
                    double product = 2 * v[j] - (j > 0 ? v[j - 1] : 0) - (j < n - 1 ? v[j + 1] : 0);
                    ck_assert_double_eq_tol(product, values[i] * v[j], 1e-12);
                }
            }
            dlz_free(a);
            dlz_free(vectors);
        }
    }
}
END_TEST

START_TEST(equal_eigenvalues_have_orthonormal_vectors) {
    enum { n = 60 };
    for (int scale = 0; scale <= 1; scale++) {
        double *a = dlz_alloc_array_zero(n * n, sizeof *a), values[n], vectors[20 * n];
        for (int i = 0; i < n; i++)
            a[i * n + i] = scale;
        dlz_eigen *eigen;
        ck_ok(dlz_eigen_create(&eigen, n, a));
        ck_ok(dlz_eigen_vectors(eigen, 20, values, vectors));
        dlz_eigen_destroy(eigen);
        ck_assert_double_eq(values[0], scale);
        ck_assert_double_eq(values[19], scale);
        ck_assert_double_lt(orthonormality_error(vectors, 20, n), 1e-13);
        dlz_free(a);
    }
}
END_TEST

START_TEST(only_the_lower_triangle_is_read) {
    enum { n = 9 };
    double *a = second_difference(n), *b = second_difference(n), x[n], y[n];
    for (int i = 0; i < n; i++)
        for (int j = i + 1; j < n; j++)
            b[i * n + j] = NAN;
    dlz_eigen *eigen;
    ck_ok(dlz_eigen_create(&eigen, n, a));
    ck_ok(dlz_eigen_values(eigen, x));
    dlz_eigen_destroy(eigen);
    ck_ok(dlz_eigen_create(&eigen, n, b));
    ck_ok(dlz_eigen_values(eigen, y));
    dlz_eigen_destroy(eigen);
    ck_assert_mem_eq(x, y, sizeof x);
    dlz_free(a);
    dlz_free(b);
}
END_TEST

START_TEST(svd_gives_back_the_scatter) {
    int64_t shapes[][2] = {{1, 1}, {40, 13}, {13, 40}, {20, 20}, {1, 9}, {9, 1}};
    for (size_t s = 0; s < 6; s++) {
        int64_t m = shapes[s][0], n = shapes[s][1], least = dlz_min_i64(m, n);
        double *a = random_matrix(m, n, 3), *copy = random_matrix(m, n, 3);
        double values[40], *vectors = dlz_alloc_array((size_t)(least * n), sizeof *vectors);
        ck_ok(dlz_svd_right(m, n, a, values, vectors));
        ck_assert_double_lt(orthonormality_error(vectors, least, n), 1e-13);
        for (int64_t i = 1; i < least; i++)
            ck_assert_double_ge(values[i - 1], values[i]);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double expected = 0, got = 0;
                for (int64_t r = 0; r < m; r++)
                    expected += copy[r * n + i] * copy[r * n + j];
                for (int64_t r = 0; r < least; r++)
                    got += values[r] * values[r] * vectors[r * n + i] * vectors[r * n + j];
                ck_assert_double_eq_tol(got, expected, 1e-12);
            }
        dlz_free(a);
        dlz_free(copy);
        dlz_free(vectors);
    }
}
END_TEST

START_TEST(qr_keeps_the_scatter_and_is_triangular) {
    enum { m = 50, n = 17 };
    double *a = random_matrix(m, n, 4), *copy = random_matrix(m, n, 4), r[n * n];
    ck_ok(dlz_qr_r(m, n, a, r));
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            double expected = 0, got = 0;
            for (int k = 0; k < m; k++)
                expected += copy[k * n + i] * copy[k * n + j];
            for (int k = 0; k < n; k++)
                got += r[k * n + i] * r[k * n + j];
            ck_assert_double_eq_tol(got, expected, 1e-12);
            if (j < i)
                ck_assert_double_eq(r[i * n + j], 0);
        }
    dlz_free(a);
    dlz_free(copy);
}
END_TEST

START_TEST(rows_become_orthonormal_and_r_takes_them_back) {
    enum { m = 11, n = 30 };
    double *a = random_matrix(m, n, 5), *copy = random_matrix(m, n, 5), r[m * m];
    memcpy(a + 4 * n, a + 2 * n, n * sizeof *a); /* row 4 depends on row 2, row 7 is zero */
    memcpy(copy + 4 * n, copy + 2 * n, n * sizeof *a);
    memset(a + 7 * n, 0, n * sizeof *a);
    memset(copy + 7 * n, 0, n * sizeof *a);
    ck_ok(dlz_orthonormalize_rows(m, n, a, r));
    ck_assert_double_lt(orthonormality_error(a, m, n), 1e-14);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double got = 0;
            for (int k = 0; k <= i; k++)
                got += r[i * m + k] * a[k * n + j];
            ck_assert_double_eq_tol(got, copy[i * n + j], 1e-14);
        }
    for (int i = 0; i < m; i++)
        for (int j = i + 1; j < m; j++)
            ck_assert_double_eq(r[i * m + j], 0);
    dlz_free(a);
    dlz_free(copy);
}
END_TEST

START_TEST(products_are_the_sums_they_should_be) {
    enum { m = 7, n = 9, k = 13 };
    double *a = random_matrix(m, k, 6), *b = random_matrix(k, n, 7), c[m * n], s[m * m] = {0};
    float fa[m * k], fb[k * n], fc[m * n];
    for (int i = 0; i < m * k; i++)
        fa[i] = (float)a[i];
    for (int i = 0; i < k * n; i++)
        fb[i] = (float)b[i];
    dlz_dgemm(false, false, m, n, k, 2, a, k, b, n, 0, c, n);
    dlz_sgemm(false, false, m, n, k, 2, fa, k, fb, n, 0, fc, n);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int l = 0; l < k; l++)
                sum += a[i * k + l] * b[l * n + j];
            ck_assert_double_eq_tol(c[i * n + j], 2 * sum, 1e-14);
            ck_assert_double_eq_tol((double)fc[i * n + j], 2 * sum, 1e-5);
        }
    dlz_dsyrk(false, m, k, a, k, s, m);
    dlz_dsyrk(false, m, k, a, k, s, m);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++) {
            double sum = 0;
            for (int l = 0; l < k; l++)
                sum += a[i * k + l] * a[j * k + l];
            ck_assert_double_eq_tol(s[i * m + j], j <= i ? 2 * sum : 0, 1e-13);
        }
    dlz_free(a);
    dlz_free(b);
}
END_TEST

START_TEST(products_are_the_same_wherever_panels_lie) {
    enum { M = 131, N = 77, K = 150 };
    static float numbers[(M + N) * K];
    static double a[M * K], b[N * K], there[M * N], here[M * N];
    fill_uniform(numbers, (M + N) * K, 8);
    for (int i = 0; i < M * K; i++)
        a[i] = numbers[i];
    for (int i = 0; i < N * K; i++)
        b[i] = numbers[M * K + i];
    for (int turned = 0; turned < 4; turned++)
        for (int lower = 0; lower <= 1; lower++) {
            dlz_product product = {.transpose_a = turned & 1,
                                   .transpose_b = turned & 2,
                                   .lower = lower,
                                   .m = lower ? N : M,
                                   .n = N,
                                   .k = K,
                                   .alpha = 0.75,
                                   .a = a,
                                   .lda = turned & 1 ? M : K,
                                   .b = b,
                                   .ldb = turned & 2 ? K : N,
                                   .c = there,
                                   .ldc = N};
            dlz_multiply(&product);
            product.c = here;
            dlz_multiply_on_stack(&product);
            ck_assert_mem_eq(here, there, sizeof here);
        }
}
END_TEST

/* ---- The program's own BLAS ---------------------------------------------------------------------
 */

/* All that there is, of a size at which BLAS would take several threads; its results one after the
 * other. */
static double *all_results(size_t *count) {
    enum { n = 300, few = 12, tall = 420 };
    *count = n + few * n + n + n * n + n + n * n + n * n + few * n + n * n;
    double *results = dlz_alloc_array_zero(*count, sizeof *results), *to = results;
    double *a = random_matrix(n, n, 11), *b = random_matrix(tall, n, 12), values[n];
    for (int wanted = few; wanted <= n; wanted += n - few) {
        double *copy = random_matrix(n, n, 11);
        dlz_eigen *eigen;
        ck_ok(dlz_eigen_create(&eigen, n, copy));
        if (wanted == few)
            ck_ok(dlz_eigen_values(eigen, to));
        ck_ok(dlz_eigen_vectors(eigen, wanted, values, to + n));
        if (wanted == n)
            memcpy(to, values, sizeof values);
        to += n + wanted * n;
        dlz_eigen_destroy(eigen);
        dlz_free(copy);
    }
    double *copy = random_matrix(tall, n, 12);
    ck_ok(dlz_svd_right(tall, n, copy, to, to + n));
    to += n + n * n;
    ck_ok(dlz_qr_r(tall, n, b, to));
    to += n * n;
    ck_ok(dlz_orthonormalize_rows(few, n, a, NULL));
    memcpy(to, a, few * n * sizeof *a);
    to += few * n;
    dlz_dgemm(false, true, n, n, n, 1, copy, n, copy + n, n, 0, to, n);
    ck_assert_ptr_eq(to + n * n, results + *count);
    dlz_free(copy);
    dlz_free(a);
    dlz_free(b);
    return results;
}

static atomic_bool polled_enough;
static atomic_int polled, differed, set_to;

static void *poll_threads(void *unused) {
    while (!atomic_load(&polled_enough)) {
        if (openblas_get_num_threads() != atomic_load(&set_to))
            atomic_fetch_add(&differed, 1);
        atomic_fetch_add(&polled, 1);
    }
    return unused;
}

/* Nobody sees another number of threads than was set, and nothing depends on the number. */
START_TEST(blas_is_left_alone) {
    if (!openblas_get_num_threads || !openblas_set_num_threads)
        return;
    int before = openblas_get_num_threads();
    double *first = NULL;
    for (int threads = 1; threads <= 8; threads *= 2) {
        openblas_set_num_threads(threads);
        atomic_store(&set_to, openblas_get_num_threads()); /* 1 with a serial OpenBLAS */
        ck_ok(dlviz_set_num_threads(threads == 8 ? 1 : threads));
        atomic_store(&polled_enough, false);
        atomic_store(&polled, 0);
        pthread_t watch;
        ck_assert_int_eq(pthread_create(&watch, NULL, poll_threads, NULL), 0);
        size_t count;
        double *results = all_results(&count);
        while (atomic_load(&polled) == 0)
            ;
        atomic_store(&polled_enough, true);
        pthread_join(watch, NULL);
        ck_assert_int_eq(atomic_load(&differed), 0);
        if (!first)
            first = results;
        ck_assert_mem_eq(first, results, count * sizeof *results);
        if (results != first)
            dlz_free(results);
    }
    dlz_free(first);
    openblas_set_num_threads(before);
    ck_ok(dlviz_set_num_threads(0));
}
END_TEST

/* A diagonal matrix; float32 products are told by their rounding. */
typedef struct diagonal {
    int64_t size;
    const double *values;
    int coarse, precise;
} diagonal;

static dlviz_status multiply(void *context, const double *rows, int64_t count, bool precise,
                             double *product) {
    diagonal *d = context;
    *(precise ? &d->precise : &d->coarse) += 1;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < d->size; j++) {
            double value = d->values[j] * rows[i * d->size + j];
            product[i * d->size + j] = precise ? value : (double)(float)value;
        }
    return DLVIZ_OK;
}

static bool largest(diagonal *d, int64_t wanted, int64_t block, int limit, double *values,
                    double *vectors) {
    dlz_krylov krylov = {.apply = multiply,
                         .context = d,
                         .size = d->size,
                         .wanted = wanted,
                         .extra = 5,
                         .block = block,
                         .limit = limit,
                         .tolerance = 1e-9,
                         .seed = 1};
    bool converged = false;
    ck_ok(dlz_krylov_largest(&krylov, values, vectors, &converged));
    return converged;
}

START_TEST(iteration_finds_the_largest_eigenvalues) {
    enum { n = 500, k = 12 };
    double diagonal_values[n], values[k], vectors[k * n];
    for (int shape = 0; shape < 5; shape++) {
        for (int i = 0; i < n; i++) {
            double x = (double)(i + 1);
            diagonal_values[(i * 7) % n] = shape == 0   ? 1 / x
                                           : shape == 1 ? pow(0.6, i)
                                           : shape == 2 ? 1 + (n - x) / n
                                           : shape == 3 ? (i < 30 ? 3 : 1)       /* 30 equal ones */
                                                        : (i < 6 ? 6.0 - i : 0); /* rank 6 */
        }
        diagonal d = {.size = n, .values = diagonal_values};
        ck_assert(largest(&d, k, 17, 300, values, vectors));
        ck_assert_double_lt(orthonormality_error(vectors, k, n), 1e-12);
        double sorted[n];
        memcpy(sorted, diagonal_values, sizeof sorted);
        for (int i = 0; i < k; i++)
            for (int j = i + 1; j < n; j++)
                if (sorted[j] > sorted[i]) {
                    double value = sorted[i];
                    sorted[i] = sorted[j];
                    sorted[j] = value;
                }
        for (int i = 0; i < k; i++)
            ck_assert_msg(fabs(values[i] - sorted[i]) <= 2e-9 * sorted[i] + 1e-14 * sorted[0],
                          "shape %d: eigenvalue %d is %.12g, not %.12g", shape, i, values[i],
                          sorted[i]);
        ck_assert_int_gt(d.precise, 0);
        ck_assert_int_gt(d.coarse, 0);
    }
}
END_TEST

START_TEST(iteration_says_when_it_gives_up) {
    enum { n = 500 };
    double diagonal_values[n], values[12], vectors[12 * n];
    for (int i = 0; i < n; i++)
        diagonal_values[i] = 1 + 1e-3 * i / n;
    diagonal d = {.size = n, .values = diagonal_values};
    ck_assert(!largest(&d, 12, 17, 3, values, vectors));
    ck_assert_int_le(d.coarse + d.precise, 4);
    ck_assert_double_lt(orthonormality_error(vectors, 12, n), 1e-12);
    ck_assert_double_le(values[0], 1.001);
    ck_assert_double_ge(values[11], 1);
}
END_TEST

START_TEST(iteration_gives_the_same_bits_for_any_number_of_threads) {
    enum { n = 700, k = 5 };
    double diagonal_values[n], values[2][k], vectors[2][k * n];
    for (int i = 0; i < n; i++)
        diagonal_values[i] = 1.0 / (i + 1);
    for (int t = 0; t < 2; t++) {
        ck_ok(dlviz_set_num_threads(t ? 3 : 1));
        diagonal d = {.size = n, .values = diagonal_values};
        ck_assert(largest(&d, k, 10, 300, values[t], vectors[t]));
    }
    ck_assert_mem_eq(values[0], values[1], sizeof values[0]);
    ck_assert_mem_eq(vectors[0], vectors[1], sizeof vectors[0]);
}
END_TEST

/* Numbers at both ends of float64, mixed in every way: an answer of finite numbers, or a sentence, and in any
 * case an end. */
START_TEST(extreme_numbers_come_to_an_end) {
    enum { MOST = 40 };
    static const double extremes[] = {1e308,    -1.7976931348623157e308,
                                      4.9e-324, -2.2e-308,
                                      1e-310,   1,
                                      0,        1e154,
                                      -1e-154,  1e-300,
                                      NAN,      INFINITY};
    static const int64_t sizes[] = {1, 2, 5, 33, MOST};
    double a[MOST * MOST], values[MOST], vectors[MOST * MOST];
    int answers = 0, refusals = 0;
    for (int kinds = 1; kinds < 1 << 12; kinds += kinds < 64 ? 1 : 37)
        for (int s = 0; s < 5; s++)
            for (int svd = 0; svd < 2; svd++) {
                int64_t n = sizes[s];
                for (int64_t i = 0; i < n * n; i++) {
                    uint64_t draw = (uint64_t)i * 2654435761u + (uint64_t)kinds * 40503u;
                    do
                        draw = draw * 6364136223846793005u + 1442695040888963407u;
                    while (!(kinds >> (draw >> 33) % 12 & 1));
                    a[i] = extremes[(draw >> 33) % 12];
                }
                dlviz_status status;
                if (svd) {
                    status = dlz_svd_right(n, n, a, values, vectors);
                } else {
                    dlz_eigen *eigen;
                    status = dlz_eigen_create(&eigen, n, a);
                    if (status == DLVIZ_OK)
                        status = dlz_eigen_values(eigen, values);
                    if (status == DLVIZ_OK)
                        status = dlz_eigen_vectors(eigen, n, values, vectors);
                    dlz_eigen_destroy(eigen);
                }
                answers += status == DLVIZ_OK;
                refusals += status == DLVIZ_ERROR_NUMERIC;
                ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC);
                for (int64_t i = 0; status == DLVIZ_OK && i < n * n; i++)
                    ck_assert(isfinite(vectors[i]));
            }
    ck_assert_int_gt(answers, 100);
    ck_assert_int_gt(refusals, 100);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {eigenvalues_are_those_known,
                                  equal_eigenvalues_have_orthonormal_vectors,
                                  only_the_lower_triangle_is_read,
                                  svd_gives_back_the_scatter,
                                  qr_keeps_the_scatter_and_is_triangular,
                                  rows_become_orthonormal_and_r_takes_them_back,
                                  products_are_the_sums_they_should_be,
                                  products_are_the_same_wherever_panels_lie,
                                  blas_is_left_alone,
                                  extreme_numbers_come_to_an_end,
                                  iteration_finds_the_largest_eigenvalues,
                                  iteration_says_when_it_gives_up,
                                  iteration_gives_the_same_bits_for_any_number_of_threads,
                                  NULL};
    return run_tests("linalg", tests);
}
