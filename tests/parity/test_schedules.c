/* Schedules step by step against PyTorch's. */
#include "support/fixture.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { STEPS_PER_EPOCH = 7 };
#define BASE 0.1

static dlviz_schedule *with_minimum(dlviz_schedule *schedule, double minimum,
                                    dlviz_status (*set)(dlviz_schedule *, double)) {
    ck_ok(set(schedule, minimum));
    return schedule;
}

static dlviz_schedule *at_pace(dlviz_schedule *schedule, dlviz_pace pace) {
    ck_ok(dlviz_schedule_set_pace(schedule, pace));
    ck_assert_int_eq(dlviz_schedule_pace(schedule), pace);
    return schedule;
}

static dlviz_schedule *by_step(dlviz_schedule *schedule) {
    return at_pace(schedule, DLVIZ_PACE_STEP);
}

/* By steps, with the share of the rise and the divisors. */
static dlviz_schedule *one_cycle(double length, double rise, double start, double final,
                                 bool linear) {
    dlviz_schedule *schedule = by_step(dlviz_one_cycle(0.5, length));
    ck_ok(dlviz_one_cycle_set_rise(schedule, rise));
    ck_ok(dlviz_one_cycle_set_start_divisor(schedule, start));
    ck_ok(dlviz_one_cycle_set_final_divisor(schedule, final));
    ck_ok(dlviz_one_cycle_set_linear(schedule, linear));
    return schedule;
}

static double inverse_root(const dlviz_schedule_event *event, void *user) {
    ck_assert_ptr_null(user);
    return dlviz_schedule_event_base_rate(event) / sqrt(1 + dlviz_schedule_event_epochs(event));
}

static dlviz_schedule *make_step(void) {
    return dlviz_step_decay(7, 0.3);
}
static dlviz_schedule *make_multistep(void) {
    return dlviz_multistep(4, (const double[]){3, 8, 8, 20}, 0.2);
}
static dlviz_schedule *make_exponential(void) {
    return dlviz_exponential(0.93);
}
static dlviz_schedule *make_growing(void) {
    return by_step(dlviz_exponential(1.2));
}
static dlviz_schedule *make_cosine(void) {
    return dlviz_cosine(20);
}
static dlviz_schedule *make_cosine_minimum(void) {
    return by_step(with_minimum(dlviz_cosine(50), 1e-3, dlviz_cosine_set_minimum));
}
static dlviz_schedule *make_restarts(void) {
    return by_step(dlviz_cosine_restarts(5, 1));
}
static dlviz_schedule *make_restarts_growth(void) {
    return with_minimum(dlviz_cosine_restarts(3, 2), 1e-5, dlviz_cosine_restarts_set_minimum);
}
static dlviz_schedule *make_polynomial(void) {
    return dlviz_polynomial(12, 1);
}
static dlviz_schedule *make_polynomial_power(void) {
    return by_step(dlviz_polynomial(12, 2.5));
}
static dlviz_schedule *make_one_cycle(void) {
    return dlviz_one_cycle(0.5, 4);
}
static dlviz_schedule *make_one_cycle_short(void) {
    return by_step(dlviz_one_cycle(0.5, 37));
}
static dlviz_schedule *make_one_cycle_linear(void) {
    return one_cycle(60, 0.25, 10, 100, true);
}
static dlviz_schedule *make_one_cycle_falling(void) {
    return one_cycle(20, 0, 25, 1e4, false);
}
static dlviz_schedule *make_one_cycle_rising(void) {
    return one_cycle(20, 1, 25, 1e4, false);
}
static dlviz_schedule *make_one_cycle_of_1(void) {
    return by_step(dlviz_one_cycle(0.5, 1));
}
static dlviz_schedule *make_linear(void) {
    return by_step(dlviz_warmup(12, 0.1, dlviz_constant_rate()));
}
static dlviz_schedule *make_linear_cosine(void) {
    return by_step(dlviz_warmup(10, 0.01, by_step(dlviz_cosine(30))));
}
static dlviz_schedule *make_linear_step(void) {
    return at_pace(dlviz_warmup(5, 0.25, dlviz_step_decay(3, 0.5)), DLVIZ_PACE_EPOCH);
}
static dlviz_schedule *make_linear_polynomial(void) {
    return dlviz_warmup(3, 0.5, by_step(dlviz_polynomial(4, 1)));
}
static dlviz_schedule *make_lambda(void) {
    return dlviz_schedule_custom(inverse_root, NULL);
}
static dlviz_schedule *make_restarts_smooth(void) {
    return at_pace(dlviz_cosine_restarts(2, 1), DLVIZ_PACE_SMOOTH);
}
static dlviz_schedule *make_restarts_smooth_growth(void) {
    return at_pace(
        with_minimum(dlviz_cosine_restarts(1, 3), 1e-4, dlviz_cosine_restarts_set_minimum),
        DLVIZ_PACE_SMOOTH);
}

#define CASE(name)                                                                                 \
    { #name, make_##name }
/* The cases of generate_schedules.py. */
static const struct {
    const char *name;
    dlviz_schedule *(*make)(void);
} cases[] = {CASE(step),
             CASE(multistep),
             CASE(exponential),
             CASE(growing),
             CASE(cosine),
             CASE(cosine_minimum),
             CASE(restarts),
             CASE(restarts_growth),
             CASE(polynomial),
             CASE(polynomial_power),
             CASE(one_cycle),
             CASE(one_cycle_short),
             CASE(one_cycle_linear),
             CASE(one_cycle_falling),
             CASE(one_cycle_rising),
             CASE(one_cycle_of_1),
             CASE(linear),
             CASE(linear_cosine),
             CASE(linear_step),
             CASE(linear_polynomial),
             CASE(lambda),
             CASE(restarts_smooth),
             CASE(restarts_smooth_growth)};

enum { NUM_CASES = sizeof cases / sizeof *cases };

/* Beside 1e-12 of the rate, the rounding of a difference of rates, which PyTorch's have too. */
static bool is_close(double rate, double torch, double largest) {
    return fabs(rate - torch) <= 1e-12 * fabs(torch) + 4e-16 * largest;
}

/* The rate after each change that PyTorch's scheduler makes; returns how many are wrong. */
static int follow(dlviz_schedule *schedule, const char *name, const double *rates, int64_t count) {
    bool by_epochs = dlviz_schedule_pace(schedule) == DLVIZ_PACE_EPOCH;
    double rate = BASE, largest = 0;
    int wrong = 0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, rates[i]);
    ck_ok(dlviz_schedule_start(schedule, BASE, STEPS_PER_EPOCH, &rate));
    for (int64_t i = 0;; i++) {
        if (!is_close(rate, rates[i], largest)) {
            printf("%s, %lld: rate %.17g, PyTorch has %.17g\n", name, (long long)i, rate, rates[i]);
            wrong++;
        }
        if (i == count - 1)
            return wrong;
        for (int step = 0; step < (by_epochs ? STEPS_PER_EPOCH : 1); step++) {
            double before = rate;
            ck_ok(dlviz_schedule_step(schedule, rate, &rate));
            ck_assert(!by_epochs || rate == before);
        }
        if (by_epochs || i % STEPS_PER_EPOCH == STEPS_PER_EPOCH - 1) {
            double before = rate;
            ck_ok(dlviz_schedule_next(schedule, NAN, rate, &rate));
            /* The end of an epoch is no time of its own. */
            ck_assert(by_epochs || is_close(rate, before, largest));
        }
    }
}

START_TEST(each_rate_is_pytorchs) {
    fixture *file = fixture_open("schedules.safetensors");
    const char *name, *dtype;
    int ndim, wrong = 0, found = 0;
    int64_t dims[8];
    for (int i = 0; fixture_entry(file, i, &name, &dtype, &ndim, dims); i++)
        for (int c = 0; c < NUM_CASES; c++)
            if (strcmp(name, cases[c].name) == 0) {
                dlviz_schedule *schedule = cases[c].make();
                wrong += follow(schedule, name, fixture_doubles(file, name, dims[0]), dims[0]);
                dlviz_schedule_destroy(schedule);
                found++;
            }
    ck_assert_int_eq(fixture_count(file), NUM_CASES);
    fixture_close(file);
    ck_assert_int_eq(found, NUM_CASES);
    ck_assert_msg(wrong == 0, "%d rates are not PyTorch's", wrong);
}
END_TEST

/* A loop may leave out what its schedule does not need: epochs by steps, steps by epochs. */
START_TEST(loops_may_be_shorter) {
    fixture *file = fixture_open("schedules.safetensors");
    const double *cycle = fixture_doubles(file, "one_cycle", 4 * STEPS_PER_EPOCH);
    const double *step = fixture_doubles(file, "step", 31);
    dlviz_schedule *schedule = make_one_cycle();
    double rate;
    ck_ok(dlviz_schedule_start(schedule, BASE, STEPS_PER_EPOCH, &rate));
    for (int i = 0; i < 4 * STEPS_PER_EPOCH; i++) {
        ck_assert_msg(is_close(rate, cycle[i], 0.5), "step %d: %.17g", i, rate);
        ck_ok(dlviz_schedule_step(schedule, rate, &rate));
    }
    dlviz_schedule_destroy(schedule);
    schedule = make_step();
    rate = BASE;
    for (int i = 0; i < 30; i++) {
        ck_ok(dlviz_schedule_next(schedule, NAN, rate, &rate));
        ck_assert_msg(is_close(rate, step[i + 1], BASE), "epoch %d: %.17g", i, rate);
    }
    dlviz_schedule_destroy(schedule);
    fixture_close(file);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {each_rate_is_pytorchs, loops_may_be_shorter, NULL};
    return run_tests("schedules against PyTorch", tests);
}
