/* network/network.h - the inside of a network. */
#ifndef DLZ_NETWORK_H
#define DLZ_NETWORK_H

#include "base/base.h"
#include "base/busy.h"
#include "graph/graph.h"
#include "losses/loss.h"
#include <dlviz/network.h>

#include <stdatomic.h>

typedef struct dlz_state {
    char *name; /* "<layer>.<suffix>" */
    dlz_state_spec spec;
    int64_t size;
    void *value;     /* float or int64_t */
    float *gradient; /* NULL when not trainable */
    bool frozen;     /* training leaves it as it is; the gradient is 0 */
} dlz_state;

/* How the data were normalized and what the classes are called. */
typedef struct dlz_data_description {
    bool known;                /* false: nobody has said so */
    int64_t num_normal;        /* 0: not normalized; 1: one pair for all; else one a channel */
    float *means, *deviations; /* one block, begun by `means` */
    int64_t num_class_names;
    char **class_names; /* pointers and texts in one block, or NULL */
} dlz_data_description;

/* Room for the other halves of the samples of a mixed batch (network/augmented.h); it only grows. */
typedef struct dlz_mixture {
    int64_t most_samples, most_labels, most_outputs;
    int64_t *positions; /* of the partners */
    int64_t *labels;    /* theirs */
    float *weights;     /* theirs, with the shares they have */
    float *gradient;    /* of the outputs */
} dlz_mixture;

struct dlviz_network {
    atomic_int references; /* the user's handle, trainers and optimizers */
    atomic_int trainers;   /* that rely on the loss */
    atomic_bool averaged;  /* its states are a trainer's average; the trainer has its own */
    dlz_busy busy;
    dlviz_loss *loss;
    dlz_graph graph;
    dlz_state *states;
    int num_states;
    dlz_names *state_names;
    dlviz_layer *refused; /* by dlviz_network_add; a list */
    bool building;        /* the user's functions may not add to it */
    bool built;
    float gradient_scale; /* what the gradients are to be multiplied by: clipping */
    int64_t freezes;      /* how often states were frozen, or no longer */
    bool has_gradients;   /* of the last batch, to be looked at */
    bool fresh_gradients; /* no step has used them, and the parameters are those they belong to */
    dlviz_status error;   /* the first one of the construction */
    char message[DLZ_SENTENCE_SIZE];
    char *summary;
    /* All trainable parameters one after the other, each at a multiple of 16 floats (what lies
     * between is 0 and stays so), and their gradients likewise. */
    int64_t parameter_floats;
    float *parameters, *gradients;
    void *buffers; /* running statistics and counters */
    /* Their copy while a step runs that may fail; NULL when no layer can. */
    void *kept_buffers;
    size_t buffer_bytes;
    bool stale_gradients; /* other than a training step's, which leaves out some that are 0 */
    bool fitting;         /* dlviz_trainer_fit of some trainer is at work */
    dlz_plans plans;
    dlz_data_description data;
    /* What the last call of dlviz_network_load_tensors left: blocks of pointers and texts, or NULL. */
    int64_t num_missing, num_unused;
    char **missing, **unused;

    dlz_mixture mixture;
    float *evaluated; /* room for the outputs of batches in evaluation; NULL: none, or one has it */
    int64_t most_evaluated;
};

/* -- network.c -------------------------------------------------------------------------------------
 */

/* The shape of what the network gives for one sample. */
const dlz_shape *dlz_network_output(const dlviz_network *network);
/* Works out all shapes and which states there are, and allocates none of them. */
dlviz_status dlz_network_lay_out(dlviz_network *network);
/* What the states of a network that is laid out will take, with the gradients and the copies of them. */
uint64_t dlz_network_state_bytes(const dlviz_network *network);
/* Allocates the states; all are 0. */
dlviz_status dlz_network_complete(dlviz_network *network);
void dlz_mixture_release(dlz_mixture *mixture);
/* Tells the graph's nodes where their states are, and which of them are frozen. */
void dlz_network_hand_states(dlviz_network *network);

/* -- clip.c -------------------------------------------------------------------------------------
 */

dlviz_status dlz_check_clip(const char *who, const char *what, double limit);
/* Of all gradients as one vector. */
double dlz_network_gradient_norm(dlviz_network *network);
void dlz_network_limit_gradients(dlviz_network *network, double limit);
/* Makes gradients of this norm as short as `largest`, if they are longer. */
void dlz_network_shorten_gradients(dlviz_network *network, double norm, double largest);

/* -- freeze.c -----------------------------------------------------------------------------------
 */

/* The names of the states that are frozen, as a new JSON array; NULL when out of memory. */
json_t *dlz_network_frozen_names(const dlviz_network *network);

/* -- states.c -----------------------------------------------------------------------------------
 */

/* Around a step that may fail: keeps what a forward pass writes, the running statistics, and puts it
 * back. Both do nothing where no layer can fail. */
void dlz_network_keep_buffers(dlviz_network *network);
void dlz_network_put_buffers_back(dlviz_network *network);
/* The state of this name; NULL when there is none, or no name. */
dlz_state *dlz_network_state(const dlviz_network *network, const char *name);
/* The same, failing with the names there are. */
dlviz_status dlz_network_find_state(const dlviz_network *network, const char *who, const char *name,
                                    dlz_state **state);
struct dlviz_safetensors;
/* Whether all are finite and, if `lowest_is_zero`, 0 or more. */
bool dlz_are_valid(const float *values, int64_t size, bool lowest_is_zero);
/* Fails with DLVIZ_ERROR_NUMERIC, naming the tensor and the element, at a value that is not finite
 * or, if `lowest_is_zero`, below 0. What is saved and what is loaded passes here. */
dlviz_status dlz_check_values(const char *name, const float *values, int64_t size,
                              bool lowest_is_zero);
/* Fails where a tensor has not a state's dtype and shape, or values that it cannot have. */
dlviz_status dlz_network_check_tensor(const dlz_state *state, const dlviz_tensor *tensor);
/* As dlz_check_values for all states of a network, or only those that are not trained. */
dlviz_status dlz_network_check_states(const dlviz_network *network, bool trained_too);
dlviz_status dlz_network_add_states(const dlviz_network *network, struct dlviz_safetensors *set);
/* Fails, naming it, at the first state whose tensor a file lacks or has in another shape. Missing
 * counters pass, and tensors that are no state. Allocates nothing. */
dlviz_status dlz_network_check_shapes(const dlviz_network *network,
                                      const struct dlviz_safetensors *set);
/* Gets every state's tensor from a file and checks it, in the order of the states; missing counters
 * are NULL. Entries that are no state are let pass. */
dlviz_status dlz_network_read_states(const dlviz_network *network,
                                     const struct dlviz_safetensors *set, dlviz_tensor ***tensors);
/* The same for those states alone that the file has a tensor for; the others are NULL. */
dlviz_status dlz_network_read_present_states(const dlviz_network *network,
                                             const struct dlviz_safetensors *set,
                                             dlviz_tensor ***tensors);
void dlz_network_take_present_states(dlviz_network *network, dlviz_tensor *const *tensors);
/* Puts what was read in the place of the states. Cannot fail; dlz_network_drop_states follows. */
void dlz_network_take_states(dlviz_network *network, dlviz_tensor *const *tensors);
/* NULL is allowed. */
void dlz_network_drop_states(const dlviz_network *network, dlviz_tensor **tensors);

/* -- summary.c ----------------------------------------------------------------------------------
 */

dlviz_status dlz_network_summarize(dlviz_network *network);

/* -- files.c ------------------------------------------------------------------------------------
 */

/* Fails, saying what it is, for a file of the library that is no network's. */
dlviz_status dlz_network_check_file_kind(const struct dlviz_safetensors *set);
/* As dlviz_network_load, from what was read. */
dlviz_status dlz_network_load_set(dlviz_network *network, const struct dlviz_safetensors *set);

/* -- data_description.c --------------------------------------------------------------------------
 */

/* Tells the log where a dataset is normalized otherwise than the network's training data were. */
void dlz_network_warn_of_data(const dlviz_network *network, const char *who,
                              const dlviz_dataset *dataset);

/* The same of a description that no network has yet. */
void dlz_data_description_compare(const dlz_data_description *known, const char *who,
                                  const dlviz_dataset *dataset);
/* dlviz_network_describe_data in two parts, for a dataset whose samples fit: what may fail, a copy
 * of the names and a few numbers, to be noted or released; and what cannot, which leaves what is
 * not known alone. */
dlviz_status dlz_data_description_of(const dlviz_dataset *dataset, dlz_data_description *data);
void dlz_network_note_data(dlviz_network *network, int64_t num_classes, dlz_data_description *data);
/* Puts one that is known in the place of the network's. Cannot fail. */
void dlz_network_take_data_description(dlviz_network *network, dlz_data_description *data);
void dlz_data_description_release(dlz_data_description *data);
/* One of a file, to be taken or released; fails where it is malformed or not of so many channels. */
dlviz_status dlz_data_description_read(const json_t *object, int64_t channels,
                                       dlz_data_description *data);
/* NULL when out of memory. */
json_t *dlz_data_description_write(const dlz_data_description *data);

/* -- open.c --------------------------------------------------------------------------------------- */

/* A network of a description as files hold it, which may not be built yet. */
dlviz_status dlz_network_open_description(dlviz_network **out, const json_t *whole);

/* -- architecture.c ----------------------------------------------------------------------------
 */

/* The network as JSON, to be freed, with neither its states nor its data; NULL when out of memory. */
json_t *dlz_network_describe(const dlviz_network *network);
/* Fails where a description is of another version than this library's, or it or a layer has a key
 * that this library does not know. */
dlviz_status dlz_network_check_description(const json_t *whole);
/* The metadata that describe a network, to be freed; fails where they are missing, no JSON object, or of
 * a later version than this one. */
dlviz_status dlz_network_get_description(const struct dlviz_safetensors *set, json_t **whole);
/* The description of the data in a file's metadata; `known` is false where there is none. */
dlviz_status dlz_network_read_data_description(const dlviz_network *network,
                                               const struct dlviz_safetensors *set,
                                               dlz_data_description *data);
dlviz_status dlz_network_add_architecture(const dlviz_network *network,
                                          struct dlviz_safetensors *set);
/* Fails with DLVIZ_ERROR_FORMAT at the first difference between the file's network and this one. A
 * file without a description passes and settings that act in training alone may differ, unless it
 * is to go on training. */
dlviz_status dlz_network_compare_architecture(const dlviz_network *network,
                                              const struct dlviz_safetensors *set, bool to_train);

/* -- run.c --------------------------------------------------------------------------------------
 */

dlviz_status dlz_network_check_samples(const dlviz_network *network, const char *who,
                                       const dlviz_dataset *dataset);
/* The number of a layer, or DLZ_GRAPH_INPUT for "input"; fails with the names there are. */
dlviz_status dlz_network_find_layer(const dlviz_network *network, const char *who, const char *name,
                                    int *node);

/* For benchmarks: one batch through the whole network in evaluation mode. */
dlviz_status dlz_network_infer_batch(dlviz_network *network, const dlviz_dataset *dataset,
                                     const int64_t *indices, int64_t n);

/* -- loss.c --------------------------------------------------------------------------------------
 */

/* Fails unless the shape of a dataset's targets is what the network's loss takes; the second looks at
 * all labels as well. */
dlviz_status dlz_network_check_target_shape(const dlviz_network *network, const char *who,
                                            const dlviz_dataset *dataset);
dlviz_status dlz_network_check_targets(const dlviz_network *network, const char *who,
                                       const dlviz_dataset *dataset);
/* Which samples of a training batch of n each process computes. */
dlviz_status dlz_network_share_batch(dlviz_network *network, int64_t n, dlz_batch *batch);
/* One training step, up to the gradients, on n samples of a dataset whose shapes have been checked,
 * augmented as in this epoch of the seed; adds to the tally. *mean receives the batch's loss; where
 * that is not finite, there are no gradients. */
dlviz_status dlz_network_train_batch(dlviz_network *network, const char *who,
                                     const dlviz_dataset *dataset, const int64_t *indices,
                                     int64_t n, uint64_t seed, int64_t epoch, uint64_t step,
                                     dlz_tally *tally, double *mean);
/* Adds a dataset that has been checked to a tally, in evaluation. *outputs, unless NULL, receives
 * all outputs in PyTorch's order. Where processes share it, it fails on one of them alone. */
dlviz_status dlz_network_tally(dlviz_network *network, const char *who,
                               const dlviz_dataset *dataset, dlz_tally *tally,
                               dlviz_tensor **outputs);
/* The metrics of the loss, num_metrics of them, after a dataset was tallied. *outputs as it gave
 * them, NULL where no metric needs them. comm: of processes that ask together, or NULL. */
dlviz_status dlz_network_judge(const dlviz_network *network, const dlviz_dataset *dataset,
                               const dlviz_comm *comm, const dlz_tally *tally,
                               const dlviz_tensor *outputs, double *metrics);
/* Whether one of the metrics needs the outputs. */
bool dlz_network_needs_outputs(const dlviz_network *network);

/* Keeps the network alive, whoever destroys their handle; dlviz_network_destroy ends that too. */
dlviz_network *dlz_network_hold(dlviz_network *network);
/* Fails while the network computes, for the user's functions that it calls. */
dlviz_status dlz_network_check_idle(const dlviz_network *network, const char *who);

/* What computes with a network, or changes it, holds its mark and the network itself, which the user's
 * functions may destroy, to the end of the block. */
typedef struct dlz_network_use {
    dlviz_network *network;
    dlz_hold hold;
} dlz_network_use;
dlviz_status dlz_network_begin(const char *who, dlviz_network *network, dlz_network_use *use);
void dlz_network_end(dlz_network_use *use);
#define DLZ_USE_NETWORK(who, network)                                                              \
    int dlz_use_cancel_ __attribute__((unused, cleanup(dlz_cancel_let))) = dlz_cancel_hold_up();   \
    dlz_network_use dlz_use_ __attribute__((unused, cleanup(dlz_network_end))) = {NULL, {NULL}};   \
    DLZ_TRY(dlz_network_begin(who, network, &dlz_use_))
dlviz_status dlz_require_built(const dlviz_network *network, const char *who);
/* And that its states are here: all of them, as they are now. */
dlviz_status dlz_require_states(const dlviz_network *network, const char *who);
/* The mark of a built network first, and then its states, which nobody takes away any more. */
#define DLZ_USE_STATES(who, network)                                                               \
    DLZ_TRY(dlz_require_built(network, who));                                                      \
    DLZ_USE_NETWORK(who, network);                                                                 \
    DLZ_TRY(dlz_require_states(network, who))
#define DLZ_READ_STATES(network)                                                                   \
    DLZ_TRY(dlz_require_built(network, __func__));                                                 \
    DLZ_HOLD_SHARED(&(network)->busy, "network");                                                  \
    DLZ_TRY(dlz_network_check_idle(network, __func__));                                            \
    DLZ_TRY(dlz_require_states(network, __func__))

#endif
