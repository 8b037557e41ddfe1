#include "kernels/embed/rank.h"
#include "kernels/isa.h"

typedef double vec __attribute__((vector_size(DLZ_LANES * 4)));
typedef double vec_unaligned __attribute__((vector_size(DLZ_LANES * 4), aligned(8), may_alias));
typedef int64_t whole __attribute__((vector_size(DLZ_LANES * 4)));

#define WIDTH (DLZ_LANES / 2)
/* Limits at a time: a value is loaded once for all of them. */
#define TOGETHER 4

static void count_below(const double *values, int64_t n, const double *limits, int64_t k,
                        int64_t *counts) {
    for (int64_t first = 0; first < k; first += TOGETHER) {
        vec limit[TOGETHER];
        whole sum[TOGETHER];
        for (int j = 0; j < TOGETHER; j++) {
            /* A limit that does not exist lets nothing pass. */
            limit[j] = (first + j < k ? limits[first + j] : -__builtin_inf()) - (vec){0};
            sum[j] = (whole){0};
        }
        int64_t i = 0;
        for (; i + WIDTH <= n; i += WIDTH) {
            vec value = *(const vec_unaligned *)(values + i);
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
