/* dlviz/pca.h - principal component analysis: fit, project, reconstruct, update batch by batch. */
#ifndef DLVIZ_PCA_H
#define DLVIZ_PCA_H

#include <dlviz/comm.h>
#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A principal component analysis of n points with d features: the mean μ, k orthonormal
 *  components (rows of W, k x d) in order of falling variance, and their variances.
 *
 *  Each component's sign makes its largest-magnitude loading positive; of several within 0.1 % of
 *  the largest, such as symmetric data have, it is the first. So the signs are the same for all
 *  solvers and on all processors. For any number of threads the results are the same to the bit.
 *  Variances are unbiased (divided by n - 1). Arithmetic on the data is float64 wherever accuracy
 *  depends on it.
 *
 *  Once fitted, dlviz_pca_transform, dlviz_pca_inverse_transform, dlviz_pca_save and the getters
 *  may be called from several threads at once. All other calls that return a status need the handle
 *  to themselves, and are DLVIZ_ERROR_STATE while another uses it, also from within the fit's
 *  callback. */
typedef struct dlviz_pca dlviz_pca;

/** How the components are found. With m = min(n, d):
 *  - DLVIZ_PCA_SOLVER_COVARIANCE: eigenvectors of the float64 covariance matrix (d x d), or of the
 *    Gram matrix of the points (n x n) when n < d; exact, and the fastest unless few of many
 *    components are wanted. Variances below about 1e-14 of the largest are rounding noise.
 *  - DLVIZ_PCA_SOLVER_SVD: singular value decomposition of the centered data in float64, by way of
 *    QR; keeps variances down to 1e-30 of the largest, takes longest.
 *  - DLVIZ_PCA_SOLVER_RANDOMIZED: randomized block Krylov iteration on the data itself, without any
 *    m x m matrix (Halko, Martinsson, Shkolnisky, Tygert, SIAM J. Sci. Comput. 2011; Musco & Musco,
 *    NeurIPS 2015); for large m and few components. Where 200 products do not suffice, COVARIANCE
 *    takes over.
 *  - DLVIZ_PCA_SOLVER_AUTO (the default): whichever of the two gets there sooner. That is
 *    RANDOMIZED, iterated until its variances are exact, when 30 (components + oversampling) <= m,
 *    and COVARIANCE otherwise, when a fraction of the variance is wanted, and when 24 products do
 *    not suffice. scikit-learn 1.2 goes randomized above 500 rows or columns unless 80 % of the
 *    components are wanted; 1.5 uses the covariance for d <= 1000 and n >= 10 d. Unlike theirs,
 *    this choice never trades accuracy for time.
 *
 *  Data in a file that is larger than memory can be mapped (dlviz_tensor_map_npy): each solver then
 *  reads it from beginning to end so many times, and takes memory that does not grow with n:
 *  - COVARIANCE: twice; memory for 6 d² float64 numbers at most, and 10 MB;
 *  - SVD: twice; (33 + 8 threads) d² float64 numbers;
 *  - RANDOMIZED: twice, and once for each product, of which 8 to 10 are the rule; about
 *    24 (k + oversampling) d float64 numbers. Where reading takes long COVARIANCE is sooner there,
 *    unless d is too large for a matrix.
 *  Of a file of more than 128 MB no more than 64 MB are in memory at a time, as far as nobody has
 *  asked for a pointer to write through (dlviz_tensor_data, dlviz_tensor_float): pages are asked
 *  for ahead of their use, and let go after it. That holds for n >= d. With n < d, COVARIANCE
 *  reads stripes of columns, of up to 64 KB a row at a time, and SVD has all rows in memory, as
 *  float64. dlviz_pca_transform_to_npy reads once, and keeps no results either.
 *
 *  Where one of LAPACK's drivers gives up, as some do on repeated variances, another takes its
 *  place, and SVD that of COVARIANCE where all of them do. */
typedef enum dlviz_pca_solver_kind {
    DLVIZ_PCA_SOLVER_AUTO = 0,
    DLVIZ_PCA_SOLVER_COVARIANCE = 1,
    DLVIZ_PCA_SOLVER_SVD = 2,
    DLVIZ_PCA_SOLVER_RANDOMIZED = 3
} dlviz_pca_solver_kind;

/** Creates an analysis.
 *  @param out         receives the handle, NULL on failure; free it with dlviz_pca_destroy
 *  @param num_wanted  how many components to find: 1 or more, at most min(n, d) of the data it will
 *                     see; or 0 for all min(n, d)
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_pca_create(dlviz_pca **out, int64_t num_wanted);

/** Makes a handle of what dlviz_pca_save wrote: a fitted analysis, with its whitening; its other
 *  settings are those of dlviz_pca_create with as many components. The numbers have to be such as a
 *  fit gives: finite in float32, variances that fall and are no more in all than the data's,
 *  components of length 1 at right angles to each other, to 1e-6.
 *  @param out  receives the handle, NULL on failure; free it with dlviz_pca_destroy
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_IO, DLVIZ_ERROR_FORMAT (damaged, or not such a
 *  file), DLVIZ_ERROR_UNSUPPORTED (nor one whose tensors dlviz_safetensors_open takes) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_pca_open(dlviz_pca **out, const char *path);
/** The same of the bytes that dlviz_pca_save_memory wrote, or of such a file. They need no
 *  alignment, and may be freed afterwards. */
DLVIZ_CHECKED dlviz_status dlviz_pca_open_memory(dlviz_pca **out, const void *bytes, size_t size);

/** Destroys the analysis, which no call may be using; NULL is allowed. */
DLVIZ_API void dlviz_pca_destroy(dlviz_pca *pca);

/** How many components the next dlviz_pca_fit finds, as in dlviz_pca_create; how many it found is
 *  dlviz_pca_num_components. */
DLVIZ_CHECKED dlviz_status dlviz_pca_set_num_wanted(dlviz_pca *pca, int64_t num_wanted);
DLVIZ_API int64_t dlviz_pca_num_wanted(const dlviz_pca *pca);
/** Instead of a number: the fewest components that together explain at least this fraction of the
 *  variance, between 0 and 1 (both excluded). dlviz_pca_set_num_wanted undoes it; the getter then
 *  gives 0. */
DLVIZ_CHECKED dlviz_status dlviz_pca_set_variance_fraction(dlviz_pca *pca, double fraction);
DLVIZ_API double dlviz_pca_variance_fraction(const dlviz_pca *pca);
/** The solver of the next dlviz_pca_fit. */
DLVIZ_CHECKED dlviz_status dlviz_pca_set_solver(dlviz_pca *pca, dlviz_pca_solver_kind solver);
DLVIZ_API dlviz_pca_solver_kind dlviz_pca_solver(const dlviz_pca *pca);
/** Whether projections are divided by their component's standard deviation, so that each has
 *  variance 1 (default: no). A component whose variance is rounding noise projects to 0. Takes
 *  effect at once, also for a fitted analysis. */
DLVIZ_CHECKED dlviz_status dlviz_pca_set_whiten(dlviz_pca *pca, bool whiten);
DLVIZ_API bool dlviz_pca_whiten(const dlviz_pca *pca);
/** The seed of DLVIZ_PCA_SOLVER_RANDOMIZED's starting block (default 0). */
DLVIZ_CHECKED dlviz_status dlviz_pca_set_seed(dlviz_pca *pca, uint64_t seed);
DLVIZ_API uint64_t dlviz_pca_seed(const dlviz_pca *pca);
/** How DLVIZ_PCA_SOLVER_RANDOMIZED works.
 *  @param oversampling    vectors carried beyond the wanted components, 0 to 1000 (default 10; at
 *                         least 5 are when `num_iterations` is 0)
 *  @param num_iterations  products with the covariance, 1 to 1000, or 0 (default) to go on until
 *                         the relative error of the variances is below 1e-9 */
DLVIZ_CHECKED dlviz_status dlviz_pca_set_randomized(dlviz_pca *pca, int64_t oversampling,
                                                    int64_t num_iterations);
DLVIZ_API void dlviz_pca_randomized(const dlviz_pca *pca, int64_t *oversampling,
                                    int64_t *num_iterations);

/** What a progress callback is told of. */
typedef struct dlviz_pca_event dlviz_pca_event;
/** How much of the present fit is done, 0 to 1. */
DLVIZ_API double dlviz_pca_event_done(const dlviz_pca_event *event);
/** Told about a fit under way; returns true to go on, false to cancel it. Runs on the thread that
 *  called the fit. */
typedef bool (*dlviz_pca_progress_fn)(const dlviz_pca_event *event, void *user);
/** Sets the progress callback; NULL (the default) for none. */
DLVIZ_CHECKED dlviz_status dlviz_pca_set_progress(dlviz_pca *pca, dlviz_pca_progress_fn progress,
                                                  void *user);

/** Joins ranks to one analysis: each passes rows of its own, and all get the same components. See
 *  <dlviz/comm.h>.
 *
 *  dlviz_pca_fit, dlviz_pca_fit_transform and dlviz_pca_partial_fit are then called by all ranks,
 *  on handles with the same settings and the same results so far. Each passes its share of all
 *  rows, as dlviz_comm_share says (which may be none: 0 x d); other distributions are refused
 *  (DLVIZ_ERROR_SHAPE). Sentences and sizes speak of all ranks' rows: a NaN is named by its row
 *  among all of them. The results are on all ranks those of one process with all the rows, to the
 *  bit; of dlviz_pca_fit_transform each rank gets its own rows'. A call that fails on one rank, or
 *  is cancelled there, does so on all (DLVIZ_ERROR_COMM on those where nothing is amiss, or
 *  DLVIZ_CANCELLED), and the earlier fit stays on all. Progress callbacks run on every rank, and
 *  tell how far that rank is. All other calls, such as dlviz_pca_transform, are one rank's own.
 *
 *  Where spread rows gain nothing (COVARIANCE with n < d, SVD and batches with n < 8 d) they are
 *  gathered: each rank then needs memory for all of them. What is found of matrices of d x d or
 *  n x n, such as eigenvectors, is found by rank 0 for all. More than 8 ranks work too, but are no
 *  faster than 8.
 *  @param comm  held by the analysis; NULL (the default) for none */
DLVIZ_CHECKED dlviz_status dlviz_pca_set_comm(dlviz_pca *pca, dlviz_comm *comm);
DLVIZ_API dlviz_comm *dlviz_pca_comm(const dlviz_pca *pca);

/** Finds the components of `data` and forgets what was fitted before; on failure the earlier fit
 *  stays.
 *  @param data  n x d float32, n >= 2, all finite
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (NULL, or more components than min(n, d)),
 *  DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC (NaN or infinity in the data, named by row and column; a
 *  total variance that is not 0 and lies outside float32's 1.2e-38 to 3.4e+38; or a solver that
 *  does not converge), DLVIZ_ERROR_STATE (in use), DLVIZ_ERROR_OUT_OF_MEMORY or DLVIZ_CANCELLED. */
DLVIZ_CHECKED dlviz_status dlviz_pca_fit(dlviz_pca *pca, const dlviz_tensor *data);

/** dlviz_pca_fit and dlviz_pca_transform of the same data; on failure the earlier fit stays. */
DLVIZ_CHECKED dlviz_status dlviz_pca_fit_transform(dlviz_pca *pca, const dlviz_tensor *data,
                                                   dlviz_tensor **projected);

/** Updates the analysis with one more batch of points: incremental PCA (Ross, Lim, Lin & Yang, Int.
 *  J. Computer Vision 2008). Exact when all components are kept; otherwise what a batch has outside
 *  the components kept so far is lost. The first batch (nothing fitted yet) settles d and k and
 *  needs at least max(2, k) rows; later ones may have any number. After a dlviz_pca_fit it goes on
 *  from there. Not with dlviz_pca_set_variance_fraction (DLVIZ_ERROR_STATE). Returns as
 *  dlviz_pca_fit; DLVIZ_ERROR_SHAPE also when d differs from the first batch's. */
DLVIZ_CHECKED dlviz_status dlviz_pca_partial_fit(dlviz_pca *pca, const dlviz_tensor *batch);

/** Projects points on the components: (x - μ) Wᵀ, divided by the standard deviations when
 *  whitening.
 *  @param data       n x d float32, d as fitted
 *  @param projected  receives n x k float32, the caller's to destroy
 *  Returns DLVIZ_ERROR_STATE before a fit or during one by another thread,
 *  DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_OUT_OF_MEMORY. NaN and infinities
 *  in a row stay in that row. */
DLVIZ_CHECKED dlviz_status dlviz_pca_transform(const dlviz_pca *pca, const dlviz_tensor *data,
                                               dlviz_tensor **projected);

/** Writes the projections to a .npy file, n x k float32, a few megabytes at a time; otherwise as
 *  dlviz_pca_transform. The file comes to `path` whole or not at all, as with
 *  dlviz_tensor_write_npy.
 *  Returns as dlviz_pca_transform, DLVIZ_ERROR_IO or DLVIZ_CANCELLED. */
DLVIZ_CHECKED dlviz_status dlviz_pca_transform_to_npy(const dlviz_pca *pca,
                                                      const dlviz_tensor *data, const char *path);

/** Goes back from projections to points: y W + μ (y first multiplied by the standard deviations
 *  when whitening).
 *  @param projected  n x k float32, k as fitted
 *  @param data       receives n x d float32, the caller's to destroy
 *  Returns as dlviz_pca_transform. */
DLVIZ_CHECKED dlviz_status dlviz_pca_inverse_transform(const dlviz_pca *pca,
                                                       const dlviz_tensor *projected,
                                                       dlviz_tensor **data);

/** The number of components found, k; 0 before a fit. */
DLVIZ_API int64_t dlviz_pca_num_components(const dlviz_pca *pca);
/** The number of features, d; 0 before a fit. */
DLVIZ_API int64_t dlviz_pca_num_features(const dlviz_pca *pca);
/** The number of points seen, n, over all batches; 0 before a fit. */
DLVIZ_API int64_t dlviz_pca_num_samples(const dlviz_pca *pca);
/** The solver that the last dlviz_pca_fit used: what AUTO came to; COVARIANCE after RANDOMIZED on
 *  data too small or too even for it; SVD after either where no eigensolver of LAPACK succeeds, and
 *  after dlviz_pca_partial_fit. */
DLVIZ_API dlviz_pca_solver_kind dlviz_pca_solver_used(const dlviz_pca *pca);

/* The results below belong to the handle and live until its next fit or its destruction. They are
 * NULL before a fit. All are float32. */

/** The mean of each feature: d. */
DLVIZ_API const dlviz_tensor *dlviz_pca_mean(const dlviz_pca *pca);
/** The components, W: k x d, rows of length 1. */
DLVIZ_API const dlviz_tensor *dlviz_pca_components(const dlviz_pca *pca);
/** The variance of the data along each component: k, falling. */
DLVIZ_API const dlviz_tensor *dlviz_pca_explained_variance(const dlviz_pca *pca);
/** The same as a fraction of the data's total variance: k; all 0 when the data has none. */
DLVIZ_API const dlviz_tensor *dlviz_pca_explained_variance_ratio(const dlviz_pca *pca);
/** The singular values of the centered data: k, √((n - 1) · variance). */
DLVIZ_API const dlviz_tensor *dlviz_pca_singular_values(const dlviz_pca *pca);
/** The data's total variance: the sum over features; 0 before a fit. */
DLVIZ_API double dlviz_pca_total_variance(const dlviz_pca *pca);
/** The variance of the noise in probabilistic PCA: the mean of the min(n, d) - k variances left
 *  out, 0 when none is (Tipping & Bishop, J. Royal Statistical Society B 1999, equation 8, over the
 *  variances that n points can show); 0 before a fit. */
DLVIZ_API double dlviz_pca_noise_variance(const dlviz_pca *pca);

/** Writes a fitted analysis to a .safetensors file, whole or not at all: `mean`, `components` and
 *  `explained_variance` as float32 for other readers, and all of it exactly, so that an analysis
 *  opened from the file projects to the same bits; with checksums. Returns DLVIZ_ERROR_STATE before
 *  a fit or during one by another thread, DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_IO or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_pca_save(const dlviz_pca *pca, const char *path);
/** Writes the same bytes to memory.
 *  @param bytes  receives them, NULL on failure; free them with dlviz_free
 *  @param size   receives how many there are
 *  Returns as dlviz_pca_save, but for DLVIZ_ERROR_IO. */
DLVIZ_CHECKED dlviz_status dlviz_pca_save_memory(const dlviz_pca *pca, void **bytes, size_t *size);

#ifdef __cplusplus
}
#endif
#endif
