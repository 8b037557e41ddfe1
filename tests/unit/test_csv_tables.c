/* Tables of many numbers: what is written in any way comes back, to the last bit. */
#include "base/base.h"
#include "support/failing.h"
#include "support/process.h"
#include "support/random_cases.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A text that grows. */
typedef struct text {
    char *bytes;
    size_t size, room;
} text;

static void append(text *to, const char *bytes, size_t size) {
    if (to->size + size > to->room) {
        to->room = 2 * (to->size + size);
        to->bytes = realloc(to->bytes, to->room);
    }
    if (size > 0)
        memcpy(to->bytes + to->size, bytes, size);
    to->size += size;
}

static void add(text *to, const char *bytes) {
    append(to, bytes, strlen(bytes));
}

static float random_float(dlz_random *random) {
    for (;;) {
        uint32_t bits = (uint32_t)dlz_random_below(random, UINT64_C(1) << 32);
        float value;
        memcpy(&value, &bits, sizeof value);
        if (random_chance(random, 0.5))
            value = (float)random_between(random, -300, 300) / 4;
        if (isfinite(value))
            return value;
    }
}

/* How a table is written. */
typedef struct style {
    char delimiter[2];
    const char *line_end;
    double quoted, spaced, wide; /* how often */
    bool header, mark, ends;
} style;

static style random_style(dlz_random *random) {
    static const char *const line_ends[] = {"\n", "\r\n", "\r"};
    return (style){.delimiter = {",;\t|"[random_between(random, 0, 3)]},
                   .line_end = line_ends[random_between(random, 0, 2)],
                   .quoted = random_chance(random, 0.5) ? 0.3 : 0,
                   .spaced = random_chance(random, 0.5) ? 0.3 : 0,
                   .wide = random_chance(random, 0.5) ? 0.3 : 0,
                   .header = random_chance(random, 0.5),
                   .mark = random_chance(random, 0.3),
                   .ends = random_chance(random, 0.8)};
}

/* A field, in quotes or with spaces around it. Words need quotes where they hold what ends a field. */
static void add_field(text *to, const style *s, dlz_random *random, const char *what) {
    bool quoted =
        random_chance(random, s->quoted) || strpbrk(what, ",;\t|\"\r\n") || what[0] == ' ';
    const char *space = random_chance(random, s->spaced) ? "  " : "";
    add(to, space);
    if (quoted)
        add(to, "\"");
    for (const char *at = what; *at; at++) {
        append(to, at, 1);
        if (*at == '"')
            add(to, "\"");
    }
    if (quoted)
        add(to, "\"");
    add(to, space);
}

static void add_number(text *to, const style *s, dlz_random *random, float value) {
    char number[DLZ_NUMBER_SIZE];
    dlz_number(number, (double)value, random_chance(random, s->wide) ? 17 : 9);
    add_field(to, s, random, number);
}

static const char *const classes[] = {
    " spaces ", "\"", "a \"b\" c", "a,b;c|d\te", "line\nline\r\n", "plain", "\xc3\xa4\xe2\x82\xac"};
enum { NUM_CLASSES = 7, MOST_COLUMNS = 12 };

typedef struct table {
    int64_t rows, columns; /* of numbers; the labels stand before the last */
    float *numbers;
    int64_t *labels;
    text written;
} table;

static table make_table(dlz_random *random, int64_t rows) {
    style s = random_style(random);
    table t = {.rows = rows, .columns = random_between(random, 1, MOST_COLUMNS)};
    t.numbers = malloc((size_t)(t.rows * t.columns) * sizeof *t.numbers);
    t.labels = malloc((size_t)t.rows * sizeof *t.labels);
    if (s.mark)
        add(&t.written, "\xef\xbb\xbf");
    for (int64_t row = s.header ? -1 : 0; row < rows; row++) {
        for (int64_t j = 0; j < t.columns; j++) {
            if (j == t.columns - 1) {
                /* The classes are all there. */
                int64_t label =
                    row < NUM_CLASSES ? row : random_between(random, 0, NUM_CLASSES - 1);
                add_field(&t.written, &s, random, row < 0 ? "label \"of\" it" : classes[label]);
                add(&t.written, s.delimiter);
                if (row >= 0)
                    t.labels[row] = label;
            }
            float value = random_float(random);
            if (row < 0)
                add_field(&t.written, &s, random, "a\nname");
            else
                add_number(&t.written, &s, random, t.numbers[row * t.columns + j] = value);
            add(&t.written, j + 1 < t.columns ? s.delimiter : "");
        }
        add(&t.written, row + 1 < rows || s.ends ? s.line_end : "");
    }
    for (int64_t blank = s.ends ? random_between(random, 0, 2) : 0; blank > 0; blank--)
        add(&t.written, s.line_end);
    return t;
}

static void release_table(table *t) {
    free(t->numbers);
    free(t->labels);
    free(t->written.bytes);
}

static dlviz_csv_reader *reader_of(const table *t) {
    dlviz_csv_reader *reader;
    char name[32];
    snprintf(name, sizeof name, "#%d", (int)t->columns);
    ck_ok(dlviz_csv_reader_create(&reader));
    ck_ok(dlviz_csv_reader_set_label_column(reader, name));
    return reader;
}

/* Bytes that end where their block ends. */
static char *moved(const text *written) {
    char *copy = malloc(written->size);
    return memcpy(copy, written->bytes, written->size);
}

static void expect_table(const table *t, const dlviz_dataset *dataset) {
    dlviz_tensor *samples;
    ck_assert_int_eq(dlviz_dataset_num_samples(dataset), t->rows);
    ck_assert_int_eq(dlviz_dataset_dims(dataset)[0], t->columns);
    ck_ok(dlviz_dataset_samples(dataset, 0, t->rows, &samples));
    ck_assert_int_eq(memcmp(dlviz_tensor_data(samples), t->numbers,
                            (size_t)(t->rows * t->columns) * sizeof(float)),
                     0);
    dlviz_tensor_destroy(samples);
    ck_assert_int_eq(dlviz_dataset_num_classes(dataset), NUM_CLASSES);
    const int64_t *labels = dlviz_tensor_const_data(dlviz_dataset_labels(dataset));
    for (int64_t i = 0; i < t->rows; i++)
        ck_assert_str_eq(dlviz_dataset_class_name(dataset, labels[i]), classes[t->labels[i]]);
}

START_TEST(what_is_written_in_any_way_comes_back) {
    for (uint64_t seed = 1; seed <= 300; seed++) {
        dlz_random random = random_numbers(seed);
        table t = make_table(&random, random_between(&random, NUM_CLASSES, 40));
        char *bytes = moved(&t.written);
        dlviz_csv_reader *reader = reader_of(&t);
        dlviz_dataset *dataset;
        dlviz_status status =
            dlviz_dataset_read_csv_memory(&dataset, bytes, t.written.size, reader);
        ck_assert_msg(status == DLVIZ_OK, "seed %d: %s in\n%.*s", (int)seed, dlviz_last_error(),
                      (int)t.written.size, t.written.bytes);
        expect_table(&t, dataset);
        dlviz_dataset_destroy(dataset);
        dlviz_csv_reader_destroy(reader);
        free(bytes);
        release_table(&t);
    }
}
END_TEST

START_TEST(a_file_is_the_same_for_any_number_of_threads) {
    dlz_random random = random_numbers(1000);
    table t = make_table(&random, 5000);
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("large.csv"));
    write_file(path, t.written.bytes, t.written.size);
    dlviz_csv_reader *reader = reader_of(&t);
    for (int threads = 1; threads <= 5; threads += 2) {
        dlviz_dataset *dataset;
        ck_ok(dlviz_set_num_threads(threads));
        ck_ok(dlviz_dataset_read_csv(&dataset, path, reader));
        expect_table(&t, dataset);
        dlviz_dataset_destroy(dataset);
    }
    dlviz_csv_reader_destroy(reader);
    release_table(&t);
}
END_TEST

/* -- Columns far from 0 --------------------------------------------------------------------------
 */

START_TEST(columns_that_float32_would_flatten_are_refused_or_shifted) {
    enum { ROWS = 20 };
    text written = {0};
    add(&written, "id,near,time\n");
    for (int i = 0; i < ROWS; i++) {
        char line[80];
        snprintf(line, sizeof line, "r%d,%d.5,17000000%02d.%d\n", i, i, i, i % 4 * 25);
        add(&written, line);
    }
    dlviz_csv_reader *reader;
    ck_ok(dlviz_csv_reader_create(&reader));
    ck_ok(dlviz_csv_reader_set_ignored_columns(reader, 1, (const char *[]){"id"}));
    dlviz_tensor *tensor = (void *)1, *offsets;
    dlviz_dataset *dataset;
    ck_fails(dlviz_tensor_read_csv_memory(&tensor, written.bytes, written.size, reader),
             DLVIZ_ERROR_NUMERIC, "column 'time' lies between 1700000000 and 17000000");
    ck_assert_ptr_null(tensor);
    ck_fails(dlviz_dataset_read_csv_memory(&dataset, written.bytes, written.size, reader),
             DLVIZ_ERROR_NUMERIC, "dlviz_tensor_read_csv_shifted");
    ck_ok(dlviz_tensor_read_csv_shifted_memory(&tensor, written.bytes, written.size, reader,
                                               &offsets));
    ck_assert_int_eq(dlviz_tensor_ndim(offsets), 1);
    ck_assert_int_eq(dlviz_tensor_num_elements(offsets), 2);
    ck_assert_float_eq(dlviz_tensor_float(offsets)[0], 0);
    for (int i = 0; i < ROWS; i++) {
        const float *row = dlviz_tensor_float(tensor) + 2 * i;
        double time = 1700000000 + i + i % 4 * (i % 4 == 0 ? 0 : 0.25);
        ck_assert_float_eq(row[0], (float)i + 0.5f);
        ck_assert_double_eq((double)row[1] + (double)dlviz_tensor_float(offsets)[1], time);
    }
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(offsets);
    write_file(scratch_path("times.csv"), written.bytes, written.size);
    ck_ok(dlviz_tensor_read_csv_shifted(&tensor, scratch_path("times.csv"), reader, NULL));
    dlviz_tensor_destroy(tensor);
    /* Targets are judged too; without the column all is well. */
    ck_ok(dlviz_csv_reader_set_target_columns(reader, 1, (const char *[]){"time"}));
    ck_fails(dlviz_dataset_read_csv_memory(&dataset, written.bytes, written.size, reader),
             DLVIZ_ERROR_NUMERIC, "column 'time' lies between");
    ck_ok(dlviz_tensor_read_csv_shifted_memory(&tensor, written.bytes, written.size, reader,
                                               &offsets));
    ck_assert_int_eq(dlviz_tensor_dim(tensor, 1), 1);
    ck_assert_float_eq(dlviz_tensor_float(offsets)[0], 0);
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(offsets);
    dlviz_csv_reader_destroy(reader);
    free(written.bytes);
}
END_TEST

/* What read_npy says of the same numbers is said here. */
START_TEST(the_rule_is_that_of_npy_files) {
    for (uint64_t seed = 1; seed <= 60; seed++) {
        dlz_random random = random_numbers(seed);
        double center = ldexp(1, (int)random_between(&random, -10, 40));
        text written = {0};
        add(&written, "a,b\n");
        enum { ROWS = 12 };
        double numbers[ROWS][2];
        for (int i = 0; i < ROWS; i++) {
            char number[DLZ_NUMBER_SIZE];
            numbers[i][0] = center + dlz_random_normal(&random);
            numbers[i][1] = dlz_random_normal(&random);
            add(&written, dlz_number(number, numbers[i][0], 17));
            add(&written, ",");
            add(&written, dlz_number(number, numbers[i][1], 17));
            add(&written, "\n");
        }
        unsigned char npy[128 + sizeof numbers] = "\x93NUMPY\1\0v\0{'descr': '<f8', "
                                                  "'fortran_order': False, 'shape': (12, 2), }";
        for (size_t i = 0; i < 128; i++)
            npy[i] = i > 9 && npy[i] == 0 ? ' ' : npy[i];
        memcpy(npy + 128, numbers, sizeof numbers);
        swap_to_file_order(npy + 128, 2 * ROWS, sizeof(double));
        dlviz_tensor *a, *b, *c, *d;
        dlviz_status one = dlviz_tensor_read_npy_memory(&a, npy, sizeof npy);
        dlviz_status two = dlviz_tensor_read_csv_memory(&b, written.bytes, written.size, NULL);
        ck_assert_msg(one == two, "center %g: '%s' and '%s'", center, dlviz_status_name(one),
                      dlviz_status_name(two));
        if (a)
            ck_assert_int_eq(memcmp(dlviz_tensor_data(a), dlviz_tensor_data(b), 2 * ROWS * 4), 0);
        dlviz_tensor_destroy(a);
        dlviz_tensor_destroy(b);
        ck_ok(dlviz_tensor_read_npy_shifted_memory(&a, npy, sizeof npy, &c));
        ck_ok(dlviz_tensor_read_csv_shifted_memory(&b, written.bytes, written.size, NULL, &d));
        ck_assert_int_eq(memcmp(dlviz_tensor_data(a), dlviz_tensor_data(b), 2 * ROWS * 4), 0);
        ck_assert_int_eq(memcmp(dlviz_tensor_data(c), dlviz_tensor_data(d), 2 * 4), 0);
        dlviz_tensor_destroy(a);
        dlviz_tensor_destroy(b);
        dlviz_tensor_destroy(c);
        dlviz_tensor_destroy(d);
        free(written.bytes);
    }
}
END_TEST

/* Also where whole numbers are beyond what double holds, among samples and among targets. */
START_TEST(whole_numbers_are_those_of_npy_files) {
    enum { ROWS = 12 };
    int refused = 0;
    for (uint64_t seed = 1; seed <= 200; seed++) {
        dlz_random random = random_numbers(seed);
        int power = (int)random_between(&random, 41, 62);
        int64_t base = INT64_C(1) << power, step = INT64_C(1)
                                                   << random_between(&random, 0, power - 6);
        base += random_chance(&random, 0.5) ? random_between(&random, 0, base / 2) : 0;
        int64_t sign = random_chance(&random, 0.5) ? 1 : -1, numbers[ROWS];
        text written = {0};
        add(&written, "a,b\n");
        for (int i = 0; i < ROWS; i++) {
            char line[80];
            numbers[i] = sign * (base + random_between(&random, 0, 30) * step);
            snprintf(line, sizeof line, "%s%lld,%d\n", numbers[i] > 0 && i % 3 == 0 ? "+" : "",
                     (long long)numbers[i], i);
            add(&written, line);
        }
        unsigned char npy[128 + sizeof numbers] = "\x93NUMPY\1\0v\0{'descr': '<i8', "
                                                  "'fortran_order': False, 'shape': (12, 1), }";
        for (size_t i = 0; i < 128; i++)
            npy[i] = i > 9 && npy[i] == 0 ? ' ' : npy[i];
        memcpy(npy + 128, numbers, sizeof numbers);
        swap_to_file_order(npy + 128, ROWS, sizeof *numbers);
        dlviz_csv_reader *reader;
        ck_ok(dlviz_csv_reader_create(&reader));
        ck_ok(dlviz_csv_reader_set_ignored_columns(reader, 1, (const char *[]){"b"}));
        dlviz_tensor *whole, *a = NULL, *b, *c, *d;
        dlviz_dataset *dataset;
        ck_ok(dlviz_tensor_read_npy_memory(&whole, npy, sizeof npy));
        dlviz_status one = dlviz_tensor_convert(whole, DLVIZ_FLOAT32, &a);
        dlviz_status two = dlviz_tensor_read_csv_memory(&b, written.bytes, written.size, reader);
        ck_assert_msg(one == two, "seed %d: '%s' and '%s'", (int)seed, dlviz_status_name(one),
                      dlviz_status_name(two));
        if (a)
            ck_assert_mem_eq(dlviz_tensor_data(a), dlviz_tensor_data(b), ROWS * sizeof(float));
        refused += !a;
        dlviz_tensor_destroy(a);
        dlviz_tensor_destroy(b);
        one = dlviz_tensor_read_npy_shifted_memory(&a, npy, sizeof npy, &c);
        two = dlviz_tensor_read_csv_shifted_memory(&b, written.bytes, written.size, reader, &d);
        ck_assert_int_eq(one, two);
        if (a) {
            ck_assert_mem_eq(dlviz_tensor_data(a), dlviz_tensor_data(b), ROWS * sizeof(float));
            ck_assert_mem_eq(dlviz_tensor_data(c), dlviz_tensor_data(d), sizeof(float));
        }
        dlviz_tensor_destroy(a);
        dlviz_tensor_destroy(b);
        dlviz_tensor_destroy(c);
        dlviz_tensor_destroy(d);
        ck_ok(dlviz_csv_reader_set_ignored_columns(reader, 0, NULL));
        ck_ok(dlviz_csv_reader_set_target_columns(reader, 1, (const char *[]){"a"}));
        two = dlviz_dataset_read_csv_memory(&dataset, written.bytes, written.size, reader);
        ck_assert_int_eq(two, dlviz_tensor_convert(whole, DLVIZ_FLOAT32, &a));
        if (a) {
            ck_ok(dlviz_dataset_targets(dataset, 0, ROWS, &b));
            ck_assert_mem_eq(dlviz_tensor_data(b), dlviz_tensor_data(a), ROWS * sizeof(float));
            dlviz_tensor_destroy(b);
        }
        dlviz_dataset_destroy(dataset);
        dlviz_tensor_destroy(a);
        dlviz_tensor_destroy(whole);
        dlviz_csv_reader_destroy(reader);
        free(written.bytes);
    }
    ck_assert_msg(refused > 20 && refused < 180, "%d were refused", refused);
    /* One that is no whole number makes it a column of real ones. */
    const char mixed[] = "9223372036854775808,1\n9223372036854775807.0,-\n2e18,5\n";
    dlviz_csv_reader *reader;
    dlviz_tensor *tensor;
    ck_ok(dlviz_csv_reader_create(&reader));
    ck_ok(dlviz_csv_reader_set_ignored_columns(reader, 1, (const char *[]){"#2"}));
    ck_ok(dlviz_tensor_read_csv_memory(&tensor, mixed, sizeof mixed - 1, reader));
    ck_assert_float_eq(dlviz_tensor_float(tensor)[0], 0x1p63f);
    ck_assert_float_eq(dlviz_tensor_float(tensor)[2], 2e18f);
    dlviz_tensor_destroy(tensor);
    dlviz_csv_reader_destroy(reader);
}
END_TEST

/* -- Memory --------------------------------------------------------------------------------------
 */

static dlviz_status read_in_all_ways(void *path) {
    dlviz_csv_reader *reader = NULL;
    dlviz_dataset *labeled = NULL, *targeted = NULL;
    dlviz_tensor *tensor = NULL, *offsets = NULL;
    dlviz_status status = dlviz_csv_reader_create(&reader);
    if (status == DLVIZ_OK)
        status = dlviz_csv_reader_set_label_column(reader, "label");
    if (status == DLVIZ_OK)
        status = dlviz_csv_reader_set_ignored_columns(reader, 1, (const char *[]){"id"});
    if (status == DLVIZ_OK)
        status = dlviz_dataset_read_csv(&labeled, path, reader);
    if (status == DLVIZ_OK)
        status = dlviz_csv_reader_set_class_names(reader, 3, (const char *[]){"x", "b", "a"});
    dlviz_dataset_destroy(labeled);
    labeled = NULL;
    if (status == DLVIZ_OK)
        status = dlviz_dataset_read_csv(&labeled, path, reader);
    if (status == DLVIZ_OK)
        status = dlviz_tensor_read_csv_shifted(&tensor, path, reader, &offsets);
    if (status == DLVIZ_OK)
        status = dlviz_csv_reader_set_ignored_columns(reader, 2, (const char *[]){"id", "#3"});
    if (status == DLVIZ_OK)
        status = dlviz_csv_reader_set_label_column(reader, NULL);
    if (status == DLVIZ_OK)
        status = dlviz_csv_reader_set_target_columns(reader, 1, (const char *[]){"x"});
    if (status == DLVIZ_OK)
        status = dlviz_dataset_read_csv(&targeted, path, reader);
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(offsets);
    dlviz_dataset_destroy(labeled);
    dlviz_dataset_destroy(targeted);
    dlviz_csv_reader_destroy(reader);
    return status;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    char path[512];
    snprintf(path, sizeof path, "%s", scratch_path("small.csv"));
    const char small[] = "id,x,label,y\nr1,1.1,a,2\nr2,3.3,b,4\nr3,5.5,a,6\n";
    write_file(path, small, sizeof small - 1);
    ck_assert_int_ge(fail_each_allocation(read_in_all_ways, path), 60);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {what_is_written_in_any_way_comes_back,
                                  a_file_is_the_same_for_any_number_of_threads,
                                  columns_that_float32_would_flatten_are_refused_or_shifted,
                                  the_rule_is_that_of_npy_files,
                                  whole_numbers_are_those_of_npy_files,
                                  nothing_leaks_when_memory_runs_out,
                                  NULL};
    return run_tests("csv_tables", tests);
}
