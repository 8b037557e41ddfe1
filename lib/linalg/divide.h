/* linalg/divide.h - all eigenpairs of a symmetric tridiagonal matrix by divide and conquer. */
#ifndef DLZ_DIVIDE_H
#define DLZ_DIVIDE_H

#include <dlviz/status.h>

/* The `count` largest of the n eigenvalues, rising, and their unit eigenvectors as rows.
 * DLVIZ_ERROR_NUMERIC, with the sentence, when a routine of LAPACK's gives up. */
dlviz_status dlz_divide(int64_t n, const double *diagonal, const double *off_diagonal,
                        int64_t count, double *values, double *vectors);

#endif
