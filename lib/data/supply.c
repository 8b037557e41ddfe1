#include "data/supply.h"
#include "base/base.h"
#include "base/failures.h"
#include "base/parallel.h"
#include "tensor/rows.h"
#include "tensor/tensor.h"

#include <stdlib.h>
#include <string.h>

enum { FEW_BYTES = 1 << 18 };

static dlviz_status grow(dlz_room *room, uint64_t count, uint64_t size) {
    return dlz_room_grow(room, count, size, "samples of other ranks");
}

/* -- What is wanted ------------------------------------------------------------------------------
 */

typedef struct want {
    int32_t row;
    dlz_row_part part;
} want;

static int64_t bytes_of(const dlviz_dataset *dataset, dlz_row_part part) {
    const dlz_transform *t = &dataset->transform;
    if (part == DLZ_ROW_SAMPLE)
        return t->channels * t->height * t->width * (int64_t)dlviz_dtype_size(t->dtype);
    return dlz_dataset_target_size(dataset) * (int64_t)dlviz_dtype_size(dataset->targets->dtype);
}

/* The batch's rows, and behind them those that they are mixed with. */
static dlviz_status list_rows(dlz_delivery *d, const dlz_demand *demand) {
    const dlviz_dataset *dataset = demand->dataset;
    int64_t n = demand->count, partner;
    d->halves = demand->variant && dataset->augmentations.mix ? 2 : 1;
    d->rows_size = n;
    DLZ_TRY(grow(&d->rows, (uint64_t)(2 * n), sizeof(int32_t)));
    int32_t *rows = d->rows.data;
    for (int64_t i = 0; i < n; i++) {
        rows[i] = dataset->rows[demand->positions[i]];
        if (d->halves == 1)
            continue;
        dlz_dataset_partner(dataset, demand->variant, demand->positions[i], &partner);
        rows[n + i] = dataset->rows[partner];
    }
    return DLVIZ_OK;
}

/* Of a rank, whose samples and whose targets it wants. Where the targets are the samples, who wants
 * all targets wants all of these. */
static dlviz_status list_shares(dlz_delivery *d, const dlz_demand *demand, int ranks) {
    const dlviz_dataset *dataset = demand->dataset;
    DLZ_TRY(grow(&d->shares, (uint64_t)ranks * DLZ_ROW_PARTS, sizeof(dlz_share)));
    dlz_share *shares = d->shares.data, all = {0, demand->count}, none = {0, 0};
    bool all_samples =
        !demand->shares || (demand->all_targets && dataset->target_kind == DLZ_TARGETS_SAMPLES);
    for (int rank = 0; rank < ranks; rank++) {
        dlz_share own = demand->shares ? demand->shares[rank] : all;
        shares[DLZ_ROW_PARTS * rank + DLZ_ROW_SAMPLE] = all_samples ? all : own;
        shares[DLZ_ROW_PARTS * rank + DLZ_ROW_TARGETS] = !dataset->targets_joined ? none
                                                         : demand->all_targets    ? all
                                                                                  : own;
    }
    return DLVIZ_OK;
}

/* All that a rank wants, in the order in which it is sent by whoever has it. */
static int64_t list_wants(const dlz_delivery *d, int rank, want *wants) {
    const dlz_share *shares = (const dlz_share *)d->shares.data + (int64_t)DLZ_ROW_PARTS * rank;
    const int32_t *rows = d->rows.data;
    int64_t count = 0;
    for (dlz_row_part part = DLZ_ROW_SAMPLE; part < DLZ_ROW_PARTS; part++)
        for (int64_t half = 0; half < d->halves; half++)
            for (int64_t i = 0; i < shares[part].count; i++)
                wants[count++] = (want){rows[half * d->rows_size + shares[part].first + i], part};
    return count;
}

/* -- What is sent --------------------------------------------------------------------------------
 */

/* A position of the own dataset, and where its bytes go to. */
typedef struct parcel {
    want own;
    int64_t offset;
} parcel;

typedef struct pack_pass {
    const dlviz_dataset *own;
    const parcel *parcels;
    char *sent;
    dlz_failures failures;
} pack_pass;

static dlviz_status pack(const pack_pass *pass, const parcel *one) {
    const void *bytes;
    void *block = NULL;
    DLZ_TRY(one->own.part == DLZ_ROW_SAMPLE
                ? dlz_dataset_fetch(pass->own, one->own.row, &bytes, &block)
                : dlz_dataset_fetch_targets(pass->own, one->own.row, &bytes, &block));
    memcpy(pass->sent + one->offset, bytes, (size_t)bytes_of(pass->own, one->own.part));
    if (one->own.part == DLZ_ROW_SAMPLE)
        dlz_dataset_done(pass->own, block);
    else
        dlz_row_done(block);
    return DLVIZ_OK;
}

static void pack_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    pack_pass *pass = context;
    if (!dlz_failures_before(&pass->failures, tile))
        dlz_failures_note(&pass->failures, tile, pack(pass, &pass->parcels[tile]));
}

/* Copies out what other ranks want of this one. */
static dlviz_status send(dlz_delivery *d, const dlviz_dataset *dataset, want *wants,
                         int64_t *offsets) {
    const dlz_joined *joined = dataset->joined;
    int ranks = dlz_comm_size(joined->comm);
    parcel *parcels = d->parcels.data;
    int64_t count = 0, bytes = 0, own;
    for (int rank = 0; rank < ranks; rank++) {
        offsets[rank] = bytes;
        int64_t wanted = rank == dlz_comm_rank(joined->comm) ? 0 : list_wants(d, rank, wants);
        for (int64_t i = 0; i < wanted; i++)
            if (dlz_joined_is_own(joined, wants[i].row, &own)) {
                parcels[count++] = (parcel){{(int32_t)own, wants[i].part}, bytes};
                bytes += bytes_of(dataset, wants[i].part);
            }
    }
    offsets[ranks] = bytes;
    DLZ_TRY(grow(&d->sent, (uint64_t)bytes + 1, 1));
    pack_pass pass = {.own = joined->own, .parcels = parcels, .sent = d->sent.data};
    /* Few bytes are not worth waking threads; decoding a sample is. */
    int threads = pass.own->samples && bytes < FEW_BYTES ? 1 : dlz_threads();
    dlz_failures_init(&pass.failures);
    dlz_parallel_for(count, threads, pack_tile, &pass);
    return dlz_failures_tell(&pass.failures);
}

/* -- What is received ----------------------------------------------------------------------------
 */

static int by_row(const void *a, const void *b) {
    const dlz_arrival *left = a, *right = b;
    return (left->row > right->row) - (left->row < right->row);
}

/* Where each rank's pieces will be: places[rank] … places[rank + 1]. */
static void add_up(const dlviz_dataset *dataset, const want *wants, int64_t wanted,
                   int64_t *offsets) {
    const dlz_joined *joined = dataset->joined;
    int ranks = dlz_comm_size(joined->comm);
    memset(offsets, 0, ((size_t)ranks + 1) * sizeof *offsets);
    for (int64_t i = 0; i < wanted; i++) {
        int owner = dlz_joined_owner(joined, wants[i].row);
        if (owner != dlz_comm_rank(joined->comm))
            offsets[owner + 1] += bytes_of(dataset, wants[i].part);
    }
    for (int rank = 0; rank < ranks; rank++)
        offsets[rank + 1] += offsets[rank];
}

/* Makes room for what this rank wants of others, and notes where each row of it will be. `next`: room
 * for a number of each rank's. */
static dlviz_status receive(dlz_delivery *d, const dlviz_dataset *dataset, want *wants,
                            int64_t *offsets, int64_t *next) {
    const dlz_joined *joined = dataset->joined;
    int ranks = dlz_comm_size(joined->comm), me = dlz_comm_rank(joined->comm);
    int64_t wanted = list_wants(d, me, wants);
    add_up(dataset, wants, wanted, offsets);
    memcpy(next, offsets, (size_t)ranks * sizeof *next);
    DLZ_TRY(grow(&d->received, (uint64_t)offsets[ranks] + 1, 1));
    dlz_brought *brought = &d->brought;
    brought->bytes = d->received.data;
    for (dlz_row_part part = DLZ_ROW_SAMPLE; part < DLZ_ROW_PARTS; part++) {
        brought->arrivals[part] = d->arrivals[part].data;
        brought->counts[part] = 0;
    }
    for (int64_t i = 0; i < wanted; i++) {
        dlz_row_part part = wants[i].part;
        int owner = dlz_joined_owner(joined, wants[i].row);
        if (owner == me)
            continue;
        brought->arrivals[part][brought->counts[part]++] = (dlz_arrival){wants[i].row, next[owner]};
        next[owner] += bytes_of(dataset, part);
    }
    for (dlz_row_part part = DLZ_ROW_SAMPLE; part < DLZ_ROW_PARTS; part++)
        qsort(brought->arrivals[part], (size_t)brought->counts[part], sizeof(dlz_arrival), by_row);
    return DLVIZ_OK;
}

/* -- Deliveries ----------------------------------------------------------------------------------
 */

/* Offsets by rank: those of what is sent, of what is received, and room. */
static int64_t *offsets_of(const dlz_delivery *d, const dlviz_comm *comm, int which) {
    return (int64_t *)d->offsets.data + (int64_t)which * (dlz_comm_size(comm) + 1);
}

static dlviz_status make_room(dlz_delivery *d, int64_t n, int ranks) {
    uint64_t most = (uint64_t)n * 2; /* of a part, with what is mixed in */
    DLZ_TRY(grow(&d->wants, DLZ_ROW_PARTS * most, sizeof(want)));
    DLZ_TRY(grow(&d->parcels, DLZ_ROW_PARTS * most * (uint64_t)ranks, sizeof(parcel)));
    for (dlz_row_part part = DLZ_ROW_SAMPLE; part < DLZ_ROW_PARTS; part++)
        DLZ_TRY(grow(&d->arrivals[part], most, sizeof(dlz_arrival)));
    return grow(&d->offsets, 3 * ((uint64_t)ranks + 1), sizeof(int64_t));
}

static dlviz_status prepare(dlz_delivery *d, const dlz_demand *demand) {
    const dlviz_dataset *dataset = demand->dataset;
    dlviz_comm *comm = dataset->joined->comm;
    DLZ_TRY(list_rows(d, demand));
    DLZ_TRY(list_shares(d, demand, dlz_comm_size(comm)));
    DLZ_TRY(make_room(d, demand->count, dlz_comm_size(comm)));
    DLZ_TRY(send(d, dataset, d->wants.data, offsets_of(d, comm, 0)));
    return receive(d, dataset, d->wants.data, offsets_of(d, comm, 1), offsets_of(d, comm, 2));
}

static dlviz_status begin(dlz_delivery *d, const dlz_demand *demand) {
    dlviz_comm *comm = demand->dataset->joined->comm;
    DLZ_TRY(prepare(d, demand));
    d->under_way = true;
    return dlz_comm_trade_begin(comm, d->sent.data, offsets_of(d, comm, 0), d->received.data,
                                offsets_of(d, comm, 1));
}

static dlviz_status finish(dlz_delivery *d, dlviz_comm *comm) {
    if (!d->under_way)
        return DLVIZ_OK;
    DLZ_TRY(dlz_comm_trade_finish(comm, offsets_of(d, comm, 0), offsets_of(d, comm, 1)));
    d->under_way = false;
    return DLVIZ_OK;
}

/* Whether what comes is what is wanted: settings may have changed meanwhile, on all ranks alike. */
static dlviz_status is_wanted(const dlz_delivery *d, dlz_delivery *wanted, const dlz_demand *demand,
                              bool *is) {
    int ranks = dlz_comm_size(demand->dataset->joined->comm);
    DLZ_TRY(list_rows(wanted, demand));
    DLZ_TRY(list_shares(wanted, demand, ranks));
    *is = d->rows_size == wanted->rows_size && d->halves == wanted->halves &&
          memcmp(d->rows.data, wanted->rows.data,
                 (size_t)(d->halves * d->rows_size) * sizeof(int32_t)) == 0 &&
          memcmp(d->shares.data, wanted->shares.data,
                 (size_t)ranks * DLZ_ROW_PARTS * sizeof(dlz_share)) == 0;
    return DLVIZ_OK;
}

dlviz_status dlz_supply_begin(dlz_supply *supply, const dlz_demand *demand) {
    dlz_delivery *coming = &supply->deliveries[supply->coming];
    supply->comm = demand->dataset->joined->comm;
    return coming->under_way ? DLVIZ_OK : begin(coming, demand);
}

dlviz_status dlz_supply_take(dlz_supply *supply, const dlz_demand *demand, dlviz_dataset *view) {
    dlz_delivery *coming = &supply->deliveries[supply->coming];
    dlz_delivery *other = &supply->deliveries[!supply->coming];
    supply->comm = demand->dataset->joined->comm;
    bool is = coming->under_way;
    DLZ_TRY(finish(coming, supply->comm));
    if (is)
        DLZ_TRY(is_wanted(coming, other, demand, &is));
    if (!is) {
        DLZ_TRY(begin(coming, demand));
        DLZ_TRY(finish(coming, supply->comm));
    }
    dlz_joined_view(demand->dataset, &coming->brought, view);
    supply->coming = !supply->coming;
    return DLVIZ_OK;
}

static void release(dlz_delivery *d) {
    dlz_room *rooms[] = {&d->rows,  &d->shares,  &d->offsets,     &d->sent,       &d->received,
                         &d->wants, &d->parcels, &d->arrivals[0], &d->arrivals[1]};
    for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++)
        dlz_free(rooms[i]->data);
    *d = (dlz_delivery){.under_way = false};
}

dlviz_status dlz_supply_end(dlz_supply *supply, dlviz_status status) {
    for (int i = 0; i < 2 && status == DLVIZ_OK; i++)
        status = finish(&supply->deliveries[i], supply->comm);
    /* After that nothing is received any more. */
    if (supply->comm)
        status = dlz_comm_fail(supply->comm, status);
    release(&supply->deliveries[0]);
    release(&supply->deliveries[1]);
    *supply = (dlz_supply){.comm = NULL};
    return status;
}
