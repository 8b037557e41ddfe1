#include "tsne/affinities.h"
#include "base/base.h"
#include "base/parallel.h"
#include "base/progress.h"
#include "base/sort.h"
#include "comm/comm.h"
#include "kernels/embed/perplexity.h"

#include <math.h>
#include <string.h>

#define ROWS 256                  /* a tile */
#define STRIPE (INT64_C(1) << 23) /* entries of the transposed matrix at a time, more or less */
#define PARTS 4                   /* of a stripe, made at the same time */
#define NEWTON_STEPS 40           /* of the 100 that the search for a Gaussian's width may take */
#define LARGEST_B 1e37            /* its inverse square; a step's factor 20 more is still a float */

void dlz_affinities_free(dlz_affinities *affinities) {
    dlz_free(affinities->offsets);
    dlz_free(affinities->columns);
    dlz_free(affinities->values);
    *affinities = (dlz_affinities){0};
}

/* Fills weights with e^(-b d) / sum, with the b that gives the wanted entropy. d: distances of
 * which the smallest is 0 and the largest 1, padded. One far neighbor makes the others' distances
 * tiny, so b may have to become huge; when nothing but the zeros has a weight left, no larger b
 * changes anything. */
static void find_width(const dlz_perplexity_kernel *kernel, const float *d, int count, int padded,
                       double entropy, float *weights) {
    double low = 0, high = INFINITY, b = 4, sums[3];
    for (int step = 0; step < 100; step++) {
        kernel->weigh(d, padded, (float)b, weights, sums);
        double mean = sums[1] / sums[0], variance = sums[2] / sums[0] - mean * mean;
        double excess = log(sums[0]) + b * mean - entropy;
        if (fabs(excess) < 5e-6 || (excess > 0 && (sums[1] == 0 || b > LARGEST_B)))
            break;
        if (excess > 0)
            low = b;
        else
            high = b;
        /* Newton's step in ln b, kept inside the bracket; where rounding spoils its slope, halving
         * the bracket takes over. */
        double slope = b * b * variance, next = b;
        if (slope > 0 && step < NEWTON_STEPS)
            next = (float)(b * exp(fmin(fmax(excess / slope, -3), 3)));
        if (!(next > low && next < high))
            next = high == INFINITY ? b * 8 : low > 0 ? sqrt(low * high) : high / 8;
        b = (float)next;
        if (b == low || b == high)
            break;
    }
    float share = (float)(1 / sums[0]);
    for (int i = 0; i < count; i++)
        weights[i] *= share;
}

typedef struct conditional {
    const dlz_perplexity_kernel *kernel;
    const float *distances;
    int k, padded, count;
    const double *perplexities;
    float *scratch; /* a worker: 2 x padded */
    float *p;
    dlz_share rows; /* this rank's */
} conditional;

static void conditional_row(const conditional *c, int64_t row, float *d, float *weights) {
    const float *distances = c->distances + row * c->k;
    float *p = c->p + row * c->k;
    float smallest = distances[0], largest = distances[0];
    for (int i = 1; i < c->k; i++) {
        smallest = fminf(smallest, distances[i]);
        largest = fmaxf(largest, distances[i]);
    }
    double range = (double)largest - smallest;
    if (!(range > 0)) {
        for (int i = 0; i < c->k; i++)
            p[i] = 1.0f / (float)c->k;
        return;
    }
    for (int i = 0; i < c->padded; i++)
        d[i] = i < c->k ? (float)(((double)distances[i] - smallest) / range) : 1e30f;
    for (int i = 0; i < c->k; i++)
        p[i] = 0;
    for (int s = 0; s < c->count; s++) {
        find_width(c->kernel, d, c->k, c->padded, log(c->perplexities[s]), weights);
        for (int i = 0; i < c->k; i++)
            p[i] += weights[i] / (float)c->count;
    }
}

static void conditional_tile(void *context, int64_t tile, int worker) {
    conditional *c = context;
    float *d = c->scratch + (int64_t)worker * 2 * c->padded;
    int64_t last = dlz_min_i64(c->rows.count, (tile + 1) * ROWS);
    for (int64_t row = c->rows.first + tile * ROWS; row < c->rows.first + last; row++)
        conditional_row(c, row, d, d + c->padded);
}

static dlviz_status make_conditional(conditional *c) {
    int64_t tiles = dlz_ceil_div(c->rows.count, ROWS);
    int workers = dlz_max_int(1, (int)dlz_min_i64(dlz_threads(), tiles));
    c->scratch = dlz_alloc_array((uint64_t)workers * 2, (uint64_t)c->padded * sizeof *c->scratch);
    if (!c->scratch)
        return dlz_fail_memory("the affinities", (uint64_t)c->padded * sizeof *c->scratch);
    dlviz_status status = dlz_parallel_for_task(tiles, workers, conditional_tile, c);
    dlz_free(c->scratch);
    return status;
}

dlviz_status dlz_conditional_affinities(dlviz_comm *comm, const float *squared_distances, int64_t n,
                                        int k, const double *perplexities, int count, float *p) {
    conditional c = {.kernel = dlz_perplexity(),
                     .distances = squared_distances,
                     .k = k,
                     .padded = (k + 15) / 16 * 16,
                     .count = count,
                     .perplexities = perplexities,
                     .p = p,
                     .rows = dlz_comm_even_share(comm, dlz_comm_rank(comm), n)};
    DLZ_TRY(dlz_comm_agree(comm, make_conditional(&c)));
    return dlz_comm_gather_even(comm, p, n, (size_t)k * sizeof *p);
}

/* An entry that awaits its place: the column in the high half, so that entries sort by column, and
 * the bits of the value in the low half. */
typedef uint64_t entry;

static entry make_entry(int32_t column, float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint64_t)column << 32 | bits;
}

static int32_t column_of(entry e) {
    return (int32_t)(e >> 32);
}

static float value_of(entry e) {
    uint32_t bits = (uint32_t)e;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* The transposed matrix is made and used up for some of its rows at a time. */
typedef struct symmetric {
    dlviz_comm *comm;
    int64_t n, tiles;
    int k;
    const int64_t *offsets;
    const int32_t *columns;
    const float *values;
    int64_t own, own_end; /* rows of this rank, whole tiles of them */
    int64_t
        *turned_offsets; /* n + 1: where a row of the transposed matrix would begin in all of it */
    int64_t *next;       /* n: in a row, where its next entry goes */
    entry *turned;       /* its rows first ... last - 1, sorted by column */
    int64_t first, last;
    int parts; /* in which they are made at the same time */
    dlz_affinities *out;
    dlz_affinities rows;         /* this rank's: their offsets are in out, counted from 0 */
    double *sums, *negentropies; /* a tile */
    int32_t *bad_row;            /* a tile: a row with a repeated column, or -1 */
    int64_t bad;                 /* the lowest of them, or n */
    int64_t *pieces;             /* ranks + 1 */
    double scale;                /* as a float it would be 0 for large sums, infinite for small */
    entry *scratch;              /* a worker: longest row, and as much again to sort in */
    int64_t longest;
} symmetric;

static int64_t row_start(const symmetric *s, int64_t row) {
    return s->offsets ? s->offsets[row] : row * s->k;
}

/* The row of A + A^T in `merged`; returns its length, -1 when a column comes twice in A's row. */
static int64_t merge_row(const symmetric *s, int64_t row, entry *own, entry *merged) {
    int64_t count = 0, start = row_start(s, row), end = row_start(s, row + 1);
    for (int64_t e = start; e < end; e++)
        if (s->columns[e] != row && s->values[e] > 0)
            own[count++] = make_entry(s->columns[e], s->values[e]);
    dlz_sort_u64(own, count);
    for (int64_t i = 1; i < count; i++)
        if (column_of(own[i]) == column_of(own[i - 1]))
            return -1;
    const entry *other = s->turned + (s->turned_offsets[row] - s->turned_offsets[s->first]);
    const entry *other_end = other + (s->turned_offsets[row + 1] - s->turned_offsets[row]);
    int64_t i = 0, length = 0;
    while (i < count || other < other_end) {
        if (other == other_end || (i < count && column_of(own[i]) < column_of(*other)))
            merged[length++] = own[i++];
        else if (i == count || column_of(*other) < column_of(own[i]))
            merged[length++] = *other++;
        else {
            merged[length++] = make_entry(column_of(own[i]), value_of(own[i]) + value_of(*other));
            i++;
            other++;
        }
    }
    return length;
}

/* The lengths of rows, in offsets[row + 1] for now. */
static void measure_tile(void *context, int64_t tile, int worker) {
    symmetric *s = context;
    entry *own = s->scratch + (int64_t)worker * 2 * s->longest, *merged = own + s->longest;
    tile += s->first / ROWS;
    int64_t last = dlz_min_i64(s->last, (tile + 1) * ROWS);
    double sum = 0;
    s->bad_row[tile] = -1;
    for (int64_t row = tile * ROWS; row < last; row++) {
        int64_t length = merge_row(s, row, own, merged);
        if (length < 0) {
            s->bad_row[tile] = (int32_t)row;
            return;
        }
        s->out->offsets[row + 1] = length;
        for (int64_t i = 0; i < length; i++)
            sum += value_of(merged[i]);
    }
    s->sums[tile] = sum;
}

/* Writes the rows, not yet scaled. */
static void fill_tile(void *context, int64_t tile, int worker) {
    symmetric *s = context;
    entry *own = s->scratch + (int64_t)worker * 2 * s->longest, *merged = own + s->longest;
    tile += s->first / ROWS;
    int64_t last = dlz_min_i64(s->last, (tile + 1) * ROWS);
    for (int64_t row = tile * ROWS; row < last; row++) {
        int64_t length = merge_row(s, row, own, merged), to = s->out->offsets[row];
        for (int64_t i = 0; i < length; i++, to++) {
            s->rows.columns[to] = column_of(merged[i]);
            s->rows.values[to] = value_of(merged[i]);
        }
    }
}

static void scale_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    symmetric *s = context;
    tile += s->own / ROWS;
    int64_t last = dlz_min_i64(s->n, (tile + 1) * ROWS);
    double negentropy = 0;
    for (int64_t e = s->out->offsets[tile * ROWS]; e < s->out->offsets[last]; e++) {
        float p = (float)(s->rows.values[e] * s->scale);
        s->rows.values[e] = p;
        if (p > 0)
            negentropy += p * log(p);
    }
    s->negentropies[tile] = negentropy;
}

static void count_turned(symmetric *s) {
    int64_t *counts = s->turned_offsets + 1;
    memset(s->turned_offsets, 0, (size_t)(s->n + 1) * sizeof *counts);
    for (int64_t row = 0; row < s->n; row++)
        for (int64_t e = row_start(s, row); e < row_start(s, row + 1); e++)
            counts[s->columns[e]] += s->columns[e] != row && s->values[e] > 0;
    for (int64_t row = 0; row < s->n; row++)
        s->turned_offsets[row + 1] += s->turned_offsets[row];
}

/* A part of the rows first ... last - 1 of the transposed matrix. Going through the rows in order
 * leaves each column's entries in the order of the rows. */
static void turn_part(void *context, int64_t part, int worker) {
    (void)worker;
    symmetric *s = context;
    int64_t count = s->last - s->first, base = s->turned_offsets[s->first];
    int64_t first = s->first + part * count / s->parts;
    int64_t last = s->first + (part + 1) * count / s->parts;
    uint32_t width = (uint32_t)(last - first);
    for (int64_t row = first; row < last; row++)
        s->next[row] = s->turned_offsets[row] - base;
    for (int64_t row = 0; row < s->n; row++)
        for (int64_t e = row_start(s, row), end = row_start(s, row + 1); e < end; e++) {
            int32_t column = s->columns[e];
            if ((uint32_t)column - (uint32_t)first < width && column != row && s->values[e] > 0)
                s->turned[s->next[column]++] = make_entry((int32_t)row, s->values[e]);
        }
}

/* How many rows of the transposed matrix are made at a time, and how many entries they have at
 * most. */
static int64_t choose_stripe(const symmetric *s, int64_t *most) {
    int64_t entries = s->turned_offsets[s->own_end] - s->turned_offsets[s->own];
    int64_t tiles = dlz_ceil_div(s->own_end - s->own, ROWS);
    int64_t stripes = dlz_ceil_div(entries + 1, STRIPE);
    int64_t rows = dlz_ceil_div(tiles, stripes) * ROWS;
    *most = 0;
    for (int64_t first = s->own; first < s->own_end; first += rows) {
        int64_t last = dlz_min_i64(s->own_end, first + rows);
        *most = dlz_max_i64(*most, s->turned_offsets[last] - s->turned_offsets[first]);
    }
    return rows;
}

static dlviz_status reserve(symmetric *s) {
    dlz_affinities *out = s->out;
    out->n = s->n;
    out->offsets = dlz_alloc_array((uint64_t)s->n + 1, sizeof(int64_t));
    s->turned_offsets = dlz_alloc_array((uint64_t)s->n + 1, sizeof(int64_t));
    s->next = dlz_alloc_array((uint64_t)s->n, sizeof(int64_t));
    s->sums = dlz_alloc_array((uint64_t)s->tiles * 2, sizeof(double));
    s->bad_row = dlz_alloc_array((uint64_t)s->tiles, sizeof(int32_t));
    if (!out->offsets || !s->turned_offsets || !s->next || !s->sums || !s->bad_row)
        return dlz_fail_memory("the affinities", (uint64_t)s->n * 3 * sizeof(int64_t));
    s->negentropies = s->sums + s->tiles;
    return DLVIZ_OK;
}

/* Room for the rows of a stripe, now that their lengths are known, and a guess at that of the rest.
 */
static dlviz_status grow(symmetric *s, int64_t *capacity) {
    int64_t *offsets = s->out->offsets;
    for (int64_t row = s->first; row < s->last; row++)
        offsets[row + 1] += offsets[row];
    int64_t wanted = offsets[s->last];
    if (wanted <= *capacity && s->rows.columns)
        return DLVIZ_OK;
    double done = (double)(s->last - s->own), all = (double)(s->own_end - s->own);
    double guess = s->last < s->own_end ? 1.02 * (double)wanted * all / done : 1;
    wanted = dlz_max_i64(wanted, (int64_t)guess);
    int32_t *columns = dlz_realloc_array(s->rows.columns, (uint64_t)wanted, sizeof *columns);
    if (columns)
        s->rows.columns = columns;
    float *values = dlz_realloc_array(s->rows.values, (uint64_t)wanted, sizeof *values);
    if (values)
        s->rows.values = values;
    if (!columns || !values)
        return dlz_fail_memory("the affinities", (uint64_t)wanted * sizeof(float));
    *capacity = wanted;
    return DLVIZ_OK;
}

static dlviz_status add_rows(symmetric *s, int workers, int64_t *capacity) {
    int64_t first = s->first / ROWS, tiles = dlz_ceil_div(s->last - s->first, ROWS);
    dlz_parallel_for(s->parts, workers, turn_part, s);
    DLZ_TRY(dlz_parallel_for_task(tiles, workers, measure_tile, s));
    for (int64_t tile = first; tile < first + tiles; tile++)
        if (s->bad_row[tile] >= 0) {
            s->bad = s->bad_row[tile];
            return DLVIZ_OK;
        }
    DLZ_TRY(grow(s, capacity));
    return dlz_parallel_for_task(tiles, workers, fill_tile, s);
}

/* This rank's rows, not yet scaled. */
static dlviz_status make_rows(symmetric *s, int workers) {
    int64_t longest = 0, most, capacity = 0;
    DLZ_TRY(reserve(s));
    count_turned(s);
    for (int64_t row = s->own; row < s->own_end; row++)
        longest = dlz_max_i64(longest, row_start(s, row + 1) - row_start(s, row) +
                                           s->turned_offsets[row + 1] - s->turned_offsets[row]);
    s->longest = longest;
    int64_t rows = choose_stripe(s, &most);
    s->turned = dlz_alloc_array((uint64_t)most, sizeof(entry));
    s->scratch = dlz_alloc_array((uint64_t)workers * 2, (uint64_t)longest * sizeof(entry));
    if (!s->turned || !s->scratch)
        return dlz_fail_memory("the affinities", (uint64_t)(most + longest) * sizeof(entry));
    s->out->offsets[s->own] = 0;
    for (s->first = s->own; s->first < s->own_end && s->bad == s->n; s->first = s->last) {
        s->last = dlz_min_i64(s->own_end, s->first + rows);
        DLZ_TRY(add_rows(s, workers, &capacity));
    }
    return DLVIZ_OK;
}

/* The first row of a rank. */
static int64_t first_row(const symmetric *s, int rank) {
    if (rank == dlz_comm_size(s->comm))
        return s->n;
    return dlz_min_i64(s->n, dlz_comm_even_share(s->comm, rank, s->tiles).first * ROWS);
}

static dlviz_status require_columns(symmetric *s) {
    DLZ_TRY(dlz_comm_gather_numbers(s->comm, s->bad, s->pieces));
    for (int rank = 0; rank < dlz_comm_size(s->comm); rank++)
        s->bad = dlz_min_i64(s->bad, s->pieces[rank]);
    if (s->bad < s->n)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "row %lld of the neighbors or affinities names a point twice",
                        (long long)s->bad);
    return DLVIZ_OK;
}

/* All rows' offsets, of each rank's lengths. */
static dlviz_status join_offsets(symmetric *s) {
    int64_t *offsets = s->out->offsets, before = 0;
    for (int64_t row = s->own; row < s->own_end; row++) {
        int64_t end = offsets[row + 1];
        offsets[row + 1] = end - before;
        before = end;
    }
    for (int rank = 0; rank <= dlz_comm_size(s->comm); rank++)
        s->pieces[rank] = first_row(s, rank) * (int64_t)sizeof *offsets;
    DLZ_TRY(dlz_comm_gather_pieces(s->comm, offsets + 1, s->pieces));
    offsets[0] = 0;
    for (int64_t row = 0; row < s->n; row++)
        offsets[row + 1] += offsets[row];
    return DLVIZ_OK;
}

/* Scales this rank's rows by all rows' sum. */
static dlviz_status scale(symmetric *s, int workers) {
    DLZ_TRY(dlz_comm_gather_even(s->comm, s->sums, s->tiles, sizeof *s->sums));
    double sum = 0;
    for (int64_t tile = 0; tile < s->tiles; tile++)
        sum += s->sums[tile];
    if (!(sum > 0 && sum < INFINITY))
        return dlz_fail(DLVIZ_ERROR_NUMERIC,
                        "the affinities have the sum %g off the diagonal; it must be above 0 and "
                        "finite",
                        sum);
    s->scale = 1 / sum;
    int64_t tiles = dlz_ceil_div(s->own_end - s->own, ROWS);
    DLZ_TRY(dlz_comm_agree(s->comm, dlz_parallel_for_task(tiles, workers, scale_tile, s)));
    DLZ_TRY(dlz_comm_gather_even(s->comm, s->negentropies, s->tiles, sizeof *s->negentropies));
    for (int64_t tile = 0; tile < s->tiles; tile++)
        s->out->negentropy += s->negentropies[tile];
    return DLVIZ_OK;
}

/* All ranks' rows, with this one's at their place. */
static dlviz_status place_rows(symmetric *s) {
    dlz_affinities *out = s->out;
    int64_t first = out->offsets[s->own], count = out->offsets[s->own_end] - first;
    out->columns = dlz_alloc_array((uint64_t)out->offsets[s->n], sizeof *out->columns);
    out->values = dlz_alloc_array((uint64_t)out->offsets[s->n], sizeof *out->values);
    if (!out->columns || !out->values)
        return dlz_fail_memory("the affinities", (uint64_t)out->offsets[s->n] * sizeof(float));
    if (count > 0) {
        memcpy(out->columns + first, s->rows.columns, (size_t)count * sizeof *out->columns);
        memcpy(out->values + first, s->rows.values, (size_t)count * sizeof *out->values);
    }
    dlz_affinities_free(&s->rows);
    return DLVIZ_OK;
}

static dlviz_status join_rows(symmetric *s) {
    dlz_affinities *out = s->out;
    if (dlz_comm_size(s->comm) == 1) {
        out->columns = s->rows.columns;
        out->values = s->rows.values;
        s->rows = (dlz_affinities){0};
        return DLVIZ_OK;
    }
    DLZ_TRY(dlz_comm_agree(s->comm, place_rows(s)));
    for (int rank = 0; rank <= dlz_comm_size(s->comm); rank++)
        s->pieces[rank] = out->offsets[first_row(s, rank)] * (int64_t)sizeof(float);
    DLZ_TRY(dlz_comm_gather_pieces(s->comm, out->columns, s->pieces));
    return dlz_comm_gather_pieces(s->comm, out->values, s->pieces);
}

static dlviz_status symmetrize(symmetric *s) {
    int ranks = dlz_comm_size(s->comm);
    s->own = first_row(s, dlz_comm_rank(s->comm));
    s->own_end = first_row(s, dlz_comm_rank(s->comm) + 1);
    int64_t tiles = dlz_ceil_div(s->own_end - s->own, ROWS);
    int workers = dlz_max_int(1, (int)dlz_min_i64(dlz_threads(), tiles));
    s->parts = workers < PARTS ? workers : PARTS;
    s->pieces = dlz_alloc_array((uint64_t)ranks + 1, sizeof *s->pieces);
    DLZ_TRY(dlz_comm_agree(s->comm, s->pieces
                                        ? make_rows(s, workers)
                                        : dlz_fail_memory("the affinities", (uint64_t)ranks)));
    DLZ_TRY(require_columns(s));
    DLZ_TRY(scale(s, workers));
    DLZ_TRY(join_offsets(s));
    return join_rows(s);
}

dlviz_status dlz_affinities_symmetric(dlviz_comm *comm, dlz_affinities *out, int64_t n,
                                      const int64_t *offsets, int k, const int32_t *columns,
                                      const float *values) {
    *out = (dlz_affinities){0};
    symmetric s = {.comm = comm,
                   .n = n,
                   .tiles = dlz_ceil_div(n, ROWS),
                   .offsets = offsets,
                   .k = k,
                   .columns = columns,
                   .values = values,
                   .out = out,
                   .bad = n};
    dlviz_status status = symmetrize(&s);
    dlz_affinities_free(&s.rows);
    dlz_free(s.turned_offsets);
    dlz_free(s.next);
    dlz_free(s.turned);
    dlz_free(s.sums);
    dlz_free(s.bad_row);
    dlz_free(s.pieces);
    dlz_free(s.scratch);
    if (status != DLVIZ_OK)
        dlz_affinities_free(out);
    return status;
}
