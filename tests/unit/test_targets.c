#include "data/dataset.h"
#include "support/datasets.h"
#include "support/failing.h"
#include "support/netspec.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static dlviz_tensor *bytes_tensor(int ndim, const int64_t *dims, const uint8_t *values) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_UINT8, ndim, dims, values));
    return tensor;
}

/* -- Labels --------------------------------------------------------------------------------------
 */

START_TEST(labels_are_int64_whatever_they_were) {
    dlviz_dataset *dataset = numbered_samples(4);
    dlviz_tensor *bytes = bytes_tensor(1, (int64_t[]){4}, (const uint8_t[]){255, 0, 7, 254});
    ck_ok(dlviz_dataset_set_targets(dataset, bytes));
    ((uint8_t *)dlviz_tensor_data(bytes))[1] = 9; /* they were copied */
    dlviz_tensor_destroy(bytes);
    ck_assert_mem_eq(labels_of(dataset), ((const int64_t[]){255, 0, 7, 254}), 4 * sizeof(int64_t));
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 256);
    ck_assert_int_eq(dlviz_dataset_target_ndim(dataset), 0);
    ck_assert_ptr_null(dlviz_dataset_target_dims(dataset));
    const int64_t wide[] = {16777215, -2147483648, -100, 1000};
    set_labels(dataset, wide);
    ck_assert_mem_eq(labels_of(dataset), wide, sizeof wide);
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 16777216);
    int64_t loaded[2], counts[1001];
    dlz_dataset_load_targets(dataset, (const int64_t[]){3, 1}, 2, loaded);
    ck_assert(loaded[0] == 1000 && loaded[1] == -2147483648);
    ck_assert_int_eq(dlviz_dataset_class_counts(dataset, 1001, counts), 16777216);
    for (int c = 0; c < 1001; c++)
        ck_assert_int_eq(counts[c], c == 1000);
    dlviz_tensor *part;
    ck_ok(dlviz_dataset_targets(dataset, 1, 3, &part));
    ck_assert_int_eq(dlviz_tensor_dtype(part), DLVIZ_INT64);
    ck_assert_int_eq(dlviz_tensor_ndim(part), 1);
    ck_assert_mem_eq(dlviz_tensor_const_data(part), wide + 1, 3 * sizeof *wide);
    dlviz_tensor_destroy(part);
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(labels_below_0_belong_to_no_class) {
    dlviz_dataset *dataset = numbered_samples(3);
    set_labels(dataset, (const int64_t[]){-100, -100, -7});
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 0);
    set_labels(dataset, (const int64_t[]){-1, -100, -1});
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 0);
    ck_assert_int_eq(labels_of(dataset)[1], -100);
    int64_t counts[1] = {5}, smallest, largest;
    ck_assert_int_eq(dlviz_dataset_class_counts(dataset, 1, counts), 0);
    ck_assert_int_eq(counts[0], 5);
    ck_assert(dlz_dataset_label_range(dataset, &smallest, &largest));
    ck_assert(smallest == -100 && largest == -1);
    ck_fails(dlviz_dataset_set_num_classes(dataset, 0), DLVIZ_ERROR_INVALID_ARGUMENT,
             "0 classes; 1 to 16777216");
    ck_ok(dlviz_dataset_set_num_classes(dataset, 2));
    ck_assert_int_eq(dlviz_dataset_class_counts(dataset, 1, counts), 2);
    ck_assert_int_eq(counts[0], 0);
    ck_assert_ptr_null(dlviz_dataset_class_name(dataset, -1));
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(bad_targets_are_refused_and_change_nothing) {
    dlviz_dataset *dataset = numbered_samples(2), *created = (void *)1;
    set_labels(dataset, (const int64_t[]){1, 0});
    ck_ok(dlviz_dataset_set_class_names(dataset, 2, (const char *const[]){"a", "b"}));
    const int64_t beyond[][2] = {
        {0, 16777216}, {0, -2147483649}, {0, INT64_MAX}, {0, INT64_MIN}, {0, 4294967296}};
    for (int i = 0; i < 5; i++) {
        dlviz_tensor *labels = int64_tensor(2, beyond[i]);
        ck_fails(dlviz_dataset_set_targets(dataset, labels), DLVIZ_ERROR_INVALID_ARGUMENT,
                 "a label of sample 1 is");
        dlviz_tensor_destroy(labels);
    }
    static const float zeros[24] = {0};
    static const uint8_t marks[6] = {0};
    const struct {
        bool floats;
        int ndim;
        int64_t dims[5];
        const char *words;
    } bad[] = {{false, 1, {3}, "labels of 3 samples, for 2 samples"},
               {false, 2, {2, 1}, "'targets' is 2 x 1 of uint8; class labels are n numbers"},
               {false, 2, {2, 3}, "are float32"},
               {false, 0, {0}, "scalar of uint8"},
               {true, 0, {0}, "'targets' is scalar"},
               {true, 1, {3}, "'targets' is 3, for 2 samples"},
               {true, 2, {3, 2}, "'targets' is 3 x 2, for 2 samples"},
               {true, 2, {2, 0}, "2 x 0; n, n x t"},
               {true, 5, {2, 1, 1, 1, 1}, "2 x 1 x 1 x 1 x 1"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        dlviz_tensor *targets = bad[i].floats ? float_tensor(bad[i].ndim, bad[i].dims, zeros)
                                              : bytes_tensor(bad[i].ndim, bad[i].dims, marks);
        ck_fails(dlviz_dataset_set_targets(dataset, targets), DLVIZ_ERROR_SHAPE, bad[i].words);
        dlviz_tensor *samples = float_tensor(2, (const int64_t[]){2, 1}, zeros);
        ck_fails(dlviz_dataset_create(&created, samples, targets), DLVIZ_ERROR_SHAPE,
                 "dlviz_dataset_create: ");
        ck_assert_ptr_null(created);
        dlviz_tensor_destroy(samples);
        dlviz_tensor_destroy(targets);
    }
    ck_assert(labels_of(dataset)[0] == 1 && labels_of(dataset)[1] == 0);
    ck_assert_str_eq(dlviz_dataset_class_name(dataset, 1), "b");
    dlviz_dataset_destroy(dataset);
}
END_TEST

/* -- Float targets -------------------------------------------------------------------------------
 */

START_TEST(float_targets_have_the_shape_they_came_in) {
    static const int64_t shapes[][4] = {{4}, {4, 6}, {4, 2, 3}, {4, 3, 1, 2}};
    static const int64_t seen[][3] = {{1}, {6}, {1, 2, 3}, {3, 1, 2}};
    float values[24];
    fill_uniform(values, 24, 5);
    for (int s = 0; s < 4; s++) {
        dlviz_dataset *dataset = numbered_samples(4);
        int ndim = s < 2 ? 1 : 3;
        int64_t size = s ? 6 : 1;
        dlviz_tensor *targets = float_tensor(s + 1, shapes[s], values), *back;
        ck_ok(dlviz_dataset_set_targets(dataset, targets));
        dlviz_tensor_destroy(targets);
        ck_assert_ptr_null(dlviz_dataset_labels(dataset));
        ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 0);
        ck_assert_int_eq(dlviz_dataset_target_ndim(dataset), ndim);
        ck_assert_mem_eq(dlviz_dataset_target_dims(dataset), seen[s],
                         (size_t)ndim * sizeof(int64_t));
        ck_assert_int_eq(dlz_dataset_target_kind(dataset), DLZ_TARGETS_FLOATS);
        ck_assert_int_eq(dlz_dataset_target_size(dataset), size);
        ck_ok(dlviz_dataset_targets(dataset, 1, 3, &back));
        ck_assert_int_eq(dlviz_tensor_ndim(back), 1 + ndim);
        ck_assert_int_eq(dlviz_tensor_dim(back, 0), 3);
        ck_assert_mem_eq(dlviz_tensor_const_float(back), values + size,
                         (size_t)(3 * size) * sizeof(float));
        dlviz_tensor_destroy(back);
        dlviz_dataset_destroy(dataset);
    }
}
END_TEST

static void count_release(void *data, void *user) {
    (void)data;
    ++*(int *)user;
}

START_TEST(float_targets_are_shared_with_the_caller_and_with_subsets) {
    float values[] = {1, 2, 3, 4, 5, 6};
    int released = 0;
    dlviz_dataset *dataset = numbered_samples(3), *part, *again;
    dlviz_tensor *targets, *got;
    ck_ok(dlviz_tensor_wrap(&targets, DLVIZ_FLOAT32, 2, (int64_t[]){3, 2}, values, count_release,
                            &released));
    ck_ok(dlviz_dataset_set_targets(dataset, targets));
    dlviz_tensor_destroy(targets);
    ck_ok(dlviz_dataset_take(dataset, 1, 2, &part));
    ck_ok(dlviz_dataset_select(part, 1, (int64_t[]){1}, &again));
    ck_ok(dlviz_dataset_set_targets(dataset, NULL)); /* the subsets keep theirs */
    dlviz_dataset_destroy(dataset);
    dlviz_dataset_destroy(part);
    ck_assert_int_eq(released, 0);
    values[5] = 60;
    ck_ok(dlviz_dataset_targets(again, 0, 1, &got));
    ck_assert(dlviz_tensor_float(got)[0] == 5 && dlviz_tensor_float(got)[1] == 60);
    dlviz_tensor_destroy(got);
    dlviz_dataset_destroy(again);
    ck_assert_int_eq(released, 1);
}
END_TEST

START_TEST(a_subset_may_get_targets_of_its_own) {
    dlviz_dataset *whole = numbered_samples(10), *part, *rest;
    ck_ok(dlviz_dataset_take(whole, 4, 5, &part));
    const float values[] = {40, 50, 60, 70, 80};
    dlviz_tensor *targets = float_tensor(1, (int64_t[]){5}, values), *got;
    ck_ok(dlviz_dataset_set_targets(part, targets));
    dlviz_tensor_destroy(targets);
    ck_ok(dlviz_dataset_select(part, 2, (int64_t[]){3, 0}, &rest));
    ck_ok(dlviz_dataset_targets(rest, 0, 2, &got));
    ck_assert(dlviz_tensor_float(got)[0] == 70 && dlviz_tensor_float(got)[1] == 40);
    dlviz_tensor_destroy(got);
    ck_ok(dlviz_dataset_samples(rest, 0, 2, &got));
    ck_assert(dlviz_tensor_float(got)[0] == 7 && dlviz_tensor_float(got)[1] == 4);
    dlviz_tensor_destroy(got);
    ck_fails(dlviz_dataset_targets(whole, 0, 1, &got), DLVIZ_ERROR_STATE, "no targets");
    ck_assert_ptr_null(got);
    ck_fails(dlviz_dataset_targets(rest, 1, 2, &got), DLVIZ_ERROR_INVALID_ARGUMENT,
             "dlviz_dataset_targets: 2 samples from 1 on");
    dlviz_dataset_destroy(whole);
    dlviz_dataset_destroy(part);
    dlviz_dataset_destroy(rest);
}
END_TEST

START_TEST(one_kind_of_targets_replaces_another) {
    dlviz_dataset *dataset = numbered_samples(2);
    const float two[] = {0.5f, 1.5f};
    dlviz_tensor *floats = float_tensor(1, (int64_t[]){2}, two);
    for (int round = 0; round < 2; round++) {
        set_labels(dataset, (const int64_t[]){1, 0});
        ck_assert_int_eq(dlz_dataset_target_kind(dataset), DLZ_TARGETS_LABELS);
        ck_ok(dlviz_dataset_set_class_names(dataset, 2, (const char *const[]){"a", "b"}));
        set_labels(dataset, (const int64_t[]){1, 0});
        ck_assert_ptr_null(dlviz_dataset_class_name(dataset, 0));
        ck_ok(dlviz_dataset_set_targets(dataset, floats));
        ck_assert_ptr_null(dlviz_dataset_labels(dataset));
        ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 0);
        ck_assert(!dlviz_dataset_targets_are_samples(dataset));
        ck_fails(dlviz_dataset_set_num_classes(dataset, 3), DLVIZ_ERROR_STATE, "no labels");
        ck_ok(dlviz_dataset_set_targets_to_samples(dataset));
        ck_assert(dlviz_dataset_targets_are_samples(dataset));
        ck_assert_int_eq(dlviz_dataset_target_ndim(dataset), 1);
    }
    ck_ok(dlviz_dataset_set_targets(dataset, NULL));
    ck_assert_int_eq(dlz_dataset_target_kind(dataset), DLZ_TARGETS_NONE);
    ck_assert_int_eq(dlviz_dataset_target_ndim(dataset), 0);
    ck_assert_int_eq(dlz_dataset_target_size(dataset), 0);
    ck_assert_ptr_null(dlviz_dataset_target_dims(dataset));
    dlviz_tensor_destroy(floats);
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(samples_as_targets_are_what_the_network_sees) {
    uint8_t pixels[2 * 3 * 4 * 5];
    for (int i = 0; i < 120; i++)
        pixels[i] = (uint8_t)(i * 37);
    dlviz_tensor *images = bytes_tensor(4, (int64_t[]){2, 3, 4, 5}, pixels), *samples, *targets;
    dlviz_dataset *dataset, *part;
    ck_ok(dlviz_dataset_create(&dataset, images, NULL));
    dlviz_tensor_destroy(images);
    ck_ok(dlviz_dataset_set_targets_to_samples(dataset));
    ck_ok(dlviz_dataset_take(dataset, 1, 1, &part));
    ck_ok(dlviz_dataset_set_image_size(part, 7, 3));
    ck_ok(dlviz_dataset_set_normalization(part, 0.3f, 0.2f));
    ck_assert_int_eq(dlviz_dataset_target_ndim(part), 3);
    ck_assert_mem_eq(dlviz_dataset_target_dims(part), ((const int64_t[]){3, 7, 3}),
                     3 * sizeof(int64_t));
    ck_assert_int_eq(dlz_dataset_target_size(part), 63);
    ck_assert_int_eq(dlviz_dataset_target_dims(dataset)[1], 4);
    ck_ok(dlviz_dataset_samples(part, 0, 1, &samples));
    ck_ok(dlviz_dataset_targets(part, 0, 1, &targets));
    ck_assert_int_eq(dlviz_tensor_ndim(targets), 4);
    ck_assert_mem_eq(dlviz_tensor_float(samples), dlviz_tensor_float(targets), 63 * sizeof(float));
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(targets);
    dlviz_dataset_destroy(dataset);
    dlviz_dataset_destroy(part);
}
END_TEST

START_TEST(targets_are_the_same_for_any_number_of_threads) {
    enum { N = 100, SIZE = 33 };
    static float values[N * SIZE], got[N * SIZE];
    fill_uniform(values, N * SIZE, 1);
    dlviz_dataset *dataset = numbered_samples(N);
    dlviz_tensor *targets = float_tensor(2, (int64_t[]){N, SIZE}, values);
    ck_ok(dlviz_dataset_set_targets(dataset, targets));
    dlviz_tensor_destroy(targets);
    int64_t indices[N];
    for (int i = 0; i < N; i++)
        indices[i] = i * i % N;
    for (int threads = 1; threads < 6; threads++) {
        ck_ok(dlviz_set_num_threads(threads));
        memset(got, 0xFF, sizeof got);
        dlz_dataset_load_targets_parallel(dataset, indices, N, got);
        for (int i = 0; i < N; i++)
            ck_assert_mem_eq(got + i * SIZE, values + indices[i] * SIZE, SIZE * sizeof(float));
    }
    dlz_dataset_load_targets(dataset, NULL, N, got);
    ck_assert_mem_eq(got, values, sizeof got);
    dlviz_dataset_destroy(dataset);
}
END_TEST

/* -- Weights -------------------------------------------------------------------------------------
 */

START_TEST(weights_are_checked_and_copied) {
    dlviz_dataset *dataset = numbered_samples(3);
    ck_assert_ptr_null(dlviz_dataset_weights(dataset));
    float loaded[2];
    dlz_dataset_load_weights(dataset, (const int64_t[]){2, 0}, 2, loaded);
    ck_assert(loaded[0] == 1 && loaded[1] == 1);
    dlviz_tensor *weights = float_tensor(1, (int64_t[]){3}, (const float[]){0, 0.5f, 1e30f});
    ck_ok(dlviz_dataset_set_weights(dataset, weights));
    dlviz_tensor_float(weights)[1] = 7;
    dlviz_tensor_destroy(weights);
    dlz_dataset_load_weights(dataset, (const int64_t[]){2, 1}, 2, loaded);
    ck_assert(loaded[0] == 1e30f && loaded[1] == 0.5f);
    const struct {
        float values[3];
        const char *words;
    } bad[] = {{{1, NAN, 1}, "sample 1 is nan"},
               {{INFINITY, 1, 1}, "sample 0 is inf"},
               {{1, 1, -0.5f}, "sample 2 is -0.5;"},
               {{0, 0, -0.0f}, "all 3 weights are 0"}};
    for (int i = 0; i < 4; i++) {
        weights = float_tensor(1, (int64_t[]){3}, bad[i].values);
        ck_fails(dlviz_dataset_set_weights(dataset, weights), DLVIZ_ERROR_INVALID_ARGUMENT,
                 bad[i].words);
        dlviz_tensor_destroy(weights);
    }
    weights = float_tensor(1, (int64_t[]){2}, bad[0].values);
    ck_fails(dlviz_dataset_set_weights(dataset, weights), DLVIZ_ERROR_SHAPE, "'weights' is 2;");
    dlviz_tensor_destroy(weights);
    weights = float_tensor(2, (int64_t[]){3, 1}, bad[0].values);
    ck_fails(dlviz_dataset_set_weights(dataset, weights), DLVIZ_ERROR_SHAPE, "3 x 1");
    dlviz_tensor_destroy(weights);
    weights = bytes_tensor(1, (int64_t[]){3}, (const uint8_t[]){1, 1, 1});
    ck_fails(dlviz_dataset_set_weights(dataset, weights), DLVIZ_ERROR_SHAPE, "holds uint8");
    dlviz_tensor_destroy(weights);
    const dlviz_tensor *kept = dlviz_dataset_weights(dataset);
    ck_assert_float_eq(dlviz_tensor_const_float(kept)[1], 0.5f);
    ck_ok(dlviz_dataset_set_weights(dataset, NULL));
    ck_assert_ptr_null(dlviz_dataset_weights(dataset));
    dlviz_dataset_destroy(dataset);
}
END_TEST

/* -- Interleaved images --------------------------------------------------------------------------
 */

START_TEST(interleaved_images_become_planar) {
    enum { N = 3, H = 4, W = 5, C = 3, SIZE = N * H * W * C };
    uint8_t bytes[SIZE];
    float floats[SIZE];
    for (int i = 0; i < SIZE; i++) {
        bytes[i] = (uint8_t)(i * 11);
        floats[i] = (float)i - 0.25f;
    }
    const int64_t dims[] = {N, H, W, C}, labels[] = {2, 0, 1};
    for (int kind = 0; kind < 2; kind++) {
        dlviz_tensor *samples = kind ? float_tensor(4, dims, floats) : bytes_tensor(4, dims, bytes);
        dlviz_tensor *marks = int64_tensor(N, labels), *seen;
        dlviz_dataset *dataset;
        ck_ok(dlviz_dataset_create_from_hwc(&dataset, samples, marks));
        memset(dlviz_tensor_data(samples), 0, SIZE); /* they were copied */
        dlviz_tensor_destroy(samples);
        dlviz_tensor_destroy(marks);
        ck_assert_mem_eq(dlviz_dataset_dims(dataset), ((const int64_t[]){C, H, W}), 24);
        ck_assert_mem_eq(labels_of(dataset), labels, sizeof labels);
        ck_ok(dlviz_dataset_samples(dataset, 0, N, &seen));
        for (int i = 0; i < SIZE; i++) {
            int image = i / (H * W * C), channel = i / (H * W) % C, pixel = i % (H * W);
            int from = (image * H * W + pixel) * C + channel;
            ck_assert_float_eq(dlviz_tensor_float(seen)[i],
                               kind ? floats[from] : (float)bytes[from] / 255);
        }
        dlviz_tensor_destroy(seen);
        dlviz_dataset_destroy(dataset);
    }
    dlviz_dataset *dataset = (void *)1;
    ck_fails(dlviz_dataset_create_from_hwc(&dataset, NULL, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'samples' is NULL");
    ck_assert_ptr_null(dataset);
    const struct {
        int ndim;
        int64_t dims[5];
        const char *words;
    } bad[] = {{3, {3, 4, 5}, "3 x 4 x 5; n x height x width x channels"},
               {5, {1, 3, 4, 5, 1}, "1 x 3 x 4 x 5 x 1"},
               {4, {3, 0, 5, 3}, "3 x 0 x 5 x 3"}};
    for (int i = 0; i < 3; i++) {
        dlviz_tensor *samples = bytes_tensor(bad[i].ndim, bad[i].dims, bytes);
        ck_fails(dlviz_dataset_create_from_hwc(&dataset, samples, NULL), DLVIZ_ERROR_SHAPE,
                 bad[i].words);
        dlviz_tensor_destroy(samples);
    }
    dlviz_tensor *whole = int64_tensor(3, labels), *samples = bytes_tensor(4, dims, bytes), *four;
    ck_ok(dlviz_tensor_reshape(whole, 4, (int64_t[]){3, 1, 1, 1}, &four));
    ck_fails(dlviz_dataset_create_from_hwc(&dataset, four, NULL), DLVIZ_ERROR_SHAPE, "int64");
    ck_fails(dlviz_dataset_create_from_hwc(&dataset, samples, four), DLVIZ_ERROR_SHAPE,
             "dlviz_dataset_create_from_hwc: 'targets' is 3 x 1 x 1 x 1 of int64");
    ck_assert_ptr_null(dataset);
    dlviz_tensor_destroy(whole);
    dlviz_tensor_destroy(four);
    dlviz_tensor_destroy(samples);
}
END_TEST

/* -- What is not finite --------------------------------------------------------------------------
 */

START_TEST(numbers_that_are_not_finite_are_named) {
    float values[5 * 12] = {0}, wanted[5 * 3] = {0};
    values[2 * 12 + 7] = NAN; /* channel 1, row 0, column 1 */
    wanted[4 * 3 + 2] = -INFINITY;
    dlviz_tensor *samples = float_tensor(4, (int64_t[]){5, 2, 2, 3}, values);
    dlviz_tensor *targets = float_tensor(2, (int64_t[]){5, 3}, wanted);
    dlviz_dataset *dataset, *part;
    ck_ok(dlviz_dataset_create(&dataset, samples, targets));
    ck_ok(dlz_dataset_check_finite(dataset, "fit", (const int64_t[]){0, 3, 1}, 3));
    ck_fails(dlz_dataset_check_finite(dataset, "fit", (const int64_t[]){0, 4, 2}, 3),
             DLVIZ_ERROR_NUMERIC,
             "fit: an infinity in the targets of sample 4 (number 2 of 0 to 2)");
    ck_fails(dlz_dataset_check_finite(dataset, "fit", NULL, 5), DLVIZ_ERROR_NUMERIC,
             "fit: NaN in sample 2 (channel 1, row 0, column 1)");
    ck_ok(dlz_dataset_check_finite(dataset, "fit", NULL, 2));
    ck_ok(dlviz_dataset_take(dataset, 2, 1, &part));
    ck_fails(dlz_dataset_check_finite(part, "fit", NULL, 1), DLVIZ_ERROR_NUMERIC,
             "NaN in sample 0 (");
    dlviz_dataset_destroy(part);
    /* Finite in memory, but not as a network sees it. */
    ck_ok(dlviz_dataset_take(dataset, 0, 1, &part));
    ck_ok(dlviz_dataset_set_normalization(part, -1e30f, 1e-30f));
    ck_fails(dlz_dataset_check_finite(part, "fit", NULL, 1), DLVIZ_ERROR_NUMERIC,
             "an infinity in sample 0 (channel 0, row 0, column 0)");
    dlviz_dataset_destroy(part);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(targets);
}
END_TEST

/* -- Handles -------------------------------------------------------------------------------------
 */

START_TEST(getters_take_null) {
    int64_t counts[2] = {3, 3};
    float means[2] = {3, 3};
    ck_assert_int_eq(dlviz_dataset_num_samples(NULL), 0);
    ck_assert_int_eq(dlviz_dataset_ndim(NULL), 0);
    ck_assert_ptr_null(dlviz_dataset_dims(NULL));
    ck_assert_int_eq(dlviz_dataset_target_ndim(NULL), 0);
    ck_assert_ptr_null(dlviz_dataset_target_dims(NULL));
    ck_assert_ptr_null(dlviz_dataset_labels(NULL));
    ck_assert_ptr_null(dlviz_dataset_weights(NULL));
    ck_assert_int_eq(dlviz_dataset_num_classes(NULL), 0);
    ck_assert_int_eq(dlviz_dataset_class_counts(NULL, 2, counts), 0);
    ck_assert_int_eq(dlviz_dataset_normalization(NULL, 2, means, means), 0);
    ck_assert(counts[0] == 3 && means[0] == 3);
    ck_assert_ptr_null(dlviz_dataset_class_name(NULL, 0));
    ck_assert(!dlviz_dataset_targets_are_samples(NULL));
    dlviz_tensor *tensor;
    dlviz_dataset *made;
    const dlviz_status failed = DLVIZ_ERROR_INVALID_ARGUMENT;
    ck_fails(dlviz_dataset_set_targets(NULL, NULL), failed, "'dataset' is NULL");
    ck_fails(dlviz_dataset_set_targets_to_samples(NULL), failed, "'dataset' is NULL");
    ck_fails(dlviz_dataset_set_weights(NULL, NULL), failed, "'dataset' is NULL");
    ck_fails(dlviz_dataset_set_image_size(NULL, 1, 1), failed, "'dataset' is NULL");
    ck_fails(dlviz_dataset_targets(NULL, 0, 1, &tensor), failed, "'dataset' is NULL");
    ck_fails(dlviz_dataset_samples(NULL, 0, 1, &tensor), failed, "'dataset' is NULL");
    ck_fails(dlviz_dataset_select(NULL, 1, counts, &made), failed, "'dataset' is NULL");
    ck_fails(dlviz_dataset_create_from_hwc(NULL, NULL, NULL), failed, "'out' is NULL");
    dlviz_dataset *one = numbered_samples(1);
    ck_fails(dlviz_dataset_targets(one, 0, 1, NULL), failed, "'targets' is NULL");
    dlviz_dataset_destroy(one);
}
END_TEST

START_TEST(normalization_can_be_asked_for) {
    static const float zeros[12] = {0};
    dlviz_tensor *samples = float_tensor(4, (int64_t[]){1, 3, 2, 2}, zeros);
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, samples, NULL));
    float means[3] = {9, 9, 9}, deviations[3] = {9, 9, 9};
    ck_assert_int_eq(dlviz_dataset_normalization(dataset, 3, means, deviations), 0);
    ck_ok(dlviz_dataset_set_normalization(dataset, 0.5f, 2));
    ck_assert_int_eq(dlviz_dataset_normalization(dataset, 3, means, deviations), 1);
    ck_assert(means[0] == 0.5f && deviations[0] == 2 && means[1] == 9);
    ck_ok(dlviz_dataset_set_channel_normalization(dataset, 3, (float[]){1, 2, 3},
                                                  (float[]){4, 5, 6}));
    ck_assert_int_eq(dlviz_dataset_normalization(dataset, 2, means, deviations), 3);
    ck_assert(means[0] == 1 && means[1] == 2 && means[2] == 9 && deviations[1] == 5);
    ck_assert_int_eq(dlviz_dataset_normalization(dataset, 3, NULL, deviations), 3);
    ck_assert(deviations[2] == 6);
    ck_assert_int_eq(dlviz_dataset_normalization(dataset, 0, NULL, NULL), 3);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(samples);
}
END_TEST

START_TEST(marks_tell_targets_and_weights_apart) {
    float floats[300 * 2];
    fill_uniform(floats, 600, 3);
    uint32_t marks[9];
    int found = 0;
    dlviz_dataset *dataset = numbered_samples(300);
    marks[found++] = dlz_dataset_mark(dataset);
    ck_ok(dlviz_dataset_set_targets_to_samples(dataset));
    marks[found++] = dlz_dataset_mark(dataset);
    dlviz_tensor *rows = float_tensor(2, (int64_t[]){300, 2}, floats), *images;
    ck_ok(dlviz_dataset_set_targets(dataset, rows));
    marks[found++] = dlz_dataset_mark(dataset);
    ck_ok(dlviz_tensor_reshape(rows, 3, (int64_t[]){300, 1, 2}, &images));
    ck_ok(dlviz_dataset_set_targets(dataset, images));
    marks[found++] = dlz_dataset_mark(dataset);
    dlviz_tensor *channels;
    ck_ok(dlviz_tensor_reshape(rows, 4, (int64_t[]){300, 2, 1, 1}, &channels));
    ck_ok(dlviz_dataset_set_targets(dataset, channels));
    marks[found++] = dlz_dataset_mark(dataset);
    dlviz_tensor_float(rows)[1] += 1;
    marks[found++] = dlz_dataset_mark(dataset);
    for (int i = 0; i < 2; i++) {
        float weights[300];
        for (int j = 0; j < 300; j++)
            weights[j] = j == 299 ? (float)i : 1;
        dlviz_tensor *tensor = float_tensor(1, (int64_t[]){300}, weights);
        ck_ok(dlviz_dataset_set_weights(dataset, tensor));
        dlviz_tensor_destroy(tensor);
        marks[found++] = dlz_dataset_mark(dataset);
    }
    for (int i = 0; i < found; i++)
        for (int j = 0; j < i; j++)
            ck_assert_uint_ne(marks[i], marks[j]);
    /* A history leaves no trace, and a subset of all is the same. */
    ck_ok(dlviz_dataset_set_weights(dataset, NULL));
    ck_assert_uint_eq(dlz_dataset_mark(dataset), marks[5]);
    dlviz_dataset *same;
    ck_ok(dlviz_dataset_take(dataset, 0, 300, &same));
    ck_assert_uint_eq(dlz_dataset_mark(same), marks[5]);
    ck_ok(dlviz_dataset_set_targets(dataset, NULL));
    ck_assert_uint_eq(dlz_dataset_mark(dataset), marks[0]);
    dlviz_dataset_destroy(same);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(rows);
    dlviz_tensor_destroy(images);
    dlviz_tensor_destroy(channels);
}
END_TEST

static bool spoil_labels(const dlviz_trainer_event *event, void *user) {
    (void)event;
    set_labels(user, (const int64_t[]){0, 1, 2, 1000000, 0, 1});
    return true;
}

START_TEST(labels_changed_during_a_fit_are_checked) {
    dlviz_dataset *dataset = numbered_samples(6);
    set_labels(dataset, (const int64_t[]){0, 1, 2, 0, 1, 2});
    dlviz_network *network = net_from_text("1", "fc:linear,out=3");
    dlviz_optimizer *sgd;
    dlviz_trainer *trainer;
    ck_ok(dlviz_sgd_create(&sgd, 1e-3));
    ck_ok(dlviz_trainer_create(&trainer, network, sgd));
    ck_ok(dlviz_trainer_set_batch_size(trainer, 2));
    ck_ok(dlviz_trainer_set_batch_callback(trainer, spoil_labels, dataset));
    ck_fails(dlviz_trainer_fit(trainer, dataset, 2), DLVIZ_ERROR_INVALID_ARGUMENT,
             "sample 3 has label 1000000"); /* at the latest in the second epoch */
    set_labels(dataset, (const int64_t[]){0, 1, 2, 0, 1, -1});
    ck_fails(dlviz_network_evaluate(network, dataset, NULL, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "sample 5 has label -1");
    dlviz_trainer_destroy(trainer);
    dlviz_optimizer_destroy(sgd);
    dlviz_network_destroy(network);
    dlviz_dataset_destroy(dataset);
}
END_TEST

/* -- Memory --------------------------------------------------------------------------------------
 */

typedef struct arrays {
    dlviz_tensor *images, *labels, *floats, *weights;
} arrays;

static dlviz_status use_targets(const arrays *a, dlviz_dataset *made[6], dlviz_tensor *got[2]) {
    const char *names[] = {"a", "b", "c"};
    TRY(dlviz_dataset_create_from_hwc(&made[0], a->images, a->labels));
    TRY(dlviz_dataset_set_class_names(made[0], 3, names));
    TRY(dlviz_dataset_set_weights(made[0], a->weights));
    TRY(dlviz_dataset_split(made[0], 4, 1, &made[1], &made[2]));
    TRY(dlviz_dataset_targets(made[1], 0, 3, &got[0]));
    TRY(dlviz_dataset_set_targets(made[0], a->floats));
    TRY(dlviz_dataset_set_weights(made[0], a->weights));
    TRY(dlviz_dataset_split(made[0], 4, 1, &made[3], &made[4]));
    TRY(dlviz_dataset_take(made[3], 1, 2, &made[5]));
    TRY(dlz_dataset_check_finite(made[5], "test", NULL, 2));
    TRY(dlviz_dataset_targets(made[5], 0, 2, &got[1]));
    TRY(dlviz_dataset_set_targets(made[5], NULL));
    TRY(dlviz_dataset_set_weights(made[5], NULL));
    return dlviz_dataset_set_targets_to_samples(made[5]);
}

static dlviz_status use_and_free(void *context) {
    dlviz_dataset *made[6] = {NULL};
    dlviz_tensor *got[2] = {NULL};
    dlviz_status status = use_targets(context, made, got);
    for (int i = 0; i < 6; i++)
        dlviz_dataset_destroy(made[i]);
    for (int i = 0; i < 2; i++)
        dlviz_tensor_destroy(got[i]);
    return status;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    static const uint8_t pixels[10 * 12] = {0};
    float floats[20], weights[10];
    int64_t labels[10];
    fill_uniform(floats, 20, 2);
    for (int i = 0; i < 10; i++) {
        labels[i] = i % 3;
        weights[i] = (float)(i % 4);
    }
    arrays a = {bytes_tensor(4, (int64_t[]){10, 2, 2, 3}, pixels), int64_tensor(10, labels),
                float_tensor(2, (int64_t[]){10, 2}, floats),
                float_tensor(1, (int64_t[]){10}, weights)};
    ck_assert_int_ge(fail_each_allocation(use_and_free, &a), 60);
    dlviz_tensor_destroy(a.images);
    dlviz_tensor_destroy(a.labels);
    dlviz_tensor_destroy(a.floats);
    dlviz_tensor_destroy(a.weights);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {labels_are_int64_whatever_they_were,
                                  labels_below_0_belong_to_no_class,
                                  bad_targets_are_refused_and_change_nothing,
                                  float_targets_have_the_shape_they_came_in,
                                  float_targets_are_shared_with_the_caller_and_with_subsets,
                                  a_subset_may_get_targets_of_its_own,
                                  one_kind_of_targets_replaces_another,
                                  samples_as_targets_are_what_the_network_sees,
                                  targets_are_the_same_for_any_number_of_threads,
                                  weights_are_checked_and_copied,
                                  interleaved_images_become_planar,
                                  numbers_that_are_not_finite_are_named,
                                  getters_take_null,
                                  normalization_can_be_asked_for,
                                  marks_tell_targets_and_weights_apart,
                                  labels_changed_during_a_fit_are_checked,
                                  nothing_leaks_when_memory_runs_out,
                                  NULL};
    return run_tests("targets", tests);
}
