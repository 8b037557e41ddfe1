/* data/warp.h - images whose pixels are taken from elsewhere in them. */
#ifndef DLZ_DATA_WARP_H
#define DLZ_DATA_WARP_H

#include "data/augmentation.h"

#include <dlviz/tensor.h>

/* A map for images of one size, in pixels from the center of the first one. */
typedef struct dlz_warp {
    int64_t height, width;
    dlz_map map;
    bool whole; /* pixels come as they are: shifted by whole numbers, perhaps turned round */
} dlz_warp;

/* The map that leaves all as it is, and `first` after `then`: where a pixel comes from that comes
 * from where another does. */
extern const dlz_map dlz_map_none;
dlz_map dlz_map_compose(const dlz_map *first, const dlz_map *then);

dlz_warp dlz_warp_of(const dlz_map *map, int64_t height, int64_t width);
/* Bilinear; `fill` lies all around the image. `from` and `to` do not overlap. */
void dlz_warp_floats(const dlz_warp *warp, int64_t channels, const float *from, float fill,
                     float *to);
/* The nearest pixel. `from`: uint8 or int64. */
void dlz_warp_labels(const dlz_warp *warp, dlviz_dtype dtype, const void *from, int64_t fill,
                     int64_t *to);

#endif
