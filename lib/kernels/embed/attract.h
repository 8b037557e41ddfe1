/* kernels/embed/attract.h - the attraction along the edges of a sparse affinity matrix, its
 * divergence, and the step of the descent. */
#ifndef DLZ_KERNELS_EMBED_ATTRACT_H
#define DLZ_KERNELS_EMBED_ATTRACT_H

#include "kernels/select.h"

#include <stdint.h>

#define DLZ_EDGE_GROUP 16

/* A sparse matrix by rows, each row a number of groups of edges. Every iteration reads all of it,
 * from main memory when points are many, so that an edge has 4 bytes instead of 8: edge e of the
 * matrix, of the group g = e / DLZ_EDGE_GROUP, leads to point bases[g] + columns[e], and its value
 * is scales[row] values[e]. Where the edges of a row lead so far apart that groups stay half empty,
 * wide holds the points themselves, and bases and columns are NULL. Edges of value 0 fill groups
 * up. */
typedef struct dlz_edges {
    const int64_t *groups; /* rows + 1: where each row's groups begin */
    const int32_t *bases, *wide;
    const uint16_t *columns, *values;
    const float *scales;
} dlz_edges;

/* What moves the points. */
typedef struct dlz_descent {
    float exaggeration,
        repulsion_scale; /* gradient = exaggeration x attraction - scale x repulsion */
    float momentum, learning_rate;
    const float *attraction, *repulsion;
    float *map, *velocity, *gains;
} dlz_descent;

typedef struct dlz_attract_kernel {
    /* forces[i] = sum over the edges of row i of p w (y_i - y_j), w = 1 / (1 + d^2 / a), for the
     * rows first ... last - 1; map and forces are points x dimensions. */
    void (*forces)(int dimensions, float a, const float *map, const dlz_edges *edges, int64_t first,
                   int64_t last, float *forces);
    /* Sum over the edges of these rows of p a ln(1 + d^2 / a). */
    double (*divergence)(int dimensions, float a, const float *map, const dlz_edges *edges,
                         int64_t first, int64_t last);
    /* Moves the coordinates first ... last - 1 by one step: gains as in R. Jacobs, "Increased rates
     * of convergence through learning rate adaptation", 1988. Returns the sum of the squared
     * gradient. */
    double (*step)(const dlz_descent *descent, int64_t first, int64_t last);
} dlz_attract_kernel;

DLZ_KERNEL_TABLE(dlz_attract_kernel, dlz_attract)

#endif
