#include "support/ranks.h"
#include "support/support.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* An exchange is over when both sides have started it; then bytes are copied both ways. */
typedef struct exchange {
    bool active, finished;
    int peer;
    const void *send;
    size_t send_size;
    void *receive;
    size_t receive_size;
} exchange;

typedef struct world world;

typedef struct member {
    world *world;
    int rank;
    bool gone;
    exchange slots[DLVIZ_COMM_NUM_SLOTS];
    uint64_t random;
    ranks_result *result;
} member;

struct world {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    int num_ranks;
    const ranks_trouble *trouble;
    bool failed;
    char sentence[1024];
    ranks_function *function;
    void *user;
    member members[RANKS_MOST];
};

/* -- Trouble --------------------------------------------------------------------------------------
 */

static _Thread_local member *present; /* of the thread */

static atomic_llong live; /* blocks */

static void *counted_alloc(size_t size, void *user) {
    (void)user;
    if (present) {
        const ranks_trouble *trouble = present->world->trouble;
        int64_t number = ++present->result->allocations;
        if (number == trouble->allocation && present->rank == trouble->rank)
            return NULL;
    }
    void *block = malloc(size);
    atomic_fetch_add(&live, block != NULL);
    return block;
}

static void counted_free(void *block, void *user) {
    (void)user;
    atomic_fetch_sub(&live, block != NULL);
    free(block);
}

/* Counts a call; false when it is to fail. */
static bool count_call(member *m) {
    const ranks_trouble *trouble = m->world->trouble;
    return ++m->result->calls != trouble->call || m->rank != trouble->rank;
}

static uint64_t draw(member *m) {
    m->random = m->random * 6364136223846793005u + 1442695040888963407u;
    return m->random >> 33;
}

static void delay(member *m) {
    if (m->world->trouble->delays != 0 && draw(m) % 4 == 0)
        usleep((useconds_t)(draw(m) % 100));
}

/* -- The table of functions -----------------------------------------------------------------------
 */

static void check_sizes(const exchange *a, const exchange *b) {
    if (a->send_size == b->receive_size && b->send_size == a->receive_size)
        return;
    fprintf(stderr, "ranks: an exchange sends %zu for %zu, and %zu for %zu\n", a->send_size,
            b->receive_size, b->send_size, a->receive_size);
    abort();
}

static void move(const exchange *from, const exchange *to) {
    if (from->send_size > 0)
        memcpy(to->receive, from->send, from->send_size);
}

static dlviz_status start(int64_t slot, int64_t peer, const void *send, size_t send_size,
                          void *receive, size_t receive_size, void *user) {
    member *m = user;
    world *w = m->world;
    delay(m);
    if (!count_call(m))
        return dlviz_fail(DLVIZ_ERROR_COMM, "injected into start");
    exchange *own = &m->slots[slot], *other = &w->members[peer].slots[slot];
    pthread_mutex_lock(&w->mutex);
    if (own->active || peer == m->rank || peer < 0 || peer >= w->num_ranks) {
        fprintf(stderr, "ranks: slot %d is in use, or %d no peer\n", (int)slot, (int)peer);
        abort();
    }
    *own = (exchange){true, false, (int)peer, send, send_size, receive, receive_size};
    if (other->active && !other->finished && other->peer == m->rank && !w->failed) {
        check_sizes(own, other);
        move(own, other);
        move(other, own);
        own->finished = other->finished = true;
        pthread_cond_broadcast(&w->changed);
    }
    m->result->bytes += (int64_t)send_size;
    pthread_mutex_unlock(&w->mutex);
    return DLVIZ_OK;
}

static void wait_a_minute(world *w) {
    struct timespec end;
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 60;
    if (pthread_cond_timedwait(&w->changed, &w->mutex, &end) == 0)
        return;
    fprintf(stderr, "ranks: all wait for each other\n");
    abort();
}

static dlviz_status finish(int64_t slot, bool wait, bool *finished, void *user) {
    member *m = user;
    world *w = m->world;
    delay(m);
    if (!count_call(m))
        return dlviz_fail(DLVIZ_ERROR_COMM, "injected into finish");
    if (!wait && w->trouble->delays != 0 && draw(m) % 2 == 0)
        return *finished = false, DLVIZ_OK;
    exchange *own = &m->slots[slot];
    pthread_mutex_lock(&w->mutex);
    if (!own->active) {
        fprintf(stderr, "ranks: nothing is in flight on slot %d\n", (int)slot);
        abort();
    }
    while (wait && !own->finished && !w->failed && !w->members[own->peer].gone)
        wait_a_minute(w);
    *finished = own->finished;
    bool gone = !own->finished && w->members[own->peer].gone;
    bool failed = !own->finished && w->failed;
    own->active = !own->finished;
    pthread_mutex_unlock(&w->mutex);
    if (failed)
        return dlviz_fail(DLVIZ_ERROR_COMM, "%s", w->sentence);
    if (gone)
        return dlviz_fail(DLVIZ_ERROR_COMM, "rank %d is gone", own->peer);
    return DLVIZ_OK;
}

/* Nothing is sent or received any more. */
static void give_up(member *m) {
    for (int i = 0; i < DLVIZ_COMM_NUM_SLOTS; i++)
        m->slots[i].active = false;
    pthread_cond_broadcast(&m->world->changed);
}

static void tell_all(const char *sentence, void *user) {
    member *m = user;
    world *w = m->world;
    pthread_mutex_lock(&w->mutex);
    give_up(m);
    if (!w->failed && !w->trouble->silent) {
        snprintf(w->sentence, sizeof w->sentence, "%s", sentence);
        w->failed = true;
    }
    pthread_mutex_unlock(&w->mutex);
}

static void leave(void *user) {
    member *m = user;
    world *w = m->world;
    pthread_mutex_lock(&w->mutex);
    m->gone = true;
    give_up(m);
    pthread_mutex_unlock(&w->mutex);
}

/* -- Runs -----------------------------------------------------------------------------------------
 */

static void *run(void *context) {
    member *m = context;
    dlviz_comm_functions functions = {
        .struct_size = sizeof functions,
        .start = start,
        .finish = finish,
        .fail = tell_all,
        .destroy = leave,
    };
    /* Ranks are processes, whose locales may differ. */
    locale_t before = uselocale(m->rank % 2 ? comma_locale() : (locale_t)0);
    dlviz_comm *comm;
    dlviz_status status = dlviz_comm_create(&comm, m->rank, m->world->num_ranks, &functions, m);
    present = m;
    if (status == DLVIZ_OK)
        status = m->world->function(comm, m->world->user);
    present = NULL;
    dlviz_comm_destroy(comm);
    m->result->status = status;
    snprintf(m->result->sentence, sizeof m->result->sentence, "%s", dlviz_last_error());
    uselocale(before);
    return NULL;
}

void ranks_run_with(const ranks_trouble *trouble, int num_ranks, ranks_function *function,
                    void *user, ranks_result *results) {
    world *w = calloc(1, sizeof *w);
    ck_assert(w && num_ranks <= RANKS_MOST);
    w->num_ranks = num_ranks, w->trouble = trouble;
    w->function = function, w->user = user;
    pthread_mutex_init(&w->mutex, NULL);
    pthread_cond_init(&w->changed, NULL);
    memset(results, 0, (size_t)num_ranks * sizeof *results);
    atomic_store(&live, 0);
    (void)comma_locale();
    if (trouble->allocation > 0)
        ck_ok(dlviz_set_allocator(counted_alloc, counted_free, NULL));
    pthread_t threads[RANKS_MOST];
    for (int i = 0; i < num_ranks; i++) {
        member *m = &w->members[i];
        m->world = w, m->rank = i, m->result = &results[i];
        m->random = trouble->delays * 1000 + (uint64_t)i;
        ck_assert_int_eq(pthread_create(&threads[i], NULL, run, m), 0);
    }
    for (int i = 0; i < num_ranks; i++)
        pthread_join(threads[i], NULL);
    if (trouble->allocation > 0)
        ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
    /* The first run, in which none fails, may keep what is made once. */
    if (trouble->allocation > 0 && trouble->allocation < INT64_MAX)
        ck_assert_msg(live <= 0, "allocation %lld of rank %d: %lld blocks are left",
                      (long long)trouble->allocation, trouble->rank, (long long)live);
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->mutex);
    free(w);
}

void ranks_run(int num_ranks, ranks_function *function, void *user, ranks_result *results) {
    ranks_trouble none = {0};
    ranks_run_with(&none, num_ranks, function, user, results);
}

void ranks_succeed(int num_ranks, ranks_function *function, void *user) {
    ranks_result results[RANKS_MOST];
    ranks_run(num_ranks, function, user, results);
    for (int i = 0; i < num_ranks; i++)
        ck_assert_msg(results[i].status == DLVIZ_OK, "rank %d of %d: %s (%s)", i, num_ranks,
                      results[i].sentence, dlviz_status_name(results[i].status));
}
