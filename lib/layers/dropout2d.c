/* Dropout of whole channels of an image. */
#include "base/base.h"
#include "base/parallel.h"
#include "base/random.h"
#include "graph/op.h"
#include "kernels/nn/normalize.h"
#include "onnx/onnx.h"

#include <math.h>
#include <string.h>

typedef struct dropout2d {
    dlviz_layer base;
    double p;
} dropout2d;

static dlviz_status check(const dlviz_layer *layer) {
    double p = ((const dropout2d *)layer)->p;
    if (!(p >= 0 && p < 1))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "p is %g; 0 to below 1 is accepted", p);
    return DLVIZ_OK;
}

const dlz_layer_type dlz_dropout2d_type;

dlviz_layer *dlviz_dropout2d(double p) {
    dlviz_layer *layer = dlz_layer_create(&dlz_dropout2d_type);
    if (layer)
        ((dropout2d *)layer)->p = p;
    return dlz_layer_checked(layer);
}

double dlviz_dropout2d_p(const dlviz_layer *layer) {
    return dlz_layer_real(layer, &dlz_dropout2d_type, offsetof(dropout2d, p));
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)layer;
    (void)num_inputs;
    *out = *in;
    return dlz_require_image(in);
}

static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    return ((const dropout2d *)layer)->p > 0 ? DLZ_CONSTANT_LOST : constant;
}

/* In evaluation the output's data are the input's. */
static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    dlz_memory_ask_scratch(setup->memory, (uint64_t)op->in->channels * sizeof(float));
    if (setup->mode.training)
        DLZ_TRY(dlz_op_ask_output(op, setup));
    return setup->mode.gradients ? dlz_op_ask_input_gradients(op, setup) : DLVIZ_OK;
}

typedef struct drop_pass {
    const dlz_op *op;
    const dlz_run *run;
    const float *from;
    float *to;
    int64_t pixels, channels;
    uint64_t stream;
    uint32_t drop_below;
    float keep_scale;
} drop_pass;

static drop_pass make_pass(const dlz_op *op, const dlz_run *run, const float *from, float *to) {
    double p = ((const dropout2d *)op->layer)->p;
    uint64_t node = (uint64_t)op->first_layer;
    return (drop_pass){.op = op,
                       .run = run,
                       .from = from,
                       .to = to,
                       .pixels = op->in->height * op->in->width,
                       .channels = op->in->channels,
                       .stream = DLZ_STREAM_DROPOUT + (node << 8) + (run->step << 24),
                       .drop_below = (uint32_t)fmin(p * 0x1p32, 0x1.fffffffep31),
                       .keep_scale = (float)(1 / (1 - p))};
}

/* 0 for a channel that is dropped, the others' scale for one that is not. */
static void draw(const drop_pass *pass, int64_t sample, float *factors) {
    sample += pass->run->batch.first;
    for (int64_t c = 0; c < pass->channels; c += 4) {
        uint32_t words[4];
        dlz_philox(pass->run->seed, pass->stream, ((uint64_t)sample << 32) + (uint64_t)c / 4,
                   words);
        for (int64_t i = 0; i < 4 && c + i < pass->channels; i++)
            factors[c + i] = words[i] < pass->drop_below ? 0 : pass->keep_scale;
    }
}

/* The same for the data and for the gradient; what is dropped is 0, also where it was NaN. */
static void drop_tile(void *context, int64_t sample, int worker) {
    const drop_pass *pass = context;
    int64_t at = sample * pass->pixels * pass->channels;
    float *factors = dlz_run_scratch(pass->run, worker);
    draw(pass, sample, factors);
    dlz_normalize_kernels()->keep_channels(pass->pixels, pass->channels, pass->from + at, factors,
                                           pass->to + at);
}

static void forward(dlz_op *op, const dlz_run *run) {
    if (!run->mode.training) {
        op->out->data = op->in->data;
        return;
    }
    drop_pass pass = make_pass(op, run, op->in->data, op->out->data);
    dlz_parallel_for(run->n, run->workers, drop_tile, &pass);
}

static void backward(dlz_op *op, const dlz_run *run) {
    if (!op->in->needs_gradient)
        return;
    drop_pass pass = make_pass(op, run, op->out->gradient.dy, op->in->dy);
    if (run->mode.training)
        dlz_parallel_for(run->n, run->workers, drop_tile, &pass);
    else
        memcpy(op->in->dy, op->out->gradient.dy,
               (size_t)(run->n * dlz_value_size(op->in)) * sizeof *op->in->dy);
    dlz_op_give_gradients(op);
}

static const dlz_op_type dropout2d_op = {
    .name = "dropout2d",
    .abilities = DLZ_OP_HANDS_DATA_ON,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    dlz_onnx_pass_on(to);
}

static const dlz_setting settings[] = {
    {"p", DLZ_SETTING_REAL, offsetof(dropout2d, p), true},
    {0},
};

const dlz_layer_type dlz_dropout2d_type = {
    .name = "dropout2d",
    .size = sizeof(dropout2d),
    .settings = settings,
    .check = check,
    .infer = infer,
    .hand_on = hand_on,
    .op = &dropout2d_op,
    .onnx = onnx,
};
