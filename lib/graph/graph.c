/* Nodes: adding, finding, shapes. */
#include "graph/graph.h"
#include "base/base.h"

#include <stdio.h>
#include <string.h>

void dlz_graph_release(dlz_graph *graph) {
    for (int i = 0; i < graph->num_nodes; i++) {
        dlz_node *node = &graph->nodes[i];
        dlz_free(node->name);
        dlz_free(node->inputs);
        dlz_free(node->in);
        node->layer->owned = false;
        dlviz_layer_destroy(node->layer);
    }
    dlz_free(graph->nodes);
    dlz_names_free(graph->names);
}

int dlz_graph_find(const dlz_graph *graph, const char *name, bool *found) {
    int64_t node = dlz_names_find(graph->names, name);
    *found = node >= 0 || strcmp(name, DLZ_GRAPH_INPUT_NAME) == 0;
    return node >= 0 ? (int)node : DLZ_GRAPH_INPUT;
}

const dlz_shape *dlz_graph_shape(const dlz_graph *graph, int node) {
    return node == DLZ_GRAPH_INPUT ? &graph->in : &graph->nodes[node].out;
}

/* -- Adding ---------------------------------------------------------------------------------------
 */

/* Files hold names, and states are named after them. */
static dlviz_status check_name(const dlz_graph *graph, const char *name) {
    if (!name)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "the name is NULL");
    size_t length = strlen(name);
    if (length == 0 || name[0] == '.' || name[length - 1] == '.' || strstr(name, "..") ||
        !dlz_is_utf8(name))
        return dlz_fail(
            DLVIZ_ERROR_INVALID_ARGUMENT,
            "the name is '%s'; UTF-8 is accepted, with '.' only between other characters", name);
    bool taken;
    dlz_graph_find(graph, name, &taken);
    if (!taken)
        return DLVIZ_OK;
    if (strcmp(name, DLZ_GRAPH_INPUT_NAME) == 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "the name '%s' is that of the network's input", name);
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "there is a layer '%s' already; names are unique",
                    name);
}

static dlviz_status check_layer(const char *name, const dlviz_layer *layer, int num_inputs) {
    if (!layer && dlz_last_status() == DLVIZ_ERROR_OUT_OF_MEMORY) /* in its constructor */
        return dlz_fail_within(DLVIZ_ERROR_OUT_OF_MEMORY, "layer '%s'", name);
    if (!layer)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "layer '%s' is NULL", name);
    if (layer->owned)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "layer '%s': it belongs to a network already; make another one", name);
    if (layer->error != DLVIZ_OK)
        return dlz_fail(layer->error, "layer '%s': %s", name, layer->message);
    int least = layer->type->min_inputs ? layer->type->min_inputs : 1;
    int most = layer->type->max_inputs ? layer->type->max_inputs : least;
    if (num_inputs >= least && num_inputs <= most)
        return DLVIZ_OK;
    char accepted[64];
    if (most == INT32_MAX)
        snprintf(accepted, sizeof accepted, "%d or more", least);
    else if (most > least)
        snprintf(accepted, sizeof accepted, "%d to %d", least, most);
    else
        snprintf(accepted, sizeof accepted, "%d", least);
    return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s '%s' reads %d layer%s; it takes %s",
                    layer->type->name, name, num_inputs, num_inputs == 1 ? "" : "s", accepted);
}

void dlz_graph_list_names(const dlz_graph *graph, char *to, size_t size) {
    size_t used = 0;
    for (int i = 0; i < graph->num_nodes; i++) {
        size_t length = strlen(graph->nodes[i].name);
        if (used + length + sizeof ", and 2147483647 more" > size) {
            snprintf(to + used, size - used, "%sand %d more", used ? ", " : "",
                     graph->num_nodes - i);
            return;
        }
        used += (size_t)snprintf(to + used, size - used, "%s%s", used ? ", " : "",
                                 graph->nodes[i].name);
    }
    if (used == 0)
        snprintf(to, size, "none");
}

/* An input that there is not. */
static dlviz_status fail_unknown(const dlz_graph *graph, const char *name, const char *input) {
    char names[600];
    dlz_graph_list_names(graph, names, sizeof names);
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND,
                    "layer '%s' reads '%s', which is neither 'input' nor a layer before it: there "
                    "are %s",
                    name, input, names);
}

static dlviz_status find_inputs(const dlz_graph *graph, const char *name, int num_inputs,
                                const char *const *input_names, int *inputs) {
    for (int i = 0; i < num_inputs; i++) {
        if (!input_names[i])
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "layer '%s': the name of input %d is NULL", name, i);
        bool found;
        inputs[i] = dlz_graph_find(graph, input_names[i], &found);
        if (!found)
            return fail_unknown(graph, name, input_names[i]);
    }
    return DLVIZ_OK;
}

static dlviz_status grow(dlz_graph *graph) {
    if (graph->num_nodes < graph->capacity)
        return DLVIZ_OK;
    int capacity = graph->capacity ? 2 * graph->capacity : 16;
    dlz_node *nodes = dlz_realloc_array(graph->nodes, (uint64_t)capacity, sizeof *nodes);
    if (!nodes)
        return dlz_fail_memory("the list of layers", (uint64_t)capacity * sizeof *nodes);
    graph->nodes = nodes;
    graph->capacity = capacity;
    return DLVIZ_OK;
}

dlviz_status dlz_graph_add(dlz_graph *graph, const char *name, dlviz_layer *layer, int num_inputs,
                           const char *const *input_names) {
    DLZ_TRY(check_name(graph, name));
    DLZ_TRY(check_layer(name, layer, num_inputs));
    DLZ_TRY(grow(graph));
    dlz_node node = {.layer = layer, .num_inputs = num_inputs};
    node.name = dlz_strdup(name);
    node.inputs = dlz_alloc_array((uint64_t)num_inputs, sizeof *node.inputs);
    node.in = dlz_alloc_array_zero((uint64_t)num_inputs, sizeof *node.in);
    dlviz_status status = node.name && node.inputs && node.in
                              ? find_inputs(graph, name, num_inputs, input_names, node.inputs)
                              : dlz_fail_memory("a layer's name and inputs", strlen(name) + 1);
    if (status == DLVIZ_OK && !dlz_names_add(&graph->names, node.name, graph->num_nodes))
        status = dlz_fail_memory("a layer's name", strlen(name) + 1);
    if (status != DLVIZ_OK) {
        dlz_free(node.name);
        dlz_free(node.inputs);
        dlz_free(node.in);
        return status;
    }
    graph->nodes[graph->num_nodes++] = node;
    layer->owned = true;
    return DLVIZ_OK;
}

/* -- Shapes ---------------------------------------------------------------------------------------
 */

static dlviz_status infer_node(dlz_graph *graph, dlz_node *node) {
    for (int i = 0; i < node->num_inputs; i++)
        node->in[i] = *dlz_graph_shape(graph, node->inputs[i]);
    DLZ_TRY(node->layer->type->infer(node->layer, node->num_inputs, node->in, &node->out));
    int64_t size;
    if (dlz_product_overflows(node->out.ndim, node->out.dims, &size) || size > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_SHAPE, "the output has more than 2^31 numbers");
    return DLVIZ_OK;
}

/* A layer whose output goes nowhere is a mistake in the names. */
static dlviz_status check_readers(const dlz_graph *graph) {
    int last = graph->num_nodes - 1, unread = 0;
    bool *read = dlz_alloc_array_zero((uint64_t)last + 2, sizeof *read);
    if (!read)
        return dlz_fail_memory("the readers of layers", (uint64_t)last + 2);
    for (int i = 0; i <= last; i++)
        for (int k = 0; k < graph->nodes[i].num_inputs; k++)
            read[graph->nodes[i].inputs[k] + 1] = true;
    while (unread < last && read[unread + 1])
        unread++;
    dlz_free(read);
    if (unread == last)
        return DLVIZ_OK;
    return dlz_fail(
        DLVIZ_ERROR_INVALID_ARGUMENT,
        "no layer reads '%s', and it is not the last one ('%s'), which is the network's "
        "output",
        graph->nodes[unread].name, graph->nodes[last].name);
}

dlviz_status dlz_graph_infer(dlz_graph *graph) {
    for (int i = 0; i < graph->num_nodes; i++) {
        dlz_node *node = &graph->nodes[i];
        dlviz_status status = infer_node(graph, node);
        if (status != DLVIZ_OK)
            return dlz_fail_within(status, "%s '%s'", node->layer->type->name, node->name);
    }
    return check_readers(graph);
}

void dlz_graph_mark_wanted(const dlz_graph *graph, int last, bool *wanted) {
    wanted[last + 1] = true;
    for (int i = last; i >= 0; i--)
        for (int k = 0; wanted[i + 1] && k < graph->nodes[i].num_inputs; k++)
            wanted[graph->nodes[i].inputs[k] + 1] = true;
}

dlviz_status dlz_graph_check_batch(const dlz_graph *graph, int last, int64_t n) {
    /* All compute the last, in a step, which allocates nothing. */
    bool all = last == graph->num_nodes - 1;
    bool *wanted = all ? NULL : dlz_alloc_array_zero((uint64_t)last + 2, sizeof *wanted);
    if (!all && !wanted)
        return dlz_fail_memory("the layers that compute a layer", (uint64_t)last + 2);
    if (!all)
        dlz_graph_mark_wanted(graph, last, wanted);
    dlviz_status status = DLVIZ_OK;
    for (int i = 0; status == DLVIZ_OK && i <= last; i++) {
        const dlz_node *node = &graph->nodes[i];
        const dlz_layer_type *type = node->layer->type;
        if ((all || wanted[i + 1]) && type->check_batch && !node->fixed)
            status = type->check_batch(node->layer, node->in, n);
        if (status != DLVIZ_OK)
            status = dlz_fail_within(status, "%s '%s'", type->name, node->name);
    }
    dlz_free(wanted);
    return status;
}

double dlz_graph_multiply_adds(const dlz_graph *graph, int last) {
    double sum = 0;
    for (int i = 0; i <= last; i++) {
        const dlz_node *node = &graph->nodes[i];
        if (node->layer->type->multiply_adds)
            sum += node->layer->type->multiply_adds(node->layer, node->in, &node->out);
    }
    return sum;
}

double dlz_node_num_weights(const dlz_node *node) {
    dlz_state_spec specs[DLZ_MAX_STATES];
    double sum = 0;
    for (int i = 0; i < node->num_states; i++) {
        if (i == 0)
            node->layer->type->states(node->layer, node->in, specs);
        double size = 1;
        for (int axis = 0; axis < specs[i].ndim; axis++)
            size *= (double)specs[i].dims[axis];
        sum += size;
    }
    return sum;
}

double dlz_graph_num_weights(const dlz_graph *graph, int last) {
    double sum = 0;
    for (int i = 0; i <= last; i++)
        sum += dlz_node_num_weights(&graph->nodes[i]);
    return sum;
}
