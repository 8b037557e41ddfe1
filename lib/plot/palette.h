/* plot/palette.h - colours of classes, and colour maps. */
#ifndef DLZ_PALETTE_H
#define DLZ_PALETTE_H

#include <dlviz/plot.h>

typedef struct dlz_colour {
    double r, g, b; /* sRGB, 0 to 1 */
} dlz_colour;

typedef enum dlz_marker {
    DLZ_MARKER_CIRCLE,
    DLZ_MARKER_SQUARE,
    DLZ_MARKER_TRIANGLE,
    DLZ_MARKER_DIAMOND,
    DLZ_MARKER_COUNT
} dlz_marker;

/* The colour and marker of a class (0 or more): unique up to 120 classes, then repeating. */
dlz_colour dlz_class_colour(int class);
dlz_marker dlz_class_marker(int class);
/* The map's colour at t, clamped to 0 … 1. BLUES, VIRIDIS, GRAY and DIVERGING only. */
dlz_colour dlz_colormap_at(dlviz_colormap map, double t);
/* `share` of the way from one colour to the other. */
dlz_colour dlz_colour_mix(dlz_colour from, dlz_colour to, double share);
/* Relative luminance (WCAG 2.1): 0 black, 1 white. */
double dlz_luminance(dlz_colour colour);

#endif
