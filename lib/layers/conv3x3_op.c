/* 2-D convolution with a 3 x 3 kernel and stride 1, by kernels of its own. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/fold.h"
#include "kernels/activations/activation.h"
#include "kernels/conv/conv3x3.h"
#include "layers/conv2d.h"

typedef struct conv3x3_op {
    dlz_conv3x3_plan plan;
    float *folded_weight, *folded_bias;
    float *forward_weights, *backward_weights, *accumulators;
    bool *coarse; /* of the weights as they are convolved */
} conv3x3_op;

enum { WEIGHT, BIAS };

typedef struct conv_pass {
    const dlz_op *op;
    const dlz_run *run;
    dlz_conv3x3_input input;
    dlz_conv3x3_output output;
    dlz_conv3x3_gradient gradient;
    dlz_conv3x3_input_gradient input_gradient;
} conv_pass;

static dlviz_status ask_weights(dlz_op *op, const dlz_setup *setup) {
    conv3x3_op *conv = op->own;
    const dlz_conv3x3_plan *plan = &conv->plan;
    dlz_memory *memory = setup->memory;
    int64_t outputs = op->out->channels, size = outputs * op->in->channels * 9;
    int first = setup->forward_time, back = setup->backward_time;
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->forward_weights, plan->forward_weight_floats,
                                sizeof(float), first));
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->folded_bias, outputs, sizeof(float), first));
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->coarse, 1, sizeof(bool),
                                setup->mode.gradients ? back : first));
    conv->backward_weights = NULL;
    if (setup->mode.gradients && op->in->needs_gradient)
        DLZ_TRY(dlz_memory_ask_array(memory, &conv->backward_weights, plan->backward_weight_floats,
                                     sizeof(float), first, back));
    if (setup->mode.gradients)
        DLZ_TRY(dlz_memory_ask_array(memory, &conv->accumulators, plan->accumulator_floats,
                                     sizeof(float), back, back));
    if (!op->fold.has_batchnorm)
        return DLVIZ_OK;
    DLZ_TRY(dlz_fold_ask(&op->fold, outputs, setup));
    return dlz_op_ask_prepared(setup, &conv->folded_weight, size, sizeof(float), first);
}

/* The pool that follows, when the kernels can write its result along. */
static dlviz_status ask_pooled(dlz_op *op, const dlz_setup *setup) {
    dlz_pooled *pooled = &op->out->pooled;
    int64_t size = (op->out->height / 2) * (op->out->width / 2) * op->out->channels;
    int first = setup->forward_time;
    pooled->given = pooled->wanted && ((const conv3x3_op *)op->own)->plan.pools;
    pooled->codes = NULL;
    if (!pooled->given)
        return dlz_op_ask_output(op, setup);
    if (!setup->mode.gradients) /* z itself is not needed */
        return dlz_memory_ask_array(setup->memory, &pooled->data, setup->n * size, sizeof(float),
                                    first, dlz_max_int(first + 1, op->out->data_last));
    DLZ_TRY(dlz_memory_ask_array(setup->memory, &pooled->data, setup->n * size, sizeof(float),
                                 first, setup->backward_time - 1));
    DLZ_TRY(dlz_memory_ask_array(setup->memory, &pooled->codes, setup->n * size, 1, first,
                                 setup->backward_time));
    return dlz_op_ask_output(op, setup);
}

/* To finish an accumulator takes as long as some images do. */
static void plan_part(dlz_op *op, const dlz_setup *setup) {
    enum { IMAGES_TO_SUM = 4 };
    dlz_conv3x3_plan *plan = &((conv3x3_op *)op->own)->plan;
    const dlz_batch *batch = &setup->batch;
    int64_t groups = dlz_setup_groups(setup, plan->accumulators);
    int64_t wanted = dlz_max_i64(2, dlz_min_i64(plan->accumulators, batch->all / IMAGES_TO_SUM));
    dlz_conv3x3_plan_part(plan, setup->n, batch->all / batch->leaves, groups);
    plan->sums = dlz_min_i64(groups, dlz_setup_groups(setup, wanted));
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    conv3x3_op *conv = op->own;
    const int64_t *padding = ((const dlz_conv2d_layer *)op->layer)->padding;
    const dlz_batch *batch = &setup->batch;
    dlz_conv3x3_shape shape = {batch->all,       op->in->height,    op->in->width,
                               op->in->channels, op->out->channels, {padding[0], padding[1]}};
    DLZ_TRY(dlz_conv3x3_plan_create(&conv->plan, shape, dlz_isa_chosen(),
                                    setup->mode.gradients ? DLZ_CONV3X3_AUTO
                                                          : DLZ_CONV3X3_AUTO_FORWARD));
    if (batch->leaves > 1)
        plan_part(op, setup);
    op->form = (int)conv->plan.algorithm;
    dlz_memory_ask_scratch(setup->memory, (uint64_t)conv->plan.scratch_floats * sizeof(float));
    DLZ_TRY(ask_weights(op, setup));
    DLZ_TRY(dlz_op_ask_moments(op, conv->plan.moment_blocks, setup));
    DLZ_TRY(ask_pooled(op, setup));
    if (setup->mode.gradients)
        DLZ_TRY(dlz_op_ask_sums(op, conv->plan.backward_tiles, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

static conv_pass make_pass(const dlz_op *op, const dlz_run *run) {
    const dlz_value *in = op->in;
    const conv3x3_op *conv = op->own;
    return (conv_pass){.op = op,
                       .run = run,
                       .input = {.data = in->data,
                                 .scale = in->scale,
                                 .shift = in->shift,
                                 .relu = in->relu && in->scale,
                                 .weights = op->fold.has_batchnorm ? conv->folded_weight
                                                                   : op->states[WEIGHT].value,
                                 .plain = *conv->coarse}};
}

static void prepare_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const conv_pass *pass = context;
    const conv3x3_op *conv = pass->op->own;
    dlz_conv3x3_prepare(&conv->plan, tile, pass->input.weights, conv->forward_weights,
                        conv->backward_weights);
}

static void forward_tile(void *context, int64_t tile, int worker) {
    const conv_pass *pass = context;
    const conv3x3_op *conv = pass->op->own;
    dlz_conv3x3_forward(&conv->plan, tile, &pass->input, conv->forward_weights, &pass->output,
                        dlz_run_scratch(pass->run, worker));
    const dlz_activation *activation = pass->op->fold.activation;
    if (!activation)
        return;
    dlz_conv3x3_area area = dlz_conv3x3_forward_area(&conv->plan, tile);
    int64_t channels = pass->op->out->channels, wanted = area.end_channel - area.first_channel;
    int64_t together = wanted == channels ? area.end - area.first : 1;
    for (int64_t i = area.first; i < area.end; i += together) {
        float *written = pass->op->out->data + i * channels + area.first_channel;
        activation->kernels->forward(activation->settings, together * wanted, written, written);
    }
}

static void prepare(dlz_op *op, const dlz_run *run) {
    conv3x3_op *conv = op->own;
    const float *weight = op->states[WEIGHT].value;
    int64_t size = op->in->channels * 9;
    dlz_fold_bias(&op->fold, op->states[BIAS].value, op->out->channels, conv->folded_bias);
    if (op->fold.has_batchnorm) {
        for (int64_t i = 0; i < op->out->channels * size; i++)
            conv->folded_weight[i] = weight[i] * op->fold.scale[i / size];
        weight = conv->folded_weight;
    }
    *conv->coarse = dlz_are_coarse(weight, op->out->channels * size);
    conv_pass pass = make_pass(op, run);
    dlz_parallel_for(conv->plan.weight_tiles, run->workers, prepare_tile, &pass);
}

static void forward(dlz_op *op, const dlz_run *run) {
    conv3x3_op *conv = op->own;
    conv_pass pass = make_pass(op, run);
    const dlz_statistics *statistics = &op->out->statistics;
    pass.output = (dlz_conv3x3_output){.y = op->out->data,
                                       .bias = conv->folded_bias,
                                       .relu = op->fold.relu,
                                       .stats = statistics->wanted ? statistics->partial : NULL};
    const dlz_pooled *pooled = &op->out->pooled;
    if (pooled->given) {
        pass.output.y = run->mode.gradients ? op->out->data : NULL;
        pass.output.pooled = pooled->data;
        pass.output.codes = pooled->codes;
        pass.output.pool_sign = pooled->sign;
    }
    dlz_parallel_for(conv->plan.forward_tiles, run->workers, forward_tile, &pass);
}

static void backward_tile(void *context, int64_t tile, int worker) {
    const conv_pass *pass = context;
    const conv3x3_op *conv = pass->op->own;
    dlz_conv3x3_backward(&conv->plan, tile, &pass->input, &pass->gradient, conv->backward_weights,
                         pass->op->in->needs_gradient ? &pass->input_gradient : NULL,
                         conv->accumulators, dlz_run_scratch(pass->run, worker));
}

static void finish_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const conv_pass *pass = context;
    const conv3x3_op *conv = pass->op->own;
    dlz_conv3x3_finish(&conv->plan, tile, conv->accumulators, pass->op->states[WEIGHT].gradient,
                       pass->op->states[BIAS].gradient);
}

static void finish(dlz_op *op, const conv_pass *pass) {
    const conv3x3_op *conv = op->own;
    int64_t outputs = op->out->channels;
    dlz_parallel_for(conv->plan.weight_tiles, pass->run->workers, finish_tile, (void *)pass);
    dlz_op_share_gradient(op, pass->run, WEIGHT, outputs * op->in->channels * 9);
    dlz_op_share_gradient(op, pass->run, BIAS, outputs);
}

static void backward(dlz_op *op, const dlz_run *run) {
    const dlz_conv3x3_plan *conv_plan = &((const conv3x3_op *)op->own)->plan;
    conv_pass pass = make_pass(op, run);
    const dlz_gradient_view *view = &op->out->gradient;
    const dlz_statistics *sums = &op->in->gradient_statistics;
    pass.gradient = (dlz_conv3x3_gradient){.dy = view->dy,
                                           .z = view->z,
                                           .scale = view->scale,
                                           .shift = view->shift,
                                           .relu = view->relu,
                                           .a = view->a,
                                           .b = view->b,
                                           .center = view->center,
                                           .d = view->d,
                                           .codes = view->codes};
    pass.input_gradient =
        (dlz_conv3x3_input_gradient){op->in->dy, sums->given ? sums->partial : NULL, sums->pivot};
    dlz_parallel_for(conv_plan->backward_tiles, run->workers, backward_tile, &pass);
    finish(op, &pass);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_conv3x3_op_type = {
    .name = "conv3x3",
    .own = sizeof(conv3x3_op),
    .abilities = DLZ_OP_FOLDS | DLZ_OP_POOLS | DLZ_OP_READS_PENDING | DLZ_OP_READS_VIEW,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
