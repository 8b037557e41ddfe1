/* linalg/linalg.h - factorizations and products of float64 matrices, and the only door to LAPACK.
 * All matrices are row-major.
 *
 * What OpenBLAS would do with threads of its own is done here, by kernels and the pool: products,
 * reflections, singular vectors. Of LAPACK there remain the eigenproblems of tridiagonal matrices,
 * which it computes on the calling thread, without a buffer of BLAS's and without products
 * (linalg/lapack.h). So nothing of the process's BLAS is changed or waited for, and results do not
 * depend on how it is set. Called inside tiles of dlz_parallel_for, each function runs on one
 * thread. */
#ifndef DLZ_LINALG_H
#define DLZ_LINALG_H

#include <dlviz/status.h>

/* c[m x n] = alpha op(a) op(b) + beta c, where op transposes when its flag is set; leading
 * dimensions count elements between rows as stored. With `lower`, of row i only the columns up to i
 * + above are read and written. The bits of an element depend on k alone. */
typedef struct dlz_product {
    bool transpose_a, transpose_b, lower;
    int64_t m, n, k, above;
    double alpha;
    const double *a;
    int64_t lda;
    const double *b;
    int64_t ldb;
    double beta;
    double *c;
    int64_t ldc;
} dlz_product;

/* With all threads. */
void dlz_multiply(const dlz_product *product);
/* The same bits on the calling thread, whose stack has the panels: for where so many threads multiply
 * that the memory set aside for panels is in use. */
void dlz_multiply_on_stack(const dlz_product *product);

/* On the calling thread. */
void dlz_dgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
               const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c,
               int64_t ldc);

/* The lower triangle of c[n x n] += op(a) op(a)ᵀ, where op(a) is n x k: a itself, or the transpose
 * of the stored k x n matrix. On the calling thread. */
void dlz_dsyrk(bool transpose_a, int64_t n, int64_t k, const double *a, int64_t lda, double *c,
               int64_t ldc);

/* The same as dlz_dgemm in float32 and by BLAS, with whatever threads that has: a yardstick, which
 * the library itself does not use. */
void dlz_sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
               const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
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

/* The upper triangle of the QR of two upper triangles (n x n) on top of each other, in place of the
 * left one: rows of the two in turn make a staircase, which takes a fifth of a QR's operations. */
dlviz_status dlz_qr_merge(int64_t n, double *left, const double *right);

/* Makes the m <= n rows of a[m x n] orthonormal, each spanning with those before it what it did
 * before (Householder); dependent rows are replaced by some others. With `r` not NULL, r[m x m]
 * receives the lower triangular matrix that takes the new rows to the old ones. */
dlviz_status dlz_orthonormalize_rows(int64_t m, int64_t n, double *a, double *r);

/* The largest |rows rowsᵀ - 1|, infinite when there is a NaN; without `all`, each row is held
 * against itself and the one before it only. `products` has room for 64 x count. */
#define DLZ_ORTHONORMALITY_BLOCK 64
double dlz_orthonormality_error(int64_t count, int64_t n, const double *rows, bool all,
                                double *products);

#endif
