#include "kernels/embed/distance.h"
#include "isa/shuffle.h"

/* Compiled with -ffp-contract=off; see the header. */

#define LANES DLZ_HALF_LANES
#define VECTORS 2
#if DLZ_LANES == 16
#define ROWS 12
#else
#define ROWS 4
#endif

static void panel(const double *group, const float *points, int64_t d, double *squares,
                  int64_t stride) {
    for (int column = 0; column < DLZ_DISTANCE_PANEL; column += VECTORS * LANES)
        for (int row = 0; row < DLZ_DISTANCE_GROUP; row += ROWS) {
            dlz_vd sums[ROWS][VECTORS] = {{{0}}};
            const float *c = points + column;
            const double *q = group + row;
            for (int64_t i = 0; i < d; i++, c += DLZ_DISTANCE_PANEL, q += DLZ_DISTANCE_GROUP) {
                dlz_vd from[VECTORS];
#pragma GCC unroll 2
                for (int v = 0; v < VECTORS; v++)
                    from[v] = dlz_widen(*(const dlz_vhu *)(c + v * LANES));
#pragma GCC unroll 12
                for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
                    for (int v = 0; v < VECTORS; v++) {
                        dlz_vd difference = from[v] - q[r];
                        sums[r][v] += difference * difference;
                    }
            }
#pragma GCC unroll 12
            for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
                for (int v = 0; v < VECTORS; v++)
                    *(dlz_vdu *)(squares + (row + r) * stride + column + v * LANES) = sums[r][v];
        }
}

/* A block of as many rows and columns, turned so that a vector holds one column. */
#if DLZ_LANES == 16
#define BLOCK 8
typedef dlz_v8 row_v;
typedef dlz_v8u row_u;
#define turn dlz_transpose8
#else
#define BLOCK 4
typedef dlz_v4 row_v;
typedef dlz_v4u row_u;
#define turn dlz_transpose4
#endif
#define BLOCKS (DLZ_DISTANCE_LIST / BLOCK)

/* sums[r] += the squared difference between q and row r's value. */
DLZ_INLINE void add_column(dlz_vd sums[BLOCK / LANES], row_v values, double q) {
#if BLOCK == LANES
    dlz_vd difference = dlz_widen(values) - q;
    sums[0] += difference * difference;
#else
    dlz_vd low = dlz_widen(__builtin_shufflevector(values, values, 0, 1)) - q;
    dlz_vd high = dlz_widen(__builtin_shufflevector(values, values, 2, 3)) - q;
    sums[0] += low * low;
    sums[1] += high * high;
#endif
}

static void list(const float *query, const float *const *rows, int64_t d, double *squares) {
    dlz_vd sums[BLOCKS][BLOCK / LANES];
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
