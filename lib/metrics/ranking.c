/* Scores of what is yes or no, whatever the threshold. */
#include "base/base.h"
#include "base/parallel.h"
#include "metrics/predictions.h"
#include "scores/curve.h"

typedef double area_fn(int64_t count, const uint64_t *scored);

typedef struct curve_pass {
    const dlviz_tensor *scores, *targets;
    int64_t n, columns;
    area_fn *area;
    uint64_t *scratch; /* 2 n a worker */
    double *areas;     /* of each column, as are the positives */
    int64_t *positives;
} curve_pass;

static double target_of(const dlviz_tensor *targets, int64_t i) {
    switch (targets->dtype) {
    case DLVIZ_FLOAT32:
        return (double)((const float *)targets->data)[i];
    case DLVIZ_UINT8:
        return ((const uint8_t *)targets->data)[i];
    case DLVIZ_INT64:
        return (double)((const int64_t *)targets->data)[i];
    }
    return -1;
}

static dlviz_status require_pair(const char *who, const dlviz_tensor *scores,
                                 const dlviz_tensor *targets) {
    char given[DLZ_SHAPE_TEXT_SIZE], wanted[DLZ_SHAPE_TEXT_SIZE];
    if (!scores || !targets)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", who,
                        scores ? "targets" : "scores");
    dlz_shape_text(wanted, scores->ndim, scores->dims);
    if (scores->dtype != DLVIZ_FLOAT32 || scores->ndim < 1 || scores->ndim > 2 || scores->size == 0)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'scores' is %s of %s; n or n x L of float32 are accepted", who, wanted,
                        dlviz_dtype_name(scores->dtype));
    bool fits = targets->size == scores->size && targets->ndim >= 1 && targets->ndim <= 2 &&
                targets->dims[0] == scores->dims[0];
    if (!fits)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "%s: 'targets' is %s and 'scores' is %s; one shape is accepted", who,
                        dlz_shape_text(given, targets->ndim, targets->dims), wanted);
    DLZ_TRY(dlz_require_finite(who, "scores", scores));
    int64_t columns = scores->size / scores->dims[0];
    for (int64_t i = 0; i < targets->size; i++) {
        double target = target_of(targets, i);
        if (target != 0 && target != 1)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: 'targets' has %g in row %lld, column %lld; 0 and 1 are accepted",
                            who, target, (long long)(i / columns), (long long)(i % columns));
    }
    return DLVIZ_OK;
}

static void measure_column(void *context, int64_t column, int worker) {
    const curve_pass *pass = context;
    const float *scores = pass->scores->data;
    uint64_t *scored = pass->scratch + (int64_t)worker * 2 * pass->n;
    int64_t positives = 0;
    for (int64_t i = 0; i < pass->n; i++) {
        int64_t at = i * pass->columns + column;
        bool positive = target_of(pass->targets, at) == 1;
        scored[i] = dlz_scored(scores[at], positive);
        positives += positive;
    }
    dlz_scored_sort(pass->n, scored, scored + pass->n);
    pass->areas[column] = pass->area(pass->n, scored);
    pass->positives[column] = positives;
}

static dlviz_status measure_columns(curve_pass *pass) {
    int workers = (int)dlz_min_i64(dlz_threads(), pass->columns);
    pass->scratch = dlz_alloc_array((uint64_t)workers * 2, (uint64_t)pass->n * sizeof(uint64_t));
    pass->areas = dlz_alloc_array((uint64_t)pass->columns, sizeof *pass->areas);
    pass->positives = dlz_alloc_array((uint64_t)pass->columns, sizeof *pass->positives);
    if (!pass->scratch || !pass->areas || !pass->positives)
        return dlz_fail_memory("scores", (uint64_t)workers * 2 * (uint64_t)pass->n * 8);
    dlz_parallel_for(pass->columns, workers, measure_column, pass);
    return DLVIZ_OK;
}

/* Fails unless each column has both, where that is needed. */
static dlviz_status require_both(const char *who, const curve_pass *pass) {
    for (int64_t column = 0; column < pass->columns; column++)
        if (pass->positives[column] == 0 || pass->positives[column] == pass->n)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: all %lld of 'targets' in column %lld are %d; both 0 and 1 are "
                            "needed",
                            who, (long long)pass->n, (long long)column,
                            pass->positives[column] > 0);
    return DLVIZ_OK;
}

static double average_of(const curve_pass *pass, dlviz_average average) {
    double sum = 0, weights = 0;
    for (int64_t column = 0; column < pass->columns; column++) {
        double weight = average == DLVIZ_AVERAGE_WEIGHTED ? (double)pass->positives[column] : 1;
        sum += weight * pass->areas[column];
        weights += weight;
    }
    return weights > 0 ? sum / weights : 0;
}

static dlviz_status measure(const char *who, const dlviz_tensor *scores,
                            const dlviz_tensor *targets, dlviz_average average, area_fn *area,
                            bool needs_both, double *result) {
    if (!result)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'result' is NULL", who);
    *result = 0;
    DLZ_TRY(dlz_require_average(who, average));
    DLZ_TRY(require_pair(who, scores, targets));
    bool together = average == DLVIZ_AVERAGE_MICRO;
    int64_t n = together ? scores->size : scores->dims[0];
    curve_pass pass = {
        .scores = scores, .targets = targets, .n = n, .columns = scores->size / n, .area = area};
    dlviz_status status = measure_columns(&pass);
    if (status == DLVIZ_OK && needs_both)
        status = require_both(who, &pass);
    if (status == DLVIZ_OK)
        *result = average_of(&pass, average);
    dlz_free(pass.scratch);
    dlz_free(pass.areas);
    dlz_free(pass.positives);
    return status;
}

dlviz_status dlviz_metrics_roc_auc(const dlviz_tensor *scores, const dlviz_tensor *targets,
                                   dlviz_average average, double *result) {
    return measure(__func__, scores, targets, average, dlz_roc_area, true, result);
}

dlviz_status dlviz_metrics_average_precision(const dlviz_tensor *scores,
                                             const dlviz_tensor *targets, dlviz_average average,
                                             double *result) {
    return measure(__func__, scores, targets, average, dlz_precision_area, false, result);
}
