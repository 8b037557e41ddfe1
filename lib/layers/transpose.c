#include "layers/transpose.h"
#include "base/base.h"
#include "base/parallel.h"

#include <string.h>

typedef struct transpose_pass {
    const float *from;
    float *to;
    int64_t rows, columns; /* of one sample, as it is read */
} transpose_pass;

/* Blocks that keep both sides in cache lines already fetched. */
#define BLOCK 16

static void transpose_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const transpose_pass *pass = context;
    int64_t rows = pass->rows, columns = pass->columns;
    const float *from = pass->from + sample * rows * columns;
    float *to = pass->to + sample * rows * columns;
    if (rows == 1 || columns == 1) {
        memcpy(to, from, (size_t)(rows * columns) * sizeof *to);
        return;
    }
    for (int64_t r = 0; r < rows; r += BLOCK)
        for (int64_t c = 0; c < columns; c += BLOCK)
            for (int64_t i = r; i < dlz_min_i64(r + BLOCK, rows); i++)
                for (int64_t j = c; j < dlz_min_i64(c + BLOCK, columns); j++)
                    to[j * rows + i] = from[i * columns + j];
}

void dlz_transpose_samples(const dlz_run *run, const float *from, int64_t rows, int64_t columns,
                           float *to) {
    transpose_pass pass = {from, to, rows, columns};
    dlz_parallel_for(run->n, run->workers, transpose_tile, &pass);
}
