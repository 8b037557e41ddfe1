/* A class for each pixel: datasets, losses and training of networks that give maps. */
#include "data/dataset.h"
#include "support/netspec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define INVALID DLVIZ_ERROR_INVALID_ARGUMENT

enum { N = 70, CLASSES = 3, HEIGHT = 4, WIDTH = 5, PIXELS = HEIGHT * WIDTH };

/* Noise, and what lies above two thresholds. */
static dlviz_tensor *images(void) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 4, (int64_t[]){N, 1, HEIGHT, WIDTH}));
    fill_uniform(dlviz_tensor_float(tensor), N * PIXELS, 3);
    return tensor;
}

static dlviz_tensor *maps_of(const dlviz_tensor *pictures, dlviz_dtype dtype) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, dtype, 3, (int64_t[]){N, HEIGHT, WIDTH}));
    for (int64_t i = 0; i < N * PIXELS; i++) {
        float x = dlviz_tensor_const_float(pictures)[i];
        int label = (x > -0.5f) + (x > 0.5f);
        if (dtype == DLVIZ_UINT8)
            ((uint8_t *)dlviz_tensor_data(tensor))[i] = (uint8_t)label;
        else
            ((int64_t *)dlviz_tensor_data(tensor))[i] = label;
    }
    return tensor;
}

static dlviz_dataset *pictures(dlviz_dtype dtype) {
    dlviz_tensor *samples = images(), *maps = maps_of(samples, dtype);
    dlviz_dataset *set;
    ck_ok(dlviz_dataset_create(&set, samples, maps));
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(maps);
    return set;
}

static dlviz_network *mapper(void) {
    dlviz_network *network =
        net_from_text("1x4x5", "a:conv,out=8,k=3,pad=same relu:relu b:conv,out=3,k=3,pad=same");
    fill_states(network, 1, false);
    return network;
}

/* -- Datasets ------------------------------------------------------------------------------------
 */

START_TEST(maps_are_got_as_they_were_set) {
    for (int wide = 0; wide < 2; wide++) {
        dlviz_dataset *set = pictures(wide ? DLVIZ_INT64 : DLVIZ_UINT8), *part;
        dlviz_tensor *samples = images(), *wanted = maps_of(samples, DLVIZ_INT64), *maps;
        ck_assert_int_eq(dlviz_dataset_num_classes(set), CLASSES);
        ck_assert_ptr_null(dlviz_dataset_labels(set));
        ck_assert_int_eq(dlviz_dataset_target_ndim(set), 2);
        ck_assert_int_eq(dlviz_dataset_target_dims(set)[0], HEIGHT);
        ck_assert_int_eq(dlviz_dataset_target_dims(set)[1], WIDTH);
        ck_ok(dlviz_dataset_targets(set, 0, N, &maps));
        ck_assert_int_eq(dlviz_tensor_dtype(maps), DLVIZ_INT64);
        ck_assert_int_eq(dlviz_tensor_ndim(maps), 3);
        ck_assert_mem_eq(dlviz_tensor_const_data(maps), dlviz_tensor_const_data(wanted),
                         N * PIXELS * sizeof(int64_t));
        dlviz_tensor_destroy(maps);
        /* Pixels are counted. */
        int64_t counts[CLASSES], expected[CLASSES] = {0};
        for (int64_t i = 0; i < N * PIXELS; i++)
            expected[((const int64_t *)dlviz_tensor_const_data(wanted))[i]]++;
        ck_assert_int_eq(dlviz_dataset_class_counts(set, CLASSES, counts), CLASSES);
        ck_assert_mem_eq(counts, expected, sizeof counts);
        /* Parts of parts, and batches, have theirs. */
        ck_ok(dlviz_dataset_select(set, 3, (const int64_t[]){8, 69, 2}, &part));
        dlviz_dataset_destroy(set);
        ck_ok(dlviz_dataset_take(part, 1, 2, &set));
        ck_ok(dlviz_dataset_set_class_names(set, 3, (const char *const[]){"low", "mid", "high"}));
        dlviz_loader *loader;
        const dlviz_tensor *x, *t;
        ck_ok(dlviz_loader_create(&loader, set, 2));
        ck_ok(dlviz_loader_next(loader, &x, &t));
        ck_assert_int_eq(dlviz_tensor_dtype(t), DLVIZ_INT64);
        ck_assert_int_eq(dlviz_tensor_ndim(t), 3);
        const int64_t *all = dlviz_tensor_const_data(wanted), *got = dlviz_tensor_const_data(t);
        ck_assert_mem_eq(got, all + 69 * PIXELS, PIXELS * sizeof(int64_t));
        ck_assert_mem_eq(got + PIXELS, all + 2 * PIXELS, PIXELS * sizeof(int64_t));
        dlviz_loader_destroy(loader);
        dlviz_dataset_destroy(part);
        dlviz_dataset_destroy(set);
        dlviz_tensor_destroy(samples);
        dlviz_tensor_destroy(wanted);
    }
}
END_TEST

START_TEST(bad_maps_are_refused) {
    dlviz_dataset *set = pictures(DLVIZ_UINT8);
    dlviz_tensor *maps;
    ck_ok(dlviz_tensor_create(&maps, DLVIZ_UINT8, 2, (int64_t[]){N, 5}));
    ck_fails(dlviz_dataset_set_targets(set, maps), DLVIZ_ERROR_SHAPE,
             "n x height x width where each pixel has one");
    dlviz_tensor_destroy(maps);
    ck_ok(dlviz_tensor_create(&maps, DLVIZ_UINT8, 3, (int64_t[]){N - 1, HEIGHT, WIDTH}));
    ck_fails(dlviz_dataset_set_targets(set, maps), DLVIZ_ERROR_SHAPE, "69 samples, for 70");
    dlviz_tensor_destroy(maps);
    ck_ok(dlviz_tensor_create(&maps, DLVIZ_INT64, 3, (int64_t[]){N, 2, 2}));
    ((int64_t *)dlviz_tensor_data(maps))[4 * 7 + 3] = 1 << 24;
    ck_fails(dlviz_dataset_set_targets(set, maps), INVALID, "a label of sample 7 is 16777216");
    dlviz_tensor_destroy(maps);
    ck_assert_int_eq(dlviz_dataset_target_dims(set)[0], HEIGHT);
    dlviz_dataset_destroy(set);
}
END_TEST

/* Masks have 255 where nothing was looked at. */
START_TEST(pixels_may_belong_to_no_class) {
    dlviz_tensor *samples = images(), *maps = maps_of(samples, DLVIZ_UINT8);
    uint8_t *labels = dlviz_tensor_data(maps);
    int64_t counts[256], expected[CLASSES] = {0};
    double loss, without;
    dlviz_dataset *set;
    for (int64_t i = 0; i < N * PIXELS; i++)
        if (i % 5 == 0)
            labels[i] = 255;
        else
            expected[labels[i]]++;
    ck_ok(dlviz_dataset_create(&set, samples, maps));
    ck_assert_int_eq(dlviz_dataset_num_classes(set), 256);
    ck_ok(dlviz_dataset_set_num_classes(set, CLASSES));
    ck_ok(dlviz_dataset_set_class_names(set, 3, (const char *const[]){"low", "mid", "high"}));
    ck_assert_int_eq(dlviz_dataset_class_counts(set, 256, counts), CLASSES);
    ck_assert_mem_eq(counts, expected, sizeof expected);
    dlviz_network *network = mapper();
    ck_fails(dlviz_network_evaluate(network, set, &loss, NULL), INVALID, "label 255");
    dlviz_loss *ignoring = dlviz_cross_entropy();
    ck_ok(dlviz_cross_entropy_set_ignored_label(ignoring, 255));
    ck_ok(dlviz_network_set_loss(network, ignoring));
    ck_ok(dlviz_network_evaluate(network, set, &loss, NULL));
    /* The same from labels that are ignored as usual. */
    dlviz_tensor *usual = maps_of(samples, DLVIZ_INT64);
    for (int64_t i = 0; i < N * PIXELS; i += 5)
        ((int64_t *)dlviz_tensor_data(usual))[i] = -100;
    ck_ok(dlviz_dataset_set_targets(set, usual));
    ck_ok(dlviz_network_set_loss(network, dlviz_cross_entropy()));
    ck_ok(dlviz_network_evaluate(network, set, &without, NULL));
    ck_assert_double_eq(loss, without);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(maps);
    dlviz_tensor_destroy(usual);
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
}
END_TEST

/* A checkpoint must not care what kind of integers they are kept as. */
START_TEST(a_mark_is_of_values) {
    dlviz_dataset *narrow = pictures(DLVIZ_UINT8), *wide = pictures(DLVIZ_INT64);
    ck_assert_uint_eq(dlz_dataset_mark(narrow), dlz_dataset_mark(wide));
    dlviz_tensor *samples = images(), *maps = maps_of(samples, DLVIZ_UINT8);
    ((uint8_t *)dlviz_tensor_data(maps))[3] ^= 1;
    ck_ok(dlviz_dataset_set_targets(narrow, maps));
    ck_assert_uint_ne(dlz_dataset_mark(narrow), dlz_dataset_mark(wide));
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(maps);
    dlviz_dataset_destroy(narrow);
    dlviz_dataset_destroy(wide);
}
END_TEST

/* -- Losses --------------------------------------------------------------------------------------
 */

START_TEST(maps_must_fit_the_outputs) {
    dlviz_dataset *set = pictures(DLVIZ_UINT8);
    dlviz_tensor *samples = images(), *maps = maps_of(samples, DLVIZ_UINT8),
                 *labels = label_tensor(N, 3, 1), *other;
    dlviz_network *network = mapper(),
                  *flat = net_from_text("1x4x5", "flat:flatten fc:linear,out=3"),
                  *pooled = net_from_text("1x4x5", "c:conv,out=3,k=1 p:pool,k=2");
    double loss;
    ck_fails(dlviz_network_evaluate(flat, set, &loss, NULL), DLVIZ_ERROR_SHAPE,
             "labels for 4 x 5 pixels of a sample, whose outputs are 3");
    ck_fails(dlviz_network_evaluate(pooled, set, &loss, NULL), DLVIZ_ERROR_SHAPE,
             "labels for 4 x 5 pixels of a sample, whose outputs are 3 x 2 x 2");
    ck_fails(dlviz_network_backward(network, samples, labels, 1, 1, &loss), DLVIZ_ERROR_SHAPE,
             "takes a label for each of 4 x 5 pixels");
    ck_fails(dlviz_network_backward(flat, samples, maps, 1, 1, &loss), DLVIZ_ERROR_SHAPE,
             "labels for 4 x 5 pixels");
    ck_ok(dlviz_network_set_loss(pooled, dlviz_mse()));
    ck_fails(dlviz_network_evaluate(pooled, set, &loss, NULL), DLVIZ_ERROR_SHAPE,
             "as float32; the targets are whole numbers, which are class labels");
    ck_ok(dlviz_tensor_copy(maps, &other));
    ((uint8_t *)dlviz_tensor_data(other))[12 * PIXELS + 1] = 3;
    ck_fails(dlviz_network_backward(network, samples, other, 1, 1, &loss), INVALID,
             "sample 12 has label 3");
    ck_ok(dlviz_dataset_set_targets(set, other));
    ck_fails(dlviz_network_evaluate(network, set, &loss, NULL), INVALID,
             "sample 12 has label 3; the network's 3 outputs allow 0 to 2");
    dlviz_tensor *all[] = {samples, maps, labels, other};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
    dlviz_network_destroy(flat);
    dlviz_network_destroy(pooled);
}
END_TEST

/* Numbers of n x height x width are images of one channel, and no labels. */
START_TEST(numbers_are_no_maps) {
    dlviz_tensor *samples = images(), *numbers;
    dlviz_network *network = mapper(), *one = net_from_text("1x4x5", "c:conv,out=1,k=1");
    double loss;
    ck_ok(dlviz_tensor_reshape(samples, 3, (int64_t[]){N, HEIGHT, WIDTH}, &numbers));
    ck_fails(dlviz_network_backward(network, samples, numbers, 1, 1, &loss), DLVIZ_ERROR_SHAPE,
             "takes class labels; the targets are numbers (1 x 4 x 5");
    ck_ok(dlviz_network_set_loss(one, dlviz_mse()));
    ck_ok(dlviz_network_backward(one, samples, numbers, 1, 1, &loss));
    ck_ok(dlviz_network_set_loss(network, dlviz_mse()));
    ck_fails(dlviz_network_backward(network, samples, numbers, 1, 1, &loss), DLVIZ_ERROR_SHAPE,
             "a sample's outputs are 3 x 4 x 5, its targets 1 x 4 x 5");
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(numbers);
    dlviz_network_destroy(network);
    dlviz_network_destroy(one);
}
END_TEST

/* Maps are shared with their owner, who may change them, against the rules. */
START_TEST(labels_that_change_are_noticed) {
    dlviz_tensor *samples = images(), *maps = maps_of(samples, DLVIZ_UINT8);
    dlviz_dataset *set;
    dlviz_network *network = mapper();
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    double loss;
    ck_ok(dlviz_dataset_create(&set, samples, maps));
    ck_ok(dlviz_adam_create(&adam, 0.01));
    ck_ok(dlviz_trainer_create(&trainer, network, adam));
    ((uint8_t *)dlviz_tensor_data(maps))[66 * PIXELS] = 200;
    ck_fails(dlviz_network_evaluate(network, set, &loss, NULL), INVALID, "sample 66 has label 200");
    ck_fails(dlviz_trainer_fit(trainer, set, 1), INVALID, "sample 66 has label 200");
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(adam);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(maps);
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(a_dataset_of_maps_is_one_mean) {
    dlviz_dataset *set = pictures(DLVIZ_UINT8);
    dlviz_network *network = mapper();
    dlviz_tensor *samples = images(), *maps = maps_of(samples, DLVIZ_INT64), *outputs, *weights;
    int64_t *labels = dlviz_tensor_data(maps), n = N;
    ck_ok(dlviz_tensor_create(&weights, DLVIZ_FLOAT32, 1, &n));
    for (int i = 0; i < N; i++)
        dlviz_tensor_float(weights)[i] = (float)(i % 4) / 2;
    for (int64_t i = 0; i < N * PIXELS; i += 7)
        labels[i] = -100;
    ck_ok(dlviz_dataset_set_targets(set, maps));
    ck_ok(dlviz_dataset_set_weights(set, weights));
    ck_ok(dlviz_network_forward(network, samples, &outputs));
    double sum = 0, norm = 0, right = 0, counted = 0, loss, accuracy;
    for (int64_t i = 0; i < N * PIXELS; i++) {
        const float *x =
            dlviz_tensor_const_float(outputs) + i / PIXELS * PIXELS * CLASSES + i % PIXELS;
        double total = 0, weight = (double)dlviz_tensor_float(weights)[i / PIXELS];
        int best = 0;
        if (labels[i] < 0)
            continue;
        for (int c = 0; c < CLASSES; c++) {
            total += exp((double)x[c * PIXELS]);
            best = x[c * PIXELS] > x[best * PIXELS] ? c : best;
        }
        sum += weight * (log(total) - (double)x[labels[i] * PIXELS]);
        norm += weight;
        right += best == labels[i];
        counted++;
    }
    ck_ok(dlviz_network_evaluate(network, set, &loss, &accuracy));
    ck_assert_double_eq_tol(loss, sum / norm, 1e-6 * sum / norm);
    ck_assert_double_eq_tol(accuracy, right / counted, 1e-12);
    dlviz_tensor *all[] = {samples, maps, outputs, weights};
    for (int i = 0; i < 4; i++)
        dlviz_tensor_destroy(all[i]);
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
}
END_TEST

static dlviz_status add_labels(const dlviz_loss_pass *pass, void *user) {
    const dlviz_tensor *targets = dlviz_loss_pass_targets(pass);
    ck_assert_int_eq(dlviz_tensor_ndim(targets), 3);
    ck_assert_int_eq(dlviz_tensor_dim(targets, 1), HEIGHT);
    ck_assert_int_eq(dlviz_tensor_dim(targets, 2), WIDTH);
    ++*(int *)user;
    const int64_t *labels = dlviz_tensor_const_data(targets);
    for (int64_t i = 0; i < dlviz_loss_pass_num_samples(pass); i++)
        for (int64_t p = 0; p < PIXELS; p++)
            dlviz_loss_pass_losses(pass)[i] += (double)labels[i * PIXELS + p];
    return DLVIZ_OK;
}

static dlviz_status of_one_pixel(const dlviz_loss_pass *pass, void *user) {
    (void)user;
    ck_assert_int_eq(dlviz_tensor_ndim(dlviz_loss_pass_targets(pass)), 3);
    ck_assert_int_eq(dlviz_tensor_dim(dlviz_loss_pass_targets(pass), 2), 1);
    return DLVIZ_OK;
}

START_TEST(a_loss_of_ones_own_gets_maps) {
    int calls = 0;
    dlviz_loss_functions functions = {.struct_size = sizeof functions,
                                      .name = "labels",
                                      .takes_labels = true,
                                      .value = add_labels};
    dlviz_dataset *set = pictures(DLVIZ_UINT8);
    dlviz_network *network = mapper();
    int64_t counts[CLASSES];
    double loss;
    dlviz_dataset_class_counts(set, CLASSES, counts);
    ck_ok(dlviz_network_set_loss(network, dlviz_loss_custom(&functions, &calls)));
    ck_ok(dlviz_network_evaluate(network, set, &loss, NULL));
    ck_assert_int_eq(calls, 2);
    ck_assert_double_eq_tol(loss, (double)(counts[1] + 2 * counts[2]) / N, 1e-12);
    dlviz_dataset_destroy(set);
    dlviz_network_destroy(network);
    /* Maps of one pixel are maps. */
    dlviz_tensor *x, *map;
    functions.value = of_one_pixel;
    network = net_from_text("1x1x1", "c:conv,out=3,k=1");
    ck_ok(dlviz_network_set_loss(network, dlviz_loss_custom(&functions, &calls)));
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 4, (int64_t[]){2, 1, 1, 1}));
    ck_ok(dlviz_tensor_create(&map, DLVIZ_UINT8, 3, (int64_t[]){2, 1, 1}));
    ck_ok(dlviz_network_backward(network, x, map, 1, 1, &loss));
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(map);
    dlviz_network_destroy(network);
}
END_TEST

/* -- Training ------------------------------------------------------------------------------------
 */

static dlviz_network *trained(int threads, int64_t epochs, double *accuracy) {
    dlviz_dataset *set = pictures(DLVIZ_UINT8);
    dlviz_network *network = mapper();
    dlviz_optimizer *adam;
    dlviz_trainer *trainer;
    ck_ok(dlviz_set_num_threads(threads));
    ck_ok(dlviz_adam_create(&adam, 0.02));
    ck_ok(dlviz_trainer_create(&trainer, network, adam));
    ck_ok(dlviz_trainer_set_batch_size(trainer, 16));
    ck_ok(dlviz_trainer_set_validation(trainer, set));
    ck_ok(dlviz_trainer_fit(trainer, set, epochs));
    *accuracy = dlviz_trainer_history(trainer, epochs - 1, "validation_accuracy");
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(adam);
    dlviz_dataset_destroy(set);
    return network;
}

START_TEST(thresholds_are_learned) {
    double accuracy;
    dlviz_network *network = trained(2, 60, &accuracy);
    ck_assert_double_gt(accuracy, 0.95); /* the commonest class alone is half of all */
    dlviz_network_destroy(network);
}
END_TEST

START_TEST(bits_do_not_depend_on_threads) {
    double accuracy, again;
    dlviz_network *one = trained(1, 2, &accuracy);
    for (int threads = 2; threads <= 8; threads += threads == 3 ? 5 : 1) {
        dlviz_network *more = trained(threads, 2, &again);
        assert_same_states(one, more);
        ck_assert(accuracy == again);
        dlviz_network_destroy(more);
    }
    dlviz_network_destroy(one);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {maps_are_got_as_they_were_set, bad_maps_are_refused,
                                  pixels_may_belong_to_no_class, a_mark_is_of_values,
                                  numbers_are_no_maps,           labels_that_change_are_noticed,
                                  maps_must_fit_the_outputs,     a_dataset_of_maps_is_one_mean,
                                  a_loss_of_ones_own_gets_maps,  thresholds_are_learned,
                                  bits_do_not_depend_on_threads, NULL};
    return run_tests("label maps", tests);
}
