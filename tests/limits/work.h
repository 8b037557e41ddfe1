/* limits/work.h - a short piece of each kind of work that the library does, with nothing but its
 * public functions: for tests of where it is done, such as small stacks, beside other threads, in a
 * library that is loaded and unloaded. */
#ifndef DLZ_TESTS_WORK_H
#define DLZ_TESTS_WORK_H

#include <dlviz.h>

/* `place` is the beginning of the names of files, which nobody else may have. Gives a digest of all
 * results. A failure is returned at once, and what was there by then is lost. */
typedef dlviz_status (*work_fn)(const char *place, uint64_t *digest);

typedef struct work {
    const char *name;
    work_fn run;
    bool draws; /* by cairo and Pango */
} work;

extern const work works[];
extern const int num_works;

/* Called before and after each call of the library, where they are not NULL. */
extern _Thread_local void (*work_call_begins)(void);
extern _Thread_local void (*work_call_ends)(void);

#endif
