/* What ranks do together: sums to the bit of one process's, pieces, agreement, and failures of
 * every call, after which nobody waits for ever. */
#include "comm/comm.h"
#include "support/rank_work.h"
#include "support/support.h"

#include <stdio.h>
#include <string.h>

#define MAX_SIZE 70001

/* -- Shares ---------------------------------------------------------------------------------------
 */

START_TEST(shares_are_all_there_is) {
    ck_ok(ranks_see_shares(NULL, NULL));
    for (int n = 1; n <= 20; n++)
        ranks_succeed(n, ranks_see_shares, NULL);
    ck_assert_int_eq(dlz_leaf(INT64_MAX, 7).first + dlz_leaf(INT64_MAX, 7).count, INT64_MAX);
    for (int leaf = 0; leaf < DLZ_LEAVES; leaf++)
        ck_assert_int_eq(dlz_leaf(1000003, leaf).first, 1000003LL * leaf / DLZ_LEAVES);
}
END_TEST

/* -- Sums -----------------------------------------------------------------------------------------
 */

START_TEST(sums_are_those_of_one_process) {
    static const int64_t sizes[] = {0, 1, 2, 3, 7, 8, 9, 100, 1023, 2047, 2048, 2049, 5000, 70001};
    static const int ranks[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 16, 17};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int present = 0; present <= DLZ_LEAVES; present++) {
            ranks_sum_case c = {i + 1, sizes[i], present, (i + (size_t)present) % 3 == 0,
                                present % 2};
            if (c.size == MAX_SIZE && present % 3 != 2)
                continue;
            ck_ok(ranks_sum(NULL, &c));
            for (size_t r = (i + (size_t)present) % 3; r < sizeof ranks / sizeof *ranks; r += 3)
                ranks_succeed(ranks[r], ranks_sum, &c);
        }
}
END_TEST

START_TEST(sums_send_little) {
    for (int n = 2; n <= 8; n++) {
        ranks_sum_case c = {1, MAX_SIZE, DLZ_LEAVES, false, false};
        ranks_result results[RANKS_MOST];
        ranks_run(n, ranks_sum, &c, results);
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

START_TEST(many_sums_at_a_time) {
    ck_ok(ranks_sum_many(NULL, &(ranks_many_case){40, true}));
    for (int n = 1; n <= 9; n++)
        for (uint64_t delays = 0; delays < 3; delays++) {
            ranks_many_case c = {delays == 0 ? RANKS_MANY : 40, delays == 1};
            ranks_trouble trouble = {.delays = delays};
            ranks_result results[RANKS_MOST];
            ranks_run_with(&trouble, n, ranks_sum_many, &c, results);
            for (int i = 0; i < n; i++)
                ck_assert_msg(results[i].status == DLVIZ_OK, "rank %d of %d: %s", i, n,
                              results[i].sentence);
        }
}
END_TEST

/* -- Pieces, and what one rank has ----------------------------------------------------------------
 */

START_TEST(pieces_are_for_all) {
    static const int64_t counts[] = {0, 1, 5, 8, 100, 9999};
    ck_ok(ranks_gather(NULL, NULL));
    for (int n = 1; n <= 17; n++) {
        ranks_succeed(n, ranks_gather, NULL);
        for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
            int64_t count = counts[i];
            ck_ok(ranks_gather_even(NULL, &count));
            ranks_succeed(n, ranks_gather_even, &count);
            ck_ok(ranks_broadcast(NULL, &count));
            ranks_succeed(n, ranks_broadcast, &count);
        }
    }
}
END_TEST

START_TEST(pieces_are_sent_as_often_as_needed) {
    int64_t count = 9000, bytes = 0;
    ranks_result results[RANKS_MOST];
    for (int n = 2; n <= 9; n++, bytes = 0) {
        ranks_run(n, ranks_gather_even, &count, results);
        for (int i = 0; i < n; i++)
            bytes += results[i].bytes;
        ck_assert_int_eq(bytes, count * 12 * (n - 1));
    }
}
END_TEST

/* Few ranks trade with all others at once, many one after another. */
START_TEST(pieces_are_traded) {
    ck_ok(ranks_trade(NULL, NULL));
    for (int n = 1; n <= 17; n++)
        ranks_succeed(n, ranks_trade, NULL);
}
END_TEST

START_TEST(tensors_are_joined) {
    for (dlviz_dtype dtype = DLVIZ_FLOAT32; dtype <= DLVIZ_INT64; dtype++) {
        ck_ok(ranks_join(NULL, &dtype));
        for (int n = 1; n <= 9; n++)
            ranks_succeed(n, ranks_join, &dtype);
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

static void expect_agreement(int n, int failing, int cancelling) {
    ranks_result results[RANKS_MOST];
    char words[32];
    ranks_run(n, ranks_agree, &(ranks_agree_case){failing, cancelling}, results);
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

START_TEST(all_come_to_an_agreement) {
    for (int n = 1; n <= 9; n++) {
        ranks_succeed(n, ranks_agree, &(ranks_agree_case){-1, -1});
        for (int i = 0; i < n; i++) {
            expect_agreement(n, i, -1);
            expect_agreement(n, -1, i);
            if (n > 1)
                expect_agreement(n, i, (i + 1) % n);
        }
    }
}
END_TEST

static void expect_told_apart(int n, int differing, size_t place) {
    ranks_text_case c = {differing, place};
    ranks_result results[RANKS_MOST];
    char words[32];
    snprintf(words, sizeof words, "on rank %d and ", differing);
    ranks_run(n, ranks_compare_texts, &c, results);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(results[i].status, DLVIZ_ERROR_INVALID_ARGUMENT);
        ck_assert_ptr_nonnull(strstr(results[i].sentence, words));
        ck_assert_ptr_nonnull(strstr(results[i].sentence, "rate 0.20"));
        ck_assert_ptr_nonnull(strstr(results[i].sentence, "rate 0.10"));
        ck_assert(place < 100 || strstr(results[i].sentence, "'...a"));
    }
}

START_TEST(texts_are_the_same_or_told_apart) {
    ck_ok(ranks_compare_texts(NULL, &(ranks_text_case){0, 0}));
    for (int n = 1; n <= 9; n++) {
        ranks_succeed(n, ranks_compare_texts, &(ranks_text_case){n, 1980});
        for (int differing = 1; differing < n; differing++)
            expect_told_apart(n, differing, 1980);
    }
}
END_TEST

/* Wherever it is, and at its whole length where the text goes on. */
START_TEST(the_difference_of_long_texts_is_shown) {
    for (size_t place = 0; place + 9 <= RANKS_TEXT; place += place % 100 == 0 ? 1 : 33)
        expect_told_apart(2, 1, place);
    expect_told_apart(2, 1, RANKS_TEXT - 9);
}
END_TEST

/* -- Failures -------------------------------------------------------------------------------------
 */

static dlviz_status all_and_more(dlviz_comm *comm, void *user) {
    dlviz_status status = ranks_all_of_it(comm, user), later = dlz_comm_progress(comm);
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
        ranks_run(n, ranks_all_of_it, NULL, results);
        for (int rank = 0; rank < n; rank += n - 1)
            for (int64_t call = 1; call <= results[rank].calls; call += n == 8 ? 11 : 2) {
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
        ranks_run_with(&trouble, n, ranks_all_of_it, NULL, results);
        for (int rank = 0; rank < n; rank++) {
            ck_assert_int_gt(results[rank].allocations, 6);
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
    TRY(ranks_gather(comm, NULL));
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
                                  pieces_are_traded,
                                  tensors_are_joined,
                                  tensors_that_do_not_fit_are_refused_by_all,
                                  all_come_to_an_agreement,
                                  texts_are_the_same_or_told_apart,
                                  the_difference_of_long_texts_is_shown,
                                  any_call_may_fail,
                                  any_allocation_may_fail,
                                  one_that_fails_alone_tells_the_others,
                                  tables_are_checked,
                                  functions_without_sentences_have_one_put_in,
                                  NULL};
    return run_tests("comm", tests);
}
