/* What ranks do together: sums to the bit of one process's, pieces, agreement, and failures of
 * every call, after which nobody waits for ever. */
#include "comm/comm.h"
#include "support/ranks.h"
#include "support/support.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SIZE 70001

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

/* -- Shares ---------------------------------------------------------------------------------------
 */

static dlviz_status see_shares(dlviz_comm *comm, void *user) {
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

START_TEST(shares_are_all_there_is) {
    ck_ok(see_shares(NULL, NULL));
    for (int n = 1; n <= 20; n++)
        ranks_succeed(n, see_shares, NULL);
    ck_assert_int_eq(dlz_leaf(INT64_MAX, 7).first + dlz_leaf(INT64_MAX, 7).count, INT64_MAX);
    for (int leaf = 0; leaf < DLZ_LEAVES; leaf++)
        ck_assert_int_eq(dlz_leaf(1000003, leaf).first, 1000003LL * leaf / DLZ_LEAVES);
}
END_TEST

/* -- Sums -----------------------------------------------------------------------------------------
 */

typedef struct sum_case {
    uint64_t seed;
    int64_t size;
    int present;
    bool doubles, in_place;
} sum_case;

/* This rank's leaves; those that have nothing to sum are NaN, which nobody is to see. */
static void *make_leaves(dlviz_comm *comm, const sum_case *c, int64_t stride) {
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

static dlviz_status compare(const sum_case *c, const void *sum) {
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

static dlviz_status sum(dlviz_comm *comm, void *user) {
    const sum_case *c = user;
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

START_TEST(sums_are_those_of_one_process) {
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 100, 1023, 2047, 2048, 2049, 5000, 70001};
    static const int ranks[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int present = 0; present <= DLZ_LEAVES; present++) {
            sum_case c = {i + 1, sizes[i], present, (i + (size_t)present) % 3 == 0, present % 2};
            if (c.size == MAX_SIZE && present % 3 != 2)
                continue;
            ck_ok(sum(NULL, &c));
            for (size_t r = 0; r < sizeof ranks / sizeof *ranks; r++)
                ranks_succeed(ranks[r], sum, &c);
        }
}
END_TEST

START_TEST(sums_send_little) {
    for (int n = 2; n <= 8; n++) {
        sum_case c = {1, MAX_SIZE, DLZ_LEAVES, false, false};
        ranks_result results[RANKS_MOST];
        ranks_run(n, sum, &c, results);
        double most = (n & (n - 1)) == 0 ? 2 : 4;
        for (int i = 0; i < n; i++) {
            ck_assert_msg(results[i].status == DLVIZ_OK, "%s", results[i].sentence);
            ck_assert(results[i].bytes < (int64_t)(most * sizeof(float) * MAX_SIZE));
        }
    }
}
END_TEST

/* -- Sums in the background -----------------------------------------------------------------------
 */

#define MANY 300

typedef struct many_case {
    int number;
    bool between; /* other calls between them */
} many_case;

typedef struct many_sums {
    void *leaves[MANY], *results[MANY];
    sum_case cases[MANY];
} many_sums;

static dlviz_status begin(dlviz_comm *comm, many_sums *m, int k, uint64_t round) {
    sum_case *c = &m->cases[k];
    *c = (sum_case){round * MANY + (uint64_t)k, (k * 7919) % 6000, 8 - k % 7 % 5, false, false};
    free(m->leaves[k]);
    m->leaves[k] = make_leaves(comm, c, c->size);
    free(m->results[k]);
    m->results[k] = malloc((size_t)c->size * sizeof(float) + 1);
    return dlz_comm_sum_begin(comm, m->leaves[k], c->size, c->size, c->present, m->results[k]);
}

static dlviz_status work_between(dlviz_comm *comm, const many_case *c, int k) {
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

static dlviz_status sum_round(dlviz_comm *comm, many_sums *m, const many_case *c, uint64_t round) {
    for (int k = 0; k < c->number; k++) {
        TRY(begin(comm, m, k, round));
        TRY(work_between(comm, c, k));
    }
    TRY(dlz_comm_sums_finish(comm));
    for (int k = 0; k < c->number; k++)
        TRY(compare(&m->cases[k], m->results[k]));
    return DLVIZ_OK;
}

static dlviz_status sum_many(dlviz_comm *comm, void *user) {
    many_sums *m = calloc(1, sizeof *m);
    dlviz_status status = dlz_comm_sums_finish(comm);
    for (uint64_t round = 0; round < 2 && status == DLVIZ_OK; round++)
        status = sum_round(comm, m, user, round);
    for (int k = 0; k < MANY; k++) {
        free(m->leaves[k]);
        free(m->results[k]);
    }
    free(m);
    return status;
}

START_TEST(many_sums_at_a_time) {
    ck_ok(sum_many(NULL, &(many_case){40, true}));
    for (int n = 1; n <= 9; n++)
        for (uint64_t delays = 0; delays < 3; delays++) {
            many_case c = {delays == 0 ? MANY : 40, delays == 1};
            ranks_trouble trouble = {.delays = delays};
            ranks_result results[RANKS_MOST];
            ranks_run_with(&trouble, n, sum_many, &c, results);
            for (int i = 0; i < n; i++)
                ck_assert_msg(results[i].status == DLVIZ_OK, "rank %d of %d: %s", i, n,
                              results[i].sentence);
        }
}
END_TEST

/* -- Pieces, and what one rank has ----------------------------------------------------------------
 */

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
static dlviz_status gather(dlviz_comm *comm, void *user) {
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

static dlviz_status gather_even(dlviz_comm *comm, void *user) {
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

static dlviz_status broadcast(dlviz_comm *comm, void *user) {
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

START_TEST(pieces_are_for_all) {
    static const int64_t counts[] = {0, 1, 5, 8, 100, 9999};
    ck_ok(gather(NULL, NULL));
    for (int n = 1; n <= 17; n++) {
        ranks_succeed(n, gather, NULL);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            int64_t count = counts[i];
            ck_ok(gather_even(NULL, &count));
            ranks_succeed(n, gather_even, &count);
            ck_ok(broadcast(NULL, &count));
            ranks_succeed(n, broadcast, &count);
        }
    }
}
END_TEST

START_TEST(pieces_are_sent_as_often_as_needed) {
    int64_t count = 9000, bytes = 0;
    ranks_result results[RANKS_MOST];
    for (int n = 2; n <= 9; n++, bytes = 0) {
        ranks_run(n, gather_even, &count, results);
        for (int i = 0; i < n; i++)
            bytes += results[i].bytes;
        ck_assert_int_eq(bytes, count * 12 * (n - 1));
    }
}
END_TEST

/* Rank r has r % 3 rows of 2 x 3. */
static dlviz_status join(dlviz_comm *comm, void *user) {
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

START_TEST(tensors_are_joined) {
    for (dlviz_dtype dtype = DLVIZ_FLOAT32; dtype <= DLVIZ_INT64; dtype++) {
        ck_ok(join(NULL, &dtype));
        for (int n = 1; n <= 9; n++)
            ranks_succeed(n, join, &dtype);
    }
}
END_TEST

/* A rank has another shape, or none. */
static dlviz_status join_others(dlviz_comm *comm, void *user) {
    bool odd = dlviz_comm_rank(comm) == 2;
    dlviz_tensor *own = NULL, *all = (dlviz_tensor *)user;
    if (!odd || user)
        TRY(dlviz_tensor_create(&own, DLVIZ_FLOAT32, 2, (int64_t[]){2, odd ? 4 : 3}));
    dlviz_status status = dlviz_comm_gather(comm, own, &all);
    dlviz_tensor_destroy(own);
    return all ? dlviz_fail(DLVIZ_ERROR_STATE, "there is a tensor") : status;
}

START_TEST(tensors_that_do_not_fit_are_refused_by_all) {
    ranks_result results[RANKS_MOST];
    ranks_run(4, join_others, (void *)1, results);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(results[i].status, DLVIZ_ERROR_SHAPE);
        ck_assert_ptr_nonnull(strstr(results[i].sentence, "n x 4' on rank 2"));
    }
    ranks_run(4, join_others, NULL, results);
    for (int i = 0; i < 4; i++) {
        ck_assert_int_eq(results[i].status,
                         i == 2 ? DLVIZ_ERROR_INVALID_ARGUMENT : DLVIZ_ERROR_COMM);
        ck_assert_ptr_nonnull(strstr(results[i].sentence, "'own' is NULL"));
    }
}
END_TEST

/* -- Agreement ------------------------------------------------------------------------------------
 */

typedef struct agree_case {
    int failing, cancelling; /* ranks; -1 for none */
} agree_case;

static dlviz_status agree_once(dlviz_comm *comm, const agree_case *c) {
    int rank = dlz_comm_rank(comm);
    dlviz_status own = DLVIZ_OK;
    if (rank == c->failing)
        own = dlviz_fail(DLVIZ_ERROR_NUMERIC, "NaN on %d", rank);
    if (rank == c->cancelling)
        own = dlviz_fail(DLVIZ_CANCELLED, "enough on %d", rank);
    return dlviz_comm_agree(comm, own);
}

static dlviz_status agree(dlviz_comm *comm, void *user) {
    const agree_case *c = user;
    dlviz_status status = agree_once(comm, c);
    char sentence[200];
    snprintf(sentence, sizeof sentence, "%s", dlviz_last_error());
    /* It stays usable. */
    TRY(agree_once(comm, &(agree_case){-1, -1}));
    TRY(gather(comm, NULL));
    return status == DLVIZ_OK ? DLVIZ_OK : dlviz_fail(status, "%s", sentence);
}

static void expect_agreement(int n, int failing, int cancelling) {
    ranks_result results[RANKS_MOST];
    char words[32];
    ranks_run(n, agree, &(agree_case){failing, cancelling}, results);
    snprintf(words, sizeof words, failing >= 0 ? "NaN on %d" : "enough on %d",
             failing >= 0 ? failing : cancelling);
    for (int i = 0; i < n; i++) {
        dlviz_status status = failing >= 0 ? DLVIZ_ERROR_COMM : DLVIZ_CANCELLED;
        if (i == failing)
            status = DLVIZ_ERROR_NUMERIC;
        if (i == cancelling)
            status = DLVIZ_CANCELLED;
        ck_assert_int_eq(results[i].status, status);
        ck_assert_msg(i == cancelling || strstr(results[i].sentence, words), "%s",
                      results[i].sentence);
    }
}

START_TEST(ranks_agree) {
    for (int n = 1; n <= 9; n++) {
        ranks_succeed(n, agree, &(agree_case){-1, -1});
        for (int i = 0; i < n; i++) {
            expect_agreement(n, i, -1);
            expect_agreement(n, -1, i);
            if (n > 1)
                expect_agreement(n, i, (i + 1) % n);
        }
    }
}
END_TEST

static const char *text_of(const dlviz_comm *comm, int differing, char text[4000]) {
    memset(text, 'a', 3999);
    text[3999] = '\0';
    memcpy(text + 1980, "rate 0.10", 9);
    if (dlz_comm_rank(comm) >= differing)
        text[1987] = '2';
    return text;
}

static dlviz_status compare_texts(dlviz_comm *comm, void *user) {
    char text[4000];
    dlviz_status status = dlz_comm_require_same(comm, "dlviz_test", "the settings",
                                                text_of(comm, *(int *)user, text));
    TRY(dlz_comm_agree(comm, DLVIZ_OK));
    return status;
}

START_TEST(texts_are_the_same_or_told_apart) {
    ck_ok(compare_texts(NULL, &(int){0}));
    for (int n = 1; n <= 9; n++) {
        ranks_succeed(n, compare_texts, &(int){n});
        for (int differing = 1; differing < n; differing++) {
            ranks_result results[RANKS_MOST];
            char words[32];
            snprintf(words, sizeof words, "on rank %d and ", differing);
            ranks_run(n, compare_texts, &differing, results);
            for (int i = 0; i < n; i++) {
                ck_assert_int_eq(results[i].status, DLVIZ_ERROR_INVALID_ARGUMENT);
                ck_assert_ptr_nonnull(strstr(results[i].sentence, words));
                ck_assert_ptr_nonnull(strstr(results[i].sentence, "rate 0.20"));
                ck_assert_ptr_nonnull(strstr(results[i].sentence, "rate 0.10"));
            }
        }
    }
}
END_TEST

/* -- Failures -------------------------------------------------------------------------------------
 */

static dlviz_status all_of_it(dlviz_comm *comm, void *user) {
    (void)user;
    dlviz_dtype dtype = DLVIZ_FLOAT32;
    int64_t count = 50;
    char text[4000];
    TRY(agree_once(comm, &(agree_case){-1, -1}));
    TRY(sum(comm, &(sum_case){1, 5000, 8, true, false}));
    TRY(sum_many(comm, &(many_case){12, true}));
    TRY(gather(comm, NULL));
    TRY(broadcast(comm, &count));
    TRY(join(comm, &dtype));
    TRY(dlz_comm_require_same(comm, "dlviz_test", "all", text_of(comm, RANKS_MOST, text)));
    return dlz_comm_agree(comm, DLVIZ_OK);
}

static dlviz_status all_and_more(dlviz_comm *comm, void *user) {
    dlviz_status status = all_of_it(comm, user), later = dlz_comm_progress(comm);
    char sentence[1024];
    snprintf(sentence, sizeof sentence, "%s", dlviz_last_error());
    /* What has failed fails at once from then on, in the same way. */
    if (later != DLVIZ_OK &&
        (dlz_comm_agree(comm, DLVIZ_OK) != later || strcmp(dlviz_last_error(), sentence) != 0))
        return dlviz_fail(DLVIZ_ERROR_STATE, "goes on");
    return status;
}

static void expect_failure(const ranks_trouble *trouble, int n, dlviz_status status,
                           const char *words) {
    ranks_result results[RANKS_MOST];
    ranks_run_with(trouble, n, all_and_more, NULL, results);
    for (int i = 0; i < n; i++) {
        /* How often is asked whether something is finished differs from run to run. */
        bool own = i == trouble->rank && results[i].calls >= trouble->call;
        ck_assert_msg(results[i].status == (own ? status : DLVIZ_ERROR_COMM) ||
                          (!own && results[i].status == DLVIZ_OK),
                      "rank %d of %d, trouble at call %lld, allocation %lld: %s (%s)", i, n,
                      (long long)trouble->call, (long long)trouble->allocation, results[i].sentence,
                      dlviz_status_name(results[i].status));
        if (results[i].status != DLVIZ_OK && !trouble->silent)
            ck_assert_msg(strstr(results[i].sentence, words), "rank %d: %s", i,
                          results[i].sentence);
    }
}

START_TEST(any_call_may_fail) {
    for (int n = 2; n <= 8; n += n == 4 ? 4 : 1) {
        ranks_result results[RANKS_MOST];
        ranks_run(n, all_of_it, NULL, results);
        for (int rank = 0; rank < n; rank += n - 1)
            for (int64_t call = 1; call <= results[rank].calls; call += n == 8 ? 5 : 1) {
                ranks_trouble trouble = {.rank = rank, .call = call, .silent = call % 3 == 0};
                expect_failure(&trouble, n, DLVIZ_ERROR_COMM, "injected");
            }
    }
}
END_TEST

START_TEST(any_allocation_may_fail) {
    for (int n = 2; n <= 4; n++) {
        ranks_result results[RANKS_MOST];
        ranks_trouble trouble = {.allocation = INT64_MAX};
        ranks_run_with(&trouble, n, all_of_it, NULL, results);
        for (int rank = 0; rank < n; rank++) {
            ck_assert_int_gt(results[rank].allocations, 10);
            for (int64_t k = 1; k <= results[rank].allocations; k++) {
                trouble = (ranks_trouble){.rank = rank, .allocation = k};
                expect_failure(&trouble, n, DLVIZ_ERROR_OUT_OF_MEMORY, "memory");
            }
        }
    }
}
END_TEST

static dlviz_status fail_alone(dlviz_comm *comm, void *user) {
    (void)user;
    if (dlz_comm_rank(comm) == 1)
        return dlz_comm_fail(comm, dlviz_fail(DLVIZ_ERROR_IO, "the disk is full"));
    TRY(gather(comm, NULL));
    return dlz_comm_agree(comm, DLVIZ_OK);
}

START_TEST(one_that_fails_alone_tells_the_others) {
    for (int n = 2; n <= 9; n++) {
        ranks_result results[RANKS_MOST];
        ranks_run(n, fail_alone, NULL, results);
        for (int i = 0; i < n; i++) {
            ck_assert_int_eq(results[i].status, i == 1 ? DLVIZ_ERROR_IO : DLVIZ_ERROR_COMM);
            ck_assert_str_eq(results[i].sentence,
                             i == 1 ? "the disk is full" : "rank 1 failed: the disk is full");
        }
    }
    ck_assert_int_eq(dlz_comm_fail(NULL, DLVIZ_ERROR_IO), DLVIZ_ERROR_IO);
}
END_TEST

/* -- The table ------------------------------------------------------------------------------------
 */

static dlviz_status start_nothing(int64_t slot, int64_t peer, const void *send, size_t send_size,
                                  void *receive, size_t receive_size, void *user) {
    (void)slot, (void)peer, (void)send, (void)send_size;
    (void)receive, (void)receive_size, (void)user;
    return DLVIZ_ERROR_IO;
}

static dlviz_status finish_nothing(int64_t slot, bool wait, bool *finished, void *user) {
    (void)slot, (void)wait, (void)finished, (void)user;
    return DLVIZ_OK;
}

static void say_nothing(const char *sentence, void *user) {
    (void)sentence, (void)user;
}

static void count_destroyed(void *user) {
    ++*(int *)user;
}

START_TEST(tables_are_checked) {
    int destroyed = 0;
    dlviz_comm *comm;
    dlviz_comm_functions f = {sizeof f, start_nothing, finish_nothing, say_nothing,
                              count_destroyed};
    ck_fails(dlviz_comm_create(&comm, 0, 1, NULL, NULL), DLVIZ_ERROR_INVALID_ARGUMENT, "NULL");
    ck_fails(dlviz_comm_create(NULL, 0, 1, &f, &destroyed), DLVIZ_ERROR_INVALID_ARGUMENT, "'out'");
    ck_fails(dlviz_comm_create(&comm, 2, 2, &f, &destroyed), DLVIZ_ERROR_INVALID_ARGUMENT,
             "0 to 1");
    ck_fails(dlviz_comm_create(&comm, 0, 0, &f, &destroyed), DLVIZ_ERROR_INVALID_ARGUMENT, "4096");
    ck_fails(dlviz_comm_create(&comm, 0, 5000, &f, &destroyed), DLVIZ_ERROR_INVALID_ARGUMENT,
             "4096");
    ck_assert_int_eq(destroyed, 4);
    f.finish = NULL;
    ck_fails(dlviz_comm_create(&comm, 0, 1, &f, &destroyed), DLVIZ_ERROR_INVALID_ARGUMENT,
             "no finish");
    f.finish = finish_nothing, f.fail = NULL;
    ck_fails(dlviz_comm_create(&comm, 0, 1, &f, &destroyed), DLVIZ_ERROR_INVALID_ARGUMENT,
             "no fail");
    f.fail = say_nothing, f.struct_size = 8;
    ck_fails(dlviz_comm_create(&comm, 0, 1, &f, &destroyed), DLVIZ_ERROR_INVALID_ARGUMENT,
             "struct_size is 8");
    ck_assert_int_eq(destroyed, 6);
    struct {
        dlviz_comm_functions functions;
        void *later;
    } larger = {{sizeof larger, start_nothing, finish_nothing, say_nothing, count_destroyed},
                &larger};
    ck_fails(dlviz_comm_create(&comm, 0, 1, &larger.functions, &destroyed),
             DLVIZ_ERROR_INVALID_ARGUMENT, "does not know");
    larger.later = NULL;
    ck_ok(dlviz_comm_create(&comm, 0, 1, &larger.functions, &destroyed));
    dlz_comm_hold(comm);
    dlviz_comm_destroy(comm);
    ck_assert_int_eq(destroyed, 7);
    dlviz_comm_destroy(comm);
    ck_assert_int_eq(destroyed, 8);
    dlviz_comm_destroy(NULL);
}
END_TEST

START_TEST(functions_without_sentences_have_one_put_in) {
    int destroyed = 0;
    dlviz_comm *comm;
    dlviz_comm_functions f = {sizeof f, start_nothing, finish_nothing, say_nothing,
                              count_destroyed};
    ck_ok(dlviz_comm_create(&comm, 0, 2, &f, &destroyed));
    ck_fails(dlz_comm_agree(comm, DLVIZ_OK), DLVIZ_ERROR_COMM, "start failed without a sentence");
    ck_fails(dlviz_comm_agree(comm, DLVIZ_OK), DLVIZ_ERROR_COMM, "start failed without");
    ck_assert_int_eq(dlviz_comm_agree(comm, DLVIZ_ERROR_IO), DLVIZ_ERROR_IO);
    ck_fails(dlviz_comm_agree(NULL, (dlviz_status)77), DLVIZ_ERROR_INVALID_ARGUMENT, "77");
    dlviz_comm_destroy(comm);
    ck_assert_int_eq(dlviz_comm_num_ranks(NULL), 1);
    ck_assert_int_eq(dlviz_comm_rank(NULL), 0);
    ck_assert_str_eq(dlviz_status_name(DLVIZ_ERROR_COMM), "communication failed");
}
END_TEST

int main(void) {
    const TTest *const tests[] = {shares_are_all_there_is,
                                  sums_are_those_of_one_process,
                                  sums_send_little,
                                  many_sums_at_a_time,
                                  pieces_are_for_all,
                                  pieces_are_sent_as_often_as_needed,
                                  tensors_are_joined,
                                  tensors_that_do_not_fit_are_refused_by_all,
                                  ranks_agree,
                                  texts_are_the_same_or_told_apart,
                                  any_call_may_fail,
                                  any_allocation_may_fail,
                                  one_that_fails_alone_tells_the_others,
                                  tables_are_checked,
                                  functions_without_sentences_have_one_put_in,
                                  NULL};
    return run_tests("comm", tests);
}
