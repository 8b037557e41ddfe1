/* metrics/quality.h - what the measures of embedding quality share. */
#ifndef DLZ_QUALITY_H
#define DLZ_QUALITY_H

#include "kernels/embed/distance.h"
#include "tensor/tensor.h"

/* Fails unless `points` is a matrix that dlz_require_distances accepts, with at least `least` rows.
 */
dlviz_status dlz_require_points(const char *who, const char *name, const dlviz_tensor *points,
                                int64_t least);
/* dlz_require_points for both, and as many rows. */
dlviz_status dlz_require_map(const char *who, const dlviz_tensor *points, const dlviz_tensor *map,
                             int64_t least);
/* Fails unless `labels` is n of uint8 or int64. */
dlviz_status dlz_require_labels(const char *who, const char *name, const dlviz_tensor *labels,
                                int64_t n);
static inline int64_t dlz_label(const dlviz_tensor *labels, int64_t i) {
    return labels->dtype == DLVIZ_UINT8 ? ((const uint8_t *)labels->data)[i]
                                        : ((const int64_t *)labels->data)[i];
}

/* Distances from DLZ_DISTANCE_ROWS points at a time to all points, as kernels/embed/distance.h has
 * them: equal distances are equal numbers. */
#define DLZ_DISTANCE_ROWS (3 * DLZ_DISTANCE_GROUP)

typedef struct dlz_distances {
    const float *points;
    int64_t n, d, stride; /* stride: from one row to the next, >= n */
    float *panels;        /* the points once more, [panel][d][DLZ_DISTANCE_PANEL] */
    size_t scratch;       /* doubles that dlz_distance_rows needs */
} dlz_distances;

dlviz_status dlz_distances_start(dlz_distances *distances, const dlviz_tensor *points);
void dlz_distances_end(dlz_distances *distances);
/* rows[DLZ_DISTANCE_ROWS x stride]: squared distances from the points first ...; infinity from a
 * point to itself. Returns how many rows there are. */
int64_t dlz_distance_rows(const dlz_distances *distances, int64_t first, double *scratch,
                          double *rows);

#endif
