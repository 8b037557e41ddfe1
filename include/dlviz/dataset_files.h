/* dlviz/dataset_files.h - datasets from files: CIFAR, NumPy archives. */
#ifndef DLVIZ_DATASET_FILES_H
#define DLVIZ_DATASET_FILES_H

#include <dlviz/dataset.h>

#ifdef __cplusplus
extern "C" {
#endif

/* -- CIFAR ------------------------------------------------------------------------------------- */

/** Reads a part of CIFAR-10 (https://www.cs.toronto.edu/~kriz/cifar.html) in its binary version:
 *  images of 3 x 32 x 32, uint8, and 10 classes with their names, which are those of
 *  batches.meta.txt where that is there.
 *  @param folder  holds data_batch_1.bin … data_batch_5.bin, or test_batch.bin, or a folder
 *                 cifar-10-batches-bin that does
 *  Returns DLVIZ_ERROR_INVALID_ARGUMENT; DLVIZ_ERROR_NOT_FOUND with the name that was looked for;
 *  DLVIZ_ERROR_IO; DLVIZ_ERROR_FORMAT for a file that holds no whole number of images, a label
 *  above 9, or another number of names; DLVIZ_ERROR_OUT_OF_MEMORY. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_cifar10(dlviz_dataset **out, const char *folder,
                                                      dlviz_dataset_part part);

typedef enum dlviz_cifar100_labels {
    DLVIZ_CIFAR100_LABELS_FINE = 0,  /**< 100 classes: "apple", "aquarium_fish", … */
    DLVIZ_CIFAR100_LABELS_COARSE = 1 /**< 20 classes of 5 of them each: "aquatic_mammals", … */
} dlviz_cifar100_labels;

/** As dlviz_dataset_read_cifar10, of CIFAR-100: train.bin or test.bin, in the folder or in one
 *  called cifar-100-binary in it; the names are those of fine_label_names.txt or
 *  coarse_label_names.txt where these are there. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_cifar100(dlviz_dataset **out, const char *folder,
                                                       dlviz_dataset_part part,
                                                       dlviz_cifar100_labels labels);

/* -- NumPy archives ---------------------------------------------------------------------------- */

/** Makes a dataset of arrays of an .npz file, as dlviz_npz_read reads them (npz.h).
 *  @param samples_name  an array as for dlviz_dataset_create: uint8, or real numbers
 *  @param targets_name  an array as for dlviz_dataset_set_targets, or NULL. Integers are labels,
 *                       also where they are n x 1, as Keras keeps them; real numbers are targets.
 *  Returns as dlviz_npz_open, dlviz_npz_read and dlviz_dataset_create. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_npz(dlviz_dataset **out, const char *path,
                                                  const char *samples_name,
                                                  const char *targets_name);
/** The same of the bytes of such a file. */
DLVIZ_CHECKED dlviz_status dlviz_dataset_read_npz_memory(dlviz_dataset **out, const void *bytes,
                                                         size_t size, const char *samples_name,
                                                         const char *targets_name);

#ifdef __cplusplus
}
#endif
#endif
