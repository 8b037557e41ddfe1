/* Ticks and colors: what figures are made of, without drawing. */
#include "plot/figure.h"
#include "plot/palette.h"
#include "plot/scales.h"
#include "support/support.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* "0 0.5 1": the labels, "^" before an exponent, "|" for a tick without a label. */
static const char *labels(const dlz_axis *axis) {
    static char text[4096];
    text[0] = '\0';
    for (int i = 0; i < axis->count; i++) {
        const dlz_tick *tick = &axis->ticks[i];
        if (i > 0)
            strcat(text, " ");
        strcat(text, tick->text[0] ? tick->text : "|");
        if (tick->exponent[0])
            strcat(strcat(text, "^"), tick->exponent);
    }
    return text;
}

START_TEST(linear_ticks_are_what_a_person_would_choose) {
    static const struct {
        double low, high, padding;
        int most;
        bool whole;
        const char *labels;
    } cases[] = {
        {0, 1, 0, 5, false, "0.0 0.2 0.4 0.6 0.8 1.0"},
        {0, 1, 0, 10, false, "0.0 0.1 0.2 0.3 0.4 0.5 0.6 0.7 0.8 0.9 1.0"},
        {0.921, 0.9965, 0, 5, false, "0.94 0.96 0.98"},
        {-9.1, 4.2, 0, 8, false, "−8 −6 −4 −2 0 2 4"},
        {-0.3, 0.25, 0, 4, false, "−0.2 0.0 0.2"},
        {1, 20, 0.02, 12, true, "2 4 6 8 10 12 14 16 18 20"},
        {1, 3, 0.02, 12, true, "1 2 3"},
        {1, 1, 0.02, 12, true, "1"},
        {5, 5, 0, 4, false, "4.5 5.0 5.5"},
        {0, 0, 0, 4, false, "−1.0 −0.5 0.0 0.5 1.0"},
        {0, 60000, 0, 6, true, "0 10000 20000 30000 40000 50000 60000"},
        {0, 2e7, 0, 4, false, "0 5·10^6 10^7 1.5·10^7 2·10^7"},
        {-1e-9, 1e-9, 0, 4, false, "−10^−9 −5·10^−10 0 5·10^−10 10^−9"},
        {1e300, 1e300, 0, 2, false, "9·10^299 10^300 1.1·10^300"},
        {1e9, 1e9 + 4, 0, 4, false,
         "10^9 1.000000001·10^9 1.000000002·10^9 1.000000003·10^9 1.000000004·10^9"},
        {99999.5, 100000.5, 0, 2, false, "99999.5 100000.0 100000.5"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlz_axis axis;
        dlz_axis_linear(&axis, cases[i].low, cases[i].high, cases[i].padding, cases[i].most,
                        cases[i].whole);
        ck_assert_msg(strcmp(labels(&axis), cases[i].labels) == 0, "[%g, %g]: '%s', not '%s'",
                      cases[i].low, cases[i].high, labels(&axis), cases[i].labels);
    }
}
END_TEST

START_TEST(logarithmic_ticks_are_powers_of_ten) {
    static const struct {
        double low, high;
        int most;
        const char *labels;
    } cases[] = {
        {1e-5, 1e-3, 5, "10^−5 | | | | | | | | 10^−4 | | | | | | | | 10^−3"},
        {0.01, 0.3, 5, "0.01 0.02 | | 0.05 | | | | 0.1 0.2 |"},
        {1e-3, 1e-3, 5, "| | 5·10^−4 | | | | 10^−3 2·10^−3 |"},
        {1e-12, 1e12, 6, "10^−10 10^−5 1 10^5 10^10"},
        {0.0011, 0.0012, 4, "0.00110 0.00115 0.00120"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlz_axis axis;
        dlz_axis_log(&axis, cases[i].low, cases[i].high, 0, cases[i].most);
        ck_assert_msg(strcmp(labels(&axis), cases[i].labels) == 0, "[%g, %g]: '%s', not '%s'",
                      cases[i].low, cases[i].high, labels(&axis), cases[i].labels);
    }
}
END_TEST

static void check_axis(const dlz_axis *axis, double low, double high, int most) {
    ck_assert(isfinite(axis->low) && isfinite(axis->high) && axis->low < axis->high);
    ck_assert_int_ge(axis->count, 1);
    int labeled = 0;
    for (int i = 0; i < axis->count; i++) {
        double value = axis->ticks[i].value, at = dlz_axis_at(axis, value);
        ck_assert_msg(at >= -1e-4 && at <= 1 + 1e-4, "tick %g of [%g, %g] at %g", value, low, high,
                      at);
        if (i > 0)
            ck_assert_double_gt(value, axis->ticks[i - 1].value);
        labeled += axis->ticks[i].text[0] != '\0';
    }
    ck_assert_msg(labeled >= 1 && labeled <= 3 * most, "%d labels for [%g, %g]: %s", labeled, low,
                  high, labels(axis));
}

START_TEST(any_range_gives_an_axis) {
    static const double values[] = {-DBL_MAX,        -1e200,     -3,     -1e-300, -DBL_TRUE_MIN, 0,
                                    DBL_TRUE_MIN,    DBL_MIN,    1e-300, 1e-17,   0.1,           1,
                                    1 + DBL_EPSILON, 12345678.9, 1e17,   1e200,   DBL_MAX};
    const int count = sizeof values / sizeof *values;
    for (int i = 0; i < count; i++)
        for (int j = i; j < count; j++)
            for (int most = 2; most <= 12; most += 5) {
                dlz_axis axis;
                dlz_axis_linear(&axis, values[i], values[j], 0.05, most, false);
                check_axis(&axis, values[i], values[j], most);
                if (values[i] <= 0)
                    continue;
                dlz_axis_log(&axis, values[i], values[j], 0.05, most);
                check_axis(&axis, values[i], values[j], most);
            }
}
END_TEST

START_TEST(labels_say_where_their_tick_is) {
    /* Plain labels read back as the tick's value. */
    for (int power = -3; power <= 5; power++)
        for (int low = -30; low < 30; low += 7)
            for (int length = 1; length < 100; length += 13) {
                dlz_axis axis;
                double scale = pow(10, power);
                dlz_axis_linear(&axis, low * scale, (low + length) * scale, 0, 6, false);
                for (int i = 0; i < axis.count; i++) {
                    if (axis.ticks[i].exponent[0])
                        continue;
                    const char *text = axis.ticks[i].text;
                    bool negative = strncmp(text, "−", 3) == 0;
                    double read = plain_number(text + (negative ? 3 : 0), NULL);
                    ck_assert_double_eq(negative ? -read : read, axis.ticks[i].value);
                }
            }
}
END_TEST

START_TEST(colormaps_rise_in_luminance) {
    static const dlviz_colormap rising[] = {DLVIZ_COLORMAP_VIRIDIS, DLVIZ_COLORMAP_GRAY};
    for (int m = 0; m < 2; m++)
        for (int i = 1; i <= 256; i++)
            ck_assert_double_gt(dlz_luminance(dlz_colormap_at(rising[m], i / 256.0)),
                                dlz_luminance(dlz_colormap_at(rising[m], (i - 1) / 256.0)));
    for (int i = 1; i <= 256; i++) {
        double before = dlz_luminance(dlz_colormap_at(DLVIZ_COLORMAP_BLUES, (i - 1) / 256.0));
        ck_assert_double_lt(dlz_luminance(dlz_colormap_at(DLVIZ_COLORMAP_BLUES, i / 256.0)),
                            before);
        before = dlz_luminance(dlz_colormap_at(DLVIZ_COLORMAP_DIVERGING, (i - 1) / 256.0));
        double now = dlz_luminance(dlz_colormap_at(DLVIZ_COLORMAP_DIVERGING, i / 256.0));
        ck_assert(i <= 128 ? now > before : now < before);
        /* Neither sign of a filter weighs more than the other. */
        double mirrored = dlz_luminance(dlz_colormap_at(DLVIZ_COLORMAP_DIVERGING, 1 - i / 256.0));
        ck_assert_double_eq_tol(now, mirrored, 0.09);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {linear_ticks_are_what_a_person_would_choose,
                                  logarithmic_ticks_are_powers_of_ten,
                                  any_range_gives_an_axis,
                                  labels_say_where_their_tick_is,
                                  colormaps_rise_in_luminance,
                                  NULL};
    return run_tests("scales", tests);
}
