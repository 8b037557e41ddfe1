/* metrics/quality.h - what the measures of embedding quality share. */
#ifndef DLZ_QUALITY_H
#define DLZ_QUALITY_H

#include "kernels/embed/distance.h"
#include "tensor/tensor.h"

#include <dlviz/comm.h>

/* What both receive on failure, also where the communicator is refused; each may be NULL. */
static inline void dlz_clear_results(double *result, double *standard_error) {
    if (result)
        *result = 0;
    if (standard_error)
        *standard_error = 0;
}

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

/* Fails, on all ranks, unless all ask for the same; num_neighbors 0: where there are none. */
dlviz_status dlz_require_same_samples(dlviz_comm *comm, const char *who, int64_t num_neighbors,
                                      int64_t num_samples, uint64_t seed);

/* The points that a measure is taken of. */
typedef struct dlz_sample {
    int64_t count;
    int32_t *points; /* ascending; NULL: all, 0 … count − 1 */
} dlz_sample;

/* So many of n points at random, none twice, from the seed; all where there are no more. */
dlviz_status dlz_sample_draw(const char *who, int64_t n, int64_t num_samples, uint64_t seed,
                             dlz_sample *sample);
void dlz_sample_free(dlz_sample *sample);
static inline int64_t dlz_sample_point(const dlz_sample *sample, int64_t i) {
    return sample->points ? sample->points[i] : i;
}

/* The k nearest others of each point of the sample, as dlviz_neighbors finds them: count x k, the
 * caller's to free. Ranks share the work, and fail together. */
dlviz_status dlz_sample_neighbors(dlviz_comm *comm, const dlviz_tensor *points,
                                  const dlz_sample *sample, int64_t k, int32_t **indices);

/* The mean of the values of a sample's points, each divided by `unit`, and, unless NULL, its
 * standard error as an estimate of the mean of all n: 0 where the sample is all points, NaN where
 * it is one. */
double dlz_sample_mean(const dlz_sample *sample, int64_t n, const double *values, double unit,
                       double *standard_error);

/* excess[i]: sum of max(0, rank - k) over the k given neighbors of the sample's point i, where a
 * neighbor's rank is one more than the number of points nearer than it. Ranks share the work, and
 * fail together. */
dlviz_status dlz_rank_excess(dlviz_comm *comm, const dlviz_tensor *points, const dlz_sample *sample,
                             const int32_t *neighbors, int64_t k, int64_t *excess);

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
/* rows[DLZ_DISTANCE_ROWS x stride]: squared distances from the sample's points first ...; infinity
 * from a point to itself. Returns how many rows there are. */
int64_t dlz_distance_rows(const dlz_distances *distances, const dlz_sample *sample, int64_t first,
                          double *scratch, double *rows);

#endif
