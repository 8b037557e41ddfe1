/* graph/prepared.h - what operations make of the states before they run, such as packed weights.
 *
 * It lasts as long as the states are the same. Operations that do the same to the same layers
 * share it, in whatever plans they are: for batches of other sizes, up to other layers, in other
 * threads. */
#ifndef DLZ_GRAPH_PREPARED_H
#define DLZ_GRAPH_PREPARED_H

#include "base/lock.h"
#include "graph/op.h"

/* What one operation has prepared. */
typedef struct dlz_prepared {
    int references;
    const dlz_op_type *type;
    int first_layer, last_layer, form;
    size_t bytes;
    uint64_t version; /* of the states that it was made of; 0: it was not made yet */
    struct dlz_prepared *next;
    char *block;
} dlz_prepared;

typedef struct dlz_prepared_set {
    dlz_lock lock; /* of all fields here, and of the blocks while they are made */
    dlz_prepared *first;
} dlz_prepared_set;

/* The set's for an operation that has asked for `bytes`, or room for a new one; to be dropped. */
dlviz_status dlz_prepared_take(dlz_prepared **out, dlz_prepared_set *set, const dlz_op *op,
                               size_t bytes);
/* Frees it with the last one that has it. */
void dlz_prepared_drop(dlz_prepared_set *set, dlz_prepared *prepared);

dlviz_status dlz_prepared_set_create(dlz_prepared_set **out);
/* After all have been dropped. NULL is allowed. */
void dlz_prepared_set_destroy(dlz_prepared_set *set);

#endif
