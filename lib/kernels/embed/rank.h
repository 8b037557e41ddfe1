/* kernels/embed/rank.h - counting, for the ranks of distances. */
#ifndef DLZ_KERNELS_EMBED_RANK_H
#define DLZ_KERNELS_EMBED_RANK_H

#include "kernels/select.h"

#include <stdint.h>

typedef struct dlz_rank_kernel {
    /* counts[j] = how many of the n values are below limits[j], for j < k. */
    void (*count_below)(const double *values, int64_t n, const double *limits, int64_t k,
                        int64_t *counts);
} dlz_rank_kernel;

DLZ_KERNEL_TABLE(dlz_rank_kernel, dlz_rank)

#endif
