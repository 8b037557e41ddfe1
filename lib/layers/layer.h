/* layers/layer.h - what a layer is: its settings, the shape it gives, the state it needs. */
#ifndef DLZ_LAYER_H
#define DLZ_LAYER_H

#include <dlviz/layer.h>
#include <dlviz/tensor.h>

#include <jansson.h>

/* The shape of one sample: 3 dimensions (channels, height, width), or 1. */
typedef struct dlz_shape {
    int ndim;
    int64_t dims[3];
} dlz_shape;

int64_t dlz_shape_size(const dlz_shape *shape);

typedef enum dlz_initial { DLZ_INITIAL_ZERO, DLZ_INITIAL_ONE, DLZ_INITIAL_UNIFORM } dlz_initial;

/* One state tensor of a layer. */
typedef struct dlz_state_spec {
    const char *suffix; /* the name after "<layer>." */
    dlviz_dtype dtype;
    int ndim;
    int64_t dims[4];
    bool trainable;
    dlz_initial initial;
    double bound; /* of DLZ_INITIAL_UNIFORM: U(-bound, bound) */
} dlz_state_spec;

#define DLZ_MAX_STATES 5

typedef enum dlz_layer_kind {
    DLZ_CONV2D,
    DLZ_BATCHNORM,
    DLZ_RELU,
    DLZ_MAXPOOL2D,
    DLZ_DROPOUT,
    DLZ_LINEAR,
    DLZ_FLATTEN
} dlz_layer_kind;

/* A constant added to all samples alike, the same for every number of a channel (everywhere) or not
 * (by place), and what a layer makes of it. */
typedef enum dlz_constant {
    DLZ_CONSTANT_LOST, /* the outputs are no longer those without it plus a constant */
    DLZ_CONSTANT_BY_PLACE,
    DLZ_CONSTANT_EVERYWHERE,
    DLZ_CONSTANT_TAKEN_OUT /* the outputs are those without it */
} dlz_constant;

/* What all layers of a kind have in common. */
typedef struct dlz_layer_type {
    const char *name;
    /* The output's shape; a failure's message starts after "<type> '<name>': ". */
    dlviz_status (*infer)(const dlviz_layer *layer, const dlz_shape *in, dlz_shape *out);
    /* Fills specs in PyTorch's order and returns how many; NULL for layers without state. */
    int (*states)(const dlviz_layer *layer, const dlz_shape *in,
                  dlz_state_spec specs[DLZ_MAX_STATES]);
    /* The settings by name, as files keep them: a new JSON object, NULL when out of memory. NULL
     * for layers without settings. */
    json_t *(*settings)(const dlviz_layer *layer);
    /* The one of them that acts in training alone, or NULL. */
    const char *training_setting;
    /* What becomes in training of a constant, everywhere or by place, in the input. NULL: it is
     * lost. */
    dlz_constant (*hand_on)(const dlviz_layer *layer, dlz_constant constant);
} dlz_layer_type;

typedef struct dlz_conv2d_settings {
    int64_t out_channels;
    int64_t kernel[2], stride[2], padding[2], dilation[2]; /* vertical, horizontal */
    bool bias;
} dlz_conv2d_settings;

typedef struct dlz_maxpool2d_settings {
    int64_t kernel, stride, padding;
} dlz_maxpool2d_settings;

struct dlviz_layer {
    dlz_layer_kind kind;
    bool owned;         /* by a network */
    bool built;         /* the network is built: the settings are fixed */
    dlviz_status error; /* the first one, with its sentence */
    char message[256];
    union {
        dlz_conv2d_settings conv2d;
        dlz_maxpool2d_settings maxpool2d;
        struct {
            double eps, momentum;
        } batchnorm;
        struct {
            double p;
        } dropout;
        struct {
            int64_t out_features;
            bool bias;
        } linear;
    } set;
};

const dlz_layer_type *dlz_layer_type_of(dlz_layer_kind kind);

/* A layer with its settings zero; NULL when out of memory. */
dlviz_layer *dlz_layer_create(dlz_layer_kind kind);
/* Records the present last error as the layer's own, unless it has one; returns `status`. */
dlviz_status dlz_layer_remember(dlviz_layer *layer, dlviz_status status);
/* Fails when the layer is NULL, of another kind or part of a network that is built; a layer that no
 * network was built with remembers. */
dlviz_status dlz_layer_require(const char *who, dlviz_layer *layer, dlz_layer_kind kind);

/* Fails unless the input has three dimensions. */
dlviz_status dlz_require_image(const dlz_shape *in);

/* The zeros on each side, DLVIZ_PAD_SAME resolved; axis 0 is vertical. */
int64_t dlz_conv2d_padding(const dlz_conv2d_settings *set, int axis);

/* The output size of a window sliding over one dimension; 0 when the window does not fit. */
int64_t dlz_window_count(int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                         int64_t dilation);

extern const dlz_layer_type dlz_conv2d_type, dlz_batchnorm_type, dlz_relu_type, dlz_maxpool2d_type,
    dlz_dropout_type, dlz_linear_type, dlz_flatten_type;

#endif
