#include "base/fork.h"
#include "base/lock.h"

#include <pthread.h>

static void after_fork(void) {
    dlz_pool_after_fork();
    dlz_memory_after_fork();
    dlz_log_after_fork();
    dlz_lock_after_fork();
}

static void watch(void) {
    pthread_atfork(NULL, NULL, after_fork);
}

void dlz_fork_watch(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, watch);
}
