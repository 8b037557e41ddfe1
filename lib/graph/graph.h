/* graph/graph.h - layers that read each other's outputs, and what runs them.
 *
 * A graph has one input, and nodes in an order in which each reads only what came before. What runs
 * is a plan: the operations that compute one node from the input. */
#ifndef DLZ_GRAPH_GRAPH_H
#define DLZ_GRAPH_GRAPH_H

#include "base/names.h"
#include "graph/layer.h"
#include "graph/memory.h"
#include "graph/op.h"
#include "graph/prepared.h"

#define DLZ_GRAPH_INPUT (-1) /* the graph's input, among the numbers of nodes */
#define DLZ_GRAPH_INPUT_NAME "input"

/* A layer, and what it reads. */
typedef struct dlz_node {
    char *name;
    dlviz_layer *layer;
    int num_inputs;
    int *inputs;   /* nodes before this one, or DLZ_GRAPH_INPUT */
    dlz_shape *in; /* of each input */
    dlz_shape out;
    int first_state, num_states; /* among the network's */
    dlz_parameter states[DLZ_MAX_STATES];
    bool fixed; /* running statistics are frozen: training uses them and leaves them as they are */
} dlz_node;

typedef struct dlz_graph {
    dlz_shape in;
    dlz_node *nodes;
    int num_nodes, capacity;
    dlz_names *names; /* of the nodes */
} dlz_graph;

/* Frees the nodes and destroys their layers. */
void dlz_graph_release(dlz_graph *graph);
/* Adds a node, which owns the layer from then on. Fails, and leaves the layer alone, when the name
 * is taken or no name, an input is unknown, or the layer takes another number of inputs. */
dlviz_status dlz_graph_add(dlz_graph *graph, const char *name, dlviz_layer *layer, int num_inputs,
                           const char *const *input_names);
/* The node of this name, or DLZ_GRAPH_INPUT, also for a name that there is not: then *found is
 * false. */
int dlz_graph_find(const dlz_graph *graph, const char *name, bool *found);
/* Writes the names of the layers, separated by commas, as many as there is room for; the others are
 * counted. */
void dlz_graph_list_names(const dlz_graph *graph, char *to, size_t size);
const dlz_shape *dlz_graph_shape(const dlz_graph *graph, int node);
/* Works out all shapes; fails, naming the node, where a layer does not fit its inputs, or nothing
 * reads a node other than the last. */
dlviz_status dlz_graph_infer(dlz_graph *graph);
/* Fails, naming it, when a node that computes `last`, or that itself, cannot train on a batch of n.
 */
dlviz_status dlz_graph_check_batch(const dlz_graph *graph, int last, int64_t n);
/* Marks the nodes that compute node `last`, and that itself. `wanted` has room for last + 2, all
 * false; the input comes first, so node i is number i + 1. */
void dlz_graph_mark_wanted(const dlz_graph *graph, int last, bool *wanted);
/* Multiplications with an addition each, forward, of one sample, in the nodes up to `last`. */
double dlz_graph_multiply_adds(const dlz_graph *graph, int last);
/* How many numbers the states of one node are, and of those up to `last`. */
double dlz_node_num_weights(const dlz_node *node);
double dlz_graph_num_weights(const dlz_graph *graph, int last);

/* -- fuse.c: which operations compute a node -----------------------------------------------------
 */

typedef struct dlz_program {
    dlz_op **ops;
    int num_ops;
    dlz_value *values; /* values[0]: the graph's input */
    int num_values;
    dlz_value *output;
    dlz_value *watched; /* where the mode watches or keeps a node; NULL: it is not computed */
    int first_behind;   /* the first operation behind it, or 0 */
} dlz_program;

/* The operations that compute a node. On failure the program is to be released all the same. */
dlviz_status dlz_fuse(const dlz_graph *graph, int node, dlz_mode mode, dlz_program *program);
void dlz_program_release(dlz_program *program);

/* -- plan.c: a graph made ready to run ------------------------------------------------------------
 */

typedef struct dlz_plan dlz_plan;

/* How many plans are kept: four for what is evaluated, which are the two sizes of pieces
 * (graph/lanes.h), the whole batch, and what is left at the end of a dataset; for outputs, the
 * features of two layers, and training. Or for four numbers of samples that a predictor
 * reserves. */
#define DLZ_KEPT_PLANS 16

/* The plans used last, the latest first, and the memory that they run in by turns. */
typedef struct dlz_plans {
    dlz_plan *kept[DLZ_KEPT_PLANS];
    int count;
    bool running; /* one of them, or what was made of it: what the user's functions call must not */
    bool in_lanes;       /* this lane and others run: what is prepared is read by all of them */
    int threads;         /* that they run on; 0: those that the library has */
    dlviz_comm *comm;    /* of processes that share each batch in training; NULL: none */
    dlz_spreads spreads; /* what the last backward pass has left of them */
    dlz_spreads apart;   /* whose values processes have had each some of since the last step */
    bool withheld;       /* then, from all but the fit that has left them so */
    uint64_t changes;    /* how often the states have changed */
    dlz_prepared_set *prepared;  /* NULL: nothing was prepared yet */
    bool shares;                 /* the set with other plans, on states that never change */
    struct dlz_plans *next_lane; /* what another thread runs in (graph/lanes.h); NULL: none yet */
    dlz_workspace workspace;
} dlz_plans;

/* The states are others than before: what was made of them is made anew before the next run. A run
 * in training mode says so itself. */
void dlz_plans_note_change(dlz_plans *plans);

/* Gives all processes the values that are apart; to be called by all. */
dlviz_status dlz_plans_join(dlz_plans *plans);

/* From now on processes share each batch in training; NULL: they do not. Nobody holds `comm`. */
void dlz_plans_share(dlz_plans *plans, dlviz_comm *comm);

/* Room in a plan for what belongs to the batch beside the samples: of the whole batch, also
 * where other processes have some of it. */
typedef struct dlz_extras {
    void *targets; /* labels of int64, or numbers */
    float *weights;
    double *losses;
    float *outputs,
        *gradient; /* where processes share the batch: outputs of all, and the gradient */
} dlz_extras;

/* The plan for a batch of n samples up to a node, with its memory and threads: run, which says
 * how many of them are here, input and output are set. Belongs to `plans` and is good until the
 * next call. Takes one of the kept plans where it can; then nothing is planned and nothing
 * allocated. */
dlviz_status dlz_plan_get(dlz_plans *plans, const dlz_graph *graph, int node, dlz_mode mode,
                          int64_t n, dlz_plan **out);
/* Drops those kept: they would compute what is no longer so. */
void dlz_plans_forget(dlz_plans *plans);
void dlz_plans_release(dlz_plans *plans);
/* How much memory a plan would take; UINT64_MAX, and a failure, where addresses do not reach. */
dlviz_status dlz_plan_measure(const dlz_graph *graph, int node, dlz_mode mode, int64_t n,
                              uint64_t *bytes);
dlz_run *dlz_plan_run(dlz_plan *plan);
dlz_value *dlz_plan_input(dlz_plan *plan);
dlz_value *dlz_plan_output(dlz_plan *plan);
/* The watched node's output: its data after the forward pass, its gradient.dy after the backward
 * pass. NULL where none is watched, or one to be kept is part of what is computed in one. */
dlz_value *dlz_plan_watched(dlz_plan *plan);
/* With gradients: room for n weights, n losses, and targets: as many floats as the output has
 * numbers, or a label for each of its pixels. */
const dlz_extras *dlz_plan_extras(const dlz_plan *plan);
/* Whether one thread runs so many such plans sooner than many threads. */
bool dlz_plan_is_small(const dlz_plan *plan, int64_t count);
/* In evaluation: prepares what was not yet, or of other states. The next forward pass would do
 * it. */
void dlz_plan_prepare(dlz_plan *plan);
/* Both fail with what the first operation that fails says, naming its layer; those that come after
 * it do not run. */
dlviz_status dlz_plan_forward(dlz_plan *plan) __attribute__((warn_unused_result));
/* Expects the gradient of the loss in the output's dy. */
dlviz_status dlz_plan_backward(dlz_plan *plan) __attribute__((warn_unused_result));
/* For benchmarks: from now on adds up the seconds of each operation, forward and backward. */
dlviz_status dlz_plan_profile(dlz_plan *plan);
int dlz_plan_num_ops(const dlz_plan *plan);
const dlz_op *dlz_plan_op(const dlz_plan *plan, int index);
const double *dlz_plan_seconds(const dlz_plan *plan, int index);

#endif
