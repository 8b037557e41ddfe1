/* mark.h - short marks by which files tell what they belong to: 64 bits, FNV-1a. They find mistakes, and no forgery. */
#ifndef RUN_MARK_H
#define RUN_MARK_H

#include <stddef.h>
#include <stdint.h>

/* Of no bytes. */
#define MARK_OF_NOTHING UINT64_C(0xcbf29ce484222325)

/* Of what `mark` is of, and these bytes behind it. */
static inline uint64_t mark_more(uint64_t mark, const void *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        mark = (mark ^ ((const unsigned char *)bytes)[i]) * UINT64_C(0x100000001b3);
    return mark;
}

#endif
