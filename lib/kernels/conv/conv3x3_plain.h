/* kernels/conv/conv3x3_plain.h - outputs and dx of a chunk, and the weights' gradient of a tile, as
 * plain sums over taps, for data that Winograd's transforms would spoil.
 *
 * The transforms mix the numbers of a tile, so the error of each output is relative to the tile's
 * largest number: one pixel of 65535 among others of 1 leaves few digits in outputs whose window it
 * is not in, and a NaN none. While the transforms read, they keep an eye on what they see (see);
 * tile rows that look suspicious are looked at closely (is_uneven), and computed here if they must be:
 * forward each on its own, so that an image's outputs do not depend on those beside it, backward all
 * of a chunk.
 * Strips then hold pixels instead of frequencies, in the same places, so that what comes before and
 * after is shared. */
#ifndef DLZ_KERNELS_CONV_CONV3X3_PLAIN_H
#define DLZ_KERNELS_CONV_CONV3X3_PLAIN_H

#include "kernels/conv/conv3x3_chunk.h"
#include "kernels/conv/conv3x3_gemm.h"

/* Tile rows are uneven if few of their numbers, one in RARE or two pixels, are above 1 / FAR of the
 * largest. With FAR = 32 the outliers' traces stay below 1e-4 of the deviation of the other
 * outputs. */
enum { FAR = 32, RARE = 64, PIXELS = 2 };

/* Of numbers that are larger, mixtures may be infinite where outputs are not, and so may sums of
 * products of mixtures where a product of the data with a gradient is larger. */
#define LARGEST 0x1p100f
#define LARGEST_PRODUCT 0x1p90f

/* Of a mixture of all rows of a tile: of the data, frequencies 0 and infinity together, and of the
 * gradient frequency 1. */
typedef struct levels {
    dlz_v largest, sum;
} levels;

DLZ_INLINE dlz_v magnitude(dlz_v value) {
    return (dlz_v)((dlz_vi)value & INT32_MAX);
}

DLZ_INLINE void see(levels *level, dlz_v value) {
    dlz_v size = magnitude(value);
    level->largest = dlz_select((dlz_vi)(size > level->largest), size, level->largest);
    level->sum += size; /* keeps NaN */
}

DLZ_INLINE void add_levels(levels *level, levels more) {
    level->largest =
        dlz_select((dlz_vi)(more.largest > level->largest), more.largest, level->largest);
    level->sum += more.sum;
}

/* How many of the strip's numbers, or of its sums with `other`, are larger than 1 / FAR of
 * `largest`. */
static int64_t count_large(const float *strip, const float *other, int64_t floats, float largest) {
    dlz_v limit = dlz_splat(largest / FAR);
    dlz_vi counts = {0};
    for (int64_t e = 0; e < floats; e += DLZ_C) {
        dlz_v value = dlz_load(strip + e);
        if (other)
            value += dlz_load(other + e);
        counts -= (dlz_vi)(magnitude(value) > limit);
    }
    int64_t count = 0;
    for (int i = 0; i < DLZ_LANES; i++)
        count += counts[i];
    return count;
}

/* What was seen of all lanes. */
typedef struct seen_level {
    float largest, sum;
} seen_level;

static inline seen_level join_levels(const levels *seen) {
    seen_level all = {0, 0};
    for (int i = 0; i < DLZ_LANES; i++) {
        all.largest = seen->largest[i] > all.largest ? seen->largest[i] : all.largest;
        all.sum += seen->sum[i];
    }
    return all;
}

/* Whether the weights' gradient from these would be NaN or infinite on the way: where anything is not
 * finite, or so large that it may become so. */
static bool is_too_large(const levels *data, const levels *gradient) {
    seen_level x = join_levels(data), g = join_levels(gradient);
    return !(x.sum - x.sum == 0 && g.sum - g.sum == 0) || x.largest > LARGEST ||
           g.largest > LARGEST || x.largest * g.largest > LARGEST_PRODUCT;
}

/* A look at what is at hand: rows may be uneven only if the largest is many times the mean and no more
 * than a few are near it. A mixture holds a number of each row of its tile; NaN is suspicious. */
static bool is_suspicious(const levels *seen, const float *strip, const float *other,
                          int64_t floats, int64_t few) {
    seen_level all = join_levels(seen);
    if (!(all.sum - all.sum == 0) || all.largest > LARGEST)
        return true;
    return all.largest * (float)few > all.sum &&
           count_large(strip, other, floats, all.largest) <= few;
}

/* Numbers that are few among those that tile rows see of the data or of the gradient. */
static int64_t few_numbers(const dlz_conv3x3_plan *plan, int64_t row, int64_t rows, bool gradient) {
    int64_t width = gradient ? plan->out_width : plan->shape.width;
    int64_t height = gradient ? plan->out_height : plan->shape.height, lines = 0;
    for (int64_t r = 0; r < rows; r++) {
        tile_row place = find_row(plan, row + r);
        int64_t first = gradient ? place.first : place.top;
        int64_t end = first + (gradient ? DLZ_TILE : SPAN);
        lines += dlz_max_i64(dlz_min_i64(end, height) - dlz_max_i64(first, 0), 0);
    }
    /* A pixel may lie in two tile rows. Of a very small image one pixel is much. */
    int64_t least = dlz_min_i64(PIXELS, dlz_ceil_div(lines * width, 8 * rows));
    return dlz_max_i64(lines * width / RARE, rows > 1 ? 2 * least : least) *
           (gradient ? plan->shape.out_channels : plan->shape.in_channels);
}

/* The look that decides: at the plain strips of the data or of the gradient. */
static bool is_uneven(const dlz_conv3x3_plan *plan, int64_t row, int64_t rows,
                      const chunk_memory *memory, bool gradient) {
    int64_t columns = gradient ? memory->out_columns : memory->in_columns;
    int64_t stride = gradient ? memory->out_stride : memory->in_stride;
    int64_t padded = gradient ? plan->out_padded : plan->in_padded;
    const float *strip = gradient ? memory->out : memory->in;
    int64_t floats = rows * padded * columns, large = 0;
    int span = gradient ? DLZ_TILE : SPAN;
    dlz_v largest = {0}, sum = {0};
    dlz_vi counts = {0};
    for (int i = 0; i < span; i++)
        for (int64_t e = 0; e < floats; e += DLZ_C) {
            dlz_v size = magnitude(dlz_load(strip + i * stride + e));
            largest = dlz_select((dlz_vi)(size > largest), size, largest);
            sum += size - size; /* NaN for what is not finite */
            counts -= (dlz_vi)(size > (dlz_v){0});
        }
    float top = 0;
    int64_t all = 0;
    for (int i = 0; i < DLZ_LANES; i++) {
        if (sum[i] != 0)
            return true;
        all += counts[i];
        top = largest[i] > top ? largest[i] : top;
    }
    if (top > LARGEST)
        return true;
    for (int i = 0; i < span; i++)
        large += count_large(strip + i * stride, NULL, floats, top);
    /* Behind a relu most numbers may be 0, and all others be alike. */
    return large <= few_numbers(plan, row, rows, gradient) && 2 * large <= all;
}

static void read_data_plain(const dlz_conv3x3_plan *plan, const dlz_conv3x3_input *input,
                            int64_t row, int64_t rows, const chunk_memory *memory) {
    int64_t width = plan->shape.width, height = plan->shape.height;
    int64_t channels = plan->shape.in_channels, columns = memory->in_columns;
    int64_t edge = plan->shape.padding[1];
    int mode = input_mode(input);
    float *strip = memory->in;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < plan->in_padded; c += DLZ_C, strip += columns * DLZ_C) {
            tile_row place = find_row(plan, row + r);
            bool whole = c + DLZ_C <= channels;
            input_lanes lanes = input_channels(input, c, whole, channels - c);
            for (int i = 0; i < SPAN; i++) {
                int64_t line = place.top + i;
                const float *from =
                    input->data + (place.image * height + line) * width * channels + c;
                for (int64_t j = 0; j < columns; j++) {
                    dlz_v value = {0};
                    if (line >= 0 && line < height && j >= edge && j - edge < width)
                        value = apply_input(
                            load_lanes(from + (j - edge) * channels, whole, channels - c), lanes,
                            mode);
                    dlz_store(strip + i * memory->in_stride + j * DLZ_C, value);
                }
            }
        }
}

static void read_gradients_plain(const dlz_conv3x3_plan *plan, const dlz_conv3x3_gradient *gradient,
                                 int64_t row, int64_t rows, const chunk_memory *memory) {
    int64_t width = plan->out_width, height = plan->out_height;
    int64_t channels = plan->shape.out_channels, columns = memory->out_columns;
    int mode = gradient_mode(gradient);
    float *strip = memory->out;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < plan->out_padded; k += DLZ_C, strip += columns * DLZ_C) {
            tile_row place = find_row(plan, row + r);
            bool whole = k + DLZ_C <= channels;
            gradient_lanes lanes = gradient_channels(gradient, k, whole, channels - k);
            for (int i = 0; i < DLZ_TILE; i++) {
                int64_t line = place.first + i;
                int64_t at = (place.image * height + line) * width * channels + k;
                int64_t windows = (place.image * (height / 2) + line / 2) * (width / 2);
                for (int64_t q = 0; q < columns; q++) {
                    bool pooled = line / 2 < height / 2 && q / 2 < width / 2;
                    int64_t window = pooled ? (windows + q / 2) * channels + k : -1;
                    dlz_v value = {0};
                    if (line < height && q < width)
                        value = read_gradient(gradient, at + q * channels, window,
                                              (int)(line % 2 * 2 + q % 2), lanes, mode, whole,
                                              channels - k);
                    dlz_store(strip + i * memory->out_stride + q * DLZ_C, value);
                }
            }
        }
}

/* Two vectors of results from `channels` others: pixel (i, j) takes (i + step·v, j + step·h) times
 * the weights of tap (v, h), v and h = 0 … 2, where that lies among the source's rows and columns.
 */
typedef struct plain_sum {
    const float *strip; /* [row][vector of channels][column] */
    int64_t stride, columns, channels;
    int step, rows;
    int64_t valid;        /* columns that count */
    const float *weights; /* [tap][channel][2 vectors] */
} plain_sum;

DLZ_INLINE void plain_block(const plain_sum *sum, const int pixels, int i, int64_t j,
                            dlz_v result[DLZ_GEMM_ROWS][2]) {
    DLZ_UNROLL
    for (int p = 0; p < pixels; p++)
        result[p][0] = result[p][1] = (dlz_v){0};
    for (int tap = 0; tap < 9; tap++) {
        int row = i + sum->step * (tap / 3);
        int64_t column = j + sum->step * (tap % 3);
        if (row < 0 || row >= sum->rows || column < 0 || column + pixels > sum->valid)
            continue;
        const float *w = sum->weights + tap * sum->channels * 2 * DLZ_C;
        const float *a = sum->strip + row * sum->stride + column * DLZ_C;
        for (int64_t c = 0; c < sum->channels; c++, w += 2 * DLZ_C) {
            const float *from = a + c / DLZ_C * sum->columns * DLZ_C + c % DLZ_C;
            dlz_v w0 = dlz_load(w), w1 = dlz_load(w + DLZ_C);
            DLZ_UNROLL
            for (int p = 0; p < pixels; p++) {
                dlz_v s = dlz_splat(from[p * DLZ_C]);
                result[p][0] = dlz_fma(s, w0, result[p][0]);
                result[p][1] = dlz_fma(s, w1, result[p][1]);
            }
        }
    }
}

/* A row of results; `second` is where the second vector goes, or NULL. */
static void plain_row(const plain_sum *sum, int i, int64_t width, float *first, float *second) {
    for (int64_t j = 0; j < width;) {
        dlz_v result[DLZ_GEMM_ROWS][2];
        int64_t low = sum->step < 0 ? j - 2 : j, high = sum->step < 0 ? j : j + 2;
        int pixels = low >= 0 && high + DLZ_GEMM_ROWS <= sum->valid && j + DLZ_GEMM_ROWS <= width
                         ? DLZ_GEMM_ROWS
                         : 1;
        if (pixels == 1)
            plain_block(sum, 1, i, j, result);
        else
            plain_block(sum, DLZ_GEMM_ROWS, i, j, result);
        for (int p = 0; p < pixels; p++, j++) {
            dlz_store(first + j * DLZ_C, result[p][0]);
            if (second)
                dlz_store(second + j * DLZ_C, result[p][1]);
        }
    }
}

/* Weights of results first … first + two vectors; where theirs lie `step` apart in w and the
 * summed channels' `other`. */
static void pack_plain(const float *w, int64_t first, int64_t results, int64_t step,
                       int64_t channels, int64_t other, float *packed) {
    for (int tap = 0; tap < 9; tap++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t l = 0; l < 2 * DLZ_C; l++)
                *packed++ = first + l < results ? w[(first + l) * step + c * other + tap] : 0;
}

/* Of those of the rows that are plain. */
static void outputs_plain(const dlz_conv3x3_plan *plan, int64_t row, int64_t rows,
                          const bool *plain, const float *w, share wanted,
                          const chunk_memory *memory) {
    int64_t in = plan->shape.in_channels, out = plan->shape.out_channels;
    int64_t columns = memory->out_columns * DLZ_C, vectors = plan->out_padded / DLZ_C;
    plain_sum sum = {.stride = memory->in_stride,
                     .columns = memory->in_columns,
                     .channels = in,
                     .step = 1,
                     .rows = SPAN,
                     .valid = memory->in_columns,
                     .weights = memory->weights};
    for (int64_t k = wanted.first / DLZ_C; k < wanted.end / DLZ_C; k += 2) {
        pack_plain(w, k * DLZ_C, out, in * 9, in, 9, memory->weights);
        for (int64_t r = 0; r < rows; r++) {
            if (!plain[r])
                continue;
            int64_t lines = plan->out_height - find_row(plan, row + r).first;
            sum.strip = memory->in + r * plan->in_padded * memory->in_columns;
            for (int i = 0; i < DLZ_TILE && i < lines; i++) {
                float *to = memory->out + i * memory->out_stride + (r * vectors + k) * columns;
                plain_row(&sum, i, plan->out_width, to, k + 1 < vectors ? to + columns : NULL);
            }
        }
    }
}

static void dx_plain(const dlz_conv3x3_plan *plan, int64_t rows, const float *w, share wanted,
                     const chunk_memory *memory) {
    int64_t in = plan->shape.in_channels, out = plan->shape.out_channels;
    int64_t columns = memory->in_columns * DLZ_C, vectors = plan->in_padded / DLZ_C;
    plain_sum sum = {.stride = memory->out_stride,
                     .columns = memory->out_columns,
                     .channels = out,
                     .step = -1,
                     .rows = DLZ_TILE,
                     .valid = plan->out_width,
                     .weights = memory->weights};
    for (int64_t c = wanted.first / DLZ_C; c < wanted.end / DLZ_C; c += 2) {
        pack_plain(w, c * DLZ_C, in, 9, out, in * 9, memory->weights);
        for (int64_t r = 0; r < rows; r++) {
            sum.strip = memory->out + r * plan->out_padded * memory->out_columns;
            for (int i = 0; i < SPAN; i++) {
                float *to = memory->in + i * memory->in_stride + (r * vectors + c) * columns;
                plain_row(&sum, i, plan->out_width + 2, to, c + 1 < vectors ? to + columns : NULL);
            }
        }
    }
}

/* ---- the weights' gradient ---- */

/* One in channel's with a vector of out channels, from the plain strips of a tile row. */
DLZ_INLINE void add_taps(const dlz_conv3x3_plan *plan, const chunk_memory *memory, int64_t lines,
                         const float *data, const float *gradient, dlz_v sums[9]) {
    for (int64_t i = 0; i < DLZ_TILE && i < lines; i++) {
        const float *x = data + i * memory->in_stride;
        const float *g = gradient + i * memory->out_stride;
        for (int64_t q = 0; q < plan->out_width; q++, x += DLZ_C, g += DLZ_C) {
            dlz_v factor = dlz_load(g);
            DLZ_UNROLL
            for (int tap = 0; tap < 9; tap++)
                sums[tap] = dlz_fma(dlz_splat(x[tap / 3 * memory->in_stride + tap % 3 * DLZ_C]),
                                    factor, sums[tap]);
        }
    }
}

/* An accumulator of the tile rows row … end − 1 in place of the frequencies': the first 9 matrices
 * are those of the taps. */
static void weights_plain(const dlz_conv3x3_plan *plan, const dlz_conv3x3_input *input,
                          const dlz_conv3x3_gradient *gradient, int64_t row, int64_t end,
                          const chunk_memory *memory, share wanted, float *accumulator) {
    int64_t in = plan->shape.in_channels, step = plan->forward_step;
    for (int64_t start = row, rows; row < end; row += rows) {
        rows = dlz_min_i64(plan->chunk_rows, end - row);
        read_data_plain(plan, input, row, rows, memory);
        read_gradients_plain(plan, gradient, row, rows, memory);
        for (int64_t k = wanted.first; k < wanted.end; k += DLZ_C)
            for (int64_t c = 0; c < in; c++) {
                float *to = accumulator + panel_place(c, in, k, plan->out_padded);
                dlz_v sums[9] = {{0}};
                for (int64_t r = 0; r < rows; r++) {
                    chunk_memory here = memory_from(plan, memory, r);
                    add_taps(plan, memory, plan->out_height - find_row(plan, row + r).first,
                             here.in + c / DLZ_C * DLZ_C * memory->in_columns + c % DLZ_C,
                             here.out + k * memory->out_columns, sums);
                }
                for (int tap = 0; tap < 9; tap++, to += step)
                    dlz_store(to, row > start ? dlz_load(to) + sums[tap] : sums[tap]);
            }
    }
}

/* Behind an accumulator's bias: 1 if it is of taps, 0 if it is of frequencies. */
static inline float *kind_of(const dlz_conv3x3_plan *plan, float *accumulator) {
    return accumulator + plan->forward_weight_floats + plan->out_padded;
}

static inline bool is_of_taps(const dlz_conv3x3_plan *plan, const float *accumulator) {
    return accumulator[plan->forward_weight_floats + plan->out_padded] != 0;
}

#endif
