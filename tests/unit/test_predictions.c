/* Measures of predictions: what they refuse, by name, and what no other program says of them. What
 * they are is in tests/parity/test_metrics.c and tests/random/test_predictions.c. */
#include "support/failing.h"
#include "support/netspec.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT
#define SHAPE DLVIZ_ERROR_SHAPE
#define NUMERIC DLVIZ_ERROR_NUMERIC

static dlviz_tensor *vector(int64_t n, const float *values) {
    return float_tensor(1, &n, values);
}

static dlviz_tensor *matrix(int64_t n, int64_t columns, const float *values) {
    return float_tensor(2, (int64_t[]){n, columns}, values);
}

static void destroy(int count, dlviz_tensor *const *tensors) {
    for (int i = 0; i < count; i++)
        dlviz_tensor_destroy(tensors[i]);
}

/* -- Classes -------------------------------------------------------------------------------------
 */

START_TEST(classes_by_hand) {
    /* Class 0: 2 of 3 found, 1 said wrongly; 1: 1 of 2 found, 1 wrongly; 3: one missed; 2: none. */
    dlviz_tensor *labels = int64_tensor(6, (const int64_t[]){0, 0, 0, 1, 1, 3});
    dlviz_tensor *said = int64_tensor(6, (const int64_t[]){0, 0, 1, 1, 0, 0});
    double value;
    ck_ok(dlviz_metrics_precision(said, labels, DLVIZ_AVERAGE_MACRO, &value));
    ck_assert_double_eq_tol(value, (0.5 + 0.5 + 0) / 3, 1e-15);
    ck_ok(dlviz_metrics_recall(said, labels, DLVIZ_AVERAGE_WEIGHTED, &value));
    ck_assert_double_eq_tol(value, 3.0 / 6, 1e-15);
    ck_ok(dlviz_metrics_f1(said, labels, DLVIZ_AVERAGE_MACRO, &value));
    ck_assert_double_eq_tol(value, (4.0 / 7 + 2.0 / 4 + 0) / 3, 1e-15);
    ck_ok(dlviz_metrics_f1(said, labels, DLVIZ_AVERAGE_MICRO, &value));
    ck_assert_double_eq_tol(value, 0.5, 1e-15);
    dlviz_tensor *scores, *support;
    ck_ok(dlviz_metrics_per_class(said, labels, 6, &scores, &support));
    const float wanted[] = {0.5f, 2 / 3.0f, 4 / 7.0f, 0.5f, 0.5f, 0.5f, 0, 0, 0,
                            0,    0,        0,        0,    0,    0,    0, 0, 0};
    ck_assert_mem_eq(dlviz_tensor_const_float(scores), wanted, sizeof wanted);
    const int64_t counts[] = {3, 2, 0, 1, 0, 0};
    ck_assert_mem_eq(dlviz_tensor_const_data(support), counts, sizeof counts);
    dlviz_tensor_destroy(support);
    dlviz_tensor_destroy(scores);
    ck_ok(dlviz_metrics_per_class(said, labels, 0, &scores, NULL));
    ck_assert_int_eq(dlviz_tensor_dim(scores, 0), 4);
    destroy(3, (dlviz_tensor *[]){scores, labels, said});
}
END_TEST

START_TEST(classes_are_checked) {
    dlviz_tensor *labels = int64_tensor(3, (const int64_t[]){0, 1, 2});
    dlviz_tensor *negative = int64_tensor(3, (const int64_t[]){0, -1, 2});
    dlviz_tensor *large = int64_tensor(3, (const int64_t[]){0, 1, 65536});
    dlviz_tensor *longer = int64_tensor(4, (const int64_t[]){0, 1, 2, 0});
    dlviz_tensor *scores = matrix(3, 2, (const float[]){1, 2, 3, 4, 5, NAN}), *table, *support;
    dlviz_tensor *both[] = {labels, negative, large, longer, scores};
    double value = 7;
    ck_fails(dlviz_metrics_f1(labels, negative, DLVIZ_AVERAGE_MACRO, &value), INVALID,
             "dlviz_metrics_f1: item 1 has label -1");
    ck_assert_double_eq(value, 0);
    ck_fails(dlviz_metrics_recall(large, labels, DLVIZ_AVERAGE_MACRO, &value), INVALID,
             "prediction 65536; 0 to 65535 are accepted");
    ck_fails(dlviz_metrics_precision(longer, labels, DLVIZ_AVERAGE_MACRO, &value), SHAPE,
             "'labels' is 3, needs 4");
    ck_fails(dlviz_metrics_precision(scores, labels, DLVIZ_AVERAGE_MACRO, &value), NUMERIC,
             "'predictions' has nan in row 2, column 1");
    ck_fails(dlviz_metrics_precision(labels, scores, DLVIZ_AVERAGE_MACRO, &value), SHAPE,
             "'labels' holds float32");
    ck_fails(dlviz_metrics_f1(labels, labels, (dlviz_average)3, &value), INVALID, "'average' is 3");
    ck_fails(dlviz_metrics_f1(labels, labels, (dlviz_average)-1, &value), INVALID,
             "'average' is -1");
    ck_fails(dlviz_metrics_f1(labels, labels, DLVIZ_AVERAGE_MACRO, NULL), INVALID,
             "dlviz_metrics_f1: 'result' is NULL");
    ck_fails(dlviz_metrics_f1(NULL, labels, DLVIZ_AVERAGE_MACRO, &value), INVALID,
             "'predictions' is NULL");
    ck_fails(dlviz_metrics_f1(labels, NULL, DLVIZ_AVERAGE_MACRO, &value), INVALID,
             "'labels' is NULL");
    table = support = labels;
    ck_fails(dlviz_metrics_per_class(labels, labels, 2, &table, &support), INVALID,
             "0 to 1 are accepted");
    ck_assert_ptr_null(table);
    ck_assert_ptr_null(support);
    ck_fails(dlviz_metrics_per_class(labels, labels, 65537, &table, NULL), INVALID,
             "'num_classes' is 65537");
    ck_fails(dlviz_metrics_per_class(labels, labels, 0, NULL, &support), INVALID,
             "'scores' is NULL");
    destroy(5, both);
}
END_TEST

/* The first of equal scores comes first, for the best one and for the best k. */
START_TEST(top_k_begins_with_the_accuracy) {
    dlviz_tensor *scores = matrix(3, 3, (const float[]){1, 1, 1, 0, 2, 2, 3, 1, 3});
    dlviz_tensor *labels = int64_tensor(3, (const int64_t[]){1, 2, 2});
    const double wanted[] = {0, 1, 1};
    double value, accuracy;
    for (int64_t k = 1; k <= 3; k++) {
        ck_ok(dlviz_metrics_top_k_accuracy(scores, labels, k, &value));
        ck_assert_double_eq(value, wanted[k - 1]);
    }
    ck_ok(dlviz_metrics_accuracy(scores, labels, &accuracy));
    ck_assert_double_eq(accuracy, wanted[0]);
    ck_fails(dlviz_metrics_top_k_accuracy(scores, labels, 0, &value), INVALID, "'k' is 0; 1 to 3");
    ck_fails(dlviz_metrics_top_k_accuracy(scores, labels, 4, &value), INVALID, "'k' is 4; 1 to 3");
    ck_fails(dlviz_metrics_top_k_accuracy(labels, labels, 1, &value), SHAPE, "'scores' holds");
    dlviz_tensor *beyond = int64_tensor(3, (const int64_t[]){1, 2, 3});
    ck_fails(dlviz_metrics_top_k_accuracy(scores, beyond, 1, &value), INVALID,
             "item 2 has label 3; 0 to 2 are accepted");
    destroy(3, (dlviz_tensor *[]){scores, labels, beyond});
}
END_TEST

/* They are compared, and never squared: as large as scores of a mask, or of a network that diverges. */
START_TEST(scores_may_be_as_large_as_any) {
    const float large[] = {1e19f, -1e30f, FLT_MAX, -FLT_MAX, -1e30f, 1e19f, 1e38f, 1e37f};
    dlviz_tensor *scores = matrix(4, 2, large), *labels = int64_tensor(4, (int64_t[]){0, 0, 1, 1});
    dlviz_tensor *matrix, *table, *infinite;
    double value;
    ck_ok(dlviz_metrics_accuracy(scores, labels, &value));
    ck_assert_double_eq(value, 0.75);
    ck_ok(dlviz_metrics_top_k_accuracy(scores, labels, 1, &value));
    ck_assert_double_eq(value, 0.75);
    ck_ok(dlviz_metrics_recall(scores, labels, DLVIZ_AVERAGE_MACRO, &value));
    ck_assert_double_eq(value, 0.75);
    ck_ok(dlviz_metrics_precision(scores, labels, DLVIZ_AVERAGE_MICRO, &value));
    ck_ok(dlviz_metrics_f1(scores, labels, DLVIZ_AVERAGE_WEIGHTED, &value));
    ck_ok(dlviz_metrics_confusion(scores, labels, 0, &matrix));
    ck_ok(dlviz_metrics_per_class(scores, labels, 0, &table, NULL));
    ck_ok(dlviz_tensor_copy(scores, &infinite));
    dlviz_tensor_float(infinite)[5] = -INFINITY;
    ck_fails(dlviz_metrics_accuracy(infinite, labels, &value), NUMERIC,
             "'predictions' has -inf in row 2, column 1; finite values are accepted");
    destroy(5, (dlviz_tensor *[]){scores, labels, matrix, table, infinite});
}
END_TEST

START_TEST(log_loss_takes_probabilities) {
    dlviz_tensor *labels = int64_tensor(2, (const int64_t[]){0, 1});
    double value;
    dlviz_tensor *sure = matrix(2, 2, (const float[]){1, 0, 1, 0});
    ck_ok(dlviz_metrics_log_loss(sure, labels, &value));
    ck_assert_double_eq_tol(value, -(log(0x1p-23) + log1p(-0x1p-23)) / 2, 1e-9);
    static const struct {
        float values[4];
        dlviz_status status;
        const char *words;
    } bad[] = {
        {{0.5f, 0.5f, 2, -1}, INVALID, "has 2 in row 1, column 0; 0 to 1 are accepted"},
        {{0.5f, 0.5f, 0.5f, -0.5f}, INVALID, "has -0.5 in row 1, column 1"},
        {{0.5f, 0.25f, 0.5f, 0.5f}, INVALID, "row 0 of 'probabilities' adds up to 0.75"},
        {{NAN, 0.25f, 0.5f, 0.5f}, NUMERIC, "has nan in row 0, column 0"},
        {{0, INFINITY, 0.5f, 0.5f}, NUMERIC, "has inf in row 0, column 1"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        dlviz_tensor *p = matrix(2, 2, bad[i].values);
        ck_fails(dlviz_metrics_log_loss(p, labels, &value), bad[i].status, bad[i].words);
        ck_assert_double_eq(value, 0);
        dlviz_tensor_destroy(p);
    }
    dlviz_tensor *column = matrix(2, 1, (const float[]){1, 1});
    ck_fails(dlviz_metrics_log_loss(column, labels, &value), SHAPE, "has one column");
    ck_fails(dlviz_metrics_log_loss(labels, labels, &value), SHAPE, "needs float32");
    ck_fails(dlviz_metrics_log_loss(NULL, labels, &value), INVALID, "'probabilities' is NULL");
    destroy(3, (dlviz_tensor *[]){labels, sure, column});
}
END_TEST

/* -- Yes or no -----------------------------------------------------------------------------------
 */

START_TEST(scores_and_targets_are_checked) {
    dlviz_tensor *scores = matrix(3, 2, (const float[]){1, 2, 3, 4, 5, 6});
    dlviz_tensor *yes = matrix(3, 2, (const float[]){1, 0, 1, 1, 1, 0});
    dlviz_tensor *half = matrix(3, 2, (const float[]){1, 0, 0, 0.5f, 1, 0});
    dlviz_tensor *unknown = matrix(3, 2, (const float[]){1, 0, 0, 1, 1, NAN});
    dlviz_tensor *infinite = matrix(3, 2, (const float[]){1, 2, 3, INFINITY, 5, 6});
    dlviz_tensor *turned = matrix(2, 3, (const float[]){1, 0, 0, 1, 1, 0});
    dlviz_tensor *labels = int64_tensor(3, (const int64_t[]){0, 1, 2});
    dlviz_tensor *column = vector(3, (const float[]){1, 2, 3});
    dlviz_tensor *cube = float_tensor(3, (int64_t[]){3, 1, 2}, (const float[]){1, 2, 3, 4, 5, 6});
    dlviz_tensor *all[] = {scores, yes, half, unknown, infinite, turned, labels, column, cube};
    double value = 7;
    ck_fails(
        dlviz_metrics_roc_auc(scores, yes, DLVIZ_AVERAGE_MACRO, &value), INVALID,
        "dlviz_metrics_roc_auc: all 3 of 'targets' in column 0 are 1; both 0 and 1 are needed");
    ck_assert_double_eq(value, 0);
    ck_ok(dlviz_metrics_roc_auc(scores, yes, DLVIZ_AVERAGE_MICRO, &value));
    ck_fails(dlviz_metrics_roc_auc(scores, half, DLVIZ_AVERAGE_MACRO, &value), INVALID,
             "'targets' has 0.5 in row 1, column 1; 0 and 1 are accepted");
    ck_fails(dlviz_metrics_average_precision(scores, unknown, DLVIZ_AVERAGE_MACRO, &value), INVALID,
             "'targets' has nan in row 2, column 1");
    ck_fails(dlviz_metrics_roc_auc(infinite, yes, DLVIZ_AVERAGE_MACRO, &value), NUMERIC,
             "'scores' has inf in row 1, column 1");
    ck_fails(dlviz_metrics_roc_auc(scores, turned, DLVIZ_AVERAGE_MACRO, &value), SHAPE,
             "'targets' is 2 x 3 and 'scores' is 3 x 2");
    ck_fails(dlviz_metrics_roc_auc(column, labels, DLVIZ_AVERAGE_MACRO, &value), INVALID,
             "'targets' has 2 in row 2, column 0");
    ck_fails(dlviz_metrics_roc_auc(labels, labels, DLVIZ_AVERAGE_MACRO, &value), SHAPE,
             "'scores' is 3 of int64; n or n x L of float32 are accepted");
    ck_fails(dlviz_metrics_roc_auc(cube, yes, DLVIZ_AVERAGE_MACRO, &value), SHAPE,
             "'scores' is 3 x 1 x 2");
    ck_fails(dlviz_metrics_roc_auc(NULL, yes, DLVIZ_AVERAGE_MACRO, &value), INVALID,
             "'scores' is NULL");
    ck_fails(dlviz_metrics_average_precision(scores, NULL, DLVIZ_AVERAGE_MACRO, &value), INVALID,
             "'targets' is NULL");
    ck_fails(dlviz_metrics_roc_auc(scores, yes, (dlviz_average)7, &value), INVALID,
             "'average' is 7");
    ck_fails(dlviz_metrics_roc_auc(scores, yes, DLVIZ_AVERAGE_MACRO, NULL), INVALID,
             "'result' is NULL");
    destroy(9, all);
}
END_TEST

/* -- Numbers -------------------------------------------------------------------------------------
 */

START_TEST(numbers_are_checked) {
    dlviz_tensor *outputs = matrix(2, 2, (const float[]){1, 2, 3, 4});
    dlviz_tensor *infinite = matrix(2, 2, (const float[]){1, 2, 3, -INFINITY});
    dlviz_tensor *column = vector(2, (const float[]){1, 2});
    dlviz_tensor *labels = int64_tensor(2, (const int64_t[]){1, 2});
    dlviz_tensor *alone = vector(1, (const float[]){1});
    double value = 7;
    ck_fails(dlviz_metrics_mae(outputs, column, &value), SHAPE,
             "dlviz_metrics_mae: 'targets' is 2 of float32, needs 2 x 2 of float32");
    ck_assert_double_eq(value, 0);
    ck_fails(dlviz_metrics_mse(outputs, infinite, &value), NUMERIC,
             "'targets' has -inf in row 1, column 1");
    ck_fails(dlviz_metrics_rmse(infinite, outputs, &value), NUMERIC, "'outputs' has -inf");
    ck_fails(dlviz_metrics_mae(labels, labels, &value), SHAPE, "'outputs' is 2 of int64");
    ck_fails(dlviz_metrics_mae(column, labels, &value), SHAPE, "'targets' is 2 of int64");
    ck_fails(dlviz_metrics_r2(alone, alone, DLVIZ_AVERAGE_MACRO, &value), SHAPE, "one sample");
    ck_fails(dlviz_metrics_r2(outputs, outputs, (dlviz_average)5, &value), INVALID,
             "'average' is 5");
    ck_fails(dlviz_metrics_mae(NULL, outputs, &value), INVALID, "'outputs' is NULL");
    ck_fails(dlviz_metrics_mae(outputs, NULL, &value), INVALID, "'targets' is NULL");
    ck_fails(dlviz_metrics_mae(outputs, outputs, NULL), INVALID, "'result' is NULL");
    ck_ok(dlviz_metrics_mae(alone, alone, &value));
    destroy(5, (dlviz_tensor *[]){outputs, infinite, column, labels, alone});
}
END_TEST

/* -- All -----------------------------------------------------------------------------------------
 */

typedef struct data {
    dlviz_tensor *scores, *yes, *labels;
} data;

static dlviz_status use_all(void *context) {
    const data *d = context;
    double value;
    dlviz_tensor *table = NULL, *support = NULL;
    TRY(dlviz_metrics_f1(d->scores, d->labels, DLVIZ_AVERAGE_MACRO, &value));
    TRY(dlviz_metrics_roc_auc(d->scores, d->yes, DLVIZ_AVERAGE_MACRO, &value));
    TRY(dlviz_metrics_average_precision(d->scores, d->yes, DLVIZ_AVERAGE_MICRO, &value));
    TRY(dlviz_metrics_r2(d->scores, d->yes, DLVIZ_AVERAGE_MACRO, &value));
    TRY(dlviz_metrics_mae(d->scores, d->yes, &value));
    dlviz_status status = dlviz_metrics_per_class(d->scores, d->labels, 0, &table, &support);
    ck_assert((status == DLVIZ_OK) == (table != NULL) && (status == DLVIZ_OK) == (support != NULL));
    dlviz_tensor_destroy(table);
    dlviz_tensor_destroy(support);
    return status;
}

START_TEST(memory_may_run_out) {
    float values[30];
    fill_uniform(values, 30, 1);
    data d = {matrix(10, 3, values), NULL, label_tensor(10, 3, 2)};
    for (int i = 0; i < 30; i++)
        values[i] = i % 4 < 2;
    d.yes = matrix(10, 3, values);
    double value;
    ck_ok(dlviz_metrics_r2(d.scores, d.yes, DLVIZ_AVERAGE_MACRO, &value)); /* threads are there */
    ck_assert_int_ge(fail_each_allocation(use_all, &d), 12);
    destroy(3, (dlviz_tensor *[]){d.scores, d.yes, d.labels});
}
END_TEST

/* Long columns and many of them: sums over tiles, one thread and several. */
START_TEST(large_data_have_the_same_bits_on_any_number_of_threads) {
    enum { N = 5000, L = 200 };
    float *values = malloc(N * L * sizeof *values);
    ck_assert_ptr_nonnull(values);
    fill_uniform(values, N * L, 3);
    dlviz_tensor *scores = matrix(N, L, values);
    for (int i = 0; i < N * L; i++)
        values[i] = values[i] * values[(i + 7) % (N * L)] > 0.1f;
    dlviz_tensor *yes = matrix(N, L, values);
    double results[2][8];
    const int threads[] = {1, 7};
    for (int t = 0; t < 2; t++) {
        double *r = results[t];
        ck_ok(dlviz_set_num_threads(threads[t]));
        ck_ok(dlviz_metrics_roc_auc(scores, yes, DLVIZ_AVERAGE_WEIGHTED, r++));
        ck_ok(dlviz_metrics_average_precision(scores, yes, DLVIZ_AVERAGE_MACRO, r++));
        ck_ok(dlviz_metrics_average_precision(scores, yes, DLVIZ_AVERAGE_MICRO, r++));
        ck_ok(dlviz_metrics_mae(scores, yes, r++));
        ck_ok(dlviz_metrics_mse(scores, yes, r++));
        ck_ok(dlviz_metrics_rmse(scores, yes, r++));
        ck_ok(dlviz_metrics_r2(scores, yes, DLVIZ_AVERAGE_MICRO, r++));
        ck_ok(dlviz_metrics_r2(scores, yes, DLVIZ_AVERAGE_WEIGHTED, r++));
    }
    ck_assert_mem_eq(results[0], results[1], sizeof results[0]);
    free(values);
    destroy(2, (dlviz_tensor *[]){scores, yes});
}
END_TEST

/* What a network's loss says of its outputs. */
static double measure_by_loss(dlviz_network *network, dlviz_loss *loss,
                              const dlviz_dataset *dataset, const char *metric) {
    double value;
    ck_ok(dlviz_network_set_loss(network, loss));
    ck_ok(dlviz_network_measure(network, dataset, metric, &value));
    return value;
}

START_TEST(losses_say_the_same) {
    float values[24], wanted[24];
    fill_uniform(values, 24, 5);
    for (int i = 0; i < 24; i++)
        wanted[i] = i % 5 < 2;
    dlviz_tensor *inputs = matrix(8, 3, values), *targets = matrix(8, 3, wanted), *outputs;
    dlviz_network *network = net_from_text("3", "fc:linear,out=3");
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, inputs, NULL));
    ck_ok(dlviz_dataset_set_targets(dataset, targets));
    ck_ok(dlviz_network_forward(network, inputs, &outputs));
    double value;
    ck_ok(dlviz_metrics_mae(outputs, targets, &value));
    ck_assert_double_eq_tol(value, measure_by_loss(network, dlviz_mse(), dataset, "mae"), 1e-14);
    ck_ok(dlviz_metrics_r2(outputs, targets, DLVIZ_AVERAGE_MICRO, &value));
    ck_assert_double_eq_tol(value, measure_by_loss(network, dlviz_mse(), dataset, "r2"), 1e-13);
    ck_ok(dlviz_metrics_roc_auc(outputs, targets, DLVIZ_AVERAGE_MACRO, &value));
    ck_assert_double_eq_tol(
        value, measure_by_loss(network, dlviz_bce_with_logits(), dataset, "auc"), 1e-14);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
    destroy(3, (dlviz_tensor *[]){inputs, targets, outputs});
}
END_TEST

/* Of maps, each pixel counts as a sample. */
START_TEST(a_loss_says_of_maps_what_pixels_are) {
    enum { N = 6, C = 3, PIXELS = 4, SIZE = N * C * PIXELS };
    const int64_t dims[] = {N, C, 2, 2};
    float values[SIZE], wanted[SIZE], rows[2][SIZE];
    fill_uniform(values, SIZE, 7);
    for (int i = 0; i < SIZE; i++)
        wanted[i] = i % 7 < 3;
    dlviz_tensor *inputs, *targets, *outputs;
    ck_ok(dlviz_tensor_from_data(&inputs, DLVIZ_FLOAT32, 4, dims, values));
    ck_ok(dlviz_tensor_from_data(&targets, DLVIZ_FLOAT32, 4, dims, wanted));
    dlviz_network *network = net_from_text("3x2x2", "c:conv,out=3,k=1");
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, inputs, NULL));
    ck_ok(dlviz_dataset_set_targets(dataset, targets));
    ck_ok(dlviz_network_forward(network, inputs, &outputs));
    const float *scores = dlviz_tensor_data(outputs);
    for (int i = 0; i < N; i++)
        for (int c = 0; c < C; c++)
            for (int p = 0; p < PIXELS; p++) {
                rows[0][(i * PIXELS + p) * C + c] = scores[(i * C + c) * PIXELS + p];
                rows[1][(i * PIXELS + p) * C + c] = wanted[(i * C + c) * PIXELS + p];
            }
    dlviz_tensor *said = matrix(N * PIXELS, C, rows[0]), *truth = matrix(N * PIXELS, C, rows[1]);
    double value;
    ck_ok(dlviz_metrics_roc_auc(said, truth, DLVIZ_AVERAGE_MACRO, &value));
    ck_assert_double_eq_tol(
        value, measure_by_loss(network, dlviz_bce_with_logits(), dataset, "auc"), 1e-14);
    dlviz_dataset_destroy(dataset);
    dlviz_network_destroy(network);
    destroy(5, (dlviz_tensor *[]){inputs, targets, outputs, said, truth});
}
END_TEST

int main(void) {
    const TTest *const tests[] = {classes_by_hand,
                                  classes_are_checked,
                                  top_k_begins_with_the_accuracy,
                                  scores_may_be_as_large_as_any,
                                  log_loss_takes_probabilities,
                                  scores_and_targets_are_checked,
                                  numbers_are_checked,
                                  memory_may_run_out,
                                  large_data_have_the_same_bits_on_any_number_of_threads,
                                  losses_say_the_same,
                                  a_loss_says_of_maps_what_pixels_are,
                                  NULL};
    return run_tests("predictions", tests);
}
