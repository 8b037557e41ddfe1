/* Everything that training goes on from, in one .safetensors file. Real numbers are kept as the
 * bits of a double in an int64, so that a resumed run is the same run. */
#include "base/base.h"
#include "tensor/tensor.h"
#include "network/network.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/trainer.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FORMAT "dlviz checkpoint 1"

/* The numbers of "trainer.state", in this order. */
typedef struct trainer_state {
    int64_t num_epochs, samples, num_batches, batches_done, samples_done, correct, step;
    int64_t optimizer_steps, schedule_bad, schedule_cooldown;
    double learning_rate, loss_sum, seconds, schedule_best;
} trainer_state;

#define STATE_WORDS ((int64_t)(sizeof(trainer_state) / sizeof(int64_t)))

static trainer_state take_stock(const dlviz_trainer *trainer) {
    const dlviz_schedule *schedule = trainer->schedule;
    return (trainer_state){.num_epochs = trainer->num_epochs,
                           .samples = trainer->samples,
                           .num_batches = trainer->num_batches,
                           .batches_done = trainer->batches_done,
                           .samples_done = trainer->samples_done,
                           .correct = trainer->correct,
                           .step = trainer->step,
                           .optimizer_steps = trainer->optimizer->steps,
                           .schedule_bad = schedule ? schedule->bad_epochs : 0,
                           .schedule_cooldown = schedule ? schedule->cooldown_left : 0,
                           .learning_rate = trainer->optimizer->learning_rate,
                           .loss_sum = trainer->loss_sum,
                           .seconds = trainer->seconds,
                           .schedule_best = schedule ? schedule->best : 0};
}

static dlviz_status add_words(dlviz_safetensors *set, const char *name, int64_t rows,
                              int64_t columns, const void *words) {
    dlviz_tensor *tensor;
    DLZ_TRY(dlz_tensor_create_raw(&tensor, DLVIZ_INT64, 2, (int64_t[]){rows, columns}));
    if (rows > 0)
        memcpy(tensor->data, words, (size_t)(rows * columns) * sizeof(int64_t));
    dlviz_status status = dlviz_safetensors_add(set, name, tensor);
    dlviz_tensor_destroy(tensor);
    return status;
}

static dlviz_status set_number(dlviz_safetensors *set, const char *key, uint64_t number) {
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, number);
    return dlviz_safetensors_set_metadata(set, key, text);
}

static dlviz_status fill(const dlviz_trainer *trainer, dlviz_safetensors *set) {
    trainer_state state = take_stock(trainer);
    DLZ_TRY(dlviz_safetensors_set_metadata(set, "format", FORMAT));
    DLZ_TRY(
        dlviz_safetensors_set_metadata(set, "optimizer", dlz_rule_name(trainer->optimizer->rule)));
    DLZ_TRY(
        dlviz_safetensors_set_metadata(set, "schedule", trainer->schedule ? "plateau" : "none"));
    DLZ_TRY(set_number(set, "batch_size", (uint64_t)trainer->batch_size));
    DLZ_TRY(set_number(set, "seed", trainer->seed));
    DLZ_TRY(dlz_network_add_states(trainer->network, set));
    DLZ_TRY(dlz_optimizer_add_states(trainer->optimizer, set));
    DLZ_TRY(add_words(set, "trainer.state", 1, STATE_WORDS, &state));
    return add_words(set, "trainer.history", trainer->num_epochs, DLZ_NUM_METRICS,
                     trainer->history);
}

/* Gives the present file a second name, so that one good checkpoint exists at every moment. */
static dlviz_status keep_previous(const char *path) {
    char *previous = dlz_format("%s.previous", path);
    if (!previous)
        return dlz_fail_memory("a file name", strlen(path));
    dlviz_status status = DLVIZ_OK;
    struct stat info;
    /* A folder is not moved out of the way: writing will refuse it. */
    if (stat(path, &info) == 0 && S_ISREG(info.st_mode)) {
        unlink(previous);
        /* What a symbolic link points to is what will be replaced. A file system without hard
         * links: the file moves instead. */
        if (linkat(AT_FDCWD, path, AT_FDCWD, previous, AT_SYMLINK_FOLLOW) != 0 &&
            rename(path, previous) != 0)
            status = dlz_fail_io("cannot keep the earlier checkpoint as", previous, errno);
    }
    dlz_free(previous);
    return status;
}

dlviz_status dlviz_trainer_save_checkpoint(const dlviz_trainer *trainer, const char *path) {
    DLZ_REQUIRE(trainer);
    DLZ_REQUIRE(path);
    dlviz_safetensors *set;
    DLZ_TRY(dlviz_safetensors_create(&set));
    dlviz_status status = fill(trainer, set);
    if (status == DLVIZ_OK)
        status = keep_previous(path);
    if (status == DLVIZ_OK)
        status = dlviz_safetensors_write(set, path);
    dlviz_safetensors_destroy(set);
    return status;
}

static dlviz_status require_text(const dlviz_safetensors *set, const char *key,
                                 const char *wanted) {
    const char *found = dlviz_safetensors_metadata(set, key);
    if (found && strcmp(found, wanted) == 0)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_FORMAT, "it was written with %s '%s', this trainer has '%s'", key,
                    found ? found : "none", wanted);
}

static dlviz_status require_number(const dlviz_safetensors *set, const char *key, uint64_t wanted) {
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, wanted);
    return require_text(set, key, text);
}

static dlviz_status check_settings(const dlviz_trainer *trainer, const dlviz_safetensors *set) {
    const char *format = dlviz_safetensors_metadata(set, "format");
    if (!format || strcmp(format, FORMAT) != 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "this is no checkpoint (its format is '%s', not '%s')",
                        format ? format : "none", FORMAT);
    DLZ_TRY(require_text(set, "optimizer", dlz_rule_name(trainer->optimizer->rule)));
    DLZ_TRY(require_text(set, "schedule", trainer->schedule ? "plateau" : "none"));
    DLZ_TRY(require_number(set, "batch_size", (uint64_t)trainer->batch_size));
    return require_number(set, "seed", trainer->seed);
}

static bool starts_with(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

/* The checkpoint's network has the layers of this one, and no others. */
static dlviz_status check_names(const dlviz_network *network, const dlviz_safetensors *set) {
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        if (state->spec.dtype == DLVIZ_FLOAT32 && !dlviz_safetensors_has(set, state->name))
            return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is missing", state->name);
    }
    for (int64_t i = 0; i < dlviz_safetensors_count(set); i++) {
        const char *name = dlviz_safetensors_name(set, i);
        bool known = starts_with(name, "optimizer.") || starts_with(name, "trainer.");
        for (int j = 0; !known && j < network->num_states; j++)
            known = strcmp(name, network->states[j].name) == 0;
        if (!known)
            return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is not part of this network", name);
    }
    return DLVIZ_OK;
}

static dlviz_status get_words(const dlviz_safetensors *set, const char *name, int64_t columns,
                              dlviz_tensor **words) {
    DLZ_TRY(dlviz_safetensors_get(set, name, words));
    const dlviz_tensor *found = *words;
    if (found->dtype == DLVIZ_INT64 && found->ndim == 2 && found->dims[1] == columns)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' has not the shape it should have", name);
}

/* Far more than any training counts, and far from where counting on would overflow. */
static bool is_count(int64_t number) {
    return number >= 0 && number <= INT64_MAX / 4;
}

static bool is_sane(const trainer_state *state, const dlviz_trainer *trainer, int64_t epochs) {
    return state->num_epochs == epochs && epochs < INT32_MAX / 2 && is_count(state->samples) &&
           state->num_batches == dlz_ceil_div(state->samples, trainer->batch_size) &&
           state->batches_done >= 0 && state->batches_done <= state->num_batches &&
           state->samples_done ==
               dlz_min_i64(state->batches_done * trainer->batch_size, state->samples) &&
           is_count(state->correct) && state->correct <= state->samples_done &&
           is_count(state->optimizer_steps) && is_count(state->step) &&
           is_count(state->schedule_bad) && is_count(state->schedule_cooldown) &&
           state->learning_rate >= 0 && isfinite(state->learning_rate) &&
           isfinite(state->loss_sum) && state->seconds >= 0;
}

static void apply(dlviz_trainer *trainer, const trainer_state *state, const dlviz_tensor *history) {
    trainer->num_epochs = (int)state->num_epochs;
    if (state->num_epochs > 0)
        memcpy(trainer->history, history->data, (size_t)history->size * sizeof(double));
    trainer->samples = state->samples;
    trainer->num_batches = state->num_batches;
    trainer->batches_done = state->batches_done;
    trainer->samples_done = state->samples_done;
    trainer->correct = state->correct;
    trainer->step = state->step;
    trainer->loss_sum = state->loss_sum;
    trainer->seconds = state->seconds;
    trainer->optimizer->steps = state->optimizer_steps;
    trainer->optimizer->learning_rate = state->learning_rate;
    if (trainer->schedule) {
        trainer->schedule->best = state->schedule_best;
        trainer->schedule->bad_epochs = state->schedule_bad;
        trainer->schedule->cooldown_left = state->schedule_cooldown;
    }
}

/* Everything that can fail comes before the first change. */
static dlviz_status restore(dlviz_trainer *trainer, const dlviz_safetensors *set,
                            dlviz_tensor **words, dlviz_tensor **history) {
    DLZ_TRY(check_settings(trainer, set));
    DLZ_TRY(check_names(trainer->network, set));
    DLZ_TRY(get_words(set, "trainer.state", STATE_WORDS, words));
    DLZ_TRY(get_words(set, "trainer.history", DLZ_NUM_METRICS, history));
    trainer_state state = {0};
    if ((*words)->dims[0] == 1)
        memcpy(&state, (*words)->data, sizeof state);
    if ((*words)->dims[0] != 1 || !is_sane(&state, trainer, (*history)->dims[0]))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'trainer.state' contradicts itself");
    DLZ_TRY(dlz_trainer_grow_history(trainer, (int)state.num_epochs));
    dlz_optimizer_moments moments;
    DLZ_TRY(dlz_optimizer_read_moments(trainer->optimizer, trainer->network, set, &moments));
    dlviz_status status = dlz_network_take_states(trainer->network, set, true);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(moments.first);
        dlviz_tensor_destroy(moments.second);
        return status;
    }
    dlz_optimizer_take_moments(trainer->optimizer, &moments);
    apply(trainer, &state, *history);
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_load_checkpoint(dlviz_trainer *trainer, const char *path) {
    DLZ_REQUIRE(trainer);
    DLZ_TRY(dlz_trainer_require_idle(trainer, __func__));
    DLZ_REQUIRE(path);
    dlviz_safetensors *set;
    DLZ_TRY(dlviz_safetensors_read(&set, path));
    dlviz_tensor *words = NULL, *history = NULL;
    dlviz_status status = restore(trainer, set, &words, &history);
    dlviz_tensor_destroy(words);
    dlviz_tensor_destroy(history);
    dlviz_safetensors_destroy(set);
    return status == DLVIZ_OK ? DLVIZ_OK : dlz_fail_within(status, "cannot resume from '%s'", path);
}
