/* Measures of a sample of the points: all of them give the whole measure, some give it within what
 * chance allows. */
#include "support/failing.h"
#include "support/tsne.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

enum { N = 500, D = 6, K = 7, MEASURES = 5 };

static dlviz_tensor *points, *map, *labels;

/* Clusters that overlap, many equal points among them, and a map that shows them with errors. */
static void prepare(int64_t n) {
    dlz_random random = dlz_random_start(3, 3);
    points = matrix(n, D, NULL);
    map = matrix(n, 2, NULL);
    ck_ok(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, &n));
    for (int64_t i = 0; i < n; i++) {
        ((int64_t *)dlviz_tensor_data(labels))[i] = i % 3 - 1;
        for (int64_t c = 0; c < D; c++)
            dlviz_tensor_float(points)[i * D + c] =
                (float)(dlz_random_normal(&random) + (c == i % 3 ? 2 : 0));
        if (i % 5 == 4)
            memcpy(dlviz_tensor_float(points) + i * D, dlviz_tensor_float(points) + (i - 4) * D,
                   D * sizeof(float));
        for (int64_t c = 0; c < 2; c++)
            dlviz_tensor_float(map)[i * 2 + c] =
                (float)(dlviz_tensor_float(points)[i * D + c] + 0.3 * dlz_random_normal(&random));
    }
}

static void clean_up(void) {
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
}

static dlviz_status whole(int measure, double *value) {
    switch (measure) {
    case 0:
        return dlviz_metrics_trustworthiness(points, map, K, value);
    case 1:
        return dlviz_metrics_continuity(points, map, K, value);
    case 2:
        return dlviz_metrics_neighbor_preservation(points, map, K, value);
    case 3:
        return dlviz_metrics_neighbor_accuracy(points, labels, K, value);
    default:
        return dlviz_metrics_silhouette(points, labels, value);
    }
}

static dlviz_status sampled_with_error(int measure, int64_t num_samples, uint64_t seed,
                                       double *value, double *error) {
    switch (measure) {
    case 0:
        return dlviz_metrics_trustworthiness_sampled(points, map, K, num_samples, seed, value,
                                                     error);
    case 1:
        return dlviz_metrics_continuity_sampled(points, map, K, num_samples, seed, value, error);
    case 2:
        return dlviz_metrics_neighbor_preservation_sampled(points, map, K, num_samples, seed, value,
                                                           error);
    case 3:
        return dlviz_metrics_neighbor_accuracy_sampled(points, labels, K, num_samples, seed, value,
                                                       error);
    default:
        return dlviz_metrics_silhouette_sampled(points, labels, num_samples, seed, value, error);
    }
}

static dlviz_status sampled(int measure, int64_t num_samples, uint64_t seed, double *value) {
    return sampled_with_error(measure, num_samples, seed, value, NULL);
}

START_TEST(all_points_are_the_whole_measure) {
    prepare(N);
    double wanted, value;
    for (int measure = 0; measure < MEASURES; measure++) {
        ck_ok(whole(measure, &wanted));
        ck_assert(wanted > 0.05 && wanted < 0.99);
        ck_ok(sampled(measure, N, 9, &value));
        ck_assert_double_eq(value, wanted);
        ck_ok(sampled(measure, INT64_MAX, 1, &value));
        ck_assert_double_eq(value, wanted);
        /* The other way to find neighbors, of some: all but one, for each that may be left out,
         * together are all. */
        ck_ok(sampled(measure, N - 1, 9, &value));
        ck_assert_double_eq_tol(value, wanted, 2.0 / N);
    }
    clean_up();
}
END_TEST

/* The deviation of many samples' results from the whole measure is what each says of itself, and in
 * 95 of 100 cases twice as much holds the difference. */
START_TEST(standard_errors_are_those_of_samples) {
    enum { SAMPLES = 400 };
    const int64_t sizes[] = {60, 250};
    prepare(N);
    for (int measure = 0; measure < MEASURES; measure++)
        for (int size = 0; size < 2; size++) {
            double wanted, value, error, squares = 0, said = 0;
            int inside = 0;
            ck_ok(whole(measure, &wanted));
            for (uint64_t seed = 0; seed < SAMPLES; seed++) {
                ck_ok(sampled_with_error(measure, sizes[size], seed, &value, &error));
                squares += (value - wanted) * (value - wanted) / SAMPLES;
                said += error * error / SAMPLES;
                inside += fabs(value - wanted) <= 2 * error;
            }
            ck_assert_double_gt(said, 0.8 * squares);
            ck_assert_double_lt(said, 1.25 * squares);
            ck_assert_int_ge(inside, SAMPLES * 91 / 100);
            ck_assert_int_lt(inside, SAMPLES * 99 / 100);
        }
    double value, error = -1;
    ck_ok(sampled_with_error(0, 1, 1, &value, &error));
    ck_assert(isnan(error));
    ck_ok(sampled_with_error(0, N, 1, &value, &error));
    ck_assert_double_eq(error, 0);
    error = -1;
    ck_fails(sampled_with_error(0, 0, 1, &value, &error), INVALID, "'num_samples' is 0");
    ck_assert_double_eq(error, 0);
    clean_up();
}
END_TEST

/* Single points, one after the other, tell the deviation; samples of 50 and their mean are then
 * within what it allows. */
START_TEST(samples_are_within_their_error) {
    enum { SINGLES = 400, SAMPLES = 60, SIZE = 50 };
    prepare(N);
    for (int measure = 0; measure < MEASURES; measure++) {
        double wanted, value, sum = 0, squares = 0, mean = 0, worst = 0;
        ck_ok(whole(measure, &wanted));
        for (uint64_t seed = 0; seed < SINGLES; seed++) {
            ck_ok(sampled(measure, 1, seed, &value));
            sum += value;
            squares += (value - wanted) * (value - wanted);
        }
        double deviation = sqrt(squares / SINGLES);
        ck_assert_double_gt(deviation, 0);
        ck_assert_double_le(fabs(sum / SINGLES - wanted), 4 * deviation / sqrt(SINGLES));
        double error = deviation / sqrt(SIZE);
        for (uint64_t seed = 0; seed < SAMPLES; seed++) {
            ck_ok(sampled(measure, SIZE, seed, &value));
            mean += value / SAMPLES;
            worst = fmax(worst, fabs(value - wanted));
        }
        ck_assert_double_le(worst, 4 * error);
        ck_assert_double_gt(worst, error / 4); /* or it would be no sample */
        ck_assert_double_le(fabs(mean - wanted), 4 * error / sqrt(SAMPLES));
    }
    clean_up();
}
END_TEST

/* Each point is drawn as often as the others. */
START_TEST(all_points_are_drawn_alike) {
    enum { FEW = 20, DRAWS = 4000 };
    prepare(FEW);
    /* A point's neighbor accuracy is 1 where it has the label of its nearest: of one point only. */
    int64_t *label = dlviz_tensor_data(labels);
    for (int64_t chosen = 0; chosen < FEW; chosen += 19) {
        for (int64_t i = 0; i < FEW; i++) {
            dlviz_tensor_float(points)[i * D] = (float)i * 100;
            label[i] = i;
        }
        label[chosen] = chosen == 0 ? 1 : FEW - 2;
        double value, hits = 0;
        for (uint64_t seed = 0; seed < DRAWS; seed++) {
            ck_ok(
                dlviz_metrics_neighbor_accuracy_sampled(points, labels, 1, 1, seed, &value, NULL));
            hits += value;
        }
        /* Its neighbor has the same label, and so counts as well, unless it has another nearer. */
        double share = hits / DRAWS;
        ck_assert_msg(fabs(share - 1.0 / FEW) < 0.02 || fabs(share - 2.0 / FEW) < 0.02, "%g",
                      share);
    }
    clean_up();
}
END_TEST

START_TEST(threads_and_seeds) {
    prepare(N);
    for (int measure = 0; measure < MEASURES; measure++) {
        double one, other, again;
        ck_ok(dlviz_set_num_threads(1));
        ck_ok(sampled(measure, 40, 1, &one));
        ck_ok(dlviz_set_num_threads(4));
        ck_ok(sampled(measure, 40, 1, &again));
        ck_ok(sampled(measure, 40, 2, &other));
        ck_assert_double_eq(one, again);
        ck_assert_double_ne(one, other);
    }
    clean_up();
}
END_TEST

START_TEST(what_is_refused) {
    prepare(N);
    for (int measure = 0; measure < MEASURES; measure++) {
        double value = 1;
        ck_fails(sampled(measure, 0, 1, &value), INVALID, "'num_samples' is 0; 1 or more");
        ck_assert_double_eq(value, 0);
        ck_fails(sampled(measure, -5, 1, &value), INVALID, "'num_samples' is -5");
        ck_fails(sampled(measure, 5, 1, NULL), INVALID, "_sampled: 'result' is NULL");
    }
    double value;
    ck_fails(dlviz_metrics_trustworthiness_sampled(points, map, N / 2, 5, 1, &value, NULL), INVALID,
             "'num_neighbors' is 250");
    ck_fails(dlviz_metrics_neighbor_accuracy_sampled(points, points, 1, 5, 1, &value, NULL),
             DLVIZ_ERROR_SHAPE, "'labels'");
    clean_up();
}
END_TEST

static dlviz_status work(void *context) {
    double value;
    (void)context;
    for (int measure = 0; measure < MEASURES; measure++)
        TRY(sampled(measure, 20, 1, &value));
    return DLVIZ_OK;
}

START_TEST(memory_may_lack) {
    prepare(N);
    ck_ok(dlviz_set_num_threads(2));
    ck_assert_int_gt(fail_each_allocation(work, NULL), 20);
    clean_up();
}
END_TEST

int main(void) {
    const TTest *const tests[] = {all_points_are_the_whole_measure,
                                  standard_errors_are_those_of_samples,
                                  samples_are_within_their_error,
                                  all_points_are_drawn_alike,
                                  threads_and_seeds,
                                  what_is_refused,
                                  memory_may_lack,
                                  NULL};
    return run_tests("sampled", tests);
}
