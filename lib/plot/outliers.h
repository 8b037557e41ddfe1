/* plot/outliers.h - the range that shows nearly all of some points, when a few are far away. */
#ifndef DLZ_OUTLIERS_H
#define DLZ_OUTLIERS_H

#include <dlviz/status.h>

enum { DLZ_MAX_MAP_DIMS = 3 };

typedef struct dlz_extent {
    double low[DLZ_MAX_MAP_DIMS], high[DLZ_MAX_MAP_DIMS];
    int64_t outside; /* points */
} dlz_extent;

/* The extent of n points of `dims` (1 to 3) coordinates, all finite; those that lie outside of it
 * are marked in `outside` (n), if that is not NULL. Without `clip` it holds all of them. With it,
 * of 8 points or more, those are outside that lie further than two lengths from the range of all
 * points but one in 200 at either end of each coordinate: so the extent is less than a third of
 * what it would be with them. Ten places near each other are no outliers, however far they are from
 * all others, nor is anything if there were more than one in 100. One scale for all coordinates: a
 * length is that of the longest of their ranges. */
dlviz_status dlz_find_extent(const float *points, int64_t n, int dims, bool clip, bool *outside,
                             dlz_extent *extent);

#endif
