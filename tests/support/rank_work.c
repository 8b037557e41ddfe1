#include "support/rank_work.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Numbers whose sums depend on the order in which they are added. */
static double leaf_number(uint64_t seed, int leaf, int64_t i) {
    uint64_t x = (seed * 1000003u + (uint64_t)leaf) * 0x9E3779B97F4A7C15u + (uint64_t)i;
    x = (x ^ x >> 31) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 29) * 0x94D049BB133111EBu;
    x ^= x >> 32;
    return ldexp((double)(int64_t)(x >> 11) - 4503599627370496.0, -52 - (int)(x % 12));
}

static float tree_float(uint64_t seed, int leaf, int width, int present, int64_t i) {
    if (width == 1)
        return (float)leaf_number(seed, leaf, i);
    width /= 2;
    float left = tree_float(seed, leaf, width, present, i);
    return leaf + width < present ? left + tree_float(seed, leaf + width, width, present, i) : left;
}

static double tree_double(uint64_t seed, int leaf, int width, int present, int64_t i) {
    if (width == 1)
        return leaf_number(seed, leaf, i);
    width /= 2;
    double left = tree_double(seed, leaf, width, present, i);
    return leaf + width < present ? left + tree_double(seed, leaf + width, width, present, i)
                                  : left;
}

dlviz_status ranks_see_shares(dlviz_comm *comm, void *user) {
    (void)user;
    for (int64_t count = 0; count < 40; count++) {
        int64_t end = 0, even_end = 0, leaf_end = 0;
        for (int rank = 0; rank < dlz_comm_size(comm); rank++) {
            dlz_share share = dlz_comm_share(comm, rank, count);
            dlz_share even = dlz_comm_even_share(comm, rank, count);
            dlz_share leaves = dlz_comm_leaves(comm, rank);
            if (share.first != end || even.first != even_end || leaves.first != leaf_end)
                return dlviz_fail(DLVIZ_ERROR_STATE, "shares have gaps");
            if (leaves.count > 0 && dlz_leaf(count, (int)leaves.first).first != share.first)
                return dlviz_fail(DLVIZ_ERROR_STATE, "a share is not its leaves");
            if (even.count > count / dlz_comm_size(comm) + 1)
                return dlviz_fail(DLVIZ_ERROR_STATE, "an even share is large");
            end += share.count, even_end += even.count, leaf_end += leaves.count;
        }
        int64_t first = -1, num = -1;
        dlviz_comm_share(comm, count, &first, &num);
        dlz_share own = dlz_comm_share(comm, (int)dlviz_comm_rank(comm), count);
        if (end != count || even_end != count || leaf_end != DLZ_LEAVES || first != own.first ||
            num != own.count)
            return dlviz_fail(DLVIZ_ERROR_STATE, "shares are not all");
    }
    return DLVIZ_OK;
}

/* This rank's leaves; those that have nothing to sum are NaN, which nobody is to see. */
static void *make_leaves(dlviz_comm *comm, const ranks_sum_case *c, int64_t stride) {
    dlz_share own = dlz_comm_leaves(comm, dlz_comm_rank(comm));
    size_t element = c->doubles ? sizeof(double) : sizeof(float);
    void *leaves = malloc((size_t)(own.count * stride + 1) * element);
    for (int l = 0; l < own.count; l++)
        for (int64_t i = 0; i < c->size; i++) {
            int leaf = (int)own.first + l;
            double number = leaf < c->present ? leaf_number(c->seed, leaf, i) : NAN;
            if (c->doubles)
                ((double *)leaves)[l * stride + i] = number;
            else
                ((float *)leaves)[l * stride + i] = (float)number;
        }
    return leaves;
}

static dlviz_status compare(const ranks_sum_case *c, const void *sum) {
    for (int64_t i = 0; i < c->size; i++) {
        double right = c->present == 0 ? 0
                       : c->doubles    ? tree_double(c->seed, 0, DLZ_LEAVES, c->present, i)
                                       : tree_float(c->seed, 0, DLZ_LEAVES, c->present, i);
        double got = c->doubles ? ((const double *)sum)[i] : (double)((const float *)sum)[i];
        if (memcmp(&right, &got, sizeof got) != 0)
            return dlviz_fail(DLVIZ_ERROR_STATE, "number %lld of %lld is %.17g, not %.17g",
                              (long long)i, (long long)c->size, got, right);
    }
    return DLVIZ_OK;
}

dlviz_status ranks_sum(dlviz_comm *comm, void *user) {
    const ranks_sum_case *c = user;
    int64_t stride = c->size + 3;
    void *leaves = make_leaves(comm, c, stride), *result = malloc((size_t)c->size * 8 + 8);
    void *out =
        c->in_place && dlz_comm_leaves(comm, dlz_comm_rank(comm)).count > 0 ? leaves : result;
    dlviz_status status = c->doubles
                              ? dlz_comm_sum_doubles(comm, leaves, stride, c->size, c->present, out)
                              : dlz_comm_sum_floats(comm, leaves, stride, c->size, c->present, out);
    if (status == DLVIZ_OK)
        status = compare(c, out);
    free(leaves);
    free(result);
    return status;
}

typedef struct many_sums {
    float *nodes[RANKS_MANY];
    uint64_t seeds[RANKS_MANY];
} many_sums;

static int64_t size_of(int k) {
    return (k * 7919) % 6000;
}

static float node_value(uint64_t seed, int rank, int64_t i) {
    uint64_t mixed = (seed * 64 + (uint64_t)rank) * 6364136223846793005u + (uint64_t)i;
    mixed = (mixed ^ mixed >> 29) * 1442695040888963407u;
    return (float)(int32_t)(mixed >> 32) * 1e-9f;
}

/* Of ranks `first` to `end`, of which each has a node. */
static float node_sum(uint64_t seed, int first, int end, int64_t i) {
    int middle = first + (end - first + 1) / 2;
    if (end - first == 1)
        return node_value(seed, first, i);
    return node_sum(seed, first, middle, i) + node_sum(seed, middle, end, i);
}

static dlviz_status begin(dlviz_comm *comm, many_sums *m, int k, uint64_t round) {
    int64_t size = size_of(k);
    m->seeds[k] = round * RANKS_MANY + (uint64_t)k;
    free(m->nodes[k]);
    m->nodes[k] = malloc((size_t)size * sizeof(float) + 1);
    for (int64_t i = 0; i < size; i++)
        m->nodes[k][i] = node_value(m->seeds[k], dlz_comm_rank(comm), i);
    return dlz_comm_sum_node(comm, m->nodes[k], size);
}

static dlviz_status compare_nodes(const dlviz_comm *comm, const many_sums *m, int k) {
    for (int64_t i = 0; i < size_of(k); i++) {
        float right = node_sum(m->seeds[k], 0, dlz_comm_size(comm), i);
        if (memcmp(&right, &m->nodes[k][i], sizeof right) != 0)
            return dlviz_fail(DLVIZ_ERROR_STATE, "number %lld of sum %d is %.9g, not %.9g",
                              (long long)i, k, (double)m->nodes[k][i], (double)right);
    }
    return DLVIZ_OK;
}

static dlviz_status work_between(dlviz_comm *comm, const ranks_many_case *c, int k) {
    /* Each rank lets them go on at times of its own. */
    if ((k * 31 + dlz_comm_rank(comm) * 17) % 5 < 2)
        TRY(dlz_comm_progress(comm));
    if (c->between && k % 11 == 3) {
        int64_t numbers[RANKS_MOST];
        TRY(dlz_comm_gather_numbers(comm, k + dlz_comm_rank(comm), numbers));
        for (int rank = 0; rank < dlz_comm_size(comm); rank++)
            if (numbers[rank] != k + rank)
                return dlviz_fail(DLVIZ_ERROR_STATE, "a number is wrong");
    }
    return DLVIZ_OK;
}

static dlviz_status sum_round(dlviz_comm *comm, many_sums *m, const ranks_many_case *c,
                              uint64_t round) {
    for (int k = 0; k < c->number; k++) {
        TRY(begin(comm, m, k, round));
        TRY(work_between(comm, c, k));
    }
    TRY(dlz_comm_sums_finish(comm));
    for (int k = 0; k < c->number; k++)
        TRY(compare_nodes(comm, m, k));
    return DLVIZ_OK;
}

dlviz_status ranks_sum_many(dlviz_comm *comm, void *user) {
    many_sums *m = calloc(1, sizeof *m);
    dlviz_status status = dlz_comm_sums_finish(comm);
    for (uint64_t round = 0; round < 2 && status == DLVIZ_OK; round++)
        status = sum_round(comm, m, user, round);
    for (int k = 0; k < RANKS_MANY; k++)
        free(m->nodes[k]);
    free(m);
    return status;
}

static dlviz_status expect_bytes(const unsigned char *bytes, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (bytes[i] != (unsigned char)(i * 7 + 1))
            return dlviz_fail(DLVIZ_ERROR_STATE, "byte %lld is wrong", (long long)i);
    return DLVIZ_OK;
}

static void fill_bytes(unsigned char *bytes, int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i++)
        bytes[i] = (unsigned char)(i * 7 + 1);
}

/* Pieces of many sizes, and some of none. */
dlviz_status ranks_gather(dlviz_comm *comm, void *user) {
    (void)user;
    int size = dlz_comm_size(comm), rank = dlz_comm_rank(comm);
    int64_t offsets[RANKS_MOST + 1] = {0};
    for (int i = 0; i < size; i++)
        offsets[i + 1] = offsets[i] + (i * 37 + 5) % 11 * (i % 3) * 20;
    unsigned char *bytes = calloc((size_t)offsets[size] + 1, 1);
    fill_bytes(bytes, offsets[rank], offsets[rank + 1]);
    dlviz_status status = dlz_comm_gather_pieces(comm, bytes, offsets);
    if (status == DLVIZ_OK)
        status = expect_bytes(bytes, offsets[size]);
    free(bytes);
    return status;
}

/* How many bytes one rank has for another: none for some. */
static int64_t traded(int from, int to) {
    return (from * 37 + to * 5) % 11 * ((from + to) % 3) * 20;
}

static unsigned char traded_byte(int from, int to, int64_t i) {
    return (unsigned char)(from * 29 + to * 13 + i * 7 + 1);
}

dlviz_status ranks_trade(dlviz_comm *comm, void *user) {
    (void)user;
    int size = dlz_comm_size(comm), rank = dlz_comm_rank(comm), wrong = 0;
    int64_t sent[RANKS_MOST + 1] = {0}, received[RANKS_MOST + 1] = {0};
    for (int i = 0; i < size; i++) {
        sent[i + 1] = sent[i] + traded(rank, i);
        received[i + 1] = received[i] + traded(i, rank);
    }
    unsigned char *out = calloc((size_t)sent[size] + 1, 1);
    unsigned char *in = calloc((size_t)received[size] + 1, 1);
    for (int to = 0; to < size; to++)
        for (int64_t i = sent[to]; i < sent[to + 1]; i++)
            out[i] = traded_byte(rank, to, i - sent[to]);
    dlviz_status status = dlz_comm_trade_pieces(comm, out, sent, in, received);
    for (int from = 0; from < size; from++)
        for (int64_t i = received[from]; i < received[from + 1]; i++)
            wrong += in[i] != (from == rank ? 0 : traded_byte(from, rank, i - received[from]));
    free(out);
    free(in);
    if (status == DLVIZ_OK && wrong > 0)
        return dlviz_fail(DLVIZ_ERROR_STATE, "%d bytes are not those that were sent", wrong);
    return status;
}

dlviz_status ranks_gather_even(dlviz_comm *comm, void *user) {
    int64_t count = *(int64_t *)user;
    unsigned char *bytes = calloc((size_t)count * 12 + 1, 1);
    dlz_share own = dlz_comm_even_share(comm, dlz_comm_rank(comm), count);
    fill_bytes(bytes, own.first * 12, (own.first + own.count) * 12);
    dlviz_status status = dlz_comm_gather_even(comm, bytes, count, 12);
    if (status == DLVIZ_OK)
        status = expect_bytes(bytes, count * 12);
    free(bytes);
    return status;
}

dlviz_status ranks_broadcast(dlviz_comm *comm, void *user) {
    int64_t count = *(int64_t *)user;
    unsigned char *bytes = calloc((size_t)count + 1, 1);
    if (dlz_comm_rank(comm) == 0)
        fill_bytes(bytes, 0, count);
    dlviz_status status = dlz_comm_broadcast(comm, bytes, (size_t)count);
    if (status == DLVIZ_OK)
        status = expect_bytes(bytes, count);
    free(bytes);
    return status;
}

/* Rank r has r % 3 rows of 2 x 3. */
dlviz_status ranks_join(dlviz_comm *comm, void *user) {
    const dlviz_dtype dtype = *(dlviz_dtype *)user;
    int64_t dims[] = {dlviz_comm_rank(comm) % 3, 2, 3};
    dlviz_tensor *own, *all = NULL;
    TRY(dlz_comm_fail(comm, dlviz_tensor_create(&own, dtype, 3, dims)));
    memset(dlviz_tensor_data(own), 1 + (int)dlviz_comm_rank(comm),
           (size_t)dlviz_tensor_num_elements(own) * dlviz_dtype_size(dtype));
    dlviz_status status = dlviz_comm_gather(comm, own, &all);
    dlviz_tensor_destroy(own);
    TRY(status);
    const unsigned char *bytes = dlviz_tensor_const_data(all);
    for (int64_t rank = 0, i = 0; rank < dlviz_comm_num_ranks(comm); rank++)
        for (size_t b = 0; b < (size_t)(rank % 3) * 6 * dlviz_dtype_size(dtype); b++)
            if (bytes[i++] != 1 + rank)
                status = dlviz_fail(DLVIZ_ERROR_STATE, "byte %lld is wrong", (long long)i);
    dlviz_tensor_destroy(all);
    return status;
}

static dlviz_status agree_once(dlviz_comm *comm, const ranks_agree_case *c) {
    int rank = dlz_comm_rank(comm);
    dlviz_status own = DLVIZ_OK;
    if (rank == c->failing)
        own = dlviz_fail(DLVIZ_ERROR_NUMERIC, "NaN on %d", rank);
    if (rank == c->cancelling)
        own = dlviz_fail(DLVIZ_CANCELLED, "enough on %d", rank);
    return dlviz_comm_agree(comm, own);
}

dlviz_status ranks_agree(dlviz_comm *comm, void *user) {
    const ranks_agree_case *c = user;
    dlviz_status status = agree_once(comm, c);
    char sentence[200];
    snprintf(sentence, sizeof sentence, "%s", dlviz_last_error());
    /* It stays usable. */
    TRY(agree_once(comm, &(ranks_agree_case){-1, -1}));
    TRY(ranks_gather(comm, NULL));
    return status == DLVIZ_OK ? DLVIZ_OK : dlviz_fail(status, "%s", sentence);
}

static const char *text_of(const dlviz_comm *comm, int differing, size_t place,
                           char text[RANKS_TEXT + 1]) {
    memset(text, 'a', RANKS_TEXT);
    text[RANKS_TEXT] = '\0';
    memcpy(text + place, "rate 0.10", 9);
    if (dlz_comm_rank(comm) >= differing)
        text[place + 7] = '2';
    return text;
}

dlviz_status ranks_compare_texts(dlviz_comm *comm, void *user) {
    const ranks_text_case *c = user;
    char text[RANKS_TEXT + 1];
    dlviz_status status = dlz_comm_require_same(comm, "dlviz_test", "the settings",
                                                text_of(comm, c->differing, c->place, text));
    TRY(dlz_comm_agree(comm, DLVIZ_OK));
    return status;
}

dlviz_status ranks_all_of_it(dlviz_comm *comm, void *user) {
    (void)user;
    dlviz_dtype dtype = DLVIZ_FLOAT32;
    int64_t count = 50;
    char text[RANKS_TEXT + 1];
    TRY(agree_once(comm, &(ranks_agree_case){-1, -1}));
    TRY(ranks_sum(comm, &(ranks_sum_case){1, 5000, 8, true, false}));
    TRY(ranks_sum_many(comm, &(ranks_many_case){12, true}));
    TRY(ranks_gather(comm, NULL));
    TRY(ranks_broadcast(comm, &count));
    TRY(ranks_join(comm, &dtype));
    TRY(dlz_comm_require_same(comm, "dlviz_test", "all", text_of(comm, RANKS_MOST, 0, text)));
    return dlz_comm_agree(comm, DLVIZ_OK);
}
