/* Layer normalization: each sample to mean 0 and deviation 1, then a weight and a bias for each of
 * its numbers. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/op.h"
#include "kernels/nn/normalize.h"
#include "kernels/nn/reorder.h"
#include "layers/standard.h"
#include "onnx/onnx.h"

/* Numbers that a tile handles, at least; several small samples make one tile. */
#define TILE_SIZE 16384
/* Up to so many numbers of a sample stay in the cache from its moments to what they are for. */
#define WHOLE_SIZE 32768
#define PIECE_SIZE 4096

typedef struct layernorm {
    dlviz_layer base;
    double eps;
    bool affine;
    bool one_channel; /* known when the shapes are */
} layernorm;

enum { WEIGHT, BIAS };

static dlviz_status check(const dlviz_layer *layer) {
    return dlz_check_eps(((const layernorm *)layer)->eps);
}

const dlz_layer_type dlz_layernorm_type;

dlviz_layer *dlviz_layernorm(void) {
    dlviz_layer *layer = dlz_layer_create(&dlz_layernorm_type);
    layernorm *set = (layernorm *)layer;
    if (!layer)
        return NULL;
    set->eps = 1e-5;
    set->affine = true;
    return layer;
}

#define SET(layer, field, value)                                                                   \
    dlz_layer_set(__func__, layer, &dlz_layernorm_type, offsetof(layernorm, field), &(value),      \
                  sizeof(value))

dlviz_status dlviz_layernorm_set_eps(dlviz_layer *layer, double eps) {
    return SET(layer, eps, eps);
}

dlviz_status dlviz_layernorm_set_affine(dlviz_layer *layer, bool affine) {
    return SET(layer, affine, affine);
}

double dlviz_layernorm_eps(const dlviz_layer *layer) {
    return dlz_layer_real(layer, &dlz_layernorm_type, offsetof(layernorm, eps));
}

bool dlviz_layernorm_affine(const dlviz_layer *layer) {
    const layernorm *set = dlz_layer_as(layer, &dlz_layernorm_type);
    return set && set->affine;
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    ((layernorm *)layer)->one_channel = in->dims[0] == 1;
    *out = *in;
    return DLVIZ_OK;
}

static int states(const dlviz_layer *layer, const dlz_shape *in,
                  dlz_state_spec specs[DLZ_MAX_STATES]) {
    if (!((const layernorm *)layer)->affine)
        return 0;
    dlz_state_spec spec = {.ndim = in->ndim, .trainable = true};
    for (int i = 0; i < in->ndim; i++)
        spec.dims[i] = in->dims[i];
    specs[WEIGHT] = specs[BIAS] = spec;
    specs[WEIGHT].suffix = "weight";
    specs[WEIGHT].initial = DLZ_INITIAL_ONE;
    specs[BIAS].suffix = "bias";
    specs[BIAS].is_constant = dlz_shape_size(in) == in->dims[0];
    return 2;
}

/* A constant of its own for each channel does not leave the sample, unless there is one channel. */
static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    return ((const layernorm *)layer)->one_channel && constant == DLZ_CONSTANT_EVERYWHERE
               ? DLZ_CONSTANT_TAKEN_OUT
               : DLZ_CONSTANT_LOST;
}

/* -- Operation ------------------------------------------------------------------------------------
 */

/* A sample is cut into pieces, so that several threads share a large one; the numbers of a
 * piece, of weight and bias, too, stay in the first caches. Weight and bias, and their
 * gradients, are in PyTorch's order, and are brought to the one inside a piece at a time; only
 * where samples are small and so have one piece, weight and bias are, for all samples, brought
 * there first. */
typedef struct layernorm_op {
    dlz_standard *standards; /* of each sample */
    dlz_moments *moments;    /* of each sample's pieces */
    double (*sums)[2];       /* backward: likewise */
    float *parameters[2];    /* in the order inside; NULL where they are as they are */
    float *gradients;        /* of weight, then bias, from each part of the samples */
    int64_t parts;
} layernorm_op;

typedef struct layernorm_pass {
    const dlz_op *op;
    const dlz_run *run;
    double eps;
    int64_t size, pixels, channels; /* of a sample; a vector is pixels of one channel */
    int64_t piece, pieces;          /* pixels of a piece, pieces of a sample */
    bool whole;                     /* a sample is computed from beginning to end */
} layernorm_pass;

static layernorm_pass make_pass(const dlz_op *op, int64_t n, const dlz_run *run) {
    layernorm_pass pass = {.op = op,
                           .run = run,
                           .eps = ((const layernorm *)op->layer)->eps,
                           .size = dlz_value_size(op->in),
                           .pixels = op->in->height * op->in->width,
                           .channels = op->in->channels};
    if (pass.pixels == 1) {
        pass.pixels = pass.channels;
        pass.channels = 1;
    }
    pass.whole = pass.size <= WHOLE_SIZE;
    /* Small samples have pieces only for the sums over them, of which none depends on another. */
    int64_t size = pass.whole ? dlz_min_i64(PIECE_SIZE, TILE_SIZE / n) : PIECE_SIZE;
    pass.piece = dlz_min_i64(pass.pixels, 16 * dlz_max_i64(1, size / 16 / pass.channels));
    pass.pieces = dlz_ceil_div(pass.pixels, pass.piece);
    return pass;
}

static bool is_reordered(const layernorm_pass *pass) {
    return pass->channels > 1;
}

/* Bytes of a piece's numbers, with room for what the kernels need beyond. */
static uint64_t bytes_of_piece(const layernorm_pass *pass) {
    return (uint64_t)(pass->piece * pass->channels + 16) * sizeof(float);
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    layernorm_op *own = op->own;
    dlz_memory *memory = setup->memory;
    layernorm_pass pass = make_pass(op, setup->n, NULL);
    int64_t pieces = setup->n * pass.pieces;
    int first = setup->forward_time, last = setup->mode.gradients ? setup->backward_time : first;
    DLZ_TRY(dlz_memory_ask_array(memory, &own->standards, setup->n, sizeof *own->standards, first,
                                 last));
    for (int i = 0; i < 2; i++) {
        own->parameters[i] = NULL;
        if (pass.whole && op->states[i].value && is_reordered(&pass))
            DLZ_TRY(dlz_memory_ask_array(memory, &own->parameters[i], pass.size + DLZ_REORDER_SLACK,
                                         sizeof(float), first, last));
    }
    if (is_reordered(&pass))
        dlz_memory_ask_scratch(memory, 3 * bytes_of_piece(&pass));
    if (!pass.whole)
        DLZ_TRY(dlz_memory_ask_array(memory, &own->moments, pieces, sizeof *own->moments, first,
                                     first));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    if (!setup->mode.gradients)
        return DLVIZ_OK;
    if (!pass.whole)
        DLZ_TRY(dlz_memory_ask_array(memory, &own->sums, pieces, sizeof *own->sums, last, last));
    own->parts = dlz_batch_parts(&setup->batch, setup->n, setup->n);
    if (op->states[WEIGHT].gradient || op->states[BIAS].gradient)
        DLZ_TRY(dlz_memory_ask_array(memory, &own->gradients, own->parts * 2 * pass.size,
                                     sizeof(float), last, last));
    return dlz_op_ask_input_gradients(op, setup);
}

/* -- Pieces ---------------------------------------------------------------------------------------
 */

typedef struct piece {
    int64_t first, pixels; /* of a sample's */
    int64_t at, count;     /* numbers */
} piece;

static piece piece_of(const layernorm_pass *pass, int64_t index) {
    int64_t first = index * pass->piece, pixels = dlz_min_i64(pass->piece, pass->pixels - first);
    return (piece){first, pixels, first * pass->channels, pixels * pass->channels};
}

/* The worker's room for a piece's numbers. */
static float *room(const layernorm_pass *pass, int worker, int which) {
    return (float *)((char *)dlz_run_scratch(pass->run, worker) +
                     (size_t)which * bytes_of_piece(pass));
}

static void to_inside(const layernorm_pass *pass, const piece *p, int which, float *to) {
    dlz_reorder_kernels()->to_pixels(p->pixels, pass->channels, pass->pixels,
                                     pass->op->states[which].value + p->first, to);
}

/* A piece of weight or bias in the order inside; NULL where there is none. */
static const float *parameter(const layernorm_pass *pass, const piece *p, int which, int worker) {
    const layernorm_op *own = pass->op->own;
    const float *value = pass->op->states[which].value;
    if (!value || !is_reordered(pass))
        return value ? value + p->at : NULL;
    if (own->parameters[which])
        return own->parameters[which] + p->at;
    float *inside = room(pass, worker, which);
    to_inside(pass, p, which, inside);
    return inside;
}

/* -- Forward --------------------------------------------------------------------------------------
 */

static void finish_moments(const layernorm_pass *pass, int64_t sample, dlz_moments moments) {
    const layernorm_op *own = pass->op->own;
    const float *x = pass->op->in->data + sample * pass->size;
    moments = dlz_moments_checked(moments, pass->eps, x, pass->size, 1);
    own->standards[sample] = dlz_standard_of(dlz_scale_of(moments, pass->eps));
}

/* The pieces of parameters lie one behind the other, and what goes beyond the end of one is written
 * again by the next; so they are brought inside in order. */
static void bring_parameters(const layernorm_pass *pass) {
    const layernorm_op *own = pass->op->own;
    for (int which = 0; which < 2; which++)
        if (own->parameters[which])
            to_inside(pass, &(piece){0, pass->pixels, 0, pass->size}, which,
                      own->parameters[which]);
}

static void whole_tile(void *context, int64_t tile, int worker) {
    const layernorm_pass *pass = context;
    const layernorm_op *own = pass->op->own;
    const piece all = {0, pass->pixels, 0, pass->size};
    const float *weight = parameter(pass, &all, WEIGHT, worker);
    const float *bias = parameter(pass, &all, BIAS, worker);
    int64_t samples = dlz_max_i64(1, TILE_SIZE / pass->size), first = tile * samples;
    int64_t end = dlz_min_i64(first + samples, pass->run->n);
    for (int64_t i = first; i < end; i++) {
        const float *x = pass->op->in->data + i * pass->size;
        dlz_moments moments;
        dlz_normalize_kernels()->moments(pass->size, x, &moments);
        finish_moments(pass, i, moments);
        dlz_normalize_kernels()->row(pass->size, x, &own->standards[i], weight, bias,
                                     pass->op->out->data + i * pass->size);
    }
}

static void moments_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const layernorm_pass *pass = context;
    const layernorm_op *own = pass->op->own;
    const piece p = piece_of(pass, tile % pass->pieces);
    const float *x = pass->op->in->data + tile / pass->pieces * pass->size;
    dlz_normalize_kernels()->moments(p.count, x + p.at, &own->moments[tile]);
}

static void normalize_tile(void *context, int64_t tile, int worker) {
    const layernorm_pass *pass = context;
    const layernorm_op *own = pass->op->own;
    const piece p = piece_of(pass, tile);
    const float *weight = parameter(pass, &p, WEIGHT, worker);
    const float *bias = parameter(pass, &p, BIAS, worker);
    for (int64_t i = 0, at = p.at; i < pass->run->n; i++, at += pass->size)
        dlz_normalize_kernels()->row(p.count, pass->op->in->data + at, &own->standards[i], weight,
                                     bias, pass->op->out->data + at);
}

static int64_t whole_tiles(const layernorm_pass *pass) {
    return dlz_ceil_div(pass->run->n, dlz_max_i64(1, TILE_SIZE / pass->size));
}

static void forward(dlz_op *op, const dlz_run *run) {
    const layernorm_op *own = op->own;
    layernorm_pass pass = make_pass(op, run->n, run);
    if (pass.whole) {
        bring_parameters(&pass);
        dlz_parallel_for(whole_tiles(&pass), run->workers, whole_tile, &pass);
        return;
    }
    dlz_parallel_for(run->n * pass.pieces, run->workers, moments_tile, &pass);
    for (int64_t i = 0; i < run->n; i++) {
        dlz_moments all = own->moments[i * pass.pieces];
        for (int64_t k = 1; k < pass.pieces; k++)
            all = dlz_moments_join(all, own->moments[i * pass.pieces + k]);
        finish_moments(&pass, i, all);
    }
    dlz_parallel_for(pass.pieces, run->workers, normalize_tile, &pass);
}

/* -- Backward -------------------------------------------------------------------------------------
 */

/* With z what x stands for, g = weight * dy, G and S the means of g and of g z over the sample:
 * dx = (g − G − z S) / σ. */
static void take_gradient(const layernorm_pass *pass, int64_t sample, const piece *p,
                          const float *weight, const double sums[2]) {
    const layernorm_op *own = pass->op->own;
    int64_t at = sample * pass->size + p->at;
    double count = (double)pass->size;
    if (pass->size == 1) /* always 0, and so is its gradient: not what rounding leaves */
        pass->op->in->dy[at] = 0;
    else
        dlz_normalize_kernels()->row_gradient(p->count, pass->op->in->data + at,
                                              pass->op->out->gradient.dy + at, weight,
                                              &own->standards[sample], (float)(sums[0] / count),
                                              (float)(sums[1] / count), pass->op->in->dy + at);
}

static void take_sums(const layernorm_pass *pass, int64_t sample, const piece *p,
                      const float *weight, double sums[2]) {
    const layernorm_op *own = pass->op->own;
    int64_t at = sample * pass->size + p->at;
    dlz_normalize_kernels()->row_sums(p->count, pass->op->in->data + at,
                                      pass->op->out->gradient.dy + at, weight,
                                      &own->standards[sample], sums);
}

static void whole_gradient_tile(void *context, int64_t tile, int worker) {
    const layernorm_pass *pass = context;
    const piece all = {0, pass->pixels, 0, pass->size};
    const float *weight = parameter(pass, &all, WEIGHT, worker);
    int64_t samples = dlz_max_i64(1, TILE_SIZE / pass->size), first = tile * samples;
    int64_t end = dlz_min_i64(first + samples, pass->run->n);
    for (int64_t i = first; i < end; i++) {
        double sums[2];
        take_sums(pass, i, &all, weight, sums);
        take_gradient(pass, i, &all, weight, sums);
    }
}

/* The gradients of a piece of weight and bias from a part of the samples. */
static void take_columns(const layernorm_pass *pass, int64_t part, const piece *p, int worker) {
    const dlz_op *op = pass->op;
    const layernorm_op *own = op->own;
    int64_t samples = pass->run->n / own->parts, at = part * samples * pass->size + p->at;
    float *gradients = own->gradients + part * 2 * pass->size, *to[2];
    for (int which = 0; which < 2; which++)
        to[which] = !op->states[which].gradient ? NULL
                    : is_reordered(pass)        ? room(pass, worker, 1 + which)
                                                : gradients + which * pass->size + p->at;
    dlz_normalize_kernels()->columns(samples, pass->size, p->count, op->in->data + at,
                                     op->out->gradient.dy + at, own->standards + part * samples,
                                     to[WEIGHT], to[BIAS]);
    for (int which = 0; which < 2 && is_reordered(pass); which++)
        if (to[which])
            dlz_reorder_kernels()->from_pixels(p->pixels, pass->channels, pass->pixels, to[which],
                                               gradients + which * pass->size + p->first);
}

/* The gradients of a piece of weight and bias, and, of large samples, that piece's sums. */
static void parameters_tile(void *context, int64_t tile, int worker) {
    const layernorm_pass *pass = context;
    const dlz_op *op = pass->op;
    const layernorm_op *own = op->own;
    const piece p = piece_of(pass, tile);
    bool wanted = op->states[WEIGHT].gradient || op->states[BIAS].gradient;
    for (int64_t part = 0; wanted && part < own->parts; part++)
        take_columns(pass, part, &p, worker);
    if (pass->whole || !op->in->needs_gradient)
        return;
    const float *weight = parameter(pass, &p, WEIGHT, worker);
    for (int64_t i = 0; i < pass->run->n; i++)
        take_sums(pass, i, &p, weight, own->sums[i * pass->pieces + tile]);
}

static void gradient_tile(void *context, int64_t tile, int worker) {
    const layernorm_pass *pass = context;
    const layernorm_op *own = pass->op->own;
    const piece p = piece_of(pass, tile);
    const float *weight = parameter(pass, &p, WEIGHT, worker);
    for (int64_t i = 0; i < pass->run->n; i++)
        take_gradient(pass, i, &p, weight, own->sums[i * pass->pieces]);
}

static void backward(dlz_op *op, const dlz_run *run) {
    const layernorm_op *own = op->own;
    layernorm_pass pass = make_pass(op, run->n, run);
    bool parameters = op->states[WEIGHT].gradient || op->states[BIAS].gradient;
    if (parameters || (op->in->needs_gradient && !pass.whole))
        dlz_parallel_for(pass.pieces, run->workers, parameters_tile, &pass);
    for (int which = 0; which < 2; which++)
        if (op->states[which].gradient)
            dlz_op_sum_groups(op, run, which, own->gradients + which * pass.size, 2 * pass.size,
                              own->parts, pass.size);
    if (!op->in->needs_gradient)
        return;
    if (pass.whole) {
        dlz_parallel_for(whole_tiles(&pass), run->workers, whole_gradient_tile, &pass);
    } else {
        for (int64_t i = 0; i < run->n; i++) /* to the first piece, the others in order */
            for (int64_t k = 1; k < pass.pieces; k++)
                for (int s = 0; s < 2; s++)
                    own->sums[i * pass.pieces][s] += own->sums[i * pass.pieces + k][s];
        dlz_parallel_for(pass.pieces, run->workers, gradient_tile, &pass);
    }
    dlz_op_give_gradients(op);
}

static const dlz_op_type layernorm_op_type = {
    .name = "layernorm",
    .own = sizeof(layernorm_op),
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const layernorm *set = (const layernorm *)layer;
    const dlz_shape *in = dlz_onnx_in(to);
    dlz_onnx_set_integer(to, "axis", 1);
    dlz_onnx_set_epsilon(to, set->eps);
    const char *inputs[] = {dlz_onnx_input(to),
                            set->affine ? dlz_onnx_state(to, WEIGHT)
                                        : dlz_onnx_filled(to, "ones", in->ndim, in->dims, 1),
                            set->affine ? dlz_onnx_state(to, BIAS) : NULL};
    dlz_onnx_node(to, "LayerNormalization", NULL, set->affine ? 3 : 2, inputs);
}

static const dlz_setting settings[] = {
    {"eps", DLZ_SETTING_REAL, offsetof(layernorm, eps), false},
    {"affine", DLZ_SETTING_BOOL, offsetof(layernorm, affine), false},
    {0},
};

const dlz_layer_type dlz_layernorm_type = {
    .name = "layernorm",
    .size = sizeof(layernorm),
    .settings = settings,
    .check = check,
    .infer = infer,
    .states = states,
    .hand_on = hand_on,
    .op = &layernorm_op_type,
    .onnx = onnx,
};
