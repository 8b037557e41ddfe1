#include "base/lock.h"

#include <limits.h>
#include <sched.h>

/* Instead of `now`, while a thread of this process makes the mutex anew: in the child of a fork that
 * comes meanwhile it is no longer that process's. */
#define BEING_RENEWED(now) ((now) | ~(UINT_MAX >> 1))

static atomic_uint forks;

void dlz_lock_after_fork(void) {
    atomic_fetch_add(&forks, 1);
}

bool dlz_lock_init(dlz_lock *lock) {
    atomic_init(&lock->forks, atomic_load(&forks));
    return pthread_mutex_init(&lock->mutex, NULL) == 0;
}

void dlz_lock_destroy(dlz_lock *lock) {
    pthread_mutex_destroy(&lock->mutex);
}

/* The first thread of the child that comes makes the mutex anew, others wait for that. */
static void renew(dlz_lock *lock, unsigned now) {
    unsigned before = atomic_load(&lock->forks);
    while (before != now)
        if (before == BEING_RENEWED(now)) {
            sched_yield();
            before = atomic_load(&lock->forks);
        } else if (atomic_compare_exchange_weak(&lock->forks, &before, BEING_RENEWED(now))) {
            pthread_mutex_init(&lock->mutex, NULL);
            atomic_store(&lock->forks, now);
            return;
        }
}

void dlz_lock_take(dlz_lock *lock) {
    unsigned now = atomic_load_explicit(&forks, memory_order_relaxed);
    if (atomic_load_explicit(&lock->forks, memory_order_acquire) != now)
        renew(lock, now);
    pthread_mutex_lock(&lock->mutex);
}

void dlz_lock_give_back(dlz_lock *lock) {
    pthread_mutex_unlock(&lock->mutex);
}
