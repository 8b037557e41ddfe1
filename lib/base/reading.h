/* base/reading.h - how much memory reading a file takes, against the limit of dlviz_set_file_limit.
 *
 * A public function that reads a file, or the bytes of one, says so once, for the rest of its block:
 *
 *     DLZ_READING(path);
 *
 * From there on all that dlz_alloc gives to the thread, and to the tiles that it runs, is counted while it
 * is held, and refused beyond the limit, as if memory had ended there; the sentence of the failure then
 * names the file and the limit. What other libraries take from malloc is told by dlz_reading_charge. A
 * function that reads within another adds to what that one holds. What else a sentence is to name is said by
 *
 *     DLZ_READING_OF(.folder = ..., .file = ..., .kind = "array", .part = name);
 *
 * Who reads the files of a folder wants to know of each whether it would go beyond the limit alone: that is
 * a reading within the other, begun by dlz_reading_begin_within, and counted for both.
 *
 * A function that reads what the program has made itself, such as one that looks at what it is about to
 * write, says
 *
 *     DLZ_READING_OWN;
 *
 * and from there on there is no limit. */
#ifndef DLZ_READING_H
#define DLZ_READING_H

#include "base/base.h"

#include <stdatomic.h>

/* What is read, for sentences. */
typedef struct dlz_reading_name {
    const char *folder;      /* NULL: none, or it is in the file's name */
    const char *file;        /* NULL: bytes in memory */
    const char *kind, *part; /* such as "array" and its name in the file; NULL: the file */
} dlz_reading_name;

typedef struct dlz_reading {
    struct dlz_reading *outer; /* that it is within, or NULL */
    dlz_reading_name name;
    uint64_t id; /* 0: nothing is counted */
    uint64_t limit, failures;
    atomic_uint_fast64_t used;
    /* What was asked for beyond a limit, 0 if nothing was, and what was in use then. */
    atomic_uint_fast64_t refused, in_use;
    atomic_bool by_outer; /* it was the other reading's limit */
} dlz_reading;

void dlz_reading_begin(dlz_reading *reading, dlz_reading_name name);
void dlz_reading_end(dlz_reading *reading);
#define DLZ_READING_OF(...)                                                                        \
    dlz_reading dlz_reading_ __attribute__((unused, cleanup(dlz_reading_end)));                    \
    dlz_reading_begin(&dlz_reading_, (dlz_reading_name){__VA_ARGS__})
#define DLZ_READING(path) DLZ_READING_OF(.file = path)

/* Begins one within the calling thread's, if there is one; it ends before that, on the same thread, and what
 * was taken in it is given back by then. */
void dlz_reading_begin_within(dlz_reading *reading, dlz_reading_name name);

void dlz_reading_begin_own(dlz_reading *reading);
#define DLZ_READING_OWN                                                                            \
    dlz_reading dlz_reading_ __attribute__((unused, cleanup(dlz_reading_end)));                    \
    dlz_reading_begin_own(&dlz_reading_)

/* What the calling thread counts for; NULL where nothing is counted. Tiles take it over. */
dlz_reading *dlz_reading_now(void);
void dlz_reading_set_now(dlz_reading *reading);

/* Whether `bytes` more may be held; NULL allows all. */
bool dlz_reading_take(dlz_reading *reading, uint64_t bytes);
void dlz_reading_give_back(dlz_reading *reading, uint64_t bytes);

/* The same for the calling thread's reading, of memory that another library is about to take. What is not
 * given back counts to the end of the call. */
bool dlz_reading_charge(uint64_t bytes);
void dlz_reading_discharge(uint64_t bytes);

#endif
