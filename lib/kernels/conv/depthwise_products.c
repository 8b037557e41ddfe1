#include "kernels/conv/conv2d_load.h"
#include "kernels/conv/depthwise.h"

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* -- Rows laid out -------------------------------------------------------------------------------
 */

/* to[o] = from[o / multiplier] */
static void spread(const float *from, int64_t count, int64_t multiplier, float *to) {
    for (int64_t i = 0; i < count; i++)
        for (int64_t k = 0; k < multiplier; k++)
            *to++ = from[i];
}

static void load(const dlz_depthwise_plan *plan, const dlz_conv2d_input *input,
                 dlz_depthwise_block block, float *spare, float *strip) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t row = s->width * s->channels, whole = plan->row_floats;
    int64_t columns = whole / s->outputs, left = least(s->padding[1], columns);
    int64_t pixels = least(s->width, columns - left);
    int64_t before = left * s->outputs, count = pixels * s->outputs;
    int64_t first = block.row * s->stride[0] - s->padding[0];
    int64_t rows = (block.rows - 1) * s->stride[0] + (s->kernel[0] - 1) * s->dilation[0] + 1;
    dlz_vi unused = {0};
    for (int64_t y = first; y < first + rows; y++, strip += whole) {
        if (y < 0 || y >= s->height) {
            fill_zero(strip, whole);
            continue;
        }
        const float *from = input->data + (block.image * s->height + y) * row;
        fill_zero(strip, before);
        if (plan->multiplier == 1) {
            load_any_row(input, false, s->channels, from, count, strip + before, &unused);
        } else {
            load_any_row(input, false, s->channels, from, pixels * s->channels, spare, &unused);
            spread(spare, pixels * s->channels, plan->multiplier, strip + before);
        }
        fill_zero(strip + before + count, whole - before - count);
    }
    fill_zero(strip, LANES); /* what a last vector reads beyond the end */
}

static void load_gradient(const dlz_depthwise_plan *plan, const dlz_conv2d_gradient *gradient,
                          dlz_depthwise_block block, float *g) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t row = s->out_width * s->outputs, whole = plan->gradient_row_floats;
    int64_t first = block.row - dlz_depthwise_halo(plan, block);
    for (int64_t y = first; y < block.row + block.rows; y++, g += whole) {
        fill_zero(g, plan->gradient_left);
        load_any_gradient_row(gradient, s->outputs, (block.image * s->out_height + y) * row, row,
                              g + plan->gradient_left);
        fill_zero(g + plan->gradient_left + row, whole - plan->gradient_left - row);
    }
    fill_zero(g, LANES);
}

/* -- Outputs -------------------------------------------------------------------------------------
 */

/* Where the taps of a pixel lie: floats from one to the next, of its numbers and of the weights. */
typedef struct tap_walk {
    int64_t down, across, down_step, across_step, weights_down, weights_across;
} tap_walk;

/* Pixels of a row, and what becomes of them. */
typedef struct pixel_line {
    int64_t pixels, in_step, out_step;
    const float *start; /* NULL: 0 */
    bool relu;
} pixel_line;

/* Their number may be unknown, which clang would complain of; where it is known, clang needs no word. */
#ifdef __clang__
#define UNROLL_TAPS
#else
#define UNROLL_TAPS DLZ_UNROLL
#endif

/* `pixels` pixels of one vector, the first `count` of which are stored. */
DLZ_INLINE void tile(const int pixels, const int64_t down, const int64_t across,
                     const tap_walk *walk, const float *from, const float *weights,
                     const pixel_line *line, dlz_v start, float *to, int count) {
    dlz_v sum[8];
    DLZ_UNROLL for (int i = 0; i < pixels; i++) sum[i] = start;
    UNROLL_TAPS for (int64_t v = 0; v < down; v++) {
        UNROLL_TAPS for (int64_t h = 0; h < across; h++) {
            const float *at = from + v * walk->down_step + h * walk->across_step;
            dlz_v weight = dlz_load(weights + v * walk->weights_down + h * walk->weights_across);
            DLZ_UNROLL for (int i = 0; i < pixels; i++) sum[i] +=
                dlz_load(at + i * line->in_step) * weight;
        }
    }
    DLZ_UNROLL for (int i = 0; i < pixels; i++) {
        dlz_v value = line->relu ? dlz_gated(sum[i], sum[i]) : sum[i];
        if (count == LANES)
            dlz_store(to + i * line->out_step, value);
        else
            dlz_store_first(to + i * line->out_step, value, count);
    }
}

/* The same where a pixel's taps are its neighbors', to the right or, `back`, to the left: what they
 * share is loaded once. */
DLZ_INLINE void sliding_tile(const int pixels, const int down, const int across, const bool back,
                             const tap_walk *walk, const float *from, const float *weights,
                             const pixel_line *line, dlz_v start, float *to, int count) {
    dlz_v sum[8];
    DLZ_UNROLL for (int i = 0; i < pixels; i++) sum[i] = start;
    DLZ_UNROLL for (int v = 0; v < down; v++) {
        const float *at = from + v * walk->down_step - (back ? (across - 1) * line->in_step : 0);
        dlz_v weight[3];
        DLZ_UNROLL for (int h = 0; h < across; h++) weight[h] =
            dlz_load(weights + v * walk->weights_down + h * walk->weights_across);
        DLZ_UNROLL for (int x = 0; x < pixels + across - 1; x++) {
            dlz_v value = dlz_load(at + x * line->in_step);
            DLZ_UNROLL for (int h = 0; h < across; h++) {
                int i = x - (back ? across - 1 - h : h);
                if (i >= 0 && i < pixels)
                    sum[i] = dlz_fma(value, weight[h], sum[i]);
            }
        }
    }
    DLZ_UNROLL for (int i = 0; i < pixels; i++) {
        dlz_v value = line->relu ? dlz_gated(sum[i], sum[i]) : sum[i];
        if (count == LANES)
            dlz_store(to + i * line->out_step, value);
        else
            dlz_store_first(to + i * line->out_step, value, count);
    }
}

DLZ_INLINE int64_t sliding_tiles(const int down, const int across, const bool back,
                                 const tap_walk *walk, const float *from, const float *weights,
                                 const pixel_line *line, dlz_v start, float *to, int count) {
    int64_t p = 0, in = line->in_step, out = line->out_step;
    for (; p + 8 <= line->pixels; p += 8)
        sliding_tile(8, down, across, back, walk, from + p * in, weights, line, start, to + p * out,
                     count);
    /* What the insides of images leave whose sizes are powers of 2. */
    for (; p + 6 <= line->pixels; p += 6)
        sliding_tile(6, down, across, back, walk, from + p * in, weights, line, start, to + p * out,
                     count);
    return p;
}

/* As many pixels of a line as fill tiles, one vector of each: how many. */
DLZ_INLINE int64_t sliding_line(const int down, const int across, const tap_walk *walk,
                                const float *from, const float *weights, const pixel_line *line,
                                dlz_v start, float *to, int count) {
    if (walk->across_step == line->in_step)
        return sliding_tiles(down, across, false, walk, from, weights, line, start, to, count);
    if (walk->across_step == -line->in_step)
        return sliding_tiles(down, across, true, walk, from, weights, line, start, to, count);
    return 0;
}

/* All pixels of a line, one vector of each. */
DLZ_INLINE void vector_line(const int64_t down, const int64_t across, const bool slides,
                            const tap_walk *walk, const float *from, const float *weights,
                            const pixel_line *line, float *to, int64_t at, int count) {
    dlz_v start = line->start ? dlz_load(line->start + at) : (dlz_v){0};
    int64_t p = 0, in = line->in_step, out = line->out_step;
    from += at;
    weights += at;
    to += at;
    if (slides)
        p = sliding_line((int)down, (int)across, walk, from, weights, line, start, to, count);
    for (; p + 8 <= line->pixels; p += 8)
        tile(8, down, across, walk, from + p * in, weights, line, start, to + p * out, count);
    for (; p + 4 <= line->pixels; p += 4)
        tile(4, down, across, walk, from + p * in, weights, line, start, to + p * out, count);
    for (; p < line->pixels; p++)
        tile(1, down, across, walk, from + p * in, weights, line, start, to + p * out, count);
}

#define LINE(down, across)                                                                         \
    static void line_##down##_##across(const tap_walk *walk, const float *from,                    \
                                       const float *weights, const pixel_line *line, float *to,    \
                                       int64_t at, int count) {                                    \
        vector_line(down, across, (across) > 1, walk, from, weights, line, to, at, count);         \
    }
/* What kernels of 3 x 3 need, forward, at the image's edges and, with stride 2, backward. */
LINE(1, 1)
LINE(1, 2)
LINE(2, 1)
LINE(2, 2)
LINE(2, 3)
LINE(3, 2)
LINE(3, 3)
static void line_of_any(const tap_walk *walk, const float *from, const float *weights,
                        const pixel_line *line, float *to, int64_t at, int count) {
    vector_line(walk->down, walk->across, false, walk, from, weights, line, to, at, count);
}

/* `columns` numbers of each pixel of a line. */
static void run_line(const tap_walk *walk, const float *from, const float *weights,
                     const pixel_line *line, int64_t columns, float *to) {
    void (*run)(const tap_walk *, const float *, const float *, const pixel_line *, float *,
                int64_t, int) = line_of_any;
    if (walk->down == 3 && walk->across == 3)
        run = line_3_3;
    else if (walk->down == 3 && walk->across == 2)
        run = line_3_2;
    else if (walk->down == 2 && walk->across == 3)
        run = line_2_3;
    else if (walk->down == 2 && walk->across <= 2 && walk->across > 0)
        run = walk->across == 2 ? line_2_2 : line_2_1;
    else if (walk->down == 1 && walk->across <= 2 && walk->across > 0)
        run = walk->across == 2 ? line_1_2 : line_1_1;
    for (int64_t at = 0; at < columns; at += LANES)
        run(walk, from, weights, line, to, at, (int)least(LANES, columns - at));
}

/* A row of `floats` numbers, of which pixels that count as one may have less in the end. */
static void run_row(const dlz_depthwise_plan *plan, const tap_walk *walk, const float *from,
                    const float *weights, const pixel_line *line, int64_t floats, float *to) {
    pixel_line whole = *line;
    whole.pixels = plan->merged == 1 ? line->pixels : floats / plan->columns;
    run_line(walk, from, weights, &whole, plan->columns, to);
    if (plan->merged == 1 || floats % plan->columns == 0)
        return;
    pixel_line last = *line;
    last.pixels = 1;
    run_line(walk, from + whole.pixels * line->in_step, weights, &last, floats % plan->columns,
             to + whole.pixels * line->out_step);
}

static void forward(const dlz_depthwise_plan *plan, const float *strip, dlz_depthwise_block block,
                    const float *weights, const float *bias, bool relu, float *y) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t row = s->out_width * s->outputs;
    tap_walk walk = {s->kernel[0],
                     s->kernel[1],
                     s->dilation[0] * plan->row_floats,
                     s->dilation[1] * s->outputs,
                     s->kernel[1] * plan->step,
                     plan->step};
    pixel_line line = {s->out_width, s->stride[1] * plan->columns, plan->columns, bias, relu};
    for (int64_t i = 0; i < block.rows; i++)
        run_row(plan, &walk, strip + i * s->stride[0] * plan->row_floats, weights, &line, row,
                y + (block.image * s->out_height + block.row + i) * row);
}

/* The taps of a place that lie in the image, and the places all of whose taps do. */
typedef struct span {
    int64_t first, end;
} span;

static span taps_inside(const dlz_conv2d_shape *s, int axis, int64_t place, int64_t size) {
    int64_t from = place * s->stride[axis] - s->padding[axis], dilation = s->dilation[axis];
    span taps = {0, s->kernel[axis]};
    if (from < 0)
        taps.first = least((dilation - 1 - from) / dilation, s->kernel[axis]);
    if (from + (s->kernel[axis] - 1) * dilation >= size)
        taps.end = from >= size ? 0 : (size - 1 - from) / dilation + 1;
    if (taps.end < taps.first)
        taps.end = taps.first;
    return taps;
}

/* Pixels first ... end - 1 of a row, which have the same taps. `walk` has the steps. */
static void run_pixels(const dlz_depthwise_plan *plan, tap_walk walk, const float *image,
                       int64_t row, span down, span across, span pixels, const float *weights,
                       pixel_line line, float *to) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t y = row * s->stride[0] - s->padding[0] + down.first * s->dilation[0];
    int64_t x = pixels.first * s->stride[1] - s->padding[1] + across.first * s->dilation[1];
    walk.down = across.first < across.end ? down.end - down.first : 0;
    walk.across = across.end - across.first;
    line.pixels = pixels.end - pixels.first;
    const float *from = walk.down > 0 ? image + (y * s->width + x) * s->outputs : image;
    weights += (down.first * s->kernel[1] + across.first) * plan->step;
    run_line(&walk, from, weights, &line, plan->columns, to + pixels.first * s->outputs);
}

static void forward_in_place(const dlz_depthwise_plan *plan, const float *x,
                             dlz_depthwise_block block, const float *weights, const float *bias,
                             bool relu, float *y) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t extent = (s->kernel[1] - 1) * s->dilation[1];
    tap_walk walk = {.down_step = s->dilation[0] * s->width * s->outputs,
                     .across_step = s->dilation[1] * s->outputs,
                     .weights_down = s->kernel[1] * plan->step,
                     .weights_across = plan->step};
    pixel_line line = {0, s->stride[1] * s->outputs, s->outputs, bias, relu};
    const float *image = x + block.image * s->height * s->width * s->outputs;
    /* All taps of these pixels lie in the image, sideways. */
    span inside = {(s->padding[1] + s->stride[1] - 1) / s->stride[1], 0};
    inside.first = least(inside.first, s->out_width);
    int64_t last = s->width - 1 - extent + s->padding[1];
    inside.end = last < 0 ? 0 : least(last / s->stride[1] + 1, s->out_width);
    if (inside.end < inside.first)
        inside.end = inside.first;
    for (int64_t row = block.row; row < block.row + block.rows; row++) {
        span down = taps_inside(s, 0, row, s->height);
        float *to = y + (block.image * s->out_height + row) * s->out_width * s->outputs;
        for (int64_t p = 0; p < s->out_width; p++) {
            bool is_inside = p >= inside.first && p < inside.end;
            span pixels = {p, is_inside ? inside.end : p + 1};
            run_pixels(plan, walk, image, row, down, taps_inside(s, 1, p, s->width), pixels,
                       weights, line, to);
            p = pixels.end - 1;
        }
    }
}

/* -- Gradient of the weights ---------------------------------------------------------------------
 */

DLZ_INLINE void add_in_double(dlz_v value, double *to) {
    float lanes[LANES];
    dlz_store(lanes, value);
    for (int i = 0; i < LANES; i += DLZ_HALF_LANES)
        *(dlz_vdu *)(to + i) += dlz_widen(*(const dlz_vhu *)(lanes + i));
}

/* Pixels of the output: lines of them, and floats between them in the strip and the gradient. */
typedef struct pixel_walk {
    int64_t lines, pixels, x_line, x_step, g_line, g_step;
    int64_t down_step, across_step; /* from one tap to the next, in the strip */
    int64_t sums_down, sums_across; /* and in the sums */
    int count;                      /* numbers of the vector that count, where `part` */
} pixel_walk;

/* One vector of channels, the taps of a rectangle. bias_sums: NULL where they are not wanted. */
DLZ_INLINE void weights_tile(const int down, const int across, const bool part,
                             const pixel_walk *walk, const float *x, const float *g, double *sums,
                             double *bias_sums) {
    dlz_v sum[9], total = {0};
    DLZ_UNROLL for (int i = 0; i < down * across; i++) sum[i] = (dlz_v){0};
    for (int64_t i = 0; i < walk->lines; i++) {
        const float *at = x + i * walk->x_line, *gradient = g + i * walk->g_line;
        for (int64_t p = 0; p < walk->pixels; p++, at += walk->x_step, gradient += walk->g_step) {
            dlz_v here = part ? dlz_load_first(gradient, walk->count) : dlz_load(gradient);
            total += here;
            DLZ_UNROLL for (int v = 0; v < down; v++) {
                DLZ_UNROLL for (int h = 0; h < across; h++) {
                    const float *tap = at + v * walk->down_step + h * walk->across_step;
                    sum[v * across + h] +=
                        here * (part ? dlz_load_first(tap, walk->count) : dlz_load(tap));
                }
            }
        }
    }
    DLZ_UNROLL for (int v = 0; v < down; v++) {
        DLZ_UNROLL for (int h = 0; h < across; h++)
            add_in_double(sum[v * across + h], sums + v * walk->sums_down + h * walk->sums_across);
    }
    if (bias_sums)
        add_in_double(total, bias_sums);
}

/* 3 x 3 taps where neighboring pixels share them: what the next pixel reads again stays in
 * registers. */
static void weights_sliding(const pixel_walk *walk, const float *x, const float *g, double *sums,
                            double *bias_sums) {
    dlz_v sum[9] = {{0}}, total = {0};
    for (int64_t i = 0; i < walk->lines; i++) {
        const float *at = x + i * walk->x_line, *gradient = g + i * walk->g_line;
        int64_t step = walk->x_step, down = walk->down_step, p = 0;
        dlz_v window[3][3];
        DLZ_UNROLL for (int v = 0; v < 3; v++) {
            DLZ_UNROLL for (int h = 0; h < 2; h++) window[v][h] =
                dlz_load(at + v * down + h * step);
        }
        for (; p + 3 <= walk->pixels; p += 3, at += 3 * step)
            DLZ_UNROLL for (int k = 0; k < 3; k++, gradient += walk->g_step) {
                dlz_v here = dlz_load(gradient);
                total += here;
                DLZ_UNROLL for (int v = 0; v < 3; v++) {
                    window[v][(k + 2) % 3] = dlz_load(at + v * down + (k + 2) * step);
                    DLZ_UNROLL for (int h = 0; h < 3; h++) sum[3 * v + h] +=
                        here * window[v][(k + h) % 3];
                }
            }
        for (; p < walk->pixels; p++, at += step, gradient += walk->g_step) {
            dlz_v here = dlz_load(gradient);
            total += here;
            DLZ_UNROLL for (int v = 0; v < 3; v++) {
                DLZ_UNROLL for (int h = 0; h < 3; h++) sum[3 * v + h] +=
                    here * dlz_load(at + v * down + h * step);
            }
        }
    }
    DLZ_UNROLL for (int k = 0; k < 9; k++)
        add_in_double(sum[k], sums + k / 3 * walk->sums_down + k % 3 * walk->sums_across);
    if (bias_sums)
        add_in_double(total, bias_sums);
}

typedef void weights_fn(const pixel_walk *walk, const float *x, const float *g, double *sums,
                        double *bias_sums);

#define WEIGHTS(down, across)                                                                      \
    static void weights_##down##_##across(const pixel_walk *walk, const float *x, const float *g,  \
                                          double *sums, double *bias_sums) {                       \
        if (walk->count == LANES)                                                                  \
            weights_tile(down, across, false, walk, x, g, sums, bias_sums);                        \
        else                                                                                       \
            weights_tile(down, across, true, walk, x, g, sums, bias_sums);                         \
    }
WEIGHTS(3, 3)
WEIGHTS(1, 1)
WEIGHTS(1, 2)
WEIGHTS(1, 3)
WEIGHTS(1, 4)
WEIGHTS(1, 5)
WEIGHTS(1, 6)
WEIGHTS(1, 7)
WEIGHTS(1, 8)
static weights_fn *const rows_of_taps[] = {weights_1_1, weights_1_2, weights_1_3, weights_1_4,
                                           weights_1_5, weights_1_6, weights_1_7, weights_1_8};

/* All taps of one vector of channels. */
static void add_taps(const dlz_depthwise_plan *plan, const pixel_walk *walk, const float *x,
                     const float *g, double *sums, double *bias_sums) {
    const dlz_conv2d_shape *s = &plan->shape;
    bool whole = s->kernel[0] == 3 && s->kernel[1] == 3;
    if (whole && walk->across_step == walk->x_step && walk->count == LANES) {
        weights_sliding(walk, x, g, sums, bias_sums);
        return;
    }
    if (whole) {
        weights_3_3(walk, x, g, sums, bias_sums);
        return;
    }
    for (int64_t v = 0; v < s->kernel[0]; v++)
        for (int64_t h = 0; h < s->kernel[1]; h += 8) {
            rows_of_taps[least(8, s->kernel[1] - h) - 1](
                walk, x + v * walk->down_step + h * walk->across_step, g,
                sums + v * walk->sums_down + h * walk->sums_across, v + h == 0 ? bias_sums : NULL);
        }
}

/* Pixels first ... first + pixels - 1 of each line, `columns` numbers of each, in runs that float
 * can take. `walk` has the steps. */
static void add_pixels(const dlz_depthwise_plan *plan, pixel_walk walk, int64_t lines,
                       int64_t pixels, int64_t columns, const float *x, const float *g,
                       double *sums) {
    double *bias_sums = sums + plan->taps * plan->step;
    int64_t most_pixels = least(pixels, DLZ_DEPTHWISE_RUN);
    int64_t most_lines = pixels > most_pixels || pixels == 0 ? 1 : DLZ_DEPTHWISE_RUN / pixels;
    for (int64_t i = 0; i < lines; i += most_lines)
        for (int64_t p = 0; p < pixels; p += most_pixels)
            for (int64_t at = 0; at < columns; at += LANES) {
                walk.lines = least(most_lines, lines - i);
                walk.pixels = least(most_pixels, pixels - p);
                walk.count = plan->merged == 1 ? LANES : (int)least(LANES, columns - at);
                add_taps(plan, &walk, x + i * walk.x_line + p * walk.x_step + at,
                         g + i * walk.g_line + p * walk.g_step + at, sums + at, bias_sums + at);
            }
}

static void add_weights(const dlz_depthwise_plan *plan, const float *strip, const float *g,
                        dlz_depthwise_block block, double *sums) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t floats = s->out_width * s->outputs;
    int64_t pixels = plan->merged == 1 ? s->out_width : floats / plan->columns;
    pixel_walk walk = {.x_line = s->stride[0] * plan->row_floats,
                       .x_step = s->stride[1] * plan->columns,
                       .g_line = plan->gradient_row_floats,
                       .g_step = plan->columns,
                       .down_step = s->dilation[0] * plan->row_floats,
                       .across_step = s->dilation[1] * s->outputs,
                       .sums_down = s->kernel[1] * plan->step,
                       .sums_across = plan->step};
    g += dlz_depthwise_halo(plan, block) * plan->gradient_row_floats + plan->gradient_left;
    add_pixels(plan, walk, block.rows, pixels, plan->columns, strip, g, sums);
    /* Of the last pixels that count as one, what lies beyond the row is not read: it might be
     * infinite. */
    int64_t rest = floats - pixels * plan->columns;
    if (rest > 0)
        add_pixels(plan, walk, block.rows, 1, rest, strip + pixels * walk.x_step,
                   g + pixels * walk.g_step, sums);
}

/* -- Gradient of the input -----------------------------------------------------------------------
 */

/* The taps of one axis that reach a place of the input: the first, how many, how many lie between
 * two of them, and the first's place in the output. */
typedef struct reach {
    int64_t first, count, period, place;
} reach;

static int64_t period_of(int64_t stride, int64_t dilation) {
    int64_t a = stride, b = dilation;
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return stride / a;
}

/* Outputs from 0 to `outputs` - 1 only; as many as there are where that is negative. */
static reach reach_of(const dlz_conv2d_shape *s, int axis, int64_t place, int64_t outputs) {
    int64_t stride = s->stride[axis], dilation = s->dilation[axis], end = s->kernel[axis];
    reach r = {.period = period_of(stride, dilation)};
    int64_t from = place + s->padding[axis];
    while (r.first < r.period && (from - r.first * dilation) % stride != 0)
        r.first++;
    if (r.first == r.period)
        return r;
    if (outputs >= 0) {
        end = least(end, from / dilation + 1);
        while (r.first < end && (from - r.first * dilation) / stride >= outputs)
            r.first += r.period;
    }
    r.place = (from - r.first * dilation) / stride;
    r.count = r.first < end ? (end - r.first + r.period - 1) / r.period : 0;
    return r;
}

static void input_row(const dlz_depthwise_plan *plan, const float *g, int64_t first_row, int64_t y,
                      const float *weights, float *to) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t stride = s->stride[1], whole = plan->gradient_row_floats;
    reach down = reach_of(s, 0, y, s->out_height);
    if (down.count > 0)
        g += (down.place - first_row) * whole + plan->gradient_left;
    for (int64_t phase = 0; phase < stride && phase < s->width; phase++) {
        reach across = reach_of(s, 1, phase, -1);
        bool reached = down.count > 0 && across.count > 0;
        tap_walk walk = {reached ? down.count : 0,
                         across.count,
                         -(down.period * s->dilation[0] / s->stride[0]) * whole,
                         -(across.period * s->dilation[1] / stride) * s->outputs,
                         down.period * s->kernel[1] * plan->step,
                         across.period * plan->step};
        pixel_line line = {(s->width - phase + stride - 1) / stride, plan->columns,
                           stride * plan->columns, NULL, false};
        run_row(plan, &walk, reached ? g + across.place * s->outputs : g,
                reached ? weights + (down.first * s->kernel[1] + across.first) * plan->step
                        : weights,
                &line, s->width * s->outputs, to + phase * s->outputs);
    }
}

static void input_gradient(const dlz_depthwise_plan *plan, const float *g,
                           dlz_depthwise_block block, const float *weights, float *spare,
                           float *dx) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t row = s->width * s->channels, first, end;
    dlz_depthwise_input_rows(plan, block, &first, &end);
    for (int64_t y = first; y < end; y++) {
        float *to = dx + (block.image * s->height + y) * row;
        float *wide = plan->multiplier == 1 ? to : spare;
        input_row(plan, g, block.row - dlz_depthwise_halo(plan, block), y, weights, wide);
        for (int64_t i = 0; plan->multiplier > 1 && i < row; i++) {
            float sum = 0;
            for (int64_t k = 0; k < plan->multiplier; k++)
                sum += wide[i * plan->multiplier + k];
            to[i] = sum;
        }
    }
}

const dlz_depthwise_table DLZ_VARIANT(dlz_depthwise_kernels) = {
    LANES, load, load_gradient, forward, forward_in_place, add_weights, input_gradient};
