/* linalg/reflect.h - Householder reflections H = 1 - tau vᵀv of row vectors, singly and in blocks.
 *
 * A block of k of them, H = H₁ H₂ ... Hₖ, is 1 - Vᵀ T V (rows V, T upper triangular); row vectors x
 * become x H, or x Hᵀ = x Hₖ ... H₁. */
#ifndef DLZ_REFLECT_H
#define DLZ_REFLECT_H

#include <stdbool.h>
#include <stdint.h>

/* Reflections that are put together to one product of matrices. */
#define DLZ_REFLECT_BLOCK 32

/* The reflection that leaves of the n numbers at `rest` nothing and makes of the pivot what is
 * returned: the pivot of v is 1, its other numbers come in place of `rest`. *tau is 0 where nothing
 * is to be done, v's numbers are zeros then. */
double dlz_reflection(double pivot, double *rest, int64_t n, double *tau);

/* T (k x k, DLZ_REFLECT_BLOCK numbers a row) of the k rows v of n numbers, `stride` apart. */
void dlz_reflect_factor(int64_t k, int64_t n, const double *v, int64_t stride, const double *tau,
                        double *t);

/* x = x H, or x Hᵀ: the m rows x of n numbers. */
void dlz_reflect_rows(int64_t m, int64_t n, double *x, int64_t stride_x, int64_t k, const double *v,
                      int64_t stride_v, const double *t, bool transpose);

#endif
