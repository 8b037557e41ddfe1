/* Batch norm, activation, 2 x 2 max pool and dropout, any of them, in one pass.
 *
 * Kernels have the relu built in. Another activation is applied to an image that they have just
 * written, while that is in cache; on the way back its derivative, computed anew from z, comes
 * first. */
#include "base/base.h"
#include "base/parallel.h"
#include "base/random.h"
#include "graph/fold.h"
#include "graph/post.h"
#include "kernels/activations/activation.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/post.h"

#include <math.h>

/* Numbers of z that a tile handles, at least; several small images make one tile. */
#define TILE_SIZE 16384

/* Below it squares of float32 deviations begin to lose digits. */
#define TINY_VARIANCE 1e-31

typedef struct post_pass {
    const dlz_op *op;
    const dlz_run *run;
    dlz_post post;
    const float *dy; /* backward: what has come back through dropout and activation */
    const uint8_t *codes;
    dlz_post drop; /* backward with an activation: the dropout, which is then not in post */
    bool again;    /* backward: what has come back through the activation is there */
} post_pass;

/* Whether the convolution in front has pooled already: then its winners are what this operation
 * reads, and what it adds to their codes is whether a gradient passes. */
static bool is_pooled(const dlz_op *op) {
    return ((const dlz_post_op *)op->own)->pool && op->in->pooled.given;
}

/* What is read: z or the pool's result, and how much of it is one sample's. */
static const float *source(const dlz_op *op) {
    return is_pooled(op) ? op->in->pooled.data : op->in->data;
}

static int64_t source_size(const dlz_op *op) {
    return dlz_value_size(is_pooled(op) ? op->out : op->in);
}

static uint8_t *codes_of(const dlz_op *op) {
    return is_pooled(op) ? op->in->pooled.codes : ((const dlz_post_op *)op->own)->codes;
}

static int64_t images_per_tile(const dlz_op *op) {
    return dlz_max_i64(1, TILE_SIZE / dlz_max_i64(1, source_size(op)));
}

/* Evaluation with a pool that is done: nothing is left to do. */
static bool is_idle(const dlz_op *op, dlz_mode mode) {
    const dlz_post_op *post = op->own;
    return is_pooled(op) && !mode.gradients && !post->has_batchnorm && !post->relu;
}

static dlviz_status ask_factors(dlz_op *op, const dlz_setup *setup) {
    dlz_post_op *post = op->own;
    int64_t channels = op->in->channels;
    int first = setup->forward_time, last = first;
    if (setup->mode.gradients) /* what is handed on needs them as long as the gradient */
        last =
            dlz_max_int(setup->backward_time, op->in->needs_gradient ? op->in->gradient_last : 0);
    float **factors[] = {&post->mean, &post->scale, &post->shift, &post->a, &post->b, &post->d};
    for (size_t i = 0; i < 6; i++)
        DLZ_TRY(dlz_op_ask_prepared(setup, factors[i], channels, sizeof(float), last));
    if (setup->mode.gradients && post->has_batchnorm)
        DLZ_TRY(dlz_memory_ask_array(setup->memory, &post->reach, channels, sizeof(float),
                                     setup->backward_time, setup->backward_time));
    if (post->activation && post->dropout)
        DLZ_TRY(dlz_memory_ask_array(setup->memory, &post->ones, 2 * channels, sizeof(float), first,
                                     last));
    DLZ_TRY(dlz_memory_ask_array(setup->memory, &post->parts,
                                 setup->batch.leaves * dlz_moments_size(channels), sizeof(double),
                                 first, last));
    DLZ_TRY(dlz_memory_ask_array(setup->memory, &post->total, dlz_moments_size(channels),
                                 sizeof(double), first, last));
    return dlz_memory_ask_array(setup->memory, &post->sums,
                                post->tiles * dlz_moments_size(channels), sizeof(double), first,
                                last);
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    dlz_post_op *post = op->own;
    dlz_memory *memory = setup->memory;
    bool gradients = setup->mode.gradients;
    post->images = dlz_batch_together(&setup->batch, images_per_tile(op));
    post->tiles = dlz_ceil_div(setup->n, post->images);
    op->form = 2 * post->has_batchnorm + post->pending;
    DLZ_TRY(ask_factors(op, setup));
    uint64_t sums = (uint64_t)op->in->channels * 2 * sizeof(double);
    uint64_t image = post->activation ? (uint64_t)source_size(op) * sizeof(float) : 0;
    dlz_memory_ask_scratch(memory, sums > image ? sums : image);
    post->codes = NULL;
    if (gradients && (post->pool || post->dropout) && !is_pooled(op))
        DLZ_TRY(dlz_memory_ask_array(memory, &post->codes, setup->n * dlz_value_size(op->out), 1,
                                     setup->forward_time, setup->backward_time));
    if (gradients && op->in->keep)
        DLZ_TRY(dlz_op_ask_input_gradients(op, setup));
    if (is_idle(op, setup->mode))
        return DLVIZ_OK;
    if (!post->pending)
        return dlz_op_ask_output(op, setup);
    op->out->gradient_statistics = (dlz_statistics){.wanted = post->has_batchnorm};
    return DLVIZ_OK;
}

static dlz_post kernel_settings(const dlz_op *op, const dlz_run *run) {
    const dlz_post_op *post = op->own;
    const dlz_value *read = is_pooled(op) ? op->out : op->in;
    dlz_post settings = {.height = read->height,
                         .width = read->width,
                         .channels = read->channels,
                         .relu = post->relu,
                         .pool = post->pool && !is_pooled(op),
                         .coded = is_pooled(op) && run->mode.gradients,
                         .keep_scale = 1};
    if (post->has_batchnorm) {
        settings.scale = post->scale;
        settings.shift = post->shift;
        settings.weight = post->batchnorm.weight.value;
    }
    if (post->dropout && post->p > 0) {
        settings.drop_below = (uint32_t)fmin(post->p * 0x1p32, 0x1.fffffffep31);
        settings.keep_scale = (float)(1 / (1 - post->p));
        settings.seed = run->seed;
        settings.stream = post->stream + (run->step << 24);
    }
    return settings;
}

static void tile_bounds(const post_pass *pass, int64_t tile, int64_t *first, int64_t *end) {
    int64_t images = ((const dlz_post_op *)pass->op->own)->images;
    *first = tile * images;
    *end = dlz_min_i64(*first + images, pass->run->n);
}

static void statistics_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const post_pass *pass = context;
    const dlz_post_op *post = pass->op->own;
    const dlz_value *in = pass->op->in;
    int64_t first, end, pixels = in->height * in->width;
    tile_bounds(pass, tile, &first, &end);
    dlz_post_kernels()->moments((end - first) * pixels, in->channels,
                                in->data + first * pixels * in->channels,
                                post->sums + tile * dlz_moments_size(in->channels));
}

/* Of the whole batch: on all processes that share it, when one asks. */
static bool is_constant(const dlz_op *op, const dlz_run *run, int64_t c) {
    const float *z = op->in->data;
    int64_t size = run->n * dlz_value_size(op->in), i = c;
    while (i < size && z[i] == z[c])
        i += op->in->channels;
    int64_t here = dlz_batch_part(&run->batch, run->batch.leaves, run->n);
    double leaves[DLZ_LEAVES] = {0}; /* the number that one is of; NaN: it is not constant */
    int64_t first = run->batch.first * here / run->n;
    for (int64_t leaf = first; leaf < first + here; leaf++)
        leaves[leaf] = i >= size ? (double)z[c] : NAN;
    int64_t all = dlz_run_gather(run, leaves, here, sizeof *leaves);
    for (int64_t leaf = 0; leaf < all; leaf++)
        if (!(leaves[leaf] == leaves[0]))
            return false;
    return true;
}

/* Of a channel's distances from a number, or of their squares: leaf by leaf. */
static double sum_over_batch(const dlz_op *op, const dlz_run *run, int64_t c, double from,
                             bool squared) {
    const dlz_value *in = op->in;
    int64_t here = dlz_batch_part(&run->batch, run->batch.leaves, run->n);
    int64_t size = run->n / here * dlz_value_size(in), first = run->batch.first * here / run->n;
    double leaves[DLZ_LEAVES] = {0}, sum = 0;
    for (int64_t leaf = 0; leaf < here; leaf++) {
        const float *z = in->data + leaf * size;
        double own = 0;
        for (int64_t i = c; i < size; i += in->channels) {
            double distance = (double)z[i] - from;
            own += squared ? distance * distance : distance;
        }
        leaves[first + leaf] = own;
    }
    int64_t all = dlz_run_gather(run, leaves, here, sizeof *leaves);
    for (int64_t leaf = 0; leaf < all; leaf++)
        sum += leaves[leaf];
    return sum;
}

/* Squares of deviations beyond 1e19 are too large for the float32 in which kernels add them up, and
 * those of deviations below 1e-16 too small. */
static dlz_moments plain_moments(const dlz_op *op, const dlz_run *run, int64_t c) {
    const dlz_value *in = op->in;
    int64_t size = run->batch.all * dlz_value_size(in);
    double count = (double)(size / in->channels); /* NOLINT(bugprone-integer-division): is whole */
    double mean = sum_over_batch(op, run, c, 0, false) / count;
    return (dlz_moments){count, mean, sum_over_batch(op, run, c, mean, true)};
}

/* Parts of the samples here whose tiles are summed up by themselves, where this operation's own
 * tiles are meant. */
static int64_t post_parts(const dlz_op *op, const dlz_run *run) {
    return dlz_batch_parts(&run->batch, run->n, ((const dlz_post_op *)op->own)->tiles);
}

/* Where, among the whole batch's parts, those are that are here. */
static double *own_parts(const dlz_op *op, const dlz_run *run, int64_t parts, int64_t size) {
    return ((const dlz_post_op *)op->own)->parts + run->batch.first * parts / run->n * size;
}

/* Returns how many parts the whole batch has. */
static int64_t gather_parts(const dlz_run *run, double *all, int64_t parts, int64_t size) {
    return dlz_run_gather(run, all, parts, size * (int64_t)sizeof *all);
}

/* Parts of one tile are what the tile gave, where all of them are here. */
static bool are_parts(const dlz_run *run, int64_t tiles, int64_t parts) {
    return tiles == parts && run->n == run->batch.all;
}

static void join_moments(dlz_op *op, const dlz_run *run, const double *partial, int64_t tiles,
                         int64_t parts) {
    dlz_post_op *post = op->own;
    int64_t channels = op->in->channels, size = dlz_moments_size(channels), each = tiles / parts;
    if (!are_parts(run, tiles, parts)) {
        double *own = own_parts(op, run, parts, size);
        for (int64_t part = 0; part < parts; part++)
            dlz_moments_join_blocks(partial + part * each * size, each, channels,
                                    own + part * size);
        parts = gather_parts(run, post->parts, parts, size);
        partial = post->parts;
    }
    dlz_moments_join_blocks(partial, parts, channels, post->total);
}

static void batch_factors(dlz_op *op, const dlz_run *run) {
    dlz_post_op *post = op->own;
    dlz_batchnorm_state *state = &post->batchnorm;
    const dlz_statistics *given = &op->in->statistics;
    int64_t channels = op->in->channels;
    join_moments(op, run, given->given ? given->partial : post->sums,
                 given->given ? given->tiles : post->tiles,
                 given->given ? given->parts : post_parts(op, run));
    for (int64_t c = 0; c < channels; c++) {
        dlz_moments all = {post->total[0], post->total[1 + c], post->total[1 + channels + c]};
        bool tiny = all.deviations < TINY_VARIANCE * all.count;
        bool constant = tiny && is_constant(op, run, c);
        if (!isfinite(all.deviations) || (tiny && !constant && state->eps < TINY_VARIANCE))
            all = plain_moments(op, run, c);
        double mean = all.mean, variance = all.deviations / all.count;
        double deviation = sqrt(variance + state->eps);
        double factor = dlz_batchnorm_weight(state, c) / deviation;
        post->mean[c] = (float)mean;
        /* What is constant becomes the bias exactly: whether relu lets it pass is no matter of
         * rounding. */
        post->scale[c] = constant ? 0 : (float)factor;
        post->shift[c] = dlz_batchnorm_shift(dlz_batchnorm_bias(state, c), mean, post->scale[c]);
        /* For the backward pass: 1 / sigma, and what rounding took from the mean. */
        post->d[c] = (float)(1 / deviation);
        post->b[c] = (float)(mean - (double)post->mean[c]);
        double unbiased = all.deviations / (all.count - 1);
        double old = 1 - state->momentum;
        state->running_mean[c] =
            (float)(old * (double)state->running_mean[c] + state->momentum * mean);
        state->running_var[c] =
            (float)(old * (double)state->running_var[c] + state->momentum * unbiased);
    }
    ++*state->batches_tracked;
}

/* Evaluation, or statistics that are fixed: the backward pass will take the factors as
 * constants. */
static void running_factors(dlz_op *op) {
    dlz_post_op *post = op->own;
    const dlz_batchnorm_state *state = &post->batchnorm;
    dlz_batchnorm_running_factors(state, op->in->channels, post->scale, post->shift);
    for (int64_t c = 0; c < op->in->channels; c++) {
        post->mean[c] = state->running_mean[c];
        post->d[c] = (float)(1 / sqrt((double)state->running_var[c] + state->eps));
        post->b[c] = 0;
    }
}

static dlz_post without_dropout(const dlz_post *settings) {
    dlz_post rest = *settings;
    rest.drop_below = 0;
    rest.keep_scale = 1;
    return rest;
}

static dlz_post only_dropout(const dlz_post *settings) {
    dlz_post rest = *settings;
    rest.scale = rest.shift = rest.weight = NULL;
    return rest;
}

/* `image`: of those here; masks are chosen by its number in the whole batch. */
static void forward_image(const post_pass *pass, int64_t image, const float *z, float *out,
                          uint8_t *codes) {
    const dlz_post_op *post = pass->op->own;
    image += pass->run->batch.first;
    const dlz_activation *activation = post->activation;
    if (!activation) {
        dlz_post_kernels()->forward(&pass->post, image, z, out, codes);
        return;
    }
    int64_t size = dlz_value_size(pass->op->out);
    dlz_post plain = without_dropout(&pass->post), drop = only_dropout(&pass->post);
    if (plain.scale)
        dlz_post_kernels()->forward(&plain, image, z, out, NULL);
    activation->kernels->forward(activation->settings, size, plain.scale ? out : z, out);
    if (drop.drop_below)
        dlz_post_kernels()->forward(&drop, image, out, out, codes);
}

static void forward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const post_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t first, end, in_size = source_size(op), out_size = dlz_value_size(op->out);
    tile_bounds(pass, tile, &first, &end);
    uint8_t *codes = codes_of(op);
    for (int64_t image = first; image < end; image++)
        forward_image(pass, image, source(op) + image * in_size, op->out->data + image * out_size,
                      codes ? codes + image * out_size : NULL);
}

static bool uses_batch(const dlz_op *op, const dlz_run *run) {
    const dlz_post_op *post = op->own;
    return post->has_batchnorm && run->mode.training && !post->batchnorm.fixed;
}

static void prepare(dlz_op *op, const dlz_run *run) {
    dlz_post_op *post = op->own;
    if (post->has_batchnorm && !uses_batch(op, run))
        running_factors(op);
    for (int64_t c = 0; post->pending && !post->has_batchnorm && c < op->in->channels; c++) {
        post->scale[c] = 1;
        post->shift[c] = 0;
    }
}

static void leave_pending(dlz_op *op) {
    dlz_post_op *post = op->own;
    op->out->data = op->in->data;
    op->out->scale = post->scale;
    op->out->shift = post->shift;
    op->out->relu = post->relu;
    op->out->gradient_statistics.pivot = post->mean;
}

static void forward(dlz_op *op, const dlz_run *run) {
    dlz_post_op *post = op->own;
    post_pass pass = {.op = op, .run = run};
    if (uses_batch(op, run)) {
        if (!op->in->statistics.given)
            dlz_parallel_for(post->tiles, run->workers, statistics_tile, &pass);
        batch_factors(op, run);
    }
    if (post->pending) {
        leave_pending(op);
        return;
    }
    if (is_idle(op, run->mode)) {
        op->out->data = op->in->pooled.data;
        return;
    }
    pass.post = kernel_settings(op, run);
    dlz_parallel_for(post->tiles, run->workers, forward_tile, &pass);
}

/* -- Backward -------------------------------------------------------------------------------------
 */

/* Takes an image's gradient back through the dropout, in the place of the output, and then through
 * the activation. */
static void backward_activation(const post_pass *pass, int64_t image, float *to, int worker) {
    const dlz_op *op = pass->op;
    const dlz_post_op *post = op->own;
    const dlz_activation *activation = post->activation;
    int64_t channels = op->in->channels, size = dlz_value_size(op->out);
    const float *z = op->in->data + image * size, *dy = op->out->gradient.dy + image * size;
    float *kept = op->out->data + image * size, *before = dlz_run_scratch(pass->run, worker);
    if (pass->drop.drop_below) {
        const float *ones = post->ones, *zeros = post->ones + channels;
        const dlz_post_factors unchanged = {ones, zeros, zeros, zeros};
        dlz_post_kernels()->backward(&pass->drop, dy, dy, post->codes + image * size, &unchanged,
                                     kept);
        dy = kept;
    }
    if (post->has_batchnorm) {
        dlz_post_kernels()->forward(&pass->post, image, z, before, NULL);
        z = before;
    }
    activation->kernels->backward(activation->settings, size, z, dy, to);
}

/* All there is to do without a batch norm. */
static void activation_tile(void *context, int64_t tile, int worker) {
    const post_pass *pass = context;
    int64_t first, end, size = dlz_value_size(pass->op->in);
    tile_bounds(pass, tile, &first, &end);
    for (int64_t image = first; image < end; image++)
        backward_activation(pass, image, pass->op->in->dy + image * size, worker);
}

/* Without a pool the kernels need not know where an image ends: those of a tile are one. */
static int64_t join_images(dlz_post *post, int64_t images) {
    if (post->pool)
        return 1;
    post->height *= images;
    return images;
}

static void sums_tile(void *context, int64_t tile, int worker) {
    const post_pass *pass = context;
    const dlz_op *op = pass->op;
    const dlz_post_op *post = op->own;
    int64_t first, end, in_size = source_size(op), out_size = dlz_value_size(op->out);
    int64_t channels = op->in->channels;
    tile_bounds(pass, tile, &first, &end);
    double *sums = post->sums + tile * 2 * channels, *part = dlz_run_scratch(pass->run, worker);
    for (int64_t image = first; post->activation && !pass->again && image < end; image++)
        backward_activation(pass, image, op->out->data + image * out_size, worker);
    dlz_post settings = pass->post;
    int64_t joined = join_images(&settings, end - first);
    for (int64_t image = first; image < end; image += joined) {
        dlz_post_kernels()->backward_sums(&settings, source(op) + image * in_size,
                                          pass->dy + image * out_size,
                                          pass->codes ? pass->codes + image * out_size : NULL,
                                          post->mean, image == first ? sums : part);
        for (int64_t c = 0; image > first && c < 2 * channels; c++)
            sums[c] += part[c];
    }
}

static void backward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const post_pass *pass = context;
    const dlz_op *op = pass->op;
    const dlz_post_op *post = op->own;
    int64_t first, end, in_size = dlz_value_size(op->in), out_size = dlz_value_size(op->out);
    dlz_post_factors factors = {post->a, post->has_batchnorm ? post->b : NULL, post->mean, post->d};
    tile_bounds(pass, tile, &first, &end);
    dlz_post settings = pass->post;
    int64_t joined = join_images(&settings, end - first);
    for (int64_t image = first; image < end; image += joined)
        dlz_post_kernels()->backward(&settings, op->in->data + image * in_size,
                                     pass->dy + image * out_size,
                                     pass->codes ? pass->codes + image * out_size : NULL, &factors,
                                     op->in->dy + image * in_size);
}

/* Adds up blocks of sums in their order. */
static void add_blocks(const double *blocks, int64_t count, int64_t size, double *restrict total) {
    for (int64_t i = 0; i < size; i++)
        total[i] = 0;
    for (int64_t block = 0; block < count; block++, blocks += size)
        for (int64_t i = 0; i < size; i++)
            total[i] += blocks[i];
}

static void join_sums(dlz_op *op, const dlz_run *run, const double *partial, int64_t tiles,
                      int64_t parts) {
    dlz_post_op *post = op->own;
    int64_t size = 2 * op->in->channels, each = tiles / parts;
    if (!are_parts(run, tiles, parts)) {
        double *own = own_parts(op, run, parts, size);
        for (int64_t part = 0; part < parts; part++)
            add_blocks(partial + part * each * size, each, size, own + part * size);
        parts = gather_parts(run, post->parts, parts, size);
        partial = post->parts;
    }
    add_blocks(partial, parts, size, post->total);
}

/* 1 / sigma beyond which products of a deviation, 1 / sigma^2 and sums may leave the range of a float,
 * far from where any do. */
#define FAR 0x1p40

/* Of 1 / sigma: what brings deviations of a channel near 1; 1 where they may stay as they are. */
static float reach_of(float inverse) {
    int exponent;
    if (!isfinite(inverse) || (inverse <= (float)FAR && inverse >= (float)(1 / FAR)))
        return 1;
    (void)frexpf(inverse, &exponent);
    return ldexpf(1, exponent < -126 ? -126 : exponent > 126 ? 126 : exponent);
}

/* From the sums S1 = sum g and S2 = sum g (z - mean) over the batch:
 * dz = weight/sigma * (g - S1/count - (z - mean) S2 / (count sigma^2)); in evaluation, or with
 * fixed statistics, mean and sigma are constants and dz = weight/sigma * g. */
static void channel_factors(dlz_op *op, const dlz_run *run, int64_t c) {
    dlz_post_op *post = op->own;
    dlz_batchnorm_state *state = &post->batchnorm;
    int64_t channels = op->in->channels;
    double count = (double)(run->batch.all * op->in->height * op->in->width);
    double first = post->total[c], second = post->total[channels + c];
    double reach = (double)post->reach[c], inverse = (double)post->d[c] / reach;
    double factor = dlz_batchnorm_weight(state, c) * (double)post->d[c];
    double lost = (double)post->b[c] * reach;
    second -= first * lost; /* the sums were taken about the rounded mean */
    if (state->bias.gradient)
        state->bias.gradient[c] = (float)first;
    if (state->weight.gradient)
        state->weight.gradient[c] = (float)(second * inverse);
    post->a[c] = (float)factor;
    post->b[c] = post->d[c] = 0;
    if (!run->mode.training || state->fixed)
        return;
    post->b[c] = (float)(-factor * inverse * inverse * second / count);
    post->d[c] = (float)(-factor * first / count - (double)post->b[c] * lost);
}

/* Whether some channels need a reach: those have their sums and factors from a pass of their own,
 * after which the pass has `reach`. */
static bool gradient_factors(dlz_op *op, const dlz_run *run, post_pass *pass) {
    dlz_post_op *post = op->own;
    const dlz_statistics *given = &op->out->gradient_statistics;
    int64_t channels = op->in->channels;
    bool any = false;
    if (!given->given)
        dlz_parallel_for(post->tiles, run->workers, sums_tile, pass);
    join_sums(op, run, given->given ? given->partial : post->sums,
              given->given ? given->tiles : post->tiles,
              given->given ? given->parts : post_parts(op, run));
    for (int64_t c = 0; c < channels; c++) {
        post->reach[c] = reach_of(post->d[c]);
        if (post->reach[c] == 1)
            channel_factors(op, run, c);
        else
            any = true;
    }
    if (!any)
        return false;
    pass->post.reach = post->reach;
    pass->again = true;
    dlz_parallel_for(post->tiles, run->workers, sums_tile, pass);
    join_sums(op, run, post->sums, post->tiles, post_parts(op, run));
    for (int64_t c = 0; c < channels; c++)
        if (post->reach[c] != 1)
            channel_factors(op, run, c);
    return true;
}

static dlz_gradient_view view_of(const dlz_op *op, bool relu, const uint8_t *codes) {
    const dlz_post_op *post = op->own;
    return (dlz_gradient_view){.dy = op->out->gradient.dy,
                               .z = op->in->data,
                               .scale = relu ? post->scale : NULL,
                               .shift = relu ? post->shift : NULL,
                               .relu = relu,
                               .a = post->a,
                               .b = post->b,
                               .center = post->mean,
                               .d = post->d,
                               .codes = codes};
}

/* Batch norm and the rest see what has come back through the activation, in the output's place. */
static void part_with_dropout(post_pass *pass) {
    dlz_post_op *post = pass->op->own;
    int64_t channels = pass->op->in->channels;
    for (int64_t c = 0; post->dropout && c < channels; c++) {
        post->ones[c] = 1;
        post->ones[channels + c] = 0;
    }
    pass->drop = only_dropout(&pass->post);
    pass->post = without_dropout(&pass->post);
    pass->dy = pass->op->out->data;
    pass->codes = NULL;
}

static void backward(dlz_op *op, const dlz_run *run) {
    dlz_post_op *post = op->own;
    dlz_value *in = op->in;
    post_pass pass = {.op = op,
                      .run = run,
                      .post = kernel_settings(op, run),
                      .dy = op->out->gradient.dy,
                      .codes = codes_of(op)};
    if (!op->out->needs_gradient) /* then nobody has computed one */
        return;
    if (post->activation)
        part_with_dropout(&pass);
    bool far = false;
    if (post->has_batchnorm) {
        far = gradient_factors(op, run, &pass);
    } else {
        for (int64_t c = 0; c < in->channels; c++) {
            post->a[c] = 1;
            post->b[c] = post->mean[c] = post->d[c] = 0;
        }
    }
    if (!in->needs_gradient)
        return;
    /* Who reads a view knows of no reach: then the gradient is written, in the place of z. */
    if (post->pending && !far) {
        in->gradient = view_of(op, post->relu, NULL);
        return;
    }
    if (is_pooled(op) && !far) {
        for (int64_t c = 0; c < in->channels; c++)
            post->a[c] *= pass.post.keep_scale;
        in->gradient = view_of(op, false, in->pooled.codes);
        return;
    }
    if (is_pooled(op)) {
        pass.post.pool = true;
        pass.post.height = in->height;
        pass.post.width = in->width;
    }
    if (!in->keep)
        in->dy = in->data;
    dlz_parallel_for(post->tiles, run->workers,
                     post->activation && !post->has_batchnorm ? activation_tile : backward_tile,
                     &pass);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_post_op_type = {
    .name = "post",
    .own = sizeof(dlz_post_op),
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};
