/* base/base.h - what every room may use: failures, memory, checked sizes, log, text. */
#ifndef DLZ_BASE_H
#define DLZ_BASE_H

#include <dlviz/runtime.h>
#include <dlviz/status.h>

#include <stdarg.h>

#define DLZ_PRINTF(text, first) __attribute__((format(printf, text, first)))
#define DLZ_ALIGNMENT 64
#define DLZ_SENTENCE_SIZE 1024 /* of what dlviz_last_error() gives */

/* Records the sentence for dlviz_last_error() and returns `status`, so that a function can end with
 * `return dlz_fail(...)`. The arguments may point into the present message. */
dlviz_status dlz_fail(dlviz_status status, const char *format, ...) DLZ_PRINTF(2, 3);
/* As dlz_fail, with the present message appended after ": ": adds context on the way out. */
dlviz_status dlz_fail_within(dlviz_status status, const char *format, ...) DLZ_PRINTF(2, 3);
/* The status of this thread's most recent failure, for calls that are told of it by a NULL only. */
dlviz_status dlz_last_status(void);
/* How many failures this thread has recorded: tells whether a callback left a sentence. */
uint64_t dlz_num_failures(void);
/* This thread's most recent failure, for those who get over one of their own: kept before, put back when
 * the call succeeds after all, it leaves dlviz_last_error() as it was. */
typedef struct dlz_failure {
    char sentence[DLZ_SENTENCE_SIZE];
    dlviz_status status;
    uint64_t count;
} dlz_failure;
void dlz_failure_keep(dlz_failure *kept);
void dlz_failure_put_back(const dlz_failure *kept);
/* What a user's function has come to: `failures` is dlz_num_failures() before the call. The
 * sentence is the function's own where it left one, and says in which function it failed. */
dlviz_status dlz_user_result(const char *function, dlviz_status status, uint64_t failures);
/* Fails with DLVIZ_ERROR_OUT_OF_MEMORY, naming what the memory was for. */
dlviz_status dlz_fail_memory(const char *what, uint64_t bytes);
/* Fails with DLVIZ_ERROR_IO: "<action> '<path>': <strerror(error)>". */
dlviz_status dlz_fail_io(const char *action, const char *path, int error);

/* Memory: 64-byte aligned, from the replaceable allocator, NULL when there is none (the message is
 * the caller's to set). A size of 0 gives a valid block. */
void *dlz_alloc(size_t size);
void *dlz_alloc_zero(size_t size);
/* count x size bytes; NULL on overflow too, also where a size_t has 32 bits. Counts come as they
 * are, without a cast to size_t, which would cut them there; a negative one overflows. */
void *dlz_alloc_array(uint64_t count, uint64_t size);
void *dlz_alloc_array_zero(uint64_t count, uint64_t size);
/* The old block stays valid when NULL is returned. */
void *dlz_realloc_array(void *block, uint64_t count, uint64_t size);
void dlz_free(void *block);
char *dlz_strdup(const char *text);
/* printf into a new string, NULL when out of memory. */
char *dlz_format(const char *format, ...) DLZ_PRINTF(1, 2);

/* true when the product or sum does not fit; *result is then unspecified. Factors come as they are,
 * without a cast to size_t. */
static inline bool dlz_mul_overflows(uint64_t a, uint64_t b, size_t *result) {
    return __builtin_mul_overflow(a, b, result);
}
static inline bool dlz_add_overflows(size_t a, size_t b, size_t *result) {
    return __builtin_add_overflow(a, b, result);
}
/* The product of ndim sizes, all >= 0; true when it does not fit an int64_t. */
bool dlz_product_overflows(int ndim, const int64_t *dims, int64_t *product);

void dlz_log(dlviz_log_level level, const char *format, ...) DLZ_PRINTF(2, 3);

/* vsnprintf as in the C locale, whatever the program's: numbers have a '.'. */
int dlz_vsnprintf(char *buffer, size_t size, const char *format, va_list arguments)
    DLZ_PRINTF(3, 0);
int dlz_snprintf(char *buffer, size_t size, const char *format, ...) DLZ_PRINTF(3, 4);

/* A double as text with a '.' whatever the locale; `digits` significant digits (17 is exact). NaN
 * and infinities come out as "nan", "inf", "-inf". Returns buffer. */
#define DLZ_NUMBER_SIZE 40
const char *dlz_number(char buffer[DLZ_NUMBER_SIZE], double value, int digits);

/* Reads all of a text as a decimal number: an optional sign, digits with at most one '.' among, before or
 * behind them, and optionally 'e' or 'E' and a whole number, whatever the locale. Otherwise false. The
 * result is the nearest double, and infinite where the number is beyond double. */
bool dlz_read_double(const char *text, size_t size, double *number);
/* The same for what may become a float; only, where the nearest double lies in the middle between two
 * floats, the result is a neighbor of it on the side where the number lies, so that it becomes the nearest
 * float too. */
bool dlz_read_number(const char *text, size_t size, double *number);

/* How many bytes the UTF-8 character at `text` has, of which there are `rest`, or, with SIZE_MAX, a zero at
 * the end; 0 when it is not valid. */
size_t dlz_utf8_size(const char *text, size_t rest);
/* Whether a text is well-formed UTF-8. */
bool dlz_is_utf8(const char *text);

/* As dlz_vsnprintf, made printable (dlviz_printable); what has no room is cut off between characters. All sentences
 * and lines of the log are made here, so that whatever they name may come from a file. */
void dlz_format_sentence(char *buffer, size_t size, const char *format, va_list arguments)
    DLZ_PRINTF(3, 0);

static inline int dlz_max_int(int a, int b) {
    return a > b ? a : b;
}
static inline int64_t dlz_min_i64(int64_t a, int64_t b) {
    return a < b ? a : b;
}
static inline int64_t dlz_max_i64(int64_t a, int64_t b) {
    return a > b ? a : b;
}
static inline int64_t dlz_ceil_div(int64_t a, int64_t b) {
    return a / b + (a % b > 0); /* a + b - 1 may be none */
}

/* Sets `*out` to NULL, or fails by naming the argument. */
#define DLZ_REQUIRE_OUT(out)                                                                       \
    do {                                                                                           \
        if (!(out))                                                                                \
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", __func__, #out);     \
        *(out) = NULL;                                                                             \
    } while (0)
#define DLZ_REQUIRE(pointer)                                                                       \
    do {                                                                                           \
        if (!(pointer))                                                                            \
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", __func__, #pointer); \
    } while (0)
#define DLZ_TRY(call)                                                                              \
    do {                                                                                           \
        dlviz_status dlz_try_status_ = (call);                                                     \
        if (dlz_try_status_ != DLVIZ_OK)                                                           \
            return dlz_try_status_;                                                                \
    } while (0)

#endif
