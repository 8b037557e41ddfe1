/* tsne/moves.h - where ranks have moved their points, told to all of them. */
#ifndef DLZ_MOVES_H
#define DLZ_MOVES_H

#include <dlviz/comm.h>

/* Keeps its memory; a zeroed struct is ready. A piece of it is a rank's: whether it is cancelled, three
 * sums for each of its tiles, and its points' coordinates. */
typedef struct dlz_moves {
    dlviz_comm *comm;
    int64_t n, tile, capacity;
    int dimensions;
    const int64_t *cuts; /* ranks + 1: tiles */
    int64_t *offsets;    /* ranks + 1: bytes */
    char *pieces;
    int32_t *rank_of; /* a tile */
} dlz_moves;

/* Room for n points in tiles of so many, of which ranks have those from cuts[rank] on; the cuts stay
 * while this is in use. */
dlviz_status dlz_moves_begin(dlz_moves *moves, dlviz_comm *comm, int64_t n, int dimensions,
                             int64_t tile, const int64_t *cuts);
/* A tile's coordinates and sums: this rank's to be written before they are gathered, then all to be
 * read. */
float *dlz_moves_tile(const dlz_moves *moves, int64_t tile);
double *dlz_moves_sums(const dlz_moves *moves, int64_t tile);
/* Gives all ranks all of them. DLVIZ_CANCELLED, on all ranks, where that is the status of one; its own
 * sentence is left to it. Without a communicator, does nothing. */
dlviz_status dlz_moves_gather(dlz_moves *moves, dlviz_status status, int iterations);
void dlz_moves_free(dlz_moves *moves);

#endif
