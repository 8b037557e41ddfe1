#include "command.h"
#include "print.h"
#include "ranks.h"
#include "text.h"
#include "try.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MPI_LIBRARY "libdlviz-mpi.so.0"

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

static bool is_first_started(void) {
    static const char *const names[] = {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID"};
    if (launched() > 1)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
            const char *value = getenv(names[i]);
            if (value)
                return strtol(value, NULL, 10) == 0;
        }
    return true;
}

void let_first_speak(int status) {
    if (is_first_started())
        return;
    if (status != EXIT_DONE)
        sleep(1); /* before the launcher ends all */
    exit(status);
}

bool tells_failures(const dlviz_comm *comm) {
    static const char gone[] = "rank 0 has left";
    return dlviz_comm_rank(comm) == 0 || strncmp(dlviz_last_error(), gone, sizeof gone - 1) == 0;
}

static dlviz_status join(dlviz_comm **comm) {
    long processes = launched();
    if (processes <= 1)
        return DLVIZ_OK;
    library = dlopen(MPI_LIBRARY, RTLD_NOW | RTLD_GLOBAL);
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

bool join_ranks(const char **program, bool *quiet, dlviz_comm **comm) {
    static char name[64];
    *comm = NULL;
    if (join(comm) != DLVIZ_OK) {
        if (!is_first_started() && !library)
            sleep(1); /* likewise: where the first has failed, too, this is not reached */
        if (is_first_started() || !library)
            complain("%s: %s\n", *program, plain_error());
        leave_ranks(*comm);
        return false;
    }
    if (dlviz_comm_rank(*comm) == 0)
        return true;
    snprintf(name, sizeof name, "%.40s, rank %d", *program, (int)dlviz_comm_rank(*comm));
    *program = name;
    *quiet = true;
    return true;
}

dlviz_status hear_first(dlviz_comm *comm, bool *found) {
    dlviz_tensor *own, *all = NULL;
    if (!comm)
        return DLVIZ_OK;
    TRY(dlviz_tensor_create(&own, DLVIZ_INT64, 1, (int64_t[]){1}));
    *(int64_t *)dlviz_tensor_data(own) = *found;
    dlviz_status status = dlviz_comm_gather(comm, own, &all);
    if (status == DLVIZ_OK)
        *found = *(const int64_t *)dlviz_tensor_const_data(all) != 0;
    dlviz_tensor_destroy(own);
    dlviz_tensor_destroy(all);
    return status;
}

void leave_ranks(dlviz_comm *comm) {
    void (*end)(dlviz_comm *) = NULL;
    if (library)
        *(void **)&end = dlsym(library, "dlviz_mpi_end");
    if (end)
        end(comm);
}
