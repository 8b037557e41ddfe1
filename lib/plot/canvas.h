/* plot/canvas.h - a drawing surface measured in units, of which the default figure has 800 x 600,
 * and text on it. Points go right and down. Failures of cairo stick to the surface and are reported
 * when it is closed. */
#ifndef DLZ_CANVAS_H
#define DLZ_CANVAS_H

#include <cairo.h>

#include "plot/figure.h"
#include "plot/palette.h"
#include "plot/scales.h"
#include "plot/type.h"

typedef struct dlz_canvas {
    cairo_t *cr;
    double width, height; /* units */
    double unit;          /* pixels a unit; an SVG's or PDF's point is two pixels */
    bool vector;
    dlz_type *type;
    dlz_bytes *svg_text; /* where text goes in an SVG, as elements; NULL elsewhere: it is drawn */
} dlz_canvas;

typedef struct dlz_box {
    double x, y, width, height;
} dlz_box;

extern const dlz_color dlz_ink, dlz_soft_ink, dlz_line, dlz_paper;

void dlz_set_color(const dlz_canvas *canvas, dlz_color color, double opacity);
void dlz_fill_box(const dlz_canvas *canvas, dlz_box box, dlz_color color);
void dlz_stroke_box(const dlz_canvas *canvas, dlz_box box, dlz_color color, double thickness);
void dlz_stroke_line(const dlz_canvas *canvas, double x0, double y0, double x1, double y1,
                     dlz_color color, double thickness);
/* Shows a picture, with `scale` of its pixels a unit and its upper left corner at (x, y), and takes it
 * over, also where it is in error, which then becomes the canvas's. */
void dlz_show_picture(const dlz_canvas *canvas, cairo_surface_t *picture, double x, double y,
                      double scale);
/* The baseline lies this much below a line's middle, in sizes: half the height of figures and
 * capitals in common fonts. */
#define DLZ_BASELINE_DROP 0.36
#define DLZ_HALO_OPACITY 0.75

typedef struct dlz_style {
    double size;
    bool bold;
    dlz_color color;
    double align; /* where x lies in the text: 0 its left end, 0.5 its middle, 1 its right end */
    double turn;  /* radians, clockwise */
    double halo;  /* thickness of a white outline; 0 for none */
    double most;  /* the width it must fit: it shrinks to 3/4, then it is cut; 0 for any */
} dlz_style;

/* Of one line, in which newlines count as spaces. */
double dlz_text_width(const dlz_canvas *canvas, const char *text, double size, bool bold);
/* One line, its middle at height y. Returns the width drawn. */
double dlz_text(const dlz_canvas *canvas, double x, double y, const char *text, dlz_style style);
/* A tick's label, with its exponent raised. */
double dlz_tick_width(const dlz_canvas *canvas, const dlz_tick *tick, double size);
void dlz_tick_text(const dlz_canvas *canvas, double x, double y, const dlz_tick *tick,
                   dlz_style style);
/* Text in lines no wider than style.most, at most `lines` of them, the first line's top at y; breaks
 * at newlines and where its script may break, else anywhere. Returns the height; draws only when
 * `draw`. */
double dlz_paragraph(const dlz_canvas *canvas, double x, double y, const char *text, int lines,
                     dlz_style style, bool draw);

#endif
