#include "base/base.h"
#include "train/schedule.h"

typedef struct warmup {
    dlviz_schedule base;
    double length, start_factor;
} warmup;

static dlviz_status check(const dlviz_schedule *schedule) {
    const warmup *own = (const warmup *)schedule;
    DLZ_TRY(dlz_schedule_check_above("length", own->length));
    if (!(own->start_factor >= 0 && own->start_factor <= 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "the start factor is %g; 0 to 1 is accepted",
                        own->start_factor);
    return DLVIZ_OK;
}

static double rate(const dlviz_schedule *schedule, const dlviz_schedule_event *event) {
    const warmup *own = (const warmup *)schedule;
    double part = event->done / own->length;
    return event->base * (own->start_factor + (1 - own->start_factor) * part);
}

static bool is_over(const dlviz_schedule *schedule, double done) {
    return dlz_schedule_reached(done, ((const warmup *)schedule)->length);
}

static const dlz_setting settings[] = {
    {"length", DLZ_SETTING_REAL, offsetof(warmup, length), false},
    {"start_factor", DLZ_SETTING_REAL, offsetof(warmup, start_factor), false},
    {0},
};

static const dlz_schedule_type warmup_type = {
    .name = "warmup",
    .size = sizeof(warmup),
    .pace = DLVIZ_PACE_SMOOTH,
    .settings = settings,
    .check = check,
    .rate = rate,
    .is_over = is_over,
};

dlviz_schedule *dlviz_warmup(double length, double start_factor, dlviz_schedule *then) {
    dlviz_schedule *schedule = dlz_schedule_create(&warmup_type);
    warmup *own = (warmup *)schedule;
    if (own) {
        own->length = length;
        own->start_factor = start_factor;
    }
    dlz_schedule_take(dlz_schedule_checked(schedule), __func__, then);
    return schedule;
}

static const warmup *as_warmup(const dlviz_schedule *schedule) {
    return dlz_schedule_as(schedule, &warmup_type);
}

double dlviz_warmup_length(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &warmup_type, offsetof(warmup, length));
}

double dlviz_warmup_start_factor(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &warmup_type, offsetof(warmup, start_factor));
}

const dlviz_schedule *dlviz_warmup_then(const dlviz_schedule *schedule) {
    return as_warmup(schedule) ? schedule->then : NULL;
}
