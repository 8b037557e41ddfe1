/* The number of threads may change at any time: work goes on with the number that it began with. */
#include "support/restless.h"
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

enum { SEEDS = 12, NUMBERS = 1 << 20 };

/* What a piece of work came to. */
typedef struct results {
    float *numbers;
    int64_t count;
} results;

static void note(results *to, const dlviz_tensor *tensor) {
    int64_t count = dlviz_tensor_num_elements(tensor);
    ck_assert_int_le(to->count + count, NUMBERS);
    memcpy(to->numbers + to->count, dlviz_tensor_const_float(tensor),
           (size_t)count * sizeof(float));
    to->count += count;
}

static void note_number(results *to, double number) {
    ck_assert_int_lt(to->count, NUMBERS);
    to->numbers[to->count++] = (float)number;
}

/* Of every 16 columns one is the same in all rows. */
static dlviz_tensor *make_points(int64_t n, int64_t d, uint64_t seed) {
    dlviz_tensor *points;
    ck_ok(dlviz_tensor_create(&points, DLVIZ_FLOAT32, 2, (int64_t[]){n, d}));
    float *values = dlviz_tensor_float(points);
    fill_uniform(values, n * d, seed);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 5; j < d; j += 16)
            values[i * d + j] = 0.5f;
    return points;
}

static dlviz_tensor *make_labels(int64_t n) {
    dlviz_tensor *labels;
    ck_ok(dlviz_tensor_create(&labels, DLVIZ_INT64, 1, &n));
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)dlviz_tensor_data(labels))[i] = i % 3;
    return labels;
}

/* -- What is done --------------------------------------------------------------------------------
 */

static void fit(int64_t n, int64_t d, dlviz_pca_solver_kind solver, results *to) {
    dlviz_tensor *points = make_points(n, d, 7), *projected, *back;
    dlviz_pca *pca;
    ck_ok(dlviz_pca_create(&pca, 4));
    ck_ok(dlviz_pca_set_solver(pca, solver));
    ck_ok(dlviz_pca_fit(pca, points));
    ck_ok(dlviz_pca_transform(pca, points, &projected));
    ck_ok(dlviz_pca_inverse_transform(pca, projected, &back));
    note(to, dlviz_pca_components(pca));
    note(to, projected);
    note(to, back);
    ck_ok(dlviz_pca_transform_to_npy(pca, points, scratch_path("projected.npy")));
    dlviz_tensor_destroy(projected);
    ck_ok(dlviz_tensor_read_npy(&projected, scratch_path("projected.npy")));
    note(to, projected);
    dlviz_tensor_destroy(projected);
    dlviz_tensor_destroy(back);
    dlviz_tensor_destroy(points);
    dlviz_pca_destroy(pca);
}

static void fit_wide(results *to) {
    fit(1500, 130, DLVIZ_PCA_SOLVER_COVARIANCE, to);
}

static void fit_narrow(results *to) {
    fit(4000, 24, DLVIZ_PCA_SOLVER_COVARIANCE, to);
}

static void fit_few_samples(results *to) {
    fit(100, 300, DLVIZ_PCA_SOLVER_COVARIANCE, to);
}

static void fit_svd(results *to) {
    fit(3000, 20, DLVIZ_PCA_SOLVER_SVD, to);
}

static void fit_randomized(results *to) {
    fit(900, 120, DLVIZ_PCA_SOLVER_RANDOMIZED, to);
}

static void measure_map(results *to) {
    dlviz_tensor *points = make_points(700, 12, 3), *labels = make_labels(700);
    double value;
    ck_ok(dlviz_metrics_silhouette(points, labels, &value));
    note_number(to, value);
    ck_ok(dlviz_metrics_trustworthiness(points, points, 5, &value));
    note_number(to, value);
    ck_ok(dlviz_metrics_neighbor_accuracy(points, labels, 5, &value));
    note_number(to, value);
    ck_ok(dlviz_metrics_distance_correlation(points, points, 500, 1, &value));
    note_number(to, value);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(labels);
}

static void make_map(dlviz_tsne_method_kind method, results *to) {
    dlviz_tensor *points = make_points(400, 12, 4), *map;
    dlviz_tsne *tsne;
    ck_ok(dlviz_tsne_create(&tsne));
    ck_ok(dlviz_tsne_set_num_iterations(tsne, 20));
    ck_ok(dlviz_tsne_set_method(tsne, method));
    ck_ok(dlviz_tsne_fit(tsne, points, &map));
    note(to, map);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(points);
    dlviz_tsne_destroy(tsne);
}

static void make_maps(results *to) {
    make_map(DLVIZ_TSNE_METHOD_EXACT, to);
    make_map(DLVIZ_TSNE_METHOD_BARNES_HUT, to);
    make_map(DLVIZ_TSNE_METHOD_GRID, to);
}

static void measure_data(results *to) {
    dlviz_tensor *points = make_points(600, 48, 5), *labels = make_labels(600), *mean, *deviation;
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, points, labels));
    ck_ok(dlviz_dataset_measure(dataset, &mean, &deviation));
    note(to, mean);
    note(to, deviation);
    dlviz_tensor_destroy(mean);
    dlviz_tensor_destroy(deviation);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(points);
    dlviz_tensor_destroy(labels);
}

static void train(results *to) {
    dlviz_tensor *images, *labels = make_labels(60), *outputs;
    dlviz_dataset *dataset;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
    double loss;
    ck_ok(dlviz_tensor_create(&images, DLVIZ_FLOAT32, 4, (int64_t[]){60, 2, 12, 12}));
    fill_uniform(dlviz_tensor_float(images), dlviz_tensor_num_elements(images), 6);
    ck_ok(dlviz_dataset_create(&dataset, images, labels));
    ck_ok(dlviz_network_create(&network, 3, (int64_t[]){2, 12, 12}));
    ck_ok(dlviz_network_add(network, "conv", dlviz_conv2d(8, 3, 1)));
    ck_ok(dlviz_network_add(network, "norm", dlviz_batchnorm()));
    ck_ok(dlviz_network_add(network, "relu", dlviz_relu()));
    ck_ok(dlviz_network_add(network, "flatten", dlviz_flatten()));
    ck_ok(dlviz_network_add(network, "fc", dlviz_linear(3)));
    ck_ok(dlviz_network_build(network, 1));
    ck_ok(dlviz_adam_create(&optimizer, 1e-3));
    ck_ok(dlviz_trainer_create(&trainer, network, optimizer));
    ck_ok(dlviz_trainer_set_batch_size(trainer, 16));
    ck_ok(dlviz_trainer_fit(trainer, dataset, 2));
    ck_ok(dlviz_network_evaluate(network, dataset, &loss, NULL));
    ck_ok(dlviz_network_forward(network, images, &outputs));
    note_number(to, loss);
    note(to, outputs);
    dlviz_tensor_destroy(outputs);
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(optimizer);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(images);
    dlviz_tensor_destroy(labels);
}

/* -- Whether it comes to the same ----------------------------------------------------------------
 */

static void (*const works[])(results *) = {fit_wide,  fit_narrow,     fit_few_samples,
                                           fit_svd,   fit_randomized, measure_map,
                                           make_maps, measure_data,   train};

START_TEST(work_goes_on_with_the_threads_it_began_with) {
    results steady = {malloc(NUMBERS * sizeof(float)), 0},
            restless = {malloc(NUMBERS * sizeof(float)), 0};
    ck_assert(steady.numbers && restless.numbers);
    works[_i](&steady);
    for (uint64_t seed = 0; seed < SEEDS; seed++) {
        restless.count = 0;
        begin_restlessness(seed);
        works[_i](&restless);
        end_restlessness();
        ck_assert_int_eq(restless.count, steady.count);
        ck_assert_mem_eq(restless.numbers, steady.numbers, (size_t)steady.count * sizeof(float));
    }
    free(steady.numbers);
    free(restless.numbers);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("changing threads");
    TCase *cases = tcase_create("works");
    tcase_set_timeout(cases, 300);
    tcase_add_loop_test(cases, work_goes_on_with_the_threads_it_began_with, 0,
                        sizeof works / sizeof *works);
    suite_add_tcase(suite, cases);
    return run_suite(suite);
}
