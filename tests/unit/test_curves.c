/* Curves: steps, what is missing, and numbers that are written alike. */
#include "plot/scales.h"
#include "support/figures.h"
#include "support/pixels.h"

#include <float.h>
#include <string.h>

static char *svg_of(dlviz_figure *figure) {
    ck_ok(dlviz_figure_write(figure, scratch_path("curves.svg")));
    size_t size;
    return read_text(scratch_path("curves.svg"), &size);
}

static void assert_has(const char *svg, const char *text, bool has) {
    char wanted[200];
    snprintf(wanted, sizeof wanted, ">%s</text>", text);
    ck_assert_msg((strstr(svg, wanted) != NULL) == has, "'%s' is %s", text,
                  has ? "missing" : "there");
}

/* Between two values a step has ink at their two heights and, in one column, from one to the other;
 * a line has it on a slope. */
START_TEST(steps_change_at_once) {
    const double y[] = {1, 1, 3, 3};
    for (int steps = 0; steps < 2; steps++) {
        dlviz_figure *figure;
        ck_ok(dlviz_figure_create_curves(&figure));
        ck_ok(dlviz_figure_add_curve(figure, "rate", "rate", 4, NULL, y));
        ck_ok(dlviz_figure_set_steps(figure, "rate", steps));
        ck_ok(dlviz_figure_write(figure, scratch_path("steps.png")));
        dlviz_figure_destroy(figure);
        cairo_surface_t *surface = read_png(scratch_path("steps.png"), 1600, 1200);
        int first = 1600, last = 0, lowest = 0, highest = 1200, tallest = 0, wide = 0;
        for (int x = 100; x < 1230; x++) {
            int above = 1200, below = 0;
            for (int row = 40; row < 1100; row++)
                if (count_color(surface, dlz_class_color(0), 2, x, row, x + 1, row + 1)) {
                    above = row < above ? row : above;
                    below = row > below ? row : below;
                }
            if (below == 0)
                continue;
            first = x < first ? x : first;
            last = x;
            lowest = below > lowest ? below : lowest;
            highest = above < highest ? above : highest;
            tallest = below - above > tallest ? below - above : tallest;
            /* Neither at the one height nor at the other, by more than a marker. */
            wide += below < lowest - 12 && above > highest + 12;
        }
        ck_assert_int_gt(lowest - highest, 500);
        if (steps) {
            ck_assert_int_gt(tallest, lowest - highest - 14);
            ck_assert_int_le(wide, 2);
        } else {
            ck_assert_int_lt(tallest, 60);
        }
        ck_assert_int_gt(last - first, 900);
        cairo_surface_destroy(surface);
    }
}
END_TEST

/* A step that stands alone between gaps, one point, and what is not in order. */
START_TEST(any_steps_are_drawn) {
    const double y[] = {NAN, 2, NAN, INFINITY, 1, -1}, x[] = {3, 1, 2, 2, 9, 4};
    for (int64_t n = 1; n <= 6; n++)
        for (int log_scale = 0; log_scale < 2; log_scale++) {
            dlviz_figure *figure;
            ck_ok(dlviz_figure_create_curves(&figure));
            ck_ok(dlviz_figure_add_curve(figure, "p", "c", n, x, y));
            ck_ok(dlviz_figure_set_steps(figure, "p", true));
            ck_ok(dlviz_figure_set_log_scale(figure, "p", log_scale));
            ck_ok(dlviz_figure_write(figure, scratch_path("any.png")));
            dlviz_figure_destroy(figure);
            cairo_surface_t *surface = read_png(scratch_path("any.png"), 1600, 1200);
            int ink = count_color(surface, dlz_class_color(0), 2, 100, 40, 1240, 1100);
            ck_assert_int_eq(ink > 40, n > 1);
            cairo_surface_destroy(surface);
        }
}
END_TEST

START_TEST(the_last_value_is_one_that_there_is) {
    const double diverged[] = {1, 0.5, 0.25, NAN, INFINITY}, whole[] = {5, 4, 3, 2, 1.5};
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_curves(&figure));
    ck_ok(dlviz_figure_add_curve(figure, "loss", "training", 5, NULL, diverged));
    ck_ok(dlviz_figure_add_curve(figure, "loss", "validation", 5, NULL, whole));
    char *svg = svg_of(figure);
    assert_has(svg, "last 0.25 at 3", true);
    assert_has(svg, "min 0.25 at 3", true);
    assert_has(svg, "max 1 at 1", true);
    assert_has(svg, "last 1.5", true);
    ck_assert_ptr_null(strstr(svg, "nan"));
    ck_assert_ptr_null(strstr(svg, "inf"));
    free(svg);
    dlviz_figure_destroy(figure);
}
END_TEST

START_TEST(numbers_are_written_as_on_their_axis) {
    const double x[] = {500470, 4000000, 9000000}, y[] = {3, 1, 2}, rate[] = {1e-3, 5e-4, 2e-5};
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_curves(&figure));
    ck_ok(dlviz_figure_add_curve(figure, "loss", "loss", 3, x, y));
    ck_ok(dlviz_figure_add_curve(figure, "rate", "rate", 3, x, rate));
    ck_ok(dlviz_figure_set_log_scale(figure, "rate", true));
    char *svg = svg_of(figure);
    assert_has(svg, "max 3 at 5.0047·10⁵", true);
    assert_has(svg, "min 1 at 4·10⁶", true);
    assert_has(svg, "last 2·10⁻⁵", true);
    assert_has(svg, "max 10⁻³ at 5.0047·10⁵", true);
    ck_assert_ptr_null(strstr(svg, "e+"));
    free(svg);
    dlviz_figure_destroy(figure);
}
END_TEST

START_TEST(a_number_takes_after_its_axis) {
    static const struct {
        double value;
        int digits;
        const char *plain, *powers;
    } cases[] = {
        {0, 4, "0", "0"},
        {1, 4, "1", "10⁰"},
        {-1, 4, "−1", "−10⁰"},
        {0.6066, 4, "0.6066", "6.066·10⁻¹"},
        {500470, 4, "500470", "5.005·10⁵"},
        {500470, 6, "500470", "5.0047·10⁵"},
        {9e6, 6, "9000000", "9·10⁶"},
        {-0.0012345678, 4, "−0.001235", "−1.235·10⁻³"},
        {99.995, 4, "100", "10²"},
        {1e-7, 4, "10⁻⁷", "10⁻⁷"},
        {3e300, 4, "3·10³⁰⁰", "3·10³⁰⁰"},
        {2.5e-12, 4, "2.5·10⁻¹²", "2.5·10⁻¹²"},
        {NAN, 4, "–", "–"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (int powers = 0; powers < 2; powers++) {
            dlz_axis axis = {.low = 0, .high = 1, .powers = powers};
            char text[DLZ_AXIS_NUMBER_SIZE];
            ck_assert_str_eq(dlz_axis_number(&axis, cases[i].value, cases[i].digits, text),
                             powers ? cases[i].powers : cases[i].plain);
        }
}
END_TEST

/* A logarithmic axis of little room labels no more than fits, and draws the lines between. */
START_TEST(few_decades_have_labels_and_lines) {
    for (double low = 1e-4; low < 20; low *= 1.7)
        for (double high = low * 1.02; high < low * 90; high *= 1.3)
            for (int most = 3; most <= 8; most++) {
                dlz_axis axis;
                dlz_axis_log(&axis, low, high, 0.07, most);
                int labels = 0;
                double last = -1;
                for (int i = 0; i < axis.count; i++) {
                    double at = dlz_axis_at(&axis, axis.ticks[i].value);
                    if (!axis.ticks[i].text[0])
                        continue;
                    ck_assert_msg(last < 0 || at - last > 0.59 / most, "[%g, %g], %d: %g too close",
                                  low, high, most, axis.ticks[i].value);
                    last = at;
                    labels++;
                }
                ck_assert_msg(labels >= 2 && labels <= most + 1, "[%g, %g], %d: %d labels", low,
                              high, most, labels);
            }
}
END_TEST

/* However many panels there are, and little height: the last one's curve is seen. */
START_TEST(every_panel_is_on_the_page) {
    static const int64_t widths[] = {1000, 3000, 16384};
    const double y[] = {1, 2, 1, 2};
    char name[8];
    for (int panels = 1; panels <= 16; panels += 5)
        for (int w = 0; w < 3; w++) {
            dlviz_figure *figure;
            ck_ok(dlviz_figure_create_curves(&figure));
            for (int i = 0; i < panels; i++) {
                snprintf(name, sizeof name, "p%d", i);
                ck_ok(dlviz_figure_add_curve(figure, name, i + 1 < panels ? "a" : "last", 4, NULL,
                                             y));
            }
            ck_ok(dlviz_figure_set_title(figure, "A title"));
            ck_ok(dlviz_figure_set_size(figure, 200, widths[w]));
            ck_ok(dlviz_figure_write(figure, scratch_path("panels.png")));
            cairo_surface_t *surface = read_png(scratch_path("panels.png"), (int)widths[w], 200);
            /* Left of the legend, which has the color too. */
            int seen = count_color(surface, dlz_class_color(panels > 1), 40, 0, 0,
                                   (int)(widths[w] * 6 / 10), 200);
            ck_assert_msg(seen > 2, "%d panels, %d wide: %d pixels of the last one", panels,
                          (int)widths[w], seen);
            cairo_surface_destroy(surface);
            dlviz_figure_destroy(figure);
        }
}
END_TEST

/* Of the paths of an SVG. */
static double largest_coordinate(const char *svg) {
    double largest = 0;
    for (const char *path = strstr(svg, " d=\""); path; path = strstr(path + 1, " d=\""))
        for (const char *at = path + 4; *at != '"';) {
            char *end;
            double value = strtod(at, &end);
            if (end > at)
                largest = fmax(largest, fabs(value));
            at = end > at ? end : at + 1;
        }
    return largest;
}

START_TEST(no_number_is_too_large_for_the_page) {
    static const double numbers[][3] = {{1e308, -1e308, 0},          {DBL_MAX, -DBL_MAX, 1e300},
                                        {DBL_MAX, DBL_MAX, DBL_MAX}, {5e-324, 1e-310, 0},
                                        {5e-324, 5e-324, 5e-324},    {5e-324, DBL_MAX, 1},
                                        {-5e-324, 1, DBL_MIN}};
    for (int i = 0; i < 7; i++)
        for (int kind = 0; kind < 8; kind++) {
            dlviz_figure *figure;
            ck_ok(dlviz_figure_create_curves(&figure));
            ck_ok(dlviz_figure_add_curve(figure, "p", "c", 3, kind & 1 ? numbers[i] : NULL,
                                         numbers[kind & 1 ? (i + 1) % 7 : i]));
            ck_ok(dlviz_figure_set_log_scale(figure, "p", kind & 2));
            ck_ok(dlviz_figure_set_steps(figure, "p", kind & 4));
            char *svg = svg_of(figure);
            ck_assert_ptr_null(strstr(svg, "nan"));
            ck_assert_ptr_null(strstr(svg, "inf"));
            double largest = largest_coordinate(svg);
            ck_assert_msg(largest > 100 && largest <= 1600, "numbers %d, kind %d: %g", i, kind,
                          largest);
            free(svg);
            dlviz_figure_destroy(figure);
        }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {steps_change_at_once,
                                  any_steps_are_drawn,
                                  the_last_value_is_one_that_there_is,
                                  numbers_are_written_as_on_their_axis,
                                  a_number_takes_after_its_axis,
                                  few_decades_have_labels_and_lines,
                                  every_panel_is_on_the_page,
                                  no_number_is_too_large_for_the_page,
                                  NULL};
    return run_tests("curves", tests);
}
