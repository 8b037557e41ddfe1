/* Made of an MPI communicator. */
#include <dlviz/mpi.h>

#include "base/cancel.h"
#include "mpi/link.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* What forbids to ask the other ranks. */
static dlviz_status check_mpi(int *level) {
    int initialized = 0, finalized = 0, is_main = 0;
    DLZ_MPI_TRY("MPI_Initialized", MPI_Initialized(&initialized));
    DLZ_MPI_TRY("MPI_Finalized", MPI_Finalized(&finalized));
    if (!initialized || finalized)
        return dlviz_fail(DLVIZ_ERROR_STATE, "dlviz_mpi_comm_create: MPI is %s",
                          finalized ? "finalized" : "not initialized");
    DLZ_MPI_TRY("MPI_Query_thread", MPI_Query_thread(level));
    DLZ_MPI_TRY("MPI_Is_thread_main", MPI_Is_thread_main(&is_main));
    if (*level < MPI_THREAD_SERIALIZED && !is_main)
        return dlviz_fail(
            DLVIZ_ERROR_STATE,
            "dlviz_mpi_comm_create: MPI was initialized with %s; with it, the main thread is "
            "accepted",
            *level < MPI_THREAD_FUNNELED ? "MPI_THREAD_SINGLE" : "MPI_THREAD_FUNNELED");
    return DLVIZ_OK;
}

static dlviz_status check_comm(MPI_Comm mpi_comm) {
    int is_inter = 0;
    if (mpi_comm == MPI_COMM_NULL)
        return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                          "dlviz_mpi_comm_create: 'mpi_comm' is MPI_COMM_NULL");
    DLZ_MPI_TRY("MPI_Comm_test_inter", MPI_Comm_test_inter(mpi_comm, &is_inter));
    if (is_inter)
        return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                          "dlviz_mpi_comm_create: 'mpi_comm' is an intercommunicator; an "
                          "intracommunicator is accepted");
    return DLVIZ_OK;
}

static dlviz_status duplicate(MPI_Comm mpi_comm, MPI_Comm *copy) {
    DLZ_MPI_TRY("MPI_Comm_dup", MPI_Comm_dup(mpi_comm, copy));
    DLZ_MPI_TRY("MPI_Comm_set_errhandler", MPI_Comm_set_errhandler(*copy, MPI_ERRORS_RETURN));
    return DLVIZ_OK;
}

/* Whether ranks share processors: those that any rank of this machine may run on are counted. */
static dlviz_status count_processors(dlz_mpi_link *link, MPI_Comm mpi_comm) {
    MPI_Comm here;
    cpu_set_t own, all;
    int num_here = 1;
    CPU_ZERO(&own);
    if (sched_getaffinity(0, sizeof own, &own) != 0)
        CPU_SET(0, &own);
    DLZ_MPI_TRY("MPI_Comm_split_type",
                MPI_Comm_split_type(mpi_comm, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here));
    int code = MPI_Allreduce(&own, &all, (int)sizeof own, MPI_BYTE, MPI_BOR, here);
    MPI_Comm_size(here, &num_here);
    MPI_Comm_free(&here);
    DLZ_MPI_TRY("MPI_Allreduce", code);
    link->crowded = num_here > CPU_COUNT(&all);
    return DLVIZ_OK;
}

static dlviz_status fill(dlz_mpi_link *link, MPI_Comm mpi_comm) {
    DLZ_MPI_TRY("MPI_Comm_rank", MPI_Comm_rank(mpi_comm, &link->rank));
    DLZ_MPI_TRY("MPI_Comm_size", MPI_Comm_size(mpi_comm, &link->size));
    DLZ_MPI_TRY("MPI_Type_contiguous",
                MPI_Type_contiguous(DLZ_MPI_LONGEST, MPI_BYTE, &link->block));
    DLZ_MPI_TRY("MPI_Type_commit", MPI_Type_commit(&link->block));
    link->sent = calloc((size_t)link->size, sizeof *link->sent);
    link->gone = calloc((size_t)link->size, sizeof *link->gone);
    if (!link->sent || !link->gone)
        return dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory: the state of %d ranks",
                          link->size);
    return DLVIZ_OK;
}

static void release(dlz_mpi_link *link) {
    if (!link)
        return;
    link->said = true; /* there is nobody to be told */
    dlz_mpi_unwatch(link);
    if (link->data != MPI_COMM_NULL)
        MPI_Comm_free(&link->data);
    if (link->notices != MPI_COMM_NULL)
        MPI_Comm_free(&link->notices);
    if (link->block != MPI_DATATYPE_NULL)
        MPI_Type_free(&link->block);
    free(link->sent);
    free(link->gone);
    free(link);
}

static dlz_mpi_link *create_link(int level) {
    dlz_mpi_link *link = calloc(1, sizeof *link);
    if (!link)
        return NULL;
    link->data = link->notices = MPI_COMM_NULL;
    link->block = MPI_DATATYPE_NULL;
    link->key = MPI_KEYVAL_INVALID;
    link->one_thread = level == MPI_THREAD_FUNNELED;
    link->thread = pthread_self();
    return link;
}

/* The lowest rank that has failed, whose sentence is then that of all. */
static dlviz_status find_failure(MPI_Comm mpi_comm, bool failed, int *first,
                                 char sentence[DLZ_MPI_NOTICE_SIZE]) {
    int rank = 0, size = 1;
    snprintf(sentence, DLZ_MPI_NOTICE_SIZE, "%s", dlviz_last_error());
    DLZ_MPI_TRY("MPI_Comm_rank", MPI_Comm_rank(mpi_comm, &rank));
    DLZ_MPI_TRY("MPI_Comm_size", MPI_Comm_size(mpi_comm, &size));
    *first = failed ? rank : size;
    DLZ_MPI_TRY("MPI_Allreduce", MPI_Allreduce(MPI_IN_PLACE, first, 1, MPI_INT, MPI_MIN, mpi_comm));
    if (*first == size) {
        *first = -1;
        return DLVIZ_OK;
    }
    DLZ_MPI_TRY("MPI_Bcast", MPI_Bcast(sentence, DLZ_MPI_NOTICE_SIZE, MPI_CHAR, *first, mpi_comm));
    return DLVIZ_OK;
}

/* Goes on where all ranks can. */
static dlviz_status agree(MPI_Comm mpi_comm, dlviz_status own) {
    char own_sentence[DLZ_MPI_NOTICE_SIZE], sentence[DLZ_MPI_NOTICE_SIZE];
    int first = -1;
    snprintf(own_sentence, sizeof own_sentence, "%s", dlviz_last_error());
    dlviz_status status = find_failure(mpi_comm, own != DLVIZ_OK, &first, sentence);
    if (own != DLVIZ_OK)
        return dlviz_fail(own, "%s", own_sentence);
    if (status != DLVIZ_OK || first < 0)
        return status;
    return dlviz_fail(DLVIZ_ERROR_COMM, "rank %d failed: %s", first, sentence);
}

/* What a rank may be refused for alone. */
static dlviz_status prepare(dlviz_comm **out, MPI_Comm mpi_comm, int level, dlz_mpi_link *link) {
    if (!out)
        return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_mpi_comm_create: 'out' is NULL");
    if (level < MPI_THREAD_FUNNELED)
        return dlviz_fail(DLVIZ_ERROR_STATE,
                          "dlviz_mpi_comm_create: MPI was initialized with MPI_THREAD_SINGLE; "
                          "MPI_Init_thread with MPI_THREAD_FUNNELED or more is accepted");
    if (!link)
        return dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory: %zu bytes for a communicator",
                          sizeof *link);
    return fill(link, mpi_comm);
}

static dlviz_status create(dlviz_comm **out, MPI_Comm mpi_comm, int level, dlz_mpi_link *link) {
    dlviz_status status = prepare(out, mpi_comm, level, link);
    status = agree(mpi_comm, status);
    if (status != DLVIZ_OK)
        return status;
    status = duplicate(mpi_comm, &link->data);
    if (status == DLVIZ_OK)
        status = duplicate(mpi_comm, &link->notices);
    if (status == DLVIZ_OK)
        status = count_processors(link, mpi_comm);
    if (status == DLVIZ_OK)
        status = dlz_mpi_watch(link);
    if (status == DLVIZ_OK)
        status = dlviz_comm_create(out, link->rank, link->size, &dlz_mpi_functions, link);
    status = agree(mpi_comm, status);
    link->complete = status == DLVIZ_OK;
    return status;
}

dlviz_status dlviz_mpi_comm_create(dlviz_comm **out, MPI_Comm mpi_comm) {
    if (out)
        *out = NULL;
    DLZ_NOT_CANCELLED;
    int level = 0;
    dlviz_status status = check_mpi(&level);
    if (status == DLVIZ_OK)
        status = check_comm(mpi_comm);
    if (status != DLVIZ_OK)
        return status;
    dlz_mpi_link *link = create_link(level);
    status = create(out, mpi_comm, level, link);
    if (status != DLVIZ_OK) {
        if (out) {
            dlviz_comm_destroy(*out);
            *out = NULL;
        }
        release(link);
    }
    return status;
}
