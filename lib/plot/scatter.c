/* Maps of points. */
#include "plot/scatter.h"
#include "base/base.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { CHUNKS = 8, LARGEST_LEGEND_COLUMNS = 4 };

typedef dlz_scatter_view scatter_view;

/* ---- What a point looks like ------------------------------------------------------------------
 */

static dlz_color point_color(int class) {
    return class == DLZ_NO_CLASS ? dlz_color_mix(dlz_line, dlz_soft_ink, 0.2)
                                 : dlz_class_color(class);
}

static dlz_marker point_marker(int class) {
    return class == DLZ_NO_CLASS ? DLZ_MARKER_CIRCLE : dlz_class_marker(class);
}

/* ---- Legend ---------------------------------------------------------------------------------- */

typedef struct legend {
    double size, pitch, name_width, column_width;
    int rows, columns; /* 0: left out */
} legend;

static int64_t entry_size(const scatter_view *scene, int class) {
    return class == DLZ_NO_CLASS ? scene->without : scene->sizes[class];
}

static void entry_name(const scatter_view *scene, int class, char text[160]) {
    char number[16];
    const char *name = class == DLZ_NO_CLASS ? "-1" : dlz_class_name(scene->figure, class, number);
    size_t length = strnlen(name, 110);
    while (length > 0 && ((unsigned char)name[length] & 0xC0) == 0x80)
        length--;
    if (scene->scatter->counts)
        snprintf(text, 160, "%.*s  (%lld)", (int)length, name, (long long)entry_size(scene, class));
    else
        snprintf(text, 160, "%.*s", (int)length, name);
}

/* Tries smaller letters before it gives up: at most 30 % of the width may go to the legend. */
static legend plan_legend(const scatter_view *scene, double height) {
    static const double sizes[] = {13.5, 12, 10.5, 9};
    double most = 0.30 * scene->canvas->width;
    if (scene->entry_count == 0)
        return (legend){0};
    for (int i = 0; i < 4; i++) {
        legend plan = {.size = sizes[i], .pitch = (i == 0 ? 1.6 : 1.4) * sizes[i]};
        plan.rows = (int)floor(height / plan.pitch);
        if (plan.rows < 1)
            continue;
        plan.columns = (scene->entry_count + plan.rows - 1) / plan.rows;
        plan.rows = (scene->entry_count + plan.columns - 1) / plan.columns;
        for (int at = 0; at < scene->entry_count; at++) {
            char text[160];
            entry_name(scene, scene->entries[at], text);
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
    for (int at = 0; at < scene->entry_count; at++) {
        int class = scene->entries[at];
        double x = left + at / plan->rows * plan->column_width;
        double y = scene->frame.y + (at % plan->rows + 0.5) * plan->pitch;
        dlz_marker_path(scene->canvas, point_marker(class), x + 0.5 * plan->size, y,
                        0.75 * plan->size);
        dlz_set_color(scene->canvas, point_color(class), 1);
        cairo_fill(scene->canvas->cr);
        char text[160];
        entry_name(scene, class, text);
        dlz_text(scene->canvas, x + 1.35 * plan->size, y, text,
                 (dlz_style){.size = plan->size, .color = dlz_ink, .most = plan->name_width});
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

static double widest_tick(const scatter_view *scene) {
    double widest = 0;
    for (int i = 0; i < scene->y.count; i++)
        widest = fmax(widest, dlz_tick_width(scene->canvas, &scene->y.ticks[i], 12));
    return widest;
}

static void draw_ticks(const scatter_view *scene) {
    const dlz_box frame = scene->frame;
    for (int i = 0; i < scene->x.count; i++) {
        double x = dlz_scatter_x(scene, scene->x.ticks[i].value);
        dlz_stroke_line(scene->canvas, x, frame.y, x, frame.y + frame.height, dlz_line, 0.8);
        dlz_tick_text(scene->canvas, x, frame.y + frame.height + 11, &scene->x.ticks[i],
                      (dlz_style){.size = 12, .color = dlz_soft_ink, .align = 0.5});
    }
    for (int i = 0; i < scene->y.count; i++) {
        double y = dlz_scatter_y(scene, scene->y.ticks[i].value);
        dlz_stroke_line(scene->canvas, frame.x, y, frame.x + frame.width, y, dlz_line, 0.8);
        dlz_tick_text(scene->canvas, frame.x - 6, y, &scene->y.ticks[i],
                      (dlz_style){.size = 12, .color = dlz_soft_ink, .align = 1});
    }
}

/* ---- Points ---------------------------------------------------------------------------------- */

/* A fixed shuffle: neighboring classes cover each other by chance and not by their order. Points
 * without a class come first, and so lie beneath all others. */
static int64_t *drawing_order(const scatter_view *scene) {
    int64_t n = scene->scatter->n, beneath = 0;
    int64_t *order = dlz_alloc_array((uint64_t)n, sizeof *order);
    if (!order)
        return NULL;
    for (int64_t i = 0; i < n; i++)
        order[i] = i;
    dlz_random random = dlz_random_start(0, DLZ_STREAM_SHUFFLE);
    dlz_random_shuffle(&random, order, n);
    for (int64_t k = 0; k < n; k++)
        if (dlz_scatter_class(scene, order[k]) == DLZ_NO_CLASS) {
            int64_t other = order[beneath];
            order[beneath++] = order[k];
            order[k] = other;
        }
    return order;
}

/* To a sixteenth of a point of the file: invisible, and half the digits in an SVG. */
static double snap(const scatter_view *scene, double v) {
    double grid = 8 * scene->canvas->unit;
    return round(v * grid) / grid;
}

static void draw_point(const scatter_view *scene, int64_t i, int class) {
    const float *point = scene->scatter->points + 2 * i;
    double x = dlz_scatter_x(scene, point[0]), y = dlz_scatter_y(scene, point[1]);
    dlz_marker_path(scene->canvas, point_marker(class), x, y, scene->diameter);
}

/* In a vector file, circles and squares are the ends of lines without length: a fifth of the bytes.
 * All points of a class in a chunk are one path. */
static bool is_line_end(int class) {
    return point_marker(class) == DLZ_MARKER_CIRCLE || point_marker(class) == DLZ_MARKER_SQUARE;
}

static void add_to_path(const scatter_view *scene, int64_t i, int class) {
    if (!is_line_end(class)) {
        draw_point(scene, i, class);
        return;
    }
    const float *point = scene->scatter->points + 2 * i;
    double x = snap(scene, dlz_scatter_x(scene, point[0]));
    double y = snap(scene, dlz_scatter_y(scene, point[1]));
    cairo_move_to(scene->canvas->cr, x, y);
    cairo_line_to(scene->canvas->cr, x, y);
}

static void paint_path(const scatter_view *scene, int class) {
    cairo_t *cr = scene->canvas->cr;
    if (!is_line_end(class)) {
        cairo_fill(cr);
        return;
    }
    bool square = point_marker(class) == DLZ_MARKER_SQUARE;
    cairo_set_line_cap(cr, square ? CAIRO_LINE_CAP_SQUARE : CAIRO_LINE_CAP_ROUND);
    cairo_set_line_width(cr, square ? DLZ_SQUARE_SIDE * scene->diameter : scene->diameter);
    cairo_stroke(cr);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_BUTT);
}

static void draw_chunks(const scatter_view *scene) {
    int64_t n = scene->scatter->n, chunks = n > 1000 ? CHUNKS : 1;
    for (int64_t chunk = 0; chunk < chunks; chunk++) {
        int64_t first = n * chunk / chunks, last = n * (chunk + 1) / chunks;
        for (int class = DLZ_NO_CLASS; class < DLZ_MAX_CLASSES; class ++) {
            if (class > 0 && scene->sizes[class] == 0)
                continue;
            int64_t added = 0;
            for (int64_t k = first; k < last; k++)
                if (dlz_scatter_class(scene, scene->order[k]) == class) {
                    add_to_path(scene, scene->order[k], class);
                    added++;
                }
            dlz_set_color(scene->canvas, point_color(class), scene->opacity);
            if (added > 0)
                paint_path(scene, class);
        }
    }
}

static void choose_look(scatter_view *scene) {
    int64_t n = scene->scatter->n;
    double area = scene->frame.width * scene->frame.height;
    scene->diameter = scene->scatter->point_size / scene->canvas->unit;
    if (scene->diameter == 0)
        scene->diameter = fmin(fmax(sqrt(0.4 * area / (double)n), 1.1), 9);
    scene->opacity = scene->scatter->opacity;
    if (scene->opacity == 0)
        scene->opacity = fmin(fmax(1.1 - 0.1 * log10((double)n), 0.35), 0.9);
}

static void draw_points(const scatter_view *scene) {
    const dlz_box frame = scene->frame;
    cairo_save(scene->canvas->cr);
    cairo_rectangle(scene->canvas->cr, frame.x, frame.y, frame.width, frame.height);
    cairo_clip(scene->canvas->cr);
    if (scene->canvas->vector) {
        draw_chunks(scene);
    } else {
        for (int64_t k = 0; k < scene->scatter->n; k++) {
            int class = dlz_scatter_class(scene, scene->order[k]);
            dlz_set_color(scene->canvas, point_color(class), scene->opacity);
            draw_point(scene, scene->order[k], class);
            cairo_fill(scene->canvas->cr);
        }
    }
    cairo_restore(scene->canvas->cr);
}

/* ---- All of it ------------------------------------------------------------------------------- */

static void count_classes(scatter_view *scene) {
    for (int64_t i = 0; scene->scatter->class && i < scene->scatter->n; i++) {
        int class = scene->scatter->class[i];
        scene->without += class == DLZ_NO_CLASS;
        if (class != DLZ_NO_CLASS)
            scene->sizes[class]++;
    }
    for (int class = 0; class < DLZ_MAX_CLASSES; class ++)
        if (scene->sizes[class] > 0)
            scene->entries[scene->classes++] = class;
    scene->entry_count = scene->classes;
    if (scene->without > 0)
        scene->entries[scene->entry_count++] = DLZ_NO_CLASS;
}

static dlviz_status draw_points_and_names(scatter_view *scene) {
    choose_look(scene);
    scene->order = drawing_order(scene);
    if (!scene->order)
        return dlz_fail_memory("the order of points",
                               (uint64_t)scene->scatter->n * sizeof *scene->order);
    draw_points(scene);
    dlz_stroke_box(scene->canvas, scene->frame, dlz_color_mix(dlz_line, dlz_ink, 0.25), 1);
    dlviz_status status = dlz_draw_marks(scene);
    dlz_free(scene->order);
    return status;
}

dlviz_status dlz_draw_scatter(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box) {
    scatter_view scene = {.canvas = canvas, .figure = figure, .scatter = &figure->of.scatter};
    count_classes(&scene);
    double below = (figure->x_label ? 22 : 0) + (scene.scatter->ticks ? 20 : 0);
    double left = figure->y_label ? 22 : 0;
    legend plan = plan_legend(&scene, box.height - below);
    bool left_out = scene.entry_count > 0 && plan.columns == 0;
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
    DLZ_TRY(draw_points_and_names(&scene));
    if (plan.columns > 0)
        draw_legend(&scene, &plan, scene.frame.x + scene.frame.width + 14);
    if (left_out) {
        char note[80];
        snprintf(note, sizeof note, "%d classes; no room for their legend", scene.classes);
        dlz_text(canvas, scene.frame.x + scene.frame.width - 6, scene.frame.y + 11, note,
                 (dlz_style){.size = 11,
                             .color = dlz_soft_ink,
                             .align = 1,
                             .halo = 2,
                             .most = scene.frame.width - 12});
    }
    return DLVIZ_OK;
}
