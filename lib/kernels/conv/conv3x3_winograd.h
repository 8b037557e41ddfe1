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
#include "kernels/conv/conv3x3_across.h"
#include "kernels/conv/conv3x3_down.h"
#include "kernels/conv/conv3x3_gemm.h"
#include "kernels/conv/conv3x3_weights.h"

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
