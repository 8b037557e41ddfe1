/* What an optimizer is and remembers, for checkpoints. */
#include "base/base.h"
#include "network/network.h"
#include "tensor/safetensors.h"
#include "tensor/tensor.h"
#include "train/optimizer.h"

#include <stdio.h>
#include <string.h>

#define NAME_START "optimizer."

enum { FIRST, SECOND, NUM_MOMENTS };

static const char *const moment_names[NUM_MOMENTS] = {"first_moment", "second_moment"};

/* "optimizer.first_moment.<parameter>"; NULL when out of memory. */
static char *moment_name(int moment, const dlz_state *state) {
    return dlz_format(NAME_START "%s.%s", moment_names[moment], state->name);
}

bool dlz_optimizer_owns(const dlviz_network *network, const char *name) {
    for (int moment = 0; moment < NUM_MOMENTS; moment++) {
        char start[40];
        size_t length =
            (size_t)snprintf(start, sizeof start, NAME_START "%s.", moment_names[moment]);
        if (strncmp(name, start, length) != 0)
            continue;
        for (int i = 0; i < network->num_states; i++)
            if (network->states[i].spec.trainable &&
                strcmp(name + length, network->states[i].name) == 0)
                return true;
    }
    return false;
}

json_t *dlz_optimizer_settings(const dlviz_optimizer *optimizer) {
    const char *type = dlz_rule_name(optimizer->rule);
    switch (optimizer->rule) {
    case DLZ_ADAM:
    case DLZ_ADAMW:
        return json_pack("{s:s,s:f,s:f,s:f,s:f}", "type", type, "beta1", optimizer->beta1, "beta2",
                         optimizer->beta2, "eps", optimizer->eps, "weight_decay",
                         optimizer->weight_decay);
    case DLZ_SGD:
        return json_pack("{s:s,s:f,s:f,s:b,s:f}", "type", type, "momentum", optimizer->momentum,
                         "dampening", optimizer->dampening, "nesterov", optimizer->nesterov,
                         "weight_decay", optimizer->weight_decay);
    case DLZ_RMSPROP:
        return json_pack("{s:s,s:f,s:f,s:f}", "type", type, "alpha", optimizer->alpha, "eps",
                         optimizer->eps, "weight_decay", optimizer->weight_decay);
    }
    return NULL;
}

/* A moment has each parameter's place in the block of all parameters. */
static int64_t place_of(const dlviz_network *network, const dlz_state *state) {
    return (const float *)state->value - network->parameters;
}

/* A second moment is a mean of squares. */
static dlviz_status check_moment(int moment, const dlz_state *state, const float *values) {
    if (dlz_are_valid(values, state->size, moment == SECOND))
        return DLVIZ_OK; /* the usual case, and no name need be made */
    char *name = moment_name(moment, state);
    if (!name)
        return dlz_fail_memory("a moment's name", 0);
    dlviz_status status = dlz_check_values(name, values, state->size, moment == SECOND);
    dlz_free(name);
    return status;
}

dlviz_status dlz_optimizer_check_moments(const dlviz_optimizer *optimizer) {
    const dlviz_network *network = optimizer->network;
    const float *blocks[NUM_MOMENTS] = {optimizer->first, optimizer->second};
    for (int moment = 0; moment < NUM_MOMENTS; moment++)
        for (int i = 0; blocks[moment] && i < network->num_states; i++) {
            const dlz_state *state = &network->states[i];
            if (state->spec.trainable)
                DLZ_TRY(check_moment(moment, state, blocks[moment] + place_of(network, state)));
        }
    return DLVIZ_OK;
}

static dlviz_status add_moment(dlviz_safetensors *set, int moment, const dlz_state *state,
                               float *values) {
    dlviz_tensor *view;
    DLZ_TRY(dlviz_tensor_wrap(&view, DLVIZ_FLOAT32, state->spec.ndim, state->spec.dims, values,
                              NULL, NULL));
    char *name = moment_name(moment, state);
    dlviz_status status =
        name ? dlviz_safetensors_add(set, name, view) : dlz_fail_memory("a moment's name", 0);
    dlz_free(name);
    dlviz_tensor_destroy(view);
    return status;
}

dlviz_status dlz_optimizer_add_states(const dlviz_optimizer *optimizer, dlviz_safetensors *set) {
    const dlviz_network *network = optimizer->network;
    float *blocks[NUM_MOMENTS] = {optimizer->first, optimizer->second};
    for (int moment = 0; moment < NUM_MOMENTS; moment++)
        for (int i = 0; blocks[moment] && i < network->num_states; i++) {
            const dlz_state *state = &network->states[i];
            if (state->spec.trainable)
                DLZ_TRY(add_moment(set, moment, state, blocks[moment] + place_of(network, state)));
        }
    return DLVIZ_OK;
}

static dlviz_status read_tensor(const dlviz_safetensors *set, const char *name,
                                const dlz_state *state, bool is_square, float *to) {
    if (!dlviz_safetensors_has(set, name))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is missing", name);
    dlviz_tensor *found;
    DLZ_TRY(dlviz_safetensors_get(set, name, &found));
    dlviz_status status;
    if (found->dtype != DLVIZ_FLOAT32 || found->size != state->size)
        status = dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' has %lld numbers, needs %lld of float32", name,
                          (long long)found->size, (long long)state->size);
    else
        status = dlz_check_values(name, found->data, state->size, is_square);
    if (status == DLVIZ_OK)
        memcpy(to, found->data, (size_t)state->size * sizeof *to);
    dlviz_tensor_destroy(found);
    return status;
}

static dlviz_status read_moment(const dlviz_network *network, const dlviz_safetensors *set,
                                int moment, bool stepped, float **block) {
    *block = dlz_alloc_array_zero((uint64_t)network->parameter_floats, sizeof **block);
    if (!*block)
        return dlz_fail_memory("the optimizer's moments",
                               (uint64_t)network->parameter_floats * sizeof **block);
    for (int i = 0; stepped && i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        if (!state->spec.trainable)
            continue;
        char *name = moment_name(moment, state);
        if (!name)
            return dlz_fail_memory("a moment's name", 0);
        dlviz_status status =
            read_tensor(set, name, state, moment == SECOND, *block + place_of(network, state));
        dlz_free(name);
        DLZ_TRY(status);
    }
    return DLVIZ_OK;
}

dlviz_status dlz_optimizer_read_moments(const dlviz_optimizer *optimizer,
                                        const dlviz_network *network, const dlviz_safetensors *set,
                                        bool stepped, dlz_optimizer_moments *moments) {
    *moments = (dlz_optimizer_moments){NULL, NULL};
    dlviz_status status = dlz_optimizer_check_network(optimizer, network);
    if (status == DLVIZ_OK && dlz_optimizer_needs_first(optimizer))
        status = read_moment(network, set, FIRST, stepped, &moments->first);
    if (status == DLVIZ_OK && dlz_optimizer_needs_second(optimizer))
        status = read_moment(network, set, SECOND, stepped, &moments->second);
    if (status != DLVIZ_OK)
        dlz_optimizer_drop_moments(moments);
    return status;
}

void dlz_optimizer_drop_moments(dlz_optimizer_moments *moments) {
    dlz_free(moments->first);
    dlz_free(moments->second);
    *moments = (dlz_optimizer_moments){NULL, NULL};
}

void dlz_optimizer_take_moments(dlviz_optimizer *optimizer, dlviz_network *network,
                                dlz_optimizer_moments *moments) {
    dlz_free(optimizer->first);
    dlz_free(optimizer->second);
    optimizer->first = moments->first;
    optimizer->second = moments->second;
    *moments = (dlz_optimizer_moments){NULL, NULL};
    if (!optimizer->network)
        optimizer->network = dlz_network_hold(network);
}
