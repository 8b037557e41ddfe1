/* Text that users give: checked once, here, so that drawing can trust it. */
#include "plot/figure.h"
#include "base/base.h"

#include <string.h>

enum { LONGEST_TEXT = 4095 };

/* U+0080 to U+009F are control characters too; their last byte in UTF-8 is their number. */
static bool is_control(const char *text, size_t length) {
    unsigned char first = (unsigned char)text[0];
    if (length == 1)
        return (first < 0x20 && first != '\n') || first == 0x7F;
    return length == 2 && first == 0xC2 && (unsigned char)text[1] < 0xA0;
}

dlviz_status dlz_check_text(const char *who, const char *name, const char *text) {
    if (!text)
        return DLVIZ_OK;
    size_t at = 0;
    while (text[at]) {
        size_t length = dlz_utf8_size(text + at, SIZE_MAX);
        if (length == 0)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: '%s' is not valid UTF-8 at byte %zu (0x%02x)", who, name, at,
                            (unsigned char)text[at]);
        if (is_control(text + at, length))
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT,
                            "%s: '%s' has the control character 0x%02x at byte %zu", who, name,
                            (unsigned char)text[at + length - 1], at);
        at += length;
        if (at > LONGEST_TEXT)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is longer than %d bytes", who,
                            name, LONGEST_TEXT);
    }
    return DLVIZ_OK;
}

dlviz_status dlz_set_text(const char *who, const char *name, char **slot, const char *text) {
    DLZ_TRY(dlz_check_text(who, name, text));
    char *copy = NULL;
    if (text && *text && !(copy = dlz_strdup(text)))
        return dlz_fail_memory(name, strlen(text) + 1);
    dlz_free(*slot);
    *slot = copy;
    return DLVIZ_OK;
}

static void free_names(char **items, int count) {
    for (int i = 0; i < count; i++)
        dlz_free(items[i]);
    dlz_free(items);
}

dlviz_status dlz_set_names(const char *who, const char *name, dlz_names *slot, int count,
                           const char *const *items) {
    char **copies = NULL;
    if (count > 0) {
        if (!items)
            return dlz_fail(DLVIZ_ERROR_INVALID_ARGUMENT, "%s: '%s' is NULL", who, name);
        if (!(copies = dlz_alloc_array_zero((uint64_t)count, sizeof *copies)))
            return dlz_fail_memory(name, (uint64_t)count * sizeof *copies);
    }
    for (int i = 0; i < count; i++) {
        const char *text = items[i] ? items[i] : "";
        dlviz_status status = dlz_check_text(who, name, text);
        if (status == DLVIZ_OK && !(copies[i] = dlz_strdup(text)))
            status = dlz_fail_memory(name, strlen(text) + 1);
        if (status != DLVIZ_OK) {
            free_names(copies, count);
            return dlz_fail_within(status, "entry %d", i);
        }
    }
    free_names(slot->items, slot->count);
    *slot = (dlz_names){copies, count};
    return DLVIZ_OK;
}
