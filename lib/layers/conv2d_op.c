/* 2-D convolution of any kernel, stride, padding and dilation as an implicit matrix product: a
 * block of output rows at a time, its input patches gathered into a matrix that stays in cache.
 *
 * With pixels p, patch places k = (vertical, horizontal, channel) and output channels o:
 *   forward          y[p, o] = sum_k x[p, k] w[k, o] + bias[o]
 *   weight gradient  dw[k, o] = sum_p x[p, k] dy[p, o]
 *   input gradient   dx[p, k] = sum_o dy[p, o] w[k, o], added up where patches overlap */
#include "base/base.h"
#include "base/parallel.h"
#include "kernels/gemm.h"
#include "kernels/post.h"
#include "layers/op.h"

#include <string.h>

/* Floats of gathered patches that a tile holds: half of a small second-level cache. */
#define PATCH_FLOATS 32768
/* Independent sums of the weight gradient: enough for as many threads, few enough to add up. */
#define MAX_GROUPS 8

typedef struct conv_pass {
    const dlz_op *op;
    const dlz_run *run;
    const dlz_conv2d_settings *set;
    int64_t patch, out_channels; /* k, o */
    int64_t tiles_per_image;
} conv_pass;

static conv_pass make_pass(const dlz_op *op, const dlz_run *run) {
    const dlz_conv2d_settings *set = op->as.conv2d.set;
    return (conv_pass){op,
                       run,
                       set,
                       set->kernel[0] * set->kernel[1] * op->in->channels,
                       op->out->channels,
                       dlz_ceil_div(op->out->height, op->as.conv2d.rows_per_tile)};
}

static dlviz_status plan(dlz_op *op, const dlz_setup *setup) {
    dlz_conv2d_op *conv = &op->as.conv2d;
    dlz_memory *memory = setup->memory;
    int64_t patch = conv->set->kernel[0] * conv->set->kernel[1] * op->in->channels;
    int64_t outputs = op->out->channels, width = op->out->width;
    int64_t rows = dlz_max_i64(1, PATCH_FLOATS / dlz_max_i64(1, patch * width));
    conv->rows_per_tile = dlz_min_i64(rows, op->out->height);
    conv->groups = dlz_min_i64(setup->n, MAX_GROUPS);
    int64_t tiles = setup->n * dlz_ceil_div(op->out->height, conv->rows_per_tile);
    int first = setup->forward_time, back = setup->backward_time;

    size_t matrix, bytes;
    uint64_t pixels = (uint64_t)(conv->rows_per_tile * width);
    /* Patches, the gradient of the output and of the patches. */
    if (dlz_mul_overflows(pixels, (uint64_t)(2 * patch + outputs) * sizeof(float), &matrix) ||
        dlz_add_overflows(matrix, DLZ_GEMM_SCRATCH_BYTES + 4 * DLZ_ALIGNMENT, &bytes))
        return dlz_fail_memory("the patches of a convolution", SIZE_MAX);
    dlz_memory_ask_scratch(memory, bytes);
    int64_t packed = (int64_t)dlz_gemm_kernels()->packed_size(patch, outputs);
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->matrix, patch * outputs, sizeof(float), first,
                                 setup->training ? back : first));
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->packed, packed, sizeof(float), first, first));
    DLZ_TRY(dlz_memory_ask_array(memory, &conv->folded_bias, outputs, sizeof(float), first, first));
    if (conv->fold.has_batchnorm) {
        DLZ_TRY(
            dlz_memory_ask_array(memory, &conv->fold.scale, outputs, sizeof(float), first, first));
        DLZ_TRY(
            dlz_memory_ask_array(memory, &conv->fold.shift, outputs, sizeof(float), first, first));
    }
    DLZ_TRY(dlz_op_ask_statistics(&op->out->statistics, outputs, tiles, first, memory));
    if (setup->training) {
        DLZ_TRY(dlz_memory_ask_array(memory, &conv->weight_sums, conv->groups * patch * outputs,
                                     sizeof(float), back, back));
        DLZ_TRY(dlz_memory_ask_array(memory, &conv->bias_sums, conv->groups * outputs,
                                     sizeof(double), back, back));
    }
    DLZ_TRY(dlz_op_ask_output(op, setup));
    return dlz_op_ask_input_gradient(op, setup);
}

/* Weights from PyTorch's order (o, channel, vertical, horizontal) to (k, o), times scale[o] if
 * given. */
static void order_weights(const dlz_op *op, const float *scale, float *matrix) {
    const dlz_conv2d_op *conv = &op->as.conv2d;
    int64_t area = conv->set->kernel[0] * conv->set->kernel[1];
    int64_t channels = op->in->channels, outputs = op->out->channels;
    const float *weight = conv->weight.value;
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t place = 0; place < area; place++)
                matrix[(place * channels + c) * outputs + o] =
                    weight[(o * channels + c) * area + place] * (scale ? scale[o] : 1);
}

/* One pixel's channels, with what is pending applied. */
static void load_pixel(const dlz_value *in, const float *from, float *to) {
    int64_t channels = in->channels;
    if (!in->scale) {
        memcpy(to, from, (size_t)channels * sizeof *to);
        return;
    }
    for (int64_t c = 0; c < channels; c++) {
        float value = from[c] * in->scale[c] + in->shift[c];
        to[c] = in->relu && value < 0 ? 0 : value;
    }
}

/* Walks over the patches of output rows first … first + rows − 1 of one image, a row of `patch`
 * floats a pixel: gathers them from the image, or as the adjoint adds them to it. */
static inline __attribute__((always_inline)) void
walk_patches(const conv_pass *pass, const bool gathers, const float *from, float *to, int64_t first,
             int64_t rows, float *patches) {
    const dlz_conv2d_settings *set = pass->set;
    const dlz_value *in = pass->op->in;
    int64_t channels = in->channels;
    int64_t top = dlz_conv2d_padding(set, 0), left = dlz_conv2d_padding(set, 1);
    for (int64_t y = first; y < first + rows; y++)
        for (int64_t x = 0; x < pass->op->out->width; x++)
            for (int64_t v = 0; v < set->kernel[0]; v++) {
                int64_t row = y * set->stride[0] - top + v * set->dilation[0];
                for (int64_t h = 0; h < set->kernel[1]; h++, patches += channels) {
                    int64_t column = x * set->stride[1] - left + h * set->dilation[1];
                    int64_t pixel = (row * in->width + column) * channels;
                    bool outside =
                        row < 0 || row >= in->height || column < 0 || column >= in->width;
                    if (gathers && outside)
                        memset(patches, 0, (size_t)channels * sizeof *patches);
                    else if (gathers)
                        load_pixel(in, from + pixel, patches);
                    else if (!outside)
                        for (int64_t c = 0; c < channels; c++)
                            to[pixel + c] += patches[c];
                }
            }
}

static void gather(const conv_pass *pass, const float *image, int64_t first, int64_t rows,
                   float *patches) {
    walk_patches(pass, true, image, NULL, first, rows, patches);
}

static void scatter(const conv_pass *pass, float *patches, int64_t first, int64_t rows,
                    float *image) {
    walk_patches(pass, false, NULL, image, first, rows, patches);
}

/* Carves the next array off a worker's scratch. */
static float *carve(char **scratch, int64_t count) {
    float *array = (float *)(void *)*scratch;
    size_t bytes = (size_t)count * sizeof(float);
    *scratch += (bytes + DLZ_ALIGNMENT - 1) / DLZ_ALIGNMENT * DLZ_ALIGNMENT;
    return array;
}

static void forward_tile(void *context, int64_t tile, int worker) {
    const conv_pass *pass = context;
    const dlz_op *op = pass->op;
    const dlz_conv2d_op *conv = &op->as.conv2d;
    int64_t image = tile / pass->tiles_per_image;
    int64_t first = tile % pass->tiles_per_image * conv->rows_per_tile;
    int64_t rows = dlz_min_i64(conv->rows_per_tile, op->out->height - first);
    int64_t pixels = rows * op->out->width, outputs = pass->out_channels;
    char *scratch = dlz_run_scratch(pass->run, worker);
    float *patches = carve(&scratch, pixels * pass->patch);
    gather(pass, op->in->data + image * dlz_value_size(op->in), first, rows, patches);
    float *y = op->out->data + image * dlz_value_size(op->out) + first * op->out->width * outputs;
    dlz_gemm product = {.m = pixels,
                        .n = outputs,
                        .k = pass->patch,
                        .a = patches,
                        .lda = pass->patch,
                        .c = y,
                        .ldc = outputs,
                        .bias = conv->folded_bias};
    dlz_gemm_kernels()->gemm_packed(&product, conv->packed, scratch);
    if (conv->fold.relu)
        for (int64_t i = 0; i < pixels * outputs; i++)
            y[i] = y[i] < 0 ? 0 : y[i];
    const dlz_statistics *statistics = &op->out->statistics;
    if (statistics->wanted)
        dlz_post_kernels()->sums(pixels, outputs, y, statistics->pivot,
                                 statistics->partial + tile * 2 * outputs);
}

static void forward(dlz_op *op, const dlz_run *run) {
    dlz_conv2d_op *conv = &op->as.conv2d;
    conv_pass pass = make_pass(op, run);
    dlz_fold_bias(&conv->fold, conv->bias.value, pass.out_channels, conv->folded_bias);
    const float *scale = conv->fold.has_batchnorm ? conv->fold.scale : NULL;
    order_weights(op, scale, conv->matrix);
    dlz_gemm weights = {
        .n = pass.out_channels, .k = pass.patch, .b = conv->matrix, .ldb = pass.out_channels};
    dlz_gemm_kernels()->pack(&weights, conv->packed);
    dlz_parallel_for(run->n * pass.tiles_per_image, run->workers, forward_tile, &pass);
}

/* The gradient of the convolution's output: as it lies in memory, or computed into `buffer`. */
static const float *load_gradient(const dlz_gradient_view *gradient, int64_t at, int64_t count,
                                  int64_t channels, float *buffer) {
    if (!gradient->z)
        return gradient->dy + at;
    const float *z = gradient->z + at, *dy = gradient->dy + at;
    for (int64_t i = 0; i < count; i += channels)
        for (int64_t c = 0; c < channels; c++) {
            bool passes = !gradient->relu || z[i + c] * gradient->scale[c] + gradient->shift[c] > 0;
            float g = passes ? dy[i + c] : 0;
            buffer[i + c] = gradient->a[c] * g + (gradient->b[c] * z[i + c] + gradient->d[c]);
        }
    return buffer;
}

static void backward_rows(const conv_pass *pass, int64_t group, int64_t image, int64_t first,
                          bool start, char *scratch) {
    const dlz_op *op = pass->op;
    const dlz_conv2d_op *conv = &op->as.conv2d;
    int64_t rows = dlz_min_i64(conv->rows_per_tile, op->out->height - first);
    int64_t pixels = rows * op->out->width, outputs = pass->out_channels, patch = pass->patch;
    int64_t in_at = image * dlz_value_size(op->in);
    int64_t out_at = image * dlz_value_size(op->out) + first * op->out->width * outputs;
    float *patches = carve(&scratch, pixels * patch), *buffer = carve(&scratch, pixels * outputs);
    float *dpatches = carve(&scratch, pixels * patch);
    const float *dy = load_gradient(&op->out->gradient, out_at, pixels * outputs, outputs, buffer);
    gather(pass, op->in->data + in_at, first, rows, patches);
    dlz_gemm weights = {.m = patch,
                        .n = outputs,
                        .k = pixels,
                        .a = patches,
                        .lda = patch,
                        .transpose_a = true,
                        .b = dy,
                        .ldb = outputs,
                        .c = conv->weight_sums + group * patch * outputs,
                        .ldc = outputs,
                        .accumulate = !start};
    dlz_gemm_kernels()->gemm(&weights, scratch);
    double *bias = conv->bias_sums + group * outputs;
    for (int64_t i = 0; i < pixels * outputs; i += outputs)
        for (int64_t o = 0; o < outputs; o++)
            bias[o] += (double)dy[i + o];
    if (!op->in->needs_gradient)
        return;
    dlz_gemm inputs = {.m = pixels,
                       .n = patch,
                       .k = outputs,
                       .a = dy,
                       .lda = outputs,
                       .b = conv->matrix,
                       .ldb = outputs,
                       .transpose_b = true,
                       .c = dpatches,
                       .ldc = patch};
    dlz_gemm_kernels()->gemm(&inputs, scratch);
    scatter(pass, dpatches, first, rows, op->in->dy + in_at);
}

static void backward_group(void *context, int64_t group, int worker) {
    const conv_pass *pass = context;
    const dlz_op *op = pass->op;
    const dlz_conv2d_op *conv = &op->as.conv2d;
    int64_t n = pass->run->n, first = group * n / conv->groups,
            end = (group + 1) * n / conv->groups;
    int64_t in_size = dlz_value_size(op->in);
    memset(conv->bias_sums + group * pass->out_channels, 0,
           (size_t)pass->out_channels * sizeof(double));
    for (int64_t image = first; image < end; image++) {
        if (op->in->needs_gradient)
            memset(op->in->dy + image * in_size, 0, (size_t)in_size * sizeof(float));
        for (int64_t row = 0; row < op->out->height; row += conv->rows_per_tile)
            backward_rows(pass, group, image, row, image == first && row == 0,
                          dlz_run_scratch(pass->run, worker));
    }
}

/* Adds the groups up in order, back in PyTorch's order of the weights. */
static void finish_weights(const dlz_op *op, const conv_pass *pass) {
    const dlz_conv2d_op *conv = &op->as.conv2d;
    int64_t area = pass->set->kernel[0] * pass->set->kernel[1], channels = op->in->channels;
    int64_t outputs = pass->out_channels, size = pass->patch * outputs;
    for (int64_t o = 0; o < outputs; o++) {
        for (int64_t c = 0; c < channels; c++)
            for (int64_t place = 0; place < area; place++) {
                const float *part = conv->weight_sums + (place * channels + c) * outputs + o;
                double sum = 0;
                for (int64_t group = 0; group < conv->groups; group++)
                    sum += (double)part[group * size];
                conv->weight.gradient[(o * channels + c) * area + place] = (float)sum;
            }
        double bias = 0;
        for (int64_t group = 0; group < conv->groups; group++)
            bias += conv->bias_sums[group * outputs + o];
        if (conv->bias.gradient)
            conv->bias.gradient[o] = (float)bias;
    }
}

static void backward(dlz_op *op, const dlz_run *run) {
    conv_pass pass = make_pass(op, run);
    dlz_parallel_for(op->as.conv2d.groups, run->workers, backward_group, &pass);
    finish_weights(op, &pass);
    if (op->in->needs_gradient)
        op->in->gradient = (dlz_gradient_view){.dy = op->in->dy};
}

const dlz_op_type dlz_conv2d_op_type = {"conv2d", plan, forward, backward};
