/* What the convolution's operations have in common. */
#include "base/base.h"
#include "kernels/gemm/gemm.h"
#include "layers/conv2d.h"

#include <limits.h>
#include <math.h>
#include <string.h>

dlz_conv2d_shape dlz_conv2d_shape_of(const dlz_op *op, int64_t images) {
    const dlz_conv2d_layer *set = (const dlz_conv2d_layer *)op->layer;
    dlz_conv2d_shape shape = {.images = images,
                              .height = op->in->height,
                              .width = op->in->width,
                              .channels = op->in->channels,
                              .out_height = op->out->height,
                              .out_width = op->out->width,
                              .outputs = op->out->channels};
    for (int axis = 0; axis < 2; axis++) {
        shape.kernel[axis] = set->kernel[axis];
        shape.stride[axis] = set->stride[axis];
        shape.padding[axis] = set->padding[axis];
        shape.dilation[axis] = set->dilation[axis];
    }
    return shape;
}

dlviz_status dlz_conv2d_factors_ask(dlz_conv2d_factors *factors, const dlz_op *op,
                                    const dlz_setup *setup) {
    int64_t in_row = op->in->width * op->in->channels + DLZ_CONV2D_SLACK;
    int64_t out_row = op->out->width * op->out->channels + DLZ_CONV2D_SLACK;
    int first = setup->forward_time, back = setup->backward_time;
    int last = setup->mode.gradients ? back : first;
    float **in[] = {&factors->in_scale, &factors->in_shift};
    for (size_t i = 0; i < 2; i++)
        DLZ_TRY(dlz_memory_ask_array(setup->memory, in[i], in_row, sizeof(float), first, last));
    float **out[] = {&factors->scale, &factors->shift,  &factors->a,
                     &factors->b,     &factors->center, &factors->d};
    for (size_t i = 0; setup->mode.gradients && i < 6; i++)
        DLZ_TRY(dlz_memory_ask_array(setup->memory, out[i], out_row, sizeof(float), back, back));
    return DLVIZ_OK;
}

dlz_conv2d_input dlz_conv2d_input_of(const dlz_conv2d_factors *factors, const dlz_op *op) {
    const dlz_value *in = op->in;
    if (!in->scale)
        return (dlz_conv2d_input){.data = in->data};
    dlz_conv2d_repeat(in->scale, in->channels, in->width * in->channels, factors->in_scale);
    dlz_conv2d_repeat(in->shift, in->channels, in->width * in->channels, factors->in_shift);
    return (dlz_conv2d_input){
        .data = in->data, .scale = factors->in_scale, .shift = factors->in_shift, .relu = in->relu};
}

/* Whether a batch norm's factors change nothing: there is none, only a relu. */
static bool is_identity(const dlz_gradient_view *view, int64_t channels) {
    for (int64_t c = 0; c < channels; c++)
        if (view->a[c] != 1 || view->b[c] != 0 || view->d[c] != 0)
            return false;
    return true;
}

dlz_conv2d_gradient dlz_conv2d_gradient_of(const dlz_conv2d_factors *factors, const dlz_op *op) {
    const dlz_gradient_view *view = &op->out->gradient;
    dlz_conv2d_gradient gradient = {.dy = view->dy, .z = view->z, .relu = view->relu};
    if (!view->z)
        return gradient;
    int64_t channels = op->out->channels, row = op->out->width * channels;
    if (view->relu) {
        dlz_conv2d_repeat(view->scale, channels, row, factors->scale);
        dlz_conv2d_repeat(view->shift, channels, row, factors->shift);
        gradient.scale = factors->scale;
        gradient.shift = factors->shift;
    }
    if (is_identity(view, channels))
        return gradient;
    dlz_conv2d_repeat(view->a, channels, row, factors->a);
    dlz_conv2d_repeat(view->b, channels, row, factors->b);
    dlz_conv2d_repeat(view->center, channels, row, factors->center);
    dlz_conv2d_repeat(view->d, channels, row, factors->d);
    gradient.a = factors->a;
    gradient.b = factors->b;
    gradient.center = factors->center;
    gradient.d = factors->d;
    return gradient;
}

void dlz_conv2d_add_sums(const dlz_value *in, int64_t group, int64_t first, int64_t pixels,
                         double *room) {
    int64_t channels = in->channels;
    if (!in->gradient_statistics.given || pixels <= 0)
        return;
    double *sums = in->gradient_statistics.partial + group * 2 * channels;
    dlz_value_gradient_sums(in, in->dy, first, pixels, room);
    for (int64_t i = 0; i < 2 * channels; i++)
        sums[i] += room[i];
}

void dlz_conv2d_bias_sums(const dlz_conv2d_plan *plan, const double *columns, float *bias) {
    int64_t outputs = plan->shape.outputs;
    for (int64_t o = 0; o < outputs; o++) {
        double sum = 0;
        for (int64_t c = o; c < plan->fast.columns; c += outputs)
            sum += columns[c];
        bias[o] = (float)sum;
    }
}

float *dlz_carve(char **scratch, int64_t count) {
    float *array = (float *)(void *)*scratch;
    size_t bytes = (size_t)count * sizeof(float);
    *scratch += (bytes + DLZ_ALIGNMENT - 1) / DLZ_ALIGNMENT * DLZ_ALIGNMENT;
    return array;
}

void dlz_take_channels(const float *image, int64_t pixels, int64_t channels, int64_t first,
                       int64_t count, float *part) {
    dlz_conv2d_rows()->move_pixels(pixels, count, image + first, channels, part, count);
}

void dlz_put_channels(const float *part, int64_t pixels, int64_t channels, int64_t first,
                      int64_t count, float *image) {
    dlz_conv2d_rows()->move_pixels(pixels, count, part, count, image + first, channels);
}

void dlz_conv2d_pack_patches(const dlz_conv2d_plan *plan, const float *weights, const float *scale,
                             float *matrix, float *packed) {
    int64_t area = plan->shape.kernel[0] * plan->shape.kernel[1], patch = plan->plain.depth;
    int64_t channels = plan->shape.channels, outputs = plan->shape.outputs;
    for (int64_t o = 0; o < outputs; o++)
        for (int64_t c = 0; c < channels; c++)
            for (int64_t place = 0; place < area; place++)
                matrix[o * patch + place * channels + c] = *weights++ * (scale ? scale[c] : 1);
    dlz_gemm product = {.n = patch, .k = outputs, .b = matrix, .ldb = patch};
    dlz_gemm_kernels()->pack(&product, packed);
}

bool dlz_are_coarse(const float *weights, int64_t count) {
    enum { DIGITS = 10 };
    int lowest = INT_MAX, highest = INT_MIN;
    for (int64_t i = 0; i < count; i++) {
        if (weights[i] == 0)
            continue;
        if (!isfinite(weights[i]))
            return false;
        int exponent, digits = 24;
        int32_t mantissa = (int32_t)ldexpf(frexpf(weights[i], &exponent), digits);
        digits -= __builtin_ctz((unsigned)mantissa);
        highest = exponent > highest ? exponent : highest;
        lowest = exponent - digits < lowest ? exponent - digits : lowest;
        if (highest - lowest > DIGITS)
            return false;
    }
    return highest > INT_MIN; /* zeros alone are exact either way */
}
