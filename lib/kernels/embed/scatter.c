#include "kernels/embed/scatter.h"
#include "kernels/isa.h"

/* Sums in registers: ROWS x 3 vectors, which leaves room for the three vectors of b and one of a,
 * and hides the latency of the multiply-adds. */
#define LANES (DLZ_LANES / 2)
#define VECTORS 3
#define WIDTH (VECTORS * LANES)
#if defined(__AVX512F__)
#define ROWS 8
#elif defined(__AVX2__)
#define ROWS 4
#else
#define ROWS 3
#endif

_Static_assert(WIDTH % ROWS == 0 && WIDTH <= DLZ_SCATTER_MOST_WIDTH, "a panel is whole rows");

typedef double vd __attribute__((vector_size(DLZ_LANES * 4)));
typedef double vdu __attribute__((vector_size(DLZ_LANES * 4), aligned(8), may_alias));

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
        vd sums[ROWS][VECTORS] = {{{0}}};
        for (int64_t r = 0; r < rows; r++) {
            const double *left = a + r * WIDTH + first;
            vd right[VECTORS];
#pragma GCC unroll 3
            for (int v = 0; v < VECTORS; v++)
                right[v] = *(const vdu *)(b + r * WIDTH + v * LANES);
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
                *(vdu *)(c + (first + i) * ldc + v * LANES) += sums[i][v];
    }
}

const dlz_scatter_kernel DLZ_VARIANT(dlz_scatter) = {WIDTH, pack, add};
