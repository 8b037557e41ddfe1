/* kernels/repel.h - similarity in a map and the repulsion it causes, summed over a list of sources.
 *
 * Similarity is s = (1 + d^2 / a)^-a; the force of a source is m s w (y - x), w = 1 / (1 + d^2 /
 * a). */
#ifndef DLZ_KERNELS_REPEL_H
#define DLZ_KERNELS_REPEL_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stdint.h>

#define DLZ_REPEL_TARGETS 64

typedef struct dlz_repel_kernel {
    /* Adds to similarity[t] and force[c][t], t < DLZ_REPEL_TARGETS, what `count` sources
     * contribute, in the order given. masses may be NULL: all are 1. Long lists are to be cut by
     * the caller into pieces of a few thousand, since the sums are float. */
    void (*sum)(int dimensions, float a, const float *const targets[3],
                const float *const sources[3], const float *masses, int64_t count,
                float *const force[3], float *similarity);
} dlz_repel_kernel;

DLZ_KERNEL_TABLE(dlz_repel_kernel, dlz_repel)

#endif
