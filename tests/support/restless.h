/* support/restless.h - a number of threads that changes at every allocation, as another thread of the
 * program may change it at any time, and blocks that end where no memory is: who asks twice for the number,
 * once for memory and once for work, writes there. */
#ifndef DLZ_TESTS_RESTLESS_H
#define DLZ_TESTS_RESTLESS_H

#include "support/support.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>

/* No worker's part of a block is so large that it could lie behind the guard; where addresses are scarce,
 * most are not. */
enum {
    RESTLESS_GUARD = sizeof(void *) > 4 ? 16 << 20 : 1 << 18,
    RESTLESS_PAGE = 1 << 16,
    RESTLESS_MOST_THREADS = 7
};

static atomic_uint_fast64_t restless_calls;

/* Before each block stand where its pages begin and how many bytes they are. */
typedef struct restless_head {
    void *pages;
    size_t size;
} restless_head;

static void restless_change(void) {
    uint64_t at = (atomic_fetch_add(&restless_calls, 1) + 1) * UINT64_C(0x9E3779B97F4A7C15);
    if (dlviz_set_num_threads(1 + (int64_t)((at >> 33) % RESTLESS_MOST_THREADS)) != DLVIZ_OK)
        abort();
}

static void *restless_alloc(size_t size, void *user) {
    (void)user;
    size_t aligned = (size + 15) / 16 * 16, room = aligned + sizeof(restless_head);
    size_t whole = (room + RESTLESS_PAGE - 1) / RESTLESS_PAGE * RESTLESS_PAGE;
    char *pages = mmap(NULL, whole + RESTLESS_GUARD, PROT_NONE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (pages == MAP_FAILED)
        return NULL;
    if (mprotect(pages, whole, PROT_READ | PROT_WRITE) != 0) {
        munmap(pages, whole + RESTLESS_GUARD);
        return NULL;
    }
    restless_change();
    char *block = pages + whole - aligned;
    ((restless_head *)(void *)block)[-1] = (restless_head){pages, whole + RESTLESS_GUARD};
    return block;
}

static void restless_free(void *block, void *user) {
    (void)user;
    restless_head head = ((restless_head *)block)[-1];
    munmap(head.pages, head.size);
}

/* To be called while the library holds no memory; so is the other one. `seed` picks the numbers. */
static inline void begin_restlessness(uint64_t seed) {
    atomic_store(&restless_calls, seed * 1000);
    ck_ok(dlviz_set_allocator(restless_alloc, restless_free, NULL));
}

static inline void end_restlessness(void) {
    ck_ok(dlviz_set_allocator(NULL, NULL, NULL));
    ck_ok(dlviz_set_num_threads(0));
}

#endif
