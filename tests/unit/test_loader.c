#include "base/random.h"
#include "data/dataset.h"
#include "support/failing.h"
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

/* n images of 2 x 2 whose pixels are i, label i % 4. */
static dlviz_dataset *make_images(int64_t n, bool labeled) {
    uint8_t *pixels = malloc((size_t)n * 4), *marks = malloc((size_t)n);
    for (int64_t i = 0; i < n; i++) {
        memset(pixels + 4 * i, (int)i, 4);
        marks[i] = (uint8_t)(i % 4);
    }
    dlviz_tensor *samples, *labels;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_from_data(&samples, DLVIZ_UINT8, 3, (int64_t[]){n, 2, 2}, pixels));
    ck_ok(dlviz_tensor_from_data(&labels, DLVIZ_UINT8, 1, &n, marks));
    ck_ok(dlviz_dataset_create(&dataset, samples, labeled ? labels : NULL));
    dlviz_tensor_destroy(samples);
    dlviz_tensor_destroy(labels);
    free(pixels);
    free(marks);
    return dataset;
}

/* Walks to the end of the epoch; ids[i] gets which image came ith. Returns how many came. */
static int64_t walk(dlviz_loader *loader, int64_t batch_size, int64_t *ids) {
    int64_t count = 0, batches = 0;
    for (;; batches++) {
        const dlviz_tensor *samples, *labels;
        ck_ok(dlviz_loader_next(loader, &samples, &labels));
        if (!samples) {
            ck_assert_ptr_null(labels);
            break;
        }
        int64_t size = dlviz_tensor_dim(samples, 0);
        ck_assert_int_eq(dlviz_tensor_ndim(samples), 4);
        ck_assert_int_eq(dlviz_tensor_num_elements(samples), size * 4);
        ck_assert_int_le(size, batch_size);
        ck_assert_int_eq(dlviz_tensor_num_elements(labels), size);
        for (int64_t i = 0; i < size; i++) {
            const float *pixel = dlviz_tensor_const_float(samples) + 4 * i;
            int64_t id = (int64_t)(pixel[0] * 255 + 0.5f);
            for (int p = 0; p < 4; p++)
                ck_assert_float_eq(pixel[p], (float)id / 255);
            ck_assert_int_eq(((const int64_t *)dlviz_tensor_const_data(labels))[i], id % 4);
            ids[count++] = id;
        }
    }
    ck_assert_int_eq(batches, dlviz_loader_num_batches(loader));
    return count;
}

START_TEST(batches_come_in_order_and_end) {
    dlviz_dataset *dataset = make_images(10, true);
    dlviz_loader *loader;
    ck_ok(dlviz_loader_create(&loader, dataset, 4));
    dlviz_dataset_destroy(dataset);
    int64_t ids[10];
    ck_assert_int_eq(dlviz_loader_num_batches(loader), 3);
    for (int64_t epoch = 0; epoch < 3; epoch++) {
        ck_ok(dlviz_loader_rewind(loader, epoch));
        ck_assert_int_eq(walk(loader, 4, ids), 10);
        for (int i = 0; i < 10; i++)
            ck_assert_int_eq(ids[i], i);
        const dlviz_tensor *samples = (void *)1;
        ck_ok(dlviz_loader_next(loader, &samples, NULL));
        ck_assert_ptr_null(samples);
    }
    ck_ok(dlviz_loader_set_drop_last(loader, true));
    ck_ok(dlviz_loader_rewind(loader, 0));
    ck_assert_int_eq(dlviz_loader_num_batches(loader), 2);
    ck_assert_int_eq(walk(loader, 4, ids), 8);
    dlviz_loader_destroy(loader);
    dlviz_loader_destroy(NULL);
}
END_TEST

START_TEST(each_epoch_has_an_order_of_its_own) {
    dlviz_dataset *dataset = make_images(50, true);
    dlviz_loader *loader;
    ck_ok(dlviz_loader_create(&loader, dataset, 7));
    ck_ok(dlviz_loader_set_shuffle(loader, true));
    ck_ok(dlviz_loader_set_seed(loader, 11));
    int64_t ids[2][50], order[50];
    for (int64_t epoch = 0; epoch < 4; epoch++) {
        ck_ok(dlviz_loader_rewind(loader, epoch));
        ck_assert_int_eq(walk(loader, 7, ids[epoch % 2]), 50);
        dlz_epoch_order(11, epoch, 50, order);
        ck_assert_int_eq(memcmp(ids[epoch % 2], order, sizeof order), 0);
        if (epoch > 0)
            ck_assert_int_ne(memcmp(ids[0], ids[1], sizeof order), 0);
        int seen[50] = {0};
        for (int i = 0; i < 50; i++)
            seen[order[i]]++;
        for (int i = 0; i < 50; i++)
            ck_assert_int_eq(seen[i], 1);
    }
    ck_ok(dlviz_loader_rewind(loader, 2));
    walk(loader, 7, ids[1]);
    ck_assert_int_eq(memcmp(ids[0], ids[1], sizeof order), 0);
    dlviz_loader_destroy(loader);
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(any_batch_size_works) {
    dlviz_dataset *dataset = make_images(33, true);
    const int64_t sizes[] = {1, 2, 32, 33, 34, INT64_MAX};
    int64_t ids[33];
    for (int i = 0; i < 6; i++) {
        dlviz_loader *loader;
        ck_ok(dlviz_loader_create(&loader, dataset, sizes[i]));
        ck_assert_int_eq(walk(loader, sizes[i], ids), 33);
        dlviz_loader_destroy(loader);
    }
    dlviz_loader *loader = (void *)1;
    ck_fails(dlviz_loader_create(&loader, dataset, 0), DLVIZ_ERROR_INVALID_ARGUMENT,
             "batch size 0");
    ck_assert_ptr_null(loader);
    ck_fails(dlviz_loader_create(&loader, NULL, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "'dataset'");
    ck_ok(dlviz_loader_create(&loader, dataset, 34));
    ck_fails(dlviz_loader_set_drop_last(loader, true), DLVIZ_ERROR_INVALID_ARGUMENT, "no batch");
    ck_fails(dlviz_loader_rewind(loader, -1), DLVIZ_ERROR_INVALID_ARGUMENT, "epoch -1");
    dlviz_loader_destroy(loader);
    dlviz_dataset_destroy(dataset);
}
END_TEST

START_TEST(labels_may_be_missing) {
    dlviz_dataset *dataset = make_images(3, false);
    dlviz_loader *loader;
    const dlviz_tensor *samples, *labels = (void *)1;
    ck_ok(dlviz_loader_create(&loader, dataset, 2));
    ck_ok(dlviz_loader_next(loader, &samples, &labels));
    ck_assert_ptr_nonnull(samples);
    ck_assert_ptr_null(labels);
    dlviz_loader_destroy(loader);
    dlviz_dataset_destroy(dataset);
}
END_TEST

/* As make_images, with float targets (i, i + 0.5) or the samples as targets, and weights i + 1. */
static dlviz_dataset *make_weighted(int64_t n, bool floats) {
    dlviz_dataset *dataset = make_images(n, false);
    dlviz_tensor *targets, *weights;
    ck_ok(dlviz_tensor_create(&targets, DLVIZ_FLOAT32, 4, (int64_t[]){n, 1, 1, 2}));
    ck_ok(dlviz_tensor_create(&weights, DLVIZ_FLOAT32, 1, &n));
    for (int64_t i = 0; i < n; i++) {
        dlviz_tensor_float(targets)[2 * i] = (float)i;
        dlviz_tensor_float(targets)[2 * i + 1] = (float)i + 0.5f;
        dlviz_tensor_float(weights)[i] = (float)i + 1;
    }
    if (floats)
        ck_ok(dlviz_dataset_set_targets(dataset, targets));
    else
        ck_ok(dlviz_dataset_set_targets_to_samples(dataset));
    ck_ok(dlviz_dataset_set_weights(dataset, weights));
    dlviz_tensor_destroy(targets);
    dlviz_tensor_destroy(weights);
    return dataset;
}

START_TEST(targets_and_weights_come_with_their_samples) {
    for (int floats = 0; floats < 2; floats++) {
        dlviz_dataset *dataset = make_weighted(41, floats);
        dlviz_loader *loader;
        ck_ok(dlviz_loader_create(&loader, dataset, 18));
        dlviz_dataset_destroy(dataset);
        ck_ok(dlviz_loader_set_shuffle(loader, true));
        ck_assert_ptr_null(dlviz_loader_weights(loader));
        const dlviz_tensor *samples, *targets;
        int seen[41] = {0};
        for (int64_t left = 41; left > 0; left -= 18) {
            int64_t size = left < 18 ? left : 18;
            ck_ok(dlviz_loader_next(loader, &samples, &targets));
            const dlviz_tensor *weights = dlviz_loader_weights(loader);
            ck_assert_int_eq(dlviz_tensor_dim(samples, 0), size);
            ck_assert_int_eq(dlviz_tensor_num_elements(weights), size);
            ck_assert_int_eq(dlviz_tensor_ndim(weights), 1);
            ck_assert_int_eq(dlviz_tensor_ndim(targets), 4);
            ck_assert_int_eq(dlviz_tensor_num_elements(targets), floats ? 2 * size : 4 * size);
            if (!floats)
                ck_assert_ptr_eq(targets, samples);
            for (int64_t i = 0; i < size; i++) {
                int64_t id = (int64_t)(dlviz_tensor_const_float(samples)[4 * i] * 255 + 0.5f);
                ck_assert_float_eq(dlviz_tensor_const_float(weights)[i], (float)id + 1);
                if (floats) {
                    const float *target = dlviz_tensor_const_float(targets) + 2 * i;
                    ck_assert(target[0] == (float)id && target[1] == (float)id + 0.5f);
                }
                seen[id]++;
            }
        }
        for (int i = 0; i < 41; i++)
            ck_assert_int_eq(seen[i], 1);
        ck_ok(dlviz_loader_next(loader, &samples, &targets));
        ck_assert_ptr_null(samples);
        ck_assert_ptr_null(targets);
        ck_assert_ptr_null(dlviz_loader_weights(loader));
        dlviz_loader_destroy(loader);
    }
}
END_TEST

START_TEST(settings_can_be_asked_for_and_taken_back) {
    dlviz_dataset *dataset = make_images(20, true);
    dlviz_loader *loader;
    ck_ok(dlviz_loader_create(&loader, dataset, 6));
    int64_t ids[20], order[20];
    ck_assert(!dlviz_loader_is_shuffled(loader) && !dlviz_loader_drops_last(loader));
    ck_assert_uint_eq(dlviz_loader_seed(loader), 0);
    ck_ok(dlviz_loader_set_shuffle(loader, true));
    dlz_epoch_order(0, 0, 20, order);
    walk(loader, 6, ids);
    ck_assert_mem_eq(ids, order, sizeof ids);
    ck_ok(dlviz_loader_rewind(loader, 3));
    ck_ok(dlviz_loader_set_seed(loader, 9));
    dlz_epoch_order(9, 3, 20, order);
    walk(loader, 6, ids);
    ck_assert_mem_eq(ids, order, sizeof ids);
    ck_assert(dlviz_loader_is_shuffled(loader));
    ck_assert_uint_eq(dlviz_loader_seed(loader), 9);
    ck_assert_int_eq(dlviz_loader_epoch(loader), 3);
    ck_assert_int_eq(dlviz_loader_batch_size(loader), 6);
    ck_ok(dlviz_loader_set_shuffle(loader, false));
    walk(loader, 6, ids);
    for (int i = 0; i < 20; i++)
        ck_assert_int_eq(ids[i], i);
    ck_ok(dlviz_loader_set_drop_last(loader, true));
    ck_assert(dlviz_loader_drops_last(loader));
    ck_assert_int_eq(dlviz_loader_num_batches(loader), 3);
    dlviz_loader_destroy(loader);
    dlviz_dataset_destroy(dataset);
    ck_assert(!dlviz_loader_is_shuffled(NULL) && !dlviz_loader_drops_last(NULL));
    ck_assert_uint_eq(dlviz_loader_seed(NULL), 0);
    ck_assert_int_eq(dlviz_loader_epoch(NULL), 0);
    ck_assert_int_eq(dlviz_loader_batch_size(NULL), 0);
    ck_assert_int_eq(dlviz_loader_num_batches(NULL), 0);
    ck_assert_ptr_null(dlviz_loader_weights(NULL));
    const dlviz_tensor *samples = (void *)1, *targets = (void *)1;
    ck_fails(dlviz_loader_next(NULL, &samples, &targets), DLVIZ_ERROR_INVALID_ARGUMENT, "'loader'");
    ck_assert(!samples && !targets);
    ck_fails(dlviz_loader_set_shuffle(NULL, true), DLVIZ_ERROR_INVALID_ARGUMENT, "'loader'");
    ck_fails(dlviz_loader_set_seed(NULL, 1), DLVIZ_ERROR_INVALID_ARGUMENT, "'loader'");
}
END_TEST

static dlviz_status load_all(void *dataset) {
    dlviz_loader *loader;
    const dlviz_tensor *samples, *labels;
    dlviz_status status = dlviz_loader_create(&loader, dataset, 4);
    do
        if (status == DLVIZ_OK)
            status = dlviz_loader_next(loader, &samples, &labels);
    while (status == DLVIZ_OK && samples);
    dlviz_loader_destroy(loader);
    return status;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    dlviz_dataset *dataset = make_images(10, true);
    ck_assert_int_ge(fail_each_allocation(load_all, dataset), 15);
    dlviz_dataset_destroy(dataset);
    dataset = make_weighted(10, true);
    ck_assert_int_ge(fail_each_allocation(load_all, dataset), 18);
    dlviz_dataset_destroy(dataset);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {batches_come_in_order_and_end,
                                  each_epoch_has_an_order_of_its_own,
                                  any_batch_size_works,
                                  labels_may_be_missing,
                                  targets_and_weights_come_with_their_samples,
                                  settings_can_be_asked_for_and_taken_back,
                                  nothing_leaks_when_memory_runs_out,
                                  NULL};
    return run_tests("loader", tests);
}
