#include "kernels/embed/distance.h"
#include "kernels/isa.h"

#if defined(__AVX2__)
#include <immintrin.h>
#endif

/* Compiled with -ffp-contract=off; see the header. */

#define LANES (DLZ_LANES / 2)
#define VECTORS 2
#if defined(__AVX512F__)
#define ROWS 12
#else
#define ROWS 4
#endif

typedef double vd __attribute__((vector_size(DLZ_LANES * 4)));
typedef double vdu __attribute__((vector_size(DLZ_LANES * 4), aligned(8), may_alias));
typedef float half_v __attribute__((vector_size(DLZ_LANES * 2)));
typedef float half_u __attribute__((vector_size(DLZ_LANES * 2), aligned(4), may_alias));

/* GCC converts the wide ones by halves when left to itself. */
DLZ_INLINE vd widen(half_v from) {
#if defined(__AVX512F__)
    return (vd)_mm512_cvtps_pd((__m256)from);
#elif defined(__AVX2__)
    return (vd)_mm256_cvtps_pd((__m128)from);
#else
    return __builtin_convertvector(from, vd);
#endif
}

static void panel(const double *group, const float *points, int64_t d, double *squares,
                  int64_t stride) {
    for (int column = 0; column < DLZ_DISTANCE_PANEL; column += VECTORS * LANES)
        for (int row = 0; row < DLZ_DISTANCE_GROUP; row += ROWS) {
            vd sums[ROWS][VECTORS] = {{{0}}};
            const float *c = points + column;
            const double *q = group + row;
            for (int64_t i = 0; i < d; i++, c += DLZ_DISTANCE_PANEL, q += DLZ_DISTANCE_GROUP) {
                vd from[VECTORS];
#pragma GCC unroll 2
                for (int v = 0; v < VECTORS; v++)
                    from[v] = widen(*(const half_u *)(c + v * LANES));
#pragma GCC unroll 12
                for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
                    for (int v = 0; v < VECTORS; v++) {
                        vd difference = from[v] - q[r];
                        sums[r][v] += difference * difference;
                    }
            }
#pragma GCC unroll 12
            for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
                for (int v = 0; v < VECTORS; v++)
                    *(vdu *)(squares + (row + r) * stride + column + v * LANES) = sums[r][v];
        }
}

/* A block of as many rows and columns, turned so that a vector holds one column. */
#if defined(__AVX512F__)
#define BLOCK 8
#else
#define BLOCK 4
#endif
#define BLOCKS (DLZ_DISTANCE_LIST / BLOCK)

typedef float row_v __attribute__((vector_size(BLOCK * 4)));
typedef float row_u __attribute__((vector_size(BLOCK * 4), aligned(4), may_alias));

DLZ_INLINE void turn(row_v rows[BLOCK]) {
#if BLOCK == 8
    row_v a[8], b[8];
#pragma GCC unroll 4
    for (int i = 0; i < 8; i += 2) {
        a[i] = __builtin_shufflevector(rows[i], rows[i + 1], 0, 8, 1, 9, 4, 12, 5, 13);
        a[i + 1] = __builtin_shufflevector(rows[i], rows[i + 1], 2, 10, 3, 11, 6, 14, 7, 15);
    }
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4)
#pragma GCC unroll 2
        for (int j = 0; j < 2; j++) {
            row_v low = a[i + j], high = a[i + j + 2];
            b[i + 2 * j] = __builtin_shufflevector(low, high, 0, 1, 8, 9, 4, 5, 12, 13);
            b[i + 2 * j + 1] = __builtin_shufflevector(low, high, 2, 3, 10, 11, 6, 7, 14, 15);
        }
#pragma GCC unroll 4
    for (int i = 0; i < 4; i++) {
        rows[i] = __builtin_shufflevector(b[i], b[i + 4], 0, 1, 2, 3, 8, 9, 10, 11);
        rows[i + 4] = __builtin_shufflevector(b[i], b[i + 4], 4, 5, 6, 7, 12, 13, 14, 15);
    }
#else
    row_v a = __builtin_shufflevector(rows[0], rows[1], 0, 4, 1, 5);
    row_v b = __builtin_shufflevector(rows[0], rows[1], 2, 6, 3, 7);
    row_v c = __builtin_shufflevector(rows[2], rows[3], 0, 4, 1, 5);
    row_v e = __builtin_shufflevector(rows[2], rows[3], 2, 6, 3, 7);
    rows[0] = __builtin_shufflevector(a, c, 0, 1, 4, 5);
    rows[1] = __builtin_shufflevector(a, c, 2, 3, 6, 7);
    rows[2] = __builtin_shufflevector(b, e, 0, 1, 4, 5);
    rows[3] = __builtin_shufflevector(b, e, 2, 3, 6, 7);
#endif
}

/* sums[r] += the squared difference between q and row r's value. */
DLZ_INLINE void add_column(vd sums[BLOCK / LANES], row_v values, double q) {
#if BLOCK == LANES
    vd difference = widen(values) - q;
    sums[0] += difference * difference;
#else
    vd low = widen(__builtin_shufflevector(values, values, 0, 1)) - q;
    vd high = widen(__builtin_shufflevector(values, values, 2, 3)) - q;
    sums[0] += low * low;
    sums[1] += high * high;
#endif
}

static void list(const float *query, const float *const *rows, int64_t d, double *squares) {
    vd sums[BLOCKS][BLOCK / LANES];
    int64_t i = 0;
    memset(sums, 0, sizeof sums);
    for (; i + BLOCK <= d; i += BLOCK) {
        row_v block[BLOCKS][BLOCK];
#pragma GCC unroll 4
        for (int b = 0; b < BLOCKS; b++) {
#pragma GCC unroll 8
            for (int r = 0; r < BLOCK; r++)
                block[b][r] = *(const row_u *)(rows[b * BLOCK + r] + i);
            turn(block[b]);
        }
#pragma GCC unroll 8
        for (int c = 0; c < BLOCK; c++) {
            double q = (double)query[i + c];
#pragma GCC unroll 4
            for (int b = 0; b < BLOCKS; b++)
                add_column(sums[b], block[b][c], q);
        }
    }
    memcpy(squares, sums, sizeof sums);
    for (int r = 0; r < DLZ_DISTANCE_LIST; r++)
        for (int64_t rest = i; rest < d; rest++) {
            double difference = (double)rows[r][rest] - (double)query[rest];
            squares[r] += difference * difference;
        }
}

static double one(const float *a, const float *b, int64_t d) {
    double sum = 0;
    for (int64_t i = 0; i < d; i++) {
        double difference = (double)a[i] - (double)b[i];
        sum += difference * difference;
    }
    return sum;
}

const dlz_distance_kernel DLZ_VARIANT(dlz_distance) = {panel, list, one};
