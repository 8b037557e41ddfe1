/* Max pooling. 2 x 2 windows that do not overlap are a stage of the pass that follows a convolution
 * (graph/post.h); all others are computed here. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/post.h"
#include "kernels/nn/maxpool.h"
#include "layers/pool_window.h"
#include "onnx/onnx.h"

#include <string.h>

/* Numbers a tile reads, about, and on the way back writes. Then windows on its edges are looked at
 * twice: it has rows of a few windows at least. */
#define TILE 16384
#define TILE_WINDOWS 4

const dlz_layer_type dlz_maxpool2d_type;

dlviz_layer *dlviz_maxpool2d(int64_t kernel) {
    return dlz_layer_checked(dlz_pool_create(&dlz_maxpool2d_type, kernel));
}

dlviz_status dlviz_maxpool2d_set_kernel(dlviz_layer *layer, int64_t height, int64_t width) {
    return dlz_pool_set_kernel(__func__, layer, &dlz_maxpool2d_type, height, width);
}

dlviz_status dlviz_maxpool2d_set_stride(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    return dlz_pool_set_stride(__func__, layer, &dlz_maxpool2d_type, vertical, horizontal);
}

dlviz_status dlviz_maxpool2d_set_padding(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    return dlz_pool_set_padding(__func__, layer, &dlz_maxpool2d_type, vertical, horizontal);
}

dlviz_status dlviz_maxpool2d_set_ceil_mode(dlviz_layer *layer, bool ceil_mode) {
    return dlz_pool_set_ceil_mode(__func__, layer, &dlz_maxpool2d_type, ceil_mode);
}

void dlviz_maxpool2d_kernel(const dlviz_layer *layer, int64_t *height, int64_t *width) {
    dlz_pool_kernel(layer, &dlz_maxpool2d_type, height, width);
}

void dlviz_maxpool2d_stride(const dlviz_layer *layer, int64_t *vertical, int64_t *horizontal) {
    dlz_pool_stride(layer, &dlz_maxpool2d_type, vertical, horizontal);
}

void dlviz_maxpool2d_padding(const dlviz_layer *layer, int64_t *vertical, int64_t *horizontal) {
    dlz_pool_padding(layer, &dlz_maxpool2d_type, vertical, horizontal);
}

bool dlviz_maxpool2d_ceil_mode(const dlviz_layer *layer) {
    return dlz_pool_ceil_mode(layer, &dlz_maxpool2d_type);
}

/* The largest is another one where places differ. */
static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    (void)layer;
    return constant == DLZ_CONSTANT_EVERYWHERE ? constant : DLZ_CONSTANT_LOST;
}

/* The pass pools windows of 2 x 2 and leaves a last odd row or column out. */
static dlz_stage stage(const dlviz_layer *layer) {
    const dlz_pool_window *window = dlz_pool_window_of(layer);
    bool fits = !window->ceil_mode;
    for (int axis = 0; axis < 2; axis++)
        fits &=
            window->kernel[axis] == 2 && window->stride[axis] == 2 && window->padding[axis] == 0;
    return fits ? DLZ_STAGE_POOL : DLZ_STAGE_NONE;
}

static void join(const dlviz_layer *layer, const dlz_parameter *states, dlz_post_op *post) {
    (void)layer;
    (void)states;
    post->pool = true;
}

/* -- How it is computed ---------------------------------------------------------------------------
 */

typedef struct maxpool2d_op {
    int32_t
        *winners; /* pixel of the input image, of each output; NULL when no gradient is wanted */
} maxpool2d_op;

typedef struct pool_pass {
    dlz_maxpool pool;
    const dlz_maxpool_table *kernels;
    const dlz_op *op;
    int64_t rows_together,
        tiles_together; /* of an image: of the output forward, of the input back */
} pool_pass;

static dlz_maxpool pool_of(const dlz_op *op) {
    const dlz_pool_window *window = dlz_pool_window_of(op->layer);
    const dlz_value *in = op->in, *out = op->out;
    dlz_maxpool pool = {.height = in->height,
                        .width = in->width,
                        .channels = in->channels,
                        .out_height = out->height,
                        .out_width = out->width,
                        .scale = in->scale,
                        .shift = in->shift,
                        .relu = in->relu};
    memcpy(pool.kernel, window->kernel, sizeof window->kernel);
    memcpy(pool.stride, window->stride, sizeof window->stride);
    memcpy(pool.padding, window->padding, sizeof window->padding);
    return pool;
}

static pool_pass make_pass(const dlz_op *op, bool backward) {
    pool_pass pass = {.pool = pool_of(op), .kernels = dlz_maxpool_kernels(), .op = op};
    int64_t height = backward ? op->in->height : op->out->height;
    int64_t rows = dlz_ceil_div(TILE, dlz_value_size(op->in) / height + 1);
    if (backward)
        rows = dlz_max_i64(rows, TILE_WINDOWS * pass.pool.kernel[0]);
    pass.rows_together = dlz_min_i64(rows, height);
    pass.tiles_together = dlz_ceil_div(height, pass.rows_together);
    return pass;
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    maxpool2d_op *pool = op->own;
    pool->winners = NULL;
    if (setup->mode.gradients && op->in->needs_gradient) {
        DLZ_TRY(dlz_memory_ask_array(setup->memory, &pool->winners,
                                     setup->n * dlz_value_size(op->out), sizeof *pool->winners,
                                     setup->forward_time, setup->backward_time));
        DLZ_TRY(dlz_op_ask_sums(op, setup->n * make_pass(op, true).tiles_together, setup));
    }
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

static void forward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const pool_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t sample = tile / pass->tiles_together, size = dlz_value_size(op->out);
    int64_t first = tile % pass->tiles_together * pass->rows_together;
    int32_t *winners = ((const maxpool2d_op *)op->own)->winners;
    pass->kernels->forward(&pass->pool, op->in->data + sample * dlz_value_size(op->in), first,
                           dlz_min_i64(first + pass->rows_together, op->out->height),
                           op->out->data + sample * size, winners ? winners + sample * size : NULL);
}

static void forward(dlz_op *op, const dlz_run *run) {
    pool_pass pass = make_pass(op, false);
    dlz_parallel_for(run->n * pass.tiles_together, run->workers, forward_tile, &pass);
}

static void backward_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const pool_pass *pass = context;
    const dlz_op *op = pass->op;
    const dlz_value *in = op->in;
    int64_t sample = tile / pass->tiles_together, size = dlz_value_size(op->out);
    int64_t first = tile % pass->tiles_together * pass->rows_together;
    int64_t end = dlz_min_i64(first + pass->rows_together, in->height);
    float *dx = in->dy + sample * dlz_value_size(in);
    int64_t pixel = (sample * in->height + first) * in->width;
    pass->kernels->backward(&pass->pool, op->out->gradient.dy + sample * size,
                            ((const maxpool2d_op *)op->own)->winners + sample * size, first, end,
                            dx);
    const dlz_statistics *sums = &in->gradient_statistics;
    if (sums->given) /* of the rows just written */
        dlz_value_gradient_sums(in, in->dy, pixel, (end - first) * in->width,
                                sums->partial + tile * 2 * in->channels);
}

static void backward(dlz_op *op, const dlz_run *run) {
    if (!op->in->needs_gradient)
        return;
    pool_pass pass = make_pass(op, true);
    dlz_parallel_for(run->n * pass.tiles_together, run->workers, backward_tile, &pass);
    dlz_op_give_gradients(op);
}

static const dlz_op_type maxpool2d_op_type = {
    .name = "maxpool2d",
    .own = sizeof(maxpool2d_op),
    .abilities = DLZ_OP_READS_PENDING,
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

static void onnx(const dlviz_layer *layer, dlz_onnx *to) {
    int64_t beyond[2];
    dlz_pool_reach_beyond(layer, dlz_onnx_in(to), dlz_onnx_out(to), beyond);
    dlz_pool_set_onnx(layer, to);
    dlz_onnx_set_pads(to, dlz_pool_window_of(layer)->padding, beyond);
    dlz_onnx_plain(to, "MaxPool");
}

static const dlz_setting settings[] = {
    DLZ_POOL_SETTINGS,
    {0},
};

const dlz_layer_type dlz_maxpool2d_type = {
    .name = "maxpool2d",
    .size = sizeof(dlz_pool_layer),
    .settings = settings,
    .check = dlz_pool_check,
    .infer = dlz_pool_infer,
    .hand_on = hand_on,
    .stage = stage,
    .join = join,
    .op = &maxpool2d_op_type,
    .onnx = onnx,
};
