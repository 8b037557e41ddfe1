/* base/file.h - files read whole, and files written so that a failure leaves no half of one. */
#ifndef DLZ_FILE_H
#define DLZ_FILE_H

#include "base/base.h"

/* A file being written. Bytes go to a new temporary file in the target's folder; dlz_file_commit
 * puts it in the target's place, so a reader sees the earlier file or the whole new one. The first
 * failure is kept: later writes repeat it and commit reports it, so one check at the end is enough.
 */
typedef struct dlz_file dlz_file;

/* The target may exist: a regular file, or a link to one, is replaced and keeps its permissions, owner,
 * group and access list as far as that is permitted; anything else (folder, device, FIFO) is refused,
 * and so is a link of somebody who is no owner of the folder (base/replaced.h). */
dlviz_status dlz_file_create(dlz_file **out, const char *path);
/* The same functions, but the bytes stay in memory: dlz_file_commit sets *bytes (dlz_free) and *size,
 * which until then, and after a failure, are NULL and 0. */
dlviz_status dlz_file_create_memory(dlz_file **out, void **bytes, size_t *size);
/* How many bytes will be written, where that is known: a file in memory then grows but once. */
void dlz_file_expect(dlz_file *file, size_t size);
dlviz_status dlz_file_write(dlz_file *file, const void *bytes, size_t size);
/* Real numbers have a point in any locale. */
dlviz_status dlz_file_printf(dlz_file *file, const char *format, ...) DLZ_PRINTF(2, 3);
/* Writes what is left and flushes it to the disk: then only the renaming is left to commit. */
dlviz_status dlz_file_complete(dlz_file *file);
/* Completes the file and renames it. Ends `file` whatever the outcome; after a
 * failure the temporary file is gone and the target is as it was. */
dlviz_status dlz_file_commit(dlz_file *file);
/* Removes the temporary file; NULL is allowed. Keeps dlviz_last_error(). */
void dlz_file_discard(dlz_file *file);

/* rename(2) that no signal interrupts. */
int dlz_rename(const char *from, const char *to);

/* The part of a path up to and including its last '/'. */
size_t dlz_folder_length(const char *path);

/* Whether there is something of this name. Fails with DLVIZ_ERROR_IO where nobody can tell. */
dlviz_status dlz_file_find(const char *path, bool *exists);
/* Fails unless there is a folder of this name: for whoever has not found a file in it. */
dlviz_status dlz_folder_check(const char *path);

/* Opens a regular file, or a pipe or FIFO, for reading; *size is -1 for those, and for a file that says
 * it has no bytes, as those in /proc do: what such a file has is known when it is read to its end. Anything
 * else is an error. As in any program, opening a FIFO waits until somebody opens it for writing.
 *
 * That is for a file that the caller names. What is looked for in a folder, which may be somebody else's,
 * is opened by dlz_file_open_regular: nothing is waited for, whatever the path leads to, and a size of 0
 * is one. */
dlviz_status dlz_file_open(const char *path, int *descriptor, int64_t *size);
dlviz_status dlz_file_open_regular(const char *path, int *descriptor, int64_t *size);

/* Reads a file of 1 … limit bytes whole, or a pipe to its end. The block (dlz_free) is 64-byte
 * aligned and followed by a zero byte that *size does not count. On failure *bytes is NULL. */
dlviz_status dlz_file_read(const char *path, int64_t limit, void **bytes, size_t *size);
/* The same of a regular file only, so that nothing is waited for, whatever the path leads to; and of it
 * no more than the first `most` bytes. *whole: whether these are all. */
dlviz_status dlz_file_read_start(const char *path, int64_t most, int64_t limit, void **bytes,
                                 size_t *size, bool *whole);
/* The same of a pipe that is open already. */
dlviz_status dlz_pipe_read(const char *path, int descriptor, int64_t limit, void **bytes,
                           size_t *size);

#endif
