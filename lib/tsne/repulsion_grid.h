/* tsne/repulsion_grid.h - the repulsion by convolution on a grid: maps of one or two dimensions.
 */
#ifndef DLZ_REPULSION_GRID_H
#define DLZ_REPULSION_GRID_H

#include "tsne/convolution.h"
#include "tsne/readings.h"
#include "tsne/repulsion.h"
#include "kernels/embed/particles.h"

/* Columns of blocks. A rank has the points of its own ones, and sorts those of some more beside them,
 * whose near part reaches over, or whose splines do. */
typedef struct dlz_grid_columns {
    int64_t own_first, own_last, first, last;
} dlz_grid_columns;

/* Keeps its memory between calls; a zeroed struct is ready. */
typedef struct dlz_grid_repulsion {
    dlz_convolution convolution;
    float margin; /* room around the points for dlz_grid_read; 0 unless set before */
    bool prepared, small, has_near;
    float least[3];
    int64_t across, down;
    double cell;
    double pair_density, area; /* pairs in the near part a square of the cell; the map's then */
    int since;                 /* computations since the cost was looked at */
    dlz_near near;
    int64_t capacity, tiles, tile_size, all_rows, rows, columns;
    float *values; /* all_rows x stride */
    float *points; /* 7 arrays of n + 16 */
    int32_t *keys; /* 2 arrays of n */
    int32_t *counts;
    double *sums;
    /* What several ranks need. */
    int64_t *cuts;            /* ranks + 1: where their columns of blocks begin */
    dlz_column_share *shares; /* a rank */
    int64_t *numbers;         /* a tile and one more: one a rank */
    int32_t *rank_of;         /* a column of blocks */
    double *work;             /* a column of blocks: 2 */
    dlz_readings readings;
} dlz_grid_repulsion;

/* As dlz_repulsion_compute; but *z is NAN, and the forces mean nothing, when the map is not one for
 * a grid: it is too wide for places in it to be exact, or its points are so far between that the
 * grid's rounding errors would show beside what they add to each other. */
dlviz_status dlz_grid_compute(dlz_grid_repulsion *grid, const dlz_repulsion_settings *settings,
                              const float *map, float *forces, double *z);
/* Estimated nanoseconds that one core would take, for a map of this size. */
double dlz_grid_cost(const dlz_grid_repulsion *grid, const dlz_repulsion_settings *settings,
                     const double size[2]);
/* After a computation: the sum of s over its points and the force of them on another place of the
 * map, (x, y), y = 0 for one dimension. false when the place is outside the grid, or so far from
 * all points that the grid's errors count, or the map is small. Any number of threads may read at
 * once. */
bool dlz_grid_read(const dlz_grid_repulsion *grid, const float place[2], double *potential,
                   double force[2]);
void dlz_grid_free(dlz_grid_repulsion *grid);

#endif
