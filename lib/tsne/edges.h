/* tsne/edges.h - affinities packed for the descent. */
#ifndef DLZ_EDGES_H
#define DLZ_EDGES_H

#include "tsne/affinities.h"
#include "kernels/embed/attract.h"

#include <stdbool.h>

/* A zeroed struct is ready. */
typedef struct dlz_packed_edges {
    int64_t n;
    bool is_wide;
    int64_t *groups;
    int32_t *bases, *wide;
    uint16_t *columns, *values;
    float *scales;
    int32_t *place; /* the new number of an old point */
} dlz_packed_edges;

/* Packs the affinities with the points renumbered: the new point i is the old point order[i]. */
dlviz_status dlz_edges_pack(dlz_packed_edges *packed, const dlz_affinities *affinities,
                            const int32_t *order);
static inline dlz_edges dlz_edges_of(const dlz_packed_edges *packed) {
    return (dlz_edges){packed->groups,  packed->bases,  packed->wide,
                       packed->columns, packed->values, packed->scales};
}
void dlz_edges_free(dlz_packed_edges *packed);

#endif
