/* A run that is broken off anywhere and goes on elsewhere is the run that was never broken off, to
 * the bit and with any number of threads: with whatever training can have. */
#include "support/process.h"
#include "support/random_cases.h"

#include <stdlib.h>
#include <string.h>

#define NET                                                                                        \
    "c:conv,out=8,k=3,pad=same b:bn r:relu p:pool,k=2 d:dropout,p=0.25 f:flatten "                 \
    "fc1:linear,out=12 b2:bn r2:relu d2:dropout,p=0.5 fc2:linear,out=4"
enum { EPOCHS = 5 };

static dlviz_schedule *plateau(void) {
    return make_plateau((plateau_settings){0.5, 0, 0.3, 1, 0});
}
static dlviz_schedule *one_cycle(void) {
    return dlviz_one_cycle(0.02, EPOCHS);
}
static dlviz_schedule *warm_cosine(void) {
    return dlviz_warmup(1.5, 0.1, dlviz_cosine(3));
}
static dlviz_schedule *warm_plateau(void) {
    dlviz_schedule *warm = dlviz_warmup(7, 0.1, plateau());
    ck_ok(dlviz_schedule_set_pace(warm, DLVIZ_PACE_STEP));
    return warm;
}
static dlviz_schedule *(*const schedules[])(void) = {plateau, one_cycle, warm_cosine, warm_plateau};
enum { NUM_SCHEDULES = sizeof schedules / sizeof *schedules };

/* What a run is like; drawn before it, so that all of its processes have the same. */
typedef struct setup {
    rule kind;
    bool drop_last, clip_norm, clip_value, frozen, grouped, augmented, mixed;
    int64_t schedule, accumulation, patience; /* patience 0: no early stopping */
    double averaging;
} setup;

static setup draw_setup(dlz_random *random) {
    return (setup){.kind = (rule)random_between(random, ADAM, CENTERED),
                   .schedule = random_between(random, 0, NUM_SCHEDULES),
                   .drop_last = random_chance(random, 0.3),
                   .clip_norm = random_chance(random, 0.5),
                   .clip_value = random_chance(random, 0.3),
                   .frozen = random_chance(random, 0.3),
                   .augmented = random_chance(random, 0.5),
                   .mixed = random_chance(random, 0.3),
                   .grouped = random_chance(random, 0.4),
                   .accumulation = random_between(random, 1, 4),
                   .patience = random_between(random, 0, 2),
                   .averaging = random_chance(random, 0.5) ? 0.9 : 0};
}

static void augment(dlviz_dataset *dataset, dlviz_augmentation *augmentation) {
    ck_ok(dlviz_dataset_add_augmentation(dataset, augmentation));
}

static void begin(process *p, const setup *s) {
    begin_process(p, NET, s->kind, false);
    if (s->schedule > 0)
        ck_ok(dlviz_trainer_set_schedule(p->trainer, schedules[s->schedule - 1]()));
    if (s->grouped) {
        ck_ok(dlviz_optimizer_set_rate_factor(p->optimizer, "fc?.*", 0.5));
        ck_ok(dlviz_optimizer_set_decay_weights_only(p->optimizer, true));
        ck_ok(dlviz_optimizer_set_weight_decay(p->optimizer, 0.1));
    }
    ck_ok(dlviz_trainer_set_drop_last(p->trainer, s->drop_last));
    ck_ok(dlviz_trainer_set_accumulation(p->trainer, s->accumulation));
    ck_ok(dlviz_trainer_set_averaging(p->trainer, s->averaging));
    if (s->augmented) {
        augment(p->train, dlviz_random_shift(1, 2));
        augment(p->train, dlviz_random_horizontal_flip(0.5));
        augment(p->train, dlviz_random_affine(10));
        augment(p->train, dlviz_random_noise(0.1));
    }
    if (s->mixed)
        augment(p->train, dlviz_mixup(0.4));
    if (s->clip_norm)
        ck_ok(dlviz_trainer_set_clip_norm(p->trainer, 0.5));
    if (s->clip_value)
        ck_ok(dlviz_trainer_set_clip_value(p->trainer, 0.02));
    if (s->frozen)
        ck_ok(dlviz_network_freeze(p->network, "b.*"));
    if (s->patience > 0)
        ck_ok(dlviz_trainer_set_early_stopping(p->trainer, "validation_loss", DLVIZ_BETTER_LOWER,
                                               s->patience));
}

/* The averages and the best states, too. */
static void assert_same_end(const process *a, const process *b) {
    assert_same_run(a, b);
    ck_assert_int_eq(dlviz_trainer_stop_reason(a->trainer), dlviz_trainer_stop_reason(b->trainer));
    ck_assert_int_eq(dlviz_trainer_best_epoch(a->trainer), dlviz_trainer_best_epoch(b->trainer));
    if (dlviz_trainer_averaging(a->trainer) > 0) {
        ck_ok(dlviz_trainer_exchange_average(a->trainer));
        ck_ok(dlviz_trainer_exchange_average(b->trainer));
        assert_same_states(a->network, b->network);
        ck_ok(dlviz_trainer_exchange_average(a->trainer));
        ck_ok(dlviz_trainer_exchange_average(b->trainer));
    }
    if (dlviz_trainer_best_epoch(a->trainer) >= 0) {
        ck_ok(dlviz_trainer_restore_best(a->trainer));
        ck_ok(dlviz_trainer_restore_best(b->trainer));
        assert_same_states(a->network, b->network);
    }
}

static bool perhaps_stop(const dlviz_trainer_event *event, void *user) {
    (void)event;
    return random_chance(user, 0.7);
}

static void a_run_in_pieces_is_the_run(uint64_t seed) {
    dlz_random random = random_numbers(seed);
    setup s = draw_setup(&random);
    process whole, piece;
    begin(&whole, &s);
    ck_ok(dlviz_set_num_threads(random_between(&random, 1, 3)));
    ck_ok(dlviz_trainer_fit(whole.trainer, whole.train, EPOCHS));
    const char *path = scratch_path("run");
    int64_t left = EPOCHS;
    for (bool first = true;; first = false) {
        ck_ok(dlviz_set_num_threads(random_between(&random, 1, 3)));
        begin(&piece, &s);
        if (!first)
            ck_ok(dlviz_trainer_load_checkpoint(piece.trainer, path));
        left = EPOCHS - dlviz_trainer_num_epochs(piece.trainer);
        ck_ok(dlviz_trainer_set_epoch_callback(piece.trainer, perhaps_stop, &random));
        piece.stop_after = (int)random_between(&random, 1, 11);
        ck_ok(dlviz_trainer_fit(piece.trainer, piece.train, left));
        if (dlviz_trainer_stop_reason(piece.trainer) != DLVIZ_STOP_REASON_CALLBACK)
            break;
        ck_ok(dlviz_trainer_save_checkpoint(piece.trainer, path));
        end_process(&piece);
    }
    assert_same_end(&whole, &piece);
    end_process(&whole);
    end_process(&piece);
    ck_ok(dlviz_set_num_threads(0));
}

int main(void) {
    static const random_test tests[] = {
        {"a_run_in_pieces_is_the_run", a_run_in_pieces_is_the_run, 40}, {0}};
    return run_random_tests("random resume", tests);
}
