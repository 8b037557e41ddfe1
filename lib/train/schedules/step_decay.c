#include "base/base.h"
#include "train/schedule.h"

#include <math.h>

typedef struct step_decay {
    dlviz_schedule base;
    double period, factor;
} step_decay;

static dlviz_status check(const dlviz_schedule *schedule) {
    const step_decay *own = (const step_decay *)schedule;
    DLZ_TRY(dlz_schedule_check_above("period", own->period));
    return dlz_schedule_check_above("factor", own->factor);
}

static double rate(const dlviz_schedule *schedule, const dlviz_schedule_event *event) {
    const step_decay *own = (const step_decay *)schedule;
    return event->base * pow(own->factor, floor(dlz_schedule_whole(event->done / own->period)));
}

static const dlz_setting settings[] = {
    {"period", DLZ_SETTING_REAL, offsetof(step_decay, period), false},
    {"factor", DLZ_SETTING_REAL, offsetof(step_decay, factor), false},
    {0},
};

static const dlz_schedule_type step_decay_type = {
    .name = "step_decay",
    .size = sizeof(step_decay),
    .pace = DLVIZ_PACE_EPOCH,
    .settings = settings,
    .check = check,
    .rate = rate,
};

dlviz_schedule *dlviz_step_decay(double period, double factor) {
    dlviz_schedule *schedule = dlz_schedule_create(&step_decay_type);
    step_decay *own = (step_decay *)schedule;
    if (own) {
        own->period = period;
        own->factor = factor;
    }
    return dlz_schedule_checked(schedule);
}

double dlviz_step_decay_period(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &step_decay_type, offsetof(step_decay, period));
}

double dlviz_step_decay_factor(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &step_decay_type, offsetof(step_decay, factor));
}
