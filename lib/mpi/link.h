/* mpi/link.h - an MPI communicator as a dlviz_comm has it: exchanges by slot, and notices, by which a
 * rank tells all others that it has failed, or that it leaves. */
#ifndef DLZ_MPI_LINK_H
#define DLZ_MPI_LINK_H

#include <dlviz/comm.h>

#include <mpi.h>
#include <pthread.h>

/* The bytes of a message; longer ones are cut into whole blocks and a rest. */
#ifndef DLZ_MPI_LONGEST
#define DLZ_MPI_LONGEST 0x40000000
#endif

/* A notice: what it is, and the sentence of a failure. */
#define DLZ_MPI_NOTICE_SIZE 1056
enum { DLZ_MPI_LEAVES = 'L', DLZ_MPI_FAILED = 'F', DLZ_MPI_FINALIZES = 'Z' };

/* Both ways, blocks and rest. */
#define DLZ_MPI_PARTS 4

typedef struct dlz_mpi_exchange {
    bool active;
    int peer;
    int num;                             /* messages */
    MPI_Request requests[DLZ_MPI_PARTS]; /* those received come first */
    int num_received;
    MPI_Datatype types[DLZ_MPI_PARTS];
    int counts[DLZ_MPI_PARTS];
    size_t bytes;
} dlz_mpi_exchange;

typedef struct dlz_mpi_link {
    MPI_Comm data, notices;
    MPI_Datatype block;
    int rank, size;
    bool crowded;    /* this machine has more of the ranks than processors for them */
    bool one_thread; /* of MPI_THREAD_FUNNELED: calls come from this one */
    pthread_t thread;
    dlz_mpi_exchange exchanges[DLVIZ_COMM_NUM_SLOTS];
    uint64_t polls; /* of what is not waited for */
    bool complete;  /* all ranks have theirs, so that it is destroyed together */
    bool ended;     /* nothing more is exchanged */
    bool told;      /* another rank has failed: its sentence is that below */
    bool stuck;     /* messages are left that will not go */
    bool said;      /* this rank's notices are on their way */
    char sentence[DLZ_MPI_NOTICE_SIZE];
    char notice[DLZ_MPI_NOTICE_SIZE];
    MPI_Request *sent; /* one for each rank */
    bool *gone;        /* ranks whose notice is here */
    int num_gone;
    int key; /* of the attribute by which MPI_Finalize is noticed */
    bool finalized;
} dlz_mpi_link;

/* DLVIZ_OK for MPI_SUCCESS; else fails with what MPI calls it. */
dlviz_status dlz_mpi_result(const char *function, int code);
/* The same where other ranks learn of it, who are told which rank it was. */
dlviz_status dlz_mpi_result_on(const dlz_mpi_link *link, const char *function, int code);
#define DLZ_MPI_TRY_RESULT(result)                                                                 \
    do {                                                                                           \
        dlviz_status dlz_mpi_status_ = result;                                                     \
        if (dlz_mpi_status_ != DLVIZ_OK)                                                           \
            return dlz_mpi_status_;                                                                \
    } while (0)
#define DLZ_MPI_TRY(function, call) DLZ_MPI_TRY_RESULT(dlz_mpi_result(function, call))
#define DLZ_MPI_TRY_ON(link, function, call)                                                       \
    DLZ_MPI_TRY_RESULT(dlz_mpi_result_on(link, function, call))
double dlz_mpi_seconds(void);

/* -- notices.c ------------------------------------------------------------------------------------
 */

/* Sends one notice to each other rank. */
void dlz_mpi_say(dlz_mpi_link *link, char kind, const char *sentence);
/* Takes the notices that have come; fails when one tells of a failure. */
dlviz_status dlz_mpi_hear(dlz_mpi_link *link);
/* Waits until all others have given notice, for ever if `seconds` is negative; false when some have not, or
 * this rank's were not taken. */
bool dlz_mpi_hear_all(dlz_mpi_link *link, double seconds);

/* -- finalize.c -----------------------------------------------------------------------------------
 */

/* From now on MPI_Finalize, where a program calls it first, gives notice that this rank leaves. */
dlviz_status dlz_mpi_watch(dlz_mpi_link *link);
void dlz_mpi_unwatch(dlz_mpi_link *link);

/* -- wait.c ---------------------------------------------------------------------------------------
 */

/* Somebody who waits: looks again and again, leaves the processor to others between, and sleeps for
 * a small part of the time when it gets long. */
typedef struct dlz_mpi_wait {
    double begin, waited, spin, patience; /* seconds */
    uint64_t looks;
} dlz_mpi_wait;

/* bytes: what has to come, which takes its time. crowded: there are more ranks than processors. */
dlz_mpi_wait dlz_mpi_wait_begin(size_t bytes, bool crowded);
/* To be called after each look in vain. Returns the seconds that it has been. */
double dlz_mpi_wait_more(dlz_mpi_wait *wait);

/* -- link.c ---------------------------------------------------------------------------------------
 */

extern const dlviz_comm_functions dlz_mpi_functions;

/* Whether any communicator has failed, so that ranks may be missing. */
bool dlz_mpi_in_trouble(void);
/* Whether a rank is finalizing MPI, which waits for the others and does nothing else with them. */
bool dlz_mpi_is_finalizing(void);

#endif
