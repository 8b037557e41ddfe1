/* graph/memory.h - the memory that a network's plans run in. */
#ifndef DLZ_GRAPH_MEMORY_H
#define DLZ_GRAPH_MEMORY_H

#include "graph/op.h"
#include "graph/placement.h"

/* One block for the buffers of whichever plan runs, and the scratch memory of the workers. What it
 * holds is lost when another plan runs. */
typedef struct dlz_workspace {
    char *block, *scratch;
    size_t block_size, scratch_size;
    uint64_t moves; /* how often the block has got another address */
} dlz_workspace;

void dlz_workspace_release(dlz_workspace *workspace);

/* A buffer that stays, at an offset in the block that its operation has for such. */
typedef struct dlz_kept_request {
    void *slot;
    size_t offset;
} dlz_kept_request;

/* The buffers of one plan: asked for, then placed. */
struct dlz_memory {
    dlz_request *requests;
    int count, capacity;
    size_t block_size;
    size_t scratch_size; /* of one worker */
    uint64_t moves;      /* the workspace's when the slots were set; 0: never */
    dlz_kept_request *kept;
    int num_kept, kept_capacity;
    size_t kept_size; /* of the operation that asks */
};

/* Forgets all requests. */
void dlz_memory_restart(dlz_memory *memory);
/* Gives all requests their places in a block. */
dlviz_status dlz_memory_place(dlz_memory *memory);
/* Sees to it that the workspace holds what was placed, for so many workers, and that the slots
 * point into it. Blocks only grow. On failure the earlier blocks are gone; the next call tries
 * again. */
dlviz_status dlz_memory_settle(dlz_memory *memory, dlz_workspace *workspace, int workers);
void dlz_memory_release(dlz_memory *memory);

#endif
