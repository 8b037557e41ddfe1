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
    network->loss = dlviz_cross_entropy();
    if (!network->loss) {
        dlz_free(network);
        return dlz_fail_memory("a network", sizeof *network);
    }
    network->loss->part.owned = true;
    network->graph.in.ndim = ndim;
    memcpy(network->graph.in.dims, dims, (size_t)ndim * sizeof *dims);
    *out = network;
    return DLVIZ_OK;
}

dlviz_network *dlz_network_hold(dlviz_network *network) {
    atomic_fetch_add(&network->references, 1);
    return network;
}

dlviz_status dlz_network_check_idle(const dlviz_network *network, const char *who) {
    return network->plans.running
               ? dlz_fail(DLVIZ_ERROR_STATE,
                          "%s: the network is at work: a function that it calls may not use it",
                          who)
               : DLVIZ_OK;
}

dlviz_status dlz_network_begin(const char *who, dlviz_network *network, dlz_network_use *use) {
    DLZ_TRY(dlz_busy_take(who, &network->busy, "network", DLZ_NESTED, &use->hold));
    DLZ_TRY(dlz_network_check_idle(network, who));
    use->network = dlz_network_hold(network);
    return DLVIZ_OK;
}

void dlz_network_end(dlz_network_use *use) {
    dlz_busy_give_back(&use->hold);
    dlviz_network_destroy(use->network);
}

void dlz_mixture_release(dlz_mixture *mixture) {
    dlz_free(mixture->positions);
    dlz_free(mixture->labels);
    dlz_free(mixture->weights);
    dlz_free(mixture->gradient);
    *mixture = (dlz_mixture){.most_samples = 0};
}

void dlviz_network_destroy(dlviz_network *network) {
    if (!network || atomic_fetch_sub(&network->references, 1) != 1)
        return;
    dlz_plans_release(&network->plans);
    dlz_mixture_release(&network->mixture);
    dlz_free(network->evaluated);
    dlz_graph_release(&network->graph);
    while (network->refused) {
        dlviz_layer *layer = network->refused;
        network->refused = layer->next_refused;
        layer->owned = false;
        dlviz_layer_destroy(layer);
    }
    network->loss->part.owned = false;
    dlviz_loss_destroy(network->loss);
    for (int i = 0; i < network->num_states; i++)
        dlz_free(network->states[i].name);
    dlz_free(network->states);
    dlz_names_free(network->state_names);
    dlz_free(network->summary);
    dlz_free(network->parameters);
    dlz_free(network->gradients);
    dlz_free(network->buffers);
    dlz_free(network->kept_buffers);
    dlz_free(network->missing);
    dlz_free(network->unused);
    dlz_data_description_release(&network->data);
    dlz_free(network);
}

/* Keeps the present last error as the network's, unless it has one. */
static dlviz_status keep_error(dlviz_network *network, dlviz_status status) {
    if (status != DLVIZ_OK && network->error == DLVIZ_OK) {
        network->error = status;
        memcpy(network->message, dlviz_last_error(), sizeof network->message);
    }
    return status;
}

/* A layer that was refused, unless another network has it, is kept to the end: its setters may yet be
 * called. */
static void drop_layer(dlviz_network *network, dlviz_layer *layer) {
    if (!layer || layer->owned)
        return;
    if (!network) {
        dlviz_layer_destroy(layer);
        return;
    }
    layer->owned = true;
    layer->next_refused = network->refused;
    network->refused = layer;
}

static dlviz_status add(dlviz_network *network, const char *who, const char *name,
                        dlviz_layer *layer, int64_t num_inputs, const char *const *input_names) {
    if (!network)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'network' is NULL", who);
    if (network->built || network->building)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the network is built; no layer can be added", who);
    if (num_inputs < 1 || num_inputs > INT32_MAX || !input_names)
        return keep_error(network,
                          dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                                   "%s: %lld inputs in %s; 1 or more names are accepted", who,
                                   (long long)num_inputs, input_names ? "an array" : "NULL"));
    dlviz_status status = dlz_graph_add(&network->graph, name, layer, (int)num_inputs, input_names);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    return keep_error(network, dlz_fail_within(status, "%s", who));
}

dlviz_status dlviz_network_add_from(dlviz_network *network, const char *name, dlviz_layer *layer,
                                    int64_t num_inputs, const char *const *input_names) {
    dlviz_status status = add(network, __func__, name, layer, num_inputs, input_names);
    if (status != DLVIZ_OK)
        drop_layer(network, layer);
    return status;
}

dlviz_status dlviz_network_add(dlviz_network *network, const char *name, dlviz_layer *layer) {
    const char *before = DLZ_GRAPH_INPUT_NAME;
    if (network && network->graph.num_nodes > 0)
        before = network->graph.nodes[network->graph.num_nodes - 1].name;
    dlviz_status status = add(network, __func__, name, layer, 1, &before);
    if (status != DLVIZ_OK)
        drop_layer(network, layer);
    return status;
}

static dlviz_status count_states(dlviz_network *network) {
    dlz_state_spec specs[DLZ_MAX_STATES];
    int total = 0;
    for (int i = 0; i < network->graph.num_nodes; i++) {
        dlz_node *node = &network->graph.nodes[i];
        const dlz_layer_type *type = node->layer->type;
        node->first_state = total;
        node->num_states = type->states ? type->states(node->layer, node->in, specs) : 0;
        total += node->num_states;
    }
    network->states = dlz_alloc_array_zero((uint64_t)total, sizeof *network->states);
    if (!network->states)
        return dlz_fail_memory("the list of parameters", (uint64_t)total * sizeof *network->states);
    for (int i = 0; i < network->graph.num_nodes; i++) {
        const dlz_node *node = &network->graph.nodes[i];
        if (node->num_states == 0)
            continue;
        node->layer->type->states(node->layer, node->in, specs);
        for (int j = 0; j < node->num_states; j++) {
            dlz_state *state = &network->states[network->num_states];
            state->spec = specs[j];
            if (dlz_product_overflows(specs[j].ndim, specs[j].dims, &state->size) ||
                state->size > INT64_MAX / 64)
                return dlz_fail(DLVIZ_ERROR_SHAPE,
                                "'%s.%s' would have more numbers than memory can hold", node->name,
                                specs[j].suffix);
            state->name = dlz_format("%s.%s", node->name, specs[j].suffix);
            if (!state->name)
                return dlz_fail_memory("a parameter's name", 0);
            network->num_states++;
            if (!dlz_names_add(&network->state_names, state->name, network->num_states - 1))
                return dlz_fail_memory("a parameter's name", 0);
        }
    }
    return DLVIZ_OK;
}

static int64_t padded(int64_t size) {
    return dlz_ceil_div(size, PARAMETER_ALIGNMENT) * PARAMETER_ALIGNMENT;
}

void dlz_network_hand_states(dlviz_network *network) {
    for (int i = 0; i < network->graph.num_nodes; i++) {
        dlz_node *node = &network->graph.nodes[i];
        node->fixed = false;
        for (int j = 0; j < node->num_states; j++) {
            dlz_state *state = &network->states[node->first_state + j];
            bool counts = state->spec.dtype == DLVIZ_INT64;
            node->fixed |= state->frozen && !state->spec.trainable;
            node->states[j] = (dlz_parameter){.value = counts ? NULL : state->value,
                                              .gradient = state->frozen ? NULL : state->gradient,
                                              .count = counts ? state->value : NULL,
                                              .is_constant = state->spec.is_constant};
        }
    }
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
    network->kept_buffers = dlz_alloc_array((uint64_t)other, sizeof(float));
    if (!network->parameters || !network->gradients || !network->buffers || !network->kept_buffers)
        return dlz_fail(DLVIZ_ERROR_OUT_OF_MEMORY,
                        "out of memory: %lld parameters and their gradients", (long long)trainable);
    network->buffer_bytes = (size_t)other * sizeof(float);
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
    dlz_network_hand_states(network);
    return DLVIZ_OK;
}

uint64_t dlz_network_state_bytes(const dlviz_network *network) {
    uint64_t bytes = 0;
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        uint64_t own = (uint64_t)padded(state->size) * dlviz_dtype_size(state->spec.dtype);
        if (__builtin_add_overflow(bytes, 2 * own, &bytes))
            return UINT64_MAX;
    }
    return bytes;
}

static void draw_states(dlviz_network *network, uint64_t seed) {
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
            case DLZ_INITIAL_AROUND:
                value[j] = (float)(state->spec.middle +
                                   bound * (2 * (double)dlz_random_float(&random) - 1));
                break;
            }
    }
}

const dlz_shape *dlz_network_output(const dlviz_network *network) {
    return &network->graph.nodes[network->graph.num_nodes - 1].out;
}

/* Marks all layers as built: their settings are fixed. */
static void mark_layers(const dlviz_network *network, bool built) {
    for (int i = 0; i < network->graph.num_nodes; i++)
        network->graph.nodes[i].layer->built = built;
}

static dlviz_status lay_out(dlviz_network *network) {
    DLZ_TRY(dlz_graph_infer(&network->graph));
    DLZ_TRY(dlz_loss_check_set_weights(network->loss, "dlviz_network_build",
                                       dlz_network_output(network)));
    return count_states(network);
}

dlviz_status dlz_network_lay_out(dlviz_network *network) {
    if (network->graph.num_nodes == 0)
        return dlz_fail(DLVIZ_ERROR_STATE, "dlviz_network_build: the network has no layers");
    for (int i = 0; i < network->graph.num_nodes; i++) {
        const dlz_node *node = &network->graph.nodes[i];
        if (node->layer->error != DLVIZ_OK) /* of a setter, since it was added */
            return dlz_fail(node->layer->error, "layer '%s': %s", node->name, node->layer->message);
    }
    /* A layer of the user's own is asked below, and could set others whose shapes are known. */
    mark_layers(network, true);
    dlviz_status status = lay_out(network);
    if (status != DLVIZ_OK)
        mark_layers(network, false);
    return status;
}

dlviz_status dlz_network_complete(dlviz_network *network) {
    DLZ_TRY(allocate_states(network));
    DLZ_TRY(dlz_network_summarize(network));
    network->built = true;
    return DLVIZ_OK;
}

static dlviz_status build(dlviz_network *network, uint64_t seed) {
    DLZ_TRY(dlz_network_lay_out(network));
    DLZ_TRY(dlz_network_complete(network));
    draw_states(network, seed);
    return DLVIZ_OK;
}

dlviz_status dlviz_network_build(dlviz_network *network, uint64_t seed) {
    DLZ_REQUIRE(network);
    if (network->built)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the network is built already", __func__);
    if (network->building)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the network is being built", __func__);
    DLZ_USE_NETWORK(__func__, network);
    network->building = true;
    if (network->error == DLVIZ_OK)
        keep_error(network, build(network, seed));
    network->building = false;
    if (network->error == DLVIZ_OK)
        return DLVIZ_OK;
    return dlz_fail(network->error, "%s", network->message);
}

dlviz_status dlz_require_built(const dlviz_network *network, const char *who) {
    if (!network)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'network' is NULL", who);
    if (network->built)
        return DLVIZ_OK;
    return network->error == DLVIZ_OK
               ? dlz_fail(DLVIZ_ERROR_STATE,
                          "%s: the network is not built; call dlviz_network_build", who)
               : dlz_fail(DLVIZ_ERROR_STATE, "%s: the network could not be built: %s", who,
                          network->message);
}

dlviz_status dlz_require_states(const dlviz_network *network, const char *who) {
    DLZ_TRY(dlz_require_built(network, who));
    if (!network->plans.withheld)
        return DLVIZ_OK;
    return network->plans.comm
               ? dlz_fail(DLVIZ_ERROR_STATE,
                          "%s: processes that train together have each some of the network's "
                          "weights until the epoch ends; dlviz_trainer_gather, called by all of "
                          "them, puts them together",
                          who)
               : dlz_fail(DLVIZ_ERROR_STATE,
                          "%s: a fit by several processes has failed and left each of them some of "
                          "the network's weights; dlviz_trainer_load_checkpoint goes on from "
                          "earlier ones",
                          who);
}

const char *dlviz_network_summary(const dlviz_network *network) {
    if (!network)
        return NULL;
    return network->summary ? network->summary : "";
}

int64_t dlviz_network_num_layers(const dlviz_network *network) {
    return network ? network->graph.num_nodes : 0;
}

const char *dlviz_network_layer_name(const dlviz_network *network, int64_t index) {
    bool there = network && index >= 0 && index < network->graph.num_nodes;
    return there ? network->graph.nodes[index].name : NULL;
}

static const dlz_shape *shape_of(const dlviz_network *network, const char *layer) {
    bool found = false;
    int node = network && layer ? dlz_graph_find(&network->graph, layer, &found) : 0;
    return found && network->built ? dlz_graph_shape(&network->graph, node) : NULL;
}

int dlviz_network_layer_ndim(const dlviz_network *network, const char *layer) {
    const dlz_shape *shape = shape_of(network, layer);
    return shape ? shape->ndim : 0;
}

const int64_t *dlviz_network_layer_dims(const dlviz_network *network, const char *layer) {
    const dlz_shape *shape = shape_of(network, layer);
    return shape ? shape->dims : NULL;
}

int64_t dlviz_network_num_parameters(const dlviz_network *network) {
    int64_t count = 0;
    for (int i = 0; network && network->built && i < network->num_states; i++)
        count += network->states[i].spec.trainable ? network->states[i].size : 0;
    return count;
}
