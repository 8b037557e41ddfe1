/* Nodes of a model and their attributes. The numbers of fields and kinds are those of onnx.proto. */
#include "base/base.h"
#include "onnx/model.h"

#include <stdio.h>
#include <string.h>

enum { NODE_INPUT = 1, NODE_OUTPUT, NODE_NAME, NODE_OP_TYPE, NODE_ATTRIBUTE, GRAPH_NODE = 1 };
enum { NAME = 1, REAL, INTEGER, TEXT, INTEGERS = 8, KIND = 20 }; /* of an attribute */
enum { KIND_REAL = 1, KIND_INTEGER, KIND_TEXT, KIND_INTEGERS = 7 };

/* -- Attributes -----------------------------------------------------------------------------------
 */

static dlz_message *begin(dlz_onnx *to, const char *name) {
    dlz_message *attribute = &to->scratch[0];
    dlz_message_clear(attribute);
    dlz_message_text(attribute, NAME, name);
    return attribute;
}

static void end(dlz_onnx *to, int kind) {
    dlz_message_integer(&to->scratch[0], KIND, kind);
    dlz_message_inside(&to->attributes, NODE_ATTRIBUTE, &to->scratch[0]);
}

void dlz_onnx_set_integer(dlz_onnx *to, const char *name, int64_t value) {
    dlz_message_integer(begin(to, name), INTEGER, value);
    end(to, KIND_INTEGER);
}

void dlz_onnx_set_integers(dlz_onnx *to, const char *name, int64_t count, const int64_t *values) {
    dlz_message *attribute = begin(to, name);
    for (int64_t i = 0; i < count; i++)
        dlz_message_integer(attribute, INTEGERS, values[i]);
    end(to, KIND_INTEGERS);
}

void dlz_onnx_set_real(dlz_onnx *to, const char *name, double value) {
    dlz_message_float(begin(to, name), REAL, (float)value);
    end(to, KIND_REAL);
}

void dlz_onnx_set_text(dlz_onnx *to, const char *name, const char *value) {
    dlz_message_text(begin(to, name), TEXT, value);
    end(to, KIND_TEXT);
}

void dlz_onnx_set_epsilon(dlz_onnx *to, double eps) {
    if ((float)eps == 0)
        dlz_onnx_refuse(to, "eps is %g, which is 0 as a float, as ONNX has it", eps);
    dlz_onnx_set_real(to, "epsilon", eps);
}

void dlz_onnx_set_pads(dlz_onnx *to, const int64_t before[2], const int64_t after[2]) {
    dlz_onnx_set_integers(to, "pads", 4, (int64_t[]){before[0], before[1], after[0], after[1]});
}

/* -- Nodes ----------------------------------------------------------------------------------------
 */

const char *dlz_onnx_node(dlz_onnx *to, const char *op, const char *part, int num_inputs,
                          const char *const *inputs) {
    const char *output = part ? dlz_onnx_name(to, part) : to->node->name;
    if (to->status != DLVIZ_OK)
        return "";
    dlz_message *node = &to->scratch[1];
    dlz_message_clear(node);
    for (int i = 0; i < num_inputs; i++)
        dlz_message_text(node, NODE_INPUT, inputs[i]);
    dlz_message_text(node, NODE_OUTPUT, output);
    dlz_message_text(node, NODE_NAME, output);
    dlz_message_text(node, NODE_OP_TYPE, op);
    dlz_message_append(node, to->attributes.bytes, to->attributes.size);
    node->failed |= to->attributes.failed;
    dlz_message_clear(&to->attributes);
    dlz_message_inside(&to->nodes, GRAPH_NODE, node);
    if (to->nodes.failed)
        dlz_onnx_lack_memory(to, to->nodes.size);
    if (!part)
        to->values[to->node - to->graph->nodes] = output;
    return output;
}

const char *dlz_onnx_reshape(dlz_onnx *to, const char *part, const char *value, int ndim,
                             const int64_t *dims) {
    int64_t whole[4] = {0}; /* which leaves the number of samples as it is */
    memcpy(whole + 1, dims, (size_t)ndim * sizeof *dims);
    char shape[40];
    snprintf(shape, sizeof shape, "%s%sshape", part ? part : "", part ? "_" : "");
    return DLZ_ONNX_NODE(to, "Reshape", part, value, dlz_onnx_integers(to, shape, ndim + 1, whole));
}

/* Nothing is left of images of which more is taken away at one end than there is. */
static void clip(int64_t *before, int64_t *after, int64_t size) {
    if (*before < -size) {
        *after += *before + size;
        *before = -size;
    } else if (*after < -size) {
        *before += *after + size;
        *after = -size;
    }
}

const char *dlz_onnx_pad(dlz_onnx *to, const char *part, const char *images, const int64_t size[2],
                         const int64_t rows[2], const int64_t columns[2], const char *value) {
    int64_t pads[] = {0, 0, rows[0], columns[0], 0, 0, rows[1], columns[1]};
    clip(&pads[2], &pads[6], size[0]);
    clip(&pads[3], &pads[7], size[1]);
    const char *inputs[] = {images, dlz_onnx_integers(to, "pads", 8, pads), value};
    return dlz_onnx_node(to, "Pad", part, value ? 3 : 2, inputs);
}

void dlz_onnx_pass_on(dlz_onnx *to) {
    to->values[to->node - to->graph->nodes] = dlz_onnx_input(to);
}

void dlz_onnx_refuse(dlz_onnx *to, const char *format, ...) {
    if (to->status != DLVIZ_OK)
        return;
    char reason[300];
    va_list arguments;
    va_start(arguments, format);
    dlz_vsnprintf(reason, sizeof reason, format, arguments);
    va_end(arguments);
    dlz_onnx_keep(to, dlz_fail(DLVIZ_ERROR_UNSUPPORTED, "%s '%s': %s", to->node->layer->type->name,
                               to->node->name, reason));
}

void dlz_onnx_plain(dlz_onnx *to, const char *op) {
    int count = dlz_onnx_num_inputs(to);
    const char **inputs = dlz_alloc_array((uint64_t)count, sizeof *inputs);
    if (!inputs) {
        dlz_onnx_lack_memory(to, (uint64_t)count * sizeof *inputs);
        return;
    }
    for (int i = 0; i < count; i++)
        inputs[i] = dlz_onnx_input_of(to, i);
    dlz_onnx_node(to, op, NULL, count, inputs);
    dlz_free(inputs);
}
