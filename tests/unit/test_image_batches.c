/* Images that are decoded batch by batch: the same bits as those that are kept, and files that vanish. */
#include "data/dataset.h"
#include "network/run.h"
#include "support/images.h"
#include "support/memory.h"
#include "support/netspec.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { IMAGES = 37, SIDE = 12, CLASSES = 3 };

static void name_of(int i, char *name, size_t size) {
    snprintf(name, size, "photos/class %d/%02d.%s", i % CLASSES, i, i % 5 == 4 ? "jpg" : "png");
}

static image_file image_of(int i) {
    if (i % 5 != 4)
        return pattern_png(SIDE + i % 4, SIDE + 5 - i % 3, i % 2 ? 3 : 1, (uint64_t)i);
    uint8_t values[24 * 16 * 3];
    for (int j = 0; j < 24 * 16 * 3; j++)
        values[j] = (uint8_t)(pattern_value((uint64_t)i, 0, j / 40, 0) / 2 + 64);
    return make_jpeg(
        &(jpeg_kind){.height = 24, .width = 16, .channels = 3, .orientation = 1 + i / 5}, values);
}

static void make_photos(void) {
    char name[100];
    for (int i = 0; i < IMAGES; i++) {
        name_of(i, name, sizeof name);
        put_image(name, image_of(i));
    }
}

/* What was read is kept where there is no limit. */
static dlviz_dataset *read_photos(int64_t limit) {
    dlviz_image_reader *reader;
    dlviz_dataset *dataset;
    ck_ok(dlviz_image_reader_create(&reader));
    ck_ok(dlviz_image_reader_set_size(reader, SIDE, SIDE));
    ck_ok(dlviz_image_reader_set_memory_limit(reader, limit));
    ck_ok(dlviz_dataset_read_folder(&dataset, scratch_path("photos"), reader));
    dlviz_image_reader_destroy(reader);
    ck_assert_int_eq(dataset->samples == NULL, limit > 0 && limit < IMAGES * 3 * SIDE * SIDE);
    return dataset;
}

static void expect_same(dlviz_tensor *a, dlviz_tensor *b) {
    ck_assert_int_eq(dlviz_tensor_num_elements(a), dlviz_tensor_num_elements(b));
    size_t size = (size_t)dlviz_tensor_num_elements(a) * dlviz_dtype_size(dlviz_tensor_dtype(a));
    ck_assert_int_eq(memcmp(dlviz_tensor_data(a), dlviz_tensor_data(b), size), 0);
    dlviz_tensor_destroy(a);
    dlviz_tensor_destroy(b);
}

static void expect_same_samples(const dlviz_dataset *a, const dlviz_dataset *b) {
    dlviz_tensor *x, *y;
    int64_t n = dlviz_dataset_num_samples(a);
    ck_ok(dlviz_dataset_samples(a, 0, n, &x));
    ck_ok(dlviz_dataset_samples(b, 0, n, &y));
    expect_same(x, y);
    if (n > 1) {
        ck_ok(dlviz_dataset_augmented_samples(a, 7, 2, 1, n - 1, &x));
        ck_ok(dlviz_dataset_augmented_samples(b, 7, 2, 1, n - 1, &y));
        expect_same(x, y);
    }
    ck_assert_uint_eq(dlz_dataset_mark(a), dlz_dataset_mark(b));
}

static void augment(dlviz_dataset *dataset) {
    ck_ok(dlviz_dataset_add_augmentation(dataset, dlviz_random_shift(2, 2)));
    ck_ok(dlviz_dataset_add_augmentation(dataset, dlviz_random_brightness(0.2)));
    ck_ok(dlviz_dataset_add_augmentation(dataset, dlviz_mixup(0.4)));
}

START_TEST(the_limit) {
    make_photos();
    int64_t all = IMAGES * 3 * SIDE * SIDE;
    dlviz_dataset_destroy(read_photos(all));
    dlviz_dataset_destroy(read_photos(all - 1));
}
END_TEST

START_TEST(the_same_samples) {
    make_photos();
    dlviz_dataset *kept = read_photos(0), *decoded = read_photos(1), *a, *b, *c, *d;
    static const float means[] = {0.5f, 0.4f, 0.3f}, deviations[] = {0.3f, 0.2f, 0.1f};
    for (int step = 0; step < 3; step++) {
        expect_same_samples(kept, decoded);
        ck_ok(dlviz_dataset_split(kept, 9, 4, &a, &b));
        ck_ok(dlviz_dataset_split(decoded, 9, 4, &c, &d));
        expect_same_samples(a, c);
        expect_same_samples(b, d);
        dlviz_dataset *parts[] = {a, b, c, d};
        for (int i = 0; i < 4; i++)
            dlviz_dataset_destroy(parts[i]);
        dlviz_dataset *both[] = {kept, decoded};
        for (int i = 0; i < 2; i++)
            if (step == 0) {
                augment(both[i]);
            } else {
                ck_ok(dlviz_dataset_set_image_size(both[i], 9, 17));
                ck_ok(dlviz_dataset_set_channel_normalization(both[i], 3, means, deviations));
            }
    }
    dlviz_dataset_destroy(kept);
    dlviz_dataset_destroy(decoded);
}
END_TEST

START_TEST(the_same_batches) {
    make_photos();
    dlviz_dataset *sets[] = {read_photos(0), read_photos(1)};
    dlviz_loader *loaders[2];
    for (int i = 0; i < 2; i++) {
        augment(sets[i]);
        ck_ok(dlviz_dataset_set_targets_to_samples(sets[i]));
        ck_ok(dlviz_dataset_add_augmentation(sets[i], dlviz_random_noise(0.1)));
        ck_ok(dlviz_loader_create(&loaders[i], sets[i], 8));
        ck_ok(dlviz_loader_set_shuffle(loaders[i], true));
    }
    for (int augmented = 0; augmented < 2; augmented++) {
        for (int i = 0; i < 2; i++) {
            ck_ok(dlviz_loader_set_augment(loaders[i], augmented));
            ck_ok(dlviz_loader_rewind(loaders[i], 3));
        }
        for (;;) {
            const dlviz_tensor *x[2], *t[2];
            for (int i = 0; i < 2; i++)
                ck_ok(dlviz_loader_next(loaders[i], &x[i], &t[i]));
            ck_assert_int_eq(x[0] == NULL, x[1] == NULL);
            if (!x[0])
                break;
            size_t size = (size_t)dlviz_tensor_num_elements(x[0]) * sizeof(float);
            ck_assert_int_eq(
                memcmp(dlviz_tensor_const_data(x[0]), dlviz_tensor_const_data(x[1]), size), 0);
            ck_assert_int_eq(
                memcmp(dlviz_tensor_const_data(t[0]), dlviz_tensor_const_data(t[1]), size), 0);
        }
    }
    for (int i = 0; i < 2; i++) {
        dlviz_loader_destroy(loaders[i]);
        dlviz_dataset_destroy(sets[i]);
    }
}
END_TEST

/* -- Training ------------------------------------------------------------------------------------
 */

typedef struct training {
    dlviz_dataset *all, *train, *validation;
    dlviz_network *network;
    dlviz_optimizer *optimizer;
    dlviz_trainer *trainer;
} training;

static void make_network(training *t, bool to_samples) {
    ck_ok(dlviz_network_create(&t->network, 3, (const int64_t[]){3, SIDE, SIDE}));
    dlviz_network_add(t->network, "conv", dlviz_conv2d(4, 3, DLVIZ_PAD_SAME));
    dlviz_network_add(t->network, "bn", dlviz_batchnorm());
    dlviz_network_add(t->network, "relu", dlviz_relu());
    if (to_samples) {
        dlviz_network_add(t->network, "back", dlviz_conv2d(3, 3, DLVIZ_PAD_SAME));
        ck_ok(dlviz_network_set_loss(t->network, dlviz_mse()));
    } else {
        dlviz_network_add(t->network, "flat", dlviz_flatten());
        dlviz_network_add(t->network, "fc", dlviz_linear(CLASSES));
    }
    ck_ok(dlviz_network_build(t->network, 11));
}

static training begin(int64_t limit, bool to_samples) {
    training t = {.all = read_photos(limit)};
    augment(t.all);
    if (to_samples)
        ck_ok(dlviz_dataset_set_targets_to_samples(t.all));
    ck_ok(dlviz_dataset_split(t.all, 7, 1, &t.train, &t.validation));
    make_network(&t, to_samples);
    ck_ok(dlviz_adam_create(&t.optimizer, 1e-2));
    ck_ok(dlviz_trainer_create(&t.trainer, t.network, t.optimizer));
    ck_ok(dlviz_trainer_set_batch_size(t.trainer, 8));
    ck_ok(dlviz_trainer_set_validation(t.trainer, t.validation));
    return t;
}

static void end(training *t) {
    dlviz_trainer_destroy(t->trainer);
    dlviz_optimizer_destroy(t->optimizer);
    dlviz_network_destroy(t->network);
    dlviz_dataset_destroy(t->train);
    dlviz_dataset_destroy(t->validation);
    dlviz_dataset_destroy(t->all);
}

static void expect_same_networks(const training *a, const training *b) {
    void *x, *y;
    size_t x_size, y_size;
    ck_ok(dlviz_network_save_memory(a->network, &x, &x_size));
    ck_ok(dlviz_network_save_memory(b->network, &y, &y_size));
    ck_assert_int_eq(x_size, y_size);
    ck_assert_int_eq(memcmp(x, y, x_size), 0);
    dlviz_free(x);
    dlviz_free(y);
}

START_TEST(the_same_training) {
    make_photos();
    for (int to_samples = 0; to_samples < 2; to_samples++)
        for (int threads = 1; threads <= 4; threads += 3) {
            training kept = begin(0, to_samples), decoded = begin(1, to_samples);
            ck_ok(dlviz_set_num_threads(3));
            ck_ok(dlviz_trainer_fit(kept.trainer, kept.train, 2));
            ck_ok(dlviz_set_num_threads(threads));
            ck_ok(dlviz_trainer_fit(decoded.trainer, decoded.train, 2));
            expect_same_networks(&kept, &decoded);
            dlviz_tensor *a, *b;
            ck_ok(dlviz_network_predict(kept.network, kept.all, &a));
            ck_ok(dlviz_network_predict(decoded.network, decoded.all, &b));
            expect_same(a, b);
            double kept_loss, loss, metric;
            ck_ok(dlviz_network_evaluate(kept.network, kept.validation, &kept_loss, &metric));
            ck_ok(dlviz_network_evaluate(decoded.network, decoded.validation, &loss, &metric));
            ck_assert_double_eq(kept_loss, loss);
            end(&kept);
            end(&decoded);
        }
}
END_TEST

static bool stop_soon(const dlviz_trainer_event *event, void *user) {
    (void)user;
    return dlviz_trainer_event_batch(event) < 1;
}

/* A run that kept its images goes on, in the middle of an epoch, with some that are decoded. */
START_TEST(a_run_goes_on) {
    make_photos();
    training kept = begin(0, false), decoded = begin(1, false), whole = begin(0, false);
    void *bytes;
    size_t size;
    ck_ok(dlviz_trainer_set_batch_callback(kept.trainer, stop_soon, NULL));
    ck_stops(kept.trainer, kept.train, 2);
    ck_ok(dlviz_trainer_save_checkpoint_memory(kept.trainer, &bytes, &size));
    ck_ok(dlviz_trainer_load_checkpoint_memory(decoded.trainer, bytes, size));
    ck_ok(dlviz_trainer_fit(decoded.trainer, decoded.train, 2));
    ck_ok(dlviz_trainer_fit(whole.trainer, whole.train, 2));
    expect_same_networks(&whole, &decoded);
    dlviz_free(bytes);
    end(&kept);
    end(&decoded);
    end(&whole);
}
END_TEST

/* -- Files that vanish ---------------------------------------------------------------------------
 */

/* Every call that loads samples, and one of them is number 20. */
static void everything_fails(training *t, dlviz_status status, const char *words) {
    dlviz_tensor *a, *b;
    const dlviz_tensor *x, *y;
    double loss, metric;
    dlviz_loader *loader;
    int64_t n = dlviz_dataset_num_samples(t->all);
    ck_fails(dlviz_dataset_samples(t->all, 0, n, &a), status, words);
    ck_assert_ptr_null(a);
    ck_fails(dlviz_dataset_augmented_samples(t->all, 1, 1, 0, n, &a), status, words);
    ck_assert_ptr_null(a);
    ck_fails(dlviz_dataset_measure(t->all, &a, &b), status, words);
    ck_assert(a == NULL && b == NULL);
    ck_fails(dlviz_network_predict(t->network, t->all, &a), status, words);
    ck_fails(dlviz_network_features(t->network, "bn", t->all, &a), status, words);
    ck_fails(dlviz_network_features(t->network, "input", t->all, &a), status, words);
    ck_assert_ptr_null(a);
    ck_fails(dlviz_network_evaluate(t->network, t->all, &loss, &metric), status, words);
    ck_ok(dlviz_loader_create(&loader, t->all, n));
    for (int augmented = 0; augmented < 2; augmented++) {
        ck_ok(dlviz_loader_set_augment(loader, augmented));
        for (int again = 0; again < 2; again++) {
            ck_fails(dlviz_loader_next(loader, &x, &y), status, words);
            ck_assert(x == NULL && y == NULL);
        }
    }
    ck_ok(dlviz_dataset_set_targets_to_samples(t->all));
    ck_fails(dlviz_dataset_targets(t->all, 0, n, &a), status, words);
    dlviz_loader_destroy(loader);
}

/* A fit that fails changes nothing, and goes on once the file is back. */
static void fit_fails_and_goes_on(training *t, int lost, dlviz_status status, const char *words) {
    training whole = begin(0, false);
    char name[100];
    ck_ok(dlviz_trainer_fit(whole.trainer, whole.train, 2));
    name_of(lost, name, sizeof name);
    ck_ok(dlviz_trainer_fit(t->trainer, t->train, 1));
    if (status == DLVIZ_ERROR_IO)
        ck_assert_int_eq(unlink(scratch_path(name)), 0);
    else
        put_image(name, pattern_png(SIDE, SIDE, 3, 1234));
    ck_fails(dlviz_trainer_fit(t->trainer, t->train, 1), status, words);
    ck_assert_int_eq(dlviz_trainer_stop_reason(t->trainer), DLVIZ_STOP_REASON_ERROR);
    put_image(name, image_of(lost));
    ck_ok(dlviz_trainer_fit(t->trainer, t->train, 1));
    expect_same_networks(&whole, t);
    end(&whole);
}

static int position_of(const dlviz_dataset *dataset, const char *end) {
    for (int64_t i = 0; i < dlviz_dataset_num_samples(dataset); i++)
        if (strstr(dlviz_dataset_sample_path(dataset, i), end))
            return (int)i;
    return -1;
}

START_TEST(a_file_that_vanishes) {
    make_photos();
    training t = begin(1, false);
    int lost = position_of(t.train, "20.png") >= 0 ? 20 : 21;
    char name[100];
    snprintf(name, sizeof name, "%d.png", lost);
    ck_assert_int_ge(position_of(t.train, name), 0);
    fit_fails_and_goes_on(&t, lost, DLVIZ_ERROR_IO, name);
    name_of(20, name, sizeof name);
    ck_assert_int_eq(unlink(scratch_path(name)), 0);
    everything_fails(&t, DLVIZ_ERROR_IO, "class 2/20.png': No such file");
    end(&t);
}
END_TEST

START_TEST(a_file_that_changes) {
    make_photos();
    training t = begin(1, false);
    int lost = position_of(t.train, "20.png") >= 0 ? 20 : 21;
    fit_fails_and_goes_on(&t, lost, DLVIZ_ERROR_FORMAT, "is another image than when");
    char name[100];
    name_of(20, name, sizeof name);
    image_file file = image_of(20);
    file.size /= 2;
    put_image(name, file);
    everything_fails(&t, DLVIZ_ERROR_FORMAT, "class 2/20.png' is cut short");
    put_image(name, pattern_png(SIDE, SIDE, 3, 99));
    dlviz_tensor *samples;
    ck_fails(dlviz_dataset_samples(t.all, 0, IMAGES, &samples), DLVIZ_ERROR_FORMAT,
             "class 2/20.png' is another image");
    end(&t);
}
END_TEST

/* The first of several, for any number of threads. */
START_TEST(the_first_that_is_gone) {
    make_photos();
    training t = begin(1, false);
    char first[100], name[100];
    for (int64_t i = 10; i < 30; i += 3) {
        snprintf(name, sizeof name, "photos/%s", dlviz_dataset_sample_path(t.all, i));
        ck_assert_int_eq(unlink(scratch_path(name)), 0);
        if (i == 10)
            strcpy(first, name);
    }
    for (int threads = 1; threads <= 8; threads++) {
        dlviz_tensor *samples;
        ck_ok(dlviz_set_num_threads(threads));
        ck_fails(dlviz_dataset_samples(t.all, 0, IMAGES, &samples), DLVIZ_ERROR_IO, first);
        ck_fails(dlviz_network_predict(t.network, t.all, &samples), DLVIZ_ERROR_IO, first);
        double loss;
        ck_fails(dlviz_network_evaluate(t.network, t.all, &loss, NULL), DLVIZ_ERROR_IO, first);
    }
    end(&t);
}
END_TEST

/* Of labels that are wrong and files that are gone, the first file is told, wherever both are: on any
 * number of threads, and in any pieces of a batch. */
START_TEST(files_before_labels) {
    make_photos();
    training t = begin(1, false);
    dlviz_tensor *labels = label_tensor(IMAGES, CLASSES, 1);
    int64_t *label = dlviz_tensor_data(labels);
    label[5] = label[25] = label[36] = 99;
    char name[100];
    for (int64_t i = 22; i < 35; i += 11) {
        snprintf(name, sizeof name, "photos/%s", dlviz_dataset_sample_path(t.all, i));
        ck_assert_int_eq(unlink(scratch_path(name)), 0);
    }
    snprintf(name, sizeof name, "photos/%s", dlviz_dataset_sample_path(t.all, 22));
    ck_ok(dlviz_dataset_set_targets(t.all, labels));
    for (int threads = 1; threads <= 8; threads++) {
        double loss;
        dlz_look look = {.outputs = NULL};
        ck_ok(dlviz_set_num_threads(threads));
        ck_fails(dlz_network_measure(t.network, "test", t.all, 0, &look, &loss, NULL),
                 DLVIZ_ERROR_IO, name);
    }
    dlviz_tensor_destroy(labels);
    end(&t);
}
END_TEST

/* The program goes elsewhere. */
START_TEST(another_folder) {
    make_photos();
    char before[4096];
    ck_assert_ptr_nonnull(getcwd(before, sizeof before));
    ck_assert_int_eq(chdir(scratch_folder()), 0);
    dlviz_image_reader *reader;
    dlviz_dataset *dataset;
    ck_ok(dlviz_image_reader_create(&reader));
    ck_ok(dlviz_image_reader_set_size(reader, 8, 8));
    ck_ok(dlviz_image_reader_set_memory_limit(reader, 1));
    ck_ok(dlviz_dataset_read_folder(&dataset, "photos", reader));
    ck_assert_int_eq(chdir("/"), 0);
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_samples(dataset, 0, IMAGES, &samples));
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(dataset);
    dlviz_image_reader_destroy(reader);
    ck_assert_int_eq(chdir(before), 0);
}
END_TEST

/* 40 images of 3 x 256 x 256 bytes are 7.8 MB. */
START_TEST(memory_stays_small) {
    enum { LARGE = 256, MANY = 40 };
    char name[100];
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "large/%d.png", i);
        put_image(name, pattern_png(LARGE, LARGE, 3, (uint64_t)i));
    }
    ck_ok(dlviz_set_num_threads(2));
    for (int64_t limit = 0; limit < 2; limit++) {
        watch_memory();
        dlviz_image_reader *reader;
        dlviz_dataset *dataset;
        ck_ok(dlviz_image_reader_create(&reader));
        ck_ok(dlviz_image_reader_set_memory_limit(reader, limit));
        ck_ok(dlviz_dataset_read_folder(&dataset, scratch_path("large"), reader));
        dlviz_tensor *means, *deviations;
        ck_ok(dlviz_dataset_measure(dataset, &means, &deviations));
        dlviz_tensor_destroy(means);
        dlviz_tensor_destroy(deviations);
        dlviz_dataset_destroy(dataset);
        dlviz_image_reader_destroy(reader);
        int64_t most = memory_watched();
        if (limit)
            ck_assert_int_lt(most, 4000000);
        else
            ck_assert_int_gt(most, 7500000);
    }
}
END_TEST

int main(void) {
    return run_tests("image_batches",
                     (const TTest *const[]){the_limit, the_same_samples, the_same_batches,
                                            the_same_training, a_run_goes_on, a_file_that_vanishes,
                                            a_file_that_changes, the_first_that_is_gone,
                                            files_before_labels, another_folder, memory_stays_small,
                                            NULL});
}
