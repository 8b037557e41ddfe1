#include "blas.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#define VARIABLE "OPENBLAS_NUM_THREADS"

void do_without_blas_threads(char **argv) {
    struct rlimit space;
    if (getenv(VARIABLE) || getrlimit(RLIMIT_AS, &space) != 0 || space.rlim_cur == RLIM_INFINITY)
        return;
    if (setenv(VARIABLE, "1", 1) == 0)
        execv("/proc/self/exe", argv); /* else the program goes on as it is */
}
