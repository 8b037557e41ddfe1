#include "support/memory.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The text at an odd address, with nothing behind it: what is read beyond is found by sanitizers. */
static char *exact(const char *text, size_t size, char **block) {
    *block = malloc(size + 1);
    memcpy(*block + 1, text, size);
    return *block + 1;
}

static dlviz_status read_text(dlviz_tensor **tensor, const char *text,
                              const dlviz_csv_reader *reader) {
    char *block;
    size_t size = strlen(text);
    *tensor = (void *)1;
    dlviz_status status =
        dlviz_tensor_read_csv_memory(tensor, exact(text, size, &block), size, reader);
    free(block);
    ck_assert((status == DLVIZ_OK) == (*tensor != NULL));
    return status;
}

static dlviz_status read_set(dlviz_dataset **dataset, const char *text,
                             const dlviz_csv_reader *reader) {
    char *block;
    size_t size = strlen(text);
    *dataset = (void *)1;
    dlviz_status status =
        dlviz_dataset_read_csv_memory(dataset, exact(text, size, &block), size, reader);
    free(block);
    ck_assert((status == DLVIZ_OK) == (*dataset != NULL));
    return status;
}

static void expect_values(const char *text, const dlviz_csv_reader *reader, int64_t rows,
                          int64_t columns, const float *values) {
    dlviz_tensor *tensor;
    dlviz_status status = read_text(&tensor, text, reader);
    ck_assert_msg(status == DLVIZ_OK, "'%s': %s", text, dlviz_last_error());
    ck_assert_msg(dlviz_tensor_ndim(tensor) == 2 && dlviz_tensor_dim(tensor, 0) == rows &&
                      dlviz_tensor_dim(tensor, 1) == columns,
                  "'%s' is %d x %d", text, (int)dlviz_tensor_dim(tensor, 0),
                  (int)dlviz_tensor_dim(tensor, 1));
    for (int64_t i = 0; i < rows * columns; i++)
        ck_assert_msg(dlviz_tensor_float(tensor)[i] == values[i], "'%s': number %d is %g", text,
                      (int)i, (double)dlviz_tensor_float(tensor)[i]);
    dlviz_tensor_destroy(tensor);
}

/* The same six numbers in many ways. */
START_TEST(all_ways_of_writing_a_table_are_read) {
    static const char *const texts[] = {
        "1,2.5,-3\n4,5e0,6\n",
        "1,2.5,-3\n4,5e0,6",
        "1,2.5,-3\r\n4,5e0,6\r\n",
        "1,2.5,-3\r4,5e0,6\r",
        "\xef\xbb\xbf"
        "1,2.5,-3\n4,5e0,6\n",
        "\xef\xbb\xbf"
        "a,b,c\n1,2.5,-3\n4,5e0,6\n",
        "1,2.5,-3\n4,5e0,6\n\n\r\n  \n",
        "1;2.5;-3\n4;5e0;6\n",
        "1\t2.5\t-3\n4\t5e0\t6\n",
        "1|2.5|-3\n4|5e0|6\n",
        " 1 , 2.5,\t-3 \n 4,5e0 ,6\n",
        "\"1\",\"2.5\",\"-3\"\n\"4\",5e0,\"6\"\n",
        "1, \"2.5\" ,-3\n4,\" 5e0\"\t,6\n",
        "a,b,c\n1,2.5,-3\n4,5e0,6\n",
        "a;b;c\n1;2.5;-3\n4;5e0;6\n",
        "\"a\",\"b, with a \"\"quote\"\" and\na second line\",c\n1,2.5,-3\n4,5e0,6\n",
        "2020,2021,total\n1,2.5,-3\n4,5e0,6\n",
        "1x1,1x2,1x3\n1,2.5,-3\n4,5e0,6\n",
        "# a,b,c\n1,2.5,-3\n4,5e0,6\n",
        ",b,\n1,2.5,-3\n4,5e0,6\n",
        "\xc3\xa4,\xff,c\n1,2.5,-3\n4,5e0,6\n",
        "a;b,b;c\n1;2.5;-3\n4;5e0;6\n",
    };
    const float values[] = {1, 2.5f, -3, 4, 5, 6};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (i != 12) /* a space within quotes belongs to the field */
            expect_values(texts[i], NULL, 2, 3, values);
    dlviz_tensor *tensor;
    ck_fails(read_text(&tensor, texts[12], NULL), DLVIZ_ERROR_FORMAT,
             "line 2, column '#2': ' 5e0' is no number");
    expect_values("5", NULL, 1, 1, (float[]){5});
    expect_values("5\n\n", NULL, 1, 1, (float[]){5});
    expect_values("x\n5\n6", NULL, 2, 1, (float[]){5, 6});
    expect_values("5\n6\n", NULL, 2, 1, (float[]){5, 6});
    expect_values("1,2\n", NULL, 1, 2, (float[]){1, 2});
}
END_TEST

START_TEST(a_header_is_found_out_or_set) {
    dlviz_csv_reader *reader;
    dlviz_tensor *tensor;
    ck_ok(dlviz_csv_reader_create(&reader));
    /* Numbers only: data, unless told otherwise. */
    expect_values("7,8\n1,2\n", reader, 2, 2, (float[]){7, 8, 1, 2});
    ck_ok(dlviz_csv_reader_set_header(reader, DLVIZ_CSV_HEADER_YES));
    expect_values("7,8\n1,2\n", reader, 1, 2, (float[]){1, 2});
    ck_fails(read_text(&tensor, "7,8\n", reader), DLVIZ_ERROR_FORMAT, "a header and no other row");
    ck_ok(dlviz_csv_reader_set_header(reader, DLVIZ_CSV_HEADER_NO));
    ck_fails(read_text(&tensor, "a,b\n1,2\n", reader), DLVIZ_ERROR_FORMAT,
             "line 1, column '#1': 'a' is no number");
    ck_ok(dlviz_csv_reader_set_header(reader, DLVIZ_CSV_HEADER_AUTO));
    /* A mistyped number does not make a header, nor does a missing one. */
    ck_fails(read_text(&tensor, "1,2x,3\n4,5,6\n7,8,9\n", reader), DLVIZ_ERROR_FORMAT,
             "line 1, column '#2': '2x' is no number");
    ck_fails(read_text(&tensor, "1,NA,3\n4,5,6\n7,8,9\n", reader), DLVIZ_ERROR_FORMAT,
             "line 1, column '#2': 'NA' stands for what is missing");
    /* 0, 1, 2, as pandas numbers columns, may be either. */
    ck_fails(read_text(&tensor, "0,1,2\n4,5,6\n", reader), DLVIZ_ERROR_FORMAT,
             "dlviz_csv_reader_set_header");
    ck_ok(dlviz_csv_reader_set_header(reader, DLVIZ_CSV_HEADER_NO));
    expect_values("0,1,2\n4,5,6\n", reader, 2, 3, (float[]){0, 1, 2, 4, 5, 6});
    ck_ok(dlviz_csv_reader_set_header(reader, DLVIZ_CSV_HEADER_AUTO));
    expect_values("0,1\n4,5\n", reader, 2, 2, (float[]){0, 1, 4, 5});
    expect_values("0,1,3\n4,5,6\n", reader, 2, 3, (float[]){0, 1, 3, 4, 5, 6});
    expect_values(",0,1,2\n0,4,5,6\n", reader, 1, 4, (float[]){0, 4, 5, 6});
    /* Words all the way down are a header if a name was asked for. */
    ck_ok(dlviz_csv_reader_set_ignored_columns(reader, 1, (const char *[]){"b"}));
    expect_values("5,b\n1,x\n2,y\n", reader, 2, 1, (float[]){1, 2});
    ck_fails(read_text(&tensor, "5,c\n1,x\n2,y\n", reader), DLVIZ_ERROR_NOT_FOUND,
             "there is no column 'b': the first row is no header");
    dlviz_csv_reader_destroy(reader);
}
END_TEST

/* What says that there is no number names no column: whatever stands beside or below, a first row
 * that has it, and no names, is data. */
START_TEST(a_first_row_of_what_is_no_number_is_not_left_out) {
    static const char *const words[] = {
        "inf",      "Inf",     "INF",   "-inf",   "+inf", "Infinity", "-Infinity",
        "infinity", "nan",     "NaN",   "NAN",    "-nan", "+nan",     "None",
        "none",     "-NaN",    "n/a",   "N/A",    "#N/A", "NA",       "na",
        "<NA>",     "null",    "NULL",  "Null",   "nil",  "#NA",      "#DIV/0!",
        "#NUM!",    "#VALUE!", "#REF!", "#NAME?", "?",    "\"inf\"",  "\" None\""};
    /* Mistyped numbers may be names where no number is beside them. */
    static const char *const mistyped[] = {"\" 1\"",
                                           "\xe2\x88\x92"
                                           "5",
                                           "$5",
                                           "\xe2\x82\xac"
                                           "5",
                                           "(5)",
                                           "\xc2\xa0"
                                           "5",
                                           "'5'",
                                           "<5",
                                           "\xef\xbc\x91",
                                           "5%",
                                           "1.#INF",
                                           "-1.#IND",
                                           "-",
                                           "12a"};
    static const char *const beside[] = {"%s,1\n2,3\n",     "1,%s\n2,3\n4,5\n",
                                         "4,%s,5\n2,3,4\n", "0,%s,1,2\n5,6,7,8\n",
                                         "%s;1\n2;3\n",     "%s,1\n2,\n3,4\n"};
    static const char *const alone[] = {"%s\n2\n3\n", "%s\ninf\n3\n", "%s,%s\n2,3\n",
                                        "%s,inf\n3,4\n", "%s,1\nNone,2\n3,4\n"};
    char text[200];
    dlviz_tensor *tensor;
    for (size_t w = 0; w < sizeof words / sizeof *words; w++)
        for (size_t i = 0; i < 6 + 5; i++) {
            snprintf(text, sizeof text, i < 6 ? beside[i] : alone[i - 6], words[w], words[w]);
            ck_assert_msg(read_text(&tensor, text, NULL) == DLVIZ_ERROR_FORMAT, "%s", text);
        }
    for (size_t w = 0; w < sizeof mistyped / sizeof *mistyped; w++)
        for (size_t i = 0; i < 6; i++) {
            snprintf(text, sizeof text, beside[i], mistyped[w]);
            ck_assert_msg(read_text(&tensor, text, NULL) == DLVIZ_ERROR_FORMAT, "%s", text);
        }
    /* Names beside them tell, and so does who knows. */
    static const char *const headers[] = {
        "inf,x\n1,2\n",         "Na,K\n1,2\n",  "x,NaN\n1,2\n",   "# 2020,2021\n1,2\n",
        "none,of these\n1,2\n", "$5,$6\n1,2\n", "Na,1990\n1,2\n", "x1,2020\n1,2\n"};
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
        expect_values(headers[i], NULL, 1, 2, (float[]){1, 2});
    dlviz_csv_reader *reader;
    ck_ok(dlviz_csv_reader_create(&reader));
    ck_ok(dlviz_csv_reader_set_header(reader, DLVIZ_CSV_HEADER_YES));
    expect_values("inf,nan\n1,2\n", reader, 1, 2, (float[]){1, 2});
    ck_ok(dlviz_csv_reader_set_header(reader, DLVIZ_CSV_HEADER_AUTO));
    ck_ok(dlviz_csv_reader_set_label_column(reader, "none"));
    dlviz_dataset *dataset;
    ck_ok(read_set(&dataset, "none,5\n1,2\n", reader));
    dlviz_dataset_destroy(dataset);
    dlviz_csv_reader_destroy(reader);
    expect_values(",0,1,2\n0,4,5,6\n", NULL, 1, 4, (float[]){0, 4, 5, 6});
}
END_TEST

START_TEST(the_delimiter_is_found_out_or_set) {
    dlviz_csv_reader *reader;
    dlviz_tensor *tensor;
    ck_ok(dlviz_csv_reader_create(&reader));
    ck_fails(read_text(&tensor, "1,5;2,5\n3,5;4,5\n", reader), DLVIZ_ERROR_FORMAT,
             "column '#1': '1,5' is no number: a decimal point is needed, and no comma");
    ck_fails(read_text(&tensor, "a;b\n1,5;2,5\n3,5;4,5\n", reader), DLVIZ_ERROR_FORMAT,
             "line 2, column 'a': '1,5' is no number: a decimal point is needed, and no comma");
    ck_fails(read_text(&tensor, "a;b\n1,5;2\n3;4,5\n", reader), DLVIZ_ERROR_FORMAT,
             "line 2, column 'a': '1,5' is no number: a decimal point is needed, and no comma");
    ck_fails(read_text(&tensor, "0,5;1;2\n3;4;5\n", reader), DLVIZ_ERROR_FORMAT,
             "line 1, column '#1': '0,5' is no number: a decimal point is needed, and no comma");
    ck_ok(dlviz_csv_reader_set_delimiter(reader, ' '));
    expect_values("1 2 3\n4 5 6\n", reader, 2, 3, (float[]){1, 2, 3, 4, 5, 6});
    ck_fails(read_text(&tensor, "1  2\n3 4\n", reader), DLVIZ_ERROR_FORMAT,
             "line 2 has 2 fields; line 1 has 3");
    ck_ok(dlviz_csv_reader_set_delimiter(reader, ':'));
    expect_values("1:2\n4:5\n", reader, 2, 2, (float[]){1, 2, 4, 5});
    ck_ok(dlviz_csv_reader_set_delimiter(reader, ','));
    ck_fails(read_text(&tensor, "1;2\n3;4\n", reader), DLVIZ_ERROR_FORMAT, "'1;2' is no number");
    const char refused[] = {'"', '\n', '\r', '.', '+', '-', '0', 'e', 'Z', 0x7F, (char)0xE4, 1};
    for (size_t i = 0; i < sizeof refused; i++)
        ck_fails(dlviz_csv_reader_set_delimiter(reader, refused[i]), DLVIZ_ERROR_INVALID_ARGUMENT,
                 "the delimiter is character");
    ck_assert_int_eq(dlviz_csv_reader_delimiter(reader), ',');
    dlviz_csv_reader_destroy(reader);
}
END_TEST

/* -- What is wrong with a table ------------------------------------------------------------------
 */

START_TEST(what_is_wrong_is_named_by_line_and_column) {
    static const struct {
        const char *text;
        dlviz_status status;
        const char *words;
    } cases[] = {
        {"", DLVIZ_ERROR_FORMAT, "nothing but blank lines"},
        {"\xef\xbb\xbf\r\n \n", DLVIZ_ERROR_FORMAT, "nothing but blank lines"},
        {"age,b\n1,2\n,4\n", DLVIZ_ERROR_FORMAT,
         "line 3, column 'age': '' stands for what is missing"},
        {"age,b\n1,2\n3,\n", DLVIZ_ERROR_FORMAT, "line 3, column 'b': ''"},
        {"age,b\n1,2\n3,", DLVIZ_ERROR_FORMAT, "line 3, column 'b': ''"},
        {"age,b\n1,2\n3,\"\"\n", DLVIZ_ERROR_FORMAT, "line 3, column 'b': ''"},
        {"age,b\n1,2\nNA,4\n", DLVIZ_ERROR_FORMAT, "column 'age': 'NA' stands for"},
        {"age,b\n1,2\nNaN,4\n", DLVIZ_ERROR_FORMAT, "column 'age': 'NaN' stands for"},
        {"age,b\n1,2\nnan,4\n", DLVIZ_ERROR_FORMAT, "column 'age': 'nan' stands for"},
        {"age,b\n1,2\nnull,4\n", DLVIZ_ERROR_FORMAT, "column 'age': 'null' stands for"},
        {"age,b\n1,2\n?,4\n", DLVIZ_ERROR_FORMAT, "column 'age': '?' stands for"},
        {"age,b\n1,2\ninf,4\n", DLVIZ_ERROR_FORMAT, "line 3, column 'age': 'inf' is no number"},
        {"age,b\r\n1,2\r\n3,4 m\r\n", DLVIZ_ERROR_FORMAT, "line 3, column 'b': '4 m' is no number"},
        {"age,b\r1,2\r3,0x4\r", DLVIZ_ERROR_FORMAT, "line 3, column 'b': '0x4' is no number"},
        {"age,\"b\nc\"\n1,2\n3,x\n", DLVIZ_ERROR_FORMAT, "line 4, column 'b?c': 'x'"},
        {"a,b\n1,2\n3,4,5\n", DLVIZ_ERROR_FORMAT, "line 3 has 3 fields; line 1 has 2"},
        {"a,b\n1,2\n3\n", DLVIZ_ERROR_FORMAT, "line 3 has 1 field; line 1 has 2"},
        {"a,b\n1,2\n\n3,4\n", DLVIZ_ERROR_FORMAT, "line 3 has 1 field; line 1 has 2"},
        {"a\n1\n\n3\n", DLVIZ_ERROR_FORMAT, "line 3, column 'a': '' stands for"},
        {"a,b\n1,\"2\n3,4\n", DLVIZ_ERROR_FORMAT,
         "line 2, column #2: the quotation mark that begins here is not closed"},
        {"\"a,b\n1,2\n3,4\n", DLVIZ_ERROR_FORMAT, "line 1, column #1: the quotation mark"},
        {"a,b\n1,\"2\"x\n3,4\n", DLVIZ_ERROR_FORMAT,
         "line 2, column #2: something stands between a closing quotation mark and the next ','"},
        {"a,b\n1,\"2\"\"\n3,4\n", DLVIZ_ERROR_FORMAT, "is not closed"},
        {"a,b\n1,2\n3e39,4\n", DLVIZ_ERROR_NUMERIC,
         "line 3, column 'a': '3e39' is beyond the range of float32"},
        {"a,b\n1,2\n3,-4e999\n", DLVIZ_ERROR_NUMERIC, "line 3, column 'b': '-4e999' is beyond"},
        {"a,b\n1,3.4028235677973367e38\n", DLVIZ_ERROR_NUMERIC, "beyond"},
        {"\xff\xfe"
         "1\0,\0",
         DLVIZ_ERROR_FORMAT, "UTF-16"},
        {"PK\3\4abcdef", DLVIZ_ERROR_FORMAT, "a zip archive, as spreadsheets"},
        {"\x1f\x8b\x08", DLVIZ_ERROR_FORMAT, "gzip"},
        {"a,b\n1,2\n\x01\xff\n", DLVIZ_ERROR_FORMAT, "line 3 has 1 field"},
        {"a,b\n1,2\n\x01\xff\xe4,3\n", DLVIZ_ERROR_FORMAT, "line 3, column 'a': '?\?\?' is no"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlviz_tensor *tensor;
        dlviz_dataset *dataset;
        ck_fails(read_text(&tensor, cases[i].text, NULL), cases[i].status, cases[i].words);
        ck_assert_ptr_nonnull(strstr(dlviz_last_error(), "dlviz_tensor_read_csv_memory: cannot"));
        ck_fails(read_set(&dataset, cases[i].text, NULL), cases[i].status, cases[i].words);
    }
    /* A NUL is no number, and long fields are shown cut, between characters. */
    dlviz_tensor *tensor;
    ck_fails(dlviz_tensor_read_csv_memory(&tensor, "a,b\n1,2\n2\0,3\n", 12, NULL),
             DLVIZ_ERROR_FORMAT, "'2?' is no number");
    char longer[400] = "b,a\n1,1\n2,";
    for (int i = 0; i < 100; i++)
        strcat(longer, "\xc3\xa4");
    ck_fails(read_text(&tensor, longer, NULL), DLVIZ_ERROR_FORMAT, "\xc3\xa4…' is no number");
    ck_fails(dlviz_tensor_read_csv(&tensor, scratch_path("none.csv"), NULL), DLVIZ_ERROR_IO,
             "none.csv");
    write_file(scratch_path("bad.csv"), "a,b\n1,2\nx,3\n", 12);
    ck_fails(dlviz_tensor_read_csv(&tensor, scratch_path("bad.csv"), NULL), DLVIZ_ERROR_FORMAT,
             "bad.csv': line 3, column 'a': 'x' is no number");
    dlviz_dataset *dataset;
    ck_fails(dlviz_dataset_read_csv(&dataset, scratch_path("bad.csv"), NULL), DLVIZ_ERROR_FORMAT,
             "bad.csv': line 3");
}
END_TEST

START_TEST(a_row_of_very_many_fields_is_refused) {
    enum { SIZE = 3 << 20 };
    char *text = malloc(SIZE + 1);
    memset(text, ',', SIZE);
    text[SIZE] = 0;
    dlviz_tensor *tensor;
    ck_fails(read_text(&tensor, text, NULL), DLVIZ_ERROR_FORMAT, "at most 1048576 are accepted");
    free(text);
}
END_TEST

/* The first wrong field is the one that is reported, whatever threads find. */
START_TEST(the_first_of_many_errors_is_reported) {
    enum { ROWS = 5000 };
    char *text = malloc(ROWS * 8 + 10), *at = text + sprintf(text, "a,b\n");
    for (int i = 0; i < ROWS; i++)
        at += sprintf(at, i == 700 ? "1,x\n" : i > 700 && i % 7 == 0 ? "y,2\n" : "1,2\n");
    dlviz_tensor *tensor;
    for (int threads = 1; threads <= 4; threads++) {
        ck_ok(dlviz_set_num_threads(threads));
        ck_fails(read_text(&tensor, text, NULL), DLVIZ_ERROR_FORMAT, "line 702, column 'b': 'x'");
    }
    free(text);
}
END_TEST

/* -- Columns -------------------------------------------------------------------------------------
 */

#define PEOPLE                                                                                     \
    "id,height,\"age, in years\",class,weight\n"                                                   \
    "a1,1.5,20,good,50\n"                                                                          \
    "b2,1.75,30,\"very \"\"good\"\"\",60\n"                                                        \
    "c3,2,40,bad,70\n"                                                                             \
    "d4,1.25,50,good,80\n"

static int64_t label_of(const dlviz_dataset *dataset, int64_t i) {
    return ((const int64_t *)dlviz_tensor_const_data(dlviz_dataset_labels(dataset)))[i];
}

START_TEST(columns_are_samples_labels_targets_or_ignored) {
    dlviz_csv_reader *reader;
    dlviz_dataset *dataset;
    dlviz_tensor *tensor;
    ck_ok(dlviz_csv_reader_create(&reader));
    ck_ok(dlviz_csv_reader_set_label_column(reader, "class"));
    ck_ok(dlviz_csv_reader_set_ignored_columns(reader, 2, (const char *[]){"id", "weight"}));
    ck_ok(read_set(&dataset, PEOPLE, reader));
    ck_assert_int_eq(dlviz_dataset_num_samples(dataset), 4);
    ck_assert_int_eq(dlviz_dataset_ndim(dataset), 1);
    ck_assert_int_eq(dlviz_dataset_dims(dataset)[0], 2);
    ck_ok(dlviz_dataset_samples(dataset, 0, 4, &tensor));
    const float expected[] = {1.5f, 20, 1.75f, 30, 2, 40, 1.25f, 50};
    for (int i = 0; i < 8; i++)
        ck_assert_float_eq(dlviz_tensor_float(tensor)[i], expected[i]);
    dlviz_tensor_destroy(tensor);
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 3);
    ck_assert_str_eq(dlviz_dataset_class_name(dataset, 0), "bad");
    ck_assert_str_eq(dlviz_dataset_class_name(dataset, 1), "good");
    ck_assert_str_eq(dlviz_dataset_class_name(dataset, 2), "very \"good\"");
    const int labels[] = {1, 2, 0, 1};
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(label_of(dataset, i), labels[i]);
    dlviz_dataset_destroy(dataset);
    expect_values(PEOPLE, reader, 4, 2, expected);

    /* Targets, in the order in which they are named; columns by numbers. */
    ck_ok(dlviz_csv_reader_set_label_column(reader, NULL));
    ck_ok(dlviz_csv_reader_set_target_columns(reader, 2, (const char *[]){"#5", "height"}));
    ck_ok(dlviz_csv_reader_set_ignored_columns(reader, 2, (const char *[]){"#1", "#4"}));
    ck_ok(read_set(&dataset, PEOPLE, reader));
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), 0);
    ck_ok(dlviz_dataset_targets(dataset, 1, 2, &tensor));
    ck_assert_int_eq(dlviz_tensor_dim(tensor, 1), 2);
    const float targets[] = {60, 1.75f, 70, 2};
    for (int i = 0; i < 4; i++)
        ck_assert_float_eq(dlviz_tensor_float(tensor)[i], targets[i]);
    dlviz_tensor_destroy(tensor);
    dlviz_dataset_destroy(dataset);
    expect_values(PEOPLE, reader, 4, 1, (float[]){20, 30, 40, 50});
    ck_ok(dlviz_csv_reader_set_label_column(reader, "class"));
    ck_fails(read_set(&dataset, PEOPLE, reader), DLVIZ_ERROR_INVALID_ARGUMENT,
             "both a label column ('class') and target columns");
    dlviz_csv_reader_destroy(reader);
}
END_TEST

START_TEST(columns_that_do_not_exist_are_refused) {
    dlviz_csv_reader *reader;
    dlviz_dataset *dataset;
    dlviz_tensor *tensor;
    ck_ok(dlviz_csv_reader_create(&reader));
    ck_ok(dlviz_csv_reader_set_label_column(reader, "Class"));
    ck_fails(read_set(&dataset, PEOPLE, reader), DLVIZ_ERROR_NOT_FOUND,
             "there is no column 'Class' among the 5: 'id', 'height', 'age, in years', 'class', "
             "'weight'");
    ck_fails(read_set(&dataset, "1,2\n3,4\n", reader), DLVIZ_ERROR_NOT_FOUND,
             "columns are '#1' to '#2'");
    const char *const wrong[] = {"#0", "#6", "#", "#1x", "#-1", "#99999999999999999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_ok(dlviz_csv_reader_set_label_column(reader, wrong[i]));
        ck_fails(read_set(&dataset, PEOPLE, reader), DLVIZ_ERROR_NOT_FOUND, wrong[i]);
    }
    ck_ok(dlviz_csv_reader_set_label_column(reader, "b"));
    ck_fails(read_set(&dataset, "a,b,b\n1,2,3\n", reader), DLVIZ_ERROR_NOT_FOUND,
             "'b' is the name of 2 columns; name one by its number, as \"#2\"");
    ck_ok(dlviz_csv_reader_set_label_column(reader, "#3"));
    ck_ok(read_set(&dataset, "a,b,b\n1,2,3\n", reader));
    ck_assert_str_eq(dlviz_dataset_class_name(dataset, 0), "3");
    dlviz_dataset_destroy(dataset);
    ck_ok(dlviz_csv_reader_set_ignored_columns(reader, 1, (const char *[]){"#3"}));
    ck_fails(read_set(&dataset, "a,b,c\n1,2,3\n", reader), DLVIZ_ERROR_INVALID_ARGUMENT,
             "column 'c' is named twice");
    ck_ok(dlviz_csv_reader_set_ignored_columns(reader, 2, (const char *[]){"a", "b"}));
    ck_fails(read_set(&dataset, "a,b,c\n1,2,3\n", reader), DLVIZ_ERROR_FORMAT,
             "none of its 3 columns is left for the samples");
    /* What is ignored may hold anything, also nothing. */
    ck_ok(dlviz_csv_reader_set_label_column(reader, NULL));
    ck_ok(dlviz_csv_reader_set_ignored_columns(reader, 1, (const char *[]){"b"}));
    expect_values("a,b,c\n1,,3\n4,\xff?,6\n", reader, 2, 2, (float[]){1, 3, 4, 6});
    /* A name that looks like a number is a name first. */
    ck_ok(dlviz_csv_reader_set_ignored_columns(reader, 1, (const char *[]){"#1"}));
    expect_values("a,#1\n1,2\n", reader, 1, 1, (float[]){1});
    expect_values("a,b\n1,2\n", reader, 1, 1, (float[]){2});
    (void)tensor;
    dlviz_csv_reader_destroy(reader);
}
END_TEST

/* -- Classes -------------------------------------------------------------------------------------
 */

static void expect_classes(const dlviz_csv_reader *reader, const char *text, int64_t num_classes,
                           const char *const *names, int64_t num_samples, const int64_t *labels) {
    dlviz_dataset *dataset;
    dlviz_status status = read_set(&dataset, text, reader);
    ck_assert_msg(status == DLVIZ_OK, "'%s': %s", text, dlviz_last_error());
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), num_classes);
    ck_assert_int_eq(dlviz_dataset_num_samples(dataset), num_samples);
    for (int64_t c = 0; c < num_classes; c++) {
        const char *name = dlviz_dataset_class_name(dataset, c);
        ck_assert_msg(names ? name && strcmp(name, names[c]) == 0 : !name, "'%s': class %d is '%s'",
                      text, (int)c, name ? name : "NULL");
    }
    for (int64_t i = 0; i < num_samples; i++)
        ck_assert_msg(label_of(dataset, i) == labels[i], "'%s': label %d is %d", text, (int)i,
                      (int)label_of(dataset, i));
    dlviz_dataset_destroy(dataset);
}

START_TEST(labels_become_classes) {
    dlviz_csv_reader *reader;
    dlviz_dataset *dataset;
    ck_ok(dlviz_csv_reader_create(&reader));
    ck_ok(dlviz_csv_reader_set_label_column(reader, "#1"));
    expect_classes(reader, "0,5\n2,5\n1,5\n0,5\n", 3, NULL, 4, (int64_t[]){0, 2, 1, 0});
    expect_classes(reader, "0,5\n0,5\n", 1, NULL, 2, (int64_t[]){0, 0});
    /* 10 comes after 9, not after 1. */
    expect_classes(reader, "10,5\n9,5\n1,5\n10,5\n", 3, (const char *[]){"1", "9", "10"}, 4,
                   (int64_t[]){2, 1, 0, 2});
    expect_classes(reader, "0,5\n2,5\n", 2, (const char *[]){"0", "2"}, 2, (int64_t[]){0, 1});
    expect_classes(reader, "1,5\n2,5\n", 2, (const char *[]){"1", "2"}, 2, (int64_t[]){0, 1});
    expect_classes(reader, "-1,5\n+1,5\n1.0,5\n1e0,5\n01,5\n", 2, (const char *[]){"-1", "1"}, 5,
                   (int64_t[]){0, 1, 1, 1, 1});
    expect_classes(reader, "b,5\na,5\n\" b\",5\nB,5\n10,5\n9,5\n", 6,
                   (const char *[]){" b", "10", "9", "B", "a", "b"}, 6,
                   (int64_t[]){5, 4, 0, 3, 1, 2});
    /* Too large to be told apart as numbers. */
    expect_classes(reader, "9007199254740993,5\n9007199254740992,5\n", 2,
                   (const char *[]){"9007199254740992", "9007199254740993"}, 2, (int64_t[]){1, 0});
    ck_fails(read_set(&dataset, "0,5\n1,5\n0.5,5\n0.25,5\n", reader), DLVIZ_ERROR_FORMAT,
             "line 3, column '#1': '0.5' is no whole number");
    ck_fails(read_set(&dataset, "a,5\n,5\n", reader), DLVIZ_ERROR_FORMAT,
             "line 2, column '#1': '' stands for what is missing");
    ck_fails(read_set(&dataset, "a,5\nNA,5\n", reader), DLVIZ_ERROR_FORMAT, "'NA' stands for");
    ck_fails(read_set(&dataset, "a,5\n\xe4,5\n", reader), DLVIZ_ERROR_FORMAT,
             "line 2, column '#1': '?' is no text in UTF-8");
    ck_fails(dlviz_dataset_read_csv_memory(&dataset, "a,5\nb\0,5\n", 9, reader), DLVIZ_ERROR_FORMAT,
             "is no text in UTF-8");
    dlviz_csv_reader_destroy(reader);
}
END_TEST

START_TEST(classes_of_another_file_are_kept) {
    dlviz_csv_reader *reader;
    dlviz_dataset *dataset;
    ck_ok(dlviz_csv_reader_create(&reader));
    ck_ok(dlviz_csv_reader_set_label_column(reader, "#1"));
    const char *const words[] = {"b", "a", "3", "c", "d", "e"};
    ck_ok(dlviz_csv_reader_set_class_names(reader, 6, words));
    expect_classes(reader, "a,5\n3.0,5\na,5\n", 6, words, 3, (int64_t[]){1, 2, 1});
    ck_fails(read_set(&dataset, "a,5\nx,5\n", reader), DLVIZ_ERROR_FORMAT,
             "line 2, column '#1': 'x' is none of the 6 classes: 'b', 'a', '3', 'c', 'd', …");
    ck_fails(dlviz_csv_reader_set_class_names(reader, 2, (const char *[]){"a", "a"}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "names 0 and 1 are both 'a'");
    ck_assert_int_eq(dlviz_csv_reader_num_class_names(reader), 6);
    ck_ok(dlviz_csv_reader_set_class_names(reader, 0, NULL));
    expect_classes(reader, "a,5\nx,5\n", 2, (const char *[]){"a", "x"}, 2, (int64_t[]){0, 1});
    dlviz_csv_reader_destroy(reader);
}
END_TEST

/* -- Settings ------------------------------------------------------------------------------------
 */

START_TEST(settings_are_checked_and_given_back) {
    dlviz_csv_reader *reader;
    ck_ok(dlviz_csv_reader_create(&reader));
    ck_assert_int_eq(dlviz_csv_reader_delimiter(reader), 0);
    ck_assert_int_eq(dlviz_csv_reader_header(reader), DLVIZ_CSV_HEADER_AUTO);
    ck_assert_ptr_null(dlviz_csv_reader_label_column(reader));
    ck_assert_int_eq(dlviz_csv_reader_num_target_columns(reader), 0);
    ck_ok(dlviz_csv_reader_set_delimiter(reader, '\t'));
    ck_ok(dlviz_csv_reader_set_header(reader, DLVIZ_CSV_HEADER_NO));
    char name[] = "label";
    ck_ok(dlviz_csv_reader_set_label_column(reader, name));
    name[0] = 'x';
    ck_ok(dlviz_csv_reader_set_target_columns(reader, 2, (const char *[]){"a", "b"}));
    ck_ok(dlviz_csv_reader_set_ignored_columns(reader, 1, (const char *[]){"c"}));
    ck_fails(dlviz_csv_reader_set_header(reader, (dlviz_csv_header)3), DLVIZ_ERROR_INVALID_ARGUMENT,
             "header 3");
    ck_fails(dlviz_csv_reader_set_label_column(reader, ""), DLVIZ_ERROR_INVALID_ARGUMENT, "empty");
    ck_fails(dlviz_csv_reader_set_target_columns(reader, 2, (const char *[]){"a", NULL}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "column 1 is NULL");
    ck_fails(dlviz_csv_reader_set_target_columns(reader, -1, (const char *[]){"a"}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "-1 columns");
    ck_fails(dlviz_csv_reader_set_ignored_columns(reader, 1, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "1 columns");
    ck_fails(dlviz_csv_reader_set_ignored_columns(reader, 1, (const char *[]){"\xff"}),
             DLVIZ_ERROR_INVALID_ARGUMENT, "not UTF-8");
    ck_assert_int_eq(dlviz_csv_reader_delimiter(reader), '\t');
    ck_assert_int_eq(dlviz_csv_reader_header(reader), DLVIZ_CSV_HEADER_NO);
    ck_assert_str_eq(dlviz_csv_reader_label_column(reader), "label");
    ck_assert_int_eq(dlviz_csv_reader_num_target_columns(reader), 2);
    ck_assert_str_eq(dlviz_csv_reader_target_column(reader, 1), "b");
    ck_assert_ptr_null(dlviz_csv_reader_target_column(reader, 2));
    ck_assert_ptr_null(dlviz_csv_reader_target_column(reader, -1));
    ck_assert_int_eq(dlviz_csv_reader_num_ignored_columns(reader), 1);
    ck_assert_str_eq(dlviz_csv_reader_ignored_column(reader, 0), "c");
    ck_assert_ptr_null(dlviz_csv_reader_class_name(reader, 0));
    dlviz_csv_reader_destroy(reader);
}
END_TEST

/* A table of one row takes most for what it is. */
START_TEST(many_columns_take_little_memory) {
    enum { COLUMNS = 1 << 20, SIZE = 2 * COLUMNS };
    char *row = malloc(SIZE);
    for (int i = 0; i < SIZE; i++)
        row[i] = i % 2 ? ',' : '1';
    row[SIZE - 1] = '\n';
    dlviz_csv_reader *reader;
    ck_ok(dlviz_csv_reader_create(&reader));
    static const dlviz_csv_header headers[] = {DLVIZ_CSV_HEADER_NO, DLVIZ_CSV_HEADER_AUTO};
    for (int header = 0; header < 2; header++) {
        ck_ok(dlviz_csv_reader_set_header(reader, headers[header]));
        watch_memory();
        dlviz_tensor *tensor;
        ck_ok(dlviz_tensor_read_csv_memory(&tensor, row, SIZE, reader));
        ck_assert_int_eq(dlviz_tensor_dim(tensor, 1), COLUMNS);
        dlviz_tensor_destroy(tensor);
        int64_t most = memory_watched();
        if (getenv("DLVIZ_TEST_VERBOSE"))
            fprintf(stderr, "header %d: %lld bytes, %.1f times\n", header, (long long)most,
                    (double)most / SIZE);
        ck_assert_int_lt(most, 40LL * SIZE);
    }
    dlviz_csv_reader_destroy(reader);
    free(row);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {all_ways_of_writing_a_table_are_read,
                                  a_header_is_found_out_or_set,
                                  a_first_row_of_what_is_no_number_is_not_left_out,
                                  the_delimiter_is_found_out_or_set,
                                  what_is_wrong_is_named_by_line_and_column,
                                  a_row_of_very_many_fields_is_refused,
                                  the_first_of_many_errors_is_reported,
                                  columns_are_samples_labels_targets_or_ignored,
                                  columns_that_do_not_exist_are_refused,
                                  labels_become_classes,
                                  classes_of_another_file_are_kept,
                                  settings_are_checked_and_given_back,
                                  many_columns_take_little_memory,
                                  NULL};
    return run_tests("csv", tests);
}
