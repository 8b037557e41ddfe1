/* dlviz/network.h - a graph of named layers: build, look at, predict, take features, save, load.
 *
 * Before files of somebody else's are opened, see dlviz_set_file_limit (dlviz/runtime.h). What a
 * network then takes to compute is not the file's: dlviz_network_layer_dims tells how large the
 * outputs of its layers are. */
#ifndef DLVIZ_NETWORK_H
#define DLVIZ_NETWORK_H

#include <dlviz/dataset.h>
#include <dlviz/layer.h>
#include <dlviz/loss.h>
#include <dlviz/safetensors.h>
#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** A network and its parameters. To be used by one thread at a time, else DLVIZ_ERROR_STATE; it
 *  computes with as many threads as dlviz_set_num_threads says. */
typedef struct dlviz_network dlviz_network;

/** Starts a network.
 *  @param ndim  3 for images (channels, height, width), 1 for vectors
 *  @param dims  the shape of one input, without the batch dimension; sizes are 1 or more
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_network_create(dlviz_network **out, int ndim, const int64_t *dims);
/** Destroys the network, its layers and parameters, once no trainer and no optimizer that has
 *  stepped it holds it any more. NULL is allowed. */
DLVIZ_API void dlviz_network_destroy(dlviz_network *network);

/** Appends a layer that reads the output of the layer added before it, or, if it is the first, the
 *  network's input. The layer belongs to the network from now on, also when this fails.
 *  @param name  unique, UTF-8, not empty and not "input"; it may have '.' between other characters,
 *               as in "layer1.conv1". Parameters are "<name>.weight" and so on
 *  The network keeps the first error of a series of these calls, and dlviz_network_build returns
 *  it, so the result may be ignored.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (also for a NULL layer or one with an error, or one that
 *  takes several inputs), DLVIZ_ERROR_STATE (already built) or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_network_add(dlviz_network *network, const char *name,
                                         dlviz_layer *layer);

/** Appends a layer that reads the outputs of any layers added before; "input" stands for the
 *  network's input. One output may be read by several layers: their gradients are added up. The
 *  last layer added is the network's output, and every other layer must be read by some layer.
 *  @param num_inputs   as many as the layer takes
 *  @param input_names  the names, in the order in which the layer takes them
 *  Otherwise like dlviz_network_add; returns DLVIZ_ERROR_NOT_FOUND as well, for an unknown name. */
DLVIZ_API dlviz_status dlviz_network_add_from(dlviz_network *network, const char *name,
                                              dlviz_layer *layer, int64_t num_inputs,
                                              const char *const *input_names);

/** Checks the shapes layer by layer, allocates the parameters and draws their initial values, which
 *  depend on the seed and the layers alone. Returns the first error of the whole construction:
 *  those of dlviz_network_add and dlviz_network_add_from, DLVIZ_ERROR_SHAPE (a layer does not fit
 *  its inputs; the message names them; or the loss has weights, but not one for each class or
 *  channel), DLVIZ_ERROR_INVALID_ARGUMENT (no layer reads another's output), DLVIZ_ERROR_STATE
 *  (built before, or no layers), DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_network_build(dlviz_network *network, uint64_t seed);

/** Sets what the network is trained on, before or after it is built; the loss belongs to the
 *  network from now on, also when this fails. It is dlviz_cross_entropy() unless set.
 *  Returns the loss's own first error, DLVIZ_ERROR_INVALID_ARGUMENT (NULL, or a loss that belongs
 *  to a network), DLVIZ_ERROR_SHAPE (of a network that is built: the loss has weights, but not one
 *  for each class or channel) or DLVIZ_ERROR_STATE (a trainer was made for the network: the loss
 *  comes before). */
DLVIZ_CHECKED dlviz_status dlviz_network_set_loss(dlviz_network *network, dlviz_loss *loss);
DLVIZ_API const dlviz_loss *dlviz_network_loss(const dlviz_network *network);

/** A table of the layers as text with newlines: output shapes, numbers of parameters, what a layer
 *  reads where that is not simply the layer before; then the totals, multiply-adds of one sample
 *  and the memory that training takes; a row is a line of the characters that dlviz_last_error()
 *  may have, whatever layers are called. Owned by the network; "" before it is built, and NULL for
 *  NULL. */
DLVIZ_API const char *dlviz_network_summary(const dlviz_network *network);

/** The number of layers added so far. */
DLVIZ_API int64_t dlviz_network_num_layers(const dlviz_network *network);
/** The name of layer 0 … num_layers − 1; NULL beyond. Owned by the network. */
DLVIZ_API const char *dlviz_network_layer_name(const dlviz_network *network, int64_t index);
/** The shape that a layer gives for one input: 3 dimensions (channels, height, width) or 1; "input"
 *  is the network's input. 0 and NULL when there is no such layer or the network is not built.
 *  Owned by the network. */
DLVIZ_API int dlviz_network_layer_ndim(const dlviz_network *network, const char *layer);
DLVIZ_API const int64_t *dlviz_network_layer_dims(const dlviz_network *network, const char *layer);
/** The number of parameters, frozen ones too, without running statistics; 0 before the build,
 *  and after one that failed. */
DLVIZ_API int64_t dlviz_network_num_parameters(const dlviz_network *network);

/* -- State: parameters and running statistics, by PyTorch's names and shapes ------------------- */

/** How many state tensors there are ("conv1.weight", "bn1.running_mean", …); 0 before the build,
 *  and after one that failed. */
DLVIZ_API int64_t dlviz_network_num_states(const dlviz_network *network);
/** The name of state tensor 0 … num_states − 1; NULL beyond. Owned by the network. */
DLVIZ_API const char *dlviz_network_state_name(const dlviz_network *network, int64_t index);
/** A copy of one state tensor (float32; int64 for num_batches_tracked). Returns
 *  DLVIZ_ERROR_NOT_FOUND with the names there are, DLVIZ_ERROR_STATE before the build. */
DLVIZ_CHECKED dlviz_status dlviz_network_get_state(const dlviz_network *network, const char *name,
                                                   dlviz_tensor **copy);
/** Overwrites one state tensor with a tensor of the same shape and dtype, all of it finite, and no
 *  variance and no count below 0 (else DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_NUMERIC). Gradients stay what
 *  they were, those of the earlier parameters. */
DLVIZ_CHECKED dlviz_status dlviz_network_set_state(dlviz_network *network, const char *name,
                                                   const dlviz_tensor *tensor);
/** Freezes the states whose names match a pattern: training leaves these parameters as they are,
 *  and gradients that would serve frozen parameters alone are not computed. A batch norm whose
 *  running statistics match, or whose parameters are all frozen, uses its running statistics in
 *  training as in evaluation, and does not change them: PyTorch's requires_grad_(False) and eval()
 *  in one. Files say nothing about it; a checkpoint is resumed with the same states frozen. A layer
 *  of the user's own is asked for no gradients of what is frozen; what it writes into its other
 *  states is its own matter.
 *  @param pattern  '*' stands for any characters, also none and dots, '?' for any one: "conv1.*",
 *                  "layer?.*.weight", "*"
 *  Returns DLVIZ_ERROR_NOT_FOUND with the names there are when none matches,
 *  DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_STATE (not built, or at work). */
DLVIZ_CHECKED dlviz_status dlviz_network_freeze(dlviz_network *network, const char *pattern);
/** Lets the states whose names match be trained again; otherwise like dlviz_network_freeze. A batch
 *  norm whose parameters were all frozen goes on with its running statistics, too. Gradients are
 *  gone, for there are none of what was frozen. The steps that an optimizer made meanwhile do not
 *  count for them: its moments go on from where they were, and with what was frozen from its first
 *  step on it begins anew. */
DLVIZ_CHECKED dlviz_status dlviz_network_unfreeze(dlviz_network *network, const char *pattern);
/** Whether a state is frozen; false when there is none of this name. */
DLVIZ_API bool dlviz_network_is_frozen(const dlviz_network *network, const char *name);
/** A copy of the gradient of one trainable parameter, as the last dlviz_network_backward left it:
 *  it stays until the next one, until dlviz_network_input_gradient or a function of
 *  dlviz/attribution.h, or until parameters are loaded or unfrozen, and is not added up. Returns
 *  DLVIZ_ERROR_STATE without one, DLVIZ_ERROR_NOT_FOUND, or DLVIZ_ERROR_INVALID_ARGUMENT for what
 *  is frozen and for a running statistic. */
DLVIZ_CHECKED dlviz_status dlviz_network_get_gradient(const dlviz_network *network,
                                                      const char *name, dlviz_tensor **copy);

/* -- Files: all that another program needs ----------------------------------------------------- */

/** Notes in the network how a dataset's samples are normalized and what its classes are called, in
 *  place of what it knew; names that it knows stay where the dataset has as many classes and no
 *  names. Files of the network keep it. dlviz_trainer_fit does this with the training set as soon
 *  as it has trained a batch of it, and with the next batch after a callback has changed the set;
 *  a fit that trains none leaves what the network knows.
 *  @param dataset  images with as many channels as the network takes, or such vectors
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_STATE or
 *  DLVIZ_ERROR_OUT_OF_MEMORY; the network then knows what it knew. */
DLVIZ_CHECKED dlviz_status dlviz_network_describe_data(dlviz_network *network,
                                                       const dlviz_dataset *dataset);
/** Gives a dataset the image size and the normalization that the network was trained with. A test
 *  set needs it, and so do the images of a program that opened the network from a file. Where the
 *  network does not know a normalization, that of the dataset stays.
 *  Returns DLVIZ_ERROR_SHAPE (vectors for images or the reverse, other channels, vectors of another
 *  length), DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE or DLVIZ_ERROR_OUT_OF_MEMORY; the
 *  dataset is then as it was. */
DLVIZ_CHECKED dlviz_status dlviz_network_prepare_data(const dlviz_network *network,
                                                      dlviz_dataset *dataset);
/** How samples were normalized, as dlviz_dataset_normalization gives it; 0 also where the network
 *  does not know. */
DLVIZ_API int64_t dlviz_network_normalization(const dlviz_network *network, int64_t capacity,
                                              float *means, float *deviations);
/** What the classes are called: how many names the network knows, 0 without any, and the name of
 *  class 0 … num_class_names − 1, NULL beyond. Owned by the network, valid until it is trained,
 *  described or loaded. */
DLVIZ_API int64_t dlviz_network_num_class_names(const dlviz_network *network);
DLVIZ_API const char *dlviz_network_class_name(const dlviz_network *network, int64_t index);

/** Writes all state tensors to a .safetensors file, which PyTorch's load_state_dict accepts; its
 *  metadata hold the input shape, the layers and the loss with their settings, the normalization
 *  and the names of the classes ("dlviz.network", JSON), and a checksum of each tensor
 *  ("dlviz.crc32", JSON). An earlier file survives a failure. Returns DLVIZ_ERROR_STATE,
 *  DLVIZ_ERROR_NUMERIC (a tensor that is not finite, which could not be loaded), DLVIZ_ERROR_IO or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_network_save(const dlviz_network *network, const char *path);
/** Writes the same bytes to memory.
 *  @param bytes  receives them, NULL on failure; free them with dlviz_free
 *  @param size   receives how many there are
 *  Returns as dlviz_network_save, but for DLVIZ_ERROR_IO. */
DLVIZ_CHECKED dlviz_status dlviz_network_save_memory(const dlviz_network *network, void **bytes,
                                                     size_t *size);
/** Reads them back; either all are replaced or, on failure, none. Missing, unknown, misshapen,
 *  damaged or non-finite tensors are errors (DLVIZ_ERROR_FORMAT) that name the tensor. So is a file
 *  of a network with another input shape or with other layers; the first difference is named. What
 *  matters in training only may differ: the loss, the dropout's p, the batch norm's momentum. A
 *  file without that description, as PyTorch writes it, is judged by its tensors alone. A missing
 *  num_batches_tracked is taken as 0. Normalization and names of classes are the file's afterwards,
 *  if it says anything of its data: without names there, none are left. Gradients are gone
 *  afterwards. Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (not built, or in use) and
 *  what dlviz_safetensors_open returns as well. */
DLVIZ_CHECKED dlviz_status dlviz_network_load(dlviz_network *network, const char *path);
/** The same of the bytes of such a file. They need no alignment, and may be freed afterwards. */
DLVIZ_CHECKED dlviz_status dlviz_network_load_memory(dlviz_network *network, const void *bytes,
                                                     size_t size);

/** Takes states from tensors at hand, such as a file of another program's after
 *  dlviz_safetensors_rename and dlviz_safetensors_remove; either all that fit or, on failure, none.
 *  @param strict  true: as dlviz_network_load. false: each tensor that has the name of a state goes
 *                 there, and all else stays as it was: other states, normalization, names of
 *                 classes; layers are not compared. A tensor of another shape than its state is an
 *                 error all the same, and so is one that is not finite, or none that has the name
 *                 of a state.
 *  Returns DLVIZ_ERROR_FORMAT, DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_network_load_tensors(dlviz_network *network,
                                                      const dlviz_safetensors *contents,
                                                      bool strict);
/** What the last dlviz_network_load_tensors left as it was: how many states there was no tensor
 *  for, not counting num_batches_tracked, and their names (NULL beyond). Owned by the network,
 *  valid until the next such call. */
DLVIZ_API int64_t dlviz_network_num_missing(const dlviz_network *network);
DLVIZ_API const char *dlviz_network_missing_name(const dlviz_network *network, int64_t index);
/** Likewise the tensors that are no state of the network. */
DLVIZ_API int64_t dlviz_network_num_unused(const dlviz_network *network);
DLVIZ_API const char *dlviz_network_unused_name(const dlviz_network *network, int64_t index);

/** Makes the network that a file of dlviz_network_save describes, built, with its states, its loss,
 *  the normalization and the names of the classes. Of a loss of a program's own the file has the
 *  name alone: until dlviz_network_set_loss, evaluation and training are DLVIZ_ERROR_STATE; outputs
 *  and features need no loss. Nothing is allocated for parameters that the file does not hold.
 *  dlviz_network_prepare_data then gives new data the size and the normalization it learned with.
 *  @param out receives the network, NULL on failure; free it with dlviz_network_destroy
 *  Returns DLVIZ_ERROR_FORMAT for a file without a description, as PyTorch writes it, or one that
 *  holds a layer or a key that this library does not know; otherwise what dlviz_network_load
 *  returns, but for DLVIZ_ERROR_STATE. */
DLVIZ_CHECKED dlviz_status dlviz_network_open(dlviz_network **out, const char *path);
/** The same of the bytes of such a file. They need no alignment, and may be freed afterwards. */
DLVIZ_CHECKED dlviz_status dlviz_network_open_memory(dlviz_network **out, const void *bytes,
                                                     size_t size);

/** Writes what the network is, without its parameters, as JSON for people to read and edit: its
 *  input's dimensions, its layers, one a line, each with name, type, settings and, where that is
 *  not the layer before, what it reads; and its loss. These are the words that the network's other
 *  files have in their metadata. An earlier file survives a failure. Returns DLVIZ_ERROR_STATE
 *  before the build, DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_IO or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_network_save_architecture(const dlviz_network *network,
                                                           const char *path);
/** Writes the same bytes to memory.
 *  @param bytes  receives them, NULL on failure; free them with dlviz_free
 *  @param size   receives how many there are
 *  Returns as dlviz_network_save_architecture, but for DLVIZ_ERROR_IO. */
DLVIZ_CHECKED dlviz_status dlviz_network_save_architecture_memory(const dlviz_network *network,
                                                                  void **bytes, size_t *size);
/** Makes the network of such a file. It is not built: its loss may be replaced, layers may follow,
 *  and dlviz_network_build draws its parameters. Of a loss of a program's own the file has the name
 *  alone, as for dlviz_network_open. "version" may be left out of the file, and so may "loss",
 *  which is then cross_entropy.
 *  @param out  receives the network, NULL on failure; free it with dlviz_network_destroy
 *  Returns DLVIZ_ERROR_FORMAT with what is wrong and, where it is no JSON, the line; it names a
 *  layer that this library does not know, a setting that is missing, or a key that is none: the
 *  file's are "version", "input", "layers", "loss" and "data", which is let pass, a layer's "name",
 *  "type", "settings" and "inputs", and in settings and losses those that
 *  dlviz_network_save_architecture writes. So no misspelled key goes unnoticed. Shapes that do not
 *  fit are dlviz_network_build's to find. Also DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_IO or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_network_open_architecture(dlviz_network **out, const char *path);
/** The same of the bytes of such a file. They need no alignment, and may be freed afterwards. */
DLVIZ_CHECKED dlviz_status dlviz_network_open_architecture_memory(dlviz_network **out,
                                                                  const void *bytes, size_t size);

/** Writes the network as an ONNX model, which other programs run: ONNX Runtime, OpenCV, TensorRT.
 *  It computes what dlviz_network_forward does, in evaluation: running statistics, no dropout.
 *
 *  The model takes one tensor, "input", n × the network's input shape, float32, images as
 *  channels × height × width, scaled as the network's training data were; n is any number of
 *  samples. It gives one, named after the last layer. Every layer's output has the layer's name
 *  (one that does nothing in evaluation, such as dropout, has its input's), every parameter its
 *  state's ("conv1.weight"); where a layer is called that, a number is appended. The model's
 *  metadata hold the loss by name ("loss"), which tells whether outputs are logits, and how the
 *  training data were normalized and what the classes are called ("data", JSON).
 *
 *  Operator set 17, format version 8, operators of ONNX's own alone. All layers of the library can
 *  be exported; layers of a program's own cannot. An earlier file survives a failure. Returns
 *  DLVIZ_ERROR_UNSUPPORTED (a layer that ONNX cannot express, which is named; a model of 2 GiB,
 *  more than such a file holds), DLVIZ_ERROR_NUMERIC (a state that is not finite),
 *  DLVIZ_ERROR_STATE before the build, DLVIZ_ERROR_IO, DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_network_export_onnx(const dlviz_network *network,
                                                     const char *path);
/** The same as bytes.
 *  @param bytes  receives them, NULL on failure; free them with dlviz_free
 *  @param size   receives how many there are, 0 on failure */
DLVIZ_CHECKED dlviz_status dlviz_network_export_onnx_memory(const dlviz_network *network,
                                                            void **bytes, size_t *size);

/* -- Evaluation: running statistics, no dropout -------------------------------------------------
 * A dataset that is normalized otherwise than the network's training data were is taken as it is,
 * and the log receives a warning. Whoever waits for many samples may be told how far they are, and
 * end the call with DLVIZ_CANCELLED (dlviz_set_progress). */

/** The network's output for every sample of a dataset, each flattened to a row: n × d float32,
 *  e.g. logits, computed in batches. Samples must have the network's input shape (else
 *  DLVIZ_ERROR_SHAPE). */
DLVIZ_CHECKED dlviz_status dlviz_network_predict(dlviz_network *network,
                                                 const dlviz_dataset *dataset,
                                                 dlviz_tensor **outputs);
/** The output of any named layer for every sample, each flattened to a row (channel by channel): n
 *  × d float32; "input" gives the samples as the network sees them. An unknown layer is
 *  DLVIZ_ERROR_NOT_FOUND with the names there are. */
DLVIZ_CHECKED dlviz_status dlviz_network_features(dlviz_network *network, const char *layer,
                                                  const dlviz_dataset *dataset,
                                                  dlviz_tensor **features);
/** The output for a batch of ready inputs: float32, n × channels × height × width, or n × d;
 *  the result has the shape of the last layer with n in front. */
DLVIZ_CHECKED dlviz_status dlviz_network_forward(dlviz_network *network, const dlviz_tensor *inputs,
                                                 dlviz_tensor **outputs);
/** The same for any named layer, or "input", in its shape: what dlviz_network_features is for a
 *  dataset. The caller destroys the tensor. Returns DLVIZ_ERROR_NOT_FOUND with the names there are,
 *  DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_network_forward_to(dlviz_network *network, const char *layer,
                                                    const dlviz_tensor *inputs,
                                                    dlviz_tensor **outputs);
/** The network's loss over a dataset, and the first of the loss's metrics: for cross_entropy the
 *  accuracy, 0 to 1 (NaN for a loss that has none). Either pointer may be NULL. The loss is the
 *  mean over all samples by their weights, as PyTorch would compute it of the whole set in one
 *  batch; NaN where none counts.
 *  Returns DLVIZ_ERROR_SHAPE (samples do not fit the network, or targets the loss),
 *  DLVIZ_ERROR_INVALID_ARGUMENT (no targets, or one out of range), DLVIZ_ERROR_NUMERIC (a sample or
 *  its targets hold NaN or an infinity that reaches the loss; the sentence names it),
 *  DLVIZ_ERROR_STATE or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_network_evaluate(dlviz_network *network,
                                                  const dlviz_dataset *dataset, double *loss,
                                                  double *metric);
/** All that dlviz_network_evaluate, dlviz_network_predict and dlviz_network_features give, in one
 *  pass and to the same bits. Each result may be NULL, and is then not computed; a dataset needs
 *  targets for the loss and the metric alone.
 *  @param layer     of which features are wanted, or NULL. One that is computed together with the
 *                   next, such as a convolution before its batch norm, takes a second pass up to
 *                   it; so does one that would be rounded otherwise, as it reads what others read
 *                   too
 *  @param loss      receives the mean loss
 *  @param metric    receives the first of the loss's metrics
 *  @param outputs   receives the network's outputs, n × d float32, the caller's to destroy
 *  @param features  receives the layer's outputs, n × d float32, the caller's to destroy
 *  Statuses as those of dlviz_network_evaluate, and DLVIZ_ERROR_NOT_FOUND with the names of the
 *  layers there are. */
DLVIZ_CHECKED dlviz_status dlviz_network_inspect(dlviz_network *network,
                                                 const dlviz_dataset *dataset, const char *layer,
                                                 double *loss, double *metric,
                                                 dlviz_tensor **outputs, dlviz_tensor **features);
/** A metric of the network's loss over a dataset, by name (dlviz_loss_metric_name), such as "r2".
 *  Statuses as those of dlviz_network_evaluate, and DLVIZ_ERROR_NOT_FOUND with the names there
 *  are. */
DLVIZ_CHECKED dlviz_status dlviz_network_measure(dlviz_network *network,
                                                 const dlviz_dataset *dataset, const char *metric,
                                                 double *value);

/* -- One training step by hand (dlviz_trainer does this for you) ------------------------------- */

/** Runs a batch in training mode and leaves the gradients of the network's loss in the network, for
 *  one dlviz_optimizer_step. Running statistics are updated.
 *  @param inputs   float32, n × the network's input shape, n >= 1 (batch norm needs more than one
 *                  value a channel)
 *  @param targets  what the loss takes: uint8 or int64 labels, n, or n × height × width where
 *                  pixels have labels; or float32, n × the network's output shape, or n where that
 *                  is one number
 *  @param seed     chooses the dropout masks, with the step
 *  @param step     counts the steps
 *  @param loss     receives the batch's loss; may be NULL
 *  Returns DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_INVALID_ARGUMENT (a target out of range),
 *  DLVIZ_ERROR_NUMERIC (the loss is not finite; the sentence names the sample that brought it, if
 *  one did, and there are no gradients), DLVIZ_ERROR_STATE, DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_network_backward(dlviz_network *network,
                                                  const dlviz_tensor *inputs,
                                                  const dlviz_tensor *targets, uint64_t seed,
                                                  uint64_t step, double *loss);

/** The same for samples that count differently, as those of dlviz_loader_weights.
 *  @param weights  float32, n, each finite and 0 or more; NULL: all count alike
 *  Otherwise as dlviz_network_backward; the loss is the mean by these weights, and 0, like its
 *  gradients, where all are 0. DLVIZ_ERROR_SHAPE and DLVIZ_ERROR_INVALID_ARGUMENT also for weights
 *  that are not these. */
DLVIZ_CHECKED dlviz_status dlviz_network_backward_weighted(
    dlviz_network *network, const dlviz_tensor *inputs, const dlviz_tensor *targets,
    const dlviz_tensor *weights, uint64_t seed, uint64_t step, double *loss);

/** Scales the gradients down where their norm, that of all of them as one vector, is above a limit:
 *  multiplies them by largest / (norm + 1e-6), as PyTorch's clip_grad_norm_ does. To be
 *  called between dlviz_network_backward and dlviz_optimizer_step.
 *  @param largest  above 0, up to 1e30
 *  @param norm     receives the norm before; may be NULL
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (no gradients) or DLVIZ_ERROR_NUMERIC
 *  (the norm is NaN or infinite; the gradients are as they were). */
DLVIZ_CHECKED dlviz_status dlviz_network_clip_gradient_norm(dlviz_network *network, double largest,
                                                            double *norm);
/** Clamps each number of the gradients to −largest … largest, as PyTorch's clip_grad_value_
 *  does. Otherwise like dlviz_network_clip_gradient_norm. */
DLVIZ_CHECKED dlviz_status dlviz_network_clip_gradient_value(dlviz_network *network,
                                                             double largest);

/** Like dlviz_network_backward, from a gradient of one's own: of anything, with respect to the
 *  output of any layer. Runs a batch in training mode up to that layer and back, and leaves the
 *  gradients in the network, for one dlviz_optimizer_step; those of parameters that the layer does
 *  not depend on are 0.
 *  @param layer           name of the layer
 *  @param inputs          float32, n × the network's input shape
 *  @param gradient        float32, n × the layer's shape
 *  @param seed            chooses the dropout masks, with the step
 *  @param step            counts the steps
 *  @param input_gradient  receives the gradient with respect to the inputs, in their shape, the
 *                         caller's to destroy; may be NULL
 *  Returns DLVIZ_ERROR_NOT_FOUND, DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_INVALID_ARGUMENT,
 *  DLVIZ_ERROR_STATE or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_network_backward_from(dlviz_network *network, const char *layer,
                                                       const dlviz_tensor *inputs,
                                                       const dlviz_tensor *gradient, uint64_t seed,
                                                       uint64_t step,
                                                       dlviz_tensor **input_gradient);

/** What a change of the inputs does to a layer's output in evaluation (running statistics, no
 *  dropout): the gradient of the sum of gradient · output with respect to the inputs; of one
 *  output of each sample it is dlviz_network_saliency. States do not change; the gradients of the
 *  parameters are gone afterwards. All inputs are one batch, which takes its memory at once. Where
 *  a derivative jumps, it is the one that PyTorch takes: 0 for relu at 0, the first of equal
 *  values for a maximum. Arguments and statuses as those of dlviz_network_backward_from. K.
 *  Simonyan et al., "Deep inside convolutional networks", 2013. */
DLVIZ_CHECKED dlviz_status dlviz_network_input_gradient(dlviz_network *network, const char *layer,
                                                        const dlviz_tensor *inputs,
                                                        const dlviz_tensor *gradient,
                                                        dlviz_tensor **input_gradient);

#ifdef __cplusplus
}
#endif
#endif
