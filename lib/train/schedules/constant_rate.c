#include "train/schedule.h"

static double rate(const dlviz_schedule *schedule, const dlviz_schedule_event *event) {
    (void)schedule;
    return event->base;
}

static const dlz_schedule_type constant_rate_type = {
    .name = "constant_rate",
    .size = sizeof(dlviz_schedule),
    .pace = DLVIZ_PACE_EPOCH,
    .rate = rate,
};

dlviz_schedule *dlviz_constant_rate(void) {
    return dlz_schedule_create(&constant_rate_type);
}
