#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { BUFFER_SIZE = 1 << 16, NAME_ATTEMPTS = 100, NAME_ROOM = 40 };

struct dlz_file {
    int descriptor;
    int error; /* errno of the first failure, 0 without one */
    const char *action;
    char *path;      /* as the caller gave it, for messages */
    char *target;    /* links followed */
    char *temporary; /* in the target's folder */
    size_t used;
    char buffer[BUFFER_SIZE];
};

static dlviz_status keep_failure(dlz_file *file, const char *action, int error) {
    if (file->error == 0) {
        file->error = error;
        file->action = action;
    }
    return dlz_fail_io(file->action, file->path, file->error);
}

/* The part of a path up to and including its last '/'. */
static size_t folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static uint64_t random_name(int attempt) {
    uint64_t number;
    if (getrandom(&number, sizeof number, GRND_NONBLOCK) == (ssize_t)sizeof number)
        return number;
    struct timespec now = {0};
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_nsec * 1000003u + (uint64_t)getpid() * 65537u + (uint64_t)attempt;
}

/* Follows a link, so that what it points to is replaced and not the link, and refuses whatever a
 * rename should not replace. *mode gets the permissions to keep, or stays. */
static dlviz_status find_target(dlz_file *file, const char *path, mode_t *mode, bool *exists) {
    struct stat info;
    *exists = lstat(path, &info) == 0;
    if (!*exists && errno != ENOENT)
        return dlz_fail_io("cannot write", path, errno);
    char *resolved = NULL;
    if (*exists && S_ISLNK(info.st_mode)) {
        resolved = realpath(path, NULL);
        if (!resolved || stat(resolved, &info) != 0) {
            int error = errno;
            free(resolved);
            return dlz_fail_io("cannot write through the link", path, error);
        }
    }
    file->target = dlz_strdup(resolved ? resolved : path);
    free(resolved);
    if (!file->target)
        return dlz_fail_memory("a file name", strlen(path) + 1);
    if (!*exists)
        return DLVIZ_OK;
    if (!S_ISREG(info.st_mode))
        return dlz_fail(DLVIZ_ERROR_IO, "cannot write '%s': it is %s, not a regular file", path,
                        S_ISDIR(info.st_mode) ? "a folder" : "a device, socket or FIFO");
    if (access(file->target, W_OK) != 0)
        return dlz_fail_io("cannot write", path, errno);
    *mode = info.st_mode & 07777;
    return DLVIZ_OK;
}

static dlviz_status open_temporary(dlz_file *file) {
    size_t folder = folder_length(file->target), size = folder + NAME_ROOM;
    file->temporary = dlz_alloc(size);
    if (!file->temporary)
        return dlz_fail_memory("a file name", size);
    memcpy(file->temporary, file->target, folder);
    for (int attempt = 0; attempt < NAME_ATTEMPTS; attempt++) {
        snprintf(file->temporary + folder, NAME_ROOM, ".dlviz-%016llx.tmp",
                 (unsigned long long)random_name(attempt));
        file->descriptor = open(file->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (file->descriptor >= 0)
            return DLVIZ_OK;
        if (errno != EEXIST && errno != EINTR)
            break;
    }
    return dlz_fail_io("cannot create a file beside", file->path, errno);
}

dlviz_status dlz_file_create(dlz_file **out, const char *path) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    if (path[folder_length(path)] == '\0')
        return dlz_fail(DLVIZ_ERROR_IO, "cannot write '%s': that names no file", path);
    dlz_file *file = dlz_alloc(sizeof *file);
    if (!file)
        return dlz_fail_memory("a file being written", sizeof *file);
    memset(file, 0, offsetof(dlz_file, buffer));
    file->descriptor = -1;
    file->path = dlz_strdup(path);
    mode_t mode = 0;
    bool exists = false;
    dlviz_status status = file->path ? find_target(file, path, &mode, &exists)
                                     : dlz_fail_memory("a file name", strlen(path) + 1);
    if (status == DLVIZ_OK)
        status = open_temporary(file);
    if (status == DLVIZ_OK && exists && fchmod(file->descriptor, mode) != 0)
        status = dlz_fail_io("cannot set the permissions of", path, errno);
    if (status != DLVIZ_OK)
        dlz_file_discard(file);
    else
        *out = file;
    return status;
}

static dlviz_status write_out(dlz_file *file, const char *bytes, size_t size) {
    while (size > 0) {
        ssize_t written = write(file->descriptor, bytes, size);
        if (written < 0 && errno == EINTR)
            continue;
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
    int result;
    do
        result = fsync(descriptor);
    while (result != 0 && errno == EINTR);
    return result != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS;
}

/* Makes the rename itself durable. By then the new file is in place and whole. */
static void sync_folder(const dlz_file *file) {
    char *folder = file->temporary;
    size_t length = folder_length(folder);
    folder[length] = '\0';
    int descriptor = open(length ? folder : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return;
    if (sync_failed(descriptor))
        dlz_log(DLVIZ_LOG_WARNING, "'%s' is written, but its folder could not be flushed",
                file->path);
    close(descriptor);
}

static void release(dlz_file *file) {
    dlz_free(file->path);
    dlz_free(file->target);
    dlz_free(file->temporary);
    dlz_free(file);
}

dlviz_status dlz_file_commit(dlz_file *file) {
    dlviz_status status = file->error ? keep_failure(file, NULL, 0) : flush(file);
    if (status == DLVIZ_OK && sync_failed(file->descriptor))
        status = keep_failure(file, "cannot write", errno);
    if (status == DLVIZ_OK) {
        int closed = close(file->descriptor);
        file->descriptor = -1;
        if (closed != 0 && errno != EINTR)
            status = keep_failure(file, "cannot write", errno);
    }
    if (status == DLVIZ_OK && rename(file->temporary, file->target) != 0)
        status = keep_failure(file, "cannot replace", errno);
    if (status != DLVIZ_OK) {
        dlz_file_discard(file);
        return status;
    }
    sync_folder(file);
    release(file);
    return DLVIZ_OK;
}

void dlz_file_discard(dlz_file *file) {
    if (!file)
        return;
    if (file->descriptor >= 0)
        close(file->descriptor);
    if (file->temporary)
        unlink(file->temporary);
    release(file);
}

dlviz_status dlz_file_open(const char *path, int *descriptor, int64_t *size) {
    int opened;
    do
        opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    while (opened < 0 && errno == EINTR);
    if (opened < 0)
        return dlz_fail_io("cannot open", path, errno);
    struct stat info;
    dlviz_status status = DLVIZ_OK;
    if (fstat(opened, &info) != 0)
        status = dlz_fail_io("cannot read", path, errno);
    else if (!S_ISREG(info.st_mode))
        status = dlz_fail(DLVIZ_ERROR_IO, "cannot read '%s': it is %s, not a regular file", path,
                          S_ISDIR(info.st_mode)    ? "a folder"
                          : S_ISFIFO(info.st_mode) ? "a FIFO"
                                                   : "a device or socket");
    if (status != DLVIZ_OK) {
        close(opened);
        return status;
    }
    *descriptor = opened;
    *size = info.st_size;
    return DLVIZ_OK;
}

/* Reads exactly `size` bytes and checks that nothing follows. */
static dlviz_status read_exactly(const char *path, int descriptor, char *bytes, size_t size) {
    size_t used = 0;
    while (used <= size) {
        /* The last call has room for the closing zero byte: it finds the end, or a file that grew.
         */
        ssize_t got = read(descriptor, bytes + used, size - used + 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return dlz_fail_io("cannot read", path, errno);
        if (got == 0)
            break;
        used += (size_t)got;
    }
    if (used != size)
        return dlz_fail(DLVIZ_ERROR_IO, "cannot read '%s': its size changed while it was read",
                        path);
    bytes[size] = '\0';
    return DLVIZ_OK;
}

dlviz_status dlz_file_read(const char *path, int64_t limit, void **bytes, size_t *size) {
    *bytes = NULL;
    *size = 0;
    int descriptor;
    int64_t length;
    DLZ_TRY(dlz_file_open(path, &descriptor, &length));
    dlviz_status status = DLVIZ_OK;
    if (length == 0)
        status = dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is empty", path);
    else if (length > limit || (uint64_t)length >= SIZE_MAX)
        status = dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' has %lld bytes; at most %lld are accepted",
                          path, (long long)length, (long long)limit);
    char *block = NULL;
    if (status == DLVIZ_OK) {
        block = dlz_alloc((size_t)length + 1);
        status = block ? read_exactly(path, descriptor, block, (size_t)length)
                       : dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory: %lld bytes for '%s'",
                                  (long long)length, path);
    }
    close(descriptor);
    if (status != DLVIZ_OK) {
        dlz_free(block);
        return status;
    }
    *bytes = block;
    *size = (size_t)length;
    return DLVIZ_OK;
}
