#include "kernels/conv/depthwise.h"

#include <string.h>

/* Floats of a block's buffers that are worth keeping in a second-level cache. */
#define FORWARD_FLOATS 16384
#define BACKWARD_FLOATS 32768

static bool product_fails(int count, const int64_t *factors, int64_t *product) {
    return dlz_product_overflows(count, factors, product) || *product > INT64_MAX / 64;
}

static dlviz_status fail_memory(void) {
    return dlz_fail_memory("the rows of a convolution", SIZE_MAX);
}

static int64_t greatest_divisor(int64_t a, int64_t b) {
    while (b) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* So many pixels that they fill whole vectors, where a last one would stay too empty. */
static int64_t choose_merged(const dlz_conv2d_shape *shape, int64_t lanes) {
    int64_t rest = shape->outputs % lanes;
    if (shape->stride[1] != 1 || rest == 0 || shape->outputs >= 4 * lanes)
        return 1;
    return lanes / greatest_divisor(shape->outputs, lanes);
}

/* The largest quotient that is no more than a / b. */
static int64_t floor_div(int64_t a, int64_t b) {
    return a >= 0 ? a / b : -((b - 1 - a) / b);
}

/* Rows of `each` floats that fit, cut into blocks that are about equal; not so few that the rows
 * above them, which each block lays out again, are most of the work. */
static int64_t rows_within(int64_t rows, int64_t above, int64_t each, int64_t most) {
    int64_t fit = dlz_max_i64(most / dlz_max_i64(1, each) - above, 2 * above);
    int64_t blocks = dlz_ceil_div(rows, dlz_max_i64(1, fit));
    return dlz_ceil_div(rows, blocks);
}

static dlviz_status choose_rows(dlz_depthwise_plan *plan) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t outputs = s->outputs, pixels = dlz_ceil_div(s->out_width, plan->merged) * plan->merged;
    int64_t in_pixels = dlz_ceil_div(s->width, plan->merged) * plan->merged;
    int64_t extent = (s->kernel[1] - 1) * s->dilation[1];
    int64_t in_columns = (pixels - 1) * s->stride[1] + extent + 1;
    int64_t left = -dlz_min_i64(0, floor_div(s->padding[1] - extent, s->stride[1]));
    int64_t right = (in_pixels - 1 + s->padding[1]) / s->stride[1] + 1;
    int64_t columns = left + dlz_max_i64(pixels, right);
    if (product_fails(2, (const int64_t[]){in_columns, outputs}, &plan->row_floats) ||
        product_fails(2, (const int64_t[]){columns, outputs}, &plan->gradient_row_floats))
        return fail_memory();
    plan->gradient_left = left * outputs;
    int64_t down = (s->kernel[0] - 1) * s->dilation[0], stride = s->stride[0];
    plan->halo = dlz_ceil_div(down, stride);
    plan->forward_rows =
        rows_within(s->out_height, plan->halo, plan->row_floats * stride, FORWARD_FLOATS);
    plan->backward_rows =
        rows_within(s->out_height, plan->halo,
                    plan->row_floats * stride + plan->gradient_row_floats, BACKWARD_FLOATS);
    int64_t most = dlz_max_i64(plan->forward_rows, plan->backward_rows);
    const int64_t strip[] = {(most - 1) * stride + down + 1, plan->row_floats};
    const int64_t gradient[] = {plan->backward_rows + plan->halo, plan->gradient_row_floats};
    if (product_fails(2, strip, &plan->strip_floats) ||
        product_fails(2, gradient, &plan->gradient_floats))
        return fail_memory();
    plan->strip_floats += DLZ_CONV2D_SLACK;
    plan->gradient_floats += DLZ_CONV2D_SLACK;
    return DLVIZ_OK;
}

dlviz_status dlz_depthwise_plan_create(dlz_depthwise_plan *plan, const dlz_conv2d_shape *shape,
                                       dlz_isa isa) {
    int64_t lanes = dlz_depthwise_kernels_of(isa)->lanes, product;
    *plan = (dlz_depthwise_plan){.shape = *shape, .multiplier = shape->outputs / shape->channels};
    const int64_t packed[] = {shape->kernel[0], shape->kernel[1], shape->outputs + lanes, lanes};
    const int64_t row[] = {shape->width + lanes, shape->outputs};
    const int64_t out_row[] = {shape->out_width + lanes, shape->outputs, shape->stride[1]};
    if (product_fails(4, packed, &product) || product_fails(3, out_row, &product) ||
        product_fails(2, row, &plan->spare_floats))
        return fail_memory();
    plan->spare_floats += DLZ_CONV2D_SLACK;
    plan->taps = shape->kernel[0] * shape->kernel[1];
    plan->merged = choose_merged(shape, lanes);
    plan->columns = plan->merged * shape->outputs;
    plan->step = dlz_ceil_div(plan->columns, lanes) * lanes;
    plan->in_place = plan->multiplier == 1 && plan->merged == 1 && shape->outputs % lanes == 0;
    return choose_rows(plan);
}

void dlz_depthwise_pack(const dlz_depthwise_plan *plan, const float *weights, const float *scale,
                        float *packed) {
    int64_t outputs = plan->shape.outputs, taps = plan->taps;
    memset(packed, 0, (size_t)(taps * plan->step) * sizeof *packed);
    for (int64_t tap = 0; tap < taps; tap++)
        for (int64_t i = 0; i < plan->columns; i++) {
            int64_t o = i % outputs;
            packed[tap * plan->step + i] = weights[o * taps + tap] * (scale ? scale[o] : 1);
        }
}

void dlz_depthwise_pack_bias(const dlz_depthwise_plan *plan, const float *bias, float *packed) {
    for (int64_t i = 0; i < plan->step; i++)
        packed[i] = i < plan->columns ? bias[i % plan->shape.outputs] : 0;
}

void dlz_depthwise_finish(const dlz_depthwise_plan *plan, const double *sums, float *dw,
                          float *db) {
    int64_t outputs = plan->shape.outputs, taps = plan->taps;
    for (int64_t tap = 0; tap <= taps; tap++)
        for (int64_t o = 0; o < outputs; o++) {
            double sum = 0;
            for (int64_t i = o; i < plan->columns; i += outputs)
                sum += sums[tap * plan->step + i];
            if (tap < taps)
                dw[o * taps + tap] = (float)sum;
            else
                db[o] = (float)sum;
        }
}
