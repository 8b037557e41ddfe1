/* Schedules in a trainer: the rate of every step, resuming in the middle of an epoch, and what their
 * own functions may do. */
#include "support/process.h"
#include "support/random_cases.h"
#include "train/schedule.h"

#include <math.h>
#include <string.h>

enum { EPOCHS = 4, BATCHES = 6, STEPS = EPOCHS * BATCHES };

/* A run that notes the rate of each step, and may be stopped. */
typedef struct recorded {
    process p;
    double rates[STEPS];
    int count, stop_after;
} recorded;

static bool note_rate(const dlviz_trainer_event *event, void *user) {
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    recorded *r = user;
    ck_assert_int_lt(r->count, STEPS);
    r->rates[r->count++] = dlviz_optimizer_learning_rate(r->p.optimizer);
    ck_assert(dlviz_trainer_current(trainer, "learning_rate") == r->rates[r->count - 1]);
    return r->count != r->stop_after;
}

static void begin(recorded *r, dlviz_schedule *schedule) {
    *r = (recorded){.count = 0};
    begin_process(&r->p, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_set_batch_callback(r->p.trainer, note_rate, r));
    ck_ok(dlviz_trainer_set_schedule(r->p.trainer, schedule));
}

static dlviz_schedule *at_pace(dlviz_schedule *schedule, dlviz_pace pace) {
    ck_ok(dlviz_schedule_set_pace(schedule, pace));
    return schedule;
}

/* Falls with time and with the loss of the epoch before. */
static double by_loss(const dlviz_schedule_event *event, void *user) {
    double loss = dlviz_schedule_event_loss(event);
    (void)user;
    return dlviz_schedule_event_base_rate(event) * (isnan(loss) ? 2 : fmin(1, loss)) /
           (1 + dlviz_schedule_event_epochs(event));
}

enum { NUM_SCHEDULES = 8 };

static dlviz_schedule *make(int which) {
    switch (which) {
    case 0:
        return dlviz_one_cycle(0.05, EPOCHS);
    case 1:
        return dlviz_warmup(0.5, 0.01, dlviz_plateau(0.5, 0));
    case 2:
        return at_pace(dlviz_cosine(3), DLVIZ_PACE_SMOOTH);
    case 3:
        return at_pace(
            dlviz_warmup(7, 0.1, at_pace(dlviz_cosine_restarts(4, 1.5), DLVIZ_PACE_STEP)),
            DLVIZ_PACE_STEP);
    case 4:
        return at_pace(dlviz_multistep(3, (const double[]){0.5, 1, 2.25}, 0.5), DLVIZ_PACE_SMOOTH);
    case 5:
        return at_pace(dlviz_schedule_custom(by_loss, NULL), DLVIZ_PACE_SMOOTH);
    case 6:
        return dlviz_warmup(1, 0, at_pace(dlviz_schedule_custom(by_loss, NULL), DLVIZ_PACE_STEP));
    default:
        return dlviz_step_decay(1, 0.5);
    }
}

/* Figures as the trainer has them, rates as a loop of one's own has them. */
START_TEST(each_step_has_its_rate) {
    for (int which = 0; which < NUM_SCHEDULES; which++) {
        recorded r;
        begin(&r, make(which));
        ck_ok(dlviz_trainer_fit(r.p.trainer, r.p.train, EPOCHS));
        ck_assert_int_eq(r.count, STEPS);
        dlviz_schedule *schedule = make(which);
        double rate = 1e-2;
        ck_ok(dlviz_schedule_start(schedule, rate, BATCHES, &rate));
        for (int step = 0; step < STEPS; step++) {
            ck_assert_msg(r.rates[step] == rate, "schedule %d, step %d: %.17g, not %.17g", which,
                          step, r.rates[step], rate);
            ck_ok(dlviz_schedule_step(schedule, rate, &rate));
            int epoch = step / BATCHES;
            double loss = dlviz_trainer_history(r.p.trainer, epoch, "validation_loss");
            if (step % BATCHES == BATCHES - 1)
                ck_ok(dlviz_schedule_next(schedule, loss, rate, &rate));
            ck_assert(dlviz_trainer_history(r.p.trainer, epoch, "learning_rate") ==
                      r.rates[epoch * BATCHES + BATCHES - 1]);
        }
        ck_assert(dlviz_optimizer_learning_rate(r.p.optimizer) == rate);
        dlviz_schedule_destroy(schedule);
        end_process(&r.p);
    }
}
END_TEST

/* After each step of a run, it goes on in another process and comes to the same bits. */
START_TEST(runs_go_on_from_everywhere) {
    const char *path = scratch_path("anywhere.safetensors");
    for (int which = 0; which < NUM_SCHEDULES; which++) {
        recorded straight;
        begin(&straight, make(which));
        ck_ok(dlviz_trainer_fit(straight.p.trainer, straight.p.train, EPOCHS));
        for (int stop = 1; stop < STEPS; stop++) {
            recorded first, second;
            begin(&first, make(which));
            first.stop_after = stop;
            ck_stops(first.p.trainer, first.p.train, EPOCHS);
            ck_ok(dlviz_trainer_save_checkpoint(first.p.trainer, path));
            begin(&second, make(which));
            ck_ok(dlviz_optimizer_set_learning_rate(second.p.optimizer, 77));
            ck_ok(dlviz_set_num_threads(1 + stop % 3));
            ck_ok(dlviz_trainer_load_checkpoint(second.p.trainer, path));
            ck_ok(dlviz_trainer_fit(second.p.trainer, second.p.train,
                                    EPOCHS - dlviz_trainer_num_epochs(second.p.trainer)));
            assert_same_run(&straight.p, &second.p);
            ck_assert_int_eq(second.count, STEPS - stop);
            ck_assert_mem_eq(second.rates, straight.rates + stop,
                             (size_t)second.count * sizeof(double));
            end_process(&first.p);
            end_process(&second.p);
        }
        end_process(&straight.p);
    }
}
END_TEST

/* A run is what it was, or the first setting that differs is named. */
START_TEST(settings_that_differ_are_named) {
    const double milestones[] = {1, 2.5, 7};
    const struct {
        dlviz_schedule *here, *other;
        const char *words;
    } cases[] = {
        {dlviz_cosine(3), at_pace(dlviz_cosine(3), DLVIZ_PACE_STEP),
         "schedule: pace is epoch in the file and step here"},
        {dlviz_cosine(3), dlviz_cosine(3.5), "schedule: length is 3 in the file and 3.5 here"},
        {dlviz_cosine(3), dlviz_polynomial(3, 1),
         "schedule: type is cosine in the file and polynomial here"},
        {dlviz_multistep(3, milestones, 0.5), dlviz_multistep(2, milestones, 0.5),
         "schedule: milestones is [1.0,2.5,7.0] in the file and [1.0,2.5] here"},
        {dlviz_one_cycle(1, 2), dlviz_one_cycle(1.5, 2),
         "schedule: peak_rate is 1 in the file and 1.5 here"},
        {dlviz_warmup(1, 0.5, dlviz_cosine(3)), dlviz_warmup(1, 0.25, dlviz_cosine(3)),
         "schedule: start_factor is 0.5 in the file and 0.25 here"},
        {dlviz_warmup(1, 0.5, dlviz_cosine(3)), dlviz_warmup(1, 0.5, dlviz_cosine(4)),
         "schedule: then.length is 3 in the file and 4 here"},
        {dlviz_warmup(1, 0.5, dlviz_cosine(3)), dlviz_warmup(1, 0.5, dlviz_plateau(0.5, 1)),
         "schedule: then.type is cosine in the file and plateau here"},
        {dlviz_schedule_custom(by_loss, NULL), dlviz_constant_rate(),
         "schedule: type is custom in the file and constant_rate here"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        recorded r;
        process reader;
        const char *path = scratch_path("named.safetensors");
        begin(&r, cases[i].here);
        ck_ok(dlviz_trainer_fit(r.p.trainer, r.p.train, 1));
        ck_ok(dlviz_trainer_save_checkpoint(r.p.trainer, path));
        end_process(&r.p);
        begin_process(&reader, PROCESS_NET, ADAM, false);
        ck_ok(dlviz_trainer_set_schedule(reader.trainer, cases[i].other));
        refuses(&reader, path, cases[i].words);
    }
    /* A function of the user's own may look at the loss, whatever follows what. */
    recorded r;
    process reader;
    const char *path = scratch_path("named.safetensors");
    begin(&r, make(6));
    ck_ok(dlviz_trainer_save_checkpoint(r.p.trainer, path));
    end_process(&r.p);
    begin_process(&reader, PROCESS_NET, ADAM, false);
    ck_ok(dlviz_trainer_set_schedule(reader.trainer, make(6)));
    ck_ok(dlviz_trainer_set_validation(reader.trainer, NULL));
    refuses(&reader, path, "then.metric is validation loss in the file and training loss here");
}
END_TEST

/* -- When a schedule begins -------------------------------------------------------------------- */

static int change_at;

static bool change_schedule(const dlviz_trainer_event *event, void *user) {
    dlviz_trainer *trainer = dlviz_trainer_event_trainer(event);
    recorded *r = user;
    bool go_on = note_rate(event, r);
    if (r->count == change_at)
        ck_ok(dlviz_trainer_set_schedule(trainer,
                                         at_pace(dlviz_polynomial(1, 1), DLVIZ_PACE_SMOOTH)));
    return go_on;
}

/* Also after the last step of an epoch, which is then none of its own. */
START_TEST(a_schedule_may_be_set_at_any_time) {
    for (change_at = 1; change_at < 13; change_at++) {
        recorded r;
        begin(&r, dlviz_step_decay(1, 0.5));
        ck_ok(dlviz_trainer_set_batch_callback(r.p.trainer, change_schedule, &r));
        ck_ok(dlviz_trainer_fit(r.p.trainer, r.p.train, 3));
        double base = change_at <= 6 ? 1e-2 : change_at <= 12 ? 5e-3 : 2.5e-3;
        for (int step = 0; step < 18; step++) {
            double rate = step < 6 ? 1e-2 : step < 12 ? 5e-3 : 2.5e-3;
            if (step >= change_at) /* in six steps down to 0, from the middle of an epoch on */
                rate = base * fmax(0, 1 - (step - change_at) / 6.0);
            ck_assert_msg(fabs(r.rates[step] - rate) <= 1e-17, "%d, step %d: %.17g, not %.17g",
                          change_at, step, r.rates[step], rate);
        }
        end_process(&r.p);
    }
}
END_TEST

/* As long as no step was made, the base rate is that of the moment. */
START_TEST(the_base_rate_is_that_of_the_first_step) {
    recorded r;
    begin(&r, dlviz_warmup(1, 0.5, dlviz_constant_rate()));
    dlviz_tensor *samples = input_tensor(&r.p.spec, 45, 21, false),
                 *labels = label_tensor(45, 4, 1);
    dlviz_dataset *broken;
    for (int64_t i = 0; i < dlviz_tensor_num_elements(samples); i++)
        dlviz_tensor_float(samples)[i] = NAN;
    ck_ok(dlviz_dataset_create(&broken, samples, labels));
    for (int i = 0; i < 2; i++)
        ck_assert_int_eq(dlviz_trainer_fit(r.p.trainer, broken, 1), DLVIZ_ERROR_NUMERIC);
    ck_assert_double_eq(dlviz_optimizer_learning_rate(r.p.optimizer), 1e-2);
    ck_ok(dlviz_optimizer_set_learning_rate(r.p.optimizer, 0.25));
    dlviz_dataset_destroy(broken);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(labels);
    end_process(&r.p);
    begin(&r, dlviz_warmup(1, 0.5, dlviz_constant_rate()));
    ck_ok(dlviz_optimizer_set_learning_rate(r.p.optimizer, 0.25));
    ck_ok(dlviz_trainer_fit(r.p.trainer, r.p.train, 2));
    ck_assert(r.rates[0] == 0.125 && r.rates[3] == 0.1875 && r.rates[6] == 0.25);
    ck_assert(dlviz_optimizer_learning_rate(r.p.optimizer) == 0.25);
    end_process(&r.p);
}
END_TEST

/* In a loop of its own it has a time and a base rate, which a trainer's run does not begin with. */
START_TEST(a_schedule_that_has_begun_is_refused) {
    const char *words = "the schedule has begun already";
    process p;
    begin_process(&p, PROCESS_NET, ADAM, false);
    for (int how = 0; how < 4; how++) {
        double rate;
        dlviz_schedule *s = how < 3 ? at_pace(dlviz_cosine(3), DLVIZ_PACE_SMOOTH) : NULL;
        if (how == 3) { /* by epochs, it begins with the first that is over */
            s = dlviz_plateau(0.5, 1);
            ck_ok(dlviz_schedule_next(s, 1, 0.5, &rate));
        } else {
            ck_ok(dlviz_schedule_start(s, 0.5, 10, &rate));
        }
        if (how == 1)
            ck_ok(dlviz_schedule_step(s, rate, &rate));
        if (how == 2) { /* and what follows another */
            dlviz_schedule *warmup = dlviz_warmup(1, 0.1, s);
            ck_fails(dlviz_trainer_set_schedule(p.trainer, warmup), DLVIZ_ERROR_STATE,
                     "dlviz_warmup: the schedule has begun already");
        } else {
            ck_fails(dlviz_trainer_set_schedule(p.trainer, s), DLVIZ_ERROR_STATE, words);
        }
        ck_assert_ptr_null(dlviz_trainer_schedule(p.trainer));
    }
    /* One whose start failed has not begun. */
    double rate;
    dlviz_schedule *s = dlviz_cosine(3);
    ck_assert_int_ne(dlviz_schedule_start(s, 0.5, 0, &rate), DLVIZ_OK);
    ck_ok(dlviz_trainer_set_schedule(p.trainer, s));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 1));
    end_process(&p);
}
END_TEST

/* -- Functions of the user's own --------------------------------------------------------------- */

typedef struct meddler {
    recorded *r;
    double answer;
    bool destroy;
    int times;
} meddler;

static double meddle(const dlviz_schedule_event *event, void *user) {
    meddler *m = user;
    dlviz_trainer *trainer = m->r->p.trainer;
    const char *words = "from within the schedule's own function";
    if (m->times++ == 0) {
        ck_fails(dlviz_trainer_set_schedule(trainer, dlviz_cosine(1)), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_trainer_clear_schedule(trainer), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_trainer_set_batch_size(trainer, 3), DLVIZ_ERROR_STATE, words);
        ck_fails(dlviz_trainer_set_seed(trainer, 3), DLVIZ_ERROR_STATE, words);
    }
    dlviz_schedule_destroy((dlviz_schedule *)dlviz_trainer_schedule(trainer));
    if (m->destroy)
        dlviz_trainer_destroy(trainer);
    return isnan(m->answer) ? NAN : dlviz_schedule_event_base_rate(event);
}

START_TEST(functions_cannot_harm_the_run) {
    for (int behind = 0; behind < 2; behind++) {
        recorded r;
        meddler m = {.r = &r};
        dlviz_schedule *schedule = at_pace(dlviz_schedule_custom(meddle, &m), DLVIZ_PACE_SMOOTH);
        begin(&r, behind ? dlviz_warmup(0.1, 0.5, schedule) : schedule);
        r.stop_after = 3;
        ck_stops(r.p.trainer, r.p.train, 2);
        ck_assert_int_eq(m.times, 3 - behind);
        /* Without a rate there is no step; with one again, the run goes on where it was. */
        m.answer = NAN;
        int64_t steps = dlviz_optimizer_num_steps(r.p.optimizer);
        ck_fails(dlviz_trainer_fit(r.p.trainer, r.p.train, 2), DLVIZ_ERROR_NUMERIC,
                 "the schedule custom gives the learning rate nan after");
        ck_assert_int_eq(dlviz_optimizer_num_steps(r.p.optimizer), steps);
        ck_assert_double_eq(dlviz_optimizer_learning_rate(r.p.optimizer), 1e-2);
        m.answer = 0;
        r.stop_after = 5;
        ck_stops(r.p.trainer, r.p.train, 2);
        m.destroy = true;
        ck_assert_int_eq(dlviz_trainer_fit(r.p.trainer, r.p.train, 2), DLVIZ_CANCELLED);
        r.p.trainer = NULL;
        end_process(&r.p);
    }
}
END_TEST

/* What a function saves is the run as it is before the step that it is asked about. */
static double save(const dlviz_schedule_event *event, void *user) {
    const meddler *m = user;
    if (dlviz_schedule_event_num_steps(event) == m->times && isnan(m->answer))
        ck_ok(dlviz_trainer_save_checkpoint(m->r->p.trainer, scratch_path("within.safetensors")));
    return by_loss(event, NULL);
}

START_TEST(functions_may_save) {
    for (int steps = 0; steps < 14; steps++) {
        recorded straight, reader;
        meddler m = {.r = &straight, .times = steps, .answer = NAN};
        begin(&straight, at_pace(dlviz_schedule_custom(save, &m), DLVIZ_PACE_SMOOTH));
        ck_ok(dlviz_trainer_fit(straight.p.trainer, straight.p.train, 3));
        m.answer = 0;
        begin(&reader, at_pace(dlviz_schedule_custom(save, &m), DLVIZ_PACE_SMOOTH));
        ck_ok(dlviz_trainer_load_checkpoint(reader.p.trainer, scratch_path("within.safetensors")));
        ck_ok(dlviz_trainer_fit(reader.p.trainer, reader.p.train,
                                3 - dlviz_trainer_num_epochs(reader.p.trainer)));
        assert_same_run(&straight.p, &reader.p);
        ck_assert_int_eq(reader.count, 18 - steps);
        end_process(&straight.p);
        end_process(&reader.p);
    }
}
END_TEST

typedef struct counted {
    int times;
    double first_loss;
} counted;

static double count(const dlviz_schedule_event *event, void *user) {
    counted *c = user;
    if (c->times++ == 0)
        c->first_loss = dlviz_schedule_event_loss(event);
    return dlviz_schedule_event_rate(event);
}

/* Not before each batch: some keep a state. */
START_TEST(functions_are_asked_once_a_step) {
    const int64_t batches[] = {1, 2, 3, 4, 6, 9};
    for (int i = 0; i < 6; i++) {
        recorded r;
        counted c = {.times = 0};
        begin(&r, at_pace(dlviz_schedule_custom(count, &c), DLVIZ_PACE_STEP));
        ck_ok(dlviz_trainer_set_accumulation(r.p.trainer, batches[i]));
        ck_ok(dlviz_trainer_fit(r.p.trainer, r.p.train, 2));
        int64_t steps = 2 * ((BATCHES + batches[i] - 1) / batches[i]);
        ck_assert_int_eq(dlviz_optimizer_num_steps(r.p.optimizer), steps);
        ck_assert_int_eq(c.times, steps + 2); /* and after each epoch */
        end_process(&r.p);
    }
}
END_TEST

START_TEST(functions_know_the_loss_of_earlier_epochs) {
    for (int way = 0; way < 6; way++) {
        recorded r;
        counted c = {.times = 0};
        dlviz_schedule *own = at_pace(dlviz_schedule_custom(count, &c), DLVIZ_PACE_SMOOTH);
        begin(&r, way % 3 == 0 ? dlviz_constant_rate() : dlviz_warmup(way % 3, 0.1, own));
        ck_ok(dlviz_trainer_set_validation(r.p.trainer, way < 3 ? r.p.validation : NULL));
        ck_ok(dlviz_trainer_fit(r.p.trainer, r.p.train, 2));
        if (way % 3 == 0)
            ck_ok(dlviz_trainer_set_schedule(r.p.trainer, own));
        ck_ok(dlviz_trainer_fit(r.p.trainer, r.p.train, 1));
        int64_t before = way % 3 == 1 ? 0 : 1;
        ck_assert_int_gt(c.times, 0);
        ck_assert_double_eq(
            c.first_loss,
            dlviz_trainer_history(r.p.trainer, before, way < 3 ? "validation_loss" : "train_loss"));
        end_process(&r.p);
    }
}
END_TEST

static double make_images_larger(const dlviz_schedule_event *event, void *user) {
    if (dlviz_schedule_event_num_steps(event) == 3)
        ck_ok(dlviz_dataset_set_image_size(user, 64, 64));
    return 1e-2;
}

static double exchange(const dlviz_schedule_event *event, void *user) {
    if (dlviz_schedule_event_num_steps(event) == 3)
        ck_ok(dlviz_trainer_exchange_average(user));
    return 1e-2;
}

/* What a batch needs is looked at after the last function that may change it. */
START_TEST(functions_cannot_change_the_batch_to_come) {
    recorded r;
    begin(&r, dlviz_constant_rate());
    ck_ok(dlviz_trainer_set_schedule(
        r.p.trainer,
        at_pace(dlviz_schedule_custom(make_images_larger, r.p.train), DLVIZ_PACE_STEP)));
    ck_fails(dlviz_trainer_fit(r.p.trainer, r.p.train, 1), DLVIZ_ERROR_SHAPE, "64");
    ck_assert_int_eq(dlviz_optimizer_num_steps(r.p.optimizer), 3);
    end_process(&r.p);

    begin(&r, dlviz_constant_rate());
    dlviz_optimizer *optimizer;
    dlviz_trainer *other;
    ck_ok(dlviz_sgd_create(&optimizer, 0.1));
    ck_ok(dlviz_trainer_create(&other, r.p.network, optimizer));
    ck_ok(dlviz_trainer_set_averaging(other, 0.9));
    ck_ok(dlviz_trainer_fit(other, r.p.train, 1));
    ck_ok(dlviz_trainer_set_schedule(
        r.p.trainer, at_pace(dlviz_schedule_custom(exchange, other), DLVIZ_PACE_STEP)));
    ck_fails(dlviz_trainer_fit(r.p.trainer, r.p.train, 1), DLVIZ_ERROR_STATE, "average");
    ck_assert_int_eq(dlviz_optimizer_num_steps(r.p.optimizer), 3);
    ck_ok(dlviz_trainer_exchange_average(other));
    dlviz_trainer_destroy(other);
    dlviz_optimizer_destroy(optimizer);
    end_process(&r.p);
}
END_TEST

/* -- Memory ------------------------------------------------------------------------------------ */

/* Each number of it can be wrong, also what the schedule that follows remembers. */
START_TEST(impossible_memories_are_refused) {
    dlviz_schedule *s = dlviz_warmup(1, 0.5, dlviz_plateau(0.5, 1));
    int64_t words[64], wrong = 0;
    double nan = NAN;
    int64_t count = dlz_schedule_num_words(s);
    ck_assert_int_le(count, 64);
    dlz_schedule_give_words(s, words);
    ck_ok(dlz_schedule_check_words(s, words));
    for (int64_t i = 0; i < count; i++) {
        int64_t kept = words[i];
        memcpy(&words[i], &nan, sizeof nan);
        wrong += dlz_schedule_check_words(s, words) == DLVIZ_ERROR_FORMAT;
        words[i] = kept;
    }
    ck_assert_int_eq(wrong, count); /* as an integer, NaN's bits are too many */
    for (int64_t i = 0; i < count; i++) {
        int64_t given[64];
        words[i] = i + 1;
        dlz_schedule_take_words(s, words);
        dlz_schedule_give_words(s, given);
        ck_assert_mem_eq(given, words, (size_t)count * sizeof *words);
    }
    dlviz_schedule_destroy(s);
}
END_TEST

/* Whatever a file says, there is a rate or a sentence. */
START_TEST(strange_memories_do_no_harm) {
    static const double reals[] = {0, 1, -1, 1e300, -1e300, INFINITY, -INFINITY, 5e-324, 0.3};
    for (uint64_t seed = 0; seed < 4000; seed++) {
        dlz_random random = random_numbers(seed);
        dlviz_schedule *s = make((int)(seed % NUM_SCHEDULES));
        int64_t words[64];
        for (int64_t i = 0; i < dlz_schedule_num_words(s); i++) {
            double real = reals[random_between(&random, 0, 8)];
            words[i] = random_chance(&random, 0.3) ? INT64_MAX / 4 : random_between(&random, 0, 9);
            if (random_chance(&random, 0.5))
                memcpy(&words[i], &real, sizeof real);
        }
        if (dlz_schedule_check_words(s, words) == DLVIZ_OK) {
            double rate = 0.5;
            dlz_schedule_take_words(s, words);
            for (int step = 0; step < 4; step++) {
                dlviz_status status = dlz_schedule_before_step(s, 0.5, step, 3, &rate);
                ck_assert(status == DLVIZ_ERROR_NUMERIC || (rate >= 0 && rate <= 1e30));
                dlz_schedule_after_step(s);
                status = dlz_schedule_after_epoch(s, 1, 0.5, &rate);
                ck_assert(status == DLVIZ_ERROR_NUMERIC || (rate >= 0 && rate <= 1e30));
            }
        }
        dlviz_schedule_destroy(s);
    }
}
END_TEST

/* Lists of numbers, as files keep those of dlviz_multistep. */
START_TEST(lists_are_kept) {
    typedef struct owner {
        dlz_reals numbers;
    } owner;
    const dlz_setting table[] = {{"numbers", DLZ_SETTING_REALS, offsetof(owner, numbers), false},
                                 {0}};
    double values[] = {1, -INFINITY, 1.0 / 3};
    owner written = {{3, values}}, read = {{0, NULL}};
    json_t *json = dlz_settings_write(table, &written);
    for (int i = 0; i < 2; i++) /* the second time in the place of what was there */
        ck_ok(dlz_settings_read(table, "who", json, &read));
    ck_assert_int_eq(read.numbers.count, 3);
    ck_assert_mem_eq(read.numbers.values, values, sizeof values);
    json_decref(json);
    const char *const malformed[] = {"{}", "{\"numbers\":3}", "{\"numbers\":[1,\"two\"]}"};
    for (int i = 0; i < 3; i++) {
        json = json_loads(malformed[i], 0, NULL);
        ck_fails(dlz_settings_read(table, "who", json, &read), DLVIZ_ERROR_FORMAT,
                 "who: the setting 'numbers' is missing or malformed");
        ck_assert_int_eq(read.numbers.count, 3);
        json_decref(json);
    }
    json = json_loads("{\"numbers\":[]}", 0, NULL);
    ck_ok(dlz_settings_read(table, "who", json, &read));
    ck_assert(read.numbers.count == 0 && !read.numbers.values);
    json_decref(json);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {each_step_has_its_rate,
                                  runs_go_on_from_everywhere,
                                  settings_that_differ_are_named,
                                  a_schedule_may_be_set_at_any_time,
                                  a_schedule_that_has_begun_is_refused,
                                  the_base_rate_is_that_of_the_first_step,
                                  functions_cannot_harm_the_run,
                                  functions_may_save,
                                  functions_are_asked_once_a_step,
                                  functions_know_the_loss_of_earlier_epochs,
                                  functions_cannot_change_the_batch_to_come,
                                  impossible_memories_are_refused,
                                  strange_memories_do_no_harm,
                                  lists_are_kept,
                                  NULL};
    return run_tests("schedules in a trainer", tests);
}
