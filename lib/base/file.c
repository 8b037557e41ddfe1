#include "base/file.h"
#include "base/again.h"
#include "base/cancel.h"
#include "base/replaced.h"
#include "base/temporary.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BUFFER_SIZE = 1 << 16 };

struct dlz_file {
    int descriptor;
    bool complete;
    int error; /* errno of the first failure, 0 without one */
    const char *action;
    char *path;      /* as the caller gave it, for messages */
    char *target;    /* links followed */
    char *temporary; /* in the target's folder */
    /* Of a file in memory, which has none of the names above: where commit puts it, and what there is
     * of it. */
    void **bytes;
    size_t *size;
    char *block;
    size_t room;
    size_t used; /* of `buffer`, or of `block` */
    char buffer[BUFFER_SIZE];
    dlz_replaced replaced;
};

static dlviz_status keep_failure(dlz_file *file, const char *action, int error) {
    if (file->error == 0) {
        file->error = error;
        file->action = action;
    }
    if (file->bytes) /* nothing else can go wrong there */
        return dlz_fail_memory("a file in memory", file->used);
    return dlz_fail_io(file->action, file->path, file->error);
}

dlviz_status dlz_file_create(dlz_file **out, const char *path) {
    DLZ_NOT_CANCELLED;
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    if (path[dlz_folder_length(path)] == '\0')
        return dlz_fail(DLVIZ_ERROR_IO, "cannot write '%s': that names no file", path);
    dlz_file *file = dlz_alloc(sizeof *file);
    if (!file)
        return dlz_fail_memory("a file being written", sizeof *file);
    memset(file, 0, offsetof(dlz_file, buffer));
    file->descriptor = -1;
    file->path = dlz_strdup(path);
    dlviz_status status = file->path ? dlz_replaced_find(path, &file->target, &file->replaced)
                                     : dlz_fail_memory("a file name", strlen(path) + 1);
    if (status == DLVIZ_OK)
        status = dlz_temporary_create(file->target, path, file->replaced.exists ? 0600 : 0666,
                                      &file->temporary, &file->descriptor);
    if (status != DLVIZ_OK)
        dlz_file_discard(file);
    else
        *out = file;
    return status;
}

dlviz_status dlz_file_create_memory(dlz_file **out, void **bytes, size_t *size) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE_OUT(bytes);
    DLZ_REQUIRE(size);
    *size = 0;
    dlz_file *file = dlz_alloc(sizeof *file);
    if (!file)
        return dlz_fail_memory("a file being written", sizeof *file);
    memset(file, 0, offsetof(dlz_file, buffer));
    file->descriptor = -1;
    file->bytes = bytes;
    file->size = size;
    *out = file;
    return DLVIZ_OK;
}

static bool grow(dlz_file *file, size_t room) {
    char *larger = dlz_realloc_array(file->block, room, 1);
    if (!larger)
        return false;
    file->block = larger;
    file->room = room;
    return true;
}

void dlz_file_expect(dlz_file *file, size_t size) {
    if (file->bytes && !file->error && size > file->room && !grow(file, size))
        keep_failure(file, "cannot write", ENOMEM);
}

static dlviz_status append(dlz_file *file, const void *bytes, size_t size) {
    if (size > file->room - file->used) {
        size_t room;
        if (dlz_add_overflows(file->used, size, &room) || dlz_mul_overflows(room, 2, &room) ||
            !grow(file, room))
            return keep_failure(file, "cannot write", ENOMEM);
    }
    if (size > 0)
        memcpy(file->block + file->used, bytes, size);
    file->used += size;
    return DLVIZ_OK;
}

/* A file that would pass the largest size that the process may write (ulimit -f) is an error like any
 * other: the signal that comes with it would end the program, with what it has not yet written. It is
 * the thread's own, so that nobody else's is taken. */
static ssize_t write_some(int descriptor, const char *bytes, size_t size) {
    sigset_t too_large, before, pending;
    sigemptyset(&too_large);
    sigaddset(&too_large, SIGXFSZ);
    pthread_sigmask(SIG_BLOCK, &too_large, &before);
    ssize_t written = write(descriptor, bytes, size);
    int error = errno, number;
    if (written < 0 && error == EFBIG && !sigismember(&before, SIGXFSZ) &&
        sigpending(&pending) == 0 && sigismember(&pending, SIGXFSZ))
        sigwait(&too_large, &number);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    return written;
}

static dlviz_status write_out(dlz_file *file, const char *bytes, size_t size) {
    DLZ_NOT_CANCELLED;
    while (size > 0) {
        ssize_t written = DLZ_AGAIN(write_some(file->descriptor, bytes, size));
        if (written <= 0)
            return keep_failure(file, "cannot write", written < 0 ? errno : EIO);
        bytes += written;
        size -= (size_t)written;
    }
    return DLVIZ_OK;
}

static dlviz_status flush(dlz_file *file) {
    size_t size = file->used;
    file->used = 0;
    return write_out(file, file->buffer, size);
}

dlviz_status dlz_file_write(dlz_file *file, const void *bytes, size_t size) {
    if (file->error)
        return keep_failure(file, NULL, 0);
    if (file->bytes)
        return append(file, bytes, size);
    if (size > BUFFER_SIZE - file->used)
        DLZ_TRY(flush(file));
    if (size >= BUFFER_SIZE)
        return write_out(file, bytes, size);
    if (size > 0)
        memcpy(file->buffer + file->used, bytes, size);
    file->used += size;
    return DLVIZ_OK;
}

dlviz_status dlz_file_printf(dlz_file *file, const char *format, ...) {
    char small[512], *text = small;
    va_list arguments;
    va_start(arguments, format);
    int length = dlz_vsnprintf(small, sizeof small, format, arguments);
    va_end(arguments);
    if (length < 0)
        return keep_failure(file, "cannot format text for", errno ? errno : EINVAL);
    if ((size_t)length >= sizeof small) {
        text = dlz_alloc((size_t)length + 1);
        if (!text) {
            keep_failure(file, "cannot format text for", ENOMEM);
            return dlz_fail_memory("a line of text", (uint64_t)length + 1);
        }
        va_start(arguments, format);
        dlz_vsnprintf(text, (size_t)length + 1, format, arguments);
        va_end(arguments);
    }
    dlviz_status status = dlz_file_write(file, text, (size_t)length);
    if (text != small)
        dlz_free(text);
    return status;
}

/* Some file systems cannot flush a file or a folder on demand and say so; that is no failure. */
static bool sync_failed(int descriptor) {
    return DLZ_AGAIN(fsync(descriptor)) != 0 && errno != EINVAL && errno != ENOTSUP &&
           errno != EROFS;
}

int dlz_rename(const char *from, const char *to) {
    return DLZ_AGAIN(rename(from, to));
}

/* Makes the rename itself durable. By then the new file is in place and whole. */
static void sync_folder(const dlz_file *file) {
    char *folder = file->temporary;
    size_t length = dlz_folder_length(folder);
    folder[length] = '\0';
    int descriptor = DLZ_AGAIN(open(length ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (descriptor < 0 || sync_failed(descriptor))
        dlz_log(DLVIZ_LOG_LEVEL_WARNING, "'%s' is written, but its folder could not be flushed",
                file->path);
    if (descriptor >= 0)
        close(descriptor);
}

static void release(dlz_file *file) {
    dlz_free(file->block);
    dlz_free(file->path);
    dlz_free(file->target);
    dlz_free(file->temporary);
    dlz_free(file);
}

dlviz_status dlz_file_complete(dlz_file *file) {
    DLZ_NOT_CANCELLED;
    if (file->error)
        return keep_failure(file, NULL, 0);
    if (file->bytes)
        return DLVIZ_OK;
    DLZ_TRY(flush(file));
    /* Until here its user alone could read it: it may be less than what there was. */
    DLZ_TRY(dlz_replaced_imitate(&file->replaced, file->path, file->descriptor));
    if (sync_failed(file->descriptor))
        return keep_failure(file, "cannot write", errno);
    file->complete = true;
    return DLVIZ_OK;
}

static void hand_over(dlz_file *file) {
    *file->bytes = file->block;
    *file->size = file->used;
    file->block = NULL;
    release(file);
}

dlviz_status dlz_file_commit(dlz_file *file) {
    DLZ_NOT_CANCELLED;
    dlviz_status status = file->complete && !file->error ? DLVIZ_OK : dlz_file_complete(file);
    if (status == DLVIZ_OK && file->bytes) {
        hand_over(file);
        return DLVIZ_OK;
    }
    if (status == DLVIZ_OK && dlz_rename(file->temporary, file->target) != 0)
        status = keep_failure(file, "cannot replace", errno);
    if (status != DLVIZ_OK) {
        dlz_file_discard(file);
        return status;
    }
    sync_folder(file);
    close(file->descriptor); /* all is on the disk; until now the lock kept others from the file */
    release(file);
    return DLVIZ_OK;
}

void dlz_file_discard(dlz_file *file) {
    DLZ_NOT_CANCELLED;
    if (!file)
        return;
    if (file->descriptor >= 0)
        close(file->descriptor);
    if (file->temporary)
        (void)DLZ_AGAIN(unlink(file->temporary));
    release(file);
}

dlviz_status dlviz_file_write(const char *path, const void *bytes, size_t size) {
    DLZ_REQUIRE(path);
    if (size > 0)
        DLZ_REQUIRE(bytes);
    dlz_file *file;
    DLZ_TRY(dlz_file_create(&file, path));
    (void)dlz_file_write(file, bytes, size); /* which is told when it is committed */
    return dlz_file_commit(file);
}
