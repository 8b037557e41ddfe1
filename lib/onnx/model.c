/* A graph as a model: the walk over its nodes, and the bytes of the file. The numbers of fields are
 * those of onnx.proto. */
#include "onnx/model.h"
#include "base/base.h"
#include "tensor/element.h"
#include <dlviz/version.h>

#include <string.h>

/* The oldest version of the format that has this set of operators. */
#define IR_VERSION 8
/* The dimension of samples, any number of which a model takes. */
#define BATCH "n"

enum { MODEL_IR_VERSION = 1, MODEL_PRODUCER, MODEL_PRODUCER_VERSION };
enum { MODEL_GRAPH = 7, MODEL_OPERATORS, MODEL_PROPERTY = 14 };
enum { OPERATORS_DOMAIN = 1, OPERATORS_VERSION, PROPERTY_KEY = 1, PROPERTY_VALUE };
enum { GRAPH_NAME = 2, GRAPH_TENSOR = 5, GRAPH_INPUT = 11, GRAPH_OUTPUT, GRAPH_INFO };
enum { TENSOR_DIM = 1, TENSOR_KIND, TENSOR_NAME = 8, TENSOR_DATA };
enum { INFO_NAME = 1, INFO_TYPE, TYPE_TENSOR = 1, TENSOR_TYPE_KIND = 1, TENSOR_TYPE_SHAPE };
enum { SHAPE_DIM = 1, DIM_VALUE = 1, DIM_NAME };
enum { KIND_FLOAT32 = 1, KIND_INT64 = 7 };

/* -- Walking --------------------------------------------------------------------------------------
 */

static void write_type(const dlz_shape *shape, dlz_message *dim, dlz_message *dims,
                       dlz_message *type) {
    dlz_message_clear(dims);
    for (int i = -1; i < shape->ndim; i++) {
        dlz_message_clear(dim);
        if (i < 0)
            dlz_message_text(dim, DIM_NAME, BATCH);
        else
            dlz_message_integer(dim, DIM_VALUE, shape->dims[i]);
        dlz_message_inside(dims, SHAPE_DIM, dim);
    }
    dlz_message_clear(type);
    dlz_message_integer(type, TENSOR_TYPE_KIND, KIND_FLOAT32);
    dlz_message_inside(type, TENSOR_TYPE_SHAPE, dims);
}

/* What a value is: images or vectors, of n samples. */
static void describe_value(dlz_onnx *to, int field, const char *name, const dlz_shape *shape) {
    dlz_message *scratch = to->scratch;
    write_type(shape, &scratch[0], &scratch[1], &scratch[2]);
    dlz_message_clear(&scratch[0]);
    dlz_message_inside(&scratch[0], TYPE_TENSOR, &scratch[2]);
    dlz_message_clear(&scratch[1]);
    dlz_message_text(&scratch[1], INFO_NAME, name);
    dlz_message_inside(&scratch[1], INFO_TYPE, &scratch[0]);
    dlz_message_inside(&to->infos, field, &scratch[1]);
}

/* States and parts are named after layers, and give way to layers of the same name. */
static dlviz_status take_names(dlz_onnx *to) {
    bool added = dlz_names_add(&to->taken, DLZ_GRAPH_INPUT_NAME, 0);
    for (int i = 0; i < to->graph->num_nodes; i++)
        added = added && dlz_names_add(&to->taken, to->graph->nodes[i].name, 0);
    return added ? DLVIZ_OK : dlz_fail_memory("the names of an ONNX model", 0);
}

static void add_layer(dlz_onnx *to, int index) {
    const dlz_node *node = to->node = &to->graph->nodes[index];
    bool is_last = index == to->graph->num_nodes - 1;
    if (!node->layer->type->onnx) {
        dlz_onnx_refuse(to,
                        "this kind of layer cannot be written as ONNX, only the library's own can");
        return;
    }
    node->layer->type->onnx(node->layer, to);
    if (to->status != DLVIZ_OK)
        return;
    /* Where its input passes through, the values behind it are the input's. */
    bool is_made = to->values[index] == node->name;
    if (is_last && !is_made)
        DLZ_ONNX_NODE(to, "Identity", NULL, to->values[index]);
    if (is_last || is_made)
        describe_value(to, is_last ? GRAPH_OUTPUT : GRAPH_INFO, node->name, &node->out);
}

static dlviz_status walk(dlz_onnx *to) {
    DLZ_TRY(take_names(to));
    dlz_message_text(&to->infos, GRAPH_NAME, "network");
    describe_value(to, GRAPH_INPUT, DLZ_GRAPH_INPUT_NAME, &to->graph->in);
    for (int i = 0; to->status == DLVIZ_OK && i < to->graph->num_nodes; i++)
        add_layer(to, i);
    return to->status;
}

dlviz_status dlz_onnx_create(dlz_onnx **out, const dlz_graph *graph) {
    uint64_t count = (uint64_t)graph->num_nodes;
    dlz_onnx *to = dlz_alloc_zero(sizeof *to);
    if (!to)
        return dlz_fail_memory("an ONNX model", sizeof *to);
    to->graph = graph;
    to->values = dlz_alloc_array_zero(count, sizeof *to->values);
    dlviz_status status =
        to->values ? walk(to) : dlz_fail_memory("an ONNX model", count * sizeof *to->values);
    if (status == DLVIZ_OK)
        *out = to;
    else
        dlz_onnx_destroy(to);
    return status;
}

void dlz_onnx_destroy(dlz_onnx *model) {
    if (!model)
        return;
    for (int i = 0; i < model->num_texts; i++)
        dlz_free(model->texts[i]);
    for (int i = 0; i < model->num_tensors; i++)
        dlz_free(model->tensors[i].own);
    for (int i = 0; i < 3; i++)
        dlz_message_release(&model->scratch[i]);
    dlz_message_release(&model->attributes);
    dlz_message_release(&model->nodes);
    dlz_message_release(&model->infos);
    dlz_message_release(&model->properties);
    dlz_names_free(model->taken);
    dlz_free(model->tensors);
    dlz_free(model->texts);
    dlz_free(model->values);
    dlz_free(model);
}

void dlz_onnx_set_property(dlz_onnx *model, const char *key, const char *value) {
    dlz_message *property = &model->scratch[0];
    dlz_message_clear(property);
    dlz_message_text(property, PROPERTY_KEY, key);
    dlz_message_text(property, PROPERTY_VALUE, value);
    dlz_message_inside(&model->properties, MODEL_PROPERTY, property);
}

/* -- Bytes ----------------------------------------------------------------------------------------
 */

static uint64_t bytes_of(const dlz_onnx_tensor *tensor) {
    return (uint64_t)tensor->size * dlviz_dtype_size(tensor->dtype);
}

/* All of a tensor's message but its numbers, and how large it is with them. */
static uint64_t write_head(const dlz_onnx_tensor *tensor, dlz_message *head) {
    dlz_message_clear(head);
    for (int i = 0; i < tensor->ndim; i++)
        dlz_message_integer(head, TENSOR_DIM, tensor->dims[i]);
    dlz_message_integer(head, TENSOR_KIND,
                        tensor->dtype == DLVIZ_INT64 ? KIND_INT64 : KIND_FLOAT32);
    dlz_message_text(head, TENSOR_NAME, tensor->name);
    return head->size + dlz_message_field_size(TENSOR_DATA, bytes_of(tensor));
}

static void write_tensor(const dlz_onnx_tensor *tensor, dlz_message *head, dlz_message *to) {
    uint64_t bytes = bytes_of(tensor);
    dlz_message_open(to, GRAPH_TENSOR, write_head(tensor, head));
    dlz_message_append(to, head->bytes, head->size);
    dlz_message_open(to, TENSOR_DATA, bytes);
    dlz_element_encode(tensor->dtype, tensor->values, tensor->size, to->bytes + to->size);
    to->size += (size_t)bytes;
}

static void write_front(dlz_onnx *model, dlz_message *front) {
    dlz_message *operators = &model->scratch[0];
    dlz_message_integer(front, MODEL_IR_VERSION, IR_VERSION);
    dlz_message_text(front, MODEL_PRODUCER, "libdlviz");
    dlz_message_text(front, MODEL_PRODUCER_VERSION, dlviz_version());
    dlz_message_clear(operators);
    dlz_message_text(operators, OPERATORS_DOMAIN, "");
    dlz_message_integer(operators, OPERATORS_VERSION, DLZ_ONNX_OPSET);
    dlz_message_inside(front, MODEL_OPERATORS, operators);
    dlz_message_append(front, model->properties.bytes, model->properties.size);
}

static bool have_failed(const dlz_onnx *model, const dlz_message *front) {
    return front->failed || model->nodes.failed || model->infos.failed ||
           model->properties.failed || model->scratch[0].failed;
}

/* All sizes are known before the one block of the file is allocated. */
static dlviz_status assemble(dlz_onnx *model, dlz_message *front, dlz_message *file) {
    dlz_message *head = &model->scratch[0];
    write_front(model, front);
    uint64_t graph = model->nodes.size + model->infos.size;
    for (int i = 0; i < model->num_tensors; i++)
        graph += dlz_message_field_size(GRAPH_TENSOR, write_head(&model->tensors[i], head));
    if (have_failed(model, front))
        return dlz_fail_memory("an ONNX model", model->nodes.size);
    uint64_t whole = front->size + dlz_message_field_size(MODEL_GRAPH, graph);
    if (whole > DLZ_ONNX_LARGEST)
        return dlz_fail(DLVIZ_ERROR_UNSUPPORTED,
                        "the model has %llu bytes; what ONNX is written in, protobuf, ends at %d",
                        (unsigned long long)whole, DLZ_ONNX_LARGEST);
    *file = (dlz_message){.bytes = dlz_alloc((size_t)whole), .room = (size_t)whole};
    if (!file->bytes)
        return dlz_fail_memory("an ONNX model", whole);
    dlz_message_append(file, front->bytes, front->size);
    dlz_message_open(file, MODEL_GRAPH, graph);
    dlz_message_append(file, model->nodes.bytes, model->nodes.size);
    for (int i = 0; i < model->num_tensors; i++)
        write_tensor(&model->tensors[i], head, file);
    dlz_message_append(file, model->infos.bytes, model->infos.size);
    return DLVIZ_OK;
}

dlviz_status dlz_onnx_write(dlz_onnx *model, void **bytes, size_t *size) {
    dlz_message front = {0}, file = {0};
    dlviz_status status = assemble(model, &front, &file);
    dlz_message_release(&front);
    *bytes = file.bytes;
    *size = file.size;
    return status;
}
