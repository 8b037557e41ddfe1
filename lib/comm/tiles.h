/* comm/tiles.h - tiles of work that ranks share: each runs some, all receive what all have made.
 *
 * Tiles are dealt to ranks in turn, or by their weights, so that what makes some of them longer
 * than others is likely to meet all ranks alike, and in rounds, after each of which all go on only
 * if all do: a rank's cancelling need not wait for the end. Neither rounds nor ranks change what a
 * tile makes. */
#ifndef DLZ_COMM_TILES_H
#define DLZ_COMM_TILES_H

#include "base/parallel.h"
#include "base/progress.h"

#include <dlviz/comm.h>

typedef struct dlz_comm_tiles {
    int64_t count;
    int workers; /* at most, of this rank */
    double cost; /* of all tiles, in multiplications; the same on all ranks, as is `count` */
    dlz_tile_fn run;
    void *context;
    bool told; /* reports, and may be cancelled */
    /* How long a tile takes, compared with others; NULL: all alike. The same on all ranks. */
    int64_t (*weight)(const void *context, int64_t tile);
    /* What a tile makes: how many bytes, the same on all ranks, and a copy of them, out of where it
     * has left them, or in to there. */
    int64_t (*size)(const void *context, int64_t tile);
    void (*copy)(void *context, int64_t tile, unsigned char *bytes, bool in);
    /* Or, with neither: a tile makes `a_tile` of an array's things. */
    void *data;
    int64_t things, a_tile;
    size_t thing_size;
} dlz_comm_tiles;

/* Runs the tiles, as dlz_parallel_for or its _task where there is one rank. `status` is how this
 * rank fares by now: where it is a failure it runs nothing, and the call fails on all ranks, as it
 * does where one of them fails here. */
dlviz_status dlz_comm_run_tiles(dlviz_comm *comm, dlviz_status status, const dlz_comm_tiles *tiles);

/* DLZ_TASK, which begins on all ranks or, where one of them does not want it to, on none. Only an
 * outermost task asks, and it is that on all ranks. */
#define DLZ_SHARED_TASK(comm, name)                                                                \
    dlz_task dlz_task_ __attribute__((unused, cleanup(dlz_task_end))) = {.outer = NULL};           \
    dlviz_status dlz_begun_ = dlz_task_begin(&dlz_task_, name);                                    \
    DLZ_TRY(dlz_task_.outer ? DLVIZ_OK : dlz_comm_agree(comm, dlz_begun_))

#endif
