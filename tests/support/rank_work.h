/* support/rank_work.h - what ranks do together, each of which tells whether it went right. All are a
 * ranks_function, and allow a communicator of NULL. */
#ifndef DLZ_TESTS_RANK_WORK_H
#define DLZ_TESTS_RANK_WORK_H

#include "comm/comm.h"
#include "support/ranks.h"

/* A sum of leaves that are functions of (seed, leaf, place), compared with the tree's, to the bit. */
typedef struct ranks_sum_case {
    uint64_t seed;
    int64_t size;
    int present;
    bool doubles, in_place;
} ranks_sum_case;
dlviz_status ranks_sum(dlviz_comm *comm, void *user);

/* Sums in the background, two rounds of them. */
#define RANKS_MANY 300
typedef struct ranks_many_case {
    int number;   /* up to RANKS_MANY */
    bool between; /* other calls between them */
} ranks_many_case;
dlviz_status ranks_sum_many(dlviz_comm *comm, void *user);

/* Ranks that come to an agreement with a failure, or a cancellation; -1 for none. Others get its
 * sentence, and the communicator stays usable. */
typedef struct ranks_agree_case {
    int failing, cancelling;
} ranks_agree_case;
dlviz_status ranks_agree(dlviz_comm *comm, void *user);

dlviz_status ranks_see_shares(dlviz_comm *comm, void *user);
/* Pieces of many sizes, and some of none. */
dlviz_status ranks_gather(dlviz_comm *comm, void *user);
/* Pieces that each has for each other. */
dlviz_status ranks_trade(dlviz_comm *comm, void *user);
/* user: an int64_t, how many things. */
dlviz_status ranks_gather_even(dlviz_comm *comm, void *user);
dlviz_status ranks_broadcast(dlviz_comm *comm, void *user);
/* user: a dlviz_dtype. */
dlviz_status ranks_join(dlviz_comm *comm, void *user);
/* A text and where it may say something else. */
enum { RANKS_TEXT = 9000 };
typedef struct ranks_text_case {
    int differing; /* the first rank of which it does */
    size_t place;
} ranks_text_case;
/* user: a ranks_text_case. */
dlviz_status ranks_compare_texts(dlviz_comm *comm, void *user);
/* Some of each. */
dlviz_status ranks_all_of_it(dlviz_comm *comm, void *user);

#endif
