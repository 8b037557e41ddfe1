/* support/memory.h - how much memory the library holds at most. */
#ifndef DLZ_TESTS_MEMORY_H
#define DLZ_TESTS_MEMORY_H

#include "support/support.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

static int64_t memory_now, memory_most;
static pthread_mutex_t memory_lock = PTHREAD_MUTEX_INITIALIZER;

/* A block begins with its size, in as much room as keeps it aligned. */
static void *watched_alloc(size_t size, void *user) {
    (void)user;
    max_align_t *block = malloc(size + sizeof *block);
    if (!block)
        return NULL;
    *(size_t *)block = size;
    pthread_mutex_lock(&memory_lock);
    memory_now += (int64_t)size;
    memory_most = memory_now > memory_most ? memory_now : memory_most;
    pthread_mutex_unlock(&memory_lock);
    return block + 1;
}

static void watched_free(void *block, void *user) {
    (void)user;
    max_align_t *whole = (max_align_t *)block - 1;
    pthread_mutex_lock(&memory_lock);
    memory_now -= (int64_t) * (size_t *)whole;
    pthread_mutex_unlock(&memory_lock);
    free(whole);
}

/* To be called while the library holds no memory. */
static inline void watch_memory(void) {
    memory_now = memory_most = 0;
    ck_ok(dlviz_set_allocator(watched_alloc, watched_free, NULL));
}

/* Bytes held at most since watch_memory, after which nothing is watched; the library must have
 * given all back. */
static inline int64_t memory_watched(void) {
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
    ck_assert_int_eq(memory_now, 0);
    return memory_most;
}

#endif
