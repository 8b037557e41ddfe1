#include "json_text.h"
#include "text.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LINE = 160 };

/* -- Writing -------------------------------------------------------------------------------------
 */

static void add(struct json_text *json, const char *bytes, size_t size) {
    if (!json->failed && size > json->room - json->size) {
        size_t room = 2 * (json->size + size) + 1024;
        char *larger = realloc(json->bytes, room);
        json->failed = !larger;
        if (larger) {
            json->bytes = larger;
            json->room = room;
        }
    }
    if (json->failed)
        return;
    memcpy(json->bytes + json->size, bytes, size);
    json->size += size;
}

static void add_text(struct json_text *json, const char *text) {
    add(json, text, strlen(text));
}

static void add_string(struct json_text *json, const char *text) {
    static const char plain[] = "\"\\\b\f\n\r\t", letters[] = "\"\\bfnrt";
    bool utf8 = is_utf8(text);
    add_text(json, "\"");
    for (; *text; text++) {
        const char *special = strchr(plain, *text);
        char code[8] = {'\\', special ? letters[special - plain] : '\0', '\0'};
        if (special)
            add_text(json, code);
        else if ((unsigned char)*text < ' ')
            add(json, code, (size_t)snprintf(code, sizeof code, "\\u%04X", (unsigned)*text));
        else
            add(json, *text & 0x80 && !utf8 ? "?" : text, 1);
    }
    add_text(json, "\"");
}

/* What stands before a value. */
static void begin(struct json_text *json, const char *key) {
    char last = json->size > 0 ? json->bytes[json->size - 1] : '[';
    if (last != '[' && last != '{')
        add_text(json, ", ");
    if (!key)
        return;
    add_string(json, key);
    add_text(json, ": ");
}

void put_open(struct json_text *json, const char *key, char bracket) {
    begin(json, key);
    add(json, &bracket, 1);
}

void put_close(struct json_text *json, char bracket) {
    add_text(json, bracket == '{' ? "}" : "]");
}

void put_text(struct json_text *json, const char *key, const char *text) {
    begin(json, key);
    add_string(json, text);
}

/* Nine digits, as many as tell 32-bit numbers apart; "1.0" and "1e-5". */
void put_number(struct json_text *json, const char *key, double value) {
    char text[40] = "null";
    if (isfinite(value))
        snprintf(text, sizeof text, "%.9g", value);
    char *exponent = strchr(text, 'e');
    if (exponent) {
        char *from = exponent + 1, *to = from + (*from == '-');
        from += *from == '-' || *from == '+';
        while (*from == '0')
            from++;
        memmove(to, from, strlen(from) + 1);
    } else if (isfinite(value) && !strchr(text, '.')) {
        strcat(text, ".0");
    }
    begin(json, key);
    add_text(json, text);
}

void put_integer(struct json_text *json, const char *key, long long value) {
    char text[24];
    snprintf(text, sizeof text, "%lld", value);
    begin(json, key);
    add_text(json, text);
}

void put_bool(struct json_text *json, const char *key, bool value) {
    begin(json, key);
    add_text(json, value ? "true" : "false");
}

/* -- Reading over what is known to be JSON -------------------------------------------------------
 */

/* The character behind a string. */
static const char *end_of_string(const char *at, const char *end) {
    for (at++; at < end && *at != '"'; at++)
        at += *at == '\\';
    return at < end ? at + 1 : end;
}

/* The character behind a value. */
static const char *end_of_value(const char *at, const char *end) {
    int depth = 0;
    while (at < end) {
        if (depth == 0 && strchr(",]}", *at))
            return at;
        depth += (*at == '[' || *at == '{') - (*at == ']' || *at == '}');
        at = *at == '"' ? end_of_string(at, end) : at + 1;
    }
    return end;
}

static const char *skip_space(const char *at, const char *end) {
    while (at < end && strchr(" \t\r\n", *at))
        at++;
    return at;
}

/* Over a bracket, colon or comma, to what follows it. */
static const char *go_on(const char *at, const char *end) {
    at = skip_space(at, end);
    return at < end ? skip_space(at + 1, end) : end;
}

/* Leaves out what stands between the parts, and puts its own in its place. */
static void add_value(struct json_text *json, const char *at, const char *end) {
    while (at < end) {
        const char *next = *at == '"' ? end_of_string(at, end) : at + 1;
        if (!strchr(" \t\r\n", *at))
            add(json, at, (size_t)(next - at));
        if (*at == ',' || *at == ':')
            add_text(json, " ");
        at = next;
    }
}

void put_member(struct json_text *json, const char *key, const char *object, size_t size) {
    const char *end = object + size, *at = go_on(object, end);
    size_t length = strlen(key);
    while (at < end && *at == '"') {
        const char *name = at + 1, *behind = end_of_string(at, end);
        const char *value = go_on(behind, end), *last = end_of_value(value, end);
        if ((size_t)(behind - name) == length + 1 && strncmp(name, key, length) == 0) {
            begin(json, key);
            add_value(json, value, last);
            return;
        }
        at = go_on(last, end);
    }
}

/* -- Lines ---------------------------------------------------------------------------------------
 */

/* A list of plain values has one line however long; other things have one where that is short. */
static bool has_one_line(const char *at, const char *end) {
    if (*at == '{')
        return end - at <= MOST_LINE;
    for (const char *in = at + 1; *at == '[' && in < end;) {
        if (*in == '[' || *in == '{')
            return false;
        in = *in == '"' ? end_of_string(in, end) : in + 1;
    }
    return true;
}

static void add_line(struct json_text *to, int depth) {
    add_text(to, "\n");
    for (int i = 0; i < depth; i++)
        add_text(to, "  ");
}

static void lay_out(struct json_text *to, const char *at, const char *end, int depth) {
    if (depth > 0 && has_one_line(at, end)) {
        add(to, at, (size_t)(end - at));
        return;
    }
    bool object = *at == '{';
    add(to, at++, 1);
    while (at < end - 1) {
        add_line(to, depth + 1);
        if (object) {
            const char *value = end_of_string(at, end) + 2; /* ": " */
            add(to, at, (size_t)(value - at));
            at = value;
        }
        const char *behind = end_of_value(at, end);
        lay_out(to, at, behind, depth + 1);
        at = behind;
        if (*at == ',') {
            add_text(to, ",");
            at += 2; /* ", " */
        }
    }
    add_line(to, depth);
    add_text(to, object ? "}" : "]");
}

char *json_lines(const struct json_text *json) {
    struct json_text lines = {.failed = json->failed};
    if (!json->failed)
        lay_out(&lines, json->bytes, json->bytes + json->size, 0);
    add(&lines, "\n", 2); /* and the end */
    if (!lines.failed)
        return lines.bytes;
    free(lines.bytes);
    return NULL;
}

dlviz_status write_json(const struct json_text *json, const char *path) {
    char *lines = json_lines(json);
    dlviz_status status =
        lines ? dlviz_file_write(path, lines, strlen(lines))
              : dlviz_fail(DLVIZ_ERROR_OUT_OF_MEMORY, "cannot write '%s': not enough memory", path);
    free(lines);
    return status;
}

void release_json(struct json_text *json) {
    free(json->bytes);
    *json = (struct json_text){0};
}
