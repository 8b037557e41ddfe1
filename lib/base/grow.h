/* base/grow.h - lists that grow by an item at a time, however many there will be. */
#ifndef DLZ_GROW_H
#define DLZ_GROW_H

#include "base/base.h"

/* How many items a list of so many has room for, which its length alone tells: the next power of two. */
static inline uint64_t dlz_list_room(uint64_t count) {
    uint64_t room = count > 0;
    while (room < count && room <= UINT64_MAX / 2)
        room *= 2;
    return room;
}

/* The list of `count` items of `size` bytes, NULL at first, with room for `more` others; NULL when out of
 * memory, and the old one stays. All that makes it longer has to go through here. */
static inline void *dlz_list_grow(void *items, int64_t count, int64_t more, size_t size) {
    uint64_t wanted = (uint64_t)count + (uint64_t)more, room = dlz_list_room(wanted);
    return items && room == dlz_list_room((uint64_t)count) ? items
                                                           : dlz_realloc_array(items, room, size);
}

#endif
