/* network/memory.h - one block of memory for all buffers of a plan. */
#ifndef DLZ_NETWORK_MEMORY_H
#define DLZ_NETWORK_MEMORY_H

#include "layers/op.h"

typedef struct dlz_request {
    void *slot;
    size_t bytes, offset;
    int first, last;
} dlz_request;

struct dlz_memory {
    dlz_request *requests;
    int count, capacity;
    char *block;
    size_t block_size;
    char *scratch;
    size_t scratch_size; /* of one worker */
    size_t scratch_total;
};

/* Forgets all requests; the blocks stay for reuse. */
void dlz_memory_restart(dlz_memory *memory);
/* Places all requests so that those needed at one time do not overlap, and sets their slots. Blocks
 * only grow. On failure the earlier blocks are gone and no slot may be used. */
dlviz_status dlz_memory_settle(dlz_memory *memory, int workers);
void dlz_memory_release(dlz_memory *memory);

#endif
