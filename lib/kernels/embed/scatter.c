#include "kernels/embed/scatter.h"
#include "isa/isa.h"

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

const dlz_scatter_kernel DLZ_VARIANT(dlz_scatter) = {WIDTH, pack, add};
