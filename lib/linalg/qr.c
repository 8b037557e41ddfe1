#include "base/base.h"
#include "linalg/lapack.h"
#include "linalg/linalg.h"

/* A row-major m x n matrix is column-major n x m: its QR is that matrix's LQ. */
dlviz_status dlz_qr_r(int64_t m, int64_t n, double *a, double *r) {
    DLZ_TRY(dlz_lapack_check_size(m, n));
    double size, *work, *tau = dlz_alloc_array((uint64_t)n, sizeof *tau);
    if (!tau)
        return dlz_fail_memory("a QR factorization", (uint64_t)n * sizeof *tau);
    dlz_blas_enter();
    LAPACKE_dgelqf_work(LAPACK_COL_MAJOR, (lapack_int)n, (lapack_int)m, a, (lapack_int)n, tau,
                        &size, -1);
    dlz_blas_leave();
    dlviz_status status = dlz_lapack_work(&work, size);
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
    DLZ_TRY(dlz_lapack_check_size(m, n));
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
    dlviz_status status = dlz_lapack_work(&work, size);
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
