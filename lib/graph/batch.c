#include "graph/batch.h"
#include "base/base.h"
#include "base/parallel.h"

#include <string.h>

dlz_batch dlz_batch_here(int64_t n, bool gradients) {
    return (dlz_batch){.all = n, .leaves = gradients && n % DLZ_LEAVES == 0 ? DLZ_LEAVES : 1};
}

/* Ranks first … end − 1 have the leaves from `leaf` on, `leaves` of them. */
static int64_t first_leaf(int64_t first, int64_t end, int64_t leaf, int64_t leaves, int64_t rank) {
    while (end - first > 1) {
        int64_t middle = first + (end - first + 1) / 2;
        leaves /= 2;
        if (rank < middle) {
            end = middle;
        } else {
            first = middle;
            leaf += leaves;
        }
    }
    return leaf;
}

int64_t dlz_batch_first_leaf(const dlz_batch *batch, int rank) {
    int ranks = dlz_comm_size(batch->comm);
    return rank == ranks ? DLZ_LEAVES : first_leaf(0, ranks, 0, DLZ_LEAVES, rank);
}

dlz_batch dlz_batch_shared(int64_t n, dlviz_comm *comm, int64_t *own) {
    dlz_batch batch = dlz_batch_here(n, true);
    *own = n;
    if (dlz_comm_size(comm) == 1 || batch.leaves == 1)
        return batch;
    int rank = dlz_comm_rank(comm);
    batch.comm = comm;
    int64_t first = dlz_batch_first_leaf(&batch, rank), leaf = n / DLZ_LEAVES;
    batch.first = first * leaf;
    *own = (dlz_batch_first_leaf(&batch, rank + 1) - first) * leaf;
    return batch;
}

dlz_share dlz_batch_share(const dlz_batch *batch, int rank) {
    if (!batch->comm)
        return (dlz_share){0, batch->all};
    int64_t leaf = batch->all / DLZ_LEAVES, first = dlz_batch_first_leaf(batch, rank);
    return (dlz_share){first * leaf, (dlz_batch_first_leaf(batch, rank + 1) - first) * leaf};
}

bool dlz_batch_shares(const dlz_batch *batch, int64_t groups) {
    int64_t least = DLZ_LEAVES;
    for (int rank = 0; rank < dlz_comm_size(batch->comm); rank++)
        least = dlz_min_i64(least, dlz_batch_first_leaf(batch, rank + 1) -
                                       dlz_batch_first_leaf(batch, rank));
    return groups * least >= DLZ_LEAVES;
}

dlviz_status dlz_batch_gather(const dlz_batch *batch, void *array, int64_t parts, int64_t bytes) {
    int64_t offsets[DLZ_LEAVES + 1];
    int ranks = dlz_comm_size(batch->comm);
    if (ranks == 1)
        return DLVIZ_OK;
    for (int rank = 0; rank <= ranks; rank++)
        offsets[rank] = dlz_batch_first_leaf(batch, rank) * parts / DLZ_LEAVES * bytes;
    return dlz_comm_gather_pieces(batch->comm, array, offsets);
}

int64_t dlz_batch_together(const dlz_batch *batch, int64_t wanted) {
    wanted = dlz_max_i64(1, wanted);
    if (batch->leaves == 1)
        return wanted;
    int64_t leaf = batch->all / batch->leaves;
    wanted = dlz_min_i64(wanted, leaf);
    while (leaf % wanted != 0)
        wanted--;
    return wanted;
}

int64_t dlz_batch_groups(const dlz_batch *batch, int64_t wanted) {
    wanted = dlz_max_i64(1, wanted);
    if (batch->leaves == 1)
        return wanted;
    int64_t groups = batch->leaves;
    while (groups > wanted)
        groups /= 2;
    return groups;
}

int64_t dlz_batch_part(const dlz_batch *batch, int64_t parts, int64_t n) {
    return n == batch->all ? parts : parts * n / batch->all;
}

int64_t dlz_batch_parts(const dlz_batch *batch, int64_t n, int64_t tiles) {
    if (batch->leaves == 1)
        return 1;
    int64_t parts = n * batch->leaves / batch->all;
    while (tiles % parts != 0)
        parts /= 2;
    return parts;
}

dlviz_status dlz_spread_gather(const dlz_spread *spread, dlviz_comm *comm, float *numbers) {
    int64_t offsets[DLZ_LEAVES + 1];
    for (int rank = 0; rank <= dlz_comm_size(comm); rank++)
        offsets[rank] = spread->ends[rank] * (int64_t)sizeof *numbers;
    return dlz_comm_gather_pieces(comm, numbers, offsets);
}

/* Numbers a tile sums: of all arrays together what a core's cache holds. */
#define TILE 4096

typedef struct pair_pass {
    float *arrays, *sum;
    int64_t stride, count, size;
} pair_pass;

static void add(float *restrict to, const float *restrict from, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] += from[i];
}

static void pair_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const pair_pass *pass = context;
    int64_t first = tile * TILE, count = dlz_min_i64(TILE, pass->size - first);
    float *arrays = pass->arrays + first;
    for (int64_t step = 1; step < pass->count; step *= 2)
        for (int64_t i = 0; i + step < pass->count; i += 2 * step)
            add(arrays + i * pass->stride, arrays + (i + step) * pass->stride, count);
    if (pass->sum + first != arrays)
        memcpy(pass->sum + first, arrays, (size_t)count * sizeof *arrays);
}

void dlz_sum_pairs(float *arrays, int64_t stride, int64_t count, int64_t size, int workers,
                   float *sum) {
    pair_pass pass = {arrays, sum, stride, count, size};
    dlz_parallel_for(dlz_ceil_div(size, TILE), workers, pair_tile, &pass);
}
