/* Epochs of shuffled batches, validation, history. */
#include "train/trainer.h"
#include "base/base.h"
#include "base/file.h"
#include "data/dataset.h"
#include "network/network.h"
#include "train/optimizer.h"
#include "train/schedule.h"

#include <math.h>
#include <time.h>

#define DEFAULT_BATCH_SIZE 64

dlviz_status dlviz_trainer_create(dlviz_trainer **out, dlviz_network *network,
                                  dlviz_optimizer *optimizer) {
    DLZ_REQUIRE_OUT(out);
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_REQUIRE(optimizer);
    dlviz_trainer *trainer = dlz_alloc_zero(sizeof *trainer);
    if (!trainer)
        return dlz_fail_memory("a trainer", sizeof *trainer);
    trainer->network = dlz_network_hold(network);
    trainer->optimizer = dlz_optimizer_hold(optimizer);
    trainer->batch_size = DEFAULT_BATCH_SIZE;
    *out = trainer;
    return DLVIZ_OK;
}

void dlviz_trainer_destroy(dlviz_trainer *trainer) {
    if (!trainer)
        return;
    if (trainer->fitting) {
        trainer->destroyed = true;
        return;
    }
    dlviz_network_destroy(trainer->network);
    dlviz_optimizer_destroy(trainer->optimizer);
    dlviz_schedule_destroy(trainer->schedule);
    dlviz_dataset_destroy(trainer->validation);
    dlz_free(trainer->history);
    dlz_free(trainer);
}

dlviz_status dlviz_trainer_set_batch_size(dlviz_trainer *trainer, int64_t batch_size) {
    DLZ_REQUIRE(trainer);
    if (batch_size < 1 || batch_size > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %lld images; 1 to 2^31 - 1 are accepted",
                        __func__, (long long)batch_size);
    if (trainer->batches_done > 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: an epoch is under way", __func__);
    trainer->batch_size = batch_size;
    trainer->num_batches = dlz_ceil_div(trainer->samples, batch_size);
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_seed(dlviz_trainer *trainer, uint64_t seed) {
    DLZ_REQUIRE(trainer);
    if (trainer->batches_done > 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: an epoch is under way", __func__);
    trainer->seed = seed;
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_validation(dlviz_trainer *trainer, const dlviz_dataset *validation) {
    DLZ_REQUIRE(trainer);
    if (validation) {
        DLZ_TRY(dlz_network_check_samples(trainer->network, __func__, validation));
        DLZ_TRY(dlz_network_check_labels(trainer->network, __func__, validation));
    }
    dlviz_dataset *held = validation ? dlz_dataset_hold(validation) : NULL;
    dlviz_dataset_destroy(trainer->validation);
    trainer->validation = held;
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_schedule(dlviz_trainer *trainer, dlviz_schedule *schedule) {
    DLZ_REQUIRE(trainer);
    dlviz_schedule *held = schedule ? dlz_schedule_hold(schedule) : NULL;
    dlviz_schedule_destroy(trainer->schedule);
    trainer->schedule = held;
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_on_epoch(dlviz_trainer *trainer, dlviz_trainer_fn function, void *user) {
    DLZ_REQUIRE(trainer);
    trainer->on_epoch = function;
    trainer->on_epoch_user = user;
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_on_batch(dlviz_trainer *trainer, dlviz_trainer_fn function, void *user) {
    DLZ_REQUIRE(trainer);
    trainer->on_batch = function;
    trainer->on_batch_user = user;
    return DLVIZ_OK;
}

int dlviz_trainer_num_epochs(const dlviz_trainer *trainer) {
    return trainer->num_epochs;
}

double dlviz_trainer_history(const dlviz_trainer *trainer, int epoch, dlviz_metric metric) {
    if (epoch < 0 || epoch >= trainer->num_epochs || (int)metric < 0 || metric >= DLZ_NUM_METRICS)
        return NAN;
    return trainer->history[epoch][metric];
}

double dlviz_trainer_current(const dlviz_trainer *trainer, dlviz_metric metric) {
    double done = (double)trainer->samples_done;
    switch (metric) {
    case DLVIZ_LEARNING_RATE:
        return dlviz_optimizer_learning_rate(trainer->optimizer);
    case DLVIZ_TRAIN_LOSS:
        return trainer->loss_sum / done;
    case DLVIZ_TRAIN_ACCURACY:
        return (double)trainer->correct / done;
    case DLVIZ_SECONDS:
        return trainer->seconds;
    case DLVIZ_IMAGES_PER_SECOND:
        return done / trainer->seconds;
    default:
        return NAN;
    }
}

int64_t dlviz_trainer_batches_done(const dlviz_trainer *trainer) {
    return trainer->batches_done;
}
int64_t dlviz_trainer_num_batches(const dlviz_trainer *trainer) {
    return trainer->num_batches;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

dlviz_status dlz_trainer_grow_history(dlviz_trainer *trainer, int epochs) {
    if (epochs <= trainer->capacity)
        return DLVIZ_OK;
    int capacity = epochs + 32;
    double(*history)[DLZ_NUM_METRICS] =
        dlz_realloc_array(trainer->history, (uint64_t)capacity, sizeof *history);
    if (!history)
        return dlz_fail_memory("the training history", (uint64_t)capacity * sizeof *history);
    trainer->history = history;
    trainer->capacity = capacity;
    return DLVIZ_OK;
}

static void start_epoch(dlviz_trainer *trainer, int64_t samples) {
    trainer->samples = samples;
    trainer->num_batches = dlz_ceil_div(samples, trainer->batch_size);
    trainer->batches_done = trainer->samples_done = 0;
    trainer->loss_sum = trainer->seconds = 0;
    trainer->correct = 0;
}

static dlviz_status train_batch(dlviz_trainer *trainer, const dlviz_dataset *train,
                                const int64_t *order, int64_t *labels) {
    double started = now();
    /* Again, for a callback may have changed the dataset. */
    DLZ_TRY(dlz_network_check_samples(trainer->network, "dlviz_trainer_fit", train));
    DLZ_TRY(dlz_network_check_labels(trainer->network, "dlviz_trainer_fit", train));
    int64_t first = trainer->batches_done * trainer->batch_size;
    int64_t n = dlz_min_i64(trainer->batch_size, trainer->samples - first);
    double loss = 0;
    int64_t correct = 0;
    DLZ_TRY(dlz_network_train_batch(trainer->network, train, order + first, labels, n,
                                    trainer->seed, (uint64_t)trainer->step, &loss, &correct));
    if (!isfinite(loss)) {
        trainer->network->fresh_gradients = false; /* nobody's to step by */
        return dlz_fail(DLVIZ_ERROR_NUMERIC,
                        "the loss is %s in batch %lld of epoch %d (learning rate %g)",
                        isnan(loss) ? "NaN" : "infinite", (long long)trainer->batches_done + 1,
                        trainer->num_epochs + 1, dlviz_optimizer_learning_rate(trainer->optimizer));
    }
    DLZ_TRY(dlviz_optimizer_step(trainer->optimizer, trainer->network));
    trainer->loss_sum += loss;
    trainer->correct += correct;
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
        return dlz_fail(DLVIZ_CANCELLED, "dlviz_trainer_fit: the %s callback destroyed the trainer",
                        where);
    if (!go_on)
        return dlz_fail(DLVIZ_CANCELLED, "dlviz_trainer_fit: the %s callback asked to stop", where);
    return DLVIZ_OK;
}

/* Validation, schedule, history: everything that an epoch ends with. */
static dlviz_status finish_epoch(dlviz_trainer *trainer) {
    DLZ_TRY(dlz_trainer_grow_history(trainer, trainer->num_epochs + 1));
    double started = now(), loss = NAN, accuracy = NAN;
    if (trainer->validation)
        DLZ_TRY(dlviz_network_evaluate(trainer->network, trainer->validation, &loss, &accuracy));
    double *entry = trainer->history[trainer->num_epochs];
    for (int metric = 0; metric < DLZ_NUM_METRICS; metric++)
        entry[metric] = dlviz_trainer_current(trainer, (dlviz_metric)metric);
    entry[DLVIZ_VALIDATION_LOSS] = loss;
    entry[DLVIZ_VALIDATION_ACCURACY] = accuracy;
    entry[DLVIZ_SECONDS] += now() - started;
    if (trainer->schedule) {
        double metric = trainer->validation ? loss : entry[DLVIZ_TRAIN_LOSS];
        DLZ_TRY(dlviz_optimizer_set_learning_rate(
            trainer->optimizer,
            dlviz_schedule_next(trainer->schedule, metric, entry[DLVIZ_LEARNING_RATE])));
    }
    trainer->num_epochs++;
    start_epoch(trainer, trainer->samples);
    return DLVIZ_OK;
}

static dlviz_status fit_epoch(dlviz_trainer *trainer, const dlviz_dataset *train, int64_t *order,
                              int64_t *labels) {
    if (trainer->batches_done == 0) {
        start_epoch(trainer, dlviz_dataset_num_samples(train));
        trainer->train_mark = dlz_dataset_mark(train);
    }
    dlz_epoch_order(trainer->seed, trainer->num_epochs, trainer->samples, order);
    while (trainer->batches_done < trainer->num_batches) {
        DLZ_TRY(train_batch(trainer, train, order, labels));
        DLZ_TRY(call_back(trainer, "batch", trainer->on_batch, trainer->on_batch_user));
    }
    DLZ_TRY(check_states(trainer));
    DLZ_TRY(finish_epoch(trainer));
    return call_back(trainer, "epoch", trainer->on_epoch, trainer->on_epoch_user);
}

dlviz_status dlz_trainer_require_idle(const dlviz_trainer *trainer, const char *who) {
    if (trainer->fitting)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: called from a callback of dlviz_trainer_fit", who);
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_fit(dlviz_trainer *trainer, const dlviz_dataset *train, int epochs) {
    DLZ_REQUIRE(trainer);
    DLZ_TRY(dlz_trainer_require_idle(trainer, __func__));
    DLZ_TRY(dlz_network_check_samples(trainer->network, __func__, train));
    DLZ_TRY(dlz_network_check_labels(trainer->network, __func__, train));
    if (epochs < 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %d epochs; 0 or more are accepted",
                        __func__, epochs);
    dlviz_status status = dlz_optimizer_check_network(trainer->optimizer, trainer->network);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, "%s", __func__);
    int64_t samples = dlviz_dataset_num_samples(train);
    if (trainer->batches_done > 0 && samples != trainer->samples)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: an epoch over %lld samples is under way; this set has %lld", __func__,
                        (long long)trainer->samples, (long long)samples);
    if (trainer->batches_done > 0 && dlz_dataset_mark(train) != trainer->train_mark)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: an epoch is under way that began with other samples, labels or "
                        "settings of the dataset; it can only be finished with the same",
                        __func__);
    /* The smallest batch of an epoch is its last: better to know before the first than then. */
    int64_t rest = samples % trainer->batch_size;
    if (epochs > 0 && dlz_graph_check_batch(&trainer->network->graph, rest ? rest : trainer->batch_size))
        return dlz_fail_within(dlz_last_status(), "%s: %lld samples in batches of %lld", __func__,
                               (long long)samples, (long long)trainer->batch_size);
    int64_t *order = dlz_alloc_array((uint64_t)samples, sizeof *order);
    /* As long as the order: a callback may change the batch size between epochs. */
    int64_t *labels = dlz_alloc_array((uint64_t)samples, sizeof *labels);
    if (!order || !labels)
        status = dlz_fail_memory("the order of an epoch", (uint64_t)samples * sizeof *order);
    trainer->fitting = true;
    dlviz_dataset *held = dlz_dataset_hold(train);
    for (int epoch = 0; status == DLVIZ_OK && epoch < epochs; epoch++)
        status = fit_epoch(trainer, held, order, labels);
    dlviz_dataset_destroy(held);
    trainer->fitting = false;
    if (trainer->destroyed)
        dlviz_trainer_destroy(trainer);
    dlz_free(order);
    dlz_free(labels);
    return status;
}

dlviz_status dlviz_trainer_write_history(const dlviz_trainer *trainer, const char *path) {
    static const dlviz_metric columns[] = {DLVIZ_LEARNING_RATE,       DLVIZ_TRAIN_LOSS,
                                           DLVIZ_TRAIN_ACCURACY,      DLVIZ_VALIDATION_LOSS,
                                           DLVIZ_VALIDATION_ACCURACY, DLVIZ_SECONDS};
    DLZ_REQUIRE(trainer);
    DLZ_REQUIRE(path);
    dlz_file *file;
    DLZ_TRY(dlz_file_create(&file, path));
    dlz_file_printf(file, "epoch,lr,train_loss,train_accuracy,validation_loss,"
                          "validation_accuracy,seconds\n");
    for (int epoch = 0; epoch < trainer->num_epochs; epoch++) {
        dlz_file_printf(file, "%d", epoch + 1);
        for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
            char text[DLZ_NUMBER_SIZE];
            double value = trainer->history[epoch][columns[i]];
            int digits = columns[i] == DLVIZ_SECONDS ? 4 : 8;
            dlz_file_printf(file, ",%s", isnan(value) ? "" : dlz_number(text, value, digits));
        }
        dlz_file_printf(file, "\n");
    }
    return dlz_file_commit(file);
}
