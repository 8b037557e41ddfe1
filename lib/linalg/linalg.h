/* linalg/linalg.h - the only door to BLAS and LAPACK. All matrices are row-major.
 *
 * The functions may be called from inside tiles of dlz_parallel_for, where each runs on one thread as
 * long as a dlz_blas_serial_begin() … dlz_blas_serial_end() pair encloses the dlz_parallel_for. */
#ifndef DLZ_LINALG_H
#define DLZ_LINALG_H

#include <dlviz/status.h>

/* From the first begin to the last end (calls nest, from any threads) BLAS computes each call on the
 * calling thread alone; then the process's own setting is put back. */
void dlz_blas_serial_begin(void);
void dlz_blas_serial_end(void);

/* c[m x n] = alpha op(a) op(b) + beta c; op transposes when its flag is set; leading dimensions count
 * elements between rows as stored. */
void dlz_sgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
               const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
               int64_t ldc);
void dlz_dgemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, double alpha,
               const double *a, int64_t lda, const double *b, int64_t ldb, double beta, double *c,
               int64_t ldc);

#endif
