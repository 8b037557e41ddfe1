#include "kernels/conv/conv2d_along.h"

#include <string.h>

/* Floats of a strip and of a block's patches that are worth keeping in a second-level cache. */
#define STRIP_FLOATS 32768
#define PATCH_FLOATS 32768
/* Products of a forward block, at most: what keeps a few threads busy with one image. */
#define FORWARD_PRODUCTS (1 << 22)
/* Narrower images are taken together, so that enough pixels share a load of the weights; while
 * there are enough images for as many blocks as there are groups. */
#define NARROW 8
#define MOST_IMAGES 14

static int64_t round_up(int64_t count, int64_t step) {
    return dlz_ceil_div(count, step) * step;
}

static bool product_fails(int count, const int64_t *factors, int64_t *product) {
    return dlz_product_overflows(count, factors, product) || *product > INT64_MAX / 64;
}

static dlviz_status fail_memory(void) {
    return dlz_fail_memory("the rows of a convolution", SIZE_MAX);
}

/* Whether the plan can be computed at all: its products are then far from overflowing. */
static bool is_sound(const dlz_conv2d_shape *shape, int64_t lanes) {
    const int64_t largest[] = {shape->kernel[0], shape->kernel[1] + 2 * lanes * shape->stride[1],
                               shape->channels, shape->outputs + 2 * lanes,
                               shape->out_width + 2 * lanes};
    int64_t product;
    return !product_fails(5, largest, &product);
}

/* The form with `merged` pixels in one. */
static dlz_conv2d_form form_of(const dlz_conv2d_shape *shape, int64_t merged) {
    dlz_conv2d_form form = {.merged = merged,
                            .width = dlz_ceil_div(shape->out_width, merged),
                            .columns = merged * shape->outputs,
                            .window = shape->kernel[1] + (merged - 1) * shape->stride[1]};
    bool whole_rows = shape->dilation[1] == 1;
    form.taps = shape->kernel[0] * (whole_rows ? 1 : form.window);
    form.run = shape->channels * (whole_rows ? form.window : 1);
    form.depth = form.taps * form.run;
    return form;
}

/* Vectors that are multiplied for one row of outputs, of one kernel row and channel. */
static int64_t cost(const dlz_conv2d_form *form, int64_t lanes) {
    return form->width * form->window * dlz_ceil_div(form->columns, lanes);
}

static dlz_conv2d_form fast_form(const dlz_conv2d_shape *shape, int64_t lanes) {
    dlz_conv2d_form best = form_of(shape, 1);
    if (shape->dilation[1] != 1)
        return best;
    for (int64_t merged = 2; merged <= shape->out_width && merged * shape->outputs <= 2 * lanes;
         merged++) {
        dlz_conv2d_form form = form_of(shape, merged);
        /* Merging has costs of its own: it must save a tenth. */
        if (10 * cost(&form, lanes) <= 9 * cost(&best, lanes))
            best = form;
    }
    return best;
}

static int64_t strip_rows(const dlz_conv2d_plan *plan, int64_t rows) {
    return (plan->shape.kernel[0] - 1) * plan->tap_rows + (rows - 1) * plan->line_rows + 1;
}

/* Output rows of a block with at most `most` of what each takes `each`. */
static int64_t rows_within(const dlz_conv2d_plan *plan, int64_t each, int64_t most) {
    return dlz_min_i64(dlz_max_i64(1, most / dlz_max_i64(1, each)), plan->shape.out_height);
}

static int64_t images_within(int64_t wanted, int64_t each, int64_t most) {
    return dlz_max_i64(1, dlz_min_i64(wanted, most / dlz_max_i64(1, each)));
}

/* Rows of a block where few images leave threads without one: so many blocks, unless each has less to do
 * than it takes to hand it over. */
static int64_t rows_for_threads(const dlz_conv2d_plan *plan, int64_t rows) {
    enum { BLOCKS = 4, LEAST_PRODUCTS = 200000 };
    const dlz_conv2d_shape *shape = &plan->shape;
    int64_t wanted = dlz_ceil_div(shape->out_height * shape->images, BLOCKS);
    int64_t row_products = plan->plain.depth * shape->out_width * shape->outputs;
    int64_t least = dlz_ceil_div(LEAST_PRODUCTS, dlz_max_i64(1, row_products));
    return dlz_min_i64(rows, dlz_max_i64(wanted, least));
}

/* Rows of blocks: as many as the caches take. The strip holds the input rows in their order when
 * output rows share them, else those of one output row after the other. */
static void choose_rows(dlz_conv2d_plan *plan) {
    const dlz_conv2d_shape *shape = &plan->shape;
    int64_t patch = plan->plain.depth, width = shape->out_width;
    int64_t row_patches = patch * width;
    plan->forward_rows =
        dlz_min_i64(rows_within(plan, row_patches * shape->outputs, FORWARD_PRODUCTS),
                    rows_within(plan, plan->row_floats * shape->stride[0], STRIP_FLOATS));
    plan->forward_rows = rows_for_threads(plan, plan->forward_rows);
    /* Rows that blocks share are transformed by each. */
    plan->backward_rows =
        rows_within(plan, row_patches, (plan->along.outputs ? 4 : 1) * PATCH_FLOATS);
    plan->tap_rows = shape->dilation[0];
    plan->line_rows = shape->stride[0];
    if (strip_rows(plan, plan->forward_rows) > plan->forward_rows * shape->kernel[0]) {
        plan->tap_rows = 1;
        plan->line_rows = shape->kernel[0];
    }
    plan->forward_images = plan->backward_images = 1;
    if (width >= NARROW)
        return;
    int64_t wanted =
        dlz_min_i64(MOST_IMAGES, dlz_max_i64(1, shape->images / dlz_conv2d_groups(shape)));
    if (plan->forward_rows == shape->out_height)
        plan->forward_images = images_within(
            wanted, strip_rows(plan, plan->forward_rows) * plan->row_floats, 2 * STRIP_FLOATS);
    if (plan->backward_rows == shape->out_height)
        plan->backward_images =
            images_within(wanted, row_patches * shape->out_height, 2 * PATCH_FLOATS);
}

/* What the way along rows needs behind the plain way's. */
static dlviz_status add_along(dlz_conv2d_plan *plan) {
    dlz_conv2d_along *along = &plan->along;
    int64_t most = dlz_max_i64(plan->forward_rows, plan->backward_rows), rows, gradient;
    const int64_t strip[] = {strip_rows(plan, most), along->row_floats};
    const int64_t sums[] = {along->points, along->depth,
                            round_up(plan->shape.outputs, plan->lanes)};
    const int64_t tiles[] = {plan->backward_rows, along->points, along->tiles,
                             plan->shape.outputs + DLZ_CONV2D_SLACK};
    int64_t products = along->points * along->tiles * 2 * plan->lanes, sum_floats;
    if (product_fails(2, strip, &rows) || product_fails(3, sums, &sum_floats) ||
        product_fails(4, tiles, &gradient))
        return fail_memory();
    along->rows_at = round_up(plan->strip_floats, DLZ_CONV2D_SLACK);
    along->room_at = along->rows_at + rows + DLZ_CONV2D_SLACK;
    plan->strip_floats = along->room_at + dlz_max_i64(gradient, products) + DLZ_CONV2D_SLACK;
    along->weights_at = plan->weight_floats;
    along->sums_at = plan->sum_floats;
    plan->weight_floats += sum_floats;
    plan->sum_floats += sum_floats;
    return DLVIZ_OK;
}

static dlviz_status choose_sizes(dlz_conv2d_plan *plan) {
    const int64_t strip[] = {plan->forward_images, strip_rows(plan, plan->forward_rows),
                             plan->row_floats};
    const int64_t back[] = {plan->backward_images, strip_rows(plan, plan->backward_rows),
                            plan->row_floats};
    const int64_t gradient[] = {plan->backward_images, plan->backward_rows, plan->fast.width,
                                plan->fast.columns};
    const int64_t plain[] = {plan->plain.depth, round_up(plan->plain.columns, plan->lanes)};
    const int64_t fast[] = {plan->fast.depth, round_up(plan->fast.columns, plan->lanes)};
    int64_t plain_floats, fast_floats, back_floats;
    if (product_fails(3, strip, &plan->strip_floats) || product_fails(3, back, &back_floats) ||
        product_fails(4, gradient, &plan->gradient_floats) ||
        product_fails(2, plain, &plain_floats) || product_fails(2, fast, &fast_floats))
        return fail_memory();
    plan->strip_floats = dlz_max_i64(plan->strip_floats, back_floats) + DLZ_CONV2D_SLACK;
    plan->gradient_floats += DLZ_CONV2D_SLACK;
    plan->sum_floats = fast_floats;
    plan->weight_floats = fast_floats + (plan->fast.merged > 1 ? plain_floats : 0);
    return plan->along.outputs ? add_along(plan) : DLVIZ_OK;
}

static bool are_in_order(const dlz_conv2d_shape *s) {
    bool pixels = s->kernel[0] * s->kernel[1] == 1 && s->stride[0] == 1 && s->stride[1] == 1;
    bool images = s->kernel[0] == s->height && s->kernel[1] == s->width && s->dilation[0] == 1 &&
                  s->dilation[1] == 1;
    return pixels || images;
}

static dlviz_status create(dlz_conv2d_plan *plan, const dlz_conv2d_shape *shape, dlz_isa isa,
                           bool goes_along) {
    *plan = (dlz_conv2d_plan){.shape = *shape, .isa = isa};
    plan->lanes = dlz_conv2d_kernels_of(isa)->lanes;
    if (!is_sound(shape, plan->lanes))
        return fail_memory();
    plan->plain = form_of(shape, 1);
    plan->fast = fast_form(shape, plan->lanes);
    if (goes_along)
        plan->along = dlz_along_choose(plan);
    if (plan->along.outputs)
        plan->fast = plan->plain;
    /* From the first column of the first window to the last one of the last. */
    int64_t last = (plan->fast.width * plan->fast.merged - 1) * shape->stride[1];
    int64_t columns = last + (shape->kernel[1] - 1) * shape->dilation[1] + 1;
    if (plan->along.outputs)
        columns =
            (plan->along.tiles * plan->along.outputs + plan->along.taps - 1) * shape->stride[1];
    if (product_fails(2, (const int64_t[]){columns, shape->channels}, &plan->row_floats))
        return fail_memory();
    plan->in_place = plan->fast.merged == 1 && !plan->along.outputs && shape->padding[0] == 0 &&
                     shape->padding[1] == 0;
    plan->patches_in_order = plan->in_place && are_in_order(shape);
    choose_rows(plan);
    return choose_sizes(plan);
}

dlviz_status dlz_conv2d_plan_create(dlz_conv2d_plan *plan, const dlz_conv2d_shape *shape,
                                    dlz_isa isa) {
    return create(plan, shape, isa, false);
}

dlviz_status dlz_conv2d_plan_create_along(dlz_conv2d_plan *plan, const dlz_conv2d_shape *shape,
                                          dlz_isa isa) {
    return create(plan, shape, isa, true);
}

/* -- Weights -------------------------------------------------------------------------------------
 */

/* Columns first ... end - 1 of a panel, all of one pixel among the merged ones. PyTorch's order has
 * a channel's places side by side, a panel the columns: a block of both is turned in the cache, so
 * that each line of the panel is written once. */
static void pack_columns(const dlz_conv2d_plan *plan, const dlz_conv2d_form *form,
                         const float *weights, const float *scale, int64_t first, int64_t end,
                         int64_t step, float *panel) {
    enum { PLACES = 32, MOST_COLUMNS = DLZ_CONV2D_SLACK };
    const dlz_conv2d_shape *shape = &plan->shape;
    int64_t channels = shape->channels, area = shape->kernel[0] * shape->kernel[1];
    int64_t moved = first / shape->outputs * shape->stride[1], count = end - first;
    float block[PLACES][MOST_COLUMNS];
    for (int64_t c = 0; c < channels; c++)
        for (int64_t place = 0; place < area; place += PLACES) {
            int64_t places = dlz_min_i64(PLACES, area - place);
            for (int64_t column = 0; column < count; column++) {
                int64_t o = (first + column) % shape->outputs;
                const float *from = weights + (o * channels + c) * area + place;
                float factor = scale ? scale[o] : 1;
                for (int64_t i = 0; i < places; i++)
                    block[i][column] = from[i] * factor;
            }
            for (int64_t i = 0; i < places; i++) {
                int64_t v = (place + i) / shape->kernel[1], h = (place + i) % shape->kernel[1];
                int64_t k = (v * form->window + h + moved) * channels + c;
                memcpy(panel + k * step, block[i], (size_t)count * sizeof *panel);
            }
        }
}

/* Panels of two vectors of columns, the last one of one vector if that is enough. */
static void pack_form(const dlz_conv2d_plan *plan, const dlz_conv2d_form *form,
                      const float *weights, const float *scale, float *packed) {
    int64_t wide = 2 * plan->lanes, outputs = plan->shape.outputs;
    int64_t floats = form->depth * round_up(form->columns, plan->lanes);
    memset(packed, 0, (size_t)floats * sizeof *packed);
    for (int64_t panel = 0; panel < form->columns; panel += wide) {
        int64_t step = form->columns - panel > plan->lanes ? wide : plan->lanes;
        int64_t panel_end = dlz_min_i64(panel + wide, form->columns);
        for (int64_t first = panel, end; first < panel_end; first = end) {
            end = dlz_min_i64(panel_end, (first / outputs + 1) * outputs);
            pack_columns(plan, form, weights, scale, first, end, step,
                         packed + panel * form->depth + (first - panel));
        }
    }
}

void dlz_conv2d_pack(const dlz_conv2d_plan *plan, const float *weights, const float *scale,
                     float *packed) {
    pack_form(plan, &plan->fast, weights, scale, packed);
    if (plan->fast.merged > 1)
        pack_form(plan, &plan->plain, weights, scale, packed + plan->sum_floats);
    if (plan->along.outputs)
        dlz_along_pack(plan, weights, scale, packed + plan->along.weights_at);
}

void dlz_conv2d_repeat(const float *from, int64_t channels, int64_t count, float *to) {
    for (int64_t i = 0; i < count + DLZ_CONV2D_SLACK; i++)
        to[i] = i < channels ? from[i] : to[i - channels];
}
