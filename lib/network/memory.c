#include "network/memory.h"
#include "base/base.h"

#include <stdlib.h>
#include <string.h>

static size_t rounded(size_t bytes) {
    return (bytes + DLZ_ALIGNMENT - 1) / DLZ_ALIGNMENT * DLZ_ALIGNMENT;
}

void dlz_memory_restart(dlz_memory *memory) {
    memory->count = 0;
    memory->scratch_size = 0;
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
    if (bytes > SIZE_MAX / 4)
        return dlz_fail_memory("the activations of a batch", bytes);
    memory->requests[memory->count++] = (dlz_request){slot, rounded(bytes), 0, first, last};
    return DLVIZ_OK;
}

dlviz_status dlz_memory_ask_array(dlz_memory *memory, void *slot, int64_t count, size_t size,
                                  int first, int last) {
    size_t bytes;
    if (count < 0 || dlz_mul_overflows((uint64_t)count, size, &bytes))
        return dlz_fail_memory("the activations of a batch", SIZE_MAX);
    return dlz_memory_ask(memory, slot, bytes, first, last);
}

void dlz_memory_ask_scratch(dlz_memory *memory, uint64_t bytes) {
    /* More than there can be is found out when the memory is taken. */
    size_t size = rounded(bytes > SIZE_MAX / 2 ? SIZE_MAX / 2 : (size_t)bytes);
    if (size > memory->scratch_size)
        memory->scratch_size = size;
}

static int larger_first(const void *left, const void *right) {
    const dlz_request *a = left, *b = right;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? 1 : -1;
    return a->first != b->first ? (a->first < b->first ? -1 : 1) : 0;
}

/* Whether a request can lie at `at` beside the first `placed` ones. */
static bool is_free(const dlz_request *requests, int placed, const dlz_request *wanted, size_t at) {
    for (int i = 0; i < placed; i++) {
        const dlz_request *other = &requests[i];
        bool same_time = other->first <= wanted->last && wanted->first <= other->last;
        if (same_time && at < other->offset + other->bytes && other->offset < at + wanted->bytes)
            return false;
    }
    return true;
}

/* The lowest free place for each request, largest first. */
static bool place(dlz_memory *memory, size_t *total) {
    *total = 0;
    if (memory->count > 1)
        qsort(memory->requests, (size_t)memory->count, sizeof *memory->requests, larger_first);
    for (int i = 0; i < memory->count; i++) {
        dlz_request *request = &memory->requests[i];
        size_t best = SIZE_MAX;
        /* Candidates: the start, and the end of every request placed so far. */
        for (int j = -1; j < i; j++) {
            size_t at = j < 0 ? 0 : memory->requests[j].offset + memory->requests[j].bytes;
            if (at < best && is_free(memory->requests, i, request, at))
                best = at;
        }
        size_t end;
        if (dlz_add_overflows(best, request->bytes, &end))
            return false;
        request->offset = best;
        *total = end > *total ? end : *total;
    }
    return true;
}

/* A block of at least this size; the old one is freed first, so that both never exist together. */
static dlviz_status grow(char **block, size_t *size, size_t wanted, const char *what) {
    if (*block && *size >= wanted)
        return DLVIZ_OK;
    dlz_free(*block);
    *size = 0;
    *block = dlz_alloc(wanted);
    if (!*block)
        return dlz_fail_memory(what, wanted);
    *size = wanted;
    return DLVIZ_OK;
}

dlviz_status dlz_memory_settle(dlz_memory *memory, int workers) {
    size_t total, scratch;
    if (!place(memory, &total) ||
        dlz_mul_overflows(memory->scratch_size, (uint64_t)workers, &scratch))
        return dlz_fail_memory("the activations of a batch", SIZE_MAX);
    DLZ_TRY(grow(&memory->block, &memory->block_size, total, "the activations of a batch"));
    DLZ_TRY(grow(&memory->scratch, &memory->scratch_total, scratch, "the threads' scratch memory"));
    for (int i = 0; i < memory->count; i++) {
        void *place = memory->block + memory->requests[i].offset;
        memcpy(memory->requests[i].slot, &place, sizeof place);
    }
    return DLVIZ_OK;
}

void dlz_memory_release(dlz_memory *memory) {
    dlz_free(memory->requests);
    dlz_free(memory->block);
    dlz_free(memory->scratch);
}
