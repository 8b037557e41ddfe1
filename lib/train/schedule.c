#include "train/schedule.h"
#include "base/base.h"

#include <math.h>

dlviz_status dlviz_plateau_create(dlviz_schedule **out, double factor, int64_t patience) {
    DLZ_REQUIRE_OUT(out);
    if (!(factor > 0 && factor < 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the factor is %g; above 0 and below 1 is accepted", __func__, factor);
    if (patience < 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the patience is %lld; 0 or more is accepted", __func__,
                        (long long)patience);
    dlviz_schedule *schedule = dlz_alloc_zero(sizeof *schedule);
    if (!schedule)
        return dlz_fail_memory("a schedule", sizeof *schedule);
    schedule->references = 1;
    schedule->factor = factor;
    schedule->patience = patience;
    schedule->threshold = 1e-4;
    schedule->best = INFINITY;
    *out = schedule;
    return DLVIZ_OK;
}

dlviz_schedule *dlz_schedule_hold(dlviz_schedule *schedule) {
    atomic_fetch_add(&schedule->references, 1);
    return schedule;
}

void dlviz_schedule_destroy(dlviz_schedule *schedule) {
    if (schedule && atomic_fetch_sub(&schedule->references, 1) == 1)
        dlz_free(schedule);
}

json_t *dlz_schedule_settings(const dlviz_schedule *schedule, bool validated) {
    if (!schedule)
        return json_pack("{s:s}", "type", "none");
    return json_pack("{s:s,s:f,s:I,s:f,s:I,s:f,s:s}", "type", "plateau", "factor", schedule->factor,
                     "patience", (json_int_t)schedule->patience, "threshold", schedule->threshold,
                     "cooldown", (json_int_t)schedule->cooldown, "minimum", schedule->minimum,
                     "metric", validated ? "validation loss" : "training loss");
}

dlviz_status dlviz_plateau_set_threshold(dlviz_schedule *schedule, double threshold) {
    DLZ_REQUIRE(schedule);
    if (!(threshold >= 0 && threshold < 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the threshold is %g; 0 to below 1 is accepted", __func__, threshold);
    schedule->threshold = threshold;
    return DLVIZ_OK;
}

dlviz_status dlviz_plateau_set_cooldown(dlviz_schedule *schedule, int64_t cooldown) {
    DLZ_REQUIRE(schedule);
    if (cooldown < 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the cooldown is %lld; 0 or more is accepted", __func__,
                        (long long)cooldown);
    schedule->cooldown = cooldown;
    return DLVIZ_OK;
}

dlviz_status dlviz_plateau_set_minimum(dlviz_schedule *schedule, double minimum) {
    DLZ_REQUIRE(schedule);
    if (!(minimum >= 0 && minimum <= 1e30))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the minimum is %g; finite, 0 or more is accepted", __func__, minimum);
    schedule->minimum = minimum;
    return DLVIZ_OK;
}

double dlviz_plateau_factor(const dlviz_schedule *schedule) {
    return schedule ? schedule->factor : NAN;
}

int64_t dlviz_plateau_patience(const dlviz_schedule *schedule) {
    return schedule ? schedule->patience : 0;
}

double dlviz_plateau_threshold(const dlviz_schedule *schedule) {
    return schedule ? schedule->threshold : NAN;
}

int64_t dlviz_plateau_cooldown(const dlviz_schedule *schedule) {
    return schedule ? schedule->cooldown : 0;
}

double dlviz_plateau_minimum(const dlviz_schedule *schedule) {
    return schedule ? schedule->minimum : NAN;
}

/* The smallest change of the rate that is made. */
#define LEAST_CHANGE 1e-8

double dlviz_schedule_next(dlviz_schedule *schedule, double loss, double learning_rate) {
    if (!schedule)
        return NAN;
    if (loss < schedule->best * (1 - schedule->threshold)) {
        schedule->best = loss;
        schedule->bad_epochs = 0;
    } else {
        schedule->bad_epochs++;
    }
    if (schedule->cooldown_left > 0) {
        schedule->cooldown_left--;
        schedule->bad_epochs = 0;
    }
    if (schedule->bad_epochs <= schedule->patience)
        return learning_rate;
    schedule->cooldown_left = schedule->cooldown;
    schedule->bad_epochs = 0;
    double reduced = fmax(learning_rate * schedule->factor, schedule->minimum);
    return learning_rate - reduced > LEAST_CHANGE ? reduced : learning_rate;
}
