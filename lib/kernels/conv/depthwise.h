/* kernels/conv/depthwise.h - the 2-D convolution of each channel by itself, with one output of it
 * or several (the multiplier), of any kernel, stride, padding and dilation, float32.
 *
 * Activations are channels-last (image, row, column, channel), weights PyTorch's (outputs, 1,
 * kernel rows, kernel columns); output o is of channel o / multiplier. Work is done a block of
 * output rows at a time. The input rows that a block reads, and on the way back the rows of the
 * gradient, are laid out with zeros around them, with what is pending applied and each channel as
 * often as it has outputs. From there every number of a vector is one channel's:
 *
 *   forward            y[p, o] = bias[o] + sum_k x[p + k, o] w[k, o]
 *   weights' gradient  dw[k, o] += sum_p x[p + k, o] g[p, o]
 *   input's gradient   dx[p + k, o] += g[p, o] w[k, o], gathered for each place of the input
 *
 * Where channels do not fill vectors, at stride 1, so many neighboring pixels of a row count as
 * one that they do. Sums over pixels are taken in float for at most DLZ_DEPTHWISE_RUN of them, then
 * in double. */
#ifndef DLZ_KERNELS_CONV_DEPTHWISE_H
#define DLZ_KERNELS_CONV_DEPTHWISE_H

#include "kernels/conv/conv2d.h"

#define DLZ_DEPTHWISE_RUN 256
/* Independent sums of the weights' gradient: enough for as many threads, few enough to add up. */
#define DLZ_DEPTHWISE_GROUPS 8

typedef struct dlz_depthwise_plan {
    dlz_conv2d_shape shape;
    int64_t multiplier, taps;
    int64_t merged, columns; /* pixels that count as one, and its numbers: merged x outputs */
    int64_t step;            /* columns, rounded up to whole vectors: from one tap to the next */
    /* Floats of a row of the strip and of the gradient's, and the gradient's zeros in front. */
    int64_t row_floats, gradient_row_floats, gradient_left;
    bool in_place; /* vectors are whole, and each has an input of its own */
    int64_t halo;  /* rows of the gradient above a block that reach the input's rows of it */
    int64_t forward_rows, backward_rows; /* output rows of a block */
    /* Floats of a block's buffers, slack included. */
    int64_t strip_floats, gradient_floats, spare_floats;
} dlz_depthwise_plan;

/* Rows row ... row + rows - 1 of an image's output. */
typedef struct dlz_depthwise_block {
    int64_t image, row, rows;
} dlz_depthwise_block;

typedef struct dlz_depthwise_table {
    int64_t lanes;
    /* Lays the block's input rows out. `spare` is a buffer of the block. */
    void (*load)(const dlz_depthwise_plan *plan, const dlz_conv2d_input *input,
                 dlz_depthwise_block block, float *spare, float *strip);
    /* Likewise the gradient of the block's outputs, after that of the rows above which reach its
     * input. */
    void (*load_gradient)(const dlz_depthwise_plan *plan, const dlz_conv2d_gradient *gradient,
                          dlz_depthwise_block block, float *g);
    /* The block's part of y, which is that of all images; bias: plan->step numbers. */
    void (*forward)(const dlz_depthwise_plan *plan, const float *strip, dlz_depthwise_block block,
                    const float *weights, const float *bias, bool relu, float *y);
    /* The same where nothing is pending, of the input as it lies in memory, x, which is that of all
     * images: for plans that `in_place` says so of. */
    void (*forward_in_place)(const dlz_depthwise_plan *plan, const float *x,
                             dlz_depthwise_block block, const float *weights, const float *bias,
                             bool relu, float *y);
    /* sums += the block's part: for each tap, and after the last for the bias, plan->step numbers.
     */
    void (*add_weights)(const dlz_depthwise_plan *plan, const float *strip, const float *g,
                        dlz_depthwise_block block, double *sums);
    /* The rows of dx, which is that of all images, that belong to the block: each belongs to one.
     */
    void (*input_gradient)(const dlz_depthwise_plan *plan, const float *g,
                           dlz_depthwise_block block, const float *weights, float *spare,
                           float *dx);
} dlz_depthwise_table;

DLZ_KERNEL_TABLE(dlz_depthwise_table, dlz_depthwise_kernels)

/* Fails where buffers would not fit any memory. */
dlviz_status dlz_depthwise_plan_create(dlz_depthwise_plan *plan, const dlz_conv2d_shape *shape,
                                       dlz_isa isa);

/* Numbers that the tables read: weights for each tap, times scale[o] unless NULL; and one number an
 * output, as the bias is. */
void dlz_depthwise_pack(const dlz_depthwise_plan *plan, const float *weights, const float *scale,
                        float *packed);
void dlz_depthwise_pack_bias(const dlz_depthwise_plan *plan, const float *bias, float *packed);

/* The gradients from a group's sums, (taps + 1) x step numbers. */
void dlz_depthwise_finish(const dlz_depthwise_plan *plan, const double *sums, float *dw, float *db);

/* The rows of the input whose gradient belongs to a block: first ... end - 1. */
static inline void dlz_depthwise_input_rows(const dlz_depthwise_plan *plan,
                                            dlz_depthwise_block block, int64_t *first,
                                            int64_t *end) {
    const dlz_conv2d_shape *s = &plan->shape;
    int64_t top = block.row * s->stride[0] - s->padding[0];
    int64_t below = (block.row + block.rows) * s->stride[0] - s->padding[0];
    *first = block.row == 0 || top < 0 ? 0 : top;
    *end = block.row + block.rows == s->out_height || below > s->height ? s->height : below;
}

/* Rows above a block whose gradients are laid out before its own. */
static inline int64_t dlz_depthwise_halo(const dlz_depthwise_plan *plan,
                                         dlz_depthwise_block block) {
    return plan->halo < block.row ? plan->halo : block.row;
}

#endif
