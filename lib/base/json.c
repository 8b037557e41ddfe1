/* JSON as RFC 8259 has it. */
#include "base/json.h"
#include "base/cancel.h"
#include "base/reading.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* What jansson's values take from malloc, measured, and rounded up: of any value; of what a text, and what an
 * object or a list, has besides; and of a member of an object. Characters come on top. */
enum { VALUE_BYTES = 64, TEXT_BYTES = 64, CONTAINER_BYTES = 256, MEMBER_BYTES = 96 };

void dlz_json_begin(dlz_json *json, const char *text, size_t length, int most_depth) {
    *json = (dlz_json){.start = text, .at = text, .end = text + length, .most_depth = most_depth};
}

void dlz_json_end(dlz_json *json) {
    dlz_free(json->key);
    json->key = NULL;
    json->key_room = 0;
}

static const char too_deep[] = "lists and objects nested";

dlz_json_fault dlz_json_fault_of(const dlz_json *json) {
    dlz_json_fault fault = {"", (size_t)(json->at - json->start), 1};
    bool deep = json->reason == too_deep;
    snprintf(fault.reason, sizeof fault.reason, deep ? "%s more than %d deep" : "%s", json->reason,
             json->most_depth);
    for (const char *at = json->start; at < json->at; at++)
        fault.line += *at == '\n';
    return fault;
}

static dlviz_status wrong(dlz_json *json, const char *reason) {
    json->reason = reason;
    return DLVIZ_ERROR_FORMAT;
}

static dlviz_status no_memory(uint64_t bytes) {
    return dlz_fail_memory("JSON", bytes);
}

/* What jansson is about to allocate. */
static dlviz_status charge(dlz_json *json, uint64_t bytes) {
    if (!dlz_reading_charge(bytes))
        return no_memory(bytes);
    json->charged += bytes;
    return DLVIZ_OK;
}

static void skip_space(dlz_json *json) {
    while (json->at < json->end &&
           (*json->at == ' ' || *json->at == '\t' || *json->at == '\n' || *json->at == '\r'))
        json->at++;
}

/* Past white space; whether this character comes, which is then taken. */
static bool take(dlz_json *json, char c) {
    skip_space(json);
    if (json->at == json->end || *json->at != c)
        return false;
    json->at++;
    return true;
}

/* -- Texts ---------------------------------------------------------------------------------------
 */

/* The four digits of "\u0041". */
static bool read_unit(const char *at, const char *end, uint32_t *unit) {
    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return false;
    *unit = 0;
    for (int i = 2; i < 6; i++) {
        char c = at[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return false;
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return true;
}

/* Goes past an escape of the form \uXXXX, or two that are one character. */
static dlviz_status read_escaped(dlz_json *json, uint32_t *character) {
    uint32_t low;
    if (!read_unit(json->at, json->end, character))
        return wrong(json, "an escape that is none");
    if (*character == 0)
        return wrong(json, "a zero character");
    if (*character < 0xD800 || *character > 0xDFFF) {
        json->at += 6;
        return DLVIZ_OK;
    }
    if (*character > 0xDBFF || !read_unit(json->at + 6, json->end, &low) || low < 0xDC00 ||
        low > 0xDFFF)
        return wrong(json, "half a pair of escapes");
    *character = 0x10000 + ((*character - 0xD800) << 10) + (low - 0xDC00);
    json->at += 12;
    return DLVIZ_OK;
}

static size_t write_character(uint32_t c, char *to) {
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t size = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    for (size_t i = size; i-- > 1; c >>= 6)
        to[i] = (char)(0x80 | (c & 0x3F));
    to[0] = (char)((size == 2 ? 0xC0 : size == 3 ? 0xE0 : 0xF0) | c);
    return size;
}

/* Goes past an escape, and writes the character that it stands for. */
static dlviz_status read_escape(dlz_json *json, char *to, size_t *size) {
    static const char letters[] = "\"\\/bfnrt", characters[] = "\"\\/\b\f\n\r\t";
    const char *letter = json->end - json->at > 1 ? strchr(letters, json->at[1]) : NULL;
    uint32_t character = 0;
    if (letter && *letter) {
        character = (unsigned char)characters[letter - letters];
        json->at += 2;
    } else {
        DLZ_TRY(read_escaped(json, &character));
    }
    *size = write_character(character, to);
    return DLVIZ_OK;
}

/* Reads a text up to its end, from behind the quote that begins it. With `to`, its characters go there: they
 * are no more bytes than in the file. */
static dlviz_status read_text(dlz_json *json, char *to, size_t *length) {
    size_t done = 0;
    while (json->at < json->end && *json->at != '"') {
        char escaped[4];
        const char *from = json->at;
        size_t size;
        if (*from == '\\') {
            DLZ_TRY(read_escape(json, escaped, &size));
            from = escaped;
        } else {
            size = dlz_utf8_size(from, (size_t)(json->end - from));
            if (size == 0)
                return wrong(json, "bytes that are no UTF-8");
            if ((unsigned char)*from < 0x20)
                return wrong(json, "a control character in a text");
            json->at += size;
        }
        if (to)
            memcpy(to + done, from, size);
        done += size;
    }
    if (json->at == json->end)
        return wrong(json, "a text without an end");
    json->at++;
    *length = done;
    return DLVIZ_OK;
}

/* How long the text that comes is, and that it is valid; `at` stays behind the quote that begins it. */
static dlviz_status measure_text(dlz_json *json, size_t *length) {
    const char *start = json->at;
    DLZ_TRY(read_text(json, NULL, length));
    json->at = start;
    return DLVIZ_OK;
}

static dlviz_status new_text(dlz_json *json, char **text, size_t *length) {
    DLZ_TRY(measure_text(json, length));
    *text = dlz_alloc(*length + 1);
    if (!*text)
        return no_memory(*length + 1);
    (*text)[*length] = '\0';
    return read_text(json, *text, length);
}

static dlviz_status read_key(dlz_json *json) {
    size_t length = 0;
    if (!take(json, '"'))
        return wrong(json, "no key");
    DLZ_TRY(measure_text(json, &length));
    if (length >= json->key_room) {
        size_t room = 2 * length + 64;
        char *larger = dlz_realloc_array(json->key, room, 1);
        if (!larger)
            return no_memory(room);
        json->key = larger;
        json->key_room = room;
    }
    DLZ_TRY(read_text(json, json->key, &json->key_length));
    json->key[json->key_length] = '\0';
    return take(json, ':') ? DLVIZ_OK : wrong(json, "no ':' behind a key");
}

/* -- Numbers -------------------------------------------------------------------------------------
 */

enum { LONGEST_NUMBER = 512 };

static void skip_digits(const char **at, const char *end) {
    while (*at < end && **at >= '0' && **at <= '9')
        (*at)++;
}

/* Where a number ends that begins at `at`; NULL if none does. */
static const char *end_of_number(const char *at, const char *end, bool *whole) {
    at += at < end && *at == '-';
    const char *digits = at;
    skip_digits(&at, end);
    if (at == digits || (*digits == '0' && at > digits + 1))
        return NULL;
    *whole = true;
    if (at < end && *at == '.') {
        digits = ++at;
        *whole = false;
        skip_digits(&at, end);
        if (at == digits)
            return NULL;
    }
    if (at < end && (*at == 'e' || *at == 'E')) {
        at++;
        *whole = false;
        at += at < end && (*at == '+' || *at == '-');
        digits = at;
        skip_digits(&at, end);
        if (at == digits)
            return NULL;
    }
    return at;
}

/* Without a copy, which a compiler would put on the stack of each value that nests others. */
static bool read_whole(const char *at, const char *end, int64_t *number) {
    bool negative = *at == '-';
    uint64_t largest = (uint64_t)INT64_MAX + negative, magnitude = 0;
    for (at += negative; at < end; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (magnitude > (largest - digit) / 10)
            return false;
        magnitude = magnitude * 10 + digit;
    }
    *number = (int64_t)(negative ? 0 - magnitude : magnitude);
    return true;
}

static dlviz_status read_number(dlz_json *json, json_t **value) {
    bool whole;
    const char *start = json->at, *end = end_of_number(start, json->end, &whole);
    if (!end)
        return wrong(json, "no value");
    size_t length = (size_t)(end - start);
    if (length > LONGEST_NUMBER)
        return wrong(json, "a number of too many digits");
    if (whole) {
        int64_t number;
        if (!read_whole(start, end, &number))
            return wrong(json, "a whole number beyond 64 bits");
        *value = json_integer(number);
    } else {
        double number;
        if (!dlz_read_double(start, length, &number) || !isfinite(number))
            return wrong(json, "a number beyond double");
        *value = json_real(number);
    }
    if (!*value)
        return no_memory(VALUE_BYTES);
    json->at = end;
    return DLVIZ_OK;
}

/* -- Values --------------------------------------------------------------------------------------
 */

static dlviz_status read_value(dlz_json *json, json_t **value);

static dlviz_status read_string(dlz_json *json, json_t **value) {
    size_t length;
    char *text = NULL;
    json->at++;
    dlviz_status status = new_text(json, &text, &length);
    if (status == DLVIZ_OK)
        status = charge(json, TEXT_BYTES + length);
    if (status == DLVIZ_OK && !(*value = json_stringn_nocheck(text, length)))
        status = no_memory(length);
    dlz_free(text);
    return status;
}

static dlviz_status read_list(dlz_json *json, json_t **value) {
    DLZ_TRY(charge(json, CONTAINER_BYTES));
    json_t *list = json_array();
    if (!list)
        return no_memory(CONTAINER_BYTES);
    *value = list;
    json->at++;
    if (take(json, ']'))
        return DLVIZ_OK;
    do {
        json_t *item = NULL;
        DLZ_TRY(read_value(json, &item));
        if (json_array_append_new(list, item) != 0)
            return no_memory(json_array_size(list) * sizeof item);
    } while (take(json, ','));
    return take(json, ']') ? DLVIZ_OK : wrong(json, "no ',' or ']' in a list");
}

/* The key is needed once the value is there, whose own keys take its place. */
static dlviz_status read_member(dlz_json *json, json_t *object) {
    json_t *item = NULL;
    DLZ_TRY(read_key(json));
    if (json_object_get(object, json->key))
        return wrong(json, "a duplicate key");
    DLZ_TRY(charge(json, MEMBER_BYTES + json->key_length));
    char *key = dlz_strdup(json->key);
    if (!key)
        return no_memory(json->key_length + 1);
    dlviz_status status = read_value(json, &item);
    if (status == DLVIZ_OK && json_object_set_new_nocheck(object, key, item) != 0)
        status = no_memory(MEMBER_BYTES);
    dlz_free(key);
    return status;
}

static dlviz_status read_object(dlz_json *json, json_t **value) {
    DLZ_TRY(charge(json, CONTAINER_BYTES));
    json_t *object = json_object();
    if (!object)
        return no_memory(CONTAINER_BYTES);
    *value = object;
    json->at++;
    if (take(json, '}'))
        return DLVIZ_OK;
    do
        DLZ_TRY(read_member(json, object));
    while (take(json, ','));
    return take(json, '}') ? DLVIZ_OK : wrong(json, "no ',' or '}' in an object");
}

static dlviz_status read_container(dlz_json *json, json_t **value) {
    if (json->depth == json->most_depth)
        return wrong(json, too_deep);
    json->depth++;
    dlviz_status status = *json->at == '[' ? read_list(json, value) : read_object(json, value);
    json->depth--;
    return status;
}

static bool take_word(dlz_json *json, const char *word) {
    size_t length = strlen(word);
    if ((size_t)(json->end - json->at) < length || memcmp(json->at, word, length) != 0)
        return false;
    json->at += length;
    return true;
}

/* Without memory for the value that was made so far, that goes with it. */
static dlviz_status read_some(dlz_json *json, json_t **value) {
    switch (json->at < json->end ? *json->at : '\0') {
    case '"':
        return read_string(json, value);
    case '[':
    case '{':
        return read_container(json, value);
    default:
        break;
    }
    *value = take_word(json, "true")    ? json_true()
             : take_word(json, "false") ? json_false()
             : take_word(json, "null")  ? json_null()
                                        : NULL;
    return *value ? DLVIZ_OK : read_number(json, value);
}

static dlviz_status read_value(dlz_json *json, json_t **value) {
    *value = NULL;
    skip_space(json);
    if (json->values-- <= 0)
        return wrong(json, "more values than are accepted");
    DLZ_TRY(charge(json, VALUE_BYTES));
    dlviz_status status = read_some(json, value);
    if (status != DLVIZ_OK) {
        json_decref(*value);
        *value = NULL;
    }
    return status;
}

dlviz_status dlz_json_take(dlz_json *json, int64_t most, json_t **value) {
    DLZ_NOT_CANCELLED; /* jansson's first object reads random numbers */
    json->values = most;
    json->charged = 0;
    return read_value(json, value);
}

void dlz_json_drop(dlz_json *json, json_t *value) {
    json_decref(value);
    dlz_reading_discharge(json->charged);
    json->charged = 0;
}

dlviz_status dlz_json_finish(dlz_json *json) {
    skip_space(json);
    return json->at == json->end ? DLVIZ_OK : wrong(json, "something behind the value");
}

dlviz_status dlz_json_read(const char *what, const char *text, size_t length, json_t **value,
                           dlz_json_fault *fault) {
    dlz_json json;
    dlz_json_begin(&json, text, length, DLZ_JSON_MOST_DEPTH);
    dlviz_status status = dlz_json_take(&json, DLZ_JSON_MOST_VALUES, value);
    if (status == DLVIZ_OK)
        status = dlz_json_finish(&json);
    dlz_json_end(&json);
    *fault = status == DLVIZ_ERROR_FORMAT ? dlz_json_fault_of(&json) : (dlz_json_fault){"", 0, 1};
    if (status == DLVIZ_OK)
        return DLVIZ_OK;
    json_decref(*value);
    *value = NULL;
    return status == DLVIZ_ERROR_FORMAT ? status : dlz_fail_within(status, "%s", what);
}

/* -- Value by value ------------------------------------------------------------------------------
 */

bool dlz_json_enter(dlz_json *json) {
    if (!take(json, '{'))
        return false;
    json->depth++;
    return true;
}

dlviz_status dlz_json_next(dlz_json *json, bool first, bool *found) {
    *found = false;
    if (take(json, '}')) {
        json->depth--;
        return DLVIZ_OK;
    }
    if (!first && !take(json, ','))
        return wrong(json, "no ',' or '}' in an object");
    DLZ_TRY(read_key(json));
    *found = true;
    return DLVIZ_OK;
}

bool dlz_json_is_text(dlz_json *json) {
    skip_space(json);
    return json->at < json->end && *json->at == '"';
}

dlviz_status dlz_json_measure_text(dlz_json *json, size_t *length) {
    const char *start = json->at;
    if (!take(json, '"'))
        return wrong(json, "no text");
    DLZ_TRY(read_text(json, NULL, length));
    json->at = start;
    return DLVIZ_OK;
}

dlviz_status dlz_json_take_text(dlz_json *json, char *text) {
    size_t length;
    return take(json, '"') ? read_text(json, text, &length) : wrong(json, "no text");
}
