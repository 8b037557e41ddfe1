#include "plot/markers.h"

#include <math.h>

enum { MOST_CORNERS = 12 };
static const double least_sharp = 2.5; /* pixels */

/* Corners in radii, clockwise. All turn the same way round, so that many of them in one path fill
 * as their union. */
typedef struct outline {
    int count;
    double corners[MOST_CORNERS][2];
} outline;

static const outline square = {4,
                               {{-DLZ_SQUARE_SIDE, -DLZ_SQUARE_SIDE},
                                {DLZ_SQUARE_SIDE, -DLZ_SQUARE_SIDE},
                                {DLZ_SQUARE_SIDE, DLZ_SQUARE_SIDE},
                                {-DLZ_SQUARE_SIDE, DLZ_SQUARE_SIDE}}};
static const outline triangle = {3, {{0, -1.496}, {1.336, 0.855}, {-1.336, 0.855}}};
static const outline triangle_down = {3, {{0, 1.496}, {-1.336, -0.855}, {1.336, -0.855}}};
static const outline diamond = {4, {{0, -1.2533}, {1.2533, 0}, {0, 1.2533}, {-1.2533, 0}}};
static const outline plus = {12,
                             {{-0.415, -1.153},
                              {0.415, -1.153},
                              {0.415, -0.415},
                              {1.153, -0.415},
                              {1.153, 0.415},
                              {0.415, 0.415},
                              {0.415, 1.153},
                              {-0.415, 1.153},
                              {-0.415, 0.415},
                              {-1.153, 0.415},
                              {-1.153, -0.415},
                              {-0.415, -0.415}}};

/* NULL for a circle. */
static const outline *outline_of(dlviz_marker marker) {
    switch (marker) {
    case DLVIZ_MARKER_SQUARE:
        return &square;
    case DLVIZ_MARKER_TRIANGLE:
        return &triangle;
    case DLVIZ_MARKER_DIAMOND:
        return &diamond;
    case DLVIZ_MARKER_TRIANGLE_DOWN:
        return &triangle_down;
    case DLVIZ_MARKER_PLUS:
        return &plus;
    default:
        return NULL;
    }
}

/* In a vector file to an eighth of a point, for there are thousands of corners. In pixels to whole
 * ones, unless markers are tiny: edges are then sharp, and all markers of a size are the same. */
static double snap(const dlz_canvas *canvas, double radius, double v) {
    double grid = canvas->vector ? 4 * canvas->unit : canvas->unit;
    bool tiny = !canvas->vector && radius * canvas->unit < least_sharp;
    return tiny ? v : round(v * grid) / grid;
}

static void add_outline(const dlz_canvas *canvas, const outline *shape, double x, double y,
                        double radius, bool backwards) {
    if (!canvas->vector) {
        x = snap(canvas, radius, x);
        y = snap(canvas, radius, y);
    }
    cairo_new_sub_path(canvas->cr);
    for (int i = 0; i < shape->count; i++) {
        const double *corner = shape->corners[backwards ? shape->count - 1 - i : i];
        cairo_line_to(canvas->cr, snap(canvas, radius, x + radius * corner[0]),
                      snap(canvas, radius, y + radius * corner[1]));
    }
}

static void add_circle(const dlz_canvas *canvas, double x, double y, double radius,
                       bool backwards) {
    if (!canvas->vector) {
        x = snap(canvas, radius, x);
        y = snap(canvas, radius, y);
    }
    cairo_new_sub_path(canvas->cr);
    if (backwards)
        cairo_arc_negative(canvas->cr, x, y, radius, 2 * M_PI, 0);
    else
        cairo_arc(canvas->cr, x, y, radius, 0, 2 * M_PI);
}

static void add(const dlz_canvas *canvas, dlviz_marker marker, double x, double y, double radius,
                bool backwards) {
    const outline *shape = outline_of(marker);
    if (shape)
        add_outline(canvas, shape, x, y, radius, backwards);
    else
        add_circle(canvas, x, y, radius, backwards);
}

void dlz_marker_path(const dlz_canvas *canvas, dlviz_marker marker, double x, double y,
                     double diameter) {
    add(canvas, marker, x, y, diameter / 2, false);
    cairo_close_path(canvas->cr);
}

void dlz_look_path(const dlz_canvas *canvas, dlz_look look, double x, double y, double diameter) {
    add(canvas, look.marker, x, y, diameter / 2, false);
    if (look.hollow)
        add(canvas, look.marker, x, y, diameter / 4, true);
}

void dlz_ring_path(const dlz_canvas *canvas, dlviz_marker marker, double x, double y,
                   double diameter, int rings) {
    double step = fmax(1.6, 0.22 * diameter);
    for (int ring = 0; ring < rings; ring++)
        dlz_marker_path(canvas, marker, x, y, diameter + 0.8 + 2 * step * ring);
}

void dlz_arrow_path(const dlz_canvas *canvas, double from_x, double from_y, double x, double y,
                    double length) {
    double dx = x - from_x, dy = y - from_y, all = fmax(hypot(dx, dy), 1e-9);
    dx *= length / all;
    dy *= length / all;
    cairo_move_to(canvas->cr, x, y);
    cairo_line_to(canvas->cr, x - dx - 0.5 * dy, y - dy + 0.5 * dx);
    cairo_line_to(canvas->cr, x - dx + 0.5 * dy, y - dy - 0.5 * dx);
    cairo_close_path(canvas->cr);
}
