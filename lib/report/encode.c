#include "report/encode.h"

#include <math.h>
#include <string.h>

/* -- Texts ---------------------------------------------------------------------------------------
 */

/* Writes what lies between the characters that need something else. */
typedef struct cursor {
    dlz_file *file;
    const char *from, *at;
} cursor;

static void put(cursor *c, size_t skipped, const char *instead) {
    dlz_file_write(c->file, c->from, (size_t)(c->at - c->from));
    dlz_file_write(c->file, instead, strlen(instead));
    c->at += skipped;
    c->from = c->at;
}

/* U+2028 and U+2029 end a line in JavaScript. */
static bool ends_line(const char *text) {
    return memcmp(text, "\xe2\x80\xa8", 3) == 0 || memcmp(text, "\xe2\x80\xa9", 3) == 0;
}

void dlz_encode_json(dlz_file *file, const char *text) {
    cursor c = {file, text, text};
    dlz_file_write(file, "\"", 1);
    while (*c.at) {
        unsigned char byte = (unsigned char)*c.at;
        char escape[8];
        if (byte == 0xe2 && strlen(c.at) >= 3 && ends_line(c.at)) {
            put(&c, 3, c.at[2] == '\xa8' ? "\\u2028" : "\\u2029");
        } else if (byte < 0x20 || byte == '<' || byte == 0x7f) {
            const char digits[] = "0123456789abcdef";
            memcpy(escape, "\\u00", 4);
            escape[4] = digits[byte >> 4];
            escape[5] = digits[byte & 15];
            escape[6] = '\0';
            put(&c, 1, escape);
        } else if (byte == '"' || byte == '\\') {
            put(&c, 1, byte == '"' ? "\\\"" : "\\\\");
        } else {
            c.at++;
        }
    }
    put(&c, 0, "\"");
}

/* The length of a character that turns the direction of text, ends a line or is none: U+061C, U+200E,
 * U+200F, U+2028 to U+202E, U+2066 to U+2069, control characters; else 0. */
static size_t unwanted(const char *text) {
    const unsigned char *c = (const unsigned char *)text;
    if (c[0] < 0x20 || c[0] == 0x7f)
        return 1;
    if (c[0] == 0xd8 && c[1] == 0x9c)
        return 2;
    if (c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0)
        return 2;
    if (c[0] != 0xe2 || (c[1] != 0x80 && c[1] != 0x81))
        return 0;
    bool turns = c[1] == 0x80 ? c[2] == 0x8e || c[2] == 0x8f || (c[2] >= 0xa8 && c[2] <= 0xae)
                              : c[2] >= 0xa6 && c[2] <= 0xa9;
    return turns ? 3 : 0;
}

static const char *entity(char c) {
    switch (c) {
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '&':
        return "&amp;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return NULL;
    }
}

void dlz_encode_html(dlz_file *file, const char *text) {
    cursor c = {file, text, text};
    while (*c.at) {
        const char *name = entity(*c.at);
        size_t length = unwanted(c.at);
        if (name)
            put(&c, 1, name);
        else if (length > 0)
            put(&c, length, length == 1 ? " " : "");
        else
            c.at++;
    }
    put(&c, 0, "");
}

void dlz_encode_number(dlz_file *file, double value) {
    static const int digits[] = {9, 15, 17};
    char text[DLZ_NUMBER_SIZE] = "null";
    double read = NAN;
    for (int i = 0; isfinite(value) && i < 3 && read != value; i++) {
        dlz_number(text, value + 0.0, digits[i]); /* -0 becomes 0 */
        (void)dlz_read_double(text, strlen(text),
                              &read); /* infinite where it was rounded beyond doubles */
    }
    dlz_file_printf(file, "%s", text);
}

/* -- Base64 --------------------------------------------------------------------------------------
 */

enum { CHUNK = 3 << 12 /* bytes */ };

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

uint64_t dlz_encoded_size(uint64_t bytes) {
    return (bytes + 2) / 3 * 4;
}

/* At most CHUNK bytes. */
static void encode_chunk(dlz_file *file, const unsigned char *bytes, size_t size) {
    char text[CHUNK / 3 * 4], *to = text;
    for (size_t i = 0; i < size; i += 3) {
        size_t rest = size - i;
        uint32_t bits = (uint32_t)bytes[i] << 16 | (rest > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (rest > 2 ? (uint32_t)bytes[i + 2] : 0);
        *to++ = alphabet[bits >> 18];
        *to++ = alphabet[bits >> 12 & 63];
        *to++ = rest > 1 ? alphabet[bits >> 6 & 63] : '=';
        *to++ = rest > 2 ? alphabet[bits & 63] : '=';
    }
    dlz_file_write(file, text, (size_t)(to - text));
}

void dlz_encode_bytes(dlz_file *file, const void *bytes, size_t size) {
    const unsigned char *from = bytes;
    for (size_t at = 0; at < size; at += CHUNK)
        encode_chunk(file, from + at, size - at < CHUNK ? size - at : CHUNK);
}

static uint32_t number_at(const void *numbers, int64_t i, int size) {
    if (size == 1)
        return ((const uint8_t *)numbers)[i];
    return size == 2 ? ((const uint16_t *)numbers)[i] : ((const uint32_t *)numbers)[i];
}

void dlz_encode_numbers(dlz_file *file, const void *numbers, int64_t count, int size, int written) {
    unsigned char bytes[CHUNK];
    size_t used = 0;
    for (int64_t i = 0; i < count; i++) {
        uint32_t number = number_at(numbers, i, size);
        for (int b = 0; b < written; b++)
            bytes[used++] = (unsigned char)(number >> 8 * b);
        if (used == CHUNK) { /* a multiple of 1, 2 and 4 */
            encode_chunk(file, bytes, used);
            used = 0;
        }
    }
    encode_chunk(file, bytes, used);
}

/* -1 for what is no digit. */
static int digit(char c) {
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool dlz_decode_bytes(const char *text, size_t length, void *bytes, size_t size) {
    unsigned char *to = bytes;
    if (length != dlz_encoded_size(size))
        return false;
    for (size_t i = 0; i < length; i += 4) {
        size_t left = size - i / 4 * 3;
        uint32_t bits = 0;
        for (size_t j = 0; j < 4; j++) {
            int value = j > left ? (text[i + j] == '=' ? 0 : -1) : digit(text[i + j]);
            if (value < 0)
                return false;
            bits = bits << 6 | (uint32_t)value;
        }
        for (size_t j = 0; j < 3 && j < left; j++)
            *to++ = (unsigned char)(bits >> (16 - 8 * j));
    }
    return true;
}
