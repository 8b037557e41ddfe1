/* Schedules: who owns them, what they remember, and ReduceLROnPlateau by hand; long sequences are
 * compared with PyTorch in tests/parity. */
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
