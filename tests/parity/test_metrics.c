/* Measures of predictions against scikit-learn's (generate_metrics.py). Where it has no answer, which
 * the fixture says by NaN, the library fails. */
#include "support/fixture.h"
#include "support/netspec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static fixture *file;

typedef struct entry {
    char key[120];
    int ndim;
    int64_t dims[8];
} entry;

/* "<kind>/<name>/<part>" */
static entry part_of(const char *name, const char *part) {
    entry e;
    const char *found, *dtype;
    snprintf(e.key, sizeof e.key, "%s/%s", name, part);
    for (int i = 0; fixture_entry(file, i, &found, &dtype, &e.ndim, e.dims); i++)
        if (strcmp(found, e.key) == 0)
            return e;
    ck_abort_msg("no '%s'", e.key);
}

static dlviz_tensor *floats_of(const char *name, const char *part) {
    entry e = part_of(name, part);
    return float_tensor(e.ndim, e.dims, fixture_floats(file, e.key, product(e.ndim, e.dims)));
}

static const double *doubles_of(const char *name, const char *part, int64_t *count) {
    entry e = part_of(name, part);
    int64_t size = product(e.ndim, e.dims);
    if (count)
        *count = size;
    return fixture_doubles(file, e.key, size);
}

static dlviz_tensor *labels_of(const char *name, const char *part) {
    int64_t n;
    const double *values = doubles_of(name, part, &n);
    int64_t *whole = malloc((size_t)n * sizeof *whole);
    ck_assert_ptr_nonnull(whole);
    for (int64_t i = 0; i < n; i++)
        whole[i] = (int64_t)values[i];
    dlviz_tensor *tensor = int64_tensor(n, whole);
    free(whole);
    return tensor;
}

static void is_wanted(const char *name, const char *what, double got, double wanted) {
    ck_assert_msg(fabs(got - wanted) <= 1e-12 * fmax(1, fabs(wanted)), "%s, %s: %.17g, not %.17g",
                  name, what, got, wanted);
}

/* Tiny numbers have tiny errors. */
static void is_nearly(const char *name, const char *what, double got, double wanted) {
    ck_assert_msg(fabs(got - wanted) <= 1e-12 * fabs(wanted), "%s, %s: %.17g, not %.17g", name,
                  what, got, wanted);
}

/* Runs `check` on each case of a kind, and counts them. */
static void for_each(const char *kind, const char *part, int least,
                     void (*check)(const char *name)) {
    file = fixture_open("metrics.safetensors");
    const char *key, *dtype;
    char name[100], ending[40];
    int64_t dims[8];
    int ndim, count = 0;
    snprintf(ending, sizeof ending, "/%s", part);
    for (int i = 0; fixture_entry(file, i, &key, &dtype, &ndim, dims); i++) {
        const char *end = strstr(key, ending);
        if (strncmp(key, kind, strlen(kind)) != 0 || !end || strcmp(end, ending) != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)(end - key), key);
        check(name);
        count++;
    }
    ck_assert_int_ge(count, least);
    fixture_close(file);
}

static const char *const averages[] = {"macro", "micro", "weighted"};

/* -- Predicted classes ---------------------------------------------------------------------------
 */

typedef dlviz_status class_metric(const dlviz_tensor *predictions, const dlviz_tensor *labels,
                                  dlviz_average average, double *result);

static void check_per_class(const char *name, const dlviz_tensor *predictions,
                            const dlviz_tensor *labels) {
    int64_t classes;
    const double *support = doubles_of(name, "support", &classes),
                 *scores = doubles_of(name, "per_class", NULL),
                 *confusion = doubles_of(name, "confusion", NULL);
    dlviz_tensor *got, *counts, *matrix;
    ck_ok(dlviz_metrics_per_class(predictions, labels, 0, &got, &counts));
    ck_ok(dlviz_metrics_confusion(predictions, labels, 0, &matrix));
    ck_assert_int_eq(dlviz_tensor_dim(got, 0), classes);
    ck_assert_int_eq(dlviz_tensor_dim(got, 1), 3);
    ck_assert_int_eq(dlviz_tensor_num_elements(counts), classes);
    for (int64_t i = 0; i < 3 * classes; i++)
        ck_assert_msg(dlviz_tensor_const_float(got)[i] == (float)scores[i],
                      "%s, class %d: %g, not %g", name, (int)i / 3,
                      (double)dlviz_tensor_const_float(got)[i], scores[i]);
    for (int64_t i = 0; i < classes; i++)
        ck_assert(((const int64_t *)dlviz_tensor_const_data(counts))[i] == (int64_t)support[i]);
    for (int64_t i = 0; i < classes * classes; i++)
        ck_assert(((const int64_t *)dlviz_tensor_const_data(matrix))[i] == (int64_t)confusion[i]);
    dlviz_tensor_destroy(got);
    dlviz_tensor_destroy(counts);
    dlviz_tensor_destroy(matrix);
}

static void check_classes(const char *name) {
    class_metric *const functions[] = {dlviz_metrics_precision, dlviz_metrics_recall,
                                       dlviz_metrics_f1};
    dlviz_tensor *predictions = labels_of(name, "predictions"), *labels = labels_of(name, "labels");
    const double *wanted = doubles_of(name, "values", NULL);
    double value;
    ck_ok(dlviz_metrics_accuracy(predictions, labels, &value));
    is_wanted(name, "accuracy", value, wanted[0]);
    for (int average = 0; average < 3; average++)
        for (int f = 0; f < 3; f++) {
            ck_ok(functions[f](predictions, labels, (dlviz_average)average, &value));
            is_wanted(name, averages[average], value, wanted[1 + 3 * average + f]);
        }
    check_per_class(name, predictions, labels);
    dlviz_tensor_destroy(predictions);
    dlviz_tensor_destroy(labels);
}

START_TEST(predicted_classes) {
    for_each("classes", "values", 12, check_classes);
}
END_TEST

/* -- Scores of classes ---------------------------------------------------------------------------
 */

static void check_scores(const char *name) {
    dlviz_tensor *scores = floats_of(name, "scores"),
                 *probabilities = floats_of(name, "probabilities"),
                 *labels = labels_of(name, "labels");
    int64_t classes;
    const double *top = doubles_of(name, "top", &classes);
    double value;
    for (int64_t k = 1; k <= classes; k++) {
        ck_ok(dlviz_metrics_top_k_accuracy(scores, labels, k, &value));
        is_wanted(name, "top k", value, top[k - 1]);
    }
    ck_ok(dlviz_metrics_log_loss(probabilities, labels, &value));
    is_wanted(name, "log loss", value, *doubles_of(name, "log_loss", NULL));
    dlviz_tensor_destroy(scores);
    dlviz_tensor_destroy(probabilities);
    dlviz_tensor_destroy(labels);
}

START_TEST(scores_of_classes) {
    for_each("scores", "scores", 6, check_scores);
}
END_TEST

/* -- Yes or no -----------------------------------------------------------------------------------
 */

static void check_curve(const char *name) {
    class_metric *const functions[] = {dlviz_metrics_roc_auc, dlviz_metrics_average_precision};
    dlviz_tensor *scores = floats_of(name, "scores"), *targets = floats_of(name, "targets"), *bytes;
    const double *wanted = doubles_of(name, "values", NULL);
    double value;
    ck_ok(dlviz_tensor_convert(targets, DLVIZ_UINT8, &bytes));
    for (int f = 0; f < 2; f++)
        for (int average = 0; average < 3; average++, wanted++) {
            if (isnan(*wanted)) {
                ck_fails(functions[f](scores, targets, (dlviz_average)average, &value),
                         DLVIZ_ERROR_INVALID_ARGUMENT, "both 0 and 1 are needed");
                ck_assert_double_eq(value, 0);
                continue;
            }
            ck_ok(functions[f](scores, targets, (dlviz_average)average, &value));
            is_wanted(name, averages[average], value, *wanted);
            ck_ok(functions[f](scores, bytes, (dlviz_average)average, &value));
            is_wanted(name, averages[average], value, *wanted);
        }
    dlviz_tensor_destroy(scores);
    dlviz_tensor_destroy(targets);
    dlviz_tensor_destroy(bytes);
}

START_TEST(yes_or_no) {
    for_each("curves", "scores", 17, check_curve);
}
END_TEST

/* -- Numbers -------------------------------------------------------------------------------------
 */

static void check_numbers(const char *name) {
    dlviz_tensor *outputs = floats_of(name, "outputs"), *targets = floats_of(name, "targets");
    const double *wanted = doubles_of(name, "values", NULL);
    double value;
    ck_ok(dlviz_metrics_mae(outputs, targets, &value));
    is_nearly(name, "mae", value, wanted[0]);
    ck_ok(dlviz_metrics_mse(outputs, targets, &value));
    is_nearly(name, "mse", value, wanted[1]);
    ck_ok(dlviz_metrics_rmse(outputs, targets, &value));
    is_nearly(name, "rmse", value, wanted[2]);
    for (int average = 0; average < 3; average++) {
        if (isnan(wanted[3 + average])) {
            ck_fails(dlviz_metrics_r2(outputs, targets, (dlviz_average)average, &value),
                     DLVIZ_ERROR_SHAPE, "one sample");
            continue;
        }
        ck_ok(dlviz_metrics_r2(outputs, targets, (dlviz_average)average, &value));
        is_wanted(name, averages[average], value, wanted[3 + average]);
    }
    dlviz_tensor_destroy(outputs);
    dlviz_tensor_destroy(targets);
}

START_TEST(numbers) {
    for_each("numbers", "outputs", 14, check_numbers);
}
END_TEST

int main(void) {
    return run_tests("parity of metrics", (const TTest *[]){predicted_classes, scores_of_classes,
                                                            yes_or_no, numbers, NULL});
}
