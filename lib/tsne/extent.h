/* tsne/extent.h - how wide a map is, and may be. */
#ifndef DLZ_EXTENT_H
#define DLZ_EXTENT_H

#include <dlviz/status.h>

/* Half the width of the widest map: what no t-SNE gives, and with any number of points far from
 * where the fourth powers of distances overflow. */
#define DLZ_WIDEST_MAP 1e7f
/* The least and the greatest coordinate, each dimension. Fails with DLVIZ_ERROR_NUMERIC when a
 * coordinate is not a number of -DLZ_WIDEST_MAP to DLZ_WIDEST_MAP. */
dlviz_status dlz_require_extent(const float *map, int64_t n, int dimensions, float least[3],
                                float greatest[3]);

#endif
