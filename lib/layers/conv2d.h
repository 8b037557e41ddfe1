/* layers/conv2d.h - what the convolution's operations know of the layer. */
#ifndef DLZ_LAYERS_CONV2D_H
#define DLZ_LAYERS_CONV2D_H

#include "graph/op.h"

/* Pairs are vertical, horizontal. */
typedef struct dlz_conv2d_layer {
    dlviz_layer base;
    int64_t out_channels;
    int64_t kernel[2], stride[2], padding[2], dilation[2];
    bool bias;
} dlz_conv2d_layer;

/* Any kernel, and 3 x 3 with stride, padding and dilation 1. States: weight, bias. */
extern const dlz_op_type dlz_conv2d_op_type, dlz_conv3x3_op_type;

#endif
