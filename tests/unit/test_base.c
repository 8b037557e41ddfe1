#include "base/base.h"
#include "base/parallel.h"
#include "base/random.h"
#include "support/support.h"

#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(philox_gives_the_published_numbers) {
    /* The known-answer vectors of the Random123 distribution for philox4x32, 10 rounds. */
    uint32_t out[4];
    dlz_philox(0, 0, 0, out);
    ck_assert_uint_eq(out[0], 0x6627e8d5);
    ck_assert_uint_eq(out[1], 0xe169c58d);
    ck_assert_uint_eq(out[2], 0xbc57ac4c);
    ck_assert_uint_eq(out[3], 0x9b00dbd8);
    dlz_philox(0x299f31d0a4093822u, 0x0370734413198a2eu, 0x85a308d3243f6a88u, out);
    ck_assert_uint_eq(out[0], 0xd16cfe09);
    ck_assert_uint_eq(out[1], 0x94fdcceb);
    ck_assert_uint_eq(out[2], 0x5001e420);
    ck_assert_uint_eq(out[3], 0x24126ea1);
}
END_TEST

typedef struct sum_context {
    double partial[1000];
    int workers_seen[DLZ_MAX_THREADS];
} sum_context;

static void sum_tile(void *context, int64_t tile, int worker) {
    sum_context *sum = context;
    double total = 0;
    for (int i = 0; i < 100; i++)
        total += sin((double)(tile * 100 + i));
    sum->partial[tile] = total;
    __atomic_store_n(&sum->workers_seen[worker], 1, __ATOMIC_RELAXED);
}

static double tiled_sum(int workers) {
    static _Thread_local sum_context sum;
    memset(&sum, 0, sizeof sum);
    dlz_parallel_for(1000, workers, sum_tile, &sum);
    double total = 0;
    for (int i = 0; i < 1000; i++)
        total += sum.partial[i];
    for (int i = workers; i < DLZ_MAX_THREADS; i++)
        ck_assert_int_eq(sum.workers_seen[i], 0);
    return total;
}

START_TEST(tiles_give_the_same_bits_for_any_number_of_threads) {
    double one = tiled_sum(1);
    for (int repeat = 0; repeat < 50; repeat++) {
        int workers[] = {2, 3, 8, 64};
        for (size_t i = 0; i < 4; i++) {
            double many = tiled_sum(workers[i]);
            ck_assert_int_eq(memcmp(&one, &many, sizeof one), 0);
        }
    }
}
END_TEST

static void *sum_on_a_thread(void *result) {
    for (int i = 0; i < 100; i++)
        *(double *)result = tiled_sum(3);
    return NULL;
}

START_TEST(two_callers_share_the_pool) {
    double expected = tiled_sum(1), results[4];
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, sum_on_a_thread, &results[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        ck_assert_double_eq(results[i], expected);
    }
}
END_TEST

START_TEST(the_pool_survives_a_fork) {
    if (getenv("DLVIZ_TEST_EMULATED")) {
        printf("SKIP: QEMU 7.2 itself ends where a forked child starts threads\n");
        return;
    }
    double expected = tiled_sum(4);
    pid_t child = fork();
    if (child == 0)
        _exit(tiled_sum(4) == expected ? 0 : 1);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}
END_TEST

/* With the default action, a signal that a worker took would end this test. */
START_TEST(workers_leave_signals_to_the_program) {
    sigset_t one, pending;
    ck_ok(dlviz_set_num_threads(4));
    tiled_sum(4);
    sigemptyset(&one);
    sigaddset(&one, SIGUSR1);
    ck_assert_int_eq(pthread_sigmask(SIG_BLOCK, &one, NULL), 0);
    ck_assert_int_eq(kill(getpid(), SIGUSR1), 0);
    tiled_sum(4);
    usleep(20000);
    sigpending(&pending);
    ck_assert_int_eq(sigismember(&pending, SIGUSR1), 1);
    int taken;
    ck_assert_int_eq(sigwait(&one, &taken), 0);
    ck_assert_int_eq(taken, SIGUSR1);
    pthread_sigmask(SIG_UNBLOCK, &one, NULL);
}
END_TEST

START_TEST(thread_numbers_are_checked) {
    ck_fails(dlviz_set_num_threads(-1), DLVIZ_ERROR_INVALID_ARGUMENT, "-1 threads");
    ck_fails(dlviz_set_num_threads(257), DLVIZ_ERROR_INVALID_ARGUMENT, "257 threads");
    ck_ok(dlviz_set_num_threads(5));
    ck_assert_int_eq(dlviz_num_threads(), 5);
    ck_ok(dlviz_set_num_threads(0));
    ck_assert_int_ge(dlviz_num_threads(), 1);
}
END_TEST

START_TEST(sizes_are_checked) {
    int64_t product;
    ck_assert(!dlz_product_overflows(3, (int64_t[]){2, 3, 4}, &product));
    ck_assert_int_eq(product, 24);
    ck_assert(dlz_product_overflows(2, (int64_t[]){INT64_MAX, 2}, &product));
    ck_assert(!dlz_product_overflows(3, (int64_t[]){INT64_MAX, INT64_MAX, 0}, &product));
    ck_assert_int_eq(product, 0);
    ck_assert_ptr_null(dlz_alloc_array(SIZE_MAX / 2, 3));
    ck_assert_ptr_null(dlz_alloc(SIZE_MAX));
    /* Counts are not cut to a size_t, which has 32 bits on some machines. */
    size_t bytes;
    bool narrow = sizeof bytes < sizeof(uint64_t);
    ck_assert(dlz_mul_overflows(UINT64_C(1) << 32, 3, &bytes) == narrow);
    ck_assert(dlz_mul_overflows(3, UINT64_C(1) << 32, &bytes) == narrow);
    ck_assert(dlz_mul_overflows(UINT64_C(1) << 32, UINT64_C(1) << 32, &bytes));
    ck_assert(dlz_mul_overflows((uint64_t)-1, 2, &bytes));
    ck_assert_ptr_null(dlz_alloc_array(UINT64_C(1) << 32, UINT64_C(1) << 32));
    ck_assert_ptr_null(dlz_alloc_array_zero(UINT64_C(1) << 60, 16));
    ck_assert_ptr_null(dlz_realloc_array(NULL, (uint64_t)-1, 1));
    /* Parts of what is almost too much to be counted, and of the size of that. */
    ck_assert_int_eq(dlz_ceil_div(0, 3), 0);
    ck_assert_int_eq(dlz_ceil_div(6, 3), 2);
    ck_assert_int_eq(dlz_ceil_div(7, 3), 3);
    ck_assert_int_eq(dlz_ceil_div(INT64_MAX, 1), INT64_MAX);
    ck_assert_int_eq(dlz_ceil_div(INT64_MAX, 64), INT64_MAX / 64 + 1);
    ck_assert_int_eq(dlz_ceil_div(7, INT64_MAX), 1);
    ck_assert_int_eq(dlz_ceil_div(INT64_MAX, INT64_MAX), 1);
}
END_TEST

START_TEST(blocks_are_aligned_and_keep_their_contents_when_resized) {
    char *block = dlz_alloc(10);
    ck_assert_uint_eq((uintptr_t)block % DLZ_ALIGNMENT, 0);
    memcpy(block, "123456789", 10);
    block = dlz_realloc_array(block, 1000, 3);
    ck_assert_str_eq(block, "123456789");
    ck_assert_uint_eq((uintptr_t)block % DLZ_ALIGNMENT, 0);
    dlz_free(block);
    dlz_free(NULL);
}
END_TEST

START_TEST(numbers_have_a_point_in_any_locale) {
    char text[DLZ_NUMBER_SIZE];
    ck_assert_str_eq(dlz_number(text, 0.25, 6), "0.25");
    if (setlocale(LC_NUMERIC, "de_DE.UTF-8"))
        ck_assert_str_eq(dlz_number(text, -1234.5e10, 17), "-12345000000000");
    ck_assert_str_eq(dlz_number(text, 0.25, 6), "0.25");
    setlocale(LC_NUMERIC, "C");
    ck_assert_str_eq(dlz_number(text, -INFINITY, 6), "-inf");
    ck_assert_str_eq(dlz_number(text, NAN, 6), "nan");
}
END_TEST

/* What a long name stands in is told at its beginning and at its end. */
START_TEST(a_long_message_loses_its_middle) {
    char text[7001];
    for (int shift = 0; shift < 4; shift++) { /* cuts within characters of two and three bytes */
        for (size_t i = 0; i + 5 < sizeof text; i += 5)
            memcpy(text + i, "\u00e9\u65e5", 6);
        dlz_fail(DLVIZ_ERROR_IO, "%.*sname '%s' is none", shift, "---", text);
        const char *sentence = dlviz_last_error();
        ck_assert_int_ge(strlen(sentence), 1000);
        ck_assert(dlz_is_utf8(sentence));
        ck_assert_ptr_nonnull(strstr(sentence, "name '"));
        ck_assert_ptr_nonnull(strstr(sentence, "..."));
        ck_assert_str_eq(sentence + strlen(sentence) - 9, "' is none");
        dlz_fail_within(DLVIZ_ERROR_IO, "opening '%s'", text);
        sentence = dlviz_last_error();
        ck_assert(dlz_is_utf8(sentence));
        ck_assert_int_eq(strncmp(sentence, "opening '", 9), 0);
        ck_assert_str_eq(sentence + strlen(sentence) - 9, "' is none");
    }
    dlz_fail(DLVIZ_ERROR_IO, "inner");
    dlz_fail_within(DLVIZ_ERROR_IO, "outer");
    ck_assert_str_eq(dlviz_last_error(), "outer: inner");
}
END_TEST

START_TEST(uniform_numbers_are_uniform) {
    dlz_random random = dlz_random_start(7, 1);
    double sum = 0, squares = 0;
    int counts[10] = {0}, n = 100000;
    for (int i = 0; i < n; i++) {
        double x = dlz_random_double(&random), z = dlz_random_normal(&random);
        ck_assert(x >= 0 && x < 1);
        counts[dlz_random_below(&random, 10)]++;
        sum += x;
        squares += z * z;
    }
    ck_assert_double_eq_tol(sum / n, 0.5, 5 * sqrt(1.0 / 12 / n));
    ck_assert_double_eq_tol(squares / n, 1.0, 5 * sqrt(2.0 / n));
    for (int i = 0; i < 10; i++)
        ck_assert_double_eq_tol(counts[i], n / 10.0, 5 * sqrt(n / 10.0));
}
END_TEST

START_TEST(utf8_is_told_from_what_is_not) {
    static const char *good[] = {"a",
                                 "\xC2\x80",
                                 "\xDF\xBF",
                                 "\xE0\xA0\x80",
                                 "\xED\x9F\xBF",
                                 "\xEF\xBF\xBF",
                                 "\xF0\x90\x80\x80",
                                 "\xF4\x8F\xBF\xBF"};
    static const char *bad[] = {"\x80",
                                "\xBF",
                                "\xC0\x80",
                                "\xC1\xBF",
                                "\xC2",
                                "\xC2z",
                                "\xE0\x9F\xBF",
                                "\xED\xA0\x80",
                                "\xE2\x82",
                                "\xF0\x8F\xBF\xBF",
                                "\xF4\x90\x80\x80",
                                "\xF5\x80\x80\x80",
                                "\xFF"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_uint_eq(dlz_utf8_size(good[i], SIZE_MAX), strlen(good[i]));
        ck_assert_uint_eq(dlz_utf8_size(good[i], strlen(good[i])), strlen(good[i]));
        ck_assert_uint_eq(dlz_utf8_size(good[i], strlen(good[i]) - 1), 0);
        ck_assert(dlz_is_utf8(good[i]));
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ck_assert_uint_eq(dlz_utf8_size(bad[i], SIZE_MAX), 0);
        ck_assert(!dlz_is_utf8(bad[i]));
        char text[8] = "a"; /* nor behind what is */
        ck_assert(!dlz_is_utf8(strcat(text, bad[i])));
    }
    ck_assert(dlz_is_utf8(""));
}
END_TEST

START_TEST(messages_go_into_a_stream) {
    char found[200] = "";
    FILE *stream = tmpfile();
    ck_assert_ptr_nonnull(stream);
    dlviz_set_log(dlviz_log_to_stream, stream);
    dlz_log(DLVIZ_LOG_LEVEL_WARNING, "%d of %s", 1, "two");
    dlz_log(DLVIZ_LOG_LEVEL_INFO, "another");
    dlviz_log_to_stream(DLVIZ_LOG_LEVEL_INFO, NULL, stream);
    dlviz_log_to_stream(DLVIZ_LOG_LEVEL_INFO, "nowhere", NULL);
    dlviz_set_log(NULL, NULL);
    dlz_log(DLVIZ_LOG_LEVEL_WARNING, "no more");
    rewind(stream);
    ck_assert_uint_gt(fread(found, 1, sizeof found - 1, stream), 0);
    ck_assert_str_eq(found, "1 of two\nanother\n");
    fclose(stream);
}
END_TEST

int main(void) {
    const TTest *const tests[] = {philox_gives_the_published_numbers,
                                  tiles_give_the_same_bits_for_any_number_of_threads,
                                  two_callers_share_the_pool,
                                  the_pool_survives_a_fork,
                                  workers_leave_signals_to_the_program,
                                  thread_numbers_are_checked,
                                  utf8_is_told_from_what_is_not,
                                  sizes_are_checked,
                                  blocks_are_aligned_and_keep_their_contents_when_resized,
                                  numbers_have_a_point_in_any_locale,
                                  a_long_message_loses_its_middle,
                                  messages_go_into_a_stream,
                                  uniform_numbers_are_uniform,
                                  NULL};
    return run_tests("base", tests);
}
