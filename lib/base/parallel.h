/* base/parallel.h - one pool of threads for the whole process.
 *
 * Work is cut into tiles whose number depends on the problem alone. Which worker runs which tile is
 * left to chance, so a tile may write only what no other tile writes; sums over tiles are stored by
 * tile and added in tile order afterwards. Then results are the same for any number of threads. */
#ifndef DLZ_PARALLEL_H
#define DLZ_PARALLEL_H

#include <stdint.h>

#define DLZ_MAX_THREADS 256

/* `worker` is 0 … max_workers − 1 and no two tiles running at one time have the same: it picks the
 * scratch memory. */
typedef void (*dlz_tile_fn)(void *context, int64_t tile, int worker);

/* Runs tiles 0 … tiles − 1, on at most max_workers threads, the calling one among them; returns
 * when all are done. Cannot fail. Called from inside a tile, or while another thread's work has the
 * pool, it runs all tiles on the calling thread. */
void dlz_parallel_for(int64_t tiles, int max_workers, dlz_tile_fn function, void *context);

/* The number of threads in force now; what max_workers and the number of scratch blocks come from. It is
 * asked once for both: any thread may change it at any time. */
int dlz_threads(void);

#endif
