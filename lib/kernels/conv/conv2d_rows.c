#include "kernels/conv/conv2d_along.h"
#include "kernels/conv/conv2d_load.h"
#include "kernels/conv/pairs.h"

#include <math.h>

/* -- Channels ------------------------------------------------------------------------------------
 */

/* Masked stores are slow to read again: half a vector goes without. */
static void move_pixels(int64_t pixels, int64_t count, const float *from, int64_t from_step,
                        float *to, int64_t to_step) {
    for (int64_t pixel = 0; pixel < pixels; pixel++, from += from_step, to += to_step) {
        int64_t c = 0;
        for (; c + LANES <= count; c += LANES)
            dlz_store(to + c, dlz_load(from + c));
        if (c + DLZ_HALF_LANES <= count) {
            *(dlz_vhu *)(to + c) = *(const dlz_vhu *)(from + c);
            c += DLZ_HALF_LANES;
        }
        for (; c < count; c++)
            to[c] = from[c];
    }
}

/* -- The input -----------------------------------------------------------------------------------
 */

/* A row of pixels that lie apart. */
static void load_apart(const dlz_conv2d_input *input, bool checks, int64_t channels,
                       const float *from, int64_t count, float *to, dlz_vi *strange) {
    move_pixels(count / channels, channels, from, input->step, to, channels);
    for (int64_t i = 0; checks && i < count; i += LANES) {
        dlz_v value = dlz_load_up_to(to + i, count - i);
        *strange |= (dlz_vi)(value - value != (dlz_v){0});
    }
}

/* Numbers above 1 / FAR of the largest are rare if they are less than one in RARE. */
enum { FAR = 32, RARE = 64 };

DLZ_INLINE dlz_v magnitude(const float *from) {
    return (dlz_v)((dlz_vi)dlz_load(from) & INT32_MAX);
}

static bool are_rare(const float *strip, int64_t floats, float largest) {
    dlz_v limit = dlz_splat(largest / FAR);
    dlz_vi above = {0};
    for (int64_t i = 0; i < floats; i += LANES)
        above -= (dlz_vi)(magnitude(strip + i) > limit);
    int64_t count = 0;
    for (int lane = 0; lane < LANES; lane++)
        count += above[lane];
    return count * RARE < floats;
}

/* Whether all numbers are finite and of a size: few that are far larger than the others would spoil
 * them in transforms. If they are rare, the mean is small. The largest magnitude is found besides. */
static bool is_even(const float *strip, int64_t floats, float *largest_of_all) {
    enum { SUMS = 4 };
    dlz_v largest[SUMS] = {{0}}, sums[SUMS] = {{0}};
    int64_t i = 0;
    for (; i + SUMS * LANES <= floats; i += SUMS * LANES) {
        DLZ_UNROLL for (int k = 0; k < SUMS; k++) {
            dlz_v size = magnitude(strip + i + k * LANES);
            largest[k] = dlz_larger(size, largest[k]);
            sums[k] += size;
        }
    }
    for (; i < floats; i += LANES) {
        dlz_v size = magnitude(strip + i);
        largest[0] = dlz_larger(size, largest[0]);
        sums[0] += size;
    }
    float most = 0, sum = 0;
    for (int lane = 0; lane < LANES; lane++)
        for (int k = 0; k < SUMS; k++) {
            most = largest[k][lane] > most ? largest[k][lane] : most;
            sum += sums[k][lane];
        }
    *largest_of_all = most;
    if (!(sum < HUGE_VALF) || most > DLZ_ALONG_LARGEST) /* NaN, too */
        return false;
    const float suspicious = 1.0F / FAR + 1.0F / RARE;
    return sum >= suspicious * most * (float)floats || !are_rare(strip, floats, most);
}

/* Rows of a strip that are fit for it, for the way along rows. */
static void go_along(const dlz_conv2d_plan *plan, int64_t rows, float *strip,
                     dlz_conv2d_view *view) {
    const dlz_conv2d_along *along = &plan->along;
    if (!is_even(strip, rows * plan->row_floats / LANES * LANES, &view->largest))
        return;
    DLZ_VARIANT(dlz_along_kernels).transform(plan, rows, strip, strip + along->rows_at);
    view->along = strip + along->rows_at;
    view->along_tap = plan->tap_rows * along->row_floats;
    view->along_line = plan->line_rows * along->row_floats;
    view->room = strip + along->room_at;
}

static dlz_conv2d_view load(const dlz_conv2d_plan *plan, const dlz_conv2d_input *input,
                            dlz_conv2d_block block, float *strip) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t row = s->width * (input->step ? input->step : s->channels), image = s->height * row;
    if (plan->in_place && !input->scale && !input->step)
        return (dlz_conv2d_view){.at = input->data + block.image * image +
                                       block.row * s->stride[0] * row,
                                 .tap_step = s->dilation[0] * row,
                                 .line_step = s->stride[0] * row,
                                 .image_step = image,
                                 .finite = true};
    int64_t left = s->padding[1] * s->channels, whole = plan->row_floats;
    left = left < whole ? left : whole;
    int64_t count = s->width * s->channels;
    count = count < whole - left ? count : whole - left;
    int64_t rows = (s->kernel[0] - 1) * plan->tap_rows + (block.rows - 1) * plan->line_rows + 1;
    bool checks = plan->fast.merged > 1;
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
            if (input->step)
                load_apart(input, checks, s->channels, from + y * row, count, to + left, &strange);
            else
                load_any_row(input, checks, s->channels, from + y * row, count, to + left,
                             &strange);
            fill_zero(to + left + count, whole - left - count);
        }
    }
    int32_t any = 0;
    for (int lane = 0; lane < LANES; lane++)
        any |= strange[lane];
    dlz_conv2d_view view = {.at = strip,
                            .tap_step = plan->tap_rows * whole,
                            .line_step = plan->line_rows * whole,
                            .image_step = rows * whole,
                            .finite = any == 0};
    if (plan->along.outputs && !input->plain)
        go_along(plan, rows, strip, &view);
    return view;
}

/* -- The gradient --------------------------------------------------------------------------------
 */

static const float *load_gradient(const dlz_conv2d_plan *plan, const dlz_conv2d_gradient *gradient,
                                  dlz_conv2d_block block, float *to) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t row = s->out_width * s->outputs, whole = plan->fast.width * plan->fast.columns;
    if (!gradient->z && !gradient->step && row == whole && plan->fast.columns % LANES == 0)
        return gradient->dy + (block.image * s->out_height + block.row) * row;
    float *g = to;
    for (int64_t i = 0; i < block.images; i++)
        for (int64_t y = block.row; y < block.row + block.rows; y++, g += whole) {
            int64_t line = (block.image + i) * s->out_height + y;
            if (gradient->step)
                move_pixels(s->out_width, s->outputs,
                            gradient->dy + line * s->out_width * gradient->step, gradient->step, g,
                            s->outputs);
            else
                load_any_gradient_row(gradient, s->outputs, line * row, row, g);
            fill_zero(g + row, whole - row);
        }
    fill_zero(g, LANES); /* what a last vector reads beyond the end */
    return to;
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

/* Places in `patches` whose runs belong to one row of the input: of each kernel row that falls on
 * it from an output row of the block. */
enum { MOST_PLACES = 16 };
typedef struct places {
    int count;
    const float *at[MOST_PLACES];
} places;

/* to += the sum of the places' numbers from `first` on. */
DLZ_INLINE void add_runs(const places *from, int64_t first, int64_t count, float *to) {
    for (int64_t i = 0; i < count; i += LANES) {
        int64_t left = count - i, at = first + i;
        dlz_v sum = dlz_load_up_to(from->at[0] + at, left);
        for (int k = 1; k < from->count; k++)
            sum += dlz_load_up_to(from->at[k] + at, left);
        if (left >= LANES)
            dlz_store(to + i, dlz_load(to + i) + sum);
        else
            dlz_store_first(to + i, dlz_load_first(to + i, (int)left) + sum, (int)left);
    }
}

/* One row of the input. Neighboring pixels overlap, and to read what was just written at another
 * place stalls: so pixels follow each other whose vectors do not. */
static void scatter_row(const dlz_conv2d_plan *plan, const places *from, float *dx_row) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t channels = s->channels, across = s->kernel[1], dilation = s->dilation[1];
    int64_t pixel = plan->plain.depth, reach = dilation == 1 ? across * channels : channels;
    int64_t shift = s->stride[1] * channels;
    int64_t every = ((reach + LANES - 1) / LANES * LANES + shift - 1) / shift;
    for (int64_t phase = 0; phase < every; phase++)
        for (int64_t x = phase; x < s->out_width; x += every) {
            int64_t column = x * s->stride[1] - s->padding[1];
            if (dilation == 1) {
                int64_t first = column < 0 ? -column : 0;
                int64_t end = s->width - column < across ? s->width - column : across;
                if (first < end)
                    add_runs(from, x * pixel + first * channels, (end - first) * channels,
                             dx_row + (column + first) * channels);
                continue;
            }
            for (int64_t h = 0; h < across; h++, column += dilation)
                if (column >= 0 && column < s->width)
                    add_runs(from, x * pixel + h * channels, channels, dx_row + column * channels);
        }
}

static void scatter(const dlz_conv2d_plan *plan, dlz_conv2d_block block, const float *patches,
                    float *dx) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t depth = plan->plain.depth, row = s->width * s->channels, run = depth / s->kernel[0];
    int64_t line = plan->fast.width * plan->fast.merged * depth, stride = s->stride[0];
    int64_t top = block.row * stride - s->padding[0];
    int64_t end = top + (block.rows - 1) * stride + (s->kernel[0] - 1) * s->dilation[0] + 1;
    for (int64_t i = 0; i < block.images; i++)
        for (int64_t y = top < 0 ? 0 : top; y < end && y < s->height; y++) {
            float *to = dx + ((block.image + i) * s->height + y) * row;
            places from = {.count = 0};
            int64_t above = y - top; /* of the input row, to the first kernel row's */
            for (int64_t v = 0; v < s->kernel[0]; v++, above -= s->dilation[0]) {
                if (above < 0)
                    break;
                int64_t from_row = stride == 1 ? above : above / stride;
                if (from_row >= block.rows || from_row * stride != above)
                    continue;
                from.at[from.count++] = patches + (i * block.rows + from_row) * line + v * run;
                if (from.count == MOST_PLACES) {
                    scatter_row(plan, &from, to);
                    from.count = 0;
                }
            }
            if (from.count)
                scatter_row(plan, &from, to);
        }
}

/* -- The weights' gradient -----------------------------------------------------------------------
 */

/* What the sums of the way along rows give for half a vector of outputs, of one place of the kernel. */
static dlz_vd along_sum(const dlz_conv2d_plan *plan, int64_t row, int64_t c, int64_t v, int64_t h,
                        const float *sums) {
    const dlz_conv2d_along *along = &plan->along;
    int64_t stride = plan->shape.stride[1];
    dlz_vd total = {0};
    for (int64_t q = 0; q < along->points; q++) {
        double weight = dlz_along_weight(along, q, h / stride);
        if (weight == 0)
            continue;
        const float *at =
            sums + along->sums_at +
            (q * along->depth + v * along->run + h % stride * plan->shape.channels + c) * row;
        total += dlz_widen(*(const dlz_vhu *)at) * weight;
    }
    return total;
}

/* Numbers of an output's gradient that are laid out together, of as many outputs as a tile has. */
enum { UNPACKED_NUMBERS = 32, FETCHED_NUMBERS = 16, CACHE_LINE = 16 };

/* What a group's sums give for half a vector of outputs, of a place of the kernel. */
static dlz_vh merged_sum(const dlz_conv2d_plan *plan, int64_t row, int64_t c, int64_t v, int64_t h,
                         const float *sums) {
    const dlz_conv2d_form *form = &plan->fast;
    int64_t step = plan->shape.stride[1] * plan->shape.channels * row + plan->shape.outputs;
    const float *at = sums + ((v * form->window + h) * plan->shape.channels + c) * row;
    dlz_vd sum = {0};
    for (int64_t part = 0; part < form->merged; part++)
        sum += dlz_widen(*(const dlz_vhu *)(at + part * step));
    if (plan->along.outputs)
        sum += along_sum(plan, row, c, v, h, sums);
    return dlz_narrow(sum);
}

/* Numbers first ... end - 1 of the gradient of `width` outputs, whole vectors of them, from a group's
 * sums, which begin at the first of these. */
static void unpack_group(const dlz_conv2d_plan *plan, int64_t first, int64_t end, int64_t width,
                         const float *sums, float *block) {
    const dlz_conv2d_shape *s = &plan->shape;
    const dlz_conv2d_form *form = &plan->fast;
    int64_t across = s->kernel[1], area = s->kernel[0] * across;
    int64_t row = (form->columns + LANES - 1) / LANES * LANES;
    bool plain = form->merged == 1 && !plan->along.outputs;
    /* Neighboring places of a channel lie far apart: those of a channel that follows are fetched. */
    int64_t ahead = (area < FETCHED_NUMBERS ? FETCHED_NUMBERS / area : 1) * row;
    int64_t c = first / area, v = first % area / across, h = first % across;
    for (int64_t i = first; i < end; i++, block += width) {
        const float *at = sums + ((v * form->window + h) * s->channels + c) * row;
        for (int64_t o = 0; o < width; o += CACHE_LINE)
            __builtin_prefetch(at + ahead + o, 0, 3);
        for (int64_t o = 0; plain && o < width; o += LANES)
            dlz_store(block + o, dlz_load(at + o));
        for (int64_t o = 0; !plain && o < width; o += DLZ_HALF_LANES)
            *(dlz_vhu *)(block + o) = merged_sum(plan, row, c, v, h, sums + o);
        if (++h < across)
            continue;
        h = 0;
        if (++v < s->kernel[0])
            continue;
        v = 0;
        c++;
    }
}

static void unpack(const dlz_conv2d_plan *plan, int64_t tile, int64_t groups, const float *sums,
                   float *dw) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t numbers = s->channels * s->kernel[0] * s->kernel[1];
    int64_t o = tile * DLZ_CONV2D_UNPACKED, outputs = s->outputs - o;
    outputs = outputs < DLZ_CONV2D_UNPACKED ? outputs : DLZ_CONV2D_UNPACKED;
    int64_t width = (outputs + LANES - 1) / LANES * LANES;
    for (int64_t i = 0; i < numbers; i += UNPACKED_NUMBERS) {
        float blocks[PAIRS_WAITING * UNPACKED_NUMBERS * DLZ_CONV2D_UNPACKED];
        int64_t end = numbers - i < UNPACKED_NUMBERS ? numbers : i + UNPACKED_NUMBERS;
        int64_t size = (end - i) * width;
        int waiting = 0;
        for (int64_t group = 0; group < groups; group++) {
            unpack_group(plan, i, end, width, sums + group * plan->sum_floats + o,
                         blocks + waiting * size);
            waiting = pairs_add(blocks, size, waiting + 1, group, groups);
        }
        pairs_write(blocks, width, end - i, outputs, dw + o * numbers + i, numbers);
    }
}

const dlz_conv2d_rows_table DLZ_VARIANT(dlz_conv2d_rows) = {load,    load_gradient, add_bias,
                                                            scatter, unpack,        move_pixels};
