/* Programs that leave MPI to the library: whether a launcher started them, and the way out. */
#include <dlviz/mpi.h>

#include "base/cancel.h"
#include "mpi/link.h"

#include <limits.h>
#include <stdlib.h>

/* For the others, after a failure. Seconds. */
#define LAST_WAIT 5

static bool initialized_here;

/* -- The environment ------------------------------------------------------------------------------
 */

/* What launchers tell a process: how many there are, or that it is one of some. */
static const char *const sizes[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"};
static const char *const marks[] = {"PMIX_RANK", "PMI_RANK", "PMI_FD"};

/* How many processes were started; 1 if that is not told, 0 if this one was started alone. */
static int count_started(void) {
    int started = 0;
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
        if (getenv(marks[i]))
            started = 1;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        const char *text = getenv(sizes[i]);
        long number = text ? strtol(text, NULL, 10) : 0;
        if (number > started && number <= INT_MAX)
            started = (int)number;
    }
    return started;
}

/* -- In and out -----------------------------------------------------------------------------------
 */

static dlviz_status initialize(void) {
    int initialized = 0, finalized = 0, level = 0;
    DLZ_MPI_TRY("MPI_Finalized", MPI_Finalized(&finalized));
    if (finalized)
        return dlviz_fail(DLVIZ_ERROR_STATE, "dlviz_mpi_start: MPI is finalized");
    DLZ_MPI_TRY("MPI_Initialized", MPI_Initialized(&initialized));
    if (initialized)
        return DLVIZ_OK;
    DLZ_MPI_TRY("MPI_Init_thread", MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level));
    initialized_here = true;
    DLZ_MPI_TRY("MPI_Comm_set_errhandler",
                MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN));
    return DLVIZ_OK;
}

static dlviz_status check_size(int started, int *size) {
    DLZ_MPI_TRY("MPI_Comm_size", MPI_Comm_size(MPI_COMM_WORLD, size));
    if (*size > 1 || started == 1)
        return DLVIZ_OK;
    return dlviz_fail(DLVIZ_ERROR_STATE,
                      "dlviz_mpi_start: this is one of %d processes, but the MPI that libdlviz-mpi "
                      "was built with sees this one alone: start it with that MPI's own launcher",
                      started);
}

dlviz_status dlviz_mpi_start(dlviz_comm **out) {
    if (!out)
        return dlviz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_mpi_start: 'out' is NULL");
    *out = NULL;
    DLZ_NOT_CANCELLED;
    int started = count_started(), size = 1;
    if (started == 0)
        return DLVIZ_OK;
    dlviz_status status = initialize();
    if (status == DLVIZ_OK)
        status = check_size(started, &size);
    return status == DLVIZ_OK && size > 1 ? dlviz_mpi_comm_create(out, MPI_COMM_WORLD) : status;
}

/* Whether all others come here too. */
static bool meet(void) {
    MPI_Request request;
    int met = 0;
    dlz_mpi_wait wait = dlz_mpi_wait_begin(0, true);
    if (MPI_Ibarrier(MPI_COMM_WORLD, &request) != MPI_SUCCESS)
        return false;
    while (dlz_mpi_wait_more(&wait) < LAST_WAIT) {
        if (MPI_Test(&request, &met, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return false;
        if (met)
            return true;
    }
    return false;
}

void dlviz_mpi_end(dlviz_comm *comm) {
    DLZ_NOT_CANCELLED;
    int finalized = 0;
    dlviz_comm_destroy(comm);
    if (!initialized_here || MPI_Finalized(&finalized) != MPI_SUCCESS || finalized)
        return;
    if (dlz_mpi_in_trouble() && !dlz_mpi_is_finalizing() && !meet())
        MPI_Abort(MPI_COMM_WORLD, 1);
    MPI_Finalize();
}
