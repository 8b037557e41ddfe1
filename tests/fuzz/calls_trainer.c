/* Calls of dlviz/trainer.h. */
#include "calls.h"

#include <math.h>

DECLARE_SETTINGS(trainer)

static const trainer_number numbers[] = {
    {dlviz_trainer_set_clip_norm, dlviz_trainer_clip_norm, 0, UP_TO},
    {dlviz_trainer_set_clip_value, dlviz_trainer_clip_value, 0, UP_TO},
    {dlviz_trainer_set_averaging, dlviz_trainer_averaging, 0, BELOW_1},
    {dlviz_trainer_set_early_stopping_threshold, dlviz_trainer_early_stopping_threshold, 0, UP_TO},
};
static const trainer_count counts[] = {
    {dlviz_trainer_set_batch_size, dlviz_trainer_batch_size},
    {dlviz_trainer_set_accumulation, dlviz_trainer_accumulation},
};

void see_trainer(const dlviz_trainer *trainer) {
    int64_t figures = dlviz_trainer_num_figures(trainer),
            epochs = dlviz_trainer_num_epochs(trainer);
    int64_t patience, index = an_index();
    dlviz_better better;
    see_count(epochs);
    for (int64_t i = 0; i < figures; i++) {
        const char *name = dlviz_trainer_figure_name(trainer, i);
        require(name != NULL, "a figure has a name");
        see_number(dlviz_trainer_current(trainer, name));
        see_number(dlviz_trainer_history(trainer, epochs - 1, name));
    }
    see_text(dlviz_trainer_figure_name(trainer, index));
    require(isnan(dlviz_trainer_history(trainer, epochs, "train_loss")),
            "no figure of an epoch to come");
    see_number(dlviz_trainer_history(trainer, index, a_text()));
    see_number(dlviz_trainer_current(trainer, a_text()));
    see_count(dlviz_trainer_batches_done(trainer));
    see_count(dlviz_trainer_num_batches(trainer));
    see_text(dlviz_trainer_early_stopping(trainer, &better, &patience));
    see_text(dlviz_trainer_early_stopping(trainer, NULL, NULL));
    require(dlviz_trainer_best_epoch(trainer) >= -1 &&
                dlviz_trainer_best_epoch(trainer) < epochs + 1,
            "the best of the epochs");
    see_text(dlviz_stop_reason_name(dlviz_trainer_stop_reason(trainer)));
    see_text(dlviz_stop_reason_name((dlviz_stop_reason)an_enum(5)));
    (void)dlviz_trainer_average_is_exchanged(trainer);
    (void)dlviz_trainer_drops_last(trainer);
    (void)dlviz_trainer_seed(trainer);
    (void)dlviz_trainer_comm(trainer);
    see_count(dlviz_dataset_num_samples(dlviz_trainer_validation(trainer)));
    see_schedule(dlviz_trainer_schedule(trainer));
}

static double metric_function(const dlviz_tensor *outputs, const dlviz_tensor *targets,
                              void *user) {
    (void)user;
    see_tensor(outputs);
    see_tensor(targets);
    return one_in(8) ? a_number() : 0.5;
}

static void set(dlviz_trainer *trainer) {
    const dlviz_dataset *validation;
    const char *name;
    switch (below(11)) {
    case 0:
        SET_NUMBER(trainer, numbers[below(COUNT(numbers))], trainer,
                   a_bool() ? a_number() : a_share());
        break;
    case 1:
        SET_COUNT(trainer, counts[below(COUNT(counts))], trainer, a_size());
        break;
    case 2:
        SET_FLAG(trainer, ((trainer_flag){dlviz_trainer_set_drop_last, dlviz_trainer_drops_last}),
                 trainer, a_bool());
        break;
    case 3:
        (void)CALL(dlviz_trainer_set_seed(trainer, a_seed()));
        break;
    case 4:
        validation = one_in(4) ? NULL : a_dataset();
        if (is_small_dataset(validation) &&
            CALL(dlviz_trainer_set_validation(trainer, validation)) == DLVIZ_OK)
            require(dlviz_trainer_validation(trainer) == NULL || validation != NULL,
                    "a validation set");
        break;
    case 5:
        if (CALL(dlviz_trainer_clear_schedule(trainer)) == DLVIZ_OK)
            require(dlviz_trainer_schedule(trainer) == NULL, "no schedule");
        break;
    case 6: {
        name = one_in(8)   ? NULL
               : one_in(4) ? a_text()
               : a_bool()  ? "train_loss"
                           : "validation_loss";
        dlviz_better better = (dlviz_better)an_enum(2);
        int64_t patience = a_size();
        (void)CALL(dlviz_trainer_set_early_stopping(trainer, name, better, patience));
        break;
    }
    case 7:
        name = a_text();
        (void)CALL(
            dlviz_trainer_add_metric(trainer, name, one_in(16) ? NULL : metric_function, NULL));
        break;
    case 8:
        (void)CALL(
            dlviz_trainer_set_epoch_callback(trainer, one_in(4) ? NULL : trainer_function, NULL));
        break;
    case 9:
        (void)CALL(
            dlviz_trainer_set_batch_callback(trainer, one_in(4) ? NULL : trainer_function, NULL));
        break;
    default: {
        dlviz_comm *comm = a_comm();
        (void)CALL(dlviz_trainer_set_comm(trainer, comm));
    }
    }
}

static void fit(dlviz_trainer *trainer) {
    const dlviz_dataset *train = a_dataset();
    if (one_in(4) && is_small_dataset(train))
        (void)CALL(dlviz_trainer_set_validation(trainer, train));
    int64_t epochs = one_in(16) ? (a_bool() ? INT64_MIN : -below(3)) : 1 + below(3),
            before = dlviz_trainer_num_epochs(trainer);
    if (!is_small_dataset(train) || !is_small_dataset(dlviz_trainer_validation(trainer)))
        return;
    dlviz_status status = CALL(dlviz_trainer_fit(trainer, train, epochs));
    if (!is_live_trainer(trainer))
        return; /* a callback has destroyed it */
    require(dlviz_trainer_num_epochs(trainer) >= before || status == DLVIZ_OK,
            "epochs that were done stay done");
    if (status == DLVIZ_OK && epochs > 0)
        require(dlviz_trainer_stop_reason(trainer) != DLVIZ_STOP_REASON_ERROR,
                "no error, and a reason");
}

static void load(dlviz_trainer *trainer) {
    const char *path = a_path();
    blob file = a_blob();
    int64_t epochs = dlviz_trainer_num_epochs(trainer);
    dlviz_status status =
        a_bool() ? CALL(dlviz_trainer_load_checkpoint(trainer, path))
                 : CALL(dlviz_trainer_load_checkpoint_memory(trainer, file.bytes, file.size));
    require(status == DLVIZ_OK || dlviz_trainer_num_epochs(trainer) == epochs,
            "what is not loaded changes nothing");
}

void make_a_training(void) {
    int64_t rows = 4 + below(12), dims[] = {rows, 1 + below(2), 4 + below(4), 4 + below(4)};
    bool images = a_bool(), vectors;
    dlviz_tensor *samples =
        new_tensor(a_bool() ? DLVIZ_UINT8 : DLVIZ_FLOAT32, images ? 4 : 2, dims, FILL_SHARES);
    dlviz_tensor *labels = new_tensor(DLVIZ_INT64, 1, &rows, FILL_LABELS);
    dlviz_dataset *dataset = NULL;
    dlviz_network *network = NULL;
    dlviz_optimizer *optimizer = NULL;
    dlviz_trainer *trainer = NULL;
    if (CALL(dlviz_dataset_create(&dataset, samples, labels)) == DLVIZ_OK &&
        CALL(dlviz_network_create(&network, dlviz_dataset_ndim(dataset),
                                  dlviz_dataset_dims(dataset))) == DLVIZ_OK) {
        static const char *const names[] = {"a", "b", "c"};
        for (int64_t i = 0; i < 3; i++) {
            add_to(network, names[i], sensible_layer(images, &vectors));
            images = images && !vectors;
        }
        if (images)
            add_to(network, "d", dlviz_flatten());
        add_to(network, "h", dlviz_linear(3));
        if (CALL(dlviz_network_build(network, 1)) == DLVIZ_OK &&
            CALL(a_bool() ? dlviz_adam_create(&optimizer, 0.01)
                          : dlviz_sgd_create(&optimizer, 0.01)) == DLVIZ_OK &&
            CALL(dlviz_trainer_create(&trainer, network, optimizer)) == DLVIZ_OK) {
            (void)CALL(dlviz_trainer_set_batch_size(trainer, 4));
            if (one_in(3))
                (void)CALL(dlviz_trainer_set_averaging(trainer, 0.5));
            if (one_in(3))
                (void)CALL(
                    dlviz_trainer_set_early_stopping(trainer, "train_loss", DLVIZ_BETTER_LOWER, 2));
            keep_trainer(trainer);
        }
    }
    if (samples)
        keep_tensor(samples);
    if (labels)
        keep_tensor(labels);
    if (dataset)
        keep_dataset(dataset);
    if (network)
        keep_network(network);
    if (optimizer)
        keep_optimizer(optimizer);
}

void call_trainer(void) {
    dlviz_trainer *trainer = a_trainer();
    const char *path = a_path();
    switch (!trainer && !one_in(8) ? 1 : below(18)) {
    case 0: {
        dlviz_network *network = a_network();
        dlviz_optimizer *optimizer = a_optimizer();
        if (is_small_network(network))
            MAKE(trainer, dlviz_trainer_create(out, network, optimizer));
        break;
    }
    case 1:
        make_a_training();
        break;
    case 2:
    case 3:
    case 4:
    case 5:
        set(trainer);
        break;
    case 6:
    case 7:
    case 8:
        fit(trainer);
        break;
    case 9:
        (void)CALL(dlviz_trainer_exchange_average(trainer));
        break;
    case 10:
        (void)CALL(dlviz_trainer_restore_best(trainer));
        break;
    case 11:
        if (a_bool())
            (void)CALL(dlviz_trainer_write_history(trainer, path));
        else
            WRITE(dlviz_trainer_write_history_memory(trainer, bytes, size));
        break;
    case 12:
        (void)CALL(dlviz_trainer_save_checkpoint(trainer, path));
        break;
    case 13:
        WRITE(dlviz_trainer_save_checkpoint_memory(trainer, bytes, size));
        break;
    case 14:
        load(trainer);
        break;
    case 15:
        (void)CALL(dlviz_trainer_gather(trainer));
        break;
    case 16:
        see_trainer(trainer);
        break;
    default:
        drop_trainer();
    }
}
