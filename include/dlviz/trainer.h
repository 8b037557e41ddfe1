/* dlviz/trainer.h - epochs of shuffled batches, validation, history, checkpoints. */
#ifndef DLVIZ_TRAINER_H
#define DLVIZ_TRAINER_H

#include <dlviz/network.h>
#include <dlviz/optimizer.h>
#include <dlviz/schedule.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Trains one network with one optimizer on the network's loss. To be used by one thread at a time:
 *  a second one is refused with DLVIZ_ERROR_STATE. While it trains, so is one that uses the
 *  network. */
typedef struct dlviz_trainer dlviz_trainer;

/** Called after each batch or epoch. Returns true to go on; false ends dlviz_trainer_fit with
 *  DLVIZ_CANCELLED, as early stopping does. It may ask all getters, save checkpoints, use the
 *  network (evaluate, predict, save, set states), change the learning rate, the schedule and the
 *  callbacks, and after an epoch also what the trainer's setters refuse while one is under way.
 *  dlviz_trainer_fit and dlviz_trainer_load_checkpoint are DLVIZ_ERROR_STATE there. Handles that
 *  the fit uses may be destroyed: it holds them to its end. */
typedef bool (*dlviz_trainer_fn)(dlviz_trainer *trainer, void *user);

/** The trainer holds the network and the optimizer, which may be destroyed before it. As long as it
 *  exists the network keeps its loss.
 *  @param network    built
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (not built, or the optimizer serves
 *  another network) or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_create(dlviz_trainer **out, dlviz_network *network,
                                                dlviz_optimizer *optimizer);
/** Destroys the schedule with it; network, optimizer and datasets live on if they have not been
 *  destroyed. From within a callback, ends dlviz_trainer_fit with DLVIZ_CANCELLED as well. NULL is
 *  allowed. */
DLVIZ_API void dlviz_trainer_destroy(dlviz_trainer *trainer);

/** Samples in a batch, 1 or more; 64 unless set. The last batch of an epoch holds what is left.
 *  This setter, and those of drop_last and the seed, return DLVIZ_ERROR_STATE when an epoch is
 *  under way. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_batch_size(dlviz_trainer *trainer, int64_t batch_size);
DLVIZ_API int64_t dlviz_trainer_batch_size(const dlviz_trainer *trainer);
/** Whether a last batch with fewer samples is left out; false unless set. Which samples these are
 *  changes from epoch to epoch. A batch norm needs it where a single sample would be left: that has
 *  one value for each channel, and no variance. Returns DLVIZ_ERROR_STATE when an epoch is under
 *  way. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_drop_last(dlviz_trainer *trainer, bool drop_last);
DLVIZ_API bool dlviz_trainer_drops_last(const dlviz_trainer *trainer);
/** Decides the order of the images, their augmentations and the dropout masks; 0 unless set. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_seed(dlviz_trainer *trainer, uint64_t seed);
DLVIZ_API uint64_t dlviz_trainer_seed(const dlviz_trainer *trainer);
/** The set that is evaluated after each epoch; NULL for none. The trainer holds it: its handle may
 *  be destroyed. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_validation(dlviz_trainer *trainer,
                                                        const dlviz_dataset *validation);
DLVIZ_API const dlviz_dataset *dlviz_trainer_validation(const dlviz_trainer *trainer);
/** What the learning rate is after each epoch, which is constant unless set; a schedule that looks
 *  at the loss is told the validation loss, or the training loss without a validation set. The
 *  trainer owns the schedule from now on and destroys the one it had; after a failure this one is
 *  destroyed, unless it belongs to a trainer. Returns what the schedule remembers,
 *  DLVIZ_ERROR_INVALID_ARGUMENT (it is NULL or belongs to a trainer already) or
 *  DLVIZ_ERROR_STATE. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_schedule(dlviz_trainer *trainer,
                                                      dlviz_schedule *schedule);
/** Owned by the trainer; NULL for a constant learning rate. */
DLVIZ_API const dlviz_schedule *dlviz_trainer_schedule(const dlviz_trainer *trainer);
/** Goes on at the learning rate that there is, and destroys the schedule. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_clear_schedule(dlviz_trainer *trainer);

/** A metric of the user's own: a number that says how good a network's outputs for the validation
 *  set are.
 *  @param outputs  float32, n × the network's output shape
 *  @param targets  int64 labels, n, or n × height × width where pixels have labels; or float32 of
 *                  the outputs' shape
 *  The tensors are valid during the call. */
typedef double (*dlviz_trainer_metric_fn)(const dlviz_tensor *outputs, const dlviz_tensor *targets,
                                          void *user);
/** Adds a metric to the figures, as "validation_<name>": NaN without a validation set.
 *  @param name  UTF-8, without comma, quote and line break; of no other metric. Copied.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (an epoch has been begun) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_add_metric(dlviz_trainer *trainer, const char *name,
                                                    dlviz_trainer_metric_fn function, void *user);
/** Called after each epoch, with its history entry in place; NULL for none. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_epoch_callback(dlviz_trainer *trainer,
                                                            dlviz_trainer_fn function, void *user);
/** Called after each batch; NULL for none. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_batch_callback(dlviz_trainer *trainer,
                                                            dlviz_trainer_fn function, void *user);

/** Trains `epochs` more epochs; one that was left unfinished (by a callback, or in the checkpoint
 *  that was loaded) is finished first and counts as one of them, with the dataset it began with:
 *  size, settings, labels and up to 64 samples spread over the set are compared. From one epoch to
 *  the next the data may change; what a callback changes of the dataset holds from the next batch
 *  on. Running statistics are looked at after each batch, parameters and moments after each epoch:
 *  when one is no longer finite, training ends with a sentence that names the tensor.
 *  Returns DLVIZ_ERROR_SHAPE (samples do not fit the network, targets do not fit the loss, or the
 *  last batch of an epoch is a single one and a batch norm would have one value a channel),
 *  DLVIZ_ERROR_INVALID_ARGUMENT (no targets, or one out of range; or fewer samples than a batch,
 *  which dlviz_trainer_set_drop_last leaves out), DLVIZ_ERROR_NUMERIC (a sample or its targets hold
 *  NaN or an infinity, and the sentence names it; or the loss or a state became NaN or infinite:
 *  the parameters are then useless, and an earlier checkpoint is what remains), DLVIZ_ERROR_STATE
 *  (from within a callback, the optimizer serves another network, or the epoch under way began with
 *  another dataset), DLVIZ_CANCELLED, DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_fit(dlviz_trainer *trainer, const dlviz_dataset *train,
                                             int64_t epochs);

/** Epochs finished so far. */
DLVIZ_API int64_t dlviz_trainer_num_epochs(const dlviz_trainer *trainer);

/** The figures of an epoch, by name, in this order:
 *  - "learning_rate";
 *  - "train_loss" and, for each metric of the loss (dlviz_loss_metric_name) that can be had in
 *    training, "train_<metric>": over the epoch's batches as they were trained on, that is, with
 *    dropout and before each update;
 *  - "validation_loss", "validation_<metric>" for each metric of the loss, and the metrics that
 *    were added: over the validation set, after the epoch; NaN without one;
 *  - "seconds": training and validation, wall-clock;
 *  - "samples_per_second": training alone.
 *  With the loss cross_entropy, for example, there are "train_accuracy" and
 *  "validation_top5_accuracy". Losses are means over all samples, by their weights. */
DLVIZ_API int64_t dlviz_trainer_num_figures(const dlviz_trainer *trainer);
/** The name of figure 0 … num_figures − 1; NULL beyond. Owned by the trainer, valid until a metric
 *  is added. */
DLVIZ_API const char *dlviz_trainer_figure_name(const dlviz_trainer *trainer, int64_t index);
/** A figure of finished epoch 0 … num_epochs − 1; NaN for any other epoch and for a name that there
 *  is not. */
DLVIZ_API double dlviz_trainer_history(const dlviz_trainer *trainer, int64_t epoch,
                                       const char *figure);
/** A figure of the epoch under way, over its batches so far; validation figures are NaN. */
DLVIZ_API double dlviz_trainer_current(const dlviz_trainer *trainer, const char *figure);
/** Batches done in the epoch under way, and how many it has. */
DLVIZ_API int64_t dlviz_trainer_batches_done(const dlviz_trainer *trainer);
DLVIZ_API int64_t dlviz_trainer_num_batches(const dlviz_trainer *trainer);

/** Writes the history as CSV: a header line and a line for each epoch, counted from 1; an absent
 *  figure is empty. The columns are epoch, lr (the learning rate) and the other figures by their
 *  names, but for top5_accuracy and samples_per_second. For the loss cross_entropy they are
 *  "epoch,lr, train_loss,train_accuracy,validation_loss,validation_accuracy,seconds", without the
 *  spaces. An earlier file survives a failure. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_write_history(const dlviz_trainer *trainer,
                                                       const char *path);

/** Writes everything that training goes on from (parameters, moments, schedule, history, position
 *  in the epoch, and all settings that decide over the numbers, as JSON in the metadata) to a
 *  .safetensors file, by way of a temporary file; the file that was there before is kept as
 *  "<path>.previous" (where that name would be too long, "<first part of it>~<hash>.previous"),
 *  unless it is damaged and the one of that name is not. What dlviz_trainer_load_checkpoint would
 *  refuse is not written. After a failure both files are as they were; the folder needs room for a
 *  third meanwhile. Returns DLVIZ_ERROR_NUMERIC (a tensor is not finite; the sentence names it),
 *  DLVIZ_ERROR_STATE, DLVIZ_ERROR_IO or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_save_checkpoint(const dlviz_trainer *trainer,
                                                         const char *path);
/** Continues from a checkpoint: the same training set then gives the same bits as if training had
 *  never stopped. Settings come first, then this call: the network (layers and all their settings),
 *  the settings of loss, optimizer and schedule, metrics that were added, batch size, whether a
 *  smaller last batch is left out, and seed must be those the checkpoint was written with, else
 *  DLVIZ_ERROR_FORMAT names the first that differs, its value in the file and the value here. The
 *  learning rate is restored; to go on at another, set it after this call, as any setting that is
 *  to change. What may differ: the number of epochs, callbacks, threads, and, where no schedule
 *  follows its loss, the validation set. Each tensor has a checksum: damage is DLVIZ_ERROR_FORMAT,
 *  and the sentence names the tensor, as it does for one that is missing or not finite. After any
 *  failure nothing is changed. Other statuses: DLVIZ_ERROR_IO, DLVIZ_ERROR_STATE (from within a
 *  callback, or the optimizer serves another network), DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_load_checkpoint(dlviz_trainer *trainer, const char *path);

#ifdef __cplusplus
}
#endif
#endif
