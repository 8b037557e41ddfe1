/* kernels/gemm/gemm.h - single-threaded float32 matrix products, C = [start +] op(A) op(B).
 *
 * All matrices are row-major with a leading dimension (the distance of two rows). Nothing is
 * allocated: the caller brings DLZ_GEMM_SCRATCH_BYTES, aligned to a cache line, for each product
 * that runs at one time.
 *
 * An element of C depends on its row of op(A), its column of op(B), k and the two transpositions
 * alone: neither the sizes m and n nor the place in C change its bits. So a product may be cut into
 * tiles of any rows and columns. Sums over k are cut into blocks (of at most DLZ_GEMM_DEPTH terms, or
 * of at most 1024 in as many partial sums as a vector has lanes), so that rounding errors stay
 * small; a block's sum is taken by itself and then added to what there is.
 *
 * The method is that of K. Goto and R. van de Geijn, "Anatomy of high-performance matrix
 * multiplication", ACM TOMS 34(3), 2008, without packing where it does not pay. */
#ifndef DLZ_KERNELS_GEMM_H
#define DLZ_KERNELS_GEMM_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DLZ_GEMM_SCRATCH_BYTES ((size_t)512 << 10)
#define DLZ_GEMM_DEPTH 288

typedef struct dlz_gemm {
    int64_t m, n, k; /* op(A) is m x k, op(B) is k x n; each may be 0 */
    const float *a;  /* stored m x k, or k x m if transpose_a */
    int64_t lda;
    const float *b; /* stored k x n, or n x k if transpose_b */
    int64_t ldb;
    float *c; /* m x n; overlaps neither A nor B */
    int64_t ldc;
    bool transpose_a, transpose_b;
    bool accumulate;   /* start from C; else C is not read and may hold anything */
    const float *bias; /* n numbers to start from, or NULL for 0; ignored if accumulate */
} dlz_gemm;

typedef struct dlz_gemm_table {
    void (*gemm)(const dlz_gemm *product, void *scratch);

    /* For a B that many products share (the weights of a convolution): floats that op(B) takes when
     * packed, packing it (reads n, k, b, ldb, transpose_b), and a product with it (ignores b, ldb
     * and transpose_b). Packed matrices fit the instruction set they were made for. The bits
     * are those of gemm() with transpose_b = false. `packed` is aligned to a cache line. */
    size_t (*packed_size)(int64_t k, int64_t n);
    void (*pack)(const dlz_gemm *product, float *packed);
    void (*gemm_packed)(const dlz_gemm *product, const float *packed, void *scratch);
} dlz_gemm_table;

DLZ_KERNEL_TABLE(dlz_gemm_table, dlz_gemm_kernels)

#endif
