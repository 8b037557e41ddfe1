/* train/trainer.h - the inside of a trainer. */
#ifndef DLZ_TRAINER_H
#define DLZ_TRAINER_H

#include <dlviz/trainer.h>

#define DLZ_NUM_METRICS 7

/* It holds all four handles. */
struct dlviz_trainer {
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_schedule *schedule;
    dlviz_dataset *validation;
    int64_t batch_size;
    uint64_t seed;
    dlviz_trainer_fn on_epoch, on_batch;
    void *on_epoch_user, *on_batch_user;

    bool fitting;   /* dlviz_trainer_fit is at work: what calls back may not start it again */
    bool destroyed; /* by a callback; dlviz_trainer_fit ends and then frees it */
    double (*history)[DLZ_NUM_METRICS];
    int num_epochs, capacity;

    /* the epoch under way */
    int64_t samples, num_batches, batches_done, samples_done;
    double loss_sum;
    int64_t correct;
    double seconds;     /* of its training so far, up to the last batch */
    int64_t train_mark; /* of the dataset it began with */
    int64_t step;       /* batches ever trained on: chooses the dropout masks */
};

/* Room for one more epoch in the history. */
dlviz_status dlz_trainer_grow_history(dlviz_trainer *trainer, int epochs);

/* Fails from within a callback. */
dlviz_status dlz_trainer_require_idle(const dlviz_trainer *trainer, const char *who);

#endif
