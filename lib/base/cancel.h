/* base/cancel.h - a thread that pthread_cancel is to end does not end in the middle of a call, with locks
 * held, memory nobody frees and workers that nobody waits for. Cancellation is held up where a call
 * may be at work for long or may wait for the system; it comes with the program's own next point of
 * cancellation. */
#ifndef DLZ_CANCEL_H
#define DLZ_CANCEL_H

#include <pthread.h>

static inline int dlz_cancel_hold_up(void) {
    int before;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    return before;
}

static inline void dlz_cancel_let(const int *before) {
    int unused;
    pthread_setcancelstate(*before, &unused);
}

/* To the end of the block. Put it in front of what takes marks and opens files. */
#define DLZ_NOT_CANCELLED                                                                          \
    int dlz_cancel_ __attribute__((unused, cleanup(dlz_cancel_let))) = dlz_cancel_hold_up()

#endif
