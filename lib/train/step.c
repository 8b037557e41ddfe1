/* From the gradients of batches to a step: accumulating, clipping, stepping, averaging. */
#include "base/base.h"
#include "base/parallel.h"
#include "network/network.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/trainer.h"

#include <math.h>
#include <string.h>

enum { TILE_SIZE = 32768 };

/* -- Settings ------------------------------------------------------------------------------------
 */

dlviz_status dlviz_trainer_set_accumulation(dlviz_trainer *trainer, int64_t num_batches) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    if (num_batches < 1 || num_batches > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %lld batches a step; 1 to 2^31 - 1 are accepted", __func__,
                        (long long)num_batches);
    if (trainer->batches_done > 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: an epoch is under way", __func__);
    trainer->accumulation.batches = num_batches;
    return DLVIZ_OK;
}

int64_t dlviz_trainer_accumulation(const dlviz_trainer *trainer) {
    return trainer ? trainer->accumulation.batches : 0;
}

static dlviz_status set_clip(const char *who, const char *what, double largest, double *limit) {
    if (!(largest >= 0 && largest <= 1e30))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %s is %g; above 0, up to 1e30, or 0 for no limit, is accepted", who,
                        what, largest);
    *limit = largest;
    return DLVIZ_OK;
}

dlviz_status dlviz_trainer_set_clip_norm(dlviz_trainer *trainer, double largest) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    return set_clip(__func__, "the largest norm", largest, &trainer->clip_norm);
}

double dlviz_trainer_clip_norm(const dlviz_trainer *trainer) {
    return trainer ? trainer->clip_norm : NAN;
}

dlviz_status dlviz_trainer_set_clip_value(dlviz_trainer *trainer, double largest) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    return set_clip(__func__, "the largest value", largest, &trainer->clip_value);
}

double dlviz_trainer_clip_value(const dlviz_trainer *trainer) {
    return trainer ? trainer->clip_value : NAN;
}

static dlviz_status fail_exchanged(const char *who) {
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "%s: the network holds the average; dlviz_trainer_exchange_average puts the "
                    "states that are trained back",
                    who);
}

static dlviz_status fail_other(const char *who) {
    return dlz_fail(DLVIZ_ERROR_STATE,
                    "%s: the network holds the average of another trainer; its "
                    "dlviz_trainer_exchange_average puts the states that are trained back",
                    who);
}

dlviz_status dlz_trainer_check_average(const dlviz_trainer *trainer, const char *who) {
    if (!trainer->network->averaged)
        return DLVIZ_OK;
    return trainer->averaging.exchanged ? fail_exchanged(who) : fail_other(who);
}

void dlz_trainer_exchange(dlviz_trainer *trainer) {
    dlz_averaging *averaging = &trainer->averaging;
    dlz_snapshot_exchange(&averaging->states, trainer->network);
    trainer->network->averaged = averaging->exchanged = !averaging->exchanged;
}

dlviz_status dlviz_trainer_set_averaging(dlviz_trainer *trainer, double decay) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    if (trainer->averaging.exchanged)
        return fail_exchanged(__func__);
    if (!(decay >= 0 && decay < 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: the decay is %g; 0 to below 1 is accepted", __func__, decay);
    dlz_averaging *averaging = &trainer->averaging;
    if (decay > 0)
        DLZ_TRY(dlz_snapshot_create(&averaging->states, trainer->network));
    averaging->decay = decay;
    if (decay > 0)
        return DLVIZ_OK;
    averaging->begun = false;
    dlz_snapshot_release(&averaging->states);
    return DLVIZ_OK;
}

double dlviz_trainer_averaging(const dlviz_trainer *trainer) {
    return trainer ? trainer->averaging.decay : NAN;
}

dlviz_status dlviz_trainer_exchange_average(dlviz_trainer *trainer) {
    DLZ_REQUIRE(trainer);
    DLZ_CHANGE_TRAINER(trainer);
    DLZ_HOLD_OTHERS(trainer, DLZ_NESTED);
    dlz_averaging *averaging = &trainer->averaging;
    if (averaging->evaluating)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the average is being evaluated", __func__);
    if (!averaging->begun)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: there is no average; dlviz_trainer_set_averaging asks for one, and "
                        "the first step begins it",
                        __func__);
    if (trainer->network->averaged && !averaging->exchanged)
        return fail_other(__func__);
    dlz_trainer_exchange(trainer);
    return DLVIZ_OK;
}

bool dlviz_trainer_average_is_exchanged(const dlviz_trainer *trainer) {
    return trainer && trainer->averaging.exchanged;
}

void dlz_trainer_release_steps(dlviz_trainer *trainer) {
    dlz_free(trainer->accumulation.gradients);
    dlz_snapshot_release(&trainer->averaging.states);
    if (trainer->averaging.exchanged) /* what the network holds is all there is now */
        trainer->network->averaged = false;
}

/* -- Accumulating --------------------------------------------------------------------------------
 */

typedef struct sum_pass {
    float *sum, *gradients;
    int64_t size;
    float norm, factor; /* of the batch; of all that are summed, on the last pass */
    float keep;         /* of the sum */
    bool first, last;
} sum_pass;

/* Sums of so many weights, or so few, are kept divided by a power of two, for floats to hold them. */
static double scale_of(double norm) {
    if (norm == 0 || (norm >= 0x1p-30 && norm <= 0x1p30))
        return 1;
    int exponent;
    frexp(norm, &exponent);
    return ldexp(1, exponent - 1);
}

/* What becomes of a sum that has this norm. */
static float keep_of(double norm, double scale) {
    return norm > 0 ? (float)(scale_of(norm) / scale) : 0.0f;
}

static void sum_scaled(const sum_pass *pass, int64_t start, int64_t end) {
    for (int64_t i = start; i < end; i++) {
        float sum = pass->keep * pass->sum[i] + pass->norm * pass->gradients[i];
        if (pass->last)
            pass->gradients[i] = pass->factor * sum;
        else
            pass->sum[i] = sum;
    }
}

/* Each tile's own loops are plain, for vectors to be made of them. The last pass leaves the sum as it
 * is, for a step that fails must be made again. */
static void sum_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const sum_pass *pass = context;
    int64_t start = tile * TILE_SIZE, end = dlz_min_i64(start + TILE_SIZE, pass->size);
    float *restrict sum = pass->sum, *restrict gradients = pass->gradients;
    const float norm = pass->norm, factor = pass->factor;
    if (!pass->first && pass->keep != 1)
        sum_scaled(pass, start, end);
    else if (pass->last)
        for (int64_t i = start; i < end; i++)
            gradients[i] = factor * (sum[i] + norm * gradients[i]);
    else if (pass->first)
        for (int64_t i = start; i < end; i++)
            sum[i] = norm * gradients[i];
    else
        for (int64_t i = start; i < end; i++)
            sum[i] += norm * gradients[i];
}

static void pass_over(const dlviz_trainer *trainer, sum_pass pass) {
    pass.sum = trainer->accumulation.gradients;
    pass.gradients = trainer->network->gradients;
    pass.size = trainer->network->parameter_floats;
    dlz_parallel_for(dlz_ceil_div(pass.size, TILE_SIZE), dlz_threads(), sum_tile, &pass);
}

/* A callback may have frozen or thawed states meanwhile. What is frozen now has no part in the step,
 * and other gradients of the sum may be of what the next batches compute none of, and rely on 0. */
static void drop_frozen(dlviz_network *network) {
    network->stale_gradients = true;
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        if (state->frozen && state->gradient)
            memset(state->gradient, 0, (size_t)state->size * sizeof *state->gradient);
    }
}

/* Adds the batch to those of the next step. */
static dlviz_status accumulate(dlviz_trainer *trainer, double norm) {
    dlz_accumulation *sum = &trainer->accumulation;
    uint64_t size = (uint64_t)trainer->network->parameter_floats;
    if (!sum->gradients)
        sum->gradients = dlz_alloc_array(size, sizeof(float));
    if (!sum->gradients)
        return dlz_fail_memory("the sum of gradients", size * sizeof(float));
    if (sum->done == 0)
        sum->freezes = trainer->network->freezes;
    double scale = scale_of(sum->norm + norm);
    pass_over(trainer, (sum_pass){.norm = (float)(norm / scale),
                                  .keep = keep_of(sum->norm, scale),
                                  .first = sum->done == 0});
    sum->norm += norm;
    sum->done++;
    return DLVIZ_OK;
}

/* Leaves the mean of the step's batches, of which the last has just been made, in the network. */
static void average_gradients(dlviz_trainer *trainer, double norm) {
    const dlz_accumulation *sum = &trainer->accumulation;
    if (sum->done == 0)
        return;
    double all = sum->norm + norm, scale = scale_of(all);
    pass_over(trainer, (sum_pass){.norm = (float)(norm / scale),
                                  .factor = all > 0 ? (float)(scale / all) : 0.0f,
                                  .keep = keep_of(sum->norm, scale),
                                  .last = true});
    if (sum->freezes != trainer->network->freezes)
        drop_frozen(trainer->network);
}

/* -- Steps ---------------------------------------------------------------------------------------
 */

/* *norm: before they are clipped by it; NaN where nobody asks for it. */
static dlviz_status clip(dlviz_trainer *trainer, double *norm) {
    dlviz_network *network = trainer->network;
    *norm = NAN;
    if (trainer->clip_value > 0)
        dlz_network_limit_gradients(network, trainer->clip_value);
    if (trainer->clip_norm == 0)
        return DLVIZ_OK;
    *norm = dlz_network_gradient_norm(network);
    if (!isfinite(*norm))
        return dlz_fail(DLVIZ_ERROR_NUMERIC,
                        "the norm of the gradients is %s in batch %lld of epoch %d (learning rate "
                        "%g)",
                        isnan(*norm) ? "NaN" : "infinite", (long long)trainer->batches_done + 1,
                        trainer->num_epochs + 1, dlviz_optimizer_learning_rate(trainer->optimizer));
    dlz_network_shorten_gradients(network, *norm, trainer->clip_norm);
    return DLVIZ_OK;
}

static dlviz_status average(dlviz_trainer *trainer) {
    dlz_averaging *averaging = &trainer->averaging;
    if (averaging->decay == 0)
        return DLVIZ_OK;
    DLZ_TRY(dlz_plans_join(&trainer->network->plans));
    if (averaging->begun)
        dlz_snapshot_approach(&averaging->states, trainer->network, averaging->decay);
    else
        dlz_snapshot_take(&averaging->states, trainer->network);
    averaging->begun = true;
    return DLVIZ_OK;
}

static int64_t count_steps(const dlviz_trainer *trainer, int64_t batches) {
    return dlz_ceil_div(batches, trainer->accumulation.batches);
}

/* Whether the optimizer's step follows the batch, which may be one of several. */
static bool ends_step(const dlviz_trainer *trainer) {
    return trainer->batches_done + 1 == trainer->num_batches ||
           trainer->accumulation.done + 1 >= trainer->accumulation.batches;
}

dlviz_status dlz_trainer_ask_schedule(dlviz_trainer *trainer, double *rate) {
    *rate = dlviz_optimizer_learning_rate(trainer->optimizer);
    if (!trainer->schedule || !ends_step(trainer))
        return DLVIZ_OK;
    return dlz_schedule_before_step(trainer->schedule, *rate,
                                    trainer->batches_done / trainer->accumulation.batches,
                                    count_steps(trainer, trainer->num_batches), rate);
}

/* The schedule's rate stays until the next step, so that callbacks and the history see what was
 * used. */
static dlviz_status step(dlviz_trainer *trainer, double rate) {
    if (!trainer->schedule)
        return dlviz_optimizer_step(trainer->optimizer, trainer->network);
    double before = dlviz_optimizer_learning_rate(trainer->optimizer);
    DLZ_TRY(dlviz_optimizer_set_learning_rate(trainer->optimizer, rate));
    dlviz_status status = dlviz_optimizer_step(trainer->optimizer, trainer->network);
    if (status == DLVIZ_OK)
        dlz_schedule_after_step(trainer->schedule);
    else
        trainer->optimizer->learning_rate = before;
    return status;
}

dlviz_status dlz_trainer_take_gradients(dlviz_trainer *trainer, double norm, double rate) {
    dlz_accumulation *sum = &trainer->accumulation;
    if (!ends_step(trainer))
        return accumulate(trainer, norm);
    double gradient_norm;
    average_gradients(trainer, norm);
    DLZ_TRY(clip(trainer, &gradient_norm));
    DLZ_TRY(step(trainer, rate));
    sum->norm = 0;
    sum->done = 0;
    trainer->event.learning_rate = rate;
    trainer->event.gradient_norm = gradient_norm;
    return average(trainer);
}
