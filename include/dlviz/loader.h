/* dlviz/loader.h - walks through a dataset batch by batch, for training loops of one's own. */
#ifndef DLVIZ_LOADER_H
#define DLVIZ_LOADER_H

#include <dlviz/augmentation.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Gives a dataset's samples in batches:
 *
 *      for (int64_t epoch = 0; epoch < epochs; epoch++) {
 *          check(dlviz_loader_rewind(loader, epoch));
 *          for (;;) {
 *              check(dlviz_loader_next(loader, &samples, &targets));
 *              if (!samples)
 *                  break;
 *              ...
 *          }
 *      }
 *
 *  To be used by one thread at a time. Getters answer 0, NULL or false when the loader is NULL. */
typedef struct dlviz_loader dlviz_loader;

/** Creates a loader at the start of epoch 0, which gives the samples in the dataset's order, the
 *  last batch smaller when they do not divide evenly.
 *  @param out         receives the loader, NULL on failure; free it with dlviz_loader_destroy
 *  @param dataset     used with the settings, targets and weights that it has now; may be changed
 *                     or destroyed afterwards
 *  @param batch_size  1 or more
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_loader_create(dlviz_loader **out, const dlviz_dataset *dataset,
                                               int64_t batch_size);

/** Also destroys the tensors that the loader gave. NULL is allowed. */
DLVIZ_API void dlviz_loader_destroy(dlviz_loader *loader);

/** Whether every epoch gives the samples in an order of its own, a function of (seed, epoch), the
 *  same that a trainer with this seed uses; false by default. Goes back to the start of the present
 *  epoch. */
DLVIZ_CHECKED dlviz_status dlviz_loader_set_shuffle(dlviz_loader *loader, bool shuffle);
DLVIZ_API bool dlviz_loader_is_shuffled(const dlviz_loader *loader);

/** The seed of those orders; 0 unless set. Goes back to the start of the present epoch. */
DLVIZ_CHECKED dlviz_status dlviz_loader_set_seed(dlviz_loader *loader, uint64_t seed);
DLVIZ_API uint64_t dlviz_loader_seed(const dlviz_loader *loader);

/** Whether a last batch with fewer than batch_size samples is left out; false by default.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT when that would leave no batch. */
DLVIZ_CHECKED dlviz_status dlviz_loader_set_drop_last(dlviz_loader *loader, bool drop_last);
DLVIZ_API bool dlviz_loader_drops_last(const dlviz_loader *loader);

/** Whether samples come augmented (dlviz_dataset_add_augmentation), as a trainer with this seed
 *  sees them in this epoch; false by default, and when the dataset has no augmentations. Where the
 *  targets are the samples, and noise or erasing leaves them alone, they are then a tensor of their
 *  own. Goes back to the start of the present epoch.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE where targets cannot move with the
 *  pixels, or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_loader_set_augment(dlviz_loader *loader, bool augment);
DLVIZ_API bool dlviz_loader_augments(const dlviz_loader *loader);

/** The batch size that the loader was created with. */
DLVIZ_API int64_t dlviz_loader_batch_size(const dlviz_loader *loader);
/** The number of batches in an epoch. */
DLVIZ_API int64_t dlviz_loader_num_batches(const dlviz_loader *loader);
/** The present epoch, counted from 0. */
DLVIZ_API int64_t dlviz_loader_epoch(const dlviz_loader *loader);

/** Gets the next batch of b samples, computed with all threads.
 *  @param samples  receives float32, b x channels x height x width or b x d, owned by the loader
 *                  and valid until this function is called again; NULL at the end of the epoch
 *  @param targets  receives what the network is to give, likewise: labels as int64, others as
 *                  float32, b x the dimensions of one sample's targets; the tensor of the samples
 *                  where these are the targets; NULL for a dataset without. May be NULL.
 *  Returns what dlviz_dataset_samples returns; after a failure the next call tries the same batch
 *  again. */
DLVIZ_CHECKED dlviz_status dlviz_loader_next(dlviz_loader *loader, const dlviz_tensor **samples,
                                             const dlviz_tensor **targets);

/** How much each sample of the batch that dlviz_loader_next gave last counts: float32, b, owned by
 *  the loader and valid as long as that batch. NULL for a dataset without weights, before the first
 *  batch and after the end of an epoch. */
DLVIZ_API const dlviz_tensor *dlviz_loader_weights(const dlviz_loader *loader);

/** Where samples are mixed (dlviz_mixup), for the batch that dlviz_loader_next gave last: the share
 *  λ of each sample itself, float32, b; and, where targets are labels, those of the samples that
 *  they are mixed with, as dlviz_loader_next gives targets. A batch's loss is then the mean of
 *  λ·loss(targets) + (1 − λ)·loss(partner targets), as dlviz_network_backward_weighted computes it
 *  of the batch put twice into one of 2 b samples: with the targets and the weights λ, and with the
 *  partner targets and the weights 1 − λ. Owned by the loader and valid as long as that batch;
 *  otherwise NULL. */
DLVIZ_API const dlviz_tensor *dlviz_loader_shares(const dlviz_loader *loader);
DLVIZ_API const dlviz_tensor *dlviz_loader_partner_targets(const dlviz_loader *loader);

/** Goes to the start of an epoch, 0 or more. Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_loader_rewind(dlviz_loader *loader, int64_t epoch);

#ifdef __cplusplus
}
#endif
#endif
