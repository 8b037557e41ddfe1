/* A layer that is the user's own: the table of functions, and what the graph asks of a layer. */
#include "layers/custom.h"
#include "base/base.h"
#include "base/cancel.h"

#include <string.h>

/* The table of the first version: its last member and all before. */
#define FIRST_SIZE (offsetof(dlviz_layer_functions, destroy) + sizeof(void (*)(void *)))
/* Beyond any version there will be. */
#define LARGEST_SIZE 4096

static void destroy(dlviz_layer *layer) {
    dlz_custom *custom = (dlz_custom *)layer;
    DLZ_NOT_CANCELLED;
    if (custom->functions.destroy)
        custom->functions.destroy(custom->user);
    dlz_custom_forget_setup(custom);
    dlz_free((void *)custom->functions.name);
}

static dlviz_status infer(dlviz_layer *layer, int num_inputs, const dlz_shape *in, dlz_shape *out) {
    dlz_custom *custom = (dlz_custom *)layer;
    DLZ_TRY(dlz_custom_set_up(custom, num_inputs, in));
    *out = custom->out;
    return DLVIZ_OK;
}

static int states(const dlviz_layer *layer, const dlz_shape *in,
                  dlz_state_spec specs[DLZ_MAX_STATES]) {
    (void)in;
    const dlz_custom *custom = (const dlz_custom *)layer;
    memcpy(specs, custom->states, sizeof custom->states);
    return custom->num_states;
}

static const dlz_setting settings[] = {
    {"custom", DLZ_SETTING_BOOL, offsetof(dlz_custom, is_custom), false},
    {0},
};

static const dlz_layer_type common_type = {
    .name = "custom",
    .is_users = true,
    .size = sizeof(dlz_custom),
    .settings = settings,
    .infer = infer,
    .states = states,
    .op = &dlz_custom_op_type,
    .destroy = destroy,
};

/* -- The table ------------------------------------------------------------------------------------
 */

static dlviz_status check_size(const dlviz_layer_functions *functions) {
    if (!functions)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "'functions' is NULL");
    if (functions->struct_size < FIRST_SIZE || functions->struct_size > LARGEST_SIZE)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "struct_size is %zu; sizeof(dlviz_layer_functions), %zu, is accepted",
                        functions->struct_size, sizeof *functions);
    return DLVIZ_OK;
}

static dlviz_status check_unknown(const dlviz_layer_functions *functions) {
    const unsigned char *bytes = (const unsigned char *)functions;
    for (size_t i = sizeof *functions; i < functions->struct_size; i++)
        if (bytes[i] != 0)
            return dlz_fail(
                DLVIZ_ERROR_INVALID_ARGUMENT,
                "the table has %zu bytes and uses what comes after the first %zu, which "
                "this version of the library does not know",
                functions->struct_size, sizeof *functions);
    return DLVIZ_OK;
}

static dlviz_status check_members(const dlviz_layer_functions *functions) {
    if (!functions->name || !*functions->name || !dlz_is_utf8(functions->name))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "name is %s%s%s; UTF-8, not empty, is accepted", functions->name ? "'" : "",
                        functions->name ? functions->name : "NULL", functions->name ? "'" : "");
    if (functions->min_inputs < 0 || functions->max_inputs < 0 ||
        (functions->max_inputs > 0 && functions->max_inputs < functions->min_inputs))
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                        "'%s' has min_inputs %d and max_inputs %d; 0 or more are accepted, and "
                        "max_inputs 0 or not below min_inputs",
                        functions->name, functions->min_inputs, functions->max_inputs);
    if (!functions->forward)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "'%s' has no forward", functions->name);
    return DLVIZ_OK;
}

/* Takes the table; its name is copied last, so that there is none to free when this fails. */
static dlviz_status take(dlz_custom *custom, const dlviz_layer_functions *functions) {
    DLZ_TRY(check_size(functions));
    size_t known =
        functions->struct_size < sizeof *functions ? functions->struct_size : sizeof *functions;
    memcpy(&custom->functions, functions, known);
    custom->functions.name = NULL;
    DLZ_TRY(check_unknown(functions));
    DLZ_TRY(check_members(functions));
    custom->type.min_inputs = functions->min_inputs;
    custom->type.max_inputs = functions->max_inputs;
    char *name = dlz_strdup(functions->name);
    if (!name)
        return dlz_fail_memory("a layer's name", strlen(functions->name) + 1);
    custom->functions.name = custom->type.name = name;
    return DLVIZ_OK;
}

dlviz_layer *dlviz_layer_custom(const dlviz_layer_functions *functions, void *user) {
    DLZ_NOT_CANCELLED;
    dlviz_layer *layer = dlz_layer_create(&common_type);
    if (!layer) {
        if (check_size(functions) == DLVIZ_OK && functions->destroy)
            functions->destroy(user);
        dlz_fail_memory("a layer", sizeof(dlz_custom));
        return NULL;
    }
    dlz_custom *custom = (dlz_custom *)layer;
    custom->type = common_type;
    layer->type = &custom->type;
    custom->user = user;
    custom->is_custom = true;
    dlviz_status status = take(custom, functions);
    if (status != DLVIZ_OK)
        dlz_layer_remember(layer, dlz_fail_within(status, "%s", __func__));
    return layer;
}
