/* mpi/joined.h - training on what ranks have each a part of, over a real communicator. */
#ifndef TESTS_MPI_JOINED_H
#define TESTS_MPI_JOINED_H

#include <dlviz.h>

/* Trains by ranks that have each some samples, and alone with all of them: both must come to the
 * same network. */
dlviz_status joined_training(dlviz_comm *comm);

#endif
