/* dlviz/attribution.h - what a network looked at: which inputs an output depends on.
 *
 *     dlviz_tensor *images, *maps;
 *     dlviz_dataset_samples(test, 0, 12, &images);
 *     dlviz_network_grad_cam(network, "relu4", images, NULL, &maps);
 *
 *     dlviz_figure *figure;
 *     dlviz_figure_create_images(&figure, images);
 *     dlviz_figure_add_heat_maps(figure, "Grad-CAM", maps);
 *     dlviz_figure_write(figure, "grad_cam.png");
 *
 * All of it is done in evaluation (running statistics, no dropout), in batches, so that many
 * samples take no more memory than few. The network's states stay as they are; the gradients of its
 * parameters are gone afterwards. Where a derivative jumps, it is the one that PyTorch takes: 0 for
 * relu at 0, the first of equal values for a maximum. Results have the same bits for any number of
 * threads.
 *
 * Arguments that the functions share:
 *
 * - inputs: float32, n × the network's input shape, all finite, n >= 1.
 * - targets: of which output the maps tell, for each sample: uint8 or int64, n, the class where
 *   outputs are classes. Where the output is an image, its numbers are counted channel by channel.
 *   NULL takes each sample's largest output, the first of equal ones: what the network predicts.
 *
 * Each returns DLVIZ_ERROR_INVALID_ARGUMENT (also for a target that there is not, which the
 * sentence names), DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC (an input that is not finite, or an
 * output or a map; the sentence names the sample), DLVIZ_ERROR_STATE (a network that is not built,
 * or in use), DLVIZ_ERROR_OUT_OF_MEMORY or DLVIZ_CANCELLED (dlviz_set_progress), and what a layer
 * of the program's own returns. */
#ifndef DLVIZ_ATTRIBUTION_H
#define DLVIZ_ATTRIBUTION_H

#include <dlviz/network.h>

#ifdef __cplusplus
extern "C" {
#endif

/** The gradient of an output with respect to the inputs: how much it would change with each number.
 *  For a gradient of anything else see dlviz_network_input_gradient. K. Simonyan et al., "Deep
 *  inside convolutional networks", 2013, where a picture is the largest size among a pixel's
 *  channels.
 *  @param maps  receives float32 of the inputs' shape; destroy it with dlviz_tensor_destroy
 *  Statuses: see above. */
DLVIZ_CHECKED dlviz_status dlviz_network_saliency(dlviz_network *network,
                                                  const dlviz_tensor *inputs,
                                                  const dlviz_tensor *targets, dlviz_tensor **maps);

/** Distributes the difference between the output for an input and for a baseline, which stands for
 *  "nothing there", among the input's numbers: the input's difference from the baseline times the
 *  mean gradient on the straight way from one to the other. A map adds up to that difference
 *  ("completeness"), and numbers that are the baseline's get 0. M. Sundararajan et al., "Axiomatic
 *  attribution for deep networks", 2017.
 *  @param baselines  float32 of the network's input shape, one for all samples, or n of them in the
 *                    inputs' shape; all finite. NULL is 0: the mean image, where images are
 *                    normalized; a black one is then −mean/deviation
 *  @param num_steps  points on the way, 1 to 1000, at which the gradient is taken: those of
 *                    Gauss-Legendre quadrature, as in Captum, whose default is 50. A linear network
 *                    needs 1
 *  @param maps       receives float32 of the inputs' shape; destroy it with dlviz_tensor_destroy
 *  @param gaps       receives float32, n: what the numbers of each map add up to, minus the
 *                    difference of the outputs: far from 0, it says that num_steps was too small;
 *                    may be NULL, else destroy it likewise
 *  Statuses: see above. */
DLVIZ_CHECKED dlviz_status dlviz_network_integrated_gradients(
    dlviz_network *network, const dlviz_tensor *inputs, const dlviz_tensor *baselines,
    const dlviz_tensor *targets, int64_t num_steps, dlviz_tensor **maps, dlviz_tensor **gaps);

/** Where in an image a layer found what speaks for an output: relu(Σ α[c] · A[c]) with A the
 *  channels of the layer's output and α[c] the mean over the pixels of the gradient with respect to
 *  A[c]. R. Selvaraju et al., "Grad-CAM", 2017. That mean is the whole gradient where a global mean
 *  follows; where a fully connected layer weighs every place on its own, it tells less, and maps
 *  may be 0 throughout.
 *  @param layer  name of a layer that gives images, usually the last of them, after its relu;
 *                "input" is the network's input
 *  @param maps   receives float32, n × height × width of the layer, all 0 or more; destroy it with
 *                dlviz_tensor_destroy. dlviz_tensor_resize brings it to the size of the images
 *  Statuses: see above, DLVIZ_ERROR_NOT_FOUND with the names there are, and DLVIZ_ERROR_SHAPE for a
 *  layer that gives vectors. */
DLVIZ_CHECKED dlviz_status dlviz_network_grad_cam(dlviz_network *network, const char *layer,
                                                  const dlviz_tensor *inputs,
                                                  const dlviz_tensor *targets, dlviz_tensor **maps);

/** Which inputs hold a point of a map, made of a layer's features, among its neighbors there:
 *  integrated gradients (see above) of how near the point's features are to theirs, which is
 *  log(Σ exp(−β d²) over its nearest points in the map / Σ exp(−β d²) over all others), with d
 *  distances between features, and β such that 2 · num_neighbors points count (the perplexity);
 *  where more are equally near, such that these alone count, and 0 where all are. It is for
 *  networks without classes, such as autoencoders; where there are classes, what speaks for a
 *  sample's class holds it among its neighbors too.
 *  @param layer          name of the layer
 *  @param dataset        the samples of the map, in its order, of the network's input shape
 *  @param map            float32, n × 2 or any number of columns, all finite; n >= 4
 *  @param num_points     1 or more
 *  @param points         rows of the map, of which the maps tell
 *  @param baselines      as above, with n the num_points
 *  @param num_neighbors  nearest points in the map, 1 to n / 2 − 1
 *  @param num_steps      as above
 *  @param maps           receives float32, num_points × the network's input shape; destroy it with
 *                        dlviz_tensor_destroy
 *  Statuses: see above, and DLVIZ_ERROR_NOT_FOUND with the names there are. */
DLVIZ_CHECKED dlviz_status dlviz_network_neighborhood(
    dlviz_network *network, const char *layer, const dlviz_dataset *dataset,
    const dlviz_tensor *map, int64_t num_points, const int64_t *points,
    const dlviz_tensor *baselines, int64_t num_neighbors, int64_t num_steps, dlviz_tensor **maps);

#ifdef __cplusplus
}
#endif
#endif
