/* plot/palette.h - colors of classes, and color maps. */
#ifndef DLZ_PALETTE_H
#define DLZ_PALETTE_H

#include <dlviz/plot.h>

typedef struct dlz_color {
    double r, g, b; /* sRGB, 0 to 1 */
} dlz_color;

/* The one palette: of maps, curves and pages, 0xRRGGBB. Each color has a contrast of 3:1 or more to
 * white and to black, any two are at least 0.11 apart in OKLab, 0.088 for readers without one kind
 * of cones, and those that share a marker among the first ten classes at least 10 in lightness. */
enum { DLZ_NUM_COLORS = 10, DLZ_NUM_MARKERS = DLVIZ_MARKER_PLUS };
extern const uint32_t dlz_class_rgb[DLZ_NUM_COLORS];

/* What the points of a class look like. */
typedef struct dlz_look {
    dlz_color color;
    dlviz_marker marker; /* not AUTO */
    bool hollow;
} dlz_look;

/* Of a class of 0 or more: unique up to 120 classes, then repeating. Of one below 0: gray. */
dlz_look dlz_class_look(int class);
dlz_color dlz_class_color(int class);
dlz_color dlz_color_of_rgb(uint32_t rgb);
uint32_t dlz_rgb_of_color(dlz_color color);
/* The map's color at t, clamped to 0 … 1. BLUES, VIRIDIS, GRAY and DIVERGING only. */
dlz_color dlz_colormap_at(dlviz_colormap map, double t);
/* `share` of the way from one color to the other. */
dlz_color dlz_color_mix(dlz_color from, dlz_color to, double share);
/* Relative luminance (WCAG 2.1): 0 black, 1 white. */
double dlz_luminance(dlz_color color);

#endif
