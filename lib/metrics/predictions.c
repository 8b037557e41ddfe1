#include "metrics/predictions.h"
#include "base/base.h"
#include "metrics/quality.h"

#include <math.h>

#define MOST_CLASSES 65536

static bool are_scores(const dlviz_tensor *predictions) {
    return predictions->dtype == DLVIZ_FLOAT32;
}

dlviz_status dlz_require_class_scores(const char *who, const char *name, const dlviz_tensor *scores,
                                      const dlviz_tensor *labels) {
    /* They are compared and not squared, so none is too large. */
    DLZ_TRY(dlz_require_matrix(who, name, scores));
    if (scores->dims[0] > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: '%s' has %lld rows; 1 to %d are accepted", who,
                        name, (long long)scores->dims[0], INT32_MAX);
    DLZ_TRY(dlz_require_finite(who, name, scores));
    return dlz_require_labels(who, "labels", labels, scores->dims[0]);
}

dlviz_status dlz_require_predictions(const char *who, const dlviz_tensor *predictions,
                                     const dlviz_tensor *labels) {
    if (!predictions || are_scores(predictions))
        return dlz_require_class_scores(who, "predictions", predictions, labels);
    DLZ_TRY(dlz_require_labels(who, "predictions", predictions, predictions->size));
    if (predictions->size == 0)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'predictions' is empty", who);
    return dlz_require_labels(who, "labels", labels, predictions->dims[0]);
}

int64_t dlz_predicted(const dlviz_tensor *predictions, int64_t i) {
    if (!are_scores(predictions))
        return dlz_label(predictions, i);
    int64_t classes = predictions->dims[1], best = 0;
    const float *scores = (const float *)predictions->data + i * classes;
    for (int64_t c = 1; c < classes; c++)
        if (scores[c] > scores[best])
            best = c;
    return best;
}

dlviz_status dlz_require_classes(const char *who, const dlviz_tensor *predictions,
                                 const dlviz_tensor *labels, int64_t *num_classes) {
    if (*num_classes < 0 || *num_classes > MOST_CLASSES)
        return dlz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "%s: 'num_classes' is %lld; 1 to %d are accepted, or 0 for as many as there are", who,
            (long long)*num_classes, MOST_CLASSES);
    int64_t limit = *num_classes ? *num_classes : MOST_CLASSES;
    int64_t fewest = are_scores(predictions) ? predictions->dims[1] : 1;
    if (fewest > limit)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "%s: 'predictions' scores %lld classes, more than %lld",
                        who, (long long)fewest, (long long)limit);
    for (int64_t i = 0; i < labels->size; i++) {
        int64_t truth = dlz_label(labels, i), guess = dlz_predicted(predictions, i);
        if (truth < 0 || truth >= limit || guess < 0 || guess >= limit)
            return dlz_fail(
                DLVIZ_ERROR_INVALID_ARGUMENT,
                "%s: item %lld has label %lld and prediction %lld; 0 to %lld are accepted", who,
                (long long)i, (long long)truth, (long long)guess, (long long)limit - 1);
        fewest = dlz_max_i64(fewest, dlz_max_i64(truth, guess) + 1);
    }
    if (*num_classes == 0)
        *num_classes = fewest;
    return DLVIZ_OK;
}

dlviz_status dlz_require_average(const char *who, dlviz_average average) {
    if ((int)average < DLVIZ_AVERAGE_MACRO || (int)average > DLVIZ_AVERAGE_WEIGHTED)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'average' is %d; DLVIZ_AVERAGE_MACRO, _MICRO and _WEIGHTED are "
                        "accepted",
                        who, (int)average);
    return DLVIZ_OK;
}

dlviz_status dlz_require_finite(const char *who, const char *name, const dlviz_tensor *tensor) {
    const float *values = tensor->data;
    int64_t row = tensor->size / dlz_max_i64(1, tensor->ndim ? tensor->dims[0] : 1);
    for (int64_t i = 0; i < tensor->size; i++)
        if (!isfinite(values[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "%s: '%s' has %g in row %lld, %s %lld; finite values are accepted", who,
                            name, (double)values[i], (long long)(i / row),
                            tensor->ndim == 2 ? "column" : "place", (long long)(i % row));
    return DLVIZ_OK;
}
