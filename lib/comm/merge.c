/* Merging by exchanges in pairs. */
#include "comm/merge.h"

#include <string.h>

typedef struct merging {
    dlviz_comm *comm;
    void *own;
    size_t size;
    dlz_merge_fn *merge;
} merging;

static dlviz_status swap(const merging *m, int peer, bool send, bool receive) {
    unsigned char sent[DLZ_MOST_MERGED], other[DLZ_MOST_MERGED];
    memcpy(sent, m->own, m->size);
    DLZ_TRY(dlz_comm_exchange(m->comm, &(dlz_exchange){
                                           .peer = peer,
                                           .send = sent,
                                           .send_size = send ? m->size : 0,
                                           .receive = other,
                                           .receive_size = receive ? m->size : 0,
                                       }));
    if (receive)
        m->merge(m->own, other);
    return DLVIZ_OK;
}

/* Ranks beyond a power of two tell one of the others, and are told in the end. */
dlviz_status dlz_comm_merge(dlviz_comm *comm, void *own, size_t size, dlz_merge_fn *merge) {
    const merging m = {comm, own, size, merge};
    int power = 1, rank = comm->rank;
    while (power * 2 <= comm->size)
        power *= 2;
    if (rank >= power) {
        DLZ_TRY(swap(&m, rank - power, true, false));
        return swap(&m, rank - power, false, true);
    }
    bool has_other = rank + power < comm->size;
    if (has_other)
        DLZ_TRY(swap(&m, rank + power, false, true));
    for (int distance = 1; distance < power; distance *= 2)
        DLZ_TRY(swap(&m, rank ^ distance, true, true));
    return has_other ? swap(&m, rank + power, true, false) : DLVIZ_OK;
}

static void take_lower(void *own, const void *other) {
    int64_t a, b;
    memcpy(&a, own, sizeof a);
    memcpy(&b, other, sizeof b);
    if (b < a)
        memcpy(own, &b, sizeof b);
}

dlviz_status dlz_comm_find_lowest(dlviz_comm *comm, int64_t *lowest) {
    return dlz_comm_merge(comm, lowest, sizeof *lowest, take_lower);
}
