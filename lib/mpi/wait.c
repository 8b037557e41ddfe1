/* Waiting for a message. MPI has to be asked, for it moves messages only then; but ranks, and their
 * threads, may be more than processors, and who asks without pause takes the time of those that are
 * waited for. So the processor is given away: at once where ranks share it, else after the time that
 * a message takes, for on a busy machine it comes back late. Who is there again at once after giving
 * it away gets it again and again, in the end half of the time; so a long wait is slept through, in
 * naps of a small part of it. */
#include "mpi/link.h"

#include <sched.h>
#include <time.h>

#define LOOKS 64       /* before the clock is looked at, and where ranks share processors, all */
#define CLOCK_EVERY 16 /* looks between those at the clock */
#define SPIN 1e-4      /* seconds before the processor is given away, and more for many bytes */
#define PATIENCE 1e-3  /* seconds before the first nap, likewise */
#define PART 0.05      /* of the time waited, a nap's */
#define LONGEST_NAP 2e-4
#define FAST 4e9 /* bytes in a second, of memory */
#define SLOW 1e9 /* and of a network */

double dlz_mpi_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

dlz_mpi_wait dlz_mpi_wait_begin(size_t bytes, bool crowded) {
    return (dlz_mpi_wait){
        .spin = crowded ? 0 : SPIN + (double)bytes / FAST,
        .patience = PATIENCE + (double)bytes / SLOW,
    };
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
    if (wait->looks % CLOCK_EVERY == 0)
        wait->waited = dlz_mpi_seconds() - wait->begin;
    if (wait->waited >= wait->spin)
        sched_yield();
    if (wait->looks % CLOCK_EVERY == 0 && wait->waited > wait->patience)
        nap(wait->waited * PART < LONGEST_NAP ? wait->waited * PART : LONGEST_NAP);
    return wait->waited;
}
