/* Schedules: their settings, who owns them, what they remember, and ReduceLROnPlateau by hand; long
 * sequences are compared with PyTorch in tests/parity, runs are in test_schedule_runs.c. */
#include "support/failing.h"
#include "support/process.h"

#include <math.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

/* The schedule's first error is what it remembers, whatever is asked of it; destroys it. */
static void remembers(dlviz_schedule *s, const char *words) {
    double next = 0;
    ck_fails(dlviz_schedule_next(s, 1, 1, &next), INVALID, words);
    ck_assert(isnan(next));
    dlviz_schedule_destroy(s);
}

START_TEST(settings_are_checked) {
    remembers(dlviz_plateau(0, 3), "dlviz_plateau: the factor is 0; above 0 and below 1");
    remembers(dlviz_plateau(1, 3), "the factor is 1;");
    remembers(dlviz_plateau(-0.5, 3), "-0.5");
    remembers(dlviz_plateau(NAN, 3), "nan");
    remembers(dlviz_plateau(0.5, -2), "dlviz_plateau: the patience is -2; 0 or more is accepted");
    dlviz_schedule *s = dlviz_plateau(0.5, 0);
    ck_fails(dlviz_plateau_set_threshold(s, -0.25), INVALID,
             "dlviz_plateau_set_threshold: the threshold is -0.25; 0 to below 1 is accepted");
    ck_assert_double_eq(dlviz_plateau_threshold(s), 1e-4);
    remembers(s, "dlviz_plateau_set_threshold: the threshold is -0.25");
    s = dlviz_plateau(0.5, 0);
    ck_fails(dlviz_plateau_set_threshold(s, 1), INVALID, "the threshold is 1;");
    dlviz_schedule_destroy(s);
    s = dlviz_plateau(0.5, 0);
    ck_fails(dlviz_plateau_set_threshold(s, NAN), INVALID, "nan");
    dlviz_schedule_destroy(s);
    s = dlviz_plateau(0.5, 0);
    ck_fails(dlviz_plateau_set_cooldown(s, -4), INVALID, "-4");
    remembers(s, "dlviz_plateau_set_cooldown: the cooldown is -4");
    s = dlviz_plateau(0.5, 0);
    ck_fails(dlviz_plateau_set_minimum(s, -0.125), INVALID, "-0.125");
    remembers(s, "dlviz_plateau_set_minimum: the minimum is -0.125");
    s = dlviz_plateau(0.5, 0);
    ck_fails(dlviz_plateau_set_minimum(s, NAN), INVALID, "nan");
    dlviz_schedule_destroy(s);
    ck_fails(dlviz_plateau_set_cooldown(NULL, 1), INVALID, "'schedule' is NULL");
    s = dlviz_plateau(0.5, 0);
    ck_ok(dlviz_plateau_set_threshold(s, 0));
    ck_ok(dlviz_plateau_set_cooldown(s, 0));
    ck_ok(dlviz_plateau_set_minimum(s, 0));
    dlviz_schedule_destroy(s);
    dlviz_schedule_destroy(NULL);
}
END_TEST

/* Of functions of time; a NULL pointer, a kind that is wrong, and what is no number. */
START_TEST(settings_of_all_kinds_are_checked) {
    remembers(dlviz_step_decay(0, 0.5), "dlviz_step_decay: the period is 0; finite, above 0");
    remembers(dlviz_step_decay(INFINITY, 0.5), "the period is inf");
    remembers(dlviz_step_decay(1, 0), "dlviz_step_decay: the factor is 0");
    remembers(dlviz_step_decay(1, NAN), "the factor is nan");
    remembers(dlviz_exponential(-1), "dlviz_exponential: the factor is -1");
    remembers(dlviz_cosine(-3), "dlviz_cosine: the length is -3");
    remembers(dlviz_cosine_restarts(NAN, 1), "dlviz_cosine_restarts: the length is nan");
    remembers(dlviz_cosine_restarts(1, 0.5), "the growth is 0.5; finite, 1 or more is accepted");
    remembers(dlviz_cosine_restarts(1, INFINITY), "the growth is inf");
    remembers(dlviz_polynomial(0, 1), "dlviz_polynomial: the length is 0");
    remembers(dlviz_polynomial(1, -1), "dlviz_polynomial: the power is -1");
    remembers(dlviz_one_cycle(0, 1), "dlviz_one_cycle: the peak rate is 0");
    remembers(dlviz_one_cycle(1, 0), "dlviz_one_cycle: the length is 0");
    remembers(dlviz_warmup(0, 0.5, dlviz_cosine(1)), "dlviz_warmup: the length is 0");
    remembers(dlviz_warmup(1, 1.5, dlviz_cosine(1)),
              "dlviz_warmup: the start factor is 1.5; 0 to 1 is accepted");
    remembers(dlviz_schedule_custom(NULL, NULL), "dlviz_schedule_custom: 'function' is NULL");
    const double milestones[] = {1, 3, 2, NAN, -1};
    remembers(dlviz_multistep(0, milestones, 0.5), "dlviz_multistep: 0 milestones; 1 or more");
    remembers(dlviz_multistep(-1, milestones, 0.5), "-1 milestones");
    remembers(dlviz_multistep(2, NULL, 0.5), "2 milestones at NULL");
    remembers(dlviz_multistep(3, milestones, 0.5),
              "dlviz_multistep: milestone 2 is 2, before the one that it follows (3)");
    remembers(dlviz_multistep(1, milestones + 3, 0.5), "milestone 0 is nan; finite, 0 or more");
    remembers(dlviz_multistep(1, milestones + 4, 0.5), "milestone 0 is -1");
    remembers(dlviz_multistep(2, milestones, 0), "dlviz_multistep: the factor is 0");
    dlviz_schedule *s = dlviz_cosine(1);
    ck_fails(dlviz_cosine_set_minimum(s, -1), INVALID,
             "dlviz_cosine_set_minimum: the minimum is -1; 0 to 1e30 is accepted");
    ck_fails(dlviz_cosine_restarts_set_minimum(s, 1), INVALID,
             "the schedule is cosine, needs cosine_restarts");
    remembers(s, "dlviz_cosine_set_minimum: the minimum is -1");
    s = dlviz_cosine_restarts(1, 1);
    ck_fails(dlviz_cosine_restarts_set_minimum(s, NAN), INVALID, "nan");
    dlviz_schedule_destroy(s);
    s = dlviz_one_cycle(1, 1);
    ck_fails(dlviz_one_cycle_set_rise(s, 1.25), INVALID, "the rise is 1.25; 0 to 1 is accepted");
    ck_fails(dlviz_one_cycle_set_start_divisor(s, 0), INVALID, "the rise is 1.25");
    remembers(s, "dlviz_one_cycle_set_rise: the rise is 1.25");
    s = dlviz_one_cycle(1, 1);
    ck_fails(dlviz_one_cycle_set_start_divisor(s, 0), INVALID, "the start divisor is 0");
    dlviz_schedule_destroy(s);
    s = dlviz_one_cycle(1, 1);
    ck_fails(dlviz_one_cycle_set_final_divisor(s, INFINITY), INVALID, "the final divisor is inf");
    dlviz_schedule_destroy(s);
    ck_fails(dlviz_one_cycle_set_linear(NULL, true), INVALID, "'schedule' is NULL");
}
END_TEST

START_TEST(paces_are_checked) {
    dlviz_schedule *s = dlviz_plateau(0.5, 0);
    ck_fails(dlviz_schedule_set_pace(s, DLVIZ_PACE_STEP), INVALID,
             "dlviz_schedule_set_pace: a plateau goes by epochs; DLVIZ_PACE_EPOCH is accepted");
    ck_assert_int_eq(dlviz_schedule_pace(s), DLVIZ_PACE_EPOCH);
    remembers(s, "dlviz_schedule_set_pace: a plateau goes by epochs");
    s = dlviz_cosine(3);
    ck_fails(dlviz_schedule_set_pace(s, (dlviz_pace)3), INVALID, "the pace is 3; DLVIZ_PACE_EPOCH");
    remembers(s, "the pace is 3");
    ck_fails(dlviz_schedule_set_pace(NULL, DLVIZ_PACE_STEP), INVALID, "'schedule' is NULL");
    s = dlviz_one_cycle(1, 1);
    ck_assert_int_eq(dlviz_schedule_pace(s), DLVIZ_PACE_SMOOTH);
    ck_ok(dlviz_schedule_set_pace(s, DLVIZ_PACE_EPOCH));
    ck_assert_int_eq(dlviz_schedule_pace(s), DLVIZ_PACE_EPOCH);
    dlviz_schedule_destroy(s);
}
END_TEST

/* The first error stays, and is what setters say that find another setting still wrong. */
START_TEST(the_first_error_is_remembered) {
    dlviz_schedule *s = dlviz_plateau(7, 3);
    ck_fails(dlviz_plateau_set_cooldown(s, 5), INVALID, "the factor is 7");
    ck_fails(dlviz_plateau_set_threshold(s, -1), INVALID, "the factor is 7");
    remembers(s, "dlviz_plateau: the factor is 7");
    s = dlviz_plateau(0.5, 3);
    ck_fails(dlviz_plateau_set_cooldown(s, -5), INVALID, "-5");
    ck_fails(dlviz_plateau_set_minimum(s, -6), INVALID, "-5");
    ck_ok(dlviz_plateau_set_cooldown(s, 5)); /* does not undo it */
    remembers(s, "dlviz_plateau_set_cooldown: the cooldown is -5");
}
END_TEST

START_TEST(a_trainer_owns_its_schedule) {
    process p, other;
    begin_process(&p, PROCESS_NET, ADAM, false);
    begin_process(&other, PROCESS_NET, ADAM, false);
    dlviz_schedule *s = dlviz_plateau(0.5, 2);
    ck_ok(dlviz_trainer_set_schedule(p.trainer, s));
    ck_assert_ptr_eq(dlviz_trainer_schedule(p.trainer), s);
    dlviz_schedule_destroy(s); /* the trainer's */
    double next = 0;
    ck_assert_int_eq(dlviz_plateau_patience(s), 2);
    ck_fails(dlviz_plateau_set_cooldown(s, 4), DLVIZ_ERROR_STATE,
             "dlviz_plateau_set_cooldown: the schedule belongs to a trainer; settings come before "
             "dlviz_trainer_set_schedule");
    ck_assert_int_eq(dlviz_plateau_cooldown(s), 0);
    ck_fails(dlviz_schedule_next(s, 1, 1, &next), DLVIZ_ERROR_STATE, "belongs to a trainer");
    ck_assert(isnan(next));
    ck_fails(dlviz_trainer_set_schedule(other.trainer, s), INVALID,
             "the schedule belongs to a trainer; each needs one of its own");
    ck_fails(dlviz_trainer_set_schedule(p.trainer, s), INVALID, "each needs one of its own");
    ck_fails(dlviz_trainer_set_schedule(NULL, s), INVALID, "'trainer' is NULL");
    ck_assert_ptr_eq(dlviz_trainer_schedule(p.trainer), s);
    ck_assert_ptr_null(dlviz_trainer_schedule(other.trainer));
    ck_assert_int_eq(dlviz_plateau_patience(s), 2);
    /* Another takes its place, or none; what is refused is destroyed all the same, and the present
     * one stays. */
    ck_ok(dlviz_trainer_set_schedule(p.trainer, dlviz_plateau(0.5, 3)));
    ck_fails(dlviz_trainer_set_schedule(p.trainer, dlviz_plateau(2, 3)), INVALID,
             "dlviz_plateau: the factor is 2");
    ck_fails(dlviz_trainer_set_schedule(NULL, dlviz_plateau(0.5, 3)), INVALID, "trainer");
    ck_assert_int_eq(dlviz_plateau_patience(dlviz_trainer_schedule(p.trainer)), 3);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    /* A constructor that found no memory is no constant rate. */
    ck_fails(dlviz_trainer_set_schedule(p.trainer, NULL), INVALID, "'schedule' is NULL");
    ck_assert_int_eq(dlviz_plateau_patience(dlviz_trainer_schedule(p.trainer)), 3);
    ck_ok(dlviz_trainer_clear_schedule(p.trainer));
    ck_ok(dlviz_trainer_clear_schedule(p.trainer));
    ck_assert_ptr_null(dlviz_trainer_schedule(p.trainer));
    end_process(&p);
    end_process(&other);
}
END_TEST

/* What follows a warm-up is its own, and goes with it; the sanitizers see to what is left. */
START_TEST(a_warmup_owns_what_follows) {
    dlviz_schedule *cosine = dlviz_cosine(3), *s = dlviz_warmup(2, 0.5, cosine);
    double next = 0;
    ck_assert_ptr_eq(dlviz_warmup_then(s), cosine);
    dlviz_schedule_destroy(cosine);
    ck_assert_double_eq(dlviz_cosine_length(cosine), 3);
    ck_fails(dlviz_cosine_set_minimum(cosine, 1), DLVIZ_ERROR_STATE,
             "dlviz_cosine_set_minimum: the schedule belongs to a warm-up; settings come before "
             "dlviz_warmup");
    ck_fails(dlviz_schedule_next(cosine, 1, 1, &next), DLVIZ_ERROR_STATE, "belongs to a warm-up");
    /* Handed over once more: to another, to itself, to a trainer. */
    remembers(dlviz_warmup(1, 0.5, cosine),
              "dlviz_warmup: the schedule belongs to a warm-up; each needs one of its own");
    process p;
    begin_process(&p, PROCESS_NET, ADAM, false);
    ck_fails(dlviz_trainer_set_schedule(p.trainer, cosine), INVALID, "belongs to a warm-up; each");
    ck_ok(dlviz_trainer_set_schedule(p.trainer, s));
    remembers(dlviz_warmup(1, 0.5, s), "belongs to a trainer; each needs one of its own");
    ck_assert_ptr_eq(dlviz_warmup_then(dlviz_trainer_schedule(p.trainer)), cosine);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    end_process(&p);
    /* What follows is wrong, or none, or a warm-up itself. */
    s = dlviz_warmup(1, 0.5, dlviz_cosine(-1));
    ck_assert_ptr_null(dlviz_warmup_then(s));
    remembers(s, "dlviz_cosine: the length is -1");
    remembers(dlviz_warmup(1, 0.5, dlviz_warmup(1, 0.5, dlviz_cosine(1))),
              "dlviz_warmup: what follows is another warmup");
    ck_fails(dlviz_schedule_set_pace(NULL, DLVIZ_PACE_STEP), INVALID, "NULL");
    remembers(dlviz_warmup(1, 0.5, NULL),
              "dlviz_warmup: 'then' is NULL; dlviz_constant_rate() follows where the rate is to "
              "stay");
    ck_assert_ptr_null(dlviz_warmup_then(NULL));
    ck_assert_ptr_null(dlviz_warmup_then(dlviz_trainer_schedule(NULL)));
}
END_TEST

static dlviz_status make_all(void *context) {
    (void)context;
    double rate = 1;
    dlviz_schedule *s = dlviz_warmup(1, 0.5, dlviz_multistep(2, (const double[]){1, 2}, 0.5));
    if (!s)
        return DLVIZ_ERROR_OUT_OF_MEMORY;
    dlviz_status status = dlviz_schedule_start(s, rate, 2, &rate);
    dlviz_schedule_destroy(s);
    return status;
}

START_TEST(each_allocation_may_fail) {
    ck_assert_int_eq(fail_each_allocation(make_all, NULL), 3);
}
END_TEST

static void expect(dlviz_schedule *s, double metric, double rate, double next) {
    double given;
    ck_ok(dlviz_schedule_next(s, metric, rate, &given));
    ck_assert_msg(given == next, "metric %g: rate %g became %g, not %g", metric, rate, given, next);
}

START_TEST(rates_are_checked) {
    dlviz_schedule *s = dlviz_plateau(0.5, 2);
    double next = 0;
    ck_fails(dlviz_schedule_next(s, 1, -0.5, &next), INVALID, "-0.5");
    ck_assert(isnan(next));
    ck_fails(dlviz_schedule_next(s, 1, NAN, &next), INVALID, "nan");
    ck_fails(dlviz_schedule_next(s, 1, 1, NULL), INVALID, "next");
    ck_fails(dlviz_schedule_next(NULL, 1, 1, &next), INVALID, "schedule");
    expect(s, 1, 0, 0);
    dlviz_schedule_destroy(s);
}
END_TEST

START_TEST(loops_of_ones_own_are_checked) {
    double rate = 0;
    dlviz_schedule *s = dlviz_one_cycle(1, 2);
    ck_fails(dlviz_schedule_step(s, 1, &rate), DLVIZ_ERROR_STATE,
             "dlviz_schedule_step: dlviz_schedule_start comes first");
    ck_assert(isnan(rate));
    ck_fails(dlviz_schedule_next(s, 1, 1, &rate), DLVIZ_ERROR_STATE,
             "dlviz_schedule_next: dlviz_schedule_start comes first, for a schedule that changes");
    ck_fails(dlviz_schedule_start(s, 1, 0, &rate), INVALID,
             "dlviz_schedule_start: 0 steps in an epoch; 1 or more are accepted");
    ck_fails(dlviz_schedule_start(s, -1, 1, &rate), INVALID, "the learning rate is -1");
    ck_fails(dlviz_schedule_start(s, 1, 1, NULL), INVALID, "'next' is NULL");
    ck_fails(dlviz_schedule_start(NULL, 1, 1, &rate), INVALID, "'schedule' is NULL");
    ck_ok(dlviz_schedule_start(s, 1, 1, &rate));
    ck_fails(dlviz_schedule_start(s, 1, 1, &rate), DLVIZ_ERROR_STATE, "has begun already");
    ck_fails(dlviz_schedule_step(s, NAN, &rate), INVALID, "the learning rate is nan");
    ck_ok(dlviz_schedule_step(s, 1, &rate));
    dlviz_schedule_destroy(s);
    s = dlviz_warmup(1, 0.5, dlviz_cosine(1));
    ck_ok(dlviz_schedule_set_pace(s, DLVIZ_PACE_EPOCH));
    ck_fails(dlviz_schedule_next(s, 1, 1, &rate), DLVIZ_ERROR_STATE, "comes first");
    dlviz_schedule_destroy(s);
    /* A rate beyond all numbers. */
    s = dlviz_exponential(1e300);
    ck_ok(dlviz_schedule_start(s, 1, 1, &rate));
    ck_fails(dlviz_schedule_next(s, 1, 1, &rate), DLVIZ_ERROR_NUMERIC,
             "the schedule exponential gives the learning rate 1e+300 after 0 steps (1 epochs); "
             "0 to 1e30 is accepted");
    ck_assert(isnan(rate));
    dlviz_schedule_destroy(s);
}
END_TEST

/* After their length, all stay where they are; times far beyond, and lengths next to nothing. */
START_TEST(ends_are_kept) {
    const double tiny = 1e-300, huge = 1e300;
    const struct {
        dlviz_schedule *schedule;
        double end;
    } cases[] = {{dlviz_cosine(2.5), 0},
                 {dlviz_cosine(tiny), 0},
                 {dlviz_cosine(huge), 8},
                 {dlviz_polynomial(2.5, 3), 0},
                 {dlviz_polynomial(tiny, tiny), 0},
                 {dlviz_one_cycle(250000, 2.5), 1},
                 {dlviz_one_cycle(250000, tiny), 1},
                 {dlviz_one_cycle(250000, huge), 10000},
                 {dlviz_warmup(2.5, 0, dlviz_constant_rate()), 8},
                 {dlviz_warmup(tiny, 0, dlviz_cosine(tiny)), 0},
                 {dlviz_multistep(2, (const double[]){0, 2.5}, 0.5), 2},
                 {dlviz_step_decay(tiny, 0.5), 0},
                 {dlviz_step_decay(huge, 0.5), 8}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlviz_schedule *s = cases[i].schedule;
        double rate = 8;
        ck_ok(dlviz_schedule_set_pace(s, DLVIZ_PACE_SMOOTH));
        ck_ok(dlviz_schedule_start(s, rate, 3, &rate));
        for (int step = 0; step < 30; step++) {
            ck_ok(dlviz_schedule_step(s, rate, &rate));
            if (step % 3 == 2)
                ck_ok(dlviz_schedule_next(s, 1, rate, &rate));
            ck_assert_msg(step < 8 || rate == cases[i].end, "case %d, step %d: %.17g", (int)i, step,
                          rate);
        }
        dlviz_schedule_destroy(s);
    }
    /* Falls that grow without end, or hardly. */
    for (int i = 0; i < 4; i++) {
        const double growths[] = {huge, 1 + 1e-15, 1, 1.5};
        dlviz_schedule *s = dlviz_cosine_restarts(i == 2 ? tiny : 1e-9, growths[i]);
        double rate = 8;
        ck_ok(dlviz_schedule_start(s, rate, 3, &rate));
        for (int epoch = 0; epoch < 30; epoch++) {
            ck_ok(dlviz_schedule_next(s, 1, rate, &rate));
            ck_assert(rate >= 0 && rate <= 8);
        }
        dlviz_schedule_destroy(s);
    }
}
END_TEST

/* Fractions of an epoch that are whole numbers of steps, but not in binary. */
START_TEST(steps_are_met_exactly) {
    dlviz_schedule *s = dlviz_step_decay(0.1, 0.5);
    double rate = 1, expected = 1;
    ck_ok(dlviz_schedule_set_pace(s, DLVIZ_PACE_SMOOTH));
    ck_ok(dlviz_schedule_start(s, rate, 30, &rate));
    for (int step = 1; step <= 300; step++) {
        ck_ok(dlviz_schedule_step(s, rate, &rate));
        if (step % 30 == 0)
            ck_ok(dlviz_schedule_next(s, 1, rate, &rate));
        if (step % 3 == 0)
            expected /= 2;
        ck_assert_msg(rate == expected, "step %d: %g, not %g", step, rate, expected);
    }
    dlviz_schedule_destroy(s);
}
END_TEST

/* A plateau of no patience behind a warm-up of 1.5 epochs hears epoch 2 on, of which it made half. */
START_TEST(a_plateau_waits_for_the_warmup) {
    const double lengths[] = {1.5, 1, 2};
    const int first[] = {1, 1, 2}; /* the first epoch that it hears of: there, none was better */
    for (int i = 0; i < 3; i++) {
        dlviz_schedule *s = dlviz_warmup(lengths[i], 0.5, dlviz_plateau(0.5, 0));
        double rate = 8, expected = 8;
        ck_ok(dlviz_schedule_start(s, rate, 4, &rate));
        ck_assert(rate == 4);
        for (int epoch = 0; epoch < 6; epoch++) {
            for (int step = 1; step <= 4; step++) {
                ck_ok(dlviz_schedule_step(s, rate, &rate));
                double done = epoch + step / 4.0;
                ck_assert_msg(rate == (done < lengths[i] ? 4 + 4 * done / lengths[i] : expected),
                              "%g: %g", done, rate);
            }
            ck_ok(dlviz_schedule_next(s, 1, rate, &rate));
            if (epoch > first[i])
                expected /= 2;
            ck_assert_msg(epoch + 1 < lengths[i] || rate == expected, "epoch %d: %g", epoch, rate);
        }
        dlviz_schedule_destroy(s);
    }
}
END_TEST

/* Its time begins where the warm-up's ends, in the middle of an epoch too. */
START_TEST(what_follows_has_its_own_time) {
    dlviz_schedule *s = dlviz_warmup(0.5, 0, dlviz_step_decay(1, 0.5));
    double rate = 8;
    ck_ok(dlviz_schedule_start(s, rate, 4, &rate));
    ck_assert(rate == 0);
    const double ends[] = {8, 4, 2, 1}; /* after 0.5, 1.5, 2.5 and 3.5 epochs of its own */
    for (int epoch = 0; epoch < 4; epoch++) {
        for (int step = 0; step < 4; step++)
            ck_ok(dlviz_schedule_step(s, rate, &rate));
        ck_ok(dlviz_schedule_next(s, 1, rate, &rate));
        ck_assert_msg(rate == ends[epoch], "epoch %d: %g", epoch, rate);
    }
    dlviz_schedule_destroy(s);
    /* And its rate is a function of nothing else: behind two epochs by steps, whole epochs. */
    s = dlviz_warmup(2, 0.25, dlviz_cosine(3));
    rate = 8;
    ck_ok(dlviz_schedule_start(s, rate, 7, &rate));
    for (int epoch = 0; epoch < 6; epoch++) {
        for (int step = 0; step < 7; step++)
            ck_ok(dlviz_schedule_step(s, rate, &rate));
        ck_ok(dlviz_schedule_next(s, 1, rate, &rate));
        double done = epoch - 1;
        if (done >= 0)
            ck_assert_msg(rate == (done < 3 ? 8 * (1 + cos(M_PI * done / 3)) / 2 : 0),
                          "epoch %d: %g", epoch, rate);
    }
    dlviz_schedule_destroy(s);
}
END_TEST

/* -- The user's own ---------------------------------------------------------------------------- */

typedef struct asked {
    dlviz_schedule *schedule;
    double answer, epochs, base, rate, loss;
    int64_t steps;
    int times;
} asked;

static double look(const dlviz_schedule_event *event, void *user) {
    asked *a = user;
    double next;
    a->times++;
    a->epochs = dlviz_schedule_event_epochs(event);
    a->steps = dlviz_schedule_event_num_steps(event);
    a->base = dlviz_schedule_event_base_rate(event);
    a->rate = dlviz_schedule_event_rate(event);
    a->loss = dlviz_schedule_event_loss(event);
    /* It cannot use the schedule it serves, nor end it. */
    ck_fails(dlviz_schedule_next(a->schedule, 1, 1, &next), DLVIZ_ERROR_STATE,
             "dlviz_schedule_next: from within the schedule's own function");
    ck_fails(dlviz_schedule_step(a->schedule, 1, &next), DLVIZ_ERROR_STATE, "own function");
    dlviz_schedule_destroy(a->schedule);
    return a->answer;
}

START_TEST(functions_are_asked) {
    for (int behind = 0; behind < 2; behind++) {
        asked a = {.answer = 5};
        double rate;
        a.schedule = dlviz_schedule_custom(look, &a);
        ck_ok(dlviz_schedule_set_pace(a.schedule, DLVIZ_PACE_STEP));
        if (behind)
            a.schedule = dlviz_warmup(2, 0.5, a.schedule);
        ck_ok(dlviz_schedule_start(a.schedule, 3, 2, &rate));
        for (int step = 0; behind && step < 4; step++) {
            ck_assert_int_eq(a.times, 0);
            ck_ok(dlviz_schedule_step(a.schedule, rate, &rate));
            if (step == 1)
                ck_ok(dlviz_schedule_next(a.schedule, 1, rate, &rate));
        }
        if (behind) /* it has begun with the last step: another question, at the same time */
            ck_ok(dlviz_schedule_next(a.schedule, 1, rate, &rate));
        ck_assert(rate == 5 && a.times == 1 + behind && a.epochs == 0 && a.steps == 0);
        /* What follows knows the loss of an epoch that was over before. */
        ck_assert(a.base == 3 && a.rate == 3 && (behind ? a.loss == 1 : isnan(a.loss)));
        a.answer = 6;
        ck_ok(dlviz_schedule_step(a.schedule, rate, &rate));
        ck_assert(rate == 6 && a.epochs == 0.5 && a.steps == 1 && a.base == 3 && a.rate == 5);
        ck_ok(dlviz_schedule_step(a.schedule, rate, &rate));
        ck_ok(dlviz_schedule_next(a.schedule, 0.25, rate, &rate));
        ck_assert(a.epochs == 1 && a.steps == 2 && a.rate == 6 && a.loss == 0.25);
        ck_ok(dlviz_schedule_step(a.schedule, rate, &rate));
        ck_assert(a.epochs == 1.5 && a.loss == 0.25);
        const double wrong[] = {NAN, INFINITY, -1e-9, 1e31};
        for (int i = 0; i < 4; i++) {
            a.answer = wrong[i];
            ck_fails(dlviz_schedule_next(a.schedule, 1, 1, &rate), DLVIZ_ERROR_NUMERIC,
                     "the schedule custom gives the learning rate");
            ck_assert(isnan(rate));
        }
        a.answer = 0;
        ck_ok(dlviz_schedule_next(a.schedule, INFINITY, 1, &rate));
        ck_assert(a.epochs == 2 && isnan(a.loss)); /* the calls that failed counted nothing */
        dlviz_schedule_destroy(a.schedule);
    }
}
END_TEST

static double answer(const dlviz_schedule_event *event, void *user) {
    asked *a = user;
    a->steps = dlviz_schedule_event_num_steps(event);
    return a->answer;
}

START_TEST(steps_that_fail_count_nothing) {
    for (int behind = 0; behind < 2; behind++) {
        asked a = {.answer = 1};
        double rate;
        dlviz_schedule *s = dlviz_schedule_custom(answer, &a);
        ck_ok(dlviz_schedule_set_pace(s, DLVIZ_PACE_STEP));
        if (behind)
            s = dlviz_warmup(0.5, 0.5, s);
        ck_ok(dlviz_schedule_start(s, 3, 4, &rate));
        /* The warm-up is over with step 2, which asks what follows for the first time. */
        for (int step = 1; step < 5; step++) {
            int64_t asked_at = step - 2 * behind;
            a.answer = NAN;
            for (int i = 0; asked_at >= 0 && i < 3; i++) {
                ck_fails(dlviz_schedule_step(s, 1, &rate), DLVIZ_ERROR_NUMERIC, "custom");
                ck_assert(isnan(rate) && a.steps == asked_at);
            }
            a.answer = step;
            ck_ok(dlviz_schedule_step(s, 1, &rate));
            ck_assert(asked_at < 0 || (rate == step && a.steps == asked_at));
        }
        dlviz_schedule_destroy(s);
    }
}
END_TEST

START_TEST(patience_is_waited_for) {
    dlviz_schedule *s = dlviz_plateau(0.5, 2);
    expect(s, 1.0, 8, 8);
    expect(s, 1.0, 8, 8);     /* bad, 1 */
    expect(s, 0.99995, 8, 8); /* an improvement of less than 1e-4: bad, 2 */
    expect(s, 1.5, 8, 4);     /* bad, 3: more than the patience */
    expect(s, 1.5, 4, 4);     /* counting from 0 again: bad, 1 */
    expect(s, 0.9998, 4, 4);  /* better */
    expect(s, NAN, 4, 4);
    expect(s, INFINITY, 4, 4);
    expect(s, NAN, 4, 2);
    dlviz_schedule_destroy(s);
}
END_TEST

START_TEST(the_cooldown_is_waited_for) {
    dlviz_schedule *s = dlviz_plateau(0.5, 0);
    ck_ok(dlviz_plateau_set_cooldown(s, 2));
    expect(s, 1, 8, 8);
    expect(s, 1, 8, 4);
    expect(s, 1, 4, 4);
    expect(s, 1, 4, 4);
    expect(s, 1, 4, 2);
    dlviz_schedule_destroy(s);
}
END_TEST

START_TEST(the_rate_stops_at_the_minimum) {
    dlviz_schedule *s = dlviz_plateau(0.5, 0);
    ck_ok(dlviz_plateau_set_minimum(s, 3));
    expect(s, 1, 8, 8);
    expect(s, 1, 8, 4);
    expect(s, 1, 4, 3);
    expect(s, 1, 3, 3);
    /* A change of no more than 1e-8 is not made. */
    ck_ok(dlviz_plateau_set_minimum(s, 0));
    expect(s, 1, 2e-8, 2e-8);
    expect(s, 1, 2.1e-8, 1.05e-8);
    dlviz_schedule_destroy(s);
}
END_TEST

START_TEST(two_schedules_do_not_share_memory) {
    dlviz_schedule *a = dlviz_plateau(0.5, 0), *b = dlviz_plateau(0.5, 0);
    expect(a, 1, 8, 8);
    expect(b, 2, 8, 8);
    expect(a, 2, 8, 4);
    expect(b, 1, 8, 8);
    dlviz_schedule_destroy(a);
    dlviz_schedule_destroy(b);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {settings_are_checked,
                                  settings_of_all_kinds_are_checked,
                                  paces_are_checked,
                                  a_warmup_owns_what_follows,
                                  each_allocation_may_fail,
                                  loops_of_ones_own_are_checked,
                                  ends_are_kept,
                                  steps_are_met_exactly,
                                  a_plateau_waits_for_the_warmup,
                                  what_follows_has_its_own_time,
                                  functions_are_asked,
                                  steps_that_fail_count_nothing,
                                  the_first_error_is_remembered,
                                  a_trainer_owns_its_schedule,
                                  rates_are_checked,
                                  patience_is_waited_for,
                                  the_cooldown_is_waited_for,
                                  the_rate_stops_at_the_minimum,
                                  two_schedules_do_not_share_memory,
                                  NULL};
    return run_tests("schedule", tests);
}
