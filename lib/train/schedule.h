/* train/schedule.h - the inside of a schedule. */
#ifndef DLZ_SCHEDULE_H
#define DLZ_SCHEDULE_H

#include <dlviz/schedule.h>

struct dlviz_schedule {
    double factor, threshold, minimum;
    int patience, cooldown;
    /* memory of earlier epochs */
    double best;
    int64_t bad_epochs, cooldown_left;
};

#endif
