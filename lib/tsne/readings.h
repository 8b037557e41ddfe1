/* tsne/readings.h - what ranks have computed at points, told to all of them.
 *
 * Each rank has its part of each row of the map: of a row, all ranks' parts in order are its points in
 * the order in which one process has them, and adds them up. */
#ifndef DLZ_READINGS_H
#define DLZ_READINGS_H

#include <dlviz/comm.h>

typedef struct dlz_reading {
    float potential, force[2];
    int32_t point;
} dlz_reading;

/* Keeps its memory; a zeroed struct is ready. */
typedef struct dlz_readings {
    dlviz_comm *comm;
    int64_t rows, capacity; /* bytes there is room for */
    int64_t *offsets;       /* ranks + 1: bytes, where each rank's piece begins */
    char *pieces;           /* of each rank: where rows begin, then their readings */
} dlz_readings;

/* Room for what ranks have: counts[rank] points in so many rows, numbers that all ranks know. */
dlviz_status dlz_readings_begin(dlz_readings *readings, dlviz_comm *comm, int64_t rows,
                                const int64_t *counts);
/* Where a rank's rows begin among its readings, rows + 1; and these. To be filled by the rank. */
int32_t *dlz_readings_rows(const dlz_readings *readings, int rank);
dlz_reading *dlz_readings_of(const dlz_readings *readings, int rank);
/* Gives all ranks all of them. */
dlviz_status dlz_readings_gather(dlz_readings *readings);
void dlz_readings_free(dlz_readings *readings);

#endif
