#include "layers/transpose.h"
#include "base/base.h"

#include <string.h>

/* Blocks write whole cache lines, few at a time: lines that lie a power of two apart would push each
 * other out of the cache. */
#define ROWS 16
#define COLUMNS 4

void dlz_transpose_image(const float *from, int64_t rows, int64_t columns, float *to) {
    if (rows == 1 || columns == 1) {
        memcpy(to, from, (size_t)(rows * columns) * sizeof *to);
        return;
    }
    for (int64_t r = 0; r < rows; r += ROWS)
        for (int64_t c = 0; c < columns; c += COLUMNS) {
            int64_t row_end = dlz_min_i64(r + ROWS, rows);
            int64_t column_end = dlz_min_i64(c + COLUMNS, columns);
            for (int64_t j = c; j < column_end; j++)
                for (int64_t i = r; i < row_end; i++)
                    to[j * rows + i] = from[i * columns + j];
        }
}
