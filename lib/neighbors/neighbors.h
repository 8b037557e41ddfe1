/* neighbors/neighbors.h - the k nearest neighbors of points.
 *
 * Each of these may be shared by the ranks of a communicator, or be one process's alone (NULL). All
 * ranks then call it with the same points, queries and settings, which they have made sure of
 * (dlz_comm_require_same), and receive the results of one process, to the bit. It fails on all
 * ranks if it fails on one, and the communicator stays usable. */
#ifndef DLZ_NEIGHBORS_H
#define DLZ_NEIGHBORS_H

#include <dlviz/comm.h>

/* The k nearest other points of each of n points in d dimensions (n x d, finite): indices and
 * squared Euclidean distances, n x k, ascending by (distance, index). A point is never its own
 * neighbor; points that coincide with it are. 1 <= k < n. Distances are compared in float64 as
 * kernels/embed/distance.h defines them; of points that are equally far those of the lowest indices
 * come in. The result depends on the points alone: not on threads, nor on the instruction set.
 * Fails with DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_UNSUPPORTED (more points than half of
 * INT32_MAX), DLVIZ_ERROR_NUMERIC (squared distances beyond float32) or DLVIZ_ERROR_OUT_OF_MEMORY.
 */
dlviz_status dlz_knn_exact(dlviz_comm *comm, const float *points, int64_t n, int64_t d, int k,
                           int32_t *indices, float *squared_distances);

/* The k nearest of n points to each of m queries, 1 <= k <= n; results m x k. */
dlviz_status dlz_knn_query(dlviz_comm *comm, const float *points, int64_t n, const float *queries,
                           int64_t m, int64_t d, int k, int32_t *indices, float *squared_distances);

/* As dlz_knn_exact for up to DLZ_KNN_EXACT_POINTS points; beyond, dlz_knn_approximate with a recall
 * of 0.99. */
#define DLZ_KNN_EXACT_POINTS 150000
dlviz_status dlz_knn_search(dlviz_comm *comm, const float *points, int64_t n, int64_t d, int k,
                            int32_t *indices, float *squared_distances);

/* dlz_knn_search, but which of equally far points come in is drawn from (seed, the point), for each
 * point anew: where all would choose the lowest indices, these would become neighbors of
 * everybody. Only the last distance of a point can be shared by points left out. */
dlviz_status dlz_knn_search_drawn(dlviz_comm *comm, const float *points, int64_t n, int64_t d,
                                  int k, uint64_t seed, int32_t *indices, float *squared_distances);

/* Looks for each point's neighbors only among the points of the clusters (k-means) nearest to its
 * own. As many of these as hold this share of the true neighbors of a sample of 256 points; all
 * for a recall of 1. Distances are those of the points found; the same input gives the same result
 * for any number of threads. The inverted file of H. Jegou et al., "Product quantization for
 * nearest neighbor search", 2011, without the quantization. */
dlviz_status dlz_knn_approximate(dlviz_comm *comm, const float *points, int64_t n, int64_t d, int k,
                                 double recall, int32_t *indices, float *squared_distances);

#endif
