/* graph/batch.h - which samples of a batch are here, and how sums over a batch are taken.
 *
 * A batch that can be is cut into DLZ_LEAVES leaves of as many samples each, and every sum over
 * it is taken of sums of leaves, or of groups of leaves: tiles never reach from one into the
 * next, and what tiles there are depends on the batch alone. So processes that have some of the
 * leaves each come to the same sums, to the bit, as one that has all (comm/comm.h). */
#ifndef DLZ_GRAPH_BATCH_H
#define DLZ_GRAPH_BATCH_H

#include "comm/comm.h"

#include <stdbool.h>

typedef struct dlz_batch {
    int64_t all;      /* samples of the batch */
    int64_t first;    /* the first of them that is here */
    int leaves;       /* DLZ_LEAVES, or 1 where it cannot be cut */
    dlviz_comm *comm; /* NULL: all samples are here */
} dlz_batch;

/* Parameters whose gradient processes have computed some rows of each, and which they train each on
 * its own: those of a rank begin at ends[rank], counted in numbers. */
typedef struct dlz_spread {
    float *value, *gradient;
    int64_t ends[DLZ_LEAVES + 1];
} dlz_spread;

enum { DLZ_MOST_SPREAD = 16 };
typedef struct dlz_spreads {
    bool wanted; /* what takes the step can do with that */
    int count;
    dlz_spread all[DLZ_MOST_SPREAD];
} dlz_spreads;

/* A batch that is here as a whole. */
dlz_batch dlz_batch_here(int64_t n, bool gradients);

/* What a rank has of a batch that processes share; the whole batch, where it cannot be cut. Each
 * has one subtree of the leaves' tree, so that its sum is one node. There are no more than
 * DLZ_LEAVES ranks. */
dlz_batch dlz_batch_shared(int64_t n, dlviz_comm *comm, int64_t *own);
/* Whether so many groups can be shared among the ranks: each has some as a whole. */
bool dlz_batch_shares(const dlz_batch *batch, int64_t groups);
/* Where a rank's part of it begins, in leaves; that of the rank after the last is DLZ_LEAVES. */
int64_t dlz_batch_first_leaf(const dlz_batch *batch, int rank);

/* The samples of a rank: all, where they do not share the batch. */
dlz_share dlz_batch_share(const dlz_batch *batch, int rank);

/* How many samples a tile of several may have, about as many as are wanted: every leaf is a
 * multiple of it. */
int64_t dlz_batch_together(const dlz_batch *batch, int64_t wanted);
/* How many groups of samples a gradient is summed up in, about as many as are wanted: leaves, or
 * a power of two of them together. */
int64_t dlz_batch_groups(const dlz_batch *batch, int64_t wanted);
/* Of so many equal parts of the whole batch, how many its n samples here are. */
int64_t dlz_batch_part(const dlz_batch *batch, int64_t parts, int64_t n);
/* Of the n samples here, on which so many tiles work: how many equal parts of them, leaves or
 * groups of leaves, have whole tiles. */
int64_t dlz_batch_parts(const dlz_batch *batch, int64_t n, int64_t tiles);

/* Gives all processes that share the batch all parts of `array`, in which this one has filled
 * its own: of the whole batch's `parts`, of so many bytes each, which divide into leaves or are
 * groups of them. */
dlviz_status dlz_batch_gather(const dlz_batch *batch, void *array, int64_t parts, int64_t bytes);

/* Gives all processes all numbers of what is laid out as such a spread's parameters. */
dlviz_status dlz_spread_gather(const dlz_spread *spread, dlviz_comm *comm, float *numbers);

/* The sum of `count` arrays of `size` numbers, `stride` apart, by pairs: 0 + 1, 2 + 3, then
 * these. Uses the arrays up; `sum` may be the first of them. */
void dlz_sum_pairs(float *arrays, int64_t stride, int64_t count, int64_t size, int workers,
                   float *sum);

#endif
