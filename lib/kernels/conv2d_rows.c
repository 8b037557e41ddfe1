#include "kernels/conv2d.h"
#include "kernels/part.h"

enum { LANES = DLZ_LANES };
_Static_assert(2 * LANES <= DLZ_CONV2D_SLACK, "two vectors may be read or written beyond an end");

/* Lanes of `value` where `gate` is 0 or less become 0. NaN passes, so that it is not hidden. */
DLZ_INLINE dlz_v gated(dlz_v value, dlz_v gate) {
    return (dlz_v)((dlz_vi)value & ~(dlz_vi)(gate <= (dlz_v){0}));
}

DLZ_INLINE dlz_v load_part(const float *from, int64_t count) {
    return count >= LANES ? dlz_load(from) : dlz_load_first(from, (int)count);
}

/* Whole vectors: `to` has room beyond its end. */
static void fill_zero(float *to, int64_t count) {
    for (int64_t i = 0; i < count; i += LANES)
        dlz_store(to + i, (dlz_v){0});
}

/* -- The input -----------------------------------------------------------------------------------
 */

/* A row's numbers with what is pending applied. Sets lanes of *strange where one is not finite. The
 * gradient's relu decides by the same fused product. */
DLZ_INLINE void load_row(const dlz_conv2d_input *input, const bool scales, const bool relu,
                         const bool checks, const float *from, int64_t count, float *to,
                         dlz_vi *strange) {
    for (int64_t i = 0; i < count; i += LANES) {
        dlz_v value = load_part(from + i, count - i);
        if (scales)
            value = dlz_fma(value, dlz_load(input->scale + i), dlz_load(input->shift + i));
        if (relu)
            value = gated(value, value);
        if (checks)
            *strange |= (dlz_vi)(value - value != (dlz_v){0});
        dlz_store(to + i, value);
    }
}

static void load_any_row(const dlz_conv2d_input *input, bool checks, const float *from,
                         int64_t count, float *to, dlz_vi *strange) {
    int kind = (input->scale ? 4 : 0) + (input->scale && input->relu ? 2 : 0) + checks;
    switch (kind) {
    case 0:
        load_row(input, false, false, false, from, count, to, strange);
        break;
    case 1:
        load_row(input, false, false, true, from, count, to, strange);
        break;
    case 4:
        load_row(input, true, false, false, from, count, to, strange);
        break;
    case 5:
        load_row(input, true, false, true, from, count, to, strange);
        break;
    case 6:
        load_row(input, true, true, false, from, count, to, strange);
        break;
    default:
        load_row(input, true, true, true, from, count, to, strange);
    }
}

static dlz_conv2d_view load(const dlz_conv2d_plan *plan, const dlz_conv2d_input *input,
                            dlz_conv2d_block block, float *strip) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t row = s->width * s->channels, image = s->height * row;
    if (plan->in_place && !input->scale)
        return (dlz_conv2d_view){input->data + block.image * image + block.row * s->stride[0] * row,
                                 s->dilation[0] * row, s->stride[0] * row, image, true};
    int64_t left = s->padding[1] * s->channels, whole = plan->row_floats;
    left = left < whole ? left : whole;
    int64_t count = row < whole - left ? row : whole - left;
    int64_t rows = (s->kernel[0] - 1) * plan->tap_rows + (block.rows - 1) * plan->line_rows + 1;
    bool shared = plan->line_rows == s->stride[0] && plan->tap_rows == s->dilation[0];
    dlz_vi strange = {0};
    float *to = strip;
    for (int64_t i = 0; i < block.images; i++) {
        const float *from = input->data + (block.image + i) * image;
        for (int64_t r = 0; r < rows; r++, to += whole) {
            int64_t line = shared ? 0 : r / s->kernel[0], tap = shared ? r : r % s->kernel[0];
            int64_t y = (block.row + line) * s->stride[0] - s->padding[0];
            y += shared ? tap : tap * s->dilation[0];
            if (y < 0 || y >= s->height) {
                fill_zero(to, whole);
                continue;
            }
            fill_zero(to, left);
            load_any_row(input, plan->fast.merged > 1, from + y * row, count, to + left, &strange);
            fill_zero(to + left + count, whole - left - count);
        }
    }
    int32_t any = 0;
    for (int lane = 0; lane < LANES; lane++)
        any |= strange[lane];
    return (dlz_conv2d_view){strip, plan->tap_rows * whole, plan->line_rows * whole, rows * whole,
                             any == 0};
}

/* -- The gradient --------------------------------------------------------------------------------
 */

DLZ_INLINE void load_gradient_row(const dlz_conv2d_gradient *gradient, const bool gates,
                                  const bool scales, int64_t at, int64_t count, float *to) {
    for (int64_t i = 0; i < count; i += LANES) {
        dlz_v g = load_part(gradient->dy + at + i, count - i);
        if (gates || scales) {
            dlz_v z = load_part(gradient->z + at + i, count - i);
            if (gates)
                g = gated(g,
                          dlz_fma(z, dlz_load(gradient->scale + i), dlz_load(gradient->shift + i)));
            if (scales)
                g = dlz_fma(dlz_load(gradient->a + i), g,
                            dlz_fma(dlz_load(gradient->b + i), z, dlz_load(gradient->d + i)));
        }
        dlz_store(to + i, g);
    }
}

static void load_gradient(const dlz_conv2d_plan *plan, const dlz_conv2d_gradient *gradient,
                          dlz_conv2d_block block, float *g) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t row = s->out_width * s->outputs, whole = plan->fast.width * plan->fast.columns;
    bool gates = gradient->z && gradient->relu, scales = gradient->z && gradient->a;
    for (int64_t i = 0; i < block.images; i++)
        for (int64_t y = block.row; y < block.row + block.rows; y++, g += whole) {
            int64_t at = ((block.image + i) * s->out_height + y) * row;
            if (gates && scales)
                load_gradient_row(gradient, true, true, at, row, g);
            else if (gates)
                load_gradient_row(gradient, true, false, at, row, g);
            else if (scales)
                load_gradient_row(gradient, false, true, at, row, g);
            else
                load_gradient_row(gradient, false, false, at, row, g);
            fill_zero(g + row, whole - row);
        }
    fill_zero(g, LANES); /* what a last vector reads beyond the end */
}

/* Sums of up to RUN numbers in float, of those in double. */
enum { RUN = 64, SUMS = 4 };

static void add_bias(const dlz_conv2d_plan *plan, dlz_conv2d_block block, const float *g,
                     double *sums) {
    int64_t columns = plan->fast.columns;
    int64_t pixels = block.images * block.rows * plan->fast.width;
    for (int64_t c = 0; c < columns; c += LANES)
        for (int64_t first = 0; first < pixels; first += SUMS * RUN) {
            dlz_v part[SUMS] = {{0}};
            int64_t end = first + SUMS * RUN < pixels ? first + SUMS * RUN : pixels, p = first;
            const float *at = g + p * columns + c;
            for (; p + SUMS <= end; p += SUMS)
                for (int i = 0; i < SUMS; i++, at += columns)
                    part[i] += dlz_load(at);
            for (; p < end; p++, at += columns)
                part[0] += dlz_load(at);
            for (int64_t lane = 0; lane < LANES && c + lane < columns; lane++)
                for (int i = 0; i < SUMS; i++)
                    sums[c + lane] += (double)part[i][lane];
        }
}

/* -- Patches back to the input -------------------------------------------------------------------
 */

DLZ_INLINE void add_run(const float *from, int64_t count, float *to) {
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        dlz_store(to + i, dlz_load(to + i) + dlz_load(from + i));
    if (i < count) {
        int rest = (int)(count - i);
        dlz_store_first(to + i, dlz_load_first(to + i, rest) + dlz_load_first(from + i, rest),
                        rest);
    }
}

/* Every `every`-th pixel from `phase` on of an output row, for one kernel row. */
static void scatter_row(const dlz_conv2d_plan *plan, int64_t phase, int64_t every,
                        const float *patches, float *dx_row) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t channels = s->channels, across = s->kernel[1], dilation = s->dilation[1];
    for (int64_t x = phase; x < s->out_width; x += every) {
        const float *from = patches + x * plan->plain.depth;
        int64_t column = x * s->stride[1] - s->padding[1];
        if (dilation == 1) {
            int64_t first = column < 0 ? -column : 0;
            int64_t end = s->width - column < across ? s->width - column : across;
            if (first < end)
                add_run(from + first * channels, (end - first) * channels,
                        dx_row + (column + first) * channels);
            continue;
        }
        for (int64_t h = 0; h < across; h++, column += dilation, from += channels)
            if (column >= 0 && column < s->width)
                add_run(from, channels, dx_row + column * channels);
    }
}

/* Neighbouring pixels overlap, and to read what was just written in another alignment stalls. So
 * pixels that do not overlap follow each other. */
static void scatter(const dlz_conv2d_plan *plan, dlz_conv2d_block block, const float *patches,
                    float *dx) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t depth = plan->plain.depth, row = s->width * s->channels;
    int64_t line = plan->fast.width * plan->fast.merged * depth;
    int64_t run = depth / s->kernel[0];
    int64_t every = s->dilation[1] == 1 ? (s->kernel[1] + s->stride[1] - 1) / s->stride[1] : 1;
    for (int64_t phase = 0; phase < every; phase++)
        for (int64_t i = 0; i < block.images; i++)
            for (int64_t y = 0; y < block.rows; y++)
                for (int64_t v = 0; v < s->kernel[0]; v++) {
                    int64_t to = (block.row + y) * s->stride[0] - s->padding[0];
                    to += v * s->dilation[0];
                    if (to >= 0 && to < s->height)
                        scatter_row(plan, phase, every,
                                    patches + (i * block.rows + y) * line + v * run,
                                    dx + ((block.image + i) * s->height + to) * row);
                }
}

const dlz_conv2d_rows_table DLZ_VARIANT(dlz_conv2d_rows) = {load, load_gradient, add_bias, scatter};
