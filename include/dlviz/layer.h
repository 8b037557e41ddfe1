/* dlviz/layer.h - the layers a network is made of.
 *
 * A constructor returns a layer that waits to be handed to dlviz_network_add, which owns it from
 * then on: a layer is part of one network, once. Mistakes need no check here: a layer remembers its
 * first error (a bad argument, a failed allocation) and dlviz_network_build reports it. Once the
 * network is built, settings are DLVIZ_ERROR_STATE. Semantics and initial values are PyTorch's.
 *
 * Shapes are those of one image or row; the batch dimension comes in front and is free. */
#ifndef DLVIZ_LAYER_H
#define DLVIZ_LAYER_H

#include <dlviz/status.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One layer, not yet part of a network. To be used by one thread at a time. */
typedef struct dlviz_layer dlviz_layer;

/** For the `padding` of dlviz_conv2d: as many zeros as keep height and width at stride 1. Needs an
 *  odd extent of the dilated kernel. */
#define DLVIZ_PAD_SAME (-1)

/** 2-D convolution: (C, H, W) to (out_channels, H', W') with
 *  H' = floor((H + 2·padding − dilation·(kernel − 1) − 1) / stride) + 1, likewise W'.
 *  Parameters `weight` (out_channels, C / groups, kernel, kernel) and `bias` (out_channels), both
 *  drawn from U(−1/√fan_in, 1/√fan_in) with fan_in = C / groups·kernel². Stride, dilation and
 *  groups are 1 unless set.
 *  A 1-D convolution is one of height 1: signals (C, 1, W), dlviz_conv2d_set_kernel(layer, 1, k)
 *  and dlviz_conv2d_set_padding(layer, 0, padding); its weight (out_channels, C / groups, 1, k)
 *  holds PyTorch's (out_channels, C / groups, k).
 *  3 × 3 kernels of stride, dilation and padding 1 between 8 or more channels are computed by
 *  Winograd's algorithm F(4 × 4, 3 × 3), whose rounding errors are about 1e-6 of the outputs'
 *  deviation; parts of an image in which a few numbers are far larger than the others, and kernels
 * of whole numbers, are computed directly.
 *  @param out_channels 1 or more
 *  @param kernel       height and width of the kernel, 1 or more
 *  @param padding      zeros on each side, 0 or more, or DLVIZ_PAD_SAME */
DLVIZ_API dlviz_layer *dlviz_conv2d(int64_t out_channels, int64_t kernel, int64_t padding);
/** A kernel that is not square. Each setter below returns DLVIZ_ERROR_INVALID_ARGUMENT for a value
 * out of range or a layer of another kind, which the layer remembers as well. */
DLVIZ_API dlviz_status dlviz_conv2d_set_kernel(dlviz_layer *layer, int64_t height, int64_t width);
DLVIZ_API dlviz_status dlviz_conv2d_set_stride(dlviz_layer *layer, int64_t vertical,
                                               int64_t horizontal);
DLVIZ_API dlviz_status dlviz_conv2d_set_padding(dlviz_layer *layer, int64_t vertical,
                                                int64_t horizontal);
DLVIZ_API dlviz_status dlviz_conv2d_set_dilation(dlviz_layer *layer, int64_t vertical,
                                                 int64_t horizontal);
/** Parts channels and outputs into so many groups, each a convolution of its own: outputs
 *  g·out_channels/groups and on see channels g·C/groups and on. As many groups as channels give a
 *  depthwise convolution. Divides out_channels (else DLVIZ_ERROR_INVALID_ARGUMENT) and C (else
 *  dlviz_network_build returns DLVIZ_ERROR_SHAPE). */
DLVIZ_API dlviz_status dlviz_conv2d_set_groups(dlviz_layer *layer, int64_t groups);
/** Without a bias the layer has a weight only. */
DLVIZ_API dlviz_status dlviz_conv2d_set_bias(dlviz_layer *layer, bool bias);
/** The settings. 0 or false for NULL and for a layer of another kind; each of a pair's pointers may
 *  be NULL. DLVIZ_PAD_SAME is the number of zeros once the network is built. */
DLVIZ_API int64_t dlviz_conv2d_out_channels(const dlviz_layer *layer);
DLVIZ_API void dlviz_conv2d_kernel(const dlviz_layer *layer, int64_t *height, int64_t *width);
DLVIZ_API void dlviz_conv2d_stride(const dlviz_layer *layer, int64_t *vertical,
                                   int64_t *horizontal);
DLVIZ_API void dlviz_conv2d_padding(const dlviz_layer *layer, int64_t *vertical,
                                    int64_t *horizontal);
DLVIZ_API void dlviz_conv2d_dilation(const dlviz_layer *layer, int64_t *vertical,
                                     int64_t *horizontal);
DLVIZ_API int64_t dlviz_conv2d_groups(const dlviz_layer *layer);
DLVIZ_API bool dlviz_conv2d_bias(const dlviz_layer *layer);

/** Transposed 2-D convolution (PyTorch's ConvTranspose2d): (C, H, W) to (out_channels, H', W') with
 *  H' = (H − 1)·stride − 2·padding + dilation·(kernel − 1) + output_padding + 1, likewise W': what
 *  the gradient of the input is to a convolution of these settings. Parameters `weight` (C,
 *  out_channels / groups, kernel, kernel) and `bias` (out_channels), both drawn from
 *  U(−1/√fan_in, 1/√fan_in) with, as in PyTorch, fan_in = out_channels / groups·kernel². Padding
 * and output padding are 0, dilation and groups 1 unless set.
 *  @param out_channels 1 or more
 *  @param kernel       height and width of the kernel, 1 or more
 *  @param stride       1 or more, both ways */
DLVIZ_API dlviz_layer *dlviz_conv_transpose2d(int64_t out_channels, int64_t kernel, int64_t stride);
/** A kernel that is not square. Each setter below returns DLVIZ_ERROR_INVALID_ARGUMENT for a value
 *  out of range or a layer of another kind, which the layer remembers as well. */
DLVIZ_API dlviz_status dlviz_conv_transpose2d_set_kernel(dlviz_layer *layer, int64_t height,
                                                         int64_t width);
DLVIZ_API dlviz_status dlviz_conv_transpose2d_set_stride(dlviz_layer *layer, int64_t vertical,
                                                         int64_t horizontal);
/** Rows and columns left out on each side of the output, 0 or more. */
DLVIZ_API dlviz_status dlviz_conv_transpose2d_set_padding(dlviz_layer *layer, int64_t vertical,
                                                          int64_t horizontal);
/** Rows and columns more at the end, 0 or more: among the sizes that a convolution of this stride
 *  makes equal, which one is meant. Below the stride or the dilation, else dlviz_network_build
 *  returns DLVIZ_ERROR_SHAPE. */
DLVIZ_API dlviz_status dlviz_conv_transpose2d_set_output_padding(dlviz_layer *layer,
                                                                 int64_t vertical,
                                                                 int64_t horizontal);
DLVIZ_API dlviz_status dlviz_conv_transpose2d_set_dilation(dlviz_layer *layer, int64_t vertical,
                                                           int64_t horizontal);
/** As of dlviz_conv2d_set_groups. */
DLVIZ_API dlviz_status dlviz_conv_transpose2d_set_groups(dlviz_layer *layer, int64_t groups);
/** Without a bias the layer has a weight only. */
DLVIZ_API dlviz_status dlviz_conv_transpose2d_set_bias(dlviz_layer *layer, bool bias);
/** The settings, as those of dlviz_conv2d. */
DLVIZ_API int64_t dlviz_conv_transpose2d_out_channels(const dlviz_layer *layer);
DLVIZ_API void dlviz_conv_transpose2d_kernel(const dlviz_layer *layer, int64_t *height,
                                             int64_t *width);
DLVIZ_API void dlviz_conv_transpose2d_stride(const dlviz_layer *layer, int64_t *vertical,
                                             int64_t *horizontal);
DLVIZ_API void dlviz_conv_transpose2d_padding(const dlviz_layer *layer, int64_t *vertical,
                                              int64_t *horizontal);
DLVIZ_API void dlviz_conv_transpose2d_output_padding(const dlviz_layer *layer, int64_t *vertical,
                                                     int64_t *horizontal);
DLVIZ_API void dlviz_conv_transpose2d_dilation(const dlviz_layer *layer, int64_t *vertical,
                                               int64_t *horizontal);
DLVIZ_API int64_t dlviz_conv_transpose2d_groups(const dlviz_layer *layer);
DLVIZ_API bool dlviz_conv_transpose2d_bias(const dlviz_layer *layer);

/** Batch normalisation of each channel of (C, H, W), or of each number of (D): Ioffe & Szegedy
 * 2015, y = (x − mean) / √(var + eps) · weight + bias. Training uses the batch's mean and biased
 * variance and updates `running_mean`, `running_var` (unbiased) and `num_batches_tracked`;
 * evaluation uses the running ones. eps is 1e-5, momentum 0.1, weight starts at 1 and bias at 0. */
DLVIZ_API dlviz_layer *dlviz_batchnorm(void);
/** Added to the variance inside the root; above 0. */
DLVIZ_API dlviz_status dlviz_batchnorm_set_eps(dlviz_layer *layer, double eps);
/** running ← (1 − momentum)·running + momentum·batch; 0 to 1. */
DLVIZ_API dlviz_status dlviz_batchnorm_set_momentum(dlviz_layer *layer, double momentum);

/** Without weight and bias: y = (x − mean) / √(var + eps). */
DLVIZ_API dlviz_status dlviz_batchnorm_set_affine(dlviz_layer *layer, bool affine);

/** max(0, x), any shape. NaN stays NaN. */
DLVIZ_API dlviz_layer *dlviz_relu(void);

/** The maximum of each window of (C, H, W); windows do not overlap unless a stride is set. NaN
 * wins; of equal values the first (row by row) receives the gradient.
 *  @param kernel height and width of the window, 1 or more */
DLVIZ_API dlviz_layer *dlviz_maxpool2d(int64_t kernel);
DLVIZ_API dlviz_status dlviz_maxpool2d_set_kernel(dlviz_layer *layer, int64_t height,
                                                  int64_t width);
DLVIZ_API dlviz_status dlviz_maxpool2d_set_stride(dlviz_layer *layer, int64_t vertical,
                                                  int64_t horizontal);
/** Border that never wins; at most half the kernel. */
DLVIZ_API dlviz_status dlviz_maxpool2d_set_padding(dlviz_layer *layer, int64_t vertical,
                                                   int64_t horizontal);
/** Rounds the number of windows up: the last ones may reach over the end. Off unless set. */
DLVIZ_API dlviz_status dlviz_maxpool2d_set_ceil_mode(dlviz_layer *layer, bool ceil_mode);

/** In training each number is zeroed with probability p and the others are scaled by 1/(1 − p)
 *  (Srivastava et al. 2014, inverted); evaluation passes everything. The mask depends on the seed,
 * the step and the position in the batch alone. 0 <= p < 1. */
DLVIZ_API dlviz_layer *dlviz_dropout(double p);

/** y = x·weightᵀ + bias, (D) to (out_features). Parameters `weight` (out_features, D) and `bias`
 *  (out_features), both from U(−1/√D, 1/√D). */
DLVIZ_API dlviz_layer *dlviz_linear(int64_t out_features);
DLVIZ_API dlviz_status dlviz_linear_set_bias(dlviz_layer *layer, bool bias);

/** (C, H, W) to (C·H·W), channel by channel; any other shape likewise to one dimension. */
DLVIZ_API dlviz_layer *dlviz_flatten(void);

/** The sum of two or more inputs of one shape (dlviz_network_add_from). */
DLVIZ_API dlviz_layer *dlviz_add(void);

/** The product of two inputs of one shape, number by number; or of an image (C, H, W) and, as the
 * second input, a factor for each channel, (C) or (C, 1, 1), as in squeeze-and-excite. */
DLVIZ_API dlviz_layer *dlviz_multiply(void);

/** Two or more inputs one behind the other along the channels, in their order: images of one height
 * and width, (C1, H, W), (C2, H, W), … to (C1 + C2 + …, H, W); or (D1), (D2), … to (D1 + D2 + …).
 */
DLVIZ_API dlviz_layer *dlviz_concat(void);

/** For a layer that was never handed to a network; one that a network owns is left alone. NULL is
 *  allowed. */
DLVIZ_API void dlviz_layer_destroy(dlviz_layer *layer);

#ifdef __cplusplus
}
#endif
#endif
