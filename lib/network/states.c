/* A network's state by name: read, write, to and from the contents of files. */
#include "base/base.h"
#include "network/network.h"
#include "tensor/safetensors.h"
#include "tensor/tensor.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

int64_t dlviz_network_num_states(const dlviz_network *network) {
    return network && network->built ? network->num_states : 0;
}

const char *dlviz_network_state_name(const dlviz_network *network, int64_t index) {
    return index >= 0 && index < dlviz_network_num_states(network) ? network->states[index].name
                                                                   : NULL;
}

void dlz_network_keep_buffers(dlviz_network *network) {
    if (network->kept_buffers)
        memcpy(network->kept_buffers, network->buffers, network->buffer_bytes);
}

void dlz_network_put_buffers_back(dlviz_network *network) {
    if (!network->kept_buffers)
        return;
    memcpy(network->buffers, network->kept_buffers, network->buffer_bytes);
    dlz_plans_note_change(&network->plans);
}

dlz_state *dlz_network_state(const dlviz_network *network, const char *name) {
    int64_t found = dlz_names_find(network->state_names, name);
    return found >= 0 ? &network->states[found] : NULL;
}

dlviz_status dlz_network_find_state(const dlviz_network *network, const char *who, const char *name,
                                    dlz_state **state) {
    DLZ_TRY(dlz_require_states(network, who));
    assert(network->states);
    if (!name)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'name' is NULL", who);
    *state = dlz_network_state(network, name);
    if (*state)
        return DLVIZ_OK;
    char names[800] = "";
    size_t used = 0;
    for (int i = 0; i < network->num_states && used < sizeof names; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                 network->states[i].name);
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s: there is no '%s'; the network has %s", who, name,
                    names);
}

dlviz_status dlviz_network_get_state(const dlviz_network *network, const char *name,
                                     dlviz_tensor **copy) {
    DLZ_REQUIRE_OUT(copy);
    dlz_state *state;
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_HOLD_SHARED(&network->busy, "network");
    DLZ_TRY(dlz_network_find_state(network, __func__, name, &state));
    return dlviz_tensor_from_data(copy, state->spec.dtype, state->spec.ndim, state->spec.dims,
                                  state->value);
}

dlviz_status dlviz_network_get_gradient(const dlviz_network *network, const char *name,
                                        dlviz_tensor **copy) {
    DLZ_REQUIRE_OUT(copy);
    dlz_state *state;
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_HOLD_SHARED(&network->busy, "network");
    DLZ_TRY(dlz_network_find_state(network, __func__, name, &state));
    if (!state->gradient)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is not trained and has no gradient",
                        __func__, name);
    if (state->frozen)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is frozen and has no gradient",
                        __func__, name);
    if (!network->has_gradients)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: no gradients yet; call dlviz_network_backward first", __func__);
    DLZ_TRY(dlviz_tensor_from_data(copy, DLVIZ_FLOAT32, state->spec.ndim, state->spec.dims,
                                   state->gradient));
    float *values = (*copy)->data, scale = network->gradient_scale;
    for (int64_t i = 0; scale != 1.0f && i < state->size; i++)
        values[i] *= scale;
    return DLVIZ_OK;
}

/* Far more than any training counts, and far from where counting on would overflow. */
#define MOST_BATCHES (INT64_MAX / 4)

/* Without a branch, so that the compiler makes vectors of it: networks are looked at after every
 * epoch. */
bool dlz_are_valid(const float *values, int64_t size, bool lowest_is_zero) {
    const uint32_t exponent = 0x7F800000, sign = 0x80000000;
    uint32_t infinite = 0, negative = 0;
    for (int64_t i = 0; i < size; i++) {
        uint32_t bits;
        memcpy(&bits, &values[i], sizeof bits);
        infinite |= (bits & exponent) == exponent;
        negative |= (bits & sign) != 0 && bits != sign;
    }
    return !infinite && !(lowest_is_zero && negative);
}

dlviz_status dlz_check_values(const char *name, const float *values, int64_t size,
                              bool lowest_is_zero) {
    if (dlz_are_valid(values, size, lowest_is_zero))
        return DLVIZ_OK;
    int64_t i = 0;
    while (isfinite(values[i]) && !(lowest_is_zero && values[i] < 0))
        i++;
    if (isfinite(values[i]))
        return dlz_fail(DLVIZ_ERROR_NUMERIC, "'%s' holds %g at element %lld; 0 or more is valid",
                        name, (double)values[i], (long long)i);
    return dlz_fail(DLVIZ_ERROR_NUMERIC, "'%s' holds %s at element %lld", name,
                    isnan(values[i]) ? "NaN" : "an infinity", (long long)i);
}

static dlviz_status check_values(const dlz_state *state, const void *elements) {
    if (state->spec.dtype == DLVIZ_FLOAT32)
        return dlz_check_values(state->name, elements, state->size, state->spec.not_negative);
    const int64_t *counts = elements;
    for (int64_t i = 0; i < state->size; i++)
        if (counts[i] < 0 || counts[i] > MOST_BATCHES)
            return dlz_fail(DLVIZ_ERROR_NUMERIC, "'%s' holds %lld; 0 to %lld is valid", state->name,
                            (long long)counts[i], (long long)MOST_BATCHES);
    return DLVIZ_OK;
}

dlviz_status dlz_network_check_states(const dlviz_network *network, bool trained_too) {
    for (int i = 0; i < network->num_states; i++)
        if (trained_too || !network->states[i].spec.trainable)
            DLZ_TRY(check_values(&network->states[i], network->states[i].value));
    return DLVIZ_OK;
}

static dlviz_status check_shape(const dlz_state *state, dlviz_dtype dtype, int ndim,
                                const int64_t *dims) {
    const dlz_state_spec *spec = &state->spec;
    char given[DLZ_SHAPE_TEXT_SIZE], wanted[DLZ_SHAPE_TEXT_SIZE];
    if (dtype == spec->dtype && ndim == spec->ndim &&
        memcmp(dims, spec->dims, (size_t)ndim * sizeof *dims) == 0)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_SHAPE, "'%s' is %s %s, needs %s %s", state->name,
                    dlviz_dtype_name(dtype), dlz_shape_text(given, ndim, dims),
                    dlviz_dtype_name(spec->dtype), dlz_shape_text(wanted, spec->ndim, spec->dims));
}

dlviz_status dlz_network_check_tensor(const dlz_state *state, const dlviz_tensor *tensor) {
    DLZ_TRY(check_shape(state, tensor->dtype, tensor->ndim, tensor->dims));
    return check_values(state, tensor->data);
}

static void take_tensor(const dlz_state *state, const dlviz_tensor *tensor) {
    memcpy(state->value, tensor->data, (size_t)state->size * dlviz_dtype_size(tensor->dtype));
}

dlviz_status dlviz_network_set_state(dlviz_network *network, const char *name,
                                     const dlviz_tensor *tensor) {
    dlz_state *state;
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_USE_NETWORK(__func__, network);
    DLZ_TRY(dlz_network_find_state(network, __func__, name, &state));
    DLZ_REQUIRE(tensor);
    DLZ_TRY(dlz_network_check_tensor(state, tensor));
    take_tensor(state, tensor);
    dlz_plans_note_change(&network->plans);
    return DLVIZ_OK;
}

dlviz_status dlz_network_add_states(const dlviz_network *network, dlviz_safetensors *set) {
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        dlviz_tensor *view;
        DLZ_TRY(dlviz_tensor_wrap(&view, state->spec.dtype, state->spec.ndim, state->spec.dims,
                                  state->value, NULL, NULL));
        dlviz_status status = dlviz_safetensors_add(set, state->name, view);
        dlviz_tensor_destroy(view);
        DLZ_TRY(status);
    }
    return DLVIZ_OK;
}

static dlviz_status check_shapes(const dlviz_network *network, const dlviz_safetensors *set,
                                 bool all) {
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        const dlz_safetensors_entry *entry = dlz_safetensors_find(set, state->name);
        if (!entry && all && state->spec.dtype != DLVIZ_INT64)
            return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is missing", state->name);
        if (entry)
            DLZ_TRY(
                check_shape(state, dlz_element_dtype(entry->element), entry->ndim, entry->dims));
    }
    return DLVIZ_OK;
}

dlviz_status dlz_network_check_shapes(const dlviz_network *network, const dlviz_safetensors *set) {
    return check_shapes(network, set, true);
}

/* tensors[i] stays NULL for one that is missing, which is a counter unless the shapes were checked for
 * fewer. */
static dlviz_status get_tensors(const dlviz_network *network, const dlviz_safetensors *set,
                                dlviz_tensor **tensors) {
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        if (!dlviz_safetensors_has(set, state->name))
            continue;
        DLZ_TRY(dlviz_safetensors_get(set, state->name, &tensors[i]));
        DLZ_TRY(check_values(state, tensors[i]->data));
    }
    return DLVIZ_OK;
}

static dlviz_status read_states(const dlviz_network *network, const dlviz_safetensors *set,
                                bool all, dlviz_tensor ***tensors) {
    *tensors = NULL;
    DLZ_TRY(check_shapes(network, set, all));
    size_t count = (size_t)network->num_states;
    *tensors = dlz_alloc_array_zero(count, sizeof **tensors);
    if (!*tensors)
        return dlz_fail_memory("the parameters of a file", count * sizeof **tensors);
    dlviz_status status = get_tensors(network, set, *tensors);
    if (status != DLVIZ_OK) {
        dlz_network_drop_states(network, *tensors);
        *tensors = NULL;
    }
    return status;
}

dlviz_status dlz_network_read_states(const dlviz_network *network, const dlviz_safetensors *set,
                                     dlviz_tensor ***tensors) {
    return read_states(network, set, true, tensors);
}

dlviz_status dlz_network_read_present_states(const dlviz_network *network,
                                             const dlviz_safetensors *set,
                                             dlviz_tensor ***tensors) {
    return read_states(network, set, false, tensors);
}

void dlz_network_take_states(dlviz_network *network, dlviz_tensor *const *tensors) {
    for (int i = 0; i < network->num_states; i++)
        if (!tensors[i]) /* a counter, as PyTorch's older files have none */
            *(int64_t *)network->states[i].value = 0;
    network->plans.apart.count = 0;
    network->plans.withheld = false;
    dlz_network_take_present_states(network, tensors);
}

void dlz_network_take_present_states(dlviz_network *network, dlviz_tensor *const *tensors) {
    for (int i = 0; i < network->num_states; i++)
        if (tensors[i])
            take_tensor(&network->states[i], tensors[i]);
    dlz_plans_note_change(&network->plans);
    /* The gradients are those of other parameters. */
    network->has_gradients = network->fresh_gradients = false;
}

void dlz_network_drop_states(const dlviz_network *network, dlviz_tensor **tensors) {
    for (int i = 0; tensors && i < network->num_states; i++)
        dlviz_tensor_destroy(tensors[i]);
    dlz_free(tensors);
}
