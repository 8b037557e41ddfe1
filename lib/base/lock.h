/* base/lock.h - a mutex that a fork does not leave locked: in the child of a fork nobody has it,
 * whoever had it in the parent. What it guards must be such that it can be gone on with from there.
 */
#ifndef DLZ_LOCK_H
#define DLZ_LOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

typedef struct dlz_lock {
    pthread_mutex_t mutex;
    atomic_uint
        forks; /* twice what there had been, in this line of processes; odd while it is made */
} dlz_lock;

/* False when the system has none. */
bool dlz_lock_init(dlz_lock *lock);
void dlz_lock_destroy(dlz_lock *lock);
void dlz_lock_take(dlz_lock *lock);
void dlz_lock_give_back(dlz_lock *lock);

#endif
