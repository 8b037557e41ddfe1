/* Precision, recall and F1: of each class, and of all. */
#include "base/base.h"
#include "metrics/predictions.h"
#include "metrics/quality.h"
#include "scores/hits.h"

typedef double score_fn(dlz_hits hits);

/* The hits of each class, for the caller to free. */
static dlviz_status count_hits(const char *who, const dlviz_tensor *predictions,
                               const dlviz_tensor *labels, int64_t *num_classes, dlz_hits **hits) {
    DLZ_TRY(dlz_require_predictions(who, predictions, labels));
    DLZ_TRY(dlz_require_classes(who, predictions, labels, num_classes));
    *hits = dlz_alloc_array_zero((uint64_t)*num_classes, sizeof **hits);
    if (!*hits)
        return dlz_fail_memory("counts", (uint64_t)*num_classes * sizeof **hits);
    for (int64_t i = 0; i < labels->dims[0]; i++) {
        int64_t truth = dlz_label(labels, i), guess = dlz_predicted(predictions, i);
        if (truth == guess) {
            (*hits)[truth].both++;
        } else {
            (*hits)[guess].wrongly++;
            (*hits)[truth].missed++;
        }
    }
    return DLVIZ_OK;
}

static int64_t support_of(dlz_hits hits) {
    return hits.both + hits.missed;
}

/* Of the classes that there are among labels or predictions. */
static double average_of(score_fn *score, dlviz_average average, int64_t num_classes,
                         const dlz_hits *hits) {
    dlz_hits all = {0, 0, 0};
    double sum = 0, weights = 0;
    for (int64_t c = 0; c < num_classes; c++) {
        int64_t support = support_of(hits[c]);
        double weight =
            average == DLVIZ_AVERAGE_WEIGHTED ? (double)support : support + hits[c].wrongly > 0;
        sum += weight * score(hits[c]);
        weights += weight;
        all.both += hits[c].both;
        all.wrongly += hits[c].wrongly;
        all.missed += hits[c].missed;
    }
    return average == DLVIZ_AVERAGE_MICRO ? score(all) : sum / weights;
}

static dlviz_status measure(const char *who, const dlviz_tensor *predictions,
                            const dlviz_tensor *labels, score_fn *score, dlviz_average average,
                            double *result) {
    if (!result)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'result' is NULL", who);
    *result = 0;
    DLZ_TRY(dlz_require_average(who, average));
    int64_t num_classes = 0;
    dlz_hits *hits;
    DLZ_TRY(count_hits(who, predictions, labels, &num_classes, &hits));
    *result = average_of(score, average, num_classes, hits);
    dlz_free(hits);
    return DLVIZ_OK;
}

dlviz_status dlviz_metrics_precision(const dlviz_tensor *predictions, const dlviz_tensor *labels,
                                     dlviz_average average, double *result) {
    return measure(__func__, predictions, labels, dlz_precision, average, result);
}

dlviz_status dlviz_metrics_recall(const dlviz_tensor *predictions, const dlviz_tensor *labels,
                                  dlviz_average average, double *result) {
    return measure(__func__, predictions, labels, dlz_recall, average, result);
}

dlviz_status dlviz_metrics_f1(const dlviz_tensor *predictions, const dlviz_tensor *labels,
                              dlviz_average average, double *result) {
    return measure(__func__, predictions, labels, dlz_f1, average, result);
}

static dlviz_status make_tables(int64_t num_classes, dlviz_tensor **scores,
                                dlviz_tensor **support) {
    DLZ_TRY(dlviz_tensor_create(scores, DLVIZ_FLOAT32, 2, (int64_t[]){num_classes, 3}));
    if (!support)
        return DLVIZ_OK;
    dlviz_status status = dlviz_tensor_create(support, DLVIZ_INT64, 1, &num_classes);
    if (status != DLVIZ_OK) {
        dlviz_tensor_destroy(*scores);
        *scores = NULL;
    }
    return status;
}

dlviz_status dlviz_metrics_per_class(const dlviz_tensor *predictions, const dlviz_tensor *labels,
                                     int64_t num_classes, dlviz_tensor **scores,
                                     dlviz_tensor **support) {
    if (support)
        *support = NULL;
    DLZ_REQUIRE_OUT(scores);
    dlz_hits *hits;
    DLZ_TRY(count_hits(__func__, predictions, labels, &num_classes, &hits));
    dlviz_status status = make_tables(num_classes, scores, support);
    for (int64_t c = 0; status == DLVIZ_OK && c < num_classes; c++) {
        float *row = (float *)(*scores)->data + 3 * c;
        row[0] = (float)dlz_precision(hits[c]);
        row[1] = (float)dlz_recall(hits[c]);
        row[2] = (float)dlz_f1(hits[c]);
        if (support)
            ((int64_t *)(*support)->data)[c] = support_of(hits[c]);
    }
    dlz_free(hits);
    return status;
}
