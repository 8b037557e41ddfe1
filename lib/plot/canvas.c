#include "plot/canvas.h"

#include <math.h>

const dlz_color dlz_ink = {0.13, 0.14, 0.16}, dlz_soft_ink = {0.38, 0.40, 0.43},
                dlz_line = {0.87, 0.88, 0.89}, dlz_paper = {1, 1, 1};

void dlz_set_color(const dlz_canvas *canvas, dlz_color color, double opacity) {
    cairo_set_source_rgba(canvas->cr, color.r, color.g, color.b, opacity);
}

void dlz_fill_box(const dlz_canvas *canvas, dlz_box box, dlz_color color) {
    dlz_set_color(canvas, color, 1);
    cairo_rectangle(canvas->cr, box.x, box.y, box.width, box.height);
    cairo_fill(canvas->cr);
}

void dlz_stroke_box(const dlz_canvas *canvas, dlz_box box, dlz_color color, double thickness) {
    dlz_set_color(canvas, color, 1);
    cairo_set_line_width(canvas->cr, thickness);
    cairo_rectangle(canvas->cr, box.x, box.y, box.width, box.height);
    cairo_stroke(canvas->cr);
}

void dlz_stroke_line(const dlz_canvas *canvas, double x0, double y0, double x1, double y1,
                     dlz_color color, double thickness) {
    dlz_set_color(canvas, color, 1);
    cairo_set_line_width(canvas->cr, thickness);
    cairo_move_to(canvas->cr, x0, y0);
    cairo_line_to(canvas->cr, x1, y1);
    cairo_stroke(canvas->cr);
}

/* All markers cover the area of the circle, roughly, and turn the same way round, so that many of
 * them in one path fill as their union. */
void dlz_marker_path(const dlz_canvas *canvas, dlz_marker marker, double x, double y,
                     double diameter) {
    cairo_t *cr = canvas->cr;
    double r = diameter / 2;
    switch (marker) {
    case DLZ_MARKER_SQUARE:
        cairo_rectangle(cr, x - DLZ_SQUARE_SIDE * r, y - DLZ_SQUARE_SIDE * r,
                        DLZ_SQUARE_SIDE * diameter, DLZ_SQUARE_SIDE * diameter);
        break;
    case DLZ_MARKER_TRIANGLE:
        cairo_move_to(cr, x, y - 1.4 * r);
        cairo_line_to(cr, x + 1.25 * r, y + 0.8 * r);
        cairo_line_to(cr, x - 1.25 * r, y + 0.8 * r);
        cairo_close_path(cr);
        break;
    case DLZ_MARKER_DIAMOND:
        cairo_move_to(cr, x, y - 1.3 * r);
        cairo_line_to(cr, x + 1.3 * r, y);
        cairo_line_to(cr, x, y + 1.3 * r);
        cairo_line_to(cr, x - 1.3 * r, y);
        cairo_close_path(cr);
        break;
    default:
        cairo_new_sub_path(cr);
        cairo_arc(cr, x, y, r, 0, 2 * M_PI);
    }
}
