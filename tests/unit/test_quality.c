#include "base/base.h"
#include "metrics/quality.h"
#include "kernels/embed/rank.h"
#include "support/fork.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static dlviz_tensor *fixture(const char *name) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_read_npy(&tensor, fixture_path(name)));
    return tensor;
}

static dlviz_tensor *uniform(int64_t n, int64_t d, uint64_t seed) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    fill_uniform(tensor->data, n * d, seed);
    return tensor;
}

static dlviz_tensor *labels_of(int64_t n, const int64_t *values) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_INT64, 1, &n, values));
    return tensor;
}

START_TEST(measures_are_scikit_learns) {
    dlviz_tensor *points = fixture("quality_points.npy"), *map = fixture("quality_map.npy");
    dlviz_tensor *labels = fixture("quality_labels.npy"),
                 *expected = fixture("quality_expected.npy");
    double got[8];
    ck_ok(dlviz_metrics_trustworthiness(points, map, 5, &got[0]));
    ck_ok(dlviz_metrics_trustworthiness(points, map, 12, &got[1]));
    ck_ok(dlviz_metrics_continuity(points, map, 12, &got[2]));
    ck_ok(dlviz_metrics_neighbor_preservation(points, map, 10, &got[3]));
    ck_ok(dlviz_metrics_neighbor_accuracy(map, labels, 10, &got[4]));
    ck_ok(dlviz_metrics_silhouette(points, labels, &got[5]));
    ck_ok(dlviz_metrics_silhouette(map, labels, &got[6]));
    ck_ok(dlviz_metrics_distance_correlation(points, map, 0, 0, &got[7]));
    for (int i = 0; i < 8; i++)
        ck_assert_msg(fabs(got[i] - (double)((const float *)expected->data)[i]) < 1e-6,
                      "measure %d is %.9g, not %.9g", i, got[i],
                      (double)((const float *)expected->data)[i]);
    dlviz_tensor *bytes;
    ck_ok(dlviz_tensor_convert(labels, DLVIZ_UINT8, &bytes));
    double same;
    ck_ok(dlviz_metrics_silhouette(points, bytes, &same));
    ck_assert_double_eq(same, got[5]);
    ck_ok(dlviz_metrics_neighbor_accuracy(map, bytes, 10, &same));
    ck_assert_double_eq(same, got[4]);
    dlviz_tensor_destroy(bytes);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(expected);
}
END_TEST

START_TEST(a_perfect_map_scores_one) {
    dlviz_tensor *points = uniform(100, 3, 1);
    double value;
    ck_ok(dlviz_metrics_trustworthiness(points, points, 20, &value));
    ck_assert_double_eq(value, 1);
    ck_ok(dlviz_metrics_continuity(points, points, 49, &value));
    ck_assert_double_eq(value, 1);
    ck_ok(dlviz_metrics_neighbor_preservation(points, points, 99, &value));
    ck_assert_double_eq(value, 1);
    ck_ok(dlviz_metrics_neighbor_preservation(points, points, 7, &value));
    ck_assert_double_eq(value, 1);
    ck_ok(dlviz_metrics_distance_correlation(points, points, 0, 0, &value));
    ck_assert_double_eq_tol(value, 1, 1e-14);
    ck_ok(dlviz_metrics_distance_correlation(points, points, 1000, 5, &value));
    ck_assert_double_eq_tol(value, 1, 1e-14);
    dlviz_tensor_destroy(points);
}
END_TEST

/* Ranks of all distances of the data by plain comparison, as the definition says. */
static double plain_trustworthiness(const dlviz_tensor *points, const dlviz_tensor *map, int k) {
    int64_t n = points->dims[0];
    const dlviz_tensor *each[2] = {points, map};
    double *squares[2], sum = 0;
    for (int s = 0; s < 2; s++) {
        int64_t d = each[s]->dims[1];
        const float *x = each[s]->data;
        squares[s] = dlz_alloc_array((size_t)(n * n), sizeof(double));
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++) {
                double total = 0;
                for (int64_t c = 0; c < d; c++)
                    total += pow((double)x[i * d + c] - (double)x[j * d + c], 2);
                squares[s][i * n + j] = total;
            }
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            int64_t rank[2] = {1, 1};
            for (int s = 0; s < 2; s++)
                for (int64_t l = 0; l < n; l++)
                    rank[s] += l != i && squares[s][i * n + l] < squares[s][i * n + j];
            if (i != j && rank[1] <= k && rank[0] > k)
                sum += (double)(rank[0] - k);
        }
    dlz_free(squares[0]);
    dlz_free(squares[1]);
    return 1 - 2 * sum / ((double)(n * k) * (double)(2 * n - 3 * k - 1));
}

START_TEST(trustworthiness_is_its_definition) {
    int64_t sizes[] = {3, 5, 33, 130};
    for (int s = 0; s < 4; s++) {
        dlviz_tensor *points = uniform(sizes[s], 6, 2), *map = uniform(sizes[s], 2, 3);
        for (int k = 1; k <= (sizes[s] - 1) / 2; k = 2 * k + 1) {
            double got;
            ck_ok(dlviz_metrics_trustworthiness(points, map, k, &got));
            ck_assert_double_eq_tol(got, plain_trustworthiness(points, map, k), 1e-13);
            ck_ok(dlviz_metrics_continuity(points, map, k, &got));
            ck_assert_double_eq_tol(got, plain_trustworthiness(map, points, k), 1e-13);
        }
        dlviz_tensor_destroy(points);
        dlviz_tensor_destroy(map);
    }
}
END_TEST

START_TEST(coincident_points_and_offsets_are_no_trouble) {
    /* Pairs of equal points far from the origin: the nearest is at distance 0. */
    enum { n = 40 };
    dlviz_tensor *points = uniform(n, 4, 4);
    float *x = points->data;
    for (int i = 0; i < n; i += 2)
        for (int j = 0; j < 4; j++) {
            x[i * 4 + j] += 1000;
            x[(i + 1) * 4 + j] = x[i * 4 + j];
        }
    double value;
    ck_ok(dlviz_metrics_trustworthiness(points, points, 1, &value));
    ck_assert_double_eq(value, 1);
    int64_t pairs[n];
    for (int i = 0; i < n; i++)
        pairs[i] = i / 2 - 7;
    dlviz_tensor *labels = labels_of(n, pairs);
    ck_ok(dlviz_metrics_silhouette(points, labels, &value));
    ck_assert_double_eq_tol(value, 1, 1e-6);
    ck_ok(dlviz_metrics_neighbor_accuracy(points, labels, 1, &value));
    ck_assert_double_eq(value, 1);
    memset(x, 0, sizeof *x * n * 4);
    ck_ok(dlviz_metrics_silhouette(points, labels, &value));
    ck_assert_double_eq(value, 0);
    ck_ok(dlviz_metrics_distance_correlation(points, points, 0, 0, &value));
    ck_assert_double_eq(value, 0);
    ck_ok(dlviz_metrics_trustworthiness(points, points, 5, &value));
    ck_assert_double_eq(value, 1);
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(points);
}
END_TEST

static void scale_by(dlviz_tensor *tensor, float factor) {
    for (int64_t i = 0; i < tensor->size; i++)
        ((float *)tensor->data)[i] *= factor;
}

/* Ones and zeros have few different distances, so most are equal; what they are multiplied by
 * changes none of that, whether or not it is exact in binary. */
START_TEST(equal_distances_stay_equal_when_scaled) {
    enum { n = 150, d = 90, k = 10 };
    dlviz_tensor *points = uniform(n, d, 20), *map = uniform(n, 2, 21);
    int64_t values[n];
    for (int i = 0; i < n; i++)
        values[i] = i % 3;
    dlviz_tensor *labels = labels_of(n, values);
    for (int i = 0; i < n * d; i++)
        ((float *)points->data)[i] = ((float *)points->data)[i] > 0.3f;
    double first[5], x[5], expected[] = {plain_trustworthiness(points, map, k)};
    const float factors[] = {1, 4, 0.1f, 0.3f, 1e-18f, 1e15f};
    for (int f = 0; f < 6; f++) {
        dlviz_tensor *scaled;
        ck_ok(dlviz_tensor_copy(points, &scaled));
        scale_by(scaled, factors[f]);
        ck_ok(dlviz_metrics_trustworthiness(scaled, map, k, &x[0]));
        ck_ok(dlviz_metrics_continuity(scaled, map, k, &x[1]));
        ck_ok(dlviz_metrics_neighbor_preservation(scaled, map, k, &x[2]));
        ck_ok(dlviz_metrics_neighbor_accuracy(scaled, labels, k, &x[3]));
        ck_ok(dlviz_metrics_distance_correlation(scaled, map, 0, 0, &x[4]));
        ck_assert_double_eq_tol(x[0], expected[0], 1e-14);
        if (f == 0)
            memcpy(first, x, sizeof x);
        ck_assert_mem_eq(first, x, sizeof x);
        dlviz_tensor_destroy(scaled);
    }
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
}
END_TEST

/* By hand: three groups on a line, and one point farther away than float32 can hold beside them. */
START_TEST(a_far_point_costs_the_others_nothing) {
    const float far[] = {1e5f, 1e9f, 1e17f, -1e18f};
    int64_t values[] = {0, 0, 1, 1, 2, 2, 2};
    for (int f = 0; f < 4; f++) {
        float x[] = {0, 0.001f, 1, 1.001f, 2, 2.001f, far[f]}, turned[7];
        for (int i = 0; i < 7; i++)
            turned[i] = i < 6 ? 2.5f - x[i] : 1000;
        dlviz_tensor *points, *map, *labels = labels_of(7, values);
        ck_ok(dlviz_tensor_from_data(&points, DLVIZ_FLOAT32, 2, (int64_t[]){7, 1}, x));
        ck_ok(dlviz_tensor_from_data(&map, DLVIZ_FLOAT32, 2, (int64_t[]){7, 1}, turned));
        double value, sum = 0;
        for (int i = 0; i < 7; i++) {
            double means[3] = {0};
            for (int j = 0; j < 7; j++)
                means[values[j]] += fabs((double)x[i] - (double)x[j]) / (values[j] == 2 ? 3 : 2);
            int64_t own = values[i];
            double within = means[own] * (own == 2 ? 1.5 : 2);
            double nearest = fmin(means[(own + 1) % 3], means[(own + 2) % 3]);
            sum += (nearest - within) / fmax(nearest, within);
        }
        ck_ok(dlviz_metrics_silhouette(points, labels, &value));
        ck_assert_double_eq_tol(value, sum / 7, 1e-12);
        ck_ok(dlviz_metrics_neighbor_preservation(points, map, 1, &value));
        ck_assert_double_ge(value, 6 / 7.0 - 1e-12); /* the far one's nearest may differ */
        ck_ok(dlviz_metrics_neighbor_accuracy(points, labels, 1, &value));
        ck_assert_double_ge(value, 6 / 7.0 - 1e-12);
        dlviz_tensor_destroy(points);
        dlviz_tensor_destroy(map);
        dlviz_tensor_destroy(labels);
    }
}
END_TEST

static void measure_all(double results[6]) {
    dlviz_tensor *points = uniform(333, 21, 30), *map = uniform(333, 2, 31);
    int64_t values[333];
    for (int i = 0; i < 333; i++)
        values[i] = i % 5;
    dlviz_tensor *labels = labels_of(333, values);
    ck_ok(dlviz_metrics_trustworthiness(points, map, 12, &results[0]));
    ck_ok(dlviz_metrics_continuity(points, map, 12, &results[1]));
    ck_ok(dlviz_metrics_neighbor_preservation(points, map, 10, &results[2]));
    ck_ok(dlviz_metrics_neighbor_accuracy(points, labels, 10, &results[3]));
    ck_ok(dlviz_metrics_silhouette(points, labels, &results[4]));
    ck_ok(dlviz_metrics_distance_correlation(points, map, 20000, 3, &results[5]));
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
}

/* An instruction set is chosen once a process, so each has a process of its own. */
START_TEST(measures_have_the_same_bits_on_every_instruction_set) {
    double first[6], got[6];
    bool any = false;
    if (shares_its_process())
        return;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        int ends[2], status;
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        ck_assert_int_eq(pipe(ends), 0);
        pid_t child = fork();
        ck_assert_int_ge(child, 0);
        if (child == 0) {
            setenv("DLVIZ_ISA", dlz_isa_name((dlz_isa)isa), 1);
            measure_all(got);
            _exit(write(ends[1], got, sizeof got) == (ssize_t)sizeof got ? 0 : 1);
        }
        close(ends[1]);
        ck_assert_int_eq(read(ends[0], got, sizeof got), (ssize_t)sizeof got);
        close(ends[0]);
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
        if (!any)
            memcpy(first, got, sizeof got);
        any = true;
        ck_assert_mem_eq(first, got, sizeof got);
    }
}
END_TEST

START_TEST(silhouette_by_hand) {
    float x[] = {0, 1, 10, 12, 30};
    int64_t values[] = {5, 5, -2, -2, 9};
    dlviz_tensor *points, *labels = labels_of(5, values);
    ck_ok(dlviz_tensor_from_data(&points, DLVIZ_FLOAT32, 2, (int64_t[]){5, 1}, x));
    double value;
    ck_ok(dlviz_metrics_silhouette(points, labels, &value));
    double expected =
        ((11 - 1) / 11.0 + (10 - 1) / 10.0 + (9.5 - 2) / 9.5 + (11.5 - 2) / 11.5 + 0) / 5;
    ck_assert_double_eq_tol(value, expected, 1e-12);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(labels);
}
END_TEST

START_TEST(votes_that_tie_go_to_the_smallest_label) {
    /* The neighbors of the first point: labels 3, 1, 3, 1. */
    float x[] = {0, 1, 2, 3, 4};
    int64_t values[] = {1, 3, 1, 3, 1};
    dlviz_tensor *points, *labels = labels_of(5, values);
    ck_ok(dlviz_tensor_from_data(&points, DLVIZ_FLOAT32, 2, (int64_t[]){5, 1}, x));
    double value;
    ck_ok(dlviz_metrics_neighbor_accuracy(points, labels, 4, &value));
    /* Points 0, 2, 4 (label 1) see 1, 1, 3, 3: right. Points 1 and 3 see 1 three times: wrong. */
    ck_assert_double_eq(value, 0.6);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(labels);
}
END_TEST

START_TEST(drawn_pairs_estimate_the_correlation) {
    dlviz_tensor *points = uniform(400, 8, 5), *map = uniform(400, 2, 6);
    float *to = map->data;
    const float *from = points->data;
    for (int i = 0; i < 400; i++)
        for (int j = 0; j < 2; j++)
            to[i * 2 + j] = from[i * 8 + j] + 0.1f * to[i * 2 + j];
    double all, some, again, other;
    ck_ok(dlviz_metrics_distance_correlation(points, map, 0, 0, &all));
    ck_ok(dlviz_metrics_distance_correlation(points, map, 20000, 1, &some));
    ck_ok(dlviz_metrics_distance_correlation(points, map, 20000, 1, &again));
    ck_ok(dlviz_metrics_distance_correlation(points, map, 20000, 2, &other));
    ck_assert_double_eq_tol(some, all, 0.03);
    ck_assert_double_eq_tol(other, all, 0.03);
    ck_assert_double_eq(some, again);
    ck_assert(some != other);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
}
END_TEST

START_TEST(measures_have_the_same_bits_for_any_number_of_threads) {
    dlviz_tensor *points = uniform(777, 9, 7), *map = uniform(777, 2, 8);
    int64_t values[777];
    for (int i = 0; i < 777; i++)
        values[i] = i % 5;
    dlviz_tensor *labels = labels_of(777, values);
    double first[6], got[6];
    int threads[] = {1, 2, 3, 8};
    for (int t = 0; t < 4; t++) {
        ck_ok(dlviz_set_num_threads(threads[t]));
        ck_ok(dlviz_metrics_trustworthiness(points, map, 12, &got[0]));
        ck_ok(dlviz_metrics_continuity(points, map, 12, &got[1]));
        ck_ok(dlviz_metrics_neighbor_preservation(points, map, 10, &got[2]));
        ck_ok(dlviz_metrics_neighbor_accuracy(points, labels, 10, &got[3]));
        ck_ok(dlviz_metrics_silhouette(points, labels, &got[4]));
        ck_ok(dlviz_metrics_distance_correlation(points, map, 50000, 3, &got[5]));
        if (t == 0)
            memcpy(first, got, sizeof got);
        ck_assert_mem_eq(first, got, sizeof got);
    }
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
}
END_TEST

START_TEST(predictions_are_counted) {
    int64_t truth[] = {0, 1, 2, 2, 1, 0, 2}, guess[] = {0, 2, 2, 2, 1, 1, 0};
    float scores[7][3];
    for (int i = 0; i < 7; i++)
        for (int c = 0; c < 3; c++)
            scores[i][c] = c == guess[i] ? -1.0f : -2.0f - (float)c;
    scores[0][1] = scores[0][0]; /* of equal scores the first counts */
    dlviz_tensor *labels = labels_of(7, truth), *predictions = labels_of(7, guess), *logits,
                 *matrix;
    ck_ok(dlviz_tensor_from_data(&logits, DLVIZ_FLOAT32, 2, (int64_t[]){7, 3}, scores));
    int64_t expected[9] = {1, 1, 0, 0, 1, 1, 1, 0, 2};
    const dlviz_tensor *each[] = {predictions, logits};
    for (int i = 0; i < 2; i++)
        for (int64_t classes = 0; classes <= 3; classes += 3) {
            double accuracy;
            ck_ok(dlviz_metrics_accuracy(each[i], labels, &accuracy));
            ck_assert_double_eq(accuracy, 4.0 / 7);
            ck_ok(dlviz_metrics_confusion(each[i], labels, classes, &matrix));
            ck_assert_int_eq(matrix->ndim, 2);
            ck_assert_int_eq(matrix->dims[0], 3);
            ck_assert_int_eq(matrix->dims[1], 3);
            ck_assert_mem_eq(matrix->data, expected, sizeof expected);
            dlviz_tensor_destroy(matrix);
        }
    ck_ok(dlviz_metrics_confusion(logits, predictions, 5, &matrix));
    ck_assert_int_eq(matrix->size, 25);
    dlviz_tensor_destroy(matrix);
    ck_fails(dlviz_metrics_confusion(predictions, labels, 2, &matrix), DLVIZ_ERROR_INVALID_ARGUMENT,
             "item 1 has label 1 and prediction 2; 0 to 1");
    ck_assert_ptr_null(matrix);
    ck_fails(dlviz_metrics_confusion(logits, labels, 2, &matrix), DLVIZ_ERROR_SHAPE, "3 classes");
    ck_fails(dlviz_metrics_confusion(logits, labels, -1, &matrix), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'num_classes' is -1");
    ck_fails(dlviz_metrics_confusion(logits, labels, 65537, &matrix), DLVIZ_ERROR_INVALID_ARGUMENT,
             "65537");
    ck_fails(dlviz_metrics_confusion(logits, labels, 3, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'matrix'");
    ck_fails(dlviz_metrics_confusion(NULL, labels, 3, &matrix), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'predictions'");
    ck_fails(dlviz_metrics_confusion(labels, NULL, 3, &matrix), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'labels'");
    double accuracy = 5;
    ck_fails(dlviz_metrics_accuracy(logits, logits, &accuracy), DLVIZ_ERROR_SHAPE, "float32");
    ck_assert_double_eq(accuracy, 0);
    ck_fails(dlviz_metrics_accuracy(labels, labels, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'result'");
    dlviz_tensor *few = labels_of(6, truth), *none = labels_of(0, truth);
    ck_fails(dlviz_metrics_accuracy(logits, few, &accuracy), DLVIZ_ERROR_SHAPE, "is 6, needs 7");
    ck_fails(dlviz_metrics_accuracy(few, labels, &accuracy), DLVIZ_ERROR_SHAPE, "is 7, needs 6");
    ck_fails(dlviz_metrics_accuracy(none, none, &accuracy), DLVIZ_ERROR_SHAPE, "empty");
    ((int64_t *)labels->data)[3] = -1;
    ck_fails(dlviz_metrics_confusion(logits, labels, 0, &matrix), DLVIZ_ERROR_INVALID_ARGUMENT,
             "label -1");
    ((float *)logits->data)[4] = NAN;
    ck_fails(dlviz_metrics_accuracy(logits, labels, &accuracy), DLVIZ_ERROR_NUMERIC,
             "row 1, column 1");
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(predictions);
    dlviz_tensor_destroy(logits);
    dlviz_tensor_destroy(few);
    dlviz_tensor_destroy(none);
}
END_TEST

START_TEST(wrong_arguments_are_refused) {
    dlviz_tensor *points = uniform(20, 3, 1), *map = uniform(20, 2, 2), *fewer = uniform(19, 2, 3);
    dlviz_tensor *two = uniform(2, 2, 4);
    int64_t values[20] = {0, 1};
    dlviz_tensor *labels = labels_of(20, values), *few_labels = labels_of(19, values);
    double x = 3;
    ck_fails(dlviz_metrics_trustworthiness(points, map, 0, &x), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'num_neighbors' is 0; 1 to 9");
    ck_assert_double_eq(x, 0);
    ck_fails(dlviz_metrics_trustworthiness(points, map, 10, &x), DLVIZ_ERROR_INVALID_ARGUMENT,
             "10");
    ck_fails(dlviz_metrics_trustworthiness(points, fewer, 3, &x), DLVIZ_ERROR_SHAPE,
             "'map' has 19 rows");
    ck_fails(dlviz_metrics_trustworthiness(two, two, 1, &x), DLVIZ_ERROR_SHAPE, "2 rows");
    ck_fails(dlviz_metrics_trustworthiness(NULL, map, 3, &x), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'points'");
    ck_fails(dlviz_metrics_trustworthiness(points, NULL, 3, &x), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'map'");
    ck_fails(dlviz_metrics_trustworthiness(points, map, 3, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'result'");
    ck_fails(dlviz_metrics_continuity(points, map, 10, &x), DLVIZ_ERROR_INVALID_ARGUMENT, "10");
    ck_fails(dlviz_metrics_neighbor_preservation(points, map, 20, &x), DLVIZ_ERROR_INVALID_ARGUMENT,
             "1 to 19");
    ck_fails(dlviz_metrics_neighbor_preservation(points, fewer, 2, &x), DLVIZ_ERROR_SHAPE, "19");
    ck_fails(dlviz_metrics_neighbor_accuracy(points, labels, 20, &x), DLVIZ_ERROR_INVALID_ARGUMENT,
             "1 to 19");
    ck_fails(dlviz_metrics_neighbor_accuracy(points, few_labels, 2, &x), DLVIZ_ERROR_SHAPE,
             "is 19, needs 20");
    ck_fails(dlviz_metrics_neighbor_accuracy(points, map, 2, &x), DLVIZ_ERROR_SHAPE, "float32");
    ck_fails(dlviz_metrics_silhouette(points, few_labels, &x), DLVIZ_ERROR_SHAPE, "needs 20");
    for (int i = 0; i < 20; i++)
        ((int64_t *)labels->data)[i] = 4;
    ck_fails(dlviz_metrics_silhouette(points, labels, &x), DLVIZ_ERROR_INVALID_ARGUMENT,
             "1 different values; 2 to 19");
    for (int i = 0; i < 20; i++)
        ((int64_t *)labels->data)[i] = i;
    ck_fails(dlviz_metrics_silhouette(points, labels, &x), DLVIZ_ERROR_INVALID_ARGUMENT,
             "20 different values");
    ck_fails(dlviz_metrics_distance_correlation(points, map, 1, 0, &x),
             DLVIZ_ERROR_INVALID_ARGUMENT, "'num_pairs' is 1");
    ck_fails(dlviz_metrics_distance_correlation(points, map, 100000001, 0, &x),
             DLVIZ_ERROR_INVALID_ARGUMENT, "100000001");
    ck_fails(dlviz_metrics_distance_correlation(points, fewer, 0, 0, &x), DLVIZ_ERROR_SHAPE, "19");
    ((float *)map->data)[7] = INFINITY;
    ck_fails(dlviz_metrics_trustworthiness(points, map, 3, &x), DLVIZ_ERROR_NUMERIC,
             "'map' has inf in row 3, column 1; finite values up to");
    ck_fails(dlviz_metrics_silhouette(map, labels, &x), DLVIZ_ERROR_NUMERIC, "has inf");
    for (int i = 0; i < 60; i++)
        ((float *)points->data)[i] *= 5e29f;
    ck_fails(dlviz_metrics_neighbor_accuracy(points, labels, 3, &x), DLVIZ_ERROR_NUMERIC,
             "'points' has");
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(fewer);
    dlviz_tensor_destroy(two);
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(few_labels);
}
END_TEST

START_TEST(every_kernel_counts_what_is_below) {
    enum { n = 77 };
    double values[n + 1], limits[9];
    float raw[n + 10];
    fill_uniform(raw, n + 10, 9);
    for (int i = 0; i <= n; i++)
        values[i] = (double)(int)(raw[i] * 20);
    values[5] = INFINITY;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++) {
        if (!dlz_isa_available((dlz_isa)isa))
            continue;
        for (int size = 0; size <= n; size++)
            for (int k = 1; k <= 9; k++) {
                int64_t counts[10];
                counts[k] = -5;
                for (int j = 0; j < k; j++)
                    limits[j] = (double)(int)(raw[size + j] * 20);
                dlz_rank_of((dlz_isa)isa)->count_below(values + 1, size, limits, k, counts);
                for (int j = 0; j < k; j++) {
                    int64_t expected = 0;
                    for (int i = 1; i <= size; i++)
                        expected += values[i] < limits[j];
                    ck_assert_int_eq(counts[j], expected);
                }
                ck_assert_int_eq(counts[k], -5);
            }
    }
}
END_TEST

static int allocations_left;

static void *failing_alloc(size_t size, void *user) {
    (void)user;
    if (__atomic_fetch_sub(&allocations_left, 1, __ATOMIC_RELAXED) <= 0)
        return NULL;
    return malloc(size);
}

static void counted_free(void *block, void *user) {
    (void)user;
    free(block);
}

static dlviz_status measure(int which, const dlviz_tensor *points, const dlviz_tensor *map,
                            const dlviz_tensor *labels, double *x) {
    dlviz_tensor *matrix = NULL;
    dlviz_status status;
    switch (which) {
    case 0:
        return dlviz_metrics_trustworthiness(points, map, 5, x);
    case 1:
        return dlviz_metrics_neighbor_preservation(points, map, 5, x);
    case 2:
        return dlviz_metrics_neighbor_accuracy(points, labels, 5, x);
    case 3:
        return dlviz_metrics_silhouette(points, labels, x);
    case 4:
        return dlviz_metrics_distance_correlation(points, map, 0, 0, x);
    default:
        status = dlviz_metrics_confusion(labels, labels, 0, &matrix);
        dlviz_tensor_destroy(matrix);
        return status;
    }
}

START_TEST(every_allocation_may_fail) {
    allocations_left = 1 << 30;
    ck_ok(dlviz_set_allocator(failing_alloc, counted_free, NULL));
    dlviz_tensor *points = uniform(50, 3, 1), *map = uniform(50, 2, 2);
    int64_t values[50];
    for (int i = 0; i < 50; i++)
        values[i] = i % 3;
    dlviz_tensor *labels = labels_of(50, values);
    for (int which = 0; which < 6; which++) {
        double x = 7;
        for (int allowed = 0;; allowed++) {
            ck_assert_int_lt(allowed, 1000);
            allocations_left = allowed;
            dlviz_status status = measure(which, points, map, labels, &x);
            if (status == DLVIZ_OK) {
                ck_assert_int_gt(allowed, 0);
                break;
            }
            ck_assert_int_eq(status, DLVIZ_ERROR_OUT_OF_MEMORY);
            ck_assert(which == 5 || x == 0);
        }
    }
    allocations_left = 1 << 30;
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
}
END_TEST

int main(void) {
    const TTest *const tests[] = {measures_are_scikit_learns,
                                  a_perfect_map_scores_one,
                                  trustworthiness_is_its_definition,
                                  coincident_points_and_offsets_are_no_trouble,
                                  equal_distances_stay_equal_when_scaled,
                                  a_far_point_costs_the_others_nothing,
                                  measures_have_the_same_bits_on_every_instruction_set,
                                  silhouette_by_hand,
                                  votes_that_tie_go_to_the_smallest_label,
                                  drawn_pairs_estimate_the_correlation,
                                  measures_have_the_same_bits_for_any_number_of_threads,
                                  predictions_are_counted,
                                  wrong_arguments_are_refused,
                                  every_kernel_counts_what_is_below,
                                  every_allocation_may_fail,
                                  NULL};
    return run_tests("quality", tests);
}
