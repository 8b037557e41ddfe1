/* Bytes that grow. */
#include "plot/bytes.h"
#include "base/base.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

unsigned char *dlz_bytes_reserve(dlz_bytes *bytes, size_t more) {
    if (bytes->out_of_memory)
        return NULL;
    if (more > bytes->capacity - bytes->size) {
        bool fits = more <= SIZE_MAX / 2 - bytes->size;
        size_t capacity = fits ? 2 * (bytes->size + more) : 0;
        unsigned char *grown = fits ? dlz_realloc_array(bytes->data, capacity, 1) : NULL;
        if (!grown) {
            bytes->out_of_memory = true;
            return NULL;
        }
        bytes->data = grown;
        bytes->capacity = capacity;
    }
    return bytes->data + bytes->size;
}

void dlz_bytes_add(dlz_bytes *bytes, const void *data, size_t length) {
    unsigned char *to = length > 0 ? dlz_bytes_reserve(bytes, length) : NULL;
    if (!to)
        return;
    memcpy(to, data, length);
    bytes->size += length;
}

void dlz_bytes_add_text(dlz_bytes *bytes, const char *text) {
    dlz_bytes_add(bytes, text, strlen(text));
}

void dlz_bytes_add_number(dlz_bytes *bytes, double value, int decimals) {
    static const int powers[] = {1, 10, 100, 1000, 10000};
    int64_t scaled = llround(value * powers[decimals]);
    while (decimals > 0 && scaled % 10 == 0) {
        scaled /= 10;
        decimals--;
    }
    char text[24];
    size_t at = sizeof text;
    int64_t rest = scaled < 0 ? -scaled : scaled;
    for (int place = 0; place <= decimals || rest > 0; place++) {
        if (place == decimals && decimals > 0)
            text[--at] = '.';
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    }
    if (scaled < 0)
        text[--at] = '-';
    dlz_bytes_add(bytes, text + at, sizeof text - at);
}

void dlz_bytes_add_xml(dlz_bytes *bytes, const char *text, size_t length) {
    size_t from = 0;
    for (size_t at = 0; at < length; at++) {
        const char *instead = NULL;
        size_t taken = 1;
        unsigned char byte = (unsigned char)text[at];
        if (byte == '&')
            instead = "&amp;";
        else if (byte == '<')
            instead = "&lt;";
        else if (byte == '>')
            instead = "&gt;";
        else if (byte == '"')
            instead = "&quot;";
        else if (byte == 0xEF && length - at >= 3 && (unsigned char)text[at + 1] == 0xBF &&
                 (unsigned char)text[at + 2] >= 0xBE) {
            /* U+FFFE and U+FFFF are no characters of XML. */
            instead = "\xEF\xBF\xBD";
            taken = 3;
        }
        if (!instead)
            continue;
        dlz_bytes_add(bytes, text + from, at - from);
        dlz_bytes_add_text(bytes, instead);
        from = at + taken;
        at += taken - 1;
    }
    if (from < length)
        dlz_bytes_add(bytes, text + from, length - from);
}

void dlz_bytes_free(dlz_bytes *bytes) {
    dlz_free(bytes->data);
    *bytes = (dlz_bytes){0};
}
