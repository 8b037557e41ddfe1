/* Losses in files: name and settings as JSON. */
#include "base/base.h"
#include "losses/losses_list.h"
#include "tensor/keys.h"

#include <string.h>

static bool add_weights(json_t *object, const dlviz_loss *loss) {
    json_t *array = json_array();
    for (int64_t i = 0; array && i < loss->num_weights; i++)
        if (json_array_append_new(array, json_real(loss->weights[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    return json_object_set_new(object, loss->type->weights, array) == 0;
}

/* What is known of a loss of the user's own. */
static bool add_names(json_t *object, const dlviz_loss *loss) {
    json_t *metrics = json_array();
    for (int i = 0; metrics && i < dlz_loss_num_metrics(loss); i++)
        if (json_array_append_new(metrics, json_string(dlviz_loss_metric_name(loss, i))) != 0) {
            json_decref(metrics);
            metrics = NULL;
        }
    bool whole = json_object_set_new(object, "metrics", metrics) == 0;
    return whole && json_object_set_new(object, "name", json_string(loss->name)) == 0;
}

json_t *dlz_loss_settings(const dlviz_loss *loss) {
    json_t *object = dlz_settings_write(loss->type->settings, loss);
    bool whole = object && json_object_set_new(object, "type", json_string(loss->type->name)) == 0;
    if (loss->name != loss->type->name)
        whole = whole && add_names(object, loss);
    if (whole && (!loss->type->weights || add_weights(object, loss)))
        return object;
    json_decref(object);
    return NULL;
}

static const dlz_loss_type *type_named(const char *name) {
    static const dlz_loss_type *const types[] = {DLZ_LOSS_TYPES};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcmp(types[i]->name, name) == 0)
            return types[i];
    return NULL;
}

static dlviz_status read_weights(dlviz_loss *loss, const json_t *array) {
    size_t count = json_array_size(array);
    if (!json_is_array(array))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "loss %s: '%s' is missing or malformed",
                        loss->type->name, loss->type->weights);
    if (count == 0)
        return DLVIZ_OK;
    double *weights = dlz_alloc_array(count, sizeof *weights);
    if (!weights)
        return dlz_fail_memory("a loss's weights", count * sizeof *weights);
    bool valid = true;
    for (size_t i = 0; i < count; i++) {
        valid = valid && json_is_number(json_array_get(array, i));
        weights[i] = json_number_value(json_array_get(array, i));
    }
    dlviz_status status =
        valid ? dlz_loss_set_weights(loss->type->name, loss, loss->type, (int64_t)count, weights)
              : dlz_fail(DLVIZ_ERROR_FORMAT, "loss %s: '%s' holds what is no number",
                         loss->type->name, loss->type->weights);
    dlz_free(weights);
    return status;
}

static dlviz_status read(dlviz_loss *loss, const json_t *settings) {
    const dlz_loss_type *type = loss->type;
    const char *const others[] = {"type", type->weights, NULL};
    dlviz_status status = dlz_check_keys(settings, type->settings, others);
    if (status != DLVIZ_OK)
        return dlz_fail_within(status, "loss %s", type->name);
    DLZ_TRY(dlz_settings_read(type->settings, type->name, settings, loss));
    if (type->check && type->check(loss) != DLVIZ_OK)
        return dlz_fail_within(DLVIZ_ERROR_FORMAT, "loss %s", type->name);
    return type->weights ? read_weights(loss, json_object_get(settings, type->weights)) : DLVIZ_OK;
}

dlviz_status dlz_loss_open(dlviz_loss **out, const json_t *settings) {
    *out = NULL;
    const char *type_name = json_string_value(json_object_get(settings, "type"));
    const char *name = json_string_value(json_object_get(settings, "name"));
    if (!type_name)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "the loss's 'type' is missing or malformed");
    static const char *const of_a_program[] = {"type", "name", "metrics", NULL};
    const dlz_loss_type *type = type_named(type_name);
    bool own = strcmp(type_name, "custom") == 0 && name && *name;
    if (!type && !own)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "the loss is '%s', which this library does not know",
                        type_name);
    if (!type && dlz_check_keys(settings, NULL, of_a_program) != DLVIZ_OK)
        return dlz_fail_within(DLVIZ_ERROR_FORMAT, "loss %s", name);
    dlviz_loss *loss = type ? dlz_loss_create(type) : dlz_loss_absent(name);
    dlviz_status status = loss ? DLVIZ_OK : DLVIZ_ERROR_OUT_OF_MEMORY;
    if (loss && type)
        status = read(loss, settings);
    if (status == DLVIZ_OK)
        *out = loss;
    else
        dlviz_loss_destroy(loss);
    return status;
}
