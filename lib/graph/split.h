/* graph/split.h - operations whose output many read: each reader has a part, a value of its own
 * with the same data, and the operation adds their gradients up. */
#ifndef DLZ_GRAPH_SPLIT_H
#define DLZ_GRAPH_SPLIT_H

#include "graph/op.h"

/* One pass over the gradients of an operation's readers. Together with the sum it makes what would
 * be passes of their own: what a relu lets pass, and the sums of the batch norms that are pending
 * on the operation's inputs. */
typedef struct dlz_gathering {
    const float **from; /* planned: the gradients */
    int64_t tiles;
} dlz_gathering;

/* Asks for what the pass needs, also for the sums that the inputs want. */
dlviz_status dlz_gather_plan(dlz_gathering *gathering, dlz_op *op, const dlz_setup *setup);
/* Writes the sum into `to`; with a gate, 0 where that is 0 or less; `to` may be the gate. An
 * operation without parts has one reader, whose gradient is the sum. */
void dlz_gather(const dlz_gathering *gathering, const dlz_op *op, const dlz_run *run,
                const float *gate, float *to);
/* Gives the parts what is to be read of a value. */
void dlz_hand_on(const dlz_op *op, const dlz_value *value);

/* For values whose operation cannot have parts. */
extern const dlz_op_type dlz_split_op_type;

#endif
