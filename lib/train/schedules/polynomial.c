#include "base/base.h"
#include "train/schedule.h"

#include <math.h>

typedef struct polynomial {
    dlviz_schedule base;
    double length, power;
} polynomial;

static dlviz_status check(const dlviz_schedule *schedule) {
    const polynomial *own = (const polynomial *)schedule;
    DLZ_TRY(dlz_schedule_check_above("length", own->length));
    return dlz_schedule_check_above("power", own->power);
}

static double rate(const dlviz_schedule *schedule, const dlviz_schedule_event *event) {
    const polynomial *own = (const polynomial *)schedule;
    if (dlz_schedule_reached(event->done, own->length))
        return 0;
    return event->base * pow(1 - event->done / own->length, own->power);
}

static const dlz_setting settings[] = {
    {"length", DLZ_SETTING_REAL, offsetof(polynomial, length), false},
    {"power", DLZ_SETTING_REAL, offsetof(polynomial, power), false},
    {0},
};

static const dlz_schedule_type polynomial_type = {
    .name = "polynomial",
    .size = sizeof(polynomial),
    .pace = DLVIZ_PACE_EPOCH,
    .settings = settings,
    .check = check,
    .rate = rate,
};

dlviz_schedule *dlviz_polynomial(double length, double power) {
    dlviz_schedule *schedule = dlz_schedule_create(&polynomial_type);
    polynomial *own = (polynomial *)schedule;
    if (own) {
        own->length = length;
        own->power = power;
    }
    return dlz_schedule_checked(schedule);
}

double dlviz_polynomial_length(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &polynomial_type, offsetof(polynomial, length));
}

double dlviz_polynomial_power(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &polynomial_type, offsetof(polynomial, power));
}
