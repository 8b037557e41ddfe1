/* faults/inject.c - libinject.so, for LD_PRELOAD: system calls on files, and pthread_create, fail when
 * the environment says so (inject_decide.c). Each wrapper counts its call and does it, or not.
 *
 * What glibc calls inside itself passes no wrapper: streams have their own (inject_streams.c). */
/* The names below are those of the symbols, not of what they are renamed to. */
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
#undef _FORTIFY_SOURCE
#include "inject.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/xattr.h>
#include <unistd.h>

#define CALLER __builtin_return_address(0)

/* The function behind a wrapper. */
#define REAL(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    if (!real)                                                                                     \
    real = (__typeof__(&name))inject_real(#name)

/* What becomes of a call on a descriptor, or on a path. */
#define DECIDE_DESCRIPTOR(call, fd, caller)                                                        \
    char place[INJECT_PLACE];                                                                      \
    inject_fault fault = inject_next(CALL_##call, inject_ours_descriptor(fd, place), place, caller)
#define DECIDE_PATH(call, folder, path)                                                            \
    inject_fault fault = inject_next(CALL_##call, inject_ours_path(folder, path), path, CALLER)
#define FAIL_WITH(result)                                                                          \
    if (fault.what == FAULT_ERROR) {                                                               \
        errno = fault.error;                                                                       \
        return result;                                                                             \
    }

/* Does a call whose failure is -1 and whose success needs no more than that it is done. */
#define DO(expression)                                                                             \
    FAIL_WITH(-1)                                                                                  \
    __typeof__(expression) result = expression;                                                    \
    inject_done(fault);                                                                            \
    return result

/* How much of `size` bytes a short call is asked for: at least one, for 0 would be something else. */
static size_t shortened(inject_fault fault, size_t size) {
    return fault.what == FAULT_SHORT && size > 1 ? size / 2 : size;
}

/* --- What reads and writes --- */

long inject_write(int fd, const void *bytes, unsigned long size, const void *caller) {
    REAL(write);
    DECIDE_DESCRIPTOR(write, fd, caller);
    if (fault.what == FAULT_ZERO)
        return 0;
    DO(real(fd, bytes, shortened(fault, size)));
}

ssize_t write(int fd, const void *bytes, size_t size) {
    return inject_write(fd, bytes, size, CALLER);
}

#define POSITIONED_WRITE(name)                                                                     \
    ssize_t name(int fd, const void *bytes, size_t size, off64_t at) {                             \
        REAL(name);                                                                                \
        DECIDE_DESCRIPTOR(pwrite, fd, CALLER);                                                     \
        if (fault.what == FAULT_ZERO)                                                              \
            return 0;                                                                              \
        DO(real(fd, bytes, shortened(fault, size), at));                                           \
    }
POSITIONED_WRITE(pwrite)
POSITIONED_WRITE(pwrite64)

/* A short one does the first piece alone. */
#define VECTORS(name)                                                                              \
    ssize_t name(int fd, const struct iovec *pieces, int count) {                                  \
        REAL(name);                                                                                \
        DECIDE_DESCRIPTOR(name, fd, CALLER);                                                       \
        if (fault.what == FAULT_ZERO)                                                              \
            return 0;                                                                              \
        DO(real(fd, pieces, fault.what == FAULT_SHORT && count > 1 ? 1 : count));                  \
    }
VECTORS(writev)
VECTORS(readv)

long inject_read(int fd, void *bytes, unsigned long size, const void *caller) {
    REAL(read);
    DECIDE_DESCRIPTOR(read, fd, caller);
    if (fault.what == FAULT_ZERO)
        return 0;
    DO(real(fd, bytes, shortened(fault, size)));
}

ssize_t read(int fd, void *bytes, size_t size) {
    return inject_read(fd, bytes, size, CALLER);
}

#define POSITIONED_READ(name)                                                                      \
    ssize_t name(int fd, void *bytes, size_t size, off64_t at) {                                   \
        REAL(name);                                                                                \
        DECIDE_DESCRIPTOR(pread, fd, CALLER);                                                      \
        if (fault.what == FAULT_ZERO)                                                              \
            return 0;                                                                              \
        DO(real(fd, bytes, shortened(fault, size), at));                                           \
    }
POSITIONED_READ(pread)
POSITIONED_READ(pread64)

#define SEEK(name)                                                                                 \
    off64_t name(int fd, off64_t to, int whence) {                                                 \
        REAL(name);                                                                                \
        DECIDE_DESCRIPTOR(lseek, fd, CALLER);                                                      \
        DO(real(fd, to, whence));                                                                  \
    }
SEEK(lseek)
SEEK(lseek64)

/* Without a file it is memory, which nobody but OpenBLAS and glibc ask for in this way. */
#define MAP(name)                                                                                  \
    void *name(void *address, size_t size, int protection, int flags, int fd, off64_t at) {        \
        REAL(name);                                                                                \
        DECIDE_DESCRIPTOR(mmap, fd, CALLER);                                                       \
        FAIL_WITH(MAP_FAILED)                                                                      \
        return real(address, size, protection, flags, fd, at);                                     \
    }
MAP(mmap)
MAP(mmap64)

/* --- What opens and closes --- */

int inject_open(inject_call call, int folder, const char *path, int flags, unsigned mode,
                const void *caller) {
    REAL(openat);
    inject_fault fault = inject_next(call, inject_ours_path(folder, path), path, caller);
    DO(real(folder, path, flags, mode));
}

static unsigned mode_of(int flags, va_list list) {
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(list, unsigned) : 0;
}

#define OPEN(name)                                                                                 \
    int name(const char *path, int flags, ...) {                                                   \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        unsigned mode = mode_of(flags, list);                                                      \
        va_end(list);                                                                              \
        return inject_open(CALL_open, AT_FDCWD, path, flags, mode, CALLER);                        \
    }
OPEN(open)
OPEN(open64)

#define OPEN_AT(name)                                                                              \
    int name(int folder, const char *path, int flags, ...) {                                       \
        va_list list;                                                                              \
        va_start(list, flags);                                                                     \
        unsigned mode = mode_of(flags, list);                                                      \
        va_end(list);                                                                              \
        return inject_open(CALL_openat, folder, path, flags, mode, CALLER);                        \
    }
OPEN_AT(openat)
OPEN_AT(openat64)

#define CREATE(name)                                                                               \
    int name(const char *path, mode_t mode) {                                                      \
        return inject_open(CALL_creat, AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode,         \
                           CALLER);                                                                \
    }
CREATE(creat)
CREATE(creat64)

/* The system closes whatever it then says. */
int inject_close(int fd, const void *caller) {
    REAL(close);
    DECIDE_DESCRIPTOR(close, fd, caller);
    int result = real(fd);
    inject_done(fault);
    FAIL_WITH(-1)
    return result;
}

int close(int fd) {
    return inject_close(fd, CALLER);
}

DIR *opendir(const char *path) {
    REAL(opendir);
    DECIDE_PATH(opendir, AT_FDCWD, path);
    FAIL_WITH(NULL)
    return real(path);
}

DIR *fdopendir(int fd) {
    REAL(fdopendir);
    DECIDE_DESCRIPTOR(opendir, fd, CALLER);
    FAIL_WITH(NULL)
    return real(fd);
}

#define READ_FOLDER(name, entry)                                                                   \
    entry *name(DIR *folder) {                                                                     \
        REAL(name);                                                                                \
        DECIDE_DESCRIPTOR(readdir, dirfd(folder), CALLER);                                         \
        FAIL_WITH(NULL)                                                                            \
        return real(folder);                                                                       \
    }
READ_FOLDER(readdir, struct dirent)
READ_FOLDER(readdir64, struct dirent64)

/* --- What changes files --- */

#define ON_DESCRIPTOR(call, name, parameters, arguments)                                           \
    int name parameters {                                                                          \
        REAL(name);                                                                                \
        DECIDE_DESCRIPTOR(call, fd, CALLER);                                                       \
        DO(real arguments);                                                                        \
    }
ON_DESCRIPTOR(fsync, fsync, (int fd), (fd))
ON_DESCRIPTOR(fdatasync, fdatasync, (int fd), (fd))
ON_DESCRIPTOR(ftruncate, ftruncate, (int fd, off64_t size), (fd, size))
ON_DESCRIPTOR(ftruncate, ftruncate64, (int fd, off64_t size), (fd, size))
ON_DESCRIPTOR(fchmod, fchmod, (int fd, mode_t mode), (fd, mode))
ON_DESCRIPTOR(fchown, fchown, (int fd, uid_t user, gid_t group), (fd, user, group))
ON_DESCRIPTOR(flock, flock, (int fd, int what), (fd, what))
ON_DESCRIPTOR(fsetxattr, fsetxattr,
              (int fd, const char *name, const void *value, size_t size, int flags),
              (fd, name, value, size, flags))
ON_DESCRIPTOR(fremovexattr, fremovexattr, (int fd, const char *name), (fd, name))

/* Returns the error. */
#define ALLOCATE(name)                                                                             \
    int name(int fd, off64_t at, off64_t size) {                                                   \
        REAL(name);                                                                                \
        DECIDE_DESCRIPTOR(fallocate, fd, CALLER);                                                  \
        return fault.what == FAULT_ERROR ? fault.error : real(fd, at, size);                       \
    }
ALLOCATE(posix_fallocate)
ALLOCATE(posix_fallocate64)

#define ON_PATH(call, folder, name, parameters, arguments)                                         \
    int name parameters {                                                                          \
        REAL(name);                                                                                \
        DECIDE_PATH(call, folder, path);                                                           \
        DO(real arguments);                                                                        \
    }
ON_PATH(unlink, AT_FDCWD, unlink, (const char *path), (path))
ON_PATH(unlinkat, folder, unlinkat, (int folder, const char *path, int flags),
        (folder, path, flags))
ON_PATH(mkdir, AT_FDCWD, mkdir, (const char *path, mode_t mode), (path, mode))
ON_PATH(mkdir, folder, mkdirat, (int folder, const char *path, mode_t mode), (folder, path, mode))

/* Counted by where the new name is. */
ON_PATH(rename, AT_FDCWD, rename, (const char *from, const char *path), (from, path))
ON_PATH(renameat, folder, renameat,
        (int from_folder, const char *from, int folder, const char *path),
        (from_folder, from, folder, path))
ON_PATH(renameat, folder, renameat2,
        (int from_folder, const char *from, int folder, const char *path, unsigned flags),
        (from_folder, from, folder, path, flags))
ON_PATH(link, AT_FDCWD, link, (const char *from, const char *path), (from, path))
ON_PATH(linkat, folder, linkat,
        (int from_folder, const char *from, int folder, const char *path, int flags),
        (from_folder, from, folder, path, flags))

/* --- What looks at files --- */

ON_DESCRIPTOR(fstat, fstat, (int fd, struct stat *about), (fd, about))
ON_DESCRIPTOR(fstat, fstat64, (int fd, struct stat64 *about), (fd, about))
ON_PATH(stat, AT_FDCWD, stat, (const char *path, struct stat *about), (path, about))
ON_PATH(stat, AT_FDCWD, stat64, (const char *path, struct stat64 *about), (path, about))
ON_PATH(lstat, AT_FDCWD, lstat, (const char *path, struct stat *about), (path, about))
ON_PATH(lstat, AT_FDCWD, lstat64, (const char *path, struct stat64 *about), (path, about))
ON_PATH(fstatat, folder, fstatat, (int folder, const char *path, struct stat *about, int flags),
        (folder, path, about, flags))
ON_PATH(fstatat, folder, fstatat64, (int folder, const char *path, struct stat64 *about, int flags),
        (folder, path, about, flags))

ON_PATH(access, AT_FDCWD, access, (const char *path, int mode), (path, mode))

ssize_t getxattr(const char *path, const char *name, void *value, size_t size) {
    REAL(getxattr);
    DECIDE_PATH(getxattr, AT_FDCWD, path);
    DO(real(path, name, value, size));
}

ssize_t readlink(const char *path, char *text, size_t size) {
    REAL(readlink);
    DECIDE_PATH(readlink, AT_FDCWD, path);
    DO(real(path, text, size));
}

char *realpath(const char *path, char *resolved) {
    REAL(realpath);
    DECIDE_PATH(realpath, AT_FDCWD, path);
    FAIL_WITH(NULL)
    return real(path, resolved);
}

/* --- Threads --- */

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*work)(void *),
                   void *argument) {
    REAL(pthread_create);
    inject_fault fault = inject_next(CALL_pthread_create, true, NULL, CALLER);
    return fault.what == FAULT_ERROR ? fault.error : real(thread, attributes, work, argument);
}

/* --- What programs call that were compiled with _FORTIFY_SOURCE; the check itself is left out --- */

int __open_2(const char *path, int flags);
int __open64_2(const char *path, int flags);
int __openat_2(int folder, const char *path, int flags);
int __openat64_2(int folder, const char *path, int flags);
ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room);
ssize_t __pread_chk(int fd, void *bytes, size_t size, off64_t at, size_t room);
ssize_t __pread64_chk(int fd, void *bytes, size_t size, off64_t at, size_t room);
ssize_t __readlink_chk(const char *path, char *text, size_t size, size_t room);
char *__realpath_chk(const char *path, char *resolved, size_t room);

int __open_2(const char *path, int flags) {
    return inject_open(CALL_open, AT_FDCWD, path, flags, 0, CALLER);
}

int __open64_2(const char *path, int flags) {
    return inject_open(CALL_open, AT_FDCWD, path, flags, 0, CALLER);
}

int __openat_2(int folder, const char *path, int flags) {
    return inject_open(CALL_openat, folder, path, flags, 0, CALLER);
}

int __openat64_2(int folder, const char *path, int flags) {
    return inject_open(CALL_openat, folder, path, flags, 0, CALLER);
}

ssize_t __read_chk(int fd, void *bytes, size_t size, size_t room) {
    (void)room;
    return inject_read(fd, bytes, size, CALLER);
}

ssize_t __pread_chk(int fd, void *bytes, size_t size, off64_t at, size_t room) {
    (void)room;
    return pread(fd, bytes, size, at);
}

ssize_t __pread64_chk(int fd, void *bytes, size_t size, off64_t at, size_t room) {
    (void)room;
    return pread64(fd, bytes, size, at);
}

ssize_t __readlink_chk(const char *path, char *text, size_t size, size_t room) {
    (void)room;
    return readlink(path, text, size);
}

char *__realpath_chk(const char *path, char *resolved, size_t room) {
    (void)room;
    return realpath(path, resolved);
}
