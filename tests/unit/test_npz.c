#include "support/failing.h"
#include "support/memory.h"
#include "support/process.h"
#include "support/support.h"
#include "support/zip.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static double element(const dlviz_tensor *tensor, int64_t i) {
    const void *data = dlviz_tensor_const_data(tensor);
    switch (dlviz_tensor_dtype(tensor)) {
    case DLVIZ_FLOAT32:
        return (double)((const float *)data)[i];
    case DLVIZ_UINT8:
        return ((const uint8_t *)data)[i];
    default:
        return (double)((const int64_t *)data)[i];
    }
}

/* What generate_npz.py says is in every fixture. */
static void expect_array(const dlviz_npz *npz, const char *name, dlviz_dtype dtype, int ndim,
                         int64_t size, double (*value)(int64_t i)) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_npz_read(npz, name, &tensor));
    ck_assert_int_eq(dlviz_tensor_dtype(tensor), dtype);
    ck_assert_int_eq(dlviz_tensor_ndim(tensor), ndim);
    ck_assert_int_eq(dlviz_tensor_num_elements(tensor), size);
    for (int64_t i = 0; i < size; i++)
        ck_assert_msg(element(tensor, i) == value(i), "%s: element %d is %g", name, (int)i,
                      element(tensor, i));
    ck_assert_uint_eq((uintptr_t)dlviz_tensor_const_data(tensor) % 4, 0);
    dlviz_tensor_destroy(tensor);
}

static double image(int64_t i) {
    return (double)(i * 7);
}
static double label(int64_t i) {
    return (double[]){2, 0, 1, 2, 0}[i];
}
static double target(int64_t i) {
    return (double)(float)((double)i / 9);
}
static double in_long(int64_t i) {
    return (double)(i / 1000);
}
static double counting(int64_t i) {
    return (double)i;
}
static double first_is_true(int64_t i) {
    return i == 0;
}
static double one_and_a_half(int64_t i) {
    return 1.5 + (double)i;
}

static void expect_fixture(dlviz_npz *npz, bool with_long) {
    ck_assert_int_eq(dlviz_npz_num_arrays(npz), with_long ? 8 : 7);
    ck_assert_str_eq(dlviz_npz_array_name(npz, 0), "images");
    ck_assert_ptr_null(dlviz_npz_array_name(npz, -1));
    ck_assert_ptr_null(dlviz_npz_array_name(npz, dlviz_npz_num_arrays(npz)));
    expect_array(npz, "images", DLVIZ_UINT8, 3, 30, image);
    expect_array(npz, "labels", DLVIZ_INT64, 2, 5, label);
    expect_array(npz, "targets", DLVIZ_FLOAT32, 2, 10, target);
    if (with_long)
        expect_array(npz, "long", DLVIZ_INT64, 1, 100000, in_long);
    expect_array(npz, "folder/x", DLVIZ_FLOAT32, 2, 6, counting);
    expect_array(npz,
                 "gr\xc3\xb6\xc3\x9f"
                 "e",
                 DLVIZ_FLOAT32, 0, 1, one_and_a_half);
    expect_array(npz, "none", DLVIZ_FLOAT32, 2, 0, counting);
    dlviz_tensor *tensor = (void *)1, *offsets = (void *)1;
    ck_fails(dlviz_npz_read(npz, "times", &tensor), DLVIZ_ERROR_NUMERIC, "column 0 (float64)");
    ck_assert_ptr_null(tensor);
    ck_ok(dlviz_npz_read_shifted(npz, "times", &tensor, &offsets));
    for (int64_t i = 0; i < 40; i++)
        ck_assert_double_eq(element(tensor, i) + element(offsets, i % 2), 1.7e9 + (double)i / 4);
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(offsets);
    ck_fails(dlviz_npz_read(npz, "readme.txt", &tensor), DLVIZ_ERROR_NOT_FOUND,
             "no array 'readme.txt'; the archive has 'images', 'labels', 'targets', ");
    ck_fails(dlviz_npz_read_shifted(npz, "images.npy", &tensor, &offsets), DLVIZ_ERROR_NOT_FOUND,
             ", …");
    ck_assert(tensor == NULL && offsets == NULL);
}

static const char *const fixtures[] = {"npz_stored.npz", "npz_compressed.npz", "npz_streamed.npz",
                                       "npz_zip64.npz"};

START_TEST(what_numpy_writes_is_read) {
    for (int i = 0; i < 4; i++) {
        dlviz_npz *npz;
        ck_ok(dlviz_npz_open(&npz, fixture_path(fixtures[i])));
        expect_fixture(npz, i > 0);
        dlviz_npz_destroy(npz);
        /* In memory, at an odd address, with nothing behind it; the bytes are copied. */
        size_t size;
        unsigned char *bytes = file_bytes(fixture_path(fixtures[i]), &size),
                      *moved = malloc(size + 1);
        memcpy(moved + 1, bytes, size);
        free(bytes);
        ck_ok(dlviz_npz_open_memory(&npz, moved + 1, size));
        free(moved);
        expect_fixture(npz, i > 0);
        dlviz_npz_destroy(npz);
    }
}
END_TEST

START_TEST(pipes_are_read) {
    size_t size;
    unsigned char *bytes = file_bytes(fixture_path(fixtures[1]), &size);
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("fifo"));
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    pid_t child = fork();
    if (child == 0) {
        FILE *file = fopen(path, "wb");
        _exit(!file || fwrite(bytes, 1, size, file) != size || fclose(file) != 0);
    }
    dlviz_npz *npz;
    ck_ok(dlviz_npz_open(&npz, path));
    ck_assert_int_eq(waitpid(child, NULL, 0), child);
    expect_fixture(npz, true);
    dlviz_npz_destroy(npz);
    free(bytes);
}
END_TEST

START_TEST(archives_cut_anywhere_are_refused) {
    for (int i = 0; i < 4; i++) {
        size_t size;
        unsigned char *bytes = file_bytes(fixture_path(fixtures[i]), &size);
        for (size_t cut = 0; cut < size; cut++) {
            dlviz_npz *npz = (void *)1;
            unsigned char *exact = malloc(cut ? cut : 1);
            memcpy(exact, bytes, cut);
            ck_fails(dlviz_npz_open_memory(&npz, exact, cut), DLVIZ_ERROR_FORMAT, "cut short");
            ck_assert_ptr_null(npz);
            free(exact);
        }
        free(bytes);
    }
}
END_TEST

/* -- Archives made here --------------------------------------------------------------------------
 */

#define HEADER "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }\n"
static const float numbers[6] = {0, 1, 2, 3, 4, 5};

static zip archive;
static unsigned char npy[4096];
static size_t npy_size;

static void begin(void) {
    float in_order[6];
    memcpy(in_order, numbers, sizeof in_order);
    swap_to_file_order(in_order, 6, sizeof *in_order);
    memset(&archive, 0, sizeof archive);
    npy_size = make_npy_bytes(npy, HEADER, in_order, sizeof in_order);
}

static dlviz_status open_archive(dlviz_npz **npz) {
    zip_end(&archive, "");
    return dlviz_npz_open_memory(npz, archive.bytes, archive.size);
}

static void expect_numbers(const dlviz_npz *npz, const char *name) {
    expect_array(npz, name, DLVIZ_FLOAT32, 1, 6, counting);
}

START_TEST(comments_and_other_files_are_passed_over) {
    begin();
    zip_add(&archive, "folder/", "", 0, ZIP_STORED, (zip_lies){0});
    zip_add(&archive, "a.npy", npy, npy_size, ZIP_STORED, (zip_lies){0});
    zip_add(&archive, "a", "text", 4, ZIP_STORED, (zip_lies){0});
    zip_add(&archive, "a", "the same name", 13, ZIP_STORED, (zip_lies){0});
    zip_add(&archive, "\x82.txt", "in code page 437", 16, ZIP_STORED, (zip_lies){0});
    zip_add(&archive, "\xff", "", 0, ZIP_STORED, (zip_lies){0});
    zip_add(&archive, "zero.txt", "", 0, ZIP_STORED, (zip_lies){0});
    archive.directory[archive.directory_size - 6] = '\0';
    zip_add(&archive, "folder/a.npy", npy, npy_size, ZIP_DEFLATED, (zip_lies){0});
    zip_add(&archive, ".npy", npy, npy_size, ZIP_DEFLATED, (zip_lies){0});
    zip_end(&archive, "PK\5\6 is how an end begins, and so is PK\5\6 of another size");
    dlviz_npz *npz;
    ck_ok(dlviz_npz_open_memory(&npz, archive.bytes, archive.size));
    ck_assert_int_eq(dlviz_npz_num_arrays(npz), 3);
    ck_assert_str_eq(dlviz_npz_array_name(npz, 1), "folder/a");
    expect_numbers(npz, "a");
    expect_numbers(npz, "folder/a");
    expect_numbers(npz, "");
    dlviz_npz_destroy(npz);
    begin();
    ck_ok(open_archive(&npz));
    ck_assert_int_eq(dlviz_npz_num_arrays(npz), 0);
    dlviz_tensor *tensor;
    ck_fails(dlviz_npz_read(npz, "a", &tensor), DLVIZ_ERROR_NOT_FOUND, "the archive has none");
    dlviz_npz_destroy(npz);
}
END_TEST

START_TEST(directories_that_contradict_themselves_are_refused) {
    dlviz_npz *npz;
    begin();
    zip_add(&archive, "a.npy", npy, npy_size, ZIP_STORED, (zip_lies){0});
    zip_add(&archive, "a.npy", npy, npy_size, ZIP_STORED, (zip_lies){0});
    ck_fails(open_archive(&npz), DLVIZ_ERROR_FORMAT, "two files 'a.npy'");
    begin();
    zip_add(&archive, "\xff.npy", npy, npy_size, ZIP_STORED, (zip_lies){0});
    ck_fails(open_archive(&npz), DLVIZ_ERROR_FORMAT, "one of its arrays is no UTF-8");
    begin();
    zip_add(&archive, "zero.npy", npy, npy_size, ZIP_STORED, (zip_lies){0});
    archive.directory[archive.directory_size - 6] = '\0';
    ck_fails(open_archive(&npz), DLVIZ_ERROR_FORMAT, "one of its arrays is no UTF-8");
    begin();
    zip_add(&archive, "a.npy", npy, npy_size, ZIP_STORED, (zip_lies){0});
    archive.count = 2;
    ck_fails(open_archive(&npz), DLVIZ_ERROR_FORMAT, "has 1 files and should have 2");
    begin();
    zip_add(&archive, "a.npy", npy, npy_size, ZIP_STORED, (zip_lies){0});
    archive.directory[28] = 200; /* the name's length */
    ck_fails(open_archive(&npz), DLVIZ_ERROR_FORMAT, "its directory breaks off at byte 0");
    begin();
    zip_add(&archive, "a.npy", npy, npy_size, ZIP_STORED, (zip_lies){.unpacked = UINT32_MAX});
    ck_ok(open_archive(&npz)); /* and says when it is read that there is no such size */
    dlviz_npz_destroy(npz);
    begin();
    zip_add(&archive, "a.npy", npy, npy_size, ZIP_STORED, (zip_lies){0});
    zip_end(&archive, "");
    archive.bytes[archive.size - 22 + 4] = 1;
    ck_fails(dlviz_npz_open_memory(&npz, archive.bytes, archive.size), DLVIZ_ERROR_UNSUPPORTED,
             "several files");
    ck_assert_ptr_null(npz);
    ck_fails(dlviz_npz_open_memory(&npz, npy, npy_size), DLVIZ_ERROR_FORMAT, "no zip archive");
    ck_fails(dlviz_npz_open(&npz, scratch_path("nowhere")), DLVIZ_ERROR_IO, "nowhere");
    write_file(scratch_path("bad.npz"), npy, npy_size);
    ck_fails(dlviz_npz_open(&npz, scratch_path("bad.npz")), DLVIZ_ERROR_FORMAT, "bad.npz");
}
END_TEST

START_TEST(entries_that_lie_are_refused) {
    const struct {
        int method;
        zip_lies lies;
        dlviz_status status;
        const char *words;
    } cases[] = {
        {ZIP_STORED, {.checksum = 1}, DLVIZ_ERROR_FORMAT, "should be 00000001"},
        {ZIP_DEFLATED, {.checksum = 1}, DLVIZ_ERROR_FORMAT, "should be 00000001"},
        {ZIP_STORED, {.flags = 1}, DLVIZ_ERROR_UNSUPPORTED, "encrypted"},
        {ZIP_STORED, {.method = 12}, DLVIZ_ERROR_UNSUPPORTED, "method 12; 0 (stored) and 8"},
        {ZIP_STORED, {.local_name = "b.npy"}, DLVIZ_ERROR_FORMAT, "another file"},
        {ZIP_STORED, {.local_name = "longer.npy"}, DLVIZ_ERROR_FORMAT, "another file"},
        {ZIP_STORED, {.start = 3}, DLVIZ_ERROR_FORMAT, "another file at byte 3"},
        {ZIP_STORED, {.start = 1u << 30}, DLVIZ_ERROR_FORMAT, "beyond its end"},
        {ZIP_STORED, {.unpacked = 1000}, DLVIZ_ERROR_FORMAT, "do not become 1000"},
        {ZIP_STORED, {.unpacked = UINT32_MAX}, DLVIZ_ERROR_FORMAT, "do not become 4294967295"},
        {ZIP_STORED, {.packed = 1 << 20, .unpacked = 1 << 20}, DLVIZ_ERROR_FORMAT, "ends in it"},
        /* What the array's header says and what the entry says differ by one byte. */
        {ZIP_DEFLATED,
         {.unpacked = 10 + sizeof HEADER - 1 + 23},
         DLVIZ_ERROR_FORMAT,
         "the file has 23"},
        {ZIP_DEFLATED,
         {.unpacked = 10 + sizeof HEADER - 1 + 25},
         DLVIZ_ERROR_FORMAT,
         "the file has 25"},
        /* A gigabyte cannot be in so few bytes. */
        {ZIP_DEFLATED, {.unpacked = 1 << 30}, DLVIZ_ERROR_FORMAT, "do not become 1073741824"},
        {ZIP_DEFLATED, {.unpacked = 5}, DLVIZ_ERROR_FORMAT, "does not start as"},
        {ZIP_DEFLATED, {.unpacked = 9}, DLVIZ_ERROR_FORMAT, "ends within the header's length"},
        {ZIP_DEFLATED, {.unpacked = 11}, DLVIZ_ERROR_FORMAT, "1 bytes follow"},
        {ZIP_DEFLATED, {.omits_end = true}, DLVIZ_ERROR_FORMAT, "compressed data are"},
        {ZIP_DEFLATED, {.packed = 20}, DLVIZ_ERROR_FORMAT, "damaged"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlviz_npz *npz;
        dlviz_tensor *tensor = (void *)1;
        begin();
        zip_add(&archive, "a.npy", npy, npy_size, cases[i].method, cases[i].lies);
        zip_add(&archive, "z.npy", npy, npy_size, ZIP_DEFLATED, (zip_lies){0});
        ck_ok(open_archive(&npz));
        dlviz_status status = dlviz_npz_read(npz, "a", &tensor);
        if (i == 14) /* five bytes of the start are those of a start */
            ck_fails(status, DLVIZ_ERROR_FORMAT, "ends within its first 8 bytes");
        else
            ck_fails(status, cases[i].status, cases[i].words);
        ck_assert_ptr_null(tensor);
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "dlviz_npz_read: cannot read array 'a'"));
        expect_numbers(npz, "z");
        dlviz_npz_destroy(npz);
    }
}
END_TEST

/* Compressed data say where they end. */
START_TEST(bytes_behind_compressed_data_are_refused) {
    for (uint32_t more = 0; more < 3; more++) {
        dlviz_npz *npz;
        dlviz_tensor *tensor;
        begin();
        zip_add(&archive, "a.npy", npy, npy_size, ZIP_DEFLATED, (zip_lies){0});
        uint32_t packed = archive.directory[20] + 256u * archive.directory[21];
        begin();
        zip_add(&archive, "a.npy", npy, npy_size, ZIP_DEFLATED,
                (zip_lies){.packed = packed + more});
        zip_add(&archive, "b.npy", npy, npy_size, ZIP_DEFLATED, (zip_lies){0});
        ck_ok(open_archive(&npz));
        if (more == 0)
            expect_numbers(npz, "a");
        else
            ck_fails(dlviz_npz_read(npz, "a", &tensor), DLVIZ_ERROR_FORMAT,
                     "its compressed data are too short or too long");
        dlviz_npz_destroy(npz);
    }
}
END_TEST

START_TEST(an_array_that_is_none_is_refused) {
    dlviz_npz *npz;
    dlviz_tensor *tensor;
    begin();
    zip_add(&archive, "a.npy", "no array at all", 15, ZIP_DEFLATED, (zip_lies){0});
    zip_add(&archive, "b.npy", "", 0, ZIP_STORED, (zip_lies){0});
    zip_add(&archive, "c.npy", "", 0, ZIP_DEFLATED, (zip_lies){0});
    /* Announces a header of 65,535 bytes, and numbers of 2^60 bytes. */
    zip_add(&archive, "d.npy", "\x93NUMPY\1\0\xff\xff{", 11, ZIP_STORED, (zip_lies){0});
    npy_size = make_npy_bytes(
        npy, "{'descr': '<f4', 'fortran_order': False, 'shape': (288230376151711744,), }\n", "", 0);
    zip_add(&archive, "e.npy", npy, npy_size, ZIP_STORED, (zip_lies){0});
    ck_ok(open_archive(&npz));
    ck_fails(dlviz_npz_read(npz, "a", &tensor), DLVIZ_ERROR_FORMAT, "does not start");
    ck_fails(dlviz_npz_read(npz, "b", &tensor), DLVIZ_ERROR_FORMAT, "ends within its first");
    ck_fails(dlviz_npz_read(npz, "c", &tensor), DLVIZ_ERROR_FORMAT, "ends within its first");
    ck_fails(dlviz_npz_read(npz, "d", &tensor), DLVIZ_ERROR_FORMAT, "1 bytes follow");
    ck_fails(dlviz_npz_read(npz, "e", &tensor), DLVIZ_ERROR_FORMAT, "the file has 0");
    dlviz_npz_destroy(npz);
}
END_TEST

/* -- Datasets ------------------------------------------------------------------------------------
 */

/* A few kilobytes that unpack to a header of megabytes. */
START_TEST(a_header_takes_little_memory) {
    enum { SIZE = 16 << 20 };
    unsigned char *data = malloc(SIZE);
    memset(data, ' ', SIZE);
    memcpy(data, "\x93NUMPY\2\0\xF4\xFF\xFF\0", 12);
    zip *bomb = calloc(1, sizeof *bomb);
    zip_add(bomb, "x.npy", data, SIZE, ZIP_DEFLATED, (zip_lies){0});
    zip_end(bomb, "");
    watch_memory();
    dlviz_npz *npz;
    dlviz_tensor *tensor;
    ck_ok(dlviz_npz_open_memory(&npz, bomb->bytes, bomb->size));
    ck_fails(dlviz_npz_read(npz, "x", &tensor), DLVIZ_ERROR_FORMAT, "its header takes 16777216");
    ck_assert_ptr_null(tensor);
    dlviz_npz_destroy(npz);
    ck_assert_int_lt(memory_watched(), 1 << 20);
    free(bomb);
    free(data);
}
END_TEST

START_TEST(the_limits_sentence_names_file_and_array) {
    dlviz_npz *npz;
    dlviz_tensor *tensor;
    char words[600];
    ck_ok(dlviz_npz_open(&npz, fixture_path(fixtures[1])));
    snprintf(words, sizeof words, "array 'long' of '%s' takes more memory than the 300000 bytes",
             fixture_path(fixtures[1]));
    ck_ok(dlviz_set_file_limit(300000));
    ck_fails(dlviz_npz_read(npz, "long", &tensor), DLVIZ_ERROR_OUT_OF_MEMORY, words);
    ck_fails(dlviz_npz_read_shifted(npz, "long", &tensor, NULL), DLVIZ_ERROR_OUT_OF_MEMORY, words);
    ck_ok(dlviz_set_file_limit(0));
    dlviz_npz_destroy(npz);
}
END_TEST

/* Truth values are 0 and 1 as samples, and as labels too; bytes are shares of 255. */
START_TEST(truth_values_are_numbers) {
    static const char *const types[] = {"|b1", "|u1"};
    const unsigned char bits[8] = {1, 0, 1, 1, 0, 0, 0, 1};
    for (int t = 0; t < 2; t++) {
        char header[128];
        unsigned char file[1024];
        memset(&archive, 0, sizeof archive);
        for (int a = 0; a < 3; a++) {
            static const char *const shapes[] = {"2, 2, 2", "2, 1", "2, 4"};
            static const char *const names[] = {"images.npy", "labels.npy", "vectors.npy"};
            snprintf(header, sizeof header,
                     "{'descr': '%s', 'fortran_order': %s, 'shape': (%s), }\n", types[t],
                     a == 2 ? "True" : "False", shapes[a]);
            size_t size = make_npy_bytes(file, header, bits, a == 1 ? 2 : 8);
            zip_add(&archive, names[a], file, size, a == 0 ? ZIP_DEFLATED : ZIP_STORED,
                    (zip_lies){0});
        }
        zip_end(&archive, "");
        for (int a = 0; a < 2; a++) {
            dlviz_dataset *dataset;
            dlviz_tensor *samples;
            ck_ok(dlviz_dataset_read_npz_memory(&dataset, archive.bytes, archive.size,
                                                a ? "vectors" : "images", "labels"));
            ck_ok(dlviz_dataset_samples(dataset, 0, 2, &samples));
            for (int i = 0; i < 8; i++) {
                float bit = bits[a ? i / 4 + i % 4 * 2 : i];
                ck_assert_float_eq(dlviz_tensor_float(samples)[i], t ? bit / 255.0f : bit);
            }
            ck_assert(element(dlviz_dataset_labels(dataset), 0) == 1);
            ck_assert(element(dlviz_dataset_labels(dataset), 1) == 0);
            dlviz_tensor_destroy(samples);
            dlviz_dataset_destroy(dataset);
        }
        dlviz_npz *npz;
        ck_ok(dlviz_npz_open_memory(&npz, archive.bytes, archive.size));
        expect_array(npz, "labels", DLVIZ_UINT8, 2, 2, first_is_true);
        dlviz_npz_destroy(npz);
    }
}
END_TEST

START_TEST(datasets_are_made_of_arrays) {
    const char *path = fixture_path("npz_compressed.npz");
    size_t size;
    unsigned char *bytes = file_bytes(path, &size);
    for (int in_memory = 0; in_memory < 2; in_memory++) {
        dlviz_dataset *dataset;
        ck_ok(in_memory ? dlviz_dataset_read_npz_memory(&dataset, bytes, size, "images", "labels")
                        : dlviz_dataset_read_npz(&dataset, path, "images", "labels"));
        ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 5);
        ck_assert_int_eq(dlviz_dataset_dims(dataset)[2], 3);
        ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 3);
        ck_assert_int_eq(
            ((const int64_t *)dlviz_tensor_const_data(dlviz_dataset_labels(dataset)))[3], 2);
        dlviz_dataset_destroy(dataset);
        ck_ok(in_memory ? dlviz_dataset_read_npz_memory(&dataset, bytes, size, "images", "targets")
                        : dlviz_dataset_read_npz(&dataset, path, "images", "targets"));
        ck_assert_int_eq(dlviz_dataset_target_dims(dataset)[0], 2);
        dlviz_dataset_destroy(dataset);
        ck_ok(in_memory ? dlviz_dataset_read_npz_memory(&dataset, bytes, size, "targets", NULL)
                        : dlviz_dataset_read_npz(&dataset, path, "targets", NULL));
        ck_assert_int_eq(dlviz_dataset_target_ndim(dataset), 0);
        dlviz_dataset_destroy(dataset);
    }
    dlviz_dataset *dataset = (void *)1;
    ck_fails(dlviz_dataset_read_npz(&dataset, path, "images", "long"), DLVIZ_ERROR_SHAPE,
             "100000 samples, for 5");
    ck_assert_ptr_null(dataset);
    ck_fails(dlviz_dataset_read_npz(&dataset, path, "labels", NULL), DLVIZ_ERROR_SHAPE, "int64");
    ck_fails(dlviz_dataset_read_npz(&dataset, path, "pictures", NULL), DLVIZ_ERROR_NOT_FOUND,
             "'pictures'; the archive has");
    ck_fails(dlviz_dataset_read_npz(&dataset, path, NULL, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'samples_name' is NULL");
    free(bytes);
}
END_TEST

/* Errors other than memory would hide others: nothing but what there is is asked for. */
static dlviz_status read_everything(void *path) {
    dlviz_dataset *dataset = NULL;
    dlviz_npz *npz;
    dlviz_tensor *tensor = NULL, *offsets = NULL;
    TRY(dlviz_npz_open(&npz, path));
    dlviz_status status = dlviz_npz_read_shifted(npz, "times", &tensor, &offsets);
    dlviz_npz_destroy(npz);
    if (status == DLVIZ_OK)
        status = dlviz_dataset_read_npz(&dataset, path, "images", "labels");
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(offsets);
    dlviz_dataset_destroy(dataset);
    return status;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    char path[512];
    snprintf(path, sizeof path, "%s", fixture_path("npz_zip64.npz"));
    ck_assert_int_ge(fail_each_allocation(read_everything, path), 30);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {what_numpy_writes_is_read,
                                  pipes_are_read,
                                  archives_cut_anywhere_are_refused,
                                  comments_and_other_files_are_passed_over,
                                  directories_that_contradict_themselves_are_refused,
                                  entries_that_lie_are_refused,
                                  bytes_behind_compressed_data_are_refused,
                                  an_array_that_is_none_is_refused,
                                  a_header_takes_little_memory,
                                  truth_values_are_numbers,
                                  datasets_are_made_of_arrays,
                                  the_limits_sentence_names_file_and_array,
                                  nothing_leaks_when_memory_runs_out,
                                  NULL};
    return run_tests("npz", tests);
}
