/* pca/leaves.h - rows cut into leaves, leaves into tiles and groups of tiles, and sums over them.
 *
 * All sums over rows go along the tree of comm/comm.h, with one process as with many: a leaf's rows
 * are summed in order, tile by tile, and leaves in pairs. Leaves without rows are sums of zeros,
 * which change no bits: no sum here is -0. */
#ifndef DLZ_PCA_LEAVES_H
#define DLZ_PCA_LEAVES_H

#include "comm/comm.h"

#include <stdint.h>

typedef struct dlz_leaves {
    int count;                     /* this rank's */
    int64_t most;                  /* rows of the largest of all */
    int64_t first[DLZ_LEAVES + 1]; /* the row of this rank's where each begins, and where all end */
    int64_t tile_rows;
    int64_t tiles[DLZ_LEAVES + 1]; /* likewise, the tile */
} dlz_leaves;

typedef struct dlz_rows {
    int leaf;
    int64_t first, count;
} dlz_rows;

/* Of so many rows of all ranks; a leaf's last tile may be smaller, and each leaf has one. */
dlz_leaves dlz_leaves_of(const dlviz_comm *comm, int64_t rows, int64_t tile_rows);
/* One leaf of all of a process's rows. */
dlz_leaves dlz_leaves_whole(int64_t rows, int64_t tile_rows);
dlz_rows dlz_leaves_tile(const dlz_leaves *leaves, int64_t tile);

/* Group `job` of all leaves' groups, of which each has so many: tiles from `tile` to `last`, the rows
 * of which are `rows`. */
typedef struct dlz_group {
    int64_t tile, last;
    dlz_rows rows;
} dlz_group;
dlz_group dlz_leaves_group(const dlz_leaves *leaves, int64_t groups, int64_t job);

/* A lone process adds leaves as a binary counter counts: leaf l is summed in a place of its own, and
 * then so many times the last place is added to the one before it. It takes DLZ_LEAF_PLACES. */
#define DLZ_LEAF_PLACES 4
static inline int dlz_leaf_place(int leaf) {
    return __builtin_popcount((unsigned)leaf);
}
static inline int dlz_leaf_merges(int leaf) {
    return __builtin_ctz(~(unsigned)leaf);
}

/* Adds the `groups` sums, of `cells` numbers, of each of this rank's leaves in order, and then all
 * leaves along the tree. Uses `sums` up; `total`, the same on all ranks, lies elsewhere. */
dlviz_status dlz_leaves_sum(dlviz_comm *comm, double *sums, int64_t groups, int64_t cells,
                            double *total);

#endif
