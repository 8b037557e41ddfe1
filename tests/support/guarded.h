/* support/guarded.h - memory that ends where it ends: who reads or writes beyond it crashes. */
#ifndef DLZ_TESTS_GUARDED_H
#define DLZ_TESTS_GUARDED_H

#include "support/support.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct guarded_header {
    void *mapping;
    size_t size;
} guarded_header;

/* A block of `size` bytes in front of a page that nobody may touch, as near to it as the alignment,
 * a power of two, allows. */
static inline void *guarded_block(size_t size, size_t alignment) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE), head = sizeof(guarded_header) + alignment;
    size_t whole = (size + head + page - 1) / page * page + page;
    char *mapping = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping == MAP_FAILED)
        return NULL;
    ck_assert_int_eq(mprotect(mapping + whole - page, page, PROT_NONE), 0);
    char *block = mapping + ((whole - page - size) & ~(alignment - 1));
    guarded_header header = {mapping, whole};
    memcpy(block - sizeof header, &header, sizeof header);
    return block;
}

static inline void guarded_free(void *block) {
    guarded_header header;
    memcpy(&header, (char *)block - sizeof header, sizeof header);
    ck_assert_int_eq(munmap(header.mapping, header.size), 0);
}

/* With nothing at all between the last number and the page. */
static inline float *guarded_floats(int64_t count) {
    float *block = guarded_block((size_t)count * sizeof *block, sizeof *block);
    ck_assert_ptr_nonnull(block);
    return block;
}

static inline void *guarded_alloc(size_t size, void *user) {
    (void)user;
    return guarded_block(size, _Alignof(max_align_t));
}

static inline void guarded_release(void *block, void *user) {
    (void)user;
    guarded_free(block);
}

/* From here on the library's own blocks are such, but for the few bytes by which it aligns them. */
static inline void guard_memory(void) {
    ck_ok(dlviz_set_allocator(guarded_alloc, guarded_release, NULL));
}

#endif
