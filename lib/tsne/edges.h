/* tsne/edges.h - affinities packed for the descent. */
#ifndef DLZ_EDGES_H
#define DLZ_EDGES_H

#include "tsne/affinities.h"
#include "kernels/embed/attract.h"

#include <stdbool.h>

/* A zeroed struct is ready. */
typedef struct dlz_packed_edges {
    int64_t n, first, last;
    bool is_wide;
    int64_t *groups;
    int32_t *bases, *wide;
    uint16_t *columns, *values;
    float *scales;
    int32_t *place; /* the new number of an old point */
} dlz_packed_edges;

/* Packs the affinities with the points renumbered: the new point i is the old point order[i]. A rank
 * of a communicator packs the new rows first ... last - 1 alone; of rows that ranks have, each has
 * some. One that fails for want of memory does so alone. */
dlviz_status dlz_edges_pack(dlz_packed_edges *packed, const dlz_affinities *affinities,
                            const int32_t *order, dlviz_comm *comm, int64_t first, int64_t last);
static inline dlz_edges dlz_edges_of(const dlz_packed_edges *packed) {
    return (dlz_edges){packed->groups,  packed->bases,  packed->wide,
                       packed->columns, packed->values, packed->scales};
}
void dlz_edges_free(dlz_packed_edges *packed);

#endif
