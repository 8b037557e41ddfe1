/* What all schedules share: making them, who owns them, and their time. */
#include "train/schedule.h"
#include "base/base.h"
#include "train/optimizer.h"

#include <math.h>

/* No step and no epoch went by yet: as long as that is so, it begins anew when asked. */
static bool is_new(const dlviz_schedule *schedule) {
    return schedule->clock.steps == 0 && schedule->clock.epochs == 0;
}

static bool was_asked(const dlviz_schedule *schedule) {
    return schedule->clock.steps_per_epoch > 0;
}

dlviz_status dlz_schedule_check_new(const dlviz_schedule *schedule, const char *who) {
    if (is_new(schedule) && !was_asked(schedule))
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "%s: the schedule has begun already, in a loop of its own; a new one is "
                    "accepted",
                    who);
}

/* -- Making --------------------------------------------------------------------------------------
 */

static dlviz_status check(const dlz_part *part) {
    const dlviz_schedule *schedule = (const dlviz_schedule *)part;
    const dlz_schedule_type *type = schedule->type;
    int pace = (int)schedule->pace;
    if (pace < DLVIZ_PACE_EPOCH || pace > DLVIZ_PACE_STEP)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "the pace is %d; DLVIZ_PACE_EPOCH, DLVIZ_PACE_SMOOTH and DLVIZ_PACE_STEP "
                        "are accepted",
                        pace);
    if (pace != DLVIZ_PACE_EPOCH && type->after_epoch)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "a %s goes by epochs; DLVIZ_PACE_EPOCH is accepted", type->name);
    return type->check ? type->check(schedule) : DLVIZ_OK;
}

const dlz_noun dlz_schedule_noun = {"schedule", "trainer", "dlviz_trainer_set_schedule", check};
static const dlz_noun followed = {"schedule", "warm-up", "dlviz_warmup", check};

dlviz_schedule *dlz_schedule_create(const dlz_schedule_type *type) {
    dlviz_schedule *schedule = dlz_alloc_zero(type->size);
    if (!schedule) {
        dlz_fail_memory(type->name, type->size);
        return NULL;
    }
    schedule->part = (dlz_part){.noun = &dlz_schedule_noun, .kind = type->name};
    schedule->type = type;
    schedule->pace = type->pace;
    schedule->loss = INFINITY;
    return schedule;
}

static bool is_asking(const dlviz_schedule *schedule) {
    return schedule && (schedule->asking || is_asking(schedule->then));
}

void dlviz_schedule_destroy(dlviz_schedule *schedule) {
    if (!schedule || schedule->part.owned || is_asking(schedule))
        return;
    if (schedule->then) {
        schedule->then->part.owned = false;
        dlviz_schedule_destroy(schedule->then);
    }
    if (schedule->type->destroy)
        schedule->type->destroy(schedule);
    dlz_free(schedule);
}

dlviz_schedule *dlz_schedule_checked(dlviz_schedule *schedule) {
    if (schedule)
        dlz_part_check(&schedule->part);
    return schedule;
}

static dlviz_status check_follower(const char *who, const dlviz_schedule *then) {
    if (!then && dlz_last_status() == DLVIZ_ERROR_OUT_OF_MEMORY) /* in its constructor */
        return dlz_fail_within(DLVIZ_ERROR_OUT_OF_MEMORY, "%s", who);
    if (!then)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'then' is NULL; dlviz_constant_rate() follows where the rate is to "
                        "stay",
                        who);
    DLZ_TRY(dlz_part_check_handed(who, &dlz_schedule_noun, &then->part));
    DLZ_TRY(dlz_schedule_check_new(then, who));
    if (then->type->is_over)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: what follows is another %s", who,
                        then->type->name);
    return DLVIZ_OK;
}

void dlz_schedule_take(dlviz_schedule *schedule, const char *who, dlviz_schedule *then) {
    dlviz_status status = schedule ? check_follower(who, then) : DLVIZ_OK;
    if (schedule && status == DLVIZ_OK) {
        schedule->then = then;
        then->part.noun = &followed;
        then->part.owned = true;
    } else {
        dlviz_schedule_destroy(then);
        dlz_part_remember(schedule ? &schedule->part : NULL, status);
    }
}

dlviz_status dlz_schedule_set(const char *who, dlviz_schedule *schedule,
                              const dlz_schedule_type *type, size_t offset, const void *value,
                              size_t size) {
    return dlz_part_set(who, &dlz_schedule_noun, (dlz_part *)schedule, type->name, offset, value,
                        size);
}

const void *dlz_schedule_as(const dlviz_schedule *schedule, const dlz_schedule_type *type) {
    return schedule && schedule->type == type ? schedule : NULL;
}

double dlz_schedule_real(const dlviz_schedule *schedule, const dlz_schedule_type *type,
                         size_t offset) {
    return dlz_part_real(dlz_schedule_as(schedule, type), offset);
}

dlviz_status dlviz_schedule_set_pace(dlviz_schedule *schedule, dlviz_pace pace) {
    return dlz_part_set(__func__, &dlz_schedule_noun, (dlz_part *)schedule,
                        schedule ? schedule->type->name : NULL, offsetof(dlviz_schedule, pace),
                        &pace, sizeof pace);
}

dlviz_pace dlviz_schedule_pace(const dlviz_schedule *schedule) {
    return schedule ? schedule->pace : DLVIZ_PACE_EPOCH;
}

dlviz_status dlz_schedule_check_above(const char *what, double value) {
    if (value > 0 && isfinite(value))
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "the %s is %g; finite, above 0 is accepted", what,
                    value);
}

dlviz_status dlz_schedule_check_minimum(double minimum) {
    if (minimum >= 0 && minimum <= 1e30)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "the minimum is %g; 0 to 1e30 is accepted",
                    minimum);
}

/* -- Time ----------------------------------------------------------------------------------------
 */

/* Far more than the rounding of a few operations, far less than a step of any training. */
#define ROUNDING 1e-12

double dlz_schedule_whole(double count) {
    double whole = round(count);
    return fabs(count - whole) <= ROUNDING * fabs(count) ? whole : count;
}

bool dlz_schedule_reached(double done, double time) {
    return done >= time - ROUNDING * fabs(time);
}

/* The part of the epoch comes last off again, so that at the beginning exactly 0 is left. */
static double epochs_done(const dlz_schedule_clock *clock) {
    double part = clock->steps_per_epoch > 0
                      ? (double)clock->epoch_steps / (double)clock->steps_per_epoch
                      : 0;
    return fmax(0, (double)clock->epochs + part - clock->start);
}

static dlviz_schedule_event event_at(const dlviz_schedule *schedule,
                                     const dlz_schedule_clock *clock) {
    dlviz_schedule_event event = {
        .unit = 1, .epochs = epochs_done(clock), .steps = clock->steps, .base = schedule->base};
    if (schedule->pace == DLVIZ_PACE_STEP) {
        event.done = (double)clock->steps;
    } else if (schedule->pace == DLVIZ_PACE_SMOOTH) {
        event.done = event.epochs;
        event.unit = 1 / (double)clock->steps_per_epoch;
    } else if (clock->epochs > 0) { /* within an epoch, time stands */
        event.done = fmax(0, (double)clock->epochs - clock->start);
    }
    return event;
}

/* The rate at a time; one that follows the loss leaves it as it is. */
static dlviz_status ask(dlviz_schedule *schedule, const dlz_schedule_clock *clock, double loss,
                        double rate, double *next) {
    *next = rate;
    if (!schedule->type->rate)
        return DLVIZ_OK;
    dlviz_schedule_event event = event_at(schedule, clock);
    event.rate = rate;
    event.loss = isfinite(loss) ? loss : NAN;
    schedule->asking = true;
    *next = schedule->type->rate(schedule, &event);
    schedule->asking = false;
    if (dlz_is_learning_rate(*next))
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_NUMERIC,
                    "the schedule %s gives the learning rate %g after %lld steps (%g epochs); "
                    "0 to 1e30 is accepted",
                    schedule->type->name, *next, (long long)event.steps, event.epochs);
}

static bool is_over(const dlviz_schedule *schedule, const dlz_schedule_clock *clock) {
    return schedule->type->is_over &&
           schedule->type->is_over(schedule, event_at(schedule, clock).done);
}

dlviz_status dlz_schedule_before_step(dlviz_schedule *schedule, double learning_rate, int64_t steps,
                                      int64_t steps_per_epoch, double *next) {
    dlviz_schedule *then = schedule->then;
    bool first = is_new(schedule);
    dlz_schedule_clock clock = schedule->clock;
    if (first) {
        clock.epoch_steps = steps;
        clock.start = (double)steps / (double)steps_per_epoch;
        schedule->base = learning_rate;
    }
    clock.steps_per_epoch = steps_per_epoch;
    *next = learning_rate;
    if (then && (was_asked(then) || is_over(schedule, &clock))) {
        then->loss = schedule->loss; /* also of epochs before it began */
        DLZ_TRY(dlz_schedule_before_step(then, is_new(then) ? schedule->base : learning_rate, steps,
                                         steps_per_epoch, next));
    } else if (first || schedule->pace != DLVIZ_PACE_EPOCH)
        DLZ_TRY(ask(schedule, &clock, schedule->loss, learning_rate, next));
    schedule->clock = clock;
    return DLVIZ_OK;
}

void dlz_schedule_after_step(dlviz_schedule *schedule) {
    if (!was_asked(schedule))
        return;
    schedule->clock.epoch_steps++;
    schedule->clock.steps++;
    if (schedule->then)
        dlz_schedule_after_step(schedule->then);
}

double dlz_schedule_kept_loss(double loss) {
    return isfinite(loss) ? loss : INFINITY;
}

/* What follows another hears of an epoch in which it has made a step; else it begins with the next. */
static dlviz_status end_epoch_of_follower(const dlviz_schedule *schedule, double loss, double rate,
                                          double *next) {
    dlviz_schedule *then = schedule->then;
    if (then->clock.steps > 0)
        return dlz_schedule_after_epoch(then, loss, rate, next);
    then->loss = dlz_schedule_kept_loss(loss);
    return dlz_schedule_before_step(then, schedule->base, 0, schedule->clock.steps_per_epoch, next);
}

dlviz_status dlz_schedule_after_epoch(dlviz_schedule *schedule, double loss, double learning_rate,
                                      double *next) {
    const dlviz_schedule *then = schedule->then;
    dlz_schedule_clock clock = schedule->clock;
    clock.epochs++;
    clock.epoch_steps = 0;
    *next = learning_rate;
    if (!was_asked(schedule)) /* it was set after the epoch's last step */
        return DLVIZ_OK;
    if (then && (was_asked(then) || is_over(schedule, &clock)))
        DLZ_TRY(end_epoch_of_follower(schedule, loss, learning_rate, next));
    else if (schedule->type->after_epoch)
        *next = schedule->type->after_epoch(schedule, loss, learning_rate);
    else
        DLZ_TRY(ask(schedule, &clock, loss, learning_rate, next));
    schedule->clock = clock;
    schedule->loss = dlz_schedule_kept_loss(loss);
    return DLVIZ_OK;
}

dlviz_status dlz_schedule_check_idle(const dlviz_schedule *schedule, const char *who) {
    if (is_asking(schedule))
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: from within the schedule's own function", who);
    return DLVIZ_OK;
}

/* -- In a loop of one's own ----------------------------------------------------------------------
 */

static dlviz_status check_own(const char *who, const dlviz_schedule *schedule, double learning_rate,
                              double *next) {
    dlz_give(next, NAN);
    if (!schedule || !next)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", who,
                        schedule ? "next" : "schedule");
    DLZ_TRY(dlz_part_first_error(&schedule->part));
    if (schedule->part.owned)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: the schedule belongs to a %s, which asks it when it is time", who,
                        schedule->part.noun->owner);
    DLZ_TRY(dlz_schedule_check_idle(schedule, who));
    return dlz_check_learning_rate(who, learning_rate);
}

/* The rate of a call that failed is none. */
static dlviz_status give_rate(dlviz_status status, double *next) {
    if (status != DLVIZ_OK)
        *next = NAN;
    return status;
}

dlviz_status dlviz_schedule_start(dlviz_schedule *schedule, double learning_rate,
                                  int64_t steps_per_epoch, double *next) {
    DLZ_TRY(check_own(__func__, schedule, learning_rate, next));
    if (steps_per_epoch < 1)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld steps in an epoch; 1 or more are accepted", __func__,
                        (long long)steps_per_epoch);
    if (was_asked(schedule) || !is_new(schedule))
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the schedule has begun already", __func__);
    return give_rate(dlz_schedule_before_step(schedule, learning_rate, 0, steps_per_epoch, next),
                     next);
}

dlviz_status dlviz_schedule_step(dlviz_schedule *schedule, double learning_rate, double *next) {
    DLZ_TRY(check_own(__func__, schedule, learning_rate, next));
    const dlz_schedule_clock *clock = &schedule->clock;
    if (!was_asked(schedule))
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: dlviz_schedule_start comes first", __func__);
    dlz_schedule_clock before = *clock, then_before = {0};
    if (schedule->then)
        then_before = schedule->then->clock;
    dlz_schedule_after_step(schedule);
    dlviz_status status = dlz_schedule_before_step(schedule, learning_rate, clock->epoch_steps,
                                                   clock->steps_per_epoch, next);
    if (status != DLVIZ_OK) { /* as if it had not been called: a step is counted once */
        schedule->clock = before;
        if (schedule->then)
            schedule->then->clock = then_before;
    }
    return give_rate(status, next);
}

dlviz_status dlviz_schedule_next(dlviz_schedule *schedule, double loss, double learning_rate,
                                 double *next) {
    DLZ_TRY(check_own(__func__, schedule, learning_rate, next));
    if (!was_asked(schedule)) {
        if (schedule->then || schedule->pace != DLVIZ_PACE_EPOCH)
            return dlz_fail(DLVIZ_ERROR_STATE,
                            "%s: dlviz_schedule_start comes first, for a schedule that changes the "
                            "rate within an epoch",
                            __func__);
        DLZ_TRY(dlviz_schedule_start(schedule, learning_rate, 1, next));
    }
    return give_rate(dlz_schedule_after_epoch(schedule, loss, learning_rate, next), next);
}
