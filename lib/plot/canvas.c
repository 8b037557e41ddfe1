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

/* What draws vectors comes back to the picture when the surface is finished, and keeps what it has of it
 * as it goes. Where there is no memory for that, no status tells; cairo 1.16 then crashes in the end. */
void dlz_show_picture(const dlz_canvas *canvas, cairo_surface_t *picture, double x, double y,
                      double scale) {
    cairo_t *cr = canvas->cr;
    cairo_save(cr);
    cairo_translate(cr, x, y);
    cairo_scale(cr, 1 / scale, 1 / scale);
    cairo_set_source_surface(cr, picture, 0, 0); /* takes over its status */
    cairo_pattern_set_filter(cairo_get_source(cr), CAIRO_FILTER_NEAREST);
    cairo_paint(cr);
    cairo_restore(cr);
    cairo_surface_destroy(picture);
    dlz_type_note_failures(canvas->type);
}
