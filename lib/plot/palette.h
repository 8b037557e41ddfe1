/* plot/palette.h - colors of classes, and color maps. */
#ifndef DLZ_PALETTE_H
#define DLZ_PALETTE_H

#include <dlviz/plot.h>

typedef struct dlz_color {
    double r, g, b; /* sRGB, 0 to 1 */
} dlz_color;

typedef enum dlz_marker {
    DLZ_MARKER_CIRCLE,
    DLZ_MARKER_SQUARE,
    DLZ_MARKER_TRIANGLE,
    DLZ_MARKER_DIAMOND,
    DLZ_MARKER_COUNT
} dlz_marker;

/* The color and marker of a class (0 or more): unique up to 120 classes, then repeating. */
dlz_color dlz_class_color(int class);
dlz_marker dlz_class_marker(int class);
/* The map's color at t, clamped to 0 … 1. BLUES, VIRIDIS, GRAY and DIVERGING only. */
dlz_color dlz_colormap_at(dlviz_colormap map, double t);
/* `share` of the way from one color to the other. */
dlz_color dlz_color_mix(dlz_color from, dlz_color to, double share);
/* Relative luminance (WCAG 2.1): 0 black, 1 white. */
double dlz_luminance(dlz_color color);

#endif
