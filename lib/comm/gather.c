/* Pieces of ranks for all ranks: every number is sent as often as it must be, straight to its
 * place. */
#include "comm/exchange.h"

/* Pieces lie one after the other: at offsets, or evenly where there are none. */
typedef struct pieces {
    const dlviz_comm *comm;
    char *data;
    const int64_t *offsets;
    int64_t count, size;
} pieces;

static int64_t offset(const pieces *p, int rank) {
    if (p->offsets)
        return p->offsets[rank];
    return dlz_comm_even_share(p->comm, rank, p->count).first * p->size;
}

/* Sends the pieces from `mine` on and receives those from `theirs` on, `num` each. */
static dlviz_status swap(dlviz_comm *comm, const pieces *p, int peer, int mine, int theirs,
                         int num) {
    int64_t from = offset(p, mine), to = offset(p, theirs);
    return dlz_comm_exchange(comm, &(dlz_exchange){
                                       .peer = peer,
                                       .send = p->data + from,
                                       .send_size = (size_t)(offset(p, mine + num) - from),
                                       .receive = p->data + to,
                                       .receive_size = (size_t)(offset(p, theirs + num) - to),
                                   });
}

/* Powers of two: with each exchange, a rank has twice as many pieces. */
static dlviz_status gather_doubling(dlviz_comm *comm, const pieces *p) {
    for (int num = 1; num < comm->size; num *= 2) {
        int mine = comm->rank & ~(num - 1);
        DLZ_TRY(swap(comm, p, comm->rank ^ num, mine, mine ^ num, num));
    }
    return DLVIZ_OK;
}

/* Others: each with each, those at a time whose ranks add up to the round. */
static dlviz_status gather_pairs(dlviz_comm *comm, const pieces *p) {
    for (int round = 0; round < comm->size; round++) {
        int peer = (round - comm->rank + comm->size) % comm->size;
        if (peer != comm->rank)
            DLZ_TRY(swap(comm, p, peer, comm->rank, peer, 1));
    }
    return DLVIZ_OK;
}

static dlviz_status gather(dlviz_comm *comm, const pieces *p) {
    if (!comm)
        return DLVIZ_OK;
    DLZ_TRY(dlz_comm_check(comm));
    if ((comm->size & (comm->size - 1)) == 0)
        return gather_doubling(comm, p);
    return gather_pairs(comm, p);
}

dlviz_status dlz_comm_gather_pieces(dlviz_comm *comm, void *data, const int64_t *offsets) {
    return gather(comm, &(pieces){.comm = comm, .data = data, .offsets = offsets});
}

dlviz_status dlz_comm_gather_even(dlviz_comm *comm, void *data, int64_t count, size_t size) {
    return gather(comm, &(pieces){
                            .comm = comm,
                            .data = data,
                            .count = count,
                            .size = (int64_t)size,
                        });
}

dlviz_status dlz_comm_gather_numbers(dlviz_comm *comm, int64_t own, int64_t *all) {
    all[dlz_comm_rank(comm)] = own;
    return dlz_comm_gather_even(comm, all, dlz_comm_size(comm), sizeof *all);
}

/* Along a binomial tree, in which ranks are counted from the root on. */
dlviz_status dlz_comm_broadcast_from(dlviz_comm *comm, int root, void *data, size_t size) {
    if (!comm)
        return DLVIZ_OK;
    DLZ_TRY(dlz_comm_check(comm));
    int num = comm->size, place = (comm->rank - root + num) % num, step = 1;
    while (step < num && !(place & step))
        step *= 2;
    if (place > 0)
        DLZ_TRY(dlz_comm_exchange(comm, &(dlz_exchange){
                                            .peer = (place - step + root) % num,
                                            .receive = data,
                                            .receive_size = size,
                                        }));
    for (step /= 2; step > 0; step /= 2)
        if (place + step < num)
            DLZ_TRY(dlz_comm_exchange(comm, &(dlz_exchange){
                                                .peer = (place + step + root) % num,
                                                .send = data,
                                                .send_size = size,
                                            }));
    return DLVIZ_OK;
}

dlviz_status dlz_comm_broadcast(dlviz_comm *comm, void *data, size_t size) {
    return dlz_comm_broadcast_from(comm, 0, data, size);
}
