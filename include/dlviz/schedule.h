/* dlviz/schedule.h - how the learning rate changes from epoch to epoch. */
#ifndef DLVIZ_SCHEDULE_H
#define DLVIZ_SCHEDULE_H

#include <dlviz/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A schedule and its memory of earlier epochs. To be used by one thread at a time. Training
 * without one keeps the learning rate constant. */
typedef struct dlviz_schedule dlviz_schedule;

/** ReduceLROnPlateau as PyTorch defines it, for a metric that should fall: an epoch is better when
 *  metric < best·(1 − threshold); after more than `patience` epochs in a row that are not, the rate
 *  becomes max(rate·factor, minimum), if that changes it by more than 1e-8. Threshold 1e-4,
 * cooldown 0, minimum 0.
 *  @param factor    above 0, below 1
 *  @param patience  0 or more epochs
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_plateau_create(dlviz_schedule **out, double factor, int patience);
/** Relative improvement that counts; 0 or more, below 1. */
DLVIZ_API dlviz_status dlviz_plateau_set_threshold(dlviz_schedule *schedule, double threshold);
/** Epochs after a reduction during which bad epochs are not counted; 0 or more. */
DLVIZ_API dlviz_status dlviz_plateau_set_cooldown(dlviz_schedule *schedule, int cooldown);
/** The rate never falls below it; 0 or more. */
DLVIZ_API dlviz_status dlviz_plateau_set_minimum(dlviz_schedule *schedule, double minimum);

/** Destroys the schedule, once no trainer holds it any more. NULL is allowed. */
DLVIZ_API void dlviz_schedule_destroy(dlviz_schedule *schedule);

/** Tells the schedule an epoch's metric (NaN counts as not better) and gives the rate that follows
 *  `learning_rate`. dlviz_trainer does this after every epoch. */
DLVIZ_API double dlviz_schedule_next(dlviz_schedule *schedule, double metric, double learning_rate);

#ifdef __cplusplus
}
#endif
#endif
