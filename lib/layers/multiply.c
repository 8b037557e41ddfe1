/* The product of two inputs of one shape, or of an image and a factor for each of its channels. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/op.h"
#include "onnx/onnx.h"

const dlz_layer_type dlz_multiply_type;

dlviz_layer *dlviz_multiply(void) {
    return dlz_layer_create(&dlz_multiply_type);
}

static bool is_factor(const dlz_shape *image, const dlz_shape *factor) {
    return factor->dims[0] == image->dims[0] && dlz_shape_size(factor) == factor->dims[0];
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    (void)layer;
    (void)num_inputs;
    *out = in[0];
    if (dlz_shapes_equal(&in[0], &in[1]) || is_factor(&in[0], &in[1]))
        return DLVIZ_OK;
    return dlz_fail_shapes(
        "inputs of one shape are multiplied, or an image and one factor a channel", &in[0], 1,
        &in[1]);
}

static double multiply_adds(const dlviz_layer *layer, const dlz_shape *in, const dlz_shape *out) {
    (void)layer;
    (void)in;
    return (double)dlz_shape_size(out);
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    dlz_memory_ask_scratch(setup->memory, (uint64_t)op->in->channels * sizeof(double));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

typedef struct product_pass {
    const dlz_op *op;
    const dlz_run *run;
    const float *dy;
    int64_t pixels, channels, factor_pixels; /* the latter: 1, or as many as the image has */
} product_pass;

static product_pass make_pass(const dlz_op *op, const dlz_run *run) {
    return (product_pass){.op = op,
                          .run = run,
                          .dy = op->out->gradient.dy,
                          .pixels = op->in->height * op->in->width,
                          .channels = op->in->channels,
                          .factor_pixels = op->inputs[1]->height * op->inputs[1]->width};
}

/* The factors of a pixel. */
static const float *factors_of(const product_pass *pass, int64_t sample, int64_t pixel) {
    int64_t at = pass->factor_pixels == 1 ? 0 : pixel;
    return pass->op->inputs[1]->data + (sample * pass->factor_pixels + at) * pass->channels;
}

static void forward_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const product_pass *pass = context;
    for (int64_t pixel = 0; pixel < pass->pixels; pixel++) {
        int64_t first = (sample * pass->pixels + pixel) * pass->channels;
        const float *a = pass->op->in->data + first, *b = factors_of(pass, sample, pixel);
        float *out = pass->op->out->data + first;
        for (int64_t c = 0; c < pass->channels; c++)
            out[c] = a[c] * b[c];
    }
}

static void forward(dlz_op *op, const dlz_run *run) {
    product_pass pass = make_pass(op, run);
    dlz_parallel_for(run->n, run->workers, forward_tile, &pass);
}

static void image_gradient(const product_pass *pass, int64_t sample) {
    for (int64_t pixel = 0; pixel < pass->pixels; pixel++) {
        int64_t first = (sample * pass->pixels + pixel) * pass->channels;
        const float *dy = pass->dy + first, *b = factors_of(pass, sample, pixel);
        float *da = pass->op->in->dy + first;
        for (int64_t c = 0; c < pass->channels; c++)
            da[c] = dy[c] * b[c];
    }
}

/* A factor of a whole channel has the sum over its pixels. */
static void factor_gradient(const product_pass *pass, int64_t sample, double *sums) {
    int64_t channels = pass->channels, together = pass->pixels / pass->factor_pixels;
    for (int64_t place = 0; place < pass->factor_pixels; place++) {
        for (int64_t c = 0; c < channels; c++)
            sums[c] = 0;
        for (int64_t i = 0; i < together; i++) {
            int64_t first = (sample * pass->pixels + place * together + i) * channels;
            const float *dy = pass->dy + first, *a = pass->op->in->data + first;
            for (int64_t c = 0; c < channels; c++)
                sums[c] += (double)dy[c] * (double)a[c];
        }
        float *db = pass->op->inputs[1]->dy + (sample * pass->factor_pixels + place) * channels;
        for (int64_t c = 0; c < channels; c++)
            db[c] = (float)sums[c];
    }
}

static void backward_tile(void *context, int64_t sample, int worker) {
    const product_pass *pass = context;
    if (pass->op->in->needs_gradient)
        image_gradient(pass, sample);
    if (pass->op->inputs[1]->needs_gradient)
        factor_gradient(pass, sample, dlz_run_scratch(pass->run, worker));
}

static void backward(dlz_op *op, const dlz_run *run) {
    product_pass pass = make_pass(op, run);
    dlz_parallel_for(run->n, run->workers, backward_tile, &pass);
    dlz_op_give_gradients(op);
}

static const dlz_op_type multiply_op = {
    .name = "multiply",
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

/* ONNX finds out by itself that a factor goes for all pixels, if both have the same dimensions. */
static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    (void)layer;
    const dlz_shape *image = dlz_onnx_in(to), *factor = dlz_onnx_in_of(to, 1);
    const char *factors = dlz_onnx_input_of(to, 1);
    if (image->ndim != factor->ndim)
        factors = dlz_onnx_reshape(to, "factors", factors, image->ndim,
                                   (int64_t[]){image->dims[0], 1, 1});
    DLZ_ONNX_NODE(to, "Mul", NULL, dlz_onnx_input(to), factors);
}

const dlz_layer_type dlz_multiply_type = {
    .name = "multiply",
    .size = sizeof(dlviz_layer),
    .min_inputs = 2,
    .infer = infer,
    .multiply_adds = multiply_adds,
    .op = &multiply_op,
    .onnx = onnx,
};
