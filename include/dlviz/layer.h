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
 *  Parameters `weight` (out_channels, C, kernel, kernel) and `bias` (out_channels), both drawn from
 *  U(−1/√fan_in, 1/√fan_in) with fan_in = C·kernel². Stride and dilation are 1 unless set.
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
/** Without a bias the layer has a weight only. */
DLVIZ_API dlviz_status dlviz_conv2d_set_bias(dlviz_layer *layer, bool bias);

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

/** Layer normalization (Ba, Kiros & Hinton 2016) over a whole sample, (C, H, W) or (D):
 * y = (x − mean) / √(var + eps) · weight + bias with the sample's own mean and biased variance, in
 * training and in evaluation. Parameters `weight` and `bias` have the sample's shape and start at 1
 * and 0. eps is 1e-5. */
DLVIZ_API dlviz_layer *dlviz_layernorm(void);
/** Added to the variance inside the root; above 0. Else DLVIZ_ERROR_INVALID_ARGUMENT, as for a
 * layer of another kind. */
DLVIZ_API dlviz_status dlviz_layernorm_set_eps(dlviz_layer *layer, double eps);
/** Without weight and bias: y = (x − mean) / √(var + eps). */
DLVIZ_API dlviz_status dlviz_layernorm_set_affine(dlviz_layer *layer, bool affine);
/** NaN, or false, for NULL or a layer of another kind; so for the layers below. */
DLVIZ_API double dlviz_layernorm_eps(const dlviz_layer *layer);
DLVIZ_API bool dlviz_layernorm_affine(const dlviz_layer *layer);

/** Group normalization (Wu & He 2018) of (C, H, W) or (D): the channels in num_groups groups of
 * C / num_groups neighbors, each brought to mean 0 and deviation 1 as by dlviz_layernorm.
 * Parameters `weight` and `bias` (C) start at 1 and 0. eps is 1e-5.
 *  @param num_groups 1 or more; must divide the channels, else dlviz_network_build fails with
 *                    DLVIZ_ERROR_SHAPE */
DLVIZ_API dlviz_layer *dlviz_groupnorm(int64_t num_groups);
DLVIZ_API dlviz_status dlviz_groupnorm_set_eps(dlviz_layer *layer, double eps);
DLVIZ_API dlviz_status dlviz_groupnorm_set_affine(dlviz_layer *layer, bool affine);
DLVIZ_API int64_t dlviz_groupnorm_num_groups(const dlviz_layer *layer);
DLVIZ_API double dlviz_groupnorm_eps(const dlviz_layer *layer);
DLVIZ_API bool dlviz_groupnorm_affine(const dlviz_layer *layer);

/** Instance normalization (Ulyanov, Vedaldi & Lempitsky 2016) of (C, H, W): each channel of each
 * image to mean 0 and deviation 1, in training and in evaluation; there are no running statistics.
 * Needs two pixels or more. eps is 1e-5. No parameters, unless affine is set: `weight` and `bias`
 * (C), which start at 1 and 0. */
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
 * dim = 1. Cross-entropy wants the numbers before it. */
DLVIZ_API dlviz_layer *dlviz_softmax(void);
/** Its logarithm, which keeps its digits where probabilities are almost 0 or 1. */
DLVIZ_API dlviz_layer *dlviz_log_softmax(void);

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

/** Dropout of whole channels (Tompson et al. 2015): in training each channel of each image (C, H,
 * W) is zeroed with probability p and the others are scaled by 1/(1 − p); evaluation passes
 * everything. The mask depends on the seed, the step, the image's position in the batch and the
 * channel alone. 0 <= p < 1. */
DLVIZ_API dlviz_layer *dlviz_dropout2d(double p);
/** NaN for NULL or a layer of another kind. */
DLVIZ_API double dlviz_dropout2d_p(const dlviz_layer *layer);

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
