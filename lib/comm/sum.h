/* comm/sum.h - one sum on its way, exchange after exchange. */
#ifndef DLZ_COMM_SUM_H
#define DLZ_COMM_SUM_H

#include "comm/exchange.h"

typedef struct dlz_sum {
    bool doubles;
    int present;
    int slot;
    int64_t stride, size; /* numbers */
    size_t element;       /* bytes of one */
    bool climbed;         /* `sum` is this rank's subtree's already */
    char *leaves, *sum;
    int step;       /* which exchange is next, or in flight */
    bool in_flight; /* that of `step` */
} dlz_sum;

static inline bool dlz_comm_has_subtrees(const dlviz_comm *comm) {
    int size = dlz_comm_size(comm);
    return size <= DLZ_LEAVES && (size & (size - 1)) == 0;
}

/* Adds up what this rank has. */
void dlz_sum_begin(const dlviz_comm *comm, dlz_sum *sum);
/* Goes on as far as it can; with `wait`, to the end. */
dlviz_status dlz_sum_advance(dlviz_comm *comm, dlz_sum *sum, bool wait, bool *finished);
/* nodes.c: sums the nodes that ranks have, one each, at once. */
dlviz_status dlz_comm_sum_nodes_now(dlviz_comm *comm, float *node, int64_t size);

/* Waits for the exchange in flight, if there is one. */
dlviz_status dlz_sum_wait(dlviz_comm *comm, dlz_sum *sum);

#endif
