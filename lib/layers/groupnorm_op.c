/* How group norm and instance norm are computed. Each sample's channels have moments of their own,
 * which are joined to those of its groups; what follows is factors for each channel. */
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/normalize.h"
#include "kernels/nn/post.h"
#include "layers/groupnorm.h"
#include "layers/standard.h"

/* Numbers that a tile handles, at least; several small samples make one tile. */
#define TILE_SIZE 16384

typedef struct groupnorm_op {
    dlz_scale *scales; /* of each sample's groups */
    double *sums;      /* backward: what each sample adds to the gradients of bias and weight */
} groupnorm_op;

typedef struct groupnorm_pass {
    const dlz_op *op;
    const dlz_run *run;
    double eps;
    int64_t pixels, channels, groups;
    int64_t samples; /* of a tile */
    const float *weight, *bias;
} groupnorm_pass;

static int64_t count_groups(const dlz_op *op) {
    const dlz_groupnorm *set = (const dlz_groupnorm *)op->layer;
    return set->num_groups ? set->num_groups : op->in->channels;
}

static groupnorm_pass make_pass(const dlz_op *op, const dlz_run *run) {
    return (groupnorm_pass){.op = op,
                            .run = run,
                            .eps = ((const dlz_groupnorm *)op->layer)->eps,
                            .pixels = op->in->height * op->in->width,
                            .channels = op->in->channels,
                            .groups = count_groups(op),
                            .samples = dlz_max_i64(1, TILE_SIZE / dlz_value_size(op->in)),
                            .weight = op->states[DLZ_GROUPNORM_WEIGHT].value,
                            .bias = op->states[DLZ_GROUPNORM_BIAS].value};
}

static bool has_gradients(const dlz_op *op) {
    return op->states[DLZ_GROUPNORM_WEIGHT].gradient || op->states[DLZ_GROUPNORM_BIAS].gradient;
}

/* A worker's numbers of each channel. */
typedef struct channel_numbers {
    double *block; /* moments, or sums */
    float *center, *scale, *shift, *weight, *mean, *slope;
} channel_numbers;

static uint64_t scratch_size(int64_t channels) {
    return (uint64_t)dlz_moments_size(channels) * sizeof(double) +
           6 * (uint64_t)channels * sizeof(float);
}

static channel_numbers numbers_of(const groupnorm_pass *pass, int worker) {
    double *block = dlz_run_scratch(pass->run, worker);
    float *first = (float *)(block + dlz_moments_size(pass->channels));
    int64_t channels = pass->channels;
    return (channel_numbers){block,
                             first,
                             first + channels,
                             first + 2 * channels,
                             first + 3 * channels,
                             first + 4 * channels,
                             first + 5 * channels};
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    groupnorm_op *own = op->own;
    dlz_memory *memory = setup->memory;
    int64_t channels = op->in->channels;
    int first = setup->forward_time, last = setup->mode.gradients ? setup->backward_time : first;
    dlz_memory_ask_scratch(memory, scratch_size(channels));
    DLZ_TRY(dlz_memory_ask_array(memory, &own->scales, setup->n * count_groups(op),
                                 sizeof *own->scales, first, last));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    if (!setup->mode.gradients)
        return DLVIZ_OK;
    if (has_gradients(op))
        DLZ_TRY(dlz_memory_ask_array(memory, &own->sums, setup->n * 2 * channels, sizeof(double),
                                     last, last));
    return dlz_op_ask_input_gradients(op, setup);
}

/* -- Forward --------------------------------------------------------------------------------------
 */

static dlz_scale scale_of_group(const groupnorm_pass *pass, const float *x, const double *block,
                                int64_t first, int64_t end) {
    dlz_moments all = {0, 0, 0};
    for (int64_t c = first; c < end; c++) {
        dlz_moments moments = {block[0], block[1 + c], block[1 + pass->channels + c]};
        all = dlz_moments_join(
            all, dlz_moments_checked(moments, pass->eps, x + c, pass->pixels, pass->channels));
    }
    return dlz_scale_of(all, pass->eps);
}

static void forward_sample(const groupnorm_pass *pass, int64_t sample, channel_numbers numbers) {
    const groupnorm_op *own = pass->op->own;
    int64_t at = sample * pass->pixels * pass->channels, width = pass->channels / pass->groups;
    const float *x = pass->op->in->data + at;
    dlz_scale *scales = own->scales + sample * pass->groups;
    dlz_post_kernels()->moments(pass->pixels, pass->channels, x, numbers.block);
    for (int64_t group = 0; group < pass->groups; group++) {
        int64_t first = group * width, end = first + width;
        dlz_scale scale = scales[group] = scale_of_group(pass, x, numbers.block, first, end);
        for (int64_t c = first; c < end; c++) {
            double weight = pass->weight ? (double)pass->weight[c] : 1;
            double bias = pass->bias ? (double)pass->bias[c] : 0;
            numbers.center[c] = (float)scale.mean;
            numbers.scale[c] = (float)(weight * scale.inverse);
            numbers.shift[c] = (float)(bias - dlz_rest_of_mean(scale) * (double)numbers.scale[c]);
        }
    }
    dlz_normalize_kernels()->pixels(pass->pixels, pass->channels, x, numbers.center, numbers.scale,
                                    numbers.shift, pass->op->out->data + at);
}

static void forward_tile(void *context, int64_t tile, int worker) {
    const groupnorm_pass *pass = context;
    int64_t first = tile * pass->samples;
    int64_t end = dlz_min_i64(first + pass->samples, pass->run->n);
    for (int64_t sample = first; sample < end; sample++)
        forward_sample(pass, sample, numbers_of(pass, worker));
}

static void forward(dlz_op *op, const dlz_run *run) {
    groupnorm_pass pass = make_pass(op, run);
    dlz_parallel_for(dlz_ceil_div(run->n, pass.samples), run->workers, forward_tile, &pass);
}

/* -- Backward -------------------------------------------------------------------------------------
 */

/* With z what x stands for, g = weight * dy, G and S the means of g and of g z over the group:
 * dx = (g − G − z S) / σ. */
static void group_factors(const groupnorm_pass *pass, dlz_scale scale, int64_t first, int64_t end,
                          channel_numbers numbers) {
    const double *dy = numbers.block, *dy_z = dy + pass->channels;
    double sums[2] = {0, 0}, count = (double)((end - first) * pass->pixels);
    for (int64_t c = first; c < end; c++) {
        double weight = pass->weight ? (double)pass->weight[c] : 1;
        sums[0] += weight * dy[c];
        sums[1] += weight * dy_z[c];
    }
    /* One number by itself is always 0, and so is its gradient: not what rounding leaves. */
    double inverse = count > 1 ? scale.inverse : 0;
    for (int64_t c = first; c < end; c++) {
        numbers.weight[c] = (float)((pass->weight ? (double)pass->weight[c] : 1) * inverse);
        numbers.mean[c] = (float)(sums[0] / count * inverse);
        numbers.slope[c] = (float)(sums[1] / count * inverse);
    }
}

static void backward_sample(const groupnorm_pass *pass, int64_t sample, channel_numbers numbers) {
    const dlz_op *op = pass->op;
    const groupnorm_op *own = op->own;
    int64_t at = sample * pass->pixels * pass->channels, width = pass->channels / pass->groups;
    const float *x = op->in->data + at, *dy = op->out->gradient.dy + at;
    const dlz_scale *scales = own->scales + sample * pass->groups;
    const dlz_channel_factors factors = {numbers.center, numbers.scale, numbers.shift,
                                         numbers.weight, numbers.mean,  numbers.slope};
    for (int64_t c = 0; c < pass->channels; c++) {
        dlz_standard standard = dlz_standard_of(scales[c / width]);
        numbers.center[c] = standard.center;
        numbers.scale[c] = standard.scale;
        numbers.shift[c] = standard.shift;
    }
    dlz_normalize_kernels()->pixels_sums(pass->pixels, pass->channels, x, dy, &factors,
                                         numbers.block);
    for (int64_t group = 0; group < pass->groups; group++)
        group_factors(pass, scales[group], group * width, (group + 1) * width, numbers);
    for (int64_t i = 0; has_gradients(op) && i < 2 * pass->channels; i++)
        own->sums[sample * 2 * pass->channels + i] = numbers.block[i];
    if (op->in->needs_gradient)
        dlz_normalize_kernels()->pixels_gradient(pass->pixels, pass->channels, x, dy, &factors,
                                                 op->in->dy + at);
}

static void backward_tile(void *context, int64_t tile, int worker) {
    const groupnorm_pass *pass = context;
    int64_t first = tile * pass->samples;
    int64_t end = dlz_min_i64(first + pass->samples, pass->run->n);
    for (int64_t sample = first; sample < end; sample++)
        backward_sample(pass, sample, numbers_of(pass, worker));
}

/* Adds up the samples' parts in their order. */
static void add_samples(const groupnorm_pass *pass, int64_t first, float *gradient) {
    const double *sums = ((const groupnorm_op *)pass->op->own)->sums + first;
    for (int64_t c = 0; gradient && c < pass->channels; c++) {
        double sum = 0;
        for (int64_t sample = 0; sample < pass->run->n; sample++)
            sum += sums[sample * 2 * pass->channels + c];
        gradient[c] = (float)sum;
    }
}

static void backward(dlz_op *op, const dlz_run *run) {
    groupnorm_pass pass = make_pass(op, run);
    dlz_parallel_for(dlz_ceil_div(run->n, pass.samples), run->workers, backward_tile, &pass);
    add_samples(&pass, 0, op->states[DLZ_GROUPNORM_BIAS].gradient);
    add_samples(&pass, pass.channels, op->states[DLZ_GROUPNORM_WEIGHT].gradient);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_groupnorm_op = {
    .name = "groupnorm",
    .own = sizeof(groupnorm_op),
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
