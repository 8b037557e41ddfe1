#include "pca/leaves.h"
#include "base/base.h"
#include "base/parallel.h"

#include <string.h>

static dlz_leaves cut(dlz_leaves leaves, int64_t tile_rows) {
    leaves.tile_rows = tile_rows;
    for (int l = 0; l < leaves.count; l++) {
        int64_t rows = leaves.first[l + 1] - leaves.first[l];
        leaves.tiles[l + 1] = leaves.tiles[l] + dlz_max_i64(1, dlz_ceil_div(rows, tile_rows));
    }
    return leaves;
}

dlz_leaves dlz_leaves_of(const dlviz_comm *comm, int64_t rows, int64_t tile_rows) {
    dlz_share own = dlz_comm_leaves(comm, dlz_comm_rank(comm));
    dlz_leaves leaves = {.count = (int)own.count, .most = dlz_ceil_div(rows, DLZ_LEAVES)};
    for (int l = 0; l < leaves.count; l++)
        leaves.first[l + 1] = leaves.first[l] + dlz_leaf(rows, (int)own.first + l).count;
    return cut(leaves, tile_rows);
}

dlz_leaves dlz_leaves_whole(int64_t rows, int64_t tile_rows) {
    dlz_leaves leaves = {.count = 1, .most = rows, .first = {0, rows}};
    return cut(leaves, tile_rows);
}

dlz_rows dlz_leaves_tile(const dlz_leaves *leaves, int64_t tile) {
    int leaf = 0;
    while (leaves->tiles[leaf + 1] <= tile)
        leaf++;
    int64_t first = leaves->first[leaf] + (tile - leaves->tiles[leaf]) * leaves->tile_rows;
    return (dlz_rows){leaf, first, dlz_min_i64(leaves->tile_rows, leaves->first[leaf + 1] - first)};
}

dlz_group dlz_leaves_group(const dlz_leaves *leaves, int64_t groups, int64_t job) {
    int64_t leaf = job / groups, group = job % groups, tile_rows = leaves->tile_rows;
    int64_t first = leaves->tiles[leaf], tiles = leaves->tiles[leaf + 1] - first;
    dlz_group found = {.tile = first + group * tiles / groups,
                       .last = first + (group + 1) * tiles / groups};
    int64_t row = leaves->first[leaf] + (found.tile - first) * tile_rows;
    int64_t end = leaves->first[leaf] + (found.last - first) * tile_rows;
    found.rows = (dlz_rows){(int)leaf, row, dlz_min_i64(end, leaves->first[leaf + 1]) - row};
    return found;
}

typedef struct sum_pass {
    double *sums, *total; /* total: NULL where the leaves stay apart */
    int64_t leaves, groups, cells;
} sum_pass;

#define RANGE 8192

static void add_range(void *context, int64_t tile, int worker) {
    (void)worker;
    const sum_pass *pass = context;
    int64_t first = tile * RANGE, count = dlz_min_i64(RANGE, pass->cells - first);
    double *sums = pass->sums + first;
    int64_t stride = pass->groups * pass->cells;
    for (int64_t leaf = 0; leaf < pass->leaves; leaf++)
        for (int64_t group = 1; group < pass->groups; group++)
            for (int64_t i = 0; i < count; i++)
                sums[leaf * stride + i] += sums[leaf * stride + group * pass->cells + i];
    if (!pass->total)
        return;
    for (int64_t distance = 1; distance < pass->leaves; distance *= 2)
        for (int64_t leaf = 0; leaf + distance < pass->leaves; leaf += 2 * distance)
            for (int64_t i = 0; i < count; i++)
                sums[leaf * stride + i] += sums[(leaf + distance) * stride + i];
    memcpy(pass->total + first, sums, (size_t)count * sizeof *sums);
}

dlviz_status dlz_leaves_sum(dlviz_comm *comm, double *sums, int64_t groups, int64_t cells,
                            double *total) {
    int64_t leaves = dlz_comm_leaves(comm, dlz_comm_rank(comm)).count;
    sum_pass pass = {sums, comm ? NULL : total, leaves, groups, cells};
    dlz_parallel_for(dlz_ceil_div(cells, RANGE), dlz_threads(), add_range, &pass);
    return comm ? dlz_comm_sum_doubles(comm, sums, groups * cells, cells, DLZ_LEAVES, total)
                : DLVIZ_OK;
}
