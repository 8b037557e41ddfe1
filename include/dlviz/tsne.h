/* dlviz/tsne.h - t-SNE: maps points of many dimensions to one, two or three, neighbors to
 * neighbors.
 *
 *     dlviz_tsne *tsne;
 *     dlviz_tensor *map;
 *     dlviz_tsne_create(&tsne);
 *     dlviz_tsne_set_perplexity(tsne, 30);
 *     dlviz_tsne_fit(tsne, points, &map);           // points: n x d, map: n x 2
 *
 * Source: L. van der Maaten, G. Hinton, "Visualizing Data using t-SNE", JMLR 9, 2008. The same
 * input and settings give the same bits, whatever the number of threads. */
#ifndef DLVIZ_TSNE_H
#define DLVIZ_TSNE_H

#include <dlviz/comm.h>
#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The settings, and after a fit its results. Once fitted, dlviz_tsne_transform,
 *  dlviz_tsne_history, dlviz_tsne_save and the getters may be called from several threads at once.
 *  All other calls that return a status need the handle to themselves, and are DLVIZ_ERROR_STATE
 *  while another uses it, also from within the fit's callback. */
typedef struct dlviz_tsne dlviz_tsne;

/** How the repulsion between all pairs of points is computed. */
typedef enum dlviz_tsne_method_kind {
    DLVIZ_TSNE_METHOD_AUTO = 0,       /**< the one of the least estimated cost, which is estimated
                                           anew every 20 iterations as the map grows */
    DLVIZ_TSNE_METHOD_EXACT = 1,      /**< every pair: time n^2 */
    DLVIZ_TSNE_METHOD_BARNES_HUT = 2, /**< far groups of points as one (set_angle): time n log n */
    DLVIZ_TSNE_METHOD_GRID = 3        /**< convolution on a grid (set_cell_size): time n + area of
                                           the map; maps of one or two dimensions. While a map is
                                           wider than 2,000 or almost empty, Barnes-Hut takes its
                                           place */
} dlviz_tsne_method_kind;

/** What "near" means among the points. */
typedef enum dlviz_tsne_distance_kind {
    DLVIZ_TSNE_DISTANCE_EUCLIDEAN = 0,
    DLVIZ_TSNE_DISTANCE_COSINE = 1 /**< 1 - cosine of the angle; no point may be all zeros */
} dlviz_tsne_distance_kind;

/** Where the points start. */
typedef enum dlviz_tsne_init_kind {
    DLVIZ_TSNE_INIT_PCA = 0,   /**< principal components, the first scaled to a deviation of 1e-4 */
    DLVIZ_TSNE_INIT_RANDOM = 1 /**< normal with a deviation of 1e-4, from the seed */
} dlviz_tsne_init_kind;

/** Creates a handle with these settings: map of 2 dimensions, perplexity 30, Euclidean distance,
 *  PCA start, 1000 iterations of which 250 with an exaggeration of 12, momentum 0.5 then 0.8,
 *  automatic learning rate and method, 1 degree of freedom, seed 0. Free it with
 *  dlviz_tsne_destroy.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_create(dlviz_tsne **out);
/** Destroys the handle, which no call may be using. NULL is allowed. */
DLVIZ_API void dlviz_tsne_destroy(dlviz_tsne *tsne);

/* Settings. Each setter returns DLVIZ_ERROR_INVALID_ARGUMENT for a value it does not accept, which
 * leaves the former one in force; they count from the next fit. Numbers of iterations go up to
 * 2^31 - 1. */

/** Dimensions of the map, 1 to 3. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_num_dimensions(dlviz_tsne *tsne, int64_t num_dimensions);
DLVIZ_API int64_t dlviz_tsne_num_dimensions(const dlviz_tsne *tsne);
/** Perplexity, 1 to 1e6: roughly, how many neighbors count. A fit looks at 3 x perplexity neighbors
 *  of each point; with too few points for that, it is lowered to a third of the others (at least
 *  1), which the log and dlviz_tsne_perplexity_used tell. Of several, the getter gives the
 *  first. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_perplexity(dlviz_tsne *tsne, double perplexity);
DLVIZ_API double dlviz_tsne_perplexity(const dlviz_tsne *tsne);
/** Several perplexities, 1 to 16 of them: affinities are averaged over them, so that the map shows
 *  structure at several scales. The array that the getter gives belongs to the handle and lives
 *  until the next change. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_perplexities(dlviz_tsne *tsne, int64_t num_perplexities,
                                                       const double *perplexities);
DLVIZ_API int64_t dlviz_tsne_num_perplexities(const dlviz_tsne *tsne);
DLVIZ_API const double *dlviz_tsne_perplexities(const dlviz_tsne *tsne);
/** The distance between points. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_distance(dlviz_tsne *tsne,
                                                   dlviz_tsne_distance_kind distance);
DLVIZ_API dlviz_tsne_distance_kind dlviz_tsne_distance(const dlviz_tsne *tsne);
/** Total number of iterations, 0 or more; the early ones are among them. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_num_iterations(dlviz_tsne *tsne, int64_t num_iterations);
DLVIZ_API int64_t dlviz_tsne_num_iterations(const dlviz_tsne *tsne);
/** Attraction is multiplied by `factor` (above 0, up to 1e6) for the first `num_iterations`, 0 or
 *  more. Where that draws all points together into one, as with few points, whose neighbors are
 *  most of the others, it ends sooner, and the descent begins anew from the start without it; that
 *  is looked at every 50 iterations, and before it ends, or the fit. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_early_exaggeration(dlviz_tsne *tsne, double factor,
                                                             int64_t num_iterations);
DLVIZ_API void dlviz_tsne_early_exaggeration(const dlviz_tsne *tsne, double *factor,
                                             int64_t *num_iterations);
/** Attraction is multiplied by `factor` (above 0, up to 1e6) for the last `num_iterations`, 0 or
 *  more; where both apply, early exaggeration does. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_late_exaggeration(dlviz_tsne *tsne, double factor,
                                                            int64_t num_iterations);
DLVIZ_API void dlviz_tsne_late_exaggeration(const dlviz_tsne *tsne, double *factor,
                                            int64_t *num_iterations);
/** Step length for the gradient without its factor 4 (so scikit-learn's value times 4), above 0 and
 *  up to 1e12; or 0, the default: n / exaggeration with the exaggeration of the moment (A. Belkina
 *  et al., Nature Communications 10, 2019). A point that such steps would throw about, like one
 *  that very many others have as a neighbor, takes smaller ones: where the rate times exaggeration
 *  times the sum of the point's affinities exceeds 2 (1 + momentum), its own rate is what makes
 *  that product 1. So a rate that is too large for all points is as good as the automatic one. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_learning_rate(dlviz_tsne *tsne, double learning_rate);
DLVIZ_API double dlviz_tsne_learning_rate(const dlviz_tsne *tsne);
/** Momentum during early exaggeration, and after it; each at least 0 and below 1. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_momentum(dlviz_tsne *tsne, double early, double late);
DLVIZ_API void dlviz_tsne_momentum(const dlviz_tsne *tsne, double *early, double *late);
/** Similarity in the map is (1 + d^2 / a)^-a with a from 0.05 to 1e4; below 1 (heavier tails)
 *  clusters split finer. D. Kobak et al., ECML PKDD 2019. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_degrees_of_freedom(dlviz_tsne *tsne, double a);
DLVIZ_API double dlviz_tsne_degrees_of_freedom(const dlviz_tsne *tsne);
/** Where the points start. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_init(dlviz_tsne *tsne, dlviz_tsne_init_kind init);
DLVIZ_API dlviz_tsne_init_kind dlviz_tsne_init(const dlviz_tsne *tsne);
/** Starts from this map (n x 1, 2 or 3, values of -1e6 to 1e6; copied) instead of set_init; NULL
 *  goes back to that. It is moved to a mean of 0 before the first iteration, and else used as it
 *  is but for what a descent cannot leave: points at one place, and a dimension in which they
 *  hardly differ, get random numbers of 1 % of the map's deviation, at most 0.1 (more where floats
 *  of the map's width are farther apart), from the seed; a map with a deviation below 1e-10 is
 *  enlarged to 1e-4, and one of a single place becomes a random start. A start much wider than a
 *  map becomes, 4 sqrt(n) in deviation, is warned of in the log. A fit fails unless its shape is
 *  that fit's n x dimensions.
 *  Returns DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC or DLVIZ_ERROR_OUT_OF_MEMORY. The getter's tensor
 *  belongs to the handle; NULL when none is set. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_initial_map(dlviz_tsne *tsne, const dlviz_tensor *map);
DLVIZ_API const dlviz_tensor *dlviz_tsne_initial_map(const dlviz_tsne *tsne);
/** Decides a random start, which of equally far points are neighbors, and how coincident points
 *  part. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_seed(dlviz_tsne *tsne, uint64_t seed);
DLVIZ_API uint64_t dlviz_tsne_seed(const dlviz_tsne *tsne);
/** How repulsion is computed. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_method(dlviz_tsne *tsne, dlviz_tsne_method_kind method);
DLVIZ_API dlviz_tsne_method_kind dlviz_tsne_method(const dlviz_tsne *tsne);
/** Barnes-Hut's accuracy, 0 (exact) to 1, 0.5 by default: a cell of the tree counts as one body,
 *  with its center of mass and its second moments, when its size is less than `angle` times its
 *  distance. At 0.5 and with up to about 5 degrees of freedom, the repulsive force on maps such as
 *  fits make is right to 1e-3 (root of the mean square) and its normalizer Z to 1e-4; on others,
 *  with outliers or coincident points, errors of 2.5e-3 and 2.6e-4 have been seen, and with more
 *  degrees of freedom 1.7e-3 on maps of one dimension. Where all points lie at a few places, which
 *  are at one distance from each other, force and Z are right to a tenth and to 1e-3. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_angle(dlviz_tsne *tsne, double angle);
DLVIZ_API double dlviz_tsne_angle(const dlviz_tsne *tsne);
/** Width of the grid's cells in map units, 0.05 to 10; or 0, the default: whichever is the fastest,
 *  chosen anew as the map grows. Small maps get at least 40 cells across whatever is set, and maps
 *  so wide that the grid would have more than 4 million + 32 n values get wider cells. The width
 *  does not matter to the accuracy: with cells wider than 0.25, or than 0.25 sqrt(a) for less than
 *  1 degree of freedom, and where points are few, pairs nearer than four cells are summed. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_cell_size(dlviz_tsne *tsne, double width);
DLVIZ_API double dlviz_tsne_cell_size(const dlviz_tsne *tsne);
/** Ends the fit early, after the early exaggeration: when the gradient's norm falls below
 *  `gradient_norm` (at least 0, finite; 0: never, the default), or when the divergence has reached
 *  no new minimum for `num_iterations` iterations (at least 0; 0: never, the default). Both are
 *  looked at every 50 iterations, whatever set_progress asks for, once the map's deviation is
 *  0.01. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_stopping(dlviz_tsne *tsne, double gradient_norm,
                                                   int64_t num_iterations);
DLVIZ_API void dlviz_tsne_stopping(const dlviz_tsne *tsne, double *gradient_norm,
                                   int64_t *num_iterations);

/* Settings of dlviz_tsne_transform. */

/** 1 to 1e6, 5 unless set; lowered as a fit's is. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_transform_perplexity(dlviz_tsne *tsne, double perplexity);
DLVIZ_API double dlviz_tsne_transform_perplexity(const dlviz_tsne *tsne);
/** 0 or more, 250 unless set. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_num_transform_iterations(dlviz_tsne *tsne,
                                                                   int64_t num_iterations);
DLVIZ_API int64_t dlviz_tsne_num_transform_iterations(const dlviz_tsne *tsne);
/** Above 0 and up to 1e12, 0.1 unless set. In use up to 3.6 / max(exaggeration, 1), beyond which a
 *  point could not come to rest: then 1 / max(exaggeration, 1) takes its place. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_transform_learning_rate(dlviz_tsne *tsne,
                                                                  double learning_rate);
DLVIZ_API double dlviz_tsne_transform_learning_rate(const dlviz_tsne *tsne);
/** Above 0 and up to 1e6, 1.5 unless set. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_transform_exaggeration(dlviz_tsne *tsne,
                                                                 double exaggeration);
DLVIZ_API double dlviz_tsne_transform_exaggeration(const dlviz_tsne *tsne);

/** What a progress callback is told of. */
typedef struct dlviz_tsne_event dlviz_tsne_event;
/** Iterations done, and how many are wanted. */
DLVIZ_API int64_t dlviz_tsne_event_iteration(const dlviz_tsne_event *event);
DLVIZ_API int64_t dlviz_tsne_event_num_iterations(const dlviz_tsne_event *event);
/** The map's divergence, without exaggeration. */
DLVIZ_API double dlviz_tsne_event_kl_divergence(const dlviz_tsne_event *event);
/** The Euclidean norm over all coordinates (without the factor 4), exaggeration included. */
DLVIZ_API double dlviz_tsne_event_gradient_norm(const dlviz_tsne_event *event);
/** The map as it is, n x dimensions; valid during the callback only. */
DLVIZ_API const dlviz_tensor *dlviz_tsne_event_map(const dlviz_tsne_event *event);

/** Told about a fit under way; returns true to go on, false to cancel. Runs on the thread that
 *  called the fit. */
typedef bool (*dlviz_tsne_progress_fn)(const dlviz_tsne_event *event, void *user);
/** Calls `progress` every `every` (at least 1) iterations and after the last one; NULL for none,
 *  whatever `every`. The history then has a row for each of these calls; the map does not depend on
 *  it. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_progress(dlviz_tsne *tsne, int64_t every,
                                                   dlviz_tsne_progress_fn progress, void *user);

/** Shares fits and transform with other processes: all ranks make the same calls with the same
 *  points and settings, and receive the same map, to the bits of one process alone. The handle
 *  holds the communicator; NULL: none. Progress functions run on every rank; where one cancels, all
 *  are cancelled after the same iteration, and where one fails, all fail. A communicator serves one
 *  call at a time, also where several threads may transform. Points, settings, the library and its
 *  instruction set are compared first: DLVIZ_ERROR_INVALID_ARGUMENT, on all ranks, where they
 *  differ. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_set_comm(dlviz_tsne *tsne, dlviz_comm *comm);
DLVIZ_API dlviz_comm *dlviz_tsne_comm(const dlviz_tsne *tsne);

/* A fit that fails before its descent begins, or is cancelled by then, leaves the results of the
 * earlier fit, with which transform goes on. One that runs out of memory later, or whose descent
 * diverges, may leave none; one whose descent is cancelled or succeeds replaces them. */

/** Maps points.
 *  @param points  n x d float32, 1 <= n < 2^31 - 64, values from -l to l with l = 4.6e18 / sqrt(d);
 *                 not kept (a copy is, for transform). Their unit does not matter. Differences of
 *                 less than 1e-31 of the largest value, and angles of less than 1e-19, may be taken
 *                 for none
 *  @param map     receives n x dimensions float32, the caller's to destroy
 *  The 3 x perplexity nearest neighbors are exact up to 150,000 points; beyond, the search goes as
 *  far as it has to in order to find 99 in 100 of those of a sample of 256 points. Points that
 *  coincide are neighbors at distance 0; which of equally far points are neighbors is drawn from
 *  the seed for each point anew, and coincident starts are parted as by set_initial_map. The map's
 *  mean is 0 after any iteration; a single point is mapped to 0.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC (a value is NaN or
 *  infinite, or too large to square; or the descent diverged), DLVIZ_ERROR_STATE (in use),
 *  DLVIZ_ERROR_OUT_OF_MEMORY, DLVIZ_ERROR_COMM (another rank failed); or DLVIZ_CANCELLED: the
 *  callback, or the thread's (dlviz_set_progress), asked to stop. Then `map`, unlike
 *  after failures, receives the map as it was if the descent had begun, else NULL. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_fit(dlviz_tsne *tsne, const dlviz_tensor *points,
                                          dlviz_tensor **map);

/** As dlviz_tsne_fit, from neighbors found elsewhere.
 *  @param indices    n x k int64, rows without the point itself and without repetition, 1 <= k < n
 *  @param distances  n x k float32, 0 to 1e18 (not squared)
 *  Perplexities above k / 3 are lowered to it. PCA start needs points: the start is random unless a
 *  map is set. Such a handle cannot transform. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_fit_neighbors(dlviz_tsne *tsne, const dlviz_tensor *indices,
                                                    const dlviz_tensor *distances,
                                                    dlviz_tensor **map);

/** As dlviz_tsne_fit, from affinities made elsewhere: a sparse n x n matrix by rows. It is made
 *  symmetric, (A + A^T) / 2, its diagonal ignored, and scaled to a sum of 1.
 *  @param offsets  n + 1 int64, n >= 2: row i has the entries offsets[i] ... offsets[i + 1] - 1
 *  @param columns  int64, one for each entry, no column twice in a row
 *  @param values   float32, one for each entry, 0 to 1e18; not all of them off the diagonal 0
 *  The descent stores a value in 16 bits as a fraction of its row's largest: values below 1/131070
 *  of that are dropped, from all but the final divergence. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_fit_affinities(dlviz_tsne *tsne, const dlviz_tensor *offsets,
                                                     const dlviz_tensor *columns,
                                                     const dlviz_tensor *values,
                                                     dlviz_tensor **map);

/** Places new points in the map of the last dlviz_tsne_fit, which does not move.
 *  @param points  m x d float32 with the fit's d
 *  @param map     receives m x dimensions float32
 *  Each starts at the median of its 25 nearest points of the fit and descends its own divergence,
 *  in steps from gradients of at most 0.25, so its place depends on no other new point. The
 *  set_transform_ functions change how. P. Poličar et al., "Embedding to reference t-SNE space",
 *  2021. Returns what dlviz_tsne_fit returns, and DLVIZ_ERROR_STATE without a fit of points; one
 *  that is cancelled gives no map. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_transform(const dlviz_tsne *tsne, const dlviz_tensor *points,
                                                dlviz_tensor **map);

/* Results of the last fit, also of a cancelled one; NaN or 0 without one. */

/** Kullback-Leibler divergence between the affinities and the final map, summed over all of them in
 *  double. Its normalizing sum Z is taken over all pairs of up to 20,000 points, and beyond that by
 *  the fit's method (the grid: exact to about 1e-5, which is then the divergence's absolute
 *  error). */
DLVIZ_API double dlviz_tsne_kl_divergence(const dlviz_tsne *tsne);
/** Iterations done. */
DLVIZ_API int64_t dlviz_tsne_num_iterations_done(const dlviz_tsne *tsne);
/** Number of neighbors used for each point; 0 for a fit of affinities. */
DLVIZ_API int64_t dlviz_tsne_num_neighbors(const dlviz_tsne *tsne);
/** The perplexity of the fit, after it was lowered if it had to be: the largest of several. NaN
 *  also for a fit without neighbors: of affinities, or of a single point. */
DLVIZ_API double dlviz_tsne_perplexity_used(const dlviz_tsne *tsne);
/** The method of the last iteration; never DLVIZ_TSNE_METHOD_AUTO after a fit. */
DLVIZ_API dlviz_tsne_method_kind dlviz_tsne_method_used(const dlviz_tsne *tsne);
/** One row for every 50 iterations (for every call while set_progress has a function) and one for
 *  the last iteration: iteration, KL divergence, gradient norm. The last row's divergence is that
 *  of dlviz_tsne_kl_divergence. rows x 3 float32, the caller's to destroy.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE without a fit or during one by another
 *  thread, DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_history(const dlviz_tsne *tsne, dlviz_tensor **history);

/** The parts of a fit. */
typedef enum dlviz_tsne_stage {
    DLVIZ_TSNE_STAGE_NEIGHBORS = 0,  /**< the search for neighbors */
    DLVIZ_TSNE_STAGE_AFFINITIES = 1, /**< affinities, and the start */
    DLVIZ_TSNE_STAGE_ITERATIONS = 2
} dlviz_tsne_stage;
/** Wall-clock seconds of a stage of the last fit; 0 without one, or for a stage there is not. */
DLVIZ_API double dlviz_tsne_seconds(const dlviz_tsne *tsne, dlviz_tsne_stage stage);

/** Writes the handle to a .safetensors file, whole or not at all: its settings, and of the last
 *  fit, if there is one, the map, the results, and the points, as transform needs them (scaled, or
 *  of unit length for the cosine distance), with checksums. Functions and their user pointers are
 *  not kept, nor seconds. Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_IO, DLVIZ_ERROR_STATE
 *  (in use by a fit, also from within its callback) or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_save(const dlviz_tsne *tsne, const char *path);
/** Writes the same bytes to memory.
 *  @param bytes  receives them, NULL on failure; free them with dlviz_free
 *  @param size   receives how many there are
 *  Returns as dlviz_tsne_save, but for DLVIZ_ERROR_IO. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_save_memory(const dlviz_tsne *tsne, void **bytes,
                                                  size_t *size);
/** Opens a handle that dlviz_tsne_save wrote: dlviz_tsne_transform places new points to the same
 *  bits. A handle whose fit was one of neighbors or affinities has its map and results, and cannot
 *  transform, as before; one that was saved without a fit has its settings alone.
 *  @param out  receives the handle, NULL on failure; free it with dlviz_tsne_destroy
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_IO, DLVIZ_ERROR_FORMAT (damaged, not such a
 *  file, or with what no fit gives), DLVIZ_ERROR_UNSUPPORTED (nor one whose tensors
 *  dlviz_safetensors_open takes) or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_open(dlviz_tsne **out, const char *path);
/** The same of the bytes that dlviz_tsne_save_memory wrote, or of such a file. They need no
 *  alignment, and may be freed afterwards. */
DLVIZ_CHECKED dlviz_status dlviz_tsne_open_memory(dlviz_tsne **out, const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif
#endif
