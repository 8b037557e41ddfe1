/* Each rank gives each other one notice: that it has failed, or else, at the end, that it leaves. */
#include "mpi/link.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

static atomic_bool finalizing;

bool dlz_mpi_is_finalizing(void) {
    return atomic_load(&finalizing);
}

void dlz_mpi_say(dlz_mpi_link *link, char kind, const char *sentence) {
    if (link->said)
        return;
    link->said = true;
    link->notice[0] = kind;
    snprintf(link->notice + 1, DLZ_MPI_NOTICE_SIZE - 1, "%s", sentence);
    int size = 2 + (int)strlen(link->notice + 1);
    for (int rank = 0; rank < link->size; rank++) {
        link->sent[rank] = MPI_REQUEST_NULL;
        if (rank != link->rank && MPI_Isend(link->notice, size, MPI_BYTE, rank, 0, link->notices,
                                            &link->sent[rank]) != MPI_SUCCESS)
            link->stuck = true;
    }
}

static dlviz_status hear_one(dlz_mpi_link *link, int rank) {
    char notice[DLZ_MPI_NOTICE_SIZE] = "";
    DLZ_MPI_TRY_ON(
        link, "MPI_Recv",
        MPI_Recv(notice, sizeof notice - 1, MPI_BYTE, rank, 0, link->notices, MPI_STATUS_IGNORE));
    link->num_gone += !link->gone[rank];
    link->gone[rank] = true;
    if (notice[0] == DLZ_MPI_FINALIZES)
        atomic_store(&finalizing, true);
    if (notice[0] != DLZ_MPI_FAILED || link->told)
        return DLVIZ_OK;
    link->told = true;
    memcpy(link->sentence, notice + 1, sizeof notice - 1);
    return DLVIZ_OK;
}

dlviz_status dlz_mpi_hear(dlz_mpi_link *link) {
    for (int found = 1; found;) {
        MPI_Status status;
        DLZ_MPI_TRY_ON(link, "MPI_Iprobe",
                       MPI_Iprobe(MPI_ANY_SOURCE, 0, link->notices, &found, &status));
        if (found && hear_one(link, status.MPI_SOURCE) != DLVIZ_OK)
            return DLVIZ_ERROR_COMM;
    }
    return link->told ? dlviz_fail(DLVIZ_ERROR_COMM, "%s", link->sentence) : DLVIZ_OK;
}

/* Whether this rank's notices are on their way without it. */
static bool are_sent(dlz_mpi_link *link, bool *failed) {
    int sent = 1;
    for (int rank = 0; rank < link->size && sent && !*failed; rank++)
        *failed = MPI_Test(&link->sent[rank], &sent, MPI_STATUS_IGNORE) != MPI_SUCCESS;
    return sent;
}

bool dlz_mpi_hear_all(dlz_mpi_link *link, double seconds) {
    dlz_mpi_wait wait = dlz_mpi_wait_begin(0, true);
    for (bool failed = false;;) {
        bool sent = are_sent(link, &failed);
        (void)!dlz_mpi_hear(link);
        if (failed || (sent && link->num_gone == link->size - 1))
            return !failed;
        double waited = dlz_mpi_wait_more(&wait);
        if (seconds >= 0 && waited > seconds)
            return false;
    }
}
