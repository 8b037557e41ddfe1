/* kernels/embed/dense.h - float64 vectors and a symmetric matrix: the sums and products that
 * factorizations are made of. Rows lie `stride` numbers apart. The order of a sum depends on the
 * counts and on the instruction set alone. */
#ifndef DLZ_KERNELS_EMBED_DENSE_H
#define DLZ_KERNELS_EMBED_DENSE_H

#include "kernels/select.h"

#include <stdint.h>

typedef struct dlz_dense_kernel {
    /* sums[i] = the products of row i with the vector, summed. */
    void (*dots)(const double *rows, int64_t stride, int64_t count, const double *vector, int64_t n,
                 double *sums);
    /* vector += the sum of factors[i] times row i. */
    void (*combine)(const double *rows, int64_t stride, int64_t count, const double *factors,
                    int64_t n, double *vector);
    /* What the rows first ... last - 1 of the lower triangle of a symmetric matrix have in its
     * product with a vector: product[0 ... last - 1] += it. Nothing above the diagonal is read. */
    void (*symmetric)(const double *matrix, int64_t stride, int64_t first, int64_t last,
                      const double *vector, double *product);
    /* x, y = cosine x - sine y, sine x + cosine y. */
    void (*rotate)(double *x, double *y, double cosine, double sine, int64_t n);
} dlz_dense_kernel;

DLZ_KERNEL_TABLE(dlz_dense_kernel, dlz_dense)

#endif
