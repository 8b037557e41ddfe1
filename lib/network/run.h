/* network/run.h - how batches get into a network and its outputs out of it. */
#ifndef DLZ_NETWORK_RUN_H
#define DLZ_NETWORK_RUN_H

#include "data/dataset.h"
#include "network/network.h"

/* Samples at a time in evaluation: enough to keep all threads busy, few enough for the cache. */
enum { DLZ_EVALUATION_BATCH = 64 };

#define DLZ_EVALUATION                                                                             \
    (dlz_mode) {                                                                                   \
        .training = false                                                                          \
    }
#define DLZ_TRAINING                                                                               \
    (dlz_mode) {                                                                                   \
        .training = true, .gradients = true                                                        \
    }

/* A batch of samples: of a dataset, or as they lie in memory in PyTorch's order. */
typedef struct dlz_input {
    const dlviz_dataset *dataset; /* or NULL: `samples` */
    const int64_t *indices;
    const float *samples;
    const dlz_variant *variant; /* of the dataset's samples; NULL: as they are */
} dlz_input;

/* Puts a batch where the plan reads it. Fails where a dataset's samples cannot be loaded. */
dlviz_status dlz_load_input(dlz_plan *plan, const dlz_input *input);
/* The plan's output in PyTorch's order. */
void dlz_read_output(dlz_plan *plan, float *to);
/* The gradient with respect to the output, in PyTorch's order, for a backward pass. */
void dlz_write_output_gradient(dlz_plan *plan, const float *from);
/* The gradient with respect to the inputs, likewise, after a backward pass that was to give it. */
void dlz_read_input_gradient(dlz_plan *plan, float *to);

/* Checks inputs that a caller hands over as one tensor: float32, n in front. */
dlviz_status dlz_network_check_inputs(const dlviz_network *network, const char *who,
                                      const dlviz_tensor *inputs);
/* A layer's output for a dataset, as dlviz_network_features gives it; `layer` NULL: the last. */
dlviz_status dlz_network_features(dlviz_network *network, const char *who, const char *layer,
                                  const dlviz_dataset *dataset, dlviz_tensor **out);
/* What the network gives for such inputs, batch by batch, in evaluation: a new tensor. */
dlviz_status dlz_network_outputs(dlviz_network *network, const dlviz_tensor *inputs,
                                 dlviz_tensor **outputs);

#endif
