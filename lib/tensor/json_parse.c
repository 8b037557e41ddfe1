/* JSON read by jansson, with nothing left out where memory is short.
 *
 * Jansson gathers the characters of a word or a number in a buffer that grows, and does not look whether it
 * could: the characters that find no room are left out. So a word comes first that is longer than all
 * others. Where it arrives whole, the buffer need not grow for those. */
#include "tensor/safetensors.h"

#include <errno.h>
#include <string.h>

static bool is_of_number(char c) {
    return (c >= '0' && c <= '9') || c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E';
}

/* The most characters that a word, with its quotes, or a number has. */
static size_t longest_word(const char *text, size_t size) {
    size_t longest = 0, length = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        bool ends = quoted ? text[i] == '"' : !is_of_number(text[i]) && text[i] != '"';
        length++;
        if (quoted && text[i] == '\\' && i + 1 < size) {
            length++;
            i++;
        } else if (text[i] == '"') {
            quoted = !quoted;
            length = quoted ? 1 : length;
        }
        longest = length > longest ? length : longest;
        length = ends ? 0 : length;
    }
    return longest;
}

/* What jansson gets to read: ["xxx…", and the text, and ]. */
typedef struct source {
    const char *text;
    size_t size, padding, at;
} source;

static bool is_quote(const source *s) {
    return s->at == 1 || s->at == s->padding + 2;
}

static size_t give(void *buffer, size_t room, void *user) {
    source *s = user;
    const size_t before = s->padding + 4; /* [""] but for the last, and a comma */
    char *to = buffer;
    size_t given = 0;
    for (; given < room && s->at < before; given++, s->at++)
        to[given] = s->at == 0 ? '[' : s->at == before - 1 ? ',' : is_quote(s) ? '"' : 'x';
    size_t done = s->at - before, rest = s->size - (done < s->size ? done : s->size);
    size_t part = rest < room - given ? rest : room - given;
    if (part > 0)
        memcpy(to + given, s->text + done, part);
    given += part;
    s->at += part;
    if (given < room && s->at == before + s->size) {
        to[given++] = ']';
        s->at++;
    }
    return given;
}

static bool is_accepted(const json_t *value, size_t flags) {
    return (flags & JSON_DECODE_ANY) || json_is_object(value) || json_is_array(value);
}

/* NULL for whatever reason. */
static json_t *parse_whole(const char *text, size_t size, size_t flags) {
    source s = {.text = text, .size = size, .padding = longest_word(text, size)};
    json_t *list = json_load_callback(give, &s, JSON_REJECT_DUPLICATES, NULL), *value = NULL;
    if (json_array_size(list) == 2 && json_string_length(json_array_get(list, 0)) == s.padding &&
        is_accepted(json_array_get(list, 1), flags))
        value = json_incref(json_array_get(list, 1));
    json_decref(list);
    return value;
}

json_t *dlz_json_parse(const void *text, size_t size, size_t flags, json_error_t *error,
                       bool *lacked_memory) {
    int before = errno;
    *lacked_memory = false;
    json_t *value = parse_whole(text, size, flags);
    if (!value) { /* why, and where? */
        errno = 0;
        json_t *other = json_loadb(text, size, JSON_REJECT_DUPLICATES | flags, error);
        *lacked_memory = other || errno == ENOMEM || !error->text[0] ||
                         json_error_code(error) == json_error_out_of_memory;
        json_decref(other);
    }
    errno = before;
    return value;
}
