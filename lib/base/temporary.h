/* base/temporary.h - the hidden file in which a new version of a file is written.
 *
 * It is called .dlviz-HASH-RANDOM.tmp, with a hash of the name it will get, and is locked by
 * whoever writes it. So the next one to write a file of that name finds what a killed program left
 * behind, and can tell it from what another program is writing at the moment: a lock ends with its
 * owner. */
#ifndef DLZ_TEMPORARY_H
#define DLZ_TEMPORARY_H

#include "base/base.h"

#include <sys/types.h>

/* A new file in the folder of `target`, open for writing and locked, of that mode but for the umask;
 * removes those that others left for the same target. `path` is for messages. *name (dlz_free) may be set after a failure, too. */
dlviz_status dlz_temporary_create(const char *target, const char *path, mode_t mode, char **name,
                                  int *descriptor);

/* A hash of a name (FNV-1a). */
uint64_t dlz_name_hash(const char *name);

#endif
