/* Eigenpairs, singular vectors, QR and products of matrices that are hard: against known answers,
 * for many sizes and for any number of threads. */
#include "base/base.h"
#include "base/parallel.h"
#include "base/random.h"
#include "linalg/divide.h"
#include "linalg/linalg.h"
#include "support/support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static double *room(int64_t rows, int64_t columns) {
    double *a = dlz_alloc_array_zero((uint64_t)(rows * columns), sizeof *a);
    ck_assert_ptr_nonnull(a);
    return a;
}

static double *random_matrix(int64_t rows, int64_t columns, uint64_t seed) {
    double *a = room(rows, columns);
    dlz_random random = dlz_random_start(seed, 1);
    for (int64_t i = 0; i < rows * columns; i++)
        a[i] = dlz_random_normal(&random);
    return a;
}

static double *random_rotation(int64_t n, uint64_t seed) {
    double *q = random_matrix(n, n, seed);
    ck_ok(dlz_orthonormalize_rows(n, n, q, NULL));
    return q;
}

/* The largest |rows rowsᵀ - 1|. */
static double orthonormality_error(const double *rows, int64_t count, int64_t n) {
    double worst = 0;
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j <= i; j++) {
            double dot = 0;
            for (int64_t c = 0; c < n; c++)
                dot += rows[i * n + c] * rows[j * n + c];
            double error = fabs(dot - (i == j));
            worst = error <= worst ? worst : error; /* NaN too */
        }
    return worst;
}

static int falling(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x < y) - (x > y);
}

/* ---- Eigenvalues ---------------------------------------------------------------------------- */

enum {
    RANDOM,
    EQUAL,
    ZERO,
    ONE,
    GRADED,
    CLUSTERS,
    TINY_PARTS,
    DIAGONAL,
    ONE_HOT,
    TRIDIAGONAL,
    KINDS
};
static const char *const kinds[KINDS] = {"random",  "equal",      "zero", "rank one",
                                         "graded",  "clusters",   "tiny", "diagonal",
                                         "one-hot", "tridiagonal"};

/* A symmetric matrix of a kind. Where they are known, its eigenvalues, falling, go to `values`. */
static double *make(int kind, int64_t n, double *values) {
    double *a = room(n, n);
    bool known = kind != RANDOM && kind != ONE_HOT && kind != TRIDIAGONAL;
    for (int64_t i = 0; i < n; i++) {
        double x = (double)i;
        values[i] = !known               ? NAN
                    : kind == EQUAL      ? 3
                    : kind == ONE        ? (i == 0 ? 5 : 0)
                    : kind == GRADED     ? pow(10, -x / 8)
                    : kind == CLUSTERS   ? 1 + (double)(i % 3) + 1e-13 * x
                    : kind == TINY_PARTS ? (i % 2 ? 1e-200 * (1 + x) : 1 + x)
                    : kind == DIAGONAL   ? (double)((i * 7919) % 101) - 50
                                         : 0;
    }
    double *q = random_rotation(n, (uint64_t)n), *b = random_matrix(n, n, 5);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j <= i; j++) {
            double sum = 0;
            if (kind == RANDOM)
                sum = b[i * n + j];
            else if (kind == ONE_HOT) /* the covariance of one-hot columns */
                sum = (i == j ? 1.0 : 0.0) - 1 / (double)n;
            else if (kind == TRIDIAGONAL) /* Wilkinson's, glued */
                sum = i == j ? fabs((double)(i % 21) - 10) : i == j + 1 ? (i % 21 ? 1 : 1e-8) : 0;
            else if (kind == DIAGONAL || kind == TINY_PARTS)
                sum = i == j ? values[i] : 0;
            else
                for (int64_t k = 0; k < n; k++)
                    sum += q[k * n + i] * values[k] * q[k * n + j];
            a[i * n + j] = sum;
        }
    for (int64_t i = 0; i < n; i++) /* never read */
        for (int64_t j = i + 1; j < n; j++)
            a[i * n + j] = NAN;
    if (known)
        qsort(values, (size_t)n, sizeof *values, falling);
    dlz_free(q);
    dlz_free(b);
    return a;
}

static double entry(const double *a, int64_t n, int64_t i, int64_t j) {
    return i >= j ? a[i * n + j] : a[j * n + i];
}

static void ck_eigenpairs(int kind, int64_t n, int64_t count, const double *matrix,
                          const double *known) {
    double *a = room(n, n), *all = room(n, 1), *values = room(n, 1), *vectors = room(count, n);
    double norm = 0, trace = 0, sum = 0;
    memcpy(a, matrix, (size_t)(n * n) * sizeof *a);
    for (int64_t i = 0; i < n; i++) {
        double row = 0;
        for (int64_t j = 0; j < n; j++)
            row += fabs(entry(matrix, n, i, j));
        norm = fmax(norm, row);
        trace += entry(matrix, n, i, i);
    }
    double limit = 2e-14 * norm * sqrt((double)n) + DBL_MIN;
    dlz_eigen *eigen;
    ck_ok(dlz_eigen_create(&eigen, n, a));
    ck_ok(dlz_eigen_values(eigen, all));
    ck_ok(dlz_eigen_vectors(eigen, count, values, vectors));
    dlz_eigen_destroy(eigen);
    ck_assert_msg(orthonormality_error(vectors, count, n) < 1e-12, "%s, %d of %d: orthonormal",
                  kinds[kind], (int)count, (int)n);
    for (int64_t i = 0; i < n; i++) {
        sum += all[i];
        ck_assert(i == 0 || all[i] <= all[i - 1]);
        if (!isnan(known[i]))
            ck_assert_msg(fabs(all[i] - known[i]) <= limit, "%s, %d: value %d is %.17g, not %.17g",
                          kinds[kind], (int)n, (int)i, all[i], known[i]);
    }
    ck_assert_msg(fabs(sum - trace) <= (double)n * limit, "%s, %d: trace", kinds[kind], (int)n);
    for (int64_t i = 0; i < count; i++) {
        const double *v = vectors + i * n;
        ck_assert_msg(fabs(values[i] - all[i]) <= limit, "%s, %d of %d: value %d", kinds[kind],
                      (int)count, (int)n, (int)i);
        for (int64_t r = 0; r < n; r++) {
            double rest = -values[i] * v[r];
            for (int64_t c = 0; c < n; c++)
                rest += entry(matrix, n, r, c) * v[c];
            ck_assert_msg(fabs(rest) <= 4 * limit, "%s, %d of %d: residual %g of vector %d",
                          kinds[kind], (int)count, (int)n, rest, (int)i);
        }
    }
    dlz_free(a);
    dlz_free(all);
    dlz_free(values);
    dlz_free(vectors);
}

START_TEST(eigenpairs_of_hard_matrices) {
    const int64_t sizes[] = {1, 2, 3, 5, 24, 25, 26, 31, 32, 33, 34, 64, 65, 97, 130, 161, 200};
    for (int kind = 0; kind < KINDS; kind++)
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            int64_t n = sizes[s];
            double *known = room(n, 1), *matrix = make(kind, n, known);
            ck_eigenpairs(kind, n, n, matrix, known);
            ck_eigenpairs(kind, n, (n + 1) / 2, matrix, known);
            ck_eigenpairs(kind, n, dlz_min_i64(n, n / 2 + 1), matrix, known);
            ck_eigenpairs(kind, n, 1, matrix, known);
            dlz_free(known);
            dlz_free(matrix);
        }
}
END_TEST

/* Without the checks and the other drivers behind it. */
START_TEST(divide_and_conquer_alone) {
    for (int kind = 0; kind < 6; kind++)
        for (int64_t n = 1; n < 230; n += n < 60 ? 1 : 37) {
            double *d = room(n, 1), *e = room(n, 1), *values = room(n, 1), *vectors = room(n, n);
            dlz_random random = dlz_random_start((uint64_t)n, 2);
            for (int64_t i = 0; i < n; i++) {
                double x = dlz_random_normal(&random), y = dlz_random_normal(&random);
                d[i] = kind == 0   ? x
                       : kind == 1 ? 2
                       : kind == 2 ? fabs((double)(i % 21) - 10)
                       : kind == 3 ? pow(10, -(double)i / 4)
                       : kind == 4 ? 0
                                   : 1e150 * x;
                e[i] = kind == 0   ? y
                       : kind == 1 ? -1
                       : kind == 2 ? (i % 21 == 20 ? 1e-9 : -1)
                       : kind == 3 ? 1e-9 * y
                       : kind == 4 ? (i % 7 ? 1 : 0)
                                   : 1e150 * y;
            }
            for (int64_t count = n; count >= 1; count = count > 1 ? (count + 2) / 3 : 0) {
                ck_ok(dlz_divide(n, d, e, count, values, vectors));
                ck_assert_double_lt(orthonormality_error(vectors, count, n), 1e-13);
                double norm = 0;
                for (int64_t i = 0; i < n; i++)
                    norm = fmax(norm, fabs(d[i]) + 2 * fabs(e[i]));
                for (int64_t i = 0; i < count; i++) {
                    const double *v = vectors + i * n;
                    ck_assert(i == 0 || values[i] >= values[i - 1]);
                    for (int64_t r = 0; r < n; r++) {
                        double rest = (d[r] - values[i]) * v[r];
                        rest += r > 0 ? e[r - 1] * v[r - 1] : 0;
                        rest += r + 1 < n ? e[r] * v[r + 1] : 0;
                        ck_assert_msg(fabs(rest) <= 3e-14 * norm, "kind %d, %d of %d: %g", kind,
                                      (int)count, (int)n, rest / norm);
                    }
                }
            }
            dlz_free(d);
            dlz_free(e);
            dlz_free(values);
            dlz_free(vectors);
        }
}
END_TEST

/* ---- Singular values ------------------------------------------------------------------------ */

/* a[m x n] = u diag(values) v with known parts. */
static double *with_values(int64_t m, int64_t n, const double *values) {
    int64_t least = dlz_min_i64(m, n);
    double *u = random_rotation(m, 3), *v = random_rotation(n, 4), *a = room(m, n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t k = 0; k < least; k++)
            for (int64_t j = 0; j < n; j++)
                a[i * n + j] += u[k * m + i] * values[k] * v[k * n + j];
    dlz_free(u);
    dlz_free(v);
    return a;
}

START_TEST(singular_values_of_all_sizes) {
    const int64_t shapes[][2] = {{1, 1},   {2, 2},    {7, 7},    {31, 31},  {32, 32},  {33, 33},
                                 {80, 80}, {150, 60}, {60, 150}, {33, 100}, {129, 129}};
    for (int kind = 0; kind < 5; kind++)
        for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
            int64_t m = shapes[s][0], n = shapes[s][1], least = dlz_min_i64(m, n);
            double *known = room(least, 1), *got = room(least, 1), *vectors = room(least, n);
            for (int64_t i = 0; i < least; i++)
                known[i] = kind == 0   ? 4 * pow(10, -18 * (double)i / (double)least)
                           : kind == 1 ? 1
                           : kind == 2 ? 0
                           : kind == 3 ? (i < 3 ? 2 : 0)
                                       : 1 + 1 / (1.0 + (double)i);
            double *a = with_values(m, n, known), *copy = with_values(m, n, known);
            ck_ok(dlz_svd_right(m, n, a, got, vectors));
            ck_assert_double_lt(orthonormality_error(vectors, least, n), 1e-13);
            for (int64_t i = 0; i < least; i++) {
                ck_assert_msg(fabs(got[i] - known[i]) <= 3e-15 * known[0] * sqrt((double)(m + n)),
                              "kind %d, %d x %d: value %d is %.17g, not %.17g", kind, (int)m,
                              (int)n, (int)i, got[i], known[i]);
                /* |a v| = s */
                double square = 0;
                for (int64_t r = 0; r < m; r++) {
                    double sum = 0;
                    for (int64_t c = 0; c < n; c++)
                        sum += copy[r * n + c] * vectors[i * n + c];
                    square += sum * sum;
                }
                ck_assert_double_eq_tol(sqrt(square), got[i], 2e-14 * known[0] + DBL_MIN);
            }
            dlz_free(known);
            dlz_free(got);
            dlz_free(vectors);
            dlz_free(a);
            dlz_free(copy);
        }
}
END_TEST

/* Orthogonal columns of lengths from 1 down to nothing: they keep their own last digits down to
 * 1e-8, where squares vanish beside that of the first, and are exact beside the first below. */
START_TEST(small_singular_values_keep_their_digits) {
    enum { n = 40 };
    double *a = random_rotation(n, 9), got[n], *vectors = room(n, n);
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++)
            a[i * n + j] *= pow(10, -(double)j);
    ck_ok(dlz_svd_right(n, n, a, got, vectors));
    for (int i = 0; i < n; i++) {
        double size = pow(10, -(double)i);
        ck_assert_double_eq_tol(got[i], size, i <= 8 ? 1e-14 * size : 1e-15);
    }
    ck_assert_double_lt(orthonormality_error(vectors, n, n), 1e-14);
    dlz_free(a);
    dlz_free(vectors);
}
END_TEST

/* Of few numbers, most of them zeros: where some pairs of rows are orthogonal from the start and
 * others are not. What a basis makes of the matrix must be orthogonal, however its lengths add up.
 */
START_TEST(images_of_singular_vectors_are_orthogonal) {
    dlz_random random = dlz_random_start(12, 1);
    for (int t = 0; t < 3000; t++) {
        int64_t m = 1 + (int64_t)dlz_random_below(&random, 6);
        int64_t n = 1 + (int64_t)dlz_random_below(&random, 12), least = dlz_min_i64(m, n);
        double a[6 * 12] = {0}, copy[6 * 12], got[6], vectors[6 * 12], images[6][6] = {{0}},
                     square = 0;
        for (int64_t i = 0; i < m * n; i++) {
            a[i] = dlz_random_below(&random, 5) > 0 ? 0 : dlz_random_normal(&random);
            square += a[i] * a[i];
        }
        memcpy(copy, a, sizeof copy);
        ck_ok(dlz_svd_right(m, n, copy, got, vectors));
        for (int64_t i = 0; i < least; i++)
            for (int64_t r = 0; r < m; r++)
                for (int64_t c = 0; c < n; c++)
                    images[i][r] += a[r * n + c] * vectors[i * n + c];
        for (int64_t i = 0; i < least; i++)
            for (int64_t j = 0; j <= i; j++) {
                double dot = 0;
                for (int64_t r = 0; r < m; r++)
                    dot += images[i][r] * images[j][r];
                ck_assert_double_le(fabs(dot - (i == j ? got[i] * got[i] : 0)), 1e-14 * square);
            }
    }
}
END_TEST

/* ---- QR and products ------------------------------------------------------------------------ */

START_TEST(rows_of_all_sizes_become_orthonormal) {
    const int64_t shapes[][2] = {{1, 1},   {1, 50},  {2, 2},    {31, 31},  {32, 32},
                                 {33, 33}, {65, 70}, {97, 300}, {130, 131}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int dependent = 0; dependent < 2; dependent++) {
            int64_t m = shapes[s][0], n = shapes[s][1];
            double *a = random_matrix(m, n, 6), *copy = room(m, n), *r = room(m, m),
                   *q = room(m, m);
            for (int64_t i = 0; dependent && i < m; i += 3)
                memcpy(a + i * n, a, (size_t)n * sizeof *a);
            memcpy(copy, a, (size_t)(m * n) * sizeof *a);
            ck_ok(dlz_orthonormalize_rows(m, n, a, r));
            ck_assert_double_lt(orthonormality_error(a, m, n), 1e-14 * sqrt((double)n));
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < n; j++) {
                    double got = 0;
                    for (int64_t k = 0; k <= i; k++)
                        got += r[i * m + k] * a[k * n + j];
                    ck_assert_double_eq_tol(got, copy[i * n + j], 1e-13);
                }
            /* The triangle of the transpose is the same, as its product with itself tells. */
            double *columns = room(n, m);
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < n; j++)
                    columns[j * m + i] = copy[i * n + j];
            ck_ok(dlz_qr_r(n, m, columns, q));
            for (int64_t i = 0; i < m; i++)
                for (int64_t j = 0; j < m; j++) {
                    double got = 0, expected = 0;
                    for (int64_t k = 0; k < m; k++) {
                        got += q[k * m + i] * q[k * m + j];
                        expected += r[i * m + k] * r[j * m + k];
                    }
                    ck_assert_double_eq_tol(got, expected, 1e-11);
                    ck_assert(j >= i || q[i * m + j] == 0);
                }
            dlz_free(a);
            dlz_free(copy);
            dlz_free(r);
            dlz_free(q);
            dlz_free(columns);
        }
}
END_TEST

static void ck_product(bool ta, bool tb, bool lower, int64_t m, int64_t n, int64_t k) {
    int64_t lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
    double *a = random_matrix(ta ? k : m, lda, 1), *b = random_matrix(tb ? n : k, ldb, 2);
    double *c = random_matrix(m, ldc, 3), *before = random_matrix(m, ldc, 3);
    dlz_product p = {ta, tb, lower, m, n, k, .above = 2, -1.5, a, lda, b, ldb, 0.5, c, ldc};
    dlz_multiply(&p);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < ldc; j++) {
            long double sum = 0;
            double sizes = 1;
            for (int64_t l = 0; l < k && j < n; l++) {
                double x = a[ta ? l * lda + i : i * lda + l], y = b[tb ? j * ldb + l : l * ldb + j];
                sum += (long double)x * (long double)y;
                sizes += 1.5 * fabs(x * y);
            }
            bool out = j >= n || (lower && j > i + 2);
            double expected =
                out ? before[i * ldc + j] : 0.5 * before[i * ldc + j] - 1.5 * (double)sum;
            ck_assert_msg(fabs(c[i * ldc + j] - expected) <= (out ? 0 : 1e-15 * sizes),
                          "%d x %d x %d: %d, %d", (int)m, (int)n, (int)k, (int)i, (int)j);
        }
    if (!lower) { /* the same bits on one thread, and cut anywhere */
        int64_t cut = m / 3;
        dlz_dgemm(ta, tb, cut, n, k, -1.5, a, lda, b, ldb, 0.5, before, ldc);
        dlz_dgemm(ta, tb, m - cut, n, k, -1.5, a + (ta ? cut : cut * lda), lda, b, ldb, 0.5,
                  before + cut * ldc, ldc);
        ck_assert_mem_eq(before, c, (size_t)(m * ldc) * sizeof *c);
    }
    dlz_free(a);
    dlz_free(b);
    dlz_free(c);
    dlz_free(before);
}

START_TEST(products_of_all_shapes) {
    const int64_t shapes[][3] = {{1, 1, 1},    {1, 30, 5},  {24, 24, 64},
                                 {25, 23, 65}, {7, 100, 3}, {97, 193, 130},
                                 {200, 50, 1}, {5, 5, 0},   {200, 200, 40}};
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int flags = 0; flags < 8; flags++)
            ck_product(flags & 1, flags & 2, flags & 4, shapes[s][0], shapes[s][1], shapes[s][2]);
}
END_TEST

/* ---- Threads --------------------------------------------------------------------------------- */

START_TEST(bits_do_not_depend_on_threads) {
    enum { n = 420, m = 500, few = 30 };
    const int64_t threads[] = {1, 2, 3, 8};
    size_t doubles = n + few * n + n + n * n + n + n * n;
    double *first = NULL;
    for (int t = 0; t < 4; t++) {
        ck_ok(dlviz_set_num_threads(threads[t]));
        double *results = room((int64_t)doubles, 1), *to = results;
        for (int64_t count = few; count <= n; count += n - few) {
            double *a = random_matrix(n, n, 7);
            dlz_eigen *eigen;
            ck_ok(dlz_eigen_create(&eigen, n, a));
            ck_ok(dlz_eigen_vectors(eigen, count, to, to + n));
            to += n + count * n;
            dlz_eigen_destroy(eigen);
            dlz_free(a);
        }
        double *a = random_matrix(m, n, 8);
        ck_ok(dlz_svd_right(m, n, a, to, to + n));
        dlz_free(a);
        if (t == 0)
            first = results;
        ck_assert_mem_eq(first, results, doubles * sizeof *results);
        if (t > 0)
            dlz_free(results);
    }
    dlz_free(first);
    ck_ok(dlviz_set_num_threads(0));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {eigenpairs_of_hard_matrices,
                                  divide_and_conquer_alone,
                                  singular_values_of_all_sizes,
                                  small_singular_values_keep_their_digits,
                                  images_of_singular_vectors_are_orthogonal,
                                  rows_of_all_sizes_become_orthonormal,
                                  products_of_all_shapes,
                                  bits_do_not_depend_on_threads,
                                  NULL};
    return run_tests("factorizations", tests);
}
