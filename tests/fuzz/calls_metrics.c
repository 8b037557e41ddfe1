/* Calls of dlviz/metrics.h and neighbors.h. */
#include "calls.h"

#include <math.h>

typedef dlviz_status (*of_map)(const dlviz_tensor *, const dlviz_tensor *, int64_t, double *);
typedef dlviz_status (*of_sample)(const dlviz_tensor *, const dlviz_tensor *, int64_t, int64_t,
                                  uint64_t, double *, double *);
typedef dlviz_status (*by_ranks)(dlviz_comm *, const dlviz_tensor *, const dlviz_tensor *, int64_t,
                                 int64_t, uint64_t, double *, double *);
typedef dlviz_status (*averaged)(const dlviz_tensor *, const dlviz_tensor *, dlviz_average,
                                 double *);
typedef dlviz_status (*plain)(const dlviz_tensor *, const dlviz_tensor *, double *);

/* The fourth is of labels, not of a map. */
static const of_map of_maps[] = {dlviz_metrics_trustworthiness, dlviz_metrics_continuity,
                                 dlviz_metrics_neighbor_preservation,
                                 dlviz_metrics_neighbor_accuracy};
static const of_sample of_samples[] = {
    dlviz_metrics_trustworthiness_sampled, dlviz_metrics_continuity_sampled,
    dlviz_metrics_neighbor_preservation_sampled, dlviz_metrics_neighbor_accuracy_sampled};
static const by_ranks of_ranks[] = {
    dlviz_metrics_trustworthiness_shared, dlviz_metrics_continuity_shared,
    dlviz_metrics_neighbor_preservation_shared, dlviz_metrics_neighbor_accuracy_shared};
static const averaged of_classes[] = {dlviz_metrics_precision, dlviz_metrics_recall,
                                      dlviz_metrics_f1};
static const averaged of_questions[] = {dlviz_metrics_roc_auc, dlviz_metrics_average_precision};
static const plain of_numbers[] = {dlviz_metrics_mae, dlviz_metrics_mse, dlviz_metrics_rmse};

static void measure_map(void) {
    int64_t rows = few_rows(), k = a_size(), sample = a_size(), which = below(4);
    const dlviz_tensor *points = floats(rows, 1 + below(5));
    const dlviz_tensor *map = which == 3 ? labels_of(rows) : floats(rows, 1 + below(3));
    double result = -7, error = -7, *wanted = one_in(40) ? NULL : &result;
    dlviz_comm *comm = a_comm();
    dlviz_status status;
    switch (below(3)) {
    case 0:
        status = CALL(of_maps[which](points, map, k, wanted));
        break;
    case 1:
        status = CALL(
            of_samples[which](points, map, k, sample, a_seed(), wanted, a_bool() ? &error : NULL));
        break;
    default:
        status = CALL(of_ranks[which](comm, points, map, k, sample, a_seed(), wanted,
                                      a_bool() ? &error : NULL));
    }
    require_between(status, which == 3 ? 0 : -1, result, 1);
    require(status == DLVIZ_OK || !wanted || result == 0, "a failure gives 0");
}

static void measure_distances(void) {
    int64_t rows = few_rows(), pairs = a_size();
    const dlviz_tensor *points = floats(rows, 1 + below(5)), *map = floats(rows, 2);
    const dlviz_tensor *labels = labels_of(rows);
    dlviz_comm *comm = a_comm();
    double result = -7, error;
    dlviz_status status;
    switch (below(5)) {
    case 0:
        status = CALL(dlviz_metrics_distance_correlation(points, map, pairs, a_seed(), &result));
        break;
    case 1:
        status = CALL(
            dlviz_metrics_distance_correlation_shared(comm, points, map, pairs, a_seed(), &result));
        break;
    case 2:
        status = CALL(dlviz_metrics_silhouette(points, labels, &result));
        break;
    case 3:
        status = CALL(
            dlviz_metrics_silhouette_sampled(points, labels, pairs, a_seed(), &result, &error));
        break;
    default:
        status = CALL(
            dlviz_metrics_silhouette_shared(comm, points, labels, pairs, a_seed(), &result, NULL));
    }
    require_between(status, -1.000001, result, 1.000001);
    require(status == DLVIZ_OK || result == 0, "a failure gives 0");
}

static void measure_predictions(void) {
    int64_t rows = few_rows(), classes = 1 + below(4);
    const dlviz_tensor *labels = labels_of(rows);
    const dlviz_tensor *scores = one_in(4) ? labels_of(rows) : floats(rows, classes);
    dlviz_average average = (dlviz_average)an_enum(3);
    double result = -7;
    dlviz_status status;
    dlviz_tensor *made = NOT_MADE, *support = NOT_MADE;
    int64_t count = a_count();
    switch (below(8)) {
    case 0:
        status = CALL(dlviz_metrics_accuracy(scores, labels, &result));
        break;
    case 1:
        status = CALL(dlviz_metrics_top_k_accuracy(scores, labels, count, &result));
        break;
    case 2:
        status = CALL(of_classes[below(COUNT(of_classes))](scores, labels, average, &result));
        break;
    case 3: {
        scores = fitting(DLVIZ_FLOAT32, 2, (int64_t[]){rows, 2}, FILL_SHARES);
        const dlviz_tensor *targets =
            fitting((dlviz_dtype)below(3), 2, (int64_t[]){rows, 2}, FILL_BITS);
        status = CALL(of_questions[below(2)](scores, targets, average, &result));
        break;
    }
    case 4:
        scores = fitting(DLVIZ_FLOAT32, 2, (int64_t[]){rows, 4}, FILL_CONSTANT);
        status = CALL(dlviz_metrics_log_loss(scores, labels, &result));
        require(status != DLVIZ_OK || result >= 0, "a loss");
        return;
    case 5:
        if (count > 4096)
            count = INT64_MAX;
        MAKE(tensor, dlviz_metrics_confusion(scores, labels, count, out));
        return;
    default:
        if (count > 4096)
            count = INT64_MAX;
        status =
            CALL(dlviz_metrics_per_class(scores, labels, count, &made, a_bool() ? NULL : &support));
        if (was_made(status, true, made))
            keep_tensor(made);
        if (support != NOT_MADE && was_made(status, true, support))
            keep_tensor(support);
        return;
    }
    require_between(status, 0, result, 1);
    require(status == DLVIZ_OK || result == 0, "a failure gives 0");
}

static void measure_numbers(void) {
    int64_t rows = few_rows(), columns = 1 + below(3);
    const dlviz_tensor *outputs = floats(rows, columns), *targets = floats(rows, columns);
    dlviz_average average = (dlviz_average)an_enum(3);
    double result = -7;
    dlviz_status status =
        one_in(3) ? CALL(dlviz_metrics_r2(outputs, targets, average, &result))
                  : CALL(of_numbers[below(COUNT(of_numbers))](outputs, targets, &result));
    require(status != DLVIZ_OK || !isnan(result), "a result is a number");
    require(status == DLVIZ_OK || result == 0, "a failure gives 0");
}

static void find_neighbors(void) {
    const dlviz_tensor *points = floats(few_rows(), 1 + below(5));
    int64_t k = a_size();
    double recall = one_in(2) ? 1 : a_share();
    dlviz_tensor *indices = NOT_MADE, *distances = NOT_MADE,
                 **wanted = a_bool() ? &distances : NULL;
    dlviz_comm *comm = a_comm();
    dlviz_status status =
        a_bool() ? CALL(dlviz_neighbors(points, k, recall, &indices, wanted))
                 : CALL(dlviz_neighbors_shared(comm, points, k, recall, &indices, wanted));
    if (wanted && was_made(status, true, distances))
        keep_tensor(distances);
    if (was_made(status, true, indices)) {
        const int64_t *index = dlviz_tensor_const_data(indices);
        for (int64_t i = 0; i < dlviz_tensor_num_elements(indices); i++)
            require(index[i] >= 0 && index[i] < rows_of(indices) && index[i] != i / k,
                    "another point");
        keep_tensor(indices);
    }
}

void call_metrics(void) {
    switch (below(6)) {
    case 0:
    case 1:
        measure_map();
        break;
    case 2:
        measure_distances();
        break;
    case 3:
        measure_predictions();
        break;
    case 4:
        measure_numbers();
        break;
    default:
        find_neighbors();
    }
}
