/* What an optimizer is and remembers, for checkpoints. */
#include "base/base.h"
#include "network/network.h"
#include "tensor/safetensors.h"
#include "tensor/tensor.h"
#include "train/optimizer.h"

#include <zlib.h>
#include <string.h>

#define NAME_START ".optimizer."
#define MISSED NAME_START "missed_steps"

/* ".optimizer.first_moment.<parameter>"; NULL when out of memory. */
static char *moment_name(const dlz_moment *moment, const dlz_state *state) {
    return dlz_format(NAME_START "%s.%s", moment->name, state->name);
}

/* What follows `start` in a text that begins with it, else NULL. */
static const char *after(const char *start, const char *text) {
    size_t length = strlen(start);
    return text && strncmp(text, start, length) == 0 ? text + length : NULL;
}

bool dlz_optimizer_owns(const dlviz_optimizer *optimizer, const dlviz_network *network,
                        const char *name) {
    if (strcmp(name, MISSED) == 0)
        return true;
    const char *rest = after(NAME_START, name);
    for (const dlz_moment *moment = optimizer->type->moments; moment->name; moment++) {
        const char *parameter = after(".", after(moment->name, rest));
        const dlz_state *state = parameter ? dlz_network_state(network, parameter) : NULL;
        if (state && state->spec.trainable)
            return true;
    }
    return false;
}

json_t *dlz_optimizer_settings(const dlviz_optimizer *optimizer) {
    const dlz_optimizer_type *type = optimizer->type;
    json_t *object = dlz_settings_write_typed(type->name, type->settings, optimizer);
    if (json_object_set_new(object, "weight_decay", json_real(optimizer->weight_decay)) == 0 &&
        dlz_groups_add_settings(&optimizer->groups, object))
        return object;
    json_decref(object);
    return NULL;
}

/* A moment has each parameter's place in the block of all parameters. */
static int64_t place_of(const dlviz_network *network, const dlz_state *state) {
    return (const float *)state->value - network->parameters;
}

static dlviz_status check_moment(const dlz_moment *moment, const dlz_state *state,
                                 const float *values) {
    if (dlz_are_valid(values, state->size, moment->not_negative))
        return DLVIZ_OK; /* the usual case, and no name need be made */
    char *name = moment_name(moment, state);
    if (!name)
        return dlz_fail_memory("a moment's name", 0);
    dlviz_status status = dlz_check_values(name, values, state->size, moment->not_negative);
    dlz_free(name);
    return status;
}

dlviz_status dlz_optimizer_check_moments(const dlviz_optimizer *optimizer) {
    const dlviz_network *network = optimizer->network;
    for (int m = 0; m < DLZ_MAX_MOMENTS; m++)
        for (int i = 0; optimizer->moments[m] && i < network->num_states; i++) {
            const dlz_state *state = &network->states[i];
            if (state->spec.trainable)
                DLZ_TRY(check_moment(&optimizer->type->moments[m], state,
                                     optimizer->moments[m] + place_of(network, state)));
        }
    return DLVIZ_OK;
}

static dlviz_status add_moment(dlviz_safetensors *set, const dlz_moment *moment,
                               const dlz_state *state, float *values) {
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

/* Where there are any. */
static dlviz_status add_missed(const dlviz_optimizer *optimizer, dlviz_safetensors *set) {
    int64_t count = optimizer->missed ? optimizer->network->num_states : 0, all = 0;
    for (int64_t i = 0; i < count; i++)
        all |= optimizer->missed[i];
    if (all == 0)
        return DLVIZ_OK;
    dlviz_tensor *view;
    DLZ_TRY(dlviz_tensor_wrap(&view, DLVIZ_INT64, 1, &count, optimizer->missed, NULL, NULL));
    dlviz_status status = dlviz_safetensors_add(set, MISSED, view);
    dlviz_tensor_destroy(view);
    return status;
}

dlviz_status dlz_optimizer_add_states(const dlviz_optimizer *optimizer, dlviz_safetensors *set) {
    const dlviz_network *network = optimizer->network;
    DLZ_TRY(add_missed(optimizer, set));
    for (int m = 0; m < DLZ_MAX_MOMENTS; m++)
        for (int i = 0; optimizer->moments[m] && i < network->num_states; i++) {
            const dlz_state *state = &network->states[i];
            if (state->spec.trainable)
                DLZ_TRY(add_moment(set, &optimizer->type->moments[m], state,
                                   optimizer->moments[m] + place_of(network, state)));
        }
    return DLVIZ_OK;
}

static dlviz_status read_tensor(const dlviz_safetensors *set, const char *name,
                                const dlz_state *state, bool not_negative, float *to) {
    if (!dlviz_safetensors_has(set, name))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is missing", name);
    dlviz_tensor *found;
    DLZ_TRY(dlviz_safetensors_get(set, name, &found));
    dlviz_status status;
    if (found->dtype != DLVIZ_FLOAT32 || found->size != state->size)
        status = dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' has %lld numbers, needs %lld of float32", name,
                          (long long)found->size, (long long)state->size);
    else
        status = dlz_check_values(name, found->data, state->size, not_negative);
    if (status == DLVIZ_OK)
        memcpy(to, found->data, (size_t)state->size * sizeof *to);
    dlviz_tensor_destroy(found);
    return status;
}

static dlviz_status read_moment(const dlviz_network *network, const dlviz_safetensors *set,
                                const dlz_moment *moment, bool stepped, float **block) {
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
            read_tensor(set, name, state, moment->not_negative, *block + place_of(network, state));
        dlz_free(name);
        DLZ_TRY(status);
    }
    return DLVIZ_OK;
}

/* No state can have missed more steps than were made. */
static bool are_missed(const dlviz_tensor *found, int64_t num_states, int64_t steps) {
    if (found->dtype != DLVIZ_INT64 || found->size != num_states)
        return false;
    const int64_t *missed = found->data;
    for (int64_t i = 0; i < num_states; i++)
        if (missed[i] < 0 || missed[i] > steps)
            return false;
    return true;
}

static dlviz_status read_missed(const dlviz_network *network, const dlviz_safetensors *set,
                                int64_t steps, int64_t **missed) {
    if (!dlviz_safetensors_has(set, MISSED))
        return DLVIZ_OK;
    dlviz_tensor *found;
    size_t size = (size_t)network->num_states * sizeof **missed;
    DLZ_TRY(dlviz_safetensors_get(set, MISSED, &found));
    dlviz_status status = are_missed(found, network->num_states, steps)
                              ? DLVIZ_OK
                              : dlz_fail(DLVIZ_ERROR_FORMAT,
                                         "'" MISSED "' holds what cannot be: 0 to %lld for each of "
                                         "%d states can",
                                         (long long)steps, network->num_states);
    if (status == DLVIZ_OK && !(*missed = dlz_alloc(size)))
        status = dlz_fail_memory("the optimizer's moments", size);
    if (status == DLVIZ_OK)
        memcpy(*missed, found->data, size);
    dlviz_tensor_destroy(found);
    return status;
}

dlviz_status dlz_optimizer_read_moments(const dlviz_optimizer *optimizer,
                                        const dlviz_network *network, const dlviz_safetensors *set,
                                        int64_t steps, dlz_optimizer_moments *moments) {
    *moments = (dlz_optimizer_moments){.missed = NULL};
    dlviz_status status = dlz_optimizer_check_network(optimizer, network);
    const dlz_moment *all = optimizer->type->moments;
    for (int i = 0; status == DLVIZ_OK && all[i].name; i++)
        if (dlz_optimizer_keeps(optimizer, i))
            status = read_moment(network, set, &all[i], steps > 0, &moments->blocks[i]);
    if (status == DLVIZ_OK)
        status = read_missed(network, set, steps, &moments->missed);
    if (status != DLVIZ_OK)
        dlz_optimizer_drop_moments(moments);
    return status;
}

void dlz_optimizer_drop_moments(dlz_optimizer_moments *moments) {
    for (int i = 0; i < DLZ_MAX_MOMENTS; i++)
        dlz_free(moments->blocks[i]);
    dlz_free(moments->missed);
    *moments = (dlz_optimizer_moments){.missed = NULL};
}

void dlz_optimizer_take_moments(dlviz_optimizer *optimizer, dlviz_network *network,
                                dlz_optimizer_moments *moments) {
    for (int i = 0; i < DLZ_MAX_MOMENTS; i++) {
        dlz_free(optimizer->moments[i]);
        optimizer->moments[i] = moments->blocks[i];
    }
    dlz_free(optimizer->missed);
    optimizer->missed = moments->missed;
    optimizer->regroup = true;
    optimizer->spreads.count = 0;
    *moments = (dlz_optimizer_moments){.missed = NULL};
    if (!optimizer->network)
        optimizer->network = dlz_network_hold(network);
}

unsigned long dlz_optimizer_digest(const dlviz_optimizer *optimizer) {
    uLong digest = 0;
    if (!optimizer->network)
        return digest;
    size_t size = (size_t)optimizer->network->parameter_floats * sizeof(float);
    for (int i = 0; i < DLZ_MAX_MOMENTS; i++)
        if (optimizer->moments[i])
            digest = crc32_z(digest, (const Bytef *)optimizer->moments[i], size);
    return digest;
}
