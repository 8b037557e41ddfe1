/* faults/inject_memory.c - malloc and what else gives memory, counted together. */
#include "inject.h"

#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Finding the real functions asks for memory itself: it comes from here and is never given back. */
static _Alignas(64) unsigned char arena[64 * 1024];
static atomic_size_t arena_used;
static _Thread_local bool searching;

static void *from_arena(size_t size, size_t alignment) {
    size_t room = size + (alignment > 16 ? alignment : 16);
    size_t at = atomic_fetch_add(&arena_used, (room + 15) & ~(size_t)15);
    if (at + room > sizeof arena)
        abort();
    uintptr_t place = (uintptr_t)arena + at;
    if (alignment > 16)
        place = (place + alignment - 1) & ~(uintptr_t)(alignment - 1);
    return (void *)place;
}

static bool in_arena(const void *block) {
    uintptr_t address = (uintptr_t)block, first = (uintptr_t)arena;
    return address >= first && address - first < sizeof arena;
}

static void *(*real_malloc)(size_t);
static void *(*real_calloc)(size_t, size_t);
static void *(*real_realloc)(void *, size_t);
static int (*real_posix_memalign)(void **, size_t, size_t);
static void *(*real_aligned_alloc)(size_t, size_t);
static void (*real_free)(void *);

/* Whether the real ones are known; the first call of a process comes long before its threads. */
static bool find_real(void) {
    if (real_free)
        return true;
    if (searching)
        return false;
    searching = true;
    real_malloc = inject_real("malloc");
    real_calloc = inject_real("calloc");
    real_realloc = inject_real("realloc");
    real_posix_memalign = inject_real("posix_memalign");
    real_aligned_alloc = inject_real("aligned_alloc");
    real_free = inject_real("free");
    searching = false;
    return true;
}

/* malloc(0), and a block made smaller to nothing, are counted like any other. */
#define FAIL_IF_DUE(result)                                                                        \
    do {                                                                                           \
        inject_fault fault = inject_next(CALL_malloc, true, NULL, __builtin_return_address(0));    \
        if (fault.what == FAULT_ERROR) {                                                           \
            errno = ENOMEM;                                                                        \
            return result;                                                                         \
        }                                                                                          \
    } while (0)

void *malloc(size_t size) {
    if (!find_real())
        return from_arena(size, 0);
    FAIL_IF_DUE(NULL);
    return real_malloc(size);
}

void *calloc(size_t count, size_t size) {
    if (!find_real())
        return from_arena(count * size, 0); /* zeros: static, and used once */
    FAIL_IF_DUE(NULL);
    return real_calloc(count, size);
}

void *realloc(void *block, size_t size) {
    if (!find_real() || in_arena(block)) {
        void *copy = searching ? from_arena(size, 0) : malloc(size);
        if (copy && block) {
            size_t rest = sizeof arena - (size_t)((unsigned char *)block - arena);
            memcpy(copy, block, size < rest ? size : rest);
        }
        return copy;
    }
    FAIL_IF_DUE(NULL);
    return real_realloc(block, size);
}

int posix_memalign(void **block, size_t alignment, size_t size) {
    if (!find_real()) {
        *block = from_arena(size, alignment);
        return 0;
    }
    inject_fault fault = inject_next(CALL_malloc, true, NULL, __builtin_return_address(0));
    if (fault.what == FAULT_ERROR)
        return ENOMEM;
    return real_posix_memalign(block, alignment, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    if (!find_real())
        return from_arena(size, alignment);
    FAIL_IF_DUE(NULL);
    return real_aligned_alloc(alignment, size);
}

void free(void *block) {
    if (block && !in_arena(block) && find_real())
        real_free(block);
}
