/* plot/markers.h - the shapes of points. */
#ifndef DLZ_MARKERS_H
#define DLZ_MARKERS_H

#include "plot/canvas.h"

/* The side of a square marker, in diameters, also of the diamond, which is one on its corner: all
 * markers have the area of the circle. */
#define DLZ_SQUARE_SIDE 0.8862

/* The path of a marker of the given diameter, for the caller to fill. */
void dlz_marker_path(const dlz_canvas *canvas, dlviz_marker marker, double x, double y,
                     double diameter);
/* Likewise, with a hole in it where it is hollow, and not to be stroked: its ends may be open. */
void dlz_look_path(const dlz_canvas *canvas, dlz_look look, double x, double y, double diameter);
/* `rings` lines around a marker, to be stroked. */
void dlz_ring_path(const dlz_canvas *canvas, dlviz_marker marker, double x, double y,
                   double diameter, int rings);
/* A triangle that points away from (from_x, from_y), its tip at (x, y). */
void dlz_arrow_path(const dlz_canvas *canvas, double from_x, double from_y, double x, double y,
                    double length);

#endif
