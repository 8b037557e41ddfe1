/* tsne/repulsion.h - the repulsion between all points of a map, by one of several methods.
 *
 * With s = (1 + d^2 / a)^-a and w = 1 / (1 + d^2 / a), the force on point i is the sum over j of
 * s w (y_i - y_j), and Z the sum of s over all ordered pairs i != j.
 *
 * The ranks of a communicator share the work. They call with the same map and settings, and all
 * receive all forces, and Z, to the bits of one process. A rank that fails for want of memory does so
 * alone, and has yet to tell the others (dlz_comm_fail). */
#ifndef DLZ_REPULSION_H
#define DLZ_REPULSION_H

#include <dlviz/comm.h>
#include <dlviz/tsne.h>

typedef struct dlz_repulsion dlz_repulsion;

typedef struct dlz_repulsion_settings {
    dlviz_tsne_method_kind method;
    int64_t n;
    int dimensions;
    double a;     /* degrees of freedom */
    double angle; /* Barnes-Hut */
    double cell;  /* grid: width of a cell */
    dlviz_comm *comm;
} dlz_repulsion_settings;

dlviz_status dlz_repulsion_create(dlz_repulsion **out, const dlz_repulsion_settings *settings);
void dlz_repulsion_destroy(dlz_repulsion *repulsion);

/* map and forces: n x dimensions. Where the map is not one for a grid (see dlz_grid_compute) the
 * tree takes its place. Fails only with DLVIZ_ERROR_OUT_OF_MEMORY, with DLVIZ_ERROR_NUMERIC where
 * dlz_require_extent does, and as another rank has. */
dlviz_status dlz_repulsion_compute(dlz_repulsion *repulsion, const float *map, float *forces,
                                   double *z);

/* The method of the last computation. */
dlviz_tsne_method_kind dlz_repulsion_method(const dlz_repulsion *repulsion);

/* The methods themselves. Each keeps its memory between calls; a zeroed struct is ready. */
typedef struct dlz_exact_repulsion {
    int64_t capacity;
    float *sources;
    double *sums;
    int64_t *offsets; /* ranks + 1: of pieces, in bytes */
} dlz_exact_repulsion;
dlviz_status dlz_exact_compute(dlz_exact_repulsion *exact, const dlz_repulsion_settings *settings,
                               const float *map, float *forces, double *z);
void dlz_exact_free(dlz_exact_repulsion *exact);

#endif
