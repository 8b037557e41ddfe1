/* kernels/gemm/gemm_tile.h - what a core computes without leaving its registers: private to gemm.c.
 *
 * Two kinds of tile. `outer` walks k one step at a time, a column of A times a row of B, with the
 * columns of C in the lanes. `dot` takes a vector of k at a time of rows of A and of rows of B^T,
 * with k in the lanes, so that neither needs packing when both are contiguous in k. */
#ifndef DLZ_KERNELS_GEMM_TILE_H
#define DLZ_KERNELS_GEMM_TILE_H

#include "kernels/part.h"

#include <stdbool.h>

#ifdef __clang__
#define GEMM_UNROLL _Pragma("clang loop unroll(full)")
#else
#define GEMM_UNROLL _Pragma("GCC unroll 32")
#endif

/* Sizes of the tiles: as many accumulators as the registers hold beside the operands. */
#if DLZ_LANES == 16
enum { OUTER_ROWS = 14, DOT_ROWS = 4, DOT_COLUMNS = 6 };
#elif DLZ_LANES == 8
enum { OUTER_ROWS = 6, DOT_ROWS = 3, DOT_COLUMNS = 4 };
#elif defined(__aarch64__)
enum { OUTER_ROWS = 12, DOT_ROWS = 4, DOT_COLUMNS = 6 };
#else
enum { OUTER_ROWS = 6, DOT_ROWS = 3, DOT_COLUMNS = 3 };
#endif
enum { LANES = DLZ_LANES, OUTER_COLUMNS = 2 * DLZ_LANES };

/* LOW(x, y, d) keeps the lanes of x whose number has bit d clear and puts their partners of y (d
 * lower) in the other lanes; HIGH does it with the lanes whose bit d is set. */
#if DLZ_LANES == 16
#define LOW8(x, y)                                                                                 \
    __builtin_shufflevector(x, y, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23)
#define HIGH8(x, y)                                                                                \
    __builtin_shufflevector(x, y, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31)
#define LOW4(x, y)                                                                                 \
    __builtin_shufflevector(x, y, 0, 1, 2, 3, 16, 17, 18, 19, 8, 9, 10, 11, 24, 25, 26, 27)
#define HIGH4(x, y)                                                                                \
    __builtin_shufflevector(x, y, 4, 5, 6, 7, 20, 21, 22, 23, 12, 13, 14, 15, 28, 29, 30, 31)
#define LOW2(x, y)                                                                                 \
    __builtin_shufflevector(x, y, 0, 1, 16, 17, 4, 5, 20, 21, 8, 9, 24, 25, 12, 13, 28, 29)
#define HIGH2(x, y)                                                                                \
    __builtin_shufflevector(x, y, 2, 3, 18, 19, 6, 7, 22, 23, 10, 11, 26, 27, 14, 15, 30, 31)
#define LOW1(x, y)                                                                                 \
    __builtin_shufflevector(x, y, 0, 16, 2, 18, 4, 20, 6, 22, 8, 24, 10, 26, 12, 28, 14, 30)
#define HIGH1(x, y)                                                                                \
    __builtin_shufflevector(x, y, 1, 17, 3, 19, 5, 21, 7, 23, 9, 25, 11, 27, 13, 29, 15, 31)
#elif DLZ_LANES == 8
#define LOW4(x, y) __builtin_shufflevector(x, y, 0, 1, 2, 3, 8, 9, 10, 11)
#define HIGH4(x, y) __builtin_shufflevector(x, y, 4, 5, 6, 7, 12, 13, 14, 15)
#define LOW2(x, y) __builtin_shufflevector(x, y, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH2(x, y) __builtin_shufflevector(x, y, 2, 3, 10, 11, 6, 7, 14, 15)
#define LOW1(x, y) __builtin_shufflevector(x, y, 0, 8, 2, 10, 4, 12, 6, 14)
#define HIGH1(x, y) __builtin_shufflevector(x, y, 1, 9, 3, 11, 5, 13, 7, 15)
#else
#define LOW2(x, y) __builtin_shufflevector(x, y, 0, 1, 4, 5)
#define HIGH2(x, y) __builtin_shufflevector(x, y, 2, 3, 6, 7)
#define LOW1(x, y) __builtin_shufflevector(x, y, 0, 4, 2, 6)
#define HIGH1(x, y) __builtin_shufflevector(x, y, 1, 5, 3, 7)
#endif

/* In place: v[i][j] becomes v[j][i]. */
DLZ_INLINE void transpose(dlz_v v[LANES]) {
#define STAGE(d)                                                                                   \
    GEMM_UNROLL for (int i = 0; i < LANES; i++) if (!(i & d)) {                                    \
        dlz_v low = LOW##d(v[i], v[i + d]);                                                        \
        v[i + d] = HIGH##d(v[i], v[i + d]);                                                        \
        v[i] = low;                                                                                \
    }
#if DLZ_LANES == 16
    STAGE(8)
#endif
#if DLZ_LANES >= 8
    STAGE(4)
#endif
    STAGE(2)
    STAGE(1)
#undef STAGE
}

/* Lane i of the result is the sum of v[i]'s lanes, added in halves: (j) + (j + d), d = LANES/2
 * ... 1. Destroys v. */
DLZ_INLINE dlz_v sums_of(dlz_v v[LANES]) {
#define STAGE(d)                                                                                   \
    GEMM_UNROLL for (int i = 0; i < d; i++) v[i] = LOW##d(v[i], v[i + d]) + HIGH##d(v[i], v[i + d]);
#if DLZ_LANES == 16
    STAGE(8)
#endif
#if DLZ_LANES >= 8
    STAGE(4)
#endif
    STAGE(2)
    STAGE(1)
#undef STAGE
    return v[0];
}

/* Where a tile's results go: C, and what they are added to (C itself, the bias with a step of 0, or
 * NULL for nothing). */
typedef struct gemm_place {
    float *c;
    int64_t ldc;
    const float *start;
    int64_t start_step;
} gemm_place;

/* `rows` rows and `vectors` vectors of columns, of whose last one only `last` lanes are written.
 * A(i, p) is a[i * row_step + p * a_step], B(p, j) is b[p * b_step + j]. */
DLZ_INLINE void outer(const int rows, const int vectors, const bool unit_rows, int64_t k,
                      const float *a, int64_t row_step, int64_t a_step, const float *b,
                      int64_t b_step, const gemm_place *place, int last) {
    dlz_v sum[OUTER_ROWS][2];
    GEMM_UNROLL for (int i = 0; i < rows; i++) {
        GEMM_UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = (dlz_v){0};
        __builtin_prefetch(place->c + i * place->ldc, 1);
        __builtin_prefetch(place->c + i * place->ldc + (vectors - 1) * LANES + last - 1, 1);
    }
    if (unit_rows)
        row_step = 1;
    for (int64_t p = 0; p < k; p++) {
        dlz_v row[2];
        GEMM_UNROLL for (int j = 0; j < vectors; j++) row[j] = dlz_load(b + j * LANES);
        GEMM_UNROLL for (int i = 0; i < rows; i++) {
            dlz_v value = dlz_splat(a[i * row_step]);
            GEMM_UNROLL for (int j = 0; j < vectors; j++) sum[i][j] += value * row[j];
        }
        a += a_step;
        b += b_step;
    }
    const float *start = place->start;
    float *c = place->c;
    GEMM_UNROLL for (int i = 0; i < rows; i++) {
        GEMM_UNROLL for (int j = 0; j < vectors; j++) {
            bool whole = j + 1 < vectors || last == LANES;
            if (start)
                sum[i][j] +=
                    whole ? dlz_load(start + j * LANES) : dlz_load_first(start + j * LANES, last);
            if (whole)
                dlz_store(c + j * LANES, sum[i][j]);
            else
                dlz_store_first(c + j * LANES, sum[i][j], last);
        }
        c += place->ldc;
        start = start ? start + place->start_step : NULL;
    }
}

/* `rows` rows of A against `columns` rows of B^T. */
DLZ_INLINE void dot(const int rows, const int columns, int64_t k, const float *a, int64_t lda,
                    const float *b, int64_t ldb, const gemm_place *place) {
    enum { ALL = (DOT_ROWS * DOT_COLUMNS + LANES - 1) / LANES * LANES };
    dlz_v sum[ALL];
    GEMM_UNROLL for (int i = 0; i < ALL; i++) sum[i] = (dlz_v){0};
    int64_t p = 0;
    for (; p + LANES <= k; p += LANES) {
        dlz_v left[DOT_ROWS];
        GEMM_UNROLL for (int i = 0; i < rows; i++) left[i] = dlz_load(a + i * lda + p);
        GEMM_UNROLL for (int j = 0; j < columns; j++) {
            dlz_v right = dlz_load(b + j * ldb + p);
            GEMM_UNROLL for (int i = 0; i < rows; i++) sum[i * columns + j] += left[i] * right;
        }
    }
    if (p < k) {
        int rest = (int)(k - p);
        dlz_v left[DOT_ROWS];
        GEMM_UNROLL for (int i = 0; i < rows; i++) left[i] = dlz_load_first(a + i * lda + p, rest);
        GEMM_UNROLL for (int j = 0; j < columns; j++) {
            dlz_v right = dlz_load_first(b + j * ldb + p, rest);
            GEMM_UNROLL for (int i = 0; i < rows; i++) sum[i * columns + j] += left[i] * right;
        }
    }
    float total[ALL];
    GEMM_UNROLL for (int i = 0; i < ALL; i += LANES) if (i < rows * columns)
        dlz_store(total + i, sums_of(sum + i));
    const float *start = place->start;
    float *c = place->c;
    GEMM_UNROLL for (int i = 0; i < rows; i++) {
        GEMM_UNROLL for (int j = 0; j < columns; j++) c[j] =
            start ? start[j] + total[i * columns + j] : total[i * columns + j];
        c += place->ldc;
        start = start ? start + place->start_step : NULL;
    }
}

#endif
