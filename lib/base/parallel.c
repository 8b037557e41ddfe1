#include "base/parallel.h"
#include "base/base.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#else
#define PAUSE() ((void)0)
#endif

/* How long a thread watches for news before it sleeps: about 50 microseconds, the price of a
 * sleep and a wake-up. */
#define SPINS 2000

/* A job is open while `gate` is not 0. It holds how many workers may still join in its high half
 * and how many have joined in its low half, in one word, so that a late worker can join either the
 * job it saw or none: fields of the job are read only after joining. */
static struct {
    pthread_mutex_t submit; /* held by the thread whose job has the pool */
    pthread_mutex_t lock;   /* guards sleeping and the list of threads */
    pthread_cond_t wake, finished_signal;
    pthread_t threads[DLZ_MAX_THREADS];
    int started;
    bool stop;
    atomic_int online;

    atomic_uint generation;
    atomic_uint_fast64_t gate;
    atomic_int finished, sleepers;
    atomic_bool owner_sleeps;

    dlz_tile_fn function;
    void *context;
    int64_t tiles;
    atomic_int_fast64_t next;
} pool = {.submit = PTHREAD_MUTEX_INITIALIZER,
          .lock = PTHREAD_MUTEX_INITIALIZER,
          .wake = PTHREAD_COND_INITIALIZER,
          .finished_signal = PTHREAD_COND_INITIALIZER};

static atomic_int wanted_threads;
static _Thread_local bool inside_tile;

static int processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0)
        return CPU_COUNT(&set);
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online < 1 ? 1 : (int)online;
}

static int default_threads(void) {
    const char *text = getenv("DLVIZ_NUM_THREADS");
    if (text && *text) {
        char *end;
        long number = strtol(text, &end, 10);
        if (*end == '\0' && number >= 1 && number <= DLZ_MAX_THREADS)
            return (int)number;
        dlz_log(DLVIZ_LOG_WARNING, "DLVIZ_NUM_THREADS=%s is not a number from 1 to %d; ignored",
                text, DLZ_MAX_THREADS);
    }
    return (int)dlz_min_i64(processors(), DLZ_MAX_THREADS);
}

dlviz_status dlviz_set_num_threads(int threads) {
    if (threads < 0 || threads > DLZ_MAX_THREADS)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_set_num_threads: %d threads; 1 to %d are accepted, or 0 for one a "
                        "processor",
                        threads, DLZ_MAX_THREADS);
    atomic_store(&wanted_threads, threads ? threads : default_threads());
    return DLVIZ_OK;
}

int dlz_threads(void) {
    int threads = atomic_load_explicit(&wanted_threads, memory_order_relaxed);
    if (threads == 0) {
        int expected = 0;
        threads = default_threads();
        if (!atomic_compare_exchange_strong(&wanted_threads, &expected, threads))
            threads = expected;
    }
    return threads;
}

int dlviz_num_threads(void) {
    return dlz_threads();
}

static void run_tiles(dlz_tile_fn function, void *context, int64_t tiles, int worker) {
    for (;;) {
        int64_t tile = (int64_t)atomic_fetch_add_explicit(&pool.next, 1, memory_order_relaxed);
        if (tile >= tiles)
            return;
        function(context, tile, worker);
    }
}

/* Joins the open job if it wants more workers; returns the worker's number, or 0. */
static int join_job(void) {
    uint_fast64_t gate = atomic_load_explicit(&pool.gate, memory_order_acquire);
    while (gate >> 32 > 0) {
        uint_fast64_t joined = gate - ((uint_fast64_t)1 << 32) + 1;
        if (atomic_compare_exchange_weak_explicit(&pool.gate, &gate, joined, memory_order_acq_rel,
                                                  memory_order_acquire))
            return (int)(joined & 0xFFFFFFFFu);
    }
    return 0;
}

static void *worker_main(void *unused) {
    (void)unused;
    inside_tile = true;
    unsigned seen = 0;
    for (;;) {
        int spins = atomic_load_explicit(&pool.online, memory_order_relaxed) > 1 ? SPINS : 0;
        while (atomic_load_explicit(&pool.generation, memory_order_acquire) == seen && spins-- > 0)
            PAUSE();
        if (atomic_load(&pool.generation) == seen) {
            pthread_mutex_lock(&pool.lock);
            atomic_fetch_add(&pool.sleepers, 1);
            while (atomic_load(&pool.generation) == seen && !pool.stop)
                pthread_cond_wait(&pool.wake, &pool.lock);
            atomic_fetch_sub(&pool.sleepers, 1);
            bool stop = pool.stop;
            pthread_mutex_unlock(&pool.lock);
            if (stop)
                return NULL;
        }
        seen = atomic_load(&pool.generation);
        int worker = join_job();
        if (worker == 0)
            continue;
        run_tiles(pool.function, pool.context, pool.tiles, worker);
        atomic_fetch_add(&pool.finished, 1);
        if (atomic_load(&pool.owner_sleeps)) {
            pthread_mutex_lock(&pool.lock);
            pthread_cond_signal(&pool.finished_signal);
            pthread_mutex_unlock(&pool.lock);
        }
    }
}

/* The child of a fork has none of the threads: it starts anew when it first needs them. */
static void after_fork(void) {
    pthread_mutex_init(&pool.submit, NULL);
    pthread_mutex_init(&pool.lock, NULL);
    pthread_cond_init(&pool.wake, NULL);
    pthread_cond_init(&pool.finished_signal, NULL);
    pool.started = 0;
    atomic_store(&pool.gate, 0);
    atomic_store(&pool.sleepers, 0);
    atomic_store(&pool.owner_sleeps, false);
}

static void register_fork_handler(void) {
    pthread_atfork(NULL, NULL, after_fork);
}

/* Our threads take no signal that is sent to the program: its handlers run on its own threads, and
 * what these block stays blocked. Faults, aborts and profiling concern the thread itself. */
static int start_worker(pthread_t *thread) {
    static const int own[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    sigset_t ours, before;
    sigfillset(&ours);
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        sigdelset(&ours, own[i]);
    pthread_sigmask(SIG_SETMASK, &ours, &before);
    int error = pthread_create(thread, NULL, worker_main, NULL);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Called with `submit` held. Fewer threads than wanted is not a failure: the tiles still all run.
 */
static int start_workers(int wanted) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_fork_handler);
    if (pool.started >= wanted)
        return wanted;
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.online, processors());
    while (pool.started < wanted && start_worker(&pool.threads[pool.started]) == 0)
        pool.started++;
    int started = pool.started;
    pthread_mutex_unlock(&pool.lock);
    return started < wanted ? started : wanted;
}

static void wait_for_workers(int joined) {
    for (int spins = SPINS; spins > 0 && atomic_load(&pool.finished) != joined; spins--)
        PAUSE();
    if (atomic_load(&pool.finished) == joined)
        return;
    pthread_mutex_lock(&pool.lock);
    atomic_store(&pool.owner_sleeps, true);
    while (atomic_load(&pool.finished) != joined)
        pthread_cond_wait(&pool.finished_signal, &pool.lock);
    atomic_store(&pool.owner_sleeps, false);
    pthread_mutex_unlock(&pool.lock);
}

static void run_alone(int64_t tiles, dlz_tile_fn function, void *context) {
    bool nested = inside_tile;
    inside_tile = true;
    for (int64_t tile = 0; tile < tiles; tile++)
        function(context, tile, 0);
    inside_tile = nested;
}

void dlz_parallel_for(int64_t tiles, int max_workers, dlz_tile_fn function, void *context) {
    int helpers = (int)dlz_min_i64(tiles, dlz_min_i64(max_workers, DLZ_MAX_THREADS)) - 1;
    if (helpers < 1 || inside_tile || pthread_mutex_trylock(&pool.submit) != 0) {
        run_alone(tiles, function, context);
        return;
    }
    helpers = start_workers(helpers);
    pool.function = function;
    pool.context = context;
    pool.tiles = tiles;
    atomic_store_explicit(&pool.next, 0, memory_order_relaxed);
    atomic_store_explicit(&pool.finished, 0, memory_order_relaxed);
    atomic_store(&pool.gate, (uint_fast64_t)helpers << 32);
    atomic_fetch_add(&pool.generation, 1);
    if (atomic_load(&pool.sleepers) > 0) {
        pthread_mutex_lock(&pool.lock);
        pthread_cond_broadcast(&pool.wake);
        pthread_mutex_unlock(&pool.lock);
    }
    inside_tile = true;
    run_tiles(function, context, tiles, 0);
    inside_tile = false;
    uint_fast64_t gate = atomic_exchange(&pool.gate, 0);
    wait_for_workers((int)(gate & 0xFFFFFFFFu));
    pthread_mutex_unlock(&pool.submit);
}

/* A program that unloads the library, or ends, leaves no thread of ours running. */
__attribute__((destructor)) static void stop_workers(void) {
    pthread_mutex_lock(&pool.lock);
    pool.stop = true;
    pthread_cond_broadcast(&pool.wake);
    int started = pool.started;
    pthread_mutex_unlock(&pool.lock);
    for (int i = 0; i < started; i++)
        pthread_join(pool.threads[i], NULL);
}
