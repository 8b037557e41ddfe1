#include "metrics/quality.h"
#include "base/base.h"

#include <dlviz/metrics.h>
#include <math.h>

#define MOST_CLASSES 65536

static bool is_scores(const dlviz_tensor *predictions) {
    return predictions->dtype == DLVIZ_FLOAT32;
}

static dlviz_status check(const char *who, const dlviz_tensor *predictions,
                          const dlviz_tensor *labels) {
    if (is_scores(predictions))
        DLZ_TRY(dlz_require_points(who, "predictions", predictions, 1));
    else
        DLZ_TRY(dlz_require_labels(who, "predictions", predictions, predictions->size));
    if (predictions->size == 0)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'predictions' is empty", who);
    return dlz_require_labels(who, "labels", labels, predictions->dims[0]);
}

static int64_t predicted(const dlviz_tensor *predictions, int64_t i) {
    if (!is_scores(predictions))
        return dlz_label(predictions, i);
    int64_t classes = predictions->dims[1], best = 0;
    const float *scores = (const float *)predictions->data + i * classes;
    for (int64_t c = 1; c < classes; c++)
        if (scores[c] > scores[best])
            best = c;
    return best;
}

dlviz_status dlviz_metrics_accuracy(const dlviz_tensor *predictions, const dlviz_tensor *labels,
                                    double *result) {
    DLZ_REQUIRE(result);
    *result = 0;
    DLZ_REQUIRE(predictions);
    DLZ_REQUIRE(labels);
    DLZ_TRY(check(__func__, predictions, labels));
    int64_t n = labels->dims[0], right = 0;
    for (int64_t i = 0; i < n; i++)
        right += predicted(predictions, i) == dlz_label(labels, i);
    *result = (double)right / (double)n;
    return DLVIZ_OK;
}

dlviz_status dlviz_metrics_confusion(const dlviz_tensor *predictions, const dlviz_tensor *labels,
                                     int64_t num_classes, dlviz_tensor **matrix) {
    DLZ_REQUIRE_OUT(matrix);
    DLZ_REQUIRE(predictions);
    DLZ_REQUIRE(labels);
    if (num_classes < 0 || num_classes > MOST_CLASSES)
        return dlz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "%s: 'num_classes' is %lld; 1 to %d are accepted, or 0 for as many as there are",
            __func__, (long long)num_classes, MOST_CLASSES);
    DLZ_TRY(check(__func__, predictions, labels));
    int64_t n = labels->dims[0], limit = num_classes ? num_classes : MOST_CLASSES, largest = 0;
    if (is_scores(predictions) && predictions->dims[1] > limit)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'predictions' scores %lld classes, more than %lld",
                        __func__, (long long)predictions->dims[1], (long long)limit);
    for (int64_t i = 0; i < n; i++) {
        int64_t truth = dlz_label(labels, i), guess = predicted(predictions, i);
        if (truth < 0 || truth >= limit || guess < 0 || guess >= limit)
            return dlz_fail(
                DLVIZ_ERROR_INVALID_ARGUMENT,
                "%s: item %lld has label %lld and prediction %lld; 0 to %lld are accepted",
                __func__, (long long)i, (long long)truth, (long long)guess, (long long)limit - 1);
        largest = dlz_max_i64(largest, dlz_max_i64(truth, guess));
    }
    if (num_classes == 0)
        num_classes = dlz_max_i64(largest + 1, is_scores(predictions) ? predictions->dims[1] : 1);
    DLZ_TRY(dlviz_tensor_create(matrix, DLVIZ_INT64, 2, (int64_t[]){num_classes, num_classes}));
    int64_t *counts = (*matrix)->data;
    for (int64_t i = 0; i < n; i++)
        counts[dlz_label(labels, i) * num_classes + predicted(predictions, i)]++;
    return DLVIZ_OK;
}
