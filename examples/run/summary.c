/* summary.json: what was run, on what, with what result. */
#include "folder.h"
#include "json.h"
#include "run.h"
#include "try.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* With more, a matrix of them would be most of the file, and of the memory. */
enum { MOST_IN_MATRIX = 1000 };

static void put_floats(struct json_builder *json, const char *key, const dlviz_tensor *tensor) {
    const float *values = dlviz_tensor_const_float(tensor);
    put_open(json, key, '[');
    for (int64_t i = 0; i < dlviz_tensor_num_elements(tensor); i++)
        put_number(json, NULL, (double)values[i]);
    put_close(json);
}

static void put_matrix(struct json_builder *json, const char *key, const dlviz_tensor *tensor) {
    const int64_t *values = dlviz_tensor_const_data(tensor);
    int64_t width = dlviz_tensor_dim(tensor, 1);
    put_open(json, key, '[');
    for (int64_t i = 0; i < dlviz_tensor_dim(tensor, 0); i++) {
        put_open(json, NULL, '[');
        for (int64_t j = 0; j < width; j++)
            put_integer(json, NULL, values[i * width + j]);
        put_close(json);
    }
    put_close(json);
}

static double mean_of(const dlviz_trainer *trainer, const char *metric) {
    int64_t epochs = dlviz_trainer_num_epochs(trainer);
    double sum = 0;
    for (int64_t i = 0; i < epochs; i++)
        sum += dlviz_trainer_history(trainer, i, metric);
    return epochs > 0 ? sum / (double)epochs : NAN;
}

static double peak_memory_mb(void) {
    struct rusage usage;
    return getrusage(RUSAGE_SELF, &usage) == 0 ? (double)usage.ru_maxrss / 1024 : NAN;
}

static const char *schedule_text(const struct options *options) {
    static char text[64];
    switch ((enum schedule_choice)options->schedule) {
    case SCHEDULE_PLATEAU:
        return "ReduceLROnPlateau(factor=0.1, patience=3)";
    case SCHEDULE_ONE_CYCLE:
        snprintf(text, sizeof text, "OneCycle(peak=%g)", options->learning_rate);
        return text;
    case SCHEDULE_COSINE:
        return "Cosine";
    case SCHEDULE_CONSTANT:
        break;
    }
    return "constant";
}

/* PyTorch's names. */
static const char *optimizer_text(const struct options *options) {
    static const char *const names[] = {"Adam", "AdamW", "NAdam",  "RAdam",
                                        "Lion", "SGD",   "RMSprop"};
    return names[options->optimizer];
}

static void put_training(struct json_builder *json, const struct run *run) {
    const struct options *options = &run->options;
    const dlviz_trainer *trainer = run->trainer;
    int64_t epochs = dlviz_trainer_num_epochs(trainer), last = epochs - 1;
    put_open(json, "training", '{');
    put_text(json, "optimizer", optimizer_text(options));
    put_number(json, "learning_rate", options->learning_rate);
    put_text(json, "schedule", schedule_text(options));
    put_integer(json, "epochs", epochs);
    put_integer(json, "batch_size", options->batch_size);
    put_integer(json, "seed", options->seed);
    put_number(json, "train_loss", dlviz_trainer_history(trainer, last, "train_loss"));
    put_number(json, "validation_loss", dlviz_trainer_history(trainer, last, "validation_loss"));
    put_number(json, "validation_accuracy",
               dlviz_trainer_history(trainer, last, "validation_accuracy"));
    put_number(json, "seconds", mean_of(trainer, "seconds") * (double)epochs);
    put_number(json, "images_per_second", mean_of(trainer, "samples_per_second"));
    if (options->augment)
        put_text(json, "augmentation", options->augment);
    if (options->patience > 0)
        put_integer(json, "best_epoch", dlviz_trainer_best_epoch(trainer) + 1);
    put_close(json);
}

static void put_seconds(struct json_builder *json, const struct run *run) {
    double total = 0;
    put_open(json, "seconds", '{');
    for (int i = 0; i < NUM_STAGES; i++) {
        put_number(json, stage_names[i], run->seconds[i]);
        total += run->seconds[i];
    }
    put_number(json, "total", total);
    put_close(json);
}

static void put_class_names(struct json_builder *json, const struct run *run) {
    put_open(json, "classes", '[');
    for (int64_t i = 0; i < dlviz_dataset_num_classes(run->data.test); i++) {
        const char *name = dlviz_dataset_class_name(run->data.test, i);
        char digits[24];
        snprintf(digits, sizeof digits, "%lld", (long long)i);
        put_text(json, NULL, name ? name : digits);
    }
    put_close(json);
}

static void put_dataset(struct json_builder *json, const struct run *run) {
    const struct data *data = &run->data;
    put_open(json, "dataset", '{');
    put_text(json, "name", data->name);
    put_text(json, "folder", run->options.data);
    put_integer(json, "train", dlviz_dataset_num_samples(data->train));
    put_integer(json, "validation", dlviz_dataset_num_samples(data->validation));
    put_integer(json, "test", dlviz_dataset_num_samples(data->test));
    put_open(json, "input", '[');
    for (int i = 0; i < dlviz_dataset_ndim(data->train); i++)
        put_integer(json, NULL, dlviz_dataset_dims(data->train)[i]);
    put_close(json);
    put_class_names(json, run);
    put_close(json);
}

/* The layers as the network's files have them. */
static dlviz_status put_network(struct json_builder *json, const struct run *run) {
    void *description;
    size_t size;
    TRY(dlviz_network_save_architecture_memory(run->network, &description, &size));
    put_open(json, "network", '{');
    put_text(json, "name", run->options.network);
    put_integer(json, "parameters", dlviz_network_num_parameters(run->network));
    put_text(json, "layer", run->layer);
    put_integer(json, "features", dlviz_tensor_dim(run->features, 1));
    put_member(json, "layers", description, size);
    put_close(json);
    dlviz_free(description);
    return DLVIZ_OK;
}

static void put_quality(struct json_builder *json, const char *key, const struct quality *quality) {
    put_open(json, key, '{');
    put_integer(json, "neighbors", QUALITY_NEIGHBORS);
    put_number(json, "trustworthiness", quality->trustworthiness);
    put_number(json, "continuity", quality->continuity);
    put_number(json, "neighbor_preservation", quality->preservation);
    put_number(json, "neighbor_accuracy", quality->neighbor_accuracy);
    put_number(json, "silhouette", quality->silhouette);
    put_number(json, "distance_correlation", quality->correlation);
    put_number(json, "kl_divergence", quality->kl_divergence);
    put_close(json);
}

static void put_embedding(struct json_builder *json, const struct run *run) {
    put_open(json, "tsne", '{');
    put_number(json, "perplexity", run->perplexity);
    put_integer(json, "iterations", run->options.tsne_iterations);
    put_number(json, "kl_divergence", run->learned.kl_divergence);
    put_open(json, "epochs", '[');
    for (int64_t i = 0; i < dlviz_film_num_frames(run->film); i++)
        put_integer(json, NULL, dlviz_film_epoch(run->film, i));
    put_close(json);
    put_quality(json, "quality", &run->learned);
    put_quality(json, "untrained", &run->untrained);
    put_quality(json, "pixels", &run->pixels);
    put_close(json);
}

static void put_command(struct json_builder *json, const struct run *run) {
    put_open(json, "command", '[');
    for (int i = 0; i < run->options.num_words; i++)
        put_text(json, NULL, run->options.words[i]);
    put_close(json);
}

static void put_results(struct json_builder *json, const struct run *run) {
    put_open(json, "test", '{');
    put_number(json, "accuracy", run->test_accuracy);
    put_number(json, "loss", run->test_loss);
    put_number(json, "untrained_accuracy", run->untrained_accuracy);
    if (dlviz_tensor_dim(run->confusion, 0) <= MOST_IN_MATRIX)
        put_matrix(json, "confusion", run->confusion);
    put_close(json);
    put_open(json, "pca", '{');
    put_floats(json, "explained_variance_ratio", dlviz_pca_explained_variance_ratio(run->pca));
    put_number(json, "total_variance", dlviz_pca_total_variance(run->pca));
    put_close(json);
    put_embedding(json, run);
}

static void put_machine(struct json_builder *json, const struct run *run) {
    put_seconds(json, run);
    put_number(json, "peak_memory_mb", peak_memory_mb());
    put_integer(json, "threads", dlviz_num_threads());
    put_text(json, "isa", dlviz_isa());
    put_text(json, "blas", dlviz_blas());
    put_text(json, "version", dlviz_version());
    put_open(json, "versions", '{');
    put_text(json, "libdlviz", dlviz_version());
    put_text(json, "jansson", jansson_version_str());
    put_text(json, "blas", dlviz_blas());
    put_close(json);
}

static dlviz_status summarize(struct json_builder *json, const struct run *run) {
    put_text(json, "experiment", run->experiment ? run->experiment->name : run->data.name);
    put_text(json, "title", run->title);
    put_command(json, run);
    put_dataset(json, run);
    TRY(put_network(json, run));
    put_training(json, run);
    put_results(json, run);
    put_machine(json, run);
    return DLVIZ_OK;
}

dlviz_status write_summary(const struct run *run) {
    struct json_builder json = begin_json();
    dlviz_status status = summarize(&json, run);
    if (status == DLVIZ_OK)
        status = write_json(&json, result_path(run->options.out, "summary.json"));
    release_json(&json);
    return status;
}
