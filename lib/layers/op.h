/* layers/op.h - how layers compute: a network runs as a list of operations on values.
 *
 * An operation covers one layer or several: batch norm, relu, 2 x 2 pool and dropout that follow
 * each other are one operation ("post"), and what a post operation need not write is left pending
 * on its value, for a convolution to apply while it loads. Inside, images are channels-last: n x
 * height x width x channels. A vector is an image of one pixel.
 *
 * Time: operation i of k runs forward at time i and backward at time 2k − 1 − i. Every buffer is
 * asked for with the first and the last time at which it is needed, and all share one block of
 * memory. */
#ifndef DLZ_OP_H
#define DLZ_OP_H

#include "kernels/conv/conv2d.h"
#include "kernels/conv/conv3x3.h"
#include "layers/layer.h"

/* How the producer of a value reads the gradient with respect to it: dy itself when z is NULL, else
 * a[c] * g + b[c] * (z − center[c]) + d[c] where g is dy, if relu is set only where z * scale[c] +
 * shift[c] > 0. */
typedef struct dlz_gradient_view {
    const float *dy, *z;
    const float *scale, *shift;
    bool relu;
    const float *a, *b, *center, *d;
    /* Not NULL: dy is that of a 2 x 2 pool's result, and g lies where a window's code says. */
    const uint8_t *codes;
} dlz_gradient_view;

/* Sums over pixels for a batch norm, taken by its neighbour while that has the numbers in cache: a
 * block for each of its tiles. Forward, the producer gives the moments of z (kernels/moments.h);
 * backward, the consumer gives 2 x channels sums, of g and of g (z − pivot[c]), with g the gradient
 * that has passed back through the relu. */
typedef struct dlz_statistics {
    bool wanted, given;
    const float *pivot; /* backward only */
    int64_t tiles;
    double *partial;
} dlz_statistics;

/* What a 2 x 2 max pool makes of a convolution's output z, when the convolution can write it along:
 * each window's winner after a batch norm whose weights have these signs, and its place there. */
typedef struct dlz_pooled {
    bool wanted, given;
    const float *sign; /* NULL: no batch norm comes first */
    float *data;
    uint8_t *codes; /* training only */
} dlz_pooled;

typedef struct dlz_value {
    int64_t height, width, channels; /* of one sample */
    float *data;
    /* Pending: the value is data * scale[c] + shift[c], then relu if set. scale NULL: data as it
     * is. */
    const float *scale, *shift;
    bool relu;
    bool needs_gradient;
    float *dy;                  /* gradient with respect to the value, written by its consumer */
    dlz_gradient_view gradient; /* as its producer reads it */
    dlz_statistics statistics, gradient_statistics;
    dlz_pooled pooled;
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

/* What an operation knows when it plans: the batch and when it runs. */
typedef struct dlz_setup {
    int64_t n;
    bool training;
    int forward_time, backward_time;
    dlz_memory *memory;
} dlz_setup;

typedef struct dlz_run {
    int64_t n;
    bool training;
    uint64_t seed, step;
    int workers;
    char *scratch; /* workers blocks of scratch_size bytes, each aligned to a cache line */
    size_t scratch_size;
} dlz_run;

static inline void *dlz_run_scratch(const dlz_run *run, int worker) {
    return run->scratch + (size_t)worker * run->scratch_size;
}

/* A state tensor as an operation sees it: value NULL when the layer has none, gradient NULL when
 * none is to be computed. */
typedef struct dlz_parameter {
    float *value, *gradient;
} dlz_parameter;

typedef struct dlz_batchnorm_state {
    double eps, momentum;
    dlz_parameter weight, bias;
    float *running_mean, *running_var;
    int64_t *batches_tracked;
} dlz_batchnorm_state;

/* Evaluation only: batch norm and relu that a convolution does in place of its successor. */
typedef struct dlz_fold {
    bool active, relu, has_batchnorm;
    dlz_batchnorm_state batchnorm;
    float *scale, *shift; /* planned: the finished factors */
} dlz_fold;

typedef struct dlz_op dlz_op;

typedef struct dlz_op_type {
    const char *name;
    /* Asks for memory for setup->n samples; called again when n changes. */
    dlviz_status (*plan)(dlz_op *op, const dlz_setup *setup);
    void (*forward)(dlz_op *op, const dlz_run *run);
    /* Reads out->gradient, sets the gradients of its parameters and, if in->needs_gradient, in->dy
     * and in->gradient. */
    void (*backward)(dlz_op *op, const dlz_run *run);
} dlz_op_type;

typedef struct dlz_post_op {
    bool has_batchnorm, relu, pool, dropout;
    bool pending; /* writes nothing: leaves scale, shift and relu on its output */
    dlz_batchnorm_state batchnorm;
    double p;
    uint64_t stream;
    /* planned */
    float *mean, *scale, *shift, *a, *b, *d;
    double *sums; /* a block a tile: moments on the way forward, sums on the way back */
    uint8_t *codes;
    int64_t tiles;
} dlz_post_op;

typedef struct dlz_conv2d_op {
    const dlz_conv2d_settings *set;
    dlz_parameter weight, bias; /* bias.value NULL: none */
    dlz_fold fold;
    /* planned */
    dlz_conv2d_plan plan;
    int64_t groups;
    float *weights, *folded_bias, *repeated_bias;
    float *matrix, *packed; /* weights as (outputs, patch), and packed for the product */
    /* Factors of a row of the input, and of the output's gradient. */
    float *in_scale, *in_shift;
    float *scale, *shift, *a, *b, *center, *d;
    float *weight_sums;
    double *bias_sums;
} dlz_conv2d_op;

/* The same layer where its shape is 3 x 3, stride 1, padding 1. */
typedef struct dlz_conv3x3_op {
    dlz_parameter weight, bias;
    dlz_fold fold;
    /* planned */
    dlz_conv3x3_plan plan;
    float *folded_weight, *folded_bias;
    float *forward_weights, *backward_weights, *accumulators;
} dlz_conv3x3_op;

typedef struct dlz_linear_op {
    dlz_parameter weight, bias;
} dlz_linear_op;

typedef struct dlz_maxpool2d_op {
    const dlz_maxpool2d_settings *set;
    int32_t *winners; /* place in the input image, of each output */
} dlz_maxpool2d_op;

struct dlz_op {
    const dlz_op_type *type;
    dlz_value *in, *out;
    int first_layer, last_layer; /* of the network, inclusive */
    union {
        dlz_post_op post;
        dlz_conv2d_op conv2d;
        dlz_conv3x3_op conv3x3;
        dlz_linear_op linear;
        dlz_maxpool2d_op maxpool2d;
    } as;
};

extern const dlz_op_type dlz_post_op_type, dlz_conv2d_op_type, dlz_conv3x3_op_type,
    dlz_linear_op_type, dlz_maxpool2d_op_type, dlz_flatten_op_type;

/* scale and shift of a batch norm in evaluation mode. */
void dlz_batchnorm_running_factors(const dlz_batchnorm_state *state, int64_t channels, float *scale,
                                   float *shift);

/* The fold's factors, and a bias that includes them: bias * scale + shift. */
void dlz_fold_bias(const dlz_fold *fold, const float *bias, int64_t channels, float *folded);
/* Asks for the moments, or on the way back the sums, that a batch norm wants of an operation that
 * runs `tiles` tiles at `time`. */
dlviz_status dlz_op_ask_moments(dlz_statistics *statistics, int64_t channels, int64_t tiles,
                                int time, dlz_memory *memory);
dlviz_status dlz_op_ask_sums(dlz_statistics *statistics, int64_t channels, int64_t tiles, int time,
                             dlz_memory *memory);

/* The usual buffers: the output's data from the forward pass on, and the gradient of the input. */
dlviz_status dlz_op_ask_output(dlz_op *op, const dlz_setup *setup);
dlviz_status dlz_op_ask_input_gradient(dlz_op *op, const dlz_setup *setup);

#endif
