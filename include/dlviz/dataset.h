/* dlviz/dataset.h - samples with labels: read or made, cut up, and turned into what a network sees.
 */
#ifndef DLVIZ_DATASET_H
#define DLVIZ_DATASET_H

#include <dlviz/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Samples, which are images or plain vectors, and a label for each, or none at all.
 *
 *  A dataset never changes its samples: uint8 values stay uint8 in memory, and a subset refers to
 * the storage of the whole. What a network sees is made batch by batch: uint8 values divided by 255
 *  (float32 values stay as they are), then resized, then normalised. Those settings belong to the
 *  handle; a subset starts with those of the dataset that it was made from.
 *
 *  Reading one dataset from several threads is safe; settings are the caller's to guard. */
typedef struct dlviz_dataset dlviz_dataset;

/** The most classes: labels are 0 … DLVIZ_MAX_CLASSES − 1. */
#define DLVIZ_MAX_CLASSES 256

/** Makes a dataset of the caller's own arrays.
 *  @param out     receives the dataset, NULL on failure; free it with dlviz_dataset_destroy
 *  @param samples uint8 or float32: n x height x width (one channel), n x channels x height x
 * width, or n x d; n from 1 to 2^31 − 1. Its storage is shared, not copied: the tensor may be
 *                 destroyed, but its elements must not change while the dataset is in use.
 *  @param labels  n of uint8 or int64, each 0 … 255, or NULL. Copied.
 *  The number of classes is the largest label + 1 (0 without labels) until
 *  dlviz_dataset_set_num_classes says otherwise.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_dataset_create(dlviz_dataset **out, const dlviz_tensor *samples,
                                            const dlviz_tensor *labels);

/** Reads images and labels in the IDX format of MNIST (http://yann.lecun.com/exdb/mnist), plain or
 *  gzip-compressed, which is told from the contents and not from the name.
 *  @param images_path unsigned bytes, n x height x width or n x channels x height x width
 *  @param labels_path unsigned bytes, n; or NULL
 *  Returns DLVIZ_ERROR_IO; DLVIZ_ERROR_FORMAT when a file is damaged, cut short or too long, when
 * it is of another kind, or when the counts differ; DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_dataset_read_idx(dlviz_dataset **out, const char *images_path,
                                              const char *labels_path);

typedef enum dlviz_mnist_part {
    DLVIZ_MNIST_TRAIN = 0, /**< train-images, train-labels: 60,000 */
    DLVIZ_MNIST_TEST = 1   /**< t10k-images, t10k-labels: 10,000 */
} dlviz_mnist_part;

/** Reads a part of MNIST, or of another set in its format with labels 0 … 9 such as Fashion-MNIST,
 * from the folder that holds its files under their usual names (train-images-idx3-ubyte or
 *  train-images.idx3-ubyte, each also with .gz). It has 10 classes.
 *  Returns DLVIZ_ERROR_NOT_FOUND with the names that were tried, or what dlviz_dataset_read_idx
 *  returns. */
DLVIZ_API dlviz_status dlviz_dataset_read_mnist(dlviz_dataset **out, const char *folder,
                                                dlviz_mnist_part part);

/** Destroys the handle; subsets of it live on, and a trainer that evaluates it or a fit that trains
 *  on it, which hold it, go on. NULL is allowed. */
DLVIZ_API void dlviz_dataset_destroy(dlviz_dataset *dataset);

/** The number of samples, at least 1. */
DLVIZ_API int64_t dlviz_dataset_size(const dlviz_dataset *dataset);
/** The dimensions of one sample as a network sees it, i.e. resized: 3 (channels, height, width), or
 * 1 (d). `dims` is valid until the next change of the dataset's size. */
DLVIZ_API int dlviz_dataset_ndim(const dlviz_dataset *dataset);
DLVIZ_API const int64_t *dlviz_dataset_dims(const dlviz_dataset *dataset);
/** The number of classes; 0 for a dataset without labels. */
DLVIZ_API int dlviz_dataset_num_classes(const dlviz_dataset *dataset);
/** The labels, n of uint8, owned by the dataset; NULL when it has none. */
DLVIZ_API const dlviz_tensor *dlviz_dataset_labels(const dlviz_dataset *dataset);
/** How many samples each class has: writes num_classes numbers to `counts`; none without labels. */
DLVIZ_API void dlviz_dataset_class_counts(const dlviz_dataset *dataset, int64_t *counts);
/** The name of a class, e.g. for a legend; NULL when names were not set or there is no such class.
 *  Owned by the dataset. */
DLVIZ_API const char *dlviz_dataset_class_name(const dlviz_dataset *dataset, int label);

/** Sets the number of classes, for data in which the last ones do not occur: more than the largest
 *  label, at most DLVIZ_MAX_CLASSES. Class names are dropped.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT, or DLVIZ_ERROR_STATE without labels. */
DLVIZ_API dlviz_status dlviz_dataset_set_num_classes(dlviz_dataset *dataset, int num_classes);

/** Names the classes.
 *  @param count the number of classes that the dataset has
 *  @param names `count` texts, copied
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_dataset_set_class_names(dlviz_dataset *dataset, int count,
                                                     const char *const *names);

/** Sets the size that a network sees, 1 to 16384 each way. Resizing is bilinear with half-pixel
 * centres and the border repeated (as interpolate(mode='bilinear', align_corners=False) in
 * PyTorch), without antialiasing, computed in float32 with nothing rounded back to 8 bits. The
 * original size means no resizing. Returns DLVIZ_ERROR_INVALID_ARGUMENT, DLVIZ_ERROR_SHAPE when the
 * samples are no images, DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_dataset_set_size(dlviz_dataset *dataset, int64_t height,
                                              int64_t width);

/** Makes a network see (x − mean) / deviation, with x in 0 … 1 for uint8 samples. 0 and 1, as at
 * first, change nothing. MNIST's training set has mean 0.1307 and deviation 0.3081.
 *  @param mean finite   @param deviation finite and above 0
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_dataset_set_normalization(dlviz_dataset *dataset, float mean,
                                                       float deviation);

/** As dlviz_dataset_set_normalization with one mean and one deviation a channel (for vectors: one a
 *  component). `count` is the number of channels. */
DLVIZ_API dlviz_status dlviz_dataset_set_channel_normalization(dlviz_dataset *dataset,
                                                               int64_t count, const float *means,
                                                               const float *deviations);

/** The samples first … first + count − 1 as a dataset of their own; count is 1 or more.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_dataset_take(const dlviz_dataset *dataset, int64_t first,
                                          int64_t count, dlviz_dataset **subset);

/** The samples at `count` indices, in that order, as a dataset of their own; an index may come up
 * more than once. Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_dataset_select(const dlviz_dataset *dataset, const int64_t *indices,
                                            int64_t count, dlviz_dataset **subset);

/** Splits a dataset in two at random, so that both have the classes in the same proportions as far
 * as whole numbers allow (each class's share of `holdout_count` by largest remainders; without
 * labels all samples count as one class). Both parts keep the order of the original, and the same
 * seed always gives the same parts.
 *  @param holdout_count 1 … size − 1: the samples of `holdout`, exactly
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY; both are NULL then. */
DLVIZ_API dlviz_status dlviz_dataset_split(const dlviz_dataset *dataset, int64_t holdout_count,
                                           uint64_t seed, dlviz_dataset **rest,
                                           dlviz_dataset **holdout);

/** Gets samples first … first + count − 1 as a network sees them: float32, count x channels x
 * height x width, or count x d. The caller destroys the tensor. Returns
 * DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_API dlviz_status dlviz_dataset_samples(const dlviz_dataset *dataset, int64_t first,
                                             int64_t count, dlviz_tensor **samples);

#ifdef __cplusplus
}
#endif
#endif
