/* What checkpoints keep of schedules: settings as JSON, memory as words. */
#include "base/base.h"
#include "train/schedule.h"

#include <assert.h>
#include <math.h>
#include <string.h>

/* -- Settings ------------------------------------------------------------------------------------
 */

/* Takes `value`. Both may be NULL for want of memory. */
static bool add(json_t *object, const char *name, json_t *value) {
    return json_object_set_new(object, name, value) == 0;
}

/* What follows is named in front of its settings, so that the one that differs can be named. */
static bool add_follower(json_t *object, json_t *others) {
    const char *name;
    json_t *value;
    bool whole = others != NULL;
    json_object_foreach(others, name, value) {
        char *full = dlz_format("then.%s", name);
        whole = whole && full && json_object_set(object, full, value) == 0;
        dlz_free(full);
    }
    json_decref(others);
    return whole;
}

json_t *dlz_schedule_settings(const dlviz_schedule *schedule, bool validated) {
    static const char *const paces[] = {
        [DLVIZ_PACE_EPOCH] = "epoch", [DLVIZ_PACE_SMOOTH] = "smooth", [DLVIZ_PACE_STEP] = "step"};
    if (!schedule)
        return json_pack("{s:s}", "type", "none");
    const dlz_schedule_type *type = schedule->type;
    json_t *object = dlz_settings_write_typed(type->name, type->settings, schedule);
    const char *metric = validated ? "validation loss" : "training loss";
    bool whole = add(object, "pace", json_string(paces[schedule->pace]));
    if (type->follows_loss)
        whole = whole && add(object, "metric", json_string(metric));
    if (schedule->then)
        whole = whole && add_follower(object, dlz_schedule_settings(schedule->then, validated));
    if (whole)
        return object;
    json_decref(object);
    return NULL;
}

/* -- Memory --------------------------------------------------------------------------------------
 */

/* After a schedule's own memory comes this of each; after that, the memory of what follows. */
static const dlz_setting common[] = {
    {"base rate", DLZ_SETTING_REAL, offsetof(dlviz_schedule, base), false},
    {"last loss", DLZ_SETTING_REAL, offsetof(dlviz_schedule, loss), false},
    {"number of epochs", DLZ_SETTING_INTEGER, offsetof(dlviz_schedule, clock.epochs), false},
    {"number of steps in the epoch", DLZ_SETTING_INTEGER,
     offsetof(dlviz_schedule, clock.epoch_steps), false},
    {"number of steps", DLZ_SETTING_INTEGER, offsetof(dlviz_schedule, clock.steps), false},
    {"number of steps of an epoch", DLZ_SETTING_INTEGER,
     offsetof(dlviz_schedule, clock.steps_per_epoch), false},
    {"start", DLZ_SETTING_REAL, offsetof(dlviz_schedule, clock.start), false},
};

enum { NUM_COMMON = sizeof common / sizeof *common };

static int64_t num_own(const dlviz_schedule *schedule) {
    const dlz_setting *memory = schedule->type->memory;
    int64_t count = 0;
    while (memory && memory[count].name)
        count++;
    return count;
}

/* The memory that word `index` holds, and whose it is. */
static const dlz_setting *find(const dlviz_schedule **schedule, int64_t index) {
    int64_t own = num_own(*schedule);
    if (index < own)
        return &(*schedule)->type->memory[index];
    if (index < own + NUM_COMMON)
        return &common[index - own];
    *schedule = (*schedule)->then;
    assert(*schedule);
    return find(schedule, index - own - NUM_COMMON);
}

int64_t dlz_schedule_num_words(const dlviz_schedule *schedule) {
    return schedule ? num_own(schedule) + NUM_COMMON + dlz_schedule_num_words(schedule->then) : 0;
}

void dlz_schedule_give_words(const dlviz_schedule *schedule, int64_t *words) {
    for (int64_t i = 0; i < dlz_schedule_num_words(schedule); i++) {
        const dlviz_schedule *owner = schedule;
        const dlz_setting *memory = find(&owner, i);
        memcpy(&words[i], (const char *)owner + memory->offset, sizeof *words);
    }
}

dlviz_status dlz_schedule_check_words(const dlviz_schedule *schedule, const int64_t *words) {
    for (int64_t i = 0; i < dlz_schedule_num_words(schedule); i++) {
        const dlviz_schedule *owner = schedule;
        const dlz_setting *memory = find(&owner, i);
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
    for (int64_t i = 0; i < dlz_schedule_num_words(schedule); i++) {
        const dlviz_schedule *owner = schedule;
        const dlz_setting *memory = find(&owner, i);
        char *place = (char *)(owner == schedule ? schedule : schedule->then) + memory->offset;
        memcpy(place, &words[i], sizeof *words);
    }
}
