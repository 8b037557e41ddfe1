#include "kernels/nn/reorder.h"

#include "kernels/nn/side_by_side.h"

/* As many pixels as there are lanes, four channels at a time; of the last four some may be the next
 * pixel's first, and are written first, so that what is its own comes after. */

DLZ_INLINE void four_to_pixels(int64_t some, int64_t channels, int64_t stride, const float *from,
                               float *pixels) {
    dlz_v columns[4];
    DLZ_UNROLL
    for (int64_t c = 0; c < 4; c++)
        columns[c] = c < some ? dlz_load(from + c * stride) : (dlz_v){0};
    dlz_write_four_columns(channels, columns, pixels);
}

static void to_pixels(int64_t num_pixels, int64_t channels, int64_t stride, const float *from,
                      float *pixels) {
    int64_t whole = channels / 4 * 4, vectors = num_pixels / DLZ_LANES * DLZ_LANES;
    for (int64_t i = 0; i < vectors; i += DLZ_LANES) {
        const float *first = from + i;
        float *to = pixels + i * channels;
        if (whole < channels)
            four_to_pixels(channels - whole, channels, stride, first + whole * stride, to + whole);
        for (int64_t c = 0; c < whole; c += 4)
            four_to_pixels(4, channels, stride, first + c * stride, to + c);
    }
    for (int64_t i = vectors; i < num_pixels; i++)
        for (int64_t c = 0; c < channels; c++)
            pixels[i * channels + c] = from[c * stride + i];
}

static void from_pixels(int64_t num_pixels, int64_t channels, int64_t stride, const float *pixels,
                        float *to) {
    int64_t vectors = num_pixels / DLZ_LANES * DLZ_LANES;
    for (int64_t i = 0; i < vectors; i += DLZ_LANES)
        for (int64_t c = 0; c < channels; c += 4) {
            dlz_v columns[4];
            dlz_read_four_columns(channels, pixels + i * channels + c, columns);
            for (int64_t k = 0; k < 4 && c + k < channels; k++)
                dlz_store(to + (c + k) * stride + i, columns[k]);
        }
    for (int64_t i = vectors; i < num_pixels; i++)
        for (int64_t c = 0; c < channels; c++)
            to[c * stride + i] = pixels[i * channels + c];
}

const dlz_reorder_table DLZ_VARIANT(dlz_reorder_kernels) = {
    .to_pixels = to_pixels,
    .from_pixels = from_pixels,
};
