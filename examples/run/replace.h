/* replace.h - a file that is written whole, or not at all. */
#ifndef RUN_REPLACE_H
#define RUN_REPLACE_H

#include <stddef.h>

/* Writes a file, by way of a temporary one beside it. One that is there is replaced, also where a link
 * leads to it, and keeps its permissions, owner and group as far as they may be given; after a failure it
 * is as it was. Returns -1 with errno set. */
int replace_file(const char *path, const void *bytes, size_t size);

#endif
