/* graph/layer.h - what a layer is to the graph: a type, which says everything about the layers of
 * its kind, and settings, which are the layer's own.
 *
 * A layer's file (lib/layers/) defines a struct that begins with a dlviz_layer, the constructor and
 * setters of that struct, and a dlz_layer_type. Nothing else in the library knows the kind. */
#ifndef DLZ_GRAPH_LAYER_H
#define DLZ_GRAPH_LAYER_H

#include "base/base.h"
#include "tensor/settings.h"
#include "tensor/shape.h"

#include <dlviz/layer.h>
#include <dlviz/tensor.h>

/* -- State --------------------------------------------------------------------------------------
 */

typedef enum dlz_initial {
    DLZ_INITIAL_ZERO,
    DLZ_INITIAL_ONE,
    DLZ_INITIAL_UNIFORM, /* U(-bound, bound) */
    DLZ_INITIAL_AROUND   /* middle + U(-bound, bound) */
} dlz_initial;

/* One state tensor of a layer. */
typedef struct dlz_state_spec {
    const char *suffix; /* the name after "<layer>." */
    dlviz_dtype dtype;
    int ndim;
    int64_t dims[4];
    bool trainable;
    bool not_negative; /* as variances are */
    bool is_constant;  /* added to all samples alike, the same for every number of a channel */
    dlz_initial initial;
    double middle, bound; /* of random numbers */
} dlz_state_spec;

#define DLZ_MAX_STATES 8

/* A state tensor as an operation sees it: `value` NULL when the layer has none, `gradient` NULL
 * when none is to be computed. A tensor of int64 has a count instead. */
typedef struct dlz_parameter {
    float *value, *gradient;
    int64_t *count;
    bool is_constant; /* added to all samples alike, the same for every number of a channel */
} dlz_parameter;

/* -- Constants ----------------------------------------------------------------------------------
 */

/* A constant added to all samples alike, the same for every number of a channel (everywhere) or not
 * (by place), and what a layer makes of it. */
typedef enum dlz_constant {
    DLZ_CONSTANT_LOST, /* the outputs are no longer those without it plus a constant */
    DLZ_CONSTANT_BY_PLACE,
    DLZ_CONSTANT_EVERYWHERE,
    DLZ_CONSTANT_TAKEN_OUT /* the outputs are those without it */
} dlz_constant;

/* -- Types --------------------------------------------------------------------------------------
 */

/* What a layer can be to the one before it: a stage of the pass over memory that follows a
 * convolution, say (graph/post.h). Stages come in this order, each once at most. */
typedef enum dlz_stage {
    DLZ_STAGE_NONE,
    DLZ_STAGE_NORMALIZE,
    DLZ_STAGE_ACTIVATE,
    DLZ_STAGE_POOL,
    DLZ_STAGE_DROP
} dlz_stage;

typedef struct dlz_op_type dlz_op_type;
typedef struct dlz_post_op dlz_post_op;
typedef struct dlz_onnx dlz_onnx;

/* What all layers of a kind have in common. What is optional may be NULL. */
typedef struct dlz_layer_type {
    const char *name;
    size_t size; /* of the struct that begins with a dlviz_layer */
    /* Optional: the settings as files keep them; the last has no name. */
    const dlz_setting *settings;
    /* Optional: fails when settings are out of range; a message starts after "dlviz_<type>: ". */
    dlviz_status (*check)(const dlviz_layer *layer);

    bool is_users; /* calls functions of the user's, in the thread that called the library */

    /* How many inputs the layer takes: one unless set. */
    int min_inputs, max_inputs;
    /* The output's shape; settings that stand for others (DLVIZ_PAD_SAME) may be worked out. A
     * message starts after "<type> '<name>': ". */
    dlviz_status (*infer)(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out);
    /* Optional: fills specs in PyTorch's order and returns how many. */
    int (*states)(const dlviz_layer *layer, const dlz_shape *in,
                  dlz_state_spec specs[DLZ_MAX_STATES]);
    /* Optional: multiplications with an addition each, forward, of one sample. */
    double (*multiply_adds)(const dlviz_layer *layer, const dlz_shape *in, const dlz_shape *out);
    /* Optional: fails when the layer cannot train on a batch of n samples. */
    dlviz_status (*check_batch)(const dlviz_layer *layer, const dlz_shape *in, int64_t n);
    /* Optional: what becomes in training of a constant in one of the inputs; without it, it is
     * lost. */
    dlz_constant (*hand_on)(const dlviz_layer *layer, dlz_constant constant);

    /* How it is computed: by an operation of its own, the same for all (op) or by what the settings
     * and shapes ask for (choose_op, which may fall back on op); or as a stage. A layer that is a
     * stage needs no operation: what stands alone is a pass with one stage. */
    const dlz_op_type *op;
    const dlz_op_type *(*choose_op)(const dlviz_layer *layer, const dlz_shape *in);
    dlz_stage (*stage)(const dlviz_layer *layer);
    void (*join)(const dlviz_layer *layer, const dlz_parameter *states, dlz_post_op *post);

    /* Optional: adds to an ONNX model what the layer computes in evaluation (onnx/onnx.h); without
     * it, a network that has the layer cannot be exported. */
    void (*onnx)(const dlviz_layer *layer, dlz_onnx *to);

    /* Optional: frees what the struct points to. */
    void (*destroy)(dlviz_layer *layer);
} dlz_layer_type;

struct dlviz_layer {
    const dlz_layer_type *type;
    dlviz_layer *next_refused; /* of its network */
    bool owned;                /* by a network */
    bool built;                /* the network is built: the settings are fixed */
    dlviz_status error;        /* the first one, with its sentence */
    char message[DLZ_SENTENCE_SIZE];
};

/* A layer of type->size bytes with its settings zero; NULL when out of memory. */
dlviz_layer *dlz_layer_create(const dlz_layer_type *type);
/* Ends a constructor: checks the settings, and lets the layer remember what is wrong. */
dlviz_layer *dlz_layer_checked(dlviz_layer *layer);
/* Records the present last error as the layer's own, unless it has one; returns `status`. */
dlviz_status dlz_layer_remember(dlviz_layer *layer, dlviz_status status);
/* Fails when the layer is NULL, of another type or part of a network that is built; a layer that no
 * network was built with remembers. */
dlviz_status dlz_layer_require(const char *who, const dlviz_layer *layer,
                               const dlz_layer_type *type);
/* For setters: requires the type, then replaces the `size` bytes at `field` by those of `value`,
 * checks all settings, and takes the change back if they are out of range. */
dlviz_status dlz_layer_set(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                           size_t offset, const void *value, size_t size);
dlviz_status dlz_layer_set_pair(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                                size_t offset, int64_t first, int64_t second);
/* The layer as one of the type, or NULL: for getters. */
const void *dlz_layer_as(const dlviz_layer *layer, const dlz_layer_type *type);

/* For getters: the double at `offset`, or NaN when the layer is none of the type. */
double dlz_layer_real(const dlviz_layer *layer, const dlz_layer_type *type, size_t offset);
/* The same for pairs, which are zeros when the layer is none of the type. Either pointer may be
 * NULL. */
void dlz_layer_pair(const dlviz_layer *layer, const dlz_layer_type *type, size_t offset,
                    int64_t *first, int64_t *second);
void dlz_layer_give_pair(const int64_t pair[2], int64_t *first, int64_t *second);

/* The settings as a new JSON object; NULL when out of memory. */
json_t *dlz_layer_settings(const dlviz_layer *layer);
/* A layer made of such an object. Fails with DLVIZ_ERROR_FORMAT when one is missing or of another
 * kind, and with what `check` says. */
dlviz_status dlz_layer_open(dlviz_layer **out, const dlz_layer_type *type, const json_t *settings);

/* -- For layers' files ---------------------------------------------------------------------------
 */

/* For `states`: a weight of these dimensions and a bias, with PyTorch's initial values. */
void dlz_weight_and_bias(dlz_state_spec specs[2], int ndim, const int64_t *dims, int64_t outputs,
                         double fan_in);
/* For `infer`: the output has the first input's shape. */
dlviz_status dlz_infer_same(dlviz_layer *layer, int num_inputs, const dlz_shape *in,
                            dlz_shape *out);
/* For `hand_on`: a constant stays what it is. */
dlz_constant dlz_hand_on_as_is(const dlviz_layer *layer, dlz_constant constant);

#endif
