#include "base/base.h"
#include "train/schedule.h"

#include <math.h>

typedef struct cosine_restarts {
    dlviz_schedule base;
    double length, growth, minimum;
} cosine_restarts;

static dlviz_status check(const dlviz_schedule *schedule) {
    const cosine_restarts *own = (const cosine_restarts *)schedule;
    DLZ_TRY(dlz_schedule_check_above("length", own->length));
    if (!(own->growth >= 1 && isfinite(own->growth)))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "the growth is %g; finite, 1 or more is accepted", own->growth);
    return dlz_schedule_check_minimum(own->minimum);
}

/* When fall n begins: the sum of the lengths of those before it. */
static double beginning(const cosine_restarts *own, double n) {
    if (own->growth == 1)
        return n * own->length;
    return own->length * (pow(own->growth, n) - 1) / (own->growth - 1);
}

/* In which fall a time lies. The logarithm may miss by one. */
static double fall_at(const cosine_restarts *own, double done) {
    double falls = done / own->length;
    if (own->growth == 1)
        return floor(dlz_schedule_whole(falls));
    double n = floor(log1p(falls * (own->growth - 1)) / log(own->growth));
    if (dlz_schedule_reached(done, beginning(own, n + 1)))
        return n + 1;
    return n > 0 && !dlz_schedule_reached(done, beginning(own, n)) ? n - 1 : n;
}

static double rate(const dlviz_schedule *schedule, const dlviz_schedule_event *event) {
    const cosine_restarts *own = (const cosine_restarts *)schedule;
    double n = fall_at(own, event->done), begun = beginning(own, n);
    double part = fmax(0, event->done - begun) / (own->length * pow(own->growth, n));
    double wave = 1 + cos(M_PI * fmin(1, part));
    return own->minimum + (event->base - own->minimum) * wave / 2;
}

static const dlz_setting settings[] = {
    {"length", DLZ_SETTING_REAL, offsetof(cosine_restarts, length), false},
    {"growth", DLZ_SETTING_REAL, offsetof(cosine_restarts, growth), false},
    {"minimum", DLZ_SETTING_REAL, offsetof(cosine_restarts, minimum), false},
    {0},
};

static const dlz_schedule_type cosine_restarts_type = {
    .name = "cosine_restarts",
    .size = sizeof(cosine_restarts),
    .pace = DLVIZ_PACE_EPOCH,
    .settings = settings,
    .check = check,
    .rate = rate,
};

dlviz_schedule *dlviz_cosine_restarts(double length, double growth) {
    dlviz_schedule *schedule = dlz_schedule_create(&cosine_restarts_type);
    cosine_restarts *own = (cosine_restarts *)schedule;
    if (own) {
        own->length = length;
        own->growth = growth;
    }
    return dlz_schedule_checked(schedule);
}

dlviz_status dlviz_cosine_restarts_set_minimum(dlviz_schedule *schedule, double minimum) {
    return dlz_schedule_set(__func__, schedule, &cosine_restarts_type,
                            offsetof(cosine_restarts, minimum), &minimum, sizeof minimum);
}

double dlviz_cosine_restarts_length(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &cosine_restarts_type, offsetof(cosine_restarts, length));
}

double dlviz_cosine_restarts_growth(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &cosine_restarts_type, offsetof(cosine_restarts, growth));
}

double dlviz_cosine_restarts_minimum(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &cosine_restarts_type, offsetof(cosine_restarts, minimum));
}
