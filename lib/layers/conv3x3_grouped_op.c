/* 2-D convolution in groups of channels with a 3 x 3 kernel and stride 1. A few images at a
 * time, which stay in cache, a group's channels are taken out of them, and
 * kernels/conv/conv3x3.h computes them as a convolution of their own. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/fold.h"
#include "kernels/activations/activation.h"
#include "kernels/conv/conv3x3.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/post.h"
#include "layers/conv2d.h"

/* Numbers of a group's inputs and outputs that a part has, if it has more than one image. */
#define PART_SIZE 65536
/* Parts that there are at least, if there are as many images: enough for as many threads. */
#define PARTS 8

typedef struct grouped_op {
    int64_t groups, inputs, outputs; /* channels of one group */
    int64_t images, parts;           /* images of a part; the last one may be short of them */
    /* Of one group: all images, a part a backward tile; those of a part, and of the last one. */
    dlz_conv3x3_plan plan, part, last;
    float *folded_weight, *folded_bias;
    float *forward_weights, *backward_weights, *accumulators; /* of each group */
    bool *coarse; /* of each group's weights as they are convolved */
} grouped_op;

enum { WEIGHT, BIAS };

typedef struct grouped_pass {
    const dlz_op *op;
    const dlz_run *run;
    const grouped_op *conv;
    const float *weight;
    int64_t in_pixels, out_pixels; /* of an image */
} grouped_pass;

/* A worker's buffers, of one group and one part. */
typedef struct buffers {
    float *x, *y, *dx, *rest;
} buffers;

static int64_t weight_size(const grouped_op *conv) {
    return conv->outputs * conv->inputs * 9;
}

/* For so many images, which make one backward tile. Weights are laid out alike for any number. */
static dlviz_status plan_images(const dlz_op *op, int64_t images, dlz_conv3x3_algorithm algorithm,
                                dlz_conv3x3_plan *plan) {
    const grouped_op *conv = op->own;
    const int64_t *padding = ((const dlz_conv2d_layer *)op->layer)->padding;
    dlz_conv3x3_shape shape = {images,       op->in->height, op->in->width,
                               conv->inputs, conv->outputs,  {padding[0], padding[1]}};
    DLZ_TRY(dlz_conv3x3_plan_create(plan, shape, dlz_isa_chosen(), algorithm));
    dlz_conv3x3_plan_backward(plan, images);
    return DLVIZ_OK;
}

static dlviz_status ask_scratch(const dlz_op *op, const dlz_setup *setup) {
    const grouped_op *conv = op->own;
    const dlz_value *in = op->in, *out = op->out;
    int64_t pixels = dlz_max_i64(in->height * in->width, out->height * out->width), floats;
    const int64_t arrays[] = {conv->images, pixels, 2 * conv->inputs + conv->outputs};
    if (dlz_product_overflows(3, arrays, &floats) || floats > INT64_MAX / 64)
        return dlz_fail_memory("the images of a convolution", SIZE_MAX);
    floats += dlz_max_i64(conv->part.scratch_floats, conv->last.scratch_floats);
    dlz_memory_ask_scratch(setup->memory, (uint64_t)floats * sizeof(float) + 4 * DLZ_ALIGNMENT);
    return DLVIZ_OK;
}

static dlviz_status ask_weights(dlz_op *op, const dlz_setup *setup) {
    grouped_op *conv = op->own;
    const dlz_conv3x3_plan *plan = &conv->plan;
    dlz_memory *memory = setup->memory;
    int64_t groups = conv->groups;
    int first = setup->forward_time, back = setup->backward_time;
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->forward_weights, groups * plan->forward_weight_floats,
                                sizeof(float), first));
    DLZ_TRY(
        dlz_op_ask_prepared(setup, &conv->folded_bias, op->out->channels, sizeof(float), first));
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->coarse, groups, sizeof(bool),
                                setup->mode.gradients ? back : first));
    conv->backward_weights = NULL;
    if (setup->mode.gradients && op->in->needs_gradient)
        DLZ_TRY(dlz_memory_ask_array(memory, &conv->backward_weights,
                                     groups * plan->backward_weight_floats, sizeof(float), first,
                                     back));
    if (setup->mode.gradients)
        DLZ_TRY(dlz_memory_ask_array(memory, &conv->accumulators, groups * plan->accumulator_floats,
                                     sizeof(float), back, back));
    DLZ_TRY(dlz_fold_ask(&op->fold, op->out->channels, setup));
    if (!op->fold.has_batchnorm)
        return DLVIZ_OK;
    return dlz_op_ask_prepared(setup, &conv->folded_weight, groups * weight_size(conv),
                               sizeof(float), first);
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    grouped_op *conv = op->own;
    const dlz_value *in = op->in, *out = op->out;
    int64_t n = setup->n;
    conv->groups = ((const dlz_conv2d_layer *)op->layer)->groups;
    conv->inputs = in->channels / conv->groups;
    conv->outputs = out->channels / conv->groups;
    int64_t image =
        in->height * in->width * conv->inputs + out->height * out->width * conv->outputs;
    conv->images =
        dlz_batch_together(&setup->batch, dlz_min_i64(PART_SIZE / dlz_max_i64(1, image),
                                                      dlz_ceil_div(setup->batch.all, PARTS)));
    conv->parts = dlz_ceil_div(n, conv->images);
    DLZ_TRY(plan_images(op, setup->batch.all,
                        setup->mode.gradients ? DLZ_CONV3X3_AUTO : DLZ_CONV3X3_AUTO_FORWARD,
                        &conv->plan));
    dlz_conv3x3_algorithm algorithm = conv->plan.algorithm;
    DLZ_TRY(plan_images(op, conv->images, algorithm, &conv->part));
    DLZ_TRY(plan_images(op, n - (conv->parts - 1) * conv->images, algorithm, &conv->last));
    op->form = (int)conv->plan.algorithm;
    dlz_conv3x3_plan_part(&conv->plan, n, n, 1);
    dlz_conv3x3_plan_backward(&conv->plan, conv->images);
    conv->plan.sums = dlz_batch_parts(&setup->batch, n, conv->parts);
    DLZ_TRY(ask_scratch(op, setup));
    DLZ_TRY(ask_weights(op, setup));
    DLZ_TRY(dlz_op_ask_moments(op, conv->parts, setup));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

static grouped_pass make_pass(const dlz_op *op, const dlz_run *run) {
    const grouped_op *conv = op->own;
    return (grouped_pass){.op = op,
                          .run = run,
                          .conv = conv,
                          .weight = op->fold.has_batchnorm ? conv->folded_weight
                                                           : op->states[WEIGHT].value,
                          .in_pixels = op->in->height * op->in->width,
                          .out_pixels = op->out->height * op->out->width};
}

static buffers carve(const grouped_pass *pass, int worker) {
    char *scratch = dlz_run_scratch(pass->run, worker);
    int64_t in = pass->conv->images * pass->in_pixels, out = pass->conv->images * pass->out_pixels;
    buffers b;
    b.x = dlz_carve(&scratch, in * pass->conv->inputs);
    b.y = dlz_carve(&scratch, out * pass->conv->outputs);
    b.dx = dlz_carve(&scratch, in * pass->conv->inputs);
    b.rest = (float *)(void *)scratch;
    return b;
}

/* Some images of the batch. */
typedef struct part {
    int64_t first, images;
    const dlz_conv3x3_plan *plan;
} part;

static part part_of(const grouped_op *conv, int64_t index) {
    const dlz_conv3x3_plan *plan = index == conv->parts - 1 ? &conv->last : &conv->part;
    return (part){index * conv->images, plan->shape.images, plan};
}

static dlz_conv3x3_input take_input(const grouped_pass *pass, const part *p, int64_t group,
                                    float *to) {
    const grouped_op *conv = pass->conv;
    const dlz_value *in = pass->op->in;
    const float *weight = pass->weight + group * weight_size(conv);
    dlz_take_channels(in->data + p->first * dlz_value_size(in), p->images * pass->in_pixels,
                      in->channels, group * conv->inputs, conv->inputs, to);
    return (dlz_conv3x3_input){.data = to, .weights = weight, .plain = conv->coarse[group]};
}

static void forward_group(const grouped_pass *pass, const part *p, int64_t group,
                          const buffers *b) {
    const grouped_op *conv = pass->conv;
    const dlz_value *out = pass->op->out;
    int64_t outputs = conv->outputs;
    dlz_conv3x3_input input = take_input(pass, p, group, b->x);
    dlz_conv3x3_output output = {
        .y = b->y, .bias = conv->folded_bias + group * outputs, .relu = pass->op->fold.relu};
    for (int64_t tile = 0; tile < p->plan->forward_tiles; tile++)
        dlz_conv3x3_forward(p->plan, tile, &input,
                            conv->forward_weights + group * conv->plan.forward_weight_floats,
                            &output, b->rest);
    dlz_put_channels(b->y, p->images * pass->out_pixels, out->channels, group * outputs, outputs,
                     out->data + p->first * dlz_value_size(out));
}

static void forward_part(void *context, int64_t index, int worker) {
    const grouped_pass *pass = context;
    const dlz_value *out = pass->op->out;
    buffers b = carve(pass, worker);
    part p = part_of(pass->conv, index);
    for (int64_t group = 0; group < pass->conv->groups; group++)
        forward_group(pass, &p, group, &b);
    float *written = out->data + p.first * dlz_value_size(out);
    const dlz_statistics *statistics = &out->statistics;
    if (statistics->wanted)
        dlz_post_kernels()->moments(p.images * pass->out_pixels, out->channels, written,
                                    statistics->partial + index * dlz_moments_size(out->channels));
    const dlz_activation *activation = pass->op->fold.activation;
    if (activation)
        activation->kernels->forward(activation->settings, p.images * dlz_value_size(out), written,
                                     written);
}

static void prepare_group(void *context, int64_t group, int worker) {
    (void)worker;
    const grouped_pass *pass = context;
    const grouped_op *conv = pass->conv;
    const dlz_conv3x3_plan *plan = &conv->plan;
    float *back = conv->backward_weights;
    conv->coarse[group] =
        dlz_are_coarse(pass->weight + group * weight_size(conv), weight_size(conv));
    for (int64_t tile = 0; tile < plan->weight_tiles; tile++)
        dlz_conv3x3_prepare(plan, tile, pass->weight + group * weight_size(conv),
                            conv->forward_weights + group * plan->forward_weight_floats,
                            back ? back + group * plan->backward_weight_floats : NULL);
}

static void prepare(dlz_op *op, const dlz_run *run) {
    grouped_op *conv = op->own;
    grouped_pass pass = make_pass(op, run);
    const float *weight = op->states[WEIGHT].value;
    dlz_fold_bias(&op->fold, op->states[BIAS].value, op->out->channels, conv->folded_bias);
    if (op->fold.has_batchnorm) {
        int64_t size = conv->inputs * 9;
        for (int64_t i = 0; i < op->out->channels * size; i++)
            conv->folded_weight[i] = weight[i] * op->fold.scale[i / size];
    }
    dlz_parallel_for(conv->groups, run->workers, prepare_group, &pass);
}

static void forward(dlz_op *op, const dlz_run *run) {
    const grouped_op *conv = op->own;
    grouped_pass pass = make_pass(op, run);
    dlz_parallel_for(conv->parts, run->workers, forward_part, &pass);
}

static void backward_group(const grouped_pass *pass, int64_t index, const part *p, int64_t group,
                           const buffers *b) {
    const grouped_op *conv = pass->conv;
    const dlz_conv3x3_plan *plan = &conv->plan;
    const dlz_value *in = pass->op->in, *out = pass->op->out;
    dlz_conv3x3_input input = take_input(pass, p, group, b->x);
    dlz_take_channels(out->gradient.dy + p->first * dlz_value_size(out),
                      p->images * pass->out_pixels, out->channels, group * conv->outputs,
                      conv->outputs, b->y);
    dlz_conv3x3_gradient gradient = {.dy = b->y};
    dlz_conv3x3_input_gradient input_gradient = {.dx = b->dx};
    bool wanted = in->needs_gradient;
    dlz_conv3x3_backward(
        p->plan, 0, &input, &gradient,
        wanted ? conv->backward_weights + group * plan->backward_weight_floats : NULL,
        wanted ? &input_gradient : NULL,
        conv->accumulators + (group * conv->parts + index) * plan->accumulator_stride, b->rest);
    if (wanted)
        dlz_put_channels(b->dx, p->images * pass->in_pixels, in->channels, group * conv->inputs,
                         conv->inputs, in->dy + p->first * dlz_value_size(in));
}

static void backward_part(void *context, int64_t index, int worker) {
    const grouped_pass *pass = context;
    buffers b = carve(pass, worker);
    part p = part_of(pass->conv, index);
    for (int64_t group = 0; group < pass->conv->groups; group++)
        backward_group(pass, index, &p, group, &b);
}

/* The gradients of one group. */
static void finish_group(void *context, int64_t group, int worker) {
    (void)worker;
    const grouped_pass *pass = context;
    const grouped_op *conv = pass->conv;
    const dlz_conv3x3_plan *plan = &conv->plan;
    float *weight = pass->op->states[WEIGHT].gradient, *bias = pass->op->states[BIAS].gradient;
    for (int64_t tile = 0; tile < plan->weight_tiles; tile++)
        dlz_conv3x3_finish(plan, tile,
                           conv->accumulators + group * conv->parts * plan->accumulator_stride,
                           weight ? weight + group * weight_size(conv) : NULL,
                           bias ? bias + group * conv->outputs : NULL);
}

static void backward(dlz_op *op, const dlz_run *run) {
    const grouped_op *conv = op->own;
    grouped_pass pass = make_pass(op, run);
    dlz_parallel_for(conv->parts, run->workers, backward_part, &pass);
    dlz_parallel_for(conv->groups, run->workers, finish_group, &pass);
    dlz_op_share_gradient(op, run, WEIGHT, conv->groups * weight_size(conv));
    dlz_op_share_gradient(op, run, BIAS, op->out->channels);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_conv3x3_grouped_op_type = {
    .name = "conv3x3 in groups",
    .own = sizeof(grouped_op),
    .abilities = DLZ_OP_FOLDS,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
