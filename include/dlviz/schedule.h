/* dlviz/schedule.h - how the learning rate changes from epoch to epoch.
 *
 * A constructor returns a schedule that waits to be handed to dlviz_trainer_set_schedule: it is one
 * trainer's, which owns it from then on. Mistakes need no check here: a schedule remembers its
 * first error and dlviz_trainer_set_schedule reports it, as dlviz_schedule_next does in a loop of
 * one's own. Settings come before that call, and are DLVIZ_ERROR_STATE after it; getters may be
 * called at any time. Out of memory, a constructor returns NULL, which those two calls refuse. */
#ifndef DLVIZ_SCHEDULE_H
#define DLVIZ_SCHEDULE_H

#include <dlviz/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A schedule and its memory of earlier epochs. To be used by one thread at a time. Training
 *  without one keeps the learning rate constant. */
typedef struct dlviz_schedule dlviz_schedule;

/** ReduceLROnPlateau as PyTorch defines it, for a loss that should fall: an epoch is better when
 *  loss < best·(1 − threshold); after more than `patience` epochs in a row that are not, the rate
 *  becomes max(rate·factor, minimum), if that changes it by more than 1e-8. The threshold is 1e-4,
 *  cooldown and minimum are 0 unless set.
 *  @param factor    above 0, below 1
 *  @param patience  0 or more epochs */
DLVIZ_API dlviz_schedule *dlviz_plateau(double factor, int64_t patience);
/** The relative improvement that counts; 0 or more, below 1. Each setter below returns
 *  DLVIZ_ERROR_INVALID_ARGUMENT for a value out of range or a schedule of another kind, which the
 *  schedule remembers as well, or DLVIZ_ERROR_STATE once a trainer owns the schedule. */
DLVIZ_API dlviz_status dlviz_plateau_set_threshold(dlviz_schedule *schedule, double threshold);
/** Epochs after a reduction during which bad epochs are not counted; 0 or more. */
DLVIZ_API dlviz_status dlviz_plateau_set_cooldown(dlviz_schedule *schedule, int64_t cooldown);
/** The rate never falls below it; finite, 0 or more. */
DLVIZ_API dlviz_status dlviz_plateau_set_minimum(dlviz_schedule *schedule, double minimum);
/** The settings: NaN, or 0 epochs, of a schedule that is NULL or of another kind. */
DLVIZ_API double dlviz_plateau_factor(const dlviz_schedule *schedule);
DLVIZ_API int64_t dlviz_plateau_patience(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_plateau_threshold(const dlviz_schedule *schedule);
DLVIZ_API int64_t dlviz_plateau_cooldown(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_plateau_minimum(const dlviz_schedule *schedule);

/** For a loop of one's own: tells the schedule an epoch's loss (NaN counts as not better) and gives
 *  the rate that follows. dlviz_trainer does this after every epoch, with the schedule it owns.
 *  @param learning_rate  of that epoch; finite, 0 or more
 *  @param next           receives the rate of the epoch to come, NaN on failure
 *  Returns the schedule's first error, DLVIZ_ERROR_STATE when a trainer owns it, or
 *  DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_schedule_next(dlviz_schedule *schedule, double loss,
                                               double learning_rate, double *next);

/** Destroys a schedule that no trainer owns; does nothing to one that is owned. NULL is allowed. */
DLVIZ_API void dlviz_schedule_destroy(dlviz_schedule *schedule);

#ifdef __cplusplus
}
#endif
#endif
