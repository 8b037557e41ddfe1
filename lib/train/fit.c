/* Epochs of shuffled batches, and what comes after each. */
#include "base/base.h"
#include "comm/enter.h"
#include "data/dataset.h"
#include "network/network.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>
#include <time.h>

#define MOST_EPOCHS (1 << 30)
#define FIT "dlviz_trainer_fit"

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

/* Trains on samples order[0] … order[n − 1]; *loss receives their loss. */
static dlviz_status make_step(dlviz_trainer *trainer, const dlviz_dataset *train,
                              const int64_t *order, int64_t n, double rate, double *loss) {
    /* The batch's own norm, which those before it may exceed by more than a double's digits. */
    dlz_tally own = {.sums = trainer->tally.sums};
    dlviz_dataset view;
    if (train->joined) {
        DLZ_TRY(dlz_trainer_bring(trainer, train, order, n, &view));
        train = &view;
    }
    trainer->network->plans.spreads.wanted =
        trainer->clip_norm == 0 && trainer->clip_value == 0 && trainer->accumulation.batches == 1;
    dlviz_status trained =
        dlz_network_train_batch(trainer->network, FIT, train, order, n, trainer->seed,
                                trainer->num_epochs, (uint64_t)trainer->step, &own, loss);
    trainer->network->plans.spreads.wanted = false; /* by what callbacks compute */
    DLZ_TRY(trained);
    trainer->tally.loss += own.loss;
    trainer->tally.norm += own.norm;
    if (!isfinite(*loss) && train->joined)
        DLZ_TRY(dlz_trainer_bring_all(trainer, trainer->train, order, n, &view));
    if (!isfinite(*loss))
        return fail_loss(trainer, train, order, n, *loss);
    dlviz_status status = dlz_trainer_take_gradients(trainer, own.norm, rate);
    if (status != DLVIZ_OK)
        dlz_network_put_buffers_back(trainer->network);
    return status;
}

/* One that fails is as if it had not been tried: a later fit begins with it. The sums of a
 * validation set have no use before the end of the epoch. */
static dlviz_status try_step(dlviz_trainer *trainer, const dlviz_dataset *train,
                             const int64_t *order, int64_t n, double rate, double *loss) {
    size_t size = (size_t)trainer->num_sums * sizeof(double);
    dlz_tally before = trainer->tally;
    memcpy(trainer->validation_sums, before.sums, size);
    dlviz_status status = make_step(trainer, train, order, n, rate, loss);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    trainer->tally = before;
    memcpy(before.sums, trainer->validation_sums, size);
    return status;
}

/* What the network is to know of its data, which a callback may have changed. */
static dlviz_status read_description(dlviz_trainer *trainer, const dlviz_dataset *train) {
    dlz_data_description_release(&trainer->description);
    trainer->changes = train->changes;
    return dlz_data_description_of(train, &trainer->description);
}

static dlviz_status train_batch(dlviz_trainer *trainer, const dlviz_dataset *train,
                                const int64_t *order) {
    double started = now(), loss, rate;
    DLZ_TRY(dlz_trainer_ask_schedule(trainer, &rate));
    /* Again, for a callback, or the schedule's function, may have exchanged the average, or changed the
     * dataset. */
    DLZ_TRY(dlz_trainer_check_average(trainer, FIT));
    DLZ_TRY(dlz_network_check_samples(trainer->network, FIT, train));
    DLZ_TRY(dlz_network_check_target_shape(trainer->network, FIT, train));
    if (train->changes != trainer->changes)
        DLZ_TRY(read_description(trainer, train));
    int64_t first = trainer->batches_done * trainer->batch_size;
    int64_t n = dlz_min_i64(trainer->batch_size, trainer->samples - first);
    int64_t next = dlz_min_i64(trainer->batch_size, trainer->samples - first - n);
    dlz_dataset_expect(train, order + first + n, next);
    DLZ_TRY(try_step(trainer, train, order + first, n, rate, &loss));
    dlz_network_note_data(trainer->network, train->num_classes, &trainer->description);
    trainer->event.batch = trainer->batches_done;
    trainer->event.loss = loss;
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

/* *go_on: whether it wants more. */
static dlviz_status call_back(dlviz_trainer *trainer, const char *where, dlviz_trainer_fn function,
                              void *user, bool *go_on) {
    *go_on = !function || function(&trainer->event, user);
    if (trainer->destroyed)
        return dlz_fail(DLVIZ_CANCELLED, FIT ": the %s callback destroyed the trainer", where);
    return dlz_trainer_agree_on(trainer, FIT, go_on);
}

/* Validation, schedule, history: everything that an epoch ends with. */
static dlviz_status finish_epoch(dlviz_trainer *trainer) {
    double loss, figure, rate = dlviz_optimizer_learning_rate(trainer->optimizer);
    DLZ_TRY(dlz_trainer_check_average(trainer, FIT));
    DLZ_TRY(dlz_stopping_check(trainer, FIT)); /* again, for a callback may have set it */
    DLZ_TRY(dlz_trainer_record(trainer, &loss));
    DLZ_TRY(dlz_stopping_look(trainer, &figure));
    if (trainer->schedule) {
        DLZ_TRY(dlz_schedule_after_epoch(trainer->schedule, loss, rate, &rate));
        DLZ_TRY(dlviz_optimizer_set_learning_rate(trainer->optimizer, rate));
    }
    /* From here on nothing fails: all of the epoch's end is done, or none. */
    dlz_stopping_count(trainer, figure);
    trainer->event.batch = trainer->num_batches - 1;
    trainer->event.loss = loss;
    trainer->num_epochs++;
    start_epoch(trainer, trainer->samples);
    dlz_trainer_log_epoch(trainer);
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

static dlviz_status begin_epoch(dlviz_trainer *trainer, const dlviz_dataset *train) {
    /* Again, for a callback may have changed the size of batches. */
    DLZ_TRY(check_batches(trainer, dlviz_dataset_num_samples(train)));
    start_epoch(trainer, dlviz_dataset_num_samples(train));
    trainer->train_mark = dlz_dataset_mark(train);
    return DLVIZ_OK;
}

/* *go_on: whether callbacks want more; else the epoch may be left unfinished. */
static dlviz_status fit_epoch(dlviz_trainer *trainer, const dlviz_dataset *train, int64_t *order,
                              bool *go_on) {
    *go_on = true;
    if (trainer->batches_done == 0)
        DLZ_TRY(begin_epoch(trainer, train));
    trainer->event.epoch = trainer->num_epochs;
    dlz_epoch_order(trainer->seed, trainer->num_epochs, trainer->samples, order);
    while (trainer->batches_done < trainer->num_batches) {
        DLZ_TRY(train_batch(trainer, train, order));
        DLZ_TRY(call_back(trainer, "batch", trainer->on_batch, trainer->on_batch_user, go_on));
        if (!*go_on)
            return DLVIZ_OK;
    }
    DLZ_TRY(dlz_trainer_gather(trainer));
    DLZ_TRY(check_states(trainer));
    DLZ_TRY(finish_epoch(trainer));
    return call_back(trainer, "epoch", trainer->on_epoch, trainer->on_epoch_user, go_on);
}

static dlviz_status check_fit(const dlviz_trainer *trainer, const dlviz_dataset *train,
                              int64_t epochs) {
    DLZ_TRY(dlz_trainer_check_outside(trainer, FIT));
    DLZ_TRY(dlz_require_states(trainer->network, FIT));
    DLZ_TRY(dlz_network_check_samples(trainer->network, FIT, train));
    DLZ_TRY(dlz_dataset_check_comm(train, FIT, "the dataset", trainer->comm));
    DLZ_TRY(dlz_dataset_check_comm(trainer->validation, FIT, "the validation set", trainer->comm));
    DLZ_TRY(dlz_network_check_targets(trainer->network, FIT, train));
    if (epochs < 0 || epochs > MOST_EPOCHS - trainer->num_epochs)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        FIT ": %lld epochs after %d; 0 or more, and %d in all, are accepted",
                        (long long)epochs, trainer->num_epochs, MOST_EPOCHS);
    dlviz_status status = dlz_optimizer_check_network(trainer->optimizer, trainer->network);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, FIT);
    DLZ_TRY(dlz_trainer_check_average(trainer, FIT));
    DLZ_TRY(dlz_stopping_check(trainer, FIT));
    int64_t samples = dlviz_dataset_num_samples(train);
    if (trainer->batches_done > 0 && samples != trainer->samples)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        FIT ": an epoch over %lld samples is under way; this set has %lld",
                        (long long)trainer->samples, (long long)samples);
    return epochs > 0 ? check_batches(trainer, samples) : DLVIZ_OK;
}

/* The epoch goes on with the dataset as it now is, also after a failure: batches were trained with
 * it, or the next is to be. But not with what no batch can be trained with, or what could not be
 * read: it stays what it was then, for the user to put back. */
static void keep_mark(dlviz_trainer *trainer, const dlviz_dataset *train, dlviz_status status,
                      int64_t changes) {
    dlz_failure kept;
    dlz_failure_keep(&kept);
    bool unread = status == DLVIZ_ERROR_IO || status == DLVIZ_ERROR_FORMAT ||
                  status == DLVIZ_ERROR_OUT_OF_MEMORY;
    if (status == DLVIZ_OK ||
        ((!unread || train->changes != changes) &&
         dlz_network_check_samples(trainer->network, FIT, train) == DLVIZ_OK &&
         dlz_network_check_targets(trainer->network, FIT, train) == DLVIZ_OK))
        trainer->train_mark = dlz_trainer_train_mark(trainer);
    dlz_failure_put_back(&kept);
}

/* Ranks have told each other what the mark is made of. */
static dlviz_status check_mark(const dlviz_trainer *trainer, const dlviz_dataset *train) {
    if (trainer->batches_done == 0 || dlz_dataset_mark(train) == trainer->train_mark)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    FIT ": an epoch is under way that began with other samples, targets or "
                        "settings of the dataset; it can only be finished with the same");
}

static dlviz_status fit_epochs(dlviz_trainer *trainer, const dlviz_dataset *train, int64_t epochs,
                               int64_t *order) {
    bool go_on = true;
    for (int64_t epoch = 0; epoch < epochs && go_on && !trainer->stopping.due; epoch++) {
        if (epoch > 0) /* again, for a callback of one rank may have changed something */
            DLZ_TRY(dlz_trainer_require_same(trainer, FIT, train, epochs - epoch));
        DLZ_TRY(fit_epoch(trainer, train, order, &go_on));
    }
    bool early = go_on && trainer->stopping.due;
    if (early)
        DLZ_TRY(dlz_trainer_check_average(trainer, FIT));
    trainer->stop_reason = !go_on  ? DLVIZ_STOP_REASON_CALLBACK
                           : early ? DLVIZ_STOP_REASON_EARLY
                                   : DLVIZ_STOP_REASON_EPOCHS;
    if (early)
        dlz_stopping_stop(trainer);
    return DLVIZ_OK;
}

static dlviz_status fit(dlviz_trainer *trainer, const dlviz_dataset *train, int64_t epochs) {
    int64_t samples = dlviz_dataset_num_samples(train);
    int64_t *order = dlz_alloc_array((uint64_t)samples, sizeof *order);
    if (!order)
        return dlz_comm_fail(trainer->comm, dlz_fail_memory("the order of an epoch",
                                                            (uint64_t)samples * sizeof *order));
    trainer->fitting = trainer->network->fitting = true;
    /* What is told of the last step stays, whoever has made it; before the first, the rate is that
     * it is going to have. */
    const dlviz_trainer_event last = trainer->event;
    trainer->event = (dlviz_trainer_event){.trainer = trainer,
                                           .gradient_norm = last.gradient_norm,
                                           .learning_rate = isnan(last.learning_rate)
                                                                ? trainer->optimizer->learning_rate
                                                                : last.learning_rate};
    dlviz_dataset *held = dlz_dataset_hold(train);
    int64_t changes = held->changes;
    trainer->train = held;
    dlz_plans_share(&trainer->network->plans, trainer->comm);
    dlviz_status status = fit_epochs(trainer, held, epochs, order);
    if (status == DLVIZ_OK)
        status = dlz_trainer_gather(trainer);
    dlz_plans_share(&trainer->network->plans, NULL);
    status = dlz_supply_end(&trainer->supply, status);
    if (status != DLVIZ_OK && trainer->comm)
        status = dlz_comm_fail(trainer->comm, status);
    keep_mark(trainer, held, status, changes);
    trainer->train = NULL;
    trainer->fitting = trainer->network->fitting = false;
    dlviz_dataset_destroy(held);
    dlz_free(order);
    return status;
}

/* The marks are given back before a callback's wish to destroy the trainer is done. */
static dlviz_status fit_alone(dlviz_trainer *trainer, const dlviz_dataset *train, int64_t epochs) {
    DLZ_NOT_CANCELLED;
    dlz_hold own __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    dlz_hold comm __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    dlz_hold network __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    dlz_hold optimizer __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    dlz_hold again __attribute__((unused, cleanup(dlz_busy_give_back))) = {NULL};
    DLZ_TRY(dlz_comm_take(FIT, &trainer->busy, "trainer", DLZ_ALONE, &trainer->comm, &own, &comm));
    DLZ_TRY(dlz_comm_take(FIT, &trainer->network->busy, "network", DLZ_NESTED, &trainer->comm,
                          &network, &again));
    DLZ_TRY(dlz_comm_take(FIT, &trainer->optimizer->busy, "optimizer", DLZ_NESTED, &trainer->comm,
                          &optimizer, &again));
    trainer->stop_reason = DLVIZ_STOP_REASON_NONE;
    dlviz_status status =
        dlz_trainer_check_ranks(trainer, FIT, train, epochs, check_fit(trainer, train, epochs));
    if (status == DLVIZ_OK)
        status = dlz_comm_agree(trainer->comm, check_mark(trainer, train));
    if (status == DLVIZ_OK)
        status = dlz_comm_fail(trainer->comm, read_description(trainer, train));
    if (status == DLVIZ_OK && trainer->validation)
        dlz_data_description_compare(&trainer->description, FIT ": the validation set",
                                     trainer->validation);
    if (status == DLVIZ_OK)
        status = fit(trainer, train, epochs);
    dlz_data_description_release(&trainer->description);
    if (status != DLVIZ_OK)
        trainer->stop_reason = DLVIZ_STOP_REASON_ERROR;
    return status;
}

dlviz_status dlviz_trainer_fit(dlviz_trainer *trainer, const dlviz_dataset *train, int64_t epochs) {
    DLZ_REQUIRE(trainer);
    dlviz_status status = fit_alone(trainer, train, epochs);
    if (!trainer->fitting && trainer->destroyed)
        dlviz_trainer_destroy(trainer);
    return status;
}

/* -- What callbacks see --------------------------------------------------------------------------
 */

dlviz_trainer *dlviz_trainer_event_trainer(const dlviz_trainer_event *event) {
    return event ? event->trainer : NULL;
}
int64_t dlviz_trainer_event_epoch(const dlviz_trainer_event *event) {
    return event ? event->epoch : 0;
}
int64_t dlviz_trainer_event_batch(const dlviz_trainer_event *event) {
    return event ? event->batch : 0;
}
double dlviz_trainer_event_loss(const dlviz_trainer_event *event) {
    return event ? event->loss : (double)NAN;
}
double dlviz_trainer_event_gradient_norm(const dlviz_trainer_event *event) {
    return event ? event->gradient_norm : (double)NAN;
}
double dlviz_trainer_event_learning_rate(const dlviz_trainer_event *event) {
    return event ? event->learning_rate : (double)NAN;
}
