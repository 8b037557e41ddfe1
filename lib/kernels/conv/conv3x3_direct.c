/* The convolution as nine shifted matrix products, for few channels and as a yardstick.
 *
 * A few rows of the input are read (batch norm and relu applied) into a strip with a border of
 * zeros; a block of pixels × 2 vectors of channels stays in registers over all nine taps. The
 * input's gradient is the same product of the gradient's strip with mirrored weights. */
#include "kernels/conv/conv3x3_gemm.h"

/* 9·in rows of the weights' gradient come in whole blocks of these. */
#if DLZ_REGISTERS == 32
enum { TAP_ROWS = 9, TAP_VECTORS = 2 };
#else
enum { TAP_ROWS = 3, TAP_VECTORS = 2 };
#endif

/* ---- strips ---- */

/* What rows first … first + rows − 1 of y see of an image, padding and all. */
static void read_strip(const dlz_conv3x3_plan *plan, const dlz_conv3x3_input *input, int64_t image,
                       int64_t first, int64_t rows, float *strip) {
    int64_t width = plan->shape.width, height = plan->shape.height;
    int64_t channels = plan->shape.in_channels, line = (plan->out_width + 2) * channels;
    int64_t edge = plan->shape.padding[1] * channels;
    int mode = input_mode(input);
    for (int64_t i = 0; i < rows + 2; i++, strip += line) {
        int64_t row = first - plan->shape.padding[0] + i;
        bool inside = row >= 0 && row < height;
        int64_t zeros = inside ? edge : line;
        for (int64_t e = 0; e < zeros; e++)
            strip[e] = 0;
        if (!inside)
            continue;
        for (int64_t e = line - edge; e < line; e++)
            strip[e] = 0;
        const float *from = input->data + (image * height + row) * width * channels;
        float *to = strip + edge;
        int64_t e = 0, size = width * channels;
        if (mode == READ_PLAIN || mode == READ_RELU) {
            for (; e + DLZ_C <= size; e += DLZ_C) {
                dlz_v value = dlz_load(from + e);
                dlz_store(to + e, mode == READ_RELU ? dlz_rectify(value) : value);
            }
            for (; e < size; e++)
                to[e] = mode == READ_RELU && from[e] <= 0 ? 0 : from[e];
            continue;
        }
        for (int64_t q = 0; q < width; q++, from += channels, to += channels)
            for (int64_t c = 0; c < channels; c += DLZ_C) {
                bool whole = c + DLZ_C <= channels;
                int64_t count = channels - c;
                input_lanes lanes = input_channels(input, c, whole, count);
                store_lanes(to + c, apply_input(load_lanes(from + c, whole, count), lanes, mode),
                            whole, count);
            }
    }
}

/* One vector of channels of one row of the gradient, `padded` floats a pixel; returns its sum. */
DLZ_INLINE dlz_v read_gradient_row(const dlz_conv3x3_plan *plan,
                                   const dlz_conv3x3_gradient *gradient, int64_t image, int64_t row,
                                   int64_t k, int mode, bool whole, float *to) {
    int64_t width = plan->out_width, height = plan->out_height, padded = plan->out_padded;
    int64_t channels = plan->shape.out_channels, count = channels - k;
    gradient_lanes lanes = gradient_channels(gradient, k, whole, count);
    dlz_conv3x3_gradient source = *gradient; /* stores cannot alias a local */
    int64_t at = (image * height + row) * width * channels + k;
    int64_t pool = (image * (height / 2) + row / 2) * (width / 2) * channels + k;
    bool pooled = row / 2 < height / 2;
    dlz_v sum = {0};
    for (int64_t q = 0; q < width; q++, at += channels, to += padded) {
        int64_t window = pooled && q / 2 < width / 2 ? pool + q / 2 * channels : -1;
        dlz_v g = read_gradient(&source, at, window, (int)(row % 2 * 2 + q % 2), lanes, mode, whole,
                                count);
        dlz_store(to, g);
        sum += g;
    }
    return sum;
}

/* Rows first − 1 … first + rows of the gradient with zeros around it, channels padded to whole
 * vectors. Adds rows first … first + rows − 1 to the bias's gradient. Without `around` only those
 * are read. */
static void read_gradient_strip(const dlz_conv3x3_plan *plan, const dlz_conv3x3_gradient *gradient,
                                int64_t image, int64_t first, int64_t rows, bool around,
                                float *strip, float *bias) {
    int64_t padded = plan->out_padded, edge = dlz_conv3x3_border(plan, 1) * padded;
    int64_t line = plan->out_width * padded + 2 * edge;
    int mode = gradient_mode(gradient);
    for (int64_t i = around ? 0 : 1; i < rows + (around ? 2 : 1); i++) {
        int64_t row = first - 1 + i;
        bool outside = row < 0 || row >= plan->out_height;
        float *to = strip + i * line;
        if (outside) {
            for (int64_t e = 0; e < line; e++)
                to[e] = 0;
            continue;
        }
        for (int64_t e = 0; e < edge; e += DLZ_C) {
            dlz_store(to + e, (dlz_v){0});
            dlz_store(to + line - edge + e, (dlz_v){0});
        }
        to += edge;
        for (int64_t k = 0; k < padded; k += DLZ_C, to += DLZ_C) {
            bool whole = k + DLZ_C <= plan->shape.out_channels;
            dlz_v sum;
            if (whole && mode == GRADIENT_PLAIN)
                sum = read_gradient_row(plan, gradient, image, row, k, GRADIENT_PLAIN, true, to);
            else if (whole && mode == GRADIENT_NORM_RELU)
                sum =
                    read_gradient_row(plan, gradient, image, row, k, GRADIENT_NORM_RELU, true, to);
            else
                sum = read_gradient_row(plan, gradient, image, row, k, mode, whole, to);
            if (i > 0 && i <= rows)
                dlz_store(bias + k, dlz_load(bias + k) + sum);
        }
    }
}

/* ---- pixels × channels ---- */

/* A block of results: sum over taps and the channels of `strip` (pixels `stride` apart, rows `line`
 * apart) times weights [tap][channel][column]. */
DLZ_INLINE void tap_block(const int pixels, const int vecs, const float *strip, int64_t stride,
                          int64_t line, int64_t depth, const float *weights, int64_t columns,
                          dlz_v sum[DLZ_GEMM_ROWS][2]) {
    DLZ_UNROLL
    for (int r = 0; r < pixels; r++)
        DLZ_UNROLL
    for (int v = 0; v < vecs; v++)
        sum[r][v] = (dlz_v){0};
    for (int64_t tap = 0; tap < 9; tap++) {
        const float *a = strip + tap / 3 * line + tap % 3 * stride;
        for (int64_t i = 0; i < depth; i++, weights += columns) {
            dlz_v row[2];
            DLZ_UNROLL
            for (int v = 0; v < vecs; v++)
                row[v] = dlz_load(weights + v * DLZ_LANES);
            DLZ_UNROLL
            for (int r = 0; r < pixels; r++) {
                dlz_v s = dlz_splat(a[r * stride + i]);
                DLZ_UNROLL
                for (int v = 0; v < vecs; v++)
                    sum[r][v] = dlz_fma(s, row[v], sum[r][v]);
            }
        }
    }
}

typedef struct strip_view {
    const float *pixels;
    int64_t stride, line, depth;
    const float *weights;
    int64_t columns;
} strip_view;

DLZ_INLINE void forward_block(const int pixels, const int vecs, strip_view view,
                              const dlz_conv3x3_output *output, int64_t at, int64_t channels,
                              int64_t k, output_lanes lanes[2]) {
    dlz_v sum[DLZ_GEMM_ROWS][2];
    tap_block(pixels, vecs, view.pixels, view.stride, view.line, view.depth, view.weights + k,
              view.columns, sum);
    bool whole = k + vecs * DLZ_C <= channels;
    DLZ_UNROLL
    for (int r = 0; r < pixels; r++)
        DLZ_UNROLL
    for (int v = 0; v < vecs; v++) {
        int64_t index = at + r * channels + k + v * DLZ_LANES;
        int64_t count = dlz_min_i64(DLZ_C, channels - k - v * DLZ_C);
        if (whole)
            write_output(output, index, sum[r][v], &lanes[v], output->stats != NULL, output->relu,
                         true, true, DLZ_C);
        else
            write_output(output, index, sum[r][v], &lanes[v], output->stats != NULL, output->relu,
                         true, false, count);
    }
}

DLZ_INLINE void forward_row(const int vecs, int64_t width, strip_view view,
                            const dlz_conv3x3_output *output, const float *pivots, int64_t at,
                            int64_t channels, int64_t k, double *stats) {
    output_lanes lanes[2];
    for (int v = 0; v < vecs; v++) {
        int64_t first = k + v * DLZ_C;
        lanes[v] =
            output_channels(output, pivots, first, first + DLZ_C <= channels, channels - first);
    }
    int64_t q = 0;
    for (; q + DLZ_GEMM_ROWS <= width; q += DLZ_GEMM_ROWS) {
        forward_block(DLZ_GEMM_ROWS, vecs, view, output, at + q * channels, channels, k, lanes);
        view.pixels += DLZ_GEMM_ROWS * view.stride;
    }
    for (; q + DLZ_GEMM_ROWS / 2 <= width; q += DLZ_GEMM_ROWS / 2) {
        forward_block(DLZ_GEMM_ROWS / 2, vecs, view, output, at + q * channels, channels, k, lanes);
        view.pixels += DLZ_GEMM_ROWS / 2 * view.stride;
    }
    for (; q < width; q++) {
        forward_block(1, vecs, view, output, at + q * channels, channels, k, lanes);
        view.pixels += view.stride;
    }
    for (int v = 0; stats && v < vecs; v++) {
        int64_t first = k + v * DLZ_C, count = dlz_min_i64(DLZ_C, channels - first);
        add_lanes(stats + first, lanes[v].sum, count);
        add_lanes(stats + channels + first, lanes[v].squares, count);
    }
}

/* About which the tile's squares are taken: from outputs of its first row. */
static void find_pivots(const dlz_conv3x3_plan *plan, strip_view view,
                        const dlz_conv3x3_output *output, float *pivots) {
    int64_t channels = plan->shape.out_channels;
    for (int64_t k = 0; k < plan->out_padded; k += DLZ_C) {
        dlz_v sum[DLZ_GEMM_ROWS][2], sums[3];
        for (int i = 0; i < 3; i++) {
            int64_t q = i * (plan->out_width - 1) / 2;
            tap_block(1, 1, view.pixels + q * view.stride, view.stride, view.line, view.depth,
                      view.weights + k, view.columns, sum);
            sums[i] = sum[0][0];
        }
        store_pivots(output, k, k + DLZ_C <= channels, channels - k, sums, pivots);
    }
}

static void forward(const dlz_conv3x3_plan *plan, int64_t tile, const dlz_conv3x3_input *input,
                    const float *weights, const dlz_conv3x3_output *output, float *scratch) {
    int64_t width = plan->out_width, height = plan->out_height;
    int64_t in = plan->shape.in_channels, out = plan->shape.out_channels;
    double *stats = start_moments(output, tile, out, 0, out), *sums = stats ? stats + 1 : NULL;
    float *pivots = stats ? scratch + plan->scratch_floats - plan->out_padded : NULL;
    int64_t start = tile * plan->forward_rows, row = start;
    int64_t end = dlz_min_i64(row + plan->forward_rows, plan->shape.images * height);
    while (row < end) {
        int64_t image = row / height, first = row - image * height;
        int64_t rows = dlz_min_i64(dlz_min_i64(plan->chunk_rows, end - row), height - first);
        read_strip(plan, input, image, first, rows, scratch);
        strip_view view = {scratch, in, (width + 2) * in, in, weights, plan->out_padded};
        if (pivots && row == start)
            find_pivots(plan, view, output, pivots);
        for (int64_t r = 0; r < rows; r++, view.pixels += view.line)
            for (int64_t k = 0; k < plan->out_padded; k += 2 * DLZ_C) {
                int64_t at = (row + r) * width * out;
                if (k + 2 * DLZ_C <= plan->out_padded)
                    forward_row(2, width, view, output, pivots, at, out, k, sums);
                else
                    forward_row(1, width, view, output, pivots, at, out, k, sums);
            }
        row += rows;
    }
    if (stats)
        dlz_moments_finish(stats, (end - start) * width, out, 0, out, pivots);
}

DLZ_INLINE void dx_block(const int pixels, const int vecs, strip_view view,
                         const dlz_conv3x3_input *input, const dlz_conv3x3_input_gradient *gradient,
                         int64_t at, int64_t channels, int64_t c, dx_lanes lanes[2]) {
    dlz_v sum[DLZ_GEMM_ROWS][2];
    tap_block(pixels, vecs, view.pixels, view.stride, view.line, view.depth, view.weights + c,
              view.columns, sum);
    bool reads = input->relu || gradient->sums, whole = c + vecs * DLZ_C <= channels;
    DLZ_UNROLL
    for (int r = 0; r < pixels; r++)
        DLZ_UNROLL
    for (int v = 0; v < vecs; v++) {
        int64_t index = at + r * channels + c + v * DLZ_LANES;
        int64_t count = dlz_min_i64(DLZ_C, channels - c - v * DLZ_C);
        if (whole)
            write_dx(input, gradient, index, sum[r][v], &lanes[v], reads, true, DLZ_C);
        else
            write_dx(input, gradient, index, sum[r][v], &lanes[v], reads, false, count);
    }
}

DLZ_INLINE void dx_row(const int vecs, int64_t width, strip_view view,
                       const dlz_conv3x3_input *input, const dlz_conv3x3_input_gradient *gradient,
                       int64_t at, int64_t channels, int64_t c, double *sums) {
    dx_lanes lanes[2];
    for (int v = 0; v < vecs; v++) {
        int64_t first = c + v * DLZ_C;
        lanes[v] = dx_channels(input, gradient, first, first + DLZ_C <= channels, channels - first);
    }
    int64_t q = 0;
    for (; q + DLZ_GEMM_ROWS <= width; q += DLZ_GEMM_ROWS) {
        dx_block(DLZ_GEMM_ROWS, vecs, view, input, gradient, at + q * channels, channels, c, lanes);
        view.pixels += DLZ_GEMM_ROWS * view.stride;
    }
    for (; q + DLZ_GEMM_ROWS / 2 <= width; q += DLZ_GEMM_ROWS / 2) {
        dx_block(DLZ_GEMM_ROWS / 2, vecs, view, input, gradient, at + q * channels, channels, c,
                 lanes);
        view.pixels += DLZ_GEMM_ROWS / 2 * view.stride;
    }
    for (; q < width; q++) {
        dx_block(1, vecs, view, input, gradient, at + q * channels, channels, c, lanes);
        view.pixels += view.stride;
    }
    for (int v = 0; sums && v < vecs; v++) {
        int64_t first = c + v * DLZ_C, count = dlz_min_i64(DLZ_C, channels - first);
        add_lanes(sums + first, lanes[v].sum, count);
        add_lanes(sums + channels + first, lanes[v].products, count);
    }
}

/* ---- the weights' gradient ---- */

/* TAP_ROWS rows of dW [tap][channel]: row r is the input shifted by offset[r], summed over all
 * pixels of the strip's rows against the gradient, whose rows lie g_line apart. */
DLZ_INLINE void tap_gradient(const int vecs, const float *strip, const int64_t *offset,
                             int64_t stride, int64_t line, const float *g, int64_t padded,
                             int64_t g_line, int64_t rows, int64_t width, float *d, bool add) {
    dlz_v sum[TAP_ROWS][TAP_VECTORS];
    DLZ_UNROLL
    for (int r = 0; r < TAP_ROWS; r++)
        DLZ_UNROLL
    for (int v = 0; v < vecs; v++)
        sum[r][v] = (dlz_v){0};
    for (int64_t y = 0; y < rows; y++) {
        const float *a = strip + y * line, *b = g + y * g_line;
        for (int64_t q = 0; q < width; q++, a += stride, b += padded) {
            dlz_v row[TAP_VECTORS];
            DLZ_UNROLL
            for (int v = 0; v < vecs; v++)
                row[v] = dlz_load(b + v * DLZ_LANES);
            DLZ_UNROLL
            for (int r = 0; r < TAP_ROWS; r++) {
                dlz_v s = dlz_splat(a[offset[r]]);
                DLZ_UNROLL
                for (int v = 0; v < vecs; v++)
                    sum[r][v] = dlz_fma(s, row[v], sum[r][v]);
            }
        }
    }
    DLZ_UNROLL
    for (int r = 0; r < TAP_ROWS; r++)
        DLZ_UNROLL
    for (int v = 0; v < vecs; v++) {
        float *to = d + r * padded + v * DLZ_LANES;
        dlz_store(to, add ? dlz_load(to) + sum[r][v] : sum[r][v]);
    }
}

/* Of rows first … first + rows − 1 of y; g is their gradient's first pixel. */
static void weight_gradient(const dlz_conv3x3_plan *plan, const float *strip, const float *g,
                            int64_t rows, float *dw, bool add) {
    int64_t in = plan->shape.in_channels, width = plan->out_width, padded = plan->out_padded;
    int64_t line = (width + 2) * in;
    int64_t g_line = (width + 2 * dlz_conv3x3_border(plan, 1)) * padded;
    for (int64_t first = 0; first < 9 * in; first += TAP_ROWS) {
        int64_t offset[TAP_ROWS];
        for (int64_t r = 0; r < TAP_ROWS; r++) {
            int64_t tap = (first + r) / in, c = (first + r) % in;
            offset[r] = tap / 3 * line + tap % 3 * in + c;
        }
        int64_t k = 0;
        for (; k + TAP_VECTORS * DLZ_C <= padded; k += TAP_VECTORS * DLZ_C)
            tap_gradient(TAP_VECTORS, strip, offset, in, line, g + k, padded, g_line, rows, width,
                         dw + first * padded + k, add);
        for (; k < padded; k += DLZ_C)
            tap_gradient(1, strip, offset, in, line, g + k, padded, g_line, rows, width,
                         dw + first * padded + k, add);
    }
}

/* dx of the pixels whose windows are centered on rows first … first + rows − 1 of y, where those
 * lie in the image. */
static void strip_dx(const dlz_conv3x3_plan *plan, const dlz_conv3x3_input *input,
                     const dlz_conv3x3_input_gradient *gradient, const float *weights,
                     int64_t image, int64_t first, int64_t rows, const float *strip, double *sums) {
    int64_t width = plan->shape.width, height = plan->shape.height, in = plan->shape.in_channels;
    int64_t padded = plan->out_padded, border = dlz_conv3x3_border(plan, 1);
    int64_t top = first + 1 - plan->shape.padding[0];
    strip_view view = {strip + (plan->shape.padding[1] - 2 + border) * padded,
                       padded,
                       (plan->out_width + 2 * border) * padded,
                       plan->shape.out_channels,
                       weights,
                       plan->in_padded};
    for (int64_t r = top; r < top + rows; r++, view.pixels += view.line)
        for (int64_t c = 0; r >= 0 && r < height && c < plan->in_padded; c += 2 * DLZ_C) {
            int64_t at = (image * height + r) * width * in;
            if (c + 2 * DLZ_C <= plan->in_padded)
                dx_row(2, width, view, input, gradient, at, in, c, sums);
            else
                dx_row(1, width, view, input, gradient, at, in, c, sums);
        }
}

static void backward(const dlz_conv3x3_plan *plan, int64_t tile, const dlz_conv3x3_input *input,
                     const dlz_conv3x3_gradient *gradient, const float *weights,
                     const dlz_conv3x3_input_gradient *input_gradient, float *accumulators,
                     float *scratch) {
    int64_t height = plan->out_height, in = plan->shape.in_channels, padded = plan->out_padded;
    float *dw = accumulators + tile * plan->accumulator_stride;
    float *bias = dw + plan->forward_weight_floats;
    for (int64_t k = 0; k < padded; k++)
        bias[k] = 0;
    double *sums =
        input_gradient && input_gradient->sums ? input_gradient->sums + tile * 2 * in : NULL;
    for (int64_t i = 0; sums && i < 2 * in; i++)
        sums[i] = 0;
    int64_t border = dlz_conv3x3_border(plan, 1);
    int64_t line = (plan->out_width + 2 * border) * padded;
    float *g_strip = scratch, *strip = g_strip + (plan->chunk_rows + 2) * line;
    int64_t start = tile * plan->backward_images;
    int64_t stop = dlz_min_i64(start + plan->backward_images, plan->shape.images);
    /* Without padding, windows of dx are centered on one row beyond y at either side, too. */
    int64_t beyond = input_gradient && plan->shape.padding[0] == 0 ? 1 : 0;
    for (int64_t image = start; image < stop; image++)
        for (int64_t first = -beyond; first < height + beyond; first += plan->chunk_rows) {
            int64_t rows = dlz_min_i64(plan->chunk_rows, height + beyond - first);
            int64_t low = dlz_max_i64(first, 0), high = dlz_min_i64(first + rows, height);
            read_gradient_strip(plan, gradient, image, first, rows, input_gradient != NULL, g_strip,
                                bias);
            if (low < high) {
                read_strip(plan, input, image, low, high - low, strip);
                weight_gradient(plan, strip, g_strip + (low - first + 1) * line + border * padded,
                                high - low, dw, image > start || low > 0);
            }
            if (input_gradient)
                strip_dx(plan, input, input_gradient, weights, image, first, rows, g_strip, sums);
        }
}

/* ---- weights ---- */

static void prepare(const dlz_conv3x3_plan *plan, int64_t tile, const float *w,
                    float *forward_weights, float *backward_weights) {
    int64_t in = plan->shape.in_channels, out = plan->shape.out_channels;
    int64_t blocks = plan->out_padded / DLZ_C;
    int64_t c0 = tile / blocks * DLZ_C, k0 = tile % blocks * DLZ_C;
    for (int64_t t = 0; t < 9; t++) {
        for (int64_t c = c0; c < dlz_min_i64(c0 + DLZ_C, in); c++)
            for (int64_t k = k0; k < k0 + DLZ_C; k++)
                forward_weights[(t * in + c) * plan->out_padded + k] =
                    k < out ? w[(k * in + c) * 9 + t] : 0;
        for (int64_t k = k0; backward_weights && k < dlz_min_i64(k0 + DLZ_C, out); k++)
            for (int64_t c = c0; c < c0 + DLZ_C; c++)
                backward_weights[(t * out + k) * plan->in_padded + c] =
                    c < in ? w[(k * in + c) * 9 + 8 - t] : 0;
    }
}

static void sum_run(const dlz_conv3x3_plan *plan, const float *accumulators, int64_t first,
                    int64_t last, int64_t k, float *taps) {
    int64_t in = plan->shape.in_channels, each = plan->accumulators / plan->sums;
    for (int64_t c = first; c < last; c++)
        for (int64_t t = 0; t < 9; t++, taps += DLZ_LANES) {
            dlz_v sum = {0};
            const float *from = accumulators + (t * in + c) * plan->out_padded + k;
            for (int64_t a = 0; a < each; a++)
                sum += dlz_load(from + a * plan->accumulator_stride);
            dlz_store(taps, sum);
        }
}

static void finish(const dlz_conv3x3_plan *plan, int64_t tile, const float *accumulators, float *dw,
                   float *db) {
    finish_tile(plan, tile, accumulators, dw, db, sum_run);
}

const dlz_conv3x3_kernels DLZ_VARIANT(dlz_conv3x3_direct) = {DLZ_LANES, prepare, forward, backward,
                                                             finish};
