/* dlviz/comm.h - several processes, on one machine or on many, that work on one thing.
 *
 * A communicator joins ranks 0 … num_ranks − 1. Each rank runs the same program and makes the same
 * calls in the same order with the same settings; what is handed a communicator shares its work out
 * among them, and gives every rank the same results, to the bit, as one process alone does.
 * Where ranks make different calls, or have other settings or another library - its version, its
 * instruction set, or the compiler it was made by - the call fails with
 * DLVIZ_ERROR_INVALID_ARGUMENT on all ranks, and says what differs. What one rank is refused for,
 * as a handle in use, fails on the others with DLVIZ_ERROR_COMM and its sentence; after either,
 * the communicator can be used as before.
 * <dlviz/mpi.h>, a library of its own, makes one of an MPI communicator. */
#ifndef DLVIZ_COMM_H
#define DLVIZ_COMM_H

#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What joins this process to others that work with it. It is used by one thread at a time, and by
 *  whatever it was handed to, which holds it: destroying it early is harmless. */
typedef struct dlviz_comm dlviz_comm;

/** How exchanges in flight are told apart: by a number below this. */
#define DLVIZ_COMM_NUM_SLOTS 64

/** What a communicator is made of. Write it with designated initializers, so that what a later
 *  version adds is 0. The functions are called by one thread at a time. A status other than
 *  DLVIZ_OK, explained by dlviz_fail, ends the work on this rank. */
typedef struct dlviz_comm_functions {
    /** sizeof(dlviz_comm_functions): tells the library which version of the table it is. */
    size_t struct_size;
    /** Starts an exchange with another rank: sends it `send_size` bytes and receives
     *  `receive_size` from it, of which either may be 0, and both buffers stay until it is
     *  finished. The peer starts one with the sizes the other way round and the same slot, perhaps
     *  at another time and amid other exchanges; slots are matched, not the order of the calls.
     *  Must not wait for the peer. */
    dlviz_status (*start)(int64_t slot, int64_t peer, const void *send, size_t send_size,
                          void *receive, size_t receive_size, void *user);
    /** Asks whether the exchange of this slot is finished, which frees the slot, and lets all that
     *  are in flight go on. With `wait` it returns when it is finished, or when another rank has
     *  told of its failure: that rank's sentence is then this one's. */
    dlviz_status (*finish)(int64_t slot, bool wait, bool *finished, void *user);
    /** Tells all other ranks, whatever they are waiting for, that this one has failed and takes
     *  part in nothing more, and gives up what is in flight: when it returns, the buffers are used
     *  no longer. Must not wait for the others. Called once, after any failure, also after one that
     *  another rank has told of. */
    void (*fail)(const char *sentence, void *user);
    /** Optional: called once when the communicator is destroyed. */
    void (*destroy)(void *user);
} dlviz_comm_functions;

/** Makes a communicator of functions.
 *  @param out        receives it, NULL on failure; free it with dlviz_comm_destroy
 *  @param rank       which of the ranks this process is, 0 … num_ranks − 1
 *  @param num_ranks  1 to 4096
 *  @param functions  copied. A table that is smaller than this version's is one of an earlier
 *                    version; one that is larger is refused unless all that this version does not
 *                    know is 0.
 *  @param user       handed to all functions; the communicator's from now on, also when this fails,
 *                    unless `functions` cannot be read
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_comm_create(dlviz_comm **out, int64_t rank, int64_t num_ranks,
                                             const dlviz_comm_functions *functions, void *user);
/** Destroys a communicator, once nothing uses it any more. NULL is allowed. */
DLVIZ_API void dlviz_comm_destroy(dlviz_comm *comm);

/** Which rank this process is; 0 for NULL. */
DLVIZ_API int64_t dlviz_comm_rank(const dlviz_comm *comm);
/** How many there are; 1 for NULL, which stands for one process alone wherever a communicator may
 *  be given. */
DLVIZ_API int64_t dlviz_comm_num_ranks(const dlviz_comm *comm);

/** Which of so many rows are this rank's, when they are spread over the ranks: `count` of them from
 *  `first` on. What is spread that way gives the bits of one process. Either pointer may be
 *  NULL. */
DLVIZ_API void dlviz_comm_share(const dlviz_comm *comm, int64_t num_rows, int64_t *first,
                                int64_t *count);
/** Joins what each rank has of a tensor along its first dimension, in the order of ranks; to be
 *  called by all of them.
 *  @param own  this rank's part; the other dimensions and the dtype are the same on all ranks
 *  @param all  receives the whole, the same on all ranks, the caller's to destroy
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_OUT_OF_MEMORY, or
 *  DLVIZ_ERROR_COMM (a rank failed, or cannot be reached), on all ranks if on one. */
DLVIZ_CHECKED dlviz_status dlviz_comm_gather(dlviz_comm *comm, const dlviz_tensor *own,
                                             dlviz_tensor **all);
/** Waits until all ranks have come here, and tells each how the others fare: where a rank comes
 *  with a status other than DLVIZ_OK, and its sentence in dlviz_last_error(), all others return
 *  DLVIZ_ERROR_COMM, naming that rank and what it said; where none fails and one comes with
 *  DLVIZ_CANCELLED, they return that. The rank itself gets its own status back. */
DLVIZ_CHECKED dlviz_status dlviz_comm_agree(dlviz_comm *comm, dlviz_status status);

#ifdef __cplusplus
}
#endif

#endif
