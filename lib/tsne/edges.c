#include "tsne/edges.h"
#include "base/base.h"
#include "base/parallel.h"
#include "comm/comm.h"

#include <string.h>

#define ROWS 256    /* a tile */
#define REACH 65536 /* columns that a group can name */
#define MOST_BUCKETS 32
#define GROUP DLZ_EDGE_GROUP

void dlz_edges_free(dlz_packed_edges *packed) {
    dlz_free(packed->groups);
    dlz_free(packed->bases);
    dlz_free(packed->wide);
    dlz_free(packed->columns);
    dlz_free(packed->values);
    dlz_free(packed->scales);
    dlz_free(packed->place);
    *packed = (dlz_packed_edges){0};
}

typedef struct packing {
    dlz_packed_edges *to;
    const dlz_affinities *from;
    const int32_t *order;
    int64_t buckets;  /* of REACH columns; a single one for wide edges */
    int64_t longest;  /* row */
    int32_t *scratch; /* a worker: longest */
    int64_t *numbers; /* one a rank */
} packing;

static int64_t bucket_of(const packing *p, int32_t column) {
    return p->to->is_wide ? 0 : column / REACH;
}

/* The new numbers of a row's columns. */
static int64_t renumber(const packing *p, int64_t row, int32_t *columns) {
    int64_t first = p->from->offsets[p->order[row]];
    int64_t count = p->from->offsets[p->order[row] + 1] - first;
    for (int64_t e = 0; e < count; e++)
        columns[e] = p->to->place[p->from->columns[first + e]];
    return count;
}

static int64_t count_groups(const packing *p, int64_t row, int32_t *columns) {
    int64_t count = renumber(p, row, columns), groups = 0, inside[MOST_BUCKETS] = {0};
    for (int64_t e = 0; e < count; e++)
        inside[bucket_of(p, columns[e])]++;
    for (int64_t b = 0; b < p->buckets; b++)
        groups += dlz_ceil_div(inside[b], GROUP);
    return groups;
}

static void count_tile(void *context, int64_t tile, int worker) {
    const packing *p = context;
    int64_t first = p->to->first + tile * ROWS, last = dlz_min_i64(p->to->last, first + ROWS);
    for (int64_t row = first; row < last; row++)
        p->to->groups[row + 1] = count_groups(p, row, p->scratch + worker * p->longest);
}

static void fill_row(const packing *p, int64_t row, int32_t *columns) {
    dlz_packed_edges *to = p->to;
    const float *values = p->from->values + p->from->offsets[p->order[row]];
    int64_t count = renumber(p, row, columns), at = to->groups[row] * GROUP;
    float largest = 0;
    for (int64_t e = 0; e < count; e++)
        largest = values[e] > largest ? values[e] : largest;
    double inverse = largest > 0 ? 65535.0 / (double)largest : 0;
    to->scales[row] = largest / 65535.0f;
    int64_t next[MOST_BUCKETS + 1] = {0};
    for (int64_t e = 0; e < count; e++)
        next[bucket_of(p, columns[e]) + 1]++;
    next[0] = at;
    for (int64_t b = 0; b < p->buckets; b++) {
        int64_t inside = next[b + 1];
        next[b + 1] = next[b] + dlz_ceil_div(inside, GROUP) * GROUP;
        for (int64_t g = next[b] / GROUP; g < next[b + 1] / GROUP && !to->is_wide; g++)
            to->bases[g] = (int32_t)(b * REACH);
    }
    int64_t ends[MOST_BUCKETS];
    memcpy(ends, next + 1, sizeof ends);
    for (int64_t e = 0; e < count; e++) {
        at = next[bucket_of(p, columns[e])]++;
        if (to->is_wide)
            to->wide[at] = columns[e];
        else
            to->columns[at] = (uint16_t)(columns[e] % REACH);
        to->values[at] = (uint16_t)((double)values[e] * inverse + 0.5);
    }
    for (int64_t b = 0; b < p->buckets; b++)
        for (at = next[b]; at < ends[b]; at++) {
            if (to->is_wide)
                to->wide[at] = to->wide[at - 1];
            else
                to->columns[at] = to->columns[at - 1];
            to->values[at] = 0;
        }
}

static void fill_tile(void *context, int64_t tile, int worker) {
    const packing *p = context;
    int64_t first = p->to->first + tile * ROWS, last = dlz_min_i64(p->to->last, first + ROWS);
    for (int64_t row = first; row < last; row++)
        fill_row(p, row, p->scratch + worker * p->longest);
}

/* Places are of all points. */
static dlviz_status reserve_rows(dlz_packed_edges *to, int64_t n) {
    if (to->n == n)
        return DLVIZ_OK;
    dlz_edges_free(to);
    to->groups = dlz_alloc_array((uint64_t)n + 1, sizeof *to->groups);
    to->scales = dlz_alloc_array((uint64_t)n, sizeof *to->scales);
    to->place = dlz_alloc_array((uint64_t)n, sizeof *to->place);
    if (!to->groups || !to->scales || !to->place)
        return dlz_fail_memory("the edges", (uint64_t)n * 16);
    to->n = n;
    return DLVIZ_OK;
}

static dlviz_status reserve_groups(dlz_packed_edges *to) {
    size_t count = (size_t)to->groups[to->last];
    dlz_free(to->bases);
    dlz_free(to->wide);
    dlz_free(to->columns);
    dlz_free(to->values);
    to->bases = to->wide = NULL;
    to->columns = NULL;
    to->values = dlz_alloc_array(count, GROUP * sizeof *to->values);
    if (to->is_wide) {
        to->wide = dlz_alloc_array(count, GROUP * sizeof *to->wide);
    } else {
        to->bases = dlz_alloc_array(count, sizeof *to->bases);
        to->columns = dlz_alloc_array(count, GROUP * sizeof *to->columns);
    }
    if (!to->values || (to->is_wide ? !to->wide : !to->bases || !to->columns))
        return dlz_fail_memory("the edges", count * 6 * GROUP);
    return DLVIZ_OK;
}

/* Counts this rank's groups, and says how many all ranks have. */
static dlviz_status count_all(packing *p, dlviz_comm *comm, int64_t tiles, int workers,
                              int64_t *all) {
    dlz_packed_edges *to = p->to;
    p->buckets = to->is_wide ? 1 : dlz_ceil_div(to->n, REACH);
    dlz_parallel_for(tiles, workers, count_tile, p);
    to->groups[to->first] = 0;
    for (int64_t row = to->first; row < to->last; row++)
        to->groups[row + 1] += to->groups[row];
    DLZ_TRY(dlz_comm_gather_numbers(comm, to->groups[to->last], p->numbers));
    *all = 0;
    for (int rank = 0; rank < dlz_comm_size(comm); rank++)
        *all += p->numbers[rank];
    return DLVIZ_OK;
}

static dlviz_status pack(packing *p, dlviz_comm *comm, int64_t tiles, int workers) {
    dlz_packed_edges *to = p->to;
    int64_t n = to->n, narrow, full = dlz_ceil_div(p->from->offsets[n], GROUP) + n;
    /* Wide edges have 6 bytes, others 4.25 and what half-empty groups waste. */
    to->is_wide = n > (int64_t)MOST_BUCKETS * REACH;
    DLZ_TRY(count_all(p, comm, tiles, workers, &narrow));
    if (!to->is_wide && 2 * narrow > 3 * full) {
        to->is_wide = true;
        DLZ_TRY(count_all(p, comm, tiles, workers, &narrow));
    }
    DLZ_TRY(reserve_groups(to));
    dlz_parallel_for(tiles, workers, fill_tile, p);
    return DLVIZ_OK;
}

dlviz_status dlz_edges_pack(dlz_packed_edges *packed, const dlz_affinities *affinities,
                            const int32_t *order, dlviz_comm *comm, int64_t first, int64_t last) {
    int64_t n = affinities->n, tiles = dlz_ceil_div(last - first, ROWS);
    int workers = dlz_max_int(1, (int)dlz_min_i64(dlz_threads(), tiles));
    DLZ_TRY(reserve_rows(packed, n));
    packed->first = first;
    packed->last = last;
    packing p = {.to = packed, .from = affinities, .order = order};
    for (int64_t i = 0; i < n; i++) {
        packed->place[order[i]] = (int32_t)i;
        p.longest = dlz_max_i64(p.longest, affinities->offsets[i + 1] - affinities->offsets[i]);
    }
    p.scratch = dlz_alloc_array((uint64_t)workers, (uint64_t)p.longest * sizeof *p.scratch);
    p.numbers = dlz_alloc_array((uint64_t)dlz_comm_size(comm), sizeof *p.numbers);
    dlviz_status status =
        p.scratch && p.numbers
            ? pack(&p, comm, tiles, workers)
            : dlz_fail_memory("the edges", (uint64_t)p.longest * sizeof *p.scratch);
    dlz_free(p.scratch);
    dlz_free(p.numbers);
    return status;
}
