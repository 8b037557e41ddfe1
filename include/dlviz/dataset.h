/* dlviz/dataset.h - samples with targets: made, cut up, turned into what a network sees. */
#ifndef DLVIZ_DATASET_H
#define DLVIZ_DATASET_H

#include <dlviz/comm.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Samples, which are images or plain vectors, and what a network is to give for each of them: its
 *  class, other numbers, the sample itself, or nothing.
 *
 *  A dataset never changes its samples: uint8 values stay uint8 in memory, and a subset refers to
 *  the storage of the whole. What a network sees is made batch by batch: uint8 values are divided
 *  by 255, float32 values stay as they are; then images are resized, then values are normalized.
 *  Those who train on it can see it varied at random as well (augmentation.h).
 *  These settings belong to the handle, as targets and weights do. A subset starts with those of
 *  the dataset that it was made from, and goes its own way.
 *
 *  Samples of image files that do not fit into memory are decoded whenever they are loaded
 *  (dlviz_image_reader_set_memory_limit). Every call that loads samples, such as a fit or a
 *  prediction, then fails with DLVIZ_ERROR_IO or DLVIZ_ERROR_FORMAT where a file is gone or has
 *  changed, and names it.
 *
 *  Samples, float targets and label maps may be a mapped file (dlviz_tensor_map_npy,
 *  dlviz_dataset_map_idx) that is larger than memory. Of one of 128 MB or more none is kept, in
 *  whatever order samples are taken: each is read into a block of its size, of which there is one
 *  for each thread that reads at the time. So training takes the memory that its batches need, and
 *  some 20 bytes for each sample. That holds as long as nobody has asked for a pointer to write
 *  through (dlviz_tensor_data, dlviz_tensor_float), for what was written only memory has. Every
 *  call that loads samples or targets, or looks at label maps, then fails with DLVIZ_ERROR_IO where
 *  the file cannot be read or has been cut shorter.
 *
 *  Several threads may read one dataset at the same time. While one of them calls a function that
 *  changes it (those with "set", "add" or "clear" in their names) no other may use it. Different
 *  datasets, also those that share storage, are independent. Getters answer 0, NULL or false when
 *  the dataset is NULL. */
typedef struct dlviz_dataset dlviz_dataset;

/* -- Making ------------------------------------------------------------------------------------ */

/** Makes a dataset of the caller's own arrays.
 *  @param out      receives the dataset, NULL on failure; free it with dlviz_dataset_destroy
 *  @param samples  uint8 or float32: n x height x width (one channel), n x channels x height x
 *                  width, or n x d; n from 1 to 2^31 - 1. Images whose channels come last are for
 *                  dlviz_dataset_create_from_hwc. The storage is shared, not copied: the tensor may
 *                  be destroyed, but its elements must not change while the dataset is in use.
 *  @param targets  as for dlviz_dataset_set_targets: class labels or float32 numbers; NULL for none
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_create(dlviz_dataset **out, const dlviz_tensor *samples,
                                                const dlviz_tensor *targets);

/** As dlviz_dataset_create, for images that are stored pixel by pixel, as most programs and image
 *  files have them: each pixel's channels lie side by side. They are copied into the order in which
 *  PyTorch and this library keep images, channel by channel.
 *  @param samples  uint8 or float32, n x height x width x channels; may be changed or destroyed
 *                  afterwards
 *  @param targets  as for dlviz_dataset_create; images among them are channels x height x width */
DLVIZ_CHECKED dlviz_status dlviz_dataset_create_from_hwc(dlviz_dataset **out,
                                                         const dlviz_tensor *samples,
                                                         const dlviz_tensor *targets);

/** Joins the datasets that several processes have, each its own samples, to one of all of them,
 *  in the order of ranks, so that none needs to hold, or to read, what the others have. To be
 *  called by all ranks.
 *
 *  What each rank gets is used as one dataset: it counts all samples, knows all labels and
 *  weights, and may be cut up, split, augmented and given other settings or targets, as long as
 *  every rank does the same. dlviz_trainer_fit trains on it, and validates with it, once
 *  dlviz_trainer_set_comm has been given the same communicator: samples, and targets that are
 *  more than a label, then go as they are stored to the ranks that need them for a batch, mostly
 *  while the batch before it is computed. A run comes to the same bits, and has the same
 *  checkpoints, as that of one process with all samples, however these are spread over how many
 *  ranks.
 *
 *  All else that loads samples works with those that are this rank's, and returns
 *  DLVIZ_ERROR_STATE where it comes upon others, naming one. Features, say, each rank takes of
 *  the dataset that it handed in, and dlviz_comm_gather joins them. dlviz_dataset_sample_path
 *  knows this rank's files, and dlviz_dataset_class_counts counts this rank's samples where
 *  pixels have labels.
 *  @param out   receives the whole, NULL on failure; with one rank, the same as `own`
 *  @param comm  the dataset, and what is cut from it, hold it; NULL for this process alone
 *  @param own   this rank's samples, 1 or more, of any origin; may be changed or destroyed
 *               afterwards. The shape and type of samples and targets, settings, augmentations
 *               and names of classes are the same on all ranks; there are as many classes as on
 *               the rank that has most.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (what differs is named), DLVIZ_ERROR_SHAPE (more than
 *  2^31 - 1 samples), DLVIZ_ERROR_OUT_OF_MEMORY, DLVIZ_ERROR_IO (labels of a mapped file) or
 *  DLVIZ_ERROR_COMM, on all ranks if on one. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_join(dlviz_dataset **out, dlviz_comm *comm,
                                              const dlviz_dataset *own);
/** The communicator over which it was joined; NULL where all samples are this process's own. The
 *  dataset holds it, and it is not the caller's to destroy. */
DLVIZ_API dlviz_comm *dlviz_dataset_comm(const dlviz_dataset *dataset);

/** Destroys the handle. Subsets live on, and whoever holds the dataset goes on with it: a trainer
 *  that evaluates it, a fit that trains on it, a loader. NULL is allowed. */
DLVIZ_API void dlviz_dataset_destroy(dlviz_dataset *dataset);

/* -- Samples ----------------------------------------------------------------------------------- */

/** The number of samples, at least 1. */
DLVIZ_API int64_t dlviz_dataset_num_samples(const dlviz_dataset *dataset);
/** The dimensions of one sample as a network sees it, that is, resized: 3 (channels, height,
 *  width), or 1 (d). `dims` is valid until the image size is set or the dataset is destroyed. */
DLVIZ_API int dlviz_dataset_ndim(const dlviz_dataset *dataset);
DLVIZ_API const int64_t *dlviz_dataset_dims(const dlviz_dataset *dataset);

/** Gets samples first … first + count - 1 as a network sees them: float32, count x channels x
 *  height x width, or count x d. The caller destroys the tensor. Computed with all threads.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY; and, as every call that loads
 *  samples, DLVIZ_ERROR_IO or DLVIZ_ERROR_FORMAT where they are decoded or read from files. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_samples(const dlviz_dataset *dataset, int64_t first,
                                                 int64_t count, dlviz_tensor **samples);

/** The file that a sample was read from, as a path from the folder on that was read:
 *  "cat/1.jpg". NULL where samples come from elsewhere, or there is no such sample. Valid until the
 *  dataset is destroyed. */
DLVIZ_API const char *dlviz_dataset_sample_path(const dlviz_dataset *dataset, int64_t index);

/** Sets the size of the images that a network sees, 1 to 16384 each way; dlviz_dataset_dims tells
 *  it. Resizing is bilinear with half-pixel centers and the border repeated, as PyTorch's
 *  interpolate(mode='bilinear', align_corners=False) does it, without antialiasing, computed in
 *  float32 with nothing rounded back to 8 bits. The original size means no resizing. Targets of
 *  the caller's are left alone.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE when the samples are no images, or
 *  DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_set_image_size(dlviz_dataset *dataset, int64_t height,
                                                        int64_t width);

/** Makes a network see (x - mean) / deviation, with x in 0 … 1 for uint8 samples. A mean of 0 and a
 *  deviation of 1, the default, change nothing. MNIST's training set has mean 0.1307 and deviation
 *  0.3081.
 *  @param mean  finite
 *  @param deviation finite and above 0
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_set_normalization(dlviz_dataset *dataset, float mean,
                                                           float deviation);

/** As dlviz_dataset_set_normalization, with a mean and a deviation for each channel, or for each
 *  component of a vector. A deviation of 0, which dlviz_dataset_measure gives where nothing varies,
 *  becomes 1: from such a channel the mean is subtracted alone, as by scikit-learn's
 *  StandardScaler.
 *  @param num_channels  the number of channels or components */
DLVIZ_CHECKED dlviz_status dlviz_dataset_set_channel_normalization(dlviz_dataset *dataset,
                                                                   int64_t num_channels,
                                                                   const float *means,
                                                                   const float *deviations);

/** How samples are normalized: writes the first `capacity` means and deviations to arrays that have
 *  room for them; either may be NULL. Returns how many there are: 0 before any were set, 1 for one
 *  pair that serves all, else one for each channel or component. */
DLVIZ_API int64_t dlviz_dataset_normalization(const dlviz_dataset *dataset, int64_t capacity,
                                              float *means, float *deviations);

/** Measures the mean and the deviation of each channel, or of each component of a vector, over all
 *  samples as a network sees them, resized but not normalized: what
 *  dlviz_dataset_set_channel_normalization takes. The deviation is the root of the mean squared
 *  difference from the mean, and 0 where a channel is the same number everywhere. Computed with all
 *  threads in float64, from differences, so that nothing cancels; the same for any number of them.
 *  @param means  receives float32, one for each channel or component; NULL after a failure, as
 *                `deviations`. The caller destroys both.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_NUMERIC (naming the sample that holds NaN or
 *  an infinity), DLVIZ_ERROR_OUT_OF_MEMORY, or what dlviz_dataset_samples returns besides. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_measure(const dlviz_dataset *dataset, dlviz_tensor **means,
                                                 dlviz_tensor **deviations);

/* -- Targets: what a network is to give -------------------------------------------------------- */

/** Sets the targets, in place of those that the dataset has; the element type says of which kind.
 *  @param targets  NULL for none, or one of
 *  - uint8 or int64, n: class labels, which are copied. Classes are 0 … 2^24 - 1; labels below 0,
 *    down to -2^31, belong to no class, as a loss's "ignored label" does. There are as many classes
 *    as the largest label says, plus 1, until dlviz_dataset_set_num_classes says otherwise; names
 *    of classes are dropped.
 *  - uint8 or int64, n x height x width: a class label for each pixel of what a network gives, as
 *    in segmentation; likewise, but the storage is shared and must not change, as that of the
 *    samples.
 *  - float32, n (one number for each sample), n x t, n x height x width (one channel) or n x
 *    channels x height x width. The storage is shared, as that of the samples is. Tensors of labels
 *    that were got before are no longer valid.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (naming the label), DLVIZ_ERROR_SHAPE, DLVIZ_ERROR_IO
 *  (labels of a large mapped file) or DLVIZ_ERROR_OUT_OF_MEMORY; the dataset is then as it was. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_set_targets(dlviz_dataset *dataset,
                                                     const dlviz_tensor *targets);

/** Makes each sample, as a network sees it, its own target, as an autoencoder needs it: resized and
 *  normalized as the input is, whenever those settings change. Nothing is copied. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_set_targets_to_samples(dlviz_dataset *dataset);
/** Whether that has been called, and no other targets were set since. */
DLVIZ_API bool dlviz_dataset_targets_are_samples(const dlviz_dataset *dataset);

/** The dimensions of one sample's targets: 3 (channels, height, width) or 1 (t) for float targets
 *  and where the targets are the samples; 2 (height, width) for labels of pixels; 0 for labels and
 *  without targets. `dims` is NULL when there are none, and valid until the dataset is changed. */
DLVIZ_API int dlviz_dataset_target_ndim(const dlviz_dataset *dataset);
DLVIZ_API const int64_t *dlviz_dataset_target_dims(const dlviz_dataset *dataset);

/** Gets the targets of samples first … first + count - 1: labels as int64, others as float32, count
 *  x the dimensions of one. The caller destroys the tensor.
 *  Returns DLVIZ_ERROR_STATE when the dataset has no targets, DLVIZ_ERROR_INVALID_ARGUMENT or
 *  DLVIZ_ERROR_OUT_OF_MEMORY; and, where they are read from files, what dlviz_dataset_samples
 *  does. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_targets(const dlviz_dataset *dataset, int64_t first,
                                                 int64_t count, dlviz_tensor **targets);

/** All labels: n of int64. Owned by the dataset and valid until its targets are set or it is
 *  destroyed; NULL when its targets are not one label a sample. */
DLVIZ_API const dlviz_tensor *dlviz_dataset_labels(const dlviz_dataset *dataset);

/** The number of classes; 0 for a dataset without labels. */
DLVIZ_API int64_t dlviz_dataset_num_classes(const dlviz_dataset *dataset);
/** Sets the number of classes, for data in which the last ones do not occur: more than the largest
 *  label, at most 2^24. Where pixels have labels it may be less: larger labels, such as the 255 of
 *  many masks, then belong to no class (dlviz_cross_entropy_set_ignored_label). Class names are
 *  dropped.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, or DLVIZ_ERROR_STATE without labels. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_set_num_classes(dlviz_dataset *dataset,
                                                         int64_t num_classes);

/** How many samples each class has: writes the counts of the first `capacity` classes to `counts`,
 *  which has room for them, and returns the number of classes. Where pixels have labels, these are
 *  counted. Labels below 0 are not, nor those that lie beyond where a large mapped file can be
 *  read. */
DLVIZ_API int64_t dlviz_dataset_class_counts(const dlviz_dataset *dataset, int64_t capacity,
                                             int64_t *counts);

/** Names the classes.
 *  @param num_names  the number of classes that the dataset has
 *  @param names  `num_names` texts of UTF-8, copied
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_set_class_names(dlviz_dataset *dataset, int64_t num_names,
                                                         const char *const *names);
/** The name of a class, for example for a legend; NULL when names were not set or there is no such
 *  class. Owned by the dataset. */
DLVIZ_API const char *dlviz_dataset_class_name(const dlviz_dataset *dataset, int64_t label);

/* -- Weights: how much a sample counts --------------------------------------------------------- */

/** Sets how much each sample counts in a loss.
 *  @param weights  float32, n, each finite and 0 or more, and one at least above 0; copied. NULL
 *                  for none: all count alike.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT (naming the sample), DLVIZ_ERROR_SHAPE or
 *  DLVIZ_ERROR_OUT_OF_MEMORY; the dataset is then as it was. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_set_weights(dlviz_dataset *dataset,
                                                     const dlviz_tensor *weights);
/** The weights: float32, n. Owned by the dataset and valid until weights are set or it is
 *  destroyed; NULL without weights. */
DLVIZ_API const dlviz_tensor *dlviz_dataset_weights(const dlviz_dataset *dataset);

/* -- Cutting up. Targets, names of classes, weights and settings come along. Where label maps are a
 * large mapped file, these functions read it, and may fail with DLVIZ_ERROR_IO. ---------------- */

/** The samples first … first + count - 1 as a dataset of their own; count is 1 or more.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_take(const dlviz_dataset *dataset, int64_t first,
                                              int64_t count, dlviz_dataset **subset);

/** The samples at `num_indices` indices, in that order, as a dataset of their own; an index may
 *  come up more than once. Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_select(const dlviz_dataset *dataset, int64_t num_indices,
                                                const int64_t *indices, dlviz_dataset **subset);

/** Splits a dataset in two at random, so that both have the classes in the same proportions as far
 *  as whole numbers allow (each class's share of `num_holdout` by largest remainders). Samples with
 *  labels below 0 count as one class more; samples without a label of their own are all one class.
 *  Both parts keep the order of the original, and the same seed always gives the same parts.
 *  @param num_holdout  the samples of `holdout`, exactly: 1 to one less than there are
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY; both are NULL then. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_split(const dlviz_dataset *dataset, int64_t num_holdout,
                                               uint64_t seed, dlviz_dataset **rest,
                                               dlviz_dataset **holdout);

#ifdef __cplusplus
}
#endif
#endif
