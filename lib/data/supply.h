/* data/supply.h - brings samples of a joined dataset from the ranks that have them to those that need
 * them for a batch.
 *
 * Every rank knows what each of them wants, so that nothing need be asked for: what a rank has of it is
 * sent, as it is stored. What the next batch needs can be on its way while the present one is worked
 * on. A call fails on one rank alone: whoever calls tells the others by dlz_comm_fail. */
#ifndef DLZ_DATA_SUPPLY_H
#define DLZ_DATA_SUPPLY_H

#include "base/room.h"
#include "data/dataset.h"

/* What all ranks want of a joined dataset, the same on all of them. */
typedef struct dlz_demand {
    const dlviz_dataset *dataset;
    const int64_t *positions; /* of a batch */
    int64_t count;
    const dlz_variant *variant; /* how it is augmented; NULL: it is not */
    const dlz_share *shares;    /* whose samples each rank loads; NULL: all */
    bool all_targets;           /* but targets of all; else of those samples alone */
} dlz_demand;

/* Rows that are on their way, or here. */
typedef struct dlz_delivery {
    dlz_brought brought;
    int64_t rows_size, halves; /* two, where samples are mixed with as many others */
    bool under_way;
    /* Rows of the batch, and of those they are mixed with; shares of samples and of targets by rank;
     * where pieces begin by rank; the pieces; what they are made of. */
    dlz_room rows, shares, offsets, sent, received, wants, parcels, arrivals[DLZ_ROW_PARTS];
} dlz_delivery;

/* Starts as zeros. */
typedef struct dlz_supply {
    dlviz_comm *comm;
    dlz_delivery deliveries[2]; /* what is here and what comes, by turns */
    int coming;
} dlz_supply;

/* Lets what is wanted come, unless something does already. Nothing of the communicator's but sums and
 * what is waited for may be under way. */
dlviz_status dlz_supply_begin(dlz_supply *supply, const dlz_demand *demand);
/* Waits for what is wanted, which has been begun, or begins here. *view: the demand's dataset with it,
 * until the next dlz_supply_take. */
dlviz_status dlz_supply_take(dlz_supply *supply, const dlz_demand *demand, dlviz_dataset *view);
/* Waits for what is still to come or, where `status` is a failure and anything was supplied, tells the
 * others. Frees all, and returns the status. */
dlviz_status dlz_supply_end(dlz_supply *supply, dlviz_status status);

#endif
