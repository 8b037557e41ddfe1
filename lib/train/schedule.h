/* train/schedule.h - what a schedule is to the library: a type, which says everything about the
 * schedules of its kind, and settings and memory, which are the schedule's own.
 *
 * A schedule's file (lib/train/schedules/) defines a struct that begins with a dlviz_schedule, the
 * constructor and setters of that struct, and a dlz_schedule_type. Nothing else in the library knows
 * the kind. */
#ifndef DLZ_TRAIN_SCHEDULE_H
#define DLZ_TRAIN_SCHEDULE_H

#include "base/part.h"
#include "graph/layer.h"

#include <dlviz/schedule.h>

#include <jansson.h>

/* What all schedules of a kind have in common. What is optional may be NULL. */
typedef struct dlz_schedule_type {
    const char *name;
    size_t size; /* of the struct that begins with a dlviz_schedule */
    /* Optional: the settings as files keep them; the last has no name. */
    const dlz_setting *settings;
    /* Optional: fails when settings are out of range; a message starts after "dlviz_<type>: ". */
    dlviz_status (*check)(const dlviz_schedule *schedule);
    /* Whether the loss decides: a run that goes on must have the same one, of training or of
     * validation. */
    bool follows_loss;
    /* Optional: what it remembers of earlier epochs, which checkpoints keep: integers, 0 or more,
     * and reals; the last has no name. */
    const dlz_setting *memory;
    /* The rate that follows `learning_rate` after an epoch of this loss. */
    double (*after_epoch)(dlviz_schedule *schedule, double loss, double learning_rate);
} dlz_schedule_type;

struct dlviz_schedule {
    dlz_part part; /* owned by a trainer, or not */
    const dlz_schedule_type *type;
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

/* -- For trainers --------------------------------------------------------------------------------
 */

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
