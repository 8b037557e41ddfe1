/* tensor/npz.h - zip archives as NumPy writes them: the directory, and the bytes of an entry.
 *
 * They are read here, with zlib, and not by libzip or minizip. What is needed of the format is the
 * directory and two ways of storing; zlib is there already. It takes memory from the replaceable
 * allocator, the bytes may be the caller's, and an entry is unpacked in two steps, so that the array's
 * own header is checked before memory is taken for its elements. */
#ifndef DLZ_NPZ_H
#define DLZ_NPZ_H

#include "base/names.h"
#include <dlviz/npz.h>

#include <stddef.h>

/* The bytes of an archive, in a file or in memory. */
typedef struct dlz_archive {
    int descriptor;              /* -1: in memory */
    const unsigned char *memory; /* or NULL */
    uint64_t size;
} dlz_archive;

typedef struct dlz_npz_entry {
    char *name;                /* of the array, UTF-8 */
    char *file;                /* as the archive has it */
    uint64_t start;            /* of its local header */
    uint64_t packed, unpacked; /* bytes */
    uint32_t checksum;
    int method, flags;
} dlz_npz_entry;

struct dlviz_npz {
    dlz_archive archive;
    void *block; /* what was copied into memory, or NULL */
    char *path;  /* NULL where it was opened in memory */
    dlz_npz_entry *entries;
    int64_t num_entries;
    dlz_names *names; /* of the arrays */
};

/* Numbers of a zip archive, which begin with the lowest byte. */
uint64_t dlz_zip_number(const unsigned char *bytes, int size);
/* Reads bytes that lie inside the archive: fails with DLVIZ_ERROR_FORMAT where they do not. */
dlviz_status dlz_archive_read(const dlz_archive *archive, uint64_t offset, void *bytes,
                              size_t size);
/* Fills in the entries of an archive that is open; after a failure, those that there are. */
dlviz_status dlz_npz_read_directory(dlviz_npz *npz);

/* As dlviz_npz_read, but truth values are the numbers 0 and 1, of float32, where uint8 is shares of
 * 255. */
dlviz_status dlz_npz_read_samples(const dlviz_npz *npz, const char *name, dlviz_tensor **tensor);

/* Reading an entry from front to end. */
typedef struct dlz_npz_stream dlz_npz_stream;
dlviz_status dlz_npz_stream_open(dlz_npz_stream **out, const dlz_archive *archive,
                                 const dlz_npz_entry *entry);
dlviz_status dlz_npz_stream_read(dlz_npz_stream *stream, void *bytes, size_t size);
/* Checks that all was read and that the checksum is right. */
dlviz_status dlz_npz_stream_finish(dlz_npz_stream *stream);
void dlz_npz_stream_close(dlz_npz_stream *stream);

#endif
