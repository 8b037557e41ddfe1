/* Calls of dlviz/schedule.h. */
#include "calls.h"

#include <float.h>
#include <math.h>

DECLARE_SETTINGS(schedule)

static const schedule_number numbers[] = {
    {dlviz_cosine_set_minimum, dlviz_cosine_minimum, 0, UP_TO},
    {dlviz_cosine_restarts_set_minimum, dlviz_cosine_restarts_minimum, 0, UP_TO},
    {dlviz_one_cycle_set_rise, dlviz_one_cycle_rise, 0, 1},
    {dlviz_one_cycle_set_start_divisor, dlviz_one_cycle_start_divisor, ABOVE_0, DBL_MAX},
    {dlviz_one_cycle_set_final_divisor, dlviz_one_cycle_final_divisor, ABOVE_0, DBL_MAX},
    {dlviz_plateau_set_threshold, dlviz_plateau_threshold, 0, BELOW_1},
    {dlviz_plateau_set_minimum, dlviz_plateau_minimum, 0, UP_TO},
};
static double (*const getters[])(const dlviz_schedule *) = {
    dlviz_step_decay_period,      dlviz_step_decay_factor, dlviz_multistep_factor,
    dlviz_exponential_factor,     dlviz_cosine_length,     dlviz_cosine_restarts_length,
    dlviz_cosine_restarts_growth, dlviz_polynomial_length, dlviz_polynomial_power,
    dlviz_one_cycle_peak_rate,    dlviz_one_cycle_length,  dlviz_warmup_length,
    dlviz_warmup_start_factor,    dlviz_plateau_factor,
};

void see_schedule(const dlviz_schedule *schedule) {
    for (int64_t i = 0; i < COUNT(numbers) + COUNT(getters); i++) {
        double number =
            i < COUNT(numbers) ? numbers[i].get(schedule) : getters[i - COUNT(numbers)](schedule);
        require(schedule || isnan(number), "no number of NULL");
    }
    require((unsigned)dlviz_schedule_pace(schedule) < 3, "a pace");
    see_count(dlviz_multistep_num_milestones(schedule));
    see_number(dlviz_multistep_milestones(schedule, an_index()));
    (void)dlviz_one_cycle_linear(schedule);
    (void)dlviz_plateau_patience(schedule);
    (void)dlviz_plateau_cooldown(schedule);
    const dlviz_schedule *then = dlviz_warmup_then(schedule);
    if (then)
        see_schedule(then);
}

static dlviz_schedule *make_schedule(void) {
    int64_t refused = refused_requests();
    double milestones[4] = {(double)below(3), 3, 3 + a_share(), 5},
           length = one_in(4) ? a_number() : 1 + 3 * a_share();
    dlviz_schedule *schedule;
    switch (below(11)) {
    case 0:
        schedule = dlviz_constant_rate();
        break;
    case 1:
        schedule = dlviz_step_decay(length, a_share());
        break;
    case 2:
        schedule = dlviz_multistep(below(6) - 1 > 4 ? 4 : below(5), milestones, a_share());
        break;
    case 3:
        schedule = dlviz_exponential(a_share());
        break;
    case 4:
        schedule = dlviz_cosine(length);
        break;
    case 5:
        schedule = dlviz_cosine_restarts(length, one_in(3) ? a_number() : 2);
        break;
    case 6:
        schedule = dlviz_polynomial(length, one_in(3) ? a_number() : 2);
        break;
    case 7:
        schedule = dlviz_one_cycle(a_share(), length);
        break;
    case 8: {
        dlviz_schedule *then = take_schedule();
        schedule = dlviz_warmup(length, a_share(), then);
        break;
    }
    case 9:
        schedule = dlviz_plateau(a_share(), an_index());
        break;
    default:
        schedule = custom_schedule();
    }
    require(schedule != NULL || refused_requests() > refused, "a schedule, unless memory ran out");
    return schedule;
}

static void set(dlviz_schedule *schedule) {
    dlviz_pace pace;
    switch (below(4)) {
    case 0:
        SET_NUMBER(schedule, numbers[below(COUNT(numbers))], schedule,
                   a_bool() ? a_number() : a_share());
        break;
    case 1:
        pace = (dlviz_pace)an_enum(3);
        if (CALL(dlviz_schedule_set_pace(schedule, pace)) == DLVIZ_OK)
            require(dlviz_schedule_pace(schedule) == pace && (unsigned)pace < 3, "a pace");
        break;
    case 2:
        SET_FLAG(schedule, ((schedule_flag){dlviz_one_cycle_set_linear, dlviz_one_cycle_linear}),
                 schedule, a_bool());
        break;
    default:
        SET_COUNT(schedule, ((schedule_count){dlviz_plateau_set_cooldown, dlviz_plateau_cooldown}),
                  schedule, an_int());
    }
}

/* A loop of one's own: the rate is a number, and NaN after a failure. */
static void run(dlviz_schedule *schedule) {
    double rate = one_in(4) ? a_number() : 0.1, next = -1, loss = a_number();
    dlviz_status status;
    switch (below(3)) {
    case 0: {
        int64_t steps = a_size();
        status = CALL(dlviz_schedule_start(schedule, rate, steps, one_in(40) ? NULL : &next));
        break;
    }
    case 1:
        status = CALL(dlviz_schedule_step(schedule, rate, one_in(40) ? NULL : &next));
        break;
    default:
        status = CALL(dlviz_schedule_next(schedule, loss, rate, one_in(40) ? NULL : &next));
    }
    require(status == DLVIZ_OK ? next >= 0 && isfinite(next) : isnan(next) || next == -1,
            "a rate is a number");
}

static void hand_over(void) {
    dlviz_trainer *trainer = a_trainer();
    const dlviz_schedule *before = dlviz_trainer_schedule(trainer);
    dlviz_schedule *schedule = take_schedule();
    if (CALL(dlviz_trainer_set_schedule(trainer, schedule)) != DLVIZ_OK) {
        require(dlviz_trainer_schedule(trainer) == before,
                "a schedule that is refused leaves the former one");
        return;
    }
    require(dlviz_trainer_schedule(trainer) == schedule, "the schedule that was set");
    dlviz_schedule_destroy(schedule); /* which is the trainer's */
    require(CALL(dlviz_schedule_set_pace(schedule, DLVIZ_PACE_STEP)) != DLVIZ_OK,
            "set behind an owner's back");
    see_schedule(schedule);
}

void call_schedule(void) {
    dlviz_schedule *schedule = a_schedule();
    switch (!schedule && !one_in(8) ? 0 : below(9)) {
    case 0:
    case 1:
        schedule = make_schedule();
        see_schedule(schedule);
        keep_schedule(schedule);
        break;
    case 2:
    case 3:
        set(schedule);
        break;
    case 4:
    case 5:
        run(schedule);
        break;
    case 6:
    case 7:
        hand_over();
        break;
    default:
        drop_schedule();
    }
}
