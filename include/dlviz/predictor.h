/* dlviz/predictor.h - a trained network at work in a program: it answers from many threads at once,
 * with one set of weights, into the caller's memory.
 *
 *     dlviz_predictor *predictor, *another;
 *     dlviz_predictor_create(&predictor, network, NULL);  // the states as they are now
 *     dlviz_predictor_set_num_threads(predictor, 1);      // before it is shared: that copies it
 *     dlviz_predictor_share(predictor, &another);         // the same weights, for another thread
 *     dlviz_predictor_reserve(predictor, 1);              // each for itself: from here on
 *     dlviz_predictor_reserve(another, 1);                // nothing is allocated
 *     dlviz_predictor_forward_into(predictor, 1, image, logits); */
#ifndef DLVIZ_PREDICTOR_H
#define DLVIZ_PREDICTOR_H

#include <dlviz/network.h>

#ifdef __cplusplus
extern "C" {
#endif

/** What one thread predicts with: weights made ready to run, which predictors share, and memory of
 *  its own. One thread uses it at a time; a second thread is refused with DLVIZ_ERROR_STATE.
 *  Predictors of the same network work at the same time, also while the network is trained on or
 *  after it was destroyed. The functions of a layer of the user's own (dlviz_layer_custom) are then
 *  called by several threads at once. */
typedef struct dlviz_predictor dlviz_predictor;

/** Makes a predictor of a network that is built, in evaluation: running statistics, nothing
 *  dropped. The states are copied; training the network further does not change what is predicted.
 *  @param predictor  receives the predictor, NULL on failure; free it with dlviz_predictor_destroy
 *  @param network    needs not outlive the predictor
 *  @param layer      whose output is predicted, or NULL for the last one's
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_NOT_FOUND (with the names there are),
 *  DLVIZ_ERROR_STATE (the network is not built, or another thread trains it now) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_predictor_create(dlviz_predictor **predictor,
                                                  const dlviz_network *network, const char *layer);
/** Makes another predictor with the same weights, which are not copied, and the same number of
 *  threads. What was reserved is not shared. Any thread may call, also while another predicts.
 *  @param other  receives it, NULL on failure; free it with dlviz_predictor_destroy, in any order
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_predictor_share(const dlviz_predictor *predictor,
                                                 dlviz_predictor **other);
/** Destroys a predictor, which no call may be using. NULL is allowed. */
DLVIZ_API void dlviz_predictor_destroy(dlviz_predictor *predictor);

/** Sets how many threads this predictor computes with, the calling one included: 1 to 256, or 0,
 *  the default, for as many as the library has (dlviz_set_num_threads). Where many threads have
 *  predictors, 1 is best: while one's work has the library's threads, the others' runs on
 *  their own thread. The number does not change what is predicted.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_STATE (in use). */
DLVIZ_CHECKED dlviz_status dlviz_predictor_set_num_threads(dlviz_predictor *predictor,
                                                           int64_t num_threads);
/** The number that was set, 0 for the library's. */
DLVIZ_API int64_t dlviz_predictor_num_threads(const dlviz_predictor *predictor);

/** The name of the layer whose output is predicted; the predictor's own. */
DLVIZ_API const char *dlviz_predictor_layer(const dlviz_predictor *predictor);
/** The shape of one sample: channels, height, width, or the number of features. */
DLVIZ_API int dlviz_predictor_input_ndim(const dlviz_predictor *predictor);
DLVIZ_API const int64_t *dlviz_predictor_input_dims(const dlviz_predictor *predictor);
/** The shape of what is predicted for one sample. */
DLVIZ_API int dlviz_predictor_output_ndim(const dlviz_predictor *predictor);
DLVIZ_API const int64_t *dlviz_predictor_output_dims(const dlviz_predictor *predictor);

/** Takes now what predicting so many samples at once will need, and makes the weights ready. After
 *  it, dlviz_predictor_forward_into allocates nothing for this number of samples. The numbers
 *  reserved last stay reserved, at least four of them, for as many threads as are set now, or
 *  fewer: after a call that sets more (of the predictor, or of the library where it has 0), reserve
 *  again.
 *  Many samples are worked on in batches of 64 or fewer.
 *  @param num_samples  1 or more
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (in use) or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_predictor_reserve(dlviz_predictor *predictor, int64_t num_samples);

/** Predicts. A number of samples that nothing is reserved for is reserved first. The outputs are
 *  those of dlviz_network_forward, to the bit, and do not depend on how many samples are predicted
 *  together.
 *  @param num_samples  n, 1 or more
 *  @param inputs       n samples one after the other, each in the network's input shape, as
 *                      dlviz_network_forward takes them: normalized as the training data were
 *  @param outputs      room for n times the output's shape, which must not overlap the inputs
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_STATE (in use), DLVIZ_ERROR_OUT_OF_MEMORY, or
 *  what a layer of the user's own returns; of the outputs some may then be written. */
DLVIZ_CHECKED dlviz_status dlviz_predictor_forward_into(dlviz_predictor *predictor,
                                                        int64_t num_samples, const float *inputs,
                                                        float *outputs);

#ifdef __cplusplus
}
#endif
#endif
