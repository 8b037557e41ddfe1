/* compact.h - JSON for people: an object's members have lines of their own, numbers of a list have one. */
#ifndef RUN_COMPACT_H
#define RUN_COMPACT_H

#include <dlviz.h>
#include <jansson.h>

dlviz_status write_compact(const json_t *object, const char *path);

#endif
