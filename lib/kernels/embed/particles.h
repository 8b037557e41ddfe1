/* kernels/embed/particles.h - between points and the nodes of a grid: B-splines of order 6, and the
 * near part of the repulsion.
 *
 * A point at (x, y), in cells, touches the 6 x 6 nodes from (floor x, floor y) on, with the weights
 * of a B-spline of degree 5. See C. Sagui, T. Darden, Annu. Rev. Biophys. Biomol. Struct. 28, 1999.
 */
#ifndef DLZ_KERNELS_EMBED_PARTICLES_H
#define DLZ_KERNELS_EMBED_PARTICLES_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stdint.h>

#define DLZ_SPLINE_ORDER 6
/* Nodes read and written beyond floor x in a row. */
#define DLZ_SPLINE_REACH 8

/* The near part: sources nearer than `radius` contribute the potential c(u), u = d^2, which makes a
 * smooth long-range part whole: c = q - T, with q = (1 + u / a)^-a and T its Taylor polynomial of
 * degree DLZ_NEAR_DEGREE in u around radius^2. */
#define DLZ_NEAR_DEGREE 5
typedef struct dlz_near {
    float a, reach;                    /* reach = radius^2 */
    float taylor[DLZ_NEAR_DEGREE + 1]; /* of (reach - u)^k; used when a is not 1 */
} dlz_near;

/* Contiguous sources. */
typedef struct dlz_range {
    int64_t first, last;
} dlz_range;

typedef struct dlz_particles_kernel {
    /* Adds the weights of points first ... last - 1 to the grid. */
    void (*spread)(const float *x, const float *y, int64_t first, int64_t last, float *grid,
                   int64_t stride);
    /* Reads potential[i] and its derivatives, per cell, at the points. */
    void (*gather)(const float *x, const float *y, int64_t first, int64_t last, const float *grid,
                   int64_t stride, float *potential, float *dx, float *dy);
    /* Adds the near potential of the sources in `ranges` to potential[i] and their forces
     * -c'(u) (y_i - y_j) to fx[i] and fy[i], for the targets first ... last - 1. Coordinates are in
     * cells of the given width, forces in map units. Sources are readable 16 floats beyond the
     * last. */
    void (*near)(const dlz_near *near, float cell, const float *x, const float *y, int64_t first,
                 int64_t last, const float *source_x, const float *source_y,
                 const dlz_range *ranges, int count, float *potential, float *fx, float *fy);
    /* Least and greatest coordinate, each dimension; false when one is not finite. */
    bool (*extent)(const float *map, int64_t n, int dimensions, float *least, float *greatest);
} dlz_particles_kernel;

DLZ_KERNEL_TABLE(dlz_particles_kernel, dlz_particles)

#endif
