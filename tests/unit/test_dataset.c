#include "base/parallel.h"
#include "data/dataset.h"
#include "support/failing.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static dlviz_tensor *make_tensor(dlviz_dtype dtype, int ndim, const int64_t *dims,
                                 const void *data) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_from_data(&tensor, dtype, ndim, dims, data));
    return tensor;
}

/* n samples of two numbers, (i, 10·i), and labels i·i % classes; classes 0: no labels. */
static dlviz_dataset *make_pairs(int64_t n, int classes) {
    float *values = malloc((size_t)n * 2 * sizeof *values);
    uint8_t *marks = malloc((size_t)n);
    for (int64_t i = 0; i < n; i++) {
        values[2 * i] = (float)i;
        values[2 * i + 1] = (float)(10 * i);
        marks[i] = (uint8_t)(classes ? i * i % classes : 0);
    }
    dlviz_tensor *samples = make_tensor(DLVIZ_FLOAT32, 2, (int64_t[]){n, 2}, values);
    dlviz_tensor *labels = make_tensor(DLVIZ_UINT8, 1, &n, marks);
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, samples, classes ? labels : NULL));
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(labels);
    free(values);
    free(marks);
    return dataset;
}

/* The number that says which of make_pairs' samples this is. */
static int64_t identity(const dlviz_dataset *dataset, int64_t position) {
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_samples(dataset, position, 1, &samples));
    float first = dlviz_tensor_float(samples)[0];
    ck_assert_float_eq(dlviz_tensor_float(samples)[1], 10 * first);
    dlviz_tensor_destroy(samples);
    return (int64_t)first;
}

static int label_at(const dlviz_dataset *dataset, int64_t position) {
    return (int)((const int64_t *)dlviz_tensor_const_data(dlviz_dataset_labels(dataset)))[position];
}

START_TEST(arrays_become_datasets) {
    static const int64_t shapes[][4] = {{4, 6}, {4, 2, 3}, {4, 1, 2, 3}, {4, 3, 2, 1}};
    static const int64_t seen[][3] = {{6}, {1, 2, 3}, {1, 2, 3}, {3, 2, 1}};
    const int ndims[] = {2, 3, 4, 4};
    float values[24];
    for (int i = 0; i < 24; i++)
        values[i] = (float)i;
    for (int s = 0; s < 4; s++) {
        dlviz_tensor *samples = make_tensor(DLVIZ_FLOAT32, ndims[s], shapes[s], values), *back;
        dlviz_dataset *dataset;
        ck_ok(dlviz_dataset_create(&dataset, samples, NULL));
        dlviz_tensor_destroy(samples);
        ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 4);
        ck_assert_int_eq(dlviz_dataset_ndim(dataset), s ? 3 : 1);
        for (int i = 0; i < (s ? 3 : 1); i++)
            ck_assert_int_eq(dlviz_dataset_dims(dataset)[i], seen[s][i]);
        ck_ok(dlviz_dataset_samples(dataset, 0, 4, &back));
        ck_assert_int_eq(memcmp(dlviz_tensor_float(back), values, sizeof values), 0);
        ck_assert_int_eq(dlviz_tensor_ndim(back), s ? 4 : 2);
        dlviz_tensor_destroy(back);
        dlviz_dataset_destroy(dataset);
    }
    dlviz_dataset_destroy(NULL);
}
END_TEST

START_TEST(bad_arrays_are_refused) {
    const int64_t dims[] = {2, 3, 2, 2, 1}, empty[] = {0, 3};
    float zeros[24] = {0};
    dlviz_dataset *dataset = (void *)1;
    dlviz_tensor *samples = make_tensor(DLVIZ_FLOAT32, 2, dims, zeros);
    ck_fails(dlviz_dataset_create(&dataset, NULL, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'samples'");
    ck_assert_ptr_null(dataset);
    const struct {
        dlviz_dtype dtype;
        int ndim;
        const int64_t *dims;
        const char *words;
    } bad[] = {{DLVIZ_INT64, 2, dims, "int64"},
               {DLVIZ_FLOAT32, 1, dims, "is 2;"},
               {DLVIZ_FLOAT32, 5, dims, "2 x 3 x 2 x 2 x 1"},
               {DLVIZ_FLOAT32, 0, dims, "scalar"},
               {DLVIZ_FLOAT32, 2, empty, "0 x 3"}};
    for (int i = 0; i < 5; i++) {
        dlviz_tensor *tensor = make_tensor(bad[i].dtype, bad[i].ndim, bad[i].dims, zeros);
        ck_fails(dlviz_dataset_create(&dataset, tensor, NULL), DLVIZ_ERROR_SHAPE, bad[i].words);
        dlviz_tensor_destroy(tensor);
    }
    dlviz_tensor_destroy(samples);
}
END_TEST

START_TEST(classes_are_counted_and_named) {
    const int64_t n = 3, marks[] = {2, 0, 2};
    float zeros[3] = {0};
    dlviz_tensor *samples = make_tensor(DLVIZ_FLOAT32, 2, (int64_t[]){3, 1}, zeros);
    dlviz_tensor *labels = make_tensor(DLVIZ_INT64, 1, &n, marks);
    dlviz_dataset *dataset, *part;
    ck_ok(dlviz_dataset_create(&dataset, samples, labels));
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 3);
    ck_assert_int_eq(label_at(dataset, 2), 2);
    int64_t counts[5] = {-1, -1, -1, -1, -1};
    ck_assert_int_eq(dlviz_dataset_class_counts(dataset, 5, counts), 3);
    ck_assert(counts[0] == 1 && counts[1] == 0 && counts[2] == 2 && counts[3] == -1);
    counts[0] = counts[1] = -1;
    ck_assert_int_eq(dlviz_dataset_class_counts(dataset, 1, counts), 3);
    ck_assert(counts[0] == 1 && counts[1] == -1);
    ck_assert_int_eq(dlviz_dataset_class_counts(dataset, -1, counts), 3);
    ck_assert_int_eq(dlviz_dataset_class_counts(dataset, 0, NULL), 3);
    ck_fails(dlviz_dataset_set_num_classes(dataset, 2), DLVIZ_ERROR_INVALID_ARGUMENT,
             "3 to 16777216");
    ck_fails(dlviz_dataset_set_num_classes(dataset, 16777217), DLVIZ_ERROR_INVALID_ARGUMENT,
             "16777217 classes");
    ck_ok(dlviz_dataset_set_num_classes(dataset, 16777216));
    ck_assert_int_eq(dlviz_dataset_class_counts(dataset, 5, counts), 16777216);
    ck_assert(counts[2] == 2 && counts[3] == 0 && counts[4] == 0);
    ck_ok(dlviz_dataset_set_num_classes(dataset, 4));
    const char *names[] = {"zero", "one", "two", "three", NULL};
    ck_assert_ptr_null(dlviz_dataset_class_name(dataset, 0));
    ck_fails(dlviz_dataset_set_class_names(dataset, 3, names), DLVIZ_ERROR_INVALID_ARGUMENT,
             "4 classes");
    ck_fails(dlviz_dataset_set_class_names(dataset, 4, names + 1), DLVIZ_ERROR_INVALID_ARGUMENT,
             "name 3");
    ck_ok(dlviz_dataset_set_class_names(dataset, 4, names));
    ck_ok(dlviz_dataset_take(dataset, 1, 1, &part));
    ck_ok(dlviz_dataset_set_num_classes(dataset, 5));
    ck_assert_ptr_null(dlviz_dataset_class_name(dataset, 0));
    dlviz_dataset_destroy(dataset);
    ck_assert_int_eq(dlviz_dataset_num_classes(part), 4);
    ck_assert_str_eq(dlviz_dataset_class_name(part, 3), "three");
    ck_assert_ptr_null(dlviz_dataset_class_name(part, 4));
    ck_assert_ptr_null(dlviz_dataset_class_name(part, -1));
    dlviz_dataset_destroy(part);
    ck_ok(dlviz_dataset_create(&dataset, samples, NULL));
    ck_fails(dlviz_dataset_set_num_classes(dataset, 2), DLVIZ_ERROR_STATE, "no labels");
    ck_fails(dlviz_dataset_set_class_names(dataset, 0, names), DLVIZ_ERROR_INVALID_ARGUMENT,
             "0 classes");
    ck_assert_int_eq(dlviz_dataset_class_counts(dataset, 0, NULL), 0);
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(labels);
}
END_TEST

START_TEST(subsets_refer_to_the_right_samples) {
    dlviz_dataset *whole = make_pairs(20, 7), *middle, *chosen, *again;
    ck_ok(dlviz_dataset_take(whole, 5, 10, &middle));
    ck_ok(dlviz_dataset_select(middle, 4, (int64_t[]){9, 0, 0, 3}, &chosen));
    ck_ok(dlviz_dataset_take(chosen, 1, 3, &again));
    dlviz_dataset_destroy(whole);
    dlviz_dataset_destroy(middle);
    const int64_t expected[] = {14, 5, 5, 8};
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(identity(chosen, i), expected[i]);
        ck_assert_int_eq(label_at(chosen, i), expected[i] * expected[i] % 7);
        if (i > 0)
            ck_assert_int_eq(identity(again, i - 1), expected[i]);
    }
    dlviz_dataset *bad = (void *)1;
    const int64_t ranges[][2] = {{-1, 2},        {0, 0},         {0, 5}, {4, 1},
                                 {1, INT64_MAX}, {INT64_MAX, 1}, {0, -1}};
    for (int i = 0; i < 7; i++) {
        ck_fails(dlviz_dataset_take(chosen, ranges[i][0], ranges[i][1], &bad),
                 DLVIZ_ERROR_INVALID_ARGUMENT, "the dataset has 4");
        ck_assert_ptr_null(bad);
        dlviz_tensor *samples = (void *)1;
        ck_fails(dlviz_dataset_samples(chosen, ranges[i][0], ranges[i][1], &samples),
                 DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_dataset_samples: ");
        ck_assert_ptr_null(samples);
    }
    ck_fails(dlviz_dataset_select(chosen, 2, (int64_t[]){0, 4}, &bad), DLVIZ_ERROR_INVALID_ARGUMENT,
             "index 1 is 4");
    ck_fails(dlviz_dataset_select(chosen, 1, (int64_t[]){-1}, &bad), DLVIZ_ERROR_INVALID_ARGUMENT,
             "index 0 is -1");
    ck_fails(dlviz_dataset_select(chosen, 0, (int64_t[]){0}, &bad), DLVIZ_ERROR_INVALID_ARGUMENT,
             "0 indices");
    dlviz_dataset_destroy(chosen);
    dlviz_dataset_destroy(again);
}
END_TEST

/* Marks which original samples a part has, and checks that they come in the original order. */
static void mark_members(const dlviz_dataset *part, int *members, int mark) {
    int64_t before = -1;
    for (int64_t i = 0; i < dlviz_dataset_num_samples(part); i++) {
        int64_t id = identity(part, i);
        ck_assert_int_gt(id, before);
        ck_assert_int_eq(members[id], 0);
        members[id] = mark;
        before = id;
    }
}

START_TEST(a_split_is_exact_and_stratified) {
    for (int64_t count = 1; count < 60; count += 7) {
        dlviz_dataset *whole = make_pairs(60, 5), *rest, *holdout;
        ck_ok(dlviz_dataset_split(whole, count, 3, &rest, &holdout));
        ck_assert_int_eq(dlviz_dataset_num_samples(holdout), count);
        ck_assert_int_eq(dlviz_dataset_num_samples(rest), 60 - count);
        int members[60] = {0};
        mark_members(rest, members, 1);
        mark_members(holdout, members, 2);
        int64_t all[5], held[5];
        dlviz_dataset_class_counts(whole, 5, all);
        dlviz_dataset_class_counts(holdout, 5, held);
        for (int c = 0; c < 5; c++)
            ck_assert(fabs((double)held[c] - (double)(all[c] * count) / 60) < 1);
        dlviz_dataset_destroy(whole);
        dlviz_dataset_destroy(rest);
        dlviz_dataset_destroy(holdout);
    }
}
END_TEST

static uint64_t split_hash(const dlviz_dataset *whole, uint64_t seed) {
    dlviz_dataset *rest, *holdout;
    ck_ok(dlviz_dataset_split(whole, 20, seed, &rest, &holdout));
    uint64_t hash = 0;
    for (int64_t i = 0; i < 20; i++)
        hash = hash * 1000003 + (uint64_t)identity(holdout, i);
    dlviz_dataset_destroy(rest);
    dlviz_dataset_destroy(holdout);
    return hash;
}

START_TEST(a_split_depends_on_its_seed_alone) {
    dlviz_dataset *whole = make_pairs(100, 0), *rest = (void *)1, *holdout = (void *)1;
    ck_assert_uint_eq(split_hash(whole, 1), split_hash(whole, 1));
    ck_assert_uint_ne(split_hash(whole, 1), split_hash(whole, 2));
    const int64_t bad[] = {0, 100, -1, INT64_MAX};
    for (int i = 0; i < 4; i++) {
        ck_fails(dlviz_dataset_split(whole, bad[i], 1, &rest, &holdout),
                 DLVIZ_ERROR_INVALID_ARGUMENT, "of 100 samples");
        ck_assert_ptr_null(rest);
        ck_assert_ptr_null(holdout);
    }
    dlviz_dataset_destroy(whole);
}
END_TEST

START_TEST(mnists_split_has_the_known_shares) {
    /* Largest remainders by hand: a twelfth of each class's count, 4,994 in whole parts, one more
     * to the six largest fractions (classes 3, 1, 4, 5, 9, and 0 before 8). */
    static const int64_t known[] = {494, 562, 496, 511, 487, 452, 493, 522, 487, 496};
    if (!mnist_folder()) {
        printf("MNIST is missing: the test of its split is skipped\n");
        return;
    }
    dlviz_dataset *whole, *rest, *holdout;
    ck_ok(dlviz_dataset_read_mnist(&whole, mnist_folder(), DLVIZ_DATASET_PART_TRAIN));
    ck_ok(dlviz_dataset_split(whole, 5000, 0, &rest, &holdout));
    int64_t all[10], left[10], held[10];
    dlviz_dataset_class_counts(whole, 10, all);
    dlviz_dataset_class_counts(rest, 10, left);
    dlviz_dataset_class_counts(holdout, 10, held);
    for (int c = 0; c < 10; c++) {
        ck_assert_int_eq(held[c], known[c]);
        ck_assert_int_eq(left[c], all[c] - known[c]);
    }
    dlviz_dataset_destroy(whole);
    dlviz_dataset_destroy(rest);
    dlviz_dataset_destroy(holdout);
}
END_TEST

static dlviz_dataset *read_samples(const char *name) {
    dlviz_tensor *tensor;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_read_npy(&tensor, fixture_path(name)));
    ck_ok(dlviz_dataset_create(&dataset, tensor, NULL));
    dlviz_tensor_destroy(tensor);
    return dataset;
}

static void expect_fixture(const dlviz_dataset *dataset, const char *name, double tolerance) {
    dlviz_tensor *expected, *samples;
    ck_ok(dlviz_tensor_read_npy(&expected, fixture_path(name)));
    ck_ok(dlviz_dataset_samples(dataset, 0, dlviz_dataset_num_samples(dataset), &samples));
    ck_assert_int_eq(dlviz_tensor_ndim(samples), 4);
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(dlviz_tensor_dim(samples, i), dlviz_tensor_dim(expected, i));
    for (int64_t i = 0; i < dlviz_tensor_num_elements(expected); i++)
        ck_assert_double_eq_tol((double)dlviz_tensor_float(samples)[i],
                                (double)dlviz_tensor_float(expected)[i], tolerance);
    dlviz_tensor_destroy(expected);
    dlviz_tensor_destroy(samples);
}

START_TEST(resizing_is_pytorchs) {
    static const int sizes[][2] = {{32, 32}, {20, 20}, {45, 17}, {28, 40}, {64, 28}};
    dlviz_dataset *digits = read_samples("digits.npy"), *part;
    for (int i = 0; i < 5; i++) {
        char name[64];
        snprintf(name, sizeof name, "digits_%dx%d.npy", sizes[i][0], sizes[i][1]);
        ck_ok(dlviz_dataset_set_image_size(digits, sizes[i][0], sizes[i][1]));
        ck_assert_int_eq(dlviz_dataset_dims(digits)[1], sizes[i][0]);
        ck_assert_int_eq(dlviz_dataset_dims(digits)[2], sizes[i][1]);
        ck_ok(dlviz_dataset_take(digits, 0, 3, &part));
        expect_fixture(part, name, 5e-7);
        dlviz_dataset_destroy(part);
    }
    dlviz_dataset_destroy(digits);
    dlviz_dataset *colors = read_samples("colors.npy");
    const float means[] = {0.4f, 0.5f, 0.6f}, deviations[] = {0.2f, 0.25f, 0.3f};
    ck_ok(dlviz_dataset_set_image_size(colors, 4, 11));
    ck_ok(dlviz_dataset_set_channel_normalization(colors, 3, means, deviations));
    ck_ok(dlviz_dataset_take(colors, 0, 2, &part));
    expect_fixture(part, "colors_4x11.npy", 3e-6);
    dlviz_dataset_destroy(part);
    dlviz_dataset_destroy(colors);
}
END_TEST

START_TEST(the_original_size_means_no_resizing) {
    dlviz_dataset *digits = read_samples("digits.npy");
    dlviz_tensor *before, *after;
    ck_ok(dlviz_dataset_samples(digits, 0, 3, &before));
    ck_ok(dlviz_dataset_set_image_size(digits, 40, 40));
    ck_ok(dlviz_dataset_set_image_size(digits, 28, 28));
    ck_ok(dlviz_dataset_samples(digits, 0, 3, &after));
    ck_assert_int_eq(memcmp(dlviz_tensor_float(before), dlviz_tensor_float(after), 3 * 784 * 4), 0);
    const int64_t bad[][2] = {{0, 5}, {5, 0}, {-1, 5}, {16385, 5}, {5, INT64_MAX}};
    for (int i = 0; i < 5; i++)
        ck_fails(dlviz_dataset_set_image_size(digits, bad[i][0], bad[i][1]),
                 DLVIZ_ERROR_INVALID_ARGUMENT, "1 to 16384");
    ck_assert_int_eq(dlviz_dataset_dims(digits)[2], 28);
    dlviz_tensor_destroy(before);
    dlviz_tensor_destroy(after);
    dlviz_dataset_destroy(digits);
    dlviz_dataset *pairs = make_pairs(2, 0);
    ck_fails(dlviz_dataset_set_image_size(pairs, 2, 2), DLVIZ_ERROR_SHAPE, "vectors of 2");
    dlviz_dataset_destroy(pairs);
}
END_TEST

/* A ramp along x stays a ramp: checks images wider than what is resized at a time. */
START_TEST(wide_images_are_resized_in_parts) {
    enum { WIDTH = 5003 };
    static float ramp[2 * WIDTH];
    for (int i = 0; i < 2 * WIDTH; i++)
        ramp[i] = (float)(i % WIDTH);
    dlviz_tensor *samples = make_tensor(DLVIZ_FLOAT32, 3, (int64_t[]){1, 2, WIDTH}, ramp), *out;
    dlviz_dataset *dataset;
    ck_ok(dlviz_dataset_create(&dataset, samples, NULL));
    const int64_t widths[] = {1, 2, 100, 5002, 5004, 16384};
    for (int w = 0; w < 6; w++) {
        ck_ok(dlviz_dataset_set_image_size(dataset, 3, widths[w]));
        ck_ok(dlviz_dataset_samples(dataset, 0, 1, &out));
        for (int64_t i = 0; i < 3 * widths[w]; i++) {
            double at = ((double)(i % widths[w]) + 0.5) * WIDTH / (double)widths[w] - 0.5;
            at = fmin(fmax(at, 0), WIDTH - 1);
            ck_assert_double_eq_tol((double)dlviz_tensor_float(out)[i], at, 1e-3);
        }
        dlviz_tensor_destroy(out);
    }
    dlviz_dataset_destroy(dataset);
    dlviz_tensor_destroy(samples);
}
END_TEST

START_TEST(normalization_is_checked_and_applied) {
    dlviz_dataset *pairs = make_pairs(3, 0), *digits = read_samples("digits.npy");
    dlviz_tensor *out;
    ck_ok(dlviz_dataset_set_normalization(pairs, 1, 2));
    ck_ok(dlviz_dataset_samples(pairs, 2, 1, &out));
    ck_assert_float_eq(dlviz_tensor_float(out)[0], 0.5f);
    ck_assert_float_eq(dlviz_tensor_float(out)[1], 9.5f);
    dlviz_tensor_destroy(out);
    ck_ok(dlviz_dataset_set_channel_normalization(pairs, 2, (float[]){1, 10}, (float[]){2, 4}));
    ck_ok(dlviz_dataset_samples(pairs, 2, 1, &out));
    ck_assert_float_eq(dlviz_tensor_float(out)[0], 0.5f);
    ck_assert_float_eq(dlviz_tensor_float(out)[1], 2.5f);
    dlviz_tensor_destroy(out);
    const float bad[][2] = {{0, 0}, {0, -1}, {NAN, 1}, {0, NAN}, {INFINITY, 1}, {0, INFINITY}};
    for (int i = 0; i < 6; i++)
        ck_fails(dlviz_dataset_set_normalization(pairs, bad[i][0], bad[i][1]),
                 DLVIZ_ERROR_INVALID_ARGUMENT, "above 0");
    ck_fails(dlviz_dataset_set_channel_normalization(digits, 3, bad[0], bad[0]),
             DLVIZ_ERROR_INVALID_ARGUMENT, "the dataset has 1 channels");
    ck_fails(dlviz_dataset_set_channel_normalization(digits, 1, NULL, bad[0]),
             DLVIZ_ERROR_INVALID_ARGUMENT, "'means' is NULL");
    ck_ok(dlviz_dataset_set_normalization(digits, 0.1307f, 0.3081f));
    ck_ok(dlviz_dataset_samples(digits, 0, 1, &out));
    ck_assert_double_eq_tol((double)dlviz_tensor_float(out)[0], -0.1307 / 0.3081, 1e-6);
    dlviz_tensor_destroy(out);
    dlviz_dataset_destroy(pairs);
    dlviz_dataset_destroy(digits);
}
END_TEST

START_TEST(loading_is_the_same_for_any_number_of_threads) {
    dlviz_dataset *digits = read_samples("digits.npy");
    ck_ok(dlviz_dataset_set_image_size(digits, 32, 32));
    ck_ok(dlviz_dataset_set_normalization(digits, 0.1307f, 0.3081f));
    enum { COUNT = 101 };
    int64_t indices[COUNT];
    for (int i = 0; i < COUNT; i++)
        indices[i] = i * i % 3;
    size_t bytes = COUNT * 1024 * sizeof(float);
    float *alone = malloc(bytes), *together = malloc(bytes);
    dlz_dataset_load(digits, indices, COUNT, alone);
    for (int threads = 1; threads < 6; threads++) {
        ck_ok(dlviz_set_num_threads(threads));
        memset(together, 0xFF, bytes);
        dlz_dataset_load_parallel(digits, indices, COUNT, together);
        ck_assert_int_eq(memcmp(alone, together, bytes), 0);
    }
    free(alone);
    free(together);
    dlviz_dataset_destroy(digits);
}
END_TEST

static dlviz_status make_split_load(void *unused) {
    const int64_t dims[] = {30, 5, 4}, n = 30;
    static uint8_t pixels[600], marks[30];
    (void)unused;
    for (int i = 0; i < 30; i++)
        marks[i] = (uint8_t)(i % 3);
    dlviz_tensor *images = NULL, *labels = NULL, *out = NULL;
    dlviz_dataset *dataset = NULL, *rest = NULL, *holdout = NULL;
    const char *names[] = {"a", "b", "c"};
    dlviz_status status = dlviz_tensor_from_data(&images, DLVIZ_UINT8, 3, dims, pixels);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_from_data(&labels, DLVIZ_UINT8, 1, &n, marks);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_create(&dataset, images, labels);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_set_image_size(dataset, 6, 7);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_set_image_size(dataset, 8, 9);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_set_normalization(dataset, 0, 2);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_set_class_names(dataset, 3, names);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_split(dataset, 10, 1, &rest, &holdout);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_samples(rest, 3, 4, &out);
    dlviz_tensor_destroy(images);
    dlviz_tensor_destroy(labels);
    dlviz_tensor_destroy(out);
    dlviz_dataset_destroy(dataset);
    dlviz_dataset_destroy(rest);
    dlviz_dataset_destroy(holdout);
    return status;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    ck_assert_int_ge(fail_each_allocation(make_split_load, NULL), 40);
}
END_TEST

START_TEST(resizing_is_fast) {
    dlviz_dataset *digits = read_samples("digits.npy");
    ck_ok(dlviz_dataset_set_image_size(digits, 32, 32));
    ck_ok(dlviz_dataset_set_normalization(digits, 0.1307f, 0.3081f));
    enum { BATCH = 300 };
    int64_t indices[BATCH];
    for (int i = 0; i < BATCH; i++)
        indices[i] = i % 3;
    float *out = malloc(BATCH * 1024 * sizeof *out);
    double best = INFINITY;
    for (int repeat = 0; repeat < 50; repeat++) {
        struct timespec start, end;
        clock_gettime(CLOCK_MONOTONIC, &start);
        dlz_dataset_load(digits, indices, BATCH, out);
        clock_gettime(CLOCK_MONOTONIC, &end);
        best = fmin(best, (double)(end.tv_sec - start.tv_sec) +
                              1e-9 * (double)(end.tv_nsec - start.tv_nsec));
    }
    printf("28 x 28 to 32 x 32: %.0f images/s on one core\n", BATCH / best);
    /* Far below what any machine does, so that only a real slip fails, and no sanitizer does. */
    ck_assert_double_ge(BATCH / best, 1000);
    free(out);
    dlviz_dataset_destroy(digits);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {arrays_become_datasets,
                                  bad_arrays_are_refused,
                                  classes_are_counted_and_named,
                                  subsets_refer_to_the_right_samples,
                                  a_split_is_exact_and_stratified,
                                  a_split_depends_on_its_seed_alone,
                                  mnists_split_has_the_known_shares,
                                  resizing_is_pytorchs,
                                  the_original_size_means_no_resizing,
                                  wide_images_are_resized_in_parts,
                                  normalization_is_checked_and_applied,
                                  loading_is_the_same_for_any_number_of_threads,
                                  nothing_leaks_when_memory_runs_out,
                                  resizing_is_fast,
                                  NULL};
    return run_tests("dataset", tests);
}
