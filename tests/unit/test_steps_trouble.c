/* A trainer when a step fails, and when callbacks change what it is at work on. */
#include "support/process.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* -- Steps that fail -----------------------------------------------------------------------------
 */

static atomic_long allocations, failing;

static void *allocate(size_t size, void *user) {
    (void)user;
    return atomic_fetch_add(&allocations, 1) + 1 == atomic_load(&failing) ? NULL : malloc(size);
}

static void release(void *block, void *user) {
    (void)user;
    free(block);
}

static void begin_averaged(process *p) {
    begin_process(p, PROCESS_NET, AMSGRAD, true);
    ck_ok(dlviz_trainer_set_accumulation(p->trainer, 3));
    ck_ok(dlviz_trainer_set_clip_norm(p->trainer, 0.5));
    ck_ok(dlviz_trainer_set_averaging(p->trainer, 0.75));
    ck_ok(dlviz_trainer_set_early_stopping(p->trainer, "train_loss", DLVIZ_BETTER_LOWER, 5));
}

START_TEST(a_fit_that_ran_out_of_memory_goes_on) {
    process whole;
    begin_averaged(&whole);
    ck_ok(dlviz_trainer_fit(whole.trainer, whole.train, 2));
    long failures = 0;
    for (dlviz_status status = DLVIZ_ERROR_OUT_OF_MEMORY; status != DLVIZ_OK; failures++) {
        process p;
        begin_averaged(&p);
        ck_ok(dlviz_set_allocator(allocate, release, NULL));
        allocations = 0;
        failing = failures + 1;
        status = dlviz_trainer_fit(p.trainer, p.train, 2);
        failing = 0;
        if (status != DLVIZ_OK) {
            void *bytes;
            size_t size;
            ck_assert_int_eq(status, DLVIZ_ERROR_OUT_OF_MEMORY);
            ck_ok(dlviz_trainer_save_checkpoint_memory(p.trainer, &bytes, &size));
            dlviz_free(bytes);
            ck_ok(dlviz_trainer_fit(p.trainer, p.train, 2 - dlviz_trainer_num_epochs(p.trainer)));
        }
        assert_same_run(&whole, &p);
        end_process(&p);
        ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
    }
    ck_assert_int_gt(failures, 10); /* the sum of gradients and the moments among them */
    end_process(&whole);
}
END_TEST

/* What was allocated up to each batch. */
static bool count_allocations(const dlviz_trainer_event *event, void *user) {
    (void)event;
    process *p = user;
    if (p->batches ==
        12) /* two epochs: each of both sizes of batches, and a validation, is known */
        allocations = 0;
    ck_assert_msg(p->batches < 12 || allocations == 0, "%ld allocations before batch %d",
                  atomic_load(&allocations), p->batches);
    p->batches++;
    return true;
}

START_TEST(a_step_with_everything_allocates_nothing) {
    process p;
    ck_ok(dlviz_set_allocator(allocate, release, NULL));
    begin_averaged(&p);
    ck_ok(dlviz_trainer_set_clip_value(p.trainer, 0.1));
    ck_ok(dlviz_trainer_set_schedule(p.trainer, dlviz_one_cycle(0.01, 6)));
    ck_ok(dlviz_dataset_add_augmentation(p.train, dlviz_mixup(0.5)));
    ck_ok(dlviz_dataset_add_augmentation(p.train, dlviz_random_shift(1, 1)));
    ck_ok(dlviz_network_freeze(p.network, "b.*"));
    ck_ok(dlviz_trainer_set_batch_callback(p.trainer, count_allocations, &p));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 6));
    ck_assert_int_eq(p.batches, 36);
    end_process(&p);
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}
END_TEST

/* -- Callbacks that change things ----------------------------------------------------------------
 */

/* Freezes a layer after batch 4, the first of a step of three, and keeps a checkpoint of batch
 * `keep_at` and the norms. */
typedef struct freezing {
    process *p;
    int batches, keep_at;
    void *checkpoint;
    size_t size;
} freezing;

static double norm_of_trained(const dlviz_network *network) {
    double squares = 0;
    for (int64_t i = 0; i < dlviz_network_num_states(network); i++) {
        dlviz_tensor *gradient;
        const char *name = dlviz_network_state_name(network, i);
        if (dlviz_network_get_gradient(network, name, &gradient) != DLVIZ_OK)
            continue;
        for (int64_t j = 0; j < dlviz_tensor_num_elements(gradient); j++)
            squares += pow((double)dlviz_tensor_const_float(gradient)[j], 2);
        dlviz_tensor_destroy(gradient);
    }
    return sqrt(squares);
}

static bool freeze_amid(const dlviz_trainer_event *event, void *user) {
    freezing *f = user;
    double norm = dlviz_trainer_event_gradient_norm(event);
    f->batches++;
    if (f->batches % 6 == 0 || f->batches % 6 == 3) /* steps; nothing is long enough to clip */
        ck_assert_double_eq_tol(norm, norm_of_trained(f->p->network), 1e-6 * norm);
    if (f->batches == 4)
        ck_ok(dlviz_network_freeze(f->p->network, "fc2.*"));
    if (f->batches == f->keep_at)
        ck_ok(dlviz_trainer_save_checkpoint_memory(f->p->trainer, &f->checkpoint, &f->size));
    return true;
}

static void begin_freezing(process *p) {
    begin_process(p, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_set_accumulation(p->trainer, 3));
    ck_ok(dlviz_trainer_set_clip_norm(p->trainer, 1e3));
}

START_TEST(what_is_frozen_amid_a_step_has_no_part_in_it) {
    for (int keep_at = 4; keep_at < 12; keep_at++) {
        process whole, rest;
        begin_freezing(&whole);
        begin_freezing(&rest);
        freezing f = {.p = &whole, .keep_at = keep_at};
        ck_ok(dlviz_trainer_set_batch_callback(whole.trainer, freeze_amid, &f));
        ck_ok(dlviz_trainer_fit(whole.trainer, whole.train, 3));
        ck_ok(dlviz_network_freeze(rest.network, "fc2.*"));
        ck_ok(dlviz_trainer_load_checkpoint_memory(rest.trainer, f.checkpoint, f.size));
        ck_ok(dlviz_trainer_fit(rest.trainer, rest.train,
                                3 - dlviz_trainer_num_epochs(rest.trainer)));
        assert_same_run(&whole, &rest);
        dlviz_free(f.checkpoint);
        end_process(&whole);
        end_process(&rest);
    }
}
END_TEST

/* Thaws after batch 5 what was frozen from the beginning, and stops after batch `stop_at`. */
typedef struct thawing {
    dlviz_network *network;
    int batches, stop_at;
} thawing;

static bool thaw(const dlviz_trainer_event *event, void *user) {
    (void)event;
    thawing *t = user;
    if (++t->batches == 5)
        ck_ok(dlviz_network_unfreeze(t->network, "fc2.*"));
    return t->batches != t->stop_at;
}

static void begin_thawing(process *p, rule kind, thawing *t) {
    begin_process(p, PROCESS_NET, kind, false);
    t->network = p->network;
    ck_ok(dlviz_trainer_set_batch_callback(p->trainer, thaw, t));
    if (t->batches < 5)
        ck_ok(dlviz_network_freeze(p->network, "fc2.*"));
}

START_TEST(what_is_thawed_counts_its_own_steps_after_a_resume_too) {
    static const rule rules[] = {ADAM, NADAM, RADAM, SGD, GROUPED};
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        for (int stop_at = 3; stop_at < 9; stop_at++) {
            process whole, first, rest;
            void *bytes;
            size_t size;
            thawing all = {0}, start = {.stop_at = stop_at}, end = {.batches = stop_at};
            begin_thawing(&whole, rules[i], &all);
            begin_thawing(&first, rules[i], &start);
            begin_thawing(&rest, rules[i], &end);
            ck_ok(dlviz_trainer_fit(whole.trainer, whole.train, 3));
            ck_ok(dlviz_trainer_fit(first.trainer, first.train, 3));
            ck_ok(dlviz_trainer_save_checkpoint_memory(first.trainer, &bytes, &size));
            ck_ok(dlviz_trainer_load_checkpoint_memory(rest.trainer, bytes, size));
            ck_ok(dlviz_trainer_fit(rest.trainer, rest.train,
                                    3 - dlviz_trainer_num_epochs(rest.trainer)));
            assert_same_run(&whole, &rest);
            dlviz_free(bytes);
            end_process(&whole);
            end_process(&first);
            end_process(&rest);
        }
}
END_TEST

/* Frozen for the first batch of the second step, the norm lets the bias before it have a gradient,
 * which is 0 otherwise, and not computed. */
static bool freeze_and_thaw(const dlviz_trainer_event *event, void *user) {
    (void)event;
    freezing *f = user;
    f->batches++;
    if (f->batches == 3)
        ck_ok(dlviz_network_freeze(f->p->network, "b2.*"));
    if (f->batches == 4)
        ck_ok(dlviz_network_unfreeze(f->p->network, "b2.*"));
    if (f->batches == f->keep_at)
        ck_ok(dlviz_trainer_save_checkpoint_memory(f->p->trainer, &f->checkpoint, &f->size));
    return true;
}

START_TEST(what_only_a_part_of_a_step_had_ends_with_it) {
    for (int keep_at = 4; keep_at < 12; keep_at++) {
        process whole, rest;
        begin_freezing(&whole);
        begin_freezing(&rest);
        freezing f = {.p = &whole, .keep_at = keep_at};
        ck_ok(dlviz_trainer_set_batch_callback(whole.trainer, freeze_and_thaw, &f));
        ck_ok(dlviz_trainer_fit(whole.trainer, whole.train, 3));
        ck_ok(dlviz_trainer_load_checkpoint_memory(rest.trainer, f.checkpoint, f.size));
        ck_ok(dlviz_trainer_fit(rest.trainer, rest.train,
                                3 - dlviz_trainer_num_epochs(rest.trainer)));
        assert_same_run(&whole, &rest);
        dlviz_free(f.checkpoint);
        end_process(&whole);
        end_process(&rest);
    }
}
END_TEST

/* Shifts the training set from batch 9 on, keeps a checkpoint after it and stops after batch 10. */
typedef struct changing {
    process *p;
    int batches;
    void *checkpoint;
    size_t size;
} changing;

static bool change_dataset(const dlviz_trainer_event *event, void *user) {
    (void)event;
    changing *c = user;
    c->batches++;
    if (c->batches == 9) {
        ck_ok(dlviz_dataset_set_normalization(c->p->train, 0.25f, 2));
        ck_ok(dlviz_dataset_add_augmentation(c->p->train, dlviz_random_shift(1, 1)));
        ck_ok(dlviz_trainer_save_checkpoint_memory(c->p->trainer, &c->checkpoint, &c->size));
    }
    return c->batches != 10;
}

START_TEST(an_epoch_goes_on_with_the_set_that_a_callback_made) {
    process whole, rest;
    begin_process(&whole, PROCESS_NET, ADAM, false);
    begin_process(&rest, PROCESS_NET, ADAM, false);
    changing c = {.p = &whole};
    ck_ok(dlviz_trainer_set_batch_callback(whole.trainer, change_dataset, &c));
    ck_stops(whole.trainer, whole.train, 3);
    ck_ok(dlviz_trainer_load_checkpoint_memory(rest.trainer, c.checkpoint, c.size));
    ck_fails(dlviz_trainer_fit(rest.trainer, rest.train, 2), DLVIZ_ERROR_STATE, "settings");
    ck_ok(dlviz_trainer_fit(rest.trainer, whole.train, 2));
    ck_ok(dlviz_trainer_fit(whole.trainer, whole.train, 2));
    assert_same_run(&whole, &rest);
    dlviz_free(c.checkpoint);
    end_process(&whole);
    end_process(&rest);
}
END_TEST

static bool exchange_at_third(const dlviz_trainer_event *event, void *user) {
    (void)user;
    if (dlviz_trainer_event_epoch(event) == 2)
        ck_ok(dlviz_trainer_exchange_average(dlviz_trainer_event_trainer(event)));
    return true;
}

START_TEST(the_best_states_do_not_take_the_place_of_the_average) {
    process p;
    size_t size;
    begin_process(&p, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_set_averaging(p.trainer, 0.75));
    ck_ok(dlviz_trainer_set_early_stopping(p.trainer, "seconds", DLVIZ_BETTER_LOWER, 2));
    ck_ok(dlviz_trainer_set_early_stopping_threshold(p.trainer, 1e9)); /* only the first is good */
    ck_ok(dlviz_trainer_set_epoch_callback(p.trainer, exchange_at_third, NULL));
    ck_fails(dlviz_trainer_fit(p.trainer, p.train, 5), DLVIZ_ERROR_STATE, "holds the average");
    void *average = all_states(p.network, &size);
    ck_ok(dlviz_trainer_exchange_average(p.trainer));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 5));
    ck_assert_int_eq(dlviz_trainer_stop_reason(p.trainer), DLVIZ_STOP_REASON_EARLY);
    ck_assert_int_eq(dlviz_trainer_num_epochs(p.trainer), 3);
    void *best = all_states(p.network, &size);
    ck_assert_int_ne(memcmp(best, average, size), 0);
    ck_ok(dlviz_trainer_exchange_average(p.trainer));
    void *kept = all_states(p.network, &size);
    ck_assert_int_eq(memcmp(kept, average, size), 0);
    free(average);
    free(best);
    free(kept);
    end_process(&p);
}
END_TEST

static bool look_at_validation(const dlviz_trainer_event *event, void *user) {
    (void)user;
    ck_ok(dlviz_trainer_set_early_stopping(dlviz_trainer_event_trainer(event), "validation_loss",
                                           DLVIZ_BETTER_LOWER, 2));
    return true;
}

START_TEST(a_figure_that_will_not_be_there_ends_it) {
    process p;
    begin_process(&p, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_set_validation(p.trainer, NULL));
    ck_ok(dlviz_trainer_set_batch_callback(p.trainer, look_at_validation, NULL));
    ck_fails(dlviz_trainer_fit(p.trainer, p.train, 5), DLVIZ_ERROR_STATE, "validation_loss");
    ck_assert_int_eq(dlviz_trainer_num_epochs(p.trainer), 0);
    ck_ok(dlviz_trainer_set_batch_callback(p.trainer, NULL, NULL));
    ck_ok(dlviz_trainer_set_early_stopping(p.trainer, NULL, DLVIZ_BETTER_LOWER, 0));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_assert_int_eq(dlviz_trainer_num_epochs(p.trainer), 1);
    end_process(&p);
}
END_TEST

static bool keep_batch(const dlviz_trainer_event *event, void *user) {
    *(int64_t *)user = dlviz_trainer_event_batch(event);
    return true;
}

START_TEST(an_epoch_that_lacks_only_its_end_knows_its_last_batch) {
    process p;
    int64_t batch = -1;
    begin_process(&p, PROCESS_NET, ADAM, false);
    p.stop_after = 6;
    ck_ok(dlviz_trainer_set_epoch_callback(p.trainer, keep_batch, &batch));
    ck_stops(p.trainer, p.train, 1);
    ck_assert_int_eq(batch, -1);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_assert_int_eq(batch, 5);
    end_process(&p);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_fit_that_ran_out_of_memory_goes_on,
                                  a_step_with_everything_allocates_nothing,
                                  what_is_frozen_amid_a_step_has_no_part_in_it,
                                  what_only_a_part_of_a_step_had_ends_with_it,
                                  what_is_thawed_counts_its_own_steps_after_a_resume_too,
                                  an_epoch_goes_on_with_the_set_that_a_callback_made,
                                  the_best_states_do_not_take_the_place_of_the_average,
                                  a_figure_that_will_not_be_there_ends_it,
                                  an_epoch_that_lacks_only_its_end_knows_its_last_batch,
                                  NULL};
    return run_tests("steps that fail, and callbacks that change things", tests);
}
