/* faults/inject.h - which call of a process fails, and how; what the wrappers of libinject.so ask. */
#ifndef DLZ_TESTS_INJECT_H
#define DLZ_TESTS_INJECT_H

#include <stdbool.h>

/* What can be named in DLVIZ_FAULT. Variants of one call (open64, fopen, __read_chk) are one. */
#define INJECT_CALLS(X)                                                                            \
    X(write)                                                                                       \
    X(pwrite)                                                                                      \
    X(writev)                                                                                      \
    X(fsync)                                                                                       \
    X(fdatasync)                                                                                   \
    X(ftruncate)                                                                                   \
    X(fallocate)                                                                                   \
    X(rename)                                                                                      \
    X(renameat)                                                                                    \
    X(link)                                                                                        \
    X(linkat)                                                                                      \
    X(unlink)                                                                                      \
    X(unlinkat)                                                                                    \
    X(close)                                                                                       \
    X(fchmod)                                                                                      \
    X(fchown)                                                                                      \
    X(fsetxattr)                                                                                   \
    X(fremovexattr)                                                                                \
    X(getxattr)                                                                                    \
    X(mkdir)                                                                                       \
    X(creat)                                                                                       \
    X(open)                                                                                        \
    X(openat)                                                                                      \
    X(read)                                                                                        \
    X(pread)                                                                                       \
    X(readv)                                                                                       \
    X(mmap)                                                                                        \
    X(fstat)                                                                                       \
    X(stat)                                                                                        \
    X(lstat)                                                                                       \
    X(fstatat)                                                                                     \
    X(access)                                                                                      \
    X(opendir)                                                                                     \
    X(readdir)                                                                                     \
    X(readlink)                                                                                    \
    X(realpath)                                                                                    \
    X(flock)                                                                                       \
    X(lseek)                                                                                       \
    X(pthread_create)                                                                              \
    X(malloc)

#define INJECT_NAME(name) CALL_##name,
typedef enum inject_call { INJECT_CALLS(INJECT_NAME) NUM_CALLS } inject_call;
#undef INJECT_NAME

typedef enum inject_what {
    FAULT_NONE,
    FAULT_ERROR,
    FAULT_SHORT,
    FAULT_ZERO,
    FAULT_KILL,
    FAULT_KILL_AFTER
} inject_what;

typedef struct inject_fault {
    inject_what what;
    int error;
} inject_fault;

/* Counts a call and says what becomes of it. A call on files counts where inject_ours_… says so;
 * `place` tells where, for the count file, and may be NULL. `caller` is the wrapper's return
 * address. Does not return when the process is to be killed before the call. errno stays. */
inject_fault inject_next(inject_call call, bool ours, const char *place, const void *caller);

/* After a call that was done: kills the process if that was wanted. */
void inject_done(inject_fault fault);

/* Whether a path, or what a descriptor refers to, is among those that count. `place` has room for
 * INJECT_PLACE bytes and becomes the path. errno stays. */
#define INJECT_PLACE 512
bool inject_ours_path(int folder, const char *path);
bool inject_ours_descriptor(int fd, char *place);

/* Whether main has begun. */
bool inject_begun(void);

/* Standard output and standard error become streams whose writes are wrapped; see inject_streams.c. */
void inject_begin_streams(void);

/* Which object an address lies in, by the name of its file ("?": in none), and where there. */
#define INJECT_OBJECT 80
unsigned long inject_object_of(const void *address, char name[INJECT_OBJECT]);
/* As backtrace, whose own calls do not count. */
int inject_backtrace(void **frames, int most);

/* From now on a signal that ends the process tells where it did: "OBJECT SIGNAL FRAME ...". */
void inject_begin_crashes(void);
const char *inject_crash(void);
void inject_write_counts(void);

/* open as its wrapper does it, for a caller of fopen. */
int inject_open(inject_call call, int folder, const char *path, int flags, unsigned mode,
                const void *caller);
long inject_read(int fd, void *bytes, unsigned long size, const void *caller);
long inject_write(int fd, const void *bytes, unsigned long size, const void *caller);
int inject_close(int fd, const void *caller);

/* The next definition of a function behind this library's; ends the process where there is none. */
void *inject_real(const char *name);

#endif
