/* compact.h - JSON for people: an object's members have lines of their own, numbers of a list have one. */
#ifndef RUN_COMPACT_H
#define RUN_COMPACT_H

#include <jansson.h>

/* By way of a temporary name, so that an earlier file survives a failure. 0, or -1 with errno set. */
int write_compact(const json_t *object, const char *path);

#endif
