/* dlviz/film.h - how a network learned: maps of its features over the epochs of a training, each
 * made from the one before it, so that points can be followed.
 *
 *     dlviz_film *film;
 *     dlviz_film_create(&film);
 *     // before training with epoch 0, and after each epoch with 1, 2, …, which in a callback of a
 *     // trainer, where epochs count from 0, is dlviz_trainer_event_epoch(event) + 1:
 *     if (dlviz_film_wants(epoch, num_epochs)) {
 *         dlviz_network_inspect(network, test, "relu5", NULL, NULL, &outputs, &features);
 *         dlviz_film_add(film, epoch, features, outputs);
 *     }
 *     // after training:
 *     dlviz_film_fit(film, tsne);
 *     dlviz_report_run_add_film(run, film);                      // all of it on a page, or
 *     const dlviz_tensor *map = dlviz_film_tsne_map(film, i);    // of frame i: n x 2 */
#ifndef DLVIZ_FILM_H
#define DLVIZ_FILM_H

#include <dlviz/tsne.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Lays a map over another of the same points: the rotation, with a reflection where that is
 *  nearer, that makes the sum of the squared distances between the places of each point the least,
 *  and the mean moved to the other's. Distances within the map stay as they are: it is not scaled.
 *  Where the maps do not say how to turn it (points at one place or on one line), it is turned no
 *  more than it has to be. Orthogonal Procrustes: P. Schönemann, Psychometrika 31, 1966.
 *  @param map        n x e float32, e 1 to 3, finite
 *  @param reference  the same shape, finite
 *  @param aligned    receives n x e float32, the caller's to destroy
 *  May be called from any thread. Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE,
 *  DLVIZ_ERROR_NUMERIC (a value is NaN or infinite, or would be) or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_align(const dlviz_tensor *map, const dlviz_tensor *reference,
                                       dlviz_tensor **aligned);

/** The frames of a film: for some epochs what the maps are made of, the network's outputs, and
 *  after a fit the maps. All calls that return a status need the handle to themselves, but for
 *  saving, and are DLVIZ_ERROR_STATE while another uses it. */
typedef struct dlviz_film dlviz_film;

/** Creates a film without frames; free it with dlviz_film_destroy.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_film_create(dlviz_film **out);
/** Destroys the film, which no call may be using. NULL is allowed. */
DLVIZ_API void dlviz_film_destroy(dlviz_film *film);

/** Whether a film of a training of so many epochs is to show this one: 0 (the untrained network),
 *  1, 2, 3, 5, 8, 13 … and the last, 12 at most; of more than 144 epochs those that lie evenly in
 *  the logarithm. */
DLVIZ_API bool dlviz_film_wants(int64_t epoch, int64_t num_epochs);

/** Adds a frame, or replaces that of the same epoch, as where a training is resumed from before it.
 *  Of the features the first 50 principal components are kept (fewer where there are fewer features
 *  or points), with which the maps are made. All maps there are go.
 *  @param epoch     how many epochs of training the network has had: 0 before the first, 1 after it
 *                   (dlviz_trainer_event_epoch + 1). Later than those of all frames, or that of one
 *                   of them
 *  @param features  n x d float32, finite, the same n >= 2 for all frames, in the same order; not
 *                   kept. They may be constant, as those of a network that has died are; where all
 *                   are below 1e-9, or float32 does not hold their squares or those of their
 *                   differences from each other, they are multiplied by a power of two
 *  @param outputs   n x C float32, finite, the same C for all frames that have any; copied. NULL:
 *                   none
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC, DLVIZ_ERROR_STATE
 *  (in use), DLVIZ_ERROR_OUT_OF_MEMORY or DLVIZ_CANCELLED (dlviz_set_progress); the film then stays
 *  as it was. */
DLVIZ_CHECKED dlviz_status dlviz_film_add(dlviz_film *film, int64_t epoch,
                                          const dlviz_tensor *features,
                                          const dlviz_tensor *outputs);

/** Leaves out frames that a training of so many epochs would not have, where it ended elsewhere
 *  than planned: for each epoch that dlviz_film_wants names, the nearest frame stays (by the ratio
 *  of the epochs), and the last one; 12 at most. Maps of those that stay do.
 *  @param num_epochs  the last frame's epoch or more
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_STATE (in use). */
DLVIZ_CHECKED dlviz_status dlviz_film_thin(dlviz_film *film, int64_t num_epochs);

/** Iterations of t-SNE for each frame but the first, up to 2^31 - 1; or 0, the default: as many as
 *  for the first. With fewer, the early exaggeration is shorter by as much. Returns
 *  DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_STATE (in use). */
DLVIZ_CHECKED dlviz_status dlviz_film_set_num_later_iterations(dlviz_film *film,
                                                               int64_t num_iterations);
DLVIZ_API int64_t dlviz_film_num_later_iterations(const dlviz_film *film);

/** Makes the maps of all frames: of two principal components (as many as t-SNE's map has
 *  dimensions), and by t-SNE.
 *
 *  They are made forwards in time. The first frame is a fit as `tsne` is set, from principal
 *  components as a rule; each later one starts from the map of the frame before, made as small as
 *  a start is (a deviation of 1e-4), so that each frame gets the same and none is spread more by
 *  the iterations of those before it. Where features do not tell points apart, a map keeps what
 *  its start had: started at full size and backwards, from the last map, the map of an untrained
 *  network shows what only the trained one knows. (Of 10,000 digits, 97.7 % then have the label of
 *  most of their 10 nearest in it; made as here 94.5 %, and in the features 95.2 %.) Then all are
 *  laid over the last one (dlviz_align).
 *
 *  @param tsne  its settings count, and its progress function is called during each frame's fit.
 *               It holds the last frame's fit afterwards, of dlviz_film_components; after a failure
 *               that of some frame, or none
 *  Returns what dlviz_tsne_fit returns, and DLVIZ_ERROR_STATE for a film without frames. After a
 *  failure, also DLVIZ_CANCELLED, the film has the maps that it had. */
DLVIZ_CHECKED dlviz_status dlviz_film_fit(dlviz_film *film, dlviz_tsne *tsne);

/* Frames are counted from 0, in the order of their epochs. Getters of a frame that there is not
 * give 0, NaN or NULL. Tensors belong to the film and live until it changes. */

/** How many frames there are. */
DLVIZ_API int64_t dlviz_film_num_frames(const dlviz_film *film);
/** The number of points in each frame, n; 0 without frames. */
DLVIZ_API int64_t dlviz_film_num_points(const dlviz_film *film);
/** Which epoch a frame shows. */
DLVIZ_API int64_t dlviz_film_epoch(const dlviz_film *film, int64_t index);
/** The principal components of the features: n x k float32, k 50 at most. */
DLVIZ_API const dlviz_tensor *dlviz_film_components(const dlviz_film *film, int64_t index);
/** The outputs that came with the frame, n x C; NULL: none. */
DLVIZ_API const dlviz_tensor *dlviz_film_outputs(const dlviz_film *film, int64_t index);
/** The map of principal components, n x dimensions, laid over the last frame's; NULL before a fit.
 *  A column that the features have no component for is 0. */
DLVIZ_API const dlviz_tensor *dlviz_film_pca_map(const dlviz_film *film, int64_t index);
/** t-SNE's map, n x dimensions, laid over the last frame's; NULL before a fit. */
DLVIZ_API const dlviz_tensor *dlviz_film_tsne_map(const dlviz_film *film, int64_t index);
/** Of t-SNE's map, as dlviz_tsne_kl_divergence; NaN before a fit. */
DLVIZ_API double dlviz_film_kl_divergence(const dlviz_film *film, int64_t index);

/** Writes the film to a .safetensors file, whole or not at all: components, outputs and the maps
 *  there are, with a checksum each. A run that is resumed opens it and goes on adding. Returns
 *  DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_IO, DLVIZ_ERROR_STATE (in use) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_film_save(const dlviz_film *film, const char *path);
/** Writes the same bytes to memory.
 *  @param bytes  receives them, NULL on failure; free them with dlviz_free
 *  @param size   receives how many there are
 *  Returns as dlviz_film_save, but for DLVIZ_ERROR_IO. */
DLVIZ_CHECKED dlviz_status dlviz_film_save_memory(const dlviz_film *film, void **bytes,
                                                  size_t *size);
/** Opens a film that dlviz_film_save wrote.
 *  @param out  receives the handle, NULL on failure; free it with dlviz_film_destroy
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_IO, DLVIZ_ERROR_FORMAT (damaged, or not such a
 *  file), DLVIZ_ERROR_UNSUPPORTED (nor one whose tensors dlviz_safetensors_open takes) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_film_open(dlviz_film **out, const char *path);
/** The same of the bytes that dlviz_film_save_memory wrote, or of such a file. They need no
 *  alignment, and may be freed afterwards. */
DLVIZ_CHECKED dlviz_status dlviz_film_open_memory(dlviz_film **out, const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif
#endif
