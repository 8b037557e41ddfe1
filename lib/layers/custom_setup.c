/* What a user's layer says of itself when its network is built. */
#include "base/base.h"
#include "layers/custom.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

struct dlviz_layer_setup {
    dlz_custom *custom;
    dlviz_status error; /* the first one, with its sentence */
    char message[DLZ_SENTENCE_SIZE];
};

void dlz_custom_forget_setup(dlz_custom *custom) {
    dlz_free(custom->in);
    custom->in = NULL;
    while (custom->num_states > 0)
        dlz_free((void *)custom->states[--custom->num_states].suffix);
}

dlviz_status dlz_custom_set_up(dlz_custom *custom, int num_inputs, const dlz_shape *in) {
    dlz_custom_forget_setup(custom);
    custom->in = dlz_alloc_array((uint64_t)num_inputs, sizeof *in);
    if (!custom->in)
        return dlz_fail_memory("a layer's shapes", (uint64_t)num_inputs * sizeof *in);
    memcpy(custom->in, in, (size_t)num_inputs * sizeof *in);
    custom->num_inputs = num_inputs;
    custom->out = in[0];
    if (!custom->functions.setup)
        return DLVIZ_OK;
    dlviz_layer_setup setup = {.custom = custom};
    uint64_t failures = dlz_num_failures();
    dlviz_status status = custom->functions.setup(&setup, custom->user);
    if (setup.error != DLVIZ_OK)
        return dlz_fail(setup.error, "setup: %s", setup.message);
    return dlz_user_result("setup", status, failures);
}

int64_t dlviz_layer_setup_num_inputs(const dlviz_layer_setup *setup) {
    return setup ? setup->custom->num_inputs : 0;
}

static const dlz_shape *input_shape(const dlviz_layer_setup *setup, int64_t input) {
    return input >= 0 && input < dlviz_layer_setup_num_inputs(setup) ? &setup->custom->in[input]
                                                                     : NULL;
}

int dlviz_layer_setup_input_ndim(const dlviz_layer_setup *setup, int64_t input) {
    const dlz_shape *shape = input_shape(setup, input);
    return shape ? shape->ndim : 0;
}

const int64_t *dlviz_layer_setup_input_dims(const dlviz_layer_setup *setup, int64_t input) {
    const dlz_shape *shape = input_shape(setup, input);
    return shape ? shape->dims : NULL;
}

/* Keeps the present last error as the build's, unless there is one. */
static dlviz_status keep(dlviz_layer_setup *setup, dlviz_status status) {
    if (status != DLVIZ_OK && setup && setup->error == DLVIZ_OK) {
        setup->error = status;
        snprintf(setup->message, sizeof setup->message, "%s", dlviz_last_error());
    }
    return status;
}

static dlviz_status check_dims(const char *who, int ndim, const int64_t *dims) {
    if (ndim > 0 && !dims)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'dims' is NULL", who);
    for (int i = 0; i < ndim; i++)
        if (dims[i] < 1)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: dimension %d is %lld; 1 or more is accepted", who, i,
                            (long long)dims[i]);
    return DLVIZ_OK;
}

static dlviz_status set_output(dlviz_layer_setup *setup, const char *who, int ndim,
                               const int64_t *dims) {
    if (!setup)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'setup' is NULL", who);
    if (ndim != 1 && ndim != 3)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: %d dimensions; 3 (channels, height, width) or 1 are accepted", who,
                        ndim);
    DLZ_TRY(check_dims(who, ndim, dims));
    setup->custom->out = (dlz_shape){.ndim = ndim};
    memcpy(setup->custom->out.dims, dims, (size_t)ndim * sizeof *dims);
    return DLVIZ_OK;
}

dlviz_status dlviz_layer_setup_set_output(dlviz_layer_setup *setup, int ndim, const int64_t *dims) {
    return keep(setup, set_output(setup, __func__, ndim, dims));
}

/* -- State ----------------------------------------------------------------------------------------
 */

static dlviz_status check_state(const dlz_custom *custom, const char *who, const char *name,
                                const dlz_state_spec *spec) {
    if (!name || !*name || strchr(name, '.') || !dlz_is_utf8(name))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: 'name' is '%s'; UTF-8, not empty, without '.', is accepted", who,
                        name ? name : "NULL");
    for (int i = 0; i < custom->num_states; i++)
        if (strcmp(custom->states[i].suffix, name) == 0)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: there is a '%s' already; names are unique", who, name);
    if (custom->num_states == DLZ_MAX_STATES)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: '%s' is number %d; a layer has %d parameters and buffers at most", who,
                        name, DLZ_MAX_STATES + 1, DLZ_MAX_STATES);
    if (!isfinite((float)spec->middle) || !(spec->bound >= 0 && isfinite((float)spec->bound)))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "%s: '%s' starts at %g, give or take %g; finite numbers are accepted, the "
                        "second 0 or more",
                        who, name, spec->middle, spec->bound);
    return DLVIZ_OK;
}

static dlviz_status add_state(dlviz_layer_setup *setup, const char *who, const char *name, int ndim,
                              const int64_t *dims, dlz_state_spec spec) {
    if (!setup)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'setup' is NULL", who);
    const int most = sizeof spec.dims / sizeof *spec.dims;
    if (ndim < 0 || ndim > most)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: %d dimensions; 0 to %d are accepted",
                        who, ndim, most);
    DLZ_TRY(check_dims(who, ndim, dims));
    dlz_custom *custom = setup->custom;
    DLZ_TRY(check_state(custom, who, name, &spec));
    spec.suffix = dlz_strdup(name);
    if (!spec.suffix)
        return dlz_fail_memory("a parameter's name", strlen(name) + 1);
    spec.ndim = ndim;
    if (ndim > 0)
        memcpy(spec.dims, dims, (size_t)ndim * sizeof *dims);
    spec.initial = DLZ_INITIAL_AROUND;
    custom->states[custom->num_states++] = spec;
    return DLVIZ_OK;
}

dlviz_status dlviz_layer_setup_add_parameter(dlviz_layer_setup *setup, const char *name, int ndim,
                                             const int64_t *dims, double value, double bound) {
    dlz_state_spec spec = {.trainable = true, .middle = value, .bound = bound};
    return keep(setup, add_state(setup, __func__, name, ndim, dims, spec));
}

dlviz_status dlviz_layer_setup_add_buffer(dlviz_layer_setup *setup, const char *name, int ndim,
                                          const int64_t *dims, double value) {
    return keep(setup,
                add_state(setup, __func__, name, ndim, dims, (dlz_state_spec){.middle = value}));
}
