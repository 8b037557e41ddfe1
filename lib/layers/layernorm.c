/* Layer normalization: each sample to mean 0 and deviation 1, then a weight and a bias for each of
 * its numbers. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/op.h"
#include "kernels/nn/normalize.h"
#include "layers/standard.h"

/* Numbers that a tile handles, at least; several small samples make one tile. */
#define TILE_SIZE 16384
/* Columns of a tile that sums over samples. */
#define TILE_COLUMNS 512

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

typedef struct layernorm_op {
    dlz_standard *standards; /* of each sample */
    /* Parameters, and their gradients, in the order of the numbers inside; NULL where that is
     * PyTorch's. */
    float *parameters[2], *gradients[2];
} layernorm_op;

static bool is_reordered(const dlz_op *op) {
    return op->in->height * op->in->width > 1 && op->in->channels > 1;
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    layernorm_op *own = op->own;
    dlz_memory *memory = setup->memory;
    int64_t size = dlz_value_size(op->in);
    int first = setup->forward_time, last = setup->mode.gradients ? setup->backward_time : first;
    DLZ_TRY(dlz_memory_ask_array(memory, &own->standards, setup->n, sizeof *own->standards, first,
                                 last));
    for (int i = 0; i < 2; i++) {
        own->parameters[i] = own->gradients[i] = NULL;
        if (op->states[i].value && is_reordered(op))
            DLZ_TRY(dlz_memory_ask_array(memory, &own->parameters[i], size, sizeof(float), first,
                                         last));
        if (op->states[i].gradient && is_reordered(op) && setup->mode.gradients)
            DLZ_TRY(
                dlz_memory_ask_array(memory, &own->gradients[i], size, sizeof(float), last, last));
    }
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return setup->mode.gradients ? dlz_op_ask_input_gradients(op, setup) : DLVIZ_OK;
}

typedef struct layernorm_pass {
    const dlz_op *op;
    const dlz_run *run;
    double eps;
    int64_t size, samples;      /* of a sample; of a tile */
    const float *parameters[2]; /* in the order inside */
    float *gradients[2];        /* likewise */
} layernorm_pass;

static layernorm_pass make_pass(const dlz_op *op, const dlz_run *run) {
    const layernorm_op *own = op->own;
    int64_t size = dlz_value_size(op->in);
    layernorm_pass pass = {.op = op,
                           .run = run,
                           .eps = ((const layernorm *)op->layer)->eps,
                           .size = size,
                           .samples = dlz_max_i64(1, TILE_SIZE / size)};
    for (int i = 0; i < 2; i++) {
        pass.parameters[i] = own->parameters[i] ? own->parameters[i] : op->states[i].value;
        pass.gradients[i] = own->gradients[i] ? own->gradients[i] : op->states[i].gradient;
    }
    return pass;
}

/* Blocks that keep both sides in cache lines already fetched. */
#define BLOCK 16

static void transpose(int64_t rows, int64_t columns, const float *from, float *to) {
    for (int64_t r = 0; r < rows; r += BLOCK)
        for (int64_t c = 0; c < columns; c += BLOCK)
            for (int64_t i = r; i < dlz_min_i64(r + BLOCK, rows); i++)
                for (int64_t j = c; j < dlz_min_i64(c + BLOCK, columns); j++)
                    to[j * rows + i] = from[i * columns + j];
}

static void forward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const layernorm_pass *pass = context;
    const layernorm_op *own = pass->op->own;
    int64_t first = tile * pass->samples;
    int64_t end = dlz_min_i64(first + pass->samples, pass->run->n);
    for (int64_t i = first; i < end; i++) {
        const float *x = pass->op->in->data + i * pass->size;
        dlz_moments moments;
        dlz_normalize_kernels()->moments(pass->size, x, &moments);
        moments = dlz_moments_checked(moments, pass->eps, x, pass->size, 1);
        dlz_scale scale = dlz_scale_of(moments, pass->eps);
        own->standards[i] = dlz_standard_of(scale);
        dlz_normalize_kernels()->row(pass->size, x, &own->standards[i], pass->parameters[WEIGHT],
                                     pass->parameters[BIAS], pass->op->out->data + i * pass->size);
    }
}

static void forward(dlz_op *op, const dlz_run *run) {
    const layernorm_op *own = op->own;
    layernorm_pass pass = make_pass(op, run);
    for (int i = 0; i < 2; i++)
        if (own->parameters[i])
            transpose(op->in->channels, op->in->height * op->in->width, op->states[i].value,
                      own->parameters[i]);
    dlz_parallel_for(dlz_ceil_div(run->n, pass.samples), run->workers, forward_tile, &pass);
}

/* With z what x stands for, g = weight * dy, G and S the means of g and of g z over the sample:
 * dx = (g − G − z S) / σ. */
static void input_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const layernorm_pass *pass = context;
    const layernorm_op *own = pass->op->own;
    const float *weight = pass->parameters[WEIGHT];
    int64_t first = tile * pass->samples;
    int64_t end = dlz_min_i64(first + pass->samples, pass->run->n);
    for (int64_t i = first; i < end; i++) {
        const float *x = pass->op->in->data + i * pass->size;
        const float *dy = pass->op->out->gradient.dy + i * pass->size;
        float *dx = pass->op->in->dy + i * pass->size;
        double sums[2], count = (double)pass->size;
        if (pass->size == 1) { /* always 0, and so is its gradient: not what rounding leaves */
            *dx = 0;
            continue;
        }
        dlz_normalize_kernels()->row_sums(pass->size, x, dy, weight, &own->standards[i], sums);
        dlz_normalize_kernels()->row_gradient(pass->size, x, dy, weight, &own->standards[i],
                                              (float)(sums[0] / count), (float)(sums[1] / count),
                                              dx);
    }
}

static void parameters_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const layernorm_pass *pass = context;
    const layernorm_op *own = pass->op->own;
    int64_t first = tile * TILE_COLUMNS, count = dlz_min_i64(TILE_COLUMNS, pass->size - first);
    dlz_normalize_kernels()->columns(pass->run->n, pass->size, count, pass->op->in->data + first,
                                     pass->op->out->gradient.dy + first, own->standards,
                                     pass->gradients[WEIGHT] ? pass->gradients[WEIGHT] + first
                                                             : NULL,
                                     pass->gradients[BIAS] ? pass->gradients[BIAS] + first : NULL);
}

static void backward(dlz_op *op, const dlz_run *run) {
    const layernorm_op *own = op->own;
    layernorm_pass pass = make_pass(op, run);
    if (pass.gradients[WEIGHT] || pass.gradients[BIAS])
        dlz_parallel_for(dlz_ceil_div(pass.size, TILE_COLUMNS), run->workers, parameters_tile,
                         &pass);
    for (int i = 0; i < 2; i++)
        if (own->gradients[i])
            transpose(op->in->height * op->in->width, op->in->channels, own->gradients[i],
                      op->states[i].gradient);
    if (!op->in->needs_gradient)
        return;
    dlz_parallel_for(dlz_ceil_div(run->n, pass.samples), run->workers, input_tile, &pass);
    dlz_op_give_gradients(op);
}

static const dlz_op_type layernorm_op_type = {
    .name = "layernorm",
    .own = sizeof(layernorm_op),
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

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
};
