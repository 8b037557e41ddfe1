/* States that training leaves as they are. */
#include "base/base.h"
#include "base/pattern.h"
#include "network/network.h"

#include <string.h>

/* Whether a layer has parameters, and none that is trained. */
static bool is_frozen_whole(const dlviz_network *network, const dlz_node *node) {
    const dlz_state *states = network->states + node->first_state;
    bool trained = false, frozen = true;
    for (int i = 0; i < node->num_states; i++)
        if (states[i].spec.trainable) {
            trained = true;
            frozen &= states[i].frozen;
        }
    return trained && frozen;
}

static void set_statistics_frozen(dlviz_network *network, const dlz_node *node, bool frozen) {
    dlz_state *states = network->states + node->first_state;
    for (int i = 0; i < node->num_states; i++)
        if (!states[i].spec.trainable)
            states[i].frozen = frozen;
}

/* Sets what matches of a layer. Where its parameters are all frozen, running statistics are too; before
 * it is trained again it must not be left with statistics that never change. */
static void set_layer(dlviz_network *network, const dlz_node *node, const char *pattern,
                      bool frozen) {
    dlz_state *states = network->states + node->first_state;
    bool before = is_frozen_whole(network, node);
    for (int i = 0; i < node->num_states; i++) {
        if (!dlz_matches(pattern, states[i].name))
            continue;
        if (!frozen && states[i].frozen && states[i].gradient)
            network->has_gradients = network->fresh_gradients = false; /* of it there is none */
        states[i].frozen = frozen;
    }
    bool after = is_frozen_whole(network, node);
    if (after ? frozen : before)
        set_statistics_frozen(network, node, frozen);
}

static bool any_matches(const dlviz_network *network, const dlz_node *node, const char *pattern) {
    for (int i = 0; i < node->num_states; i++)
        if (dlz_matches(pattern, network->states[node->first_state + i].name))
            return true;
    return false;
}

static dlviz_status set_frozen(dlviz_network *network, const char *who, const char *pattern,
                               bool frozen) {
    const dlz_graph *graph = &network->graph;
    bool found = false;
    dlz_state *none;
    if (!pattern)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'pattern' is NULL", who);
    for (int i = 0; i < graph->num_nodes; i++)
        found |= any_matches(network, &graph->nodes[i], pattern);
    if (!found)
        return dlz_network_find_state(network, who, pattern, &none);
    for (int i = 0; i < graph->num_nodes; i++)
        if (any_matches(network, &graph->nodes[i], pattern))
            set_layer(network, &graph->nodes[i], pattern, frozen);
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        if (state->frozen && state->gradient)
            memset(state->gradient, 0, (size_t)state->size * sizeof *state->gradient);
    }
    dlz_network_hand_states(network);
    dlz_plans_forget(&network->plans); /* they compute other gradients */
    network->stale_gradients = true;
    network->freezes++;
    return DLVIZ_OK;
}

dlviz_status dlviz_network_freeze(dlviz_network *network, const char *pattern) {
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_USE_NETWORK(__func__, network);
    return set_frozen(network, __func__, pattern, true);
}

dlviz_status dlviz_network_unfreeze(dlviz_network *network, const char *pattern) {
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_USE_NETWORK(__func__, network);
    return set_frozen(network, __func__, pattern, false);
}

bool dlviz_network_is_frozen(const dlviz_network *network, const char *name) {
    const dlz_state *state = network && network->built ? dlz_network_state(network, name) : NULL;
    return state && state->frozen;
}

json_t *dlz_network_frozen_names(const dlviz_network *network) {
    json_t *names = json_array();
    for (int i = 0; names && i < network->num_states; i++)
        if (network->states[i].frozen &&
            json_array_append_new(names, json_string(network->states[i].name)) != 0) {
            json_decref(names);
            names = NULL;
        }
    return names;
}
