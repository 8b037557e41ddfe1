#include "base/base.h"
#include "train/schedule.h"

#include <math.h>
#include <string.h>

typedef struct multistep {
    dlviz_schedule base;
    dlz_reals milestones;
    double factor;
} multistep;

static dlviz_status check(const dlviz_schedule *schedule) {
    const multistep *own = (const multistep *)schedule;
    const double *milestones = own->milestones.values;
    for (int64_t i = 0; i < own->milestones.count; i++) {
        if (!(milestones[i] >= 0 && isfinite(milestones[i])))
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "milestone %lld is %g; finite, 0 or more is accepted", (long long)i,
                            milestones[i]);
        if (i > 0 && milestones[i] < milestones[i - 1])
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "milestone %lld is %g, before the one that it follows (%g)",
                            (long long)i, milestones[i], milestones[i - 1]);
    }
    return dlz_schedule_check_above("factor", own->factor);
}

static double rate(const dlviz_schedule *schedule, const dlviz_schedule_event *event) {
    const multistep *own = (const multistep *)schedule;
    int64_t passed = 0;
    while (passed < own->milestones.count &&
           dlz_schedule_reached(event->done, own->milestones.values[passed]))
        passed++;
    return event->base * pow(own->factor, (double)passed);
}

static void destroy(dlviz_schedule *schedule) {
    dlz_free(((multistep *)schedule)->milestones.values);
}

static const dlz_setting settings[] = {
    {"milestones", DLZ_SETTING_REALS, offsetof(multistep, milestones), false},
    {"factor", DLZ_SETTING_REAL, offsetof(multistep, factor), false},
    {0},
};

static const dlz_schedule_type multistep_type = {
    .name = "multistep",
    .size = sizeof(multistep),
    .pace = DLVIZ_PACE_EPOCH,
    .settings = settings,
    .check = check,
    .rate = rate,
    .destroy = destroy,
};

/* Fails where they cannot be read or copied. */
static dlviz_status copy(int64_t count, const double *milestones, dlz_reals *own) {
    if (count < 1 || !milestones)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_multistep: %lld milestones%s; 1 or more are accepted",
                        (long long)count, milestones ? "" : " at NULL");
    own->values = dlz_alloc_array((uint64_t)count, sizeof *milestones);
    if (!own->values)
        return dlz_fail_memory("milestones", (uint64_t)count * sizeof *milestones);
    memcpy(own->values, milestones, (size_t)count * sizeof *milestones);
    own->count = count;
    return DLVIZ_OK;
}

dlviz_schedule *dlviz_multistep(int64_t num_milestones, const double *milestones, double factor) {
    dlviz_schedule *schedule = dlz_schedule_create(&multistep_type);
    multistep *own = (multistep *)schedule;
    if (!own)
        return NULL;
    own->factor = factor;
    dlviz_status status = copy(num_milestones, milestones, &own->milestones);
    if (status != DLVIZ_ERROR_OUT_OF_MEMORY) {
        dlz_part_remember(&schedule->part, status);
        return dlz_schedule_checked(schedule);
    }
    dlviz_schedule_destroy(schedule);
    return NULL;
}

static const multistep *as_multistep(const dlviz_schedule *schedule) {
    return dlz_schedule_as(schedule, &multistep_type);
}

int64_t dlviz_multistep_num_milestones(const dlviz_schedule *schedule) {
    const multistep *own = as_multistep(schedule);
    return own ? own->milestones.count : 0;
}

double dlviz_multistep_milestones(const dlviz_schedule *schedule, int64_t index) {
    const multistep *own = as_multistep(schedule);
    return own && index >= 0 && index < own->milestones.count ? own->milestones.values[index] : NAN;
}

double dlviz_multistep_factor(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &multistep_type, offsetof(multistep, factor));
}
