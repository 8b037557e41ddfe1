/* 2-D convolution in groups of channels, image by image and group by group: the group's channels
 * of an image are laid out, and kernels/conv/conv2d.h computes them as a convolution of their
 * own. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/fold.h"
#include "kernels/activations/activation.h"
#include "kernels/gemm/gemm.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/post.h"
#include "layers/conv2d.h"

#include <string.h>

typedef struct grouped_op {
    dlz_conv2d_plan plan; /* one image, one group */
    int64_t groups;
    int64_t parts;   /* of the batch, with sums of their own */
    float *weights;  /* of each group, packed */
    float *repeated; /* of each group: its bias, with what is folded into it */
    float *matrix, *packed;
    float *folded_bias;
    float *weight_sums; /* of each group, of each part */
    double *bias_sums;
    float *bias_gradients; /* from each part's sums */
} grouped_op;

enum { WEIGHT, BIAS };

typedef struct grouped_pass {
    const dlz_op *op;
    const dlz_run *run;
    const grouped_op *conv;
    int64_t in_pixels, out_pixels;
} grouped_pass;

/* A worker's buffers. */
typedef struct buffers {
    float *y, *strip, *g, *dx, *patches;
    char *rest;
} buffers;

/* Whole cache lines. */
static int64_t packed_floats(const dlz_conv2d_plan *plan) {
    const int64_t line = DLZ_ALIGNMENT / (int64_t)sizeof(float);
    int64_t size = (int64_t)dlz_gemm_kernels()->packed_size(plan->shape.outputs, plan->plain.depth);
    return dlz_ceil_div(size, line) * line;
}

static int64_t repeated_floats(const dlz_conv2d_plan *plan) {
    return plan->fast.columns + DLZ_CONV2D_SLACK;
}

/* Pixels of a gradient's rows as the plan lays them out. */
static int64_t gradient_pixels(const dlz_conv2d_plan *plan, int64_t rows) {
    return rows * plan->fast.width * plan->fast.merged;
}

static int64_t channels_of(const dlz_conv2d_plan *plan, const dlz_value *in) {
    return plan->shape.channels * in->height * in->width;
}

static buffers carve(const dlz_op *op, void *scratch) {
    const dlz_conv2d_plan *plan = &((const grouped_op *)op->own)->plan;
    buffers b = {.rest = scratch};
    b.y = dlz_carve(&b.rest, plan->shape.outputs * op->out->height * op->out->width);
    b.strip = dlz_carve(&b.rest, plan->strip_floats);
    return b;
}

static void carve_backward(const dlz_op *op, buffers *b) {
    const dlz_conv2d_plan *plan = &((const grouped_op *)op->own)->plan;
    b->g = dlz_carve(&b->rest, plan->gradient_floats);
    if (!op->in->needs_gradient)
        return;
    b->dx = dlz_carve(&b->rest, channels_of(plan, op->in));
    b->patches =
        dlz_carve(&b->rest, gradient_pixels(plan, plan->backward_rows) * plan->plain.depth);
}

static dlviz_status ask_scratch(const dlz_op *op, const dlz_setup *setup) {
    const dlz_conv2d_plan *plan = &((const grouped_op *)op->own)->plan;
    bool needs = setup->mode.gradients && op->in->needs_gradient;
    size_t images = needs ? (size_t)channels_of(plan, op->in) : 0, floats, patches = 0;
    if (needs && dlz_mul_overflows((uint64_t)gradient_pixels(plan, plan->backward_rows),
                                   (uint64_t)plan->plain.depth, &patches))
        return dlz_fail_memory("the patches of a convolution", SIZE_MAX);
    images += (size_t)(plan->shape.outputs * op->out->height * op->out->width);
    if (dlz_add_overflows((size_t)(plan->strip_floats + plan->gradient_floats), patches, &floats) ||
        dlz_add_overflows(floats, images, &floats) ||
        dlz_mul_overflows(floats, sizeof(float), &floats) ||
        dlz_add_overflows(floats, DLZ_GEMM_SCRATCH_BYTES + 8 * DLZ_ALIGNMENT, &floats))
        return dlz_fail_memory("the rows of a convolution", SIZE_MAX);
    dlz_memory_ask_scratch(setup->memory, floats);
    return DLVIZ_OK;
}

/* Of all groups. */
static int64_t weight_size(const dlz_op *op) {
    return op->out->channels * ((const grouped_op *)op->own)->plan.plain.depth;
}

static dlviz_status ask_backward(dlz_op *op, const dlz_setup *setup) {
    grouped_op *conv = op->own;
    const dlz_conv2d_plan *plan = &conv->plan;
    dlz_memory *memory = setup->memory;
    int64_t sums = conv->groups * conv->parts;
    int back = setup->backward_time;
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->weight_sums,
                                 sums * plan->sum_floats + DLZ_CONV2D_SLACK, sizeof(float), back,
                                 back));
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->bias_sums, sums * plan->fast.columns,
                                 sizeof(double), back, back));
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->bias_gradients, conv->parts * op->out->channels,
                                 sizeof(float), back, back));
    if (!op->in->needs_gradient)
        return DLVIZ_OK;
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->matrix, plan->shape.outputs * plan->plain.depth,
                                 sizeof(float), back, back));
    return dlz_memory_ask_array(memory, &conv->packed, conv->groups * packed_floats(plan),
                                sizeof(float), back, back);
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    grouped_op *conv = op->own;
    int first = setup->forward_time;
    dlz_conv2d_shape shape = dlz_conv2d_shape_of(op, 1);
    conv->groups = ((const dlz_conv2d_layer *)op->layer)->groups;
    dlz_conv2d_shape whole = shape;
    whole.images = setup->batch.all;
    conv->parts = dlz_setup_groups(setup, dlz_conv2d_groups(&whole));
    shape.channels /= conv->groups;
    shape.outputs /= conv->groups;
    DLZ_TRY(dlz_conv2d_plan_create(&conv->plan, &shape, dlz_isa_chosen()));
    DLZ_TRY(ask_scratch(op, setup));
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->weights, conv->groups * conv->plan.weight_floats,
                                sizeof(float), first));
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->repeated, conv->groups * repeated_floats(&conv->plan),
                                sizeof(float), first));
    DLZ_TRY(
        dlz_op_ask_prepared(setup, &conv->folded_bias, op->out->channels, sizeof(float), first));
    DLZ_TRY(dlz_fold_ask(&op->fold, op->out->channels, setup));
    DLZ_TRY(dlz_op_ask_moments(op, setup->n, setup));
    if (setup->mode.gradients)
        DLZ_TRY(ask_backward(op, setup));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

static grouped_pass make_pass(const dlz_op *op, const dlz_run *run) {
    return (grouped_pass){op, run, op->own, op->in->height * op->in->width,
                          op->out->height * op->out->width};
}

/* A group's channels of an image. */
static dlz_conv2d_input input_of(const grouped_pass *pass, int64_t image, int64_t group) {
    const dlz_value *in = pass->op->in;
    int64_t channels = pass->conv->plan.shape.channels;
    return (dlz_conv2d_input){.data = in->data + image * dlz_value_size(in) + group * channels,
                              .step = in->channels};
}

static dlz_conv2d_gradient gradient_of(const grouped_pass *pass, int64_t image, int64_t group) {
    const dlz_value *out = pass->op->out;
    int64_t outputs = pass->conv->plan.shape.outputs;
    return (dlz_conv2d_gradient){.dy = out->gradient.dy + image * dlz_value_size(out) +
                                       group * outputs,
                                 .step = out->channels};
}

static void forward_group(const grouped_pass *pass, int64_t image, int64_t group,
                          const buffers *b) {
    const grouped_op *conv = pass->conv;
    const dlz_conv2d_plan *plan = &conv->plan;
    const dlz_value *out = pass->op->out;
    int64_t outputs = plan->shape.outputs;
    dlz_conv2d_input input = input_of(pass, image, group);
    dlz_conv2d_output output = {b->y, conv->repeated + group * repeated_floats(plan),
                                pass->op->fold.relu};
    dlz_conv2d_block block = {.images = 1};
    for (; block.row < out->height; block.row += plan->forward_rows) {
        block.rows = dlz_min_i64(plan->forward_rows, out->height - block.row);
        dlz_conv2d_view view = dlz_conv2d_rows()->load(plan, &input, block, b->strip);
        dlz_conv2d_kernels()->forward(plan, &view, block,
                                      conv->weights + group * plan->weight_floats, &output);
    }
    dlz_put_channels(b->y, pass->out_pixels, out->channels, group * outputs, outputs,
                     out->data + image * dlz_value_size(out));
}

static void forward_tile(void *context, int64_t image, int worker) {
    const grouped_pass *pass = context;
    const dlz_value *out = pass->op->out;
    buffers b = carve(pass->op, dlz_run_scratch(pass->run, worker));
    for (int64_t group = 0; group < pass->conv->groups; group++)
        forward_group(pass, image, group, &b);
    float *written = out->data + image * dlz_value_size(out);
    const dlz_statistics *statistics = &out->statistics;
    if (statistics->wanted)
        dlz_post_kernels()->moments(pass->out_pixels, out->channels, written,
                                    statistics->partial + image * dlz_moments_size(out->channels));
    const dlz_activation *activation = pass->op->fold.activation;
    if (activation)
        activation->kernels->forward(activation->settings, dlz_value_size(out), written, written);
}

static void prepare(dlz_op *op, const dlz_run *run) {
    (void)run;
    grouped_op *conv = op->own;
    const dlz_conv2d_plan *plan = &conv->plan;
    int64_t outputs = plan->shape.outputs;
    dlz_fold_bias(&op->fold, op->states[BIAS].value, op->out->channels, conv->folded_bias);
    for (int64_t group = 0; group < conv->groups; group++) {
        int64_t first = group * outputs;
        dlz_conv2d_repeat(conv->folded_bias + first, outputs, plan->fast.columns,
                          conv->repeated + group * repeated_floats(plan));
        dlz_conv2d_pack(plan, op->states[WEIGHT].value + first * plan->plain.depth,
                        op->fold.has_batchnorm ? op->fold.scale + first : NULL,
                        conv->weights + group * plan->weight_floats);
    }
}

static void forward(dlz_op *op, const dlz_run *run) {
    grouped_pass pass = make_pass(op, run);
    dlz_parallel_for(run->n, run->workers, forward_tile, &pass);
}

static void backward_block(const grouped_pass *pass, int64_t part, int64_t image, int64_t group,
                           dlz_conv2d_block block, const buffers *b) {
    const grouped_op *conv = pass->conv;
    const dlz_conv2d_plan *plan = &conv->plan;
    const dlz_op *op = pass->op;
    int64_t sums = group * conv->parts + part;
    dlz_conv2d_input input = input_of(pass, image, group);
    dlz_conv2d_gradient gradient = gradient_of(pass, image, group);
    const float *g = dlz_conv2d_rows()->load_gradient(plan, &gradient, block, b->g);
    if (op->states[WEIGHT].gradient) {
        dlz_conv2d_view view = dlz_conv2d_rows()->load(plan, &input, block, b->strip);
        dlz_conv2d_kernels()->add_weights(plan, &view, block, g,
                                          conv->weight_sums + sums * plan->sum_floats);
    }
    if (op->states[BIAS].gradient)
        dlz_conv2d_rows()->add_bias(plan, block, g, conv->bias_sums + sums * plan->fast.columns);
    if (!op->in->needs_gradient)
        return;
    int64_t outputs = plan->shape.outputs, patch = plan->plain.depth;
    dlz_gemm product = {.m = gradient_pixels(plan, block.rows),
                        .n = patch,
                        .k = outputs,
                        .a = g,
                        .lda = outputs,
                        .c = b->patches,
                        .ldc = patch};
    dlz_gemm_kernels()->gemm_packed(&product, conv->packed + group * packed_floats(plan), b->rest);
    dlz_conv2d_rows()->scatter(plan, block, b->patches, b->dx);
}

static void backward_image(const grouped_pass *pass, int64_t part, int64_t image, int64_t group,
                           const buffers *b) {
    const dlz_conv2d_plan *plan = &pass->conv->plan;
    const dlz_value *in = pass->op->in, *out = pass->op->out;
    int64_t channels = plan->shape.channels;
    if (in->needs_gradient)
        memset(b->dx, 0, (size_t)channels_of(plan, in) * sizeof(float));
    dlz_conv2d_block block = {.images = 1};
    for (; block.row < out->height; block.row += plan->backward_rows) {
        block.rows = dlz_min_i64(plan->backward_rows, out->height - block.row);
        backward_block(pass, part, image, group, block, b);
    }
    if (in->needs_gradient)
        dlz_put_channels(b->dx, pass->in_pixels, in->channels, group * channels, channels,
                         in->dy + image * dlz_value_size(in));
}

static void backward_part(void *context, int64_t part, int worker) {
    const grouped_pass *pass = context;
    const grouped_op *conv = pass->conv;
    const dlz_conv2d_plan *plan = &conv->plan;
    int64_t n = pass->run->n, first = part * n / conv->parts, end = (part + 1) * n / conv->parts;
    buffers b = carve(pass->op, dlz_run_scratch(pass->run, worker));
    carve_backward(pass->op, &b);
    for (int64_t group = 0; group < conv->groups; group++) {
        int64_t sums = group * conv->parts + part;
        memset(conv->weight_sums + sums * plan->sum_floats, 0,
               (size_t)plan->sum_floats * sizeof(float));
        memset(conv->bias_sums + sums * plan->fast.columns, 0,
               (size_t)plan->fast.columns * sizeof(double));
        for (int64_t image = first; image < end; image++)
            backward_image(pass, part, image, group, &b);
    }
}

/* The gradients of one group: the bias's from each part. */
static void finish_group(void *context, int64_t group, int worker) {
    (void)worker;
    const grouped_pass *pass = context;
    const grouped_op *conv = pass->conv;
    const dlz_conv2d_plan *plan = &conv->plan;
    const dlz_op *op = pass->op;
    int64_t outputs = plan->shape.outputs, sums = group * conv->parts;
    int64_t tiles = dlz_ceil_div(outputs, DLZ_CONV2D_UNPACKED);
    float *weight = op->states[WEIGHT].gradient;
    for (int64_t tile = 0; weight && tile < tiles; tile++)
        dlz_conv2d_rows()->unpack(plan, tile, conv->parts,
                                  conv->weight_sums + sums * plan->sum_floats,
                                  weight + group * outputs * plan->plain.depth);
    for (int64_t part = 0; op->states[BIAS].gradient && part < conv->parts; part++)
        dlz_conv2d_bias_sums(plan, conv->bias_sums + (sums + part) * plan->fast.columns,
                             conv->bias_gradients + part * op->out->channels + group * outputs);
}

static void backward(dlz_op *op, const dlz_run *run) {
    grouped_op *conv = op->own;
    const dlz_conv2d_plan *plan = &conv->plan;
    grouped_pass pass = make_pass(op, run);
    for (int64_t group = 0; op->in->needs_gradient && group < conv->groups; group++)
        dlz_conv2d_pack_patches(
            plan, op->states[WEIGHT].value + group * plan->shape.outputs * plan->plain.depth, NULL,
            conv->matrix, conv->packed + group * packed_floats(plan));
    dlz_parallel_for(conv->parts, run->workers, backward_part, &pass);
    dlz_parallel_for(conv->groups, run->workers, finish_group, &pass);
    dlz_op_share_gradient(op, run, WEIGHT, weight_size(op));
    dlz_op_sum_groups(op, run, BIAS, conv->bias_gradients, op->out->channels, conv->parts,
                      op->out->channels);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_conv2d_grouped_op_type = {
    .name = "conv2d in groups",
    .own = sizeof(grouped_op),
    .abilities = DLZ_OP_FOLDS,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
