#include "base/lock.h"
#include "base/fork.h"

#include <sched.h>

static atomic_uint forks;

/* What a mutex made after so many forks has in its `forks`; one more while a thread makes it. A
 * child that is forked meanwhile does not wait for that thread, which it has not got. */
static unsigned made(unsigned after) {
    return 2 * after;
}

static void after_fork(void) {
    atomic_fetch_add(&forks, 1);
}

DLZ_AFTER_FORK(after_fork)

bool dlz_lock_init(dlz_lock *lock) {
    DLZ_WATCH_FORKS();
    atomic_init(&lock->forks, made(atomic_load(&forks)));
    return pthread_mutex_init(&lock->mutex, NULL) == 0;
}

void dlz_lock_destroy(dlz_lock *lock) {
    pthread_mutex_destroy(&lock->mutex);
}

/* The first thread of the child that comes makes the mutex anew, others wait for that. */
static void renew(dlz_lock *lock, unsigned now) {
    unsigned before = atomic_load(&lock->forks);
    while (before != now)
        if (before == now + 1) {
            sched_yield();
            before = atomic_load(&lock->forks);
        } else if (atomic_compare_exchange_weak(&lock->forks, &before, now + 1)) {
            pthread_mutex_init(&lock->mutex, NULL);
            atomic_store(&lock->forks, now);
            return;
        }
}

void dlz_lock_take(dlz_lock *lock) {
    unsigned now = made(atomic_load_explicit(&forks, memory_order_relaxed));
    if (atomic_load_explicit(&lock->forks, memory_order_acquire) != now)
        renew(lock, now);
    pthread_mutex_lock(&lock->mutex);
}

void dlz_lock_give_back(dlz_lock *lock) {
    pthread_mutex_unlock(&lock->mutex);
}
