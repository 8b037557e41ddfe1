/* kernels/knn.h - which of many points are nearest to a few: dot products and selection in one
 * pass.
 *
 * A point enters as half its squared norm minus the dot product with the query, which orders points
 * as their distances do: |q - c|^2 / 2 = |q|^2 / 2 + (|c|^2 / 2 - q.c). That value is compared with
 * the query's limit while it is still in a register; what passes goes into the query's buffer. */
#ifndef DLZ_KERNELS_KNN_H
#define DLZ_KERNELS_KNN_H

#include "kernels/select.h"

#include <stdint.h>

#define DLZ_KNN_PANEL 32 /* points a packed panel: [dimension][DLZ_KNN_PANEL] */
#define DLZ_KNN_GROUP 12 /* queries a packed group: [dimension][DLZ_KNN_GROUP] */

/* The points as given, for distances without cancellation. */
typedef struct dlz_knn_source {
    const float *points;
    const int32_t *ids; /* the point in each place of the panels; NULL: the place itself */
    int64_t d;
} dlz_knn_source;

/* What a query has found. An entry's high half orders as the value does, its low half is the place.
 * A value is half the squared distance, and off by up to `error`, since panels and queries are
 * multiplied, which cancels. */
typedef struct dlz_knn_buffer {
    uint64_t *entries; /* capacity of them; capacity >= 9 * keep / 4 + DLZ_KNN_PANEL */
    int32_t count, capacity, keep;
    int32_t self;        /* the place that is never a neighbour, or -1 */
    float threshold;     /* products below it are of interest */
    float offset, error; /* from product to value; of a value */
    const float *query;
    const dlz_knn_source *source;
} dlz_knn_buffer;

typedef struct dlz_knn_kernel {
    /* Compares the points first ... first + DLZ_KNN_PANEL - 1 with a group of queries. half_norms
     * of points that do not exist are +infinity. */
    void (*scan)(const float *queries, const float *panel, const float *half_norms, int64_t d,
                 int32_t first, dlz_knn_buffer *buffers);
    /* Sum of (a[i] - b[i])^2. */
    float (*squared_distance)(const float *a, const float *b, int64_t d);
    /* Keeps the `keep` smallest entries of a buffer, up to an eighth more, and those that may be as
     * small by their errors; when these are more than half the buffer, takes the distances anew
     * from the source. Lowers the threshold. */
    void (*compact)(dlz_knn_buffer *buffer);
} dlz_knn_kernel;

DLZ_KERNEL_TABLE(dlz_knn_kernel, dlz_knn)

#endif
