#include "graph/batch.h"
#include "base/base.h"
#include "base/parallel.h"

#include <string.h>

dlz_batch dlz_batch_here(int64_t n, bool gradients) {
    return (dlz_batch){.all = n, .leaves = gradients && n % DLZ_LEAVES == 0 ? DLZ_LEAVES : 1};
}

int64_t dlz_batch_together(const dlz_batch *batch, int64_t wanted) {
    wanted = dlz_max_i64(1, wanted);
    if (batch->leaves == 1)
        return wanted;
    int64_t leaf = batch->all / batch->leaves;
    wanted = dlz_min_i64(wanted, leaf);
    while (leaf % wanted != 0)
        wanted--;
    return wanted;
}

int64_t dlz_batch_groups(const dlz_batch *batch, int64_t wanted) {
    wanted = dlz_max_i64(1, wanted);
    if (batch->leaves == 1)
        return wanted;
    int64_t groups = batch->leaves;
    while (groups > wanted)
        groups /= 2;
    return groups;
}

int64_t dlz_batch_part(const dlz_batch *batch, int64_t parts, int64_t n) {
    return n == batch->all ? parts : parts * n / batch->all;
}

int64_t dlz_batch_parts(const dlz_batch *batch, int64_t n, int64_t tiles) {
    if (batch->leaves == 1)
        return 1;
    int64_t parts = n * batch->leaves / batch->all;
    while (tiles % parts != 0)
        parts /= 2;
    return parts;
}

/* Numbers a tile sums: of all arrays together what a core's cache holds. */
#define TILE 4096

typedef struct pair_pass {
    float *arrays, *sum;
    int64_t stride, count, size;
} pair_pass;

static void add(float *restrict to, const float *restrict from, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        to[i] += from[i];
}

static void pair_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const pair_pass *pass = context;
    int64_t first = tile * TILE, count = dlz_min_i64(TILE, pass->size - first);
    float *arrays = pass->arrays + first;
    for (int64_t step = 1; step < pass->count; step *= 2)
        for (int64_t i = 0; i + step < pass->count; i += 2 * step)
            add(arrays + i * pass->stride, arrays + (i + step) * pass->stride, count);
    if (pass->sum + first != arrays)
        memcpy(pass->sum + first, arrays, (size_t)count * sizeof *arrays);
}

void dlz_sum_pairs(float *arrays, int64_t stride, int64_t count, int64_t size, int workers,
                   float *sum) {
    pair_pass pass = {arrays, sum, stride, count, size};
    dlz_parallel_for(dlz_ceil_div(size, TILE), workers, pair_tile, &pass);
}
