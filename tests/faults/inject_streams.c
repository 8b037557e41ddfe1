/* faults/inject_streams.c - streams whose system calls pass the wrappers: glibc's own do not, for they are
 * made inside it. fopen and fdopen give a stream made by fopencookie, for files that count. */
#undef _FILE_OFFSET_BITS
#undef _TIME_BITS
#undef _FORTIFY_SOURCE
#include "inject.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct stream {
    int fd;
    const void *caller; /* of what made the stream: the caller of its calls */
} stream;

static ssize_t stream_read(void *cookie, char *bytes, size_t size) {
    const stream *s = cookie;
    return inject_read(s->fd, bytes, size, s->caller);
}

/* As glibc does: on and on after short counts, given up at an error. */
static ssize_t stream_write(void *cookie, const char *bytes, size_t size) {
    const stream *s = cookie;
    size_t done = 0;
    while (done < size) {
        long n = inject_write(s->fd, bytes + done, size - done, s->caller);
        if (n < 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

static int stream_seek(void *cookie, off64_t *at, int whence) {
    const stream *s = cookie;
    off64_t to = lseek64(s->fd, *at, whence);
    if (to < 0)
        return -1;
    *at = to;
    return 0;
}

static int stream_close(void *cookie) {
    stream *s = cookie;
    int result = inject_close(s->fd, s->caller), error = errno;
    free(s);
    errno = error;
    return result;
}

static FILE *make_stream(int fd, const char *mode, const void *caller) {
    stream *s = malloc(sizeof *s);
    if (!s)
        return NULL;
    *s = (stream){fd, caller};
    const cookie_io_functions_t calls = {stream_read, stream_write, stream_seek, stream_close};
    FILE *file = fopencookie(s, mode, calls);
    if (!file) {
        free(s);
        return NULL;
    }
    file->_fileno = fd; /* for fileno below; a cookie's stream does nothing with it */
    return file;
}

static int flags_of(const char *mode) {
    int flags = *mode == 'r'   ? O_RDONLY
                : *mode == 'w' ? O_WRONLY | O_CREAT | O_TRUNC
                               : O_WRONLY | O_CREAT | O_APPEND;
    if (strchr(mode, '+'))
        flags = (flags & ~(O_RDONLY | O_WRONLY)) | O_RDWR;
    return flags | (strchr(mode, 'x') ? O_EXCL : 0) | (strchr(mode, 'e') ? O_CLOEXEC : 0);
}

static FILE *open_stream(const char *path, const char *mode, const void *caller) {
    static FILE *(*real)(const char *, const char *);
    if (!real)
        real = (FILE * (*)(const char *, const char *)) inject_real("fopen");
    if (!inject_ours_path(AT_FDCWD, path))
        return real(path, mode);
    int fd = inject_open(CALL_open, AT_FDCWD, path, flags_of(mode), 0666, caller);
    if (fd < 0)
        return NULL;
    FILE *file = make_stream(fd, mode, caller);
    if (!file) {
        int error = errno;
        inject_close(fd, caller);
        errno = error;
    }
    return file;
}

FILE *fopen(const char *path, const char *mode) {
    return open_stream(path, mode, __builtin_return_address(0));
}

FILE *fopen64(const char *path, const char *mode) {
    return open_stream(path, mode, __builtin_return_address(0));
}

FILE *fdopen(int fd, const char *mode) {
    static FILE *(*real)(int, const char *);
    if (!real)
        real = (FILE * (*)(int, const char *)) inject_real("fdopen");
    char place[INJECT_PLACE];
    return inject_ours_descriptor(fd, place) ? make_stream(fd, mode, __builtin_return_address(0))
                                             : real(fd, mode);
}

/* glibc's knows files alone. */
static int number_of(FILE *file) {
    static int (*real)(FILE *);
    if (!real)
        real = (int (*)(FILE *))inject_real("fileno");
    int before = errno, fd = real(file);
    if (fd < 0 && file->_fileno >= 0) {
        errno = before;
        fd = file->_fileno;
    }
    return fd;
}

int fileno(FILE *file) {
    return number_of(file);
}

#undef fileno_unlocked
int fileno_unlocked(FILE *file) {
    return number_of(file);
}

void inject_begin_streams(void) {
    FILE *output = make_stream(STDOUT_FILENO, "w", NULL),
         *error = make_stream(STDERR_FILENO, "w", NULL);
    if (!output || !error)
        abort();
    if (isatty(STDOUT_FILENO))
        setvbuf(output, NULL, _IOLBF, BUFSIZ);
    setvbuf(error, NULL, _IONBF, 0);
    stdout = output;
    stderr = error;
}
