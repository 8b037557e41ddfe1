/* data/dataset.h - the inside of a dataset, and how the trainer gets at its samples. */
#ifndef DLZ_DATASET_H
#define DLZ_DATASET_H

#include "data/transform.h"
#include <dlviz/dataset.h>

#include <stdatomic.h>

struct dlviz_dataset {
    atomic_int references; /* the user's handle, and whoever holds it */
    dlviz_tensor *samples; /* a view of the storage, shared with every subset */
    int64_t *rows;         /* position in the dataset -> row of `samples` */
    int64_t size;
    dlviz_tensor *labels; /* size of uint8, or NULL */
    int num_classes;
    char **class_names; /* num_classes texts in one block, or NULL */
    dlz_transform transform;
    int ndim;
    int64_t dims[3];
};

/* Keeps the dataset alive, whoever destroys their handle; dlviz_dataset_destroy ends that too. */
dlviz_dataset *dlz_dataset_hold(const dlviz_dataset *dataset);

/* A number that two different datasets hardly share: of their size, shape and settings, all labels
 * and up to 64 samples spread over the set. The same on every machine. */
uint32_t dlz_dataset_mark(const dlviz_dataset *dataset);

/* The samples at `positions` as a dataset of their own, all of them valid. */
dlviz_status dlz_dataset_subset(const dlviz_dataset *dataset, const int64_t *positions,
                                int64_t count, dlviz_dataset **out);

/* The number of floats in one sample as a network sees it. */
int64_t dlz_dataset_sample_size(const dlviz_dataset *dataset);

/* Writes samples at `indices` (positions in the dataset, all valid; NULL for 0 … count − 1) to
 * `samples`, count x channels x height x width, and their labels to `labels`, each unless NULL.
 * Without labels `labels` is left alone. Allocates nothing and starts no threads: tiles may call
 * it. */
void dlz_dataset_load(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                      float *samples, int64_t *labels);
/* The same with all threads. */
void dlz_dataset_load_parallel(const dlviz_dataset *dataset, const int64_t *indices, int64_t count,
                               float *samples, int64_t *labels);

/* The order in which an epoch takes n samples: a permutation that (seed, epoch) determine. */
void dlz_epoch_order(uint64_t seed, int64_t epoch, int64_t n, int64_t *order);

#endif
