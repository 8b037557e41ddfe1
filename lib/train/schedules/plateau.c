#include "base/base.h"
#include "train/schedule.h"

#include <math.h>

/* The smallest change of the rate that is made. */
#define LEAST_CHANGE 1e-8

typedef struct plateau {
    dlviz_schedule base;
    double factor, threshold, minimum;
    int64_t patience, cooldown;
    /* memory */
    double best;
    int64_t bad_epochs, cooldown_left;
} plateau;

static dlviz_status check_epochs(const char *what, int64_t epochs) {
    if (epochs < 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "the %s is %lld; 0 or more is accepted", what,
                        (long long)epochs);
    return DLVIZ_OK;
}

static dlviz_status check(const dlviz_schedule *schedule) {
    const plateau *own = (const plateau *)schedule;
    if (!(own->factor > 0 && own->factor < 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "the factor is %g; above 0 and below 1 is accepted", own->factor);
    DLZ_TRY(check_epochs("patience", own->patience));
    if (!(own->threshold >= 0 && own->threshold < 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "the threshold is %g; 0 to below 1 is accepted", own->threshold);
    DLZ_TRY(check_epochs("cooldown", own->cooldown));
    return dlz_schedule_check_minimum(own->minimum);
}

static double after_epoch(dlviz_schedule *schedule, double loss, double learning_rate) {
    plateau *own = (plateau *)schedule;
    if (loss < own->best * (1 - own->threshold)) {
        own->best = loss;
        own->bad_epochs = 0;
    } else {
        own->bad_epochs++;
    }
    if (own->cooldown_left > 0) {
        own->cooldown_left--;
        own->bad_epochs = 0;
    }
    if (own->bad_epochs <= own->patience)
        return learning_rate;
    own->cooldown_left = own->cooldown;
    own->bad_epochs = 0;
    double reduced = fmax(learning_rate * own->factor, own->minimum);
    return learning_rate - reduced > LEAST_CHANGE ? reduced : learning_rate;
}

static const dlz_setting settings[] = {
    {"factor", DLZ_SETTING_REAL, offsetof(plateau, factor), false},
    {"patience", DLZ_SETTING_INTEGER, offsetof(plateau, patience), false},
    {"threshold", DLZ_SETTING_REAL, offsetof(plateau, threshold), false},
    {"cooldown", DLZ_SETTING_INTEGER, offsetof(plateau, cooldown), false},
    {"minimum", DLZ_SETTING_REAL, offsetof(plateau, minimum), false},
    {0},
};

static const dlz_setting memory[] = {
    {"best loss", DLZ_SETTING_REAL, offsetof(plateau, best), false},
    {"number of bad epochs", DLZ_SETTING_INTEGER, offsetof(plateau, bad_epochs), false},
    {"number of epochs to cool down", DLZ_SETTING_INTEGER, offsetof(plateau, cooldown_left), false},
    {0},
};

static const dlz_schedule_type plateau_type = {
    .name = "plateau",
    .size = sizeof(plateau),
    .pace = DLVIZ_PACE_EPOCH,
    .settings = settings,
    .check = check,
    .follows_loss = true,
    .memory = memory,
    .after_epoch = after_epoch,
};

dlviz_schedule *dlviz_plateau(double factor, int64_t patience) {
    dlviz_schedule *schedule = dlz_schedule_create(&plateau_type);
    plateau *own = (plateau *)schedule;
    if (own) {
        own->factor = factor;
        own->patience = patience;
        own->threshold = 1e-4;
        own->best = INFINITY;
    }
    return dlz_schedule_checked(schedule);
}

dlviz_status dlviz_plateau_set_threshold(dlviz_schedule *schedule, double threshold) {
    return dlz_schedule_set(__func__, schedule, &plateau_type, offsetof(plateau, threshold),
                            &threshold, sizeof threshold);
}

dlviz_status dlviz_plateau_set_cooldown(dlviz_schedule *schedule, int64_t cooldown) {
    return dlz_schedule_set(__func__, schedule, &plateau_type, offsetof(plateau, cooldown),
                            &cooldown, sizeof cooldown);
}

dlviz_status dlviz_plateau_set_minimum(dlviz_schedule *schedule, double minimum) {
    return dlz_schedule_set(__func__, schedule, &plateau_type, offsetof(plateau, minimum), &minimum,
                            sizeof minimum);
}

static const plateau *as_plateau(const dlviz_schedule *schedule) {
    return dlz_schedule_as(schedule, &plateau_type);
}

double dlviz_plateau_factor(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &plateau_type, offsetof(plateau, factor));
}

int64_t dlviz_plateau_patience(const dlviz_schedule *schedule) {
    const plateau *own = as_plateau(schedule);
    return own ? own->patience : 0;
}

double dlviz_plateau_threshold(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &plateau_type, offsetof(plateau, threshold));
}

int64_t dlviz_plateau_cooldown(const dlviz_schedule *schedule) {
    const plateau *own = as_plateau(schedule);
    return own ? own->cooldown : 0;
}

double dlviz_plateau_minimum(const dlviz_schedule *schedule) {
    return dlz_schedule_real(schedule, &plateau_type, offsetof(plateau, minimum));
}
