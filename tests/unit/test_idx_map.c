/* IDX files that are mapped: what they give, and what is refused. */
#include "data/dataset.h"
#include "support/failing.h"
#include "support/support.h"
#include "tensor/mapping.h"
#include "tensor/pages.h"
#include "tensor/rows.h"

#include <stdio.h>
#include <string.h>
#include <zlib.h>

enum { N = 5, PIXELS = 6, GRAY = 16, COLOR = 20 };

/* Headers of N images of 2 x 3, of one channel and of two. */
static const unsigned char gray[GRAY] = {0, 0, 8, 3, 0, 0, 0, N, 0, 0, 0, 2, 0, 0, 0, 3};
static const unsigned char color[COLOR] = {0, 0, 8, 4, 0, 0, 0, N, 0, 0,
                                           0, 2, 0, 0, 0, 2, 0, 0, 0, 3};
static const unsigned char labels[8 + N] = {0, 0, 8, 1, 0, 0, 0, N, 3, 0, 1, 2, 2};

/* Copies of paths, of which scratch_path has four at once. */
typedef struct files {
    char images[512], labels[512];
} files;

static size_t make_images(bool two, unsigned char *bytes) {
    size_t header = two ? COLOR : GRAY, size = (size_t)N * PIXELS * (two ? 2 : 1);
    memcpy(bytes, two ? color : gray, header);
    for (size_t i = 0; i < size; i++)
        bytes[header + i] = (unsigned char)(i * 41 + 7);
    return header + size;
}

static void store(char path[512], const char *name, const void *bytes, size_t size) {
    snprintf(path, 512, "%s", scratch_path(name));
    write_file(path, bytes, size);
}

static void store_gzip(char path[512], const char *name, const void *bytes, size_t size) {
    snprintf(path, 512, "%s", scratch_path(name));
    gzFile file = gzopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(gzwrite(file, bytes, (unsigned)size), (int)size);
    ck_assert_int_eq(gzclose(file), Z_OK);
}

static void ck_same_sets(const dlviz_dataset *a, const dlviz_dataset *b) {
    dlviz_tensor *mine, *theirs;
    ck_assert_int_eq(dlviz_dataset_num_samples(a), dlviz_dataset_num_samples(b));
    ck_assert_int_eq(dlviz_dataset_num_classes(a), dlviz_dataset_num_classes(b));
    ck_assert_mem_eq(dlviz_dataset_dims(a), dlviz_dataset_dims(b), 3 * sizeof(int64_t));
    ck_ok(dlviz_dataset_samples(a, 0, N, &mine));
    ck_ok(dlviz_dataset_samples(b, 0, N, &theirs));
    int64_t size = dlviz_tensor_num_elements(mine);
    ck_assert_int_eq(size, dlviz_tensor_num_elements(theirs));
    ck_assert_mem_eq(dlviz_tensor_const_data(mine), dlviz_tensor_const_data(theirs),
                     (size_t)size * sizeof(float));
    ck_assert_int_eq(dlviz_dataset_labels(a) == NULL, dlviz_dataset_labels(b) == NULL);
    if (dlviz_dataset_labels(a))
        ck_assert_mem_eq(dlviz_tensor_const_data(dlviz_dataset_labels(a)),
                         dlviz_tensor_const_data(dlviz_dataset_labels(b)), N * sizeof(int64_t));
    dlviz_tensor_destroy(mine);
    dlviz_tensor_destroy(theirs);
}

/* Small ones are used where they lie, large ones are read row by row. */
START_TEST(mapped_files_give_what_read_ones_do) {
    unsigned char bytes[COLOR + 2 * N * PIXELS];
    files f;
    for (int way = 0; way < 16; way++) {
        bool two = way & 1, large = way & 2, labeled = way & 4, packed = way & 8;
        store(f.images, "images", bytes, make_images(two, bytes));
        (packed ? store_gzip : store)(f.labels, "labels", labels, sizeof labels);
        dlz_mapping_set_large(large ? 1 : DLZ_PAGES_LEAST);
        dlviz_dataset *mapped, *read;
        ck_ok(dlviz_dataset_map_idx(&mapped, f.images, labeled ? f.labels : NULL));
        ck_ok(dlviz_dataset_read_idx(&read, f.images, labeled ? f.labels : NULL));
        ck_assert(dlz_rows_are_read(mapped->samples) == large);
        ck_same_sets(mapped, read);
        dlviz_dataset_destroy(mapped);
        dlviz_dataset_destroy(read);
    }
    dlz_mapping_set_large(DLZ_PAGES_LEAST);
}
END_TEST

START_TEST(a_compressed_file_is_to_be_decompressed) {
    unsigned char bytes[COLOR + 2 * N * PIXELS];
    files f;
    dlviz_dataset *set = (void *)1;
    store_gzip(f.images, "packed", bytes, make_images(false, bytes));
    ck_fails(dlviz_dataset_map_idx(&set, f.images, NULL), DLVIZ_ERROR_UNSUPPORTED, "decompress it");
    ck_assert_ptr_null(set);
    ck_fails(dlviz_dataset_map_idx(&set, f.images, NULL), DLVIZ_ERROR_UNSUPPORTED, f.images);
}
END_TEST

START_TEST(files_of_another_length_are_refused) {
    unsigned char bytes[COLOR + 2 * N * PIXELS + 1] = {0};
    files f;
    dlviz_dataset *set;
    for (int two = 0; two < 2; two++) {
        size_t size = make_images(two, bytes);
        for (size_t length = 0; length < size; length++) {
            store(f.images, "cut", bytes, length);
            ck_fails(dlviz_dataset_map_idx(&set, f.images, NULL), DLVIZ_ERROR_FORMAT, f.images);
            ck_assert_ptr_null(set);
        }
        store(f.images, "long", bytes, size + 1);
        ck_fails(dlviz_dataset_map_idx(&set, f.images, NULL), DLVIZ_ERROR_FORMAT, "goes on");
        bytes[4] = 0xFF;
        store(f.images, "huge", bytes, size);
        ck_fails(dlviz_dataset_map_idx(&set, f.images, NULL), DLVIZ_ERROR_FORMAT, "announces");
    }
}
END_TEST

START_TEST(other_files_are_refused) {
    unsigned char bytes[COLOR + 2 * N * PIXELS];
    files f;
    dlviz_dataset *set;
    size_t size = make_images(false, bytes);
    const struct {
        int at, value;
        const char *words;
    } cases[] = {{0, 'P', "does not start as an IDX file"},
                 {2, 0x0D, "float32"},
                 {3, 2, "2 dim"},
                 {3, 5, "5 dim"},
                 {7, 0, "dimension 0"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        unsigned char kept = bytes[cases[i].at];
        bytes[cases[i].at] = (unsigned char)cases[i].value;
        store(f.images, "other", bytes, size);
        ck_fails(dlviz_dataset_map_idx(&set, f.images, NULL), DLVIZ_ERROR_FORMAT, cases[i].words);
        bytes[cases[i].at] = kept;
    }
    store(f.images, "images", bytes, size);
    store(f.labels, "labels", labels, sizeof labels - 1);
    ck_fails(dlviz_dataset_map_idx(&set, f.images, f.labels), DLVIZ_ERROR_FORMAT, f.labels);
    unsigned char fewer[] = {0, 0, 8, 1, 0, 0, 0, 2, 1, 1};
    store(f.labels, "labels", fewer, sizeof fewer);
    ck_fails(dlviz_dataset_map_idx(&set, f.images, f.labels), DLVIZ_ERROR_FORMAT, "2 labels");
    ck_fails(dlviz_dataset_map_idx(&set, scratch_path("none"), NULL), DLVIZ_ERROR_IO, "none");
    ck_fails(dlviz_dataset_map_idx(&set, scratch_folder(), NULL), DLVIZ_ERROR_IO, "a folder");
    ck_fails(dlviz_dataset_map_idx(&set, NULL, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "images_path");
    ck_fails(dlviz_dataset_map_idx(NULL, f.images, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "out");
}
END_TEST

static dlviz_status map_and_load(void *context) {
    const files *f = context;
    dlviz_dataset *set;
    dlviz_tensor *samples;
    TRY(dlviz_dataset_map_idx(&set, f->images, f->labels));
    dlviz_status status = dlviz_dataset_samples(set, 0, N, &samples);
    dlviz_tensor_destroy(samples);
    dlviz_dataset_destroy(set);
    return status;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    unsigned char bytes[COLOR + 2 * N * PIXELS];
    files f;
    dlz_mapping_set_large(1);
    store(f.images, "images", bytes, make_images(true, bytes));
    store_gzip(f.labels, "labels", labels, sizeof labels);
    ck_assert_int_gt(fail_each_allocation(map_and_load, &f), 12);
    dlz_mapping_set_large(DLZ_PAGES_LEAST);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        mapped_files_give_what_read_ones_do, a_compressed_file_is_to_be_decompressed,
        files_of_another_length_are_refused, other_files_are_refused,
        nothing_leaks_when_memory_runs_out,  NULL};
    return run_tests("idx map", tests);
}
