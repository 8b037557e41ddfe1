/* data/joined.h - datasets whose samples lie with several processes: who has which of them, and those
 * of others that were brought here.
 *
 * A row of such a dataset is a sample's place among all of them, in the order of ranks. Labels,
 * weights and settings are known to every rank; samples, and targets that are more than a label, stay
 * where they are. A row of another rank can only be had from a view, which has some of them. */
#ifndef DLZ_DATA_JOINED_H
#define DLZ_DATA_JOINED_H

#include "comm/comm.h"

#include <dlviz/dataset.h>
#include <stdatomic.h>

typedef struct dlz_joined {
    atomic_int references;
    dlviz_comm *comm;
    dlviz_dataset *own;    /* this rank's samples, with their targets */
    int64_t *firsts;       /* rank r has the rows firsts[r] … firsts[r + 1] − 1 */
    int32_t *label_ranges; /* where pixels have labels: of each row, the smallest and the largest */
} dlz_joined;

/* What there is of a row. */
typedef enum dlz_row_part { DLZ_ROW_SAMPLE, DLZ_ROW_TARGETS, DLZ_ROW_PARTS } dlz_row_part;

/* A row of another rank's, and where its bytes are. */
typedef struct dlz_arrival {
    int32_t row;
    int64_t offset;
} dlz_arrival;

/* Such rows, in their order. */
typedef struct dlz_brought {
    const char *bytes;
    dlz_arrival *arrivals[DLZ_ROW_PARTS];
    int64_t counts[DLZ_ROW_PARTS];
} dlz_brought;

dlz_joined *dlz_joined_hold(const dlz_joined *joined);
void dlz_joined_release(dlz_joined *joined);

/* Which rank has a row. */
int dlz_joined_owner(const dlz_joined *joined, int64_t row);
/* Whether this one has it; *own receives its position in the own dataset. */
bool dlz_joined_is_own(const dlz_joined *joined, int64_t row, int64_t *own);
/* Where part of the sample at a position is: *bytes if it was brought here, else NULL, and *own its
 * position in the own dataset. Fails with DLVIZ_ERROR_STATE where it is neither. */
dlviz_status dlz_joined_find(const dlviz_dataset *dataset, int64_t position, dlz_row_part part,
                             const char **bytes, int64_t *own);
/* The dataset, with what was brought. Holds nothing: for as long as neither changes. */
void dlz_joined_view(const dlviz_dataset *dataset, const dlz_brought *brought, dlviz_dataset *view);

/* Fails with DLVIZ_ERROR_STATE where the dataset is joined, but not over this communicator. */
dlviz_status dlz_dataset_check_comm(const dlviz_dataset *dataset, const char *who, const char *what,
                                    const dlviz_comm *comm);
/* On all ranks, which share what is computed of a dataset: fails unless all have the same rows of one
 * that is joined, or none has. */
dlviz_status dlz_dataset_require_same_rows(const dlviz_dataset *dataset, const char *who,
                                           const char *what, dlviz_comm *comm);

#endif
