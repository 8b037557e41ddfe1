/* plot/png.h - drawings as PNG, as small as their colors allow. */
#ifndef DLZ_PLOT_PNG_H
#define DLZ_PLOT_PNG_H

#include <dlviz/status.h>

#include "plot/bytes.h"

/* How far a pixel may be from its color, in each of red, green and blue, of 255, where that makes
 * do with 256 colors: in a drawing at the edges between two areas, whose own colors are kept within
 * DLZ_AREA_OFF (plot/colors.h); in pictures nowhere more than that. */
enum { DLZ_PNG_OFF_DRAWING = 16, DLZ_PNG_OFF_PICTURE = 2 };

/* Appends a PNG of pixels as cairo keeps them (RGB24). It has a palette if 256 colors are enough,
 * exactly or within `most_off`; it is gray if all pixels are. */
dlviz_status dlz_figure_png(dlz_bytes *to, const unsigned char *pixels, int stride, int width,
                            int height, int most_off);

#endif
