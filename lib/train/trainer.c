/* Epochs of shuffled batches, validation, history. */
#include "train/trainer.h"
#include "base/base.h"
#include "data/dataset.h"
#include "network/network.h"
#include "train/optimizer.h"
#include "train/schedule.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define DEFAULT_BATCH_SIZE 64
#define MOST_EPOCHS (1 << 30)
#define FIT "dlviz_trainer_fit"

/* For setters, which callbacks may call, but no function that a step calls. */
#define CHANGE(trainer)                                                                            \
    DLZ_HOLD_NESTED(&(trainer)->busy, "trainer");                                                  \
    DLZ_TRY(dlz_network_check_idle((trainer)->network, __func__))

static dlviz_status prepare_figures(dlviz_trainer *trainer) {
    const dlviz_network *network = trainer->network;
    trainer->num_sums = dlz_loss_num_sums(network->loss, dlz_network_output(network));
    trainer->tally.sums = dlz_alloc_array_zero((uint64_t)trainer->num_sums, sizeof(double));
    trainer->validation_sums = dlz_alloc_array((uint64_t)trainer->num_sums, sizeof(double));
    if (!trainer->tally.sums || !trainer->validation_sums)
        return dlz_fail_memory("the sums of metrics", (uint64_t)trainer->num_sums * sizeof(double));
    return dlz_trainer_name_figures(trainer);
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
    atomic_fetch_sub(&trainer->network->trainers, 1);
    dlviz_network_destroy(trainer->network);
    dlviz_optimizer_destroy(trainer->optimizer);
    drop_schedule(trainer);
    dlviz_dataset_destroy(trainer->validation);
    dlz_free(trainer->tally.sums);
    dlz_free(trainer->validation_sums);
    dlz_free(trainer);
}

dlviz_status dlviz_trainer_set_batch_size(dlviz_trainer *trainer, int64_t batch_size) {
    DLZ_REQUIRE(trainer);
    CHANGE(trainer);
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
    CHANGE(trainer);
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

dlviz_status dlviz_trainer_set_seed(dlviz_trainer *trainer, uint64_t seed) {
    DLZ_REQUIRE(trainer);
    CHANGE(trainer);
    if (trainer->batches_done > 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: an epoch is under way", __func__);
    trainer->seed = seed;
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_validation(dlviz_trainer *trainer, const dlviz_dataset *validation) {
    DLZ_REQUIRE(trainer);
    CHANGE(trainer);
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
    if (!trainer)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'trainer' is NULL", who);
    DLZ_TRY(dlz_part_check_handed(who, &dlz_schedule_noun, (const dlz_part *)schedule));
    dlz_hold hold __attribute__((cleanup(dlz_busy_give_back))) = {NULL};
    DLZ_TRY(dlz_busy_take(who, &trainer->busy, "trainer", DLZ_NESTED, &hold));
    DLZ_TRY(dlz_network_check_idle(trainer->network, who));
    drop_schedule(trainer);
    trainer->schedule = schedule;
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
    CHANGE(trainer);
    drop_schedule(trainer);
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_epoch_callback(dlviz_trainer *trainer, dlviz_trainer_fn function,
                                              void *user) {
    DLZ_REQUIRE(trainer);
    CHANGE(trainer);
    trainer->on_epoch = function;
    trainer->on_epoch_user = user;
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_batch_callback(dlviz_trainer *trainer, dlviz_trainer_fn function,
                                              void *user) {
    DLZ_REQUIRE(trainer);
    CHANGE(trainer);
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

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static void start_epoch(dlviz_trainer *trainer, int64_t samples) {
    trainer->samples = samples;
    trainer->num_batches = dlz_trainer_count_batches(trainer, samples);
    trainer->batches_done = trainer->samples_done = 0;
    trainer->seconds = trainer->tally.loss = trainer->tally.norm = 0;
    memset(trainer->tally.sums, 0, (size_t)trainer->num_sums * sizeof(double));
}

/* The loss of a batch is not finite: fails, naming the sample that brought it or, if none did, the
 * learning rate. */
static dlviz_status fail_loss(const dlviz_trainer *trainer, const dlviz_dataset *train,
                              const int64_t *indices, int64_t n, double loss) {
    DLZ_TRY(dlz_dataset_check_finite(train, FIT, indices, n));
    return dlz_fail(DLVIZ_ERROR_NUMERIC,
                    "the loss is %s in batch %lld of epoch %d (learning rate %g)",
                    isnan(loss) ? "NaN" : "infinite", (long long)trainer->batches_done + 1,
                    trainer->num_epochs + 1, dlviz_optimizer_learning_rate(trainer->optimizer));
}

static dlviz_status train_batch(dlviz_trainer *trainer, const dlviz_dataset *train,
                                const int64_t *order) {
    double started = now(), loss;
    /* Again, for a callback may have changed the dataset. */
    DLZ_TRY(dlz_network_check_samples(trainer->network, FIT, train));
    DLZ_TRY(dlz_network_check_target_shape(trainer->network, FIT, train));
    int64_t first = trainer->batches_done * trainer->batch_size;
    int64_t n = dlz_min_i64(trainer->batch_size, trainer->samples - first);
    dlz_tally before = trainer->tally;
    DLZ_TRY(dlz_network_train_batch(trainer->network, FIT, train, order + first, n, trainer->seed,
                                    trainer->num_epochs, (uint64_t)trainer->step, &trainer->tally,
                                    &loss));
    if (!isfinite(loss)) {
        trainer->tally = before;
        return fail_loss(trainer, train, order + first, n, loss);
    }
    DLZ_TRY(dlviz_optimizer_step(trainer->optimizer, trainer->network));
    trainer->step++;
    trainer->batches_done++;
    trainer->samples_done += n;
    trainer->seconds += now() - started;
    /* Running statistics are few, and the loss does not show them. */
    dlviz_status status = dlz_network_check_states(trainer->network, false);
    return status == DLVIZ_OK
               ? DLVIZ_OK
               : dlz_fail_within(status, "after batch %lld of epoch %d",
                                 (long long)trainer->batches_done, trainer->num_epochs + 1);
}

/* A loss can stay finite while a parameter or a moment does not. */
static dlviz_status check_states(const dlviz_trainer *trainer) {
    dlviz_status status = dlz_network_check_states(trainer->network, true);
    if (status == DLVIZ_OK)
        status = dlz_optimizer_check_moments(trainer->optimizer);
    return status == DLVIZ_OK ? DLVIZ_OK
                              : dlz_fail_within(status, "after epoch %d (learning rate %g)",
                                                trainer->num_epochs + 1,
                                                dlviz_optimizer_learning_rate(trainer->optimizer));
}

static dlviz_status call_back(dlviz_trainer *trainer, const char *where, dlviz_trainer_fn function,
                              void *user) {
    bool go_on = !function || function(trainer, user);
    if (trainer->destroyed)
        return dlz_fail(DLVIZ_CANCELLED, FIT ": the %s callback destroyed the trainer", where);
    if (!go_on)
        return dlz_fail(DLVIZ_CANCELLED, FIT ": the %s callback asked to stop", where);
    return DLVIZ_OK;
}

/* Validation, schedule, history: everything that an epoch ends with. */
static dlviz_status finish_epoch(dlviz_trainer *trainer) {
    double loss, rate = dlviz_optimizer_learning_rate(trainer->optimizer);
    DLZ_TRY(dlz_trainer_record(trainer, &loss));
    if (trainer->schedule)
        DLZ_TRY(dlviz_optimizer_set_learning_rate(
            trainer->optimizer,
            trainer->schedule->type->after_epoch(trainer->schedule, loss, rate)));
    trainer->num_epochs++;
    start_epoch(trainer, trainer->samples);
    return DLVIZ_OK;
}

/* The smallest batch of an epoch is its last: better to know before the first than then. */
static dlviz_status check_batches(const dlviz_trainer *trainer, int64_t samples) {
    int64_t size = trainer->batch_size, rest = trainer->drop_last ? 0 : samples % size;
    long long all = (long long)samples, batch = (long long)size;
    if (dlz_trainer_count_batches(trainer, samples) == 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        FIT
                        ": %lld samples in batches of %lld: there is no whole batch, and others "
                        "are left out (dlviz_trainer_set_drop_last)",
                        all, batch);
    const dlz_graph *graph = &trainer->network->graph;
    dlviz_status status = dlz_graph_check_batch(graph, graph->num_nodes - 1, rest ? rest : size);
    if (status != DLVIZ_OK && rest && samples > size)
        return dlz_fail_within(status,
                               FIT
                               ": %lld samples in batches of %lld leave %lld for the last, which "
                               "dlviz_trainer_set_drop_last leaves out",
                               all, batch, (long long)rest);
    return status == DLVIZ_OK
               ? DLVIZ_OK
               : dlz_fail_within(status, FIT ": %lld samples in batches of %lld", all, batch);
}

static dlviz_status fit_epoch(dlviz_trainer *trainer, const dlviz_dataset *train, int64_t *order) {
    if (trainer->batches_done == 0) {
        /* Again, for a callback may have changed the size of batches. */
        DLZ_TRY(check_batches(trainer, dlviz_dataset_num_samples(train)));
        start_epoch(trainer, dlviz_dataset_num_samples(train));
        trainer->train_mark = dlz_dataset_mark(train);
    }
    dlz_epoch_order(trainer->seed, trainer->num_epochs, trainer->samples, order);
    while (trainer->batches_done < trainer->num_batches) {
        DLZ_TRY(train_batch(trainer, train, order));
        DLZ_TRY(call_back(trainer, "batch", trainer->on_batch, trainer->on_batch_user));
    }
    DLZ_TRY(check_states(trainer));
    DLZ_TRY(finish_epoch(trainer));
    return call_back(trainer, "epoch", trainer->on_epoch, trainer->on_epoch_user);
}

static dlviz_status check_fit(const dlviz_trainer *trainer, const dlviz_dataset *train,
                              int64_t epochs) {
    DLZ_TRY(dlz_network_check_samples(trainer->network, FIT, train));
    DLZ_TRY(dlz_network_check_targets(trainer->network, FIT, train));
    if (epochs < 0 || epochs > MOST_EPOCHS - trainer->num_epochs)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        FIT ": %lld epochs after %d; 0 or more, and %d in all, are accepted",
                        (long long)epochs, trainer->num_epochs, MOST_EPOCHS);
    dlviz_status status = dlz_optimizer_check_network(trainer->optimizer, trainer->network);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, FIT);
    int64_t samples = dlviz_dataset_num_samples(train);
    if (trainer->batches_done > 0 && samples != trainer->samples)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        FIT ": an epoch over %lld samples is under way; this set has %lld",
                        (long long)trainer->samples, (long long)samples);
    if (trainer->batches_done > 0 && dlz_dataset_mark(train) != trainer->train_mark)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        FIT ": an epoch is under way that began with other samples, targets or "
                            "settings of the dataset; it can only be finished with the same");
    return epochs > 0 ? check_batches(trainer, samples) : DLVIZ_OK;
}

static dlviz_status fit(dlviz_trainer *trainer, const dlviz_dataset *train, int64_t epochs) {
    int64_t samples = dlviz_dataset_num_samples(train);
    int64_t *order = dlz_alloc_array((uint64_t)samples, sizeof *order);
    if (!order)
        return dlz_fail_memory("the order of an epoch", (uint64_t)samples * sizeof *order);
    dlviz_status status = DLVIZ_OK;
    trainer->fitting = true;
    dlviz_dataset *held = dlz_dataset_hold(train);
    for (int64_t epoch = 0; status == DLVIZ_OK && epoch < epochs; epoch++)
        status = fit_epoch(trainer, held, order);
    dlviz_dataset_destroy(held);
    trainer->fitting = false;
    dlz_free(order);
    return status;
}

/* The marks are given back before a callback's wish to destroy the trainer is done. */
static dlviz_status fit_alone(dlviz_trainer *trainer, const dlviz_dataset *train, int64_t epochs) {
    dlz_hold own __attribute__((cleanup(dlz_busy_give_back))) = {NULL};
    dlz_hold network __attribute__((cleanup(dlz_busy_give_back))) = {NULL};
    DLZ_TRY(dlz_busy_take(FIT, &trainer->busy, "trainer", DLZ_ALONE, &own));
    DLZ_TRY(dlz_busy_take(FIT, &trainer->network->busy, "network", DLZ_NESTED, &network));
    DLZ_TRY(check_fit(trainer, train, epochs));
    return fit(trainer, train, epochs);
}

dlviz_status dlviz_trainer_fit(dlviz_trainer *trainer, const dlviz_dataset *train, int64_t epochs) {
    DLZ_REQUIRE(trainer);
    dlviz_status status = fit_alone(trainer, train, epochs);
    if (!trainer->fitting && trainer->destroyed)
        dlviz_trainer_destroy(trainer);
    return status;
}
