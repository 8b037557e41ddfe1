/* support/fork.h - tests that go on in a child of their process, or need one of their own. */
#ifndef DLZ_TESTS_FORK_H
#define DLZ_TESTS_FORK_H

#include "support/sanitizers.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ThreadSanitizer takes a thread that the child of a fork starts for one of its parent's now and
 * then, and ends the process. */
#define FORKS_START_THREADS (!WITH_THREAD_SANITIZER)

static inline bool cannot_fork(void) {
    if (!FORKS_START_THREADS)
        printf("SKIP: ThreadSanitizer cannot follow threads that start after a fork\n");
    else if (getenv("DLVIZ_TEST_EMULATED"))
        printf("SKIP: QEMU 7.2 aborts in a process that forked while it had threads\n");
    else
        return false;
    return true;
}

/* AddressSanitizer's allocator has locks: where another thread allocates at a fork, they stay shut in
 * the child (GCC 12). */
#define FORKS_ALLOCATE (!WITH_ADDRESS_SANITIZER)

/* While other threads work. */
static inline bool cannot_fork_amid_work(void) {
    if (getenv("DLVIZ_TEST_MEMCHECK")) {
        printf("SKIP: what other threads have is lost in the child, which memcheck counts\n");
        return true;
    }
    if (FORKS_ALLOCATE)
        return cannot_fork();
    printf(
        "SKIP: AddressSanitizer's allocator does not survive a fork amid another thread's work\n");
    return true;
}

/* Whether other cases may have been in this process before. */
static inline bool shares_its_process(void) {
    const char *forks = getenv("CK_FORK");
    bool shares = forks && strcmp(forks, "no") == 0;
    if (shares)
        printf("SKIP: needs a process of its own\n");
    return shares;
}

#endif
