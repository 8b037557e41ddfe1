#include "tsne/readings.h"
#include "base/base.h"
#include "comm/comm.h"

/* Bytes before the readings: whole ones of them. */
static int64_t head_size(int64_t rows) {
    return dlz_ceil_div((rows + 1) * (int64_t)sizeof(int32_t), (int64_t)sizeof(dlz_reading)) *
           (int64_t)sizeof(dlz_reading);
}

dlviz_status dlz_readings_begin(dlz_readings *readings, dlviz_comm *comm, int64_t rows,
                                const int64_t *counts) {
    int ranks = dlz_comm_size(comm);
    if (!readings->offsets)
        readings->offsets = dlz_alloc_array((uint64_t)ranks + 1, sizeof *readings->offsets);
    if (!readings->offsets)
        return dlz_fail_memory("the repulsion", (uint64_t)ranks * sizeof *readings->offsets);
    readings->comm = comm;
    readings->rows = rows;
    readings->offsets[0] = 0;
    for (int rank = 0; rank < ranks; rank++)
        readings->offsets[rank + 1] =
            readings->offsets[rank] + head_size(rows) + counts[rank] * (int64_t)sizeof(dlz_reading);
    int64_t size = readings->offsets[ranks];
    if (size <= readings->capacity)
        return DLVIZ_OK;
    dlz_free(readings->pieces);
    readings->capacity = 0;
    size += size / 16; /* rows become more */
    readings->pieces = dlz_alloc_array((uint64_t)size, 1);
    if (!readings->pieces)
        return dlz_fail_memory("the repulsion", (uint64_t)size);
    readings->capacity = size;
    return DLVIZ_OK;
}

int32_t *dlz_readings_rows(const dlz_readings *readings, int rank) {
    return (int32_t *)(void *)(readings->pieces + readings->offsets[rank]);
}

dlz_reading *dlz_readings_of(const dlz_readings *readings, int rank) {
    return (dlz_reading *)(void *)(readings->pieces + readings->offsets[rank] +
                                   head_size(readings->rows));
}

dlviz_status dlz_readings_gather(dlz_readings *readings) {
    return dlz_comm_gather_pieces(readings->comm, readings->pieces, readings->offsets);
}

void dlz_readings_free(dlz_readings *readings) {
    dlz_free(readings->offsets);
    dlz_free(readings->pieces);
    *readings = (dlz_readings){0};
}
