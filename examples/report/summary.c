/* summary.json: what was run, on what, with what result. */
#include "report.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

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

static json_t *training(const struct report *report) {
    const struct options *options = &report->options;
    const dlviz_trainer *trainer = report->trainer;
    int last = (int)dlviz_trainer_num_epochs(trainer) - 1;
    return json_pack(
        "{s:s, s:f, s:s, s:i, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "optimizer", "Adam",
        "learning_rate", report->experiment->learning_rate, "schedule",
        report->experiment->adaptive ? "ReduceLROnPlateau(factor=0.1, patience=3)" : "constant",
        "epochs", last + 1, "batch_size", (json_int_t)options->batch_size, "seed",
        (json_int_t)options->seed, "train_loss",
        number(dlviz_trainer_history(trainer, last, "train_loss")), "validation_loss",
        number(dlviz_trainer_history(trainer, last, "validation_loss")), "validation_accuracy",
        number(dlviz_trainer_history(trainer, last, "validation_accuracy")), "seconds",
        number(mean_of(trainer, "seconds") * (last + 1)), "images_per_second",
        number(mean_of(trainer, "samples_per_second")));
}

static json_t *seconds(const struct report *report) {
    static const char *const names[NUM_STAGES] = {"load", "train", "evaluate", "features",
                                                  "pca",  "tsne",  "quality",  "figures"};
    json_t *object = json_object();
    double total = 0;
    for (int i = 0; i < NUM_STAGES; i++) {
        json_object_set_new(object, names[i], number(report->seconds[i]));
        total += report->seconds[i];
    }
    json_object_set_new(object, "total", number(total));
    return object;
}

static json_t *dataset(const struct report *report) {
    return json_pack("{s:s, s:o, s:I, s:I, s:I, s:I}", "name", report->dataset_name, "folder",
                     text(report->options.data), "train",
                     (json_int_t)dlviz_dataset_num_samples(report->train), "validation",
                     (json_int_t)dlviz_dataset_num_samples(report->validation), "test",
                     (json_int_t)dlviz_dataset_num_samples(report->test), "image_size",
                     (json_int_t)report->options.image_size);
}

static json_t *embedding(const struct report *report) {
    const struct quality *quality = &report->quality;
    return json_pack("{s:f, s:I, s:o, s:{s:i, s:o, s:o, s:o, s:o, s:o, s:o}}", "perplexity",
                     report->options.perplexity, "iterations",
                     (json_int_t)dlviz_tsne_num_iterations_done(report->tsne), "kl_divergence",
                     number(dlviz_tsne_kl_divergence(report->tsne)), "quality", "neighbors",
                     QUALITY_NEIGHBORS, "trustworthiness", number(quality->trustworthiness),
                     "continuity", number(quality->continuity), "neighbor_preservation",
                     number(quality->preservation), "neighbor_accuracy",
                     number(quality->neighbor_accuracy), "silhouette", number(quality->silhouette),
                     "distance_correlation", number(quality->correlation));
}

static json_t *summarize(const struct report *report) {
    return json_pack(
        "{s:s, s:s, s:o, s:{s:I, s:s, s:I}, s:o, s:{s:o, s:o, s:o}, s:{s:o, s:f}, s:o, s:o, s:o, "
        "s:I, s:s, s:s, s:s}",
        "experiment", report->experiment->name, "title", report->title, "dataset", dataset(report),
        "network", "parameters", (json_int_t)dlviz_network_num_parameters(report->network), "layer",
        report->options.layer, "features", (json_int_t)dlviz_tensor_dim(report->features, 1),
        "training", training(report), "test", "accuracy", number(report->test_accuracy), "loss",
        number(report->test_loss), "confusion", matrix(report->confusion), "pca",
        "explained_variance_ratio", floats(dlviz_pca_explained_variance_ratio(report->pca)),
        "total_variance", dlviz_pca_total_variance(report->pca), "tsne", embedding(report),
        "seconds", seconds(report), "peak_memory_mb", number(peak_memory_mb()), "threads",
        (json_int_t)dlviz_num_threads(), "isa", dlviz_isa(), "blas", dlviz_blas(), "version",
        dlviz_version());
}

/* To a temporary name, then renamed: an earlier summary survives a failure. */
static int write_whole(json_t *object, const char *path) {
    char temporary[4400];
    snprintf(temporary, sizeof temporary, "%s.part", path);
    FILE *file = fopen(temporary, "w");
    if (!file)
        return -1;
    bool failed = json_dumpf(object, file, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) != 0;
    failed |= fputc('\n', file) == EOF || fflush(file) != 0 || fsync(fileno(file)) != 0;
    failed |= fclose(file) != 0;
    if (!failed && rename(temporary, path) == 0)
        return 0;
    int error = errno;
    unlink(temporary);
    errno = error;
    return -1;
}

int write_summary(const struct report *report) {
    json_t *object = summarize(report);
    const char *path = result_path(report, "summary.json");
    errno = ENOMEM;
    int status = object ? write_whole(object, path) : -1;
    if (status != 0)
        fprintf(stderr, "%s: cannot write '%s': %s\n", report->options.program, path,
                strerror(errno));
    json_decref(object);
    return status;
}
