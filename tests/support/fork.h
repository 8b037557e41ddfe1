/* support/fork.h - tests that go on in a child of their process, or need one of their own. */
#ifndef DLZ_TESTS_FORK_H
#define DLZ_TESTS_FORK_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ThreadSanitizer takes a thread that the child of a fork starts for one of its parent's now and
 * then, and ends the process. */
#if defined(__SANITIZE_THREAD__)
#define FORKS_START_THREADS 0
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define FORKS_START_THREADS 0
#endif
#endif
#ifndef FORKS_START_THREADS
#define FORKS_START_THREADS 1
#endif

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
#if defined(__SANITIZE_ADDRESS__)
#define FORKS_ALLOCATE 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FORKS_ALLOCATE 0
#endif
#endif
#ifndef FORKS_ALLOCATE
#define FORKS_ALLOCATE 1
#endif

/* While other threads work. */
static inline bool cannot_fork_amid_work(void) {
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
