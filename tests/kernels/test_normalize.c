/* The kernels of layer, group and instance norm and of dropped channels, of
 * every instruction set this machine has, against plain loops in double, on odd sizes. */
#include "kernels/nn/normalize.h"
#include "support/support.h"

#include <math.h>
#include <string.h>

enum { MOST = 70 * 300 + 16, EDGE = 16 };

static float x[MOST], dy[MOST], got[MOST], weight[MOST], bias[MOST], other[6][300];
static const float GUARD = -12345;
static dlz_isa isa;
static const char *subject;
static int64_t rows, columns;

static void fill_all(void) {
    fill_uniform(x, MOST, 1);
    fill_uniform(dy, MOST, 2);
    fill_uniform(weight, MOST, 3);
    fill_uniform(bias, MOST, 4);
    for (int k = 0; k < 6; k++)
        fill_uniform(other[k], 300, 10 + (uint64_t)k);
    for (int64_t i = 0; i < MOST; i++)
        x[i] += 1000;
    for (int64_t i = 0; i < 300; i++) /* centers */
        other[0][i] += 1000;
}

static void check(int64_t i, double value, double want, double terms) {
    ck_assert_msg(fabs(value - want) <= 1e-6 * terms, "%s of %s, %d x %d: number %d is %g, not %g",
                  subject, dlz_isa_name(isa), (int)rows, (int)columns, (int)i, value, want);
}

static void start(const char *name, int64_t size) {
    subject = name;
    for (int64_t i = size; i < size + EDGE; i++)
        got[i] = GUARD;
}

static void check_edge(int64_t size) {
    for (int64_t i = size; i < size + EDGE; i++)
        ck_assert_msg(got[i] == GUARD, "%s of %s writes beyond the end", subject,
                      dlz_isa_name(isa));
}

static double z_of(int64_t i, float center, float scale, float shift) {
    return ((double)x[i] - (double)center) * (double)scale + (double)shift;
}

static void try_rows(const dlz_normalize_table *table) {
    int64_t n = rows * columns; /* as one row */
    dlz_standard s = {1000.25f, 1.7f, 0.3f};
    dlz_moments moments;
    long double mean = 0, deviations = 0;
    for (int64_t i = 0; i < n; i++)
        mean += (long double)x[i] / (long double)n;
    for (int64_t i = 0; i < n; i++)
        deviations += ((long double)x[i] - mean) * ((long double)x[i] - mean);
    subject = "moments";
    table->moments(n, x, &moments);
    ck_assert(moments.count == (double)n);
    check(0, moments.mean, (double)mean, 0.01);
    check(1, moments.deviations, (double)deviations, (double)deviations);
    for (int affine = 0; affine < 2; affine++) {
        const float *w = affine ? weight : NULL;
        double sums[2], first = 0, second = 0;
        start("row", n);
        table->row(n, x, &s, w, affine ? bias : NULL, got);
        for (int64_t i = 0; i < n; i++) {
            double z = z_of(i, s.center, s.scale, s.shift);
            check(i, (double)got[i], affine ? z * (double)weight[i] + (double)bias[i] : z, 4);
            double g = (double)dy[i] * (affine ? (double)weight[i] : 1);
            first += g;
            second += g * z;
        }
        check_edge(n);
        subject = "row_sums";
        table->row_sums(n, x, dy, w, &s, sums);
        check(0, sums[0], first, sqrt((double)n));
        check(1, sums[1], second, 3 * sqrt((double)n));
        start("row_gradient", n);
        table->row_gradient(n, x, dy, w, &s, 0.1f, 0.2f, got);
        for (int64_t i = 0; i < n; i++)
            check(i, (double)got[i],
                  ((double)dy[i] * (affine ? (double)weight[i] : 1) - (double)0.1f -
                   z_of(i, s.center, s.scale, s.shift) * (double)0.2f) *
                      (double)s.scale,
                  4);
        check_edge(n);
    }
}

static void try_columns(const dlz_normalize_table *table) {
    dlz_standard standards[70];
    float sums[300 + EDGE];
    for (int64_t r = 0; r < rows; r++)
        standards[r] = (dlz_standard){other[0][r], other[1][r], other[2][r]};
    start("columns", columns);
    for (int i = 0; i < EDGE; i++)
        sums[columns + i] = GUARD;
    table->columns(rows, columns, columns, x, dy, standards, got, sums);
    for (int64_t c = 0; c < columns; c++) {
        double first = 0, second = 0;
        for (int64_t r = 0; r < rows; r++) {
            first += (double)dy[r * columns + c];
            second += (double)dy[r * columns + c] *
                      z_of(r * columns + c, other[0][r], other[1][r], other[2][r]);
        }
        check(c, (double)sums[c], first, sqrt((double)rows));
        check(c, (double)got[c], second, 3 * sqrt((double)rows));
    }
    check_edge(columns);
    for (int i = 0; i < EDGE; i++)
        ck_assert(sums[columns + i] == GUARD);
    table->columns(rows, columns, columns, x, dy, standards, NULL, sums);
    table->columns(rows, columns, columns, x, dy, standards, got, NULL);
}

static void try_pixels(const dlz_normalize_table *table) {
    int64_t n = rows * columns;
    static double sums[600], want[600];
    const dlz_channel_factors f = {other[0], other[1], other[2], other[3], other[4], other[5]};
    memset(want, 0, sizeof want);
    start("pixels", n);
    table->pixels(rows, columns, x, f.center, f.scale, f.shift, got);
    for (int64_t i = 0; i < n; i++) {
        int64_t c = i % columns;
        double z = z_of(i, f.center[c], f.scale[c], f.shift[c]);
        check(i, (double)got[i], z, 3);
        want[c] += (double)dy[i];
        want[columns + c] += (double)dy[i] * z;
    }
    check_edge(n);
    subject = "pixels_sums";
    table->pixels_sums(rows, columns, x, dy, &f, sums);
    for (int64_t c = 0; c < 2 * columns; c++)
        check(c, sums[c], want[c], 3 * sqrt((double)rows));
    start("pixels_gradient", n);
    table->pixels_gradient(rows, columns, x, dy, &f, got);
    for (int64_t i = 0; i < n; i++) {
        int64_t c = i % columns;
        check(i, (double)got[i],
              (double)f.weight[c] * (double)dy[i] - (double)f.mean[c] -
                  z_of(i, f.center[c], f.scale[c], f.shift[c]) * (double)f.slope[c],
              4);
    }
    check_edge(n);
    start("keep_channels", n);
    float kept = other[1][0], first = x[0];
    other[1][0] = 0;
    x[0] = NAN;
    table->keep_channels(rows, columns, x, other[1], got);
    other[1][0] = kept;
    for (int64_t i = 0; i < n; i++)
        check(i, (double)got[i],
              i % columns == 0 ? 0 : (double)x[i] * (double)other[1][i % columns], 1000);
    x[0] = first;
    check_edge(n);
}

START_TEST(kernels_are_the_plain_loops) {
    static const int64_t sizes[][2] = {{1, 1},  {1, 7},   {3, 16},  {2, 17},  {5, 33},
                                       {64, 3}, {65, 31}, {70, 64}, {70, 300}};
    fill_all();
    for (int i = 0; i < DLZ_ISA_COUNT; i++) {
        isa = (dlz_isa)i;
        for (int k = 0; k < 9 && dlz_isa_available(isa); k++) {
            const dlz_normalize_table *table = dlz_normalize_kernels_of(isa);
            rows = sizes[k][0];
            columns = sizes[k][1];
            try_rows(table);
            try_columns(table);
            try_pixels(table);
        }
    }
}
END_TEST

/* Beyond the end of a row lies 0, which is infinitely far from it. */
START_TEST(nothing_beyond_the_end_counts) {
    const dlz_standard s = {1e37f, 1e6f, 0};
    for (int64_t i = 0; i < 300; i++) {
        x[i] = 1e37f;
        dy[i] = weight[i] = 1;
    }
    for (int i = 0; i < DLZ_ISA_COUNT; i++)
        for (int64_t n = 1; n < 300 && dlz_isa_available((dlz_isa)i); n++)
            for (int weighted = 0; weighted < 2; weighted++) {
                double sums[2];
                dlz_normalize_kernels_of((dlz_isa)i)
                    ->row_sums(n, x, dy, weighted ? weight : NULL, &s, sums);
                ck_assert_double_eq(sums[0], (double)n);
                ck_assert_double_eq(sums[1], 0);
            }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {kernels_are_the_plain_loops, nothing_beyond_the_end_counts, NULL};
    return run_tests("kernels of norms", tests);
}
