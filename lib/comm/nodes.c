/* Sums of numbers of which each rank has one node of the tree. */
#include "comm/exchange.h"

#include <string.h>

static void add(float *restrict to, const float *restrict from, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] += from[i];
}

static size_t bytes_of(int64_t count) {
    return (size_t)count * sizeof(float);
}

/* Powers of two: halves of the numbers are sent, then quarters, and each rank has the sums of its part;
 * then these are gathered the other way round. Neighbors add up first. */
static dlviz_status sum_by_halves(dlviz_comm *comm, float *node, int64_t size, float *room) {
    int64_t firsts[16], ends[16];
    int level = 0;
    firsts[0] = 0;
    ends[0] = size;
    for (int distance = 1; distance < comm->size; distance *= 2, level++) {
        int64_t first = firsts[level], end = ends[level], middle = first + (end - first + 1) / 2;
        bool upper = comm->rank & distance;
        firsts[level + 1] = upper ? middle : first;
        ends[level + 1] = upper ? end : middle;
        int64_t kept = ends[level + 1] - firsts[level + 1];
        DLZ_TRY(dlz_comm_exchange(
            comm, &(dlz_exchange){.peer = comm->rank ^ distance,
                                  .send = node + (upper ? first : middle),
                                  .send_size = bytes_of(upper ? middle - first : end - middle),
                                  .receive = room,
                                  .receive_size = bytes_of(kept)}));
        add(node + firsts[level + 1], room, kept);
    }
    for (int distance = comm->size / 2; distance > 0; distance /= 2, level--) {
        int64_t first = firsts[level - 1], end = ends[level - 1];
        bool upper = comm->rank & distance;
        int64_t other = upper ? first : ends[level], rest = upper ? firsts[level] : end;
        DLZ_TRY(dlz_comm_exchange(
            comm, &(dlz_exchange){.peer = comm->rank ^ distance,
                                  .send = node + firsts[level],
                                  .send_size = bytes_of(ends[level] - firsts[level]),
                                  .receive = node + other,
                                  .receive_size = bytes_of(rest - other)}));
    }
    return DLVIZ_OK;
}

/* Others: to the first rank of each half, and from the first of all to all. */
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

dlviz_status dlz_comm_sum_nodes(dlviz_comm *comm, float *node, int64_t size) {
    if (dlz_comm_size(comm) == 1 || size == 0)
        return DLVIZ_OK;
    DLZ_TRY(dlz_comm_grow(comm, &comm->rooms[0], (uint64_t)size, sizeof(float)));
    float *room = comm->rooms[0].data;
    if ((comm->size & (comm->size - 1)) == 0)
        return sum_by_halves(comm, node, size, room);
    DLZ_TRY(sum_to_first(comm, 0, comm->size, node, size, room));
    return dlz_comm_broadcast(comm, node, bytes_of(size));
}
