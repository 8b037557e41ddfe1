/* What is measured of an epoch: names, the row of the history, the file. */
#include "base/base.h"
#include "base/file.h"
#include "data/dataset.h"
#include "network/network.h"
#include "train/optimizer.h"
#include "train/trainer.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LEARNING_RATE, TRAIN_LOSS, TRAIN_METRICS };

/* Where figures lie in a row. */
typedef struct places {
    int train_metrics, metrics; /* of the loss: those that training has, and all of them */
    int validation_loss, validation_metrics, user, seconds, speed, count;
} places;

static places find_places(const dlviz_trainer *trainer) {
    const dlviz_loss *loss = trainer->network->loss;
    places p = {.metrics = dlz_loss_num_metrics(loss)};
    p.train_metrics = p.metrics - (p.metrics > 0 ? loss->type->metrics->num_whole : 0);
    p.validation_loss = TRAIN_METRICS + p.train_metrics;
    p.validation_metrics = p.validation_loss + 1;
    p.user = p.validation_metrics + p.metrics;
    p.seconds = p.user + trainer->num_user_metrics;
    p.speed = p.seconds + 1;
    p.count = p.speed + 1;
    return p;
}

/* -- Names ---------------------------------------------------------------------------------------
 */

static char *name_of(const dlviz_trainer *trainer, const places *p, int index) {
    const dlviz_loss *loss = trainer->network->loss;
    if (index == LEARNING_RATE)
        return dlz_strdup("learning_rate");
    if (index == TRAIN_LOSS)
        return dlz_strdup("train_loss");
    if (index < p->validation_loss)
        return dlz_format("train_%s", dlviz_loss_metric_name(loss, index - TRAIN_METRICS));
    if (index == p->validation_loss)
        return dlz_strdup("validation_loss");
    if (index < p->user)
        return dlz_format("validation_%s",
                          dlviz_loss_metric_name(loss, index - p->validation_metrics));
    if (index < p->seconds)
        return dlz_format("validation_%s", trainer->user_metrics[index - p->user].name);
    return dlz_strdup(index == p->seconds ? "seconds" : "samples_per_second");
}

static void release_names(char **names, int count) {
    for (int i = 0; names && i < count; i++)
        dlz_free(names[i]);
    dlz_free(names);
}

dlviz_status dlz_trainer_name_figures(dlviz_trainer *trainer) {
    places p = find_places(trainer);
    char **names = dlz_alloc_array_zero((uint64_t)p.count, sizeof *names);
    bool whole = names != NULL;
    for (int i = 0; whole && i < p.count; i++) {
        names[i] = name_of(trainer, &p, i);
        whole = names[i] != NULL;
    }
    if (!whole) {
        release_names(names, p.count);
        return dlz_fail_memory("the names of figures", 0);
    }
    release_names(trainer->figure_names, trainer->num_figures);
    if (p.count != trainer->num_figures) {
        /* Room for rows of another length, from epochs before an earlier checkpoint was loaded. */
        dlz_free(trainer->history);
        trainer->history = NULL;
        trainer->capacity = 0;
    }
    trainer->figure_names = names;
    trainer->num_figures = p.count;
    return DLVIZ_OK;
}

void dlz_trainer_release_figures(dlviz_trainer *trainer) {
    release_names(trainer->figure_names, trainer->num_figures);
    for (int i = 0; i < trainer->num_user_metrics; i++)
        dlz_free(trainer->user_metrics[i].name);
    dlz_free(trainer->user_metrics);
    dlz_free(trainer->history);
}

static dlviz_status check_name(const dlviz_trainer *trainer, const char *who, const char *name) {
    if (!name[0] || strpbrk(name, ",\"\r\n") || !dlz_is_utf8(name))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the name is '%s'; UTF-8 without comma, quote and line break is "
                        "accepted, not empty",
                        who, name);
    places p = find_places(trainer);
    for (int i = p.validation_loss; i < p.seconds; i++)
        if (strcmp(trainer->figure_names[i] + strlen("validation_"), name) == 0)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: there is a figure '%s' already", who,
                            trainer->figure_names[i]);
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_add_metric(dlviz_trainer *trainer, const char *name,
                                      dlviz_trainer_metric_fn function, void *user) {
    DLZ_REQUIRE(trainer);
    DLZ_REQUIRE(name);
    DLZ_REQUIRE(function);
    DLZ_HOLD_ALONE(&trainer->busy, "trainer");
    if (trainer->num_epochs > 0 || trainer->batches_done > 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: training has begun; metrics come before", __func__);
    DLZ_TRY(check_name(trainer, __func__, name));
    int count = trainer->num_user_metrics + 1;
    dlz_user_metric *all = dlz_realloc_array(trainer->user_metrics, (uint64_t)count, sizeof *all);
    if (!all)
        return dlz_fail_memory("a metric", sizeof *all);
    trainer->user_metrics = all;
    char *copy = dlz_strdup(name);
    if (!copy)
        return dlz_fail_memory("a metric's name", 0);
    all[count - 1] = (dlz_user_metric){copy, function, user};
    trainer->num_user_metrics = count;
    dlviz_status status = dlz_trainer_name_figures(trainer);
    if (status != DLVIZ_OK) {
        trainer->num_user_metrics--;
        dlz_free(copy);
    }
    return status;
}

json_t *dlz_trainer_metric_names(const dlviz_trainer *trainer) {
    json_t *names = json_array();
    for (int i = 0; names && i < trainer->num_user_metrics; i++)
        if (json_array_append_new(names, json_string(trainer->user_metrics[i].name)) != 0) {
            json_decref(names);
            names = NULL;
        }
    return names;
}

int64_t dlviz_trainer_num_figures(const dlviz_trainer *trainer) {
    return trainer ? trainer->num_figures : 0;
}

const char *dlviz_trainer_figure_name(const dlviz_trainer *trainer, int64_t index) {
    return index >= 0 && index < dlviz_trainer_num_figures(trainer) ? trainer->figure_names[index]
                                                                    : NULL;
}

/* -1 when there is none. */
static int find_figure(const dlviz_trainer *trainer, const char *name) {
    for (int i = 0; trainer && name && i < trainer->num_figures; i++)
        if (strcmp(trainer->figure_names[i], name) == 0)
            return i;
    return -1;
}

/* -- Values --------------------------------------------------------------------------------------
 */

/* Of the epoch under way; those of validation are NaN. */
static double current(const dlviz_trainer *trainer, const places *p, int index) {
    if (index == LEARNING_RATE)
        return dlviz_optimizer_learning_rate(trainer->optimizer);
    if (index == p->seconds)
        return trainer->seconds;
    if (index == p->speed)
        return (double)trainer->samples_done / trainer->seconds;
    if (trainer->batches_done == 0 || index >= p->validation_loss)
        return NAN;
    if (index == TRAIN_LOSS)
        return dlz_tally_mean(&trainer->tally);
    double metrics[DLZ_MAX_METRICS];
    dlz_loss_metrics(trainer->network->loss, dlz_network_output(trainer->network), &trainer->tally,
                     metrics);
    return metrics[index - TRAIN_METRICS];
}

double dlviz_trainer_current(const dlviz_trainer *trainer, const char *figure) {
    int index = find_figure(trainer, figure);
    if (index < 0)
        return NAN;
    places p = find_places(trainer);
    return current(trainer, &p, index);
}

double dlz_trainer_figure(const dlviz_trainer *trainer, int64_t epoch, const char *figure) {
    int index = find_figure(trainer, figure);
    return index < 0 ? (double)NAN : trainer->history[epoch * trainer->num_figures + index];
}

double dlviz_trainer_history(const dlviz_trainer *trainer, int64_t epoch, const char *figure) {
    if (!trainer || epoch < 0 || epoch >= trainer->num_epochs)
        return NAN;
    return dlz_trainer_figure(trainer, epoch, figure);
}

/* -- The history ---------------------------------------------------------------------------------
 */

dlviz_status dlz_trainer_grow_history(dlviz_trainer *trainer, int epochs) {
    if (epochs <= trainer->capacity)
        return DLVIZ_OK;
    int capacity = epochs + 32;
    uint64_t row = (uint64_t)trainer->num_figures * sizeof *trainer->history;
    double *history = dlz_realloc_array(trainer->history, (uint64_t)capacity, row);
    if (!history)
        return dlz_fail_memory("the training history", (uint64_t)capacity * row);
    trainer->history = history;
    trainer->capacity = capacity;
    return DLVIZ_OK;
}

/* What the user makes of the outputs. */
static dlviz_status add_user_metrics(const dlviz_trainer *trainer, const dlviz_dataset *set,
                                     const places *p, const dlviz_tensor *outputs, double *row) {
    if (trainer->num_user_metrics == 0)
        return DLVIZ_OK;
    dlviz_tensor *targets;
    DLZ_TRY(dlz_dataset_gather_targets(set, trainer->network->plans.comm, &targets));
    for (int i = 0; i < trainer->num_user_metrics; i++) {
        const dlz_user_metric *metric = &trainer->user_metrics[i];
        row[p->user + i] = metric->function(outputs, targets, metric->user);
    }
    dlviz_tensor_destroy(targets);
    return DLVIZ_OK;
}

static dlviz_status validate_on(dlviz_trainer *trainer, const dlviz_dataset *set, const places *p,
                                dlz_tally *tally, double *row) {
    static const char who[] = "dlviz_trainer_fit";
    dlviz_network *network = trainer->network;
    DLZ_TRY(dlz_network_check_samples(network, who, set));
    DLZ_TRY(dlz_dataset_check_comm(set, who, "it", trainer->comm));
    DLZ_TRY(dlz_dataset_require_same_rows(set, who, "it", trainer->comm));
    DLZ_TRY(dlz_network_check_targets(network, who, set));
    dlviz_tensor *outputs = NULL;
    bool needed = trainer->num_user_metrics > 0 || dlz_network_needs_outputs(network);
    DLZ_TRY(dlz_network_tally(network, who, set, tally, needed ? &outputs : NULL));
    row[p->validation_loss] = dlz_tally_mean(tally);
    dlviz_status status = dlz_network_judge(network, set, network->plans.comm, tally, outputs,
                                            row + p->validation_metrics);
    if (status == DLVIZ_OK)
        status = add_user_metrics(trainer, set, p, outputs, row);
    dlviz_tensor_destroy(outputs);
    return status;
}

/* Of the average, where there is one. The user's metrics may set another validation set, or none. */
static dlviz_status validate(dlviz_trainer *trainer, const places *p, dlz_tally *tally,
                             double *row) {
    dlviz_dataset *set = dlz_dataset_hold(trainer->validation);
    dlz_averaging *averaging = &trainer->averaging;
    averaging->evaluating = averaging->begun;
    if (averaging->evaluating)
        dlz_trainer_exchange(trainer);
    dlviz_status status = validate_on(trainer, set, p, tally, row);
    if (averaging->evaluating)
        dlz_trainer_exchange(trainer);
    averaging->evaluating = false;
    dlviz_dataset_destroy(set);
    return status == DLVIZ_OK ? DLVIZ_OK : dlz_fail_within(status, "the validation set");
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

dlviz_status dlz_trainer_record(dlviz_trainer *trainer, double *loss) {
    places p = find_places(trainer);
    DLZ_TRY(dlz_trainer_grow_history(trainer, trainer->num_epochs + 1));
    double *row = trainer->history + (int64_t)trainer->num_epochs * trainer->num_figures;
    for (int i = 0; i < p.count; i++)
        row[i] = current(trainer, &p, i);
    row[LEARNING_RATE] = trainer->event.learning_rate; /* a callback may have changed it since */
    *loss = row[TRAIN_LOSS];
    if (!trainer->validation)
        return DLVIZ_OK;
    double started = now();
    dlz_tally tally = {.sums = trainer->validation_sums};
    memset(tally.sums, 0, (size_t)trainer->num_sums * sizeof(double));
    dlviz_status status = validate(trainer, &p, &tally, row);
    *loss = row[p.validation_loss];
    row[p.seconds] += now() - started;
    return status;
}

double dlz_trainer_last_loss(const dlviz_trainer *trainer) {
    if (trainer->num_epochs == 0)
        return NAN;
    places p = find_places(trainer);
    const double *row =
        trainer->history + (int64_t)(trainer->num_epochs - 1) * trainer->num_figures;
    return row[trainer->validation ? p.validation_loss : TRAIN_LOSS];
}

/* -- The file ------------------------------------------------------------------------------------
 */

/* The name of a column; NULL: there is none. */
static const char *column_of(const dlviz_trainer *trainer, const places *p, int index) {
    const dlz_metrics *metrics = trainer->network->loss->type->metrics;
    int first = p->train_metrics - (metrics ? metrics->num_unwritten : 0);
    int train = index - TRAIN_METRICS, validation = index - p->validation_metrics;
    if (index == p->speed || (train >= first && train < p->train_metrics) ||
        (validation >= first && validation < p->train_metrics))
        return NULL;
    return index == LEARNING_RATE ? "lr" : trainer->figure_names[index];
}

void dlz_trainer_log_epoch(const dlviz_trainer *trainer) {
    places p = find_places(trainer);
    const double *row = trainer->history + (int64_t)(trainer->num_epochs - 1) * p.count;
    char line[400], text[DLZ_NUMBER_SIZE];
    size_t used = (size_t)snprintf(line, sizeof line, "epoch %d", trainer->num_epochs);
    for (int i = 0; i < p.count && used < sizeof line; i++)
        if (i != p.seconds && !isnan(row[i]) && column_of(trainer, &p, i))
            used += (size_t)snprintf(line + used, sizeof line - used, " %s %s",
                                     column_of(trainer, &p, i), dlz_number(text, row[i], 4));
    dlz_log(DLVIZ_LOG_LEVEL_INFO, "%s, %s s", line, dlz_number(text, row[p.seconds], 3));
}

void dlz_trainer_list_figures(const dlviz_trainer *trainer, char *to, size_t size) {
    size_t used = 0;
    for (int i = 0; i < trainer->num_figures && used < size; i++)
        used += (size_t)snprintf(to + used, size - used, "%s%s", i ? ", " : "",
                                 trainer->figure_names[i]);
}

static void write_row(const dlviz_trainer *trainer, const places *p, int epoch, dlz_file *file) {
    const double *row = trainer->history + (int64_t)epoch * trainer->num_figures;
    dlz_file_printf(file, "%d", epoch + 1);
    for (int i = 0; i < p->count; i++) {
        char text[DLZ_NUMBER_SIZE];
        if (column_of(trainer, p, i))
            dlz_file_printf(file, ",%s",
                            isnan(row[i]) ? "" : dlz_number(text, row[i], i == p->seconds ? 4 : 8));
    }
    dlz_file_printf(file, "\n");
}

static dlviz_status write_history(const dlviz_trainer *trainer, dlz_file *file) {
    places p = find_places(trainer);
    dlz_file_printf(file, "epoch");
    for (int i = 0; i < p.count; i++)
        if (column_of(trainer, &p, i))
            dlz_file_printf(file, ",%s", column_of(trainer, &p, i));
    dlz_file_printf(file, "\n");
    for (int epoch = 0; epoch < trainer->num_epochs; epoch++)
        write_row(trainer, &p, epoch, file);
    return dlz_file_commit(file);
}

dlviz_status dlviz_trainer_write_history(const dlviz_trainer *trainer, const char *path) {
    DLZ_REQUIRE(trainer);
    DLZ_REQUIRE(path);
    DLZ_HOLD_SHARED(&trainer->busy, "trainer");
    dlz_file *file;
    DLZ_TRY(dlz_file_create(&file, path));
    return write_history(trainer, file);
}

dlviz_status dlviz_trainer_write_history_memory(const dlviz_trainer *trainer, void **bytes,
                                                size_t *size) {
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    DLZ_REQUIRE(trainer);
    DLZ_HOLD_SHARED(&trainer->busy, "trainer");
    dlz_file *file;
    DLZ_TRY(dlz_file_create_memory(&file, bytes, size));
    return write_history(trainer, file);
}
