/* A schedule of the user's own. */
#include "base/base.h"
#include "train/schedule.h"

#include <math.h>

typedef struct custom {
    dlviz_schedule base;
    dlviz_schedule_fn function;
    void *user;
} custom;

static double rate(const dlviz_schedule *schedule, const dlviz_schedule_event *event) {
    const custom *own = (const custom *)schedule;
    return own->function(event, own->user);
}

/* Whether the function looks at the loss is not known: it may. */
static const dlz_schedule_type custom_type = {
    .name = "custom",
    .size = sizeof(custom),
    .pace = DLVIZ_PACE_EPOCH,
    .follows_loss = true,
    .rate = rate,
};

dlviz_schedule *dlviz_schedule_custom(dlviz_schedule_fn function, void *user) {
    dlviz_schedule *schedule = dlz_schedule_create(&custom_type);
    custom *own = (custom *)schedule;
    if (own) {
        own->function = function;
        own->user = user;
    }
    if (own && !function)
        dlz_part_remember(&schedule->part, dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                                    "%s: 'function' is NULL", __func__));
    return schedule;
}

double dlviz_schedule_event_epochs(const dlviz_schedule_event *event) {
    return event ? event->epochs : NAN;
}

int64_t dlviz_schedule_event_num_steps(const dlviz_schedule_event *event) {
    return event ? event->steps : 0;
}

double dlviz_schedule_event_base_rate(const dlviz_schedule_event *event) {
    return event ? event->base : NAN;
}

double dlviz_schedule_event_rate(const dlviz_schedule_event *event) {
    return event ? event->rate : NAN;
}

double dlviz_schedule_event_loss(const dlviz_schedule_event *event) {
    return event ? event->loss : NAN;
}
