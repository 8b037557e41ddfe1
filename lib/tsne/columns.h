/* tsne/columns.h - which part of a map's width is a rank's. */
#ifndef DLZ_COLUMNS_H
#define DLZ_COLUMNS_H

#include <dlviz/comm.h>

/* What takes time, in the same unit: a point, a column whatever is in it, and all that points have to
 * do with those in the same column and the two beside it. */
typedef struct dlz_column_costs {
    double point, column, pairs;
} dlz_column_costs;

/* Cuts columns 0 ... across - 1, of the given width from `least` on in the map's first dimension, into
 * runs that take about as long as each other: rank r has cuts[r] ... cuts[r + 1] - 1. Looks at some
 * thousand points. cuts: ranks + 1; work: 2 * across. */
void dlz_cut_columns(const dlviz_comm *comm, const float *map, int64_t n, int dimensions,
                     float least, float scale, int64_t across, const dlz_column_costs *costs,
                     int64_t *cuts, double *work);

#endif
