/* The training: what was chosen, a checkpoint and a line after each epoch, features at some. */
#include "augment.h"
#include "folder.h"
#include "interrupt.h"
#include "networks.h"
#include "run.h"
#include "text.h"
#include "try.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHECKPOINT "checkpoint.safetensors"
#define FILM "film.safetensors"
#define GO_ON "go on with the same options and --resume"

enum { PATH_SIZE = 4400 };

/* -- What is trained -----------------------------------------------------------------------------
 */

static dlviz_status create_optimizer(dlviz_optimizer **out, const struct options *options) {
    static dlviz_status (*const creators[])(dlviz_optimizer **, double) = {
        [ADAM] = dlviz_adam_create,      [ADAMW] = dlviz_adamw_create, [NADAM] = dlviz_nadam_create,
        [RADAM] = dlviz_radam_create,    [LION] = dlviz_lion_create,   [SGD] = dlviz_sgd_create,
        [RMSPROP] = dlviz_rmsprop_create};
    TRY(creators[options->optimizer](out, options->learning_rate));
    return options->optimizer == SGD ? dlviz_sgd_set_momentum(*out, 0.9, 0, true) : DLVIZ_OK;
}

static dlviz_status set_schedule(dlviz_trainer *trainer, const struct options *options) {
    double epochs = (double)options->epochs;
    dlviz_schedule *cosine;
    switch ((enum schedule_choice)options->schedule) {
    case SCHEDULE_PLATEAU:
        return dlviz_trainer_set_schedule(trainer, dlviz_plateau(0.1, 3));
    case SCHEDULE_ONE_CYCLE:
        return dlviz_trainer_set_schedule(trainer, dlviz_one_cycle(options->learning_rate, epochs));
    case SCHEDULE_COSINE:
        cosine = dlviz_cosine(epochs);
        dlviz_schedule_set_pace(cosine, DLVIZ_PACE_SMOOTH);
        return dlviz_trainer_set_schedule(trainer, cosine);
    case SCHEDULE_CONSTANT:
        break;
    }
    return DLVIZ_OK;
}

/* -- Progress, kept in files ---------------------------------------------------------------------
 */

/* The untrained network's features, and later ones: of what the test samples are at this moment.
 * The last ones of a training are taken when it is evaluated. */
static dlviz_status add_frame(struct run *run, int64_t epoch) {
    int64_t frames = dlviz_film_num_frames(run->film);
    if (frames > 0 && dlviz_film_epoch(run->film, frames - 1) >= epoch)
        return DLVIZ_OK; /* of a run that is gone on with: it would be the same */
    double started = seconds_now(), accuracy;
    dlviz_tensor *outputs, *features;
    run->started = started;
    TRY(dlviz_network_inspect(run->network, run->data.test, run->layer, NULL, &accuracy, &outputs,
                              &features));
    dlviz_status status = dlviz_film_add(run->film, epoch, features, outputs);
    dlviz_tensor_destroy(outputs);
    dlviz_tensor_destroy(features);
    run->pass_seconds = seconds_now() - started;
    return status;
}

static dlviz_status write_history(const struct run *run) {
    return dlviz_trainer_write_history(run->trainer, result_path(run->options.out, "history.csv"));
}

/* What a later run goes on from, and the history so far. What an earlier run has left goes
 * before and after the first of these, so that a run that cannot even begin leaves it. */
static dlviz_status save_progress(struct run *run) {
    const char *out = run->options.out;
    if (!run->writes)
        return DLVIZ_OK;
    if (run->replaces)
        (void)remove_checkpoint(out);
    if (!run->has_checkpoint) /* first: they tell that the film is a run's */
        TRY(write_settings(run));
    TRY(dlviz_film_save(run->film, result_path(out, FILM)));
    TRY(dlviz_trainer_save_checkpoint(run->trainer, result_path(out, CHECKPOINT)));
    run->has_checkpoint = true;
    if (run->replaces || run->outdated)
        remove_results(out);
    run->replaces = run->outdated = false;
    return write_history(run);
}

static bool after_batch(const dlviz_trainer_event *event, void *user) {
    struct run *run = user;
    show_batches(&run->terminal, dlviz_trainer_event_trainer(event), run->options.epochs);
    return !interrupted;
}

/* Whether no epoch follows, whether because all are done or because they no longer help. */
static bool is_last(const struct run *run) {
    int64_t done = dlviz_trainer_num_epochs(run->trainer), patience = run->options.patience;
    return done >= run->options.epochs ||
           (patience > 0 && done - 1 - dlviz_trainer_best_epoch(run->trainer) >= patience);
}

/* The features passes that are still to come, and what follows the training. */
static void estimate_rest(struct run *run) {
    double passes = 0;
    for (int64_t i = dlviz_trainer_num_epochs(run->trainer) + 1; i < run->options.epochs; i++)
        passes += dlviz_film_wants(i, run->options.epochs);
    run->terminal.later = passes * run->pass_seconds + seconds_from(run, EVALUATE);
}

static dlviz_status keep_frame(struct run *run) {
    int64_t done = dlviz_trainer_num_epochs(run->trainer);
    if (!is_last(run) && dlviz_film_wants(done, run->options.epochs))
        TRY(add_frame(run, done));
    estimate_rest(run);
    return DLVIZ_OK;
}

/* What stands in the way of going on, to be told once the trainer has ended. */
static bool stop_for(struct run *run, dlviz_status status) {
    run->trouble_status = status;
    dlviz_printable(run->trouble, sizeof run->trouble, plain_error());
    return false;
}

/* A disk that is full, or away, for a while is no reason to lose the work since: the next epoch tries
 * again, and what is there already stays. One that stays so is, and so is the end: results would take the
 * place of earlier ones. */
static bool try_to_save(struct run *run) {
    bool before = run->unsaved;
    dlviz_status status = save_progress(run);
    run->unsaved = status != DLVIZ_OK;
    if (!run->unsaved)
        return true;
    if (before || is_last(run))
        return stop_for(run, status);
    dlviz_printable(run->trouble, sizeof run->trouble, plain_error());
    warn(run, "%s; the training goes on, and the next epoch tries again", run->trouble);
    return true;
}

static bool after_epoch(const dlviz_trainer_event *event, void *user) {
    struct run *run = user;
    say_epoch(&run->terminal, dlviz_trainer_event_trainer(event), run->options.epochs);
    dlviz_status status = keep_frame(run);
    if (status != DLVIZ_OK)
        return stop_for(run, status);
    return try_to_save(run) && !interrupted;
}

/* -- Building ------------------------------------------------------------------------------------
 */

static dlviz_status build_trainer(struct run *run) {
    const struct options *options = &run->options;
    TRY(create_optimizer(&run->optimizer, options));
    TRY(dlviz_trainer_create(&run->trainer, run->network, run->optimizer));
    TRY(set_schedule(run->trainer, options));
    TRY(dlviz_trainer_set_batch_size(run->trainer, options->batch_size));
    TRY(dlviz_trainer_set_seed(run->trainer, (uint64_t)options->seed));
    /* A batch norm cannot learn from one sample. */
    if (dlviz_dataset_num_samples(run->data.train) % options->batch_size == 1)
        TRY(dlviz_trainer_set_drop_last(run->trainer, true));
    TRY(dlviz_trainer_set_validation(run->trainer, run->data.validation));
    TRY(dlviz_trainer_set_comm(run->trainer, run->comm));
    if (options->patience > 0)
        TRY(dlviz_trainer_set_early_stopping(
            run->trainer, run->data.validation ? "validation_loss" : "train_loss",
            DLVIZ_BETTER_LOWER, options->patience));
    TRY(dlviz_trainer_set_batch_callback(run->trainer, after_batch, run));
    return dlviz_trainer_set_epoch_callback(run->trainer, after_epoch, run);
}

dlviz_status build(struct run *run) {
    const struct options *options = &run->options;
    const dlviz_dataset *train = run->data.train;
    if (options->augment)
        TRY(add_augmentations(run->data.train, options->augment));
    TRY(create_network(&run->network, options->network, dlviz_dataset_ndim(train),
                       dlviz_dataset_dims(train), dlviz_dataset_num_classes(train),
                       (uint64_t)options->seed));
    TRY(dlviz_network_describe_data(run->network, train));
    run->layer = options->layer ? options->layer : suggested_layer(run->network, options->network);
    return build_trainer(run);
}

/* -- Training ------------------------------------------------------------------------------------
 */

static void say_where(struct run *run) {
    long long epochs = dlviz_trainer_num_epochs(run->trainer);
    long long batches = dlviz_trainer_batches_done(run->trainer);
    if (batches > 0)
        say(&run->terminal, "going on in epoch %lld, after batch %lld", epochs + 1, batches);
    else
        say(&run->terminal, "going on after epoch %lld", epochs);
}

static dlviz_status look_at(const char *path) {
    dlviz_safetensors *set;
    TRY(dlviz_safetensors_open(&set, path));
    dlviz_safetensors_destroy(set);
    return DLVIZ_OK;
}

/* The newest one, or, where that is missing or damaged, the one before it. */
static const char *choose_checkpoint(struct run *run, char path[PATH_SIZE]) {
    const char *newest = result_path(run->options.out, CHECKPOINT);
    char sentence[1024];
    snprintf(path, PATH_SIZE, "%s.previous", newest);
    dlviz_status status = look_at(newest);
    dlviz_printable(sentence, sizeof sentence, plain_error());
    if (status == DLVIZ_OK || status == DLVIZ_ERROR_OUT_OF_MEMORY || look_at(path) != DLVIZ_OK)
        return newest;
    if (run->writes)
        warn(run, "%s; going on from the checkpoint before it, '%s'", sentence, path);
    return path;
}

static dlviz_status resume(struct run *run) {
    char path[PATH_SIZE];
    run->advice = "--force instead of --resume begins anew";
    const char *chosen = choose_checkpoint(run, path);
    TRY(dlviz_trainer_load_checkpoint(run->trainer, chosen));
    TRY(compare_settings(run));
    if (dlviz_trainer_num_epochs(run->trainer) > run->options.epochs)
        return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                          "--epochs %lld: '%s' has %lld already; so many or more are accepted",
                          (long long)run->options.epochs, chosen,
                          (long long)dlviz_trainer_num_epochs(run->trainer));
    /* Some of the next epoch's batches have been trained, which are no part of what is asked for. */
    if (dlviz_trainer_num_epochs(run->trainer) == run->options.epochs &&
        dlviz_trainer_batches_done(run->trainer) > 0)
        return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                          "--epochs %lld: '%s' is from within epoch %lld; so many or more are "
                          "accepted",
                          (long long)run->options.epochs, chosen,
                          (long long)run->options.epochs + 1);
    TRY(dlviz_film_open(&run->film, result_path(run->options.out, FILM)));
    run->advice = NULL;
    run->has_checkpoint = true;
    run->outdated = true;
    say_where(run);
    /* It is written after a checkpoint: the run may have been killed between the two. */
    return run->writes ? write_history(run) : DLVIZ_OK;
}

/* Leaves out the frames of later epochs. */
static dlviz_status cut_film(struct run *run, int64_t epoch) {
    int64_t frames = dlviz_film_num_frames(run->film), kept = frames;
    dlviz_film *cut;
    while (kept > 0 && dlviz_film_epoch(run->film, kept - 1) > epoch)
        kept--;
    if (kept == frames)
        return DLVIZ_OK;
    TRY(dlviz_film_create(&cut));
    dlviz_status status = DLVIZ_OK;
    for (int64_t i = 0; status == DLVIZ_OK && i < kept; i++)
        status =
            dlviz_film_add(cut, dlviz_film_epoch(run->film, i), dlviz_film_components(run->film, i),
                           dlviz_film_outputs(run->film, i));
    dlviz_film_destroy(status == DLVIZ_OK ? run->film : cut);
    if (status == DLVIZ_OK)
        run->film = cut;
    return status;
}

/* Early stopping has put the best states back; where the epochs ran out first, this does. The film
 * ends with them: what came later is no way to this network. */
static dlviz_status go_back_to_best(struct run *run) {
    int64_t best = dlviz_trainer_best_epoch(run->trainer);
    run->shown_epoch = dlviz_trainer_num_epochs(run->trainer);
    if (run->options.patience == 0 || best < 0)
        return DLVIZ_OK;
    run->shown_epoch = best + 1;
    TRY(dlviz_trainer_restore_best(run->trainer));
    TRY(cut_film(run, run->shown_epoch));
    say(&run->terminal, "the network is that of epoch %lld, whose %s was the best",
        (long long)best + 1, run->data.validation ? "validation loss" : "loss");
    return DLVIZ_OK;
}

static dlviz_status write_network(const struct run *run) {
    TRY(dlviz_network_save(run->network, result_path(run->options.out, "model.safetensors")));
    return dlviz_network_save_architecture(run->network,
                                           result_path(run->options.out, "network.json"));
}

/* With an empty line before and after it. */
static void say_summary(struct terminal *terminal, const dlviz_network *network) {
    const char *text = dlviz_network_summary(network);
    say(terminal, "%s", "");
    for (size_t length; *(text += strspn(text, "\n")); text += length) {
        length = strcspn(text, "\n");
        say(terminal, "%.*s", (int)length, text);
    }
    say(terminal, "%s", "");
}

dlviz_status train(struct run *run) {
    if (run->options.resume)
        TRY(resume(run));
    else
        TRY(dlviz_film_create(&run->film));
    say_summary(&run->terminal, run->network);
    /* One that goes on from the checkpoint before the last may come to an earlier end. */
    TRY(cut_film(run, run->options.epochs));
    /* Of the untrained network; or what an interruption right after an epoch has left out. */
    if (dlviz_trainer_batches_done(run->trainer) == 0)
        TRY(keep_frame(run));
    estimate_rest(run);
    int64_t left = run->options.epochs - dlviz_trainer_num_epochs(run->trainer);
    dlviz_status status =
        left > 0 ? dlviz_trainer_fit(run->trainer, run->data.train, left) : DLVIZ_OK;
    wipe(&run->terminal);
    TRY(status);
    if (dlviz_trainer_stop_reason(run->trainer) == DLVIZ_STOP_REASON_CALLBACK) {
        run->advice = run->has_checkpoint ? GO_ON : NULL;
        status = run->trouble_status != DLVIZ_OK && !interrupted
                     ? dlviz_fail(run->trouble_status, "%s", run->trouble)
                     : save_progress(run);
        TRY(run->comm ? dlviz_comm_agree(run->comm, status) : status);
        run->advice = NULL;
        return dlviz_fail(DLVIZ_CANCELLED, "interrupted");
    }
    TRY(go_back_to_best(run));
    if (!run->writes)
        return DLVIZ_OK;
    TRY(write_network(run));
    if (run->outdated) /* no epoch was left, after which they would have gone */
        remove_what_follows_training(run->options.out);
    run->outdated = false;
    return DLVIZ_OK;
}
