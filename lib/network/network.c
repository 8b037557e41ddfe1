/* Building a network: layers, shapes, state, initial values. */
#include "network/network.h"
#include "base/base.h"
#include "base/random.h"

#include <stdio.h>
#include <string.h>

#define PARAMETER_ALIGNMENT 16 /* floats */

dlviz_status dlviz_network_create(dlviz_network **out, int ndim, const int64_t *dims) {
    DLZ_REQUIRE_OUT(out);
    DLZ_REQUIRE(dims);
    if (ndim != 1 && ndim != 3)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %d dimensions; 3 (channels, height, width) or 1 are accepted",
                        __func__, ndim);
    int64_t size;
    for (int i = 0; i < ndim; i++)
        if (dims[i] < 1)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: dimension %d is %lld; 1 or more is accepted", __func__, i,
                            (long long)dims[i]);
    if (dlz_product_overflows(ndim, dims, &size) || size > INT32_MAX)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: the input has more than 2^31 numbers",
                        __func__);
    dlviz_network *network = dlz_alloc_zero(sizeof *network);
    if (!network)
        return dlz_fail_memory("a network", sizeof *network);
    network->references = 1;
    network->in.ndim = ndim;
    memcpy(network->in.dims, dims, (size_t)ndim * sizeof *dims);
    *out = network;
    return DLVIZ_OK;
}

dlviz_network *dlz_network_hold(dlviz_network *network) {
    atomic_fetch_add(&network->references, 1);
    return network;
}

void dlviz_network_destroy(dlviz_network *network) {
    if (!network || atomic_fetch_sub(&network->references, 1) != 1)
        return;
    dlz_plans_release(&network->plans);
    for (int i = 0; i < network->num_nodes; i++) {
        dlz_free(network->nodes[i].name);
        network->nodes[i].layer->owned = false;
        dlviz_layer_destroy(network->nodes[i].layer);
    }
    for (int i = 0; i < network->num_states; i++)
        dlz_free(network->states[i].name);
    dlz_free(network->nodes);
    dlz_free(network->states);
    dlz_free(network->message);
    dlz_free(network->summary);
    dlz_free(network->parameters);
    dlz_free(network->gradients);
    dlz_free(network->buffers);
    dlz_free(network);
}

/* Keeps the present last error as the network's, unless it has one. */
static dlviz_status keep_error(dlviz_network *network, dlviz_status status) {
    if (status != DLVIZ_OK && network->error == DLVIZ_OK) {
        network->error = status;
        network->message = dlz_strdup(dlviz_last_error());
    }
    return status;
}

static dlviz_status check_name(const dlviz_network *network, const char *name) {
    if (!name || !*name || strchr(name, '.') || !dlz_is_utf8(name)) /* files hold it */
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_network_add: the name is %s%s%s; UTF-8 without '.' is accepted",
                        name ? "'" : "", name ? name : "NULL", name ? "'" : "");
    if (dlz_network_find_layer(network, name) >= 0)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "dlviz_network_add: there is a layer '%s' already; names are unique", name);
    return DLVIZ_OK;
}

static dlviz_status add(dlviz_network *network, const char *name, dlviz_layer *layer) {
    if (network->built)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "dlviz_network_add: the network is built; no layer can be added");
    DLZ_TRY(check_name(network, name));
    if (!layer && dlz_last_status() == DLVIZ_ERROR_OUT_OF_MEMORY) /* in its constructor */
        return dlz_fail_within(DLVIZ_ERROR_OUT_OF_MEMORY, "layer '%s'", name);
    if (!layer)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "layer '%s' is NULL", name);
    if (layer->owned)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "layer '%s': it belongs to a network already; make another one", name);
    if (layer->error != DLVIZ_OK)
        return dlz_fail(layer->error, "layer '%s': %s", name, layer->message);
    if (network->num_nodes == network->node_capacity) {
        int capacity = network->node_capacity ? 2 * network->node_capacity : 16;
        dlz_node *nodes = dlz_realloc_array(network->nodes, (uint64_t)capacity, sizeof *nodes);
        if (!nodes)
            return dlz_fail_memory("the list of layers", (uint64_t)capacity * sizeof *nodes);
        network->nodes = nodes;
        network->node_capacity = capacity;
    }
    char *copy = dlz_strdup(name);
    if (!copy)
        return dlz_fail_memory("a layer's name", strlen(name) + 1);
    network->nodes[network->num_nodes] =
        (dlz_node){.name = copy, .layer = layer, .input = network->num_nodes - 1};
    network->num_nodes++;
    layer->owned = true;
    return DLVIZ_OK;
}

/* A layer that was refused has no other owner, unless it had one before. */
static void drop_layer(dlviz_layer *layer) {
    if (layer && !layer->owned)
        dlviz_layer_destroy(layer);
}

dlviz_status dlviz_network_add(dlviz_network *network, const char *name, dlviz_layer *layer) {
    if (!network) {
        drop_layer(layer);
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'network' is NULL", __func__);
    }
    dlviz_status status = add(network, name, layer);
    if (status != DLVIZ_OK) {
        drop_layer(layer);
        if (!network->built)
            keep_error(network, status);
    }
    return status;
}

int dlz_network_find_layer(const dlviz_network *network, const char *name) {
    for (int i = 0; i < network->num_nodes; i++)
        if (strcmp(network->nodes[i].name, name) == 0)
            return i;
    return -1;
}

static dlviz_status infer_shapes(dlviz_network *network) {
    dlz_shape shape = network->in;
    for (int i = 0; i < network->num_nodes; i++) {
        dlz_node *node = &network->nodes[i];
        const dlz_layer_type *type = dlz_layer_type_of(node->layer->kind);
        node->in = shape;
        dlviz_status status = type->infer(node->layer, &shape, &node->out);
        int64_t size = 0;
        if (status == DLVIZ_OK &&
            (dlz_product_overflows(node->out.ndim, node->out.dims, &size) || size > INT32_MAX))
            status = dlz_fail(DLVIZ_ERROR_SHAPE, "the output has more than 2^31 numbers");
        if (status != DLVIZ_OK)
            return dlz_fail_within(status, "%s '%s'", type->name, node->name);
        shape = node->out;
    }
    return DLVIZ_OK;
}

static dlviz_status count_states(dlviz_network *network) {
    dlz_state_spec specs[DLZ_MAX_STATES];
    int total = 0;
    for (int i = 0; i < network->num_nodes; i++) {
        dlz_node *node = &network->nodes[i];
        const dlz_layer_type *type = dlz_layer_type_of(node->layer->kind);
        node->first_state = total;
        node->num_states = type->states ? type->states(node->layer, &node->in, specs) : 0;
        total += node->num_states;
    }
    network->states = dlz_alloc_array_zero((uint64_t)total, sizeof *network->states);
    if (!network->states)
        return dlz_fail_memory("the list of parameters", (uint64_t)total * sizeof *network->states);
    for (int i = 0; i < network->num_nodes; i++) {
        const dlz_node *node = &network->nodes[i];
        if (node->num_states == 0)
            continue;
        dlz_layer_type_of(node->layer->kind)->states(node->layer, &node->in, specs);
        for (int j = 0; j < node->num_states; j++) {
            dlz_state *state = &network->states[network->num_states];
            state->spec = specs[j];
            if (dlz_product_overflows(specs[j].ndim, specs[j].dims, &state->size) ||
                state->size > INT64_MAX / 64)
                return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "'%s.%s' is too large", node->name,
                                specs[j].suffix);
            state->name = dlz_format("%s.%s", node->name, specs[j].suffix);
            if (!state->name)
                return dlz_fail_memory("a parameter's name", 0);
            network->num_states++;
        }
    }
    return DLVIZ_OK;
}

static int64_t padded(int64_t size) {
    return dlz_ceil_div(size, PARAMETER_ALIGNMENT) * PARAMETER_ALIGNMENT;
}

/* Trainable parameters go to one block, the rest to another; every state starts on a cache line. */
static dlviz_status allocate_states(dlviz_network *network) {
    int64_t trainable = 0, other = 0;
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        int64_t lines = padded(state->size * (state->spec.dtype == DLVIZ_INT64 ? 2 : 1));
        int64_t *sum = state->spec.trainable ? &trainable : &other;
        if (__builtin_add_overflow(*sum, lines, sum))
            return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "the parameters are too many");
    }
    network->parameter_floats = trainable;
    network->parameters = dlz_alloc_array_zero((uint64_t)trainable, sizeof(float));
    network->gradients = dlz_alloc_array_zero((uint64_t)trainable, sizeof(float));
    network->buffers = dlz_alloc_array_zero((uint64_t)other, sizeof(float));
    if (!network->parameters || !network->gradients || !network->buffers)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY,
                        "out of memory: %lld parameters and their gradients", (long long)trainable);
    int64_t at = 0, other_at = 0;
    for (int i = 0; i < network->num_states; i++) {
        dlz_state *state = &network->states[i];
        int64_t lines = padded(state->size * (state->spec.dtype == DLVIZ_INT64 ? 2 : 1));
        if (state->spec.trainable) {
            state->value = network->parameters + at;
            state->gradient = network->gradients + at;
            at += lines;
        } else {
            state->value = (float *)network->buffers + other_at;
            other_at += lines;
        }
    }
    return DLVIZ_OK;
}

static void initialise(dlviz_network *network, uint64_t seed) {
    for (int i = 0; i < network->num_states; i++) {
        dlz_state *state = &network->states[i];
        if (state->spec.dtype != DLVIZ_FLOAT32)
            continue;
        float *value = state->value;
        dlz_random random = dlz_random_start(seed, DLZ_STREAM_INIT + ((uint64_t)i << 8));
        double bound = state->spec.bound;
        for (int64_t j = 0; j < state->size; j++)
            switch (state->spec.initial) {
            case DLZ_INITIAL_ZERO:
                value[j] = 0;
                break;
            case DLZ_INITIAL_ONE:
                value[j] = 1;
                break;
            case DLZ_INITIAL_UNIFORM:
                value[j] = (float)(bound * (2 * (double)dlz_random_float(&random) - 1));
                break;
            }
    }
}

static void describe_shape(char *text, size_t size, const dlz_shape *shape) {
    if (shape->ndim == 1)
        snprintf(text, size, "%lld", (long long)shape->dims[0]);
    else
        snprintf(text, size, "%lld x %lld x %lld", (long long)shape->dims[0],
                 (long long)shape->dims[1], (long long)shape->dims[2]);
}

static int64_t node_parameters(const dlviz_network *network, const dlz_node *node) {
    int64_t count = 0;
    for (int j = 0; j < node->num_states; j++) {
        const dlz_state *state = &network->states[node->first_state + j];
        count += state->spec.trainable ? state->size : 0;
    }
    return count;
}

typedef struct table {
    char *text;
    size_t length, capacity;
} table;

static bool append_row(table *t, const char *name, const char *type, const char *output,
                       const char *parameters) {
    char *row = dlz_format("%-14s %-10s %-20s %12s\n", name, type, output, parameters);
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

static bool append_layer(table *t, const char *name, const char *type, const dlz_shape *shape,
                         int64_t parameters) {
    char output[80], count[32] = "";
    describe_shape(output, sizeof output, shape);
    if (parameters > 0)
        snprintf(count, sizeof count, "%lld", (long long)parameters);
    return append_row(t, name, type, output, count);
}

static dlviz_status summarise(dlviz_network *network) {
    table t = {0};
    bool fits = append_row(&t, "layer", "type", "output", "parameters") &&
                append_layer(&t, "input", "", &network->in, 0);
    for (int i = 0; fits && i < network->num_nodes; i++) {
        const dlz_node *node = &network->nodes[i];
        fits = append_layer(&t, node->name, dlz_layer_type_of(node->layer->kind)->name, &node->out,
                            node_parameters(network, node));
    }
    char total[32];
    snprintf(total, sizeof total, "%lld", (long long)dlviz_network_num_parameters(network));
    if (!fits || !append_row(&t, "total", "", "", total)) {
        dlz_free(t.text);
        return dlz_fail_memory("the network's summary", 0);
    }
    network->summary = t.text;
    return DLVIZ_OK;
}

static dlviz_status build(dlviz_network *network, uint64_t seed) {
    if (network->num_nodes == 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "dlviz_network_build: the network has no layers");
    DLZ_TRY(infer_shapes(network));
    DLZ_TRY(count_states(network));
    DLZ_TRY(allocate_states(network));
    DLZ_TRY(summarise(network));
    initialise(network, seed);
    for (int i = 0; i < network->num_nodes; i++)
        network->nodes[i].layer->built = true;
    network->built = true;
    return DLVIZ_OK;
}

dlviz_status dlviz_network_build(dlviz_network *network, uint64_t seed) {
    DLZ_REQUIRE(network);
    if (network->built)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the network is built already", __func__);
    if (network->error == DLVIZ_OK)
        keep_error(network, build(network, seed));
    if (network->error == DLVIZ_OK)
        return DLVIZ_OK;
    return dlz_fail(network->error, "%s",
                    network->message ? network->message : "out of memory in the construction");
}

dlviz_status dlz_require_built(const dlviz_network *network, const char *who) {
    if (!network)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'network' is NULL", who);
    if (!network->built)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the network is not built; call dlviz_network_build",
                        who);
    return DLVIZ_OK;
}

const char *dlviz_network_summary(const dlviz_network *network) {
    return network && network->summary ? network->summary : "";
}

int dlviz_network_num_layers(const dlviz_network *network) {
    return network->num_nodes;
}

const char *dlviz_network_layer_name(const dlviz_network *network, int index) {
    return index >= 0 && index < network->num_nodes ? network->nodes[index].name : NULL;
}

int dlviz_network_layer_shape(const dlviz_network *network, const char *layer, int64_t dims[3]) {
    int index = layer ? dlz_network_find_layer(network, layer) : -1;
    if (index < 0 || !network->built)
        return 0;
    const dlz_shape *shape = &network->nodes[index].out;
    memcpy(dims, shape->dims, (size_t)shape->ndim * sizeof *dims);
    return shape->ndim;
}

int64_t dlviz_network_num_parameters(const dlviz_network *network) {
    int64_t count = 0;
    for (int i = 0; network->states && i < network->num_nodes; i++)
        count += node_parameters(network, &network->nodes[i]);
    return count;
}
