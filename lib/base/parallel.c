#include "base/parallel.h"
#include "base/base.h"
#include "base/cancel.h"
#include "base/fork.h"
#include "base/processors.h"
#include "base/reading.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() ((void)0)
#endif

/* How long a thread watches for news before it sleeps: about 50 microseconds, the price of a
 * sleep and a wake-up. */
#define SPINS 2000

/* A pool that could not start a thread waits for so many jobs before it tries again. */
#define JOBS_BEFORE_ANOTHER_TRY 1000

/* `job` is one word: the number of the job in its high half, then 16 bits for how many workers it
 * wants, 0 when it is closed, and 16 for how many have joined. Worker w, 1 or more, joins a job
 * that wants w or more of them; so the same few do all small jobs, and the others sleep on. With
 * all in one word a late worker joins either the job it saw or none: fields of the job are read
 * only after joining. */
#define JOB_NUMBER(job) ((uint32_t)((job) >> 32))
#define JOB_WANTED(job) ((int)((job) >> 16 & 0xFFFF))
#define JOB_JOINED(job) ((int)((job)&0xFFFF))

/* Where one thread sleeps. */
typedef struct bed {
    pthread_mutex_t lock;
    pthread_cond_t news;
    atomic_bool asleep; /* changed with the lock held */
} bed;

static struct {
    pthread_mutex_t submit; /* held by the thread whose job has the pool */
    pthread_t threads[DLZ_MAX_THREADS];
    bed beds[DLZ_MAX_THREADS]; /* of worker w; of the thread that waits for the workers at 0 */
    int waits;                 /* jobs until another try; guarded by `submit`, as is what starts */
    atomic_int started, online;
    atomic_bool stop;

    /* What all threads watch, where they take tiles and where they count themselves done lie
     * apart. */
    _Alignas(DLZ_ALIGNMENT) atomic_uint_fast64_t job;
    dlz_tile_fn function;
    void *context;
    dlz_reading *reading; /* of the thread whose job it is */
    int64_t tiles;
    int helpers;
    atomic_int next_to_wake;
    atomic_int processor; /* of the thread whose job it is */
    _Alignas(DLZ_ALIGNMENT) atomic_int_fast64_t next;
    _Alignas(DLZ_ALIGNMENT) atomic_int finished;
} pool = {.submit = PTHREAD_MUTEX_INITIALIZER,
          .beds = {{PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, false}}};

static atomic_int wanted_threads;
static _Thread_local bool inside_tile;

/* *ignored: what the environment says, where it is not a number of threads; else NULL. */
static int default_threads(const char **ignored) {
    const char *text = getenv("DLVIZ_NUM_THREADS");
    *ignored = NULL;
    if (text && *text) {
        char *end;
        long number = strtol(text, &end, 10);
        if (*end == '\0' && number >= 1 && number <= DLZ_MAX_THREADS)
            return (int)number;
        *ignored = text;
    }
    return (int)dlz_min_i64(dlz_processors(), DLZ_MAX_THREADS);
}

/* Once the number is set: whoever receives the line may ask for it. */
static void tell_of(const char *ignored) {
    if (ignored)
        dlz_log(DLVIZ_LOG_LEVEL_WARNING,
                "DLVIZ_NUM_THREADS=%s is not a number from 1 to %d; ignored", ignored,
                DLZ_MAX_THREADS);
}

dlviz_status dlviz_set_num_threads(int64_t num_threads) {
    if (num_threads < 0 || num_threads > DLZ_MAX_THREADS)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_set_num_threads: %lld threads; 1 to %d are accepted, or 0 for one a "
                        "processor",
                        (long long)num_threads, DLZ_MAX_THREADS);
    const char *ignored = NULL;
    atomic_store(&wanted_threads, num_threads ? (int)num_threads : default_threads(&ignored));
    tell_of(ignored);
    return DLVIZ_OK;
}

int dlz_threads(void) {
    int threads = atomic_load_explicit(&wanted_threads, memory_order_relaxed);
    if (threads == 0) {
        int expected = 0;
        const char *ignored;
        threads = default_threads(&ignored);
        if (atomic_compare_exchange_strong(&wanted_threads, &expected, threads))
            tell_of(ignored);
        else
            threads = expected;
    }
    return threads;
}

int64_t dlviz_num_threads(void) {
    return dlz_threads();
}

/* -- Sleeping ------------------------------------------------------------------------------------
 */

static void make_bed(bed *b) {
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->news, NULL);
    atomic_store(&b->asleep, false);
}

/* Lies down. The news that it would sleep for has to be looked at once more now: either it is seen
 * here, or whoever brings it sees `asleep`. */
static void lie_down(bed *b) {
    pthread_mutex_lock(&b->lock);
    atomic_store(&b->asleep, true);
}

static void sleep_until_woken(bed *b) {
    while (atomic_load(&b->asleep))
        pthread_cond_wait(&b->news, &b->lock);
    pthread_mutex_unlock(&b->lock);
}

static void get_up(bed *b) {
    atomic_store(&b->asleep, false);
    pthread_mutex_unlock(&b->lock);
}

/* The signal is given with the lock held: where the sleeper wakes on this very processor, it waits
 * for the lock, and the one that woke it can go on. */
static void wake(bed *b) {
    if (!atomic_load(&b->asleep))
        return;
    pthread_mutex_lock(&b->lock);
    atomic_store(&b->asleep, false);
    pthread_cond_signal(&b->news);
    pthread_mutex_unlock(&b->lock);
}

/* -- Tiles ---------------------------------------------------------------------------------------
 */

/* Wakes more workers for a job that has tiles left. Each thread that has joined pays for two
 * others: then all are awake after a few rounds, and where they get no processor, and so do not
 * join, no time is lost with waking still more of them. */
static void wake_others(void) {
    for (;;) {
        int w = atomic_load_explicit(&pool.next_to_wake, memory_order_relaxed);
        if (w > pool.helpers)
            return;
        if (w > 2 &&
            w > 2 * (1 + JOB_JOINED(atomic_load_explicit(&pool.job, memory_order_relaxed))))
            return;
        if (atomic_compare_exchange_strong_explicit(&pool.next_to_wake, &w, w + 1,
                                                    memory_order_relaxed, memory_order_relaxed))
            wake(&pool.beds[w]);
    }
}

static void run_tiles(int worker) {
    dlz_tile_fn function = pool.function;
    void *context = pool.context;
    int64_t tiles = pool.tiles;
    for (;;) {
        int64_t tile = (int64_t)atomic_fetch_add_explicit(&pool.next, 1, memory_order_relaxed);
        if (tile >= tiles)
            return;
        if (tile + 1 < tiles)
            wake_others();
        function(context, tile, worker);
    }
}

/* -- Workers -------------------------------------------------------------------------------------
 */

/* Whether there is a job that worker w has not seen and that wants it. */
static bool is_wanted(uint_fast64_t job, int w, uint32_t seen) {
    return JOB_WANTED(job) >= w && JOB_NUMBER(job) != seen;
}

/* How long worker w watches for jobs before it sleeps. Not at all where it has no processor of its
 * own, or where it woke on that of the thread that gives the jobs, as happens on a busy machine: it
 * would keep others from working. */
static int patience(int w) {
    bool alone = w < atomic_load_explicit(&pool.online, memory_order_relaxed) &&
                 sched_getcpu() != atomic_load_explicit(&pool.processor, memory_order_relaxed);
    return alone ? SPINS : 0;
}

/* Waits for a job that wants worker w, whose number is then *seen; false when the pool ends. */
static bool join_job(int w, uint32_t *seen) {
    int spins = patience(w);
    while (!atomic_load_explicit(&pool.stop, memory_order_relaxed)) {
        uint_fast64_t job = atomic_load_explicit(&pool.job, memory_order_acquire);
        if (is_wanted(job, w, *seen)) {
            if (!atomic_compare_exchange_weak_explicit(&pool.job, &job, job + 1,
                                                       memory_order_acq_rel, memory_order_acquire))
                continue;
            *seen = JOB_NUMBER(job);
            return true;
        }
        if (spins-- > 0) {
            PAUSE();
            continue;
        }
        lie_down(&pool.beds[w]);
        if (atomic_load(&pool.stop) || is_wanted(atomic_load(&pool.job), w, *seen)) {
            get_up(&pool.beds[w]);
        } else {
            sleep_until_woken(&pool.beds[w]);
            spins = patience(w);
        }
    }
    return false;
}

/* The last one to finish a job wakes the thread that waits for it. A job that is still open is not
 * waited for yet, and one with another number is over. */
static void finish_job(uint32_t number) {
    int finished = atomic_fetch_add(&pool.finished, 1) + 1;
    uint_fast64_t job = atomic_load(&pool.job);
    if (JOB_NUMBER(job) == number && JOB_WANTED(job) == 0 && JOB_JOINED(job) == finished)
        wake(&pool.beds[0]);
}

static void *worker_main(void *bed_of_mine) {
    int w = (int)((bed *)bed_of_mine - pool.beds);
    uint32_t seen = 0;
    DLZ_NOT_CANCELLED;
    inside_tile = true;
    while (join_job(w, &seen)) {
        dlz_reading_set_now(pool.reading);
        run_tiles(w);
        dlz_reading_set_now(NULL);
        finish_job(seen);
    }
    return NULL;
}

/* The child of a fork has none of the threads: it starts anew when it first needs them. Nor has it
 * the job that another thread may have had in the pool. */
static void after_fork(void) {
    pthread_mutex_init(&pool.submit, NULL);
    pool.waits = 0;
    atomic_store(&pool.started, 0);
    atomic_store(&pool.job, 0);
    atomic_store(&pool.finished, 0);
    make_bed(&pool.beds[0]);
}

DLZ_AFTER_FORK(after_fork)

/* Stacks are at least this large, whatever the program's limit is: what the kernels and a user's own
 * layers need lies far below it. */
#define LEAST_STACK ((size_t)1 << 20)

static int create_thread(pthread_t *thread, void *bed_of_its_own) {
    pthread_attr_t attributes;
    size_t usual = 0;
    int error = pthread_attr_init(&attributes);
    if (error != 0)
        return error;
    pthread_attr_getstacksize(&attributes, &usual);
    if (usual < LEAST_STACK)
        pthread_attr_setstacksize(&attributes, LEAST_STACK);
    error = pthread_create(thread, &attributes, worker_main, bed_of_its_own);
    pthread_attr_destroy(&attributes);
    return error;
}

/* Our threads take no signal that is sent to the program: its handlers run on its own threads, and
 * what these block stays blocked. Faults, aborts and profiling concern the thread itself. */
static int start_worker(int w) {
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    sigset_t ours, before;
    sigfillset(&ours);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&ours, own[i]);
    make_bed(&pool.beds[w]);
    pthread_sigmask(SIG_SETMASK, &ours, &before);
    int error = create_thread(&pool.threads[w], &pool.beds[w]);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Called with `submit` held. Fewer threads than wanted is not a failure: the tiles still all run.
 */
static int start_workers(int wanted) {
    int started = atomic_load(&pool.started);
    if (started >= wanted)
        return wanted;
    if (pool.waits > 0) {
        pool.waits--;
        return started;
    }
    atomic_store(&pool.online, dlz_processors());
    int error = 0;
    while (started < wanted && (error = start_worker(started + 1)) == 0)
        atomic_store(&pool.started, ++started);
    if (error != 0) {
        pool.waits = JOBS_BEFORE_ANOTHER_TRY;
        errno = error; /* for %m, which needs no buffer that threads share */
        dlz_log(DLVIZ_LOG_LEVEL_WARNING,
                "a thread could not be started (%m): going on with %d of %d", started + 1,
                wanted + 1);
    }
    return started;
}

/* -- Jobs ----------------------------------------------------------------------------------------
 */

static void wait_for_workers(int joined) {
    int spins = joined < atomic_load_explicit(&pool.online, memory_order_relaxed) ? SPINS : 0;
    while (spins-- > 0 && atomic_load(&pool.finished) != joined)
        PAUSE();
    while (atomic_load(&pool.finished) != joined) {
        lie_down(&pool.beds[0]);
        if (atomic_load(&pool.finished) == joined)
            get_up(&pool.beds[0]);
        else
            sleep_until_woken(&pool.beds[0]);
    }
}

static void run_alone(int64_t tiles, dlz_tile_fn function, void *context) {
    bool nested = inside_tile;
    inside_tile = true;
    for (int64_t tile = 0; tile < tiles; tile++)
        function(context, tile, 0);
    inside_tile = nested;
}

void dlz_parallel_for(int64_t tiles, int max_workers, dlz_tile_fn function, void *context) {
    DLZ_NOT_CANCELLED;
    DLZ_WATCH_FORKS();
    int helpers = (int)dlz_min_i64(tiles, dlz_min_i64(max_workers, DLZ_MAX_THREADS)) - 1;
    if (helpers < 1 || inside_tile || pthread_mutex_trylock(&pool.submit) != 0) {
        run_alone(tiles, function, context);
        return;
    }
    helpers = start_workers(helpers);
    pool.function = function;
    pool.context = context;
    pool.reading = dlz_reading_now();
    pool.tiles = tiles;
    pool.helpers = helpers;
    atomic_store_explicit(&pool.processor, sched_getcpu(), memory_order_relaxed);
    atomic_store_explicit(&pool.next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool.next_to_wake, 1, memory_order_relaxed);
    atomic_store_explicit(&pool.finished, 0, memory_order_relaxed);
    uint_fast64_t number = JOB_NUMBER(atomic_load(&pool.job)) + UINT64_C(1);
    atomic_store(&pool.job, number << 32 | (uint_fast64_t)helpers << 16);
    inside_tile = true;
    run_tiles(0);
    inside_tile = false;
    uint_fast64_t joined = atomic_fetch_and(&pool.job, ~(UINT64_C(0xFFFF) << 16));
    wait_for_workers(JOB_JOINED(joined));
    pthread_mutex_unlock(&pool.submit);
}

/* A program that unloads the library, or ends, leaves no thread of ours running. */
__attribute__((destructor)) static void stop_workers(void) {
    atomic_store(&pool.stop, true);
    int started = atomic_load(&pool.started);
    for (int w = 1; w <= started; w++)
        wake(&pool.beds[w]);
    for (int w = 1; w <= started; w++)
        pthread_join(pool.threads[w], NULL);
}
