#include "kernels/embed/rank.h"
#include "isa/isa.h"

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

const dlz_rank_kernel DLZ_VARIANT(dlz_rank) = {count_below};
