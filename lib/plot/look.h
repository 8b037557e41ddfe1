/* plot/look.h - what the points of a map look like. */
#ifndef DLZ_LOOK_H
#define DLZ_LOOK_H

#include "plot/figure.h"
#include "plot/palette.h"

/* That of a class, or, below 0, of a point without one. */
dlz_look dlz_look_of(const dlz_scatter *scatter, int label);

/* The color of a value at a share of the range that is shown. */
dlz_color dlz_value_color(const dlviz_figure *figure, double share);

#endif
