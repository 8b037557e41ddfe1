/* kernels/embed/distance.h - squared distances whose equality means something.
 *
 * Each is the sum of the squared differences of the coordinates, in float64, one column after the
 * other and without fused operations: the same bits on every instruction set and whichever pairs
 * are computed together. So distances that are equal by their coordinates come out equal wherever
 * float64 holds the sums exactly (as with whole numbers), and where the same differences come in
 * the same order. Nothing cancels, whatever lies far from the origin or from the other points. */
#ifndef DLZ_KERNELS_EMBED_DISTANCE_H
#define DLZ_KERNELS_EMBED_DISTANCE_H

#include "kernels/select.h"

#include <stdint.h>

#define DLZ_DISTANCE_PANEL 16 /* points a panel: [dimension][DLZ_DISTANCE_PANEL] */
#define DLZ_DISTANCE_GROUP 12 /* queries a group: [dimension][DLZ_DISTANCE_GROUP] */
#define DLZ_DISTANCE_LIST 16  /* rows a list */

typedef struct dlz_distance_kernel {
    /* squares[q * stride + p]: from query q of the group to point p of the panel. */
    void (*panel)(const double *group, const float *panel, int64_t d, double *squares,
                  int64_t stride);
    /* squares[r]: from one point to each of DLZ_DISTANCE_LIST rows, which may be the same. */
    void (*list)(const float *query, const float *const *rows, int64_t d, double *squares);
    double (*one)(const float *a, const float *b, int64_t d);
} dlz_distance_kernel;

DLZ_KERNEL_TABLE(dlz_distance_kernel, dlz_distance)

#endif
