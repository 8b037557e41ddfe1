/* graph/op.h - how layers compute: a graph runs as a list of operations on values.
 *
 * An operation covers one layer or several: batch norm, activation, 2 x 2 pool and dropout that
 * follow each other are one operation (graph/post.h), and what such an operation need not write
 * is left pending on its value, for those who read it to apply while they load. Inside, images
 * are channels-last: n x height x width x channels. A vector is an image of one pixel.
 *
 * Readers: forward, a value may be read by many operations. When gradients are wanted, one that
 * many read is split (graph/split.h): each of them reads a part, a value of its own with the
 * same data, and the split, or the operation itself where it can, adds their gradients up in the
 * order of the graph. So each value with a gradient has one reader, which sets it.
 *
 * Time: operation i of k runs forward at time i and backward at time 2k − 1 − i. Every buffer is
 * asked for with the first and the last time at which it is needed, and all share one block of
 * memory. */
#ifndef DLZ_GRAPH_OP_H
#define DLZ_GRAPH_OP_H

#include "graph/batch.h"
#include "graph/layer.h"

#include <stdbool.h>
#include <stdint.h>

/* How the producer of a value reads the gradient with respect to it: dy itself when z is NULL, else
 * a[c] * g
 * + b[c] * (z − center[c]) + d[c] where g is dy, if relu is set only where z * scale[c] + shift[c]
 * > 0. Only operations that DLZ_OP_READS_VIEW see a z. Whoever reads dy leaves it as it is: others
 * may read it too. */
typedef struct dlz_gradient_view {
    const float *dy, *z;
    const float *scale, *shift;
    bool relu;
    const float *a, *b, *center, *d;
    /* Not NULL: dy is that of a 2 x 2 pool's result, and g lies where a window's code says. */
    const uint8_t *codes;
} dlz_gradient_view;

/* Sums over pixels for a batch norm, taken by its neighbor while that has the numbers in cache: a
 * block for each of its tiles. Forward, the producer gives the moments of z (moments.h); backward,
 * the consumer gives 2 x channels sums, of g and of g (z − pivot[c]), with g the gradient that has
 * passed back through the relu. */
typedef struct dlz_statistics {
    bool wanted, given;
    const float *pivot;   /* backward only */
    int64_t tiles, parts; /* equal parts of the samples here, each of so many of the tiles */
    double *partial;
} dlz_statistics;

/* What a 2 x 2 max pool makes of a convolution's output z, when the convolution can write it along:
 * each window's winner after a batch norm whose weights have these signs, and its place there. */
typedef struct dlz_pooled {
    bool wanted, given;
    const float *sign; /* NULL: no batch norm comes first */
    float *data;
    uint8_t *codes; /* with gradients only */
} dlz_pooled;

typedef struct dlz_value {
    int64_t height, width, channels; /* of one sample */
    float *data;
    /* Pending: the value is data * scale[c] + shift[c], then relu if set. scale NULL: data as it
     * is. */
    const float *scale, *shift;
    bool relu;
    bool keep; /* others read the data too: the reader must not put the gradient in their place */
    bool needs_gradient;
    float *dy;                  /* gradient with respect to the value, written by its reader */
    dlz_gradient_view gradient; /* as its producer reads it */
    dlz_statistics statistics, gradient_statistics;
    dlz_pooled pooled;
    /* Planned. */
    int backward_time; /* of the producer */
    int data_last;     /* when its data are needed for the last time */
    int gradient_last; /* and its gradient, which the producer may hand on to its own */
} dlz_value;

int64_t dlz_value_size(const dlz_value *value);

typedef struct dlz_memory dlz_memory;
/* Asks for `bytes` from time first to time last; *slot is set before anything runs. */
dlviz_status dlz_memory_ask(dlz_memory *memory, void *slot, size_t bytes, int first, int last);
/* Asks for count x size bytes of them. */
dlviz_status dlz_memory_ask_array(dlz_memory *memory, void *slot, int64_t count, size_t size,
                                  int first, int last);
/* Raises what each worker's scratch block holds to at least `bytes`. */
void dlz_memory_ask_scratch(dlz_memory *memory, uint64_t bytes);
/* Asks for count x size bytes that stay as they are from run to run. */
dlviz_status dlz_memory_ask_kept(dlz_memory *memory, void *slot, int64_t count, size_t size);

/* How a graph runs. Evaluation uses running statistics and drops nothing, with or without
 * gradients. */
typedef struct dlz_mode {
    bool training;
    bool gradients;      /* a backward pass will come: what it needs is kept */
    bool input_gradient; /* also with respect to the graph's input */
    /* The output of node `watched`, or the input, is complete and stays, and the backward pass ends
     * with the gradient with respect to it. Goes with input_gradient. */
    bool watches;
    /* The output of node `watched`, or the input, stays until the end where it is computed
     * anyway, to the bits that a plan which ends at it gives; nothing is computed otherwise for
     * it. */
    bool keeps;
    int watched;
} dlz_mode;

/* What an operation knows when it plans: the batch and when it runs. */
typedef struct dlz_setup {
    int64_t n; /* samples that are here */
    dlz_batch batch;
    dlz_mode mode;
    int forward_time, backward_time;
    dlz_memory *memory;
    bool *too_small; /* set where the batch is, for as many processes to share it */
} dlz_setup;

typedef struct dlz_run {
    int64_t n;
    dlz_batch batch;
    dlz_mode mode;
    uint64_t seed, step;
    dlz_spreads *spreads; /* of this backward pass */
    int workers;
    char *scratch; /* workers blocks of scratch_size bytes, each aligned to a cache line */
    size_t scratch_size;
    dlviz_status *failed; /* set by the first operation that fails; later ones do not run */
} dlz_run;

static inline void *dlz_run_scratch(const dlz_run *run, int worker) {
    return run->scratch + (size_t)worker * run->scratch_size;
}

/* Ends the run with a status, whose sentence is recorded. To be called by an operation's forward or
 * backward pass itself, not by its tiles. */
static inline void dlz_run_fail(const dlz_run *run, dlviz_status status) {
    if (*run->failed == DLVIZ_OK)
        *run->failed = status;
}

typedef struct dlz_op dlz_op;

/* What an operation can do for its neighbors. */
enum {
    /* Takes the stages that follow along: gives moments to a batch norm, and its tiles, in
     * evaluation, the batch norm and the activation (op->fold). */
    DLZ_OP_FOLDS = 1,
    /* Writes the result of a 2 x 2 pool along. */
    DLZ_OP_POOLS = 2,
    /* Applies what is pending on its inputs while it loads. */
    DLZ_OP_READS_PENDING = 4,
    /* Its inputs' gradients may be its output's, not copied. */
    DLZ_OP_HANDS_GRADIENT_ON = 8,
    /* Its output's data may be its input's, not copied. */
    DLZ_OP_HANDS_DATA_ON = 16,
    /* Its backward pass reads its output's data. */
    DLZ_OP_NEEDS_OUTPUT = 32,
    /* Reads its output's gradient through a view, so that something may be pending on its output.
     */
    DLZ_OP_READS_VIEW = 64,
    /* Applies a relu that follows alone (op->fold), with gradients too. */
    DLZ_OP_GATES = 128,
    /* Has parts itself where many read its output. */
    DLZ_OP_SPLITS = 256,
    /* Its inputs' gradients take the place of its output's data. */
    DLZ_OP_REPLACES_OUTPUT = 512,
};

struct dlz_op_type {
    const char *name;
    size_t own; /* bytes of op->own */
    unsigned abilities;
    /* Asks for memory for setup->n samples; called again when n changes. */
    dlviz_status (*plan)(dlz_op *op, const dlz_setup *setup);
    /* Optional: makes of the states what `forward` reads instead of them, in memory asked for with
     * dlz_op_ask_prepared and nowhere else: it depends on the states and op->form alone, and other
     * plans' operations share it. Runs before `forward`; in evaluation only when states have
     * changed. */
    void (*prepare)(dlz_op *op, const dlz_run *run);
    void (*forward)(dlz_op *op, const dlz_run *run);
    /* Reads out->gradient, sets the gradients of its parameters and, for each input that needs one,
     * `dy` and `gradient`. */
    void (*backward)(dlz_op *op, const dlz_run *run);
    /* Optional: frees what op->own points to. */
    void (*release)(dlz_op *op);
};

/* A batch norm's settings and state, as an operation needs them; weight.value NULL: not affine. */
typedef struct dlz_batchnorm_state {
    bool fixed; /* training uses the running statistics, too, and leaves them as they are */
    double eps, momentum;
    dlz_parameter weight, bias;
    float *running_mean, *running_var;
    int64_t *batches_tracked;
} dlz_batchnorm_state;

struct dlz_activation;

/* Batch norm and activation that an operation does in place of its successor: in evaluation only,
 * but for the relu of one that DLZ_OP_GATES. */
typedef struct dlz_fold {
    bool relu, has_batchnorm;
    const struct dlz_activation *activation; /* on each tile once it is written; NULL: none */
    dlz_batchnorm_state batchnorm;
    float *scale, *shift; /* planned: the finished factors */
} dlz_fold;

struct dlz_op {
    const dlz_op_type *type;
    unsigned abilities;       /* the type's, or fewer */
    const dlviz_layer *layer; /* whose settings it reads */
    dlz_value **inputs;
    int num_inputs;
    dlz_value *in, *out; /* in: the first of the inputs */
    dlz_value **parts;   /* the output as each of its readers sees it, where there are many */
    int num_parts;
    int first_layer, last_layer; /* nodes of the graph */
    dlz_parameter states[DLZ_MAX_STATES];
    dlz_fold fold;
    /* Tells what it prepares from what other operations prepare of the same layers; set by
     * `plan`. */
    int form;
    void *own; /* what the type keeps of one operation; zero at first */
};

/* Asks for the moments, or on the way back the sums of each input, that a batch norm wants of an
 * operation that runs `tiles` tiles, of which each leaf has as many. */
dlviz_status dlz_op_ask_moments(dlz_op *op, int64_t tiles, const dlz_setup *setup);
dlviz_status dlz_op_ask_sums(dlz_op *op, int64_t tiles, const dlz_setup *setup);
/* Into how many groups of samples, each summed up by itself, the samples here are cut, about as
 * many as are wanted. Where one of the processes that share the batch would have less than a
 * group, notes that they cannot. */
int64_t dlz_setup_groups(const dlz_setup *setup, int64_t wanted);

/* Asks for what `prepare` makes: count x size bytes that are needed until the time `last`, or, in
 * evaluation without gradients, for as long as the states are the same. */
dlviz_status dlz_op_ask_prepared(const dlz_setup *setup, void *slot, int64_t count, size_t size,
                                 int last);
/* Whether what `prepare` makes outlasts a run. */
bool dlz_mode_keeps_prepared(dlz_mode mode);

/* Gives all processes that share the batch all parts of `array`, in which this one has filled
 * its own: `parts` of `bytes` bytes each. Returns how many there are of all; where that fails,
 * the run ends. */
int64_t dlz_run_gather(const dlz_run *run, void *array, int64_t parts, int64_t bytes);

/* Sums up the gradient of a state that is trained, of `size` numbers: of groups of samples in
 * order, whose gradients lie `stride` apart and are used up. Where there is one group, it may be
 * the state's gradient itself. Other processes' groups are in the sum by the end of the backward
 * pass. */
void dlz_op_sum_groups(dlz_op *op, const dlz_run *run, int state, float *groups, int64_t stride,
                       int64_t count, int64_t size);
/* The end of that, where the sum of the groups here stands in the state's gradient already. */
void dlz_op_share_gradient(dlz_op *op, const dlz_run *run, int state, int64_t size);

/* The sums that a batch norm wants of the gradient dy with respect to a value, of `pixels` of
 * its pixels from `first` on: 2 x channels numbers. Both arrays begin with the value's first
 * pixel. */
void dlz_value_gradient_sums(const dlz_value *value, const float *dy, int64_t first, int64_t pixels,
                             double *sums);

/* The usual buffers: the output's data, and the gradient of each input that needs one. */
dlviz_status dlz_op_ask_output(dlz_op *op, const dlz_setup *setup);
dlviz_status dlz_op_ask_input_gradients(dlz_op *op, const dlz_setup *setup);
/* Ends a backward pass that has written the inputs' dy. */
void dlz_op_give_gradients(dlz_op *op);

#endif
