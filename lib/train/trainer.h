/* train/trainer.h - the inside of a trainer. */
#ifndef DLZ_TRAINER_H
#define DLZ_TRAINER_H

#include <dlviz/trainer.h>

#include "base/busy.h"
#include "data/supply.h"
#include "losses/loss.h"
#include "network/network.h"
#include "network/snapshot.h"
#include "train/schedule.h"

/* A metric of the user's own. */
typedef struct dlz_user_metric {
    char *name;
    dlviz_trainer_metric_fn function;
    void *user;
} dlz_user_metric;

/* Batches whose gradients make one step: those of the present one so far. */
typedef struct dlz_accumulation {
    int64_t batches; /* a step */
    float
        *gradients;  /* the sum of each batch's times its norm; laid out as the network's; NULL: not
                       * needed yet */
    double norm;     /* the sum of norms: what the samples count together */
    int64_t done;    /* batches in it */
    int64_t freezes; /* the network's, at the first of them; -1: not known */
} dlz_accumulation;

/* The average of the states. */
typedef struct dlz_averaging {
    double decay; /* 0: none */
    bool begun;
    bool exchanged;  /* it holds the network's states, and the network, which knows, the average */
    bool evaluating; /* and only for the validation set */
    dlz_snapshot states;
} dlz_averaging;

/* Early stopping, and the best states so far. */
typedef struct dlz_stopping {
    char *figure; /* NULL: none */
    dlviz_better better;
    int64_t patience;
    double threshold;
    double best; /* NaN: none yet */
    int64_t best_epoch, bad_epochs;
    bool due; /* the fit that is under way ends with this epoch */
    dlz_snapshot states;
} dlz_stopping;

struct dlviz_trainer_event {
    dlviz_trainer *trainer;
    int64_t epoch, batch;
    double loss, gradient_norm, learning_rate;
};

/* It holds the handles, and owns the schedule. */
struct dlviz_trainer {
    dlz_busy busy;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_schedule *schedule;
    dlviz_dataset *validation;
    dlviz_comm *comm;
    int64_t batch_size;
    bool drop_last;
    uint64_t seed;
    dlviz_trainer_fn on_epoch, on_batch;
    void *on_epoch_user, *on_batch_user;

    double clip_norm, clip_value; /* 0: no limit */
    dlz_accumulation accumulation;
    dlz_averaging averaging;
    dlz_stopping stopping;
    dlviz_trainer_event event; /* what callbacks see */
    dlviz_stop_reason stop_reason;

    const dlviz_dataset *train; /* while it fits */
    dlz_supply supply;          /* of its samples, where they are spread over processes */
    /* What the network is going to know of it, once it has trained a batch. */
    dlz_data_description description;
    int64_t changes; /* the dataset's, when this was read */
    bool fitting;    /* dlviz_trainer_fit is at work: what calls back may not start it again */
    bool destroyed;  /* by a callback; dlviz_trainer_fit ends and then frees it */
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
    int64_t train_mark;      /* of the dataset, as the last fit left it */
    int64_t step;            /* batches ever trained on: chooses the dropout masks */
};

/* The mark of the dataset of the epoch under way: while it fits, as the dataset now is, for
 * callbacks may change it. */
int64_t dlz_trainer_train_mark(const dlviz_trainer *trainer);
/* How many batches an epoch over so many samples has. */
int64_t dlz_trainer_count_batches(const dlviz_trainer *trainer, int64_t samples);

/* For setters, which callbacks may call, but no function that a step calls. */
#define DLZ_CHANGE_TRAINER(trainer)                                                                \
    DLZ_HOLD_NESTED(&(trainer)->busy, "trainer");                                                  \
    DLZ_TRY(dlz_network_check_idle((trainer)->network, __func__));                                 \
    DLZ_TRY(dlz_schedule_check_idle((trainer)->schedule, __func__))

/* Fails with DLVIZ_ERROR_STATE where another trainer's fit of the network is under way; one's own holds the
 * trainer. */
dlviz_status dlz_trainer_check_outside(const dlviz_trainer *trainer, const char *who);

/* The marks of what a trainer works with, for calls that read or change that through it. */
typedef struct dlz_trainer_holds {
    dlz_hold network, optimizer;
} dlz_trainer_holds;
dlviz_status dlz_trainer_take_others(const dlviz_trainer *trainer, const char *who,
                                     dlz_hold_mode mode, dlz_trainer_holds *holds);
void dlz_trainer_give_back(dlz_trainer_holds *holds);
#define DLZ_HOLD_OTHERS(trainer, mode)                                                             \
    dlz_trainer_holds dlz_others_                                                                  \
        __attribute__((unused, cleanup(dlz_trainer_give_back))) = {{NULL}, {NULL}};                \
    DLZ_TRY(dlz_trainer_take_others(trainer, __func__, mode, &dlz_others_))

/* -- step.c: from the gradients of batches to a step --------------------------------------------
 */

/* The rate of the step that the batch to come ends, as the schedule has it; the present one where that
 * batch ends none. */
dlviz_status dlz_trainer_ask_schedule(dlviz_trainer *trainer, double *rate);
/* Takes the gradients that a batch left, whose samples count `norm` together, and makes a step at
 * this rate where enough batches are done or no more will come. */
dlviz_status dlz_trainer_take_gradients(dlviz_trainer *trainer, double norm, double rate);
void dlz_trainer_release_steps(dlviz_trainer *trainer);
/* Fails while the network holds an average, this trainer's or another's. */
dlviz_status dlz_trainer_check_average(const dlviz_trainer *trainer, const char *who);
/* Exchanges the states of the network and their average. */
void dlz_trainer_exchange(dlviz_trainer *trainer);

/* -- share.c: processes that train together -------------------------------------------------------
 */

/* Fails, on all ranks, unless all are about to train the same, and have come to `status`
 * DLVIZ_OK. */
dlviz_status dlz_trainer_check_ranks(const dlviz_trainer *trainer, const char *who,
                                     const dlviz_dataset *train, int64_t epochs,
                                     dlviz_status status);

/* Of a joined dataset: brings what ranks need of samples order[0] … order[n − 1], and lets what they need
 * of the next batch come. *view: the dataset with it, for this batch. */
dlviz_status dlz_trainer_bring(dlviz_trainer *trainer, const dlviz_dataset *train,
                               const int64_t *order, int64_t n, dlviz_dataset *view);
/* Brings all of them to each rank, instead. */
dlviz_status dlz_trainer_bring_all(dlviz_trainer *trainer, const dlviz_dataset *train,
                                   const int64_t *order, int64_t n, dlviz_dataset *view);

/* Gives all processes what they have trained each some of: weights and moments. */
dlviz_status dlz_trainer_gather(dlviz_trainer *trainer);
/* Whether all ranks are to go on, instead of this one alone. Fails, on all ranks, where callbacks or
 * schedules have made steps of theirs that differ. */
dlviz_status dlz_trainer_agree_on(const dlviz_trainer *trainer, const char *who, bool *go_on);
/* Fails, on all ranks, unless the states and settings of all are the same. */
dlviz_status dlz_trainer_require_same(const dlviz_trainer *trainer, const char *who,
                                      const dlviz_dataset *train, int64_t epochs);

/* -- stopping.c: early stopping -----------------------------------------------------------------
 */

/* Fails when it looks at a figure that will not be there. */
dlviz_status dlz_stopping_check(const dlviz_trainer *trainer, const char *who);
/* Looks at the figures of the epoch that is about to be counted, whose row of the history is
 * filled: *value receives the one it goes by. This may fail, before the epoch's end is done. */
dlviz_status dlz_stopping_look(dlviz_trainer *trainer, double *value);
/* Counts the epoch. Cannot fail. */
void dlz_stopping_count(dlviz_trainer *trainer, double value);
/* Ends a fit early. */
void dlz_stopping_stop(dlviz_trainer *trainer);
void dlz_stopping_release(dlz_stopping *stopping);

/* -- figures.c: what is measured of an epoch -----------------------------------------------------
 */

/* Names the figures, once the loss is known or a metric was added. */
dlviz_status dlz_trainer_name_figures(dlviz_trainer *trainer);
void dlz_trainer_release_figures(dlviz_trainer *trainer);
/* A figure in the row of an epoch; NaN where there is none of this name. */
double dlz_trainer_figure(const dlviz_trainer *trainer, int64_t epoch, const char *figure);
/* Room for so many epochs in the history. */
dlviz_status dlz_trainer_grow_history(dlviz_trainer *trainer, int epochs);
/* Evaluates the validation set, if there is one, and puts all figures of the epoch that is done
 * in a row of the history; *loss receives that on the validation set or, without one, in
 * training. */
dlviz_status dlz_trainer_record(dlviz_trainer *trainer, double *loss);
/* That of the epoch that was finished last; NaN before the first. */
double dlz_trainer_last_loss(const dlviz_trainer *trainer);
/* Tells the log of the last epoch in the history. */
void dlz_trainer_log_epoch(const dlviz_trainer *trainer);
/* The figures there are, for sentences. */
void dlz_trainer_list_figures(const dlviz_trainer *trainer, char *to, size_t size);
/* Names of the metrics that the user added, as a new JSON array; NULL when out of memory. */
json_t *dlz_trainer_metric_names(const dlviz_trainer *trainer);

#endif
