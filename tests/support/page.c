#include "support/page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

static const char *find(const char *from, const char *end, const char *what) {
    return memmem(from, (size_t)(end - from), what, strlen(what));
}

/* The one block that begins so. */
static const char *block(const page *p, const char *begin, size_t *length) {
    const char *end = p->bytes + p->size, *at = find(p->bytes, end, begin);
    ck_assert_msg(at != NULL, "the page lacks %s", begin);
    at += strlen(begin);
    ck_assert_msg(!find(at, end, begin), "the page has %s twice", begin);
    const char *close = find(at, end, "</script>");
    ck_assert_ptr_nonnull(close);
    *length = (size_t)(close - at);
    return at;
}

page page_of(const dlviz_report *report) {
    page p;
    void *bytes;
    size_t length;
    json_error_t error;
    ck_ok(dlviz_report_write_memory(report, &bytes, &p.size));
    p.bytes = malloc(p.size);
    memcpy(p.bytes, bytes, p.size);
    dlviz_free(bytes);
    const char *data = block(&p, "<script type=\"application/json\" id=\"data\">", &length);
    p.root = json_loadb(data, length, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(p.root != NULL, "%s at byte %d: %.60s", error.text, error.position,
                  data + (error.position > 30 ? error.position - 30 : 0));
    p.sprite = block(&p, "<script type=\"text/plain\" id=\"sprite\">", &p.sprite_length);
    return p;
}

void page_close(page *p) {
    json_decref(p->root);
    free(p->bytes);
}

const json_t *page_run(const page *p, size_t index) {
    const json_t *run = json_array_get(json_object_get(p->root, "runs"), index);
    ck_assert(json_is_object(run));
    return run;
}

const char *page_text(const json_t *value) {
    ck_assert(json_is_string(value));
    return json_string_value(value);
}

int64_t page_integer(const json_t *value) {
    ck_assert(json_is_integer(value));
    return json_integer_value(value);
}

static int value_of(char c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = strchr(digits, c);
    if (!c || !at) /* an assertion that holds takes its time, too */
        ck_abort_msg("character %d in base64", c);
    return (int)(at - digits);
}

static uint8_t *decode(const char *text, size_t length, size_t *size) {
    ck_assert_int_eq(length % 4, 0);
    uint8_t *bytes = malloc(length + 1);
    unsigned bits = 0, count = 0;
    *size = 0;
    while (length > 0 && text[length - 1] == '=')
        length--;
    for (size_t i = 0; i < length; i++) {
        bits = (bits << 6 | (unsigned)value_of(text[i])) & 0xffffff;
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes[(*size)++] = (uint8_t)(bits >> count);
        }
    }
    return bytes;
}

uint8_t *page_bytes(const json_t *value, size_t *size) {
    return decode(page_text(value), json_string_length(value), size);
}

int64_t page_number(const uint8_t *bytes, int64_t index, int size) {
    int64_t number = 0;
    for (int b = size; b-- > 0;)
        number = number * 256 + bytes[index * size + b];
    return number;
}

/* -- The picture ---------------------------------------------------------------------------------
 */

static uint32_t big(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int nearest(int left, int above, int corner) {
    int guess = left + above - corner;
    int a = abs(guess - left), b = abs(guess - above), c = abs(guess - corner);
    return a <= b && a <= c ? left : b <= c ? above : corner;
}

/* Rows of `bytes`, each behind its filter. */
static void unfilter(uint8_t *rows, int64_t height, int64_t bytes, int64_t pixel) {
    for (int64_t y = 0; y < height; y++) {
        uint8_t *row = rows + y * (bytes + 1) + 1, *before = row - bytes - 1;
        ck_assert_int_le(row[-1], 4);
        for (int64_t i = 0; i < bytes; i++) {
            int left = i >= pixel ? row[i - pixel] : 0, above = y ? before[i] : 0;
            int corner = i >= pixel && y ? before[i - pixel] : 0;
            int add[] = {0, left, above, (left + above) / 2, nearest(left, above, corner)};
            row[i] = (uint8_t)(row[i] + add[row[-1]]);
        }
    }
}

picture page_picture(const page *p) {
    size_t size, at = 8, used = 0;
    uint8_t *png = decode(p->sprite, p->sprite_length, &size), *data = malloc(size),
            *palette = NULL;
    ck_assert(size > 57 && memcmp(png, "\x89PNG\r\n\x1a\n", 8) == 0);
    picture made = {.height = big(png + 20), .width = big(png + 16)};
    int bits = png[24], kind = png[25];
    bool ended = false;
    while (at < size) { /* chunks */
        uint32_t length = big(png + at);
        ck_assert(at + 12 + length <= size);
        ck_assert_uint_eq(crc32(0, png + at + 4, length + 4), big(png + at + 8 + length));
        if (memcmp(png + at + 4, "IDAT", 4) == 0) {
            memcpy(data + used, png + at + 8, length);
            used += length;
        }
        if (memcmp(png + at + 4, "PLTE", 4) == 0)
            palette = png + at + 8;
        ended = memcmp(png + at + 4, "IEND", 4) == 0;
        at += length + 12;
    }
    ck_assert(ended && (bits == 8 || (bits == 4 && kind == 0)) && (kind != 3 || palette));
    int64_t pixel = kind == 2 ? 3 : 1, row = (made.width * pixel * bits + 7) / 8;
    uLongf room = (uLongf)(made.height * (row + 1));
    uint8_t *rows = malloc(room);
    ck_assert_int_eq(uncompress(rows, &room, data, used), Z_OK);
    ck_assert_int_eq(room, made.height * (row + 1));
    unfilter(rows, made.height, row, pixel);
    made.channels = kind == 0 ? 1 : 3;
    made.pixels = malloc((size_t)(made.height * made.width * made.channels));
    for (int64_t i = 0; i < made.height * made.width * made.channels; i++) {
        int64_t y = i / (made.width * made.channels), x = i / made.channels % made.width;
        const uint8_t *line = rows + y * (row + 1) + 1;
        int64_t c = i % made.channels;
        made.pixels[i] = kind == 3   ? palette[3 * line[x] + c]
                         : bits == 4 ? (uint8_t)(17 * (line[x / 2] >> (x % 2 ? 0 : 4) & 15))
                                     : line[x * pixel + c];
    }
    free(png), free(data), free(rows);
    return made;
}
