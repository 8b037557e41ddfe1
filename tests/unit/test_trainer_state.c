/* What a trainer keeps from one call to the next, after failures too, and what it has in common
 * with another trainer of the network. */
#include "network/network.h"
#include "support/process.h"
#include "support/ranks.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STATE DLVIZ_ERROR_STATE
enum { BATCHES = 6 }; /* of 8 of 45 images */

/* -- Fits that fail after a callback has changed the dataset --------------------------------------
 */

typedef enum { NEVER, AT_A_STEP, AT_THE_SCHEDULE_S_END, AT_VALIDATION, NUM_TROUBLES } trouble;

typedef struct changing {
    process p;
    trouble at; /* NEVER: not, or not again */
    int change_after;
    dlviz_tensor *labels; /* of the validation set */
} changing;

static double rate_of(const dlviz_schedule_event *event, void *user) {
    const changing *c = user;
    int64_t steps = dlviz_schedule_event_num_steps(event);
    bool fails =
        (c->at == AT_A_STEP && steps == 3) || (c->at == AT_THE_SCHEDULE_S_END && steps == BATCHES);
    return fails ? NAN : 0.01 / (1 + (double)steps);
}

static bool change(const dlviz_trainer_event *event, void *user) {
    changing *c = user;
    if (dlviz_trainer_event_epoch(event) != 0)
        return true;
    if (dlviz_trainer_event_batch(event) == c->change_after)
        ck_ok(dlviz_dataset_set_normalization(c->p.train, 0.1f, 0.9f));
    if (dlviz_trainer_event_batch(event) == BATCHES - 1 && c->at == AT_VALIDATION)
        ck_ok(dlviz_dataset_set_targets(c->p.validation, NULL));
    return true;
}

static void begin(changing *c, trouble at, int change_after) {
    *c = (changing){.at = at, .change_after = change_after};
    begin_process(&c->p, PROCESS_NET, ADAM, false);
    c->labels = label_tensor(13, 4, 22);
    dlviz_schedule *schedule = dlviz_schedule_custom(rate_of, c);
    ck_ok(dlviz_schedule_set_pace(schedule, DLVIZ_PACE_SMOOTH));
    ck_ok(dlviz_trainer_set_schedule(c->p.trainer, schedule));
    ck_ok(dlviz_dataset_set_normalization(c->p.train, 0.5f, 2));
    ck_ok(dlviz_trainer_set_batch_callback(c->p.trainer, change, c));
    ck_ok(dlviz_trainer_set_early_stopping(c->p.trainer, "validation_loss", DLVIZ_BETTER_LOWER, 9));
}

static void end(changing *c) {
    dlviz_tensor_destroy(c->labels);
    end_process(&c->p);
}

static void mend(changing *c) {
    c->at = NEVER;
    ck_ok(dlviz_dataset_set_targets(c->p.validation, c->labels));
    ck_ok(dlviz_dataset_set_num_classes(c->p.validation, 4));
}

START_TEST(a_failed_fit_goes_on_with_the_set_that_a_callback_made) {
    for (int after = 0; after < BATCHES; after++)
        for (trouble at = AT_A_STEP; at < NUM_TROUBLES; at++) {
            changing straight, c, resumed;
            void *bytes;
            size_t size;
            if (at == AT_A_STEP && after > 2) /* not changed by then */
                continue;
            begin(&straight, NEVER, after);
            ck_ok(dlviz_trainer_fit(straight.p.trainer, straight.p.train, 2));
            begin(&c, at, after);
            ck_assert_int_ne(dlviz_trainer_fit(c.p.trainer, c.p.train, 2), DLVIZ_OK);
            ck_assert_int_eq(dlviz_trainer_num_epochs(c.p.trainer), 0);
            ck_assert_int_eq(dlviz_trainer_batches_done(c.p.trainer), at == AT_A_STEP ? 3 : 6);
            ck_assert_int_eq(dlviz_trainer_best_epoch(c.p.trainer), -1);
            mend(&c);
            ck_ok(dlviz_trainer_save_checkpoint_memory(c.p.trainer, &bytes, &size));
            /* Not with what it was before. */
            ck_ok(dlviz_dataset_set_normalization(c.p.train, 0.5f, 2));
            ck_fails(dlviz_trainer_fit(c.p.trainer, c.p.train, 2), STATE, "settings of the data");
            ck_ok(dlviz_dataset_set_normalization(c.p.train, 0.1f, 0.9f));
            ck_ok(dlviz_trainer_fit(c.p.trainer, c.p.train, 2));
            assert_same_run(&straight.p, &c.p);
            begin(&resumed, NEVER, after);
            ck_ok(dlviz_trainer_load_checkpoint_memory(resumed.p.trainer, bytes, size));
            ck_fails(dlviz_trainer_fit(resumed.p.trainer, resumed.p.train, 2), STATE, "settings");
            ck_ok(dlviz_dataset_set_normalization(resumed.p.train, 0.1f, 0.9f));
            ck_ok(dlviz_trainer_fit(resumed.p.trainer, resumed.p.train, 2));
            assert_same_run(&straight.p, &resumed.p);
            dlviz_free(bytes);
            end(&straight);
            end(&c);
            end(&resumed);
        }
}
END_TEST

static bool take_targets(const dlviz_trainer_event *event, void *user) {
    process *p = user;
    if (dlviz_trainer_event_batch(event) == 2 && p->stop_after == 0) {
        ck_ok(dlviz_dataset_set_targets(p->train, NULL));
        p->stop_after = 1; /* once */
    }
    return true;
}

/* What no batch can be trained with is not what the epoch goes on with. */
START_TEST(a_set_that_a_callback_spoiled_can_be_put_back) {
    process straight, p;
    begin_process(&straight, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_fit(straight.trainer, straight.train, 2));
    begin_process(&p, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_set_batch_callback(p.trainer, take_targets, &p));
    ck_assert_int_ne(dlviz_trainer_fit(p.trainer, p.train, 2), DLVIZ_OK);
    ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "targets"));
    dlviz_tensor *labels = label_tensor(45, 4, 21);
    ck_ok(dlviz_dataset_set_targets(p.train, labels));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 2));
    assert_same_run(&straight, &p);
    dlviz_tensor_destroy(labels);
    end_process(&straight);
    end_process(&p);
}
END_TEST

/* -- The end of an epoch, among ranks -------------------------------------------------------------
 */

#define RANKS_NET "f:flatten fc:linear,out=4"

/* A rank that loses the others goes on alone, and is to have the run of one process. */
typedef struct lost {
    process alone;
    int failed[3];
} lost;

static dlviz_status lose(dlviz_comm *comm, void *user) {
    lost *l = user;
    process p;
    begin_process(&p, RANKS_NET, ADAM, true);
    ck_ok(dlviz_trainer_set_early_stopping(p.trainer, "validation_loss", DLVIZ_BETTER_LOWER, 9));
    ck_ok(dlviz_trainer_set_comm(p.trainer, comm));
    dlviz_status status = dlviz_trainer_fit(p.trainer, p.train, 1);
    if (status != DLVIZ_OK) {
        void *bytes;
        size_t size;
        l->failed[dlviz_comm_rank(comm)]++;
        int64_t epochs = dlviz_trainer_num_epochs(p.trainer);
        ck_assert_int_eq(dlviz_trainer_best_epoch(p.trainer), epochs - 1);
        ck_ok(dlviz_trainer_set_comm(p.trainer, NULL));
        ck_ok(dlviz_trainer_save_checkpoint_memory(p.trainer, &bytes, &size));
        dlviz_free(bytes);
        if (epochs == 0)
            ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    }
    ck_assert_int_eq(dlviz_trainer_best_epoch(p.trainer), 0);
    assert_same_run(&l->alone, &p);
    end_process(&p);
    return status;
}

/* Whichever exchange fails: the epoch is counted everywhere, or nowhere. */
START_TEST(an_epoch_ends_as_a_whole) {
    ck_ok(dlviz_set_num_threads(1));
    lost l = {.failed = {0}};
    ranks_result results[3];
    begin_process(&l.alone, RANKS_NET, ADAM, true);
    ck_ok(dlviz_trainer_set_early_stopping(l.alone.trainer, "validation_loss", DLVIZ_BETTER_LOWER,
                                           9));
    ck_ok(dlviz_trainer_fit(l.alone.trainer, l.alone.train, 1));
    ranks_run(3, lose, &l, results);
    ck_assert_int_eq(l.failed[0] + l.failed[1] + l.failed[2], 0);
    for (int rank = 0; rank < 3; rank++) {
        int64_t calls = results[rank].calls;
        for (int64_t call = calls > 60 ? calls - 60 : 1; call <= calls; call++) {
            ranks_result failed[3];
            ranks_run_with(&(ranks_trouble){.rank = rank, .call = call}, 3, lose, &l, failed);
        }
    }
    for (int rank = 0; rank < 3; rank++)
        ck_assert_int_gt(l.failed[rank], 60);
    end_process(&l.alone);
}
END_TEST

/* -- The last step --------------------------------------------------------------------------------
 */

typedef struct told {
    double rate, norm;
} told;

typedef struct recorded {
    process p;
    told all[4 * BATCHES];
    int count, stop_after;
    void *checkpoint; /* of `save_after` */
    size_t size;
    int save_after;
} recorded;

static bool note(const dlviz_trainer_event *event, void *user) {
    recorded *r = user;
    int at = (int)(dlviz_trainer_event_epoch(event) * BATCHES + dlviz_trainer_event_batch(event));
    r->all[at] =
        (told){dlviz_trainer_event_learning_rate(event), dlviz_trainer_event_gradient_norm(event)};
    r->count++;
    /* A rate of its own for each step to come. */
    ck_ok(dlviz_optimizer_set_learning_rate(r->p.optimizer, 0.01 / (2 + at)));
    if (r->count == r->save_after)
        ck_ok(dlviz_trainer_save_checkpoint_memory(r->p.trainer, &r->checkpoint, &r->size));
    return r->count != r->stop_after;
}

static void begin_recorded(recorded *r, int64_t accumulation) {
    memset(r, 0, sizeof *r);
    begin_process(&r->p, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_set_accumulation(r->p.trainer, accumulation));
    ck_ok(dlviz_trainer_set_clip_norm(r->p.trainer, 0.1));
    ck_ok(dlviz_trainer_set_batch_callback(r->p.trainer, note, r));
}

static void assert_same_told(const recorded *a, const recorded *b, int first) {
    for (int i = first; i < 2 * BATCHES; i++) {
        ck_assert_msg(a->all[i].rate == b->all[i].rate, "batch %d: rate %g and %g", i,
                      a->all[i].rate, b->all[i].rate);
        ck_assert_msg(memcmp(&a->all[i].norm, &b->all[i].norm, sizeof(double)) == 0 ||
                          (isnan(a->all[i].norm) && isnan(b->all[i].norm)),
                      "batch %d: norm %g and %g", i, a->all[i].norm, b->all[i].norm);
    }
    assert_same_run(&a->p, &b->p);
}

/* What is told of the last step is the same in one fit, in two, and in another process, wherever
 * they part; the history too. */
START_TEST(the_last_step_is_known_to_those_who_go_on) {
    for (int64_t accumulation = 1; accumulation <= 4; accumulation += 3)
        for (int after = 1; after < 2 * BATCHES; after++) {
            recorded straight, parted, resumed;
            begin_recorded(&straight, accumulation);
            straight.save_after = after;
            ck_ok(dlviz_trainer_fit(straight.p.trainer, straight.p.train, 2));
            begin_recorded(&parted, accumulation);
            parted.stop_after = after;
            ck_stops(parted.p.trainer, parted.p.train, 2);
            ck_ok(dlviz_trainer_fit(parted.p.trainer, parted.p.train,
                                    2 - dlviz_trainer_num_epochs(parted.p.trainer)));
            assert_same_told(&straight, &parted, 0);
            begin_recorded(&resumed, accumulation);
            ck_ok(dlviz_trainer_load_checkpoint_memory(resumed.p.trainer, straight.checkpoint,
                                                       straight.size));
            ck_ok(dlviz_trainer_fit(resumed.p.trainer, resumed.p.train,
                                    2 - dlviz_trainer_num_epochs(resumed.p.trainer)));
            assert_same_told(&straight, &resumed, after);
            dlviz_free(straight.checkpoint);
            end_process(&straight.p);
            end_process(&parted.p);
            end_process(&resumed.p);
        }
}
END_TEST

/* -- Two trainers of a network --------------------------------------------------------------------
 */

START_TEST(an_exchanged_average_is_known_to_other_trainers) {
    process p;
    dlviz_trainer *other;
    void *bytes, *none;
    size_t size, rest;
    begin_process(&p, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_set_averaging(p.trainer, 0.75));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_ok(dlviz_trainer_create(&other, p.network, p.optimizer));
    ck_ok(dlviz_trainer_set_averaging(other, 0.5));
    ck_ok(dlviz_trainer_set_early_stopping(other, "train_loss", DLVIZ_BETTER_LOWER, 9));
    ck_ok(dlviz_trainer_fit(other, p.train, 1));
    ck_ok(dlviz_trainer_save_checkpoint_memory(other, &bytes, &size));
    void *trained = all_states(p.network, &rest);
    ck_ok(dlviz_trainer_exchange_average(p.trainer));
    ck_assert(dlviz_trainer_average_is_exchanged(p.trainer));
    ck_assert(!dlviz_trainer_average_is_exchanged(other));
    const char *words = "average of another trainer";
    ck_fails(dlviz_trainer_fit(other, p.train, 1), STATE, words);
    ck_fails(dlviz_trainer_save_checkpoint(other, scratch_path("other")), STATE, words);
    ck_fails(dlviz_trainer_save_checkpoint_memory(other, &none, &rest), STATE, words);
    ck_fails(dlviz_trainer_load_checkpoint_memory(other, bytes, size), STATE, words);
    ck_fails(dlviz_trainer_exchange_average(other), STATE, words);
    ck_fails(dlviz_trainer_restore_best(other), STATE, words);
    words = "dlviz_trainer_restore_best: the network holds the average;";
    ck_ok(dlviz_trainer_set_early_stopping(p.trainer, "train_loss", DLVIZ_BETTER_LOWER, 9));
    ck_ok(dlviz_trainer_exchange_average(p.trainer));
    void *back = all_states(p.network, &rest);
    ck_assert_int_eq(memcmp(trained, back, rest), 0);
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_ok(dlviz_trainer_exchange_average(p.trainer));
    ck_fails(dlviz_trainer_restore_best(p.trainer), STATE, words);
    ck_fails(dlviz_trainer_set_averaging(p.trainer, 0.5), STATE, "holds the average");
    /* Where its trainer goes, the average is what there is. */
    dlviz_trainer_destroy(p.trainer);
    p.trainer = NULL;
    ck_ok(dlviz_trainer_fit(other, p.train, 1));
    ck_ok(dlviz_trainer_load_checkpoint_memory(other, bytes, size));
    dlviz_free(bytes);
    free(trained);
    free(back);
    dlviz_trainer_destroy(other);
    end_process(&p);
}
END_TEST

START_TEST(an_optimizer_that_serves_another_network_is_named) {
    process p, q;
    dlviz_trainer *trainer;
    void *bytes, *none;
    size_t size, rest;
    begin_process(&p, PROCESS_NET, ADAM, false);
    begin_process(&q, RANKS_NET, ADAM, false);
    ck_ok(dlviz_trainer_create(&trainer, q.network, p.optimizer));
    ck_ok(dlviz_trainer_save_checkpoint_memory(trainer, &bytes, &size));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    ck_fails(dlviz_trainer_fit(trainer, q.train, 1), STATE,
             "dlviz_trainer_fit: the optimizer serves another network");
    ck_fails(dlviz_trainer_save_checkpoint(trainer, scratch_path("serves")), STATE,
             "dlviz_trainer_save_checkpoint: the optimizer serves another network");
    ck_fails(dlviz_trainer_save_checkpoint_memory(trainer, &none, &rest), STATE,
             "dlviz_trainer_save_checkpoint_memory: the optimizer serves another network");
    ck_fails(dlviz_trainer_load_checkpoint(trainer, scratch_path("serves")), STATE,
             "dlviz_trainer_load_checkpoint: the optimizer serves another network");
    ck_fails(dlviz_trainer_load_checkpoint_memory(trainer, bytes, size), STATE,
             "dlviz_trainer_load_checkpoint_memory: the optimizer serves another network");
    dlviz_free(bytes);
    dlviz_trainer_destroy(trainer);
    end_process(&p);
    end_process(&q);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_failed_fit_goes_on_with_the_set_that_a_callback_made,
                                  a_set_that_a_callback_spoiled_can_be_put_back,
                                  an_epoch_ends_as_a_whole,
                                  the_last_step_is_known_to_those_who_go_on,
                                  an_exchanged_average_is_known_to_other_trainers,
                                  an_optimizer_that_serves_another_network_is_named,
                                  NULL};
    return run_tests("what a trainer keeps", tests);
}
