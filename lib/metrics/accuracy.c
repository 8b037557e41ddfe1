/* Predictions of classes, item by item. */
#include "base/base.h"
#include "metrics/predictions.h"
#include "metrics/quality.h"
#include "scores/hits.h"

#include <float.h>
#include <math.h>

dlviz_status dlviz_metrics_accuracy(const dlviz_tensor *predictions, const dlviz_tensor *labels,
                                    double *result) {
    DLZ_REQUIRE(result);
    *result = 0;
    DLZ_TRY(dlz_require_predictions(__func__, predictions, labels));
    int64_t n = labels->dims[0], right = 0;
    for (int64_t i = 0; i < n; i++)
        right += dlz_predicted(predictions, i) == dlz_label(labels, i);
    *result = (double)right / (double)n;
    return DLVIZ_OK;
}

/* Fails unless each label is the number of a column. */
static dlviz_status require_columns(const char *who, const dlviz_tensor *scores,
                                    const dlviz_tensor *labels) {
    int64_t classes = scores->dims[1];
    for (int64_t i = 0; i < labels->size; i++) {
        int64_t label = dlz_label(labels, i);
        if (label < 0 || label >= classes)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: item %lld has label %lld; 0 to %lld are accepted", who,
                            (long long)i, (long long)label, (long long)classes - 1);
    }
    return DLVIZ_OK;
}

dlviz_status dlviz_metrics_top_k_accuracy(const dlviz_tensor *scores, const dlviz_tensor *labels,
                                          int64_t k, double *result) {
    DLZ_REQUIRE(result);
    *result = 0;
    DLZ_TRY(dlz_require_class_scores(__func__, "scores", scores, labels));
    int64_t n = scores->dims[0], classes = scores->dims[1], right = 0;
    if (k < 1 || k > classes)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'k' is %lld; 1 to %lld are accepted for so many classes", __func__,
                        (long long)k, (long long)classes);
    DLZ_TRY(require_columns(__func__, scores, labels));
    const float *row = scores->data;
    for (int64_t i = 0; i < n; i++, row += classes)
        right += dlz_label_place(classes, row, dlz_label(labels, i)) < k;
    *result = (double)right / (double)n;
    return DLVIZ_OK;
}

dlviz_status dlviz_metrics_confusion(const dlviz_tensor *predictions, const dlviz_tensor *labels,
                                     int64_t num_classes, dlviz_tensor **matrix) {
    DLZ_REQUIRE_OUT(matrix);
    DLZ_TRY(dlz_require_predictions(__func__, predictions, labels));
    DLZ_TRY(dlz_require_classes(__func__, predictions, labels, &num_classes));
    DLZ_TRY(dlviz_tensor_create(matrix, DLVIZ_INT64, 2, (int64_t[]){num_classes, num_classes}));
    int64_t *counts = (*matrix)->data;
    for (int64_t i = 0; i < labels->dims[0]; i++)
        counts[dlz_label(labels, i) * num_classes + dlz_predicted(predictions, i)]++;
    return DLVIZ_OK;
}

/* -- Probabilities -------------------------------------------------------------------------------
 */

/* How far from 1 a row's sum may be. */
#define SLACK 1e-3

static double clip(float p) {
    return fmin(fmax((double)p, (double)FLT_EPSILON), 1 - (double)FLT_EPSILON);
}

/* −ln of what the label has of the row, or a failure that names what is wrong with the row. */
static dlviz_status loss_of(const char *who, int64_t row, int64_t classes, const float *p,
                            int64_t label, double *loss) {
    double sum = 0, clipped = 0;
    for (int64_t c = 0; c < classes; c++) {
        if (!(p[c] >= 0 && p[c] <= 1))
            return dlz_fail(isfinite(p[c]) ? DLVIZ_ERROR_INVALID_ARGUMENT : DLVIZ_ERROR_NUMERIC,
                            "%s: 'probabilities' has %g in row %lld, column %lld; 0 to 1 are "
                            "accepted, such as dlviz_softmax gives",
                            who, (double)p[c], (long long)row, (long long)c);
        sum += (double)p[c];
        clipped += clip(p[c]);
    }
    if (fabs(sum - 1) > SLACK)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: row %lld of 'probabilities' adds up to %g; 1 is accepted, such as "
                        "dlviz_softmax gives",
                        who, (long long)row, sum);
    *loss = log(clipped) - log(clip(p[label]));
    return DLVIZ_OK;
}

dlviz_status dlviz_metrics_log_loss(const dlviz_tensor *probabilities, const dlviz_tensor *labels,
                                    double *result) {
    DLZ_REQUIRE(result);
    *result = 0;
    DLZ_TRY(dlz_require_matrix(__func__, "probabilities", probabilities));
    int64_t n = probabilities->dims[0], classes = probabilities->dims[1];
    DLZ_TRY(dlz_require_labels(__func__, "labels", labels, n));
    if (classes < 2)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'probabilities' has one column; a column for each class, 2 or more, "
                        "are accepted",
                        __func__);
    DLZ_TRY(require_columns(__func__, probabilities, labels));
    const float *row = probabilities->data;
    double sum = 0;
    for (int64_t i = 0; i < n; i++, row += classes) {
        double loss = 0;
        DLZ_TRY(loss_of(__func__, i, classes, row, dlz_label(labels, i), &loss));
        sum += loss;
    }
    *result = sum / (double)n;
    return DLVIZ_OK;
}
