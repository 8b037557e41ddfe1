#include "tensor/mapping.h"
#include "base/again.h"
#include "base/cancel.h"
#include "base/file.h"
#include "tensor/pages.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MAP_NORESERVE /* FreeBSD never reserves */
#define MAP_NORESERVE 0
#endif

static atomic_size_t large = DLZ_PAGES_LEAST;

void dlz_mapping_set_large(size_t size) {
    atomic_store(&large, size);
}

static dlviz_status check_size(const char *path, int descriptor, int64_t size, const char *reader) {
    struct stat info;
    if (size < 0 && DLZ_AGAIN(fstat(descriptor, &info)) == 0 && S_ISREG(info.st_mode))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is empty", path);
    if (size < 0)
        return dlz_fail(DLVIZ_ERROR_IO, "cannot map '%s': it is a pipe; %s reads it", path, reader);
    if ((uint64_t)size > PTRDIFF_MAX)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "cannot map '%s': %lld bytes are too many", path,
                        (long long)size);
    return DLVIZ_OK;
}

/* Pages that are written to become copies. Room for these is not set aside for the whole file, which may
 * be larger than memory. */
static dlviz_status map(dlz_mapping *mapping, const char *path, int64_t size) {
    void *address = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
                         mapping->descriptor, 0);
    if (address == MAP_FAILED)
        return dlz_fail_io("cannot map", path, errno);
    mapping->address = address;
    mapping->size = (size_t)size;
    if (mapping->size >= atomic_load(&large)) {
        mapping->blocks = dlz_alloc_zero(sizeof *mapping->blocks);
        return mapping->blocks ? DLVIZ_OK
                               : dlz_fail_memory("a mapped file", sizeof *mapping->blocks);
    }
    close(mapping->descriptor);
    mapping->descriptor = -1;
    return DLVIZ_OK;
}

dlviz_status dlz_mapping_open(dlz_mapping **out, const char *path, const char *reader) {
    DLZ_NOT_CANCELLED;
    *out = NULL;
    dlz_mapping *mapping = dlz_alloc_zero(sizeof *mapping);
    if (!mapping)
        return dlz_fail_memory("a mapped file", sizeof *mapping);
    mapping->descriptor = -1;
    mapping->path = dlz_strdup(path);
    int64_t size = 0;
    dlviz_status status =
        mapping->path ? DLVIZ_OK : dlz_fail_memory("a mapped file", sizeof *mapping);
    if (status == DLVIZ_OK)
        status = dlz_file_open(path, &mapping->descriptor, &size);
    if (status == DLVIZ_OK)
        status = check_size(path, mapping->descriptor, size, reader);
    if (status == DLVIZ_OK)
        status = map(mapping, path, size);
    if (status != DLVIZ_OK)
        dlz_mapping_close(mapping);
    else
        *out = mapping;
    return status;
}

void dlz_mapping_close(dlz_mapping *mapping) {
    DLZ_NOT_CANCELLED;
    if (!mapping)
        return;
    if (mapping->address)
        munmap(mapping->address, mapping->size);
    if (mapping->descriptor >= 0)
        close(mapping->descriptor);
    if (mapping->blocks)
        dlz_blocks_release(mapping->blocks);
    dlz_free(mapping->blocks);
    dlz_free(mapping->path);
    dlz_free(mapping);
}

static void release(void *data, void *user) {
    (void)data;
    dlz_mapping_close(user);
}

dlviz_status dlz_mapping_wrap(dlviz_tensor **out, dlz_mapping *mapping, dlviz_dtype dtype, int ndim,
                              const int64_t *dims, size_t offset) {
    DLZ_TRY(dlviz_tensor_wrap(out, dtype, ndim, dims, mapping->address + offset, release, mapping));
    dlz_tensor_mark_file(*out, mapping);
    return DLVIZ_OK;
}
