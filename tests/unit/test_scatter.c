/* Maps of points as they are drawn: what their pixels show. */
#include "support/figures.h"
#include "support/pixels.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- A figure's pixels ----------------------------------------------------------------------- */

typedef struct picture {
    cairo_surface_t *surface;
    int width, height;
} picture;

static picture drawn(const dlviz_figure *figure) {
    const char *path = scratch_path("map.png");
    ck_ok(dlviz_figure_write(figure, path));
    picture result = {.surface = cairo_image_surface_create_from_png(path)};
    ck_assert_int_eq(cairo_surface_status(result.surface), CAIRO_STATUS_SUCCESS);
    result.width = cairo_image_surface_get_width(result.surface);
    result.height = cairo_image_surface_get_height(result.surface);
    return result;
}

static picture draw_and_destroy(dlviz_figure *figure) {
    picture result = drawn(figure);
    dlviz_figure_destroy(figure);
    return result;
}

static uint32_t pixel_at(const picture *p, int x, int y) {
    uint32_t pixel;
    memcpy(&pixel,
           cairo_image_surface_get_data(p->surface) +
               y * cairo_image_surface_get_stride(p->surface) + 4 * x,
           sizeof pixel);
    return pixel & 0xffffff;
}

static int count(const picture *p, uint32_t rgb, int left, int top, int right, int bottom) {
    return count_color(p->surface, dlz_color_of_rgb(rgb), 2, left, top, right, bottom);
}

static int count_all(const picture *p, uint32_t rgb) {
    return count(p, rgb, 0, 0, p->width, p->height);
}

static int count_ink(const picture *p, int left, int top, int right, int bottom) {
    return (right - left) * (bottom - top) - count(p, 0xffffff, left, top, right, bottom);
}

typedef struct area {
    int left, top, right, bottom; /* right and bottom are the last ones */
} area;

/* Where pixels have a color; left > right where none has. */
static area area_of(const picture *p, uint32_t rgb) {
    area found = {p->width, p->height, -1, -1};
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x++)
            if (pixel_at(p, x, y) == rgb) {
                found.left = x < found.left ? x : found.left;
                found.right = x > found.right ? x : found.right;
                found.top = y < found.top ? y : found.top;
                found.bottom = y > found.bottom ? y : found.bottom;
            }
    return found;
}

/* The frame is a gray line of two pixels; nothing else is as long. */
static area frame_of(const picture *p) {
    area frame = {0, 0, p->width - 1, p->height - 1};
    int middle = p->height / 3;
    while (frame.left < p->width && pixel_at(p, frame.left, middle) == 0xffffff)
        frame.left++;
    ck_assert_int_lt(frame.left, p->width / 3);
    uint32_t line = pixel_at(p, frame.left + 1, middle);
    int x = frame.left + 8;
    frame.top = middle;
    while (frame.top > 0 && pixel_at(p, frame.left + 1, frame.top - 1) == line)
        frame.top--;
    frame.bottom = middle;
    while (frame.bottom + 1 < p->height && pixel_at(p, frame.left + 1, frame.bottom + 1) == line)
        frame.bottom++;
    while (x + 1 < p->width && pixel_at(p, x + 1, frame.top + 1) == line)
        x++;
    frame.right = x;
    return frame;
}

static void close_picture(picture *p) {
    cairo_surface_destroy(p->surface);
}

/* ---- Maps ------------------------------------------------------------------------------------ */

static dlviz_tensor *uniform_map(int64_t n, int64_t columns, uint64_t seed) {
    dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){n, columns});
    fill_uniform(dlviz_tensor_float(map), n * columns, seed);
    return map;
}

static dlviz_tensor *labels_of(int64_t n, int64_t classes) {
    dlviz_tensor *labels = tensor_of(DLVIZ_INT64, 1, &n);
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)dlviz_tensor_data(labels))[i] = i % classes;
    return labels;
}

/* Takes the map and the labels, and draws opaque points without names. */
static dlviz_figure *figure_of(dlviz_tensor *map, dlviz_tensor *labels) {
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_scatter(&figure, map, labels));
    ck_ok(dlviz_figure_set_opacity(figure, 1));
    ck_ok(dlviz_figure_set_class_marks(figure, false));
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
    return figure;
}

static uint32_t color_of(int class) {
    return dlz_class_rgb[class % DLZ_NUM_COLORS];
}

/* ---- The frame ------------------------------------------------------------------------------- */

START_TEST(a_map_fills_its_frame) {
    /* Twice as wide as high, as wide as high, and higher: the figure is made for it. */
    const double ratios[] = {2, 1.2, 1.05, 1};
    for (int i = 0; i < 4; i++) {
        dlviz_tensor *map = uniform_map(2000, 2, 3);
        for (int64_t k = 0; k < 2000; k++)
            dlviz_tensor_float(map)[2 * k] *= (float)ratios[i];
        picture p = draw_and_destroy(figure_of(map, NULL));
        area frame = frame_of(&p), ink = area_of(&p, color_of(0));
        ck_assert_int_eq(p.width, 1600);
        ck_assert_double_gt(ink.right - ink.left, 0.9 * (frame.right - frame.left));
        ck_assert_double_gt(ink.bottom - ink.top, 0.9 * (frame.bottom - frame.top));
        ck_assert_double_eq_tol((double)(ink.right - ink.left) / (ink.bottom - ink.top), ratios[i],
                                0.03 * ratios[i]);
        ck_assert_int_gt(frame.right - frame.left, 1400);
        close_picture(&p);
    }
}
END_TEST

START_TEST(one_outlier_does_not_squeeze_the_map) {
    int widths[2];
    for (int clip = 0; clip < 2; clip++) {
        dlviz_tensor *map = uniform_map(600, 2, 3), *labels = labels_of(600, 2);
        dlviz_tensor_float(map)[2 * 40] = 1e6F;
        ((int64_t *)dlviz_tensor_data(labels))[40] = 3;
        dlviz_figure *figure = figure_of(map, labels);
        ck_ok(dlviz_figure_set_clip_outliers(figure, clip));
        picture p = draw_and_destroy(figure);
        area frame = frame_of(&p), ink = area_of(&p, color_of(0));
        widths[clip] = ink.right < frame.right ? ink.right - ink.left : 0;
        /* An arrow in its class's color at the right border, and a line below the frame. */
        int at_border =
            count(&p, color_of(3), frame.right - 30, frame.top, frame.right, frame.bottom);
        int below = count_ink(&p, 800, frame.bottom + 6, frame.right, p.height);
        if (clip) {
            ck_assert_int_gt(ink.right - ink.left, 1200);
            ck_assert_int_gt(at_border, 60);
            ck_assert_int_gt(below, 300);
        } else {
            ck_assert_int_eq(below, 0);
        }
        close_picture(&p);
    }
    ck_assert_int_lt(widths[0], 100);
}
END_TEST

START_TEST(two_clusters_far_apart_are_both_seen) {
    dlviz_tensor *map = uniform_map(1000, 2, 3), *labels = labels_of(1000, 1);
    for (int64_t i = 0; i < 20; i++) {
        dlviz_tensor_float(map)[2 * i] += 1000;
        ((int64_t *)dlviz_tensor_data(labels))[i] = 1;
    }
    picture p = draw_and_destroy(figure_of(map, labels));
    area frame = frame_of(&p), first = area_of(&p, color_of(0)), second = area_of(&p, color_of(1));
    ck_assert_int_lt(first.left, frame.left + 100);
    ck_assert_int_gt(
        count(&p, color_of(1), frame.right - 200, frame.top, frame.right, frame.bottom), 60);
    ck_assert_int_eq(count_ink(&p, 0, frame.bottom + 6, p.width, p.height), 0);
    ck_assert(second.left <= second.right);
    close_picture(&p);
}
END_TEST

/* ---- One, three columns ---------------------------------------------------------------------- */

START_TEST(a_map_of_one_column_is_a_strip) {
    dlviz_tensor *map = uniform_map(300, 1, 3), *labels = labels_of(300, 2);
    dlviz_figure *figure = figure_of(map, labels);
    ck_ok(dlviz_figure_set_axis_labels(figure, "value", "there is no such axis"));
    picture p = draw_and_destroy(figure);
    area frame = frame_of(&p);
    ck_assert_int_lt(frame.bottom - frame.top, 600);
    ck_assert_int_lt(frame.left, 50); /* no name beside it */
    /* Points of one value each side by side hardly cover each other. */
    double disc = M_PI * 81; /* pixels of the largest point */
    int seen = count(&p, color_of(0), frame.left, frame.top, frame.right, frame.bottom) +
               count(&p, color_of(1), frame.left, frame.top, frame.right, frame.bottom);
    ck_assert_double_gt(seen, 0.75 * 300 * disc);
    area ink = area_of(&p, color_of(0));
    ck_assert_double_gt(ink.right - ink.left, 0.85 * (frame.right - frame.left));
    close_picture(&p);
}
END_TEST

START_TEST(a_strip_of_one_value_is_a_stack) {
    dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){5000, 1});
    picture p = draw_and_destroy(figure_of(map, NULL));
    area frame = frame_of(&p), ink = area_of(&p, color_of(0));
    ck_assert_int_lt(ink.right - ink.left, 30);
    ck_assert_double_gt(ink.bottom - ink.top, 0.9 * (frame.bottom - frame.top));
    ck_assert(ink.top > frame.top && ink.bottom < frame.bottom);
    close_picture(&p);
}
END_TEST

START_TEST(a_map_of_three_columns_has_three_panels) {
    /* Class 0 at low values of all columns, 1 at high ones of the third: apart wherever the third
     * is shown, and only there. */
    dlviz_tensor *map = uniform_map(400, 3, 3), *labels = labels_of(400, 2);
    for (int64_t i = 1; i < 400; i += 2)
        dlviz_tensor_float(map)[3 * i + 2] += 2;
    picture p = draw_and_destroy(figure_of(map, labels));
    int half_x = p.width / 2, half_y = p.height / 2;
    const int quarters[4][2] = {{0, 0}, {1, 0}, {0, 1}, {1, 1}};
    double middles[4][2];
    for (int q = 0; q < 4; q++)
        for (int class = 0; class < 2; class ++) {
            int found = 0;
            double sum = 0;
            for (int y = quarters[q][1] * half_y; y < (quarters[q][1] + 1) * half_y; y++)
                for (int x = quarters[q][0] * half_x; x < (quarters[q][0] + 1) * half_x; x++)
                    if (pixel_at(&p, x, y) == color_of(class)) {
                        found++;
                        sum += y;
                    }
            middles[q][class] = sum / found;
            /* The second quarter has the legend. */
            ck_assert_msg(q == 1 ? found > 50 && found < 1000 : found > 10000,
                          "quarter %d, class %d: %d pixels", q, class, found);
        }
    ck_assert_double_lt(fabs(middles[0][0] - middles[0][1]), 30);
    ck_assert_double_gt(middles[2][0] - middles[2][1], 100);
    ck_assert_double_gt(middles[3][0] - middles[3][1], 100);
    close_picture(&p);
}
END_TEST

START_TEST(axes_tell_what_components_explain) {
    for (int columns = 1; columns <= 3; columns++) {
        int ink[2];
        for (int with = 0; with < 2; with++) {
            dlviz_figure *figure = figure_of(uniform_map(100, columns, 3), NULL);
            ck_ok(dlviz_figure_set_size(figure, 800, 800));
            ck_ok(dlviz_figure_set_axis_labels(figure, "a", "b"));
            if (with)
                ck_ok(dlviz_figure_set_axis_shares(figure, 4, (double[]){0.5, 0.25, 0.125, 0.1}));
            picture p = draw_and_destroy(figure);
            ink[with] = count_ink(&p, 0, p.height - 80, p.width, p.height - 2);
            close_picture(&p);
        }
        ck_assert_int_gt(ink[1], ink[0] + 100);
    }
}
END_TEST

/* ---- Points in one place --------------------------------------------------------------------- */

START_TEST(points_in_one_place_are_told_of) {
    /* A hundred points, all different; at twelve places; all at one. */
    int ink[3], around[3];
    for (int kind = 0; kind < 3; kind++) {
        dlviz_tensor *map = uniform_map(100, 2, 3);
        float *points = dlviz_tensor_float(map);
        for (int64_t i = 0; kind > 0 && i < 100; i++)
            memcpy(points + 2 * i, points + 2 * (i % (kind == 1 ? 12 : 1)), 2 * sizeof *points);
        picture p = draw_and_destroy(figure_of(map, NULL));
        area frame = frame_of(&p);
        ink[kind] = count_ink(&p, 800, frame.bottom + 6, p.width, p.height);
        around[kind] =
            count_ink(&p, frame.left + 4, frame.top + 4, frame.right - 4, frame.bottom - 4) -
            count_all(&p, color_of(0));
        close_picture(&p);
    }
    ck_assert_int_eq(ink[0], 0);
    ck_assert(ink[1] > 300 && ink[2] > 300);
    /* Rings: a line of 1.6 pixels, each longer than 100 pixels. */
    ck_assert_int_gt(around[1], 12 * 100);
    ck_assert_int_gt(around[2], 100);
}
END_TEST

/* ---- Classes --------------------------------------------------------------------------------- */

/* Colors that no two classes share, nor anything else. */
static void give_own_colors(dlviz_figure *figure, int classes, uint32_t *colors) {
    for (int i = 0; i < classes; i++)
        colors[i] = 0x200000 + 0x010800 * (uint32_t)(i % 16) + 0x0a * (uint32_t)(i / 16) + 0x80;
    ck_ok(dlviz_figure_set_class_colors(figure, classes, colors));
}

START_TEST(a_legend_has_all_of_two_hundred_classes) {
    for (int set = 0; set < 2; set++)
        for (int classes = 40; classes <= 200; classes += 160) {
            uint32_t colors[200];
            dlviz_tensor *map, *labels;
            make_map(10 * classes, classes, &map, &labels);
            dlviz_figure *figure = figure_of(map, labels);
            give_own_colors(figure, classes, colors);
            ck_ok(dlviz_figure_set_point_size(figure, 4));
            if (set)
                ck_ok(dlviz_figure_set_size(figure, 1200, 1600));
            picture p = draw_and_destroy(figure);
            area frame = frame_of(&p);
            for (int i = 0; i < classes; i++) {
                int beside = count_color(p.surface, dlz_color_of_rgb(colors[i]), 0, frame.right + 4,
                                         0, p.width, p.height);
                int below = count_color(p.surface, dlz_color_of_rgb(colors[i]), 0, 0,
                                        frame.bottom + 4, p.width, p.height);
                ck_assert_msg(beside + below > 20, "%d classes, class %d: %d pixels", classes, i,
                              beside + below);
            }
            close_picture(&p);
        }
}
END_TEST

/* One in seven classes of many has four points, the others have one. Those that the legend has
 * room for are the large ones first, then the first of the others, all in their order. Of the
 * rest it says how many they are, in as few words as a narrow column has room for. */
START_TEST(a_legend_has_the_largest_classes) {
    enum { CLASSES = 7 * 142, N = CLASSES + 3 * (CLASSES / 7) };
    dlviz_tensor *labels = tensor_of(DLVIZ_INT64, 1, (int64_t[]){N});
    int64_t *label = dlviz_tensor_data(labels), large = 0;
    for (int64_t i = 0; i < CLASSES; i++)
        label[i] = i;
    for (int64_t i = CLASSES; i < N; i++)
        label[i] = (i - CLASSES) / 3 * 7 + 5;
    dlviz_figure *figure = figure_of(uniform_map(N, 2, 3), labels);
    ck_ok(dlviz_figure_write(figure, scratch_path("some.svg")));
    dlviz_figure_destroy(figure);
    size_t size;
    char *text = read_text(scratch_path("some.svg"), &size), wanted[16];
    const char *last = strstr(text, ">\xE2\x80\xA6"), *at = text;
    int64_t shown = 0;
    for (const char *end = text; (end = strstr(end, "</text>")) && end < last; end++)
        shown++;
    ck_assert_msg(shown > CLASSES / 7 && shown < CLASSES, "%lld are shown", (long long)shown);
    snprintf(wanted, sizeof wanted, "\xA6 +%lld<", (long long)(CLASSES - shown));
    ck_assert_ptr_nonnull(strstr(last, wanted));
    for (int64_t i = 0; i < CLASSES; i++) {
        large += i % 7 == 5;
        if (i % 7 != 5 && i - large >= shown - CLASSES / 7)
            continue;
        snprintf(wanted, sizeof wanted, ">%lld</text>", (long long)i);
        at = strstr(at, "<text ");
        ck_assert_ptr_nonnull(at);
        at = strchr(at, '>');
        ck_assert_msg(strncmp(at, wanted, strlen(wanted)) == 0, "%.12s, not %s", at, wanted);
    }
    ck_assert_ptr_eq(strchr(strstr(at, "<text "), '>'), last);
    free(text);
}
END_TEST

START_TEST(names_of_forty_classes_cover_few_points) {
    int seen[2] = {0};
    for (int with = 0; with < 2; with++) {
        dlviz_tensor *map, *labels;
        make_map(1600, 40, &map, &labels);
        dlviz_figure *figure = figure_of(map, labels);
        ck_ok(dlviz_figure_set_class_marks(figure, with));
        picture p = draw_and_destroy(figure);
        area frame = frame_of(&p);
        for (int class = 0; class < DLZ_NUM_COLORS; class ++)
            seen[with] +=
                count(&p, color_of(class), frame.left, frame.top, frame.right, frame.bottom);
        close_picture(&p);
    }
    ck_assert_int_gt(seen[1], seen[0] * 95 / 100);
}
END_TEST

/* Pixels that class names change in the middle of a map. */
static int count_changed(const dlviz_tensor *map, const dlviz_tensor *labels, int reach) {
    picture pictures[2];
    for (int with = 0; with < 2; with++) {
        dlviz_figure *figure;
        ck_ok(dlviz_figure_create_scatter(&figure, map, labels));
        ck_ok(dlviz_figure_set_point_size(figure, 10));
        ck_ok(dlviz_figure_set_class_marks(figure, with));
        pictures[with] = draw_and_destroy(figure);
    }
    area frame = frame_of(&pictures[0]);
    int middle_x = (frame.left + frame.right) / 2, middle_y = (frame.top + frame.bottom) / 2;
    int changed = 0;
    for (int y = middle_y - reach; y < middle_y + reach; y++)
        for (int x = middle_x - reach; x < middle_x + reach; x++)
            changed += pixel_at(&pictures[0], x, y) != pixel_at(&pictures[1], x, y);
    close_picture(&pictures[0]);
    close_picture(&pictures[1]);
    return changed;
}

/* Where an SVG has a class's name, but for the legend: which is not bold. */
static double place_of_name(const char *svg, const char *name) {
    char ending[32];
    snprintf(ending, sizeof ending, ">%s</text>", name);
    for (const char *at = svg; (at = strstr(at, ending)); at++) {
        const char *element = at;
        while (strncmp(element, "<text", 5) != 0)
            element--;
        const char *bold = strstr(element, "font-weight=\"bold\"");
        if (bold && bold < at)
            return strtod(strstr(element, " x=\"") + 4, NULL);
    }
    ck_abort_msg("%s is not named", name);
}

/* Two places are as near to a small class: to its right, among another's points, and to its left,
 * where there are none. */
START_TEST(names_go_where_there_are_no_points) {
    static const char *const names[] = {"many", "few"};
    const int64_t n = 6010;
    dlviz_tensor *map = uniform_map(n, 2, 3), *labels = labels_of(n, 1);
    float *points = dlviz_tensor_float(map), *end = points + 2 * n;
    for (float *point = points; point < end; point += 2)
        point[0] = point < end - 20 ? point[0] + 1.03F : 0.002F * point[0];
    for (float *point = end - 20; point < end; point += 2)
        point[1] *= 0.002F;
    for (int64_t i = n - 10; i < n; i++)
        ((int64_t *)dlviz_tensor_data(labels))[i] = 1;
    points[0] = -2; /* so that there is room to the left */
    dlviz_figure *figure = figure_of(map, labels);
    ck_ok(dlviz_figure_set_class_names(figure, 2, names));
    picture p = drawn(figure);
    area frame = frame_of(&p), few = {p.width, 0, 0, 0};
    for (int y = frame.top; y < frame.bottom; y++) /* without the legend */
        for (int x = frame.left; x < frame.right; x++)
            if (pixel_at(&p, x, y) == color_of(1)) {
                few.left = x < few.left ? x : few.left;
                few.right = x > few.right ? x : few.right;
            }
    close_picture(&p);
    ck_assert_int_lt(few.right - few.left, 20);
    ck_ok(dlviz_figure_set_class_marks(figure, true));
    ck_ok(dlviz_figure_write(figure, scratch_path("names.svg")));
    dlviz_figure_destroy(figure);
    size_t size;
    char *text = read_text(scratch_path("names.svg"), &size);
    double many = 2 * place_of_name(text, "many"), beside = 2 * place_of_name(text, "few");
    ck_assert_double_eq_tol(many, (few.right + frame.right) / 2.0, 60);
    ck_assert_double_lt(beside, few.left);
    ck_assert_double_gt(beside, few.left - 60);
    free(text);
}
END_TEST

START_TEST(names_away_from_their_classes_have_lines_to_them) {
    /* Classes of one point each, so near each other that no name fits between them; around them,
     * four points far away. */
    dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){53, 2});
    dlviz_tensor *labels = tensor_of(DLVIZ_INT64, 1, (int64_t[]){53});
    for (int i = 0; i < 53; i++) {
        bool near = i < 49;
        dlviz_tensor_float(map)[2 * i] = near ? 0.2F * (float)(i % 7 - 3) : i % 2 ? 10 : -10;
        dlviz_tensor_float(map)[2 * i + 1] = near ? 0.2F * (float)(i / 7 - 3) : i < 51 ? 10 : -10;
        ((int64_t *)dlviz_tensor_data(labels))[i] = near ? i : -1;
    }
    /* The points lie within 45 pixels of the middle; names outside. */
    ck_assert_int_gt(count_changed(map, labels, 30), 200);
    /* Beneath each line is a wider one from and to the same places, in the color of paper. */
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_scatter(&figure, map, labels));
    ck_ok(dlviz_figure_write(figure, scratch_path("lines.svg")));
    dlviz_figure_destroy(figure);
    size_t size;
    char *text = read_text(scratch_path("lines.svg"), &size);
    int lines = 0;
    for (char *at = text; (at = strstr(at, "stroke-width:2.6;")); lines++) {
        const char *beneath = strstr(at, " d=\""), *above;
        at = strstr(beneath, "<path ");
        above = strstr(at, " d=\"");
        ck_assert_ptr_nonnull(strstr(at, "stroke-width:0.9;"));
        ck_assert_int_eq(strncmp(beneath, above, strcspn(beneath, ">")), 0);
    }
    ck_assert_int_gt(lines, 10);
    free(text);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
}
END_TEST

START_TEST(classes_have_the_colors_and_markers_that_are_set) {
    /* Four points far apart; the share of a marker's box that it fills tells its shape. */
    const dlviz_marker markers[4] = {DLVIZ_MARKER_SQUARE, DLVIZ_MARKER_CIRCLE,
                                     DLVIZ_MARKER_TRIANGLE, DLVIZ_MARKER_PLUS};
    const uint32_t colors[3] = {0x123456, 0x654321, 0xabcdef};
    dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){4, 2});
    memcpy(dlviz_tensor_float(map), (float[]){0, 0, 1, 0, 1, 1, 0, 1}, 8 * sizeof(float));
    dlviz_figure *figure = figure_of(map, labels_of(4, 4));
    ck_ok(dlviz_figure_set_point_size(figure, 80));
    ck_ok(dlviz_figure_set_class_markers(figure, 4, markers));
    ck_ok(dlviz_figure_set_class_colors(figure, 3, colors));
    picture p = draw_and_destroy(figure);
    area frame = frame_of(&p);
    const double fills[4] = {1, M_PI / 4, 0.5, 0.59};
    for (int i = 0; i < 4; i++) {
        uint32_t color = i < 3 ? colors[i] : color_of(3);
        for (int y = 0; y < p.height; y++) /* leave the legend out */
            for (int x = frame.right + 1; x < p.width; x++)
                if (pixel_at(&p, x, y) == color)
                    memset(cairo_image_surface_get_data(p.surface) +
                               y * cairo_image_surface_get_stride(p.surface) + 4 * x,
                           255, 4);
        area box = area_of(&p, color);
        double room = (box.right - box.left + 1.0) * (box.bottom - box.top + 1.0);
        ck_assert_double_eq_tol(count_all(&p, color) / room, fills[i], 0.04);
        /* All of one area. */
        ck_assert_double_eq_tol(count_all(&p, color), M_PI * 40 * 40, 300);
    }
    close_picture(&p);
}
END_TEST

START_TEST(markers_give_way_where_points_are_tiny) {
    /* Of class 1: squares with corners among 200 points, circles among 100,000. */
    for (int64_t n = 200; n <= 100000; n *= 500) {
        dlviz_tensor *labels = labels_of(n, 1);
        for (int64_t i = 0; i < n; i++)
            ((int64_t *)dlviz_tensor_data(labels))[i] = 1;
        picture p = draw_and_destroy(figure_of(uniform_map(n, 2, 3), labels));
        area frame = frame_of(&p);
        /* The legend's marker: a square fills its box. */
        int in_legend = count(&p, color_of(1), frame.right + 4, 0, p.width, p.height);
        int left = p.width, right = 0;
        for (int y = 0; y < p.height; y++)
            for (int x = frame.right + 4; x < p.width; x++)
                if (pixel_at(&p, x, y) == color_of(1)) {
                    left = x < left ? x : left;
                    right = x > right ? x : right;
                }
        double side = right - left + 1;
        ck_assert_double_gt(side, 10);
        if (n == 200)
            ck_assert_double_gt(in_legend, 0.9 * side * side);
        else
            ck_assert_double_lt(in_legend, 0.85 * side * side);
        close_picture(&p);
    }
}
END_TEST

START_TEST(class_names_come_with_the_one_line_call) {
    static const char *const names[] = {"a long name indeed", "another one"};
    dlviz_tensor *map = uniform_map(100, 2, 3), *labels = labels_of(100, 2);
    int widths[2];
    for (int with = 0; with < 2; with++) {
        ck_ok(dlviz_plot_scatter(map, labels, 2 * with, with ? names : NULL, "title",
                                 scratch_path("map.png")));
        picture p = {.surface = cairo_image_surface_create_from_png(scratch_path("map.png"))};
        p.width = cairo_image_surface_get_width(p.surface);
        p.height = cairo_image_surface_get_height(p.surface);
        area frame = frame_of(&p);
        widths[with] = frame.right - frame.left;
        close_picture(&p);
    }
    ck_assert_int_lt(widths[1], widths[0] - 100); /* names need room */
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
}
END_TEST

/* ---- Values, sets, images -------------------------------------------------------------------- */

START_TEST(values_have_colors_and_a_bar) {
    /* Five points: from the lowest to the highest, and one without a value. */
    dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){5, 2});
    memcpy(dlviz_tensor_float(map), (float[]){0, 0, 1, 0, 2, 0, 3, 0, 4, 1.5F}, 10 * sizeof(float));
    dlviz_tensor *values = tensor_of(DLVIZ_FLOAT32, 1, (int64_t[]){5});
    memcpy(dlviz_tensor_float(values), (float[]){10, NAN, 20, 40, 50}, 5 * sizeof(float));
    dlviz_figure *figure = figure_of(map, labels_of(5, 2));
    ck_ok(dlviz_figure_set_point_size(figure, 60));
    ck_ok(dlviz_figure_set_values(figure, values, "weight"));
    for (int m = 0; m < 2; m++) {
        dlviz_colormap colormap = m ? DLVIZ_COLORMAP_GRAY : DLVIZ_COLORMAP_BLUES;
        ck_ok(dlviz_figure_set_colormap(figure, colormap));
        picture p = drawn(figure);
        const double shares[4] = {0, 0.25, 0.75, 1};
        for (int i = 0; i < 4; i++) {
            uint32_t color = dlz_rgb_of_color(dlz_colormap_at(colormap, shares[i]));
            /* White has the page's color. */
            int found = count_all(&p, color);
            ck_assert_msg(found > 1500, "map %d, value %d: %d pixels", m, i, found);
        }
        uint32_t gray = dlz_rgb_of_color(dlz_class_look(-1).color);
        ck_assert_int_gt(count_all(&p, gray), 2000);
        ck_assert_int_eq(count_all(&p, color_of(0)) + count_all(&p, color_of(1)), 0);
        /* The bar, beside the frame: its darkest color at one end. */
        area frame = frame_of(&p);
        uint32_t dark = dlz_rgb_of_color(dlz_colormap_at(colormap, m ? 0.01 : 0.99));
        ck_assert_int_gt(count_color(p.surface, dlz_color_of_rgb(dark), 6, frame.right + 4, 0,
                                     p.width, p.height),
                         100);
        close_picture(&p);
    }
    dlviz_figure_destroy(figure);
    dlviz_tensor_destroy(values);
}
END_TEST

/* Pixels of a map of four points with these values that have the color of a share of the range. */
static int count_share(dlviz_colormap colormap, const float *of_points, double share) {
    dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){4, 2});
    memcpy(dlviz_tensor_float(map), (float[]){0, 0, 1, 0, 2, 0, 3, 1.5F}, 8 * sizeof(float));
    dlviz_tensor *values = tensor_of(DLVIZ_FLOAT32, 1, (int64_t[]){4});
    memcpy(dlviz_tensor_float(values), of_points, 4 * sizeof(float));
    dlviz_figure *figure = figure_of(map, NULL);
    ck_ok(dlviz_figure_set_point_size(figure, 60));
    ck_ok(dlviz_figure_set_values(figure, values, NULL));
    ck_ok(dlviz_figure_set_colormap(figure, colormap));
    picture p = draw_and_destroy(figure);
    area frame = frame_of(&p);
    int found = count_color(p.surface, dlz_colormap_at(colormap, share), 4, frame.left + 4,
                            frame.top + 4, frame.right - 4, frame.bottom - 4);
    close_picture(&p);
    dlviz_tensor_destroy(values);
    return found;
}

START_TEST(values_lie_where_they_should_in_their_range) {
    const double disc = M_PI * 30 * 30;
    /* All alike: in the middle, whatever they are. */
    const float alike[] = {0, 7, -1e-3F};
    for (int i = 0; i < 3; i++) {
        const float values[] = {alike[i], alike[i], alike[i], alike[i]};
        ck_assert_double_eq_tol(count_share(DLVIZ_COLORMAP_GRAY, values, 0.5), 4 * disc, 500);
    }
    /* 0 is the middle of what diverges. */
    const float values[] = {-1, 0, 2, 4};
    const double shares[] = {3 / 8.0, 4 / 8.0, 6 / 8.0, 1};
    for (int i = 0; i < 4; i += i == 0 ? 2 : 1)
        ck_assert_double_eq_tol(count_share(DLVIZ_COLORMAP_DIVERGING, values, shares[i]), disc,
                                250);
}
END_TEST

START_TEST(one_value_far_away_leaves_the_others_their_colors) {
    const int64_t n = 1000;
    dlviz_tensor *values = tensor_of(DLVIZ_FLOAT32, 1, &n);
    fill_uniform(dlviz_tensor_float(values), n, 8);
    dlviz_tensor_float(values)[500] = 1e9F;
    dlviz_figure *figure = figure_of(uniform_map(n, 2, 3), NULL);
    ck_ok(dlviz_figure_set_values(figure, values, NULL));
    ck_ok(dlviz_figure_set_colormap(figure, DLVIZ_COLORMAP_GRAY));
    picture p = draw_and_destroy(figure);
    area frame = frame_of(&p);
    int grays = 0;
    for (uint32_t level = 30; level < 220; level += 10)
        grays += count(&p, level * 0x010101, frame.left + 4, frame.top + 4, frame.right - 4,
                       frame.bottom - 4) > 200;
    ck_assert_int_gt(grays, 15);
    ck_assert_int_gt(count_ink(&p, 500, frame.bottom + 6, frame.right, p.height), 300);
    close_picture(&p);
    dlviz_tensor_destroy(values);
}
END_TEST

START_TEST(added_points_have_outlines_and_a_name) {
    int outlines[4], beside[4];
    for (int sets = 0; sets < 4; sets++) {
        dlviz_figure *figure = figure_of(uniform_map(50, 2, 3), labels_of(50, 2));
        ck_ok(dlviz_figure_set_size(figure, 1200, 1600));
        for (int s = 0; s < sets; s++) {
            dlviz_tensor *more = uniform_map(30, 2, (uint64_t)(10 + s)),
                         *classes = labels_of(30, 1);
            ck_ok(dlviz_figure_add_points(figure, "more", more, classes));
            dlviz_tensor_destroy(more);
            dlviz_tensor_destroy(classes);
        }
        picture p = draw_and_destroy(figure);
        area frame = frame_of(&p);
        outlines[sets] = 0;
        for (int y = frame.top + 4; y < frame.bottom - 4; y++)
            for (int x = frame.left + 4; x < frame.right - 4; x++) {
                uint32_t pixel = pixel_at(&p, x, y);
                outlines[sets] +=
                    (pixel >> 16) < 90 && (pixel >> 8 & 255) < 90 && (pixel & 255) < 90;
            }
        beside[sets] = count_ink(&p, frame.right + 4, 0, p.width, p.height);
        close_picture(&p);
    }
    ck_assert_int_lt(outlines[0], 30);
    ck_assert_int_gt(outlines[1], 30 * 25);
    ck_assert_int_gt(outlines[2], outlines[1] * 2);
    ck_assert_int_gt(outlines[3], outlines[2] + outlines[1]);
    for (int sets = 1; sets < 4; sets++)
        ck_assert_int_gt(beside[sets], beside[sets - 1] + 100);
}
END_TEST

/* Images of one green, which nothing else has. */
static dlviz_tensor *green_images(int64_t n, dlviz_dtype dtype) {
    dlviz_tensor *images = tensor_of(dtype, 4, (int64_t[]){n, 3, 5, 7});
    for (int64_t i = 0; i < n; i++)
        for (int64_t k = 0; k < 105; k++) {
            bool green = k / 35 == 1;
            if (dtype == DLVIZ_UINT8)
                ((uint8_t *)dlviz_tensor_data(images))[105 * i + k] = green ? 255 : 51;
            else
                dlviz_tensor_float(images)[105 * i + k] = green ? 1 : 0.2F;
        }
    return images;
}

/* Pixels of a color where an SVG of the same figure has the names of classes: in bold, about their
 * middle, half as many points as pixels. */
static int count_beneath_names(const picture *p, const char *svg, uint32_t rgb) {
    int found = 0, names = 0;
    for (const char *at = svg; (at = strstr(at, "<text ")); at++) {
        const char *bold = strstr(at, "font-weight=\"bold\"");
        if (!bold || bold > strchr(at, '>'))
            continue;
        double x = strtod(strstr(at, " x=\"") + 4, NULL), y = strtod(strstr(at, " y=\"") + 4, NULL);
        double size = strtod(strstr(at, "font-size=\"") + 11, NULL);
        double width = strtod(strstr(at, "textLength=\"") + 12, NULL);
        found += count(p, rgb, (int)(2 * x - width), (int)(2 * y - 1.4 * size),
                       (int)(2 * x + width), (int)(2 * y));
        names++;
    }
    ck_assert_int_gt(names, 0);
    return found;
}

START_TEST(thumbnails_leave_names_and_classes_to_be_seen) {
    const uint32_t green = 0x33ff33;
    for (int type = 0; type < 2; type++) {
        int names[2], seen[2];
        for (int with = 0; with < 2; with++) {
            dlviz_tensor *map, *labels;
            make_map(3000, 5, &map, &labels);
            dlviz_figure *figure = figure_of(map, labels);
            uint32_t colors[5] = {0xc00000, 0xc00010, 0xc00020, 0xc00030, 0xc00040};
            ck_ok(dlviz_figure_set_class_colors(figure, 5, colors));
            ck_ok(dlviz_figure_set_class_marks(figure, true));
            dlviz_tensor *images = green_images(3000, type ? DLVIZ_UINT8 : DLVIZ_FLOAT32);
            if (with)
                ck_ok(dlviz_figure_set_thumbnails(figure, images));
            dlviz_tensor_destroy(images);
            ck_ok(dlviz_figure_write(figure, scratch_path("names.svg")));
            picture p = draw_and_destroy(figure);
            area frame = frame_of(&p);
            size_t size;
            char *svg = read_text(scratch_path("names.svg"), &size);
            ck_assert_int_eq(count_beneath_names(&p, svg, green), 0);
            free(svg);
            names[with] = seen[with] = 0;
            for (int class = 0; class < 5; class ++) {
                seen[with] += count_color(p.surface, dlz_color_of_rgb(colors[class]), 1, frame.left,
                                          frame.top, frame.right, frame.bottom);
                dlz_color name = dlz_color_mix(dlz_color_of_rgb(colors[class]),
                                               (dlz_color){0.13, 0.14, 0.16}, 0.6);
                names[with] += count_color(p.surface, name, 3, frame.left, frame.top, frame.right,
                                           frame.bottom);
            }
            if (with)
                ck_assert_int_gt(count_all(&p, green), 20 * 60 * 40);
            else
                ck_assert_int_eq(count_all(&p, green), 0);
            close_picture(&p);
        }
        ck_assert_int_gt(names[0], 100);
        ck_assert_int_ge(names[1], names[0]);
        ck_assert_double_gt(seen[1], 0.45 * seen[0]);
    }
}
END_TEST

START_TEST(thumbnails_show_the_image_of_their_point) {
    /* Two points far apart: a gray ramp from left to right, and one from top to bottom. */
    dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){2, 2});
    memcpy(dlviz_tensor_float(map), (float[]){0, 0, 1, 0.5F}, 4 * sizeof(float));
    dlviz_tensor *images = tensor_of(DLVIZ_FLOAT32, 3, (int64_t[]){2, 8, 8});
    for (int k = 0; k < 64; k++) {
        dlviz_tensor_float(images)[k] = (float)(k % 8) / 7;
        dlviz_tensor_float(images)[64 + k] = (float)(k / 8) / 7;
    }
    dlviz_figure *figure = figure_of(map, NULL);
    ck_ok(dlviz_figure_set_point_size(figure, 4));
    ck_ok(dlviz_figure_set_thumbnails(figure, images));
    picture p = draw_and_destroy(figure);
    area frame = frame_of(&p);
    for (int image = 0; image < 2; image++) {
        int from = image ? p.width / 2 : frame.left + 4, to = image ? frame.right - 4 : p.width / 2;
        double first = 0, last = 0; /* where black and white are, on the axis that changes */
        int blacks = 0, whites = 0;
        for (int y = frame.top + 4; y < frame.bottom - 4; y++)
            for (int x = from; x < to; x++) {
                uint32_t pixel = pixel_at(&p, x, y);
                if (pixel == 0) {
                    first += image ? y : x;
                    blacks++;
                } else if (pixel == 0xdbdbdb) { /* 6 of 7: white is the page's too */
                    last += image ? y : x;
                    whites++;
                }
            }
        ck_assert_int_gt(blacks, 300);
        ck_assert_int_gt(whites, 300);
        ck_assert_double_eq_tol(last / whites - first / blacks, 48, 3);
    }
    close_picture(&p);
    dlviz_tensor_destroy(images);
}
END_TEST

/* ---- SVG ------------------------------------------------------------------------------------- */

START_TEST(an_svg_has_no_square_without_length) {
    /* Square ends of lines without length: some readers draw nothing. */
    const char *path = scratch_path("map.svg");
    dlviz_figure *figure = figure_of(uniform_map(300, 2, 3), labels_of(300, 10));
    ck_ok(dlviz_figure_write(figure, path));
    dlviz_figure_destroy(figure);
    size_t size;
    int squares = 0;
    char *text = read_text(path, &size);
    for (const char *at = text; (at = strstr(at, "<path")); at++) {
        size_t length = strcspn(at, ">");
        char *element = calloc(length + 1, 1);
        memcpy(element, at, length);
        if (strstr(element, "stroke-linecap:square") || strstr(element, "linecap=\"square\"")) {
            squares++;
            ck_assert_ptr_null(strstr(element, "h0"));
            ck_assert_ptr_nonnull(strchr(element, 'L'));
        }
        free(element);
    }
    free(text);
    ck_assert_int_eq(squares, 4); /* those of two classes, and diamonds of two */
}
END_TEST

/* ---- All at once ----------------------------------------------------------------------------- */

START_TEST(everything_is_drawn_at_any_size_in_any_format) {
    static const char *const names[] = {"map.png", "map.svg", "map.pdf"};
    for (int columns = 1; columns <= 3; columns++)
        for (int size = 200; size <= 3200; size *= 4)
            for (int kind = 0; kind < 3; kind++) {
                const int64_t n = 300;
                dlviz_figure *figure = figure_of(uniform_map(n, columns, 3), labels_of(n, 130));
                dlviz_tensor *values = tensor_of(DLVIZ_FLOAT32, 1, &n);
                dlviz_tensor *images = green_images(n, DLVIZ_UINT8);
                dlviz_tensor *more = uniform_map(5, columns, 7);
                fill_uniform(dlviz_tensor_float(values), n, 2);
                if (kind > 0)
                    ck_ok(dlviz_figure_set_values(figure, values, "a name of some length"));
                ck_ok(dlviz_figure_set_thumbnails(figure, images));
                ck_ok(dlviz_figure_add_points(figure, "new", more, NULL));
                ck_ok(dlviz_figure_set_ticks(figure, kind == 2));
                ck_ok(dlviz_figure_set_class_marks(figure, true));
                ck_ok(dlviz_figure_set_axis_shares(figure, 3, (double[]){0.5, 0.2, 0.1}));
                if (size != 800)
                    ck_ok(dlviz_figure_set_size(figure, size, size == 3200 ? 200 : 2 * size));
                for (int f = 0; f < 3; f++)
                    ck_ok(dlviz_figure_write(figure, scratch_path(names[f])));
                dlviz_figure_destroy(figure);
                dlviz_tensor_destroy(values);
                dlviz_tensor_destroy(images);
                dlviz_tensor_destroy(more);
            }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_map_fills_its_frame,
                                  one_outlier_does_not_squeeze_the_map,
                                  two_clusters_far_apart_are_both_seen,
                                  a_map_of_one_column_is_a_strip,
                                  a_strip_of_one_value_is_a_stack,
                                  a_map_of_three_columns_has_three_panels,
                                  axes_tell_what_components_explain,
                                  points_in_one_place_are_told_of,
                                  a_legend_has_all_of_two_hundred_classes,
                                  names_of_forty_classes_cover_few_points,
                                  names_go_where_there_are_no_points,
                                  names_away_from_their_classes_have_lines_to_them,
                                  a_legend_has_the_largest_classes,
                                  classes_have_the_colors_and_markers_that_are_set,
                                  markers_give_way_where_points_are_tiny,
                                  class_names_come_with_the_one_line_call,
                                  values_have_colors_and_a_bar,
                                  values_lie_where_they_should_in_their_range,
                                  one_value_far_away_leaves_the_others_their_colors,
                                  added_points_have_outlines_and_a_name,
                                  thumbnails_leave_names_and_classes_to_be_seen,
                                  thumbnails_show_the_image_of_their_point,
                                  an_svg_has_no_square_without_length,
                                  everything_is_drawn_at_any_size_in_any_format,
                                  NULL};
    return run_tests("scatter", tests);
}
