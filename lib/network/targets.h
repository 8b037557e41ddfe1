/* network/targets.h - what a batch is to come to: its targets and weights, loaded and checked. */
#ifndef DLZ_NETWORK_TARGETS_H
#define DLZ_NETWORK_TARGETS_H

#include "network/augmented.h"

/* How many labels a sample has, where targets are labels. */
typedef struct dlz_label_layout {
    int64_t num_labels;
    bool maps;
} dlz_label_layout;

dlz_label_layout dlz_label_layout_of(const dlviz_dataset *dataset);
/* Outputs of n samples, channels-last, and targets and weights that have been loaded. */
dlz_loss_batch dlz_loss_batch_of(const dlviz_network *network, int64_t n, int64_t channels,
                                 const float *outputs, dlz_label_layout layout,
                                 const dlz_extras *room);

/* Targets and weights of the plan's whole batch; labels are not looked at. */
dlviz_status dlz_load_targets(dlz_plan *plan, const dlviz_dataset *dataset, const int64_t *indices,
                              const dlz_extras *room);
/* Whether the loss can count by the labels that were loaded. */
dlviz_status dlz_check_targets(const dlviz_network *network, const char *who, int64_t n,
                               const dlviz_dataset *dataset, const int64_t *indices,
                               const dlz_extras *room);
/* Both. */
dlviz_status dlz_load_checked_targets(const dlviz_network *network, const char *who, dlz_plan *plan,
                                      const dlviz_dataset *dataset, const int64_t *indices,
                                      const dlz_extras *room);
/* The same for samples that are augmented. */
dlviz_status dlz_load_augmented_targets(const dlviz_network *network, const char *who,
                                        dlz_plan *plan, const dlz_augmented *input,
                                        const dlz_extras *room);
/* The labels of the samples that those of a batch are mixed with. */
dlviz_status dlz_load_partners(dlviz_network *network, const char *who, dlz_plan *plan,
                               const dlz_augmented *input, const dlz_extras *room);
/* Targets that are numbers in PyTorch's order, of the plan's whole batch. */
dlviz_status dlz_load_target_numbers(dlz_plan *plan, const float *numbers, float *targets);

#endif
