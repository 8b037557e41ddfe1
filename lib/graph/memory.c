#include "graph/memory.h"
#include "base/base.h"

#include <string.h>

static size_t rounded(size_t bytes) {
    return (bytes + DLZ_ALIGNMENT - 1) / DLZ_ALIGNMENT * DLZ_ALIGNMENT;
}

void dlz_memory_restart(dlz_memory *memory) {
    memory->count = 0;
    memory->block_size = memory->scratch_size = 0;
    memory->moves = 0;
    memory->num_kept = 0;
    memory->kept_size = 0;
}

dlviz_status dlz_memory_ask(dlz_memory *memory, void *slot, size_t bytes, int first, int last) {
    if (memory->count == memory->capacity) {
        int capacity = memory->capacity ? 2 * memory->capacity : 64;
        dlz_request *requests =
            dlz_realloc_array(memory->requests, (uint64_t)capacity, sizeof *requests);
        if (!requests)
            return dlz_fail_memory("the memory plan", (uint64_t)capacity * sizeof *requests);
        memory->requests = requests;
        memory->capacity = capacity;
    }
    if (bytes > SIZE_MAX / 4) {
        memory->block_size = SIZE_MAX;
        return dlz_fail_memory("the activations of a batch", bytes);
    }
    memory->requests[memory->count] = (dlz_request){.slot = slot,
                                                    .bytes = rounded(bytes),
                                                    .first = first,
                                                    .last = last,
                                                    .number = memory->count};
    memory->count++;
    return DLVIZ_OK;
}

dlviz_status dlz_memory_ask_array(dlz_memory *memory, void *slot, int64_t count, size_t size,
                                  int first, int last) {
    size_t bytes;
    if (count < 0 || dlz_mul_overflows((uint64_t)count, size, &bytes))
        bytes = SIZE_MAX;
    return dlz_memory_ask(memory, slot, bytes, first, last);
}

void dlz_memory_ask_scratch(dlz_memory *memory, uint64_t bytes) {
    /* More than there can be is found out when the memory is taken. */
    size_t size = rounded(bytes > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)bytes);
    if (size > memory->scratch_size)
        memory->scratch_size = size;
}

dlviz_status dlz_memory_ask_kept(dlz_memory *memory, void *slot, int64_t count, size_t size) {
    size_t bytes;
    if (memory->num_kept == memory->kept_capacity) {
        int capacity = memory->kept_capacity ? 2 * memory->kept_capacity : 32;
        dlz_kept_request *kept = dlz_realloc_array(memory->kept, (uint64_t)capacity, sizeof *kept);
        if (!kept)
            return dlz_fail_memory("the memory plan", (uint64_t)capacity * sizeof *kept);
        memory->kept = kept;
        memory->kept_capacity = capacity;
    }
    if (count < 0 || dlz_mul_overflows((uint64_t)count, size, &bytes) || bytes > SIZE_MAX / 4 ||
        memory->kept_size > SIZE_MAX / 4)
        return dlz_fail_memory("weights made ready to run", SIZE_MAX);
    memory->kept[memory->num_kept++] = (dlz_kept_request){slot, memory->kept_size};
    memory->kept_size += rounded(bytes);
    return DLVIZ_OK;
}

dlviz_status dlz_memory_place(dlz_memory *memory) {
    return dlz_place(memory->requests, memory->count, &memory->block_size);
}

/* A block of at least this size; the old one is freed first, so that both never exist together. */
static dlviz_status grow(char **block, size_t *size, size_t wanted, const char *what) {
    dlz_free(*block);
    *size = 0;
    *block = dlz_alloc(wanted);
    if (!*block)
        return dlz_fail_memory(what, wanted);
    *size = wanted;
    return DLVIZ_OK;
}

dlviz_status dlz_memory_settle(dlz_memory *memory, dlz_workspace *workspace, int workers) {
    size_t scratch;
    if (dlz_mul_overflows(memory->scratch_size, (uint64_t)workers, &scratch))
        return dlz_fail_memory("the threads' scratch memory", SIZE_MAX);
    if (!workspace->block || workspace->block_size < memory->block_size) {
        workspace->moves++;
        DLZ_TRY(grow(&workspace->block, &workspace->block_size, memory->block_size,
                     "the activations of a batch"));
    }
    if (!workspace->scratch || workspace->scratch_size < scratch)
        DLZ_TRY(grow(&workspace->scratch, &workspace->scratch_size, scratch,
                     "the threads' scratch memory"));
    if (memory->moves == workspace->moves)
        return DLVIZ_OK;
    for (int i = 0; i < memory->count; i++) {
        void *place = workspace->block + memory->requests[i].offset;
        memcpy(memory->requests[i].slot, &place, sizeof place);
    }
    memory->moves = workspace->moves;
    return DLVIZ_OK;
}

void dlz_memory_release(dlz_memory *memory) {
    dlz_free(memory->requests);
    dlz_free(memory->kept);
}

void dlz_workspace_release(dlz_workspace *workspace) {
    dlz_free(workspace->block);
    dlz_free(workspace->scratch);
}
