/* support/support.h - what every Check program of the suite shares. */
#ifndef DLZ_TESTS_SUPPORT_H
#define DLZ_TESTS_SUPPORT_H

#include <check.h>
#include <dlviz.h>

#include <locale.h>

/* Check writes down where it is after each assertion that holds, to say where a test crashed. In a
 * loop over the numbers of a tensor that takes several times as long as all that is tested: once
 * for each place is enough. */
void mark_place(const char *file, int line);
#define _mark_point(file, line) mark_place(file, line)

/* Runs one suite made of the given cases (a NULL-terminated list of TTest pointers) and returns
 * main's exit status. Each test is a Check test case of its own, with a generous time-out. */
int run_tests(const char *suite, const TTest *const *tests);
/* A locale whose numbers have a comma, for uselocale; (locale_t)0 where the system has none. To be called before
 * other threads are started, and then by any. */
locale_t comma_locale(void);
/* Runs a suite and frees it; the same exit status. */
int run_suite(Suite *suite);

/* Asserts that the call succeeds, and shows the library's sentence when it does not. */
#define ck_ok(call)                                                                                \
    do {                                                                                           \
        dlviz_status ck_status_ = (call);                                                          \
        ck_assert_msg(ck_status_ == DLVIZ_OK, "%s: %s (%s)", #call, dlviz_last_error(),            \
                      dlviz_status_name(ck_status_));                                              \
    } while (0)

/* Asserts that the call fails with this status and that the sentence contains `words`. */
#define ck_fails(call, status, words)                                                              \
    do {                                                                                           \
        dlviz_status ck_status_ = (call);                                                          \
        ck_assert_msg(ck_status_ == (status), "%s gave '%s' (%s), not '%s'", #call,                \
                      dlviz_status_name(ck_status_), dlviz_last_error(),                           \
                      dlviz_status_name(status));                                                  \
        ck_assert_msg(strstr(dlviz_last_error(), (words)) != NULL, "%s: '%s' lacks '%s'", #call,   \
                      dlviz_last_error(), (words));                                                \
    } while (0)

/* Asserts that a callback ends the fit. */
#define ck_stops(trainer, train, epochs)                                                           \
    do {                                                                                           \
        ck_ok(dlviz_trainer_fit(trainer, train, epochs));                                          \
        ck_assert_int_eq(dlviz_trainer_stop_reason(trainer), DLVIZ_STOP_REASON_CALLBACK);          \
    } while (0)

/* For functions that stop at the first call that fails, and return its status. */
#define TRY(call)                                                                                  \
    do {                                                                                           \
        dlviz_status try_status = (call);                                                          \
        if (try_status != DLVIZ_OK)                                                                \
            return try_status;                                                                     \
    } while (0)

/* The folder with real MNIST ($DLVIZ_DATA_DIR, then the cache folder), or NULL when there is none:
 * the test then says so and skips. */
const char *mnist_folder(void);
/* Reads `count` bytes after the first `header` of one of its files; false when that is not there.
 */
bool read_mnist(const char *name, long header, size_t count, uint8_t *to);

/* A folder of its own for a test's files, in $TMPDIR or /tmp; removed when the program ends. */
const char *scratch_folder(void);
/* scratch_folder()/name in a static buffer (four may be in use at once). */
const char *scratch_path(const char *name);
void write_file(const char *path, const void *bytes, size_t size);
/* Turns numbers of `size` bytes each from this machine's byte order into the files', which begin
 * with the lowest byte, or back: on most machines that changes nothing. */
void swap_to_file_order(void *numbers, size_t count, size_t size);

/* Committed fixtures: tests/parity/fixtures/name in a static buffer. */
const char *fixture_path(const char *name);

/* strtod as in the C locale, whatever the program's. */
double plain_number(const char *text, char **end);

/* Relative difference in the Euclidean norm, in double: |a − b| / max(|b|, tiny). */
double relative_error(const float *a, const float *b, int64_t count);

/* Uniform in [-1, 1), a function of (seed, i) alone. */
void fill_uniform(float *values, int64_t count, uint64_t seed);

#endif
