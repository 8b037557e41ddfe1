/* Sums of numbers of which each rank has one node of the tree, where ranks are no power of two. */
#include "comm/sum.h"

static void add(float *restrict to, const float *restrict from, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] += from[i];
}

static size_t bytes_of(int64_t count) {
    return (size_t)count * sizeof(float);
}

/* To the first rank of each half, and from the first of all to all. */
static dlviz_status sum_to_first(dlviz_comm *comm, int first, int end, float *node, int64_t size,
                                 float *room) {
    if (end - first == 1)
        return DLVIZ_OK;
    int middle = first + (end - first + 1) / 2;
    DLZ_TRY(comm->rank < middle ? sum_to_first(comm, first, middle, node, size, room)
                                : sum_to_first(comm, middle, end, node, size, room));
    if (comm->rank == middle)
        return dlz_comm_exchange(
            comm, &(dlz_exchange){.peer = first, .send = node, .send_size = bytes_of(size)});
    if (comm->rank != first)
        return DLVIZ_OK;
    DLZ_TRY(dlz_comm_exchange(
        comm, &(dlz_exchange){.peer = middle, .receive = room, .receive_size = bytes_of(size)}));
    add(node, room, size);
    return DLVIZ_OK;
}

dlviz_status dlz_comm_sum_nodes_now(dlviz_comm *comm, float *node, int64_t size) {
    if (size == 0)
        return DLVIZ_OK;
    DLZ_TRY(dlz_comm_grow(comm, &comm->rooms[0], (uint64_t)size, sizeof(float)));
    DLZ_TRY(sum_to_first(comm, 0, comm->size, node, size, comm->rooms[0].data));
    return dlz_comm_broadcast(comm, node, bytes_of(size));
}
