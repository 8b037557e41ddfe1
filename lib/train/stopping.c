/* Early stopping: the best epoch so far, and when to wait no longer for a better one. */
#include "base/base.h"
#include "comm/comm.h"
#include "network/network.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

static void forget(dlz_stopping *stopping) {
    stopping->best = NAN;
    stopping->best_epoch = -1;
    stopping->bad_epochs = 0;
    stopping->due = false;
}

void dlz_stopping_release(dlz_stopping *stopping) {
    dlz_free(stopping->figure);
    stopping->figure = NULL;
    dlz_snapshot_release(&stopping->states);
    forget(stopping);
}

/* -- Settings ------------------------------------------------------------------------------------
 */

static dlviz_status check_figure(const dlviz_trainer *trainer, const char *who,
                                 const char *figure) {
    for (int i = 0; i < trainer->num_figures; i++)
        if (strcmp(trainer->figure_names[i], figure) == 0)
            return DLVIZ_OK;
    char names[400];
    dlz_trainer_list_figures(trainer, names, sizeof names);
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s: there is no figure '%s'; there are %s", who, figure,
                    names);
}

static dlviz_status set_early_stopping(dlviz_trainer *trainer, const char *figure,
                                       dlviz_better better, int64_t patience) {
    char *copy = dlz_strdup(figure);
    if (!copy)
        return dlz_fail_memory("the name of a figure", 0);
    dlviz_status status = dlz_snapshot_create(&trainer->stopping.states, trainer->network);
    if (status != DLVIZ_OK) {
        dlz_free(copy);
        return status;
    }
    dlz_stopping *stopping = &trainer->stopping;
    dlz_free(stopping->figure);
    stopping->figure = copy;
    stopping->better = better;
    stopping->patience = patience;
    forget(stopping);
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_early_stopping(dlviz_trainer *trainer, const char *figure,
                                              dlviz_better better, int64_t patience) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    if (!figure) {
        dlz_stopping_release(&trainer->stopping);
        return DLVIZ_OK;
    }
    if (better != DLVIZ_BETTER_LOWER && better != DLVIZ_BETTER_HIGHER)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'better' is %d; DLVIZ_BETTER_LOWER and DLVIZ_BETTER_HIGHER are "
                        "accepted",
                        __func__, (int)better);
    if (patience < 1 || patience > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the patience is %lld epochs; 1 to 2^31 - 1 are accepted", __func__,
                        (long long)patience);
    DLZ_TRY(check_figure(trainer, __func__, figure));
    return set_early_stopping(trainer, figure, better, patience);
}

dlviz_status dlviz_trainer_set_early_stopping_threshold(dlviz_trainer *trainer, double threshold) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    if (!(threshold >= 0 && threshold <= 1e30))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the threshold is %g; 0 to 1e30 is accepted", __func__, threshold);
    trainer->stopping.threshold = threshold;
    return DLVIZ_OK;
}

const char *dlviz_trainer_early_stopping(const dlviz_trainer *trainer, dlviz_better *better,
                                         int64_t *patience) {
    bool stops = trainer && trainer->stopping.figure;
    if (better)
        *better = stops ? trainer->stopping.better : DLVIZ_BETTER_LOWER;
    if (patience)
        *patience = stops ? trainer->stopping.patience : 0;
    return stops ? trainer->stopping.figure : NULL;
}
double dlviz_trainer_early_stopping_threshold(const dlviz_trainer *trainer) {
    return trainer ? trainer->stopping.threshold : NAN;
}
int64_t dlviz_trainer_best_epoch(const dlviz_trainer *trainer) {
    return trainer ? trainer->stopping.best_epoch : 0;
}

dlviz_status dlviz_trainer_restore_best(dlviz_trainer *trainer) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    DLZ_HOLD_OTHERS(trainer, DLZ_NESTED);
    if (trainer->stopping.best_epoch < 0)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: there is no best epoch; dlviz_trainer_set_early_stopping asks for it",
                        __func__);
    DLZ_TRY(dlz_trainer_check_average(trainer, __func__));
    dlz_snapshot_put(&trainer->stopping.states, trainer->network);
    return DLVIZ_OK;
}

/* -- In a fit ------------------------------------------------------------------------------------
 */

dlviz_status dlz_stopping_check(const dlviz_trainer *trainer, const char *who) {
    const char *figure = trainer->stopping.figure;
    if (!figure || trainer->validation || strncmp(figure, "validation_", 11) != 0)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "%s: early stopping looks at '%s', and there is no validation set "
                    "(dlviz_trainer_set_validation)",
                    who, figure);
}

static bool is_better(const dlz_stopping *stopping, double value) {
    if (isnan(value) || isnan(stopping->best))
        return !isnan(value);
    return stopping->better == DLVIZ_BETTER_LOWER ? value < stopping->best - stopping->threshold
                                                  : value > stopping->best + stopping->threshold;
}

/* What was evaluated is what is kept: the average, where there is one. */
static void keep_states(dlviz_trainer *trainer) {
    dlz_stopping *stopping = &trainer->stopping;
    if (trainer->averaging.begun)
        dlz_snapshot_copy(&stopping->states, &trainer->averaging.states, trainer->network);
    else
        dlz_snapshot_take(&stopping->states, trainer->network);
}

dlviz_status dlz_stopping_look(dlviz_trainer *trainer, double *value) {
    dlz_stopping *stopping = &trainer->stopping;
    *value = NAN;
    if (!stopping->figure)
        return DLVIZ_OK;
    DLZ_TRY(dlz_snapshot_create(&stopping->states, trainer->network));
    *value = dlz_trainer_figure(trainer, trainer->num_epochs, stopping->figure);
    /* Times, and metrics of the user's own, may be each rank's. */
    return dlz_comm_broadcast(trainer->comm, value, sizeof *value);
}

void dlz_stopping_count(dlviz_trainer *trainer, double value) {
    dlz_stopping *stopping = &trainer->stopping;
    if (!stopping->figure)
        return;
    if (is_better(stopping, value)) {
        keep_states(trainer);
        stopping->best = value;
        stopping->best_epoch = trainer->num_epochs;
        stopping->bad_epochs = 0;
    } else {
        stopping->bad_epochs++;
    }
    stopping->due = stopping->bad_epochs >= stopping->patience;
}

void dlz_stopping_stop(dlviz_trainer *trainer) {
    dlz_stopping *stopping = &trainer->stopping;
    stopping->due = false;
    stopping->bad_epochs = 0; /* a later fit has patience anew */
    if (stopping->best_epoch >= 0)
        dlz_snapshot_put(&stopping->states, trainer->network);
}
