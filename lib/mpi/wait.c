/* Waiting for a message. MPI has to be asked, for it moves messages only then; but ranks, and their
 * threads, may be more than processors, and who asks without pause takes the time of those that are waited for.
 * Who is back at once after giving the processor away is given it again and again, in the end half
 * of the time; so a long wait is slept through, in naps of a small part of it. */
#include "mpi/link.h"

#include <sched.h>
#include <time.h>

#define LOOKS 64       /* before the processor is given away for the first time */
#define CLOCK_EVERY 16 /* looks between those at the clock */
#define PATIENCE 1e-3  /* seconds before the first nap */
#define PART 0.05      /* of the time waited, a nap's */
#define LONGEST_NAP 2e-4
#define SLOWEST 1e9 /* bytes in a second, while which nobody sleeps */

double dlz_mpi_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

dlz_mpi_wait dlz_mpi_wait_begin(size_t bytes) {
    return (dlz_mpi_wait){.patience = PATIENCE + (double)bytes / SLOWEST};
}

static void nap(double seconds) {
    struct timespec length = {0, (long)(1e9 * seconds)};
    nanosleep(&length, NULL);
}

double dlz_mpi_wait_more(dlz_mpi_wait *wait) {
    if (++wait->looks < LOOKS)
        return 0;
    if (wait->looks == LOOKS)
        wait->begin = dlz_mpi_seconds();
    sched_yield();
    if (wait->looks % CLOCK_EVERY != 0)
        return 0;
    double waited = dlz_mpi_seconds() - wait->begin;
    if (waited > wait->patience)
        nap(waited * PART < LONGEST_NAP ? waited * PART : LONGEST_NAP);
    return waited;
}
