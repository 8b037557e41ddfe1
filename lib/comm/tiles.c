#include "comm/tiles.h"
#include "base/base.h"
#include "comm/comm.h"

#include <string.h>

#define BYTES_A_CHUNK (INT64_C(2) << 20)
/* Of a rank: a few seconds of one thread, but tiles enough for many. */
#define COST_A_ROUND 1e12
#define TILES_A_ROUND 256

/* After a round, what its tiles have made is exchanged chunk by chunk. */
typedef struct sharing {
    const dlz_comm_tiles *tiles;
    int rank, ranks;
    int64_t rounds;
    int64_t round, end; /* tiles of a round */
    int32_t *owners;    /* of all tiles: which rank runs each */
    int64_t *own;       /* this rank's tiles of the round */
    int64_t num_own;
    int64_t *loads;       /* of ranks: weights of a round's tiles */
    int64_t first, count; /* tiles of a chunk */
    int64_t *places;      /* where in `bytes` is what a tile of the chunk makes */
    int64_t *offsets;     /* where each rank's are: ranks + 1 */
    unsigned char *bytes;
} sharing;

static int64_t things_of(const dlz_comm_tiles *t, int64_t tile) {
    return dlz_min_i64(t->a_tile, t->things - tile * t->a_tile);
}

static int64_t size_of(const dlz_comm_tiles *t, int64_t tile) {
    return t->size ? t->size(t->context, tile) : things_of(t, tile) * (int64_t)t->thing_size;
}

static void copy(const dlz_comm_tiles *t, int64_t tile, unsigned char *bytes, bool in) {
    if (t->copy) {
        t->copy(t->context, tile, bytes, in);
        return;
    }
    unsigned char *data = (unsigned char *)t->data + (size_t)(tile * t->a_tile) * t->thing_size;
    memcpy(in ? data : bytes, in ? bytes : data, (size_t)size_of(t, tile));
}

/* Each tile goes to the rank that has the least to do so far. */
static void deal_round(sharing *s) {
    const dlz_comm_tiles *t = s->tiles;
    s->num_own = 0;
    memset(s->loads, 0, (size_t)s->ranks * sizeof *s->loads);
    for (int64_t tile = s->round; tile < s->end; tile++) {
        int rank = (int)((tile - s->round) % s->ranks);
        for (int r = 0; t->weight && r < s->ranks; r++)
            rank = s->loads[r] < s->loads[rank] ? r : rank;
        s->loads[rank] += t->weight ? t->weight(t->context, tile) : 1;
        s->owners[tile] = rank;
        if (rank == s->rank)
            s->own[s->num_own++] = tile;
    }
}

static void start_round(sharing *s, int64_t round) {
    s->round = s->tiles->count * round / s->rounds;
    s->end = s->tiles->count * (round + 1) / s->rounds;
    s->first = s->round;
    s->count = 0;
}

static void count_rounds(sharing *s) {
    int64_t most = s->tiles->count / (TILES_A_ROUND * (int64_t)s->ranks);
    double rounds = s->tiles->cost / (COST_A_ROUND * s->ranks);
    s->rounds = dlz_max_i64(1, rounds < (double)most ? (int64_t)rounds : most);
}

/* The tiles that follow, at least one, as far as there is room; none after the round's last.
 * Returns how many bytes they make. */
static int64_t next_chunk(sharing *s) {
    int64_t bytes = 0;
    s->first += s->count;
    s->count = 0;
    while (s->first + s->count < s->end) {
        int64_t size = size_of(s->tiles, s->first + s->count);
        if (s->count > 0 && bytes + size > BYTES_A_CHUNK)
            break;
        bytes += size;
        s->count++;
    }
    return bytes;
}

static dlviz_status reserve(sharing *s) {
    int64_t most_bytes = 1, most_tiles = 1;
    for (int64_t round = 0; round < s->rounds; round++) {
        start_round(s, round);
        for (int64_t bytes = next_chunk(s); s->count > 0; bytes = next_chunk(s)) {
            most_bytes = dlz_max_i64(most_bytes, bytes);
            most_tiles = dlz_max_i64(most_tiles, s->count);
        }
    }
    s->owners = dlz_alloc_array((uint64_t)s->tiles->count, sizeof *s->owners);
    s->own = dlz_alloc_array((uint64_t)s->tiles->count, sizeof *s->own);
    s->loads = dlz_alloc_array((uint64_t)s->ranks, sizeof *s->loads);
    s->places = dlz_alloc_array((uint64_t)most_tiles, sizeof *s->places);
    s->offsets = dlz_alloc_array((uint64_t)s->ranks + 1, sizeof *s->offsets);
    s->bytes = dlz_alloc((size_t)most_bytes);
    if (!s->owners || !s->own || !s->loads || !s->places || !s->offsets || !s->bytes)
        return dlz_fail_memory("what ranks exchange", (uint64_t)most_bytes);
    return DLVIZ_OK;
}

/* Rank after rank, each one's tiles in order. */
static void place_chunk(sharing *s) {
    memset(s->offsets, 0, (size_t)(s->ranks + 1) * sizeof *s->offsets);
    for (int64_t i = 0; i < s->count; i++)
        s->offsets[s->owners[s->first + i] + 1] += size_of(s->tiles, s->first + i);
    for (int rank = 0; rank < s->ranks; rank++)
        s->offsets[rank + 1] += s->offsets[rank];
    /* This moves each offset to the next one's; afterwards they are moved back. */
    for (int64_t i = 0; i < s->count; i++) {
        int64_t *at = &s->offsets[s->owners[s->first + i]];
        s->places[i] = *at;
        *at += size_of(s->tiles, s->first + i);
    }
    for (int rank = s->ranks; rank > 0; rank--)
        s->offsets[rank] = s->offsets[rank - 1];
    s->offsets[0] = 0;
}

static void give(void *context, int64_t i, int worker) {
    (void)worker;
    const sharing *s = context;
    if (s->owners[s->first + i] == s->rank)
        copy(s->tiles, s->first + i, s->bytes + s->places[i], false);
}

static void take(void *context, int64_t i, int worker) {
    (void)worker;
    const sharing *s = context;
    if (s->owners[s->first + i] != s->rank)
        copy(s->tiles, s->first + i, s->bytes + s->places[i], true);
}

static dlviz_status exchange_chunk(dlviz_comm *comm, sharing *s) {
    place_chunk(s);
    dlz_parallel_for(s->count, dlz_threads(), give, s);
    DLZ_TRY(dlz_comm_gather_pieces(comm, s->bytes, s->offsets));
    dlz_parallel_for(s->count, dlz_threads(), take, s);
    return DLVIZ_OK;
}

static dlviz_status run(const dlz_comm_tiles *t, int64_t count, dlz_tile_fn function,
                        void *context) {
    if (t->told)
        return dlz_parallel_for_task(count, t->workers, function, context);
    dlz_parallel_for(count, t->workers, function, context);
    return DLVIZ_OK;
}

static void run_own(void *context, int64_t turn, int worker) {
    const sharing *s = context;
    s->tiles->run(s->tiles->context, s->own[turn], worker);
}

static dlviz_status run_round(dlviz_comm *comm, dlviz_status status, sharing *s) {
    if (status == DLVIZ_OK) {
        deal_round(s);
        status = run(s->tiles, s->num_own, run_own, s);
    }
    DLZ_TRY(dlz_comm_agree(comm, status));
    for (next_chunk(s); s->count > 0; next_chunk(s))
        DLZ_TRY(exchange_chunk(comm, s));
    return DLVIZ_OK;
}

static dlviz_status share(dlviz_comm *comm, dlviz_status status, sharing *s) {
    count_rounds(s);
    if (status == DLVIZ_OK)
        status = reserve(s);
    for (int64_t round = 0; round < s->rounds; round++) {
        if (s->tiles->told)
            dlz_task_part((double)round / (double)s->rounds,
                          (double)(round + 1) / (double)s->rounds);
        start_round(s, round);
        DLZ_TRY(run_round(comm, status, s));
    }
    return DLVIZ_OK;
}

dlviz_status dlz_comm_run_tiles(dlviz_comm *comm, dlviz_status status,
                                const dlz_comm_tiles *tiles) {
    sharing s = {.tiles = tiles, .rank = dlz_comm_rank(comm), .ranks = dlz_comm_size(comm)};
    if (s.ranks > 1 && tiles->count > 1) {
        /* Within the caller's task; where there is none, what is told is this. */
        dlz_task task __attribute__((unused, cleanup(dlz_task_end))) = {.outer = NULL};
        if (tiles->told && status == DLVIZ_OK)
            status = dlz_task_begin(&task, "shared work");
        status = share(comm, status, &s);
        dlz_free(s.owners);
        dlz_free(s.own);
        dlz_free(s.loads);
        dlz_free(s.places);
        dlz_free(s.offsets);
        dlz_free(s.bytes);
        return status;
    }
    if (status == DLVIZ_OK)
        status = run(tiles, tiles->count, tiles->run, tiles->context);
    return dlz_comm_agree(comm, status);
}
