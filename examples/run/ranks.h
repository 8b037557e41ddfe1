/* ranks.h - the same program on many processes, when mpirun has started it. */
#ifndef RUN_RANKS_H
#define RUN_RANKS_H

#include <dlviz.h>

#include <stdbool.h>

/* Where mpirun, mpiexec or srun has started several processes, joins them: *comm is NULL where
 * there is one. libdlviz-mpi is loaded then and only then. Those other than the first are quiet, and
 * have their rank in their name. False where that fails, which has been said. */
bool join_ranks(const char **program, bool *quiet, dlviz_comm **comm);
/* What all processes that were started together find alike before they have joined, as a word too
 * many, the first of them says: ends the others with that status, once it has had the time to. */
void let_first_speak(int status);
/* Whether this process says what dlviz_last_error() tells: the first one, which hears of what
 * happens to any; or another where the first has left. */
bool tells_failures(const dlviz_comm *comm);
/* Gives all processes what the first one has found. */
dlviz_status hear_first(dlviz_comm *comm, bool *found);
/* To be called once, at the end, whatever has happened. */
void leave_ranks(dlviz_comm *comm);

#endif
