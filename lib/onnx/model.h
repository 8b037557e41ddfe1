/* onnx/model.h - the inside of an ONNX model being made, and how a graph becomes one. */
#ifndef DLZ_ONNX_MODEL_H
#define DLZ_ONNX_MODEL_H

#include "graph/graph.h"
#include "onnx/onnx.h"
#include "onnx/protobuf.h"

/* Programs that read protobuf take no larger message. */
#define DLZ_ONNX_LARGEST INT32_MAX

/* An initializer. */
typedef struct dlz_onnx_tensor {
    const char *name;
    dlviz_dtype dtype;
    int ndim;
    int64_t dims[4], size;
    const void *values; /* a state of the network, or `own` */
    void *own;
} dlz_onnx_tensor;

struct dlz_onnx {
    dlviz_status status; /* the first failure, whose sentence is recorded */
    const dlz_graph *graph;
    const dlz_node *node; /* whose layer is asked */
    const char **values;  /* of each node, the name of its output */
    dlz_names *taken;     /* names of values */
    char **texts;         /* those of them that are not the graph's */
    int num_texts, text_room;
    dlz_onnx_tensor *tensors;
    int num_tensors, tensor_room;
    uint64_t constants;       /* bytes of those that are no state */
    dlz_message attributes;   /* of the next node */
    dlz_message scratch[3];   /* messages inside others */
    dlz_message nodes, infos; /* fields of the graph; infos: its name, and what its values are */
    dlz_message properties;   /* fields of the model */
};

/* -- model.c: a graph as a model -----------------------------------------------------------------
 */

/* A model of the graph, whose shapes and states are there and stay as they are until it is written. */
dlviz_status dlz_onnx_create(dlz_onnx **out, const dlz_graph *graph);
/* NULL is allowed. */
void dlz_onnx_destroy(dlz_onnx *model);
/* An entry of the model's metadata. */
void dlz_onnx_set_property(dlz_onnx *model, const char *key, const char *value);
/* The model as the bytes of a file (dlz_free). */
dlviz_status dlz_onnx_write(dlz_onnx *model, void **bytes, size_t *size);

/* -- values.c ------------------------------------------------------------------------------------
 */

/* Keeps the first failure. */
void dlz_onnx_keep(dlz_onnx *to, dlviz_status status);
/* "<layer>.<part>", or with a number behind it where that is taken; "" after a failure. */
const char *dlz_onnx_name(dlz_onnx *to, const char *part);

#endif
