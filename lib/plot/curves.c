/* Curves in panels that share the horizontal axis. The legend stands beside its panel, where it
 * cannot cover data, and tells the last and the extreme values. */
#include "plot/draw.h"
#include "plot/markers.h"
#include "base/base.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MOST_MARKED_POINTS = 40 };

static const double legend_width = 158, panel_gap = 16, lowest_panel = 6, tick_size = 12;

typedef struct curves_view {
    const dlz_canvas *canvas;
    const dlviz_figure *figure;
    const dlz_curves *curves;
    dlz_axis x;
    dlz_box frame; /* of the panel at hand */
} curves_view;

static bool drawable(const dlz_panel *panel, double y) {
    return isfinite(y) && (!panel->logarithmic || y > 0);
}

/* Curves of one name share a color, in the order in which names first appear. */
static int color_of(const dlz_curves *curves, const char *name) {
    int found = 0;
    for (int i = 0; i < curves->count; i++)
        for (int j = 0; j < curves->panels[i].count; j++) {
            const char *other = curves->panels[i].curves[j].name;
            if (strcmp(other, name) == 0)
                return found;
            bool seen = false;
            for (int k = 0; k <= i && !seen; k++)
                for (int l = 0; l < (k < i ? curves->panels[k].count : j) && !seen; l++)
                    seen = strcmp(curves->panels[k].curves[l].name, other) == 0;
            found += !seen;
        }
    return found;
}

static void find_x_axis(curves_view *scene) {
    double low = INFINITY, high = -INFINITY;
    bool whole = true;
    for (int i = 0; i < scene->curves->count; i++)
        for (int j = 0; j < scene->curves->panels[i].count; j++) {
            const dlz_curve *curve = &scene->curves->panels[i].curves[j];
            for (int64_t k = 0; k < curve->n; k++) {
                dlz_range_include(&low, &high, curve->x[k]);
                whole = whole && curve->x[k] == floor(curve->x[k]);
            }
        }
    dlz_axis_linear(&scene->x, low, high, 0.02, 12, whole);
}

/* False when no value of the panel can be drawn. */
static bool find_y_axis(const dlz_panel *panel, double height, dlz_axis *axis) {
    double low = INFINITY, high = -INFINITY;
    for (int j = 0; j < panel->count; j++)
        for (int64_t k = 0; k < panel->curves[j].n; k++) {
            double y = panel->curves[j].y[k];
            if (!drawable(panel, y))
                continue;
            dlz_range_include(&low, &high, y);
        }
    bool any = low <= high;
    int most = (int)fmin(fmax(height / 21, 3), 8);
    if (panel->logarithmic)
        dlz_axis_log(axis, any ? low : 0.1, any ? high : 1, 0.07, most);
    else
        dlz_axis_linear(axis, any ? low : 0, any ? high : 1, 0.07, most, false);
    return any;
}

/* At the border where an axis does not go so far, which is as far as differences are numbers. */
static double share_of(const dlz_axis *axis, double value) {
    return fmin(fmax(dlz_axis_at(axis, value), 0), 1);
}

static double place_x(const curves_view *scene, double x) {
    return scene->frame.x + scene->frame.width * share_of(&scene->x, x);
}

static double place_y(const curves_view *scene, const dlz_axis *axis, double y) {
    return scene->frame.y + scene->frame.height * (1 - share_of(axis, y));
}

static void draw_grid(const curves_view *scene, const dlz_axis *axis, bool last) {
    const dlz_box frame = scene->frame;
    for (int i = 0; i < scene->x.count; i++) {
        double x = place_x(scene, scene->x.ticks[i].value);
        dlz_stroke_line(scene->canvas, x, frame.y, x, frame.y + frame.height, dlz_line, 0.8);
        if (last)
            dlz_tick_text(scene->canvas, x, frame.y + frame.height + 12, &scene->x.ticks[i],
                          (dlz_style){.size = tick_size, .color = dlz_soft_ink, .align = 0.5});
    }
    for (int i = 0; i < axis->count; i++) {
        double y = place_y(scene, axis, axis->ticks[i].value);
        bool major = axis->ticks[i].text[0] != '\0';
        dlz_stroke_line(scene->canvas, frame.x, y, frame.x + frame.width, y,
                        major ? dlz_line : dlz_color_mix(dlz_line, dlz_paper, 0.55), 0.8);
        if (major)
            dlz_tick_text(scene->canvas, frame.x - 7, y, &axis->ticks[i],
                          (dlz_style){.size = tick_size, .color = dlz_soft_ink, .align = 1});
    }
}

/* A line of no length shows as a dot, so that a point between gaps is not lost. */
static void line_path(const curves_view *scene, const dlz_panel *panel, const dlz_axis *axis,
                      const dlz_curve *curve) {
    cairo_t *cr = scene->canvas->cr;
    bool before = false;
    for (int64_t k = 0; k < curve->n; k++) {
        bool here = drawable(panel, curve->y[k]);
        if (here) {
            double y = place_y(scene, axis, curve->y[k]), left = curve->x[k], right = left;
            if (panel->steps) {
                left = k > 0 ? 0.5 * (curve->x[k - 1] + left) : left;
                right = k < curve->n - 1 ? 0.5 * (curve->x[k + 1] + right) : right;
            }
            if (!before)
                cairo_move_to(cr, place_x(scene, left), y);
            cairo_line_to(cr, place_x(scene, left), y);
            if (right != left)
                cairo_line_to(cr, place_x(scene, right), y);
        }
        before = here;
    }
}

static void draw_curve(const curves_view *scene, const dlz_panel *panel, const dlz_axis *axis,
                       const dlz_curve *curve) {
    cairo_t *cr = scene->canvas->cr;
    bool markers = curve->n <= MOST_MARKED_POINTS;
    dlz_set_color(scene->canvas, dlz_class_color(color_of(scene->curves, curve->name)), 1);
    cairo_set_line_width(cr, curve->n > 500 ? 1.2 : 1.9);
    cairo_set_line_join(cr, CAIRO_LINE_JOIN_ROUND);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_ROUND);
    line_path(scene, panel, axis, curve);
    cairo_stroke(cr);
    cairo_set_line_cap(cr, CAIRO_LINE_CAP_BUTT);
    double diameter = curve->n == 1 ? 8 : 5;
    for (int64_t k = 0; markers && k < curve->n; k++)
        if (drawable(panel, curve->y[k]))
            dlz_marker_path(scene->canvas, DLVIZ_MARKER_CIRCLE, place_x(scene, curve->x[k]),
                            place_y(scene, axis, curve->y[k]), diameter);
    cairo_fill(cr);
}

/* ---- Legend ---------------------------------------------------------------------------------- */

/* Of the points that can be drawn; the last of them need not be the curve's. */
typedef struct extremes {
    bool any, ends; /* ends: the curve's last point is one of them */
    double last, low, high, last_x, low_x, high_x;
} extremes;

static extremes find_extremes(const dlz_panel *panel, const dlz_curve *curve) {
    extremes found = {0};
    for (int64_t k = 0; k < curve->n; k++) {
        double y = curve->y[k];
        found.ends = drawable(panel, y);
        if (!found.ends)
            continue;
        if (!found.any || y < found.low) {
            found.low = y;
            found.low_x = curve->x[k];
        }
        if (!found.any || y > found.high) {
            found.high = y;
            found.high_x = curve->x[k];
        }
        found.last = y;
        found.last_x = curve->x[k];
        found.any = true;
    }
    return found;
}

static void describe(const curves_view *scene, const dlz_axis *axis, const extremes *found,
                     int line, char text[160]) {
    static const char *const names[] = {"last", "min", "max"};
    const double values[] = {found->last, found->low, found->high};
    const double places[] = {found->last_x, found->low_x, found->high_x};
    char value[DLZ_AXIS_NUMBER_SIZE], place[DLZ_AXIS_NUMBER_SIZE];
    dlz_axis_number(axis, values[line], 4, value);
    if (line == 0 && found->ends)
        snprintf(text, 160, "%s %s", names[line], value);
    else
        snprintf(text, 160, "%s %s at %s", names[line], value,
                 dlz_axis_number(&scene->x, places[line], 6, place));
}

static void draw_legend(const curves_view *scene, const dlz_panel *panel, const dlz_axis *axis) {
    const double left = scene->frame.x + scene->frame.width + 14, size = 12.5, small = 11;
    /* One curve that only repeats its panel's name needs no name; numbers go as room goes. */
    bool named = panel->count > 1 || strcmp(panel->curves[0].name, panel->name) != 0;
    double room = (scene->frame.height + 4) / panel->count;
    double pitch = fmin(fmax(room, 8), 17);
    int lines = room >= 17 + 3 * 14.5 ? 3 : room >= 17 + 14.5 ? 1 : 0;
    double y = scene->frame.y + pitch / 2;
    for (int j = 0; j < panel->count; j++) {
        const dlz_curve *curve = &panel->curves[j];
        dlz_color color = dlz_class_color(color_of(scene->curves, curve->name));
        dlz_stroke_line(scene->canvas, left, y, left + 20, y, color, 2.4);
        dlz_style style = {.size = fmin(size, pitch * 0.85),
                           .bold = true,
                           .color = dlz_ink,
                           .most = legend_width - 44};
        if (named)
            dlz_text(scene->canvas, left + 28, y, curve->name, style);
        extremes found = find_extremes(panel, curve);
        int shown = found.any && found.low == found.high ? (lines > 0) : lines;
        double text_y = named ? y + 15.5 : y;
        style = (dlz_style){.size = small, .color = dlz_soft_ink, .most = legend_width - 44};
        for (int line = 0; line < shown && found.any; line++) {
            char text[160];
            describe(scene, axis, &found, line, text);
            dlz_text(scene->canvas, left + 28, text_y, text, style);
            text_y += 14.5;
        }
        double used = named ? pitch + (found.any ? shown * 14.5 : 0) : pitch;
        y += fmin(used + (shown > 0 ? 5 : 0), fmax(room, pitch));
    }
}

/* ---- All of it ------------------------------------------------------------------------------- */

static double label_width(const curves_view *scene, double height) {
    double widest = 0;
    for (int i = 0; i < scene->curves->count; i++) {
        dlz_axis axis;
        find_y_axis(&scene->curves->panels[i], height, &axis);
        for (int t = 0; t < axis.count; t++)
            widest = fmax(widest, dlz_tick_width(scene->canvas, &axis.ticks[t], tick_size));
    }
    return widest;
}

static void draw_panel(const curves_view *scene, const dlz_panel *panel, double name_left,
                       bool last) {
    dlz_axis axis;
    bool any = find_y_axis(panel, scene->frame.height, &axis);
    dlz_box frame = scene->frame;
    draw_grid(scene, &axis, last);
    for (int j = 0; j < panel->count; j++)
        draw_curve(scene, panel, &axis, &panel->curves[j]);
    dlz_stroke_box(scene->canvas, frame, dlz_color_mix(dlz_line, dlz_ink, 0.25), 1);
    dlz_text(scene->canvas, name_left, frame.y + frame.height / 2, panel->name,
             (dlz_style){.size = 13.5,
                         .color = dlz_ink,
                         .align = 0.5,
                         .turn = -M_PI / 2,
                         .most = frame.height + panel_gap});
    if (!any)
        dlz_text(scene->canvas, frame.x + frame.width / 2, frame.y + frame.height / 2,
                 panel->logarithmic ? "no positive finite values" : "no finite values",
                 (dlz_style){.size = 13, .color = dlz_soft_ink, .align = 0.5, .halo = 3});
    draw_legend(scene, panel, &axis);
}

dlviz_status dlz_draw_curves(const dlz_canvas *canvas, const dlviz_figure *figure, dlz_box box) {
    curves_view scene = {.canvas = canvas, .figure = figure, .curves = &figure->of.curves};
    find_x_axis(&scene);
    int panels = scene.curves->count;
    double below = 20 + (figure->x_label ? 22 : 0);
    double room = fmax(box.height - below, 0.5 * box.height), gap = panel_gap;
    double height = (room - gap * (panels - 1)) / panels;
    if (height < lowest_panel) { /* on the page all the same */
        height = fmin(0.6 * room / panels, lowest_panel);
        gap = panels > 1 ? (room - height * panels) / (panels - 1) : 0;
    }
    double left = label_width(&scene, height) + 32;
    double width = fmax(box.width - left - legend_width, 40);
    for (int i = 0; i < panels; i++) {
        scene.frame = (dlz_box){box.x + left, box.y + i * (height + gap), width, height};
        draw_panel(&scene, &scene.curves->panels[i], box.x + 7, i == panels - 1);
    }
    if (figure->x_label)
        dlz_text(canvas, scene.frame.x + width / 2, scene.frame.y + height + 33, figure->x_label,
                 (dlz_style){.size = 13.5, .color = dlz_ink, .align = 0.5, .most = width});
    return DLVIZ_OK;
}
