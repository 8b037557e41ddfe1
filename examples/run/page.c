/* The page a run ends in: everything that another run of the same settings would find again, and
 * nothing else, so that it has the same bytes. */
#include "folder.h"
#include "interrupt.h"
#include "networks.h"
#include "rows.h"
#include "run.h"
#include "try.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NAME = 512, MOST_ATTRIBUTED = 256, ATTRIBUTION_BATCH = 64 };

/* -- The points ----------------------------------------------------------------------------------
 */

static dlviz_status set_class_names(const struct run *run, dlviz_report *report) {
    int64_t classes = dlviz_dataset_num_classes(run->data.test);
    const char **names = calloc((size_t)classes, sizeof *names);
    char(*numbers)[24] = calloc((size_t)classes, sizeof *numbers);
    dlviz_status status = DLVIZ_OK;
    for (int64_t i = 0; names && numbers && i < classes; i++) {
        const char *name = dlviz_dataset_class_name(run->data.test, i);
        snprintf(numbers[i], sizeof *numbers, "%lld", (long long)i);
        names[i] = name ? name : numbers[i];
    }
    status = names && numbers
                 ? dlviz_report_set_class_names(report, classes, names)
                 : dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for the names of classes");
    free(names);
    free(numbers);
    return status;
}

/* The names of files, where the samples came from such. */
static dlviz_status set_point_names(const struct run *run, dlviz_report *report) {
    int64_t n = dlviz_dataset_num_samples(run->data.test);
    if (!dlviz_dataset_sample_path(run->data.test, 0))
        return DLVIZ_OK;
    const char **names = calloc((size_t)n, sizeof *names);
    char(*texts)[LONGEST_NAME] = calloc((size_t)n, sizeof *texts);
    for (int64_t i = 0; names && texts && i < n; i++) { /* files may be called anything */
        dlviz_printable(texts[i], sizeof *texts, dlviz_dataset_sample_path(run->data.test, i));
        names[i] = texts[i];
    }
    dlviz_status status =
        names && texts ? dlviz_report_set_point_names(report, n, names)
                       : dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "no memory for the names of files");
    free(names);
    free(texts);
    return status;
}

static dlviz_status describe_points(struct run *run, dlviz_report *report) {
    const dlviz_dataset *test = run->data.test;
    const int64_t *dims = dlviz_dataset_dims(test);
    bool pictures = dlviz_dataset_ndim(test) == 3 && (dims[0] == 1 || dims[0] == 3);
    TRY(dlviz_report_set_labels(report, dlviz_dataset_labels(test)));
    TRY(set_class_names(run, report));
    TRY(set_point_names(run, report));
    return pictures ? dlviz_report_set_images_of(report, test) : DLVIZ_OK;
}

/* -- The run -------------------------------------------------------------------------------------
 */

static dlviz_status add_measures(const struct run *run, dlviz_report_run *page) {
    const struct quality *learned = &run->learned, *before = &run->untrained, *raw = &run->pixels;
    const struct {
        const char *name, *unit;
        double value, untrained, pixels;
    } measures[] = {
        {"test accuracy", "%", 100 * run->test_accuracy, 100 * run->untrained_accuracy, NAN},
        {"test loss", "", run->test_loss, NAN, NAN},
        {"right class by neighbors in the map", "%", 100 * learned->neighbor_accuracy,
         100 * before->neighbor_accuracy, 100 * raw->neighbor_accuracy},
        {"neighbors kept in the map", "%", 100 * learned->preservation, 100 * before->preservation,
         100 * raw->preservation},
        {"trustworthiness", "", learned->trustworthiness, before->trustworthiness,
         raw->trustworthiness},
        {"continuity", "", learned->continuity, before->continuity, raw->continuity},
        {"silhouette of the classes", "", learned->silhouette, before->silhouette, raw->silhouette},
        {"KL divergence", "", learned->kl_divergence, before->kl_divergence, raw->kl_divergence}};
    for (size_t i = 0; i < sizeof measures / sizeof *measures; i++)
        if (!isnan(measures[i].value))
            TRY(dlviz_report_run_add_measure(page, measures[i].name, measures[i].unit, NULL,
                                             measures[i].value, measures[i].untrained,
                                             measures[i].pixels));
    return DLVIZ_OK;
}

static dlviz_status add_fact(dlviz_report_run *page, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static dlviz_status add_fact(dlviz_report_run *page, const char *name, const char *format, ...) {
    char text[256];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return dlviz_report_run_add_fact(page, name, text);
}

static dlviz_status add_facts(const struct run *run, dlviz_report_run *page) {
    const struct options *options = &run->options;
    int64_t best = dlviz_trainer_best_epoch(run->trainer);
    TRY(add_fact(page, "optimizer", "%s", optimizer_names[options->optimizer]));
    TRY(add_fact(page, "learning rate", "%g", options->learning_rate));
    TRY(add_fact(page, "schedule", "%s", schedule_names[options->schedule]));
    TRY(add_fact(page, "epochs", "%lld", (long long)dlviz_trainer_num_epochs(run->trainer)));
    if (options->patience > 0 && best >= 0)
        TRY(add_fact(page, "best epoch", "%lld", (long long)best + 1));
    TRY(add_fact(page, "batch size", "%lld", (long long)options->batch_size));
    if (options->augment)
        TRY(add_fact(page, "augmentation", "%s", options->augment));
    TRY(add_fact(page, "training samples", "%lld",
                 (long long)dlviz_dataset_num_samples(run->data.train)));
    TRY(add_fact(page, "validation samples", "%lld",
                 (long long)dlviz_dataset_num_samples(run->data.validation)));
    TRY(add_fact(page, "parameters", "%lld",
                 (long long)dlviz_network_num_parameters(run->network)));
    TRY(add_fact(page, "perplexity", "%g", run->perplexity));
    return add_fact(page, "seed", "%lld", (long long)options->seed);
}

/* -- What it looked at: of the misclassified ----------------------------------------------------- */

static int64_t prediction(const dlviz_tensor *logits, int64_t row) {
    int64_t classes = dlviz_tensor_dim(logits, 1), best = 0;
    const float *scores = dlviz_tensor_const_float(logits) + row * classes;
    for (int64_t k = 1; k < classes; k++)
        best = scores[k] > scores[best] ? k : best;
    return best;
}

static int64_t list_misclassified(const struct run *run, int64_t points[MOST_ATTRIBUTED]) {
    const int64_t *labels = dlviz_tensor_const_data(dlviz_dataset_labels(run->data.test));
    int64_t count = 0;
    for (int64_t i = 0; i < dlviz_dataset_num_samples(run->data.test); i++)
        if (count < MOST_ATTRIBUTED && prediction(run->logits, i) != labels[i])
            points[count++] = i;
    return count;
}

/* Of a batch of points, with respect to what the network took them for. */
static dlviz_status attribute_batch(struct run *run, int64_t count, const int64_t *points,
                                    float *to) {
    dlviz_dataset *some;
    dlviz_tensor *inputs = NULL, *targets = NULL, *maps = NULL;
    TRY(dlviz_dataset_select(run->data.test, count, points, &some));
    dlviz_status status = dlviz_dataset_samples(some, 0, count, &inputs);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_create(&targets, DLVIZ_INT64, 1, &count);
    for (int64_t i = 0; status == DLVIZ_OK && i < count; i++)
        ((int64_t *)dlviz_tensor_data(targets))[i] = prediction(run->logits, points[i]);
    if (status == DLVIZ_OK)
        status = dlviz_network_integrated_gradients(run->network, inputs, NULL, targets, 16, &maps,
                                                    NULL);
    if (status == DLVIZ_OK)
        memcpy(to, dlviz_tensor_const_float(maps),
               (size_t)dlviz_tensor_num_elements(maps) * sizeof(float));
    dlviz_tensor_destroy(maps);
    dlviz_tensor_destroy(targets);
    dlviz_tensor_destroy(inputs);
    dlviz_dataset_destroy(some);
    return status;
}

static dlviz_status attribute(struct run *run, dlviz_report_run *page) {
    int64_t points[MOST_ATTRIBUTED];
    const int64_t *dims = dlviz_dataset_dims(run->data.test);
    if (dlviz_dataset_ndim(run->data.test) != 3)
        return DLVIZ_OK;
    int64_t count = list_misclassified(run, points), size = dims[0] * dims[1] * dims[2];
    dlviz_tensor *maps;
    if (count == 0)
        return DLVIZ_OK;
    TRY(dlviz_tensor_create(&maps, DLVIZ_FLOAT32, 4,
                            (int64_t[]){count, dims[0], dims[1], dims[2]}));
    dlviz_status status = DLVIZ_OK;
    for (int64_t i = 0; status == DLVIZ_OK && i < count; i += ATTRIBUTION_BATCH) {
        if (!go_on(run, "attributions", (double)i / (double)count))
            status = DLVIZ_CANCELLED;
        else
            status =
                attribute_batch(run, count - i < ATTRIBUTION_BATCH ? count - i : ATTRIBUTION_BATCH,
                                points + i, dlviz_tensor_float(maps) + i * size);
    }
    if (status == DLVIZ_OK)
        status = dlviz_report_run_set_attribution(page, count, points, maps);
    dlviz_tensor_destroy(maps);
    return status;
}

/* -- The whole ----------------------------------------------------------------------------------- */

static dlviz_status fill(struct run *run, dlviz_report *report) {
    dlviz_report_run *page;
    TRY(describe_points(run, report));
    if (run->data.test_rows)
        TRY(name_rows(report, run->data.test_rows, dlviz_dataset_num_samples(run->data.test)));
    TRY(dlviz_report_add_run(report, run->title, &page));
    TRY(dlviz_report_run_add_film(page, run->film));
    if (run->neighbors)
        TRY(dlviz_report_run_set_neighbors(page, run->neighbors));
    TRY(dlviz_report_run_set_network(page, run->network, run->layer));
    TRY(dlviz_report_run_set_history(page, run->trainer));
    TRY(add_facts(run, page));
    TRY(add_measures(run, page));
    return attribute(run, page);
}

dlviz_status write_page(struct run *run) {
    dlviz_report *report;
    int64_t n = dlviz_dataset_num_samples(run->data.test);
    TRY(dlviz_report_create(&report, run->data.name, n));
    dlviz_status status = fill(run, report);
    if (status == DLVIZ_OK)
        status = dlviz_report_write(report, result_path(run->options.out, "report.html"));
    dlviz_report_destroy(report);
    return status;
}
