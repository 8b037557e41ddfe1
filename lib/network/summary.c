/* The table of a network's layers. */
#include "base/base.h"
#include "network/network.h"
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

/* The batch whose memory is told. */
#define BATCH 64
/* Inputs of a layer that are named. */
#define MOST_INPUTS 16
/* The widest column of names. */
#define WIDEST 40

typedef struct table {
    char *text;
    size_t length, capacity;
    int name_width, type_width;
} table;

static dlviz_status out_of_memory(void) {
    return dlz_fail_memory("the network's summary", 0);
}

/* Takes the row, which is a line: names may come from a file of somebody else's. */
static bool append(table *t, char *row) {
    if (row) {
        row[strlen(row) - 1] = '\0';
        dlviz_printable(row, strlen(row) + 1, row);
        strcat(row, "\n");
    }
    size_t size = row ? strlen(row) + 1 : 0;
    bool fits = row && t->length + size <= t->capacity;
    if (row && !fits) {
        size_t capacity = 2 * (t->length + size);
        char *text = dlz_realloc_array(t->text, capacity, 1);
        fits = text != NULL;
        if (fits) {
            t->text = text;
            t->capacity = capacity;
        }
    }
    if (fits) {
        memcpy(t->text + t->length, row, size);
        t->length += size - 1;
    }
    dlz_free(row);
    return fits;
}

static bool append_row(table *t, const char *name, const char *type, const dlz_shape *shape,
                       int64_t parameters, const char *reads) {
    char output[DLZ_SHAPE_TEXT_SIZE], count[32] = "";
    if (parameters > 0)
        snprintf(count, sizeof count, "%lld", (long long)parameters);
    dlz_shape_text(output, shape->ndim, shape->dims);
    return append(t, dlz_format("%-*s %-*s %-18s %12s%s%s\n", t->name_width, name, t->type_width,
                                type, output, count, *reads ? "  reads " : "", reads));
}

static int64_t parameters_of(const dlviz_network *network, const dlz_node *node) {
    int64_t count = 0;
    for (int j = 0; j < node->num_states; j++) {
        const dlz_state *state = &network->states[node->first_state + j];
        count += state->spec.trainable ? state->size : 0;
    }
    return count;
}

/* The inputs' names, where it is not simply the layer before; NULL when out of memory. */
static char *list_inputs(const dlz_graph *graph, int at) {
    const dlz_node *node = &graph->nodes[at];
    char *list = dlz_strdup("");
    if (node->num_inputs == 1 && node->inputs[0] == at - 1)
        return list;
    for (int k = 0; list && k < node->num_inputs; k++) {
        if (k == MOST_INPUTS) {
            char *end = dlz_format("%s and %d more", list, node->num_inputs - k);
            dlz_free(list);
            return end;
        }
        int input = node->inputs[k];
        const char *name =
            input == DLZ_GRAPH_INPUT ? DLZ_GRAPH_INPUT_NAME : graph->nodes[input].name;
        char *longer = dlz_format("%s%s%s", list, k ? ", " : "", name);
        dlz_free(list);
        list = longer;
    }
    return list;
}

/* Wide enough for all names, within reason. */
static void set_widths(table *t, const dlz_graph *graph) {
    t->name_width = 14;
    t->type_width = 10;
    for (int i = 0; i < graph->num_nodes; i++) {
        const dlz_node *node = &graph->nodes[i];
        size_t name = strlen(node->name), type = strlen(node->layer->type->name);
        t->name_width = dlz_max_int(t->name_width, (int)(name < WIDEST ? name : WIDEST));
        t->type_width = dlz_max_int(t->type_width, (int)(type < WIDEST ? type : WIDEST));
    }
}

static bool append_layers(table *t, const dlviz_network *network) {
    const dlz_graph *graph = &network->graph;
    set_widths(t, graph);
    bool fits = append(t, dlz_format("%-*s %-*s %-18s %12s\n", t->name_width, "layer",
                                     t->type_width, "type", "output", "parameters")) &&
                append_row(t, DLZ_GRAPH_INPUT_NAME, "", &graph->in, 0, "");
    for (int i = 0; fits && i < graph->num_nodes; i++) {
        const dlz_node *node = &graph->nodes[i];
        char *inputs = list_inputs(graph, i);
        fits = inputs && append_row(t, node->name, node->layer->type->name, &node->out,
                                    parameters_of(network, node), inputs);
        dlz_free(inputs);
    }
    return fits;
}

/* 12.3 M, with a prefix for each thousand. */
static void with_prefix(char *text, size_t size, double number) {
    const char *prefixes[] = {"", " k", " M", " G", " T", " P"};
    size_t prefix = 0;
    for (; number >= 999.5 && prefix < 5; prefix++)
        number /= 1000;
    snprintf(text, size, "%.*f%s", prefix > 0 && number < 99.95 ? 1 : 0, number, prefixes[prefix]);
}

static dlviz_status append_totals(table *t, const dlviz_network *network) {
    char operations[32], bytes[32];
    uint64_t memory = 0;
    long long parameters = 0;
    for (int i = 0; i < network->graph.num_nodes; i++)
        parameters += (long long)parameters_of(network, &network->graph.nodes[i]);
    with_prefix(operations, sizeof operations,
                dlz_graph_multiply_adds(&network->graph, network->graph.num_nodes - 1));
    int width = t->name_width + t->type_width + 20;
    if (!append(t, dlz_format("%-*s %12lld\n", width, "total", parameters)) ||
        !append(t, dlz_format("multiply-adds for one sample, forward: %s\n", operations)))
        return out_of_memory();
    dlz_failure before;
    dlz_failure_keep(&before);
    dlviz_status status =
        dlz_plan_measure(&network->graph, network->graph.num_nodes - 1,
                         (dlz_mode){.training = true, .gradients = true}, BATCH, &memory);
    /* Where addresses have 32 bits, a batch may be too large for them without a mistake. */
    if (status != DLVIZ_OK && sizeof(size_t) < 8 && memory == UINT64_MAX) {
        dlz_failure_put_back(&before);
        return DLVIZ_OK;
    }
    DLZ_TRY(status);
    double weights = 2 * (double)network->parameter_floats * sizeof(float);
    with_prefix(bytes, sizeof bytes, (double)memory + weights);
    return append(t, dlz_format(
                         "memory to train on batches of %d: %sB, and what the optimizer keeps\n",
                         BATCH, bytes))
               ? DLVIZ_OK
               : out_of_memory();
}

dlviz_status dlz_network_summarize(dlviz_network *network) {
    table t = {0};
    dlviz_status status = append_layers(&t, network) ? append_totals(&t, network) : out_of_memory();
    if (status == DLVIZ_OK)
        network->summary = t.text;
    else
        dlz_free(t.text);
    return status;
}
