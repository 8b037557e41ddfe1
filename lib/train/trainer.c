/* A trainer and its settings. */
#include "train/trainer.h"
#include "base/base.h"
#include "data/dataset.h"
#include "network/network.h"
#include "train/optimizer.h"
#include "train/schedule.h"

#include <math.h>

#define DEFAULT_BATCH_SIZE 64

static dlviz_status prepare_figures(dlviz_trainer *trainer) {
    const dlviz_network *network = trainer->network;
    trainer->num_sums = dlz_loss_num_sums(network->loss, dlz_network_output(network));
    trainer->tally.sums = dlz_alloc_array_zero((uint64_t)trainer->num_sums, sizeof(double));
    trainer->validation_sums = dlz_alloc_array((uint64_t)trainer->num_sums, sizeof(double));
    if (!trainer->tally.sums || !trainer->validation_sums)
        return dlz_fail_memory("the sums of metrics", (uint64_t)trainer->num_sums * sizeof(double));
    return dlz_trainer_name_figures(trainer);
}

dlviz_status dlz_trainer_take_others(const dlviz_trainer *trainer, const char *who,
                                     dlz_hold_mode mode, dlz_trainer_holds *holds) {
    DLZ_TRY(dlz_busy_take(who, &trainer->network->busy, "network", mode, &holds->network));
    return dlz_busy_take(who, &trainer->optimizer->busy, "optimizer", mode, &holds->optimizer);
}

void dlz_trainer_give_back(dlz_trainer_holds *holds) {
    dlz_busy_give_back(&holds->network);
    dlz_busy_give_back(&holds->optimizer);
}

dlviz_status dlviz_trainer_create(dlviz_trainer **out, dlviz_network *network,
                                  dlviz_optimizer *optimizer) {
    DLZ_REQUIRE_OUT(out);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_REQUIRE(optimizer);
    dlviz_status status = dlz_optimizer_check_network(optimizer, network);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, "%s", __func__);
    dlviz_trainer *trainer = dlz_alloc_zero(sizeof *trainer);
    if (!trainer)
        return dlz_fail_memory("a trainer", sizeof *trainer);
    trainer->network = dlz_network_hold(network);
    trainer->optimizer = dlz_optimizer_hold(optimizer);
    trainer->batch_size = DEFAULT_BATCH_SIZE;
    trainer->accumulation.batches = 1;
    trainer->event.learning_rate = trainer->event.gradient_norm = NAN; /* of no step yet */
    dlz_stopping_release(&trainer->stopping);                          /* nothing is known yet */
    atomic_fetch_add(&network->trainers, 1);
    status = prepare_figures(trainer);
    if (status == DLVIZ_OK)
        *out = trainer;
    else
        dlviz_trainer_destroy(trainer);
    return status;
}

static void drop_schedule(dlviz_trainer *trainer) {
    if (trainer->schedule)
        trainer->schedule->part.owned = false;
    dlviz_schedule_destroy(trainer->schedule);
    trainer->schedule = NULL;
}

void dlviz_trainer_destroy(dlviz_trainer *trainer) {
    if (!trainer)
        return;
    if (trainer->fitting) {
        trainer->destroyed = true;
        return;
    }
    dlz_trainer_release_figures(trainer);
    dlz_trainer_release_steps(trainer);
    dlz_stopping_release(&trainer->stopping);
    atomic_fetch_sub(&trainer->network->trainers, 1);
    dlviz_network_destroy(trainer->network);
    dlviz_optimizer_destroy(trainer->optimizer);
    drop_schedule(trainer);
    dlviz_dataset_destroy(trainer->validation);
    dlviz_comm_destroy(trainer->comm);
    dlz_free(trainer->tally.sums);
    dlz_free(trainer->validation_sums);
    dlz_free(trainer);
}

dlviz_status dlz_trainer_check_outside(const dlviz_trainer *trainer, const char *who) {
    if (!trainer->network->fitting)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "%s: from within a callback: the network is being trained, by another trainer",
                    who);
}

dlviz_status dlviz_trainer_set_batch_size(dlviz_trainer *trainer, int64_t batch_size) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    if (batch_size < 1 || batch_size > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld images; 1 to 2^31 - 1 are accepted",
                        __func__, (long long)batch_size);
    if (trainer->batches_done > 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: an epoch is under way", __func__);
    trainer->batch_size = batch_size;
    trainer->num_batches = dlz_trainer_count_batches(trainer, trainer->samples);
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_drop_last(dlviz_trainer *trainer, bool drop_last) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    if (trainer->batches_done > 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: an epoch is under way", __func__);
    trainer->drop_last = drop_last;
    trainer->num_batches = dlz_trainer_count_batches(trainer, trainer->samples);
    return DLVIZ_OK;
}

int64_t dlz_trainer_count_batches(const dlviz_trainer *trainer, int64_t samples) {
    return trainer->drop_last ? samples / trainer->batch_size
                              : dlz_ceil_div(samples, trainer->batch_size);
}

int64_t dlz_trainer_train_mark(const dlviz_trainer *trainer) {
    return trainer->fitting && trainer->batches_done > 0 ? dlz_dataset_mark(trainer->train)
                                                         : trainer->train_mark;
}

dlviz_status dlviz_trainer_set_seed(dlviz_trainer *trainer, uint64_t seed) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    if (trainer->batches_done > 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: an epoch is under way", __func__);
    trainer->seed = seed;
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_validation(dlviz_trainer *trainer, const dlviz_dataset *validation) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    if (validation) {
        DLZ_TRY(dlz_network_check_samples(trainer->network, __func__, validation));
        DLZ_TRY(dlz_network_check_targets(trainer->network, __func__, validation));
    }
    dlviz_dataset *held = validation ? dlz_dataset_hold(validation) : NULL;
    dlviz_dataset_destroy(trainer->validation);
    trainer->validation = held;
    return DLVIZ_OK;
}

static dlviz_status set_schedule(dlviz_trainer *trainer, const char *who,
                                 dlviz_schedule *schedule) {
    DLZ_NOT_CANCELLED;
    if (!trainer)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'trainer' is NULL", who);
    DLZ_TRY(dlz_part_check_handed(who, &dlz_schedule_noun, (const dlz_part *)schedule));
    dlz_hold hold __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    DLZ_TRY(dlz_busy_take(who, &trainer->busy, "trainer", DLZ_NESTED, &hold));
    DLZ_TRY(dlz_network_check_idle(trainer->network, who));
    DLZ_TRY(dlz_schedule_check_idle(trainer->schedule, who));
    DLZ_TRY(dlz_schedule_check_new(schedule, who));
    drop_schedule(trainer);
    trainer->schedule = schedule;
    schedule->loss = dlz_schedule_kept_loss(dlz_trainer_last_loss(trainer));
    schedule->part.owned = true;
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_schedule(dlviz_trainer *trainer, dlviz_schedule *schedule) {
    dlviz_status status = set_schedule(trainer, __func__, schedule);
    if (status != DLVIZ_OK)
        dlviz_schedule_destroy(schedule);
    return status;
}

dlviz_status dlviz_trainer_clear_schedule(dlviz_trainer *trainer) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    drop_schedule(trainer);
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_epoch_callback(dlviz_trainer *trainer, dlviz_trainer_fn function,
                                              void *user) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    trainer->on_epoch = function;
    trainer->on_epoch_user = user;
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_batch_callback(dlviz_trainer *trainer, dlviz_trainer_fn function,
                                              void *user) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    trainer->on_batch = function;
    trainer->on_batch_user = user;
    return DLVIZ_OK;
}

int64_t dlviz_trainer_batch_size(const dlviz_trainer *trainer) {
    return trainer ? trainer->batch_size : 0;
}
bool dlviz_trainer_drops_last(const dlviz_trainer *trainer) {
    return trainer && trainer->drop_last;
}
uint64_t dlviz_trainer_seed(const dlviz_trainer *trainer) {
    return trainer ? trainer->seed : 0;
}
const dlviz_dataset *dlviz_trainer_validation(const dlviz_trainer *trainer) {
    return trainer ? trainer->validation : NULL;
}
const dlviz_schedule *dlviz_trainer_schedule(const dlviz_trainer *trainer) {
    return trainer ? trainer->schedule : NULL;
}
int64_t dlviz_trainer_num_epochs(const dlviz_trainer *trainer) {
    return trainer ? trainer->num_epochs : 0;
}
int64_t dlviz_trainer_batches_done(const dlviz_trainer *trainer) {
    return trainer ? trainer->batches_done : 0;
}
int64_t dlviz_trainer_num_batches(const dlviz_trainer *trainer) {
    return trainer ? trainer->num_batches : 0;
}
dlviz_stop_reason dlviz_trainer_stop_reason(const dlviz_trainer *trainer) {
    return trainer ? trainer->stop_reason : DLVIZ_STOP_REASON_NONE;
}

const char *dlviz_stop_reason_name(dlviz_stop_reason reason) {
    static const char *const names[] = {[DLVIZ_STOP_REASON_NONE] = "not ended",
                                        [DLVIZ_STOP_REASON_EPOCHS] = "all epochs done",
                                        [DLVIZ_STOP_REASON_EARLY] = "early stopping",
                                        [DLVIZ_STOP_REASON_CALLBACK] = "callback",
                                        [DLVIZ_STOP_REASON_ERROR] = "error"};
    return (unsigned)reason < sizeof names / sizeof *names ? names[reason] : "unknown";
}
