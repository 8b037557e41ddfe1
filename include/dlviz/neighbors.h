/* dlviz/neighbors.h - which points lie nearest to which.
 *
 *     dlviz_tensor *indices;
 *     dlviz_neighbors(features, 10, 1, &indices, NULL);     // features: n x d, indices: n x 10 */
#ifndef DLVIZ_NEIGHBORS_H
#define DLVIZ_NEIGHBORS_H

#include <dlviz/comm.h>
#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The nearest other points of each point, by the distances of dlviz/metrics.h: Euclidean, in
 *  float64 from differences, so that distances are equal where the coordinates make them so.
 *  @param points         n x d float32, 2 <= n <= 1,073,741,823, values from -l to l with l =
 *                        4.6e18 / sqrt(d)
 *  @param num_neighbors  k, 1 to n - 1
 *  @param recall         1: exactly the nearest; above 0 and below 1: at least that share of the
 *                        true neighbors of a sample of 256 points is found, which is faster from
 *                        some 10,000 points on. What is found has its true distance either way
 *  @param indices        receives n x k int64, the nearest first, of equally far ones the lower
 *                        index first; the caller's to destroy. A point is never its own neighbor;
 *                        points that coincide with it are
 *  @param distances      receives n x k float32, the distances of these, the caller's to destroy;
 *                        or NULL
 *  May be called from any thread; the same bits for any number of threads. Returns
 *  DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC (a value is NaN, infinite
 *  or too large to square), DLVIZ_ERROR_UNSUPPORTED (more points), DLVIZ_ERROR_OUT_OF_MEMORY, or
 *  DLVIZ_CANCELLED (dlviz_set_progress). */
DLVIZ_CHECKED dlviz_status dlviz_neighbors(const dlviz_tensor *points, int64_t num_neighbors,
                                           double recall, dlviz_tensor **indices,
                                           dlviz_tensor **distances);

/** dlviz_neighbors by the ranks of a communicator, which share the work: each calls it with all
 *  points and the same settings, and receives all results, those of one process to the bit. A rank
 *  needs the memory that one process does, and some 2 MB.
 *  @param comm  NULL: one process alone
 *  Returns what dlviz_neighbors returns, and DLVIZ_ERROR_COMM: another rank failed, or cannot be
 *  reached. Where it fails on one rank, or one's progress function cancels it, it does on all; the
 *  sentence names that rank, or the one that was given something else. All but a rank that cannot
 *  be reached leaves the communicator as it was. */
DLVIZ_CHECKED dlviz_status dlviz_neighbors_shared(dlviz_comm *comm, const dlviz_tensor *points,
                                                  int64_t num_neighbors, double recall,
                                                  dlviz_tensor **indices, dlviz_tensor **distances);

#ifdef __cplusplus
}
#endif
#endif
