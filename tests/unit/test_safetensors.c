#include "base/file.h"
#include "support/failing.h"
#include "support/support.h"
#include "tensor/safetensors.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static dlviz_tensor *get(const dlviz_safetensors *contents, const char *name, dlviz_dtype dtype,
                         int ndim, int64_t size) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_safetensors_get(contents, name, &tensor));
    ck_assert_int_eq(dlviz_tensor_dtype(tensor), dtype);
    ck_assert_int_eq(dlviz_tensor_ndim(tensor), ndim);
    ck_assert_int_eq(dlviz_tensor_num_elements(tensor), size);
    return tensor;
}

static void expect_reals(const dlviz_safetensors *contents, const char *name, int ndim,
                         int64_t size, const float *expected) {
    dlviz_tensor *tensor = get(contents, name, DLVIZ_FLOAT32, ndim, size);
    for (int64_t i = 0; i < size; i++)
        ck_assert_msg(dlviz_tensor_float(tensor)[i] == expected[i], "%s[%d] is %.9g", name, (int)i,
                      (double)dlviz_tensor_float(tensor)[i]);
    dlviz_tensor_destroy(tensor);
}

static void expect_wholes(const dlviz_safetensors *contents, const char *name, int64_t first,
                          int64_t second) {
    dlviz_tensor *tensor = get(contents, name, DLVIZ_INT64, 1, 2);
    const int64_t *values = dlviz_tensor_const_data(tensor);
    ck_assert_int_eq(values[0], first);
    ck_assert_int_eq(values[1], second);
    dlviz_tensor_destroy(tensor);
}

START_TEST(every_dtype_is_read) {
    dlviz_safetensors *contents;
    ck_ok(dlviz_safetensors_open(&contents, fixture_path("kinds.safetensors")));
    ck_assert_int_eq(dlviz_safetensors_num_tensors(contents), 12);
    expect_reals(contents, "doubles", 1, 3, (float[]){0, 0.25f, 0.5f});
    expect_reals(contents, "fc.weight", 2, 6, (float[]){-2.5f, -1.5f, -0.5f, 0.5f, 1.5f, 2.5f});
    expect_reals(contents, "halves", 1, 2, (float[]){0.333251953125f, -65504});
    /* bfloat16 keeps 8 significant bits: 171/512 and 150·2^119. */
    expect_reals(contents, "brains", 1, 2, (float[]){171.0f / 512, 150 * 0x1p119f});
    expect_reals(contents, "scalar \xc3\xa9", 0, 1, (float[]){2});
    expect_reals(contents, "none", 2, 0, NULL);
    expect_wholes(contents, "longs", -(INT64_C(1) << 62), 7);
    expect_wholes(contents, "ints", -5, INT32_MAX);
    expect_wholes(contents, "shorts", -3, 300);
    expect_wholes(contents, "chars", -128, 127);
    dlviz_tensor *bytes = get(contents, "bytes", DLVIZ_UINT8, 1, 2);
    ck_assert_int_eq(memcmp(dlviz_tensor_data(bytes), "\x00\xff", 2), 0);
    dlviz_tensor *flags = get(contents, "flags", DLVIZ_UINT8, 1, 3);
    ck_assert_int_eq(memcmp(dlviz_tensor_data(flags), "\1\0\1", 3), 0);
    dlviz_tensor_destroy(bytes);
    dlviz_tensor_destroy(flags);
    ck_assert_int_eq(dlviz_safetensors_num_metadata(contents), 2);
    ck_assert_str_eq(dlviz_safetensors_metadata(contents, "format"), "pt");
    ck_assert_str_eq(dlviz_safetensors_metadata(contents, "note"), "a \"quoted\" \xe2\x82\xac\n");
    ck_assert_ptr_null(dlviz_safetensors_metadata(contents, "other"));
    dlviz_safetensors_destroy(contents);
}
END_TEST

START_TEST(names_come_in_the_order_of_the_file) {
    dlviz_safetensors *contents;
    ck_ok(dlviz_safetensors_open(&contents, fixture_path("kinds.safetensors")));
    ck_assert_str_eq(dlviz_safetensors_tensor_name(contents, 0), "doubles");
    ck_assert_str_eq(dlviz_safetensors_tensor_name(contents, 1), "fc.weight");
    ck_assert_str_eq(dlviz_safetensors_tensor_name(contents, 11), "none");
    ck_assert_ptr_null(dlviz_safetensors_tensor_name(contents, 12));
    ck_assert_ptr_null(dlviz_safetensors_tensor_name(contents, -1));
    ck_assert_ptr_null(dlviz_safetensors_metadata_key(contents, 2));
    ck_assert(dlviz_safetensors_has(contents, "longs"));
    ck_assert(!dlviz_safetensors_has(contents, "long"));
    dlviz_tensor *tensor = (void *)1;
    ck_fails(dlviz_safetensors_get(contents, "long", &tensor), DLVIZ_ERROR_NOT_FOUND, "'long'");
    ck_assert_ptr_null(tensor);
    dlviz_safetensors_destroy(contents);
}
END_TEST

/* Writes a file of this header text and `size` bytes of data. */
static const char *make_file(const char *header, size_t size) {
    size_t length = strlen(header);
    unsigned char *file = calloc(1, 8 + length + size);
    for (int i = 0; i < 8; i++)
        file[i] = (unsigned char)(length >> 8 * i);
    memcpy(file + 8, header, length);
    const char *path = scratch_path("made.safetensors");
    write_file(path, file, 8 + length + size);
    free(file);
    return path;
}

#define TENSOR(name, dtype, shape, offsets)                                                        \
    "\"" name "\":{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" offsets "}"

START_TEST(bad_headers_are_refused) {
    static const struct {
        const char *header;
        size_t bytes;
        dlviz_status status;
        const char *words;
    } cases[] = {
        {"", 0, DLVIZ_ERROR_FORMAT, "a header of 0 bytes"},
        {"{", 0, DLVIZ_ERROR_FORMAT, "a header of 1 bytes"},
        {"[]", 0, DLVIZ_ERROR_FORMAT, "begin with '{'"},
        {" {}", 0, DLVIZ_ERROR_FORMAT, "begin with '{'"},
        {"{} x", 0, DLVIZ_ERROR_FORMAT, "not valid JSON"},
        {"{\"a\"}", 0, DLVIZ_ERROR_FORMAT, "not valid JSON"},
        {"{\"a\":01}", 0, DLVIZ_ERROR_FORMAT, "not valid JSON"},
        {"{\"\xff\":{}}", 0, DLVIZ_ERROR_FORMAT, "not valid JSON"},
        {"{\"\xc0\x80\":{}}", 0, DLVIZ_ERROR_FORMAT, "not valid JSON"},
        {"{\"a\\u0000b\":{}}", 0, DLVIZ_ERROR_FORMAT, "not valid JSON"},
        {"{\"\\ud800\":{}}", 0, DLVIZ_ERROR_FORMAT, "not valid JSON"},
        {"{}", 4, DLVIZ_ERROR_FORMAT, "the file has 4"},
        {"{\"a\":1}", 0, DLVIZ_ERROR_FORMAT, "'a' is not an object"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("a", "F32", "[1]", "[4,8]") "}", 8,
         DLVIZ_ERROR_FORMAT, "duplicate"},
        {"{\"a\":{\"dtype\":\"F32\",\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 4,
         DLVIZ_ERROR_FORMAT, "duplicate"},
        {"{\"__metadata__\":{\"k\":\"1\",\"k\":\"2\"}}", 0, DLVIZ_ERROR_FORMAT, "duplicate"},
        {"{\"__metadata__\":[]}", 0, DLVIZ_ERROR_FORMAT, "'__metadata__'"},
        {"{\"__metadata__\":{\"k\":1}}", 0, DLVIZ_ERROR_FORMAT, "'k' is not a string"},
        {"{\"a\":{\"shape\":[1],\"data_offsets\":[0,4]}}", 4, DLVIZ_ERROR_FORMAT, "'dtype'"},
        {"{\"a\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4, DLVIZ_ERROR_FORMAT,
         "'dtype'"},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,4]}}", 4, DLVIZ_ERROR_FORMAT, "'shape'"},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1]}}", 4, DLVIZ_ERROR_FORMAT, "'data_offsets'"},
        {"{" TENSOR("a", "C64", "[1]", "[0,8]") "}", 8, DLVIZ_ERROR_UNSUPPORTED, "'C64'"},
        {"{" TENSOR("a", "f32", "[1]", "[0,4]") "}", 4, DLVIZ_ERROR_UNSUPPORTED, "'f32'"},
        {"{" TENSOR("a", "F32", "4", "[0,4]") "}", 4, DLVIZ_ERROR_FORMAT, "'shape'"},
        {"{" TENSOR("a", "F32", "[-1]", "[0,4]") "}", 4, DLVIZ_ERROR_FORMAT, "dimension 0"},
        {"{" TENSOR("a", "F32", "[1.0]", "[0,4]") "}", 4, DLVIZ_ERROR_FORMAT, "dimension 0"},
        {"{" TENSOR("a", "F32", "[1e400]", "[0,4]") "}", 4, DLVIZ_ERROR_FORMAT, "not valid JSON"},
        {"{" TENSOR("a", "F32", "[99999999999999999999]", "[0,4]") "}", 4, DLVIZ_ERROR_FORMAT,
         "not valid JSON"},
        {"{" TENSOR("a", "F32", "[1,1,1,1,1,1,1,1,1]", "[0,4]") "}", 4, DLVIZ_ERROR_UNSUPPORTED,
         "9 dimensions"},
        {"{" TENSOR("a", "F32", "[4294967296,4294967296]", "[0,0]") "}", 0, DLVIZ_ERROR_FORMAT,
         "too large"},
        {"{" TENSOR("a", "F64", "[2305843009213693952]", "[0,0]") "}", 0, DLVIZ_ERROR_FORMAT,
         "too large"},
        {"{" TENSOR("a", "F32", "[1]", "[0]") "}", 4, DLVIZ_ERROR_FORMAT, "two integers"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4,8]") "}", 4, DLVIZ_ERROR_FORMAT, "two integers"},
        {"{" TENSOR("a", "F32", "[1]", "[0.0,4.0]") "}", 4, DLVIZ_ERROR_FORMAT, "two integers"},
        {"{" TENSOR("a", "F32", "[1]", "{}") "}", 4, DLVIZ_ERROR_FORMAT, "two integers"},
        {"{" TENSOR("a", "F32", "[1]", "[-4,0]") "}", 4, DLVIZ_ERROR_FORMAT, "[-4, 0]"},
        {"{" TENSOR("a", "F32", "[1]", "[4,0]") "}", 4, DLVIZ_ERROR_FORMAT, "[4, 0]"},
        {"{" TENSOR("a", "F32", "[1]", "[0,8]") "}", 4, DLVIZ_ERROR_FORMAT, "4 bytes of data"},
        {"{" TENSOR("a", "F32", "[1]", "[9223372036854775803,9223372036854775807]") "}", 4,
         DLVIZ_ERROR_FORMAT, "4 bytes of data"},
        {"{" TENSOR("a", "F32", "[2]", "[0,4]") "}", 4, DLVIZ_ERROR_FORMAT, "2 of F32 needs 8"},
        {"{" TENSOR("a", "F64", "[1]", "[0,4]") "}", 4, DLVIZ_ERROR_FORMAT, "needs 8"},
        {"{" TENSOR("a", "F32", "[0]", "[0,4]") "}", 4, DLVIZ_ERROR_FORMAT, "needs 0"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[1]", "[8,12]") "}", 12,
         DLVIZ_ERROR_FORMAT, "a gap"},
        {"{" TENSOR("a", "F32", "[1]", "[4,8]") "}", 8, DLVIZ_ERROR_FORMAT, "a gap"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[2]", "[4,12]") "}", 12,
         DLVIZ_ERROR_FORMAT, "an overlap"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "," TENSOR("b", "F32", "[1]", "[0,4]") "}", 4,
         DLVIZ_ERROR_FORMAT, "an overlap"},
        {"{" TENSOR("a", "F32", "[1]", "[0,4]") "}", 5, DLVIZ_ERROR_FORMAT, "the file has 5"},
        {"{" TENSOR("a", "F32", "[2]", "[0,8]") "," TENSOR("b", "F32", "[0]", "[4,4]") "}", 8,
         DLVIZ_ERROR_FORMAT, "an overlap"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlviz_safetensors *contents = (void *)1;
        const char *path = make_file(cases[i].header, cases[i].bytes);
        ck_fails(dlviz_safetensors_open(&contents, path), cases[i].status, cases[i].words);
        ck_assert_ptr_null(contents);
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), path));
    }
}
END_TEST

START_TEST(valid_oddities_are_read) {
    const struct {
        const char *header;
        size_t bytes;
        int64_t count;
    } cases[] = {
        {"{}", 0, 0},
        {"{}        ", 0, 0},
        {"{\"__metadata__\":{}}", 0, 0},
        {"{" TENSOR("b", "F32", "[1]", "[4,8]") "," TENSOR("a", "F32", "[]", "[0,4]") "}", 8, 2},
        {"{" TENSOR("a", "F32", "[0]", "[4,4]") "," TENSOR("", "U8", "[4]", "[0,4]") "}", 4, 2},
        {"{" TENSOR("z", "F32", "[1]", "[0,4]") "," TENSOR("a", "F32", "[0,9223372036854775807]",
                                                           "[0,0]") "}",
         4, 2},
        {"{\"a\":{\"extra\":[[1]],\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[0,1]}}", 1, 1},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlviz_safetensors *contents;
        ck_ok(dlviz_safetensors_open(&contents, make_file(cases[i].header, cases[i].bytes)));
        ck_assert_int_eq(dlviz_safetensors_num_tensors(contents), cases[i].count);
        for (int64_t t = 0; t < cases[i].count; t++) {
            dlviz_tensor *tensor;
            ck_ok(dlviz_safetensors_get(contents, dlviz_safetensors_tensor_name(contents, t),
                                        &tensor));
            dlviz_tensor_destroy(tensor);
        }
        dlviz_safetensors_destroy(contents);
    }
}
END_TEST

START_TEST(bad_sizes_and_depths_are_refused) {
    const char *path = scratch_path("sizes.safetensors");
    dlviz_safetensors *contents;
    const char *lengths[] = {"\x03\0\0\0\0\0\0\0{}", "\xff\xff\xff\xff\xff\xff\xff\xff{}",
                             "\0\0\0\0\0\0\0\x80{}", "\x01\xe1\xf5\x05\0\0\0\0{}"};
    for (int i = 0; i < 4; i++) {
        write_file(path, lengths[i], 10);
        ck_fails(dlviz_safetensors_open(&contents, path), DLVIZ_ERROR_FORMAT, "and 2 do");
    }
    write_file(path, "", 0);
    ck_fails(dlviz_safetensors_open(&contents, path), DLVIZ_ERROR_FORMAT, "empty");
    ck_fails(dlviz_safetensors_open(&contents, scratch_folder()), DLVIZ_ERROR_IO, "folder");
    size_t deep = 1000000;
    char *text = malloc(deep + 6);
    memcpy(text, "{\"a\":", 5);
    memset(text + 5, '[', deep);
    text[deep + 5] = '\0';
    ck_fails(dlviz_safetensors_open(&contents, make_file(text, 0)), DLVIZ_ERROR_FORMAT, "16 deep");
    /* Brackets inside a string are no nesting, not even after an escaped quote. */
    text[5] = '"', text[6] = '\\', text[7] = '"', text[60] = '"', text[61] = '}', text[62] = '\0';
    ck_fails(dlviz_safetensors_open(&contents, make_file(text, 0)), DLVIZ_ERROR_FORMAT,
             "'a' is not an object");
    /* A header above 100 MB is refused even where the file is as long as it says. */
    size_t huge = 100000001;
    char *large = malloc(huge + 1);
    memset(large, ' ', huge);
    memcpy(large, "{}", 2);
    large[huge] = '\0';
    ck_fails(dlviz_safetensors_open(&contents, make_file(large, 0)), DLVIZ_ERROR_FORMAT,
             "100000001 bytes");
    remove(scratch_path("made.safetensors"));
    free(large);
    free(text);
}
END_TEST

START_TEST(values_that_do_not_fit_are_refused) {
    dlviz_safetensors *contents;
    dlviz_tensor *tensor = (void *)1;
    const char *header = "{" TENSOR("f", "F64", "[1]", "[0,8]") "," TENSOR(
        "u", "U64", "[1]", "[8,16]") "," TENSOR("b", "BOOL", "[1]", "[16,17]") "}";
    const char *path = make_file(header, 17);
    FILE *file = fopen(path, "r+b");
    ck_assert_ptr_nonnull(file);
    fseek(file, (long)(8 + strlen(header)), SEEK_SET);
    double large = -1e200;
    uint64_t huge = UINT64_MAX;
    swap_to_file_order(&large, 1, sizeof large);
    fwrite(&large, 8, 1, file);
    fwrite(&huge, 8, 1, file);
    fputc(2, file);
    ck_assert_int_eq(fclose(file), 0);
    ck_ok(dlviz_safetensors_open(&contents, path));
    ck_fails(dlviz_safetensors_get(contents, "f", &tensor), DLVIZ_ERROR_NUMERIC, "-1e+200");
    ck_assert_ptr_null(tensor);
    ck_fails(dlviz_safetensors_get(contents, "u", &tensor), DLVIZ_ERROR_NUMERIC, "'u'");
    ck_fails(dlviz_safetensors_get(contents, "b", &tensor), DLVIZ_ERROR_FORMAT, "a bool is 0 or 1");
    dlviz_safetensors_destroy(contents);
}
END_TEST

START_TEST(a_file_cut_anywhere_is_refused) {
    void *bytes;
    size_t size;
    ck_ok(dlz_file_read(fixture_path("kinds.safetensors"), 1 << 20, &bytes, &size));
    const char *path = scratch_path("cut.safetensors");
    for (size_t length = 0; length < size; length++) {
        dlviz_safetensors *contents;
        write_file(path, bytes, length);
        ck_fails(dlviz_safetensors_open(&contents, path), DLVIZ_ERROR_FORMAT, path);
    }
    dlz_free(bytes);
}
END_TEST

/* Random damage must give an error or sound contents, and nothing that a sanitizer would report. */
START_TEST(damaged_files_are_survived) {
    void *bytes;
    size_t size;
    ck_ok(dlz_file_read(fixture_path("kinds.safetensors"), 1 << 20, &bytes, &size));
    unsigned char *damaged = malloc(size);
    unsigned state = 1;
    const char *path = scratch_path("damaged.safetensors"), marks[] = "{}[]\",:0123456789-eE\\ ";
    for (int round = 0; round < 3000; round++) {
        memcpy(damaged, bytes, size);
        for (int hits = 0; hits < 1 + round % 3; hits++) {
            state = state * 1664525 + 1013904223;
            size_t at = (state >> 8) % size;
            damaged[at] = round % 2 ? (unsigned char)marks[(state >> 4) % (sizeof marks - 1)]
                                    : (unsigned char)(state >> 24);
        }
        write_file(path, damaged, size);
        dlviz_safetensors *contents;
        if (dlviz_safetensors_open(&contents, path) != DLVIZ_OK)
            continue;
        for (int64_t t = 0; t < dlviz_safetensors_num_tensors(contents); t++) {
            dlviz_tensor *tensor;
            dlviz_status got = dlviz_safetensors_get(
                contents, dlviz_safetensors_tensor_name(contents, t), &tensor);
            ck_assert((got == DLVIZ_OK) == (tensor != NULL));
            dlviz_tensor_destroy(tensor);
        }
        dlviz_safetensors_destroy(contents);
    }
    free(damaged);
    dlz_free(bytes);
}
END_TEST

static dlviz_tensor *make_tensor(dlviz_dtype dtype, int64_t count, int first) {
    dlviz_tensor *tensor;
    ck_ok(dlviz_tensor_create(&tensor, dtype, 1, &count));
    for (int64_t i = 0; i < count; i++)
        if (dtype == DLVIZ_FLOAT32)
            dlviz_tensor_float(tensor)[i] = (float)(first + i) / 8;
        else if (dtype == DLVIZ_UINT8)
            ((uint8_t *)dlviz_tensor_data(tensor))[i] = (uint8_t)(first + i);
        else
            ((int64_t *)dlviz_tensor_data(tensor))[i] = first - i;
    return tensor;
}

START_TEST(a_written_file_is_this_byte_for_byte) {
    setlocale(LC_ALL, "de_DE.UTF-8");
    dlviz_tensor *small = make_tensor(DLVIZ_UINT8, 3, 1), *real = make_tensor(DLVIZ_FLOAT32, 1, 8);
    dlviz_tensor *whole = make_tensor(DLVIZ_INT64, 1, -2);
    dlviz_safetensors *contents;
    ck_ok(dlviz_safetensors_create(&contents));
    ck_ok(dlviz_safetensors_add(contents, "a\"\\\n", small));
    ck_ok(dlviz_safetensors_add(contents, "b", real));
    ck_ok(dlviz_safetensors_add(contents, "c", whole));
    ck_ok(dlviz_safetensors_set_metadata(contents, "k", "1"));
    ck_ok(dlviz_safetensors_set_metadata(contents, "k", "v\t"));
    ck_ok(dlviz_safetensors_set_metadata(contents, "l", "\xc3\xa9"));
    const char *path = scratch_path("exact.safetensors");
    ck_ok(dlviz_safetensors_save(contents, path));
    dlviz_safetensors_destroy(contents);
    dlviz_tensor_destroy(small);
    dlviz_tensor_destroy(real);
    dlviz_tensor_destroy(whole);
    setlocale(LC_ALL, "C");
    const char header[] =
        "{\"__metadata__\":{\"k\":\"v\\u0009\",\"l\":\"\xc3\xa9\"},"
        "\"c\":{\"dtype\":\"I64\",\"shape\":[1],\"data_offsets\":[0,8]},"
        "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,12]},"
        "\"a\\\"\\\\\\u000a\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[12,15]}}";
    const char data[] = "\xfe\xff\xff\xff\xff\xff\xff\xff\0\0\x80\x3f\1\2\3";
    unsigned char expected[512];
    size_t padded = (sizeof header - 1 + 7) / 8 * 8;
    memset(expected, 0, 8);
    expected[0] = (unsigned char)padded;
    expected[1] = (unsigned char)(padded >> 8);
    memset(expected + 8, ' ', padded);
    memcpy(expected + 8, header, sizeof header - 1);
    memcpy(expected + 8 + padded, data, 15);
    void *bytes;
    size_t size;
    ck_ok(dlz_file_read(path, 1 << 20, &bytes, &size));
    ck_assert_uint_eq(size, 8 + padded + 15);
    ck_assert_int_eq(memcmp(bytes, expected, size), 0);
    dlz_free(bytes);
    ck_ok(dlviz_safetensors_open(&contents, path));
    ck_assert(dlviz_safetensors_has(contents, "a\"\\\n"));
    ck_assert_str_eq(dlviz_safetensors_metadata(contents, "k"), "v\t");
    dlviz_safetensors_destroy(contents);
}
END_TEST

START_TEST(contents_survive_reading_and_writing) {
    dlviz_safetensors *first, *second;
    const char *path = scratch_path("again.safetensors");
    ck_ok(dlviz_safetensors_open(&first, fixture_path("kinds.safetensors")));
    ck_ok(dlviz_safetensors_save(first, path));
    ck_ok(dlviz_safetensors_open(&second, path));
    ck_assert_int_eq(dlviz_safetensors_num_tensors(second), 12);
    for (int64_t i = 0; i < 12; i++) {
        const char *name = dlviz_safetensors_tensor_name(first, i);
        dlviz_tensor *a, *b;
        ck_ok(dlviz_safetensors_get(first, name, &a));
        ck_ok(dlviz_safetensors_get(second, name, &b));
        size_t size =
            (size_t)dlviz_tensor_num_elements(a) * dlviz_dtype_size(dlviz_tensor_dtype(a));
        ck_assert_int_eq(dlviz_tensor_num_elements(a), dlviz_tensor_num_elements(b));
        ck_assert_int_eq(memcmp(dlviz_tensor_data(a), dlviz_tensor_data(b), size), 0);
        dlviz_tensor_destroy(a);
        dlviz_tensor_destroy(b);
    }
    ck_assert_str_eq(dlviz_safetensors_metadata(second, "note"), "a \"quoted\" \xe2\x82\xac\n");
    dlviz_safetensors_destroy(first);
    dlviz_safetensors_destroy(second);
}
END_TEST

START_TEST(many_tensors_of_every_size_survive) {
    dlviz_safetensors *contents, *back;
    ck_ok(dlviz_safetensors_create(&contents));
    char name[32];
    for (int i = 0; i < 100; i++) {
        dlviz_tensor *tensor = make_tensor((dlviz_dtype)(i % 3), i * 7 % 50, i);
        snprintf(name, sizeof name, "layer%d.weight", i);
        ck_ok(dlviz_safetensors_add(contents, name, tensor));
        /* What was added is a copy. */
        if (dlviz_tensor_num_elements(tensor) > 0)
            memset(dlviz_tensor_data(tensor), 0x55, 1);
        dlviz_tensor_destroy(tensor);
    }
    const char *path = scratch_path("many.safetensors");
    ck_ok(dlviz_safetensors_save(contents, path));
    dlviz_safetensors_destroy(contents);
    ck_ok(dlviz_safetensors_open(&back, path));
    ck_assert_int_eq(dlviz_safetensors_num_tensors(back), 100);
    for (int i = 0; i < 100; i++) {
        dlviz_tensor *expected = make_tensor((dlviz_dtype)(i % 3), i * 7 % 50, i), *tensor;
        snprintf(name, sizeof name, "layer%d.weight", i);
        ck_ok(dlviz_safetensors_get(back, name, &tensor));
        ck_assert_int_eq(dlviz_tensor_dtype(tensor), i % 3);
        size_t size = (size_t)(i * 7 % 50) * dlviz_dtype_size((dlviz_dtype)(i % 3));
        ck_assert_int_eq(memcmp(dlviz_tensor_data(tensor), dlviz_tensor_data(expected), size), 0);
        dlviz_tensor_destroy(expected);
        dlviz_tensor_destroy(tensor);
    }
    dlviz_safetensors_destroy(back);
}
END_TEST

START_TEST(bad_names_are_refused) {
    dlviz_tensor *tensor = make_tensor(DLVIZ_UINT8, 1, 0);
    dlviz_safetensors *contents;
    ck_ok(dlviz_safetensors_create(&contents));
    ck_ok(dlviz_safetensors_add(contents, "a", tensor));
    const char *names[] = {"",         "__metadata__",     "\xff",
                           "\xc0\x80", "\xed\xa0\x80",     "\xf4\x90\x80\x80",
                           "\xe2\x82", "\xf0\x80\x80\x80", "x\x80"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        ck_fails(dlviz_safetensors_add(contents, names[i], tensor), DLVIZ_ERROR_INVALID_ARGUMENT,
                 "UTF-8");
    ck_fails(dlviz_safetensors_add(contents, "a", tensor), DLVIZ_ERROR_INVALID_ARGUMENT, "already");
    ck_fails(dlviz_safetensors_add(contents, NULL, tensor), DLVIZ_ERROR_INVALID_ARGUMENT, "'name'");
    ck_fails(dlviz_safetensors_add(contents, "b", NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'tensor'");
    ck_fails(dlviz_safetensors_set_metadata(contents, "k", "\xff"), DLVIZ_ERROR_INVALID_ARGUMENT,
             "UTF-8");
    const char *good[] = {"\xf0\x9f\x98\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf4\x8f\xbf\xbf",
                          "\xc2\x80"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        ck_ok(dlviz_safetensors_add(contents, good[i], tensor));
    ck_fails(dlviz_safetensors_save(contents, "/nowhere/file"), DLVIZ_ERROR_IO, "'/nowhere/file'");
    const char *path = scratch_path("good_names.safetensors");
    ck_ok(dlviz_safetensors_save(contents, path));
    dlviz_safetensors_destroy(contents);
    ck_ok(dlviz_safetensors_open(&contents, path));
    ck_assert_int_eq(dlviz_safetensors_num_tensors(contents), 6);
    dlviz_safetensors_destroy(contents);
    dlviz_safetensors_destroy(NULL);
    dlviz_tensor_destroy(tensor);
}
END_TEST

static dlviz_status read_change_write(void *path) {
    dlviz_safetensors *contents = NULL;
    dlviz_tensor *tensor = NULL;
    dlviz_status status = dlviz_safetensors_open(&contents, path);
    if (status == DLVIZ_OK)
        status = dlviz_safetensors_get(contents, "halves", &tensor);
    for (int i = 0; status == DLVIZ_OK && i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "new%d", i);
        status = dlviz_safetensors_add(contents, name, tensor);
        if (status == DLVIZ_OK)
            status = dlviz_safetensors_set_metadata(contents, name, "new");
        if (status == DLVIZ_OK)
            status = dlviz_safetensors_set_metadata(contents, "note", name);
    }
    if (status == DLVIZ_OK)
        status = dlviz_safetensors_save(contents, scratch_path("memory.safetensors"));
    dlviz_tensor_destroy(tensor);
    dlviz_safetensors_destroy(contents);
    return status;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    char path[1200];
    snprintf(path, sizeof path, "%s", fixture_path("kinds.safetensors"));
    ck_assert_int_ge(fail_each_allocation(read_change_write, path), 50);
}
END_TEST

START_TEST(checksums_locate_damage) {
    dlviz_safetensors *contents, *read;
    dlviz_tensor *tensor;
    const char *path = scratch_path("sums.safetensors");
    const float values[] = {1, 2, 3};
    ck_ok(dlviz_safetensors_create(&contents));
    ck_ok(dlviz_tensor_from_data(&tensor, DLVIZ_FLOAT32, 1, (int64_t[]){3}, values));
    ck_ok(dlviz_safetensors_add(contents, "a \"quoted\" \xe2\x82\xac", tensor));
    dlviz_tensor_destroy(tensor);
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_FLOAT32, 1, (int64_t[]){0}));
    ck_ok(dlviz_safetensors_add(contents, "empty", tensor));
    dlviz_tensor_destroy(tensor);
    ck_ok(dlz_safetensors_add_checksums(contents));
    /* zlib.crc32(struct.pack('<3f', 1, 2, 3)), and that of nothing. */
    ck_assert_str_eq(dlviz_safetensors_metadata(contents, "dlviz.crc32"),
                     "{\"a \\\"quoted\\\" \xe2\x82\xac\":\"b20e96b1\",\"empty\":\"00000000\"}");
    ck_ok(dlviz_safetensors_save(contents, path));
    ck_ok(dlviz_safetensors_open(&read, path));
    dlviz_safetensors_destroy(read);
    /* Checksums that a file had do not outlive a change of its contents. */
    char *sums = strdup(dlviz_safetensors_metadata(contents, "dlviz.crc32"));
    ck_ok(dlviz_tensor_create(&tensor, DLVIZ_UINT8, 1, (int64_t[]){1}));
    ck_ok(dlviz_safetensors_add(contents, "more", tensor));
    dlviz_tensor_destroy(tensor);
    ck_assert_ptr_null(dlviz_safetensors_metadata(contents, "dlviz.crc32"));
    ck_ok(dlviz_safetensors_save(contents, path));
    ck_ok(dlviz_safetensors_open(&read, path));
    dlviz_safetensors_destroy(read);
    /* What another program did to a tensor, or left of it. */
    ck_ok(dlviz_safetensors_set_metadata(contents, "dlviz.crc32", sums));
    free(sums);
    ck_ok(dlviz_safetensors_save(contents, path));
    ck_fails(dlviz_safetensors_open(&read, path), DLVIZ_ERROR_FORMAT,
             "tensor 'more' is none of those whose checksums the file holds");
    ck_assert_ptr_null(read);
    static const struct {
        const char *sums, *words;
    } cases[] = {
        {"{\"empty\":\"00000000\"}", "is none of those"},
        {"{\"more\":\"d202ef8d\",\"empty\":\"00000000\",\"a \\\"quoted\\\" \xe2\x82\xac\":"
         "\"12345678\"}",
         "tensor 'a \"quoted\" \xe2\x82\xac' is damaged: its checksum is b20e96b1, and 12345678 "
         "when"},
        {"{\"more\":\"d202ef8d\",\"empty\":\"00000000\",\"a \\\"quoted\\\" \xe2\x82\xac\":"
         "\"b20e96b1\",\"gone\":\"00000000\"}",
         "tensor 'gone', whose checksum the file holds, is not there"},
        {"{\"more\":1}", "is none of those"},
        {"[1]", "'dlviz.crc32' are not a JSON object"},
        {"{", "'dlviz.crc32' are not a JSON object"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ck_ok(dlviz_safetensors_set_metadata(contents, "dlviz.crc32", cases[i].sums));
        ck_ok(dlviz_safetensors_save(contents, path));
        ck_fails(dlviz_safetensors_open(&read, path), DLVIZ_ERROR_FORMAT, cases[i].words);
    }
    dlviz_safetensors_destroy(contents);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {every_dtype_is_read,
                                  names_come_in_the_order_of_the_file,
                                  bad_headers_are_refused,
                                  valid_oddities_are_read,
                                  bad_sizes_and_depths_are_refused,
                                  values_that_do_not_fit_are_refused,
                                  a_file_cut_anywhere_is_refused,
                                  damaged_files_are_survived,
                                  a_written_file_is_this_byte_for_byte,
                                  contents_survive_reading_and_writing,
                                  many_tensors_of_every_size_survive,
                                  bad_names_are_refused,
                                  checksums_locate_damage,
                                  nothing_leaks_when_memory_runs_out,
                                  NULL};
    return run_tests("safetensors", tests);
}
