/* base/fork.h - what the child of a fork has to put right. */
#ifndef DLZ_FORK_H
#define DLZ_FORK_H

#include <pthread.h>

/* In a file with a lock, or with state, that all threads share: the child of a fork calls
 * `function`, as none of the parent's other threads is there. DLZ_WATCH_FORKS, called before the
 * lock is first taken, sees to that. It takes no constructor, so a program that only links the
 * library is left as it is. */
#define DLZ_AFTER_FORK(function)                                                                   \
    static pthread_once_t dlz_forks_are_watched = PTHREAD_ONCE_INIT;                               \
    static void dlz_begin_to_watch_forks(void) {                                                   \
        pthread_atfork(NULL, NULL, function);                                                      \
    }
#define DLZ_WATCH_FORKS() ((void)pthread_once(&dlz_forks_are_watched, dlz_begin_to_watch_forks))

#endif
