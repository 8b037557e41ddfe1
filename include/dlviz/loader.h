/* dlviz/loader.h - walks through a dataset batch by batch, for training loops of one's own. */
#ifndef DLVIZ_LOADER_H
#define DLVIZ_LOADER_H

#include <dlviz/dataset.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Gives a dataset's samples in batches:
 *
 *      for (int64_t epoch = 0; epoch < epochs; epoch++) {
 *          dlviz_loader_rewind(loader, epoch);
 *          while (dlviz_loader_next(loader, &samples, &labels) == DLVIZ_OK && samples)
 *              ...
 *      }
 */
typedef struct dlviz_loader dlviz_loader;

/** Creates a loader at the start of epoch 0, which gives the samples in the dataset's order, the
 * last batch smaller when they do not divide evenly.
 *  @param dataset    used with the settings it has now; may be changed or destroyed afterwards
 *  @param batch_size 1 or more
 *  Free it with dlviz_loader_destroy. Returns DLVIZ_ERROR_INVALID_ARGUMENT or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_loader_create(dlviz_loader **out, const dlviz_dataset *dataset,
                                           int64_t batch_size);

/** NULL is allowed. */
DLVIZ_API void dlviz_loader_destroy(dlviz_loader *loader);

/** Makes every epoch give the samples in an order of its own, a function of (seed, epoch), the same
 *  that a trainer with this seed uses. Goes back to the start of the present epoch. */
DLVIZ_API dlviz_status dlviz_loader_set_shuffle(dlviz_loader *loader, uint64_t seed);

/** Whether a last batch with fewer than batch_size samples is left out (false at first).
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT when that would leave no batch. */
DLVIZ_API dlviz_status dlviz_loader_set_drop_last(dlviz_loader *loader, bool drop_last);

/** The number of batches in an epoch. */
DLVIZ_API int64_t dlviz_loader_batches(const dlviz_loader *loader);

/** Gets the next batch, computed with all threads.
 *  @param samples receives float32, b x channels x height x width or b x d, owned by the loader and
 * valid until its next call; NULL at the end of the epoch
 *  @param labels  receives b of int64 likewise; NULL for a dataset without labels. May be NULL.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_loader_next(dlviz_loader *loader, const dlviz_tensor **samples,
                                         const dlviz_tensor **labels);

/** Goes to the start of an epoch, 0 or more. Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_API dlviz_status dlviz_loader_rewind(dlviz_loader *loader, int64_t epoch);

#ifdef __cplusplus
}
#endif
#endif
