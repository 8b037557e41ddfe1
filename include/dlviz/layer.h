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
 *  H' = floor((H + 2·padding − dilation·(kernel − 1) − 1) / stride) + 1, likewise W'. Parameters
 *  `weight` (out_channels, C / groups, kernel, kernel) and `bias` (out_channels), both drawn from
 *  U(−1/√fan_in, 1/√fan_in) with fan_in = C / groups·kernel². Stride, dilation and groups are 1
 *  unless set.
 *  A 1-D convolution is one of height 1: signals (C, 1, W), dlviz_conv2d_set_kernel(layer, 1, k)
 *  and dlviz_conv2d_set_padding(layer, 0, padding); its weight (out_channels, C / groups, 1, k)
 *  holds PyTorch's (out_channels, C / groups, k).
 *  3 × 3 kernels of stride, dilation and padding 1 between 8 or more channels are computed by
 *  Winograd's algorithm F(4 × 4, 3 × 3), whose rounding errors are about 1e-6 of the outputs'
 *  deviation; parts of an image in which a few numbers are far larger than the others, and kernels
 *  of whole numbers, are computed directly.
 *  @param out_channels 1 or more
 *  @param kernel       height and width of the kernel, 1 or more
 *  @param padding      zeros on each side, 0 or more, or DLVIZ_PAD_SAME. (PyTorch's third argument
 *                      is the stride: here that is dlviz_conv2d_set_stride.) */
DLVIZ_API dlviz_layer *dlviz_conv2d(int64_t out_channels, int64_t kernel, int64_t padding);
/** A kernel that is not square. Each setter below returns DLVIZ_ERROR_INVALID_ARGUMENT for a value
 *  out of range or a layer of another kind, which the layer remembers as well. */
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
 *  out_channels / groups, kernel, kernel) and `bias` (out_channels), both drawn from U(−1/√fan_in,
 *  1/√fan_in) with, as in PyTorch, fan_in = out_channels / groups·kernel². Padding and output
 *  padding are 0, dilation and groups 1 unless set.
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
/** Extra rows at the bottom and columns at the right of the output, 0 or more: a convolution with
 *  this stride gives several input sizes the same output size, and this picks one of them. Must be
 *  below the stride or the dilation, else dlviz_network_build returns DLVIZ_ERROR_SHAPE. */
DLVIZ_API dlviz_status dlviz_conv_transpose2d_set_output_padding(dlviz_layer *layer,
                                                                 int64_t vertical,
                                                                 int64_t horizontal);
DLVIZ_API dlviz_status dlviz_conv_transpose2d_set_dilation(dlviz_layer *layer, int64_t vertical,
                                                           int64_t horizontal);
/** Like dlviz_conv2d_set_groups. */
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

/** Batch normalization of each channel of (C, H, W), or of each number of (D): Ioffe & Szegedy
 *  2015, y = (x − mean) / √(var + eps) · weight + bias. Training uses the batch's mean and biased
 *  variance and updates `running_mean`, `running_var` (unbiased) and `num_batches_tracked`;
 *  evaluation uses the running ones. eps is 1e-5, momentum 0.1, weight starts at 1 and bias at
 *  0. It is computed as x·scale + shift in float32, as by PyTorch on a CPU: where a channel's mean
 *  is many times its deviation, y is off by up to 6e-8·|mean|/deviation. Normalize such inputs:
 *  dlviz_dataset_set_channel_normalization. */
DLVIZ_API dlviz_layer *dlviz_batchnorm(void);
/** Added to the variance inside the root; 1e-60 to 1e30. */
DLVIZ_API dlviz_status dlviz_batchnorm_set_eps(dlviz_layer *layer, double eps);
DLVIZ_API double dlviz_batchnorm_eps(const dlviz_layer *layer);
/** running ← (1 − momentum)·running + momentum·batch; 0 to 1. */
DLVIZ_API dlviz_status dlviz_batchnorm_set_momentum(dlviz_layer *layer, double momentum);
DLVIZ_API double dlviz_batchnorm_momentum(const dlviz_layer *layer);

/** Without weight and bias: y = (x − mean) / √(var + eps). */
DLVIZ_API dlviz_status dlviz_batchnorm_set_affine(dlviz_layer *layer, bool affine);
DLVIZ_API bool dlviz_batchnorm_affine(const dlviz_layer *layer);

/** Layer normalization (Ba, Kiros & Hinton 2016) over a whole sample, (C, H, W) or (D): y = (x −
 *  mean) / √(var + eps) · weight + bias with the sample's own mean and biased variance, in training
 *  and in evaluation. Parameters `weight` and `bias` have the sample's shape and start at 1 and 0.
 *  eps is 1e-5. */
DLVIZ_API dlviz_layer *dlviz_layernorm(void);
/** Added to the variance inside the root; 1e-60 to 1e30. Else DLVIZ_ERROR_INVALID_ARGUMENT,
 *  as for a layer of another kind. */
DLVIZ_API dlviz_status dlviz_layernorm_set_eps(dlviz_layer *layer, double eps);
/** Without weight and bias: y = (x − mean) / √(var + eps). */
DLVIZ_API dlviz_status dlviz_layernorm_set_affine(dlviz_layer *layer, bool affine);
/** NaN, or false, for NULL or a layer of another kind; so for the layers below. */
DLVIZ_API double dlviz_layernorm_eps(const dlviz_layer *layer);
DLVIZ_API bool dlviz_layernorm_affine(const dlviz_layer *layer);

/** Group normalization (Wu & He 2018) of (C, H, W) or (D): the channels in num_groups groups of C /
 *  num_groups neighbors, each brought to mean 0 and deviation 1 as by dlviz_layernorm. Parameters
 *  `weight` and `bias` (C) start at 1 and 0. eps is 1e-5.
 *  @param num_groups 1 or more; must divide the channels, else dlviz_network_build fails with
 *                    DLVIZ_ERROR_SHAPE */
DLVIZ_API dlviz_layer *dlviz_groupnorm(int64_t num_groups);
DLVIZ_API dlviz_status dlviz_groupnorm_set_eps(dlviz_layer *layer, double eps);
DLVIZ_API dlviz_status dlviz_groupnorm_set_affine(dlviz_layer *layer, bool affine);
DLVIZ_API int64_t dlviz_groupnorm_num_groups(const dlviz_layer *layer);
DLVIZ_API double dlviz_groupnorm_eps(const dlviz_layer *layer);
DLVIZ_API bool dlviz_groupnorm_affine(const dlviz_layer *layer);

/** Instance normalization (Ulyanov, Vedaldi & Lempitsky 2016) of (C, H, W): each channel of each
 *  image to mean 0 and deviation 1, in training and in evaluation; there are no running statistics.
 *  Needs two pixels or more. eps is 1e-5. No parameters, unless affine is set: `weight` and `bias`
 *  (C), which start at 1 and 0. */
DLVIZ_API dlviz_layer *dlviz_instancenorm2d(void);
DLVIZ_API dlviz_status dlviz_instancenorm2d_set_eps(dlviz_layer *layer, double eps);
DLVIZ_API dlviz_status dlviz_instancenorm2d_set_affine(dlviz_layer *layer, bool affine);
DLVIZ_API double dlviz_instancenorm2d_eps(const dlviz_layer *layer);
DLVIZ_API bool dlviz_instancenorm2d_affine(const dlviz_layer *layer);

/** max(0, x), any shape. NaN stays NaN. */
DLVIZ_API dlviz_layer *dlviz_relu(void);

/* The activations below take any shape, too, number by number, and NaN stays NaN. Each is computed
 * along with a convolution or batch norm before it. A getter of NULL or of another kind gives NaN.
 */

/** x for x > 0, else negative_slope · x; PyTorch's default is 0.01.
 *  @param negative_slope any finite number that a float can hold */
DLVIZ_API dlviz_layer *dlviz_leaky_relu(double negative_slope);
DLVIZ_API double dlviz_leaky_relu_negative_slope(const dlviz_layer *layer);

/** x for x > 0, else alpha · (e^x − 1); PyTorch's default is 1.
 *  @param alpha any finite number that a float can hold */
DLVIZ_API dlviz_layer *dlviz_elu(double alpha);
DLVIZ_API double dlviz_elu_alpha(const dlviz_layer *layer);

/** x · Φ(x), with the distribution function of the normal distribution (Hendrycks & Gimpel 2016);
 *  the exact one, as PyTorch's GELU is. */
DLVIZ_API dlviz_layer *dlviz_gelu(void);
/** Its approximation x/2 · (1 + tanh(√(2/π) · (x + 0.044715 · x³))), PyTorch's
 *  GELU(approximate="tanh"). */
DLVIZ_API dlviz_layer *dlviz_gelu_tanh(void);

/** x / (1 + e^−x), also called swish. */
DLVIZ_API dlviz_layer *dlviz_silu(void);

/** 1 / (1 + e^−x). */
DLVIZ_API dlviz_layer *dlviz_sigmoid(void);

/** The hyperbolic tangent. */
DLVIZ_API dlviz_layer *dlviz_tanh(void);

/** ln(1 + e^(beta · x)) / beta, and x where beta · x is above the threshold. beta is 1 and the
 *  threshold 20 unless set. */
DLVIZ_API dlviz_layer *dlviz_softplus(void);
/** 1e-30 to 1e30. */
DLVIZ_API dlviz_status dlviz_softplus_set_beta(dlviz_layer *layer, double beta);
/** Any finite number that a float can hold. */
DLVIZ_API dlviz_status dlviz_softplus_set_threshold(dlviz_layer *layer, double threshold);
DLVIZ_API double dlviz_softplus_beta(const dlviz_layer *layer);
DLVIZ_API double dlviz_softplus_threshold(const dlviz_layer *layer);

/** x · min(max(x + 3, 0), 6) / 6. */
DLVIZ_API dlviz_layer *dlviz_hardswish(void);

/** exp(x_c) / Σ exp(x_k) over the channels of each pixel of (C, H, W), or over (D); PyTorch's with
 *  dim = 1. Cross-entropy wants the numbers before it. */
DLVIZ_API dlviz_layer *dlviz_softmax(void);
/** Its logarithm, which keeps its digits where probabilities are almost 0 or 1. */
DLVIZ_API dlviz_layer *dlviz_log_softmax(void);

/** The maximum of each window of (C, H, W); windows do not overlap unless a stride is set. NaN
 *  wins; of equal values the first (row by row) receives the gradient.
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
/** The settings; 0 and false for NULL or a layer of another kind. */
DLVIZ_API void dlviz_maxpool2d_kernel(const dlviz_layer *layer, int64_t *height, int64_t *width);
DLVIZ_API void dlviz_maxpool2d_stride(const dlviz_layer *layer, int64_t *vertical,
                                      int64_t *horizontal);
DLVIZ_API void dlviz_maxpool2d_padding(const dlviz_layer *layer, int64_t *vertical,
                                       int64_t *horizontal);
DLVIZ_API bool dlviz_maxpool2d_ceil_mode(const dlviz_layer *layer);

/** The average of each window of (C, H, W); windows do not overlap unless a stride is set. Without
 *  padding and ceil mode H' = floor((H − kernel) / stride) + 1, likewise W'; an input smaller than
 *  the window is DLVIZ_ERROR_SHAPE when the network is built.
 *  @param kernel height and width of the window, 1 or more */
DLVIZ_API dlviz_layer *dlviz_avgpool2d(int64_t kernel);
/** As the setters of dlviz_maxpool2d: DLVIZ_ERROR_INVALID_ARGUMENT for a value out of range or a
 *  layer of another kind, which the layer remembers as well. */
DLVIZ_API dlviz_status dlviz_avgpool2d_set_kernel(dlviz_layer *layer, int64_t height,
                                                  int64_t width);
DLVIZ_API dlviz_status dlviz_avgpool2d_set_stride(dlviz_layer *layer, int64_t vertical,
                                                  int64_t horizontal);
/** Border of zeros; at most half the kernel. */
DLVIZ_API dlviz_status dlviz_avgpool2d_set_padding(dlviz_layer *layer, int64_t vertical,
                                                   int64_t horizontal);
/** Rounds the number of windows up: the last ones may reach over the end, and what lies there does
 *  not count. Off unless set. */
DLVIZ_API dlviz_status dlviz_avgpool2d_set_ceil_mode(dlviz_layer *layer, bool ceil_mode);
/** Whether the padding's zeros count: then all sums are divided by the window's size. On unless
 *  set. */
DLVIZ_API dlviz_status dlviz_avgpool2d_set_count_include_pad(dlviz_layer *layer,
                                                             bool count_include_pad);
/** The settings; 0 and false for NULL or a layer of another kind. */
DLVIZ_API void dlviz_avgpool2d_kernel(const dlviz_layer *layer, int64_t *height, int64_t *width);
DLVIZ_API void dlviz_avgpool2d_stride(const dlviz_layer *layer, int64_t *vertical,
                                      int64_t *horizontal);
DLVIZ_API void dlviz_avgpool2d_padding(const dlviz_layer *layer, int64_t *vertical,
                                       int64_t *horizontal);
DLVIZ_API bool dlviz_avgpool2d_ceil_mode(const dlviz_layer *layer);
DLVIZ_API bool dlviz_avgpool2d_count_include_pad(const dlviz_layer *layer);

/** The average of each channel, (C, H, W) to (C): PyTorch's adaptive_avg_pool2d(1) followed by
 *  flatten. */
DLVIZ_API dlviz_layer *dlviz_global_avgpool2d(void);

/** Averages of (C, H, W) as (C, height, width), whatever H and W: row y is that of the rows from
 *  floor(y·H / height) to below ceil((y + 1)·H / height), likewise the columns.
 *  @param height  of the output, 1 to 32768
 *  @param width   of the output, 1 to 32768 */
DLVIZ_API dlviz_layer *dlviz_adaptive_avgpool2d(int64_t height, int64_t width);
/** 0 and 0 for NULL or a layer of another kind. */
DLVIZ_API void dlviz_adaptive_avgpool2d_size(const dlviz_layer *layer, int64_t *height,
                                             int64_t *width);

/** How the pixels between pixels are made. */
typedef enum dlviz_interpolation {
    DLVIZ_INTERPOLATION_NEAREST, /* the pixel there, rounded down */
    DLVIZ_INTERPOLATION_BILINEAR /* the four pixels around, by their distance */
} dlviz_interpolation;

/** (C, H, W) to (C, H·height_factor, W·width_factor), of the nearest pixels unless a mode is set.
 *  @param height_factor  1 to 32768
 *  @param width_factor   1 to 32768 */
DLVIZ_API dlviz_layer *dlviz_upsample(int64_t height_factor, int64_t width_factor);
/** Gives the output's size instead, larger or smaller than the input; 1 or more each. */
DLVIZ_API dlviz_status dlviz_upsample_set_size(dlviz_layer *layer, int64_t height, int64_t width);
DLVIZ_API dlviz_status dlviz_upsample_set_mode(dlviz_layer *layer, dlviz_interpolation mode);
/** Whether the centers of the corner pixels stay where they are; if not, as by default, the image's
 *  outer edges do. Only for DLVIZ_INTERPOLATION_BILINEAR: with another mode dlviz_network_build
 *  returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_API dlviz_status dlviz_upsample_set_align_corners(dlviz_layer *layer, bool align_corners);
/** The factors that it was made with; 0 and 0 for NULL or a layer of another kind. */
DLVIZ_API void dlviz_upsample_factors(const dlviz_layer *layer, int64_t *height_factor,
                                      int64_t *width_factor);
/** The output's size: 0 and 0 for NULL, a layer of another kind, or one whose factors wait for the
 *  network to be built. */
DLVIZ_API void dlviz_upsample_size(const dlviz_layer *layer, int64_t *height, int64_t *width);
/** DLVIZ_INTERPOLATION_NEAREST and false for NULL or a layer of another kind. */
DLVIZ_API dlviz_interpolation dlviz_upsample_mode(const dlviz_layer *layer);
DLVIZ_API bool dlviz_upsample_align_corners(const dlviz_layer *layer);

/** What stands outside an image. */
typedef enum dlviz_border {
    DLVIZ_BORDER_CONSTANT, /* a number, 0 unless set */
    DLVIZ_BORDER_REFLECT,  /* the image mirrored at its outermost pixels, which are not repeated */
    DLVIZ_BORDER_REPLICATE /* the outermost pixels */
} dlviz_border;

/** (C, H, W) to (C, top + H + bottom, left + W + right). Negative amounts take rows or columns away
 *  and need DLVIZ_BORDER_CONSTANT; DLVIZ_BORDER_REFLECT needs amounts below the input's height and
 *  width. DLVIZ_ERROR_SHAPE when the network is built if they do not fit the input. */
DLVIZ_API dlviz_layer *dlviz_pad(int64_t top, int64_t bottom, int64_t left, int64_t right);
DLVIZ_API dlviz_status dlviz_pad_set_mode(dlviz_layer *layer, dlviz_border mode);
/** The number of DLVIZ_BORDER_CONSTANT: one that a float can hold, or an infinity; not NaN. */
DLVIZ_API dlviz_status dlviz_pad_set_value(dlviz_layer *layer, double value);
/** The amounts, each pointer may be NULL; 0, DLVIZ_BORDER_CONSTANT and NaN for NULL or a layer of
 *  another kind. */
DLVIZ_API void dlviz_pad_amounts(const dlviz_layer *layer, int64_t *top, int64_t *bottom,
                                 int64_t *left, int64_t *right);
DLVIZ_API dlviz_border dlviz_pad_mode(const dlviz_layer *layer);
DLVIZ_API double dlviz_pad_value(const dlviz_layer *layer);

/** In training each number is zeroed with probability p and the others are scaled by 1/(1 − p)
 *  (Srivastava et al. 2014, inverted); evaluation passes everything. The mask depends on the seed,
 *  the step and the position in the batch alone. 0 <= p < 1. */
DLVIZ_API dlviz_layer *dlviz_dropout(double p);
/** NaN for NULL or a layer of another kind. */
DLVIZ_API double dlviz_dropout_p(const dlviz_layer *layer);

/** Dropout of whole channels (Tompson et al. 2015): in training each channel of each image (C, H,
 *  W) is zeroed with probability p and the others are scaled by 1/(1 − p); evaluation passes
 *  everything. The mask depends on the seed, the step, the image's position in the batch and the
 *  channel alone. 0 <= p < 1. */
DLVIZ_API dlviz_layer *dlviz_dropout2d(double p);
/** NaN for NULL or a layer of another kind. */
DLVIZ_API double dlviz_dropout2d_p(const dlviz_layer *layer);

/** y = x·weightᵀ + bias, (D) to (out_features). Parameters `weight` (out_features, D) and `bias`
 *  (out_features), both from U(−1/√D, 1/√D). */
DLVIZ_API dlviz_layer *dlviz_linear(int64_t out_features);
/** Without a bias the layer has a weight only. */
DLVIZ_API dlviz_status dlviz_linear_set_bias(dlviz_layer *layer, bool bias);
/** The settings; 0 and false for NULL or a layer of another kind. */
DLVIZ_API int64_t dlviz_linear_out_features(const dlviz_layer *layer);
DLVIZ_API bool dlviz_linear_bias(const dlviz_layer *layer);

/** (C, H, W) to (C·H·W), channel by channel; any other shape likewise to one dimension. */
DLVIZ_API dlviz_layer *dlviz_flatten(void);

/** The same numbers as another shape, (C, H, W) or (D), in PyTorch's order: the last dimension
 *  changes fastest. One dimension may be −1: what is left for it. DLVIZ_ERROR_SHAPE when the
 *  network is built if the numbers are not as many.
 *  @param ndim 1 or 3
 *  @param dims 1 or more each; copied */
DLVIZ_API dlviz_layer *dlviz_reshape(int ndim, const int64_t *dims);
/** The shape, in which −1 is a number once the network is built; 0 and NULL for NULL or a layer of
 *  another kind. `dims` belongs to the layer. */
DLVIZ_API int dlviz_reshape_ndim(const dlviz_layer *layer);
DLVIZ_API const int64_t *dlviz_reshape_dims(const dlviz_layer *layer);

/** The sum of two or more inputs of one shape (dlviz_network_add_from). */
DLVIZ_API dlviz_layer *dlviz_add(void);

/** The product of two inputs of one shape, number by number; or of an image (C, H, W) and, as the
 *  second input, a factor for each channel, (C) or (C, 1, 1), as in squeeze-and-excite. */
DLVIZ_API dlviz_layer *dlviz_multiply(void);

/** Two or more inputs joined along the channels, in their order: images of one height
 *  and width, (C1, H, W), (C2, H, W), … to (C1 + C2 + …, H, W); or (D1), (D2), … to (D1 + D2 +
 *  …). */
DLVIZ_API dlviz_layer *dlviz_concat(void);

/** For a layer that was never handed to a network; one that a network owns is left alone. NULL is
 *  allowed. */
DLVIZ_API void dlviz_layer_destroy(dlviz_layer *layer);

#ifdef __cplusplus
}
#endif
#endif
