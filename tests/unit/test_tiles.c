/* Tiles that ranks share: each is run once, by one rank, and all ranks have what all have made, in
 * however many rounds and chunks. */
#include "comm/tiles.h"
#include "comm/comm.h"
#include "comm/digest.h"
#include "support/ranks.h"
#include "support/support.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_TILES = 4000 };

typedef struct job {
    int64_t count, longest; /* tiles, and the most numbers that one makes */
    double cost;
    bool uneven, weighted, told;
    int failing; /* a rank that comes with a failure */
    int cancelling;
    int64_t cancel_after; /* events */
    atomic_int runs[MOST_TILES];
    atomic_int ranks_runs[RANKS_MOST];
} job;

typedef struct made {
    job *job;
    int rank;
    uint64_t *numbers; /* count x longest */
    int64_t events;
} made;

static int64_t num_numbers(const job *j, int64_t tile) {
    return j->uneven ? tile * 7919 % (j->longest + 1) : j->longest;
}

static uint64_t number(int64_t tile, int64_t i) {
    return ((uint64_t)tile * 1000003 + (uint64_t)i) * 0x9E3779B97F4A7C15u;
}

static void run_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    made *m = context;
    atomic_fetch_add(&m->job->runs[tile], 1);
    atomic_fetch_add(&m->job->ranks_runs[m->rank], 1);
    for (int64_t i = 0; i < num_numbers(m->job, tile); i++)
        m->numbers[tile * m->job->longest + i] = number(tile, i);
}

static int64_t size_of(const void *context, int64_t tile) {
    const made *m = context;
    return num_numbers(m->job, tile) * (int64_t)sizeof *m->numbers;
}

static void copy_tile(void *context, int64_t tile, unsigned char *bytes, bool in) {
    made *m = context;
    unsigned char *own = (unsigned char *)(m->numbers + tile * m->job->longest);
    memcpy(in ? own : bytes, in ? bytes : own, (size_t)size_of(m, tile));
}

static int64_t weight_of(const void *context, int64_t tile) {
    const made *m = context;
    return tile == 0 ? m->job->count : 1;
}

static bool is_right(const made *m) {
    for (int64_t tile = 0; tile < m->job->count; tile++)
        for (int64_t i = 0; i < m->job->longest; i++)
            if (m->numbers[tile * m->job->longest + i] !=
                (i < num_numbers(m->job, tile) ? number(tile, i) : 0))
                return false;
    return true;
}

static bool count_events(const dlviz_progress_event *event, void *user) {
    (void)event;
    made *m = user;
    return m->rank != m->job->cancelling || m->events++ < m->job->cancel_after;
}

static dlviz_status share(dlviz_comm *comm, made *m) {
    const job *j = m->job;
    dlz_comm_tiles tiles = {.count = j->count,
                            .workers = dlz_threads(),
                            .cost = j->cost,
                            .run = run_tile,
                            .context = m,
                            .told = j->told,
                            .weight = j->weighted ? weight_of : NULL};
    if (j->uneven) {
        tiles.size = size_of;
        tiles.copy = copy_tile;
    } else {
        tiles.data = m->numbers;
        tiles.things = j->count;
        tiles.a_tile = 1;
        tiles.thing_size = (size_t)j->longest * sizeof *m->numbers;
    }
    DLZ_SHARED_TASK(comm, "tiles");
    dlviz_status status = m->rank == j->failing ? dlviz_fail(DLVIZ_ERROR_IO, "no luck") : DLVIZ_OK;
    return dlz_comm_run_tiles(comm, status, &tiles);
}

static dlviz_status see_tiles(dlviz_comm *comm, void *user) {
    made m = {.job = user, .rank = dlz_comm_rank(comm)};
    m.numbers = calloc((size_t)(m.job->count * m.job->longest), sizeof *m.numbers);
    if (m.job->told)
        dlviz_set_progress(count_events, &m);
    dlviz_status status = share(comm, &m);
    dlviz_set_progress(NULL, NULL);
    if (status == DLVIZ_OK && !is_right(&m))
        status = dlviz_fail(DLVIZ_ERROR_STATE, "other numbers than the tiles make");
    free(m.numbers);
    return status;
}

static job *start(int64_t count, int64_t longest, double cost) {
    static job j;
    memset(&j, 0, sizeof j);
    j.count = count;
    j.longest = longest;
    j.cost = cost;
    j.failing = j.cancelling = -1;
    return &j;
}

static void expect_right(job *j) {
    static const int rank_counts[] = {1, 2, 3, 4, 8};
    for (int threads = 1; threads <= 2; threads++)
        for (size_t r = 0; r < sizeof rank_counts / sizeof *rank_counts; r++) {
            int ranks = rank_counts[r];
            ck_ok(dlviz_set_num_threads(threads));
            memset(j->runs, 0, sizeof j->runs);
            memset(j->ranks_runs, 0, sizeof j->ranks_runs);
            ranks_succeed(ranks, see_tiles, j);
            /* A single tile is every rank's own. */
            for (int64_t tile = 0; tile < j->count; tile++)
                ck_assert_int_eq(j->runs[tile], j->count == 1 ? ranks : 1);
            for (int rank = 0; rank < ranks && !j->weighted && j->count > 1; rank++)
                ck_assert_int_le(j->ranks_runs[rank] - j->count / ranks, 8);
        }
}

START_TEST(every_rank_has_all) {
    static const int64_t counts[] = {1, 2, 3, 5, 7, 8, 9, 100};
    for (int i = 0; i < 8; i++)
        for (int kind = 0; kind < 8; kind++) {
            job *j = start(counts[i], 5, 1);
            j->uneven = kind & 1;
            j->weighted = kind & 2;
            j->told = kind & 4;
            expect_right(j);
        }
}
END_TEST

/* Seven for two ranks, fewer for more. */
START_TEST(many_rounds) {
    for (int kind = 0; kind < 4; kind++) {
        job *j = start(4000, 3, 1e16);
        j->uneven = kind & 1;
        j->told = kind & 2;
        expect_right(j);
    }
}
END_TEST

/* Tiles larger than a chunk, and chunks of several tiles. */
START_TEST(many_chunks) {
    expect_right(start(7, 400000, 1));
    job *j = start(40, 50000, 1);
    j->uneven = true;
    expect_right(j);
}
END_TEST

/* The first tile is as long as all others: they are for the other rank. */
START_TEST(weights_decide) {
    job *j = start(200, 3, 1);
    j->weighted = true;
    ck_ok(dlviz_set_num_threads(1));
    ranks_succeed(2, see_tiles, j);
    ck_assert_int_eq(j->ranks_runs[0], 1);
    ck_assert_int_eq(j->ranks_runs[1], 199);
}
END_TEST

static void expect_failures(job *j, int failing, dlviz_status own, dlviz_status others) {
    ranks_result results[3];
    ranks_run(3, see_tiles, j, results);
    for (int r = 0; r < 3; r++)
        ck_assert_msg(results[r].status == (r == failing ? own : others), "rank %d: %s", r,
                      results[r].sentence);
}

START_TEST(one_fails_or_cancels) {
    for (int64_t count = 1; count <= 10; count += 3) {
        job *j = start(count, 4, 1);
        j->failing = 1;
        expect_failures(j, 1, DLVIZ_ERROR_IO, DLVIZ_ERROR_COMM);
    }
    job *j = start(4000, 4, 1e16);
    j->told = true;
    j->cancelling = 2;
    expect_failures(j, 2, DLVIZ_CANCELLED, DLVIZ_CANCELLED);
}
END_TEST

START_TEST(digests_differ) {
    static unsigned char bytes[300000];
    for (size_t size = 0; size < 80; size++)
        for (size_t other = 0; other < size; other++)
            ck_assert(dlz_digest(bytes, size) != dlz_digest(bytes, other));
    ck_ok(dlviz_set_num_threads(1));
    uint64_t digest = dlz_digest(bytes, sizeof bytes);
    ck_ok(dlviz_set_num_threads(3));
    ck_assert(dlz_digest(bytes, sizeof bytes) == digest);
    for (size_t i = 0; i < sizeof bytes; i += 997) {
        bytes[i] ^= 1;
        uint64_t here = dlz_digest(bytes, sizeof bytes);
        ck_assert(here != digest);
        bytes[i] ^= 1;
        bytes[(i + 32) % sizeof bytes] ^= 1;
        ck_assert(dlz_digest(bytes, sizeof bytes) != here);
        bytes[(i + 32) % sizeof bytes] ^= 1;
    }
}
END_TEST

int main(void) {
    return run_tests("tiles",
                     (const TTest *[]){every_rank_has_all, many_rounds, many_chunks, weights_decide,
                                       one_fails_or_cancels, digests_differ, NULL});
}
