/* dlviz/augmentation.h - samples varied at random while a network is trained on them.
 *
 * A constructor returns an augmentation that waits to be handed to dlviz_dataset_add_augmentation:
 *
 *     check(dlviz_dataset_add_augmentation(train, dlviz_random_shift(2, 2)));
 *     check(dlviz_dataset_add_augmentation(train, dlviz_random_horizontal_flip(0.5)));
 *     check(dlviz_trainer_fit(trainer, train, 10));
 *
 * It is one dataset's, which owns it from then on. Mistakes need no check in between: an
 * augmentation remembers its first error and dlviz_dataset_add_augmentation reports it. Settings
 * come before that call, and are DLVIZ_ERROR_STATE after it; getters may be called at any time. Out
 * of memory, a constructor returns NULL, which that call refuses.
 *
 * Who trains on a dataset sees its samples augmented: dlviz_trainer_fit, and a loader that was told
 * to (dlviz_loader_set_augment). Who evaluates, predicts, or gets samples sees them as they are.
 * What becomes of a sample is a function of (seed, epoch, its position in the dataset): the same
 * for any number of threads and any order of batches, and in a run that goes on from a checkpoint.
 *
 * Samples are augmented after they were brought to 0 … 1 and resized, and before they are
 * normalized. First comes all geometry, which moves pixels: however many of these are added, they
 * become, in the order in which they were added, one map from pixels to where they come from, and
 * the image is resampled once (bilinear, half-pixel centers; where the map is of whole pixels they
 * are copied as they are). What comes in from outside the image is 0 unless dlviz_dataset_set_fill
 * says otherwise. Then come the others in the order in which they were added, and mixup.
 *
 * Targets: labels of samples stay as they are. Where each pixel has a label, geometry moves the
 * labels as it moves the pixels (the nearest one; from outside comes dlviz_dataset_set_label_fill);
 * so it does with float targets that are images (bilinear). Both must then be as high and wide as
 * the images; otherwise training fails with DLVIZ_ERROR_SHAPE. Where the targets are the samples,
 * they are augmented as these are, but for noise and erasing: the network is to take these out. */
#ifndef DLVIZ_AUGMENTATION_H
#define DLVIZ_AUGMENTATION_H

#include <dlviz/dataset.h>

#ifdef __cplusplus
extern "C" {
#endif

/** One way of varying samples. To be used by one thread at a time until a dataset owns it. */
typedef struct dlviz_augmentation dlviz_augmentation;

/* Each setter below returns DLVIZ_ERROR_INVALID_ARGUMENT for a value out of range or an
 * augmentation of another kind, which the augmentation remembers as well, or DLVIZ_ERROR_STATE once
 * a dataset owns it. Getters give NaN, or 0 pixels, of an augmentation that is NULL or of another
 * kind. */

/** The name of its kind: "random_shift", "mixup", …; NULL for NULL. */
DLVIZ_API const char *dlviz_augmentation_name(const dlviz_augmentation *augmentation);
/** Destroys an augmentation that no dataset owns; does nothing to one that is owned. NULL is
 *  allowed. */
DLVIZ_API void dlviz_augmentation_destroy(dlviz_augmentation *augmentation);

/* -- Geometry ---------------------------------------------------------------------------------- */

/** Shifts the image by whole pixels, up to so many up or down and up to so many to the left or
 *  right, all equally likely. */
DLVIZ_API dlviz_augmentation *dlviz_random_shift(int64_t vertical, int64_t horizontal);
DLVIZ_API int64_t dlviz_random_shift_vertical(const dlviz_augmentation *augmentation);
DLVIZ_API int64_t dlviz_random_shift_horizontal(const dlviz_augmentation *augmentation);

/** Pads the image on all sides by so many pixels and crops it back to its size somewhere, as
 *  torchvision's RandomCrop(size, padding) does. */
DLVIZ_API dlviz_augmentation *dlviz_random_crop(int64_t padding);
DLVIZ_API int64_t dlviz_random_crop_padding(const dlviz_augmentation *augmentation);

/** Exchanges left and right with this probability, 0 to 1. */
DLVIZ_API dlviz_augmentation *dlviz_random_horizontal_flip(double probability);
DLVIZ_API double dlviz_random_horizontal_flip_probability(const dlviz_augmentation *augmentation);

/** Exchanges top and bottom with this probability, 0 to 1. */
DLVIZ_API dlviz_augmentation *dlviz_random_vertical_flip(double probability);
DLVIZ_API double dlviz_random_vertical_flip_probability(const dlviz_augmentation *augmentation);

/** Rotates the image about its center by up to so many degrees, 0 to 180, to either side; and
 *  scales, shears and shifts it where that is set: the map that torchvision's RandomAffine makes,
 *  except that shifts need not be whole pixels. Each number is drawn uniformly from its range. */
DLVIZ_API dlviz_augmentation *dlviz_random_affine(double degrees);
DLVIZ_API double dlviz_random_affine_degrees(const dlviz_augmentation *augmentation);
/** The range of the factor by which the image becomes larger, 1 to 1 unless set.
 *  @param least  0.001 to 1000
 *  @param most   `least` to 1000 */
DLVIZ_API dlviz_status dlviz_random_affine_set_scale(dlviz_augmentation *augmentation, double least,
                                                     double most);
DLVIZ_API void dlviz_random_affine_scale(const dlviz_augmentation *augmentation, double *least,
                                         double *most);
/** The largest angles of shear in degrees, 0 to 89, to either side; 0 unless set.
 *  @param vertical    by which columns slide along each other
 *  @param horizontal  by which rows do */
DLVIZ_API dlviz_status dlviz_random_affine_set_shear(dlviz_augmentation *augmentation,
                                                     double vertical, double horizontal);
DLVIZ_API void dlviz_random_affine_shear(const dlviz_augmentation *augmentation, double *vertical,
                                         double *horizontal);
/** The largest shifts, to either side; 0 unless set.
 *  @param vertical    as a share of the image's height, 0 to 1
 *  @param horizontal  of its width */
DLVIZ_API dlviz_status dlviz_random_affine_set_translation(dlviz_augmentation *augmentation,
                                                           double vertical, double horizontal);
DLVIZ_API void dlviz_random_affine_translation(const dlviz_augmentation *augmentation,
                                               double *vertical, double *horizontal);

/* -- Values ------------------------------------------------------------------------------------ */

/** Multiplies the image by a number drawn from max(0, 1 − amount) … 1 + amount. Images that are
 *  stored as uint8 stay within 0 … 1; float32 ones, which may have any range, are not cut off.
 *  @param amount  0 to 1000 */
DLVIZ_API dlviz_augmentation *dlviz_random_brightness(double amount);
DLVIZ_API double dlviz_random_brightness_amount(const dlviz_augmentation *augmentation);

/** Multiplies each number's difference from their mean over the image and all its channels by one
 *  drawn from max(0, 1 − amount) … 1 + amount; limits as for dlviz_random_brightness.
 *  @param amount  0 to 1000 */
DLVIZ_API dlviz_augmentation *dlviz_random_contrast(double amount);
DLVIZ_API double dlviz_random_contrast_amount(const dlviz_augmentation *augmentation);

/** Adds to each number of a sample, image or vector, one from a normal distribution with mean 0;
 *  nothing is cut off, so that means stay what they are.
 *  @param deviation  0 to 1e30, in the units before normalization */
DLVIZ_API dlviz_augmentation *dlviz_random_noise(double deviation);
DLVIZ_API double dlviz_random_noise_deviation(const dlviz_augmentation *augmentation);

/** Fills a rectangle somewhere in the image with this probability, 0 to 1 (random erasing, Zhong et
 *  al. 2020; torchvision's RandomErasing). Sides are rounded to whole pixels, and cut to the
 *  image's where a long rectangle would not fit. */
DLVIZ_API dlviz_augmentation *dlviz_random_erase(double probability);
DLVIZ_API double dlviz_random_erase_probability(const dlviz_augmentation *augmentation);
/** The range of its area as a share of the image's, 0.02 to 0.33 unless set.
 *  @param least  above 0
 *  @param most   `least` to 1 */
DLVIZ_API dlviz_status dlviz_random_erase_set_area(dlviz_augmentation *augmentation, double least,
                                                   double most);
DLVIZ_API void dlviz_random_erase_area(const dlviz_augmentation *augmentation, double *least,
                                       double *most);
/** The range of its height divided by its width, 0.3 to 3.3 unless set; the logarithm is what is
 *  drawn uniformly.
 *  @param least  0.001 to 1000
 *  @param most   `least` to 1000 */
DLVIZ_API dlviz_status dlviz_random_erase_set_aspect(dlviz_augmentation *augmentation, double least,
                                                     double most);
DLVIZ_API void dlviz_random_erase_aspect(const dlviz_augmentation *augmentation, double *least,
                                         double *most);
/** What it is filled with, in the units before normalization: -1e30 to 1e30, 0 unless set. */
DLVIZ_API dlviz_status dlviz_random_erase_set_fill(dlviz_augmentation *augmentation, double fill);
DLVIZ_API double dlviz_random_erase_fill(const dlviz_augmentation *augmentation);

/* -- Mixtures ---------------------------------------------------------------------------------- */

/** Mixes each sample, image or vector, with another of the dataset, its partner, as that is
 *  augmented in the same epoch (mixup, Zhang et al. 2018): λ·sample + (1 − λ)·partner, with λ from
 *  the Beta distribution (alpha, alpha), or 1 − λ if that is larger, so that the sample itself is
 *  what is seen most. Float targets and weights are mixed likewise. Where targets are labels, the
 *  trainer's loss of a sample is λ·loss(its labels) + (1 − λ)·loss(its partner's), whatever loss
 *  the network has, and metrics go by the sample's own. A dataset can have one mixup, which comes
 *  last, after all augmentations.
 *  @param alpha  0.001 to 1000: small ones mix little, 1 makes all λ equally likely */
DLVIZ_API dlviz_augmentation *dlviz_mixup(double alpha);
DLVIZ_API double dlviz_mixup_alpha(const dlviz_augmentation *augmentation);

/* -- Of a dataset ------------------------------------------------------------------------------ */

/** Adds an augmentation to those that a dataset has. The dataset owns it from now on; after a
 *  failure it is destroyed, unless it belongs to a dataset already. Subsets that are made later
 *  have it too.
 *  Returns what the augmentation remembers; DLVIZ_ERROR_INVALID_ARGUMENT (it is NULL, belongs to a
 *  dataset already, or is a second mixup); DLVIZ_ERROR_SHAPE where it is for images and the samples
 *  are vectors; or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_add_augmentation(dlviz_dataset *dataset,
                                                          dlviz_augmentation *augmentation);
/** Takes away all augmentations. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_clear_augmentations(dlviz_dataset *dataset);
/** How many there are, and the one at an index, in the order in which they were added; NULL beyond.
 *  Owned by the dataset and valid until they are cleared or it is destroyed. */
DLVIZ_API int64_t dlviz_dataset_num_augmentations(const dlviz_dataset *dataset);
DLVIZ_API const dlviz_augmentation *dlviz_dataset_augmentation(const dlviz_dataset *dataset,
                                                               int64_t index);

/** What geometry brings in from outside an image, or a float target that is one: -1e30 to 1e30,
 *  0 unless set, in the units before normalization. Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_set_fill(dlviz_dataset *dataset, double fill);
DLVIZ_API double dlviz_dataset_fill(const dlviz_dataset *dataset);
/** The label of pixels that geometry brings in from outside, -2^31 to 2^24 - 1; -100 unless set,
 *  which dlviz_cross_entropy ignores unless told otherwise.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_set_label_fill(dlviz_dataset *dataset, int64_t label);
DLVIZ_API int64_t dlviz_dataset_label_fill(const dlviz_dataset *dataset);

/** As dlviz_dataset_samples, augmented as a trainer with this seed sees them in this epoch, counted
 *  from 0: to look at what a network is trained on.
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT or DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_augmented_samples(const dlviz_dataset *dataset,
                                                           uint64_t seed, int64_t epoch,
                                                           int64_t first, int64_t count,
                                                           dlviz_tensor **samples);

#ifdef __cplusplus
}
#endif
#endif
