/* layers/conv_transpose2d.h - what the transposed convolution's operation knows of the layer. */
#ifndef DLZ_LAYERS_CONV_TRANSPOSE2D_H
#define DLZ_LAYERS_CONV_TRANSPOSE2D_H

#include "layers/conv2d.h"

/* Pairs are vertical, horizontal. */
typedef struct dlz_conv_transpose2d_layer {
    dlviz_layer base;
    int64_t out_channels;
    int64_t kernel[2], stride[2], padding[2], output_padding[2], dilation[2];
    int64_t groups;
    bool bias;
} dlz_conv_transpose2d_layer;

/* States: weight, bias. */
extern const dlz_op_type dlz_conv_transpose2d_op_type;

#endif
