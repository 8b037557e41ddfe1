#include "base/random.h"
#include "data/dataset.h"
#include "support/failing.h"
#include "support/support.h"

#include <stdlib.h>
#include <string.h>

/* n images of 2 x 2 whose pixels are i, label i % 4. */
static dlviz_dataset *make_images(int64_t n, bool labelled) {
    uint8_t *pixels = malloc((size_t)n * 4), *marks = malloc((size_t)n);
    for (int64_t i = 0; i < n; i++) {
        memset(pixels + 4 * i, (int)i, 4);
        marks[i] = (uint8_t)(i % 4);
    }
    dlviz_tensor *samples, *labels;
    dlviz_dataset *dataset;
    ck_ok(dlviz_tensor_from_data(&samples, DLVIZ_UINT8, 3, (int64_t[]){n, 2, 2}, pixels));
    ck_ok(dlviz_tensor_from_data(&labels, DLVIZ_UINT8, 1, &n, marks));
    ck_ok(dlviz_dataset_create(&dataset, samples, labelled ? labels : NULL));
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
    ck_assert_int_eq(batches, dlviz_loader_batches(loader));
    return count;
}

START_TEST(batches_come_in_order_and_end) {
    dlviz_dataset *dataset = make_images(10, true);
    dlviz_loader *loader;
    ck_ok(dlviz_loader_create(&loader, dataset, 4));
    dlviz_dataset_destroy(dataset);
    int64_t ids[10];
    ck_assert_int_eq(dlviz_loader_batches(loader), 3);
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
    ck_assert_int_eq(dlviz_loader_batches(loader), 2);
    ck_assert_int_eq(walk(loader, 4, ids), 8);
    dlviz_loader_destroy(loader);
    dlviz_loader_destroy(NULL);
}
END_TEST

START_TEST(each_epoch_has_an_order_of_its_own) {
    dlviz_dataset *dataset = make_images(50, true);
    dlviz_loader *loader;
    ck_ok(dlviz_loader_create(&loader, dataset, 7));
    ck_ok(dlviz_loader_set_shuffle(loader, 11));
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
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        batches_come_in_order_and_end, each_epoch_has_an_order_of_its_own, any_batch_size_works,
        labels_may_be_missing,         nothing_leaks_when_memory_runs_out, NULL};
    return run_tests("loader", tests);
}
