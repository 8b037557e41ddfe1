/* base/fork.h - what the child of a fork has to put right. */
#ifndef DLZ_FORK_H
#define DLZ_FORK_H

/* Called before a lock that all threads share is first taken: from then on forks are noticed. It takes
 * no constructor for that, so a program that only links the library is left as it is. */
void dlz_fork_watch(void);

/* In the child: none of the pool's threads is there, and nobody is about to set or to read the
 * allocator, or the log. */
void dlz_pool_after_fork(void);
void dlz_memory_after_fork(void);
void dlz_log_after_fork(void);

#endif
