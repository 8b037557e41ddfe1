#include "layers/transpose.h"
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/nn/reorder.h"

#include <string.h>

void dlz_transpose_image(const float *from, int64_t rows, int64_t columns, float *to) {
    if (rows == 1 || columns == 1) {
        memcpy(to, from, (size_t)(rows * columns) * sizeof *to);
        return;
    }
    dlz_reorder_kernels()->transpose(rows, columns, from, to);
}

typedef struct transpose_pass {
    const float *from;
    float *to;
    int64_t rows, columns; /* of one sample, as it is read */
} transpose_pass;

static void transpose_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const transpose_pass *pass = context;
    int64_t size = pass->rows * pass->columns;
    dlz_transpose_image(pass->from + sample * size, pass->rows, pass->columns,
                        pass->to + sample * size);
}

void dlz_transpose_samples(const dlz_run *run, const float *from, int64_t rows, int64_t columns,
                           float *to) {
    transpose_pass pass = {from, to, rows, columns};
    dlz_parallel_for(run->n, run->workers, transpose_tile, &pass);
}
