/* Whatever is saved can be loaded: states of all magnitudes, valid and not. A save fails and leaves
 * the files that were there, or its file brings back every bit. */
#include "network/network.h"
#include "support/process.h"
#include "support/random_cases.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/trainer.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SCHEDULE_WORDS = 3 + 7 }; /* a plateau's own memory, and what all have */

static float strange_float(dlz_random *random, bool valid) {
    static const float finite[] = {0,       -0.0f,    1e-45f, -1e-45f, FLT_MIN,
                                   FLT_MAX, -FLT_MAX, 1,      3e-39f};
    static const float other[] = {INFINITY, -INFINITY, NAN, -NAN};
    return valid ? finite[random_between(random, 0, 8)] : other[random_between(random, 0, 3)];
}

/* Some elements of a block become strange; not below 0 where that is not valid. */
static void disturb(dlz_random *random, float *values, int64_t size, bool square, bool valid) {
    for (int64_t i = random_between(random, 1, 4); i > 0; i--) {
        float value = strange_float(random, valid || !random_chance(random, 0.2));
        if (valid && square)
            value = fabsf(value);
        values[random_between(random, 0, size - 1)] = value;
    }
}

static void disturb_run(dlz_random *random, process *p, bool valid) {
    for (int i = 0; i < p->network->num_states; i++) {
        const dlz_state *state = &p->network->states[i];
        if (state->spec.dtype == DLVIZ_FLOAT32) {
            disturb(random, state->value, state->size, strstr(state->name, "_var") != NULL, valid);
            int64_t place = (float *)state->value - p->network->parameters;
            for (int m = 0; state->spec.trainable && m < DLZ_MAX_MOMENTS; m++)
                if (p->optimizer->moments[m])
                    disturb(random, p->optimizer->moments[m] + place, state->size,
                            p->optimizer->type->moments[m].not_negative, valid);
        } else {
            const int64_t valid_counts[] = {0, 1, INT64_MAX / 4};
            const int64_t counts[] = {-1, INT64_MAX, INT64_MIN};
            *(int64_t *)state->value =
                (valid || random_chance(random, 0.8) ? valid_counts
                                                     : counts)[random_between(random, 0, 2)];
        }
    }
    /* History is what was measured, be it NaN. */
    for (int i = 0; i < p->trainer->num_epochs * p->trainer->num_figures; i++)
        if (random_chance(random, 0.2))
            p->trainer->history[i] = (double)strange_float(random, random_chance(random, 0.5));
    for (int64_t i = 0; i < p->trainer->num_sums; i++)
        if (random_chance(random, 0.2))
            p->trainer->tally.sums[i] = (double)strange_float(random, random_chance(random, 0.5));
    static const double numbers[] = {0, 5e-324, 1e30, 1.0 / 3, DBL_MAX}; /* the last is no rate */
    static const double others[] = {INFINITY, -1, -INFINITY, NAN};
    dlviz_trainer_event *last = &p->trainer->event;
    double *const reals[] = {&p->optimizer->learning_rate, &last->learning_rate,
                             &last->gradient_norm,         &p->trainer->tally.loss,
                             &p->trainer->tally.norm,      &p->trainer->seconds};
    for (int i = 0; i < 6; i++)
        if (random_chance(random, 0.3))
            *reals[i] = valid || random_chance(random, 0.8)
                            ? numbers[random_between(random, 0, i < 2 ? 3 : 4)]
                            : others[random_between(random, 0, 3)];
    for (int i = 1; i < 3; i++)
        if (random_chance(random, 0.1))
            *reals[i] = NAN; /* there was none */
    if (p->trainer->schedule && random_chance(random, 0.3)) {
        int64_t memory[SCHEDULE_WORDS];
        double best = valid || random_chance(random, 0.8) ? INFINITY : NAN;
        ck_assert_int_eq(dlz_schedule_num_words(p->trainer->schedule), SCHEDULE_WORDS);
        dlz_schedule_give_words(p->trainer->schedule, memory);
        memcpy(&memory[0], &best, sizeof best);
        memory[1] = valid || random_chance(random, 0.8) ? random_between(random, 0, 9) : -1;
        dlz_schedule_take_words(p->trainer->schedule, memory);
    }
    int64_t *const wholes[] = {&p->trainer->step, &p->optimizer->steps, &p->trainer->samples_done,
                               &p->trainer->num_batches, &p->trainer->batches_done};
    for (int i = 0; i < 5; i++)
        if (!valid && random_chance(random, 0.1))
            *wholes[i] = random_chance(random, 0.5) ? INT64_MAX : -random_between(random, 0, 3);
}

static void assert_same_block(const float *a, const float *b, int64_t size) {
    ck_assert_int_eq(a == NULL, b == NULL);
    if (a)
        ck_assert_mem_eq(a, b, (size_t)size * sizeof *a);
}

/* Also of what the public functions do not show. */
static void assert_all_the_same(const process *a, const process *b) {
    const dlviz_trainer *s = a->trainer, *t = b->trainer;
    size_t size;
    void *x = all_states(a->network, &size), *y = all_states(b->network, &size);
    ck_assert_mem_eq(x, y, size);
    free(x);
    free(y);
    for (int m = 0; m < DLZ_MAX_MOMENTS; m++)
        assert_same_block(a->optimizer->moments[m], b->optimizer->moments[m],
                          a->network->parameter_floats);
    ck_assert_int_eq(s->num_epochs, t->num_epochs);
    if (s->num_epochs > 0)
        ck_assert_mem_eq(s->history, t->history,
                         (size_t)(s->num_epochs * s->num_figures) * sizeof *s->history);
    ck_assert_mem_eq(s->tally.sums, t->tally.sums, (size_t)s->num_sums * sizeof *s->tally.sums);
    ck_assert(s->samples == t->samples && s->num_batches == t->num_batches &&
              s->batches_done == t->batches_done && s->samples_done == t->samples_done &&
              s->step == t->step && s->train_mark == t->train_mark);
    ck_assert(s->tally.loss == t->tally.loss && s->tally.norm == t->tally.norm &&
              s->seconds == t->seconds);
    ck_assert(a->optimizer->steps == b->optimizer->steps &&
              a->optimizer->learning_rate == b->optimizer->learning_rate);
    const double last[] = {s->event.learning_rate, s->event.gradient_norm},
                 read[] = {t->event.learning_rate, t->event.gradient_norm};
    ck_assert_mem_eq(last, read, sizeof last);
    int64_t memory[2][SCHEDULE_WORDS] = {{0}};
    dlz_schedule_give_words(s->schedule, memory[0]);
    dlz_schedule_give_words(t->schedule, memory[1]);
    ck_assert_mem_eq(memory[0], memory[1], sizeof memory[0]);
}

static void assert_file_is(const char *path, const unsigned char *bytes, size_t size) {
    size_t now_size;
    unsigned char *now = file_bytes(path, &now_size);
    ck_assert_uint_eq(now_size, size);
    ck_assert_mem_eq(now, bytes, size);
    free(now);
}

static void saved_or_left(uint64_t seed) {
    static const char *const nets[] = {"f:flatten fc:linear,out=4",
                                       "c:conv,out=3,k=3 b:bn r:relu p:pool,k=2 d:dropout,p=0.25 "
                                       "f:flatten fc:linear,out=4",
                                       "c:conv,out=17,k=5,bias=0 f:flatten l:linear,out=3 b:bn "
                                       "fc:linear,out=4,bias=0"};
    dlz_random random = random_numbers(seed);
    const char *net = nets[random_between(&random, 0, 2)];
    rule kind = (rule)random_between(&random, 0, NUM_RULES - 1);
    bool scheduled = random_chance(&random, 0.5), valid = random_chance(&random, 0.4);
    char path[512], previous[600];
    snprintf(path, sizeof path, "%s", scratch_path("run"));
    snprintf(previous, sizeof previous, "%s.previous", path);
    process p, q;
    begin_process(&p, net, kind, scheduled);
    for (int i = 0; i < 2; i++) {
        p.stop_after = p.batches + (int)random_between(&random, 1, 9);
        ck_ok(dlviz_trainer_fit(p.trainer, p.train, 2));
        ck_ok(dlviz_trainer_save_checkpoint(p.trainer, path));
    }
    size_t sizes[2];
    unsigned char *bytes[] = {file_bytes(path, &sizes[0]), file_bytes(previous, &sizes[1])};
    disturb_run(&random, &p, valid);
    dlviz_status status = dlviz_trainer_save_checkpoint(p.trainer, path);
    begin_process(&q, net, kind, scheduled);
    if (status == DLVIZ_OK) {
        ck_ok(dlviz_trainer_load_checkpoint(q.trainer, path));
        assert_all_the_same(&p, &q);
        assert_file_is(previous, bytes[0], sizes[0]);
        ck_ok(dlviz_trainer_load_checkpoint(q.trainer, previous));
    } else {
        ck_assert_msg(!valid, "a valid state is not saved: %s", dlviz_last_error());
        assert_file_is(path, bytes[0], sizes[0]);
        assert_file_is(previous, bytes[1], sizes[1]);
    }
    /* The same of the network alone. */
    dlviz_network *network = build_net(&p.spec, 7);
    remove(scratch_path("network")); /* another case's */
    status = dlviz_network_save(p.network, scratch_path("network"));
    if (status == DLVIZ_OK) {
        ck_ok(dlviz_network_load(network, scratch_path("network")));
        assert_same_states(p.network, network);
    } else {
        ck_assert_msg(!valid, "a valid state is not saved: %s", dlviz_last_error());
        ck_assert_int_eq(access(scratch_path("network"), F_OK), -1);
    }
    dlviz_network_destroy(network);
    free(bytes[0]);
    free(bytes[1]);
    end_process(&p);
    end_process(&q);
}

int main(void) {
    const random_test tests[] = {{"saved or left", saved_or_left, 60}, {NULL, NULL, 0}};
    return run_random_tests("random checkpoints", tests);
}
