/* dlviz/mpi.h - the communicator of a program that MPI's mpirun, mpiexec or srun has started.
 *
 * This is a library of its own, libdlviz-mpi, for which pkg-config knows the name dlviz-mpi, and
 * <dlviz.h> does not include it. A program that also runs alone needs no more than
 *
 *     dlviz_comm *comm;
 *     dlviz_status status = dlviz_mpi_start(&comm);
 *     ... what takes a communicator gets this one, which is NULL where there is one process ...
 *     if (status != DLVIZ_OK)
 *         fprintf(stderr, "%s\n", dlviz_last_error());
 *     dlviz_mpi_end(comm);
 */
#ifndef DLVIZ_MPI_H
#define DLVIZ_MPI_H

#include <dlviz/comm.h>

#include <mpi.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Makes a communicator of MPI's, of which it uses two duplicates; to be called by all its ranks,
 *  as is dlviz_comm_destroy, which waits for them. MPI must be initialized, and finalized after
 *  that: where one rank finalizes it before, the others' next wait for it fails.
 *  @param out       receives it, NULL on failure
 *  @param mpi_comm  an intracommunicator of up to 4096 ranks, which stays the caller's
 *  The library computes with several threads, of which one calls MPI: so MPI_THREAD_FUNNELED is
 *  needed, and then this and all that is handed the communicator is called on the main thread; from
 *  MPI_THREAD_SERIALIZED on, on any.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (MPI is not ready, or offers fewer
 *  threads), DLVIZ_ERROR_OUT_OF_MEMORY or DLVIZ_ERROR_COMM, on all ranks if on one; but on that rank
 *  alone where it cannot ask the others: MPI is not ready, the thread may not call it, or `mpi_comm`
 *  is no intracommunicator. */
DLVIZ_CHECKED dlviz_status dlviz_mpi_comm_create(dlviz_comm **out, MPI_Comm mpi_comm);

/** For programs that do nothing else with MPI. Where an MPI launcher has started this process, as
 *  its environment tells (Open MPI's, PMI of MPICH, Intel and others, PMIx of Slurm), initializes
 *  MPI if nobody has, and makes the communicator of all ranks; to be called on the main thread.
 *  @param out  receives it; NULL on failure, and where there is one process, which is no failure:
 *              MPI is left alone where no launcher started it
 *  Returns as dlviz_mpi_comm_create, and DLVIZ_ERROR_STATE when the launcher is that of another MPI
 *  than the library was built with. */
DLVIZ_CHECKED dlviz_status dlviz_mpi_start(dlviz_comm **out);
/** Destroys the communicator, and finalizes MPI if dlviz_mpi_start initialized it; to be called
 *  once, at the end, by all ranks, whatever has happened, and after all that was handed the
 *  communicator is destroyed. After a failure it waits for the others for five seconds at most, and
 *  then ends all that are left by MPI_Abort. NULL is allowed. */
DLVIZ_API void dlviz_mpi_end(dlviz_comm *comm);

#ifdef __cplusplus
}
#endif
#endif
