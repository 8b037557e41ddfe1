/* support/onnx_model.h - reads an ONNX model without the library and computes it in double precision, as
 * ONNX's description of its operators says. A model that is not sound fails the test. */
#ifndef DLZ_TESTS_ONNX_MODEL_H
#define DLZ_TESTS_ONNX_MODEL_H

#include "support/support.h"

#define ONNX_MAX_DIMS 4

/* A tensor; whole numbers are doubles, too. */
typedef struct onnx_value {
    char *name;
    int ndim;
    int64_t dims[ONNX_MAX_DIMS], size;
    double *numbers; /* NULL: not computed yet */
    bool is_constant, is_whole;
    int num_readers;
} onnx_value;

typedef struct onnx_attribute {
    char *name, *text;
    int kind; /* 1: real, 2: whole, 3: text, 7: whole numbers */
    float real;
    int64_t whole, count, list[8];
} onnx_attribute;

typedef struct onnx_node {
    char *name, *op, *output;
    int num_inputs, num_attributes;
    char **inputs;
    onnx_attribute *attributes;
} onnx_node;

/* What the model says of an input, an output or a value between: the shape, −1 for n. */
typedef struct onnx_info {
    char *name;
    int ndim;
    int64_t dims[ONNX_MAX_DIMS];
} onnx_info;

typedef struct onnx_model {
    int64_t ir_version, opset;
    char *producer, *producer_version, *graph_name;
    onnx_node *nodes;
    onnx_value *values; /* constants, then the input, then what nodes give */
    onnx_info *inputs, *outputs, *infos;
    char **properties; /* key, value, … */
    int num_nodes, num_values, num_inputs, num_outputs, num_infos, num_properties;
} onnx_model;

/* Checked: every field is one that there is, and its bytes are all there; names are UTF-8 and each
 * value's its own; a node reads what came before; nothing is there that nobody reads; tensors are as
 * large as their shapes say; there is one input, and one output. */
onnx_model *onnx_read(const void *bytes, size_t size);
void onnx_free(onnx_model *model);
/* The value of this name, or NULL. */
onnx_value *onnx_find(const onnx_model *model, const char *name);
const char *onnx_property(const onnx_model *model, const char *key);

/* Computes all values from the input; their shapes must be those that the model tells. */
void onnx_run(onnx_model *model, const dlviz_tensor *input);

/* -- onnx_run.c and onnx_run_images.c ------------------------------------------------------------
 */

typedef struct onnx_call {
    const onnx_node *node;
    const onnx_value *in[8]; /* NULL: left out */
    int num_inputs;
    onnx_value *out;
} onnx_call;

int64_t onnx_whole(const onnx_call *call, const char *name, int64_t otherwise);
double onnx_real(const onnx_call *call, const char *name, double otherwise);
const char *onnx_text(const onnx_call *call, const char *name, const char *otherwise);
/* `count` numbers, or `otherwise` each. */
void onnx_list(const onnx_call *call, const char *name, int64_t count, int64_t otherwise,
               int64_t *to);
/* Gives the output its shape, and memory of zeros. */
void onnx_shape(const onnx_call *call, int ndim, const int64_t *dims);

/* The operators on images; false for any other. */
bool onnx_run_on_images(const onnx_call *call);

#endif
