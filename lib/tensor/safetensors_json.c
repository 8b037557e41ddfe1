/* Metadata that is JSON: settings, kept in a file as text and compared with those at hand. */
#include "base/base.h"
#include "base/cancel.h"
#include "base/json.h"
#include "base/locale.h"
#include "tensor/safetensors.h"

#include <stdio.h>
#include <string.h>

enum { VALUE_SIZE = 100 };

char *dlz_json_text(const json_t *value, size_t flags) {
    DLZ_IN_C_LOCALE;
    size_t size = value ? json_dumpb(value, NULL, 0, flags) : 0;
    char *text = size > 0 ? dlz_alloc(size + 1) : NULL;
    if (!text)
        return NULL;
    if (json_dumpb(value, text, size, flags) != size) {
        dlz_free(text);
        return NULL;
    }
    text[size] = '\0';
    return text;
}

dlviz_status dlz_safetensors_set_json(dlviz_safetensors *contents, const char *key, json_t *value) {
    /* Without room jansson has given no value, or gives no text. */
    char *text = dlz_json_text(value, JSON_COMPACT | JSON_REAL_PRECISION(17));
    json_decref(value);
    if (!text)
        return dlz_fail_memory(key, 0);
    dlviz_status status = dlviz_safetensors_set_metadata(contents, key, text);
    dlz_free(text);
    return status;
}

dlviz_status dlz_safetensors_get_json(const dlviz_safetensors *contents, const char *key,
                                      json_t **value) {
    DLZ_NOT_CANCELLED;
    *value = NULL;
    const char *text = dlviz_safetensors_metadata(contents, key);
    if (!text)
        return dlz_fail(DLVIZ_ERROR_FORMAT, "its metadata have no '%s'", key);
    dlz_json_fault fault;
    dlviz_status status = dlz_json_read(key, text, strlen(text), value, &fault);
    if (status == DLVIZ_ERROR_OUT_OF_MEMORY)
        return status;
    if (!json_is_object(*value)) {
        json_decref(*value);
        *value = NULL;
        return dlz_fail(DLVIZ_ERROR_FORMAT, "its metadata '%s' are not a JSON object%s%s", key,
                        status == DLVIZ_OK ? "" : ": ", fault.reason);
    }
    return DLVIZ_OK;
}

static const char *value_text(char text[VALUE_SIZE], const json_t *value, int digits) {
    if (!value)
        return "absent";
    if (json_is_string(value))
        return json_string_value(value);
    if (json_is_real(value))
        return dlz_number(text, json_real_value(value), digits);
    char *dumped = dlz_json_text(value, JSON_COMPACT | JSON_ENCODE_ANY);
    snprintf(text, VALUE_SIZE, "%s", dumped ? dumped : "another");
    dlz_free(dumped);
    return text;
}

static dlviz_status differs(const char *what, const char *name, const json_t *file,
                            const json_t *here) {
    char texts[2][VALUE_SIZE];
    const char *found = value_text(texts[0], file, 6), *wanted = value_text(texts[1], here, 6);
    if (strcmp(found, wanted) == 0) {
        found = value_text(texts[0], file, 17);
        wanted = value_text(texts[1], here, 17);
    }
    return dlz_fail(DLVIZ_ERROR_FORMAT, "%s: %s is %.100s in the file and %.100s here", what, name,
                    found, wanted);
}

/* Another program may have written 1 for 1.0. */
static bool is_same(const json_t *a, const json_t *b) {
    if (json_is_number(a) && json_is_number(b) && (json_is_real(a) || json_is_real(b)))
        return json_number_value(a) == json_number_value(b);
    return json_equal(a, b);
}

dlviz_status dlz_settings_compare(const char *what, json_t *file, json_t *here,
                                  const char *may_differ) {
    const char *name;
    json_t *value;
    json_object_foreach(here, name, value) {
        const json_t *found = json_object_get(file, name);
        if (!(may_differ && strcmp(name, may_differ) == 0) && !(found && is_same(found, value)))
            return differs(what, name, found, value);
    }
    json_object_foreach(file, name,
                        value) if (!(may_differ && strcmp(name, may_differ) == 0) &&
                                   !json_object_get(here, name)) return differs(what, name, value,
                                                                                NULL);
    return DLVIZ_OK;
}
