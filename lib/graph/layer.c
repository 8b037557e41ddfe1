/* What all layers share: making, checking and describing them. */
#include "graph/layer.h"
#include "base/base.h"
#include "tensor/tensor.h"

#include <stdio.h>
#include <string.h>

int64_t dlz_shape_size(const dlz_shape *shape) {
    int64_t size = 1;
    for (int i = 0; i < shape->ndim; i++)
        size *= shape->dims[i];
    return size;
}

bool dlz_shapes_equal(const dlz_shape *a, const dlz_shape *b) {
    return a->ndim == b->ndim && memcmp(a->dims, b->dims, (size_t)a->ndim * sizeof *a->dims) == 0;
}

dlviz_layer *dlz_layer_create(const dlz_layer_type *type) {
    dlviz_layer *layer = dlz_alloc_zero(type->size);
    if (!layer) {
        dlz_fail_memory(type->name, type->size);
        return NULL;
    }
    layer->type = type;
    return layer;
}

void dlviz_layer_destroy(dlviz_layer *layer) {
    if (!layer || layer->owned)
        return;
    if (layer->type->destroy)
        layer->type->destroy(layer);
    dlz_free(layer);
}

dlviz_status dlz_layer_remember(dlviz_layer *layer, dlviz_status status) {
    if (status != DLVIZ_OK && layer && layer->error == DLVIZ_OK) {
        layer->error = status;
        snprintf(layer->message, sizeof layer->message, "%s", dlviz_last_error());
    }
    return status;
}

static dlviz_status check(const dlviz_layer *layer) {
    return layer->type->check ? layer->type->check(layer) : DLVIZ_OK;
}

dlviz_layer *dlz_layer_checked(dlviz_layer *layer) {
    dlviz_status status = layer ? check(layer) : DLVIZ_OK;
    if (status != DLVIZ_OK)
        dlz_layer_remember(layer, dlz_fail_within(status, "dlviz_%s", layer->type->name));
    return layer;
}

dlviz_status dlz_layer_require(const char *who, const dlviz_layer *layer,
                               const dlz_layer_type *type) {
    if (!layer)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: 'layer' is NULL", who);
    if (layer->built)
        return dlz_fail(DLVIZ_ERROR_STATE, "%s: the layer's network is built; settings come before",
                        who);
    if (layer->type != type)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: the layer is a %s, needs a %s", who,
                        layer->type->name, type->name);
    return DLVIZ_OK;
}

/* The widest setting. */
#define LARGEST_SETTING sizeof(dlz_shape)

dlviz_status dlz_layer_set(const char *who, dlviz_layer *layer, const dlz_layer_type *type,
                           size_t offset, const void *value, size_t size) {
    dlviz_status status = dlz_layer_require(who, layer, type);
    if (status != DLVIZ_OK)
        return layer && !layer->built ? dlz_layer_remember(layer, status) : status;
    char before[LARGEST_SETTING];
    memcpy(before, (char *)layer + offset, size);
    memcpy((char *)layer + offset, value, size);
    status = check(layer);
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    memcpy((char *)layer + offset, before, size);
    /* What was wrong before is not this call's fault. */
    if (layer->error != DLVIZ_OK)
        return dlz_fail(layer->error, "%s", layer->message);
    return dlz_layer_remember(layer, dlz_fail_within(status, "%s", who));
}

const void *dlz_layer_as(const dlviz_layer *layer, const dlz_layer_type *type) {
    return layer && layer->type == type ? layer : NULL;
}

void dlz_layer_give_pair(const int64_t pair[2], int64_t *first, int64_t *second) {
    if (first)
        *first = pair ? pair[0] : 0;
    if (second)
        *second = pair ? pair[1] : 0;
}

/* -- Settings in files --------------------------------------------------------------------------
 */

static json_t *integers(const int64_t *values, int count) {
    json_t *array = json_array();
    for (int i = 0; array && i < count; i++)
        if (json_array_append_new(array, json_integer(values[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    return array;
}

static json_t *write_setting(const dlz_setting *setting, const void *field) {
    const dlz_shape *shape = field;
    switch (setting->kind) {
    case DLZ_SETTING_INTEGER:
    case DLZ_SETTING_NUMBER_OF:
        return json_integer(*(const int64_t *)field);
    case DLZ_SETTING_PAIR:
        return integers(field, 2);
    case DLZ_SETTING_SHAPE:
        return integers(shape->dims, shape->ndim);
    case DLZ_SETTING_REAL:
        return json_real(*(const double *)field);
    case DLZ_SETTING_BOOL:
        return json_boolean(*(const bool *)field);
    }
    return NULL;
}

static bool is_usual(const dlz_setting *setting, const void *field) {
    return setting->kind == DLZ_SETTING_NUMBER_OF && *(const int64_t *)field == 1;
}

json_t *dlz_settings_write(const dlz_setting *setting, const void *owner) {
    json_t *object = json_object();
    for (; object && setting && setting->name; setting++) {
        const char *field = (const char *)owner + setting->offset;
        if (!is_usual(setting, field) &&
            json_object_set_new(object, setting->name, write_setting(setting, field)) != 0) {
            json_decref(object);
            object = NULL;
        }
    }
    return object;
}

json_t *dlz_settings_write_typed(const char *type, const dlz_setting *settings, const void *owner) {
    json_t *object = json_pack("{s:s}", "type", type),
           *others = dlz_settings_write(settings, owner);
    if (!others || json_object_update(object, others) != 0) {
        json_decref(object);
        object = NULL;
    }
    json_decref(others);
    return object;
}

json_t *dlz_layer_settings(const dlviz_layer *layer) {
    return dlz_settings_write(layer->type->settings, layer);
}

static bool read_integers(const json_t *array, int64_t *values, size_t count) {
    if (json_array_size(array) != count)
        return false;
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(array, i);
        if (!json_is_integer(value))
            return false;
        values[i] = json_integer_value(value);
    }
    return true;
}

static bool read_setting(const dlz_setting *setting, const json_t *value, void *field) {
    dlz_shape *shape = field;
    if (!value && setting->kind == DLZ_SETTING_NUMBER_OF) {
        *(int64_t *)field = 1;
        return true;
    }
    switch (setting->kind) {
    case DLZ_SETTING_INTEGER:
    case DLZ_SETTING_NUMBER_OF:
        *(int64_t *)field = json_integer_value(value);
        return json_is_integer(value);
    case DLZ_SETTING_PAIR:
        return read_integers(value, field, 2);
    case DLZ_SETTING_SHAPE:
        shape->ndim = (int)json_array_size(value);
        return (shape->ndim == 1 || shape->ndim == 3) &&
               read_integers(value, shape->dims, (size_t)shape->ndim);
    case DLZ_SETTING_REAL:
        *(double *)field = json_number_value(value);
        return json_is_number(value);
    case DLZ_SETTING_BOOL:
        *(bool *)field = json_is_true(value);
        return json_is_boolean(value);
    }
    return false;
}

dlviz_status dlz_settings_read(const char *what, const dlz_setting *setting, const json_t *object,
                               void *owner) {
    for (; setting && setting->name; setting++)
        if (!read_setting(setting, json_object_get(object, setting->name),
                          (char *)owner + setting->offset))
            return dlz_fail(DLVIZ_ERROR_FORMAT, "%s: the setting '%s' is missing or malformed",
                            what, setting->name);
    return DLVIZ_OK;
}

dlviz_status dlz_layer_open(dlviz_layer **out, const dlz_layer_type *type, const json_t *settings) {
    *out = NULL;
    dlviz_layer *layer = dlz_layer_create(type);
    if (!layer)
        return DLVIZ_ERROR_OUT_OF_MEMORY;
    dlviz_status status = dlz_settings_read(type->name, type->settings, settings, layer);
    if (status == DLVIZ_OK && check(layer) != DLVIZ_OK)
        status = dlz_fail_within(DLVIZ_ERROR_FORMAT, "%s", type->name);
    if (status == DLVIZ_OK)
        *out = layer;
    else
        dlviz_layer_destroy(layer);
    return status;
}

/* -- For layers' files --------------------------------------------------------------------------
 */

dlviz_status dlz_infer_same(dlviz_layer *layer, int num_inputs, const dlz_shape *in,
                            dlz_shape *out) {
    (void)layer;
    (void)num_inputs;
    *out = *in;
    return DLVIZ_OK;
}

dlz_constant dlz_hand_on_as_is(const dlviz_layer *layer, dlz_constant constant) {
    (void)layer;
    return constant;
}

dlviz_status dlz_require_image(const dlz_shape *in) {
    if (in->ndim != 3)
        return dlz_fail(DLVIZ_ERROR_SHAPE,
                        "input has %d dimension%s, needs 3 (channels, height, width): put a "
                        "reshape layer in front",
                        in->ndim, in->ndim == 1 ? "" : "s");
    return DLVIZ_OK;
}

dlviz_status dlz_fail_shapes(const char *needed, const dlz_shape *first, int i,
                             const dlz_shape *other) {
    char a[DLZ_SHAPE_TEXT_SIZE], b[DLZ_SHAPE_TEXT_SIZE];
    return dlz_fail(DLVIZ_ERROR_SHAPE, "input 0 is %s and input %d is %s: %s",
                    dlz_shape_text(a, first->ndim, first->dims), i,
                    dlz_shape_text(b, other->ndim, other->dims), needed);
}

dlviz_status dlz_require_equal_shapes(const dlz_shape *first, int i, const dlz_shape *other) {
    return dlz_shapes_equal(first, other)
               ? DLVIZ_OK
               : dlz_fail_shapes("all must have one shape", first, i, other);
}

dlviz_status dlz_check_pair(const char *what, const int64_t pair[2], int64_t least, int64_t most) {
    for (int axis = 0; axis < 2; axis++)
        if (pair[axis] < least || pair[axis] > most)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s is %lld x %lld (height x width); %lld to %lld are accepted", what,
                            (long long)pair[0], (long long)pair[1], (long long)least,
                            (long long)most);
    return DLVIZ_OK;
}

dlviz_status dlz_check_integer(const char *what, int64_t value, int64_t least, int64_t most) {
    if (value < least || value > most)
        return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s is %lld; %lld to %lld are accepted", what,
                        (long long)value, (long long)least, (long long)most);
    return DLVIZ_OK;
}

int64_t dlz_window_count(int64_t size, int64_t kernel, int64_t stride, int64_t padding,
                         int64_t dilation) {
    int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}
