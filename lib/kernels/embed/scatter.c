#include "kernels/embed/scatter.h"
#include "isa/isa.h"
#include "isa/shuffle.h"

/* Sums in registers: ROWS x 3 vectors, which leaves room for the three vectors of b and one of a,
 * and hides the latency of the multiply-adds. */
#define LANES DLZ_HALF_LANES
#define VECTORS 3
#define WIDTH (VECTORS * LANES)
#if DLZ_LANES == 16
#define ROWS 8
#elif DLZ_LANES == 8
#define ROWS 4
#else
#define ROWS 3
#endif

_Static_assert(WIDTH % ROWS == 0 && WIDTH <= DLZ_SCATTER_MOST_WIDTH, "a panel is whole rows");

static void pack(const float *row, const double *mean, int64_t columns, double *to,
                 int64_t stride) {
    int64_t c = 0;
    for (; c + WIDTH <= columns; c += WIDTH, to += stride)
        for (int i = 0; i < WIDTH; i++)
            to[i] = (double)row[c + i] - mean[c + i];
    if (c < columns)
        for (int i = 0; i < WIDTH; i++)
            to[i] = c + i < columns ? (double)row[c + i] - mean[c + i] : 0;
}

/* A square of doubles turned, in place: rows[i][j] becomes rows[j][i]. */
DLZ_INLINE void turn(dlz_v rows[LANES]) {
#define TURN(bit, low, high)                                                                       \
    DLZ_UNROLL                                                                                     \
    for (int i = 0; i < LANES; i++)                                                                \
        if (!(i & (bit))) {                                                                        \
            dlz_v x = rows[i], y = rows[i | (bit)];                                                \
            rows[i] = low(x, y);                                                                   \
            rows[i | (bit)] = high(x, y);                                                          \
        }
    TURN(1, DLZ_LOW2, DLZ_HIGH2)
#if DLZ_LANES >= 8
    TURN(2, DLZ_LOW4, DLZ_HIGH4)
#endif
#if DLZ_LANES >= 16
    TURN(4, DLZ_LOW8, DLZ_HIGH8)
#endif
#undef TURN
}

/* Whole squares of a panel, whose columns are rows in memory; returns how many of its rows. */
DLZ_INLINE int64_t lay_squares(const double *from, int64_t stride, int64_t rows, double scale,
                               double *to) {
    int64_t r = 0;
    for (; r + LANES <= rows; r += LANES)
        for (int i = 0; i < WIDTH; i += LANES) {
            dlz_v square[LANES];
            DLZ_UNROLL
            for (int l = 0; l < LANES; l++)
                square[l] = dlz_load((const float *)(const void *)(from + (i + l) * stride + r));
            turn(square);
            DLZ_UNROLL
            for (int l = 0; l < LANES; l++)
                *(dlz_vdu *)(to + (r + l) * WIDTH + i) = scale * (dlz_vd)square[l];
        }
    return r;
}

static void lay(const double *from, int64_t stride, bool along, int64_t count, int64_t rows,
                double scale, double *to) {
    if (along && count == WIDTH) {
        for (int64_t r = 0; r < rows; r++)
            for (int i = 0; i < WIDTH; i++)
                to[r * WIDTH + i] = scale * from[r * stride + i];
        return;
    }
    int64_t across = along ? 1 : stride, down = along ? stride : 1, first = 0;
    if (!along && count == WIDTH)
        first = lay_squares(from, stride, rows, scale, to);
    for (int64_t r = first; r < rows; r++)
        for (int i = 0; i < WIDTH; i++)
            to[r * WIDTH + i] = i < count ? scale * from[i * across + r * down] : 0;
}

static void add(const double *a, const double *b, int64_t rows, double *c, int64_t ldc) {
    for (int first = 0; first < WIDTH; first += ROWS) {
        dlz_vd sums[ROWS][VECTORS] = {{{0}}};
        for (int64_t r = 0; r < rows; r++) {
            const double *left = a + r * WIDTH + first;
            dlz_vd right[VECTORS];
#pragma GCC unroll 3
            for (int v = 0; v < VECTORS; v++)
                right[v] = *(const dlz_vdu *)(b + r * WIDTH + v * LANES);
#pragma GCC unroll 8
            for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 3
                for (int v = 0; v < VECTORS; v++)
                    sums[i][v] += left[i] * right[v];
        }
#pragma GCC unroll 8
        for (int i = 0; i < ROWS; i++)
#pragma GCC unroll 3
            for (int v = 0; v < VECTORS; v++)
                *(dlz_vdu *)(c + (first + i) * ldc + v * LANES) += sums[i][v];
    }
}

const dlz_scatter_kernel DLZ_VARIANT(dlz_scatter) = {WIDTH, pack, lay, add};
