/* dlviz/schedule.h - how the learning rate changes in the course of training.
 *
 * A constructor returns a schedule that waits to be handed to dlviz_trainer_set_schedule: it is one
 * trainer's, which owns it from then on. Mistakes need no check here: a schedule remembers its
 * first error and dlviz_trainer_set_schedule reports it, as dlviz_schedule_start and
 * dlviz_schedule_next do in a loop of one's own. Settings come before that call, and are
 * DLVIZ_ERROR_STATE after it; getters may be called at any time, and give NaN, 0 or NULL for a
 * schedule of another kind. Out of memory, a constructor returns NULL, which those calls refuse.
 *
 *     dlviz_trainer_set_schedule(trainer, dlviz_one_cycle(0.01, 4));
 *     dlviz_trainer_set_schedule(trainer, dlviz_warmup(0.5, 0.01, dlviz_cosine(30)));
 *
 * The cosine there changes the rate once an epoch. The usual recipe, step by step over 30 epochs of
 * which the first warms up, sets its pace before it is handed on:
 *
 *     dlviz_schedule *cosine = dlviz_cosine(29);
 *     dlviz_schedule_set_pace(cosine, DLVIZ_PACE_SMOOTH);
 *     dlviz_trainer_set_schedule(trainer, dlviz_warmup(1, 0.01, cosine));
 *
 * A schedule's time begins with the first step that is made under it, and the rate that the
 * optimizer has at that moment is its base rate. Every schedule but dlviz_plateau is a function of
 * time: it decides over the rate alone, and one that is set by hand lasts until it changes the next
 * time. After its length a schedule stays at its last rate. */
#ifndef DLVIZ_SCHEDULE_H
#define DLVIZ_SCHEDULE_H

#include <dlviz/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A schedule and its memory of what has been. To be used by one thread at a time. Training without
 *  one keeps the learning rate constant. */
typedef struct dlviz_schedule dlviz_schedule;

/** What a schedule's lengths count, and when it changes the rate. */
typedef enum dlviz_pace {
    DLVIZ_PACE_EPOCH,  /* lengths count epochs, and the rate changes after each of them */
    DLVIZ_PACE_SMOOTH, /* lengths count epochs, and the rate changes after each step of the
                          optimizer, by the part of the epoch that is done */
    DLVIZ_PACE_STEP    /* lengths count steps of the optimizer, and the rate changes after each */
} dlviz_pace;

/** Of any schedule: DLVIZ_PACE_EPOCH unless set, but DLVIZ_PACE_SMOOTH for dlviz_one_cycle and
 *  dlviz_warmup. dlviz_plateau hears of losses once an epoch and takes no other pace. This and each
 *  setter below returns DLVIZ_ERROR_INVALID_ARGUMENT for a value out of range or a schedule of
 *  another kind, which the schedule remembers as well, or DLVIZ_ERROR_STATE once the schedule has
 *  an owner. */
DLVIZ_API dlviz_status dlviz_schedule_set_pace(dlviz_schedule *schedule, dlviz_pace pace);
/** DLVIZ_PACE_EPOCH for NULL. */
DLVIZ_API dlviz_pace dlviz_schedule_pace(const dlviz_schedule *schedule);

/* -- Functions of time --------------------------------------------------------------------------
 *
 * Lengths and periods are above 0 and may be fractions, such as half an epoch; t is the time since
 * the schedule began, in what its pace counts. */

/** The base rate, always: what may follow dlviz_warmup. */
DLVIZ_API dlviz_schedule *dlviz_constant_rate(void);

/** base · factor^⌊t/period⌋: PyTorch's StepLR.
 *  @param factor  above 0 */
DLVIZ_API dlviz_schedule *dlviz_step_decay(double period, double factor);
DLVIZ_API double dlviz_step_decay_period(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_step_decay_factor(const dlviz_schedule *schedule);

/** The base rate, multiplied by the factor at each milestone: PyTorch's MultiStepLR.
 *  @param num_milestones  1 or more
 *  @param milestones      times, 0 or more, none before the one it follows; copied
 *  @param factor          above 0 */
DLVIZ_API dlviz_schedule *dlviz_multistep(int64_t num_milestones, const double *milestones,
                                          double factor);
DLVIZ_API int64_t dlviz_multistep_num_milestones(const dlviz_schedule *schedule);
/** Milestone 0 … num_milestones − 1; NaN beyond. */
DLVIZ_API double dlviz_multistep_milestones(const dlviz_schedule *schedule, int64_t index);
DLVIZ_API double dlviz_multistep_factor(const dlviz_schedule *schedule);

/** base · factor^t: PyTorch's ExponentialLR. A factor above 1 finds the largest rate that a network
 *  bears.
 *  @param factor  above 0 */
DLVIZ_API dlviz_schedule *dlviz_exponential(double factor);
DLVIZ_API double dlviz_exponential_factor(const dlviz_schedule *schedule);

/** From the base rate to the minimum along half a wave, and there it stays: minimum +
 *  (base − minimum)·(1 + cos(π·t/length))/2, PyTorch's CosineAnnealingLR up to its T_max. */
DLVIZ_API dlviz_schedule *dlviz_cosine(double length);
/** 0 unless set; up to 1e30. */
DLVIZ_API dlviz_status dlviz_cosine_set_minimum(dlviz_schedule *schedule, double minimum);
DLVIZ_API double dlviz_cosine_length(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_cosine_minimum(const dlviz_schedule *schedule);

/** The same again and again, from the base rate each time: PyTorch's CosineAnnealingWarmRestarts
 *  (Loshchilov & Hutter 2017).
 *  @param length  of the first fall
 *  @param growth  by which each is longer than the one before, 1 or more */
DLVIZ_API dlviz_schedule *dlviz_cosine_restarts(double length, double growth);
/** 0 unless set; up to 1e30. */
DLVIZ_API dlviz_status dlviz_cosine_restarts_set_minimum(dlviz_schedule *schedule, double minimum);
DLVIZ_API double dlviz_cosine_restarts_length(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_cosine_restarts_growth(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_cosine_restarts_minimum(const dlviz_schedule *schedule);

/** base · (1 − t/length)^power, and then 0: PyTorch's PolynomialLR.
 *  @param power  above 0; 1 is a straight line */
DLVIZ_API dlviz_schedule *dlviz_polynomial(double length, double power);
DLVIZ_API double dlviz_polynomial_length(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_polynomial_power(const dlviz_schedule *schedule);

/** Up to a rate that is higher than one would dare to keep, and down to next to nothing, in few
 *  epochs (Smith & Topin 2018): PyTorch's OneCycleLR with cycle_momentum=False. The rate begins at
 *  peak_rate/25, whatever the base rate is, is at its peak after 0.3 of the length, and ends, and
 *  stays, at peak_rate/250000. As in PyTorch the last step of the length has the last rate.
 *  @param peak_rate  above 0, up to 1e30; usually several times what a constant rate would be
 *  @param length     epochs, unless dlviz_schedule_set_pace says otherwise: all of the training */
DLVIZ_API dlviz_schedule *dlviz_one_cycle(double peak_rate, double length);
/** Which part of the length the rate rises in: 0 to 1; 0.3 unless set (PyTorch's pct_start). */
DLVIZ_API dlviz_status dlviz_one_cycle_set_rise(dlviz_schedule *schedule, double rise);
/** By what the peak is divided for the first rate: above 0; 25 unless set (div_factor). */
DLVIZ_API dlviz_status dlviz_one_cycle_set_start_divisor(dlviz_schedule *schedule,
                                                         double start_divisor);
/** By what the first rate is divided for the last: above 0; 1e4 unless set (final_div_factor). */
DLVIZ_API dlviz_status dlviz_one_cycle_set_final_divisor(dlviz_schedule *schedule,
                                                         double final_divisor);
/** Straight lines up and down, not half waves; false unless set. */
DLVIZ_API dlviz_status dlviz_one_cycle_set_linear(dlviz_schedule *schedule, bool linear);
DLVIZ_API double dlviz_one_cycle_peak_rate(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_one_cycle_length(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_one_cycle_rise(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_one_cycle_start_divisor(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_one_cycle_final_divisor(const dlviz_schedule *schedule);
DLVIZ_API bool dlviz_one_cycle_linear(const dlviz_schedule *schedule);

/** From a part of the base rate up to the base rate on a straight line, and then another schedule,
 *  whose time begins there and whose base rate is the same: PyTorch's LinearLR in a SequentialLR.
 *  dlviz_plateau hears the losses of the epochs in which it made a step.
 *  @param length        epochs, unless dlviz_schedule_set_pace says otherwise; each of the two
 *                       schedules has a pace of its own, so that `then` still goes by epochs unless
 *                       its pace was set before this call
 *  @param start_factor  by which the base rate is multiplied for the first step: 0 to 1
 *  @param then          what follows; dlviz_constant_rate() for nothing. It belongs to this
 *                       schedule from now on, with its settings fixed; after a failure it is
 *                       destroyed, unless it belongs to another. Its first error is this one's
 *                       too. It cannot be a warm-up itself, nor one that has begun. */
DLVIZ_API dlviz_schedule *dlviz_warmup(double length, double start_factor, dlviz_schedule *then);
DLVIZ_API double dlviz_warmup_length(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_warmup_start_factor(const dlviz_schedule *schedule);
/** Owned by the warm-up. */
DLVIZ_API const dlviz_schedule *dlviz_warmup_then(const dlviz_schedule *schedule);

/* -- The user's own ---------------------------------------------------------------------------- */

/** What a schedule of the user's own is asked about: the step to come. Valid during the call. */
typedef struct dlviz_schedule_event dlviz_schedule_event;
/** The time since the schedule began, in epochs with the part of the one under way. */
DLVIZ_API double dlviz_schedule_event_epochs(const dlviz_schedule_event *event);
/** Steps of the optimizer since the schedule began. */
DLVIZ_API int64_t dlviz_schedule_event_num_steps(const dlviz_schedule_event *event);
/** The rate that the optimizer had when the schedule began. */
DLVIZ_API double dlviz_schedule_event_base_rate(const dlviz_schedule_event *event);
/** The present rate, which is to be replaced. */
DLVIZ_API double dlviz_schedule_event_rate(const dlviz_schedule_event *event);
/** The loss of the epoch that was finished last: validation's, or training's without a validation
 *  set; NaN before the first, and where it was not finite. */
DLVIZ_API double dlviz_schedule_event_loss(const dlviz_schedule_event *event);

/** Returns the rate: 0 to 1e30; anything else ends the training with DLVIZ_ERROR_NUMERIC.
 *  It may ask getters, use the network and save a checkpoint; what would change the trainer, or use
 *  the schedule that it serves, is DLVIZ_ERROR_STATE. */
typedef double (*dlviz_schedule_fn)(const dlviz_schedule_event *event, void *user);
/** A schedule that asks a function, as PyTorch's LambdaLR does: before the first step, and then
 *  whenever its pace lets the rate change. A checkpoint cannot compare functions: a run that goes
 *  on must bring the same, and what it keeps in `user`. */
DLVIZ_API dlviz_schedule *dlviz_schedule_custom(dlviz_schedule_fn function, void *user);

/* -- By the loss ------------------------------------------------------------------------------- */

/** ReduceLROnPlateau as PyTorch defines it, for a loss that should fall: an epoch is better when
 *  loss < best·(1 − threshold); after more than `patience` epochs in a row that are not, the rate
 *  becomes max(rate·factor, minimum), if that changes it by more than 1e-8. The threshold is 1e-4,
 *  cooldown and minimum are 0 unless set.
 *  @param factor    above 0, below 1
 *  @param patience  0 or more epochs */
DLVIZ_API dlviz_schedule *dlviz_plateau(double factor, int64_t patience);
/** The relative improvement that counts; 0 or more, below 1. */
DLVIZ_API dlviz_status dlviz_plateau_set_threshold(dlviz_schedule *schedule, double threshold);
/** Epochs after a reduction during which bad epochs are not counted; 0 or more. */
DLVIZ_API dlviz_status dlviz_plateau_set_cooldown(dlviz_schedule *schedule, int64_t cooldown);
/** The rate never falls below it; 0 to 1e30. */
DLVIZ_API dlviz_status dlviz_plateau_set_minimum(dlviz_schedule *schedule, double minimum);
DLVIZ_API double dlviz_plateau_factor(const dlviz_schedule *schedule);
DLVIZ_API int64_t dlviz_plateau_patience(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_plateau_threshold(const dlviz_schedule *schedule);
DLVIZ_API int64_t dlviz_plateau_cooldown(const dlviz_schedule *schedule);
DLVIZ_API double dlviz_plateau_minimum(const dlviz_schedule *schedule);

/* -- In a loop of one's own ----------------------------------------------------------------------
 *
 *     dlviz_schedule_start(schedule, rate, steps_per_epoch, &rate);
 *     for each epoch
 *         for each batch
 *             … dlviz_optimizer_set_learning_rate(optimizer, rate), and a step …
 *             dlviz_schedule_step(schedule, rate, &rate);
 *         dlviz_schedule_next(schedule, loss, rate, &rate);
 *
 * dlviz_trainer does the same with the schedule it owns. Each returns the schedule's first error,
 * DLVIZ_ERROR_STATE when the schedule has an owner or its own function calls, DLVIZ_ERROR_NUMERIC
 * when the rate is not finite or below 0, or DLVIZ_ERROR_INVALID_ARGUMENT; the rate that it gives
 * is NaN then. */

/** Begins, and gives the rate of the first step. A schedule begins once: DLVIZ_ERROR_STATE after
 *  that, here and where it is handed to a trainer or a warm-up.
 *  @param learning_rate    the base rate; 0 to 1e30
 *  @param steps_per_epoch  1 or more
 *  @param next             receives the rate of the first step */
DLVIZ_CHECKED dlviz_status dlviz_schedule_start(dlviz_schedule *schedule, double learning_rate,
                                                int64_t steps_per_epoch, double *next);
/** Tells the schedule that a step was made, and gives the rate of the next. DLVIZ_ERROR_STATE
 *  before dlviz_schedule_start. Where all schedules go by epochs this call may be left out.
 *  @param learning_rate  the present one; 0 to 1e30
 *  @param next           receives the rate of the step to come */
DLVIZ_CHECKED dlviz_status dlviz_schedule_step(dlviz_schedule *schedule, double learning_rate,
                                               double *next);
/** Tells the schedule that an epoch is over, and its loss (NaN counts as not better), and gives the
 *  rate that follows: after each epoch, or, where no schedule goes by epochs, never. A schedule
 *  that goes by epochs, other than a warm-up, begins here if dlviz_schedule_start was left out,
 *  with `learning_rate` for its base rate.
 *  @param learning_rate  the present one; 0 to 1e30
 *  @param next           receives the rate of the step to come */
DLVIZ_CHECKED dlviz_status dlviz_schedule_next(dlviz_schedule *schedule, double loss,
                                               double learning_rate, double *next);

/** Destroys a schedule that nobody owns, with the one that follows it; does nothing to one that is
 *  owned, or from within its own function. NULL is allowed. */
DLVIZ_API void dlviz_schedule_destroy(dlviz_schedule *schedule);

#ifdef __cplusplus
}
#endif
#endif
