/* The same numbers, in PyTorch's order, as another shape. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/op.h"
#include "layers/transpose.h"
#include "onnx/onnx.h"
#include "tensor/tensor.h"

#include <string.h>

typedef struct reshape {
    dlviz_layer base;
    dlz_shape shape; /* one dimension may be −1 until the shapes are known */
} reshape;

static dlviz_status check(const dlviz_layer *layer) {
    const dlz_shape *shape = &((const reshape *)layer)->shape;
    int open = 0;
    if (shape->ndim != 1 && shape->ndim != 3)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "the shape has %d dimensions; 1, or 3 (channels, height, width), are "
                        "accepted",
                        shape->ndim);
    for (int i = 0; i < shape->ndim; i++) {
        if (shape->dims[i] != -1 && (shape->dims[i] < 1 || shape->dims[i] > INT32_MAX))
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "dimension %d is %lld; 1 to %d, or -1 for what is left, are accepted",
                            i, (long long)shape->dims[i], INT32_MAX);
        open += shape->dims[i] == -1;
    }
    if (open > 1)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%d dimensions are -1; one may be", open);
    return DLVIZ_OK;
}

const dlz_layer_type dlz_reshape_type;

dlviz_layer *dlviz_reshape(int ndim, const int64_t *dims) {
    dlviz_layer *layer = dlz_layer_create(&dlz_reshape_type);
    if (!layer)
        return NULL;
    if (!dims) {
        dlz_layer_remember(layer,
                           dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "dlviz_reshape: 'dims' is NULL"));
        return layer;
    }
    reshape *set = (reshape *)layer;
    set->shape.ndim = ndim;
    for (int i = 0; i < ndim && i < 3; i++)
        set->shape.dims[i] = dims[i];
    return dlz_layer_checked(layer);
}

/* A number of dimensions that was refused has no dimensions. */
static const dlz_shape *shape_of(const dlviz_layer *layer) {
    const reshape *set = dlz_layer_as(layer, &dlz_reshape_type);
    return set && (set->shape.ndim == 1 || set->shape.ndim == 3) ? &set->shape : NULL;
}

int dlviz_reshape_ndim(const dlviz_layer *layer) {
    const dlz_shape *shape = shape_of(layer);
    return shape ? shape->ndim : 0;
}

const int64_t *dlviz_reshape_dims(const dlviz_layer *layer) {
    const dlz_shape *shape = shape_of(layer);
    return shape ? shape->dims : NULL;
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    reshape *set = (reshape *)layer;
    (void)num_inputs;
    int64_t size = dlz_shape_size(in), known = 1;
    int open = -1;
    bool fits = true;
    for (int i = 0; i < set->shape.ndim; i++)
        if (set->shape.dims[i] == -1)
            open = i;
        else
            fits &= !__builtin_mul_overflow(known, set->shape.dims[i], &known);
    fits &= open >= 0 ? size % known == 0 : size == known;
    if (!fits) {
        char from[DLZ_SHAPE_TEXT_SIZE], to[DLZ_SHAPE_TEXT_SIZE];
        return dlz_fail(DLVIZ_ERROR_SHAPE, "an input of %s, which is %lld numbers, does not fit %s",
                        dlz_shape_text(from, in->ndim, in->dims), (long long)size,
                        dlz_shape_text(to, set->shape.ndim, set->shape.dims));
    }
    if (open >= 0)
        set->shape.dims[open] = size / known;
    *out = set->shape;
    return DLVIZ_OK;
}

/* A channel of an image can be made of several. */
static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    return ((const reshape *)layer)->shape.ndim == 3 ? DLZ_CONSTANT_BY_PLACE : constant;
}

/* -- How it is computed ---------------------------------------------------------------------------
 */

typedef struct reshape_pass {
    const float *from;
    float *to;
    int64_t from_pixels, from_channels, to_pixels, to_channels;
    const dlz_run *run;
} reshape_pass;

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    dlz_memory_ask_scratch(setup->memory, (uint64_t)dlz_value_size(op->in) * sizeof(float));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

/* Through PyTorch's order, which is that of a vector already. */
static void reshape_tile(void *context, int64_t sample, int worker) {
    const reshape_pass *pass = context;
    int64_t size = pass->from_pixels * pass->from_channels;
    const float *from = pass->from + sample * size;
    float *to = pass->to + sample * size;
    if (pass->from_channels == pass->to_channels) {
        memcpy(to, from, (size_t)size * sizeof *to);
    } else if (pass->from_pixels == 1 || pass->from_channels == 1) {
        dlz_transpose_image(from, pass->to_channels, pass->to_pixels, to);
    } else if (pass->to_pixels == 1 || pass->to_channels == 1) {
        dlz_transpose_image(from, pass->from_pixels, pass->from_channels, to);
    } else {
        float *between = dlz_run_scratch(pass->run, worker);
        dlz_transpose_image(from, pass->from_pixels, pass->from_channels, between);
        dlz_transpose_image(between, pass->to_channels, pass->to_pixels, to);
    }
}

static void run_pass(const dlz_run *run, const dlz_value *from, const float *source,
                     const dlz_value *to, float *result) {
    reshape_pass pass = {.from = source,
                         .to = result,
                         .from_pixels = from->height * from->width,
                         .from_channels = from->channels,
                         .to_pixels = to->height * to->width,
                         .to_channels = to->channels,
                         .run = run};
    dlz_parallel_for(run->n, run->workers, reshape_tile, &pass);
}

static void forward(dlz_op *op, const dlz_run *run) {
    run_pass(run, op->in, op->in->data, op->out, op->out->data);
}

static void backward(dlz_op *op, const dlz_run *run) {
    if (!op->in->needs_gradient)
        return;
    run_pass(run, op->out, op->out->gradient.dy, op->in, op->in->dy);
    dlz_op_give_gradients(op);
}

static const dlz_op_type reshape_op = {
    .name = "reshape",
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    const dlz_shape *shape = &((const reshape *)layer)->shape;
    dlz_onnx_reshape(to, NULL, dlz_onnx_input(to), shape->ndim, shape->dims);
}

static const dlz_setting settings[] = {
    {"shape", DLZ_SETTING_SHAPE, offsetof(reshape, shape), false},
    {0},
};

const dlz_layer_type dlz_reshape_type = {
    .name = "reshape",
    .size = sizeof(reshape),
    .settings = settings,
    .check = check,
    .infer = infer,
    .hand_on = hand_on,
    .op = &reshape_op,
    .onnx = onnx,
};
