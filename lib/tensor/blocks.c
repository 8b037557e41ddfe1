#include "tensor/blocks.h"
#include "base/base.h"

/* What stands before a block. */
typedef union head {
    struct {
        dlz_blocks *owner;
        size_t size;
    } block;
    max_align_t aligned;
} head;

static head *allocate(size_t size) {
    size_t whole;
    return dlz_add_overflows(size, sizeof(head), &whole) ? NULL : dlz_alloc(whole);
}

void *dlz_blocks_take(dlz_blocks *blocks, size_t size) {
    head *found = NULL;
    for (int i = 0; i < DLZ_BLOCKS_MOST && !found; i++)
        found = atomic_exchange(&blocks->kept[i], NULL);
    if (found && found->block.size < size) {
        dlz_free(found);
        found = NULL;
    }
    if (!found) {
        found = allocate(size);
        if (!found)
            return NULL;
        found->block.owner = blocks;
        found->block.size = size;
    }
    return found + 1;
}

void dlz_blocks_give_back(void *block) {
    if (!block)
        return;
    head *given = (head *)block - 1;
    dlz_blocks *blocks = given->block.owner;
    for (int i = 0; i < DLZ_BLOCKS_MOST; i++) {
        void *none = NULL;
        if (atomic_compare_exchange_strong(&blocks->kept[i], &none, given))
            return;
    }
    dlz_free(given);
}

void dlz_blocks_release(dlz_blocks *blocks) {
    for (int i = 0; i < DLZ_BLOCKS_MOST; i++)
        dlz_free(atomic_exchange(&blocks->kept[i], NULL));
}
