/* kernels/conv/conv3x3_winograd.h - the convolution by Winograd's algorithm; the including source
 * sets DLZ_TILE and names the table.
 *
 * A chunk is a few rows of output tiles. The two-dimensional transforms are taken apart: down the
 * columns once for the whole chunk, into strips [row of frequencies][tile row][channels][column]
 * that neighboring tiles share; then, for one row of frequencies after the other, along the rows
 * into SPAN small matrices [tile][channel], their products, and back along the rows. So only the
 * strips need L2, and the matrices stay in L1 between transform and product.
 *
 * Backward uses the adjoint of forward: with N the transformed gradient, dU = Vᵀ N and dV = N Uᵀ
 * share N; dV overwrites V, and the strip of dx that of the data.
 *
 * An output's error is relative to the largest number in its whole tile. So tile rows in which a few
 * numbers are far larger than the others go the plain way, and so does the weights' gradient of
 * tiles with numbers that would overflow in transforms: conv3x3_plain.h. */
#include "kernels/conv/conv3x3_gemm.h"
#include "kernels/conv/conv3x3_plain.h"

/* The part that the tile rows row … row + rows − 1 need of the input, or of an array of its shape;
 * nothing beyond `end`. */
static fetch fetch_input(const dlz_conv3x3_plan *plan, const float *array, int64_t row,
                         int64_t rows, int64_t end) {
    int64_t height = plan->shape.height, line = plan->shape.width * plan->shape.in_channels;
    rows = dlz_min_i64(rows, end - row);
    if (rows <= 0 || !array)
        return (fetch){0};
    tile_row first = find_row(plan, row), last = find_row(plan, row + rows - 1);
    int64_t start = first.image * height + dlz_min_i64(dlz_max_i64(first.top, 0), height);
    int64_t stop = last.image * height + dlz_min_i64(dlz_max_i64(last.top + SPAN, 0), height);
    return fetch_start(array + start * line, (stop - start) * line, FREQUENCIES);
}

/* The same of y, or when pooled of an array images × its height / 2 × width / 2 × channels. */
static fetch fetch_output(const dlz_conv3x3_plan *plan, const float *array, bool pooled,
                          int64_t row, int64_t rows, int64_t end) {
    int64_t scale = pooled ? 2 : 1, height = plan->out_height / scale;
    int64_t line = plan->out_width / scale * plan->shape.out_channels;
    rows = dlz_min_i64(rows, end - row);
    if (rows <= 0 || !array)
        return (fetch){0};
    tile_row first = find_row(plan, row), last = find_row(plan, row + rows - 1);
    int64_t start = first.image * height + first.first / scale;
    int64_t stop = last.image * height + dlz_min_i64((last.first + DLZ_TILE) / scale, height);
    return fetch_start(array + start * line, (stop - start) * line, FREQUENCIES);
}

/* ---- down the columns: memory to strips ---- */

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

/* ---- along the rows: strips to matrices and back, for one row of frequencies ---- */

static void data_along(const dlz_conv3x3_plan *plan, int64_t rows, const chunk_memory *memory,
                       int i) {
    int64_t tiles = plan->tile_columns, padded = plan->in_padded, stride = memory->v_stride;
    int64_t columns = memory->in_columns;
    float *v = memory->v;
    const float *from = memory->in + i * memory->in_stride;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t c = 0; c < padded; c += DLZ_C, from += columns * DLZ_C) {
            float *to = v + r * tiles * padded + c;
            dlz_v d[SPAN], out[SPAN];
            d[DLZ_TILE] = dlz_load(from);
            d[DLZ_TILE + 1] = dlz_load(from + DLZ_C);
            for (int64_t t = 0; t < tiles; t++, to += padded) {
                d[0] = d[DLZ_TILE];
                d[1] = d[DLZ_TILE + 1];
                DLZ_UNROLL
                for (int j = 2; j < SPAN; j++)
                    d[j] = dlz_load(from + (t * DLZ_TILE + j) * DLZ_C);
                transform_data(d, out);
                DLZ_UNROLL
                for (int j = 0; j < SPAN; j++)
                    dlz_store(to + j * stride, out[j]);
            }
        }
}

static void gradients_along(const dlz_conv3x3_plan *plan, int64_t rows, const chunk_memory *memory,
                            int i) {
    int64_t tiles = plan->tile_columns, padded = plan->out_padded, stride = memory->m_stride;
    float *m = memory->m;
    const float *from = memory->out + i * memory->out_stride;
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < padded; k += DLZ_C) {
            float *to = m + r * tiles * padded + k;
            for (int64_t t = 0; t < tiles; t++, to += padded) {
                dlz_v g[DLZ_TILE], out[SPAN];
                DLZ_UNROLL
                for (int j = 0; j < DLZ_TILE; j++, from += DLZ_C)
                    g[j] = dlz_load(from);
                transform_outputs_back(g, out);
                DLZ_UNROLL
                for (int j = 0; j < SPAN; j++)
                    dlz_store(to + j * stride, out[j]);
            }
        }
}

static void outputs_along(const dlz_conv3x3_plan *plan, int64_t rows, const chunk_memory *memory,
                          share wanted, int i) {
    int64_t tiles = plan->tile_columns, padded = plan->out_padded, stride = memory->m_stride;
    const float *all = memory->m;
    for (int64_t r = 0; r < rows; r++) {
        float *to = memory->out + i * memory->out_stride +
                    (r * padded + wanted.first) * memory->out_columns;
        for (int64_t k = wanted.first; k < wanted.end; k += DLZ_C) {
            const float *from = all + r * tiles * padded + k;
            for (int64_t t = 0; t < tiles; t++, from += padded) {
                dlz_v m[SPAN], out[DLZ_TILE];
                DLZ_UNROLL
                for (int j = 0; j < SPAN; j++)
                    m[j] = dlz_load(from + j * stride);
                transform_outputs(m, out);
                DLZ_UNROLL
                for (int j = 0; j < DLZ_TILE; j++, to += DLZ_C)
                    dlz_store(to, out[j]);
            }
        }
    }
}

/* Each tile gives SPAN columns, of which the last two are its neighbor's first two. */
static void dx_along(const dlz_conv3x3_plan *plan, int64_t rows, const chunk_memory *memory,
                     share wanted, int i) {
    int64_t tiles = plan->tile_columns, padded = plan->in_padded, stride = memory->v_stride;
    const float *all = memory->v;
    for (int64_t r = 0; r < rows; r++) {
        float *to =
            memory->in + i * memory->in_stride + (r * padded + wanted.first) * memory->in_columns;
        for (int64_t c = wanted.first; c < wanted.end; c += DLZ_C) {
            const float *from = all + r * tiles * padded + c;
            dlz_v left = {0}, right = {0};
            for (int64_t t = 0; t < tiles; t++, from += padded) {
                dlz_v v[SPAN], out[SPAN];
                DLZ_UNROLL
                for (int j = 0; j < SPAN; j++)
                    v[j] = dlz_load(from + j * stride);
                transform_data_back(v, out);
                out[0] += left;
                out[1] += right;
                DLZ_UNROLL
                for (int j = 0; j < DLZ_TILE; j++, to += DLZ_C)
                    dlz_store(to, out[j]);
                left = out[DLZ_TILE];
                right = out[DLZ_TILE + 1];
            }
            dlz_store(to, left);
            dlz_store(to + DLZ_C, right);
            to += 2 * DLZ_C;
        }
    }
}

/* ---- down the columns: strips to memory ---- */

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

/* ---- the passes ---- */

static int64_t pixels_of(const dlz_conv3x3_plan *plan, int64_t row, int64_t end) {
    int64_t lines = 0;
    for (; row < end; row++)
        lines += dlz_min_i64(DLZ_TILE, plan->out_height - find_row(plan, row).first);
    return lines * plan->out_width;
}

/* Reads the rows of a chunk into its strips, and finds those that may be uneven. */
static void read_rows(const dlz_conv3x3_plan *plan, const dlz_conv3x3_input *input, int64_t row,
                      int64_t rows, const chunk_memory *memory, bool *may_be_uneven) {
    int64_t floats = plan->in_padded * memory->in_columns;
    for (int64_t r = 0; r < rows; r++) {
        chunk_memory here = memory_from(plan, memory, r);
        levels seen = read_data(plan, input, row + r, 1, &here);
        may_be_uneven[r] =
            input->plain || is_suspicious(&seen, here.in, here.in + (SPAN - 1) * here.in_stride,
                                          floats, few_numbers(plan, row + r, 1, false));
    }
}

/* Computes those of the rows the plain way that are uneven, and says which they are. */
static void compute_plain(const dlz_conv3x3_plan *plan, const dlz_conv3x3_input *input, int64_t row,
                          int64_t rows, const chunk_memory *memory, share wanted, bool *plain) {
    bool any = false;
    for (int64_t r = 0; r < rows; r++) {
        if (!plain[r])
            continue;
        chunk_memory here = memory_from(plan, memory, r);
        read_data_plain(plan, input, row + r, 1, &here);
        plain[r] = input->plain || is_uneven(plan, row + r, 1, &here, false);
        any |= plain[r];
    }
    if (any)
        outputs_plain(plan, row, rows, plain, input->weights, wanted, memory);
}

static void forward(const dlz_conv3x3_plan *plan, int64_t tile, const dlz_conv3x3_input *input,
                    const float *weights, const dlz_conv3x3_output *output, float *scratch) {
    chunk_memory memory = divide_scratch(plan, scratch);
    int64_t out = plan->shape.out_channels, in = plan->shape.in_channels;
    int64_t in_padded = plan->in_padded, out_padded = plan->out_padded;
    int64_t parts = plan->forward_parts, index = tile / parts;
    share wanted = share_of(out_padded, tile - index * parts, parts);
    int64_t wanted_end = dlz_min_i64(wanted.end, out);
    double *stats = start_moments(output, index, out, wanted.first, wanted_end);
    double *sums = stats ? stats + 1 : NULL;
    int64_t start = index * plan->forward_rows, row = start;
    int64_t end = dlz_min_i64(row + plan->forward_rows, plan->shape.images * plan->tile_rows);
    while (row < end) {
        int64_t rows = dlz_min_i64(plan->chunk_rows, end - row);
        bool plain[DLZ_CONV3X3_CHUNK_ROWS];
        read_rows(plan, input, row, rows, &memory, plain);
        fetch x = fetch_input(plan, input->data, row + rows, plan->chunk_rows, end);
        fetch y = fetch_output(plan, output->y, false, row, rows, end);
        const float *u = weights;
        for (int i = 0; !input->plain && i < SPAN; i++) {
            data_along(plan, rows, &memory, i);
            for (int j = 0; j < SPAN; j++, u += plan->forward_step) {
                fetch_share(&x);
                fetch_share(&y);
                gemm(rows * plan->tile_columns, wanted.end - wanted.first, in,
                     memory.v + j * memory.v_stride, in_padded, u + wanted.first * in,
                     memory.m + j * memory.m_stride + wanted.first, out_padded);
            }
            outputs_along(plan, rows, &memory, wanted, i);
        }
        compute_plain(plan, input, row, rows, &memory, wanted, plain);
        if (stats && row == start)
            find_pivots(plan, rows, output, &memory, wanted, plain);
        write_outputs(plan, output, row, rows, &memory, wanted, sums, plain);
        row += rows;
    }
    if (stats)
        dlz_moments_finish(stats, pixels_of(plan, start, end), out, wanted.first, wanted_end,
                           memory.pivots);
}

static void backward(const dlz_conv3x3_plan *plan, int64_t tile, const dlz_conv3x3_input *input,
                     const dlz_conv3x3_gradient *gradient, const float *weights,
                     const dlz_conv3x3_input_gradient *input_gradient, float *accumulators,
                     float *scratch) {
    chunk_memory memory = divide_scratch(plan, scratch);
    int64_t in = plan->shape.in_channels, out = plan->shape.out_channels;
    int64_t in_padded = plan->in_padded, out_padded = plan->out_padded;
    int64_t parts = plan->backward_parts, index = tile / parts, part = tile - index * parts;
    share wanted = share_of(out_padded, part, parts), wanted_dx = share_of(in_padded, part, parts);
    float *accumulator = accumulators + index * plan->accumulator_stride;
    float *bias = accumulator + plan->forward_weight_floats;
    for (int64_t k = wanted.first; k < wanted.end; k++)
        bias[k] = 0;
    double *sums =
        input_gradient && input_gradient->sums ? input_gradient->sums + tile * 2 * in : NULL;
    for (int64_t i = 0; sums && i < 2 * in; i++)
        sums[i] = 0;
    int64_t start = index * plan->backward_images;
    int64_t images = dlz_min_i64(plan->backward_images, plan->shape.images - start);
    int64_t row = start * plan->tile_rows, first = row, end = row + images * plan->tile_rows;
    levels of_data = {0}, of_gradient = {0};
    while (row < end) {
        int64_t rows = dlz_min_i64(plan->chunk_rows, end - row);
        int64_t tiles = rows * plan->tile_columns;
        add_levels(&of_data, read_data(plan, input, row, rows, &memory));
        levels seen = read_gradients(plan, gradient, row, rows, &memory, wanted, bias);
        add_levels(&of_gradient, seen);
        bool plain = input_gradient &&
                     (input->plain || is_suspicious(&seen, memory.out + memory.out_stride, NULL,
                                                    rows * out_padded * memory.out_columns,
                                                    few_numbers(plan, row, rows, true)));
        fetch x = fetch_input(plan, input->data, row + rows, plan->chunk_rows, end);
        fetch dy = fetch_output(plan, gradient->dy, gradient->codes != NULL, row + rows,
                                plan->chunk_rows, end);
        fetch z = fetch_output(plan, gradient->z, false, row + rows, plan->chunk_rows, end);
        fetch dx = fetch_input(plan, input_gradient ? input_gradient->dx : NULL, row, rows, end);
        const float *u = weights;
        float *du = accumulator;
        for (int i = 0; i < SPAN; i++) {
            data_along(plan, rows, &memory, i);
            gradients_along(plan, rows, &memory, i);
            for (int j = 0; j < SPAN; j++, du += plan->forward_step) {
                float *v = memory.v + j * memory.v_stride;
                const float *n = memory.m + j * memory.m_stride;
                fetch_share(&x);
                fetch_share(&dy);
                fetch_share(&z);
                fetch_share(&dx);
                gemm_t(in, wanted.end - wanted.first, tiles, v, in_padded, n + wanted.first,
                       out_padded, du + wanted.first * in, row > first);
                if (!input_gradient)
                    continue;
                gemm(tiles, wanted_dx.end - wanted_dx.first, out, n, out_padded,
                     u + wanted_dx.first * out, v + wanted_dx.first, in_padded);
                u += plan->backward_step;
            }
            if (input_gradient)
                dx_along(plan, rows, &memory, wanted_dx, i);
        }
        if (plain) {
            read_gradients_plain(plan, gradient, row, rows, &memory);
            plain = input->plain || is_uneven(plan, row, rows, &memory, true);
            if (plain)
                dx_plain(plan, rows, input->weights, wanted_dx, &memory);
        }
        if (input_gradient)
            write_input_gradient(plan, input, input_gradient, row, rows, &memory, wanted_dx, sums,
                                 plain);
        row += rows;
    }
    bool too_large = is_too_large(&of_data, &of_gradient);
    if (too_large)
        weights_plain(plan, input, gradient, first, end, &memory, wanted, accumulator);
    if (part == 0) /* the other parts see the same data */
        *kind_of(plan, accumulator) = too_large;
}

/* ---- weights, in float64 so that they are rounded once ---- */

enum { FAR_FLOATS = 1 << 20 };

/* DLZ_HALF_LANES of the taps' weights to as many of each frequency. */
DLZ_INLINE void transform_half(const float taps[9][DLZ_LANES], int64_t half,
                               float frequencies[FREQUENCIES][DLZ_LANES]) {
    dlz_vd along[3][SPAN];
    DLZ_UNROLL
    for (int i = 0; i < 3; i++) {
        dlz_vd g[3];
        for (int j = 0; j < 3; j++)
            g[j] = dlz_widen(*(const dlz_vhu *)&taps[i * 3 + j][half]);
        transform_weights(g, along[i]);
    }
    DLZ_UNROLL
    for (int j = 0; j < SPAN; j++) {
        dlz_vd in[3] = {along[0][j], along[1][j], along[2][j]}, out[SPAN];
        transform_weights(in, out);
        for (int i = 0; i < SPAN; i++)
            *(dlz_vhu *)&frequencies[i * SPAN + j][half] = dlz_narrow(out[i]);
    }
}

/* The taps' weights of up to DLZ_LANES columns, zeros after them. */
DLZ_INLINE void gather_taps(const float *from, int64_t stride, int64_t count,
                            float taps[9][DLZ_LANES]) {
    if (count == DLZ_C && DLZ_LANES <= 8) { /* put together in registers */
        DLZ_UNROLL
        for (int t = 0; t < 9; t++) {
            dlz_v column;
            DLZ_UNROLL
            for (int l = 0; l < DLZ_LANES; l++)
                column[l] = from[l * stride + t];
            dlz_store(taps[t], column);
        }
        return;
    }
    for (int64_t l = 0; l < DLZ_C; l++, from += stride)
        for (int t = 0; t < 9; t++)
            taps[t][l] = l < count ? from[t] : 0;
}

/* Rows row … last − 1 of a vector of columns; in w, rows and columns lie so far apart. Both layouts
 * hold a matrix a frequency: rows are the summed channels, columns the results. `step` apart. */
static void prepare_block(const float *w, int64_t row_stride, int64_t column_stride, int64_t row,
                          int64_t last, int64_t rows, int64_t column, int64_t columns,
                          int64_t padded, float *u, int64_t step) {
    int64_t count = dlz_min_i64(DLZ_C, columns - column);
    int64_t width = panel_columns(column, padded);
    /* Matrices beyond L2: each row's lines lie in as many pages, which no prefetcher follows. */
    bool far = FREQUENCIES * step > FAR_FLOATS;
    for (int64_t r = row; r < last; r++) {
        float taps[9][DLZ_LANES], frequencies[FREQUENCIES][DLZ_LANES];
        const float *from = w + r * row_stride + column * column_stride;
        gather_taps(from, column_stride, count, taps);
        transform_half(taps, 0, frequencies);
        transform_half(taps, DLZ_HALF_LANES, frequencies);
        float *to = u + panel_place(r, rows, column, padded);
        for (int f = 0; f < FREQUENCIES; f++, to += step) {
            if (far)
                __builtin_prefetch(to + 8 * width, 1, 3);
            dlz_store(to, dlz_load(frequencies[f]));
        }
    }
}

static void prepare(const dlz_conv3x3_plan *plan, int64_t tile, const float *w,
                    float *forward_weights, float *backward_weights) {
    int64_t in = plan->shape.in_channels, out = plan->shape.out_channels;
    int64_t blocks = plan->out_padded / DLZ_C;
    int64_t c = tile / blocks * DLZ_C, k = tile % blocks * DLZ_C;
    prepare_block(w, 9, in * 9, c, dlz_min_i64(c + DLZ_C, in), in, k, out, plan->out_padded,
                  forward_weights, plan->forward_step);
    if (backward_weights)
        prepare_block(w, in * 9, 9, k, dlz_min_i64(k + DLZ_C, out), out, c, in, plan->in_padded,
                      backward_weights, plan->backward_step);
}

/* The taps of rows that were transformed along. */
DLZ_INLINE void transform_columns_back(dlz_vd along[SPAN][3], dlz_vd taps[9]) {
    for (int j = 0; j < 3; j++) {
        dlz_vd column[SPAN], result[3];
        for (int i = 0; i < SPAN; i++)
            column[i] = along[i][j];
        transform_weights_back(column, result);
        for (int i = 0; i < 3; i++)
            taps[i * 3 + j] = result[i];
    }
}

/* DLZ_HALF_LANES out channels of one in channel, taps[tap][out channel], from a run's first
 * accumulator. */
static void finish_half(const dlz_conv3x3_plan *plan, int64_t each, const float *from,
                        float *taps) {
    dlz_vd along[SPAN][3], sums[9];
    for (int i = 0; i < SPAN; i++) {
        dlz_vd row[SPAN];
        for (int j = 0; j < SPAN; j++, from += plan->forward_step) {
            dlz_vh sum = *(const dlz_vhu *)from;
            for (int64_t a = 1; a < each; a++)
                sum += *(const dlz_vhu *)(from + a * plan->accumulator_stride);
            row[j] = dlz_widen(sum);
        }
        transform_weights_back(row, along[i]);
    }
    transform_columns_back(along, sums);
    for (int tap = 0; tap < 9; tap++)
        *(dlz_vhu *)(taps + tap * DLZ_LANES) = dlz_narrow(sums[tap]);
}

/* The same where some accumulators are of taps, which come last, as they are. */
static void finish_half_of_taps(const dlz_conv3x3_plan *plan, int64_t each, const float *run,
                                int64_t place, float *taps) {
    dlz_vd along[SPAN][3], sums[9];
    for (int i = 0; i < SPAN; i++) {
        dlz_vd row[SPAN];
        for (int j = 0; j < SPAN; j++) {
            row[j] = (dlz_vd){0};
            for (int64_t a = 0; a < each; a++) {
                const float *from = run + a * plan->accumulator_stride;
                int64_t at = (i * SPAN + j) * plan->forward_step + place;
                if (!is_of_taps(plan, from))
                    row[j] += dlz_widen(*(const dlz_vhu *)(from + at));
            }
        }
        transform_weights_back(row, along[i]);
    }
    transform_columns_back(along, sums);
    for (int tap = 0; tap < 9; tap++) {
        for (int64_t a = 0; a < each; a++) {
            const float *from = run + a * plan->accumulator_stride;
            if (is_of_taps(plan, from))
                sums[tap] += dlz_widen(*(const dlz_vhu *)(from + tap * plan->forward_step + place));
        }
        *(dlz_vhu *)(taps + tap * DLZ_LANES) = dlz_narrow(sums[tap]);
    }
}

/* An accumulator's numbers of one channel lie in as many pages as there are frequencies, which no
 * prefetcher follows. */
enum { FINISH_AHEAD = 6 };

DLZ_INLINE void fetch_frequencies(const dlz_conv3x3_plan *plan, int64_t each,
                                  const float *accumulators, int64_t first, int64_t last, int64_t c,
                                  int64_t k) {
    if (c >= last) { /* of the next run */
        accumulators += each * plan->accumulator_stride;
        c = dlz_min_i64(c - last + first, last - 1);
    }
    const float *from = accumulators + panel_place(c, plan->shape.in_channels, k, plan->out_padded);
    for (int f = 0; f < FREQUENCIES; f++, from += plan->forward_step)
        __builtin_prefetch(from, 0, 3);
}

static void transform_run(const dlz_conv3x3_plan *plan, const float *accumulators, int64_t first,
                          int64_t last, int64_t k, float *taps) {
    int64_t in = plan->shape.in_channels, each = plan->accumulators / plan->sums;
    bool of_taps = false;
    for (int64_t a = 0; a < each; a++)
        of_taps |= is_of_taps(plan, accumulators + a * plan->accumulator_stride);
    for (int64_t c = first; c < last; c++, taps += 9 * DLZ_LANES) {
        int64_t place = panel_place(c, in, k, plan->out_padded);
        const float *from = accumulators + place;
        for (int64_t half = 0; of_taps && half < DLZ_C; half += DLZ_HALF_LANES)
            finish_half_of_taps(plan, each, accumulators, place + half, taps + half);
        if (of_taps)
            continue;
        fetch_frequencies(plan, each, accumulators, first, last, c + FINISH_AHEAD, k);
        for (int64_t half = 0; half < DLZ_C; half += DLZ_HALF_LANES)
            finish_half(plan, each, from + half, taps + half);
    }
}

static void finish(const dlz_conv3x3_plan *plan, int64_t tile, const float *accumulators, float *dw,
                   float *db) {
    finish_tile(plan, tile, accumulators, dw, db, transform_run);
}
