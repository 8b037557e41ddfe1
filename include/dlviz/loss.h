/* dlviz/loss.h - what a network is trained to make small.
 *
 * A constructor returns a loss that waits to be handed to dlviz_network_set_loss, which owns it
 * from then on: a loss is part of one network, once. Mistakes need no check here: a loss remembers
 * its first error (a bad argument, a failed allocation) and dlviz_network_set_loss reports it.
 * Settings come before that call, and are DLVIZ_ERROR_STATE after it; getters may be called at any
 * time.
 *
 * Values and gradients are PyTorch's with reduction='mean', or what is said below. Of a batch, the
 * samples' losses are weighted by the samples' weights (dlviz_dataset_set_weights) and divided by
 * the sum of these weights; a batch whose weights are all 0 has loss 0 and gradient 0. Sums are
 * accumulated in float64.
 *
 * Each loss has metrics, which say in other words how good the outputs are: dlviz_trainer records
 * them beside the loss. In metrics every sample counts alike, whatever its weight. */
#ifndef DLVIZ_LOSS_H
#define DLVIZ_LOSS_H

#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One loss. To be used by one thread at a time. */
typedef struct dlviz_loss dlviz_loss;

/** The name of its kind: "cross_entropy", "mse", …; that of a loss of the user's own is the one it
 *  was given. NULL for NULL. Owned by the loss. */
DLVIZ_API const char *dlviz_loss_name(const dlviz_loss *loss);
/** How many metrics it has, and the name of metric 0 … num_metrics − 1; NULL beyond. Owned by the
 *  loss. */
DLVIZ_API int64_t dlviz_loss_num_metrics(const dlviz_loss *loss);
DLVIZ_API const char *dlviz_loss_metric_name(const dlviz_loss *loss, int64_t index);

/* -- Classes ----------------------------------------------------------------------------------- */

/** −log softmax(outputs)[label], for outputs of one number a class (raw: not yet a softmax) and
 *  targets that are class labels: of samples, where the outputs have one dimension; or of pixels,
 *  where they are classes × height × width, as in segmentation: then each pixel counts as a sample
 *  does otherwise. What a network has unless another loss is set. Metrics: "accuracy" (the label is
 *  the first of the largest outputs; 0 to 1) and "top5_accuracy" (the label is among the five
 *  largest). What is ignored is not counted. */
DLVIZ_API dlviz_loss *dlviz_cross_entropy(void);
/** Trains towards (1 − smoothing) of the label and smoothing/classes of every class (Szegedy et al.
 *  2016); 0, the default, to 1. Each setter below returns DLVIZ_ERROR_INVALID_ARGUMENT for a value
 *  out of range or a loss of another kind, which the loss remembers as well, DLVIZ_ERROR_STATE once
 *  a network owns the loss, or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_cross_entropy_set_label_smoothing(dlviz_loss *loss, double smoothing);
DLVIZ_API double dlviz_cross_entropy_label_smoothing(const dlviz_loss *loss);
/** How much each class counts: a sample's weight is multiplied by that of its label, also in the
 *  sum by which the batch's loss is divided.
 *  @param num_weights  as many as the network has outputs; 0 for none, the default
 *  @param weights      numbers, each 0 or from 1e-100 to 1e100, copied */
DLVIZ_API dlviz_status dlviz_cross_entropy_set_class_weights(dlviz_loss *loss, int64_t num_weights,
                                                             const double *weights);
DLVIZ_API int64_t dlviz_cross_entropy_num_class_weights(const dlviz_loss *loss);
/** The weight of a class; NaN where none was set. */
DLVIZ_API double dlviz_cross_entropy_class_weights(const dlviz_loss *loss, int64_t index);
/** Samples, or pixels, of this label count for nothing; −100 unless set, as in PyTorch. */
DLVIZ_API dlviz_status dlviz_cross_entropy_set_ignored_label(dlviz_loss *loss, int64_t label);
DLVIZ_API int64_t dlviz_cross_entropy_ignored_label(const dlviz_loss *loss);

/* -- Numbers: targets are float32 and have the shape of the outputs -----------------------------
 * The loss of a sample is the mean over its numbers, except for dlviz_kl_divergence. Metrics of the
 * first three: "mae", the mean absolute error, and "r2", 1 − Σ(output − target)² / Σ(target −
 * mean)² with both sums over all numbers and the mean of each number over the samples
 * (dlviz_metrics_r2 with DLVIZ_AVERAGE_MICRO); 1 or 0 where all targets are constant and met or
 * not. */

/** Mean squared error: (output − target)². */
DLVIZ_API dlviz_loss *dlviz_mse(void);
/** Mean absolute error: |output − target|; the derivative at 0 is 0. */
DLVIZ_API dlviz_loss *dlviz_l1(void);
/** With e = output − target: e²/2 for |e| <= delta, delta·(|e| − delta/2) beyond (Huber 1964).
 *  @param delta  above 0, up to 1e30 */
DLVIZ_API dlviz_loss *dlviz_huber(double delta);
DLVIZ_API dlviz_status dlviz_huber_set_delta(dlviz_loss *loss, double delta);
DLVIZ_API double dlviz_huber_delta(const dlviz_loss *loss);

/** Binary cross-entropy of each number by itself, for labels that may occur together: −w·t·log σ(x)
 *  − (1 − t)·log(1 − σ(x)) with raw outputs x and targets t from 0 to 1, else
 *  DLVIZ_ERROR_INVALID_ARGUMENT.
 *  Metrics, with a number taken as positive where x > 0, and as a true one where t >= 0.5: "f1"
 *  (micro: 2·TP / (2·TP + FP + FN) over all numbers; 0 without any positive), "exact_match" (the
 *  share of samples all of whose numbers are right), and "auc" (the area under the ROC curve of
 *  each channel that has positives and negatives, averaged over these; not in training). */
DLVIZ_API dlviz_loss *dlviz_bce_with_logits(void);
/** The weight w of each channel's positives, or of each number's of a vector; 1 unless set.
 *  @param num_weights  as many as the outputs have channels or numbers; 0 for none, the default
 *  @param weights      numbers, each 0 or from 1e-100 to 1e100, copied */
DLVIZ_API dlviz_status dlviz_bce_with_logits_set_positive_weights(dlviz_loss *loss,
                                                                  int64_t num_weights,
                                                                  const double *weights);
DLVIZ_API int64_t dlviz_bce_with_logits_num_positive_weights(const dlviz_loss *loss);
/** The weight of a channel; NaN where none was set. */
DLVIZ_API double dlviz_bce_with_logits_positive_weights(const dlviz_loss *loss, int64_t index);

/** Kullback-Leibler divergence of the outputs, which are logarithms of probabilities, from the
 *  targets, which are probabilities: t·(log t − x), 0 for t = 0. The loss of a sample is the sum
 *  over its numbers, as the divergence is (PyTorch's reduction='batchmean'; its 'mean' divides by
 *  the number of numbers besides). Targets below 0 are DLVIZ_ERROR_INVALID_ARGUMENT. No metrics. */
DLVIZ_API dlviz_loss *dlviz_kl_divergence(void);
/** Whether the targets are logarithms of probabilities as well: exp(t)·(t − x). Off unless set. */
DLVIZ_API dlviz_status dlviz_kl_divergence_set_log_targets(dlviz_loss *loss, bool log_targets);
DLVIZ_API bool dlviz_kl_divergence_log_targets(const dlviz_loss *loss);

/* -- The user's own ---------------------------------------------------------------------------- */

/** What the functions below work on: one batch. Valid, with all that its getters give, during that
 *  call alone. */
typedef struct dlviz_loss_pass dlviz_loss_pass;

/** A loss of the user's own. Write it with designated initializers, so that what a later version
 *  adds is 0, which stands for what the library does today.
 *
 *  The functions are called on the thread that called the library, one at a time. They may use
 *  other networks, but not the one they serve, which refuses with DLVIZ_ERROR_STATE. They must
 *  return: no exception and no longjmp may leave them. A status other than DLVIZ_OK ends the call
 *  that they run in, which returns it; they say why with dlviz_fail. */
typedef struct dlviz_loss_functions {
    /** sizeof(dlviz_loss_functions): tells the library which version of the table it is. */
    size_t struct_size;
    /** For sentences and checkpoints: UTF-8, not empty; copied. */
    const char *name;
    /** Whether the targets are class labels; else they are numbers of the outputs' shape. */
    bool takes_labels;
    /** Computes the losses of a batch (dlviz_loss_pass_losses) and, where one is wanted, the
     *  gradient of their sum (dlviz_loss_pass_gradient). Where samples have weights, the loss of
     *  each must depend on its own outputs alone. */
    dlviz_status (*value)(const dlviz_loss_pass *pass, void *user);
    /** Optional: metrics, 8 at most, each of which is the mean over the samples of a number that
     *  `measure` gives for each of them (dlviz_loss_pass_metric): 1 for a right answer and 0 for a
     *  wrong one, for example, make an accuracy. dlviz_trainer records them, and
     *  dlviz_network_measure gives them. */
    int64_t num_metrics;
    /** Their names: UTF-8 without comma, quote and line break, not empty, no two alike; copied. */
    const char *const *metric_names;
    dlviz_status (*measure)(const dlviz_loss_pass *pass, void *user);
    /** Optional: called once when the loss is destroyed. */
    void (*destroy)(void *user);
} dlviz_loss_functions;

/** A loss that calls these functions.
 *  @param functions  copied. A table that is larger than this version's is refused unless all that
 *                    this version does not know is 0.
 *  @param user       handed to each of them. It belongs to the loss from now on, also when this
 *                    fails, unless `functions` cannot be read (NULL, or an impossible struct_size).
 *  Returns NULL when out of memory. A mistake is remembered, and dlviz_network_set_loss returns
 *  it. */
DLVIZ_API dlviz_loss *dlviz_loss_custom(const dlviz_loss_functions *functions, void *user);

/** The samples of the batch; 0 for NULL, as the getters below give NULL. */
DLVIZ_API int64_t dlviz_loss_pass_num_samples(const dlviz_loss_pass *pass);
/** float32, n × the network's output shape, in PyTorch's order. */
DLVIZ_API const dlviz_tensor *dlviz_loss_pass_outputs(const dlviz_loss_pass *pass);
/** int64, n, or n × height × width where pixels have labels; or float32 of the outputs' shape. */
DLVIZ_API const dlviz_tensor *dlviz_loss_pass_targets(const dlviz_loss_pass *pass);
/** `value`: n zeros, to be written: the loss of each sample. */
DLVIZ_API double *dlviz_loss_pass_losses(const dlviz_loss_pass *pass);
/** `value`: zeros of the outputs' shape, to be written: the gradient of the sum of the losses. NULL
 *  when none is wanted. */
DLVIZ_API dlviz_tensor *dlviz_loss_pass_gradient(const dlviz_loss_pass *pass);
/** `measure`: n zeros, to be written: what metric 0 … num_metrics − 1 is for each sample; NaN for
 *  one that does not count. */
DLVIZ_API double *dlviz_loss_pass_metric(const dlviz_loss_pass *pass, int64_t index);

/** Destroys a loss that no network owns; does nothing to one that is owned. NULL is allowed. */
DLVIZ_API void dlviz_loss_destroy(dlviz_loss *loss);

#ifdef __cplusplus
}
#endif
#endif
