#include "kernels/gemm/gemm_finish.h"

#include "isa/isa.h"

DLZ_INLINE void finish_columns(const bool scaled, const bool relu, int64_t rows, int64_t columns,
                               const float *scale, const float *shift, float *c, int64_t ldc) {
    for (int64_t j = 0; j < columns; j += DLZ_LANES) {
        int64_t left = columns - j;
        /* cppcheck-suppress nullPointerArithmetic ; where it is scaled, there are factors */
        dlz_v factor = scaled ? dlz_load_up_to(scale + j, left) : (dlz_v){0};
        /* cppcheck-suppress nullPointerArithmetic ; the same */
        dlz_v offset = scaled ? dlz_load_up_to(shift + j, left) : (dlz_v){0};
        for (int64_t i = 0; i < rows; i++) {
            dlz_v value = dlz_load_up_to(c + i * ldc + j, left);
            if (scaled)
                value = dlz_fma(value, factor, offset);
            dlz_store_up_to(c + i * ldc + j, relu ? dlz_rectify(value) : value, left);
        }
    }
}

static void finish(int64_t rows, int64_t columns, const float *scale, const float *shift, bool relu,
                   float *c, int64_t ldc) {
    if (scale && relu)
        finish_columns(true, true, rows, columns, scale, shift, c, ldc);
    else if (scale)
        finish_columns(true, false, rows, columns, scale, shift, c, ldc);
    else if (relu)
        finish_columns(false, true, rows, columns, NULL, NULL, c, ldc);
}

const dlz_gemm_finish_table DLZ_VARIANT(dlz_gemm_finish_kernels) = {.finish = finish};
