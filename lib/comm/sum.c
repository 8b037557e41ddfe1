/* The tree of a sum over leaves, which ranks climb together.
 *
 * Where ranks are 1, 2, 4 or 8, each has a subtree, and its sum after dlz_sum_begin. Then ranks at
 * distance 1, 2, 4 exchange halves of what they still have and add them, so that each ends with a
 * piece of the whole sum, and the same backwards gathers the pieces: 2 (1 - 1 / ranks) numbers are
 * sent for each one summed. Other numbers of ranks have up to four subtrees each. All send each
 * rank its piece of theirs, which goes up the rest of the tree, and pieces are gathered. Short sums
 * are sent whole, in half as many exchanges. */
#include "base/parallel.h"
#include "comm/sum.h"

#include <assert.h>
#include <string.h>

/* Bytes up to which a sum is sent whole: what is sent in the time of an exchange of nothing. */
#define SHORT 8192

/* Numbers that a thread takes at a time. */
#define TILE 16384

/* -- Numbers --------------------------------------------------------------------------------------
 */

typedef struct range {
    int64_t first, count;
} range;

/* *sum = left + right, of which one may be where the sum is. */
static void add(const dlz_sum *s, char *sum, const char *left, const char *right, int64_t count) {
    if (s->doubles) {
        double *to = (double *)(void *)sum;
        const double *a = (const double *)(const void *)left;
        const double *b = (const double *)(const void *)right;
        for (int64_t i = 0; i < count; i++)
            to[i] = a[i] + b[i];
    } else {
        float *to = (float *)(void *)sum;
        const float *a = (const float *)(const void *)left;
        const float *b = (const float *)(const void *)right;
        for (int64_t i = 0; i < count; i++)
            to[i] = a[i] + b[i];
    }
}

/* The same for many numbers. */
typedef struct long_sum {
    const dlz_sum *s;
    char *sum;
    const char *left, *right;
    int64_t count;
} long_sum;

static void add_tile(void *context, int64_t tile, int worker) {
    const long_sum *l = context;
    int64_t first = tile * TILE, offset = first * (int64_t)l->s->element;
    (void)worker;
    add(l->s, l->sum + offset, l->left + offset, l->right + offset,
        dlz_min_i64(TILE, l->count - first));
}

static void add_long(const dlz_sum *s, char *sum, const char *left, const char *right,
                     int64_t count) {
    long_sum l = {s, sum, left, right, count};
    dlz_parallel_for(dlz_ceil_div(count, TILE), dlz_threads(), add_tile, &l);
}

static void copy(const dlz_sum *s, char *to, const char *from, int64_t count) {
    if (to != from && count > 0)
        memcpy(to, from, (size_t)count * s->element);
}

static char *at(const dlz_sum *s, char *numbers, int64_t place) {
    return numbers ? numbers + place * (int64_t)s->element : NULL;
}

static bool is_short(const dlz_sum *s) {
    return (uint64_t)s->size * s->element <= SHORT;
}

/* -- Subtrees -------------------------------------------------------------------------------------
 */

/* What stands at a leaf: the sum of the `width` leaves from there on. A width of 0 is none. */
typedef struct subtrees {
    char *sum[DLZ_LEAVES];
    int width[DLZ_LEAVES];
} subtrees;

/* The largest subtrees that leaves are made of; `widths` of others are left alone. */
static void cut(dlz_share leaves, int widths[DLZ_LEAVES]) {
    int end = (int)(leaves.first + leaves.count);
    for (int leaf = (int)leaves.first, width; leaf < end; leaf += width) {
        for (width = 1; leaf % (2 * width) == 0 && leaf + 2 * width <= end && width < DLZ_LEAVES;)
            width *= 2;
        widths[leaf] = width;
    }
}

/* Goes up the tree from there, with `count` numbers of each. */
static void climb(const dlz_sum *s, subtrees *t, int64_t count) {
    for (int width = 1; width < DLZ_LEAVES; width *= 2)
        for (int leaf = 0; leaf < DLZ_LEAVES; leaf += 2 * width) {
            int right = leaf + width;
            if (t->width[leaf] != width || t->width[right] != width)
                continue;
            if (right < s->present)
                add_long(s, t->sum[leaf], t->sum[leaf], t->sum[right], count);
            t->width[leaf] = 2 * width;
            t->width[right] = 0;
        }
}

/* -- What a rank has ------------------------------------------------------------------------------
 *
 * The tree is climbed for a block of numbers at a time, with what lies between in the first cache:
 * leaves are read once, and only the sum is written. */

#define BLOCK 256

/* Sums of two leaves, and of four, left and right. */
typedef struct between {
    double sums[2][2][BLOCK];
} between;

/* One subtree of this rank's, and where its sum goes. */
typedef struct own_sum {
    const dlz_sum *s;
    int first, leaf, width; /* the rank's first leaf; the subtree */
    char *to;
} own_sum;

/* The sum of the `width` leaves from `leaf` on: at `to`, or where it is already. */
static const char *sum_block(const own_sum *own, int leaf, int width, range block, char *to,
                             between *scratch) {
    const dlz_sum *s = own->s;
    if (width == 1)
        return at(s, s->leaves, (leaf - own->first) * s->stride + block.first);
    int half = width / 2, level = half == 4;
    const char *left = sum_block(own, leaf, half, block, (char *)scratch->sums[level][0], scratch);
    if (leaf + half >= s->present)
        return left;
    const char *right =
        sum_block(own, leaf + half, half, block, (char *)scratch->sums[level][1], scratch);
    add(s, to, left, right, block.count);
    return to;
}

static void sum_tile(void *context, int64_t tile, int worker) {
    const own_sum *own = context;
    (void)worker;
    between scratch;
    int64_t end = dlz_min_i64((tile + 1) * TILE, own->s->size);
    for (range block = {tile * TILE, 0}; block.first < end; block.first += block.count) {
        block.count = dlz_min_i64(BLOCK, end - block.first);
        char *to = at(own->s, own->to, block.first);
        copy(own->s, to, sum_block(own, own->leaf, own->width, block, to, &scratch), block.count);
    }
}

/* Whether ranks have a subtree each. */
static bool has_subtrees(const dlviz_comm *comm) {
    return dlz_comm_has_subtrees(comm);
}

void dlz_sum_begin(const dlviz_comm *comm, dlz_sum *s) {
    s->element = s->doubles ? sizeof(double) : sizeof(float);
    s->step = 0;
    s->in_flight = false;
    if (s->present <= 0 || s->size == 0) {
        if (s->size > 0)
            memset(s->sum, 0, (size_t)s->size * s->element);
        return;
    }
    if (s->climbed)
        return;
    dlz_share own = dlz_comm_leaves(comm, dlz_comm_rank(comm));
    int widths[DLZ_LEAVES] = {0}, first = (int)own.first;
    cut(own, widths);
    for (int leaf = first; leaf < first + own.count && leaf < s->present; leaf++) {
        char *to = has_subtrees(comm) ? s->sum : at(s, s->leaves, (leaf - first) * s->stride);
        own_sum sum = {s, first, leaf, widths[leaf], to};
        if (widths[leaf] > 0)
            dlz_parallel_for(dlz_ceil_div(s->size, TILE), dlz_threads(), sum_tile, &sum);
    }
}

/* -- Halving and doubling -------------------------------------------------------------------------
 */

/* What a rank still has of the sum when it has halved `level` times. */
static range half(const dlz_sum *s, int rank, int level) {
    range r = {0, s->size};
    for (int i = 0; i < level && !is_short(s); i++) {
        int64_t lower = r.count / 2;
        if (rank >> i & 1)
            r = (range){r.first + lower, r.count - lower};
        else
            r.count = lower;
    }
    return r;
}

/* Whether the subtree that a rank has after so many levels has anything in it. */
static bool has_any(const dlviz_comm *comm, const dlz_sum *s, int rank, int level) {
    return (rank >> level << level) * (DLZ_LEAVES / comm->size) < s->present;
}

static int levels_of(const dlviz_comm *comm) {
    int levels = 0;
    while (1 << levels < comm->size)
        levels++;
    return levels;
}

/* The level of a step, which is a halving unless *doubling; -1 after the last. */
static int level_of(const dlviz_comm *comm, const dlz_sum *s, bool *doubling) {
    int levels = levels_of(comm);
    *doubling = s->step >= levels;
    if (!*doubling)
        return s->step;
    return is_short(s) ? -1 : dlz_max_int(2 * levels - 1 - s->step, -1);
}

static void set_buffers(const dlz_sum *s, dlz_exchange *e, char *from, range sent, char *to,
                        range received) {
    e->send = at(s, from, sent.first);
    e->send_size = (size_t)sent.count * s->element;
    e->receive = at(s, to, received.first);
    e->receive_size = (size_t)received.count * s->element;
}

static bool next_half(const dlviz_comm *comm, const dlz_sum *s, dlz_exchange *e) {
    bool doubling;
    int level = level_of(comm, s, &doubling);
    if (level < 0)
        return false;
    e->peer = comm->rank ^ 1 << level;
    range kept = half(s, comm->rank, level + 1), other = half(s, e->peer, level + 1);
    if (doubling) {
        set_buffers(s, e, s->sum, kept, s->sum, other);
        return true;
    }
    bool mine = has_any(comm, s, comm->rank, level), theirs = has_any(comm, s, e->peer, level);
    if (!mine)
        other.count = 0;
    if (!theirs)
        kept.count = 0;
    set_buffers(s, e, s->sum, other, s->sum, kept);
    if (mine)
        e->receive = comm->rooms[s->slot].data;
    return true;
}

static void take_half(const dlviz_comm *comm, const dlz_sum *s) {
    bool doubling;
    int level = level_of(comm, s, &doubling);
    if (doubling)
        return;
    int peer = comm->rank ^ 1 << level;
    if (!has_any(comm, s, comm->rank, level) || !has_any(comm, s, peer, level))
        return;
    range kept = half(s, comm->rank, level + 1);
    char *own = at(s, s->sum, kept.first);
    const char *other = comm->rooms[s->slot].data;
    if (comm->rank < peer)
        add_long(s, own, own, other, kept.count);
    else
        add_long(s, own, other, own, kept.count);
}

/* -- Pieces ---------------------------------------------------------------------------------------
 */

/* A rank has four subtrees at most: seven leaves are 4 + 2 + 1, or 1 + 2 + 4; six may be 1 + 4 +
 * 1. */
#define MOST 4

static range piece(const dlviz_comm *comm, const dlz_sum *s, int rank) {
    if (is_short(s))
        return (range){0, s->size};
    dlz_share share = dlz_comm_even_share(comm, rank, s->size);
    return (range){share.first, share.count};
}

/* The leaf at which a rank's subtree of that number stands; -1 if it has no such, or it is
 * empty. */
static int subtree(const dlviz_comm *comm, const dlz_sum *s, int rank, int number) {
    int widths[DLZ_LEAVES] = {0};
    cut(dlz_comm_leaves(comm, rank), widths);
    for (int leaf = 0; leaf < s->present && leaf < DLZ_LEAVES; leaf++)
        if (widths[leaf] > 0 && number-- == 0)
            return leaf;
    return -1;
}

/* Where another rank's subtree is received, or one's own lies; of both, this rank's piece. */
static char *place(const dlviz_comm *comm, const dlz_sum *s, int rank, int leaf) {
    range own = piece(comm, s, comm->rank);
    if (rank != comm->rank)
        return at(s, comm->rooms[s->slot].data, leaf * own.count);
    return at(s, s->leaves, (leaf - dlz_comm_leaves(comm, rank).first) * s->stride + own.first);
}

static int peer_of(const dlviz_comm *comm, int round) {
    assert(comm->size > 0);
    return (round - comm->rank + comm->size) % comm->size;
}

/* First each subtree to each rank, then each piece. Rounds are of ranks whose sum is the same. */
static bool next_piece(const dlviz_comm *comm, const dlz_sum *s, dlz_exchange *e) {
    int first_rounds = comm->size * MOST;
    if (s->step >= first_rounds + (is_short(s) ? 0 : comm->size))
        return false;
    bool gathering = s->step >= first_rounds;
    e->peer = peer_of(comm, gathering ? s->step - first_rounds : s->step / MOST);
    if (e->peer == comm->rank)
        return true;
    range own = piece(comm, s, comm->rank), other = piece(comm, s, e->peer);
    if (gathering) {
        set_buffers(s, e, s->sum, own, s->sum, other);
        return true;
    }
    int mine = subtree(comm, s, comm->rank, s->step % MOST);
    int theirs = subtree(comm, s, e->peer, s->step % MOST);
    int64_t first = dlz_comm_leaves(comm, comm->rank).first;
    if (mine >= 0) {
        e->send = at(s, s->leaves, (mine - first) * s->stride + other.first);
        e->send_size = (size_t)other.count * s->element;
    }
    if (theirs >= 0) {
        e->receive = place(comm, s, e->peer, theirs);
        e->receive_size = (size_t)own.count * s->element;
    }
    return true;
}

/* With all subtrees at hand, this rank's piece goes up the tree. */
static void take_piece(const dlviz_comm *comm, const dlz_sum *s) {
    if (s->step != comm->size * MOST - 1)
        return;
    subtrees t = {{NULL}, {0}};
    for (int rank = 0; rank < comm->size; rank++) {
        dlz_share leaves = dlz_comm_leaves(comm, rank);
        cut(leaves, t.width);
        for (int i = 0; i < leaves.count; i++)
            t.sum[leaves.first + i] = place(comm, s, rank, (int)leaves.first + i);
    }
    range own = piece(comm, s, comm->rank);
    climb(s, &t, own.count);
    copy(s, at(s, s->sum, own.first), t.sum[0], own.count);
}

/* -- On its way -----------------------------------------------------------------------------------
 */

static uint64_t room_count(const dlviz_comm *comm, const dlz_sum *s) {
    if (has_subtrees(comm))
        return (uint64_t)(is_short(s) ? s->size : s->size - s->size / 2);
    return (uint64_t)DLZ_LEAVES * (uint64_t)piece(comm, s, comm->rank).count;
}

static void take(const dlviz_comm *comm, const dlz_sum *s) {
    if (has_subtrees(comm))
        take_half(comm, s);
    else
        take_piece(comm, s);
}

/* Starts exchanges from `step` on, until one is in flight: those of nothing are over at once. */
static dlviz_status start(dlviz_comm *comm, dlz_sum *s, bool *ended) {
    if (s->step == 0)
        DLZ_TRY(dlz_comm_grow(comm, &comm->rooms[s->slot], room_count(comm, s), s->element));
    for (;; s->step++) {
        dlz_exchange e = {0};
        *ended = !(has_subtrees(comm) ? next_half(comm, s, &e) : next_piece(comm, s, &e));
        if (*ended)
            return DLVIZ_OK;
        if (e.send_size > 0 || e.receive_size > 0) {
            s->in_flight = true;
            return dlz_comm_start(comm, s->slot, &e);
        }
        take(comm, s);
    }
}

/* Takes what the exchange in flight has brought, once it is finished. */
static dlviz_status receive(dlviz_comm *comm, dlz_sum *s, bool wait) {
    bool arrived;
    DLZ_TRY(dlz_comm_finish(comm, s->slot, wait, &arrived));
    if (!arrived)
        return DLVIZ_OK;
    take(comm, s);
    s->in_flight = false;
    s->step++;
    return DLVIZ_OK;
}

dlviz_status dlz_sum_advance(dlviz_comm *comm, dlz_sum *s, bool wait, bool *finished) {
    *finished = !comm || s->present <= 0 || s->size == 0;
    while (!*finished) {
        if (s->in_flight)
            DLZ_TRY(receive(comm, s, wait));
        if (s->in_flight)
            return DLVIZ_OK;
        DLZ_TRY(start(comm, s, finished));
    }
    return DLVIZ_OK;
}

dlviz_status dlz_sum_wait(dlviz_comm *comm, dlz_sum *s) {
    return s->in_flight ? receive(comm, s, true) : DLVIZ_OK;
}

/* -- Waited for -----------------------------------------------------------------------------------
 */

static dlviz_status sum_now(dlviz_comm *comm, dlz_sum sum) {
    DLZ_TRY(dlz_comm_check(comm));
    bool finished;
    sum.slot = DLZ_MAIN_SLOT;
    dlz_sum_begin(comm, &sum);
    return dlz_sum_advance(comm, &sum, true, &finished);
}

dlviz_status dlz_comm_sum_floats(dlviz_comm *comm, float *leaves, int64_t stride, int64_t size,
                                 int present, float *sum) {
    return sum_now(comm, (dlz_sum){.present = present,
                                   .stride = stride,
                                   .size = size,
                                   .leaves = (char *)leaves,
                                   .sum = (char *)sum});
}

dlviz_status dlz_comm_sum_doubles(dlviz_comm *comm, double *leaves, int64_t stride, int64_t size,
                                  int present, double *sum) {
    return sum_now(comm, (dlz_sum){.doubles = true,
                                   .present = present,
                                   .stride = stride,
                                   .size = size,
                                   .leaves = (char *)leaves,
                                   .sum = (char *)sum});
}
