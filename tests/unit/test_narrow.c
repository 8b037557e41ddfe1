/* What becomes of numbers that float32 does not hold. */
#include "base/base.h"
#include "base/random.h"
#include "support/failing.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST = 400 };

/* Writes rows x columns numbers as a .npy file, in either order of bytes and of dimensions. */
typedef struct layout {
    bool big_endian, fortran;
} layout;

static const layout layouts[] = {{false, false}, {true, false}, {false, true}, {true, true}};

static const char *write_numbers(const char *kind, int64_t rows, int64_t columns,
                                 const uint64_t *bits, layout how) {
    unsigned char file[128 + 8 * MOST] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0};
    int length = snprintf(
        (char *)file + 10, 118, "{'descr': '%c%s', 'fortran_order': %s, 'shape': (%d, %d), }",
        how.big_endian ? '>' : '<', kind, how.fortran ? "True" : "False", (int)rows, (int)columns);
    memset(file + 10 + length, ' ', (size_t)(118 - length));
    size_t size = kind[1] == '4' ? 4 : 8;
    for (int64_t i = 0; i < rows * columns; i++) {
        uint64_t number = how.fortran ? bits[i % rows * columns + i / rows] : bits[i];
        for (size_t b = 0; b < size; b++)
            file[128 + (size_t)i * size + b] =
                (unsigned char)(number >> 8 * (how.big_endian ? size - 1 - b : b));
    }
    const char *path = scratch_path("wide.npy");
    write_file(path, file, 128 + size * (size_t)(rows * columns));
    return path;
}

static const char *write_reals(int64_t rows, int64_t columns, const double *numbers, layout how) {
    uint64_t bits[MOST];
    memcpy(bits, numbers, (size_t)(rows * columns) * sizeof *bits);
    return write_numbers("f8", rows, columns, bits, how);
}

/* Numbers of about ±1.5, a function of i alone. */
static double noise(int64_t i) {
    return sin(12.9898 * (double)(i + 1)) + 0.5 * cos(78.233 * (double)(i + 1));
}

/* Columns a + b noise. */
static void fill(double *numbers, int64_t rows, int64_t columns, const double (*shape)[2]) {
    for (int64_t i = 0; i < rows * columns; i++)
        numbers[i] = shape[i % columns][0] + shape[i % columns][1] * noise(i);
}

START_TEST(ordinary_numbers_are_rounded_and_no_more) {
    static const double shapes[][3][2] = {
        {{0, 1}, {5, 1}, {100, 1}},                  /* deviations */
        {{2010, 10}, {-1e6, 3e4}, {0, 1e-20}},       /* years, a small scale */
        {{0.1, 0}, {1.7e9, 0}, {0, 1}},              /* constants */
        {{0.3, 1e-17}, {1e9, 1e-7}, {0.7, 1e-13}},   /* constants but for float64's own rounding */
        {{1, 1e-9}, {0, 1}, {0.999999, 1e-8}},       /* nothing beside the second column */
        {{37e6, 4e6}, {5e9, 1e9}, {1e30, 1e28}},     /* counts */
        {{1.7e9, 1e6}, {4.1e5, 100}, {5.4e6, 1e4}}}; /* times of some weeks, metres */
    double numbers[3 * 100];
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++)
        for (int64_t rows = 1; rows <= 100; rows += rows < 10 ? 1 : 45)
            for (int l = 0; l < 4; l++) {
                fill(numbers, rows, 3, shapes[s]);
                dlviz_tensor *tensor;
                ck_ok(dlviz_tensor_read_npy(&tensor, write_reals(rows, 3, numbers, layouts[l])));
                for (int64_t i = 0; i < rows * 3; i++)
                    ck_assert_float_eq(dlviz_tensor_float(tensor)[i], (float)numbers[i]);
                dlviz_tensor_destroy(tensor);
            }
}
END_TEST

START_TEST(columns_that_would_merge_are_refused) {
    static const struct {
        double shape[3][2];
        const char *words;
    } cases[] = {{{{0, 1}, {1.7e9, 100}, {0, 1}}, "column 1 (float64) lies between"},
                 {{{0, 1e4}, {0, 1e5}, {1.7e9, 1}}, "column 2"},
                 {{{1.7e9, 1e3}, {1.7e9, 1e3}, {1.7e9, 1e3}}, "column 0"},
                 {{{-4e5, 1e-3}, {0, 1}, {0, 1}}, "steps of 0.0312"},
                 {{{0, 1e-60}, {0, 0}, {0, 0}}, "column 0"},
                 {{{1e6, 1e-4}, {3, 0}, {3, 0}}, "dlviz_tensor_read_npy_shifted"}};
    double numbers[3 * 60];
    for (size_t c = 0; c < sizeof cases / sizeof *cases; c++)
        for (int64_t rows = 8; rows <= 60; rows += 26)
            for (int l = 0; l < 4; l++) {
                fill(numbers, rows, 3, cases[c].shape);
                dlviz_tensor *tensor;
                const char *path = write_reals(rows, 3, numbers, layouts[l]);
                ck_fails(dlviz_tensor_read_npy(&tensor, path), DLVIZ_ERROR_NUMERIC, cases[c].words);
                ck_assert_ptr_null(tensor);
                ck_assert_ptr_nonnull(strstr(dlviz_last_error(), path));
            }
    /* Few rows: neighbors by chance are none of our business, an offset of all columns is. */
    dlviz_tensor *tensor;
    const double chance[] = {7.00001, 7, 2, 7.00003, -5, 1};
    ck_ok(dlviz_tensor_read_npy(&tensor, write_reals(2, 3, chance, layouts[0])));
    dlviz_tensor_destroy(tensor);
    const double far[] = {1.7e9, 1.7e9 + 50, 1.7e9 + 20, 1.7e9 + 30};
    ck_fails(dlviz_tensor_read_npy(&tensor, write_reals(2, 2, far, layouts[0])),
             DLVIZ_ERROR_NUMERIC, "lies between");
    ck_fails(dlviz_tensor_read_npy(&tensor, write_reals(4, 1, far, layouts[0])),
             DLVIZ_ERROR_NUMERIC, "column 0");
}
END_TEST

/* Differences between rows, to a millionth of the column's spread. */
static void ck_differences(const dlviz_tensor *tensor, const dlviz_tensor *offsets,
                           const double *numbers, int64_t rows, int64_t columns, double spread) {
    const float *got = dlviz_tensor_const_float(tensor), *less = dlviz_tensor_const_float(offsets);
    for (int64_t i = 0; i < rows * columns; i++) {
        int64_t j = i % columns;
        double difference = (double)got[i] - (double)got[j], truth = numbers[i] - numbers[j];
        ck_assert_msg(fabs(difference - truth) <= 1e-6 * spread, "row %d, column %d: %.12g, not %g",
                      (int)(i / columns), (int)j, difference, truth);
        ck_assert_double_eq_tol((double)got[i] + (double)less[j], numbers[i], 1e-6 * spread);
    }
}

START_TEST(an_offset_saves_the_differences) {
    static const double offsets[] = {1.7e9, -4e5, 1e12, 37, 1e-3, 0};
    static const double spreads[] = {1e4, 100, 1, 1e-3, 1e-7};
    double numbers[2 * 50];
    for (int o = 0; o < 6; o++)
        for (int s = 0; s < 5; s++) {
            if (spreads[s] < 2e-10 * fabs(offsets[o]))
                continue; /* float64 itself does not tell these apart well */
            for (int l = 0; l < 4; l++) {
                const double shape[2][2] = {{offsets[o], spreads[s]}, {0, spreads[s]}};
                fill(numbers, 50, 2, shape);
                dlviz_tensor *tensor, *less;
                ck_ok(dlviz_tensor_read_npy_shifted(
                    &tensor, write_reals(50, 2, numbers, layouts[l]), &less));
                ck_assert_int_eq(dlviz_tensor_ndim(less), 1);
                ck_assert_int_eq(dlviz_tensor_num_elements(less), 2);
                ck_assert_float_eq(dlviz_tensor_float(less)[1], 0);
                ck_differences(tensor, less, numbers, 50, 2, spreads[s]);
                if (fabs(offsets[o]) < spreads[s])
                    ck_assert_float_eq(dlviz_tensor_float(less)[0], 0);
                dlviz_tensor_destroy(tensor);
                dlviz_tensor_destroy(less);
            }
        }
}
END_TEST

START_TEST(exact_numbers_stay_as_they_are) {
    double numbers[3 * 40];
    for (int i = 0; i < 3 * 40; i++)
        numbers[i] = 1e6 + 0.25 * (i * 7 % 11);
    dlviz_tensor *tensor, *less;
    ck_ok(dlviz_tensor_read_npy_shifted(&tensor, write_reals(40, 3, numbers, layouts[2]), &less));
    for (int i = 0; i < 3 * 40; i++)
        ck_assert_double_eq((double)dlviz_tensor_float(tensor)[i], numbers[i]);
    for (int j = 0; j < 3; j++)
        ck_assert_float_eq(dlviz_tensor_float(less)[j], 0);
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(less);
    /* Of any dtype and shape; the offsets need not be asked for. */
    static const char *names[] = {"f2", "f4", "f8", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char name[32];
        snprintf(name, sizeof name, "npy_%s.npy", names[i]);
        ck_ok(dlviz_tensor_read_npy_shifted(&tensor, fixture_path(name), &less));
        ck_assert_int_eq(dlviz_tensor_ndim(tensor), 3);
        ck_assert_int_eq(dlviz_tensor_ndim(less), 2);
        ck_assert_int_eq(dlviz_tensor_dim(less, 0), 3);
        ck_assert_int_eq(dlviz_tensor_dim(less, 1), 4);
        for (int e = 0; e < 24; e++) {
            ck_assert_float_eq(dlviz_tensor_float(tensor)[e], (float)e);
            ck_assert_float_eq(dlviz_tensor_float(less)[e % 12], 0);
        }
        dlviz_tensor_destroy(tensor);
        dlviz_tensor_destroy(less);
    }
    static const char *others[] = {"npy_scalar.npy", "npy_vector.npy", "npy_empty.npy",
                                   "npy_bool.npy"};
    for (int i = 0; i < 4; i++) {
        ck_ok(dlviz_tensor_read_npy_shifted(&tensor, fixture_path(others[i]), NULL));
        dlviz_tensor_destroy(tensor);
    }
}
END_TEST

START_TEST(integers_are_exact_to_the_last) {
    /* Nanoseconds since 1970, beyond what float64 counts and half way between two float32. */
    const int64_t now = (INT64_C(12369505) << 37) + (INT64_C(1) << 36) - 12345;
    uint64_t bits[40];
    double differences[40];
    for (int l = 0; l < 4; l++) {
        for (int i = 0; i < 40; i++) {
            differences[i] = floor(1e5 * noise(i));
            bits[i] = (uint64_t)(now + (int64_t)differences[i]);
        }
        dlviz_tensor *tensor, *less;
        /* The offset, a float32, is off by up to 7e10. */
        ck_fails(dlviz_tensor_read_npy_shifted(&tensor,
                                               write_numbers("i8", 40, 1, bits, layouts[l]), &less),
                 DLVIZ_ERROR_NUMERIC, "scale the numbers first");
        ck_assert_ptr_null(tensor);
        ck_assert_ptr_null(less);
        for (int i = 0; i < 40; i++) {
            differences[i] = floor(1e11 * noise(i));
            bits[i] = (uint64_t)(now + (int64_t)differences[i]);
        }
        ck_ok(dlviz_tensor_read_npy_shifted(&tensor, write_numbers("u8", 40, 1, bits, layouts[l]),
                                            &less));
        for (int i = 0; i < 40; i++) {
            double got =
                (double)dlviz_tensor_float(tensor)[i] - (double)dlviz_tensor_float(tensor)[0];
            ck_assert_double_eq_tol(got, differences[i] - differences[0], 1e-6 * 1e11);
        }
        dlviz_tensor_destroy(tensor);
        dlviz_tensor_destroy(less);
        for (int i = 0; i < 40; i++)
            bits[i] = (uint64_t)(uint32_t)(2000000000 + i);
        ck_ok(dlviz_tensor_read_npy_shifted(&tensor, write_numbers("u4", 40, 1, bits, layouts[l]),
                                            &less));
        for (int i = 0; i < 40; i++)
            ck_assert_double_eq((double)dlviz_tensor_float(tensor)[i] +
                                    (double)dlviz_tensor_float(less)[0],
                                2000000000.0 + i);
        dlviz_tensor_destroy(tensor);
        dlviz_tensor_destroy(less);
    }
    /* A mean that is no whole number. */
    uint64_t many[MOST];
    dlviz_tensor *tensor, *less;
    for (int i = 0; i < MOST; i++)
        many[i] = i == 7 ? (1 << 24) + 201 : 6000000 + 2 * (i % 2);
    ck_ok(dlviz_tensor_read_npy_shifted(&tensor, write_numbers("u4", MOST, 1, many, layouts[0]),
                                        &less));
    ck_assert_float_gt(dlviz_tensor_float(less)[0], 6e6f);
    for (int i = 0; i < MOST; i++)
        ck_assert_double_eq((double)dlviz_tensor_float(tensor)[i] +
                                (double)dlviz_tensor_float(less)[0],
                            (double)many[i]);
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(less);
    /* The ends of the range. */
    bits[0] = (uint64_t)INT64_MIN;
    bits[1] = INT64_MAX;
    ck_ok(
        dlviz_tensor_read_npy_shifted(&tensor, write_numbers("i8", 2, 1, bits, layouts[0]), NULL));
    ck_assert_float_eq(dlviz_tensor_float(tensor)[0], -0x1p63f);
    ck_assert_float_eq(dlviz_tensor_float(tensor)[1], 0x1p63f);
    dlviz_tensor_destroy(tensor);
    bits[1] = UINT64_MAX;
    ck_fails(
        dlviz_tensor_read_npy_shifted(&tensor, write_numbers("u8", 2, 1, bits, layouts[0]), NULL),
        DLVIZ_ERROR_NUMERIC, "element 0 is beyond the range of int64");
}
END_TEST

/* Whether all differences to the first row are what they were, but for a rounding that the rule
 * allows: both rows are off by up to a thousandth of the range. */
static void ck_rows_kept(const char *what, const dlviz_tensor *tensor, const uint64_t *bits,
                         int rows) {
    const float *got = dlviz_tensor_const_float(tensor);
    int64_t range = 0;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < rows; j++)
            range = dlz_max_i64(range, (int64_t)(bits[i] - bits[j]));
    for (int i = 0; i < rows; i++) {
        double kept = (double)got[i] - (double)got[0], truth = (double)(int64_t)(bits[i] - bits[0]);
        ck_assert_msg(fabs(kept - truth) <= 2.001e-3 * (double)range, "%s %lld: row %d: %g, not %g",
                      what, (long long)bits[0], i, kept, truth);
    }
}

/* Of numbers that double cannot tell apart too: rows are kept, or the column is refused. */
static void check_large(const uint64_t *bits, int rows, bool is_saved) {
    dlviz_tensor *wide, *tensor;
    for (int kind = 0; kind < 2; kind++) {
        const char *path = write_numbers(kind ? "u8" : "i8", rows, 1, bits, layouts[rows % 4]);
        if (kind && (int64_t)bits[0] < 0)
            continue;
        dlviz_status status = dlviz_tensor_read_npy_shifted(&tensor, path, NULL);
        ck_assert_msg(status == DLVIZ_OK || (status == DLVIZ_ERROR_NUMERIC && !is_saved),
                      "%lld: %s", (long long)bits[0], dlviz_last_error());
        if (status == DLVIZ_OK)
            ck_rows_kept("shifted", tensor, bits, rows);
        dlviz_tensor_destroy(tensor);
    }
    ck_ok(dlviz_tensor_from_data(&wide, DLVIZ_INT64, 2, (int64_t[]){rows, 1}, bits));
    dlviz_status status = dlviz_tensor_convert(wide, DLVIZ_FLOAT32, &tensor);
    ck_assert(status == DLVIZ_OK || status == DLVIZ_ERROR_NUMERIC);
    if (status == DLVIZ_OK)
        ck_rows_kept("converted", tensor, bits, rows);
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(wide);
}

START_TEST(integers_that_double_merges_keep_their_rows) {
    enum { ROWS = 20 };
    uint64_t bits[ROWS];
    dlz_random random = dlz_random_start(28, 1);
    for (int power = 20; power <= 62; power++)
        for (int64_t run = 0; run < 60; run++) {
            int64_t base = INT64_C(1) << power,
                    step = (INT64_C(1) << dlz_random_below(&random, (uint64_t)power - 6)) + run % 3;
            bool is_exact = run % 2 == 0; /* the base is a float32's number, and the step small */
            if (is_exact)
                step = dlz_min_i64(step, 50000);
            else
                base += (int64_t)dlz_random_below(&random, (uint64_t)base / 2);
            for (int i = 0; i < ROWS; i++)
                bits[i] = (uint64_t)((run % 4 < 2 ? base : -base) + i * step);
            check_large(bits, ROWS, is_exact);
            check_large(bits, 3, false);
        }
    /* About the largest, which float32 has not, but 2^63. */
    for (int i = 0; i < ROWS; i++)
        bits[i] = (uint64_t)(INT64_MAX - 100 + i);
    check_large(bits, ROWS, true);
    for (int i = 0; i < ROWS; i++)
        bits[i] = (uint64_t)INT64_MIN + (uint64_t)i;
    check_large(bits, ROWS, true);
    for (int i = 0; i < ROWS; i++)
        bits[i] = 1234567890123456789;
    check_large(bits, ROWS, true); /* a constant */
}
END_TEST

START_TEST(what_no_offset_saves_is_refused) {
    dlviz_tensor *tensor, *less;
    double numbers[20];
    for (int i = 0; i < 20; i++)
        numbers[i] = 1e-50 * noise(i);
    ck_fails(dlviz_tensor_read_npy_shifted(&tensor, write_reals(20, 1, numbers, layouts[0]), &less),
             DLVIZ_ERROR_NUMERIC, "scale the numbers first");
    for (int i = 0; i < 20; i++)
        numbers[i] = 1e39 + i;
    ck_fails(dlviz_tensor_read_npy_shifted(&tensor, write_reals(20, 1, numbers, layouts[0]), &less),
             DLVIZ_ERROR_NUMERIC, "element 0 is 1e+39, beyond the range of float32");
    ck_assert_ptr_null(tensor);
    ck_assert_ptr_null(less);
    /* NaN and infinities are float32's too, and hide nothing. */
    for (int i = 0; i < 20; i++)
        numbers[i] = i % 2 ? 1.7e9 + i : i % 4 ? (double)NAN : (double)INFINITY;
    ck_fails(dlviz_tensor_read_npy(&tensor, write_reals(20, 1, numbers, layouts[0])),
             DLVIZ_ERROR_NUMERIC, "lies between 1700000001 and 1700000019");
    ck_ok(dlviz_tensor_read_npy_shifted(&tensor, write_reals(20, 1, numbers, layouts[0]), &less));
    ck_assert(isinf(dlviz_tensor_float(tensor)[0]) && isnan(dlviz_tensor_float(tensor)[2]));
    ck_assert_float_eq(dlviz_tensor_float(tensor)[19] - dlviz_tensor_float(tensor)[1], 18);
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(less);
    ck_fails(dlviz_tensor_read_npy_shifted(NULL, "x", NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "'out'");
    ck_fails(dlviz_tensor_read_npy_shifted(&tensor, NULL, NULL), DLVIZ_ERROR_INVALID_ARGUMENT,
             "'path'");
    ck_fails(dlviz_tensor_read_npy_shifted(&tensor, scratch_path("none"), &less), DLVIZ_ERROR_IO,
             "none");
}
END_TEST

START_TEST(dimensions_beyond_two_are_columns) {
    /* Fortran order of 10 x 2 x 3: element (i, j, k) is 100 j + 10 k + i / 10, far from 0. */
    uint64_t bits[60];
    for (int k = 0; k < 3; k++)
        for (int j = 0; j < 2; j++)
            for (int i = 0; i < 10; i++) {
                double value = 1e6 * (1 + j + 10 * k) + i / 10.0;
                memcpy(&bits[i + 10 * j + 20 * k], &value, sizeof value);
            }
    unsigned char file[128 + 8 * 60] = {0x93, 'N', 'U', 'M', 'P', 'Y', 1, 0, 118, 0};
    memset(file + 10, ' ', 118);
    memcpy(file + 10, "{'descr': '<f8', 'fortran_order': True, 'shape': (10, 2, 3)}", 60);
    for (int i = 0; i < 60; i++)
        for (int b = 0; b < 8; b++)
            file[128 + 8 * i + b] = (unsigned char)(bits[i] >> 8 * b);
    write_file(scratch_path("cube.npy"), file, sizeof file);
    dlviz_tensor *tensor, *less;
    ck_ok(dlviz_tensor_read_npy_shifted(&tensor, scratch_path("cube.npy"), &less));
    ck_assert_int_eq(dlviz_tensor_ndim(less), 2);
    for (int j = 0; j < 2; j++)
        for (int k = 0; k < 3; k++) {
            double offset = (double)dlviz_tensor_float(less)[3 * j + k];
            ck_assert_double_eq_tol(offset, 1e6 * (1 + j + 10 * k) + 0.45, 2);
            for (int i = 0; i < 10; i++)
                ck_assert_double_eq_tol((double)dlviz_tensor_float(tensor)[6 * i + 3 * j + k] +
                                            offset,
                                        1e6 * (1 + j + 10 * k) + i / 10.0, 1e-6);
        }
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(less);
}
END_TEST

static dlviz_status read_shifted(void *path) {
    dlviz_tensor *tensor = NULL, *less = NULL;
    dlviz_status status = dlviz_tensor_read_npy_shifted(&tensor, path, &less);
    dlviz_tensor_destroy(tensor);
    dlviz_tensor_destroy(less);
    return status;
}

START_TEST(nothing_leaks_when_memory_runs_out) {
    double numbers[60];
    fill(numbers, 20, 3, (const double[3][2]){{1e9, 1}, {0, 1}, {5, 1}});
    for (int l = 0; l < 4; l++) {
        char path[1200];
        snprintf(path, sizeof path, "%s", write_reals(20, 3, numbers, layouts[l]));
        ck_assert_int_ge(fail_each_allocation(read_shifted, path), 8);
    }
    char path[1200];
    snprintf(path, sizeof path, "%s", fixture_path("npy_u1.npy"));
    ck_assert_int_ge(fail_each_allocation(read_shifted, path), 8);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {
        ordinary_numbers_are_rounded_and_no_more, columns_that_would_merge_are_refused,
        an_offset_saves_the_differences,          exact_numbers_stay_as_they_are,
        integers_are_exact_to_the_last,           integers_that_double_merges_keep_their_rows,
        what_no_offset_saves_is_refused,          dimensions_beyond_two_are_columns,
        nothing_leaks_when_memory_runs_out,       NULL};
    return run_tests("narrow", tests);
}
