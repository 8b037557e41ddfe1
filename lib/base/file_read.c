/* Files and pipes read whole. */
#include "base/again.h"
#include "base/file.h"
#include "base/cancel.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIRST_BLOCK = 1 << 15 };

size_t dlz_folder_length(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static const char *kind_of(mode_t mode) {
    return S_ISDIR(mode) ? "a folder" : S_ISFIFO(mode) ? "a pipe" : "a device or socket";
}

/* A device might wait for ever merely on being opened, so that is done without waiting; a FIFO must
 * wait, as its writer would find nobody if it were opened and closed again. */
static dlviz_status open_file(const char *path, bool fifo, bool pipes, int *descriptor,
                              int64_t *size) {
    struct stat info;
    int waiting = fifo ? 0 : O_NONBLOCK;
    int opened = DLZ_AGAIN(open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | waiting));
    if (opened < 0)
        return dlz_fail_io("cannot open", path, errno);
    dlviz_status status = DLVIZ_OK;
    if (DLZ_AGAIN(fstat(opened, &info)) != 0)
        status = dlz_fail_io("cannot read", path, errno);
    else if (!S_ISREG(info.st_mode) && !(fifo && S_ISFIFO(info.st_mode)))
        status = dlz_fail(DLVIZ_ERROR_IO, "cannot read '%s': it is %s, not a regular file%s", path,
                          kind_of(info.st_mode), pipes ? " or a pipe" : "");
    if (status != DLVIZ_OK) {
        close(opened);
        return status;
    }
    *descriptor = opened;
    *size = S_ISFIFO(info.st_mode) ? -1 : info.st_size;
    return DLVIZ_OK;
}

dlviz_status dlz_file_open(const char *path, int *descriptor, int64_t *size) {
    DLZ_NOT_CANCELLED;
    struct stat info;
    bool fifo = DLZ_AGAIN(stat(path, &info)) == 0 && S_ISFIFO(info.st_mode);
    DLZ_TRY(open_file(path, fifo, true, descriptor, size));
    *size = *size > 0 ? *size : -1;
    return DLVIZ_OK;
}

dlviz_status dlz_file_open_regular(const char *path, int *descriptor, int64_t *size) {
    DLZ_NOT_CANCELLED;
    return open_file(path, false, false, descriptor, size);
}

dlviz_status dlz_file_find(const char *path, bool *exists) {
    *exists = DLZ_AGAIN(faccessat(AT_FDCWD, path, F_OK, AT_EACCESS)) == 0;
    return *exists || errno == ENOENT || errno == ENOTDIR ? DLVIZ_OK
                                                          : dlz_fail_io("cannot read", path, errno);
}

dlviz_status dlz_folder_check(const char *path) {
    DLZ_NOT_CANCELLED;
    struct stat info;
    if (DLZ_AGAIN(stat(path, &info)) != 0) {
        bool missing = errno == ENOENT || errno == ENOTDIR;
        dlviz_status status = dlz_fail_io("cannot read the folder", path, errno);
        return missing ? dlz_fail(DLVIZ_ERROR_NOT_FOUND, "there is no folder '%s'", path) : status;
    }
    return S_ISDIR(info.st_mode)
               ? DLVIZ_OK
               : dlz_fail(DLVIZ_ERROR_NOT_FOUND, "'%s' is %s, not a folder", path,
                          S_ISREG(info.st_mode) ? "a file" : kind_of(info.st_mode));
}

/* Reads up to `size` bytes; fewer only at the end. */
static dlviz_status read_up_to(const char *path, int descriptor, char *bytes, size_t size,
                               size_t *used) {
    *used = 0;
    while (*used < size) {
        ssize_t got = DLZ_AGAIN(read(descriptor, bytes + *used, size - *used));
        if (got < 0)
            return dlz_fail_io("cannot read", path, errno);
        if (got == 0)
            break;
        *used += (size_t)got;
    }
    return DLVIZ_OK;
}

static dlviz_status no_memory(const char *path, uint64_t size) {
    return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "out of memory: %llu bytes for '%s'",
                    (unsigned long long)size, path);
}

/* One byte more than announced is asked for: it finds the end, or a file that grew. */
static dlviz_status read_file(const char *path, int descriptor, int64_t length, int64_t limit,
                              void **bytes, size_t *size) {
    if (length == 0)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is empty", path);
    if (length > limit || (uint64_t)length >= SIZE_MAX)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' has %lld bytes; at most %lld are accepted", path,
                        (long long)length, (long long)limit);
    char *block = dlz_alloc((size_t)length + 1);
    if (!block)
        return no_memory(path, (uint64_t)length);
    size_t used;
    dlviz_status status = read_up_to(path, descriptor, block, (size_t)length + 1, &used);
    if (status == DLVIZ_OK && used != (size_t)length)
        status =
            dlz_fail(DLVIZ_ERROR_IO, "cannot read '%s': its size changed while it was read", path);
    if (status != DLVIZ_OK) {
        dlz_free(block);
        return status;
    }
    block[used] = '\0';
    *bytes = block;
    *size = used;
    return DLVIZ_OK;
}

static dlviz_status read_first(const char *path, int descriptor, int64_t most, void **bytes,
                               size_t *size) {
    char *block = dlz_alloc_array((uint64_t)most + 1, 1);
    if (!block)
        return no_memory(path, (uint64_t)most + 1);
    dlviz_status status = read_up_to(path, descriptor, block, (size_t)most, size);
    if (status != DLVIZ_OK) {
        dlz_free(block);
        return status;
    }
    block[*size] = '\0';
    *bytes = block;
    return DLVIZ_OK;
}

static dlviz_status read_to_end(const char *path, int descriptor, int64_t limit, char **block,
                                size_t *size) {
    *size = 0;
    size_t most = (uint64_t)limit < SIZE_MAX - 1 ? (size_t)limit + 2 : SIZE_MAX;
    size_t room = most < FIRST_BLOCK ? most : FIRST_BLOCK;
    for (;; room = room < most / 2 ? room * 2 : most) {
        char *larger = dlz_alloc(room);
        if (!larger)
            return no_memory(path, room);
        if (*block)
            memcpy(larger, *block, *size);
        dlz_free(*block);
        *block = larger;
        size_t got;
        DLZ_TRY(read_up_to(path, descriptor, larger + *size, room - *size, &got));
        *size += got;
        if ((uint64_t)*size > (uint64_t)limit)
            return dlz_fail(DLVIZ_ERROR_FORMAT,
                            "'%s' goes on after %lld bytes; at most so many "
                            "are accepted",
                            path, (long long)limit);
        if (*size < room)
            return DLVIZ_OK;
    }
}

/* A pipe may never end, and a system that promises more memory than it has would end the program:
 * so a quarter of the machine's is the most, as growing takes some twice. */
static int64_t most_of_a_pipe(void) {
    long pages = sysconf(_SC_PHYS_PAGES), size = sysconf(_SC_PAGESIZE);
    return pages > 0 && size > 0 ? (int64_t)pages / 4 * size : INT64_MAX;
}

dlviz_status dlz_pipe_read(const char *path, int descriptor, int64_t limit, void **bytes,
                           size_t *size) {
    DLZ_NOT_CANCELLED;
    char *block = NULL;
    limit = dlz_min_i64(limit, most_of_a_pipe());
    dlviz_status status = read_to_end(path, descriptor, limit, &block, size);
    if (status == DLVIZ_OK && *size == 0)
        status = dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is empty", path);
    if (status != DLVIZ_OK) {
        dlz_free(block);
        block = NULL;
    } else {
        block[*size] = '\0';
    }
    *bytes = block;
    return status;
}

dlviz_status dlz_file_read(const char *path, int64_t limit, void **bytes, size_t *size) {
    DLZ_NOT_CANCELLED;
    *bytes = NULL;
    *size = 0;
    int descriptor;
    int64_t length;
    DLZ_TRY(dlz_file_open(path, &descriptor, &length));
    dlviz_status status = length < 0 ? dlz_pipe_read(path, descriptor, limit, bytes, size)
                                     : read_file(path, descriptor, length, limit, bytes, size);
    close(descriptor);
    return status;
}

dlviz_status dlz_file_read_start(const char *path, int64_t most, int64_t limit, void **bytes,
                                 size_t *size, bool *whole) {
    DLZ_NOT_CANCELLED;
    *bytes = NULL;
    *size = 0;
    int descriptor;
    int64_t length;
    DLZ_TRY(dlz_file_open_regular(path, &descriptor, &length));
    *whole = length <= most;
    dlviz_status status = *whole || length > limit
                              ? read_file(path, descriptor, length, limit, bytes, size)
                              : read_first(path, descriptor, most, bytes, size);
    close(descriptor);
    return status;
}
