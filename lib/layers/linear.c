/* Fully connected layer: y = x weightᵀ + bias. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/fold.h"
#include "graph/op.h"
#include "kernels/activations/activation.h"
#include "kernels/gemm/gemm.h"
#include "kernels/gemm/gemm_linear.h"
#include "onnx/onnx.h"

#include <string.h>

#define LARGEST (1 << 28)

/* Evaluation keeps a second, packed copy of weights for this many outputs or more, up to 6 MiB: of
 * fewer the product is as fast as they are, and larger ones wait for memory either way. */
#define LEAST_PACKED 128
#define MOST_PACKED (3 << 19)

typedef struct linear {
    dlviz_layer base;
    int64_t out_features;
    bool bias;
} linear;

enum { WEIGHT, BIAS };

static dlviz_status check(const dlviz_layer *layer) {
    return dlz_check_integer("out_features", ((const linear *)layer)->out_features, 1, LARGEST);
}

const dlz_layer_type dlz_linear_type;

dlviz_layer *dlviz_linear(int64_t out_features) {
    dlviz_layer *layer = dlz_layer_create(&dlz_linear_type);
    if (!layer)
        return NULL;
    ((linear *)layer)->out_features = out_features;
    ((linear *)layer)->bias = true;
    return dlz_layer_checked(layer);
}

dlviz_status dlviz_linear_set_bias(dlviz_layer *layer, bool bias) {
    return dlz_layer_set(__func__, layer, &dlz_linear_type, offsetof(linear, bias), &bias,
                         sizeof bias);
}

int64_t dlviz_linear_out_features(const dlviz_layer *layer) {
    const linear *set = dlz_layer_as(layer, &dlz_linear_type);
    return set ? set->out_features : 0;
}

bool dlviz_linear_bias(const dlviz_layer *layer) {
    const linear *set = dlz_layer_as(layer, &dlz_linear_type);
    return set && set->bias;
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)num_inputs;
    if (in->ndim != 1)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "input has %d dimensions, needs 1: put a flatten layer in front", in->ndim);
    *out = (dlz_shape){.ndim = 1, .dims = {((const linear *)layer)->out_features}};
    return DLVIZ_OK;
}

static int states(const dlviz_layer *layer, const dlz_shape *in,
                  dlz_state_spec specs[DLZ_MAX_STATES]) {
    int64_t outputs = ((const linear *)layer)->out_features, inputs = in->dims[0];
    const int64_t dims[] = {outputs, inputs};
    dlz_weight_and_bias(specs, 2, dims, outputs, (double)inputs);
    return ((const linear *)layer)->bias ? 2 : 1;
}

static double multiply_adds(const dlviz_layer *layer, const dlz_shape *in, const dlz_shape *out) {
    (void)layer;
    return (double)in->dims[0] * (double)out->dims[0];
}

typedef struct linear_op {
    float *folded_bias; /* with the batch norm, where there is one to fold */
    float *packed;      /* the weights, where they outlast a run and are not too many; else NULL */
    float *x, *dy;      /* of the whole batch, where other processes have some of it */
} linear_op;

typedef struct linear_pass {
    const dlz_op *op;
    const dlz_run *run;
    dlz_linear size;
    dlz_linear_end end;
    /* Backward: the whole batch, and the rows of this process. */
    dlz_linear whole;
    const float *x, *dy;
    dlz_linear_rows rows;
} linear_pass;

static linear_pass make_pass(const dlz_op *op, const dlz_run *run) {
    return (linear_pass){
        .op = op, .run = run, .size = {run->n, dlz_value_size(op->in), op->out->channels}};
}

static dlviz_status ask_batch(dlz_op *op, const dlz_setup *setup) {
    linear_op *own = op->own;
    int64_t n = setup->batch.all;
    int back = setup->backward_time;
    if (!setup->batch.comm)
        return DLVIZ_OK;
    DLZ_TRY(dlz_memory_ask_array(setup->memory, &own->x, n * dlz_value_size(op->in), sizeof(float),
                                 back, back));
    return dlz_memory_ask_array(setup->memory, &own->dy, n * op->out->channels, sizeof(float), back,
                                back);
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    linear_op *own = op->own;
    int64_t outputs = op->out->channels;
    int first = setup->forward_time;
    dlz_memory_ask_scratch(setup->memory, DLZ_GEMM_SCRATCH_BYTES);
    dlz_linear size = {setup->n, dlz_value_size(op->in), outputs};
    bool packs = dlz_mode_keeps_prepared(setup->mode) && outputs >= LEAST_PACKED &&
                 size.inputs * outputs <= MOST_PACKED;
    own->packed = NULL;
    if (packs)
        DLZ_TRY(dlz_op_ask_prepared(setup, &own->packed, (int64_t)dlz_linear_packed_size(&size),
                                    sizeof(float), first));
    if (op->fold.has_batchnorm)
        DLZ_TRY(dlz_op_ask_prepared(setup, &own->folded_bias, outputs, sizeof(float), first));
    DLZ_TRY(dlz_fold_ask(&op->fold, outputs, setup));
    DLZ_TRY(ask_batch(op, setup));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

static void pack_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const linear_pass *pass = context;
    dlz_linear_pack_tile(&pass->size, tile, pass->op->states[WEIGHT].value,
                         ((const linear_op *)pass->op->own)->packed);
}

static void prepare(dlz_op *op, const dlz_run *run) {
    const linear_op *own = op->own;
    linear_pass pass = make_pass(op, run);
    if (op->fold.has_batchnorm)
        dlz_fold_bias(&op->fold, op->states[BIAS].value, op->out->channels, own->folded_bias);
    if (own->packed)
        dlz_parallel_for(dlz_linear_pack_tiles(&pass.size), run->workers, pack_tile, &pass);
}

static dlz_linear_end end_of(const dlz_op *op) {
    const linear_op *own = op->own;
    if (op->fold.has_batchnorm)
        return (dlz_linear_end){op->fold.scale, own->folded_bias, op->fold.relu};
    return (dlz_linear_end){NULL, op->states[BIAS].value, op->fold.relu};
}

static void activate(const linear_pass *pass, dlz_linear_block part) {
    const dlz_activation *activation = pass->op->fold.activation;
    float *y = pass->op->out->data + part.row * pass->size.outputs + part.column;
    for (int64_t i = 0; activation && i < part.rows; i++, y += pass->size.outputs)
        activation->kernels->forward(activation->settings, part.columns, y, y);
}

static void forward_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_op *op = pass->op;
    dlz_linear_forward_tile(&pass->size, tile, op->in->data, op->states[WEIGHT].value, &pass->end,
                            op->out->data, dlz_run_scratch(pass->run, worker));
    activate(pass, dlz_linear_forward_block(&pass->size, tile));
}

static void packed_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_op *op = pass->op;
    dlz_linear_packed_tile(&pass->size, tile, op->in->data, ((const linear_op *)op->own)->packed,
                           &pass->end, op->out->data, dlz_run_scratch(pass->run, worker));
    activate(pass, dlz_linear_packed_block(&pass->size, tile));
}

static void forward(dlz_op *op, const dlz_run *run) {
    linear_pass pass = make_pass(op, run);
    pass.end = end_of(op);
    if (((const linear_op *)op->own)->packed)
        dlz_parallel_for(dlz_linear_packed_tiles(&pass.size), run->workers, packed_tile, &pass);
    else
        dlz_parallel_for(dlz_linear_forward_tiles(&pass.size), run->workers, forward_tile, &pass);
}

static void weight_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_op *op = pass->op;
    dlz_linear_backward_weight_tile(&pass->whole, &pass->rows, tile, pass->dy, pass->x, false,
                                    op->states[WEIGHT].gradient, op->states[BIAS].gradient,
                                    dlz_run_scratch(pass->run, worker));
}

/* What some processes need of the samples that others have. */
static void gather_samples(const linear_pass *pass, const float *from, int64_t size, float *to) {
    const dlz_batch *batch = &pass->run->batch;
    memcpy(to + batch->first * size, from, (size_t)(pass->run->n * size) * sizeof *to);
    dlz_run_gather(pass->run, to, pass->run->n, size * (int64_t)sizeof *to);
}

/* Where a step can be taken of some rows alone, those of many weights stay where they are. */
static bool spread_rows(dlz_op *op, const dlz_run *run, const int64_t *rows, int64_t size) {
    enum { MANY = 65536 };
    dlz_spreads *spreads = run->spreads;
    const dlz_parameter *weight = &op->states[WEIGHT];
    if (!spreads->wanted || spreads->count == DLZ_MOST_SPREAD || !weight->gradient ||
        op->out->channels * size < MANY)
        return false;
    dlz_spread *spread = &spreads->all[spreads->count++];
    *spread = (dlz_spread){.value = weight->value, .gradient = weight->gradient};
    for (int r = 0; r <= dlz_comm_size(run->batch.comm); r++)
        spread->ends[r] = rows[r] * size;
    return true;
}

/* Rows of a gradient, or of a bias's, of which each process has its own. */
static void share_rows(dlz_op *op, const dlz_run *run, int state, const int64_t *rows,
                       int64_t size) {
    int64_t offsets[DLZ_LEAVES + 1];
    float *gradient = op->states[state].gradient;
    if (!gradient)
        return;
    for (int r = 0; r <= dlz_comm_size(run->batch.comm); r++)
        offsets[r] = rows[r] * size * (int64_t)sizeof *gradient;
    dlviz_status status = dlz_comm_gather_pieces(run->batch.comm, gradient, offsets);
    if (status != DLVIZ_OK)
        dlz_run_fail(run, status);
}

/* Where each process's rows begin; those of this one. */
static dlz_linear_rows rows_of(const linear_pass *pass, int64_t rows[DLZ_LEAVES + 1]) {
    dlviz_comm *comm = pass->run->batch.comm;
    int ranks = dlz_comm_size(comm), rank = dlz_comm_rank(comm);
    for (int r = 0; r <= ranks; r++)
        rows[r] = pass->size.outputs * r / ranks;
    return (dlz_linear_rows){rows[rank], rows[rank + 1]};
}

/* The gradients are sums over the whole batch, in order: where processes share it, each takes
 * some of their rows. So less is sent than if each took a sum of its own, unless the batch is
 * large. */
static void weight_gradients(dlz_op *op, linear_pass *pass) {
    const linear_op *own = op->own;
    const dlz_run *run = pass->run;
    int64_t rows[DLZ_LEAVES + 1];
    pass->x = op->in->data;
    pass->dy = op->out->gradient.dy;
    pass->whole = pass->size;
    pass->whole.batch = run->batch.all;
    pass->rows = (dlz_linear_rows){0, pass->size.outputs};
    if (run->batch.comm) {
        gather_samples(pass, pass->x, pass->size.inputs, own->x);
        gather_samples(pass, pass->dy, pass->size.outputs, own->dy);
        pass->x = own->x;
        pass->dy = own->dy;
        pass->rows = rows_of(pass, rows);
    }
    dlz_parallel_for(dlz_linear_backward_weight_tiles(&pass->whole, &pass->rows), run->workers,
                     weight_tile, pass);
    if (run->batch.comm) {
        if (!spread_rows(op, run, rows, pass->size.inputs))
            share_rows(op, run, WEIGHT, rows, pass->size.inputs);
        share_rows(op, run, BIAS, rows, 1);
    }
}

static void input_tile(void *context, int64_t tile, int worker) {
    const linear_pass *pass = context;
    const dlz_op *op = pass->op;
    dlz_linear_backward_data_tile(&pass->size, tile, op->out->gradient.dy, op->states[WEIGHT].value,
                                  false, op->in->dy, dlz_run_scratch(pass->run, worker));
}

static void backward(dlz_op *op, const dlz_run *run) {
    linear_pass pass = make_pass(op, run);
    weight_gradients(op, &pass);
    if (!op->in->needs_gradient)
        return;
    dlz_parallel_for(dlz_linear_backward_data_tiles(&pass.size), run->workers, input_tile, &pass);
    dlz_op_give_gradients(op);
}

static const dlz_op_type linear_op_type = {
    .name = "linear",
    .own = sizeof(linear_op),
    .abilities = DLZ_OP_FOLDS,
    .plan = plan,
    .prepare = prepare,
    .forward = forward,
    .backward = backward,
};

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    bool bias = ((const linear *)layer)->bias;
    dlz_onnx_set_integer(to, "transB", 1);
    const char *inputs[] = {dlz_onnx_input(to), dlz_onnx_state(to, 0),
                            bias ? dlz_onnx_state(to, 1) : NULL};
    dlz_onnx_node(to, "Gemm", NULL, bias ? 3 : 2, inputs);
}

static const dlz_setting settings[] = {
    {"out_features", DLZ_SETTING_INTEGER, offsetof(linear, out_features), false},
    {"bias", DLZ_SETTING_BOOL, offsetof(linear, bias), false},
    {0},
};

const dlz_layer_type dlz_linear_type = {
    .name = "linear",
    .size = sizeof(linear),
    .settings = settings,
    .check = check,
    .infer = infer,
    .states = states,
    .multiply_adds = multiply_adds,
    .hand_on = dlz_hand_on_as_is,
    .op = &linear_op_type,
    .onnx = onnx,
};
