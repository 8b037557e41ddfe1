#include "base/base.h"
#include "train/schedule.h"

#include <math.h>

typedef struct one_cycle {
    dlviz_schedule base;
    double peak_rate, length, rise, start_divisor, final_divisor;
    bool linear;
} one_cycle;

static dlviz_status check(const dlviz_schedule *schedule) {
    const one_cycle *own = (const one_cycle *)schedule;
    if (!(own->peak_rate > 0 && own->peak_rate <= 1e30))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "the peak rate is %g; above 0, up to 1e30, is accepted", own->peak_rate);
    DLZ_TRY(dlz_schedule_check_above("length", own->length));
    if (!(own->rise >= 0 && own->rise <= 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "the rise is %g; 0 to 1 is accepted",
                        own->rise);
    DLZ_TRY(dlz_schedule_check_above("start divisor", own->start_divisor));
    return dlz_schedule_check_above("final divisor", own->final_divisor);
}

static double between(const one_cycle *own, double from, double to, double part) {
    if (own->linear)
        return (to - from) * part + from;
    return to + (from - to) / 2 * (cos(M_PI * part) + 1);
}

/* As PyTorch counts: the first step is number 0, the last of the length is the one before all, and the
 * peak lies one before the rise's part of all. */
static double rate(const dlviz_schedule *schedule, const dlviz_schedule_event *event) {
    const one_cycle *own = (const one_cycle *)schedule;
    double step = dlz_schedule_whole(event->done / event->unit);
    double all = dlz_schedule_whole(own->length / event->unit);
    double top = own->rise * all - 1, last = all - 1;
    double start = own->peak_rate / own->start_divisor, final = start / own->final_divisor;
    if (step < top)
        return between(own, start, own->peak_rate, step / top);
    if (step == top)
        return own->peak_rate;
    if (step >= last)
        return final;
    return between(own, own->peak_rate, final, (step - top) / (last - top));
}

static const dlz_setting settings[] = {
    {"peak_rate", DLZ_SETTING_REAL, offsetof(one_cycle, peak_rate), false},
    {"length", DLZ_SETTING_REAL, offsetof(one_cycle, length), false},
    {"rise", DLZ_SETTING_REAL, offsetof(one_cycle, rise), false},
    {"start_divisor", DLZ_SETTING_REAL, offsetof(one_cycle, start_divisor), false},
    {"final_divisor", DLZ_SETTING_REAL, offsetof(one_cycle, final_divisor), false},
    {"linear", DLZ_SETTING_BOOL, offsetof(one_cycle, linear), false},
    {0},
};

static const dlz_schedule_type one_cycle_type = {
    .name = "one_cycle",
    .size = sizeof(one_cycle),
    .pace = DLVIZ_PACE_SMOOTH,
    .settings = settings,
    .check = check,
    .rate = rate,
};

dlviz_schedule *dlviz_one_cycle(double peak_rate, double length) {
    dlviz_schedule *schedule = dlz_schedule_create(&one_cycle_type);
    one_cycle *own = (one_cycle *)schedule;
    if (own) {
        own->peak_rate = peak_rate;
        own->length = length;
        own->rise = 0.3;
        own->start_divisor = 25;
        own->final_divisor = 1e4;
    }
    return dlz_schedule_checked(schedule);
}

dlviz_status dlviz_one_cycle_set_rise(dlviz_schedule *schedule, double rise) {
    return dlz_schedule_set(__func__, schedule, &one_cycle_type, offsetof(one_cycle, rise), &rise,
                            sizeof rise);
}

dlviz_status dlviz_one_cycle_set_start_divisor(dlviz_schedule *schedule, double start_divisor) {
    return dlz_schedule_set(__func__, schedule, &one_cycle_type, offsetof(one_cycle, start_divisor),
                            &start_divisor, sizeof start_divisor);
}

dlviz_status dlviz_one_cycle_set_final_divisor(dlviz_schedule *schedule, double final_divisor) {
    return dlz_schedule_set(__func__, schedule, &one_cycle_type, offsetof(one_cycle, final_divisor),
                            &final_divisor, sizeof final_divisor);
}

dlviz_status dlviz_one_cycle_set_linear(dlviz_schedule *schedule, bool linear) {
    return dlz_schedule_set(__func__, schedule, &one_cycle_type, offsetof(one_cycle, linear),
                            &linear, sizeof linear);
}

static const one_cycle *as_one_cycle(const dlviz_schedule *schedule) {
    return dlz_schedule_as(schedule, &one_cycle_type);
}

double dlviz_one_cycle_peak_rate(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &one_cycle_type, offsetof(one_cycle, peak_rate));
}

double dlviz_one_cycle_length(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &one_cycle_type, offsetof(one_cycle, length));
}

double dlviz_one_cycle_rise(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &one_cycle_type, offsetof(one_cycle, rise));
}

double dlviz_one_cycle_start_divisor(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &one_cycle_type, offsetof(one_cycle, start_divisor));
}

double dlviz_one_cycle_final_divisor(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &one_cycle_type, offsetof(one_cycle, final_divisor));
}

bool dlviz_one_cycle_linear(const dlviz_schedule *schedule) {
    const one_cycle *own = as_one_cycle(schedule);
    return own && own->linear;
}
