#include "kernels/conv/conv2d_along.h"
#include "kernels/conv/conv2d_tile.h"

static int64_t least(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* `total` cut into the fewest parts of at most `most`, as equal as can be: where part i begins. */
static int64_t parts(int64_t total, int64_t most) {
    return (total + most - 1) / most;
}
static int64_t part_start(int64_t total, int64_t count, int64_t i) {
    return i * (total / count) + least(i, total % count);
}

/* Images, rows or pixels of a row: how many, and the steps between them in the input and in the
 * output or its gradient. */
typedef struct axis {
    int64_t count, in, out;
} axis;

static void swap(axis *a, axis *b) {
    axis kept = *a;
    *a = *b;
    *b = kept;
}

/* Rows, and images, that follow each other without a gap are pixels of one row. */
static void join_axes(axis axes[3]) {
    for (int k = 1; k >= 0; k--)
        if (axes[k].in == axes[2].in * axes[2].count &&
            axes[k].out == axes[2].out * axes[2].count) {
            axes[2].count *= axes[k].count;
            axes[k].count = 1;
        } else if (axes[k].count > 1) {
            return;
        }
}

/* The last axis is the one a tile goes along: pixels of a row, unless rows or images give longer
 * runs where pixels are few. Then the longer one of the others. */
static void order_axes(axis axes[3]) {
    enum { ENOUGH = 8 };
    join_axes(axes);
    if (axes[2].count < ENOUGH && axes[1].count > axes[2].count && axes[1].count >= axes[0].count)
        swap(&axes[1], &axes[2]);
    else if (axes[2].count < ENOUGH && axes[0].count > axes[2].count)
        swap(&axes[0], &axes[2]);
    if (axes[0].count > axes[1].count)
        swap(&axes[0], &axes[1]);
}

/* -- Forward -------------------------------------------------------------------------------------
 */

/* All pixels of the axes, for the columns of one panel and a part of the terms. */
static void forward_axes(const axis axes[3], const patch_walk *walk, int vectors, const float *a,
                         const float *weights, tile_place place) {
    int64_t count = axes[2].count, tiles = parts(count, vectors == 2 ? ROWS_2 : ROWS_1);
    float *c = place.c;
    const float *start = place.start;
    int64_t start_step = place.start_step;
    place.c_step = axes[2].out;
    place.start_step = start_step ? axes[2].out : 0;
    for (int64_t i = 0; i < axes[0].count; i++)
        for (int64_t j = 0; j < axes[1].count; j++)
            for (int64_t tile = 0; tile < tiles; tile++) {
                int64_t k = part_start(count, tiles, tile);
                int64_t rows = part_start(count, tiles, tile + 1) - k;
                int64_t to = i * axes[0].out + j * axes[1].out + k * axes[2].out;
                place.c = c + to;
                place.start = start && start_step ? start + to : start;
                DLZ_VARIANT(dlz_conv2d_tiles)
                    .forward[vectors - 1][rows - 1](
                        walk, a + i * axes[0].in + j * axes[1].in + k * axes[2].in, axes[2].in,
                        weights, &place);
            }
}

/* The terms first ... first + count - 1 of a patch: whole taps, or a part of one. Returns where
 * they begin, from the patch's own first number. */
static int64_t walk_from(const dlz_conv2d_plan *plan, const dlz_conv2d_form *form,
                         const dlz_conv2d_view *view, int64_t first, int64_t count,
                         patch_walk *walk) {
    int64_t across = form->taps / plan->shape.kernel[0];
    int64_t step = across > 1 ? plan->shape.dilation[1] * plan->shape.channels : view->tap_step;
    int64_t tap = first / form->run, run = least(form->run, count);
    *walk = (patch_walk){.taps = count / run,
                         .run = run,
                         .step = step,
                         .jump = across > 1 ? view->tap_step - across * step : 0,
                         .across = across,
                         .first = across - tap % across};
    return tap / across * view->tap_step + tap % across * (across > 1 ? step : 0) +
           first % form->run;
}

/* How many terms one part of a sum takes from `first` on. */
static int64_t terms_from(const dlz_conv2d_form *form, int64_t first) {
    if (form->run <= DLZ_CONV2D_DEPTH)
        return least(DLZ_CONV2D_DEPTH / form->run * form->run, form->depth - first);
    return least(DLZ_CONV2D_DEPTH, form->run - first % form->run);
}

/* The columns first ... of `columns` in all, for a form's pixels. */
static void forward_columns(const dlz_conv2d_plan *plan, const dlz_conv2d_form *form,
                            const dlz_conv2d_view *view, const axis axes[3], const float *a,
                            const float *weights, int64_t columns, const dlz_conv2d_output *output,
                            float *y) {
    for (int64_t column = 0; column < columns; column += PANEL) {
        int64_t left = least(PANEL, columns - column);
        int vectors = left > LANES ? 2 : 1;
        /* The panel's own width, of which fewer columns may be wanted. */
        int64_t step = form->columns - column > LANES ? PANEL : LANES;
        const float *panel = weights + column * form->depth;
        for (int64_t first = 0, count; first < form->depth; first += count) {
            patch_walk walk;
            count = terms_from(form, first);
            int64_t from = walk_from(plan, form, view, first, count, &walk);
            walk.weights_step = step;
            tile_place place = {.c = y + column,
                                .start = first ? y + column : output->bias + column,
                                .start_step = first ? 1 : 0,
                                .relu = output->relu && first + count == form->depth,
                                .last = (int)(left - (vectors - 1) * LANES)};
            forward_axes(axes, &walk, vectors, a + from, panel + first * step, place);
        }
    }
}

static void forward(const dlz_conv2d_plan *plan, const dlz_conv2d_view *view,
                    dlz_conv2d_block block, const float *weights, const dlz_conv2d_output *output) {
    if (view->along) {
        DLZ_VARIANT(dlz_along_kernels)
            .forward(plan, view, block, weights + plan->along.weights_at, output);
        return;
    }
    const dlz_conv2d_shape *s = &plan->shape;
    const dlz_conv2d_form *form = view->finite ? &plan->fast : &plan->plain;
    if (!view->finite)
        weights += plan->sum_floats;
    int64_t row = s->out_width * s->outputs, whole = s->out_width / form->merged;
    int64_t rest = s->out_width % form->merged * s->outputs;
    float *y = output->y + (block.image * s->out_height + block.row) * row;
    int64_t in_step = form->merged * s->stride[1] * s->channels;
    axis axes[3] = {{block.images, view->image_step, s->out_height * row},
                    {block.rows, view->line_step, row},
                    {whole, in_step, form->columns}};
    order_axes(axes);
    forward_columns(plan, form, view, axes, view->at, weights, form->columns, output, y);
    if (!rest)
        return;
    axis last[3] = {{block.images, view->image_step, s->out_height * row},
                    {block.rows, view->line_step, row},
                    {1, 0, 0}};
    order_axes(last);
    forward_columns(plan, form, view, last, view->at + whole * in_step, weights, rest, output,
                    y + whole * form->columns);
}

/* -- Gradient of the weights ---------------------------------------------------------------------
 */

/* All of dw from some pixels. The plain form's part is that of the first pixel of the fast one. */
static void add_pixels(const dlz_conv2d_plan *plan, const dlz_conv2d_form *form,
                       const dlz_conv2d_view *view, const pixel_walk *walk, const float *a,
                       const float *g, float *sums) {
    int64_t row = (plan->fast.columns + LANES - 1) / LANES * LANES;
    int64_t across = form->taps / plan->shape.kernel[0];
    int64_t step = across > 1 ? plan->shape.dilation[1] * plan->shape.channels : 0;
    for (int64_t tap = 0; tap < form->taps; tap++) {
        const float *run = a + tap / across * view->tap_step + tap % across * step;
        for (int64_t column = 0; column < form->columns; column += PANEL) {
            int64_t left = least(PANEL, form->columns - column);
            int vectors = left > LANES ? 2 : 1;
            int64_t tiles = parts(form->run, vectors == 2 ? ROWS_2 : ROWS_1);
            for (int64_t tile = 0; tile < tiles; tile++) {
                int64_t k = part_start(form->run, tiles, tile);
                int64_t rows = part_start(form->run, tiles, tile + 1) - k;
                float *to = sums + (tap * plan->fast.run + k) * row + column;
                DLZ_VARIANT(dlz_conv2d_tiles)
                    .weights[vectors - 1][rows - 1](walk, run + k, g + column, to, row,
                                                    (int)(left - (vectors - 1) * LANES));
            }
        }
    }
}

static void add_weights(const dlz_conv2d_plan *plan, const dlz_conv2d_view *view,
                        dlz_conv2d_block block, const float *g, float *sums) {
    if (view->along && DLZ_VARIANT(dlz_along_kernels)
                           .add_weights(plan, view, block, g, sums + plan->along.sums_at))
        return;
    const dlz_conv2d_shape *s = &plan->shape;
    const dlz_conv2d_form *form = view->finite ? &plan->fast : &plan->plain;
    int64_t row = plan->fast.width * plan->fast.columns;
    axis axes[3] = {{block.images, view->image_step, block.rows * row},
                    {block.rows, view->line_step, row},
                    {form->width, form->merged * s->stride[1] * s->channels, form->columns}};
    order_axes(axes);
    int64_t count = axes[2].count, pieces = parts(count, DLZ_CONV2D_DEPTH);
    int64_t most_lines = pieces > 1 ? 1 : DLZ_CONV2D_DEPTH / count;
    int64_t line_parts = parts(axes[1].count, most_lines);
    for (int64_t i = 0; i < axes[0].count; i++)
        for (int64_t part = 0; part < line_parts; part++)
            for (int64_t piece = 0; piece < pieces; piece++) {
                int64_t line = part_start(axes[1].count, line_parts, part);
                int64_t k = part_start(count, pieces, piece);
                pixel_walk walk = {.lines = part_start(axes[1].count, line_parts, part + 1) - line,
                                   .count = part_start(count, pieces, piece + 1) - k,
                                   .a_line = axes[1].in,
                                   .g_line = axes[1].out,
                                   .a_step = axes[2].in,
                                   .g_step = axes[2].out};
                add_pixels(plan, form, view, &walk,
                           view->at + i * axes[0].in + line * axes[1].in + k * axes[2].in,
                           g + i * axes[0].out + line * axes[1].out + k * axes[2].out, sums);
            }
}

const dlz_conv2d_table DLZ_VARIANT(dlz_conv2d_kernels) = {LANES, forward, add_weights};
