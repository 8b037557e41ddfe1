/* ReduceLROnPlateau by hand; long sequences are compared with PyTorch in tests/parity. */
#include "support/support.h"

#include <math.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

START_TEST(settings_are_checked) {
    dlviz_schedule *s = (dlviz_schedule *)1;
    ck_fails(dlviz_plateau_create(NULL, 0.1, 3), INVALID, "out");
    ck_fails(dlviz_plateau_create(&s, 0, 3), INVALID, "factor");
    ck_assert_ptr_null(s);
    ck_fails(dlviz_plateau_create(&s, 1, 3), INVALID, "1");
    ck_fails(dlviz_plateau_create(&s, -0.5, 3), INVALID, "-0.5");
    ck_fails(dlviz_plateau_create(&s, NAN, 3), INVALID, "nan");
    ck_fails(dlviz_plateau_create(&s, 0.5, -2), INVALID, "-2");
    ck_ok(dlviz_plateau_create(&s, 0.5, 0));
    ck_fails(dlviz_plateau_set_threshold(s, -0.25), INVALID, "-0.25");
    ck_fails(dlviz_plateau_set_threshold(s, 1), INVALID, "1");
    ck_fails(dlviz_plateau_set_threshold(s, NAN), INVALID, "nan");
    ck_fails(dlviz_plateau_set_cooldown(s, -4), INVALID, "-4");
    ck_fails(dlviz_plateau_set_minimum(s, -0.125), INVALID, "-0.125");
    ck_fails(dlviz_plateau_set_minimum(s, NAN), INVALID, "nan");
    ck_fails(dlviz_plateau_set_cooldown(NULL, 1), INVALID, "schedule");
    ck_ok(dlviz_plateau_set_threshold(s, 0));
    ck_ok(dlviz_plateau_set_cooldown(s, 0));
    ck_ok(dlviz_plateau_set_minimum(s, 0));
    dlviz_schedule_destroy(s);
    dlviz_schedule_destroy(NULL);
}
END_TEST

static void expect(dlviz_schedule *s, double metric, double rate, double next) {
    double given = dlviz_schedule_next(s, metric, rate);
    ck_assert_msg(given == next, "metric %g: rate %g became %g, not %g", metric, rate, given, next);
}

START_TEST(patience_is_waited_for) {
    dlviz_schedule *s;
    ck_ok(dlviz_plateau_create(&s, 0.5, 2));
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
    dlviz_schedule *s;
    ck_ok(dlviz_plateau_create(&s, 0.5, 0));
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
    dlviz_schedule *s;
    ck_ok(dlviz_plateau_create(&s, 0.5, 0));
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
    dlviz_schedule *a, *b;
    ck_ok(dlviz_plateau_create(&a, 0.5, 0));
    ck_ok(dlviz_plateau_create(&b, 0.5, 0));
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
                                  patience_is_waited_for,
                                  the_cooldown_is_waited_for,
                                  the_rate_stops_at_the_minimum,
                                  two_schedules_do_not_share_memory,
                                  NULL};
    return run_tests("schedule", tests);
}
