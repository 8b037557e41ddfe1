/* kernels/gemm/gemm_finish.h - what a layer does to a product, while a tile of it is in cache. */
#ifndef DLZ_KERNELS_GEMM_FINISH_H
#define DLZ_KERNELS_GEMM_FINISH_H

#include "kernels/select.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct dlz_gemm_finish_table {
    /* In place, for each of rows x columns numbers: c * scale[column] + shift[column], or c as it is
     * where scale is NULL, then relu if set (NaN stays). Rows are ldc apart. */
    void (*finish)(int64_t rows, int64_t columns, const float *scale, const float *shift, bool relu,
                   float *c, int64_t ldc);
} dlz_gemm_finish_table;

DLZ_KERNEL_TABLE(dlz_gemm_finish_table, dlz_gemm_finish_kernels)

#endif
