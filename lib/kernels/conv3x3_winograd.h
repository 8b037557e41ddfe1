/* kernels/conv3x3_winograd.h - the convolution by Winograd's algorithm; the including source sets
 * DLZ_TILE and names the table.
 *
 * A chunk is a few rows of output tiles. Its transformed data V and transformed products M (or
 * gradients of M) lie in the scratch as [frequency][tile][channel], so that each frequency is one
 * small matrix product. Backward uses the adjoint of forward: with N = Aᵀ-transformed gradient, dU
 * = Vᵀ N and dV = N Uᵀ, so both share N and both operands are in L1 together; dV overwrites V. Rows
 * of transforms are shared between neighbouring tiles: down the columns first, then along. */
#include "kernels/conv3x3_gemm.h"
#include "kernels/conv3x3_points.h"

enum { SPAN = DLZ_SPAN, FREQUENCIES = DLZ_SPAN * DLZ_SPAN };

typedef struct chunk_memory {
    float *v, *m; /* transformed data, transformed outputs */
    int64_t v_stride,
        m_stride; /* floats from one frequency to the next: never a multiple of 4 KiB */
    float *strip; /* SPAN rows of a tile row's columns, one vector of channels */
    float *carry; /* the two rows of dx that the next tile row adds to */
    int64_t columns;
} chunk_memory;

static chunk_memory divide_scratch(const dlz_conv3x3_plan *plan, float *scratch) {
    int64_t tiles = plan->chunk_rows * plan->tile_columns;
    chunk_memory memory = {.v_stride = tiles * plan->in_padded + 16,
                           .m_stride = tiles * plan->out_padded + 16,
                           .columns = DLZ_TILE * plan->tile_columns + 2};
    memory.v = scratch;
    memory.m = memory.v + FREQUENCIES * memory.v_stride;
    memory.strip = memory.m + FREQUENCIES * memory.m_stride;
    memory.carry = memory.strip + SPAN * memory.columns * DLZ_C;
    return memory;
}

/* The rows of one image that a tile row reads, and where they lie. */
typedef struct tile_row {
    int64_t image, first; /* first: the first output row */
} tile_row;

static tile_row find_row(const dlz_conv3x3_plan *plan, int64_t row) {
    int64_t image = row / plan->tile_rows;
    return (tile_row){image, (row - image * plan->tile_rows) * DLZ_TILE};
}

/* ---- data: x to V ---- */

/* `inner`: all SPAN rows lie inside the image. */
DLZ_INLINE void data_down(const dlz_conv3x3_plan *plan, const dlz_conv3x3_input *input,
                          tile_row row, int64_t c, int mode, bool inner, bool whole, float *strip,
                          int64_t columns) {
    int64_t width = plan->shape.width, height = plan->shape.height;
    int64_t channels = plan->shape.in_channels, count = channels - c;
    int64_t line = width * channels;
    input_lanes lanes = input_channels(input, c, whole, count);
    const float *from = input->data + ((row.image * height + row.first - 1) * width) * channels + c;
    for (int64_t q = 0; q < width; q++, from += channels) {
        dlz_v d[SPAN], out[SPAN];
        DLZ_UNROLL
        for (int i = 0; i < SPAN; i++) {
            if (inner || (row.first - 1 + i >= 0 && row.first - 1 + i < height))
                d[i] = apply_input(load_lanes(from + i * line, whole, count), lanes, mode);
            else
                d[i] = (dlz_v){0};
        }
        transform_data(d, out);
        DLZ_UNROLL
        for (int i = 0; i < SPAN; i++)
            dlz_store(strip + (i * columns + q + 1) * DLZ_C, out[i]);
    }
}

/* Kept out of line: one copy a mode. */
#define DATA_DOWN(name, mode)                                                                      \
    static __attribute__((noinline)) void name(const dlz_conv3x3_plan *plan,                       \
                                               const dlz_conv3x3_input *input, tile_row row,       \
                                               int64_t c, float *strip, int64_t columns) {         \
        bool inner = row.first > 0 && row.first + DLZ_TILE + 1 <= plan->shape.height;              \
        bool whole = c + DLZ_C <= plan->shape.in_channels;                                         \
        if (inner && whole)                                                                        \
            data_down(plan, input, row, c, mode, true, true, strip, columns);                      \
        else if (whole)                                                                            \
            data_down(plan, input, row, c, mode, false, true, strip, columns);                     \
        else                                                                                       \
            data_down(plan, input, row, c, mode, false, false, strip, columns);                    \
    }
DATA_DOWN(data_down_plain, READ_PLAIN)
DATA_DOWN(data_down_affine, READ_AFFINE)
DATA_DOWN(data_down_affine_relu, READ_AFFINE_RELU)
DATA_DOWN(data_down_relu, READ_RELU)

static void transform_data_row(const dlz_conv3x3_plan *plan, const dlz_conv3x3_input *input,
                               tile_row row, const chunk_memory *memory, float *v) {
    int mode = input_mode(input);
    int64_t columns = memory->columns;
    float *strip = memory->strip;
    for (int64_t c = 0; c < plan->in_padded; c += DLZ_C) {
        /* Columns outside the image stay 0. */
        for (int i = 0; i < SPAN; i++) {
            dlz_store(strip + i * columns * DLZ_C, (dlz_v){0});
            for (int64_t q = plan->shape.width + 1; q < columns; q++)
                dlz_store(strip + (i * columns + q) * DLZ_C, (dlz_v){0});
        }
        if (mode == READ_PLAIN)
            data_down_plain(plan, input, row, c, strip, columns);
        else if (mode == READ_AFFINE)
            data_down_affine(plan, input, row, c, strip, columns);
        else if (mode == READ_AFFINE_RELU)
            data_down_affine_relu(plan, input, row, c, strip, columns);
        else
            data_down_relu(plan, input, row, c, strip, columns);
        for (int64_t t = 0; t < plan->tile_columns; t++) {
            const float *from = strip + t * DLZ_TILE * DLZ_C;
            float *to = v + t * plan->in_padded + c;
            for (int i = 0; i < SPAN; i++) {
                dlz_v d[SPAN], out[SPAN];
                DLZ_UNROLL
                for (int j = 0; j < SPAN; j++)
                    d[j] = dlz_load(from + (i * columns + j) * DLZ_C);
                transform_data(d, out);
                DLZ_UNROLL
                for (int j = 0; j < SPAN; j++)
                    dlz_store(to + (i * SPAN + j) * memory->v_stride, out[j]);
            }
        }
    }
}

/* ---- outputs: M to y ---- */

DLZ_INLINE void output_tiles(const dlz_conv3x3_plan *plan, tile_row row,
                             const dlz_conv3x3_output *output, const float *m, int64_t m_stride,
                             int64_t k, output_lanes *lanes, int64_t first, int64_t last,
                             bool stats, bool relu, bool inner, bool whole) {
    int64_t width = plan->shape.width, height = plan->shape.height;
    int64_t channels = plan->shape.out_channels, count = channels - k;
    for (int64_t t = first; t < last; t++) {
        dlz_v down[DLZ_TILE][SPAN];
        const float *from = m + t * plan->out_padded + k;
        DLZ_UNROLL
        for (int j = 0; j < SPAN; j++) {
            dlz_v in[SPAN], out[DLZ_TILE];
            DLZ_UNROLL
            for (int i = 0; i < SPAN; i++)
                in[i] = dlz_load(from + (i * SPAN + j) * m_stride);
            transform_outputs(in, out);
            DLZ_UNROLL
            for (int i = 0; i < DLZ_TILE; i++)
                down[i][j] = out[i];
        }
        int64_t at = ((row.image * height + row.first) * width + t * DLZ_TILE) * channels + k;
        DLZ_UNROLL
        for (int i = 0; i < DLZ_TILE; i++) {
            dlz_v out[DLZ_TILE];
            if (!inner && row.first + i >= height)
                break;
            transform_outputs(down[i], out);
            DLZ_UNROLL
            for (int j = 0; j < DLZ_TILE; j++)
                if (inner || t * DLZ_TILE + j < width)
                    write_output(output, at + (i * width + j) * channels, out[j], lanes, stats,
                                 relu, whole, count);
        }
    }
}

static void transform_outputs_row(const dlz_conv3x3_plan *plan, tile_row row,
                                  const dlz_conv3x3_output *output, const chunk_memory *memory,
                                  const float *m, double *stats) {
    int64_t out = plan->shape.out_channels, stride = memory->m_stride;
    int64_t tiles = plan->tile_columns;
    /* Tiles that lie inside the image as a whole, in this row. */
    int64_t inner = row.first + DLZ_TILE <= plan->shape.height ? plan->shape.width / DLZ_TILE : 0;
    for (int64_t k = 0; k < plan->out_padded; k += DLZ_C) {
        bool whole = k + DLZ_C <= out;
        int64_t from = whole ? inner : 0, count = whole ? DLZ_C : out - k;
        output_lanes lanes = output_channels(output, k, whole, count);
        if (from > 0 && stats)
            output_tiles(plan, row, output, m, stride, k, &lanes, 0, from, true, output->relu, true,
                         true);
        else if (from > 0)
            output_tiles(plan, row, output, m, stride, k, &lanes, 0, from, false, output->relu,
                         true, true);
        if (from < tiles)
            output_tiles(plan, row, output, m, stride, k, &lanes, from, tiles, stats != NULL,
                         output->relu, false, false);
        if (stats) {
            add_lanes(stats + k, lanes.sum, count);
            add_lanes(stats + out + k, lanes.squares, count);
        }
    }
}

static void forward(const dlz_conv3x3_plan *plan, int64_t tile, const dlz_conv3x3_input *input,
                    const float *weights, const dlz_conv3x3_output *output, float *scratch) {
    chunk_memory memory = divide_scratch(plan, scratch);
    int64_t out = plan->shape.out_channels, in = plan->shape.in_channels;
    int64_t columns = plan->tile_columns;
    double *stats = output->stats ? output->stats + tile * 2 * out : NULL;
    for (int64_t i = 0; stats && i < 2 * out; i++)
        stats[i] = 0;
    int64_t row = tile * plan->forward_rows;
    int64_t end = dlz_min_i64(row + plan->forward_rows, plan->shape.images * plan->tile_rows);
    while (row < end) {
        int64_t rows = dlz_min_i64(plan->chunk_rows, end - row);
        for (int64_t r = 0; r < rows; r++)
            transform_data_row(plan, input, find_row(plan, row + r), &memory,
                               memory.v + r * columns * plan->in_padded);
        for (int64_t f = 0; f < FREQUENCIES; f++)
            gemm(rows * columns, plan->out_padded, in, memory.v + f * memory.v_stride,
                 plan->in_padded, weights + f * in * plan->out_padded, plan->out_padded,
                 memory.m + f * memory.m_stride, plan->out_padded);
        for (int64_t r = 0; r < rows; r++)
            transform_outputs_row(plan, find_row(plan, row + r), output, &memory,
                                  memory.m + r * columns * plan->out_padded, stats);
        row += rows;
    }
}

/* ---- gradient of the outputs: G to N ---- */

DLZ_INLINE dlz_v gradient_tiles(const dlz_conv3x3_plan *plan, tile_row row,
                                const dlz_conv3x3_gradient *gradient, float *n, int64_t stride,
                                int64_t k, int64_t first, int64_t last, int mode, bool inner,
                                bool whole) {
    int64_t width = plan->shape.width, height = plan->shape.height;
    int64_t channels = plan->shape.out_channels, count = channels - k;
    gradient_lanes lanes = gradient_channels(gradient, k, whole, count);
    dlz_v bias = {0};
    for (int64_t t = first; t < last; t++) {
        dlz_v down[SPAN][DLZ_TILE];
        int64_t at = ((row.image * height + row.first) * width + t * DLZ_TILE) * channels + k;
        DLZ_UNROLL
        for (int j = 0; j < DLZ_TILE; j++) {
            dlz_v g[DLZ_TILE], out[SPAN];
            DLZ_UNROLL
            for (int i = 0; i < DLZ_TILE; i++) {
                if (inner || (row.first + i < height && t * DLZ_TILE + j < width))
                    g[i] = read_gradient(gradient, at + (i * width + j) * channels, lanes, mode,
                                         whole, count);
                else
                    g[i] = (dlz_v){0};
                bias += g[i];
            }
            transform_outputs_back(g, out);
            DLZ_UNROLL
            for (int i = 0; i < SPAN; i++)
                down[i][j] = out[i];
        }
        float *to = n + t * plan->out_padded + k;
        DLZ_UNROLL
        for (int i = 0; i < SPAN; i++) {
            dlz_v out[SPAN];
            transform_outputs_back(down[i], out);
            DLZ_UNROLL
            for (int j = 0; j < SPAN; j++)
                dlz_store(to + (i * SPAN + j) * stride, out[j]);
        }
    }
    return bias;
}

static void transform_gradient_row(const dlz_conv3x3_plan *plan, tile_row row,
                                   const dlz_conv3x3_gradient *gradient, const chunk_memory *memory,
                                   float *n, float *bias) {
    int64_t stride = memory->m_stride, tiles = plan->tile_columns;
    int64_t inner = row.first + DLZ_TILE <= plan->shape.height ? plan->shape.width / DLZ_TILE : 0;
    int mode = gradient_mode(gradient);
    for (int64_t k = 0; k < plan->out_padded; k += DLZ_C) {
        bool whole = k + DLZ_C <= plan->shape.out_channels;
        int64_t from = whole ? inner : 0;
        dlz_v sum = dlz_load(bias + k);
        if (from > 0 && mode == GRADIENT_PLAIN)
            sum += gradient_tiles(plan, row, gradient, n, stride, k, 0, from, GRADIENT_PLAIN, true,
                                  true);
        else if (from > 0 && mode == GRADIENT_NORM)
            sum += gradient_tiles(plan, row, gradient, n, stride, k, 0, from, GRADIENT_NORM, true,
                                  true);
        else if (from > 0)
            sum += gradient_tiles(plan, row, gradient, n, stride, k, 0, from, GRADIENT_NORM_RELU,
                                  true, true);
        if (from < tiles)
            sum +=
                gradient_tiles(plan, row, gradient, n, stride, k, from, tiles, mode, false, whole);
        dlz_store(bias + k, sum);
    }
}

/* ---- gradient of the data: dV to dx ---- */

/* Along the row: each tile gives SPAN columns, of which the last two are its neighbour's first two.
 */
DLZ_INLINE void dx_along(const dlz_conv3x3_plan *plan, const float *v, int64_t stride, float *strip,
                         int64_t columns) {
    for (int i = 0; i < SPAN; i++) {
        dlz_v left = {0}, right = {0};
        float *to = strip + i * columns * DLZ_C;
        for (int64_t t = 0; t < plan->tile_columns; t++) {
            dlz_v in[SPAN], out[SPAN];
            DLZ_UNROLL
            for (int j = 0; j < SPAN; j++)
                in[j] = dlz_load(v + t * plan->in_padded + (i * SPAN + j) * stride);
            transform_data_back(in, out);
            out[0] += left;
            out[1] += right;
            DLZ_UNROLL
            for (int j = 0; j < DLZ_TILE; j++)
                dlz_store(to + j * DLZ_C, out[j]);
            left = out[DLZ_TILE];
            right = out[DLZ_TILE + 1];
            to += DLZ_TILE * DLZ_C;
        }
        dlz_store(to, left);
        dlz_store(to + DLZ_C, right);
    }
}

/* Down the columns: SPAN rows, the first two of them shared with the tile row above (kept in
 * `carry`), the last two with the one below. The strip's row 0 is the image's row first − 1. */
DLZ_INLINE void dx_down(const dlz_conv3x3_plan *plan, tile_row row, const dlz_conv3x3_input *input,
                        const dlz_conv3x3_input_gradient *gradient, const float *strip,
                        int64_t columns, float *carry, int64_t c, dx_lanes *lanes, bool reads,
                        bool inner, bool whole) {
    int64_t width = plan->shape.width, height = plan->shape.height;
    int64_t channels = plan->shape.in_channels, count = channels - c;
    int64_t line = width * channels;
    bool top = row.first == 0, bottom = row.first + DLZ_TILE >= height;
    int64_t at = ((row.image * height + row.first - 1) * width) * channels + c;
    for (int64_t q = 0; q < width; q++, at += channels) {
        dlz_v in[SPAN], out[SPAN];
        DLZ_UNROLL
        for (int i = 0; i < SPAN; i++)
            in[i] = dlz_load(strip + (i * columns + q + 1) * DLZ_C);
        transform_data_back(in, out);
        if (inner || !top) {
            out[0] += dlz_load(carry + q * 2 * DLZ_C);
            out[1] += dlz_load(carry + q * 2 * DLZ_C + DLZ_C);
        }
        dlz_store(carry + q * 2 * DLZ_C, out[DLZ_TILE]);
        dlz_store(carry + q * 2 * DLZ_C + DLZ_C, out[DLZ_TILE + 1]);
        DLZ_UNROLL
        for (int i = 0; i < DLZ_TILE; i++)
            if (inner || (row.first - 1 + i >= 0 && row.first - 1 + i < height))
                write_dx(input, gradient, at + i * line, out[i], lanes, reads, whole, count);
        if (!inner && bottom && row.first + DLZ_TILE - 1 < height)
            write_dx(input, gradient, at + DLZ_TILE * line, out[DLZ_TILE], lanes, reads, whole,
                     count);
    }
}

static void transform_dx_row(const dlz_conv3x3_plan *plan, tile_row row,
                             const dlz_conv3x3_input *input,
                             const dlz_conv3x3_input_gradient *gradient, const chunk_memory *memory,
                             const float *v, double *sums) {
    int64_t in = plan->shape.in_channels, columns = memory->columns;
    bool reads = input->relu || sums;
    bool inner = row.first > 0 && row.first + DLZ_TILE < plan->shape.height;
    for (int64_t c = 0; c < plan->in_padded; c += DLZ_C) {
        bool whole = c + DLZ_C <= in;
        int64_t count = whole ? DLZ_C : in - c;
        float *carry = memory->carry + 2 * c * columns;
        dx_lanes lanes = dx_channels(input, gradient, c, whole, count);
        dx_along(plan, v + c, memory->v_stride, memory->strip, columns);
        if (inner && whole && reads)
            dx_down(plan, row, input, gradient, memory->strip, columns, carry, c, &lanes, true,
                    true, true);
        else if (inner && whole)
            dx_down(plan, row, input, gradient, memory->strip, columns, carry, c, &lanes, false,
                    true, true);
        else if (whole)
            dx_down(plan, row, input, gradient, memory->strip, columns, carry, c, &lanes, reads,
                    false, true);
        else
            dx_down(plan, row, input, gradient, memory->strip, columns, carry, c, &lanes, reads,
                    false, false);
        if (sums) {
            add_lanes(sums + c, lanes.sum, count);
            add_lanes(sums + in + c, lanes.products, count);
        }
    }
}

static void backward(const dlz_conv3x3_plan *plan, int64_t tile, const dlz_conv3x3_input *input,
                     const dlz_conv3x3_gradient *gradient, const float *weights,
                     const dlz_conv3x3_input_gradient *input_gradient, float *accumulators,
                     float *scratch) {
    chunk_memory memory = divide_scratch(plan, scratch);
    int64_t in = plan->shape.in_channels, out = plan->shape.out_channels;
    int64_t in_padded = plan->in_padded, out_padded = plan->out_padded;
    int64_t columns = plan->tile_columns;
    float *du = accumulators + tile * plan->accumulator_stride;
    float *bias = du + plan->forward_weight_floats;
    for (int64_t k = 0; k < out_padded; k++)
        bias[k] = 0;
    double *sums =
        input_gradient && input_gradient->sums ? input_gradient->sums + tile * 2 * in : NULL;
    for (int64_t i = 0; sums && i < 2 * in; i++)
        sums[i] = 0;
    int64_t start = tile * plan->backward_images;
    int64_t images = dlz_min_i64(plan->backward_images, plan->shape.images - start);
    int64_t row = start * plan->tile_rows, first = row, end = row + images * plan->tile_rows;
    while (row < end) {
        int64_t rows = dlz_min_i64(plan->chunk_rows, end - row), tiles = rows * columns;
        for (int64_t r = 0; r < rows; r++) {
            transform_data_row(plan, input, find_row(plan, row + r), &memory,
                               memory.v + r * columns * in_padded);
            transform_gradient_row(plan, find_row(plan, row + r), gradient, &memory,
                                   memory.m + r * columns * out_padded, bias);
        }
        for (int64_t f = 0; f < FREQUENCIES; f++) {
            float *v = memory.v + f * memory.v_stride;
            const float *n = memory.m + f * memory.m_stride;
            gemm_t(in, out_padded, tiles, v, in_padded, n, out_padded, du + f * in * out_padded,
                   out_padded, row > first);
            if (input_gradient)
                gemm(tiles, in_padded, out, n, out_padded, weights + f * out * in_padded, in_padded,
                     v, in_padded);
        }
        for (int64_t r = 0; input_gradient && r < rows; r++)
            transform_dx_row(plan, find_row(plan, row + r), input, input_gradient, &memory,
                             memory.v + r * columns * in_padded, sums);
        row += rows;
    }
}

/* ---- weights ---- */

/* Both layouts hold U[frequency][row][column]: rows are the summed channels, columns the results.
 */
static void prepare_block(const float *w, int64_t row_stride, int64_t column_stride, int64_t row,
                          int64_t last, int64_t rows, int64_t column, int64_t columns,
                          int64_t padded, float *u) {
    int64_t count = dlz_min_i64(DLZ_C, columns - column);
    for (int64_t r = row; r < last; r++) {
        dlz_vd g[3][3] = {0}, along[3][SPAN];
        for (int64_t l = 0; l < count; l++)
            for (int t = 0; t < 9; t++)
                g[t / 3][t % 3][l] = w[r * row_stride + (column + l) * column_stride + t];
        for (int i = 0; i < 3; i++)
            transform_weights(g[i], along[i]);
        for (int j = 0; j < SPAN; j++) {
            dlz_vd in[3] = {along[0][j], along[1][j], along[2][j]}, out[SPAN];
            transform_weights(in, out);
            for (int i = 0; i < SPAN; i++)
                dlz_store(u + ((i * SPAN + j) * rows + r) * padded + column,
                          __builtin_convertvector(out[i], dlz_v));
        }
    }
}

static void prepare(const dlz_conv3x3_plan *plan, int64_t tile, const float *w,
                    float *forward_weights, float *backward_weights) {
    int64_t in = plan->shape.in_channels, out = plan->shape.out_channels;
    int64_t blocks = plan->out_padded / DLZ_C;
    int64_t c = tile / blocks * DLZ_C, k = tile % blocks * DLZ_C;
    prepare_block(w, 9, in * 9, c, dlz_min_i64(c + DLZ_C, in), in, k, out, plan->out_padded,
                  forward_weights);
    if (backward_weights)
        prepare_block(w, in * 9, 9, k, dlz_min_i64(k + DLZ_C, out), out, c, in, plan->in_padded,
                      backward_weights);
}

static void finish(const dlz_conv3x3_plan *plan, int64_t tile, const float *accumulators, float *dw,
                   float *db) {
    int64_t in = plan->shape.in_channels, out = plan->shape.out_channels;
    int64_t blocks = plan->out_padded / DLZ_C;
    int64_t c0 = tile / blocks * DLZ_C, k = tile % blocks * DLZ_C;
    int64_t count = dlz_min_i64(DLZ_C, out - k);
    for (int64_t c = c0; c < dlz_min_i64(c0 + DLZ_C, in); c++) {
        dlz_vd along[SPAN][3];
        for (int i = 0; i < SPAN; i++) {
            dlz_vd in_row[SPAN];
            for (int j = 0; j < SPAN; j++) {
                const float *from = accumulators + ((i * SPAN + j) * in + c) * plan->out_padded + k;
                dlz_vd sum = {0};
                for (int64_t a = 0; a < plan->backward_tiles; a++)
                    sum += __builtin_convertvector(dlz_load(from + a * plan->accumulator_stride),
                                                   dlz_vd);
                in_row[j] = sum;
            }
            transform_weights_back(in_row, along[i]);
        }
        for (int j = 0; j < 3; j++) {
            dlz_vd in_column[SPAN], result[3];
            for (int i = 0; i < SPAN; i++)
                in_column[i] = along[i][j];
            transform_weights_back(in_column, result);
            for (int i = 0; i < 3; i++)
                for (int64_t l = 0; l < count; l++)
                    dw[((k + l) * in + c) * 9 + i * 3 + j] = (float)result[i][l];
        }
    }
    if (tile == 0 && db)
        finish_bias(plan, accumulators, db);
}
