/* data/source.h - the bytes of a file, plain or gzip-compressed, on disk or in memory, read from front
 * to end. */
#ifndef DLZ_SOURCE_H
#define DLZ_SOURCE_H

#include "base/base.h"

typedef struct dlz_source dlz_source;

/* Opens a file or pipe; whether it is compressed is told from its first two bytes. `path` must live
 * as long as the source. */
dlviz_status dlz_source_open(dlz_source **out, const char *path);
/* The same of a file that was looked for in a folder: a regular one, and no pipe. */
dlviz_status dlz_source_open_regular(dlz_source **out, const char *path);
/* The same of bytes in memory, which `name` stands for in sentences. Both must live as long as the
 * source. */
dlviz_status dlz_source_open_memory(dlz_source **out, const char *name, const void *bytes,
                                    size_t size);
void dlz_source_close(dlz_source *source);

/* Reads exactly `size` bytes; fewer is DLVIZ_ERROR_FORMAT ("cut short"), as is a damaged stream. */
dlviz_status dlz_source_read(dlz_source *source, void *bytes, size_t size);
/* Fails unless everything has been read; checks what a compressed file ends with. */
dlviz_status dlz_source_finish(dlz_source *source);

/* Whether the bytes that are read are not those of the file. */
bool dlz_source_is_compressed(const dlz_source *source);

/* More bytes than this the file cannot hold: its size, or the most that such a file can decompress
 * to. */
int64_t dlz_source_bound(const dlz_source *source);

#endif
