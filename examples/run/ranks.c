#include "ranks.h"

#include <dlfcn.h>
#include <stdlib.h>

#ifndef RUN_MPI_LIBRARY
#define RUN_MPI_LIBRARY "libdlviz-mpi.so.0"
#endif

static void *library;

/* How many processes a launcher says that it has started; 1 where there is none. */
static long launched(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const char *value = getenv(names[i]);
        if (value)
            return strtol(value, NULL, 10);
    }
    return 1;
}

dlviz_status join_ranks(dlviz_comm **comm) {
    *comm = NULL;
    long processes = launched();
    if (processes <= 1)
        return DLVIZ_OK;
    library = dlopen(RUN_MPI_LIBRARY, RTLD_NOW | RTLD_GLOBAL);
    dlviz_status (*start)(dlviz_comm **) = NULL;
    if (library)
        *(void **)&start = dlsym(library, "dlviz_mpi_start");
    if (start)
        return start(comm);
    return dlviz_fail(
        DLVIZ_ERROR_UNSUPPORTED,
        "one of %ld processes that were started together, which needs libdlviz-mpi: %s", processes,
        dlerror());
}

void leave_ranks(dlviz_comm *comm) {
    void (*end)(dlviz_comm *) = NULL;
    if (library)
        *(void **)&end = dlsym(library, "dlviz_mpi_end");
    if (end)
        end(comm);
}
