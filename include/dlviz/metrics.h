/* dlviz/metrics.h - how faithful a map is, how well classes separate, how good predictions are. */
#ifndef DLVIZ_METRICS_H
#define DLVIZ_METRICS_H

#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Points are n x d float32, finite and small enough (up to 4.6e18 / sqrt(d)) for squared distances
 * to be finite too; a map is n x e float32 with a row for each point; labels are n of uint8 or
 * int64.
 *
 * Distances are Euclidean and computed in float64 from the differences of the coordinates, column
 * after column: d(i, j) = sqrt(Σ_c (x_ic - x_jc)²). Nothing cancels, so neither an offset of all
 * points nor one that lies far from the others costs digits. Distances are equal when these numbers
 * are: exactly as the coordinates say for whole numbers (of up to 9e15 when squared and summed),
 * for zeros and ones times any number, for equal points and for whatever has the same differences
 * in the same order. Of points equally far from i, those of lower indices are the nearer ones where
 * k are chosen. Results are those of this definition on every processor, whatever the BLAS; where
 * differences remain (sums of roots), they are below 1e-12.
 *
 * Every function may be called from any thread, uses the library's threads, and gives the same bits
 * for any number of them. All return DLVIZ_OK, DLVIZ_ERROR_INVALID_ARGUMENT (NULL, or a number out
 * of range), DLVIZ_ERROR_SHAPE (element types or shapes do not fit), DLVIZ_ERROR_NUMERIC (a value
 * that is NaN, infinite or too large) or DLVIZ_ERROR_OUT_OF_MEMORY. After a failure a double result
 * is 0. */

/** Trustworthiness: whether the map's neighbors are neighbors in the data. 1 is best.
 *  1 - 2 / (n k (2n - 3k - 1)) · Σ_i Σ_{j among i's k nearest in the map} max(0, r(i, j) - k),
 *  where r(i, j) is j's rank by distance from i in the data (1 is the nearest; equal distances
 *  share the smaller rank). Venna & Kaski, ICANN 2001. Takes time n² (d + k), and memory for a copy
 *  of the points and 36 n numbers for each thread.
 *  @param num_neighbors  k, 1 or more and below n / 2 */
DLVIZ_CHECKED dlviz_status dlviz_metrics_trustworthiness(const dlviz_tensor *points,
                                                         const dlviz_tensor *map,
                                                         int64_t num_neighbors, double *result);

/** Continuity: whether the data's neighbors are neighbors in the map. Trustworthiness with the
 *  roles of the points and the map exchanged. Venna & Kaski, ICANN 2001. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_continuity(const dlviz_tensor *points,
                                                    const dlviz_tensor *map, int64_t num_neighbors,
                                                    double *result);

/** Neighbor preservation: the mean share of a point's k nearest in the data that are also among its
 *  k nearest in the map. 0 to 1.
 *  @param num_neighbors  k, 1 to n - 1 */
DLVIZ_CHECKED dlviz_status dlviz_metrics_neighbor_preservation(const dlviz_tensor *points,
                                                               const dlviz_tensor *map,
                                                               int64_t num_neighbors,
                                                               double *result);

/** The share of points whose label is the most frequent one among their k nearest other points (of
 *  equally frequent labels the smallest counts): k-nearest-neighbor classification, leaving one
 *  out.
 *  @param num_neighbors  k, 1 to n - 1 */
DLVIZ_CHECKED dlviz_status dlviz_metrics_neighbor_accuracy(const dlviz_tensor *points,
                                                           const dlviz_tensor *labels,
                                                           int64_t num_neighbors, double *result);

/** The mean silhouette: (b - a) / max(a, b) for each point, where a is its mean distance to the
 *  others of its label and b the least of its mean distances to the points of another label; 0 for
 *  a point whose label is unique, or when both are 0. -1 to 1. Rousseeuw, J. Computational and
 *  Applied Mathematics 1987. Takes time n² d and memory as above. Needs 2 to n - 1 different
 *  labels. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_silhouette(const dlviz_tensor *points,
                                                    const dlviz_tensor *labels, double *result);

/** Spearman's rank correlation between the distances of pairs in the data and in the map (equal
 *  distances get their mean rank; 0 when all distances are equal). -1 to 1.
 *  @param num_pairs  how many pairs to draw, 2 to 100,000,000; or 0 for 2,000,000. All
 *                    n (n - 1) / 2 pairs are used instead when they are no more than that.
 *  @param seed       decides which pairs are drawn */
DLVIZ_CHECKED dlviz_status dlviz_metrics_distance_correlation(const dlviz_tensor *points,
                                                              const dlviz_tensor *map,
                                                              int64_t num_pairs, uint64_t seed,
                                                              double *result);

/** The share of right predictions.
 *  @param predictions  n x C float32 scores (logits or probabilities: the largest counts, the first
 *                      of equal ones), or n labels of uint8 or int64
 *  @param labels       n of uint8 or int64 */
DLVIZ_CHECKED dlviz_status dlviz_metrics_accuracy(const dlviz_tensor *predictions,
                                                  const dlviz_tensor *labels, double *result);

/** The confusion matrix: entry (i, j) counts the items of class i that were predicted as class j.
 *  @param predictions  as in dlviz_metrics_accuracy
 *  @param labels       n of uint8 or int64
 *  @param num_classes  C, 1 to 65,536: labels and predictions must be 0 … C - 1; or 0 for the
 *                      fewest that hold all of them (at least the columns of scores)
 *  @param matrix       receives C x C int64, the caller's to destroy */
DLVIZ_CHECKED dlviz_status dlviz_metrics_confusion(const dlviz_tensor *predictions,
                                                   const dlviz_tensor *labels, int64_t num_classes,
                                                   dlviz_tensor **matrix);

#ifdef __cplusplus
}
#endif
#endif
