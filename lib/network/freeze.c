/* States that training leaves as they are. */
#include "base/base.h"
#include "base/pattern.h"
#include "network/network.h"

#include <string.h>

/* Of a layer whose parameters are all frozen, running statistics are too. */
static void freeze_statistics(dlviz_network *network, const dlz_node *node) {
    dlz_state *states = network->states + node->first_state;
    bool trained = false, frozen = true;
    for (int i = 0; i < node->num_states; i++)
        if (states[i].spec.trainable) {
            trained = true;
            frozen &= states[i].frozen;
        }
    for (int i = 0; trained && frozen && i < node->num_states; i++)
        states[i].frozen = true;
}

/* Before a batch norm is trained again it must not be left with statistics that never change. */
static void unfreeze_statistics(dlviz_network *network, const dlz_node *node) {
    dlz_state *states = network->states + node->first_state;
    bool thawed = false;
    for (int i = 0; i < node->num_states; i++)
        thawed |= states[i].spec.trainable && !states[i].frozen;
    for (int i = 0; thawed && i < node->num_states; i++)
        if (!states[i].spec.trainable)
            states[i].frozen = false;
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
    for (int i = 0; i < network->num_states; i++)
        if (dlz_matches(pattern, network->states[i].name))
            network->states[i].frozen = frozen;
    for (int i = 0; i < graph->num_nodes; i++)
        if (any_matches(network, &graph->nodes[i], pattern))
            (frozen ? freeze_statistics : unfreeze_statistics)(network, &graph->nodes[i]);
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
