/* kernels/conv/conv3x3_down.h - Winograd's transforms down the columns, from memory to the strips of a
 * chunk and from strips to memory, with what is done to pixels on the way. */
#ifndef DLZ_KERNELS_CONV_CONV3X3_DOWN_H
#define DLZ_KERNELS_CONV_CONV3X3_DOWN_H

#include "kernels/conv/conv3x3_plain.h"

/* One vector of channels of one tile row. `inner`: all SPAN rows lie inside the image. */
DLZ_INLINE void data_down(const dlz_conv3x3_plan *plan, const dlz_conv3x3_input *input,
                          tile_row row, int64_t c, int mode, bool inner, bool whole, float *strip,
                          int64_t stride, levels *seen) {
    int64_t width = plan->shape.width, height = plan->shape.height;
    int64_t channels = plan->shape.in_channels, count = channels - c, line = width * channels;
    levels level = *seen;
    strip += plan->shape.padding[1] * DLZ_C;
    input_lanes lanes = input_channels(input, c, whole, count);
    const float *from = input->data + ((row.image * height + row.top) * width) * channels + c;
    for (int64_t q = 0; q < width; q++, from += channels) {
        dlz_v d[SPAN], out[SPAN];
        DLZ_UNROLL
        for (int i = 0; i < SPAN; i++) {
            if (inner || (row.top + i >= 0 && row.top + i < height))
                d[i] = apply_input(load_lanes(from + i * line, whole, count), lanes, mode);
            else
                d[i] = (dlz_v){0};
        }
        transform_data(d, out);
        see(&level, out[0] + out[SPAN - 1]);
        DLZ_UNROLL
        for (int i = 0; i < SPAN; i++)
            dlz_store(strip + i * stride + q * DLZ_C, out[i]);
    }
    *seen = level;
}

/* Out of line: one copy a mode. */
#define DATA_DOWN(name, mode)                                                                      \
    static __attribute__((noinline)) void name(                                                    \
        const dlz_conv3x3_plan *plan, const dlz_conv3x3_input *input, tile_row row, int64_t c,     \
        float *strip, int64_t stride, levels *seen) {                                              \
        bool inner = row.top >= 0 && row.top + SPAN <= plan->shape.height;                         \
        bool whole = c + DLZ_C <= plan->shape.in_channels;                                         \
        if (inner && whole)                                                                        \
            data_down(plan, input, row, c, mode, true, true, strip, stride, seen);                 \
        else if (whole)                                                                            \
            data_down(plan, input, row, c, mode, false, true, strip, stride, seen);                \
        else                                                                                       \
            data_down(plan, input, row, c, mode, false, false, strip, stride, seen);               \
    }
DATA_DOWN(data_down_plain, READ_PLAIN)
DATA_DOWN(data_down_affine, READ_AFFINE)
DATA_DOWN(data_down_affine_relu, READ_AFFINE_RELU)
DATA_DOWN(data_down_relu, READ_RELU)

static levels read_data(const dlz_conv3x3_plan *plan, const dlz_conv3x3_input *input, int64_t row,
                        int64_t rows, const chunk_memory *memory) {
    levels seen = {0};
    int mode = input_mode(input);
    int64_t columns = memory->in_columns, stride = memory->in_stride;
    int64_t edge = plan->shape.padding[1];
    float *strip = memory->in;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < plan->in_padded; c += DLZ_C, strip += columns * DLZ_C) {
            tile_row place = find_row(plan, row + r);
            for (int i = 0; i < SPAN; i++) {
                for (int64_t q = 0; q < edge; q++)
                    dlz_store(strip + i * stride + q * DLZ_C, (dlz_v){0});
                for (int64_t q = edge + plan->shape.width; q < columns; q++)
                    dlz_store(strip + i * stride + q * DLZ_C, (dlz_v){0});
            }
            if (mode == READ_PLAIN)
                data_down_plain(plan, input, place, c, strip, stride, &seen);
            else if (mode == READ_AFFINE)
                data_down_affine(plan, input, place, c, strip, stride, &seen);
            else if (mode == READ_AFFINE_RELU)
                data_down_affine_relu(plan, input, place, c, strip, stride, &seen);
            else
                data_down_relu(plan, input, place, c, strip, stride, &seen);
        }
    return seen;
}

DLZ_INLINE dlz_v gradient_down(const dlz_conv3x3_plan *plan, const dlz_conv3x3_gradient *gradient,
                               tile_row row, int64_t k, int mode, bool inner, bool whole,
                               float *strip, int64_t stride, levels *seen) {
    levels level = *seen;
    int64_t width = plan->out_width, height = plan->out_height;
    int64_t channels = plan->shape.out_channels, count = channels - k, line = width * channels;
    gradient_lanes lanes = gradient_channels(gradient, k, whole, count);
    dlz_conv3x3_gradient source = *gradient; /* stores cannot alias a local */
    int64_t at = ((row.image * height + row.first) * width) * channels + k;
    int64_t pool_line = width / 2 * channels, windows = height / 2;
    int64_t pool = (row.image * windows + row.first / 2) * pool_line + k;
    dlz_v bias = {0};
    for (int64_t q = 0; q < width; q++, at += channels) {
        dlz_v g[DLZ_TILE], out[SPAN];
        bool pooled = q / 2 < width / 2;
        int64_t window = pool + q / 2 * channels;
        DLZ_UNROLL
        for (int i = 0; i < DLZ_TILE; i++) {
            bool in_window = pooled && (inner || row.first / 2 + i / 2 < windows);
            if (inner || row.first + i < height)
                g[i] = read_gradient(&source, at + i * line,
                                     in_window ? window + i / 2 * pool_line : -1,
                                     i % 2 * 2 + (int)(q % 2), lanes, mode, whole, count);
            else
                g[i] = (dlz_v){0};
            bias += g[i];
        }
        transform_outputs_back(g, out);
        see(&level, out[1]);
        DLZ_UNROLL
        for (int i = 0; i < SPAN; i++)
            dlz_store(strip + i * stride + q * DLZ_C, out[i]);
    }
    *seen = level;
    return bias;
}

static levels read_gradients(const dlz_conv3x3_plan *plan, const dlz_conv3x3_gradient *gradient,
                             int64_t row, int64_t rows, const chunk_memory *memory, share wanted,
                             float *bias) {
    levels seen = {0};
    int mode = gradient_mode(gradient);
    int64_t columns = memory->out_columns, stride = memory->out_stride;
    float *strip = memory->out;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < plan->out_padded; k += DLZ_C, strip += columns * DLZ_C) {
            tile_row place = find_row(plan, row + r);
            bool whole = k + DLZ_C <= plan->shape.out_channels;
            bool inner = whole && place.first + DLZ_TILE <= plan->out_height;
            for (int i = 0; i < SPAN; i++)
                for (int64_t q = plan->out_width; q < columns; q++)
                    dlz_store(strip + i * stride + q * DLZ_C, (dlz_v){0});
            dlz_v sum;
            if (inner && mode == GRADIENT_PLAIN)
                sum = gradient_down(plan, gradient, place, k, GRADIENT_PLAIN, true, true, strip,
                                    stride, &seen);
            else if (inner && mode == GRADIENT_NORM)
                sum = gradient_down(plan, gradient, place, k, GRADIENT_NORM, true, true, strip,
                                    stride, &seen);
            else if (inner && mode == GRADIENT_NORM_RELU)
                sum = gradient_down(plan, gradient, place, k, GRADIENT_NORM_RELU, true, true, strip,
                                    stride, &seen);
            else if (inner)
                sum = gradient_down(plan, gradient, place, k, GRADIENT_POOLED, true, true, strip,
                                    stride, &seen);
            else
                sum = gradient_down(plan, gradient, place, k, mode, false, whole, strip, stride,
                                    &seen);
            if (k >= wanted.first && k < wanted.end)
                dlz_store(bias + k, dlz_load(bias + k) + sum);
        }
    return seen;
}

DLZ_INLINE void outputs_down(const dlz_conv3x3_plan *plan, tile_row row,
                             const dlz_conv3x3_output *output, const float *strip, int64_t stride,
                             int64_t k, output_lanes *result, bool stats, bool relu, bool pools,
                             bool inner, bool whole, bool plain) {
    int64_t width = plan->out_width, height = plan->out_height;
    int64_t channels = plan->shape.out_channels, count = channels - k, line = width * channels;
    int64_t at = ((row.image * height + row.first) * width) * channels + k;
    int64_t windows = height / 2, pool_line = width / 2 * channels;
    int64_t pool = (row.image * windows + row.first / 2) * pool_line + k;
    output_lanes lanes = *result;
    dlz_conv3x3_output target = *output; /* stores cannot alias a local */
    bool stores = !pools || target.y;
    dlz_v left[DLZ_TILE] = {{0}};
    for (int64_t q = 0; q < width; q++, at += channels) {
        dlz_v m[SPAN], out[DLZ_TILE];
        DLZ_UNROLL
        for (int i = 0; i < SPAN; i++)
            m[i] = dlz_load(strip + i * stride + q * DLZ_C);
        if (plain) {
            for (int i = 0; i < DLZ_TILE; i++)
                out[i] = m[i];
        } else {
            transform_outputs(m, out);
        }
        DLZ_UNROLL
        for (int i = 0; i < DLZ_TILE; i++)
            if (inner || row.first + i < height)
                out[i] = write_output(&target, at + i * line, out[i], &lanes, stats, relu, stores,
                                      whole, count);
        if (!pools)
            continue;
        DLZ_UNROLL
        for (int i = 0; i < DLZ_TILE; i += 2) {
            dlz_v window[4] = {left[i], out[i], left[i + 1], out[i + 1]};
            if (q % 2 == 1 && (inner || row.first / 2 + i / 2 < windows))
                write_pooled(&target, pool + q / 2 * channels + i / 2 * pool_line, window,
                             lanes.winner, whole, count);
            left[i] = out[i];
            left[i + 1] = out[i + 1];
        }
    }
    *result = lanes;
}

static void write_outputs(const dlz_conv3x3_plan *plan, const dlz_conv3x3_output *output,
                          int64_t row, int64_t rows, const chunk_memory *memory, share wanted,
                          double *sums, const bool *are_plain) {
    int64_t channels = plan->shape.out_channels, stride = memory->out_stride;
    const float *pivots = sums ? memory->pivots : NULL;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = wanted.first; k < wanted.end; k += DLZ_C) {
            bool plain = are_plain[r];
            const float *strip = memory->out + (r * plan->out_padded + k) * memory->out_columns;
            tile_row place = find_row(plan, row + r);
            bool whole = k + DLZ_C <= channels;
            bool inner = whole && !plain && place.first + DLZ_TILE <= plan->out_height;
            int64_t count = whole ? DLZ_C : channels - k;
            output_lanes lanes = output_channels(output, pivots, k, whole, count);
            bool relu = output->relu, pools = output->pooled != NULL;
            if (inner && sums && !relu && !pools)
                outputs_down(plan, place, output, strip, stride, k, &lanes, true, false, false,
                             true, true, false);
            else if (inner && sums && !relu)
                outputs_down(plan, place, output, strip, stride, k, &lanes, true, false, true, true,
                             true, false);
            else if (inner && !sums)
                outputs_down(plan, place, output, strip, stride, k, &lanes, false, relu, pools,
                             true, true, false);
            else
                outputs_down(plan, place, output, strip, stride, k, &lanes, sums != NULL, relu,
                             pools, false, whole, plain);
            if (sums) {
                add_lanes(sums + k, lanes.sum, count);
                add_lanes(sums + channels + k, lanes.squares, count);
            }
        }
}

/* From outputs of the chunk's first, middle and last tile row. */
static void find_pivots(const dlz_conv3x3_plan *plan, int64_t rows,
                        const dlz_conv3x3_output *output, const chunk_memory *memory, share wanted,
                        const bool *are_plain) {
    int64_t channels = plan->shape.out_channels;
    for (int64_t k = wanted.first; k < wanted.end; k += DLZ_C) {
        dlz_v m[SPAN], out[DLZ_TILE], sums[3];
        for (int p = 0; p < 3; p++) {
            int64_t r = p * (rows - 1) / 2, q = p * (plan->out_width - 1) / 2;
            const float *from =
                memory->out + (r * plan->out_padded + k) * memory->out_columns + q * DLZ_C;
            for (int i = 0; i < SPAN; i++)
                m[i] = dlz_load(from + i * memory->out_stride);
            transform_outputs(m, out);
            sums[p] = are_plain[r] ? m[0] : out[0];
        }
        store_pivots(output, k, k + DLZ_C <= channels, channels - k, sums, memory->pivots);
    }
}

/* SPAN rows, the first two of them shared with the tile row above (kept in `carry`), the last two
 * with the one below. The strip's row 0 is the image's row `top`. */
DLZ_INLINE void dx_down(const dlz_conv3x3_plan *plan, tile_row row, const dlz_conv3x3_input *input,
                        const dlz_conv3x3_input_gradient *gradient, const float *strip,
                        int64_t stride, float *carry, int64_t c, dx_lanes *result, bool reads,
                        bool inner, bool whole, bool plain) {
    int64_t width = plan->shape.width, height = plan->shape.height;
    int64_t channels = plan->shape.in_channels, count = channels - c, line = width * channels;
    bool first = row.first == 0, last = row.first + DLZ_TILE >= plan->out_height;
    int64_t at = ((row.image * height + row.top) * width) * channels + c;
    dx_lanes lanes = *result;
    dlz_conv3x3_input data = *input;
    dlz_conv3x3_input_gradient target = *gradient;
    strip += plan->shape.padding[1] * DLZ_C;
    for (int64_t q = 0; q < width; q++, at += channels, carry += 2 * DLZ_C) {
        dlz_v in[SPAN], out[SPAN];
        DLZ_UNROLL
        for (int i = 0; i < SPAN; i++)
            in[i] = dlz_load(strip + i * stride + q * DLZ_C);
        if (plain) {
            for (int i = 0; i < SPAN; i++)
                out[i] = in[i];
        } else {
            transform_data_back(in, out);
        }
        if (inner || !first) {
            out[0] += dlz_load(carry);
            out[1] += dlz_load(carry + DLZ_C);
        }
        dlz_store(carry, out[DLZ_TILE]);
        dlz_store(carry + DLZ_C, out[DLZ_TILE + 1]);
        DLZ_UNROLL
        for (int i = 0; i < DLZ_TILE; i++)
            if (inner || (row.top + i >= 0 && row.top + i < height))
                write_dx(&data, &target, at + i * line, out[i], &lanes, reads, whole, count);
        for (int i = DLZ_TILE; !inner && last && i < SPAN; i++)
            if (row.top + i >= 0 && row.top + i < height)
                write_dx(&data, &target, at + i * line, out[i], &lanes, reads, whole, count);
    }
    *result = lanes;
}

static void write_input_gradient(const dlz_conv3x3_plan *plan, const dlz_conv3x3_input *input,
                                 const dlz_conv3x3_input_gradient *gradient, int64_t row,
                                 int64_t rows, const chunk_memory *memory, share wanted,
                                 double *sums, bool plain) {
    int64_t channels = plan->shape.in_channels, stride = memory->in_stride;
    bool reads = input->relu || sums;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = wanted.first; c < wanted.end; c += DLZ_C) {
            const float *strip = memory->in + (r * plan->in_padded + c) * memory->in_columns;
            tile_row place = find_row(plan, row + r);
            bool inner = !plain && place.first > 0 && place.first + DLZ_TILE < plan->out_height &&
                         place.top >= 0 && place.top + DLZ_TILE <= plan->shape.height;
            bool whole = c + DLZ_C <= channels;
            int64_t count = whole ? DLZ_C : channels - c;
            float *carry = memory->carry + 2 * c * memory->in_columns;
            dx_lanes lanes = dx_channels(input, gradient, c, whole, count);
            if (inner && whole && reads)
                dx_down(plan, place, input, gradient, strip, stride, carry, c, &lanes, true, true,
                        true, false);
            else if (inner && whole)
                dx_down(plan, place, input, gradient, strip, stride, carry, c, &lanes, false, true,
                        true, false);
            else if (whole && !plain)
                dx_down(plan, place, input, gradient, strip, stride, carry, c, &lanes, reads, false,
                        true, false);
            else
                dx_down(plan, place, input, gradient, strip, stride, carry, c, &lanes, reads, false,
                        whole, plain);
            if (sums) {
                add_lanes(sums + c, lanes.sum, count);
                add_lanes(sums + channels + c, lanes.products, count);
            }
        }
}

#endif
