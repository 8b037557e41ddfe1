/* A network's state by name: read, write, save, load. */
#include "base/base.h"
#include "network/network.h"
#include "tensor/tensor.h"
#include <dlviz/safetensors.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

int dlviz_network_num_states(const dlviz_network *network) {
    return network->num_states;
}

const char *dlviz_network_state_name(const dlviz_network *network, int index) {
    return index >= 0 && index < network->num_states ? network->states[index].name : NULL;
}

dlviz_status dlz_network_find_state(const dlviz_network *network, const char *who, const char *name,
                                    dlz_state **state) {
    DLZ_TRY(dlz_require_built(network, who));
    if (!name)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'name' is NULL", who);
    char names[800] = "";
    size_t used = 0;
    for (int i = 0; i < network->num_states; i++) {
        if (strcmp(network->states[i].name, name) == 0) {
            *state = &network->states[i];
            return DLVIZ_OK;
        }
        if (used < sizeof names)
            used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i ? ", " : "",
                                     network->states[i].name);
    }
    return dlz_fail(DLVIZ_ERROR_NOT_FOUND, "%s: there is no '%s'; the network has %s", who, name,
                    names);
}

dlviz_status dlviz_network_get_state(const dlviz_network *network, const char *name,
                                     dlviz_tensor **copy) {
    DLZ_REQUIRE_OUT(copy);
    dlz_state *state;
    DLZ_TRY(dlz_network_find_state(network, __func__, name, &state));
    return dlviz_tensor_from_data(copy, state->spec.dtype, state->spec.ndim, state->spec.dims,
                                  state->value);
}

dlviz_status dlviz_network_get_gradient(const dlviz_network *network, const char *name,
                                        dlviz_tensor **copy) {
    DLZ_REQUIRE_OUT(copy);
    dlz_state *state;
    DLZ_TRY(dlz_network_find_state(network, __func__, name, &state));
    if (!state->gradient)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is not trained and has no gradient",
                        __func__, name);
    if (!network->has_gradients)
        return dlz_fail(DLVIZ_ERROR_STATE,
                        "%s: no gradients yet; call dlviz_network_backward first", __func__);
    return dlviz_tensor_from_data(copy, DLVIZ_FLOAT32, state->spec.ndim, state->spec.dims,
                                  state->gradient);
}

/* Finite everywhere, and no variance below 0. */
static dlviz_status check_values(const dlz_state *state, const void *elements) {
    const float *values = state->spec.dtype == DLVIZ_FLOAT32 ? elements : NULL;
    for (int64_t i = 0; values && i < state->size; i++)
        if (!isfinite(values[i]))
            return dlz_fail(DLVIZ_ERROR_NUMERIC, "'%s' holds %s at element %lld", state->name,
                            isnan(values[i]) ? "NaN" : "an infinity", (long long)i);
    for (int64_t i = 0; strcmp(state->spec.suffix, "running_var") == 0 && i < state->size; i++)
        if (values[i] < 0)
            return dlz_fail(DLVIZ_ERROR_NUMERIC,
                            "'%s' holds %g at element %lld; variances are 0 or more", state->name,
                            (double)values[i], (long long)i);
    return DLVIZ_OK;
}

static dlviz_status check_tensor(const dlz_state *state, const dlviz_tensor *tensor) {
    const dlz_state_spec *spec = &state->spec;
    char given[DLZ_SHAPE_TEXT_SIZE], wanted[DLZ_SHAPE_TEXT_SIZE];
    if (tensor->dtype != spec->dtype || tensor->ndim != spec->ndim ||
        memcmp(tensor->dims, spec->dims, (size_t)spec->ndim * sizeof *spec->dims) != 0)
        return dlz_fail(
            DLVIZ_ERROR_SHAPE, "'%s' is %s %s, needs %s %s", state->name,
            dlviz_dtype_name(tensor->dtype), dlz_shape_text(given, tensor->ndim, tensor->dims),
            dlviz_dtype_name(spec->dtype), dlz_shape_text(wanted, spec->ndim, spec->dims));
    return check_values(state, tensor->data);
}

static void take_tensor(const dlz_state *state, const dlviz_tensor *tensor) {
    memcpy(state->value, tensor->data, (size_t)state->size * dlviz_dtype_size(tensor->dtype));
}

dlviz_status dlviz_network_set_state(dlviz_network *network, const char *name,
                                     const dlviz_tensor *tensor) {
    dlz_state *state;
    DLZ_TRY(dlz_network_find_state(network, __func__, name, &state));
    DLZ_REQUIRE(tensor);
    DLZ_TRY(check_tensor(state, tensor));
    take_tensor(state, tensor);
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

static bool is_state(const dlviz_network *network, const char *name) {
    for (int i = 0; i < network->num_states; i++)
        if (strcmp(network->states[i].name, name) == 0)
            return true;
    return false;
}

/* Gets every state's tensor, checked; tensors[i] stays NULL for a counter that is missing. */
static dlviz_status get_tensors(const dlviz_network *network, const dlviz_safetensors *set,
                                dlviz_tensor **tensors) {
    for (int i = 0; i < network->num_states; i++) {
        const dlz_state *state = &network->states[i];
        if (!dlviz_safetensors_has(set, state->name)) {
            if (state->spec.dtype == DLVIZ_INT64)
                continue;
            return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is missing", state->name);
        }
        dlviz_status status = dlviz_safetensors_get(set, state->name, &tensors[i]);
        if (status == DLVIZ_OK)
            status = check_tensor(state, tensors[i]);
        if (status != DLVIZ_OK)
            return status == DLVIZ_ERROR_OUT_OF_MEMORY ? status : DLVIZ_ERROR_FORMAT;
    }
    return DLVIZ_OK;
}

dlviz_status dlz_network_take_states(dlviz_network *network, const dlviz_safetensors *set,
                                     bool others_allowed) {
    for (int64_t i = 0; !others_allowed && i < dlviz_safetensors_count(set); i++)
        if (!is_state(network, dlviz_safetensors_name(set, i)))
            return dlz_fail(DLVIZ_ERROR_FORMAT, "'%s' is not part of this network",
                            dlviz_safetensors_name(set, i));
    size_t count = (size_t)network->num_states;
    dlviz_tensor **tensors = dlz_alloc_array_zero(count, sizeof *tensors);
    if (!tensors)
        return dlz_fail_memory("the parameters of a file", count * sizeof *tensors);
    dlviz_status status = get_tensors(network, set, tensors);
    for (int i = 0; i < network->num_states; i++) {
        if (status == DLVIZ_OK && tensors[i])
            take_tensor(&network->states[i], tensors[i]);
        else if (status == DLVIZ_OK)
            *(int64_t *)network->states[i].value = 0;
        dlviz_tensor_destroy(tensors[i]);
    }
    dlz_free(tensors);
    return status;
}

dlviz_status dlviz_network_save(const dlviz_network *network, const char *path) {
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_REQUIRE(path);
    for (int i = 0; i < network->num_states; i++)
        DLZ_TRY(check_values(&network->states[i], network->states[i].value));
    dlviz_safetensors *set;
    DLZ_TRY(dlviz_safetensors_create(&set));
    dlviz_status status = dlz_network_add_states(network, set);
    if (status == DLVIZ_OK)
        status = dlviz_safetensors_set_metadata(set, "format", "pt");
    if (status == DLVIZ_OK)
        status = dlviz_safetensors_write(set, path);
    dlviz_safetensors_destroy(set);
    return status;
}

dlviz_status dlviz_network_load(dlviz_network *network, const char *path) {
    DLZ_TRY(dlz_require_built(network, __func__));
    DLZ_REQUIRE(path);
    dlviz_safetensors *set;
    DLZ_TRY(dlviz_safetensors_read(&set, path));
    dlviz_status status = dlz_network_take_states(network, set, false);
    dlviz_safetensors_destroy(set);
    return status == DLVIZ_OK ? DLVIZ_OK : dlz_fail_within(status, "%s", path);
}
