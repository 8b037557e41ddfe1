/* dlviz/network.h - a chain of named layers: build, look at, predict, extract features, save, load.
 */
#ifndef DLVIZ_NETWORK_H
#define DLVIZ_NETWORK_H

#include <dlviz/dataset.h>
#include <dlviz/layer.h>
#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A network and its parameters. To be used by one thread at a time; it computes with as many
 * threads as dlviz_set_num_threads says. */
typedef struct dlviz_network dlviz_network;

/** Starts a network.
 *  @param ndim,dims  the shape of one input without the batch dimension: 3 for images (channels,
 *                    height, width) or 1 for vectors; sizes are 1 or more
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_network_create(dlviz_network **out, int ndim, const int64_t *dims);
/** Destroys the network, its layers and parameters, once no trainer and no optimizer that has
 * stepped it holds it any more. NULL is allowed. */
DLVIZ_API void dlviz_network_destroy(dlviz_network *network);

/** Appends a layer, which belongs to the network from now on, also when this fails.
 *  @param name  unique, UTF-8, not empty, without '.'; its parameters are "<name>.weight" and so on
 *  The network keeps the first error of a chain of these calls, and dlviz_network_build returns it,
 * so the result may be ignored. Returns DLVIZ_ERROR_INVALID_ARGUMENT (also a NULL layer or one with
 * an error), DLVIZ_ERROR_STATE (already built) or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_network_add(dlviz_network *network, const char *name,
                                         dlviz_layer *layer);

/** Appends a layer that reads the outputs of others: of layers added before, or, by the name
 * "input", the network's input. What several layers read, they all read; gradients are added up.
 * The last layer added is the network's output, and every other one must be read by some layer.
 * dlviz_network_add is the same with the layer added before as the one input, for the first layer
 * "input".
 *  @param num_inputs  1 or more, as the layer takes
 *  @param input_names their names, in the order in which the layer takes them
 *  Statuses as those of dlviz_network_add, and DLVIZ_ERROR_NOT_FOUND for a name that there is not.
 */
DLVIZ_API dlviz_status dlviz_network_add_from(dlviz_network *network, const char *name,
                                              dlviz_layer *layer, int num_inputs,
                                              const char *const *input_names);

/** Checks the shapes layer by layer, allocates the parameters and draws their initial values, which
 *  depend on the seed and the layers alone. Returns the first error of the whole construction:
 *  those of dlviz_network_add, DLVIZ_ERROR_SHAPE (a layer does not fit its input; the message names
 *  both), DLVIZ_ERROR_STATE (built before), DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_network_build(dlviz_network *network, uint64_t seed);

/** A table of the layers, their output shapes and numbers of parameters, as text with newlines.
 *  Owned by the network; "" before it is built. */
DLVIZ_API const char *dlviz_network_summary(const dlviz_network *network);

/** The number of layers added so far. */
DLVIZ_API int dlviz_network_num_layers(const dlviz_network *network);
/** The name of layer 0 … num_layers − 1; NULL beyond. Owned by the network. */
DLVIZ_API const char *dlviz_network_layer_name(const dlviz_network *network, int index);
/** The shape a layer gives for one input. `dims` has room for 3; the result is its number of
 *  dimensions, 0 when there is no such layer or the network is not built. */
DLVIZ_API int dlviz_network_layer_shape(const dlviz_network *network, const char *layer,
                                        int64_t dims[3]);
/** The number of trainable parameters. */
DLVIZ_API int64_t dlviz_network_num_parameters(const dlviz_network *network);

/* -- State: parameters and running statistics, by PyTorch's names and shapes ------------------- */

/** How many state tensors there are ("conv1.weight", "bn1.running_mean", …). */
DLVIZ_API int dlviz_network_num_states(const dlviz_network *network);
/** The name of state tensor 0 … num_states − 1; NULL beyond. Owned by the network. */
DLVIZ_API const char *dlviz_network_state_name(const dlviz_network *network, int index);
/** A copy of one state tensor (float32; int64 for num_batches_tracked). Returns
 *  DLVIZ_ERROR_NOT_FOUND with the names there are, DLVIZ_ERROR_STATE before the build. */
DLVIZ_API dlviz_status dlviz_network_get_state(const dlviz_network *network, const char *name,
                                               dlviz_tensor **copy);
/** Overwrites one state tensor with a tensor of the same shape and dtype, all of it finite, and no
 *  variance and no count below 0 (else DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC). */
DLVIZ_API dlviz_status dlviz_network_set_state(dlviz_network *network, const char *name,
                                               const dlviz_tensor *tensor);
/** A copy of the gradient of one trainable parameter, as the last dlviz_network_backward left it:
 * it stays until the next one, or until parameters are loaded, and is not added up. Returns
 * DLVIZ_ERROR_STATE without one, DLVIZ_ERROR_INVALID_ARGUMENT for a running statistic,
 * DLVIZ_ERROR_NOT_FOUND. */
DLVIZ_API dlviz_status dlviz_network_get_gradient(const dlviz_network *network, const char *name,
                                                  dlviz_tensor **copy);

/** Writes all state tensors to a .safetensors file, which PyTorch's load_state_dict accepts; its
 *  metadata hold the input shape and the layers with their settings ("dlviz.network", JSON) and a
 *  checksum of each tensor ("dlviz.crc32", JSON). An earlier file survives a failure. Returns
 * DLVIZ_ERROR_STATE, DLVIZ_ERROR_NUMERIC (a tensor that is not finite, which could not be loaded),
 * DLVIZ_ERROR_IO or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_network_save(const dlviz_network *network, const char *path);
/** Reads them back; either all are replaced or, on failure, none. Missing, unknown, misshapen,
 *  damaged or non-finite tensors are errors (DLVIZ_ERROR_FORMAT) that name the tensor. So is a file
 *  of a network with another input shape or with other layers; the first difference is named. What
 *  acts in training alone may differ: the dropout's p, the batch norm's momentum. A file without
 *  that description, as PyTorch writes it, is judged by its tensors alone. A missing
 *  num_batches_tracked is taken as 0. Gradients are gone afterwards. */
DLVIZ_API dlviz_status dlviz_network_load(dlviz_network *network, const char *path);

/** Makes the network that a file of dlviz_network_save describes, built and with its states.
 *  @param out receives the network, NULL on failure; free it with dlviz_network_destroy
 *  Returns DLVIZ_ERROR_FORMAT for a file without a description, as PyTorch writes it, or one that holds a
 *  layer that this library does not know; otherwise what dlviz_network_load returns. */
DLVIZ_API dlviz_status dlviz_network_open(dlviz_network **out, const char *path);

/* -- Evaluation: running statistics, no dropout ------------------------------------------------ */

/** The network's output for every sample of a dataset: n × outputs float32, e.g. logits, computed
 * in batches. Samples must have the network's input shape (else DLVIZ_ERROR_SHAPE). */
DLVIZ_API dlviz_status dlviz_network_predict(dlviz_network *network, const dlviz_dataset *dataset,
                                             dlviz_tensor **outputs);
/** The output of any named layer for every sample, each flattened to a row (channel by channel):
 *  n × d float32. An unknown layer is DLVIZ_ERROR_NOT_FOUND with the names there are. */
DLVIZ_API dlviz_status dlviz_network_features(dlviz_network *network, const char *layer,
                                              const dlviz_dataset *dataset,
                                              dlviz_tensor **features);
/** The output for a batch of ready inputs: float32, n × channels × height × width, or n × d; the
 *  result has the shape of the last layer with n in front. */
DLVIZ_API dlviz_status dlviz_network_forward(dlviz_network *network, const dlviz_tensor *inputs,
                                             dlviz_tensor **outputs);
/** Mean cross-entropy and accuracy (0 to 1) over a labelled dataset; either pointer may be NULL. */
DLVIZ_API dlviz_status dlviz_network_evaluate(dlviz_network *network, const dlviz_dataset *dataset,
                                              double *loss, double *accuracy);

/* -- One training step by hand (dlviz_trainer does this for you) ------------------------------- */

/** Runs a batch in training mode and leaves the gradients of the mean cross-entropy in the network,
 *  for one dlviz_optimizer_step. Running statistics are updated.
 *  @param inputs  float32, n × the network's input shape, n >= 1 (batch norm needs more than one
 *                 value a channel)
 *  @param labels  uint8 or int64, n, each below the number of outputs
 *  @param seed,step  choose the dropout masks; count the steps
 *  @param loss    receives the mean loss; may be NULL
 *  Returns DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_INVALID_ARGUMENT (a label), DLVIZ_ERROR_STATE,
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_network_backward(dlviz_network *network, const dlviz_tensor *inputs,
                                              const dlviz_tensor *labels, uint64_t seed,
                                              uint64_t step, double *loss);

/** The same from a gradient of one's own: of anything, with respect to the output of any layer. Runs a batch in
 *  training mode up to that layer and back, and leaves the gradients in the network, for one
 *  dlviz_optimizer_step; those of parameters that the layer does not depend on are 0.
 *  @param layer           name of the layer
 *  @param inputs          float32, n × the network's input shape
 *  @param gradient        float32, n × the layer's shape
 *  @param seed,step       choose the dropout masks
 *  @param input_gradient  receives the gradient with respect to the inputs, in their shape, the caller's to
 *                         destroy; may be NULL
 *  Returns DLVIZ_ERROR_NOT_FOUND, DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_network_backward_from(dlviz_network *network, const char *layer,
                                                   const dlviz_tensor *inputs,
                                                   const dlviz_tensor *gradient, uint64_t seed,
                                                   uint64_t step, dlviz_tensor **input_gradient);

/** What a change of the inputs does to a layer's output in evaluation (running statistics, no dropout), as in
 *  saliency maps: the gradient of the sum of gradient · output with respect to the inputs. States do not
 *  change; the gradients of the parameters are gone afterwards. Arguments and statuses as those of
 *  dlviz_network_backward_from. K. Simonyan et al., "Deep inside convolutional networks", 2013. */
DLVIZ_API dlviz_status dlviz_network_input_gradient(dlviz_network *network, const char *layer,
                                                    const dlviz_tensor *inputs,
                                                    const dlviz_tensor *gradient,
                                                    dlviz_tensor **input_gradient);

#ifdef __cplusplus
}
#endif
#endif
