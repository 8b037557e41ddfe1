/* Files in memory: the same bytes as on disk, read at any alignment and not beyond their end. */
#include "base/file.h"
#include "support/failing.h"
#include "support/netspec.h"
#include "support/process.h"

#include <dlviz/safetensors.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The bytes of a file on disk are these. */
static void expect_file(const char *path, const void *bytes, size_t size) {
    size_t wanted;
    unsigned char *on_disk = file_bytes(path, &wanted);
    ck_assert_int_eq(size, wanted);
    ck_assert_int_eq(memcmp(on_disk, bytes, size), 0);
    free(on_disk);
}

/* The bytes at an odd address, with nothing behind them. */
static unsigned char *moved(const void *bytes, size_t size, void **block) {
    *block = malloc(size + 1);
    return memcpy((unsigned char *)*block + 1, bytes, size);
}

START_TEST(a_file_in_memory_grows) {
    dlz_file *file;
    void *bytes = &file;
    size_t size = 7;
    ck_ok(dlz_file_create_memory(&file, &bytes, &size));
    ck_assert(bytes == NULL && size == 0);
    static unsigned char many[100001];
    for (size_t i = 0; i < sizeof many; i++)
        many[i] = (unsigned char)(i * 7 + i / 256);
    ck_ok(dlz_file_printf(file, "%d, %s", 12, "twelve"));
    ck_ok(dlz_file_write(file, many, 0));
    for (size_t at = 0; at < sizeof many; at += 13)
        ck_ok(dlz_file_write(file, many + at, at + 13 < sizeof many ? 13 : sizeof many - at));
    ck_assert_ptr_null(bytes);
    ck_ok(dlz_file_commit(file));
    ck_assert_int_eq(size, 10 + sizeof many);
    ck_assert_int_eq(memcmp(bytes, "12, twelve", 10), 0);
    ck_assert_int_eq(memcmp((char *)bytes + 10, many, sizeof many), 0);
    dlviz_free(bytes);
    ck_ok(dlz_file_create_memory(&file, &bytes, &size));
    ck_ok(dlz_file_write(file, many, 100));
    dlz_file_discard(file);
    ck_assert(bytes == NULL && size == 0);
}
END_TEST

START_TEST(networks_are_the_same_bytes) {
    dlviz_network *a = net_from_text("1x6x6", "c:conv,out=3,k=3 b:bn f:flatten fc:linear,out=2"),
                  *b = net_from_text("1x6x6", "c:conv,out=3,k=3 b:bn f:flatten fc:linear,out=2"),
                  *c;
    const char *path = scratch_path("network");
    void *bytes, *block;
    size_t size;
    fill_states(a, 3, false);
    ck_ok(dlviz_network_save(a, path));
    ck_ok(dlviz_network_save_memory(a, &bytes, &size));
    expect_file(path, bytes, size);
    const unsigned char *odd = moved(bytes, size, &block);
    dlviz_free(bytes);
    ck_ok(dlviz_network_open_memory(&c, odd, size));
    ck_ok(dlviz_network_load_memory(b, odd, size));
    free(block);
    assert_same_states(a, b);
    assert_same_states(a, c);
    dlviz_network_destroy(c);
    ck_fails(dlviz_network_open_memory(&c, NULL, 4), DLVIZ_ERROR_INVALID_ARGUMENT,
             "dlviz_network_open_memory: 'bytes' is NULL");
    ck_fails(dlviz_network_open_memory(&c, "", 0), DLVIZ_ERROR_FORMAT, "cannot read the 0 bytes");
    ck_fails(dlviz_network_load_memory(b, "\x93NUMPY", 6), DLVIZ_ERROR_FORMAT, "6 bytes");
    ck_fails(dlviz_network_save_memory(a, NULL, &size), DLVIZ_ERROR_INVALID_ARGUMENT, "'bytes'");
    ck_fails(dlviz_network_save_memory(a, &bytes, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'size'");
    dlviz_network_destroy(a);
    dlviz_network_destroy(b);
}
END_TEST

START_TEST(trainings_are_the_same_bytes) {
    process p, q;
    const char *path = scratch_path("run"), *history = scratch_path("history");
    void *bytes, *block, *lines;
    size_t size, length;
    begin_process(&p, PROCESS_NET, ADAM, true);
    p.stop_after = 9;
    ck_stops(p.trainer, p.train, 3);
    ck_ok(dlviz_trainer_save_checkpoint(p.trainer, path));
    ck_ok(dlviz_trainer_save_checkpoint_memory(p.trainer, &bytes, &size));
    expect_file(path, bytes, size);
    ck_ok(dlviz_trainer_write_history(p.trainer, history));
    ck_ok(dlviz_trainer_write_history_memory(p.trainer, &lines, &length));
    expect_file(history, lines, length);
    dlviz_free(lines);
    const unsigned char *odd = moved(bytes, size, &block);
    dlviz_free(bytes);
    begin_process(&q, PROCESS_NET, ADAM, true);
    ck_ok(dlviz_trainer_load_checkpoint_memory(q.trainer, odd, size));
    ck_ok(dlviz_trainer_fit(p.trainer, p.train, 2));
    ck_ok(dlviz_trainer_fit(q.trainer, q.train, 2));
    assert_same_run(&p, &q);
    ck_fails(dlviz_trainer_load_checkpoint_memory(q.trainer, odd, size - 1), DLVIZ_ERROR_FORMAT,
             "bytes");
    ck_fails(dlviz_trainer_load_checkpoint_memory(q.trainer, NULL, 8), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'bytes' is NULL");
    ck_fails(dlviz_trainer_save_checkpoint_memory(p.trainer, NULL, &size),
             DLVIZ_ERROR_INVALID_ARGUMENT, "'bytes'");
    ck_fails(dlviz_trainer_write_history_memory(p.trainer, &bytes, NULL),
             DLVIZ_ERROR_INVALID_ARGUMENT, "'size'");
    free(block);
    end_process(&p);
    end_process(&q);
}
END_TEST

START_TEST(safetensors_are_the_same_bytes) {
    dlviz_safetensors *file, *again;
    void *bytes, *block, *bytes_again;
    size_t size, read_size;
    unsigned char *read = file_bytes(fixture_path("kinds.safetensors"), &read_size);
    const unsigned char *odd = moved(read, read_size, &block);
    ck_ok(dlviz_safetensors_open_memory(&file, odd, read_size));
    free(block);
    ck_ok(dlviz_safetensors_save_memory(file, &bytes, &size));
    ck_ok(dlviz_safetensors_save(file, scratch_path("kinds")));
    expect_file(scratch_path("kinds"), bytes, size);
    ck_ok(dlviz_safetensors_open(&again, fixture_path("kinds.safetensors")));
    dlviz_safetensors_destroy(file);
    ck_ok(dlviz_safetensors_save_memory(again, &bytes_again, &read_size));
    ck_assert(size == read_size && memcmp(bytes, bytes_again, size) == 0);
    ck_fails(dlviz_safetensors_open_memory(&file, read, 7), DLVIZ_ERROR_FORMAT, "7 bytes");
    ck_assert_ptr_null(file);
    dlviz_free(bytes);
    dlviz_free(bytes_again);
    dlviz_safetensors_destroy(again);
    free(read);
}
END_TEST

START_TEST(npy_files_are_the_same_bytes) {
    static const char *const names[] = {"npy_f4",         "npy_big_f4", "npy_big_i2",
                                        "npy_fortran_f4", "npy_scalar", "npy_fortran_u1",
                                        "npy_empty",      "npy_bool"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[64];
        dlviz_tensor *a, *b, *offsets;
        void *bytes, *block;
        size_t size;
        snprintf(name, sizeof name, "%s.npy", names[i]);
        ck_ok(dlviz_tensor_read_npy(&a, fixture_path(name)));
        unsigned char *read = file_bytes(fixture_path(name), &size);
        ck_ok(dlviz_tensor_read_npy_memory(&b, moved(read, size, &block), size));
        free(block);
        free(read);
        size_t elements = (size_t)dlviz_tensor_num_elements(a);
        ck_assert(dlviz_tensor_dtype(a) == dlviz_tensor_dtype(b));
        ck_assert_int_eq(dlviz_tensor_ndim(a), dlviz_tensor_ndim(b));
        ck_assert_int_eq(memcmp(dlviz_tensor_data(a), dlviz_tensor_data(b),
                                elements * dlviz_dtype_size(dlviz_tensor_dtype(a))),
                         0);
        ck_ok(dlviz_tensor_write_npy(a, scratch_path("a.npy")));
        ck_ok(dlviz_tensor_write_npy_memory(b, &bytes, &size));
        expect_file(scratch_path("a.npy"), bytes, size);
        dlviz_tensor_destroy(b);
        ck_ok(dlviz_tensor_read_npy_shifted_memory(&b, bytes, size, &offsets));
        ck_assert(dlviz_tensor_dtype(b) == DLVIZ_FLOAT32);
        dlviz_tensor_destroy(offsets);
        dlviz_tensor_destroy(a);
        dlviz_tensor_destroy(b);
        dlviz_free(bytes);
    }
    dlviz_tensor *tensor, *offsets;
    ck_fails(dlviz_tensor_read_npy_memory(&tensor, "\x93NUM", 4), DLVIZ_ERROR_FORMAT,
             "dlviz_tensor_read_npy_memory: cannot read the 4 bytes");
    ck_fails(dlviz_tensor_read_npy_shifted_memory(&tensor, "", 0, &offsets), DLVIZ_ERROR_FORMAT,
             "the 0 bytes");
    ck_assert(!tensor && !offsets);
}
END_TEST

START_TEST(analyses_are_the_same_bytes) {
    dlviz_pca *pca, *opened;
    dlviz_tensor *x, *a, *b;
    void *bytes = &pca, *block;
    size_t size = 5;
    ck_ok(dlviz_pca_create(&pca, 2));
    ck_fails(dlviz_pca_save_memory(pca, &bytes, &size), DLVIZ_ERROR_STATE, "not fitted");
    ck_assert(bytes == NULL && size == 0);
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){30, 4}));
    fill_uniform(dlviz_tensor_float(x), 120, 4);
    ck_ok(dlviz_pca_fit(pca, x));
    ck_ok(dlviz_pca_save(pca, scratch_path("pca")));
    ck_ok(dlviz_pca_save_memory(pca, &bytes, &size));
    expect_file(scratch_path("pca"), bytes, size);
    ck_ok(dlviz_pca_open_memory(&opened, moved(bytes, size, &block), size));
    free(block);
    ck_ok(dlviz_pca_transform(pca, x, &a));
    ck_ok(dlviz_pca_transform(opened, x, &b));
    ck_assert_int_eq(memcmp(dlviz_tensor_data(a), dlviz_tensor_data(b), 60 * sizeof(float)), 0);
    dlviz_pca_destroy(opened);
    ck_fails(dlviz_pca_open_memory(&opened, bytes, size - 1), DLVIZ_ERROR_FORMAT,
             "dlviz_pca_open_memory: cannot read the");
    ck_assert_ptr_null(opened);
    dlviz_free(bytes);
    dlviz_tensor_destroy(x);
    dlviz_tensor_destroy(a);
    dlviz_tensor_destroy(b);
    dlviz_pca_destroy(pca);
}
END_TEST

START_TEST(idx_files_are_read_from_memory) {
    unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3, 1, 2, 3, 4, 5, 6};
    unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 7, 9};
    void *block, *other;
    dlviz_dataset *dataset;
    dlviz_tensor *samples;
    ck_ok(dlviz_dataset_read_idx_memory(&dataset, moved(images, sizeof images, &block),
                                        sizeof images, moved(labels, sizeof labels, &other),
                                        sizeof labels));
    free(block);
    free(other);
    ck_ok(dlviz_dataset_samples(dataset, 1, 1, &samples));
    for (int i = 0; i < 3; i++)
        ck_assert(dlviz_tensor_const_float(samples)[i] == (float)(i + 4) / 255);
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 10);
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(dataset);
    ck_ok(dlviz_dataset_read_idx_memory(&dataset, images, sizeof images, NULL, 0));
    dlviz_dataset_destroy(dataset);
    for (size_t size = 0; size < sizeof images; size++) {
        const unsigned char *part = moved(images, size, &block);
        ck_fails(dlviz_dataset_read_idx_memory(&dataset, part, size, NULL, 0), DLVIZ_ERROR_FORMAT,
                 "dlviz_dataset_read_idx_memory: 'images'");
        ck_assert_ptr_null(dataset);
        free(block);
    }
    labels[7] = 1;
    ck_fails(
        dlviz_dataset_read_idx_memory(&dataset, images, sizeof images, labels, sizeof labels - 1),
        DLVIZ_ERROR_FORMAT, "'images' has 2 images, 'labels' has 1 labels");
}
END_TEST

START_TEST(figures_are_the_same_bytes) {
    static const char *const paths[] = {"f.png", "f.svg", "f.pdf"};
    if (!dlviz_plot_supported()) {
        printf("SKIP: built without cairo\n");
        return;
    }
    dlviz_figure *figure, *empty;
    dlviz_tensor *map;
    void *bytes;
    size_t size;
    ck_ok(dlviz_tensor_create(&map, DLVIZ_FLOAT32, 2, (int64_t[]){40, 2}));
    fill_uniform(dlviz_tensor_float(map), 80, 3);
    ck_ok(dlviz_figure_create_scatter(&figure, map, NULL));
    for (int i = 0; i < 3; i++) {
        ck_ok(dlviz_figure_write(figure, scratch_path(paths[i])));
        ck_ok(dlviz_figure_write_memory(figure, (dlviz_figure_format)i, &bytes, &size));
        expect_file(scratch_path(paths[i]), bytes, size);
        dlviz_free(bytes);
    }
    ck_fails(dlviz_figure_write_memory(figure, (dlviz_figure_format)3, &bytes, &size),
             DLVIZ_ERROR_INVALID_ARGUMENT, "format 3");
    ck_assert(bytes == NULL && size == 0);
    ck_ok(dlviz_figure_create_curves(&empty));
    ck_fails(dlviz_figure_write_memory(empty, DLVIZ_FIGURE_FORMAT_PNG, &bytes, &size),
             DLVIZ_ERROR_STATE, "no curves");
    dlviz_figure_destroy(figure);
    dlviz_figure_destroy(empty);
    dlviz_tensor_destroy(map);
}
END_TEST

static dlviz_status draw(void *context) {
    dlviz_figure *figure = NULL;
    void *bytes = NULL;
    size_t size;
    dlviz_status status = dlviz_figure_create_scatter(&figure, context, NULL);
    for (int i = 0; i < 3 && status == DLVIZ_OK; i++) {
        status = dlviz_figure_write_memory(figure, (dlviz_figure_format)i, &bytes, &size);
        dlviz_free(bytes);
    }
    dlviz_figure_destroy(figure);
    return status;
}

static dlviz_status use_memory(void *context) {
    dlviz_tensor *x = context, *y = NULL;
    dlviz_pca *pca = NULL, *opened = NULL;
    dlviz_dataset *dataset = NULL;
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 1};
    void *bytes = NULL, *npy = NULL;
    size_t size, npy_size;
    dlviz_status status = dlviz_tensor_write_npy_memory(x, &npy, &npy_size);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_read_npy_memory(&y, npy, npy_size);
    if (status == DLVIZ_OK)
        status = dlviz_pca_create(&pca, 2);
    if (status == DLVIZ_OK)
        status = dlviz_pca_fit(pca, y);
    if (status == DLVIZ_OK)
        status = dlviz_pca_save_memory(pca, &bytes, &size);
    if (status == DLVIZ_OK)
        status = dlviz_pca_open_memory(&opened, bytes, size);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_read_idx_memory(&dataset, images, sizeof images, NULL, 0);
    dlviz_free(npy);
    dlviz_free(bytes);
    dlviz_tensor_destroy(y);
    dlviz_pca_destroy(pca);
    dlviz_pca_destroy(opened);
    dlviz_dataset_destroy(dataset);
    return status;
}

START_TEST(memory_may_run_out_anywhere) {
    dlviz_tensor *x;
    ck_ok(dlviz_tensor_create(&x, DLVIZ_FLOAT32, 2, (int64_t[]){30, 4}));
    fill_uniform(dlviz_tensor_float(x), 120, 4);
    ck_assert_int_ge(fail_each_allocation(use_memory, x), 60);
    dlviz_tensor *map;
    ck_ok(dlviz_tensor_create(&map, DLVIZ_FLOAT32, 2, (int64_t[]){30, 2}));
    if (dlviz_plot_supported())
        ck_assert_int_ge(fail_each_allocation(draw, map), 10);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(x);
}
END_TEST

int main(void) {
    return run_tests("memory files", (const TTest *const[]){
                                         a_file_in_memory_grows,
                                         networks_are_the_same_bytes,
                                         trainings_are_the_same_bytes,
                                         safetensors_are_the_same_bytes,
                                         npy_files_are_the_same_bytes,
                                         analyses_are_the_same_bytes,
                                         idx_files_are_read_from_memory,
                                         figures_are_the_same_bytes,
                                         memory_may_run_out_anywhere,
                                         NULL,
                                     });
}
