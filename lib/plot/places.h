/* plot/places.h - how many places points have, where some have the same. */
#ifndef DLZ_PLACES_H
#define DLZ_PLACES_H

#include <dlviz/status.h>

/* The number of different places of n points of `dims` (1 to 3) coordinates. `shared` (n) receives,
 * at the first point of each place with several, how many it has, and 0 at all others. */
dlviz_status dlz_count_places(const float *points, int64_t n, int dims, int64_t *shared,
                              int64_t *places);

#endif
