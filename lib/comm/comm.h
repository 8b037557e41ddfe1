/* comm/comm.h - what ranks do together.
 *
 * Every call is made by all ranks in the same order. A communicator of NULL is one process
 * alone: all of this is then allowed and does nothing but what one rank has to do. A call fails
 * on all ranks if it fails on one: the others' sentence names that rank. After a failure nothing
 * more goes over the communicator, and each further call fails at once.
 *
 * Sums over a batch, or over rows, are taken along one tree: what is summed is cut into
 * DLZ_LEAVES leaves in order, of which ranks have runs; a leaf's own sum is taken by one rank in
 * order, and sums of leaves are added in pairs, 0 + 1, 2 + 3, then these. So the bits do not
 * depend on how many ranks there are. A leaf that has nothing to sum is left out: its sibling
 * goes up as it is. */
#ifndef DLZ_COMM_H
#define DLZ_COMM_H

#include <dlviz/comm.h>

#define DLZ_LEAVES 8

typedef struct dlz_share {
    int64_t first, count;
} dlz_share;

int dlz_comm_rank(const dlviz_comm *comm);
int dlz_comm_size(const dlviz_comm *comm);
dlviz_comm *dlz_comm_hold(dlviz_comm *comm);

/* The leaves of a rank, out of DLZ_LEAVES; with more ranks than leaves, some have none. */
dlz_share dlz_comm_leaves(const dlviz_comm *comm, int rank);
/* Of `count` things cut into leaves (leaf l begins at count * l / DLZ_LEAVES): a leaf, and what a
 * rank has. */
dlz_share dlz_leaf(int64_t count, int leaf);
dlz_share dlz_comm_share(const dlviz_comm *comm, int rank, int64_t count);
/* Of `count` things that are no sum's: evenly, whatever the leaves. */
dlz_share dlz_comm_even_share(const dlviz_comm *comm, int rank, int64_t count);

/* Gives all ranks all of `data`, in which each has filled its own piece: rank r's is from
 * offsets[r] to offsets[r + 1], in bytes. */
dlviz_status dlz_comm_gather_pieces(dlviz_comm *comm, void *data, const int64_t *offsets);
/* The same for `count` things of `size` bytes, of which each rank has its even share. */
dlviz_status dlz_comm_gather_even(dlviz_comm *comm, void *data, int64_t count, size_t size);
/* Gives each other rank a piece of its own, rank r the one from sent_offsets[r] to sent_offsets[r + 1],
 * in bytes, and receives theirs likewise. This rank's own pieces are not looked at. */
dlviz_status dlz_comm_trade_pieces(dlviz_comm *comm, const void *sent, const int64_t *sent_offsets,
                                   void *received, const int64_t *received_offsets);
/* The same, going on while other work is done, one at a time: pieces and offsets are left alone until
 * dlz_comm_trade_finish, which is given the same offsets, has waited for all of them. */
dlviz_status dlz_comm_trade_begin(dlviz_comm *comm, const void *sent, const int64_t *sent_offsets,
                                  void *received, const int64_t *received_offsets);
dlviz_status dlz_comm_trade_finish(dlviz_comm *comm, const int64_t *sent_offsets,
                                   const int64_t *received_offsets);
/* A number of each rank's: all[rank]. */
dlviz_status dlz_comm_gather_numbers(dlviz_comm *comm, int64_t own, int64_t *all);
/* Rank 0's bytes for all. */
dlviz_status dlz_comm_broadcast(dlviz_comm *comm, void *data, size_t size);
/* DLVIZ_OK if that is every rank's status; else this rank's own, or DLVIZ_ERROR_COMM with the
 * sentence of the lowest rank that failed, or DLVIZ_CANCELLED where none failed but one cancelled.
 * The communicator stays usable. */
dlviz_status dlz_comm_agree(dlviz_comm *comm, dlviz_status own);
/* Fails, on all ranks with DLVIZ_ERROR_INVALID_ARGUMENT, unless all have the same text: naming
 * `what`, the lowest rank that differs from rank 0, and both texts about where they do. The
 * communicator stays usable. */
dlviz_status dlz_comm_require_same(dlviz_comm *comm, const char *who, const char *what,
                                   const char *text);
/* Tells the others that this rank goes no further, with its status and dlviz_last_error();
 * returns the status. To be called where a rank fails alone amid work that others wait for;
 * leaves and sums in the background are free then. DLVIZ_OK does nothing, and neither does a
 * second failure. */
dlviz_status dlz_comm_fail(dlviz_comm *comm, dlviz_status status);

/* -- sum.c: the tree ------------------------------------------------------------------------------
 */

/* Sums `size` numbers of each leaf. leaves: this rank's, one after the other, `stride` numbers
 * apart, of which the first `present` of all DLZ_LEAVES leaves have something to sum. Uses them
 * up. *sum, of `size` numbers, may be the first leaf. */
dlviz_status dlz_comm_sum_floats(dlviz_comm *comm, float *leaves, int64_t stride, int64_t size,
                                 int present, float *sum);
dlviz_status dlz_comm_sum_doubles(dlviz_comm *comm, double *leaves, int64_t stride, int64_t size,
                                  int present, double *sum);

/* Of numbers of which each rank has one node of the tree: of ranks 0 … n − 1, the first half,
 * and one more where n is odd, have the nodes of the root's first half, and so on. Takes the
 * node's place. It goes on while other work is done: begun in the same order on all ranks, with
 * the node left alone until dlz_comm_sums_finish, which waits for all that were begun.
 * dlz_comm_progress lets them go on; to be called now and then. At most 256 at a time, which this
 * waits for. Where ranks are no power of two, it is done when this returns. */
dlviz_status dlz_comm_sum_node(dlviz_comm *comm, float *node, int64_t size);
dlviz_status dlz_comm_progress(dlviz_comm *comm);
dlviz_status dlz_comm_sums_finish(dlviz_comm *comm);

#endif
