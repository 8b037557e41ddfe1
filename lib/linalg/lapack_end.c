#include "linalg/lapack_end.h"
#include "base/base.h"
#include "base/fork.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/* A signal's handler may end the program from within LAPACK, and then waits for itself. */
enum { MOST_SECONDS = 10 };

/* Read by who is in LAPACK, written by who ends the program. */
static pthread_rwlock_t gate = PTHREAD_RWLOCK_INITIALIZER;
static pthread_once_t end_is_watched = PTHREAD_ONCE_INIT;

static void after_fork(void) {
    pthread_rwlock_init(&gate, NULL);
}

DLZ_AFTER_FORK(after_fork)

static void close_gate(void) {
    struct timespec until;
    if (clock_gettime(CLOCK_REALTIME, &until) != 0)
        return;
    until.tv_sec += MOST_SECONDS;
    (void)pthread_rwlock_timedwrlock(&gate, &until);
}

/* OpenBLAS is loaded before, so that its destructor comes after this. Where there is no room for one
 * more handler, the end is as it would be without. */
static void watch_end(void) {
    (void)atexit(close_gate);
}

bool dlz_lapack_enter(void) {
    DLZ_WATCH_FORKS();
    pthread_once(&end_is_watched, watch_end);
    return pthread_rwlock_rdlock(&gate) == 0;
}

void dlz_lapack_leave(void) {
    pthread_rwlock_unlock(&gate);
}
