/* base/arena.h - many small blocks that are freed together: a block of dlz_alloc takes some 100 bytes more
 * than it has. */
#ifndef DLZ_ARENA_H
#define DLZ_ARENA_H

#include "base/base.h"

/* Starts as zeros. */
typedef struct dlz_arena {
    struct dlz_arena_page *last;
    size_t used, room; /* of the last page */
} dlz_arena;

/* Aligned as numbers of 8 bytes need; NULL when out of memory. */
void *dlz_arena_alloc(dlz_arena *arena, size_t size);
/* A copy that ends in a zero byte, or room for one. */
char *dlz_arena_room(dlz_arena *arena, size_t length);
char *dlz_arena_text(dlz_arena *arena, const char *text, size_t length);
void dlz_arena_release(dlz_arena *arena);

#endif
