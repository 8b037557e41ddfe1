/* Bytes of an archive. */
#include "base/base.h"
#include "base/again.h"
#include "base/cancel.h"
#include "tensor/npz.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

uint64_t dlz_zip_number(const unsigned char *bytes, int size) {
    uint64_t number = 0;
    for (int i = size; i-- > 0;)
        number = number << 8 | bytes[i];
    return number;
}

/* As dlz_fail_io, but for the name of the file, which the caller knows. */
static dlviz_status cannot_read(void) {
    char reason[128];
    snprintf(reason, sizeof reason, "%m");
    return dlz_fail(DLVIZ_ERROR_IO, "it cannot be read: %s", reason);
}

dlviz_status dlz_archive_read(const dlz_archive *archive, uint64_t offset, void *bytes,
                              size_t size) {
    DLZ_NOT_CANCELLED;
    if (offset > archive->size || size > archive->size - offset)
        return dlz_fail(DLVIZ_ERROR_FORMAT,
                        "it is cut short or damaged: %zu bytes at byte %llu are beyond its end at "
                        "byte %llu",
                        size, (unsigned long long)offset, (unsigned long long)archive->size);
    if (archive->descriptor < 0) {
        memcpy(bytes, archive->memory + offset, size);
        return DLVIZ_OK;
    }
    for (size_t done = 0; done < size;) {
        ssize_t got = DLZ_AGAIN(
            pread(archive->descriptor, (char *)bytes + done, size - done, (off_t)(offset + done)));
        if (got < 0)
            return cannot_read();
        if (got == 0)
            return dlz_fail(DLVIZ_ERROR_IO, "it became shorter while it was read");
        done += (size_t)got;
    }
    return DLVIZ_OK;
}
