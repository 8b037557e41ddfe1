#include "json.h"
#include "text.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* As many as tell 32-bit numbers apart. */
#define DIGITS JSON_REAL_PRECISION(9)

/* -- Building ------------------------------------------------------------------------------------
 */

struct json_builder begin_json(void) {
    json_t *object = json_object();
    return (struct json_builder){.open = {object}, .num_open = 1, .failed = !object};
}

/* Jansson takes no NULL, neither as a value nor as what it is put into. */
static void put(struct json_builder *json, const char *key, json_t *value) {
    json_t *to = json->open[json->num_open - 1];
    int error = key ? json_object_set_new(to, key, value) : json_array_append_new(to, value);
    json->failed = json->failed || error != 0;
}

void put_open(struct json_builder *json, const char *key, char bracket) {
    json_t *value = bracket == '{' ? json_object() : json_array();
    put(json, key, value);
    json->open[json->num_open++] = json->failed ? NULL : value;
}

void put_close(struct json_builder *json) {
    json->num_open--;
}

void put_text(struct json_builder *json, const char *key, const char *text) {
    char *copy = strdup(text);
    for (char *at = is_utf8(text) ? NULL : copy; at && *at; at++)
        *at = *at & 0x80 ? '?' : *at;
    put(json, key, json_string(copy));
    free(copy);
}

void put_number(struct json_builder *json, const char *key, double value) {
    put(json, key, isfinite(value) ? json_real(value) : json_null());
}

void put_integer(struct json_builder *json, const char *key, long long value) {
    put(json, key, json_integer(value));
}

void put_bool(struct json_builder *json, const char *key, bool value) {
    put(json, key, json_boolean(value));
}

void put_member(struct json_builder *json, const char *key, const char *object, size_t size) {
    json_t *whole;
    bool parsed = parse_json(key, object, size, &whole) == DLVIZ_OK;
    put(json, key, parsed ? json_incref(json_object_get(whole, key)) : NULL);
    json_decref(whole);
}

/* -- Writing -------------------------------------------------------------------------------------
 */

/* Into memory that is there: where json_dumps lacks it for a key, it goes on without the key. */
static char *dump(const json_t *value, size_t flags) {
    size_t size = json_dumpb(value, NULL, 0, flags | DIGITS);
    char *text = size > 0 ? malloc(size + 1) : NULL;
    if (text && json_dumpb(value, text, size, flags | DIGITS) == size) {
        text[size] = '\0';
        return text;
    }
    free(text);
    return NULL;
}

/* Jansson gives each value a line. A list's lines become one, or, where it has lists or objects, one for each of
 * them. Returns the end. */
static char *join_lines(char *text) {
    size_t joined = SIZE_MAX; /* within a list: lines that are indented so far are joined */
    char *to = text;
    for (const char *at = text; *at; at++) {
        if (*at != '\n') {
            *to++ = *at;
            continue;
        }
        const char *next = at + 1 + strspn(at + 1, " ");
        bool closes = *next == ']' || *next == '}', nested = *next == '[' || *next == '{';
        size_t indent = (size_t)(next - at - 1) + (closes ? 2 : 0); /* of what the bracket closes */
        if (at[-1] == '[' && joined == SIZE_MAX)
            joined = indent + nested;
        if (indent < joined) {
            *to++ = '\n';
        } else {
            if (at[-1] == ',')
                *to++ = ' ';
            at = next - 1;
        }
        if (closes && indent <= joined)
            joined = SIZE_MAX;
    }
    return to;
}

dlviz_status write_json(const struct json_builder *json, const char *path) {
    char *text = json->failed ? NULL : dump(json->open[0], JSON_INDENT(2));
    if (!text)
        return dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "cannot write '%s': not enough memory", path);
    char *end = join_lines(text);
    *end++ = '\n'; /* in the place of '\0' */
    dlviz_status status = dlviz_file_write(path, text, (size_t)(end - text));
    free(text);
    return status;
}

void release_json(struct json_builder *json) {
    json_decref(json->open[0]);
    *json = (struct json_builder){0};
}

char *json_line(const json_t *value) {
    return dump(value, JSON_ENCODE_ANY);
}

/* -- Reading -------------------------------------------------------------------------------------
 */

static json_malloc_t usual_malloc;
static bool memory_ended;

static void *watched_malloc(size_t size) {
    void *bytes = usual_malloc(size);
    memory_ended = memory_ended || !bytes;
    return bytes;
}

/* Where memory ends, jansson's parser takes text for damaged, or goes on without a part of it. */
dlviz_status parse_json(const char *name, const char *text, size_t size, json_t **value) {
    json_free_t usual_free;
    json_error_t error;
    memory_ended = false;
    json_get_alloc_funcs(&usual_malloc, &usual_free);
    json_set_alloc_funcs(watched_malloc, usual_free);
    *value = json_loadb(text, size, 0, &error);
    json_set_alloc_funcs(usual_malloc, usual_free);
    if (*value && !memory_ended)
        return DLVIZ_OK;
    json_decref(*value);
    *value = NULL;
    return memory_ended
               ? dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "cannot read '%s': not enough memory", name)
               : dlviz_fail(DLVIZ_ERROR_FORMAT, "cannot read '%s': line %d is no JSON: %s", name,
                            error.line, error.text);
}
