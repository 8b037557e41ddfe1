/* faults/stages_training.c - networks, steps by hand, the trainer, checkpoints. */
#include "faults/pipeline.h"

static const char *const no_files[] = {NULL};

/* -- A network, and a step by hand -- */

static struct {
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_tensor *inputs, *labels, *outputs, *gradient;
    double loss, norm;
} n;

static void prepare_network(void) {
    dlviz_dataset *dataset = make_dataset(12, 3);
    must(dlviz_dataset_samples(dataset, 0, 12, &n.inputs));
    dlviz_dataset_destroy(dataset);
    n.labels = make_labels(12, 3);
}

/* A network that lacks a layer keeps that failure, and is made anew. */
static dlviz_status make_it(void) {
    dlviz_network_destroy(n.network);
    n.network = NULL;
    dlviz_status status = dlviz_network_create(&n.network, 3, (int64_t[]){1, 8, 8});
    return status == DLVIZ_OK ? add_layers(n.network, 1) : status;
}

static dlviz_status run_network(attempt *a) {
    STEP(a, make_it());
    STEP(a, dlviz_sgd_create(&n.optimizer, 0.1));
    STEP(a, dlviz_sgd_set_momentum(n.optimizer, 0.9, 0, true));
    STEP(a, dlviz_optimizer_set_rate_factor(n.optimizer, "conv*", 0.5));
    for (int step = 0; step < 2; step++) {
        STEP(a, dlviz_network_backward(n.network, n.inputs, n.labels, 1, 1, &n.loss));
        STEP(a, dlviz_network_clip_gradient_norm(n.network, 1, &n.norm));
        STEP(a, dlviz_optimizer_step(n.optimizer, n.network));
    }
    STEP(a, dlviz_network_get_gradient(n.network, "conv2.weight", &n.gradient));
    STEP(a, dlviz_network_forward(n.network, n.inputs, &n.outputs));
    return DLVIZ_OK;
}

static void note_made(void) {
    note_network(n.network);
    note_number(n.loss);
    note_number(n.norm);
    note_tensor(n.gradient);
    note_tensor(n.outputs);
    note_text(dlviz_network_summary(n.network));
}

static void release_network(void) {
    dlviz_optimizer_destroy(n.optimizer);
    dlviz_network_destroy(n.network);
    dlviz_tensor *tensors[] = {n.inputs, n.labels, n.outputs, n.gradient};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(tensors[i]);
}

const stage network_stage = {"network", prepare_network, run_network,
                             note_made, release_network, no_files};

/* -- A trainer -- */

static struct {
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    dlviz_dataset *train, *validation;
} t;

static void make_trainer(void) {
    dlviz_augmentation *shift = dlviz_random_shift(1, 1);
    t.network = make_network(1);
    t.train = make_dataset(36, 3);
    t.validation = make_dataset(12, 4);
    must(dlviz_dataset_add_augmentation(t.train, shift));
    must(dlviz_adam_create(&t.optimizer, 1e-2));
    must(dlviz_trainer_create(&t.trainer, t.network, t.optimizer));
    must(dlviz_trainer_set_schedule(t.trainer, dlviz_plateau(0.5, 0)));
    must(dlviz_trainer_set_validation(t.trainer, t.validation));
    must(dlviz_trainer_set_batch_size(t.trainer, 8));
}

/* The epochs that are left, also where an earlier attempt has done some of them. */
static dlviz_status fit_to(int64_t epochs) {
    return dlviz_trainer_fit(t.trainer, t.train, epochs - dlviz_trainer_num_epochs(t.trainer));
}

static dlviz_status run_training(attempt *a) {
    STEP(a, fit_to(3));
    STEP(a, dlviz_trainer_write_history(t.trainer, output_path("history.csv")));
    return DLVIZ_OK;
}

static void note_training(void) {
    note_network(t.network);
    note_number((double)dlviz_trainer_num_epochs(t.trainer));
    for (int64_t epoch = 0; epoch < dlviz_trainer_num_epochs(t.trainer); epoch++)
        for (int64_t i = 0; i < dlviz_trainer_num_figures(t.trainer) - 2; i++)
            note_number(
                dlviz_trainer_history(t.trainer, epoch, dlviz_trainer_figure_name(t.trainer, i)));
}

static void release_trainer(void) {
    dlviz_trainer_destroy(t.trainer);
    dlviz_optimizer_destroy(t.optimizer);
    dlviz_network_destroy(t.network);
    dlviz_dataset_destroy(t.train);
    dlviz_dataset_destroy(t.validation);
}

static const char *const training_files[] = {"history.csv", NULL};
const stage training_stage = {"training",    make_trainer,    run_training,
                              note_training, release_trainer, training_files};

/* An average of the weights, accumulation, early stopping whose best states are put back. */
static void prepare_early_stopping(void) {
    make_trainer();
    must(dlviz_trainer_set_schedule(t.trainer, dlviz_one_cycle(0.05, 4)));
}

static dlviz_status run_early_stopping(attempt *a) {
    STEP(a, dlviz_trainer_set_accumulation(t.trainer, 2));
    STEP(a, dlviz_trainer_set_clip_norm(t.trainer, 1));
    STEP(a, dlviz_trainer_set_averaging(t.trainer, 0.9));
    STEP(a, dlviz_trainer_set_early_stopping(t.trainer, "validation_loss", DLVIZ_BETTER_LOWER, 4));
    STEP(a, fit_to(4));
    STEP(a, dlviz_trainer_restore_best(t.trainer));
    return DLVIZ_OK;
}

static void note_early_stopping(void) {
    note_training();
    note_number((double)dlviz_trainer_best_epoch(t.trainer));
}

const stage early_stopping_stage = {"early stopping",    prepare_early_stopping, run_early_stopping,
                                    note_early_stopping, release_trainer,        no_files};

/* A third checkpoint, where there are two, and training that goes on from it. */
static void prepare_checkpoint(void) {
    make_trainer();
    for (int epoch = 0; epoch < 2; epoch++) {
        must(fit_to(epoch + 1));
        must(dlviz_trainer_save_checkpoint(t.trainer, output_path("checkpoint.safetensors")));
    }
    must(fit_to(3));
}

static dlviz_status run_checkpoint(attempt *a) {
    STEP(a, dlviz_trainer_save_checkpoint(t.trainer, output_path("checkpoint.safetensors")));
    STEP(a, dlviz_trainer_load_checkpoint(t.trainer, output_path("checkpoint.safetensors")));
    STEP(a, fit_to(4));
    return DLVIZ_OK;
}

static const char *const checkpoint_files[] = {"checkpoint.safetensors",
                                               "checkpoint.safetensors.previous", NULL};
const stage checkpoint_stage = {"checkpoint",  prepare_checkpoint, run_checkpoint,
                                note_training, release_trainer,    checkpoint_files};

/* -- What a network's files are -- */

static struct {
    dlviz_network *network, *opened, *described;
    dlviz_safetensors *contents;
    dlviz_dataset *dataset;
} s;

static void prepare_files(void) {
    s.network = make_network(9);
    s.dataset = make_dataset(6, 3);
}

/* What cannot be built keeps that failure, and is opened again. */
static dlviz_status open_described(void) {
    dlviz_network_destroy(s.described);
    s.described = NULL;
    dlviz_status status =
        dlviz_network_open_architecture(&s.described, output_path("network.json"));
    return status == DLVIZ_OK ? dlviz_network_build(s.described, 2) : status;
}

static dlviz_status run_files(attempt *a) {
    STEP(a, dlviz_network_describe_data(s.network, s.dataset));
    STEP(a, dlviz_network_save(s.network, output_path("model.safetensors")));
    STEP(a, dlviz_network_load(s.network, output_path("model.safetensors")));
    STEP(a, dlviz_network_open(&s.opened, output_path("model.safetensors")));
    STEP(a, dlviz_network_prepare_data(s.opened, s.dataset));
    STEP(a, dlviz_network_save_architecture(s.network, output_path("network.json")));
    STEP(a, open_described());
    STEP(a, dlviz_network_freeze(s.described, "conv.*"));
    STEP(a, dlviz_safetensors_open(&s.contents, output_path("model.safetensors")));
    STEP(a, dlviz_safetensors_rename(s.contents, "conv2.*", "second.*"));
    STEP(a, dlviz_safetensors_set_metadata(s.contents, "made by", "a test"));
    STEP(a, dlviz_safetensors_save(s.contents, output_path("renamed.safetensors")));
    STEP(a, dlviz_network_load_tensors(s.described, s.contents, false));
    STEP(a, dlviz_network_export_onnx(s.network, output_path("model.onnx")));
    return DLVIZ_OK;
}

static void note_files(void) {
    note_network(s.network);
    note_network(s.opened);
    note_network(s.described);
    note_text(dlviz_network_class_name(s.opened, 2));
    note_number(dlviz_network_is_frozen(s.described, "conv.weight"));
    note_number((double)dlviz_network_num_missing(s.described));
    note_number((double)dlviz_network_num_unused(s.described));
    for (int64_t i = 0; i < dlviz_safetensors_num_tensors(s.contents); i++)
        note_text(dlviz_safetensors_tensor_name(s.contents, i));
}

static void release_files(void) {
    dlviz_network *networks[] = {s.network, s.opened, s.described};
    for (int i = 0; i < 3; i++)
        dlviz_network_destroy(networks[i]);
    dlviz_safetensors_destroy(s.contents);
    dlviz_dataset_destroy(s.dataset);
}

static const char *const files_files[] = {"model.safetensors", "network.json",
                                          "renamed.safetensors", "model.onnx", NULL};
const stage files_stage = {"files",    prepare_files, run_files,
                           note_files, release_files, files_files};
