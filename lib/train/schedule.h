/* train/schedule.h - the inside of a schedule. */
#ifndef DLZ_SCHEDULE_H
#define DLZ_SCHEDULE_H

#include <dlviz/schedule.h>

#include <jansson.h>
#include <stdatomic.h>

struct dlviz_schedule {
    atomic_int references; /* the user's handle, and trainers */
    double factor, threshold, minimum;
    int64_t patience, cooldown;
    /* memory of earlier epochs */
    double best;
    int64_t bad_epochs, cooldown_left;
};

/* What a run that goes on must have the same, as a new JSON object; NULL when out of memory.
 * `schedule` is NULL for none; `validated`: it follows the validation loss, not the training loss.
 */
json_t *dlz_schedule_settings(const dlviz_schedule *schedule, bool validated);
/* Keeps the schedule alive, whoever destroys their handle; dlviz_schedule_destroy ends that too. */
dlviz_schedule *dlz_schedule_hold(dlviz_schedule *schedule);

#endif
