/* kernels/gemm/gemm_tile.h - what a core computes without leaving its registers: private to gemm.c.
 *
 * Two kinds of tile. `outer` walks k one step at a time, a column of A times a row of B, with the
 * columns of C in the lanes. `dot` takes a vector of k at a time of rows of A and of rows of B^T,
 * with k in the lanes, so that neither needs packing when both are contiguous in k. They are told to
 * fuse products with sums: what a compiler makes of each by itself, one may do and another not, and
 * sums would hang on the tile. */
#ifndef DLZ_KERNELS_GEMM_TILE_H
#define DLZ_KERNELS_GEMM_TILE_H

#include "isa/shuffle.h"

#include <stdbool.h>

/* Sizes of the tiles: as many accumulators as the registers hold beside the operands. */
#if DLZ_LANES == 16
enum { OUTER_ROWS = 14, DOT_ROWS = 4, DOT_COLUMNS = 6 };
#elif DLZ_REGISTERS == 32
enum { OUTER_ROWS = 12, DOT_ROWS = 4, DOT_COLUMNS = 6 };
#elif DLZ_LANES == 8
enum { OUTER_ROWS = 6, DOT_ROWS = 3, DOT_COLUMNS = 4 };
#else
enum { OUTER_ROWS = 6, DOT_ROWS = 3, DOT_COLUMNS = 3 };
#endif
enum { LANES = DLZ_LANES, OUTER_COLUMNS = 2 * DLZ_LANES };
enum {
    THIN_ROWS = 2,
    THIN_VECTORS = DLZ_REGISTERS == 32 ? 8 : 4,
    THIN_COLUMNS = THIN_VECTORS * DLZ_LANES
};

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
    DLZ_UNROLL for (int i = 0; i < rows; i++) {
        DLZ_UNROLL for (int j = 0; j < vectors; j++) sum[i][j] = (dlz_v){0};
        __builtin_prefetch(place->c + i * place->ldc, 1);
        __builtin_prefetch(place->c + i * place->ldc + (vectors - 1) * LANES + last - 1, 1);
    }
    if (unit_rows)
        row_step = 1;
    for (int64_t p = 0; p < k; p++) {
        dlz_v row[2];
        DLZ_UNROLL for (int j = 0; j < vectors; j++) row[j] = dlz_load(b + j * LANES);
        DLZ_UNROLL for (int i = 0; i < rows; i++) {
            dlz_v value = dlz_splat(a[i * row_step]);
            DLZ_UNROLL for (int j = 0; j < vectors; j++) sum[i][j] =
                dlz_fma(value, row[j], sum[i][j]);
        }
        a += a_step;
        b += b_step;
    }
    const float *start = place->start;
    float *c = place->c;
    DLZ_UNROLL for (int i = 0; i < rows; i++) {
        DLZ_UNROLL for (int j = 0; j < vectors; j++) {
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

/* A few rows of A against THIN_VECTORS vectors of columns of B, vector j at b + j / 2 * pair_step +
 * j % 2 * LANES: of a B that is not packed long runs of its rows, of one that is a few panels at a
 * time. A sum has the terms of outer's in their order. */
DLZ_INLINE void thin(const int rows, int64_t k, const float *a, int64_t row_step, int64_t a_step,
                     const float *b, int64_t b_step, int64_t pair_step, const gemm_place *place) {
    dlz_v sum[THIN_ROWS][THIN_VECTORS];
    DLZ_UNROLL for (int i = 0; i < rows; i++) DLZ_UNROLL for (int j = 0; j < THIN_VECTORS; j++)
        sum[i][j] = (dlz_v){0};
    for (int64_t p = 0; p < k; p++, a += a_step, b += b_step) {
        dlz_v value[THIN_ROWS];
        DLZ_UNROLL for (int i = 0; i < rows; i++) value[i] = dlz_splat(a[i * row_step]);
        DLZ_UNROLL for (int j = 0; j < THIN_VECTORS; j++) {
            dlz_v column = dlz_load(b + j / 2 * pair_step + j % 2 * LANES);
            DLZ_UNROLL for (int i = 0; i < rows; i++) sum[i][j] =
                dlz_fma(value[i], column, sum[i][j]);
        }
    }
    const float *start = place->start;
    float *c = place->c;
    DLZ_UNROLL for (int i = 0; i < rows; i++) {
        DLZ_UNROLL for (int j = 0; j < THIN_VECTORS; j++) {
            if (start)
                sum[i][j] += dlz_load(start + j * LANES);
            dlz_store(c + j * LANES, sum[i][j]);
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
    DLZ_UNROLL for (int i = 0; i < ALL; i++) sum[i] = (dlz_v){0};
    int64_t p = 0;
    for (; p + LANES <= k; p += LANES) {
        dlz_v left[DOT_ROWS];
        DLZ_UNROLL for (int i = 0; i < rows; i++) left[i] = dlz_load(a + i * lda + p);
        DLZ_UNROLL for (int j = 0; j < columns; j++) {
            dlz_v right = dlz_load(b + j * ldb + p);
            DLZ_UNROLL for (int i = 0; i < rows; i++) sum[i * columns + j] =
                dlz_fma(left[i], right, sum[i * columns + j]);
        }
    }
    if (p < k) {
        int rest = (int)(k - p);
        dlz_v left[DOT_ROWS];
        DLZ_UNROLL for (int i = 0; i < rows; i++) left[i] = dlz_load_first(a + i * lda + p, rest);
        DLZ_UNROLL for (int j = 0; j < columns; j++) {
            dlz_v right = dlz_load_first(b + j * ldb + p, rest);
            DLZ_UNROLL for (int i = 0; i < rows; i++) sum[i * columns + j] =
                dlz_fma(left[i], right, sum[i * columns + j]);
        }
    }
    float total[ALL];
    DLZ_UNROLL for (int i = 0; i < ALL; i += LANES) if (i < rows * columns)
        dlz_store(total + i, dlz_sums(sum + i));
    const float *start = place->start;
    float *c = place->c;
    DLZ_UNROLL for (int i = 0; i < rows; i++) {
        DLZ_UNROLL for (int j = 0; j < columns; j++) c[j] =
            start ? start[j] + total[i * columns + j] : total[i * columns + j];
        c += place->ldc;
        start = start ? start + place->start_step : NULL;
    }
}

#endif
