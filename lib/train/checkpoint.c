/* Everything that training goes on from, in one .safetensors file. Real numbers are kept as the
 * bits of a double in an int64, so that a resumed run is the same run; settings are JSON in the
 * metadata, so that a difference can be named. */
#include "base/base.h"
#include "network/network.h"
#include "tensor/safetensors.h"
#include "tensor/tensor.h"
#include "train/checkpoint.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/trainer.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define STATE ".trainer.state"
#define HISTORY ".trainer.history"
#define SUMS ".trainer.sums"
#define MEMORY ".schedule.memory"
/* Before the names of states. No layer's name begins with '.', so that one called "average.fc"
 * does not get in the way of the average of another. */
#define AVERAGE ".average."
#define BEST ".best."
#define ACCUMULATED ".accumulated."

/* The numbers of STATE, in this order. */
typedef struct trainer_state {
    int64_t num_epochs, samples, num_batches, batches_done, samples_done, step;
    int64_t optimizer_steps;
    double learning_rate, loss_sum, loss_norm, seconds;
    int64_t train_mark;
    int64_t averaged; /* whether there is an average */
    int64_t accumulated;
    double accumulated_norm;
    double best;
    int64_t num_best_epochs; /* up to the best one */
    int64_t bad_epochs, due;
    double step_rate, gradient_norm; /* of the last step; NaN: none was made, or nobody asked */
} trainer_state;

#define STATE_WORDS ((int64_t)(sizeof(trainer_state) / sizeof(int64_t)))

/* What was read from a checkpoint and checked, ready to be put in place. */
typedef struct contents {
    trainer_state state;
    dlviz_tensor *history, *sums, *memory;
    dlz_optimizer_moments moments;
    dlviz_tensor **states;
    dlz_snapshot average, best;
    float *accumulated;
    dlz_data_description data;
} contents;

/* -- Writing -------------------------------------------------------------------------------------
 */

static trainer_state take_stock(const dlviz_trainer *trainer) {
    return (trainer_state){.num_epochs = trainer->num_epochs,
                           .samples = trainer->samples,
                           .num_batches = trainer->num_batches,
                           .batches_done = trainer->batches_done,
                           .samples_done = trainer->samples_done,
                           .step = trainer->step,
                           .optimizer_steps = trainer->optimizer->steps,
                           .learning_rate = trainer->optimizer->learning_rate,
                           .loss_sum = trainer->tally.loss,
                           .loss_norm = trainer->tally.norm,
                           .seconds = trainer->seconds,
                           .train_mark = dlz_trainer_train_mark(trainer),
                           .averaged = trainer->averaging.begun,
                           .accumulated = trainer->accumulation.done,
                           .accumulated_norm = trainer->accumulation.norm,
                           .best = trainer->stopping.best,
                           .num_best_epochs = trainer->stopping.best_epoch + 1,
                           .bad_epochs = trainer->stopping.bad_epochs,
                           .due = trainer->stopping.due,
                           .step_rate = trainer->event.learning_rate,
                           .gradient_norm = trainer->event.gradient_norm};
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

/* The schedule's memory, where it has one. */
static dlviz_status add_memory(dlviz_safetensors *set, const dlviz_schedule *schedule) {
    int64_t count = dlz_schedule_num_words(schedule);
    if (count == 0)
        return DLVIZ_OK;
    int64_t *words = dlz_alloc_array((uint64_t)count, sizeof *words);
    if (!words)
        return dlz_fail_memory("a schedule's memory", (uint64_t)count * sizeof *words);
    dlz_schedule_give_words(schedule, words);
    dlviz_status status = add_words(set, MEMORY, 1, count, words);
    dlz_free(words);
    return status;
}

/* What decides over batches and masks. A seed needs all 64 bits, which JSON's numbers have not. */
static json_t *trainer_settings(const dlviz_trainer *trainer) {
    char seed[32];
    snprintf(seed, sizeof seed, "%" PRIu64, trainer->seed);
    return json_pack("{s:I,s:b,s:s,s:o,s:o}", "batch_size", (json_int_t)trainer->batch_size,
                     "drop_last", trainer->drop_last, "seed", seed, "metrics",
                     dlz_trainer_metric_names(trainer), "frozen",
                     dlz_network_frozen_names(trainer->network));
}

/* What is made of gradients. */
static json_t *step_settings(const dlviz_trainer *trainer) {
    return json_pack("{s:I,s:f,s:f,s:f}", "accumulation", (json_int_t)trainer->accumulation.batches,
                     "clip_norm", trainer->clip_norm, "clip_value", trainer->clip_value,
                     "averaging", trainer->averaging.decay);
}

static json_t *stopping_settings(const dlviz_trainer *trainer) {
    const dlz_stopping *stopping = &trainer->stopping;
    if (!stopping->figure)
        return json_pack("{s:s}", "figure", "none");
    return json_pack("{s:s,s:s,s:I,s:f}", "figure", stopping->figure, "better",
                     stopping->better == DLVIZ_BETTER_LOWER ? "lower" : "higher", "patience",
                     (json_int_t)stopping->patience, "threshold", stopping->threshold);
}

static json_t *loss_settings(const dlviz_trainer *trainer) {
    return dlz_loss_settings(trainer->network->loss);
}

static json_t *optimizer_settings(const dlviz_trainer *trainer) {
    return dlz_optimizer_settings(trainer->optimizer);
}

static json_t *schedule_settings(const dlviz_trainer *trainer) {
    return dlz_schedule_settings(trainer->schedule, trainer->validation != NULL);
}

/* Besides the network's architecture, all that a run must have in common with the one it goes on
 * from. What may change between them: the learning rate, which is state; how many epochs there will
 * be; the validation set, if no schedule looks at it; callbacks and threads. */
static const struct {
    const char *key;
    json_t *(*settings)(const dlviz_trainer *trainer);
} parts[] = {{"loss", loss_settings},
             {"optimizer", optimizer_settings},
             {"schedule", schedule_settings},
             {"trainer", trainer_settings},
             {"trainer's steps", step_settings},
             {"trainer's early stopping", stopping_settings}};

enum { NUM_PARTS = sizeof parts / sizeof *parts };

static dlviz_status fill(const dlviz_trainer *trainer, dlviz_safetensors *set) {
    trainer_state state = take_stock(trainer);
    DLZ_TRY(dlz_require_states(trainer->network, "a checkpoint"));
    if (trainer->optimizer->spreads.count > 0)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "processes that train together have each some of the optimizer's moments "
                        "until the epoch ends; dlviz_trainer_gather puts them together");
    DLZ_TRY(dlviz_safetensors_set_metadata(set, "format", DLZ_CHECKPOINT_FORMAT));
    DLZ_TRY(dlz_network_add_architecture(trainer->network, set));
    for (int i = 0; i < NUM_PARTS; i++)
        DLZ_TRY(dlz_safetensors_set_json(set, parts[i].key, parts[i].settings(trainer)));
    DLZ_TRY(dlz_network_add_states(trainer->network, set));
    DLZ_TRY(dlz_optimizer_add_states(trainer->optimizer, set));
    if (state.averaged)
        DLZ_TRY(dlz_snapshot_add(&trainer->averaging.states, trainer->network, AVERAGE, set));
    if (state.num_best_epochs > 0)
        DLZ_TRY(dlz_snapshot_add(&trainer->stopping.states, trainer->network, BEST, set));
    if (state.accumulated > 0)
        DLZ_TRY(dlz_network_add_block(trainer->network, trainer->accumulation.gradients,
                                      ACCUMULATED, set));
    DLZ_TRY(add_words(set, STATE, 1, STATE_WORDS, &state));
    DLZ_TRY(add_memory(set, trainer->schedule));
    DLZ_TRY(add_words(set, SUMS, 1, trainer->num_sums, trainer->tally.sums));
    DLZ_TRY(add_words(set, HISTORY, trainer->num_epochs, trainer->num_figures, trainer->history));
    return dlz_safetensors_add_checksums(set);
}

static dlviz_status require_same(dlviz_comm *comm, const char *who, const char *what,
                                 json_t *settings) {
    char *text = dlz_json_text(settings, JSON_COMPACT | JSON_SORT_KEYS);
    json_decref(settings);
    dlviz_status status = text ? DLVIZ_OK : dlz_fail_memory("settings", 0);
    status = dlz_comm_agree(comm, status);
    if (status == DLVIZ_OK)
        status = dlz_comm_require_same(comm, who, what, text);
    dlz_free(text);
    return status;
}

dlviz_status dlz_checkpoint_require_same(const dlviz_trainer *trainer, const char *who,
                                         dlviz_comm *comm) {
    DLZ_TRY(require_same(comm, who, "the network", dlz_network_describe(trainer->network)));
    for (int i = 0; i < NUM_PARTS; i++)
        DLZ_TRY(require_same(comm, who, parts[i].key, parts[i].settings(trainer)));
    return DLVIZ_OK;
}

/* -- Reading -------------------------------------------------------------------------------------
 */

static dlviz_status check_format(const dlviz_safetensors *set) {
    const char *format = dlviz_safetensors_metadata(set, "format");
    if (format && strcmp(format, DLZ_CHECKPOINT_FORMAT) == 0)
        return DLVIZ_OK;
    if (format && strncmp(format, DLZ_CHECKPOINT_START, strlen(DLZ_CHECKPOINT_START)) == 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "it is a '%s', of another version of libdlviz; this one reads "
                        "'" DLZ_CHECKPOINT_FORMAT "'",
                        format);
    return dlz_fail(DLVIZ_ERROR_FORMAT,
                    "this is no checkpoint (its format is '%s', not '" DLZ_CHECKPOINT_FORMAT "')",
                    format ? format : "none");
}

static dlviz_status check_settings(const dlviz_trainer *trainer, const dlviz_safetensors *set) {
    DLZ_TRY(dlz_network_compare_architecture(trainer->network, set, true));
    for (int i = 0; i < NUM_PARTS; i++) {
        json_t *file, *here = parts[i].settings(trainer);
        if (!here)
            return dlz_fail_memory("settings", 0);
        dlviz_status status = dlz_safetensors_get_json(set, parts[i].key, &file);
        if (status == DLVIZ_OK)
            status = dlz_settings_compare(parts[i].key, file, here, NULL);
        json_decref(file);
        json_decref(here);
        DLZ_TRY(status);
    }
    return DLVIZ_OK;
}

/* Every state is there, and nothing that has no place in a checkpoint. */
static dlviz_status check_names(const dlviz_trainer *trainer, const dlviz_safetensors *set) {
    const dlviz_network *network = trainer->network;
    bool remembers = dlz_schedule_num_words(trainer->schedule) > 0;
    for (int i = 0; i < network->num_states; i++)
        if (!dlviz_safetensors_has(set, network->states[i].name))
            return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is missing", network->states[i].name);
    for (int64_t i = 0; i < dlviz_safetensors_num_tensors(set); i++) {
        const char *name = dlviz_safetensors_tensor_name(set, i);
        bool known = strcmp(name, STATE) == 0 || strcmp(name, HISTORY) == 0 ||
                     strcmp(name, SUMS) == 0 || (remembers && strcmp(name, MEMORY) == 0) ||
                     dlz_optimizer_owns(trainer->optimizer, network, name) ||
                     dlz_snapshot_owns(network, AVERAGE, name) ||
                     dlz_snapshot_owns(network, BEST, name) ||
                     dlz_snapshot_owns(network, ACCUMULATED, name);
        if (!known && !dlz_network_state(network, name))
            return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is not part of this network", name);
    }
    return DLVIZ_OK;
}

/* `rows` of −1: any number. */
static dlviz_status get_words(const dlviz_safetensors *set, const char *name, int64_t rows,
                              int64_t columns, dlviz_tensor **words) {
    *words = NULL;
    if (!dlviz_safetensors_has(set, name))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is missing", name);
    DLZ_TRY(dlviz_safetensors_get(set, name, words));
    const dlviz_tensor *found = *words;
    if (found->dtype == DLVIZ_INT64 && found->ndim == 2 && found->dims[1] == columns &&
        (rows < 0 || found->dims[0] == rows))
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' has not the shape it should have", name);
}

/* Far more than any training counts, and far from where counting on would overflow. */
static bool is_count(int64_t number) {
    return number >= 0 && number <= INT64_MAX / 4;
}

/* The average, the batches of the next step, and early stopping. */
static bool are_sane_extras(const trainer_state *state, const dlviz_trainer *trainer) {
    const dlz_stopping *stopping = &trainer->stopping;
    bool stops = stopping->figure != NULL;
    return (state->averaged == 0 || (state->averaged == 1 && trainer->averaging.decay > 0)) &&
           state->accumulated == (state->batches_done == state->num_batches
                                      ? 0
                                      : state->batches_done % trainer->accumulation.batches) &&
           state->accumulated_norm >= 0 && isfinite(state->accumulated_norm) &&
           state->num_best_epochs >= 0 && state->num_best_epochs <= state->num_epochs &&
           (state->num_best_epochs > 0) == (stops && !isnan(state->best)) &&
           is_count(state->bad_epochs) && (state->due == 0 || (state->due == 1 && stops));
}

/* What callbacks are told of the last step. */
static bool is_sane_step(const trainer_state *state) {
    return (isnan(state->step_rate) || dlz_is_learning_rate(state->step_rate)) &&
           (isnan(state->gradient_norm) ||
            (state->gradient_norm >= 0 && isfinite(state->gradient_norm)));
}

static bool is_sane(const trainer_state *state, const dlviz_trainer *trainer, int64_t epochs) {
    return state->num_epochs == epochs && epochs < INT32_MAX / 2 && is_count(state->samples) &&
           state->num_batches == dlz_trainer_count_batches(trainer, state->samples) &&
           state->batches_done >= 0 && state->batches_done <= state->num_batches &&
           state->samples_done ==
               dlz_min_i64(state->batches_done * trainer->batch_size, state->samples) &&
           is_count(state->optimizer_steps) && is_count(state->step) &&
           dlz_is_learning_rate(state->learning_rate) && isfinite(state->loss_sum) &&
           state->loss_norm >= 0 && isfinite(state->loss_norm) && isfinite(state->seconds) &&
           state->seconds >= 0 && are_sane_extras(state, trainer) && is_sane_step(state);
}

static dlviz_status read_state(const dlviz_trainer *trainer, const dlviz_safetensors *set,
                               int64_t epochs, trainer_state *state) {
    dlviz_tensor *words;
    dlviz_status status = get_words(set, STATE, 1, STATE_WORDS, &words);
    bool sane = status == DLVIZ_OK;
    if (sane) {
        memcpy(state, words->data, sizeof *state);
        sane = is_sane(state, trainer, epochs);
    }
    dlviz_tensor_destroy(words);
    DLZ_TRY(status);
    return sane ? DLVIZ_OK : dlz_fail(DLVIZ_ERROR_FORMAT, "'" STATE "' contradicts itself");
}

static dlviz_status read_memory(const dlviz_schedule *schedule, const dlviz_safetensors *set,
                                dlviz_tensor **memory) {
    int64_t count = dlz_schedule_num_words(schedule);
    if (count == 0)
        return DLVIZ_OK;
    DLZ_TRY(get_words(set, MEMORY, 1, count, memory));
    dlviz_status status = dlz_schedule_check_words(schedule, (*memory)->data);
    return status == DLVIZ_OK ? DLVIZ_OK : dlz_fail_within(status, "'" MEMORY "'");
}

static void drop(const dlviz_trainer *trainer, contents *c) {
    dlviz_tensor_destroy(c->history);
    dlviz_tensor_destroy(c->sums);
    dlviz_tensor_destroy(c->memory);
    dlz_optimizer_drop_moments(&c->moments);
    dlz_snapshot_release(&c->average);
    dlz_snapshot_release(&c->best);
    dlz_free(c->accumulated);
    dlz_network_drop_states(trainer->network, c->states);
    dlz_data_description_release(&c->data);
}

static dlviz_status read_copies(const dlviz_trainer *trainer, const dlviz_safetensors *set,
                                contents *c) {
    const dlviz_network *network = trainer->network;
    if (c->state.averaged)
        DLZ_TRY(dlz_snapshot_read(&c->average, network, AVERAGE, set));
    if (c->state.num_best_epochs > 0)
        DLZ_TRY(dlz_snapshot_read(&c->best, network, BEST, set));
    if (c->state.accumulated > 0)
        DLZ_TRY(dlz_network_read_block(network, ACCUMULATED, set, &c->accumulated));
    return DLVIZ_OK;
}

/* Checks all that can be wrong and changes nothing. Loading does this with a file, and saving with
 * what it would write, so that whatever is saved can be loaded. */
static dlviz_status read_all(const dlviz_trainer *trainer, const dlviz_safetensors *set,
                             contents *c) {
    *c = (contents){.history = NULL};
    DLZ_TRY(check_format(set));
    DLZ_TRY(check_settings(trainer, set));
    DLZ_TRY(check_names(trainer, set));
    dlviz_status status = get_words(set, HISTORY, -1, trainer->num_figures, &c->history);
    if (status == DLVIZ_OK)
        status = get_words(set, SUMS, 1, trainer->num_sums, &c->sums);
    if (status == DLVIZ_OK)
        status = read_memory(trainer->schedule, set, &c->memory);
    if (status == DLVIZ_OK)
        status = read_state(trainer, set, c->history->dims[0], &c->state);
    if (status == DLVIZ_OK)
        status = dlz_network_read_states(trainer->network, set, &c->states);
    if (status == DLVIZ_OK)
        status = dlz_optimizer_read_moments(trainer->optimizer, trainer->network, set,
                                            c->state.optimizer_steps, &c->moments);
    if (status == DLVIZ_OK)
        status = read_copies(trainer, set, c);
    if (status == DLVIZ_OK)
        status = dlz_network_read_data_description(trainer->network, set, &c->data);
    if (status != DLVIZ_OK)
        drop(trainer, c);
    return status;
}

/* What was read takes the place of what there is, which is dropped later. */
static void exchange(dlz_snapshot *one, dlz_snapshot *other) {
    dlz_snapshot kept = *one;
    *one = *other;
    *other = kept;
}

static void apply_copies(dlviz_trainer *trainer, contents *c) {
    const trainer_state *state = &c->state;
    trainer->averaging.begun = state->averaged;
    if (state->averaged)
        exchange(&trainer->averaging.states, &c->average);
    trainer->stopping.best = state->best;
    trainer->stopping.best_epoch = state->num_best_epochs - 1;
    trainer->stopping.bad_epochs = state->bad_epochs;
    trainer->stopping.due = state->due;
    if (state->num_best_epochs > 0)
        exchange(&trainer->stopping.states, &c->best);
    trainer->accumulation.done = state->accumulated;
    trainer->accumulation.norm = state->accumulated_norm;
    trainer->accumulation.freezes = -1;
    if (state->accumulated == 0)
        return;
    dlz_free(trainer->accumulation.gradients);
    trainer->accumulation.gradients = c->accumulated;
    c->accumulated = NULL;
}

/* Cannot fail. */
static void apply(dlviz_trainer *trainer, contents *c) {
    const trainer_state *state = &c->state;
    dlz_network_take_states(trainer->network, c->states);
    dlz_network_take_data_description(trainer->network, &c->data);
    dlz_optimizer_take_moments(trainer->optimizer, trainer->network, &c->moments);
    if (state->num_epochs > 0)
        memcpy(trainer->history, c->history->data, (size_t)c->history->size * sizeof(double));
    trainer->num_epochs = (int)state->num_epochs;
    trainer->samples = state->samples;
    trainer->num_batches = state->num_batches;
    trainer->batches_done = state->batches_done;
    trainer->samples_done = state->samples_done;
    trainer->step = state->step;
    trainer->tally.loss = state->loss_sum;
    trainer->tally.norm = state->loss_norm;
    if (trainer->num_sums > 0)
        memcpy(trainer->tally.sums, c->sums->data, (size_t)trainer->num_sums * sizeof(double));
    trainer->seconds = state->seconds;
    trainer->train_mark = state->train_mark;
    trainer->optimizer->steps = state->optimizer_steps;
    trainer->optimizer->learning_rate = state->learning_rate;
    trainer->event.learning_rate = state->step_rate;
    trainer->event.gradient_norm = state->gradient_norm;
    if (c->memory)
        dlz_schedule_take_words(trainer->schedule, c->memory->data);
    apply_copies(trainer, c);
}

/* -- Whole ---------------------------------------------------------------------------------------
 */

dlviz_status dlz_checkpoint_fill(const dlviz_trainer *trainer, dlviz_safetensors *set) {
    contents c;
    DLZ_TRY(fill(trainer, set));
    DLZ_TRY(read_all(trainer, set, &c));
    drop(trainer, &c);
    return DLVIZ_OK;
}

dlviz_status dlz_checkpoint_take(dlviz_trainer *trainer, const dlviz_safetensors *set) {
    contents c;
    DLZ_TRY(read_all(trainer, set, &c));
    dlviz_status status = dlz_trainer_grow_history(trainer, (int)c.state.num_epochs);
    if (status == DLVIZ_OK)
        apply(trainer, &c);
    drop(trainer, &c);
    return status;
}
