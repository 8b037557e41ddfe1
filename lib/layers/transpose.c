#include "layers/transpose.h"
#include "base/base.h"

#include <string.h>

/* Blocks that keep both sides in cache lines already fetched. */
#define BLOCK 16

void dlz_transpose(const float *from, int64_t rows, int64_t columns, float *to) {
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
