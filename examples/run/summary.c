/* summary.json: what was run, on what, with what result. */
#include "compact.h"
#include "folder.h"
#include "run.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* JSON has no NaN. */
static json_t *number(double value) {
    return isfinite(value) ? json_real(value) : json_null();
}

/* Nor has it text that is not UTF-8, which a folder's name may be. */
static json_t *text(const char *bytes) {
    json_t *string = json_string(bytes);
    if (string)
        return string;
    char copy[4096];
    snprintf(copy, sizeof copy, "%s", bytes);
    for (char *at = copy; *at; at++)
        if (*at & 0x80)
            *at = '?';
    return json_string(copy);
}

static json_t *floats(const dlviz_tensor *tensor) {
    json_t *array = json_array();
    const float *values = dlviz_tensor_const_float(tensor);
    for (int64_t i = 0; i < dlviz_tensor_num_elements(tensor); i++)
        json_array_append_new(array, number((double)values[i]));
    return array;
}

static json_t *matrix(const dlviz_tensor *tensor) {
    json_t *rows = json_array();
    const int64_t *values = dlviz_tensor_const_data(tensor);
    int64_t width = dlviz_tensor_dim(tensor, 1);
    for (int64_t i = 0; i < dlviz_tensor_dim(tensor, 0); i++) {
        json_t *row = json_array();
        for (int64_t j = 0; j < width; j++)
            json_array_append_new(row, json_integer(values[i * width + j]));
        json_array_append_new(rows, row);
    }
    return rows;
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

static json_t *training(const struct run *run) {
    const struct options *options = &run->options;
    const dlviz_trainer *trainer = run->trainer;
    int64_t epochs = dlviz_trainer_num_epochs(trainer), last = epochs - 1;
    json_t *object = json_pack(
        "{s:s, s:f, s:s, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "optimizer",
        optimizer_text(options), "learning_rate", options->learning_rate, "schedule",
        schedule_text(options), "epochs", (json_int_t)epochs, "batch_size",
        (json_int_t)options->batch_size, "seed", (json_int_t)options->seed, "train_loss",
        number(dlviz_trainer_history(trainer, last, "train_loss")), "validation_loss",
        number(dlviz_trainer_history(trainer, last, "validation_loss")), "validation_accuracy",
        number(dlviz_trainer_history(trainer, last, "validation_accuracy")), "seconds",
        number(mean_of(trainer, "seconds") * (double)epochs), "images_per_second",
        number(mean_of(trainer, "samples_per_second")));
    if (options->augment)
        json_object_set_new(object, "augmentation", text(options->augment));
    if (options->patience > 0)
        json_object_set_new(object, "best_epoch",
                            json_integer(dlviz_trainer_best_epoch(trainer) + 1));
    return object;
}

static json_t *seconds(const struct run *run) {
    json_t *object = json_object();
    double total = 0;
    for (int i = 0; i < NUM_STAGES; i++) {
        json_object_set_new(object, stage_names[i], number(run->seconds[i]));
        total += run->seconds[i];
    }
    json_object_set_new(object, "total", number(total));
    return object;
}

static json_t *class_names(const struct run *run) {
    json_t *array = json_array();
    for (int64_t i = 0; i < dlviz_dataset_num_classes(run->data.test); i++) {
        const char *name = dlviz_dataset_class_name(run->data.test, i);
        char digits[24];
        snprintf(digits, sizeof digits, "%lld", (long long)i);
        json_array_append_new(array, text(name ? name : digits));
    }
    return array;
}

static json_t *input(const struct run *run) {
    json_t *array = json_array();
    for (int i = 0; i < dlviz_dataset_ndim(run->data.train); i++)
        json_array_append_new(array, json_integer(dlviz_dataset_dims(run->data.train)[i]));
    return array;
}

static json_t *dataset(const struct run *run) {
    const struct data *data = &run->data;
    return json_pack("{s:s, s:o, s:I, s:I, s:I, s:o, s:o}", "name", data->name, "folder",
                     text(run->options.data), "train",
                     (json_int_t)dlviz_dataset_num_samples(data->train), "validation",
                     (json_int_t)dlviz_dataset_num_samples(data->validation), "test",
                     (json_int_t)dlviz_dataset_num_samples(data->test), "input", input(run),
                     "classes", class_names(run));
}

/* The layers as the network's files have them. */
static json_t *network(const struct run *run) {
    void *bytes;
    size_t size;
    json_t *layers = NULL;
    if (dlviz_network_save_architecture_memory(run->network, &bytes, &size) == DLVIZ_OK) {
        json_t *whole = json_loadb(bytes, size, 0, NULL);
        layers = json_incref(json_object_get(whole, "layers"));
        json_decref(whole);
    }
    dlviz_free(bytes);
    return json_pack("{s:o, s:I, s:s, s:I, s:o*}", "name", text(run->options.network), "parameters",
                     (json_int_t)dlviz_network_num_parameters(run->network), "layer", run->layer,
                     "features", (json_int_t)dlviz_tensor_dim(run->features, 1), "layers", layers);
}

static json_t *quality_of(const struct quality *quality) {
    return json_pack("{s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "neighbors", QUALITY_NEIGHBORS,
                     "trustworthiness", number(quality->trustworthiness), "continuity",
                     number(quality->continuity), "neighbor_preservation",
                     number(quality->preservation), "neighbor_accuracy",
                     number(quality->neighbor_accuracy), "silhouette", number(quality->silhouette),
                     "distance_correlation", number(quality->correlation), "kl_divergence",
                     number(quality->kl_divergence));
}

static json_t *embedding(const struct run *run) {
    json_t *epochs = json_array();
    for (int64_t i = 0; i < dlviz_film_num_frames(run->film); i++)
        json_array_append_new(epochs, json_integer(dlviz_film_epoch(run->film, i)));
    return json_pack("{s:f, s:I, s:o, s:o, s:o, s:o, s:o}", "perplexity", run->options.perplexity,
                     "iterations", (json_int_t)run->options.tsne_iterations, "kl_divergence",
                     number(run->learned.kl_divergence), "epochs", epochs, "quality",
                     quality_of(&run->learned), "untrained", quality_of(&run->untrained), "pixels",
                     quality_of(&run->pixels));
}

static json_t *command(const struct run *run) {
    json_t *words = json_array();
    for (int i = 0; i < run->options.num_words; i++)
        json_array_append_new(words, text(run->options.words[i]));
    return words;
}

static json_t *versions(void) {
    return json_pack("{s:s, s:s, s:s}", "libdlviz", dlviz_version(), "jansson",
                     jansson_version_str(), "blas", dlviz_blas());
}

static json_t *summarize(const struct run *run) {
    const char *name = run->experiment ? run->experiment->name : run->data.name;
    return json_pack(
        "{s:s, s:s, s:o, s:o, s:o, s:o, s:{s:o, s:o, s:o, s:o}, s:{s:o, s:f}, s:o, s:o, s:o, s:I, "
        "s:s, s:s, s:s, s:o}",
        "experiment", name, "title", run->title, "command", command(run), "dataset", dataset(run),
        "network", network(run), "training", training(run), "test", "accuracy",
        number(run->test_accuracy), "loss", number(run->test_loss), "untrained_accuracy",
        number(run->untrained_accuracy), "confusion", matrix(run->confusion), "pca",
        "explained_variance_ratio", floats(dlviz_pca_explained_variance_ratio(run->pca)),
        "total_variance", dlviz_pca_total_variance(run->pca), "tsne", embedding(run), "seconds",
        seconds(run), "peak_memory_mb", number(peak_memory_mb()), "threads",
        (json_int_t)dlviz_num_threads(), "isa", dlviz_isa(), "blas", dlviz_blas(), "version",
        dlviz_version(), "versions", versions());
}

dlviz_status write_summary(const struct run *run) {
    json_t *object = summarize(run);
    const char *path = result_path(run->options.out, "summary.json");
    dlviz_status status = object ? write_compact(object, path)
                                 : dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY,
                                              "cannot write '%s': not enough memory", path);
    json_decref(object);
    return status;
}
