/* dlviz/schedule.h - how the learning rate changes from epoch to epoch. */
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
 *  @param patience  0 or more epochs
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_plateau_create(dlviz_schedule **out, double factor,
                                                int64_t patience);
/** The relative improvement that counts; 0 or more, below 1. */
DLVIZ_CHECKED dlviz_status dlviz_plateau_set_threshold(dlviz_schedule *schedule, double threshold);
/** Epochs after a reduction during which bad epochs are not counted; 0 or more. */
DLVIZ_CHECKED dlviz_status dlviz_plateau_set_cooldown(dlviz_schedule *schedule, int64_t cooldown);
/** The rate never falls below it; finite, 0 or more. */
DLVIZ_CHECKED dlviz_status dlviz_plateau_set_minimum(dlviz_schedule *schedule, double minimum);
/** The settings: NaN, or 0 epochs, of a schedule that is NULL. */
DLVIZ_API double dlviz_plateau_factor(const dlviz_schedule *schedule);
DLVIZ_API int64_t dlviz_plateau_patience(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_plateau_threshold(const dlviz_schedule *schedule);
DLVIZ_API int64_t dlviz_plateau_cooldown(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_plateau_minimum(const dlviz_schedule *schedule);

/** Destroys the schedule, once no trainer holds it any more. NULL is allowed. */
DLVIZ_API void dlviz_schedule_destroy(dlviz_schedule *schedule);

/** Tells the schedule an epoch's loss (NaN counts as not better) and gives the rate that follows
 *  `learning_rate`; NaN when the schedule is NULL. dlviz_trainer does this after every epoch. */
DLVIZ_API double dlviz_schedule_next(dlviz_schedule *schedule, double loss, double learning_rate);

#ifdef __cplusplus
}
#endif
#endif
