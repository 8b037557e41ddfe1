/* layers/conv2d.h - what the convolution's operations know of the layer and have in common. */
#ifndef DLZ_LAYERS_CONV2D_H
#define DLZ_LAYERS_CONV2D_H

#include "graph/op.h"
#include "kernels/conv/conv2d.h"

/* Pairs are vertical, horizontal. */
typedef struct dlz_conv2d_layer {
    dlviz_layer base;
    int64_t out_channels;
    int64_t kernel[2], stride[2], padding[2], dilation[2];
    int64_t groups;
    bool bias;
} dlz_conv2d_layer;

/* Any kernel; 3 x 3 with stride and dilation 1; both in groups; and in groups of one channel
 * each. States: weight, bias. */
extern const dlz_op_type dlz_conv2d_op_type, dlz_conv3x3_op_type, dlz_conv2d_grouped_op_type,
    dlz_conv3x3_grouped_op_type, dlz_depthwise_op_type;

/* For `images` images of the operation, as if there were one group. */
dlz_conv2d_shape dlz_conv2d_shape_of(const dlz_op *op, int64_t images);

/* Factors of a row of the input, and of the output's gradient. */
typedef struct dlz_conv2d_factors {
    float *in_scale, *in_shift;
    float *scale, *shift, *a, *b, *center, *d;
} dlz_conv2d_factors;

dlviz_status dlz_conv2d_factors_ask(dlz_conv2d_factors *factors, const dlz_op *op,
                                    const dlz_setup *setup);
/* The input with what is pending, and the output's gradient, repeated along a row. */
dlz_conv2d_input dlz_conv2d_input_of(const dlz_conv2d_factors *factors, const dlz_op *op);
dlz_conv2d_gradient dlz_conv2d_gradient_of(const dlz_conv2d_factors *factors, const dlz_op *op);

/* Adds to a group's sums those that a batch norm wants of the input's gradient, where it does: of
 * pixels of all images whose gradient has just been written. `room` is for as many. */
void dlz_conv2d_add_sums(const dlz_value *in, int64_t group, int64_t first, int64_t pixels,
                         double *room);

/* The bias's gradient from sums of columns, in which pixels that count as one have their own. */
void dlz_conv2d_bias_sums(const dlz_conv2d_plan *plan, const double *columns, float *bias);

/* Carves the next array off a worker's scratch. */
float *dlz_carve(char **scratch, int64_t count);

/* Channels first ... first + count - 1 of so many pixels: out of an image, and back into one. */
void dlz_take_channels(const float *image, int64_t pixels, int64_t channels, int64_t first,
                       int64_t count, float *part);
void dlz_put_channels(const float *part, int64_t pixels, int64_t channels, int64_t first,
                      int64_t count, float *image);
/* Weights from PyTorch's order (output, channel, vertical, horizontal) to that of the patches of a
 * plan, (output, vertical, horizontal, channel), times scale[channel] unless NULL; then packed for
 * a product with the gradient of the outputs. `matrix` has room for them. */
void dlz_conv2d_pack_patches(const dlz_conv2d_plan *plan, const float *weights, const float *scale,
                             float *matrix, float *packed);

/* Whether the weights are small multiples of one power of 2, as filters made by hand are. With
 * such, sums of whole numbers are exact and may be equal, and a pool must find them equal:
 * Winograd's transforms would round them apart. Trained weights end the search at once. */
bool dlz_are_coarse(const float *weights, int64_t count);

#endif
