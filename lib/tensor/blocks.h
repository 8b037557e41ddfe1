/* tensor/blocks.h - blocks of memory that are kept when they are no longer used, so that those who take
 * and give back one after another allocate only where more are in use at once than before. */
#ifndef DLZ_BLOCKS_H
#define DLZ_BLOCKS_H

#include <stdatomic.h>
#include <stddef.h>

/* More than these are not kept. */
enum { DLZ_BLOCKS_MOST = 64 };

/* Zeros: there are none yet. */
typedef struct dlz_blocks {
    _Atomic(void *) kept[DLZ_BLOCKS_MOST];
} dlz_blocks;

/* Several threads may take blocks and give them back at the same time. NULL when out of memory. */
void *dlz_blocks_take(dlz_blocks *blocks, size_t size);
/* To those that it was taken from. NULL is allowed. */
void dlz_blocks_give_back(void *block);
/* Frees all that were given back. */
void dlz_blocks_release(dlz_blocks *blocks);

#endif
