/* base/room.h - memory that grows, whose contents are not kept when it does. */
#ifndef DLZ_ROOM_H
#define DLZ_ROOM_H

#include "base/base.h"

typedef struct dlz_room {
    void *data;
    size_t size;
} dlz_room;

/* Makes room for count x size bytes; `what` is for the sentence of a failure, which leaves it as it
 * was. */
static inline dlviz_status dlz_room_grow(dlz_room *room, uint64_t count, uint64_t size,
                                         const char *what) {
    size_t bytes;
    bool fits = !dlz_mul_overflows(count, size, &bytes);
    if (fits && bytes <= room->size)
        return DLVIZ_OK;
    void *data = fits ? dlz_alloc(bytes) : NULL;
    if (!data)
        return dlz_fail_memory(what, count * size);
    dlz_free(room->data);
    *room = (dlz_room){data, bytes};
    return DLVIZ_OK;
}

#endif
