/* comm/merge.h - what each rank has of something small, merged for all. */
#ifndef DLZ_COMM_MERGE_H
#define DLZ_COMM_MERGE_H

#include "comm/exchange.h"

#define DLZ_MOST_MERGED 64 /* bytes */

/* Takes another rank's into this one's; in any order it comes to the same. */
typedef void dlz_merge_fn(void *own, const void *other);

/* Leaves the same in `own`, of `size` bytes, on all ranks. */
dlviz_status dlz_comm_merge(dlviz_comm *comm, void *own, size_t size, dlz_merge_fn *merge);
/* The lowest of a number each. */
dlviz_status dlz_comm_find_lowest(dlviz_comm *comm, int64_t *lowest);

/* -- Statuses, in agree.c -------------------------------------------------------------------------
 */

/* What a rank says of its status: failures come before cancellations, lower ranks first. */
int64_t dlz_comm_status_key(const dlviz_comm *comm, dlviz_status status);
/* Whether it is of a failure. */
bool dlz_comm_key_fails(const dlviz_comm *comm, int64_t lowest);
/* What the lowest of all keys comes to: DLVIZ_OK if that is every rank's status; else the sentence
 * goes from the rank that it names to the others. */
dlviz_status dlz_comm_follow_key(dlviz_comm *comm, int64_t lowest);

/* A number that stands for a text. */
uint64_t dlz_comm_hash(const char *text);

#endif
