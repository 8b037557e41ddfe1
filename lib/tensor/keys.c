#include "tensor/keys.h"
#include "base/base.h"

#include <stdio.h>
#include <string.h>

typedef struct listing {
    char text[500];
    size_t length;
    int count;
} listing;

static void list(listing *all, const char *name) {
    size_t room = sizeof all->text - all->length;
    int length =
        snprintf(all->text + all->length, room, "%s'%s'", all->count > 0 ? ", " : "", name);
    if (length > 0 && (size_t)length < room) {
        all->length += (size_t)length;
        all->count++;
    }
}

static dlviz_status fail_unknown(const char *key, const dlz_setting *settings,
                                 const char *const *others) {
    listing accepted = {.count = 0};
    for (; others && *others; others++)
        list(&accepted, *others);
    for (; settings && settings->name; settings++)
        list(&accepted, settings->name);
    return accepted.count > 0
               ? dlz_fail(DLVIZ_ERROR_FORMAT, "the key '%s' is unknown; %s %s accepted", key,
                          accepted.text, accepted.count > 1 ? "are" : "is")
               : dlz_fail(DLVIZ_ERROR_FORMAT, "the key '%s' is unknown; none is accepted", key);
}

static bool is_known(const char *key, const dlz_setting *settings, const char *const *others) {
    for (; others && *others; others++)
        if (strcmp(key, *others) == 0)
            return true;
    for (; settings && settings->name; settings++)
        if (strcmp(key, settings->name) == 0)
            return true;
    return false;
}

dlviz_status dlz_check_keys(const json_t *object, const dlz_setting *settings,
                            const char *const *others) {
    if (object && !json_is_object(object))
        return dlz_fail(DLVIZ_ERROR_FORMAT, "what has its keys is no JSON object");
    const char *key;
    const json_t *value;
    json_object_foreach((json_t *)(uintptr_t)object, key, value) {
        (void)value;
        if (!is_known(key, settings, others))
            return fail_unknown(key, settings, others);
    }
    return DLVIZ_OK;
}
