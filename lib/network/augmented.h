/* network/augmented.h - the targets of a batch whose samples are augmented. */
#ifndef DLZ_NETWORK_AUGMENTED_H
#define DLZ_NETWORK_AUGMENTED_H

#include "data/dataset.h"
#include "network/network.h"

/* What a batch is made of: samples of a dataset, as an epoch of a run has them. */
typedef struct dlz_augmented {
    const dlviz_dataset *dataset;
    const dlz_variant *variant;
    const int64_t *indices;
    int64_t n;
} dlz_augmented;

/* Fails where targets cannot move with the pixels, or the loss does not take the labels of pixels
 * that come in from outside. */
dlviz_status dlz_augmented_check(const dlviz_network *network, const char *who,
                                 const dlviz_dataset *dataset);
/* Whether a loss is to see the labels of two samples for each one. */
bool dlz_augmented_mixes_labels(const dlz_augmented *batch);
/* Labels, each sample's own. */
dlviz_status dlz_augmented_load_labels(const dlz_augmented *batch, int64_t *labels);
/* The weights of samples whose targets are no labels. */
void dlz_augmented_load_weights(const dlz_augmented *batch, float *weights);
/* Sees to it that the network has room for a mixture of n samples with so many labels and outputs
 * each. Allocates only where there has not been as much before. */
dlviz_status dlz_augmented_make_room(dlviz_network *network, int64_t n, int64_t num_labels,
                                     int64_t outputs);
/* Fills that room with the partners, their labels and their weights, and leaves `weights`, the
 * samples' own, with their shares. */
dlviz_status dlz_augmented_mix(const dlz_augmented *batch, const dlz_mixture *mixture,
                               float *weights);

#endif
