#include "base/base.h"
#include "train/schedule.h"

#include <math.h>

typedef struct exponential {
    dlviz_schedule base;
    double factor;
} exponential;

static dlviz_status check(const dlviz_schedule *schedule) {
    const exponential *own = (const exponential *)schedule;
    return dlz_schedule_check_above("factor", own->factor);
}

static double rate(const dlviz_schedule *schedule, const dlviz_schedule_event *event) {
    return event->base * pow(((const exponential *)schedule)->factor, event->done);
}

static const dlz_setting settings[] = {
    {"factor", DLZ_SETTING_REAL, offsetof(exponential, factor), false},
    {0},
};

static const dlz_schedule_type exponential_type = {
    .name = "exponential",
    .size = sizeof(exponential),
    .pace = DLVIZ_PACE_EPOCH,
    .settings = settings,
    .check = check,
    .rate = rate,
};

dlviz_schedule *dlviz_exponential(double factor) {
    dlviz_schedule *schedule = dlz_schedule_create(&exponential_type);
    exponential *own = (exponential *)schedule;
    if (own) {
        own->factor = factor;
    }
    return dlz_schedule_checked(schedule);
}

double dlviz_exponential_factor(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &exponential_type, offsetof(exponential, factor));
}
