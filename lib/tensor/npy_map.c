/* A .npy file used where it lies: its pages become a tensor's storage. */
#include "base/file.h"
#include "tensor/npy.h"
#include "tensor/tensor.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_NORESERVE /* FreeBSD never reserves */
#define MAP_NORESERVE 0
#endif

typedef struct mapping {
    void *address;
    size_t size;
} mapping;

static void unmap(void *data, void *user) {
    (void)data;
    mapping *map = user;
    munmap(map->address, map->size);
    dlz_free(map);
}

/* Pages that are written to become copies. Room for these is not set aside for the whole file, which may
 * be larger than memory. */
static dlviz_status map_file(const char *path, mapping *map) {
    int descriptor;
    int64_t size;
    DLZ_TRY(dlz_file_open(path, &descriptor, &size));
    dlviz_status status = DLVIZ_OK;
    if (size < 0)
        status = dlz_fail(DLVIZ_ERROR_IO,
                          "cannot map '%s': it is a pipe; dlviz_tensor_read_npy reads it", path);
    else if (size == 0)
        status = dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is empty", path);
    else if ((uint64_t)size > PTRDIFF_MAX)
        status = dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "cannot map '%s': %lld bytes are too many",
                          path, (long long)size);
    void *address = MAP_FAILED;
    if (status == DLVIZ_OK) {
        address = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE,
                       descriptor, 0);
        if (address == MAP_FAILED)
            status = dlz_fail_io("cannot map", path, errno);
    }
    close(descriptor);
    *map = (mapping){address, status == DLVIZ_OK ? (size_t)size : 0};
    return status;
}

static dlviz_status check_usable(const dlz_npy_header *header) {
    size_t element = dlz_element_size(header->element);
    const char *why = header->element != dlz_element_of_dtype(dlz_element_dtype(header->element))
                          ? "float32, uint8 and int64 are"
                      : header->fortran && header->ndim > 1
                          ? "it is in Fortran order, and C order is"
                      : !dlz_npy_is_a_tensors(header) ? "it is in the other byte order"
                      : header->offset % element != 0 ? "its elements are not aligned"
                                                      : NULL;
    if (!why)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                    "the array cannot be used as it lies in the file (%s); dlviz_tensor_read_npy "
                    "reads it",
                    why);
}

static dlviz_status wrap(dlviz_tensor **out, const mapping *map) {
    dlz_npy_header header = {0};
    DLZ_TRY(dlz_npy_parse(map->address, map->size, &header));
    DLZ_TRY(check_usable(&header));
    mapping *kept = dlz_alloc(sizeof *kept);
    if (!kept)
        return dlz_fail_memory("a mapped file", sizeof *kept);
    *kept = *map;
    dlviz_status status =
        dlviz_tensor_wrap(out, dlz_element_dtype(header.element), header.ndim, header.dims,
                          (unsigned char *)map->address + header.offset, unmap, kept);
    if (status == DLVIZ_OK)
        dlz_tensor_mark_file(*out);
    else
        dlz_free(kept);
    return status;
}

dlviz_status dlviz_tensor_map_npy(dlviz_tensor **out, const char *path) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(path);
    mapping map;
    DLZ_TRY(map_file(path, &map));
    dlviz_status status = wrap(out, &map);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    munmap(map.address, map.size);
    return dlz_fail_within(status, "cannot map '%s'", path);
}
