/* kernels/conv/conv3x3_gemm.h - small matrix products whose accumulators stay in registers.
 *
 * One operand is broadcast a number at a time from memory, the other comes in vectors of channels.
 * A block is DLZ_GEMM_ROWS × 2 vectors: enough independent sums to hide the latency of an FMA, and
 * few enough for the register file.
 *
 * Weights and their gradients lie in panels of two vectors of columns, [panel][row][column], the last
 * one of a single vector if there is an odd number: what a block goes through lies side by side. */
#ifndef DLZ_KERNELS_CONV_CONV3X3_GEMM_H
#define DLZ_KERNELS_CONV_CONV3X3_GEMM_H

#include "kernels/conv/conv3x3_load.h"

#if DLZ_REGISTERS == 32
#define DLZ_GEMM_ROWS 8
#else
#define DLZ_GEMM_ROWS 4
#endif

/* d (rows × vecs vectors) = a (rows × depth) · b (depth × vecs vectors). */
DLZ_INLINE void gemm_block(const int rows, const int vecs, int64_t depth, const float *a,
                           int64_t lda, const float *b, int64_t ldb, float *d, int64_t ldd) {
    dlz_v sum[DLZ_GEMM_ROWS][2];
    DLZ_UNROLL
    for (int r = 0; r < rows; r++)
        DLZ_UNROLL
    for (int v = 0; v < vecs; v++)
        sum[r][v] = (dlz_v){0};
    for (int64_t i = 0; i < depth; i++) {
        dlz_v row[2];
        DLZ_UNROLL
        for (int v = 0; v < vecs; v++)
            row[v] = dlz_load(b + i * ldb + v * DLZ_LANES);
        DLZ_UNROLL
        for (int r = 0; r < rows; r++) {
            dlz_v s = dlz_splat(a[r * lda + i]);
            DLZ_UNROLL
            for (int v = 0; v < vecs; v++)
                sum[r][v] = dlz_fma(s, row[v], sum[r][v]);
        }
    }
    DLZ_UNROLL
    for (int r = 0; r < rows; r++)
        DLZ_UNROLL
    for (int v = 0; v < vecs; v++)
        dlz_store(d + r * ldd + v * DLZ_LANES, sum[r][v]);
}

DLZ_INLINE void gemm_columns(const int vecs, int64_t rows, int64_t depth, const float *a,
                             int64_t lda, const float *b, int64_t ldb, float *d, int64_t ldd) {
    for (; rows >= DLZ_GEMM_ROWS; rows -= DLZ_GEMM_ROWS) {
        gemm_block(DLZ_GEMM_ROWS, vecs, depth, a, lda, b, ldb, d, ldd);
        a += DLZ_GEMM_ROWS * lda;
        d += DLZ_GEMM_ROWS * ldd;
    }
#if DLZ_GEMM_ROWS > 4
    if (rows & 4) {
        gemm_block(4, vecs, depth, a, lda, b, ldb, d, ldd);
        a += 4 * lda;
        d += 4 * ldd;
    }
#endif
    if (rows & 2) {
        gemm_block(2, vecs, depth, a, lda, b, ldb, d, ldd);
        a += 2 * lda;
        d += 2 * ldd;
    }
    if (rows & 1)
        gemm_block(1, vecs, depth, a, lda, b, ldb, d, ldd);
}

/* Columns of the panel that holds the column k, of so many. */
DLZ_INLINE int64_t panel_columns(int64_t k, int64_t columns) {
    return dlz_min_i64(2 * DLZ_C, columns - k / (2 * DLZ_C) * (2 * DLZ_C));
}

/* Where the column k, a multiple of DLZ_C, of a row begins. */
DLZ_INLINE int64_t panel_place(int64_t row, int64_t rows, int64_t k, int64_t columns) {
    int64_t inside = k % (2 * DLZ_C);
    return (k - inside) * rows + row * panel_columns(k, columns) + inside;
}

/* d (rows × columns) = a (rows × depth) · b (depth × columns, in panels); columns in whole vectors.
 */
static inline void gemm(int64_t rows, int64_t columns, int64_t depth, const float *a, int64_t lda,
                        const float *b, float *d, int64_t ldd) {
    int64_t k = 0;
    for (; k + 2 * DLZ_C <= columns; k += 2 * DLZ_C)
        gemm_columns(2, rows, depth, a, lda, b + k * depth, 2 * DLZ_C, d + k, ldd);
    if (k < columns)
        gemm_columns(1, rows, depth, a, lda, b + k * depth, DLZ_C, d + k, ldd);
}

/* d (rows × vecs vectors) = or += aᵀ · b, a (depth × rows), b (depth × vecs vectors). */
DLZ_INLINE void gemm_t_block(const int rows, const int vecs, int64_t depth, const float *a,
                             int64_t lda, const float *b, int64_t ldb, float *d, int64_t ldd,
                             bool add) {
    dlz_v sum[DLZ_GEMM_ROWS][2];
    DLZ_UNROLL
    for (int r = 0; r < rows; r++)
        DLZ_UNROLL
    for (int v = 0; v < vecs; v++)
        sum[r][v] = (dlz_v){0};
    for (int64_t i = 0; i < depth; i++) {
        dlz_v row[2];
        DLZ_UNROLL
        for (int v = 0; v < vecs; v++)
            row[v] = dlz_load(b + i * ldb + v * DLZ_LANES);
        DLZ_UNROLL
        for (int r = 0; r < rows; r++) {
            dlz_v s = dlz_splat(a[i * lda + r]);
            DLZ_UNROLL
            for (int v = 0; v < vecs; v++)
                sum[r][v] = dlz_fma(s, row[v], sum[r][v]);
        }
    }
    DLZ_UNROLL
    for (int r = 0; r < rows; r++)
        DLZ_UNROLL
    for (int v = 0; v < vecs; v++) {
        float *to = d + r * ldd + v * DLZ_LANES;
        dlz_store(to, add ? dlz_load(to) + sum[r][v] : sum[r][v]);
    }
}

DLZ_INLINE void gemm_t_columns(const int vecs, int64_t rows, int64_t depth, const float *a,
                               int64_t lda, const float *b, int64_t ldb, float *d, int64_t ldd,
                               bool add) {
    for (; rows >= DLZ_GEMM_ROWS; rows -= DLZ_GEMM_ROWS) {
        gemm_t_block(DLZ_GEMM_ROWS, vecs, depth, a, lda, b, ldb, d, ldd, add);
        a += DLZ_GEMM_ROWS;
        d += DLZ_GEMM_ROWS * ldd;
    }
#if DLZ_GEMM_ROWS > 4
    if (rows & 4) {
        gemm_t_block(4, vecs, depth, a, lda, b, ldb, d, ldd, add);
        a += 4;
        d += 4 * ldd;
    }
#endif
    if (rows & 2) {
        gemm_t_block(2, vecs, depth, a, lda, b, ldb, d, ldd, add);
        a += 2;
        d += 2 * ldd;
    }
    if (rows & 1)
        gemm_t_block(1, vecs, depth, a, lda, b, ldb, d, ldd, add);
}

/* d (rows × columns, in panels) = or += aᵀ · b; columns in whole vectors. */
static inline void gemm_t(int64_t rows, int64_t columns, int64_t depth, const float *a, int64_t lda,
                          const float *b, int64_t ldb, float *d, bool add) {
    int64_t k = 0;
    for (; k + 2 * DLZ_C <= columns; k += 2 * DLZ_C)
        gemm_t_columns(2, rows, depth, a, lda, b + k, ldb, d + k * rows, 2 * DLZ_C, add);
    if (k < columns)
        gemm_t_columns(1, rows, depth, a, lda, b + k, ldb, d + k * rows, DLZ_C, add);
}

#endif
