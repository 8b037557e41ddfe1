/* support/judging.h - what a loader may do with a file, whatever its bytes: take it, or fail with a
 * sentence. It allocates nothing out of proportion to the file, and leaves nothing behind. */
#ifndef DLZ_TESTS_JUDGING_H
#define DLZ_TESTS_JUDGING_H

#include "support/mutations.h"
#include "support/support.h"

/* How much memory a load may take: so many bytes, and so many more for each byte of the file. */
typedef struct memory_bound {
    int64_t base, per_byte;
} memory_bound;

/* Hands the library an allocator that counts, and one thread. Before anything else is called. */
void judge_start(void);
/* What is being tried, for messages; a text that repeats it. */
void judge_name(const char *subject, const char *repeat);
/* A file is about to be tried, and has been: whatever was allocated in between is freed. */
void judge_begin(const mutant *file, memory_bound bound);
void judge_end(void);
/* What a load may say besides, until the end: where the file does not fit what was asked of it. */
void judge_allow(dlviz_status status);
/* How many loads were judged, and how many of them took the file. */
extern int64_t judged_loads, judged_taken;
/* The most memory that a load took, of what it was allowed. */
extern double judged_share;

/* Ends the program with a message, unless it holds. */
void require(bool holds, const char *format, ...) DLVIZ_PRINTF(2, 3);
void must(dlviz_status status, const char *what);

/* JUDGED(call, result): whether the load `call` succeeded, having seen that it may end as it did. `result`,
 * looked at once the call is over, is NULL if and only if it failed. JUDGED_STATUS is for calls that
 * have no result. */
extern dlviz_status judged_status;
void judge_load(void);
bool judged(bool has_result);
#define JUDGED(call, result) (judge_load(), judged_status = (call), judged((result) != NULL))
#define JUDGED_STATUS(call)                                                                        \
    (judge_load(), judged_status = (call), judged(judged_status == DLVIZ_OK))

#endif
