/* linalg/lapack.h - what the files that call LAPACK share.
 *
 * LAPACK wants column-major matrices: a row-major matrix handed to it is its transpose, and each
 * function of this folder is written for that. Only the _work interfaces are used, with memory of
 * ours: the others allocate behind our back and scan for NaN.
 *
 * Only routines are called that do all their work on the calling thread, however BLAS is set: those
 * of the tridiagonal eigenproblem, dstemr, dstebz, dsterf, dsteqr, dlaed4, and dstedc up to the
 * size where it is dsteqr. What they have of BLAS is dcopy, dswap and dscal, which OpenBLAS
 * (0.3.21, looked up in its source) shares out among threads from 2^20 numbers on; dstein also has
 * ddot and daxpy, shared out beyond 10,000 numbers, and is called for no more. None of these takes
 * a buffer, for which OpenBLAS would wait for ever where memory is short, or wakes a thread of its
 * own.
 *
 * LAPACK may give up on ordinary numbers, and on infinities it may never come back. So numbers are
 * looked at before they are handed over, its answers before they are used, and where one driver
 * gives up another is tried. */
#ifndef DLZ_LAPACK_H
#define DLZ_LAPACK_H

#include <dlviz/status.h>
#include <lapacke.h>

/* The longest vectors that ddot and daxpy keep to one thread. */
#define DLZ_LAPACK_LONGEST 10000

/* Fails when the sizes are beyond LAPACK's 32-bit integers. */
dlviz_status dlz_lapack_check_size(int64_t m, int64_t n);

/* Multiplies the rows of a[m x n] by 2^-*exponent where the largest of them is so far from 1 that
 * its square might overflow or vanish; *exponent is 0 otherwise. With `lower`, row i has its first
 * i + 1 numbers only. Fails with DLVIZ_ERROR_NUMERIC at NaN and infinities. */
dlviz_status dlz_make_safe(int64_t m, int64_t n, bool lower, double *a, int *exponent);

/* Rows that are further from orthonormal than this are not taken from a driver. Drivers that do
 * well stay below 2e-14, dstemr as a rule below 1e-12. */
#define DLZ_ORTHONORMALITY_LIMIT 1e-12

#endif
