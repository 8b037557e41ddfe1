#include "linalg/linalg.h"
#include "base/base.h"

#include <lapacke.h>
#include <string.h>

/* LAPACK wants column-major matrices: a row-major matrix handed to it is its transpose, and each
 * function below is written for that. Only the _work interfaces are used, with memory of ours: the
 * others allocate behind our back and scan for NaN.
 *
 * A workspace query answers in a double. */
static dlviz_status make_work(double **work, double size) {
    *work = dlz_alloc_array((uint64_t)size, sizeof **work);
    if (!*work)
        return dlz_fail_memory("LAPACK workspace", (uint64_t)size * sizeof **work);
    return DLVIZ_OK;
}

static dlviz_status failed(const char *routine, lapack_int info) {
    return dlz_fail(DLVIZ_ERROR_NUMERIC, "LAPACK's %s did not converge (info %lld)", routine,
                    (long long)info);
}

static dlviz_status check_size(int64_t m, int64_t n) {
    if (m > INT32_MAX || n > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "a %lld x %lld matrix is beyond LAPACK's 32-bit sizes", (long long)m,
                        (long long)n);
    return DLVIZ_OK;
}

struct dlz_eigen {
    lapack_int n;
    double *a; /* the caller's: Householder vectors below its first subdiagonal */
    double *diagonal, *off_diagonal, *tau;
};

/* The row-major lower triangle is the column-major upper one. */
#define TRIANGLE 'U'

static dlviz_status reduce(dlz_eigen *eigen) {
    lapack_int n = eigen->n;
    double size, *work;
    dlz_blas_enter();
    LAPACKE_dsytrd_work(LAPACK_COL_MAJOR, TRIANGLE, n, eigen->a, n, eigen->diagonal,
                        eigen->off_diagonal, eigen->tau, &size, -1);
    dlz_blas_leave();
    DLZ_TRY(make_work(&work, size));
    dlz_blas_enter();
    lapack_int info =
        LAPACKE_dsytrd_work(LAPACK_COL_MAJOR, TRIANGLE, n, eigen->a, n, eigen->diagonal,
                            eigen->off_diagonal, eigen->tau, work, (lapack_int)size);
    dlz_blas_leave();
    dlz_free(work);
    return info == 0 ? DLVIZ_OK : failed("dsytrd", info);
}

dlviz_status dlz_eigen_create(dlz_eigen **out, int64_t n, double *a) {
    *out = NULL;
    DLZ_TRY(check_size(n, n));
    dlz_eigen *eigen = dlz_alloc(sizeof *eigen);
    double *vectors = dlz_alloc_array((uint64_t)n * 3, sizeof *vectors);
    if (!eigen || !vectors) {
        dlz_free(eigen);
        dlz_free(vectors);
        return dlz_fail_memory("a tridiagonal matrix", (uint64_t)n * 3 * sizeof *vectors);
    }
    *eigen = (dlz_eigen){(lapack_int)n, a, vectors, vectors + n, vectors + 2 * n};
    dlviz_status status = reduce(eigen);
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

static void reverse(double *values, int64_t count) {
    for (int64_t i = 0, j = count - 1; i < j; i++, j--) {
        double value = values[i];
        values[i] = values[j];
        values[j] = value;
    }
}

dlviz_status dlz_eigen_values(const dlz_eigen *eigen, double *values) {
    size_t n = (size_t)eigen->n;
    double *off = dlz_alloc_array(n, sizeof *off);
    if (!off)
        return dlz_fail_memory("eigenvalues", n * sizeof *off);
    memcpy(values, eigen->diagonal, n * sizeof *off);
    memcpy(off, eigen->off_diagonal, (n - 1) * sizeof *off);
    dlz_blas_enter();
    lapack_int info = LAPACKE_dsterf_work(eigen->n, values, off);
    dlz_blas_leave();
    dlz_free(off);
    if (info != 0)
        return failed("dsterf", info);
    reverse(values, eigen->n);
    return DLVIZ_OK;
}

/* Eigenvectors of the tridiagonal matrix by multiple relatively robust representations, as rows
 * with rising eigenvalues. `all` has room for the n eigenvalues that LAPACK may write. */
static dlviz_status tridiagonal_vectors(const dlz_eigen *eigen, lapack_int count, double *all,
                                        double *vectors) {
    lapack_int n = eigen->n, found = 0;
    size_t doubles = (size_t)n * 2 + (size_t)n * 18, ints = (size_t)count * 2 + (size_t)n * 10;
    double *work = dlz_alloc_array(doubles, sizeof *work);
    lapack_int *whole = dlz_alloc_array(ints, sizeof *whole);
    if (!work || !whole) {
        dlz_free(work);
        dlz_free(whole);
        return dlz_fail_memory("eigenvectors", doubles * sizeof *work);
    }
    memcpy(work, eigen->diagonal, (size_t)n * sizeof *work);
    memcpy(work + n, eigen->off_diagonal, (size_t)(n - 1) * sizeof *work);
    lapack_logical try_accuracy = 1;
    dlz_blas_enter();
    lapack_int info =
        LAPACKE_dstemr_work(LAPACK_COL_MAJOR, 'V', count == n ? 'A' : 'I', n, work, work + n, 0, 0,
                            n - count + 1, n, &found, all, vectors, n, count, whole, &try_accuracy,
                            work + 2 * n, 18 * n, whole + 2 * count, 10 * n);
    dlz_blas_leave();
    dlz_free(work);
    dlz_free(whole);
    return info == 0 && found == count ? DLVIZ_OK : failed("dstemr", info);
}

/* vectors (columns, to LAPACK) = Q vectors, where Q took `a` to its tridiagonal form. */
static dlviz_status back_transform(const dlz_eigen *eigen, lapack_int count, double *vectors) {
    lapack_int n = eigen->n;
    double size, *work;
    dlz_blas_enter();
    LAPACKE_dormtr_work(LAPACK_COL_MAJOR, 'L', TRIANGLE, 'N', n, count, eigen->a, n, eigen->tau,
                        vectors, n, &size, -1);
    dlz_blas_leave();
    DLZ_TRY(make_work(&work, size));
    dlz_blas_enter();
    lapack_int info = LAPACKE_dormtr_work(LAPACK_COL_MAJOR, 'L', TRIANGLE, 'N', n, count, eigen->a,
                                          n, eigen->tau, vectors, n, work, (lapack_int)size);
    dlz_blas_leave();
    dlz_free(work);
    return info == 0 ? DLVIZ_OK : failed("dormtr", info);
}

dlviz_status dlz_eigen_vectors(const dlz_eigen *eigen, int64_t count, double *values,
                               double *vectors) {
    int64_t n = eigen->n;
    double *all = dlz_alloc_array((uint64_t)n, sizeof *all);
    if (!all)
        return dlz_fail_memory("eigenvalues", (uint64_t)n * sizeof *all);
    dlviz_status status = tridiagonal_vectors(eigen, (lapack_int)count, all, vectors);
    memcpy(values, all, (size_t)count * sizeof *all);
    dlz_free(all);
    DLZ_TRY(status);
    DLZ_TRY(back_transform(eigen, (lapack_int)count, vectors));
    reverse(values, count);
    for (int64_t i = 0, j = count - 1; i < j; i++, j--)
        for (int64_t c = 0; c < n; c++) {
            double value = vectors[i * n + c];
            vectors[i * n + c] = vectors[j * n + c];
            vectors[j * n + c] = value;
        }
    return DLVIZ_OK;
}

/* To LAPACK the matrix is aᵀ (n x m) = U S Vᵀ; the rows wanted are the columns of its U. */
dlviz_status dlz_svd_right(int64_t m, int64_t n, double *a, double *values, double *vectors) {
    DLZ_TRY(check_size(m, n));
    int64_t least = dlz_min_i64(m, n);
    size_t square;
    if (dlz_mul_overflows((uint64_t)least, (uint64_t)m, &square))
        return dlz_fail_memory("singular vectors", SIZE_MAX);
    double *left = dlz_alloc_array(square, sizeof *left), size, *work = NULL;
    lapack_int *whole = dlz_alloc_array((uint64_t)least * 8, sizeof *whole);
    dlviz_status status = DLVIZ_OK;
    if (!left || !whole)
        status = dlz_fail_memory("singular vectors", square * sizeof *left);
    if (status == DLVIZ_OK) {
        dlz_blas_enter();
        LAPACKE_dgesdd_work(LAPACK_COL_MAJOR, 'S', (lapack_int)n, (lapack_int)m, a, (lapack_int)n,
                            values, vectors, (lapack_int)n, left, (lapack_int)least, &size, -1,
                            whole);
        dlz_blas_leave();
        status = make_work(&work, size);
    }
    if (status == DLVIZ_OK) {
        dlz_blas_enter();
        lapack_int info = LAPACKE_dgesdd_work(
            LAPACK_COL_MAJOR, 'S', (lapack_int)n, (lapack_int)m, a, (lapack_int)n, values, vectors,
            (lapack_int)n, left, (lapack_int)least, work, (lapack_int)size, whole);
        dlz_blas_leave();
        if (info != 0)
            status = failed("dgesdd", info);
    }
    dlz_free(work);
    dlz_free(whole);
    dlz_free(left);
    return status;
}

/* A row-major m x n matrix is column-major n x m: its QR is that matrix's LQ. */
dlviz_status dlz_qr_r(int64_t m, int64_t n, double *a, double *r) {
    DLZ_TRY(check_size(m, n));
    double size, *work, *tau = dlz_alloc_array((uint64_t)n, sizeof *tau);
    if (!tau)
        return dlz_fail_memory("a QR factorization", (uint64_t)n * sizeof *tau);
    dlz_blas_enter();
    LAPACKE_dgelqf_work(LAPACK_COL_MAJOR, (lapack_int)n, (lapack_int)m, a, (lapack_int)n, tau,
                        &size, -1);
    dlz_blas_leave();
    dlviz_status status = make_work(&work, size);
    if (status == DLVIZ_OK) {
        dlz_blas_enter();
        LAPACKE_dgelqf_work(LAPACK_COL_MAJOR, (lapack_int)n, (lapack_int)m, a, (lapack_int)n, tau,
                            work, (lapack_int)size);
        dlz_blas_leave();
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                r[i * n + j] = j < i ? 0 : a[i * n + j];
    }
    dlz_free(work);
    dlz_free(tau);
    return status;
}

/* The rows are columns to LAPACK: an ordinary QR of an n x m matrix. */
dlviz_status dlz_orthonormalize_rows(int64_t m, int64_t n, double *a, double *r) {
    DLZ_TRY(check_size(m, n));
    lapack_int rows = (lapack_int)n, columns = (lapack_int)m;
    double size, size_q, *work, *tau = dlz_alloc_array((uint64_t)m, sizeof *tau);
    if (!tau)
        return dlz_fail_memory("a QR factorization", (uint64_t)m * sizeof *tau);
    dlz_blas_enter();
    LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, rows, columns, a, rows, tau, &size, -1);
    dlz_blas_leave();
    dlz_blas_enter();
    LAPACKE_dorgqr_work(LAPACK_COL_MAJOR, rows, columns, columns, a, rows, tau, &size_q, -1);
    dlz_blas_leave();
    size = size > size_q ? size : size_q;
    dlviz_status status = make_work(&work, size);
    if (status == DLVIZ_OK) {
        dlz_blas_enter();
        LAPACKE_dgeqrf_work(LAPACK_COL_MAJOR, rows, columns, a, rows, tau, work, (lapack_int)size);
        dlz_blas_leave();
        for (int64_t i = 0; r && i < m; i++)
            for (int64_t j = 0; j < m; j++)
                r[i * m + j] = j > i ? 0 : a[i * n + j];
        dlz_blas_enter();
        LAPACKE_dorgqr_work(LAPACK_COL_MAJOR, rows, columns, columns, a, rows, tau, work,
                            (lapack_int)size);
        dlz_blas_leave();
    }
    dlz_free(work);
    dlz_free(tau);
    return status;
}
