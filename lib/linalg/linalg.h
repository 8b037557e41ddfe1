/* linalg/linalg.h - the only door to BLAS and LAPACK. All matrices are row-major.
 *
 * The functions may be called from inside tiles of dlz_parallel_for, where each runs on one thread
 * as long as a dlz_blas_serial_begin() … dlz_blas_serial_end() pair encloses the dlz_parallel_for.
 */
#ifndef DLZ_LINALG_H
#define DLZ_LINALG_H

#include <dlviz/status.h>

/* From the first begin to the last end (calls nest, from any threads) BLAS computes each call on
 * the calling thread alone; then the process's own setting is put back. */
void dlz_blas_serial_begin(void);
void dlz_blas_serial_end(void);

/* Makes sure that BLAS has the memory it takes behind our back for so many threads at a time, for
 * without it it would never come back. DLVIZ_ERROR_OUT_OF_MEMORY when there is none. */
dlviz_status dlz_blas_require_memory(int threads);

/* Between these two the calling thread may call BLAS or LAPACK. OpenBLAS built for pthreads may be
 * called by many threads at once; built serial or for OpenMP it hands the same memory to two
 * callers that are not OpenMP's own (and their results are wrong), so there one waits for the
 * other. The functions below do this themselves; the pair does not nest. */
void dlz_blas_enter(void);
void dlz_blas_leave(void);

/* c[m x n] = alpha op(a) op(b) + beta c; op transposes when its flag is set; leading dimensions
 * count elements between rows as stored. */
void dlz_sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
               const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
               int64_t ldc);
void dlz_dgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
               const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c,
               int64_t ldc);

/* The lower triangle of c[n x n] += op(a) op(a)ᵀ, where op(a) is n x k: a itself, or the transpose
 * of the stored k x n matrix. */
void dlz_dsyrk(bool transpose_a, int64_t n, int64_t k, const double *a, int64_t lda, double *c,
               int64_t ldc);

/* The eigenvalues of a symmetric matrix in two steps, so that how many vectors are wanted may
 * depend on all the values. One driver of LAPACK after another is tried until the answer is right:
 * vectors orthonormal to 1e-12, residuals below 1e-13 of the matrix. DLVIZ_ERROR_NUMERIC when none
 * succeeds, and for a matrix with NaN or infinities. */
typedef struct dlz_eigen dlz_eigen;
/* Reduces a[n x n], of which only the lower triangle is read; `a` is overwritten and must live
 * until dlz_eigen_destroy. */
dlviz_status dlz_eigen_create(dlz_eigen **out, int64_t n, double *a);
void dlz_eigen_destroy(dlz_eigen *eigen);
/* All n eigenvalues, falling. */
dlviz_status dlz_eigen_values(const dlz_eigen *eigen, double *values);
/* The `count` largest eigenvalues, falling, and their unit eigenvectors as rows: vectors[count x
 * n]. */
dlviz_status dlz_eigen_vectors(const dlz_eigen *eigen, int64_t count, double *values,
                               double *vectors);

/* The singular values of a[m x n], falling, and the right singular vectors as rows:
 * values[min(m, n)], vectors[min(m, n) x n]; `a` is overwritten. DLVIZ_ERROR_NUMERIC as above. */
dlviz_status dlz_svd_right(int64_t m, int64_t n, double *a, double *values, double *vectors);

/* Householder QR of a[m x n], m >= n: the n x n upper triangle r, the rest of it zero; `a` is
 * overwritten. */
dlviz_status dlz_qr_r(int64_t m, int64_t n, double *a, double *r);

/* Makes the m <= n rows of a[m x n] orthonormal, each spanning with those before it what it did
 * before (Householder); dependent rows are replaced by some others. With `r` not NULL, r[m x m]
 * receives the lower triangular matrix that takes the new rows to the old ones. */
dlviz_status dlz_orthonormalize_rows(int64_t m, int64_t n, double *a, double *r);

#endif
