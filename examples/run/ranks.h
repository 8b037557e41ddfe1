/* ranks.h - the same program on many processes, when mpirun has started it. */
#ifndef RUN_RANKS_H
#define RUN_RANKS_H

#include <dlviz.h>

/* Where mpirun, mpiexec or srun has started several processes, joins them: *comm is NULL where
 * there is one. libdlviz-mpi is loaded then and only then. */
dlviz_status join_ranks(dlviz_comm **comm);
/* To be called once, at the end, whatever has happened. */
void leave_ranks(dlviz_comm *comm);

#endif
