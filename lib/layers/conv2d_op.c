/* 2-D convolution of any kernel, stride, padding and dilation, a block of output rows at a time, by
 * kernels/conv2d.h. The gradient of the input is a matrix product, which gives that of each pixel's
 * patch, added up where patches overlap. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/fold.h"
#include "kernels/activations/activation.h"
#include "kernels/conv/conv2d.h"
#include "kernels/gemm/gemm.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/post.h"
#include "layers/conv2d.h"

#include <string.h>

typedef struct conv2d_op {
    dlz_conv2d_plan plan;
    int64_t groups;
    bool *is_coarse; /* prepared: the weights' sums are to be exact */
    float *weights, *folded_bias, *repeated_bias;
    float *matrix, *packed; /* weights as (outputs, patch), and packed for the product */
    dlz_conv2d_factors factors;
    float *weight_sums;
    double *bias_sums;
    float *bias_gradients; /* from each group's sums */
} conv2d_op;

enum { WEIGHT, BIAS };

typedef struct conv_pass {
    const dlz_op *op;
    const dlz_run *run;
    const dlz_conv2d_plan *plan;
    int64_t blocks_down; /* blocks of an image's rows */
    dlz_conv2d_input input;
    dlz_conv2d_output output;
    dlz_conv2d_gradient gradient;
} conv_pass;

/* Numbers of a gradient's row as the plan lays it out. */
static int64_t gradient_pixels(const dlz_conv2d_plan *plan, int64_t rows) {
    return rows * plan->fast.width * plan->fast.merged;
}

static int64_t forward_tiles(const dlz_conv2d_plan *plan, int64_t n) {
    return dlz_ceil_div(n, plan->forward_images) *
           dlz_ceil_div(plan->shape.out_height, plan->forward_rows);
}

static dlviz_status ask_scratch(const dlz_op *op, const dlz_setup *setup) {
    const dlz_conv2d_plan *plan = &((const conv2d_op *)op->own)->plan;
    size_t floats = (size_t)plan->strip_floats, patches = 0, bytes;
    if (setup->mode.gradients)
        floats += (size_t)plan->gradient_floats;
    if (setup->mode.gradients && op->in->needs_gradient &&
        dlz_mul_overflows(
            (uint64_t)(plan->backward_images * gradient_pixels(plan, plan->backward_rows)),
            (uint64_t)plan->plain.depth, &patches))
        return dlz_fail_memory("the patches of a convolution", SIZE_MAX);
    size_t sums = 4 * (size_t)op->in->channels; /* as floats */
    if (dlz_add_overflows(floats, patches, &floats) || dlz_add_overflows(floats, sums, &floats) ||
        dlz_mul_overflows(floats, sizeof(float), &bytes) ||
        dlz_add_overflows(bytes, DLZ_GEMM_SCRATCH_BYTES + 5 * DLZ_ALIGNMENT, &bytes))
        return dlz_fail_memory("the rows of a convolution", SIZE_MAX);
    dlz_memory_ask_scratch(setup->memory, bytes);
    return DLVIZ_OK;
}

static int64_t weight_size(const dlz_op *op) {
    return op->out->channels * ((const conv2d_op *)op->own)->plan.plain.depth;
}

static dlviz_status ask_backward(dlz_op *op, const dlz_setup *setup) {
    conv2d_op *conv = op->own;
    const dlz_conv2d_plan *plan = &conv->plan;
    dlz_memory *memory = setup->memory;
    int64_t patch = plan->plain.depth, outputs = op->out->channels;
    int back = setup->backward_time;
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->bias_gradients, conv->groups * outputs,
                                 sizeof(float), back, back));
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->weight_sums,
                                 conv->groups * plan->sum_floats + DLZ_CONV2D_SLACK, sizeof(float),
                                 back, back));
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->bias_sums, conv->groups * plan->fast.columns,
                                 sizeof(double), back, back));
    if (!op->in->needs_gradient)
        return DLVIZ_OK;
    DLZ_TRY(
        dlz_memory_ask_array(memory, &conv->matrix, patch * outputs, sizeof(float), back, back));
    return dlz_memory_ask_array(memory, &conv->packed,
                                (int64_t)dlz_gemm_kernels()->packed_size(outputs, patch),
                                sizeof(float), back, back);
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    conv2d_op *conv = op->own;
    int64_t outputs = op->out->channels;
    int first = setup->forward_time;
    dlz_conv2d_shape shape = dlz_conv2d_shape_of(op, setup->batch.all);
    DLZ_TRY(dlz_conv2d_plan_create_along(&conv->plan, &shape, dlz_isa_chosen()));
    op->form = (int)(conv->plan.fast.merged + (conv->plan.along.outputs << 8));
    conv->plan.forward_images = dlz_batch_together(&setup->batch, conv->plan.forward_images);
    conv->groups = dlz_setup_groups(setup, dlz_conv2d_groups(&shape));
    DLZ_TRY(ask_scratch(op, setup));
    DLZ_TRY(dlz_conv2d_factors_ask(&conv->factors, op, setup));
    DLZ_TRY(
        dlz_op_ask_prepared(setup, &conv->weights, conv->plan.weight_floats, sizeof(float), first));
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->is_coarse, 1, sizeof *conv->is_coarse,
                                setup->mode.gradients ? setup->backward_time : first));
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->folded_bias, outputs, sizeof(float), first));
    DLZ_TRY(dlz_op_ask_prepared(setup, &conv->repeated_bias,
                                conv->plan.fast.columns + DLZ_CONV2D_SLACK, sizeof(float), first));
    DLZ_TRY(dlz_fold_ask(&op->fold, outputs, setup));
    DLZ_TRY(dlz_op_ask_moments(op, forward_tiles(&conv->plan, setup->n), setup));
    if (setup->mode.gradients) {
        DLZ_TRY(ask_backward(op, setup));
        DLZ_TRY(dlz_op_ask_sums(op, conv->groups, setup));
    }
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

static conv_pass make_pass(const dlz_op *op, const dlz_run *run) {
    const conv2d_op *conv = op->own;
    conv_pass pass = {.op = op,
                      .run = run,
                      .plan = &conv->plan,
                      .input = dlz_conv2d_input_of(&conv->factors, op)};
    pass.input.plain = *conv->is_coarse;
    return pass;
}

/* Images with numbers that are not finite, which round otherwise, do so alone. */
static void convolve(const conv_pass *pass, dlz_conv2d_block block, float *strip) {
    const float *weights = ((const conv2d_op *)pass->op->own)->weights;
    dlz_conv2d_view view = dlz_conv2d_rows()->load(pass->plan, &pass->input, block, strip);
    if (view.finite || block.images == 1) {
        dlz_conv2d_kernels()->forward(pass->plan, &view, block, weights, &pass->output);
        return;
    }
    int64_t end = block.image + block.images;
    for (block.images = 1; block.image < end; block.image++) {
        view = dlz_conv2d_rows()->load(pass->plan, &pass->input, block, strip);
        dlz_conv2d_kernels()->forward(pass->plan, &view, block, weights, &pass->output);
    }
}

static void forward_tile(void *context, int64_t tile, int worker) {
    const conv_pass *pass = context;
    const dlz_conv2d_plan *plan = pass->plan;
    const dlz_value *out = pass->op->out;
    dlz_conv2d_block block = {.image = tile / pass->blocks_down * plan->forward_images,
                              .row = tile % pass->blocks_down * plan->forward_rows};
    block.images = dlz_min_i64(plan->forward_images, pass->run->n - block.image);
    block.rows = dlz_min_i64(plan->forward_rows, out->height - block.row);
    convolve(pass, block, dlz_run_scratch(pass->run, worker));
    int64_t pixels = block.images * block.rows * out->width;
    float *written =
        out->data + (block.image * out->height + block.row) * out->width * out->channels;
    const dlz_statistics *statistics = &out->statistics;
    if (statistics->wanted)
        dlz_post_kernels()->moments(pixels, out->channels, written,
                                    statistics->partial + tile * dlz_moments_size(out->channels));
    const dlz_activation *activation = pass->op->fold.activation;
    if (activation)
        activation->kernels->forward(activation->settings, pixels * out->channels, written,
                                     written);
}

static void prepare(dlz_op *op, const dlz_run *run) {
    (void)run;
    conv2d_op *conv = op->own;
    int64_t outputs = op->out->channels;
    *conv->is_coarse = conv->plan.along.outputs &&
                       dlz_are_coarse(op->states[WEIGHT].value, outputs * conv->plan.plain.depth);
    dlz_fold_bias(&op->fold, op->states[BIAS].value, outputs, conv->folded_bias);
    dlz_conv2d_repeat(conv->folded_bias, outputs, conv->plan.fast.columns, conv->repeated_bias);
    dlz_conv2d_pack(&conv->plan, op->states[WEIGHT].value,
                    op->fold.has_batchnorm ? op->fold.scale : NULL, conv->weights);
}

static void forward(dlz_op *op, const dlz_run *run) {
    const conv2d_op *conv = op->own;
    conv_pass pass = make_pass(op, run);
    pass.output = (dlz_conv2d_output){op->out->data, conv->repeated_bias, op->fold.relu};
    pass.blocks_down = dlz_ceil_div(op->out->height, conv->plan.forward_rows);
    dlz_parallel_for(forward_tiles(&conv->plan, run->n), run->workers, forward_tile, &pass);
}

static void backward_block(const conv_pass *pass, int64_t group, dlz_conv2d_block block,
                           char *scratch) {
    const dlz_op *op = pass->op;
    const conv2d_op *conv = op->own;
    const dlz_conv2d_plan *plan = pass->plan;
    int64_t pixels = block.images * gradient_pixels(plan, block.rows);
    float *strip = dlz_carve(&scratch, plan->strip_floats);
    const float *g = dlz_conv2d_rows()->load_gradient(plan, &pass->gradient, block,
                                                      dlz_carve(&scratch, plan->gradient_floats));
    if (op->states[WEIGHT].gradient) {
        dlz_conv2d_view view = dlz_conv2d_rows()->load(plan, &pass->input, block, strip);
        dlz_conv2d_kernels()->add_weights(plan, &view, block, g,
                                          conv->weight_sums + group * plan->sum_floats);
    }
    if (op->states[BIAS].gradient)
        dlz_conv2d_rows()->add_bias(plan, block, g, conv->bias_sums + group * plan->fast.columns);
    if (!op->in->needs_gradient)
        return;
    int64_t outputs = op->out->channels, patch = plan->plain.depth;
    float *patches =
        plan->patches_in_order
            ? op->in->dy + (block.image * op->out->height + block.row) * op->out->width * patch
            : dlz_carve(&scratch, pixels * patch);
    dlz_gemm product = {
        .m = pixels, .n = patch, .k = outputs, .a = g, .lda = outputs, .c = patches, .ldc = patch};
    dlz_gemm_kernels()->gemm_packed(&product, conv->packed, scratch);
    if (!plan->patches_in_order)
        dlz_conv2d_rows()->scatter(plan, block, patches, op->in->dy);
}

/* The batch norm before sums up what no later block of the images adds to. */
static void add_sums(const conv_pass *pass, int64_t group, dlz_conv2d_block block, char *scratch) {
    const dlz_value *in = pass->op->in;
    const dlz_conv2d_shape *s = &pass->plan->shape;
    if (!in->gradient_statistics.given)
        return;
    int64_t end = (block.row + block.rows) * s->stride[0] - s->padding[0];
    int64_t first = block.row * s->stride[0] - s->padding[0];
    first = block.row == 0 ? 0 : dlz_min_i64(dlz_max_i64(first, 0), in->height);
    end = block.row + block.rows == s->out_height
              ? in->height
              : dlz_min_i64(dlz_max_i64(end, first), in->height);
    int64_t rows = block.images > 1 ? block.images * in->height : end - first;
    dlz_conv2d_add_sums(in, group, (block.image * in->height + first) * in->width, rows * in->width,
                        (double *)(void *)dlz_carve(&scratch, 4 * in->channels));
}

static void backward_group(void *context, int64_t group, int worker) {
    const conv_pass *pass = context;
    const dlz_op *op = pass->op;
    const conv2d_op *conv = op->own;
    const dlz_conv2d_plan *plan = pass->plan;
    int64_t n = pass->run->n, first = group * n / conv->groups,
            end = (group + 1) * n / conv->groups;
    int64_t in_size = dlz_value_size(op->in);
    memset(conv->weight_sums + group * plan->sum_floats, 0,
           (size_t)plan->sum_floats * sizeof(float));
    memset(conv->bias_sums + group * plan->fast.columns, 0,
           (size_t)plan->fast.columns * sizeof(double));
    if (op->in->needs_gradient && op->in->gradient_statistics.given)
        memset(op->in->gradient_statistics.partial + group * 2 * op->in->channels, 0,
               (size_t)(2 * op->in->channels) * sizeof(double));
    dlz_conv2d_block block = {.image = first};
    for (; block.image < end; block.image += plan->backward_images) {
        block.images = dlz_min_i64(plan->backward_images, end - block.image);
        if (op->in->needs_gradient && !plan->patches_in_order)
            memset(op->in->dy + block.image * in_size, 0,
                   (size_t)(block.images * in_size) * sizeof(float));
        for (block.row = 0; block.row < op->out->height; block.row += plan->backward_rows) {
            block.rows = dlz_min_i64(plan->backward_rows, op->out->height - block.row);
            backward_block(pass, group, block, dlz_run_scratch(pass->run, worker));
            if (op->in->needs_gradient)
                add_sums(pass, group, block, dlz_run_scratch(pass->run, worker));
        }
    }
}

static void finish_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const conv_pass *pass = context;
    const conv2d_op *conv = pass->op->own;
    dlz_conv2d_rows()->unpack(pass->plan, tile, conv->groups, conv->weight_sums,
                              pass->op->states[WEIGHT].gradient);
}

static void finish(dlz_op *op, const conv_pass *pass) {
    const conv2d_op *conv = op->own;
    int64_t outputs = op->out->channels;
    if (op->states[WEIGHT].gradient)
        dlz_parallel_for(dlz_ceil_div(outputs, DLZ_CONV2D_UNPACKED), pass->run->workers,
                         finish_tile, (void *)pass);
    dlz_op_share_gradient(op, pass->run, WEIGHT, weight_size(op));
    for (int64_t group = 0; op->states[BIAS].gradient && group < conv->groups; group++)
        dlz_conv2d_bias_sums(&conv->plan, conv->bias_sums + group * conv->plan.fast.columns,
                             conv->bias_gradients + group * outputs);
    dlz_op_sum_groups(op, pass->run, BIAS, conv->bias_gradients, outputs, conv->groups, outputs);
}

static void backward(dlz_op *op, const dlz_run *run) {
    conv2d_op *conv = op->own;
    conv_pass pass = make_pass(op, run);
    pass.gradient = dlz_conv2d_gradient_of(&conv->factors, op);
    if (op->in->needs_gradient)
        dlz_conv2d_pack_patches(&conv->plan, op->states[WEIGHT].value, NULL, conv->matrix,
                                conv->packed);
    dlz_parallel_for(conv->groups, run->workers, backward_group, &pass);
    finish(op, &pass);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_conv2d_op_type = {
    .name = "conv2d",
    .own = sizeof(conv2d_op),
    .abilities = DLZ_OP_FOLDS | DLZ_OP_READS_PENDING | DLZ_OP_READS_VIEW,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
