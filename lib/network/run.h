/* network/run.h - how batches get into a network and its outputs out of it. */
#ifndef DLZ_NETWORK_RUN_H
#define DLZ_NETWORK_RUN_H

#include "data/dataset.h"
#include "graph/lanes.h"
#include "network/network.h"

/* Samples at a time in evaluation at most: enough to keep all threads busy. */
enum { DLZ_EVALUATION_BATCH = 64 };
/* Samples of n at a time, in all that evaluates, as losses are added up batch by batch: what layers
 * hand to each other should not leave the caches, unless the parameters, which each batch reads
 * again, are more. */
int64_t dlz_evaluation_batch(const dlz_graph *graph, int64_t parameter_floats, int64_t n);

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

/* The same from sample `first` on; `size` is that of one. */
dlz_input dlz_input_from(const dlz_input *input, int64_t first, int64_t size);
/* A node for n samples in evaluation, cut into pieces as a batch of `most` is, so that there are two
 * sizes in all: of a piece, and of what is left. */
dlz_lane_job dlz_network_job(const dlviz_network *network, int node, int64_t n, int64_t most);
/* Computes a node for a batch, which is one of `most` or what is left, in PyTorch's order. */
dlviz_status dlz_network_run_to(dlviz_network *network, int node, int64_t n, int64_t most,
                                const dlz_input *input, float *to);
/* Puts a batch where the plan reads it. Fails where a dataset's samples cannot be loaded. */
dlviz_status dlz_load_input(dlz_plan *plan, const dlz_input *input);
/* The plan's output in PyTorch's order. */
void dlz_read_output(dlz_plan *plan, float *to);
/* Any value of the plan's, likewise. */
void dlz_read_value(dlz_plan *plan, const dlz_value *value, float *to);
/* The gradient with respect to the output, in PyTorch's order, for a backward pass. */
void dlz_write_output_gradient(dlz_plan *plan, const float *from);
/* The gradient with respect to the inputs, likewise, after a backward pass that was to give it. */
void dlz_read_input_gradient(dlz_plan *plan, float *to);

/* What a pass over a dataset in evaluation leaves behind, a row for each sample, in PyTorch's order:
 * the network's outputs, and those of a layer. Either may be NULL. */
typedef struct dlz_look {
    dlviz_tensor *outputs, *features;
    int node; /* of the features */
} dlz_look;

/* What serves such a pass over n samples, of batches of `most`. */
dlz_lane_job dlz_look_job(const dlviz_network *network, const dlz_look *look, int64_t n,
                          int64_t most);
/* After the forward pass of a plan for it: fills the rows from `first` on. Returns false where those of
 * a layer that is computed within another are left. */
bool dlz_look_read(const dlz_look *look, dlz_plan *plan, int64_t first);
/* After all pieces of a batch: fills the rows of such a layer, by a pass of its own. */
dlviz_status dlz_look_finish(dlviz_network *network, const dlz_look *look, const dlz_input *input,
                             int64_t first, int64_t n, int64_t most);
/* The network's loss over a dataset that has been checked, and metric number `index`; either pointer
 * may be NULL. */
dlviz_status dlz_network_measure(dlviz_network *network, const char *who,
                                 const dlviz_dataset *dataset, int index, const dlz_look *look,
                                 double *loss, double *metric);
/* All samples through the network, for `look` alone. */
dlviz_status dlz_network_look(dlviz_network *network, const dlviz_dataset *dataset,
                              const dlz_look *look);

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
