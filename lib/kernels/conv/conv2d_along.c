#include "kernels/conv/conv2d_along.h"

#include <string.h>

/* The weights' transforms: (4, 3), (4, 4), (3, 5). */
static const double taps_3[6][3] = {
    {1, 0, 0},
    {-1.0 / 3, -1.0 / 3, -1.0 / 3},
    {1.0 / 3, -1.0 / 3, 1.0 / 3},
    {1.0 / 15, 2.0 / 15, 4.0 / 15},
    {-16.0 / 15, 8.0 / 15, -4.0 / 15},
    {0, 0, 1},
};
static const double taps_4[7][4] = {
    {-2, 0, 0, 0},
    {-2.0 / 3, -2.0 / 3, -2.0 / 3, -2.0 / 3},
    {-2.0 / 9, 2.0 / 9, -2.0 / 9, 2.0 / 9},
    {2.0 / 45, 4.0 / 45, 8.0 / 45, 16.0 / 45},
    {16.0 / 9, 8.0 / 9, 4.0 / 9, 2.0 / 9},
    {16.0 / 15, -8.0 / 15, 4.0 / 15, -2.0 / 15},
    {0, 0, 0, 1},
};
static const double taps_5[7][5] = {
    {-2, 0, 0, 0, 0},
    {-2.0 / 3, -2.0 / 3, -2.0 / 3, -2.0 / 3, -2.0 / 3},
    {-2.0 / 9, 2.0 / 9, -2.0 / 9, 2.0 / 9, -2.0 / 9},
    {2.0 / 45, 4.0 / 45, 8.0 / 45, 16.0 / 45, 32.0 / 45},
    {16.0 / 9, 8.0 / 9, 4.0 / 9, 2.0 / 9, 1.0 / 9},
    {16.0 / 15, -8.0 / 15, 4.0 / 15, -2.0 / 15, 1.0 / 15},
    {0, 0, 0, 0, 1},
};

double dlz_along_weight(const dlz_conv2d_along *along, int64_t q, int64_t j) {
    return along->taps == 3 ? taps_3[q][j] : along->taps == 4 ? taps_4[q][j] : taps_5[q][j];
}

/* Rows and runs that one product takes; narrower rows are left to the plain form. */
enum { NARROW = 8, LONGEST_RUN = DLZ_CONV2D_DEPTH };

/* Vectors multiplied for a row of outputs, the transforms' included. */
static int64_t cost(const dlz_conv2d_plan *plan, const dlz_conv2d_along *along) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t vectors = dlz_ceil_div(s->outputs, plan->lanes);
    int64_t data = dlz_ceil_div(along->run, plan->lanes) * s->stride[0];
    return along->tiles * along->points *
           (vectors * (along->depth + along->outputs) + data * along->points);
}

static int64_t plain_cost(const dlz_conv2d_plan *plan) {
    const dlz_conv2d_shape *s = &plan->shape;
    return plan->fast.width * plan->fast.window * dlz_ceil_div(plan->fast.columns, plan->lanes) *
           s->kernel[0] * s->channels;
}

dlz_conv2d_along dlz_along_choose(const dlz_conv2d_plan *plan) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t taps = dlz_ceil_div(s->kernel[1], s->stride[1]);
    dlz_conv2d_along along = {.run = s->stride[1] * s->channels, .taps = taps};
    if (taps < 3 || taps > DLZ_ALONG_TAPS || s->dilation[1] != 1 || s->out_width < NARROW ||
        along.run > LONGEST_RUN)
        return (dlz_conv2d_along){0};
    along.outputs = taps == 5 ? 3 : 4;
    along.points = along.outputs + taps - 1;
    along.depth = s->kernel[0] * along.run;
    along.tiles = dlz_ceil_div(s->out_width, along.outputs);
    along.plane = along.tiles * along.run + DLZ_CONV2D_SLACK;
    along.row_floats = along.points * along.plane;
    return 10 * cost(plan, &along) <= 7 * plain_cost(plan) ? along : (dlz_conv2d_along){0};
}

/* What one row of the kernel, of one channel and phase, gives for the columns of a panel at every
 * point: to[q * plane + column]. */
static void pack_taps(const dlz_conv2d_plan *plan, const float *weights, const float *scale,
                      int64_t first, int64_t count, int64_t phase, int64_t plane, float *to) {
    const dlz_conv2d_shape *s = &plan->shape;
    const dlz_conv2d_along *along = &plan->along;
    int64_t output = s->channels * s->kernel[0] * s->kernel[1], stride = s->stride[1];
    double taps[DLZ_ALONG_TAPS][DLZ_CONV2D_SLACK] = {{0}};
    int64_t inside = dlz_ceil_div(s->kernel[1] - phase, stride);
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < inside; j++)
            taps[j][i] = (double)weights[(first + i) * output + j * stride] *
                         (scale ? (double)scale[first + i] : 1);
    for (int64_t q = 0; q < along->points; q++, to += plane) {
        double sums[DLZ_CONV2D_SLACK] = {0};
        for (int64_t j = 0; j < inside; j++) {
            double factor = dlz_along_weight(along, q, j);
            for (int64_t i = 0; i < count; i++)
                sums[i] += factor * taps[j][i];
        }
        for (int64_t i = 0; i < count; i++)
            to[i] = (float)sums[i];
    }
}

/* One panel of columns: points, in each the kernel's rows, in each a run. */
static void pack_panel(const dlz_conv2d_plan *plan, const float *weights, const float *scale,
                       int64_t first, int64_t step, float *to) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t count = dlz_min_i64(step, s->outputs - first), plane = plan->along.depth * step;
    memset(to, 0, (size_t)(plan->along.points * plane) * sizeof *to);
    for (int64_t v = 0; v < s->kernel[0]; v++)
        for (int64_t phase = 0; phase < s->stride[1]; phase++)
            for (int64_t c = 0; c < s->channels; c++, to += step)
                if (phase < s->kernel[1])
                    pack_taps(plan, weights + (c * s->kernel[0] + v) * s->kernel[1] + phase, scale,
                              first, count, phase, plane, to);
}

void dlz_along_pack(const dlz_conv2d_plan *plan, const float *weights, const float *scale,
                    float *packed) {
    int64_t wide = 2 * plan->lanes, outputs = plan->shape.outputs;
    for (int64_t first = 0; first < outputs; first += wide)
        pack_panel(plan, weights, scale, first, outputs - first > plan->lanes ? wide : plan->lanes,
                   packed + first * plan->along.points * plan->along.depth);
}
