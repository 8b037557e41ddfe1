/* tsne/grid_cells.h - how wide the cells of a map's grid are, and whether it has a near part: what costs
 * least of what is accurate enough. */
#ifndef DLZ_GRID_CELLS_H
#define DLZ_GRID_CELLS_H

#include "tsne/convolution.h"
#include "tsne/repulsion.h"
#include "kernels/embed/particles.h"

#define DLZ_GRID_BLOCK 4        /* cells, each way; also the near part's radius */
#define DLZ_GRID_LEAST_CELLS 40 /* across a small map */
#define DLZ_GRID_SMALL_MAP 1.0

/* Nanoseconds on one core of 2024: a grid value, and a pair of points in neighboring blocks. */
#define DLZ_GRID_COST_VALUE 0.9
#define DLZ_GRID_COST_PAIR 0.15

/* A pair density is how many pairs of points are in the near part for each square of the cell's
 * width; a size, the map's in either direction. */

typedef struct dlz_grid_cells {
    double cell, cost; /* cost: nanoseconds on one core, but for what each point costs anyway */
    bool near;
    int64_t rows, columns;
} dlz_grid_cells;

dlz_grid_cells dlz_grid_cells_of(double pair_density, double cell, bool near, const double size[2]);
dlz_grid_cells dlz_grid_cells_choose(double pair_density, const dlz_repulsion_settings *settings,
                                     const double size[2]);
/* Whether a near part is needed: cells are wide beside q; or points are so far between that the
 * grid's errors do not average out, which is where it costs next to nothing. */
bool dlz_grid_wants_near(double pair_density, double cell, double a, const double size[2]);
/* For points that lie evenly over two thirds of the map. */
double dlz_grid_guess_pair_density(int64_t n, const double size[2]);
/* What a density goes by: the map with what is near beside it, so that the flat and the tiny have
 * some. */
double dlz_grid_near_area(const double size[2], double cell);

#endif
