/* kernels/embed/rank.h - counting, for the ranks of distances.
 *
 * Distances that count are those of kernels/embed/distance.h, in float64. Where values in float32
 * say nearly as much, most points are counted by these, at a fraction of the work: a value below
 * `low` is of a distance below the limit, one of `high` and more is not, and what lies between
 * them is told apart by its distance. */
#ifndef DLZ_KERNELS_EMBED_RANK_H
#define DLZ_KERNELS_EMBED_RANK_H

#include "kernels/embed/knn.h"

#include <stdint.h>

typedef struct dlz_rank_kernel {
    /* counts[j] = how many of the n values are below limits[j], for j < k. */
    void (*count_below)(const double *values, int64_t n, const double *limits, int64_t k,
                        int64_t *counts);
    /* values[q * stride + p]: half the squared norm of point p of the panel minus its product with
     * query q of the group; panels and groups are those of kernels/embed/knn.h. */
    void (*values)(const float *queries, const float *panel, const float *half_norms, int64_t d,
                   float *values, int64_t stride);
    /* Adds to counts[j] how many of the n values are below low[j], and sets between[j] to how many
     * are not, but below high[j]. n is a multiple of DLZ_KNN_PANEL. */
    void (*count_around)(const float *values, int64_t n, const float *low, const float *high,
                         int64_t k, int64_t *counts, int32_t *between);
} dlz_rank_kernel;

DLZ_KERNEL_TABLE(dlz_rank_kernel, dlz_rank)

#endif
