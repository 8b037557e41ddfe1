/* linalg/tridiagonal.h - a symmetric matrix made tridiagonal by reflections, and the way back. */
#ifndef DLZ_TRIDIAGONAL_H
#define DLZ_TRIDIAGONAL_H

#include <dlviz/status.h>

/* The lower triangle of a[n x n] becomes diagonal[n] and off_diagonal[n - 1]; in its place come the
 * reflections, whose factors are tau[n]: that of row i is of length i, with a 1 at i - 1. Numbers
 * are such that their squares neither overflow nor vanish. */
dlviz_status dlz_tridiagonal_reduce(int64_t n, double *a, double *diagonal, double *off_diagonal,
                                    double *tau);

/* vectors[count x n] from those of the tridiagonal matrix to those of `a`; may be called again. */
dlviz_status dlz_tridiagonal_restore(int64_t n, double *a, const double *tau, int64_t count,
                                     double *vectors);

#endif
