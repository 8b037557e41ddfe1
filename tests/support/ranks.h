/* support/ranks.h - several ranks in the threads of one process, which exchange by copying. */
#ifndef DLZ_TESTS_RANKS_H
#define DLZ_TESTS_RANKS_H

#include <dlviz.h>

#define RANKS_MOST 64

/* How one rank of a run fares. The struct of zeros is a run in which nothing happens. */
typedef struct ranks_trouble {
    int rank;           /* whom the failure below happens to */
    int64_t call;       /* start's or finish's call that fails there, from 1 on; 0 for none */
    int64_t allocation; /* the library's allocation on that rank's thread that fails; 0 for none */
    bool silent;        /* tells nobody: the others notice that the rank is gone */
    uint64_t delays;    /* a seed: threads sleep, and exchanges seem unfinished, at random */
} ranks_trouble;

typedef struct ranks_result {
    dlviz_status status;
    char sentence[1024]; /* dlviz_last_error() of that rank's thread */
    int64_t calls;       /* of start and finish */
    int64_t allocations; /* by the library */
    int64_t bytes;       /* that were sent */
} ranks_result;

/* What a rank does. It should return what is wrong, by dlviz_fail, rather than assert. */
typedef dlviz_status ranks_function(dlviz_comm *comm, void *user);

/* Runs `function` as `num_ranks` ranks at once. results: of each rank. Ends the program if ranks
 * wait for each other for a minute. */
void ranks_run_with(const ranks_trouble *trouble, int num_ranks, ranks_function *function,
                    void *user, ranks_result *results);
/* Without trouble. */
void ranks_run(int num_ranks, ranks_function *function, void *user, ranks_result *results);
/* Asserts that it succeeds on all ranks. */
void ranks_succeed(int num_ranks, ranks_function *function, void *user);

#endif
