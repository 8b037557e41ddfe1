/* Early stopping: figures that follow a script, and what is left in the network. */
#include "support/process.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT
#define NET "c:conv,out=4,k=3 b:bn r:relu f:flatten fc:linear,out=4"
enum { MOST_EPOCHS = 12 };

/* A metric that says what it is told to, and the states after each epoch. */
typedef struct script {
    process p;
    const double *values;
    int epochs;
    void *states[MOST_EPOCHS];
    size_t size;
} script;

static double next_value(const dlviz_tensor *outputs, const dlviz_tensor *targets, void *user) {
    (void)outputs;
    (void)targets;
    script *s = user;
    return s->values[s->epochs];
}

static bool keep_states(const dlviz_trainer_event *event, void *user) {
    script *s = user;
    ck_assert_int_eq(dlviz_trainer_event_epoch(event), s->epochs);
    s->states[s->epochs++] = all_states(s->p.network, &s->size);
    return true;
}

static void begin(script *s, const double *values) {
    *s = (script){.values = values};
    begin_process(&s->p, NET, ADAM, false);
    ck_ok(dlviz_trainer_add_metric(s->p.trainer, "script", next_value, s));
    ck_ok(dlviz_trainer_set_epoch_callback(s->p.trainer, keep_states, s));
}

static void end(script *s) {
    for (int i = 0; i < s->epochs; i++)
        free(s->states[i]);
    end_process(&s->p);
}

static void holds_states_of(const script *s, int epoch) {
    size_t size;
    void *now = all_states(s->p.network, &size);
    ck_assert_uint_eq(size, s->size);
    ck_assert_msg(memcmp(now, s->states[epoch], size) == 0, "not the states of epoch %d", epoch);
    free(now);
}

START_TEST(it_waits_and_goes_back) {
    static const struct {
        dlviz_better better;
        int64_t patience;
        double threshold, values[MOST_EPOCHS];
        int epochs, best; /* what comes of it */
        dlviz_stop_reason reason;
    } cases[] = {
        {DLVIZ_BETTER_LOWER, 2, 0, {5, 4, 3, 3, 4}, 5, 2, DLVIZ_STOP_REASON_EARLY},
        {DLVIZ_BETTER_LOWER, 2, 0, {5, 6, 4, 5, 3.9, 7, 8}, 7, 4, DLVIZ_STOP_REASON_EARLY},
        {DLVIZ_BETTER_LOWER, 1, 0, {1, 1}, 2, 0, DLVIZ_STOP_REASON_EARLY},
        {DLVIZ_BETTER_HIGHER, 3, 0, {1, 2, 0, 2, 1.5}, 5, 1, DLVIZ_STOP_REASON_EARLY},
        {DLVIZ_BETTER_LOWER, 2, 0.5, {5, 4.6, 4.5, 1}, 3, 0, DLVIZ_STOP_REASON_EARLY},
        {DLVIZ_BETTER_LOWER, 2, 0.5, {5, 4.6, 4.4, 4.3, 4.2}, 5, 2, DLVIZ_STOP_REASON_EARLY},
        {DLVIZ_BETTER_LOWER, 2, 0, {NAN, NAN}, 2, -1, DLVIZ_STOP_REASON_EARLY},
        {DLVIZ_BETTER_HIGHER, 2, 0, {NAN, 1, NAN, NAN}, 4, 1, DLVIZ_STOP_REASON_EARLY},
        {DLVIZ_BETTER_LOWER, 2, 0, {INFINITY, 1, INFINITY, 0, 0, 0}, 6, 3, DLVIZ_STOP_REASON_EARLY},
        {DLVIZ_BETTER_LOWER, 9, 0, {1, 2, 3, 4, 5, 6, 7}, 7, 0, DLVIZ_STOP_REASON_EPOCHS},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        script s;
        begin(&s, cases[i].values);
        ck_ok(dlviz_trainer_set_early_stopping(s.p.trainer, "validation_script", cases[i].better,
                                               cases[i].patience));
        ck_ok(dlviz_trainer_set_early_stopping_threshold(s.p.trainer, cases[i].threshold));
        ck_ok(dlviz_trainer_fit(s.p.trainer, s.p.train, 7));
        ck_assert_msg(s.epochs == cases[i].epochs, "case %zu: %d epochs", i, s.epochs);
        ck_assert_int_eq(dlviz_trainer_stop_reason(s.p.trainer), cases[i].reason);
        ck_assert_int_eq(dlviz_trainer_best_epoch(s.p.trainer), cases[i].best);
        bool early = cases[i].reason == DLVIZ_STOP_REASON_EARLY;
        holds_states_of(&s, early && cases[i].best >= 0 ? cases[i].best : s.epochs - 1);
        if (cases[i].best >= 0) {
            ck_ok(dlviz_trainer_restore_best(s.p.trainer));
            holds_states_of(&s, cases[i].best);
        } else {
            ck_fails(dlviz_trainer_restore_best(s.p.trainer), DLVIZ_ERROR_STATE, "no best epoch");
        }
        end(&s);
    }
}
END_TEST

START_TEST(a_later_fit_has_patience_anew) {
    static const double values[] = {1, 2, 2, 2, 2};
    script s;
    begin(&s, values);
    ck_ok(
        dlviz_trainer_set_early_stopping(s.p.trainer, "validation_script", DLVIZ_BETTER_LOWER, 2));
    ck_ok(dlviz_trainer_fit(s.p.trainer, s.p.train, 9));
    ck_assert_int_eq(s.epochs, 3);
    ck_ok(dlviz_trainer_fit(s.p.trainer, s.p.train, 9));
    ck_assert_int_eq(s.epochs, 5);
    end(&s);
}
END_TEST

/* The best is what was evaluated. */
START_TEST(of_an_average_the_best_is_kept) {
    process p;
    double loss;
    begin_process(&p, NET, ADAM, false);
    ck_ok(dlviz_trainer_set_averaging(p.trainer, 0.8));
    ck_ok(dlviz_trainer_set_early_stopping(p.trainer, "validation_loss", DLVIZ_BETTER_LOWER, 50));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 6));
    int64_t best = dlviz_trainer_best_epoch(p.trainer);
    ck_ok(dlviz_trainer_restore_best(p.trainer));
    ck_ok(dlviz_network_evaluate(p.network, p.validation, &loss, NULL));
    ck_assert(loss == dlviz_trainer_history(p.trainer, best, "validation_loss"));
    end_process(&p);
}
END_TEST

START_TEST(reasons_have_names) {
    ck_assert_str_eq(dlviz_stop_reason_name(DLVIZ_STOP_REASON_EARLY), "early stopping");
    ck_assert_str_eq(dlviz_stop_reason_name(DLVIZ_STOP_REASON_ERROR), "error");
    ck_assert_str_eq(dlviz_stop_reason_name((dlviz_stop_reason)-1), "unknown");
    ck_assert_str_eq(dlviz_stop_reason_name((dlviz_stop_reason)5), "unknown");
}
END_TEST

START_TEST(mistakes_are_named) {
    process p;
    dlviz_better better = DLVIZ_BETTER_HIGHER;
    int64_t patience = 9;
    begin_process(&p, NET, ADAM, false);
    dlviz_trainer *t = p.trainer;
    ck_fails(dlviz_trainer_set_early_stopping(t, "loss", DLVIZ_BETTER_LOWER, 1),
             DLVIZ_ERROR_NOT_FOUND, "validation_loss");
    ck_fails(dlviz_trainer_set_early_stopping(t, "train_loss", (dlviz_better)7, 1), INVALID, "7");
    ck_fails(dlviz_trainer_set_early_stopping(t, "train_loss", DLVIZ_BETTER_LOWER, 0), INVALID,
             "0 epochs");
    ck_fails(dlviz_trainer_set_early_stopping_threshold(t, -1), INVALID, "-1");
    ck_fails(dlviz_trainer_set_early_stopping_threshold(t, (double)NAN), INVALID, "nan");
    ck_assert_ptr_null(dlviz_trainer_early_stopping(t, &better, &patience));
    ck_assert(better == DLVIZ_BETTER_LOWER && patience == 0);
    ck_ok(dlviz_trainer_set_early_stopping(t, "validation_loss", DLVIZ_BETTER_HIGHER, 3));
    ck_assert_str_eq(dlviz_trainer_early_stopping(t, &better, &patience), "validation_loss");
    ck_assert(better == DLVIZ_BETTER_HIGHER && patience == 3);
    ck_assert_int_eq(dlviz_trainer_best_epoch(t), -1);
    ck_ok(dlviz_trainer_set_validation(t, NULL));
    ck_fails(dlviz_trainer_fit(t, p.train, 1), DLVIZ_ERROR_STATE, "no validation set");
    ck_ok(dlviz_trainer_set_early_stopping(t, "train_loss", DLVIZ_BETTER_LOWER, 3));
    ck_ok(dlviz_trainer_fit(t, p.train, 1));
    ck_assert_int_eq(dlviz_trainer_best_epoch(t), 0);
    ck_ok(dlviz_trainer_set_early_stopping(t, NULL, DLVIZ_BETTER_LOWER, 0));
    ck_assert_int_eq(dlviz_trainer_best_epoch(t), -1);
    end_process(&p);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {it_waits_and_goes_back,
                                  a_later_fit_has_patience_anew,
                                  of_an_average_the_best_is_kept,
                                  reasons_have_names,
                                  mistakes_are_named,
                                  NULL};
    return run_tests("early stopping", tests);
}
