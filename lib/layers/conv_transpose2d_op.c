/* Transposed 2-D convolution: what the gradient of the input is to a convolution, by
 * kernels/conv/conv2d.h. That convolution reads this layer's output y and writes its input x:
 *
 *   forward             y = bias + its gradient of the input, for the gradient x of its output
 *   gradient of x       it, of dy, without a bias
 *   weights' gradient   its, for the input dy and the gradient x of its output
 *
 * A few images at a time; where there are groups, the channels of one are taken out of an image and
 * put back. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/fold.h"
#include "kernels/activations/activation.h"
#include "kernels/gemm/gemm.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/post.h"
#include "layers/conv_transpose2d.h"

#include <string.h>

typedef struct transpose_op {
    dlz_conv2d_plan plan; /* of one group */
    int64_t groups;
    int64_t images;         /* of a tile */
    int64_t parts;          /* of the batch, with sums of their own */
    float *matrix, *packed; /* weights for the product of the way forward, of each group */
    float *folded_bias;
    float *patch_bias; /* it for each place of each group's patch, where patches are in order */
    float *weights;    /* of each group, as the convolution reads them */
    float *zeros;
    float *weight_sums;    /* of each group, of each part */
    double *bias_sums;     /* of each part: sums, and what the kernel gives besides */
    float *bias_gradients; /* from each part's sums */
} transpose_op;

enum { WEIGHT, BIAS };

typedef struct transpose_pass {
    const dlz_op *op;
    const dlz_run *run;
    const transpose_op *conv;
    int64_t in_pixels, out_pixels; /* of an image */
} transpose_pass;

/* What a worker reads and writes of some images: the group's x and y, or their gradients. They are
 * the operation's own numbers if there is only one group. */
typedef struct buffers {
    float *x, *y, *dx, *strip, *g, *patches;
    double *sums;
    char *rest;
} buffers;

/* Whole cache lines. */
static int64_t packed_floats(const dlz_conv2d_plan *plan) {
    const int64_t line = DLZ_ALIGNMENT / (int64_t)sizeof(float);
    int64_t size = (int64_t)dlz_gemm_kernels()->packed_size(plan->shape.outputs, plan->plain.depth);
    return dlz_ceil_div(size, line) * line;
}

/* Pixels of some rows of x as the plan lays them out. */
static int64_t laid_pixels(const dlz_conv2d_plan *plan, int64_t rows) {
    return rows * plan->fast.width * plan->fast.merged;
}

static int64_t x_floats(const dlz_op *op) {
    const transpose_op *conv = op->own;
    return conv->images * op->in->height * op->in->width * conv->plan.shape.outputs;
}

static int64_t y_floats(const dlz_op *op) {
    const transpose_op *conv = op->own;
    return conv->images * op->out->height * op->out->width * conv->plan.shape.channels;
}

static int64_t patch_floats(const dlz_conv2d_plan *plan) {
    return plan->backward_images * laid_pixels(plan, plan->backward_rows) * plan->plain.depth;
}

static buffers carve(const dlz_op *op, void *scratch) {
    const transpose_op *conv = op->own;
    buffers b = {.rest = scratch};
    if (conv->groups > 1) {
        b.x = dlz_carve(&b.rest, x_floats(op));
        b.y = dlz_carve(&b.rest, y_floats(op));
        b.dx = dlz_carve(&b.rest, x_floats(op));
    }
    b.g = dlz_carve(&b.rest, conv->plan.gradient_floats);
    return b;
}

static void carve_forward(const dlz_op *op, buffers *b) {
    b->patches = dlz_carve(&b->rest, patch_floats(&((const transpose_op *)op->own)->plan));
}

static void carve_backward(const dlz_op *op, buffers *b) {
    b->strip = dlz_carve(&b->rest, ((const transpose_op *)op->own)->plan.strip_floats);
    b->sums = (double *)(void *)dlz_carve(&b->rest, 4 * op->out->channels);
}

static dlviz_status ask_scratch(const dlz_op *op, const dlz_setup *setup) {
    const transpose_op *conv = op->own;
    const dlz_conv2d_plan *plan = &conv->plan;
    size_t floats = (size_t)plan->gradient_floats, patches;
    if (dlz_mul_overflows(
            (uint64_t)(plan->backward_images * laid_pixels(plan, plan->backward_rows)),
            (uint64_t)plan->plain.depth, &patches))
        return dlz_fail_memory("the patches of a convolution", SIZE_MAX);
    size_t images = conv->groups > 1 ? (size_t)(2 * x_floats(op) + y_floats(op)) : 0;
    if (dlz_add_overflows(floats, patches, &floats) || dlz_add_overflows(floats, images, &floats) ||
        dlz_add_overflows(floats, (size_t)(plan->strip_floats + 4 * op->out->channels), &floats) ||
        dlz_mul_overflows(floats, sizeof(float), &floats) ||
        dlz_add_overflows(floats, DLZ_GEMM_SCRATCH_BYTES + 8 * DLZ_ALIGNMENT, &floats))
        return dlz_fail_memory("the rows of a convolution", SIZE_MAX);
    dlz_memory_ask_scratch(setup->memory, floats);
    return DLVIZ_OK;
}

/* Of all groups. */
static int64_t weight_size(const dlz_op *op) {
    return op->in->channels * ((const transpose_op *)op->own)->plan.plain.depth;
}

static dlviz_status ask_backward(dlz_op *op, const dlz_setup *setup) {
    transpose_op *conv = op->own;
    const dlz_conv2d_plan *plan = &conv->plan;
    dlz_memory *memory = setup->memory;
    int back = setup->backward_time;
    int64_t zeros = dlz_max_i64(plan->fast.columns, op->out->channels) + DLZ_CONV2D_SLACK;
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->weight_sums,
                                 conv->groups * conv->parts * plan->sum_floats + DLZ_CONV2D_SLACK,
                                 sizeof(float), back, back));
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->bias_sums, conv->parts * op->out->channels,
                                 sizeof(double), back, back));
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->bias_gradients, conv->parts * op->out->channels,
                                 sizeof(float), back, back));
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->zeros, zeros, sizeof(float), back, back));
    if (!op->in->needs_gradient)
        return DLVIZ_OK;
    return dlz_memory_ask_array(memory, &conv->weights, conv->groups * plan->weight_floats,
                                sizeof(float), back, back);
}

static dlz_conv2d_shape shape_of(const dlz_op *op, int64_t images) {
    const dlz_conv_transpose2d_layer *set = (const dlz_conv_transpose2d_layer *)op->layer;
    dlz_conv2d_shape shape = {.images = images,
                              .height = op->out->height,
                              .width = op->out->width,
                              .channels = op->out->channels / set->groups,
                              .out_height = op->in->height,
                              .out_width = op->in->width,
                              .outputs = op->in->channels / set->groups};
    for (int axis = 0; axis < 2; axis++) {
        shape.kernel[axis] = set->kernel[axis];
        shape.stride[axis] = set->stride[axis];
        shape.padding[axis] = set->padding[axis];
        shape.dilation[axis] = set->dilation[axis];
    }
    return shape;
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    transpose_op *conv = op->own;
    const dlz_conv2d_plan *plan = &conv->plan;
    int first = setup->forward_time;
    conv->groups = ((const dlz_conv_transpose2d_layer *)op->layer)->groups;
    dlz_conv2d_shape shape = shape_of(op, conv->groups > 1 ? 1 : setup->batch.all);
    DLZ_TRY(dlz_conv2d_plan_create(&conv->plan, &shape, dlz_isa_chosen()));
    conv->images = dlz_batch_together(&setup->batch, plan->backward_images);
    shape.images = setup->batch.all;
    conv->parts = dlz_setup_groups(setup, dlz_conv2d_groups(&shape));
    DLZ_TRY(ask_scratch(op, setup));
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->matrix, plan->shape.outputs * plan->plain.depth,
                                sizeof(float), first));
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->packed, conv->groups * packed_floats(plan),
                                sizeof(float), first));
    DLZ_TRY(
        dlz_op_ask_prepared(setup, &conv->folded_bias, op->out->channels, sizeof(float), first));
    if (plan->patches_in_order)
        DLZ_TRY(dlz_op_ask_prepared(setup, &conv->patch_bias, conv->groups * plan->plain.depth,
                                    sizeof(float), first));
    DLZ_TRY(dlz_fold_ask(&op->fold, op->out->channels, setup));
    DLZ_TRY(dlz_op_ask_moments(op, dlz_ceil_div(setup->n, conv->images), setup));
    if (setup->mode.gradients)
        DLZ_TRY(ask_backward(op, setup));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

static transpose_pass make_pass(const dlz_op *op, const dlz_run *run) {
    return (transpose_pass){op, run, op->own, op->in->height * op->in->width,
                            op->out->height * op->out->width};
}

/* The group's channels of some images; all of them lie where they are. */
static const float *take(const dlz_value *value, const float *data, int64_t image, int64_t images,
                         int64_t groups, int64_t group, float *buffer) {
    const float *from = data + image * dlz_value_size(value);
    int64_t channels = value->channels / groups;
    if (groups == 1)
        return from;
    dlz_take_channels(from, images * value->height * value->width, value->channels,
                      group * channels, channels, buffer);
    return buffer;
}

/* -- Forward --------------------------------------------------------------------------------------
 */

static void start_with_bias(const float *bias, int64_t channels, int64_t pixels, float *y) {
    for (int64_t pixel = 0; pixel < pixels; pixel++)
        memcpy(y + pixel * channels, bias, (size_t)channels * sizeof *y);
}

static void forward_group(const transpose_pass *pass, int64_t image, int64_t images, int64_t group,
                          const buffers *b) {
    const transpose_op *conv = pass->conv;
    const dlz_conv2d_plan *plan = &conv->plan;
    const dlz_value *in = pass->op->in, *out = pass->op->out;
    int64_t channels = plan->shape.channels, inputs = plan->shape.outputs;
    int64_t patch = plan->plain.depth;
    dlz_conv2d_gradient x = {.dy = take(in, in->data, image, images, conv->groups, group, b->x)};
    float *whole = out->data + image * dlz_value_size(out), *y = conv->groups == 1 ? whole : b->y;
    bool in_order = plan->patches_in_order;
    if (!in_order)
        start_with_bias(conv->folded_bias + group * channels, channels, images * pass->out_pixels,
                        y);
    dlz_conv2d_block block = {.images = images};
    for (; block.row < in->height; block.row += plan->backward_rows) {
        block.rows = dlz_min_i64(plan->backward_rows, in->height - block.row);
        const float *g = dlz_conv2d_rows()->load_gradient(plan, &x, block, b->g);
        dlz_gemm product = {.m = images * laid_pixels(plan, block.rows),
                            .n = patch,
                            .k = inputs,
                            .a = g,
                            .lda = inputs,
                            .c = in_order ? y + block.row * in->width * patch : b->patches,
                            .ldc = patch,
                            .bias = in_order ? conv->patch_bias + group * patch : NULL};
        dlz_gemm_kernels()->gemm_packed(&product, conv->packed + group * packed_floats(plan),
                                        b->rest);
        if (!in_order)
            dlz_conv2d_rows()->scatter(plan, block, b->patches, y);
    }
    if (conv->groups > 1)
        dlz_put_channels(y, images * pass->out_pixels, out->channels, group * channels, channels,
                         whole);
}

static void forward_tile(void *context, int64_t tile, int worker) {
    const transpose_pass *pass = context;
    const transpose_op *conv = pass->conv;
    const dlz_op *op = pass->op;
    const dlz_value *out = op->out;
    int64_t image = tile * conv->images;
    int64_t images = dlz_min_i64(conv->images, pass->run->n - image);
    buffers b = carve(op, dlz_run_scratch(pass->run, worker));
    carve_forward(op, &b);
    for (int64_t group = 0; group < conv->groups; group++)
        forward_group(pass, image, images, group, &b);
    int64_t size = images * dlz_value_size(out);
    float *written = out->data + image * dlz_value_size(out);
    const dlz_statistics *statistics = &out->statistics;
    if (statistics->wanted)
        dlz_post_kernels()->moments(images * pass->out_pixels, out->channels, written,
                                    statistics->partial + tile * dlz_moments_size(out->channels));
    for (int64_t i = 0; op->fold.relu && i < size; i++)
        written[i] = written[i] <= 0 ? 0 : written[i]; /* NaN stays */
    const dlz_activation *activation = op->fold.activation;
    if (activation)
        activation->kernels->forward(activation->settings, size, written, written);
}

static void prepare(dlz_op *op, const dlz_run *run) {
    (void)run;
    transpose_op *conv = op->own;
    const dlz_conv2d_plan *plan = &conv->plan;
    int64_t group_weights = plan->shape.outputs * plan->plain.depth;
    dlz_fold_bias(&op->fold, op->states[BIAS].value, op->out->channels, conv->folded_bias);
    if (plan->patches_in_order)
        for (int64_t group = 0; group < conv->groups; group++)
            start_with_bias(conv->folded_bias + group * plan->shape.channels, plan->shape.channels,
                            plan->shape.kernel[0] * plan->shape.kernel[1],
                            conv->patch_bias + group * plan->plain.depth);
    for (int64_t group = 0; group < conv->groups; group++)
        dlz_conv2d_pack_patches(
            plan, op->states[WEIGHT].value + group * group_weights,
            op->fold.has_batchnorm ? op->fold.scale + group * plan->shape.channels : NULL,
            conv->matrix, conv->packed + group * packed_floats(plan));
}

static void forward(dlz_op *op, const dlz_run *run) {
    const transpose_op *conv = op->own;
    transpose_pass pass = make_pass(op, run);
    dlz_parallel_for(dlz_ceil_div(run->n, conv->images), run->workers, forward_tile, &pass);
}

/* -- Backward -------------------------------------------------------------------------------------
 */

static void backward_block(const transpose_pass *pass, int64_t part, int64_t group,
                           dlz_conv2d_block block, const float *x, const float *dy, float *dx,
                           const buffers *b) {
    const transpose_op *conv = pass->conv;
    const dlz_conv2d_plan *plan = &conv->plan;
    int64_t sums = group * conv->parts + part;
    dlz_conv2d_input input = {.data = dy};
    dlz_conv2d_view view = dlz_conv2d_rows()->load(plan, &input, block, b->strip);
    if (pass->op->states[WEIGHT].gradient) {
        dlz_conv2d_gradient gradient = {.dy = x};
        const float *g = dlz_conv2d_rows()->load_gradient(plan, &gradient, block, b->g);
        dlz_conv2d_kernels()->add_weights(plan, &view, block, g,
                                          conv->weight_sums + sums * plan->sum_floats);
    }
    dlz_conv2d_output output = {.y = dx, .bias = conv->zeros};
    if (dx)
        dlz_conv2d_kernels()->forward(plan, &view, block,
                                      conv->weights + group * plan->weight_floats, &output);
}

static void backward_images(const transpose_pass *pass, int64_t part, int64_t image, int64_t images,
                            int64_t group, const buffers *b) {
    const transpose_op *conv = pass->conv;
    const dlz_conv2d_plan *plan = &conv->plan;
    const dlz_value *in = pass->op->in, *out = pass->op->out;
    const float *x = take(in, in->data, image, images, conv->groups, group, b->x);
    const float *dy = take(out, out->gradient.dy, image, images, conv->groups, group, b->y);
    float *whole = in->needs_gradient ? in->dy + image * dlz_value_size(in) : NULL;
    float *dx = whole && conv->groups > 1 ? b->dx : whole;
    dlz_conv2d_block block = {.images = images};
    for (; block.row < in->height; block.row += plan->backward_rows) {
        block.rows = dlz_min_i64(plan->backward_rows, in->height - block.row);
        backward_block(pass, part, group, block, x, dy, dx, b);
    }
    int64_t inputs = plan->shape.outputs;
    if (whole && conv->groups > 1)
        dlz_put_channels(dx, images * pass->in_pixels, in->channels, group * inputs, inputs, whole);
}

/* Sums over the pixels of dy, by the kernel that takes those of a batch norm's gradient. */
static void add_bias(const transpose_pass *pass, int64_t part, int64_t image, const buffers *b) {
    const dlz_value *out = pass->op->out;
    const dlz_post settings = {
        .height = out->height, .width = out->width, .channels = out->channels, .keep_scale = 1};
    const float *dy = out->gradient.dy + image * dlz_value_size(out);
    dlz_post_kernels()->backward_sums(&settings, dy, dy, NULL, pass->conv->zeros, b->sums);
    for (int64_t c = 0; c < out->channels; c++)
        pass->conv->bias_sums[part * out->channels + c] += b->sums[c];
}

static void backward_part(void *context, int64_t part, int worker) {
    const transpose_pass *pass = context;
    const transpose_op *conv = pass->conv;
    const dlz_conv2d_plan *plan = &conv->plan;
    const dlz_op *op = pass->op;
    int64_t n = pass->run->n, first = part * n / conv->parts, end = (part + 1) * n / conv->parts;
    buffers b = carve(op, dlz_run_scratch(pass->run, worker));
    carve_backward(op, &b);
    for (int64_t group = 0; group < conv->groups; group++)
        memset(conv->weight_sums + (group * conv->parts + part) * plan->sum_floats, 0,
               (size_t)plan->sum_floats * sizeof(float));
    memset(conv->bias_sums + part * op->out->channels, 0,
           (size_t)op->out->channels * sizeof(double));
    for (int64_t image = first; image < end; image += conv->images) {
        int64_t images = dlz_min_i64(conv->images, end - image);
        for (int64_t group = 0; group < conv->groups; group++)
            backward_images(pass, part, image, images, group, &b);
    }
    for (int64_t image = first; op->states[BIAS].gradient && image < end; image++)
        add_bias(pass, part, image, &b);
}

/* The weights' gradient, of some inputs of a group. */
static void finish_tile(void *context, int64_t index, int worker) {
    (void)worker;
    const transpose_pass *pass = context;
    const transpose_op *conv = pass->conv;
    const dlz_conv2d_plan *plan = &conv->plan;
    int64_t tiles = dlz_ceil_div(plan->shape.outputs, DLZ_CONV2D_UNPACKED), group = index / tiles;
    dlz_conv2d_rows()->unpack(plan, index % tiles, conv->parts,
                              conv->weight_sums + group * conv->parts * plan->sum_floats,
                              pass->op->states[WEIGHT].gradient +
                                  group * plan->shape.outputs * plan->plain.depth);
}

static void backward(dlz_op *op, const dlz_run *run) {
    transpose_op *conv = op->own;
    const dlz_conv2d_plan *plan = &conv->plan;
    transpose_pass pass = make_pass(op, run);
    int64_t channels = op->out->channels;
    int64_t zeros = dlz_max_i64(plan->fast.columns, channels) + DLZ_CONV2D_SLACK;
    memset(conv->zeros, 0, (size_t)zeros * sizeof *conv->zeros);
    for (int64_t group = 0; op->in->needs_gradient && group < conv->groups; group++)
        dlz_conv2d_pack(plan,
                        op->states[WEIGHT].value + group * plan->shape.outputs * plan->plain.depth,
                        NULL, conv->weights + group * plan->weight_floats);
    dlz_parallel_for(conv->parts, run->workers, backward_part, &pass);
    int64_t tiles = dlz_ceil_div(plan->shape.outputs, DLZ_CONV2D_UNPACKED);
    if (op->states[WEIGHT].gradient)
        dlz_parallel_for(conv->groups * tiles, run->workers, finish_tile, &pass);
    dlz_op_share_gradient(op, run, WEIGHT, weight_size(op));
    for (int64_t i = 0; i < conv->parts * channels; i++)
        conv->bias_gradients[i] = (float)conv->bias_sums[i];
    dlz_op_sum_groups(op, run, BIAS, conv->bias_gradients, channels, conv->parts, channels);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_conv_transpose2d_op_type = {
    .name = "conv_transpose2d",
    .own = sizeof(transpose_op),
    .abilities = DLZ_OP_FOLDS,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
