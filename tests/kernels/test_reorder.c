/* Channels-last from PyTorch's order and back, of every instruction set this machine has: every number
 * is where it belongs, and nothing else has changed. */
#include "kernels/nn/reorder.h"
#include "support/support.h"

#include <stdbool.h>
#include <string.h>

enum { PIXELS = 70, CHANNELS = 70, STRIDE = 83, EDGE = 8 };
static const float GUARD = -12345;

static float apart[CHANNELS * STRIDE], pixels[PIXELS * CHANNELS + EDGE], back[CHANNELS * STRIDE];

static void try_shape(dlz_isa isa, int64_t num_pixels, int64_t channels) {
    const dlz_reorder_table *table = dlz_reorder_kernels_of(isa);
    int64_t count = num_pixels * channels;
    for (int i = 0; i < CHANNELS * STRIDE; i++)
        back[i] = GUARD;
    for (int64_t i = 0; i < count + EDGE; i++)
        pixels[i] = GUARD;
    table->to_pixels(num_pixels, channels, STRIDE, apart, pixels);
    bool right = true;
    for (int64_t i = 0; i < num_pixels; i++)
        for (int64_t c = 0; c < channels; c++)
            right &= pixels[i * channels + c] == apart[c * STRIDE + i];
    ck_assert_msg(right, "%s: %d x %d to pixels", dlz_isa_name(isa), (int)num_pixels,
                  (int)channels);
    for (int64_t i = count + DLZ_REORDER_SLACK; i < count + EDGE; i++)
        right &= pixels[i] == GUARD;
    ck_assert_msg(right, "%s writes beyond the end of %d x %d", dlz_isa_name(isa), (int)num_pixels,
                  (int)channels);
    table->from_pixels(num_pixels, channels, STRIDE, pixels, back);
    for (int64_t c = 0; c < CHANNELS; c++)
        for (int64_t i = 0; i < STRIDE; i++)
            right &= back[c * STRIDE + i] ==
                     (c < channels && i < num_pixels ? apart[c * STRIDE + i] : GUARD);
    ck_assert_msg(right, "%s: %d x %d back", dlz_isa_name(isa), (int)num_pixels, (int)channels);
}

START_TEST(every_number_is_where_it_belongs) {
    for (int i = 0; i < CHANNELS * STRIDE; i++)
        apart[i] = (float)i;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int64_t channels = 1; channels <= CHANNELS && dlz_isa_available((dlz_isa)isa);
             channels += channels < 40 ? 1 : 10)
            for (int64_t num_pixels = 1; num_pixels <= PIXELS;
                 num_pixels += num_pixels < 40 ? 1 : 6)
                try_shape((dlz_isa)isa, num_pixels, channels);
}
END_TEST

START_TEST(every_matrix_is_transposed) {
    static float matrix[CHANNELS * STRIDE];
    for (int i = 0; i < CHANNELS * STRIDE; i++)
        matrix[i] = (float)i;
    for (int isa = 0; isa < DLZ_ISA_COUNT; isa++)
        for (int64_t rows = 1; rows <= 40 && dlz_isa_available((dlz_isa)isa); rows++)
            for (int64_t columns = 1; columns <= 70; columns++) {
                for (int64_t i = 0; i < rows * columns + EDGE; i++)
                    back[i] = GUARD;
                dlz_reorder_kernels_of((dlz_isa)isa)->transpose(rows, columns, matrix, back);
                bool right = true;
                for (int64_t i = 0; i < rows * columns; i++)
                    right &= back[i % columns * rows + i / columns] == matrix[i];
                for (int64_t i = rows * columns; i < rows * columns + EDGE; i++)
                    right &= back[i] == GUARD;
                ck_assert_msg(right, "%s: %d x %d", dlz_isa_name((dlz_isa)isa), (int)rows,
                              (int)columns);
            }
}
END_TEST

int main(void) {
    const TTest *const tests[] = {every_number_is_where_it_belongs, every_matrix_is_transposed,
                                  NULL};
    return run_tests("reordering kernels", tests);
}
