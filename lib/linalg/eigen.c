#include "base/base.h"
#include "linalg/divide.h"
#include "linalg/lapack.h"
#include "linalg/lapack_end.h"
#include "linalg/linalg.h"
#include "linalg/tridiagonal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

struct dlz_eigen {
    lapack_int n;
    int exponent; /* `a` was multiplied by 2^-exponent */
    double *a;    /* the caller's: Householder vectors below its first subdiagonal */
    double *diagonal, *off_diagonal, *tau;
    double norm; /* the largest sum of magnitudes in a row of the tridiagonal matrix */
};

/* LAPACK's loops may never end on numbers that are none. */
static dlviz_status measure(dlz_eigen *eigen) {
    lapack_int n = eigen->n;
    for (lapack_int i = 0; i < n; i++) {
        double sum = fabs(eigen->diagonal[i]) + (i > 0 ? fabs(eigen->off_diagonal[i - 1]) : 0) +
                     (i < n - 1 ? fabs(eigen->off_diagonal[i]) : 0);
        if (!isfinite(sum))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "row %lld of a tridiagonal matrix of %lld rows is not finite",
                            (long long)i, (long long)n);
        eigen->norm = fmax(eigen->norm, sum);
    }
    return DLVIZ_OK;
}

dlviz_status dlz_eigen_create(dlz_eigen **out, int64_t n, double *a) {
    *out = NULL;
    int exponent;
    DLZ_TRY(dlz_lapack_check_size(n, n));
    DLZ_TRY(dlz_make_safe(n, n, true, a, &exponent));
    dlz_eigen *eigen = dlz_alloc(sizeof *eigen);
    double *vectors = dlz_alloc_array((uint64_t)n * 3, sizeof *vectors);
    if (!eigen || !vectors) {
        dlz_free(eigen);
        dlz_free(vectors);
        return dlz_fail_memory("a tridiagonal matrix", (uint64_t)n * 3 * sizeof *vectors);
    }
    *eigen =
        (dlz_eigen){(lapack_int)n, exponent, a, vectors, vectors + n, vectors + 2 * n, .norm = 0};
    dlviz_status status =
        dlz_tridiagonal_reduce(n, a, eigen->diagonal, eigen->off_diagonal, eigen->tau);
    if (status == DLVIZ_OK)
        status = measure(eigen);
    if (status != DLVIZ_OK) {
        dlz_eigen_destroy(eigen);
        return status;
    }
    *out = eigen;
    return DLVIZ_OK;
}

void dlz_eigen_destroy(dlz_eigen *eigen) {
    if (!eigen)
        return;
    dlz_free(eigen->diagonal);
    dlz_free(eigen);
}

/* From LAPACK's order and scale to falling ones of the matrix as it was given. */
static void finish_values(const dlz_eigen *eigen, double *values, int64_t count) {
    for (int64_t i = 0, j = count - 1; i < j; i++, j--) {
        double value = values[i];
        values[i] = values[j];
        values[j] = value;
    }
    for (int64_t i = 0; eigen->exponent && i < count; i++)
        values[i] = ldexp(values[i], eigen->exponent);
}

/* ---- Drivers -----------------------------------------------------------------------------------
 *
 * Each finds the `count` largest eigenvalues of the tridiagonal matrix, rising, and their vectors
 * as rows. DLVIZ_ERROR_NUMERIC, with the sentence, says that it could not. */

typedef dlviz_status (*driver_fn)(const dlz_eigen *eigen, lapack_int count, double *values,
                                  double *vectors);

static dlviz_status gave_up(const char *routine, lapack_int info) {
    return dlz_fail(DLVIZ_ERROR_NUMERIC, "%s (info %lld)", routine, (long long)info);
}

/* Room for copies of the matrix, which LAPACK overwrites, and for its workspace behind them. */
static dlviz_status copy_matrix(const dlz_eigen *eigen, size_t doubles, size_t ints, double **copy,
                                lapack_int **whole) {
    size_t n = (size_t)eigen->n;
    *copy = dlz_alloc_array(2 * n + doubles, sizeof **copy);
    *whole = dlz_alloc_array(ints, sizeof **whole);
    if (!*copy || !*whole) {
        dlz_free(*copy);
        dlz_free(*whole);
        *copy = NULL;
        *whole = NULL;
        return dlz_fail_memory("eigenvectors", (2 * n + doubles) * sizeof **copy);
    }
    memcpy(*copy, eigen->diagonal, n * sizeof **copy);
    memcpy(*copy + n, eigen->off_diagonal, (n - 1) * sizeof **copy);
    return DLVIZ_OK;
}

/* Multiple relatively robust representations: the fastest for few vectors, but it gives up on some
 * repeated eigenvalues. */
static dlviz_status robust_representations(const dlz_eigen *eigen, lapack_int count, double *values,
                                           double *vectors) {
    lapack_int n = eigen->n, found = 0, *whole;
    double *copy; /* the matrix, all n eigenvalues that LAPACK may write, workspace */
    DLZ_TRY(copy_matrix(eigen, (size_t)n * 19, (size_t)count * 2 + (size_t)n * 10, &copy, &whole));
    lapack_logical try_accuracy = 1;
    double *all = copy + 2 * n;
    lapack_int info =
        LAPACKE_dstemr_work(LAPACK_COL_MAJOR, 'V', count == n ? 'A' : 'I', n, copy, copy + n, 0, 0,
                            n - count + 1, n, &found, all, vectors, n, count, whole, &try_accuracy,
                            copy + 3 * n, 18 * n, whole + 2 * count, 10 * n);
    memcpy(values, all, (size_t)count * sizeof *values);
    dlz_free(copy);
    dlz_free(whole);
    return info == 0 && found == count ? DLVIZ_OK : gave_up("dstemr", info);
}

/* Puts eigenvalues that LAPACK gave block by block in rising order, with their vectors. */
static void sort_pairs(int64_t n, int64_t count, double *values, double *vectors) {
    for (int64_t i = 0; i < count; i++) {
        int64_t least = i;
        for (int64_t j = i + 1; j < count; j++)
            if (values[j] < values[least])
                least = j;
        if (least == i)
            continue;
        double value = values[i];
        values[i] = values[least];
        values[least] = value;
        for (int64_t c = 0; c < n; c++) {
            value = vectors[i * n + c];
            vectors[i * n + c] = vectors[least * n + c];
            vectors[least * n + c] = value;
        }
    }
}

/* Bisection and inverse iteration, orthogonalized where eigenvalues are near each other. */
static dlviz_status inverse_iteration(const dlz_eigen *eigen, lapack_int count, double *values,
                                      double *vectors) {
    lapack_int n = eigen->n, found = 0, splits = 0, *whole;
    double *copy;
    if (n > DLZ_LAPACK_LONGEST)
        return dlz_fail(DLVIZ_ERROR_NUMERIC, "dstein is for %d rows", DLZ_LAPACK_LONGEST);
    DLZ_TRY(copy_matrix(eigen, (size_t)n * 6, (size_t)n * 6, &copy, &whole));
    double *all = copy + 2 * n, *work = copy + 3 * n;
    lapack_int *block = whole, *split = whole + n, *failures = whole + 2 * n;
    lapack_int info =
        LAPACKE_dstebz_work(count == n ? 'A' : 'I', 'B', n, 0, 0, n - count + 1, n, 0, copy,
                            copy + n, &found, &splits, all, block, split, work, whole + 3 * n);
    const char *routine = "dstebz";
    if (info == 0 && found == count) {
        routine = "dstein";
        info = LAPACKE_dstein_work(LAPACK_COL_MAJOR, n, copy, copy + n, count, all, block, split,
                                   vectors, n, work, whole + 3 * n, failures);
    }
    bool good = info == 0 && found == count;
    if (good) {
        memcpy(values, all, (size_t)count * sizeof *values);
        sort_pairs(n, count, values, vectors);
    }
    dlz_free(copy);
    dlz_free(whole);
    return good ? DLVIZ_OK : gave_up(routine, info);
}

/* Divide and conquer: the fastest for all vectors, and never short of orthogonal. */
static dlviz_status divide_and_conquer(const dlz_eigen *eigen, lapack_int count, double *values,
                                       double *vectors) {
    return dlz_divide(eigen->n, eigen->diagonal, eigen->off_diagonal, count, values, vectors);
}

/* QR iteration: slow, and as good as certain. It finds all vectors. */
static dlviz_status qr_iteration(const dlz_eigen *eigen, lapack_int count, double *values,
                                 double *vectors) {
    lapack_int n = eigen->n, *unused;
    double *copy;
    uint64_t cells = (uint64_t)n * (uint64_t)n;
    DLZ_TRY(copy_matrix(eigen, (size_t)n * 2, 1, &copy, &unused));
    double *rows = count == n ? vectors : dlz_alloc_array(cells, sizeof *rows);
    lapack_int info = 0;
    if (rows)
        info = LAPACKE_dsteqr_work(LAPACK_COL_MAJOR, 'I', n, copy, copy + n, rows, n, copy + 2 * n);
    if (rows && info == 0)
        memcpy(values, copy + n - count, (size_t)count * sizeof *values);
    if (rows && info == 0 && rows != vectors)
        memcpy(vectors, rows + (size_t)(n - count) * (size_t)n,
               (size_t)count * (size_t)n * sizeof *vectors);
    dlz_free(copy);
    dlz_free(unused);
    if (!rows)
        return dlz_fail_memory("eigenvectors", cells * sizeof *rows);
    if (rows != vectors)
        dlz_free(rows);
    return info == 0 ? DLVIZ_OK : gave_up("dsteqr", info);
}

/* ---- Whether an answer can be used --------------------------------------------------------------
 */

/* Of |T v - λ v|, relative to T: dstemr comes to 5e-14, the others to 5e-15. */
#define RESIDUAL_LIMIT 1e-13

/* Infinite when there is a NaN. */
static double residual(const dlz_eigen *eigen, double value, const double *v) {
    const double *d = eigen->diagonal, *e = eigen->off_diagonal;
    lapack_int n = eigen->n;
    double worst = 0;
    for (lapack_int i = 0; i < n; i++) {
        double rest = (d[i] - value) * v[i];
        if (i > 0)
            rest += e[i - 1] * v[i - 1];
        if (i < n - 1)
            rest += e[i] * v[i + 1];
        if (isnan(rest))
            return INFINITY;
        worst = fmax(worst, fabs(rest));
    }
    return worst;
}

/* How many eigenvalues are larger than `bound`: the positive pivots of T - bound (Sylvester). */
static int64_t count_above(const dlz_eigen *eigen, double bound) {
    const double *d = eigen->diagonal, *e = eigen->off_diagonal;
    double least = DBL_EPSILON * DBL_EPSILON * eigen->norm + DBL_MIN, pivot = 1;
    int64_t above = 0;
    for (lapack_int i = 0; i < eigen->n; i++) {
        pivot = d[i] - bound - (i > 0 ? e[i - 1] * e[i - 1] / pivot : 0);
        if (fabs(pivot) < least)
            pivot = -least;
        above += pivot > 0;
    }
    return above;
}

/* Eigenpairs, orthonormal, and of the largest eigenvalues: drivers have been seen to report success
 * with vectors that were not. */
static dlviz_status check_answer(const dlz_eigen *eigen, lapack_int count, const double *values,
                                 const double *vectors, bool all_pairs) {
    double limit = RESIDUAL_LIMIT * eigen->norm;
    for (lapack_int i = 0; i < count; i++)
        if (!(residual(eigen, values[i], vectors + (size_t)i * (size_t)eigen->n) <= limit) ||
            (i > 0 && values[i] < values[i - 1]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC, "inexact");
    if (count < eigen->n && count_above(eigen, values[0] + 10 * limit) >= count)
        return dlz_fail(DLVIZ_ERROR_NUMERIC, "incomplete");
    size_t room = (size_t)count * DLZ_ORTHONORMALITY_BLOCK;
    double *products = dlz_alloc_array(room, sizeof *products);
    if (!products)
        return dlz_fail_memory("a check of eigenvectors", room * sizeof *products);
    double error = dlz_orthonormality_error(count, eigen->n, vectors, all_pairs, products);
    dlz_free(products);
    return error <= DLZ_ORTHONORMALITY_LIMIT ? DLVIZ_OK
                                             : dlz_fail(DLVIZ_ERROR_NUMERIC, "not orthogonal");
}

typedef struct driver {
    driver_fn find;
    const char *name;
    bool
        all_pairs; /* to be checked against each other; the others are orthogonal by construction */
} driver;

enum { DRIVERS = 4 };
static const driver for_few[DRIVERS] = {{robust_representations, "dstemr", true},
                                        {inverse_iteration, "dstein", true},
                                        {divide_and_conquer, "dstedc", false},
                                        {qr_iteration, "dsteqr", false}};
static const driver for_many[DRIVERS] = {{divide_and_conquer, "dstedc", false},
                                         {qr_iteration, "dsteqr", false},
                                         {inverse_iteration, "dstein", true},
                                         {robust_representations, "dstemr", true}};

/* With more than half of all vectors wanted, finding all of them takes less time (measured from 300
 * to 2000 rows). */
static dlviz_status tridiagonal_vectors(const dlz_eigen *eigen, lapack_int count, double *values,
                                        double *vectors) {
    const driver *drivers = count > eigen->n / 2 ? for_many : for_few;
    char reasons[256] = "";
    size_t used = 0;
    dlz_failure before;
    dlz_failure_keep(&before);
    for (int i = 0; i < DRIVERS; i++) {
        dlviz_status status = drivers[i].find(eigen, count, values, vectors);
        bool answered = status == DLVIZ_OK;
        if (answered)
            status = check_answer(eigen, count, values, vectors, drivers[i].all_pairs);
        if (status == DLVIZ_OK)
            dlz_failure_put_back(&before);
        if (status != DLVIZ_ERROR_NUMERIC)
            return status;
        used += (size_t)snprintf(reasons + used, sizeof reasons - used, "%s%s%s%s", i ? ", " : "",
                                 answered ? drivers[i].name : "", answered ? " " : "",
                                 dlviz_last_error());
        if (used >= sizeof reasons)
            used = sizeof reasons - 1;
    }
    return dlz_fail(DLVIZ_ERROR_NUMERIC,
                    "none of LAPACK's drivers found eigenvectors of a %lld x %lld matrix: %s",
                    (long long)eigen->n, (long long)eigen->n, reasons);
}

/* ---- Results ------------------------------------------------------------------------------------
 */

dlviz_status dlz_eigen_values(const dlz_eigen *eigen, double *values) {
    DLZ_IN_LAPACK;
    lapack_int n = eigen->n, found = 0, splits = 0, *whole;
    double *copy;
    DLZ_TRY(copy_matrix(eigen, (size_t)n * 4, (size_t)n * 5, &copy, &whole));
    memcpy(values, copy, (size_t)n * sizeof *values);
    lapack_int info = LAPACKE_dsterf_work(n, values, copy + n), bisection = 0;
    if (info != 0) {
        memcpy(copy + n, eigen->off_diagonal, (size_t)(n - 1) * sizeof *copy);
        bisection = LAPACKE_dstebz_work('A', 'E', n, 0, 0, 1, n, 0, copy, copy + n, &found, &splits,
                                        values, whole, whole + n, copy + 2 * n, whole + 2 * n);
    }
    dlz_free(copy);
    dlz_free(whole);
    if (info != 0 && (bisection != 0 || found != n))
        return dlz_fail(DLVIZ_ERROR_NUMERIC,
                        "none of LAPACK's drivers found the eigenvalues of a %lld x %lld matrix: "
                        "dsterf (info %lld), dstebz (info %lld)",
                        (long long)n, (long long)n, (long long)info, (long long)bisection);
    finish_values(eigen, values, n);
    return DLVIZ_OK;
}

dlviz_status dlz_eigen_vectors(const dlz_eigen *eigen, int64_t count, double *values,
                               double *vectors) {
    DLZ_IN_LAPACK;
    int64_t n = eigen->n;
    DLZ_TRY(tridiagonal_vectors(eigen, (lapack_int)count, values, vectors));
    DLZ_TRY(dlz_tridiagonal_restore(n, eigen->a, eigen->tau, count, vectors));
    finish_values(eigen, values, count);
    for (int64_t i = 0, j = count - 1; i < j; i++, j--)
        for (int64_t c = 0; c < n; c++) {
            double value = vectors[i * n + c];
            vectors[i * n + c] = vectors[j * n + c];
            vectors[j * n + c] = value;
        }
    return DLVIZ_OK;
}
