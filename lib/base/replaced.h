/* base/replaced.h - the file that a new one takes the place of: where it is, and what of it stays.
 *
 * A symbolic link at the name is followed, so that what it leads to is replaced and not the link; but
 * only a link that the folder's owner, the superuser or the user of this process has made. Anybody else
 * who may write to the folder could lead the result elsewhere, over another file of this user. */
#ifndef DLZ_REPLACED_H
#define DLZ_REPLACED_H

#include "base/base.h"

#include <sys/types.h>

enum { DLZ_ACCESS_LIST_SIZE = 4096 };

typedef struct dlz_replaced {
    bool exists;
    mode_t mode;
    uid_t owner;
    gid_t group;
    ssize_t list_size; /* of its access list; 0: it has none; -1: nobody knows */
    char list[DLZ_ACCESS_LIST_SIZE];
} dlz_replaced;

/* Follows links from `path` to *target (dlz_free), which is set after failures, too, or NULL, and
 * refuses whatever a rename should not replace. */
dlviz_status dlz_replaced_find(const char *path, char **target, dlz_replaced *replaced);
/* Gives a new file, which nobody else can read yet, the owner, group, permissions and access list of
 * the one it replaces. Where an owner, a group or a list cannot be kept, nobody gets more than he had.
 * Does nothing where there is no such file. */
dlviz_status dlz_replaced_imitate(const dlz_replaced *replaced, const char *path, int descriptor);

#endif
