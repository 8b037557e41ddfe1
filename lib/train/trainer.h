/* train/trainer.h - the inside of a trainer. */
#ifndef DLZ_TRAINER_H
#define DLZ_TRAINER_H

#include <dlviz/trainer.h>

#include "base/busy.h"
#include "losses/loss.h"

/* A metric of the user's own. */
typedef struct dlz_user_metric {
    char *name;
    dlviz_trainer_metric_fn function;
    void *user;
} dlz_user_metric;

/* It holds the handles, and owns the schedule. */
struct dlviz_trainer {
    dlz_busy busy;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_schedule *schedule;
    dlviz_dataset *validation;
    int64_t batch_size;
    bool drop_last;
    uint64_t seed;
    dlviz_trainer_fn on_epoch, on_batch;
    void *on_epoch_user, *on_batch_user;

    bool fitting;   /* dlviz_trainer_fit is at work: what calls back may not start it again */
    bool destroyed; /* by a callback; dlviz_trainer_fit ends and then frees it */
    char **figure_names;
    int num_figures;
    dlz_user_metric *user_metrics;
    int num_user_metrics;
    double *history; /* num_epochs rows of num_figures */
    int num_epochs, capacity;

    /* the epoch under way */
    int64_t samples, num_batches, batches_done, samples_done;
    dlz_tally tally;
    double *validation_sums; /* room for the tally of a validation set */
    int64_t num_sums;        /* of each */
    double seconds;          /* of its training so far, up to the last batch */
    int64_t train_mark;      /* of the dataset it began with */
    int64_t step;            /* batches ever trained on: chooses the dropout masks */
};

/* How many batches an epoch over so many samples has. */
int64_t dlz_trainer_count_batches(const dlviz_trainer *trainer, int64_t samples);

/* -- figures.c: what is measured of an epoch -----------------------------------------------------
 */

/* Names the figures, once the loss is known or a metric was added. */
dlviz_status dlz_trainer_name_figures(dlviz_trainer *trainer);
void dlz_trainer_release_figures(dlviz_trainer *trainer);
/* Room for so many epochs in the history. */
dlviz_status dlz_trainer_grow_history(dlviz_trainer *trainer, int epochs);
/* Evaluates the validation set, if there is one, and puts all figures of the epoch that is done in a
 * row of the history; *loss receives that on the validation set or, without one, in training. */
dlviz_status dlz_trainer_record(dlviz_trainer *trainer, double *loss);
/* Names of the metrics that the user added, as a new JSON array; NULL when out of memory. */
json_t *dlz_trainer_metric_names(const dlviz_trainer *trainer);

#endif
