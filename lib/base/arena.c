#include "base/arena.h"

#include <string.h>

enum { FIRST_PAGE = 1 << 10, LARGEST_PAGE = 1 << 18, STEP = 8 };

typedef struct dlz_arena_page {
    struct dlz_arena_page *before;
    _Alignas(STEP) char bytes[];
} dlz_arena_page;

/* Pages double, so that few names take little and many take few pages. */
static bool add_page(dlz_arena *arena, size_t least) {
    size_t room = 2 * arena->room, size;
    room = room < FIRST_PAGE ? FIRST_PAGE : room > LARGEST_PAGE ? LARGEST_PAGE : room;
    room = room < least ? least : room;
    if (dlz_add_overflows(room, STEP - 1, &room))
        return false;
    room = room / STEP * STEP;
    dlz_arena_page *page = dlz_add_overflows(room, sizeof *page, &size) ? NULL : dlz_alloc(size);
    if (!page)
        return false;
    page->before = arena->last;
    *arena = (dlz_arena){page, 0, room};
    return true;
}

static char *take(dlz_arena *arena, size_t size) {
    if (size > arena->room - arena->used && !add_page(arena, size))
        return NULL;
    char *block = arena->last ? arena->last->bytes + arena->used : NULL;
    arena->used += size;
    return block;
}

/* Every page begins on such a boundary, and has so many bytes. */
void *dlz_arena_alloc(dlz_arena *arena, size_t size) {
    size_t over = arena->used % STEP;
    arena->used += over > 0 ? STEP - over : 0;
    if (size == 0 && !arena->last)
        size = STEP;
    return take(arena, size);
}

char *dlz_arena_room(dlz_arena *arena, size_t length) {
    char *room = take(arena, length + 1);
    if (room)
        room[length] = '\0';
    return room;
}

char *dlz_arena_text(dlz_arena *arena, const char *text, size_t length) {
    char *copy = dlz_arena_room(arena, length);
    return copy ? memcpy(copy, text, length) : NULL;
}

void dlz_arena_release(dlz_arena *arena) {
    while (arena->last) {
        dlz_arena_page *before = arena->last->before;
        dlz_free(arena->last);
        arena->last = before;
    }
    *arena = (dlz_arena){NULL, 0, 0};
}
