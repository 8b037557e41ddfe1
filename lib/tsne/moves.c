#include "tsne/moves.h"
#include "base/base.h"
#include "comm/comm.h"

#define SUMS 3
#define ALIGNMENT 64

static int64_t tiles_of(const dlz_moves *moves, int rank) {
    return moves->cuts[rank + 1] - moves->cuts[rank];
}

/* Bytes: whether it is cancelled takes as much as a sum. */
static int64_t head_size(const dlz_moves *moves, int rank) {
    return (1 + SUMS * tiles_of(moves, rank)) * (int64_t)sizeof(double);
}

static int64_t piece_size(const dlz_moves *moves, int rank) {
    int64_t points = dlz_min_i64(moves->n, moves->cuts[rank + 1] * moves->tile) -
                     dlz_min_i64(moves->n, moves->cuts[rank] * moves->tile);
    int64_t size = head_size(moves, rank) + points * moves->dimensions * (int64_t)sizeof(float);
    return dlz_ceil_div(size, ALIGNMENT) * ALIGNMENT;
}

static dlviz_status reserve(dlz_moves *moves, int ranks, int64_t tiles) {
    if (!moves->offsets) {
        moves->offsets = dlz_alloc_array((uint64_t)ranks + 1, sizeof *moves->offsets);
        moves->rank_of = dlz_alloc_array((uint64_t)tiles, sizeof *moves->rank_of);
    }
    if (!moves->offsets || !moves->rank_of)
        return dlz_fail_memory("the descent", (uint64_t)tiles * sizeof *moves->rank_of);
    moves->offsets[0] = 0;
    for (int rank = 0; rank < ranks; rank++)
        moves->offsets[rank + 1] = moves->offsets[rank] + piece_size(moves, rank);
    int64_t size = moves->offsets[ranks];
    if (size <= moves->capacity)
        return DLVIZ_OK;
    dlz_free(moves->pieces);
    moves->capacity = 0;
    moves->pieces = dlz_alloc_array((uint64_t)size, 1);
    if (!moves->pieces)
        return dlz_fail_memory("the descent", (uint64_t)size);
    moves->capacity = size;
    return DLVIZ_OK;
}

dlviz_status dlz_moves_begin(dlz_moves *moves, dlviz_comm *comm, int64_t n, int dimensions,
                             int64_t tile, const int64_t *cuts) {
    moves->comm = comm;
    moves->n = n;
    moves->dimensions = dimensions;
    moves->tile = tile;
    moves->cuts = cuts;
    int ranks = dlz_comm_size(comm);
    DLZ_TRY(reserve(moves, ranks, dlz_ceil_div(n, tile)));
    for (int rank = 0; rank < ranks; rank++)
        for (int64_t t = cuts[rank]; t < cuts[rank + 1]; t++)
            moves->rank_of[t] = rank;
    return DLVIZ_OK;
}

double *dlz_moves_sums(const dlz_moves *moves, int64_t tile) {
    int rank = moves->rank_of[tile];
    return (double *)(void *)(moves->pieces + moves->offsets[rank]) + 1 +
           SUMS * (tile - moves->cuts[rank]);
}

float *dlz_moves_tile(const dlz_moves *moves, int64_t tile) {
    int rank = moves->rank_of[tile];
    char *piece = moves->pieces + moves->offsets[rank] + head_size(moves, rank);
    return (float *)(void *)piece + (tile - moves->cuts[rank]) * moves->tile * moves->dimensions;
}

dlviz_status dlz_moves_gather(dlz_moves *moves, dlviz_status status, int iterations) {
    int ranks = dlz_comm_size(moves->comm), own = dlz_comm_rank(moves->comm);
    if (ranks == 1)
        return status;
    *(int64_t *)(void *)(moves->pieces + moves->offsets[own]) = status != DLVIZ_OK;
    DLZ_TRY(dlz_comm_gather_pieces(moves->comm, moves->pieces, moves->offsets));
    DLZ_TRY(status);
    for (int rank = 0; rank < ranks; rank++)
        if (*(const int64_t *)(const void *)(moves->pieces + moves->offsets[rank]) != 0)
            return dlz_fail(DLVIZ_CANCELLED, "rank %d cancelled t-SNE after %d iterations", rank,
                            iterations);
    return DLVIZ_OK;
}

void dlz_moves_free(dlz_moves *moves) {
    dlz_free(moves->offsets);
    dlz_free(moves->pieces);
    dlz_free(moves->rank_of);
    *moves = (dlz_moves){0};
}
