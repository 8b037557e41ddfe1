/* Max pooling. 2 x 2 windows that do not overlap are a stage of the pass that follows a convolution
 * (graph/post.h); all others are computed here. */
#include "base/base.h"
#include "base/parallel.h"
#include "graph/post.h"

#include <math.h>
#include <string.h>

#define LARGEST (1 << 15)

/* Pairs are vertical, horizontal. */
typedef struct maxpool2d {
    dlviz_layer base;
    int64_t kernel[2], stride[2],
        padding[2]; /* stride 0 until the shapes are known: the kernel's */
    bool ceil_mode;
} maxpool2d;

static dlviz_status check(const dlviz_layer *layer) {
    const maxpool2d *set = (const maxpool2d *)layer;
    DLZ_TRY(dlz_check_pair("the kernel", set->kernel, 1, LARGEST));
    DLZ_TRY(dlz_check_pair("the stride", set->stride, 0, LARGEST));
    for (int axis = 0; axis < 2; axis++)
        DLZ_TRY(dlz_check_integer("the padding", set->padding[axis], 0, set->kernel[axis] / 2));
    return DLVIZ_OK;
}

const dlz_layer_type dlz_maxpool2d_type;

dlviz_layer *dlviz_maxpool2d(int64_t kernel) {
    dlviz_layer *layer = dlz_layer_create(&dlz_maxpool2d_type);
    maxpool2d *set = (maxpool2d *)layer;
    if (layer)
        set->kernel[0] = set->kernel[1] = kernel;
    return dlz_layer_checked(layer);
}

#define SET(layer, field, value)                                                                   \
    dlz_layer_set(__func__, layer, &dlz_maxpool2d_type, offsetof(maxpool2d, field), &(value),      \
                  sizeof(value))

dlviz_status dlviz_maxpool2d_set_kernel(dlviz_layer *layer, int64_t height, int64_t width) {
    const int64_t pair[2] = {height, width};
    return SET(layer, kernel, pair);
}

dlviz_status dlviz_maxpool2d_set_stride(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    const int64_t pair[2] = {vertical, horizontal};
    bool stands_for_kernel = vertical == 0 || horizontal == 0;
    if (!stands_for_kernel || dlz_layer_require(__func__, layer, &dlz_maxpool2d_type) != DLVIZ_OK)
        return SET(layer, stride, pair);
    return dlz_layer_remember(layer, dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                              "%s: the stride is %lld x %lld; 1 to %d are accepted",
                                              __func__, (long long)vertical, (long long)horizontal,
                                              LARGEST));
}

dlviz_status dlviz_maxpool2d_set_padding(dlviz_layer *layer, int64_t vertical, int64_t horizontal) {
    const int64_t pair[2] = {vertical, horizontal};
    return SET(layer, padding, pair);
}

dlviz_status dlviz_maxpool2d_set_ceil_mode(dlviz_layer *layer, bool ceil_mode) {
    return SET(layer, ceil_mode, ceil_mode);
}

/* With ceil mode a last window may reach over the end, if it begins before that. */
static int64_t count_windows(const maxpool2d *set, int axis, int64_t size) {
    int64_t stride = set->stride[axis], padding = set->padding[axis];
    int64_t room = size + 2 * padding - set->kernel[axis];
    if (room < 0 && (!set->ceil_mode || room + stride <= 0))
        return 0;
    int64_t count = room < 0 ? 0 : room / stride + 1;
    if (set->ceil_mode && room - (count - 1) * stride > 0 && count * stride < size + padding)
        count++;
    return count;
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    maxpool2d *set = (maxpool2d *)layer;
    (void)num_inputs;
    DLZ_TRY(dlz_require_image(in));
    *out = *in;
    for (int axis = 0; axis < 2; axis++) {
        if (set->stride[axis] == 0)
            set->stride[axis] = set->kernel[axis];
        int64_t size = in->dims[1 + axis];
        out->dims[1 + axis] = count_windows(set, axis, size);
        if (out->dims[1 + axis] < 1)
            return dlz_fail(
                DLVIZ_ERROR_SHAPE,
                "a window of %lld with padding %lld is larger than the input's %s of %lld",
                (long long)set->kernel[axis], (long long)set->padding[axis],
                axis == 0 ? "height" : "width", (long long)size);
    }
    return DLVIZ_OK;
}

/* The largest is another one where places differ. */
static dlz_constant hand_on(const dlviz_layer *layer, dlz_constant constant) {
    (void)layer;
    return constant == DLZ_CONSTANT_EVERYWHERE ? constant : DLZ_CONSTANT_LOST;
}

/* The pass pools windows of 2 x 2 and leaves a last odd row or column out. */
static dlz_stage stage(const dlviz_layer *layer) {
    const maxpool2d *set = (const maxpool2d *)layer;
    bool fits = !set->ceil_mode;
    for (int axis = 0; axis < 2; axis++)
        fits &= set->kernel[axis] == 2 && set->stride[axis] == 2 && set->padding[axis] == 0;
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
    int32_t *winners; /* place in the input image, of each output */
} maxpool2d_op;

typedef struct pool_pass {
    const dlz_op *op;
    const dlz_run *run;
} pool_pass;

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    maxpool2d_op *pool = op->own;
    pool->winners = NULL;
    if (setup->mode.gradients)
        DLZ_TRY(dlz_memory_ask_array(setup->memory, &pool->winners,
                                     setup->n * dlz_value_size(op->out), sizeof *pool->winners,
                                     setup->forward_time, setup->backward_time));
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradients(op, setup);
}

/* The pixel of the window at (y, x) that wins for one channel. */
static int64_t winner_of(const dlz_op *op, const float *image, int64_t y, int64_t x, int64_t c) {
    const maxpool2d *set = (const maxpool2d *)op->layer;
    int64_t channels = op->in->channels, width = op->in->width, best = -1;
    int64_t top = y * set->stride[0] - set->padding[0], left = x * set->stride[1] - set->padding[1];
    int64_t bottom = dlz_min_i64(top + set->kernel[0], op->in->height);
    int64_t right = dlz_min_i64(left + set->kernel[1], width);
    float most = 0;
    for (int64_t i = dlz_max_i64(top, 0); i < bottom; i++)
        for (int64_t j = dlz_max_i64(left, 0); j < right; j++) {
            float value = image[(i * width + j) * channels + c];
            if (best < 0 || value > most || isnan(value)) {
                best = i * width + j;
                most = value;
            }
        }
    return best;
}

static void forward_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const pool_pass *pass = context;
    const dlz_op *op = pass->op;
    const dlz_value *out = op->out;
    int64_t channels = out->channels, size = dlz_value_size(out);
    const float *image = op->in->data + sample * dlz_value_size(op->in);
    float *result = out->data + sample * size;
    int32_t *winners = ((const maxpool2d_op *)op->own)->winners;
    for (int64_t y = 0; y < out->height; y++)
        for (int64_t x = 0; x < out->width; x++)
            for (int64_t c = 0; c < channels; c++) {
                int64_t at = (y * out->width + x) * channels + c;
                int64_t winner = winner_of(op, image, y, x, c);
                result[at] = image[winner * channels + c];
                if (winners)
                    winners[sample * size + at] = (int32_t)winner;
            }
}

static void forward(dlz_op *op, const dlz_run *run) {
    pool_pass pass = {op, run};
    dlz_parallel_for(run->n, run->workers, forward_tile, &pass);
}

static void backward_tile(void *context, int64_t sample, int worker) {
    (void)worker;
    const pool_pass *pass = context;
    const dlz_op *op = pass->op;
    int64_t channels = op->out->channels, size = dlz_value_size(op->out);
    int64_t in_size = dlz_value_size(op->in);
    float *dx = op->in->dy + sample * in_size;
    const float *dy = op->out->gradient.dy + sample * size;
    const int32_t *winners = ((const maxpool2d_op *)op->own)->winners + sample * size;
    memset(dx, 0, (size_t)in_size * sizeof *dx);
    for (int64_t i = 0; i < size; i++)
        dx[winners[i] * channels + i % channels] += dy[i];
}

static void backward(dlz_op *op, const dlz_run *run) {
    if (!op->in->needs_gradient)
        return;
    pool_pass pass = {op, run};
    dlz_parallel_for(run->n, run->workers, backward_tile, &pass);
    dlz_op_give_gradients(op);
}

static const dlz_op_type maxpool2d_op_type = {
    .name = "maxpool2d",
    .own = sizeof(maxpool2d_op),
    .plan = plan,
    .forward = forward,
    .backward = backward,
};

static const dlz_setting settings[] = {
    {"kernel", DLZ_SETTING_PAIR, offsetof(maxpool2d, kernel), false},
    {"stride", DLZ_SETTING_PAIR, offsetof(maxpool2d, stride), false},
    {"padding", DLZ_SETTING_PAIR, offsetof(maxpool2d, padding), false},
    {"ceil_mode", DLZ_SETTING_BOOL, offsetof(maxpool2d, ceil_mode), false},
    {0},
};

const dlz_layer_type dlz_maxpool2d_type = {
    .name = "maxpool2d",
    .size = sizeof(maxpool2d),
    .settings = settings,
    .check = check,
    .infer = infer,
    .hand_on = hand_on,
    .stage = stage,
    .join = join,
    .op = &maxpool2d_op_type,
};
