#include "report/values.h"
#include "report/encode.h"

#include <math.h>
#include <string.h>

dlviz_status dlz_value_text(const json_t *value, const char *what, const char **text) {
    *text = json_string_value(value);
    return *text ? DLVIZ_OK : dlz_fail(DLVIZ_ERROR_FORMAT, "its data have no text '%s'", what);
}

dlviz_status dlz_value_integer(const json_t *value, const char *what, int64_t least, int64_t most,
                               int64_t *number) {
    *number = json_integer_value(value);
    if (json_is_integer(value) && *number >= least && *number <= most)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_FORMAT,
                    "its data have no '%s' that is a whole number from %lld to %lld", what,
                    (long long)least, (long long)most);
}

dlviz_status dlz_value_real(const json_t *value, const char *what, double *number) {
    *number = json_is_number(value) ? json_number_value(value) : NAN;
    if (json_is_number(value) || json_is_null(value))
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_FORMAT, "its data have no number '%s'", what);
}

dlviz_status dlz_value_array(const json_t *value, const char *what, int64_t least, int64_t *count) {
    *count = (int64_t)json_array_size(value);
    if (json_is_array(value) && *count >= least)
        return DLVIZ_OK;
    return dlz_fail(DLVIZ_ERROR_FORMAT, "its data have no list '%s' with %lld entries or more",
                    what, (long long)least);
}

static uint32_t number_of(const uint8_t *bytes, int size) {
    uint32_t number = 0;
    for (int b = size; b-- > 0;)
        number = number << 8 | bytes[b];
    return number;
}

static void keep(void *block, int64_t i, int size, uint32_t number) {
    if (size == 1)
        ((uint8_t *)block)[i] = (uint8_t)number;
    else if (size == 2)
        ((uint16_t *)block)[i] = (uint16_t)number;
    else
        ((uint32_t *)block)[i] = number;
}

/* A class that is none has another number where classes take two bytes. */
static bool widen(const uint8_t *bytes, int64_t count, int written, int size, uint32_t limit,
                  uint32_t none, void *block) {
    uint32_t ending = written == 1 ? 255 : 65535;
    for (int64_t i = 0; i < count; i++) {
        uint32_t number = number_of(bytes + i * written, written);
        if (none && number == ending)
            number = none;
        else if (number >= limit)
            return false;
        keep(block, i, size, number);
    }
    return true;
}

/* What the text of so many numbers stands for; NULL with a sentence. */
static uint8_t *decode(const json_t *value, const char *what, int64_t count, int written) {
    const char *text = json_string_value(value);
    size_t length = text ? json_string_length(value) : 0, size;
    if (!text || dlz_mul_overflows((uint64_t)count, (uint64_t)written, &size) || size > length ||
        length != dlz_encoded_size(size)) {
        dlz_fail(DLVIZ_ERROR_FORMAT, "its data have no '%s' of %lld numbers", what,
                 (long long)count);
        return NULL;
    }
    uint8_t *bytes = dlz_alloc(size);
    if (!bytes) {
        dlz_fail_memory("a page's data", size);
    } else if (!dlz_decode_bytes(text, length, bytes, size)) {
        dlz_fail(DLVIZ_ERROR_FORMAT, "its '%s' is not base64", what);
        dlz_free(bytes);
        bytes = NULL;
    }
    return bytes;
}

void *dlz_value_numbers(const json_t *value, const char *what, int64_t count, int written, int size,
                        uint32_t limit, uint32_t none) {
    uint8_t *bytes = decode(value, what, count, written);
    if (!bytes)
        return NULL;
    void *made = dlz_alloc_array((uint64_t)count, (uint64_t)size);
    if (!made) {
        dlz_fail_memory("a page's data", (uint64_t)count * (uint64_t)size);
    } else if (!widen(bytes, count, written, size, limit, none, made)) {
        dlz_fail(DLVIZ_ERROR_FORMAT, "its '%s' has a number of %u or more", what, limit);
        dlz_free(made);
        made = NULL;
    }
    dlz_free(bytes);
    return made;
}
