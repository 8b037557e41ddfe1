/* 2-D convolution of each channel by itself, a block of output rows at a time, by
 * kernels/conv/depthwise.h. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/fold.h"
#include "kernels/activations/activation.h"
#include "kernels/conv/depthwise.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/post.h"
#include "layers/conv2d.h"

#include <string.h>

/* Numbers of the output that a tile has, at least: several small images make one. */
#define TILE_SIZE 16384

typedef struct depthwise_op {
    dlz_depthwise_plan plan;
    int64_t images; /* of a forward tile; more than one only with all rows */
    int64_t groups; /* of images, with sums of their own */
    dlz_conv2d_factors factors;
    float *weights, *backward_weights, *folded_bias, *bias;
    double *sums;
    float *gradients; /* of weights, then bias, from each group's sums */
} depthwise_op;

enum { WEIGHT, BIAS };

typedef struct depthwise_pass {
    const dlz_op *op;
    const dlz_run *run;
    const dlz_depthwise_plan *plan;
    int64_t blocks_down; /* blocks of an image's rows */
    dlz_conv2d_input input;
    dlz_conv2d_gradient gradient;
} depthwise_pass;

static int64_t forward_blocks(const dlz_depthwise_plan *plan) {
    return dlz_ceil_div(plan->shape.out_height, plan->forward_rows);
}

static dlviz_status ask_scratch(const dlz_op *op, const dlz_setup *setup) {
    const dlz_depthwise_plan *plan = &((const depthwise_op *)op->own)->plan;
    int64_t floats = plan->strip_floats + plan->spare_floats;
    size_t bytes;
    if (setup->mode.gradients)
        floats += plan->gradient_floats + 4 * op->in->channels;
    if (dlz_mul_overflows((uint64_t)floats, sizeof(float), &bytes) ||
        dlz_add_overflows(bytes, 5 * DLZ_ALIGNMENT, &bytes))
        return dlz_fail_memory("the rows of a convolution", SIZE_MAX);
    dlz_memory_ask_scratch(setup->memory, bytes);
    return DLVIZ_OK;
}

static int64_t weight_size(const dlz_op *op) {
    return op->out->channels * ((const depthwise_op *)op->own)->plan.taps;
}

/* Of the gradients from a group. */
static int64_t group_size(const dlz_op *op) {
    return weight_size(op) + op->out->channels;
}

static dlviz_status ask_backward(dlz_op *op, const dlz_setup *setup) {
    depthwise_op *conv = op->own;
    const dlz_depthwise_plan *plan = &conv->plan;
    int back = setup->backward_time;
    int64_t sums = conv->groups * (plan->taps + 1) * plan->step;
    DLZ_TRY(dlz_memory_ask_array(setup->memory, &conv->sums, sums, sizeof(double), back, back));
    DLZ_TRY(dlz_memory_ask_array(setup->memory, &conv->gradients, conv->groups * group_size(op),
                                 sizeof(float), back, back));
    if (!op->in->needs_gradient)
        return DLVIZ_OK;
    return dlz_memory_ask_array(setup->memory, &conv->backward_weights, plan->taps * plan->step,
                                sizeof(float), back, back);
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    depthwise_op *conv = op->own;
    int first = setup->forward_time;
    dlz_conv2d_shape shape = dlz_conv2d_shape_of(op, setup->batch.all);
    DLZ_TRY(dlz_depthwise_plan_create(&conv->plan, &shape, dlz_isa_chosen()));
    int64_t step = conv->plan.step, blocks = forward_blocks(&conv->plan);
    conv->groups = dlz_setup_groups(setup, dlz_min_i64(setup->batch.all, DLZ_DEPTHWISE_GROUPS));
    conv->images =
        blocks > 1 ? 1 : dlz_batch_together(&setup->batch, TILE_SIZE / dlz_value_size(op->out));
    DLZ_TRY(ask_scratch(op, setup));
    DLZ_TRY(dlz_conv2d_factors_ask(&conv->factors, op, setup));
    DLZ_TRY(
        dlz_op_ask_prepared(setup, &conv->weights, conv->plan.taps * step, sizeof(float), first));
    DLZ_TRY(
        dlz_op_ask_prepared(setup, &conv->folded_bias, op->out->channels, sizeof(float), first));
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->bias, step, sizeof(float), first));
    DLZ_TRY(dlz_fold_ask(&op->fold, op->out->channels, setup));
    DLZ_TRY(dlz_op_ask_moments(op, dlz_ceil_div(setup->n, conv->images) * blocks, setup));
    if (setup->mode.gradients) {
        DLZ_TRY(ask_backward(op, setup));
        DLZ_TRY(dlz_op_ask_sums(op, conv->groups, setup));
    }
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

static depthwise_pass make_pass(const dlz_op *op, const dlz_run *run) {
    const depthwise_op *conv = op->own;
    return (depthwise_pass){.op = op,
                            .run = run,
                            .plan = &conv->plan,
                            .blocks_down = forward_blocks(&conv->plan),
                            .input = dlz_conv2d_input_of(&conv->factors, op)};
}

/* What follows, on numbers that have just been written. */
static void finish_tile(const depthwise_pass *pass, int64_t tile, int64_t pixels, float *written) {
    const dlz_value *out = pass->op->out;
    const dlz_statistics *statistics = &out->statistics;
    if (statistics->wanted)
        dlz_post_kernels()->moments(pixels, out->channels, written,
                                    statistics->partial + tile * dlz_moments_size(out->channels));
    const dlz_activation *activation = pass->op->fold.activation;
    if (activation)
        activation->kernels->forward(activation->settings, pixels * out->channels, written,
                                     written);
}

static void forward_tile(void *context, int64_t tile, int worker) {
    const depthwise_pass *pass = context;
    const dlz_depthwise_plan *plan = pass->plan;
    const depthwise_op *conv = pass->op->own;
    const dlz_value *out = pass->op->out;
    int64_t first = tile / pass->blocks_down * conv->images;
    int64_t end = dlz_min_i64(first + conv->images, pass->run->n);
    dlz_depthwise_block block = {.image = first,
                                 .row = tile % pass->blocks_down * plan->forward_rows};
    block.rows = dlz_min_i64(plan->forward_rows, out->height - block.row);
    char *scratch = dlz_run_scratch(pass->run, worker);
    float *strip = dlz_carve(&scratch, plan->strip_floats);
    float *spare = dlz_carve(&scratch, plan->spare_floats);
    bool in_place = plan->in_place && !pass->input.scale;
    for (; block.image < end; block.image++) {
        if (in_place) {
            dlz_depthwise_kernels()->forward_in_place(plan, pass->input.data, block, conv->weights,
                                                      conv->bias, pass->op->fold.relu, out->data);
            continue;
        }
        dlz_depthwise_kernels()->load(plan, &pass->input, block, spare, strip);
        dlz_depthwise_kernels()->forward(plan, strip, block, conv->weights, conv->bias,
                                         pass->op->fold.relu, out->data);
    }
    finish_tile(pass, tile, (end - first) * block.rows * out->width,
                out->data + (first * out->height + block.row) * out->width * out->channels);
}

static void prepare(dlz_op *op, const dlz_run *run) {
    (void)run;
    depthwise_op *conv = op->own;
    dlz_fold_bias(&op->fold, op->states[BIAS].value, op->out->channels, conv->folded_bias);
    dlz_depthwise_pack_bias(&conv->plan, conv->folded_bias, conv->bias);
    dlz_depthwise_pack(&conv->plan, op->states[WEIGHT].value,
                       op->fold.has_batchnorm ? op->fold.scale : NULL, conv->weights);
}

static void forward(dlz_op *op, const dlz_run *run) {
    const depthwise_op *conv = op->own;
    depthwise_pass pass = make_pass(op, run);
    dlz_parallel_for(dlz_ceil_div(run->n, conv->images) * pass.blocks_down, run->workers,
                     forward_tile, &pass);
}

/* For the batch norm before. */
static void add_sums(const depthwise_pass *pass, int64_t group, dlz_depthwise_block block,
                     double *room) {
    const dlz_value *in = pass->op->in;
    int64_t first, end;
    dlz_depthwise_input_rows(pass->plan, block, &first, &end);
    dlz_conv2d_add_sums(in, group, (block.image * in->height + first) * in->width,
                        (end - first) * in->width, room);
}

static void backward_group(void *context, int64_t group, int worker) {
    const depthwise_pass *pass = context;
    const dlz_depthwise_plan *plan = pass->plan;
    const dlz_op *op = pass->op;
    const depthwise_op *conv = op->own;
    const dlz_depthwise_table *kernels = dlz_depthwise_kernels();
    int64_t n = pass->run->n, size = (plan->taps + 1) * plan->step;
    double *sums = conv->sums + group * size;
    char *scratch = dlz_run_scratch(pass->run, worker);
    float *strip = dlz_carve(&scratch, plan->strip_floats);
    float *spare = dlz_carve(&scratch, plan->spare_floats);
    float *g = dlz_carve(&scratch, plan->gradient_floats);
    double *room = (double *)(void *)dlz_carve(&scratch, 4 * op->in->channels);
    int64_t channels = op->in->channels;
    memset(sums, 0, (size_t)size * sizeof *sums);
    if (op->in->needs_gradient && op->in->gradient_statistics.given)
        memset(op->in->gradient_statistics.partial + group * 2 * channels, 0,
               (size_t)(2 * channels) * sizeof *sums);
    dlz_depthwise_block block = {.image = group * n / conv->groups};
    for (int64_t end = (group + 1) * n / conv->groups; block.image < end; block.image++)
        for (block.row = 0; block.row < op->out->height; block.row += plan->backward_rows) {
            block.rows = dlz_min_i64(plan->backward_rows, op->out->height - block.row);
            kernels->load_gradient(plan, &pass->gradient, block, g);
            if (op->states[WEIGHT].gradient || op->states[BIAS].gradient) {
                kernels->load(plan, &pass->input, block, spare, strip);
                kernels->add_weights(plan, strip, g, block, sums);
            }
            if (!op->in->needs_gradient)
                continue;
            kernels->input_gradient(plan, g, block, conv->backward_weights, spare, op->in->dy);
            add_sums(pass, group, block, room);
        }
}

static void backward(dlz_op *op, const dlz_run *run) {
    depthwise_op *conv = op->own;
    depthwise_pass pass = make_pass(op, run);
    pass.gradient = dlz_conv2d_gradient_of(&conv->factors, op);
    if (op->in->needs_gradient)
        dlz_depthwise_pack(&conv->plan, op->states[WEIGHT].value, NULL, conv->backward_weights);
    dlz_parallel_for(conv->groups, run->workers, backward_group, &pass);
    int64_t size = group_size(op), weights = weight_size(op);
    for (int64_t group = 0; group < conv->groups; group++)
        dlz_depthwise_finish(
            &conv->plan, conv->sums + group * (conv->plan.taps + 1) * conv->plan.step,
            conv->gradients + group * size, conv->gradients + group * size + weights);
    dlz_op_sum_groups(op, run, WEIGHT, conv->gradients, size, conv->groups, weights);
    dlz_op_sum_groups(op, run, BIAS, conv->gradients + weights, size, conv->groups,
                      op->out->channels);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_depthwise_op_type = {
    .name = "depthwise",
    .own = sizeof(depthwise_op),
    .abilities = DLZ_OP_FOLDS | DLZ_OP_READS_PENDING | DLZ_OP_READS_VIEW,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
