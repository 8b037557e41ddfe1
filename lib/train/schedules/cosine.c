#include "base/base.h"
#include "train/schedule.h"

#include <math.h>

typedef struct cosine {
    dlviz_schedule base;
    double length, minimum;
} cosine;

static dlviz_status check(const dlviz_schedule *schedule) {
    const cosine *own = (const cosine *)schedule;
    DLZ_TRY(dlz_schedule_check_above("length", own->length));
    return dlz_schedule_check_minimum(own->minimum);
}

static double rate(const dlviz_schedule *schedule, const dlviz_schedule_event *event) {
    const cosine *own = (const cosine *)schedule;
    if (dlz_schedule_reached(event->done, own->length))
        return own->minimum;
    double wave = 1 + cos(M_PI * event->done / own->length);
    return own->minimum + (event->base - own->minimum) * wave / 2;
}

static const dlz_setting settings[] = {
    {"length", DLZ_SETTING_REAL, offsetof(cosine, length), false},
    {"minimum", DLZ_SETTING_REAL, offsetof(cosine, minimum), false},
    {0},
};

static const dlz_schedule_type cosine_type = {
    .name = "cosine",
    .size = sizeof(cosine),
    .pace = DLVIZ_PACE_EPOCH,
    .settings = settings,
    .check = check,
    .rate = rate,
};

dlviz_schedule *dlviz_cosine(double length) {
    dlviz_schedule *schedule = dlz_schedule_create(&cosine_type);
    cosine *own = (cosine *)schedule;
    if (own) {
        own->length = length;
    }
    return dlz_schedule_checked(schedule);
}

dlviz_status dlviz_cosine_set_minimum(dlviz_schedule *schedule, double minimum) {
    return dlz_schedule_set(__func__, schedule, &cosine_type, offsetof(cosine, minimum), &minimum,
                            sizeof minimum);
}

double dlviz_cosine_length(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &cosine_type, offsetof(cosine, length));
}

double dlviz_cosine_minimum(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &cosine_type, offsetof(cosine, minimum));
}
