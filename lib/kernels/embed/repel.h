/* kernels/embed/repel.h - similarity in a map and the repulsion it causes, summed over a list of
 * sources.
 *
 * Similarity is s = (1 + d^2 / a)^-a; the force of a source is s w (y - x), w = 1 / (1 + d^2 / a).
 */
#ifndef DLZ_KERNELS_EMBED_REPEL_H
#define DLZ_KERNELS_EMBED_REPEL_H

#include "kernels/select.h"

#include <stdint.h>

#define DLZ_REPEL_TARGETS 64

/* Cells of points, an array for each property. */
typedef struct dlz_repel_cells {
    const float *center[3]; /* of mass */
    const float *mass;      /* number of points */
    const float *second[6]; /* sums of products of the distances from the center: xx yy zz xy xz yz;
                               one dimension needs the first, two the first two and xy */
} dlz_repel_cells;

typedef struct dlz_repel_kernel {
    /* Adds to similarity[t] and force[c][t], t < DLZ_REPEL_TARGETS, what `count` sources
     * contribute, in the order given. Long lists are to be cut by the caller into pieces of a few
     * thousand, since the sums are float. */
    void (*sum)(int dimensions, float a, const float *const targets[3],
                const float *const sources[3], int64_t count, float *const force[3],
                float *similarity);
    /* The same where the sources are the first `count` targets themselves, of which each leaves
     * itself out: beside the 1 of a point to itself, a float forgets what far points add. */
    void (*sum_among)(int dimensions, float a, const float *const targets[3], int64_t count,
                      float *const force[3], float *similarity);
    /* The same of cells, whose points count with the first three terms of the Taylor series of s
     * about the center of mass. */
    void (*expand)(int dimensions, float a, const float *const targets[3],
                   const dlz_repel_cells *cells, int64_t count, float *const force[3],
                   float *similarity);
} dlz_repel_kernel;

DLZ_KERNEL_TABLE(dlz_repel_kernel, dlz_repel)

#endif
