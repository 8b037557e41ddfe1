/* Maps of points. */
#include "plot/scatter.h"
#include "base/base.h"
#include "base/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHUNKS = 8 };

typedef dlz_scatter_view scatter_view;

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
        if (dlz_scatter_label(scene, order[k]) < 0) {
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

static void draw_point(const scatter_view *scene, int64_t i) {
    const float *point = scene->scatter->points + 2 * i;
    double x = dlz_scatter_x(scene, point[0]), y = dlz_scatter_y(scene, point[1]);
    dlz_marker_path(scene->canvas, dlz_point_marker(dlz_scatter_label(scene, i)), x, y,
                    scene->diameter);
}

/* In a vector file, circles and squares are the ends of lines without length: a fifth of the bytes.
 * All points of a class in a chunk are one path. */
static bool is_line_end(int label) {
    return dlz_point_marker(label) == DLZ_MARKER_CIRCLE ||
           dlz_point_marker(label) == DLZ_MARKER_SQUARE;
}

static void add_to_path(const scatter_view *scene, int64_t i) {
    if (!is_line_end(dlz_scatter_label(scene, i))) {
        draw_point(scene, i);
        return;
    }
    const float *point = scene->scatter->points + 2 * i;
    double x = snap(scene, dlz_scatter_x(scene, point[0]));
    double y = snap(scene, dlz_scatter_y(scene, point[1]));
    cairo_move_to(scene->canvas->cr, x, y);
    cairo_line_to(scene->canvas->cr, x, y);
}

static void paint_path(const scatter_view *scene, int label) {
    cairo_t *cr = scene->canvas->cr;
    dlz_set_color(scene->canvas, dlz_point_color(label), scene->opacity);
    if (!is_line_end(label)) {
        cairo_fill(cr);
        return;
    }
    bool square = dlz_point_marker(label) == DLZ_MARKER_SQUARE;
    cairo_set_line_cap(cr, square ? CAIRO_LINE_CAP_SQUARE : CAIRO_LINE_CAP_ROUND);
    cairo_set_line_width(cr, square ? DLZ_SQUARE_SIDE * scene->diameter : scene->diameter);
    cairo_stroke(cr);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_BUTT);
}

/* Sorts points by their classes, those without one first, and leaves their order otherwise: counts,
 * then deals. `starts` has room for the classes and two more. */
static void sort_by_class(const scatter_view *scene, int64_t n, const int64_t *points,
                          int64_t *starts, int64_t *sorted) {
    int64_t slots = (scene->entry_of ? scene->classes : 1) + 1; /* that of class c is c + 1 */
    memset(starts, 0, (size_t)(slots + 1) * sizeof *starts);
    for (int64_t k = 0; k < n; k++)
        starts[dlz_scatter_entry(scene, points[k]) + 2]++;
    for (int64_t slot = 1; slot <= slots; slot++)
        starts[slot] += starts[slot - 1];
    for (int64_t k = 0; k < n; k++)
        sorted[starts[dlz_scatter_entry(scene, points[k]) + 1]++] = points[k];
}

static dlviz_status draw_chunks(const scatter_view *scene) {
    int64_t n = scene->scatter->n, chunks = n > 1000 ? CHUNKS : 1;
    int64_t *sorted = dlz_alloc_array((uint64_t)n, sizeof *sorted);
    int64_t *starts = dlz_alloc_array((uint64_t)scene->classes + 3, sizeof *starts);
    for (int64_t chunk = 0; sorted && starts && chunk < chunks; chunk++) {
        int64_t first = n * chunk / chunks, count = n * (chunk + 1) / chunks - first;
        sort_by_class(scene, count, scene->order + first, starts, sorted);
        for (int64_t k = 0; k < count; k++) {
            add_to_path(scene, sorted[k]);
            int entry = dlz_scatter_entry(scene, sorted[k]);
            if (k + 1 == count || dlz_scatter_entry(scene, sorted[k + 1]) != entry)
                paint_path(scene, dlz_scatter_label(scene, sorted[k]));
        }
    }
    bool done = sorted && starts;
    dlz_free(sorted);
    dlz_free(starts);
    return done ? DLVIZ_OK : dlz_fail_memory("the classes of points", (uint64_t)n * sizeof *sorted);
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

static dlviz_status draw_points(const scatter_view *scene) {
    dlviz_status status = DLVIZ_OK;
    const dlz_box frame = scene->frame;
    cairo_save(scene->canvas->cr);
    cairo_rectangle(scene->canvas->cr, frame.x, frame.y, frame.width, frame.height);
    cairo_clip(scene->canvas->cr);
    if (scene->canvas->vector) {
        status = draw_chunks(scene);
    } else {
        for (int64_t k = 0; k < scene->scatter->n; k++) {
            int label = dlz_scatter_label(scene, scene->order[k]);
            dlz_set_color(scene->canvas, dlz_point_color(label), scene->opacity);
            draw_point(scene, scene->order[k]);
            cairo_fill(scene->canvas->cr);
        }
    }
    cairo_restore(scene->canvas->cr);
    return status;
}

/* ---- All of it ------------------------------------------------------------------------------- */

static int compare_labels(const void *a, const void *b) {
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static int find_entry(const scatter_view *scene, int32_t label) {
    int low = 0, high = scene->classes - 1;
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (scene->entries[middle].label < label)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Makes entries of sorted labels, which begin with those below 0. */
static void list_entries(scatter_view *scene, const int32_t *labels) {
    int64_t n = scene->scatter->n, without = 0;
    while (without < n && labels[without] < 0)
        without++;
    for (int64_t i = without; i < n; i++) {
        if (i == without || labels[i] != labels[i - 1])
            scene->entries[scene->classes++] = (dlz_entry){.label = labels[i]};
        scene->entries[scene->classes - 1].size++;
    }
    scene->num_entries = scene->classes;
    if (without > 0) /* by the largest of their labels, as a rule -1 */
        scene->entries[scene->num_entries++] = (dlz_entry){labels[without - 1], without};
}

static int64_t count_different(int64_t n, const int32_t *sorted) {
    int64_t count = 1;
    for (int64_t i = 1; i < n; i++)
        count += sorted[i] != sorted[i - 1];
    return count;
}

static dlviz_status count_classes(scatter_view *scene) {
    int64_t n = scene->scatter->n;
    if (!scene->scatter->class)
        return DLVIZ_OK;
    int32_t *sorted = dlz_alloc_array((uint64_t)n, sizeof *sorted);
    scene->entry_of = dlz_alloc_array((uint64_t)n, sizeof *scene->entry_of);
    if (sorted && scene->entry_of) {
        memcpy(sorted, scene->scatter->class, (size_t)n * sizeof *sorted);
        qsort(sorted, (size_t)n, sizeof *sorted, compare_labels);
        uint64_t most = (uint64_t)count_different(n, sorted) + 1;
        scene->entries = dlz_alloc_array(most, sizeof *scene->entries);
    }
    if (scene->entries) {
        list_entries(scene, sorted);
        for (int64_t i = 0; i < n; i++) {
            int32_t label = scene->scatter->class[i];
            scene->entry_of[i] = label < 0 ? DLZ_NO_CLASS : find_entry(scene, label);
        }
    }
    dlz_free(sorted);
    return scene->entries ? DLVIZ_OK : dlz_fail_memory("the classes of points", (uint64_t)n * 8);
}

static dlviz_status draw_points_and_names(scatter_view *scene) {
    choose_look(scene);
    scene->order = drawing_order(scene);
    if (!scene->order)
        return dlz_fail_memory("the order of points",
                               (uint64_t)scene->scatter->n * sizeof *scene->order);
    dlviz_status status = draw_points(scene);
    dlz_stroke_box(scene->canvas, scene->frame, dlz_color_mix(dlz_line, dlz_ink, 0.25), 1);
    if (status == DLVIZ_OK)
        status = dlz_draw_marks(scene);
    dlz_free(scene->order);
    return status;
}

static dlviz_status draw(scatter_view *scene, dlz_box box) {
    double below = (scene->figure->x_label ? 22 : 0) + (scene->scatter->ticks ? 20 : 0);
    double left = scene->figure->y_label ? 22 : 0;
    dlz_legend plan = dlz_plan_legend(scene, box.height - below);
    bool left_out = scene->num_entries > 0 && plan.columns == 0;
    double right = plan.columns > 0 ? plan.columns * plan.column_width + 14 : 0;
    scene->frame = (dlz_box){box.x + left, box.y, fmax(box.width - left - right, 40),
                             fmax(box.height - below, 40)};
    fit_axes(scene);
    if (scene->scatter->ticks) {
        /* Room for the widest number; the few ticks that the narrower frame changes are no wider.
         */
        double widest = widest_tick(scene) + 10;
        left += widest;
        scene->frame.x += widest;
        scene->frame.width = fmax(scene->frame.width - widest, 40);
        fit_axes(scene);
    }
    if (scene->scatter->ticks)
        draw_ticks(scene);
    dlz_draw_axis_names(scene->canvas, scene->figure, scene->frame, below - 8, left - 8);
    DLZ_TRY(draw_points_and_names(scene));
    if (plan.columns > 0)
        dlz_draw_legend(scene, &plan, scene->frame.x + scene->frame.width + 14);
    if (left_out) {
        char note[80];
        snprintf(note, sizeof note, "%d classes; no room for their legend", scene->classes);
        dlz_text(scene->canvas, scene->frame.x + scene->frame.width - 6, scene->frame.y + 11, note,
                 (dlz_style){.size = 11,
                             .color = dlz_soft_ink,
                             .align = 1,
                             .halo = 2,
                             .most = scene->frame.width - 12});
    }
    return DLVIZ_OK;
}

dlviz_status dlz_draw_scatter(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box) {
    scatter_view scene = {.canvas = canvas, .figure = figure, .scatter = &figure->of.scatter};
    dlviz_status status = count_classes(&scene);
    if (status == DLVIZ_OK)
        status = draw(&scene, box);
    dlz_free(scene.entries);
    dlz_free(scene.entry_of);
    return status;
}
