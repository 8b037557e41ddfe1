#include "kernels/embed/rank.h"
#include "isa/isa.h"
#include "kernels/embed/knn_products.h"

#include <stdbool.h>

typedef int64_t whole __attribute__((vector_size(DLZ_LANES * 4)));

#define WIDTH DLZ_HALF_LANES
/* Limits at a time: a value is loaded once for all of them. */
#define TOGETHER 4

static void count_below(const double *values, int64_t n, const double *limits, int64_t k,
                        int64_t *counts) {
    for (int64_t first = 0; first < k; first += TOGETHER) {
        dlz_vd limit[TOGETHER];
        whole sum[TOGETHER];
        for (int j = 0; j < TOGETHER; j++) {
            /* A limit that does not exist lets nothing pass. */
            limit[j] = (first + j < k ? limits[first + j] : -__builtin_inf()) - (dlz_vd){0};
            sum[j] = (whole){0};
        }
        int64_t i = 0;
        for (; i + WIDTH <= n; i += WIDTH) {
            dlz_vd value = *(const dlz_vdu *)(values + i);
            for (int j = 0; j < TOGETHER; j++)
                sum[j] -= value < limit[j];
        }
        for (int j = 0; j < TOGETHER && first + j < k; j++) {
            int64_t count = 0;
            for (int lane = 0; lane < WIDTH; lane++)
                count += sum[j][lane];
            for (int64_t rest = i; rest < n; rest++)
                count += values[rest] < limits[first + j];
            counts[first + j] = count;
        }
    }
}

static void values(const float *queries, const float *panel, const float *half_norms, int64_t d,
                   float *to, int64_t stride) {
    for (int column = 0; column < DLZ_KNN_PANEL; column += VECTORS * DLZ_LANES)
        for (int row = 0; row < DLZ_KNN_GROUP; row += ROWS) {
            dlz_v sums[ROWS][VECTORS];
            multiply_panel(queries + row, panel + column, half_norms + column, d, sums);
#pragma GCC unroll 12
            for (int r = 0; r < ROWS; r++)
#pragma GCC unroll 2
                for (int v = 0; v < VECTORS; v++)
                    dlz_store(to + (row + r) * stride + column + v * DLZ_LANES, sums[r][v]);
        }
}

static void count_around(const float *from, int64_t n, const float *low, const float *high,
                         int64_t k, int64_t *counts, int32_t *between) {
    for (int64_t first = 0; first < k; first += TOGETHER) {
        dlz_v below[TOGETHER], above[TOGETHER];
        dlz_vi sure[TOGETHER], all[TOGETHER];
        for (int j = 0; j < TOGETHER; j++) {
            bool exists = first + j < k;
            below[j] = dlz_splat(exists ? low[first + j] : -__builtin_inff());
            above[j] = dlz_splat(exists ? high[first + j] : -__builtin_inff());
            sure[j] = all[j] = (dlz_vi){0};
        }
        for (int64_t i = 0; i < n; i += DLZ_LANES) {
            dlz_v value = dlz_load(from + i);
#pragma GCC unroll 4
            for (int j = 0; j < TOGETHER; j++) {
                sure[j] -= value < below[j];
                all[j] -= value < above[j];
            }
        }
        for (int j = 0; j < TOGETHER && first + j < k; j++) {
            int32_t count = 0, of_all = 0;
            for (int lane = 0; lane < DLZ_LANES; lane++) {
                count += sure[j][lane];
                of_all += all[j][lane];
            }
            counts[first + j] += count;
            between[first + j] = of_all - count;
        }
    }
}

const dlz_rank_kernel DLZ_VARIANT(dlz_rank) = {count_below, values, count_around};
