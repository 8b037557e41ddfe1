#include "tensor/settings.h"
#include "base/base.h"
#include "tensor/shape.h"

#include <math.h>
#include <string.h>

/* -- Kinds ---------------------------------------------------------------------------------------
 */

static json_t *write_integers(const int64_t *values, int count) {
    json_t *array = json_array();
    for (int i = 0; array && i < count; i++)
        if (json_array_append_new(array, json_integer(values[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    return array;
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

static json_t *write_integer(const void *field) {
    return json_integer(*(const int64_t *)field);
}

static bool read_integer(const json_t *value, void *field) {
    *(int64_t *)field = json_integer_value(value);
    return json_is_integer(value);
}

static bool is_one(const void *field) {
    return *(const int64_t *)field == 1;
}

static bool read_number_of(const json_t *value, void *field) {
    *(int64_t *)field = 1;
    return !value || read_integer(value, field);
}

static json_t *write_pair(const void *field) {
    return write_integers(field, 2);
}

static bool read_pair(const json_t *value, void *field) {
    return read_integers(value, field, 2);
}

static json_t *write_shape(const void *field) {
    const dlz_shape *shape = field;
    return write_integers(shape->dims, shape->ndim);
}

static bool read_shape(const json_t *value, void *field) {
    dlz_shape *shape = field;
    shape->ndim = (int)json_array_size(value);
    return (shape->ndim == 1 || shape->ndim == 3) &&
           read_integers(value, shape->dims, (size_t)shape->ndim);
}

static json_t *write_real(const void *field) {
    double value = *(const double *)field;
    /* JSON has no infinity. */
    return isinf(value) ? json_string(value < 0 ? "-inf" : "inf") : json_real(value);
}

static bool read_real(const json_t *value, void *field) {
    const char *text = json_string_value(value);
    double sign = text && *text == '-' ? -1 : 1;
    *(double *)field = text ? sign * INFINITY : json_number_value(value);
    return json_is_number(value) || (text && strcmp(text + (sign < 0), "inf") == 0);
}

static json_t *write_reals(const void *field) {
    const dlz_reals *reals = field;
    json_t *array = json_array();
    for (int64_t i = 0; array && i < reals->count; i++)
        if (json_array_append_new(array, write_real(&reals->values[i])) != 0) {
            json_decref(array);
            array = NULL;
        }
    return array;
}

static bool read_reals(const json_t *value, void *field) {
    dlz_reals *reals = field;
    size_t count = json_array_size(value);
    double *values = count > 0 ? dlz_alloc_array_zero(count, sizeof *values) : NULL;
    bool whole = json_is_array(value) && (values || count == 0);
    for (size_t i = 0; whole && i < count; i++)
        whole = read_real(json_array_get(value, i), &values[i]);
    if (!whole) {
        dlz_free(values);
        return false;
    }
    dlz_free(reals->values);
    *reals = (dlz_reals){(int64_t)count, values};
    return true;
}

static json_t *write_bool(const void *field) {
    return json_boolean(*(const bool *)field);
}

static bool read_bool(const json_t *value, void *field) {
    *(bool *)field = json_is_true(value);
    return json_is_boolean(value);
}

/* How a kind is stored: `write` gives NULL when out of memory, `read` false for what is malformed or,
 * with a value of NULL, missing. */
typedef struct storage {
    json_t *(*write)(const void *field);
    bool (*read)(const json_t *value, void *field);
    bool (*is_left_out)(const void *field); /* optional */
} storage;

static const storage kinds[] = {
    [DLZ_SETTING_INTEGER] = {write_integer, read_integer, NULL},
    [DLZ_SETTING_NUMBER_OF] = {write_integer, read_number_of, is_one},
    [DLZ_SETTING_PAIR] = {write_pair, read_pair, NULL},
    [DLZ_SETTING_SHAPE] = {write_shape, read_shape, NULL},
    [DLZ_SETTING_REAL] = {write_real, read_real, NULL},
    [DLZ_SETTING_REALS] = {write_reals, read_reals, NULL},
    [DLZ_SETTING_BOOL] = {write_bool, read_bool, NULL},
};

/* -- Tables of settings --------------------------------------------------------------------------
 */

json_t *dlz_settings_write(const dlz_setting *setting, const void *owner) {
    json_t *object = json_object();
    for (; object && setting && setting->name; setting++) {
        const char *field = (const char *)owner + setting->offset;
        const storage *kind = &kinds[setting->kind];
        if (kind->is_left_out && kind->is_left_out(field))
            continue;
        if (json_object_set_new(object, setting->name, kind->write(field)) != 0) {
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

dlviz_status dlz_settings_read(const dlz_setting *setting, const char *who, const json_t *object,
                               void *owner) {
    for (; setting && setting->name; setting++)
        if (!kinds[setting->kind].read(json_object_get(object, setting->name),
                                       (char *)owner + setting->offset))
            return dlz_fail(DLVIZ_ERROR_FORMAT, "%s: the setting '%s' is missing or malformed", who,
                            setting->name);
    return DLVIZ_OK;
}

/* -- Checks --------------------------------------------------------------------------------------
 */

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
