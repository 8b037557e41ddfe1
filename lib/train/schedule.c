/* What all schedules share: making and describing them, and what they remember. */
#include "train/schedule.h"
#include "base/base.h"
#include "train/optimizer.h"

#include <math.h>
#include <string.h>

static dlviz_status check(const dlz_part *part) {
    const dlviz_schedule *schedule = (const dlviz_schedule *)part;
    return schedule->type->check ? schedule->type->check(schedule) : DLVIZ_OK;
}

const dlz_noun dlz_schedule_noun = {"schedule", "trainer", "dlviz_trainer_set_schedule", check};

dlviz_schedule *dlz_schedule_create(const dlz_schedule_type *type) {
    dlviz_schedule *schedule = dlz_alloc_zero(type->size);
    if (!schedule) {
        dlz_fail_memory(type->name, type->size);
        return NULL;
    }
    schedule->part = (dlz_part){.noun = &dlz_schedule_noun, .kind = type->name};
    schedule->type = type;
    return schedule;
}

void dlviz_schedule_destroy(dlviz_schedule *schedule) {
    if (schedule && !schedule->part.owned)
        dlz_free(schedule);
}

dlviz_schedule *dlz_schedule_checked(dlviz_schedule *schedule) {
    if (schedule)
        dlz_part_check(&schedule->part);
    return schedule;
}

dlviz_status dlz_schedule_set(const char *who, dlviz_schedule *schedule,
                              const dlz_schedule_type *type, size_t offset, const void *value,
                              size_t size) {
    return dlz_part_set(who, &dlz_schedule_noun, (dlz_part *)schedule, type->name, offset, value,
                        size);
}

const void *dlz_schedule_as(const dlviz_schedule *schedule, const dlz_schedule_type *type) {
    return schedule && schedule->type == type ? schedule : NULL;
}

dlviz_status dlviz_schedule_next(dlviz_schedule *schedule, double loss, double learning_rate,
                                 double *next) {
    dlz_give(next, NAN);
    DLZ_REQUIRE(schedule);
    DLZ_REQUIRE(next);
    DLZ_TRY(dlz_part_first_error(&schedule->part));
    if (schedule->part.owned)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: the schedule belongs to a trainer, which asks it after each epoch",
                        __func__);
    DLZ_TRY(dlz_check_learning_rate(__func__, learning_rate));
    *next = schedule->type->after_epoch(schedule, loss, learning_rate);
    return DLVIZ_OK;
}

/* -- In checkpoints ------------------------------------------------------------------------------
 */

json_t *dlz_schedule_settings(const dlviz_schedule *schedule, bool validated) {
    if (!schedule)
        return json_pack("{s:s}", "type", "none");
    const dlz_schedule_type *type = schedule->type;
    json_t *object = dlz_settings_write_typed(type->name, type->settings, schedule);
    const char *metric = validated ? "validation loss" : "training loss";
    if (!type->follows_loss || json_object_set_new(object, "metric", json_string(metric)) == 0)
        return object;
    json_decref(object);
    return NULL;
}

int64_t dlz_schedule_num_words(const dlviz_schedule *schedule) {
    const dlz_setting *memory = schedule ? schedule->type->memory : NULL;
    int64_t count = 0;
    while (memory && memory[count].name)
        count++;
    return count;
}

void dlz_schedule_give_words(const dlviz_schedule *schedule, int64_t *words) {
    for (int64_t i = 0; i < dlz_schedule_num_words(schedule); i++)
        memcpy(&words[i], (const char *)schedule + schedule->type->memory[i].offset, sizeof *words);
}

dlviz_status dlz_schedule_check_words(const dlviz_schedule *schedule, const int64_t *words) {
    for (int64_t i = 0; i < dlz_schedule_num_words(schedule); i++) {
        const dlz_setting *memory = &schedule->type->memory[i];
        double real;
        memcpy(&real, &words[i], sizeof real);
        if (memory->kind == DLZ_SETTING_REAL ? isnan(real)
                                             : words[i] < 0 || words[i] > INT64_MAX / 4)
            return dlz_fail(DLVIZ_ERROR_FORMAT, "the schedule's %s is not a number it can have",
                            memory->name);
    }
    return DLVIZ_OK;
}

void dlz_schedule_take_words(dlviz_schedule *schedule, const int64_t *words) {
    for (int64_t i = 0; i < dlz_schedule_num_words(schedule); i++)
        memcpy((char *)schedule + schedule->type->memory[i].offset, &words[i], sizeof *words);
}
