/* plot/strip.h - a map of one column: where points go that have nearly the same value. */
#ifndef DLZ_STRIP_H
#define DLZ_STRIP_H

#include <dlviz/status.h>

/* Places n points that lie at x along a strip of the given height. Those within one `diameter` of
 * x are stacked, sorted by `order` (their classes; NULL: as they come), evenly around y = 0, a
 * diameter apart or, if any stack would not fit, all as close as the highest needs. `skip` (n or
 * NULL) marks points that are left out. */
dlviz_status dlz_stack(int64_t n, const double *x, const int32_t *order, const bool *skip,
                       double diameter, double height, double *y);

#endif
