#include "base/progress.h"

#include <math.h>
#include <stdatomic.h>
#include <time.h>

#define INTERVAL 0.1 /* seconds from one call to the next */

struct dlviz_progress_event {
    const char *task;
    double share;
};

static _Thread_local struct {
    dlviz_progress_fn function;
    void *user;
    dlz_task *task; /* the innermost */
    double next;    /* when the function is called again */
    double share;   /* that it was told last */
    bool telling;
    bool cancelled; /* inside a tile, which cannot say so */
} mine;

void dlviz_set_progress(dlviz_progress_fn progress, void *user) {
    mine.function = progress;
    mine.user = user;
}

const char *dlviz_progress_event_task(const dlviz_progress_event *event) {
    return event ? event->task : NULL;
}

double dlviz_progress_event_share(const dlviz_progress_event *event) {
    return event ? event->share : NAN;
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static dlviz_status tell(double share) {
    const dlz_task *outermost = mine.task;
    while (outermost->outer)
        outermost = outermost->outer;
    mine.share = fmax(mine.share, fmin(share, 1));
    dlviz_progress_event event = {outermost->name, mine.share};
    mine.telling = true;
    bool goes_on = mine.function(&event, mine.user);
    mine.telling = false;
    mine.next = now() + INTERVAL;
    if (goes_on)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_CANCELLED, "%s: cancelled by the thread's progress function", event.task);
}

static bool is_told(void) {
    return mine.function && mine.task && !mine.telling;
}

dlviz_status dlz_task_begin(dlz_task *task, const char *name) {
    dlz_task *outer = mine.task;
    *task = (dlz_task){.outer = outer, .name = name, .to = 1, .part_to = 1};
    if (outer) {
        task->from = task->part_from = outer->part_from;
        task->to = task->part_to = outer->part_to;
    }
    mine.task = task;
    if (outer)
        return DLVIZ_OK;
    mine.share = 0;
    mine.cancelled = false;
    return is_told() ? tell(0) : DLVIZ_OK;
}

void dlz_task_end(dlz_task *task) {
    if (mine.task == task)
        mine.task = task->outer;
}

void dlz_task_part(double from, double to) {
    dlz_task *task = mine.task;
    if (!task)
        return;
    task->part_from = task->from + from * (task->to - task->from);
    task->part_to = task->from + to * (task->to - task->from);
}

dlviz_status dlz_task_report(double share) {
    if (!is_told() || now() < mine.next)
        return DLVIZ_OK;
    const dlz_task *task = mine.task;
    return tell(task->part_from + share * (task->part_to - task->part_from));
}

typedef struct told_job {
    dlz_tile_fn function;
    void *context;
    int64_t tiles;
    atomic_int_fast64_t done;
    atomic_bool cancelled;
    dlviz_status status; /* the calling thread's */
} told_job;

/* Worker 0 is the calling thread. */
static void told_tile(void *context, int64_t tile, int worker) {
    told_job *job = context;
    if (atomic_load_explicit(&job->cancelled, memory_order_relaxed))
        return;
    job->function(job->context, tile, worker);
    int64_t done = (int64_t)atomic_fetch_add_explicit(&job->done, 1, memory_order_relaxed) + 1;
    if (worker != 0)
        return;
    job->status =
        mine.cancelled ? DLVIZ_CANCELLED : dlz_task_report((double)done / (double)job->tiles);
    mine.cancelled = false;
    if (job->status != DLVIZ_OK)
        atomic_store_explicit(&job->cancelled, true, memory_order_relaxed);
}

dlviz_status dlz_parallel_for_task(int64_t tiles, int max_workers, dlz_tile_fn function,
                                   void *context) {
    if (!is_told()) {
        dlz_parallel_for(tiles, max_workers, function, context);
        return DLVIZ_OK;
    }
    told_job job = {.function = function, .context = context, .tiles = tiles};
    dlz_parallel_for(tiles, max_workers, told_tile, &job);
    return job.status;
}

bool dlz_task_goes_on(void) {
    if (mine.cancelled || !is_told() || now() < mine.next)
        return !mine.cancelled;
    mine.cancelled = tell(mine.share) != DLVIZ_OK;
    return !mine.cancelled;
}
