/* dlviz/trainer.h - epochs of shuffled batches, validation, history, checkpoints. */
#ifndef DLVIZ_TRAINER_H
#define DLVIZ_TRAINER_H

#include <dlviz/comm.h>
#include <dlviz/network.h>
#include <dlviz/optimizer.h>
#include <dlviz/schedule.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Trains one network with one optimizer on the network's loss. To be used by one thread at a time:
 *  a second one is refused with DLVIZ_ERROR_STATE, and while the trainer trains, so is a thread
 *  that uses the network or the optimizer. */
typedef struct dlviz_trainer dlviz_trainer;

/** What has just happened in dlviz_trainer_fit. Valid during the callback alone. */
typedef struct dlviz_trainer_event dlviz_trainer_event;

/** Called after each batch or epoch. Returns true to go on; false ends dlviz_trainer_fit, which
 *  returns DLVIZ_OK (dlviz_trainer_stop_reason tells). It may ask all getters, save checkpoints,
 *  use the network (evaluate, predict, save, set states, freeze), change the learning rate, the
 *  schedule and the callbacks, and, after an epoch, the settings that are refused while an epoch is
 *  under way. dlviz_trainer_fit and dlviz_trainer_load_checkpoint are DLVIZ_ERROR_STATE there, also
 *  those of another trainer of the network.
 *  Handles that the fit uses may be destroyed: it holds them to its end. No exception and no
 *  longjmp may leave it. */
typedef bool (*dlviz_trainer_fn)(const dlviz_trainer_event *event, void *user);

/** The trainer that calls. NULL for NULL, where the getters below give 0 or NaN. */
DLVIZ_API dlviz_trainer *dlviz_trainer_event_trainer(const dlviz_trainer_event *event);
/** The epoch that is under way or has just been finished, counted from 0: after the first epoch
 *  it is 0, where dlviz_film_add takes 1, the number of epochs that are done. */
DLVIZ_API int64_t dlviz_trainer_event_epoch(const dlviz_trainer_event *event);
/** The batch of that epoch, counted from 0; after an epoch, its last. */
DLVIZ_API int64_t dlviz_trainer_event_batch(const dlviz_trainer_event *event);
/** The loss of the batch, before its step; after an epoch, the loss that was measured last: of the
 *  validation set or, without one, in training. */
DLVIZ_API double dlviz_trainer_event_loss(const dlviz_trainer_event *event);
/** The norm of the gradients of the last step, as one vector, before they were clipped by it, also
 *  where an earlier call or process made that step; NaN unless dlviz_trainer_set_clip_norm asks for
 *  it. */
DLVIZ_API double dlviz_trainer_event_gradient_norm(const dlviz_trainer_event *event);
/** The learning rate of the last step, whichever call or earlier process made it; before the first,
 *  the optimizer's. */
DLVIZ_API double dlviz_trainer_event_learning_rate(const dlviz_trainer_event *event);

/** The trainer holds the network and the optimizer, which may be destroyed before it. As long as it
 *  exists the network keeps its loss.
 *  @param network    built
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (not built, or the optimizer serves
 *  another network), DLVIZ_ERROR_NOT_FOUND (a pattern of the optimizer's factors matches no
 *  parameter) or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_create(dlviz_trainer **out, dlviz_network *network,
                                                dlviz_optimizer *optimizer);
/** Destroys the schedule with it; network, optimizer and datasets live on if they have not been
 *  destroyed. From within a callback, ends dlviz_trainer_fit with DLVIZ_CANCELLED. NULL is
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
/** What the learning rate is from step to step or from epoch to epoch, which is constant unless
 *  set. The schedule begins with the next step, at the rate that the optimizer has then: one that
 *  has begun already, in a loop of your own (dlviz_schedule_start), is refused. One that looks at
 *  the loss is told the validation loss, or the training loss without a validation set. The trainer
 *  owns the schedule from now on and destroys the one it had; after a failure this one
 *  is destroyed, unless it has an owner. Returns what the schedule remembers,
 *  DLVIZ_ERROR_INVALID_ARGUMENT (it is NULL or has an owner already) or DLVIZ_ERROR_STATE (it has
 *  begun; or from within a schedule's own function, say). */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_schedule(dlviz_trainer *trainer,
                                                      dlviz_schedule *schedule);
/** Owned by the trainer; NULL for a constant learning rate. */
DLVIZ_API const dlviz_schedule *dlviz_trainer_schedule(const dlviz_trainer *trainer);
/** Goes on at the learning rate that there is, and destroys the schedule. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_clear_schedule(dlviz_trainer *trainer);

/** Processes that train together: each rank makes the same trainer, with the same settings on
 *  the same network and datasets, and makes the same calls. Where no rank is to hold all samples,
 *  dlviz_dataset_join makes one dataset of what each has, or all map the same files. Callbacks
 *  that change something, and schedules of your own, do the same everywhere: where they do not,
 *  dlviz_trainer_fit fails with a sentence that names what differs, after the batch (learning rate,
 *  weight decay, clipping, averaging, patience, what is frozen) or before the next epoch (all else,
 *  the states too). Each batch is shared out; all ranks come to the same parameters and figures, to
 *  the bit, as one process does.
 *
 *  A batch of a multiple of 8 samples is cut into eighths, of which each rank has some: 1 to 8
 *  ranks can share it, and 1, 2, 4 or 8 do so evenly. Other batches, such as the last of an epoch,
 *  each rank computes as a whole; so it does where the network has a layer of the user's own, and
 *  where a layer has too many weights for its few pixels to be summed up in as many parts, of which
 *  the log tells (DLVIZ_LOG_LEVEL_INFO).
 *
 *  dlviz_trainer_fit fails on all ranks if it fails on one: that rank has its own status, and
 *  the others DLVIZ_ERROR_COMM with its sentence. The communicator has then ended, also where all
 *  ranks have come to the same failure, such as a loss that is no longer finite: to go on, the
 *  program is started again, from its last checkpoint. A rank writes files, checkpoints too,
 *  only if the program makes it do so, which rank 0 alone should; any number of ranks resumes
 *  from them.
 *
 *  Of fully connected layers of many weights each rank trains some outputs' weights, and within an
 *  epoch its copies of the others' are out of date: in a batch callback, or another function of
 *  yours that the fit calls, what needs the network's states or gradients, or saves a checkpoint,
 *  is DLVIZ_ERROR_STATE until dlviz_trainer_gather has been called. After each epoch, and at the
 *  end of a fit, all ranks have everything; with an average (dlviz_trainer_set_averaging) they have
 *  all weights after each step. A fit that fails amid an epoch, or is cancelled by destroying the
 *  trainer, can leave the weights apart: the network is then of no use until a file or a
 *  checkpoint is loaded into it, or dlviz_trainer_restore_best is called.
 *  @param comm  the trainer holds it; NULL, the default, for this process alone. Nothing else uses
 *               it during a fit.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (more than 8 ranks) or DLVIZ_ERROR_STATE (during a fit, or
 *  in use by another thread). */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_comm(dlviz_trainer *trainer, dlviz_comm *comm);
/** What was set; the trainer holds it, and it is not the caller's to destroy. */
DLVIZ_API dlviz_comm *dlviz_trainer_comm(const dlviz_trainer *trainer);
/** In a batch callback of a fit by several ranks, gives each of them all weights and moments, so
 *  that the network can be used and a checkpoint saved there; to be called by all of them, at the
 *  same batch. Gradients of the step stay spread over the ranks. It sends about as much as the
 *  large layers' weights and their moments are: not to be called after every batch. A rank that
 *  calls it alone ends the fit of all. Outside of a fit there is nothing to gather. Returns
 *  DLVIZ_ERROR_COMM, or DLVIZ_ERROR_STATE (in use by another thread, or after a fit that has failed
 *  and left the weights apart). */
DLVIZ_CHECKED dlviz_status dlviz_trainer_gather(dlviz_trainer *trainer);

/* -- From gradients to steps ------------------------------------------------------------------- */

/** Gradient accumulation: how many batches make one step, 1 unless set. Their gradients are
 *  averaged by the samples' weights, as those of one batch that many times as large; only batch
 *  norm and dropout still work batch by batch. The last step of an epoch takes the batches that are
 *  left. Returns DLVIZ_ERROR_INVALID_ARGUMENT, or DLVIZ_ERROR_STATE when an epoch is under way. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_accumulation(dlviz_trainer *trainer,
                                                          int64_t num_batches);
DLVIZ_API int64_t dlviz_trainer_accumulation(const dlviz_trainer *trainer);
/** Scales the gradients of each step down where their norm is above `largest`, as
 *  dlviz_network_clip_gradient_norm does; 0, the default, for no limit. A norm that is not finite
 *  ends the fit with DLVIZ_ERROR_NUMERIC. Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_clip_norm(dlviz_trainer *trainer, double largest);
DLVIZ_API double dlviz_trainer_clip_norm(const dlviz_trainer *trainer);
/** Clamps each number of the gradients to −largest … largest, before their norm is clipped; 0, the
 *  default, for no limit; up to 1e30. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_clip_value(dlviz_trainer *trainer, double largest);
DLVIZ_API double dlviz_trainer_clip_value(const dlviz_trainer *trainer);

/** Keeps an exponential moving average (EMA) of the network's parameters and running statistics:
 *  after each step average ← decay·average + (1 − decay)·present, beginning with those after the
 *  first step. Validation then measures the average, and the best states are the average's.
 *  @param decay  0.999, say; 0 or more, below 1; 0, the default, for no average, which drops the
 *                one there is
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (the network holds the average) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_averaging(dlviz_trainer *trainer, double decay);
DLVIZ_API double dlviz_trainer_averaging(const dlviz_trainer *trainer);
/** Exchanges the network's states and their average: the network is then the averaged one, to be
 *  evaluated or saved, and after a second call the one that is trained, which dlviz_trainer_fit and
 *  checkpoints need (else they are DLVIZ_ERROR_STATE), also those of another trainer of the
 *  network. What is loaded into the network between the two is the average from then on; where the
 *  trainer is destroyed between them, the network keeps the average. Returns DLVIZ_ERROR_STATE
 *  before the first step, when there is no average yet, and while the network holds another
 *  trainer's. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_exchange_average(dlviz_trainer *trainer);
/** Whether the network holds the average, this trainer's. */
DLVIZ_API bool dlviz_trainer_average_is_exchanged(const dlviz_trainer *trainer);

/* -- Early stopping ---------------------------------------------------------------------------- */

typedef enum dlviz_better {
    DLVIZ_BETTER_LOWER = 0, /**< as of losses and errors */
    DLVIZ_BETTER_HIGHER = 1 /**< as of accuracies */
} dlviz_better;

/** Ends dlviz_trainer_fit, with DLVIZ_OK, when a figure has not improved on its best for `patience`
 *  epochs in a row, and puts the states of the best epoch back into the network. A fit that comes
 *  to its last epoch first leaves the last states there: dlviz_trainer_restore_best, which may be
 *  called after any such fit, puts the best ones back.
 *  @param figure    "validation_loss", say, or another of dlviz_trainer_figure_name; copied. NULL,
 *                   the default, for training to the end. A metric of your own must be added first.
 *  @param better    whether lower or higher numbers are better; NaN is worse than any
 *  @param patience  1 or more
 *  This call forgets earlier epochs. Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_NOT_FOUND
 *  with the figures there are, or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_early_stopping(dlviz_trainer *trainer,
                                                            const char *figure, dlviz_better better,
                                                            int64_t patience);
/** The figure, owned by the trainer; NULL when there is none. `better` and `patience` receive the
 *  rest, 0 when there is none; either may be NULL. */
DLVIZ_API const char *dlviz_trainer_early_stopping(const dlviz_trainer *trainer,
                                                   dlviz_better *better, int64_t *patience);
/** By how much a figure must be better than the best to count; 0 unless set, up to 1e30. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_set_early_stopping_threshold(dlviz_trainer *trainer,
                                                                      double threshold);
DLVIZ_API double dlviz_trainer_early_stopping_threshold(const dlviz_trainer *trainer);
/** The best epoch so far by that figure, counted from 0; -1 when there is none (0 for NULL, as
 *  every getter). */
DLVIZ_API int64_t dlviz_trainer_best_epoch(const dlviz_trainer *trainer);
/** Puts the states of the best epoch into the network, for a training whose epochs ran out before
 *  its patience did; after early stopping they are there already, and nothing changes. Returns
 *  DLVIZ_ERROR_STATE when there is no best epoch, and while the network holds an average
 *  (dlviz_trainer_exchange_average). */
DLVIZ_CHECKED dlviz_status dlviz_trainer_restore_best(dlviz_trainer *trainer);

typedef enum dlviz_stop_reason {
    DLVIZ_STOP_REASON_NONE = 0,     /**< it has not ended: none was begun, or one is under way */
    DLVIZ_STOP_REASON_EPOCHS = 1,   /**< all epochs are done */
    DLVIZ_STOP_REASON_EARLY = 2,    /**< early stopping */
    DLVIZ_STOP_REASON_CALLBACK = 3, /**< a callback returned false */
    DLVIZ_STOP_REASON_ERROR = 4     /**< it failed, and returned the error's status */
} dlviz_stop_reason;

/** Why the last dlviz_trainer_fit ended. */
DLVIZ_API dlviz_stop_reason dlviz_trainer_stop_reason(const dlviz_trainer *trainer);
/** "not ended", "all epochs done", "early stopping", "callback" or "error"; "unknown" for another
 *  number. A static string. */
DLVIZ_API const char *dlviz_stop_reason_name(dlviz_stop_reason reason);

/* -- Looking on -------------------------------------------------------------------------------- */

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
 *  that was loaded) is finished first and counts as one of them, with the dataset it was left with:
 *  size, settings, labels and up to 64 samples spread over the set are compared. From one epoch to
 *  the next the data may change; what a callback changes of the dataset holds from the next batch
 *  on, also in the checkpoints that it saves, and in the next call after a failure. A batch that
 *  fails is as if it had not been tried: the next call begins with it. So it is with the end of an
 *  epoch (validation, schedule, early stopping): all of it is done, or none. Running statistics are
 *  looked at after each batch, parameters and moments after each epoch: when one is no longer
 *  finite, training ends with a sentence that names the tensor. After each epoch the log receives a
 *  line with its figures (dlviz_set_log, DLVIZ_LOG_LEVEL_INFO). DLVIZ_OK says that all epochs are
 *  done, or that early stopping or a callback ended it.
 *  Returns DLVIZ_ERROR_SHAPE (samples do not fit the network, targets do not fit the loss, or the
 *  last batch of an epoch is a single one and a batch norm would have one value a channel),
 *  DLVIZ_ERROR_INVALID_ARGUMENT (no targets, or one out of range; or fewer samples than a batch,
 *  which dlviz_trainer_set_drop_last leaves out), DLVIZ_ERROR_NUMERIC (a sample or its targets
 *  hold NaN or an infinity that reaches the loss, and the sentence names it; or the loss or a state
 *  became NaN or infinite: the parameters are then useless, and an earlier checkpoint is what
 *  remains; or a schedule gave a rate that is not finite or below 0, before it was used),
 *  DLVIZ_ERROR_STATE (from within a callback, the optimizer serves another network, the epoch under
 *  way is of another dataset, the network holds an average, or early stopping looks at a figure of
 *  validation and there is no validation set), DLVIZ_CANCELLED (a callback destroyed the trainer),
 *  DLVIZ_ERROR_OUT_OF_MEMORY; and DLVIZ_ERROR_IO or DLVIZ_ERROR_FORMAT where samples are decoded
 *  from files (dlviz_image_reader_set_memory_limit) of which one has gone or changed. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_fit(dlviz_trainer *trainer, const dlviz_dataset *train,
                                             int64_t epochs);

/** Epochs finished so far. */
DLVIZ_API int64_t dlviz_trainer_num_epochs(const dlviz_trainer *trainer);

/** The figures of an epoch, by name, in this order:
 *  - "learning_rate", at which the epoch's last step was made;
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
/** The name of figure 0 … num_figures − 1; NULL beyond. Owned by the trainer, valid until a
 *  metric is added. */
DLVIZ_API const char *dlviz_trainer_figure_name(const dlviz_trainer *trainer, int64_t index);
/** A figure of finished epoch 0 … num_epochs − 1; NaN for any other epoch and for a name that
 *  there is not. */
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
/** Writes the same bytes to memory.
 *  @param bytes  receives them, NULL on failure; free them with dlviz_free
 *  @param size   receives how many there are */
DLVIZ_CHECKED dlviz_status dlviz_trainer_write_history_memory(const dlviz_trainer *trainer,
                                                              void **bytes, size_t *size);

/** Writes everything that training goes on from (parameters, moments, schedule, history, position
 *  in the epoch, and all settings that decide over the numbers, as JSON in the metadata) to a
 *  .safetensors file, by way of a temporary file; the file that was there before is kept as
 *  "<path>.previous" (where that name would be too long, "<first part of it>~<hash>.previous"),
 *  unless it is damaged or unreadable and the one of that name is not. What
 *  dlviz_trainer_load_checkpoint would refuse is not written. The folder needs room for a third
 *  file meanwhile. After a failure both files are as they were, unless it was the very last step
 *  that failed, the renaming of the new one: then only the file at `path` is. Returns
 *  DLVIZ_ERROR_NUMERIC (a tensor is not finite; the sentence names it), DLVIZ_ERROR_STATE (the
 *  optimizer has meanwhile come to serve another network, the network holds an average, or ranks
 *  have the weights apart), DLVIZ_ERROR_NOT_FOUND (as dlviz_trainer_create), DLVIZ_ERROR_IO or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_save_checkpoint(const dlviz_trainer *trainer,
                                                         const char *path);
/** Writes the same bytes to memory, for a store of the program's own.
 *  @param bytes  receives them, NULL on failure; free them with dlviz_free
 *  @param size   receives how many there are
 *  Returns as dlviz_trainer_save_checkpoint, but for DLVIZ_ERROR_IO. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_save_checkpoint_memory(const dlviz_trainer *trainer,
                                                                void **bytes, size_t *size);
/** Continues from a checkpoint: the same training set then gives the same bits as if training had
 *  never stopped. Settings come first, then this call: the network (layers and all their settings),
 *  the settings of loss, optimizer and schedule, metrics that were added, batch size, whether a
 *  smaller last batch is left out, and seed must be those the checkpoint was written with, else
 *  DLVIZ_ERROR_FORMAT names the first that differs, its value in the file and the value here. The
 *  learning rate is restored; to go on at another, set it after this call, as any setting that is
 *  to change (a schedule that is a function of time goes on with its own). What may differ: the
 *  number of epochs, callbacks, threads, and, where no schedule follows its loss, the validation
 *  set. Each tensor has a checksum: damage is DLVIZ_ERROR_FORMAT, and the sentence names the
 *  tensor, as it does for one that is missing or not finite. After any failure nothing is changed.
 *  Other statuses: DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_IO, DLVIZ_ERROR_UNSUPPORTED (as
 *  dlviz_safetensors_open), DLVIZ_ERROR_STATE (from within a callback, the optimizer serves another
 *  network, or the network holds the average), DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_load_checkpoint(dlviz_trainer *trainer, const char *path);
/** The same from the bytes of such a file, which need no alignment. */
DLVIZ_CHECKED dlviz_status dlviz_trainer_load_checkpoint_memory(dlviz_trainer *trainer,
                                                                const void *bytes, size_t size);

#ifdef __cplusplus
}
#endif
#endif
