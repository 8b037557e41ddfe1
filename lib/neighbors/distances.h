/* neighbors/distances.h - which points have distances at all. */
#ifndef DLZ_DISTANCES_H
#define DLZ_DISTANCES_H

#include <dlviz/tensor.h>

/* Fails with DLVIZ_ERROR_NUMERIC, naming the place, unless all values of a matrix are so small that
 * squared distances between its rows are finite. */
dlviz_status dlz_require_distances(const char *who, const char *name, const dlviz_tensor *points);

#endif
