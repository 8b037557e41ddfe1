/* Maps of points. */
#include "plot/draw.h"
#include "base/base.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_MARKS = 40, CHUNKS = 8, LARGEST_LEGEND_COLUMNS = 4 };

typedef struct scatter_view {
    const dlz_canvas *canvas;
    const dlviz_figure *figure;
    const dlz_scatter *scatter;
    int64_t sizes[DLZ_MAX_CLASSES]; /* points of each class */
    int classes;                    /* that have points; 0 without labels */
    dlz_box frame;
    dlz_axis x, y;
} scatter_view;

/* ---- Legend ---------------------------------------------------------------------------------- */

typedef struct legend {
    double size, pitch, name_width, column_width;
    int rows, columns; /* 0: left out */
} legend;

static void entry_name(const scatter_view *scene, int class, char text[160]) {
    char number[16];
    const char *name = dlz_class_name(scene->figure, class, number);
    size_t length = strnlen(name, 110);
    while (length > 0 && ((unsigned char)name[length] & 0xC0) == 0x80)
        length--;
    if (scene->scatter->counts)
        snprintf(text, 160, "%.*s  (%lld)", (int)length, name, (long long)scene->sizes[class]);
    else
        snprintf(text, 160, "%.*s", (int)length, name);
}

/* Tries smaller letters before it gives up: at most 30 % of the width may go to the legend. */
static legend plan_legend(const scatter_view *scene, double height) {
    static const double sizes[] = {13.5, 12, 10.5, 9};
    double most = 0.30 * scene->canvas->width;
    if (scene->classes == 0)
        return (legend){0};
    for (int i = 0; i < 4; i++) {
        legend plan = {.size = sizes[i], .pitch = (i == 0 ? 1.6 : 1.4) * sizes[i]};
        plan.rows = (int)floor(height / plan.pitch);
        if (plan.rows < 1)
            continue;
        plan.columns = (scene->classes + plan.rows - 1) / plan.rows;
        plan.rows = (scene->classes + plan.columns - 1) / plan.columns;
        for (int class = 0; class < DLZ_MAX_CLASSES; class ++) {
            char text[160];
            if (scene->sizes[class] == 0)
                continue;
            entry_name(scene, class, text);
            plan.name_width =
                fmax(plan.name_width, dlz_text_width(scene->canvas, text, plan.size, false));
        }
        plan.name_width = fmin(plan.name_width, 14 * plan.size);
        plan.column_width = plan.name_width + 2.2 * plan.size;
        if (plan.columns <= LARGEST_LEGEND_COLUMNS && plan.columns * plan.column_width <= most)
            return plan;
    }
    return (legend){0};
}

static void draw_legend(const scatter_view *scene, const legend *plan, double left) {
    int at = 0;
    for (int class = 0; class < DLZ_MAX_CLASSES; class ++) {
        if (scene->sizes[class] == 0)
            continue;
        double x = left + at / plan->rows * plan->column_width;
        double y = scene->frame.y + (at % plan->rows + 0.5) * plan->pitch;
        dlz_marker_path(scene->canvas, dlz_class_marker(class), x + 0.5 * plan->size, y,
                        0.75 * plan->size);
        dlz_set_colour(scene->canvas, dlz_class_colour(class), 1);
        cairo_fill(scene->canvas->cr);
        char text[160];
        entry_name(scene, class, text);
        dlz_text(scene->canvas, x + 1.35 * plan->size, y, text,
                 (dlz_style){.size = plan->size, .colour = dlz_ink, .most = plan->name_width});
        at++;
    }
}

/* ---- Axes ------------------------------------------------------------------------------------ */

/* One scale for both axes: the shorter range grows to fill the frame. */
static void fit_axes(scatter_view *scene) {
    const float *points = scene->scatter->points;
    double low[2] = {points[0], points[1]}, high[2] = {points[0], points[1]};
    for (int64_t i = 1; i < scene->scatter->n; i++)
        for (int k = 0; k < 2; k++)
            dlz_range_include(&low[k], &high[k], (double)points[2 * i + k]);
    double room[2] = {scene->frame.width, scene->frame.height}, scale = 0, largest = 0;
    for (int k = 0; k < 2; k++) {
        scale = fmax(scale, (high[k] - low[k]) / room[k]);
        largest = fmax(largest, fmax(fabs(low[k]), fabs(high[k])));
    }
    /* All points in one place, as far as a float can tell, still need a range. */
    if (scale * room[0] <= largest * 1e-7)
        scale = (largest > 0 ? largest * 0.1 : 1) / fmin(room[0], room[1]);
    dlz_axis *axes[2] = {&scene->x, &scene->y};
    for (int k = 0; k < 2; k++) {
        double middle = low[k] + (high[k] - low[k]) / 2, half = scale * room[k] / 2 * 1.07;
        *axes[k] = (dlz_axis){.low = middle - half, .high = middle + half};
        dlz_axis_place_ticks(axes[k], k == 0 ? 8 : 7, false);
    }
}

static double place_x(const scatter_view *scene, double value) {
    return scene->frame.x + scene->frame.width * dlz_axis_at(&scene->x, value);
}

static double place_y(const scatter_view *scene, double value) {
    return scene->frame.y + scene->frame.height * (1 - dlz_axis_at(&scene->y, value));
}

static double widest_tick(const scatter_view *scene) {
    double widest = 0;
    for (int i = 0; i < scene->y.count; i++)
        widest = fmax(widest, dlz_tick_width(scene->canvas, &scene->y.ticks[i], 12));
    return widest;
}

static void draw_ticks(const scatter_view *scene) {
    const dlz_box frame = scene->frame;
    for (int i = 0; i < scene->x.count; i++) {
        double x = place_x(scene, scene->x.ticks[i].value);
        dlz_stroke_line(scene->canvas, x, frame.y, x, frame.y + frame.height, dlz_line, 0.8);
        dlz_tick_text(scene->canvas, x, frame.y + frame.height + 11, &scene->x.ticks[i],
                      (dlz_style){.size = 12, .colour = dlz_soft_ink, .align = 0.5});
    }
    for (int i = 0; i < scene->y.count; i++) {
        double y = place_y(scene, scene->y.ticks[i].value);
        dlz_stroke_line(scene->canvas, frame.x, y, frame.x + frame.width, y, dlz_line, 0.8);
        dlz_tick_text(scene->canvas, frame.x - 6, y, &scene->y.ticks[i],
                      (dlz_style){.size = 12, .colour = dlz_soft_ink, .align = 1});
    }
}

/* ---- Points ---------------------------------------------------------------------------------- */

/* A fixed shuffle: neighbouring classes cover each other by chance and not by their order. */
static int64_t *drawing_order(int64_t n) {
    int64_t *order = dlz_alloc_array((uint64_t)n, sizeof *order);
    if (!order)
        return NULL;
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    dlz_random random = dlz_random_start(0, DLZ_STREAM_SHUFFLE);
    dlz_random_shuffle(&random, order, n);
    return order;
}

/* To a sixteenth of a point of the file: invisible, and half the digits in an SVG. */
static double snap(const scatter_view *scene, double v) {
    double grid = 8 * scene->canvas->unit;
    return round(v * grid) / grid;
}

static void draw_point(const scatter_view *scene, int64_t i, int class, double diameter) {
    const float *point = scene->scatter->points + 2 * i;
    double x = place_x(scene, point[0]), y = place_y(scene, point[1]);
    dlz_marker_path(scene->canvas, dlz_class_marker(class), x, y, diameter);
}

/* In a vector file, circles and squares are the ends of lines without length: a fifth of the bytes.
 * All points of a class in a chunk are one path. */
static bool is_line_end(int class) {
    return dlz_class_marker(class) == DLZ_MARKER_CIRCLE ||
           dlz_class_marker(class) == DLZ_MARKER_SQUARE;
}

static void add_to_path(const scatter_view *scene, int64_t i, int class, double diameter) {
    if (!is_line_end(class)) {
        draw_point(scene, i, class, diameter);
        return;
    }
    const float *point = scene->scatter->points + 2 * i;
    double x = snap(scene, place_x(scene, point[0])), y = snap(scene, place_y(scene, point[1]));
    cairo_move_to(scene->canvas->cr, x, y);
    cairo_line_to(scene->canvas->cr, x, y);
}

static void paint_path(const scatter_view *scene, int class, double diameter) {
    cairo_t *cr = scene->canvas->cr;
    if (!is_line_end(class)) {
        cairo_fill(cr);
        return;
    }
    bool square = dlz_class_marker(class) == DLZ_MARKER_SQUARE;
    cairo_set_line_cap(cr, square ? CAIRO_LINE_CAP_SQUARE : CAIRO_LINE_CAP_ROUND);
    cairo_set_line_width(cr, square ? DLZ_SQUARE_SIDE * diameter : diameter);
    cairo_stroke(cr);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_BUTT);
}

static dlz_colour point_colour(const scatter_view *scene, int class) {
    return scene->classes ? dlz_class_colour(class) : dlz_class_colour(0);
}

static void draw_chunks(const scatter_view *scene, const int64_t *order, double diameter,
                        double opacity) {
    int64_t n = scene->scatter->n, chunks = n > 1000 ? CHUNKS : 1;
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        int64_t first = n * chunk / chunks, last = n * (chunk + 1) / chunks;
        for (int class = 0; class < DLZ_MAX_CLASSES; class ++) {
            if (class > 0 && scene->sizes[class] == 0)
                continue;
            int64_t added = 0;
            for (int64_t k = first; k < last; k++) {
                int64_t i = order[k];
                if (scene->scatter->class && scene->scatter->class[i] != class)
                    continue;
                add_to_path(scene, i, class, diameter);
                added++;
            }
            dlz_set_colour(scene->canvas, point_colour(scene, class), opacity);
            if (added > 0)
                paint_path(scene, class, diameter);
        }
    }
}

static dlviz_status draw_points(const scatter_view *scene) {
    int64_t n = scene->scatter->n;
    double area = scene->frame.width * scene->frame.height;
    double diameter = scene->scatter->point_size / scene->canvas->unit;
    if (diameter == 0)
        diameter = fmin(fmax(sqrt(0.4 * area / (double)n), 1.1), 9);
    double opacity = scene->scatter->opacity;
    if (opacity == 0)
        opacity = fmin(fmax(1.1 - 0.1 * log10((double)n), 0.35), 0.9);
    int64_t *order = drawing_order(n);
    if (!order)
        return dlz_fail_memory("the order of points", (uint64_t)n * sizeof *order);
    if (scene->canvas->vector) {
        draw_chunks(scene, order, diameter, opacity);
    } else {
        for (int64_t k = 0; k < n; k++) {
            int class = scene->scatter->class ? scene->scatter->class[order[k]] : 0;
            dlz_set_colour(scene->canvas, point_colour(scene, class), opacity);
            draw_point(scene, order[k], class, diameter);
            cairo_fill(scene->canvas->cr);
        }
    }
    dlz_free(order);
    return DLVIZ_OK;
}

/* ---- Class names at medians ------------------------------------------------------------------ */

typedef struct mark {
    int class;
    double x, y, width, height;
} mark;

static int compare_floats(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

static double median(float *values, int64_t n) {
    qsort(values, (size_t)n, sizeof *values, compare_floats);
    return n % 2 ? values[n / 2] : values[n / 2 - 1] + (values[n / 2] - values[n / 2 - 1]) / 2;
}

/* Marks that overlap push each other apart, along the direction in which less is needed. */
static void separate(mark *marks, int count, dlz_box frame) {
    for (int round = 0; round < 60; round++)
        for (int i = 0; i < count; i++)
            for (int j = 0; j < i; j++) {
                mark *a = &marks[i], *b = &marks[j];
                double dx = a->x - b->x, dy = a->y - b->y;
                double over_x = (a->width + b->width) / 2 - fabs(dx);
                double over_y = (a->height + b->height) / 2 - fabs(dy);
                if (over_x <= 0 || over_y <= 0)
                    continue;
                double push_x = over_x < over_y ? copysign(over_x / 2, dx) : 0;
                double push_y = over_x < over_y ? 0 : copysign(over_y / 2, dy);
                a->x += push_x;
                a->y += push_y;
                b->x -= push_x;
                b->y -= push_y;
            }
    for (int i = 0; i < count; i++) {
        mark *m = &marks[i];
        m->x = fmin(fmax(m->x, frame.x + m->width / 2), frame.x + frame.width - m->width / 2);
        m->y = fmin(fmax(m->y, frame.y + m->height / 2), frame.y + frame.height - m->height / 2);
    }
}

static dlviz_status draw_marks(const scatter_view *scene) {
    int64_t n = scene->scatter->n;
    bool wanted =
        scene->scatter->marks == -1 ? scene->classes <= MOST_MARKS : scene->scatter->marks;
    if (scene->classes == 0 || !wanted)
        return DLVIZ_OK;
    float *values = dlz_alloc_array((uint64_t)n, sizeof *values);
    if (!values)
        return dlz_fail_memory("class medians", (uint64_t)n * sizeof *values);
    mark marks[DLZ_MAX_CLASSES];
    int count = 0;
    for (int class = 0; class < DLZ_MAX_CLASSES; class ++) {
        if (scene->sizes[class] == 0)
            continue;
        double middle[2];
        for (int k = 0; k < 2; k++) {
            int64_t found = 0;
            for (int64_t i = 0; i < n; i++)
                if (scene->scatter->class[i] == class)
                    values[found++] = scene->scatter->points[2 * i + k];
            middle[k] = median(values, found);
        }
        char number[16];
        const char *name = dlz_class_name(scene->figure, class, number);
        double size = strlen(name) <= 2 ? 19 : 14;
        marks[count++] =
            (mark){class, place_x(scene, middle[0]), place_y(scene, middle[1]),
                   fmin(dlz_text_width(scene->canvas, name, size, true), 130) + 5, 1.05 * size};
    }
    dlz_free(values);
    separate(marks, count, scene->frame);
    for (int i = 0; i < count; i++) {
        char number[16];
        const char *name = dlz_class_name(scene->figure, marks[i].class, number);
        dlz_colour dark = dlz_colour_mix(dlz_class_colour(marks[i].class), dlz_ink, 0.7);
        dlz_text(scene->canvas, marks[i].x, marks[i].y, name,
                 (dlz_style){.size = strlen(name) <= 2 ? 19 : 14,
                             .bold = true,
                             .colour = dark,
                             .align = 0.5,
                             .halo = 3,
                             .most = 130});
    }
    return DLVIZ_OK;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void count_classes(scatter_view *scene) {
    for (int64_t i = 0; scene->scatter->class && i < scene->scatter->n; i++)
        scene->sizes[scene->scatter->class[i]]++;
    for (int class = 0; class < DLZ_MAX_CLASSES; class ++)
        scene->classes += scene->sizes[class] > 0;
}

dlviz_status dlz_draw_scatter(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box) {
    scatter_view scene = {.canvas = canvas, .figure = figure, .scatter = &figure->of.scatter};
    count_classes(&scene);
    double below = (figure->x_label ? 22 : 0) + (scene.scatter->ticks ? 20 : 0);
    double left = figure->y_label ? 22 : 0;
    legend plan = plan_legend(&scene, box.height - below);
    bool left_out = scene.classes > 0 && plan.columns == 0;
    double right = plan.columns > 0 ? plan.columns * plan.column_width + 14 : 0;
    scene.frame = (dlz_box){box.x + left, box.y, fmax(box.width - left - right, 40),
                            fmax(box.height - below, 40)};
    fit_axes(&scene);
    if (scene.scatter->ticks) {
        /* Room for the widest number; the few ticks that the narrower frame changes are no wider.
         */
        double widest = widest_tick(&scene) + 10;
        left += widest;
        scene.frame.x += widest;
        scene.frame.width = fmax(scene.frame.width - widest, 40);
        fit_axes(&scene);
    }
    if (scene.scatter->ticks)
        draw_ticks(&scene);
    dlz_draw_axis_names(canvas, figure, scene.frame, below - 8, left - 8);
    cairo_save(canvas->cr);
    cairo_rectangle(canvas->cr, scene.frame.x, scene.frame.y, scene.frame.width,
                    scene.frame.height);
    cairo_clip(canvas->cr);
    dlviz_status status = draw_points(&scene);
    cairo_restore(canvas->cr);
    DLZ_TRY(status);
    dlz_stroke_box(canvas, scene.frame, dlz_colour_mix(dlz_line, dlz_ink, 0.25), 1);
    DLZ_TRY(draw_marks(&scene));
    if (plan.columns > 0)
        draw_legend(&scene, &plan, scene.frame.x + scene.frame.width + 14);
    if (left_out) {
        char note[80];
        snprintf(note, sizeof note, "%d classes; no room for their legend", scene.classes);
        dlz_text(canvas, scene.frame.x + scene.frame.width - 6, scene.frame.y + 11, note,
                 (dlz_style){.size = 11,
                             .colour = dlz_soft_ink,
                             .align = 1,
                             .halo = 2,
                             .most = scene.frame.width - 12});
    }
    return DLVIZ_OK;
}
