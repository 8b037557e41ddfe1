/* train/schedule.h - what a schedule is to the library: a type, which says everything about the
 * schedules of its kind, and settings and memory, which are the schedule's own. Its clock belongs to
 * the memory, so that a schedule is the same in a trainer and in a loop of the user's own.
 *
 * A schedule's file (lib/train/schedules/) defines a struct that begins with a dlviz_schedule, the
 * constructor and setters of that struct, and a dlz_schedule_type. Nothing else in the library knows
 * the kind. */
#ifndef DLZ_TRAIN_SCHEDULE_H
#define DLZ_TRAIN_SCHEDULE_H

#include "base/part.h"
#include "tensor/settings.h"

#include <dlviz/schedule.h>

#include <jansson.h>

/* How far a schedule is. */
typedef struct dlz_schedule_clock {
    int64_t epochs;          /* that ended since it began */
    int64_t epoch_steps;     /* done in the epoch under way, also before it began */
    int64_t steps;           /* since it began */
    int64_t steps_per_epoch; /* of the epoch under way; 0: never asked before a step */
    double start;            /* what part of its first epoch was over when it began */
} dlz_schedule_clock;

/* What there is to know where a rate is wanted. */
struct dlviz_schedule_event {
    double done, unit; /* time since the schedule began, as its pace counts, and that of a step */
    double epochs;     /* the same time in epochs, to the step */
    int64_t steps;
    double base; /* the rate at which it began */
    double rate; /* the present one */
    double loss; /* of the last epoch; NaN: none, or none that is a number */
};

/* What all schedules of a kind have in common. What is optional may be NULL. */
typedef struct dlz_schedule_type {
    const char *name;
    size_t size;     /* of the struct that begins with a dlviz_schedule */
    dlviz_pace pace; /* unless set */
    /* Optional: the settings as files keep them; the last has no name. */
    const dlz_setting *settings;
    /* Optional: fails when settings are out of range; a message starts after "dlviz_<type>: ". */
    dlviz_status (*check)(const dlviz_schedule *schedule);
    /* Whether the loss decides: a run that goes on must have the same one, of training or of
     * validation. */
    bool follows_loss;

    /* One of these two. A function of time: the rate of the step to come. */
    double (*rate)(const dlviz_schedule *schedule, const dlviz_schedule_event *event);
    /* By the loss: the rate that follows `learning_rate` after an epoch. It cannot fail, and goes by
     * epochs. */
    double (*after_epoch)(dlviz_schedule *schedule, double loss, double learning_rate);

    /* Optional: what it remembers besides its clock, which checkpoints keep: integers, 0 or more,
     * and reals; the last has no name. */
    const dlz_setting *memory;
    /* Where another schedule follows: whether it is over. */
    bool (*is_over)(const dlviz_schedule *schedule, double done);
    /* Optional: frees what the struct points to. */
    void (*destroy)(dlviz_schedule *schedule);
} dlz_schedule_type;

struct dlviz_schedule {
    dlz_part part; /* owned by a trainer or another schedule, or not */
    const dlz_schedule_type *type;
    dlviz_pace pace;
    dlviz_schedule *then; /* what follows, and is owned; mostly NULL */
    bool asking;          /* a user's function is at work */
    /* memory */
    double base; /* the rate at which it began */
    double loss; /* of the last epoch; infinite: none, or none that is a number */
    dlz_schedule_clock clock;
};

extern const dlz_noun dlz_schedule_noun;

/* -- For schedules' files ------------------------------------------------------------------------
 */

/* A schedule of type->size bytes with settings and memory zero; NULL when out of memory. */
dlviz_schedule *dlz_schedule_create(const dlz_schedule_type *type);
/* Ends a constructor: checks the settings, and lets the schedule remember what is wrong. */
dlviz_schedule *dlz_schedule_checked(dlviz_schedule *schedule);
/* For setters: as dlz_part_set. */
dlviz_status dlz_schedule_set(const char *who, dlviz_schedule *schedule,
                              const dlz_schedule_type *type, size_t offset, const void *value,
                              size_t size);
/* The schedule as one of the type, or NULL: for getters. */
const void *dlz_schedule_as(const dlviz_schedule *schedule, const dlz_schedule_type *type);

/* For getters: the double at `offset`, or NaN when the schedule is none of the type. */
double dlz_schedule_real(const dlviz_schedule *schedule, const dlz_schedule_type *type,
                         size_t offset);

/* Ends the constructor of one that another follows: takes that over, or destroys it, and lets the
 * schedule remember why. The schedule may be NULL. */
void dlz_schedule_take(dlviz_schedule *schedule, const char *who, dlviz_schedule *then);
/* Times are sums and quotients: one that is whole but for rounding is taken as whole, and one that is
 * reached but for rounding as reached. */
double dlz_schedule_whole(double count);
bool dlz_schedule_reached(double done, double time);
/* Checks that many need; a message starts with `what`. */
dlviz_status dlz_schedule_check_above(const char *what, double value);
dlviz_status dlz_schedule_check_minimum(double minimum);

/* -- For trainers --------------------------------------------------------------------------------
 */

/* Before each step of the optimizer, best before the batch it belongs to: *next receives the step's
 * rate, where `learning_rate` is the present one, after `steps` of `steps_per_epoch` in the epoch
 * under way. The rate is set only where the step is made: as long as none was, each call begins the
 * schedule, at the rate of that moment. A repeated call changes nothing. Fails when a user's function
 * gives no rate. */
dlviz_status dlz_schedule_before_step(dlviz_schedule *schedule, double learning_rate, int64_t steps,
                                      int64_t steps_per_epoch, double *next);
/* A loss as schedules remember it. */
double dlz_schedule_kept_loss(double loss);
/* After each step. */
void dlz_schedule_after_step(dlviz_schedule *schedule);
/* After each epoch, which says nothing to one that was never asked; fails as
 * dlz_schedule_before_step does, and then changes nothing. */
dlviz_status dlz_schedule_after_epoch(dlviz_schedule *schedule, double loss, double learning_rate,
                                      double *next);
/* Fails with DLVIZ_ERROR_STATE where it has begun, in a loop of the user's own. */
dlviz_status dlz_schedule_check_new(const dlviz_schedule *schedule, const char *who);
/* Fails with DLVIZ_ERROR_STATE while its own function is at work. NULL is allowed. */
dlviz_status dlz_schedule_check_idle(const dlviz_schedule *schedule, const char *who);

/* What a run that goes on must have the same, as a new JSON object; NULL when out of memory.
 * `schedule` is NULL for none; `validated`: it is told the validation loss, not the training loss.
 */
json_t *dlz_schedule_settings(const dlviz_schedule *schedule, bool validated);
/* The memory as so many 64-bit words, integers and the bits of doubles; 0 for no schedule. */
int64_t dlz_schedule_num_words(const dlviz_schedule *schedule);
void dlz_schedule_give_words(const dlviz_schedule *schedule, int64_t *words);
/* Fails with DLVIZ_ERROR_FORMAT, naming it, where one can be no memory of a schedule. */
dlviz_status dlz_schedule_check_words(const dlviz_schedule *schedule, const int64_t *words);
void dlz_schedule_take_words(dlviz_schedule *schedule, const int64_t *words);

#endif
