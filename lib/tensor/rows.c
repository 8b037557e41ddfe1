#include "tensor/rows.h"
#include "base/again.h"
#include "base/base.h"
#include "base/cancel.h"
#include "tensor/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* What the kernel fetches at one request may be as little as this. */
#define REQUEST ((size_t)128 << 10)

/* The large file that elements are read from, or NULL. */
static const dlz_mapping *file_of(const dlviz_tensor *tensor) {
    const dlz_mapping *file = dlz_tensor_unwritten_file(tensor);
    return file && file->descriptor >= 0 ? file : NULL;
}

bool dlz_rows_are_read(const dlviz_tensor *tensor) {
    return file_of(tensor) != NULL;
}

size_t dlz_row_size(const dlviz_tensor *tensor) {
    return (size_t)(tensor->size / tensor->dims[0]) * dlviz_dtype_size(tensor->dtype);
}

static dlviz_status read_bytes(const dlz_mapping *file, size_t offset, size_t size, char *to) {
    DLZ_NOT_CANCELLED;
    for (size_t done = 0; done < size;) {
        ssize_t got =
            DLZ_AGAIN(pread(file->descriptor, to + done, size - done, (off_t)(offset + done)));
        if (got < 0)
            return dlz_fail_io("cannot read", file->path, errno);
        if (got == 0)
            return dlz_fail(DLVIZ_ERROR_IO,
                            "cannot read '%s': it has become shorter than the %zu bytes that it "
                            "had when it was mapped",
                            file->path, file->size);
        done += (size_t)got;
    }
    return DLVIZ_OK;
}

dlviz_status dlz_tensor_get(const dlviz_tensor *tensor, int64_t first, int64_t count, void *to) {
    const dlz_mapping *file = file_of(tensor);
    size_t width = dlviz_dtype_size(tensor->dtype), size = (size_t)count * width;
    const unsigned char *at = (const unsigned char *)tensor->data + (size_t)first * width;
    if (file)
        return read_bytes(file, (size_t)(at - file->address), size, to);
    memcpy(to, at, size);
    return DLVIZ_OK;
}

dlviz_status dlz_row_fetch(const dlviz_tensor *tensor, int64_t row, const void **at, void **block) {
    size_t size = dlz_row_size(tensor);
    const dlz_mapping *file = file_of(tensor);
    *block = NULL;
    *at = (const char *)tensor->data + (size_t)row * size;
    if (!file)
        return DLVIZ_OK;
    void *room = dlz_blocks_take(file->blocks, size);
    if (!room)
        return dlz_fail_memory("a row of a file", size);
    dlviz_status status =
        read_bytes(file, (size_t)((const unsigned char *)*at - file->address), size, room);
    if (status != DLVIZ_OK) {
        dlz_blocks_give_back(room);
        return status;
    }
    *at = *block = room;
    return DLVIZ_OK;
}

void dlz_row_done(void *block) {
    dlz_blocks_give_back(block);
}

void dlz_rows_expect(const dlviz_tensor *tensor, int64_t first, int64_t count) {
    const dlz_mapping *file = file_of(tensor);
    if (!file || count < 1)
        return;
#ifdef POSIX_FADV_WILLNEED
    size_t row = dlz_row_size(tensor), size = (size_t)count * row;
    size_t from =
        (size_t)((const unsigned char *)tensor->data - file->address) + (size_t)first * row;
    for (size_t at = 0; at < size; at += REQUEST)
        (void)posix_fadvise(file->descriptor, (off_t)(from + at),
                            (off_t)(size - at < REQUEST ? size - at : REQUEST),
                            POSIX_FADV_WILLNEED);
#endif
}
