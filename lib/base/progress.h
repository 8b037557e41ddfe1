/* base/progress.h - what long calls tell the thread that made them, and whether they are to go on.
 *
 * A public function that may take long begins a task, for the rest of its block:
 *
 *     DLZ_TASK("trustworthiness");
 *
 * and asks between its pieces of work whether to go on, by dlz_task_report or by running its tiles
 * with dlz_parallel_for_task. Where the thread has no progress function both cost next to nothing.
 * A task begun within another fills the part of it that is under way, and is told of by the
 * outermost one's name. Without a task nothing is told: what serves several callers leaves it to
 * them. Functions run inside tiles on other threads have no task. */
#ifndef DLZ_PROGRESS_H
#define DLZ_PROGRESS_H

#include "base/base.h"
#include "base/parallel.h"

typedef struct dlz_task {
    struct dlz_task *outer;
    const char *name;
    double from, to;           /* this task, as shares of the outermost one's work */
    double part_from, part_to; /* what is under way, likewise */
} dlz_task;

/* The outermost task is told of at once; DLVIZ_CANCELLED when it is not to begin. dlz_task_end
 * follows in any case. */
dlviz_status dlz_task_begin(dlz_task *task, const char *name);
void dlz_task_end(dlz_task *task);
#define DLZ_TASK(name)                                                                             \
    dlz_task dlz_task_ __attribute__((unused, cleanup(dlz_task_end))) = {.outer = NULL};           \
    DLZ_TRY(dlz_task_begin(&dlz_task_, name))

/* What follows is this part of the innermost task, as shares of it. */
void dlz_task_part(double from, double to);
/* So much of that part is done. Fails with DLVIZ_CANCELLED when the work is to end. */
dlviz_status dlz_task_report(double share);
/* dlz_parallel_for that reports after each of the calling thread's tiles. When it is cancelled
 * tiles are left out, and all threads are back. */
dlviz_status dlz_parallel_for_task(int64_t tiles, int max_workers, dlz_tile_fn function,
                                   void *context);

/* For tiles that take long: whether to go on, which is asked on the calling thread when it is time.
 * Once it is false, what the tile leaves behind is not looked at. */
bool dlz_task_goes_on(void);

#endif
