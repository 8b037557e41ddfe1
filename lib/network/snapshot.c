#include "network/snapshot.h"
#include "base/base.h"
#include "base/parallel.h"
#include "tensor/safetensors.h"
#include "tensor/tensor.h"

#include <string.h>

enum { TILE_SIZE = 32768 };

static size_t parameter_bytes(const dlviz_network *network) {
    return (size_t)network->parameter_floats * sizeof(float);
}

dlviz_status dlz_snapshot_create(dlz_snapshot *snapshot, const dlviz_network *network) {
    if (snapshot->parameters)
        return DLVIZ_OK;
    snapshot->parameters = dlz_alloc_zero(parameter_bytes(network));
    snapshot->buffers = dlz_alloc_zero(network->buffer_bytes);
    if (snapshot->parameters && snapshot->buffers)
        return DLVIZ_OK;
    dlz_snapshot_release(snapshot);
    return dlz_fail_memory("a copy of the parameters", parameter_bytes(network));
}

void dlz_snapshot_release(dlz_snapshot *snapshot) {
    dlz_free(snapshot->parameters);
    dlz_free(snapshot->buffers);
    *snapshot = (dlz_snapshot){NULL, NULL};
}

void dlz_snapshot_take(dlz_snapshot *snapshot, const dlviz_network *network) {
    memcpy(snapshot->parameters, network->parameters, parameter_bytes(network));
    memcpy(snapshot->buffers, network->buffers, network->buffer_bytes);
}

void dlz_snapshot_copy(dlz_snapshot *snapshot, const dlz_snapshot *from,
                       const dlviz_network *network) {
    memcpy(snapshot->parameters, from->parameters, parameter_bytes(network));
    memcpy(snapshot->buffers, from->buffers, network->buffer_bytes);
}

void dlz_snapshot_put(const dlz_snapshot *snapshot, dlviz_network *network) {
    memcpy(network->parameters, snapshot->parameters, parameter_bytes(network));
    memcpy(network->buffers, snapshot->buffers, network->buffer_bytes);
    network->plans.apart.count = 0;
    network->plans.withheld = false;
    dlz_plans_note_change(&network->plans);
    network->has_gradients = network->fresh_gradients = false;
}

static void exchange(void *one, void *other, size_t size) {
    char some[4096], *a = one, *b = other;
    for (size_t at = 0; at < size; at += sizeof some) {
        size_t count = size - at < sizeof some ? size - at : sizeof some;
        memcpy(some, a + at, count);
        memcpy(a + at, b + at, count);
        memcpy(b + at, some, count);
    }
}

void dlz_snapshot_exchange(dlz_snapshot *snapshot, dlviz_network *network) {
    exchange(snapshot->parameters, network->parameters, parameter_bytes(network));
    exchange(snapshot->buffers, network->buffers, network->buffer_bytes);
    dlz_plans_note_change(&network->plans);
    network->has_gradients = network->fresh_gradients = false;
}

/* -- Averages ------------------------------------------------------------------------------------
 */

typedef struct approach_pass {
    float *average;
    const float *present;
    int64_t size;
    float share;
} approach_pass;

/* In this form a number that does not change keeps its bits. */
static void approach(const approach_pass *pass, int64_t first, int64_t end) {
    float *average = pass->average;
    for (int64_t i = first; i < end; i++)
        average[i] += pass->share * (pass->present[i] - average[i]);
}

static void approach_tile(void *context, int64_t tile, int worker) {
    (void)worker;
    const approach_pass *pass = context;
    approach(pass, tile * TILE_SIZE, dlz_min_i64((tile + 1) * TILE_SIZE, pass->size));
}

/* The place of a state's value in the copy. */
static void *place_of(const dlz_snapshot *snapshot, const dlviz_network *network,
                      const dlz_state *state) {
    if (state->spec.trainable)
        return snapshot->parameters + ((const float *)state->value - network->parameters);
    return snapshot->buffers + ((const char *)state->value - (const char *)network->buffers);
}

void dlz_snapshot_approach(dlz_snapshot *snapshot, const dlviz_network *network, double decay) {
    approach_pass pass = {.average = snapshot->parameters,
                          .present = network->parameters,
                          .size = network->parameter_floats,
                          .share = (float)(1 - decay)};
    dlz_parallel_for(dlz_ceil_div(pass.size, TILE_SIZE), dlz_threads(), approach_tile, &pass);
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        if (state->spec.trainable)
            continue;
        void *place = place_of(snapshot, network, state);
        if (state->spec.dtype == DLVIZ_INT64) {
            memcpy(place, state->value, (size_t)state->size * sizeof(int64_t));
            continue;
        }
        pass.average = place;
        pass.present = state->value;
        approach(&pass, 0, state->size);
    }
}

/* -- In files ------------------------------------------------------------------------------------
 */

static dlviz_status add_state(dlviz_safetensors *set, const char *prefix, const dlz_state *state,
                              void *values) {
    dlviz_tensor *view;
    DLZ_TRY(dlviz_tensor_wrap(&view, state->spec.dtype, state->spec.ndim, state->spec.dims, values,
                              NULL, NULL));
    char *name = dlz_format("%s%s", prefix, state->name);
    dlviz_status status =
        name ? dlviz_safetensors_add(set, name, view) : dlz_fail_memory("a tensor's name", 0);
    dlz_free(name);
    dlviz_tensor_destroy(view);
    return status;
}

dlviz_status dlz_snapshot_add(const dlz_snapshot *snapshot, const dlviz_network *network,
                              const char *prefix, dlviz_safetensors *set) {
    for (int i = 0; snapshot->parameters && i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        DLZ_TRY(add_state(set, prefix, state, place_of(snapshot, network, state)));
    }
    return DLVIZ_OK;
}

bool dlz_snapshot_owns(const dlviz_network *network, const char *prefix, const char *name) {
    size_t length = strlen(prefix);
    return strncmp(name, prefix, length) == 0 && dlz_network_state(network, name + length);
}

static dlviz_status read_state(const dlviz_safetensors *set, const char *prefix,
                               const dlz_state *state, void *to) {
    char *name = dlz_format("%s%s", prefix, state->name);
    if (!name)
        return dlz_fail_memory("a tensor's name", 0);
    dlviz_tensor *found = NULL;
    dlviz_status status = dlviz_safetensors_has(set, name)
                              ? dlviz_safetensors_get(set, name, &found)
                              : dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is missing", name);
    if (status == DLVIZ_OK) {
        dlz_state renamed = *state;
        renamed.name = name;
        status = dlz_network_check_tensor(&renamed, found);
    }
    if (status == DLVIZ_OK)
        memcpy(to, found->data, (size_t)state->size * dlviz_dtype_size(found->dtype));
    dlviz_tensor_destroy(found);
    dlz_free(name);
    return status;
}

dlviz_status dlz_snapshot_read(dlz_snapshot *snapshot, const dlviz_network *network,
                               const char *prefix, const dlviz_safetensors *set) {
    *snapshot = (dlz_snapshot){NULL, NULL};
    dlviz_status status = dlz_snapshot_create(snapshot, network);
    for (int i = 0; status == DLVIZ_OK && i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        status = read_state(set, prefix, state, place_of(snapshot, network, state));
    }
    if (status != DLVIZ_OK)
        dlz_snapshot_release(snapshot);
    return status;
}

dlviz_status dlz_network_add_block(const dlviz_network *network, float *block, const char *prefix,
                                   dlviz_safetensors *set) {
    dlz_snapshot whole = {.parameters = block};
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        if (state->spec.trainable)
            DLZ_TRY(add_state(set, prefix, state, place_of(&whole, network, state)));
    }
    return DLVIZ_OK;
}

dlviz_status dlz_network_read_block(const dlviz_network *network, const char *prefix,
                                    const dlviz_safetensors *set, float **block) {
    *block = dlz_alloc_zero(parameter_bytes(network));
    if (!*block)
        return dlz_fail_memory("gradients", parameter_bytes(network));
    dlz_snapshot whole = {.parameters = *block};
    dlviz_status status = DLVIZ_OK;
    for (int i = 0; status == DLVIZ_OK && i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        dlz_state any = *state;
        any.spec.not_negative = false;
        if (state->spec.trainable)
            status = read_state(set, prefix, &any, place_of(&whole, network, state));
    }
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    dlz_free(*block);
    *block = NULL;
    return status;
}
