/* dlviz/metrics.h - how faithful a map is, how well classes separate, how good predictions are. */
#ifndef DLVIZ_METRICS_H
#define DLVIZ_METRICS_H

#include <dlviz/comm.h>
#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Every function may be called from any thread, uses the library's threads, and gives the same bits
 * for any number of them. All return DLVIZ_OK, DLVIZ_ERROR_INVALID_ARGUMENT (NULL, or a number out
 * of range), DLVIZ_ERROR_SHAPE (element types or shapes do not fit), DLVIZ_ERROR_NUMERIC (a value
 * that is NaN, infinite or too large) or DLVIZ_ERROR_OUT_OF_MEMORY; those of maps, and of classes
 * in them, also DLVIZ_CANCELLED (dlviz_set_progress). After a failure a double result is 0 and a
 * tensor NULL. Labels are n of uint8 or int64. */

/* -- Maps ------------------------------------------------------------------------------------- */

/* Points are n x d float32, finite and small enough (up to 4.6e18 / sqrt(d)) for squared distances
 * to be finite too; a map is n x e float32 with a row for each point.
 *
 * Distances are Euclidean and computed in float64 from the differences of the coordinates, column
 * after column: d(i, j) = sqrt(Σ_c (x_ic - x_jc)²). Nothing cancels, so neither an offset of all
 * points nor one that lies far from the others costs digits. Distances are equal when these numbers
 * are: exactly as the coordinates say for whole numbers (of up to 9e15 when squared and summed),
 * for zeros and ones times any number, for equal points and for whatever has the same differences
 * in the same order. Of points equally far from i, those of lower indices are the nearer ones where
 * k are chosen. Results are those of this definition on every processor, whatever the BLAS; where
 * differences remain (sums of roots), they are below 1e-12. */

/** Trustworthiness: whether the map's neighbors are neighbors in the data. 1 is best.
 *  1 - 2 / (n k (2n - 3k - 1)) · Σ_i Σ_{j among i's k nearest in the map} max(0, r(i, j) - k),
 *  where r(i, j) is j's rank by distance from i in the data (1 is the nearest; equal distances
 *  share the smaller rank). Venna & Kaski, ICANN 2001. Takes time n² (d + k), and memory for a copy
 *  of the points, or where many distances are equal two copies and 36 n numbers for each thread.
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

/** Spearman's rank correlation between the distances of pairs in the data and in the map (equal
 *  distances get their mean rank; 0 when all distances are equal). -1 to 1.
 *  @param num_pairs  how many pairs to draw, 2 to 100,000,000; or 0 for 2,000,000. All
 *                    n (n - 1) / 2 pairs are used instead when they are no more than that.
 *  @param seed       decides which pairs are drawn */
DLVIZ_CHECKED dlviz_status dlviz_metrics_distance_correlation(const dlviz_tensor *points,
                                                              const dlviz_tensor *map,
                                                              int64_t num_pairs, uint64_t seed,
                                                              double *result);

/* -- Classes in a map or in the data ---------------------------------------------------------- */

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
 *  Applied Mathematics 1987. Takes time n² d, and memory for a copy of the points and 36 n numbers
 *  for each thread. Needs 2 to n - 1 different labels. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_silhouette(const dlviz_tensor *points,
                                                    const dlviz_tensor *labels, double *result);

/* -- Of a sample ------------------------------------------------------------------------------ */

/* What these measures say of each point, for some of the points, chosen at random, instead of all;
 * the neighbors, ranks and classes are among all points, as they are there. Time is n · num_samples
 * instead of n².
 *
 * - num_samples: how many points, 1 or more; all where there are no more, which gives the whole
 *   measure to the last bit.
 * - seed: decides which points.
 * - standard_error: receives the deviation of the result's error, s √((1 - m / n) / m) for m of n
 *   points whose own values have the sample's deviation s: the whole measure lies within twice as
 *   much in about 95 of 100 cases. For 1,000 of 70,000, where shares are measured, at most 0.016.
 *   0 when all points are measured, NaN when one is. Or NULL.
 *
 * All else is as without _sampled. */

/** Trustworthiness (see above) of a sample. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_trustworthiness_sampled(
    const dlviz_tensor *points, const dlviz_tensor *map, int64_t num_neighbors, int64_t num_samples,
    uint64_t seed, double *result, double *standard_error);
/** Continuity of a sample. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_continuity_sampled(const dlviz_tensor *points,
                                                            const dlviz_tensor *map,
                                                            int64_t num_neighbors,
                                                            int64_t num_samples, uint64_t seed,
                                                            double *result, double *standard_error);
/** Neighbor preservation of a sample. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_neighbor_preservation_sampled(
    const dlviz_tensor *points, const dlviz_tensor *map, int64_t num_neighbors, int64_t num_samples,
    uint64_t seed, double *result, double *standard_error);
/** The accuracy of k-nearest-neighbor classification, of a sample. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_neighbor_accuracy_sampled(
    const dlviz_tensor *points, const dlviz_tensor *labels, int64_t num_neighbors,
    int64_t num_samples, uint64_t seed, double *result, double *standard_error);
/** The mean silhouette of a sample. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_silhouette_sampled(const dlviz_tensor *points,
                                                            const dlviz_tensor *labels,
                                                            int64_t num_samples, uint64_t seed,
                                                            double *result, double *standard_error);

/* -- By ranks --------------------------------------------------------------------------------- */

/* The same by the ranks of a communicator, which share the work: each calls it with all points and
 * the same settings, and receives the result of one process, to the bit. num_samples, seed and
 * standard_error are those of a sample; num_samples INT64_MAX: of all points. A rank needs the
 * memory that one process does, and some 2 MB.
 *
 * - comm: NULL for one process alone.
 *
 * Where they fail on one rank, or one's progress function cancels them, they do on all: the others
 * return DLVIZ_ERROR_COMM (or DLVIZ_CANCELLED), and the sentence names that rank, or the one that
 * was given something else. All but a rank that cannot be reached leaves the communicator as it
 * was. */

/** Trustworthiness by ranks. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_trustworthiness_shared(
    dlviz_comm *comm, const dlviz_tensor *points, const dlviz_tensor *map, int64_t num_neighbors,
    int64_t num_samples, uint64_t seed, double *result, double *standard_error);
/** Continuity by ranks. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_continuity_shared(
    dlviz_comm *comm, const dlviz_tensor *points, const dlviz_tensor *map, int64_t num_neighbors,
    int64_t num_samples, uint64_t seed, double *result, double *standard_error);
/** Neighbor preservation by ranks. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_neighbor_preservation_shared(
    dlviz_comm *comm, const dlviz_tensor *points, const dlviz_tensor *map, int64_t num_neighbors,
    int64_t num_samples, uint64_t seed, double *result, double *standard_error);
/** The accuracy of k-nearest-neighbor classification by ranks. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_neighbor_accuracy_shared(
    dlviz_comm *comm, const dlviz_tensor *points, const dlviz_tensor *labels, int64_t num_neighbors,
    int64_t num_samples, uint64_t seed, double *result, double *standard_error);
/** The mean silhouette by ranks. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_silhouette_shared(dlviz_comm *comm,
                                                           const dlviz_tensor *points,
                                                           const dlviz_tensor *labels,
                                                           int64_t num_samples, uint64_t seed,
                                                           double *result, double *standard_error);
/** The rank correlation of distances by ranks; num_pairs and seed as there. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_distance_correlation_shared(dlviz_comm *comm,
                                                                     const dlviz_tensor *points,
                                                                     const dlviz_tensor *map,
                                                                     int64_t num_pairs,
                                                                     uint64_t seed, double *result);

/* -- Predicted classes --------------------------------------------------------------------------
 *
 * Predictions come first, as they do in PyTorch's losses; scikit-learn takes them second. */

/** The share of right predictions.
 *  @param predictions  n x C float32 scores (logits or probabilities, finite: the largest counts,
 *                      the first of equal ones), or n labels of uint8 or int64
 *  @param labels       n of uint8 or int64 */
DLVIZ_CHECKED dlviz_status dlviz_metrics_accuracy(const dlviz_tensor *predictions,
                                                  const dlviz_tensor *labels, double *result);

/** The share of items whose label is among the k classes of the largest scores. Of equal scores the
 *  first ones count as larger, so that k = 1 is dlviz_metrics_accuracy (scikit-learn takes the last
 *  ones).
 *  @param scores  n x C float32, finite
 *  @param labels  0 … C - 1
 *  @param k       1 to C */
DLVIZ_CHECKED dlviz_status dlviz_metrics_top_k_accuracy(const dlviz_tensor *scores,
                                                        const dlviz_tensor *labels, int64_t k,
                                                        double *result);

/** The confusion matrix: entry (i, j) counts the items of class i that were predicted as class j.
 *  @param predictions  as in dlviz_metrics_accuracy
 *  @param labels       n of uint8 or int64
 *  @param num_classes  C, 1 to 65,536: labels and predictions must be 0 … C - 1; or 0 for the
 *                      fewest that hold all of them (at least the columns of scores)
 *  @param matrix       receives C x C int64, the caller's to destroy */
DLVIZ_CHECKED dlviz_status dlviz_metrics_confusion(const dlviz_tensor *predictions,
                                                   const dlviz_tensor *labels, int64_t num_classes,
                                                   dlviz_tensor **matrix);

/** How the results for single classes (labels of a multi-label problem, numbers of a regression)
 *  become one, as in scikit-learn. */
typedef enum dlviz_average {
    DLVIZ_AVERAGE_MACRO = 0,   /**< their mean: each counts alike */
    DLVIZ_AVERAGE_MICRO = 1,   /**< the result of all of them taken together */
    DLVIZ_AVERAGE_WEIGHTED = 2 /**< their mean, each weighted by how many items are of it */
} dlviz_average;

/** Precision: the share of what was predicted as a class that is of it; 0 if nothing was. Averaged
 *  over the classes that there are among labels or predictions. With DLVIZ_AVERAGE_MICRO precision,
 *  recall and F1 are all the accuracy.
 *  @param predictions  as in dlviz_metrics_accuracy; classes are 0 … 65,535
 *  @param labels       of the same classes */
DLVIZ_CHECKED dlviz_status dlviz_metrics_precision(const dlviz_tensor *predictions,
                                                   const dlviz_tensor *labels,
                                                   dlviz_average average, double *result);

/** Recall: the share of a class's items that were predicted as such; 0 if it has none. Otherwise as
 *  dlviz_metrics_precision. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_recall(const dlviz_tensor *predictions,
                                                const dlviz_tensor *labels, dlviz_average average,
                                                double *result);

/** F1: the harmonic mean of a class's precision and recall, 2 TP / (2 TP + FP + FN); 0 if both are.
 *  Otherwise as dlviz_metrics_precision. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_f1(const dlviz_tensor *predictions,
                                            const dlviz_tensor *labels, dlviz_average average,
                                            double *result);

/** Precision, recall and F1 of each class, without averaging. Of a problem with two classes, row 1
 *  is what is often called the precision, the recall and the F1.
 *  @param num_classes  as in dlviz_metrics_confusion
 *  @param scores       receives C x 3 float32, the caller's to destroy
 *  @param support      receives how many labels are of each class: C int64, the caller's to
 *                      destroy; or NULL */
DLVIZ_CHECKED dlviz_status dlviz_metrics_per_class(const dlviz_tensor *predictions,
                                                   const dlviz_tensor *labels, int64_t num_classes,
                                                   dlviz_tensor **scores, dlviz_tensor **support);

/** The mean of -ln p, where p is the probability that an item's label was given. 0 is best.
 *  Probabilities are taken to be 1.2e-7 (float32's epsilon) to 1 minus that, and then divided
 *  by their sum.
 *  @param probabilities  n x C float32, C 2 or more, such as dlviz_softmax gives: of 0 to 1, in
 *                        each row adding up to 1 (within 0.001)
 *  @param labels         0 … C - 1 */
DLVIZ_CHECKED dlviz_status dlviz_metrics_log_loss(const dlviz_tensor *probabilities,
                                                  const dlviz_tensor *labels, double *result);

/* -- Yes or no -------------------------------------------------------------------------------- */

/* Scores are n, or n x L for L questions (labels of a multi-label problem), of finite float32:
 * logits or probabilities, since only their order counts. Targets are as many of float32, uint8 or
 * int64: 1 for yes, 0 for no. */

/** The area under the ROC curve: the share of pairs of a yes and a no in which the yes has the
 *  higher score; a tie counts half. 0.5 is chance, 1 is best. Fails with
 *  DLVIZ_ERROR_INVALID_ARGUMENT where a question has only yes or only no (with
 *  DLVIZ_AVERAGE_MICRO: where all targets are equal).
 *  @param average  over questions; any will do for one */
DLVIZ_CHECKED dlviz_status dlviz_metrics_roc_auc(const dlviz_tensor *scores,
                                                 const dlviz_tensor *targets, dlviz_average average,
                                                 double *result);

/** Average precision, which sums up the curve of precision over recall: Σ (R_k - R_(k-1)) P_k over
 *  the different scores in descending order, with P_k and R_k the precision and the recall of what
 *  has at least score k. 0 where no target is yes.
 *  @param average  over questions; any will do for one */
DLVIZ_CHECKED dlviz_status dlviz_metrics_average_precision(const dlviz_tensor *scores,
                                                           const dlviz_tensor *targets,
                                                           dlviz_average average, double *result);

/* -- Numbers ---------------------------------------------------------------------------------- */

/* Outputs are n samples of any shape, n x …, of finite float32; targets are of the same shape. */

/** The mean absolute error. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_mae(const dlviz_tensor *outputs,
                                             const dlviz_tensor *targets, double *result);

/** The mean squared error. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_mse(const dlviz_tensor *outputs,
                                             const dlviz_tensor *targets, double *result);

/** The root of the mean squared error; where a sample has several numbers, the mean of each one's,
 *  as in scikit-learn. */
DLVIZ_CHECKED dlviz_status dlviz_metrics_rmse(const dlviz_tensor *outputs,
                                              const dlviz_tensor *targets, double *result);

/** R², the coefficient of determination: 1 - Σ (output - target)² / Σ (target - mean)². 1 is best,
 *  0 is what the targets' mean would get. For constant targets it is 1 if they were met, else 0.
 *  Needs 2 samples.
 *  @param average  over the numbers of a sample: DLVIZ_AVERAGE_MACRO (scikit-learn's default);
 *                  DLVIZ_AVERAGE_MICRO, which divides sums over all numbers, as the losses' metric
 *                  "r2" does; or DLVIZ_AVERAGE_WEIGHTED by the targets' variances */
DLVIZ_CHECKED dlviz_status dlviz_metrics_r2(const dlviz_tensor *outputs,
                                            const dlviz_tensor *targets, dlviz_average average,
                                            double *result);

#ifdef __cplusplus
}
#endif
#endif
