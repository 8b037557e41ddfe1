/* Confusion matrices. */
#include "plot/draw.h"
#include "base/base.h"

#include <math.h>
#include <stdio.h>

typedef struct matrix_view {
    const dlz_canvas *canvas;
    const dlviz_figure *figure;
    const int64_t *counts;
    int classes;
    dlviz_colormap map;
    dlz_box frame;
    double cell;
} matrix_view;

static double row_sum(const matrix_view *scene, int row) {
    double sum = 0;
    for (int column = 0; column < scene->classes; column++)
        sum += (double)scene->counts[row * scene->classes + column];
    return sum;
}

/* The cube root makes one error in a thousand visible beside the diagonal. */
static dlz_color share_color(const matrix_view *scene, double share) {
    return dlz_colormap_at(scene->map, cbrt(share));
}

static const char *count_text(char text[DLZ_NUMBER_SIZE], int64_t count) {
    if (count < 1000000)
        snprintf(text, DLZ_NUMBER_SIZE, "%lld", (long long)count);
    else
        dlz_number(text, (double)count, 3);
    return text;
}

/* The size at which the widest count fits its cell; 0 when that would be too small to read. */
static double count_size(const matrix_view *scene) {
    double size = fmin(15, 0.5 * scene->cell), widest = 0;
    for (int i = 0; i < scene->classes * scene->classes; i++) {
        char text[DLZ_NUMBER_SIZE];
        widest = fmax(
            widest, dlz_text_width(scene->canvas, count_text(text, scene->counts[i]), size, false));
    }
    if (widest > 0.86 * scene->cell)
        size *= 0.86 * scene->cell / widest;
    return size >= 5 ? size : 0;
}

static void draw_cells(const matrix_view *scene) {
    double size = count_size(scene);
    /* Cells meet without a gap and without the seams that antialiased edges leave: no antialiasing.
     */
    cairo_set_antialias(scene->canvas->cr, CAIRO_ANTIALIAS_NONE);
    dlz_fill_box(scene->canvas, scene->frame, share_color(scene, 0));
    for (int row = 0; row < scene->classes; row++) {
        double sum = row_sum(scene, row);
        for (int column = 0; column < scene->classes; column++) {
            double count = (double)scene->counts[row * scene->classes + column];
            if (count > 0)
                dlz_fill_box(scene->canvas,
                             (dlz_box){scene->frame.x + column * scene->cell,
                                       scene->frame.y + row * scene->cell, scene->cell,
                                       scene->cell},
                             share_color(scene, sum > 0 ? count / sum : 0));
        }
    }
    cairo_set_antialias(scene->canvas->cr, CAIRO_ANTIALIAS_DEFAULT);
    if (scene->cell > 12)
        for (int i = 1; i < scene->classes; i++) {
            double at = i * scene->cell;
            dlz_stroke_line(scene->canvas, scene->frame.x + at, scene->frame.y, scene->frame.x + at,
                            scene->frame.y + scene->frame.height, dlz_line, 0.6);
            dlz_stroke_line(scene->canvas, scene->frame.x, scene->frame.y + at,
                            scene->frame.x + scene->frame.width, scene->frame.y + at, dlz_line,
                            0.6);
        }
    dlz_stroke_box(scene->canvas, scene->frame, dlz_color_mix(dlz_line, dlz_ink, 0.25), 1);
    for (int i = 0; size > 0 && i < scene->classes * scene->classes; i++) {
        int row = i / scene->classes, column = i % scene->classes;
        double sum = row_sum(scene, row);
        dlz_color cell = share_color(scene, sum > 0 ? (double)scene->counts[i] / sum : 0);
        bool dark = dlz_luminance(cell) < 0.3;
        /* Zeros keep out of the way of the errors. */
        dlz_color ink = dark ? dlz_paper : dlz_ink;
        if (scene->counts[i] == 0)
            ink = dlz_color_mix(cell, ink, 0.3);
        char text[DLZ_NUMBER_SIZE];
        dlz_text(scene->canvas, scene->frame.x + (column + 0.5) * scene->cell,
                 scene->frame.y + (row + 0.5) * scene->cell, count_text(text, scene->counts[i]),
                 (dlz_style){.size = size, .color = ink, .align = 0.5});
    }
}

static double widest_name(const matrix_view *scene, double size) {
    double widest = 0;
    for (int i = 0; i < scene->classes; i++) {
        char number[16];
        widest =
            fmax(widest, dlz_text_width(scene->canvas, dlz_class_name(scene->figure, i, number),
                                        size, false));
    }
    return widest;
}

static double name_size(double cell) {
    return fmin(13.5, fmax(0.8 * cell, 8));
}

/* Every how many classes a name fits along the axis. */
static int name_stride(double cell) {
    static const int strides[] = {1, 2, 5, 10, 20, 50};
    double least = 1.1 * name_size(cell) / cell;
    int i = 0;
    while (i < 5 && strides[i] < least)
        i++;
    return strides[i];
}

static void draw_names(const matrix_view *scene, bool upright, double most) {
    double size = name_size(scene->cell);
    int stride = name_stride(scene->cell);
    for (int i = 0; i < scene->classes; i += stride) {
        char number[16];
        const char *name = dlz_class_name(scene->figure, i, number);
        double at = (i + 0.5) * scene->cell;
        dlz_style style = {.size = size, .color = dlz_ink, .align = 1, .most = most};
        dlz_text(scene->canvas, scene->frame.x - 7, scene->frame.y + at, name, style);
        style.align = upright ? 1 : 0.5;
        style.turn = upright ? -M_PI / 2 : 0;
        dlz_text(scene->canvas, scene->frame.x + at,
                 scene->frame.y + scene->frame.height + (upright ? 7 : 12), name, style);
    }
}

/* The share of each row that lies on the diagonal. */
static void draw_recalls(const matrix_view *scene, double left) {
    double size = fmin(12, name_size(scene->cell));
    int stride = name_stride(scene->cell);
    dlz_text(scene->canvas, left, scene->frame.y - 9, "recall",
             (dlz_style){.size = 12, .color = dlz_soft_ink});
    for (int i = 0; i < scene->classes; i += stride) {
        double sum = row_sum(scene, i);
        /* Hundredths of a percent; what is not all never rounds up to it. */
        double right = (double)scene->counts[i * scene->classes + i];
        int hundredths = sum > 0 ? (int)lround(10000 * right / sum) : 0;
        if (right < sum && hundredths == 10000)
            hundredths = 9999;
        char text[32];
        snprintf(text, sizeof text, "%d.%02d %%", hundredths / 100, hundredths % 100);
        dlz_text(scene->canvas, left, scene->frame.y + (i + 0.5) * scene->cell,
                 sum > 0 ? text : "\xE2\x80\x93", (dlz_style){.size = size, .color = dlz_soft_ink});
    }
}

static void draw_color_bar(const matrix_view *scene, double left) {
    static const double shares[] = {0, 0.001, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1};
    dlz_box bar = {left, scene->frame.y, 15, scene->frame.height};
    dlz_draw_color_bar(scene->canvas, bar, scene->map);
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++) {
        double y = bar.y + bar.height * (1 - cbrt(shares[i]));
        char text[DLZ_NUMBER_SIZE + 8], number[DLZ_NUMBER_SIZE];
        snprintf(text, sizeof text, "%s %%", dlz_number(number, 100 * shares[i], 3));
        dlz_stroke_line(scene->canvas, bar.x + bar.width, y, bar.x + bar.width + 4, y, dlz_soft_ink,
                        0.8);
        dlz_text(scene->canvas, bar.x + bar.width + 8, y, text,
                 (dlz_style){.size = 12, .color = dlz_soft_ink});
    }
    dlz_text(scene->canvas, bar.x + bar.width + 54, bar.y + bar.height / 2, "share of the row",
             (dlz_style){.size = 12, .color = dlz_soft_ink, .align = 0.5, .turn = M_PI / 2});
}

dlviz_status dlz_draw_matrix(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box) {
    matrix_view scene = {.canvas = canvas,
                         .figure = figure,
                         .counts = figure->of.matrix.counts,
                         .classes = figure->of.matrix.classes,
                         .map = figure->colormap == DLVIZ_COLORMAP_AUTO ? DLVIZ_COLORMAP_BLUES
                                                                        : figure->colormap};
    const double right = 158, above = 18;
    double most = 0.2 * fmin(box.width, box.height);
    double x_name = figure->x_label ? 22 : 0, y_name = figure->y_label ? 22 : 0;
    double wide = fmin(widest_name(&scene, name_size(box.height / scene.classes)), most);
    double room = fmin(box.width - right - y_name - wide - 9, box.height - above - x_name - 22);
    /* Names too wide for a cell stand upright below the matrix, which then has less room. */
    bool upright = wide > 0.9 * room / scene.classes * name_stride(room / scene.classes);
    if (upright)
        room = fmin(room, box.height - above - x_name - wide - 12);
    room = fmax(room, 40);
    scene.cell = room / scene.classes;
    double left = y_name + wide + 9, total = left + room + right;
    scene.frame =
        (dlz_box){box.x + left + fmax(0, (box.width - total) / 2), box.y + above, room, room};
    draw_cells(&scene);
    draw_names(&scene, upright, most);
    dlz_draw_axis_names(canvas, figure, scene.frame, (upright ? wide + 12 : 22) + 11,
                        wide + 9 + 12);
    draw_recalls(&scene, scene.frame.x + room + 10);
    draw_color_bar(&scene, scene.frame.x + room + 76);
    return DLVIZ_OK;
}
