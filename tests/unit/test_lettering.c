/* Text in figures: fitted, cut, broken and joined as its script wants it, by whatever font has it. */
#include "plot/output.h"
#include "support/figures.h"
#include "support/fork.h"
#include "support/pixels.h"
#include "support/tiny_font.h"

#include <fontconfig/fontconfig.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define ELLIPSIS "\xE2\x80\xA6"

static const dlz_color black = {0, 0, 0};

/* What dlz_text writes into an SVG: the text between the tags, and its size. */
typedef struct shown_text {
    char text[4200];
    double size, width;
} shown_text;

static double attribute(const char *element, const char *name) {
    const char *at = strstr(element, name);
    ck_assert_msg(at != NULL, "no %s in %s", name, element);
    return strtod(at + strlen(name) + 2, NULL);
}

static void open_page(dlz_output *output, dlviz_figure_format format) {
    ck_ok(dlz_output_open(output, format, 800, 200, 1, NULL));
}

static shown_text show_text(dlz_output *output, const char *text, dlz_style style) {
    output->svg_text.size = 0;
    dlz_text(&output->canvas, 10, 20, text, style);
    dlz_bytes_add(&output->svg_text, "", 1);
    const char *element = (const char *)output->svg_text.data, *from = strchr(element, '>') + 1;
    shown_text shown = {.size = attribute(element, "font-size"),
                        .width = attribute(element, "textLength")};
    snprintf(shown.text, sizeof shown.text, "%.*s", (int)(strstr(from, "</text>") - from), from);
    return shown;
}

/* ---- Fitting --------------------------------------------------------------------------------- */

START_TEST(text_is_not_cut_where_it_fits) {
    static const char *const names[] = {
        "airplane", "automobile",     "T-shirt/top", "Ankle boot",
        "9",        "illicit fjords", "Ångström",    "WWWWWWWWWWWWWW"};
    static const double sizes[] = {7, 9, 10.5, 12, 13.5, 21};
    static const double shares[] = {1.5, 1, 0.97, 0.9, 0.8, 0.76};
    dlz_output output;
    open_page(&output, DLVIZ_FIGURE_FORMAT_SVG);
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 6; k++)
            for (int m = 0; m < 6; m++) {
                double width = dlz_text_width(&output.canvas, names[i], sizes[k], false);
                dlz_style style = {.size = sizes[k], .color = black, .most = shares[m] * width};
                shown_text shown = show_text(&output, names[i], style);
                ck_assert_str_eq(shown.text, names[i]);
                ck_assert_double_eq_tol(shown.size, 0.5 * sizes[k] * fmin(shares[m], 1), 0.01);
                ck_assert_double_le(shown.width, 0.5 * style.most + 0.1);
            }
    /* Below three quarters of its size it is cut. */
    double width = dlz_text_width(&output.canvas, "Ankle boot", 12, false);
    shown_text shown = show_text(&output, "Ankle boot",
                                 (dlz_style){.size = 12, .color = black, .most = 0.6 * width});
    ck_assert_str_eq(shown.text, "Ankle" ELLIPSIS);
    ck_assert_double_gt(dlz_text_width(&output.canvas, "Ankle b" ELLIPSIS, 9, false), 0.6 * width);
    ck_assert_double_eq_tol(shown.size, 0.5 * 9, 0.01);
    dlz_output_close(&output);
}
END_TEST

/* A combining mark, a joiner or what stands behind one, a variation selector: never first in what
 * is cut off. */
static bool continues(const char *text, const char *at) {
    static const char *const joined[] = {"\xCC\x81",     "\xE2\x80\x8D",     "\xEF\xB8\x8F",
                                         "\xE0\xA4\xBF", "\xF0\x9F\x8F\xBD", "\xD6\xB8"};
    for (size_t i = 0; i < sizeof joined / sizeof *joined; i++)
        if (strncmp(at, joined[i], strlen(joined[i])) == 0)
            return true;
    return at - text >= 3 && strncmp(at - 3, "\xE2\x80\x8D", 3) == 0;
}

START_TEST(text_is_cut_between_characters_as_readers_see_them) {
    static const char *const texts[] = {
        "e\xCC\x81"
        "e\xCC\x81"
        "e\xCC\x81"
        "e\xCC\x81"
        "e\xCC\x81"
        "e\xCC\x81",
        ("\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x91\xA7 and "
         "\xF0\x9F\x91\x8D\xF0\x9F\x8F\xBD and \xE2\x9D\xA4\xEF\xB8\x8F"),
        "\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\xB9\xE0\xA4\xBF\xE0\xA4\xB9\xE0\xA4\xBF",
        "\xD7\xA9\xD6\xB8\xD7\x9C\xD6\xB8\xD7\xA9\xD6\xB8\xD7\x9C\xD6\xB8",
        "plain words with   spaces",
    };
    dlz_output output;
    open_page(&output, DLVIZ_FIGURE_FORMAT_SVG);
    for (int i = 0; i < 5; i++) {
        double width = dlz_text_width(&output.canvas, texts[i], 12, false);
        int cuts = 0;
        for (double share = 0.02; share < 1; share += 0.02) {
            dlz_style style = {.size = 12, .color = black, .most = share * width};
            shown_text shown = show_text(&output, texts[i], style);
            char *ellipsis = strstr(shown.text, ELLIPSIS);
            if (!ellipsis)
                continue;
            ck_assert_str_eq(ellipsis, ELLIPSIS);
            *ellipsis = '\0';
            size_t kept = strlen(shown.text);
            ck_assert_int_eq(strncmp(shown.text, texts[i], kept), 0);
            ck_assert_msg(!continues(texts[i], texts[i] + kept), "text %d is cut at byte %zu", i,
                          kept);
            ck_assert(kept == 0 || shown.text[kept - 1] != ' ');
            if (kept > 0)
                ck_assert_double_le(shown.width, 0.5 * style.most + 0.1);
            cuts++;
        }
        ck_assert_int_gt(cuts, 20);
    }
    dlz_output_close(&output);
}
END_TEST

START_TEST(paragraphs_break_where_their_script_may) {
    static const char *const texts[] = {
        "one two three four five six seven eight nine ten",
        /* Japanese has no spaces; a full stop never begins a line. */
        "これは長い文章です。これは長い文章です。これは長い文章です。",
        "first\nsecond",
        "wordwithoutanyplacewhereitcouldbebrokenatall",
    };
    dlz_output output;
    open_page(&output, DLVIZ_FIGURE_FORMAT_SVG);
    for (int i = 0; i < 4; i++)
        for (double most = 60; most < 400; most += 13) {
            output.svg_text.size = 0;
            dlz_style style = {.size = 12, .color = black, .most = most};
            double height = dlz_paragraph(&output.canvas, 0, 0, texts[i], 40, style, true);
            dlz_bytes_add(&output.svg_text, "", 1);
            char whole[400] = "";
            int lines = 0;
            const char *element = (const char *)output.svg_text.data;
            for (; *element; element = strchr(element, '\n') + 1) {
                const char *from = strchr(element, '>') + 1, *to = strstr(from, "</text>");
                ck_assert_double_le(attribute(element, "textLength"), 0.5 * most + 0.1);
                if (i != 3 && lines > 0)
                    strcat(whole, i == 0 ? " " : i == 2 ? "\n" : "");
                strncat(whole, from, (size_t)(to - from));
                ck_assert_int_ne(strncmp(from, "。", 3), 0);
                lines++;
            }
            ck_assert_str_eq(whole, texts[i]);
            ck_assert_double_eq_tol(height, lines * 1.3 * 12, 1e-9);
        }
    dlz_output_close(&output);
}
END_TEST

/* ---- Scripts --------------------------------------------------------------------------------- */

/* Pixels of black text on white that differ by half, and how many are dark in the first. */
static void compare_pages(cairo_surface_t *a, cairo_surface_t *b, int *different, int *dark) {
    *different = *dark = 0;
    for (int y = 0; y < 200; y++)
        for (int x = 0; x < 800; x++) {
            /* Green or red, whatever the machine's order of bytes. */
            size_t at = (size_t)(y * cairo_image_surface_get_stride(a) + 4 * x + 1);
            int first = cairo_image_surface_get_data(a)[at];
            int second = cairo_image_surface_get_data(b)[at];
            *dark += first < 128;
            *different += abs(first - second) > 128;
        }
}

/* What cairo's own text makes of letters in the order in which they stand on paper. */
static cairo_surface_t *draw_in_order(const char *letters, double size) {
    cairo_surface_t *page = cairo_image_surface_create(CAIRO_FORMAT_RGB24, 800, 200);
    cairo_t *cr = cairo_create(page);
    cairo_set_source_rgb(cr, 1, 1, 1);
    cairo_paint(cr);
    cairo_set_source_rgb(cr, 0, 0, 0);
    cairo_font_options_t *options = cairo_font_options_create();
    cairo_font_options_set_antialias(options, CAIRO_ANTIALIAS_GRAY);
    cairo_font_options_set_hint_style(options, CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options, CAIRO_HINT_METRICS_OFF);
    cairo_set_font_options(cr, options);
    cairo_font_options_destroy(options);
    cairo_select_font_face(cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(cr, size);
    cairo_move_to(cr, 10, 100 + DLZ_BASELINE_DROP * size);
    cairo_show_text(cr, letters);
    cairo_destroy(cr);
    cairo_surface_flush(page);
    return page;
}

START_TEST(right_to_left_scripts_run_leftwards_and_join) {
    static const struct {
        const char *text, *on_paper;
    } cases[] = {
        {"abc", "abc"},
        {"אבגד", "דגבא"},
        /* Numbers and Latin words run rightwards inside. */
        {"אב 12", "12 בא"},
        /* ... and beside: what comes first is at the right. */
        {"אב abc", "abc בא"},
        /* beh, teh, theh: initial, medial and final, as the characters that name the shapes. */
        {"\xD8\xA8\xD8\xAA\xD8\xAB", "\xEF\xBA\x9A\xEF\xBA\x98\xEF\xBA\x91"},
    };
    dlz_output probe;
    open_page(&probe, DLVIZ_FIGURE_FORMAT_PNG);
    bool known = strcmp(dlz_type_family(probe.canvas.type), "DejaVu Sans") == 0;
    dlz_output_close(&probe);
    if (!known) {
        printf("SKIP: the shapes of another font than DejaVu Sans are not known\n");
        return;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dlz_output output;
        open_page(&output, DLVIZ_FIGURE_FORMAT_PNG);
        dlz_text(&output.canvas, 10, 100, cases[i].text, (dlz_style){.size = 64, .color = black});
        cairo_surface_flush(output.surface);
        cairo_surface_t *right = draw_in_order(cases[i].on_paper, 64);
        cairo_surface_t *wrong = draw_in_order(cases[i].text, 64);
        int different, dark;
        compare_pages(output.surface, right, &different, &dark);
        ck_assert_int_gt(dark, 500);
        ck_assert_msg(different < dark / 10, "case %zu: %d of %d pixels differ", i, different,
                      dark);
        compare_pages(output.surface, wrong, &different, &dark);
        ck_assert_msg(i == 0 || different > dark / 4, "case %zu looks the same either way", i);
        cairo_surface_destroy(right), cairo_surface_destroy(wrong);
        dlz_output_close(&output);
    }
}
END_TEST

/* How many pixels are black where the letter of the tiny font stands in a line of text. */
static int count_of_the_letter(void) {
    dlz_output output;
    open_page(&output, DLVIZ_FIGURE_FORMAT_PNG);
    int left = 12 + (int)dlz_text_width(&output.canvas, "ab", 50, false), bottom = 117;
    dlz_text(&output.canvas, 10, 100,
             "ab\xEE\xA7\xB1"
             "c",
             (dlz_style){.size = 50, .color = black});
    cairo_surface_flush(output.surface);
    int black_ones = count_color(output.surface, black, 0, left, bottom - 46, left + 46, bottom);
    dlz_output_close(&output);
    return black_ones;
}

/* A letter that only one font has is taken from that font, in the middle of other text. Without it
 * there is a box with its number. */
START_TEST(a_font_that_has_a_letter_is_found) {
    int box = count_of_the_letter();
    ck_assert(box > 20 && box < 46 * 46 / 2);
    tiny_font font;
    make_tiny_font(&font, 0xE9F1);
    write_file(scratch_path("tiny.ttf"), font.bytes, font.size);
    ck_assert(FcConfigAppFontAddFile(NULL, (const FcChar8 *)scratch_path("tiny.ttf")));
    ck_assert_int_eq(count_of_the_letter(), 46 * 46);
    FcConfigAppFontClear(NULL);
    ck_assert_int_eq(count_of_the_letter(), box);
}
END_TEST

/* ---- SVG ------------------------------------------------------------------------------------- */

typedef struct told {
    int count;
    char line[600];
} told;

static void keep_warning(dlviz_log_level level, const char *message, void *user) {
    told *kept = user;
    ck_assert_int_eq(level, DLVIZ_LOG_LEVEL_WARNING);
    snprintf(kept->line, sizeof kept->line, "%s", message);
    kept->count++;
}

/* Letters of private use, which no font has: told of once for a drawing, with the text. */
START_TEST(letters_that_no_font_has_are_told_of) {
    static const char *const names[] = {"plain", "lone \xF4\x8F\xBF\xBD", "\xF4\x8F\xBF\xBC"};
    told kept = {0};
    dlviz_set_log(keep_warning, &kept);
    for (int first = 0; first < 2; first++) {
        dlz_output output;
        kept = (told){0};
        open_page(&output, DLVIZ_FIGURE_FORMAT_PNG);
        for (int i = first; i < (first ? 3 : 1); i++)
            dlz_text(&output.canvas, 10, 20, names[i], (dlz_style){.size = 12, .color = black});
        dlz_output_close(&output);
        ck_assert_int_eq(kept.count, first);
        ck_assert(!first || strstr(kept.line, names[1]));
    }
    dlviz_set_log(NULL, NULL);
}
END_TEST

START_TEST(an_svg_has_its_text_as_text) {
    static const char *const names[] = {"a < b", "c & \"d\"", "]]>", "x\xEF\xBF\xBEy\xEF\xBF\xBFz"};
    dlviz_figure *figure = scatter_figure(400, 4);
    ck_ok(dlviz_figure_set_title(figure, "Cats & <dogs>"));
    ck_ok(dlviz_figure_set_class_names(figure, 4, names));
    ck_ok(dlviz_figure_set_class_counts(figure, true));
    ck_ok(dlviz_figure_write(figure, scratch_path("text.svg")));
    dlviz_figure_destroy(figure);
    size_t size;
    char *text = read_text(scratch_path("text.svg"), &size);
    static const char *const wanted[] = {
        ">Cats &amp; &lt;dogs&gt;</text>",
        "<title>Cats &amp; &lt;dogs&gt;</title>",
        ("<desc>A map of 400 points in 4 classes: a &lt; b (100), c &amp; &quot;d&quot; (100), "
         "]]&gt; (100), x\xEF\xBF\xBDy\xEF\xBF\xBDz (100).</desc>"),
        ">a &lt; b  (100)</text>",
        ">]]&gt;</text>",
    };
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        ck_assert_msg(strstr(text, wanted[i]) != NULL, "no %s", wanted[i]);
    ck_assert_ptr_null(strstr(text, "<symbol"));
    ck_assert_ptr_null(strstr(text, "\xEF\xBF\xBE"));
    /* The title and the description come first, where viewers look for them. */
    const char *title = strstr(text, "<title>");
    ck_assert_ptr_eq(strchr(strstr(text, "<svg") + 1, '<'), title);
    free(text);
}
END_TEST

static void write_in_all_formats(dlviz_figure *figure) {
    for (dlviz_figure_format format = 0; format <= DLVIZ_FIGURE_FORMAT_PDF; format++) {
        void *bytes;
        size_t size;
        ck_ok(dlviz_figure_write_memory(figure, format, &bytes, &size));
        dlviz_free(bytes);
    }
    dlviz_figure_destroy(figure);
}

/* What Unicode says are no characters is UTF-8, and a text may have it; also where text is broken
 * into lines, and cut. */
START_TEST(noncharacters_are_drawn_in_every_format) {
    static const char *const letters[] = {"\xEF\xB7\x90",    "\xEF\xB7\xAF",     "\xEF\xBF\xBE",
                                          "\xEF\xBF\xBF",    "\xF0\x9F\xBF\xBE", "\xF0\xAF\xBF\xBF",
                                          "\xF4\x8F\xBF\xBF"};
    for (size_t i = 0; i < sizeof letters / sizeof *letters; i++) {
        char text[2048] = "";
        for (size_t k = 0; k < 300; k++)
            strcat(strcat(text, letters[i]), k % 40 == 5 ? " " : "");
        const char *names[] = {letters[i], text, "c"}, *x, *y;
        dlviz_figure *figure = scatter_figure(60, 3);
        ck_ok(dlviz_figure_set_title(figure, text));
        ck_ok(dlviz_figure_set_subtitle(figure, letters[i]));
        ck_ok(dlviz_figure_set_footnote(figure, text));
        ck_ok(dlviz_figure_set_axis_labels(figure, letters[i], text));
        ck_ok(dlviz_figure_set_class_names(figure, 3, names));
        dlviz_figure_axis_labels(figure, &x, &y);
        ck_assert_str_eq(x, letters[i]);
        ck_assert_str_eq(y, text);
        write_in_all_formats(figure);
        figure = curves_figure(3);
        for (int k = 0; k < 2; k++)
            ck_ok(dlviz_figure_add_curve(figure, names[k], letters[i], 2, NULL, (double[]){1, 2}));
        ck_ok(dlviz_figure_set_log_scale(figure, text, true));
        write_in_all_formats(figure);
        figure = images_figure(3, (int64_t[]){3, 6, 6});
        ck_ok(dlviz_figure_set_captions(figure, 3, names));
        write_in_all_formats(figure);
    }
}
END_TEST

START_TEST(sets_and_points_without_a_class_are_named) {
    float places[12] = {0, 0, 1, 0, 0, 1, 1, 1, 2, 1, 1, 2};
    dlviz_tensor *map, *labels;
    ck_ok(dlviz_tensor_from_data(&map, DLVIZ_FLOAT32, 2, (int64_t[]){6, 2}, places));
    ck_ok(dlviz_tensor_from_data(&labels, DLVIZ_INT64, 1, (int64_t[]){6},
                                 (int64_t[]){0, 1, 0, 1, 0, -1}));
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_scatter(&figure, map, labels));
    ck_ok(dlviz_figure_add_points(figure, "earlier", map, labels));
    ck_ok(dlviz_figure_add_points(figure, "later", map, labels));
    ck_ok(dlviz_figure_write(figure, scratch_path("sets.svg")));
    dlviz_figure_destroy(figure);
    size_t size;
    char *text = read_text(scratch_path("sets.svg"), &size);
    static const char *const wanted[] = {">earlier</text>", ">later</text>", "; 3 without a class"};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++)
        ck_assert_msg(strstr(text, wanted[i]) != NULL, "no %s", wanted[i]);
    free(text);
    ck_ok(dlviz_figure_create_scatter(&figure, map, labels));
    ck_ok(dlviz_figure_write(figure, scratch_path("sets.svg")));
    dlviz_figure_destroy(figure);
    text = read_text(scratch_path("sets.svg"), &size);
    ck_assert_ptr_nonnull(strstr(text, "6 points in 2 classes: 0 (3), 1 (2); 1 without a class"));
    free(text);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
}
END_TEST

/* The place and the width that an SVG gives its title are where a PNG has the title's ink. */
START_TEST(text_lies_at_the_same_place_in_every_format) {
    static const char *const titles[] = {"Hamburgefonts", "אבגד אבגד"};
    for (int i = 0; i < 2; i++) {
        dlviz_figure *figure = matrix_figure(3);
        ck_ok(dlviz_figure_set_title(figure, titles[i]));
        ck_ok(dlviz_figure_write(figure, scratch_path("place.svg")));
        ck_ok(dlviz_figure_write(figure, scratch_path("place.png")));
        dlviz_figure_destroy(figure);
        size_t size;
        char *text = read_text(scratch_path("place.svg"), &size), ending[64];
        snprintf(ending, sizeof ending, ">%s</text>", titles[i]);
        char *end = strstr(text, ending), *element = end;
        ck_assert_ptr_nonnull(end);
        while (strncmp(element, "<text", 5) != 0)
            element--;
        double left = 2 * attribute(element, " x"), baseline = 2 * attribute(element, " y");
        double right = left + 2 * attribute(element, "textLength");
        cairo_surface_t *surface = read_png(scratch_path("place.png"), 1600, 1200);
        int first = 1600, last = 0, lowest = 0;
        for (int x = 0; x < 1600; x++)
            for (int y = 20; y < 90; y++)
                if (count_color(surface, dlz_ink, 60, x, y, x + 1, y + 1)) {
                    first = x < first ? x : first;
                    last = x > last ? x : last;
                    lowest = y > lowest ? y : lowest;
                }
        ck_assert_double_eq_tol(first, left, 6);
        ck_assert_double_eq_tol(last, right, 6);
        ck_assert(lowest >= baseline - 3 && lowest <= baseline + 14);
        cairo_surface_destroy(surface);
        free(text);
    }
}
END_TEST

/* ---- Where text lies ------------------------------------------------------------------------- */

typedef struct place {
    double left, right, top, bottom;
} place;

static bool meet(place a, place b) {
    return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

/* What each line of an SVG covers, but for those that are turned: from its baseline as high as
 * figures are. */
static int find_texts(const char *svg, int most, place *texts) {
    int found = 0;
    for (const char *at = svg; (at = strstr(at, "<text ")); at++) {
        char element[512];
        ck_assert_uint_lt(strcspn(at, ">"), sizeof element);
        snprintf(element, sizeof element, "%.*s", (int)strcspn(at, ">"), at);
        if (strstr(element, "transform="))
            continue;
        double width = attribute(element, "textLength"), size = attribute(element, "font-size");
        double left = attribute(element, " x"), bottom = attribute(element, " y");
        left -= strstr(element, "\"end\"") ? width : strstr(element, "\"middle\"") ? width / 2 : 0;
        ck_assert_int_lt(found, most);
        texts[found++] = (place){left, left + width, bottom - 0.7 * size, bottom};
    }
    return found;
}

/* The next path that is drawn in a way, and its first and its third corner, or its two ends. */
static const char *find_path(const char *svg, const char *way, place *path) {
    const char *at = strstr(svg, way);
    if (!at)
        return NULL;
    double x[3], y[3];
    int ends = sscanf(strstr(at, " d=\""), " d=\"M %lf %lf L %lf %lf L %lf %lf", &x[0], &y[0],
                      &x[1], &y[1], &x[2], &y[2]) /
               2;
    ck_assert_int_ge(ends, 2);
    *path = (place){x[0], x[ends - 1], y[0], y[ends - 1]};
    return at + strlen(way);
}

static char *svg_of(dlviz_figure *figure) {
    size_t size;
    ck_ok(dlviz_figure_write(figure, scratch_path("places.svg")));
    dlviz_figure_destroy(figure);
    return read_text(scratch_path("places.svg"), &size);
}

static void expect_description(dlviz_figure *figure, const char *wanted) {
    char *text = svg_of(figure), element[256];
    snprintf(element, sizeof element, "<desc>%s</desc>", wanted);
    ck_assert_msg(strstr(text, element) != NULL, "not %s but %.200s", element,
                  strstr(text, "<desc>"));
    free(text);
}

/* For those who do not see the figure. */
START_TEST(descriptions_say_what_there_is) {
    static const char *const names[] = {"cat", "dog", "eel"};
    dlviz_figure *figure = matrix_figure(3);
    ck_ok(dlviz_figure_set_class_names(figure, 3, names));
    ck_ok(dlviz_figure_set_subtitle(figure, "Of the last epoch."));
    expect_description(figure,
                       "A confusion matrix of 3 classes, 2974 of 2976 on its diagonal: cat, "
                       "dog, eel. Of the last epoch.");
    expect_description(matrix_figure(1),
                       "A confusion matrix of 1 class, 990 of 990 on its diagonal.");
    expect_description(heat_maps_figure(4),
                       "A grid of 4 images, each 6 by 6 pixels, with heat maps: "
                       "saliency, unnamed.");
    expect_description(images_figure(4, (int64_t[]){1, 3, 5, 1}),
                       "A grid of 1 image, each 3 channels of 5 by 1 pixel.");
}
END_TEST

#define GRID_LINE "stroke-width:0.8;"
#define FRAME "stroke-width:1;"
#define COLOR_BAR "fill:url(#linear0)"

/* Nor beyond the page. */
START_TEST(no_text_lies_on_another_or_across_a_frame) {
    dlviz_figure *figures[] = {matrix_figure(4), matrix_figure(30), curves_figure(5),
                               scatter_figure(60, 3)};
    ck_ok(dlviz_figure_set_ticks(figures[3], true));
    for (int i = 0; i < 4; i++) {
        enum { MOST = 2000 };
        static place texts[MOST];
        place page, frame, bar;
        char *svg = svg_of(figures[i]);
        int count = find_texts(svg, MOST, texts);
        ck_assert_int_gt(count, 8);
        ck_assert_int_eq(sscanf(strstr(svg, "viewBox="), "viewBox=\"%lf %lf %lf %lf\"", &page.left,
                                &page.top, &page.right, &page.bottom),
                         4);
        for (int k = 0; k < count; k++)
            ck_assert_msg(texts[k].left > page.left && texts[k].right < page.right &&
                              texts[k].top > page.top && texts[k].bottom < page.bottom,
                          "figure %d: the text at %g, %g is not on the page", i, texts[k].left,
                          texts[k].bottom);
        for (int k = 0; k < count; k++)
            for (int j = 0; j < k; j++)
                ck_assert_msg(!meet(texts[k], texts[j]), "figure %d: texts at %g, %g and %g, %g", i,
                              texts[k].left, texts[k].bottom, texts[j].left, texts[j].bottom);
        for (const char *at = svg; (at = find_path(at, FRAME, &frame));)
            for (int k = 0; k < count; k++)
                ck_assert_msg(!meet(texts[k], frame) ||
                                  (texts[k].left > frame.left && texts[k].right < frame.right &&
                                   texts[k].top > frame.top && texts[k].bottom < frame.bottom),
                              "figure %d: the text at %g, %g crosses the frame", i, texts[k].left,
                              texts[k].bottom);
        ck_assert(i > 1 || find_path(svg, COLOR_BAR, &bar));
        for (int k = 0; i < 2 && k < count; k++)
            ck_assert_msg(!meet(texts[k], bar), "the text at %g, %g lies on the color bar",
                          texts[k].left, texts[k].bottom);
        free(svg);
    }
}
END_TEST

/* Each line of the grid has a number: left of it at its height, or in its middle below. */
START_TEST(numbers_lie_beside_their_lines) {
    place texts[40], line;
    dlviz_figure *figure = scatter_figure(60, 3);
    ck_ok(dlviz_figure_set_ticks(figure, true));
    char *svg = svg_of(figure);
    int count = find_texts(svg, 40, texts), lines = 0;
    for (const char *at = svg; (at = find_path(at, GRID_LINE, &line)); lines++) {
        int beside = 0;
        for (int k = 0; k < count; k++)
            if (line.top == line.bottom) {
                double middle = (texts[k].top + texts[k].bottom) / 2;
                beside += fabs(middle - line.top) < 1 && texts[k].right < line.left - 2 &&
                          texts[k].right > line.left - 12;
            } else {
                double middle = (texts[k].left + texts[k].right) / 2;
                beside += fabs(middle - line.left) < 0.1 && texts[k].top > line.bottom + 2 &&
                          texts[k].top < line.bottom + 12;
            }
        ck_assert_msg(beside == 1, "%d numbers at the line from %g, %g", beside, line.left,
                      line.top);
    }
    ck_assert_int_ge(lines, 6);
    free(svg);
}
END_TEST

/* ---- The same everywhere --------------------------------------------------------------------- */

static dlviz_figure *many_scripts(int64_t points) {
    static const char *const names[] = {"Katze", "קטה", "قطة", "猫", "ねこ", "고양이"};
    dlviz_figure *figure = scatter_figure(points, 6);
    ck_ok(dlviz_figure_set_class_names(figure, 6, names));
    ck_ok(dlviz_figure_set_title(figure, "Кошки · गाय · แมว"));
    ck_ok(dlviz_figure_set_size(figure, 300, 400));
    return figure;
}

START_TEST(the_environment_changes_no_byte) {
    enum { NUM_SETTINGS = 8 };
    static const char *const settings[NUM_SETTINGS][2] = {{"LANG", "C"},
                                                          {"LANGUAGE", "fa:ja:ar"},
                                                          {"PANGO_LANGUAGE", "ja:fa:ko"},
                                                          {"LC_ALL", "C.UTF-8"},
                                                          {"LC_ALL", "ja_JP.UTF-8"},
                                                          {"FC_LANG", "zh-tw"},
                                                          {"PANGOCAIRO_BACKEND", "nonsense"},
                                                          {"GDK_DPI_SCALE", "3"}};
    static const char *const endings[] = {"png", "svg", "pdf"};
    char name[40];
    if (cannot_fork())
        return;
    for (int i = 0; i < NUM_SETTINGS; i++) {
        pid_t child = fork();
        if (child == 0) {
            setenv(settings[i][0], settings[i][1], 1);
            dlviz_figure *figure = many_scripts(50);
            for (int k = 0; k < 3; k++) {
                snprintf(name, sizeof name, "environment%d.%s", i, endings[k]);
                ck_ok(dlviz_figure_write(figure, scratch_path(name)));
            }
            dlviz_figure_destroy(figure);
            _exit(0);
        }
        int status;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert_int_eq(status, 0);
    }
    for (int k = 0; k < 3; k++)
        for (int i = 1; i < NUM_SETTINGS; i++) {
            size_t sizes[2];
            snprintf(name, sizeof name, "environment0.%s", endings[k]);
            char *first = read_text(scratch_path(name), &sizes[0]);
            snprintf(name, sizeof name, "environment%d.%s", i, endings[k]);
            char *other = read_text(scratch_path(name), &sizes[1]);
            ck_assert_uint_eq(sizes[0], sizes[1]);
            ck_assert_msg(memcmp(first, other, sizes[0]) == 0, "%s changes the %s", settings[i][0],
                          endings[k]);
            free(first);
            free(other);
        }
}
END_TEST

typedef struct job {
    pthread_t thread;
    int64_t points;
    dlviz_figure_format format;
    void *bytes[2];
    size_t size[2];
    dlviz_status status;
} job;

static void *draw_job(void *argument) {
    job *mine = argument;
    dlviz_figure *figure = many_scripts(mine->points);
    mine->status = dlviz_figure_write_memory(figure, mine->format, &mine->bytes[1], &mine->size[1]);
    dlviz_figure_destroy(figure);
    return NULL;
}

START_TEST(figures_are_drawn_by_several_threads_at_once) {
    enum { JOBS = 12 };
    job jobs[JOBS] = {0};
    for (int i = 0; i < JOBS; i++) {
        jobs[i].points = 20 + i;
        jobs[i].format = (dlviz_figure_format)(i % 3);
    }
    /* At once first: what is made once for all is made by several threads, too. */
    for (int i = 0; i < JOBS; i++)
        ck_assert_int_eq(pthread_create(&jobs[i].thread, NULL, draw_job, &jobs[i]), 0);
    for (int i = 0; i < JOBS; i++)
        pthread_join(jobs[i].thread, NULL);
    for (int i = 0; i < JOBS; i++) {
        ck_ok(jobs[i].status);
        dlviz_figure *figure = many_scripts(jobs[i].points);
        ck_ok(
            dlviz_figure_write_memory(figure, jobs[i].format, &jobs[i].bytes[0], &jobs[i].size[0]));
        dlviz_figure_destroy(figure);
        ck_assert_uint_eq(jobs[i].size[0], jobs[i].size[1]);
        ck_assert_int_eq(memcmp(jobs[i].bytes[0], jobs[i].bytes[1], jobs[i].size[0]), 0);
        dlviz_free(jobs[i].bytes[0]);
        dlviz_free(jobs[i].bytes[1]);
    }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {text_is_not_cut_where_it_fits,
                                  text_is_cut_between_characters_as_readers_see_them,
                                  paragraphs_break_where_their_script_may,
                                  right_to_left_scripts_run_leftwards_and_join,
                                  a_font_that_has_a_letter_is_found,
                                  letters_that_no_font_has_are_told_of,
                                  an_svg_has_its_text_as_text,
                                  noncharacters_are_drawn_in_every_format,
                                  sets_and_points_without_a_class_are_named,
                                  text_lies_at_the_same_place_in_every_format,
                                  no_text_lies_on_another_or_across_a_frame,
                                  numbers_lie_beside_their_lines,
                                  descriptions_say_what_there_is,
                                  the_environment_changes_no_byte,
                                  figures_are_drawn_by_several_threads_at_once,
                                  NULL};
    return run_tests("lettering", tests);
}
