#include "base/file.h"
#include "support/failing.h"
#include "support/support.h"
#include "support/zip.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

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

/* The fixtures hold 0, 1, … 23 as 2 x 3 x 4. */
static void expect_counting(const char *name, dlviz_dtype dtype) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_read_npy(&tensor, fixture_path(name)));
    ck_assert_int_eq(dlviz_tensor_dtype(tensor), dtype);
    ck_assert_int_eq(dlviz_tensor_ndim(tensor), 3);
    for (int i = 0; i < 3; i++)
        ck_assert_int_eq(dlviz_tensor_dim(tensor, i), i + 2);
    for (int64_t i = 0; i < 24; i++)
        ck_assert_msg(element(tensor, i) == (double)i, "%s: element %d is %g", name, (int)i,
                      element(tensor, i));
    ck_assert_uint_eq((uintptr_t)dlviz_tensor_const_data(tensor) % 64, 0);
    dlviz_tensor_destroy(tensor);
}

START_TEST(what_numpy_writes_is_read) {
    const char *reals[] = {"f4", "f8", "f2"},
               *wholes[] = {"i1", "u2", "i2", "u4", "i4", "u8", "i8"};
    char name[64];
    for (size_t i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "npy_%s.npy", reals[i]);
        expect_counting(name, DLVIZ_FLOAT32);
        snprintf(name, sizeof name, "npy_big_%s.npy", reals[i]);
        expect_counting(name, DLVIZ_FLOAT32);
    }
    for (size_t i = 0; i < 7; i++) {
        snprintf(name, sizeof name, "npy_%s.npy", wholes[i]);
        expect_counting(name, DLVIZ_INT64);
        snprintf(name, sizeof name, "npy_big_%s.npy", wholes[i]);
        if (i > 0)
            expect_counting(name, DLVIZ_INT64);
    }
    expect_counting("npy_u1.npy", DLVIZ_UINT8);
    expect_counting("npy_fortran_f4.npy", DLVIZ_FLOAT32);
    expect_counting("npy_fortran_u1.npy", DLVIZ_UINT8);
    expect_counting("npy_fortran_big_i4.npy", DLVIZ_INT64);
    expect_counting("npy_version2.npy", DLVIZ_FLOAT32);
    expect_counting("npy_version3.npy", DLVIZ_FLOAT32);
}
END_TEST

START_TEST(other_shapes_are_read) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_read_npy(&tensor, fixture_path("npy_scalar.npy")));
    ck_assert_int_eq(dlviz_tensor_ndim(tensor), 0);
    ck_assert_double_eq(element(tensor, 0), 1.5);
    dlviz_tensor_destroy(tensor);
    ck_ok(dlviz_tensor_read_npy(&tensor, fixture_path("npy_vector.npy")));
    ck_assert_int_eq(dlviz_tensor_ndim(tensor), 1);
    ck_assert_int_eq(dlviz_tensor_num_elements(tensor), 5);
    dlviz_tensor_destroy(tensor);
    ck_ok(dlviz_tensor_read_npy(&tensor, fixture_path("npy_empty.npy")));
    ck_assert_int_eq(dlviz_tensor_num_elements(tensor), 0);
    ck_assert_int_eq(dlviz_tensor_dim(tensor, 1), 3);
    dlviz_tensor_destroy(tensor);
}
END_TEST

START_TEST(every_value_is_right) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_read_npy(&tensor, fixture_path("npy_halves.npy")));
    const float *half = dlviz_tensor_const_float(tensor);
    const float expected[] = {0, -0.0f, 0x1p-24f, -0x1p-14f, 65504, INFINITY, -INFINITY};
    for (int i = 0; i < 7; i++)
        ck_assert_msg(memcmp(&half[i], &expected[i], 4) == 0, "half %d is %g", i, (double)half[i]);
    ck_assert(isnan(half[7]));
    ck_assert_float_eq(half[8], 0.333251953125f);
    dlviz_tensor_destroy(tensor);
    ck_ok(dlviz_tensor_read_npy(&tensor, fixture_path("npy_negative_i1.npy")));
    ck_assert_double_eq(element(tensor, 0), -128);
    ck_assert_double_eq(element(tensor, 1), -1);
    ck_assert_double_eq(element(tensor, 2), 127);
    dlviz_tensor_destroy(tensor);
    ck_ok(dlviz_tensor_read_npy(&tensor, fixture_path("npy_bool.npy")));
    ck_assert_int_eq(dlviz_tensor_dtype(tensor), DLVIZ_UINT8);
    ck_assert_double_eq(element(tensor, 0) + 10 * element(tensor, 1) + 100 * element(tensor, 2),
                        101);
    dlviz_tensor_destroy(tensor);
}
END_TEST

START_TEST(other_kinds_are_refused_by_name) {
    dlviz_tensor *tensor = (void *)1;
    ck_fails(dlviz_tensor_read_npy(&tensor, fixture_path("npy_object.npy")),
             DLVIZ_ERROR_UNSUPPORTED, "'|O'");
    ck_assert_ptr_null(tensor);
    ck_fails(dlviz_tensor_read_npy(&tensor, fixture_path("npy_structured.npy")),
             DLVIZ_ERROR_UNSUPPORTED, "structured");
    ck_fails(dlviz_tensor_read_npy(&tensor, fixture_path("npy_complex.npy")),
             DLVIZ_ERROR_UNSUPPORTED, "'<c8'");
    ck_fails(dlviz_tensor_read_npy(&tensor, fixture_path("npy_text.npy")), DLVIZ_ERROR_UNSUPPORTED,
             "'<U2'");
    ck_fails(dlviz_tensor_read_npy(&tensor, fixture_path("npy_date.npy")), DLVIZ_ERROR_UNSUPPORTED,
             "'<M8[s]'");
}
END_TEST

/* Writes a version 1 file with this header text and `count` elements of `size` bytes, or zeros. */
static const char *make_npy(const char *header, const void *elements, size_t count, size_t size) {
    unsigned char file[8192] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0};
    size_t length = strlen(header);
    file[8] = (unsigned char)(length & 255);
    file[9] = (unsigned char)(length >> 8);
    memcpy(file + 10, header, length);
    if (elements) {
        memcpy(file + 10 + length, elements, count * size);
        swap_to_file_order(file + 10 + length, count, size);
    }
    const char *path = scratch_path("made.npy");
    write_file(path, file, 10 + length + count * size);
    return path;
}

#define HEADER(descr, order, shape)                                                                \
    "{'descr': " descr ", 'fortran_order': " order ", 'shape': " shape "}"

START_TEST(bad_headers_are_refused) {
    static const struct {
        const char *header;
        size_t bytes;
        dlviz_status status;
        const char *words;
    } cases[] = {
        {"", 0, DLVIZ_ERROR_FORMAT, "'{'"},
        {"[1]", 0, DLVIZ_ERROR_FORMAT, "'{'"},
        {"{}", 0, DLVIZ_ERROR_FORMAT, "lacks the key 'descr'"},
        {"{'descr': '<f4', 'shape': (2,)}", 8, DLVIZ_ERROR_FORMAT, "lacks the key 'fortran_order'"},
        {"{'descr': '<f4', 'fortran_order': False}", 8, DLVIZ_ERROR_FORMAT,
         "lacks the key 'shape'"},
        {"{'descr': '<f4', 'descr': '<f4'}", 8, DLVIZ_ERROR_FORMAT, "second key 'descr'"},
        {"{'other': 1}", 8, DLVIZ_ERROR_FORMAT, "unknown key 'other'"},
        {"{'descr' '<f4'}", 8, DLVIZ_ERROR_FORMAT, "':'"},
        {"{'descr': '<f4' 'shape': (2,)}", 8, DLVIZ_ERROR_FORMAT, "',' or '}'"},
        {"{'descr: '<f4'}", 8, DLVIZ_ERROR_FORMAT, "unknown key 'descr: '"},
        {"{'descr", 8, DLVIZ_ERROR_FORMAT, "needs"},
        {HEADER("'<f4'", "False", "(2,)") " x", 8, DLVIZ_ERROR_FORMAT, "nothing but spaces"},
        {HEADER("'<f4'", "0", "(2,)"), 8, DLVIZ_ERROR_FORMAT, "True or False"},
        {HEADER("'f4'", "False", "(2,)"), 8, DLVIZ_ERROR_FORMAT, "byte order"},
        {HEADER("'|f4'", "False", "(2,)"), 8, DLVIZ_ERROR_FORMAT, "byte order"},
        {HEADER("'<f16'", "False", "(2,)"), 32, DLVIZ_ERROR_UNSUPPORTED, "'<f16'"},
        {HEADER("'\\x66'", "False", "(2,)"), 8, DLVIZ_ERROR_FORMAT, "escapes"},
        {HEADER("'<f4'", "False", "(2)"), 8, DLVIZ_ERROR_FORMAT, "tuple of one"},
        {HEADER("'<f4'", "False", "2"), 8, DLVIZ_ERROR_FORMAT, "a tuple"},
        {HEADER("'<f4'", "False", "(,)"), 8, DLVIZ_ERROR_FORMAT, "digits"},
        {HEADER("'<f4'", "False", "(-2,)"), 8, DLVIZ_ERROR_FORMAT, "digits"},
        {HEADER("'<f4'", "False", "(2 2)"), 16, DLVIZ_ERROR_FORMAT, "',' or ')'"},
        {HEADER("'<f4'", "False", "(2,"), 8, DLVIZ_ERROR_FORMAT, "digits"},
        {HEADER("'<f4'", "False", "(1, 1, 1, 1, 1, 1, 1, 1, 1)"), 4, DLVIZ_ERROR_UNSUPPORTED,
         "more than 8 dimensions"},
        {HEADER("'<f4'", "False", "(9223372036854775808,)"), 8, DLVIZ_ERROR_FORMAT, "2^63"},
        {HEADER("'<f4'", "False", "(4294967296, 4294967296)"), 0, DLVIZ_ERROR_FORMAT, "too large"},
        {HEADER("'<f4'", "False", "(4611686018427387904,)"), 0, DLVIZ_ERROR_FORMAT, "too large"},
        {HEADER("'<f8'", "False", "(2305843009213693952,)"), 0, DLVIZ_ERROR_FORMAT, "too large"},
        {HEADER("'<f4'", "False", "(2,)"), 7, DLVIZ_ERROR_FORMAT, "need 8 bytes"},
        {HEADER("'<f4'", "False", "(2,)"), 9, DLVIZ_ERROR_FORMAT, "the file has 9"},
        {HEADER("'<f4'", "False", "(0, 5)"), 1, DLVIZ_ERROR_FORMAT, "the file has 1"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlviz_tensor *tensor = (void *)1;
        const char *path = make_npy(cases[i].header, NULL, cases[i].bytes, 1);
        ck_fails(dlviz_tensor_read_npy(&tensor, path), cases[i].status, cases[i].words);
        ck_assert_ptr_null(tensor);
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), path));
    }
}
END_TEST

START_TEST(unusual_but_valid_headers_are_read) {
    const char *headers[] = {
        "{\"shape\": (2,), \"fortran_order\": False, \"descr\": \"<f4\"}\n",
        "  {'descr':'<f4','fortran_order':True,'shape':(2L,),}   \n",
        HEADER("'<f4'", "False", "( 2 , )") "\t\r\n",
        HEADER("'<f4'", "False", "(1, 2,)"),
    };
    const float two[] = {3, 4};
    for (size_t i = 0; i < 4; i++) {
        dlviz_tensor *tensor;
        ck_ok(dlviz_tensor_read_npy(&tensor, make_npy(headers[i], two, 2, sizeof *two)));
        ck_assert_int_eq(dlviz_tensor_num_elements(tensor), 2);
        ck_assert_double_eq(element(tensor, 1), 4);
        dlviz_tensor_destroy(tensor);
    }
}
END_TEST

START_TEST(values_that_do_not_fit_are_refused) {
    dlviz_tensor *tensor;
    const double large[] = {0, 1e300}, infinite[] = {-INFINITY, NAN};
    const uint64_t huge[] = {0, UINT64_C(1) << 63};
    ck_fails(
        dlviz_tensor_read_npy(&tensor, make_npy(HEADER("'<f8'", "False", "(2,)"), large, 2, 8)),
        DLVIZ_ERROR_NUMERIC, "element 1 is 1e+300");
    ck_fails(dlviz_tensor_read_npy(&tensor, make_npy(HEADER("'<u8'", "False", "(2,)"), huge, 2, 8)),
             DLVIZ_ERROR_NUMERIC, "element 1 is 9223372036854775808");
    ck_fails(
        dlviz_tensor_read_npy(&tensor, make_npy(HEADER("'|b1'", "False", "(2,)"), "\1\2", 2, 1)),
        DLVIZ_ERROR_FORMAT, "element 1 is 2");
    ck_ok(
        dlviz_tensor_read_npy(&tensor, make_npy(HEADER("'<f8'", "False", "(2,)"), infinite, 2, 8)));
    ck_assert(isinf(element(tensor, 0)) && isnan(element(tensor, 1)));
    dlviz_tensor_destroy(tensor);
}
END_TEST

START_TEST(bad_starts_are_refused) {
    dlviz_tensor *tensor;
    const char *path = scratch_path("start.npy");
    write_file(path, "PK\3\4 an archive", 15);
    ck_fails(dlviz_tensor_read_npy(&tensor, path), DLVIZ_ERROR_FORMAT,
             "dlviz_npz_open reads .npz files");
    write_file(path, "\x93NUMPY\4\0\2\0{}", 12);
    ck_fails(dlviz_tensor_read_npy(&tensor, path), DLVIZ_ERROR_UNSUPPORTED, "version 4.0");
    write_file(path, "\x93NUMPY\1\1\2\0{}", 12);
    ck_fails(dlviz_tensor_read_npy(&tensor, path), DLVIZ_ERROR_UNSUPPORTED, "version 1.1");
    write_file(path, "\x93NUMPY\2\0\xff\xff\xff\xff{}", 14);
    ck_fails(dlviz_tensor_read_npy(&tensor, path), DLVIZ_ERROR_FORMAT, "4294967295 bytes long");
    write_file(path, "", 0);
    ck_fails(dlviz_tensor_read_npy(&tensor, path), DLVIZ_ERROR_FORMAT, "empty");
    ck_fails(dlviz_tensor_read_npy(&tensor, scratch_folder()), DLVIZ_ERROR_IO, "folder");
    ck_fails(dlviz_tensor_read_npy(&tensor, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'path' is NULL");
}
END_TEST

START_TEST(a_file_cut_anywhere_is_refused) {
    const char *names[] = {"npy_f4.npy", "npy_version2.npy", "npy_fortran_big_i4.npy"};
    for (size_t i = 0; i < 3; i++) {
        void *bytes;
        size_t size;
        ck_ok(dlz_file_read(fixture_path(names[i]), 1 << 20, &bytes, &size));
        const char *path = scratch_path("cut.npy");
        for (size_t length = 0; length < size; length++) {
            dlviz_tensor *tensor;
            write_file(path, bytes, length);
            ck_fails(dlviz_tensor_read_npy(&tensor, path), DLVIZ_ERROR_FORMAT, path);
        }
        dlz_free(bytes);
    }
}
END_TEST

START_TEST(written_files_come_back) {
    const int64_t dims[] = {3, 1, 5000};
    const dlviz_dtype dtypes[] = {DLVIZ_FLOAT32, DLVIZ_UINT8, DLVIZ_INT64};
    const char *path = scratch_path("round.npy");
    for (size_t d = 0; d < 3; d++)
        for (int ndim = 0; ndim <= 3; ndim++) {
            dlviz_tensor *tensor, *back;
            ck_ok(dlviz_tensor_create(&tensor, dtypes[d], ndim, dims));
            uint8_t *data = dlviz_tensor_data(tensor);
            size_t size = (size_t)dlviz_tensor_num_elements(tensor) * dlviz_dtype_size(dtypes[d]);
            for (size_t i = 0; i < size; i++)
                data[i] = (uint8_t)(i * 37 + i / 251);
            ck_ok(dlviz_tensor_write_npy(tensor, path));
            ck_ok(dlviz_tensor_read_npy(&back, path));
            ck_assert_int_eq(dlviz_tensor_dtype(back), dtypes[d]);
            ck_assert_int_eq(dlviz_tensor_ndim(back), ndim);
            ck_assert_int_eq(memcmp(dlviz_tensor_dims(back), dims, (size_t)ndim * sizeof *dims), 0);
            ck_assert_int_eq(memcmp(dlviz_tensor_data(back), data, size), 0);
            dlviz_tensor_destroy(tensor);
            dlviz_tensor_destroy(back);
        }
}
END_TEST

START_TEST(written_files_are_numpys_byte_for_byte) {
    const char *names[] = {"npy_f4.npy",     "npy_u1.npy",     "npy_i8.npy",
                           "npy_scalar.npy", "npy_vector.npy", "npy_empty.npy"};
    for (size_t i = 0; i < 6; i++) {
        dlviz_tensor *tensor;
        const char *path = scratch_path("same.npy");
        ck_ok(dlviz_tensor_read_npy(&tensor, fixture_path(names[i])));
        ck_ok(dlviz_tensor_write_npy(tensor, path));
        dlviz_tensor_destroy(tensor);
        void *theirs, *ours;
        size_t their_size, our_size;
        ck_ok(dlz_file_read(fixture_path(names[i]), 1 << 20, &theirs, &their_size));
        ck_ok(dlz_file_read(path, 1 << 20, &ours, &our_size));
        ck_assert_uint_eq(our_size, their_size);
        ck_assert_int_eq(memcmp(ours, theirs, our_size), 0);
        dlz_free(ours);
        dlz_free(theirs);
    }
    /* The longest header there can be. */
    int64_t dims[] = {0,         INT64_MAX, INT64_MAX, INT64_MAX,
                      INT64_MAX, INT64_MAX, INT64_MAX, INT64_MAX};
    dlviz_tensor *tensor, *back;
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_UINT8, 8, dims));
    ck_ok(dlviz_tensor_write_npy(tensor, scratch_path("long.npy")));
    ck_ok(dlviz_tensor_read_npy(&back, scratch_path("long.npy")));
    ck_assert_int_eq(dlviz_tensor_dim(back, 7), INT64_MAX);
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(back);
}
END_TEST

static dlviz_status read_and_write(void *name) {
    char path[1200];
    snprintf(path, sizeof path, "%s", fixture_path(name));
    dlviz_tensor *tensor;
    dlviz_status status = dlviz_tensor_read_npy(&tensor, path);
    if (status != DLVIZ_OK)
        return status;
    status = dlviz_tensor_write_npy(tensor, scratch_path("again.npy"));
    dlviz_tensor_destroy(tensor);
    return status;
}

/* Offsets are of a row's shape, which nothing in the file stands for where there are no rows. */
START_TEST(offsets_of_no_rows_are_few) {
    static const struct {
        const char *descr, *shape;
        int64_t columns; /* -1: it is refused */
    } cases[] = {{"<f4", "0, 65536", 65536},
                 {"<f8", "0, 256, 256", 65536},
                 {"<f4", "0, 65537", -1},
                 {"<f8", "0, 1000000000", -1},
                 {"|u1", "0, 9223372036854775807, 9223372036854775807", -1},
                 {"<i8", "7, 0, 9223372036854775807", 0},
                 {"<f4", "0", 1}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char header[128];
        unsigned char bytes[256];
        dlviz_tensor *tensor, *offsets;
        snprintf(header, sizeof header, "{'descr': '%s', 'fortran_order': False, 'shape': (%s,), }",
                 cases[i].descr, cases[i].shape);
        size_t size = make_npy_bytes(bytes, header, NULL, 0);
        if (cases[i].columns < 0) {
            ck_fails(dlviz_tensor_read_npy_shifted_memory(&tensor, bytes, size, &offsets),
                     DLVIZ_ERROR_FORMAT, "at most 65536 columns");
            ck_assert(!tensor && !offsets);
            continue;
        }
        ck_ok(dlviz_tensor_read_npy_shifted_memory(&tensor, bytes, size, &offsets));
        ck_assert_int_eq(dlviz_tensor_num_elements(tensor), 0);
        ck_assert_int_eq(dlviz_tensor_num_elements(offsets), cases[i].columns);
        dlviz_tensor_destroy(tensor);
        dlviz_tensor_destroy(offsets);
    }
}
END_TEST

START_TEST(nothing_leaks_when_memory_runs_out) {
    ck_assert_int_ge(fail_each_allocation(read_and_write, "npy_f4.npy"), 5);
    ck_assert_int_ge(fail_each_allocation(read_and_write, "npy_fortran_big_i4.npy"), 8);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {what_numpy_writes_is_read,
                                  other_shapes_are_read,
                                  every_value_is_right,
                                  other_kinds_are_refused_by_name,
                                  bad_headers_are_refused,
                                  unusual_but_valid_headers_are_read,
                                  values_that_do_not_fit_are_refused,
                                  bad_starts_are_refused,
                                  a_file_cut_anywhere_is_refused,
                                  written_files_come_back,
                                  written_files_are_numpys_byte_for_byte,
                                  offsets_of_no_rows_are_few,
                                  nothing_leaks_when_memory_runs_out,
                                  NULL};
    return run_tests("npy", tests);
}
