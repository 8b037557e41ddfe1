/* How group norm and instance norm are computed. Each sample's channels have moments of their own,
 * which are joined to those of its groups; what follows is factors for each channel. A large sample
 * is cut into pieces, so that several threads share it. */
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/nn/moments.h"
#include "kernels/nn/normalize.h"
#include "kernels/nn/post.h"
#include "layers/groupnorm.h"
#include "layers/standard.h"

/* Numbers that a tile handles, at least; several small samples make one tile. */
#define TILE_SIZE 16384
/* Up to so many numbers of a sample stay in the cache from its moments to what they are for: it is
 * one piece. Larger samples' pieces have about PIECE_SIZE. */
#define WHOLE_SIZE 32768
#define PIECE_SIZE 8192

typedef struct groupnorm_op {
    dlz_scale *scales; /* of each sample's groups */
    double *moments;   /* of each piece: a block of its channels' */
    double *sums;      /* backward: of each piece, for each channel, of dy and of dy times what x
                          stands for; of a whole sample, in place of its first piece */
    float *gradients;  /* of bias, then weight, from each part of the samples */
    int64_t parts;
} groupnorm_op;

typedef struct groupnorm_pass {
    const dlz_op *op;
    const dlz_run *run;
    double eps;
    int64_t pixels, channels, groups;
    int64_t joined, width; /* so many pixels are seen as one, of so many channels */
    int64_t piece, pieces; /* pixels of a piece, pieces of a sample */
    const float *weight, *bias;
} groupnorm_pass;

static int64_t count_groups(const dlz_op *op) {
    const dlz_groupnorm *set = (const dlz_groupnorm *)op->layer;
    return set->num_groups ? set->num_groups : op->in->channels;
}

/* Where channels are few, or leave a vector half empty, so many pixels are seen as one that their
 * numbers fill vectors of up to 16. */
static int64_t pixels_joined(int64_t pixels, int64_t channels) {
    int64_t joined = 1;
    while (joined < 16 && channels < 64 && joined * channels % 16 != 0)
        joined *= 2;
    return pixels < 8 * joined ? 1 : joined;
}

static groupnorm_pass make_pass(const dlz_op *op, const dlz_run *run) {
    int64_t pixels = op->in->height * op->in->width, channels = op->in->channels;
    int64_t joined = pixels_joined(pixels, channels), piece = pixels;
    if (dlz_value_size(op->in) > WHOLE_SIZE)
        piece = dlz_min_i64(pixels, joined * dlz_max_i64(1, PIECE_SIZE / channels / joined));
    return (groupnorm_pass){.op = op,
                            .run = run,
                            .eps = ((const dlz_groupnorm *)op->layer)->eps,
                            .pixels = pixels,
                            .channels = channels,
                            .groups = count_groups(op),
                            .joined = joined,
                            .width = joined * channels,
                            .piece = piece,
                            .pieces = dlz_ceil_div(pixels, piece),
                            .weight = op->states[DLZ_GROUPNORM_WEIGHT].value,
                            .bias = op->states[DLZ_GROUPNORM_BIAS].value};
}

static bool has_gradients(const dlz_op *op) {
    return op->states[DLZ_GROUPNORM_WEIGHT].gradient || op->states[DLZ_GROUPNORM_BIAS].gradient;
}

/* A worker's numbers of each channel of the pixels seen as one. */
typedef struct channel_numbers {
    double *block; /* moments, or sums */
    float *center, *scale, *shift, *weight, *mean, *slope;
} channel_numbers;

static uint64_t scratch_size(int64_t width) {
    return (uint64_t)dlz_moments_size(width) * sizeof(double) + 6 * (uint64_t)width * sizeof(float);
}

static channel_numbers numbers_of(const groupnorm_pass *pass, int worker) {
    int64_t width = pass->width;
    double *block = dlz_run_scratch(pass->run, worker);
    float *first = (float *)(block + dlz_moments_size(width));
    return (channel_numbers){block,
                             first,
                             first + width,
                             first + 2 * width,
                             first + 3 * width,
                             first + 4 * width,
                             first + 5 * width};
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    groupnorm_op *own = op->own;
    dlz_memory *memory = setup->memory;
    groupnorm_pass pass = make_pass(op, NULL);
    int64_t pieces = setup->n * pass.pieces;
    int first = setup->forward_time, last = setup->mode.gradients ? setup->backward_time : first;
    dlz_memory_ask_scratch(memory, scratch_size(pass.width));
    DLZ_TRY(dlz_memory_ask_array(memory, &own->scales, setup->n * pass.groups, sizeof *own->scales,
                                 first, last));
    DLZ_TRY(dlz_memory_ask_array(memory, &own->moments, pieces * dlz_moments_size(pass.channels),
                                 sizeof(double), first, first));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    if (!setup->mode.gradients)
        return DLVIZ_OK;
    DLZ_TRY(dlz_memory_ask_array(memory, &own->sums, pieces * 2 * pass.channels, sizeof(double),
                                 last, last));
    own->parts = dlz_batch_parts(&setup->batch, setup->n, setup->n);
    if (has_gradients(op))
        DLZ_TRY(dlz_memory_ask_array(memory, &own->gradients, own->parts * 2 * pass.channels,
                                     sizeof(float), last, last));
    return dlz_op_ask_input_gradients(op, setup);
}

/* -- Pieces ---------------------------------------------------------------------------------------
 */

typedef struct piece {
    int64_t index;      /* among all samples' */
    int64_t sample, at; /* its first number's place */
    int64_t pixels;
    int64_t wide, rest; /* pixels seen as one, and then those that are left */
} piece;

static piece piece_of(const groupnorm_pass *pass, int64_t index) {
    int64_t sample = index / pass->pieces, first = index % pass->pieces * pass->piece;
    int64_t pixels = dlz_min_i64(pass->piece, pass->pixels - first);
    return (piece){.index = index,
                   .sample = sample,
                   .at = (sample * pass->pixels + first) * pass->channels,
                   .pixels = pixels,
                   .wide = pixels / pass->joined,
                   .rest = pixels % pass->joined};
}

static int64_t at_rest(const groupnorm_pass *pass, const piece *p) {
    return p->at + p->wide * pass->width;
}

/* A channel's factor is that of each pixel seen as one. */
static void repeat(const groupnorm_pass *pass, float *numbers) {
    for (int64_t c = pass->channels; c < pass->width; c++)
        numbers[c] = numbers[c - pass->channels];
}

/* Runs work on each piece, or, where samples are one piece each, on several in a tile. */
typedef struct pieces_job {
    const groupnorm_pass *pass;
    void (*work)(const groupnorm_pass *pass, int64_t index, channel_numbers numbers);
    int64_t count, together;
} pieces_job;

static void pieces_tile(void *context, int64_t tile, int worker) {
    const pieces_job *job = context;
    int64_t end = dlz_min_i64((tile + 1) * job->together, job->count);
    for (int64_t i = tile * job->together; i < end; i++)
        job->work(job->pass, i, numbers_of(job->pass, worker));
}

static void run_pieces(const groupnorm_pass *pass, int64_t count, int64_t size,
                       void (*work)(const groupnorm_pass *pass, int64_t index,
                                    channel_numbers numbers)) {
    pieces_job job = {pass, work, count, dlz_max_i64(1, TILE_SIZE / size)};
    dlz_parallel_for(dlz_ceil_div(count, job.together), pass->run->workers, pieces_tile, &job);
}

/* -- Forward --------------------------------------------------------------------------------------
 */

static void take_moments(const groupnorm_pass *pass, int64_t index, channel_numbers numbers) {
    const piece p = piece_of(pass, index);
    const float *x = pass->op->in->data;
    int64_t channels = pass->channels, size = dlz_moments_size(channels);
    double *block = ((const groupnorm_op *)pass->op->own)->moments + index * size;
    if (pass->joined == 1) {
        dlz_post_kernels()->moments(p.pixels, channels, x + p.at, block);
        return;
    }
    /* block has the pixels that are left, and then all. */
    dlz_post_kernels()->moments(p.wide, pass->width, x + p.at, numbers.block);
    dlz_post_kernels()->moments(p.rest, channels, x + at_rest(pass, &p), block);
    const double *means = numbers.block + 1, *deviations = means + pass->width;
    for (int64_t c = 0; c < channels; c++) {
        dlz_moments all = {0, 0, 0};
        for (int64_t i = c; i < pass->width; i += channels)
            all = dlz_moments_join(all, (dlz_moments){numbers.block[0], means[i], deviations[i]});
        if (p.rest > 0)
            all = dlz_moments_join(all,
                                   (dlz_moments){block[0], block[1 + c], block[1 + channels + c]});
        block[1 + c] = all.mean;
        block[1 + channels + c] = all.deviations;
    }
    block[0] = (double)p.pixels;
}

/* A sample's channels' moments, in place of its first piece's. */
static double *join_moments(const groupnorm_pass *pass, int64_t sample) {
    int64_t channels = pass->channels, size = dlz_moments_size(channels);
    const float *x = pass->op->in->data + sample * pass->pixels * channels;
    double *block = ((const groupnorm_op *)pass->op->own)->moments + sample * pass->pieces * size;
    for (int64_t c = 0; c < channels; c++) {
        dlz_moments all = {block[0], block[1 + c], block[1 + channels + c]};
        if (pass->pieces > 1)
            all = dlz_moments_of(block, pass->pieces, channels, c);
        all = dlz_moments_checked(all, pass->eps, x + c, pass->pixels, channels);
        block[1 + c] = all.mean;
        block[1 + channels + c] = all.deviations;
    }
    return block;
}

/* Channels of a group have as many numbers each; the first one's mean is taken off, so that equal
 * means are met exactly. */
static void take_scales(const groupnorm_pass *pass, int64_t sample, channel_numbers numbers) {
    (void)numbers;
    const groupnorm_op *own = pass->op->own;
    int64_t width = pass->channels / pass->groups;
    const double *means = join_moments(pass, sample) + 1, *deviations = means + pass->channels;
    for (int64_t group = 0; group < pass->groups; group++, means += width, deviations += width) {
        double shift = 0, inside = 0, between = 0;
        for (int64_t c = 0; c < width; c++) {
            shift += means[c] - means[0];
            inside += deviations[c];
        }
        shift /= (double)width;
        for (int64_t c = 0; c < width; c++) {
            double distance = (means[c] - means[0]) - shift;
            between += distance * distance;
        }
        dlz_moments all = {(double)(width * pass->pixels), means[0] + shift,
                           inside + between * (double)pass->pixels};
        own->scales[sample * pass->groups + group] = dlz_scale_of(all, pass->eps);
    }
}

static void normalize(const groupnorm_pass *pass, int64_t index, channel_numbers numbers) {
    const piece p = piece_of(pass, index);
    const dlz_op *op = pass->op;
    const dlz_scale *scales = ((const groupnorm_op *)op->own)->scales + p.sample * pass->groups;
    int64_t width = pass->channels / pass->groups;
    for (int64_t group = 0; group < pass->groups; group++)
        for (int64_t c = group * width; c < (group + 1) * width; c++) {
            double weight = pass->weight ? (double)pass->weight[c] : 1;
            double bias = pass->bias ? (double)pass->bias[c] : 0;
            numbers.center[c] = (float)scales[group].mean;
            numbers.scale[c] = (float)(weight * scales[group].inverse);
            numbers.shift[c] =
                (float)(bias - dlz_rest_of_mean(scales[group]) * (double)numbers.scale[c]);
        }
    repeat(pass, numbers.center);
    repeat(pass, numbers.scale);
    repeat(pass, numbers.shift);
    dlz_normalize_kernels()->pixels(p.wide, pass->width, op->in->data + p.at, numbers.center,
                                    numbers.scale, numbers.shift, op->out->data + p.at);
    int64_t at = at_rest(pass, &p);
    dlz_normalize_kernels()->pixels(p.rest, pass->channels, op->in->data + at, numbers.center,
                                    numbers.scale, numbers.shift, op->out->data + at);
}

static void forward_sample(const groupnorm_pass *pass, int64_t sample, channel_numbers numbers) {
    take_moments(pass, sample, numbers);
    take_scales(pass, sample, numbers);
    normalize(pass, sample, numbers);
}

static void forward(dlz_op *op, const dlz_run *run) {
    groupnorm_pass pass = make_pass(op, run);
    int64_t size = pass.piece * pass.channels, count = run->n * pass.pieces;
    if (pass.pieces == 1) {
        run_pieces(&pass, count, size, forward_sample);
        return;
    }
    run_pieces(&pass, count, size, take_moments);
    run_pieces(&pass, run->n, size, take_scales);
    run_pieces(&pass, count, size, normalize);
}

/* -- Backward -------------------------------------------------------------------------------------
 */

/* What x stands for. */
static void fill_standards(const groupnorm_pass *pass, const piece *p, channel_numbers numbers) {
    const dlz_scale *scales =
        ((const groupnorm_op *)pass->op->own)->scales + p->sample * pass->groups;
    int64_t width = pass->channels / pass->groups;
    for (int64_t group = 0; group < pass->groups; group++) {
        dlz_standard standard = dlz_standard_of(scales[group]);
        for (int64_t c = group * width; c < (group + 1) * width; c++) {
            numbers.center[c] = standard.center;
            numbers.scale[c] = standard.scale;
            numbers.shift[c] = standard.shift;
        }
    }
    repeat(pass, numbers.center);
    repeat(pass, numbers.scale);
    repeat(pass, numbers.shift);
}

static dlz_channel_factors factors_of(channel_numbers numbers) {
    return (dlz_channel_factors){numbers.center, numbers.scale, numbers.shift,
                                 numbers.weight, numbers.mean,  numbers.slope};
}

static double *sums_of(const groupnorm_pass *pass, int64_t index) {
    return ((const groupnorm_op *)pass->op->own)->sums + index * 2 * pass->channels;
}

static void take_sums(const groupnorm_pass *pass, int64_t index, channel_numbers numbers) {
    const piece p = piece_of(pass, index);
    const float *x = pass->op->in->data, *dy = pass->op->out->gradient.dy;
    const dlz_channel_factors factors = factors_of(numbers);
    int64_t channels = pass->channels, at = at_rest(pass, &p);
    double *sums = sums_of(pass, index);
    fill_standards(pass, &p, numbers);
    dlz_normalize_kernels()->pixels_sums(p.rest, channels, x + at, dy + at, &factors, sums);
    dlz_normalize_kernels()->pixels_sums(p.wide, pass->width, x + p.at, dy + p.at, &factors,
                                         numbers.block);
    for (int half = 0; half < 2; half++)
        for (int64_t i = 0; i < pass->joined; i++)
            for (int64_t c = 0; c < channels; c++)
                sums[half * channels + c] += numbers.block[half * pass->width + i * channels + c];
}

/* To the first piece of a sample, those of the others in their order. */
static void join_sums(const groupnorm_pass *pass, int64_t sample, channel_numbers numbers) {
    (void)numbers;
    double *sums = sums_of(pass, sample * pass->pieces);
    for (int64_t i = 1; i < pass->pieces; i++)
        for (int64_t c = 0; c < 2 * pass->channels; c++)
            sums[c] += sums[i * 2 * pass->channels + c];
}

/* With z what x stands for, g = weight * dy, G and S the means of g and of g z over the group:
 * dx = (g − G − z S) / σ. */
static void group_factors(const groupnorm_pass *pass, const double *dy, dlz_scale scale,
                          int64_t first, int64_t end, channel_numbers numbers) {
    const double *dy_z = dy + pass->channels;
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

static void take_gradient(const groupnorm_pass *pass, int64_t index, channel_numbers numbers) {
    const piece p = piece_of(pass, index);
    const dlz_op *op = pass->op;
    const dlz_scale *scales = ((const groupnorm_op *)op->own)->scales + p.sample * pass->groups;
    const float *x = op->in->data, *dy = op->out->gradient.dy;
    const dlz_channel_factors factors = factors_of(numbers);
    int64_t width = pass->channels / pass->groups, at = at_rest(pass, &p);
    fill_standards(pass, &p, numbers);
    for (int64_t group = 0; group < pass->groups; group++)
        group_factors(pass, sums_of(pass, p.sample * pass->pieces), scales[group], group * width,
                      (group + 1) * width, numbers);
    repeat(pass, numbers.weight);
    repeat(pass, numbers.mean);
    repeat(pass, numbers.slope);
    dlz_normalize_kernels()->pixels_gradient(p.wide, pass->width, x + p.at, dy + p.at, &factors,
                                             op->in->dy + p.at);
    dlz_normalize_kernels()->pixels_gradient(p.rest, pass->channels, x + at, dy + at, &factors,
                                             op->in->dy + at);
}

static void backward_sample(const groupnorm_pass *pass, int64_t sample, channel_numbers numbers) {
    take_sums(pass, sample, numbers);
    if (pass->op->in->needs_gradient)
        take_gradient(pass, sample, numbers);
}

/* Adds up a part's samples in their order. */
static void add_samples(const groupnorm_pass *pass, int64_t part) {
    const groupnorm_op *own = pass->op->own;
    int64_t samples = pass->run->n / own->parts, width = 2 * pass->channels;
    const double *sums = sums_of(pass, part * samples * pass->pieces);
    for (int64_t c = 0; c < width; c++) {
        double sum = 0;
        for (int64_t sample = 0; sample < samples; sample++)
            sum += sums[sample * pass->pieces * width + c];
        own->gradients[part * width + c] = (float)sum;
    }
}

static void sum_gradients(dlz_op *op, const groupnorm_pass *pass) {
    const groupnorm_op *own = op->own;
    int64_t channels = pass->channels;
    for (int64_t part = 0; part < own->parts; part++)
        add_samples(pass, part);
    dlz_op_sum_groups(op, pass->run, DLZ_GROUPNORM_BIAS, own->gradients, 2 * channels, own->parts,
                      channels);
    dlz_op_sum_groups(op, pass->run, DLZ_GROUPNORM_WEIGHT, own->gradients + channels, 2 * channels,
                      own->parts, channels);
}

static void backward(dlz_op *op, const dlz_run *run) {
    groupnorm_pass pass = make_pass(op, run);
    int64_t size = pass.piece * pass.channels, count = run->n * pass.pieces;
    if (!has_gradients(op) && !op->in->needs_gradient)
        return;
    if (pass.pieces == 1) {
        run_pieces(&pass, count, size, backward_sample);
    } else {
        run_pieces(&pass, count, size, take_sums);
        run_pieces(&pass, run->n, size, join_sums);
        if (op->in->needs_gradient)
            run_pieces(&pass, count, size, take_gradient);
    }
    if (has_gradients(op))
        sum_gradients(op, &pass);
    dlz_op_give_gradients(op);
}

const dlz_op_type dlz_groupnorm_op = {
    .name = "groupnorm",
    .own = sizeof(groupnorm_op),
    .plan = plan,
    .forward = forward,
    .backward = backward,
};
