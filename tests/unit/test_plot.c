/* Figures as files: what is drawn. */
#include "support/figures.h"
#include "support/pixels.h"

#include <ctype.h>
#include <fontconfig/fontconfig.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int count_not_white(cairo_surface_t *surface, int left, int top, int right, int bottom) {
    return (right - left) * (bottom - top) -
           count_color(surface, (dlz_color){1, 1, 1}, 0, left, top, right, bottom);
}

/* Elements nest, attributes are quoted: enough to tell XML from something else. */
static void check_svg(const char *text) {
    char open[64][32];
    int depth = 0, elements = 0;
    for (const char *at = strchr(text, '<'); at; at = strchr(at, '<')) {
        at++;
        const char *end = strchr(at, '>');
        ck_assert_msg(end != NULL, "an element does not end");
        int quotes = 0;
        for (const char *c = at; c < end; c++)
            quotes += *c == '"';
        ck_assert_int_eq(quotes % 2, 0);
        if (*at != '?') {
            char name[32] = "";
            sscanf(at + (*at == '/'), "%31[a-zA-Z]", name);
            if (*at == '/')
                ck_assert_str_eq(open[--depth], name);
            else if (end[-1] != '/')
                strcpy(open[depth++], name);
            elements++;
        }
        at = end;
    }
    ck_assert_int_eq(depth, 0);
    ck_assert_int_gt(elements, 5);
}

/* ---- What is drawn --------------------------------------------------------------------------- */

START_TEST(a_map_shows_every_class_in_its_color) {
    dlviz_figure *figure = scatter_figure(2000, 10);
    ck_ok(dlviz_figure_set_opacity(figure, 1));
    const char *path = scratch_path("map.png");
    ck_ok(dlviz_figure_write(figure, path));
    dlviz_figure_destroy(figure);
    cairo_surface_t *surface = read_png(path, 1600, 1200);
    for (int class = 0; class < 10; class ++) {
        dlz_color color = dlz_class_color(class);
        int in_map = count_color(surface, color, 0, 50, 50, 1400, 1150);
        ck_assert_msg(in_map > 1000, "class %d: %d pixels", class, in_map);
        /* ... and in the legend, from the top down. */
        int top = 44 + (int)(43.2 * class);
        int in_legend = count_color(surface, color, 0, 1450, top, 1600, top + 43);
        ck_assert_msg(in_legend > 100, "class %d: %d pixels in the legend", class, in_legend);
    }
    cairo_surface_destroy(surface);
}
END_TEST

START_TEST(points_lie_where_they_should_at_one_scale) {
    /* Four corners of a rectangle, 3 to 1: the distances in pixels keep that ratio. */
    dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){4, 2});
    dlviz_tensor *labels = tensor_of(DLVIZ_UINT8, 1, (int64_t[]){4});
    memcpy(dlviz_tensor_float(map), (float[]){0, 0, 3, 0, 3, 1, 0, 1}, 8 * sizeof(float));
    memcpy(dlviz_tensor_data(labels), (uint8_t[]){0, 1, 2, 3}, 4);
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_scatter(&figure, map, labels));
    ck_ok(dlviz_figure_set_size(figure, 1200, 1600));
    ck_ok(dlviz_figure_set_opacity(figure, 1));
    ck_ok(dlviz_figure_set_point_size(figure, 30));
    ck_ok(dlviz_figure_set_class_marks(figure, false));
    const char *path = scratch_path("corners.png");
    ck_ok(dlviz_figure_write(figure, path));
    cairo_surface_t *surface = read_png(path, 1600, 1200);
    const unsigned char *data = cairo_image_surface_get_data(surface);
    int stride = cairo_image_surface_get_stride(surface);
    double x[4], y[4];
    for (int class = 0; class < 4; class ++) {
        dlz_color c = dlz_class_color(class);
        uint32_t wanted = (uint32_t)lround(255 * c.r) << 16 | (uint32_t)lround(255 * c.g) << 8 |
                          (uint32_t)lround(255 * c.b);
        double sum_x = 0, sum_y = 0, n = 0;
        for (int j = 0; j < 1200; j++)
            for (int i = 0; i < 1480; i++) {
                uint32_t pixel;
                memcpy(&pixel, data + j * stride + 4 * i, sizeof pixel);
                if ((pixel & 0xffffff) != wanted)
                    continue;
                sum_x += i;
                sum_y += j;
                n++;
            }
        ck_assert_double_gt(n, 500);
        x[class] = sum_x / n;
        y[class] = sum_y / n;
    }
    ck_assert_double_eq_tol(x[1] - x[0], x[2] - x[3], 1);
    ck_assert_double_eq_tol((x[1] - x[0]) / (y[0] - y[3]), 3, 0.01);
    ck_assert_double_gt(y[0], y[3]); /* up is up */
    cairo_surface_destroy(surface);
    dlviz_figure_destroy(figure);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
}
END_TEST

START_TEST(no_class_hides_another) {
    /* Two classes at random over the same square: both keep about half of the visible area, though
     * one comes after the other in the data. */
    const int64_t n = 20000;
    dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){n, 2});
    dlviz_tensor *labels = tensor_of(DLVIZ_UINT8, 1, &n);
    fill_uniform(dlviz_tensor_float(map), 2 * n, 9);
    for (int64_t i = n / 2; i < n; i++)
        ((uint8_t *)dlviz_tensor_data(labels))[i] = 2;
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_scatter(&figure, map, labels));
    ck_ok(dlviz_figure_set_size(figure, 1200, 1600));
    ck_ok(dlviz_figure_set_opacity(figure, 1));
    ck_ok(dlviz_figure_set_point_size(figure, 20));
    const char *path = scratch_path("mixed.png");
    ck_ok(dlviz_figure_write(figure, path));
    cairo_surface_t *surface = read_png(path, 1600, 1200);
    double a = count_color(surface, dlz_class_color(0), 2, 0, 0, 1450, 1200);
    double b = count_color(surface, dlz_class_color(2), 2, 0, 0, 1450, 1200);
    ck_assert_double_gt(a + b, 200000);
    ck_assert_double_eq_tol(a / (a + b), 0.5, 0.03);
    cairo_surface_destroy(surface);
    dlviz_figure_destroy(figure);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
}
END_TEST

/* Pixels of each class in a map of points with and without class names. */
static void count_with_and_without_names(dlviz_tensor *map, dlviz_tensor *labels, int classes,
                                         int (*counts)[2], int *names) {
    int others[2];
    for (int with = 0; with < 2; with++) {
        dlviz_figure *figure;
        ck_ok(dlviz_figure_create_scatter(&figure, map, labels));
        ck_ok(dlviz_figure_set_size(figure, 1200, 1600));
        ck_ok(dlviz_figure_set_opacity(figure, 1));
        ck_ok(dlviz_figure_set_class_marks(figure, with));
        ck_ok(dlviz_figure_write(figure, scratch_path("names.png")));
        dlviz_figure_destroy(figure);
        cairo_surface_t *surface = read_png(scratch_path("names.png"), 1600, 1200);
        others[with] = count_not_white(surface, 46, 46, 1300, 1150);
        for (int class = 0; class < classes; class ++) {
            counts[class][with] =
                count_color(surface, dlz_class_color(class), 1, 46, 46, 1300, 1150);
            others[with] -= counts[class][with];
        }
        cairo_surface_destroy(surface);
    }
    *names = others[1] - others[0];
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
}

START_TEST(names_hide_no_class) {
    /* A single point; a hundred points in one place; forty tight clusters, twenty points each; a
     * class of five points in the middle of one of 4,000. */
    const int64_t sizes[] = {1, 100, 800, 4005};
    const int classes[] = {1, 1, 40, 2};
    for (int kind = 0; kind < 4; kind++) {
        int64_t n = sizes[kind];
        dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){n, 2});
        dlviz_tensor *labels = tensor_of(DLVIZ_UINT8, 1, &n);
        float *points = dlviz_tensor_float(map);
        uint8_t *label = dlviz_tensor_data(labels);
        if (kind >= 2)
            fill_uniform(points, 2 * n, 4);
        for (int64_t i = 0; kind == 2 && i < n; i++) {
            label[i] = (uint8_t)(i / 20);
            points[2 * i] = 0.2F * points[2 * i] + (float)(10 * (label[i] % 8));
            points[2 * i + 1] = 0.2F * points[2 * i + 1] + (float)(10 * (label[i] / 8));
        }
        for (int64_t i = 4000; kind == 3 && i < n; i++) {
            label[i] = 1;
            points[2 * i] *= 0.02F;
            points[2 * i + 1] *= 0.02F;
        }
        int counts[40][2], names;
        count_with_and_without_names(map, labels, classes[kind], counts, &names);
        ck_assert_msg(names > 100 * classes[kind], "%d pixels of names", names);
        for (int class = 0; class < classes[kind]; class ++)
            ck_assert_msg(counts[class][0] > 30 && counts[class][1] > 0.7 * counts[class][0],
                          "kind %d, class %d: %d of %d pixels", kind, class, counts[class][1],
                          counts[class][0]);
    }
}
END_TEST

START_TEST(a_name_lies_on_a_large_class) {
    /* ... in its middle, where it covers what a class can spare. */
    const int64_t n = 4000;
    dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){n, 2});
    dlviz_tensor *labels = tensor_of(DLVIZ_UINT8, 1, &n);
    fill_uniform(dlviz_tensor_float(map), 2 * n, 4);
    int counts[1][2], names;
    count_with_and_without_names(map, labels, 1, counts, &names);
    ck_assert_int_gt(counts[0][0] - counts[0][1], 50);
    ck_assert_int_lt(counts[0][0] - counts[0][1], counts[0][0] / 10);
}
END_TEST

START_TEST(points_without_a_class_are_gray_and_beneath) {
    /* Two points a place: one with a class, and after it one without. */
    const int64_t n = 400;
    dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){n, 2});
    dlviz_tensor *labels = tensor_of(DLVIZ_INT64, 1, &n);
    float *points = dlviz_tensor_float(map);
    fill_uniform(points, 2 * n, 8);
    memcpy(points + n / 2, points, (size_t)n / 2 * sizeof *points);
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)dlviz_tensor_data(labels))[i] = i < n / 4 ? 2 : -1;
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_scatter(&figure, map, labels));
    ck_ok(dlviz_figure_set_size(figure, 1200, 1600));
    ck_ok(dlviz_figure_set_opacity(figure, 1));
    ck_ok(dlviz_figure_set_class_marks(figure, false));
    for (int all = 0; all < 2; all++) {
        const char *path = scratch_path(all ? "all.svg" : "all.png");
        ck_ok(dlviz_figure_write(figure, path));
    }
    cairo_surface_t *surface = read_png(scratch_path("all.png"), 1600, 1200);
    /* A hundred discs of a diameter of 18 pixels, few of which meet. */
    int seen = count_color(surface, dlz_class_color(2), 2, 46, 46, 1370, 1150);
    ck_assert_int_gt(seen, 17000);
    int gray = count_not_white(surface, 46, 46, 1370, 1150) - seen;
    ck_assert_int_gt(gray, 20000);
    /* The legend has the class, then those without. */
    ck_assert_int_gt(count_color(surface, dlz_class_color(2), 0, 1380, 44, 1600, 87), 100);
    ck_assert_int_gt(count_not_white(surface, 1380, 90, 1600, 130), 100);
    cairo_surface_destroy(surface);
    dlviz_figure_destroy(figure);
    /* None has a class: no names, and nothing of any class's color. */
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)dlviz_tensor_data(labels))[i] = -1;
    ck_ok(dlviz_figure_create_scatter(&figure, map, labels));
    ck_ok(dlviz_figure_set_size(figure, 1200, 1600));
    ck_ok(dlviz_figure_write(figure, scratch_path("none.png")));
    dlviz_figure_destroy(figure);
    surface = read_png(scratch_path("none.png"), 1600, 1200);
    for (int class = 0; class < 10; class ++)
        ck_assert_int_eq(count_color(surface, dlz_class_color(class), 2, 46, 46, 1600, 1150), 0);
    cairo_surface_destroy(surface);
    dlviz_tensor_destroy(map);
    dlviz_tensor_destroy(labels);
}
END_TEST

/* The size of a map of ten thousand points as SVG, with the markers of every figure or circles. */
static size_t size_of_svg(bool circles) {
    static const char *names[] = {"comma"};
    static const dlviz_marker markers[10] = {
        DLVIZ_MARKER_CIRCLE, DLVIZ_MARKER_CIRCLE, DLVIZ_MARKER_CIRCLE, DLVIZ_MARKER_CIRCLE,
        DLVIZ_MARKER_CIRCLE, DLVIZ_MARKER_CIRCLE, DLVIZ_MARKER_CIRCLE, DLVIZ_MARKER_CIRCLE,
        DLVIZ_MARKER_CIRCLE, DLVIZ_MARKER_CIRCLE};
    dlviz_figure *figure = scatter_figure(10000, 10);
    ck_ok(dlviz_figure_set_title(figure, "Ten thousand points"));
    ck_ok(dlviz_figure_set_ticks(figure, true));
    ck_ok(dlviz_figure_set_class_names(figure, 1, names));
    ck_ok(dlviz_figure_set_class_markers(figure, circles ? 10 : 0, markers));
    ck_ok(dlviz_figure_set_size(figure, 777, 1111));
    const char *path = scratch_path("map.svg");
    ck_ok(dlviz_figure_write(figure, path));
    dlviz_figure_destroy(figure);
    size_t size;
    char *text = read_text(path, &size);
    check_svg(text);
    /* All the points are there, those that are no circles as lines or corners, and no number has a
     * comma. */
    int dots = 0;
    for (const char *at = text; (at = strstr(at, "h0")); at++)
        dots += isdigit((unsigned char)at[-1]) != 0;
    ck_assert_int_eq(dots, circles ? 10000 : 2000);
    for (const char *at = text; (at = strstr(at, " d=\"")); at += 4)
        ck_assert_ptr_null(memchr(at + 4, ',', strcspn(at + 4, "\"")));
    ck_assert_ptr_nonnull(strstr(text, "width=\"555.5pt\""));
    free(text);
    return size;
}

START_TEST(an_svg_of_ten_thousand_points_is_small) {
    ck_assert_uint_lt(size_of_svg(true), 400 * 1000);
    ck_assert_uint_lt(size_of_svg(false), 550 * 1000);
}
END_TEST

START_TEST(equal_figures_are_equal_files) {
    static const char *const endings[] = {"png", "svg", "pdf"};
    for (int kind = 0; kind < 5; kind++)
        for (int e = 0; e < 3; e++) {
            char *text[2];
            size_t size[2];
            for (int turn = 0; turn < 2; turn++) {
                dlviz_figure *figure = kind == 0   ? scatter_figure(1500, 12)
                                       : kind == 1 ? curves_figure(20)
                                       : kind == 2 ? matrix_figure(7)
                                       : kind == 3 ? images_figure(4, (int64_t[]){5, 1, 3, 3})
                                                   : heat_maps_figure(5);
                ck_ok(dlviz_figure_set_size(figure, 300, 400));
                ck_ok(dlviz_figure_set_title(figure, "Same · again"));
                char name[20];
                snprintf(name, sizeof name, "same.%s", endings[e]);
                ck_ok(dlviz_figure_write(figure, scratch_path(name)));
                text[turn] = read_text(scratch_path(name), &size[turn]);
                dlviz_figure_destroy(figure);
                if (e == 2 && turn == 0)
                    sleep(1); /* a date would show */
            }
            ck_assert_uint_eq(size[0], size[1]);
            ck_assert_msg(memcmp(text[0], text[1], size[0]) == 0, "figure %d as %s differs", kind,
                          endings[e]);
            if (e == 1)
                check_svg(text[0]);
            if (e == 2)
                ck_assert_int_eq(strncmp(text[0], "%PDF-", 5), 0);
            free(text[0]);
            free(text[1]);
        }
}
END_TEST

START_TEST(curves_work_from_one_epoch_on) {
    for (int64_t epochs = 1; epochs <= 21; epochs += 20) {
        dlviz_figure *figure = curves_figure(epochs);
        const char *path = scratch_path("curves.png");
        ck_ok(dlviz_figure_write(figure, path));
        cairo_surface_t *surface = read_png(path, 1600, 1200);
        for (int curve = 0; curve < 3; curve++)
            ck_assert_int_gt(count_color(surface, dlz_class_color(curve), 2, 120, 30, 1240, 1150),
                             80);
        cairo_surface_destroy(surface);
        dlviz_figure_destroy(figure);
    }
}
END_TEST

START_TEST(curves_that_diverge_are_drawn_as_far_as_they_go) {
    double y[3] = {1, NAN, INFINITY}, none[2] = {NAN, -1};
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_curves(&figure));
    ck_ok(dlviz_figure_add_curve(figure, "loss", "training", 3, NULL, y));
    ck_ok(dlviz_figure_add_curve(figure, "rate", "rate", 2, NULL, none));
    ck_ok(dlviz_figure_set_log_scale(figure, "rate", true));
    const char *path = scratch_path("diverged.png");
    ck_ok(dlviz_figure_write(figure, path));
    cairo_surface_t *surface = read_png(path, 1600, 1200);
    ck_assert_int_gt(count_color(surface, dlz_class_color(0), 2, 120, 30, 1240, 1150), 40);
    cairo_surface_destroy(surface);
    dlviz_figure_destroy(figure);
}
END_TEST

START_TEST(a_matrix_colors_shares_of_rows) {
    dlviz_tensor *counts = tensor_of(DLVIZ_INT64, 2, (int64_t[]){2, 2});
    memcpy(dlviz_tensor_data(counts), (int64_t[]){30, 10, 0, 4000000000}, 4 * sizeof(int64_t));
    const char *path = scratch_path("matrix.png");
    ck_ok(dlviz_plot_matrix(counts, NULL, path));
    cairo_surface_t *surface = read_png(path, 1600, 1200);
    const double shares[3] = {0.75, 0.25, 1};
    for (int i = 0; i < 3; i++) {
        dlz_color color = dlz_colormap_at(DLVIZ_COLORMAP_BLUES, cbrt(shares[i]));
        ck_assert_int_gt(count_color(surface, color, 1, 0, 0, 1200, 1200), 100000);
    }
    cairo_surface_destroy(surface);
    dlviz_tensor_destroy(counts);
}
END_TEST

START_TEST(images_keep_their_pixels_sharp) {
    /* A filter of three values: exactly three colors besides the page, in equal parts. */
    dlviz_tensor *images = tensor_of(DLVIZ_FLOAT32, 4, (int64_t[]){1, 1, 1, 3});
    memcpy(dlviz_tensor_float(images), (float[]){-2, 0, 2}, 3 * sizeof(float));
    dlviz_figure *figure;
    ck_ok(dlviz_figure_create_images(&figure, images));
    ck_ok(dlviz_figure_set_shared_range(figure, false)); /* no bar, which has many colors */
    ck_ok(dlviz_figure_set_size(figure, 300, 400));
    const char *path = scratch_path("filter.png");
    ck_ok(dlviz_figure_write(figure, path));
    cairo_surface_t *surface = read_png(path, 400, 300);
    int parts[3], all = count_not_white(surface, 0, 0, 400, 300);
    for (int i = 0; i < 3; i++)
        parts[i] = count_color(surface, dlz_colormap_at(DLVIZ_COLORMAP_DIVERGING, i / 2.0), 0, 0, 0,
                               400, 300);
    ck_assert_int_gt(parts[0], 100);
    ck_assert_int_eq(parts[0], parts[1]);
    ck_assert_int_eq(parts[0], parts[2]);
    ck_assert_int_eq(parts[0] + parts[1] + parts[2], all);
    cairo_surface_destroy(surface);
    dlviz_figure_destroy(figure);
    dlviz_tensor_destroy(images);
}
END_TEST

START_TEST(rgb_images_and_sizes_that_hardly_fit) {
    const int64_t shapes[][4] = {{6, 3, 32, 32}, {1, 3, 1, 5000}, {1, 3, 5000, 1}, {1365, 3, 2, 2}};
    for (int i = 0; i < 4; i++) {
        dlviz_figure *figure = images_figure(4, shapes[i]);
        ck_ok(dlviz_figure_write(figure, scratch_path("grid.png")));
        ck_ok(dlviz_figure_set_colormap(figure, DLVIZ_COLORMAP_RGB));
        ck_ok(dlviz_figure_set_num_columns(figure, 1));
        ck_ok(dlviz_figure_set_size(figure, 200, 200));
        ck_ok(dlviz_figure_write(figure, scratch_path("grid.png")));
        cairo_surface_destroy(read_png(scratch_path("grid.png"), 200, 200));
        dlviz_figure_destroy(figure);
    }
}
END_TEST

START_TEST(text_stays_inside_the_page) {
    char title[4000] = "", word[3000];
    memset(word, 'W', sizeof word - 1);
    word[sizeof word - 1] = '\0';
    for (int i = 0; i < 100; i++)
        strcat(title, "Überlänge 図 des Titels\n");
    const char *texts[] = {title, word, "two\nlines"};
    for (int t = 0; t < 3; t++)
        for (int kind = 0; kind < 3; kind++) {
            dlviz_figure *figure = kind == 0   ? scatter_figure(300, 10)
                                   : kind == 1 ? curves_figure(5)
                                               : matrix_figure(10);
            const char *names[10];
            for (int i = 0; i < 10; i++)
                names[i] = texts[t];
            ck_ok(dlviz_figure_set_title(figure, texts[t]));
            ck_ok(dlviz_figure_set_subtitle(figure, texts[t]));
            ck_ok(dlviz_figure_set_footnote(figure, texts[t]));
            if (kind == 1)
                ck_ok(
                    dlviz_figure_add_curve(figure, texts[t], texts[t], 2, NULL, (double[]){1, 2}));
            else
                ck_ok(dlviz_figure_set_class_names(figure, 10, names));
            ck_ok(dlviz_figure_set_axis_labels(figure, texts[t], kind == 1 ? NULL : texts[t]));
            const char *path = scratch_path("text.png");
            ck_ok(dlviz_figure_write(figure, path));
            cairo_surface_t *surface = read_png(path, 1600, 1200);
            ck_assert_int_eq(count_not_white(surface, 0, 0, 1600, 8), 0);
            ck_assert_int_eq(count_not_white(surface, 0, 1192, 1600, 1200), 0);
            ck_assert_int_eq(count_not_white(surface, 0, 0, 8, 1200), 0);
            ck_assert_int_eq(count_not_white(surface, 1592, 0, 1600, 1200), 0);
            cairo_surface_destroy(surface);
            dlviz_figure_destroy(figure);
        }
}
END_TEST

START_TEST(many_classes_and_few_points_are_fine) {
    const int classes[] = {1, 11, 25, 41, 120, 256};
    for (int i = 0; i < 6; i++)
        for (int64_t n = 1; n <= 3000; n = n == 1 ? 2 : n + 2998) {
            dlviz_figure *figure = scatter_figure(n, classes[i]);
            ck_ok(dlviz_figure_set_class_counts(figure, true));
            ck_ok(dlviz_figure_set_ticks(figure, true));
            ck_ok(dlviz_figure_set_size(figure, 200, 200 + 100 * i));
            ck_ok(dlviz_figure_write(figure, scratch_path("classes.png")));
            ck_ok(dlviz_figure_write(figure, scratch_path("classes.svg")));
            dlviz_figure_destroy(figure);
        }
    /* All points in one place, near and far from the origin. */
    const float places[] = {0, 1, 1e30f, -3e38f, 1e-40f};
    for (int i = 0; i < 5; i++) {
        dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){3, 2});
        for (int k = 0; k < 6; k++)
            dlviz_tensor_float(map)[k] = places[i];
        ck_ok(dlviz_plot_scatter(map, NULL, 0, NULL, NULL, scratch_path("place.png")));
        dlviz_tensor_float(map)[0] = 3e38f;
        ck_ok(dlviz_plot_scatter(map, NULL, 0, NULL, NULL, scratch_path("place.png")));
        dlviz_tensor_destroy(map);
    }
}
END_TEST

/* Labels as large as a dataset's; the legend shows those it has room for, and its last line counts
 * the others. */
START_TEST(thousands_of_classes_are_drawn) {
    const int64_t n = 20000, far = (1 << 24) - 1;
    const dlz_color first = dlz_class_color(0), color = dlz_class_color((int)far);
    for (int64_t classes = 300; classes <= n; classes = classes == 300 ? 5000 : 4 * classes) {
        dlviz_tensor *map = tensor_of(DLVIZ_FLOAT32, 2, (int64_t[]){n, 2});
        dlviz_tensor *labels = tensor_of(DLVIZ_INT64, 1, &n);
        int64_t *label = dlviz_tensor_data(labels);
        fill_uniform(dlviz_tensor_float(map), 2 * n, 3);
        for (int64_t i = 0; i < n; i++)
            label[i] = i % 10 == 9 ? -100 : far - 120 * (i % classes);
        dlviz_figure *figure;
        ck_ok(dlviz_figure_create_scatter(&figure, map, labels));
        ck_ok(dlviz_figure_set_size(figure, 1200, 1600));
        ck_ok(dlviz_figure_set_opacity(figure, 1));
        for (int marks = 0; marks < (classes == 5000 ? 2 : 1); marks++) {
            ck_ok(dlviz_figure_set_class_marks(figure, marks));
            ck_ok(dlviz_figure_set_class_counts(figure, marks));
            ck_ok(dlviz_figure_write(figure, scratch_path("many.png")));
            if (!marks)
                ck_ok(dlviz_figure_write(figure, scratch_path("many.svg")));
            cairo_surface_t *surface = read_png(scratch_path("many.png"), 1600, 1200);
            /* All labels are 120 apart: one color, in the map and in the legend to its right. */
            ck_assert_int_gt(count_color(surface, color, 0, 0, 0, 900, 1200), 20000);
            ck_assert_int_eq(count_color(surface, first, 0, 0, 0, 1600, 1200), 0);
            ck_assert_int_gt(count_color(surface, color, 0, 1200, 0, 1600, 1200), 500);
            /* The last column's last line has words and no marker. */
            int left = 1599, bottom = 1199;
            while (count_color(surface, color, 0, left, 44, left + 1, 1190) == 0)
                left--;
            ck_assert_int_gt(left, 1200);
            while (count_not_white(surface, left - 8, bottom, 1590, bottom + 1) == 0)
                bottom--;
            ck_assert_int_eq(
                count_color(surface, color, 0, left - 8, bottom - 12, 1600, bottom + 1), 0);
            ck_assert_int_gt(count_not_white(surface, left, bottom - 12, 1590, bottom + 1), 100);
            cairo_surface_destroy(surface);
        }
        dlviz_figure_destroy(figure);
        dlviz_tensor_destroy(map);
        dlviz_tensor_destroy(labels);
    }
}
END_TEST

/* Never in silence without the words. */
START_TEST(a_machine_without_fonts_says_so) {
    FcConfig *fonts = FcConfigReference(NULL), *none = FcConfigCreate();
    ck_assert(FcConfigSetCurrent(none));
    dlviz_figure *figures[] = {scatter_figure(100, 10), curves_figure(3), matrix_figure(4),
                               images_figure(3, (int64_t[]){4, 5, 5})};
    static const char *const names[] = {"nofont.png", "nofont.svg", "nofont.pdf"};
    for (int i = 0; i < 4; i++) {
        for (int k = 0; k < 3; k++) {
            ck_fails(dlviz_figure_write(figures[i], scratch_path(names[k])),
                     DLVIZ_ERROR_UNSUPPORTED, "no font is installed");
            ck_assert_int_ne(access(scratch_path(names[k]), F_OK), 0);
        }
        dlviz_figure_destroy(figures[i]);
    }
    ck_assert(FcConfigSetCurrent(fonts));
    FcConfigDestroy(fonts);
    FcConfigDestroy(none);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {a_map_shows_every_class_in_its_color,
                                  points_lie_where_they_should_at_one_scale,
                                  no_class_hides_another,
                                  names_hide_no_class,
                                  a_name_lies_on_a_large_class,
                                  points_without_a_class_are_gray_and_beneath,
                                  an_svg_of_ten_thousand_points_is_small,
                                  equal_figures_are_equal_files,
                                  curves_work_from_one_epoch_on,
                                  curves_that_diverge_are_drawn_as_far_as_they_go,
                                  a_matrix_colors_shares_of_rows,
                                  images_keep_their_pixels_sharp,
                                  rgb_images_and_sizes_that_hardly_fit,
                                  text_stays_inside_the_page,
                                  many_classes_and_few_points_are_fine,
                                  thousands_of_classes_are_drawn,
                                  a_machine_without_fonts_says_so,
                                  NULL};
    return run_tests("plot", tests);
}
