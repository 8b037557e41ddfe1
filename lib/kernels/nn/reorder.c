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

/* `vectors`: pixels that are moved in vectors, which see a little beyond the last of them. */
DLZ_INLINE void pixels_from_apart(int64_t vectors, int64_t num_pixels, int64_t channels,
                                  int64_t stride, const float *from, float *pixels) {
    int64_t whole = channels / 4 * 4;
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

DLZ_INLINE void apart_from_pixels(int64_t vectors, int64_t num_pixels, int64_t channels,
                                  int64_t stride, const float *pixels, float *to) {
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

static void to_pixels(int64_t num_pixels, int64_t channels, int64_t stride, const float *from,
                      float *pixels) {
    int64_t vectors = num_pixels / DLZ_LANES * DLZ_LANES;
    pixels_from_apart(vectors, num_pixels, channels, stride, from, pixels);
}

static void from_pixels(int64_t num_pixels, int64_t channels, int64_t stride, const float *pixels,
                        float *to) {
    int64_t vectors = num_pixels / DLZ_LANES * DLZ_LANES;
    apart_from_pixels(vectors, num_pixels, channels, stride, pixels, to);
}

/* A square of as many rows and columns as there are lanes, or what is left of it. */
DLZ_INLINE void transpose_square(int64_t height, int64_t width, int64_t rows, int64_t columns,
                                 const float *from, float *to) {
    dlz_v square[DLZ_LANES];
    DLZ_UNROLL for (int i = 0; i < DLZ_LANES; i++) {
        square[i] = (dlz_v){0};
        if (i < height)
            square[i] = dlz_load_up_to(from + i * columns, width);
    }
    dlz_transpose(square);
    DLZ_UNROLL for (int i = 0; i < DLZ_LANES; i++) if (i < width)
        dlz_store_up_to(to + i * rows, square[i], height);
}

/* Pixels that vectors may move: the numbers that they see beyond are the others'. */
static int64_t pixels_in_vectors(int64_t num_pixels, int64_t channels) {
    int64_t others = (DLZ_REORDER_SLACK + channels - 1) / channels;
    return num_pixels < others ? 0 : (num_pixels - others) / DLZ_LANES * DLZ_LANES;
}

/* Narrow matrices are images of few channels. */
static void transpose(int64_t rows, int64_t columns, const float *from, float *to) {
    if (rows < DLZ_LANES / 2) {
        pixels_from_apart(pixels_in_vectors(columns, rows), columns, rows, columns, from, to);
        return;
    }
    if (columns < DLZ_LANES / 2) {
        apart_from_pixels(pixels_in_vectors(rows, columns), rows, columns, rows, from, to);
        return;
    }
    for (int64_t c = 0; c < columns; c += DLZ_LANES)
        for (int64_t r = 0; r < rows; r += DLZ_LANES) {
            const float *corner = from + r * columns + c;
            if (rows - r >= DLZ_LANES && columns - c >= DLZ_LANES)
                transpose_square(DLZ_LANES, DLZ_LANES, rows, columns, corner, to + c * rows + r);
            else
                transpose_square(rows - r, columns - c, rows, columns, corner, to + c * rows + r);
        }
}

const dlz_reorder_table DLZ_VARIANT(dlz_reorder_kernels) = {
    .to_pixels = to_pixels,
    .from_pixels = from_pixels,
    .transpose = transpose,
};
